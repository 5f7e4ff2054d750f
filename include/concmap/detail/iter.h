/* Iteration: a bucket is copied at a time, so that no lock is held while user code runs.
 *
 * The cursor is a point in the space of reversed hashes. A bucket of a table of 2^k buckets stands for the hashes that
 * end in its k bits, an interval of that space; a larger table only splits it. So each key that is present throughout
 * is seen exactly once while the table grows. After Redis SCAN. */
#ifndef CONCMAP_DETAIL_ITER_H
#define CONCMAP_DETAIL_ITER_H

#include <concmap/detail/map.h>

CM_BEGIN_DECLS

struct cm_iter_ {
    struct cm_map_ *map;
    uint64_t cursor;
    uint64_t last; /* of the cursor's space */
    bool ended;
    cm_status status; /* CM_NOMEM: stopped early, for a bucket could not be copied */
    size_t index;     /* the next entry of the copy */
    size_t count;
    char *entries; /* the copy: keys and values as in a node, then texts */
    size_t bytes;  /* of its memory */
};

/* An iteration over part `part` of `parts` equal ones; CM_INVALID: there is no such part, and it ends at once. */
CM_API void cm_iter_begin_(struct cm_iter_ *iter, const struct cm_map_ *map, unsigned part, unsigned parts);
/* Copies the next bucket that has entries; false at the end, or where iter->status is a failure. */
CM_API bool cm_iter_fetch_(struct cm_iter_ *iter, const struct cm_type *type, cm_deadline deadline);
CM_API void cm_iter_end_(struct cm_iter_ *iter, const struct cm_type *type);

/* The last point of the cursor's space that is of the same bucket as the cursor. */
CM_INLINE uint64_t cm_cursor_end_(const struct cm_table_ *table, uint64_t cursor)
{
    unsigned bits = (unsigned)__builtin_popcountll(table->mask);
    return cursor | (bits ? (UINT64_C(1) << (64 - bits)) - 1 : UINT64_MAX);
}

CM_INLINE size_t cm_iter_value_offset_(const struct cm_type *type)
{
    return cm_align_up_(type->key_size, type->value_alignment);
}

CM_INLINE size_t cm_iter_stride_(const struct cm_type *type)
{
    return cm_align_up_(cm_iter_value_offset_(type) + type->value_size, 16);
}

/* The next entry's place in the copy, or NULL at the end. */
CM_INLINE char *cm_iter_next_(struct cm_iter_ *iter, const struct cm_type *type, cm_deadline deadline)
{
    if (iter->index == iter->count && !cm_iter_fetch_(iter, type, deadline))
        return NULL;
    return iter->entries + iter->index++ * cm_iter_stride_(type);
}

CM_END_DECLS

#endif
