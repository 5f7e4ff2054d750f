/* A parking lot: threads sleep by address until somebody who changed what is there wakes them. Internal.
 *
 * Shape. A fixed array of lots, each a mutex and a queue, first come first served. The word that is waited for is the
 * caller's; parking only looks at it again, through `blocked`, under the lot's mutex.
 *
 * No lost wake. The waiter counts itself in its lot, and runs a barrier in every thread of the process, before it looks
 * again. A waker stores, then looks at the count: if it misses the count, its store came before the barrier and the
 * waiter sees it. Where the barrier does not serve, sleeps are short and end by themselves. The mutex is a leaf:
 * nothing is taken under it. */
#ifndef CONCMAP_PARKING_H
#define CONCMAP_PARKING_H

#include <concmap/deadline.h>

/* How a thread waits. */
struct cm_parking_ {
    bool (*blocked)(void *context); /* looked at before sleeping */
    void *context;                  /* shown to wakers as well */
    uint32_t *waiters;              /* counted up meanwhile, for wakers to look at */
    cm_deadline deadline;           /* CM_FOREVER: none */
    uint64_t since;                 /* 0 at first: its place in the queue, kept from one sleep to the next */
};

/* Sleeps until woken at `address`, or past the deadline, unless blocked(context) is false by then. May return without a
 * wake: the caller looks again. */
void cm_park_(const void *address, struct cm_parking_ *parking);

/* Wakes the one who has waited longest at `address`, or all. */
void cm_unpark_(const void *address, bool all);

/* Whether somebody may be asleep in the lot of `address`. A hint. */
bool cm_parked_near_(const void *address);
/* Whether one who slept at `address` was woken and has not run yet. A waker who sees that, after its store, may leave
 * it at that: the woken one takes this back before it looks at the word, and runs a barrier before it sleeps again. */
bool cm_waking_(const void *address);
/* Under the lot's mutex: runs release(waker, context) with the context of the one who has waited longest, or NULL,
 * and wakes that one, or all. */
void cm_unpark_with_(const void *address, bool all, void (*release)(void *waker, void *context), void *waker);

/* In a forked child: forgets those who slept in the parent, for their stacks are gone. */
void cm_parking_forget_(void);

#endif
