/* Changes of the writer of a left-right map: to the side that is its own, and into the log. Nothing is done before all
 * that the other side will need is there (W3 of detail/leftright.h). */
#ifndef CONCMAP_DETAIL_LEFTRIGHT_CHANGES_H
#define CONCMAP_DETAIL_LEFTRIGHT_CHANGES_H

#include <concmap/detail/leftright_log.h>

CM_BEGIN_DECLS

/* Makes room for one more entry in the side that is written, and as much in the other (W3); compiled once for each
 * type. */
CM_INLINE cm_status cm_leftright_grow_(const struct cm_type *type, struct cm_leftright_ *core)
{
    struct cm_plain_ *plain = &cm_newest_(core)->plain;
    struct cm_flat_ next;
    cm_status status = CM_OK;
    size_t entries = cm_plain_wants_(plain, &status);
    if (entries == 0)
        return status;
    if (!cm_flat_make_(&next, type, &plain->allocator, entries))
        return cm_plain_put_off_(plain);
    if (!cm_leftright_other_table_(core, type, entries)) {
        cm_flat_free_(&next, &plain->allocator);
        return cm_plain_put_off_(plain);
    }
    cm_flat_move_(type, &plain->flat, &next, plain->seed);
    cm_leftright_adopt_(core, plain, &next);
    return CM_OK;
}

/* How a typed map makes room: cm_leftright_grow_() for its type. */
typedef cm_status cm_leftright_room_(struct cm_leftright_ *core);

/* ---- one key ---- */

/* Fetches what a change of the key touches, before there is a turn: of both sides, since the replay follows. */
CM_INLINE void cm_leftright_fetch_(const struct cm_type *type, const struct cm_leftright_ *core, uint64_t hash)
{
    /* Relaxed: a guess. */
    const bool waits = (cm_load_relaxed_(&core->lock.cell) & CM_WRITER_) != 0;
    for (unsigned side = 0; side < 2; side++)
        if (CM_UNLIKELY(waits || cm_flat_is_far_(&core->sides[side].plain.flat)))
            cm_flat_prefetch_hint_(type, &core->sides[side].plain.flat, hash);
}

/* Destroys a value that nobody but the caller has. What does that may look at the map, and no more: it must not publish
 * amid the call, which may have changes to come. */
CM_INLINE void cm_leftright_value_end_(const struct cm_type *type, struct cm_leftright_ *core, void *value)
{
    core->busy = true;
    cm_plain_value_end_(type, &cm_newest_(core)->plain, value);
    core->busy = false;
}

/* What a call does with a key that is there, and with one that is not. */
enum cm_setting_ { CM_SET_ABSENT_ = 1, CM_SET_PRESENT_ = 2, CM_SET_ANY_ = 3 };

/* Adds an absent key with a value, to both sides by and by. */
CM_INLINE cm_status cm_leftright_add_(const struct cm_type *type, struct cm_leftright_ *core, cm_leftright_room_ *room,
                                      const void *key, uint64_t hash, const void *value, void *own)
{
    struct cm_plain_ *plain = &cm_newest_(core)->plain;
    cm_status status = CM_LIKELY(plain->flat.len < plain->flat.grow_at) ? CM_OK : room(core);
    if (CM_UNLIKELY(status < 0))
        return status;
    if (type->key_text || type->key_clone) {
        status = cm_plain_key_begin_(type, plain, key, own);
        if (status < 0)
            return status;
        key = own;
    }
    struct cm_flat_place_ place = cm_plain_place_(type, plain, key, hash, value);
    if (cm_type_owns_(type))
        cm_log_note_(type, core, CM_LOG_SET_, hash, key, value);
    else
        cm_log_way_(core, &plain->flat, place, hash);
    return CM_OK;
}

/* Sets the value of a key that is there; there is room in the log. */
CM_INLINE void cm_leftright_revalue_(const struct cm_type *type, struct cm_leftright_ *core, struct cm_plain_ *newest,
                                     struct cm_flat_place_ place, uint64_t hash, const void *value)
{
    memcpy(cm_flat_value_(type, place), value, type->value_size);
    if (cm_type_owns_(type))
        cm_log_note_(type, core, CM_LOG_SET_, hash, place.entry, value);
    else
        cm_log_entry_(core, &newest->flat, place);
}

