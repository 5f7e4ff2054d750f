/* Which map of the family to take for a job: tries those that can do it, and says what came out. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../core/progress.h"
#include "../output/table.h"
#include "options.h"
#include "verbs.h"

#define TIE 1.1             /* what is less than this much faster is no reason */
#define HOPELESS 50         /* what is so many times as slow in a trial is not measured */
#define TRIAL_OPS (1 << 17) /* long enough to tell that, and a second for the slowest */

struct job {
    double reads; /* percent */
    unsigned long entries;
    struct bench_options options;
    struct bench_workload workload;
};

static const struct option known[] = {{"reads", required_argument, NULL, 'r'},
                                      {"threads", required_argument, NULL, 't'},
                                      {"entries", required_argument, NULL, 'e'},
                                      {"key", required_argument, NULL, 'k'},
                                      {"value", required_argument, NULL, 'v'},
                                      {"hit", required_argument, NULL, 'h'},
                                      {0}};

static void job_option(struct job *job, int option)
{
    switch (option) {
    case 'r':
        job->reads = bench_fraction("--reads", optarg, 0, 100);
        break;
    case 't':
        job->options.threads[0] = (unsigned)bench_number("--threads", optarg, 1, 512);
        break;
    case 'e':
        job->entries = bench_number("--entries", optarg, 1, 1ul << 30);
        break;
    case 'k':
        bench_options_read_key(&job->options, optarg);
        break;
    case 'v':
        bench_options_read_value(&job->options, optarg);
        break;
    case 'h':
        job->options.run.hit = bench_fraction("--hit", optarg, 0, 100) / 100;
        break;
    default:
        exit(2);
    }
}

/* What is not read is inserted, removed and updated in equal parts. */
static void job_plan(struct job *job)
{
    unsigned writes = (unsigned)((100 - job->reads) * 10);
    while ((1ul << job->options.capacity_log2) < job->entries)
        job->options.capacity_log2++;
    job->workload = (struct bench_workload){
        .name = "your job",
        .get = (unsigned)(job->reads * 30),
        .insert = writes,
        .remove = writes,
        .update = writes,
        .fill = (double)job->entries / (double)(1ul << job->options.capacity_log2),
        .ops = 1,
        .steady = true,
        .hit = 0.9,
    };
    job->options.workloads[0] = &job->workload;
    job->options.n_workloads = job->options.n_threads = 1;
}

static void job_maps(struct job *job)
{
    for (size_t i = 0; i < bench_maps_n; i++)
        if (bench_maps[i].ours && bench_map_known(&bench_maps[i]))
            job->options.maps[job->options.n_maps++] = &bench_maps[i];
    if (job->options.n_maps == 0)
        bench_wrong("none of concmap's maps was built", "advise");
    job->options.baseline = job->options.maps[0];
    job->options.run.maps = job->options.maps;
    job->options.run.n_maps = job->options.n_maps;
}

static void after_case(const struct bench_options *options, const struct bench_row *rows, size_t n)
{
    bench_table_print(rows, n, options->maps, options->n_maps, options->baseline);
}

struct choice {
    const struct bench_map *map;
    struct bench_summary summary;
};

/* The fastest map, among batches or among single operations. */
static struct choice best_of(const struct bench_options *options, const struct bench_rows *rows, bool batch)
{
    struct choice best = {0};
    for (size_t i = 0; i < options->n_maps; i++) {
        struct bench_summary s = bench_summarize(rows->row, rows->n, options->maps[i], options->baseline);
        if (options->maps[i]->batch == batch && s.rounds > 0 && s.mops > best.summary.mops)
            best = (struct choice){options->maps[i], s};
    }
    return best;
}

static void after_trial(const struct bench_options *options, const struct bench_row *rows, size_t n)
{
    (void)options, (void)rows, (void)n;
}

/* Tries each map for a moment, and leaves those out that are far behind the best of their kind: to measure some of them
 * would take longer than all others. The baseline stays. */
static bool job_try(struct job *job)
{
    struct bench_options trial = job->options;
    struct bench_rows rows = {0};
    trial.run.reps = 1;
    trial.run.ops_factor = ldexp(TRIAL_OPS, -(int)trial.capacity_log2);
    bool ok = bench_run_all(&trial, &rows, after_trial);
    const double best[] = {best_of(&trial, &rows, false).summary.mops, best_of(&trial, &rows, true).summary.mops};
    size_t kept = 0;
    for (size_t i = 0; i < trial.n_maps; i++) {
        struct bench_summary s = bench_summarize(rows.row, rows.n, trial.maps[i], trial.baseline);
        if (i > 0 && s.rounds > 0 && s.mops * HOPELESS < best[trial.maps[i]->batch])
            printf("not measured, for it is too slow: %s, %.2f M/s\n", trial.maps[i]->name, s.mops);
        else
            job->options.maps[kept++] = trial.maps[i];
    }
    job->options.n_maps = job->options.run.n_maps = kept;
    free(rows.row);
    return ok;
}

static void say(const struct bench_options *options, size_t ways, const struct bench_rows *rows)
{
    struct choice single = best_of(options, rows, false), batch = best_of(options, rows, true);
    if (!single.map) {
        printf("\nNothing was measured, so there is no advice.\n");
        return;
    }
    printf("\nTake `%s`: of %zu ways that can do this job it is the fastest by single operations here, %.1f M/s and\n"
           "%.0f bytes an entry (%s).\n",
           single.map->name, ways, single.summary.mops, single.summary.bytes, single.map->summary);
    if (batch.map && batch.summary.mops > TIE * single.summary.mops)
        printf("Where you have many keys at hand at once, `%s` does %.1f M/s, %.1f times as many.\n", batch.map->name,
               batch.summary.mops, batch.summary.mops / single.summary.mops);
    else if (batch.map)
        printf("Batches would gain nothing: %.1f M/s.\n", batch.summary.mops);
}

int verb_advise(int argc, char **argv)
{
    static struct job job = {.reads = -1, .entries = 1000000};
    struct bench_rows rows = {0};
    job.options.words = 1;
    job.options.run = (struct bench_run_options){.reps = 5, .hit = -1, .skew = -1, .seed = 1, .pin = true};
    bench_options_default_threads(&job.options);
    job.options.threads[0] = job.options.threads[job.options.n_threads - 1];
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;)
        job_option(&job, option);
    if (optind < argc)
        bench_wrong("unexpected argument", argv[optind]);
    if (job.reads < 0)
        bench_wrong("advise needs", "--reads PERCENT");
    job_plan(&job);
    job_maps(&job);
    const size_t ways = job.options.n_maps;
    bool ok = job_try(&job);
    ok &= bench_run_all(&job.options, &rows, after_case);
    say(&job.options, ways, &rows);
    free(rows.row);
    return ok ? 0 : 1;
}
