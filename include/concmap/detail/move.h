/* Moving buckets to the next table, a larger or a smaller one. Instantiated for each type, because it is the cost of
 * growing.
 *
 * While a table shrinks the buckets that become one move together, all of them locked: else two movers with one half
 * each would wait for the other's. */
#ifndef CONCMAP_DETAIL_MOVE_H
#define CONCMAP_DETAIL_MOVE_H

#include <concmap/detail/map.h>

CM_BEGIN_DECLS

#define CM_MOVE_AHEAD_ 8 /* buckets of nodes that are fetched before they move */

enum cm_moved_ { CM_MOVED_NOW_, CM_MOVED_BEFORE_, CM_MOVED_HELD_, CM_MOVED_NOMEM_ };

/* Remembers a bucket that could not be moved now: it was held, or lacked overflow buckets. Then the next mover sees to
 * it that as many are there as its chain is long: no move needs more, and `lacking` says how many; 0: it was held. */
CM_API CM_COLD void cm_table_straggler_(struct cm_table_ *table, uint64_t index, uint64_t lacking);

/* Marks the targets of a unit as its locked sources are. False: it may not move, for some are copied and others not. */
CM_API CM_COLD bool cm_marks_carry_(struct cm_layout_ layout, struct cm_map_ *map, struct cm_table_ *from,
                                    struct cm_table_ *to, uint64_t unit);

/* The hash of an entry, and its node where there are nodes: they remember the low bits, the tag has the high ones. */
CM_INLINE uint64_t cm_place_hash_(const struct cm_type *type, const struct cm_layout_ layout, const struct cm_map_ *map,
                                  char *bucket, unsigned slot)
{
    if (layout.nodes) {
        uint64_t word = *cm_bucket_slot_(bucket, slot);
        const struct cm_node_ *node = (const struct cm_node_ *)(void *)cm_slot_node_(word);
        return (word & ~CM_ADDRESS_MASK_) | (node->header & CM_ADDRESS_MASK_);
    }
    return type->hash(cm_bucket_key_(type, layout, bucket, slot), map->seed);
}

/* Copies an entry to the end of a chain that nobody else can reach yet. False: an overflow chunk must be supplied. */
CM_INLINE bool cm_entry_append_(const struct cm_type *type, const struct cm_layout_ layout, struct cm_table_ *to,
                                char *head, char *bucket, unsigned slot)
{
    char *tail = head;
    while (CM_UNLIKELY(cm_load_relaxed_(cm_bucket_state_(tail)) & CM_CHAINED_))
        tail = *cm_bucket_link_(tail, layout);
    struct cm_place_ place = cm_chain_extend_(to, layout, tail);
    if (CM_UNLIKELY(!place.bucket))
        return false;
    if (layout.nodes) {
        cm_bucket_set_slot_(place.bucket, place.slot, *cm_bucket_slot_(bucket, slot));
    } else {
        cm_bucket_set_key_(type, layout, place.bucket, place.slot, cm_bucket_key_(type, layout, bucket, slot));
        memcpy(cm_bucket_value_(type, layout, place.bucket, place.slot), cm_bucket_value_(type, layout, bucket, slot),
               type->value_size);
    }
    cm_bucket_flip_(place.bucket, CM_SLOT_BIT_(place.slot));
    return true;
}

/* Of buckets with nodes; those of anchored maps must have none where they are not occupied. */
CM_INLINE void cm_slots_zero_(const struct cm_layout_ layout, char *bucket)
{
    for (unsigned slot = 0; layout.nodes && slot < layout.slots; slot++)
        cm_bucket_set_slot_(bucket, slot, 0);
}

/* Gives back what a failed move has put into its targets. */
static CM_COLD __attribute__((unused)) void cm_targets_undo_(struct cm_layout_ layout, struct cm_table_ *to,
                                                             uint64_t unit, uint64_t units)
{
    for (uint64_t target = unit; target <= to->mask; target += units) {
        char *bucket = cm_table_bucket_(to, layout, target);
        bool chained = cm_load_relaxed_(cm_bucket_state_(bucket)) & CM_CHAINED_;
        cm_store_relaxed_(cm_bucket_state_(bucket), 0);
        cm_slots_zero_(layout, bucket);
        char *overflow = chained ? *cm_bucket_link_(bucket, layout) : NULL;
        while (overflow) {
            chained = cm_load_relaxed_(cm_bucket_state_(overflow)) & CM_CHAINED_;
            char *next = chained ? *cm_bucket_link_(overflow, layout) : NULL;
            cm_slots_zero_(layout, overflow);
            cm_overflow_give_(to, layout.bucket, overflow);
            overflow = next;
        }
    }
}

