/* The generic map over bucket tables: what the sharded map's typed functions are made of.
 *
 * Every function takes the type's descriptor first; see type.h. The verbs that change an entry are one function,
 * cm_map_write_(), told what to do when the key is present and when it is absent. */
#ifndef CONCMAP_DETAIL_MAP_H
#define CONCMAP_DETAIL_MAP_H

#include <concmap/config.h>
#include <concmap/detail/hold.h>
#include <concmap/detail/table.h>
#include <concmap/figures.h>

CM_BEGIN_DECLS

/* Changes whenever the layout of what headers and library share changes: a program runs only with a library of its own
 * version. */
#define CM_LAYOUT_VERSION_ 3

/* What a thread has done to a map's length. */
struct cm_count_ {
    int64_t added;   /* less those removed */
    int64_t removed; /* since it last asked whether the table is sparse */
};

enum cm_marks_phase_ {
    CM_MARKS_NONE_,    /* no snapshot is being taken */
    CM_MARKS_SETTING_, /* buckets are being marked: its instant is still to come */
    CM_MARKS_TAKEN_    /* it is past, and what is marked is to be copied before it changes */
};

struct cm_image_;
struct cm_maker_;

/* A snapshot that is being taken: see snapshot.h. */
struct cm_marks_ {
    uint64_t turn; /* a cell: of who takes it */
    uint64_t lock; /* a cell, taken last: it guards what follows */
    enum cm_marks_phase_ phase;
    cm_status failure;         /* why a writer could not copy a bucket */
    struct cm_image_ *pending; /* of marked buckets that are being changed */
    struct cm_image_ *images;  /* made by writers, and part of the snapshot */
    struct cm_image_ *dropped; /* to be given back by who has the turn */
};

struct cm_map_ {
    struct cm_table_ *root; /* never NULL once initialised */
    uint64_t seed;
    cm_waiters_ waiters;          /* threads that wait for a cell of this map */
    uint32_t work;                /* not 0: growth or reclamation is pending, and writers should lend a hand */
    bool shrinks;                 /* by itself */
    size_t fixed;                 /* entries that there is room for, for ever; 0: it grows */
    bool keeps;                   /* an anchored map's nodes, until it is cleared; then gone tables, too */
    uint64_t least_buckets;       /* below which it does not, because so much room was asked for */
    size_t limit;                 /* of entries; 0: none */
    size_t admitted;              /* where there is a limit: entries, and those that are being added */
    size_t budget;                /* of a cache; 0: none */
    uint64_t weight;              /* of its entries */
    uint64_t hand;                /* of its clock */
    struct cm_per_thread_ counts; /* struct cm_count_ */
    int64_t other_count;          /* of threads without a count of their own */
    cm_allocator allocator;
    void *context;             /* of the functions that clone and destroy */
    struct cm_domain *domain;  /* in which its readers are pinned, and its memory waits; NULL: the process's own */
    struct cm_table_ *retired; /* wait for readers; owned by who holds `reclaiming` but for pushes */
    struct cm_table_ *dead;    /* kept: nobody writes to them, but a look-up may still come by; likewise */
    uint32_t reclaiming;
    uint32_t growing;        /* somebody is making the next table */
    uint32_t rest;           /* calls to let pass before reclamation is tried again */
    uint64_t overflow_retry; /* growth is tried again when as many buckets have overflowed */
    size_t table_bytes;      /* of all tables, waiting ones included */
    size_t waiting_bytes;
    uint64_t grows; /* tables ever hung on, larger ones and smaller ones */
    uint64_t shrinkages;
    struct cm_pool_ pool;
    struct cm_marks_ marks;
    uint64_t makers_lock;     /* a cell, of the list */
    struct cm_maker_ *makers; /* see anchored.h */
    /* Of a map made by create; they stay where they are when maps are exchanged. */
    uint64_t shares;   /* who may release it */
    cm_allocator home; /* of its own memory */
};

/* The table of a map without entries: its one bucket has MOVED, to nowhere. Aligned as buckets are,
 * for guards search them before they look at the state. */
extern CM_API const struct cm_empty_table_ {
    struct cm_table_ header;
    char gap[CM_TABLE_HEADER_ - sizeof(struct cm_table_)];
    uint64_t bucket[8];
} __attribute__((aligned(CM_APART))) cm_empty_table_;

/* ---- cold parts (src/map.c, src/resize.c) ---- */

/* `layout_version` and `map_size` are the caller's own: CM_INVALID if the library's differ. */
CM_API cm_status cm_map_init_(struct cm_map_ *map, const struct cm_type *type, const cm_config *config,
                              unsigned layout_version, size_t map_size);
CM_API void cm_map_destroy_(struct cm_map_ *map, const struct cm_type *type);
/* Gives back what an anchored map has kept. Nobody may be in it, nor have a reference. */
CM_API CM_COLD void cm_map_release_kept_(struct cm_map_ *map);
/* Makes what the static initialiser could not, once; returns the seed. */
CM_API CM_COLD uint64_t cm_map_start_(struct cm_map_ *map, const struct cm_type *type);
/* A map in memory of its own, NULL: `*status` says why; one more and one less that use it. */
CM_API CM_COLD struct cm_map_ *cm_map_create_(const struct cm_type *type, const cm_config *config,
                                              unsigned layout_version, size_t map_size, cm_status *status);
CM_API CM_COLD void cm_map_share_(struct cm_map_ *map);
CM_API CM_COLD void cm_map_release_(struct cm_map_ *map, const struct cm_type *type);
/* One user less; true: it was the last one. */
CM_API CM_COLD bool cm_map_unshare_(struct cm_map_ *map);
/* Makes the first table of an empty map, for so many entries; NULL: no memory. */
CM_API CM_COLD struct cm_table_ *cm_map_first_table_(struct cm_map_ *map, const struct cm_type *type, size_t entries);
/* A read that met writers too often: takes the bucket shared. */
CM_API CM_COLD cm_status cm_map_get_slow_(struct cm_map_ *map, const struct cm_type *type, struct cm_table_ *table,
                                          const void *key, uint64_t hash, void *value, cm_deadline deadline);
