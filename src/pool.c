/* The node pool: see detail/pool.h. */
#include <concmap/detail/pool.h>

#include <concmap/detail/hold.h>
#include <concmap/detail/memory.h>
#include <concmap/str.h>

#include "platform.h"

#define BATCH 256                  /* nodes that travel between a cache and the depot at once */
#define FIRST_CHUNK ((size_t)1024) /* bytes */
#define LAST_CHUNK ((size_t)4 << 20)
#define FRESH_NODES 64     /* that share one fence */
#define COLLECT_NODES 1024 /* retired nodes after which a cache tries to advance the epoch, unless it rests */
#define COLLECT_BYTES ((size_t)256 << 10)       /* or bytes, in any case */
#define SPARE_NODES ((size_t)2 * COLLECT_NODES) /* plain ones that a cache keeps, to use what one collection brings */
#define SPARE_BYTES (2 * COLLECT_BYTES)

struct cm_chunk_ {
    struct cm_chunk_ *next;
    struct cm_block_ block;
};

/* A free node's words: its header holds class and next; in the depot, the second word of a list's first node is the
 * next list. */
static void node_set_next(struct cm_node_ *node, struct cm_node_ *next)
{
    node->header = (node->header & ~CM_ADDRESS_MASK_) | (uint64_t)(uintptr_t)next;
}

static struct cm_node_ **node_next_list(struct cm_node_ *node)
{
    return (struct cm_node_ **)(void *)(node + 1);
}

static size_t class_size(const struct cm_pool_ *pool, size_t node_class)
{
    return cm_align_up_(pool->node_size + node_class * CM_NODE_STEP_, pool->alignment);
}

/* Where the first node of a chunk lies, so that none crosses more lines than it has to: one of 32 bytes that lies in
 * two costs two misses. */
static size_t node_boundary(const struct cm_pool_ *pool)
{
    size_t size = class_size(pool, 0);
    size_t power = size & (0 - size);
    return power < CM_LINE ? power : pool->alignment > CM_LINE ? pool->alignment : CM_LINE;
}

static cm_str *node_text(const struct cm_pool_ *pool, struct cm_node_ *node)
{
    return (cm_str *)(void *)((char *)node + pool->key);
}

/* Bytes that a node keeps from use, with a long text of its own. */
static size_t node_bytes(const struct cm_pool_ *pool, struct cm_node_ *node)
{
    bool long_text = node->header & CM_NODE_LONG_ && !pool->key_destroy;
    return class_size(pool, cm_node_class_(node)) + (long_text ? node_text(pool, node)->len : 0);
}

/* How many plain nodes are retired by a push each: what is beyond a byte limit is dealt with at once. */
static size_t fresh_most(const struct cm_pool_ *pool)
{
    size_t fit = COLLECT_BYTES / (class_size(pool, 0) + 1);
    return !pool->plain || pool->keeps ? 0 : fit < FRESH_NODES - 1 ? fit : FRESH_NODES - 1;
}

void cm_pool_begin_(struct cm_pool_ *pool)
{
    pool->fresh_most = fresh_most(pool);
}

static void cache_push(struct cm_pool_cache_ *cache, struct cm_node_ *node)
{
    size_t node_class = cm_node_class_(node);
    node->header &= CM_NODE_CLASS_;
    node_set_next(node, cache->free[node_class]);
    cache->free[node_class] = node;
    cache->count[node_class]++;
}

struct cm_node_ *cm_pool_take_new_(struct cm_pool_ *pool, struct cm_pool_cache_ *cache, size_t node_class)
{
    size_t size = class_size(pool, node_class);
    if ((size_t)(cache->bump_end - cache->bump) < size)
        return NULL;
    struct cm_node_ *node = (struct cm_node_ *)(void *)cache->bump;
    cache->bump += size;
    node->header = (uint64_t)node_class << CM_NODE_CLASS_SHIFT_;
    return node;
}

