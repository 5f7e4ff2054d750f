/* The cold half of the locked map: waiting, adding, unlinking, and the end of entries. See detail/locked.h. */
#include <concmap/detail/locked.h>

#include <concmap/detail/write.h>

#include "table.h"
#include "thread_registry.h"

/* ---- the lock ---- */

int cm_locked_wait_(struct cm_locked_ *entry, unsigned how, cm_deadline deadline)
{
    const bool shared = (how & CM_LOCK_SHARED_) != 0;
    struct cm_thread_ *thread = cm_thread_get_();
    const struct cm_hold_ *own = cm_hold_any_(thread) ? cm_hold_find_(thread, &entry->cell) : NULL;
    if (own && own->exclusive && (how & CM_LOCK_THROUGH_))
        return CM_GOT_NESTED_;
    if (own && (own->exclusive || !shared)) {
        cm_hold_tell_(thread, own);
        return CM_DEADLOCK;
    }
    /* A copy is waited for by calls that cannot say CM_DEADLOCK: another thread of the circle is told. */
    bool reports = !(how & CM_LOCK_THROUGH_) || deadline != CM_FOREVER;
    struct cm_wait_ wait = {&entry->map->waiters, deadline, reports ? CM_WAIT_REPORTS_ : 0};
    int got = cm_cell_wait_(&entry->cell, !shared, &wait);
    uint64_t word = cm_load_relaxed_(&entry->cell); /* relaxed: the flag only changes under the lock */
    if (got != CM_GOT_ || !(word & CM_UNTIDY_))
        return got;
    if (how & CM_LOCK_ANYWAY_) /* the mark stays, until the value is right */
        return CM_GOT_;
    if (shared)
        cm_cell_unshare_(&entry->cell, wait.waiters);
    else
        cm_cell_unlock_(&entry->cell, word, wait.waiters);
    return CM_OWNER_DIED;
}

cm_status cm_locked_unlock_(struct cm_locked_ *entry, bool shared)
{
    struct cm_thread_ *thread = cm_thread_get_();
    struct cm_hold_walk_ walk = cm_holds_of_(thread);
    struct cm_hold_ *hold;
    do
        hold = cm_hold_any_(thread) ? cm_hold_next_(&walk, &entry->cell) : NULL;
    while (hold && hold->exclusive == shared);
    if (!hold)
        return CM_INVALID;
    cm_hold_drop_(thread, hold); /* (H1) */
    if (shared)
        cm_cell_unshare_(&entry->cell, &entry->map->waiters);
    else /* relaxed: the word is the holder's own (C1) */
        cm_cell_unlock_(&entry->cell, cm_load_relaxed_(&entry->cell), &entry->map->waiters);
    return CM_OK;
}

/* ---- adding and unlinking ---- */

static void use_give_back(const struct cm_type *type, uint64_t *cell)
{
    cm_locked_release_(type, (struct cm_locked_ *)(void *)cell);
}

cm_status cm_locked_add_(const struct cm_type *type, struct cm_map_ *map, const void *key, uint64_t hash,
                         struct cm_locked_ *fresh, cm_deadline deadline, struct cm_locked_ **entry)
{
    void *at = NULL;
    struct cm_write_ write = {.absent = CM_ABSENT_INSERT_, .value = fresh, .now = &at, .deadline = deadline};
    struct cm_supply_ supply = {.cache = NULL};
    struct cm_written_ written = {CM_NOMEM, false};
    struct cm_pin_ pin = cm_map_pin_(type, map);
    cm_holds_count_by_(use_give_back);
    supply.cache = cm_pool_cache_of_(&map->pool, &map->allocator, pin.thread->index);
    if (supply.cache)
        do /* again, if it was unlinked since */
            written = cm_map_write_pinned_(type, map, key, hash, &write, pin.thread, &supply);
        while (written.status == CM_EXISTS && !cm_locked_use_(at));
    if (written.inserted)
        cm_map_count_(map, pin.thread, 1);
    cm_pin_leave_(pin);
    if (supply.prepared)
        cm_supply_end_(map, pin.thread, &supply);
    cm_map_lend_a_hand_(type, map);
    *entry = at;
    return written.status;
}

