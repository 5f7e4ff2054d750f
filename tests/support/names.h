/* Keys and values that own something, for tests that only count them: a name is given away, or cloned, and then
 * destroyed once. */
#ifndef CONCMAP_TESTS_NAMES_H
#define CONCMAP_TESTS_NAMES_H

#include <concmap/hash.h>
#include <concmap/status.h>

struct name {
    uint64_t number;
    const char *text;
};

static int64_t names_alive;

static inline uint64_t name_hash(const struct name *name, uint64_t seed)
{
    return cm_hash_u64(&name->number, seed);
}

static inline bool name_equal(const struct name *a, const struct name *b)
{
    return a->number == b->number;
}

static inline cm_status name_clone(struct name *to, const struct name *from, void *context)
{
    (void)context;
    *to = *from;
    __atomic_add_fetch(&names_alive, 1, __ATOMIC_RELAXED);
    return CM_OK;
}

/* A map's context may be a function without arguments, which is called. */
static inline void name_destroy(struct name *name, void *context)
{
    void (*called)(void) = (void (*)(void))context;
    name->number = 999999;
    __atomic_sub_fetch(&names_alive, 1, __ATOMIC_RELAXED);
    if (called)
        called();
}

#endif
