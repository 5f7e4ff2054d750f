/* Copying buckets for iterators. */
#include <concmap/detail/iter.h>

#include <concmap/detail/move.h>

#define LEAST_BYTES 512

/* Entries and bytes that the copy of a chain takes. */
struct extent {
    size_t count;
    size_t text;
};

static struct extent chain_extent(const struct cm_type *type, struct cm_layout_ layout, char *bucket)
{
    struct extent extent = {0, 0};
    for (;;) {
        uint64_t state = cm_load_relaxed_(cm_bucket_state_(bucket));
        unsigned occupied = cm_state_occupied_(state); /* with gaps, where the chain is UNTIDY */
        for (unsigned mask = occupied; type->key_text && mask; mask &= mask - 1) {
            char *node = cm_slot_node_(*cm_bucket_slot_(bucket, (unsigned)__builtin_ctz(mask)));
            extent.text += ((const cm_str *)(void *)(node + layout.node_key))->len;
        }
        extent.count += (size_t)__builtin_popcount(occupied);
        if (!(state & CM_CHAINED_))
            return extent;
        bucket = *cm_bucket_link_(bucket, layout);
    }
}

static cm_status key_copy(const struct cm_iter_ *iter, const struct cm_type *type, char *to, char **text,
                          const char *key)
{
    if (type->key_clone)
        return type->key_clone(to, key, iter->map->context);
    memcpy(to, key, type->key_size);
    if (type->key_text) {
        cm_str *copy = (cm_str *)(void *)to;
        if (copy->len)
            memcpy(*text, copy->data, copy->len);
        copy->data = *text;
        *text += copy->len;
    }
    return CM_OK;
}

static void key_destroy(const struct cm_iter_ *iter, const struct cm_type *type, char *key)
{
    if (type->key_destroy)
        type->key_destroy(key, iter->map->context);
}

static cm_status entry_copy(const struct cm_iter_ *iter, const struct cm_type *type, char *to, char **text,
                            char *bucket, unsigned slot)
{
    struct cm_layout_ layout = cm_layout_of_(type);
    const char *key = cm_place_key_(type, (struct cm_place_){bucket, slot});
    cm_status status = key_copy(iter, type, to, text, key);
    if (status < 0)
        return status;
    status =
        cm_value_copy_(type, iter->map, to + cm_iter_value_offset_(type), cm_bucket_value_(type, layout, bucket, slot));
    if (status < 0)
        key_destroy(iter, type, to);
    return status;
}

/* Destroys the copies. */
static void copies_drop(struct cm_iter_ *iter, const struct cm_type *type)
{
    for (size_t i = 0; i < iter->count && (type->key_destroy || type->value_destroy); i++) {
        char *entry = iter->entries + i * cm_iter_stride_(type);
        key_destroy(iter, type, entry);
        cm_value_destroy_(type, iter->map, entry + cm_iter_value_offset_(type));
    }
    iter->count = iter->index = 0;
}

static bool cursor_wants(const struct cm_iter_ *iter, uint64_t hash)
{
    uint64_t point = cm_reverse_bits_(hash);
    return iter->cursor <= point && point <= iter->last;
}

/* Copies the entries from the cursor to the last one wanted. Others are in the bucket where the table has shrunk since,
 * or has fewer buckets than the iteration has parts. */
static cm_status chain_copy(const struct cm_type *type, const struct cm_table_ *table, struct cm_iter_ *iter,
                            char *bucket, size_t count)
{
    struct cm_layout_ layout = cm_layout_of_(type);
    char *text = iter->entries + count * cm_iter_stride_(type);
    uint64_t end = cm_cursor_end_(table, iter->cursor), rest = cm_cursor_end_(table, 0);
    bool amid = (iter->cursor & rest) != 0 || end > iter->last;
    for (;;) {
        uint64_t state = cm_load_relaxed_(cm_bucket_state_(bucket));
        for (unsigned mask = cm_state_occupied_(state); mask; mask &= mask - 1) {
            unsigned slot = (unsigned)__builtin_ctz(mask);
            if (amid && !cursor_wants(iter, cm_place_hash_(type, layout, iter->map, bucket, slot)))
                continue;
            if (cm_value_expired_(type, iter->map, cm_bucket_value_(type, layout, bucket, slot)))
                continue;
            char *copy = iter->entries + iter->count * cm_iter_stride_(type);
            cm_status status = entry_copy(iter, type, copy, &text, bucket, slot);
            if (status < 0)
                return status;
            iter->count++;
        }
        if (!(state & CM_CHAINED_))
            return CM_OK;
        bucket = *cm_bucket_link_(bucket, layout);
    }
}

