/* Work on all entries of dynamic maps, and on two maps. */
#include "any_core.h"

/* What a walk does to the entries that it comes by. */
struct each {
    const void *key;
    cm_status (*change)(const void *, void *, void *);
    cm_status (*judge)(const void *, const void *, void *);
    cm_status verdict; /* of those that are removed */
    void *context;
};

static cm_status each_change(void *value, void *context)
{
    const struct each *each = context;
    return each->change(each->key, value, each->context);
}

static cm_status each_judge(void *value, void *context)
{
    const struct each *each = context;
    return cm_verdict_(each->judge(each->key, value, each->context), each->verdict);
}

cm_status cm_any_alter_all_in_(cm_any *map, cm_status (*function)(const void *, void *, void *), void *context,
                               cm_deadline deadline)
{
    struct each each = {NULL, function, NULL, CM_OK, context};
    struct cm_any_walk_ walk;
    cm_status status = CM_OK;
    cm_any_walk_begin_(&walk, map);
    while (status >= 0 && cm_any_walk_next_(&walk, deadline)) {
        each.key = walk.key;
        status = cm_any_update_in_(map, cm_any_hash_of(map, walk.key), walk.key, each_change, &each, deadline);
    }
    cm_any_walk_end_(&walk);
    return status < 0 ? status : walk.status;
}
CM_TWINS_(cm_define, cm_any, alter_all,
          (cm_any * map, cm_status (*function)(const void *, void *, void *), void *context), (map, function, context))

/* The value that was given out to `room`. */
static const void *value_in(const cm_any *map, const void *room)
{
    return map->type.anchored ? *(const void *const *)room : room;
}

/* Removes an entry, if it is judged so, and gives it to `take` (may be NULL). */
static cm_status entry_sift(cm_any *map, struct each *each, cm_status (*take)(const void *, void *, void *), void *old,
                            cm_deadline deadline)
{
    cm_status status = cm_any_remove_if_in_(map, cm_any_hash_of(map, each->key), each->key,
                                            each->judge ? each_judge : NULL, each, take ? old : NULL, deadline);
    if (status == CM_OK && take)
        status = take(each->key, (void *)(uintptr_t)value_in(map, old), each->context);
    return status;
}

static cm_status map_sift(cm_any *map, struct each *each, cm_status (*take)(const void *, void *, void *),
                          cm_deadline deadline)
{
    struct room old;
    old.at = NULL;
    if (take && !room_take_of(&old, map, out_size(map)))
        return CM_NOMEM;
    struct cm_any_walk_ walk;
    cm_status status = CM_OK;
    cm_any_walk_begin_(&walk, map);
    while (status >= 0 && cm_any_walk_next_(&walk, deadline)) {
        each->key = walk.key;
        status = entry_sift(map, each, take, old.at, deadline);
    }
    cm_any_walk_end_(&walk);
    if (take)
        room_give_back(&old, map);
    return status < 0 ? status : walk.status;
}

cm_status cm_any_retain_in_(cm_any *map, cm_status (*keep)(const void *, const void *, void *), void *context,
                            cm_deadline deadline)
{
    struct each each = {NULL, NULL, keep, CM_ABSENT, context};
    return map_sift(map, &each, NULL, deadline);
}
CM_TWINS_(cm_define, cm_any, retain,
          (cm_any * map, cm_status (*keep)(const void *, const void *, void *), void *context), (map, keep, context))

cm_status cm_any_extract_if_in_(cm_any *map, cm_status (*wanted)(const void *, const void *, void *),
                                cm_status (*take)(const void *, void *, void *), void *context, cm_deadline deadline)
{
    struct each each = {NULL, NULL, wanted, CM_OK, context};
    return map_sift(map, &each, take, deadline);
}
CM_TWINS_(cm_define, cm_any, extract_if,
          (cm_any * map, cm_status (*wanted)(const void *, const void *, void *),
           cm_status (*take)(const void *, void *, void *), void *context),
          (map, wanted, take, context))

cm_status cm_any_drain_in_(cm_any *map, cm_status (*take)(const void *, void *, void *), void *context,
                           cm_deadline deadline)
{
    struct each each = {NULL, NULL, NULL, CM_OK, context};
    return map_sift(map, &each, take, deadline);
}
CM_TWINS_(cm_define, cm_any, drain, (cm_any * map, cm_status (*take)(const void *, void *, void *), void *context),
          (map, take, context))

/* ---- two maps ---- */

/* Whether keys and values of one map are such of the other. */
static bool types_agree(const struct cm_type *a, const struct cm_type *b)
{
    return a->key_size == b->key_size && a->value_size == b->value_size && a->key_text == b->key_text &&
           a->equal == b->equal && a->key_clone == b->key_clone && a->value_clone == b->value_clone &&
           a->key_destroy == b->key_destroy && a->value_destroy == b->value_destroy;
}

