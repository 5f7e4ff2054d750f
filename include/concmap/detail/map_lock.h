/* The one lock of a whole map: a cell (cell.h), listed among its thread's holds (hold.h) where code of the user runs
 * behind it. So waits park and have deadlines, a thread that asks again is told so, circles with any other locks of the
 * library are found, and a thread that ends gives it back.
 *
 * A thread that ended with it leaves UNTIDY in the cell, as with any lock of the library; whoever takes it next notes
 * that in `died`, for the next one who locks the map by name.
 *
 * Invariant. (L1) A thread that runs code of the user behind the lock has it listed; but for hash, equality and
 * allocator, which must not use the library nor end the thread. */
#ifndef CONCMAP_DETAIL_MAP_LOCK_H
#define CONCMAP_DETAIL_MAP_LOCK_H

#include <concmap/detail/cell.h>
#include <concmap/detail/hold.h>
#include <concmap/status.h>

CM_BEGIN_DECLS

struct cm_map_lock_ {
    uint64_t cell;
    cm_waiters_ waiters;
    bool died; /* a thread ended while it held the lock; behind it */
};

/* The lock, listed as the calling thread's. */
struct cm_map_held_ {
    struct cm_map_lock_ *lock;
    struct cm_thread_ *thread; /* NULL: it is not held */
    struct cm_hold_ *hold;
};

/* Waits. CM_GOT_, CM_GOT_NESTED_ (the thread has it already), CM_BUSY, CM_TIMEOUT, CM_DEADLOCK. */
CM_API CM_COLD int cm_map_lock_wait_(struct cm_map_lock_ *lock, cm_deadline deadline);
/* The call is CM_DEADLOCK because the thread has the lock itself: tells the user's hook. */
CM_API CM_COLD cm_status cm_map_lock_own_(struct cm_map_lock_ *lock);

CM_INLINE int cm_map_lock_take_(struct cm_map_lock_ *lock, cm_deadline deadline)
{
    if (CM_LIKELY(cm_cell_try_lock_(&lock->cell, CM_BARRED_ | CM_UNUSUAL_)))
        return CM_GOT_;
    return cm_map_lock_wait_(lock, deadline);
}

CM_INLINE void cm_map_lock_give_(struct cm_map_lock_ *lock)
{
    /* Relaxed: the word is the holder's own (C1). */
    cm_cell_unlock_(&lock->cell, cm_load_relaxed_(&lock->cell), &lock->waiters);
}

/* Takes the lock, and lists it if `listed` (L1). CM_GOT_NESTED_: the thread has it already, and gives nothing back. */
CM_INLINE int cm_map_enter_(struct cm_map_lock_ *lock, struct cm_map_held_ *held, bool listed, cm_deadline deadline)
{
    held->lock = lock;
    held->thread = NULL;
    if (!listed)
        return cm_map_lock_take_(lock, deadline);
    struct cm_thread_ *thread = cm_thread_get_();
    held->hold = cm_hold_take_(thread);
    if (CM_UNLIKELY(!held->hold))
        return CM_NOMEM;
    int got = cm_map_lock_take_(lock, deadline);
    if (CM_LIKELY(got == CM_GOT_)) {
        held->thread = thread;
        /* As its place the cell itself, whose bits of slots are never set: no entry of it is left half done. */
        cm_hold_set_(thread, held->hold, &lock->waiters, &lock->cell, (char *)&lock->cell, 0, true);
    }
    return got;
}

/* Gives back what enter has got. */
CM_INLINE void cm_map_leave_(struct cm_map_held_ *held, int got)
{
    if (CM_UNLIKELY(got != CM_GOT_))
        return;
    if (held->thread)
        cm_hold_drop_(held->thread, held->hold); /* (H1) */
    cm_map_lock_give_(held->lock);
}

/* For calls that change the map: to have the lock already is no good. */
CM_INLINE int cm_map_enter_alone_(struct cm_map_lock_ *lock, struct cm_map_held_ *held, bool listed,
                                  cm_deadline deadline)
{
    int got = cm_map_enter_(lock, held, listed, deadline);
    return CM_UNLIKELY(got == CM_GOT_NESTED_) ? (int)cm_map_lock_own_(lock) : got;
}

/* Whether the calling thread may use what it has locked. */
CM_INLINE bool cm_map_held_is_own_(const struct cm_map_held_ *held)
{
    return held->thread != NULL && held->thread == cm_thread_self_ && held->hold->cell == &held->lock->cell;
}

/* Takes two locks, in the order of their addresses, so that two who do so make no circle. What the second one came to
 * is in *other; if it failed, nothing is held. */
CM_API int cm_map_enter_both_(struct cm_map_lock_ *locks[2], struct cm_map_held_ held[2], int got[2],
                              cm_deadline deadline);

CM_END_DECLS

#endif
