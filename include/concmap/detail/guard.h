/* Guards: an entry whose bucket stays locked while code of the user looks at it.
 *
 * Shape. A write guard is the bucket's WRITER kept, a read guard one of its shares; each is listed among its thread's
 * holds (hold.h). Several guards of one thread may have one bucket: it is given back with the last exclusive one, and
 * shares count one by one. A guard needs no pin: a bucket that is held does not move, so its table stays.
 *
 * Entries. A write guard may be vacant. Then its place is a free slot, where its key is written already, but which is
 * not occupied; in node form the slot leads to a node that waits for its value. So inserting cannot fail.
 *
 * Kept places. What a thread does under its own guard to other keys of the bucket moves no entry: removing leaves a gap
 * and sets UNTIDY, adding passes by the slots that are kept. Who leaves the bucket last, or takes it next, closes the
 * gaps (cm_chain_tidy_).
 *
 * The dead. A thread that ends with write guards gives the buckets back, marked DIED; its holds stay in its record
 * until somebody has taken their entries. Such a bucket does not move meanwhile.
 *
 * Invariants. (G1) The hold names the place of its guard; no two exclusive ones name the same. (G2) A slot that is kept
 * and vacant is not occupied, and holds its key. (G3) Where UNTIDY is not set, T2 holds. */
#ifndef CONCMAP_DETAIL_GUARD_H
#define CONCMAP_DETAIL_GUARD_H

#include <concmap/detail/map.h>

CM_BEGIN_DECLS

struct cm_guard_ {
    struct cm_map_ *map;
    struct cm_thread_ *thread; /* NULL: it is not held, or detached */
    struct cm_hold_ *hold;
    struct cm_table_ *table;
    char *head;
    struct cm_place_ place;
    struct cm_node_ *spare;   /* of a vacant entry in node form */
    struct cm_node_ *removed; /* by the header; they wait until the bucket is given back */
    uint64_t hash;
    bool present;
    bool detached;
};

/* Makes a held, absent key a vacant entry. CM_NOMEM: `supply` says what is lacking. */
CM_API CM_COLD cm_status cm_guard_reserve_(const struct cm_type *type, struct cm_map_ *map, struct cm_guard_ *guard,
                                           struct cm_held_ *held, const void *key, struct cm_supply_ *supply);
/* Gives the bucket back where more is to be done than to unlock it. */
CM_API CM_COLD void cm_guard_leave_slow_(const struct cm_type *type, struct cm_guard_ *guard);
/* Shares a bucket that was found taken. */
CM_API CM_COLD cm_status cm_guard_share_slow_(const struct cm_type *type, struct cm_map_ *map, struct cm_held_ *held,
                                              const void *key, uint64_t hash, cm_deadline deadline);
CM_API CM_COLD void cm_guard_unshare_(struct cm_guard_ *guard);
CM_API CM_COLD bool cm_guard_insert_(const struct cm_type *type, struct cm_guard_ *guard, const void *key,
                                     const void *value);
CM_API CM_COLD void cm_guard_remove_(const struct cm_type *type, struct cm_guard_ *guard, void *old);
CM_API CM_COLD cm_status cm_guard_downgrade_(const struct cm_type *type, struct cm_guard_ *guard);
CM_API CM_COLD cm_status cm_guard_upgrade_(struct cm_guard_ *guard);
CM_API CM_COLD cm_status cm_guard_clone_(const struct cm_guard_ *guard, struct cm_guard_ *clone);
CM_API CM_COLD cm_status cm_guard_detach_(struct cm_guard_ *guard);
CM_API CM_COLD cm_status cm_guard_attach_(struct cm_guard_ *guard, bool exclusive);

/* The order in which several keys are locked: that of their hashes, reversed, which is the same in all tables. */
CM_API void cm_keys_order_(const uint64_t *hashes, size_t n, unsigned *order);
/* Waits a little before several keys are tried again. */
CM_API CM_COLD void cm_keys_pause_(unsigned tries);

/* Whether the calling thread may use the guard. */
CM_INLINE bool cm_guard_is_own_(const struct cm_guard_ *guard)
{
    return CM_LIKELY(guard->thread != NULL && guard->thread == cm_thread_self_);
}

CM_INLINE char *cm_guard_value_(const struct cm_type *type, const struct cm_guard_ *guard)
{
    return cm_bucket_value_(type, cm_layout_of_(type), guard->place.bucket, guard->place.slot);
}

/* A guard that holds nothing yet; its hold is NULL if there is no memory for one. */
CM_INLINE void cm_guard_init_(struct cm_guard_ *guard, struct cm_map_ *map, struct cm_thread_ *thread, uint64_t hash)
{
    guard->map = map;
    guard->thread = NULL;
    guard->hold = cm_hold_take_(thread);
    guard->place.bucket = NULL;
    guard->place.slot = 0;
    guard->spare = guard->removed = NULL;
    guard->hash = hash;
    guard->detached = false;
}

/* The bucket is held: the guard is the thread's. */
CM_INLINE void cm_guard_begin_(struct cm_guard_ *guard, struct cm_thread_ *thread, const struct cm_held_ *held,
                               bool exclusive)
{
    guard->thread = thread;
    guard->table = held->table;
    guard->head = held->head;
    guard->present = held->place.bucket != NULL;
    if (guard->present)
        guard->place = held->place;
    cm_hold_set_(guard->hold, &guard->map->waiters, cm_bucket_state_(held->head), guard->place.bucket,
                 guard->place.slot, exclusive);
}

/* Locks the key's bucket for a guard: CM_OK, CM_OWNER_DIED (it is held, too), CM_ABSENT unless a vacant one is
 * wanted, CM_NOMEM, or why the wait was given up. */
