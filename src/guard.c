/* Guards: what is not on their fast path. */
#include <concmap/detail/guard.h>

#include "platform.h"

static struct cm_node_ *node_at(struct cm_place_ place)
{
    return (struct cm_node_ *)(void *)cm_slot_node_(*cm_bucket_slot_(place.bucket, place.slot));
}

static struct cm_place_ place_of(const struct cm_guard_ *guard)
{
    return (struct cm_place_){guard->hold->bucket, guard->hold->slot};
}

/* Whether the guard's thread has the bucket by another hold, exclusively. The guard's own hold may be dropped already.
 */
static bool bucket_is_held(const struct cm_guard_ *guard, char *head, bool exclusive)
{
    struct cm_hold_walk_ walk = cm_holds_of_(guard->thread);
    for (struct cm_hold_ *hold; (hold = cm_hold_next_(&walk, cm_bucket_state_(head))) != NULL;)
        if (hold != guard->hold && (hold->exclusive || !exclusive))
            return true;
    return false;
}

/* ---- vacant entries ---- */

static struct cm_node_ *spare_take(const struct cm_type *type, struct cm_map_ *map, const void *key, uint64_t hash,
                                   struct cm_supply_ *supply)
{
    if (!supply->cache)
        supply->cache = cm_pool_cache_of_(&map->pool, &map->allocator, cm_thread_get_()->index);
    return supply->cache ? (struct cm_node_ *)(void *)cm_supply_node_(type, map, key, hash, supply) : NULL;
}

static void key_place(const struct cm_type *type, const struct cm_entry_ *entry, struct cm_place_ place,
                      const void *key)
{
    if (!entry->spare) /* inline form */
        cm_bucket_set_key_(type, cm_layout_of_(type), place.bucket, place.slot, key);
    else
        cm_bucket_set_slot_(place.bucket, place.slot,
                            cm_hash_tag_(entry->hash) << CM_TAG_SHIFT_ | (uint64_t)(uintptr_t)entry->spare);
}

static cm_status place_reserve(const struct cm_type *type, struct cm_map_ *map, struct cm_entry_ *entry,
                               struct cm_held_ *held, const void *key, struct cm_supply_ *supply)
{
    struct cm_layout_ layout = cm_layout_of_(type);
    if (layout.nodes) {
        entry->spare = spare_take(type, map, key, entry->hash, supply);
        supply->lacking = !entry->spare && supply->cache;
        if (!entry->spare)
            return CM_NOMEM;
    }
    unsigned used = cm_occupied_count_(cm_state_occupied_(cm_load_relaxed_(cm_bucket_state_(held->tail))));
    held->place =
        held->unusual || used == layout.slots ? cm_kept_extend_(type, held) : (struct cm_place_){held->tail, used};
    supply->lacking = !held->place.bucket;
    if (supply->lacking) {
        cm_held_insert_undo_(type, map, held, (char *)entry->spare, held->place, supply);
        entry->spare = NULL;
        return CM_NOMEM;
    }
    key_place(type, entry, held->place, key);
    return CM_OK;
}

cm_status cm_entry_reserve_(const struct cm_type *type, struct cm_map_ *map, struct cm_entry_ *entry,
                            struct cm_held_ *held, const void *key, enum cm_purpose_ purpose, struct cm_supply_ *supply)
{
    bool fills = purpose == CM_FOR_ENTRY_;
    if (fills && !cm_map_admit_(map)) {
        supply->crowded = type->cached;
        return CM_FULL;
    }
    cm_status status = place_reserve(type, map, entry, held, key, supply);
    if (fills && status != CM_OK)
        cm_map_dismiss_(map, 1);
    entry->admitted = fills && status == CM_OK;
    return status;
}

static void count(struct cm_entry_ *entry, int64_t difference)
{
    cm_map_count_(cm_guard_map_(&entry->guard), entry->guard.thread, difference);
}

/* A removed entry in node form is put again: its node is still being read. */
static bool spare_renew(const struct cm_type *type, struct cm_entry_ *entry, const void *key)
{
    struct cm_supply_ supply = {.cache = NULL};
    struct cm_map_ *map = cm_guard_map_(&entry->guard);
    while (!(entry->spare = spare_take(type, map, key, entry->hash, &supply)))
        if (!supply.cache || !cm_map_supply_(map, type, entry->guard.table, key, entry->hash, &supply))
            break;
    if (entry->spare)
        key_place(type, entry, place_of(&entry->guard), key);
    if (supply.prepared)
        cm_supply_end_(map, entry->guard.thread, &supply);
    return entry->spare != NULL;
}

