/* Dynamic left-right maps: the algorithms of the typed ones, with a type that is read at run time. What does not touch
 * keys or values is made by the very macros of typed maps. */
#include <concmap/any_leftright.h>

#include <concmap/detail/side_saved.h>

#include "any_leftright_core.h"

const struct cm_any_leftright_sizes cm_any_leftright_sizes = {
    sizeof(cm_any_leftright),         sizeof(cm_any_leftright_writer), sizeof(cm_any_leftright_reader),
    sizeof(cm_any_leftright_factory), sizeof(cm_any_leftright_taken),  sizeof(cm_any_leftright_view_iter)};

/* ---- the type ---- */

static cm_status type_take(struct cm_any_own_ **own, const struct cm_type *type, const cm_config *config)
{
    struct cm_type taken;
    if (!cm_any_type_take_(&taken, type, false) || taken.cached)
        return CM_INVALID;
    *own = own_make(&taken, config);
    return *own ? CM_OK : CM_NOMEM;
}

/* What to copy of a value that was given: of a set there is none. (What it owns may be destroyed: it is the map's.) */
static void *given_to(const struct cm_leftright_ *core, const void *value)
{
    struct cm_any_own_ *own = own_of(core);
    return own->type.value_size ? (void *)(uintptr_t)value : own->value;
}

static void cm_any_leftright_replay_(struct cm_leftright_ *core)
{
    cm_leftright_replay_(type_in(core), core, own_of(core)->value);
}

static cm_status cm_any_leftright_room_(struct cm_leftright_ *core)
{
    return cm_leftright_grow_(type_in(core), core);
}

/* ---- making and unmaking ---- */

cm_status cm_any_leftright_init(cm_any_leftright *map, const struct cm_type *type, const cm_config *config)
{
    struct cm_any_own_ *own;
    cm_status status = map ? type_take(&own, type, config) : CM_INVALID;
    if (status < 0)
        return status;
    status = cm_leftright_init_(&map->core, &own->type, config, CM_LEFTRIGHT_VERSION_, sizeof(struct cm_leftright_));
    if (status < 0)
        own_end(own);
    else
        map->core->peeks = false; /* cm_any_leftright_get() enters */
    return status;
}

void cm_any_leftright_destroy(cm_any_leftright *map)
{
    struct cm_any_own_ *own = own_of(map->core);
    cm_leftright_end_(map->core, &own->type, cm_any_leftright_replay_);
    own_end(own);
    map->core = NULL;
}

CM_LEFTRIGHT_LIFE_(cm_dynamic, cm_any_leftright)

/* ---- readers and views ---- */

CM_LEFTRIGHT_READERS_(cm_dynamic, cm_any_leftright)
CM_LEFTRIGHT_VIEWS_(cm_dynamic, cm_any_leftright)
CM_LEFTRIGHT_WALKS_(cm_dynamic, cm_any_leftright, void, void)

/* Copies what was found. CM_ABSENT: nothing was. */
static cm_status place_copy(const struct cm_side_ *side, struct cm_flat_place_ place, void *value)
{
    return place.entry ? cm_plain_copy_out_(side->type, &side->plain, value, cm_flat_value_(side->type, place))
                       : CM_ABSENT;
}

struct cm_flat_place_ cm_any_leftright_view_find_(const struct cm_type *type, const cm_any_leftright_view *view,
                                                  const void *key)
{
    const struct cm_plain_ *plain = &view->core.plain;
    return cm_flat_find_ahead_(type, &plain->flat, key, type->hash(key, plain->seed));
}

bool cm_any_leftright_get_by_(const struct cm_type *type, cm_any_leftright_reader *reader, const void *key, void *value)
{
    struct cm_leftright_ *core = reader->core.core;
    struct cm_seat_ *slot = reader->core.slot;
    const struct cm_side_ *side = cm_reader_glance_(&reader->core, core, slot);
    const bool glances = side != NULL;
    if (!glances && !(side = cm_reader_enter_(&reader->core)))
        return false;
    const uint64_t hash = type->hash(key, side->plain.seed);
    bool found = place_copy(side, cm_flat_find_ahead_(type, &side->plain.flat, key, hash), value) == CM_OK;
    if (glances)
        cm_seat_leave_(core, slot);
    else
        cm_reader_leave_(&reader->core);
    return found;
}

