/* The typed functions of sets that are the same for sets over any map, made of those of name_as_: public ones, and the
 * hidden ones that take a deadline. */
#ifndef CONCMAP_DETAIL_SET_COMMON_H
#define CONCMAP_DETAIL_SET_COMMON_H

#include <concmap/detail/typed.h>

#define CM_SET_BASE_(how, name, Key)                                                                                   \
    CM_SHOWN_(how, typedef name##_as name; typedef name##_as_iter name##_iter;)                                        \
    /* As of the map. */                                                                                               \
    CM_FUNCTION_(how, cm_status, name##_init, (name * set, const cm_config *config),                                   \
                 { return name##_as_init(set, config); })                                                              \
    CM_FUNCTION_(how, void, name##_destroy, (name * set), { name##_as_destroy(set); })                                 \
    CM_FUNCTION_(how, size_t, name##_len, (const name *set), { return name##_as_len(set); })                           \
    CM_FUNCTION_(how, cm_status, name##_reserve, (name * set, size_t keys), { return name##_as_reserve(set, keys); })  \
    CM_FUNCTION_(how, cm_status, name##_shrink_to_fit, (name * set), { return name##_as_shrink_to_fit(set); })         \
    CM_FUNCTION_(how, cm_memory, name##_memory, (const name *set), { return name##_as_memory(set); })                  \
    CM_FUNCTION_(how, cm_status, name##_check, (const name *set, const char **reason),                                 \
                 { return name##_as_check(set, reason); })                                                             \
    CM_LOCAL_(how, uint64_t, name##_hash_of_, (const name *set, const Key *key),                                       \
              { return name##_as_hash_of_(set, key); })                                                                \
    CM_FUNCTION_(how, uint64_t, name##_hash_of, (const name *set, Key key), { return name##_as_hash_of(set, key); })   \
    CM_FUNCTION_(how, bool, name##_contains_hashed, (const name *set, uint64_t hash, Key key),                         \
                 { return name##_as_contains_hashed(set, hash, key); })                                                \
    /* No lock; never allocates. */                                                                                    \
    CM_FUNCTION_(how, bool, name##_contains, (const name *set, Key key), { return name##_as_contains(set, key); })

#define CM_SET_VISITS_(how, name, Key)                                                                                 \
    /* Walks, as of the map: CM_FOREACH(name, set, it) has each key in it.key. */                                      \
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
    CM_INNER_(how, cm_status, name##_retain_in_,                                                                       \
              (name * set, cm_status(*keep)(const Key *, void *), void *context, cm_deadline deadline), {              \
                  struct name##_visit_ visit = {keep, context};                                                        \
                  return name##_as_retain_in_(set, name##_visit_key_, &visit, deadline);                               \
              })                                                                                                       \
    CM_FUNCTION_(how, cm_status, name##_to_array, (const name *set, Key *keys, size_t n, size_t *count),               \
                 { return name##_as_to_arrays(set, keys, NULL, n, count); })

#define CM_SET_PAIRS_(how, name, Key)                                                                                  \
    /* As of the map. */                                                                                               \
    CM_FUNCTION_(how, cm_status, name##_clone, (name * to, const name##_as *from),                                     \
                 { return name##_as_clone(to, from); })                                                                \
    CM_FUNCTION_(how, void, name##_swap, (name * a, name##_as * b), { name##_as_swap(a, b); })                         \
    CM_FUNCTION_(how, cm_status, name##_move, (name * to, name##_as * from), { return name##_as_move(to, from); })     \
    /* Asked under the lock of a bucket: a wait that would never end is a failure, not an absence. */                  \
    CM_LOCAL_(how, cm_status, name##_is_in_, (const Key *key, void *set), {                                            \
        return name##_as_find_((const name##_as *)set, key, name##_as_hash_of_((const name##_as *)set, key), NULL,     \
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
    CM_FUNCTION_(how, cm_status, name##_is_subset, (const name *set, const name##_as *of), {                           \
        CM_CALLED_();                                                                                                  \
        cm_status status = name##_for_each_in_(set, name##_stop_unless_in_, (void *)(uintptr_t)of, CM_FOREVER);        \
        return status == CM_INVALID ? CM_ABSENT : status;                                                              \
    })                                                                                                                 \
    /* The same for both directions. */                                                                                \
    CM_FUNCTION_(how, cm_status, name##_equals, (const name *a, const name##_as *b),                                   \
                 { return name##_len(a) == name##_len(b) ? name##_is_subset(a, b) : CM_ABSENT; })                      \
    /* Adds the keys of `from`. CM_OK, or as add. O(buckets of `from`). */                                             \
    CM_FUNCTION_(how, cm_status, name##_unite, (name * set, const name##_as *from), {                                  \
        CM_CALLED_();                                                                                                  \
        return set == from ? CM_OK : name##_as_merge_in_(set, from, NULL, NULL, CM_FOREVER);                           \
    })                                                                                                                 \
    /* Removes the keys that `with` has not. CM_OK, CM_NOMEM; CM_DEADLOCK: another thread does the same the other way  \
     * round, or holds guards. O(buckets). */                                                                          \
    CM_FUNCTION_(how, cm_status, name##_intersect, (name * set, const name##_as *with), {                              \
        CM_CALLED_();                                                                                                  \
        return set == with ? CM_OK : name##_retain_in_(set, name##_is_in_, (void *)(uintptr_t)with, CM_FOREVER);       \
    })                                                                                                                 \
    /* Removes the keys that `what` has. CM_OK, CM_NOMEM; CM_DEADLOCK: another thread does the same the other way      \
     * round, or holds guards. O(buckets). */                                                                          \
    CM_FUNCTION_(how, cm_status, name##_subtract, (name * set, const name##_as *what), {                               \
        CM_CALLED_();                                                                                                  \
        return set == what ? name##_as_drain_in_(set, NULL, NULL, CM_FOREVER)                                          \
                           : name##_retain_in_(set, name##_is_not_in_, (void *)(uintptr_t)what, CM_FOREVER);           \
    })

#endif
