/* The left-right set: keys alone, in the tables of the left-right map, with its readers, views, writer and promises
 * (leftright.h).
 *
 *     CM_LEFTRIGHT_SET(blocked, uint32_t, cm_hash_u32, cm_equal_u32)
 *
 * makes types `blocked`, `blocked_writer`, `blocked_reader` and `blocked_view`:
 *
 *     blocked_add(&writer, address);
 *     blocked_publish(&writer);
 *     if (blocked_contains(&reader, address)) ... */
#ifndef CONCMAP_LEFTRIGHT_SET_H
#define CONCMAP_LEFTRIGHT_SET_H

#include <concmap/leftright.h>

/* Makes a set type, with all its functions in this file. */
#define CM_LEFTRIGHT_SET(name, Key, hash_function, equal_function)                                                     \
    CM_LEFTRIGHT_SET_OWNED(name, Key, hash_function, equal_function, CM_PLAIN)

/* The same with keys that own memory, or count references: CM_OWNED(clone, destroy), see type.h. */
#define CM_LEFTRIGHT_SET_OWNED(name, Key, hash_function, equal_function, key_owner)                                    \
    CM_LEFTRIGHT_TYPE_(cm_inline, name, Key, cm_nothing, hash_function, equal_function, key_owner, CM_PLAIN)           \
    CM_LEFTRIGHT_SET_FUNCTIONS_(cm_inline, name, name##_key_)

/* The same for a type that many files use: DECLARE in a header, and DEFINE in one C file that includes it. */
#define CM_LEFTRIGHT_SET_DECLARE(name, Key)                                                                            \
    CM_LEFTRIGHT_TYPE_(cm_declare, name, Key, cm_nothing, unused_, unused_, CM_PLAIN, CM_PLAIN)                        \
    CM_LEFTRIGHT_SET_FUNCTIONS_(cm_declare, name, name##_key_)
#define CM_LEFTRIGHT_SET_DEFINE(name, Key, hash_function, equal_function)                                              \
    CM_LEFTRIGHT_TYPE_(cm_define, name, Key, cm_nothing, hash_function, equal_function, CM_PLAIN, CM_PLAIN)            \
    CM_LEFTRIGHT_SET_FUNCTIONS_(cm_define, name, name##_key_)

#define CM_LEFTRIGHT_SET_FUNCTIONS_(how, name, Key)                                                                    \
    CM_LEFTRIGHT_LOG_(how, name, cm_nothing)                                                                           \
    CM_LEFTRIGHT_INIT_(                                                                                                \
        how, name,                                                                                                     \
        cm_leftright_init_(&map->core, &name##_type_, config, CM_LEFTRIGHT_VERSION_, sizeof(struct cm_leftright_)))    \
    CM_LEFTRIGHT_LIFE_(how, name)                                                                                      \
    CM_LEFTRIGHT_READERS_(how, name)                                                                                   \
    CM_LEFTRIGHT_LOOKS_(how, name, name, Key, cm_nothing)                                                              \
    CM_LEFTRIGHT_FINDS_(how, name, name, Key)                                                                          \
    CM_LEFTRIGHT_VIEWS_(how, name)                                                                                     \
    CM_LEFTRIGHT_WALKS_(how, name, Key, cm_nothing)                                                                    \
    CM_LEFTRIGHT_WRITER_(how, name)                                                                                    \
    CM_LEFTRIGHT_OWN_KEYS_(how, name, Key)                                                                             \
    CM_LEFTRIGHT_SET_KEYS_(how, name, Key)                                                                             \
    CM_LEFTRIGHT_CLEAR_(how, name)                                                                                     \
    CM_LEFTRIGHT_SIFT_(how, name, Key, cm_nothing)                                                                     \
    CM_LEFTRIGHT_SET_RETAIN_(how, name, Key)                                                                           \
    CM_LEFTRIGHT_SIZES_(how, name)

#define CM_LEFTRIGHT_SET_KEYS_(how, name, Key)                                                                         \
    /* Whether the set has the key; inside a view, that view. Wait-free. */                                            \
    CM_FUNCTION_(how, bool, name##_contains, (name##_reader * reader, Key key),                                        \
                 { return name##_look_(reader, key, NULL); })                                                          \
    /* Looks n keys up, fetching ahead: found[i] (may be NULL) belongs to keys[i]. Returns the hits. */                \
    CM_FUNCTION_(how, size_t, name##_view_contains_many,                                                               \
                 (const name##_view *view, const Key *keys, size_t n, bool *found), {                                  \
                     const struct cm_plain_ *plain = &view->core.plain;                                                \
                     size_t hits = 0;                                                                                  \
                     CM_FLAT_BATCH_(&name##_type_, plain, i, n, hash, &keys[i], false, {                               \
                         bool hit = cm_flat_find_(&name##_type_, &plain->flat, &keys[i], hash).entry != NULL;          \
                         if (found)                                                                                    \
                             found[i] = hit;                                                                           \
                         hits += hit;                                                                                  \
                     });                                                                                               \
                     return hits;                                                                                      \
                 })                                                                                                    \
    /* The key as the view has it; NULL: it has not. Valid until the reader leaves. */                                 \
    CM_FUNCTION_(how, const Key *, name##_view_get, (const name##_view *view, Key key),                                \
                 { return (const Key *)(const void *)name##_view_find_(view, &key).entry; })                           \
    CM_LOCAL_(how, cm_status, name##_writer_has_, (name##_writer * writer, const Key *key),                            \
              CM_IN_TURN_(name, writer, CM_TURN_LOOKS_, CM_FOREVER,                                                    \
                          cm_newest_has_(&name##_type_, writer->core, key, name##_hash_of_(writer, key)) ? CM_OK       \
                                                                                                         : CM_ABSENT)) \
    /* Whether the key is there for the writer, with all its changes. */                                               \
    CM_FUNCTION_(how, bool, name##_writer_contains, (name##_writer * writer, Key key),                                 \
                 { return name##_writer_has_(writer, &key) == CM_OK; })                                                \
    CM_INNER_(how, cm_status, name##_add_one_, (name##_writer * writer, uint64_t hash, const Key *key), {              \
        Key own;                                                                                                       \
        cm_nothing nothing = {0};                                                                                      \
        cm_plain_blank_(&name##_type_, &own, NULL);                                                                    \
        return cm_leftright_set_(&name##_type_, writer->core, name##_room_, CM_SET_ABSENT_, key, hash, &nothing, &own, \
                                 NULL);                                                                                \
    })                                                                                                                 \
    CM_INNER_(how, cm_status, name##_add_in_, (name##_writer * writer, uint64_t hash, Key key, cm_deadline deadline),  \
              CM_IN_KEYED_TURN_(name, name, writer, hash, false, deadline, name##_add_one_(writer, hash, &key)))       \
    /* CM_OK: it was added; CM_EXISTS: it was there. CM_NOMEM, CM_FULL; CM_DEADLOCK, and waiting: as begin. O(1), but  \
     * for growing. */                                                                                                 \
    CM_KEYED_(how, name, name##_writer, Key, add, (), ())                                                              \
    CM_INNER_(how, cm_status, name##_remove_one_, (name##_writer * writer, uint64_t hash, const Key *key),             \
              { return cm_leftright_remove_(&name##_type_, writer->core, CM_LOG_REMOVE_, key, hash, NULL); })          \
    CM_INNER_(how, cm_status, name##_remove_in_,                                                                       \
              (name##_writer * writer, uint64_t hash, Key key, cm_deadline deadline),                                  \
              CM_IN_KEYED_TURN_(name, name, writer, hash, false, deadline, name##_remove_one_(writer, hash, &key)))    \
    /* CM_OK, or CM_ABSENT. CM_NOMEM; as add. */                                                                       \
    CM_KEYED_(how, name, name##_writer, Key, remove, (), ())                                                           \
    CM_INNER_(how, size_t, name##_add_many_in_,                                                                        \
              (name##_writer * writer, const Key *keys, size_t n, cm_status *results, cm_deadline deadline),           \
              CM_IN_TURN_OF_MANY_(name, &name##_type_, writer, false, deadline, i, n, hash, &keys[i],                  \
                                  name##_add_one_(writer, hash, &keys[i]), CM_NOTE_RESULT_(results, i),                \
                                  status == CM_OK))                                                                    \
    /* Adds n keys, in order, in one turn, fetching ahead in large tables: other threads' changes come before or       \
     * behind all of them, and no publication comes between. `results` (may be NULL) takes what add would return.      \
     * Returns how many were added; 0, where the batch could not begin, and that is each one's result. May wait, as    \
     * begin does. O(n). */                                                                                            \
    CM_TWINS_OF_(how, size_t, name, add_many, (name##_writer * writer, const Key *keys, size_t n, cm_status *results), \
                 (writer, keys, n, results))                                                                           \
    CM_INNER_(how, size_t, name##_remove_many_in_,                                                                     \
              (name##_writer * writer, const Key *keys, size_t n, cm_status *results, cm_deadline deadline),           \
              CM_IN_TURN_OF_MANY_(name, &name##_type_, writer, false, deadline, i, n, hash, &keys[i],                  \
                                  name##_remove_one_(writer, hash, &keys[i]), CM_NOTE_RESULT_(results, i),             \
                                  status == CM_OK))                                                                    \
    /* Removes n keys, in order. Returns how many there were. As add_many. */                                          \
    CM_TWINS_OF_(how, size_t, name, remove_many,                                                                       \
                 (name##_writer * writer, const Key *keys, size_t n, cm_status *results), (writer, keys, n, results))

#define CM_LEFTRIGHT_SET_RETAIN_(how, name, Key)                                                                       \
    CM_HIDDEN_(                                                                                                        \
        how, struct name##_keep_ {                                                                                     \
            cm_status (*function)(const Key *, void *);                                                                \
            void *context;                                                                                             \
        };)                                                                                                            \
    CM_LOCAL_(how, cm_status, name##_keep_key_, (const Key *key, const cm_nothing *nothing, void *context), {          \
        struct name##_keep_ *keep = (struct name##_keep_ *)context;                                                    \
        (void)nothing;                                                                                                 \
        return keep->function(key, keep->context);                                                                     \
    })                                                                                                                 \
    CM_INNER_(how, cm_status, name##_retain_in_,                                                                       \
              (name##_writer * writer, cm_status(*keep)(const Key *, void *), void *context, cm_deadline deadline), {  \
                  struct name##_keep_ made = {keep, context};                                                          \
                  CM_IN_TURN_(name, writer, CM_TURN_CHANGES_, deadline, name##_sift_(writer, name##_keep_key_, &made)) \
              })                                                                                                       \
    /* Removes the keys for which `keep` returns CM_ABSENT, and keeps those for which it returns CM_OK. As of the map. \
     */                                                                                                                \
    CM_TWINS_(how, name, retain, (name##_writer * writer, cm_status(*keep)(const Key *, void *), void *context),       \
              (writer, keep, context))

#endif
