/* The dynamic form of the left-right multimap (leftright_multimap.h): of types that are known at run time only.
 *
 *     struct cm_type keys, values;
 *     cm_any_multimap map;
 *     cm_any_type_text(&keys, 0);
 *     cm_any_type_u32(&values, 0);
 *     cm_status status = cm_any_multimap_init(&map, &keys, &values, NULL);
 *     if (status == CM_OK)
 *         status = cm_any_multimap_writer_open(&map, &writer);
 *     ...
 *     cm_any_multimap_insert(&writer, &channel, &user);
 *     cm_any_multimap_publish(&writer);
 *
 *     size_t count;
 *     const cm_any_multimap_view *view = cm_any_multimap_enter(&reader);
 *     const uint32_t *users = cm_any_multimap_view_get(view, &channel, &count);
 *     cm_any_multimap_leave(&reader);
 *
 * Each function of a typed multimap is here by the same name, with `cm_any_multimap` for the map's, and promises the
 * same. CM_WITH_VIEW(cm_any_multimap, &reader, view) and CM_FOREACH(cm_any_multimap_view, view, it) work, too. What
 * differs is as of the other dynamic left-right map (any_leftright.h): keys and values are given by address, and
 * functions of the user are called with addresses.
 *
 * Both types are those of a set's keys: value_size is 0, and value_alignment 1. As in typed
 * multimaps, values that are texts (key_text) are plain pointers to text of the caller's; they cannot be saved. Those
 * that own something have key_clone and key_destroy, and to be saved key_encode and key_decode. */
#ifndef CONCMAP_ANY_MULTIMAP_H
#define CONCMAP_ANY_MULTIMAP_H

#include <concmap/any.h>
#include <concmap/detail/multimap_verbs.h>
#include <concmap/leftright.h>

CM_BEGIN_DECLS

/* The map, its writer, readers, factories of them, and views. */
CM_LEFTRIGHT_HANDLES_(cm_export, cm_any_multimap)

/* What take_value gives. */
typedef struct cm_any_multimap_taken {
    void *value;        /* room of the caller's, in which take_value puts the value; NULL: CM_INVALID */
    uint64_t map;       /* whose it was; 0: it was given back */
    uint64_t published; /* and when */
    void *context;
    void (*destroy)(void *value, void *context);
} cm_any_multimap_taken;

/* How many bytes these structs have, as cm_any_sizes. */
extern CM_API const struct cm_any_multimap_sizes {
    size_t map, writer, reader, factory, taken, view_iter;
} cm_any_multimap_sizes;

CM_END_DECLS

/* ---- making and unmaking ---- */

/* As of typed multimaps. CM_INVALID also: a type is that of a cache, or has values. The types are copied. */
CM_EXTERN_C_ CM_API cm_status cm_any_multimap_init(cm_any_multimap *map, const struct cm_type *keys,
                                                   const struct cm_type *values, const cm_config *config);
CM_EXTERN_C_ CM_API void cm_any_multimap_destroy(cm_any_multimap *map);
CM_LEFTRIGHT_LIFE_(cm_export, cm_any_multimap)

/* ---- readers and views: as of typed multimaps ---- */

CM_LEFTRIGHT_READERS_(cm_export, cm_any_multimap)
CM_LEFTRIGHT_VIEWS_(cm_export, cm_any_multimap)
CM_MULTIMAP_WALKS_(cm_export, cm_any_multimap, void, void)

CM_BEGIN_DECLS

/* As of typed multimaps; arrays of keys lie close together, and so do a key's values. */
CM_API bool cm_any_multimap_get_one(cm_any_multimap_reader *reader, const void *key, void *value);
CM_API bool cm_any_multimap_contains_value(cm_any_multimap_reader *reader, const void *key, const void *value);
CM_API bool cm_any_multimap_view_contains(const cm_any_multimap_view *view, const void *key);
CM_API const void *cm_any_multimap_view_get(const cm_any_multimap_view *view, const void *key, size_t *count);
CM_API size_t cm_any_multimap_view_get_many(const cm_any_multimap_view *view, const void *keys, size_t n,
                                            const void **values, size_t *counts);
CM_API const void *cm_any_multimap_view_get_one(const cm_any_multimap_view *view, const void *key);
CM_API bool cm_any_multimap_view_contains_value(const cm_any_multimap_view *view, const void *key, const void *value);

CM_END_DECLS

/* ---- the writer: as of typed multimaps ---- */

