/* The typed functions of a map behind one lock: those of the map `name_plain`, each with the lock. */
#ifndef CONCMAP_DETAIL_LOCKED_VERBS_H
#define CONCMAP_DETAIL_LOCKED_VERBS_H

#include <concmap/detail/map_lock.h>
#include <concmap/detail/typed.h>

/* No function can be running in a map that was just locked: one whose thread ended has not said so. */
#define CM_CALMED_(map)                                                                                                \
    do {                                                                                                               \
        if (CM_UNLIKELY((map)->lock.died))                                                                             \
            (map)->plain.core.busy = false;                                                                            \
    } while (0)

/* The body of a call that changes the map; `calls`: it runs code of the user, see (L1). */
#define CM_ALONE_(map, deadline, calls, call)                                                                          \
    {                                                                                                                  \
        struct cm_map_held_ held_;                                                                                     \
        int got_ = cm_map_enter_alone_(&(map)->lock, &held_, calls, deadline);                                         \
        if (CM_UNLIKELY(got_ != CM_GOT_))                                                                              \
            return (cm_status)got_;                                                                                    \
        CM_CALMED_(map);                                                                                               \
        cm_status status_ = call;                                                                                      \
        cm_map_leave_(&held_, got_);                                                                                   \
        return status_;                                                                                                \
    }

/* Of one that looks: a thread that has the lock reads on. `otherwise` is its result where the wait was given up. */
#define CM_LOOKING_(name, map, deadline, calls, Result, otherwise, call)                                               \
    {                                                                                                                  \
        struct cm_map_held_ held_;                                                                                     \
        int got_ = cm_map_enter_(&((struct name *)(uintptr_t)(map))->lock, &held_, calls, deadline);                   \
        if (CM_UNLIKELY(got_ < 0))                                                                                     \
            return otherwise;                                                                                          \
        Result result_ = call;                                                                                         \
        cm_map_leave_(&held_, got_);                                                                                   \
        return result_;                                                                                                \
    }

/* Of a batch that changes the map: where the wait was given up, `failed` says so to each. */
#define CM_BATCH_ALONE_(map, deadline, calls, call, failed)                                                            \
    {                                                                                                                  \
        struct cm_map_held_ held_;                                                                                     \
        int got_ = cm_map_enter_alone_(&(map)->lock, &held_, calls, deadline);                                         \
        if (CM_UNLIKELY(got_ != CM_GOT_)) {                                                                            \
            for (size_t i = 0; i < n; i++)                                                                             \
                failed;                                                                                                \
            return 0;                                                                                                  \
        }                                                                                                              \
        CM_CALMED_(map);                                                                                               \
        size_t done_ = call;                                                                                           \
        cm_map_leave_(&held_, got_);                                                                                   \
        return done_;                                                                                                  \
    }

