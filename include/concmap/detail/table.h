/* The bucket table: buckets behind one lock word each, overflow chains, and tables that replace one another.
 *
 * Shape.
 *     map.root -> table -> next -> next         a table that grows has a `next`, which may itself grow already
 *                 [bucket][bucket]...           bucket b of n splits into b, b + n, ... of the next table, and into no
 *                                               others; while it shrinks, they become one again
 *                    '-> overflow -> overflow   buckets of the same shape, from the table's own chunks
 *
 * Readers pin the domain, go from the root to the first table where the key's bucket has not MOVED, and read
 * optimistically: load the state, look at the bucket, load the state again (cell.h). No read-modify-write, no store but
 * the pin. A read that meets a writer, or a change, three times over takes the bucket shared. A get is linearized at
 * its last load of the state.
 *
 * Writers and locks. One bucket's cell covers its chain. A writer goes to the first bucket not MOVED, locks it, changes
 * it and unlocks, and is linearized at the unlock. Nothing else is taken while a bucket is held, but for a moment the
 * lock of the table's overflow buckets, behind which nothing is taken; nothing is allocated then, and what runs of the
 * user's code is said in the public contract.
 *
 * Growth. When more than one bucket in six has overflowed, a next table is hung on; every writer then moves some
 * buckets (src/table.c). Moving takes the source's cell by trying: its targets cannot be reached before it is MOVED.
 * Who moves the last bucket swings the root and retires the table to the domain.
 *
 * Invariants.
 * (T1) A key is in at most one bucket: the first one not MOVED on its way from the root.
 * (T2) In a chain, only the last bucket has free slots, and the occupied ones come first; but where UNTIDY is set, and
 * in anchored maps, where (T7) holds instead.
 * (T3) A bucket MOVES only after the buckets of the table before, from which it is filled, have MOVED. Of several, the
 * one of the lowest index is the first.
 * (T4) A table is retired when all its buckets have MOVED and it is the root.
 * (T5) Overflow buckets stay buckets of their table until it is freed, so that a reader who is led astray reads a
 * bucket. (T6) Every change in a chain changes the version of its head.
 * (T7) In an anchored map an entry stays in its slot until it is removed or its bucket MOVES. */
#ifndef CONCMAP_DETAIL_TABLE_H
#define CONCMAP_DETAIL_TABLE_H

#include <concmap/detail/cached.h>
#include <concmap/detail/cell.h>
#include <concmap/detail/domain.h>
#include <concmap/detail/layout.h>
#include <concmap/detail/match.h>
#include <concmap/detail/memory.h>
#include <concmap/detail/pool.h>
#include <concmap/detail/racing.h>
#include <concmap/status.h>
#include <concmap/str.h>

CM_BEGIN_DECLS

#define CM_STRAGGLERS_ 16

struct cm_overflow_chunk_;

/* The header of a table; the buckets follow at CM_TABLE_HEADER_. */
struct cm_table_ {
    /* Read by every operation; `next` is written once. */
    uint64_t mask; /* buckets - 1 */
    struct cm_table_ *next;
    uint64_t generation; /* one more than that of the table before */
    char apart_[CM_APART - 24];
    /* Overflow buckets. */
    uint64_t overflowed;      /* in use */
    uint64_t overflow_wanted; /* how many a mover wants to find: the longest chain that lacked some */
    uint64_t overflow_limit;  /* more than this asks for growth */
    uint64_t overflow_lock;   /* a cell, taken last: it guards what follows */
    cm_waiters_ *waiters;     /* the map's */
    uint64_t overflow_ready;  /* how many can be taken; read without the lock as a hint */
    char *overflow_free;      /* those given back, a stack by link */
    char *overflow_fresh;     /* those of the newest chunk that were never taken, in a row */
    uint64_t overflow_fresh_count;
    struct cm_overflow_chunk_ *overflow_chunks;
    /* Growth. */
    uint64_t rescan;                     /* 1: a straggler found no place in the list, the cursor must start again */
    uint64_t rescanned_at;               /* what `moved` was when it last did */
    uint64_t cursor;                     /* the next bucket to be moved */
    uint64_t moved;                      /* buckets that have MOVED */
    uint64_t stragglers[CM_STRAGGLERS_]; /* index + 1 of buckets that were held when the cursor passed; 0: none */
    /* Reclamation. */
    struct cm_table_ *retired_next;
    uint64_t tag;
    size_t emptied; /* of `block`: what was given back of a table that is kept */
    size_t looked;  /* and how far it has been looked at for that */
    struct cm_block_ block;
};

