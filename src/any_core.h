/* What the functions of the dynamic maps share: those of cm_any, and those of cm_any_anchored, whose map is a cm_any of
 * an anchored type.
 *
 * The hidden functions below are for maps of either sort. Where they give a value out (old, value, now), it is a copy
 * of it, or, of an anchored map, its address. */
#ifndef CONCMAP_ANY_CORE_H
#define CONCMAP_ANY_CORE_H

#include <concmap/any_anchored.h>

#define ROOM_NEAR 512 /* bytes of a value for which there is room on the stack */

/* The type for which single reads and writes are compiled with its sizes known: cm_any.words. */
static const struct cm_type words_type = {.key_size = 8,
                                          .key_alignment = 8,
                                          .value_size = 8,
                                          .value_alignment = 8,
                                          .key_bitwise = true,
                                          .hash = cm_any_hash_u64,
                                          .equal = cm_any_equal_u64};

/* Room for one value of a map, or for a key. */
struct room {
    char *at;
    size_t size;
    uint64_t near[ROOM_NEAR / 8];
};

/* False: no memory. */
static inline bool room_take_of(struct room *room, const cm_any *map, size_t size)
{
    const cm_allocator *allocator = &map->core.allocator;
    room->size = size;
    room->at = size > ROOM_NEAR ? allocator->allocate(allocator->context, size, 8) : (char *)room->near;
    return room->at != NULL;
}

static inline bool room_take(struct room *room, const cm_any *map)
{
    return room_take_of(room, map, map->type.value_size);
}

static inline void room_give_back(struct room *room, const cm_any *map)
{
    const cm_allocator *allocator = &map->core.allocator;
    if (room->at != (char *)room->near)
        allocator->deallocate(allocator->context, room->at, room->size, 8);
}

