/* Dynamic multimaps: the algorithms of the typed ones, with types that are read at run time. What does not touch keys
 * or values is made by the very macros of typed multimaps. */
#include <concmap/any_multimap.h>

#include <concmap/detail/side_saved.h>

#include "any_sides.h"

const struct cm_any_multimap_sizes cm_any_multimap_sizes = {
    sizeof(cm_any_multimap),         sizeof(cm_any_multimap_writer), sizeof(cm_any_multimap_reader),
    sizeof(cm_any_multimap_factory), sizeof(cm_any_multimap_taken),  sizeof(cm_any_multimap_view_iter)};

/* ---- the types ---- */

static bool part_take(struct cm_type *part, const struct cm_type *from)
{
    return cm_any_type_take_(part, from, false) && !part->cached && !part->value_size;
}

/* Makes a type of keys one whose values are bags, as struct cm_bag_ and cm_bag_one_() have them. */
static void bags_describe(struct cm_type *type, const struct cm_type *values)
{
    size_t alignment = CM_ALIGNOF(struct cm_bag_);
    type->value_alignment = values->key_alignment > alignment ? values->key_alignment : alignment;
    type->value_size = cm_align_up_(cm_bag_one_(values) + values->key_size, type->value_alignment);
    type->value_clone = cm_plain_clone_;     /* bags are owned, */
    type->value_destroy = cm_plain_destroy_; /* and destroyed by `several_` */
}

static cm_status types_take(struct cm_any_own_ **made, const struct cm_type *keys, const struct cm_type *values,
                            const cm_config *config)
{
    struct cm_type type, several;
    if (!part_take(&type, keys) || !part_take(&several, values))
        return CM_INVALID;
    bags_describe(&type, &several);
    struct cm_any_own_ *own = *made = own_make(&type, config);
    if (!own)
        return CM_NOMEM;
    own->several = several;
    own->type.several_ = &own->several;
    return CM_OK;
}

static void cm_any_multimap_replay_(struct cm_leftright_ *core)
{
    cm_leftright_replay_(type_in(core), core, own_of(core)->value);
}

/* ---- making and unmaking ---- */

cm_status cm_any_multimap_init(cm_any_multimap *map, const struct cm_type *keys, const struct cm_type *values,
                               const cm_config *config)
{
    struct cm_any_own_ *own;
    cm_status status = map ? types_take(&own, keys, values, config) : CM_INVALID;
    if (status < 0)
        return status;
    status = cm_multimap_init_(&map->core, &own->type, &own->several, config, CM_LEFTRIGHT_VERSION_,
                               sizeof(struct cm_leftright_));
    if (status < 0)
        own_end(own);
    return status;
}

void cm_any_multimap_destroy(cm_any_multimap *map)
{
    struct cm_any_own_ *own = own_of(map->core);
    cm_leftright_end_(map->core, &own->type, cm_any_multimap_replay_);
    own_end(own);
    map->core = NULL;
}

CM_LEFTRIGHT_LIFE_(cm_dynamic, cm_any_multimap)

/* ---- readers and views ---- */

static const void *cm_any_multimap_values_(const struct cm_side_ *side, const struct cm_bag_ *bag, size_t *count)
{
    *count = bag ? bag->len : 0;
    return bag ? cm_bag_values_(side->type->several_, bag) : NULL;
}

CM_LEFTRIGHT_READERS_(cm_dynamic, cm_any_multimap)
CM_LEFTRIGHT_VIEWS_(cm_dynamic, cm_any_multimap)
CM_MULTIMAP_WALKS_(cm_dynamic, cm_any_multimap, void, void)

static const struct cm_bag_ *side_find(const struct cm_side_ *side, const void *key)
{
    return cm_multimap_find_(side->type, &side->plain, key);
}

/* Copies the key's first value. CM_ABSENT: there is none. */
static cm_status side_get_one(const struct cm_side_ *side, const void *key, void *value)
{
    const struct cm_type *values = side->type->several_;
    size_t count;
    const void *one = cm_any_multimap_values_(side, side_find(side, key), &count);
    if (!count)
        return CM_ABSENT;
    if (values->key_clone)
        return values->key_clone(value, one, side->plain.context);
    memcpy(value, one, values->key_size);
    return CM_OK;
}

