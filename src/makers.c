/* Makers: threads that make values for keys that an anchored map lacks. See detail/anchored.h.
 *
 * Shape. A list of records that only grows, under a lock of its own behind which nothing is waited for. A record has a
 * lock (map_lock.h), which its maker holds while it makes a value, listed among its holds: so whoever waits for it has
 * deadlines, and is told of circles. Records are used again when nobody waits for them.
 *
 * A thread that ends amid its making leaves the record as it is, and the lock free but marked: who gets it next buries
 * the maker. The key of a record is that of a node, which outlives a dead thread, too. */
#include <concmap/detail/anchored.h>

#include <concmap/detail/map_lock.h>
#include <concmap/detail/write.h>

#include "platform.h"

struct cm_maker_ {
    struct cm_maker_ *next;
    const void *key; /* NULL: nobody makes anything */
    uint64_t hash;
    size_t users; /* the maker, and those who wait */
    struct cm_map_lock_ lock;
    struct cm_map_held_ held;
};

static void list_lock(struct cm_map_ *map)
{
    cm_cell_lock_(&map->makers_lock, &map->waiters);
    cm_platform_tsan_acquire_(&map->makers_lock);
}

static void list_unlock(struct cm_map_ *map)
{
    cm_platform_tsan_release_(&map->makers_lock);
    cm_cell_unlock_(&map->makers_lock, cm_load_relaxed_(&map->makers_lock), &map->waiters);
}

/* The record of who makes the key's value, or one that is free, or NULL. Under the list's lock. */
static struct cm_maker_ *maker_find(struct cm_map_ *map, const struct cm_type *type, const void *key, uint64_t hash)
{
    struct cm_maker_ *unused = NULL;
    for (struct cm_maker_ *maker = map->makers; maker; maker = maker->next) {
        if (maker->key && maker->hash == hash && type->equal(maker->key, key))
            return maker;
        if (!maker->users)
            unused = maker;
    }
    return unused;
}

/* Adds a free record. False: no memory. */
static bool list_grow(struct cm_map_ *map)
{
    struct cm_maker_ *maker =
        map->allocator.allocate(map->allocator.context, sizeof *maker, CM_ALIGNOF(struct cm_maker_));
    if (!maker)
        return false;
    memset(maker, 0, sizeof *maker);
    cm_platform_lockfree_memory_(&maker->lock, sizeof maker->lock);
    list_lock(map);
    maker->next = map->makers;
    map->makers = maker;
    list_unlock(map);
    return true;
}

void cm_makers_destroy_(struct cm_map_ *map)
{
    while (map->makers) {
        struct cm_maker_ *maker = map->makers;
        map->makers = maker->next;
        cm_holds_bury_all_(&maker->lock.waiters);
        map->allocator.deallocate(map->allocator.context, maker, sizeof *maker, CM_ALIGNOF(struct cm_maker_));
    }
}

/* Makes the record the calling thread's, for the key of its node. Its lock is free, so this does not wait. */
static cm_status maker_begin(struct cm_map_ *map, struct cm_maker_ *maker, struct cm_node_ *node, const void *key,
                             uint64_t hash)
{
    int got = cm_map_enter_(&maker->lock, &maker->held, true, CM_TRY);
    if (got != CM_GOT_)
        return (cm_status)got;
    maker->held.hold->orphans = &map->pool.orphans; /* where the node goes if the thread ends */
    maker->held.hold->removed = NULL;
    maker->held.hold->spare = node;
    maker->key = key;
    maker->hash = hash;
    maker->users = 1;
    return CM_OK;
}

static void maker_end(struct cm_map_ *map, struct cm_maker_ *maker)
{
    list_lock(map);
    maker->key = NULL;
    maker->users--;
    cm_map_leave_(&maker->held, CM_GOT_);
    list_unlock(map);
}

/* Waits until nobody makes the record's value any more. */
static cm_status maker_await(struct cm_map_ *map, struct cm_maker_ *maker, cm_deadline deadline)
{
    int got = cm_map_lock_take_(&maker->lock, deadline);
    list_lock(map);
    maker->users--;
    if (got == CM_GOT_) {
        if (maker->lock.died) { /* before it could say so itself */
            maker->lock.died = false;
            maker->key = NULL;
            maker->users--;
        }
        cm_map_lock_give_(&maker->lock);
    }
    list_unlock(map);
    return got == CM_GOT_NESTED_ ? cm_map_lock_own_(&maker->lock) : (cm_status)got;
}

