/* Guards and entries of dynamic maps, and several keys at once. */
#include "any_core.h"

static const cm_any *map_of(const struct cm_guard_ *guard)
{
    return any_of(cm_guard_map_(guard));
}

static char *value_of(const struct cm_guard_ *guard)
{
    return cm_guard_value_(&map_of(guard)->type, guard);
}

/* ---- read guards ---- */

static void guard_expire(const struct cm_type *type, const cm_any *map, const void *key, uint64_t hash,
                         cm_any_read_guard *guard)
{
    cm_guard_unshare_(&guard->core);
    cm_map_expire_(core_of(map), type, key, hash);
    guard->value = NULL;
    guard->status = CM_ABSENT;
}

cm_status cm_any_read_by_(const struct cm_type *type, const cm_any *map, uint64_t hash, const void *key,
                          cm_any_read_guard *guard, cm_deadline deadline)
{
    guard->core.thread = NULL;
    guard->status = cm_guard_read_(type, core_of(map), &guard->core, key, hash, deadline);
    guard->value = guard->core.thread ? value_of(&guard->core) : NULL;
    bool present = guard->status == CM_OK && guard->value;
    if (present && cm_value_expired_(type, &map->core, guard->value))
        guard_expire(type, map, key, hash, guard);
    else if (present)
        cm_cached_touch_(type, cm_layout_of_(type), guard->value);
    return guard->status;
}
#define cm_any_read_in_(...) BY_KEY(cm_any_read_by_, __VA_ARGS__)
CM_KEYED_(cm_define, cm_any, const cm_any, const void *, read, (, cm_any_read_guard *guard), (, guard))

cm_any_read_guard *cm_any_read_begin_(const cm_any *map, const void *key, cm_any_read_guard *guard)
{
    cm_any_read(map, key, guard);
    return guard;
}

cm_status cm_any_read_unlock(cm_any_read_guard *guard)
{
    if (!cm_guard_is_own_(&guard->core))
        return CM_INVALID;
    cm_guard_unshare_(&guard->core);
    guard->value = NULL;
    return CM_OK;
}

void cm_any_read_end_(cm_any_read_guard *guard)
{
    cm_any_read_unlock(guard);
}

cm_status cm_any_read_clone(const cm_any_read_guard *guard, cm_any_read_guard *clone)
{
    clone->core.thread = NULL;
    clone->status = cm_guard_is_own_(&guard->core) ? cm_guard_clone_(&guard->core, &clone->core) : CM_INVALID;
    clone->value = clone->status == CM_OK ? value_of(&clone->core) : NULL;
    return clone->status;
}

CM_GUARD_ATTACH_(cm_define, cm_any, read, core, false)

/* ---- write guards ---- */

static cm_status guard_lock(const struct cm_type *type, cm_any *map, uint64_t hash, const void *key,
                            cm_any_write_guard *guard, enum cm_purpose_ purpose, cm_deadline deadline)
{
    guard->status = cm_entry_write_(type, &map->core, &guard->core, key, hash, purpose, deadline);
    bool present = guard->core.guard.thread && guard->core.present;
    guard->key = present && type->foreign ? cm_guard_key_(type, &guard->core.guard) : key;
    guard->value = present ? value_of(&guard->core.guard) : NULL;
    return guard->status;
}

cm_status cm_any_write_guard_by_(const struct cm_type *type, cm_any *map, uint64_t hash, const void *key,
                                 cm_any_write_guard *guard, cm_deadline deadline)
{
    return guard_lock(type, map, hash, key, guard, CM_FOR_VALUE_, deadline);
}

#define cm_any_write_in_(...) BY_KEY(cm_any_write_guard_by_, __VA_ARGS__)
CM_KEYED_(cm_define, cm_any, cm_any, const void *, write, (, cm_any_write_guard *guard), (, guard))

cm_any_write_guard *cm_any_write_begin_(cm_any *map, const void *key, cm_any_write_guard *guard)
{
    cm_any_write(map, key, guard);
    return guard;
}

cm_status cm_any_write_unlock(cm_any_write_guard *guard)
{
    if (!cm_guard_is_own_(&guard->core.guard))
        return CM_INVALID;
    cm_entry_leave_(&map_of(&guard->core.guard)->type, &guard->core);
    guard->value = NULL;
    return CM_OK;
}

void cm_any_write_end_(cm_any_write_guard *guard)
{
    cm_any_write_unlock(guard);
}

cm_status cm_any_write_downgrade(cm_any_write_guard *guard, cm_any_read_guard *reader)
{
    bool own = cm_guard_is_own_(&guard->core.guard);
    reader->core.thread = NULL;
    reader->value = NULL;
    cm_status status = own ? cm_guard_downgrade_(&map_of(&guard->core.guard)->type, &guard->core) : CM_INVALID;
    if (status != CM_OK)
        return status;
    reader->core = guard->core.guard;
    reader->value = guard->value;
    reader->status = CM_OK;
    guard->core.guard.thread = NULL;
    guard->value = NULL;
    return CM_OK;
}

cm_status cm_any_read_upgrade(cm_any_read_guard *guard, const void *key, cm_any_write_guard *writer)
{
    writer->core.guard.thread = NULL;
    writer->value = NULL;
    if (!cm_guard_is_own_(&guard->core))
        return CM_INVALID;
    const cm_any *map = map_of(&guard->core);
    key = cm_guard_key_(&map->type, &guard->core); /* the map's: what was given may be what was looked up by */
    cm_status status = cm_guard_upgrade_(&map->type, &guard->core, &writer->core, cm_any_hash_of(map, key));
    if (status != CM_OK && status != CM_OWNER_DIED)
        return status;
    writer->key = key;
    writer->value = value_of(&writer->core.guard);
    writer->status = status;
    guard->core.thread = NULL;
    guard->value = NULL;
    return status;
}

