/* Figures from repetitions. */
#ifndef BENCH_STATS_H
#define BENCH_STATS_H

#include <stddef.h>

/* Sorts `values`. 0 if there are none. */
double bench_median(double *values, size_t n);

#endif
