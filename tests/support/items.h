/* A value that owns memory, and is counted: it is destroyed once, and what looks at it later is seen. */
#ifndef CONCMAP_TESTS_ITEMS_H
#define CONCMAP_TESTS_ITEMS_H

#include <concmap/status.h>
#include <stdint.h>
#include <stdlib.h>

struct item {
    uint64_t *own;
};

static long alive;

static inline struct item item_of(uint64_t number)
{
    struct item made = {malloc(sizeof(uint64_t))};
    *made.own = number;
    __atomic_add_fetch(&alive, 1, __ATOMIC_RELAXED);
    return made;
}

static inline cm_status item_clone(struct item *to, const struct item *from, void *context)
{
    (void)context;
    *to = item_of(*from->own);
    return CM_OK;
}

static inline void item_destroy(struct item *item, void *context)
{
    (void)context;
    *item->own = UINT64_MAX;
    free(item->own);
    __atomic_sub_fetch(&alive, 1, __ATOMIC_RELAXED);
}

#endif
