/* The process's reclamation domain: epochs that tell when no reader can still look at memory that was unlinked.
 *
 * Shape. One epoch word {epoch, FENCES}; every thread record has a pin, and one for single lookups; 0 while its thread
 * is outside.
 *
 * Readers enter by storing the epoch word into their pin, and leave by storing back what stood there before: 0, or the
 * outer pin's word where pins nest. Two plain stores to a line of their own.
 *
 * Reclamation. Memory is unlinked, then tagged with the epoch read after a full fence (cm_domain_tag_). It may be given
 * back once the epoch is two past its tag (cm_domain_passed_). The epoch advances when every pin is 0 or equal to it.
 *
 * Why it holds. (I1) A pin at epoch e keeps the epoch at most e + 1, because advancing from e + 1 needs that pin gone.
 * (I2) A reader that the scan of an advance did not see has not loaded anything before the scan's membarrier: the
 * barrier runs in the reader's processor either after the pin's store, and then the scan sees it, or before, and then
 * the reader's later loads see all that was unlinked before the scan. So memory tagged e was unlinked before the
 * advance to e + 1; a reader that holds it is pinned at e or earlier or was seen at e + 1 by no scan; the advance to e
 * + 2 needs it gone. Tests: test_domain.c.
 *
 * Without membarrier (FENCES set) readers run a full fence of their own after the pin's store. If membarrier stops
 * working in a running process, nothing is given back until every thread has acknowledged by setting `fenced` in its
 * record. */
#ifndef CONCMAP_DETAIL_DOMAIN_H
#define CONCMAP_DETAIL_DOMAIN_H

#include <concmap/detail/thread.h>

CM_BEGIN_DECLS

#define CM_EPOCH_FENCES_ UINT64_C(1) /* readers fence for themselves */
#define CM_EPOCH_ONE_ UINT64_C(2)

struct cm_domain_ {
    uint64_t epoch; /* alone on its lines: read by every pin, written seldom */
} __attribute__((aligned(CM_APART)));

extern CM_API struct cm_domain_ cm_domain_;

/* A pin to be undone. */
struct cm_pin_ {
    struct cm_thread_ *thread;
    uint64_t outer;
};

/* The fence of a reader where membarrier does not serve; acknowledges the mode. */
CM_API CM_COLD void cm_domain_fence_(struct cm_thread_ *self);

CM_INLINE struct cm_pin_ cm_pin_enter_(void)
{
    struct cm_pin_ pin;
    pin.thread = cm_thread_get_();
    pin.outer = cm_load_relaxed_(&pin.thread->pin); /* relaxed: the thread's own word */
    /* Pairs with the release of an advance: who enters at an epoch sees what was unlinked before it began. */
    uint64_t epoch = cm_load_acquire_(&cm_domain_.epoch);
    /* Ordered before the reader's loads by the membarrier of cm_domain_advance_(); release, so that a scan that reads
     * it has seen the end of the thread's earlier pins. */
    cm_store_release_(&pin.thread->pin, pin.outer ? pin.outer : epoch);
    CM_COMPILER_BARRIER();
    if (CM_UNLIKELY(epoch & CM_EPOCH_FENCES_))
        cm_domain_fence_(pin.thread);
    return pin;
}

CM_INLINE void cm_pin_leave_(struct cm_pin_ pin)
{
    CM_COMPILER_BARRIER();
    /* The reads above are done. Pairs with the acquire in cm_domain_advance_(). */
    cm_store_release_(&pin.thread->pin, pin.outer);
}

/* The pin of a single lookup: as above, but it cannot nest in itself, so nothing has to be kept. Hash and equality
 * functions, the only code of the user that may run inside, use no map. */
CM_INLINE struct cm_thread_ *cm_leaf_enter_(void)
{
    struct cm_thread_ *self = cm_thread_get_();
    uint64_t epoch = cm_load_acquire_(&cm_domain_.epoch); /* as in cm_pin_enter_() */
    cm_store_release_(&self->leaf, epoch);
    CM_COMPILER_BARRIER();
    if (CM_UNLIKELY(epoch & CM_EPOCH_FENCES_))
        cm_domain_fence_(self);
    return self;
}

CM_INLINE void cm_leaf_leave_(struct cm_thread_ *self)
{
    CM_COMPILER_BARRIER();
    cm_store_release_(&self->leaf, 0); /* as in cm_pin_leave_() */
}

/* The tag for memory that the caller has just unlinked. */
CM_API uint64_t cm_domain_tag_(void);

/* Whether no reader can still look at memory of this tag. */
CM_API bool cm_domain_passed_(uint64_t tag);

/* Advances the epoch by one if no pin is older. Costs a membarrier: 0.4 us alone, some 10 us with readers on other
 * cores. Lock-free; callable inside a pin (then it may fail, and never waits). */
CM_API CM_COLD bool cm_domain_advance_(void);

CM_END_DECLS

#endif
