/* The thread record: what other threads may know of this one.
 *
 * Shape. One record a thread, in a list that only grows; a thread that ends gives its record back for
 * the next thread to take, so a record's memory is never freed and its index is unique among the living threads.
 * Indices are small and dense: per-thread storage of a map is an array over them (per_thread.h).
 *
 * Failure. A thread for which no record can be made shares the stranger's, whose index is CM_STRANGER_ and whose pin is
 * set for ever: its accesses are safe, and memory that waits for readers then waits until its map is destroyed. A
 * thread that uses a map in the very last round of its own destructors of thread-specific data keeps its record for
 * ever. */
#ifndef CONCMAP_DETAIL_THREAD_H
#define CONCMAP_DETAIL_THREAD_H

#include <concmap/checked.h>
#include <concmap/detail/atomic.h>

CM_BEGIN_DECLS

#define CM_STRANGER_ UINT32_MAX

struct cm_node_;
struct cm_type;
struct cm_waiters_;

/* A lock that a thread keeps while code of the user runs: a guard's, or that of a function given to update. */
struct cm_hold_ {
    const uint64_t *cell;        /* NULL: it is free. Read by others when they look for a circle of waits (hold.h) */
    struct cm_waiters_ *waiters; /* of the map: also tells whose cell it is */
    char *bucket;                /* where the entry lies that is held, or where it would be put */
    union {
        size_t *admitted; /* where a vacant entry has room within its map's limit: the count to take it from; or NULL */
        uint64_t reached; /* of a map that is being frozen: see hold.h */
    };
    /* Of exclusive ones: */
    struct cm_node_ **orphans;     /* where nodes go that nobody has any more */
    struct cm_node_ *spare;        /* the node of a vacant entry, NULL */
    struct cm_node_ *removed;      /* those removed through the guard, by the header */
    const struct cm_type *counted; /* of an entry that a call uses for as long as it has the lock; NULL: of none */
    uint32_t slot;
    bool exclusive;
    bool traced; /* `at` is known */
    bool died;   /* its thread ended while it held it */
    bool intact; /* should it, the entry is as it was */
    cm_call_site at;
    const void *lent; /* what the user was given of a value, where that is a copy; known if traced */
};

#define CM_HOLDS_ 12

struct cm_hold_block_ {
    struct cm_hold_block_ *more;
    struct cm_hold_ holds[CM_HOLDS_];
};

/* What a thread that waits for a cell wants of it. */
struct cm_want_ {
    uint64_t own_readers;        /* this thread's shares of the cell, as they count in the word */
    uint64_t asked_at;           /* the version when this waiter set PENDING */
    struct cm_waiters_ *waiters; /* of the map */
    bool exclusive;
    bool asked;
    bool passes; /* past PENDING */
};

struct cm_thread_ {
    uint32_t index;               /* never changes */
    uint32_t fenced;              /* 1: every pin is followed by a fence of its own (domain.h) */
    struct cm_thread_ *next;      /* in the list of all records; never changes once published */
    struct cm_thread_ *next_free; /* under the registry's lock */
    uint32_t used;                /* 1: a living thread has it */
    uint32_t victim;              /* 1: its wait is given up, so that a circle of waits ends */
    uint32_t bell;                /* whether it sleeps until somebody rings (latch.h) */
    /* A wait while something is held, for others who look for a circle; under the lock of hold.c but for clearing. */
    const uint64_t *waits_for; /* the cell, NULL: it does not wait */
    uint64_t search;           /* the last search that came by, and by whom */
    struct cm_thread_ *from;
    struct cm_thread_ *search_next;
    bool reports; /* the call that waits can say CM_DEADLOCK */
    bool hushed;  /* it will try again, and tells no hook */
    /* Of checked builds: where its call was made, whether that was noted for a call yet to come, and the circle that a
     * wait was given up for. */
    bool at_marked;
    cm_call_site at;
    uint64_t handle; /* its pthread_t, as a figure */
    /* Written by its thread for each operation, read by reclaimers; 0: outside, otherwise the epoch word read on
     * entering. They lie where in a page buckets have their links: a load waits until an older store to the same place
     * of another page is done, as if it were the same memory, and then nothing behind it overlaps. */
    char before_leaf_[CM_APART - 8 - 112];
    uint64_t leaf; /* of a single lookup, which runs no code that could pin inside it */
    cm_deadlock circle;
    struct cm_want_ want; /* of the wait, for the search */
    char before_pin_[CM_APART - 8 - sizeof(cm_deadlock) - sizeof(struct cm_want_)];
    uint64_t pin;
    uint64_t holding __attribute__((aligned(CM_APART))); /* how many holds it has listed; only its own */
    struct cm_hold_block_ held;
} __attribute__((aligned(CM_APART)));

CM_STATIC_ASSERT(offsetof(struct cm_thread_, leaf) % CM_APART == CM_APART - 8, "where buckets have their links");
CM_STATIC_ASSERT(offsetof(struct cm_thread_, pin) % CM_APART == CM_APART - 8, "where buckets have their links");

/* The calling thread's record; NULL before its first call and once it has ended. */
extern CM_API CM_THREAD_LOCAL struct cm_thread_ *cm_thread_self_;

/* Gives the calling thread a record. Never NULL. Takes a lock and may allocate. */
CM_API CM_COLD struct cm_thread_ *cm_thread_join_(void);

CM_INLINE struct cm_thread_ *cm_thread_get_(void)
{
    struct cm_thread_ *self = cm_thread_self_;
    return CM_LIKELY(self != NULL) ? self : cm_thread_join_();
}

CM_END_DECLS

#endif
