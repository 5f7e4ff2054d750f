/* What the anchored map adds to the bucket table: look-ups that lock nothing, store nothing and are never made to wait,
 * and nodes whose addresses may be kept.
 *
 * Shape. The bucket table in node form (table.h, layout.h). A node is written before its slot and never again, until it
 * is used for another entry: a new value comes in a new node, by one store of the slot.
 *
 * Readers load the state of the key's bucket, look at all its slots, and at the rest of the chain. A
 * hit is taken as it is. After a miss the state is loaded again, and only if the bucket has MOVED is the next table
 * looked at. WRITER and the version mean nothing to them.
 *
 * What is in the map is what slots hold: an entry is added by the store of its slot, after its bit in the state was set
 * (A2), and removed by storing 0 there, before the bit is cleared. So a hit is linearized at its load of the slot; or,
 * if the bucket has MOVED by then and the entry was changed in the next table, before that, which is after the load of
 * the state.
 *
 * Why a miss is right (T7). An entry that is in the map from a look-up's beginning to its end, and whose bucket does
 * not move, is in one slot all the time, which the look-up loads, whatever the state says of it; and the chain leads
 * there, because a bucket is only taken off the end of a chain, when it is empty. A look-up may have followed a link to
 * a bucket that was taken off, and serves another chain by now, or none: then what it looks for is not behind it, else
 * the bucket would have been in use. So the key was absent at some time since the first load of the state, and the miss
 * is linearized there.
 *
 * What a reader may rely on. With CM_KEEP it pins nothing. Nodes are not used again before the map is cleared (P1), nor
 * is a table's memory: but the pages of a large table that was replaced are exchanged for pages of zeros. A look-up
 * that is late finds a state of 0 there, slots that hold no node, or links to nowhere: it finds nothing, sees the state
 * 0, and asks whether the root is newer than its table (A1). Where it is not, the bucket was never used. With CM_DOMAIN
 * the calling thread is online in the map's domain, or in a pin of it, and tables and nodes wait for it.
 *
 * Values in the making. get_or_insert_with runs the user's function without a bucket's lock: a maker (src/makers.c)
 * tells others who come for the same key to wait for it, and nobody else. Whatever was put meanwhile wins.
 *
 * Invariants. (A1) A table's generation is one more than that of the table it replaces; the root's only grows. (A2) A
 * slot of a reachable bucket whose bit is not set holds 0, and so do all of overflow buckets that no chain has. (A3) At
 * most one living maker has a key. */
#ifndef CONCMAP_DETAIL_ANCHORED_H
#define CONCMAP_DETAIL_ANCHORED_H

#include <concmap/detail/course.h>
#include <concmap/detail/map.h>
#include <concmap/domain.h>

CM_BEGIN_DECLS

/* What an anchored map has removed or replaced, and cannot use again yet. */
typedef struct cm_unreclaimed {
    size_t entries;
    size_t bytes;     /* of them, with long texts */
    cm_holder holder; /* with CM_DOMAIN, who holds back what waits in the domain, if anything there does: */
    uint32_t index;   /* of a thread, and the thread: see cm_domain_stats */
    pthread_t thread;
    uint64_t since;
} cm_unreclaimed;

/* What a look at one bucket came to. */
struct cm_glance_ {
    char *node; /* NULL: a miss */
    bool again; /* it takes more than that */
};

/* The node of a key among the slots of one bucket, whatever its state says of them (A2); NULL: none. */
CM_INLINE char *cm_node_in_bucket_(const struct cm_type *type, const struct cm_layout_ layout, char *bucket,
                                   const void *key, uint64_t hash)
{
    CM_COMPILER_BARRIER(); /* the state was loaded before the slots are */
    const uint64_t *lanes = (const uint64_t *)(const void *)bucket;
    unsigned mask = cm_match_tag_lanes_(bucket, hash) & ((2u << layout.slots) - 2);
    for (; mask; mask &= mask - 1) {
        /* Acquire: pairs with cm_bucket_set_slot_(). No node: see A1, A2. */
        char *node = cm_slot_node_(cm_load_acquire_(&lanes[(unsigned)__builtin_ctz(mask)]));
        if (CM_LIKELY(node && type->equal(key, node + layout.node_key)))
            return node;
    }
    return NULL;
}

/* Looks at the first bucket of the first table. */
CM_INLINE struct cm_glance_ cm_node_glance_(const struct cm_type *type, const struct cm_map_ *map, const void *key,
                                            uint64_t hash)
{
    const struct cm_layout_ layout = cm_layout_of_(type);
    struct cm_glance_ glance = {NULL, false};
    /* Acquire: pairs with the release that swung the root, after which the table's buckets are filled. */
    char *head = cm_table_bucket_(cm_load_acquire_(&map->root), layout, hash);
    uint64_t state = cm_load_acquire_(cm_bucket_state_(head));
    if (CM_UNLIKELY(state & CM_MOVED_)) {
        glance.again = true;
        return glance;
    }
    glance.node = cm_node_in_bucket_(type, layout, head, key, hash);
    if (CM_UNLIKELY(!glance.node)) {
        cm_fence_acquire_(); /* the slots were loaded before what follows */
        uint64_t now = cm_load_relaxed_(cm_bucket_state_(head));
        glance.again = (state & CM_CHAINED_) || (now & CM_MOVED_) || now == 0;
    }
    return glance;
}

