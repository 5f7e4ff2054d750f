/* What waits in domains, and giving it back: detail/domain.h has the protocol, domain.h the contract. */
#include <concmap/domain.h>

#include <concmap/allocator.h>

#include "domain_core.h"
#include "platform.h"
#include "thread_registry.h"

#define TRY_OBJECTS 64 /* retired objects after which somebody tries to give back */
#define TRY_BYTES ((size_t)256 << 10)
#define TRY_NS 10000000 /* or time since then */
#define REST_NS 1000000 /* to the next try, where readers held it up */
#define ADVANCES 2      /* of the epoch, that make what was retired just now pass */
#define NAP_NS 20000    /* of who waits for readers, at first */
#define LONGEST_NAP_NS 1000000

/* ---- the queue; all under the domain's lock ---- */

static void queue_push(struct cm_domain *domain, cm_retired *link)
{
    struct cm_retired_ *queue = &domain->retired;
    link->next = NULL;
    link->tag = cm_domain_tag_(domain); /* under the lock, so that tags are in order */
    if (queue->tail)
        queue->tail->next = link;
    else
        queue->head = link;
    queue->tail = link;
    queue->retired++;
    queue->bytes += link->bytes;
    cm_store_relaxed_(&queue->objects, queue->objects + 1);
}

static cm_retired *queue_pop(struct cm_retired_ *queue)
{
    cm_retired *link = queue->head;
    queue->head = link->next;
    if (!queue->head)
        queue->tail = NULL;
    return link;
}

static bool is_low(size_t now, size_t most)
{
    return !most || now <= most / 2;
}

/* One object more has been given back. */
static void queue_count(struct cm_retired_ *queue)
{
    queue->given_back++;
    queue->bytes -= queue->running_bytes;
    cm_store_relaxed_(&queue->objects, queue->objects - 1);
    queue->running_bytes = 0;
    if (is_low(queue->objects, queue->most_objects) && is_low(queue->bytes, queue->most_bytes))
        queue->above = false;
}

/* Whether the mark has just been passed. */
static bool queue_is_high(struct cm_retired_ *queue)
{
    bool above = (queue->most_objects && queue->objects > queue->most_objects) ||
                 (queue->most_bytes && queue->bytes > queue->most_bytes);
    bool first = above && !queue->above;
    queue->above |= above;
    return first;
}

/* Whether it is time to try. */
static bool queue_is_due(struct cm_retired_ *queue, size_t bytes)
{
    queue->bytes_at_try += bytes;
    return ++queue->objects_at_try >= TRY_OBJECTS || queue->bytes_at_try >= TRY_BYTES ||
           cm_deadline_after(0) - queue->tried_at >= TRY_NS;
}

/* ---- giving back ---- */

/* Runs the function of one object, which is out of the queue. No lock is held. */
static void link_run(struct cm_domain *domain, cm_retired *link)
{
    cm_retired retired = *link; /* it may lie in the object */
    const cm_allocator *allocator = cm_domain_allocator_(domain);
    if (retired.owned)
        allocator->deallocate(allocator->context, link, sizeof *link, CM_ALIGNOF(cm_retired));
    int cancel;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    retired.destroy(retired.object, retired.context);
    pthread_setcancelstate(cancel, &cancel);
}

static bool link_has_passed(const struct cm_domain *domain, const cm_retired *link, bool anyway)
{
    return link && (anyway || cm_domain_passed_(domain, link->tag));
}

/* Gives back what readers have left, or everything, unless somebody is at it. The thread is outside. */
static void domain_run(struct cm_domain *domain, struct cm_thread_ *self, bool anyway)
{
    struct cm_retired_ *queue = &domain->retired;
    pthread_mutex_lock(&domain->lock);
    bool mine = queue->runner == NULL;
    if (mine)
        queue->runner = self;
    while (mine && link_has_passed(domain, queue->head, anyway)) {
        cm_retired *link = queue_pop(queue);
        queue->running_bytes = link->bytes;
        pthread_mutex_unlock(&domain->lock);
        link_run(domain, link);
        pthread_mutex_lock(&domain->lock);
        queue_count(queue);
    }
    if (mine)
        queue->runner = NULL;
    pthread_mutex_unlock(&domain->lock);
}

/* Whether the oldest of what waits has passed; true if nothing waits. */
static bool oldest_has_passed(struct cm_domain *domain)
{
    pthread_mutex_lock(&domain->lock);
    const cm_retired *head = domain->retired.head;
    bool passed = !head || cm_domain_passed_(domain, head->tag);
    pthread_mutex_unlock(&domain->lock);
    return passed;
}