/* Makes the calling thread the maker of the key: CM_OK; or waits for who is: CM_EXISTS, look again. */
static cm_status maker_enter(struct cm_map_ *map, const struct cm_type *type, struct cm_node_ *node, uint64_t hash,
                             cm_deadline deadline, struct cm_maker_ **own)
{
    const void *key = (char *)node + cm_layout_of_(type).node_key;
    for (;;) {
        list_lock(map);
        struct cm_maker_ *maker = *own = maker_find(map, type, key, hash);
        bool waits = maker && maker->key;
        cm_status status = CM_OK;
        if (waits)
            maker->users++;
        else if (maker)
            status = maker_begin(map, maker, node, key, hash);
        list_unlock(map);
        if (waits) {
            status = maker_await(map, maker, deadline);
            return status < 0 ? status : CM_EXISTS;
        }
        if (maker)
            return status;
        if (!list_grow(map))
            return CM_NOMEM;
    }
}

/* The node may be gone before the maker is; the caller's key is not. */
static void maker_set_key(struct cm_map_ *map, struct cm_maker_ *maker, const void *key)
{
    list_lock(map);
    maker->key = key;
    list_unlock(map);
}

/* Calls the user's function, with CM_DOMAIN in a pin of the domain: what it has found there stays, for the thread
 * cannot report meanwhile. */
static cm_status value_call(struct cm_map_ *map, cm_status (*make)(void *value, void *context), void *context,
                            void *value)
{
    if (!map->domain)
        return make(value, context);
    struct cm_pin_ pin = cm_pin_enter_of_(map->domain);
    cm_status status = make(value, context);
    cm_pin_leave_(pin);
    return status;
}

/* What a maker does: *node is NULL afterwards if it was used. */
static cm_status value_make(struct cm_map_ *map, const struct cm_type *type, struct cm_maker_ *maker, const void *key,
                            uint64_t hash, cm_status (*make)(void *value, void *context), void *context,
                            struct cm_write_ *write, struct cm_node_ **node)
{
    (*node)->header |= CM_NODE_BLANK_;
    cm_status status = value_call(map, make, context, write->scratch);
    (*node)->header &= ~CM_NODE_BLANK_;
    if (status < 0)
        return status;
    maker_set_key(map, maker, key);
    struct cm_written_ written = cm_map_write_by_(type, map, key, hash, write, *node);
    *node = NULL;
    if (written.status < 0)
        cm_value_destroy_(type, map, write->scratch);
    return written.status;
}

cm_status cm_map_make_(struct cm_map_ *map, const struct cm_type *type, const void *key, uint64_t hash,
                       cm_status (*make)(void *value, void *context), void *context, void *value, void **at,
                       cm_deadline deadline)
{
    cm_map_give_out_(map);
    struct cm_thread_ *thread = cm_thread_get_();
    struct cm_pool_cache_ *cache = cm_pool_cache_of_(&map->pool, &map->allocator, thread->index);
    struct cm_node_ *node = cache ? cm_map_node_(map, type, cache, key, hash) : NULL;
    if (!node)
        return CM_NOMEM;
    struct cm_write_ write = {CM_ABSENT_INSERT_, CM_PRESENT_KEEP_, value, NULL, NULL, value, NULL, at, deadline};
    cm_status status;
    char *found = NULL;
    do {
        struct cm_maker_ *maker;
        bool own = (status = maker_enter(map, type, node, hash, deadline, &maker)) == CM_OK;
        found = status >= 0 ? cm_node_search_(type, map, key, hash) : NULL;
        if (own && !found)
            status = value_make(map, type, maker, key, hash, make, context, &write, &node);
        if (own)
            maker_end(map, maker);
        if (own)
            break;
    } while (status >= 0 && !found);
    struct cm_supply_ unused = {.cache = cache, .prepared = node};
    cm_supply_end_(map, thread, &unused);
    if (!found)
        return status;
    *at = cm_node_value_(type, found);
    return CM_EXISTS;
}
