/* One comparison: a workload on one kind of map contents, by so many threads; and what a round of it gave. */
#ifndef BENCH_CASE_H
#define BENCH_CASE_H

#include "map.h"

struct bench_case {
    const struct bench_workload *workload;
    unsigned threads;
    unsigned capacity_log2;
    size_t text_len; /* 0: u64 keys */
    size_t words;    /* of a value */
};

/* "u64", "str16" or "str64". */
const char *bench_case_key(const struct bench_case *which);
/* The size of a value as users name it. */
unsigned bench_case_value(const struct bench_case *which);

/* Quantiles of one operation's nanoseconds, exact. */
enum { BENCH_CURVE = 12 };
extern const double bench_curve[BENCH_CURVE]; /* the quantiles; the last is 1: the maximum */

struct bench_latency {
    uint64_t samples;
    uint32_t ns[BENCH_CURVE];
};

enum { BENCH_BATCH_KIND = BENCH_KINDS, BENCH_LATENCIES }; /* a latency for each kind, and one for batches */
const char *bench_latency_name(unsigned kind);

/* What one round of one map gave. Crosses a pipe as it is. */
struct bench_result {
    double seconds;
    uint64_t ops;
    uint64_t resident_bytes; /* of the map, when the run was over */
    struct bench_tally tally;
    struct bench_contents contents;
    struct bench_latency latency[BENCH_LATENCIES]; /* when it was measured */
};

/* One round of one map, as the JSON has it. */
struct bench_row {
    struct bench_case which;
    const struct bench_map *map;
    unsigned rep;
    uint64_t entries; /* that the map held in the end */
    struct bench_result result;
};

struct bench_rows {
    struct bench_row *row;
    size_t n, room;
};

void bench_rows_add(struct bench_rows *rows, const struct bench_row *row);

#endif
