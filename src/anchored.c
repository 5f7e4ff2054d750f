/* The cold half of the anchored map: walks, and what only one thread at a time may do. See detail/anchored.h. */
#include <concmap/detail/anchored.h>

#include <concmap/detail/iter.h>
#include <concmap/detail/write.h>

#include "table.h"

/* ---- walks ---- */

void cm_nodes_begin_(struct cm_nodes_iter_ *iter, const struct cm_map_ *map, unsigned part, unsigned parts)
{
    memset(iter, 0, offsetof(struct cm_nodes_iter_, few));
    iter->map = (struct cm_map_ *)(uintptr_t)map;
    iter->room = CM_NODES_FEW_;
    /* First the pin, which can fail: a course would be made a stranger of the domain. */
    iter->pinned = map->domain && cm_domain_pin(map->domain) == CM_OK;
    iter->status = map->domain && !iter->pinned ? CM_NOMEM : CM_OK;
    if (iter->status == CM_OK && !cm_course_begin_(&iter->course, map, part, parts))
        iter->status = CM_INVALID;
    iter->course.ended = iter->status != CM_OK;
}

void cm_nodes_end_(struct cm_nodes_iter_ *iter)
{
    const cm_allocator *allocator = &iter->map->allocator;
    if (iter->more)
        allocator->deallocate(allocator->context, iter->more, iter->room * sizeof *iter->more, sizeof(char *));
    if (iter->pinned)
        cm_domain_unpin(iter->map->domain);
    iter->pinned = false;
    iter->more = NULL;
    iter->room = CM_NODES_FEW_;
    iter->index = iter->count = 0;
    iter->course.ended = true;
}

static bool room_double(struct cm_nodes_iter_ *iter)
{
    const cm_allocator *allocator = &iter->map->allocator;
    size_t bytes = iter->room * sizeof *iter->more;
    char **made = allocator->allocate(allocator->context, bytes * 2, sizeof(char *));
    if (!made)
        return false;
    memcpy(made, iter->more ? iter->more : iter->few, bytes);
    if (iter->more)
        allocator->deallocate(allocator->context, iter->more, bytes, sizeof(char *));
    iter->more = made;
    iter->room *= 2;
    return true;
}

/* What of a bucket is wanted. */
struct part {
    uint64_t first;
    uint64_t last;
    bool whole;
};

/* `heads`: it was in a head; behind a link it may be of another chain, which that bucket serves by now. */
static bool node_is_wanted(const struct cm_nodes_iter_ *iter, const struct cm_type *type, const char *node,
                           const struct part *part, bool heads)
{
    if (part->whole && heads)
        return true;
    /* The header may be another one's by now, the key not. */
    uint64_t point = cm_reverse_bits_(type->hash(node + cm_layout_of_(type).node_key, iter->map->seed));
    return part->first <= point && point <= part->last;
}

/* Adds the nodes of a chain; as cm_node_in_chain_(). */
static bool chain_gather(struct cm_nodes_iter_ *iter, const struct cm_type *type, char *head, uint64_t state,
                         const struct part *part)
{
    struct cm_layout_ layout = cm_layout_of_(type);
    char *bucket = head;
    for (uint64_t look = state;; look = cm_load_acquire_(cm_bucket_state_(bucket))) {
        for (unsigned mask = cm_state_occupied_(look); mask; mask &= mask - 1) {
            char *node = cm_slot_node_(cm_load_acquire_(cm_bucket_slot_(bucket, (unsigned)__builtin_ctz(mask))));
            if (!node ||
                !node_is_wanted(iter, type, node, part, bucket == head)) /* none: it is being added or removed */
                continue;
            if (iter->count == iter->room && !room_double(iter))
                return false;
            (iter->more ? iter->more : iter->few)[iter->count++] = node;
        }
        if (!(look & CM_CHAINED_))
            return true;
        bucket = cm_load_acquire_(cm_bucket_link_(bucket, layout));
        if (!bucket)
            return true;
    }
}

