/* What a cache knows of an entry besides: whether it was used since the clock's hand came by, and its weight. For types
 * that are no caches all of this folds to nothing.
 *
 * Eviction is CLOCK by buckets (Corbato 1968): the hand is a point in the space of reversed hashes, as an iteration's
 * cursor is, so that it outlives growth. In the bucket under the hand the first entry that was not used goes; where all
 * were, they are marked as unused, and the hand moves on. Buckets that are held are passed by. */
#ifndef CONCMAP_DETAIL_CACHED_H
#define CONCMAP_DETAIL_CACHED_H

#include <concmap/detail/layout.h>
#include <concmap/detail/match.h>

/* Between the header and the key of a cache's node. */
struct cm_cached_ {
    uint64_t weight; /* as it is counted in the map's; under the bucket's lock */
    uint64_t used;   /* 1: looked at since the hand was here; a hint */
};

CM_INLINE struct cm_cached_ *cm_cached_of_(const char *node)
{
    return (struct cm_cached_ *)(uintptr_t)(node + 8);
}

/* Notes that the entry whose value lies at `value` was used. The node may have been removed meanwhile, or be another
 * entry's by now: then that one is spared once. */
CM_INLINE void cm_cached_touch_(const struct cm_type *type, const struct cm_layout_ layout, const char *value)
{
    if (!type->cached)
        return;
    uint64_t *used = &cm_cached_of_(value - layout.node_value)->used;
    if (!cm_load_relaxed_(used)) /* so that a busy entry's line is not written again and again */
        cm_store_relaxed_(used, 1);
}

/* A node that is new. */
CM_INLINE void cm_cached_begin_(const struct cm_type *type, char *node)
{
    if (!type->cached)
        return;
    cm_cached_of_(node)->weight = 0;
    cm_store_relaxed_(&cm_cached_of_(node)->used, 0);
}

#endif
