/* The dynamic form of the left-right map (leftright.h): of a type that is known at run time only.
 *
 *     struct cm_type type;
 *     cm_any_leftright map;
 *     cm_any_type_u32(&type, sizeof(struct route));
 *     cm_status status = cm_any_leftright_init(&map, &type, NULL);
 *     if (status == CM_OK)
 *         status = cm_any_leftright_writer_open(&map, &writer);
 *     ...
 *     cm_any_leftright_put(&writer, &prefix, &route, NULL);
 *     cm_any_leftright_publish(&writer);
 *
 *     const cm_any_leftright_view *view = cm_any_leftright_enter(&reader);
 *     const struct route *hop = cm_any_leftright_view_get(view, &prefix);
 *     cm_any_leftright_leave(&reader);
 *
 * Each function of a typed left-right map is here by the same name, with `cm_any_leftright` for the map's, and promises
 * the same: what it does, who waits, what it returns, how long an address stays. CM_WITH_VIEW(cm_any_leftright,
 * &reader, view) and CM_FOREACH(cm_any_leftright_view, view, it) work, too. What differs is as of the other dynamic map
 * (any.h): keys and values are given by address, and functions of the user are called with addresses. No call takes
 * memory for room: the map has that from the beginning.
 *
 * A set is a map whose values have no size: view_get_key_value tells where a key is, and every other address is one to
 * compare, not to read. */
#ifndef CONCMAP_ANY_LEFTRIGHT_H
#define CONCMAP_ANY_LEFTRIGHT_H

#include <concmap/any.h>
#include <concmap/leftright.h>

CM_BEGIN_DECLS

/* The map, its writer, readers, factories of them, and views. */
CM_LEFTRIGHT_HANDLES_(cm_export, cm_any_leftright)

/* What take gives. */
typedef struct cm_any_leftright_taken {
    void *value;        /* room of the caller's, in which take puts the value; NULL: CM_INVALID, but of sets */
    uint64_t map;       /* whose it was; 0: it was given back */
    uint64_t published; /* and when */
    void *context;
    void (*destroy)(void *value, void *context);
} cm_any_leftright_taken;

/* How many bytes these structs have, as cm_any_sizes. */
extern CM_API const struct cm_any_leftright_sizes {
    size_t map, writer, reader, factory, taken, view_iter;
} cm_any_leftright_sizes;

CM_END_DECLS

/* ---- making and unmaking ---- */

/* As of typed maps, of the same types as cm_any_init takes, but caches: those are CM_INVALID. The type is copied. */
CM_EXTERN_C_ CM_API cm_status cm_any_leftright_init(cm_any_leftright *map, const struct cm_type *type,
                                                    const cm_config *config);
CM_EXTERN_C_ CM_API void cm_any_leftright_destroy(cm_any_leftright *map);
CM_LEFTRIGHT_LIFE_(cm_export, cm_any_leftright)

/* ---- readers and views: as of typed maps ---- */

CM_LEFTRIGHT_READERS_(cm_export, cm_any_leftright)
CM_LEFTRIGHT_VIEWS_(cm_export, cm_any_leftright)
CM_LEFTRIGHT_WALKS_(cm_export, cm_any_leftright, void, void)

CM_BEGIN_DECLS

/* As of typed maps; arrays of keys and values lie close together. */
CM_API bool cm_any_leftright_get(cm_any_leftright_reader *reader, const void *key, void *value);
CM_API size_t cm_any_leftright_get_many(cm_any_leftright_reader *reader, const void *keys, size_t n, bool *found,
                                        void *values);
CM_API bool cm_any_leftright_view_contains(const cm_any_leftright_view *view, const void *key);
CM_API const void *cm_any_leftright_view_get(const cm_any_leftright_view *view, const void *key);
CM_API bool cm_any_leftright_view_get_key_value(const cm_any_leftright_view *view, const void *key, const void **own,
                                                const void **value);
CM_API size_t cm_any_leftright_view_get_many(const cm_any_leftright_view *view, const void *keys, size_t n,
                                             const void **values);

CM_END_DECLS

/* ---- the writer: as of typed maps ---- */

