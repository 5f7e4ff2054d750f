/* Reclamation domains: epochs that tell when no reader can still look at memory that was unlinked.
 *
 * Shape. A domain has an epoch word {epoch, FENCES} alone on its lines, and a slot for each thread that ever used it
 * (per_thread.h). A slot has two words that readers write: `pin`, of the library's own brackets, and `held`, of the
 * user: from when its thread was pinned first, joined, or reported last. Each is 0, or the epoch word as it was then.
 * Pin objects, which belong to no thread, are in a list of the domain, whose oldest counts (`oldest`). In the process's
 * own domain the pins of maps are in the thread records instead, with one more for single lookups (`leaf`).
 *
 * Readers enter by storing the epoch word into their pin, and leave by storing back what stood there before: 0, or the
 * outer pin's word where pins nest. Two plain stores to a line of their own. A pin of a thread that is online nests in
 * that; an online thread reports by storing the epoch word anew.
 *
 * Reclamation. Memory is unlinked, then tagged with the epoch read after a full fence (cm_domain_tag_). It may be given
 * back once the epoch is two past its tag (cm_domain_passed_). The epoch advances when every pin is 0 or equal to it.
 *
 * Why it holds. (I1) A pin at epoch e keeps the epoch at most e + 1, because advancing from e + 1 needs that pin gone.
 * (I2) A reader that the scan of an advance did not see has not loaded anything before the scan's membarrier: the
 * barrier runs in the reader's processor either after the pin's store, and then the scan sees it, or before, and then
 * the reader's later loads see all that was unlinked before the scan. So memory tagged e was unlinked before the
 * advance to e + 1; a reader that holds it is pinned at e or earlier or was seen at e + 1 by no scan; the advance to e
 * + 2 needs it gone. (I3) A word that is not 0 only ever changes to 0, or to a later epoch by its own thread's report:
 * whoever nests keeps the older one. `oldest` changes under the domain's lock, to the epoch of the pin object that is
 * the oldest now, which no other can precede, for epochs are read under that lock. Tests: test_blocks.c, test_domain.c.
 *
 * Without membarrier (FENCES set) readers run a full fence of their own after the pin's store. If membarrier stops
 * working in a running process, nothing is given back until every thread has acknowledged by setting `fenced` in its
 * record, and in its slot of the domain: by its next pin, or by advancing the epoch itself. Records and slots come into
 * use with a full fence between the store of `used` and the load of the epoch word: either the scan sees that it is
 * used, or its thread sees FENCES, and acknowledges at once, so that who never pins holds nothing back.
 *
 * Failure. A thread for which there is no slot shares the domain's stranger, whose words are set for ever: its accesses
 * are safe, and what was retired waits until the domain is destroyed. */
#ifndef CONCMAP_DETAIL_DOMAIN_H
#define CONCMAP_DETAIL_DOMAIN_H

#include <concmap/detail/per_thread.h>
#include <concmap/detail/thread.h>
#include <pthread.h>

CM_BEGIN_DECLS

#define CM_EPOCH_FENCES_ UINT64_C(1) /* readers fence for themselves */
#define CM_EPOCH_ONE_ UINT64_C(2)

/* A thread in a domain. Only its thread writes it, with plain stores. */
struct cm_slot_ {
    uint64_t pin;    /* of the library's brackets */
    uint64_t held;   /* of the user: pinned or online */
    uint32_t used;   /* 1: a living thread has it */
    uint32_t fenced; /* 1: every store of the above is followed by a fence of its own */
    uint32_t depth;  /* of the user's pins */
    uint32_t online; /* 1: it has joined */
    uint32_t owes;   /* 1: it retired something inside a pin, and tries to give back when it is outside */
    char apart_[CM_APART - 36];
};

CM_STATIC_ASSERT(sizeof(struct cm_slot_) == CM_APART, "what two threads write stands apart");

struct cm_pin;
struct cm_retired;

