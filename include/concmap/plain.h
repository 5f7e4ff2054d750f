/* The plain map: for one thread at a time, or where another lock protects it already. No lock, no atomic operation.
 *
 *     CM_PLAIN_MAP(sizes, uint64_t, size_t, cm_hash_u64, cm_equal_u64)
 *
 * makes a type `sizes` and functions `sizes_get`, `sizes_put`, ..., of the same names and outcomes as those of the
 * sharded map (sharded.h), but for what only several threads need. `static sizes map = CM_PLAIN_INITIALIZER;` is a map
 * with the default options that needs no init.
 *
 * Threads. Several may read at the same time (get, contains, find, get_many, walks), while none changes the map. A map
 * behind a mutex of its own: mutex.h.
 *
 * Pointers. `find` gives the value in its place, and CM_FOREACH(name_place, &map, it) all of them. They are valid until
 * the next call that adds or removes something: adding may move every entry.
 *
 * Functions given to `update`, `upsert`, `retain` and the like may read the map, and must not leave by longjmp or by an
 * exception. A call that would change the map meanwhile is CM_DEADLOCK. Hash and equality may not use any map.
 *
 * Keys. Integers and plain structs are stored by value; of a cm_str key the map owns a copy, made only when the key is
 * new. Values are plain data, copied in and out; CM_PLAIN_MAP_OWNED is for keys and values that own something (type.h).
 *
 * Growth doubles the table and moves all entries at once: O(entries), but O(1) for each entry that was added.
 * config.shrink is not for this map: shrink_to_fit makes it smaller.
 *
 * Failure. Where memory is lacking a call returns CM_NOMEM and the map is as before; growth that lacks memory is put
 * off while there are free slots. */
#ifndef CONCMAP_PLAIN_H
#define CONCMAP_PLAIN_H

#include <concmap/detail/plain_batches.h>
#include <concmap/detail/plain_walks.h>
#include <concmap/hash.h>

/* Makes a map type, with all its functions in this file. */
#define CM_PLAIN_MAP(name, Key, Value, hash_function, equal_function)                                                  \
    CM_PLAIN_MAP_OWNED(name, Key, Value, hash_function, equal_function, CM_PLAIN, CM_PLAIN)

/* The same with keys or values that own memory, or count references: each owner is CM_PLAIN or CM_OWNED(clone,
 * destroy), see type.h. */