/* The first table in which the cursor's bucket has not MOVED, held shared, unless *got is a failure; NULL: the map is
 * empty. */
static struct cm_table_ *cursor_share(const struct cm_iter_ *iter, struct cm_layout_ layout, cm_deadline deadline,
                                      char **head, int *got)
{
    uint64_t hash = cm_reverse_bits_(iter->cursor);
    struct cm_table_ *table = cm_load_acquire_(&iter->map->root);
    struct cm_wait_ wait = {&iter->map->waiters, deadline, true};
    *got = CM_GOT_MOVED_;
    for (; table; table = cm_load_acquire_(&table->next)) {
        *head = cm_table_bucket_(table, layout, hash);
        *got = cm_cell_wait_(cm_bucket_state_(*head), false, &wait);
        if (*got != CM_GOT_MOVED_)
            break;
    }
    return table;
}

static void cursor_advance(struct cm_iter_ *iter, const struct cm_table_ *table)
{
    uint64_t end = cm_cursor_end_(table, iter->cursor);
    iter->ended = end >= iter->last;
    iter->cursor = iter->ended ? 0 : end + 1;
}

static bool iter_make_room(struct cm_iter_ *iter, size_t bytes)
{
    const cm_allocator *allocator = &iter->map->allocator;
    size_t wanted = bytes < LEAST_BYTES ? LEAST_BYTES : bytes * 2;
    char *made = allocator->allocate(allocator->context, wanted, 8);
    if (!made)
        return false;
    if (iter->entries)
        allocator->deallocate(allocator->context, iter->entries, iter->bytes, 8);
    iter->entries = made;
    iter->bytes = wanted;
    return true;
}

/* Copies the cursor's bucket and steps past it. Returns the bytes that were lacking for it, or 0. */
static size_t iter_copy_bucket(struct cm_iter_ *iter, const struct cm_type *type, cm_deadline deadline)
{
    struct cm_layout_ layout = cm_layout_of_(type);
    struct cm_pin_ pin = cm_pin_enter_();
    char *head;
    size_t lacking = 0;
    int got;
    struct cm_table_ *table = cursor_share(iter, layout, deadline, &head, &got);
    if (!table || got < 0) {
        iter->status = table ? (cm_status)got : CM_OK;
        iter->ended = !table;
        iter->cursor = table ? iter->cursor : 0;
    } else {
        struct extent extent = chain_extent(type, layout, head);
        size_t bytes = extent.count * cm_iter_stride_(type) + extent.text;
        if (bytes > iter->bytes) {
            lacking = bytes;
        } else {
            iter->status = extent.count ? chain_copy(type, table, iter, head, extent.count) : CM_OK;
            if (iter->status >= 0)
                cursor_advance(iter, table);
        }
        if (got != CM_GOT_NESTED_)
            cm_cell_unshare_hidden_(cm_bucket_state_(head), &iter->map->waiters);
    }
    cm_pin_leave_(pin);
    return lacking;
}

void cm_iter_begin_(struct cm_iter_ *iter, const struct cm_map_ *map, unsigned part, unsigned parts)
{
    memset(iter, 0, offsetof(struct cm_iter_, buckets));
    iter->map = (struct cm_map_ *)(uintptr_t)map;
    iter->last = UINT64_MAX;
    iter->ended = part >= parts;
    iter->status = iter->ended ? CM_INVALID : CM_OK;
    if (iter->ended)
        return;
    uint64_t size = UINT64_MAX / parts; /* the last part has what remains */
    iter->cursor = part * size;
    if (part + 1 < parts)
        iter->last = iter->cursor + size - 1;
}

bool cm_iter_fetch_(struct cm_iter_ *iter, const struct cm_type *type, cm_deadline deadline)
{
    copies_drop(iter, type);
    if (!iter->ended)
        iter->status = CM_OK;
    while (!iter->ended && iter->status == CM_OK && iter->count == 0) {
        size_t lacking = iter_copy_bucket(iter, type, deadline);
        if (lacking && !iter_make_room(iter, lacking)) {
            iter->status = CM_NOMEM;
            iter->ended = true;
        }
    }
    if (iter->status < 0) /* a copy failed: the bucket comes again */
        copies_drop(iter, type);
    return iter->count > 0;
}

void cm_iter_end_(struct cm_iter_ *iter, const struct cm_type *type)
{
    copies_drop(iter, type);
    if (iter->entries)
        iter->map->allocator.deallocate(iter->map->allocator.context, iter->entries, iter->bytes, 8);
    iter->entries = NULL;
    iter->bytes = 0;
    iter->left = 0;
    iter->ended = true;
}
