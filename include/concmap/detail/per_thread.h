/* Storage of a map for each thread: an array over thread indices that grows by segments and never moves.
 *
 * Segment 0 holds the first 8 threads, segment k the next 4 * 2^k. An element belongs to the living thread of its
 * index: only that thread writes it, by plain stores; others may read it. When a thread ends, its element stays as it
 * is and passes to the next thread of that index (the registry's lock orders the two). */
#ifndef CONCMAP_DETAIL_PER_THREAD_H
#define CONCMAP_DETAIL_PER_THREAD_H

#include <concmap/allocator.h>
#include <concmap/detail/thread.h>

CM_BEGIN_DECLS

#define CM_PER_THREAD_FIRST_ 8
#define CM_PER_THREAD_SEGMENTS_ 16

struct cm_per_thread_ {
    char *segments[CM_PER_THREAD_SEGMENTS_]; /* published once each, NULL before */
};

/* The element of thread `index`, made (zeroed) where there is none yet. NULL: no memory, or the thread is a stranger.
 */
CM_API CM_COLD void *cm_per_thread_make_(struct cm_per_thread_ *all, const cm_allocator *allocator, uint32_t index,
                                         size_t size);
/* The element of thread `index`, or NULL where there is none. */
CM_API CM_COLD void *cm_per_thread_find_(const struct cm_per_thread_ *all, uint32_t index, size_t size);
/* The k-th element that exists, or NULL past the last: for sums over all threads. `k` is advanced past gaps. */
CM_API void *cm_per_thread_next_(const struct cm_per_thread_ *all, size_t size, size_t *k);
/* The sum of the int64_t that elements begin with. */
CM_API int64_t cm_per_thread_sum_(const struct cm_per_thread_ *all, size_t size);
/* The bytes of all elements. */
CM_API size_t cm_per_thread_bytes_(const struct cm_per_thread_ *all, size_t size);
CM_API void cm_per_thread_destroy_(struct cm_per_thread_ *all, const cm_allocator *allocator, size_t size);

CM_INLINE void *cm_per_thread_get_(struct cm_per_thread_ *all, const cm_allocator *allocator, uint32_t index,
                                   size_t size)
{
    if (CM_LIKELY(index < CM_PER_THREAD_FIRST_)) {
        /* Pairs with the release that published the zeroed segment. */
        char *segment = cm_load_acquire_(&all->segments[0]);
        if (CM_LIKELY(segment != NULL))
            return segment + index * size;
    }
    return cm_per_thread_make_(all, allocator, index, size);
}

CM_END_DECLS

#endif
