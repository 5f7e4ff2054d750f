/* Looking up in dynamic maps by something else than a key: each call is one of the map's hidden functions, with the
 * map's type but for what hashes and compares. That is made in each call, so that it is always what the map has. */
#include <concmap/any_lookup.h>

#include "any_core.h"

#define TYPE_BY(map, by) ((struct cm_type[]){cm_any_type_by_(&(map)->type, (by)->hash, (by)->equal)})

/* Calls a hidden function of cm_any for the look-up that follows its name; and for one of an anchored map. */
#define BY(...) BY_(__VA_ARGS__)
#define BY_(function, by, ...) function(TYPE_BY((by)->map, by), (by)->map, __VA_ARGS__)
#define BY_ANCHORED(...) BY_ANCHORED_(__VA_ARGS__)
#define BY_ANCHORED_(function, by, ...) function(TYPE_BY(&(by)->map->any, by), &(by)->map->any, __VA_ARGS__)

static uint64_t seed_of(const cm_any *map)
{
    return cm_map_seed_(&map->type, &map->core);
}

/* As CM_KEYED_ calls them. */
static uint64_t cm_any_lookup_hash_of_(const cm_any_lookup *by, const void *const *sought)
{
    return by->hash(*sought, seed_of(by->map));
}

static uint64_t cm_any_anchored_lookup_hash_of_(const cm_any_anchored_lookup *by, const void *const *sought)
{
    return by->hash(*sought, seed_of(&by->map->any));
}

/* ---- reads ---- */

static cm_status find(const cm_any_lookup *by, const void *sought, uint64_t hash, void *value, cm_deadline deadline)
{
    struct cm_thread_ *self = cm_leaf_enter_();
    cm_status status = BY(cm_any_look_by_, by, sought, hash, value, deadline);
    cm_leaf_leave_(self);
    return status;
}

uint64_t cm_any_lookup_hash_of(const cm_any_lookup *by, const void *sought)
{
    return cm_any_lookup_hash_of_(by, &sought);
}

bool cm_any_lookup_get(const cm_any_lookup *by, const void *sought, void *value)
{
    return find(by, sought, cm_any_lookup_hash_of_(by, &sought), value, CM_FOREVER) == CM_OK;
}

bool cm_any_lookup_get_hashed(const cm_any_lookup *by, uint64_t hash, const void *sought, void *value)
{
    return find(by, sought, hash, value, CM_FOREVER) == CM_OK;
}

cm_status cm_any_lookup_try_get(const cm_any_lookup *by, const void *sought, void *value)
{
    return find(by, sought, cm_any_lookup_hash_of_(by, &sought), value, CM_TRY);
}

cm_status cm_any_lookup_get_until(const cm_any_lookup *by, const void *sought, void *value, cm_deadline deadline)
{
    return find(by, sought, cm_any_lookup_hash_of_(by, &sought), value, deadline);
}

bool cm_any_lookup_contains(const cm_any_lookup *by, const void *sought)
{
    return cm_any_lookup_get(by, sought, NULL);
}

bool cm_any_lookup_contains_hashed(const cm_any_lookup *by, uint64_t hash, const void *sought)
{
    return cm_any_lookup_get_hashed(by, hash, sought, NULL);
}

static void prefetch(const cm_any *map, uint64_t hash)
{
    struct cm_pin_ pin = cm_map_pin_(&map->type, &map->core);
    cm_bucket_prefetch_(&map->type, &map->core, hash);
    cm_pin_leave_(pin);
}

void cm_any_lookup_prefetch(const cm_any_lookup *by, const void *sought)
{
    prefetch(by->map, cm_any_lookup_hash_of_(by, &sought));
}

/* ---- changes ---- */

#define cm_any_lookup_update_in_(...) BY(cm_any_update_by_, __VA_ARGS__)
CM_KEYED_(cm_define, cm_any_lookup, const cm_any_lookup, const void *, update,
          (, cm_status (*function)(void *, void *), void *context), (, function, context))

#define cm_any_lookup_update_if_in_(...) BY(cm_any_update_if_by_, __VA_ARGS__)
CM_KEYED_(cm_define, cm_any_lookup, const cm_any_lookup, const void *, update_if,
          (, bool (*condition)(const void *, void *), cm_status (*function)(void *, void *), void *context),
          (, condition, function, context))

#define cm_any_lookup_compare_exchange_in_(...) BY(cm_any_compare_exchange_by_, __VA_ARGS__)
CM_KEYED_(cm_define, cm_any_lookup, const cm_any_lookup, const void *, compare_exchange,
          (, void *expected, const void *desired, bool (*equal)(const void *, const void *)),
          (, expected, desired, equal))

#define cm_any_lookup_remove_in_(...) BY(cm_any_remove_by_, __VA_ARGS__)
CM_KEYED_(cm_define, cm_any_lookup, const cm_any_lookup, const void *, remove, (, void *old), (, old))

#define cm_any_lookup_remove_if_in_(...) BY(cm_any_remove_if_by_, __VA_ARGS__)
CM_KEYED_(cm_define, cm_any_lookup, const cm_any_lookup, const void *, remove_if,
          (, cm_status (*condition)(void *, void *), void *context, void *old), (, condition, context, old))

#define cm_any_lookup_take_or_in_(...) BY(cm_any_take_or_by_, __VA_ARGS__)
CM_KEYED_(cm_define, cm_any_lookup, const cm_any_lookup, const void *, take_or, (, const void *otherwise, void *value),
          (, otherwise, value))

/* ---- guards ---- */

