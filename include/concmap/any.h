/* The dynamic map: the sharded map (sharded.h), or a cache (cache.h), of a type that is known at run time only. For
 * programs that learn their types late, and for other languages: all of it are functions of the library.
 *
 *     struct cm_type type;
 *     cm_any_type_u64(&type, sizeof(struct session));
 *     cm_any *sessions = cm_any_create(&type, NULL, NULL);
 *     cm_any_put(sessions, &key, &session, NULL);
 *
 * Each function of a typed map is here by the same name, with `cm_any` for the map's, and promises the same: what it
 * does, who waits, what it returns. CM_FOREACH(cm_any, map, it), CM_FOREACH(cm_any_frozen, &view, it) and
 * CM_WITH_WRITE(cm_any, map, &key, guard) work, too. What differs:
 *
 * Keys and values are given and taken by address, in the size and alignment that the type tells; arrays of them lie
 * close together. What is given is `const`, and may go when the call returns, but for the key of a guard or an entry,
 * which has to stay as it is until it is unlocked. A value that is taken (`void *`) may be NULL where that of a typed
 * map may. Where values have no size (a set) they are not looked at, and NULL will do.
 *
 * Functions of the user are called with addresses: cm_status function(void *value, void *context), and so on.
 *
 * Room. Some functions need room for a value: those that run a function on it, or make one, and those that replace what
 * is owned. Up to 512 bytes are on the stack; for larger values memory is taken, before any lock (but for entry_VERB,
 * under the entry's own), and CM_NOMEM means that nothing has changed. A `get` of such large values takes no memory: it
 * shares the lock of the bucket while it copies.
 *
 * Two maps (merge, equals) have to be of types that agree in all but their hash: CM_INVALID.
 *
 * Cost. Sizes are read, and hash and equality called by pointer, where typed maps have constants: some nanoseconds for
 * each call (DESIGN.md has what was measured). Maps of cm_any_type_u64() with 8 bytes of value are the fastest. In
 * checked builds (checked.h) these calls tell of deadlocks no places but CM_AT()'s, and read guards have no copies. */
#ifndef CONCMAP_ANY_H
#define CONCMAP_ANY_H

#include <concmap/printed.h>
#include <concmap/saved.h>
#include <concmap/sharded.h>

CM_BEGIN_DECLS

/* A map with its type. */
typedef struct cm_any {
    struct cm_map_ core;
    struct cm_type type;
    struct cm_layout_ layout;
    bool words; /* it is of the type of cm_any_type_u64() with 8 bytes of value, which has code of its own */
} cm_any;

/* A value that is there to be read until the guard is unlocked. */
typedef struct cm_any_read_guard {
    const void *value;
    cm_status status;
    struct cm_guard_ core;
} cm_any_read_guard;

/* A value that nobody else looks at until the guard is unlocked; NULL: it is an entry, and vacant. */
typedef struct cm_any_write_guard {
    void *value;
    cm_status status;
    const void *key; /* the caller's */
    struct cm_entry_ core;
} cm_any_write_guard;

/* A walk. Key and value are copies, which lie in it or belong to it, valid until the next step. */
typedef struct cm_any_iter {
    struct cm_iter_ core;
    const void *key;
    const void *value;
    cm_status status; /* CM_NOMEM after an iteration that ended early */
} cm_any_iter;

/* A map that does not change, and a walk over it in place. */
typedef struct cm_any_frozen {
    struct cm_frozen_ core;
} cm_any_frozen;

typedef struct cm_any_frozen_iter {
    const void *key;
    const void *value;
    struct cm_frozen_iter_ core;
} cm_any_frozen_iter;

/* All entries of one instant, and a walk over them: key and value are the snapshot's. */
typedef struct cm_any_snapshot {
    struct cm_snapshot_ core;
    const struct cm_type *type; /* the map's */
} cm_any_snapshot;

typedef struct cm_any_snapshot_iter {
    struct cm_snapshot_iter_ core;
    const void *key;
    const void *value;
} cm_any_snapshot_iter;

/* One operation of a mixed batch. GET, PUT and REMOVE leave the (old) value in `value`, which is room of the caller's;
 * INSERT and UPSERT take it as the initial one; UPDATE and UPSERT run the function. */
