/* The cold half of the generic map: making and unmaking, slow paths, and work on the whole map. */
#include <concmap/detail/map.h>

#include <concmap/detail/held.h>
#include <concmap/hash.h>

#include "platform.h"
#include "table.h"
#include "thread_registry.h"

#define KEPT_APART 64   /* overflow buckets of a fixed map beyond what its entries may need */
#define FIRST_ENTRIES 8 /* room in the first table of a map made without a capacity */

/* ---- making and unmaking ---- */

static struct cm_table_ *empty_table(void)
{
    return (struct cm_table_ *)(uintptr_t)&cm_empty_table_.header;
}

/* What a map is but for its table and its seed. */
static void map_begin(struct cm_map_ *map, const struct cm_type *type, const cm_config *config)
{
    struct cm_layout_ layout = cm_layout_of_(type);
    map->allocator = config->allocator ? *config->allocator : *cm_allocator_default();
    map->shrinks = config->shrink;
    map->limit = config->limit;
    if (config->fixed && (map->limit == 0 || map->limit > config->capacity))
        map->limit = config->capacity;
    map->fixed = config->fixed ? config->capacity : 0;
    map->budget = config->budget;
    map->context = map->pool.context = config->context;
    map->pool.node_size = layout.nodes ? layout.node_text : 0;
    map->pool.alignment = layout.node_alignment;
    map->pool.key = layout.node_key;
    map->pool.key_destroy = type->key_destroy;
    map->pool.value = layout.node_value;
    bool renews = type->anchored && !type->counted;
    map->pool.value_destroy = renews ? type->value_destroy : NULL;
    map->pool.cell = type->counted ? layout.node_value : 0;
    map->pool.plain =
        !type->key_text && !type->key_clone && !type->key_destroy && !map->pool.value_destroy && !type->counted;
    map->keeps = map->pool.keeps = renews && config->references == CM_KEEP;
    if (config->references == CM_DOMAIN)
        map->domain = config->domain ? config->domain : &cm_domain_;
    map->pool.domain = map->domain;
    cm_pool_begin_(&map->pool);
    cm_domain_use_(map->domain);
    cm_platform_lockfree_memory_(map, sizeof *map);
}

/* Overflow buckets for the worst hash: all entries in one chain. Guards may keep some places from use. */
static bool overflow_fix(struct cm_map_ *map, const struct cm_type *type, struct cm_table_ *table)
{
    struct cm_layout_ layout = cm_layout_of_(type);
    table->overflow_limit = UINT64_MAX; /* it never asks for growth */
    return cm_overflow_supply_(map, table, layout, map->fixed / layout.slots + KEPT_APART);
}

uint64_t cm_map_start_(struct cm_map_ *map, const struct cm_type *type)
{
    static const cm_config defaults;
    cm_waits_lock_(); /* any lock of all threads will do that a fork waits for */
    if (!cm_load_relaxed_(&map->seed)) {
        map_begin(map, type, &defaults);
        cm_platform_tsan_release_(&map->seed);
        cm_store_release_(&map->seed, cm_seed_random()); /* pairs with cm_map_seed_() */
    }
    cm_waits_unlock_();
    cm_platform_tsan_acquire_(&map->seed);
    return map->seed;
}

struct cm_map_ *cm_map_create_(const struct cm_type *type, const cm_config *config, unsigned layout_version,
                               size_t map_size, cm_status *status)
{
    const cm_allocator *allocator = config && config->allocator ? config->allocator : cm_allocator_default();
    struct cm_map_ *map = allocator->allocate(allocator->context, sizeof *map, CM_ALIGNOF(struct cm_map_));
    cm_status made = map ? cm_map_init_(map, type, config, layout_version, map_size) : CM_NOMEM;
    if (map && made != CM_OK) {
        allocator->deallocate(allocator->context, map, sizeof *map, CM_ALIGNOF(struct cm_map_));
        map = NULL;
    }
    if (map) {
        map->shares = 1;
        map->home = map->allocator;
    }
    if (status)
        *status = made;
    return map;
}

void cm_map_share_(struct cm_map_ *map)
{
    cm_add_relaxed_(&map->shares, 1); /* relaxed: who shares is a user already */
}