/* Sets a key's value. A value that is not stored is destroyed, unless the call fails. `own` is room for a key. */
CM_INLINE cm_status cm_leftright_set_(const struct cm_type *type, struct cm_leftright_ *core, cm_leftright_room_ *room,
                                      enum cm_setting_ which, const void *key, uint64_t hash, void *value, void *own,
                                      void *old)
{
    struct cm_plain_ *plain = &cm_newest_(core)->plain;
    struct cm_flat_place_ place = cm_flat_find_ahead_(type, &plain->flat, key, hash);
    if (!(which & (place.entry ? CM_SET_PRESENT_ : CM_SET_ABSENT_))) {
        cm_leftright_value_end_(type, core, value);
        return place.entry ? CM_EXISTS : CM_ABSENT;
    }
    if (!cm_log_room_(type, core))
        return CM_NOMEM;
    if (!place.entry)
        return cm_leftright_add_(type, core, room, key, hash, value, own);
    cm_status status = cm_plain_copy_out_(type, plain, old, cm_flat_value_(type, place));
    if (type->value_clone && status < 0)
        return status;
    cm_leftright_revalue_(type, core, plain, place, hash, value);
    return CM_REPLACED;
}

/* Runs the function on a copy of the value of a key that is there, which becomes the value unless the function fails.
 */
CM_INLINE cm_status cm_leftright_update_at_(const struct cm_type *type, struct cm_leftright_ *core,
                                            struct cm_flat_place_ place, uint64_t hash, struct cm_plain_call_ call,
                                            void *scratch)
{
    struct cm_plain_ *plain = &cm_newest_(core)->plain;
    if (!cm_log_room_(type, core))
        return CM_NOMEM;
    cm_status status = cm_plain_copy_out_(type, plain, scratch, cm_flat_value_(type, place));
    if (type->value_clone && status < 0)
        return status;
    core->busy = true;
    status = call.run(scratch, call.call);
    core->busy = false;
    if (CM_UNLIKELY(status < 0)) {
        cm_leftright_value_end_(type, core, scratch);
        return status;
    }
    cm_leftright_revalue_(type, core, plain, place, hash, scratch);
    return status;
}

CM_INLINE cm_status cm_leftright_update_(const struct cm_type *type, struct cm_leftright_ *core, const void *key,
                                         uint64_t hash, struct cm_plain_call_ call, void *scratch)
{
    struct cm_flat_place_ place = cm_flat_find_ahead_(type, &cm_newest_(core)->plain.flat, key, hash);
    return place.entry ? cm_leftright_update_at_(type, core, place, hash, call, scratch) : CM_ABSENT;
}

/* Adds an absent key with `initial`, or runs the function, as above. `own` and `scratch` are room for a key and a
 * value. */
CM_INLINE cm_status cm_leftright_upsert_(const struct cm_type *type, struct cm_leftright_ *core,
                                         cm_leftright_room_ *room, const void *key, uint64_t hash, void *initial,
                                         struct cm_plain_call_ call, void *own, void *scratch)
{
    struct cm_flat_place_ place = cm_flat_find_ahead_(type, &cm_newest_(core)->plain.flat, key, hash);
    if (!place.entry)
        return cm_log_room_(type, core) ? cm_leftright_add_(type, core, room, key, hash, initial, own) : CM_NOMEM;
    cm_status status = cm_leftright_update_at_(type, core, place, hash, call, scratch);
    if (CM_UNLIKELY(status < 0))
        return status;
    cm_leftright_value_end_(type, core, initial);
    return CM_REPLACED;
}

/* Removes an entry of the side that is written; there is room in the log. */
CM_INLINE void cm_leftright_drop_(const struct cm_type *type, struct cm_leftright_ *core, enum cm_log_kind_ kind,
                                  struct cm_flat_place_ place, uint64_t hash)
{
    struct cm_flat_ *flat = &cm_newest_(core)->plain.flat;
    if (cm_type_owns_(type))
        cm_log_note_(type, core, kind, hash, place.entry, NULL);
    else
        cm_log_way_(core, flat, place, hash);
    cm_flat_drop_(flat, place, hash);
}

