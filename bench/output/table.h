/* Results as tables for people. */
#ifndef BENCH_TABLE_H
#define BENCH_TABLE_H

#include "../core/case.h"

/* What the rows of one map in one case come to. */
struct bench_summary {
    size_t rounds;
    double mops;   /* median */
    double spread; /* of the middle half of the rounds, as a share of the median */
    double ratio;  /* to the baseline: median of the ratios of each round; 0: there is none */
    double bytes;  /* resident, an entry; median */
};

/* Of `map` among the rows of one case. */
struct bench_summary bench_summarize(const struct bench_row *rows, size_t n, const struct bench_map *map,
                                     const struct bench_map *baseline);

/* The rows of one case, a line a map, in the order in which they ran. */
void bench_table_print(const struct bench_row *rows, size_t n, const struct bench_map *const *maps, size_t n_maps,
                       const struct bench_map *baseline);

/* The latencies of the rows of one case: for each kind, a line a map; medians of the rounds, the maximum of all. */
void bench_latency_print(const struct bench_row *rows, size_t n, const struct bench_map *const *maps, size_t n_maps,
                         const char *phase);

#endif