/* Makes the map's use the caller's; false: it is to be `unused`, and is not. Under the bucket's lock. */
static bool entry_take(struct cm_locked_ *entry, bool unused)
{
    uint64_t uses = cm_load_relaxed_(&entry->uses); /* relaxed: the compare-and-swap decides */
    do
        if (unused && (uses & ~CM_SPENT_) != CM_LINKED_)
            return false;
    /* Acquire: of what was unused this makes the last user. Pairs as in use_end(). */
    while (!cm_swap_if_acquire_(&entry->uses, &uses, uses - CM_LINKED_ + CM_USE_));
    return true;
}

cm_status cm_locked_unlink_(const struct cm_type *type, struct cm_map_ *map, const void *key, uint64_t hash,
                            const struct cm_locked_ *only, bool unused, cm_deadline deadline, struct cm_locked_ **entry)
{
    const struct cm_layout_ layout = cm_layout_of_(type);
    struct cm_pin_ pin = cm_map_pin_(type, map);
    struct cm_held_ held;
    cm_status status = (cm_status)cm_map_lock_key_(type, map, key, hash, deadline, &held);
    if (status == CM_OK) {
        struct cm_place_ place = held.place;
        struct cm_locked_ *found =
            place.bucket ? (void *)cm_bucket_value_(type, layout, place.bucket, place.slot) : NULL;
        status = !found || (only && found != only) ? CM_ABSENT : entry_take(found, unused) ? CM_OK : CM_BUSY;
        if (status == CM_OK) {
            cm_chain_remove_(type, layout, held.table, held.head, place);
            cm_map_dismiss_(map, 1);
            cm_map_count_(map, pin.thread, -1);
            *entry = found;
        }
        cm_map_unlock_(type, map, pin.thread, &held, false);
    }
    cm_pin_leave_(pin);
    cm_map_lend_a_hand_(type, map);
    return status;
}

cm_status cm_locked_unlink_entry_(const struct cm_type *type, struct cm_locked_ *entry, cm_deadline deadline)
{
    const char *key = cm_locked_key_(type, entry);
    struct cm_locked_ *taken;
    cm_status status =
        cm_locked_unlink_(type, entry->map, key, type->hash(key, entry->map->seed), entry, false, deadline, &taken);
    if (status == CM_OK)
        cm_locked_release_(type, entry); /* the map's; not the last */
    return status;
}

/* ---- the end ---- */

/* The entries of one map that a thread ends: those of which their destructors give up the last use come behind them,
 * in a list by `uses`, and not within, for there may be any number in a row. Those of another map end within: a
 * destructor may destroy that one next. So destructors nest no deeper than there are maps. */
struct ending {
    const struct cm_map_ *map;
    struct cm_locked_ *next;
    struct ending *outer; /* of another map */
};

static __thread struct ending *endings;
static __thread uint32_t endings_life; /* in which they began: a destructor may have ended the thread */

static struct ending *ending_find(const struct cm_map_ *map)
{
    if (endings_life != cm_thread_life_)
        endings = NULL;
    endings_life = cm_thread_life_;
    struct ending *ending = endings;
    while (ending && ending->map != map)
        ending = ending->outer;
    return ending;
}

static void entry_destroy(const struct cm_type *type, struct cm_locked_ *entry)
{
    struct cm_map_ *map = entry->map;
    cm_value_destroy_(type, map, entry);
    char *node = (char *)entry - cm_layout_of_(type).node_value;
    cm_pool_retire_(&map->pool, &map->allocator, &map->waiters, cm_thread_get_()->index, (void *)node);
}

/* Nobody uses the entry any more, nor can. */
static void entry_end(const struct cm_type *type, struct cm_locked_ *entry)
{
    struct ending *under_way = type->value_destroy ? ending_find(entry->map) : NULL;
    if (under_way) {
        /* Relaxed: late look-ups may load it, and find no LINKED in an address. */
        cm_store_relaxed_(&entry->uses, (uint64_t)(uintptr_t)under_way->next);
        under_way->next = entry;
        return;
    }
    struct ending own = {entry->map, NULL, endings};
    endings = &own;
    while (entry) {
        entry_destroy(type, entry);
        entry = own.next;
        own.next = entry ? (struct cm_locked_ *)(uintptr_t)entry->uses : NULL;
    }
    endings = own.outer;
}

