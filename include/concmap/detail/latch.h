/* Waiting for what other threads do: the bell of a thread, and latches.
 *
 * A thread that has nothing to do sleeps on its bell, a word in its record (thread.h). It sets the bell, looks once
 * more whether there is nothing, and sleeps; whoever has made something for it to do rings. Records are never freed, so
 * a bell may be rung by who does not know whether its thread still waits, or lives: a ring too many is harmless.
 *
 * A latch counts what is under way. Whoever counts it down to zero rings for the one thread that waits for it, and does
 * not touch the latch after that, which may be gone. Where a wait was given up another thread may wait next: its name
 * comes with another turn, so that whoever has read the old name, and was about to count, reads again.
 *
 * Invariants. (W1) Setting the bell and ringing are read-modify-writes of one word, so of two that meet one sees the
 * other: a sleeper whose bell was rung before it set it sees why it was rung. (W2) Where the ringer looks at the bell
 * first, a full fence stands between what it has made and that look, and one between setting the bell and looking for
 * something to do. (W3) CM_LATCH_AWAITED_ is set, and the turn changed, after the bell and the waiter's name; all are
 * read before the count goes down, by a compare-and-swap of all. */
#ifndef CONCMAP_DETAIL_LATCH_H
#define CONCMAP_DETAIL_LATCH_H

#include <concmap/deadline.h>
#include <concmap/detail/thread.h>

CM_BEGIN_DECLS

#define CM_LATCH_TURN_ (UINT64_C(1) << 32)
#define CM_LATCH_COUNT_ (CM_LATCH_TURN_ - 1)
#define CM_LATCH_AWAITED_ (UINT64_C(1) << 63)

struct cm_latch_ {
    uint64_t word;             /* the count, the waiters' turn, and whether somebody sleeps */
    struct cm_thread_ *waiter; /* who; set before CM_LATCH_AWAITED_ is */
};

/* Says that the thread is about to sleep. Then it looks whether it must, and sleeps, or says that it is awake. */
CM_API void cm_bell_set_(struct cm_thread_ *self);
CM_API void cm_bell_unset_(struct cm_thread_ *self);
/* Sleeps until the bell is rung, or past the deadline, or for no reason. */
CM_API void cm_bell_sleep_(struct cm_thread_ *self, cm_deadline deadline);
/* Wakes the thread, if it sleeps or is about to. */
CM_API void cm_bell_ring_(struct cm_thread_ *thread);
/* The same for ringers whose work is published by a plain store: a look first, behind a fence (W2). */
CM_API void cm_bell_ring_if_set_(struct cm_thread_ *thread);

CM_API void cm_latch_up_(struct cm_latch_ *latch);
CM_API void cm_latch_down_(struct cm_latch_ *latch);
/* Whether it is at zero; then what was done before each count down is seen. */
CM_API bool cm_latch_is_done_(const struct cm_latch_ *latch);
/* Names the thread, whose bell is set, as the waiter. False: there is nothing to wait for. */
CM_API bool cm_latch_await_(struct cm_latch_ *latch, struct cm_thread_ *self);

CM_END_DECLS

#endif
