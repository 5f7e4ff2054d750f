/* Tables and their overflow buckets. */
#include <concmap/detail/table.h>

#include "platform.h"
#include "table.h"

#define GIVE_BACK ((size_t)2 << 20) /* bytes of a dead table that one call gives back */
#define OVERFLOW_FIRST 4
#define OVERFLOW_MOST 4096

/* Buckets of one allocation, handed out in order; those given back go to the table's free stack. */
struct cm_overflow_chunk_ {
    struct cm_overflow_chunk_ *next;
    struct cm_block_ block;
    char *buckets;
    uint64_t count;
    uint64_t taken; /* may run past count */
} __attribute__((aligned(CM_LINE)));

const struct cm_empty_table_ cm_empty_table_ = {.bucket = {CM_MOVED_}};

uint64_t cm_table_capacity_(struct cm_layout_ layout, uint64_t buckets)
{
    return buckets * (layout.slots + 1) / 2;
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
    table->overflow_limit = 1 + buckets / (2 * layout.slots);
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

void cm_table_free_(struct cm_map_ *map, struct cm_table_ *table)
{
    chunks_free(map, table);
    struct cm_block_ block = table->block;
    cm_sub_relaxed_(&map->table_bytes, block.size);
    cm_block_release_(&map->allocator, &block);
}

bool cm_overflow_has_(const struct cm_table_ *table, uint64_t wanted)
{
    const struct cm_overflow_chunk_ *chunk = cm_load_acquire_(&table->overflow_chunks);
    return chunk && cm_load_relaxed_(&chunk->taken) + wanted <= chunk->count;
}

bool cm_overflow_supply_(struct cm_map_ *map, struct cm_table_ *table, struct cm_layout_ layout, uint64_t least)
{
    uint64_t count = cm_table_buckets_(table) / 64;
    count = count < OVERFLOW_FIRST ? OVERFLOW_FIRST : count > OVERFLOW_MOST ? OVERFLOW_MOST : count;
    count = count < least ? least : count;
    struct cm_block_ block;
    if (!cm_block_allocate_(&map->allocator, sizeof(struct cm_overflow_chunk_) + count * layout.bucket, 64, false,
                            &block))
        return false;
    struct cm_overflow_chunk_ *chunk = block.address;
    *chunk = (struct cm_overflow_chunk_){.block = block, .buckets = (char *)(chunk + 1), .count = count};
    cm_add_relaxed_(&map->table_bytes, block.size);
    cm_platform_tsan_release_(&table->overflow_chunks);
    chunk->next = cm_load_relaxed_(&table->overflow_chunks);
    while (!cm_swap_if_release_(&table->overflow_chunks, &chunk->next, chunk)) /* pairs with chunk_take() */
        ;
    return true;
}

static char **link_of(char *bucket, size_t bucket_size)
{
    return (char **)(void *)(bucket + bucket_size - sizeof(char *));
}

static char *chunk_take(struct cm_table_ *table, size_t bucket_size)
{
    struct cm_overflow_chunk_ *chunk = cm_load_acquire_(&table->overflow_chunks);
    if (!chunk || cm_load_relaxed_(&chunk->taken) >= chunk->count)
        return NULL;
    cm_platform_tsan_acquire_(&table->overflow_chunks);
    uint64_t index = cm_add_relaxed_(&chunk->taken, 1); /* relaxed: only its uniqueness counts */
    return index < chunk->count ? chunk->buckets + index * bucket_size : NULL;
}

/* Pops from the stack of buckets given back. Only one thread pops at a time, so a bucket that was the top cannot have
 * left and come back in between; whoever finds another popping takes from the chunk instead. */
static char *stack_pop(struct cm_table_ *table, size_t bucket_size)
{
    if (!cm_load_relaxed_(&table->overflow_free) || cm_exchange_acquire_(&table->overflow_popping, 1))
        return NULL;
    /* Acquire: the link below was written before the push. */
    char *top = cm_load_acquire_(&table->overflow_free);
    while (top && !cm_swap_if_acq_rel_(&table->overflow_free, &top, cm_load_relaxed_(link_of(top, bucket_size))))
        ;
    cm_platform_tsan_acquire_(&table->overflow_free);
    cm_store_release_(&table->overflow_popping, 0);
    return top;
}

char *cm_overflow_take_(struct cm_table_ *table, size_t bucket_size)
{
    char *bucket = stack_pop(table, bucket_size);
    if (!bucket)
        bucket = chunk_take(table, bucket_size);
    if (bucket) {
        /* Release: a reader who is led here from the bucket's last chain sees it empty, or is told by that chain's
         * head. */
        cm_store_release_(cm_bucket_state_(bucket), 0);
        cm_add_relaxed_(&table->overflowed, 1); /* relaxed: a figure */
    }
    return bucket;
}

void cm_overflow_give_(struct cm_table_ *table, size_t bucket_size, char *bucket)
{
    cm_sub_relaxed_(&table->overflowed, 1);
    cm_platform_tsan_release_(&table->overflow_free);
    char *top = cm_load_relaxed_(&table->overflow_free);
    do
        cm_store_relaxed_(link_of(bucket, bucket_size), top);
    while (!cm_swap_if_release_(&table->overflow_free, &top, bucket)); /* pairs with stack_pop() */
}
