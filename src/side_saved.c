/* Saving and loading of left-right maps: see detail/side_saved.h. */
#include <concmap/detail/side_saved.h>

#include <concmap/detail/plain_batches.h>

#include "load_batch.h"

/* ---- saving ---- */

/* Room for a key and a value: what is plain is copied before its padding is cleared. */
struct scratch {
    struct cm_block_ block;
    char *key;
    char *value;
};

static size_t value_size(const struct cm_saved_type_ *saved)
{
    return saved->several ? saved->several->key_size : saved->type->value_size;
}

static size_t value_alignment(const struct cm_saved_type_ *saved)
{
    return saved->several ? saved->several->key_alignment : saved->type->value_alignment;
}

static bool scratch_make(struct scratch *scratch, const struct cm_saved_type_ *saved, const cm_allocator *allocator)
{
    const size_t alignment = value_alignment(saved), of_keys = saved->type->key_alignment;
    const size_t before = cm_align_up_(saved->type->key_size, alignment);
    if (!cm_block_allocate_(allocator, before + value_size(saved), alignment > of_keys ? alignment : of_keys, false,
                            &scratch->block))
        return false;
    scratch->key = scratch->block.address;
    scratch->value = scratch->key + before;
    return true;
}

static cm_status part_save(struct cm_saver_ *saver, const struct cm_part_ *how, const char *part, size_t size,
                           char *copy, void *context)
{
    if (how->kind != CM_PART_PLAIN_)
        return cm_part_save_(saver, how, (void *)(uintptr_t)part, context); /* which only looks at it */
    memcpy(copy, part, size);
    return cm_part_save_(saver, how, copy, context);
}

static cm_status bag_save(struct cm_saver_ *saver, const struct cm_saved_type_ *saved, const struct cm_bag_ *bag,
                          char *copy, void *context)
{
    const struct cm_type *values = saved->several;
    const char *at = cm_bag_values_(values, bag);
    uint32_t count = cm_saved_u32_(bag->len);
    char *room = cm_saver_room_(saver, sizeof count);
    cm_status status = room ? CM_OK : CM_NOMEM;
    if (room)
        memcpy(room, &count, sizeof count);
    for (uint32_t i = 0; i < bag->len && status >= 0; i++, at += values->key_size)
        status = part_save(saver, &saved->value, at, values->key_size, copy, context);
    return status;
}

static cm_status entry_save(struct cm_saver_ *saver, const struct cm_saved_type_ *saved, struct cm_flat_place_ place,
                            const struct scratch *scratch, void *context)
{
    const struct cm_type *type = saved->type;
    const char *value = cm_flat_value_(type, place);
    cm_status status = part_save(saver, &saved->key, place.entry, type->key_size, scratch->key, context);
    if (status >= 0 && saved->several)
        status = bag_save(saver, saved, (const void *)value, scratch->value, context);
    else if (status >= 0)
        status = part_save(saver, &saved->value, value, type->value_size, scratch->value, context);
    return cm_saver_added_(saver, status);
}

cm_status cm_side_save_(const struct cm_side_ *side, const struct cm_saved_type_ *saved, const struct cm_sink *sink,
                        const struct cm_progress *progress, const char **reason)
{
    const struct cm_plain_ *plain = &side->plain;
    struct cm_saver_ saver;
    struct scratch scratch;
    if (!scratch_make(&scratch, saved, &plain->allocator)) {
        if (reason)
            *reason = cm_status_text(CM_NOMEM);
        return CM_NOMEM;
    }
    cm_status status =
        cm_saver_begin_with_(&saver, saved, sink, progress, &plain->allocator, plain->flat.len, side->meta);
    struct cm_flat_walk_ walk = cm_flat_walk_begin_();
    for (struct cm_flat_place_ at; status >= 0 && (at = cm_flat_walk_next_(saved->type, &plain->flat, &walk)).entry;)
        status = entry_save(&saver, saved, at, &scratch, plain->context);
    cm_block_release_(&plain->allocator, &scratch.block);
    return cm_saver_end_(&saver, status, reason);
}

/* ---- loading: one side ---- */

/* Adds a key, which is the map's own then, but that a text is copied; or fails, and it is the caller's. */
static cm_status key_add(struct cm_plain_ *plain, const struct cm_type *type, const char *key, uint64_t hash,
                         struct cm_flat_place_ *place)
{
    cm_str text;
    if (cm_flat_find_ahead_(type, &plain->flat, key, hash).entry)
        return CM_CORRUPT;
    cm_status status = CM_LIKELY(plain->flat.len < plain->flat.grow_at) ? CM_OK : cm_plain_grow_(type, plain);
    if (status >= 0 && type->key_text) {
        status = cm_plain_text_copy_(plain, key, &text);
        key = (const char *)&text;
    }
    if (status < 0)
        return status;
    *place = cm_flat_take_(type, &plain->flat, hash);
    memcpy(place->entry, key, type->key_size);
    return CM_OK;
}

