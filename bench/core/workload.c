#include "workload.h"

#include <string.h>

const struct bench_workload bench_workloads[] = {
    {.name = "read-only", .summary = "gets of present keys", .get = 100, .fill = 0.75, .ops = 1, .steady = true, .hit = 1},
    {.name = "read-heavy", .summary = "98 get, 1 insert, 1 remove", .get = 98, .insert = 1, .remove = 1,
     .fill = 0.75, .ops = 1, .steady = true, .hit = 0.75},
    {.name = "write-heavy", .summary = "20 get, 10 insert, 10 remove, 30 update, 30 upsert",
     .get = 20, .insert = 10, .remove = 10, .update = 30, .upsert = 30, .fill = 0.75, .ops = 1, .hit = 0.75},
    {.name = "exchange", .summary = "10 get, 40 insert, 40 remove, 10 update", .get = 10, .insert = 40, .remove = 40,
     .update = 10, .fill = 0.75, .ops = 1, .steady = true, .hit = 0.75},
    {.name = "rapid-grow", .summary = "5 get, 80 insert, 5 remove, 10 update; from 0 to 81% of 2^c, pre-sized",
     .get = 5, .insert = 80, .remove = 5, .update = 10, .ops = 13.0 / 12, .hit = 0.75},
    {.name = "rapid-grow-cold", .summary = "the same from an empty map", .get = 5, .insert = 80, .remove = 5,
     .update = 10, .ops = 13.0 / 12, .cold = true, .hit = 0.75},
    {.name = "insert-cold", .summary = "inserts alone, from an empty map to 81% of 2^c", .insert = 1, .ops = 13.0 / 16,
     .cold = true, .hit = 0.75},
    {.name = "almost-read-only", .summary = "2500 gets to 1 write", .get = 5000, .insert = 1, .remove = 1,
     .fill = 0.75, .ops = 1, .steady = true, .hit = 0.75},
    {.name = "read-heavy-50", .summary = "50 gets to 1 write", .get = 100, .insert = 1, .remove = 1, .fill = 0.75,
     .ops = 1, .steady = true, .hit = 0.75},
    {.name = "hot-key", .summary = "90 get, 10 update; all threads on the same keys, Zipf 0.99", .get = 90, .update = 10,
     .fill = 0.75, .ops = 1, .steady = true, .shared = true, .hit = 1, .skew = 0.99},
    {.name = "latency-at-rest", .summary = "40 get, 15 insert, 15 remove, 15 update, 15 upsert", .get = 40, .insert = 15,
     .remove = 15, .update = 15, .upsert = 15, .fill = 0.75, .ops = 1, .steady = true, .hit = 1},
    {.name = "one-counter", .summary = "all threads upsert one key", .upsert = 1, .ops = 1, .steady = true,
     .shared = true, .counter = true, .hit = 1},
};

const size_t bench_workloads_n = sizeof bench_workloads / sizeof *bench_workloads;

const struct bench_workload *bench_workload_find(const char *name)
{
    for (size_t i = 0; i < bench_workloads_n; i++)
        if (strcmp(bench_workloads[i].name, name) == 0)
            return &bench_workloads[i];
    return NULL;
}