static bool side_has(const struct cm_side_ *side, const void *key, const void *value)
{
    const struct cm_bag_ *bag = side_find(side, key);
    return bag && cm_bag_find_(side->type->several_, bag, side->plain.seed, value) != CM_BAG_NONE_;
}

bool cm_any_multimap_get_one(cm_any_multimap_reader *reader, const void *key, void *value)
{
    const struct cm_side_ *side = cm_reader_enter_(&reader->core);
    if (!side)
        return false;
    bool found = side_get_one(side, key, value) == CM_OK;
    cm_reader_leave_(&reader->core);
    return found;
}

bool cm_any_multimap_contains_value(cm_any_multimap_reader *reader, const void *key, const void *value)
{
    const struct cm_side_ *side = cm_reader_enter_(&reader->core);
    if (!side)
        return false;
    bool found = side_has(side, key, value);
    cm_reader_leave_(&reader->core);
    return found;
}

bool cm_any_multimap_view_contains(const cm_any_multimap_view *view, const void *key)
{
    return side_find(&view->core, key) != NULL;
}

const void *cm_any_multimap_view_get(const cm_any_multimap_view *view, const void *key, size_t *count)
{
    return cm_any_multimap_values_(&view->core, side_find(&view->core, key), count);
}

size_t cm_any_multimap_view_get_many(const cm_any_multimap_view *view, const void *keys, size_t n, const void **values,
                                     size_t *counts)
{
    const struct cm_plain_ *plain = &view->core.plain;
    const struct cm_type *type = view->core.type;
    size_t hits = 0;
    CM_FLAT_BATCH_(type, plain, i, n, hash, (const char *)keys + i * type->key_size, false, {
        const struct cm_bag_ *bag =
            (const void *)cm_plain_find_(type, plain, (const char *)keys + i * type->key_size, hash);
        values[i] = cm_any_multimap_values_(&view->core, bag, &counts[i]);
        hits += bag != NULL;
    });
    return hits;
}

const void *cm_any_multimap_view_get_one(const cm_any_multimap_view *view, const void *key)
{
    size_t count;
    const void *values = cm_any_multimap_view_get(view, key, &count);
    return count ? values : NULL;
}

bool cm_any_multimap_view_contains_value(const cm_any_multimap_view *view, const void *key, const void *value)
{
    return side_has(&view->core, key, value);
}

/* ---- the writer ---- */

CM_LEFTRIGHT_WRITER_(cm_dynamic, cm_any_multimap)
CM_LEFTRIGHT_OWN_LEN_(cm_dynamic, cm_any_multimap)
CM_MULTIMAP_CALLS_(cm_dynamic, cm_any_multimap, void, void)
CM_MULTIMAP_SIFTS_(cm_dynamic, cm_any_multimap, void, void)
CM_MULTIMAP_WHOLE_(cm_dynamic, cm_any_multimap)
CM_LEFTRIGHT_SIZES_(cm_dynamic, cm_any_multimap)

static uint64_t hash_in(const struct cm_leftright_ *core, const void *key)
{
    return own_of(core)->type.hash(key, core->sides[0].plain.seed);
}

uint64_t cm_any_multimap_hash_of(const cm_any_multimap *map, const void *key)
{
    return hash_in(map->core, key);
}

/* As CM_KEYED_ calls it. */
static uint64_t cm_any_multimap_hash_of_(const cm_any_multimap_writer *writer, const void *const *key)
{
    return hash_in(writer->core, *key);
}

cm_status cm_any_multimap_writer_get_one(cm_any_multimap_writer *writer, const void *key, void *value)
{
    CM_IN_TURN_(cm_any_multimap, writer, CM_TURN_LOOKS_, CM_FOREVER, side_get_one(cm_newest_(writer->core), key, value))
}

