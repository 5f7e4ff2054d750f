/* Concurrency Kit's ck_ht: one writer, many readers; writers take a mutex, readers none. A value is changed by a
 * changed copy; ck_epoch frees entries that were unlinked. Tables left behind by growth wait until the map is
 * destroyed. */
#include <ck_epoch.h>
#include <ck_ht.h>
#include <pthread.h>

#include "../core/clock.h"
#include "../core/map.h"
#include "../core/value.h"
#include "peers.h"
#include "text_key.h"

enum { MAX_THREADS = 513, POLL_EVERY = 256 };

/* Growth's old tables, in a list through their own first words. */
static _Thread_local void **old_tables;

static void *table_allocate(size_t size)
{
    return malloc(size < sizeof(void *) ? sizeof(void *) : size);
}

static void table_free(void *table, size_t size, bool defer)
{
    (void)size;
    if (!defer) {
        free(table);
        return;
    }
    struct old_table {
        void *table, *next;
    } *old = malloc(sizeof *old);
    if (!old)
        bench_fatal("malloc", 0);
    *old = (struct old_table){table, *old_tables};
    *old_tables = old;
}

static void old_tables_free(void *list)
{
    while (list) {
        void **old = list;
        list = old[1];
        free(old[0]);
        free(old);
    }
}

static struct ck_malloc table_allocator = {.malloc = table_allocate, .free = table_free};

static void hash_text(ck_ht_hash_t *hash, const void *key, size_t len, uint64_t seed)
{
    (void)seed;
    hash->value = bench_hash_text(key, len);
}

static void hash_u64(ck_ht_hash_t *hash, const void *key, size_t len, uint64_t seed)
{
    (void)len, (void)seed;
    hash->value = bench_hash_u64(*(const uint64_t *)key);
}

#define ADAPTER "../peers/ck_instance.h"
#include "../core/instances.h"

const struct bench_ops *bench_ck_find(const char *name, bool text, size_t words)
{
    (void)name;
    return INSTANCE_FIND(ops, text, words);
}