bool cm_any_leftright_get(cm_any_leftright_reader *reader, const void *key, void *value)
{
    return cm_any_leftright_get_by_(type_in(reader->core.core), reader, key, value);
}

bool cm_any_leftright_view_contains(const cm_any_leftright_view *view, const void *key)
{
    return cm_any_leftright_view_find_(view->core.type, view, key).entry != NULL;
}

const void *cm_any_leftright_view_get(const cm_any_leftright_view *view, const void *key)
{
    struct cm_flat_place_ place = cm_any_leftright_view_find_(view->core.type, view, key);
    return place.entry ? cm_flat_value_(view->core.type, place) : NULL;
}

bool cm_any_leftright_view_get_key_value(const cm_any_leftright_view *view, const void *key, const void **own,
                                         const void **value)
{
    return place_tell(view->core.type, cm_any_leftright_view_find_(view->core.type, view, key), own, value);
}

size_t cm_any_leftright_view_get_many_by_(const struct cm_type *type, const cm_any_leftright_view *view,
                                          const void *keys, size_t size, size_t n, const void **values)
{
    const struct cm_plain_ *plain = &view->core.plain;
    size_t hits = 0;
    CM_FLAT_BATCH_(type, plain, i, n, hash, (const char *)keys + i * size, false, {
        values[i] = cm_plain_find_(type, plain, (const char *)keys + i * size, hash);
        hits += values[i] != NULL;
    });
    return hits;
}

size_t cm_any_leftright_view_get_many(const cm_any_leftright_view *view, const void *keys, size_t n,
                                      const void **values)
{
    const struct cm_type *type = view->core.type;
    return cm_any_leftright_view_get_many_by_(type, view, keys, type->key_size, n, values);
}

static size_t side_get_many(const struct cm_type *type, const struct cm_side_ *side, const char *keys, size_t size,
                            size_t n, bool *found, char *values)
{
    size_t hits = 0;
    CM_FLAT_BATCH_(type, &side->plain, i, n, hash, keys + i * size, false, {
        struct cm_flat_place_ place = cm_flat_find_(type, &side->plain.flat, keys + i * size, hash);
        bool hit = place_copy(side, place, values ? values + i * type->value_size : NULL) == CM_OK;
        if (found)
            found[i] = hit;
        hits += hit;
    });
    return hits;
}

size_t cm_any_leftright_get_many_by_(const struct cm_type *type, cm_any_leftright_reader *reader, const void *keys,
                                     size_t size, size_t n, bool *found, void *values)
{
    const struct cm_side_ *side = cm_reader_enter_(&reader->core);
    if (found && !side)
        memset(found, 0, n * sizeof *found);
    if (!side)
        return 0;
    size_t hits = side_get_many(type, side, keys, size, n, found, values);
    cm_reader_leave_(&reader->core);
    return hits;
}

size_t cm_any_leftright_get_many(cm_any_leftright_reader *reader, const void *keys, size_t n, bool *found, void *values)
{
    const struct cm_type *type = type_in(reader->core.core);
    return cm_any_leftright_get_many_by_(type, reader, keys, type->key_size, n, found, values);
}

/* ---- the writer ---- */

CM_LEFTRIGHT_WRITER_(cm_dynamic, cm_any_leftright)
CM_LEFTRIGHT_OWN_LEN_(cm_dynamic, cm_any_leftright)
CM_LEFTRIGHT_CLEAR_(cm_dynamic, cm_any_leftright)
CM_LEFTRIGHT_SIFT_(cm_dynamic, cm_any_leftright, void, void)
CM_LEFTRIGHT_RETAIN_(cm_dynamic, cm_any_leftright, void, void)
CM_LEFTRIGHT_SIZES_(cm_dynamic, cm_any_leftright)

