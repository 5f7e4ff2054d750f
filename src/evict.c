/* Taking entries out of caches: see detail/cached.h. */
#include <concmap/detail/held.h>
#include <concmap/detail/iter.h>

#include "platform.h"

#define TURNS 3       /* of the hand: one forgets uses, one finds; others move the hand, too */
#define BUSY_TURNS 50 /* where buckets were passed by because somebody was at work in them */

static struct cm_node_ *node_at(struct cm_place_ place)
{
    return (struct cm_node_ *)(void *)cm_slot_node_(*cm_bucket_slot_(place.bucket, place.slot));
}

/* An entry is about to be unlinked: what it counts for is given back under its bucket's lock. */
static struct cm_node_ *entry_leaves(const struct cm_type *type, struct cm_map_ *map, struct cm_place_ place)
{
    struct cm_node_ *node = node_at(place);
    cm_cached_removed_(type, map, (const char *)node);
    cm_map_dismiss_(map, 1);
    return node;
}

struct cm_node_ *cm_held_expire_(const struct cm_type *type, struct cm_map_ *map, struct cm_held_ *held,
                                 const void *key, uint64_t hash)
{
    struct cm_layout_ layout = cm_layout_of_(type);
    struct cm_node_ *node = entry_leaves(type, map, held->place);
    if (held->unusual)
        cm_kept_remove_(type, held);
    else
        cm_chain_remove_(type, layout, held->table, held->head, held->place);
    held->place = cm_chain_find_(type, layout, held->head, key, hash, &held->tail); /* absent; the tail may be new */
    return node;
}

void cm_map_evicted_(struct cm_map_ *map, const struct cm_type *type, struct cm_node_ *node, cm_eviction why)
{
    struct cm_layout_ layout = cm_layout_of_(type);
    struct cm_thread_ *thread = cm_thread_get_();
    char *value = (char *)node + layout.node_value;
    cm_map_count_(map, thread, -1);
    type->evicted((char *)node + layout.node_key, value, why, map->context);
    cm_value_destroy_(type, map, value);
    cm_pool_retire_(&map->pool, &map->allocator, &map->waiters, thread->index, node);
}

void cm_map_expire_(struct cm_map_ *map, const struct cm_type *type, const void *key, uint64_t hash)
{
    struct cm_held_ held;
    struct cm_node_ *node = NULL;
    struct cm_pin_ pin = cm_pin_enter_of_(map->domain);
    bool hushed = pin.thread->hushed; /* that it is this thread's own is no deadlock here */
    pin.thread->hushed = pin.thread->index != CM_STRANGER_;
    int got = cm_map_lock_key_(type, map, key, hash, CM_TRY, &held);
    pin.thread->hushed = hushed;
    if (got == CM_OK && held.head) { /* if it is held, somebody else will see it; analysers ask for the second */
        if (cm_held_is_expired_(type, map, &held))
            node = cm_held_expire_(type, map, &held, key, hash);
        cm_map_unlock_(type, map, pin.thread, &held, false);
    }
    cm_pin_leave_(pin);
    if (node)
        cm_map_evicted_(map, type, node, CM_EVICTED_EXPIRED);
}

/* The entries of a chain, one after the other. */
struct chain_walk {
    char *bucket;
    unsigned left;
};

static struct chain_walk chain_begin(char *head)
{
    return (struct chain_walk){head, cm_state_occupied_(cm_load_relaxed_(cm_bucket_state_(head)))};
}

static bool chain_next(struct chain_walk *walk, struct cm_layout_ layout, struct cm_place_ *place)
{
    while (!walk->left) {
        if (!(cm_load_relaxed_(cm_bucket_state_(walk->bucket)) & CM_CHAINED_))
            return false;
        *walk = chain_begin(*cm_bucket_link_(walk->bucket, layout));
    }
    *place = (struct cm_place_){walk->bucket, (unsigned)__builtin_ctz(walk->left)};
    walk->left &= walk->left - 1;
    return true;
}

/* The entry of a chain that goes: one that expired, or else the first that was not used since; {NULL}: all were, and
 * count as unused from now on. */
static struct cm_place_ victim_find(const struct cm_type *type, struct cm_map_ *map, char *head, cm_eviction *why)
{
    struct cm_layout_ layout = cm_layout_of_(type);
    struct cm_place_ victim = {NULL, 0}, place;
    *why = CM_EVICTED_EXPIRED;
    for (struct chain_walk walk = chain_begin(head); chain_next(&walk, layout, &place);) {
        const char *node = (const char *)node_at(place);
        if (cm_value_expired_(type, map, node + layout.node_value))
            return place;
        if (!victim.bucket && !cm_load_relaxed_(&cm_cached_of_(node)->used))
            victim = place;
    }
    *why = CM_EVICTED_FULL;
    for (struct chain_walk walk = chain_begin(head); !victim.bucket && chain_next(&walk, layout, &place);)
        cm_store_relaxed_(&cm_cached_of_((const char *)node_at(place))->used, 0);
    return victim;
}