bool cm_entry_insert_(const struct cm_type *type, struct cm_entry_ *entry, const void *key, const void *value)
{
    if (!entry->present && cm_layout_has_nodes_(type) && !entry->spare && !spare_renew(type, entry, key))
        return false;
    if (entry->present)
        cm_value_destroy_(type, cm_guard_map_(&entry->guard), cm_guard_value_(type, &entry->guard));
    memcpy(cm_guard_value_(type, &entry->guard), value, type->value_size);
    if (entry->present)
        return true;
    entry->spare = entry->guard.hold->spare = NULL;
    entry->admitted = false;
    entry->guard.hold->admitted = NULL;
    entry->present = true;
    cm_bucket_flip_(entry->guard.hold->bucket, CM_SLOT_BIT_(entry->guard.hold->slot));
    count(entry, 1);
    if (cm_load_relaxed_(&entry->guard.table->overflowed) > entry->guard.table->overflow_limit)
        cm_store_relaxed_(&cm_guard_map_(&entry->guard)->work, 1); /* as in cm_held_insert_() */
    return true;
}

void cm_entry_remove_(const struct cm_type *type, struct cm_entry_ *entry, void *old)
{
    if (old)
        memcpy(old, cm_guard_value_(type, &entry->guard), type->value_size);
    else
        cm_value_destroy_(type, cm_guard_map_(&entry->guard), cm_guard_value_(type, &entry->guard));
    if (cm_layout_has_nodes_(type)) {
        struct cm_node_ *node = node_at(place_of(&entry->guard));
        cm_cached_removed_(type, cm_guard_map_(&entry->guard), (const char *)node);
        node->header = (node->header & ~CM_ADDRESS_MASK_) | (uint64_t)(uintptr_t)entry->removed;
        entry->removed = entry->guard.hold->removed = node;
    }
    struct cm_held_ held = {.head = entry->guard.head, .place = place_of(&entry->guard)};
    cm_kept_remove_(type, &held);
    entry->present = false;
    entry->admitted = true; /* until it is unlocked: it may be put again */
    entry->guard.hold->admitted = cm_map_admitted_(cm_guard_map_(&entry->guard));
    count(entry, -1);
}

/* ---- giving back ---- */

static void spare_give_back(struct cm_map_ *map, struct cm_entry_ *entry)
{
    if (entry->spare) /* a reader with an older state may have followed its slot */
        cm_pool_retire_(&map->pool, &map->allocator, &map->waiters, entry->guard.thread->index, entry->spare);
    entry->spare = NULL;
}

static void removed_retire(struct cm_map_ *map, struct cm_entry_ *entry)
{
    while (entry->removed) {
        struct cm_node_ *node = entry->removed;
        entry->removed = (struct cm_node_ *)(uintptr_t)(node->header & CM_ADDRESS_MASK_);
        cm_pool_retire_(&map->pool, &map->allocator, &map->waiters, entry->guard.thread->index, node);
    }
}

static void tidy_if_alone(const struct cm_type *type, struct cm_table_ *table, char *head)
{
    uint64_t word = cm_load_relaxed_(cm_bucket_state_(head));
    if ((word & CM_UNTIDY_) && !(word & (CM_DIED_ | CM_READERS_)))
        cm_chain_tidy_(type, table, head);
}

void cm_entry_leave_slow_(const struct cm_type *type, struct cm_map_ *map, struct cm_entry_ *entry, char *head)
{
    uint64_t *cell = cm_bucket_state_(head);
    if (entry->admitted)
        cm_map_dismiss_(map, 1);
    if (!bucket_is_held(&entry->guard, head, true)) {
        if (!bucket_is_held(&entry->guard, head, false))
            tidy_if_alone(type, entry->guard.table, head);
        cm_platform_tsan_release_(cell);
        cm_cell_unlock_(cell, cm_load_relaxed_(cell), &map->waiters);
    }
    spare_give_back(map, entry);
    removed_retire(map, entry);
}

/* ---- sharing ---- */

int cm_guard_share_slow_(const struct cm_type *type, struct cm_map_ *map, struct cm_held_ *held, const void *key,
                         uint64_t hash, cm_deadline deadline)
{
    uint64_t *cell = cm_bucket_state_(held->head);
    int got = cm_map_wait_(type, map, held, key, hash, false, deadline);
    if (got != CM_OK)
        return got;
    if (held->nested && held->place.bucket && (cm_load_relaxed_(cell) & CM_READERS_) == CM_READERS_)
        return CM_BUSY;
    if (held->nested && held->place.bucket) /* a share below the thread's own WRITER: nobody else writes the word */
        cm_store_relaxed_(cell, cm_load_relaxed_(cell) + CM_READER_ONE_);
    if (held->place.bucket)
        return held->died ? CM_OWNER_DIED : CM_OK;
    if (!held->nested)
        cm_cell_unshare_hidden_(cell, &map->waiters);
    return CM_ABSENT;
}

