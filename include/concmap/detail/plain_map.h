/* The plain map: a flat table, what its entries own, and its options. For one thread at a time.
 *
 * Functions of the user run while the table is at rest, between its changes, and with `busy` set: calls that would
 * change the map meanwhile are CM_DEADLOCK, so that what the function looks at stays where it is. What destroys a value
 * runs when the entry is gone already, and may use the map. */
#ifndef CONCMAP_DETAIL_PLAIN_MAP_H
#define CONCMAP_DETAIL_PLAIN_MAP_H

#include <concmap/config.h>
#include <concmap/detail/bag.h>
#include <concmap/detail/flat_table.h>
#include <concmap/figures.h>

CM_BEGIN_DECLS

struct cm_plain_ {
    uint64_t seed; /* 0: of a static map that nothing was added to yet */
    struct cm_flat_ flat;
    size_t limit;   /* SIZE_MAX: none; 0: of a static map, as the seed */
    uint64_t moves; /* times that entries have moved: who walks looks at it */
    bool busy;      /* a function of the user runs, which must not change the map */
    bool fixed;     /* the table never grows */
    size_t texts;   /* bytes of the texts of keys */
    void *context;
    cm_allocator allocator;
};

#define CM_PLAIN_VERSION_ 2u /* of what inlined code knows of the library's structures */

/* A map that is not made yet: made by the first call that may add something. It has the default options. */
#ifdef __cplusplus
#define CM_PLAIN_INITIALIZER                                                                                           \
    {                                                                                                                  \
        {                                                                                                              \
            0, {(uint8_t *)cm_flat_none_, (char *)cm_flat_none_, 0, 0, 0, {NULL, NULL, 0, 0, false}, 0}, 0, 0, false,  \
                false, 0, NULL,                                                                                        \
            {                                                                                                          \
                NULL, NULL, NULL                                                                                       \
            }                                                                                                          \
        }                                                                                                              \
    }
#else
#define CM_PLAIN_INITIALIZER                                                                                           \
    {                                                                                                                  \
        .core = {.flat = {.tags = (uint8_t *)cm_flat_none_, .entries = (char *)cm_flat_none_} }                        \
    }
#endif

/* ---- cold parts (src/plain_map.c) ---- */

/* `version` and `size` are the caller's own: CM_INVALID if the library's differ. */
CM_API cm_status cm_plain_init_(struct cm_plain_ *map, const struct cm_type *type, const cm_config *config,
                                unsigned version, size_t size);
/* An empty map with the options of another, and room for so many entries. CM_NOMEM: there is no map. */
CM_API cm_status cm_plain_init_like_(struct cm_plain_ *map, const struct cm_type *type, const struct cm_plain_ *like,
                                     size_t entries);
/* Makes what the static initialiser could not; returns the seed. */
CM_API CM_COLD uint64_t cm_plain_start_(struct cm_plain_ *map);
CM_API void cm_plain_end_(struct cm_plain_ *map, const struct cm_type *type);
CM_API cm_status cm_plain_clear_(struct cm_plain_ *map, const struct cm_type *type);
/* The entries that the table is to be meant for, so that one more has room; 0: it stays, and *status says whether it
 * has.
 */
CM_API CM_COLD size_t cm_plain_wants_(struct cm_plain_ *map, cm_status *status);
/* Growing failed: CM_OK if there are slots still, and then it is put off. */
CM_API CM_COLD cm_status cm_plain_put_off_(struct cm_plain_ *map);
/* The new table takes the old one's place, which is freed, or the caller's to free. */
CM_API CM_COLD void cm_plain_adopt_(struct cm_plain_ *map, const struct cm_flat_ *next);
CM_API CM_COLD struct cm_flat_ cm_plain_exchange_(struct cm_plain_ *map, const struct cm_flat_ *next);
CM_API cm_status cm_plain_reserve_(struct cm_plain_ *map, const struct cm_type *type, size_t entries);
CM_API cm_status cm_plain_shrink_to_fit_(struct cm_plain_ *map, const struct cm_type *type);
CM_API cm_memory cm_plain_memory_(const struct cm_plain_ *map);
/* Adds the map's figures to others, or to zeros. */
CM_API void cm_plain_stats_(const struct cm_plain_ *map, const struct cm_type *type, cm_stats *stats);
CM_API cm_status cm_plain_check_(const struct cm_plain_ *map, const struct cm_type *type, const char **reason);
CM_API void cm_plain_swap_(struct cm_plain_ *a, struct cm_plain_ *b);
/* A copy of a key that the map owns, in *to. */
CM_API CM_COLD cm_status cm_plain_text_copy_(struct cm_plain_ *map, const void *key, void *to);
CM_API CM_COLD void cm_plain_text_free_(struct cm_plain_ *map, const void *key);