/* Whether readers held the last try up, a moment ago; otherwise this is the next. */
static bool domain_rests(struct cm_domain *domain)
{
    struct cm_retired_ *queue = &domain->retired;
    pthread_mutex_lock(&domain->lock);
    cm_deadline now = cm_deadline_after(0);
    bool rests = queue->held_up && now - queue->tried_at < REST_NS;
    queue->tried_at = rests ? queue->tried_at : now;
    queue->objects_at_try = queue->bytes_at_try = 0;
    pthread_mutex_unlock(&domain->lock);
    return rests;
}

/* An online thread has nothing left of what it found. */
static void slot_report(struct cm_domain *domain, struct cm_slot_ *slot)
{
    CM_COMPILER_BARRIER();
    if (cm_load_relaxed_(&slot->online))
        cm_slot_enter_(domain, slot, &slot->held);
}

/* One try. Nobody who is inside a pin or has a guard gets here. `reporting`: the slot of a thread that reports. */
static void domain_give_back(struct cm_domain *domain, struct cm_thread_ *self, struct cm_slot_ *reporting)
{
    bool held_up = false;
    for (unsigned i = 0; i < ADVANCES && !held_up && !oldest_has_passed(domain); i++) {
        held_up = !cm_domain_advance_(domain);
        if (reporting) /* at the new epoch: it is not in its own way */
            slot_report(domain, reporting);
    }
    domain_run(domain, self, false);
    pthread_mutex_lock(&domain->lock);
    domain->retired.held_up = held_up;
    pthread_mutex_unlock(&domain->lock);
}

/* Gives back, or remembers to do it once the thread is outside. One that is online would be in its own way, but when it
 * reports. */
static void domain_give_back_when_outside(struct cm_domain *domain, struct cm_thread_ *self, struct cm_slot_ *reporting)
{
    struct cm_slot_ *slot = cm_slot_find_(domain, self);
    bool outside = cm_domains_outside_(self);
    if (slot) /* relaxed, as below: the thread's own */
        cm_store_relaxed_(&slot->owes, !outside);
    bool online = slot && !reporting && cm_load_relaxed_(&slot->online);
    if (outside && !online && !domain_rests(domain))
        domain_give_back(domain, self, reporting);
}

void cm_domain_settle_(cm_domain *domain)
{
    domain_give_back_when_outside(domain, cm_thread_get_(), NULL);
}

bool cm_domain_runs_(struct cm_domain *domain, const struct cm_thread_ *thread)
{
    pthread_mutex_lock(&domain->lock);
    bool runs = domain->retired.runner == thread;
    pthread_mutex_unlock(&domain->lock);
    return runs;
}

void cm_domain_give_back_all_(struct cm_domain *domain)
{
    domain_run(domain, cm_thread_get_(), true);
}

/* Its runner is no more: what it was at counts as given back. */
static void runner_end(struct cm_retired_ *queue)
{
    queue->runner = NULL;
    queue_count(queue);
}

void cm_domain_runner_ended_(struct cm_domain *domain, const struct cm_thread_ *thread)
{
    pthread_mutex_lock(&domain->lock);
    if (domain->retired.runner == thread)
        runner_end(&domain->retired);
    pthread_mutex_unlock(&domain->lock);
}

void cm_domain_runner_forget_(struct cm_domain *domain, const struct cm_thread_ *self)
{
    if (domain->retired.runner && domain->retired.runner != self)
        runner_end(&domain->retired);
}

/* ---- retiring ---- */

static void domain_retire(cm_domain *domain, cm_retired *link)
{
    struct cm_thread_ *self = cm_thread_get_();
    struct cm_retired_ *queue = &domain->retired;
    size_t bytes = link->bytes;
    pthread_mutex_lock(&domain->lock);
    queue_push(domain, link);
    bool due = queue_is_due(queue, bytes) && !queue->runner;
    bool high = queue_is_high(queue);
    void (*warn)(void *context) = queue->warn;
    void *context = queue->warn_context;
    pthread_mutex_unlock(&domain->lock);
    if (due)
        domain_give_back_when_outside(domain, self, NULL);
    if (high && warn)
        warn(context);
}

void cm_domain_retire_by(cm_domain *domain, cm_retired *link, void *object, size_t bytes,
                         void (*destroy)(void *object, void *context), void *context)
{
    *link = (cm_retired){.object = object, .bytes = bytes, .destroy = destroy, .context = context};
    domain_retire(domain, link);
}