#define cm_any_lookup_read_in_(...) BY(cm_any_read_by_, __VA_ARGS__)
CM_KEYED_(cm_define, cm_any_lookup, const cm_any_lookup, const void *, read, (, cm_any_read_guard *guard), (, guard))

#define cm_any_lookup_write_in_(...) BY(cm_any_write_guard_by_, __VA_ARGS__)
CM_KEYED_(cm_define, cm_any_lookup, const cm_any_lookup, const void *, write, (, cm_any_write_guard *guard), (, guard))

cm_any_read_guard *cm_any_lookup_read_begin_(const cm_any_lookup *by, const void *sought, cm_any_read_guard *guard)
{
    cm_any_lookup_read(by, sought, guard);
    return guard;
}

void cm_any_lookup_read_end_(cm_any_read_guard *guard)
{
    cm_any_read_unlock(guard);
}

cm_any_write_guard *cm_any_lookup_write_begin_(const cm_any_lookup *by, const void *sought, cm_any_write_guard *guard)
{
    cm_any_lookup_write(by, sought, guard);
    return guard;
}

void cm_any_lookup_write_end_(cm_any_write_guard *guard)
{
    cm_any_write_unlock(guard);
}

/* ---- of anchored maps ---- */

uint64_t cm_any_anchored_lookup_hash_of(const cm_any_anchored_lookup *by, const void *sought)
{
    return cm_any_anchored_lookup_hash_of_(by, &sought);
}

static char *node_of(const cm_any_anchored_lookup *by, uint64_t hash, const void *sought)
{
    return BY_ANCHORED(cm_any_node_, by, sought, hash);
}

const void *cm_any_anchored_lookup_get_hashed(const cm_any_anchored_lookup *by, uint64_t hash, const void *sought)
{
    char *node = node_of(by, hash, sought);
    return node ? cm_node_value_(&by->map->any.type, node) : NULL;
}

const void *cm_any_anchored_lookup_get(const cm_any_anchored_lookup *by, const void *sought)
{
    return cm_any_anchored_lookup_get_hashed(by, cm_any_anchored_lookup_hash_of_(by, &sought), sought);
}

const void *cm_any_anchored_lookup_get_key_value(const cm_any_anchored_lookup *by, const void *sought,
                                                 const void **stored)
{
    const struct cm_type *type = &by->map->any.type;
    char *node = node_of(by, cm_any_anchored_lookup_hash_of_(by, &sought), sought);
    if (!node)
        return NULL;
    *stored = node + cm_layout_of_(type).node_key;
    return cm_node_value_(type, node);
}

bool cm_any_anchored_lookup_contains(const cm_any_anchored_lookup *by, const void *sought)
{
    return cm_any_anchored_lookup_get(by, sought) != NULL;
}

bool cm_any_anchored_lookup_contains_hashed(const cm_any_anchored_lookup *by, uint64_t hash, const void *sought)
{
    return cm_any_anchored_lookup_get_hashed(by, hash, sought) != NULL;
}

void cm_any_anchored_lookup_prefetch(const cm_any_anchored_lookup *by, const void *sought)
{
    prefetch(&by->map->any, cm_any_anchored_lookup_hash_of_(by, &sought));
}

size_t cm_any_anchored_lookup_get_many(const cm_any_anchored_lookup *by, const void *sought, size_t size, size_t n,
                                       const void **seen)
{
    const cm_any *map = &by->map->any;
    struct cm_type type = cm_any_type_by_(&map->type, by->hash, by->equal);
    size_t hits = 0;
    CM_BATCH_(&type, &map->core, i, n, hash, (const char *)sought + i * size, false, {
        char *node = cm_any_node_(&type, map, (const char *)sought + i * size, hash);
        seen[i] = node ? cm_node_value_(&type, node) : NULL;
        hits += node != NULL;
    });
    return hits;
}

#define cm_any_anchored_lookup_update_in_(...) BY_ANCHORED(cm_any_update_by_, __VA_ARGS__)
CM_KEYED_(cm_define, cm_any_anchored_lookup, const cm_any_anchored_lookup, const void *, update,
          (, cm_status (*function)(void *, void *), void *context), (, function, context))

#define cm_any_anchored_lookup_update_if_in_(...) BY_ANCHORED(cm_any_update_if_by_, __VA_ARGS__)
CM_KEYED_(cm_define, cm_any_anchored_lookup, const cm_any_anchored_lookup, const void *, update_if,
          (, bool (*condition)(const void *, void *), cm_status (*function)(void *, void *), void *context),
          (, condition, function, context))

#define cm_any_anchored_lookup_compare_exchange_in_(...) BY_ANCHORED(cm_any_compare_exchange_by_, __VA_ARGS__)
CM_KEYED_(cm_define, cm_any_anchored_lookup, const cm_any_anchored_lookup, const void *, compare_exchange,
          (, void *expected, const void *desired, bool (*equal)(const void *, const void *)),
          (, expected, desired, equal))

#define cm_any_anchored_lookup_remove_in_(...) BY_ANCHORED(cm_any_remove_by_, __VA_ARGS__)
CM_KEYED_(cm_define, cm_any_anchored_lookup, const cm_any_anchored_lookup, const void *, remove, (, const void **old),
          (, old))

#define cm_any_anchored_lookup_remove_if_in_(...) BY_ANCHORED(cm_any_remove_if_by_, __VA_ARGS__)
CM_KEYED_(cm_define, cm_any_anchored_lookup, const cm_any_anchored_lookup, const void *, remove_if,
          (, cm_status (*condition)(void *, void *), void *context, const void **old), (, condition, context, old))