/* Locks a bucket; CM_GOT_ and the like. Of one that is marked an image is made first. */
CM_API CM_COLD int cm_bucket_lock_(const struct cm_type *type, struct cm_map_ *map, char *head,
                                   const struct cm_wait_ *wait);
/* The same for a bucket that is locked already. */
CM_API CM_COLD void cm_bucket_meet_(const struct cm_type *type, struct cm_map_ *map, char *head);
/* Gives back images that are of no use any more. */
CM_API CM_COLD void cm_marks_tidy_(struct cm_map_ *map);
/* And all others, for a map that is destroyed. */
CM_API CM_COLD void cm_marks_destroy_(struct cm_map_ *map);
/* Of anchored maps (src/makers.c). */
CM_API CM_COLD void cm_makers_destroy_(struct cm_map_ *map);
struct cm_held_;
struct cm_supply_;

/* The memory that an insert lacked: an overflow chunk, nodes, a node with its own key. False: no memory. */
CM_API CM_COLD bool cm_map_supply_(struct cm_map_ *map, const struct cm_type *type, struct cm_table_ *table,
                                   const void *key, uint64_t hash, struct cm_supply_ *supply);
/* A node with its own copy of the key, from the calling thread's cache. NULL: no memory. */
CM_API CM_COLD struct cm_node_ *cm_map_node_(struct cm_map_ *map, const struct cm_type *type,
                                             struct cm_pool_cache_ *cache, const void *key, uint64_t hash);
/* Gives back what was not used of it. */
CM_API CM_COLD void cm_supply_end_(struct cm_map_ *map, struct cm_thread_ *thread, struct cm_supply_ *supply);

/* Waits for the bucket held->head, and finds the key in it. CM_OK: it is held; CM_GOT_MOVED_: look in the next table;
 * or why the wait was given up. CM_DEADLOCK also where the calling thread has the very key. */
CM_API CM_COLD int cm_map_wait_(const struct cm_type *type, struct cm_map_ *map, struct cm_held_ *held, const void *key,
                                uint64_t hash, bool exclusive, cm_deadline deadline);
/* As cm_chain_extend_() and cm_chain_remove_(), in a chain in which others keep places: leaves gaps. */
CM_API CM_COLD struct cm_place_ cm_kept_extend_(const struct cm_type *type, const struct cm_held_ *held);
CM_API CM_COLD void cm_kept_remove_(const struct cm_type *type, const struct cm_held_ *held);
/* Gives back what an insert has taken. */
CM_API CM_COLD void cm_held_insert_undo_(const struct cm_type *type, struct cm_map_ *map, const struct cm_held_ *held,
                                         char *node, struct cm_place_ place, struct cm_supply_ *supply);
/* Whether the calling thread holds anything in the bucket. */
CM_API CM_COLD bool cm_kept_any_(const struct cm_held_ *held);
/* Gives the bucket back, tidied, unless the calling thread has a guard in it. */
CM_API CM_COLD void cm_kept_unlock_(const struct cm_type *type, struct cm_map_ *map, const struct cm_held_ *held);
struct cm_place_;
/* The hold of a thread that ended, of this place; NULL: none. The caller has the cell. */
CM_API CM_COLD struct cm_hold_ *cm_kept_died_at_(const uint64_t *cell, struct cm_place_ place);
/* Forgets that the entry's holder has died. */
CM_API CM_COLD void cm_kept_bury_(const struct cm_held_ *held);
/* Removes an entry of a cache, one that expired if there is one under the hand. False: there is none that may go. */
CM_API CM_COLD bool cm_map_evict_(struct cm_map_ *map, const struct cm_type *type);
/* Evicts until the entries weigh no more than they may. */
CM_API CM_COLD void cm_map_trim_(struct cm_map_ *map, const struct cm_type *type);
/* Takes an expired entry out of a held bucket; cm_map_evicted_() follows without the lock. */
CM_API CM_COLD struct cm_node_ *cm_held_expire_(const struct cm_type *type, struct cm_map_ *map, struct cm_held_ *held,
                                                const void *key, uint64_t hash);
CM_API CM_COLD void cm_map_evicted_(struct cm_map_ *map, const struct cm_type *type, struct cm_node_ *node,
                                    cm_eviction why);
/* Removes the key if its entry has expired. */
CM_API CM_COLD void cm_map_expire_(struct cm_map_ *map, const struct cm_type *type, const void *key, uint64_t hash);
/* Does a bounded part of what is pending: moves some buckets, or gives back some memory. */
CM_API CM_COLD void cm_map_help_(struct cm_map_ *map, const struct cm_type *type);
/* Counts for threads past the first segment, or without a count of their own. */
CM_API CM_COLD void cm_map_count_slow_(struct cm_map_ *map, struct cm_thread_ *thread, int64_t difference);

CM_API cm_memory cm_map_memory_(const struct cm_map_ *map);
CM_API void cm_map_stats_(const struct cm_map_ *map, const struct cm_type *type, cm_stats *stats);
CM_API size_t cm_map_len_(const struct cm_map_ *map);
CM_API cm_status cm_map_clear_(struct cm_map_ *map, const struct cm_type *type, cm_deadline deadline);
CM_API cm_status cm_map_reserve_(struct cm_map_ *map, const struct cm_type *type, size_t entries);
CM_API cm_status cm_map_shrink_to_fit_(struct cm_map_ *map, const struct cm_type *type);
CM_API bool cm_map_step_(struct cm_map_ *map, const struct cm_type *type, size_t buckets);
CM_API cm_status cm_map_settle_(struct cm_map_ *map, const struct cm_type *type);
CM_API cm_status cm_map_check_(struct cm_map_ *map, const struct cm_type *type, const char **reason);

