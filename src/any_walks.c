/* Walks over dynamic maps, frozen ones and snapshots among them. */
#include "any_core.h"

/* ---- walks ---- */

cm_any_iter cm_any_part_begin(const cm_any *map, unsigned part, unsigned parts)
{
    cm_any_iter iter;
    iter.key = iter.value = NULL;
    cm_iter_begin_(&iter.core, &map->core, part, parts);
    iter.status = iter.core.status;
    return iter;
}

cm_any_iter cm_any_iter_begin(const cm_any *map)
{
    return cm_any_part_begin(map, 0, 1);
}

static bool cm_any_iter_next_in_(cm_any_iter *iter, cm_deadline deadline)
{
    const struct cm_type *type = &any_of(iter->core.map)->type;
    if (!cm_iter_is_amid_(&iter->core)) {
        bool filled = cm_iter_refill_(&iter->core, type, deadline);
        iter->status = iter->core.status;
        if (!filled)
            return false;
    }
    struct cm_copied_ copied = cm_iter_take_(&iter->core, type);
    iter->key = copied.key;
    iter->value = copied.value;
    return true;
}
CM_TWINS_OF_(cm_define, bool, cm_any, iter_next, (cm_any_iter * iter), (iter))

void cm_any_iter_end(cm_any_iter *iter)
{
    cm_iter_end_(&iter->core, &any_of(iter->core.map)->type);
}

/* ---- walks over maps of either sort ---- */

void cm_any_walk_begin_(struct cm_any_walk_ *walk, const cm_any *map)
{
    walk->map = map;
    if (map->type.anchored) {
        walk->places = cm_any_anchored_iter_begin((const cm_any_anchored *)(const void *)map);
        walk->status = walk->places.status;
    } else {
        walk->copies = cm_any_iter_begin(map);
        walk->status = walk->copies.status;
    }
}

bool cm_any_walk_next_(struct cm_any_walk_ *walk, cm_deadline deadline)
{
    bool more;
    if (walk->map->type.anchored) {
        more = cm_any_anchored_iter_next(&walk->places);
        walk->key = walk->places.key;
        walk->value = walk->places.value;
        walk->status = walk->places.status;
    } else {
        more = cm_any_iter_next_in_(&walk->copies, deadline);
        walk->key = walk->copies.key;
        walk->value = walk->copies.value;
        walk->status = walk->copies.status;
    }
    return more;
}

void cm_any_walk_end_(struct cm_any_walk_ *walk)
{
    if (walk->map->type.anchored)
        cm_any_anchored_iter_end(&walk->places);
    else
        cm_any_iter_end(&walk->copies);
}

static struct cm_course_ *walk_course(struct cm_any_walk_ *walk)
{
    return walk->map->type.anchored ? &walk->places.core.course : &walk->copies.core.course;
}

static bool walk_is_amid(const struct cm_any_walk_ *walk)
{
    return walk->map->type.anchored ? walk->places.core.index < walk->places.core.count
                                    : cm_iter_is_amid_(&walk->copies.core);
}

cm_status cm_any_for_each_in_(const cm_any *map, cm_status (*function)(const void *, const void *, void *),
                              void *context, cm_deadline deadline)
{
    struct cm_any_walk_ walk;
    cm_status status = CM_OK;
    cm_any_walk_begin_(&walk, map);
    while (status >= 0 && cm_any_walk_next_(&walk, deadline))
        status = function(walk.key, walk.value, context);
    cm_any_walk_end_(&walk);
    return status < 0 ? status : walk.status;
}
CM_TWINS_(cm_define, cm_any, for_each,
          (const cm_any *map, cm_status (*function)(const void *, const void *, void *), void *context),
          (map, function, context))

