/* The log of a left-right map, and its replay: what was done to one side is done to the other (W2, W3, W4 of
 * detail/leftright.h).
 *
 * Where keys and values own nothing the log is a list of places: bytes of the tags that may have changed, each with the
 * entry that belongs to it; a group's `passed` has none. The replay copies them from the other side. Where that would
 * be longer than to copy the whole table, or the table has moved, or there is no memory for the log, the whole table is
 * copied. So both tables are alike slot by slot, nothing is searched, and the log is never longer than the tags are.
 *
 * Elsewhere it is a list of records: what is removed has to be destroyed once, and bags (bag.h) are each side's own.
 * The replay searches for keys, and does again what was done. */
#ifndef CONCMAP_DETAIL_LEFTRIGHT_LOG_H
#define CONCMAP_DETAIL_LEFTRIGHT_LOG_H

#include <concmap/detail/leftright.h>

CM_BEGIN_DECLS

/* What the log has of a change; the entry's key and value follow at cm_log_layout_.entry. */
enum cm_log_kind_ {
    CM_LOG_SET_,    /* the key has the value, new or not */
    CM_LOG_REMOVE_, /* the key, with what it and its value own */
    CM_LOG_TAKE_,   /* the same, but the value is somebody else's */
    CM_LOG_CLEAR_,
    CM_LOG_GIVE_BACK_, /* a value that had been taken */
    /* Of multimaps. The record's value is a bag; so it is in those above. */
    CM_LOG_ADD_,        /* its one value to the key's bag, which moves to its room, if there is one */
    CM_LOG_ROOM_,       /* the key's bag moves to its room; NULL: to none */
    CM_LOG_DROP_,       /* the value whose position is its `len`, from the key's bag */
    CM_LOG_DROP_TAKEN_, /* the same, but the value is somebody else's */
    CM_LOG_GIVE_BACK_VALUE_
};

/* Whether a reader could see the change. */
CM_INLINE bool cm_log_shows_(enum cm_log_kind_ kind)
{
    return kind != CM_LOG_GIVE_BACK_ && kind != CM_LOG_ROOM_ && kind != CM_LOG_GIVE_BACK_VALUE_;
}

/* Whether entries own something, so that the log has records. */
CM_INLINE bool cm_type_owns_(const struct cm_type *type)
{
    return type->key_text || type->key_clone || type->key_destroy || type->value_clone || type->value_destroy ||
           type->several_;
}

struct cm_log_record_ {
    uint64_t hash;
    uint32_t kind;
};

struct cm_log_layout_ {
    size_t entry; /* where it lies in a record */
    size_t record;
    size_t alignment;
};

CM_INLINE struct cm_log_layout_ cm_log_layout_of_(const struct cm_type *type)
{
    struct cm_flat_layout_ flat = cm_flat_layout_of_(type);
    struct cm_log_layout_ layout;
    layout.alignment = flat.alignment > sizeof(uint64_t) ? flat.alignment : sizeof(uint64_t);
    layout.entry = cm_align_up_(sizeof(struct cm_log_record_), layout.alignment);
    layout.record = cm_align_up_(layout.entry + flat.entry, layout.alignment);
    return layout;
}

/* The key and the value of a record. */
CM_INLINE char *cm_log_key_(const struct cm_type *type, struct cm_log_record_ *record)
{
    return (char *)record + cm_log_layout_of_(type).entry;
}

CM_INLINE char *cm_log_value_(const struct cm_type *type, struct cm_log_record_ *record)
{
    return cm_log_key_(type, record) + cm_flat_layout_of_(type).value;
}

/* Whether there is room for one more change (W3). */
CM_INLINE bool cm_log_room_(const struct cm_type *type, struct cm_leftright_ *core)
{
    if (!cm_type_owns_(type))
        return true; /* the whole table is copied, if need be */
    const struct cm_log_layout_ layout = cm_log_layout_of_(type);
    return CM_LIKELY((size_t)(core->log.end - core->log.at) >= layout.record) ||
           cm_log_grow_(core, layout.record, layout.alignment);
}

/* Something is to be published. Relaxed: for who did this; see cm_leftright_publish_(). */
CM_INLINE void cm_leftright_changed_(struct cm_leftright_ *core)
{
    cm_store_relaxed_(&core->pending, core->pending + 1);
}

/* Notes one place, or that the whole table is to be copied. */
CM_INLINE void cm_log_place_(struct cm_leftright_ *core, size_t place)
{
    struct cm_log_ *log = &core->log;
    if (CM_UNLIKELY(log->at == log->end) && !cm_log_lengthen_(core))
        return;
    memcpy(log->at, &place, sizeof place);
    log->at += sizeof place;
}

