/* The workloads: mixes of operations, as conc-map-bench, flashmap's charts and the issue tracker of the project have
 * them. */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bench_workload {
    const char *name;
    const char *summary;
    unsigned get, insert, remove, update, upsert; /* weights */
    double fill;                                  /* of 2^c entries, before the clock starts */
    double ops;                                   /* default operations for each of 2^c entries */
    bool cold;                                    /* the map is created without a capacity */
    bool steady;  /* as many inserts as removes: the stream may be longer than the map is large */
    bool shared;  /* all threads work on all keys, instead of each on its own */
    bool counter; /* all threads work on one key */
    double hit;   /* default share of gets (and upserts) that find their key */
    double skew;  /* default Zipf theta */
};

extern const struct bench_workload bench_workloads[];
extern const size_t bench_workloads_n;

/* NULL if there is none of that name. */
const struct bench_workload *bench_workload_find(const char *name);

#ifdef __cplusplus
}
#endif
#endif
