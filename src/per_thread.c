/* Per-thread storage: segments. */
#include <concmap/detail/per_thread.h>

#include "platform.h"

/* Segment of an index, and where the segment begins and how many it holds. */
static size_t segment_of(uint32_t index)
{
    return index < CM_PER_THREAD_FIRST_ ? 0 : (size_t)(29 - __builtin_clz(index));
}

static size_t segment_size(size_t segment)
{
    return segment == 0 ? CM_PER_THREAD_FIRST_ : (size_t)4 << segment;
}

static size_t segment_begin(size_t segment)
{
    return segment == 0 ? 0 : (size_t)4 << segment;
}

static char *segment_make(const cm_allocator *allocator, size_t bytes)
{
    char *segment = allocator->allocate(allocator->context, bytes, sizeof(uint64_t));
    if (segment) {
        memset(segment, 0, bytes);
        cm_platform_lockfree_memory_(segment, bytes);
    }
    return segment;
}

void *cm_per_thread_make_(struct cm_per_thread_ *all, const cm_allocator *allocator, uint32_t index, size_t size)
{
    size_t k = index == CM_STRANGER_ ? CM_PER_THREAD_SEGMENTS_ : segment_of(index);
    if (k >= CM_PER_THREAD_SEGMENTS_)
        return NULL;
    char *segment = cm_load_acquire_(&all->segments[k]);
    if (!segment) {
        char *made = segment_make(allocator, segment_size(k) * size);
        if (!made)
            return NULL;
        cm_platform_tsan_release_(&all->segments[k]);
        /* Publishes the zeroes. Pairs with the acquire in cm_per_thread_get_(). Of two makers one wins. */
        if (cm_swap_if_acq_rel_(&all->segments[k], &segment, made))
            segment = made;
        else
            allocator->deallocate(allocator->context, made, segment_size(k) * size, sizeof(uint64_t));
    }
    cm_platform_tsan_acquire_(&all->segments[k]); /* another thread may have made it meanwhile */
    return segment + (index - segment_begin(k)) * size;
}

void *cm_per_thread_find_(const struct cm_per_thread_ *all, uint32_t index, size_t size)
{
    size_t k = index == CM_STRANGER_ ? CM_PER_THREAD_SEGMENTS_ : segment_of(index);
    char *segment = k < CM_PER_THREAD_SEGMENTS_ ? cm_load_acquire_(&all->segments[k]) : NULL;
    return segment ? segment + (index - segment_begin(k)) * size : NULL;
}

void *cm_per_thread_next_(const struct cm_per_thread_ *all, size_t size, size_t *k)
{
    while (*k < ((size_t)4 << CM_PER_THREAD_SEGMENTS_)) {
        size_t segment = segment_of((uint32_t)*k);
        if (segment >= CM_PER_THREAD_SEGMENTS_)
            return NULL;
        char *elements = cm_load_acquire_(&all->segments[segment]);
        if (elements)
            return elements + ((*k)++ - segment_begin(segment)) * size;
        *k = segment_begin(segment) + segment_size(segment);
    }
    return NULL;
}

int64_t cm_per_thread_sum_(const struct cm_per_thread_ *all, size_t size)
{
    int64_t sum = 0;
    for (size_t k = 0; k < CM_PER_THREAD_SEGMENTS_; k++) {
        const char *element = cm_load_acquire_(&all->segments[k]);
        for (size_t left = element ? segment_size(k) : 0; left > 0; left--, element += size)
            sum += cm_load_relaxed_((const int64_t *)(const void *)element); /* each thread's own: see per_thread.h */
    }
    return sum;
}

size_t cm_per_thread_bytes_(const struct cm_per_thread_ *all, size_t size)
{
    size_t bytes = 0;
    for (size_t k = 0; k < CM_PER_THREAD_SEGMENTS_; k++)
        if (cm_load_relaxed_(&all->segments[k])) /* relaxed: only whether it is there */
            bytes += segment_size(k) * size;
    return bytes;
}

void cm_per_thread_destroy_(struct cm_per_thread_ *all, const cm_allocator *allocator, size_t size)
{
    for (size_t k = 0; k < CM_PER_THREAD_SEGMENTS_; k++)
        if (all->segments[k])
            allocator->deallocate(allocator->context, all->segments[k], segment_size(k) * size, sizeof(uint64_t));
    *all = (struct cm_per_thread_){{NULL}};
}