CM_LEFTRIGHT_WRITER_(cm_export, cm_any_multimap)
CM_LEFTRIGHT_OWN_LEN_(cm_export, cm_any_multimap)
CM_MULTIMAP_SIFTS_(cm_export, cm_any_multimap, void, void)
CM_MULTIMAP_WHOLE_(cm_export, cm_any_multimap)
CM_LEFTRIGHT_SIZES_(cm_export, cm_any_multimap)

CM_BEGIN_DECLS

/* As of typed multimaps. */
CM_API uint64_t cm_any_multimap_hash_of(const cm_any_multimap *map, const void *key);
CM_API cm_status cm_any_multimap_writer_get_one(cm_any_multimap_writer *writer, const void *key, void *value);
CM_API cm_status cm_any_multimap_writer_count(cm_any_multimap_writer *writer, const void *key, size_t *count);
CM_API bool cm_any_multimap_writer_contains(cm_any_multimap_writer *writer, const void *key);
CM_API bool cm_any_multimap_writer_contains_value(cm_any_multimap_writer *writer, const void *key, const void *value);

CM_END_DECLS

/* As of typed multimaps. CM_KEYED_ declares VERB(writer, key, ...), its twins, and VERB_hashed(writer, hash, key, ...).
 */
CM_KEYED_(cm_export, cm_any_multimap, cm_any_multimap_writer, const void *, insert, (, const void *value), ())
CM_KEYED_(cm_export, cm_any_multimap, cm_any_multimap_writer, const void *, update, (, const void *value), ())
CM_KEYED_(cm_export, cm_any_multimap, cm_any_multimap_writer, const void *, remove_value, (, const void *value), ())
CM_KEYED_(cm_export, cm_any_multimap, cm_any_multimap_writer, const void *, take_value,
          (, const void *value, cm_any_multimap_taken *taken), ())
CM_KEYED_(cm_export, cm_any_multimap, cm_any_multimap_writer, const void *, remove_entry, (), ())
CM_KEYED_(cm_export, cm_any_multimap, cm_any_multimap_writer, const void *, clear_entry, (), ())
CM_KEYED_(cm_export, cm_any_multimap, cm_any_multimap_writer, const void *, reserve_values, (, size_t more), ())
CM_KEYED_(cm_export, cm_any_multimap, cm_any_multimap_writer, const void *, fit, (), ())
CM_KEYED_(cm_export, cm_any_multimap, cm_any_multimap_writer, const void *, retain_values,
          (, cm_status (*keep)(const void *value, void *context), void *context), ())
CM_LEFTRIGHT_TAKEN_(cm_export, cm_any_multimap, , , )

/* Many keys in one turn: as of typed multimaps; arrays of keys and values lie close together. */
CM_TWINS_OF_(cm_export, size_t, cm_any_multimap, insert_many,
             (cm_any_multimap_writer * writer, const void *keys, const void *values, size_t n, cm_status *results), ())
CM_TWINS_OF_(cm_export, size_t, cm_any_multimap, remove_value_many,
             (cm_any_multimap_writer * writer, const void *keys, const void *values, size_t n, cm_status *results), ())

CM_BEGIN_DECLS

/* ---- saving, loading and printing ---- */

/* As of typed multimaps (leftright_saved.h), by the version of the keys' type, and the codecs of keys that both have.
 */
CM_API cm_status cm_any_multimap_view_save(const cm_any_multimap_view *view, const cm_sink *sink,
                                           const cm_progress *progress, const char **reason);
CM_API cm_status cm_any_multimap_view_save_file(const cm_any_multimap_view *view, const char *path,
                                                const cm_progress *progress, const char **reason);
CM_API cm_status cm_any_multimap_load(cm_any_multimap *map, const struct cm_type *keys, const struct cm_type *values,
                                      const cm_config *config, const cm_source *source, const cm_progress *progress,
                                      const char **reason);
CM_API cm_status cm_any_multimap_load_file(cm_any_multimap *map, const struct cm_type *keys,
                                           const struct cm_type *values, const cm_config *config, const char *path,
                                           const cm_progress *progress, const char **reason);

/* What CM_PRINTED_MULTIMAP_VIEW (printed.h) makes for typed ones; printers are as of cm_any_print. */
CM_API cm_status cm_any_multimap_view_print(const cm_any_multimap_view *view, cm_any_printer *print_key,
                                            cm_any_printer *print_value, cm_write_text *write, void *context);

CM_END_DECLS

#endif
