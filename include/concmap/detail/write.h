/* Changing one entry: the verbs that do are one function, cm_map_write_(), told what to do when the key is present and
 * when it is absent, and cm_map_remove_(). */
#ifndef CONCMAP_DETAIL_WRITE_H
#define CONCMAP_DETAIL_WRITE_H

#include <concmap/detail/held.h>

CM_BEGIN_DECLS

enum cm_absent_ { CM_ABSENT_FAIL_, CM_ABSENT_INSERT_, CM_ABSENT_MAKE_ };
enum cm_present_ { CM_PRESENT_KEEP_, CM_PRESENT_REPLACE_, CM_PRESENT_APPLY_ };

/* What a write does, and with what. */
struct cm_write_ {
    enum cm_absent_ absent;
    enum cm_present_ present;
    const void *value;                             /* to insert, or to replace by */
    cm_status (*call)(void *value, void *context); /* makes a value, or changes it */
    void *context;
    void *scratch; /* room for one value: where `call` makes one, or what it was before `call` changed it */
    void *old;     /* takes the value replaced, may be NULL; of anchored maps, here and below, its address */
    void *now;     /* takes the value that the map has afterwards, may be NULL */
    cm_deadline deadline;
};

/* Whether a write may run a function of the user. */
CM_INLINE bool cm_write_calls_(const struct cm_write_ *write)
{
    return write->absent == CM_ABSENT_MAKE_ || write->present == CM_PRESENT_APPLY_;
}

/* Runs a function of the user, while the entry at `place` is listed as kept. Of an anchored map the value is that of
 * `fresh`, a node that is not in the map yet, or, where that is NULL, not to be changed. */
CM_INLINE cm_status cm_kept_call_(const struct cm_type *type, struct cm_map_ *map, struct cm_thread_ *thread,
                                  struct cm_hold_ *hold, char *head, struct cm_place_ place, bool vacant, char *fresh,
                                  cm_status (*function)(void *value, void *context), void *value, void *context)
{
    cm_hold_set_(thread, hold, &map->waiters, cm_bucket_state_(head), place.bucket, place.slot, true);
    hold->admitted = vacant ? cm_map_admitted_(map) : NULL;
    if (type->anchored) {
        hold->intact = true;
        hold->orphans = &map->pool.orphans;
        hold->removed = NULL;
        hold->spare = (struct cm_node_ *)(void *)fresh;
    }
    cm_status status = function(value, context);
    if (type->anchored)
        hold->intact = false;
    cm_hold_drop_(thread, hold);
    return status;
}

/* A free place in a held chain that lacks the key. */
CM_INLINE struct cm_place_ cm_held_extend_(const struct cm_type *type, const struct cm_held_ *held)
{
    if (CM_LIKELY(!held->unusual))
        return cm_chain_extend_(held->table, cm_layout_of_(type), held->tail);
    const struct cm_held_ copy = *held;
    return cm_kept_extend_(type, &copy);
}

/* Gives back what an insert has taken. */
CM_INLINE void cm_held_undo_(const struct cm_type *type, struct cm_map_ *map, const struct cm_held_ *held, char *node,
                             struct cm_place_ place, struct cm_supply_ *supply)
{
    const struct cm_held_ copy = *held;
    struct cm_supply_ changed = *supply;
    cm_held_insert_undo_(type, map, &copy, node, place, &changed);
    *supply = changed;
}

