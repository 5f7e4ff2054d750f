/* The thread record: what other threads may know of this one.
 *
 * Shape. One record a thread, two cache lines, in a list that only grows; a thread that ends gives its record back for
 * the next thread to take, so a record's memory is never freed and its index is unique among the living threads.
 * Indices are small and dense: per-thread storage of a map is an array over them (per_thread.h).
 *
 * Failure. A thread for which no record can be made shares the stranger's, whose index is CM_STRANGER_ and whose pin is
 * set for ever: its accesses are safe, and memory that waits for readers then waits until its map is destroyed. A
 * thread that uses a map in the very last round of its own destructors of thread-specific data keeps its record for
 * ever. */
#ifndef CONCMAP_DETAIL_THREAD_H
#define CONCMAP_DETAIL_THREAD_H

#include <concmap/detail/atomic.h>

CM_BEGIN_DECLS

#define CM_STRANGER_ UINT32_MAX

struct cm_thread_ {
    uint64_t pin; /* 0: outside. Otherwise the epoch word read on entering. Written by its thread, read by reclaimers */
    uint64_t leaf;                /* the same, for a single lookup, which runs no code that could pin inside it */
    uint32_t index;               /* never changes */
    uint32_t fenced;              /* 1: every pin is followed by a fence of its own (domain.h) */
    struct cm_thread_ *next;      /* in the list of all records; never changes once published */
    struct cm_thread_ *next_free; /* under the registry's lock */
    uint32_t used;                /* 1: a living thread has it */
} __attribute__((aligned(CM_APART)));

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
