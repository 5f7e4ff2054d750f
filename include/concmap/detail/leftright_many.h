/* The functions of a left-right map's writer that change many keys, in one turn: behind one lock, and published
 * together, whatever publish_every says. */
#ifndef CONCMAP_DETAIL_LEFTRIGHT_MANY_H
#define CONCMAP_DETAIL_LEFTRIGHT_MANY_H

#include <concmap/detail/leftright_writes.h>
#include <concmap/detail/op_kind.h>
#include <concmap/detail/plain_batches.h>

/* The body of such a call: `one` is done for i = 0 .. n - 1, with `hash` set; what it returns is `status`, which `note`
 * stores, and which `good` looks at. Without a turn, `note` alone. */
#define CM_IN_TURN_OF_MANY_(name, type, writer, calls, deadline, i, n, hash, key_of, one, note, good)                  \
    {                                                                                                                  \
        struct cm_turn_ turn_;                                                                                         \
        size_t done_ = 0;                                                                                              \
        const unsigned does_ = CM_TURN_CHANGES_ | (calls ? 0 : cm_turn_bare_(type));                                   \
        const int got_ = cm_turn_begin_((writer)->core, &turn_, does_, deadline, name##_replay_);                      \
        if (CM_UNLIKELY(got_ < 0)) {                                                                                   \
            const cm_status status = (cm_status)got_;                                                                  \
            for (size_t i = 0; i < (n); i++)                                                                           \
                note;                                                                                                  \
            return 0;                                                                                                  \
        }                                                                                                              \
        const struct cm_plain_ *const newest_ = &cm_newest_((writer)->core)->plain;                                    \
        CM_FLAT_BATCH_(type, newest_, i, n, hash, key_of, true, {                                                      \
            const cm_status status = one;                                                                              \
            note;                                                                                                      \
            done_ += (good);                                                                                           \
        });                                                                                                            \
        cm_turn_end_((writer)->core, &turn_);                                                                          \
        return done_;                                                                                                  \
    }

#define CM_NOTE_RESULT_(results, i) (results) ? (void)((results)[i] = status) : (void)0

#define CM_LEFTRIGHT_MANY_(how, name, Key, Value)                                                                      \
    CM_INNER_(how, size_t, name##_put_many_in_,                                                                        \
              (name##_writer * writer, const Key *keys, const Value *values, size_t n, cm_status *results,             \
               cm_deadline deadline),                                                                                  \
              CM_IN_TURN_OF_MANY_(name, &name##_type_, writer, false, deadline, i, n, hash, &keys[i],                  \
                                  name##_set_one_(writer, CM_SET_ANY_, hash, &keys[i], values[i], NULL),               \
                                  CM_NOTE_RESULT_(results, i), status >= 0))                                           \
    /* Puts n keys, in order, in one turn, fetching ahead in large tables: other threads' changes come before or       \
     * behind all of them, and no publication comes between. `results` (may be NULL) takes what put would return.      \
     * Returns how many succeeded; 0, where the batch could not begin, and that is each one's result. May wait, as     \
     * begin does. O(n). */                                                                                            \
    CM_TWINS_OF_(how, size_t, name, put_many,                                                                          \
                 (name##_writer * writer, const Key *keys, const Value *values, size_t n, cm_status *results),         \
                 (writer, keys, values, n, results))                                                                   \
    CM_INNER_(how, size_t, name##_update_many_in_,                                                                     \
              (name##_writer * writer, const Key *keys, size_t n, cm_status (*function)(Value *, void *),              \
               void *context, cm_status *results, cm_deadline deadline),                                               \
              CM_IN_TURN_OF_MANY_(name, &name##_type_, writer, true, deadline, i, n, hash, &keys[i],                   \
                                  name##_apply_(writer, hash, &keys[i], function, context),                            \
                                  CM_NOTE_RESULT_(results, i), status >= 0 && status != CM_ABSENT))                    \
    /* Updates n keys, in order. Returns how many were present and succeeded. As put_many. */                          \
    CM_TWINS_OF_(how, size_t, name, update_many,                                                                       \
                 (name##_writer * writer, const Key *keys, size_t n, cm_status (*function)(Value *, void *),           \
                  void *context, cm_status *results),                                                                  \
                 (writer, keys, n, function, context, results))                                                        \
    CM_INNER_(                                                                                                         \
        how, size_t, name##_remove_many_in_,                                                                           \
        (name##_writer * writer, const Key *keys, size_t n, Value *old, cm_status *results, cm_deadline deadline),     \
        CM_IN_TURN_OF_MANY_(                                                                                           \
            name, &name##_type_, writer, false, deadline, i, n, hash, &keys[i],                                        \
            cm_leftright_remove_(&name##_type_, writer->core, CM_LOG_REMOVE_, &keys[i], hash, old ? &old[i] : NULL),   \
            CM_NOTE_RESULT_(results, i), status == CM_OK))                                                             \
    /* Removes n keys, in order; old[i] (old may be NULL) takes a copy of the value. Returns how many there were. As   \
     * put_many. */                                                                                                    \
    CM_TWINS_OF_(how, size_t, name, remove_many,                                                                       \
                 (name##_writer * writer, const Key *keys, size_t n, Value *old, cm_status *results),                  \
                 (writer, keys, n, old, results))                                                                      \
    CM_OP_(how, name, Key, Value)                                                                                      \
    /* What was there goes to where the value comes from, unless the call fails. */                                    \
    CM_LOCAL_(how, cm_status, name##_op_put_, (name##_writer * writer, name##_op * op, uint64_t hash), {               \
        const Value given = op->value;                                                                                 \
        cm_status status = name##_set_one_(writer, CM_SET_ANY_, hash, &op->key, given, &op->value);                    \
        if (CM_UNLIKELY(status < 0))                                                                                   \
            memcpy((void *)&op->value, &given, sizeof given);                                                          \
        return status;                                                                                                 \
    })                                                                                                                 \
    CM_LOCAL_(how, cm_status, name##_op_run_, (name##_writer * writer, name##_op * op, uint64_t hash), {               \
        switch (op->kind) {                                                                                            \
        case CM_OP_GET:                                                                                                \
            return name##_writer_look_(writer, &op->key, hash, &op->value);                                            \
        case CM_OP_INSERT:                                                                                             \
            return name##_set_one_(writer, CM_SET_ABSENT_, hash, &op->key, op->value, NULL);                           \
        case CM_OP_UPDATE:                                                                                             \
            return name##_apply_(writer, hash, &op->key, op->function, op->context);                                   \
        case CM_OP_UPSERT:                                                                                             \
            return name##_upsert_one_(writer, hash, &op->key, op->value, op->function, op->context);                   \
        case CM_OP_REMOVE:                                                                                             \
            return cm_leftright_remove_(&name##_type_, writer->core, CM_LOG_REMOVE_, &op->key, hash, &op->value);      \
        default:                                                                                                       \
            return name##_op_put_(writer, op, hash);                                                                   \
        }                                                                                                              \
    })                                                                                                                 \
    CM_INNER_(how, size_t, name##_apply_many_in_,                                                                      \
              (name##_writer * writer, name##_op * ops, size_t n, cm_deadline deadline),                               \
              CM_IN_TURN_OF_MANY_(name, &name##_type_, writer, true, deadline, i, n, hash, &ops[i].key,                \
                                  name##_op_run_(writer, &ops[i], hash), ops[i].status = status, status >= 0))         \
    /* Runs n operations of any kinds, in array order; each gets its status, and GET sees what those before it have    \
     * changed. Returns how many did not fail. As put_many. */                                                         \
    CM_TWINS_OF_(how, size_t, name, apply_many, (name##_writer * writer, name##_op * ops, size_t n), (writer, ops, n))

#endif