/* A map that is not made yet: made by the first call that may add something. It has the default options. */
#ifdef __cplusplus
#define CM_MAP_INITIALIZER                                                                                             \
    {                                                                                                                  \
        {                                                                                                              \
            (struct cm_table_ *)&cm_empty_table_.header                                                                \
        }                                                                                                              \
    }
#else
#define CM_MAP_INITIALIZER                                                                                             \
    {                                                                                                                  \
        .core = {.root = (struct cm_table_ *)&cm_empty_table_.header }                                                 \
    }
#endif

/* Pins where the map's readers are pinned; of types that are not anchored, known to be the process's own domain. */
CM_INLINE struct cm_pin_ cm_map_pin_(const struct cm_type *type, const struct cm_map_ *map)
{
    return cm_pin_enter_of_(type->anchored ? map->domain : NULL);
}

/* Sees to it that what an anchored map gives out stays: with CM_DOMAIN the calling thread is online, or in a pin. */
CM_INLINE void cm_map_give_out_(const struct cm_map_ *map)
{
    if (map->domain)
        cm_domain_online_(map->domain);
}

/* The seed, of a map that is made by now. */
CM_INLINE uint64_t cm_map_seed_(const struct cm_type *type, const struct cm_map_ *map)
{
    uint64_t seed = cm_load_acquire_(&map->seed); /* pairs with cm_map_start_() */
    return CM_LIKELY(seed != 0) ? seed : cm_map_start_((struct cm_map_ *)(uintptr_t)map, type);
}

/* ---- counting ---- */

#define CM_SHRINK_LOOK_ 256 /* removals of a thread from one look at the table to the next */

/* Adds to the thread's own count. */
CM_INLINE void cm_count_add_(struct cm_map_ *map, struct cm_count_ *count, int64_t difference)
{
    /* Relaxed: the thread's own, read by sums that promise no order with what is counted. */
    cm_store_relaxed_(&count->added, cm_load_relaxed_(&count->added) + difference);
    if (difference < 0 && CM_UNLIKELY(map->shrinks) && (count->removed -= difference) >= CM_SHRINK_LOOK_) {
        count->removed = 0;
        cm_store_relaxed_(&map->work, 1); /* the table may be sparse; relaxed: a hint */
    }
}

CM_INLINE void cm_map_count_(struct cm_map_ *map, struct cm_thread_ *thread, int64_t difference)
{
    if (CM_LIKELY(thread->index < CM_PER_THREAD_FIRST_)) {
        char *segment = cm_load_acquire_(&map->counts.segments[0]);
        if (CM_LIKELY(segment != NULL)) {
            cm_count_add_(map, (struct cm_count_ *)(void *)(segment + thread->index * CM_APART), difference);
            return;
        }
    }
    cm_map_count_slow_(map, thread, difference);
}

/* Makes room for one more entry, if there is a limit. False: the map is full. Under the lock of its bucket, and given
 * back under the lock of the one removed, so that there are never more. */
CM_INLINE bool cm_map_admit_(struct cm_map_ *map)
{
    if (CM_LIKELY(map->limit == 0))
        return true;
    size_t admitted = cm_load_relaxed_(&map->admitted); /* relaxed: only the number counts */
    do {
        if (admitted >= map->limit)
            return false;
    } while (!cm_swap_if_relaxed_(&map->admitted, &admitted, admitted + 1));
    return true;
}

/* The count for one who has been admitted; NULL: there is no limit. */
CM_INLINE size_t *cm_map_admitted_(struct cm_map_ *map)
{
    return map->limit ? &map->admitted : NULL;
}

CM_INLINE void cm_map_dismiss_(struct cm_map_ *map, size_t entries)
{
    if (CM_UNLIKELY(map->limit != 0))
        cm_sub_relaxed_(&map->admitted, entries);
}

/* ---- caches ---- */

CM_INLINE bool cm_value_expired_(const struct cm_type *type, const struct cm_map_ *map, const void *value)
{
    return type->cached && type->expired(value, map->context);
}

/* Counts an entry's weight anew, under its bucket's lock; 0: it is about to be removed. */
CM_INLINE void cm_cached_weigh_(struct cm_map_ *map, const char *node, uint64_t weight)
{
    struct cm_cached_ *cached = cm_cached_of_(node);
    uint64_t difference = weight - cached->weight;
    if (difference)
        cm_add_relaxed_(&map->weight, difference); /* relaxed: only the number counts */
    cached->weight = weight;
}

/* What an entry weighs with this value. */
CM_INLINE uint64_t cm_cached_weight_(const struct cm_type *type, const struct cm_map_ *map, const char *node,
                                     const void *value)
{
    return type->weigh(node + cm_layout_of_(type).node_key, value, map->context);
}

/* Whether a value weighs more than its cache may hold. */
CM_INLINE bool cm_value_is_too_heavy_(const struct cm_type *type, const struct cm_map_ *map, const char *node,
                                      const void *value)
{
    return type->cached && map->budget && cm_cached_weight_(type, map, node, value) > map->budget;
}

/* An entry was added or changed. */
CM_INLINE void cm_cached_changed_(const struct cm_type *type, struct cm_map_ *map, struct cm_place_ place)
{
    if (!type->cached || map->budget == 0)
        return;
    const char *node = cm_slot_node_(*cm_bucket_slot_(place.bucket, place.slot));
    cm_cached_weigh_(map, node, cm_cached_weight_(type, map, node, node + cm_layout_of_(type).node_value));
}

