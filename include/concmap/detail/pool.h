/* Nodes: where entries live that are too large for a bucket, or whose keys the map owns.
 *
 * Shape. A node is a header word, the key, the value and, for text keys, the text. The header holds the node's size
 * class above 48 bits that are the low bits of the key's hash while the node is in a map, and the next node while it is
 * in a list of the pool. Classes differ by CM_NODE_STEP_ bytes of text; longer texts are blocks of their own
 * (CM_NODE_LONG_).
 *
 * Threads. Each thread allocates from, and retires into, a cache of its own (per_thread.h), without atomics; full lists
 * go to the depot under a lock, so that a thread that only removes feeds a thread that only inserts.
 *
 * Reclamation. A removed node waits in its thread's limbo, in a list by epoch, until no reader can look at it
 * (domain.h). Where nothing ends with a node, its text, its key's or value's memory, its cell, such a list becomes a
 * free one as it is; else each of its nodes is looked at. Memory leaves the pool when the map is destroyed: nodes of a
 * destroyed map need no grace, because nobody may be inside.
 *
 * The pool of an anchored map destroys the values of its nodes, too, and where the map keeps what was removed, retired
 * nodes wait until cm_pool_release_kept_().
 *
 * Nodes of a counted type (locked.h) have a cell. One that is locked when its grace period has passed waits for
 * another: nobody can come to it any more, but somebody is in it still.
 *
 * Invariants. (P1) What readers look at in a node but the value is written before the node is published, and not again
 * before its grace period has passed. (P2) Nothing here calls the allocator but supply, collect and destroy: these run
 * without locks. */
#ifndef CONCMAP_DETAIL_POOL_H
#define CONCMAP_DETAIL_POOL_H

#include <concmap/detail/cell.h>
#include <concmap/detail/domain.h>
#include <concmap/detail/match.h>
#include <concmap/detail/per_thread.h>

CM_BEGIN_DECLS

#define CM_NODE_CLASSES_ 16
#define CM_NODE_STEP_ 16
#define CM_NODE_CLASS_SHIFT_ 48
#define CM_NODE_CLASS_ (UINT64_C(0xff) << CM_NODE_CLASS_SHIFT_)
#define CM_NODE_LONG_ (UINT64_C(1) << 56)  /* the key owns memory: a long text, or what its clone function took */
#define CM_NODE_BLANK_ (UINT64_C(1) << 57) /* it has no value yet */

struct cm_node_ {
    uint64_t header;
};

#define CM_NODE_LISTS_ 3 /* of retired nodes that wait, by epoch */

struct cm_chunk_;

/* Nodes that are unlinked, in a list. */
struct cm_nodes_ {
    struct cm_node_ *head, *last;
    size_t count; /* relaxed to read, as the bytes: figures */
    size_t bytes; /* of plain nodes that are not tagged yet: not counted */
};

/* A thread's nodes of a map. */
struct cm_pool_cache_ {
    struct cm_node_ *free[CM_NODE_CLASSES_];
    uint32_t count[CM_NODE_CLASSES_];
    char *bump; /* what is left of the newest chunk */
    char *bump_end;
    struct cm_nodes_ fresh; /* not tagged yet: the fence before a tag waits for all stores, and one serves many nodes */
    struct cm_nodes_ limbo[CM_NODE_LISTS_];
    uint64_t tags[CM_NODE_LISTS_]; /* of them */
    size_t since_collect;          /* tagged */
    size_t bytes_since_collect;
    bool releasing; /* destroy functions run, which may retire more */
    char apart_[CM_APART];
};

struct cm_pool_ {
    size_t node_size;                         /* of class 0; 0: the map has no nodes */
    size_t alignment;                         /* of nodes */
    struct cm_per_thread_ caches;             /* struct cm_pool_cache_ */
    uint64_t depot_lock;                      /* a cell: the depot and the list of chunks */
    struct cm_node_ *depot[CM_NODE_CLASSES_]; /* lists of CM_POOL_BATCH_ nodes each */
    struct cm_chunk_ *chunks;
    struct cm_node_ *orphans; /* retired by threads without a cache; wait until the map is destroyed */
    size_t chunk_bytes;       /* of chunks and long texts */
    size_t key;               /* its offset in a node */
    void (*key_destroy)(void *key, void *context);     /* NULL: they are texts, or plain */
    size_t value;                                      /* its offset in a node */
    void (*value_destroy)(void *value, void *context); /* of retired nodes; NULL: who retires them has done that */
    bool plain;                                        /* nodes are of class 0, and nothing ends with them */
    size_t fresh_most; /* of plain nodes that are to be used again: as many are retired by a push each; 0: none */
    bool keeps;        /* retired nodes are not used again */
    size_t cell;       /* its offset in a node; 0: there is none */
    void *context;
    struct cm_domain *domain; /* whose readers look at nodes; NULL: the process's own */
};