cm_status cm_guard_clone_(const struct cm_guard_ *guard, struct cm_guard_ *clone)
{
    char *head = guard->head;
    uint64_t *cell = cm_bucket_state_(head);
    struct cm_hold_ *hold = cm_hold_take_(guard->thread);
    clone->thread = NULL;
    if (!hold)
        return CM_NOMEM;
    uint64_t word = cm_load_relaxed_(cell);
    do {
        if ((word & CM_READERS_) == CM_READERS_)
            return CM_BUSY;
    } while (!cm_swap_if_acquire_(cell, &word, word + CM_READER_ONE_)); /* past PENDING, for it is in already */
    const struct cm_hold_ *own = guard->hold;
    cm_guard_begin_(clone, cm_guard_map_(guard), guard->thread, hold, guard->table, head, guard->hold->bucket,
                    guard->hold->slot, false);
    hold->traced = own->traced;
    hold->at = own->at;
    hold->lent = NULL;
    return CM_OK;
}

/* ---- from one kind to the other, and to other threads ---- */

cm_status cm_guard_downgrade_(const struct cm_type *type, struct cm_entry_ *entry)
{
    struct cm_map_ *map = cm_guard_map_(&entry->guard);
    char *head = entry->guard.head;
    uint64_t *cell = cm_bucket_state_(head);
    if (!entry->present)
        return CM_ABSENT;
    if (bucket_is_held(&entry->guard, head, true) || (cm_load_relaxed_(cell) & CM_READERS_) == CM_READERS_)
        return CM_BUSY;
    cm_cached_changed_(type, map, place_of(&entry->guard));
    entry->guard.hold->exclusive = false;
    cm_platform_tsan_release_(cell);
    cm_cell_unlock_(cell, cm_load_relaxed_(cell) + CM_READER_ONE_, &map->waiters);
    if (cm_load_relaxed_(&map->waiters.count) != 0)
        cm_cell_wake_(cell, true); /* readers may come in, all of them */
    removed_retire(map, entry);
    if (cm_map_is_heavy_(type, map))
        cm_map_trim_(map, type);
    cm_map_lend_a_hand_(type, map);
    return CM_OK;
}

cm_status cm_guard_upgrade_(const struct cm_type *type, const struct cm_guard_ *guard, struct cm_entry_ *entry,
                            uint64_t hash)
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
    if (word & CM_MARKED_)
        cm_bucket_meet_(type, cm_guard_map_(guard), guard->head);
    guard->hold->exclusive = true; /* and so all that cm_hold_set_() clears */
    guard->hold->admitted = NULL;
    guard->hold->counted = NULL;
    guard->hold->orphans = &cm_guard_map_(guard)->pool.orphans;
    guard->hold->spare = guard->hold->removed = NULL;
    cm_entry_init_(entry, hash);
    entry->guard = *guard;
    entry->present = true;
    struct cm_held_ held = {.head = guard->head, .place = place_of(guard)};
    held.died = word & CM_DIED_ ? cm_kept_died_at_(cell, held.place) : NULL;
    if (held.died)
        cm_kept_bury_(&held);
    return held.died ? CM_OWNER_DIED : CM_OK;
}

cm_status cm_guard_detach_(struct cm_guard_ *guard)
{
    char *head = guard->head;
    if (bucket_is_held(guard, head, false))
        return CM_BUSY;
    cm_platform_tsan_release_(cm_bucket_state_(head));
    guard->detached = *guard->hold;
    cm_hold_drop_(guard->thread, guard->hold);
    guard->thread = CM_DETACHED_;
    return CM_OK;
}

cm_status cm_guard_attach_(struct cm_guard_ *guard, bool exclusive)
{
    struct cm_thread_ *thread = cm_thread_get_();
    struct cm_hold_ *hold = cm_hold_take_(thread);
    if (!hold)
        return CM_NOMEM;
    cm_platform_tsan_acquire_(guard->detached.cell);
    guard->hold = hold;
    guard->thread = thread;
    cm_hold_set_(thread, hold, guard->detached.waiters, guard->detached.cell, guard->detached.bucket,
                 guard->detached.slot, exclusive);
    hold->traced = guard->detached.traced;
    hold->at = guard->detached.at;
    hold->lent = guard->detached.lent;
    hold->admitted = guard->detached.admitted;
    hold->orphans = guard->detached.orphans;
    hold->spare = guard->detached.spare;
    hold->removed = guard->detached.removed;
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

bool cm_keys_begin_(void)
{
    struct cm_thread_ *thread = cm_thread_get_();
    bool alone = !cm_hold_any_(thread);
    if (alone && thread->index != CM_STRANGER_)
        thread->hushed = true;
    return alone;
}

void cm_keys_end_(void)
{
    struct cm_thread_ *thread = cm_thread_get_();
    if (thread->index != CM_STRANGER_)
        thread->hushed = false;
}

void cm_keys_pause_(unsigned tries)
{
    uint32_t nothing = 0;
    cm_platform_sleep_(&nothing, 0, (int64_t)1000 << (tries < 10 ? tries : 10));
}
