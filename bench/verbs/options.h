/* What the verbs that run maps are told by their arguments. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include "../core/runner.h"

enum { BENCH_MAX_CHOICES = 64 };

struct bench_options {
    const struct bench_workload *workloads[BENCH_MAX_CHOICES];
    size_t n_workloads;
    const struct bench_map *maps[BENCH_MAX_CHOICES];
    size_t n_maps;
    unsigned threads[BENCH_MAX_CHOICES];
    size_t n_threads;
    unsigned capacity_log2;
    size_t text_len; /* of keys; 0: u64 */
    size_t words;    /* of values */
    const struct bench_map *baseline;
    const char *json, *csv; /* files, or NULL */
    struct bench_run_options run;
};

/* Reads the arguments after the verb. Prints what is wrong in one line, and ends the program with status 2. */
void bench_options_read(struct bench_options *options, int argc, char **argv);

/* One thread, and as many as there are processors. */
void bench_options_default_threads(struct bench_options *options);

/* Ends the program with status 2. */
_Noreturn void bench_wrong(const char *what, const char *argument);
/* A whole number between the two, or it ends the program. */
unsigned long bench_number(const char *what, const char *text, unsigned long least, unsigned long most);
double bench_fraction(const char *what, const char *text, double least, double most);
void bench_options_read_key(struct bench_options *options, const char *text);
void bench_options_read_value(struct bench_options *options, const char *text);

/* Runs every chosen workload with every number of threads; `after` is called with the rows of each case. False if a map
 * failed, or maps disagreed. */
typedef void bench_after(const struct bench_options *options, const struct bench_row *rows, size_t n);
bool bench_run_all(const struct bench_options *options, struct bench_rows *rows, bench_after *after);

#endif
