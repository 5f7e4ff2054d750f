/* Tables and their overflow buckets. */
#include <concmap/detail/table.h>

#include "platform.h"
#include "table.h"

#define GIVE_BACK ((size_t)2 << 20) /* bytes of a dead table that one call gives back */
#define OVERFLOW_FIRST 4
#define OVERFLOW_MOST 4096

/* Overflow buckets of one allocation. */
struct cm_overflow_chunk_ {
    struct cm_overflow_chunk_ *next;
    struct cm_block_ block;
} __attribute__((aligned(CM_LINE)));

const struct cm_empty_table_ cm_empty_table_ = {.bucket = {CM_MOVED_}};

/* Buckets of the node form are meant for four of their six slots, of which one in nine overflows; growth begins when
 * one in eight has. With half an entry less a capacity that is a power of two would take twice the buckets. */
enum { NODES_A_BUCKET = 4, NODES_OVERFLOW = 8 };

uint64_t cm_table_capacity_(struct cm_layout_ layout, uint64_t buckets)
{
    return layout.nodes ? buckets * NODES_A_BUCKET : buckets * (layout.slots + 1) / 2;
}

uint64_t cm_table_buckets_for_(struct cm_layout_ layout, size_t entries)
{
    if (entries > (SIZE_MAX >> 1) / layout.bucket)
        return 0;
    uint64_t buckets = 1;
    while (cm_table_capacity_(layout, buckets) < entries)
        buckets *= 2;
    return buckets;
}

struct cm_table_ *cm_table_make_(struct cm_map_ *map, struct cm_layout_ layout, uint64_t buckets)
{
    struct cm_block_ block;
    if (buckets > (SIZE_MAX >> 1) / layout.bucket ||
        !cm_block_allocate_(&map->allocator, CM_TABLE_HEADER_ + buckets * layout.bucket, CM_APART, true, &block))
        return NULL;
    struct cm_table_ *table = block.address;
    memset(table, 0, CM_TABLE_HEADER_);
    table->mask = buckets - 1;
    table->overflow_limit = 1 + buckets / (layout.nodes ? NODES_OVERFLOW : 2 * layout.slots);
    table->waiters = &map->waiters;
    table->rescanned_at = UINT64_MAX;
    table->block = block;
    cm_add_relaxed_(&map->table_bytes, block.size);
    return table;
}

static void chunks_free(struct cm_map_ *map, struct cm_table_ *table)
{
    while (table->overflow_chunks) {
        struct cm_block_ block = table->overflow_chunks->block;
        table->overflow_chunks = table->overflow_chunks->next;
        cm_sub_relaxed_(&map->table_bytes, block.size);
        cm_block_release_(&map->allocator, &block);
    }
}

bool cm_table_free_part_(struct cm_map_ *map, struct cm_table_ *table)
{
    chunks_free(map, table);
    struct cm_block_ block = table->block;
    size_t given;
    bool gone = cm_block_release_part_(&map->allocator, &block, GIVE_BACK, &given);
    cm_sub_relaxed_(&map->table_bytes, given);
    if (!gone)
        table->block = block;
    return gone;
}

bool cm_table_empty_part_(struct cm_map_ *map, struct cm_table_ *table)
{
    size_t offset = table->looked ? table->looked : CM_TABLE_HEADER_;
    size_t end = (offset / GIVE_BACK + 1) * GIVE_BACK; /* whole huge pages, but for the first one */
    size_t given = cm_block_empty_(&table->block, offset, end - offset);
    table->emptied += given;
    cm_sub_relaxed_(&map->table_bytes, given);
    table->looked = end;
    return table->looked >= table->block.size;
}

void cm_table_free_(struct cm_map_ *map, struct cm_table_ *table)
{
    chunks_free(map, table);
    cm_sub_relaxed_(&map->table_bytes, table->block.size - table->emptied);
    cm_block_release_(&map->allocator, &table->block);
}

/* ---- overflow buckets ---- */

static void overflow_lock(struct cm_table_ *table)
{
    cm_cell_lock_(&table->overflow_lock, table->waiters);
    cm_platform_tsan_acquire_(&table->overflow_lock);
}

