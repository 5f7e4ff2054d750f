/* The typed functions that work on many keys at a time. */
#ifndef CONCMAP_DETAIL_BATCHES_H
#define CONCMAP_DETAIL_BATCHES_H

#include <concmap/detail/op_kind.h>
#include <concmap/detail/reads.h>
#include <concmap/detail/writes.h>

/* The write that an operation of a mixed batch is; GET and REMOVE are none. `out` takes the old value; of anchored maps
 * INSERT tells there where the value is that the map has. */
CM_INLINE struct cm_write_ cm_op_write_(const struct cm_type *type, cm_op_kind kind, const void *value,
                                        cm_status (*call)(void *, void *), void *context, void *scratch, void *out,
                                        cm_deadline deadline)
{
    bool tells = type->anchored && kind == CM_OP_INSERT;
    enum cm_absent_ absent = kind == CM_OP_UPDATE ? CM_ABSENT_FAIL_ : CM_ABSENT_INSERT_;
    enum cm_present_ present = kind == CM_OP_INSERT ? CM_PRESENT_KEEP_
                               : kind == CM_OP_PUT  ? CM_PRESENT_REPLACE_
                                                    : CM_PRESENT_APPLY_;
    struct cm_write_ write = {absent,  present, value, call, context, scratch, tells ? NULL : out, tells ? out : NULL,
                              deadline};
    return write;
}

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
    CM_OP_(how, name, Key, Value)                                                                                      \
    CM_LOCAL_(how, void, name##_apply_, (name * map, name##_op * op, uint64_t hash, cm_deadline deadline), {           \
        if (op->kind == CM_OP_GET) {                                                                                   \
            op->status = name##_look_(map, &op->key, hash, &op->value, deadline);                                      \
            return;                                                                                                    \
        }                                                                                                              \
        if (op->kind == CM_OP_REMOVE) {                                                                                \
            op->status = cm_map_remove_(&name##_type_, &map->core, &op->key, hash, NULL, NULL, &op->value, deadline);  \
            return;                                                                                                    \
        }                                                                                                              \
        Value value = op->value;                                                                                       \
        Value scratch;                                                                                                 \
        cm_value_clear_(&name##_type_, &scratch);                                                                      \
        struct name##_call_ call = {op->function, op->context};                                                        \
        struct cm_write_ write =                                                                                       \
            cm_op_write_(&name##_type_, op->kind, &value, name##_run_, &call, &scratch, &op->value, deadline);         \
        struct cm_written_ written = cm_map_write_(&name##_type_, &map->core, &op->key, hash, &write);                 \
        op->status = op->kind == CM_OP_UPSERT ? cm_written_upserted_(written) : written.status;                        \
    })                                                                                                                 \
    CM_APPLIED_MANY_(how, name)

#endif