/* An entry is being removed. */
CM_INLINE void cm_cached_removed_(const struct cm_type *type, struct cm_map_ *map, const char *node)
{
    if (type->cached && cm_cached_of_(node)->weight)
        cm_cached_weigh_(map, node, 0);
}

CM_INLINE bool cm_map_is_heavy_(const struct cm_type *type, const struct cm_map_ *map)
{
    return type->cached && map->budget && cm_load_relaxed_(&map->weight) > map->budget;
}

/* ---- reading ---- */

#define CM_READ_TRIES_ 3
#define CM_EXPIRED_ 1000 /* a status of lookups in caches: the entry is there, and has to go */

/* Copies the key's value without a lock, where it takes one look at one bucket; otherwise CM_READ_AGAIN_: the key may
 * lie in a chain or in the next table, or a writer came by. In a straight line, without a variable that has an address:
 * what passes through memory, and be it a register that is spilled, delays the reads behind it, of which many should be
 * under way. */
CM_INLINE enum cm_read_ cm_map_glance_(const struct cm_type *type, const struct cm_map_ *map, const void *key,
                                       uint64_t hash, void *value)
{
    const struct cm_layout_ layout = cm_layout_of_(type);
    /* Acquire: pairs with the release that swung the root, after which the table's buckets are filled. */
    char *head = cm_table_bucket_(cm_load_acquire_(&map->root), layout, hash);
    uint64_t state = cm_load_acquire_(cm_bucket_state_(head));
    if (CM_UNLIKELY(state & (CM_WRITER_ | CM_MOVED_)))
        return CM_READ_AGAIN_;
    CM_COMPILER_BARRIER();
    unsigned mask = cm_bucket_candidates_(type, layout, head, key, hash) & cm_state_occupied_(state);
    enum cm_read_ result = state & CM_CHAINED_ ? CM_READ_AGAIN_ : CM_READ_MISS_;
    if (CM_LIKELY(mask != 0)) {
        unsigned slot = (unsigned)__builtin_ctz(mask);
        if (CM_UNLIKELY(cm_candidate_read_(type, layout, head, state, head, slot, key) != CM_READ_HIT_))
            return CM_READ_AGAIN_;
        if (value && type->value_size)
            cm_copy_racing_(value, cm_bucket_value_(type, layout, head, slot), type->value_size);
        cm_cached_touch_(type, layout, cm_bucket_value_(type, layout, head, slot));
        result = CM_READ_HIT_;
    }
    return CM_LIKELY(cm_cell_unchanged_(cm_bucket_state_(head), state)) ? result : CM_READ_AGAIN_;
}

/* Copies the key's value, wherever it is: CM_OK, CM_ABSENT, or why the wait for a writer was given up. */
CM_INLINE cm_status cm_map_look_(const struct cm_type *type, const struct cm_map_ *map, const void *key, uint64_t hash,
                                 void *value, cm_deadline deadline)
{
    const struct cm_layout_ layout = cm_layout_of_(type);
    struct cm_table_ *table = cm_load_acquire_(&map->root); /* as above */
    for (unsigned tries = CM_READ_TRIES_; tries > 0;) {
        char *head = cm_table_bucket_(table, layout, hash);
        uint64_t state = cm_load_acquire_(cm_bucket_state_(head));
        if (CM_LIKELY(!(state & (CM_WRITER_ | CM_MOVED_)))) {
            enum cm_read_ result = cm_chain_read_(type, head, state, key, hash, value);
            if (CM_LIKELY(result != CM_READ_AGAIN_))
                return result == CM_READ_HIT_ ? CM_OK : CM_ABSENT;
        } else if (state & CM_MOVED_) {
            table = cm_load_acquire_(&table->next);
            if (!table)
                return CM_ABSENT; /* the empty table */
            continue;
        }
        tries--;
        cm_spin_hint_();
    }
    return cm_map_get_slow_((struct cm_map_ *)(uintptr_t)map, type, table, key, hash, value, deadline);
}

/* Copies a value out of the map, for somebody else to own. */
CM_INLINE cm_status cm_value_copy_(const struct cm_type *type, const struct cm_map_ *map, void *to, const void *from)
{
    if (type->value_clone)
        return type->value_clone(to, from, map->context);
    memcpy(to, from, type->value_size);
    return CM_OK;
}

CM_INLINE void cm_value_destroy_(const struct cm_type *type, const struct cm_map_ *map, const void *value)
{
    if (type->value_destroy)
        type->value_destroy((void *)(uintptr_t)value, map->context);
}

/* The same from a place under a lock, to `to` (may be NULL): CM_ABSENT if there is none; of a cache CM_EXPIRED_. */
CM_INLINE cm_status cm_place_copy_(const struct cm_type *type, const struct cm_map_ *map, struct cm_place_ place,
                                   void *to)
{
    const struct cm_layout_ layout = cm_layout_of_(type);
    if (!place.bucket)
        return CM_ABSENT;
    const char *value = cm_bucket_value_(type, layout, place.bucket, place.slot);
    if (cm_value_expired_(type, map, value))
        return (cm_status)CM_EXPIRED_;
    cm_cached_touch_(type, layout, value);
    return to ? cm_value_copy_(type, map, to, value) : CM_OK;
}

/* Copies an owned value under its bucket's lock, where it cannot be destroyed meanwhile: CM_OK, CM_ABSENT, why the
 * clone failed, or why the wait was given up. Pinned by the caller. */
