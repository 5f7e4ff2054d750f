/* The typed functions that walk over all entries. */
#ifndef CONCMAP_DETAIL_WALKS_H
#define CONCMAP_DETAIL_WALKS_H

#include <concmap/detail/iter.h>
#include <concmap/detail/typed.h>

#define CM_WALKS_(how, name, Key, Value)                                                                               \
    CM_SHOWN_(                                                                                                         \
        how, typedef struct name##_iter {                                                                              \
            struct cm_iter_ core;                                                                                      \
            Key key;                                                                                                   \
            Value value;                                                                                               \
            cm_status status; /* CM_NOMEM after an iteration that ended early */                                       \
        } name##_iter;)                                                                                                \
    /* Begins an iteration over one of `parts` disjoint parts of about the same size, for as many threads: 0 to parts  \
     * - 1. Together they visit what one iteration would. iter_next says CM_INVALID of a part that there is not. */    \
    CM_FUNCTION_(how, name##_iter, name##_part_begin, (const name *map, unsigned part, unsigned parts), {              \
        name##_iter iter;                                                                                              \
        memset((void *)&iter.key, 0, sizeof iter.key);                                                                 \
        memset((void *)&iter.value, 0, sizeof iter.value);                                                             \
        cm_iter_begin_(&iter.core, &map->core, part, parts);                                                           \
        iter.status = iter.core.status;                                                                                \
        return iter;                                                                                                   \
    })                                                                                                                 \
    /* Begins an iteration; see CM_FOREACH (typed.h): no lock is held, and any call is allowed. Each key that is in    \
     * the map throughout is visited once; keys that come or go meanwhile may be visited. Give it to one thread at a   \
     * time, and end it. */                                                                                            \
    CM_FUNCTION_(how, name##_iter, name##_iter_begin, (const name *map), { return name##_part_begin(map, 0, 1); })     \
    CM_HIDDEN_(                                                                                                        \
        how,                                                                                                           \
        static __attribute__((noinline, unused)) bool name##_iter_refill_(name##_iter *iter, cm_deadline deadline) {   \
            bool filled = cm_iter_refill_(&iter->core, &name##_type_, deadline);                                       \
            iter->status = iter->core.status;                                                                          \
            return filled;                                                                                             \
        })                                                                                                             \
    CM_INNER_(how, bool, name##_iter_next_in_, (name##_iter * iter, cm_deadline deadline), {                           \
        if (CM_UNLIKELY(!cm_iter_is_amid_(&iter->core)) && !name##_iter_refill_(iter, deadline))                       \
            return false;                                                                                              \
        struct cm_copied_ copied = cm_iter_take_(&iter->core, &name##_type_);                                          \
        memcpy((void *)&iter->key, copied.key, sizeof(Key));                                                           \
        memcpy((void *)&iter->value, copied.value, name##_type_.value_size);                                           \
        return true;                                                                                                   \
    })                                                                                                                 \
    /* Goes to the next entry; false at the end, or where `status` is a failure: after CM_BUSY and CM_TIMEOUT it can   \
     * go on. Text keys are valid until the next step. */                                                              \
    CM_TWINS_OF_(how, bool, name, iter_next, (name##_iter * iter), (iter))                                             \
    /* Gives back what the iteration holds: memory, never a lock. */                                                   \
    CM_FUNCTION_(how, void, name##_iter_end, (name##_iter * iter), { cm_iter_end_(&iter->core, &name##_type_); })      \
    CM_INNER_(how, struct cm_course_ *, name##_iter_course_, (name##_iter * iter), { return &iter->core.course; })     \
    CM_INNER_(how, bool, name##_iter_is_amid_, (const name##_iter *iter), { return cm_iter_is_amid_(&iter->core); })   \
    CM_SHOWN_(                                                                                                         \
        how, CM_TYPED const Value *name##_iter_value_(const name##_iter *iter) { return &iter->value; })               \
    /* A copy of the value, which may be written to. */                                                                \
    CM_LOCAL_(how, Value *, name##_iter_copy_, (name##_iter * iter, Value * room), {                                   \
        (void)room;                                                                                                    \
        return &iter->value;                                                                                           \
    })                                                                                                                 \
    CM_INNER_(how, Value *, name##_taken_, (name##_out_ * out), { return out; })                                       \
    CM_LOCAL_(how, cm_status, name##_has_like_,                                                                        \
              (const name *map, const Key *key, const Value *value, bool (*equal)(const Value *, const Value *)), {    \
                  Value other;                                                                                         \
                  cm_status status = name##_get_until(map, *key, &other, CM_FOREVER - 1);                              \
                  if (status != CM_OK)                                                                                 \
                      return status;                                                                                   \
                  bool same = equal(value, &other);                                                                    \
                  cm_value_destroy_(&name##_type_, &map->core, &other);                                                \
                  return same ? CM_OK : CM_ABSENT;                                                                     \
              })                                                                                                       \
    CM_WALKED_(how, name, Key, Value)

/* What is made of an iteration. */
#define CM_WALKED_(how, name, Key, Value)                                                                              \
    CM_INNER_(how, cm_status, name##_for_each_in_,                                                                     \
              (const name *map, cm_status (*function)(const Key *, const Value *, void *), void *context,              \
               cm_deadline deadline),                                                                                  \
              {                                                                                                        \
                  name##_iter iter = name##_iter_begin(map);                                                           \
                  cm_status status = CM_OK;                                                                            \
                  while (status >= 0 && name##_iter_next_in_(&iter, deadline))                                         \
                      status = function(&iter.key, name##_iter_value_(&iter), context);                                \
                  name##_iter_end(&iter);                                                                              \
                  return status < 0 ? status : iter.status;                                                            \
              })                                                                                                       \
    /* Calls the function for each entry until it returns less than 0; returns that, CM_OK, CM_NOMEM, or why a wait    \
     * was given up. As CM_FOREACH. */                                                                                 \
    CM_TWINS_(how, name, for_each,                                                                                     \
              (const name *map, cm_status (*function)(const Key *, const Value *, void *), void *context),             \
              (map, function, context))                                                                                \
    CM_SCANS_(how, name, Key, Value)

/* A walk that is resumed by a number. NAME_iter_course_() is the course of an iteration. */
#define CM_SCANS_(how, name, Key, Value)                                                                               \
    CM_INNER_(how, cm_status, name##_scan_in_,                                                                         \
              (const name *map, uint64_t *cursor, size_t count,                                                        \
               cm_status (*function)(const Key *, const Value *, void *), void *context, cm_deadline deadline),        \
              {                                                                                                        \
                  name##_iter iter = name##_iter_begin(map);                                                           \
                  cm_status status = CM_OK;                                                                            \
                  size_t seen = 0;                                                                                     \
                  cm_course_resume_(name##_iter_course_(&iter), *cursor);                                              \
                  uint64_t from = *cursor;                                                                             \
                  while (status >= 0 && (seen < count || name##_iter_is_amid_(&iter))) {                               \
                      if (!name##_iter_is_amid_(&iter))                                                                \
                          from = name##_iter_course_(&iter)->cursor;                                                   \
                      if (!name##_iter_next_in_(&iter, deadline))                                                      \
                          break;                                                                                       \
                      status = function(&iter.key, name##_iter_value_(&iter), context);                                \
                      seen++;                                                                                          \
                  }                                                                                                    \
                  bool failed = status < 0 || iter.status < 0;                                                         \
                  *cursor = failed ? from : name##_iter_course_(&iter)->cursor;                                        \
                  name##_iter_end(&iter);                                                                              \
                  return status < 0 ? status : iter.status;                                                            \
              })                                                                                                       \
    /* Calls the function for some `count` entries, those of a last bucket more, from *cursor on, and moves it behind  \
     * them; 0 is the beginning, and the end. The cursor is only a number: it may be kept as long as the map lives,    \
     * however the table changes. Each key present from a walk's beginning to its end is visited once; those of one    \
     * bucket again, where the function returned less than 0, which ends the call. As for_each. */                     \
    CM_TWINS_(how, name, scan,                                                                                         \
              (const name *map, uint64_t *cursor, size_t count,                                                        \
               cm_status (*function)(const Key *, const Value *, void *), void *context),                              \
              (map, cursor, count, function, context))

#endif
