/* Saving and loading of dynamic maps: what CM_SAVED (saved.h) makes for typed ones, by the type's own codecs. */
#include "any_core.h"
#include "load_batch.h"

#include <concmap/detail/fill.h>

/* ---- how the entries are written ---- */

/* Padding is not known of. */
static void padding_leave(void *part)
{
    (void)part;
}

/* A failure before there is anything to save to, or to load from. */
static cm_status refuse(cm_status status, const char *why, const char **reason)
{
    if (reason)
        *reason = why ? why : cm_status_text(status);
    return status;
}

cm_status cm_any_saved_describe_(struct cm_saved_type_ *saved, const struct cm_type *type, const char **reason)
{
    *saved = (struct cm_saved_type_){
        type,
        type->version,
        {CM_PART_PLAIN_, type->key_size, padding_leave, type->key_encode, type->key_decode},
        {CM_PART_PLAIN_, type->value_size, padding_leave, type->value_encode, type->value_decode},
        NULL};
    if (type->key_text)
        saved->key.kind = CM_PART_TEXT_;
    else if (type->key_encode)
        saved->key.kind = CM_PART_CODED_;
    if (type->value_encode)
        saved->value.kind = CM_PART_CODED_;
    if ((type->key_clone && !type->key_encode) || (type->value_clone && !type->value_encode))
        return refuse(CM_INVALID, "keys or values that own something need encode and decode functions", reason);
    return CM_OK;
}

/* ---- saving ---- */

/* With copies of the values in `room`: those of anchored maps may be changing. */
static cm_status map_save(const cm_any *map, const struct cm_saved_type_ *saved, struct cm_saver_ *saver, void *room,
                          cm_deadline deadline)
{
    struct cm_any_walk_ walk;
    cm_status status = CM_OK;
    cm_any_walk_begin_(&walk, map);
    while (status >= 0 && cm_any_walk_next_(&walk, deadline)) {
        cm_copy_racing_(room, walk.value, map->type.value_size);
        status = cm_saver_add_(saver, saved, (void *)(uintptr_t)walk.key, room, map->core.context);
    }
    cm_any_walk_end_(&walk);
    return status < 0 ? status : walk.status;
}

cm_status cm_any_save_in_(const cm_any *map, const cm_sink *sink, const cm_progress *progress, const char **reason,
                          cm_deadline deadline)
{
    struct cm_saved_type_ saved;
    struct cm_saver_ saver;
    struct room value;
    if (cm_any_saved_describe_(&saved, &map->type, reason) < 0)
        return CM_INVALID;
    if (!room_take(&value, map))
        return refuse(CM_NOMEM, NULL, reason);
    cm_status status = cm_saver_begin_(&saver, &saved, sink, progress, &map->core.allocator, cm_any_len(map));
    if (status >= 0)
        status = map_save(map, &saved, &saver, value.at, deadline);
    room_give_back(&value, map);
    return cm_saver_end_(&saver, status, reason);
}
CM_TWINS_(cm_define, cm_any, save,
          (const cm_any *map, const cm_sink *sink, const cm_progress *progress, const char **reason),
          (map, sink, progress, reason))

cm_status cm_any_save_file_in_(const cm_any *map, const char *path, const cm_progress *progress, const char **reason,
                               cm_deadline deadline)
{
    CM_SAVED_FILE_(path, reason, cm_any_save_in_(map, &sink, progress, &why, deadline));
}
CM_TWINS_(cm_define, cm_any, save_file,
          (const cm_any *map, const char *path, const cm_progress *progress, const char **reason),
          (map, path, progress, reason))

cm_status cm_any_snapshot_save(const cm_any_snapshot *snapshot, const cm_sink *sink, const cm_progress *progress,
                               const char **reason)
{
    struct cm_saved_type_ saved;
    struct cm_saver_ saver;
    if (cm_any_saved_describe_(&saved, snapshot->type, reason) < 0)
        return CM_INVALID;
    cm_any_snapshot_iter iter = cm_any_snapshot_iter_begin(snapshot);
    cm_status status = cm_saver_begin_(&saver, &saved, sink, progress, &snapshot->core.allocator, snapshot->core.count);
    while (status >= 0 && cm_any_snapshot_iter_next(&iter))
        status = cm_saver_add_(&saver, &saved, (void *)(uintptr_t)iter.key, (void *)(uintptr_t)iter.value,
                               snapshot->core.context);
    return cm_saver_end_(&saver, status, reason);
}

cm_status cm_any_snapshot_save_file(const cm_any_snapshot *snapshot, const char *path, const cm_progress *progress,
                                    const char **reason)
{
    CM_SAVED_FILE_(path, reason, cm_any_snapshot_save(snapshot, &sink, progress, &why));
}

