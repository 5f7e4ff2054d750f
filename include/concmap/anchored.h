/* The anchored map: a plain pointer that stays valid, whatever others do with the map.
 *
 *     CM_ANCHORED_MAP(symbols, cm_str, struct symbol, cm_hash_str, cm_equal_str)
 *
 * makes a type `symbols` and functions `symbols_get`, `symbols_put`, ... An entry never moves and never changes: who
 * changes a value makes a new one beside it. `get` gives the address of the value, without a lock, a guard or a pin.
 *
 * How long an address stays valid is chosen at init (cm_config.references). CM_KEEP: until the map is cleared, shrunk
 * or destroyed; what was removed or replaced waits until then, so take it for maps that mostly grow. CM_DOMAIN: until
 * the calling thread next reports quiescence to the map's domain, or leaves its pin in it (domain.h); what was removed
 * or replaced is then destroyed and its memory used again. In both, an address outlives the removal and the replacement
 * of its key, and any later insert. The destroy functions of values run in later calls of the threads that removed
 * them, or of settle, step, clear and destroy; with no lock held.
 *
 * Values are written once, before anybody sees them. CM_ANCHORED_MAP_MUTABLE is for values that threads change where
 * they are, with atomics or locks inside: its addresses are not const. (update and the like copy such a value; changes
 * to the old one that come after are lost.)
 *
 * Blocking. `get`, `contains`, `get_many` and iteration are lock-free: no writer ever makes them wait. What changes an
 * entry locks one bucket for the length of the change. The functions given to `update` and the like run under that
 * lock, once, on a copy; if they return less than 0, or CM_EXISTS, nothing changes. `get_or_insert_with` runs its
 * function under no bucket's lock. Twins, hashes, failures and growth are as of the sharded map (sharded.h).
 *
 * The functions of detail/anchored_verbs.h that say so, clear, shrink_to_fit, swap, move and destroy want the map for
 * themselves, and no address in use. */
#ifndef CONCMAP_ANCHORED_H
#define CONCMAP_ANCHORED_H

#include <concmap/detail/anchored_walks.h>
#include <concmap/detail/life.h>
#include <concmap/detail/move.h>
#include <concmap/hash.h>

/* Makes a map type, with all its functions in this file. */
#define CM_ANCHORED_MAP(name, Key, Value, hash_function, equal_function)                                               \
    CM_ANCHORED_MAP_OWNED(name, Key, Value, hash_function, equal_function, CM_PLAIN, CM_PLAIN)

/* The same with keys or values that own memory, or count references: see type.h. */
#define CM_ANCHORED_MAP_OWNED(name, Key, Value, hash_function, equal_function, key_owner, value_owner)                 \
    CM_ANCHORED_MAP_(cm_inline, name, Key, Value, const Value, hash_function, equal_function, key_owner, value_owner)

/* The same with values that threads change in place. */
#define CM_ANCHORED_MAP_MUTABLE(name, Key, Value, hash_function, equal_function)                                       \
    CM_ANCHORED_MAP_MUTABLE_OWNED(name, Key, Value, hash_function, equal_function, CM_PLAIN, CM_PLAIN)
#define CM_ANCHORED_MAP_MUTABLE_OWNED(name, Key, Value, hash_function, equal_function, key_owner, value_owner)         \
    CM_ANCHORED_MAP_(cm_inline, name, Key, Value, Value, hash_function, equal_function, key_owner, value_owner)

/* The same for a type that many files use: DECLARE in a header, and DEFINE in one C file that includes it. */
#define CM_ANCHORED_MAP_DECLARE(name, Key, Value)                                                                      \
    CM_ANCHORED_MAP_(cm_declare, name, Key, Value, const Value, unused_, unused_, CM_PLAIN, CM_PLAIN)
#define CM_ANCHORED_MAP_MUTABLE_DECLARE(name, Key, Value)                                                              \
    CM_ANCHORED_MAP_(cm_declare, name, Key, Value, Value, unused_, unused_, CM_PLAIN, CM_PLAIN)
#define CM_ANCHORED_MAP_DEFINE(name, Key, Value, hash_function, equal_function)                                        \
    CM_ANCHORED_MAP_DEFINE_OWNED(name, Key, Value, hash_function, equal_function, CM_PLAIN, CM_PLAIN)
#define CM_ANCHORED_MAP_DEFINE_OWNED(name, Key, Value, hash_function, equal_function, key_owner, value_owner)          \
    CM_ANCHORED_MAP_(cm_define, name, Key, Value, const Value, hash_function, equal_function, key_owner, value_owner)

#define CM_ANCHORED_MAP_(how, name, Key, Value, Seen, hash_function, equal_function, key_owner, value_owner)           \
    CM_SHOWN_(                                                                                                         \
        how, typedef struct name { struct cm_map_ core; } name; typedef Key name##_key_; typedef Value name##_value_;  \
        typedef Seen * name##_out_;)                                                                                   \
    CM_BUCKETED_TYPE_(how, name, name##_key_, name##_value_, hash_function, equal_function, key_owner, value_owner,    \
                      CM_NO_CACHE_, true)                                                                              \
    CM_ANCHORED_FUNCTIONS_(how, name, name##_key_, name##_value_)

#define CM_ANCHORED_FUNCTIONS_(how, name, Key, Value)                                                                  \
    CM_LIFE_(how, name)                                                                                                \
    CM_ANCHORED_READS_(how, name, name, Key, Value)                                                                    \
    CM_CHANGES_(how, name, name, Key, Value)                                                                           \
    CM_ADDITIONS_(how, name, Key, Value)                                                                               \
    CM_ANCHORED_MAKES_(how, name, Key, Value)                                                                          \
    CM_ANCHORED_ALONE_(how, name, Key, Value)                                                                          \
    CM_ANCHORED_WALKS_(how, name, Key, Value)                                                                          \
    CM_BULK_(how, name, Key, Value)                                                                                    \
    CM_ANCHORED_BATCHES_(how, name, Key, Value)                                                                        \
    /* What was removed or replaced and waits, and for whom. O(threads). */                                            \
    CM_FUNCTION_(how, cm_unreclaimed, name##_unreclaimed, (const name *map),                                           \
                 { return cm_map_unreclaimed_(&map->core); })                                                          \
    /* The entries that the table is meant for: at about so many it grows. Lock-free. */                               \
    CM_FUNCTION_(how, size_t, name##_capacity, (const name *map),                                                      \
                 { return cm_map_capacity_(&map->core, &name##_type_); })

#endif
