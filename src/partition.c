/* Owners and senders of partitions. */
#include <concmap/detail/partition.h>

#include <concmap/detail/partitioned_futures.h>

#include "parking.h"
#include "partition.h"
#include "platform.h"
#include "thread_registry.h"

/* Looks before sleeping, with pauses between them of twice the length each time, as in cell.c. */
#define LOOKS 4
#define PAUSES 32u
#define HELP_MOST 16   /* messages that a sender serves before it rings for the thread of the partition */
#define TRY_NS 20000   /* how long a call that shall not wait looks for its answer */
#define NAP_NS 1000000 /* of who has published its wait, and of owners that wait for room */

static __thread struct cm_partition_ *own; /* the partitions of the calling thread, by `next` */
static __thread unsigned running;          /* functions that run in it on those */
static __thread uint32_t life;             /* in which it came to own them */

/* What is said above, of a thread that may have ended: in the destructors of its data it owns nothing any more. */
static struct cm_partition_ *owned(void)
{
    if (CM_UNLIKELY(own && life != cm_thread_life_)) {
        own = NULL;
        running = 0;
    }
    return own;
}

static void pause_for(unsigned turn)
{
    for (unsigned pauses = PAUSES << turn; pauses > 0; pauses--)
        cm_spin_hint_();
}

/* Whether a wait is over that has been in vain so far. */
static cm_status overdue(cm_deadline deadline)
{
    if (deadline == CM_TRY)
        return CM_BUSY;
    return deadline != CM_FOREVER && cm_deadline_after(0) >= deadline ? CM_TIMEOUT : CM_OK;
}

/* ---- running messages ---- */

static void figures_publish(struct cm_partition_ *partition, uint32_t requests)
{
    struct cm_partition_figures_ *figures = &partition->figures;
    cm_store_relaxed_(&figures->len, partition->plain.flat.len);
    cm_store_relaxed_(&figures->table, partition->plain.flat.block.size);
    cm_store_relaxed_(&figures->texts, partition->plain.texts);
    cm_store_relaxed_(&figures->messages, figures->messages + 1);
    cm_store_relaxed_(&figures->requests, figures->requests + requests);
}

static void message_run(struct cm_partition_ *partition, struct cm_message_ *message, cm_status dropped)
{
    struct cm_latch_ *latch = message->latch; /* the message may be gone after run() */
    uint32_t requests = message->requests;
    running++;
    message->run(message, partition, dropped);
    running--;
    figures_publish(partition, requests);
    if (!latch)
        return;
    cm_store_release_(&message->done, 1); /* pairs with the sender that uses it again */
    cm_latch_down_(latch);                /* (P2) */
}

/* The last owner ended amid a message: its sender is told. Nobody looks at what the function was changing. */
static void orphan_end(struct cm_partition_ *partition)
{
    struct cm_message_ *orphan = partition->running;
    partition->plain.busy = false;
    partition->running = NULL;
    if (orphan)
        message_run(partition, orphan, CM_OWNER_DIED);
}

/* Wakes senders that wait for room. */
static void room_made(struct cm_partition_ *partition)
{
    CM_COMPILER_BARRIER();
    /* Relaxed: a waiter that this misses runs its membarrier later, and then sees the room. */
    if (CM_UNLIKELY(cm_load_relaxed_(&partition->senders_waiting) != 0))
        cm_unpark_(&partition->queue, true);
}

static size_t partition_serve(struct cm_partition_ *partition, size_t most)
{
    struct cm_partitions_ *all = partition->all;
    size_t served = 0;
    for (; served < most; served++) {
        uint64_t head = partition->queue.head;
        struct cm_message_ *message = cm_queue_pop_(&partition->queue);
        if (partition->queue.head != head) /* also where all that it passed had been taken back */
            room_made(partition);
        if (!message)
            break;
        bool drops = cm_load_relaxed_(&all->drops); /* relaxed: from about now on */
        if (CM_UNLIKELY(drops))
            cm_add_relaxed_(&all->dropped, message->requests);
        partition->running = message;
        message_run(partition, message, drops ? CM_CLOSED : CM_OK);
        partition->running = NULL;
    }
    return served;
}

