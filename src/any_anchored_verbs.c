/* Dynamic anchored maps: calls on one key, and on many. */
#include "any_core.h"

/* ---- reads ---- */

uint64_t cm_any_anchored_hash_of(const cm_any_anchored *map, const void *key)
{
    return cm_any_hash_of(&map->any, key);
}

/* As CM_KEYED_ calls it. */
static uint64_t cm_any_anchored_hash_of_(const cm_any_anchored *map, const void *const *key)
{
    return cm_any_hash_of_(&map->any, key);
}

const void *cm_any_anchored_get(const cm_any_anchored *map, const void *key)
{
    return cm_any_anchored_get_hashed(map, cm_any_anchored_hash_of_(map, &key), key);
}

const void *cm_any_anchored_get_hashed(const cm_any_anchored *map, uint64_t hash, const void *key)
{
    char *node = cm_any_node_(&map->any.type, &map->any, key, hash);
    return node ? cm_node_value_(&map->any.type, node) : NULL;
}

const void *cm_any_anchored_get_key_value(const cm_any_anchored *map, const void *key, const void **stored)
{
    const struct cm_type *type = &map->any.type;
    char *node = cm_any_node_(type, &map->any, key, cm_any_anchored_hash_of_(map, &key));
    if (!node)
        return NULL;
    *stored = node + cm_layout_of_(type).node_key;
    return cm_node_value_(type, node);
}

bool cm_any_anchored_contains(const cm_any_anchored *map, const void *key)
{
    return cm_any_anchored_get(map, key) != NULL;
}

bool cm_any_anchored_contains_hashed(const cm_any_anchored *map, uint64_t hash, const void *key)
{
    return cm_any_anchored_get_hashed(map, hash, key) != NULL;
}

void cm_any_anchored_prefetch(const cm_any_anchored *map, const void *key)
{
    cm_any_prefetch(&map->any, key);
}

/* ---- writes, most of them made of the hidden functions of cm_any ---- */

#define cm_any_anchored_insert_in_(...) OF_ANY(cm_any_insert_in_, __VA_ARGS__)
CM_KEYED_(cm_define, cm_any_anchored, cm_any_anchored, const void *, insert, (, const void *value), (, value))

#define cm_any_anchored_put_in_(...) OF_ANY(cm_any_put_in_, __VA_ARGS__)
CM_KEYED_(cm_define, cm_any_anchored, cm_any_anchored, const void *, put, (, const void *value, const void **old),
          (, value, old))

static cm_status cm_any_anchored_replace_in_(cm_any_anchored *map, uint64_t hash, const void *key, const void *value,
                                             const void **old, cm_deadline deadline)
{
    struct cm_write_ write = {
        CM_ABSENT_FAIL_, CM_PRESENT_REPLACE_, given(&map->any, value), NULL, NULL, NULL, old, NULL, deadline};
    return cm_any_write_(&map->any, key, hash, &write).status;
}
CM_KEYED_(cm_define, cm_any_anchored, cm_any_anchored, const void *, replace, (, const void *value, const void **old),
          (, value, old))

#define cm_any_anchored_update_in_(...) OF_ANY(cm_any_update_in_, __VA_ARGS__)
CM_KEYED_(cm_define, cm_any_anchored, cm_any_anchored, const void *, update,
          (, cm_status (*function)(void *, void *), void *context), (, function, context))

#define cm_any_anchored_update_if_in_(...) OF_ANY(cm_any_update_if_in_, __VA_ARGS__)
CM_KEYED_(cm_define, cm_any_anchored, cm_any_anchored, const void *, update_if,
          (, bool (*condition)(const void *, void *), cm_status (*function)(void *, void *), void *context),
          (, condition, function, context))

#define cm_any_anchored_upsert_in_(...) OF_ANY(cm_any_upsert_in_, __VA_ARGS__)
CM_KEYED_(cm_define, cm_any_anchored, cm_any_anchored, const void *, upsert,
          (, const void *initial, cm_status (*function)(void *, void *), void *context), (, initial, function, context))

#define cm_any_anchored_compare_exchange_in_(...) OF_ANY(cm_any_compare_exchange_in_, __VA_ARGS__)
CM_KEYED_(cm_define, cm_any_anchored, cm_any_anchored, const void *, compare_exchange,
          (, void *expected, const void *desired, bool (*equal)(const void *, const void *)),
          (, expected, desired, equal))

#define cm_any_anchored_get_or_insert_in_(...) OF_ANY(cm_any_get_or_insert_in_, __VA_ARGS__)
CM_KEYED_(cm_define, cm_any_anchored, cm_any_anchored, const void *, get_or_insert,
          (, const void *initial, const void **value), (, initial, value))