/* What has been retired in a domain, oldest first, and who is told when it is much. Under the domain's lock. */
struct cm_retired_ {
    struct cm_retired *head, *tail;
    size_t objects; /* relaxed to read: a hint */
    size_t bytes;
    uint64_t retired;      /* objects ever */
    uint64_t given_back;   /* of them, in the same order */
    size_t objects_at_try; /* retired since somebody last tried to give back */
    size_t bytes_at_try;
    uint64_t tried_at;         /* by CLOCK_MONOTONIC in nanoseconds */
    bool held_up;              /* by readers, then */
    struct cm_thread_ *runner; /* gives back just now: one at a time */
    size_t running_bytes;      /* of the object whose function runs */
    size_t most_objects;       /* the high-water mark; 0: none */
    size_t most_bytes;
    bool above; /* it was told */
    void (*warn)(void *context);
    void *warn_context;
};

struct cm_domain {
    uint64_t epoch; /* read by every pin, written seldom */
    char apart_[CM_APART - 8];
    uint64_t oldest;             /* epoch word of the oldest open pin object; 0: none */
    struct cm_per_thread_ slots; /* struct cm_slot_ */
    struct cm_slot_ stranger;    /* of all threads without a slot of their own */
    cm_allocator allocator;
    uint64_t advanced_at;   /* when the epoch did, by CLOCK_MONOTONIC in nanoseconds; 0: never yet */
    uint64_t rests_until;   /* by the same clock: see cm_domain_rests_() */
    struct cm_domain *next; /* of all domains, under the lock of their list */
    size_t users;           /* maps, by which it may not be destroyed */
    pthread_mutex_t lock;   /* what follows; a leaf */
    struct cm_pin *opened, *opened_last;
    size_t opened_count;
    struct cm_retired_ retired;
};

/* The process's own: what maps use that were given none. */
extern CM_API struct cm_domain cm_domain_;

/* A pin to be undone. */
struct cm_pin_ {
    struct cm_thread_ *thread;
    uint64_t *word;
    uint64_t outer;
};

/* The fence of a reader where membarrier does not serve; acknowledges the mode. */
CM_API CM_COLD void cm_domain_fence_(struct cm_thread_ *self);
/* The same, for the words of a slot. */
CM_API CM_COLD void cm_slot_fence_(struct cm_slot_ *slot);

/* Pins by this word, of the calling thread, in this domain; `slot`: that the word is of, NULL: the thread record. */
CM_INLINE struct cm_pin_ cm_pin_enter_by_(struct cm_thread_ *thread, struct cm_slot_ *slot,
                                          const struct cm_domain *domain)
{
    struct cm_pin_ pin;
    pin.thread = thread;
    pin.word = slot ? &slot->pin : &thread->pin;
    pin.outer = cm_load_relaxed_(pin.word); /* relaxed: the thread's own word */
    /* Pairs with the release of an advance: who enters at an epoch sees what was unlinked before it began. */
    uint64_t epoch = cm_load_acquire_(&domain->epoch);
    /* Ordered before the reader's loads by the membarrier of cm_domain_advance_(); release, so that a scan that reads
     * it has seen the end of the thread's earlier pins. */
    cm_store_release_(pin.word, pin.outer ? pin.outer : epoch);
    CM_COMPILER_BARRIER();
    if (CM_UNLIKELY(epoch & CM_EPOCH_FENCES_)) {
        if (slot)
            cm_slot_fence_(slot);
        else
            cm_domain_fence_(thread);
    }
    return pin;
}

CM_INLINE struct cm_pin_ cm_pin_enter_(void)
{
    return cm_pin_enter_by_(cm_thread_get_(), NULL, &cm_domain_);
}