static void depot_lock(struct cm_pool_ *pool, cm_waiters_ *waiters)
{
    cm_cell_lock_(&pool->depot_lock, waiters);
    cm_platform_tsan_acquire_(&pool->depot_lock);
}

static void depot_unlock(struct cm_pool_ *pool, cm_waiters_ *waiters)
{
    cm_platform_tsan_release_(&pool->depot_lock);
    cm_cell_unlock_(&pool->depot_lock, cm_load_relaxed_(&pool->depot_lock), waiters);
}

static bool cache_refill(struct cm_pool_ *pool, cm_waiters_ *waiters, struct cm_pool_cache_ *cache, size_t node_class)
{
    if (!cm_load_relaxed_(&pool->depot[node_class])) /* relaxed: a hint; the lock orders */
        return false;
    depot_lock(pool, waiters);
    struct cm_node_ *list = pool->depot[node_class];
    if (list)
        cm_store_relaxed_(&pool->depot[node_class], *node_next_list(list));
    depot_unlock(pool, waiters);
    cache->free[node_class] = list;
    cache->count[node_class] = list ? BATCH : 0;
    return list != NULL;
}

/* What is left of the old chunk becomes nodes of the smallest class, so that it is not lost. */
static void cache_use_rest(struct cm_pool_ *pool, struct cm_pool_cache_ *cache)
{
    size_t size = class_size(pool, 0);
    for (; (size_t)(cache->bump_end - cache->bump) >= size; cache->bump += size) {
        struct cm_node_ *node = (struct cm_node_ *)(void *)cache->bump;
        node->header = 0;
        cache_push(cache, node);
    }
}

/* An eighth of the pool, so that little is had for nothing; from 8 MiB on the largest, which is of huge pages: each
 * look-up is at another node, and a miss of the address's translation costs as much as one of the node. */
static size_t chunk_size(const struct cm_pool_ *pool, size_t size)
{
    size_t bytes = cm_load_relaxed_(&pool->chunk_bytes) / 8;
    bytes = bytes < FIRST_CHUNK ? FIRST_CHUNK : bytes > LAST_CHUNK / 4 ? LAST_CHUNK : bytes;
    size_t least = size * 4 + node_boundary(pool) + sizeof(struct cm_chunk_);
    return bytes < least ? least : bytes;
}

static bool cache_add_chunk(struct cm_pool_ *pool, const cm_allocator *allocator, cm_waiters_ *waiters,
                            struct cm_pool_cache_ *cache, size_t size)
{
    struct cm_block_ block;
    if (!cm_block_allocate_(allocator, chunk_size(pool, size), pool->alignment, false, &block))
        return false;
    struct cm_chunk_ *chunk = block.address;
    chunk->block = block;
    cache_use_rest(pool, cache);
    cache->bump = (char *)cm_align_up_((uintptr_t)(chunk + 1), node_boundary(pool));
    cache->bump_end = (char *)block.address + (block.size - (size_t)((char *)block.address - (char *)block.raw));
    cm_add_relaxed_(&pool->chunk_bytes, block.size);
    depot_lock(pool, waiters);
    chunk->next = pool->chunks;
    pool->chunks = chunk;
    depot_unlock(pool, waiters);
    return true;
}

bool cm_pool_supply_(struct cm_pool_ *pool, const cm_allocator *allocator, cm_waiters_ *waiters,
                     struct cm_pool_cache_ *cache, size_t node_class)
{
    size_t size = class_size(pool, node_class);
    return cache->free[node_class] || (size_t)(cache->bump_end - cache->bump) >= size ||
           cache_refill(pool, waiters, cache, node_class) || cache_add_chunk(pool, allocator, waiters, cache, size);
}

void cm_pool_give_back_(struct cm_pool_ *pool, struct cm_pool_cache_ *cache, struct cm_node_ *node)
{
    (void)pool;
    cache_push(cache, node);
}