cm_status cm_domain_retire(cm_domain *domain, void *object, size_t bytes, void (*destroy)(void *object, void *context),
                           void *context)
{
    const cm_allocator *allocator = cm_domain_allocator_(domain);
    cm_retired *link = allocator->allocate(allocator->context, sizeof *link, CM_ALIGNOF(cm_retired));
    if (!link)
        return CM_NOMEM;
    *link = (cm_retired){.object = object, .bytes = bytes, .destroy = destroy, .context = context, .owned = true};
    domain_retire(domain, link);
    return CM_OK;
}

void cm_domain_high_water(cm_domain *domain, size_t objects, size_t bytes, void (*warn)(void *context), void *context)
{
    pthread_mutex_lock(&domain->lock);
    struct cm_retired_ *queue = &domain->retired;
    queue->most_objects = objects;
    queue->most_bytes = bytes;
    queue->warn = warn;
    queue->warn_context = context;
    queue->above = false;
    pthread_mutex_unlock(&domain->lock);
}

/* ---- being online ---- */

void cm_domain_go_online_(struct cm_domain *domain, struct cm_slot_ *slot)
{
    cm_store_relaxed_(&slot->online, 1); /* relaxed: a figure for others */
    cm_slot_enter_(domain, slot, &slot->held);
}

cm_status cm_domain_join(cm_domain *domain)
{
    struct cm_slot_ *slot = cm_slot_make_(domain, cm_thread_get_());
    if (!slot)
        return CM_NOMEM;
    if (cm_load_relaxed_(&slot->online))
        return CM_EXISTS;
    if (cm_load_relaxed_(&slot->held)) /* inside a pin, which stays as old as it is */
        cm_store_relaxed_(&slot->online, 1);
    else
        cm_domain_go_online_(domain, slot);
    return CM_OK;
}

void cm_domain_part(cm_domain *domain)
{
    struct cm_slot_ *slot = cm_slot_find_(domain, cm_thread_get_());
    if (!slot)
        return;
    cm_store_relaxed_(&slot->online, 0);
    if (!cm_load_relaxed_(&slot->depth))
        cm_store_release_(&slot->held, 0); /* as in cm_pin_leave_() */
}

static bool thread_is_inside(const struct cm_domain *domain, const struct cm_thread_ *self, const struct cm_slot_ *slot)
{
    return cm_load_relaxed_(&slot->depth) || cm_load_relaxed_(&slot->pin) ||
           (domain == &cm_domain_ && (cm_load_relaxed_(&self->pin) || cm_load_relaxed_(&self->leaf)));
}

cm_status cm_domain_quiescent(cm_domain *domain)
{
    struct cm_thread_ *self = cm_thread_get_();
    struct cm_slot_ *slot = cm_slot_find_(domain, self);
    if (!slot)
        return CM_OK;
    if (thread_is_inside(domain, self, slot))
        return CM_BUSY;
    slot_report(domain, slot);
    if (cm_load_relaxed_(&domain->retired.objects)) /* relaxed: a hint */
        domain_give_back_when_outside(domain, self, slot);
    return CM_OK;
}

/* ---- pin objects ---- */

/* What scans look at: the epoch word of the oldest. */
static void oldest_follow(struct cm_domain *domain)
{
    /* Release: what was read under those that were closed is read. Pairs with the scan of an advance. */
    cm_store_release_(&domain->oldest, domain->opened ? domain->opened->epoch : 0);
}

void cm_pin_open(cm_domain *domain, cm_pin *pin)
{
    cm_thread_get_(); /* the process is registered for barriers */
    pthread_mutex_lock(&domain->lock);
    /* As in cm_pin_enter_(); under the lock, so that epochs are in order. */
    *pin = (cm_pin){.domain = domain, .older = domain->opened_last, .epoch = cm_load_acquire_(&domain->epoch)};
    if (pin->older)
        pin->older->newer = pin;
    else
        domain->opened = pin;
    domain->opened_last = pin;
    domain->opened_count++;
    oldest_follow(domain);
    pthread_mutex_unlock(&domain->lock);
    cm_fence_full_(); /* in both modes: whose pin it is nobody knows, who could acknowledge */
}