CM_INLINE void cm_pin_leave_(struct cm_pin_ pin)
{
    CM_COMPILER_BARRIER();
    /* The reads above are done. Pairs with the acquire in cm_domain_advance_(). */
    cm_store_release_(pin.word, pin.outer);
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

/* ---- slots ---- */

/* The calling thread's slot, taken into use; NULL: there is no memory for one. May allocate. */
CM_API struct cm_slot_ *cm_slot_make_(struct cm_domain *domain, struct cm_thread_ *thread);
/* The slot for those who must have one: maybe the stranger's. */
CM_API struct cm_slot_ *cm_slot_make_or_share_(struct cm_domain *domain, struct cm_thread_ *thread);

/* The calling thread's slot if it is in use and easily found, or NULL. */
CM_INLINE struct cm_slot_ *cm_slot_near_(struct cm_domain *domain, const struct cm_thread_ *thread)
{
    if (CM_UNLIKELY(thread->index >= CM_PER_THREAD_FIRST_))
        return NULL;
    /* Acquire: pairs with the release that published the zeroed segment. */
    char *segment = cm_load_acquire_(&domain->slots.segments[0]);
    if (CM_UNLIKELY(!segment))
        return NULL;
    struct cm_slot_ *slot = (struct cm_slot_ *)(void *)segment + thread->index;
    return CM_LIKELY(cm_load_relaxed_(&slot->used)) ? slot : NULL; /* relaxed: the thread's own */
}

/* Stores the epoch word into one of the slot's, from when on what can be found is kept. */
CM_INLINE void cm_slot_enter_(struct cm_domain *domain, struct cm_slot_ *slot, uint64_t *word)
{
    uint64_t epoch = cm_load_acquire_(&domain->epoch); /* as in cm_pin_enter_() */
    cm_store_release_(word, epoch);
    CM_COMPILER_BARRIER();
    if (CM_UNLIKELY(epoch & CM_EPOCH_FENCES_))
        cm_slot_fence_(slot);
}

/* The calling thread's slot, for those who must have one: maybe the stranger's. NULL: of the process's own domain,
 * whose pins are in thread records. */
CM_INLINE struct cm_slot_ *cm_slot_to_pin_(struct cm_domain *domain, struct cm_thread_ *thread)
{
    if (domain == &cm_domain_)
        return NULL;
    struct cm_slot_ *slot = cm_slot_near_(domain, thread);
    return CM_LIKELY(slot != NULL) ? slot : cm_slot_make_or_share_(domain, thread);
}

/* A pin in a domain known only at run time; NULL: the process's own. */
CM_INLINE struct cm_pin_ cm_pin_enter_of_(struct cm_domain *domain)
{
    struct cm_thread_ *thread = cm_thread_get_();
    domain = domain ? domain : &cm_domain_;
    return cm_pin_enter_by_(thread, cm_slot_to_pin_(domain, thread), domain);
}

/* Takes the calling thread online; only its thread, and not in a pin of the user. */
CM_API CM_COLD void cm_domain_go_online_(struct cm_domain *domain, struct cm_slot_ *slot);

/* Sees to it that what the calling thread finds in the domain (NULL: the process's own) stays: true where it is inside
 * a pin of the user or online; otherwise it joins. Where it has no slot, the stranger is online for it. */
CM_INLINE bool cm_domain_online_(struct cm_domain *domain)
{
    domain = domain ? domain : &cm_domain_;
    struct cm_thread_ *thread = cm_thread_get_();
    struct cm_slot_ *slot = cm_slot_near_(domain, thread);
    if (CM_UNLIKELY(!slot))
        slot = cm_slot_make_or_share_(domain, thread);
    if (CM_LIKELY(cm_load_relaxed_(&slot->held) != 0)) /* relaxed: the thread's own */
        return true;
    cm_domain_go_online_(domain, slot);
    return false;
}

/* ---- reclamation; NULL: of the process's own domain ---- */

/* The tag for memory that the caller has just unlinked. */
CM_API uint64_t cm_domain_tag_(const struct cm_domain *domain);

/* Whether no reader can still look at memory of this tag. */
CM_API bool cm_domain_passed_(const struct cm_domain *domain, uint64_t tag);

/* Advances the epoch by one if no pin is older. Costs a membarrier: 0.4 us alone, some 10 us with readers on other
 * cores. Lock-free; callable inside a pin (then it may fail, and never waits). */
CM_API CM_COLD bool cm_domain_advance_(struct cm_domain *domain);

/* Whether who can wait should not advance the epoch yet, so that barriers for small plain nodes take
 * about a sixteenth of the time. */
CM_API bool cm_domain_rests_(const struct cm_domain *domain);

/* One map more, or less, that uses the domain, which is not destroyed meanwhile. */
CM_API CM_COLD void cm_domain_use_(struct cm_domain *domain);
CM_API CM_COLD void cm_domain_unuse_(struct cm_domain *domain);

CM_END_DECLS

#endif
