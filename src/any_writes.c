/* Changes of one entry of dynamic maps. */
#include "any_core.h"

/* Whether a write puts a value aside: one that a function makes; one that it changes and may fail, as it was, or, of
 * an anchored map, what is to be destroyed of the copy; one that is replaced, and to be destroyed. */
static bool write_takes_room(const struct cm_type *type, const struct cm_write_ *write)
{
    if (write->absent == CM_ABSENT_MAKE_)
        return true;
    if (write->present == CM_PRESENT_APPLY_)
        return type->anchored == (type->value_destroy != NULL);
    return write->present == CM_PRESENT_REPLACE_ && type->value_destroy && !write->old && !type->anchored;
}

static bool is_words(const struct cm_type *type, const cm_any *map)
{
    return map->words && !type->foreign;
}

static struct cm_written_ write_words(cm_any *map, const void *key, uint64_t hash, const struct cm_write_ *write)
{
    return cm_map_write_(&words_type, &map->core, key, hash, write);
}

struct cm_written_ cm_any_write_by_(const struct cm_type *type, cm_any *map, const void *key, uint64_t hash,
                                    struct cm_write_ *write)
{
    struct room room;
    struct cm_written_ written = {CM_NOMEM, false};
    bool takes = write_takes_room(type, write);
    if (takes && !room_take(&room, map))
        return written;
    write->scratch = takes ? room.at : NULL;
    written =
        is_words(type, map) ? write_words(map, key, hash, write) : cm_map_write_(type, &map->core, key, hash, write);
    write->scratch = NULL;
    if (takes)
        room_give_back(&room, map);
    return written;
}

/* ---- of entries that are there ---- */

cm_status cm_any_update_by_(const struct cm_type *type, cm_any *map, uint64_t hash, const void *key,
                            cm_status (*function)(void *, void *), void *context, cm_deadline deadline)
{
    struct cm_write_ write = {CM_ABSENT_FAIL_, CM_PRESENT_APPLY_, NULL, function, context, NULL, NULL, NULL, deadline};
    return cm_any_write_by_(type, map, key, hash, &write).status;
}
CM_KEYED_(cm_define, cm_any, cm_any, const void *, update, (, cm_status (*function)(void *, void *), void *context),
          (, function, context))

struct checked {
    bool (*condition)(const void *, void *);
    cm_status (*function)(void *, void *);
    void *context;
};

static cm_status update_checked(void *value, void *context)
{
    const struct checked *checked = context;
    return checked->condition(value, checked->context) ? checked->function(value, checked->context) : CM_EXISTS;
}

cm_status cm_any_update_if_by_(const struct cm_type *type, cm_any *map, uint64_t hash, const void *key,
                               bool (*condition)(const void *, void *), cm_status (*function)(void *, void *),
                               void *context, cm_deadline deadline)
{
    struct checked checked = {condition, function, context};
    return cm_any_update_by_(type, map, hash, key, update_checked, &checked, deadline);
}
CM_KEYED_(cm_define, cm_any, cm_any, const void *, update_if,
          (, bool (*condition)(const void *, void *), cm_status (*function)(void *, void *), void *context),
          (, condition, function, context))

struct exchange {
    const struct cm_type *type;
    bool (*equal)(const void *, const void *);
    void *expected;
    const void *desired;
    void *old;
};

static cm_status exchange_equal(void *value, void *context)
{
    const struct exchange *exchange = context;
    return cm_value_exchange_(exchange->type, exchange->equal(value, exchange->expected), value, exchange->expected,
                              exchange->desired, exchange->old);
}

cm_status cm_any_compare_exchange_by_(const struct cm_type *type, cm_any *map, uint64_t hash, const void *key,
                                      void *expected, const void *desired, bool (*equal)(const void *, const void *),
                                      cm_deadline deadline)
{
    struct room old;
    if (!room_take(&old, map))
        return CM_NOMEM;
    desired = given(map, desired);
    struct exchange exchange = {type, equal, expected, desired, old.at};
    cm_status status = cm_any_update_by_(type, map, hash, key, exchange_equal, &exchange, deadline);
    if (status >= 0)
        cm_value_destroy_(&map->type, &map->core, status == CM_REPLACED ? old.at : desired);
    room_give_back(&old, map);
    return status;
}
CM_KEYED_(cm_define, cm_any, cm_any, const void *, compare_exchange,
          (, void *expected, const void *desired, bool (*equal)(const void *, const void *)),
          (, expected, desired, equal))

