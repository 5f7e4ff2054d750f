/* The dynamic form of the anchored map (anchored.h): of a type that is known at run time only.
 *
 *     struct cm_type type;
 *     cm_any_type_text(&type, sizeof(struct symbol));
 *     cm_any_anchored *symbols = cm_any_anchored_create(&type, NULL, NULL);
 *     const struct symbol *symbol = cm_any_anchored_get(symbols, &name);
 *
 * Each function of a typed anchored map is here by the same name, with `cm_any_anchored` for the map's, and promises
 * the same: what it does, who waits, what it returns, how long an address stays. CM_FOREACH(cm_any_anchored, map, it)
 * and CM_FOREACH(cm_any_anchored_mut, map, it) work, too. What differs is as of the other dynamic map (any.h): keys and
 * values are given by address, functions of the user are called with addresses, and room for values of more than 512
 * bytes is memory (CM_NOMEM) in get_or_insert_with, compare_exchange and merge, and with owned values in update and
 * upsert. `get` takes none.
 *
 * Values are given out as where they are, in the alignment that the type tells; who changes them there, with atomics or
 * locks inside, casts the `const` away. A set is a map whose values have no size: get_key_value tells where a key is,
 * and every other address is one to compare, not to read. */
#ifndef CONCMAP_ANY_ANCHORED_H
#define CONCMAP_ANY_ANCHORED_H

#include <concmap/anchored.h>
#include <concmap/any.h>

CM_BEGIN_DECLS

/* A map with its type. The functions of cm_any are not for what is in it. */
typedef struct cm_any_anchored {
    cm_any any;
} cm_any_anchored;

/* A walk. Key and value are where the map has them. */
typedef struct cm_any_anchored_iter {
    struct cm_nodes_iter_ core;
    const void *key;
    const void *value;
    cm_status status; /* CM_NOMEM after an iteration that ended early */
} cm_any_anchored_iter;

typedef struct cm_any_anchored_mut_iter {
    cm_any_anchored_iter core;
    const void *key;
    void *value;
} cm_any_anchored_mut_iter;

/* What may be in the map for a key, which is the caller's, or may be put there. */
typedef struct cm_any_anchored_entry_ref {
    cm_any_anchored *map;
    const void *key;
    void *value; /* NULL: it is vacant */
} cm_any_anchored_entry_ref;

/* One operation of a mixed batch. INSERT, PUT and UPSERT take `value`, UPDATE and UPSERT run the function; `seen` takes
 * where the value is that GET has found, or that the others have taken out of use; NULL: none. */
typedef struct cm_any_anchored_op {
    cm_op_kind kind;
    cm_status status;
    const void *key;
    const void *value;
    const void *seen;
    cm_status (*function)(void *, void *);
    void *context;
} cm_any_anchored_op;

/* How many bytes these structs have, as cm_any_sizes. */
extern CM_API const struct cm_any_anchored_sizes {
    size_t map, iter, mut_iter, entry_ref, op;
} cm_any_anchored_sizes;

/* ---- making and unmaking ---- */

/* As cm_any_init, of the same types but caches: those are CM_INVALID. `anchored` need not be set. */
CM_API cm_status cm_any_anchored_init(cm_any_anchored *map, const struct cm_type *type, const cm_config *config);
/* As of typed maps. */
CM_API cm_any_anchored *cm_any_anchored_create(const struct cm_type *type, const cm_config *config, cm_status *status);
CM_API cm_any_anchored *cm_any_anchored_share(cm_any_anchored *map);
CM_API void cm_any_anchored_release(cm_any_anchored *map);
CM_API void cm_any_anchored_destroy(cm_any_anchored *map);

/* ---- the whole map ---- */

/* As of typed maps. */
CM_API size_t cm_any_anchored_len(const cm_any_anchored *map);
CM_API size_t cm_any_anchored_capacity(const cm_any_anchored *map);
CM_API cm_status cm_any_anchored_clear(cm_any_anchored *map);
CM_API cm_status cm_any_anchored_reserve(cm_any_anchored *map, size_t entries);
CM_API cm_status cm_any_anchored_shrink_to_fit(cm_any_anchored *map);
CM_API bool cm_any_anchored_step(cm_any_anchored *map, size_t buckets);
CM_API cm_status cm_any_anchored_settle(cm_any_anchored *map);
CM_API cm_memory cm_any_anchored_memory(const cm_any_anchored *map);
CM_API cm_unreclaimed cm_any_anchored_unreclaimed(const cm_any_anchored *map);
CM_API void cm_any_anchored_stats(const cm_any_anchored *map, cm_stats *stats);
CM_API cm_status cm_any_anchored_check(const cm_any_anchored *map, const char **reason);

