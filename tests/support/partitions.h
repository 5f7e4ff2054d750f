/* A partitioned map of numbers, for tests: `divided`, whose keys 0, 1, ... belong to partitions 0, 1, ... in turn. */
#ifndef CONCMAP_TESTS_PARTITIONS_H
#define CONCMAP_TESTS_PARTITIONS_H

#include <concmap/partitioned.h>
#include <pthread.h>

#include "unit.h"

#define MS 1000000

CM_PARTITIONED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)

static nums divided;

static inline size_t in_turn(const void *key, size_t partitions, void *context)
{
    (void)context;
    return *(const uint64_t *)key % partitions;
}

static inline void begin(cm_partition_config config)
{
    config.owner_of = in_turn;
    assert_int_equal(nums_open(&divided, &config), CM_OK);
}

static inline void end(void)
{
    const char *reason = NULL;
    assert_int_equal(nums_check(&divided, &reason), CM_OK);
    nums_destroy(&divided);
}

static inline void own(size_t partitions)
{
    for (size_t i = 0; i < partitions; i++)
        assert_int_equal(nums_partition_own(&divided, i), CM_OK);
}

static inline void leave(size_t partitions)
{
    for (size_t i = 0; i < partitions; i++)
        assert_int_equal(nums_partition_leave(&divided, i), CM_OK);
}

static inline void in_thread(void *(*work)(void *), void *context)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, work, context), 0);
    pthread_join(thread, NULL);
}

static inline cm_status add_one(uint64_t *value, void *context)
{
    (void)context;
    ++*value;
    return CM_OK;
}

/* For walks: adds the values up. */
static inline cm_status add_up(const uint64_t *key, const uint64_t *value, void *sum)
{
    (void)key;
    *(uint64_t *)sum += *value;
    return CM_OK;
}

#endif