CM_INLINE cm_status cm_map_clone_out_(const struct cm_type *type, const struct cm_map_ *const_map, const void *key,
                                      uint64_t hash, void *value, cm_deadline deadline)
{
    const struct cm_layout_ layout = cm_layout_of_(type);
    struct cm_map_ *map = (struct cm_map_ *)(uintptr_t)const_map;
    struct cm_table_ *table = cm_load_acquire_(&map->root); /* as in cm_map_glance_() */
    char *head = cm_table_bucket_(table, layout, hash);
    uint64_t *cell = cm_bucket_state_(head);
    uint64_t state = cm_load_acquire_(cell);
    if (CM_UNLIKELY(state & (CM_WRITER_ | CM_MOVED_ | CM_PENDING_)) || !cm_cell_try_share_(cell, state))
        return cm_map_get_slow_(map, type, table, key, hash, value, deadline);
    char *tail;
    cm_status status = cm_place_copy_(type, map, cm_chain_find_(type, layout, head, key, hash, &tail), value);
    cm_cell_unshare_(cell, &map->waiters);
    return status;
}

/* ---- writing ---- */

/* A bucket that the caller holds, and where in its chain the key is. The pin may be left, for a held bucket keeps its
 * table. */
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
CM_INLINE int cm_map_lock_(const struct cm_type *type, struct cm_map_ *map, const void *key, uint64_t hash,
                           cm_deadline deadline, struct cm_held_ *held)
{
    const struct cm_layout_ layout = cm_layout_of_(type);
    held->tail = NULL;
    held->unusual = false;
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
            int got = cm_map_wait_(type, map, held, key, hash, true, deadline);
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
    if (CM_UNLIKELY(held->unusual || (called && (cm_hold_any_(thread) || (cm_load_relaxed_(cell) & CM_UNTIDY_)))))
        cm_kept_unlock_(type, map, held);
    else
        cm_cell_unlock_(cell, cm_load_relaxed_(cell), &map->waiters);
}

enum cm_absent_ { CM_ABSENT_FAIL_, CM_ABSENT_INSERT_, CM_ABSENT_MAKE_ };
enum cm_present_ { CM_PRESENT_KEEP_, CM_PRESENT_REPLACE_, CM_PRESENT_APPLY_ };

/* What a write does, and with what. */
struct cm_write_ {
    enum cm_absent_ absent;
    enum cm_present_ present;
    const void *value;                             /* to insert, or to replace by */
    cm_status (*call)(void *value, void *context); /* makes a value, or changes it */
    void *context;
    void *scratch; /* room for one value: where `call` makes one, or what it was before `call` changed it */
    void *old;     /* takes the value replaced, may be NULL; of anchored maps, here and below, its address */
    void *now;     /* takes the value that the map has afterwards, may be NULL */
    cm_deadline deadline;
};

/* Whether a write may run a function of the user. */
CM_INLINE bool cm_write_calls_(const struct cm_write_ *write)
{
    return write->absent == CM_ABSENT_MAKE_ || write->present == CM_PRESENT_APPLY_;
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
    node = (char *)cm_pool_take_(&map->pool, supply->cache, cm_text_class_(cm_key_text_size_(type, key)));
    if (CM_LIKELY(node != NULL)) {
        cm_node_fill_(type, cm_layout_of_(type), node, key, hash);
        cm_cached_begin_(type, node);
    }
    return node;
}

/* Runs a function of the user, while the entry at `place` is listed as kept. Of an anchored map the value is that of
 * `fresh`, a node that is not in the map yet, or, where that is NULL, not to be changed. */
CM_INLINE cm_status cm_kept_call_(const struct cm_type *type, struct cm_map_ *map, struct cm_thread_ *thread,
                                  struct cm_hold_ *hold, char *head, struct cm_place_ place, bool vacant, char *fresh,
                                  cm_status (*function)(void *value, void *context), void *value, void *context)
{
    cm_hold_set_(thread, hold, &map->waiters, cm_bucket_state_(head), place.bucket, place.slot, true);
    hold->admitted = vacant ? cm_map_admitted_(map) : NULL;
    if (type->anchored) {
        hold->intact = true;
        hold->orphans = &map->pool.orphans;
        hold->removed = NULL;
        hold->spare = (struct cm_node_ *)(void *)fresh;
    }
    cm_status status = function(value, context);
    if (type->anchored)
        hold->intact = false;
    cm_hold_drop_(thread, hold);
    return status;
}

/* Whether the key's entry has expired. One whose owner died is dealt with first. */
CM_INLINE bool cm_held_is_expired_(const struct cm_type *type, const struct cm_map_ *map, const struct cm_held_ *held)
{
    struct cm_place_ place = held->place;
    return place.bucket && !(held->unusual && held->died) &&
           cm_value_expired_(type, map, cm_bucket_value_(type, cm_layout_of_(type), place.bucket, place.slot));
}