/* Completes what its owner has filled in. */
CM_API void cm_pool_begin_(struct cm_pool_ *pool);
/* A node of the class that was never used, or NULL if the cache is out of them. */
CM_API struct cm_node_ *cm_pool_take_new_(struct cm_pool_ *pool, struct cm_pool_cache_ *cache, size_t node_class);
/* Sees to it that the next take succeeds. False: no memory. */
CM_API CM_COLD bool cm_pool_supply_(struct cm_pool_ *pool, const cm_allocator *allocator, cm_waiters_ *waiters,
                                    struct cm_pool_cache_ *cache, size_t node_class);
/* Takes back a node that was never published. */
CM_API CM_COLD void cm_pool_give_back_(struct cm_pool_ *pool, struct cm_pool_cache_ *cache, struct cm_node_ *node);
/* Takes a node that was unlinked; it is used again after its grace period. Never fails. Called without a lock. */
CM_API void cm_pool_retire_(struct cm_pool_ *pool, const cm_allocator *allocator, cm_waiters_ *waiters, uint32_t index,
                            struct cm_node_ *node);
/* Makes what threads of this index have retired usable again, as far as readers allow; true when nothing of it waits.
 * The caller is the one that has the index. */
CM_API CM_COLD bool cm_pool_collect_(struct cm_pool_ *pool, const cm_allocator *allocator, cm_waiters_ *waiters,
                                     uint32_t index);
/* Makes all nodes usable again that were kept. Nobody may be in the map, nor have a reference. */
CM_API CM_COLD void cm_pool_release_kept_(struct cm_pool_ *pool, const cm_allocator *allocator, cm_waiters_ *waiters);
/* Bytes that wait for readers, of all threads; and how many nodes. */
CM_API size_t cm_pool_waiting_(const struct cm_pool_ *pool);
CM_API size_t cm_pool_waiting_nodes_(const struct cm_pool_ *pool);
/* Bytes of the caches of all threads. */
CM_API size_t cm_pool_cache_bytes_(const struct cm_pool_ *pool);
/* Frees the keys of retired nodes, and all chunks. Those of living nodes are the caller's to free before. */
CM_API void cm_pool_destroy_(struct cm_pool_ *pool, const cm_allocator *allocator);

/* A text of its own for a key longer than the classes hold. */
CM_API char *cm_pool_text_(struct cm_pool_ *pool, const cm_allocator *allocator, size_t size);
CM_API void cm_pool_return_text_(struct cm_pool_ *pool, const cm_allocator *allocator, char *text, size_t size);
/* Gives back what a node's key owns, if it owns anything. */
CM_API void cm_pool_free_key_(struct cm_pool_ *pool, const cm_allocator *allocator, struct cm_node_ *node);

/* The next node, of those in a list. */
CM_INLINE struct cm_node_ *cm_node_next_(const struct cm_node_ *node)
{
    return (struct cm_node_ *)(uintptr_t)(node->header & CM_ADDRESS_MASK_);
}

/* The calling thread's cache, or NULL if there is no memory for one. May allocate. */
CM_INLINE struct cm_pool_cache_ *cm_pool_cache_of_(struct cm_pool_ *pool, const cm_allocator *allocator, uint32_t index)
{
    return (struct cm_pool_cache_ *)cm_per_thread_get_(&pool->caches, allocator, index, sizeof(struct cm_pool_cache_));
}

/* A node of the class, which has `size` bytes, or NULL if the cache is out of them. Never allocates: may be called
 * under a lock. */
CM_INLINE struct cm_node_ *cm_pool_take_(struct cm_pool_ *pool, struct cm_pool_cache_ *cache, size_t node_class,
                                         size_t size)
{
    struct cm_node_ *node = cache->free[node_class];
    if (CM_UNLIKELY(!node))
        return cm_pool_take_new_(pool, cache, node_class);
    cache->free[node_class] = cm_node_next_(node);
    cache->count[node_class]--;
    /* The next one, so that neither its link nor what is stored in it has to be waited for. */
    const char *next = (const char *)cache->free[node_class];
    for (size_t i = 0; next && i < size; i += CM_LINE)
        __builtin_prefetch(next + i, 1);
    return node;
}

/* cm_pool_retire_() for a thread that has its cache at hand, which may be NULL. */
CM_INLINE void cm_pool_retire_near_(struct cm_pool_ *pool, const cm_allocator *allocator, cm_waiters_ *waiters,
                                    struct cm_pool_cache_ *cache, uint32_t index, struct cm_node_ *node)
{
    if (CM_UNLIKELY(!cache || cache->fresh.count >= pool->fresh_most)) {
        cm_pool_retire_(pool, allocator, waiters, index, node);
        return;
    }
    struct cm_nodes_ *fresh = &cache->fresh;
    if (!fresh->head)
        fresh->last = node;
    node->header = (uint64_t)(uintptr_t)fresh->head; /* of class 0 */
    fresh->head = node;
    cm_store_relaxed_(&fresh->count, fresh->count + 1);
}

/* Adds a node to a list of orphans. */
CM_API CM_COLD void cm_node_orphan_(struct cm_node_ **orphans, struct cm_node_ *node);

CM_INLINE size_t cm_node_class_(const struct cm_node_ *node)
{
    return (node->header & CM_NODE_CLASS_) >> CM_NODE_CLASS_SHIFT_;
}

CM_END_DECLS

#endif
