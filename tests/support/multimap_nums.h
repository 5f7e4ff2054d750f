/* A left-right multimap of numbers, its writer and a reader: for tests. Included behind all other headers, because of
 * the plain names that it takes. */
#ifndef CONCMAP_TESTS_MULTIMAP_NUMS_H
#define CONCMAP_TESTS_MULTIMAP_NUMS_H

#include <concmap/leftright_multimap.h>

#include "unit.h"

CM_LEFTRIGHT_MULTIMAP(nums, uint64_t, uint32_t, cm_hash_u64, cm_equal_u64, cm_hash_u32, cm_equal_u32)

static nums map;
static nums_writer writer;
static nums_reader reader;

static inline void begin(void)
{
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    assert_int_equal(nums_writer_open(&map, &writer), CM_OK);
    assert_int_equal(nums_reader_open(&map, &reader), CM_OK);
}

static inline void end(void)
{
    const char *reason = NULL;
    assert_int_equal(nums_publish(&writer), CM_OK);
    assert_int_equal(nums_begin(&writer), CM_OK);
    assert_int_equal(nums_check(&map, &reason), CM_OK);
    nums_destroy(&map);
}

#endif