#define CM_TABLE_HEADER_ 512
CM_STATIC_ASSERT(sizeof(struct cm_table_) <= CM_TABLE_HEADER_, "the header leaves the buckets their place");

/* ---- addresses ---- */

CM_INLINE char *cm_table_bucket_(const struct cm_table_ *table, const struct cm_layout_ layout, uint64_t hash)
{
    return (char *)(uintptr_t)table + CM_TABLE_HEADER_ + (hash & table->mask) * layout.bucket;
}

CM_INLINE uint64_t *cm_bucket_state_(char *bucket)
{
    return (uint64_t *)(void *)bucket;
}

CM_INLINE unsigned cm_state_occupied_(uint64_t state)
{
    return (unsigned)(state >> CM_OCCUPIED_SHIFT_) & 0xffu;
}

/* How many slots are occupied: they come first (T2). */
CM_INLINE unsigned cm_occupied_count_(unsigned occupied)
{
    return (unsigned)__builtin_ctz(~occupied);
}

CM_INLINE char **cm_bucket_link_(char *bucket, const struct cm_layout_ layout)
{
    return (char **)(void *)(bucket + layout.link);
}

CM_INLINE char *cm_bucket_key_(const struct cm_type *type, const struct cm_layout_ layout, char *bucket, unsigned slot)
{
    return bucket + layout.keys + slot * type->key_size;
}

CM_INLINE uint64_t *cm_bucket_slot_(char *bucket, unsigned slot)
{
    return (uint64_t *)(void *)bucket + 1 + slot;
}

CM_INLINE char *cm_slot_node_(uint64_t slot)
{
    return (char *)(uintptr_t)(slot & CM_ADDRESS_MASK_);
}

CM_INLINE uint64_t cm_hash_tag_(uint64_t hash)
{
    return hash >> CM_TAG_SHIFT_;
}

/* Where the value of an entry lies; the caller holds the bucket, or validates what it reads. */
CM_INLINE char *cm_bucket_value_(const struct cm_type *type, const struct cm_layout_ layout, char *bucket,
                                 unsigned slot)
{
    if (layout.nodes) /* acquire: what the node holds was written before the slot, see cm_bucket_set_slot_() */
        return cm_slot_node_(cm_load_acquire_(cm_bucket_slot_(bucket, slot))) + layout.node_value;
    return bucket + layout.values + slot * type->value_size;
}

/* ---- reading ---- */

/* The slots of a bucket that may hold the key: by the bytes of word keys, by tag in node form, all of them otherwise.
 */
CM_INLINE unsigned cm_bucket_candidates_(const struct cm_type *type, const struct cm_layout_ layout, char *bucket,
                                         const void *key, uint64_t hash)
{
    if (layout.nodes)
        return cm_match_tag_(bucket, hash);
    if (type->key_bitwise && !type->foreign && type->key_size == 8) {
        uint64_t bits;
        memcpy(&bits, key, 8);
        return cm_match_u64_(bucket, bits, layout.slots);
    }
    if (type->key_bitwise && !type->foreign && type->key_size == 4) {
        uint32_t bits;
        memcpy(&bits, key, 4);
        return cm_match_u32_(bucket, bits, layout.slots);
    }
    return (1u << layout.slots) - 1;
}