bool cm_map_unshare_(struct cm_map_ *map)
{
    cm_platform_tsan_release_(&map->shares);
    /* Release: what the others did comes before; acquire: for the last one. */
    if (cm_add_acq_rel_(&map->shares, (uint64_t)-1) != 1)
        return false;
    cm_platform_tsan_acquire_(&map->shares);
    return true;
}

void cm_map_release_(struct cm_map_ *map, const struct cm_type *type)
{
    if (!map || !cm_map_unshare_(map))
        return;
    cm_allocator allocator = map->home;
    cm_map_destroy_(map, type);
    allocator.deallocate(allocator.context, map, sizeof *map, CM_ALIGNOF(struct cm_map_));
}

cm_status cm_map_init_(struct cm_map_ *map, const struct cm_type *type, const cm_config *config,
                       unsigned layout_version, size_t map_size)
{
    static const cm_config defaults;
    if (!map || layout_version != CM_LAYOUT_VERSION_ || map_size != sizeof *map)
        return CM_INVALID;
    if (!config)
        config = &defaults;
    if ((config->budget && !type->cached) || (config->fixed && (config->capacity == 0 || cm_layout_has_nodes_(type))))
        return CM_INVALID;
    if ((config->references == CM_DOMAIN && (!type->anchored || type->counted)) ||
        (config->domain && config->references != CM_DOMAIN))
        return CM_INVALID;
    struct cm_layout_ layout = cm_layout_of_(type);
    memset(map, 0, sizeof *map);
    map->root = empty_table();
    map_begin(map, type, config);
    map->seed = config->seed ? config->seed : cm_seed_random();
    if (config->capacity == 0)
        return CM_OK;
    map->least_buckets = cm_table_buckets_for_(layout, config->capacity);
    struct cm_table_ *table = map->least_buckets ? cm_map_first_table_(map, type, config->capacity) : NULL;
    if (!table || (config->fixed && !overflow_fix(map, type, table))) {
        cm_map_destroy_(map, type);
        return CM_NOMEM;
    }
    return CM_OK;
}

struct cm_table_ *cm_map_first_table_(struct cm_map_ *map, const struct cm_type *type, size_t entries)
{
    struct cm_layout_ layout = cm_layout_of_(type);
    cm_map_seed_(type, map);
    struct cm_table_ *made =
        cm_table_make_(map, layout, cm_table_buckets_for_(layout, entries ? entries : FIRST_ENTRIES));
    if (!made)
        return NULL;
    struct cm_table_ *root = empty_table();
    cm_platform_tsan_release_(&map->root);
    /* Publishes the table. Of two makers one wins. */
    if (cm_swap_if_acq_rel_(&map->root, &root, made))
        return made;
    cm_platform_tsan_acquire_(&map->root);
    cm_table_free_(map, made);
    return root;
}

static struct cm_node_ *node_at(char *bucket, unsigned slot)
{
    return (struct cm_node_ *)(void *)cm_slot_node_(*cm_bucket_slot_(bucket, slot));
}

/* What the entries of a table own; the map is not in use. */
static void table_drop_entries(struct cm_map_ *map, const struct cm_type *type, struct cm_table_ *table)
{
    struct cm_layout_ layout = cm_layout_of_(type);
    for (uint64_t index = 0; index <= table->mask; index++) {
        char *bucket = cm_table_bucket_(table, layout, index);
        uint64_t state = *cm_bucket_state_(bucket);
        if (state & CM_MOVED_)
            continue;
        for (;;) {
            for (unsigned mask = cm_state_occupied_(state); mask; mask &= mask - 1) {
                struct cm_node_ *node = node_at(bucket, (unsigned)__builtin_ctz(mask));
                cm_value_destroy_(type, map, (char *)node + layout.node_value);
                cm_pool_free_key_(&map->pool, &map->allocator, node);
            }
            if (!(state & CM_CHAINED_))
                break;
            bucket = *cm_bucket_link_(bucket, layout);
            state = *cm_bucket_state_(bucket);
        }
    }
}

/* Calls `visit` for each bucket that holds entries of the map: the first not MOVED on the way of its keys. */
typedef cm_status visit_bucket(struct cm_map_ *map, const struct cm_type *type, struct cm_table_ *table, char *head,
                               uint64_t index, void *context);

