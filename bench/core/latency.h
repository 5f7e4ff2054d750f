/* Quantiles of latencies. */
#ifndef BENCH_LATENCY_H
#define BENCH_LATENCY_H

#include "case.h"

/* Exact quantiles of all threads' samples (one a operation of its stream), for each kind; or for whole batches. */
void bench_latencies(const struct bench_streams *streams, const uint32_t *const *samples, bool batch,
                     struct bench_latency latency[BENCH_LATENCIES]);

#endif