/* Whether a candidate may be taken or left by its bytes alone, without the user's equality. */
CM_INLINE bool cm_keys_are_words_(const struct cm_type *type, const struct cm_layout_ layout)
{
    return !layout.nodes && type->key_bitwise && !type->foreign && (type->key_size == 8 || type->key_size == 4);
}

/* Whether a candidate of word keys holds the key: what a search by halves leaves open. Relaxed: validated like the
 * search. */
CM_INLINE bool cm_candidate_is_equal_(const struct cm_type *type, const struct cm_layout_ layout, char *bucket,
                                      unsigned slot, const void *key)
{
    if (!CM_MATCH_U64_BY_HALF_ || type->key_size != 8)
        return true;
    uint64_t bits;
    memcpy(&bits, key, 8);
    return CM_LIKELY(cm_load_relaxed_((uint64_t *)(void *)cm_bucket_key_(type, layout, bucket, slot)) == bits);
}

/* Whether a candidate holds the key, read without a lock: inline keys are copied and validated before the user's
 * equality sees them. A node's key never changes while a pin that saw it published lasts (P1). */
CM_INLINE enum cm_read_ cm_candidate_read_(const struct cm_type *type, const struct cm_layout_ layout, char *head,
                                           uint64_t state, char *bucket, unsigned slot, const void *key)
{
    if (cm_keys_are_words_(type, layout))
        return cm_candidate_is_equal_(type, layout, bucket, slot, key) ? CM_READ_HIT_ : CM_READ_MISS_;
    if (layout.nodes) {
        char *node = cm_slot_node_(cm_load_acquire_(cm_bucket_slot_(bucket, slot)));
        if (type->anchored && CM_UNLIKELY(!node)) /* it is being added or removed, see anchored.h */
            return CM_READ_MISS_;
        return type->equal(key, node + layout.node_key) ? CM_READ_HIT_ : CM_READ_MISS_;
    }
    uint64_t copy[CM_INLINE_ENTRY_ / 8];
    cm_copy_racing_(copy, cm_bucket_key_(type, layout, bucket, slot), type->key_size);
    if (!cm_cell_unchanged_(cm_bucket_state_(head), state))
        return CM_READ_AGAIN_;
    return type->equal(key, copy) ? CM_READ_HIT_ : CM_READ_MISS_;
}

/* Looks for the key in the chain of a bucket whose state was loaded (acquire) and was neither WRITER nor MOVED. */
CM_INLINE enum cm_read_ cm_chain_read_(const struct cm_type *type, char *head, uint64_t state, const void *key,
                                       uint64_t hash, void *value)
{
    const struct cm_layout_ layout = cm_layout_of_(type);
    char *bucket = head;
    uint64_t look =
        state; /* of `bucket`; occupancy is taken from here only (rule: the state is loaded before the rest) */
    for (;;) {
        CM_COMPILER_BARRIER();
        unsigned mask = cm_bucket_candidates_(type, layout, bucket, key, hash) & cm_state_occupied_(look);
        while (mask) {
            unsigned slot = (unsigned)__builtin_ctz(mask);
            enum cm_read_ found = cm_candidate_read_(type, layout, head, state, bucket, slot, key);
            if (CM_LIKELY(found == CM_READ_HIT_)) {
                if (value && type->value_size)
                    cm_copy_racing_(value, cm_bucket_value_(type, layout, bucket, slot), type->value_size);
                cm_cached_touch_(type, layout, cm_bucket_value_(type, layout, bucket, slot));
                return cm_cell_unchanged_(cm_bucket_state_(head), state) ? CM_READ_HIT_ : CM_READ_AGAIN_;
            }
            if (found == CM_READ_AGAIN_)
                return CM_READ_AGAIN_;
            mask &= mask - 1;
        }
        if (!(look & CM_CHAINED_))
            return cm_cell_unchanged_(cm_bucket_state_(head), state) ? CM_READ_MISS_ : CM_READ_AGAIN_;
        /* Acquire: the linked bucket was written before the link. It may be in another chain by now: the head tells. */
        bucket = cm_load_acquire_(cm_bucket_link_(bucket, layout));
        if (!cm_cell_unchanged_(cm_bucket_state_(head), state))
            return CM_READ_AGAIN_;
        look = cm_load_acquire_(cm_bucket_state_(bucket));
    }
}

