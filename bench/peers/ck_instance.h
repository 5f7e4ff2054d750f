/* ck_ht for one pair of key and value; included by core/instances.h. */
#include "entry.h"

#define MAP struct NAME(map)
#define LOCAL struct NAME(local)
#define CELL struct NAME(cell)

MAP
{
    ck_ht_t table;
    pthread_mutex_t writer;
    ck_epoch_t epoch;
    ck_epoch_record_t records[MAX_THREADS];
    void *old_tables;
};

LOCAL
{
    ck_epoch_record_t *record;
    unsigned writes;
};

/* An entry and what its grace period needs. A changed copy shares the key's text with what it replaces. */
CELL
{
    ck_epoch_entry_t epoch;
    struct NAME(entry) entry;
};

static CELL *NAME(cell_make)(KEY key, VALUE value)
{
    CELL *cell = malloc(sizeof *cell);
    if (!cell)
        bench_fatal("malloc", 0);
    cell->entry = (struct NAME(entry)){key, value};
    return cell;
}

static void NAME(cell_free)(ck_epoch_entry_t *epoch)
{
    free((char *)epoch - offsetof(CELL, epoch));
}

static void NAME(cell_and_key_free)(ck_epoch_entry_t *epoch)
{
    CELL *cell = (CELL *)(void *)((char *)epoch - offsetof(CELL, epoch));
    NAME(key_free)(cell->entry.key);
    free(cell);
}

static void *NAME(create)(size_t capacity, unsigned threads)
{
    MAP *map = aligned_alloc(_Alignof(MAP), sizeof *map); /* the records have cache lines of their own */
    unsigned mode = (TEXT ? CK_HT_MODE_BYTESTRING : CK_HT_MODE_DIRECT) | CK_HT_WORKLOAD_DELETE;
    if (!map || threads >= MAX_THREADS)
        bench_fatal("create", 0);
    memset(map, 0, sizeof *map);
    ck_epoch_init(&map->epoch);
    for (unsigned t = 0; t < threads; t++)
        ck_epoch_register(&map->epoch, &map->records[t], NULL);
    pthread_mutex_init(&map->writer, NULL);
    old_tables = &map->old_tables;
    if (!ck_ht_init(&map->table, mode, TEXT ? hash_text : hash_u64, &table_allocator, capacity ? 2 * capacity : 16, 1))
        bench_fatal("ck_ht_init", 0);
    return map;
}

static inline LOCAL NAME(enter)(MAP *map, unsigned thread)
{
    old_tables = &map->old_tables; /* written under the mutex */
    return (LOCAL){.record = &map->records[thread]};
}

static inline void NAME(leave)(MAP *map, LOCAL *local)
{
    (void)map;
    ck_epoch_poll(local->record);
}

static inline ck_ht_hash_t NAME(entry_for)(MAP *map, KEY key, CELL *cell, ck_ht_entry_t *entry)
{
    ck_ht_hash_t hash;
#if TEXT
    ck_ht_hash(&hash, &map->table, key.data, (uint16_t)key.len);
    if (cell)
        ck_ht_entry_set(entry, hash, key.data, (uint16_t)key.len, cell);
    else
        ck_ht_entry_key_set(entry, key.data, (uint16_t)key.len);
#else
    ck_ht_hash_direct(&hash, &map->table, key);
    if (cell)
        ck_ht_entry_set_direct(entry, hash, key, (uintptr_t)cell);
    else
        ck_ht_entry_key_set_direct(entry, key);
#endif
    return hash;
}

static inline CELL *NAME(cell_of)(ck_ht_entry_t *entry)
{
#if TEXT
    return ck_ht_entry_value(entry);
#else
    return (CELL *)ck_ht_entry_value_direct(entry);
#endif
}

static inline CELL *NAME(find)(MAP *map, KEY key)
{
    ck_ht_entry_t entry;
    ck_ht_hash_t hash = NAME(entry_for)(map, key, NULL, &entry);
    return ck_ht_get_spmc(&map->table, hash, &entry) ? NAME(cell_of)(&entry) : NULL;
}

static inline bool NAME(get)(MAP *map, LOCAL *local, KEY key, VALUE *value)
{
    ck_epoch_begin(local->record, NULL);
    const CELL *cell = NAME(find)(map, key);
    if (cell)
        *value = cell->entry.value;
    ck_epoch_end(local->record, NULL);
    return cell != NULL;
}