CM_INLINE cm_status cm_guard_write_pinned_(const struct cm_type *type, struct cm_map_ *map, struct cm_thread_ *thread,
                                           struct cm_guard_ *guard, const void *key, uint64_t hash, bool vacant,
                                           cm_deadline deadline, struct cm_supply_ *supply)
{
    for (;;) {
        struct cm_held_ held;
        cm_status status = (cm_status)cm_map_lock_(type, map, key, hash, deadline, &held);
        if (CM_UNLIKELY(status != CM_OK))
            return status;
        if (!held.place.bucket)
            status = vacant ? cm_guard_reserve_(type, map, guard, &held, key, supply) : CM_ABSENT;
        if (CM_LIKELY(status == CM_OK)) {
            cm_guard_begin_(guard, thread, &held, true);
            if (CM_UNLIKELY(held.unusual && held.died)) {
                cm_kept_bury_(&held);
                status = CM_OWNER_DIED;
            }
            return status;
        }
        cm_map_unlock_(map, &held);
        if (CM_LIKELY(!supply->lacking) ||
            !cm_map_supply_(map, type, held.table, supply->cache, cm_key_text_size_(type, key), &supply->text))
            return status;
        supply->lacking = false;
    }
}

CM_INLINE cm_status cm_guard_write_(const struct cm_type *type, struct cm_map_ *map, struct cm_guard_ *guard,
                                    const void *key, uint64_t hash, bool vacant, cm_deadline deadline)
{
    struct cm_pin_ pin = cm_pin_enter_();
    struct cm_supply_ supply = {NULL, NULL, false};
    cm_status status = CM_NOMEM;
    cm_guard_init_(guard, map, pin.thread, hash);
    if (CM_LIKELY(guard->hold != NULL)) {
        status = cm_guard_write_pinned_(type, map, pin.thread, guard, key, hash, vacant, deadline, &supply);
        if (CM_UNLIKELY(!guard->thread))
            cm_hold_drop_(pin.thread, guard->hold);
    }
    cm_pin_leave_(pin);
    if (type->key_text && CM_UNLIKELY(supply.text != NULL))
        cm_pool_return_text_(&map->pool, &map->allocator, supply.text, cm_key_text_size_(type, key));
    return status;
}

/* Gives the bucket of a write guard back. */
CM_INLINE void cm_guard_leave_(const struct cm_type *type, struct cm_guard_ *guard)
{
    uint64_t *cell = cm_bucket_state_(guard->head);
    struct cm_map_ *map = guard->map;
    cm_hold_drop_(guard->thread, guard->hold); /* (H1) */
    if (CM_UNLIKELY(guard->spare || guard->removed || cm_hold_any_(guard->thread) ||
                    (cm_load_relaxed_(cell) & CM_UNUSUAL_)))
        cm_guard_leave_slow_(type, guard);
    else
        cm_cell_unlock_(cell, cm_load_relaxed_(cell), &map->waiters);
    guard->thread = NULL;
    cm_map_lend_a_hand_(type, map);
}

/* Shares the bucket and finds the key: CM_OK, or CM_ABSENT, then it is not held; CM_OWNER_DIED, CM_GOT_MOVED_, or why
 * the wait was given up. */
CM_INLINE int cm_guard_share_(const struct cm_type *type, struct cm_map_ *map, struct cm_held_ *held, const void *key,
                              uint64_t hash, cm_deadline deadline)
{
    const struct cm_layout_ layout = cm_layout_of_(type);
    uint64_t *cell = cm_bucket_state_(held->head);
    uint64_t state = cm_load_acquire_(cell);
    if (state & CM_MOVED_)
        return CM_GOT_MOVED_;
    bool full = (state & CM_READERS_) == CM_READERS_;
    /* Acquire: pairs with the release of the last writer. */
    if (CM_UNLIKELY((state & (CM_WRITER_ | CM_PENDING_ | CM_DIED_)) || full ||
                    !cm_swap_if_acquire_(cell, &state, state + CM_READER_ONE_)))
        return cm_guard_share_slow_(type, map, held, key, hash, deadline);
    held->place = cm_chain_find_(type, layout, held->head, key, hash, &held->tail);
    if (CM_LIKELY(held->place.bucket != NULL))
        return CM_OK;
    cm_cell_unshare_(cell, &map->waiters);
    return CM_ABSENT;
}

CM_INLINE cm_status cm_guard_read_(const struct cm_type *type, struct cm_map_ *map, struct cm_guard_ *guard,
                                   const void *key, uint64_t hash, cm_deadline deadline)
{
    const struct cm_layout_ layout = cm_layout_of_(type);
    struct cm_pin_ pin = cm_pin_enter_();
    struct cm_held_ held;
    int got = CM_NOMEM;
    cm_guard_init_(guard, map, pin.thread, hash);
    held.table = cm_load_acquire_(&map->root); /* as in cm_map_glance_() */
    if (CM_LIKELY(guard->hold != NULL)) {
        for (; held.table; held.table = cm_load_acquire_(&held.table->next)) {
            held.head = cm_table_bucket_(held.table, layout, hash);
            got = cm_guard_share_(type, map, &held, key, hash, deadline);
            if (CM_LIKELY(got != CM_GOT_MOVED_))
                break;
        }
        got = held.table ? got : CM_ABSENT;
        if (CM_LIKELY(got == CM_OK || got == CM_OWNER_DIED))
            cm_guard_begin_(guard, pin.thread, &held, false);
        else
            cm_hold_drop_(pin.thread, guard->hold);
    }
    cm_pin_leave_(pin);
    return (cm_status)got;
}

CM_END_DECLS

#endif