struct merge {
    cm_status (*resolve)(void *, const void *, void *);
    const void *theirs;
    void *context;
};

static cm_status resolve_both(void *mine, void *context)
{
    const struct merge *merge = context;
    return merge->resolve(mine, merge->theirs, merge->context);
}

static cm_status entry_merge(cm_any *into, struct merge *merge, const void *key, void *copy, cm_deadline deadline)
{
    cm_status status = cm_value_copy_(&into->type, &into->core, copy, merge->theirs);
    if (into->type.value_clone && status < 0)
        return status;
    status = merge->resolve ? cm_any_upsert_until(into, key, copy, resolve_both, merge, deadline)
                            : cm_any_put_until(into, key, copy, NULL, deadline);
    if (status < 0)
        cm_value_destroy_(&into->type, &into->core, copy);
    return status;
}

cm_status cm_any_merge_in_(cm_any *into, const cm_any *from, cm_status (*resolve)(void *, const void *, void *),
                           void *context, cm_deadline deadline)
{
    struct merge merge = {resolve, NULL, context};
    struct room copy;
    if (into == from || !types_agree(&into->type, &from->type))
        return CM_INVALID;
    if (!room_take(&copy, into))
        return CM_NOMEM;
    struct cm_any_walk_ walk;
    cm_status status = CM_OK;
    cm_any_walk_begin_(&walk, from);
    while (status >= 0 && cm_any_walk_next_(&walk, deadline)) {
        merge.theirs = walk.value;
        status = entry_merge(into, &merge, walk.key, copy.at, deadline);
    }
    cm_any_walk_end_(&walk);
    room_give_back(&copy, into);
    return status < 0 ? status : walk.status;
}
CM_TWINS_(cm_define, cm_any, merge,
          (cm_any * into, const cm_any *from, cm_status (*resolve)(void *, const void *, void *), void *context),
          (into, from, resolve, context))

cm_status cm_any_clone(cm_any *to, const cm_any *from)
{
    type_set(to, from->type, from->words);
    cm_status status = cm_map_init_like_(&to->core, &to->type, &from->core, cm_any_len(from));
    if (status != CM_OK)
        return status;
    status = cm_any_merge_in_(to, from, NULL, NULL, CM_FOREVER);
    if (status < 0)
        cm_any_destroy(to);
    else
        cm_map_limit_like_(&to->core, &from->core);
    return status < 0 ? status : CM_OK;
}

/* Whether `b` has what the walk stands at: CM_OK, CM_ABSENT, or why that is not known. */
static cm_status entry_equals(const struct cm_any_walk_ *walk, const cm_any *b,
                              bool (*equal)(const void *, const void *), void *other)
{
    cm_status status = cm_any_find_(b, walk->key, cm_any_hash_of(b, walk->key), other, CM_FOREVER - 1);
    if (status != CM_OK)
        return status;
    bool same = equal(walk->value, value_in(b, other));
    if (!b->type.anchored)
        cm_value_destroy_(&b->type, &b->core, other);
    return same ? CM_OK : CM_ABSENT;
}

cm_status cm_any_equals(const cm_any *a, const cm_any *b, bool (*equal)(const void *, const void *))
{
    struct room other;
    if (!types_agree(&a->type, &b->type))
        return CM_INVALID;
    if (cm_any_len(a) != cm_any_len(b))
        return CM_ABSENT;
    if (!room_take_of(&other, b, out_size(b)))
        return CM_NOMEM;
    struct cm_any_walk_ walk;
    cm_status status = CM_OK;
    cm_any_walk_begin_(&walk, a);
    while (status == CM_OK && cm_any_walk_next_(&walk, CM_FOREVER))
        status = entry_equals(&walk, b, equal, other.at);
    cm_any_walk_end_(&walk);
    room_give_back(&other, b);
    return walk.status < 0 ? walk.status : status;
}

cm_status cm_any_to_arrays(const cm_any *map, void *keys, void *values, size_t n, size_t *count)
{
    const struct cm_type *type = &map->type;
    *count = 0;
    if (((type->key_text || type->key_clone) && keys) || (type->value_clone && values))
        return CM_INVALID;
    struct cm_any_walk_ walk;
    cm_any_walk_begin_(&walk, map);
    for (; cm_any_walk_next_(&walk, CM_FOREVER); ++*count) {
        if (*count >= n)
            continue;
        if (keys)
            memcpy((char *)keys + *count * type->key_size, walk.key, type->key_size);
        if (values)
            memcpy((char *)values + *count * type->value_size, walk.value, type->value_size);
    }
    cm_any_walk_end_(&walk);
    return walk.status < 0 ? walk.status : *count > n ? CM_FULL : CM_OK;
}
