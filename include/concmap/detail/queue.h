/* A bounded queue of pointers, of any number of senders and one receiver, from which a sender can take back what was
 * not received yet.
 *
 * Shape. A ring of slots, each an item and a turn: the place whose item the slot takes next, or that place + 1 once the
 * item lies in it. Senders draw places from `tail`, the receiver has `head` for itself.
 *
 * Order. Items come out in the order of their places: so those of one sender in the order in which it sent them.
 *
 * Taking back. The receiver takes an item by exchanging it for NULL, a sender takes it back by a compare-and-swap from
 * its address to NULL: one of them has it. The place stays, and the receiver passes it. What is sent must not be in the
 * queue already.
 *
 * Closing sets a bit in `tail`, with which no place is drawn any more: what was drawn before comes out still.
 *
 * Invariants. (Q1) A place is drawn once, and only while its slot is empty. (Q2) An item is received or taken back,
 * once. (Q3) After closing the receiver has everything when `head` is at `tail`.
 *
 * After D. Vyukov's bounded queue (1024cores.net, 2010); taking back and closing are added here. */
#ifndef CONCMAP_DETAIL_QUEUE_H
#define CONCMAP_DETAIL_QUEUE_H

#include <concmap/detail/atomic.h>
#include <concmap/detail/memory.h>

CM_BEGIN_DECLS

#define CM_QUEUE_CLOSED_ (UINT64_C(1) << 63)

struct cm_queue_slot_ {
    uint64_t turn;
    void *item;
};

/* Whoever draws a place writes `tail`, and the receiver alone `head`: they lie apart, and apart from what all read. */
struct cm_queue_ {
    struct cm_queue_slot_ *slots;
    uint64_t mask; /* slots - 1 */
    struct cm_block_ block;
    char before_tail_[CM_APART - 16 - sizeof(struct cm_block_)];
    uint64_t tail;
    char before_head_[CM_APART - 8];
    uint64_t head;
    char after_head_[CM_APART - 8];
} __attribute__((aligned(CM_APART)));

enum cm_queue_push_ { CM_QUEUE_SENT_, CM_QUEUE_IS_FULL_, CM_QUEUE_IS_CLOSED_ };

/* Makes a queue of at least so many slots. False: no memory. */
CM_API bool cm_queue_make_(struct cm_queue_ *queue, const cm_allocator *allocator, size_t slots);
CM_API void cm_queue_free_(struct cm_queue_ *queue, const cm_allocator *allocator);
/* Sends; *place is needed to take it back. It is written before anybody receives the item. Lock-free. */
CM_API enum cm_queue_push_ cm_queue_push_(struct cm_queue_ *queue, void *item, uint64_t *place);
/* Receives; NULL: nothing is there, or a sender has drawn the next place and not sent yet. */
CM_API void *cm_queue_pop_(struct cm_queue_ *queue);
/* Takes back what was sent. False: it was received. */
CM_API bool cm_queue_take_back_(struct cm_queue_ *queue, uint64_t place, void *item);
/* Whether the receiver would find something. */
CM_API bool cm_queue_has_(struct cm_queue_ *queue);
/* Nothing more can be sent. */
CM_API void cm_queue_close_(struct cm_queue_ *queue);
CM_API bool cm_queue_is_closed_(const struct cm_queue_ *queue);
/* Of a closed queue: whether everything was received. For the receiver. */
CM_API bool cm_queue_is_done_(const struct cm_queue_ *queue);
/* Whether a sender would find it full. A hint. */
CM_API bool cm_queue_is_full_(const struct cm_queue_ *queue);
/* About how many places are drawn and not received. */
CM_API size_t cm_queue_len_(const struct cm_queue_ *queue);

CM_END_DECLS

#endif