/* Serves all that the thread owns, unless it runs a function on one of them. */
static bool own_serve(void)
{
    size_t served = 0;
    struct cm_partition_ *first = owned();
    for (struct cm_partition_ *partition = running ? NULL : first; partition; partition = partition->next)
        served += partition_serve(partition, partition->queue.mask + 1);
    return served != 0;
}

static bool own_has_work(void)
{
    struct cm_partition_ *first = owned();
    for (struct cm_partition_ *partition = running ? NULL : first; partition; partition = partition->next)
        if (cm_queue_has_(&partition->queue))
            return true;
    return false;
}

/* ---- owners ---- */

bool cm_partition_is_own_(const struct cm_partition_ *partition)
{
    const struct cm_partition_ *at = owned();
    while (at && at != partition)
        at = at->next;
    return at != NULL;
}

cm_status cm_partition_own_(struct cm_partition_ *partition, cm_deadline deadline)
{
    struct cm_map_held_ held;
    if (cm_partition_is_own_(partition))
        return CM_EXISTS;
    int got = cm_map_enter_alone_(&partition->lock, &held, true, deadline);
    if (got != CM_GOT_)
        return (cm_status)got;
    partition->held = held;
    partition->next = own;
    own = partition;
    life = cm_thread_life_;
    cm_store_release_(&partition->owner, held.thread); /* pairs with partition_ring() */
    if (!partition->lock.died)
        return CM_OK;
    partition->lock.died = false;
    orphan_end(partition);
    return CM_OWNER_DIED;
}

cm_status cm_partition_disown_(struct cm_partition_ *partition)
{
    owned();
    struct cm_partition_ **link = &own;
    while (*link && *link != partition)
        link = &(*link)->next;
    if (!*link || partition->running)
        return CM_INVALID;
    *link = partition->next;
    cm_store_relaxed_(&partition->owner, NULL); /* relaxed: who rings for the old owner rings in vain */
    struct cm_map_held_ held = partition->held;
    cm_map_leave_(&held, CM_GOT_);
    return CM_OK;
}

cm_status cm_partition_poll_(struct cm_partition_ *partition, size_t most, size_t *served)
{
    if (!cm_partition_is_own_(partition) || running)
        return CM_INVALID;
    cm_store_relaxed_(&partition->armed, 0); /* relaxed: a call of the wake function too many is harmless */
    size_t count = partition_serve(partition, most);
    if (served)
        *served = count;
    return cm_queue_is_done_(&partition->queue) ? CM_CLOSED : CM_OK;
}

cm_status cm_partition_arm_(struct cm_partition_ *partition)
{
    if (!cm_partition_is_own_(partition))
        return CM_INVALID;
    cm_exchange_acq_rel_(&partition->armed, 1);
    cm_fence_full_(); /* pairs with partition_ring() */
    if (!cm_queue_has_(&partition->queue) && !cm_queue_is_closed_(&partition->queue))
        return CM_OK;
    /* Somebody may have taken it already: then the wake function is called once in vain. */
    cm_store_relaxed_(&partition->armed, 0);
    return CM_BUSY;
}

/* Whether an owner would find something to do in its queue; that it was closed, and is empty now, counts as that. */
static bool has_work(struct cm_partition_ *partition)
{
    return cm_queue_has_(&partition->queue) || cm_queue_is_done_(&partition->queue);
}

static bool any_has_work(void)
{
    struct cm_partition_ *partition = owned();
    while (partition && !has_work(partition))
        partition = partition->next;
    return partition != NULL;
}

static void sleep_note(struct cm_partition_ *partition)
{
    cm_store_relaxed_(&partition->figures.sleeps, partition->figures.sleeps + 1);
}

