/* Throughput, maps side by side. */
#include <stdlib.h>

#include "../output/files.h"
#include "../output/table.h"
#include "options.h"
#include "verbs.h"

static void after_case(const struct bench_options *options, const struct bench_row *rows, size_t n)
{
    bench_table_print(rows, n, options->maps, options->n_maps, options->baseline);
}

static void default_workloads(struct bench_options *options)
{
    static const char *const names[] = {"read-only", "read-heavy", "write-heavy", "exchange", "rapid-grow-cold"};
    for (size_t i = 0; options->n_workloads == 0 || (i > 0 && i < sizeof names / sizeof *names); i++)
        options->workloads[options->n_workloads++] = bench_workload_find(names[i]);
}

int verb_run(int argc, char **argv)
{
    static struct bench_options options;
    struct bench_rows rows = {0};
    bench_options_read(&options, argc, argv);
    if (options.n_workloads == 0)
        default_workloads(&options);
    bool ok = bench_run_all(&options, &rows, after_case);
    if (options.json)
        ok &= bench_json_write(options.json, &rows);
    if (options.csv)
        ok &= bench_csv_write(options.csv, &rows);
    free(rows.row);
    return ok ? 0 : 1;
}
