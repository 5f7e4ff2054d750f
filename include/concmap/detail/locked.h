/* The locked map's entries: nodes of the bucket table that are counted, and each of which has a lock of its own.
 *
 * Shape. The node form of an anchored map, whose readers are pinned in the process's domain as those of the sharded map
 * are. In place of the value there is a cm_locked_, and the value behind it.
 *
 *     node [ header | key | cell | uses | map | value | text ]
 *
 * Uses. One word: LINKED, which is the map's own use of the entry; SPENT; and how many others use it. A look-up finds
 * the node as that of the anchored map does, storing nothing but its pin, and counts itself in by a compare-and-swap
 * that wants LINKED: so the entry was in the map at that instant, which is where the look-up is linearized. A look-up
 * that finds the node, but not LINKED, is a miss: who clears LINKED has the bucket's lock, and clears the slot before
 * it gives that back, so the key was absent when LINKED was cleared, or else when the slot was loaded.
 *
 * Removal clears LINKED under the bucket's lock, and in the same step makes the map's use one of the remover's. It
 * waits for nobody who has the entry, or its lock. Whoever gives up the last use of an entry that is not LINKED
 * destroys the value and retires the node; for who still compares its key is pinned.
 *
 * SPENT entries are to go once nobody uses them. Who gives such a use up is pinned meanwhile, and if LINKED and SPENT
 * are all that is left, unlinks the entry, unless by then somebody uses it: then that is up to them.
 *
 * The lock is a cell (cell.h), listed among its thread's holds (hold.h). Buckets are locked behind it, and it is not
 * waited for with a bucket. A thread that ends with it leaves UNTIDY in the cell. If a call had it, the call's use goes
 * with it (hold.h); other uses are nobody's in particular.
 *
 * Plain values need no last user, but only that the node stays. So a call that finds the lock of such a value free
 * takes it without a use, in a pin that it leaves when it has seen LINKED: until it unlocks, the lock itself keeps the
 * node (pool.h). Who has to wait does so by a use.
 *
 * A plain value is copied without the lock: cell, value, uses, cell again. It was the entry's at the load of uses, and
 * the entry in the map. With the lock, what is found to be LINKED then was so when the call took effect; a removal that
 * comes later comes after it.
 *
 * Invariants. (E1) LINKED is set in an entry just as long as it is in a slot, but for the moment in which the bucket's
 * lock is held; and is never set again. (E2) Only who has a use, or the bucket's lock while the entry is LINKED, or a
 * pin and finds LINKED, adds one. (E3) The value is destroyed once, by the last user or with the map. (E4) Who waits
 * for an entry's lock has a use of it. (E5) A node is not used again before its lock is free. */
#ifndef CONCMAP_DETAIL_LOCKED_H
#define CONCMAP_DETAIL_LOCKED_H

#include <concmap/detail/anchored.h>

CM_BEGIN_DECLS

#define CM_LINKED_ UINT64_C(1)
#define CM_SPENT_ UINT64_C(2)
#define CM_USE_ UINT64_C(4) /* 62 bits of them: no program lives to see them overflow */

struct cm_locked_ {
    uint64_t cell; /* first: the pool looks at it */
    uint64_t uses;
    struct cm_map_ *map;
};

/* How an entry is locked. */
enum {
    CM_LOCK_SHARED_ = 1,
    CM_LOCK_ANYWAY_ = 2, /* exclusively, and also after a thread that ended, whose mark stays: cm_locked_tidy_() */
    CM_LOCK_THROUGH_ = 4 /* shared, or not at all where the thread has it exclusively */
};

/* Waits for the lock. Also CM_GOT_NESTED_: THROUGH, and the thread has it. */
CM_API CM_COLD int cm_locked_wait_(struct cm_locked_ *entry, unsigned how, cm_deadline deadline);
/* Takes back the mark of an owner that died, for who has the lock exclusively. */
CM_INLINE void cm_locked_tidy_(struct cm_locked_ *entry)
{
    uint64_t word = cm_load_relaxed_(&entry->cell); /* relaxed, both: the word is the holder's own (C1) */
    if (CM_UNLIKELY(word & CM_UNTIDY_))
        cm_store_relaxed_(&entry->cell, word & ~CM_UNTIDY_);
}
/* Gives it back. CM_INVALID: the thread does not have it. */
CM_API cm_status cm_locked_unlock_(struct cm_locked_ *entry, bool shared);
/* Adds the key with the entry `fresh`, value included: CM_OK; or finds it: CM_EXISTS. *entry is what the map has, in
 * use by the caller. Or a failure. */