/* Adds the key to a held chain that lacks it. The initialiser runs when nothing else can fail. */
CM_INLINE cm_status cm_held_add_(const struct cm_type *type, struct cm_map_ *map, struct cm_thread_ *thread,
                                 struct cm_hold_ *hold, const struct cm_held_ *held, const void *key, uint64_t hash,
                                 const struct cm_write_ *write, struct cm_supply_ *supply)
{
    char *tail = held->tail;
    const struct cm_layout_ layout = cm_layout_of_(type);
    char *node = NULL;
    if (layout.nodes) {
        node = cm_supply_node_(type, map, key, hash, supply);
        supply->lacking = node == NULL;
        if (CM_UNLIKELY(supply->lacking))
            return CM_NOMEM;
    }
    struct cm_place_ place = cm_held_extend_(type, held);
    supply->lacking = place.bucket == NULL;
    if (CM_UNLIKELY(place.bucket != tail) && cm_load_relaxed_(&held->table->overflowed) > held->table->overflow_limit)
        cm_store_relaxed_(&map->work, 1); /* time to grow; relaxed: a hint */
    if (CM_UNLIKELY(supply->lacking)) {
        cm_held_undo_(type, map, held, node, place, supply);
        return CM_NOMEM;
    }
    if (layout.nodes) {
        cm_bucket_set_slot_(place.bucket, place.slot, cm_hash_tag_(hash) << CM_TAG_SHIFT_ | (uint64_t)(uintptr_t)node);
    } else {
        cm_bucket_set_key_(type, layout, place.bucket, place.slot, key);
    }
    const void *value = write->value;
    if (write->absent == CM_ABSENT_MAKE_) { /* the place is kept, with its key, while the function runs */
        cm_status status = cm_kept_call_(type, map, thread, hold, held->head, place, true, NULL, write->call,
                                         write->scratch, write->context);
        if (CM_UNLIKELY(status < 0)) {
            cm_held_undo_(type, map, held, node, place, supply);
            return status;
        }
        value = write->scratch;
    }
    cm_status copied = cm_value_is_too_heavy_(type, map, node, value) ? CM_FULL : CM_OK;
    if (write->now && copied == CM_OK)
        copied = cm_value_copy_(type, map, write->now, value);
    if ((type->value_clone || type->cached) && CM_UNLIKELY(copied < 0)) {
        supply->dropped = value == write->scratch;
        cm_held_undo_(type, map, held, node, place, supply);
        return copied;
    }
    memcpy(cm_bucket_value_(type, layout, place.bucket, place.slot), value, type->value_size);
    cm_bucket_flip_(place.bucket, CM_SLOT_BIT_(place.slot));
    cm_cached_changed_(type, map, place);
    return CM_OK;
}

/* The same in an anchored map, which makes no value here. */
CM_INLINE cm_status cm_anchored_add_(const struct cm_type *type, struct cm_map_ *map, const struct cm_held_ *held,
                                     const void *key, uint64_t hash, const struct cm_write_ *write,
                                     struct cm_supply_ *supply)
{
    const struct cm_layout_ layout = cm_layout_of_(type);
    char *node = cm_supply_node_(type, map, key, hash, supply);
    supply->lacking = node == NULL;
    if (CM_UNLIKELY(supply->lacking))
        return CM_NOMEM;
    struct cm_place_ place = cm_chain_extend_(held->table, layout, held->head);
    if (CM_UNLIKELY(place.bucket != held->head) &&
        cm_load_relaxed_(&held->table->overflowed) > held->table->overflow_limit)
        cm_store_relaxed_(&map->work, 1); /* as above */
    supply->lacking = place.bucket == NULL;
    if (CM_UNLIKELY(supply->lacking)) {
        supply->prepared = (struct cm_node_ *)(void *)node;
        return CM_NOMEM;
    }
    memcpy(node + layout.node_value, write->value, type->value_size);
    cm_bucket_flip_(place.bucket, CM_SLOT_BIT_(place.slot));
    cm_bucket_set_slot_(place.bucket, place.slot, cm_hash_tag_(hash) << CM_TAG_SHIFT_ | (uint64_t)(uintptr_t)node);
    if (write->now)
        *(void **)write->now = node + layout.node_value;
    return CM_OK;
}