typedef struct cm_any_op {
    cm_op_kind kind;
    cm_status status;
    const void *key;
    void *value;
    cm_status (*function)(void *, void *);
    void *context;
} cm_any_op;

/* How many bytes these structs have: for languages that cannot see them, and give room of at least 8 bytes alignment.
 * (A map that cm_any_create() made needs none.) */
extern CM_API const struct cm_any_sizes {
    size_t type, map, read_guard, write_guard, iter, frozen, frozen_iter, snapshot, snapshot_iter;
} cm_any_sizes;

/* ---- ready-made types ---- */

/* Fills in `type`: keys of 4, 8 or 16 bytes that are equal if their bytes are (integers, addresses, UUIDs), or cm_str
 * texts hashed by SipHash; and plain values of `value_size` bytes, 0 for a set, aligned as far as their size is: to 8
 * bytes at most. Members may be changed before the map is made, to have a cache, say, or other hashes. */
CM_API void cm_any_type_u32(struct cm_type *type, size_t value_size);
CM_API void cm_any_type_u64(struct cm_type *type, size_t value_size);
CM_API void cm_any_type_u128(struct cm_type *type, size_t value_size);
CM_API void cm_any_type_text(struct cm_type *type, size_t value_size);

/* Makes the values of `type` texts (cm_str) that the map owns, and that can be saved: `put` and the like take what
 * cm_any_text_make() made, `get` hands out a copy for the caller to give to cm_any_text_free(). */
CM_API void cm_any_type_text_values(struct cm_type *type);

/* A copy of `len` bytes, by malloc: CM_NOMEM. */
CM_API cm_status cm_any_text_make(cm_str *text, const char *data, size_t len);
/* Gives it back. */
CM_API void cm_any_text_free(cm_str *text);

/* Hashes and equalities of types, for languages that cannot make such functions, or not fast ones. */
CM_API uint64_t cm_any_hash_u32(const void *key, uint64_t seed);
CM_API uint64_t cm_any_hash_u64(const void *key, uint64_t seed);
CM_API uint64_t cm_any_hash_u128(const void *key, uint64_t seed);
CM_API uint64_t cm_any_hash_text(const void *key, uint64_t seed);
CM_API uint64_t cm_any_hash_text_fast(const void *key, uint64_t seed);
CM_API bool cm_any_equal_u32(const void *a, const void *b);
CM_API bool cm_any_equal_u64(const void *a, const void *b);
CM_API bool cm_any_equal_u128(const void *a, const void *b);
CM_API bool cm_any_equal_text(const void *a, const void *b);

/* ---- making and unmaking ---- */

/* Makes an empty map of a type, which is copied. CM_NOMEM: the capacity is too large, or there is no memory for it;
 * CM_INVALID: of what the config says, or the type. That has to have
 * - a hash and an equality; keys of 1 byte at least, and of 1 GiB at most, as values;
 * - alignments of 1, 2, 4 or 8, of which the sizes are multiples;
 * - `key_text` with cm_str keys only, and those not cloned otherwise; `key_bitwise` with keys of 4 or 8 bytes only;
 * - a clone and a destroy together, or neither; an encode and a decode likewise, and none for cm_str keys;
 * - functions of a cache only where it is `cached` (NULL: nothing expires, weighs or is told).
 * `foreign` is for views of typed maps, `anchored` for the other dynamic map (any_anchored.h). `in_nodes` is set where
 * it has to be, and `move_` and `layout_` are not looked at. */
CM_API cm_status cm_any_init(cm_any *map, const struct cm_type *type, const cm_config *config);
/* The same in memory of its own, with one user: NULL, and `status` (may be NULL) says why. */
CM_API cm_any *cm_any_create(const struct cm_type *type, const cm_config *config, cm_status *status);
/* One user more, who is one already; one less: the last one destroys the map (NULL: nothing). */
CM_API cm_any *cm_any_share(cm_any *map);
CM_API void cm_any_release(cm_any *map);
/* Gives everything back of a map that was made by init. */
CM_API void cm_any_destroy(cm_any *map);

/* ---- the whole map ---- */

/* As of typed maps. CM_TWINS_ declares VERB, and its twins try_VERB and VERB_until, which has a deadline behind its
 * parameters. */
