/* A bucket that a call has locked, and what it needs to put an entry there. */
#ifndef CONCMAP_DETAIL_HELD_H
#define CONCMAP_DETAIL_HELD_H

#include <concmap/detail/map.h>

CM_BEGIN_DECLS

/* A bucket that the caller holds, and where in its chain the key is. The pin may be left, for a held bucket keeps its
 * table.
 *
 * On the ways of single calls cold functions are given a copy, here and of a cm_supply_: a variable whose address is
 * known elsewhere lies in memory, and each store is one that the next call's reads have to find room behind, which is
 * what limits single calls beyond the caches. */
struct cm_held_ {
    struct cm_table_ *table;
    char *head;             /* NULL: no memory for a first table */
    struct cm_place_ place; /* of the key; {NULL}: it is absent */
    char *tail;             /* the last bucket of the chain, where the key is absent */
    bool unusual;           /* others keep places in the chain, see guard.h; then: */
    bool nested;            /* the calling thread had the bucket exclusively before */
    struct cm_hold_ *died;  /* the key's entry was held by a thread that ended */
};

/* Whether a bucket may be searched before it is locked: the user's equality sees only what cannot change. */
CM_INLINE bool cm_search_is_safe_(const struct cm_type *type, const struct cm_layout_ layout)
{
    return layout.nodes || cm_keys_are_words_(type, layout);
}

/* Searches the head, then locks it by a compare-and-swap of the state that was loaded before: where that succeeds,
 * nothing has changed in between, and what was found holds. So the search, and its misses, are not paid for under the
 * lock. */
CM_INLINE bool cm_held_try_(const struct cm_type *type, const struct cm_layout_ layout, struct cm_held_ *held,
                            const void *key, uint64_t hash)
{
    uint64_t *cell = cm_bucket_state_(held->head);
    uint64_t state = cm_load_acquire_(cell);
    if (CM_UNLIKELY(state & CM_LOCK_BARS_))
        return false;
    CM_COMPILER_BARRIER();
    struct cm_place_ place = {NULL, 0};
    unsigned mask = cm_bucket_candidates_(type, layout, held->head, key, hash) & cm_state_occupied_(state);
    for (; mask; mask &= mask - 1) {
        unsigned slot = (unsigned)__builtin_ctz(mask);
        if (cm_candidate_read_(type, layout, held->head, state, held->head, slot, key) == CM_READ_HIT_) {
            place.bucket = held->head;
            place.slot = slot;
            break;
        }
    }
    uint64_t found = state;
    /* Pairs with the release of cm_cell_unlock_(), as in cm_cell_try_lock_(). */
    if (CM_UNLIKELY(!cm_swap_if_acquire_(cell, &found, state | CM_WRITER_)))
        return false;
    cm_fence_release_();
    held->place = place;
    held->tail = held->head;
    if (CM_UNLIKELY(!place.bucket && (state & CM_CHAINED_)))
        held->place = cm_chain_find_(type, layout, held->head, key, hash, &held->tail);
    return true;
}

/* Locks the key's bucket and finds the key in it. CM_OK: it is held; CM_NOMEM: there is no first table; or why the wait
 * was given up. */
CM_INLINE int cm_map_lock_key_(const struct cm_type *type, struct cm_map_ *map, const void *key, uint64_t hash,
                               cm_deadline deadline, struct cm_held_ *held)
{
    const struct cm_layout_ layout = cm_layout_of_(type);
    held->tail = NULL;
    held->unusual = held->nested = false;
    held->died = NULL;
    held->table = cm_load_acquire_(&map->root); /* as in cm_map_glance_() */
    for (;;) {
        held->head = cm_table_bucket_(held->table, layout, hash);
        if (cm_search_is_safe_(type, layout) && CM_LIKELY(cm_held_try_(type, layout, held, key, hash)))
            return CM_OK;
        uint64_t *cell = cm_bucket_state_(held->head);
        if (cm_cell_try_lock_(cell, CM_LOCK_BARS_)) {
            held->place = cm_chain_find_(type, layout, held->head, key, hash, &held->tail);
            return CM_OK;
        }
        if (!(cm_load_acquire_(cell) & CM_MOVED_)) { /* acquire: pairs with the mover's unlock */
            struct cm_held_ waited = *held;
            int got = cm_map_wait_(type, map, &waited, key, hash, true, deadline);
            *held = waited;
            if (got != CM_GOT_MOVED_)
                return got;
        }
        held->table = cm_load_acquire_(&held->table->next);
        if (CM_UNLIKELY(!held->table) && !(held->table = cm_map_first_table_(map, type, 0)))
            return CM_NOMEM;
    }
}