/* A call on one key that changes the map, with all its twins. */
#define CM_LOCKED_KEYED_(how, name, Key, verb, calls, more, arguments)                                                 \
    CM_INNER_(how, cm_status, name##_##verb##_in_,                                                                     \
              (name * map, uint64_t hash, Key key CM_LIST_ more, cm_deadline deadline), {                              \
                  cm_flat_prefetch_hint_(&name##_plain_type_, &map->plain.core.flat, hash);                            \
                  CM_ALONE_(map, deadline, calls,                                                                      \
                            name##_plain_##verb##_in_(&map->plain, hash, key CM_LIST_ arguments))                      \
              })                                                                                                       \
    /* As of the plain map. */                                                                                         \
    CM_KEYED_(how, name, name, Key, verb, more, arguments)

/* A call on the whole map that changes it, with all its twins. */
#define CM_LOCKED_WHOLE_(how, name, verb, calls, more, arguments)                                                      \
    CM_INNER_(how, cm_status, name##_##verb##_in_, (name * map CM_LIST_ more, cm_deadline deadline),                   \
              CM_ALONE_(map, deadline, calls, name##_plain_##verb(&map->plain CM_LIST_ arguments)))                    \
    /* As of the plain map. */                                                                                         \
    CM_TWINS_(how, name, verb, (name * map CM_LIST_ more), (map CM_LIST_ arguments))

#define CM_LOCKED_READS_(how, name, Key, Value)                                                                        \
    CM_LOCAL_(how, uint64_t, name##_hash_of_, (const name *map, const Key *key),                                       \
              { return name##_plain_type_.hash(key, map->plain.core.seed); })                                          \
    CM_INNER_(how, cm_status, name##_find_,                                                                            \
              (const name *map, const Key *key, uint64_t hash, Value *value, cm_deadline deadline), {                  \
                  cm_flat_prefetch_hint_(&name##_plain_type_, &map->plain.core.flat, hash);                            \
                  CM_LOOKING_(name, map, deadline, false, cm_status, (cm_status)got_,                                  \
                              name##_plain_look_(&map->plain, key, hash, value))                                       \
              })                                                                                                       \
    /* The key's hash, for calls that take it (VERB_hashed); of use in all maps with the same config.seed. No lock. */ \
    CM_FUNCTION_(how, uint64_t, name##_hash_of, (const name *map, Key key), { return name##_hash_of_(map, &key); })    \
    /* Copies the key's value; false: the map has none, and *value is as it was. False also where waiting would never  \
     * end: who holds locks asks by get_until. */                                                                      \
    CM_FUNCTION_(how, bool, name##_get, (const name *map, Key key, Value *value), {                                    \
        CM_CALLED_();                                                                                                  \
        return name##_find_(map, &key, name##_hash_of_(map, &key), value, CM_FOREVER) == CM_OK;                        \
    })                                                                                                                 \
    CM_FUNCTION_(how, bool, name##_get_hashed, (const name *map, uint64_t hash, Key key, Value *value), {              \
        CM_CALLED_();                                                                                                  \
        return name##_find_(map, &key, hash, value, CM_FOREVER) == CM_OK;                                              \
    })                                                                                                                 \
    /* As get: CM_OK, CM_ABSENT, or CM_BUSY. */                                                                        \
    CM_FUNCTION_(how, cm_status, name##_try_get, (const name *map, Key key, Value *value), {                           \
        CM_CALLED_();                                                                                                  \
        return name##_find_(map, &key, name##_hash_of_(map, &key), value, CM_TRY);                                     \
    })                                                                                                                 \
    /* As get: CM_OK, CM_ABSENT, CM_TIMEOUT or CM_DEADLOCK. */                                                         \
    CM_FUNCTION_(how, cm_status, name##_get_until, (const name *map, Key key, Value *value, cm_deadline deadline), {   \
        CM_CALLED_();                                                                                                  \
        return name##_find_(map, &key, name##_hash_of_(map, &key), value, deadline);                                   \
    })                                                                                                                 \
    /* Whether the map has the key. As get. */                                                                         \
    CM_FUNCTION_(how, bool, name##_contains, (const name *map, Key key), {                                             \
        CM_CALLED_();                                                                                                  \
        return name##_find_(map, &key, name##_hash_of_(map, &key), NULL, CM_FOREVER) == CM_OK;                         \
    })                                                                                                                 \
    CM_FUNCTION_(how, bool, name##_contains_hashed, (const name *map, uint64_t hash, Key key), {                       \
        CM_CALLED_();                                                                                                  \
        return name##_find_(map, &key, hash, NULL, CM_FOREVER) == CM_OK;                                               \
    })

/* Outcomes are those of the plain map (detail/plain_verbs.h); CM_DEADLOCK: the thread has the lock already, or waits in
 * a circle. */
#define CM_LOCKED_WRITES_(how, name, Key, Value)                                                                       \
    /* What the key and the value own is destroyed under the lock. */                                                  \
    CM_HIDDEN_(how, enum {name##_owns_ = name##_plain_key_owned_ || name##_plain_value_owned_};)                       \
    /* As of the plain map. The function runs under the lock: it may read this map, and use others. */                 \
    CM_LOCKED_KEYED_(how, name, Key, update, true, (, cm_status(*function)(Value *, void *), void *context),           \
                     (, function, context))                                                                            \
    CM_LOCKED_KEYED_(                                                                                                  \
        how, name, Key, update_if, true,                                                                               \
        (, bool (*condition)(const Value *, void *), cm_status (*function)(Value *, void *), void *context),           \
        (, condition, function, context))                                                                              \
    CM_LOCKED_KEYED_(how, name, Key, remove_if, true,                                                                  \
                     (, cm_status(*condition)(Value *, void *), void *context, Value *old),                            \
                     (, condition, context, old))                                                                      \
    CM_LOCKED_KEYED_(how, name, Key, compare_exchange, true,                                                           \
                     (, Value * expected, Value desired, bool (*equal)(const Value *, const Value *)),                 \
                     (, expected, desired, equal))                                                                     \
    CM_LOCKED_KEYED_(how, name, Key, upsert, true,                                                                     \
                     (, Value initial, cm_status(*function)(Value *, void *), void *context),                          \
                     (, initial, function, context))                                                                   \
    CM_LOCKED_KEYED_(how, name, Key, get_or_insert_with, true,                                                         \
                     (, cm_status(*make)(Value *, void *), void *context, Value *value), (, make, context, value))     \
    /* As of the plain map. */                                                                                         \
    CM_LOCKED_KEYED_(how, name, Key, insert, name##_owns_, (, Value value), (, value))                                 \
    CM_LOCKED_KEYED_(how, name, Key, put, name##_owns_, (, Value value, Value * old), (, value, old))                  \
    CM_LOCKED_KEYED_(how, name, Key, replace, name##_owns_, (, Value value, Value * old), (, value, old))              \
    CM_LOCKED_KEYED_(how, name, Key, remove, name##_owns_, (, Value * old), (, old))                                   \
    CM_LOCKED_KEYED_(how, name, Key, take_or, name##_owns_, (, Value otherwise, Value * value), (, otherwise, value))  \
    CM_LOCKED_KEYED_(how, name, Key, get_or_insert, name##_owns_, (, Value initial, Value * value), (, initial, value))

#define CM_LOCKED_BULK_(how, name, Key, Value)                                                                         \
    CM_INNER_(how, cm_status, name##_for_each_in_,                                                                     \
              (const name *map, cm_status (*function)(const Key *, const Value *, void *), void *context,              \
               cm_deadline deadline),                                                                                  \
              CM_LOOKING_(name, map, deadline, true, cm_status, (cm_status)got_,                                       \
                          name##_plain_for_each(&map->plain, function, context)))                                      \
    /* As of the plain map, under the lock from beginning to end. */                                                   \
    CM_TWINS_(how, name, for_each,                                                                                     \
              (const name *map, cm_status (*function)(const Key *, const Value *, void *), void *context),             \
              (map, function, context))                                                                                \
    CM_LOCKED_WHOLE_(how, name, alter_all, true,                                                                       \
                     (, cm_status(*function)(const Key *, Value *, void *), void *context), (, function, context))     \
    CM_LOCKED_WHOLE_(how, name, retain, true, (, cm_status(*keep)(const Key *, const Value *, void *), void *context), \
                     (, keep, context))                                                                                \
    CM_LOCKED_WHOLE_(how, name, extract_if, true,                                                                      \
                     (, cm_status(*wanted)(const Key *, const Value *, void *),                                        \
                      cm_status(*take)(const Key *, Value *, void *), void *context),                                  \
                     (, wanted, take, context))                                                                        \
    CM_LOCKED_WHOLE_(how, name, drain, true, (, cm_status(*take)(const Key *, Value *, void *), void *context),        \
                     (, take, context))                                                                                \
    /* As of the plain map. */                                                                                         \
    CM_FUNCTION_(how, cm_status, name##_to_arrays,                                                                     \
                 (const name *map, Key *keys, Value *values, size_t n, size_t *count),                                 \
                 CM_LOOKING_(name, map, CM_FOREVER, false, cm_status, (cm_status)got_,                                 \
                             name##_plain_to_arrays(&map->plain, keys, values, n, count)))

/* Those on two maps take the locks in the order of their addresses. */
#define CM_LOCKED_PAIRS_(how, name, Key, Value)                                                                        \
    CM_INNER_(how, cm_status, name##_merge_in_,                                                                        \
              (name * into, const struct name *from, cm_status (*resolve)(Value *, const Value *, void *),             \
               void *context, cm_deadline deadline),                                                                   \
              {                                                                                                        \
                  struct cm_map_lock_ *locks[2] = {&into->lock, &((struct name *)(uintptr_t)from)->lock};              \
                  struct cm_map_held_ held[2];                                                                         \
                  int got[2];                                                                                          \
                  if (into == from)                                                                                    \
                      return CM_INVALID;                                                                               \
                  int both = cm_map_enter_both_(locks, held, got, deadline);                                           \
                  if (both != CM_GOT_)                                                                                 \
                      return (cm_status)both;                                                                          \
                  if (got[0] == CM_GOT_)                                                                               \
                      CM_CALMED_(into);                                                                                \
                  cm_status status = got[0] == CM_GOT_                                                                 \
                                         ? name##_plain_merge(&into->plain, &from->plain, resolve, context)            \
                                         : cm_map_lock_own_(&into->lock);                                              \
                  cm_map_leave_(&held[0], got[0]);                                                                     \
                  cm_map_leave_(&held[1], got[1]);                                                                     \
                  return status;                                                                                       \
              })                                                                                                       \
    /* As of the plain map. */                                                                                         \
    CM_TWINS_(                                                                                                         \
        how, name, merge,                                                                                              \
        (name * into, const struct name *from, cm_status (*resolve)(Value *, const Value *, void *), void *context),   \
        (into, from, resolve, context))                                                                                \
    CM_FUNCTION_(how, cm_status, name##_equals,                                                                        \
                 (const name *a, const struct name *b, bool (*equal)(const Value *, const Value *)), {                 \
                     struct cm_map_lock_ *locks[2] = {&((struct name *)(uintptr_t)a)->lock,                            \
                                                      &((struct name *)(uintptr_t)b)->lock};                           \
                     struct cm_map_held_ held[2];                                                                      \
                     int got[2];                                                                                       \
                     CM_CALLED_();                                                                                     \
                     int both = cm_map_enter_both_(locks, held, got, CM_FOREVER);                                      \
                     if (both != CM_GOT_)                                                                              \
                         return (cm_status)both;                                                                       \
                     cm_status status = name##_plain_equals(&a->plain, &b->plain, equal);                              \
                     cm_map_leave_(&held[1], got[1]);                                                                  \
                     cm_map_leave_(&held[0], got[0]);                                                                  \
                     return status;                                                                                    \
                 })                                                                                                    \
    /* Makes `to`, which is not initialised, a copy of `from`, with its options. On a failure there is no `to`. */     \
    CM_FUNCTION_(how, cm_status, name##_clone, (name * to, const struct name *from), {                                 \
        memset((void *)&to->lock, 0, sizeof to->lock);                                                                 \
        CM_LOOKING_(name, from, CM_FOREVER, true, cm_status, (cm_status)got_,                                          \
                    name##_plain_clone(&to->plain, &from->plain))                                                      \
    })                                                                                                                 \
    /* As of the plain map, without a lock: nobody may be in either. */                                                \
    CM_FUNCTION_(how, void, name##_swap, (name * a, struct name * b), { name##_plain_swap(&a->plain, &b->plain); })    \
    CM_FUNCTION_(how, cm_status, name##_move, (name * to, struct name * from), {                                       \
        memset((void *)&to->lock, 0, sizeof to->lock);                                                                 \
        return name##_plain_move(&to->plain, &from->plain);                                                            \
    })

#define CM_LOCKED_BATCHES_(how, name, Key, Value)                                                                      \
    CM_SHOWN_(how, typedef name##_plain_op name##_op;)                                                                 \
    CM_INNER_(how, size_t, name##_get_many_in_,                                                                        \
              (const name *map, const Key *keys, size_t n, bool *found, Value *values, cm_deadline deadline), {        \
                  if (found)                                                                                           \
                      memset(found, 0, n * sizeof *found);                                                             \
                  CM_LOOKING_(name, map, deadline, false, size_t, 0,                                                   \
                              name##_plain_get_many(&map->plain, keys, n, found, values))                              \
              })                                                                                                       \
    /* As of the plain map, under the lock from beginning to end: one step for all others. Where the wait for the lock \
     * was given up, nothing is found. */                                                                              \
    CM_TWINS_OF_(how, size_t, name, get_many,                                                                          \
                 (const name *map, const Key *keys, size_t n, bool *found, Value *values),                             \
                 (map, keys, n, found, values))                                                                        \
    CM_INNER_(how, size_t, name##_put_many_in_,                                                                        \
              (name * map, const Key *keys, const Value *values, size_t n, cm_status *results, cm_deadline deadline),  \
              CM_BATCH_ALONE_(map, deadline, name##_owns_,                                                             \
                              name##_plain_put_many(&map->plain, keys, values, n, results),                            \
                              if (results) results[i] = (cm_status)got_))                                              \
    /* As of the plain map, in one step; where the wait for the lock was given up, each result says why. */            \
    CM_TWINS_OF_(how, size_t, name, put_many,                                                                          \
                 (name * map, const Key *keys, const Value *values, size_t n, cm_status *results),                     \
                 (map, keys, values, n, results))                                                                      \
    CM_INNER_(how, size_t, name##_update_many_in_,                                                                     \
              (name * map, const Key *keys, size_t n, cm_status (*function)(Value *, void *), void *context,           \
               cm_status *results, cm_deadline deadline),                                                              \
              CM_BATCH_ALONE_(map, deadline, true,                                                                     \
                              name##_plain_update_many(&map->plain, keys, n, function, context, results),              \
                              if (results) results[i] = (cm_status)got_))                                              \
    /* As put_many. */                                                                                                 \
    CM_TWINS_OF_(how, size_t, name, update_many,                                                                       \
                 (name * map, const Key *keys, size_t n, cm_status (*function)(Value *, void *), void *context,        \
                  cm_status *results),                                                                                 \
                 (map, keys, n, function, context, results))                                                           \
    CM_INNER_(how, size_t, name##_remove_many_in_,                                                                     \
              (name * map, const Key *keys, size_t n, Value *old, cm_status *results, cm_deadline deadline),           \
              CM_BATCH_ALONE_(map, deadline, name##_owns_,                                                             \
                              name##_plain_remove_many(&map->plain, keys, n, old, results),                            \
                              if (results) results[i] = (cm_status)got_))                                              \
    /* As put_many. */                                                                                                 \
    CM_TWINS_OF_(how, size_t, name, remove_many,                                                                       \
                 (name * map, const Key *keys, size_t n, Value *old, cm_status *results),                              \
                 (map, keys, n, old, results))                                                                         \
    CM_INNER_(how, size_t, name##_apply_many_in_, (name * map, name##_op * ops, size_t n, cm_deadline deadline),       \
              CM_BATCH_ALONE_(map, deadline, true, name##_plain_apply_many(&map->plain, ops, n),                       \
                              ops[i].status = (cm_status)got_))                                                        \
    /* As put_many. */                                                                                                 \
    CM_TWINS_OF_(how, size_t, name, apply_many, (name * map, name##_op * ops, size_t n), (map, ops, n))

#endif
