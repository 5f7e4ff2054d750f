/* Batches: many keys at once, their buckets fetched ahead, so that memory works on several of them at a time. */
#ifndef CONCMAP_DETAIL_BATCH_H
#define CONCMAP_DETAIL_BATCH_H

#include <concmap/detail/map.h>

CM_BEGIN_DECLS

#define CM_AHEAD_ 24          /* buckets fetched ahead: what the processor keeps under way, measured */
#define CM_AHEAD_NODE_ 12     /* and nodes, once their buckets have come */
#define CM_HASH_RING_ 32      /* a power of two, more than CM_AHEAD_ */
#define CM_NEAR_BUCKETS_ 8192 /* of tables that lie in the second-level cache, most with their nodes */
#define CM_PIN_BLOCK_ 1024    /* keys after which a batch leaves its pin, so that it does not hold memory up */

/* Whether the table is so small that it and its nodes lie near: then fetching ahead costs more than it spares. */
CM_INLINE bool cm_map_is_near_(const struct cm_map_ *map)
{
    return cm_load_acquire_(&map->root)->mask < CM_NEAR_BUCKETS_; /* as readers that look a key up */
}

CM_INLINE bool cm_table_is_far_(const struct cm_table_ *table, struct cm_layout_ layout)
{
    return table->mask * layout.bucket >= CM_FAR_BYTES_ - layout.bucket;
}

/* Fetches a key's bucket. Pinned by the caller. */
CM_INLINE void cm_bucket_prefetch_(const struct cm_type *type, const struct cm_map_ *map, uint64_t hash)
{
    const struct cm_layout_ layout = cm_layout_of_(type);
    const struct cm_table_ *table = cm_load_acquire_(&map->root);
    const char *bucket = cm_table_bucket_(table, layout, hash);
    const bool far = cm_table_is_far_(table, layout);
    cm_fetch_(bucket, far);
    if (layout.bucket > 64)
        cm_fetch_(bucket + 64, far);
}

/* Fetches what the bucket leads to: the node, or the bucket of the next table. Pinned by the caller. A hint only: what
 * it reads may be changing. */
CM_INLINE void cm_entry_prefetch_(const struct cm_type *type, const struct cm_map_ *map, uint64_t hash)
{
    const struct cm_layout_ layout = cm_layout_of_(type);
    const struct cm_table_ *table = cm_load_acquire_(&map->root);
    const bool far = cm_table_is_far_(table, layout);
    char *bucket = cm_table_bucket_(table, layout, hash);
    uint64_t state = cm_load_acquire_(cm_bucket_state_(bucket));
    if (CM_UNLIKELY(state & CM_MOVED_)) {
        const struct cm_table_ *next = cm_load_acquire_(&table->next);
        if (next)
            cm_fetch_(cm_table_bucket_(next, layout, hash), far);
    } else if (layout.nodes) {
        unsigned mask = cm_match_tag_(bucket, hash) & cm_state_occupied_(state);
        if (mask) {
            const char *node = cm_slot_node_(cm_load_relaxed_(cm_bucket_slot_(bucket, (unsigned)__builtin_ctz(mask))));
            cm_fetch_(node, far);
            if (layout.node_text > 64)
                cm_fetch_(node + 64, far);
            if (layout.node_text > 128) {
                cm_fetch_(node + 128, far);
                cm_fetch_(node + 192, far);
            }
        }
    }
}

/* The hashes of the keys just ahead. */
struct cm_batch_ {
    uint64_t hashes[CM_HASH_RING_];
};

CM_INLINE uint64_t cm_batch_hash_of_(const struct cm_type *type, const struct cm_map_ *map, const void *key, bool write)
{
    return type->hash(key, write ? cm_map_seed_(type, map) : cm_load_relaxed_(&map->seed));
}

/* Hashes the i-th key and fetches its bucket. */
CM_INLINE void cm_batch_feed_(struct cm_batch_ *batch, const struct cm_type *type, const struct cm_map_ *map, size_t i,
                              const void *key, bool write)
{
    uint64_t hash = cm_batch_hash_of_(type, map, key, write);
    batch->hashes[i % CM_HASH_RING_] = hash;
    cm_bucket_prefetch_(type, map, hash);
}

CM_INLINE uint64_t cm_batch_hash_(const struct cm_batch_ *batch, size_t i)
{
    return batch->hashes[i % CM_HASH_RING_];
}

/* Runs `body` for i = 0 .. n - 1 with `hash` set; `key_of(i)` is an expression for the address of the i-th key. The pin
 * is left now and then, so that a long batch does not hold memory up. */
#define CM_BATCH_(type, map, i, n, hash, key_of, write, body)                                                          \
    do {                                                                                                               \
        struct cm_batch_ batch_;                                                                                       \
        struct cm_pin_ pin_ = cm_map_pin_((type), (map));                                                              \
        const bool near_ = cm_map_is_near_(map);                                                                       \
        const bool nodes_ = cm_layout_has_nodes_(type);                                                                \
        for (size_t i = 0; !near_ && i < (n) && i < CM_AHEAD_; i++)                                                    \
            cm_batch_feed_(&batch_, (type), (map), i, (key_of), (write));                                              \
        for (size_t i = 0; nodes_ && !near_ && i < (n) && i < CM_AHEAD_NODE_; i++)                                     \
            cm_entry_prefetch_((type), (map), cm_batch_hash_(&batch_, i));                                             \
        for (size_t index_ = 0; index_ < (n); index_++) {                                                              \
            uint64_t hash;                                                                                             \
            if (near_) {                                                                                               \
                size_t i = index_;                                                                                     \
                hash = cm_batch_hash_of_((type), (map), (key_of), (write));                                            \
            } else {                                                                                                   \
                if (CM_LIKELY(index_ + CM_AHEAD_ < (n))) {                                                             \
                    size_t i = index_ + CM_AHEAD_;                                                                     \
                    cm_batch_feed_(&batch_, (type), (map), i, (key_of), (write));                                      \
                }                                                                                                      \
                if (((write) || nodes_) && index_ + CM_AHEAD_NODE_ < (n))                                              \
                    cm_entry_prefetch_((type), (map), cm_batch_hash_(&batch_, index_ + CM_AHEAD_NODE_));               \
                hash = cm_batch_hash_(&batch_, index_);                                                                \
            }                                                                                                          \
            {                                                                                                          \
                size_t i = index_;                                                                                     \
                body;                                                                                                  \
            }                                                                                                          \
            if (CM_UNLIKELY((index_ + 1) % CM_PIN_BLOCK_ == 0)) {                                                      \
                cm_pin_leave_(pin_);                                                                                   \
                pin_ = cm_map_pin_((type), (map));                                                                     \
            }                                                                                                          \
        }                                                                                                              \
        cm_pin_leave_(pin_);                                                                                           \
    } while (0)

CM_END_DECLS

#endif