static cm_status side_count(const struct cm_side_ *side, const void *key, size_t *count)
{
    const struct cm_bag_ *bag = side_find(side, key);
    *count = bag ? bag->len : 0;
    return bag ? CM_OK : CM_ABSENT;
}

cm_status cm_any_multimap_writer_count(cm_any_multimap_writer *writer, const void *key, size_t *count)
{
    CM_IN_TURN_(cm_any_multimap, writer, CM_TURN_LOOKS_, CM_FOREVER, side_count(cm_newest_(writer->core), key, count))
}

bool cm_any_multimap_writer_contains(cm_any_multimap_writer *writer, const void *key)
{
    size_t count;
    return cm_any_multimap_writer_count(writer, key, &count) == CM_OK;
}

static cm_status writer_has(cm_any_multimap_writer *writer, const void *key, const void *value)
{
    CM_IN_TURN_(cm_any_multimap, writer, CM_TURN_LOOKS_, CM_FOREVER,
                side_has(cm_newest_(writer->core), key, value) ? CM_OK : CM_ABSENT)
}

bool cm_any_multimap_writer_contains_value(cm_any_multimap_writer *writer, const void *key, const void *value)
{
    return writer_has(writer, key, value) == CM_OK;
}

/* ---- changes of one key ---- */

/* Values that are taken. */
CM_LEFTRIGHT_TAKEN_(cm_dynamic, cm_any_multimap,
                    cm_multimap_give_back_(writer->core, type_in(writer->core), taken->published, taken->value),
                    taken->destroy, taken->value)

static cm_status value_take(struct cm_leftright_ *core, const void *key, uint64_t hash, const void *value,
                            cm_any_multimap_taken *taken)
{
    if (!taken->value)
        return CM_INVALID;
    cm_status status = cm_multimap_remove_value_(core, type_in(core), key, hash, value, taken->value);
    if (status != CM_OK)
        return status;
    cm_leftright_took_(core, &taken->map, &taken->published, &taken->context);
    taken->destroy = own_of(core)->several.key_destroy;
    return CM_OK;
}

static cm_status values_sift(struct cm_leftright_ *core, const void *key, uint64_t hash,
                             cm_status (*keep)(const void *, void *), void *context)
{
    struct cm_any_multimap_call_ made = {NULL, keep, NULL, context};
    struct cm_values_call_ call = {cm_any_multimap_run_, &made};
    return cm_multimap_retain_values_(core, type_in(core), key, hash, &call);
}

/* A function, its twins, and the one with a hash, by `call`; or by cm_multimap_VERB_(). */
#define KEYED(verb, more, arguments, call)                                                                             \
    static cm_status cm_any_multimap_##verb##_in_(cm_any_multimap_writer *writer, uint64_t hash,                       \
                                                  const void *key CM_LIST_ more, cm_deadline deadline)                 \
        CM_IN_TURN_(cm_any_multimap, writer, CM_TURN_CHANGES_, deadline, call)                                         \
            CM_KEYED_(cm_dynamic, cm_any_multimap, cm_any_multimap_writer, const void *, verb, more, arguments)