cm_status cm_any_remove_if_by_(const struct cm_type *type, cm_any *map, uint64_t hash, const void *key,
                               cm_status (*condition)(void *, void *), void *context, void *old, cm_deadline deadline)
{
    return is_words(type, map) ? cm_map_remove_(&words_type, &map->core, key, hash, condition, context, old, deadline)
                               : cm_map_remove_(type, &map->core, key, hash, condition, context, old, deadline);
}
CM_KEYED_(cm_define, cm_any, cm_any, const void *, remove_if,
          (, cm_status (*condition)(void *, void *), void *context, void *old), (, condition, context, old))

cm_status cm_any_remove_by_(const struct cm_type *type, cm_any *map, uint64_t hash, const void *key, void *old,
                            cm_deadline deadline)
{
    return cm_any_remove_if_by_(type, map, hash, key, NULL, NULL, old, deadline);
}
CM_KEYED_(cm_define, cm_any, cm_any, const void *, remove, (, void *old), (, old))

cm_status cm_any_take_or_by_(const struct cm_type *type, cm_any *map, uint64_t hash, const void *key,
                             const void *otherwise, void *value, cm_deadline deadline)
{
    cm_status status = cm_any_remove_by_(type, map, hash, key, value, deadline);
    if (status == CM_ABSENT && map->type.value_size)
        memcpy(value, otherwise, map->type.value_size);
    if (status == CM_OK)
        cm_value_destroy_(&map->type, &map->core, otherwise);
    return status;
}
CM_KEYED_(cm_define, cm_any, cm_any, const void *, take_or, (, const void *otherwise, void *value),
          (, otherwise, value))

/* ---- those that may add one ---- */

cm_status cm_any_insert_in_(cm_any *map, uint64_t hash, const void *key, const void *value, cm_deadline deadline)
{
    struct cm_write_ write = {CM_ABSENT_INSERT_, CM_PRESENT_KEEP_, given(map, value), NULL, NULL, NULL, NULL, NULL,
                              deadline};
    return cm_any_write_(map, key, hash, &write).status;
}
CM_KEYED_(cm_define, cm_any, cm_any, const void *, insert, (, const void *value), (, value))

cm_status cm_any_put_in_(cm_any *map, uint64_t hash, const void *key, const void *value, void *old,
                         cm_deadline deadline)
{
    struct cm_write_ write = {CM_ABSENT_INSERT_, CM_PRESENT_REPLACE_, given(map, value), NULL, NULL, NULL, old, NULL,
                              deadline};
    return cm_any_write_(map, key, hash, &write).status;
}
CM_KEYED_(cm_define, cm_any, cm_any, const void *, put, (, const void *value, void *old), (, value, old))

cm_status cm_any_upsert_in_(cm_any *map, uint64_t hash, const void *key, const void *initial,
                            cm_status (*function)(void *, void *), void *context, cm_deadline deadline)
{
    struct cm_write_ write = {
        CM_ABSENT_INSERT_, CM_PRESENT_APPLY_, given(map, initial), function, context, NULL, NULL, NULL, deadline};
    return cm_written_upserted_(cm_any_write_(map, key, hash, &write));
}
CM_KEYED_(cm_define, cm_any, cm_any, const void *, upsert,
          (, const void *initial, cm_status (*function)(void *, void *), void *context), (, initial, function, context))

cm_status cm_any_get_or_insert_in_(cm_any *map, uint64_t hash, const void *key, const void *initial, void *value,
                                   cm_deadline deadline)
{
    if (cm_any_find_(map, key, hash, value, deadline) == CM_OK) {
        cm_value_destroy_(&map->type, &map->core, initial);
        return CM_EXISTS;
    }
    struct cm_write_ write = {CM_ABSENT_INSERT_, CM_PRESENT_KEEP_, given(map, initial), NULL, NULL, NULL, NULL, value,
                              deadline};
    return cm_any_write_(map, key, hash, &write).status;
}
CM_KEYED_(cm_define, cm_any, cm_any, const void *, get_or_insert, (, const void *initial, void *value),
          (, initial, value))

static cm_status cm_any_get_or_insert_with_in_(cm_any *map, uint64_t hash, const void *key,
                                               cm_status (*make)(void *, void *), void *context, void *value,
                                               cm_deadline deadline)
{
    if (cm_any_find_(map, key, hash, value, deadline) == CM_OK)
        return CM_EXISTS;
    struct cm_write_ write = {CM_ABSENT_MAKE_, CM_PRESENT_KEEP_, NULL, make, context, NULL, NULL, value, deadline};
    return cm_any_write_(map, key, hash, &write).status;
}
CM_KEYED_(cm_define, cm_any, cm_any, const void *, get_or_insert_with,
          (, cm_status (*make)(void *, void *), void *context, void *value), (, make, context, value))
