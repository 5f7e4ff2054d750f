/* Waiting for the lock of a whole map. */
#include <concmap/detail/map_lock.h>

int cm_map_lock_wait_(struct cm_map_lock_ *lock, cm_deadline deadline)
{
    struct cm_wait_ wait = {&lock->waiters, deadline, CM_WAIT_REPORTS_};
    int got = cm_cell_wait_(&lock->cell, true, &wait);
    uint64_t word = cm_load_relaxed_(&lock->cell); /* relaxed: where it matters, the word is the holder's own (C1) */
    if (got == CM_GOT_ && (word & CM_UNTIDY_)) {
        cm_store_relaxed_(&lock->cell, word & ~CM_UNTIDY_);
        lock->died = true;
    }
    return got;
}

cm_status cm_map_lock_own_(struct cm_map_lock_ *lock)
{
    struct cm_thread_ *thread = cm_thread_get_();
    cm_hold_tell_(thread, cm_hold_find_(thread, &lock->cell));
    return CM_DEADLOCK;
}

int cm_map_enter_both_(struct cm_map_lock_ *locks[2], struct cm_map_held_ held[2], int got[2], cm_deadline deadline)
{
    unsigned first = (uintptr_t)locks[0] > (uintptr_t)locks[1], second = 1 - first;
    got[first] = cm_map_enter_(locks[first], &held[first], true, deadline);
    if (got[first] < 0)
        return got[first];
    got[second] = cm_map_enter_(locks[second], &held[second], true, deadline);
    if (got[second] < 0)
        cm_map_leave_(&held[first], got[first]);
    return got[second] < 0 ? got[second] : CM_GOT_;
}
