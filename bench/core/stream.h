/* Operation streams: what each thread will do, made ahead of time from a seed and the same for every map.
 *
 * Keys. A key is a number that no other key shares (a bijective mix of thread and index); a text key is that number in
 *       hexadecimal, after a common prefix when it is long.
 * Sets. Each thread works on keys of its own: those present are a window [head, tail) of its indexes. An insert appends
 *       a fresh key, a remove takes the oldest, gets and updates fall into the window. So the answers of every thread
 *       are known beforehand, however the threads interleave: `expected` holds them. */
#ifndef BENCH_STREAM_H
#define BENCH_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "workload.h"

#ifdef __cplusplus
extern "C" {
#endif

enum bench_kind { BENCH_GET, BENCH_INSERT, BENCH_REMOVE, BENCH_UPDATE, BENCH_UPSERT, BENCH_KINDS };

/* One thread's operations. Rust has a copy of this declaration in peers/rust/src/interface.rs. */
struct bench_stream {
    size_t n;
    const uint8_t *kind;
    const uint64_t *key; /* the key's number: the key itself where keys are u64 */
    const char *text;    /* n texts of text_len bytes, one after the other; NULL where keys are u64 */
    size_t text_len;
    bool only_gets;
};

/* What the operations answered. */
struct bench_tally {
    uint64_t hits;     /* gets that found their key */
    uint64_t sum;      /* all words of all values that gets found */
    uint64_t inserted; /* inserts of a new key */
    uint64_t removed;  /* removes of a present key */
    uint64_t updated;  /* updates of a present key */
    uint64_t upserted; /* upserts that inserted */
};

struct bench_plan {
    const struct bench_workload *workload;
    unsigned threads;
    unsigned capacity_log2;
    size_t text_len;   /* 0: u64 keys */
    double ops_factor; /* operations for each entry of capacity; 0: the workload's default */
    double hit;        /* 0..1; below 0: the workload's default */
    double skew;       /* Zipf's theta; below 0: the workload's default; 0: uniform */
    uint64_t seed;
};

struct bench_streams {
    struct bench_stream fill;     /* inserts that bring the map to its start */
    struct bench_stream *threads; /* one stream a thread */
    unsigned n_threads;
    size_t ops;                  /* of all threads together */
    size_t capacity;             /* to create the map with; 0: empty */
    size_t entries;              /* that the map holds in the end */
    unsigned cycles;             /* how often create, fill and run make up one repetition */
    struct bench_tally expected; /* all but `sum` */
};

/* About how many operations of the plan change one map. */
double bench_plan_writes(const struct bench_plan *plan);

/* Makes the streams of `plan`; exits with a message if memory runs out. */
struct bench_streams bench_streams_make(const struct bench_plan *plan);
void bench_streams_free(struct bench_streams *streams);

#ifdef __cplusplus
}
#endif
#endif