/* Notes an entry that is there, as it was before. */
CM_INLINE void cm_log_entry_(struct cm_leftright_ *core, const struct cm_flat_ *flat, struct cm_flat_place_ place)
{
    cm_leftright_changed_(core);
    cm_log_place_(core, (size_t)(place.tag - flat->tags));
}

/* Notes one that has come or is about to go, and those who count it on its way. */
CM_INLINE void cm_log_way_(struct cm_leftright_ *core, const struct cm_flat_ *flat, struct cm_flat_place_ place,
                           uint64_t hash)
{
    const uint64_t last = cm_flat_index_(flat, place);
    for (uint64_t index = cm_flat_home_(flat, hash); CM_UNLIKELY(index != last);
         index = cm_flat_after_(flat, index, hash))
        cm_log_place_(core, (size_t)index * CM_TAGS_GROUP_ + CM_PASSED_);
    cm_log_entry_(core, flat, place);
}

/* Notes a change; there is room. `key` and `value` may be NULL. Returns the record. */
CM_INLINE struct cm_log_record_ *cm_log_note_(const struct cm_type *type, struct cm_leftright_ *core,
                                              enum cm_log_kind_ kind, uint64_t hash, const void *key, const void *value)
{
    const struct cm_log_layout_ layout = cm_log_layout_of_(type);
    struct cm_log_record_ *record = (struct cm_log_record_ *)(void *)core->log.at;
    record->hash = hash;
    record->kind = kind;
    if (key)
        memcpy(cm_log_key_(type, record), key, type->key_size);
    if (value)
        memcpy(cm_log_value_(type, record), value, type->value_size);
    core->log.at += layout.record;
    if (cm_log_shows_(kind))
        cm_leftright_changed_(core);
    return record;
}

/* ---- replay ---- */

/* Does one of a multimap's own records again (src/multimap.c). */
CM_API void cm_multimap_replay_one_(const struct cm_type *type, struct cm_leftright_ *core, struct cm_plain_ *plain,
                                    struct cm_log_record_ *record);

#define CM_REPLAY_AHEAD_ 24       /* records whose tags are fetched ahead: as in batches (plain_batches.h) */
#define CM_REPLAY_AHEAD_ENTRY_ 12 /* and entries */

/* Does one record again. What it finds is what the change found (W2), and is destroyed here alone (W4). */
CM_INLINE void cm_replay_one_(const struct cm_type *type, struct cm_plain_ *plain, struct cm_log_record_ *record,
                              void *scratch)
{
    char *key = cm_log_key_(type, record);
    char *value = cm_log_value_(type, record);
    struct cm_flat_place_ place = cm_flat_find_ahead_(type, &plain->flat, key, record->hash);
    if (CM_LIKELY(record->kind == CM_LOG_SET_)) {
        if (!place.entry) {
            cm_plain_place_(type, plain, key, record->hash, value);
            return;
        }
        char *at = cm_flat_value_(type, place);
        if (type->value_destroy)
            memcpy(scratch, at, type->value_size);
        memcpy(at, value, type->value_size);
        if (type->value_destroy)
            cm_plain_value_end_(type, plain, scratch);
        return;
    }
    if (type->value_destroy)
        memcpy(scratch, cm_flat_value_(type, place), type->value_size);
    cm_flat_drop_(&plain->flat, place, record->hash);
    if (type->value_destroy && record->kind == CM_LOG_REMOVE_)
        cm_plain_value_end_(type, plain, scratch);
    cm_plain_key_end_(type, plain, key);
}

/* Moves a side to another table, if there is one. */
CM_INLINE void cm_side_move_(const struct cm_type *type, struct cm_leftright_ *core, struct cm_side_ *side,
                             struct cm_flat_ *to)
{
    static const struct cm_flat_ none = {NULL, NULL, 0, 0, 0, {NULL, NULL, 0, 0, false}, 0};
    if (!to->slots)
        return;
    cm_flat_move_(type, &side->plain.flat, to, side->plain.seed);
    cm_leftright_adopt_(core, &side->plain, to);
    *to = none;
}

CM_INLINE struct cm_log_record_ *cm_log_record_at_(char *begin, size_t i, size_t size)
{
    return (struct cm_log_record_ *)(void *)(begin + i * size);
}