/* Locks a bucket by trying, unless one held it whose thread has ended. */
static bool victims_lock(const struct cm_type *type, struct cm_map_ *map, char *head, uint64_t word)
{
    uint64_t *cell = cm_bucket_state_(head);
    struct cm_wait_ at_once = {&map->waiters, CM_TRY, 0};
    if (!(word & CM_MARKED_))
        return cm_cell_try_lock_(cell, CM_MOVE_BARS_ | CM_MARKED_);
    if (cm_bucket_lock_(type, map, head, &at_once) != CM_GOT_)
        return false;
    bool died = cm_load_relaxed_(cell) & CM_DIED_;
    if (died)
        cm_cell_unlock_(cell, cm_load_relaxed_(cell), &map->waiters);
    return !died;
}

/* Takes an entry out of a bucket, unless it is held; NULL: none. */
static struct cm_node_ *bucket_evict(const struct cm_type *type, struct cm_map_ *map, struct cm_table_ *table,
                                     char *head, cm_eviction *why, bool *busy)
{
    uint64_t *cell = cm_bucket_state_(head);
    struct cm_node_ *node = NULL;
    uint64_t word = cm_load_relaxed_(cell);
    if (!(word & (CM_OCCUPIED_ | CM_CHAINED_)))
        return NULL;
    if (!victims_lock(type, map, head, word)) {
        *busy |= (cm_load_relaxed_(cell) & (CM_WRITER_ | CM_MARKED_)) != 0;
        return NULL;
    }
    cm_platform_tsan_acquire_(cell);
    if (cm_load_relaxed_(cell) & CM_UNTIDY_)
        cm_chain_tidy_(type, table, head);
    struct cm_place_ place = victim_find(type, map, head, why);
    if (place.bucket) {
        node = entry_leaves(type, map, place);
        cm_chain_remove_(type, cm_layout_of_(type), table, head, place);
    }
    cm_platform_tsan_release_(cell);
    cm_cell_unlock_(cell, cm_load_relaxed_(cell), &map->waiters);
    return node;
}

/* Moves the hand on by one bucket and looks there. `*busy`: somebody was at work in it. */
static struct cm_node_ *hand_move(const struct cm_type *type, struct cm_map_ *map, cm_eviction *why, bool *busy)
{
    struct cm_layout_ layout = cm_layout_of_(type);
    uint64_t hand = cm_load_relaxed_(&map->hand);
    for (struct cm_table_ *table = cm_load_acquire_(&map->root); table; table = cm_load_acquire_(&table->next)) {
        char *head = cm_table_bucket_(table, layout, cm_reverse_bits_(hand));
        if (cm_load_acquire_(cm_bucket_state_(head)) & CM_MOVED_)
            continue;
        uint64_t next = cm_cursor_end_(table, hand) + 1;
        cm_swap_if_relaxed_(&map->hand, &hand, next); /* relaxed: whoever is first; the others look here, too */
        return bucket_evict(type, map, table, head, why, busy);
    }
    return NULL; /* the map is empty */
}

static uint64_t buckets_of(struct cm_map_ *map)
{
    uint64_t buckets = 0;
    for (const struct cm_table_ *table = cm_load_acquire_(&map->root); table; table = cm_load_acquire_(&table->next))
        buckets += table->mask + 1;
    return buckets;
}

bool cm_map_evict_(struct cm_map_ *map, const struct cm_type *type)
{
    struct cm_node_ *node = NULL;
    cm_eviction why = CM_EVICTED_FULL;
    struct cm_pin_ pin = cm_pin_enter_of_(map->domain);
    bool busy = true;
    for (unsigned turn = 0; !node && (turn < TURNS || (busy && turn < BUSY_TURNS)); turn++) {
        busy = false;
        for (uint64_t left = buckets_of(map); !node && left > 0; left--)
            node = hand_move(type, map, &why, &busy);
    }
    cm_pin_leave_(pin);
    if (node)
        cm_map_evicted_(map, type, node, why);
    return node != NULL;
}

void cm_map_trim_(struct cm_map_ *map, const struct cm_type *type)
{
    while (cm_map_is_heavy_(type, map) && cm_map_evict_(map, type))
        ;
}
