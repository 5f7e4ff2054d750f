/* A dynamic map of numbers: the value of each key is ten times its number. */
#ifndef CONCMAP_TESTS_ANY_NUMS_H
#define CONCMAP_TESTS_ANY_NUMS_H

#include <concmap/any.h>

#include "unit.h"

static inline void finish(cm_any *map)
{
    assert_int_equal(cm_any_check(map, NULL), CM_OK);
    cm_any_destroy(map);
}

static inline void nums_init(cm_any *map, const cm_config *config)
{
    struct cm_type type;
    cm_any_type_u64(&type, sizeof(uint64_t));
    assert_int_equal(cm_any_init(map, &type, config), CM_OK);
}

static inline void fill(cm_any *map, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t value = i * 10;
        assert_int_equal(cm_any_put(map, &i, &value, NULL), CM_OK);
    }
}

static inline uint64_t number_of(const cm_any *map, uint64_t key)
{
    uint64_t value = UINT64_MAX;
    (void)cm_any_get(map, &key, &value);
    return value;
}

static inline cm_status spoil(void *value, void *context)
{
    (void)context;
    *(uint64_t *)value = 999999;
    return CM_FULL;
}

#endif