static bool bucket_is_reached(const struct cm_table_ *before, struct cm_layout_ layout, uint64_t index)
{
    return !before || (cm_load_acquire_(cm_bucket_state_(cm_table_bucket_(before, layout, index))) & CM_MOVED_);
}

/* Locks a bucket; one in which the calling thread holds something is CM_DEADLOCK. */
static int visit_lock(struct cm_map_ *map, const struct cm_type *type, char *head, cm_deadline deadline)
{
    uint64_t *cell = cm_bucket_state_(head);
    struct cm_wait_ wait = {&map->waiters, deadline, CM_WAIT_REPORTS_};
    struct cm_thread_ *thread = cm_thread_get_();
    const struct cm_hold_ *own = cm_hold_any_(thread) ? cm_hold_find_(thread, cell) : NULL;
    if (own) {
        cm_hold_tell_(thread, own);
        return CM_DEADLOCK;
    }
    int got = cm_bucket_lock_(type, map, head, &wait);
    cm_platform_tsan_acquire_(cell);
    return got;
}

/* Visits with each bucket held exclusively. Pinned by the caller. */
static cm_status map_visit(struct cm_map_ *map, const struct cm_type *type, visit_bucket *visit, void *context,
                           cm_deadline deadline)
{
    struct cm_layout_ layout = cm_layout_of_(type);
    const struct cm_table_ *before = NULL;
    struct cm_table_ *table = cm_load_acquire_(&map->root);
    if (cm_table_is_empty_(table))
        return CM_OK;
    for (; table; before = table, table = cm_load_acquire_(&table->next)) {
        for (uint64_t index = 0; index <= table->mask; index++) {
            char *head = cm_table_bucket_(table, layout, index);
            uint64_t *cell = cm_bucket_state_(head);
            if (!bucket_is_reached(before, layout, index))
                continue;
            int got = visit_lock(map, type, head, deadline);
            if (got == CM_GOT_MOVED_)
                continue;
            if (got < 0)
                return (cm_status)got;
            if (cm_load_relaxed_(cell) & CM_UNTIDY_ && !(cm_load_relaxed_(cell) & (CM_DIED_ | CM_READERS_)))
                cm_chain_tidy_(type, table, head);
            cm_status status = visit(map, type, table, head, index, context);
            cm_platform_tsan_release_(cell);
            cm_cell_unlock_(cell, cm_load_relaxed_(cell), &map->waiters);
            if (status < 0)
                return status;
        }
    }
    return CM_OK;
}

/* Frees tables that nobody looks at any more. */
static void tables_free(struct cm_map_ *map, struct cm_table_ **list)
{
    for (struct cm_table_ *table = *list, *next; table; table = next) {
        next = table->retired_next;
        cm_table_free_(map, table);
    }
    *list = NULL;
}

/* Also what anchored maps keep; nobody is in the map, nor has a reference. */
void cm_map_release_kept_(struct cm_map_ *map)
{
    if (!map->keeps)
        return;
    cm_pool_release_kept_(&map->pool, &map->allocator, &map->waiters);
    tables_free(map, &map->dead);
}

void cm_map_destroy_(struct cm_map_ *map, const struct cm_type *type)
{
    struct cm_table_ *table = map->root;
    if (cm_table_is_empty_(table))
        table = NULL;
    if (type->key_text || type->key_destroy || type->value_destroy)
        for (struct cm_table_ *t = table; t; t = t->next)
            table_drop_entries(map, type, t);
    while (table) {
        struct cm_table_ *next = table->next;
        cm_table_free_(map, table);
        table = next;
    }
    tables_free(map, &map->retired);
    tables_free(map, &map->dead);
    cm_holds_bury_all_(&map->waiters);
    cm_marks_destroy_(map);
    cm_makers_destroy_(map);
    cm_pool_destroy_(&map->pool, &map->allocator);
    cm_per_thread_destroy_(&map->counts, &map->allocator, CM_APART);
    map->root = empty_table();
    map->other_count = 0;
    cm_domain_unuse_(map->domain);
    map->domain = NULL;
}

/* ---- slow paths ---- */

