/* The sharded set: keys alone, in the table of the sharded map, with its promises.
 *
 *     CM_SHARDED_SET(seen, uint64_t, cm_hash_u64, cm_equal_u64)
 *
 * makes a type `seen` and functions `seen_add`, `seen_contains`, ... Blocking, growth and failure are those of the map
 * (sharded.h); so are the functions that have its names. */
#ifndef CONCMAP_SHARDED_SET_H
#define CONCMAP_SHARDED_SET_H

#include <concmap/detail/set.h>
#include <concmap/sharded.h>

#define CM_SHARDED_SET(name, Key, hash_function, equal_function)                                                       \
    CM_SHARDED_MAP(name##_as, Key, cm_nothing, hash_function, equal_function)                                          \
    CM_SHARDED_SET_FUNCTIONS_(cm_inline, name, name##_as_key_)

/* As of the map (sharded.h): for a type that many files use. */
#define CM_SHARDED_SET_DECLARE(name, Key)                                                                              \
    CM_SHARDED_TYPE_(cm_types, name##_as, Key, cm_nothing, unused_, unused_, CM_PLAIN, CM_PLAIN, CM_NO_CACHE_)         \
    CM_SHARDED_FUNCTIONS_(cm_types, name##_as, name##_as_key_, cm_nothing)                                             \
    CM_SHARDED_SET_FUNCTIONS_(cm_declare, name, name##_as_key_)
#define CM_SHARDED_SET_DEFINE(name, Key, hash_function, equal_function)                                                \
    CM_SHARDED_TYPE_(cm_local, name##_as, Key, cm_nothing, hash_function, equal_function, CM_PLAIN, CM_PLAIN,          \
                     CM_NO_CACHE_)                                                                                     \
    CM_SHARDED_FUNCTIONS_(cm_local, name##_as, name##_as_key_, cm_nothing)                                             \
    CM_SHARDED_SET_FUNCTIONS_(cm_define, name, name##_as_key_)

#define CM_SHARDED_SET_FUNCTIONS_(how, name, Key)                                                                      \
    CM_SET_FUNCTIONS_(how, name, Key)                                                                                  \
    CM_INNER_(how, cm_status, name##_clear_in_, (name * set, cm_deadline deadline),                                    \
              { return name##_as_clear_in_(set, deadline); })                                                          \
    /* As of the map. */                                                                                               \
    CM_TWINS_(how, name, clear, (name * set), (set))                                                                   \
    CM_INNER_(how, size_t, name##_contains_many_in_,                                                                   \
              (const name *set, const Key *keys, size_t n, bool *found, cm_deadline deadline),                         \
              { return name##_as_get_many_in_(set, keys, n, found, NULL, deadline); })                                 \
    /* Looks n keys up, fetching ahead in large tables; found[i] belongs to keys[i]. Returns the hits. */              \
    CM_TWINS_OF_(how, size_t, name, contains_many, (const name *set, const Key *keys, size_t n, bool *found),          \
                 (set, keys, n, found))                                                                                \
    CM_INNER_(how, bool, name##_iter_next_in_, (name##_iter * iter, cm_deadline deadline),                             \
              { return name##_as_iter_next_in_(iter, deadline); })                                                     \
    /* Goes to the next key, as of the map. */                                                                         \
    CM_TWINS_OF_(how, bool, name, iter_next, (name##_iter * iter), (iter))

#endif
