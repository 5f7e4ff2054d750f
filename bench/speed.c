/* concmap-speed: the sharded map beside its nearest peers, in one interleaved run.
 *
 * Streams of operations are made ahead of time from a seed, the same for every map. In each round every map runs the
 * stream once, in alternating order; a figure is the median of the rounds, a ratio the median of the rounds' ratios to
 * the better of the two DashMaps. With one thread the checksums of all maps must agree. */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "map.h"

#define MAX_MAPS 6
#define MAX_ROUNDS 101
#define MAX_THREADS 64

struct workload {
    const char *name;
    unsigned percent[5]; /* of each op */
    unsigned hit;        /* percent of gets and updates whose key is there */
    bool cold;           /* from an empty map without a capacity, 3.4 M puts of fresh keys */
    bool slowest;        /* each put is timed; the figure is the slowest one */
};

static const struct workload workloads[] = {
    {"read-only", {100, 0, 0, 0, 0}, 100, false, false},     {"read-heavy", {98, 1, 1, 0, 0}, 75, false, false},
    {"write-heavy", {20, 10, 10, 30, 30}, 75, false, false}, {"exchange", {10, 40, 40, 10, 0}, 75, false, false},
    {"update", {0, 0, 0, 100, 0}, 75, false, false},         {"grow-cold", {0, 100, 0, 0, 0}, 0, true, false},
    {"slowest-put", {0, 100, 0, 0, 0}, 0, true, true},
};

struct options {
    const struct workload *workload;
    unsigned capacity_log2;
    unsigned threads;
    unsigned rounds;
    unsigned words;
    size_t ops;
};

static void fail(const char *message, const char *what)
{
    fprintf(stderr, "concmap-speed: %s%s%s\n", message, what ? ": " : "", what ? what : "");
    exit(2);
}

/* ---- streams ---- */

static uint64_t random_state = 88172645463325252u;

static uint64_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}

/* The i-th of keys that look random: a bijection, so that all are different. */
static uint64_t key_of(uint64_t i)
{
    i *= UINT64_C(0xd1342543de82ef95);
    i ^= i >> 32;
    i *= UINT64_C(0xda942042e4dd58b5);
    return i ^ i >> 29;
}

static uint8_t op_choose(const struct workload *workload)
{
    uint64_t number = random_next() % 100;
    uint8_t op = 0;
    while (number >= workload->percent[op])
        number -= workload->percent[op++];
    return op;
}

/* Thread `t` puts fresh keys of its own, and removes its share of the first ones in turn. */
static struct stream stream_make(const struct options *options, unsigned t, size_t filled)
{
    uint8_t *ops = malloc(options->ops);
    uint64_t *keys = malloc(options->ops * sizeof *keys);
    if (!ops || !keys)
        fail("no memory for the streams", NULL);
    uint64_t fresh = (uint64_t)(t + 1) << 40;
    uint64_t oldest = filled * t / options->threads;
    uint64_t oldest_end = filled * (t + 1) / options->threads;
    for (size_t i = 0; i < options->ops; i++) {
        ops[i] = op_choose(options->workload);
        uint64_t present = random_next() % (filled ? filled : 1);
        bool hit = random_next() % 100 < options->workload->hit;
        keys[i] = ops[i] == OP_PUT                             ? key_of(fresh++)
                  : ops[i] == OP_REMOVE && oldest < oldest_end ? key_of(oldest++)
                  : hit                                        ? key_of(present)
                                                               : key_of((UINT64_C(1) << 50) + present);
    }
    return (struct stream){ops, keys, options->ops};
}

/* ---- running ---- */

