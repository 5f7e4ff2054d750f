/* What the machine itself allows: no map looks up faster than memory answers. */
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../core/clock.h"
#include "../core/key.h"
#include "../core/memory.h"
#include "../core/stats.h"
#include "../output/files.h"
#include "options.h"
#include "verbs.h"

enum { LINES = 1 << 22, LINE_WORDS = 8, LOADS = 1 << 22, ADDS = 1 << 24, ROUNDS = 5, MAX_THREADS = 64 };

static volatile uint64_t sink;

/* One cycle through all lines of 256 MB, by Sattolo's shuffle. */
static uint64_t *chase_make(void)
{
    uint64_t *word = bench_allocate((size_t)LINES * LINE_WORDS * sizeof *word);
    for (size_t i = 0; i < LINES; i++)
        word[i * LINE_WORDS] = i;
    for (size_t i = LINES - 1; i > 0; i--) {
        size_t j = bench_mix(i) % i;
        uint64_t kept = word[i * LINE_WORDS];
        word[i * LINE_WORDS] = word[j * LINE_WORDS];
        word[j * LINE_WORDS] = kept;
    }
    return word;
}

static double dependent_ns(const uint64_t *word)
{
    uint64_t at = 0, start = bench_now();
    for (size_t i = 0; i < LOADS; i++)
        at = word[at * LINE_WORDS];
    sink = at;
    return (double)(bench_now() - start) / LOADS;
}

static double independent_ns(const uint64_t *word)
{
    uint64_t sum = 0, start = bench_now();
    for (size_t i = 0; i < LOADS; i++)
        sum += word[bench_mix(i) % LINES * LINE_WORDS];
    sink = sum;
    return (double)(bench_now() - start) / LOADS;
}

struct adder {
    pthread_barrier_t *gate;
    uint64_t *word;
    double ns;
};

static void *adder_main(void *argument)
{
    struct adder *adder = argument;
    pthread_barrier_wait(adder->gate);
    uint64_t start = bench_now();
    for (size_t i = 0; i < ADDS; i++)
        __atomic_add_fetch(adder->word, 1, __ATOMIC_SEQ_CST);
    adder->ns = (double)(bench_now() - start) / ADDS;
    return NULL;
}

/* Nanoseconds of one add, in each of `threads` threads that all add to one word. */
static double add_ns(unsigned threads)
{
    static uint64_t word[LINE_WORDS] __attribute__((aligned(128)));
    struct adder adders[MAX_THREADS];
    pthread_t ids[MAX_THREADS];
    pthread_barrier_t gate;
    double sum = 0;
    pthread_barrier_init(&gate, NULL, threads);
    for (unsigned t = 0; t < threads; t++) {
        adders[t] = (struct adder){&gate, word, 0};
        if (pthread_create(&ids[t], NULL, adder_main, &adders[t]) != 0) {
            fputs("concmap-bench: no thread\n", stderr);
            exit(1);
        }
    }
    for (unsigned t = 0; t < threads; t++) {
        pthread_join(ids[t], NULL);
        sum += adders[t].ns;
    }
    pthread_barrier_destroy(&gate);
    return sum / threads;
}

static unsigned processors(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > MAX_THREADS ? MAX_THREADS : (unsigned)n;
}

int verb_limits(int argc, char **argv)
{
    static const struct option known[] = {{"json", required_argument, NULL, 'j'}, {0}};
    const char *json = NULL;
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (option != 'j')
            return 2;
        json = optarg;
    }
    if (optind < argc)
        bench_wrong("unexpected argument", argv[optind]);
    struct bench_limit limits[] = {
        {"dependent load", "ns", "random lines of 256 MB, each address from the load before", 0},
        {"independent load", "ns", "random lines of 256 MB, as many at once as the processor keeps under way", 0},
        {"uncontended atomic add", "ns", "one thread, one word", 0},
        {"contended atomic add", "ns", "every processor, the same word; for each thread", 0},
    };
    enum { LIMITS = sizeof limits / sizeof *limits };
    double values[LIMITS][ROUNDS];
    uint64_t *word = chase_make();
    for (unsigned round = 0; round < ROUNDS; round++) {
        values[0][round] = dependent_ns(word);
        values[1][round] = independent_ns(word);
        values[2][round] = add_ns(1);
        values[3][round] = add_ns(processors());
    }
    bench_release(word, (size_t)LINES * LINE_WORDS * sizeof *word);
    for (unsigned i = 0; i < LIMITS; i++) {
        limits[i].value = bench_median(values[i], ROUNDS);
        printf("%-24s %8.1f %s   %s\n", limits[i].name, limits[i].value, limits[i].unit, limits[i].summary);
    }
    printf("medians of %d rounds\n", ROUNDS);
    return json && !bench_json_limits(json, limits, LIMITS);
}
