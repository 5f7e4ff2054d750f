/* A locked map of ten numbers, for tests: `shelf`. */
#ifndef CONCMAP_TESTS_SHELF_H
#define CONCMAP_TESTS_SHELF_H

#include <concmap/locked.h>
#include <pthread.h>

#include "unit.h"

CM_LOCKED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)

static nums shelf;

static inline void begin(void)
{
    assert_int_equal(nums_init(&shelf, NULL), CM_OK);
    for (uint64_t i = 0; i < 10; i++)
        assert_int_equal(nums_put(&shelf, i, i, NULL), CM_OK);
}

static inline void end(void)
{
    assert_int_equal(nums_check(&shelf, NULL), CM_OK);
    assert_int_equal(shelf.core.waiters.count, 0);
    nums_destroy(&shelf);
}

static inline nums_entry *entry_of(uint64_t key)
{
    nums_entry *entry = NULL;
    assert_int_equal(nums_acquire(&shelf, key, key, &entry), CM_OK);
    return entry;
}

static inline void in_thread(void *(*work)(void *), void *context)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, work, context), 0);
    pthread_join(thread, NULL);
}

static inline cm_status count_up(uint64_t *value, void *context)
{
    (void)context;
    ++*value;
    return CM_OK;
}

/* For walks that report: counts those whose values are shown, and those that are locked. */
static inline cm_status count_seen(const uint64_t *key, const uint64_t *value, void *seen)
{
    (void)key;
    ((size_t *)seen)[value == NULL]++;
    return CM_OK;
}

#endif