/* Makes the map's own copy of a key that owns memory. */
static bool key_copy(struct cm_map_ *map, const struct cm_type *type, void *to, const void *key)
{
    if (type->key_clone)
        return type->key_clone(to, key, map->context) >= 0;
    cm_str *text = to;
    size_t size = ((const cm_str *)key)->len;
    char *copy = cm_pool_text_(&map->pool, &map->allocator, size);
    if (!copy)
        return false;
    memcpy(copy, ((const cm_str *)key)->data, size);
    *text = cm_str_from(copy, size);
    return true;
}

/* Makes a node with a key that owns memory. */
static bool node_prepare(struct cm_map_ *map, const struct cm_type *type, const void *key, uint64_t hash,
                         struct cm_supply_ *supply)
{
    struct cm_node_ *node = cm_pool_take_(&map->pool, supply->cache, 0, 0);
    if (!key_copy(map, type, (char *)node + cm_layout_of_(type).node_key, key)) {
        cm_pool_give_back_(&map->pool, supply->cache, node);
        return false;
    }
    node->header = (hash & CM_ADDRESS_MASK_) | CM_NODE_LONG_;
    cm_cached_begin_(type, (char *)node);
    supply->prepared = node;
    return true;
}

bool cm_map_supply_(struct cm_map_ *map, const struct cm_type *type, struct cm_table_ *table, const void *key,
                    uint64_t hash, struct cm_supply_ *supply)
{
    struct cm_layout_ layout = cm_layout_of_(type);
    if (layout.nodes && !supply->prepared) {
        size_t node_class = cm_text_class_(cm_key_text_size_(type, key));
        if (!cm_pool_supply_(&map->pool, &map->allocator, &map->waiters, supply->cache, node_class) ||
            (cm_key_owns_(type, key) && !node_prepare(map, type, key, hash, supply)))
            return false;
    }
    return cm_overflow_has_(table, 1) || (!map->fixed && cm_overflow_supply_(map, table, layout, 1));
}

/* A node with its own copy of the key, of the calling thread's cache. */
struct cm_node_ *cm_map_node_(struct cm_map_ *map, const struct cm_type *type, struct cm_pool_cache_ *cache,
                              const void *key, uint64_t hash)
{
    struct cm_supply_ supply = {.cache = cache};
    size_t node_class = cm_text_class_(cm_key_text_size_(type, key));
    if (!cm_pool_supply_(&map->pool, &map->allocator, &map->waiters, cache, node_class) ||
        (cm_key_owns_(type, key) && !node_prepare(map, type, key, hash, &supply)))
        return NULL;
    return (struct cm_node_ *)(void *)cm_supply_node_(type, map, key, hash, &supply);
}

void cm_supply_end_(struct cm_map_ *map, const struct cm_thread_ *thread, const struct cm_supply_ *supply)
{
    if (supply->prepared) {
        cm_pool_free_key_(&map->pool, &map->allocator, supply->prepared);
        cm_pool_give_back_(&map->pool, supply->cache, supply->prepared);
    }
    if (supply->discarded)
        cm_pool_retire_(&map->pool, &map->allocator, &map->waiters, thread->index, supply->discarded);
}

/* A thread reads through its own locks. */
cm_status cm_map_get_slow_(struct cm_map_ *map, const struct cm_type *type, struct cm_table_ *table, const void *key,
                           uint64_t hash, void *value, cm_deadline deadline)
{
    struct cm_wait_ wait = {&map->waiters, deadline, deadline != CM_FOREVER ? CM_WAIT_REPORTS_ : 0};
    struct cm_layout_ layout = cm_layout_of_(type);
    for (; table; table = cm_load_acquire_(&table->next)) {
        char *head = cm_table_bucket_(table, layout, hash);
        uint64_t *cell = cm_bucket_state_(head);
        int got = cm_cell_wait_(cell, false, &wait);
        if (got == CM_GOT_MOVED_)
            continue;
        if (got < 0)
            return (cm_status)got;
        char *tail;
        struct cm_place_ place = cm_chain_find_(type, layout, head, key, hash, &tail);
        cm_status status = cm_place_copy_(type, map, place, value);
        if (got != CM_GOT_NESTED_)
            cm_cell_unshare_hidden_(cell, &map->waiters);
        return status;
    }
    return CM_ABSENT;
}