CM_GUARD_ATTACH_(cm_define, cm_any, write, core.guard, true)

/* ---- entries ---- */

static cm_status cm_any_entry_in_(cm_any *map, uint64_t hash, const void *key, cm_any_write_guard *entry,
                                  cm_deadline deadline)
{
    return guard_lock(&map->type, map, hash, key, entry, CM_FOR_ENTRY_, deadline);
}
CM_KEYED_(cm_define, cm_any, cm_any, const void *, entry, (, cm_any_write_guard *entry), (, entry))

/* The map of an entry that is the calling thread's; NULL: it is not. */
static const cm_any *entry_map(const cm_any_write_guard *entry)
{
    return cm_guard_is_own_(&entry->core.guard) ? map_of(&entry->core.guard) : NULL;
}

void *cm_any_entry_insert(cm_any_write_guard *entry, const void *value)
{
    const cm_any *map = entry_map(entry);
    if (!map || !cm_entry_insert_(&map->type, &entry->core, entry->key, given(map, value)))
        return NULL;
    return entry->value = value_of(&entry->core.guard);
}

void *cm_any_entry_or_insert(cm_any_write_guard *entry, const void *value)
{
    const cm_any *map = entry_map(entry);
    if (!map || !entry->value)
        return cm_any_entry_insert(entry, value);
    cm_value_destroy_(&map->type, &map->core, value);
    return entry->value;
}

/* With a value that is made in `room`. */
static cm_status entry_make(const cm_any *map, cm_any_write_guard *entry, cm_status (*make)(void *, void *),
                            void *context, void *room)
{
    cm_status status = make(room, context);
    if (status < 0)
        return status;
    if (cm_any_entry_insert(entry, room))
        return CM_OK;
    cm_value_destroy_(&map->type, &map->core, room);
    return CM_NOMEM;
}

cm_status cm_any_entry_or_insert_with(cm_any_write_guard *entry, cm_status (*make)(void *, void *), void *context)
{
    const cm_any *map = entry_map(entry);
    struct room room;
    if (!map)
        return CM_INVALID;
    if (entry->value)
        return CM_EXISTS;
    if (!room_take(&room, map))
        return CM_NOMEM;
    cm_status status = entry_make(map, entry, make, context, room.at);
    room_give_back(&room, map);
    return status;
}

cm_status cm_any_entry_and_modify(cm_any_write_guard *entry, cm_status (*function)(void *, void *), void *context)
{
    const cm_any *map = entry_map(entry);
    struct room before;
    if (!map)
        return CM_INVALID;
    if (!entry->value)
        return CM_ABSENT;
    if (map->type.value_destroy) /* it undoes for itself */
        return function(entry->value, context);
    if (!room_take(&before, map))
        return CM_NOMEM;
    memcpy(before.at, entry->value, map->type.value_size);
    cm_status status = function(entry->value, context);
    if (status < 0)
        memcpy(entry->value, before.at, map->type.value_size);
    room_give_back(&before, map);
    return status;
}

cm_status cm_any_entry_replace(cm_any_write_guard *entry, const void *value, void *old)
{
    const cm_any *map = entry_map(entry);
    if (!map)
        return CM_INVALID;
    if (!entry->value) {
        cm_value_destroy_(&map->type, &map->core, value);
        return CM_ABSENT;
    }
    if (old)
        memcpy(old, entry->value, map->type.value_size);
    else
        cm_value_destroy_(&map->type, &map->core, entry->value);
    memcpy(entry->value, given(map, value), map->type.value_size);
    return CM_REPLACED;
}

cm_status cm_any_entry_remove(cm_any_write_guard *entry, void *old)
{
    const cm_any *map = entry_map(entry);
    if (!map)
        return CM_INVALID;
    if (!entry->value)
        return CM_ABSENT;
    cm_entry_remove_(&map->type, &entry->core, old);
    entry->value = NULL;
    return CM_OK;
}

cm_status cm_any_entry_unlock(cm_any_write_guard *entry)
{
    return cm_any_write_unlock(entry);
}

/* ---- several keys ---- */

static cm_status cm_any_with_keys_in_(cm_any *map, const void *keys, size_t n,
                                      cm_status (*function)(void **, size_t, void *), void *context,
                                      cm_deadline deadline)
{
    struct cm_keys_ held;
    void *values[CM_KEYS_MOST_];
    if (n == 0 || n > CM_KEYS_MOST_)
        return CM_INVALID;
    for (size_t i = 0; i < n; i++) {
        held.keys[i] = (const char *)keys + i * map->type.key_size;
        held.hashes[i] = cm_any_hash_of(map, held.keys[i]);
    }
    cm_status status = cm_keys_lock_(&map->type, &map->core, &held, n, deadline);
    if (status != CM_OK)
        return status;
    for (size_t i = 0; i < n; i++)
        values[i] = cm_keys_value_(&map->type, &held, i);
    status = function(values, n, context);
    cm_keys_leave_(&map->type, &map->core, &held, n);
    return status;
}
CM_TWINS_(cm_define, cm_any, with_keys,
          (cm_any * map, const void *keys, size_t n, cm_status (*function)(void **, size_t, void *), void *context),
          (map, keys, n, function, context))
