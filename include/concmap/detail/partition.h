/* A partition: a plain map, the one thread that owns it, and the queue by which all others ask that thread.
 *
 * Shape. A request travels in a message: memory of its sender, which stays where it is until the message is done. The
 * queue (queue.h) carries its address; the owner runs it where it lies, so nothing is copied and sending allocates
 * nothing. One message may have many requests (detail/partitioned_batch.h).
 *
 * Owners. Whoever owns a partition has its lock (map_lock.h), listed among its thread's holds, from taking it to
 * leaving it. So there is one owner at a time; a thread that ends gives its partitions back; and a wait for an owner
 * takes part in the search for circles (hold.h). It is a thread of the map's own, or one of the user's that polls.
 *
 * Senders wait for room in the queue (parking), and for the answer (latch.h). A sender that gives up takes its message
 * back, and then nothing of it is ever done; if the owner has begun, the sender waits for it to end. The message's
 * place in the queue decides: see queue.h.
 *
 * Lending. Where the map is lent, its thread leaves a partition before it sleeps, and a sender that finds it without an
 * owner takes it by trying, serves the queue, and leaves it. Who has left a partition looks once more whether something
 * is in the queue, behind a fence; who has sent something tries for the lock behind one. So of a sender that finds the
 * lock taken and an owner that leaves, one sees the other: nothing is left lying. Who does not help, or has served many
 * and sees more, rings for the map's thread, as senders always do where nothing is lent. The queue is served from its
 * head by whoever has the lock, so (P4) does not ask who that is.
 *
 * Calls of an owner. For keys of its own partition they run at once; before that, outside of functions, the queue is
 * emptied, so that what the thread had sent comes first. While it waits for other owners it serves its own queue,
 * so owners that ask one another go on. In a function that runs on its partition it cannot: what the function looks at
 * would change under its eyes. Then it publishes its wait, and if that closes a circle it is CM_DEADLOCK.
 *
 * Invariants. (P1) The plain map, and `running`, are touched by the owner alone, or once there are no threads. (P2)
 * Each message that was sent is run, dropped, or taken back, once; then its latch is counted down, or, if it has none,
 * run() has given it away. (P3) Each key is in the partition that cm_partition_of_() says. (P4) What a sender has sent
 * to one partition is run in that order. */
#ifndef CONCMAP_DETAIL_PARTITION_H
#define CONCMAP_DETAIL_PARTITION_H

#include <concmap/detail/latch.h>
#include <concmap/detail/map_lock.h>
#include <concmap/detail/per_thread.h>
#include <concmap/detail/plain_map.h>
#include <concmap/detail/queue.h>

CM_BEGIN_DECLS

struct cm_partition_;

/* The beginning of every message. */
struct cm_message_ {
    /* As the owner: does what is asked; or, where `dropped` is less than 0, only tells that to each request. */
    void (*run)(struct cm_message_ *message, struct cm_partition_ *partition, cm_status dropped);
    struct cm_latch_ *latch; /* who waits; NULL: run() gives the message away */
    struct cm_partition_ *partition;
    struct cm_message_ *next; /* of those that a wait is for */
    uint64_t place;
    uint32_t done;     /* 1: it is the sender's again */
    uint32_t requests; /* in it */
};

/* What others may know of a partition; the owner writes it after each message, by relaxed stores. */
struct cm_partition_figures_ {
    size_t len, table, texts;
    uint64_t messages, requests, sleeps;
};

struct cm_partition_ {
    struct cm_queue_ queue;
    /* What senders look at, apart from what the owner writes. */
    struct cm_partitions_ *all;
    struct cm_thread_ *owner; /* whom to ring for; NULL: nobody */
    struct cm_map_lock_ lock;
    struct cm_map_held_ held;
    struct cm_partition_ *next; /* of those that the same thread owns */
    struct cm_thread_ *lender;  /* the map's thread, of a lent map: whom to ring for there; NULL: it has not begun */
    uint32_t index;
    uint32_t armed; /* 1: the wake function is to be called when something comes */
    uint32_t senders_waiting;
    uint32_t unused_;
    char before_plain_[CM_APART - 48 - sizeof(struct cm_map_lock_) - sizeof(struct cm_map_held_)];
    struct cm_plain_ plain;
    struct cm_message_ *running; /* from the queue; for who takes over from an owner that ended */
    struct cm_partition_figures_ figures;
} __attribute__((aligned(CM_APART)));