struct job {
    const struct map_kind *kind;
    void *map;
    const struct stream *stream;
    pthread_barrier_t *start;
    uint64_t sum;
    uint64_t slowest;
    double begin, end;
    bool time_each;
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void *job_run(void *context)
{
    struct job *job = context;
    pthread_barrier_wait(job->start);
    job->begin = now();
    job->sum = job->kind->run(job->map, job->stream, job->time_each ? &job->slowest : NULL);
    job->end = now();
    return NULL;
}

static void map_fill(const struct map_kind *kind, void *map, size_t entries)
{
    enum { BLOCK = 4096 };
    static uint8_t ops[BLOCK];
    static uint64_t keys[BLOCK];
    memset(ops, OP_PUT, sizeof ops);
    for (size_t i = 0; i < entries; i += BLOCK) {
        size_t count = entries - i < BLOCK ? entries - i : BLOCK;
        for (size_t j = 0; j < count; j++)
            keys[j] = key_of(i + j);
        kind->run(map, &(struct stream){ops, keys, count}, NULL);
    }
}

static size_t resident_bytes(void)
{
    size_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%*s %zu", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

struct result {
    double mops[MAX_ROUNDS];
    double slowest_us[MAX_ROUNDS];
    double bytes; /* resident, an entry, once filled */
    uint64_t sum;
};

static void round_run(const struct options *options, const struct map_kind *kind, const struct stream *streams,
                      size_t filled, unsigned round, struct result *result)
{
    size_t before = resident_bytes();
    void *map = kind->make(options->workload->cold ? 0 : (size_t)1 << options->capacity_log2, kind->option);
    map_fill(kind, map, filled);
    if (filled)
        result->bytes = (double)(resident_bytes() - before) / (double)filled;
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, options->threads);
    struct job jobs[MAX_THREADS];
    pthread_t threads[MAX_THREADS];
    for (unsigned t = 0; t < options->threads; t++) {
        jobs[t] = (struct job){.kind = kind, .map = map, .stream = &streams[t], .start = &start};
        jobs[t].time_each = options->workload->slowest;
        if (pthread_create(&threads[t], NULL, job_run, &jobs[t]) != 0)
            fail("no thread", NULL);
    }
    double begin = 1e300, end = 0;
    result->sum = 0;
    result->slowest_us[round] = 0;
    for (unsigned t = 0; t < options->threads; t++) {
        pthread_join(threads[t], NULL);
        begin = jobs[t].begin < begin ? jobs[t].begin : begin;
        end = jobs[t].end > end ? jobs[t].end : end;
        result->sum += jobs[t].sum;
        double slowest = (double)jobs[t].slowest / 1e3;
        if (slowest > result->slowest_us[round])
            result->slowest_us[round] = slowest;
    }
    pthread_barrier_destroy(&start);
    result->mops[round] = (double)(options->ops * options->threads) / (end - begin) / 1e6;
    kind->destroy(map);
}

/* ---- figures ---- */

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *values, unsigned count)
{
    double sorted[MAX_ROUNDS];
    memcpy(sorted, values, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_doubles);
    return sorted[count / 2];
}

static double least(const double *values, unsigned count)
{
    double result = values[0];
    for (unsigned i = 1; i < count; i++)
        result = values[i] < result ? values[i] : result;
    return result;
}

static double ratio(const struct result *results, unsigned map, unsigned rounds)
{
    double ratios[MAX_ROUNDS];
    for (unsigned i = 0; i < rounds; i++) {
        double a = results[0].mops[i], b = results[1].mops[i];
        ratios[i] = results[map].mops[i] / (a > b ? a : b);
    }
    return median(ratios, rounds);
}

static void print_table(const struct options *options, const struct map_kind *kinds, unsigned maps,
                        const struct result *results)
{
    printf("%s, 2^%u, %u thread%s, values of %u bytes, %u rounds\n", options->workload->name, options->capacity_log2,
           options->threads, options->threads == 1 ? "" : "s", options->words * 8, options->rounds);
    printf("  %-16s %10s %8s %12s\n", "map", "M ops/s", "ratio",
           options->workload->slowest ? "slowest us" : "bytes/entry");
    for (unsigned i = 0; i < maps; i++)
        printf("  %-16s %10.1f %8.2f %12.1f\n", kinds[i].name, median(results[i].mops, options->rounds),
               ratio(results, i, options->rounds),
               options->workload->slowest ? least(results[i].slowest_us, options->rounds) : results[i].bytes);
}

/* ---- the program ---- */

