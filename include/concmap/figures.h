/* Figures that a map tells of itself. */
#ifndef CONCMAP_FIGURES_H
#define CONCMAP_FIGURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that a map takes from the system; but for iterations and snapshots under way, and the map itself. */
typedef struct cm_memory {
    size_t table;   /* tables and their overflow buckets, without those that wait */
    size_t nodes;   /* nodes and long texts, free ones included, without those that wait */
    size_t waiting; /* for readers to leave, to be given back or used again */
    size_t threads; /* what each thread that came by has of its own: counts, lists of free nodes */
    size_t total;
    size_t waiting_tables; /* the part of `waiting` that is tables; the rest is nodes and texts */
} cm_memory;

#define CM_STATS_DEPTH 4 /* lengths are told apart up to this; the last one stands for all that are longer, too */

/* What a map looks like inside: for people, monitors and tests of hash functions. Exact while nobody writes;
 * meanwhile each figure may be off by what changes during the call.
 *
 * Of flat tables (plain and partitioned maps) a bucket is a group of fifteen slots, and its chain the groups that the
 * look-up of an absent key goes on to. Those of all partitions are added up. Of left-right maps they are those of the
 * table that has all changes; `tables` counts the other one, too, those that wait for it, and those that a
 * reader may still look at. */
typedef struct cm_stats {
    size_t entries;
    size_t capacity;               /* entries that the newest table is meant for: at about so many it grows */
    double load;                   /* entries / (buckets x slots) */
    size_t tables;                 /* 1; more while it grows or shrinks, 0 before the first entry */
    size_t buckets;                /* that keys belong to now, in all tables; without overflow buckets */
    size_t slots;                  /* of each bucket */
    size_t empty_buckets;          /* of `buckets` */
    size_t overflow_buckets;       /* in use, behind buckets that are full */
    size_t chains[CM_STATS_DEPTH]; /* buckets by the length of their chain: [0] have no overflow bucket, [1] one ... */
    size_t probes[CM_STATS_DEPTH]; /* entries by the buckets that a look-up goes through: [0] are found in the first */
    size_t moves_pending;          /* buckets that are still to be moved to the next table */
    uint64_t grows;                /* how often a larger table was begun */
    uint64_t shrinks;              /* and a smaller one */
    cm_memory memory;
    bool waits_counted;    /* the library counts the waits that follow: CONCMAP_WAIT_STATS; else they are 0 */
    uint64_t waits;        /* for a lock of the map, that was found taken */
    uint64_t longest_wait; /* in nanoseconds */
} cm_stats;

/* What a left-right map tells of its writer and its readers. */
typedef struct cm_publications {
    uint64_t published;    /* how often */
    size_t pending;        /* changes that are not published yet; also of the meta value */
    size_t readers;        /* that are open */
    uint64_t waits;        /* how often a batch had to wait for readers before it began */
    uint64_t longest_wait; /* in nanoseconds */
} cm_publications;

#endif