#define CM_PLAIN_MAP_OWNED(name, Key, Value, hash_function, equal_function, key_owner, value_owner)                    \
    CM_PLAIN_TYPE_(cm_inline, name, Key, Value, hash_function, equal_function, key_owner, value_owner)                 \
    CM_PLAIN_FUNCTIONS_(cm_inline, name, name##_key_, name##_value_)

/* The same for a type that many files use: DECLARE in a header, and DEFINE in one C file that includes it. The calls
 * are functions of that file then, and not inlined in others. */
#define CM_PLAIN_MAP_DECLARE(name, Key, Value)                                                                         \
    CM_PLAIN_TYPE_(cm_declare, name, Key, Value, unused_, unused_, CM_PLAIN, CM_PLAIN)                                 \
    CM_PLAIN_FUNCTIONS_(cm_declare, name, name##_key_, name##_value_)
#define CM_PLAIN_MAP_DEFINE(name, Key, Value, hash_function, equal_function)                                           \
    CM_PLAIN_MAP_DEFINE_OWNED(name, Key, Value, hash_function, equal_function, CM_PLAIN, CM_PLAIN)
#define CM_PLAIN_MAP_DEFINE_OWNED(name, Key, Value, hash_function, equal_function, key_owner, value_owner)             \
    CM_PLAIN_TYPE_(cm_define, name, Key, Value, hash_function, equal_function, key_owner, value_owner)                 \
    CM_PLAIN_FUNCTIONS_(cm_define, name, name##_key_, name##_value_)

/* Look-up by something of another type that hashes and compares alike, as CM_LOOKUP_BY (lookup.h) has it: functions
 * view_get, view_find, view_contains, view_update, view_remove and so on, for maps of the type `name`. */
#define CM_PLAIN_LOOKUP_BY(view, name, Other, hash_function, equal_function)                                           \
    typedef Other view##_key_;                                                                                         \
    CM_LOCAL_(cm_inline, uint64_t, view##_hash_, (const void *key, uint64_t seed),                                     \
              { return hash_function((const view##_key_ *)key, seed); })                                               \
    CM_LOCAL_(cm_inline, bool, view##_equal_, (const void *sought, const void *key),                                   \
              { return equal_function((const view##_key_ *)sought, (const name##_key_ *)key); })                       \
    CM_DESCRIPTOR_(view, name, name##_key_, name##_value_, true, true, false, NULL)                                    \
    CM_PLAIN_READS_(cm_inline, view, name, view##_key_, name##_value_)                                                 \
    CM_PLAIN_CHANGES_(cm_inline, view, name, view##_key_, name##_value_)

#define CM_PLAIN_TYPE_(how, name, Key, Value, hash_function, equal_function, key_owner, value_owner)                   \
    CM_SHOWN_(                                                                                                         \
        how, typedef struct name { struct cm_plain_ core; } name; typedef Key name##_key_;                             \
        typedef Value name##_value_;)                                                                                  \
    CM_ADAPTORS_(how, name, name##_key_, name##_value_, hash_function, equal_function, key_owner, value_owner,         \
                 CM_NO_CACHE_)                                                                                         \
    CM_HIDDEN_(how, CM_DESCRIPTOR_(name, name, name##_key_, name##_value_, name##_key_bitwise_, false, false, NULL))

#define CM_PLAIN_FUNCTIONS_(how, name, Key, Value)                                                                     \
    CM_PLAIN_LIFE_(how, name)                                                                                          \
    CM_PLAIN_READS_(how, name, name, Key, Value)                                                                       \
    CM_PLAIN_CHANGES_(how, name, name, Key, Value)                                                                     \
    CM_PLAIN_ADDITIONS_(how, name, Key, Value)                                                                         \
    CM_PLAIN_WALKS_(how, name, Key, Value)                                                                             \
    CM_PLAIN_BULK_(how, name, Key, Value)                                                                              \
    CM_PLAIN_BATCHES_(how, name, Key, Value)

#define CM_PLAIN_LIFE_(how, name)                                                                                      \
    /* Makes an empty map. CM_NOMEM: the capacity is too large; CM_INVALID: options that it has not (budget; fixed of  \
     * owned values or texts), or the library is of another version. */                                                \
    CM_FUNCTION_(how, cm_status, name##_init, (name * map, const cm_config *config), {                                 \
        return cm_plain_init_((struct cm_plain_ *)(void *)map, &name##_type_, config, CM_PLAIN_VERSION_,               \
                              sizeof(struct cm_plain_));                                                               \
    })                                                                                                                 \
    /* Gives everything back. O(groups) at most. */                                                                    \
    CM_FUNCTION_(how, void, name##_destroy, (name * map), { cm_plain_end_(&map->core, &name##_type_); })               \
    /* The number of entries. */                                                                                       \
    CM_FUNCTION_(how, size_t, name##_len, (const name *map), { return map->core.flat.len; })                           \
    /* Removes every entry; keeps the table. CM_DEADLOCK: a function given to the map runs. O(groups). */              \
    CM_FUNCTION_(how, cm_status, name##_clear, (name * map), { return cm_plain_clear_(&map->core, &name##_type_); })   \
    /* Makes room for so many entries in all: until there are as many, adding does not grow the table, and fails for   \
     * nothing but the memory of keys. CM_NOMEM, CM_FULL, CM_DEADLOCK. O(groups). */                                   \
    CM_FUNCTION_(how, cm_status, name##_reserve, (name * map, size_t entries),                                         \
                 { return cm_plain_reserve_(&map->core, &name##_type_, entries); })                                    \
    /* Makes the table as small as its entries allow. CM_NOMEM, CM_DEADLOCK. O(groups). */                             \
    CM_FUNCTION_(how, cm_status, name##_shrink_to_fit, (name * map),                                                   \
                 { return cm_plain_shrink_to_fit_(&map->core, &name##_type_); })                                       \
    /* What the map takes: the table, and as nodes the texts of keys. */                                               \
    CM_FUNCTION_(how, cm_memory, name##_memory, (const name *map), { return cm_plain_memory_(&map->core); })           \
    /* What it looks like inside: see figures.h; `grows` is how often the entries have moved to another table.         \
     * O(groups), and a hash of each key. */                                                                           \
    CM_FUNCTION_(how, void, name##_stats, (const name *map, cm_stats *stats), {                                        \
        memset((void *)stats, 0, sizeof *stats);                                                                       \
        cm_plain_stats_(&map->core, &name##_type_, stats);                                                             \
    })                                                                                                                 \
    /* Validates the whole structure; `reason` (may be NULL) takes what is wrong. CM_OK or CM_CORRUPT, or CM_NOMEM. */ \
    CM_FUNCTION_(how, cm_status, name##_check, (const name *map, const char **reason),                                 \
                 { return cm_plain_check_(&map->core, &name##_type_, reason); })

#endif
