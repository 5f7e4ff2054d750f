/* Adding many entries to a map that nobody else is in yet: no lock is taken. */
#ifndef CONCMAP_DETAIL_FILL_H
#define CONCMAP_DETAIL_FILL_H

#include <concmap/detail/batch.h>

CM_BEGIN_DECLS

/* Adds an entry where its bucket has room and no chain. False: it takes more than that, or the key is there; the
 * ordinary way tells. The caller counts what was added. */
CM_INLINE bool cm_map_fill_(const struct cm_type *type, struct cm_map_ *map, const void *key, uint64_t hash,
                            const void *value)
{
    const struct cm_layout_ layout = cm_layout_of_(type);
    if (layout.nodes || map->limit)
        return false;
    char *head = cm_table_bucket_(cm_load_relaxed_(&map->root), layout, hash); /* relaxed: the thread's own, as below */
    uint64_t state = cm_load_relaxed_(cm_bucket_state_(head));
    unsigned occupied = cm_state_occupied_(state), slot = cm_occupied_count_(occupied); /* (T2) */
    if (CM_UNLIKELY(state & (CM_MOVED_ | CM_CHAINED_)) || CM_UNLIKELY(slot == layout.slots))
        return false;
    for (unsigned mask = cm_bucket_candidates_(type, layout, head, key, hash) & occupied; mask; mask &= mask - 1)
        if (cm_place_holds_(type, layout, head, (unsigned)__builtin_ctz(mask), key))
            return false;
    cm_bucket_set_key_(type, layout, head, slot, key);
    memcpy(cm_bucket_value_(type, layout, head, slot), value, type->value_size);
    cm_bucket_flip_(head, CM_SLOT_BIT_(slot));
    return true;
}

/* Whether entries may be filled in: not while a table is growing, which only the ordinary way moves on. */
CM_INLINE bool cm_map_may_fill_(const struct cm_map_ *map)
{
    return !cm_load_relaxed_(&map->work);
}

/* Counts the entries that were filled in. */
CM_INLINE void cm_map_filled_(struct cm_map_ *map, size_t entries)
{
    struct cm_pin_ pin = cm_pin_enter_of_(map->domain);
    cm_map_count_(map, pin.thread, (int64_t)entries);
    cm_pin_leave_(pin);
}

/* Makes room for so many entries, if there is memory for it; unlike reserve it does not ask the map to keep it. */
CM_INLINE void cm_map_expect_(struct cm_map_ *map, const struct cm_type *type, size_t entries)
{
    uint64_t least = map->least_buckets;
    if (!map->fixed)
        (void)cm_map_reserve_(map, type, map->limit && map->limit < entries ? map->limit : entries);
    map->least_buckets = least;
}

CM_END_DECLS

#endif