CM_API size_t cm_any_len(const cm_any *map);
CM_TWINS_(cm_export, cm_any, clear, (cm_any * map), ())
CM_API cm_status cm_any_reserve(cm_any *map, size_t entries);
CM_API cm_status cm_any_shrink_to_fit(cm_any *map);
CM_API bool cm_any_step(cm_any *map, size_t buckets);
CM_API cm_status cm_any_settle(cm_any *map);
CM_API cm_memory cm_any_memory(const cm_any *map);
/* What the map looks like inside. No lock. O(buckets). */
CM_API void cm_any_stats(const cm_any *map, cm_stats *stats);
CM_API cm_status cm_any_check(const cm_any *map, const char **reason);

/* ---- reads ---- */

/* As of typed maps. */
CM_API uint64_t cm_any_hash_of(const cm_any *map, const void *key);
CM_API bool cm_any_get(const cm_any *map, const void *key, void *value);
CM_API bool cm_any_get_hashed(const cm_any *map, uint64_t hash, const void *key, void *value);
CM_API cm_status cm_any_try_get(const cm_any *map, const void *key, void *value);
CM_API cm_status cm_any_get_until(const cm_any *map, const void *key, void *value, cm_deadline deadline);
CM_API bool cm_any_contains(const cm_any *map, const void *key);
CM_API bool cm_any_contains_hashed(const cm_any *map, uint64_t hash, const void *key);
CM_API void cm_any_prefetch(const cm_any *map, const void *key);

/* ---- writes ---- */

/* As of typed maps. CM_KEYED_ declares VERB(map, key, ...), its twins, and VERB_hashed(map, hash, key, ...). */
CM_KEYED_(cm_export, cm_any, cm_any, const void *, insert, (, const void *value), ())
/* `old` is other room than `value`, here and below. */
CM_KEYED_(cm_export, cm_any, cm_any, const void *, put, (, const void *value, void *old), ())
CM_KEYED_(cm_export, cm_any, cm_any, const void *, update, (, cm_status (*function)(void *, void *), void *context), ())
CM_KEYED_(cm_export, cm_any, cm_any, const void *, update_if,
          (, bool (*condition)(const void *, void *), cm_status (*function)(void *, void *), void *context), ())
CM_KEYED_(cm_export, cm_any, cm_any, const void *, upsert,
          (, const void *initial, cm_status (*function)(void *, void *), void *context), ())
CM_KEYED_(cm_export, cm_any, cm_any, const void *, compare_exchange,
          (, void *expected, const void *desired, bool (*equal)(const void *, const void *)), ())
CM_KEYED_(cm_export, cm_any, cm_any, const void *, get_or_insert, (, const void *initial, void *value), ())
CM_KEYED_(cm_export, cm_any, cm_any, const void *, get_or_insert_with,
          (, cm_status (*make)(void *, void *), void *context, void *value), ())
CM_KEYED_(cm_export, cm_any, cm_any, const void *, remove, (, void *old), ())
CM_KEYED_(cm_export, cm_any, cm_any, const void *, remove_if,
          (, cm_status (*condition)(void *, void *), void *context, void *old), ())
CM_KEYED_(cm_export, cm_any, cm_any, const void *, take_or, (, const void *otherwise, void *value), ())

/* ---- guards and entries ---- */

/* As of typed maps. */
CM_KEYED_(cm_export, cm_any, const cm_any, const void *, read, (, cm_any_read_guard *guard), ())
CM_API cm_status cm_any_read_unlock(cm_any_read_guard *guard);
CM_API cm_status cm_any_read_clone(const cm_any_read_guard *guard, cm_any_read_guard *clone);
CM_API cm_status cm_any_read_detach(cm_any_read_guard *guard);
CM_API cm_status cm_any_read_attach(cm_any_read_guard *guard);
CM_API cm_status cm_any_read_upgrade(cm_any_read_guard *guard, const void *key, cm_any_write_guard *writer);
CM_API cm_any_read_guard *cm_any_read_begin_(const cm_any *map, const void *key, cm_any_read_guard *guard);
CM_API void cm_any_read_end_(cm_any_read_guard *guard);

