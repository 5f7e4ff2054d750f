/* What the functions of the dynamic map share. */
#ifndef CONCMAP_ANY_CORE_H
#define CONCMAP_ANY_CORE_H

#include <concmap/any.h>

#define ROOM_NEAR 512 /* bytes of a value for which there is room on the stack */

/* The type for which single reads and writes are compiled with its sizes known: cm_any.words. */
static const struct cm_type words_type = {.key_size = 8,
                                          .key_alignment = 8,
                                          .value_size = 8,
                                          .value_alignment = 8,
                                          .key_bitwise = true,
                                          .hash = cm_any_hash_u64,
                                          .equal = cm_any_equal_u64};

/* Room for one value of a map. */
struct room {
    char *at;
    uint64_t near[ROOM_NEAR / 8];
};

static inline bool value_is_large(const cm_any *map)
{
    return map->type.value_size > ROOM_NEAR;
}

/* False: no memory. */
static inline bool room_take(struct room *room, const cm_any *map)
{
    const cm_allocator *allocator = &map->core.allocator;
    room->at =
        value_is_large(map) ? allocator->allocate(allocator->context, map->type.value_size, 8) : (char *)room->near;
    return room->at != NULL;
}

static inline void room_give_back(struct room *room, const cm_any *map)
{
    const cm_allocator *allocator = &map->core.allocator;
    if (room->at != (char *)room->near)
        allocator->deallocate(allocator->context, room->at, map->type.value_size, 8);
}

/* What to copy of a value that was given: of a set there is none. */
static inline const void *given(const cm_any *map, const void *value)
{
    return map->type.value_size ? value : "";
}

/* Gives a map its type, with its layout beside it: that is not computed in each call. */
static inline void type_set(cm_any *map, struct cm_type type, bool words)
{
    map->type = type;
    map->type.layout_ = NULL;
    map->layout = cm_layout_of_(&map->type);
    map->type.layout_ = &map->layout;
    map->words = words;
}

/* The map of what lies in it. */
static inline const cm_any *any_of(const struct cm_map_ *core)
{
    return (const cm_any *)(const void *)core;
}

static inline struct cm_map_ *core_of(const cm_any *map)
{
    return (struct cm_map_ *)(uintptr_t)&map->core;
}

/* As CM_KEYED_ calls it. */
static inline uint64_t cm_any_hash_of_(const cm_any *map, const void *const *key)
{
    return map->type.hash(*key, cm_map_seed_(&map->type, &map->core));
}

/* Copies the key's value to `value` (may be NULL), which stays as it is where that fails. */
cm_status cm_any_find_(const cm_any *map, const void *key, uint64_t hash, void *value, cm_deadline deadline);
/* The same, pinned by the caller. */
cm_status cm_any_look_(const cm_any *map, const void *key, uint64_t hash, void *value, cm_deadline deadline);

/* cm_map_write_() with the room that it takes. */
struct cm_written_ cm_any_write_(cm_any *map, const void *key, uint64_t hash, struct cm_write_ *write);

/* cm_map_remove_(), compiled once. */
cm_status cm_any_remove_(cm_any *map, const void *key, uint64_t hash, cm_status (*condition)(void *, void *),
                         void *context, void *old, cm_deadline deadline);

#endif