CM_API cm_status cm_locked_add_(const struct cm_type *type, struct cm_map_ *map, const void *key, uint64_t hash,
                                struct cm_locked_ *fresh, cm_deadline deadline, struct cm_locked_ **entry);
/* Takes the key's entry, which the caller then uses, out of the map. CM_ABSENT: there is none, or another than `only`
 * (NULL: any will do). CM_BUSY: somebody uses it, and it was to be `unused`; or why a wait was given up. */
CM_API cm_status cm_locked_unlink_(const struct cm_type *type, struct cm_map_ *map, const void *key, uint64_t hash,
                                   const struct cm_locked_ *only, bool unused, cm_deadline deadline,
                                   struct cm_locked_ **entry);
/* The same for an entry that the caller uses. */
CM_API cm_status cm_locked_unlink_entry_(const struct cm_type *type, struct cm_locked_ *entry, cm_deadline deadline);
/* Gives a use up that may be the last one, or that of a spent entry. CM_OK: it has taken the entry out of the map;
 * CM_EXISTS: the entry is in the map; CM_ABSENT: others have taken it out. */
CM_API CM_COLD cm_status cm_locked_release_slow_(const struct cm_type *type, struct cm_locked_ *entry);
/* Takes all out that is there from beginning to end. */
CM_API CM_COLD cm_status cm_locked_clear_(const struct cm_type *type, struct cm_map_ *map, cm_deadline deadline);

/* A walk over entries, each in use by it until the next. */
struct cm_locked_iter_ {
    struct cm_nodes_iter_ nodes;
    struct cm_locked_ *entry; /* the last one given; NULL: none */
};
CM_API bool cm_locked_next_(struct cm_locked_iter_ *iter, const struct cm_type *type);
CM_API void cm_locked_iter_end_(struct cm_locked_iter_ *iter, const struct cm_type *type);

/* ---- uses ---- */

CM_INLINE struct cm_locked_ *cm_locked_of_node_(const struct cm_type *type, char *node)
{
    return node ? (struct cm_locked_ *)cm_node_value_(type, node) : NULL;
}

/* Where the entry's key is. */
CM_INLINE const char *cm_locked_key_(const struct cm_type *type, const struct cm_locked_ *entry)
{
    const struct cm_layout_ layout = cm_layout_of_(type);
    return (const char *)entry - layout.node_value + layout.node_key;
}

/* Whether it is in the map; relaxed: who has its lock, or a use, asks for no more than that. */
CM_INLINE bool cm_locked_is_linked_(const struct cm_locked_ *entry)
{
    return (cm_load_relaxed_(&entry->uses) & CM_LINKED_) != 0;
}

/* A fresh entry, in use by its maker, that is not in a map yet. */
CM_INLINE void cm_locked_begin_(struct cm_locked_ *entry, struct cm_map_ *map)
{
    entry->uses = CM_LINKED_ | CM_USE_;
    entry->cell = 0;
    entry->map = map;
}

/* Counts one who looked it up in; false: it is out of the map. Pinned by the caller (E2). */
CM_INLINE bool cm_locked_use_(struct cm_locked_ *entry)
{
    uint64_t uses = cm_load_relaxed_(&entry->uses); /* relaxed, both: the slot's acquire has shown what is in it */
    while (uses & CM_LINKED_)
        if (CM_LIKELY(cm_swap_if_relaxed_(&entry->uses, &uses, uses + CM_USE_)))
            return true;
    return false;
}

CM_INLINE void cm_locked_release_(const struct cm_type *type, struct cm_locked_ *entry)
{
    uint64_t uses = cm_load_relaxed_(&entry->uses); /* relaxed: the compare-and-swap decides */
    do {
        if (CM_UNLIKELY((uses & CM_SPENT_) || uses == CM_USE_)) {
            cm_locked_release_slow_(type, entry);
            return;
        }
        /* Release: what was done to the value comes before its end. Pairs with the acquire of the last user. */
    } while (CM_UNLIKELY(!cm_swap_if_release_(&entry->uses, &uses, uses - CM_USE_)));
}

