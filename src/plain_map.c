/* Making, growing and checking plain maps. */
#include <concmap/detail/plain_map.h>

#include <concmap/hash.h>

cm_status cm_plain_init_(struct cm_plain_ *map, const struct cm_type *type, const cm_config *config, unsigned version,
                         size_t size)
{
    static const cm_config defaults;
    if (!map || version != CM_PLAIN_VERSION_ || size != sizeof *map)
        return CM_INVALID;
    if (!config)
        config = &defaults;
    bool owns = type->key_text || type->key_clone || type->value_clone;
    if (config->budget || (config->fixed && (config->capacity == 0 || owns)))
        return CM_INVALID;
    *map = (struct cm_plain_){.seed = config->seed ? config->seed : cm_seed_random(),
                              .limit = config->limit ? config->limit : SIZE_MAX,
                              .context = config->context,
                              .allocator = config->allocator ? *config->allocator : *cm_allocator_default()};
    cm_flat_make_(&map->flat, type, &map->allocator, 0);
    if (config->fixed && config->capacity < map->limit)
        map->limit = config->capacity;
    size_t entries = config->capacity < map->limit ? config->capacity : map->limit;
    cm_status status = cm_plain_reserve_(map, type, entries);
    map->fixed = config->fixed;
    return status;
}

cm_status cm_plain_init_like_(struct cm_plain_ *map, const struct cm_type *type, const struct cm_plain_ *like,
                              size_t entries)
{
    *map = (struct cm_plain_){.seed = like->seed,
                              .limit = like->limit,
                              .context = like->context,
                              .allocator = like->allocator,
                              .fixed = like->fixed};
    cm_flat_make_(&map->flat, type, &map->allocator, 0);
    return map->seed ? cm_plain_reserve_(map, type, like->fixed ? like->limit : entries) : CM_OK;
}

uint64_t cm_plain_start_(struct cm_plain_ *map)
{
    map->limit = SIZE_MAX;
    map->allocator = *cm_allocator_default();
    return map->seed = cm_seed_random();
}

/* What the entries own is given back. */
static void entries_end(struct cm_plain_ *map, const struct cm_type *type)
{
    if (!type->key_text && !type->key_destroy && !type->value_destroy)
        return;
    struct cm_flat_walk_ walk = cm_flat_walk_begin_();
    for (struct cm_flat_place_ place; (place = cm_flat_walk_next_(type, &map->flat, &walk)).entry;) {
        cm_plain_value_end_(type, map, cm_flat_value_(type, place));
        cm_plain_key_end_(type, map, place.entry);
    }
}

void cm_plain_end_(struct cm_plain_ *map, const struct cm_type *type)
{
    map->busy = true;
    entries_end(map, type);
    cm_flat_free_(&map->flat, &map->allocator);
}

cm_status cm_plain_clear_(struct cm_plain_ *map, const struct cm_type *type)
{
    if (map->busy)
        return CM_DEADLOCK;
    map->busy = true;
    entries_end(map, type);
    cm_flat_wipe_(&map->flat);
    map->busy = false;
    return CM_OK;
}

/* ---- growing and shrinking ---- */

size_t cm_plain_wants_(struct cm_plain_ *map, cm_status *status)
{
    cm_plain_seed_(map);
    if (map->flat.len >= map->limit) {
        *status = CM_FULL;
        return 0;
    }
    return cm_flat_next_size_(&map->flat);
}

/* The table may take so many entries before the next look, but no more than the limit says. */
static void pace(struct cm_plain_ *map, size_t entries)
{
    map->flat.grow_at = entries < map->limit ? entries : map->limit;
}

cm_status cm_plain_put_off_(struct cm_plain_ *map)
{
    size_t slots = map->flat.slots;
    size_t later = map->flat.len + 1 + slots / 64;
    if (map->flat.len >= slots)
        return CM_NOMEM;
    pace(map, later < slots ? later : slots);
    return CM_OK;
}

