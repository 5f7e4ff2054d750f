/* Looking keys of dynamic maps (any.h, any_anchored.h) up by something of another type that hashes and compares alike:
 * the dynamic form of lookup.h.
 *
 *     cm_any_lookup by_path = {users, path_hash, path_is_name};
 *     cm_any_lookup_get(&by_path, &path, &user);
 *
 * A look-up is used like its map: each function of a typed one is here by the same name, with `cm_any_lookup` (of
 * anchored maps `cm_any_anchored_lookup`) for its name, takes what is looked up by address, and promises what the map's
 * function does. CM_WITH_READ(cm_any_lookup, &by_path, &path, guard) and CM_WITH_WRITE work, too. It needs no making
 * nor unmaking, and any number of threads may use one. The map has to be there meanwhile; what cm_any_swap() has put
 * into it has to be of keys that mean the same. */
#ifndef CONCMAP_ANY_LOOKUP_H
#define CONCMAP_ANY_LOOKUP_H

#include <concmap/any_anchored.h>

CM_BEGIN_DECLS

/* The hash takes the map's seed and must give what the map's own gives for the key that is meant; the equality is
 * called with what is looked up first, and a key of the map. Neither may use a map. */
typedef struct cm_any_lookup {
    cm_any *map;
    uint64_t (*hash)(const void *sought, uint64_t seed);
    bool (*equal)(const void *sought, const void *key);
} cm_any_lookup;

/* The same of an anchored map. */
typedef struct cm_any_anchored_lookup {
    cm_any_anchored *map;
    uint64_t (*hash)(const void *sought, uint64_t seed);
    bool (*equal)(const void *sought, const void *key);
} cm_any_anchored_lookup;

/* ---- reads ---- */

/* As of typed maps. */
CM_API uint64_t cm_any_lookup_hash_of(const cm_any_lookup *by, const void *sought);
CM_API bool cm_any_lookup_get(const cm_any_lookup *by, const void *sought, void *value);
CM_API bool cm_any_lookup_get_hashed(const cm_any_lookup *by, uint64_t hash, const void *sought, void *value);
CM_API cm_status cm_any_lookup_try_get(const cm_any_lookup *by, const void *sought, void *value);
CM_API cm_status cm_any_lookup_get_until(const cm_any_lookup *by, const void *sought, void *value,
                                         cm_deadline deadline);
CM_API bool cm_any_lookup_contains(const cm_any_lookup *by, const void *sought);
CM_API bool cm_any_lookup_contains_hashed(const cm_any_lookup *by, uint64_t hash, const void *sought);
CM_API void cm_any_lookup_prefetch(const cm_any_lookup *by, const void *sought);

/* ---- changes ---- */

/* As of typed maps. */
CM_KEYED_(cm_export, cm_any_lookup, const cm_any_lookup, const void *, update,
          (, cm_status (*function)(void *, void *), void *context), ())
CM_KEYED_(cm_export, cm_any_lookup, const cm_any_lookup, const void *, update_if,
          (, bool (*condition)(const void *, void *), cm_status (*function)(void *, void *), void *context), ())
CM_KEYED_(cm_export, cm_any_lookup, const cm_any_lookup, const void *, compare_exchange,
          (, void *expected, const void *desired, bool (*equal)(const void *, const void *)), ())
CM_KEYED_(cm_export, cm_any_lookup, const cm_any_lookup, const void *, remove, (, void *old), ())
CM_KEYED_(cm_export, cm_any_lookup, const cm_any_lookup, const void *, remove_if,
          (, cm_status (*condition)(void *, void *), void *context, void *old), ())
CM_KEYED_(cm_export, cm_any_lookup, const cm_any_lookup, const void *, take_or, (, const void *otherwise, void *value),
          ())

/* ---- guards ---- */

/* They are the map's: cm_any_read_unlock() and so on are for them. The key of a write guard is where the map has it. */
typedef cm_any_read_guard cm_any_lookup_read_guard;
typedef cm_any_write_guard cm_any_lookup_write_guard;
CM_KEYED_(cm_export, cm_any_lookup, const cm_any_lookup, const void *, read, (, cm_any_read_guard *guard), ())
CM_KEYED_(cm_export, cm_any_lookup, const cm_any_lookup, const void *, write, (, cm_any_write_guard *guard), ())
CM_API cm_any_read_guard *cm_any_lookup_read_begin_(const cm_any_lookup *by, const void *sought,
                                                    cm_any_read_guard *guard);
CM_API void cm_any_lookup_read_end_(cm_any_read_guard *guard);
CM_API cm_any_write_guard *cm_any_lookup_write_begin_(const cm_any_lookup *by, const void *sought,
                                                      cm_any_write_guard *guard);
CM_API void cm_any_lookup_write_end_(cm_any_write_guard *guard);

/* ---- of anchored maps ---- */

/* As of typed maps. */
CM_API uint64_t cm_any_anchored_lookup_hash_of(const cm_any_anchored_lookup *by, const void *sought);
CM_API const void *cm_any_anchored_lookup_get(const cm_any_anchored_lookup *by, const void *sought);
CM_API const void *cm_any_anchored_lookup_get_hashed(const cm_any_anchored_lookup *by, uint64_t hash,
                                                     const void *sought);
CM_API const void *cm_any_anchored_lookup_get_key_value(const cm_any_anchored_lookup *by, const void *sought,
                                                        const void **stored);
CM_API bool cm_any_anchored_lookup_contains(const cm_any_anchored_lookup *by, const void *sought);
CM_API bool cm_any_anchored_lookup_contains_hashed(const cm_any_anchored_lookup *by, uint64_t hash, const void *sought);
CM_API void cm_any_anchored_lookup_prefetch(const cm_any_anchored_lookup *by, const void *sought);
/* `sought` is an array of n things of `size` bytes. */
CM_API size_t cm_any_anchored_lookup_get_many(const cm_any_anchored_lookup *by, const void *sought, size_t size,
                                              size_t n, const void **seen);

/* As of typed maps. */
CM_KEYED_(cm_export, cm_any_anchored_lookup, const cm_any_anchored_lookup, const void *, update,
          (, cm_status (*function)(void *, void *), void *context), ())
CM_KEYED_(cm_export, cm_any_anchored_lookup, const cm_any_anchored_lookup, const void *, update_if,
          (, bool (*condition)(const void *, void *), cm_status (*function)(void *, void *), void *context), ())
CM_KEYED_(cm_export, cm_any_anchored_lookup, const cm_any_anchored_lookup, const void *, compare_exchange,
          (, void *expected, const void *desired, bool (*equal)(const void *, const void *)), ())
CM_KEYED_(cm_export, cm_any_anchored_lookup, const cm_any_anchored_lookup, const void *, remove, (, const void **old),
          ())
CM_KEYED_(cm_export, cm_any_anchored_lookup, const cm_any_anchored_lookup, const void *, remove_if,
          (, cm_status (*condition)(void *, void *), void *context, const void **old), ())

CM_END_DECLS

#endif