/* A full list of the depot, from a cache that has more nodes than it needs. */
static void cache_spill(struct cm_pool_ *pool, cm_waiters_ *waiters, struct cm_pool_cache_ *cache, size_t node_class)
{
    struct cm_node_ *list = cache->free[node_class];
    struct cm_node_ *last = list;
    for (size_t i = 1; i < BATCH; i++)
        last = cm_node_next_(last);
    cache->free[node_class] = cm_node_next_(last);
    cache->count[node_class] -= BATCH;
    node_set_next(last, NULL);
    depot_lock(pool, waiters);
    *node_next_list(list) = pool->depot[node_class];
    cm_store_relaxed_(&pool->depot[node_class], list);
    depot_unlock(pool, waiters);
}

void cm_pool_free_key_(struct cm_pool_ *pool, const cm_allocator *allocator, struct cm_node_ *node)
{
    if (!(node->header & CM_NODE_LONG_))
        return;
    if (pool->key_destroy)
        pool->key_destroy((char *)node + pool->key, pool->context);
    else
        cm_pool_return_text_(pool, allocator, (char *)(uintptr_t)node_text(pool, node)->data,
                             node_text(pool, node)->len);
}

static void node_end(struct cm_pool_ *pool, const cm_allocator *allocator, struct cm_node_ *node)
{
    if (pool->value_destroy && !(node->header & CM_NODE_BLANK_))
        pool->value_destroy((char *)node + pool->value, pool->context);
    cm_pool_free_key_(pool, allocator, node);
}

static void fresh_push(const struct cm_pool_ *pool, struct cm_nodes_ *fresh, struct cm_node_ *node)
{
    if (!fresh->head)
        fresh->last = node;
    if (!pool->plain)
        cm_store_relaxed_(&fresh->bytes, fresh->bytes + node_bytes(pool, node));
    node_set_next(node, fresh->head);
    fresh->head = node;
    cm_store_relaxed_(&fresh->count, fresh->count + 1);
}

/* Bytes of what is fresh, which for plain nodes nobody counts. */
static size_t fresh_bytes(const struct cm_pool_ *pool, const struct cm_nodes_ *fresh)
{
    return pool->plain ? cm_load_relaxed_(&fresh->count) * class_size(pool, 0) : cm_load_relaxed_(&fresh->bytes);
}

static bool node_is_locked(const struct cm_pool_ *pool, struct cm_node_ *node)
{
    /* Acquire: who unlocked is done with the node. */
    return pool->cell &&
           (cm_load_acquire_((uint64_t *)(void *)((char *)node + pool->cell)) & (CM_WRITER_ | CM_READERS_));
}

/* Ends nodes, and makes them usable again. */
static void nodes_release(struct cm_pool_ *pool, const cm_allocator *allocator, cm_waiters_ *waiters,
                          struct cm_pool_cache_ *cache, struct cm_node_ *node)
{
    bool outer = cache->releasing;
    cache->releasing = true;
    while (node) {
        struct cm_node_ *next = cm_node_next_(node);
        size_t node_class = cm_node_class_(node);
        if (node_is_locked(pool, node)) {
            fresh_push(pool, &cache->fresh, node);
        } else {
            node_end(pool, allocator, node);
            cache_push(cache, node);
            if (cache->count[node_class] >= 2 * BATCH)
                cache_spill(pool, waiters, cache, node_class);
        }
        node = next;
    }
    cache->releasing = outer;
}

/* Plain nodes that a cache keeps after a collection that has brought so many; the depot has what is beyond. */
static size_t cache_spares(const struct cm_pool_ *pool, size_t brought)
{
    size_t wanted = brought * 2 > SPARE_NODES ? brought * 2 : SPARE_NODES;
    size_t fit = SPARE_BYTES / class_size(pool, 0);
    size_t most = fit < wanted ? fit : wanted;
    return most < 2 * BATCH ? 2 * BATCH : most;
}