/* ---- loading ---- */

/* CM_EXISTS: the key was there. A cache takes what it has room for. */
static cm_status entry_add(cm_any *map, uint64_t hash, const void *key, void *value)
{
    cm_status status = cm_any_insert_in_(map, hash, key, value, CM_FOREVER);
    if (!map->type.cached || status != CM_FULL)
        return status;
    cm_value_destroy_(&map->type, &map->core, value);
    return CM_OK;
}

/* `*taken`: values that the map has now. */
static cm_status batch_add(cm_any *map, const struct cm_load_batch_ *batch, size_t n, size_t *taken)
{
    const struct cm_type *type = &map->type;
    const bool fills = cm_map_may_fill_(&map->core);
    cm_status status = CM_OK;
    size_t filled = 0;
    CM_BATCH_(type, &map->core, i, n, hash, batch->keys + i * type->key_size, true, {
        const char *key = batch->keys + i * type->key_size;
        char *value = batch->values + i * type->value_size;
        if (fills && cm_map_fill_(type, &map->core, key, hash, value))
            filled++;
        else
            status = entry_add(map, hash, key, value);
        *taken = i + (status >= 0);
        if (CM_UNLIKELY(status != CM_OK))
            break;
    });
    cm_map_filled_(&map->core, filled);
    return status == CM_EXISTS ? CM_CORRUPT : status;
}

static cm_status block_load(cm_any *map, const struct cm_saved_type_ *saved, struct cm_loader_ *loader,
                            struct cm_load_batch_ *batch)
{
    cm_status status = CM_OK;
    for (uint64_t left = loader->entries; left && status >= 0;) {
        size_t made, taken = 0;
        status = cm_load_batch_take_(batch, loader, saved, left < batch->room ? (size_t)left : batch->room,
                                     map->core.context, &made);
        if (status >= 0)
            status = batch_add(map, batch, made, &taken);
        cm_load_batch_end_(batch, saved->type, made, 0, taken, map->core.context); /* it has copies of keys */
        left -= made;
    }
    return status < 0 ? status : cm_loader_check_(loader);
}

static cm_status map_load(cm_any *map, const struct cm_saved_type_ *saved, struct cm_loader_ *loader)
{
    struct cm_load_batch_ batch;
    if (!cm_load_batch_make_(&batch, saved->type, loader->allocator))
        return CM_NOMEM;
    cm_status status;
    while ((status = cm_loader_fetch_(loader)) == CM_OK) {
        size_t expected = cm_loader_expects_(loader);
        if (expected)
            cm_map_expect_(&map->core, saved->type, expected);
        status = block_load(map, saved, loader, &batch);
        if (status < 0)
            break;
    }
    cm_block_release_(loader->allocator, &batch.block);
    return status;
}

cm_status cm_any_load_from_(cm_any *map, const struct cm_type *type, bool anchored, const cm_config *config,
                            const cm_source *source, const struct cm_file_ *file, const cm_progress *progress,
                            const char **reason)
{
    struct cm_saved_type_ saved;
    struct cm_loader_ loader;
    const cm_allocator *allocator = config && config->allocator ? config->allocator : cm_allocator_default();
    cm_status status = cm_any_init_(map, type, anchored, config);
    if (status < 0)
        return refuse(status, NULL, reason);
    if (cm_any_saved_describe_(&saved, &map->type, reason) < 0) {
        cm_any_destroy(map);
        return CM_INVALID;
    }
    status = cm_loader_begin_(&loader, &saved, source, progress, allocator, file);
    if (status >= 0)
        status = map_load(map, &saved, &loader);
    if (status < 0)
        cm_any_destroy(map);
    return cm_loader_end_(&loader, status, reason);
}

cm_status cm_any_load_file_(cm_any *map, const struct cm_type *type, bool anchored, const cm_config *config,
                            const char *path, const cm_progress *progress, const char **reason)
{
    CM_LOADED_FILE_(path, reason, cm_any_load_from_(map, type, anchored, config, &source, &file, progress, &why));
}

cm_status cm_any_load(cm_any *map, const struct cm_type *type, const cm_config *config, const cm_source *source,
                      const cm_progress *progress, const char **reason)
{
    CM_CALLED_();
    return cm_any_load_from_(map, type, false, config, source, NULL, progress, reason);
}

cm_status cm_any_load_file(cm_any *map, const struct cm_type *type, const cm_config *config, const char *path,
                           const cm_progress *progress, const char **reason)
{
    CM_CALLED_();
    return cm_any_load_file_(map, type, false, config, path, progress, reason);
}
