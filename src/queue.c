/* The bounded queue: see queue.h for its protocol. */
#include <concmap/detail/queue.h>

#include "platform.h"

#define SLOTS_MOST ((size_t)1 << 24)

bool cm_queue_make_(struct cm_queue_ *queue, const cm_allocator *allocator, size_t slots)
{
    size_t count = 2;
    if (slots > SLOTS_MOST)
        return false;
    while (count < slots)
        count *= 2;
    if (!cm_block_allocate_(allocator, count * sizeof *queue->slots, CM_APART, true, &queue->block))
        return false;
    queue->slots = queue->block.address;
    queue->mask = count - 1;
    queue->tail = queue->head = 0;
    for (size_t i = 0; i < count; i++)
        queue->slots[i].turn = i;
    cm_platform_lockfree_memory_(queue->slots, count * sizeof *queue->slots);
    cm_platform_lockfree_memory_(queue, sizeof *queue);
    return true;
}

void cm_queue_free_(struct cm_queue_ *queue, const cm_allocator *allocator)
{
    if (queue->block.address)
        cm_block_release_(allocator, &queue->block);
}

enum cm_queue_push_ cm_queue_push_(struct cm_queue_ *queue, void *item, uint64_t *place)
{
    uint64_t tail = cm_load_relaxed_(&queue->tail); /* relaxed: the compare-and-swap decides */
    for (;;) {
        if (CM_UNLIKELY(tail & CM_QUEUE_CLOSED_))
            return CM_QUEUE_IS_CLOSED_;
        struct cm_queue_slot_ *slot = &queue->slots[tail & queue->mask];
        /* Acquire: the receiver is done with the item that was here before. Pairs with cm_queue_pop_(). */
        uint64_t turn = cm_load_acquire_(&slot->turn);
        if (turn != tail) { /* (Q1) */
            if (turn < tail)
                return CM_QUEUE_IS_FULL_;
            tail = cm_load_relaxed_(&queue->tail);
            continue;
        }
        if (!cm_swap_if_relaxed_(&queue->tail, &tail, tail + 1)) /* relaxed: `turn` publishes */
            continue;
        *place = tail;
        cm_store_relaxed_(&slot->item, item);
        cm_store_release_(&slot->turn, tail + 1); /* publishes the item and what it points to */
        return CM_QUEUE_SENT_;
    }
}

void *cm_queue_pop_(struct cm_queue_ *queue)
{
    for (;;) {
        uint64_t head = queue->head;
        struct cm_queue_slot_ *slot = &queue->slots[head & queue->mask];
        /* Pairs with the release of cm_queue_push_(). */
        if (cm_load_acquire_(&slot->turn) != head + 1)
            return NULL;
        void *item = cm_exchange_acq_rel_(&slot->item, NULL); /* (Q2) */
        cm_store_relaxed_(&queue->head, head + 1);            /* relaxed: others only count with it */
        cm_store_release_(&slot->turn, head + queue->mask + 1);
        if (CM_LIKELY(item != NULL))
            return item;
    }
}

bool cm_queue_take_back_(struct cm_queue_ *queue, uint64_t place, void *item)
{
    /* The slot may be another item's by now, but not the same one's: only its sender could have sent it again. */
    void *expected = item;
    return cm_swap_if_acq_rel_(&queue->slots[place & queue->mask].item, &expected, NULL); /* (Q2) */
}

bool cm_queue_has_(struct cm_queue_ *queue)
{
    uint64_t head = cm_load_relaxed_(&queue->head); /* relaxed: the receiver's own */
    return cm_load_acquire_(&queue->slots[head & queue->mask].turn) == head + 1;
}

void cm_queue_close_(struct cm_queue_ *queue)
{
    cm_or_relaxed_(&queue->tail, CM_QUEUE_CLOSED_); /* relaxed: (Q3) is of this word alone */
}

bool cm_queue_is_closed_(const struct cm_queue_ *queue)
{
    return (cm_load_relaxed_(&queue->tail) & CM_QUEUE_CLOSED_) != 0;
}

bool cm_queue_is_done_(const struct cm_queue_ *queue)
{
    return cm_load_relaxed_(&queue->tail) == (cm_load_relaxed_(&queue->head) | CM_QUEUE_CLOSED_);
}

bool cm_queue_is_full_(const struct cm_queue_ *queue)
{
    return cm_queue_len_(queue) > queue->mask;
}

size_t cm_queue_len_(const struct cm_queue_ *queue)
{
    uint64_t head = cm_load_relaxed_(&queue->head); /* relaxed: about so many; first, because it never passes tail */
    return (size_t)((cm_load_relaxed_(&queue->tail) & ~CM_QUEUE_CLOSED_) - head);
}