/* ---- reads ---- */

/* As of typed maps. */
CM_API uint64_t cm_any_anchored_hash_of(const cm_any_anchored *map, const void *key);
CM_API const void *cm_any_anchored_get(const cm_any_anchored *map, const void *key);
CM_API const void *cm_any_anchored_get_hashed(const cm_any_anchored *map, uint64_t hash, const void *key);
CM_API const void *cm_any_anchored_get_key_value(const cm_any_anchored *map, const void *key, const void **stored);
CM_API bool cm_any_anchored_contains(const cm_any_anchored *map, const void *key);
CM_API bool cm_any_anchored_contains_hashed(const cm_any_anchored *map, uint64_t hash, const void *key);
CM_API void cm_any_anchored_prefetch(const cm_any_anchored *map, const void *key);

/* ---- writes ---- */

/* As of typed maps. CM_KEYED_ declares VERB(map, key, ...), its twins, and VERB_hashed(map, hash, key, ...). */
CM_KEYED_(cm_export, cm_any_anchored, cm_any_anchored, const void *, insert, (, const void *value), ())
CM_KEYED_(cm_export, cm_any_anchored, cm_any_anchored, const void *, put, (, const void *value, const void **old), ())
CM_KEYED_(cm_export, cm_any_anchored, cm_any_anchored, const void *, replace, (, const void *value, const void **old),
          ())
CM_KEYED_(cm_export, cm_any_anchored, cm_any_anchored, const void *, update,
          (, cm_status (*function)(void *, void *), void *context), ())
CM_KEYED_(cm_export, cm_any_anchored, cm_any_anchored, const void *, update_if,
          (, bool (*condition)(const void *, void *), cm_status (*function)(void *, void *), void *context), ())
CM_KEYED_(cm_export, cm_any_anchored, cm_any_anchored, const void *, upsert,
          (, const void *initial, cm_status (*function)(void *, void *), void *context), ())
CM_KEYED_(cm_export, cm_any_anchored, cm_any_anchored, const void *, compare_exchange,
          (, void *expected, const void *desired, bool (*equal)(const void *, const void *)), ())
CM_KEYED_(cm_export, cm_any_anchored, cm_any_anchored, const void *, get_or_insert,
          (, const void *initial, const void **value), ())
CM_KEYED_(cm_export, cm_any_anchored, cm_any_anchored, const void *, get_or_insert_with,
          (, cm_status (*make)(void *, void *), void *context, const void **value), ())
CM_KEYED_(cm_export, cm_any_anchored, cm_any_anchored, const void *, remove, (, const void **old), ())
CM_KEYED_(cm_export, cm_any_anchored, cm_any_anchored, const void *, remove_if,
          (, cm_status (*condition)(void *, void *), void *context, const void **old), ())

/* ---- calls that want the map for themselves ---- */

/* As of typed maps. */
CM_API void *cm_any_anchored_get_mut(cm_any_anchored *map, const void *key);
CM_API cm_status cm_any_anchored_modify(cm_any_anchored *map, const void *key, cm_status (*function)(void *, void *),
                                        void *context);
CM_API cm_status cm_any_anchored_remove_entry(cm_any_anchored *map, const void *key, void *value);
CM_API cm_any_anchored_entry_ref cm_any_anchored_entry(cm_any_anchored *map, const void *key);
CM_API void *cm_any_anchored_entry_insert(cm_any_anchored_entry_ref *entry, const void *value);
CM_API cm_status cm_any_anchored_entry_remove(cm_any_anchored_entry_ref *entry, void *value);
CM_API cm_any_anchored_mut_iter cm_any_anchored_mut_iter_begin(cm_any_anchored *map);
CM_API bool cm_any_anchored_mut_iter_next(cm_any_anchored_mut_iter *iter);
CM_API void cm_any_anchored_mut_iter_end(cm_any_anchored_mut_iter *iter);
CM_API cm_status cm_any_anchored_values_mut(cm_any_anchored *map, cm_status (*function)(void *, void *), void *context);

/* ---- walks ---- */