/* The key's entry, in use by the caller; NULL: it is absent. Lock-free. */
CM_INLINE struct cm_locked_ *cm_locked_find_(const struct cm_type *type, const struct cm_map_ *map, const void *key,
                                             uint64_t hash)
{
    struct cm_thread_ *self = cm_leaf_enter_();
    struct cm_glance_ glance = cm_node_glance_(type, map, key, hash);
    char *node = CM_UNLIKELY(glance.again) ? cm_node_search_(type, map, key, hash) : glance.node;
    struct cm_locked_ *entry = cm_locked_of_node_(type, node);
    if (entry && CM_UNLIKELY(!cm_locked_use_(entry)))
        entry = NULL;
    cm_leaf_leave_(self);
    return entry;
}

/* Whether it is there. Pinned by the caller. */
CM_INLINE enum cm_read_ cm_locked_glimpse_(const struct cm_locked_ *entry)
{
    return cm_locked_is_linked_(entry) ? CM_READ_HIT_ : CM_READ_MISS_;
}

/* Copies `size` bytes of a plain value, at `from` behind the entry, by way of `room`, which need not see one state of
 * them. Pinned by the caller. CM_READ_AGAIN_: the lock is to be taken. *to is written by a hit only. */
CM_INLINE enum cm_read_ cm_locked_peek_(const struct cm_locked_ *entry, const void *from, size_t size, void *room,
                                        void *to)
{
    uint64_t word = cm_load_acquire_(&entry->cell); /* pairs with cm_cell_unlock_() */
    if (CM_UNLIKELY(word & (CM_WRITER_ | CM_UNTIDY_)))
        return CM_READ_AGAIN_;
    cm_copy_racing_(room, from, size);
    bool linked = cm_locked_is_linked_(entry);
    if (CM_UNLIKELY(!cm_cell_unchanged_(&entry->cell, word)))
        return CM_READ_AGAIN_;
    if (CM_UNLIKELY(!linked))
        return CM_READ_MISS_;
    memcpy(to, room, size);
    return CM_READ_HIT_;
}

/* ---- the lock ---- */

/* Takes the lock if it is free. Relaxed: the compare-and-swap decides. */
CM_INLINE bool cm_locked_try_(struct cm_locked_ *entry, bool shared)
{
    if (!shared)
        return cm_cell_try_lock_(&entry->cell, CM_BARRED_ | CM_UNUSUAL_);
    uint64_t word = cm_load_relaxed_(&entry->cell);
    return !(word & (CM_WRITER_ | CM_PENDING_ | CM_UNUSUAL_)) && cm_cell_try_share_(&entry->cell, word);
}

/* Lists it; its place is the cell itself, as in map_lock.h. */
CM_INLINE void cm_locked_list_(struct cm_locked_ *entry, struct cm_thread_ *thread, struct cm_hold_ *hold, bool shared)
{
    cm_hold_set_(thread, hold, &entry->map->waiters, &entry->cell, (char *)&entry->cell, 0, !shared);
}

/* Locks an entry that the caller uses, and lists that: CM_GOT_; CM_GOT_NESTED_; CM_BUSY, CM_TIMEOUT, CM_DEADLOCK,
 * CM_OWNER_DIED, CM_NOMEM: no hold. `counted`: the entry's type, if the use ends with an exclusive lock, also where the
 * thread ends with it; NULL: it is the user's. */
CM_INLINE int cm_locked_lock_(struct cm_locked_ *entry, const struct cm_type *counted, unsigned how,
                              cm_deadline deadline)
{
    const bool shared = (how & CM_LOCK_SHARED_) != 0;
    struct cm_thread_ *thread = cm_thread_get_();
    struct cm_hold_ *hold = cm_hold_take_(thread);
    if (CM_UNLIKELY(!hold))
        return CM_NOMEM;
    int got = CM_LIKELY(cm_locked_try_(entry, shared)) ? (int)CM_GOT_ : cm_locked_wait_(entry, how, deadline);
    if (CM_LIKELY(got == CM_GOT_)) {
        cm_locked_list_(entry, thread, hold, shared);
        if (!shared)
            hold->counted = counted;
    }
    return got;
}

/* Locks it for a walk that reads: shared, or not at all where the thread has it exclusively. As cm_locked_lock_(). */
CM_INLINE int cm_locked_read_(struct cm_locked_ *entry, cm_deadline deadline)
{
    return cm_locked_lock_(entry, NULL, CM_LOCK_SHARED_ | CM_LOCK_THROUGH_, deadline);
}