/* Bytes of what is given out for a value. */
static inline size_t out_size(const cm_any *map)
{
    return map->type.anchored ? sizeof(void *) : map->type.value_size;
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

/* Calls a hidden function, which takes a type, for keys of the map that follows its name. */
#define BY_KEY(...) BY_KEY_(__VA_ARGS__)
#define BY_KEY_(function, map, ...) function(&(map)->type, map, __VA_ARGS__)

/* Calls a hidden function of cm_any for the map of cm_any_anchored that follows its name. */
#define OF_ANY(...) OF_ANY_(__VA_ARGS__)
#define OF_ANY_(function, map, ...) function(&(map)->any, __VA_ARGS__)

/* ---- making (src/any.c) ---- */

cm_status cm_any_init_(cm_any *map, const struct cm_type *type, bool anchored, const cm_config *config);
cm_any *cm_any_create_(const struct cm_type *type, bool anchored, const cm_config *config, cm_status *status);
/* A map's own copy of its type, with what follows from the rest. False: there are no maps of such a type. */
bool cm_any_type_take_(struct cm_type *type, const struct cm_type *from, bool anchored);

/* A map's type, but for what hashes and compares: that of a look-up by something else. */
static inline struct cm_type cm_any_type_by_(const struct cm_type *type, uint64_t (*hash)(const void *, uint64_t),
                                             bool (*equal)(const void *, const void *))
{
    struct cm_type by = *type;
    by.hash = hash;
    by.equal = equal;
    by.foreign = true;
    return by;
}

/* ---- one key (src/any_reads.c, src/any_writes.c, src/any_guards.c) ----
 *
 * Those that take a type take the map's, or what a look-up by something else has made of it (src/any_lookup.c). */

/* Gives the key's value out to `value` (may be NULL), which stays as it is where that fails. */
cm_status cm_any_find_(const cm_any *map, const void *key, uint64_t hash, void *value, cm_deadline deadline);
/* The same, pinned by the caller. */
cm_status cm_any_look_(const cm_any *map, const void *key, uint64_t hash, void *value, cm_deadline deadline);
cm_status cm_any_look_by_(const struct cm_type *type, const cm_any *map, const void *key, uint64_t hash, void *value,
                          cm_deadline deadline);
/* The node of a key in an anchored map; NULL: it is absent. */
char *cm_any_node_(const struct cm_type *type, const cm_any *map, const void *key, uint64_t hash);

/* cm_map_write_() with the room that it takes. */
struct cm_written_ cm_any_write_by_(const struct cm_type *type, cm_any *map, const void *key, uint64_t hash,
                                    struct cm_write_ *write);
#define cm_any_write_(...) BY_KEY(cm_any_write_by_, __VA_ARGS__)

cm_status cm_any_update_by_(const struct cm_type *type, cm_any *map, uint64_t hash, const void *key,
                            cm_status (*function)(void *, void *), void *context, cm_deadline deadline);
cm_status cm_any_update_if_by_(const struct cm_type *type, cm_any *map, uint64_t hash, const void *key,
                               bool (*condition)(const void *, void *), cm_status (*function)(void *, void *),
                               void *context, cm_deadline deadline);
cm_status cm_any_compare_exchange_by_(const struct cm_type *type, cm_any *map, uint64_t hash, const void *key,
                                      void *expected, const void *desired, bool (*equal)(const void *, const void *),
                                      cm_deadline deadline);
cm_status cm_any_remove_by_(const struct cm_type *type, cm_any *map, uint64_t hash, const void *key, void *old,
                            cm_deadline deadline);
/* `condition` may be NULL. */
cm_status cm_any_remove_if_by_(const struct cm_type *type, cm_any *map, uint64_t hash, const void *key,
                               cm_status (*condition)(void *, void *), void *context, void *old, cm_deadline deadline);
cm_status cm_any_take_or_by_(const struct cm_type *type, cm_any *map, uint64_t hash, const void *key,
                             const void *otherwise, void *value, cm_deadline deadline);
#define cm_any_update_in_(...) BY_KEY(cm_any_update_by_, __VA_ARGS__)
#define cm_any_update_if_in_(...) BY_KEY(cm_any_update_if_by_, __VA_ARGS__)
#define cm_any_compare_exchange_in_(...) BY_KEY(cm_any_compare_exchange_by_, __VA_ARGS__)
#define cm_any_remove_in_(...) BY_KEY(cm_any_remove_by_, __VA_ARGS__)
#define cm_any_remove_if_in_(...) BY_KEY(cm_any_remove_if_by_, __VA_ARGS__)
#define cm_any_take_or_in_(...) BY_KEY(cm_any_take_or_by_, __VA_ARGS__)

cm_status cm_any_read_by_(const struct cm_type *type, const cm_any *map, uint64_t hash, const void *key,
                          cm_any_read_guard *guard, cm_deadline deadline);
/* By something else than a key, the guard has the map's own. */
cm_status cm_any_write_guard_by_(const struct cm_type *type, cm_any *map, uint64_t hash, const void *key,
                                 cm_any_write_guard *guard, cm_deadline deadline);

cm_status cm_any_insert_in_(cm_any *map, uint64_t hash, const void *key, const void *value, cm_deadline deadline);
cm_status cm_any_put_in_(cm_any *map, uint64_t hash, const void *key, const void *value, void *old,
                         cm_deadline deadline);
cm_status cm_any_upsert_in_(cm_any *map, uint64_t hash, const void *key, const void *initial,
                            cm_status (*function)(void *, void *), void *context, cm_deadline deadline);
cm_status cm_any_get_or_insert_in_(cm_any *map, uint64_t hash, const void *key, const void *initial, void *value,
                                   cm_deadline deadline);

/* ---- many keys (src/any_batches.c) ---- */

size_t cm_any_put_many_in_(cm_any *map, const void *keys, const void *values, size_t n, cm_status *results,
                           cm_deadline deadline);
size_t cm_any_update_many_in_(cm_any *map, const void *keys, size_t n, cm_status (*function)(void *, void *),
                              void *context, cm_status *results, cm_deadline deadline);
size_t cm_any_remove_many_in_(cm_any *map, const void *keys, size_t n, void *old, cm_status *results,
                              cm_deadline deadline);
/* One operation of a mixed batch, but for a PUT into room that it takes its value from. */
cm_status cm_any_op_apply_(cm_any *map, const cm_any_op *op, const void *value, uint64_t hash, cm_deadline deadline);

/* ---- all entries (src/any_walks.c, src/any_bulk.c) ---- */

/* A walk over a map of either sort. */
struct cm_any_walk_ {
    const cm_any *map;
    union {
        cm_any_iter copies;
        cm_any_anchored_iter places;
    };
    const void *key;
    const void *value;
    cm_status status;
};

void cm_any_walk_begin_(struct cm_any_walk_ *walk, const cm_any *map);
bool cm_any_walk_next_(struct cm_any_walk_ *walk, cm_deadline deadline);
void cm_any_walk_end_(struct cm_any_walk_ *walk);

cm_status cm_any_for_each_in_(const cm_any *map, cm_status (*function)(const void *, const void *, void *),
                              void *context, cm_deadline deadline);
cm_status cm_any_scan_in_(const cm_any *map, uint64_t *cursor, size_t count,
                          cm_status (*function)(const void *, const void *, void *), void *context,
                          cm_deadline deadline);
cm_status cm_any_alter_all_in_(cm_any *map, cm_status (*function)(const void *, void *, void *), void *context,
                               cm_deadline deadline);
cm_status cm_any_retain_in_(cm_any *map, cm_status (*keep)(const void *, const void *, void *), void *context,
                            cm_deadline deadline);
cm_status cm_any_extract_if_in_(cm_any *map, cm_status (*wanted)(const void *, const void *, void *),
                                cm_status (*take)(const void *, void *, void *), void *context, cm_deadline deadline);
cm_status cm_any_drain_in_(cm_any *map, cm_status (*take)(const void *, void *, void *), void *context,
                           cm_deadline deadline);
cm_status cm_any_merge_in_(cm_any *into, const cm_any *from, cm_status (*resolve)(void *, const void *, void *),
                           void *context, cm_deadline deadline);

/* ---- saving and loading (src/any_saved.c) ---- */

/* How entries of the type are written. CM_INVALID: it owns something, and has no codec for that; `reason` (may be NULL)
 * takes that. */
cm_status cm_any_saved_describe_(struct cm_saved_type_ *saved, const struct cm_type *type, const char **reason);

cm_status cm_any_save_in_(const cm_any *map, const cm_sink *sink, const cm_progress *progress, const char **reason,
                          cm_deadline deadline);
cm_status cm_any_save_file_in_(const cm_any *map, const char *path, const cm_progress *progress, const char **reason,
                               cm_deadline deadline);
/* `file` is as of cm_loader_begin_(). */
cm_status cm_any_load_from_(cm_any *map, const struct cm_type *type, bool anchored, const cm_config *config,
                            const cm_source *source, const struct cm_file_ *file, const cm_progress *progress,
                            const char **reason);
cm_status cm_any_load_file_(cm_any *map, const struct cm_type *type, bool anchored, const cm_config *config,
                            const char *path, const cm_progress *progress, const char **reason);

#endif
