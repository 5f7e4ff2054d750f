/* The typed functions of the readers of a left-right map, and of their views. */
#ifndef CONCMAP_DETAIL_LEFTRIGHT_READS_H
#define CONCMAP_DETAIL_LEFTRIGHT_READS_H

#include <concmap/detail/leftright_life.h>
#include <concmap/detail/leftright_peeks.h>
#include <concmap/detail/plain_batches.h>

/* ---- readers ---- */

#define CM_LEFTRIGHT_READERS_(how, name)                                                                               \
    /* Makes a reader. Any thread may, at any time; one thread at a time may use it. CM_NOMEM. */                      \
    CM_FUNCTION_(how, cm_status, name##_reader_open, (const name *map, name##_reader *reader),                         \
                 { return cm_reader_open_(map->core, &reader->core); })                                                \
    /* Makes a reader of the same map as another one, which may be inside. CM_NOMEM. */                                \
    CM_FUNCTION_(how, cm_status, name##_reader_clone, (const name##_reader *from, name##_reader *reader),              \
                 { return cm_reader_open_(from->core.core, &reader->core); })                                          \
    /* What makes readers of the map, for threads that are not to have the map itself; copied like a number. */        \
    CM_FUNCTION_(how, name##_factory, name##_factory_of, (const name *map), {                                          \
        name##_factory factory = {map->core};                                                                          \
        return factory;                                                                                                \
    })                                                                                                                 \
    /* As reader_open. */                                                                                              \
    CM_FUNCTION_(how, cm_status, name##_factory_open, (const name##_factory *factory, name##_reader *reader),          \
                 { return cm_reader_open_(factory->core, &reader->core); })                                            \
    /* Gives the reader's place back, for the next one to take. CM_INVALID: it is inside, or closed already. */        \
    CM_FUNCTION_(how, cm_status, name##_reader_close, (name##_reader * reader),                                        \
                 { return cm_reader_close_(&reader->core); })                                                          \
    /* Enters the map as it was published last. The view stays as it is until the leave that belongs to this enter:    \
     * all that is got through it is of one state of the map. Nested, it is the outer view again. NULL: the writer has \
     * ended (writer_end), and there is nothing to leave. Wait-free, mostly two plain stores with leave. */            \
    CM_FUNCTION_(how, const name##_view *, name##_enter, (name##_reader * reader),                                     \
                 { return (const name##_view *)(const void *)cm_reader_enter_(&reader->core); })                       \
    /* Leaves. What the view gave is not valid any more, if it was the outermost one. Wait-free, but that it wakes a   \
     * writer who waits for this reader. */                                                                            \
    CM_FUNCTION_(how, void, name##_leave, (name##_reader * reader), { cm_reader_leave_(&reader->core); })              \
    /* For CM_WITH_VIEW. */                                                                                            \
    CM_FUNCTION_(how, struct name##_visit_, name##_visit_begin_, (name##_reader * reader), {                           \
        struct name##_visit_ visit = {reader, (const name##_view *)(const void *)cm_reader_enter_(&reader->core)};     \
        if (!visit.view)                                                                                               \
            visit.reader = NULL;                                                                                       \
        return visit;                                                                                                  \
    })                                                                                                                 \
    CM_FUNCTION_(how, void, name##_visit_end_, (struct name##_visit_ * visit), {                                       \
        if (visit->reader)                                                                                             \
            cm_reader_leave_(&visit->reader->core);                                                                    \
    })

/* Look-ups, by keys of the map (`by` is its name then), or by something else (lookup.h). In one call: */
#define CM_LEFTRIGHT_LOOKS_(how, by, name, Key, Value)                                                                 \
    CM_INNER_(how, bool, by##_side_get_, (const struct cm_side_ *side, const Key *key, Value *value), {                \
        const struct cm_plain_ *plain = &side->plain;                                                                  \
        const char *at = cm_plain_find_ahead_(&by##_type_, plain, key, by##_type_.hash(key, plain->seed));             \
        return at && cm_plain_copy_out_(&by##_type_, plain, value, at) == CM_OK;                                       \
    })                                                                                                                 \
    /* By copies, here and below, so that the caller's value need not have an address where this is inlined. */        \
    CM_INNER_(how, enum cm_read_, by##_peek_, (name##_reader * reader, const Key *key, Value *value), {                \
        char copy[sizeof(Value) <= CM_PEEK_COPY_ ? sizeof(Value) : 1] __attribute__((aligned(__alignof__(Value))));    \
        if (!cm_type_peeks_(&by##_type_))                                                                              \
            return CM_READ_AGAIN_;                                                                                     \
        if (CM_BLANKS_)                                                                                                \
            memset(copy, 0, sizeof copy);                                                                              \
        enum cm_read_ found =                                                                                          \
            cm_reader_peek_(&by##_type_, &reader->core, key, by##_type_.hash(key, reader->core.seed), copy);           \
        if (CM_UNLIKELY(found != CM_READ_HIT_))                                                                        \
            memset(copy, 0, sizeof copy); /* compilers do not see that a hit has filled it */                          \
        if (CM_LIKELY(found == CM_READ_HIT_) && value)                                                                 \
            memcpy((void *)value, copy, sizeof copy);                                                                  \
        return found;                                                                                                  \
    })                                                                                                                 \
    CM_HIDDEN_(                                                                                                        \
        how,                                                                                                           \
        static __attribute__((noinline, unused)) bool by##_look_again_(name##_reader *reader, Key key, Value *value) { \
            if (cm_type_peeks_(&by##_type_) && cm_reader_look_anew_(&reader->core)) {                                  \
                enum cm_read_ found = by##_peek_(reader, &key, value);                                                 \
                if (found != CM_READ_AGAIN_)                                                                           \
                    return found == CM_READ_HIT_;                                                                      \
            }                                                                                                          \
            const struct cm_side_ *side = cm_reader_enter_(&reader->core);                                             \
            if (!side)                                                                                                 \
                return false;                                                                                          \
            bool found = by##_side_get_(side, &key, value);                                                            \
            cm_reader_leave_(&reader->core);                                                                           \
            return found;                                                                                              \
        })                                                                                                             \
    CM_INNER_(how, bool, by##_look_late_, (name##_reader * reader, Key key, Value * value), {                          \
        char copy[sizeof(Value) <= CM_PEEK_COPY_ ? sizeof(Value) : 1] __attribute__((aligned(__alignof__(Value))));    \
        if (!value || sizeof(Value) > sizeof copy)                                                                     \
            return by##_look_again_(reader, key, value);                                                               \
        bool found = by##_look_again_(reader, key, (Value *)(void *)copy);                                             \
        if (found)                                                                                                     \
            memcpy((void *)value, copy, sizeof copy);                                                                  \
        return found;                                                                                                  \
    })                                                                                                                 \
    CM_INNER_(how, bool, by##_look_, (name##_reader * reader, Key key, Value * value), {                               \
        if (cm_type_peeks_(&by##_type_)) {                                                                             \
            enum cm_read_ found = by##_peek_(reader, &key, value);                                                     \
            return CM_UNLIKELY(found == CM_READ_AGAIN_) ? by##_look_late_(reader, key, value) : found == CM_READ_HIT_; \
        }                                                                                                              \
        struct cm_leftright_ *core = reader->core.core;                                                                \
        struct cm_seat_ *slot = reader->core.slot;                                                                     \
        const struct cm_side_ *side = cm_reader_glance_(&reader->core, core, slot);                                    \
        if (CM_UNLIKELY(!side))                                                                                        \
            return by##_look_late_(reader, key, value);                                                                \
        bool found = by##_side_get_(side, &key, value);                                                                \
        cm_seat_leave_(core, slot);                                                                                    \
        return found;                                                                                                  \
    })

/* Of a view. */
#define CM_LEFTRIGHT_FINDS_(how, by, name, Key)                                                                        \
    CM_INNER_(how, struct cm_flat_place_, by##_view_find_, (const name##_view *view, const Key *key), {                \
        const struct cm_plain_ *plain = &view->core.plain;                                                             \
        return cm_flat_find_ahead_(&by##_type_, &plain->flat, key, by##_type_.hash(key, plain->seed));                 \
    })                                                                                                                 \
    /* Whether the view has the key. */                                                                                \
    CM_FUNCTION_(how, bool, by##_view_contains, (const name##_view *view, Key key),                                    \
                 { return by##_view_find_(view, &key).entry != NULL; })

/* Of both, those that give values. */
#define CM_LEFTRIGHT_GETS_(how, by, name, Key, Own, Value)                                                             \
    /* Copies a key's value; false: the map has none (or it could not be cloned), and *value is as it was. Inside a    \
     * view, of that view. Wait-free. */                                                                               \
    CM_FUNCTION_(how, bool, by##_get, (name##_reader * reader, Key key, Value * value),                                \
                 { return by##_look_(reader, key, value); })                                                           \
    /* The key's value; NULL: the view has none. Valid until the reader leaves. */                                     \
    CM_FUNCTION_(how, const Value *, by##_view_get, (const name##_view *view, Key key), {                              \
        struct cm_flat_place_ place = by##_view_find_(view, &key);                                                     \
        return CM_LIKELY(place.entry != NULL) ? (const Value *)(const void *)cm_flat_value_(&by##_type_, place)        \
                                              : NULL;                                                                  \
    })                                                                                                                 \
    /* The key as the map has it, and its value; either may be NULL. False: there is none, and both are as they were.  \
     * As view_get. */                                                                                                 \
    CM_FUNCTION_(how, bool, by##_view_get_key_value,                                                                   \
                 (const name##_view *view, Key key, const Own **own, const Value **value), {                           \
                     struct cm_flat_place_ place = by##_view_find_(view, &key);                                        \
                     if (place.entry && own)                                                                           \
                         *own = (const Own *)(const void *)place.entry;                                                \
                     if (place.entry && value)                                                                         \
                         *value = (const Value *)(const void *)cm_flat_value_(&by##_type_, place);                     \
                     return place.entry != NULL;                                                                       \
                 })                                                                                                    \
    CM_LEFTRIGHT_GET_MANY_(how, by, name, Key, Value)

/* Of many keys. */
#define CM_LEFTRIGHT_GET_MANY_(how, by, name, Key, Value)                                                              \
    /* Looks n keys up, fetching ahead: values[i] is where the value of keys[i] is, as view_get gives it; NULL: there  \
     * is none. Returns the hits. */                                                                                   \
    CM_FUNCTION_(how, size_t, by##_view_get_many,                                                                      \
                 (const name##_view *view, const Key *keys, size_t n, const Value **values), {                         \
                     const struct cm_plain_ *plain = &view->core.plain;                                                \
                     size_t hits = 0;                                                                                  \
                     CM_FLAT_BATCH_(&by##_type_, plain, i, n, hash, &keys[i], false, {                                 \
                         values[i] = (const Value *)(const void *)cm_plain_find_(&by##_type_, plain, &keys[i], hash);  \
                         hits += values[i] != NULL;                                                                    \
                     });                                                                                               \
                     return hits;                                                                                      \
                 })                                                                                                    \
    /* Copies the values of n keys, all of one view, fetching ahead: found[i] and values[i] belong to keys[i]; either  \
     * may be NULL, and the value of a key that was not found is as it was. Returns the hits. As get. */               \
    CM_FUNCTION_(                                                                                                      \
        how, size_t, by##_get_many, (name##_reader * reader, const Key *keys, size_t n, bool *found, Value *values), { \
            size_t hits = 0;                                                                                           \
            const struct cm_side_ *side = cm_reader_enter_(&reader->core);                                             \
            if (found && !side)                                                                                        \
                memset(found, 0, n * sizeof *found);                                                                   \
            if (!side)                                                                                                 \
                return 0;                                                                                              \
            const struct cm_plain_ *plain = &side->plain;                                                              \
            CM_FLAT_BATCH_(&by##_type_, plain, i, n, hash, &keys[i], false, {                                          \
                const char *value = cm_plain_find_(&by##_type_, plain, &keys[i], hash);                                \
                bool hit =                                                                                             \
                    value && cm_plain_copy_out_(&by##_type_, plain, values ? &values[i] : NULL, value) == CM_OK;       \
                if (found)                                                                                             \
                    found[i] = hit;                                                                                    \
                hits += hit;                                                                                           \
            });                                                                                                        \
            cm_reader_leave_(&reader->core);                                                                           \
            return hits;                                                                                               \
        })

/* ---- views ---- */

#define CM_LEFTRIGHT_VIEWS_(how, name)                                                                                 \
    /* The number of entries. */                                                                                       \
    CM_FUNCTION_(how, size_t, name##_view_len, (const name##_view *view), { return view->core.plain.flat.len; })       \
    /* What set_meta said, of the same state as the entries; 0 at first. */                                            \
    CM_FUNCTION_(how, uint64_t, name##_view_meta, (const name##_view *view), { return view->core.meta; })

#define CM_LEFTRIGHT_WALKS_(how, name, Key, Value)                                                                     \
    CM_SHOWN_(                                                                                                         \
        how, typedef struct name##_view_iter {                                                                         \
            const name##_view *view;                                                                                   \
            struct cm_flat_walk_ walk;                                                                                 \
            const Key *key;                                                                                            \
            const Value *value;                                                                                        \
        } name##_view_iter;)                                                                                           \
    /* Begins a walk: CM_FOREACH(name_view, view, it) gives pointers it.key and it.value, valid until the reader       \
     * leaves. Each entry of the view is visited once. */                                                              \
    CM_FUNCTION_(how, name##_view_iter, name##_view_iter_begin, (const name##_view *view), {                           \
        name##_view_iter iter = {view, cm_flat_walk_begin_(), NULL, NULL};                                             \
        return iter;                                                                                                   \
    })                                                                                                                 \
    CM_FUNCTION_(how, bool, name##_view_iter_next, (name##_view_iter * iter), {                                        \
        const struct cm_type *const type = CM_TYPE_OF_(how, name, &iter->view->core);                                  \
        struct cm_flat_place_ place = cm_flat_walk_next_(type, &iter->view->core.plain.flat, &iter->walk);             \
        if (!place.entry)                                                                                              \
            return false;                                                                                              \
        iter->key = (const Key *)(const void *)place.entry;                                                            \
        iter->value = (const Value *)(const void *)cm_flat_value_(type, place);                                        \
        return true;                                                                                                   \
    })                                                                                                                 \
    CM_FUNCTION_(how, void, name##_view_iter_end, (name##_view_iter * iter), { (void)iter; })

#endif