/* The same within the limit. */
CM_INLINE cm_status cm_held_insert_(const struct cm_type *type, struct cm_map_ *map, struct cm_thread_ *thread,
                                    struct cm_hold_ *hold, const struct cm_held_ *held, const void *key, uint64_t hash,
                                    const struct cm_write_ *write, struct cm_supply_ *supply)
{
    if (CM_UNLIKELY(!cm_map_admit_(map))) {
        supply->crowded = supply->lacking = type->cached;
        return CM_FULL;
    }
    cm_status status = type->anchored ? cm_anchored_add_(type, map, held, key, hash, write, supply)
                                      : cm_held_add_(type, map, thread, hold, held, key, hash, write, supply);
    if (CM_UNLIKELY(status < 0))
        cm_map_dismiss_(map, 1);
    return status;
}

/* Of an anchored map: the entry's new value comes in a new node, by one store of its slot; the old one waits. */
CM_INLINE cm_status cm_present_renew_(const struct cm_type *type, struct cm_map_ *map, struct cm_thread_ *thread,
                                      struct cm_hold_ *hold, const struct cm_held_ *held, const void *key,
                                      uint64_t hash, const struct cm_write_ *write, struct cm_supply_ *supply)
{
    const struct cm_layout_ layout = cm_layout_of_(type);
    struct cm_place_ place = held->place;
    char *old = cm_slot_node_(*cm_bucket_slot_(place.bucket, place.slot));
    char *node = cm_supply_node_(type, map, type->foreign ? old + layout.node_key : key, hash, supply);
    supply->lacking = node == NULL;
    if (CM_UNLIKELY(supply->lacking))
        return CM_NOMEM;
    char *value = node + layout.node_value;
    cm_status status = CM_REPLACED;
    if (write->present == CM_PRESENT_APPLY_) {
        status = cm_value_copy_(type, map, value, old + layout.node_value);
        bool copied = !type->value_clone || status >= 0;
        if (copied)
            status = cm_kept_call_(type, map, thread, hold, held->head, place, false, node, write->call, value,
                                   write->context);
        if (CM_UNLIKELY(status < 0 || status == CM_EXISTS)) { /* nothing changes */
            supply->prepared = (struct cm_node_ *)(void *)node;
            supply->dropped = type->value_destroy && copied;
            if (supply->dropped)
                memcpy(write->scratch, value, type->value_size);
            return status;
        }
    } else {
        memcpy(value, write->value, type->value_size);
    }
    cm_bucket_set_slot_(place.bucket, place.slot, cm_hash_tag_(hash) << CM_TAG_SHIFT_ | (uint64_t)(uintptr_t)node);
    supply->discarded = (struct cm_node_ *)(void *)old;
    if (write->old)
        *(void **)write->old = old + layout.node_value;
    if (write->now)
        *(void **)write->now = value;
    return status;
}

