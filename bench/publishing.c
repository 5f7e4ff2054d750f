/* publishing-bench: what readers of a left-right map notice of a writer that publishes 1000 times a second, 100 changes
 * each, in a map of four million entries. A reader looks keys up, one by one and in views of 64, at rest and while the
 * writer publishes, in turns of one run: the medians of the rounds of look-ups a second and of their ratios in the same
 * round, and how long each look-up took: a histogram of all of them. */
#include <concmap/leftright.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/key.h"

#define ENTRIES (UINT64_C(1) << 22)
#define ROUNDS 7
#define PHASE_NS UINT64_C(700000000)
#define PERIOD_NS UINT64_C(1000000) /* from one publication to the next */
#define CHANGES 100
#define VIEW 64 /* look-ups in one view */
#define BINS 32 /* bin b: below 2^b ns */

CM_LEFTRIGHT_MAP(words, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)

static words map;
static bool stop;

static bool stopped(void)
{
    return __atomic_load_n(&stop, __ATOMIC_RELAXED);
}

/* The i-th of a sequence that visits all keys in no order. */
static uint64_t key_at(uint64_t i)
{
    return bench_mix(i) % ENTRIES;
}

struct found {
    uint64_t looked, sum;
    uint64_t bins[BINS];
};

static void look_singly(words_reader *reader, struct found *found)
{
    uint64_t value;
    for (unsigned i = 0; i < VIEW; i++)
        if (words_get(reader, key_at(found->looked++), &value))
            found->sum += value;
}

static void look_in_views(words_reader *reader, struct found *found)
{
    CM_WITH_VIEW (words, reader, view)
        for (unsigned i = 0; i < VIEW; i++) {
            const uint64_t *value = words_view_get(view, key_at(found->looked++));
            if (value)
                found->sum += *value;
        }
}

static unsigned bin_of(uint64_t nanoseconds)
{
    unsigned bin = nanoseconds ? 64 - (unsigned)__builtin_clzll(nanoseconds) : 0;
    return bin < BINS ? bin : BINS - 1;
}

/* The same one by one, with the clock read in between, which costs some 30 ns. */
static void look_timed(words_reader *reader, struct found *found)
{
    uint64_t value, before = bench_now();
    for (unsigned i = 0; i < VIEW; i++) {
        if (words_get(reader, key_at(found->looked++), &value))
            found->sum += value;
        uint64_t after = bench_now();
        found->bins[bin_of(after - before)]++;
        before = after;
    }
}

struct way {
    const char *name;
    void (*look)(words_reader *reader, struct found *found);
};
static const struct way ways[] = {{"get", look_singly}, {"view_get, 64 a view", look_in_views}, {"timed", look_timed}};
enum { WAYS = 2, TIMED = WAYS };

static void *publish(void *published)
{
    words_writer writer;
    uint64_t next = bench_now(), n = 0;
    if (words_writer_open(&map, &writer) != CM_OK)
        exit(1);
    for (; !stopped(); n++) {
        for (uint64_t i = 0; i < CHANGES; i++)
            if (words_put(&writer, key_at(n * CHANGES + i), i, NULL) < 0)
                exit(1);
        if (words_publish(&writer) != CM_OK)
            exit(1);
        next += PERIOD_NS;
        struct timespec until = {(time_t)(next / 1000000000), (long)(next % 1000000000)};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    }
    words_writer_close(&writer);
    *(uint64_t *)published = n;
    return NULL;
}

/* Reads for a while, with or without a writer: look-ups a second. `published`: times a second. */
static double phase(words_reader *reader, const struct way *way, bool writes, struct found *found, double *published)
{
    pthread_t writer;
    uint64_t n = 0, begin_count = found->looked;
    __atomic_store_n(&stop, false, __ATOMIC_RELAXED);
    if (writes && pthread_create(&writer, NULL, publish, &n) != 0)
        exit(1);
    uint64_t begin = bench_now(), end = begin;
    for (; end - begin < PHASE_NS; end = bench_now())
        for (unsigned i = 0; i < 16; i++)
            way->look(reader, found);
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    if (writes)
        pthread_join(writer, NULL);
    *published = (double)n * 1e9 / (double)(end - begin);
    return (double)(found->looked - begin_count) * 1e9 / (double)(end - begin);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *numbers)
{
    qsort(numbers, ROUNDS, sizeof *numbers, compare);
    return numbers[ROUNDS / 2];
}

static void fill(void)
{
    words_writer writer;
    if (words_init(&map, NULL) != CM_OK || words_writer_open(&map, &writer) != CM_OK ||
        words_reserve(&writer, ENTRIES) != CM_OK)
        exit(1);
    for (uint64_t key = 0; key < ENTRIES; key++)
        if (words_insert(&writer, key, key) != CM_OK)
            exit(1);
    words_publish(&writer);
    words_begin(&writer); /* the other side, too */
    words_writer_close(&writer);
}

static uint64_t total(const struct found *found)
{
    uint64_t sum = 0;
    for (unsigned b = 0; b < BINS; b++)
        sum += found->bins[b];
    return sum ? sum : 1;
}

/* A bar whose length is the logarithm of a share: one mark for a millionth, and two more for each factor of ten. */
static void bar(double share)
{
    for (double mark = 1e-6; share >= mark; mark *= 3.1623)
        putchar('#');
}

static void histogram(const struct found *rest, const struct found *writing)
{
    printf("\n  how long a get took     at rest   publishing   (bars: publishing, each # a factor of 3)\n");
    for (unsigned b = 0; b < BINS; b++) {
        double quiet = (double)rest->bins[b] / (double)total(rest);
        double busy = (double)writing->bins[b] / (double)total(writing);
        if (rest->bins[b] == 0 && writing->bins[b] == 0)
            continue;
        printf("  below %10llu ns  %10.6f%%  %10.6f%%   ", 1ULL << b, 100 * quiet, 100 * busy);
        bar(busy);
        putchar('\n');
    }
}

int main(void)
{
    double rest[WAYS][ROUNDS], writing[WAYS][ROUNDS], ratio[WAYS][ROUNDS], published[ROUNDS], none;
    static struct found plain, timed[2];
    words_reader reader;
    fill();
    if (words_reader_open(&map, &reader) != CM_OK)
        return 1;
    for (size_t r = 0; r < ROUNDS; r++) {
        for (size_t w = 0; w < WAYS; w++) {
            rest[w][r] = phase(&reader, &ways[w], false, &plain, &none);
            writing[w][r] = phase(&reader, &ways[w], true, &plain, &published[r]);
            ratio[w][r] = writing[w][r] / rest[w][r];
        }
        phase(&reader, &ways[TIMED], false, &timed[0], &none);
        phase(&reader, &ways[TIMED], true, &timed[1], &none);
    }
    printf("one reader of %llu entries; the writer publishes %.0f times a second, %d changes each (%llu)\n",
           (unsigned long long)ENTRIES, median(published), CHANGES, (unsigned long long)plain.sum % 10);
    for (size_t w = 0; w < WAYS; w++)
        printf("  %-20s %6.2f M/s at rest, %6.2f M/s while it publishes; ratio, round by round: %.2f\n", ways[w].name,
               median(rest[w]) / 1e6, median(writing[w]) / 1e6, median(ratio[w]));
    histogram(&timed[0], &timed[1]);
    words_reader_close(&reader);
    words_destroy(&map);
    return 0;
}
