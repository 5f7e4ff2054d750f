/* Arguments: see options.h. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../core/progress.h"
#include "../maps/batch.h"

void bench_wrong(const char *what, const char *argument)
{
    fprintf(stderr, "concmap-bench: %s: %s\n", what, argument);
    exit(2);
}

unsigned long bench_number(const char *what, const char *text, unsigned long least, unsigned long most)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    if (errno || end == text || *end || *text == '-' || number < least || number > most) {
        fprintf(stderr, "concmap-bench: %s takes a number from %lu to %lu, not '%s'\n", what, least, most, text);
        exit(2);
    }
    return number;
}

double bench_fraction(const char *what, const char *text, double least, double most)
{
    char *end;
    double number = strtod(text, &end);
    if (end == text || *end || !(number >= least && number <= most)) {
        fprintf(stderr, "concmap-bench: %s takes a number from %g to %g, not '%s'\n", what, least, most, text);
        exit(2);
    }
    return number;
}

/* Calls `add` for each part of a list with commas. */
static void list_read(struct bench_options *options, const char *list,
                      void (*add)(struct bench_options *, const char *))
{
    char copy[1024];
    if (strlen(list) >= sizeof copy)
        bench_wrong("too long a list", list);
    strcpy(copy, list);
    char *rest;
    for (char *part = strtok_r(copy, ",", &rest); part; part = strtok_r(NULL, ",", &rest))
        add(options, part);
}

static void room_for(size_t n, const char *part)
{
    if (n == BENCH_MAX_CHOICES)
        bench_wrong("too many in one list, from here", part);
}

static void workload_add(struct bench_options *options, const char *name)
{
    room_for(options->n_workloads, name);
    const struct bench_workload *workload = bench_workload_find(name);
    if (!workload)
        bench_wrong("no such workload (concmap-bench list has them)", name);
    options->workloads[options->n_workloads++] = workload;
}

static const struct bench_map *map_of(const char *name)
{
    const struct bench_map *map = bench_map_find(name);
    if (!map)
        bench_wrong("no such map (concmap-bench list has them)", name);
    if (!bench_map_known(map)) {
        fprintf(stderr, "concmap-bench: %s was not built: %s\n", name, map->missing);
        exit(2);
    }
    return map;
}

static void map_add(struct bench_options *options, const char *name)
{
    room_for(options->n_maps, name);
    options->maps[options->n_maps++] = map_of(name);
}

static void maps_add_all(struct bench_options *options)
{
    for (size_t i = 0; i < bench_maps_n; i++)
        if (bench_map_known(&bench_maps[i]))
            options->maps[options->n_maps++] = &bench_maps[i];
}

static void threads_add(struct bench_options *options, const char *text)
{
    room_for(options->n_threads, text);
    options->threads[options->n_threads++] = (unsigned)bench_number("-t", text, 1, 512);
}

void bench_options_read_key(struct bench_options *options, const char *text)
{
    if (strcmp(text, "u64") == 0)
        options->text_len = 0;
    else if (strcmp(text, "str16") == 0)
        options->text_len = 16;
    else if (strcmp(text, "str64") == 0)
        options->text_len = 64;
    else
        bench_wrong("--key takes u64, str16 or str64, not", text);
}

void bench_options_read_value(struct bench_options *options, const char *text)
{
    size_t bytes = bench_number("--value", text, 8, 256);
    if (bytes != 8 && bytes != 24 && bytes != 64 && bytes != 256)
        bench_wrong("--value takes 8, 24, 64 or 256 bytes, not", text);
    options->words = bytes / sizeof(uint64_t);
}

void bench_options_default_threads(struct bench_options *options)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    options->threads[options->n_threads++] = 1;
    if (processors > 1)
        options->threads[options->n_threads++] = (unsigned)processors;
}

enum {
    OPTION_OPS = 256,
    OPTION_KEY,
    OPTION_VALUE,
    OPTION_HIT,
    OPTION_SKEW,
    OPTION_SEED,
    OPTION_JSON,
    OPTION_CSV,
    OPTION_BASELINE,
    OPTION_BATCH
};