static uint64_t hash_in(const struct cm_leftright_ *core, const void *key)
{
    return type_in(core)->hash(key, core->sides[0].plain.seed);
}

uint64_t cm_any_leftright_hash_of(const cm_any_leftright *map, const void *key)
{
    return hash_in(map->core, key);
}

/* As CM_KEYED_ calls it. */
static uint64_t cm_any_leftright_hash_of_(const cm_any_leftright_writer *writer, const void *const *key)
{
    return hash_in(writer->core, *key);
}

static cm_status newest_get(const struct cm_type *type, struct cm_leftright_ *core, const void *key, uint64_t hash,
                            void *value)
{
    const struct cm_side_ *newest = cm_newest_(core);
    return place_copy(newest, cm_flat_find_(type, &newest->plain.flat, key, hash), value);
}

cm_status cm_any_leftright_writer_get_by_(const struct cm_type *type, cm_any_leftright_writer *writer, const void *key,
                                          void *value)
{
    const uint64_t hash = type->hash(key, writer->core->sides[0].plain.seed);
    CM_IN_TURN_(cm_any_leftright, writer, CM_TURN_LOOKS_, CM_FOREVER, newest_get(type, writer->core, key, hash, value))
}

cm_status cm_any_leftright_writer_get(cm_any_leftright_writer *writer, const void *key, void *value)
{
    return cm_any_leftright_writer_get_by_(type_in(writer->core), writer, key, value);
}

bool cm_any_leftright_writer_contains(cm_any_leftright_writer *writer, const void *key)
{
    return cm_any_leftright_writer_get(writer, key, NULL) == CM_OK;
}

/* ---- changes of one key ---- */

static cm_status key_set(struct cm_leftright_ *core, enum cm_setting_ which, const void *key, uint64_t hash,
                         const void *value, void *old)
{
    return cm_leftright_set_(type_in(core), core, cm_any_leftright_room_, which, key, hash, given_to(core, value),
                             own_of(core)->key, old);
}

static cm_status key_update(const struct cm_type *type, struct cm_leftright_ *core, const void *key, uint64_t hash,
                            cm_status (*function)(void *, void *), void *context)
{
    struct cm_plain_call_ call = {function, context};
    return cm_leftright_update_(type, core, key, hash, call, own_of(core)->value);
}

static cm_status key_upsert(struct cm_leftright_ *core, const void *key, uint64_t hash, const void *initial,
                            cm_status (*function)(void *, void *), void *context)
{
    struct cm_plain_call_ call = {function, context};
    return cm_leftright_upsert_(type_in(core), core, cm_any_leftright_room_, key, hash, given_to(core, initial), call,
                                own_of(core)->key, own_of(core)->value);
}

static cm_status key_remove(const struct cm_type *type, struct cm_leftright_ *core, const void *key, uint64_t hash,
                            void *old)
{
    return cm_leftright_remove_(type, core, CM_LOG_REMOVE_, key, hash, old);
}

/* Values that are taken. */
CM_LEFTRIGHT_TAKEN_(cm_dynamic, cm_any_leftright,
                    cm_leftright_give_back_(type_in(writer->core), writer->core, taken->published, taken->value),
                    taken->destroy, taken->value)

static cm_status key_take(const struct cm_type *type, struct cm_leftright_ *core, const void *key, uint64_t hash,
                          cm_any_leftright_taken *taken)
{
    if (!taken->value && type->value_size)
        return CM_INVALID;
    cm_status status = cm_leftright_remove_(type, core, CM_LOG_TAKE_, key, hash, given_to(core, taken->value));
    if (status != CM_OK)
        return status;
    cm_leftright_took_(core, &taken->map, &taken->published, &taken->context);
    taken->destroy = type->value_destroy;
    return CM_OK;
}