/* Gives back what cm_locked_read_() got, if anything. */
CM_INLINE void cm_locked_read_end_(struct cm_locked_ *entry, int got)
{
    if (got == CM_GOT_)
        cm_locked_unlock_(entry, true);
}

/* ---- visits ---- */

/* An entry that a call works on: one that it uses, or, where the value owns nothing and the lock was free, one that the
 * lock keeps (E5). */
struct cm_locked_visit_ {
    struct cm_locked_ *entry;
    unsigned how;
    bool locked;
    struct cm_hold_ *unused; /* the hold of one that is not used; NULL: it is */
};

/* Locks the key's entry if one look finds it free, and linked. */
CM_INLINE bool cm_locked_visit_unused_(const struct cm_type *type, struct cm_map_ *map, const void *key, uint64_t hash,
                                       struct cm_locked_visit_ *visit)
{
    struct cm_thread_ *self = cm_leaf_enter_();
    struct cm_hold_ *hold = cm_hold_take_(self);
    visit->unused = NULL;
    visit->locked = false; /* for compilers, which warn */
    struct cm_locked_ *entry = cm_locked_of_node_(type, cm_node_glance_(type, map, key, hash).node);
    if (CM_LIKELY(entry != NULL) && CM_LIKELY(hold != NULL) && CM_LIKELY(cm_locked_try_(entry, false))) {
        if (CM_LIKELY(cm_locked_is_linked_(entry))) {
            cm_locked_list_(entry, self, hold, false);
            visit->entry = entry;
            visit->unused = hold;
        } else {
            cm_cell_unlock_(&entry->cell, cm_load_relaxed_(&entry->cell), &map->waiters);
        }
    }
    cm_leaf_leave_(self);
    return visit->unused != NULL;
}

/* Whether a walk passes an entry that it could not lock: its owner died, and it was removed, as is done then. */
CM_INLINE bool cm_locked_is_done_with_(const struct cm_locked_ *entry, int got)
{
    return got == CM_OWNER_DIED && !cm_locked_is_linked_(entry);
}

/* Finds the key's entry, uses it and locks it: CM_EXISTS. Where the key is absent, CM_ABSENT; or `fresh` (may be NULL)
 * is added, and is not locked: CM_OK. Or a failure. `sought` is the type by which it is looked up: the map's, or that
 * of a view (then `fresh` is NULL). */
CM_INLINE cm_status cm_locked_visit_used_(const struct cm_type *sought, const struct cm_type *type, struct cm_map_ *map,
                                          const void *key, uint64_t hash, struct cm_locked_ *fresh, unsigned how,
                                          cm_deadline deadline, struct cm_locked_visit_ *visit)
{
    visit->how = how;
    visit->unused = NULL;
    for (;;) {
        visit->entry = cm_locked_find_(sought, map, key, hash);
        visit->locked = false;
        if (!visit->entry) {
            cm_status status = CM_ABSENT;
            if (fresh)
                status = cm_locked_add_(type, map, key, hash, fresh, deadline, &visit->entry);
            if (status != CM_EXISTS)
                return status;
        }
        int got = cm_locked_lock_(visit->entry, type, how, deadline);
        bool linked = cm_locked_is_linked_(visit->entry);
        visit->locked = got == CM_GOT_;
        if (CM_LIKELY(got >= 0) && CM_LIKELY(linked))
            return CM_EXISTS;
        if (visit->locked)
            cm_locked_unlock_(visit->entry, (how & CM_LOCK_SHARED_) != 0);
        cm_locked_release_(type, visit->entry);
        if (got < 0 && (linked || got != CM_OWNER_DIED)) /* else it was removed, and maybe before its owner died */
            return (cm_status)got;
    }
}

/* Ends a visit that came to CM_EXISTS. */
CM_INLINE void cm_locked_leave_(const struct cm_type *type, const struct cm_locked_visit_ *visit)
{
    struct cm_locked_ *entry = visit->entry;
    if (CM_LIKELY(visit->unused != NULL)) {
        cm_hold_drop_(cm_thread_get_(), visit->unused); /* (H1) */
        /* Relaxed: the word is the holder's own (C1). */
        cm_cell_unlock_(&entry->cell, cm_load_relaxed_(&entry->cell), &entry->map->waiters);
        return;
    }
    if (visit->locked)
        cm_locked_unlock_(entry, (visit->how & CM_LOCK_SHARED_) != 0);
    cm_locked_release_(type, entry);
}

CM_END_DECLS

#endif
