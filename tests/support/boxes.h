/* Boxes, for tests of keys and values that own memory: how many there are is counted. */
#ifndef CONCMAP_TESTS_BOXES_H
#define CONCMAP_TESTS_BOXES_H

#include <concmap/config.h>
#include <concmap/hash.h>
#include <concmap/status.h>
#include <sched.h>
#include <stdlib.h>

/* Where all boxes come from. */
struct owner {
    size_t live;
    size_t clones;
    size_t fail_at; /* the n-th clone */
};

/* A number in a block of its own. */
struct box {
    uint64_t *number;
};

static struct owner all;

static inline struct box box_of(uint64_t number)
{
    struct box box = {malloc(sizeof number)};
    *box.number = number;
    __atomic_add_fetch(&all.live, 1, __ATOMIC_RELAXED);
    return box;
}

static inline cm_status box_clone(struct box *to, const struct box *from, void *context)
{
    struct owner *owner = context;
    if (__atomic_add_fetch(&owner->clones, 1, __ATOMIC_RELAXED) == owner->fail_at)
        return CM_NOMEM;
    *to = box_of(*from->number);
    return CM_OK;
}

static inline void box_destroy(struct box *box, void *context)
{
    struct owner *owner = context;
    __atomic_sub_fetch(&owner->live, 1, __ATOMIC_RELAXED);
    *box->number = 0xdead;
    free(box->number);
}

static inline uint64_t box_hash(const struct box *box, uint64_t seed)
{
    return cm_hash_u64(box->number, seed);
}

static bool dawdle; /* in the equality, so that others come by */

static inline bool box_equal(const struct box *a, const struct box *b)
{
    if (dawdle && *a->number % 4 == 0)
        sched_yield();
    return *a->number == *b->number;
}

static inline uint64_t poor_hash(const struct box *box, uint64_t seed)
{
    (void)seed;
    return *box->number % 3;
}

static inline uint64_t drop(struct box box)
{
    uint64_t number = *box.number;
    box_destroy(&box, &all);
    return number;
}

static inline cm_config config(void)
{
    all = (struct owner){.live = 0};
    return (cm_config){.context = &all};
}

/* Functions for updates, and conditions. */
static inline cm_status add_ten(struct box *box, void *context)
{
    (void)context;
    *box->number += 10;
    return CM_OK;
}

static inline cm_status make_seven(struct box *box, void *context)
{
    (void)context;
    *box = box_of(7);
    return CM_OK;
}

static inline cm_status refuse(struct box *box, void *context)
{
    (void)box, (void)context;
    return CM_IO;
}

static inline bool always(const struct box *box, void *context)
{
    (void)box, (void)context;
    return true;
}

static inline bool same(const struct box *a, const struct box *b)
{
    return *a->number == *b->number;
}

#endif
