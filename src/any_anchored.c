/* Dynamic anchored maps: those of cm_any with an anchored type, of which they share all that gives no value out, and
 * what is their own. The calls on one key, and on many, are in any_anchored_verbs.c. */
#include <concmap/any_anchored.h>

#include "any_core.h"

const struct cm_any_anchored_sizes cm_any_anchored_sizes = {
    sizeof(cm_any_anchored), sizeof(cm_any_anchored_iter), sizeof(cm_any_anchored_mut_iter),
    sizeof(cm_any_anchored_entry_ref), sizeof(cm_any_anchored_op)};

/* ---- making and unmaking ---- */

cm_status cm_any_anchored_init(cm_any_anchored *map, const struct cm_type *type, const cm_config *config)
{
    return cm_any_init_(map ? &map->any : NULL, type, true, config);
}

cm_any_anchored *cm_any_anchored_create(const struct cm_type *type, const cm_config *config, cm_status *status)
{
    return (cm_any_anchored *)(void *)cm_any_create_(type, true, config, status);
}

cm_any_anchored *cm_any_anchored_share(cm_any_anchored *map)
{
    cm_any_share(&map->any);
    return map;
}

void cm_any_anchored_release(cm_any_anchored *map)
{
    cm_any_release(map ? &map->any : NULL);
}

void cm_any_anchored_destroy(cm_any_anchored *map)
{
    cm_any_destroy(&map->any);
}

void cm_any_anchored_swap(cm_any_anchored *a, cm_any_anchored *b)
{
    cm_any_swap(&a->any, &b->any);
}

cm_status cm_any_anchored_move(cm_any_anchored *to, cm_any_anchored *from)
{
    return cm_any_move(&to->any, &from->any);
}

/* ---- the whole map ---- */

size_t cm_any_anchored_len(const cm_any_anchored *map)
{
    return cm_any_len(&map->any);
}

size_t cm_any_anchored_capacity(const cm_any_anchored *map)
{
    return cm_map_capacity_(&map->any.core, &map->any.type);
}

cm_status cm_any_anchored_clear(cm_any_anchored *map)
{
    CM_CALLED_();
    return cm_map_clear_all_(&map->any.core, &map->any.type);
}

cm_status cm_any_anchored_reserve(cm_any_anchored *map, size_t entries)
{
    return cm_any_reserve(&map->any, entries);
}

cm_status cm_any_anchored_shrink_to_fit(cm_any_anchored *map)
{
    cm_status status = cm_any_shrink_to_fit(&map->any);
    if (status >= 0)
        cm_map_release_kept_(&map->any.core);
    return status;
}

bool cm_any_anchored_step(cm_any_anchored *map, size_t buckets)
{
    return cm_any_step(&map->any, buckets);
}

cm_status cm_any_anchored_settle(cm_any_anchored *map)
{
    return cm_any_settle(&map->any);
}

cm_memory cm_any_anchored_memory(const cm_any_anchored *map)
{
    return cm_any_memory(&map->any);
}

cm_unreclaimed cm_any_anchored_unreclaimed(const cm_any_anchored *map)
{
    return cm_map_unreclaimed_(&map->any.core);
}

void cm_any_anchored_stats(const cm_any_anchored *map, cm_stats *stats)
{
    cm_any_stats(&map->any, stats);
}

cm_status cm_any_anchored_check(const cm_any_anchored *map, const char **reason)
{
    return cm_any_check(&map->any, reason);
}

/* ---- walks ---- */

cm_any_anchored_iter cm_any_anchored_part_begin(const cm_any_anchored *map, unsigned part, unsigned parts)
{
    cm_any_anchored_iter iter;
    iter.key = iter.value = NULL;
    cm_nodes_begin_(&iter.core, &map->any.core, part, parts);
    iter.status = iter.core.status;
    return iter;
}

cm_any_anchored_iter cm_any_anchored_iter_begin(const cm_any_anchored *map)
{
    return cm_any_anchored_part_begin(map, 0, 1);
}

bool cm_any_anchored_iter_next(cm_any_anchored_iter *iter)
{
    const struct cm_type *type = &any_of(iter->core.map)->type;
    char *node = cm_nodes_next_(&iter->core, type);
    iter->status = iter->core.status;
    if (!node)
        return false;
    iter->key = node + cm_layout_of_(type).node_key;
    iter->value = cm_node_value_(type, node);
    return true;
}

bool cm_any_anchored_iter_next_until(cm_any_anchored_iter *iter, cm_deadline deadline)
{
    (void)deadline;
    return cm_any_anchored_iter_next(iter);
}

void cm_any_anchored_iter_end(cm_any_anchored_iter *iter)
{
    cm_nodes_end_(&iter->core);
}

cm_any_anchored_mut_iter cm_any_anchored_mut_iter_begin(cm_any_anchored *map)
{
    return (cm_any_anchored_mut_iter){.core = cm_any_anchored_iter_begin(map)};
}

bool cm_any_anchored_mut_iter_next(cm_any_anchored_mut_iter *iter)
{
    bool more = cm_any_anchored_iter_next(&iter->core);
    iter->key = iter->core.key;
    iter->value = (void *)(uintptr_t)iter->core.value;
    return more;
}

