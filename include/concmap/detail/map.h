/* The generic map over bucket tables, of which sharded and anchored maps are made: what it is, counting, and reading.
 *
 * Every function takes the type's descriptor first; see type.h. Locking a bucket is held.h, changing an entry write.h.
 */
#ifndef CONCMAP_DETAIL_MAP_H
#define CONCMAP_DETAIL_MAP_H

#include <concmap/config.h>
#include <concmap/detail/hold.h>
#include <concmap/detail/table.h>
#include <concmap/figures.h>

CM_BEGIN_DECLS

/* Changes whenever the layout of what headers and library share changes: a program runs only with a library of its own
 * version. */
#define CM_LAYOUT_VERSION_ 6

/* What a thread has done to a map's length. */
struct cm_count_ {
    int64_t added;   /* less those removed; first: cm_per_thread_sum_() */
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
    cm_status failure;          /* why a writer could not copy a bucket */
    const struct cm_type *type; /* the map's own: images outlive the calls, and types, of writers that make them */
    struct cm_image_ *pending;  /* of marked buckets that are being changed */
    struct cm_image_ *images;   /* made by writers, and part of the snapshot */
    struct cm_image_ *dropped;  /* to be given back by who has the turn */
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
CM_API CM_COLD void cm_supply_end_(struct cm_map_ *map, const struct cm_thread_ *thread,
                                   const struct cm_supply_ *supply);

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
CM_API CM_COLD bool cm_kept_any_(char *head);
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

CM_END_DECLS

#endif
