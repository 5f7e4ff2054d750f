/* One mutex around one table. */
#include "locked_table.h"

#include <concmap/hash.h>
#include <stdlib.h>

bool locked_table_init(struct locked_table *table, uint64_t seed)
{
    *table = (struct locked_table){.size = 1024, .seed = seed};
    pthread_mutex_init(&table->mutex, NULL);
    table->entries = calloc(table->size, sizeof *table->entries);
    return table->entries != NULL;
}

void locked_table_destroy(struct locked_table *table)
{
    free(table->entries);
    pthread_mutex_destroy(&table->mutex);
}

static struct locked_entry *find(struct locked_entry *entries, size_t size, cm_str word, uint64_t hash)
{
    size_t at = hash & (size - 1);
    while (entries[at].word.data && (entries[at].hash != hash || !cm_equal_str(&entries[at].word, &word)))
        at = (at + 1) & (size - 1);
    return &entries[at];
}

static bool grow(struct locked_table *table)
{
    size_t size = table->size * 2;
    struct locked_entry *entries = calloc(size, sizeof *entries);
    if (!entries)
        return false;
    for (size_t i = 0; i < table->size; i++)
        if (table->entries[i].word.data)
            *find(entries, size, table->entries[i].word, table->entries[i].hash) = table->entries[i];
    free(table->entries);
    table->entries = entries;
    table->size = size;
    return true;
}

bool locked_table_count(struct locked_table *table, cm_str word)
{
    uint64_t hash = cm_hash_str(&word, table->seed); /* outside the lock, as a careful programmer would */
    pthread_mutex_lock(&table->mutex);
    bool room = table->used * 2 < table->size || grow(table);
    if (room) {
        struct locked_entry *entry = find(table->entries, table->size, word, hash);
        if (!entry->word.data) {
            *entry = (struct locked_entry){word, hash, 0};
            table->used++;
        }
        entry->count++;
    }
    pthread_mutex_unlock(&table->mutex);
    return room;
}
