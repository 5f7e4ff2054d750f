/* Saving what left-right maps, sets and multimaps have published, and loading them again: in the way, and in the
 * format, of the other maps (saved.h).
 *
 *     CM_LEFTRIGHT_MAP(routes, uint32_t, struct route, cm_hash_u32, cm_equal_u32)
 *     CM_LEFTRIGHT_SAVED(routes, 1)
 *
 * makes routes_view_save and routes_view_save_file, routes_load and routes_load_file. The number is yours, as of
 * CM_SAVED. What a map or a set saves other maps and sets load that have keys and values of the same types, and the
 * other way round.
 *
 * What is saved is a view: a state that was published, with its meta value. Readers and the writer go on meanwhile; but
 * who saves is inside, and the batch after the next publication waits for it.
 *
 * What is loaded is there for readers at once, meta value included, without a publication. */
#ifndef CONCMAP_LEFTRIGHT_SAVED_H
#define CONCMAP_LEFTRIGHT_SAVED_H

#include <concmap/detail/side_saved.h>
#include <concmap/leftright.h>
#include <concmap/saved.h>

/* Makes the functions, in this file; codecs are as of CM_SAVED_CODED, for keys and values that bytes do not say all
 * about. */
#define CM_LEFTRIGHT_SAVED(name, version) CM_LEFTRIGHT_SAVED_CODED(name, version, CM_UNCODED, CM_UNCODED)
#define CM_LEFTRIGHT_SAVED_CODED(name, version, key_codec, value_codec)                                                \
    CM_LEFTRIGHT_SAVED_(cm_inline, name, version, key_codec, value_codec)
/* The same for a set. */
#define CM_LEFTRIGHT_SAVED_SET(name, version) CM_LEFTRIGHT_SAVED_CODED(name, version, CM_UNCODED, CM_UNCODED)
/* The same for a multimap: each key with its values, in their order. Codecs are of one value. */
#define CM_LEFTRIGHT_SAVED_MULTIMAP(name, version)                                                                     \
    CM_LEFTRIGHT_SAVED_MULTIMAP_CODED(name, version, CM_UNCODED, CM_UNCODED)
#define CM_LEFTRIGHT_SAVED_MULTIMAP_CODED(name, version, key_codec, value_codec)                                       \
    CM_LEFTRIGHT_SAVED_SEVERAL_(cm_inline, name, version, key_codec, value_codec)

/* The same for types that many files use: DECLARE in the header, for any of them, and DEFINE in the C file that defines
 * the type. */
#define CM_LEFTRIGHT_SAVED_DECLARE(name) CM_LEFTRIGHT_SAVED_FUNCTIONS_(cm_declare, name)
#define CM_LEFTRIGHT_SAVED_DEFINE(name, version, key_codec, value_codec)                                               \
    CM_LEFTRIGHT_SAVED_(cm_define, name, version, key_codec, value_codec)
#define CM_LEFTRIGHT_SAVED_MULTIMAP_DEFINE(name, version, key_codec, value_codec)                                      \
    CM_LEFTRIGHT_SAVED_SEVERAL_(cm_define, name, version, key_codec, value_codec)

#define CM_LEFTRIGHT_SAVED_(how, name, version, key_codec, value_codec)                                                \
    CM_SAVED_TYPE_(how, name, name, name##_key_, name##_value_, version, key_codec, value_codec)                       \
    CM_LEFTRIGHT_SAVED_FUNCTIONS_(how, name)

#define CM_LEFTRIGHT_SAVED_SEVERAL_(how, name, version, key_codec, value_codec)                                        \
    CM_SAVED_PARTS_(how, name, name##_type_, name##_key_owned_, name##_key_, name##_bag_key_owned_, name##_one_,       \
                    &name##_bag_type_, version, key_codec, value_codec)                                                \
    CM_LEFTRIGHT_SAVED_FUNCTIONS_(how, name)

#define CM_LEFTRIGHT_SAVED_FUNCTIONS_(how, name)                                                                       \
    /* Writes what the view has to a sink. `progress` and `reason` may be NULL; `reason` takes why it failed, a static \
     * text, or NULL. CM_OK; what the sink, a codec or the progress function returned; CM_NOMEM; CM_INVALID: a text or \
     * coded part of 4 GiB or more. What a sink has by then is not worth anything. Takes 128 KiB, or twice the largest \
     * entry (of a multimap: with all values). Waits for nothing but the sink. O(groups). */                           \
    CM_FUNCTION_(how, cm_status, name##_view_save,                                                                     \
                 (const name##_view *view, const cm_sink *sink, const cm_progress *progress, const char **reason),     \
                 { return cm_side_save_(&view->core, &name##_saved_type_, sink, progress, reason); })                  \
    /* The same to a file, as save_file of the other maps: written beside `path`, which it replaces when it is         \
     * complete and on the disk. CM_IO; CM_INVALID. Waits for the disk. */                                             \
    CM_FUNCTION_(how, cm_status, name##_view_save_file,                                                                \
                 (const name##_view *view, const char *path, const cm_progress *progress, const char **reason),        \
                 CM_SAVED_FILE_(path, reason, name##_view_save(view, &sink, progress, &why)))                          \
    CM_LOCAL_(how, cm_status, name##_load_from_,                                                                       \
              (name * map, const cm_config *config, const cm_source *source, const struct cm_file_ *file,              \
               const cm_progress *progress, const char **reason),                                                      \
              {                                                                                                        \
                  return cm_leftright_load_(&map->core, &name##_saved_type_, config, CM_LEFTRIGHT_VERSION_,            \
                                            sizeof(struct cm_leftright_), source, file, progress, reason);             \
              })                                                                                                       \
    /* Makes a map as init does, and fills it from a source, which is read to the end of what was saved, no further:   \
     * CM_OK, and readers see it all. After a failure there is no map, and `reason` (may be NULL) takes why:           \
     * CM_CORRUPT: the stream ends too early, or is damaged; CM_INVALID: it is none, of a newer format, of other       \
     * types, of another number or byte order; CM_FULL: more than the config's limit; CM_NOMEM; what the source, a     \
     * codec or the progress function returned. O(entries). */                                                         \
    CM_FUNCTION_(how, cm_status, name##_load,                                                                          \
                 (name * map, const cm_config *config, const cm_source *source, const cm_progress *progress,           \
                  const char **reason),                                                                                \
                 { return name##_load_from_(map, config, source, NULL, progress, reason); })                           \
    /* The same from a file, in which nothing may follow. CM_IO. */                                                    \
    CM_FUNCTION_(                                                                                                      \
        how, cm_status, name##_load_file,                                                                              \
        (name * map, const cm_config *config, const char *path, const cm_progress *progress, const char **reason),     \
        CM_LOADED_FILE_(path, reason, name##_load_from_(map, config, &source, &file, progress, &why)))

#endif