/* The seed, of a map that is made by now. */
CM_INLINE uint64_t cm_plain_seed_(const struct cm_plain_ *map)
{
    return CM_LIKELY(map->seed != 0) ? map->seed : cm_plain_start_((struct cm_plain_ *)(uintptr_t)map);
}

/* Makes room for one more entry in a full table; compiled once for each type, because it moves all entries. */
CM_INLINE cm_status cm_plain_grow_(const struct cm_type *type, struct cm_plain_ *map)
{
    struct cm_flat_ next;
    cm_status status = CM_OK;
    size_t entries = cm_plain_wants_(map, &status);
    if (entries == 0)
        return status;
    if (!cm_flat_make_(&next, type, &map->allocator, entries))
        return cm_plain_put_off_(map);
    cm_flat_move_(type, &map->flat, &next, map->seed);
    cm_plain_adopt_(map, &next);
    return CM_OK;
}

/* How a typed map makes room: cm_plain_grow_() for its type. */
typedef cm_status cm_plain_room_(struct cm_plain_ *map);

/* ---- what entries own ---- */

/* Copies a value out of the map, for somebody else to own; `to` may be NULL. */
CM_INLINE cm_status cm_plain_copy_out_(const struct cm_type *type, const struct cm_plain_ *map, void *to,
                                       const void *from)
{
    if (!to)
        return CM_OK;
    if (type->value_clone)
        return type->value_clone(to, from, map->context);
    memcpy(to, from, type->value_size);
    return CM_OK;
}

CM_INLINE void cm_plain_value_end_(const struct cm_type *type, const struct cm_plain_ *map, void *value)
{
    if (type->several_)
        cm_bag_end_(type->several_, (struct cm_bag_ *)value, map->context);
    else if (type->value_destroy)
        type->value_destroy(value, map->context);
}

/* What the map keeps of a new key. */
CM_INLINE cm_status cm_plain_key_begin_(const struct cm_type *type, struct cm_plain_ *map, const void *key, void *to)
{
    if (type->key_text)
        return cm_plain_text_copy_(map, key, to);
    if (type->key_clone)
        return type->key_clone(to, key, map->context);
    memcpy(to, key, type->key_size);
    return CM_OK;
}

CM_INLINE void cm_plain_key_end_(const struct cm_type *type, struct cm_plain_ *map, void *key)
{
    if (type->key_text)
        cm_plain_text_free_(map, key);
    else if (type->key_destroy)
        type->key_destroy(key, map->context);
}

/* Rooms for what may have to be destroyed: compilers do not see that they are filled by then. */
CM_INLINE void cm_plain_blank_(const struct cm_type *type, void *key, void *value)
{
    if (key && (type->key_text || type->key_clone))
        memset(key, 0, type->key_size);
    if (value && type->value_destroy)
        memset(value, 0, type->value_size);
}

/* ---- one key ---- */

/* The function of a caller, and what it gets besides the value. */
struct cm_plain_call_ {
    cm_status (*run)(void *value, void *call);
    void *call;
};

/* Where the key's value lies; NULL: nowhere. For a look-up of the plain map, and for others. */
CM_INLINE char *cm_plain_find_(const struct cm_type *type, const struct cm_plain_ *map, const void *key, uint64_t hash)
{
    struct cm_flat_place_ place = cm_flat_find_(type, &map->flat, key, hash);
    return CM_LIKELY(place.entry != NULL) ? cm_flat_value_(type, place) : NULL;
}

CM_INLINE char *cm_plain_find_ahead_(const struct cm_type *type, const struct cm_plain_ *map, const void *key,
                                     uint64_t hash)
{
    struct cm_flat_place_ place = cm_flat_find_ahead_(type, &map->flat, key, hash);
    return CM_LIKELY(place.entry != NULL) ? cm_flat_value_(type, place) : NULL;
}

/* Makes room for one more entry. */
CM_INLINE cm_status cm_plain_admit_(struct cm_plain_ *map, cm_plain_room_ *room)
{
    if (CM_UNLIKELY(map->busy))
        return CM_DEADLOCK;
    return CM_LIKELY(map->flat.len < map->flat.grow_at) ? CM_OK : room(map);
}

/* Adds an absent key, which is the map's own now, where there is room. */
CM_INLINE struct cm_flat_place_ cm_plain_place_(const struct cm_type *type, struct cm_plain_ *map, const void *own,
                                                uint64_t hash, const void *value)
{
    struct cm_flat_place_ place = cm_flat_take_(type, &map->flat, hash);
    memcpy(place.entry, own, type->key_size);
    memcpy(cm_flat_value_(type, place), value, type->value_size);
    return place;
}