CM_INLINE cm_status cm_present_write_(const struct cm_type *type, struct cm_map_ *map, struct cm_thread_ *thread,
                                      struct cm_hold_ *hold, const struct cm_held_ *held, const void *key,
                                      uint64_t hash, const struct cm_write_ *write, struct cm_supply_ *supply)
{
    const struct cm_layout_ layout = cm_layout_of_(type);
    char *value = cm_bucket_value_(type, layout, held->place.bucket, held->place.slot);
    if (type->anchored && write->present != CM_PRESENT_KEEP_)
        return cm_present_renew_(type, map, thread, hold, held, key, hash, write, supply);
    if (type->anchored) {
        if (write->now)
            *(void **)write->now = value;
        return CM_EXISTS;
    }
    if (write->present == CM_PRESENT_REPLACE_ &&
        cm_value_is_too_heavy_(type, map, value - layout.node_value, write->value))
        return CM_FULL;
    if (CM_UNLIKELY(held->unusual && held->died)) {
        if (write->present != CM_PRESENT_REPLACE_)
            return CM_OWNER_DIED;
        const struct cm_held_ copy = *held;
        cm_kept_bury_(&copy);
    }
    if (write->present == CM_PRESENT_REPLACE_) {
        supply->dropped = type->value_destroy && !write->old;
        if (write->old || type->value_destroy)
            memcpy(write->old ? write->old : write->scratch, value, type->value_size);
        memcpy(value, write->value, type->value_size);
        return CM_REPLACED;
    }
    if (write->present == CM_PRESENT_APPLY_) {
        /* A function that fails leaves the entry as it was. It works on the value itself, and the copy is for undoing:
         * the other way round, what it has just stored in pieces would be loaded at once, for which processors wait.
         * What a value owns may be gone by then: such a function has to undo for itself. */
        if (!type->value_destroy)
            memcpy(write->scratch, value, type->value_size);
        cm_status status = cm_kept_call_(type, map, thread, hold, held->head, held->place, false, NULL, write->call,
                                         value, write->context);
        if (!type->value_destroy && CM_UNLIKELY(status < 0))
            memcpy(value, write->scratch, type->value_size);
        return status;
    }
    cm_status copied = write->now ? cm_value_copy_(type, map, write->now, value) : CM_OK;
    return type->value_clone && copied < 0 ? copied : CM_EXISTS;
}

/* What a write came to. */
struct cm_written_ {
    cm_status status;
    bool inserted;
};

/* What an upsert makes of it: whatever the function returned, the key was there. */
CM_INLINE cm_status cm_written_upserted_(struct cm_written_ written)
{
    return written.status < 0 || written.inserted ? written.status : CM_REPLACED;
}

/* Sets a value to `desired` if it was found to be the `same` as *expected, and `old` takes it; otherwise *expected
 * does, where it is plain. Under the bucket's lock. */
CM_INLINE cm_status cm_value_exchange_(const struct cm_type *type, bool same, void *value, void *expected,
                                       const void *desired, void *old)
{
    if (same) {
        memcpy(old, value, type->value_size);
        memcpy(value, desired, type->value_size);
    } else if (!type->value_destroy) {
        memcpy(expected, value, type->value_size);
    }
    return same ? CM_REPLACED : CM_EXISTS;
}

CM_INLINE struct cm_written_ cm_map_write_pinned_(const struct cm_type *type, struct cm_map_ *map, const void *key,
                                                  uint64_t hash, const struct cm_write_ *write,
                                                  struct cm_thread_ *thread, struct cm_supply_ *supply)
{
    const struct cm_layout_ layout = cm_layout_of_(type);
    const bool calls = cm_write_calls_(write);
    for (;;) {
        struct cm_held_ held;
        struct cm_written_ written = {CM_NOMEM, false};
        struct cm_node_ *expired = NULL;
        struct cm_hold_ *hold = calls ? cm_hold_take_(thread) : NULL; /* now: nothing is allocated under the lock */
        if (calls && CM_UNLIKELY(!hold))
            return written;
        written.status = CM_ABSENT;
        int got = cm_map_lock_key_(type, map, key, hash, write->deadline, &held);
        if (CM_UNLIKELY(got != CM_OK)) {
            written.status = (cm_status)got;
            return written;
        }
        if (cm_held_is_expired_(type, map, &held))
            expired = cm_held_expire_(type, map, &held, key, hash);
        const void *own = key; /* of the map's type, and there while the caller is pinned */
        if (held.place.bucket && type->anchored && type->foreign)
            own = cm_slot_node_(*cm_bucket_slot_(held.place.bucket, held.place.slot)) + layout.node_key;
        if (held.place.bucket) {
            written.status = cm_present_write_(type, map, thread, hold, &held, key, hash, write, supply);
        } else if (write->absent != CM_ABSENT_FAIL_) {
            written.status = cm_held_insert_(type, map, thread, hold, &held, key, hash, write, supply);
            written.inserted = written.status == CM_OK;
        }
        if (held.place.bucket && written.status >= 0) {
            cm_cached_changed_(type, map, held.place);
            cm_cached_touch_(type, layout, cm_bucket_value_(type, layout, held.place.bucket, held.place.slot));
        }
        cm_map_unlock_(type, map, thread, &held, calls);
        if (type->cached && expired)
            cm_map_evicted_(map, type, expired, CM_EVICTED_EXPIRED);
        if (CM_LIKELY(!supply->lacking))
            return written;
        supply->lacking = false;
        if (type->cached && supply->crowded) {
            supply->crowded = false;
            if (!cm_map_evict_(map, type))
                return written; /* CM_FULL */
            continue;
        }
        struct cm_supply_ lacked = *supply;
        bool supplied = cm_map_supply_(map, type, held.table, own, hash, &lacked);
        *supply = lacked;
        if (!supplied)
            return written; /* CM_NOMEM */
    }
}

