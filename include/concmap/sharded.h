/* The sharded map: the default for reads and writes mixed.
 *
 *     CM_SHARDED_MAP(sessions, uint64_t, struct session, cm_hash_u64, cm_equal_u64)
 *
 * makes a type `sessions` and functions `sessions_get`, `sessions_put`, ... The lock is one bucket's, a few entries on
 * one cache line; reads take none. Any thread may call any function at any time, but init and destroy, which nobody may
 * overlap.
 *
 * Keys. Integers and plain structs are stored by value; of a cm_str key the map owns a copy, made only when the key is
 * new. Values are plain data, copied in and out. Hash and equality may not use any map.
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

#include <concmap/detail/batch.h>
#include <concmap/detail/bulk.h>
#include <concmap/detail/guarded.h>
#include <concmap/detail/iter.h>
#include <concmap/detail/move.h>
#include <concmap/hash.h>

typedef enum cm_op_kind { CM_OP_GET, CM_OP_INSERT, CM_OP_PUT, CM_OP_UPDATE, CM_OP_UPSERT, CM_OP_REMOVE } cm_op_kind;

/* Runs the statement that follows for each entry, in `it.key` and `it.value`: copies. No lock is held: any call is
 * allowed. Each key that is in the map throughout is visited once; keys that come or go meanwhile may be visited. */