struct cm_flat_ cm_plain_exchange_(struct cm_plain_ *map, const struct cm_flat_ *next)
{
    struct cm_flat_ old = map->flat;
    cm_flat_set_(&map->flat, next);
    map->moves++;
    pace(map, next->grow_at);
    return old;
}

void cm_plain_adopt_(struct cm_plain_ *map, const struct cm_flat_ *next)
{
    struct cm_flat_ old = cm_plain_exchange_(map, next);
    cm_flat_free_(&old, &map->allocator);
}

/* Moves the entries to a table for so many; 0: to none. */
static cm_status map_rehash(struct cm_plain_ *map, const struct cm_type *type, size_t entries)
{
    struct cm_flat_ next;
    if (!cm_flat_make_(&next, type, &map->allocator, entries))
        return CM_NOMEM;
    cm_flat_move_(type, &map->flat, &next, map->seed);
    cm_plain_adopt_(map, &next);
    return CM_OK;
}

cm_status cm_plain_reserve_(struct cm_plain_ *map, const struct cm_type *type, size_t entries)
{
    if (map->busy)
        return CM_DEADLOCK;
    cm_plain_seed_(map);
    if (entries > map->limit)
        return CM_FULL;
    if (entries <= map->flat.grow_at)
        return CM_OK;
    return map_rehash(map, type, entries);
}

cm_status cm_plain_shrink_to_fit_(struct cm_plain_ *map, const struct cm_type *type)
{
    if (map->busy)
        return CM_DEADLOCK;
    bool smaller = cm_flat_slots_for_(type, map->flat.len) < map->flat.slots;
    return smaller && !map->fixed ? map_rehash(map, type, map->flat.len) : CM_OK;
}

/* ---- the whole ---- */

cm_memory cm_plain_memory_(const struct cm_plain_ *map)
{
    cm_memory memory = {.table = map->flat.block.size, .nodes = map->texts};
    memory.total = memory.table + memory.nodes;
    return memory;
}

void cm_plain_stats_(const struct cm_plain_ *map, const struct cm_type *type, cm_stats *stats)
{
    cm_memory memory = cm_plain_memory_(map);
    cm_flat_stats_(&map->flat, type, map->seed, stats);
    stats->grows += map->moves;
    stats->memory.table += memory.table;
    stats->memory.nodes += memory.nodes;
    stats->memory.total += memory.total;
}

cm_status cm_plain_check_(const struct cm_plain_ *map, const struct cm_type *type, const char **reason)
{
    const char *wrong = NULL;
    if (map->flat.grow_at > map->flat.slots)
        wrong = "more entries may come than there are slots";
    else if (map->seed && map->flat.len > map->limit)
        wrong = "more entries than the limit";
    if (reason)
        *reason = wrong;
    return wrong ? CM_CORRUPT : cm_flat_check_(&map->flat, type, &map->allocator, map->seed, reason);
}

void cm_plain_swap_(struct cm_plain_ *a, struct cm_plain_ *b)
{
    struct cm_plain_ first = *a;
    uint64_t moves = (a->moves > b->moves ? a->moves : b->moves) + 1;
    *a = *b;
    *b = first;
    a->moves = b->moves = moves;
}

cm_status cm_plain_text_copy_(struct cm_plain_ *map, const void *key, void *to)
{
    cm_str own;
    memcpy(&own, key, sizeof own);
    if (own.len == 0) {
        own.data = "";
    } else {
        char *text = map->allocator.allocate(map->allocator.context, own.len, 1);
        if (!text)
            return CM_NOMEM;
        memcpy(text, own.data, own.len);
        own.data = text;
        map->texts += own.len;
    }
    memcpy(to, &own, sizeof own);
    return CM_OK;
}

void cm_plain_text_free_(struct cm_plain_ *map, const void *key)
{
    cm_str own;
    memcpy(&own, key, sizeof own);
    if (!own.len)
        return;
    map->texts -= own.len;
    map->allocator.deallocate(map->allocator.context, (void *)(uintptr_t)own.data, own.len, 1);
}