/* Makes plain nodes usable again, as the list that they are, without a look at them: they have left the nearer caches
 * since they were retired. */
static void nodes_release_plain(struct cm_pool_ *pool, cm_waiters_ *waiters, struct cm_pool_cache_ *cache,
                                const struct cm_nodes_ *limbo)
{
    node_set_next(limbo->last, cache->free[0]);
    cache->free[0] = limbo->head;
    cache->count[0] += (uint32_t)limbo->count;
    while (cache->count[0] > cache_spares(pool, limbo->count))
        cache_spill(pool, waiters, cache, 0);
}

static void limbo_release(struct cm_pool_ *pool, const cm_allocator *allocator, cm_waiters_ *waiters,
                          struct cm_pool_cache_ *cache, struct cm_nodes_ *limbo)
{
    const struct cm_nodes_ waited = *limbo;
    limbo->head = NULL;
    cm_store_relaxed_(&limbo->bytes, 0);
    cm_store_relaxed_(&limbo->count, 0);
    if (waited.head && pool->plain)
        nodes_release_plain(pool, waiters, cache, &waited);
    else
        nodes_release(pool, allocator, waiters, cache, waited.head);
}

static void fresh_clear(struct cm_nodes_ *fresh)
{
    fresh->head = NULL;
    cm_store_relaxed_(&fresh->count, 0);
    cm_store_relaxed_(&fresh->bytes, 0);
}

/* Tags what is fresh, all at once. */
static void cache_tag(struct cm_pool_ *pool, const cm_allocator *allocator, cm_waiters_ *waiters,
                      struct cm_pool_cache_ *cache)
{
    struct cm_nodes_ batch = cache->fresh;
    if (!batch.head)
        return;
    batch.bytes = fresh_bytes(pool, &batch);
    uint64_t tag = cm_domain_tag_(pool->domain);
    size_t list = tag / CM_EPOCH_ONE_ % CM_NODE_LISTS_;
    struct cm_nodes_ *limbo = &cache->limbo[list];
    fresh_clear(&cache->fresh);     /* now: what destroy functions retire meanwhile is younger than the tag */
    if (cache->tags[list] != tag) { /* what is in the list is three epochs old or more */
        limbo_release(pool, allocator, waiters, cache, limbo);
        cache->tags[list] = tag;
    }
    if (pool->plain) {
        cache->since_collect += batch.count;
        cache->bytes_since_collect += batch.bytes;
    }
    if (!limbo->head)
        limbo->last = batch.last;
    node_set_next(batch.last, limbo->head);
    limbo->head = batch.head;
    cm_store_relaxed_(&limbo->bytes, limbo->bytes + batch.bytes);
    cm_store_relaxed_(&limbo->count, limbo->count + batch.count);
}

static bool cache_waits(const struct cm_pool_cache_ *cache)
{
    bool waits = cache->fresh.head != NULL;
    for (size_t i = 0; i < CM_NODE_LISTS_; i++)
        waits |= cache->limbo[i].head != NULL;
    return waits;
}

/* Makes usable what no reader can look at any more; false: there was nothing. */
static bool cache_release_passed(struct cm_pool_ *pool, const cm_allocator *allocator, cm_waiters_ *waiters,
                                 struct cm_pool_cache_ *cache)
{
    bool any = false;
    for (size_t i = 0; i < CM_NODE_LISTS_; i++) {
        struct cm_nodes_ *limbo = &cache->limbo[i];
        if (!limbo->head || !cm_domain_passed_(pool->domain, cache->tags[i]))
            continue;
        limbo_release(pool, allocator, waiters, cache, limbo);
        any = true;
    }
    return any;
}