/* Gives one use up, but not the last one of an entry that is out of the map: false. */
static bool use_end(struct cm_locked_ *entry, uint64_t *uses)
{
    *uses = cm_load_acquire_(&entry->uses); /* of the last: pairs with the releases of all that were before */
    do
        if (!(*uses & CM_LINKED_) && *uses < 2 * CM_USE_)
            return false;
    while (!cm_swap_if_acq_rel_(&entry->uses, uses, *uses - CM_USE_)); /* release: as in cm_locked_release_() */
    *uses -= CM_USE_;
    return true;
}

cm_status cm_locked_release_slow_(const struct cm_type *type, struct cm_locked_ *entry)
{
    struct cm_map_ *map = entry->map;
    uint64_t uses;
    cm_status unlinked = CM_BUSY;
    struct cm_pin_ pin = cm_map_pin_(type, map); /* keeps the node when the use is gone */
    bool last = !use_end(entry, &uses);
    if (!last && uses == (CM_LINKED_ | CM_SPENT_)) {
        const char *key = cm_locked_key_(type, entry);
        unlinked = cm_locked_unlink_(type, map, key, type->hash(key, map->seed), entry, true, CM_FOREVER, &entry);
        last = unlinked == CM_OK;
    }
    cm_pin_leave_(pin);
    if (last)
        entry_end(type, entry);
    if (unlinked != CM_BUSY)
        return unlinked;
    return uses & CM_LINKED_ ? CM_EXISTS : CM_ABSENT;
}

/* ---- walks ---- */

/* Gathers the next bucket's entries, all of them in use by the walk. */
static bool entries_fetch(struct cm_nodes_iter_ *nodes, const struct cm_type *type)
{
    size_t used = 0;
    while (used == 0) {
        struct cm_pin_ pin = cm_map_pin_(type, nodes->map);
        bool fetched = cm_nodes_fetch_(nodes, type);
        char **all = nodes->more ? nodes->more : nodes->few;
        for (size_t i = 0; i < nodes->count; i++)
            if (cm_locked_use_(cm_locked_of_node_(type, all[i])))
                all[used++] = all[i];
        cm_pin_leave_(pin);
        nodes->count = used;
        if (!fetched)
            return false;
    }
    return true;
}

static void entry_leave(struct cm_locked_iter_ *iter, const struct cm_type *type)
{
    if (iter->entry)
        cm_locked_release_(type, iter->entry);
    iter->entry = NULL;
}

bool cm_locked_next_(struct cm_locked_iter_ *iter, const struct cm_type *type)
{
    struct cm_nodes_iter_ *nodes = &iter->nodes;
    entry_leave(iter, type);
    if (nodes->index == nodes->count && !entries_fetch(nodes, type))
        return false;
    iter->entry = cm_locked_of_node_(type, (nodes->more ? nodes->more : nodes->few)[nodes->index++]);
    return true;
}

void cm_locked_iter_end_(struct cm_locked_iter_ *iter, const struct cm_type *type)
{
    struct cm_nodes_iter_ *nodes = &iter->nodes;
    entry_leave(iter, type);
    while (nodes->index < nodes->count)
        cm_locked_release_(type, cm_locked_of_node_(type, (nodes->more ? nodes->more : nodes->few)[nodes->index++]));
    cm_nodes_end_(nodes);
}

cm_status cm_locked_clear_(const struct cm_type *type, struct cm_map_ *map, cm_deadline deadline)
{
    struct cm_locked_iter_ iter = {.entry = NULL};
    cm_status status = CM_OK;
    cm_nodes_begin_(&iter.nodes, map, 0, 1);
    while (status >= 0 && cm_locked_next_(&iter, type))
        status = cm_locked_unlink_entry_(type, iter.entry, deadline);
    if (status >= 0)
        status = iter.nodes.status;
    cm_locked_iter_end_(&iter, type);
    return status;
}