/* A function, its twins, and the one with a hash, by `call`; and one that is called with a type, too. */
#define KEYED(verb, more, arguments, call)                                                                             \
    static cm_status cm_any_leftright_##verb##_in_(cm_any_leftright_writer *writer, uint64_t hash,                     \
                                                   const void *key CM_LIST_ more, cm_deadline deadline)                \
        CM_IN_TURN_(cm_any_leftright, writer, CM_TURN_CHANGES_, deadline, call)                                        \
            CM_KEYED_(cm_dynamic, cm_any_leftright, cm_any_leftright_writer, const void *, verb, more, arguments)
#define KEYED_BY(verb, more, arguments, call)                                                                          \
    cm_status cm_any_leftright_##verb##_by_(const struct cm_type *type, cm_any_leftright_writer *writer,               \
                                            uint64_t hash, const void *key CM_LIST_ more, cm_deadline deadline)        \
        CM_IN_TURN_(cm_any_leftright, writer, CM_TURN_CHANGES_, deadline, call)                                        \
            CM_KEYED_(cm_dynamic, cm_any_leftright, cm_any_leftright_writer, const void *, verb, more, arguments)
#define BY_OWN(...) BY_OWN_(__VA_ARGS__)
#define BY_OWN_(function, writer, ...) function(type_in((writer)->core), writer, __VA_ARGS__)
#define cm_any_leftright_update_in_(...) BY_OWN(cm_any_leftright_update_by_, __VA_ARGS__)
#define cm_any_leftright_remove_in_(...) BY_OWN(cm_any_leftright_remove_by_, __VA_ARGS__)
#define cm_any_leftright_take_in_(...) BY_OWN(cm_any_leftright_take_by_, __VA_ARGS__)

KEYED(insert, (, const void *value), (, value), key_set(writer->core, CM_SET_ABSENT_, key, hash, value, NULL))
KEYED(put, (, const void *value, void *old), (, value, old), key_set(writer->core, CM_SET_ANY_, key, hash, value, old))
KEYED(replace, (, const void *value, void *old), (, value, old),
      key_set(writer->core, CM_SET_PRESENT_, key, hash, value, old))
KEYED_BY(update, (, cm_status (*function)(void *, void *), void *context), (, function, context),
         key_update(type, writer->core, key, hash, function, context))
KEYED(upsert, (, const void *initial, cm_status (*function)(void *, void *), void *context),
      (, initial, function, context), key_upsert(writer->core, key, hash, initial, function, context))
KEYED_BY(remove, (, void *old), (, old), key_remove(type, writer->core, key, hash, old))
KEYED_BY(take, (, cm_any_leftright_taken *taken), (, taken), key_take(type, writer->core, key, hash, taken))

/* ---- changes of many keys ---- */

/* NULL where there is no array. */
static char *value_at(const struct cm_leftright_ *core, const void *values, size_t i)
{
    return values ? (char *)(uintptr_t)values + i * type_in(core)->value_size : NULL;
}

#define MANY(...) SIDES_MANY(cm_any_leftright, __VA_ARGS__)

MANY(put_many, (cm_any_leftright_writer * writer, const void *keys, const void *values, size_t n, cm_status *results),
     (writer, keys, values, n, results), key_at(writer->core, keys, i),
     key_set(writer->core, CM_SET_ANY_, key_at(writer->core, keys, i), hash, value_at(writer->core, values, i), NULL),
     CM_NOTE_RESULT_(results, i), status >= 0)
MANY(update_many,
     (cm_any_leftright_writer * writer, const void *keys, size_t n, cm_status (*function)(void *, void *),
      void *context, cm_status *results),
     (writer, keys, n, function, context, results), key_at(writer->core, keys, i),
     key_update(type_in(writer->core), writer->core, key_at(writer->core, keys, i), hash, function, context),
     CM_NOTE_RESULT_(results, i), status >= 0 && status != CM_ABSENT)
