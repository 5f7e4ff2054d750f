/* The typed functions of sets, which are those of maps without values: name_VERB() of what name_as_VERB() does. */
#ifndef CONCMAP_DETAIL_SET_H
#define CONCMAP_DETAIL_SET_H

#include <concmap/detail/batches.h>
#include <concmap/detail/bulk.h>
#include <concmap/detail/set_common.h>

#define CM_SET_FUNCTIONS_(how, name, Key)                                                                              \
    CM_SET_BASE_(how, name, Key)                                                                                       \
    CM_SET_LIFE_(how, name)                                                                                            \
    CM_SET_KEYS_(how, name, Key)                                                                                       \
    CM_SET_VISITS_(how, name, Key)                                                                                     \
    CM_SET_WALK_(how, name, Key)                                                                                       \
    CM_SET_PAIRS_(how, name, Key)

#define CM_SET_LIFE_(how, name)                                                                                        \
    /* As of the map. */                                                                                               \
    CM_FUNCTION_(how, name *, name##_create, (const cm_config *config, cm_status *status),                             \
                 { return name##_as_create(config, status); })                                                         \
    CM_FUNCTION_(how, name *, name##_share, (name * set), { return name##_as_share(set); })                            \
    CM_FUNCTION_(how, void, name##_release, (name * set), { name##_as_release(set); })                                 \
    CM_FUNCTION_(how, bool, name##_step, (name * set, size_t buckets), { return name##_as_step(set, buckets); })       \
    CM_FUNCTION_(how, cm_status, name##_settle, (name * set), { return name##_as_settle(set); })                       \
    CM_FUNCTION_(how, void, name##_stats, (const name *set, cm_stats *stats), { name##_as_stats(set, stats); })

#define CM_SET_KEYS_(how, name, Key)                                                                                   \
    CM_INNER_(how, cm_status, name##_add_in_, (name * map, uint64_t hash, Key key, cm_deadline deadline), {            \
        cm_nothing nothing = {0};                                                                                      \
        return name##_as_insert_in_(map, hash, key, nothing, deadline);                                                \
    })                                                                                                                 \
    /* CM_OK: it was added; CM_EXISTS: it was there. CM_NOMEM, CM_FULL. Locks one bucket. */                           \
    CM_KEYED_(how, name, name, Key, add, (), ())                                                                       \
    CM_INNER_(how, cm_status, name##_remove_in_, (name * map, uint64_t hash, Key key, cm_deadline deadline),           \
              { return name##_as_remove_in_(map, hash, key, NULL, deadline); })                                        \
    /* CM_OK, or CM_ABSENT. Locks one bucket. */                                                                       \
    CM_KEYED_(how, name, name, Key, remove, (), ())                                                                    \
    CM_INNER_(how, size_t, name##_add_many_in_,                                                                        \
              (name * set, const Key *keys, size_t n, cm_status *results, cm_deadline deadline), {                     \
                  cm_nothing nothing = {0};                                                                            \
                  size_t done = 0;                                                                                     \
                  CM_BATCH_(&name##_as_type_, &set->core, i, n, hash, &keys[i], true, {                                \
                      cm_status status = name##_as_write_(set, &keys[i], hash, CM_ABSENT_INSERT_, CM_PRESENT_KEEP_,    \
                                                          &nothing, NULL, NULL, NULL, NULL, deadline);                 \
                      if (results)                                                                                     \
                          results[i] = status;                                                                         \
                      done += status >= 0;                                                                             \
                  });                                                                                                  \
                  return done;                                                                                         \
              })                                                                                                       \
    /* Adds n keys, in order, fetching ahead in large tables. `results` (may be NULL) takes what add would return.     \
     * Returns how many are there now. */                                                                              \
    CM_TWINS_OF_(how, size_t, name, add_many, (name * set, const Key *keys, size_t n, cm_status *results),             \
                 (set, keys, n, results))                                                                              \
    CM_INNER_(how, size_t, name##_remove_many_in_,                                                                     \
              (name * set, const Key *keys, size_t n, cm_status *results, cm_deadline deadline),                       \
              { return name##_as_remove_many_in_(set, keys, n, NULL, results, deadline); })                            \
    /* Removes n keys, in order, fetching ahead in large tables. Returns how many there were. */                       \
    CM_TWINS_OF_(how, size_t, name, remove_many, (name * set, const Key *keys, size_t n, cm_status *results),          \
                 (set, keys, n, results))

#define CM_SET_WALK_(how, name, Key)                                                                                   \
    /* As of the map. */                                                                                               \
    CM_FUNCTION_(how, name##_iter, name##_part_begin, (const name *set, unsigned part, unsigned parts),                \
                 { return name##_as_part_begin(set, part, parts); })                                                   \
    CM_TWINS_(how, name, for_each, (const name *set, cm_status (*function)(const Key *, void *), void *context),       \
              (set, function, context))                                                                                \
    CM_INNER_(how, cm_status, name##_scan_in_,                                                                         \
              (const name *set, uint64_t *cursor, size_t count, cm_status (*function)(const Key *, void *),            \
               void *context, cm_deadline deadline),                                                                   \
              {                                                                                                        \
                  struct name##_visit_ visit = {function, context};                                                    \
                  return name##_as_scan_in_(set, cursor, count, name##_visit_key_, &visit, deadline);                  \
              })                                                                                                       \
    CM_TWINS_(                                                                                                         \
        how, name, scan,                                                                                               \
        (const name *set, uint64_t *cursor, size_t count, cm_status (*function)(const Key *, void *), void *context),  \
        (set, cursor, count, function, context))                                                                       \
    CM_TWINS_(how, name, retain, (name * set, cm_status(*keep)(const Key *, void *), void *context),                   \
              (set, keep, context))

#endif
