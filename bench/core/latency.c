/* Quantiles: all samples are kept and sorted, so they are exact. */
#include "latency.h"

#include <stdlib.h>

#include "memory.h"

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static void quantiles(uint32_t *sample, size_t n, struct bench_latency *latency)
{
    latency->samples = n;
    if (n == 0)
        return;
    qsort(sample, n, sizeof *sample, compare);
    for (size_t q = 0; q < BENCH_CURVE; q++) {
        size_t rank = (size_t)(bench_curve[q] * (double)n);
        latency->ns[q] = sample[rank < n ? rank : n - 1];
    }
}

void bench_latencies(const struct bench_streams *streams, const uint32_t *const *samples, bool batch,
                     struct bench_latency latency[BENCH_LATENCIES])
{
    uint32_t *chosen = bench_allocate(streams->ops * sizeof *chosen);

    for (unsigned kind = 0; kind < BENCH_LATENCIES; kind++) {
        size_t n = 0;
        for (unsigned t = 0; t < streams->n_threads; t++) {
            const struct bench_stream *stream = &streams->threads[t];
            for (size_t i = 0; i < stream->n; i++)
                if (batch ? kind == BENCH_BATCH_KIND && samples[t][i] > 0 : stream->kind[i] == kind)
                    chosen[n++] = samples[t][i];
        }
        quantiles(chosen, n, &latency[kind]);
    }
    bench_release(chosen, streams->ops * sizeof *chosen);
}