MANY(remove_many, (cm_any_leftright_writer * writer, const void *keys, size_t n, void *old, cm_status *results),
     (writer, keys, n, old, results), key_at(writer->core, keys, i),
     key_remove(type_in(writer->core), writer->core, key_at(writer->core, keys, i), hash,
                value_at(writer->core, old, i)),
     CM_NOTE_RESULT_(results, i), status == CM_OK)

/* By way of the map's own room: what was there goes to where the value comes from, unless the call fails. */
static cm_status op_put(struct cm_leftright_ *core, const cm_any_leftright_op *op, uint64_t hash)
{
    const struct cm_any_own_ *own = own_of(core);
    if (!own->type.value_size)
        return key_set(core, CM_SET_ANY_, op->key, hash, own->value, op->value);
    memcpy(own->value, op->value, own->type.value_size);
    cm_status status = key_set(core, CM_SET_ANY_, op->key, hash, own->value, op->value);
    if (status < 0)
        memcpy(op->value, own->value, own->type.value_size);
    return status;
}

static cm_status op_run(struct cm_leftright_ *core, const cm_any_leftright_op *op, uint64_t hash)
{
    switch (op->kind) {
    case CM_OP_GET:
        return newest_get(type_in(core), core, op->key, hash, op->value);
    case CM_OP_INSERT:
        return key_set(core, CM_SET_ABSENT_, op->key, hash, op->value, NULL);
    case CM_OP_UPDATE:
        return key_update(type_in(core), core, op->key, hash, op->function, op->context);
    case CM_OP_UPSERT:
        return key_upsert(core, op->key, hash, op->value, op->function, op->context);
    case CM_OP_REMOVE:
        return key_remove(type_in(core), core, op->key, hash, op->value);
    default:
        return op_put(core, op, hash);
    }
}

MANY(apply_many, (cm_any_leftright_writer * writer, cm_any_leftright_op *ops, size_t n), (writer, ops, n), ops[i].key,
     op_run(writer->core, &ops[i], hash), ops[i].status = status, status >= 0)

/* ---- saving and loading ---- */

cm_status cm_any_leftright_view_save(const cm_any_leftright_view *view, const cm_sink *sink,
                                     const cm_progress *progress, const char **reason)
{
    struct cm_saved_type_ saved;
    cm_status status = cm_any_saved_describe_(&saved, view->core.type, reason);
    return status < 0 ? status : cm_side_save_(&view->core, &saved, sink, progress, reason);
}

cm_status cm_any_leftright_view_save_file(const cm_any_leftright_view *view, const char *path,
                                          const cm_progress *progress, const char **reason)
{
    CM_SAVED_FILE_(path, reason, cm_any_leftright_view_save(view, &sink, progress, &why))
}

static cm_status load_from(cm_any_leftright *map, const struct cm_type *type, const cm_config *config,
                           const cm_source *source, const struct cm_file_ *file, const cm_progress *progress,
                           const char **reason)
{
    struct cm_any_own_ *own;
    struct cm_saved_type_ saved;
    cm_status status = map ? type_take(&own, type, config) : CM_INVALID;
    if (status < 0) {
        if (reason)
            *reason = cm_status_text(status);
        return status;
    }
    status = cm_any_saved_describe_(&saved, &own->type, reason);
    if (status >= 0)
        status = cm_leftright_load_(&map->core, &saved, config, CM_LEFTRIGHT_VERSION_, sizeof(struct cm_leftright_),
                                    source, file, progress, reason);
    if (status < 0)
        own_end(own);
    else
        map->core->peeks = false; /* as above */
    return status;
}

cm_status cm_any_leftright_load(cm_any_leftright *map, const struct cm_type *type, const cm_config *config,
                                const cm_source *source, const cm_progress *progress, const char **reason)
{
    return load_from(map, type, config, source, NULL, progress, reason);
}

cm_status cm_any_leftright_load_file(cm_any_leftright *map, const struct cm_type *type, const cm_config *config,
                                     const char *path, const cm_progress *progress, const char **reason)
{
    CM_LOADED_FILE_(path, reason, load_from(map, type, config, &source, &file, progress, &why))
}
