/* The typed functions that make maps on bucket tables, look after them and end them; and how their types are made. */
#ifndef CONCMAP_DETAIL_LIFE_H
#define CONCMAP_DETAIL_LIFE_H

#include <concmap/detail/move.h>
#include <concmap/detail/typed.h>

/* The descriptor of a map of this name, and the functions that it names. */
#define CM_BUCKETED_TYPE_(how, name, Key, Value, hash_function, equal_function, key_owner, value_owner, cache,         \
                          anchored)                                                                                    \
    CM_ADAPTORS_(how, name, Key, Value, hash_function, equal_function, key_owner, value_owner, cache)                  \
    CM_HIDDEN_(how, static uint64_t name##_move_(struct cm_map_ *map, struct cm_table_ *from,                          \
                                                 const struct cm_table_ *before, uint64_t begin, uint64_t end);        \
               CM_DESCRIPTOR_(name, name, Key, Value, name##_key_bitwise_, false, anchored, name##_move_))             \
    CM_HIDDEN_(                                                                                                        \
        how, static CM_COLD __attribute__((unused)) uint64_t name##_move_(                                             \
                 struct cm_map_ *map, struct cm_table_ *from, const struct cm_table_ *before, uint64_t begin,          \
                 uint64_t end) { return cm_buckets_move_(&name##_type_, map, from, before, begin, end); })

#define CM_LIFE_(how, name)                                                                                            \
    /* Makes an empty map. CM_NOMEM: the capacity is too large; CM_INVALID: the library is of another version. */      \
    CM_FUNCTION_(how, cm_status, name##_init, (name * map, const cm_config *config), {                                 \
        return cm_map_init_((struct cm_map_ *)(void *)map, &name##_type_, config, CM_LAYOUT_VERSION_,                  \
                            sizeof(struct cm_map_));                                                                   \
    })                                                                                                                 \
    /* The same in memory of its own, with one user: NULL, and `status` (may be NULL) says why. */                     \
    CM_FUNCTION_(how, name *, name##_create, (const cm_config *config, cm_status *status), {                           \
        return (struct name *)(void *)cm_map_create_(&name##_type_, config, CM_LAYOUT_VERSION_,                        \
                                                     sizeof(struct cm_map_), status);                                  \
    })                                                                                                                 \
    /* Counts one more user of a map that was made by create, and is in use by the caller; returns it. */              \
    CM_FUNCTION_(how, name *, name##_share, (name * map), {                                                            \
        cm_map_share_(&map->core);                                                                                     \
        return map;                                                                                                    \
    })                                                                                                                 \
    /* One user less: the last one destroys the map. NULL does nothing. */                                             \
    CM_FUNCTION_(how, void, name##_release, (name * map),                                                              \
                 { cm_map_release_(map ? &map->core : NULL, &name##_type_); })                                         \
    /* Gives everything back. Nobody may be in the map, nor come later. O(buckets) at most. */                         \
    CM_FUNCTION_(how, void, name##_destroy, (name * map), { cm_map_destroy_(&map->core, &name##_type_); })             \
    /* The number of entries: exact while no writer runs. Wait-free, O(threads). */                                    \
    CM_FUNCTION_(how, size_t, name##_len, (const name *map), { return cm_map_len_(&map->core); })                      \
    /* Makes room for so many entries now, instead of bit by bit. CM_NOMEM, CM_FULL. O(buckets). */                    \
    CM_FUNCTION_(how, cm_status, name##_reserve, (name * map, size_t entries),                                         \
                 { return cm_map_reserve_(&map->core, &name##_type_, entries); })                                      \
    /* Moves about so many buckets of a growing table, and gives back a part of what waits; true while work remains.   \
     */                                                                                                                \
    CM_FUNCTION_(how, bool, name##_step, (name * map, size_t buckets),                                                 \
                 { return cm_map_step_(&map->core, &name##_type_, buckets); })                                         \
    /* Finishes growth and gives back what waits, but for up to 1024 nodes or 256 KiB that each other living thread    \
     * has removed and looks after itself. CM_BUSY: a bucket that another thread holds, or a reader, is in the way. */ \
    CM_FUNCTION_(how, cm_status, name##_settle, (name * map), {                                                        \
        CM_CALLED_();                                                                                                  \
        return cm_map_settle_(&map->core, &name##_type_);                                                              \
    })                                                                                                                 \
    /* What the map takes. Wait-free, O(threads). */                                                                   \
    CM_FUNCTION_(how, cm_memory, name##_memory, (const name *map), { return cm_map_memory_(&map->core); })             \
    /* What it looks like inside, and what waiting there was: see figures.h. Takes no lock; memory that waits for      \
     * readers waits for this call. O(buckets). */                                                                     \
    CM_FUNCTION_(how, void, name##_stats, (const name *map, cm_stats *stats),                                          \
                 { cm_map_stats_(&map->core, &name##_type_, stats); })                                                 \
    /* Validates the whole structure; `reason` (may be NULL) takes what is wrong. CM_OK or CM_CORRUPT, or CM_DEADLOCK: \
     * the calling thread holds guards. No writer may run. */                                                          \
    CM_FUNCTION_(how, cm_status, name##_check, (const name *map, const char **reason), {                               \
        CM_CALLED_();                                                                                                  \
        return cm_map_check_((struct cm_map_ *)(uintptr_t)&map->core, &name##_type_, reason);                          \
    })

#endif