CM_INLINE void cm_map_lend_a_hand_(const struct cm_type *type, struct cm_map_ *map)
{
    if (!type->foreign &&
        CM_UNLIKELY(cm_load_relaxed_(&map->work) != 0)) /* relaxed: a hint, looked at again by the next write */
        cm_map_help_(map, type);
}

/* Whether a value that was given is in the map neither as a new one nor in the place of another, and that is no
 * failure: the key was there, or, where it was to be replaced, was not. */
CM_INLINE bool cm_value_loses_(const struct cm_write_ *write, struct cm_written_ written)
{
    if (written.status < 0 || written.inserted)
        return false;
    return write->present == CM_PRESENT_REPLACE_ ? written.status == CM_ABSENT : write->absent == CM_ABSENT_INSERT_;
}

/* Of owned values: one that was replaced, and one that was given and not taken. */
CM_INLINE void cm_written_values_destroy_(const struct cm_type *type, struct cm_map_ *map,
                                          const struct cm_write_ *write, struct cm_written_ written, bool dropped)
{
    if (dropped)
        cm_value_destroy_(type, map, write->scratch);
    if (cm_value_loses_(write, written))
        cm_value_destroy_(type, map, write->value);
}

/* Gives back what a write has not used, and retires what it has replaced. */
CM_INLINE void cm_supply_settle_(struct cm_map_ *map, const struct cm_thread_ *thread, const struct cm_supply_ *supply)
{
    if (CM_UNLIKELY(supply->prepared)) {
        struct cm_supply_ unused = *supply;
        unused.discarded = NULL;
        cm_supply_end_(map, thread, &unused);
    }
    if (supply->discarded)
        cm_pool_retire_near_(&map->pool, &map->allocator, &map->waiters, supply->cache, thread->index,
                             supply->discarded);
}

/* Finds the key and changes its value, or adds it, as `write` says; one atomic step. Locks one bucket. `prepared` is a
 * node with the key, from the calling thread's cache, or NULL. */
CM_INLINE struct cm_written_ cm_map_write_by_(const struct cm_type *type, struct cm_map_ *map, const void *key,
                                              uint64_t hash, const struct cm_write_ *write, struct cm_node_ *prepared)
{
    struct cm_supply_ supply = {NULL, prepared, NULL, false, false, false};
    if (type->anchored && (write->old || write->now))
        cm_map_give_out_(map);
    struct cm_pin_ pin = cm_map_pin_(type, map);
    struct cm_written_ written = {CM_NOMEM, false};
    const bool takes_nodes = cm_layout_has_nodes_(type) && (type->anchored || write->absent != CM_ABSENT_FAIL_);
    if (takes_nodes)
        supply.cache = cm_pool_cache_of_(&map->pool, &map->allocator, pin.thread->index);
    if (!takes_nodes || CM_LIKELY(supply.cache != NULL))
        written = cm_map_write_pinned_(type, map, key, hash, write, pin.thread, &supply);
    if (CM_LIKELY(written.inserted))
        cm_map_count_(map, pin.thread, 1);
    cm_pin_leave_(pin);
    if (cm_layout_has_nodes_(type))
        cm_supply_settle_(map, pin.thread, &supply);
    if (type->value_destroy)
        cm_written_values_destroy_(type, map, write, written, supply.dropped);
    if (CM_UNLIKELY(cm_map_is_heavy_(type, map)))
        cm_map_trim_(map, type);
    cm_map_lend_a_hand_(type, map);
    return written;
}

