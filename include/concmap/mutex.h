/* The mutex map: a plain map (plain.h) behind one lock. For few threads, or many calls that belong together.
 *
 *     CM_MUTEX_MAP(accounts, uint64_t, int64_t, cm_hash_u64, cm_equal_u64)
 *
 * makes a type `accounts` and functions `accounts_get`, `accounts_put`, ..., of the same names and outcomes as those of
 * the sharded map, and the plain map `accounts_plain` below it. To do several things in one step:
 *
 *     CM_WITH_ALL(accounts, &map, all) {
 *         *accounts_plain_find(all, 1) -= 5;
 *         accounts_plain_put(all, 2, 5, NULL);
 *     }
 *
 * Threads. Any thread may call any function at any time, but init, destroy, swap and move, which nobody may overlap.
 *
 * Blocking. Each call takes the one lock, for as long as it runs; waiting threads sleep, and are let in after a bounded
 * time. try_VERB returns CM_BUSY instead of waiting, VERB_until CM_TIMEOUT past its deadline (deadline.h).
 *
 * What a thread may do while it has the lock (in CM_WITH_ALL, or in a function that it gave to `update` and the like):
 * read this map by get, contains, get_many, for_each, ..., and use other maps. A call that changes the map is
 * CM_DEADLOCK then, and so is waiting in a circle with other threads.
 *
 * Under the lock run functions given to the map, what clones and destroys keys and values, and the allocator. They must
 * not leave it by longjmp or by an exception. A thread that ends there gives the lock back; the next one to lock the
 * map by name is told CM_OWNER_DIED.
 *
 * Growth moves all entries at once, under the lock: O(entries). Failure. As of the plain map. */
#ifndef CONCMAP_MUTEX_H
#define CONCMAP_MUTEX_H

#include <concmap/detail/locked_verbs.h>
#include <concmap/plain.h>

/* Runs the statement that follows with the lock; `all` is the plain map, for the functions name_plain_VERB. If the lock
 * was not taken, the statement after `else` runs, and all_lock.status says why: CM_DEADLOCK, CM_NOMEM, or
 * CM_OWNER_DIED, in which case it was taken, and `all` can be used. The lock is given back however the statement is
 * left: at its end, by break, continue, return and goto, by C++ exceptions, and by pthread_exit and cancellation where
 * the program is compiled with -fexceptions; not by longjmp. */