static void overflow_unlock(struct cm_table_ *table)
{
    cm_platform_tsan_release_(&table->overflow_lock);
    cm_cell_unlock_(&table->overflow_lock, cm_load_relaxed_(&table->overflow_lock), table->waiters);
}

static char **link_of(char *bucket, size_t bucket_size)
{
    return (char **)(void *)(bucket + bucket_size - sizeof(char *));
}

/* The links of free buckets are atomic because readers may be led astray to them (T5). */
static void free_push(struct cm_table_ *table, size_t bucket_size, char *bucket)
{
    cm_store_relaxed_(link_of(bucket, bucket_size), table->overflow_free);
    table->overflow_free = bucket;
}

static char *free_pop(struct cm_table_ *table, size_t bucket_size)
{
    char *bucket = table->overflow_free;
    table->overflow_free = cm_load_relaxed_(link_of(bucket, bucket_size));
    return bucket;
}

bool cm_overflow_has_(const struct cm_table_ *table, uint64_t wanted)
{
    return cm_load_relaxed_(&table->overflow_ready) >= wanted;
}

/* Makes a chunk the newest one. What is left of the one before, less than a caller wanted, becomes free buckets. */
static void overflow_add(struct cm_table_ *table, size_t bucket_size, struct cm_overflow_chunk_ *chunk, uint64_t count)
{
    for (uint64_t rest = table->overflow_fresh_count; rest > 0; rest--, table->overflow_fresh += bucket_size)
        free_push(table, bucket_size, table->overflow_fresh);
    chunk->next = table->overflow_chunks;
    table->overflow_chunks = chunk;
    table->overflow_fresh = (char *)(chunk + 1);
    table->overflow_fresh_count = count;
    cm_store_relaxed_(&table->overflow_ready, table->overflow_ready + count);
}

bool cm_overflow_supply_(struct cm_map_ *map, struct cm_table_ *table, struct cm_layout_ layout, uint64_t least)
{
    uint64_t count = cm_table_buckets_(table) / 64;
    count = count < OVERFLOW_FIRST ? OVERFLOW_FIRST : count > OVERFLOW_MOST ? OVERFLOW_MOST : count;
    count = count < least ? least : count;
    struct cm_block_ block;
    if (!cm_block_allocate_(&map->allocator, sizeof(struct cm_overflow_chunk_) + count * layout.bucket, 64,
                            layout.nodes, &block))
        return cm_overflow_has_(table, least); /* by now, for others supply, too */
    struct cm_overflow_chunk_ *chunk = block.address;
    *chunk = (struct cm_overflow_chunk_){.block = block};
    overflow_lock(table);
    bool wanted = !cm_overflow_has_(table, least);
    if (wanted)
        overflow_add(table, layout.bucket, chunk, count);
    overflow_unlock(table);
    if (wanted)
        cm_add_relaxed_(&map->table_bytes, block.size);
    else
        cm_block_release_(&map->allocator, &block);
    return true;
}

char *cm_overflow_take_(struct cm_table_ *table, size_t bucket_size)
{
    char *bucket = NULL;
    overflow_lock(table);
    if (table->overflow_free) {
        bucket = free_pop(table, bucket_size);
    } else if (table->overflow_fresh_count > 0) {
        bucket = table->overflow_fresh;
        table->overflow_fresh += bucket_size;
        table->overflow_fresh_count--;
    }
    if (bucket) {
        cm_store_relaxed_(&table->overflow_ready, table->overflow_ready - 1);
        cm_store_relaxed_(&table->overflowed, table->overflowed + 1);
    }
    overflow_unlock(table);
    /* Release: a reader who is led here from the bucket's last chain sees it empty, or is told by that chain's head. */
    if (bucket)
        cm_store_release_(cm_bucket_state_(bucket), 0);
    return bucket;
}

void cm_overflow_give_(struct cm_table_ *table, size_t bucket_size, char *bucket)
{
    overflow_lock(table);
    free_push(table, bucket_size, bucket);
    cm_store_relaxed_(&table->overflow_ready, table->overflow_ready + 1);
    cm_store_relaxed_(&table->overflowed, table->overflowed - 1);
    overflow_unlock(table);
}