/* Gives the bucket back, unless the thread keeps it by a guard. `called`: a function of the user ran, which may have
 * taken guards in the bucket, or given them back. */
CM_INLINE void cm_map_unlock_(const struct cm_type *type, struct cm_map_ *map, const struct cm_thread_ *thread,
                              const struct cm_held_ *held, bool called)
{
    uint64_t *cell = cm_bucket_state_(held->head);
    if (CM_UNLIKELY(held->unusual || (called && (cm_hold_any_(thread) || (cm_load_relaxed_(cell) & CM_UNTIDY_))))) {
        const struct cm_held_ copy = *held;
        cm_kept_unlock_(type, map, &copy);
    } else {
        cm_cell_unlock_(cell, cm_load_relaxed_(cell), &map->waiters);
    }
}

/* What an insert needs besides the bucket; kept from one try to the next. */
struct cm_supply_ {
    struct cm_pool_cache_ *cache;
    struct cm_node_ *prepared;  /* with a key that owns memory, not yet used */
    struct cm_node_ *discarded; /* was in a slot, and may be seen by readers: to be retired */
    bool lacking;               /* memory: unlock, cm_map_supply_(), try again */
    bool dropped;               /* the value in `scratch` is to be destroyed */
    bool crowded;               /* a cache is full: unlock, cm_map_evict_(), try again */
};

CM_INLINE bool cm_text_is_long_(size_t size)
{
    return size > (CM_NODE_CLASSES_ - 1) * CM_NODE_STEP_;
}

CM_INLINE size_t cm_text_class_(size_t size)
{
    return cm_text_is_long_(size) ? 0 : (size + CM_NODE_STEP_ - 1) / CM_NODE_STEP_;
}

/* Whether the map's copy of the key owns memory beside its node: then the node is prepared without a lock. */
CM_INLINE bool cm_key_owns_(const struct cm_type *type, const void *key)
{
    return type->key_clone || cm_text_is_long_(cm_key_text_size_(type, key));
}

/* Room for a value that may have to be destroyed: compilers do not see that it is filled by then. */
CM_INLINE void cm_value_clear_(const struct cm_type *type, void *value)
{
    if (type->value_destroy)
        memset(value, 0, type->value_size);
}

/* Fills a fresh node, of a key that owns nothing; not the value. */
CM_INLINE void cm_node_fill_(const struct cm_type *type, const struct cm_layout_ layout, char *node, const void *key,
                             uint64_t hash)
{
    size_t size = cm_key_text_size_(type, key);
    if (type->key_text) {
        cm_str owned = {node + layout.node_text, size};
        if (size)
            memcpy(node + layout.node_text, ((const cm_str *)key)->data, size);
        memcpy(node + layout.node_key, &owned, sizeof owned);
    } else {
        memcpy(node + layout.node_key, key, type->key_size);
    }
    ((struct cm_node_ *)(void *)node)->header = (hash & CM_ADDRESS_MASK_) | (uint64_t)cm_text_class_(size)
                                                                                << CM_NODE_CLASS_SHIFT_;
}

/* A node with its key, or NULL: cm_map_supply_() is called for. */
CM_INLINE char *cm_supply_node_(const struct cm_type *type, struct cm_map_ *map, const void *key, uint64_t hash,
                                struct cm_supply_ *supply)
{
    char *node = (char *)supply->prepared;
    supply->prepared = NULL;
    if (node || cm_key_owns_(type, key))
        return node;
    const struct cm_layout_ layout = cm_layout_of_(type);
    size_t node_class = cm_text_class_(cm_key_text_size_(type, key));
    size_t size = layout.node_text + node_class * CM_NODE_STEP_;
    node = (char *)cm_pool_take_(&map->pool, supply->cache, node_class, size);
    if (CM_LIKELY(node != NULL)) {
        cm_node_fill_(type, layout, node, key, hash);
        cm_cached_begin_(type, node);
    }
    return node;
}

/* Whether the key's entry has expired. One whose owner died is dealt with first. */
CM_INLINE bool cm_held_is_expired_(const struct cm_type *type, const struct cm_map_ *map, const struct cm_held_ *held)
{
    struct cm_place_ place = held->place;
    return place.bucket && !(held->unusual && held->died) &&
           cm_value_expired_(type, map, cm_bucket_value_(type, cm_layout_of_(type), place.bucket, place.slot));
}

CM_END_DECLS

#endif
