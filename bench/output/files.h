/* Results as files: JSON by jansson, and CSV. */
#ifndef BENCH_FILES_H
#define BENCH_FILES_H

#include "../core/case.h"

/* Writes all rows, a line of CSV or an object of JSON each; with the latencies where there are any. A phase names what
 * the workload stands for, where it has no better name; NULL otherwise. False: the file cannot be written, and it has
 * been said why. */
bool bench_json_write(const char *path, const struct bench_rows *rows);
bool bench_csv_write(const char *path, const struct bench_rows *rows);

/* Prints maps and workloads as JSON. */
void bench_json_list(void);

/* The limits of the machine, as `concmap-bench limits --json` has them. */
struct bench_limit {
    const char *name, *unit, *summary;
    double value;
};
bool bench_json_limits(const char *path, const struct bench_limit *limits, size_t n);

#endif