/* `*taken`: entries that the map has now. */
static cm_status batch_add(struct cm_plain_ *plain, const struct cm_type *type, const struct cm_load_batch_ *batch,
                           size_t n, size_t *taken)
{
    CM_FLAT_BATCH_(type, plain, i, n, hash, batch->keys + i * type->key_size, true, {
        struct cm_flat_place_ place;
        cm_status status = key_add(plain, type, batch->keys + i * type->key_size, hash, &place);
        if (CM_UNLIKELY(status < 0))
            return status;
        memcpy(cm_flat_value_(type, place), batch->values + i * type->value_size, type->value_size);
        *taken = i + 1;
    });
    return CM_OK;
}

static cm_status batches_load(struct cm_plain_ *plain, const struct cm_saved_type_ *saved, struct cm_loader_ *loader,
                              struct cm_load_batch_ *batch)
{
    cm_status status = CM_OK;
    for (uint64_t left = loader->entries; left && status >= 0;) {
        size_t made, taken = 0;
        status = cm_load_batch_take_(batch, loader, saved, left < batch->room ? (size_t)left : batch->room,
                                     plain->context, &made);
        if (status >= 0)
            status = batch_add(plain, saved->type, batch, made, &taken);
        cm_load_batch_end_(batch, saved->type, made, taken, taken, plain->context);
        left -= made;
    }
    return status < 0 ? status : CM_OK;
}

/* ---- loading: several values ---- */

/* Takes the values of a bag that has room for `count`. It has those that were taken, also after a failure. */
static cm_status values_load(struct cm_leftright_ *core, const struct cm_saved_type_ *saved, struct cm_loader_ *loader,
                             struct cm_bag_ *bag, uint32_t count, char *value)
{
    const struct cm_type *values = saved->several;
    for (uint32_t i = 0; i < count; i++) {
        cm_status status =
            cm_part_load_(&loader->decoder, &saved->value, value, values->key_destroy, core->bags.context);
        if (status < 0)
            return status;
        cm_bag_add_(&core->bags, bag, value);
    }
    return CM_OK;
}

/* The number of values that follow, which the block has bytes for. */
static cm_status count_load(struct cm_loader_ *loader, const struct cm_saved_type_ *saved, uint32_t *count)
{
    const char *bytes = cm_decoder_take_(&loader->decoder, sizeof *count);
    const size_t least = saved->value.kind == CM_PART_PLAIN_ ? saved->value.size : 4;
    if (!bytes)
        return CM_CORRUPT;
    memcpy(count, bytes, sizeof *count);
    *count = cm_saved_u32_(*count);
    return *count <= CM_BAG_MOST_ && *count <= (size_t)(loader->decoder.end - loader->decoder.at) / least ? CM_OK
                                                                                                          : CM_CORRUPT;
}

/* Takes a key, and adds it with an empty bag. */
static cm_status key_load(struct cm_plain_ *plain, const struct cm_saved_type_ *saved, struct cm_loader_ *loader,
                          char *key, struct cm_bag_ **bag)
{
    const struct cm_type *type = saved->type;
    struct cm_flat_place_ place;
    cm_status status = cm_part_load_(&loader->decoder, &saved->key, key, type->key_destroy, plain->context);
    if (status < 0)
        return status;
    status = key_add(plain, type, key, type->hash(key, plain->seed), &place);
    if (status >= 0) {
        *bag = (void *)cm_flat_value_(type, place);
        **bag = (struct cm_bag_){NULL, 0};
    } else if (type->key_destroy) {
        type->key_destroy(key, plain->context);
    }
    return status;
}

static cm_status entry_load(struct cm_leftright_ *core, const struct cm_saved_type_ *saved, struct cm_loader_ *loader,
                            const struct scratch *scratch)
{
    uint32_t count;
    struct cm_bag_ *bag;
    cm_status status = key_load(&core->sides[0].plain, saved, loader, scratch->key, &bag);
    if (status >= 0)
        status = count_load(loader, saved, &count);
    if (status >= 0 && count > 1 && !(bag->room = cm_bag_room_make_(&core->bags, count)))
        status = CM_NOMEM;
    return status < 0 ? status : values_load(core, saved, loader, bag, count, scratch->value);
}

/* ---- loading: a map ---- */