/* ---- length ---- */

void cm_map_count_slow_(struct cm_map_ *map, struct cm_thread_ *thread, int64_t difference)
{
    struct cm_count_ *count =
        map->fixed ? NULL : cm_per_thread_make_(&map->counts, &map->allocator, thread->index, CM_APART);
    if (count) {
        cm_count_add_(map, count, difference);
    } else {
        cm_add_relaxed_(&map->other_count, difference);
        cm_map_want_work_(map); /* it may be sparse */
    }
}

size_t cm_map_len_(const struct cm_map_ *map)
{
    int64_t len = cm_load_relaxed_(&map->other_count) + cm_per_thread_sum_(&map->counts, CM_APART);
    return len > 0 ? (size_t)len : 0; /* a sum taken while others count may be off, but not negative */
}

/* ---- the whole map ---- */

struct cleared {
    struct cm_node_ *nodes; /* by the header */
    int64_t count;
};

static void cleared_add_bucket(struct cm_map_ *map, const struct cm_type *type, struct cleared *cleared, char *bucket,
                               unsigned occupied)
{
    struct cm_layout_ layout = cm_layout_of_(type);
    for (unsigned mask = occupied; layout.nodes && mask; mask &= mask - 1) {
        struct cm_node_ *node = node_at(bucket, (unsigned)__builtin_ctz(mask));
        cm_cached_removed_(type, map, (const char *)node);
        node->header = (node->header & ~CM_ADDRESS_MASK_) | (uint64_t)(uintptr_t)cleared->nodes;
        cleared->nodes = node;
        if (type->anchored)
            cm_bucket_set_slot_(bucket, (unsigned)__builtin_ctz(mask), 0);
    }
    cleared->count += __builtin_popcount(occupied);
}

static cm_status bucket_clear(struct cm_map_ *map, const struct cm_type *type, struct cm_table_ *table, char *head,
                              uint64_t index, void *context)
{
    (void)index;
    struct cm_layout_ layout = cm_layout_of_(type);
    struct cleared *cleared = context;
    int64_t before = cleared->count;
    uint64_t state = cm_load_relaxed_(cm_bucket_state_(head));
    char *bucket = head;
    for (uint64_t look = state;;) {
        cleared_add_bucket(map, type, cleared, bucket, cm_state_occupied_(look));
        char *link = look & CM_CHAINED_ ? *cm_bucket_link_(bucket, layout) : NULL;
        if (bucket != head)
            cm_overflow_give_(table, layout.bucket, bucket);
        if (!link)
            break;
        bucket = link;
        look = cm_load_relaxed_(cm_bucket_state_(bucket));
    }
    cm_map_dismiss_(map, (size_t)(cleared->count - before));
    for (struct cm_hold_ *died; (died = cm_hold_next_died_(cm_bucket_state_(head), NULL)) != NULL && state & CM_DIED_;)
        cm_hold_bury_(died);
    cm_bucket_flip_(head, state & (CM_OCCUPIED_ | CM_CHAINED_ | CM_UNUSUAL_));
    return CM_OK;
}

cm_status cm_map_clear_(struct cm_map_ *map, const struct cm_type *type, cm_deadline deadline)
{
    struct cleared cleared = {NULL, 0};
    struct cm_pin_ pin = cm_pin_enter_of_(map->domain);
    cm_status status = map_visit(map, type, bucket_clear, &cleared, deadline);
    if (cleared.count)
        cm_map_count_(map, pin.thread, -cleared.count);
    cm_map_want_work_(map);
    cm_pin_leave_(pin);
    while (cleared.nodes) {
        struct cm_node_ *node = cleared.nodes;
        cleared.nodes = (struct cm_node_ *)(uintptr_t)(node->header & CM_ADDRESS_MASK_);
        if (!type->anchored)
            cm_value_destroy_(type, map, (char *)node + cm_layout_of_(type).node_value);
        cm_pool_retire_(&map->pool, &map->allocator, &map->waiters, pin.thread->index, node);
    }
    return status;
}