/* Adds the key to a held chain that lacks it. The initialiser runs when nothing else can fail. */
CM_INLINE cm_status cm_held_add_(const struct cm_type *type, struct cm_map_ *map, struct cm_thread_ *thread,
                                 struct cm_hold_ *hold, const struct cm_held_ *held, const void *key, uint64_t hash,
                                 const struct cm_write_ *write, struct cm_supply_ *supply)
{
    char *tail = held->tail;
    const struct cm_layout_ layout = cm_layout_of_(type);
    char *node = NULL;
    if (layout.nodes) {
        node = cm_supply_node_(type, map, key, hash, supply);
        supply->lacking = node == NULL;
        if (CM_UNLIKELY(supply->lacking))
            return CM_NOMEM;
    }
    struct cm_place_ place =
        CM_UNLIKELY(held->unusual) ? cm_kept_extend_(type, held) : cm_chain_extend_(held->table, layout, tail);
    supply->lacking = place.bucket == NULL;
    if (CM_UNLIKELY(place.bucket != tail) && cm_load_relaxed_(&held->table->overflowed) > held->table->overflow_limit)
        cm_store_relaxed_(&map->work, 1); /* time to grow; relaxed: a hint */
    if (CM_UNLIKELY(supply->lacking)) {
        cm_held_insert_undo_(type, map, held, node, place, supply);
        return CM_NOMEM;
    }
    if (layout.nodes) {
        cm_bucket_set_slot_(place.bucket, place.slot, cm_hash_tag_(hash) << CM_TAG_SHIFT_ | (uint64_t)(uintptr_t)node);
    } else {
        cm_bucket_set_key_(type, layout, place.bucket, place.slot, key);
    }
    const void *value = write->value;
    if (write->absent == CM_ABSENT_MAKE_) { /* the place is kept, with its key, while the function runs */
        cm_status status = cm_kept_call_(type, map, thread, hold, held->head, place, true, NULL, write->call,
                                         write->scratch, write->context);
        if (CM_UNLIKELY(status < 0)) {
            cm_held_insert_undo_(type, map, held, node, place, supply);
            return status;
        }
        value = write->scratch;
    }
    cm_status copied = cm_value_is_too_heavy_(type, map, node, value) ? CM_FULL : CM_OK;
    if (write->now && copied == CM_OK)
        copied = cm_value_copy_(type, map, write->now, value);
    if ((type->value_clone || type->cached) && CM_UNLIKELY(copied < 0)) {
        supply->dropped = value == write->scratch;
        cm_held_insert_undo_(type, map, held, node, place, supply);
        return copied;
    }
    memcpy(cm_bucket_value_(type, layout, place.bucket, place.slot), value, type->value_size);
    cm_bucket_flip_(place.bucket, CM_SLOT_BIT_(place.slot));
    cm_cached_changed_(type, map, place);
    return CM_OK;
}

/* The same in an anchored map, which makes no value here. */
CM_INLINE cm_status cm_anchored_add_(const struct cm_type *type, struct cm_map_ *map, const struct cm_held_ *held,
                                     const void *key, uint64_t hash, const struct cm_write_ *write,
                                     struct cm_supply_ *supply)
{
    const struct cm_layout_ layout = cm_layout_of_(type);
    char *node = cm_supply_node_(type, map, key, hash, supply);
    supply->lacking = node == NULL;
    if (CM_UNLIKELY(supply->lacking))
        return CM_NOMEM;
    struct cm_place_ place = cm_chain_extend_(held->table, layout, held->head);
    if (CM_UNLIKELY(place.bucket != held->head) &&
        cm_load_relaxed_(&held->table->overflowed) > held->table->overflow_limit)
        cm_store_relaxed_(&map->work, 1); /* as above */
    supply->lacking = place.bucket == NULL;
    if (CM_UNLIKELY(supply->lacking)) {
        supply->prepared = (struct cm_node_ *)(void *)node;
        return CM_NOMEM;
    }
    memcpy(node + layout.node_value, write->value, type->value_size);
    cm_bucket_flip_(place.bucket, CM_SLOT_BIT_(place.slot));
    cm_bucket_set_slot_(place.bucket, place.slot, cm_hash_tag_(hash) << CM_TAG_SHIFT_ | (uint64_t)(uintptr_t)node);
    if (write->now)
        *(void **)write->now = node + layout.node_value;
    return CM_OK;
}

/* The same within the limit. */
CM_INLINE cm_status cm_held_insert_(const struct cm_type *type, struct cm_map_ *map, struct cm_thread_ *thread,
                                    struct cm_hold_ *hold, const struct cm_held_ *held, const void *key, uint64_t hash,
                                    const struct cm_write_ *write, struct cm_supply_ *supply)
{
    if (CM_UNLIKELY(!cm_map_admit_(map))) {
        supply->crowded = supply->lacking = type->cached;
        return CM_FULL;
    }
    cm_status status = type->anchored ? cm_anchored_add_(type, map, held, key, hash, write, supply)
                                      : cm_held_add_(type, map, thread, hold, held, key, hash, write, supply);
    if (CM_UNLIKELY(status < 0))
        cm_map_dismiss_(map, 1);
    return status;
}

/* Of an anchored map: the entry's new value comes in a new node, by one store of its slot; the old one waits. */
CM_INLINE cm_status cm_present_renew_(const struct cm_type *type, struct cm_map_ *map, struct cm_thread_ *thread,
                                      struct cm_hold_ *hold, const struct cm_held_ *held, const void *key,
                                      uint64_t hash, const struct cm_write_ *write, struct cm_supply_ *supply)
{
    const struct cm_layout_ layout = cm_layout_of_(type);
    struct cm_place_ place = held->place;
    char *old = cm_slot_node_(*cm_bucket_slot_(place.bucket, place.slot));
    char *node = cm_supply_node_(type, map, type->foreign ? old + layout.node_key : key, hash, supply);
    supply->lacking = node == NULL;
    if (CM_UNLIKELY(supply->lacking))
        return CM_NOMEM;
    char *value = node + layout.node_value;
    cm_status status = CM_REPLACED;
    if (write->present == CM_PRESENT_APPLY_) {
        status = cm_value_copy_(type, map, value, old + layout.node_value);
        bool copied = !type->value_clone || status >= 0;
        if (copied)
            status = cm_kept_call_(type, map, thread, hold, held->head, place, false, node, write->call, value,
                                   write->context);
        if (CM_UNLIKELY(status < 0 || status == CM_EXISTS)) { /* nothing changes */
            supply->prepared = (struct cm_node_ *)(void *)node;
            supply->dropped = type->value_destroy && copied;
            if (supply->dropped)
                memcpy(write->scratch, value, type->value_size);
            return status;
        }
    } else {
        memcpy(value, write->value, type->value_size);
    }
    cm_bucket_set_slot_(place.bucket, place.slot, cm_hash_tag_(hash) << CM_TAG_SHIFT_ | (uint64_t)(uintptr_t)node);
    supply->discarded = (struct cm_node_ *)(void *)old;
    if (write->old)
        *(void **)write->old = old + layout.node_value;
    if (write->now)
        *(void **)write->now = value;
    return status;
}