#define CM_FOREACH(name, map, it) CM_FOREACH_(name, map, it)
#define CM_FOREACH_(name, map, it)                                                                                     \
    for (name##_iter it __attribute__((cleanup(name##_iter_end))) = name##_iter_begin(map); name##_iter_next(&it);)

#define CM_SHARDED_MAP(name, Key, Value, hash_function, equal_function)                                                \
    typedef struct name {                                                                                              \
        struct cm_map_ core;                                                                                           \
    } name;                                                                                                            \
    CM_SHARDED_TYPE_(name, Key, Value, hash_function, equal_function)                                                  \
    CM_SHARDED_LIFE_(name)                                                                                             \
    CM_SHARDED_READ_(name, Key, Value)                                                                                 \
    CM_SHARDED_WRITE_(name, Key, Value)                                                                                \
    CM_GUARDED_(name, Key, Value)                                                                                      \
    CM_SHARDED_ITER_(name, Key, Value)                                                                                 \
    CM_BULK_(name, Key, Value)                                                                                         \
    CM_SHARDED_BATCH_(name, Key, Value)

/* The descriptor, and the adaptors that give functions of the type the shape that the generic algorithms call. */
#define CM_SHARDED_TYPE_(name, Key, Value, hash_function, equal_function)                                              \
    CM_TYPED uint64_t name##_hash_(const void *key, uint64_t seed)                                                     \
    {                                                                                                                  \
        return hash_function((const Key *)key, seed);                                                                  \
    }                                                                                                                  \
    CM_TYPED bool name##_equal_(const void *a, const void *b)                                                          \
    {                                                                                                                  \
        return equal_function((const Key *)a, (const Key *)b);                                                         \
    }                                                                                                                  \
    static uint64_t name##_move_(struct cm_map_ *map, struct cm_table_ *from, const struct cm_table_ *before,          \
                                 uint64_t begin, uint64_t end);                                                        \
    static const struct cm_type name##_type_ = {                                                                       \
        sizeof(Key),      CM_ALIGNOF(Key), CM_VALUE_SIZE_(Value), CM_ALIGNOF(Value), CM_IS_BITWISE_(equal_function),   \
        CM_IS_TEXT_(Key), name##_hash_,    name##_equal_,         name##_move_};                                       \
    static CM_COLD __attribute__((unused)) uint64_t name##_move_(                                                      \
        struct cm_map_ *map, struct cm_table_ *from, const struct cm_table_ *before, uint64_t begin, uint64_t end)     \
    {                                                                                                                  \
        return cm_buckets_move_(&name##_type_, map, from, before, begin, end);                                         \
    }                                                                                                                  \
    struct name##_call_ {                                                                                              \
        cm_status (*function)(Value *, void *);                                                                        \
        void *context;                                                                                                 \
    };                                                                                                                 \
    CM_INLINE cm_status name##_run_(void *value, void *call)                                                           \
    {                                                                                                                  \
        return ((struct name##_call_ *)call)->function((Value *)value, ((struct name##_call_ *)call)->context);        \
    }

#define CM_SHARDED_LIFE_(name)                                                                                         \
    /* Makes an empty map. CM_NOMEM: the capacity is too large; CM_INVALID: the library is of another version. */      \
    CM_TYPED cm_status name##_init(name *map, const cm_config *config)                                                 \
    {                                                                                                                  \
        return cm_map_init_((struct cm_map_ *)(void *)map, &name##_type_, config, CM_LAYOUT_VERSION_,                  \
                            sizeof(struct cm_map_));                                                                   \
    }                                                                                                                  \
    /* Gives everything back. Nobody may be in the map, nor come later. O(buckets) at most. */                         \
    CM_TYPED void name##_destroy(name *map)                                                                            \
    {                                                                                                                  \
        cm_map_destroy_(&map->core, &name##_type_);                                                                    \
    }                                                                                                                  \
    /* The number of entries: exact while no writer runs. Wait-free, O(threads). */                                    \
    CM_TYPED size_t name##_len(const name *map)                                                                        \
    {                                                                                                                  \
        return cm_map_len_(&map->core);                                                                                \
    }                                                                                                                  \
    CM_INLINE cm_status name##_clear_in_(name *map, cm_deadline deadline)                                              \
    {                                                                                                                  \
        return cm_map_clear_(&map->core, &name##_type_, deadline);                                                     \
    }                                                                                                                  \
    /* Removes every entry that is there from beginning to end, a bucket at a time; keeps the table. What was removed  \
     * before a failure stays removed. O(buckets). */                                                                  \
    CM_TWINS_(name, clear, (name * map), (map))                                                                        \
    /* Makes room for so many entries now, instead of bit by bit. CM_NOMEM. O(buckets). */                             \
    CM_TYPED cm_status name##_reserve(name *map, size_t entries)                                                       \
    {                                                                                                                  \
        return cm_map_reserve_(&map->core, &name##_type_, entries);                                                    \
    }                                                                                                                  \
    /* Makes the table as small as its entries allow, now; readers and writers go on. CM_NOMEM; CM_BUSY: a bucket that \
     * is held, or a reader, is in the way, and writers finish it. O(buckets). */                                      \
    CM_TYPED cm_status name##_shrink_to_fit(name *map)                                                                 \
    {                                                                                                                  \
        return cm_map_shrink_to_fit_(&map->core, &name##_type_);                                                       \
    }                                                                                                                  \
    /* Moves about so many buckets of a growing table, and gives back a part of what waits; true while work remains.   \
     */                                                                                                                \
    CM_TYPED bool name##_step(name *map, size_t buckets)                                                               \
    {                                                                                                                  \
        return cm_map_step_(&map->core, &name##_type_, buckets);                                                       \
    }                                                                                                                  \
    /* Finishes growth and gives back what waits, but for up to 1024 nodes or 256 KiB that each other living thread    \
     * has removed and looks after itself. CM_BUSY: a bucket that another thread holds, or a reader, is in the way. */ \
    CM_TYPED cm_status name##_settle(name *map)                                                                        \
    {                                                                                                                  \
        CM_CALLED_();                                                                                                  \
        return cm_map_settle_(&map->core, &name##_type_);                                                              \
    }                                                                                                                  \
    /* What the map takes. Wait-free, O(threads). */                                                                   \
    CM_TYPED cm_memory name##_memory(const name *map)                                                                  \
    {                                                                                                                  \
        return cm_map_memory_(&map->core);                                                                             \
    }                                                                                                                  \
    /* Validates the whole structure; `reason` (may be NULL) takes what is wrong. CM_OK or CM_CORRUPT, or CM_DEADLOCK: \
     * the calling thread holds guards. No writer may run. */                                                          \
    CM_TYPED cm_status name##_check(const name *map, const char **reason)                                              \
    {                                                                                                                  \
        CM_CALLED_();                                                                                                  \
        return cm_map_check_((struct cm_map_ *)(uintptr_t)&map->core, &name##_type_, reason);                          \
    }

#define CM_SHARDED_READ_(name, Key, Value)                                                                             \
    CM_TYPED uint64_t name##_hash_of_(const name *map, const Key *key)                                                 \
    {                                                                                                                  \
        return name##_type_.hash(key, map->core.seed);                                                                 \
    }                                                                                                                  \
    static __attribute__((noinline, unused))                                                                           \
    cm_status name##_look_again_(const name *map, Key key, uint64_t hash, Value *value, cm_deadline deadline)          \
    {                                                                                                                  \
        return cm_map_look_(&name##_type_, &map->core, &key, hash, value, deadline);                                   \
    }                                                                                                                  \
    /* Pinned by the caller. What a try leaves that a writer disturbed is not the caller's to see. */                  \
    CM_INLINE cm_status name##_look_(const name *map, const Key *key, uint64_t hash, Value *value,                     \
                                     cm_deadline deadline)                                                             \
    {                                                                                                                  \
        Value copy;                                                                                                    \
        enum cm_read_ result = cm_map_glance_(&name##_type_, &map->core, key, hash, value ? &copy : NULL);             \
        if (CM_UNLIKELY(result == CM_READ_AGAIN_)) {                                                                   \
            Value late;                                                                                                \
            cm_status status = name##_look_again_(map, *key, hash, value ? &late : NULL, deadline);                    \
            if (status == CM_OK && value)                                                                              \
                memcpy((void *)value, &late, sizeof(Value));                                                           \
            return status;                                                                                             \
        }                                                                                                              \
        if (result == CM_READ_HIT_ && value)                                                                           \
            memcpy((void *)value, &copy, sizeof(Value));                                                               \
        return result == CM_READ_HIT_ ? CM_OK : CM_ABSENT;                                                             \
    }                                                                                                                  \
    CM_INLINE cm_status name##_find_(const name *map, const Key *key, uint64_t hash, Value *value,                     \
                                     cm_deadline deadline)                                                             \
    {                                                                                                                  \
        struct cm_thread_ *self = cm_leaf_enter_();                                                                    \
        cm_status status = name##_look_(map, key, hash, value, deadline);                                              \
        cm_leaf_leave_(self);                                                                                          \
        return status;                                                                                                 \
    }                                                                                                                  \
    /* Copies the key's value; false: the map has none, and *value is as it was. No lock; never allocates. False also  \
     * where waiting for a writer would never end, because it waits for a guard of the calling thread: who holds       \
     * guards asks by get_until. */                                                                                    \
    CM_TYPED bool name##_get(const name *map, Key key, Value *value)                                                   \
    {                                                                                                                  \
        return name##_find_(map, &key, name##_hash_of_(map, &key), value, CM_FOREVER) == CM_OK;                        \
    }                                                                                                                  \
    /* As get: CM_OK, CM_ABSENT, or CM_BUSY: a writer has the bucket. */                                               \
    CM_TYPED cm_status name##_try_get(const name *map, Key key, Value *value)                                          \
    {                                                                                                                  \
        CM_CALLED_();                                                                                                  \
        return name##_find_(map, &key, name##_hash_of_(map, &key), value, CM_TRY);                                     \
    }                                                                                                                  \
    /* As get: CM_OK, CM_ABSENT, CM_TIMEOUT or CM_DEADLOCK. */                                                         \
    CM_TYPED cm_status name##_get_until(const name *map, Key key, Value *value, cm_deadline deadline)                  \
    {                                                                                                                  \
        CM_CALLED_();                                                                                                  \
        return name##_find_(map, &key, name##_hash_of_(map, &key), value, deadline);                                   \
    }                                                                                                                  \
    /* Whether the map has the key. As get. */                                                                         \
    CM_TYPED bool name##_contains(const name *map, Key key)                                                            \
    {                                                                                                                  \
        return name##_find_(map, &key, name##_hash_of_(map, &key), NULL, CM_FOREVER) == CM_OK;                         \
    }                                                                                                                  \
    /* Fetches the key's bucket into the cache, for callers with a pipeline of their own. */                           \
    CM_TYPED void name##_prefetch(const name *map, Key key)                                                            \
    {                                                                                                                  \
        struct cm_pin_ pin = cm_pin_enter_();                                                                          \
        cm_bucket_prefetch_(&name##_type_, &map->core, name##_hash_of_(map, &key), false);                             \
        cm_pin_leave_(pin);                                                                                            \
    }

#define CM_SHARDED_WRITE_(name, Key, Value)                                                                            \
    CM_INLINE cm_status name##_write_(name *map, const Key *key, uint64_t hash, enum cm_absent_ absent,                \
                                      enum cm_present_ present, const Value *value,                                    \
                                      cm_status (*function)(Value *, void *), void *context, Value *old, Value *now,   \
                                      cm_deadline deadline)                                                            \
    {                                                                                                                  \
        Value scratch;                                                                                                 \
        struct name##_call_ call = {function, context};                                                                \
        struct cm_write_ write = {absent, present, value, name##_run_, &call, &scratch, old, now, deadline};           \
        struct cm_written_ written = cm_map_write_(&name##_type_, &map->core, key, hash, &write);                      \
        return written.status;                                                                                         \
    }                                                                                                                  \
    CM_INLINE cm_status name##_insert_in_(name *map, Key key, Value value, cm_deadline deadline)                       \
    {                                                                                                                  \
        return name##_write_(map, &key, name##_hash_of_(map, &key), CM_ABSENT_INSERT_, CM_PRESENT_KEEP_, &value, NULL, \
                             NULL, NULL, NULL, deadline);                                                              \
    }                                                                                                                  \
    /* Adds the key if it is absent: CM_OK, or CM_EXISTS. CM_NOMEM. */                                                 \
    CM_TWINS_(name, insert, (name * map, Key key, Value value), (map, key, value))                                     \
    CM_INLINE cm_status name##_put_in_(name *map, Key key, Value value, Value *old, cm_deadline deadline)              \
    {                                                                                                                  \
        return name##_write_(map, &key, name##_hash_of_(map, &key), CM_ABSENT_INSERT_, CM_PRESENT_REPLACE_, &value,    \
                             NULL, NULL, old, NULL, deadline);                                                         \
    }                                                                                                                  \
    /* Sets the key's value: CM_OK (new) or CM_REPLACED; then `old` (may be NULL) takes the old value. CM_NOMEM. */    \
    CM_TWINS_(name, put, (name * map, Key key, Value value, Value * old), (map, key, value, old))                      \
    CM_INLINE cm_status name##_update_in_(name *map, Key key, cm_status (*function)(Value *, void *), void *context,   \
                                          cm_deadline deadline)                                                        \
    {                                                                                                                  \
        return name##_write_(map, &key, name##_hash_of_(map, &key), CM_ABSENT_FAIL_, CM_PRESENT_APPLY_, NULL,          \
                             function, context, NULL, NULL, deadline);                                                 \
    }                                                                                                                  \
    /* Runs the function on the key's value, under the bucket's lock; if it returns less than 0, the value is as it    \
     * was. Returns what the function returned, or CM_ABSENT. CM_OWNER_DIED: see the guards. */                        \
    CM_TWINS_(name, update, (name * map, Key key, cm_status(*function)(Value *, void *), void *context),               \
              (map, key, function, context))                                                                           \
    CM_INLINE cm_status name##_upsert_in_(name *map, Key key, Value initial, cm_status (*function)(Value *, void *),   \
                                          void *context, cm_deadline deadline)                                         \
    {                                                                                                                  \
        struct name##_call_ call = {function, context};                                                                \
        Value scratch;                                                                                                 \
        struct cm_write_ write = {                                                                                     \
            CM_ABSENT_INSERT_, CM_PRESENT_APPLY_, &initial, name##_run_, &call, &scratch, NULL, NULL, deadline};       \
        struct cm_written_ written =                                                                                   \
            cm_map_write_(&name##_type_, &map->core, &key, name##_hash_of_(map, &key), &write);                        \
        return written.status < 0 || written.inserted ? written.status : CM_REPLACED;                                  \
    }                                                                                                                  \
    /* Adds the key with `initial`: CM_OK; or, where it is present, runs the function as update does: CM_REPLACED, or  \
     * the function's failure. CM_NOMEM. */                                                                            \
    CM_TWINS_(name, upsert,                                                                                            \
              (name * map, Key key, Value initial, cm_status(*function)(Value *, void *), void *context),              \
              (map, key, initial, function, context))                                                                  \
    CM_INLINE cm_status name##_get_or_insert_in_(name *map, Key key, Value initial, Value *value,                      \
                                                 cm_deadline deadline)                                                 \
    {                                                                                                                  \
        uint64_t hash = name##_hash_of_(map, &key);                                                                    \
        if (name##_find_(map, &key, hash, value, deadline) == CM_OK)                                                   \
            return CM_EXISTS;                                                                                          \
        return name##_write_(map, &key, hash, CM_ABSENT_INSERT_, CM_PRESENT_KEEP_, &initial, NULL, NULL, NULL, value,  \
                             deadline);                                                                                \
    }                                                                                                                  \
    /* Adds the key with `initial` if it is absent: CM_OK, or CM_EXISTS. `value` (may be NULL) takes what the map now  \
     * has. No lock is taken where the key is present. CM_NOMEM. */                                                    \
    CM_TWINS_(name, get_or_insert, (name * map, Key key, Value initial, Value * value), (map, key, initial, value))    \
    CM_INLINE cm_status name##_get_or_insert_with_in_(name *map, Key key, cm_status (*make)(Value *, void *),          \
                                                      void *context, Value *value, cm_deadline deadline)               \
    {                                                                                                                  \
        uint64_t hash = name##_hash_of_(map, &key);                                                                    \
        if (name##_find_(map, &key, hash, value, deadline) == CM_OK)                                                   \
            return CM_EXISTS;                                                                                          \
        return name##_write_(map, &key, hash, CM_ABSENT_MAKE_, CM_PRESENT_KEEP_, NULL, make, context, NULL, value,     \
                             deadline);                                                                                \
    }                                                                                                                  \
    /* As get_or_insert, with a value that `make` fills in, once, under the bucket's lock, only if the key is absent.  \
     * If it returns less than 0 nothing is added, and that is the result. */                                          \
    CM_TWINS_(name, get_or_insert_with,                                                                                \
              (name * map, Key key, cm_status(*make)(Value *, void *), void *context, Value *value),                   \
              (map, key, make, context, value))                                                                        \
    CM_INLINE cm_status name##_remove_in_(name *map, Key key, Value *old, cm_deadline deadline)                        \
    {                                                                                                                  \
        return cm_map_remove_(&name##_type_, &map->core, &key, name##_hash_of_(map, &key), NULL, NULL, old, deadline); \
    }                                                                                                                  \
    /* Removes the key: CM_OK, and `old` (may be NULL) takes its value; or CM_ABSENT. */                               \
    CM_TWINS_(name, remove, (name * map, Key key, Value * old), (map, key, old))

#define CM_SHARDED_ITER_(name, Key, Value)                                                                             \
    typedef struct name##_iter {                                                                                       \
        struct cm_iter_ core;                                                                                          \
        Key key;                                                                                                       \
        Value value;                                                                                                   \
        cm_status status; /* CM_NOMEM after an iteration that ended early */                                           \
    } name##_iter;                                                                                                     \
    /* Begins an iteration over one of `parts` disjoint parts of about the same size, for as many threads: 0 to parts  \
     * - 1. Together they visit what one iteration would. iter_next says CM_INVALID of a part that there is not. */    \
    CM_TYPED name##_iter name##_part_begin(const name *map, unsigned part, unsigned parts)                             \
    {                                                                                                                  \
        name##_iter iter;                                                                                              \
        memset((void *)&iter, 0, sizeof iter);                                                                         \
        cm_iter_begin_(&iter.core, &map->core, part, parts);                                                           \
        iter.status = iter.core.status;                                                                                \
        return iter;                                                                                                   \
    }                                                                                                                  \
    /* Begins an iteration; see CM_FOREACH. Give it to one thread at a time, and end it. */                            \
    CM_TYPED name##_iter name##_iter_begin(const name *map)                                                            \
    {                                                                                                                  \
        return name##_part_begin(map, 0, 1);                                                                           \
    }                                                                                                                  \
    CM_INLINE bool name##_iter_next_in_(name##_iter *iter, cm_deadline deadline)                                       \
    {                                                                                                                  \
        const char *entry = cm_iter_next_(&iter->core, &name##_type_, deadline);                                       \
        iter->status = iter->core.status;                                                                              \
        if (!entry)                                                                                                    \
            return false;                                                                                              \
        memcpy((void *)&iter->key, entry, sizeof(Key));                                                                \
        memcpy((void *)&iter->value, entry + cm_iter_value_offset_(&name##_type_), name##_type_.value_size);           \
        return true;                                                                                                   \
    }                                                                                                                  \
    /* Goes to the next entry; false at the end, or where `status` is a failure: after CM_BUSY and CM_TIMEOUT it can   \
     * go on. Text keys are valid until the next step. */                                                              \
    CM_TWINS_OF_(bool, name, iter_next, (name##_iter * iter), (iter))                                                  \
    /* Gives back what the iteration holds: memory, never a lock. */                                                   \
    CM_TYPED void name##_iter_end(name##_iter *iter)                                                                   \
    {                                                                                                                  \
        cm_iter_end_(&iter->core);                                                                                     \
    }                                                                                                                  \
    CM_INLINE cm_status name##_for_each_in_(const name *map,                                                           \
                                            cm_status (*function)(const Key *, const Value *, void *), void *context,  \
                                            cm_deadline deadline)                                                      \
    {                                                                                                                  \
        name##_iter iter = name##_iter_begin(map);                                                                     \
        cm_status status = CM_OK;                                                                                      \
        while (status >= 0 && name##_iter_next_in_(&iter, deadline))                                                   \
            status = function(&iter.key, &iter.value, context);                                                        \
        name##_iter_end(&iter);                                                                                        \
        return status < 0 ? status : iter.status;                                                                      \
    }                                                                                                                  \
    /* Calls the function for each entry until it returns less than 0; returns that, CM_OK, CM_NOMEM, or why a wait    \
     * was given up. As CM_FOREACH. */                                                                                 \
    CM_TWINS_(name, for_each,                                                                                          \
              (const name *map, cm_status (*function)(const Key *, const Value *, void *), void *context),             \
              (map, function, context))                                                                                \
    CM_INLINE cm_status name##_scan_in_(const name *map, uint64_t *cursor, size_t count,                               \
                                        cm_status (*function)(const Key *, const Value *, void *), void *context,      \
                                        cm_deadline deadline)                                                          \
    {                                                                                                                  \
        name##_iter iter = name##_iter_begin(map);                                                                     \
        cm_status status = CM_OK;                                                                                      \
        size_t seen = 0;                                                                                               \
        uint64_t from = iter.core.cursor = *cursor;                                                                    \
        while (status >= 0 && (seen < count || iter.core.index < iter.core.count)) {                                   \
            if (iter.core.index == iter.core.count)                                                                    \
                from = iter.core.cursor;                                                                               \
            if (!name##_iter_next_in_(&iter, deadline))                                                                \
                break;                                                                                                 \
            status = function(&iter.key, &iter.value, context);                                                        \
            seen++;                                                                                                    \
        }                                                                                                              \
        bool failed = status < 0 || iter.status < 0;                                                                   \
        *cursor = failed ? from : iter.core.cursor;                                                                    \
        name##_iter_end(&iter);                                                                                        \
        return status < 0 ? status : iter.status;                                                                      \
    }                                                                                                                  \
    /* Calls the function for some `count` entries, those of a last bucket more, from *cursor on, and moves it behind  \
     * them; 0 is the beginning, and the end. The cursor is only a number: it may be kept as long as the map lives,    \
     * however the table changes. Each key present from a walk's beginning to its end is visited once; those of one    \
     * bucket again, where the function returned less than 0, which ends the call. As for_each. */                     \
    CM_TWINS_(name, scan,                                                                                              \
              (const name *map, uint64_t *cursor, size_t count,                                                        \
               cm_status (*function)(const Key *, const Value *, void *), void *context),                              \
              (map, cursor, count, function, context))

#define CM_SHARDED_BATCH_(name, Key, Value)                                                                            \
    CM_INLINE size_t name##_get_many_in_(const name *map, const Key *keys, size_t n, bool *found, Value *values,       \
                                         cm_deadline deadline)                                                         \
    {                                                                                                                  \
        size_t hits = 0;                                                                                               \
        CM_BATCH_(&name##_type_, &map->core, i, n, hash, &keys[i], false, {                                            \
            Value *value = values ? &values[i] : NULL;                                                                 \
            enum cm_read_ result = cm_map_glance_(&name##_type_, &map->core, &keys[i], hash, value);                   \
            bool hit = result == CM_READ_HIT_;                                                                         \
            if (CM_UNLIKELY(result == CM_READ_AGAIN_))                                                                 \
                hit = name##_look_again_(map, keys[i], hash, value, deadline) == CM_OK;                                \
            if (found)                                                                                                 \
                found[i] = hit;                                                                                        \
            hits += hit;                                                                                               \
        });                                                                                                            \
        return hits;                                                                                                   \
    }                                                                                                                  \
    /* Looks n keys up, fetching ahead: found[i] and values[i] belong to keys[i]; both may be NULL, and the value of a \
     * key that was not found is undefined. Returns the hits. Each look-up is atomic, the batch is not. */             \
    CM_TWINS_OF_(size_t, name, get_many, (const name *map, const Key *keys, size_t n, bool *found, Value *values),     \
                 (map, keys, n, found, values))                                                                        \
    CM_INLINE size_t name##_put_many_in_(name *map, const Key *keys, const Value *values, size_t n,                    \
                                         cm_status *results, cm_deadline deadline)                                     \
    {                                                                                                                  \
        size_t done = 0;                                                                                               \
        CM_BATCH_(&name##_type_, &map->core, i, n, hash, &keys[i], true, {                                             \
            cm_status status = name##_write_(map, &keys[i], hash, CM_ABSENT_INSERT_, CM_PRESENT_REPLACE_, &values[i],  \
                                             NULL, NULL, NULL, NULL, deadline);                                        \
            if (results)                                                                                               \
                results[i] = status;                                                                                   \
            done += status >= 0;                                                                                       \
        });                                                                                                            \
        return done;                                                                                                   \
    }                                                                                                                  \
    /* Puts n keys, in order, fetching ahead. `results` (may be NULL) takes what put would return. Returns how many    \
     * succeeded. */                                                                                                   \
    CM_TWINS_OF_(size_t, name, put_many,                                                                               \
                 (name * map, const Key *keys, const Value *values, size_t n, cm_status *results),                     \
                 (map, keys, values, n, results))                                                                      \
    CM_INLINE size_t name##_update_many_in_(name *map, const Key *keys, size_t n,                                      \
                                            cm_status (*function)(Value *, void *), void *context, cm_status *results, \
                                            cm_deadline deadline)                                                      \
    {                                                                                                                  \
        size_t done = 0;                                                                                               \
        CM_BATCH_(&name##_type_, &map->core, i, n, hash, &keys[i], true, {                                             \
            cm_status status = name##_write_(map, &keys[i], hash, CM_ABSENT_FAIL_, CM_PRESENT_APPLY_, NULL, function,  \
                                             context, NULL, NULL, deadline);                                           \
            if (results)                                                                                               \
                results[i] = status;                                                                                   \
            done += status >= 0 && status != CM_ABSENT;                                                                \
        });                                                                                                            \
        return done;                                                                                                   \
    }                                                                                                                  \
    /* Updates n keys, in order, fetching ahead. Returns how many were present and succeeded. */                       \
    CM_TWINS_OF_(size_t, name, update_many,                                                                            \
                 (name * map, const Key *keys, size_t n, cm_status (*function)(Value *, void *), void *context,        \
                  cm_status *results),                                                                                 \
                 (map, keys, n, function, context, results))                                                           \
    CM_INLINE size_t name##_remove_many_in_(name *map, const Key *keys, size_t n, Value *old, cm_status *results,      \
                                            cm_deadline deadline)                                                      \
    {                                                                                                                  \
        size_t done = 0;                                                                                               \
        CM_BATCH_(&name##_type_, &map->core, i, n, hash, &keys[i], true, {                                             \
            cm_status status =                                                                                         \
                cm_map_remove_(&name##_type_, &map->core, &keys[i], hash, NULL, NULL, old ? &old[i] : NULL, deadline); \
            if (results)                                                                                               \
                results[i] = status;                                                                                   \
            done += status == CM_OK;                                                                                   \
        });                                                                                                            \
        return done;                                                                                                   \
    }                                                                                                                  \
    /* Removes n keys, in order, fetching ahead; old[i] (old may be NULL) takes the value. Returns how many there      \
     * were. */                                                                                                        \
    CM_TWINS_OF_(size_t, name, remove_many, (name * map, const Key *keys, size_t n, Value *old, cm_status *results),   \
                 (map, keys, n, old, results))                                                                         \
    /* One operation of a mixed batch. GET, PUT and REMOVE leave the (old) value in `value`; INSERT and UPSERT take it \
     * as the initial one; UPDATE and UPSERT run the function. */                                                      \
    typedef struct name##_op {                                                                                         \
        cm_op_kind kind;                                                                                               \
        cm_status status;                                                                                              \
        Key key;                                                                                                       \
        Value value;                                                                                                   \
        cm_status (*function)(Value *, void *);                                                                        \
        void *context;                                                                                                 \
    } name##_op;                                                                                                       \
    CM_TYPED void name##_apply_(name *map, name##_op *op, uint64_t hash, cm_deadline deadline)                         \
    {                                                                                                                  \
        if (op->kind == CM_OP_GET) {                                                                                   \
            op->status = name##_look_(map, &op->key, hash, &op->value, deadline);                                      \
            return;                                                                                                    \
        }                                                                                                              \
        if (op->kind == CM_OP_REMOVE) {                                                                                \
            op->status = cm_map_remove_(&name##_type_, &map->core, &op->key, hash, NULL, NULL, &op->value, deadline);  \
            return;                                                                                                    \
        }                                                                                                              \
        enum cm_absent_ absent = op->kind == CM_OP_UPDATE ? CM_ABSENT_FAIL_ : CM_ABSENT_INSERT_;                       \
        enum cm_present_ present = op->kind == CM_OP_INSERT ? CM_PRESENT_KEEP_                                         \
                                   : op->kind == CM_OP_PUT  ? CM_PRESENT_REPLACE_                                      \
                                                            : CM_PRESENT_APPLY_;                                        \
        Value value = op->value;                                                                                       \
        Value scratch;                                                                                                 \
        struct name##_call_ call = {op->function, op->context};                                                        \
        struct cm_write_ write = {absent, present, &value, name##_run_, &call, &scratch, &op->value, NULL, deadline};  \
        struct cm_written_ written = cm_map_write_(&name##_type_, &map->core, &op->key, hash, &write);                 \
        bool upserted = op->kind == CM_OP_UPSERT && written.status >= 0 && !written.inserted;                          \
        op->status = upserted ? CM_REPLACED : written.status;                                                          \
    }                                                                                                                  \
    CM_INLINE size_t name##_apply_many_in_(name *map, name##_op *ops, size_t n, cm_deadline deadline)                  \
    {                                                                                                                  \
        size_t done = 0;                                                                                               \
        CM_BATCH_(&name##_type_, &map->core, i, n, hash, &ops[i].key, true, {                                          \
            name##_apply_(map, &ops[i], hash, deadline);                                                               \
            done += ops[i].status >= 0;                                                                                \
        });                                                                                                            \
        return done;                                                                                                   \
    }                                                                                                                  \
    /* Runs n operations of any kinds, in array order, fetching ahead; each gets its status. Returns how many did not  \
     * fail. */                                                                                                        \
    CM_TWINS_OF_(size_t, name, apply_many, (name * map, name##_op * ops, size_t n), (map, ops, n))

#endif
