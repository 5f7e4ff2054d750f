/* The anchored set: keys alone, whose addresses stay valid, in the table of the anchored map, with its promises.
 *
 *     CM_ANCHORED_SET(atoms, cm_str, cm_hash_str, cm_equal_str)
 *
 * makes a type `atoms` and functions `atoms_add`, `atoms_get`, ... It is what interns texts: all who ask for equal keys
 * get one address, so that comparing addresses will do from then on. Blocking, growth, failure, and how long an address
 * stays valid, are those of the map (anchored.h); so are the functions that have its names. */
#ifndef CONCMAP_ANCHORED_SET_H
#define CONCMAP_ANCHORED_SET_H

#include <concmap/anchored.h>
#include <concmap/detail/set.h>

#define CM_ANCHORED_SET(name, Key, hash_function, equal_function)                                                      \
    CM_ANCHORED_MAP(name##_as, Key, cm_nothing, hash_function, equal_function)                                         \
    CM_ANCHORED_SET_FUNCTIONS_(cm_inline, name, name##_as_key_)

/* As of the map: for a type that many files use. */
#define CM_ANCHORED_SET_DECLARE(name, Key)                                                                             \
    CM_ANCHORED_MAP_(cm_types, name##_as, Key, cm_nothing, const cm_nothing, unused_, unused_, CM_PLAIN, CM_PLAIN)     \
    CM_ANCHORED_SET_FUNCTIONS_(cm_declare, name, name##_as_key_)
#define CM_ANCHORED_SET_DEFINE(name, Key, hash_function, equal_function)                                               \
    CM_ANCHORED_MAP_(cm_local, name##_as, Key, cm_nothing, const cm_nothing, hash_function, equal_function, CM_PLAIN,  \
                     CM_PLAIN)                                                                                         \
    CM_ANCHORED_SET_FUNCTIONS_(cm_define, name, name##_as_key_)

#define CM_ANCHORED_SET_FUNCTIONS_(how, name, Key)                                                                     \
    CM_SET_FUNCTIONS_(how, name, Key)                                                                                  \
    /* As of the map: for when nobody else is in the set, and no address in use. */                                    \
    CM_FUNCTION_(how, cm_status, name##_clear, (name * set), { return name##_as_clear(set); })                         \
    CM_FUNCTION_(how, size_t, name##_capacity, (const name *set), { return name##_as_capacity(set); })                 \
    /* Where the set has the key, or NULL: it has not. It stays there for as long as the map promises. As the map's    \
     * get. */                                                                                                         \
    CM_FUNCTION_(how, const Key *, name##_get, (const name *set, Key key), {                                           \
        const Key *stored = NULL;                                                                                      \
        return name##_as_get_key_value(set, key, &stored) ? stored : NULL;                                             \
    })                                                                                                                 \
    CM_INNER_(how, const Key *, name##_key_at_, (name##_as_out_ value), {                                              \
        const struct cm_layout_ layout = cm_layout_of_(&name##_as_type_);                                              \
        return (const Key *)(const void *)((const char *)value - layout.node_value + layout.node_key);                 \
    })                                                                                                                 \
    CM_INNER_(how, cm_status, name##_get_or_add_in_,                                                                   \
              (name * set, uint64_t hash, Key key, const Key **stored, cm_deadline deadline), {                        \
                  cm_nothing nothing = {0};                                                                            \
                  name##_as_out_ at = NULL;                                                                            \
                  cm_status status = name##_as_get_or_insert_in_(set, hash, key, nothing, &at, deadline);              \
                  if (status >= 0)                                                                                     \
                      *stored = name##_key_at_(at);                                                                    \
                  return status;                                                                                       \
              })                                                                                                       \
    /* Adds the key if it is absent: CM_OK, or CM_EXISTS. *stored takes where the set has it now, the same place for   \
     * all who ask. No lock is taken where the key is present. CM_NOMEM, CM_FULL. */                                   \
    CM_KEYED_(how, name, name, Key, get_or_add, (, const Key **stored), (, stored))                                    \
    /* Looks n keys up, fetching ahead in large tables: seen[i] is what get would give for keys[i]. Returns the hits.  \
     */                                                                                                                \
    CM_FUNCTION_(how, size_t, name##_get_many, (const name *set, const Key *keys, size_t n, const Key **seen), {       \
        name##_as_out_ some[CM_SET_SOME_];                                                                             \
        size_t hits = 0;                                                                                               \
        for (size_t done = 0; done < n; done += CM_SET_SOME_) {                                                        \
            size_t now = n - done < CM_SET_SOME_ ? n - done : CM_SET_SOME_;                                            \
            hits += name##_as_get_many(set, keys + done, now, some);                                                   \
            for (size_t i = 0; i < now; i++)                                                                           \
                seen[done + i] = some[i] ? name##_key_at_(some[i]) : NULL;                                             \
        }                                                                                                              \
        return hits;                                                                                                   \
    })                                                                                                                 \
    /* Goes to the next key; false at the end, or where `status` is CM_NOMEM. Lock-free. */                            \
    CM_FUNCTION_(how, bool, name##_iter_next, (name##_iter * iter), { return name##_as_iter_next(iter); })             \
    CM_FUNCTION_(how, bool, name##_iter_next_until, (name##_iter * iter, cm_deadline deadline),                        \
                 { return name##_as_iter_next_until(iter, deadline); })

/* Keys whose addresses are got at once. */
#define CM_SET_SOME_ 64

#endif
