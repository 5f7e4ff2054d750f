/* What people write without concmap: one mutex around one hash table, here of words and their counts. */
#ifndef EXAMPLES_LOCKED_TABLE_H
#define EXAMPLES_LOCKED_TABLE_H

#include <concmap/str.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct locked_entry {
    cm_str word; /* refers to the caller's text; {NULL}: free */
    uint64_t hash;
    uint64_t count;
};

struct locked_table {
    pthread_mutex_t mutex;
    struct locked_entry *entries; /* open addressing, linear probing, at most half full */
    size_t size;                  /* a power of two */
    size_t used;
    uint64_t seed;
};

bool locked_table_init(struct locked_table *table, uint64_t seed);
void locked_table_destroy(struct locked_table *table);
/* Counts a word once more; its text must outlive the table. False: no memory. */
bool locked_table_count(struct locked_table *table, cm_str word);

#endif
