/* Domains, their slots, and advancing the epoch: see detail/domain.h for the proof. */
#include <concmap/domain.h>

#include "domain_core.h"
#include "platform.h"
#include "probes.h"
#include "thread_registry.h"

struct cm_domain cm_domain_
    __attribute__((aligned(CM_APART))) = {.epoch = CM_EPOCH_ONE_, .lock = PTHREAD_MUTEX_INITIALIZER};

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER; /* the list of domains; before the lock of one */
static struct cm_domain *all_domains = &cm_domain_;

/* A domain rests so many times as long as its last barrier took; but no longer than for this: else its thread had lost
 * its processor meanwhile. */
#define REST_PER_BARRIER 16
#define BARRIER_MOST_NS 100000

static const struct cm_domain *domain_of(const struct cm_domain *domain)
{
    return domain ? domain : &cm_domain_;
}

static void domain_use_fences(struct cm_domain *domain)
{
    cm_or_relaxed_(&domain->epoch, CM_EPOCH_FENCES_);
}

static bool uses_fences(const struct cm_domain *domain)
{
    return cm_load_relaxed_(&domain->epoch) & CM_EPOCH_FENCES_;
}

const cm_allocator *cm_domain_allocator_(const struct cm_domain *domain)
{
    return domain->allocator.allocate ? &domain->allocator : cm_allocator_default();
}

/* ---- making and unmaking ---- */

cm_domain *cm_domain_default(void)
{
    return &cm_domain_;
}

void cm_domain_start_(void)
{
    cm_platform_lockfree_memory_(&cm_domain_, sizeof cm_domain_);
    bool serves = cm_platform_barrier_start_();
    for (struct cm_domain *domain = all_domains; domain && !serves; domain = domain->next)
        domain_use_fences(domain);
}

void cm_domain_force_fences_(void)
{
    pthread_mutex_lock(&list_lock);
    for (struct cm_domain *domain = all_domains; domain; domain = domain->next)
        domain_use_fences(domain);
    pthread_mutex_unlock(&list_lock);
}

cm_status cm_domain_init_(cm_domain *domain, const cm_allocator *allocator, size_t domain_size)
{
    if (!domain || domain_size != sizeof *domain)
        return CM_INVALID;
    cm_thread_get_(); /* the process is registered for barriers */
    memset(domain, 0, sizeof *domain);
    cm_platform_lockfree_memory_(domain, sizeof *domain);
    domain->epoch = CM_EPOCH_ONE_ | (uses_fences(&cm_domain_) ? CM_EPOCH_FENCES_ : 0);
    domain->allocator = allocator ? *allocator : *cm_allocator_default();
    pthread_mutex_init(&domain->lock, NULL);
    pthread_mutex_lock(&list_lock);
    domain->next = all_domains;
    all_domains = domain;
    pthread_mutex_unlock(&list_lock);
    return CM_OK;
}

static void list_remove(struct cm_domain *domain)
{
    pthread_mutex_lock(&list_lock);
    struct cm_domain **link = &all_domains;
    while (*link != domain)
        link = &(*link)->next;
    *link = domain->next;
    pthread_mutex_unlock(&list_lock);
}

/* Whether anybody is inside who is not merely online. */
static bool domain_is_pinned(const struct cm_domain *domain)
{
    size_t k = 0;
    const struct cm_slot_ *slot;
    while ((slot = cm_per_thread_next_(&domain->slots, sizeof *slot, &k)) != NULL)
        if (cm_load_relaxed_(&slot->pin) || cm_load_relaxed_(&slot->depth))
            return true;
    return cm_load_relaxed_(&domain->oldest) != 0;
}

cm_status cm_domain_destroy(cm_domain *domain)
{
    if (domain == &cm_domain_)
        return CM_INVALID;
    if (cm_domain_runs_(domain, cm_thread_get_()))
        return CM_DEADLOCK;
    if (domain_is_pinned(domain) || cm_load_acquire_(&domain->users) != 0)
        return CM_BUSY;
    cm_domain_give_back_all_(domain);
    list_remove(domain);
    cm_per_thread_destroy_(&domain->slots, &domain->allocator, sizeof(struct cm_slot_));
    pthread_mutex_destroy(&domain->lock);
    memset(domain, 0, sizeof *domain);
    return CM_OK;
}

void cm_domain_use_(struct cm_domain *domain)
{
    if (domain)
        cm_add_relaxed_(&domain->users, 1); /* relaxed: who makes a map of it has it */
}

void cm_domain_unuse_(struct cm_domain *domain)
{
    if (domain)
        cm_sub_release_(&domain->users, 1); /* pairs with cm_domain_destroy() */
}

/* ---- slots ---- */

void cm_domain_fence_(struct cm_thread_ *self)
{
    cm_store_relaxed_(&self->fenced, 1); /* ordered by the fence, like the pin before it */
    cm_fence_full_();
}

void cm_slot_fence_(struct cm_slot_ *slot)
{
    cm_store_relaxed_(&slot->fenced, 1); /* as in cm_domain_fence_() */
    cm_fence_full_();
}

