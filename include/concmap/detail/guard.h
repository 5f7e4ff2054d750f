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
 * until somebody has taken their entries. Nodes that only its guards knew of wait until the map is destroyed. Such a
 * bucket does not move meanwhile.
 *
 * Invariants. (G1) The hold names the place of its guard; no two exclusive ones name the same. (G2) A slot that is kept
 * and vacant is not occupied, and holds its key. (G3) Where UNTIDY is not set, T2 holds. */
#ifndef CONCMAP_DETAIL_GUARD_H
#define CONCMAP_DETAIL_GUARD_H

#include <concmap/detail/write.h>

CM_BEGIN_DECLS

/* A read guard, and the part of a write guard that both have. Its place and its map are in its hold. */
struct cm_guard_ {
    struct cm_thread_ *thread; /* NULL: it is not held; CM_DETACHED_ */
    struct cm_hold_ *hold;
    struct cm_table_ *table;
    char *head;
    struct cm_hold_ detached; /* a copy of its hold, while no thread has it */
};

#define CM_DETACHED_ ((struct cm_thread_ *)(uintptr_t)1)

/* A write guard; it may be vacant. */
struct cm_entry_ {
    struct cm_guard_ guard;
    struct cm_node_ *spare;   /* of a vacant entry in node form */
    struct cm_node_ *removed; /* by the header; they wait until the bucket is given back */
    uint64_t hash;
    bool present;
    bool admitted; /* it is vacant, and has room within the map's limit */
};

/* Shares a bucket that was found taken. */
CM_API CM_COLD int cm_guard_share_slow_(const struct cm_type *type, struct cm_map_ *map, struct cm_held_ *held,
                                        const void *key, uint64_t hash, cm_deadline deadline);
CM_API CM_COLD cm_status cm_guard_clone_(const struct cm_guard_ *guard, struct cm_guard_ *clone);
CM_API CM_COLD cm_status cm_guard_detach_(struct cm_guard_ *guard);
CM_API CM_COLD cm_status cm_guard_attach_(struct cm_guard_ *guard, bool exclusive);
/* Read guards made of write guards, and the other way round. */
CM_API CM_COLD cm_status cm_guard_downgrade_(const struct cm_type *type, struct cm_entry_ *entry);
CM_API CM_COLD cm_status cm_guard_upgrade_(const struct cm_type *type, const struct cm_guard_ *guard,
                                           struct cm_entry_ *entry, uint64_t hash);

/* What a write guard is locked for. */
enum cm_purpose_ {
    CM_FOR_VALUE_, /* CM_ABSENT where there is none */
    CM_FOR_ENTRY_, /* it may be vacant */
    CM_FOR_KEYS_   /* an entry among others: that its owner died is for somebody else to deal with; it is not filled */
};

/* Makes a held, absent key a vacant entry. CM_FULL; CM_NOMEM: `supply` says what is lacking. */
CM_API CM_COLD cm_status cm_entry_reserve_(const struct cm_type *type, struct cm_map_ *map, struct cm_entry_ *entry,
                                           struct cm_held_ *held, const void *key, enum cm_purpose_ purpose,
                                           struct cm_supply_ *supply);
CM_API CM_COLD bool cm_entry_insert_(const struct cm_type *type, struct cm_entry_ *entry, const void *key,
                                     const void *value);
CM_API CM_COLD void cm_entry_remove_(const struct cm_type *type, struct cm_entry_ *entry, void *old);
/* Gives the bucket back where more is to be done than to unlock it. */
CM_API CM_COLD void cm_entry_leave_slow_(const struct cm_type *type, struct cm_map_ *map, struct cm_entry_ *entry,
                                         char *head);

#define CM_KEYS_MOST_ 8

/* Several keys that are locked together. */
struct cm_keys_ {
    const void *keys[CM_KEYS_MOST_];
    uint64_t hashes[CM_KEYS_MOST_];
    unsigned order[CM_KEYS_MOST_];
    struct cm_entry_ entries[CM_KEYS_MOST_];
};

