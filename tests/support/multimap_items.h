/* A left-right multimap of values that own memory: for tests. */
#ifndef CONCMAP_TESTS_MULTIMAP_ITEMS_H
#define CONCMAP_TESTS_MULTIMAP_ITEMS_H

#include <concmap/leftright_multimap.h>

#include "items.h"

static bool all_collide; /* hashes of items are all the same */

static inline uint64_t item_hash(const struct item *item, uint64_t seed)
{
    return all_collide ? 7 : cm_hash_u64(item->own, seed);
}

static inline bool item_equal(const struct item *a, const struct item *b)
{
    return *a->own == *b->own;
}

CM_LEFTRIGHT_MULTIMAP_OWNED(items, uint64_t, struct item, cm_hash_u64, cm_equal_u64, item_hash, item_equal, CM_PLAIN,
                            CM_OWNED(item_clone, item_destroy))

#endif
