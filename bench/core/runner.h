/* Runs one case: all maps side by side, rounds taken in turn. */
#ifndef BENCH_RUNNER_H
#define BENCH_RUNNER_H

#include "case.h"

struct bench_run_options {
    const struct bench_map **maps;
    size_t n_maps;
    unsigned reps;
    double ops_factor, hit, skew; /* as in struct bench_plan */
    uint64_t seed;
    bool timed, pin;
};

/* Appends a row for each round that was finished. False if a map failed or maps disagree; each such error has been
 * printed. */
bool bench_run_case(const struct bench_case *which, const struct bench_run_options *options, struct bench_rows *rows);

/* Whether the map can run the case at all. */
bool bench_case_fits(const struct bench_case *which, const struct bench_map *map);

/* From here on Ctrl-C ends the running case early, and keeps what was measured. */
void bench_catch_interrupt(void);
bool bench_interrupted(void);

#endif