void cm_domain_begin_(struct cm_thread_ *record)
{
    cm_fence_full_(); /* before the epoch word is loaded: see domain.h */
    if (uses_fences(&cm_domain_))
        cm_store_relaxed_(&record->fenced, 1);
}

struct cm_slot_ *cm_slot_make_(struct cm_domain *domain, struct cm_thread_ *thread)
{
    struct cm_slot_ *slot =
        cm_per_thread_make_(&domain->slots, cm_domain_allocator_(domain), thread->index, sizeof *slot);
    if (slot && !cm_load_relaxed_(&slot->used)) { /* relaxed: the thread's own */
        cm_store_relaxed_(&slot->used, 1);
        cm_fence_full_(); /* before the epoch word is loaded: see domain.h */
        cm_store_relaxed_(&slot->fenced, (uint32_t)uses_fences(domain));
    }
    return slot;
}

struct cm_slot_ *cm_slot_make_or_share_(struct cm_domain *domain, struct cm_thread_ *thread)
{
    struct cm_slot_ *slot = cm_slot_make_(domain, thread);
    if (slot)
        return slot;
    slot = &domain->stranger;
    cm_store_release_(&slot->pin, CM_EPOCH_ONE_); /* for ever, both of them */
    cm_store_release_(&slot->held, CM_EPOCH_ONE_);
    cm_fence_full_();
    return slot;
}

struct cm_slot_ *cm_slot_find_(const struct cm_domain *domain, const struct cm_thread_ *thread)
{
    struct cm_slot_ *slot = cm_per_thread_find_(&domain->slots, thread->index, sizeof *slot);
    return slot && cm_load_relaxed_(&slot->used) ? slot : NULL; /* relaxed: the thread's own */
}

/* Takes a slot from its thread, which has ended or does not exist in this process. */
static void slot_leave(struct cm_slot_ *slot)
{
    cm_store_release_(&slot->pin, 0); /* both pair with the scan of an advance */
    cm_store_release_(&slot->held, 0);
    cm_store_relaxed_(&slot->depth, 0);
    cm_store_relaxed_(&slot->online, 0);
    cm_store_relaxed_(&slot->owes, 0);
    cm_store_release_(&slot->used, 0);
}

void cm_domains_part_(struct cm_thread_ *thread)
{
    pthread_mutex_lock(&list_lock);
    for (struct cm_domain *domain = all_domains; domain; domain = domain->next) {
        struct cm_slot_ *slot = cm_slot_find_(domain, thread);
        if (slot)
            slot_leave(slot);
        cm_domain_runner_ended_(domain, thread);
    }
    pthread_mutex_unlock(&list_lock);
}

bool cm_domains_outside_(const struct cm_thread_ *thread)
{
    /* Relaxed: all of them the thread's own. */
    bool outside = !cm_load_relaxed_(&thread->pin) && !cm_load_relaxed_(&thread->leaf) && thread->holding == 0;
    pthread_mutex_lock(&list_lock);
    for (struct cm_domain *domain = all_domains; domain && outside; domain = domain->next) {
        const struct cm_slot_ *slot = cm_slot_find_(domain, thread);
        outside = !slot || (!cm_load_relaxed_(&slot->pin) && !cm_load_relaxed_(&slot->depth));
    }
    pthread_mutex_unlock(&list_lock);
    return outside;
}

/* ---- fork ---- */

void cm_domains_lock_(void)
{
    pthread_mutex_lock(&list_lock);
    for (struct cm_domain *domain = all_domains; domain; domain = domain->next)
        pthread_mutex_lock(&domain->lock);
}

void cm_domains_unlock_(void)
{
    for (struct cm_domain *domain = all_domains; domain; domain = domain->next)
        pthread_mutex_unlock(&domain->lock);
    pthread_mutex_unlock(&list_lock);
}

static void domain_forget(struct cm_domain *domain, const struct cm_thread_ *self)
{
    size_t k = 0;
    struct cm_slot_ *slot;
    while ((slot = cm_per_thread_next_(&domain->slots, sizeof *slot, &k)) != NULL)
        if (!self || k - 1 != self->index)
            slot_leave(slot);
    if (self && cm_slot_find_(domain, self)) /* otherwise the thread may be the stranger, and inside */
        domain->stranger.pin = domain->stranger.held = 0;
    cm_domain_runner_forget_(domain, self);
}

void cm_domains_forget_(const struct cm_thread_ *self)
{
    for (struct cm_domain *domain = all_domains; domain; domain = domain->next)
        domain_forget(domain, self);
}

/* ---- the epoch ---- */

uint64_t cm_domain_tag_(const struct cm_domain *domain)
{
    /* The unlinking comes before the tag: without the fence a reader could find the memory after a tag of long ago. */
    cm_fence_full_();
    /* Acquire: memory of an older tag may be used again on the strength of this load, as in cm_domain_passed_(). */
    return cm_load_acquire_(&domain_of(domain)->epoch) & ~CM_EPOCH_FENCES_;
}

