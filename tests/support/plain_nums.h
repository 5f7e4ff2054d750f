/* A plain map of numbers. */
#ifndef CONCMAP_TESTS_PLAIN_NUMS_H
#define CONCMAP_TESTS_PLAIN_NUMS_H

#include <concmap/plain.h>

#include "unit.h"

CM_PLAIN_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)

static inline void sound(const nums *map)
{
    const char *reason = NULL;
    if (nums_check(map, &reason) != CM_OK)
        fail_msg("%s", reason);
}

static inline void fill(nums *map, const cm_config *config, uint64_t count)
{
    assert_int_equal(nums_init(map, config), CM_OK);
    for (uint64_t i = 0; i < count; i++)
        assert_int_equal(nums_insert(map, i, i), CM_OK);
}

static inline cm_status spoil(uint64_t *value, void *context)
{
    (void)context;
    *value = 12345;
    return CM_IO;
}

#endif
