/* The course of a walk: in which order it comes to the buckets, so that it visits each key that is present throughout
 * exactly once, whatever the table does meanwhile.
 *
 * The cursor is a point in the space of reversed hashes. A bucket of a table of 2^k buckets stands for the hashes that
 * end in its k bits, an interval of that space; a larger table only splits it, a smaller one joins it with others.
 * After Redis SCAN. A walk that passes every point once is right, in whatever order it does so; and a step past a
 * bucket passes no more than the points of the interval that the walk is in.
 *
 * In the order of the points, though, buckets that follow each other are half a table apart, and each is a miss that no
 * processor guesses. So a walk over all of a larger table takes 64 lanes, which begin where buckets 0, 1, 2 ... do:
 *
 *     lane 0   [row][row][row] ...      from bucket 0 on      a row is as wide as a bucket is when the row begins,
 *     lane 1   [row][row][row] ...      from bucket 1 on      and is passed lane by lane: 64 buckets that lie side
 *     ...                                                     by side in memory, then the next row
 *
 * Each row of each lane is an interval like any other, so nothing else changes where the table does. */
#ifndef CONCMAP_DETAIL_COURSE_H
#define CONCMAP_DETAIL_COURSE_H

#include <concmap/detail/map.h>

CM_BEGIN_DECLS

#define CM_LANE_BITS_ 6
#define CM_LANES_ (1u << CM_LANE_BITS_)
#define CM_COURSE_AHEAD_ 16 /* buckets that walks fetch ahead, measured; less than there are lanes */
#define CM_GLANCE_AHEAD_ 8  /* those that go in the order of the points */

struct cm_course_ {
    uint64_t cursor;
    uint64_t last; /* of the interval that the walk is in */
    bool ended;
    unsigned lane;
    unsigned lanes;    /* 1: there is one interval, and then the end */
    uint64_t row;      /* the first point of the row, in lane 0 */
    uint64_t row_last; /* and its last one */
};

/* The course over part `part` of `parts` equal ones; false: there is no such part, and it has ended. (src/iter.c) */
CM_API bool cm_course_begin_(struct cm_course_ *course, const struct cm_map_ *map, unsigned part, unsigned parts);

/* Goes to a point, to pass what follows in the order of the points: such a course is only its cursor. */
CM_INLINE void cm_course_resume_(struct cm_course_ *course, uint64_t cursor)
{
    course->cursor = cursor;
    course->last = UINT64_MAX;
    course->lanes = 1;
}

/* The last point of the cursor's space that is of the same bucket as the cursor. */
CM_INLINE uint64_t cm_cursor_end_(const struct cm_table_ *table, uint64_t cursor)
{
    unsigned bits = table->mask ? 64 - (unsigned)__builtin_clzll(table->mask) : 0;
    return cursor | UINT64_MAX >> bits;
}

/* The first point of a lane. */
CM_INLINE uint64_t cm_lane_point_(unsigned lane)
{
    return cm_reverse_bits_(lane);
}

/* Begins a row, as wide as a bucket of the table. */
CM_INLINE void cm_course_row_(struct cm_course_ *course, const struct cm_table_ *table, uint64_t row)
{
    const uint64_t lane_last = UINT64_MAX >> CM_LANE_BITS_;
    uint64_t end = cm_cursor_end_(table, row);
    course->lane = 0;
    course->row = course->cursor = row;
    course->row_last = course->last = end < lane_last ? end : lane_last;
}

/* Steps past the cursor's bucket, which is of `table` and whose last point is `end`. */
CM_INLINE void cm_course_pass_(struct cm_course_ *course, const struct cm_table_ *table, uint64_t end)
{
    if (end < course->last) {
        course->cursor = end + 1;
    } else if (++course->lane < course->lanes) {
        course->cursor = course->row | cm_lane_point_(course->lane);
        course->last = course->row_last | cm_lane_point_(course->lane);
    } else if (course->lanes > 1 && course->row_last < UINT64_MAX >> CM_LANE_BITS_) {
        cm_course_row_(course, table, course->row_last + 1);
    } else {
        course->ended = true;
        course->cursor = 0;
    }
}

/* A point of a bucket that comes soon, to be fetched; `rest` is the last point of bucket 0. */
CM_INLINE uint64_t cm_course_ahead_(const struct cm_course_ *course, uint64_t rest)
{
    unsigned lane = course->lane + CM_COURSE_AHEAD_;
    if (course->lanes == 1)
        return course->cursor + (rest + 1) * CM_GLANCE_AHEAD_;
    return cm_lane_point_(lane % CM_LANES_) | (lane < CM_LANES_ ? course->row : course->row_last + 1);
}

CM_END_DECLS

#endif
