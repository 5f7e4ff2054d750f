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

#include <stdbool.h>
#include <stdint.h>

/* Sleeps until woken at `address`, unless blocked(context) is false by then. May return without a wake: the caller
 * looks again. `waiters` is counted up while the caller waits, for wakers to look at. */
void cm_park_(const void *address, bool (*blocked)(void *context), void *context, uint32_t *waiters);

/* Wakes the one who has waited longest at `address`, or all. */
void cm_unpark_(const void *address, bool all);

/* In a forked child: forgets those who slept in the parent, for their stacks are gone. */
void cm_parking_forget_(void);

#endif