static bool cache_collect(struct cm_pool_ *pool, const cm_allocator *allocator, cm_waiters_ *waiters,
                          struct cm_pool_cache_ *cache)
{
    cache_tag(pool, allocator, waiters, cache);
    cache->since_collect = 0;
    cache->bytes_since_collect = 0;
    cm_domain_advance_(pool->domain);
    cache_release_passed(pool, allocator, waiters, cache);
    return !cache_waits(cache);
}

/* Whether destroy functions of values may run now: outside of all locks, and of each other. */
static bool cache_may_destroy(const struct cm_pool_ *pool, const struct cm_pool_cache_ *cache)
{
    return !pool->value_destroy || !(cache->releasing || cm_hold_any_(cm_thread_get_()));
}

bool cm_pool_collect_(struct cm_pool_ *pool, const cm_allocator *allocator, cm_waiters_ *waiters, uint32_t index)
{
    struct cm_pool_cache_ *cache = cm_per_thread_find_(&pool->caches, index, sizeof *cache);
    if (!cache || pool->keeps || !cache_waits(cache))
        return true;
    return cache_may_destroy(pool, cache) && cache_collect(pool, allocator, waiters, cache);
}

/* Whether enough was retired since the last collection: so many bytes, or so many nodes that have just been tagged;
 * plain ones, of which nothing else waits, not while barriers are dear. Plain nodes are counted when they are tagged.
 */
static bool cache_is_due(const struct cm_pool_ *pool, const struct cm_pool_cache_ *cache)
{
    size_t bytes = cache->bytes_since_collect + (pool->plain ? fresh_bytes(pool, &cache->fresh) : 0);
    return bytes >= COLLECT_BYTES || (cache->since_collect >= COLLECT_NODES && !cache->fresh.head &&
                                      !(pool->plain && cm_domain_rests_(pool->domain)));
}

/* Collects without an advance of its own where others have seen to it. */
static void cache_collect_when_due(struct cm_pool_ *pool, const cm_allocator *allocator, cm_waiters_ *waiters,
                                   struct cm_pool_cache_ *cache)
{
    if (!cache_is_due(pool, cache))
        return;
    cache->since_collect = 0;
    cache->bytes_since_collect = 0;
    if (!cache_release_passed(pool, allocator, waiters, cache))
        cache_collect(pool, allocator, waiters, cache);
}

void cm_node_orphan_(struct cm_node_ **orphans, struct cm_node_ *node)
{
    struct cm_node_ *head = cm_load_relaxed_(orphans);
    do
        node_set_next(node, head);
    while (!cm_swap_if_release_(orphans, &head, node)); /* pairs with whatever makes destroy exclusive */
}

void cm_pool_retire_(struct cm_pool_ *pool, const cm_allocator *allocator, cm_waiters_ *waiters, uint32_t index,
                     struct cm_node_ *node)
{
    struct cm_pool_cache_ *cache = cm_pool_cache_of_(pool, allocator, index);
    if (!cache) {
        cm_node_orphan_(&pool->orphans, node);
        return;
    }
    struct cm_nodes_ *fresh = &cache->fresh;
    size_t size = node_bytes(pool, node);
    fresh_push(pool, fresh, node);
    if (pool->keeps || !cache_may_destroy(pool, cache))
        return;
    if (!pool->plain) {
        cache->since_collect++;
        cache->bytes_since_collect += size;
    }
    if (fresh->count >= FRESH_NODES)
        cache_tag(pool, allocator, waiters, cache);
    cache_collect_when_due(pool, allocator, waiters, cache);
}

/* Those without a cache of their own. Acquire, and so are the links: the list only grows (cm_node_orphan_()). */
static struct cm_node_ *pool_orphans(const struct cm_pool_ *pool)
{
    return cm_load_acquire_(&pool->orphans);
}