/* The node of a key in a chain whose head's state was `state`. */
CM_INLINE char *cm_node_in_chain_(const struct cm_type *type, const struct cm_layout_ layout, char *head,
                                  uint64_t state, const void *key, uint64_t hash)
{
    char *bucket = head;
    for (uint64_t look = state;; look = cm_load_acquire_(cm_bucket_state_(bucket))) {
        char *node = cm_node_in_bucket_(type, layout, bucket, key, hash);
        if (node || !(look & CM_CHAINED_))
            return node;
        /* Acquire: the linked bucket was written before the link. NULL: what was there is gone. */
        bucket = cm_load_acquire_(cm_bucket_link_(bucket, layout));
        if (CM_UNLIKELY(!bucket))
            return NULL;
    }
}

/* The table to look at after a miss in a bucket whose state is `now`, loaded after the slots; NULL: none. */
CM_INLINE struct cm_table_ *cm_table_after_(const struct cm_map_ *map, struct cm_table_ *table, uint64_t now)
{
    if (now & CM_MOVED_)
        return cm_load_acquire_(&table->next); /* NULL: the empty table */
    if (now != 0)
        return NULL;
    cm_fence_acquire_(); /* the root is loaded after the state */
    struct cm_table_ *root = cm_load_acquire_(&map->root);
    return root->generation > table->generation ? root : NULL; /* (A1) */
}

/* The node of a key, wherever it is; NULL: it is absent. Lock-free. */
CM_INLINE char *cm_node_search_(const struct cm_type *type, const struct cm_map_ *map, const void *key, uint64_t hash)
{
    const struct cm_layout_ layout = cm_layout_of_(type);
    struct cm_table_ *table = cm_load_acquire_(&map->root); /* as above */
    do {
        char *head = cm_table_bucket_(table, layout, hash);
        uint64_t state = cm_load_acquire_(cm_bucket_state_(head));
        if (CM_LIKELY(!(state & CM_MOVED_))) {
            char *node = cm_node_in_chain_(type, layout, head, state, key, hash);
            if (node)
                return node;
            cm_fence_acquire_(); /* as above */
            state = cm_load_acquire_(cm_bucket_state_(head));
        }
        table = cm_table_after_(map, table, state);
    } while (table);
    return NULL;
}

CM_INLINE void *cm_node_value_(const struct cm_type *type, char *node)
{
    return node + cm_layout_of_(type).node_value;
}

/* ---- walks (src/anchored.c) ---- */

#define CM_NODES_FEW_ 32

/* A walk over nodes, a bucket at a time. */
struct cm_nodes_iter_ {
    struct cm_map_ *map;
    struct cm_course_ course;
    bool pinned; /* in the map's domain, by its user's count */
    cm_status status;
    size_t index; /* the next of the bucket's nodes */
    size_t count;
    size_t room;
    char **more; /* NULL: the few do */
    char *few[CM_NODES_FEW_];
};

/* As cm_iter_begin_(). */
CM_API void cm_nodes_begin_(struct cm_nodes_iter_ *iter, const struct cm_map_ *map, unsigned part, unsigned parts);
/* Goes to the next bucket that has entries; false at the end, or where iter->status is CM_NOMEM. */
CM_API bool cm_nodes_fetch_(struct cm_nodes_iter_ *iter, const struct cm_type *type);
CM_API void cm_nodes_end_(struct cm_nodes_iter_ *iter);

/* The next node; NULL: see above. */
CM_INLINE char *cm_nodes_next_(struct cm_nodes_iter_ *iter, const struct cm_type *type)
{
    if (CM_UNLIKELY(iter->index == iter->count) && !cm_nodes_fetch_(iter, type))
        return NULL;
    return (iter->more ? iter->more : iter->few)[iter->index++];
}

/* ---- cold parts (src/anchored.c, src/makers.c) ---- */

/* Adds the key, if it is absent, with a value that `make` fills in at `value`; *at takes the address of what the map
 * has. CM_OK, CM_EXISTS, or what `make` returned if that is less than 0. */
CM_API CM_COLD cm_status cm_map_make_(struct cm_map_ *map, const struct cm_type *type, const void *key, uint64_t hash,
                                      cm_status (*make)(void *value, void *context), void *context, void *value,
                                      void **at, cm_deadline deadline);
/* Takes an entry out of a map that nobody else is in, nor has a reference of: its value is the caller's. */
CM_API CM_COLD cm_status cm_map_take_(struct cm_map_ *map, const struct cm_type *type, const void *key, uint64_t hash,
                                      void *value);
/* Removes everything, and what was kept. Nobody else is in the map. */
CM_API CM_COLD cm_status cm_map_clear_all_(struct cm_map_ *map, const struct cm_type *type);
/* What was removed or replaced and waits. */
CM_API CM_COLD cm_unreclaimed cm_map_unreclaimed_(const struct cm_map_ *map);
/* Entries that the table is meant for. */
CM_API CM_COLD size_t cm_map_capacity_(const struct cm_map_ *map, const struct cm_type *type);

CM_END_DECLS

#endif