static inline void NAME(retire)(LOCAL *local, CELL *cell, ck_epoch_cb_t *free_it)
{
    ck_epoch_call(local->record, &cell->epoch, free_it);
    if (++local->writes % POLL_EVERY == 0)
        ck_epoch_poll(local->record);
}

/* With the mutex held, of a key that is absent: ck_ht_put takes the first tombstone on its way, and would leave a key
 * that is present behind it a second time. */
static void NAME(add)(MAP *map, KEY key, VALUE value)
{
    KEY own = NAME(key_copy)(key);
    CELL *cell = NAME(cell_make)(own, value);
    ck_ht_entry_t entry;
    ck_ht_hash_t hash = NAME(entry_for)(map, own, cell, &entry);
    if (!ck_ht_put_spmc(&map->table, hash, &entry))
        bench_fatal("ck_ht_put", 0);
}

static inline bool NAME(insert)(MAP *map, LOCAL *local, KEY key, VALUE value)
{
    (void)local;
    pthread_mutex_lock(&map->writer);
    bool fresh = !NAME(find)(map, key);
    if (fresh)
        NAME(add)(map, key, value);
    pthread_mutex_unlock(&map->writer);
    return fresh;
}

static inline bool NAME(remove)(MAP *map, LOCAL *local, KEY key)
{
    ck_ht_entry_t entry;
    pthread_mutex_lock(&map->writer);
    ck_ht_hash_t hash = NAME(entry_for)(map, key, NULL, &entry);
    bool removed = ck_ht_remove_spmc(&map->table, hash, &entry);
    pthread_mutex_unlock(&map->writer);
    if (removed)
        NAME(retire)(local, NAME(cell_of)(&entry), NAME(cell_and_key_free));
    return removed;
}

/* With the mutex held. The value that was replaced, or NULL. */
static CELL *NAME(change)(MAP *map, KEY key)
{
    CELL *old = NAME(find)(map, key);
    if (!old)
        return NULL;
    CELL *changed = NAME(cell_make)(old->entry.key, old->entry.value);
    ck_ht_entry_t entry;
    changed->entry.value.word[0]++;
    ck_ht_hash_t hash = NAME(entry_for)(map, changed->entry.key, changed, &entry);
    if (!ck_ht_set_spmc(&map->table, hash, &entry))
        bench_fatal("ck_ht_set", 0);
    return old;
}

static inline bool NAME(update)(MAP *map, LOCAL *local, KEY key)
{
    pthread_mutex_lock(&map->writer);
    CELL *old = NAME(change)(map, key);
    pthread_mutex_unlock(&map->writer);
    if (old)
        NAME(retire)(local, old, NAME(cell_free));
    return old != NULL;
}

static inline bool NAME(upsert)(MAP *map, LOCAL *local, KEY key, VALUE value)
{
    pthread_mutex_lock(&map->writer);
    CELL *old = NAME(change)(map, key);
    if (!old)
        NAME(add)(map, key, value);
    pthread_mutex_unlock(&map->writer);
    if (old)
        NAME(retire)(local, old, NAME(cell_free));
    return old == NULL;
}

#include "../core/loop.h"

static void NAME(contents)(void *opaque, struct bench_contents *contents)
{
    MAP *map = opaque;
    ck_ht_iterator_t iter = CK_HT_ITERATOR_INITIALIZER;
    ck_ht_entry_t *entry;
    *contents = (struct bench_contents){0};
    while (ck_ht_next(&map->table, &iter, &entry)) {
        const CELL *cell = NAME(cell_of)(entry);
        contents->entries++;
        contents->checksum += NAME(digest)(cell->entry.key, &cell->entry.value);
    }
}

static void NAME(destroy)(void *opaque)
{
    MAP *map = opaque;
    ck_ht_iterator_t iter = CK_HT_ITERATOR_INITIALIZER;
    ck_ht_entry_t *entry;
    while (ck_ht_next(&map->table, &iter, &entry))
        NAME(cell_and_key_free)(&NAME(cell_of)(entry)->epoch);
    for (unsigned t = 0; t < MAX_THREADS; t++)
        if (map->records[t].global)
            ck_epoch_barrier(&map->records[t]);
    old_tables = &map->old_tables;
    ck_ht_destroy(&map->table);
    old_tables_free(map->old_tables);
    pthread_mutex_destroy(&map->writer);
    free(map);
}

static const struct bench_ops NAME(ops) = {NAME(create),    NAME(fill),     NAME(run),
                                           NAME(run_timed), NAME(contents), NAME(destroy)};

#undef MAP
#undef LOCAL
#undef CELL