CM_INLINE cm_status cm_present_write_(const struct cm_type *type, struct cm_map_ *map, struct cm_thread_ *thread,
                                      struct cm_hold_ *hold, const struct cm_held_ *held, const void *key,
                                      uint64_t hash, const struct cm_write_ *write, struct cm_supply_ *supply)
{
    const struct cm_layout_ layout = cm_layout_of_(type);
    char *value = cm_bucket_value_(type, layout, held->place.bucket, held->place.slot);
    if (type->anchored && write->present != CM_PRESENT_KEEP_)
        return cm_present_renew_(type, map, thread, hold, held, key, hash, write, supply);
    if (type->anchored) {
        if (write->now)
            *(void **)write->now = value;
        return CM_EXISTS;
    }
    if (write->present == CM_PRESENT_REPLACE_ &&
        cm_value_is_too_heavy_(type, map, value - layout.node_value, write->value))
        return CM_FULL;
    if (CM_UNLIKELY(held->unusual && held->died)) {
        if (write->present != CM_PRESENT_REPLACE_)
            return CM_OWNER_DIED;
        cm_kept_bury_(held);
    }
    if (write->present == CM_PRESENT_REPLACE_) {
        supply->dropped = type->value_destroy && !write->old;
        if (write->old || type->value_destroy)
            memcpy(write->old ? write->old : write->scratch, value, type->value_size);
        memcpy(value, write->value, type->value_size);
        return CM_REPLACED;
    }
    if (write->present == CM_PRESENT_APPLY_) {
        /* A function that fails leaves the entry as it was. It works on the value itself, and the copy is for undoing:
         * the other way round, what it has just stored in pieces would be loaded at once, for which processors wait.
         * What a value owns may be gone by then: such a function has to undo for itself. */
        if (!type->value_destroy)
            memcpy(write->scratch, value, type->value_size);
        cm_status status = cm_kept_call_(type, map, thread, hold, held->head, held->place, false, NULL, write->call,
                                         value, write->context);
        if (!type->value_destroy && CM_UNLIKELY(status < 0))
            memcpy(value, write->scratch, type->value_size);
        return status;
    }
    cm_status copied = write->now ? cm_value_copy_(type, map, write->now, value) : CM_OK;
    return type->value_clone && copied < 0 ? copied : CM_EXISTS;
}

/* What a write came to. */
struct cm_written_ {
    cm_status status;
    bool inserted;
};

/* What an upsert makes of it: whatever the function returned, the key was there. */
CM_INLINE cm_status cm_written_upserted_(struct cm_written_ written)
{
    return written.status < 0 || written.inserted ? written.status : CM_REPLACED;
}

/* Sets a value to `desired` if it was found to be the `same` as *expected, and `old` takes it; otherwise *expected
 * does, where it is plain. Under the bucket's lock. */
CM_INLINE cm_status cm_value_exchange_(const struct cm_type *type, bool same, void *value, void *expected,
                                       const void *desired, void *old)
{
    if (same) {
        memcpy(old, value, type->value_size);
        memcpy(value, desired, type->value_size);
    } else if (!type->value_destroy) {
        memcpy(expected, value, type->value_size);
    }
    return same ? CM_REPLACED : CM_EXISTS;
}

CM_INLINE struct cm_written_ cm_map_write_pinned_(const struct cm_type *type, struct cm_map_ *map, const void *key,
                                                  uint64_t hash, const struct cm_write_ *write,
                                                  struct cm_thread_ *thread, struct cm_supply_ *supply)
{
    const struct cm_layout_ layout = cm_layout_of_(type);
    const bool calls = cm_write_calls_(write);
    for (;;) {
        struct cm_held_ held;
        struct cm_written_ written = {CM_NOMEM, false};
        struct cm_node_ *expired = NULL;
        struct cm_hold_ *hold = calls ? cm_hold_take_(thread) : NULL; /* now: nothing is allocated under the lock */
        if (calls && CM_UNLIKELY(!hold))
            return written;
        written.status = CM_ABSENT;
        int got = cm_map_lock_(type, map, key, hash, write->deadline, &held);
        if (CM_UNLIKELY(got != CM_OK)) {
            written.status = (cm_status)got;
            return written;
        }
        if (cm_held_is_expired_(type, map, &held))
            expired = cm_held_expire_(type, map, &held, key, hash);
        const void *own = key; /* of the map's type, and there while the caller is pinned */
        if (held.place.bucket && type->anchored && type->foreign)
            own = cm_slot_node_(*cm_bucket_slot_(held.place.bucket, held.place.slot)) + layout.node_key;
        if (held.place.bucket) {
            written.status = cm_present_write_(type, map, thread, hold, &held, key, hash, write, supply);
        } else if (write->absent != CM_ABSENT_FAIL_) {
            written.status = cm_held_insert_(type, map, thread, hold, &held, key, hash, write, supply);
            written.inserted = written.status == CM_OK;
        }
        if (held.place.bucket && written.status >= 0) {
            cm_cached_changed_(type, map, held.place);
            cm_cached_touch_(type, layout, cm_bucket_value_(type, layout, held.place.bucket, held.place.slot));
        }
        cm_map_unlock_(type, map, thread, &held, calls);
        if (type->cached && expired)
            cm_map_evicted_(map, type, expired, CM_EVICTED_EXPIRED);
        if (CM_LIKELY(!supply->lacking))
            return written;
        supply->lacking = false;
        if (type->cached && supply->crowded) {
            supply->crowded = false;
            if (!cm_map_evict_(map, type))
                return written; /* CM_FULL */
            continue;
        }
        if (!cm_map_supply_(map, type, held.table, own, hash, supply))
            return written; /* CM_NOMEM */
    }
}