static cm_status cm_any_anchored_get_or_insert_with_in_(cm_any_anchored *map, uint64_t hash, const void *key,
                                                        cm_status (*make)(void *, void *), void *context,
                                                        const void **value, cm_deadline deadline)
{
    cm_any *any = &map->any;
    struct room made;
    void *at = NULL;
    if (cm_any_look_(any, key, hash, value, deadline) == CM_OK)
        return CM_EXISTS;
    if (!room_take(&made, any))
        return CM_NOMEM;
    cm_status status = cm_map_make_(&any->core, &any->type, key, hash, make, context, made.at, &at, deadline);
    room_give_back(&made, any);
    if (value && status >= 0)
        *value = at;
    return status;
}
CM_KEYED_(cm_define, cm_any_anchored, cm_any_anchored, const void *, get_or_insert_with,
          (, cm_status (*make)(void *, void *), void *context, const void **value), (, make, context, value))

#define cm_any_anchored_remove_in_(...) OF_ANY(cm_any_remove_in_, __VA_ARGS__)
CM_KEYED_(cm_define, cm_any_anchored, cm_any_anchored, const void *, remove, (, const void **old), (, old))

#define cm_any_anchored_remove_if_in_(...) OF_ANY(cm_any_remove_if_in_, __VA_ARGS__)
CM_KEYED_(cm_define, cm_any_anchored, cm_any_anchored, const void *, remove_if,
          (, cm_status (*condition)(void *, void *), void *context, const void **old), (, condition, context, old))

/* ---- calls that want the map for themselves ---- */

void *cm_any_anchored_get_mut(cm_any_anchored *map, const void *key)
{
    return (void *)(uintptr_t)cm_any_anchored_get(map, key);
}

cm_status cm_any_anchored_modify(cm_any_anchored *map, const void *key, cm_status (*function)(void *, void *),
                                 void *context)
{
    void *value = cm_any_anchored_get_mut(map, key);
    return value ? function(value, context) : CM_ABSENT;
}

cm_status cm_any_anchored_remove_entry(cm_any_anchored *map, const void *key, void *value)
{
    return cm_map_take_(&map->any.core, &map->any.type, key, cm_any_anchored_hash_of_(map, &key), value);
}

cm_any_anchored_entry_ref cm_any_anchored_entry(cm_any_anchored *map, const void *key)
{
    return (cm_any_anchored_entry_ref){map, key, cm_any_anchored_get_mut(map, key)};
}

void *cm_any_anchored_entry_insert(cm_any_anchored_entry_ref *entry, const void *value)
{
    if (cm_any_anchored_put(entry->map, entry->key, value, NULL) < 0)
        return NULL;
    return entry->value = cm_any_anchored_get_mut(entry->map, entry->key);
}

cm_status cm_any_anchored_entry_remove(cm_any_anchored_entry_ref *entry, void *value)
{
    entry->value = NULL;
    return cm_any_anchored_remove_entry(entry->map, entry->key, value);
}

/* ---- batches ---- */

size_t cm_any_anchored_get_many(const cm_any_anchored *map, const void *keys, size_t n, const void **seen)
{
    const cm_any *any = &map->any;
    size_t hits = 0;
    CM_BATCH_(&any->type, &any->core, i, n, hash, (const char *)keys + i * any->type.key_size, false, {
        seen[i] = NULL;
        hits += cm_any_look_(any, (const char *)keys + i * any->type.key_size, hash, &seen[i], CM_FOREVER) == CM_OK;
    });
    return hits;
}

#define cm_any_anchored_put_many_in_(...) OF_ANY(cm_any_put_many_in_, __VA_ARGS__)
CM_TWINS_OF_(cm_define, size_t, cm_any_anchored, put_many,
             (cm_any_anchored * map, const void *keys, const void *values, size_t n, cm_status *results),
             (map, keys, values, n, results))

#define cm_any_anchored_update_many_in_(...) OF_ANY(cm_any_update_many_in_, __VA_ARGS__)
CM_TWINS_OF_(cm_define, size_t, cm_any_anchored, update_many,
             (cm_any_anchored * map, const void *keys, size_t n, cm_status (*function)(void *, void *), void *context,
              cm_status *results),
             (map, keys, n, function, context, results))

#define cm_any_anchored_remove_many_in_(...) OF_ANY(cm_any_remove_many_in_, __VA_ARGS__)
CM_TWINS_OF_(cm_define, size_t, cm_any_anchored, remove_many,
             (cm_any_anchored * map, const void *keys, size_t n, const void **old, cm_status *results),
             (map, keys, n, old, results))

static cm_status op_apply(cm_any *any, cm_any_anchored_op *op, uint64_t hash, cm_deadline deadline)
{
    cm_any_op out = {op->kind, CM_OK, op->key, &op->seen, op->function, op->context};
    op->seen = NULL;
    return cm_any_op_apply_(any, &out, op->value, hash, deadline);
}

static size_t cm_any_anchored_apply_many_in_(cm_any_anchored *map, cm_any_anchored_op *ops, size_t n,
                                             cm_deadline deadline)
{
    cm_any *any = &map->any;
    size_t done = 0;
    CM_BATCH_(&any->type, &any->core, i, n, hash, ops[i].key, true, {
        ops[i].status = op_apply(any, &ops[i], hash, deadline);
        done += ops[i].status >= 0;
    });
    return done;
}
CM_TWINS_OF_(cm_define, size_t, cm_any_anchored, apply_many, (cm_any_anchored * map, cm_any_anchored_op *ops, size_t n),
             (map, ops, n))