void cm_any_anchored_mut_iter_end(cm_any_anchored_mut_iter *iter)
{
    cm_any_anchored_iter_end(&iter->core);
}

struct changed {
    cm_status (*function)(void *, void *);
    void *context;
};

static cm_status value_change(const void *key, const void *value, void *context)
{
    const struct changed *changed = context;
    (void)key;
    return changed->function((void *)(uintptr_t)value, changed->context);
}

cm_status cm_any_anchored_values_mut(cm_any_anchored *map, cm_status (*function)(void *, void *), void *context)
{
    struct changed changed = {function, context};
    return cm_any_for_each_in_(&map->any, value_change, &changed, CM_FOREVER);
}

/* The twins below are made of the hidden functions of cm_any. */
#define cm_any_anchored_for_each_in_(...) OF_ANY(cm_any_for_each_in_, __VA_ARGS__)
CM_TWINS_(cm_define, cm_any_anchored, for_each,
          (const cm_any_anchored *map, cm_status (*function)(const void *, const void *, void *), void *context),
          (map, function, context))

#define cm_any_anchored_scan_in_(...) OF_ANY(cm_any_scan_in_, __VA_ARGS__)
CM_TWINS_(cm_define, cm_any_anchored, scan,
          (const cm_any_anchored *map, uint64_t *cursor, size_t count,
           cm_status (*function)(const void *, const void *, void *), void *context),
          (map, cursor, count, function, context))

/* ---- all entries ---- */

#define cm_any_anchored_alter_all_in_(...) OF_ANY(cm_any_alter_all_in_, __VA_ARGS__)
CM_TWINS_(cm_define, cm_any_anchored, alter_all,
          (cm_any_anchored * map, cm_status (*function)(const void *, void *, void *), void *context),
          (map, function, context))

#define cm_any_anchored_retain_in_(...) OF_ANY(cm_any_retain_in_, __VA_ARGS__)
CM_TWINS_(cm_define, cm_any_anchored, retain,
          (cm_any_anchored * map, cm_status (*keep)(const void *, const void *, void *), void *context),
          (map, keep, context))

#define cm_any_anchored_extract_if_in_(...) OF_ANY(cm_any_extract_if_in_, __VA_ARGS__)
CM_TWINS_(cm_define, cm_any_anchored, extract_if,
          (cm_any_anchored * map, cm_status (*wanted)(const void *, const void *, void *),
           cm_status (*take)(const void *, void *, void *), void *context),
          (map, wanted, take, context))

#define cm_any_anchored_drain_in_(...) OF_ANY(cm_any_drain_in_, __VA_ARGS__)
CM_TWINS_(cm_define, cm_any_anchored, drain,
          (cm_any_anchored * map, cm_status (*take)(const void *, void *, void *), void *context), (map, take, context))

static cm_status cm_any_anchored_merge_in_(cm_any_anchored *into, const cm_any_anchored *from,
                                           cm_status (*resolve)(void *, const void *, void *), void *context,
                                           cm_deadline deadline)
{
    return cm_any_merge_in_(&into->any, &from->any, resolve, context, deadline);
}
CM_TWINS_(cm_define, cm_any_anchored, merge,
          (cm_any_anchored * into, const cm_any_anchored *from, cm_status (*resolve)(void *, const void *, void *),
           void *context),
          (into, from, resolve, context))

cm_status cm_any_anchored_clone(cm_any_anchored *to, const cm_any_anchored *from)
{
    return cm_any_clone(&to->any, &from->any);
}

cm_status cm_any_anchored_equals(const cm_any_anchored *a, const cm_any_anchored *b,
                                 bool (*equal)(const void *, const void *))
{
    return cm_any_equals(&a->any, &b->any, equal);
}

cm_status cm_any_anchored_to_arrays(const cm_any_anchored *map, void *keys, void *values, size_t n, size_t *count)
{
    return cm_any_to_arrays(&map->any, keys, values, n, count);
}

/* ---- saving and loading ---- */

#define cm_any_anchored_save_in_(...) OF_ANY(cm_any_save_in_, __VA_ARGS__)
CM_TWINS_(cm_define, cm_any_anchored, save,
          (const cm_any_anchored *map, const cm_sink *sink, const cm_progress *progress, const char **reason),
          (map, sink, progress, reason))

#define cm_any_anchored_save_file_in_(...) OF_ANY(cm_any_save_file_in_, __VA_ARGS__)
CM_TWINS_(cm_define, cm_any_anchored, save_file,
          (const cm_any_anchored *map, const char *path, const cm_progress *progress, const char **reason),
          (map, path, progress, reason))

cm_status cm_any_anchored_load(cm_any_anchored *map, const struct cm_type *type, const cm_config *config,
                               const cm_source *source, const cm_progress *progress, const char **reason)
{
    CM_CALLED_();
    return cm_any_load_from_(map ? &map->any : NULL, type, true, config, source, NULL, progress, reason);
}

cm_status cm_any_anchored_load_file(cm_any_anchored *map, const struct cm_type *type, const cm_config *config,
                                    const char *path, const cm_progress *progress, const char **reason)
{
    CM_CALLED_();
    return cm_any_load_file_(map ? &map->any : NULL, type, true, config, path, progress, reason);
}
