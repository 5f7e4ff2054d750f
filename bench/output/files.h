/* Results as files: JSON by jansson, and CSV. */
#ifndef BENCH_FILES_H
#define BENCH_FILES_H

#include "../core/case.h"

/* Writes all rows, an object of JSON or a line of CSV each; JSON has the latencies, too. False: the file cannot be
 * written, and it has been said why. */
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
