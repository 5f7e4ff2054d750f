/* GHashTable for one pair of key and value; included by core/instances.h. */
#include "entry.h"

#define MAP struct NAME(map)
#define LOCAL struct NAME(local)
#define ENTRY struct NAME(entry)

MAP
{
    GHashTable *table; /* a set of entries: the key is the value */
    GRWLock lock;
};

LOCAL
{
    char none;
};

static guint NAME(glib_hash)(gconstpointer entry)
{
    uint64_t hash = NAME(hash)(((const ENTRY *)entry)->key);
    return (guint)(hash ^ hash >> 32);
}

static gboolean NAME(glib_equal)(gconstpointer a, gconstpointer b)
{
    return NAME(equal)(((const ENTRY *)a)->key, ((const ENTRY *)b)->key);
}

static void NAME(glib_free)(gpointer entry)
{
    NAME(key_free)(((ENTRY *)entry)->key);
    free(entry);
}

static void *NAME(create)(size_t capacity, unsigned threads)
{
    (void)capacity, (void)threads; /* there is no way to reserve */
    MAP *map = malloc(sizeof *map);
    if (!map)
        bench_fatal("malloc", 0);
    g_rw_lock_init(&map->lock);
    map->table = g_hash_table_new_full(NAME(glib_hash), NAME(glib_equal), NAME(glib_free), NULL);
    return map;
}

static void NAME(destroy)(void *opaque)
{
    MAP *map = opaque;
    g_hash_table_destroy(map->table);
    g_rw_lock_clear(&map->lock);
    free(map);
}

static inline LOCAL NAME(enter)(MAP *map, unsigned thread)
{
    (void)map, (void)thread;
    return (LOCAL){0};
}

static inline void NAME(leave)(MAP *map, LOCAL *local)
{
    (void)map, (void)local;
}

static inline ENTRY *NAME(find)(MAP *map, KEY key)
{
    ENTRY probe = {.key = key};
    return g_hash_table_lookup(map->table, &probe);
}

static inline bool NAME(get)(MAP *map, LOCAL *local, KEY key, VALUE *value)
{
    (void)local;
    g_rw_lock_reader_lock(&map->lock);
    const ENTRY *entry = NAME(find)(map, key);
    if (entry)
        *value = entry->value;
    g_rw_lock_reader_unlock(&map->lock);
    return entry != NULL;
}

static void NAME(add)(MAP *map, KEY key, VALUE value)
{
    ENTRY *entry = malloc(sizeof *entry);
    if (!entry)
        bench_fatal("malloc", 0);
    *entry = (ENTRY){NAME(key_copy)(key), value};
    g_hash_table_add(map->table, entry);
}

static inline bool NAME(insert)(MAP *map, LOCAL *local, KEY key, VALUE value)
{
    (void)local;
    g_rw_lock_writer_lock(&map->lock);
    bool fresh = !NAME(find)(map, key);
    if (fresh)
        NAME(add)(map, key, value);
    g_rw_lock_writer_unlock(&map->lock);
    return fresh;
}

static inline bool NAME(remove)(MAP *map, LOCAL *local, KEY key)
{
    (void)local;
    ENTRY probe = {.key = key};
    g_rw_lock_writer_lock(&map->lock);
    bool found = g_hash_table_remove(map->table, &probe);
    g_rw_lock_writer_unlock(&map->lock);
    return found;
}

static inline bool NAME(update)(MAP *map, LOCAL *local, KEY key)
{
    (void)local;
    g_rw_lock_writer_lock(&map->lock);
    ENTRY *entry = NAME(find)(map, key);
    if (entry)
        entry->value.word[0]++;
    g_rw_lock_writer_unlock(&map->lock);
    return entry != NULL;
}

static inline bool NAME(upsert)(MAP *map, LOCAL *local, KEY key, VALUE value)
{
    (void)local;
    g_rw_lock_writer_lock(&map->lock);
    ENTRY *entry = NAME(find)(map, key);
    if (entry)
        entry->value.word[0]++;
    else
        NAME(add)(map, key, value);
    g_rw_lock_writer_unlock(&map->lock);
    return entry == NULL;
}

#include "../core/loop.h"

static void NAME(contents)(void *opaque, struct bench_contents *contents)
{
    MAP *map = opaque;
    GHashTableIter iter;
    gpointer key;
    *contents = (struct bench_contents){0};
    g_hash_table_iter_init(&iter, map->table);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        const ENTRY *entry = key;
        contents->entries++;
        contents->checksum += NAME(digest)(entry->key, &entry->value);
    }
}

static const struct bench_ops NAME(ops) = {NAME(create),    NAME(fill),     NAME(run),
                                           NAME(run_timed), NAME(contents), NAME(destroy)};

#undef MAP
#undef LOCAL
#undef ENTRY
