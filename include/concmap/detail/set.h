/* The typed functions of sets, which are those of maps without values: name_VERB() of what name_as_VERB() does. */
#ifndef CONCMAP_DETAIL_SET_H
#define CONCMAP_DETAIL_SET_H

#include <concmap/detail/batches.h>
#include <concmap/detail/bulk.h>
#include <concmap/detail/typed.h>

#define CM_SET_FUNCTIONS_(how, name, Key)                                                                              \
    CM_SHOWN_(how, typedef name##_as name; typedef name##_as_iter name##_iter;)                                        \
    CM_SET_LIFE_(how, name)                                                                                            \
    CM_SET_KEYS_(how, name, Key)                                                                                       \
    CM_SET_WALK_(how, name, Key)                                                                                       \
    CM_SET_PAIRS_(how, name, Key)

#define CM_SET_LIFE_(how, name)                                                                                        \
    /* As of the map. */                                                                                               \
    CM_FUNCTION_(how, cm_status, name##_init, (name * set, const cm_config *config),                                   \
                 { return name##_as_init(set, config); })                                                              \
    CM_FUNCTION_(how, name *, name##_create, (const cm_config *config, cm_status *status),                             \
                 { return name##_as_create(config, status); })                                                         \
    CM_FUNCTION_(how, name *, name##_share, (name * set), { return name##_as_share(set); })                            \
    CM_FUNCTION_(how, void, name##_release, (name * set), { name##_as_release(set); })                                 \
    CM_FUNCTION_(how, void, name##_destroy, (name * set), { name##_as_destroy(set); })                                 \
    CM_FUNCTION_(how, size_t, name##_len, (const name *set), { return name##_as_len(set); })                           \
    CM_FUNCTION_(how, cm_status, name##_reserve, (name * set, size_t keys), { return name##_as_reserve(set, keys); })  \
    CM_FUNCTION_(how, cm_status, name##_shrink_to_fit, (name * set), { return name##_as_shrink_to_fit(set); })         \
    CM_FUNCTION_(how, bool, name##_step, (name * set, size_t buckets), { return name##_as_step(set, buckets); })       \
    CM_FUNCTION_(how, cm_status, name##_settle, (name * set), { return name##_as_settle(set); })                       \
    CM_FUNCTION_(how, cm_memory, name##_memory, (const name *set), { return name##_as_memory(set); })                  \
    CM_FUNCTION_(how, void, name##_stats, (const name *set, cm_stats *stats), { name##_as_stats(set, stats); })        \
    CM_FUNCTION_(how, cm_status, name##_check, (const name *set, const char **reason),                                 \
                 { return name##_as_check(set, reason); })

#define CM_SET_KEYS_(how, name, Key)                                                                                   \
    CM_LOCAL_(how, uint64_t, name##_hash_of_, (const name *set, const Key *key),                                       \
              { return name##_as_hash_of_(set, key); })                                                                \
    /* As of the map. */                                                                                               \
    CM_FUNCTION_(how, uint64_t, name##_hash_of, (const name *set, Key key), { return name##_as_hash_of(set, key); })   \
    CM_FUNCTION_(how, bool, name##_contains_hashed, (const name *set, uint64_t hash, Key key),                         \
                 { return name##_as_contains_hashed(set, hash, key); })                                                \
    /* No lock; never allocates. */                                                                                    \
    CM_FUNCTION_(how, bool, name##_contains, (const name *set, Key key), { return name##_as_contains(set, key); })     \
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
    /* Adds n keys, in order, fetching ahead. `results` (may be NULL) takes what add would return. Returns how many    \
     * are there now. */                                                                                               \
    CM_TWINS_OF_(how, size_t, name, add_many, (name * set, const Key *keys, size_t n, cm_status *results),             \
                 (set, keys, n, results))                                                                              \
    CM_INNER_(how, size_t, name##_remove_many_in_,                                                                     \
              (name * set, const Key *keys, size_t n, cm_status *results, cm_deadline deadline),                       \
              { return name##_as_remove_many_in_(set, keys, n, NULL, results, deadline); })                            \
    /* Removes n keys, in order, fetching ahead. Returns how many there were. */                                       \
    CM_TWINS_OF_(how, size_t, name, remove_many, (name * set, const Key *keys, size_t n, cm_status *results),          \
                 (set, keys, n, results))

#define CM_SET_WALK_(how, name, Key)                                                                                   \
    /* Walks, as of the map: CM_FOREACH(name, set, it) has each key in it.key. */                                      \
    CM_FUNCTION_(how, name##_iter, name##_part_begin, (const name *set, unsigned part, unsigned parts),                \
                 { return name##_as_part_begin(set, part, parts); })                                                   \
    CM_FUNCTION_(how, name##_iter, name##_iter_begin, (const name *set), { return name##_as_iter_begin(set); })        \
    CM_FUNCTION_(how, void, name##_iter_end, (name##_iter * iter), { name##_as_iter_end(iter); })                      \
    CM_HIDDEN_(                                                                                                        \
        how, struct name##_visit_ {                                                                                    \
            cm_status (*function)(const Key *, void *);                                                                \
            void *context;                                                                                             \
        };)                                                                                                            \
    CM_LOCAL_(how, cm_status, name##_visit_key_, (const Key *key, const cm_nothing *nothing, void *context), {         \
        struct name##_visit_ *visit = (struct name##_visit_ *)context;                                                 \
        (void)nothing;                                                                                                 \
        return visit->function(key, visit->context);                                                                   \
    })                                                                                                                 \
    CM_INNER_(how, cm_status, name##_for_each_in_,                                                                     \
              (const name *set, cm_status (*function)(const Key *, void *), void *context, cm_deadline deadline), {    \
                  struct name##_visit_ visit = {function, context};                                                    \
                  return name##_as_for_each_in_(set, name##_visit_key_, &visit, deadline);                             \
              })                                                                                                       \
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
    CM_INNER_(how, cm_status, name##_retain_in_,                                                                       \
              (name * set, cm_status(*keep)(const Key *, void *), void *context, cm_deadline deadline), {              \
                  struct name##_visit_ visit = {keep, context};                                                        \
                  return name##_as_retain_in_(set, name##_visit_key_, &visit, deadline);                               \
              })                                                                                                       \
    CM_TWINS_(how, name, retain, (name * set, cm_status(*keep)(const Key *, void *), void *context),                   \
              (set, keep, context))                                                                                    \
    CM_FUNCTION_(how, cm_status, name##_to_array, (const name *set, Key *keys, size_t n, size_t *count),               \
                 { return name##_as_to_arrays(set, keys, NULL, n, count); })

#define CM_SET_PAIRS_(how, name, Key)                                                                                  \
    /* As of the map. */                                                                                               \
    CM_FUNCTION_(how, cm_status, name##_clone, (name * to, const name *from), { return name##_as_clone(to, from); })   \
    CM_FUNCTION_(how, void, name##_swap, (name * a, name * b), { name##_as_swap(a, b); })                              \
    CM_FUNCTION_(how, cm_status, name##_move, (name * to, name * from), { return name##_as_move(to, from); })          \
    /* Asked under the lock of a bucket: a wait that would never end is a failure, not an absence. */                  \
    CM_LOCAL_(how, cm_status, name##_is_in_, (const Key *key, void *set), {                                            \
        return name##_as_find_((const name *)set, key, name##_as_hash_of_((const name *)set, key), NULL,               \
                               CM_FOREVER - 1);                                                                        \
    })                                                                                                                 \
    CM_LOCAL_(how, cm_status, name##_is_not_in_, (const Key *key, void *set), {                                        \
        cm_status status = name##_is_in_(key, set);                                                                    \
        return status < 0 ? status : status == CM_OK ? CM_ABSENT : CM_OK;                                              \
    })                                                                                                                 \
    CM_LOCAL_(how, cm_status, name##_stop_unless_in_, (const Key *key, void *set), {                                   \
        cm_status status = name##_is_in_(key, set);                                                                    \
        return status == CM_ABSENT ? CM_INVALID : status;                                                              \
    })                                                                                                                 \
    /* Whether `of` has all keys of `set`: CM_OK, or CM_ABSENT. Exact while nobody writes. CM_NOMEM. O(buckets). */    \
    CM_FUNCTION_(how, cm_status, name##_is_subset, (const name *set, const name *of), {                                \
        CM_CALLED_();                                                                                                  \
        cm_status status = name##_for_each_in_(set, name##_stop_unless_in_, (void *)(uintptr_t)of, CM_FOREVER);        \
        return status == CM_INVALID ? CM_ABSENT : status;                                                              \
    })                                                                                                                 \
    /* The same for both directions. */                                                                                \
    CM_FUNCTION_(how, cm_status, name##_equals, (const name *a, const name *b),                                        \
                 { return name##_len(a) == name##_len(b) ? name##_is_subset(a, b) : CM_ABSENT; })                      \
    /* Adds the keys of `from`. CM_OK, or as add. O(buckets of `from`). */                                             \
    CM_FUNCTION_(how, cm_status, name##_unite, (name * set, const name *from), {                                       \
        CM_CALLED_();                                                                                                  \
        return set == from ? CM_OK : name##_as_merge_in_(set, from, NULL, NULL, CM_FOREVER);                           \
    })                                                                                                                 \
    /* Removes the keys that `with` has not. CM_OK, CM_NOMEM; CM_DEADLOCK: another thread does the same the other way  \
     * round, or holds guards. O(buckets). */                                                                          \
    CM_FUNCTION_(how, cm_status, name##_intersect, (name * set, const name *with), {                                   \
        CM_CALLED_();                                                                                                  \
        return set == with ? CM_OK : name##_retain_in_(set, name##_is_in_, (void *)(uintptr_t)with, CM_FOREVER);       \
    })                                                                                                                 \
    /* Removes the keys that `what` has. CM_OK, CM_NOMEM; CM_DEADLOCK: another thread does the same the other way      \
     * round, or holds guards. O(buckets). */                                                                          \
    CM_FUNCTION_(how, cm_status, name##_subtract, (name * set, const name *what), {                                    \
        CM_CALLED_();                                                                                                  \
        return set == what ? name##_as_drain_in_(set, NULL, NULL, CM_FOREVER)                                          \
                           : name##_retain_in_(set, name##_is_not_in_, (void *)(uintptr_t)what, CM_FOREVER);           \
    })

#endif
