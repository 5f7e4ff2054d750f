/* The sharded map: the default for reads and writes mixed.
 *
 *     CM_SHARDED_MAP(sessions, uint64_t, struct session, cm_hash_u64, cm_equal_u64)
 *
 * makes a type `sessions` and functions `sessions_get`, `sessions_put`, ... `static sessions map = CM_MAP_INITIALIZER;`
 * is a map with the default options that needs no init. The lock is one bucket's, a few entries on
 * one cache line; reads take none. Any thread may call any function at any time, but init and destroy, which nobody may
 * overlap.
 *
 * Keys. Integers and plain structs are stored by value; of a cm_str key the map owns a copy, made only when the key is
 * new. Values are plain data, copied in and out; CM_SHARDED_MAP_OWNED is for keys and values that own something
 * (type.h). Hash and equality may not use any map.
 *
 * Blocking. `get`, `contains` and `get_many` take no lock; if writers keep changing the very bucket, they share its
 * lock. What changes an entry locks one bucket for the length of the change, and a call may wait for that. The
 * functions given to `update`, `upsert` and the like run under that lock, once; they may use the map, but for the very
 * key, and must not leave it by longjmp or by an exception. Each call that may wait has twins: try_VERB returns CM_BUSY
 * instead of waiting, VERB_until CM_TIMEOUT past its deadline (deadline.h).
 *
 * Guards (detail/guarded.h) keep an entry locked between calls: read guards, write guards, and entries, which may be
 * vacant. What a thread holds does not stop it: it reads through its own locks, and works on other keys of the same
 * bucket. CM_DEADLOCK: it asked for the very key, or waits in a circle with others.
 *
 * Growth is spread over the writes: a call moves at most 4 KiB of buckets to the larger table, and so is shrinking.
 * While it grows, the map holds the old table and the new one of twice the size (of four times below 1024 buckets). The
 * old one is given back once no reader can look at it, 2 MiB a call.
 *
 * Failure. Where memory is lacking a call returns CM_NOMEM and the map is as before. Growth that lacks memory is put
 * off. */
#ifndef CONCMAP_SHARDED_H
#define CONCMAP_SHARDED_H

#include <concmap/detail/batches.h>
#include <concmap/detail/bulk.h>
#include <concmap/detail/frozen.h>
#include <concmap/detail/guarded.h>
#include <concmap/detail/life.h>
#include <concmap/detail/snapshot.h>
#include <concmap/detail/walks.h>
#include <concmap/hash.h>

/* Makes a map type, with all its functions in this file. */
#define CM_SHARDED_MAP(name, Key, Value, hash_function, equal_function)                                                \
    CM_SHARDED_MAP_OWNED(name, Key, Value, hash_function, equal_function, CM_PLAIN, CM_PLAIN)

/* The same with keys or values that own memory, or count references: each owner is CM_PLAIN or CM_OWNED(clone,
 * destroy), see type.h. */
#define CM_SHARDED_MAP_OWNED(name, Key, Value, hash_function, equal_function, key_owner, value_owner)                  \
    CM_SHARDED_TYPE_(cm_inline, name, Key, Value, hash_function, equal_function, key_owner, value_owner, CM_NO_CACHE_) \
    CM_SHARDED_FUNCTIONS_(cm_inline, name, name##_key_, name##_value_)

/* The same for a type that many files use: DECLARE in a header, and DEFINE in one C file that includes it. The calls
 * are functions of that file then, and not inlined in others. */
#define CM_SHARDED_MAP_DECLARE(name, Key, Value)                                                                       \
    CM_SHARDED_TYPE_(cm_declare, name, Key, Value, unused_, unused_, CM_PLAIN, CM_PLAIN, CM_NO_CACHE_)                 \
    CM_SHARDED_FUNCTIONS_(cm_declare, name, name##_key_, name##_value_)
#define CM_SHARDED_MAP_DEFINE(name, Key, Value, hash_function, equal_function)                                         \
    CM_SHARDED_MAP_DEFINE_OWNED(name, Key, Value, hash_function, equal_function, CM_PLAIN, CM_PLAIN)
#define CM_SHARDED_MAP_DEFINE_OWNED(name, Key, Value, hash_function, equal_function, key_owner, value_owner)           \
    CM_SHARDED_TYPE_(cm_define, name, Key, Value, hash_function, equal_function, key_owner, value_owner, CM_NO_CACHE_) \
    CM_SHARDED_FUNCTIONS_(cm_define, name, name##_key_, name##_value_)

#define CM_SHARDED_FUNCTIONS_(how, name, Key, Value)                                                                   \
    CM_LIFE_(how, name)                                                                                                \
    CM_SHARDED_SIZES_(how, name)                                                                                       \
    CM_READS_(how, name, name, Key, Value)                                                                             \
    CM_CHANGES_(how, name, name, Key, Value)                                                                           \
    CM_TAKES_(how, name, name, Key, Value)                                                                             \
    CM_ADDITIONS_(how, name, Key, Value)                                                                               \
    CM_MAKES_(how, name, Key, Value)                                                                                   \
    CM_GUARDED_(how, name, Key, Value)                                                                                 \
    CM_WALKS_(how, name, Key, Value)                                                                                   \
    CM_FREEZE_(how, name, Key, Value)                                                                                  \
    CM_SNAPSHOT_(how, name, Key, Value)                                                                                \
    CM_BULK_(how, name, Key, Value)                                                                                    \
    CM_BATCHES_(how, name, Key, Value)

#define CM_SHARDED_TYPE_(how, name, Key, Value, hash_function, equal_function, key_owner, value_owner, cache)          \
    CM_SHOWN_(                                                                                                         \
        how, typedef struct name { struct cm_map_ core; } name; typedef Key name##_key_; typedef Value name##_value_;  \
        typedef Value name##_out_;)                                                                                    \
    CM_BUCKETED_TYPE_(how, name, name##_key_, name##_value_, hash_function, equal_function, key_owner, value_owner,    \
                      cache, false)

#define CM_SHARDED_SIZES_(how, name)                                                                                   \
    CM_INNER_(how, cm_status, name##_clear_in_, (name * map, cm_deadline deadline),                                    \
              { return cm_map_clear_(&map->core, &name##_type_, deadline); })                                          \
    /* Removes every entry that is there from beginning to end, a bucket at a time; keeps the table. What was removed  \
     * before a failure stays removed. O(buckets). */                                                                  \
    CM_TWINS_(how, name, clear, (name * map), (map))                                                                   \
    /* Makes the table as small as its entries allow, now; readers and writers go on. CM_NOMEM; CM_BUSY: a bucket that \
     * is held, or a reader, is in the way, and writers finish it. O(buckets). */                                      \
    CM_FUNCTION_(how, cm_status, name##_shrink_to_fit, (name * map),                                                   \
                 { return cm_map_shrink_to_fit_(&map->core, &name##_type_); })

#endif