cm_status cm_owner_sleep_(cm_deadline deadline)
{
    if (!owned() || running)
        return CM_INVALID;
    for (unsigned turn = 0; turn < LOOKS; turn++) {
        if (any_has_work())
            return CM_OK;
        pause_for(turn);
    }
    struct cm_thread_ *self = cm_thread_get_();
    while (!any_has_work()) {
        cm_status status = overdue(deadline);
        if (status < 0)
            return status;
        cm_bell_set_(self);
        if (any_has_work()) {
            cm_bell_unset_(self);
            return CM_OK;
        }
        sleep_note(own);
        cm_bell_sleep_(self, deadline);
    }
    return CM_OK;
}

/* Tells the owner that something came. */
void cm_partition_ring_(struct cm_partition_ *partition)
{
    cm_fence_full_(); /* before the looks at who owns it, and whether it is armed: pairs with those who look for work */
    struct cm_thread_ *owner = cm_load_acquire_(partition->all->lent ? &partition->lender : &partition->owner);
    if (owner)
        cm_bell_ring_if_set_(owner);
    if (cm_load_relaxed_(&partition->armed) && cm_exchange_acq_rel_(&partition->armed, 0))
        partition->all->wake(partition->index, partition->all->context);
}

/* ---- lending ---- */

/* Whether the thread may run any function: it holds nothing that one might wait for. */
static bool may_help(void)
{
    struct cm_thread_ *self = cm_thread_get_();
    return !running && self->index != CM_STRANGER_ && !cm_hold_any_(self);
}

static bool is_next(struct cm_partition_ *partition, const struct cm_message_ *message)
{
    struct cm_queue_ *queue = &partition->queue;
    return cm_queue_has_(queue) && cm_load_relaxed_(&queue->slots[queue->head & queue->mask].item) == message;
}

/* Serves the queue of a partition that the thread has for a moment: up to `most` messages, and none that would begin
 * behind the deadline; a call that shall not wait serves none but its own. Whether nothing is left. The message may be
 * gone already. */
static bool help_serve(struct cm_partition_ *partition, const struct cm_message_ *message, size_t *most,
                       cm_deadline deadline)
{
    for (; cm_queue_has_(&partition->queue); --*most) {
        if (*most == 0 || (deadline == CM_TRY ? !is_next(partition, message) : overdue(deadline) < 0))
            return false;
        partition_serve(partition, 1);
    }
    return true;
}

/* Sees to it that what was sent is served: by the caller, unless somebody else does. Without cancellation: what is
 * served may be the caller's own message, which lies on its stack. */
static void partition_help(struct cm_partition_ *partition, const struct cm_message_ *message, cm_deadline deadline)
{
    CM_UNCANCELLED_();
    size_t most = HELP_MOST;
    for (bool goes_on = may_help(); goes_on;) {
        cm_fence_full_(); /* behind what was sent: pairs with the other one */
        cm_status status = cm_partition_own_(partition, CM_TRY);
        if (status == CM_BUSY)
            return; /* who has it looks once more */
        if (status < 0 && status != CM_OWNER_DIED)
            break;
        goes_on = help_serve(partition, message, &most, deadline);
        cm_partition_disown_(partition);
        cm_fence_full_(); /* between leaving and looking */
        if (!goes_on || cm_queue_has_(&partition->queue))
            continue;
        if (cm_queue_is_closed_(&partition->queue))
            break; /* its thread ends when all was received, and may have looked too early */
        return;
    }
    cm_partition_ring_(partition);
}

void cm_partition_lend_(struct cm_partition_ *partition)
{
    struct cm_thread_ *self = cm_thread_get_();
    cm_partition_disown_(partition);
    cm_store_release_(&partition->lender, self); /* pairs with cm_partition_ring_() */
    cm_bell_set_(self);
    if (has_work(partition)) { /* behind the fence of the bell: pairs as that of partition_help() */
        cm_bell_unset_(self);
        return;
    }
    sleep_note(partition);
    cm_bell_sleep_(self, CM_FOREVER);
}

bool cm_partition_serve_closed_(struct cm_partition_ *partition)
{
    partition_serve(partition, SIZE_MAX);
    return cm_queue_is_done_(&partition->queue);
}