#define CM_WITH_ALL(name, over, all) CM_WITH_ALL_(name, over, all)
#define CM_WITH_ALL_(name, over, all)                                                                                  \
    for (name##_lock_guard all##_lock __attribute__((cleanup(name##_lock_end_))),                                      \
         *all##_once_ = CM_AT(name##_lock_begin_(over, &all##_lock));                                                  \
         all##_once_; all##_once_ = NULL)                                                                              \
        for (name##_plain *all = all##_lock.map; all##_once_; all##_once_ = NULL)                                      \
            if (all && all##_lock.status == CM_OK)

/* Makes a map type, with all its functions in this file. */
#define CM_MUTEX_MAP(name, Key, Value, hash_function, equal_function)                                                  \
    CM_MUTEX_MAP_OWNED(name, Key, Value, hash_function, equal_function, CM_PLAIN, CM_PLAIN)

/* The same with keys or values that own memory, or count references: each owner is CM_PLAIN or CM_OWNED(clone,
 * destroy), see type.h. */
#define CM_MUTEX_MAP_OWNED(name, Key, Value, hash_function, equal_function, key_owner, value_owner)                    \
    CM_PLAIN_MAP_OWNED(name##_plain, Key, Value, hash_function, equal_function, key_owner, value_owner)                \
    CM_MUTEX_FUNCTIONS_(cm_inline, name, name##_plain_key_, name##_plain_value_)

/* The same for a type that many files use: DECLARE in a header, and DEFINE in one C file that includes it. The calls
 * are functions of that file then, and not inlined in others. */
#define CM_MUTEX_MAP_DECLARE(name, Key, Value)                                                                         \
    CM_PLAIN_MAP_DECLARE(name##_plain, Key, Value)                                                                     \
    CM_MUTEX_FUNCTIONS_(cm_declare, name, name##_plain_key_, name##_plain_value_)
#define CM_MUTEX_MAP_DEFINE(name, Key, Value, hash_function, equal_function)                                           \
    CM_MUTEX_MAP_DEFINE_OWNED(name, Key, Value, hash_function, equal_function, CM_PLAIN, CM_PLAIN)
#define CM_MUTEX_MAP_DEFINE_OWNED(name, Key, Value, hash_function, equal_function, key_owner, value_owner)             \
    CM_PLAIN_MAP_DEFINE_OWNED(name##_plain, Key, Value, hash_function, equal_function, key_owner, value_owner)         \
    CM_MUTEX_FUNCTIONS_(cm_define, name, name##_plain_key_, name##_plain_value_)

#define CM_MUTEX_FUNCTIONS_(how, name, Key, Value)                                                                     \
    CM_SHOWN_(                                                                                                         \
        how, typedef struct name {                                                                                     \
            struct cm_map_lock_ lock;                                                                                  \
            name##_plain plain;                                                                                        \
        } name;)                                                                                                       \
    CM_LOCKED_READS_(how, name, Key, Value)                                                                            \
    CM_LOCKED_WRITES_(how, name, Key, Value)                                                                           \
    CM_MUTEX_LIFE_(how, name)                                                                                          \
    CM_MUTEX_LOCK_(how, name)                                                                                          \
    CM_LOCKED_BULK_(how, name, Key, Value)                                                                             \
    CM_LOCKED_PAIRS_(how, name, Key, Value)                                                                            \
    CM_LOCKED_BATCHES_(how, name, Key, Value)

#define CM_MUTEX_LIFE_(how, name)                                                                                      \
    /* Makes an empty map. As of the plain map. */                                                                     \
    CM_FUNCTION_(how, cm_status, name##_init, (name * map, const cm_config *config), {                                 \
        memset((void *)&map->lock, 0, sizeof map->lock);                                                               \
        return name##_plain_init(&map->plain, config);                                                                 \
    })                                                                                                                 \
    /* Gives everything back. Nobody may be in the map, nor come later. */                                             \
    CM_FUNCTION_(how, void, name##_destroy, (name * map), { name##_plain_destroy(&map->plain); })                      \
    /* The number of entries; 0 where waiting for the lock would never end. */                                         \
    CM_FUNCTION_(how, size_t, name##_len, (const name *map),                                                           \
                 CM_LOOKING_(name, map, CM_FOREVER, false, size_t, 0, name##_plain_len(&map->plain)))                  \
    /* As of the plain map. */                                                                                         \
    CM_LOCKED_WHOLE_(how, name, clear, name##_owns_, (), ())                                                           \
    CM_LOCKED_WHOLE_(how, name, reserve, false, (, size_t entries), (, entries))                                       \
    CM_LOCKED_WHOLE_(how, name, shrink_to_fit, false, (), ())                                                          \
    CM_FUNCTION_(how, cm_memory, name##_memory, (const name *map), {                                                   \
        cm_memory nothing = {0, 0, 0, 0, 0, 0};                                                                        \
        CM_LOOKING_(name, map, CM_FOREVER, false, cm_memory, nothing, name##_plain_memory(&map->plain))                \
    })                                                                                                                 \
    CM_FUNCTION_(how, cm_status, name##_check, (const name *map, const char **reason),                                 \
                 CM_LOOKING_(name, map, CM_FOREVER, false, cm_status, (cm_status)got_,                                 \
                             name##_plain_check(&map->plain, reason)))

#define CM_MUTEX_LOCK_(how, name)                                                                                      \
    /* The lock, taken. */                                                                                             \
    CM_SHOWN_(                                                                                                         \
        how, typedef struct name##_lock_guard {                                                                        \
            name##_plain *map; /* NULL: it is not taken */                                                             \
            cm_status status;                                                                                          \
            struct cm_map_held_ core;                                                                                  \
        } name##_lock_guard;)                                                                                          \
    CM_INNER_(how, cm_status, name##_lock_in_, (name * map, name##_lock_guard * guard, cm_deadline deadline), {        \
        int got = cm_map_enter_alone_(&map->lock, &guard->core, true, deadline);                                       \
        guard->map = NULL;                                                                                             \
        guard->status = (cm_status)got;                                                                                \
        if (got == CM_GOT_) {                                                                                          \
            guard->map = &map->plain;                                                                                  \
            CM_CALMED_(map);                                                                                           \
            if (CM_UNLIKELY(map->lock.died)) {                                                                         \
                map->lock.died = false;                                                                                \
                guard->status = CM_OWNER_DIED;                                                                         \
            }                                                                                                          \
        }                                                                                                              \
        return guard->status;                                                                                          \
    })                                                                                                                 \
    /* Locks the map: CM_OK, and guard->map is the plain map, for the calling thread alone until it unlocks.           \
     * CM_OWNER_DIED: it is locked, too, but a thread ended while it had the lock; the map is sound, and what the      \
     * thread was changing may be half done. CM_DEADLOCK, CM_NOMEM. */                                                 \
    CM_TWINS_(how, name, lock, (name * map, name##_lock_guard * guard), (map, guard))                                  \
    /* Unlocks. CM_INVALID: the guard is not locked, or another thread's. */                                           \
    CM_FUNCTION_(how, cm_status, name##_unlock, (name##_lock_guard * guard), {                                         \
        if (!guard->map || !cm_map_held_is_own_(&guard->core))                                                         \
            return CM_INVALID;                                                                                         \
        guard->map = NULL;                                                                                             \
        cm_map_leave_(&guard->core, CM_GOT_);                                                                          \
        return CM_OK;                                                                                                  \
    })                                                                                                                 \
    CM_FUNCTION_(how, name##_lock_guard *, name##_lock_begin_, (name * map, name##_lock_guard * guard), {              \
        name##_lock(map, guard);                                                                                       \
        return guard;                                                                                                  \
    })                                                                                                                 \
    CM_FUNCTION_(how, void, name##_lock_end_, (name##_lock_guard * guard), { name##_unlock(guard); })

#endif
