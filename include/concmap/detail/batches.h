/* The typed functions that work on many keys at a time. */
#ifndef CONCMAP_DETAIL_BATCHES_H
#define CONCMAP_DETAIL_BATCHES_H

#include <concmap/detail/op_kind.h>
#include <concmap/detail/reads.h>
#include <concmap/detail/writes.h>

#define CM_BATCHED_CHANGES_(how, name, Key, Value)                                                                     \
    CM_INNER_(how, size_t, name##_put_many_in_,                                                                        \
              (name * map, const Key *keys, const Value *values, size_t n, cm_status *results, cm_deadline deadline),  \
              {                                                                                                        \
                  size_t done = 0;                                                                                     \
                  CM_BATCH_(&name##_type_, &map->core, i, n, hash, &keys[i], true, {                                   \
                      cm_status status = name##_put_in_(map, hash, keys[i], values[i], NULL, deadline);                \
                      if (results)                                                                                     \
                          results[i] = status;                                                                         \
                      done += status >= 0;                                                                             \
                  });                                                                                                  \
                  return done;                                                                                         \
              })                                                                                                       \
    /* Puts n keys, in order, fetching ahead in large tables. `results` (may be NULL) takes what put would return.     \
     * Returns how many succeeded. */                                                                                  \
    CM_TWINS_OF_(how, size_t, name, put_many,                                                                          \
                 (name * map, const Key *keys, const Value *values, size_t n, cm_status *results),                     \
                 (map, keys, values, n, results))                                                                      \
    CM_INNER_(how, size_t, name##_update_many_in_,                                                                     \
              (name * map, const Key *keys, size_t n, cm_status (*function)(Value *, void *), void *context,           \
               cm_status *results, cm_deadline deadline),                                                              \
              {                                                                                                        \
                  size_t done = 0;                                                                                     \
                  CM_BATCH_(&name##_type_, &map->core, i, n, hash, &keys[i], true, {                                   \
                      cm_status status = name##_update_in_(map, hash, keys[i], function, context, deadline);           \
                      if (results)                                                                                     \
                          results[i] = status;                                                                         \
                      done += status >= 0 && status != CM_ABSENT;                                                      \
                  });                                                                                                  \
                  return done;                                                                                         \
              })                                                                                                       \
    /* Updates n keys, in order, fetching ahead in large tables. Returns how many were present and succeeded. */       \
    CM_TWINS_OF_(how, size_t, name, update_many,                                                                       \
                 (name * map, const Key *keys, size_t n, cm_status (*function)(Value *, void *), void *context,        \
                  cm_status *results),                                                                                 \
                 (map, keys, n, function, context, results))                                                           \
    CM_INNER_(how, size_t, name##_remove_many_in_,                                                                     \
              (name * map, const Key *keys, size_t n, name##_out_ *old, cm_status *results, cm_deadline deadline), {   \
                  size_t done = 0;                                                                                     \
                  CM_BATCH_(&name##_type_, &map->core, i, n, hash, &keys[i], true, {                                   \
                      cm_status status = name##_remove_in_(map, hash, keys[i], old ? &old[i] : NULL, deadline);        \
                      if (results)                                                                                     \
                          results[i] = status;                                                                         \
                      done += status == CM_OK;                                                                         \
                  });                                                                                                  \
                  return done;                                                                                         \
              })                                                                                                       \
    /* Removes n keys, in order, fetching ahead in large tables; old[i] (old may be NULL) takes the value. Returns how \
     * many there were. */                                                                                             \
    CM_TWINS_OF_(how, size_t, name, remove_many,                                                                       \
                 (name * map, const Key *keys, size_t n, name##_out_ *old, cm_status *results),                        \
                 (map, keys, n, old, results))

/* What is made of NAME_apply_(), which runs one operation. */
#define CM_APPLIED_MANY_(how, name)                                                                                    \
    CM_INNER_(how, size_t, name##_apply_many_in_, (name * map, name##_op * ops, size_t n, cm_deadline deadline), {     \
        size_t done = 0;                                                                                               \
        CM_BATCH_(&name##_type_, &map->core, i, n, hash, &ops[i].key, true, {                                          \
            name##_apply_(map, &ops[i], hash, deadline);                                                               \
            done += ops[i].status >= 0;                                                                                \
        });                                                                                                            \
        return done;                                                                                                   \
    })                                                                                                                 \
    /* Runs n operations of any kinds, in array order, fetching ahead in large tables; each gets its status. Returns   \
     * how many did not fail. */                                                                                       \
    CM_TWINS_OF_(how, size_t, name, apply_many, (name * map, name##_op * ops, size_t n), (map, ops, n))

/* apply_many of maps that copy values out. Each kind is the verb of that name, compiled for itself: told at run time
 * what to do, one write for all of them asks again and again what the kind has settled, and guesses wrong. */
#define CM_APPLIES_(how, name, Key, Value)                                                                             \
    CM_OP_(how, name, Key, Value)                                                                                      \
    CM_LOCAL_(how, void, name##_apply_, (name * map, name##_op * op, uint64_t hash, cm_deadline deadline), {           \
        switch (op->kind) {                                                                                            \
        case CM_OP_GET:                                                                                                \
            op->status = name##_look_(map, &op->key, hash, &op->value, deadline);                                      \
            break;                                                                                                     \
        case CM_OP_INSERT:                                                                                             \
            op->status = name##_insert_in_(map, hash, op->key, op->value, deadline);                                   \
            break;                                                                                                     \
        case CM_OP_REMOVE:                                                                                             \
            op->status = name##_remove_in_(map, hash, op->key, &op->value, deadline);                                  \
            break;                                                                                                     \
        case CM_OP_UPDATE:                                                                                             \
            op->status = name##_update_in_(map, hash, op->key, op->function, op->context, deadline);                   \
            break;                                                                                                     \
        case CM_OP_UPSERT:                                                                                             \
            op->status = name##_upsert_in_(map, hash, op->key, op->value, op->function, op->context, deadline);        \
            break;                                                                                                     \
        default:                                                                                                       \
            op->status = name##_put_in_(map, hash, op->key, op->value, &op->value, deadline);                          \
        }                                                                                                              \
    })                                                                                                                 \
    CM_APPLIED_MANY_(how, name)

/* get_many, where the last argument finds out, for keys[i] with its `hash`, whether it is a `hit`, and fills *value in.
 */
#define CM_GET_MANY_(how, name, Key, Value, ...)                                                                       \
    CM_INNER_(how, size_t, name##_get_many_in_,                                                                        \
              (const name *map, const Key *keys, size_t n, bool *found, Value *values, cm_deadline deadline), {        \
                  size_t hits = 0;                                                                                     \
                  CM_BATCH_(&name##_type_, &map->core, i, n, hash, &keys[i], false, {                                  \
                      Value *value = values ? &values[i] : NULL;                                                       \
                      bool hit;                                                                                        \
                      __VA_ARGS__                                                                                      \
                      if (found)                                                                                       \
                          found[i] = hit;                                                                              \
                      hits += hit;                                                                                     \
                  });                                                                                                  \
                  return hits;                                                                                         \
              })                                                                                                       \
    /* Looks n keys up, fetching ahead in large tables: found[i] and values[i] belong to keys[i]; both may be NULL,    \
     * and the value of a key that was not found is undefined. Returns the hits. Each look-up is atomic, the batch is  \
     * not. */                                                                                                         \
    CM_TWINS_OF_(how, size_t, name, get_many,                                                                          \
                 (const name *map, const Key *keys, size_t n, bool *found, Value *values),                             \
                 (map, keys, n, found, values))

#define CM_BATCHES_(how, name, Key, Value)                                                                             \
    CM_GET_MANY_(                                                                                                      \
        how, name, Key, Value,                                                                                         \
        if (name##_type_.value_clone || name##_type_.cached) {                                                         \
            hit = name##_look_(map, &keys[i], hash, value, deadline) == CM_OK;                                         \
        } else {                                                                                                       \
            enum cm_read_ result = cm_map_glance_(&name##_type_, &map->core, &keys[i], hash, value);                   \
            hit = result == CM_READ_HIT_;                                                                              \
            if (CM_UNLIKELY(result == CM_READ_AGAIN_))                                                                 \
                hit = name##_look_again_(map, keys[i], hash, value, deadline) == CM_OK;                                \
        })                                                                                                             \
    CM_BATCHED_CHANGES_(how, name, Key, Value)                                                                         \
    CM_APPLIES_(how, name, Key, Value)

#endif
