/* Figures of a map: memory, and what its tables look like. Nothing is locked: states are read as look-ups read them. */
#include <concmap/detail/map.h>

#include "table.h"

#define LOOKS 3 /* at a chain that is being changed; the last one counts */

cm_memory cm_map_memory_(const struct cm_map_ *map)
{
    cm_memory memory;
    size_t waiting_nodes = cm_pool_waiting_(&map->pool);
    memory.waiting_tables = cm_load_relaxed_(&map->waiting_bytes);
    memory.waiting = memory.waiting_tables + waiting_nodes;
    size_t tables = cm_load_relaxed_(&map->table_bytes);
    memory.table = tables > memory.waiting_tables ? tables - memory.waiting_tables : 0;
    size_t nodes = cm_load_relaxed_(&map->pool.chunk_bytes);
    memory.nodes = nodes > waiting_nodes ? nodes - waiting_nodes : 0; /* the two are not of one moment */
    memory.threads = cm_per_thread_bytes_(&map->counts, CM_APART) + cm_pool_cache_bytes_(&map->pool);
    memory.total = memory.table + memory.nodes + memory.waiting + memory.threads;
    return memory;
}

struct chain {
    size_t buckets;
    size_t entries[CM_STATS_DEPTH]; /* of its first bucket, its second, ... */
};

static size_t depth_of(size_t buckets_before)
{
    return buckets_before < CM_STATS_DEPTH ? buckets_before : CM_STATS_DEPTH - 1;
}

/* Looks at a chain of `most` buckets at most. False: it changed meanwhile. A link that is not confirmed leads to a
 * bucket of the same table in any case (T5), or to none. */
static bool chain_look(struct cm_layout_ layout, char *head, size_t most, struct chain *chain)
{
    /* Acquire, here and below: as in cm_chain_read_(). */
    const uint64_t state = cm_load_acquire_(cm_bucket_state_(head));
    uint64_t look = state;
    *chain = (struct chain){0, {0}};
    for (char *bucket = head;; look = cm_load_acquire_(cm_bucket_state_(bucket))) {
        chain->entries[depth_of(chain->buckets)] += (size_t)__builtin_popcount(cm_state_occupied_(look));
        chain->buckets++;
        if (!(look & CM_CHAINED_) || chain->buckets >= most)
            return cm_cell_unchanged_(cm_bucket_state_(head), state);
        bucket = cm_load_acquire_(cm_bucket_link_(bucket, layout));
        if (!bucket || !cm_cell_unchanged_(cm_bucket_state_(head), state))
            return false;
    }
}

static void chain_add(cm_stats *stats, const struct chain *chain)
{
    stats->buckets++;
    stats->empty_buckets += chain->entries[0] == 0 && chain->buckets == 1;
    stats->overflow_buckets += chain->buckets - 1;
    stats->chains[depth_of(chain->buckets - 1)]++;
    for (size_t i = 0; i < CM_STATS_DEPTH; i++)
        stats->probes[i] += chain->entries[i];
}

static bool has_moved(const struct cm_table_ *table, struct cm_layout_ layout, uint64_t index)
{
    return cm_load_acquire_(cm_bucket_state_(cm_table_bucket_(table, layout, index))) & CM_MOVED_;
}

/* Adds the buckets that keys belong to: those not MOVED that are reached, see (T1). */
static void table_add(cm_stats *stats, struct cm_layout_ layout, const struct cm_table_ *table,
                      const struct cm_table_ *before)
{
    size_t most = (size_t)cm_load_relaxed_(&table->overflowed) + 1; /* no chain is longer */
    for (uint64_t index = 0; index <= table->mask; index++) {
        struct chain chain;
        if (has_moved(table, layout, index) || (before && !has_moved(before, layout, index)))
            continue;
        for (unsigned looks = LOOKS;
             looks > 0 && !chain_look(layout, cm_table_bucket_(table, layout, index), most, &chain); looks--)
            cm_spin_hint_();
        chain_add(stats, &chain);
    }
}

/* The tables of a map from `root` on; pinned by the caller. */
static void tables_add(cm_stats *stats, struct cm_layout_ layout, const struct cm_table_ *root)
{
    const struct cm_table_ *before = NULL, *next;
    for (const struct cm_table_ *table = root; table; before = table, table = next) {
        next = cm_load_acquire_(&table->next);
        stats->tables++;
        stats->capacity = cm_table_capacity_(layout, cm_table_buckets_(table));
        if (next)
            stats->moves_pending += cm_table_buckets_(table) - cm_load_relaxed_(&table->moved);
        table_add(stats, layout, table, before);
    }
}

void cm_map_stats_(const struct cm_map_ *map, const struct cm_type *type, cm_stats *stats)
{
    struct cm_layout_ layout = cm_layout_of_(type);
    memset(stats, 0, sizeof *stats);
    stats->entries = cm_map_len_(map);
    stats->slots = layout.slots;
    stats->memory = cm_map_memory_(map);
    stats->grows = cm_load_relaxed_(&map->grows);
    stats->shrinks = cm_load_relaxed_(&map->shrinkages);
    stats->waits_counted = cm_waiters_figures_(&map->waiters, &stats->waits, &stats->longest_wait);
    struct cm_pin_ pin = cm_pin_enter_of_(map->domain);
    const struct cm_table_ *root = cm_load_acquire_(&map->root); /* as in cm_map_glance_() */
    if (!cm_table_is_empty_(root))
        tables_add(stats, layout, root);
    cm_pin_leave_(pin);
    if (map->fixed)
        stats->capacity = map->fixed;
    if (stats->buckets)
        stats->load = (double)stats->entries / (double)(stats->buckets * layout.slots);
}