void cm_pin_close(cm_pin *pin)
{
    cm_domain *domain = pin->domain;
    if (!domain)
        return;
    pthread_mutex_lock(&domain->lock);
    *(pin->older ? &pin->older->newer : &domain->opened) = pin->newer;
    *(pin->newer ? &pin->newer->older : &domain->opened_last) = pin->older;
    domain->opened_count--;
    oldest_follow(domain);
    pthread_mutex_unlock(&domain->lock);
    *pin = (cm_pin){0};
}

/* ---- waiting ---- */

/* What a barrier waits for. */
struct awaited {
    uint64_t count; /* so many are to be given back */
    uint64_t tag;   /* of the newest that waits; 0: none does */
};

static bool awaited_is_done(struct cm_domain *domain, const struct awaited *awaited)
{
    pthread_mutex_lock(&domain->lock);
    bool done = domain->retired.given_back >= awaited->count;
    pthread_mutex_unlock(&domain->lock);
    return done;
}

static struct awaited awaited_now(struct cm_domain *domain)
{
    pthread_mutex_lock(&domain->lock);
    const struct cm_retired_ *queue = &domain->retired;
    struct awaited awaited = {queue->retired, queue->tail ? queue->tail->tag : 0};
    pthread_mutex_unlock(&domain->lock);
    return awaited;
}

/* Whether the thread would wait for itself: online, it lets the epoch come one further than its last report. */
static bool thread_is_in_the_way(const struct cm_slot_ *slot, const struct awaited *awaited)
{
    uint64_t held = slot ? cm_load_relaxed_(&slot->held) & ~CM_EPOCH_FENCES_ : 0;
    return held && awaited->tag && held <= awaited->tag;
}

static void nap(uint64_t *nanoseconds)
{
    uint32_t word = 0;
    cm_platform_sleep_(&word, 0, (int64_t)*nanoseconds);
    *nanoseconds = *nanoseconds * 2 < LONGEST_NAP_NS ? *nanoseconds * 2 : LONGEST_NAP_NS;
}

cm_status cm_domain_barrier_until(cm_domain *domain, cm_deadline deadline)
{
    struct cm_thread_ *self = cm_thread_get_();
    struct awaited awaited = awaited_now(domain);
    if (awaited_is_done(domain, &awaited))
        return CM_OK;
    if (cm_domain_runs_(domain, self) || !cm_domains_outside_(self) ||
        thread_is_in_the_way(cm_slot_find_(domain, self), &awaited))
        return CM_DEADLOCK;
    for (uint64_t pause = NAP_NS;; nap(&pause)) {
        domain_give_back(domain, self, NULL);
        if (awaited_is_done(domain, &awaited))
            return CM_OK;
        if (deadline == CM_TRY)
            return CM_BUSY;
        if (cm_deadline_after(0) >= deadline)
            return CM_TIMEOUT;
    }
}

cm_status cm_domain_barrier(cm_domain *domain)
{
    return cm_domain_barrier_until(domain, CM_FOREVER);
}

cm_status cm_domain_try_barrier(cm_domain *domain)
{
    return cm_domain_barrier_until(domain, CM_TRY);
}

/* ---- figures ---- */

/* The thread that has an index; 0: none has it now. */
static pthread_t thread_of(uint32_t index)
{
    for (const struct cm_thread_ *thread = cm_thread_records_(); thread; thread = thread->next)
        if (thread->index == index)
            return (pthread_t)cm_load_relaxed_(&thread->handle); /* relaxed: a figure */
    return (pthread_t)0;
}

static size_t online_count(const struct cm_domain *domain)
{
    size_t count = 0, k = 0;
    const struct cm_slot_ *slot;
    while ((slot = cm_per_thread_next_(&domain->slots, sizeof *slot, &k)) != NULL)
        count += cm_load_relaxed_(&slot->online);
    return count;
}

void cm_domain_stats(cm_domain *domain, cm_domain_figures *figures)
{
    pthread_mutex_lock(&domain->lock);
    *figures = (cm_domain_figures){.objects = domain->retired.objects,
                                   .bytes = domain->retired.bytes,
                                   .given_back = domain->retired.given_back,
                                   .open_pins = domain->opened_count};
    pthread_mutex_unlock(&domain->lock);
    figures->online = online_count(domain);
    struct cm_holding_ holding = cm_domain_held_back_(domain, cm_load_acquire_(&domain->epoch));
    figures->holder = holding.holder;
    figures->index = holding.index;
    if (holding.holder == CM_HOLDER_THREAD)
        figures->thread = thread_of(holding.index);
    if (holding.holder != CM_HOLDER_NONE)
        figures->since = cm_load_relaxed_(&domain->advanced_at); /* relaxed: a figure */
}
