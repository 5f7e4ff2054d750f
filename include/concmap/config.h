/* What can be chosen when a map is made. */
#ifndef CONCMAP_CONFIG_H
#define CONCMAP_CONFIG_H

#include <concmap/allocator.h>
#include <stdbool.h>

struct cm_domain;

/* How long what an anchored map (anchored.h) has given out may be read. */
typedef enum cm_references {
    CM_KEEP,  /* until the map is cleared, shrunk or destroyed */
    CM_DOMAIN /* until the thread reports quiescence to the map's domain, or leaves its pin in it */
} cm_references;

/* All zero is the default. */
typedef struct cm_config {
    size_t capacity; /* entries that fit before the table grows; 0: nothing is allocated until the first entry comes */
    uint64_t seed; /* of the hash; 0: a fresh one from the system, which keeps crafted keys from degrading the table */
    const cm_allocator
        *allocator; /* NULL: malloc, and mmap for large tables. Copied; its context must outlive the map */
    size_t limit; /* of entries; whoever would add one more gets CM_FULL. 0: none. Each change of their number then goes
                   * through one counter of all threads */
    bool shrink;  /* true: the table becomes smaller when less than an eighth of its room is used, a bit at each removal
                   */
    bool fixed;   /* true: room for `capacity` entries, whatever their hashes, is taken at init, and never more: whoever
                   * would add one more gets CM_FULL. (Walks over keys that collide, and a thread's 13th guard, take some
                   * still.) For entries of up to 48 bytes without text or owned parts */
    size_t budget;            /* of a cache (cache.h): what its entries may weigh together; 0: any amount */
    cm_references references; /* of an anchored map */
    struct cm_domain *domain; /* of one with CM_DOMAIN; NULL: the process's own (cm_domain_default) */
    void *context;            /* of the functions that belong to the map's type: clone, destroy, those of a cache */
} cm_config;

#endif
