/* An anchored map of numbers, and functions for its values, for tests. */
#ifndef CONCMAP_TESTS_ANCHORED_NUMS_H
#define CONCMAP_TESTS_ANCHORED_NUMS_H

#include <concmap/anchored.h>

#include "unit.h"

CM_ANCHORED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)

static inline cm_status add(uint64_t *value, void *context)
{
    *value += *(uint64_t *)context;
    return CM_OK;
}

static inline cm_status spoil(uint64_t *value, void *context)
{
    *value = 999;
    return *(cm_status *)context;
}

static inline cm_status is_even(uint64_t *value, void *context)
{
    (void)context;
    return *value % 2 == 0 ? CM_OK : CM_EXISTS;
}

static inline void finish(nums *map)
{
    const char *reason = NULL;
    assert_int_equal(nums_check(map, &reason), CM_OK);
    size_t visited = 0;
    CM_FOREACH (nums, map, it)
        visited++;
    assert_int_equal(visited, nums_len(map)); /* E6 */
    nums_destroy(map);
}

#endif
