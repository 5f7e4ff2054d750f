/* Maps for tests of processes. */
#ifndef CONCMAP_TESTS_PROCESS_NUMS_H
#define CONCMAP_TESTS_PROCESS_NUMS_H

#include <concmap/sharded.h>

#include "unit.h"

CM_SHARDED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)

enum { KEYS = 2000 };

/* The seed: 1, 2, 3 and KEYS have buckets of their own, for threads that each hold one of them. */
static inline void begin(nums *map)
{
    assert_int_equal(nums_init(map, &(cm_config){.seed = 7}), CM_OK);
    for (uint64_t key = 0; key < KEYS; key++)
        assert_int_equal(nums_put(map, key, key, NULL), CM_OK);
}

static inline cm_status add_one(uint64_t *value, void *context)
{
    (void)context;
    ++*value;
    return CM_OK;
}

/* Whether the map works: it is written, grows, shrinks, is walked and is whole. */
static inline bool map_works(nums *map, uint64_t keys)
{
    uint64_t seen = 0;
    bool works = nums_len(map) == keys;
    for (uint64_t key = 0; key < keys; key++)
        works &= nums_update(map, key, add_one, NULL) == CM_OK;
    for (uint64_t key = keys; key < keys * 8; key++)
        works &= nums_insert(map, key, key + 1) == CM_OK;
    CM_FOREACH (nums, map, it)
        seen += it.value == it.key + 1;
    for (uint64_t key = keys; key < keys * 8; key++)
        works &= nums_remove(map, key, NULL) == CM_OK;
    works &= nums_shrink_to_fit(map) == CM_OK && nums_settle(map) == CM_OK;
    return works && seen == keys * 8 && nums_check(map, NULL) == CM_OK;
}

#endif
