/* What the files of domains share: slots and epochs (domain.c), and what waits (retire.c). Internal. */
#ifndef CONCMAP_DOMAIN_CORE_H
#define CONCMAP_DOMAIN_CORE_H

#include <concmap/domain.h>

/* Who is in the way of an advance, and which thread that is. */
struct cm_holding_ {
    cm_holder holder;
    uint32_t index;
};

/* Who is in the way of the epoch; one of them. */
struct cm_holding_ cm_domain_held_back_(const struct cm_domain *domain, uint64_t epoch);
const cm_allocator *cm_domain_allocator_(const struct cm_domain *domain);
/* The slot of a thread, which calls; NULL: it has none. */
struct cm_slot_ *cm_slot_find_(const struct cm_domain *domain, const struct cm_thread_ *thread);
/* Whether the calling thread is inside no pin of any domain and has no guard, so that functions may run. */
bool cm_domains_outside_(const struct cm_thread_ *thread);

/* Whether the thread gives back in the domain just now. */
bool cm_domain_runs_(struct cm_domain *domain, const struct cm_thread_ *thread);
/* Gives back everything, whoever may look at it. */
void cm_domain_give_back_all_(struct cm_domain *domain);
/* A thread has ended; maybe amid giving back. */
void cm_domain_runner_ended_(struct cm_domain *domain, const struct cm_thread_ *thread);
/* In a forked child, of this thread; the domain is locked. */
void cm_domain_runner_forget_(struct cm_domain *domain, const struct cm_thread_ *self);

#endif