static const struct option known[] = {
    {"workload", required_argument, NULL, 'w'},       {"map", required_argument, NULL, 'm'},
    {"threads", required_argument, NULL, 't'},        {"capacity", required_argument, NULL, 'c'},
    {"reps", required_argument, NULL, 'r'},           {"ops", required_argument, NULL, OPTION_OPS},
    {"key", required_argument, NULL, OPTION_KEY},     {"value", required_argument, NULL, OPTION_VALUE},
    {"hit", required_argument, NULL, OPTION_HIT},     {"skew", required_argument, NULL, OPTION_SKEW},
    {"seed", required_argument, NULL, OPTION_SEED},   {"json", required_argument, NULL, OPTION_JSON},
    {"csv", required_argument, NULL, OPTION_CSV},     {"baseline", required_argument, NULL, OPTION_BASELINE},
    {"batch", required_argument, NULL, OPTION_BATCH}, {0}};

static void option_take(struct bench_options *options, int option)
{
    switch (option) {
    case 'w':
        list_read(options, optarg, workload_add);
        break;
    case 'm':
        list_read(options, optarg, map_add);
        break;
    case 't':
        list_read(options, optarg, threads_add);
        break;
    case 'c':
        options->capacity_log2 = (unsigned)bench_number("-c", optarg, 1, 30);
        break;
    case 'r':
        options->run.reps = (unsigned)bench_number("-r", optarg, 1, 1000);
        break;
    case OPTION_OPS:
        options->run.ops_factor = bench_fraction("--ops", optarg, 1e-6, 1000);
        break;
    case OPTION_KEY:
        bench_options_read_key(options, optarg);
        break;
    case OPTION_VALUE:
        bench_options_read_value(options, optarg);
        break;
    case OPTION_HIT:
        options->run.hit = bench_fraction("--hit", optarg, 0, 100) / 100;
        break;
    case OPTION_SKEW:
        options->run.skew = bench_fraction("--skew", optarg, 0, 0.999);
        break;
    case OPTION_SEED:
        options->run.seed = bench_number("--seed", optarg, 0, (unsigned long)-1);
        break;
    case OPTION_JSON:
        options->json = optarg;
        break;
    case OPTION_CSV:
        options->csv = optarg;
        break;
    case OPTION_BASELINE:
        options->baseline = map_of(optarg);
        break;
    case OPTION_BATCH:
        bench_batch = bench_number("--batch", optarg, 1, BENCH_BATCH_MAX);
        break;
    default:
        exit(2); /* getopt has said why */
    }
}

static bool map_is_chosen(const struct bench_options *options, const struct bench_map *map)
{
    for (size_t i = 0; i < options->n_maps; i++)
        if (options->maps[i] == map)
            return true;
    return false;
}

void bench_options_read(struct bench_options *options, int argc, char **argv)
{
    *options = (struct bench_options){.capacity_log2 = 20, .words = 1};
    options->run = (struct bench_run_options){.reps = 5, .hit = -1, .skew = -1, .seed = 1, .pin = true};
    for (int option; (option = getopt_long(argc, argv, "w:m:t:c:r:", known, NULL)) != -1;)
        option_take(options, option);
    if (optind < argc)
        bench_wrong("unexpected argument", argv[optind]);
    if (options->n_maps == 0)
        maps_add_all(options);
    if (options->n_threads == 0)
        bench_options_default_threads(options);
    if (!options->baseline)
        options->baseline =
            map_is_chosen(options, bench_map_find("dashmap")) ? bench_map_find("dashmap") : options->maps[0];
    if (!map_is_chosen(options, options->baseline))
        bench_wrong("the baseline is not among the maps of -m", options->baseline->name);
    options->run.maps = options->maps;
    options->run.n_maps = options->n_maps;
}

bool bench_run_all(const struct bench_options *options, struct bench_rows *rows, bench_after *after)
{
    bool ok = true;
    bench_catch_interrupt();
    bench_progress_begin((double)(options->n_workloads * options->n_threads * options->n_maps * options->run.reps));
    for (size_t w = 0; w < options->n_workloads; w++)
        for (size_t t = 0; t < options->n_threads && !bench_interrupted(); t++) {
            struct bench_case which = {.workload = options->workloads[w],
                                       .threads = options->threads[t],
                                       .capacity_log2 = options->capacity_log2,
                                       .text_len = options->text_len,
                                       .words = options->words};
            size_t before = rows->n;
            ok &= bench_run_case(&which, &options->run, rows);
            after(options, rows->row + before, rows->n - before);
        }
    return ok;
}