/* The order in which several keys are locked: that of their hashes, reversed, which is the same in all tables. */
CM_API void cm_keys_order_(const uint64_t *hashes, size_t n, unsigned *order);
/* Whether the thread holds nothing else. Then a circle that it meets is not told: it begins again. */
CM_API CM_COLD bool cm_keys_begin_(void);
CM_API CM_COLD void cm_keys_end_(void);
/* A snapshot has all of what was done to several keys, or nothing: called before the first of them is unlocked. */
CM_API CM_COLD void cm_marks_decide_(struct cm_map_ *map, char *const *heads, size_t n);
CM_INLINE void cm_keys_decide_(struct cm_map_ *map, char *const *heads, size_t n)
{
    if (CM_UNLIKELY(cm_load_relaxed_(&map->waiters.count) != 0)) /* relaxed: as in cm_cell_unlock_() */
        cm_marks_decide_(map, heads, n);
}
/* Waits a little before several keys are tried again. */
CM_API CM_COLD void cm_keys_pause_(unsigned tries);

/* Whether the calling thread may use the guard. */
CM_INLINE bool cm_guard_is_own_(const struct cm_guard_ *guard)
{
    /* The second: it is no copy of one that was given back, nor one of a thread that ended, whose record this is now.
     */
    return CM_LIKELY(guard->thread != NULL && guard->thread == cm_thread_self_) &&
           CM_LIKELY(guard->hold->cell == (const uint64_t *)(const void *)guard->head);
}

CM_INLINE struct cm_map_ *cm_guard_map_(const struct cm_guard_ *guard)
{
    return (struct cm_map_ *)(void *)((char *)guard->hold->waiters - offsetof(struct cm_map_, waiters));
}

CM_INLINE char *cm_guard_value_(const struct cm_type *type, const struct cm_guard_ *guard)
{
    return cm_bucket_value_(type, cm_layout_of_(type), guard->hold->bucket, guard->hold->slot);
}

/* The map's key of a guard that is not vacant. */
CM_INLINE const char *cm_guard_key_(const struct cm_type *type, const struct cm_guard_ *guard)
{
    struct cm_place_ place = {guard->hold->bucket, guard->hold->slot};
    return cm_place_key_(type, place);
}

/* What a reader is given of the guard's value: itself; in a checked build a copy, NULL: no memory. */
CM_INLINE const char *cm_value_show_(const struct cm_type *type, const struct cm_guard_ *guard, const char *place)
{
    if (!CM_CHECKED)
        return place;
    guard->hold->lent = cm_value_lend_(place, type->value_size, type->value_alignment);
    return (const char *)guard->hold->lent;
}

/* Takes it back. */
CM_INLINE void cm_value_hide_(const void *shown)
{
    if (CM_CHECKED)
        cm_value_return_(shown);
}

/* The bucket is held: the guard is the thread's. */
CM_INLINE void cm_guard_begin_(struct cm_guard_ *guard, struct cm_map_ *map, struct cm_thread_ *thread,
                               struct cm_hold_ *hold, struct cm_table_ *table, char *head, char *bucket, unsigned slot,
                               bool exclusive)
{
    guard->thread = thread;
    guard->hold = hold;
    guard->table = table;
    guard->head = head;
    cm_hold_set_(thread, hold, &map->waiters, cm_bucket_state_(head), bucket, slot, exclusive);
}

/* ---- read guards ---- */

/* Shares the bucket if one look at it finds the key there; `*value` takes the place of its value, so that using it does
 * not wait for what is listed. CM_READ_AGAIN_: where that takes more. A miss shares nothing. */