/* What entries are taken to. */
struct taking {
    struct cm_load_batch_ batch;
    struct scratch scratch; /* where keys have several values */
};

static cm_status block_load(struct cm_leftright_ *core, const struct cm_saved_type_ *saved, struct cm_loader_ *loader,
                            struct taking *taking)
{
    cm_status status = CM_OK;
    if (!saved->several)
        status = batches_load(&core->sides[0].plain, saved, loader, &taking->batch);
    for (uint64_t left = saved->several ? loader->entries : 0; left && status >= 0; left--)
        status = entry_load(core, saved, loader, &taking->scratch);
    return status < 0 ? status : cm_loader_check_(loader);
}

/* Makes room for so many entries, if there is memory for it. */
static void side_expect(struct cm_plain_ *plain, const struct cm_type *type, size_t entries)
{
    if (entries)
        (void)cm_plain_reserve_(plain, type, entries < plain->limit ? entries : plain->limit);
}

static cm_status side_load(struct cm_leftright_ *core, const struct cm_saved_type_ *saved, struct cm_loader_ *loader,
                           struct taking *taking)
{
    cm_status status;
    while ((status = cm_loader_fetch_(loader)) == CM_OK) {
        side_expect(&core->sides[0].plain, saved->type, cm_loader_expects_(loader));
        status = block_load(core, saved, loader, taking);
        if (status < 0)
            break;
    }
    return status < 0 ? status : CM_OK;
}

/* Gives the bags of a table rooms of their own: they are copies of those of another one. False: no memory, and what is
 * left without has none. */
static bool bags_copy(struct cm_leftright_ *core, const struct cm_type *type, const struct cm_flat_ *flat)
{
    struct cm_flat_walk_ walk = cm_flat_walk_begin_();
    bool made = true;
    for (struct cm_flat_place_ at; (at = cm_flat_walk_next_(type, flat, &walk)).entry;) {
        struct cm_bag_ *bag = (void *)cm_flat_value_(type, at);
        const struct cm_bag_ from = *bag;
        if (!from.room)
            continue; /* its value has been copied with it */
        *bag = (struct cm_bag_){NULL, 0};
        made = made && cm_bag_copy_(&core->bags, bag, &from);
    }
    return made;
}

/* The second side becomes what the first one is. */
static cm_status sides_match(struct cm_leftright_ *core, const struct cm_type *type, uint64_t meta)
{
    struct cm_plain_ *from = &core->sides[0].plain, *to = &core->sides[1].plain;
    struct cm_flat_ flat;
    if (!cm_flat_copy_(&flat, &from->flat, type, &to->allocator))
        return CM_NOMEM;
    cm_plain_adopt_(to, &flat);
    to->flat.grow_at = from->flat.grow_at;
    to->texts = from->texts;
    core->sides[0].meta = core->sides[1].meta = meta;
    return !core->bags.values || bags_copy(core, type, &to->flat) ? CM_OK : CM_NOMEM;
}

static cm_status map_load(struct cm_leftright_ *core, const struct cm_saved_type_ *saved, struct cm_loader_ *loader)
{
    struct taking taking;
    if (!(saved->several ? scratch_make(&taking.scratch, saved, loader->allocator)
                         : cm_load_batch_make_(&taking.batch, saved->type, loader->allocator)))
        return CM_NOMEM;
    cm_status status = side_load(core, saved, loader, &taking);
    cm_block_release_(loader->allocator, saved->several ? &taking.scratch.block : &taking.batch.block);
    return status < 0 ? status : sides_match(core, saved->type, loader->meta);
}

/* Of a map that nobody has been in. */
static void nothing_replay(struct cm_leftright_ *core)
{
    (void)core;
}

cm_status cm_leftright_load_(struct cm_leftright_ **core, const struct cm_saved_type_ *saved, const cm_config *config,
                             unsigned version, size_t size, const struct cm_source *source, const struct cm_file_ *file,
                             const struct cm_progress *progress, const char **reason)
{
    struct cm_loader_ loader;
    const cm_allocator *allocator = config && config->allocator ? config->allocator : cm_allocator_default();
    cm_status status = cm_loader_begin_(&loader, saved, source, progress, allocator, file);
    if (status >= 0)
        status = saved->several ? cm_multimap_init_(core, saved->type, saved->several, config, version, size)
                                : cm_leftright_init_(core, saved->type, config, version, size);
    if (status >= 0) {
        status = map_load(*core, saved, &loader);
        if (status < 0)
            cm_leftright_end_(*core, saved->type, nothing_replay);
    }
    return cm_loader_end_(&loader, status, reason);
}
