/* Iteration: a bucket is copied at a time, so that no lock is held while user code runs.
 * In which order, and why each key that is present throughout is seen exactly once, says course.h. */
#ifndef CONCMAP_DETAIL_ITER_H
#define CONCMAP_DETAIL_ITER_H

#include <concmap/detail/copies.h>
#include <concmap/detail/course.h>

CM_BEGIN_DECLS

#define CM_GLANCE_BUCKETS_ 2 /* of a chain that are copied without a lock */

struct cm_iter_ {
    struct cm_map_ *map;
    struct cm_course_ course;
    cm_status status;         /* CM_NOMEM: stopped early, for a bucket could not be copied */
    unsigned left;            /* slots of `buckets` that were not visited, CM_MAX_SLOTS_ for each */
    size_t index;             /* the next one of `copies` */
    struct cm_copies_ copies; /* made under a lock */
    uint64_t buckets[CM_GLANCE_BUCKETS_ * CM_BUCKET_MOST_ / 8]; /* or copies of whole buckets, made without */
};

/* An iteration over part `part` of `parts` equal ones; CM_INVALID: there is no such part, and it ends at once. */
CM_API void cm_iter_begin_(struct cm_iter_ *iter, const struct cm_map_ *map, unsigned part, unsigned parts);
/* Copies the next bucket that has entries, under its lock; false at the end, or where iter->status is a failure. */
CM_API bool cm_iter_fetch_(struct cm_iter_ *iter, const struct cm_type *type, cm_deadline deadline);
/* The first table in which the cursor's bucket has not MOVED, held shared, unless *got is a failure; NULL: the map is
 * empty. Pinned by the caller. */
CM_API CM_COLD struct cm_table_ *cm_cursor_share_(struct cm_map_ *map, struct cm_layout_ layout, uint64_t cursor,
                                                  const struct cm_wait_ *wait, char **head, int *got);
CM_API void cm_iter_end_(struct cm_iter_ *iter, const struct cm_type *type);

/* Copies the next bucket, and one of its chain, as they lie, without a lock. False: where that takes more. */
CM_INLINE bool cm_iter_glance_(struct cm_iter_ *iter, const struct cm_type *type)
{
    const struct cm_layout_ layout = cm_layout_of_(type);
    struct cm_course_ *course = &iter->course;
    if (layout.nodes)
        return false;
    struct cm_thread_ *self = cm_leaf_enter_();
    const struct cm_table_ *table = cm_load_acquire_(&iter->map->root); /* as in cm_map_glance_() */
    uint64_t rest = cm_cursor_end_(table, 0), end = course->cursor | rest;
    char *head = cm_table_bucket_(table, layout, cm_reverse_bits_(course->cursor));
    uint64_t *cell = cm_bucket_state_(head);
    uint64_t state = cm_load_acquire_(cell);
    bool done = !(state & (CM_WRITER_ | CM_MOVED_)) && !(course->cursor & rest) && end <= course->last;
    unsigned left = cm_state_occupied_(state);
    if (CM_LIKELY(done)) {
        const char *ahead = cm_table_bucket_(table, layout, cm_reverse_bits_(cm_course_ahead_(course, rest)));
        for (size_t line = 0; line < layout.bucket; line += CM_LINE)
            __builtin_prefetch(ahead + line);
        cm_copy_racing_(iter->buckets, head, layout.bucket);
    }
    if (done && (state & CM_CHAINED_)) {
        /* Acquire: as in cm_chain_read_(). */
        char *bucket = cm_load_acquire_(cm_bucket_link_(head, layout));
        done = cm_cell_unchanged_(cell, state);
        uint64_t look = done ? cm_load_acquire_(cm_bucket_state_(bucket)) : 0;
        done &= !(look & CM_CHAINED_);
        left |= cm_state_occupied_(look) << CM_MAX_SLOTS_;
        if (done)
            cm_copy_racing_(iter->buckets + layout.bucket / 8, bucket, layout.bucket);
    }
    done = done && cm_cell_unchanged_(cell, state);
    if (CM_LIKELY(done)) {
        iter->left = left;
        cm_course_pass_(course, table, end);
    }
    cm_leaf_leave_(self);
    return done;
}

/* Copies the next bucket that has entries, in any way. */
CM_INLINE bool cm_iter_refill_(struct cm_iter_ *iter, const struct cm_type *type, cm_deadline deadline)
{
    while (!iter->course.ended && iter->status >= 0 && cm_iter_glance_(iter, type))
        if (iter->left)
            return true;
    return cm_iter_fetch_(iter, type, deadline);
}

/* Whether entries of the last bucket remain to be visited. */
CM_INLINE bool cm_iter_is_amid_(const struct cm_iter_ *iter)
{
    return iter->left || iter->index < iter->copies.count;
}

/* The next entry of the last bucket, which has some. */
CM_INLINE struct cm_copied_ cm_iter_take_(struct cm_iter_ *iter, const struct cm_type *type)
{
    const struct cm_layout_ layout = cm_layout_of_(type);
    if (layout.nodes || CM_UNLIKELY(iter->left == 0))
        return cm_copy_at_(type, &iter->copies, iter->index++);
    unsigned slot = (unsigned)__builtin_ctz(iter->left);
    char *bucket = (char *)iter->buckets + slot / CM_MAX_SLOTS_ * layout.bucket;
    iter->left &= iter->left - 1;
    struct cm_copied_ copied;
    copied.key = cm_bucket_key_(type, layout, bucket, slot % CM_MAX_SLOTS_);
    copied.value = cm_bucket_value_(type, layout, bucket, slot % CM_MAX_SLOTS_);
    return copied;
}

CM_END_DECLS

#endif