/* As of typed maps. */
CM_KEYED_(cm_export, cm_any, cm_any, const void *, write, (, cm_any_write_guard *guard), ())
CM_API cm_status cm_any_write_unlock(cm_any_write_guard *guard);
CM_API cm_status cm_any_write_downgrade(cm_any_write_guard *guard, cm_any_read_guard *reader);
CM_API cm_status cm_any_write_detach(cm_any_write_guard *guard);
CM_API cm_status cm_any_write_attach(cm_any_write_guard *guard);
CM_API cm_any_write_guard *cm_any_write_begin_(cm_any *map, const void *key, cm_any_write_guard *guard);
CM_API void cm_any_write_end_(cm_any_write_guard *guard);

/* As of typed maps; but entry_or_insert_with and entry_and_modify may be CM_NOMEM where values are large. */
CM_KEYED_(cm_export, cm_any, cm_any, const void *, entry, (, cm_any_write_guard *entry), ())
CM_API void *cm_any_entry_insert(cm_any_write_guard *entry, const void *value);
CM_API void *cm_any_entry_or_insert(cm_any_write_guard *entry, const void *value);
CM_API cm_status cm_any_entry_or_insert_with(cm_any_write_guard *entry, cm_status (*make)(void *, void *),
                                             void *context);
CM_API cm_status cm_any_entry_and_modify(cm_any_write_guard *entry, cm_status (*function)(void *, void *),
                                         void *context);
CM_API cm_status cm_any_entry_replace(cm_any_write_guard *entry, const void *value, void *old);
CM_API cm_status cm_any_entry_remove(cm_any_write_guard *entry, void *old);
CM_API cm_status cm_any_entry_unlock(cm_any_write_guard *entry);

/* As of typed maps; `keys` is an array of n keys. */
CM_TWINS_(cm_export, cm_any, with_keys,
          (cm_any * map, const void *keys, size_t n, cm_status (*function)(void **, size_t, void *), void *context), ())

/* ---- walks ---- */

/* As of typed maps. */
CM_API cm_any_iter cm_any_part_begin(const cm_any *map, unsigned part, unsigned parts);
CM_API cm_any_iter cm_any_iter_begin(const cm_any *map);
CM_TWINS_OF_(cm_export, bool, cm_any, iter_next, (cm_any_iter * iter), ())
CM_API void cm_any_iter_end(cm_any_iter *iter);
CM_TWINS_(cm_export, cm_any, for_each,
          (const cm_any *map, cm_status (*function)(const void *, const void *, void *), void *context), ())
CM_TWINS_(cm_export, cm_any, scan,
          (const cm_any *map, uint64_t *cursor, size_t count, cm_status (*function)(const void *, const void *, void *),
           void *context),
          ())

/* ---- frozen maps and snapshots ---- */

/* As of typed maps. */
CM_TWINS_(cm_export, cm_any, freeze, (const cm_any *map, cm_any_frozen *view), ())
CM_API cm_status cm_any_thaw(cm_any_frozen *view);
CM_API const void *cm_any_frozen_get(const cm_any_frozen *view, const void *key);
CM_API cm_any_frozen_iter cm_any_frozen_iter_begin(const cm_any_frozen *view);
CM_API bool cm_any_frozen_iter_next(cm_any_frozen_iter *iter);
CM_API void cm_any_frozen_iter_end(cm_any_frozen_iter *iter);
/* But the map, which has the type, must be there until the snapshot is dropped. */
CM_TWINS_(cm_export, cm_any, snapshot_take, (const cm_any *map, cm_any_snapshot *snapshot), ())
CM_API void cm_any_snapshot_drop(cm_any_snapshot *snapshot);
CM_API size_t cm_any_snapshot_len(const cm_any_snapshot *snapshot);
CM_API cm_any_snapshot_iter cm_any_snapshot_iter_begin(const cm_any_snapshot *snapshot);
CM_API bool cm_any_snapshot_iter_next(cm_any_snapshot_iter *iter);
CM_API void cm_any_snapshot_iter_end(cm_any_snapshot_iter *iter);

/* ---- all entries ---- */

/* As of typed maps. */
CM_TWINS_(cm_export, cm_any, alter_all,
          (cm_any * map, cm_status (*function)(const void *, void *, void *), void *context), ())
CM_TWINS_(cm_export, cm_any, retain,
          (cm_any * map, cm_status (*keep)(const void *, const void *, void *), void *context), ())