CM_INLINE void cm_map_lend_a_hand_(const struct cm_type *type, struct cm_map_ *map)
{
    if (!type->foreign &&
        CM_UNLIKELY(cm_load_relaxed_(&map->work) != 0)) /* relaxed: a hint, looked at again by the next write */
        cm_map_help_(map, type);
}

/* Of owned values: one that was replaced, and one that was given and not taken, for the key was there. */
CM_INLINE void cm_written_values_destroy_(const struct cm_type *type, struct cm_map_ *map,
                                          const struct cm_write_ *write, struct cm_written_ written, bool dropped)
{
    if (dropped)
        cm_value_destroy_(type, map, write->scratch);
    if (write->absent == CM_ABSENT_INSERT_ && write->present != CM_PRESENT_REPLACE_ && written.status >= 0 &&
        !written.inserted)
        cm_value_destroy_(type, map, write->value);
}

/* Finds the key and changes its value, or adds it, as `write` says; one atomic step. Locks one bucket. `prepared` is a
 * node with the key, from the calling thread's cache, or NULL. */
CM_INLINE struct cm_written_ cm_map_write_by_(const struct cm_type *type, struct cm_map_ *map, const void *key,
                                              uint64_t hash, const struct cm_write_ *write, struct cm_node_ *prepared)
{
    struct cm_supply_ supply = {NULL, prepared, NULL, false, false, false};
    if (type->anchored && (write->old || write->now))
        cm_map_give_out_(map);
    struct cm_pin_ pin = cm_map_pin_(type, map);
    struct cm_written_ written = {CM_NOMEM, false};
    const bool takes_nodes = cm_layout_has_nodes_(type) && (type->anchored || write->absent != CM_ABSENT_FAIL_);
    if (takes_nodes)
        supply.cache = cm_pool_cache_of_(&map->pool, &map->allocator, pin.thread->index);
    if (!takes_nodes || CM_LIKELY(supply.cache != NULL))
        written = cm_map_write_pinned_(type, map, key, hash, write, pin.thread, &supply);
    if (CM_LIKELY(written.inserted))
        cm_map_count_(map, pin.thread, 1);
    cm_pin_leave_(pin);
    if (cm_layout_has_nodes_(type) && CM_UNLIKELY(supply.prepared || supply.discarded))
        cm_supply_end_(map, pin.thread, &supply);
    if (type->value_destroy)
        cm_written_values_destroy_(type, map, write, written, supply.dropped);
    if (CM_UNLIKELY(cm_map_is_heavy_(type, map)))
        cm_map_trim_(map, type);
    cm_map_lend_a_hand_(type, map);
    return written;
}

CM_INLINE struct cm_written_ cm_map_write_(const struct cm_type *type, struct cm_map_ *map, const void *key,
                                           uint64_t hash, const struct cm_write_ *write)
{
    return cm_map_write_by_(type, map, key, hash, write, NULL);
}

/* Removes the key, if the condition (may be NULL) returns CM_OK; `old` takes its value. Returns what the condition
 * returned. One atomic step. Locks one bucket. */
CM_INLINE cm_status cm_map_remove_(const struct cm_type *type, struct cm_map_ *map, const void *key, uint64_t hash,
                                   cm_status (*condition)(void *value, void *context), void *context, void *old,
                                   cm_deadline deadline)
{
    const struct cm_layout_ layout = cm_layout_of_(type);
    if (type->anchored && old)
        cm_map_give_out_(map);
    struct cm_pin_ pin = cm_map_pin_(type, map);
    struct cm_node_ *node = NULL;
    struct cm_hold_ *hold = condition ? cm_hold_take_(pin.thread) : NULL;
    struct cm_held_ held;
    cm_status status = CM_NOMEM;
    if (!condition || CM_LIKELY(hold != NULL))
        status = (cm_status)cm_map_lock_(type, map, key, hash, deadline, &held);
    if (CM_LIKELY(status == CM_OK)) {
        struct cm_node_ *expired = NULL;
        if (cm_held_is_expired_(type, map, &held))
            expired = cm_held_expire_(type, map, &held, key, hash);
        struct cm_place_ place = held.place;
        status = place.bucket ? CM_OK : CM_ABSENT;
        if (condition && place.bucket)
            status = cm_kept_call_(type, map, pin.thread, hold, held.head, place, false, NULL, condition,
                                   cm_bucket_value_(type, layout, place.bucket, place.slot), context);
        if (status == CM_OK) {
            if (old && type->anchored)
                *(void **)old = cm_bucket_value_(type, layout, place.bucket, place.slot);
            else if (old)
                memcpy(old, cm_bucket_value_(type, layout, place.bucket, place.slot), type->value_size);
            if (layout.nodes) {
                node = (struct cm_node_ *)(void *)cm_slot_node_(*cm_bucket_slot_(place.bucket, place.slot));
                cm_cached_removed_(type, map, (const char *)node);
            }
            bool gaps = !type->anchored && (held.unusual || (condition && cm_kept_any_(&held)));
            if (CM_UNLIKELY(gaps))
                cm_kept_remove_(type, &held);
            else
                cm_chain_remove_(type, layout, held.table, held.head, place);
            cm_map_dismiss_(map, 1);
        }
        cm_map_unlock_(type, map, pin.thread, &held, condition != NULL);
        if (type->cached && expired)
            cm_map_evicted_(map, type, expired, CM_EVICTED_EXPIRED);
    }
    if (status == CM_OK)
        cm_map_count_(map, pin.thread, -1);
    cm_pin_leave_(pin);
    if (node) {
        if (!old && !type->anchored)
            cm_value_destroy_(type, map, (char *)node + layout.node_value);
        cm_pool_retire_(&map->pool, &map->allocator, &map->waiters, pin.thread->index, node);
    }
    cm_map_lend_a_hand_(type, map);
    return status;
}

CM_END_DECLS

#endif