/* Removes a key. `old` takes a copy of its value; if it is taken, the value itself. */
CM_INLINE cm_status cm_leftright_remove_(const struct cm_type *type, struct cm_leftright_ *core, enum cm_log_kind_ kind,
                                         const void *key, uint64_t hash, void *old)
{
    struct cm_plain_ *plain = &cm_newest_(core)->plain;
    struct cm_flat_place_ place = cm_flat_find_ahead_(type, &plain->flat, key, hash);
    if (!place.entry)
        return CM_ABSENT;
    if (!cm_log_room_(type, core))
        return CM_NOMEM;
    if (kind == CM_LOG_TAKE_) {
        memcpy(old, cm_flat_value_(type, place), type->value_size);
    } else {
        cm_status status = cm_plain_copy_out_(type, plain, old, cm_flat_value_(type, place));
        if (type->value_clone && status < 0)
            return status;
    }
    cm_leftright_drop_(type, core, kind, place, hash);
    return CM_OK;
}

/* Empties the map. */
CM_INLINE cm_status cm_leftright_clear_(const struct cm_type *type, struct cm_leftright_ *core)
{
    if (!cm_log_room_(type, core))
        return CM_NOMEM;
    if (cm_type_owns_(type)) {
        cm_log_note_(type, core, CM_LOG_CLEAR_, 0, NULL, NULL);
    } else {
        cm_log_whole_(core);
        cm_leftright_changed_(core);
    }
    cm_flat_wipe_(&cm_newest_(core)->plain.flat);
    return CM_OK;
}

/* Moves the side that is written to a table for so many entries, and the other one by and by. */
CM_INLINE cm_status cm_leftright_rehash_(const struct cm_type *type, struct cm_leftright_ *core, size_t entries)
{
    struct cm_plain_ *plain = &cm_newest_(core)->plain;
    struct cm_flat_ next;
    if (!cm_flat_make_(&next, type, &plain->allocator, entries))
        return CM_NOMEM;
    if (!cm_leftright_other_table_(core, type, entries)) {
        cm_flat_free_(&next, &plain->allocator);
        return CM_NOMEM;
    }
    cm_flat_move_(type, &plain->flat, &next, plain->seed);
    cm_leftright_adopt_(core, plain, &next);
    return CM_OK;
}

CM_INLINE cm_status cm_leftright_reserve_(const struct cm_type *type, struct cm_leftright_ *core, size_t entries)
{
    const struct cm_plain_ *plain = &cm_newest_(core)->plain;
    if (entries > plain->limit)
        return CM_FULL;
    return entries <= plain->flat.grow_at ? CM_OK : cm_leftright_rehash_(type, core, entries);
}

CM_INLINE cm_status cm_leftright_shrink_(const struct cm_type *type, struct cm_leftright_ *core)
{
    const struct cm_plain_ *plain = &cm_newest_(core)->plain;
    bool smaller = cm_flat_slots_for_(type, plain->flat.len) < plain->flat.slots;
    return smaller && plain->flat.slots > 3 ? cm_leftright_rehash_(type, core, plain->flat.len ? plain->flat.len : 1)
                                            : CM_OK;
}

CM_INLINE cm_status cm_leftright_meta_set_(struct cm_leftright_ *core, uint64_t meta)
{
    cm_newest_(core)->meta = meta;
    cm_leftright_changed_(core);
    return CM_OK;
}

/* Notes down whose value was taken, and when: for cm_leftright_give_back_() and its like. */
CM_INLINE void cm_leftright_took_(const struct cm_leftright_ *core, uint64_t *map, uint64_t *published, void **context)
{
    *map = core->number;
    *published = core->published;
    *context = core->sides[0].plain.context;
}

/* Whether nobody can see a value any more that was taken when so many batches had been published: the batch after that
 * one has begun. */
CM_INLINE bool cm_leftright_let_go_(const struct cm_leftright_ *core, uint64_t taken_at)
{
    return core->published + core->begun > taken_at + 1;
}

/* A value comes back that was taken when so many batches had been published: destroyed once no reader can see it. */
CM_INLINE cm_status cm_leftright_give_back_(const struct cm_type *type, struct cm_leftright_ *core, uint64_t taken_at,
                                            void *value)
{
    if (!type->value_destroy)
        return CM_OK;
    if (cm_leftright_let_go_(core, taken_at)) {
        cm_leftright_value_end_(type, core, value);
        return CM_OK;
    }
    if (!cm_log_room_(type, core))
        return CM_NOMEM;
    cm_log_note_(type, core, CM_LOG_GIVE_BACK_, 0, NULL, value);
    return CM_OK;
}

CM_END_DECLS

#endif
