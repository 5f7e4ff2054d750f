/* The search for an order. */
#include "history.h"

#include <string.h>

#define MEMORY 65536

struct search {
    const struct call *calls;
    size_t count;
    struct {
        uint32_t done;
        uint64_t state;
        bool used;
    } tried[MEMORY];
};

/* Whether a call that finds `state` returns what was recorded; *after takes the state it leaves. */
static bool call_fits(const struct call *call, uint64_t state, uint64_t *after)
{
    *after = state;
    switch (call->kind) {
    case CALL_GET:
        return call->seen == state;
    case CALL_PUT:
        *after = call->value;
        return call->seen == state;
    case CALL_INSERT:
        *after = state ? state : call->value;
        return call->seen == (state != 0);
    case CALL_REMOVE:
        *after = 0;
        return call->seen == state;
    case CALL_UPSERT:
        *after = state ? state + 1 : call->value;
        return call->seen == (state != 0);
    }
    return false;
}

/* Remembers a state; true if it was tried before. A full memory forgets, which costs time only. */
static bool tried_before(struct search *search, uint32_t done, uint64_t state)
{
    size_t at = (size_t)((done * UINT64_C(0x9e3779b97f4a7c15) ^ state * UINT64_C(0xd6e8feb86659fd93)) >> 32) % MEMORY;
    if (search->tried[at].used && search->tried[at].done == done && search->tried[at].state == state)
        return true;
    search->tried[at].used = true;
    search->tried[at].done = done;
    search->tried[at].state = state;
    return false;
}

/* A call may come next if no other one that is left had returned before it was invoked. */
static bool may_come_next(const struct search *search, uint32_t done, size_t candidate)
{
    for (size_t i = 0; i < search->count; i++)
        if (!(done >> i & 1) && search->calls[i].returned < search->calls[candidate].invoked)
            return false;
    return true;
}

static bool search_from(struct search *search, uint32_t done, uint64_t state)
{
    if (done == (uint32_t)((UINT64_C(1) << search->count) - 1))
        return true;
    if (tried_before(search, done, state))
        return false;
    for (size_t i = 0; i < search->count; i++) {
        uint64_t after;
        if (!(done >> i & 1) && may_come_next(search, done, i) && call_fits(&search->calls[i], state, &after) &&
            search_from(search, done | UINT32_C(1) << i, after))
            return true;
    }
    return false;
}

bool history_is_linearizable(const struct call *calls, size_t count, uint64_t initial)
{
    static struct search search;
    memset(&search, 0, sizeof search);
    search.calls = calls;
    search.count = count;
    return search_from(&search, 0, initial);
}
