/* The dynamic map as a whole: its type, making and unmaking. */
#include <concmap/any.h>

#include "any_core.h"

#define SIZE_MOST ((size_t)1 << 30)

const struct cm_any_sizes cm_any_sizes = {
    sizeof(struct cm_type),     sizeof(cm_any),          sizeof(cm_any_read_guard),
    sizeof(cm_any_write_guard), sizeof(cm_any_iter),     sizeof(cm_any_frozen),
    sizeof(cm_any_frozen_iter), sizeof(cm_any_snapshot), sizeof(cm_any_snapshot_iter)};

/* ---- types ---- */

/* More than 8 is not for copies of entries, which lie in memory of that alignment. */
static bool extent_is_right(size_t size, size_t alignment)
{
    return size <= SIZE_MOST && (alignment == 1 || alignment == 2 || alignment == 4 || alignment == 8) &&
           size % alignment == 0;
}

static bool key_is_right(const struct cm_type *type)
{
    bool text = type->key_size == sizeof(cm_str) && type->key_alignment == CM_ALIGNOF(cm_str);
    bool word = type->key_size == 4 || type->key_size == 8;
    return type->key_size > 0 && extent_is_right(type->key_size, type->key_alignment) && type->hash && type->equal &&
           !type->key_clone == !type->key_destroy && !type->key_encode == !type->key_decode && !type->foreign &&
           (!type->key_bitwise || word) && (!type->key_text || (text && !type->key_clone && !type->key_encode));
}

static bool value_is_right(const struct cm_type *type)
{
    return extent_is_right(type->value_size, type->value_alignment) && !type->value_clone == !type->value_destroy &&
           !type->value_encode == !type->value_decode &&
           (type->cached || (!type->expired && !type->weigh && !type->evicted));
}

static bool never_expired(const void *value, void *context)
{
    return cm_no_expiry(value, context);
}

static size_t no_weight(const void *key, const void *value, void *context)
{
    return cm_no_weight(key, value, context);
}

static void not_told(const void *key, const void *value, cm_eviction why, void *context)
{
    cm_no_eviction(key, value, why, context);
}

static bool is_words(const struct cm_type *type)
{
    return type->key_size == 8 && type->key_alignment == 8 && type->value_size == 8 && type->value_alignment == 8 &&
           type->key_bitwise && !type->in_nodes && type->hash == cm_any_hash_u64 && type->equal == cm_any_equal_u64;
}

bool cm_any_type_take_(struct cm_type *type, const struct cm_type *from, bool anchored)
{
    if (!from || !key_is_right(from) || !value_is_right(from) || from->counted ||
        (anchored ? from->cached : from->anchored))
        return false;
    *type = *from;
    type->anchored = anchored;
    type->in_nodes |= type->key_clone || type->value_clone || type->cached || anchored;
    type->move_ = NULL;
    type->several_ = NULL;
    if (type->cached) {
        type->expired = type->expired ? type->expired : never_expired;
        type->weigh = type->weigh ? type->weigh : no_weight;
        type->evicted = type->evicted ? type->evicted : not_told;
    }
    return true;
}

/* ---- making and unmaking ---- */

cm_status cm_any_init_(cm_any *map, const struct cm_type *type, bool anchored, const cm_config *config)
{
    struct cm_type own;
    if (!map || !cm_any_type_take_(&own, type, anchored))
        return CM_INVALID;
    type_set(map, own, is_words(&own));
    return cm_map_init_(&map->core, &map->type, config, CM_LAYOUT_VERSION_, sizeof(struct cm_map_));
}

cm_status cm_any_init(cm_any *map, const struct cm_type *type, const cm_config *config)
{
    return cm_any_init_(map, type, false, config);
}

cm_any *cm_any_create_(const struct cm_type *type, bool anchored, const cm_config *config, cm_status *status)
{
    const cm_allocator *allocator = config && config->allocator ? config->allocator : cm_allocator_default();
    cm_any *map = allocator->allocate(allocator->context, sizeof *map, CM_ALIGNOF(cm_any));
    cm_status made = map ? cm_any_init_(map, type, anchored, config) : CM_NOMEM;
    if (map && made != CM_OK) {
        allocator->deallocate(allocator->context, map, sizeof *map, CM_ALIGNOF(cm_any));
        map = NULL;
    }
    if (map) {
        map->core.shares = 1;
        map->core.home = map->core.allocator;
    }
    if (status)
        *status = made;
    return map;
}

cm_any *cm_any_create(const struct cm_type *type, const cm_config *config, cm_status *status)
{
    return cm_any_create_(type, false, config, status);
}

cm_any *cm_any_share(cm_any *map)
{
    cm_map_share_(&map->core);
    return map;
}

void cm_any_release(cm_any *map)
{
    if (!map || !cm_map_unshare_(&map->core))
        return;
    cm_allocator allocator = map->core.home;
    cm_any_destroy(map);
    allocator.deallocate(allocator.context, map, sizeof *map, CM_ALIGNOF(cm_any));
}

void cm_any_destroy(cm_any *map)
{
    cm_map_destroy_(&map->core, &map->type);
}

void cm_any_swap(cm_any *a, cm_any *b)
{
    struct cm_type type = a->type;
    bool words = a->words;
    cm_marks_tidy_(&a->core); /* what is of the types that they have now */
    cm_marks_tidy_(&b->core);
    type_set(a, b->type, b->words);
    type_set(b, type, words);
    cm_map_swap_(&a->core, &b->core);
}

cm_status cm_any_move(cm_any *to, cm_any *from)
{
    cm_marks_tidy_(&from->core); /* what is of the type that stays behind */
    type_set(to, from->type, from->words);
    cm_status status = cm_map_init_like_(&to->core, &to->type, &from->core, 0);
    if (status == CM_OK) {
        cm_map_limit_like_(&to->core, &from->core);
        cm_map_swap_(&to->core, &from->core);
    }
    return status;
}

/* ---- the whole map ---- */

size_t cm_any_len(const cm_any *map)
{
    return cm_map_len_(&map->core);
}

static cm_status cm_any_clear_in_(cm_any *map, cm_deadline deadline)
{
    return cm_map_clear_(&map->core, &map->type, deadline);
}
CM_TWINS_(cm_define, cm_any, clear, (cm_any * map), (map))

cm_status cm_any_reserve(cm_any *map, size_t entries)
{
    return cm_map_reserve_(&map->core, &map->type, entries);
}

cm_status cm_any_shrink_to_fit(cm_any *map)
{
    return cm_map_shrink_to_fit_(&map->core, &map->type);
}

bool cm_any_step(cm_any *map, size_t buckets)
{
    return cm_map_step_(&map->core, &map->type, buckets);
}

cm_status cm_any_settle(cm_any *map)
{
    return cm_map_settle_(&map->core, &map->type);
}

cm_memory cm_any_memory(const cm_any *map)
{
    return cm_map_memory_(&map->core);
}

void cm_any_stats(const cm_any *map, cm_stats *stats)
{
    cm_map_stats_(&map->core, &map->type, stats);
}

cm_status cm_any_check(const cm_any *map, const char **reason)
{
    return cm_map_check_(core_of(map), &map->type, reason);
}
