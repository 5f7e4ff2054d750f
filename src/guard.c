/* Guards: what is not on their fast path. */
#include <concmap/detail/guard.h>

#include "platform.h"

static struct cm_node_ *node_at(const struct cm_guard_ *guard)
{
    return (struct cm_node_ *)(void *)cm_slot_node_(*cm_bucket_slot_(guard->place.bucket, guard->place.slot));
}

/* Whether the guard's thread has the cell by another hold, exclusively. The guard's own hold is dropped, or not listed.
 */
static bool cell_is_held(const struct cm_guard_ *guard, bool exclusive)
{
    struct cm_hold_ *hold = NULL;
    while ((hold = cm_hold_next_(guard->thread, cm_bucket_state_(guard->head), hold)) != NULL)
        if (hold != guard->hold && (hold->exclusive || !exclusive))
            return true;
    return false;
}

/* ---- vacant entries ---- */

static struct cm_node_ *spare_take(const struct cm_type *type, struct cm_map_ *map, const void *key,
                                   struct cm_supply_ *supply)
{
    size_t size = cm_key_text_size_(type, key);
    if (!supply->cache)
        supply->cache = cm_pool_cache_of_(&map->pool, &map->allocator, cm_thread_get_()->index);
    if (!supply->cache || (cm_text_is_long_(size) && !supply->text))
        return NULL;
    return cm_pool_take_(&map->pool, supply->cache, cm_text_class_(size));
}

static void key_place(const struct cm_type *type, struct cm_guard_ *guard, const void *key, char **text)
{
    struct cm_layout_ layout = cm_layout_of_(type);
    struct cm_place_ place = guard->place;
    if (!guard->spare) { /* inline form */
        cm_bucket_set_key_(type, layout, place.bucket, place.slot, key);
        return;
    }
    cm_node_fill_(type, layout, (char *)guard->spare, key, guard->hash, text);
    cm_bucket_set_slot_(place.bucket, place.slot,
                        cm_hash_tag_(guard->hash) << CM_TAG_SHIFT_ | (uint64_t)(uintptr_t)guard->spare);
}

cm_status cm_guard_reserve_(const struct cm_type *type, struct cm_map_ *map, struct cm_guard_ *guard,
                            struct cm_held_ *held, const void *key, struct cm_supply_ *supply)
{
    struct cm_layout_ layout = cm_layout_of_(type);
    if (layout.nodes) {
        guard->spare = spare_take(type, map, key, supply);
        supply->lacking = !guard->spare && supply->cache;
        if (!guard->spare)
            return CM_NOMEM;
    }
    unsigned used = cm_occupied_count_(cm_state_occupied_(cm_load_relaxed_(cm_bucket_state_(held->tail))));
    guard->place =
        held->unusual || used == layout.slots ? cm_kept_extend_(type, held) : (struct cm_place_){held->tail, used};
    supply->lacking = !guard->place.bucket;
    if (supply->lacking) {
        if (guard->spare)
            cm_pool_give_back_(&map->pool, supply->cache, guard->spare);
        guard->spare = NULL;
        return CM_NOMEM;
    }
    key_place(type, guard, key, &supply->text);
    return CM_OK;
}

static void count(struct cm_guard_ *guard, int64_t difference)
{
    cm_map_count_(guard->map, guard->thread, difference);
}

/* A removed entry in node form is put again: its node is still being read. */
static bool spare_renew(const struct cm_type *type, struct cm_guard_ *guard, const void *key)
{
    struct cm_supply_ supply = {NULL, NULL, false};
    struct cm_map_ *map = guard->map;
    size_t size = cm_key_text_size_(type, key);
    while (!(guard->spare = spare_take(type, map, key, &supply)))
        if (!supply.cache || !cm_map_supply_(map, type, guard->table, supply.cache, size, &supply.text))
            break;
    if (guard->spare)
        key_place(type, guard, key, &supply.text);
    if (supply.text)
        cm_pool_return_text_(&map->pool, &map->allocator, supply.text, size);
    return guard->spare != NULL;
}