#define KEYED_ALIKE(verb, more, arguments)                                                                             \
    KEYED(verb, more, arguments,                                                                                       \
          cm_multimap_##verb##_(writer->core, type_in(writer->core), key, hash CM_LIST_ arguments))

KEYED_ALIKE(insert, (, const void *value), (, value))
KEYED_ALIKE(update, (, const void *value), (, value))
KEYED_ALIKE(remove_entry, (), ())
KEYED_ALIKE(clear_entry, (), ())
KEYED_ALIKE(reserve_values, (, size_t more), (, more))
KEYED_ALIKE(fit, (), ())
KEYED(remove_value, (, const void *value), (, value),
      cm_multimap_remove_value_(writer->core, type_in(writer->core), key, hash, value, NULL))
KEYED(take_value, (, const void *value, cm_any_multimap_taken *taken), (, value, taken),
      value_take(writer->core, key, hash, value, taken))
KEYED(retain_values, (, cm_status (*keep)(const void *, void *), void *context), (, keep, context),
      values_sift(writer->core, key, hash, keep, context))

/* ---- changes of many keys ---- */

#define PAIRS(verb, one)                                                                                               \
    SIDES_MANY(cm_any_multimap, verb,                                                                                  \
               (cm_any_multimap_writer * writer, const void *keys, const void *values, size_t n, cm_status *results),  \
               (writer, keys, values, n, results), key_at(writer->core, keys, i), one, CM_NOTE_RESULT_(results, i),    \
               status == CM_OK)

static const char *value_at(const struct cm_leftright_ *core, const void *values, size_t i)
{
    return (const char *)values + i * own_of(core)->several.key_size;
}

PAIRS(insert_many, cm_multimap_insert_(writer->core, type_in(writer->core), key_at(writer->core, keys, i), hash,
                                       value_at(writer->core, values, i)))
PAIRS(remove_value_many, cm_multimap_remove_value_(writer->core, type_in(writer->core), key_at(writer->core, keys, i),
                                                   hash, value_at(writer->core, values, i), NULL))

/* ---- saving and loading ---- */

/* How keys are written, and their values. */
static cm_status saved_describe(struct cm_saved_type_ *saved, const struct cm_type *type, const char **reason)
{
    const struct cm_type *values = type->several_;
    struct cm_saved_type_ of_values;
    struct cm_type keys = *type;
    keys.value_clone = NULL;
    cm_status status = cm_any_saved_describe_(saved, &keys, reason);
    if (status >= 0)
        status = cm_any_saved_describe_(&of_values, values, reason);
    if (status < 0)
        return status;
    saved->type = type;
    saved->several = values;
    saved->value = of_values.key;
    if (!values->key_text)
        return CM_OK;
    if (reason)
        *reason = "values that are texts of the caller's cannot be saved: own them, and give them codecs";
    return CM_INVALID;
}

cm_status cm_any_multimap_view_save(const cm_any_multimap_view *view, const cm_sink *sink, const cm_progress *progress,
                                    const char **reason)
{
    struct cm_saved_type_ saved;
    cm_status status = saved_describe(&saved, view->core.type, reason);
    return status < 0 ? status : cm_side_save_(&view->core, &saved, sink, progress, reason);
}

cm_status cm_any_multimap_view_save_file(const cm_any_multimap_view *view, const char *path,
                                         const cm_progress *progress, const char **reason)
{
    CM_SAVED_FILE_(path, reason, cm_any_multimap_view_save(view, &sink, progress, &why))
}

static cm_status load_from(cm_any_multimap *map, const struct cm_type *keys, const struct cm_type *values,
                           const cm_config *config, const cm_source *source, const struct cm_file_ *file,
                           const cm_progress *progress, const char **reason)
{
    struct cm_any_own_ *own;
    struct cm_saved_type_ saved;
    cm_status status = map ? types_take(&own, keys, values, config) : CM_INVALID;
    if (status < 0) {
        if (reason)
            *reason = cm_status_text(status);
        return status;
    }
    status = saved_describe(&saved, &own->type, reason);
    if (status >= 0)
        status = cm_leftright_load_(&map->core, &saved, config, CM_LEFTRIGHT_VERSION_, sizeof(struct cm_leftright_),
                                    source, file, progress, reason);
    if (status < 0)
        own_end(own);
    return status;
}

cm_status cm_any_multimap_load(cm_any_multimap *map, const struct cm_type *keys, const struct cm_type *values,
                               const cm_config *config, const cm_source *source, const cm_progress *progress,
                               const char **reason)
{
    return load_from(map, keys, values, config, source, NULL, progress, reason);
}

cm_status cm_any_multimap_load_file(cm_any_multimap *map, const struct cm_type *keys, const struct cm_type *values,
                                    const cm_config *config, const char *path, const cm_progress *progress,
                                    const char **reason)
{
    CM_LOADED_FILE_(path, reason, load_from(map, keys, values, config, &source, &file, progress, &why))
}
