/* Bells and latches. */
#include <concmap/detail/latch.h>

#include "platform.h"

#define NAP_NS 1000000 /* of strangers, who share a record: one ring may wake another one */

enum { AWAKE, ASLEEP };

void cm_bell_set_(struct cm_thread_ *self)
{
    cm_exchange_acq_rel_(&self->bell, ASLEEP); /* (W1) */
    cm_fence_full_();                          /* (W2); pairs with cm_bell_ring_if_set_() */
}

void cm_bell_unset_(struct cm_thread_ *self)
{
    cm_store_relaxed_(&self->bell, AWAKE); /* relaxed: a ringer that misses this wakes one who is awake */
}

void cm_bell_sleep_(struct cm_thread_ *self, cm_deadline deadline)
{
    if (self->index == CM_STRANGER_ && cm_deadline_after(NAP_NS) < deadline)
        deadline = cm_deadline_after(NAP_NS);
    int64_t left = -1;
    if (deadline != CM_FOREVER) {
        cm_deadline now = cm_deadline_after(0);
        left = now >= deadline ? 0 : (int64_t)(deadline - now);
    }
    if (left != 0)
        cm_platform_sleep_(&self->bell, ASLEEP, left);
    cm_bell_unset_(self);
}

void cm_bell_ring_(struct cm_thread_ *thread)
{
    if (cm_exchange_acq_rel_(&thread->bell, AWAKE) == ASLEEP) /* (W1) */
        cm_platform_wake_(&thread->bell);
}

void cm_bell_ring_if_set_(struct cm_thread_ *thread)
{
    cm_fence_full_();                              /* (W2); pairs with cm_bell_set_() */
    if (cm_load_relaxed_(&thread->bell) == ASLEEP) /* relaxed: the fences order it */
        cm_bell_ring_(thread);
}

void cm_latch_up_(struct cm_latch_ *latch)
{
    cm_add_relaxed_(&latch->word, 1); /* relaxed: what it counts is published when it is sent */
}

void cm_latch_down_(struct cm_latch_ *latch)
{
    struct cm_thread_ *waiter;
    /* Acquire: the waiter's name; pairs with cm_latch_await_(). */
    uint64_t word = cm_load_acquire_(&latch->word);
    do
        waiter = word & CM_LATCH_AWAITED_ ? cm_load_relaxed_(&latch->waiter) : NULL; /* (W3) */
    while (!cm_swap_if_acq_rel_(&latch->word, &word, word - 1));
    if (waiter && (word & CM_LATCH_COUNT_) == 1)
        cm_bell_ring_(waiter);
}

bool cm_latch_is_done_(const struct cm_latch_ *latch)
{
    return (cm_load_acquire_(&latch->word) & CM_LATCH_COUNT_) == 0; /* pairs with cm_latch_down_() */
}

bool cm_latch_await_(struct cm_latch_ *latch, struct cm_thread_ *self)
{
    uint64_t turn = cm_load_relaxed_(&latch->waiter) == self ? 0 : CM_LATCH_TURN_; /* relaxed: waiters' own */
    cm_store_relaxed_(&latch->waiter, self);
    uint64_t word = cm_load_acquire_(&latch->word);
    while (!cm_swap_if_acq_rel_(&latch->word, &word, (word + turn) | CM_LATCH_AWAITED_)) /* (W3); also if it is set */
        ;
    return (word & CM_LATCH_COUNT_) != 0;
}