/* ---- chains, for who holds the head's cell ---- */

/* A slot in a chain. */
struct cm_place_ {
    char *bucket; /* NULL: none */
    unsigned slot;
};

/* Marks slots as occupied or not. Release: for an overflow bucket a reader may learn of the slot from this word alone.
 */
CM_INLINE void cm_bucket_flip_(char *bucket, uint64_t bits)
{
    uint64_t *state = cm_bucket_state_(bucket);
    cm_store_release_(state, cm_load_relaxed_(state) ^ bits);
}

/* Publishes a node. Pairs with the acquires of readers of the slot. */
CM_INLINE void cm_bucket_set_slot_(char *bucket, unsigned slot, uint64_t word)
{
    cm_store_release_(cm_bucket_slot_(bucket, slot), word);
}

CM_INLINE void cm_bucket_set_key_(const struct cm_type *type, const struct cm_layout_ layout, char *bucket,
                                  unsigned slot, const void *key)
{
    char *place = cm_bucket_key_(type, layout, bucket, slot);
    if (type->key_bitwise && type->key_size == 8) { /* relaxed: lanes are read while they are written */
        uint64_t bits;
        memcpy(&bits, key, 8);
        cm_store_relaxed_((uint64_t *)(void *)place, bits);
    } else if (type->key_bitwise && type->key_size == 4) {
        uint32_t bits;
        memcpy(&bits, key, 4);
        cm_store_relaxed_((uint32_t *)(void *)place, bits);
    } else {
        memmove(place, key, type->key_size);
    }
}

CM_INLINE bool cm_place_holds_(const struct cm_type *type, const struct cm_layout_ layout, char *bucket, unsigned slot,
                               const void *key)
{
    if (cm_keys_are_words_(type, layout))
        return cm_candidate_is_equal_(type, layout, bucket, slot, key);
    if (layout.nodes)
        return type->equal(key, cm_slot_node_(*cm_bucket_slot_(bucket, slot)) + layout.node_key);
    return type->equal(key, cm_bucket_key_(type, layout, bucket, slot));
}

/* Where the key of an entry lies. */
CM_INLINE const char *cm_place_key_(const struct cm_type *type, struct cm_place_ place)
{
    const struct cm_layout_ layout = cm_layout_of_(type);
    if (layout.nodes)
        return cm_slot_node_(cm_load_acquire_(cm_bucket_slot_(place.bucket, place.slot))) + layout.node_key;
    return cm_bucket_key_(type, layout, place.bucket, place.slot);
}

/* Where the key is, or {NULL}. `*tail` takes the last bucket of the chain when the key is absent. */
CM_INLINE struct cm_place_ cm_chain_find_(const struct cm_type *type, const struct cm_layout_ layout, char *head,
                                          const void *key, uint64_t hash, char **tail)
{
    struct cm_place_ place = {head, 0};
    for (;;) {
        uint64_t look = cm_load_relaxed_(cm_bucket_state_(place.bucket));
        unsigned mask = cm_bucket_candidates_(type, layout, place.bucket, key, hash) & cm_state_occupied_(look);
        for (; mask; mask &= mask - 1) {
            place.slot = (unsigned)__builtin_ctz(mask);
            if (CM_LIKELY(cm_place_holds_(type, layout, place.bucket, place.slot, key)))
                return place;
        }
        if (CM_LIKELY(!(look & CM_CHAINED_)))
            break;
        place.bucket = *cm_bucket_link_(place.bucket, layout);
    }
    *tail = place.bucket;
    place.bucket = NULL;
    return place;
}

