/* A map of ours, OUR_MAP, for one pair of key and value; included by core/instances.h. GUARDS: through guards and
 * entries. ANCHORED: one that gives out addresses; IN_PLACE: whose values are changed where they are, with atomics.
 * TEXT_HASH: if another than SipHash. */

#if TEXT
#ifndef TEXT_HASH
#define TEXT_HASH cm_hash_str
#endif
OUR_MAP(NAME(map), cm_str, VALUE, TEXT_HASH, cm_equal_str)
#else
OUR_MAP(NAME(map), uint64_t, VALUE, cm_hash_u64, cm_equal_u64)
#endif

#define MAP NAME(map)
#define LOCAL NAME(local)

typedef struct {
    unsigned changes;
} LOCAL;

static void *NAME(create)(size_t capacity, unsigned threads)
{
    MAP *map = malloc(sizeof *map);
    cm_config config = {0};
    cm_status status;

    (void)threads;
    config.capacity = capacity;
#if ANCHORED
    config.references = IN_DOMAIN ? CM_DOMAIN : CM_KEEP;
#endif
    status = map ? NAME(map_init)(map, &config) : CM_NOMEM;
    if (status != CM_OK)
        bench_fatal("init", (int)status);
    return map;
}

static void NAME(destroy)(void *map)
{
    NAME(map_destroy)(map);
    free(map);
}

static inline LOCAL NAME(enter)(MAP *map, unsigned thread)
{
    (void)map, (void)thread;
    return (LOCAL){0};
}

static inline void NAME(leave)(MAP *map, LOCAL *local)
{
    (void)map, (void)local;
#if ANCHORED && IN_DOMAIN
    cm_domain_part(cm_domain_default());
#endif
}

#if ANCHORED
#ifndef IN_PLACE
#define IN_PLACE 0
#endif
static inline bool NAME(sum)(const VALUE *seen, uint64_t *sum)
{
    if (!seen)
        return false;
#if IN_PLACE
    *sum += __atomic_load_n(&seen->word[0], __ATOMIC_RELAXED) + bench_value_sum(seen->word + 1, WORDS - 1);
#else
    *sum += bench_value_sum(seen->word, WORDS);
#endif
    return true;
}
#endif

#if ANCHORED && IN_PLACE
static inline bool NAME(bump_there)(VALUE *seen)
{
    if (seen)
        __atomic_fetch_add(&seen->word[0], 1, __ATOMIC_RELAXED);
    return seen != NULL;
}
#endif

/* As a server's loop does once a turn. */
static inline void NAME(changed)(LOCAL *local)
{
#if ANCHORED && IN_DOMAIN
    if (++local->changes % 64 == 0)
        cm_domain_quiescent(cm_domain_default());
#else
    (void)local;
#endif
}

static inline bool NAME(get)(MAP *map, LOCAL *local, KEY key, VALUE *value)
{
    (void)local;
#if GUARDS
    CM_WITH_READ (NAME(map), map, key, guard) {
        *value = *guard.value;
        return true;
    }
    return false;
#elif ANCHORED
    const VALUE *seen = NAME(map_get)(map, key);
#if IN_PLACE
    if (seen) {
        value->word[0] = __atomic_load_n(&seen->word[0], __ATOMIC_RELAXED);
        memcpy(value->word + 1, seen->word + 1, sizeof *value - sizeof *value->word);
    }
#else
    if (seen)
        *value = *seen;
#endif
    return seen != NULL;
#else
    return NAME(map_get)(map, key, value);
#endif
}

static inline bool NAME(insert)(MAP *map, LOCAL *local, KEY key, VALUE value)
{
    cm_status status = NAME(map_insert)(map, key, value);

    NAME(changed)(local);
    if (status < 0)
        bench_fatal("insert", (int)status);
    return status == CM_OK;
}

static inline bool NAME(remove)(MAP *map, LOCAL *local, KEY key)
{
    NAME(changed)(local);
    return NAME(map_remove)(map, key, NULL) == CM_OK;
}

static cm_status NAME(bump)(VALUE *value, void *context)
{
    (void)context;
    value->word[0]++;
    return CM_OK;
}

static inline bool NAME(update)(MAP *map, LOCAL *local, KEY key)
{
    NAME(changed)(local);
#if GUARDS
    CM_WITH_WRITE (NAME(map), map, key, guard)
        return NAME(bump)(guard.value, NULL) == CM_OK;
    return false;
#elif ANCHORED && IN_PLACE
    return NAME(bump_there)(NAME(map_get)(map, key));
#else
    return NAME(map_update)(map, key, NAME(bump), NULL) == CM_OK;
#endif
}

static inline bool NAME(upsert)(MAP *map, LOCAL *local, KEY key, VALUE value)
{
    NAME(changed)(local);
#if GUARDS
    NAME(map_write_guard) entry;
    cm_status status = NAME(map_entry)(map, key, &entry);

    if (status == CM_OK && entry.value)
        status = NAME(bump)(entry.value, NULL) == CM_OK ? CM_REPLACED : CM_INVALID;
    else if (status == CM_OK && !NAME(map_entry_insert)(&entry, value))
        status = CM_NOMEM;
    NAME(map_entry_unlock)(&entry);
#elif ANCHORED && IN_PLACE
    VALUE *seen;
    cm_status status = NAME(map_get_or_insert)(map, key, value, &seen);

    if (status == CM_EXISTS)
        NAME(bump_there)(seen);
#else
    cm_status status = NAME(map_upsert)(map, key, value, NAME(bump), NULL);
#endif
    if (status < 0)
        bench_fatal("upsert", (int)status);
    return status == CM_OK;
}

#include "../core/loop.h"

static cm_status NAME(digest)(const KEY *key, const VALUE *value, void *context)
{
    struct bench_contents *sum = context;

    sum->entries++;
#if TEXT
    sum->checksum += bench_digest_text(key->data, key->len, value->word, WORDS);
#else
    sum->checksum += bench_digest_u64(*key, value->word, WORDS);
#endif
    return CM_OK;
}

static void NAME(contents)(void *map, struct bench_contents *contents)
{
    const char *reason = "";

    *contents = (struct bench_contents){0};
    if (NAME(map_check)(map, &reason) != CM_OK)
        bench_fatal(reason, 0);
    NAME(map_for_each)(map, NAME(digest), contents);
    if (NAME(map_len)(map) != contents->entries)
        bench_fatal("len", (int)NAME(map_len)(map));
}

#define GET_MANY(map, local, ...) NAME(map_get_many)(map, __VA_ARGS__)
#define APPLY_MANY(map, ...) NAME(map_apply_many)(map, __VA_ARGS__)
#include "batch_instance.h"
#undef GET_MANY
#undef APPLY_MANY

static const struct bench_ops NAME(single) = {NAME(create),    NAME(fill),     NAME(run),
                                              NAME(run_timed), NAME(contents), NAME(destroy)};
static const struct bench_ops NAME(batch) = {NAME(create),          NAME(fill),     NAME(batch_run),
                                             NAME(batch_run_timed), NAME(contents), NAME(destroy)};

#undef MAP
#undef LOCAL