bool cm_guard_insert_(const struct cm_type *type, struct cm_guard_ *guard, const void *key, const void *value)
{
    if (!guard->present && cm_layout_has_nodes_(type) && !guard->spare && !spare_renew(type, guard, key))
        return false;
    memcpy(cm_guard_value_(type, guard), value, type->value_size);
    if (guard->present)
        return true;
    guard->spare = NULL;
    guard->present = true;
    cm_bucket_flip_(guard->place.bucket, CM_SLOT_BIT_(guard->place.slot));
    count(guard, 1);
    if (cm_load_relaxed_(&guard->table->overflowed) > guard->table->overflow_limit)
        cm_store_relaxed_(&guard->map->work, 1); /* as in cm_held_insert_() */
    return true;
}

void cm_guard_remove_(const struct cm_type *type, struct cm_guard_ *guard, void *old)
{
    if (old)
        memcpy(old, cm_guard_value_(type, guard), type->value_size);
    if (cm_layout_has_nodes_(type)) {
        struct cm_node_ *node = node_at(guard);
        node->header = (node->header & ~CM_ADDRESS_MASK_) | (uint64_t)(uintptr_t)guard->removed;
        guard->removed = node;
    }
    struct cm_held_ held = {.head = guard->head, .place = guard->place};
    cm_kept_remove_(type, &held);
    guard->present = false;
    count(guard, -1);
}

/* ---- giving back ---- */

static void spare_give_back(struct cm_guard_ *guard)
{
    struct cm_map_ *map = guard->map;
    if (!guard->spare)
        return;
    cm_pool_free_text_(&map->pool, &map->allocator, guard->spare);
    struct cm_pool_cache_ *cache = cm_pool_cache_of_(&map->pool, &map->allocator, guard->thread->index);
    if (cache) /* otherwise the node waits, with its chunk, until the map is destroyed */
        cm_pool_give_back_(&map->pool, cache, guard->spare);
    guard->spare = NULL;
}

static void removed_retire(struct cm_guard_ *guard)
{
    struct cm_map_ *map = guard->map;
    while (guard->removed) {
        struct cm_node_ *node = guard->removed;
        guard->removed = (struct cm_node_ *)(uintptr_t)(node->header & CM_ADDRESS_MASK_);
        cm_pool_retire_(&map->pool, &map->allocator, &map->waiters, guard->thread->index, node);
    }
}

static void tidy_if_alone(const struct cm_type *type, struct cm_guard_ *guard)
{
    uint64_t word = cm_load_relaxed_(cm_bucket_state_(guard->head));
    if ((word & CM_UNTIDY_) && !(word & (CM_DIED_ | CM_READERS_)))
        cm_chain_tidy_(type, guard->table, guard->head);
}

void cm_guard_leave_slow_(const struct cm_type *type, struct cm_guard_ *guard)
{
    uint64_t *cell = cm_bucket_state_(guard->head);
    struct cm_map_ *map = guard->map;
    if (!cell_is_held(guard, true)) {
        if (!cell_is_held(guard, false))
            tidy_if_alone(type, guard);
        cm_platform_tsan_release_(cell);
        cm_cell_unlock_(cell, cm_load_relaxed_(cell), &map->waiters);
    }
    spare_give_back(guard);
    removed_retire(guard);
}

/* ---- sharing ---- */

cm_status cm_guard_share_slow_(const struct cm_type *type, struct cm_map_ *map, struct cm_held_ *held, const void *key,
                               uint64_t hash, cm_deadline deadline)
{
    uint64_t *cell = cm_bucket_state_(held->head);
    int got = cm_map_wait_(type, map, held, key, hash, false, deadline);
    if (got != CM_OK)
        return (cm_status)got;
    if (held->nested && held->place.bucket) /* a share below the thread's own WRITER: nobody else writes the word */
        cm_store_relaxed_(cell, cm_load_relaxed_(cell) + CM_READER_ONE_);
    if (held->place.bucket)
        return held->died ? CM_OWNER_DIED : CM_OK;
    if (!held->nested)
        cm_cell_unshare_(cell, &map->waiters);
    return CM_ABSENT;
}

void cm_guard_unshare_(struct cm_guard_ *guard)
{
    cm_hold_drop_(guard->thread, guard->hold);
    cm_cell_unshare_(cm_bucket_state_(guard->head), &guard->map->waiters);
    guard->thread = NULL;
}