bool cm_owner_runs_(void)
{
    return running != 0;
}

void cm_partition_closed_(struct cm_partition_ *partition)
{
    cm_partition_ring_(partition);
    room_made(partition);
}

void cm_partition_revive_(struct cm_partition_ *partition)
{
    running = 0;
    orphan_end(partition);
}

/* ---- waiting ---- */

/* Whether the thread takes part in circles: it holds something, and does not serve others while it waits. */
static bool is_listed(struct cm_thread_ *self)
{
    return self->index != CM_STRANGER_ && cm_hold_any_(self) && (running || !own);
}

static bool publish(struct cm_thread_ *self, struct cm_partition_ *partition, bool reports)
{
    struct cm_want_ want = {.exclusive = true, .waiters = &partition->lock.waiters};
    return cm_wait_publish_(self, &partition->lock.cell, want, reports);
}

static cm_deadline sooner(cm_deadline deadline, uint64_t nanoseconds)
{
    cm_deadline soon = cm_deadline_after(nanoseconds);
    return soon < deadline ? soon : deadline;
}

/* Whether a message waits for the very function that runs in this thread. */
static bool waits_for_itself(const struct cm_message_ *messages)
{
    for (const struct cm_message_ *message = messages; message && running; message = message->next)
        if (!cm_load_relaxed_(&message->done) && cm_partition_is_own_(message->partition))
            return true;
    return false;
}

/* Sleeps until the latch is at zero, or something comes that the thread has to serve. */
static cm_status latch_sleep(struct cm_latch_ *latch, const struct cm_message_ *messages, bool reports,
                             cm_deadline deadline)
{
    struct cm_thread_ *self = cm_thread_get_();
    const struct cm_message_ *message = messages;
    while (message && cm_load_relaxed_(&message->done)) /* relaxed: any that is under way will do */
        message = message->next;
    if (reports && waits_for_itself(messages))
        return CM_DEADLOCK;
    bool listed = message && is_listed(self);
    if (listed && !publish(self, message->partition, reports))
        return CM_DEADLOCK;
    cm_bell_set_(self);
    /* Napping, not only for victims: whether the message was begun, which decides what can be reported, changes. */
    if (cm_latch_await_(latch, self) && !own_has_work())
        cm_bell_sleep_(self, listed ? sooner(deadline, NAP_NS) : deadline);
    else
        cm_bell_unset_(self);
    return listed && !cm_wait_withdraw_(self) ? CM_DEADLOCK : CM_OK;
}

cm_status cm_latch_wait_(struct cm_latch_ *latch, const struct cm_message_ *messages, bool reports,
                         cm_deadline deadline)
{
    cm_deadline end = deadline == CM_TRY ? cm_deadline_after(TRY_NS) : deadline;
    for (unsigned turn = 0; !cm_latch_is_done_(latch); turn++) {
        if (own_serve()) {
            turn = 0;
            continue;
        }
        if (turn < LOOKS) {
            pause_for(turn);
            continue;
        }
        cm_status status = overdue(end);
        if (status < 0)
            return deadline == CM_TRY ? CM_BUSY : status;
        status = latch_sleep(latch, messages, reports, end);
        if (status < 0 && reports && !cm_latch_is_done_(latch)) {
            cm_wait_tell_(cm_thread_get_());
            return status;
        }
    }
    return CM_OK;
}

static bool is_full(void *context)
{
    const struct cm_partition_ *partition = context;
    return cm_queue_is_full_(&partition->queue) && !cm_queue_is_closed_(&partition->queue);
}

/* Sleeps until there may be room. */
static cm_status room_sleep(struct cm_partition_ *partition, struct cm_parking_ *parking, cm_deadline deadline)
{
    struct cm_thread_ *self = cm_thread_get_();
    bool listed = is_listed(self);
    if (listed && !publish(self, partition, true)) {
        cm_wait_tell_(self);
        return CM_DEADLOCK;
    }
    parking->deadline = listed || own ? sooner(deadline, NAP_NS) : deadline;
    cm_park_(&partition->queue, parking);
    if (!listed || cm_wait_withdraw_(self))
        return CM_OK;
    cm_wait_tell_(self);
    return CM_DEADLOCK;
}