/* Gathers the cursor's bucket and steps past it. Pinned by the caller. False: no memory. */
static bool bucket_gather(struct cm_nodes_iter_ *iter, const struct cm_type *type)
{
    struct cm_layout_ layout = cm_layout_of_(type);
    struct cm_course_ *course = &iter->course;
    uint64_t hash = cm_reverse_bits_(course->cursor);
    struct cm_table_ *table = cm_load_acquire_(&iter->map->root); /* as in cm_node_glance_() */
    for (; table; table = cm_load_acquire_(&table->next)) {
        char *head = cm_table_bucket_(table, layout, hash);
        uint64_t state = cm_load_acquire_(cm_bucket_state_(head));
        if (state & CM_MOVED_)
            continue;
        uint64_t end = cm_cursor_end_(table, course->cursor), rest = cm_cursor_end_(table, 0);
        struct part part = {course->cursor, end < course->last ? end : course->last,
                            !(course->cursor & rest) && end <= course->last};
        iter->index = iter->count = 0;
        if (!chain_gather(iter, type, head, state, &part))
            return false;
        cm_fence_acquire_();                                      /* the slots were loaded before the state below */
        if (cm_load_acquire_(cm_bucket_state_(head)) & CM_MOVED_) /* acquire: who follows MOVED sees where it leads */
            continue;
        cm_course_pass_(course, table, end);
        return true;
    }
    course->ended = true;
    course->cursor = 0;
    return true;
}

bool cm_nodes_fetch_(struct cm_nodes_iter_ *iter, const struct cm_type *type)
{
    iter->index = iter->count = 0;
    while (!iter->course.ended && iter->count == 0) {
        struct cm_pin_ pin = cm_pin_enter_of_(iter->map->domain);
        bool gathered = bucket_gather(iter, type);
        cm_pin_leave_(pin);
        if (!gathered) {
            iter->status = CM_NOMEM;
            iter->course.ended = true;
            iter->count = 0;
        }
    }
    return iter->count > 0;
}

/* ---- one thread at a time ---- */

cm_status cm_map_take_(struct cm_map_ *map, const struct cm_type *type, const void *key, uint64_t hash, void *value)
{
    struct cm_layout_ layout = cm_layout_of_(type);
    struct cm_pin_ pin = cm_pin_enter_of_(map->domain);
    struct cm_pool_cache_ *cache = cm_pool_cache_of_(&map->pool, &map->allocator, pin.thread->index);
    struct cm_held_ held;
    cm_status status = cache ? (cm_status)cm_map_lock_key_(type, map, key, hash, CM_FOREVER, &held) : CM_NOMEM;
    if (status == CM_OK) {
        struct cm_place_ place = held.place;
        status = place.bucket ? CM_OK : CM_ABSENT;
        struct cm_node_ *node = NULL;
        if (place.bucket) {
            node = (struct cm_node_ *)(void *)cm_slot_node_(*cm_bucket_slot_(place.bucket, place.slot));
            cm_chain_remove_(type, layout, held.table, held.head, place);
            cm_map_dismiss_(map, 1);
        }
        cm_map_unlock_(type, map, pin.thread, &held, false);
        if (node) {
            memcpy(value, (char *)node + layout.node_value, type->value_size);
            cm_map_count_(map, pin.thread, -1);
            cm_pool_free_key_(&map->pool, &map->allocator, node);
            cm_pool_give_back_(&map->pool, cache, node);
        }
    }
    cm_pin_leave_(pin);
    cm_map_lend_a_hand_(type, map);
    return status;
}

cm_status cm_map_clear_all_(struct cm_map_ *map, const struct cm_type *type)
{
    cm_status status = cm_map_clear_(map, type, CM_FOREVER);
    if (status >= 0)
        cm_map_release_kept_(map);
    return status;
}

size_t cm_map_capacity_(const struct cm_map_ *map, const struct cm_type *type)
{
    struct cm_pin_ pin = cm_pin_enter_of_(map->domain);
    const struct cm_table_ *table = cm_load_acquire_(&map->root), *next;
    while ((next = cm_load_acquire_(&table->next)) != NULL)
        table = next;
    size_t capacity =
        cm_table_is_empty_(table) ? 0 : (size_t)cm_table_capacity_(cm_layout_of_(type), cm_table_buckets_(table));
    cm_pin_leave_(pin);
    return capacity;
}

cm_unreclaimed cm_map_unreclaimed_(const struct cm_map_ *map)
{
    cm_unreclaimed waiting = {.entries = cm_pool_waiting_nodes_(&map->pool), .bytes = cm_pool_waiting_(&map->pool)};
    if (map->domain && waiting.entries) {
        cm_domain_figures figures;
        cm_domain_stats(map->domain, &figures);
        waiting.holder = figures.holder;
        waiting.index = figures.index;
        waiting.thread = figures.thread;
        waiting.since = figures.since;
    }
    return waiting;
}
