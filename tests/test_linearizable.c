/* Recorded histories of concurrent calls on a map that is growing are linearizable, key by key. */
#include <concmap/anchored.h>
#include <concmap/domain.h>
#include <concmap/sharded.h>

#include "crew.h"
#include "history.h"
#include "unit.h"

#define THREADS 4
#define CALLS 7 /* of a thread on a key, a round */
#define KEYS 3  /* in one bucket at first */

struct page {
    uint64_t words[10]; /* in nodes */
};

CM_SHARDED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_SHARDED_MAP(pages, uint64_t, struct page, cm_hash_u64, cm_equal_u64)
CM_ANCHORED_MAP(anchors, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)

/* A round: threads call, and record. One thread also adds strangers, so that the buckets overflow, move and grow. */
struct round {
    nums *nums;
    pages *pages;
    anchors *anchors; /* one of the three */
    uint64_t clock;
    uint64_t random;
    struct call calls[KEYS][THREADS * CALLS];
};

static cm_status num_add(uint64_t *value, void *context)
{
    (void)context;
    ++*value;
    return CM_OK;
}

static cm_status page_add(struct page *page, void *context)
{
    (void)context;
    page->words[9] = ++page->words[0];
    return CM_OK;
}

static struct page page_of(uint64_t value)
{
    return (struct page){{[0] = value, [9] = value}};
}

static void call_num(nums *map, uint64_t key, struct call *call)
{
    uint64_t value = 0;
    switch (call->kind) {
    case CALL_GET:
        call->seen = nums_get(map, key, &value) ? value : 0;
        break;
    case CALL_PUT:
        call->seen = nums_put(map, key, call->value, &value) == CM_REPLACED ? value : 0;
        break;
    case CALL_INSERT:
        call->seen = nums_insert(map, key, call->value) == CM_EXISTS;
        break;
    case CALL_REMOVE:
        call->seen = nums_remove(map, key, &value) == CM_OK ? value : 0;
        break;
    case CALL_UPSERT:
        call->seen = nums_upsert(map, key, call->value, num_add, NULL) == CM_REPLACED;
        break;
    }
}

static void call_page(pages *map, uint64_t key, struct call *call)
{
    struct page page = {{0}};
    switch (call->kind) {
    case CALL_GET:
        call->seen = pages_get(map, key, &page) ? page.words[9] : 0;
        break;
    case CALL_PUT:
        call->seen = pages_put(map, key, page_of(call->value), &page) == CM_REPLACED ? page.words[9] : 0;
        break;
    case CALL_INSERT:
        call->seen = pages_insert(map, key, page_of(call->value)) == CM_EXISTS;
        break;
    case CALL_REMOVE:
        call->seen = pages_remove(map, key, &page) == CM_OK ? page.words[9] : 0;
        break;
    case CALL_UPSERT:
        call->seen = pages_upsert(map, key, page_of(call->value), page_add, NULL) == CM_REPLACED;
        break;
    }
}

static void call_anchor(anchors *map, uint64_t key, struct call *call)
{
    const uint64_t *value = NULL;
    switch (call->kind) {
    case CALL_GET:
        value = anchors_get(map, key);
        call->seen = value ? *value : 0;
        break;
    case CALL_PUT:
        call->seen = anchors_put(map, key, call->value, &value) == CM_REPLACED ? *value : 0;
        break;
    case CALL_INSERT:
        call->seen = anchors_insert(map, key, call->value) == CM_EXISTS;
        break;
    case CALL_REMOVE:
        call->seen = anchors_remove(map, key, &value) == CM_OK ? *value : 0;
        break;
    case CALL_UPSERT:
        call->seen = anchors_upsert(map, key, call->value, num_add, NULL) == CM_REPLACED;
        break;
    }
}

/* One thread lets the table grow, and another makes it smaller again. */
static void resize(struct round *round, bool grow, uint64_t n)
{
    if (round->anchors) { /* which shrinks by itself */
        if (grow)
            anchors_put(round->anchors, 1000 + n, 1, NULL);
        else
            anchors_remove(round->anchors, 1000 + n, NULL);
    } else if (grow && round->nums)
        nums_put(round->nums, 1000 + n, 1, NULL);
    else if (grow)
        pages_put(round->pages, 1000 + n, page_of(1), NULL);
    else if (round->nums) {
        nums_remove(round->nums, 1000 + n, NULL);
        if (n % 8 == 7)
            nums_shrink_to_fit(round->nums);
    } else {
        pages_remove(round->pages, 1000 + n, NULL);
        if (n % 8 == 7)
            pages_shrink_to_fit(round->pages);
    }
}

