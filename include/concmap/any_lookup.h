/* Looking keys of dynamic maps (any.h, any_anchored.h, any_leftright.h) up by something of another type that hashes and
 * compares alike: the dynamic form of lookup.h.
 *
 *     cm_any_lookup by_path = {users, path_hash, path_is_name};
 *     cm_any_lookup_get(&by_path, &path, &user);
 *
 * A look-up is used like its map: each function of a typed one is here by the same name, with `cm_any_lookup` (of
 * anchored maps `cm_any_anchored_lookup`) for its name, takes what is looked up by address, and promises what the map's
 * function does. CM_WITH_READ(cm_any_lookup, &by_path, &path, guard) and CM_WITH_WRITE work, too. It needs no making
 * nor unmaking, and any number of threads may use one. The map has to be there meanwhile; what cm_any_swap() has put
 * into it has to be of keys that mean the same.
 *
 * Left-right maps have a writer, readers and views, so a look-up in one is two functions only, and is given to each
 * call beside the one that is asked:
 *
 *     cm_any_leftright_lookup by_path = {path_hash, path_is_name};
 *     cm_any_leftright_lookup_get(&by_path, &reader, &path, &user);
 *     cm_any_leftright_lookup_remove(&by_path, &writer, &path, NULL); */
#ifndef CONCMAP_ANY_LOOKUP_H
#define CONCMAP_ANY_LOOKUP_H

#include <concmap/any_anchored.h>
#include <concmap/any_leftright.h>

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

/* ---- of left-right maps ---- */

/* As cm_any_lookup, for any such map whose keys mean the same. */
typedef struct cm_any_leftright_lookup {
    uint64_t (*hash)(const void *sought, uint64_t seed);
    bool (*equal)(const void *sought, const void *key);
} cm_any_leftright_lookup;

CM_BEGIN_DECLS

/* As of typed maps; arrays `sought` are of n things of `size` bytes. */
CM_API uint64_t cm_any_leftright_lookup_hash_of(const cm_any_leftright_lookup *by, const cm_any_leftright *map,
                                                const void *sought);
CM_API bool cm_any_leftright_lookup_get(const cm_any_leftright_lookup *by, cm_any_leftright_reader *reader,
                                        const void *sought, void *value);
CM_API size_t cm_any_leftright_lookup_get_many(const cm_any_leftright_lookup *by, cm_any_leftright_reader *reader,
                                               const void *sought, size_t size, size_t n, bool *found, void *values);
CM_API bool cm_any_leftright_lookup_view_contains(const cm_any_leftright_lookup *by, const cm_any_leftright_view *view,
                                                  const void *sought);
CM_API const void *cm_any_leftright_lookup_view_get(const cm_any_leftright_lookup *by,
                                                    const cm_any_leftright_view *view, const void *sought);
CM_API bool cm_any_leftright_lookup_view_get_key_value(const cm_any_leftright_lookup *by,
                                                       const cm_any_leftright_view *view, const void *sought,
                                                       const void **own, const void **value);
CM_API size_t cm_any_leftright_lookup_view_get_many(const cm_any_leftright_lookup *by,
                                                    const cm_any_leftright_view *view, const void *sought, size_t size,
                                                    size_t n, const void **values);
CM_API cm_status cm_any_leftright_lookup_writer_get(const cm_any_leftright_lookup *by, cm_any_leftright_writer *writer,
                                                    const void *sought, void *value);
CM_API bool cm_any_leftright_lookup_writer_contains(const cm_any_leftright_lookup *by, cm_any_leftright_writer *writer,
                                                    const void *sought);

CM_END_DECLS

/* A change by the writer: VERB(by, writer, sought, ...), its twins, and VERB_hashed(by, writer, hash, sought, ...). */
#define CM_SOUGHT_(how, verb, more, arguments)                                                                         \
    CM_TWINS_OF_(                                                                                                      \
        how, cm_status, cm_any_leftright_lookup, verb,                                                                 \
        (const cm_any_leftright_lookup *by, cm_any_leftright_writer *writer, const void *sought CM_LIST_ more),        \
        (by, writer, cm_any_leftright_lookup_hash_of_(by, writer, sought), sought CM_LIST_ arguments))                 \
    /* With a hash of the look-up. */                                                                                  \
    CM_FUNCTION_(how, cm_status, cm_any_leftright_lookup_##verb##_hashed,                                              \
                 (const cm_any_leftright_lookup *by, cm_any_leftright_writer *writer, uint64_t hash,                   \
                  const void *sought CM_LIST_ more),                                                                   \
                 {                                                                                                     \
                     CM_CALLED_();                                                                                     \
                     return CM_CHECKED && hash != cm_any_leftright_lookup_hash_of_(by, writer, sought)                 \
                                ? CM_INVALID                                                                           \
                                : cm_any_leftright_lookup_##verb##_in_(by, writer, hash, sought CM_LIST_ arguments,    \
                                                                       CM_FOREVER);                                    \
                 })

CM_SOUGHT_(cm_export, update, (, cm_status (*function)(void *, void *), void *context), ())
CM_SOUGHT_(cm_export, remove, (, void *old), ())
CM_SOUGHT_(cm_export, take, (, cm_any_leftright_taken *taken), ())

#endif
