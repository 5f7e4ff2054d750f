/* Dynamic maps: many keys at a time. */
#include "any_core.h"

/* The i-th of an array. */
static const char *key_at(const cm_any *map, const void *keys, size_t i)
{
    return (const char *)keys + i * map->type.key_size;
}

/* Where the i-th value is given out. */
static char *out_at(const cm_any *map, void *values, size_t i)
{
    return values ? (char *)values + i * out_size(map) : NULL;
}

static char *value_at(const cm_any *map, void *values, size_t i)
{
    return values ? (char *)values + i * map->type.value_size : NULL;
}

/* As get, but that a miss may leave anything in `value`, so plain values are copied once. Pinned by the caller. */
static bool look_once(const cm_any *map, const void *key, uint64_t hash, void *value, cm_deadline deadline)
{
    const struct cm_type *type = &map->type;
    if (type->value_clone || type->cached)
        return cm_any_look_(map, key, hash, value, deadline) == CM_OK;
    return cm_map_look_(type, &map->core, key, hash, value, deadline) == CM_OK;
}

static size_t cm_any_get_many_in_(const cm_any *map, const void *keys, size_t n, bool *found, void *values,
                                  cm_deadline deadline)
{
    size_t hits = 0;
    CM_BATCH_(&map->type, &map->core, i, n, hash, key_at(map, keys, i), false, {
        bool hit = look_once(map, key_at(map, keys, i), hash, value_at(map, values, i), deadline);
        if (found)
            found[i] = hit;
        hits += hit;
    });
    return hits;
}
CM_TWINS_OF_(cm_define, size_t, cm_any, get_many,
             (const cm_any *map, const void *keys, size_t n, bool *found, void *values), (map, keys, n, found, values))

/* Writes the same way to n keys; `values` (may be NULL) has what to write to each. Counts those that succeeded. */
static size_t write_many(cm_any *map, const void *keys, const void *values, size_t n, struct cm_write_ *write,
                         cm_status *results)
{
    size_t done = 0;
    CM_BATCH_(&map->type, &map->core, i, n, hash, key_at(map, keys, i), true, {
        write->value = given(map, value_at(map, (void *)(uintptr_t)values, i));
        cm_status status = cm_any_write_(map, key_at(map, keys, i), hash, write).status;
        if (results)
            results[i] = status;
        done += status >= 0 && status != CM_ABSENT;
    });
    return done;
}

size_t cm_any_put_many_in_(cm_any *map, const void *keys, const void *values, size_t n, cm_status *results,
                           cm_deadline deadline)
{
    struct cm_write_ write = {CM_ABSENT_INSERT_, CM_PRESENT_REPLACE_, NULL, NULL, NULL, NULL, NULL, NULL, deadline};
    return write_many(map, keys, values, n, &write, results);
}
CM_TWINS_OF_(cm_define, size_t, cm_any, put_many,
             (cm_any * map, const void *keys, const void *values, size_t n, cm_status *results),
             (map, keys, values, n, results))

size_t cm_any_update_many_in_(cm_any *map, const void *keys, size_t n, cm_status (*function)(void *, void *),
                              void *context, cm_status *results, cm_deadline deadline)
{
    struct cm_write_ write = {CM_ABSENT_FAIL_, CM_PRESENT_APPLY_, NULL, function, context, NULL, NULL, NULL, deadline};
    return write_many(map, keys, NULL, n, &write, results);
}
CM_TWINS_OF_(cm_define, size_t, cm_any, update_many,
             (cm_any * map, const void *keys, size_t n, cm_status (*function)(void *, void *), void *context,
              cm_status *results),
             (map, keys, n, function, context, results))

size_t cm_any_remove_many_in_(cm_any *map, const void *keys, size_t n, void *old, cm_status *results,
                              cm_deadline deadline)
{
    size_t done = 0;
    CM_BATCH_(&map->type, &map->core, i, n, hash, key_at(map, keys, i), true, {
        cm_status status = cm_any_remove_in_(map, hash, key_at(map, keys, i), out_at(map, old, i), deadline);
        if (results)
            results[i] = status;
        done += status == CM_OK;
    });
    return done;
}
CM_TWINS_OF_(cm_define, size_t, cm_any, remove_many,
             (cm_any * map, const void *keys, size_t n, void *old, cm_status *results), (map, keys, n, old, results))

/* The write that an operation is; GET and REMOVE are none. op->value takes the old value; of anchored maps INSERT tells
 * there where the value is that the map has. */
static cm_status op_write(cm_any *map, const cm_any_op *op, const void *value, uint64_t hash, cm_deadline deadline)
{
    bool tells = map->type.anchored && op->kind == CM_OP_INSERT;
    enum cm_absent_ absent = op->kind == CM_OP_UPDATE ? CM_ABSENT_FAIL_ : CM_ABSENT_INSERT_;
    enum cm_present_ present = op->kind == CM_OP_INSERT ? CM_PRESENT_KEEP_
                               : op->kind == CM_OP_PUT  ? CM_PRESENT_REPLACE_
                                                        : CM_PRESENT_APPLY_;
    struct cm_write_ write = {
        absent,  present, value, op->function, op->context, NULL, tells ? NULL : op->value, tells ? op->value : NULL,
        deadline};
    struct cm_written_ written = cm_any_write_(map, op->key, hash, &write);
    return op->kind == CM_OP_UPSERT ? cm_written_upserted_(written) : written.status;
}

cm_status cm_any_op_apply_(cm_any *map, const cm_any_op *op, const void *value, uint64_t hash, cm_deadline deadline)
{
    if (op->kind == CM_OP_GET)
        return cm_any_look_(map, op->key, hash, op->value, deadline);
    if (op->kind == CM_OP_REMOVE)
        return cm_any_remove_in_(map, hash, op->key, op->value, deadline);
    return op_write(map, op, given(map, value), hash, deadline);
}

/* Its value is both given and taken. */
static cm_status op_put(cm_any *map, const cm_any_op *op, uint64_t hash, cm_deadline deadline)
{
    struct room value;
    if (!room_take(&value, map))
        return CM_NOMEM;
    memcpy(value.at, given(map, op->value), map->type.value_size);
    cm_status status = op_write(map, op, value.at, hash, deadline);
    room_give_back(&value, map);
    return status;
}

static size_t cm_any_apply_many_in_(cm_any *map, cm_any_op *ops, size_t n, cm_deadline deadline)
{
    size_t done = 0;
    CM_BATCH_(&map->type, &map->core, i, n, hash, ops[i].key, true, {
        ops[i].status = ops[i].kind == CM_OP_PUT ? op_put(map, &ops[i], hash, deadline)
                                                 : cm_any_op_apply_(map, &ops[i], ops[i].value, hash, deadline);
        done += ops[i].status >= 0;
    });
    return done;
}
CM_TWINS_OF_(cm_define, size_t, cm_any, apply_many, (cm_any * map, cm_any_op *ops, size_t n), (map, ops, n))
