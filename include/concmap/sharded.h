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
#include <concmap/detail/move.h>
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
    CM_SHARDED_LIFE_(how, name)                                                                                        \
    CM_READS_(how, name, name, Key, Value)                                                                             \
    CM_CHANGES_(how, name, name, Key, Value)                                                                           \
    CM_ADDITIONS_(how, name, Key, Value)                                                                               \
    CM_GUARDED_(how, name, Key, Value)                                                                                 \
    CM_WALKS_(how, name, Key, Value)                                                                                   \
    CM_FREEZE_(how, name, Key, Value)                                                                                  \
    CM_SNAPSHOT_(how, name, Key, Value)                                                                                \
    CM_BULK_(how, name, Key, Value)                                                                                    \
    CM_BATCHES_(how, name, Key, Value)

#define CM_SHARDED_TYPE_(how, name, Key, Value, hash_function, equal_function, key_owner, value_owner, cache)          \
    CM_SHOWN_(                                                                                                         \
        how, typedef struct name { struct cm_map_ core; } name; typedef Key name##_key_; typedef Value name##_value_;) \
    CM_ADAPTORS_(how, name, name##_key_, name##_value_, hash_function, equal_function, key_owner, value_owner, cache)  \
    CM_HIDDEN_(how, static uint64_t name##_move_(struct cm_map_ *map, struct cm_table_ *from,                          \
                                                 const struct cm_table_ *before, uint64_t begin, uint64_t end);        \
               CM_DESCRIPTOR_(name, name, name##_key_, name##_value_, name##_key_bitwise_, false, name##_move_))       \
    CM_HIDDEN_(                                                                                                        \
        how, static CM_COLD __attribute__((unused)) uint64_t name##_move_(                                             \
                 struct cm_map_ *map, struct cm_table_ *from, const struct cm_table_ *before, uint64_t begin,          \
                 uint64_t end) { return cm_buckets_move_(&name##_type_, map, from, before, begin, end); })

#define CM_SHARDED_LIFE_(how, name)                                                                                    \
    /* Makes an empty map. CM_NOMEM: the capacity is too large; CM_INVALID: the library is of another version. */      \
    CM_FUNCTION_(how, cm_status, name##_init, (name * map, const cm_config *config), {                                 \
        return cm_map_init_((struct cm_map_ *)(void *)map, &name##_type_, config, CM_LAYOUT_VERSION_,                  \
                            sizeof(struct cm_map_));                                                                   \
    })                                                                                                                 \
    /* The same in memory of its own, with one user: NULL, and `status` (may be NULL) says why. */                     \
    CM_FUNCTION_(how, name *, name##_create, (const cm_config *config, cm_status *status), {                           \
        return (name *)(void *)cm_map_create_(&name##_type_, config, CM_LAYOUT_VERSION_, sizeof(struct cm_map_),       \
                                              status);                                                                 \
    })                                                                                                                 \
    /* Counts one more user of a map that was made by create, and is in use by the caller; returns it. */              \
    CM_FUNCTION_(how, name *, name##_share, (name * map), {                                                            \
        cm_map_share_(&map->core);                                                                                     \
        return map;                                                                                                    \
    })                                                                                                                 \
    /* One user less: the last one destroys the map. NULL does nothing. */                                             \
    CM_FUNCTION_(how, void, name##_release, (name * map),                                                              \
                 { cm_map_release_(map ? &map->core : NULL, &name##_type_); })                                         \
    /* Gives everything back. Nobody may be in the map, nor come later. O(buckets) at most. */                         \
    CM_FUNCTION_(how, void, name##_destroy, (name * map), { cm_map_destroy_(&map->core, &name##_type_); })             \
    /* The number of entries: exact while no writer runs. Wait-free, O(threads). */                                    \
    CM_FUNCTION_(how, size_t, name##_len, (const name *map), { return cm_map_len_(&map->core); })                      \
    CM_INNER_(how, cm_status, name##_clear_in_, (name * map, cm_deadline deadline),                                    \
              { return cm_map_clear_(&map->core, &name##_type_, deadline); })                                          \
    /* Removes every entry that is there from beginning to end, a bucket at a time; keeps the table. What was removed  \
     * before a failure stays removed. O(buckets). */                                                                  \
    CM_TWINS_(how, name, clear, (name * map), (map))                                                                   \
    /* Makes room for so many entries now, instead of bit by bit. CM_NOMEM, CM_FULL. O(buckets). */                    \
    CM_FUNCTION_(how, cm_status, name##_reserve, (name * map, size_t entries),                                         \
                 { return cm_map_reserve_(&map->core, &name##_type_, entries); })                                      \
    /* Makes the table as small as its entries allow, now; readers and writers go on. CM_NOMEM; CM_BUSY: a bucket that \
     * is held, or a reader, is in the way, and writers finish it. O(buckets). */                                      \
    CM_FUNCTION_(how, cm_status, name##_shrink_to_fit, (name * map),                                                   \
                 { return cm_map_shrink_to_fit_(&map->core, &name##_type_); })                                         \
    /* Moves about so many buckets of a growing table, and gives back a part of what waits; true while work remains.   \
     */                                                                                                                \
    CM_FUNCTION_(how, bool, name##_step, (name * map, size_t buckets),                                                 \
                 { return cm_map_step_(&map->core, &name##_type_, buckets); })                                         \
    /* Finishes growth and gives back what waits, but for up to 1024 nodes or 256 KiB that each other living thread    \
     * has removed and looks after itself. CM_BUSY: a bucket that another thread holds, or a reader, is in the way. */ \
    CM_FUNCTION_(how, cm_status, name##_settle, (name * map), {                                                        \
        CM_CALLED_();                                                                                                  \
        return cm_map_settle_(&map->core, &name##_type_);                                                              \
    })                                                                                                                 \
    /* What the map takes. Wait-free, O(threads). */                                                                   \
    CM_FUNCTION_(how, cm_memory, name##_memory, (const name *map), { return cm_map_memory_(&map->core); })             \
    /* What it looks like inside, and what waiting there was: see figures.h. Takes no lock; memory that waits for      \
     * readers waits for this call. O(buckets). */                                                                     \
    CM_FUNCTION_(how, void, name##_stats, (const name *map, cm_stats *stats),                                          \
                 { cm_map_stats_(&map->core, &name##_type_, stats); })                                                 \
    /* Validates the whole structure; `reason` (may be NULL) takes what is wrong. CM_OK or CM_CORRUPT, or CM_DEADLOCK: \
     * the calling thread holds guards. No writer may run. */                                                          \
    CM_FUNCTION_(how, cm_status, name##_check, (const name *map, const char **reason), {                               \
        CM_CALLED_();                                                                                                  \
        return cm_map_check_((struct cm_map_ *)(uintptr_t)&map->core, &name##_type_, reason);                          \
    })

#endif