CM_INLINE enum cm_read_ cm_guard_glance_(const struct cm_type *type, struct cm_map_ *map, struct cm_guard_ *guard,
                                         const void *key, uint64_t hash, char **value)
{
    const struct cm_layout_ layout = cm_layout_of_(type);
    struct cm_thread_ *self = cm_leaf_enter_();
    enum cm_read_ result = CM_READ_AGAIN_;
    struct cm_table_ *table = cm_load_acquire_(&map->root); /* as in cm_map_glance_() */
    char *head = cm_table_bucket_(table, layout, hash);
    uint64_t *cell = cm_bucket_state_(head);
    uint64_t state = cm_load_acquire_(cell);
    struct cm_hold_ *hold = cm_hold_take_(self);
    guard->thread = NULL;
    CM_COMPILER_BARRIER();
    unsigned mask = cm_bucket_candidates_(type, layout, head, key, hash) & cm_state_occupied_(state);
    if (CM_UNLIKELY(!hold || (state & (CM_WRITER_ | CM_MOVED_ | CM_PENDING_ | CM_DIED_)))) {
        result = CM_READ_AGAIN_;
    } else if (CM_LIKELY(mask != 0)) {
        unsigned slot = (unsigned)__builtin_ctz(mask);
        *value = cm_bucket_value_(type, layout, head, slot);
        if (CM_LIKELY(cm_candidate_read_(type, layout, head, state, head, slot, key) == CM_READ_HIT_ &&
                      cm_cell_try_share_(cell, state))) {
            cm_guard_begin_(guard, map, self, hold, table, head, head, slot, false);
            result = CM_READ_HIT_;
        }
    } else if (!(state & CM_CHAINED_) && cm_cell_unchanged_(cell, state)) {
        result = CM_READ_MISS_;
    }
    cm_leaf_leave_(self);
    return result;
}

/* Shares the bucket and finds the key: CM_OK, or CM_ABSENT, then it is not held; CM_OWNER_DIED, CM_GOT_MOVED_, or why
 * the wait was given up. */
CM_INLINE int cm_guard_share_(const struct cm_type *type, struct cm_map_ *map, struct cm_held_ *held, const void *key,
                              uint64_t hash, cm_deadline deadline)
{
    uint64_t *cell = cm_bucket_state_(held->head);
    uint64_t state = cm_load_acquire_(cell);
    if (state & CM_MOVED_)
        return CM_GOT_MOVED_;
    if ((state & (CM_WRITER_ | CM_PENDING_ | CM_DIED_)) || !cm_cell_try_share_(cell, state))
        return cm_guard_share_slow_(type, map, held, key, hash, deadline);
    held->place = cm_chain_find_(type, cm_layout_of_(type), held->head, key, hash, &held->tail);
    if (held->place.bucket)
        return CM_OK;
    cm_cell_unshare_(cell, &map->waiters);
    return CM_ABSENT;
}

/* The same wherever the key may be; CM_NOMEM: the thread holds too much. */
CM_INLINE cm_status cm_guard_read_(const struct cm_type *type, struct cm_map_ *map, struct cm_guard_ *guard,
                                   const void *key, uint64_t hash, cm_deadline deadline)
{
    const struct cm_layout_ layout = cm_layout_of_(type);
    struct cm_pin_ pin = cm_map_pin_(type, map);
    struct cm_hold_ *hold = cm_hold_take_(pin.thread);
    int got = hold ? (int)CM_GOT_MOVED_ : (int)CM_NOMEM;
    struct cm_held_ held = {NULL, NULL, {NULL, 0}, NULL, false, false, NULL};
    held.table = cm_load_acquire_(&map->root); /* as in cm_map_glance_() */
    for (; got == CM_GOT_MOVED_ && held.table; held.table = cm_load_acquire_(&held.table->next)) {
        held.head = cm_table_bucket_(held.table, layout, hash);
        got = cm_guard_share_(type, map, &held, key, hash, deadline);
        if (got != CM_GOT_MOVED_)
            break;
    }
    if (got == CM_OK || got == CM_OWNER_DIED)
        cm_guard_begin_(guard, map, pin.thread, hold, held.table, held.head, held.place.bucket, held.place.slot, false);
    cm_pin_leave_(pin);
    return got == CM_GOT_MOVED_ ? CM_ABSENT : (cm_status)got; /* it led to nowhere: the empty table */
}

CM_INLINE void cm_guard_unshare_(struct cm_guard_ *guard)
{
    uint64_t *cell = cm_bucket_state_(guard->head);
    cm_waiters_ *waiters = guard->hold->waiters;
    cm_hold_drop_(guard->thread, guard->hold); /* (H1) */
    guard->thread = NULL;
    cm_cell_unshare_(cell, waiters);
}

