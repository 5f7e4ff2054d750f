/* Each operation's time, in a map that grows and in one that does not. */
#include <stdlib.h>

#include "../output/files.h"
#include "../output/table.h"
#include "options.h"
#include "verbs.h"

/* A map that grows from nothing, and one that keeps its size while it is changed. */
static const char *const growing = "rapid-grow-cold", *const at_rest = "latency-at-rest";

static void after_case(const struct bench_options *options, const struct bench_row *rows, size_t n)
{
    if (n > 0)
        bench_latency_print(rows, n, options->maps, options->n_maps,
                            rows[0].which.workload->cold ? "while growing" : "at rest");
}

int verb_latency(int argc, char **argv)
{
    static struct bench_options options;
    struct bench_rows rows = {0};
    bench_options_read(&options, argc, argv);
    if (options.n_workloads > 0)
        bench_wrong("latency has workloads of its own, and takes no", "-w");
    if (options.csv)
        bench_wrong("latency writes --json, and no", "--csv");
    options.workloads[options.n_workloads++] = bench_workload_find(growing);
    options.workloads[options.n_workloads++] = bench_workload_find(at_rest);
    options.run.timed = true;
    bool ok = bench_run_all(&options, &rows, after_case);
    if (options.json)
        ok &= bench_json_write(options.json, &rows);
    free(rows.row);
    return ok ? 0 : 1;
}