bool cm_domain_passed_(const struct cm_domain *domain, uint64_t tag)
{
    domain = domain_of(domain);
    /* Pairs with the release of an advance, and through it with every reader that left. */
    uint64_t epoch = cm_load_acquire_(&domain->epoch) & ~CM_EPOCH_FENCES_;
    cm_platform_tsan_acquire_(&domain->epoch);
    return epoch >= tag + 2 * CM_EPOCH_ONE_;
}

static bool pin_allows(const uint64_t *word, uint64_t epoch)
{
    /* Pairs with the release of pins: what the thread read inside is read. */
    uint64_t pin = cm_load_acquire_(word);
    cm_platform_tsan_acquire_(word);
    return !pin || (pin | CM_EPOCH_FENCES_) == (epoch | CM_EPOCH_FENCES_);
}

/* Whether the thread is outside, or inside at this epoch; and fences for itself where that is needed. */
static bool reader_is_at(const struct cm_thread_ *thread, uint64_t epoch)
{
    bool fenced = !(epoch & CM_EPOCH_FENCES_) || !cm_load_relaxed_(&thread->used) || cm_load_relaxed_(&thread->fenced);
    return fenced && pin_allows(&thread->pin, epoch) && pin_allows(&thread->leaf, epoch);
}

/* The same for a slot. */
static bool slot_is_at(const struct cm_slot_ *slot, uint64_t epoch)
{
    bool fenced = !(epoch & CM_EPOCH_FENCES_) || !cm_load_relaxed_(&slot->used) || cm_load_relaxed_(&slot->fenced);
    return fenced && pin_allows(&slot->pin, epoch) && pin_allows(&slot->held, epoch);
}

/* Of the process's own domain: the pins of maps. */
static struct cm_holding_ record_in_the_way(uint64_t epoch)
{
    for (struct cm_thread_ *thread = cm_thread_records_(); thread; thread = thread->next)
        if (!reader_is_at(thread, epoch))
            return (struct cm_holding_){CM_HOLDER_THREAD, thread->index};
    return (struct cm_holding_){cm_thread_stranger_pinned_() ? CM_HOLDER_STRANGER : CM_HOLDER_NONE, CM_STRANGER_};
}

static struct cm_holding_ slot_in_the_way(const struct cm_domain *domain, uint64_t epoch)
{
    size_t k = 0;
    const struct cm_slot_ *slot;
    while ((slot = cm_per_thread_next_(&domain->slots, sizeof *slot, &k)) != NULL)
        if (!slot_is_at(slot, epoch))
            return (struct cm_holding_){CM_HOLDER_THREAD, (uint32_t)(k - 1)};
    if (!pin_allows(&domain->stranger.pin, epoch))
        return (struct cm_holding_){CM_HOLDER_STRANGER, CM_STRANGER_};
    return (struct cm_holding_){pin_allows(&domain->oldest, epoch) ? CM_HOLDER_NONE : CM_HOLDER_PIN, CM_STRANGER_};
}

struct cm_holding_ cm_domain_held_back_(const struct cm_domain *domain, uint64_t epoch)
{
    struct cm_holding_ holding = slot_in_the_way(domain, epoch);
    return holding.holder == CM_HOLDER_NONE && domain == &cm_domain_ ? record_in_the_way(epoch) : holding;
}

/* The calling thread fences from now on: this one stands behind the pins that it has. */
static void acknowledge(struct cm_domain *domain)
{
    struct cm_thread_ *self = cm_thread_self_;
    struct cm_slot_ *slot = self ? cm_slot_find_(domain, self) : NULL;
    if (slot)
        cm_store_relaxed_(&slot->fenced, 1);
    if (self)
        cm_domain_fence_(self);
    else
        cm_fence_full_();
}

bool cm_domain_rests_(const struct cm_domain *domain)
{
    return cm_deadline_after(0) < cm_load_relaxed_(&domain_of(domain)->rests_until); /* relaxed: a hint */
}

bool cm_domain_advance_(struct cm_domain *domain)
{
    domain = domain ? domain : &cm_domain_;
    uint64_t epoch = cm_load_acquire_(&domain->epoch);
    cm_deadline begun = cm_deadline_after(0);
    /* The lists of records and slots are read after the barrier, and the pins after the lists. */
    if (epoch & CM_EPOCH_FENCES_) {
        acknowledge(domain);
    } else if (!cm_platform_barrier_()) {
        domain_use_fences(domain);
        return false;
    }
    cm_deadline now = cm_deadline_after(0), took = now - begun < BARRIER_MOST_NS ? now - begun : BARRIER_MOST_NS;
    cm_store_relaxed_(&domain->rests_until, now + took * REST_PER_BARRIER); /* relaxed: a hint */
    struct cm_holding_ holding = cm_domain_held_back_(domain, epoch);
    if (holding.holder != CM_HOLDER_NONE) {
        CM_PROBE2(reclaim_stall, epoch, holding.index);
        return false;
    }
    cm_platform_tsan_release_(&domain->epoch);
    /* Pairs with the acquire of pins and of cm_domain_passed_(). */
    if (!cm_swap_if_acq_rel_(&domain->epoch, &epoch, epoch + CM_EPOCH_ONE_))
        return false;
    cm_store_relaxed_(&domain->advanced_at, cm_deadline_after(0)); /* relaxed: a figure */
    return true;
}