/* ---- write guards ---- */

/* A guard that holds nothing yet. */
CM_INLINE void cm_entry_init_(struct cm_entry_ *entry, uint64_t hash)
{
    entry->guard.thread = NULL;
    entry->spare = entry->removed = NULL;
    entry->hash = hash;
    entry->present = entry->admitted = false;
}

/* Locks the key's bucket for a guard: CM_OK, CM_OWNER_DIED (it is held, too, but for CM_FOR_KEYS_), CM_ABSENT,
 * CM_NOMEM, or why the wait was given up. */
CM_INLINE cm_status cm_entry_write_pinned_(const struct cm_type *type, struct cm_map_ *map, struct cm_thread_ *thread,
                                           struct cm_entry_ *entry, const void *key, enum cm_purpose_ purpose,
                                           cm_deadline deadline, struct cm_supply_ *supply)
{
    const struct cm_layout_ layout = cm_layout_of_(type);
    for (;;) {
        struct cm_held_ held;
        struct cm_node_ *expired = NULL;
        struct cm_hold_ *hold = cm_hold_take_(thread); /* now: nothing is allocated under the lock */
        if (CM_UNLIKELY(!hold))
            return CM_NOMEM;
        cm_status status = (cm_status)cm_map_lock_key_(type, map, key, entry->hash, deadline, &held);
        if (CM_UNLIKELY(status != CM_OK))
            return status;
        if (cm_held_is_expired_(type, map, &held))
            expired = cm_held_expire_(type, map, &held, key, entry->hash);
        if (type->cached && expired) { /* it is told without a lock, and the key asked for again */
            cm_map_unlock_(type, map, thread, &held, false);
            cm_map_evicted_(map, type, expired, CM_EVICTED_EXPIRED);
            continue;
        }
        entry->present = held.place.bucket != NULL;
        if (!entry->present)
            status =
                purpose == CM_FOR_VALUE_ ? CM_ABSENT : cm_entry_reserve_(type, map, entry, &held, key, purpose, supply);
        else if (CM_UNLIKELY(purpose == CM_FOR_KEYS_ && held.unusual && held.died))
            status = CM_OWNER_DIED;
        if (CM_LIKELY(status == CM_OK)) {
            cm_guard_begin_(&entry->guard, map, thread, hold, held.table, held.head, held.place.bucket, held.place.slot,
                            true);
            if (entry->present)
                cm_cached_touch_(type, layout, cm_guard_value_(type, &entry->guard));
            if (entry->admitted)
                hold->admitted = cm_map_admitted_(map);
            if (layout.nodes) {
                hold->orphans = &map->pool.orphans;
                hold->spare = entry->spare;
                hold->removed = NULL;
            }
            if (CM_UNLIKELY(held.unusual && held.died)) {
                cm_kept_bury_(&held);
                status = CM_OWNER_DIED;
            }
            return status;
        }
        cm_map_unlock_(type, map, thread, &held, false);
        if (type->cached && supply->crowded) {
            supply->crowded = false;
            if (!cm_map_evict_(map, type))
                return status; /* CM_FULL */
            continue;
        }
        if (CM_LIKELY(!supply->lacking) || !cm_map_supply_(map, type, held.table, key, entry->hash, supply))
            return status;
        supply->lacking = false;
    }
}

CM_INLINE cm_status cm_entry_write_(const struct cm_type *type, struct cm_map_ *map, struct cm_entry_ *entry,
                                    const void *key, uint64_t hash, enum cm_purpose_ purpose, cm_deadline deadline)
{
    struct cm_pin_ pin = cm_map_pin_(type, map);
    struct cm_supply_ supply = {NULL, NULL, NULL, false, false, false};
    cm_entry_init_(entry, hash);
    if (cm_layout_has_nodes_(type) && purpose != CM_FOR_VALUE_) /* now: nothing is allocated under the lock */
        supply.cache = cm_pool_cache_of_(&map->pool, &map->allocator, pin.thread->index);
    cm_status status = cm_entry_write_pinned_(type, map, pin.thread, entry, key, purpose, deadline, &supply);
    cm_pin_leave_(pin);
    if (cm_layout_has_nodes_(type) && CM_UNLIKELY(supply.prepared != NULL))
        cm_supply_end_(map, pin.thread, &supply);
    return status;
}