cm_status cm_any_scan_in_(const cm_any *map, uint64_t *cursor, size_t count,
                          cm_status (*function)(const void *, const void *, void *), void *context,
                          cm_deadline deadline)
{
    struct cm_any_walk_ walk;
    cm_status status = CM_OK;
    cm_any_walk_begin_(&walk, map);
    uint64_t from = *cursor;
    cm_course_resume_(walk_course(&walk), from);
    for (size_t seen = 0; status >= 0 && (seen < count || walk_is_amid(&walk)); seen++) {
        if (!walk_is_amid(&walk))
            from = walk_course(&walk)->cursor;
        if (!cm_any_walk_next_(&walk, deadline))
            break;
        status = function(walk.key, walk.value, context);
    }
    *cursor = status < 0 || walk.status < 0 ? from : walk_course(&walk)->cursor;
    cm_any_walk_end_(&walk);
    return status < 0 ? status : walk.status;
}
CM_TWINS_(cm_define, cm_any, scan,
          (const cm_any *map, uint64_t *cursor, size_t count, cm_status (*function)(const void *, const void *, void *),
           void *context),
          (map, cursor, count, function, context))

/* ---- frozen maps ---- */

static cm_status cm_any_freeze_in_(const cm_any *map, cm_any_frozen *view, cm_deadline deadline)
{
    return cm_map_freeze_(core_of(map), &map->type, &view->core, deadline);
}
CM_TWINS_(cm_define, cm_any, freeze, (const cm_any *map, cm_any_frozen *view), (map, view))

cm_status cm_any_thaw(cm_any_frozen *view)
{
    return cm_map_thaw_(&view->core);
}

const void *cm_any_frozen_get(const cm_any_frozen *view, const void *key)
{
    const struct cm_type *type = &any_of(view->core.map)->type;
    uint64_t hash = type->hash(key, view->core.map->seed);
    const char *value = cm_place_value_(type, cm_frozen_find_(type, &view->core, key, hash));
    return value && !cm_value_expired_(type, view->core.map, value) ? value : NULL;
}

cm_any_frozen_iter cm_any_frozen_iter_begin(const cm_any_frozen *view)
{
    return (cm_any_frozen_iter){.core = {.frozen = &view->core}};
}

bool cm_any_frozen_iter_next(cm_any_frozen_iter *iter)
{
    const struct cm_type *type = &any_of(iter->core.frozen->map)->type;
    struct cm_place_ place = cm_frozen_next_(&iter->core, type);
    if (!place.bucket)
        return false;
    iter->key = cm_place_key_(type, place);
    iter->value = cm_place_value_(type, place);
    return true;
}

void cm_any_frozen_iter_end(cm_any_frozen_iter *iter)
{
    (void)iter;
}

/* ---- snapshots ---- */

static cm_status cm_any_snapshot_take_in_(const cm_any *map, cm_any_snapshot *snapshot, cm_deadline deadline)
{
    snapshot->type = &map->type;
    return cm_map_snapshot_(core_of(map), &map->type, &snapshot->core, deadline);
}
CM_TWINS_(cm_define, cm_any, snapshot_take, (const cm_any *map, cm_any_snapshot *snapshot), (map, snapshot))

void cm_any_snapshot_drop(cm_any_snapshot *snapshot)
{
    cm_snapshot_drop_(&snapshot->core);
}

size_t cm_any_snapshot_len(const cm_any_snapshot *snapshot)
{
    return snapshot->core.count;
}

cm_any_snapshot_iter cm_any_snapshot_iter_begin(const cm_any_snapshot *snapshot)
{
    return (cm_any_snapshot_iter){.core = {.image = snapshot->core.images}};
}

bool cm_any_snapshot_iter_next(cm_any_snapshot_iter *iter)
{
    if (!iter->core.image)
        return false;
    struct cm_copied_ copied = cm_snapshot_next_(&iter->core, iter->core.image->type);
    iter->key = copied.key;
    iter->value = copied.value;
    return copied.key != NULL;
}

void cm_any_snapshot_iter_end(cm_any_snapshot_iter *iter)
{
    (void)iter;
}