/* Adds an absent key with a value; `now` (may be NULL) takes a copy of it. `own` is room for a key. */
CM_INLINE cm_status cm_plain_add_(const struct cm_type *type, struct cm_plain_ *map, cm_plain_room_ *room,
                                  const void *key, uint64_t hash, const void *value, void *own, void *now)
{
    cm_status status = cm_plain_admit_(map, room);
    if (CM_UNLIKELY(status < 0))
        return status;
    if (type->key_text || type->key_clone) {
        status = cm_plain_key_begin_(type, map, key, own);
        if (status < 0)
            return status;
        key = own;
    }
    status = cm_plain_copy_out_(type, map, now, value);
    if (type->value_clone && status < 0) {
        if (type->key_text || type->key_clone)
            cm_plain_key_end_(type, map, own);
        return status;
    }
    cm_plain_place_(type, map, key, hash, value);
    return CM_OK;
}

/* Runs the function on a value; if it fails, the value is as it was, unless it owns something. `scratch` is room for a
 * value. */
CM_INLINE cm_status cm_plain_run_(const struct cm_type *type, struct cm_plain_ *map, void *value,
                                  struct cm_plain_call_ call, void *scratch)
{
    if (CM_UNLIKELY(map->busy))
        return CM_DEADLOCK;
    if (!type->value_destroy)
        memcpy(scratch, value, type->value_size);
    map->busy = true;
    cm_status status = call.run(value, call.call);
    map->busy = false;
    if (!type->value_destroy && CM_UNLIKELY(status < 0))
        memcpy(value, scratch, type->value_size);
    return status;
}

/* Sets a value that is there. `scratch` is room for a value. */
CM_INLINE cm_status cm_plain_replace_(const struct cm_type *type, struct cm_plain_ *map, void *value, const void *by,
                                      void *old, void *scratch)
{
    if (CM_UNLIKELY(map->busy))
        return CM_DEADLOCK;
    void *out = old || !type->value_destroy ? old : scratch;
    if (out)
        memcpy(out, value, type->value_size);
    memcpy(value, by, type->value_size);
    if (type->value_destroy && !old)
        cm_plain_value_end_(type, map, scratch);
    return CM_REPLACED;
}

/* Removes an entry. `scratch` is room for a value. */
CM_INLINE void cm_plain_drop_(const struct cm_type *type, struct cm_plain_ *map, struct cm_flat_place_ place,
                              uint64_t hash, void *old, void *scratch)
{
    void *out = old || !type->value_destroy ? old : scratch;
    if (out)
        memcpy(out, cm_flat_value_(type, place), type->value_size);
    cm_plain_key_end_(type, map, place.entry);
    cm_flat_drop_(&map->flat, place, hash);
    if (type->value_destroy && !old)
        cm_plain_value_end_(type, map, scratch);
}

/* Removes the key, if the function (may be none) says CM_OK; returns what it said. */
CM_INLINE cm_status cm_plain_remove_(const struct cm_type *type, struct cm_plain_ *map, const void *key, uint64_t hash,
                                     struct cm_plain_call_ condition, void *old, void *scratch)
{
    if (CM_UNLIKELY(map->busy))
        return CM_DEADLOCK;
    struct cm_flat_place_ place = cm_flat_find_ahead_(type, &map->flat, key, hash);
    if (!place.entry)
        return CM_ABSENT;
    if (condition.run) {
        map->busy = true;
        cm_status status = condition.run(cm_flat_value_(type, place), condition.call);
        map->busy = false;
        if (status != CM_OK)
            return status;
    }
    cm_plain_drop_(type, map, place, hash, old, scratch);
    return CM_OK;
}

/* ---- walks ---- */

struct cm_plain_walk_ {
    struct cm_plain_ *map;
    uint64_t moves;
    struct cm_flat_walk_ walk;
};

CM_INLINE struct cm_plain_walk_ cm_plain_walk_begin_(const struct cm_plain_ *map)
{
    struct cm_plain_walk_ walk = {(struct cm_plain_ *)(uintptr_t)map, map->moves, cm_flat_walk_begin_()};
    return walk;
}

/* The next entry; {NULL}: there is none, and `status` is CM_INVALID where the entries have moved meanwhile. */
CM_INLINE struct cm_flat_place_ cm_plain_walk_next_(const struct cm_type *type, struct cm_plain_walk_ *walk,
                                                    cm_status *status)
{
    struct cm_flat_place_ none = {NULL, NULL};
    if (CM_LIKELY(walk->moves == walk->map->moves))
        return cm_flat_walk_next_(type, &walk->map->flat, &walk->walk);
    *status = CM_INVALID;
    return none;
}

CM_END_DECLS

#endif