CM_LEFTRIGHT_WRITER_(cm_export, cm_any_leftright)
CM_LEFTRIGHT_OWN_LEN_(cm_export, cm_any_leftright)
CM_LEFTRIGHT_CLEAR_(cm_export, cm_any_leftright)
CM_LEFTRIGHT_RETAIN_(cm_export, cm_any_leftright, void, void)
CM_LEFTRIGHT_SIZES_(cm_export, cm_any_leftright)

CM_BEGIN_DECLS

/* As of typed maps. */
CM_API uint64_t cm_any_leftright_hash_of(const cm_any_leftright *map, const void *key);
CM_API cm_status cm_any_leftright_writer_get(cm_any_leftright_writer *writer, const void *key, void *value);
CM_API bool cm_any_leftright_writer_contains(cm_any_leftright_writer *writer, const void *key);

CM_END_DECLS

/* As of typed maps. CM_KEYED_ declares VERB(writer, key, ...), its twins, and VERB_hashed(writer, hash, key, ...). */
CM_KEYED_(cm_export, cm_any_leftright, cm_any_leftright_writer, const void *, insert, (, const void *value), ())
CM_KEYED_(cm_export, cm_any_leftright, cm_any_leftright_writer, const void *, put, (, const void *value, void *old), ())
CM_KEYED_(cm_export, cm_any_leftright, cm_any_leftright_writer, const void *, replace, (, const void *value, void *old),
          ())
CM_KEYED_(cm_export, cm_any_leftright, cm_any_leftright_writer, const void *, update,
          (, cm_status (*function)(void *, void *), void *context), ())
CM_KEYED_(cm_export, cm_any_leftright, cm_any_leftright_writer, const void *, upsert,
          (, const void *initial, cm_status (*function)(void *, void *), void *context), ())
CM_KEYED_(cm_export, cm_any_leftright, cm_any_leftright_writer, const void *, remove, (, void *old), ())
CM_KEYED_(cm_export, cm_any_leftright, cm_any_leftright_writer, const void *, take, (, cm_any_leftright_taken *taken),
          ())
CM_LEFTRIGHT_TAKEN_(cm_export, cm_any_leftright, , , )

/* Many keys in one turn: as of typed maps; arrays of keys and values lie close together. */
CM_TWINS_OF_(cm_export, size_t, cm_any_leftright, put_many,
             (cm_any_leftright_writer * writer, const void *keys, const void *values, size_t n, cm_status *results), ())
CM_TWINS_OF_(cm_export, size_t, cm_any_leftright, update_many,
             (cm_any_leftright_writer * writer, const void *keys, size_t n, cm_status (*function)(void *, void *),
              void *context, cm_status *results),
             ())
CM_TWINS_OF_(cm_export, size_t, cm_any_leftright, remove_many,
             (cm_any_leftright_writer * writer, const void *keys, size_t n, void *old, cm_status *results), ())
/* `value` is room of the caller's, from which INSERT, PUT and UPSERT take theirs, and in which GET, PUT and REMOVE
 * leave a copy of what was there. */
typedef cm_any_op cm_any_leftright_op;
CM_TWINS_OF_(cm_export, size_t, cm_any_leftright, apply_many,
             (cm_any_leftright_writer * writer, cm_any_leftright_op *ops, size_t n), ())

CM_BEGIN_DECLS

/* ---- saving, loading and printing ---- */

/* As of typed maps (leftright_saved.h), by the type's version and codecs. */
CM_API cm_status cm_any_leftright_view_save(const cm_any_leftright_view *view, const cm_sink *sink,
                                            const cm_progress *progress, const char **reason);
CM_API cm_status cm_any_leftright_view_save_file(const cm_any_leftright_view *view, const char *path,
                                                 const cm_progress *progress, const char **reason);
CM_API cm_status cm_any_leftright_load(cm_any_leftright *map, const struct cm_type *type, const cm_config *config,
                                       const cm_source *source, const cm_progress *progress, const char **reason);
CM_API cm_status cm_any_leftright_load_file(cm_any_leftright *map, const struct cm_type *type, const cm_config *config,
                                            const char *path, const cm_progress *progress, const char **reason);

/* What CM_PRINTED_VIEW (printed.h) makes for typed ones; printers are as of cm_any_print. */
CM_API cm_status cm_any_leftright_view_print(const cm_any_leftright_view *view, cm_any_printer *print_key,
                                             cm_any_printer *print_value, cm_write_text *write, void *context);

CM_END_DECLS

#endif