/* Does all records again. `scratch` is room for a value. */
CM_INLINE void cm_replay_records_(const struct cm_type *type, struct cm_leftright_ *core, struct cm_side_ *stale,
                                  void *scratch)
{
    const size_t size = cm_log_layout_of_(type).record;
    const struct cm_plain_ *newest = &core->sides[cm_active_(core)].plain;
    char *const begin = (char *)core->log.block.address;
    const size_t n = begin ? (size_t)(core->log.at - begin) / size : 0;
    size_t texts = stale->plain.texts;
    cm_side_move_(type, core, stale, &core->larger);
    const size_t fetched = cm_flat_is_far_(&stale->plain.flat) ? n : 0;
    for (size_t i = 0; i < n; i++) {
        struct cm_log_record_ *record = cm_log_record_at_(begin, i, size);
        if (i + CM_REPLAY_AHEAD_ < fetched)
            cm_flat_prefetch_(&stale->plain.flat, cm_log_record_at_(begin, i + CM_REPLAY_AHEAD_, size)->hash);
        if (i + CM_REPLAY_AHEAD_ENTRY_ < fetched)
            cm_flat_prefetch_entry_(type, &stale->plain.flat,
                                    cm_log_record_at_(begin, i + CM_REPLAY_AHEAD_ENTRY_, size)->hash, true);
        if (CM_LIKELY(record->kind <= CM_LOG_TAKE_))
            cm_replay_one_(type, &stale->plain, record, scratch);
        else if (record->kind == CM_LOG_CLEAR_)
            cm_plain_clear_(&stale->plain, type);
        else if (record->kind == CM_LOG_GIVE_BACK_)
            cm_plain_value_end_(type, &stale->plain, cm_log_value_(type, record));
        else
            cm_multimap_replay_one_(type, core, &stale->plain, record);
    }
    cm_side_move_(type, core, stale, &core->last);
    stale->plain.texts = newest->texts - (texts - stale->plain.texts); /* those that the log's keys had are gone */
}

/* Fetches what a place needs of a table beyond the caches. */
CM_INLINE void cm_flat_fetch_place_(const struct cm_type *type, const struct cm_flat_ *flat, size_t place)
{
    const bool far = flat->block.size >= CM_FAR_BYTES_;
    cm_fetch_(flat->tags + place, far);
    cm_fetch_(flat->entries + (place - place / CM_TAGS_GROUP_) * cm_flat_layout_of_(type).entry, far);
}

/* Copies one place. */
CM_INLINE void cm_flat_copy_place_(const struct cm_type *type, const struct cm_flat_ *to, const struct cm_flat_ *from,
                                   size_t place)
{
    const struct cm_flat_layout_ layout = cm_flat_layout_of_(type);
    to->tags[place] = from->tags[place];
    if (CM_UNLIKELY(place % CM_TAGS_GROUP_ == CM_PASSED_))
        return;
    const size_t entry = (place - place / CM_TAGS_GROUP_) * layout.entry;
    memcpy(to->entries + entry, from->entries + entry, layout.value + type->value_size);
}

/* Copies all places. */
CM_INLINE void cm_replay_places_(const struct cm_type *type, struct cm_leftright_ *core, struct cm_side_ *stale)
{
    struct cm_flat_ *to = &stale->plain.flat;
    const struct cm_flat_ *from = &core->sides[cm_active_(core)].plain.flat;
    const size_t *const places = (const size_t *)core->log.block.address;
    if (CM_UNLIKELY(core->whole)) {
        cm_side_copy_(core, stale, type);
        return;
    }
    const size_t n = places ? (size_t)((const size_t *)(const void *)core->log.at - places) : 0;
    const size_t fetched = cm_flat_is_far_(to) ? n : 0;
    for (size_t i = 0; i < n; i++) {
        if (i + CM_REPLAY_AHEAD_ < fetched)
            cm_flat_fetch_place_(type, to, places[i + CM_REPLAY_AHEAD_]);
        cm_flat_copy_place_(type, to, from, places[i]);
    }
    to->len = from->len;
}

/* Makes the stale side what the active one is, by the log. It cannot fail (W3). `scratch` is room for a value. */
CM_INLINE void cm_leftright_replay_(const struct cm_type *type, struct cm_leftright_ *core, void *scratch)
{
    const struct cm_side_ *newest = &core->sides[cm_active_(core)];
    struct cm_side_ *stale = &core->sides[!cm_active_(core)];
    if (cm_type_owns_(type))
        cm_replay_records_(type, core, stale, scratch);
    else
        cm_replay_places_(type, core, stale);
    stale->plain.flat.grow_at = newest->plain.flat.grow_at;
    stale->meta = newest->meta;
    cm_log_reset_(core);
}

CM_END_DECLS

#endif