CM_INLINE struct cm_written_ cm_map_write_(const struct cm_type *type, struct cm_map_ *map, const void *key,
                                           uint64_t hash, const struct cm_write_ *write)
{
    return cm_map_write_by_(type, map, key, hash, write, NULL);
}

/* Removes the key, if the condition (may be NULL) returns CM_OK; `old` takes its value. Returns what the condition
 * returned. One atomic step. Locks one bucket. */
CM_INLINE cm_status cm_map_remove_(const struct cm_type *type, struct cm_map_ *map, const void *key, uint64_t hash,
                                   cm_status (*condition)(void *value, void *context), void *context, void *old,
                                   cm_deadline deadline)
{
    const struct cm_layout_ layout = cm_layout_of_(type);
    if (type->anchored && old)
        cm_map_give_out_(map);
    struct cm_pin_ pin = cm_map_pin_(type, map);
    struct cm_node_ *node = NULL;
    struct cm_hold_ *hold = condition ? cm_hold_take_(pin.thread) : NULL;
    struct cm_held_ held;
    cm_status status = CM_NOMEM;
    if (!condition || CM_LIKELY(hold != NULL))
        status = (cm_status)cm_map_lock_key_(type, map, key, hash, deadline, &held);
    if (CM_LIKELY(status == CM_OK)) {
        struct cm_node_ *expired = NULL;
        if (cm_held_is_expired_(type, map, &held))
            expired = cm_held_expire_(type, map, &held, key, hash);
        struct cm_place_ place = held.place;
        status = place.bucket ? CM_OK : CM_ABSENT;
        if (condition && place.bucket)
            status = cm_kept_call_(type, map, pin.thread, hold, held.head, place, false, NULL, condition,
                                   cm_bucket_value_(type, layout, place.bucket, place.slot), context);
        if (status == CM_OK) {
            if (old && type->anchored)
                *(void **)old = cm_bucket_value_(type, layout, place.bucket, place.slot);
            else if (old)
                memcpy(old, cm_bucket_value_(type, layout, place.bucket, place.slot), type->value_size);
            if (layout.nodes) {
                node = (struct cm_node_ *)(void *)cm_slot_node_(*cm_bucket_slot_(place.bucket, place.slot));
                cm_cached_removed_(type, map, (const char *)node);
            }
            bool gaps = !type->anchored && (held.unusual || (condition && cm_kept_any_(held.head)));
            if (CM_UNLIKELY(gaps)) {
                const struct cm_held_ copy = held;
                cm_kept_remove_(type, &copy);
            } else {
                cm_chain_remove_(type, layout, held.table, held.head, place);
            }
            cm_map_dismiss_(map, 1);
        }
        cm_map_unlock_(type, map, pin.thread, &held, condition != NULL);
        if (type->cached && expired)
            cm_map_evicted_(map, type, expired, CM_EVICTED_EXPIRED);
    }
    if (status == CM_OK)
        cm_map_count_(map, pin.thread, -1);
    cm_pin_leave_(pin);
    if (node) {
        if (!old && !type->anchored)
            cm_value_destroy_(type, map, (char *)node + layout.node_value);
        cm_pool_retire_near_(&map->pool, &map->allocator, &map->waiters,
                             cm_pool_cache_of_(&map->pool, &map->allocator, pin.thread->index), pin.thread->index,
                             node);
    }
    cm_map_lend_a_hand_(type, map);
    return status;
}

CM_END_DECLS

#endif