size_t cm_pool_waiting_(const struct cm_pool_ *pool)
{
    size_t bytes = 0;
    for (struct cm_node_ *node = pool_orphans(pool); node; node = cm_node_next_(node))
        bytes += node_bytes(pool, node);
    size_t k = 0;
    struct cm_pool_cache_ *cache;
    while ((cache = cm_per_thread_next_(&pool->caches, sizeof *cache, &k)) != NULL) {
        bytes += fresh_bytes(pool, &cache->fresh);
        for (size_t i = 0; i < CM_NODE_LISTS_; i++)
            bytes += cm_load_relaxed_(&cache->limbo[i].bytes);
    }
    return bytes;
}

size_t cm_pool_waiting_nodes_(const struct cm_pool_ *pool)
{
    size_t nodes = 0;
    for (struct cm_node_ *node = pool_orphans(pool); node; node = cm_node_next_(node))
        nodes += !(node->header & CM_NODE_BLANK_);
    size_t k = 0;
    struct cm_pool_cache_ *cache;
    while ((cache = cm_per_thread_next_(&pool->caches, sizeof *cache, &k)) != NULL) {
        nodes += cm_load_relaxed_(&cache->fresh.count);
        for (size_t i = 0; i < CM_NODE_LISTS_; i++)
            nodes += cm_load_relaxed_(&cache->limbo[i].count);
    }
    return nodes;
}

void cm_pool_release_kept_(struct cm_pool_ *pool, const cm_allocator *allocator, cm_waiters_ *waiters)
{
    size_t k = 0;
    struct cm_pool_cache_ *cache;
    while ((cache = cm_per_thread_next_(&pool->caches, sizeof *cache, &k)) != NULL) {
        struct cm_node_ *kept = cache->fresh.head;
        fresh_clear(&cache->fresh);
        nodes_release(pool, allocator, waiters, cache, kept);
    }
}

size_t cm_pool_cache_bytes_(const struct cm_pool_ *pool)
{
    return cm_per_thread_bytes_(&pool->caches, sizeof(struct cm_pool_cache_));
}

static void nodes_end(struct cm_pool_ *pool, const cm_allocator *allocator, struct cm_node_ *node)
{
    for (; node; node = cm_node_next_(node))
        node_end(pool, allocator, node);
}

void cm_pool_destroy_(struct cm_pool_ *pool, const cm_allocator *allocator)
{
    size_t k = 0;
    struct cm_pool_cache_ *cache;
    while ((cache = cm_per_thread_next_(&pool->caches, sizeof *cache, &k)) != NULL) {
        nodes_end(pool, allocator, cache->fresh.head);
        for (size_t i = 0; i < CM_NODE_LISTS_; i++)
            nodes_end(pool, allocator, cache->limbo[i].head);
    }
    nodes_end(pool, allocator, pool->orphans);
    for (struct cm_chunk_ *chunk = pool->chunks; chunk;) {
        struct cm_chunk_ *next = chunk->next;
        cm_block_release_(allocator, &chunk->block);
        chunk = next;
    }
    cm_per_thread_destroy_(&pool->caches, allocator, sizeof *cache);
    *pool = (struct cm_pool_){.node_size = pool->node_size,
                              .alignment = pool->alignment,
                              .key = pool->key,
                              .key_destroy = pool->key_destroy,
                              .value = pool->value,
                              .value_destroy = pool->value_destroy,
                              .plain = pool->plain,
                              .fresh_most = pool->fresh_most,
                              .keeps = pool->keeps,
                              .cell = pool->cell,
                              .context = pool->context,
                              .domain = pool->domain};
}

char *cm_pool_text_(struct cm_pool_ *pool, const cm_allocator *allocator, size_t size)
{
    char *text = allocator->allocate(allocator->context, size, 1);
    if (text)
        cm_add_relaxed_(&pool->chunk_bytes, size);
    return text;
}

void cm_pool_return_text_(struct cm_pool_ *pool, const cm_allocator *allocator, char *text, size_t size)
{
    cm_sub_relaxed_(&pool->chunk_bytes, size);
    allocator->deallocate(allocator->context, text, size, 1);
}