static size_t round_work(void *context, unsigned thread)
{
    struct round *round = context;
    uint64_t random = round->random + thread * 77777 + 1;
    for (uint64_t n = 0; n < KEYS * CALLS; n++) {
        uint64_t key = n % KEYS;
        struct call *call = &round->calls[key][thread * CALLS + n / KEYS];
        call->kind = (enum call_kind)(crew_random(&random) % 5);
        call->value = (thread + 1) * 1000 + n;
        call->invoked = __atomic_fetch_add(&round->clock, 1, __ATOMIC_SEQ_CST);
        if (round->nums)
            call_num(round->nums, key, call);
        else if (round->anchors)
            call_anchor(round->anchors, key, call);
        else
            call_page(round->pages, key, call);
        call->returned = __atomic_fetch_add(&round->clock, 1, __ATOMIC_SEQ_CST);
        if (thread < 2)
            resize(round, thread == 0, n);
    }
    return 0;
}

enum kind { INLINE, IN_NODES, ANCHORED, ANCHORED_IN_DOMAIN };

static void check_rounds(enum kind kind)
{
    size_t rounds = crew_scale(4000);
    uint64_t random = crew_seed("linearizable");
    for (size_t i = 0; i < rounds; i++) {
        static struct round round;
        nums small;
        pages large;
        anchors fixed;
        bool anchored = kind >= ANCHORED;
        round = (struct round){.nums = kind == INLINE ? &small : NULL,
                               .pages = kind == IN_NODES ? &large : NULL,
                               .anchors = anchored ? &fixed : NULL};
        round.random = crew_random(&random);
        const cm_config config = {
            .capacity = 1, .shrink = anchored, .references = kind == ANCHORED_IN_DOMAIN ? CM_DOMAIN : CM_KEEP};
        assert_int_equal(kind == INLINE     ? nums_init(&small, &config)
                         : kind == IN_NODES ? pages_init(&large, &config)
                                            : anchors_init(&fixed, &config),
                         CM_OK);
        crew_run(THREADS, round_work, &round);
        for (size_t key = 0; key < KEYS; key++)
            assert_true(history_is_linearizable(round.calls[key], THREADS * CALLS, 0));
        if (kind == INLINE)
            nums_destroy(&small);
        else if (kind == IN_NODES)
            pages_destroy(&large);
        else
            anchors_destroy(&fixed);
    }
}

static void inline_entries_are_linearizable(void **state)
{
    (void)state;
    check_rounds(INLINE);
}

static void entries_in_nodes_are_linearizable(void **state)
{
    (void)state;
    check_rounds(IN_NODES);
}

static void anchored_entries_are_linearizable(void **state)
{
    (void)state;
    check_rounds(ANCHORED);
    check_rounds(ANCHORED_IN_DOMAIN);
}

static void the_checker_accepts_what_overlaps_and_rejects_what_cannot_be(void **state)
{
    (void)state;
    /* A get that overlaps a put may see it or not; one that begins after it must. */
    struct call calls[] = {{CALL_PUT, 5, 0, 1, 4}, {CALL_GET, 0, 5, 2, 3}};
    assert_true(history_is_linearizable(calls, 2, 0));
    calls[1].seen = 0;
    assert_true(history_is_linearizable(calls, 2, 0));
    calls[1] = (struct call){CALL_GET, 0, 0, 5, 6};
    assert_false(history_is_linearizable(calls, 2, 0));
    /* Two removers of one entry. */
    struct call removers[] = {{CALL_PUT, 5, 0, 1, 2}, {CALL_REMOVE, 0, 5, 3, 6}, {CALL_REMOVE, 0, 5, 4, 5}};
    assert_false(history_is_linearizable(removers, 3, 0));
    removers[2].seen = 0;
    assert_true(history_is_linearizable(removers, 3, 0));
    /* A lost update. */
    struct call adds[] = {{CALL_UPSERT, 1, 0, 1, 4}, {CALL_UPSERT, 1, 1, 2, 3}, {CALL_GET, 0, 1, 5, 6}};
    assert_false(history_is_linearizable(adds, 3, 0));
    adds[2].seen = 2;
    assert_true(history_is_linearizable(adds, 3, 0));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_checker_accepts_what_overlaps_and_rejects_what_cannot_be),
        cmocka_unit_test(inline_entries_are_linearizable),
        cmocka_unit_test(entries_in_nodes_are_linearizable),
        cmocka_unit_test(anchored_entries_are_linearizable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