/* As of typed maps. */
CM_API cm_any_anchored_iter cm_any_anchored_part_begin(const cm_any_anchored *map, unsigned part, unsigned parts);
CM_API cm_any_anchored_iter cm_any_anchored_iter_begin(const cm_any_anchored *map);
CM_API bool cm_any_anchored_iter_next(cm_any_anchored_iter *iter);
CM_API bool cm_any_anchored_iter_next_until(cm_any_anchored_iter *iter, cm_deadline deadline);
CM_API void cm_any_anchored_iter_end(cm_any_anchored_iter *iter);
CM_TWINS_(cm_export, cm_any_anchored, for_each,
          (const cm_any_anchored *map, cm_status (*function)(const void *, const void *, void *), void *context), ())
CM_TWINS_(cm_export, cm_any_anchored, scan,
          (const cm_any_anchored *map, uint64_t *cursor, size_t count,
           cm_status (*function)(const void *, const void *, void *), void *context),
          ())

/* ---- all entries ---- */

/* As of typed maps. */
CM_TWINS_(cm_export, cm_any_anchored, alter_all,
          (cm_any_anchored * map, cm_status (*function)(const void *, void *, void *), void *context), ())
CM_TWINS_(cm_export, cm_any_anchored, retain,
          (cm_any_anchored * map, cm_status (*keep)(const void *, const void *, void *), void *context), ())
CM_TWINS_(cm_export, cm_any_anchored, extract_if,
          (cm_any_anchored * map, cm_status (*wanted)(const void *, const void *, void *),
           cm_status (*take)(const void *, void *, void *), void *context),
          ())
CM_TWINS_(cm_export, cm_any_anchored, drain,
          (cm_any_anchored * map, cm_status (*take)(const void *, void *, void *), void *context), ())
CM_TWINS_(cm_export, cm_any_anchored, merge,
          (cm_any_anchored * into, const cm_any_anchored *from, cm_status (*resolve)(void *, const void *, void *),
           void *context),
          ())
CM_API cm_status cm_any_anchored_clone(cm_any_anchored *to, const cm_any_anchored *from);
CM_API cm_status cm_any_anchored_equals(const cm_any_anchored *a, const cm_any_anchored *b,
                                        bool (*equal)(const void *, const void *));
CM_API cm_status cm_any_anchored_to_arrays(const cm_any_anchored *map, void *keys, void *values, size_t n,
                                           size_t *count);
/* As of typed maps; the types go with what they have. */
CM_API void cm_any_anchored_swap(cm_any_anchored *a, cm_any_anchored *b);
CM_API cm_status cm_any_anchored_move(cm_any_anchored *to, cm_any_anchored *from);

/* ---- batches ---- */

/* As of typed maps; keys and values are arrays, `seen` and `old` arrays of addresses. */
CM_API size_t cm_any_anchored_get_many(const cm_any_anchored *map, const void *keys, size_t n, const void **seen);
CM_TWINS_OF_(cm_export, size_t, cm_any_anchored, put_many,
             (cm_any_anchored * map, const void *keys, const void *values, size_t n, cm_status *results), ())
CM_TWINS_OF_(cm_export, size_t, cm_any_anchored, update_many,
             (cm_any_anchored * map, const void *keys, size_t n, cm_status (*function)(void *, void *), void *context,
              cm_status *results),
             ())
CM_TWINS_OF_(cm_export, size_t, cm_any_anchored, remove_many,
             (cm_any_anchored * map, const void *keys, size_t n, const void **old, cm_status *results), ())
CM_TWINS_OF_(cm_export, size_t, cm_any_anchored, apply_many, (cm_any_anchored * map, cm_any_anchored_op *ops, size_t n),
             ())

/* ---- saving and loading ---- */

/* As of the other dynamic map. */
CM_TWINS_(cm_export, cm_any_anchored, save,
          (const cm_any_anchored *map, const cm_sink *sink, const cm_progress *progress, const char **reason), ())
CM_TWINS_(cm_export, cm_any_anchored, save_file,
          (const cm_any_anchored *map, const char *path, const cm_progress *progress, const char **reason), ())
CM_API cm_status cm_any_anchored_load(cm_any_anchored *map, const struct cm_type *type, const cm_config *config,
                                      const cm_source *source, const cm_progress *progress, const char **reason);
CM_API cm_status cm_any_anchored_load_file(cm_any_anchored *map, const struct cm_type *type, const cm_config *config,
                                           const char *path, const cm_progress *progress, const char **reason);

/* ---- printing ---- */

/* As of the other dynamic map. A value is printed where it is. */
CM_TWINS_(cm_export, cm_any_anchored, print,
          (const cm_any_anchored *map, cm_any_printer *print_key, cm_any_printer *print_value, cm_write_text *write,
           void *context),
          ())

CM_END_DECLS

#endif