/* The buckets of a chain. */
static CM_COLD __attribute__((unused)) uint64_t cm_chain_length_(struct cm_layout_ layout, char *bucket)
{
    uint64_t length = 1;
    for (; cm_load_relaxed_(cm_bucket_state_(bucket)) & CM_CHAINED_; length++)
        bucket = *cm_bucket_link_(bucket, layout);
    return length;
}

CM_INLINE bool cm_chain_copy_(const struct cm_type *type, const struct cm_layout_ layout, const struct cm_map_ *map,
                              char *head, struct cm_table_ *to)
{
    for (char *bucket = head;;) {
        uint64_t state = cm_load_relaxed_(cm_bucket_state_(bucket));
        for (unsigned mask = cm_state_occupied_(state); mask; mask &= mask - 1) {
            unsigned slot = (unsigned)__builtin_ctz(mask);
            uint64_t hash = cm_place_hash_(type, layout, map, bucket, slot);
            if (!cm_entry_append_(type, layout, to, cm_table_bucket_(to, layout, hash), bucket, slot))
                return false;
        }
        if (CM_LIKELY(!(state & CM_CHAINED_)))
            return true;
        bucket = *cm_bucket_link_(bucket, layout);
    }
}

/* How many buckets of `from` can be moved for themselves: all of them while it grows; while it shrinks, as many as the
 * next table has, for then b, b + n, ... become its bucket b. */
CM_INLINE uint64_t cm_table_units_(const struct cm_table_ *from, const struct cm_table_ *to)
{
    return (from->mask < to->mask ? from->mask : to->mask) + 1;
}

/* Unlocks the sources of a unit before `end`; with MOVED the first one comes first, so that it tells of the others. */
CM_INLINE void cm_sources_unlock_(const struct cm_layout_ layout, struct cm_map_ *map, struct cm_table_ *from,
                                  uint64_t unit, uint64_t units, uint64_t end, uint64_t moved)
{
    for (uint64_t index = unit; index < end; index += units) {
        uint64_t *cell = cm_bucket_state_(cm_table_bucket_(from, layout, index));
        /* Publishes the targets, to whoever sees MOVED. */
        cm_cell_unlock_(cell, cm_load_relaxed_(cell) | moved, &map->waiters);
    }
}

/* Whether a source may be locked: (T3). */
CM_INLINE bool cm_source_is_filled_(const struct cm_layout_ layout, const struct cm_table_ *before, uint64_t index)
{
    /* Acquire: what the move before wrote into this bucket. */
    return !before || (cm_load_acquire_(cm_bucket_state_(cm_table_bucket_(before, layout, index))) & CM_MOVED_);
}

/* Whether a source of the unit cannot be had now: so that nobody locks the others in vain, again and again. */
CM_INLINE bool cm_sources_are_held_(const struct cm_layout_ layout, const struct cm_table_ *from,
                                    const struct cm_table_ *before, uint64_t unit, uint64_t units)
{
    for (uint64_t index = unit; index <= from->mask; index += units)
        if (!cm_source_is_filled_(layout, before, index) ||
            (cm_load_relaxed_(cm_bucket_state_(cm_table_bucket_(from, layout, index))) & CM_MOVE_BARS_))
            return true;
    return false;
}

/* Locks the sources of a unit by trying. */
CM_INLINE bool cm_sources_lock_(const struct cm_type *type, struct cm_map_ *map, struct cm_table_ *from,
                                const struct cm_table_ *before, uint64_t unit, uint64_t units)
{
    const struct cm_layout_ layout = cm_layout_of_(type);
    if (units <= from->mask && cm_sources_are_held_(layout, from, before, unit, units))
        return false;
    for (uint64_t index = unit; index <= from->mask; index += units) {
        char *head = cm_table_bucket_(from, layout, index);
        if (!cm_source_is_filled_(layout, before, index) || !cm_cell_try_lock_(cm_bucket_state_(head), CM_MOVE_BARS_)) {
            cm_sources_unlock_(layout, map, from, unit, units, index, 0);
            return false;
        }
        if (CM_UNLIKELY(cm_load_relaxed_(cm_bucket_state_(head)) & CM_UNTIDY_))
            cm_chain_tidy_(type, from, head);
    }
    return true;
}

