/* Maps for tests of guards, and a key that is kept. */
#ifndef CONCMAP_TESTS_GUARDED_H
#define CONCMAP_TESTS_GUARDED_H

#include <concmap/sharded.h>
#include <pthread.h>
#include <sched.h>

#include "unit.h"

static inline uint64_t plain_hash(const uint64_t *key, uint64_t seed)
{
    (void)seed;
    return *key;
}

CM_SHARDED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_SHARDED_MAP(plain, uint64_t, uint64_t, plain_hash, cm_equal_u64) /* keys 64 apart share a bucket for long */

#define IN_SECOND(n) cm_deadline_after(UINT64_C(1000000000) * (n))
#define IN_MS(n) cm_deadline_after(UINT64_C(1000000) * (n))

static inline cm_status add_one(uint64_t *value, void *context)
{
    (void)context;
    ++*value;
    return CM_OK;
}

static inline void well(plain *map, size_t entries)
{
    const char *reason = NULL;
    cm_status status = plain_check(map, &reason);
    if (status != CM_OK)
        fail_msg("%s", reason ? reason : cm_status_text(status));
    assert_int_equal(plain_len(map), entries);
}

#define NEAR(i) ((uint64_t)(i)*4096) /* keys of one bucket, while the table has 4096 buckets or fewer */

/* A map whose key 1 the main thread keeps while others come. */
struct kept {
    nums map;
    uint32_t told;
    cm_status status;
    cm_deadline deadline;
};

static inline void kept_init(struct kept *kept)
{
    *kept = (struct kept){.deadline = IN_MS(100)};
    assert_int_equal(nums_init(&kept->map, &(cm_config){.seed = 1}), CM_OK); /* keys 1 and 2 are in two buckets */
    for (uint64_t key = 0; key < 100; key++)
        assert_int_equal(nums_put(&kept->map, key, key, NULL), CM_OK);
}

static inline cm_status touch_all(uint64_t **values, size_t n, void *context)
{
    (void)context;
    for (size_t i = 0; i < n; i++)
        if (values[i])
            ++*values[i];
    return CM_OK;
}

#endif