cm_status cm_map_reserve_(struct cm_map_ *map, const struct cm_type *type, size_t entries)
{
    uint64_t buckets = cm_table_buckets_for_(cm_layout_of_(type), entries);
    if (buckets == 0)
        return CM_NOMEM;
    cm_map_seed_(type, map);
    if (map->fixed)
        return entries > map->fixed ? CM_FULL : CM_OK;
    if (buckets > cm_load_relaxed_(&map->least_buckets)) /* relaxed: of two that ask at once either will do */
        cm_store_relaxed_(&map->least_buckets, buckets);
    struct cm_pin_ pin = cm_pin_enter_of_(map->domain);
    cm_status status = CM_OK;
    if (cm_table_is_empty_(cm_load_acquire_(&map->root)))
        status = cm_map_first_table_(map, type, entries) ? CM_OK : CM_NOMEM;
    while (status == CM_OK && (status = cm_map_grow_(map, type, buckets)) == CM_BUSY) {
        cm_spin_hint_();
        status = CM_OK;
    }
    cm_pin_leave_(pin);
    if (status == CM_OK)
        cm_map_settle_(map, type); /* busy: writers finish it */
    return status;
}

/* ---- checking ---- */

struct check {
    const char *reason;
    uint64_t entries;
};

/* Checks one bucket of a chain; returns the reason why it is wrong, or NULL. */
static const char *bucket_reason(struct cm_map_ *map, const struct cm_type *type, struct cm_table_ *table, char *head,
                                 char *bucket, uint64_t index)
{
    struct cm_layout_ layout = cm_layout_of_(type);
    uint64_t state = cm_load_relaxed_(cm_bucket_state_(bucket));
    unsigned occupied = cm_state_occupied_(state);
    bool tidy = !type->anchored && !(cm_load_relaxed_(cm_bucket_state_(head)) & CM_UNTIDY_);
    if (occupied >> layout.slots)
        return "T2: more entries than slots";
    if (tidy && (occupied & (occupied + 1)))
        return "T2: a gap among the occupied slots of a bucket";
    if (tidy && (state & CM_CHAINED_) && cm_occupied_count_(occupied) != layout.slots)
        return "T2: a bucket with a link is not full";
    if (tidy && bucket != head && occupied == 0)
        return "T2: an empty overflow bucket";
    for (unsigned mask = occupied; mask; mask &= mask - 1) {
        unsigned slot = (unsigned)__builtin_ctz(mask);
        const void *key = cm_place_key_(type, (struct cm_place_){bucket, slot});
        uint64_t hash = type->hash(key, map->seed);
        if ((hash & table->mask) != index)
            return "T1: an entry in a bucket of another hash";
        char *tail;
        struct cm_place_ place = cm_chain_find_(type, layout, head, key, hash, &tail);
        if (place.bucket != bucket || place.slot != slot)
            return "T1: a key twice in one chain, or not found by its own hash";
    }
    return NULL;
}

static cm_status bucket_check(struct cm_map_ *map, const struct cm_type *type, struct cm_table_ *table, char *head,
                              uint64_t index, void *context)
{
    struct check *check = context;
    struct cm_layout_ layout = cm_layout_of_(type);
    for (char *bucket = head;;) {
        uint64_t state = cm_load_relaxed_(cm_bucket_state_(bucket));
        check->reason = bucket_reason(map, type, table, head, bucket, index);
        if (check->reason)
            return CM_CORRUPT;
        check->entries += (unsigned)__builtin_popcount(cm_state_occupied_(state));
        if (!(state & CM_CHAINED_))
            return CM_OK;
        bucket = *cm_bucket_link_(bucket, layout);
    }
}

cm_status cm_map_check_(struct cm_map_ *map, const struct cm_type *type, const char **reason)
{
    struct check check = {NULL, 0};
    size_t before = cm_map_len_(map);
    struct cm_pin_ pin = cm_pin_enter_of_(map->domain);
    cm_status status = map_visit(map, type, bucket_check, &check, CM_FOREVER);
    cm_pin_leave_(pin);
    /* Only where nobody wrote meanwhile can the two agree. */
    if (status == CM_OK && check.entries != before && cm_map_len_(map) == before &&
        cm_load_relaxed_(&map->waiters.count) == 0) {
        check.reason = "the length differs from the number of entries (or writers ran)";
        status = CM_CORRUPT;
    }
    if (reason)
        *reason = check.reason;
    return status;
}