cm_status cm_guard_clone_(const struct cm_guard_ *guard, struct cm_guard_ *clone)
{
    uint64_t *cell = cm_bucket_state_(guard->head);
    struct cm_hold_ *hold = cm_hold_take_(guard->thread);
    if (!hold)
        return CM_NOMEM;
    uint64_t word = cm_load_relaxed_(cell);
    do {
        if ((word & CM_READERS_) == CM_READERS_) {
            cm_hold_drop_(guard->thread, hold);
            return CM_BUSY;
        }
    } while (!cm_swap_if_acquire_(cell, &word, word + CM_READER_ONE_)); /* past PENDING, for it is in already */
    *clone = *guard;
    clone->hold = hold;
    cm_hold_set_(hold, &guard->map->waiters, cell, guard->place.bucket, guard->place.slot, false);
    return CM_OK;
}

/* ---- from one kind to the other, and to other threads ---- */

cm_status cm_guard_downgrade_(const struct cm_type *type, struct cm_guard_ *guard)
{
    uint64_t *cell = cm_bucket_state_(guard->head);
    if (!guard->present)
        return CM_ABSENT;
    if (cell_is_held(guard, true))
        return CM_BUSY;
    guard->hold->exclusive = false;
    cm_platform_tsan_release_(cell);
    cm_cell_unlock_(cell, cm_load_relaxed_(cell) + CM_READER_ONE_, &guard->map->waiters);
    if (cm_load_relaxed_(&guard->map->waiters) != 0)
        cm_cell_wake_(cell, true); /* readers may come in, all of them */
    removed_retire(guard);
    cm_map_lend_a_hand_(type, guard->map);
    return CM_OK;
}

cm_status cm_guard_upgrade_(struct cm_guard_ *guard)
{
    uint64_t *cell = cm_bucket_state_(guard->head);
    uint64_t word = cm_load_relaxed_(cell);
    do {
        if ((word & CM_WRITER_) || (word & CM_READERS_) != CM_READER_ONE_)
            return CM_BUSY;
        /* Acquire: pairs with the release of other shared holders. Past PENDING, for it waits for this very share. */
    } while (!cm_swap_if_acquire_(cell, &word, ((word - CM_READER_ONE_) | CM_WRITER_) & ~CM_PENDING_));
    cm_fence_release_(); /* as in cm_cell_try_lock_() */
    cm_platform_tsan_acquire_(cell);
    guard->hold->exclusive = true;
    return CM_OK;
}

cm_status cm_guard_detach_(struct cm_guard_ *guard)
{
    if (cell_is_held(guard, false))
        return CM_BUSY;
    cm_platform_tsan_release_(cm_bucket_state_(guard->head));
    cm_hold_drop_(guard->thread, guard->hold);
    guard->thread = NULL;
    guard->detached = true;
    return CM_OK;
}

cm_status cm_guard_attach_(struct cm_guard_ *guard, bool exclusive)
{
    uint64_t *cell = cm_bucket_state_(guard->head);
    struct cm_thread_ *thread = cm_thread_get_();
    guard->hold = cm_hold_take_(thread);
    if (!guard->hold)
        return CM_NOMEM;
    cm_platform_tsan_acquire_(cell);
    cm_hold_set_(guard->hold, &guard->map->waiters, cell, guard->place.bucket, guard->place.slot, exclusive);
    guard->thread = thread;
    guard->detached = false;
    return CM_OK;
}

/* ---- several keys ---- */

void cm_keys_order_(const uint64_t *hashes, size_t n, unsigned *order)
{
    for (size_t i = 0; i < n; i++) {
        size_t k = i;
        for (; k > 0 && cm_reverse_bits_(hashes[order[k - 1]]) > cm_reverse_bits_(hashes[i]); k--)
            order[k] = order[k - 1];
        order[k] = (unsigned)i;
    }
}

void cm_keys_pause_(unsigned tries)
{
    uint32_t nothing = 0;
    cm_platform_sleep_(&nothing, 0, (int64_t)1000 << (tries < 10 ? tries : 10));
}