struct cm_workers_;

struct cm_partitions_ {
    struct cm_partition_ *parts;
    uint64_t seed;
    uint32_t count;
    uint32_t batch; /* requests that a message holds at most */
    size_t (*owner_of)(const void *key, size_t partitions, void *context);
    void (*wake)(size_t partition, void *context);
    void *context;
    cm_allocator allocator;
    struct cm_block_ block;
    struct cm_workers_ *workers;  /* NULL: partitions are polled */
    struct cm_per_thread_ spares; /* what ended batches have left, for those that begin */
    uint64_t process;
    uint64_t dropped; /* requests, by shutdown */
    bool lent;
    uint32_t drops; /* 1: what is in the queues is dropped */
    uint32_t shut;  /* how far shutdown is: see partitioned.c */
};

#define CM_PARTITIONS_VERSION_ 2u /* of what inlined code knows of the library's structures */

struct cm_partition_config;

/* `version` and `size` are the caller's own: CM_INVALID if the library's differ. */
CM_API cm_status cm_partitions_init_(struct cm_partitions_ *map, const struct cm_type *type,
                                     const struct cm_partition_config *config, unsigned version, size_t size);
CM_API void cm_partitions_end_(struct cm_partitions_ *map, const struct cm_type *type);
/* Closes the queues, and waits until what is in them was run, or dropped. */
CM_API cm_status cm_partitions_shutdown_(struct cm_partitions_ *map, bool drop, size_t *dropped, cm_deadline deadline);

/* Whether that is done: nobody owns the partitions' maps any more, and they stay as they are. */
CM_API bool cm_partitions_are_shut_(const struct cm_partitions_ *map);

/* Becomes the owner, leaves it, serves up to `most` messages. */
CM_API cm_status cm_partition_own_(struct cm_partition_ *partition, cm_deadline deadline);
CM_API cm_status cm_partition_disown_(struct cm_partition_ *partition);
CM_API cm_status cm_partition_poll_(struct cm_partition_ *partition, size_t most, size_t *served);
CM_API cm_status cm_partition_arm_(struct cm_partition_ *partition);
/* Sleeps until one of the partitions that the thread owns has something to do. */
CM_API cm_status cm_owner_sleep_(cm_deadline deadline);
CM_API bool cm_partition_is_own_(const struct cm_partition_ *partition);

/* Sends; waits for room. What its run() does has to be published by a latch, unless it has none. */
CM_API cm_status cm_partition_send_(struct cm_partition_ *partition, struct cm_message_ *message,
                                    struct cm_latch_ *latch, cm_deadline deadline);
/* Sends, and waits until the message is done. A failure: it was taken back, and nothing was done. */
CM_API cm_status cm_partition_call_(struct cm_partition_ *partition, struct cm_message_ *message, cm_deadline deadline);
/* Waits until the latch is at zero. CM_DEADLOCK: the wait for one of the messages, a list by `next`, would never end;
 * the caller takes back what it can, or waits with `reports` false. */
CM_API cm_status cm_latch_wait_(struct cm_latch_ *latch, const struct cm_message_ *messages, bool reports,
                                cm_deadline deadline);
/* Takes a message back; false: it is run, or was. */
CM_API bool cm_message_take_back_(struct cm_message_ *message);

/* The partition that owns a key. Bits of the hash in the middle: the flat table uses those at both ends. */
CM_INLINE struct cm_partition_ *cm_partition_of_(const struct cm_partitions_ *map, const void *key, uint64_t hash)
{
    if (CM_UNLIKELY(map->owner_of != NULL))
        return &map->parts[map->owner_of(key, map->count, map->context) % map->count];
    return &map->parts[((hash >> 24 & UINT32_MAX) * map->count) >> 32];
}

CM_API size_t cm_partitions_len_(const struct cm_partitions_ *map);
CM_API cm_memory cm_partitions_memory_(const struct cm_partitions_ *map);

/* For calls on all partitions, one after the other: what each of them came to. */
CM_INLINE cm_status cm_status_worse_(cm_status a, cm_status b)
{
    return a < 0 ? a : b;
}

CM_END_DECLS

#endif