/* An empty overflow bucket of the table, or NULL if a chunk must be supplied first. Never allocates; locks the table's
 * overflow buckets, behind the bucket that the caller holds. */
CM_API CM_COLD char *cm_overflow_take_(struct cm_table_ *table, size_t bucket_size);
CM_API CM_COLD void cm_overflow_give_(struct cm_table_ *table, size_t bucket_size, char *bucket);

/* The first free slot of a chain from `tail` on, its last bucket (T2), or its first one where there may be gaps;
 * {NULL}: an overflow chunk must be supplied. */
CM_INLINE struct cm_place_ cm_chain_extend_(struct cm_table_ *table, const struct cm_layout_ layout, char *tail)
{
    struct cm_place_ place;
    for (;; tail = *cm_bucket_link_(tail, layout)) {
        uint64_t state = cm_load_relaxed_(cm_bucket_state_(tail));
        place.bucket = tail;
        place.slot = cm_occupied_count_(cm_state_occupied_(state));
        if (CM_LIKELY(place.slot < layout.slots))
            return place;
        if (!(state & CM_CHAINED_))
            break;
    }
    place.bucket = cm_overflow_take_(table, layout.bucket);
    place.slot = 0;
    if (place.bucket) {
        /* Pairs with the acquire of a reader that follows the link. */
        cm_store_release_(cm_bucket_link_(tail, layout), place.bucket);
        cm_bucket_flip_(tail, CM_CHAINED_);
    }
    return place;
}

/* Puts every chain's entries close together again (T2): the caller holds the bucket, and nobody keeps a place in it. */
CM_API CM_COLD void cm_chain_tidy_(const struct cm_type *type, struct cm_table_ *table, char *head);

/* Unlinks the chain's last buckets while they are empty. */
CM_API CM_COLD void cm_chain_trim_(struct cm_table_ *table, struct cm_layout_ layout, char *head);

/* Takes the entry at `place` out of its chain: the last entry fills the gap, so that (T2) holds, or nothing moves
 * (T7). */
CM_INLINE void cm_chain_remove_(const struct cm_type *type, const struct cm_layout_ layout, struct cm_table_ *table,
                                char *head, struct cm_place_ place)
{
    if (type->anchored) { /* in this order, as all of them: see anchored.h */
        cm_bucket_set_slot_(place.bucket, place.slot, 0);
        cm_bucket_flip_(place.bucket, CM_SLOT_BIT_(place.slot));
        if (CM_UNLIKELY(place.bucket != head))
            cm_chain_trim_(table, layout, head);
        return;
    }
    char *before = NULL;
    struct cm_place_ last = {head, 0};
    while (CM_UNLIKELY(cm_load_relaxed_(cm_bucket_state_(last.bucket)) & CM_CHAINED_)) {
        before = last.bucket;
        last.bucket = *cm_bucket_link_(last.bucket, layout);
    }
    unsigned occupied = cm_state_occupied_(cm_load_relaxed_(cm_bucket_state_(last.bucket)));
    last.slot = cm_occupied_count_(occupied) - 1;
    /* Also where the two are the same: a branch here would be foretold wrongly every other time, at the price of a
     * miss. */
    if (layout.nodes) {
        cm_bucket_set_slot_(place.bucket, place.slot, *cm_bucket_slot_(last.bucket, last.slot));
    } else {
        cm_bucket_set_key_(type, layout, place.bucket, place.slot,
                           cm_bucket_key_(type, layout, last.bucket, last.slot));
        memmove(cm_bucket_value_(type, layout, place.bucket, place.slot),
                cm_bucket_value_(type, layout, last.bucket, last.slot), type->value_size);
    }
    cm_bucket_flip_(last.bucket, CM_SLOT_BIT_(last.slot));
    if (CM_UNLIKELY(before && last.slot == 0)) {
        cm_bucket_flip_(before, CM_CHAINED_);
        cm_overflow_give_(table, layout.bucket, last.bucket);
    }
}

CM_END_DECLS

#endif