#define KINDS(words)                                                                                                   \
    {                                                                                                                  \
        {"dashmap", dashmap_make_##words, 0, dashmap_run_##words, dashmap_destroy_##words},                            \
            {"dashmap-128", dashmap_make_##words, 128, dashmap_run_##words, dashmap_destroy_##words},                  \
            {"flat-mutex", flat_make_##words, 1, flat_run_##words, flat_destroy_##words},                              \
            {"flat-unlocked", flat_make_##words, 0, flat_run_##words, flat_destroy_##words},                           \
            {"sharded", sharded_make_##words, 0, sharded_run_##words, sharded_destroy_##words},                        \
            {"sharded+batch", sharded_make_##words, 0, sharded_batch_##words, sharded_destroy_##words},                \
    }

static const struct {
    unsigned words;
    struct map_kind kinds[MAX_MAPS];
} value_sizes[] = {{1, KINDS(1)}, {3, KINDS(3)}, {8, KINDS(8)}, {32, KINDS(32)}};

static const struct map_kind *kinds_for(unsigned words)
{
    for (size_t i = 0; i < sizeof value_sizes / sizeof *value_sizes; i++)
        if (value_sizes[i].words == words)
            return value_sizes[i].kinds;
    fail("values have 8, 24, 64 or 256 bytes", NULL);
    return NULL;
}

static unsigned long number_parse(const char *text, unsigned long least_allowed, unsigned long most)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    if (errno || *end || end == text || number < least_allowed || number > most)
        fail("not a number in range", text);
    return number;
}

static const struct workload *workload_parse(const char *name)
{
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++)
        if (strcmp(workloads[i].name, name) == 0)
            return &workloads[i];
    fail("no such workload", name);
    return NULL;
}

static struct options options_parse(int argc, char **argv)
{
    struct options options = {&workloads[0], 22, 1, 11, 1, 0};
    for (int option; (option = getopt(argc, argv, "w:c:t:r:v:n:")) != -1;)
        switch (option) {
        case 'w':
            options.workload = workload_parse(optarg);
            break;
        case 'c':
            options.capacity_log2 = (unsigned)number_parse(optarg, 4, 30);
            break;
        case 't':
            options.threads = (unsigned)number_parse(optarg, 1, MAX_THREADS);
            break;
        case 'r':
            options.rounds = (unsigned)number_parse(optarg, 1, MAX_ROUNDS);
            break;
        case 'v':
            options.words = (unsigned)number_parse(optarg, 8, 256) / 8;
            break;
        case 'n':
            options.ops = number_parse(optarg, 1000, 1000000000);
            break;
        default:
            fail("usage: concmap-speed [-w WORKLOAD] [-c LOG2] [-t THREADS] [-r ROUNDS] [-v VALUE_BYTES] [-n OPS]",
                 NULL);
        }
    if (optind < argc)
        fail("unexpected argument", argv[optind]);
    if (options.workload->cold)
        options.ops = 3400000;
    else if (!options.ops)
        options.ops = options.capacity_log2 > 18 ? 4000000 : 20000000;
    options.ops /= options.threads;
    return options;
}

int main(int argc, char **argv)
{
    static struct result results[MAX_MAPS];
    struct options options = options_parse(argc, argv);
    const struct map_kind *kinds = kinds_for(options.words);
    size_t filled = options.workload->cold ? 0 : ((size_t)3 << options.capacity_log2) / 4;
    unsigned maps = options.workload->slowest ? 5 : MAX_MAPS; /* batches time no single put */
    struct stream streams[MAX_THREADS];
    for (unsigned t = 0; t < options.threads; t++)
        streams[t] = stream_make(&options, t, filled);
    for (unsigned round = 0; round < options.rounds; round++)
        for (unsigned i = 0; i < maps; i++) {
            unsigned map = round % 2 ? maps - 1 - i : i;
            if (strcmp(kinds[map].name, "flat-unlocked") == 0 && options.threads > 1)
                continue; /* it is the bound for one thread */
            round_run(&options, &kinds[map], streams, filled, round, &results[map]);
            if (isatty(STDERR_FILENO))
                fprintf(stderr, "\rround %u of %u  %-16s", round + 1, options.rounds, kinds[map].name);
        }
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%40s\r", "");
    print_table(&options, kinds, maps, results);
    for (unsigned i = 1; options.threads == 1 && !options.workload->slowest && i < maps; i++)
        if (results[i].sum != results[0].sum) {
            fprintf(stderr, "concmap-speed: the results of %s differ from dashmap's\n", kinds[i].name);
            return 1;
        }
    return 0;
}