CM_TWINS_(cm_export, cm_any, extract_if,
          (cm_any * map, cm_status (*wanted)(const void *, const void *, void *),
           cm_status (*take)(const void *, void *, void *), void *context),
          ())
CM_TWINS_(cm_export, cm_any, drain, (cm_any * map, cm_status (*take)(const void *, void *, void *), void *context), ())
CM_TWINS_(cm_export, cm_any, merge,
          (cm_any * into, const cm_any *from, cm_status (*resolve)(void *, const void *, void *), void *context), ())
CM_API cm_status cm_any_clone(cm_any *to, const cm_any *from);
CM_API cm_status cm_any_equals(const cm_any *a, const cm_any *b, bool (*equal)(const void *, const void *));
CM_API cm_status cm_any_to_arrays(const cm_any *map, void *keys, void *values, size_t n, size_t *count);
/* As of typed maps; the types go with what they have. Snapshots are to be dropped before. */
CM_API void cm_any_swap(cm_any *a, cm_any *b);
CM_API cm_status cm_any_move(cm_any *to, cm_any *from);

/* ---- batches ---- */

/* As of typed maps; keys, values and old values are arrays. */
CM_TWINS_OF_(cm_export, size_t, cm_any, get_many,
             (const cm_any *map, const void *keys, size_t n, bool *found, void *values), ())
CM_TWINS_OF_(cm_export, size_t, cm_any, put_many,
             (cm_any * map, const void *keys, const void *values, size_t n, cm_status *results), ())
CM_TWINS_OF_(cm_export, size_t, cm_any, update_many,
             (cm_any * map, const void *keys, size_t n, cm_status (*function)(void *, void *), void *context,
              cm_status *results),
             ())
CM_TWINS_OF_(cm_export, size_t, cm_any, remove_many,
             (cm_any * map, const void *keys, size_t n, void *old, cm_status *results), ())
CM_TWINS_OF_(cm_export, size_t, cm_any, apply_many, (cm_any * map, cm_any_op *ops, size_t n), ())

/* ---- saving and loading ---- */

/* As of CM_SAVED and CM_SAVED_SNAPSHOTS, by what the type has: its version, and its encode and decode functions, which
 * keys and values need that own something (but cm_str keys), or are pointers. Padding is saved as it lies. CM_INVALID
 * also where a codec is missing. What typed maps save and these do is the same, and either loads it. */
CM_TWINS_(cm_export, cm_any, save,
          (const cm_any *map, const cm_sink *sink, const cm_progress *progress, const char **reason), ())
CM_TWINS_(cm_export, cm_any, save_file,
          (const cm_any *map, const char *path, const cm_progress *progress, const char **reason), ())
CM_API cm_status cm_any_snapshot_save(const cm_any_snapshot *snapshot, const cm_sink *sink, const cm_progress *progress,
                                      const char **reason);
CM_API cm_status cm_any_snapshot_save_file(const cm_any_snapshot *snapshot, const char *path,
                                           const cm_progress *progress, const char **reason);
/* Make the map as init does. */
CM_API cm_status cm_any_load(cm_any *map, const struct cm_type *type, const cm_config *config, const cm_source *source,
                             const cm_progress *progress, const char **reason);
CM_API cm_status cm_any_load_file(cm_any *map, const struct cm_type *type, const cm_config *config, const char *path,
                                  const cm_progress *progress, const char **reason);

/* ---- printing ---- */

/* Prints a key or a value, as a printer of printed.h does. */
typedef cm_status cm_any_printer(const void *what, cm_write_text *write, void *context);
CM_API cm_status cm_any_print_u32(const void *what, cm_write_text *write, void *context);
CM_API cm_status cm_any_print_u64(const void *what, cm_write_text *write, void *context);
CM_API cm_status cm_any_print_text(const void *what, cm_write_text *write, void *context);

/* As of CM_PRINTED, by two printers. Without one (NULL) cm_str keys are printed as texts, and everything else as its
 * bytes, in hexadecimal. Where values have no size (a set) only keys are printed. */
CM_TWINS_(cm_export, cm_any, print,
          (const cm_any *map, cm_any_printer *print_key, cm_any_printer *print_value, cm_write_text *write,
           void *context),
          ())

CM_END_DECLS

#endif