/* Moves one unit to the next table. Never waits: where a bucket is held it is left for later. */
CM_INLINE enum cm_moved_ cm_unit_move_(const struct cm_type *type, struct cm_map_ *map, struct cm_table_ *from,
                                       struct cm_table_ *to, const struct cm_table_ *before, uint64_t unit,
                                       uint64_t *lacking)
{
    const struct cm_layout_ layout = cm_layout_of_(type);
    const uint64_t units = cm_table_units_(from, to);
    if (cm_load_relaxed_(cm_bucket_state_(cm_table_bucket_(from, layout, unit))) & CM_MOVED_)
        return CM_MOVED_BEFORE_;
    if (!cm_sources_lock_(type, map, from, before, unit, units))
        return CM_MOVED_HELD_;
    bool copied = true;
    if (CM_UNLIKELY(cm_load_relaxed_(&map->marks.phase) != CM_MARKS_NONE_) &&
        !cm_marks_carry_(layout, map, from, to, unit)) {
        cm_sources_unlock_(layout, map, from, unit, units, from->mask + 1, 0);
        return CM_MOVED_HELD_;
    }
    for (uint64_t index = unit; copied && index <= from->mask; index += units)
        copied = cm_chain_copy_(type, layout, map, cm_table_bucket_(from, layout, index), to);
    if (CM_UNLIKELY(!copied)) {
        cm_targets_undo_(layout, to, unit, units);
        *lacking = 0;
        for (uint64_t index = unit; index <= from->mask; index += units)
            *lacking += cm_chain_length_(layout, cm_table_bucket_(from, layout, index));
    }
    cm_sources_unlock_(layout, map, from, unit, units, from->mask + 1, copied ? CM_MOVED_ : 0);
    return copied ? CM_MOVED_NOW_ : CM_MOVED_NOMEM_;
}

/* Asks for the nodes of a bucket, whose headers its move will read: they lie all over the memory. What is read here may
 * be changing, which does not matter. */
CM_INLINE void cm_move_fetch_(const struct cm_layout_ layout, struct cm_table_ *from, uint64_t index)
{
    char *bucket = cm_table_bucket_(from, layout, index);
    for (unsigned slot = 0; slot < layout.slots; slot++) {
        const char *node = cm_slot_node_(cm_load_relaxed_(cm_bucket_slot_(bucket, slot)));
        __builtin_prefetch(node ? node : bucket); /* of what is not mapped it would be a walk of pages */
    }
}

/* Moves the units of a range; returns how many buckets this call has moved. */
CM_INLINE uint64_t cm_buckets_move_(const struct cm_type *type, struct cm_map_ *map, struct cm_table_ *from,
                                    const struct cm_table_ *before, uint64_t begin, uint64_t end)
{
    struct cm_table_ *to = cm_load_acquire_(&from->next);
    uint64_t moved = 0, lacking = 0;
    const struct cm_layout_ layout = cm_layout_of_(type);
    uint64_t fetched = layout.nodes ? begin : end;
    for (uint64_t unit = begin; unit < end; unit++) {
        for (; fetched < end && fetched <= unit + CM_MOVE_AHEAD_; fetched++)
            cm_move_fetch_(layout, from, fetched);
        enum cm_moved_ result = cm_unit_move_(type, map, from, to, before, unit, &lacking);
        moved += result == CM_MOVED_NOW_;
        if (CM_UNLIKELY(result == CM_MOVED_HELD_))
            cm_table_straggler_(from, unit, 0);
        else if (CM_UNLIKELY(result == CM_MOVED_NOMEM_))
            cm_table_straggler_(from, unit, lacking);
    }
    return moved * ((from->mask + 1) / cm_table_units_(from, to));
}

CM_END_DECLS

#endif