/* ---- senders ---- */

static cm_status room_wait(struct cm_partition_ *partition, unsigned turn, struct cm_parking_ *parking,
                           cm_deadline deadline)
{
    cm_status status = overdue(deadline);
    if (status < 0)
        return status;
    if (own_serve())
        return CM_OK;
    if (turn >= LOOKS)
        return room_sleep(partition, parking, deadline);
    pause_for(turn);
    return CM_OK;
}

cm_status cm_partition_send_(struct cm_partition_ *partition, struct cm_message_ *message, struct cm_latch_ *latch,
                             cm_deadline deadline)
{
    struct cm_parking_ parking = {is_full, partition, &partition->senders_waiting, deadline, 0};
    message->partition = partition;
    message->latch = latch;
    message->done = 0;
    if (latch)
        cm_latch_up_(latch);
    if (CM_UNLIKELY(running != 0) && cm_partition_is_own_(partition) && !cm_queue_is_closed_(&partition->queue)) {
        message_run(partition, message, CM_OK); /* nobody else would, before the function that runs has ended */
        return CM_OK;
    }
    for (unsigned turn = 0;; turn++) {
        enum cm_queue_push_ pushed = cm_queue_push_(&partition->queue, message, &message->place);
        cm_status status = CM_OK;
        if (CM_LIKELY(pushed == CM_QUEUE_SENT_)) {
            if (partition->all->lent)
                partition_help(partition, message, deadline);
            else
                cm_partition_ring_(partition);
            return CM_OK;
        }
        if (pushed == CM_QUEUE_IS_CLOSED_)
            status = CM_CLOSED;
        else
            status = room_wait(partition, turn, &parking, deadline);
        if (status < 0) {
            if (latch)
                cm_latch_down_(latch);
            return status;
        }
    }
}

bool cm_message_take_back_(struct cm_message_ *message)
{
    if (cm_load_acquire_(&message->done) || !cm_queue_take_back_(&message->partition->queue, message->place, message))
        return false;
    if (message->latch)
        cm_latch_down_(message->latch);
    return true;
}

/* The caller owns the partition. */
static cm_status call_own(struct cm_partition_ *partition, struct cm_message_ *message)
{
    if (!running)
        own_serve(); /* (P4) */
    if (cm_queue_is_closed_(&partition->queue))
        return CM_CLOSED;
    message->latch = NULL;
    message_run(partition, message, CM_OK);
    return CM_OK;
}

cm_status cm_partition_call_(struct cm_partition_ *partition, struct cm_message_ *message, cm_deadline deadline)
{
    struct cm_latch_ latch = {0, NULL};
    if (CM_UNLIKELY(own != NULL) && cm_partition_is_own_(partition)) /* which looks whether it still is */
        return call_own(partition, message);
    message->next = NULL;
    cm_status status = cm_partition_send_(partition, message, &latch, deadline);
    if (status < 0)
        return status;
    status = cm_latch_wait_(&latch, message, true, deadline);
    if (status < 0 && cm_message_take_back_(message))
        return status;
    if (status < 0)
        cm_latch_wait_(&latch, message, false, CM_FOREVER);
    return CM_OK;
}

/* ---- texts on their way ---- */

bool cm_text_send_(struct cm_partitions_ *map, cm_str *text)
{
    if (!text->len) {
        text->data = "";
        return true;
    }
    char *copy = map->allocator.allocate(map->allocator.context, text->len, 1);
    if (!copy)
        return false;
    memcpy(copy, text->data, text->len);
    text->data = copy;
    return true;
}

void cm_text_end_(struct cm_partitions_ *map, cm_str text)
{
    if (text.len)
        map->allocator.deallocate(map->allocator.context, (void *)(uintptr_t)text.data, text.len, 1);
}
