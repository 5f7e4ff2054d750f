/* Advancing the epoch: see domain.h for the proof. */
#include <concmap/detail/domain.h>

#include "platform.h"
#include "probes.h"
#include "thread_registry.h"

struct cm_domain_ cm_domain_ = {.epoch = CM_EPOCH_ONE_};

static void domain_use_fences(void)
{
    cm_or_relaxed_(&cm_domain_.epoch, CM_EPOCH_FENCES_);
}

void cm_domain_start_(void)
{
    cm_platform_lockfree_memory_(&cm_domain_, sizeof cm_domain_);
    if (!cm_platform_barrier_start_())
        domain_use_fences();
}

void cm_domain_force_fences_(void)
{
    domain_use_fences();
}

void cm_domain_fence_(struct cm_thread_ *self)
{
    cm_store_relaxed_(&self->fenced, 1); /* ordered by the fence, like the pin before it */
    cm_fence_full_();
}

uint64_t cm_domain_tag_(void)
{
    /* The unlinking comes before the tag: without the fence a reader could find the memory after a tag of long ago. */
    cm_fence_full_();
    /* Acquire: memory of an older tag may be used again on the strength of this load, as in cm_domain_passed_(). */
    return cm_load_acquire_(&cm_domain_.epoch) & ~CM_EPOCH_FENCES_;
}

static bool pin_allows(const uint64_t *word, uint64_t epoch)
{
    /* Pairs with the release of pins: what the thread read inside is read. */
    uint64_t pin = cm_load_acquire_(word);
    cm_platform_tsan_acquire_(word);
    return !pin || (pin | CM_EPOCH_FENCES_) == (epoch | CM_EPOCH_FENCES_);
}

bool cm_domain_passed_(uint64_t tag)
{
    /* Pairs with the release of an advance, and through it with every reader that left. */
    uint64_t epoch = cm_load_acquire_(&cm_domain_.epoch) & ~CM_EPOCH_FENCES_;
    cm_platform_tsan_acquire_(&cm_domain_.epoch);
    return epoch >= tag + 2 * CM_EPOCH_ONE_;
}

/* Whether the thread is outside, or inside at this epoch; and fences for itself where that is needed. */
static bool reader_is_at(const struct cm_thread_ *thread, uint64_t epoch)
{
    bool fenced = !(epoch & CM_EPOCH_FENCES_) || !cm_load_relaxed_(&thread->used) || cm_load_relaxed_(&thread->fenced);
    return fenced && pin_allows(&thread->pin, epoch) && pin_allows(&thread->leaf, epoch);
}

static bool readers_are_at(uint64_t epoch)
{
    for (struct cm_thread_ *thread = cm_thread_records_(); thread; thread = thread->next) {
        if (!reader_is_at(thread, epoch)) {
            CM_PROBE2(reclaim_stall, epoch, thread->index);
            return false;
        }
    }
    if (!cm_thread_stranger_pinned_())
        return true;
    CM_PROBE2(reclaim_stall, epoch, CM_STRANGER_);
    return false;
}

bool cm_domain_advance_(void)
{
    uint64_t epoch = cm_load_acquire_(&cm_domain_.epoch);
    /* The list of records is read after the barrier, and the pins after the list. */
    if (epoch & CM_EPOCH_FENCES_) {
        cm_fence_full_();
    } else if (!cm_platform_barrier_()) {
        domain_use_fences();
        return false;
    }
    if (!readers_are_at(epoch))
        return false;
    cm_platform_tsan_release_(&cm_domain_.epoch);
    /* Pairs with the acquire of pins and of cm_domain_passed_(). */
    return cm_swap_if_acq_rel_(&cm_domain_.epoch, &epoch, epoch + CM_EPOCH_ONE_);
}
