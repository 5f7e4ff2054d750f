/* What threads hold while code of the user runs, so that no wait for oneself, and no circle of waits, goes unseen.
 *
 * Shape. Each guard, and each call that runs a function of the user under a lock, has a cm_hold_ in its thread's
 * record: type-stable memory, in blocks that are never freed. Taking and dropping one are plain stores to the thread's
 * own lines.
 *
 * Circles. A thread that is about to sleep while it holds something publishes which cell it waits for, under one lock
 * (src/hold.c), and follows the waits of the holders of that cell, and of those they wait for. Whoever closes a circle
 * publishes last, sees it, and gives up; or, if the call cannot say so, another one of the circle does. Threads that
 * hold nothing are in no circle and publish nothing.
 *
 * A frozen map (frozen.h) is one hold, which bars all writers of the map. While it is being frozen it is a hold of the
 * buckets that its walk has reached: those of lower points in the space of reversed hashes.
 *
 * Invariants. (H1) A hold is set after its lock was taken, by its thread, and cleared before the lock is given back.
 * (H2) Who has published does not change its holds until it has withdrawn; its waker withdraws for it. */
#ifndef CONCMAP_DETAIL_HOLD_H
#define CONCMAP_DETAIL_HOLD_H

#include <concmap/detail/thread.h>

CM_BEGIN_DECLS

/* Any other hold that is free. NULL: no memory, or a thread without a record. */
CM_API CM_COLD struct cm_hold_ *cm_hold_take_more_(struct cm_thread_ *thread);

/* A hold that is free until it is listed. */
CM_INLINE struct cm_hold_ *cm_hold_take_(struct cm_thread_ *thread)
{
    struct cm_hold_ *first = thread->held.holds;
    return CM_LIKELY(cm_load_relaxed_(&first->cell) == NULL) ? first : cm_hold_take_more_(thread);
}

/* Lists what has been locked (H1). */
CM_INLINE void cm_hold_set_(struct cm_thread_ *thread, struct cm_hold_ *hold, struct cm_waiters_ *waiters,
                            const uint64_t *cell, char *bucket, unsigned slot, bool exclusive)
{
    hold->waiters = waiters;
    hold->bucket = bucket;
    hold->slot = slot;
    hold->exclusive = exclusive;
    hold->traced = CM_CHECKED;
    if (exclusive) {
        hold->admitted = NULL;
        hold->orphans = NULL;
        hold->counted = NULL;
    }
    if (CM_CHECKED) {
        hold->at = thread->at;
        hold->lent = NULL;
    }
    thread->holding++;
    cm_store_relaxed_(&hold->cell, cell); /* relaxed: whoever looks does so under a lock that this thread takes first */
}

CM_INLINE void cm_hold_drop_(struct cm_thread_ *thread, struct cm_hold_ *hold)
{
    thread->holding--;
    cm_store_relaxed_(&hold->cell, (const uint64_t *)NULL);
}

/* Whether the thread holds anything. */
CM_INLINE bool cm_hold_any_(const struct cm_thread_ *thread)
{
    return thread->holding != 0;
}

/* A walk over a thread's holds. */
struct cm_hold_walk_ {
    struct cm_hold_block_ *block;
    size_t i;
};

CM_INLINE struct cm_hold_walk_ cm_holds_of_(struct cm_thread_ *thread)
{
    struct cm_hold_walk_ walk = {&thread->held, 0};
    return walk;
}

/* The next hold of the cell; NULL: no more. */
CM_API CM_COLD struct cm_hold_ *cm_hold_next_(struct cm_hold_walk_ *walk, const uint64_t *cell);
/* Any hold of the cell. */
CM_API CM_COLD struct cm_hold_ *cm_hold_find_(struct cm_thread_ *thread, const uint64_t *cell);
/* Whether there is one: mostly it is the first. */
CM_INLINE bool cm_holds_(struct cm_thread_ *thread, const uint64_t *cell)
{
    return CM_LIKELY(cm_load_relaxed_(&thread->held.holds->cell) == cell) || cm_hold_find_(thread, cell) != NULL;
}

/* The one by which the thread has frozen the cell's map, or is about to and has come past the cell. */
CM_API CM_COLD struct cm_hold_ *cm_hold_freeze_of_(struct cm_thread_ *thread, const uint64_t *cell,
                                                   struct cm_waiters_ *waiters);
/* Any exclusive one of a map, told by its count of waiters. */
CM_API CM_COLD struct cm_hold_ *cm_hold_find_exclusive_(struct cm_thread_ *thread, const struct cm_waiters_ *waiters);

/* The same for holds whose threads have ended. The caller has the cell. */
CM_API CM_COLD struct cm_hold_ *cm_hold_next_died_(const uint64_t *cell, struct cm_hold_ *hold);
/* Forgets a hold whose thread has ended. */
CM_API CM_COLD void cm_hold_bury_(struct cm_hold_ *hold);
/* Two maps have changed places in memory. */
CM_API CM_COLD void cm_holds_swap_(struct cm_waiters_ *a, struct cm_waiters_ *b);
/* Forgets all of a map that is destroyed, told by its count of waiters. */
CM_API CM_COLD void cm_holds_bury_all_(const struct cm_waiters_ *waiters);

#define CM_REACHED_ALL_ UINT64_MAX

/* What is known of frozen maps. The hold of one names no cell, but the map's count of waiters as one, and has the size
 * of its buckets for a slot. */
struct cm_freezing_ {
    /* Gives back a map whose thread ends. */
    void (*thaw)(struct cm_waiters_ *waiters, size_t bucket_size);
    /* Whether the cell is one of the map, of a lower point than `reached`. */
    bool (*is_reached)(struct cm_waiters_ *waiters, size_t bucket_size, const uint64_t *cell, uint64_t reached);
};
CM_API void cm_holds_freeze_by_(const struct cm_freezing_ *freezing);

/* How a use that a call had of a counted entry (locked.h), told by its type and its cell, is given back when the call's
 * thread ends. */
typedef void cm_use_end_(const struct cm_type *type, uint64_t *cell);
CM_API void cm_holds_count_by_(cm_use_end_ *end);

/* Where a lock was taken. */
CM_INLINE cm_call_site cm_hold_site_(const struct cm_hold_ *hold)
{
    static const cm_call_site unknown = {NULL, 0, NULL};
    return hold->traced ? hold->at : unknown;
}

/* Tells the user's hook of the thread's own lock. */
CM_API CM_COLD void cm_hold_tell_(struct cm_thread_ *thread, const struct cm_hold_ *hold);

/* Says that the thread is about to sleep until the cell is free. False: somebody waits for this thread who would then
 * never be let in, and the wait must be given up; nothing is published. */
CM_API CM_COLD bool cm_wait_publish_(struct cm_thread_ *thread, const uint64_t *cell, struct cm_want_ want,
                                     bool reports);
/* Tells the user's hook of the circle that one of these two found. */
CM_API CM_COLD void cm_wait_tell_(struct cm_thread_ *thread);
/* Takes it back. False: another thread has given this wait up, to end a circle. */
CM_API CM_COLD bool cm_wait_withdraw_(struct cm_thread_ *thread);

CM_END_DECLS

#endif
