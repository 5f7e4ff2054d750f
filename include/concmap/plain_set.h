/* The plain set: keys alone, in the table of the plain map, with its promises.
 *
 *     CM_PLAIN_SET(seen, uint64_t, cm_hash_u64, cm_equal_u64)
 *
 * makes a type `seen` and functions `seen_add`, `seen_contains`, ..., of the names of the sharded set's
 * (sharded_set.h), but for what only several threads need. Threads, growth and failure are those of the map (plain.h);
 * so are the functions that have its names. */
#ifndef CONCMAP_PLAIN_SET_H
#define CONCMAP_PLAIN_SET_H

#include <concmap/detail/set_common.h>
#include <concmap/plain.h>

#define CM_PLAIN_SET(name, Key, hash_function, equal_function)                                                         \
    CM_PLAIN_MAP(name##_as, Key, cm_nothing, hash_function, equal_function)                                            \
    CM_PLAIN_SET_FUNCTIONS_(cm_inline, name, name##_as_key_)

/* As of the map: for a type that many files use. */
#define CM_PLAIN_SET_DECLARE(name, Key)                                                                                \
    CM_PLAIN_TYPE_(cm_types, name##_as, Key, cm_nothing, unused_, unused_, CM_PLAIN, CM_PLAIN)                         \
    CM_PLAIN_FUNCTIONS_(cm_types, name##_as, name##_as_key_, name##_as_value_)                                         \
    CM_PLAIN_SET_FUNCTIONS_(cm_declare, name, name##_as_key_)
#define CM_PLAIN_SET_DEFINE(name, Key, hash_function, equal_function)                                                  \
    CM_PLAIN_TYPE_(cm_local, name##_as, Key, cm_nothing, hash_function, equal_function, CM_PLAIN, CM_PLAIN)            \
    CM_PLAIN_FUNCTIONS_(cm_local, name##_as, name##_as_key_, name##_as_value_)                                         \
    CM_PLAIN_SET_FUNCTIONS_(cm_define, name, name##_as_key_)

#define CM_PLAIN_SET_FUNCTIONS_(how, name, Key)                                                                        \
    CM_SET_BASE_(how, name, Key)                                                                                       \
    CM_PLAIN_SET_HIDDEN_(how, name##_as, Key)                                                                          \
    CM_PLAIN_SET_KEYS_(how, name, Key)                                                                                 \
    CM_SET_VISITS_(how, name, Key)                                                                                     \
    CM_PLAIN_SET_WALK_(how, name, Key)                                                                                 \
    CM_SET_PAIRS_(how, name, Key)

/* What sets ask maps for that lock. */
#define CM_PLAIN_SET_HIDDEN_(how, map, Key)                                                                            \
    CM_INNER_(how, cm_status, map##_find_,                                                                             \
              (const map *of, const Key *key, uint64_t hash, cm_nothing *value, cm_deadline deadline), {               \
                  (void)deadline;                                                                                      \
                  return map##_look_(of, key, hash, value);                                                            \
              })                                                                                                       \
    CM_INNER_(how, cm_status, map##_for_each_in_,                                                                      \
              (const map *of, cm_status (*function)(const Key *, const cm_nothing *, void *), void *context,           \
               cm_deadline deadline),                                                                                  \
              {                                                                                                        \
                  (void)deadline;                                                                                      \
                  return map##_for_each(of, function, context);                                                        \
              })                                                                                                       \
    CM_INNER_(                                                                                                         \
        how, cm_status, map##_retain_in_,                                                                              \
        (map * of, cm_status(*keep)(const Key *, const cm_nothing *, void *), void *context, cm_deadline deadline), {  \
            (void)deadline;                                                                                            \
            return map##_retain(of, keep, context);                                                                    \
        })                                                                                                             \
    CM_INNER_(how, cm_status, map##_drain_in_,                                                                         \
              (map * of, cm_status(*take)(const Key *, cm_nothing *, void *), void *context, cm_deadline deadline), {  \
                  (void)deadline;                                                                                      \
                  return map##_drain(of, take, context);                                                               \
              })                                                                                                       \
    CM_INNER_(how, cm_status, map##_merge_in_,                                                                         \
              (map * into, const map *from, cm_status (*resolve)(cm_nothing *, const cm_nothing *, void *),            \
               void *context, cm_deadline deadline),                                                                   \
              {                                                                                                        \
                  (void)deadline;                                                                                      \
                  return map##_merge(into, from, resolve, context);                                                    \
              })

#define CM_PLAIN_SET_KEYS_(how, name, Key)                                                                             \
    CM_INNER_(how, cm_status, name##_add_in_, (name * set, uint64_t hash, Key key), {                                  \
        cm_nothing nothing = {0};                                                                                      \
        return name##_as_insert_in_(set, hash, key, nothing);                                                          \
    })                                                                                                                 \
    /* CM_OK: it was added; CM_EXISTS: it was there. CM_NOMEM, CM_FULL; CM_DEADLOCK: a function given to the set runs. \
     */                                                                                                                \
    CM_PLAIN_KEYED_(how, name, name, Key, add, (), ())                                                                 \
    CM_INNER_(how, cm_status, name##_remove_in_, (name * set, uint64_t hash, Key key),                                 \
              { return name##_as_remove_in_(set, hash, key, NULL); })                                                  \
    /* CM_OK, or CM_ABSENT. CM_DEADLOCK: as above. */                                                                  \
    CM_PLAIN_KEYED_(how, name, name, Key, remove, (), ())                                                              \
    /* Adds n keys, in order, fetching ahead. `results` (may be NULL) takes what add would return. Returns how many    \
     * are there now. */                                                                                               \
    CM_FUNCTION_(how, size_t, name##_add_many, (name * set, const Key *keys, size_t n, cm_status *results), {          \
        size_t done = 0;                                                                                               \
        CM_FLAT_BATCH_(&name##_as_type_, &set->core, i, n, hash, &keys[i], true, {                                     \
            cm_status status = name##_add_in_(set, hash, keys[i]);                                                     \
            if (results)                                                                                               \
                results[i] = status;                                                                                   \
            done += status >= 0;                                                                                       \
        });                                                                                                            \
        return done;                                                                                                   \
    })                                                                                                                 \
    /* Removes n keys, in order, fetching ahead. Returns how many there were. */                                       \
    CM_FUNCTION_(how, size_t, name##_remove_many, (name * set, const Key *keys, size_t n, cm_status *results),         \
                 { return name##_as_remove_many(set, keys, n, NULL, results); })                                       \
    /* Looks n keys up, fetching ahead; found[i] belongs to keys[i]. Returns the hits. */                              \
    CM_FUNCTION_(how, size_t, name##_contains_many, (const name *set, const Key *keys, size_t n, bool *found),         \
                 { return name##_as_get_many(set, keys, n, found, NULL); })

#define CM_PLAIN_SET_WALK_(how, name, Key)                                                                             \
    /* As of the map. */                                                                                               \
    CM_FUNCTION_(how, cm_status, name##_clear, (name * set), { return name##_as_clear(set); })                         \
    CM_FUNCTION_(how, bool, name##_iter_next, (name##_iter * iter), { return name##_as_iter_next(iter); })             \
    CM_FUNCTION_(how, cm_status, name##_for_each,                                                                      \
                 (const name *set, cm_status (*function)(const Key *, void *), void *context),                         \
                 { return name##_for_each_in_(set, function, context, CM_FOREVER); })                                  \
    CM_FUNCTION_(how, cm_status, name##_retain, (name * set, cm_status(*keep)(const Key *, void *), void *context),    \
                 { return name##_retain_in_(set, keep, context, CM_FOREVER); })

#endif
