/* The typed functions of a left-right map's writer. */
#ifndef CONCMAP_DETAIL_LEFTRIGHT_WRITES_H
#define CONCMAP_DETAIL_LEFTRIGHT_WRITES_H

#include <concmap/detail/leftright_life.h>

/* The body of a call of the writer; `does`: CM_TURN_CHANGES_ and the like. */
#define CM_IN_TURN_(name, writer, does, deadline, call)                                                                \
    {                                                                                                                  \
        struct cm_turn_ turn_;                                                                                         \
        int got_ = cm_turn_begin_((writer)->core, &turn_, does, deadline, name##_replay_);                             \
        if (CM_UNLIKELY(got_ < 0))                                                                                     \
            return (cm_status)got_;                                                                                    \
        cm_status status_ = call;                                                                                      \
        cm_turn_end_((writer)->core, &turn_);                                                                          \
        return status_;                                                                                                \
    }

/* The same of a call that changes one key; `calls`: it runs a function. */
#define CM_IN_KEYED_TURN_(by, name, writer, hash, calls, deadline, call)                                               \
    {                                                                                                                  \
        const unsigned does_ = CM_TURN_CHANGES_ | (calls ? 0 : cm_turn_bare_(&by##_type_));                            \
        cm_leftright_fetch_(&by##_type_, (writer)->core, hash);                                                        \
        CM_IN_TURN_(name, writer, does_, deadline, call)                                                               \
    }

#define CM_LEFTRIGHT_LOG_(how, name, Value)                                                                            \
    CM_HIDDEN_(                                                                                                        \
        how,                                                                                                           \
        static __attribute__((noinline, unused)) void name##_replay_(struct cm_leftright_ *core) {                     \
            Value scratch;                                                                                             \
            cm_plain_blank_(&name##_type_, NULL, &scratch);                                                            \
            cm_leftright_replay_(&name##_type_, core, &scratch);                                                       \
        } static __attribute__((noinline, unused))                                                                     \
        cm_status name##_room_(struct cm_leftright_ *core) { return cm_leftright_grow_(&name##_type_, core); })

#define CM_LEFTRIGHT_WRITER_(how, name)                                                                                \
    /* Makes the map's writer, of which there is one at a time; one thread at a time may use it. CM_BUSY: somebody has \
     * it. It goes on where the last one stopped. */                                                                   \
    CM_FUNCTION_(how, cm_status, name##_writer_open, (const name *map, name##_writer *writer), {                       \
        writer->core = map->core;                                                                                      \
        return cm_writer_open_(map->core, false);                                                                      \
    })                                                                                                                 \
    /* The same for many threads: each call takes a lock. Writers wait for readers without it. `publish` shows what    \
     * all of them did; writer_lock keeps several calls together. */                                                   \
    CM_FUNCTION_(how, cm_status, name##_writer_open_shared, (const name *map, name##_writer *writer), {                \
        writer->core = map->core;                                                                                      \
        return cm_writer_open_(map->core, true);                                                                       \
    })                                                                                                                 \
    /* Publishes, and lets another writer be opened. Readers go on with what was published. CM_DEADLOCK: a function    \
     * given to the map runs. Never waits for readers. */                                                              \
    CM_FUNCTION_(how, cm_status, name##_writer_close, (name##_writer * writer),                                        \
                 { return cm_writer_close_(writer->core, false); })                                                    \
    /* As writer_close; readers that enter from now on are told: NULL, until a writer is opened again. */              \
    CM_FUNCTION_(how, cm_status, name##_writer_end, (name##_writer * writer),                                          \
                 { return cm_writer_close_(writer->core, true); })                                                     \
    CM_INNER_(how, cm_status, name##_begin_in_, (name##_writer * writer, cm_deadline deadline),                        \
              CM_IN_TURN_(name, writer, CM_TURN_CHANGES_, deadline, CM_OK))                                            \
    /* Begins a batch, as the first change does by itself: waits until no reader is on the side that was published     \
     * before the last one, brings it up to date, and destroys what the last batch removed. Without readers there, or  \
     * with a batch under way, it waits for nothing. CM_DEADLOCK: the thread itself has such a view; or a function     \
     * given to the map runs. CM_BUSY also between writer_lock and writer_unlock. O(changes of the last batch). */     \
    CM_TWINS_(how, name, begin, (name##_writer * writer), (writer))                                                    \
    /* Shows readers that enter from now on all changes since the last time, at once. Never waits for readers: a       \
     * thread may publish inside a view, and go on reading it. CM_DEADLOCK: a function given to the map runs. O(1). */ \
    CM_FUNCTION_(how, cm_status, name##_publish, (name##_writer * writer),                                             \
                 { return cm_leftright_publish_(writer->core, false); })                                               \
    /* Publishes if there is something to be published: then as publish. Takes no lock where others have published it. \
     */                                                                                                                \
    CM_FUNCTION_(how, cm_status, name##_flush, (name##_writer * writer),                                               \
                 { return cm_leftright_publish_(writer->core, true); })                                                \
    /* From now on, until the writer is closed, each call that makes `changes` or more of them pending publishes them; \
     * between writer_lock and writer_unlock, the latter does. 1: each change is published by itself, behind one lock  \
     * with it; 0: none is, as at first. Each call begins a batch, then, as `begin` does: inside a view of its own, a  \
     * thread may make one, and not the next. CM_DEADLOCK: a function given to the map runs. O(1). */                  \
    CM_FUNCTION_(how, cm_status, name##_publish_every, (name##_writer * writer, uint64_t changes),                     \
                 { return cm_leftright_publish_every_(writer->core, changes); })                                       \
    /* Whether something is to be published. */                                                                        \
    CM_FUNCTION_(how, bool, name##_has_pending, (name##_writer * writer),                                              \
                 { return cm_leftright_pending_(writer->core); })                                                      \
    /* From now on, after each publication, the function is called once no reader is left on the side that the next    \
     * batch needs: by who publishes, or by a reader that leaves, enters or is closed. NULL: not any more, but for a   \
     * call that a reader has begun. It must not use the map; it is not called where the next batch begins before. For \
     * event loops: see cm_notify_fd(). */                                                                             \
    CM_FUNCTION_(how, cm_status, name##_when_free,                                                                     \
                 (name##_writer * writer, void (*function)(void *context), void *context),                             \
                 { return cm_leftright_when_free_(writer->core, function, context); })                                 \
    CM_INNER_(how, cm_status, name##_set_meta_in_, (name##_writer * writer, uint64_t meta, cm_deadline deadline),      \
              CM_IN_TURN_(name, writer, CM_TURN_CHANGES_, deadline, cm_leftright_meta_set_(writer->core, meta)))       \
    /* A number that views tell, of the same state as the entries: a version, a time, or a pointer as uintptr_t. May   \
     * wait, as begin does. */                                                                                         \
    CM_TWINS_(how, name, set_meta, (name##_writer * writer, uint64_t meta), (writer, meta))                            \
    CM_INNER_(how, cm_status, name##_writer_lock_in_, (name##_writer * writer, cm_deadline deadline),                  \
              { return cm_writer_lock_(writer->core, deadline, name##_replay_); })                                     \
    /* Keeps other threads' calls out of a shared writer until writer_unlock, and begins a batch. Inside, a batch that \
     * follows a publication is CM_BUSY if readers bar it. CM_DEADLOCK: the thread has the lock already; and as begin. \
     * CM_INVALID: the writer is not shared. */                                                                        \
    CM_TWINS_(how, name, writer_lock, (name##_writer * writer), (writer))                                              \
    /* By the thread that has locked it. */                                                                            \
    CM_FUNCTION_(how, void, name##_writer_unlock, (name##_writer * writer), { cm_writer_unlock_(writer->core); })

/* What the writer sees, with its own changes: of keys. */
#define CM_LEFTRIGHT_OWN_KEYS_(how, name, Key)                                                                         \
    CM_LEFTRIGHT_HASHES_(how, name, name, Key)                                                                         \
    CM_LEFTRIGHT_OWN_LEN_(how, name)

#define CM_LEFTRIGHT_HASHES_(how, by, name, Key)                                                                       \
    CM_LOCAL_(how, uint64_t, by##_hash_of_, (const name##_writer *writer, const Key *key),                             \
              { return by##_type_.hash(key, writer->core->sides[0].plain.seed); })                                     \
    /* The key's hash, for calls that take it (VERB_hashed); of use in all maps with the same config.seed. */          \
    CM_FUNCTION_(how, uint64_t, by##_hash_of, (const name *map, Key key),                                              \
                 { return by##_type_.hash(&key, map->core->sides[0].plain.seed); })

#define CM_LEFTRIGHT_OWN_LEN_(how, name)                                                                               \
    /* The number of entries for the writer. */                                                                        \
    CM_FUNCTION_(how, size_t, name##_writer_len, (name##_writer * writer), {                                           \
        struct cm_turn_ turn;                                                                                          \
        if (cm_turn_begin_(writer->core, &turn, CM_TURN_LOOKS_ | CM_TURN_BARE_, CM_FOREVER, name##_replay_) < 0)       \
            return 0;                                                                                                  \
        size_t len = cm_newest_(writer->core)->plain.flat.len;                                                         \
        cm_turn_end_(writer->core, &turn);                                                                             \
        return len;                                                                                                    \
    })

/* And values. */
#define CM_LEFTRIGHT_OWN_(how, by, name, Key, Value)                                                                   \
    CM_LOCAL_(how, cm_status, by##_writer_look_,                                                                       \
              (name##_writer * writer, const Key *key, uint64_t hash, Value *value), {                                 \
                  const struct cm_plain_ *plain = &cm_newest_(writer->core)->plain;                                    \
                  const char *found = cm_plain_find_(&by##_type_, plain, key, hash);                                   \
                  return found ? cm_plain_copy_out_(&by##_type_, plain, value, found) : CM_ABSENT;                     \
              })                                                                                                       \
    /* Copies the value that the key has for the writer: with all changes that it has made. CM_OK, CM_ABSENT, or what  \
     * a clone failed with. */                                                                                         \
    CM_FUNCTION_(how, cm_status, by##_writer_get, (name##_writer * writer, Key key, Value * value),                    \
                 CM_IN_TURN_(name, writer, CM_TURN_LOOKS_, CM_FOREVER,                                                 \
                             by##_writer_look_(writer, &key, by##_hash_of_(writer, &key), value)))                     \
    /* Whether the key is there for the writer. */                                                                     \
    CM_FUNCTION_(how, bool, by##_writer_contains, (name##_writer * writer, Key key),                                   \
                 { return by##_writer_get(writer, key, NULL) == CM_OK; })

/* Values that were taken, and come back by `giving`; or are given to `destroy` (NULL: not), as `gone`. */
#define CM_LEFTRIGHT_TAKEN_(how, name, giving, destroy, gone)                                                          \
    CM_LOCAL_(how, cm_status, name##_give_back_one_, (name##_writer * writer, name##_taken * taken), {                 \
        if (taken->map != writer->core->number)                                                                        \
            return CM_INVALID;                                                                                         \
        if (writer->core->busy) /* the call that runs the function has room in the log for its own record only */      \
            return CM_DEADLOCK;                                                                                        \
        cm_status status = giving;                                                                                     \
        if (status == CM_OK)                                                                                           \
            taken->map = 0;                                                                                            \
        return status;                                                                                                 \
    })                                                                                                                 \
    /* Gives back what take took: it is destroyed when no reader can see it any more. `writer` is any of the map's, or \
     * NULL where the map is destroyed. CM_INVALID: of another map, or given back already. CM_NOMEM; CM_DEADLOCK:      \
     * in a function that was given to the map. Never waits for readers. */                                            \
    CM_FUNCTION_(how, cm_status, name##_give_back, (name##_writer * writer, name##_taken * taken), {                   \
        if (writer)                                                                                                    \
            CM_IN_TURN_(name, writer, CM_TURN_LOOKS_, CM_FOREVER, name##_give_back_one_(writer, taken))                \
        if (!taken->map)                                                                                               \
            return CM_INVALID;                                                                                         \
        taken->map = 0;                                                                                                \
        if (destroy)                                                                                                   \
            destroy(gone, taken->context);                                                                             \
        return CM_OK;                                                                                                  \
    })

/* Changes of one key that is there, by keys of the map or by something else, as look-ups. */
#define CM_LEFTRIGHT_UPDATES_(how, by, name, Key, Value)                                                               \
    CM_HIDDEN_(                                                                                                        \
        how, struct by##_call_ {                                                                                       \
            cm_status (*function)(Value *, void *);                                                                    \
            void *context;                                                                                             \
        };)                                                                                                            \
    CM_INNER_(how, cm_status, by##_run_, (void *value, void *call),                                                    \
              { return ((struct by##_call_ *)call)->function((Value *)value, ((struct by##_call_ *)call)->context); }) \
    CM_INNER_(how, cm_status, by##_apply_,                                                                             \
              (name##_writer * writer, uint64_t hash, const Key *key, cm_status (*function)(Value *, void *),          \
               void *context),                                                                                         \
              {                                                                                                        \
                  Value scratch;                                                                                       \
                  struct by##_call_ made = {function, context};                                                        \
                  struct cm_plain_call_ call = {by##_run_, &made};                                                     \
                  cm_plain_blank_(&by##_type_, NULL, &scratch);                                                        \
                  return cm_leftright_update_(&by##_type_, writer->core, key, hash, call, &scratch);                   \
              })                                                                                                       \
    CM_INNER_(                                                                                                         \
        how, cm_status, by##_update_in_,                                                                               \
        (name##_writer * writer, uint64_t hash, Key key, cm_status(*function)(Value *, void *), void *context,         \
         cm_deadline deadline),                                                                                        \
        CM_IN_KEYED_TURN_(by, name, writer, hash, true, deadline, by##_apply_(writer, hash, &key, function, context))) \
    /* Runs the function, once, on a copy (a clone) of the key's value, which then becomes the value, unless the       \
     * function returns less than 0. Returns what it returned, or CM_ABSENT. The function may look at the map, and not \
     * change it: CM_DEADLOCK. As insert. */                                                                           \
    CM_KEYED_(how, by, name##_writer, Key, update, (, cm_status(*function)(Value *, void *), void *context),           \
              (, function, context))

#define CM_LEFTRIGHT_REMOVES_(how, by, name, Key, Value)                                                               \
    CM_INNER_(how, cm_status, by##_remove_in_,                                                                         \
              (name##_writer * writer, uint64_t hash, Key key, Value * old, cm_deadline deadline),                     \
              CM_IN_KEYED_TURN_(by, name, writer, hash, false, deadline,                                               \
                                cm_leftright_remove_(&by##_type_, writer->core, CM_LOG_REMOVE_, &key, hash, old)))     \
    /* Removes the key: CM_OK, and `old` (may be NULL) takes a copy of its value; or CM_ABSENT. The value itself is    \
     * destroyed when no reader can see it any more. CM_NOMEM; as insert. */                                           \
    CM_KEYED_(how, by, name##_writer, Key, remove, (, Value * old), (, old))

#define CM_LEFTRIGHT_TAKES_(how, by, name, Key)                                                                        \
    CM_INNER_(how, cm_status, by##_take_one_,                                                                          \
              (name##_writer * writer, uint64_t hash, const Key *key, name##_taken *taken), {                          \
                  struct cm_leftright_ *core = writer->core;                                                           \
                  cm_status status = cm_leftright_remove_(&by##_type_, core, CM_LOG_TAKE_, key, hash, &taken->value);  \
                  if (status == CM_OK)                                                                                 \
                      cm_leftright_took_(core, &taken->map, &taken->published, &taken->context);                       \
                  return status;                                                                                       \
              })                                                                                                       \
    CM_INNER_(how, cm_status, by##_take_in_,                                                                           \
              (name##_writer * writer, uint64_t hash, Key key, name##_taken * taken, cm_deadline deadline),            \
              CM_IN_KEYED_TURN_(by, name, writer, hash, false, deadline, by##_take_one_(writer, hash, &key, taken)))   \
    /* Removes the key: CM_OK, and `taken` has its value, which nobody destroys until it is given back; or CM_ABSENT.  \
     * Readers may look at it still, so it may be read, and not changed. As remove. */                                 \
    CM_KEYED_(how, by, name##_writer, Key, take, (, name##_taken * taken), (, taken))

/* Changes of one key. The first one of a batch may wait, as begin does; others do not. */
#define CM_LEFTRIGHT_CHANGES_(how, name, Key, Value)                                                                   \
    CM_INNER_(                                                                                                         \
        how, cm_status, name##_set_one_,                                                                               \
        (name##_writer * writer, enum cm_setting_ which, uint64_t hash, const Key *key, Value value, Value *old), {    \
            CM_MAY_FILL_(old);                                                                                         \
            Key own;                                                                                                   \
            cm_plain_blank_(&name##_type_, &own, NULL);                                                                \
            return cm_leftright_set_(&name##_type_, writer->core, name##_room_, which, key, hash, &value, &own, old);  \
        })                                                                                                             \
    CM_INNER_(how, cm_status, name##_insert_in_,                                                                       \
              (name##_writer * writer, uint64_t hash, Key key, Value value, cm_deadline deadline),                     \
              CM_IN_KEYED_TURN_(name, name, writer, hash, false, deadline,                                             \
                                name##_set_one_(writer, CM_SET_ABSENT_, hash, &key, value, NULL)))                     \
    /* Adds the key if it is absent: CM_OK, or CM_EXISTS. CM_NOMEM, CM_FULL; CM_DEADLOCK: as begin. O(1), but for      \
     * growing: O(entries), which is rare. So it is with all that may add. */                                          \
    CM_KEYED_(how, name, name##_writer, Key, insert, (, Value value), (, value))                                       \
    CM_INNER_(how, cm_status, name##_put_in_,                                                                          \
              (name##_writer * writer, uint64_t hash, Key key, Value value, Value * old, cm_deadline deadline),        \
              CM_IN_KEYED_TURN_(name, name, writer, hash, false, deadline,                                             \
                                name##_set_one_(writer, CM_SET_ANY_, hash, &key, value, old)))                         \
    /* Sets the key's value: CM_OK (new) or CM_REPLACED; then `old` (may be NULL) takes a copy of the old one. As      \
     * insert. */                                                                                                      \
    CM_KEYED_(how, name, name##_writer, Key, put, (, Value value, Value * old), (, value, old))                        \
    CM_INNER_(how, cm_status, name##_replace_in_,                                                                      \
              (name##_writer * writer, uint64_t hash, Key key, Value value, Value * old, cm_deadline deadline),        \
              CM_IN_KEYED_TURN_(name, name, writer, hash, false, deadline,                                             \
                                name##_set_one_(writer, CM_SET_PRESENT_, hash, &key, value, old)))                     \
    /* Sets the value of a key that is there: CM_REPLACED, and `old` (may be NULL) takes a copy of the old one; or     \
     * CM_ABSENT. As insert. */                                                                                        \
    CM_KEYED_(how, name, name##_writer, Key, replace, (, Value value, Value * old), (, value, old))                    \
    CM_LEFTRIGHT_UPDATES_(how, name, name, Key, Value)                                                                 \
    CM_INNER_(how, cm_status, name##_upsert_one_,                                                                      \
              (name##_writer * writer, uint64_t hash, const Key *key, Value initial,                                   \
               cm_status (*function)(Value *, void *), void *context),                                                 \
              {                                                                                                        \
                  Key own;                                                                                             \
                  Value scratch;                                                                                       \
                  struct name##_call_ made = {function, context};                                                      \
                  struct cm_plain_call_ call = {name##_run_, &made};                                                   \
                  cm_plain_blank_(&name##_type_, &own, &scratch);                                                      \
                  return cm_leftright_upsert_(&name##_type_, writer->core, name##_room_, key, hash, &initial, call,    \
                                              &own, &scratch);                                                         \
              })                                                                                                       \
    CM_INNER_(how, cm_status, name##_upsert_in_,                                                                       \
              (name##_writer * writer, uint64_t hash, Key key, Value initial, cm_status(*function)(Value *, void *),   \
               void *context, cm_deadline deadline),                                                                   \
              CM_IN_KEYED_TURN_(name, name, writer, hash, true, deadline,                                              \
                                name##_upsert_one_(writer, hash, &key, initial, function, context)))                   \
    /* Adds the key with `initial`: CM_OK; or, where it is present, runs the function as update does: CM_REPLACED, or  \
     * the function's failure. As insert. */                                                                           \
    CM_KEYED_(how, name, name##_writer, Key, upsert,                                                                   \
              (, Value initial, cm_status(*function)(Value *, void *), void *context), (, initial, function, context)) \
    CM_LEFTRIGHT_REMOVES_(how, name, name, Key, Value)                                                                 \
    CM_LEFTRIGHT_TAKES_(how, name, name, Key)

/* Changes of all keys. */
#define CM_LEFTRIGHT_CLEAR_(how, name)                                                                                 \
    CM_INNER_(how, cm_status, name##_clear_in_, (name##_writer * writer, cm_deadline deadline),                        \
              CM_IN_TURN_(name, writer, CM_TURN_CHANGES_, deadline,                                                    \
                          cm_leftright_clear_(CM_TYPE_OF_(how, name, writer->core->sides), writer->core)))             \
    /* Removes every entry; keeps the tables. CM_NOMEM; may wait, as begin does. O(groups). */                         \
    CM_TWINS_(how, name, clear, (name##_writer * writer), (writer))

/* `keep` is asked by those that retain. */
#define CM_LEFTRIGHT_SIFT_(how, name, Key, Value)                                                                      \
    CM_LOCAL_(how, cm_status, name##_sift_,                                                                            \
              (name##_writer * writer, cm_status(*keep)(const Key *, const Value *, void *), void *context), {         \
                  struct cm_leftright_ *core = writer->core;                                                           \
                  const struct cm_plain_ *plain = &cm_newest_(core)->plain;                                            \
                  const struct cm_type *const type = CM_TYPE_OF_(how, name, core->sides);                              \
                  struct cm_flat_walk_ walk = cm_flat_walk_begin_();                                                   \
                  cm_status status = CM_OK;                                                                            \
                  for (struct cm_flat_place_ at;                                                                       \
                       status >= 0 && (at = cm_flat_walk_next_(type, &plain->flat, &walk)).entry;) {                   \
                      if (!cm_log_room_(type, core))                                                                   \
                          return CM_NOMEM;                                                                             \
                      core->busy = true;                                                                               \
                      status = keep((const Key *)(const void *)at.entry,                                               \
                                    (const Value *)(const void *)cm_flat_value_(type, at), context);                   \
                      core->busy = false;                                                                              \
                      if (status == CM_ABSENT)                                                                         \
                          cm_leftright_drop_(type, core, CM_LOG_REMOVE_, at, type->hash(at.entry, plain->seed));       \
                  }                                                                                                    \
                  return status < 0 ? status : CM_OK;                                                                  \
              })

#define CM_LEFTRIGHT_RETAIN_(how, name, Key, Value)                                                                    \
    CM_INNER_(how, cm_status, name##_retain_in_,                                                                       \
              (name##_writer * writer, cm_status(*keep)(const Key *, const Value *, void *), void *context,            \
               cm_deadline deadline),                                                                                  \
              CM_IN_TURN_(name, writer, CM_TURN_CHANGES_, deadline, name##_sift_(writer, keep, context)))              \
    /* Removes the entries for which `keep` returns CM_ABSENT, and keeps those for which it returns CM_OK. It is asked \
     * once about each. Less than 0 ends it, and that entry stays; so does CM_NOMEM: what was removed until then is    \
     * removed. `keep` may look at the map, and not change it. May wait, as begin does. O(groups). */                  \
    CM_TWINS_(how, name, retain,                                                                                       \
              (name##_writer * writer, cm_status(*keep)(const Key *, const Value *, void *), void *context),           \
              (writer, keep, context))

/* The size of the tables. */
#define CM_LEFTRIGHT_SIZES_(how, name)                                                                                 \
    CM_INNER_(how, cm_status, name##_reserve_in_, (name##_writer * writer, size_t entries, cm_deadline deadline),      \
              CM_IN_TURN_(name, writer, CM_TURN_CHANGES_, deadline,                                                    \
                          cm_leftright_reserve_(CM_TYPE_OF_(how, name, writer->core->sides), writer->core, entries)))  \
    /* Makes room for so many entries in all: until there are as many, adding does not grow the tables. CM_NOMEM,      \
     * CM_FULL; may wait, as begin does. O(groups). */                                                                 \
    CM_TWINS_(how, name, reserve, (name##_writer * writer, size_t entries), (writer, entries))                         \
    CM_INNER_(how, cm_status, name##_shrink_to_fit_in_, (name##_writer * writer, cm_deadline deadline),                \
              CM_IN_TURN_(name, writer, CM_TURN_CHANGES_, deadline,                                                    \
                          cm_leftright_shrink_(CM_TYPE_OF_(how, name, writer->core->sides), writer->core)))            \
    /* Makes the tables as small as the entries allow; of the other side, in the next batch. CM_NOMEM; may wait, as    \
     * begin does. O(groups). */                                                                                       \
    CM_TWINS_(how, name, shrink_to_fit, (name##_writer * writer), (writer))

#endif