/* Gives the bucket of a write guard back. */
CM_INLINE void cm_entry_leave_(const struct cm_type *type, struct cm_entry_ *entry)
{
    struct cm_guard_ *guard = &entry->guard;
    char *head = guard->head;
    uint64_t *cell = cm_bucket_state_(head);
    struct cm_map_ *map = cm_guard_map_(guard);
    if (entry->present) {
        struct cm_place_ place = {guard->hold->bucket, guard->hold->slot};
        cm_cached_changed_(type, map, place);
    }
    cm_hold_drop_(guard->thread, guard->hold); /* (H1) */
    if (CM_UNLIKELY(entry->spare || entry->removed || entry->admitted || cm_hold_any_(guard->thread) ||
                    (cm_load_relaxed_(cell) & CM_UNUSUAL_)))
        cm_entry_leave_slow_(type, map, entry, head);
    else
        cm_cell_unlock_(cell, cm_load_relaxed_(cell), &map->waiters);
    guard->thread = NULL;
    if (CM_UNLIKELY(cm_map_is_heavy_(type, map)))
        cm_map_trim_(map, type);
    cm_map_lend_a_hand_(type, map);
}

/* ---- several keys ---- */

CM_INLINE void cm_keys_unlock_(const struct cm_type *type, struct cm_keys_ *held, size_t n)
{
    while (n-- > 0)
        if (cm_guard_is_own_(&held->entries[held->order[n]].guard))
            cm_entry_leave_(type, &held->entries[held->order[n]]);
}

/* Locks the first n keys, in their order; all of them, or none. */
CM_INLINE cm_status cm_keys_lock_once_(const struct cm_type *type, struct cm_map_ *map, struct cm_keys_ *held, size_t n,
                                       cm_deadline deadline)
{
    cm_status status = CM_OK;
    size_t locked = 0;
    for (; locked < n && status == CM_OK; locked++) {
        unsigned i = held->order[locked];
        status = cm_entry_write_(type, map, &held->entries[i], held->keys[i], held->hashes[i], CM_FOR_KEYS_, deadline);
    }
    if (status != CM_OK)
        cm_keys_unlock_(type, held, locked);
    return status;
}

/* The same, of keys and hashes that are filled in; begins again where others are in the way of a thread that holds
 * nothing else. CM_INVALID: a key is there twice. */
CM_INLINE cm_status cm_keys_lock_(const struct cm_type *type, struct cm_map_ *map, struct cm_keys_ *held, size_t n,
                                  cm_deadline deadline)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            if (held->hashes[i] == held->hashes[k] && type->equal(held->keys[i], held->keys[k]))
                return CM_INVALID;
    memset(held->order, 0, sizeof held->order); /* analysers do not see that it is filled */
    cm_keys_order_(held->hashes, n, held->order);
    bool alone = cm_keys_begin_();
    cm_status status;
    for (unsigned tries = 0;; tries++) {
        status = cm_keys_lock_once_(type, map, held, n, deadline);
        if (status != CM_DEADLOCK || !alone)
            break;
        cm_keys_pause_(tries);
    }
    cm_keys_end_();
    return status;
}

/* The i-th key's value; NULL: it is absent. */
CM_INLINE char *cm_keys_value_(const struct cm_type *type, const struct cm_keys_ *held, size_t i)
{
    return held->entries[i].present ? cm_guard_value_(type, &held->entries[i].guard) : NULL;
}

/* Gives them back when their change is done. */
CM_INLINE void cm_keys_leave_(const struct cm_type *type, struct cm_map_ *map, struct cm_keys_ *held, size_t n)
{
    char *heads[CM_KEYS_MOST_];
    for (size_t i = 0; i < n; i++)
        heads[i] = held->entries[i].guard.head;
    cm_keys_decide_(map, heads, n);
    cm_keys_unlock_(type, held, n);
}

CM_END_DECLS

#endif
