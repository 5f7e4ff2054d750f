/* Cases: streams are made, maps started, rounds taken in turn, answers compared. */
#include "runner.h"

#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "agree.h"
#include "memory.h"
#include "progress.h"
#include "worker.h"

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

void bench_catch_interrupt(void)
{
    struct sigaction action = {.sa_handler = on_interrupt}; /* no SA_RESTART: waits shall end */

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

bool bench_interrupted(void)
{
    return interrupted;
}

bool bench_case_fits(const struct bench_case *which, const struct bench_map *map)
{
    return bench_map_known(map) && (map->max_threads == 0 || which->threads <= map->max_threads) &&
           map->find(map->name, which->text_len > 0, which->words) != NULL;
}

static void label_make(char *label, size_t room, const struct bench_case *which, const struct bench_map *map,
                       unsigned rep)
{
    snprintf(label, room, "%s x%u 2^%u %s %u  round %u  %s", which->workload->name, which->threads,
             which->capacity_log2, bench_case_key(which), bench_case_value(which), rep + 1, map ? map->name : "");
}

/* Waits for the worker's result, keeping the bar alive. False: interrupted. */
static bool await(const struct bench_worker *worker, const char *label)
{
    struct pollfd poll_results = {.fd = worker->results, .events = POLLIN};

    while (!interrupted) {
        bench_progress_show(label);
        if (poll(&poll_results, 1, 250) > 0)
            return true;
    }
    return false;
}

/* One round of one map. False: the map failed, and takes no further part. */
static bool round_run(struct bench_worker *worker, struct bench_row *row, const char *label)
{
    char why[96];

    bench_worker_ask(worker);
    if (!await(worker, label))
        return true;
    if (bench_worker_result(worker, &row->result, why, sizeof why))
        return true;
    bench_progress_clear();
    fprintf(stderr, "error: %s: %s\n", label, why);
    return false;
}

struct round_table {
    struct bench_worker *workers;
    bool *failed;
    size_t n;
};

static bool rounds_run(const struct bench_case *which, const struct bench_run_options *options,
                       const struct bench_streams *streams, struct round_table *table, struct bench_rows *rows)
{
    bool ok = true;

    for (unsigned rep = 0; rep < options->reps && !interrupted; rep++) {
        for (size_t turn = 0; turn < table->n && !interrupted; turn++) {
            size_t i = rep % 2 ? table->n - 1 - turn : turn; /* every other round goes backwards */
            struct bench_row row = {.which = *which, .map = table->workers[i].map, .rep = rep};
            char label[128];

            if (table->failed[i])
                continue;
            label_make(label, sizeof label, which, row.map, rep);
            table->failed[i] = !round_run(&table->workers[i], &row, label);
            bench_progress_step();
            if (table->failed[i])
                ok = false;
            else if (!interrupted) {
                row.entries = row.result.contents.entries;
                ok &= bench_row_agrees(&row, streams);
                bench_rows_add(rows, &row);
            }
        }
    }
    return ok;
}

/* Whether the map is done in some seconds: not if it copied itself too often, or kept too many tombstones. */
static bool plan_suits(const struct bench_plan *plan, const struct bench_map *map)
{
    double entries = ldexp(1, (int)plan->capacity_log2);
    if (map->copies && bench_plan_writes(plan) * entries > 0x1p27)
        return false;
    return !(map->tombstones && plan->workload->remove > 0 && bench_plan_writes(plan) > 4 * entries);
}

bool bench_run_case(const struct bench_case *which, const struct bench_run_options *options, struct bench_rows *rows)
{
    struct bench_plan plan = {.workload = which->workload,
                              .threads = which->threads,
                              .capacity_log2 = which->capacity_log2,
                              .text_len = which->text_len,
                              .ops_factor = options->ops_factor,
                              .hit = options->hit,
                              .skew = options->skew,
                              .seed = options->seed};
    struct bench_streams streams;
    struct bench_worker_setup setup = {.streams = &streams,
                                       .words = which->words,
                                       .text = which->text_len > 0,
                                       .timed = options->timed,
                                       .pin = options->pin};
    struct round_table table = {0};
    size_t first = rows->n;
    char label[128];
    bool ok;

    label_make(label, sizeof label, which, NULL, 0);
    bench_progress_show(label);
    streams = bench_streams_make(&plan);
    table.workers = bench_allocate((options->n_maps + 1) * sizeof *table.workers);
    table.failed = bench_allocate(options->n_maps + 1);
    for (size_t i = 0; i < options->n_maps; i++)
        if (bench_case_fits(which, options->maps[i]) && plan_suits(&plan, options->maps[i]))
            bench_worker_start(&table.workers[table.n++], options->maps[i], &setup);
    ok = rounds_run(which, options, &streams, &table, rows);
    for (size_t i = 0; i < table.n; i++)
        bench_worker_stop(&table.workers[i]);
    bench_progress_clear();
    ok &= bench_rows_agree(rows->row + first, rows->n - first);
    bench_release(table.workers, (options->n_maps + 1) * sizeof *table.workers);
    bench_release(table.failed, options->n_maps + 1);
    bench_streams_free(&streams);
    return ok;
}
