/* Copying the entries of a chain. */
#include <concmap/detail/copies.h>

#include <concmap/detail/move.h>

/* Bytes that the copy of a chain takes; 0: it is empty. */
static size_t chain_bytes(const struct cm_type *type, struct cm_layout_ layout, char *bucket)
{
    size_t count = 0, text = 0;
    for (;;) {
        uint64_t state = cm_load_relaxed_(cm_bucket_state_(bucket));
        unsigned occupied = cm_state_occupied_(state); /* with gaps, where the chain is UNTIDY */
        for (unsigned mask = occupied; type->key_text && mask; mask &= mask - 1) {
            char *node = cm_slot_node_(*cm_bucket_slot_(bucket, (unsigned)__builtin_ctz(mask)));
            text += ((const cm_str *)(void *)(node + layout.node_key))->len;
        }
        count += (size_t)__builtin_popcount(occupied);
        if (!(state & CM_CHAINED_))
            return count * cm_copy_stride_(type) + text;
        bucket = *cm_bucket_link_(bucket, layout);
    }
}

static cm_status key_copy(struct cm_copies_ *copies, const struct cm_type *type, const struct cm_map_ *map, char *to,
                          const char *key)
{
    if (type->key_clone)
        return type->key_clone(to, key, map->context);
    memcpy(to, key, type->key_size);
    if (type->key_text) {
        cm_str *copy = (cm_str *)(void *)to;
        copies->text += copy->len;
        char *text = copies->entries + copies->bytes - copies->text;
        if (copy->len)
            memcpy(text, copy->data, copy->len);
        copy->data = text;
    }
    return CM_OK;
}

static cm_status entry_add(struct cm_copies_ *copies, const struct cm_type *type, const struct cm_map_ *map,
                           struct cm_place_ place)
{
    char *to = copies->entries + copies->count * cm_copy_stride_(type);
    cm_status status = key_copy(copies, type, map, to, cm_place_key_(type, place));
    if (status < 0)
        return status;
    status = cm_value_copy_(type, map, to + cm_copy_value_offset_(type),
                            cm_bucket_value_(type, cm_layout_of_(type), place.bucket, place.slot));
    if (status >= 0)
        copies->count++;
    else if (type->key_destroy)
        type->key_destroy(to, map->context);
    return status;
}

static bool is_wanted(const struct cm_type *type, const struct cm_map_ *map, struct cm_place_ place,
                      const struct cm_range_ *range)
{
    struct cm_layout_ layout = cm_layout_of_(type);
    if (cm_value_expired_(type, map, cm_bucket_value_(type, layout, place.bucket, place.slot)))
        return false;
    if (!range)
        return true;
    uint64_t point = cm_reverse_bits_(cm_place_hash_(type, layout, map, place.bucket, place.slot));
    return range->first <= point && point <= range->last;
}

cm_status cm_copies_add_(struct cm_copies_ *copies, const struct cm_type *type, const struct cm_map_ *map, char *head,
                         const struct cm_range_ *range, size_t *lacking)
{
    struct cm_layout_ layout = cm_layout_of_(type);
    size_t bytes = chain_bytes(type, layout, head);
    bool fits = bytes <= copies->bytes - copies->text - copies->count * cm_copy_stride_(type);
    *lacking = fits ? 0 : bytes;
    if (!fits)
        return CM_FULL;
    for (char *bucket = head; bytes;) {
        uint64_t state = cm_load_relaxed_(cm_bucket_state_(bucket));
        for (unsigned mask = cm_state_occupied_(state); mask; mask &= mask - 1) {
            struct cm_place_ place = {bucket, (unsigned)__builtin_ctz(mask)};
            cm_status status = is_wanted(type, map, place, range) ? entry_add(copies, type, map, place) : CM_OK;
            if (status < 0)
                return status;
        }
        if (!(state & CM_CHAINED_))
            break;
        bucket = *cm_bucket_link_(bucket, layout);
    }
    return CM_OK;
}

void cm_copies_drop_(struct cm_copies_ *copies, const struct cm_type *type, void *context)
{
    for (size_t i = 0; i < copies->count && (type->key_destroy || type->value_destroy); i++) {
        struct cm_copied_ copied = cm_copy_at_(type, copies, i);
        if (type->key_destroy)
            type->key_destroy((void *)(uintptr_t)copied.key, context);
        if (type->value_destroy)
            type->value_destroy((void *)(uintptr_t)copied.value, context);
    }
    copies->count = copies->text = 0;
}
