/* swap-bench: what it costs to look at one hot object. The swap cell beside a plain pointer, a mutex, and arc-swap.
 *
 * Each thread loads the pointer, and a member whose place depends on the one loaded before, as often as it can. All
 * ways take turns in one run; the median of the rounds is printed, in nanoseconds a load, and as a ratio to the plain
 * pointer of the same round. */
#include <concmap/swap.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 9
#define LOADS 4000000
#define MOST_THREADS 16

struct object {
    uint64_t word[8];
};
CM_SWAP(cells, struct object)

static cells cell;
static struct object *plain;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* A member of the object, by the last one; what was loaded is not forgotten. */
static uint64_t look(const struct object *object, uint64_t sum)
{
    sum += object->word[sum & 7];
    __asm__ volatile("" : "+r"(sum));
    return sum;
}

static uint64_t plain_loads(uint64_t rounds)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < rounds; i++)
        sum = look(__atomic_load_n(&plain, __ATOMIC_ACQUIRE), sum);
    return sum;
}

static uint64_t swap_loads(uint64_t rounds)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < rounds; i++) {
        cells_pin pin;
        sum = look(cells_load(&cell, &pin), sum);
        cells_unload(&pin);
    }
    return sum;
}

static uint64_t cached_loads(uint64_t rounds)
{
    uint64_t sum = 0;
    cells_cache cache = {0};
    for (uint64_t i = 0; i < rounds; i++)
        sum = look(cells_cached(&cell, &cache), sum);
    cells_cache_end(&cache);
    return sum;
}

static uint64_t full_loads(uint64_t rounds)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < rounds; i++) {
        const struct object *object = cells_load_full(&cell);
        sum = look(object, sum);
        cells_release(object);
    }
    return sum;
}

static uint64_t mutex_loads(uint64_t rounds)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < rounds; i++) {
        pthread_mutex_lock(&mutex);
        sum = look(plain, sum);
        pthread_mutex_unlock(&mutex);
    }
    return sum;
}

static uint64_t swap_stores(uint64_t rounds)
{
    uint64_t failed = 0;
    for (uint64_t i = 0; i < rounds; i++)
        failed += cells_store(&cell, (struct object){{0}}) != CM_OK;
    return failed;
}

#ifdef SWAP_BENCH_ARC_SWAP
uint64_t bench_arc_swap_load(uint64_t rounds);
uint64_t bench_arc_swap_load_full(uint64_t rounds);
uint64_t bench_arc_swap_store(uint64_t rounds);
#endif

static const struct way {
    const char *name;
    uint64_t (*run)(uint64_t rounds);
    uint64_t rounds;
} ways[] = {
    {"plain pointer", plain_loads, LOADS},
    {"load", swap_loads, LOADS},
    {"cached", cached_loads, LOADS},
    {"load_full", full_loads, LOADS / 4},
    {"mutex", mutex_loads, LOADS / 4},
    {"store", swap_stores, LOADS / 64},
#ifdef SWAP_BENCH_ARC_SWAP
    {"arc-swap load", bench_arc_swap_load, LOADS},
    {"arc-swap load_full", bench_arc_swap_load_full, LOADS / 4},
    {"arc-swap store", bench_arc_swap_store, LOADS / 64},
#endif
};
enum { WAYS = sizeof ways / sizeof *ways };

struct worker {
    const struct way *way;
    pthread_barrier_t *start;
    double nanoseconds; /* for one load */
    uint64_t sum;
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void *work(void *context)
{
    struct worker *worker = context;
    pthread_barrier_wait(worker->start);
    double begin = now();
    worker->sum = worker->way->run(worker->way->rounds);
    worker->nanoseconds = (now() - begin) / (double)worker->way->rounds;
    return NULL;
}

/* The mean of the threads; less than 0: there is no memory for them. */
static double measure(const struct way *way, unsigned threads)
{
    pthread_t ids[MOST_THREADS];
    struct worker workers[MOST_THREADS];
    pthread_barrier_t start;
    double total = 0;
    pthread_barrier_init(&start, NULL, threads);
    for (unsigned i = 0; i < threads; i++) {
        workers[i] = (struct worker){.way = way, .start = &start};
        if (pthread_create(&ids[i], NULL, work, &workers[i]) != 0)
            exit(1);
    }
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
        total += workers[i].nanoseconds;
    }
    pthread_barrier_destroy(&start);
    return total / threads;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, ROUNDS, sizeof *values, compare);
    return values[ROUNDS / 2];
}

static void compare_ways(unsigned threads)
{
    static double nanoseconds[WAYS][ROUNDS], ratios[WAYS][ROUNDS];
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < WAYS; i++) {
            nanoseconds[i][round] = measure(&ways[i], threads);
            ratios[i][round] = nanoseconds[i][round] / nanoseconds[0][round];
        }
    }
    printf("%u threads\n", threads);
    for (unsigned i = 0; i < WAYS; i++)
        printf("  %-20s %8.1f ns %8.2f\n", ways[i].name, median(nanoseconds[i]), median(ratios[i]));
}

int main(int argc, char **argv)
{
    static struct object zero;
    plain = &zero;
    if (cells_init(&cell, zero, NULL) != CM_OK)
        return 1;
    for (int i = 1; i < argc || i == 1; i++) {
        long threads = i < argc ? strtol(argv[i], NULL, 10) : 1;
        if (threads < 1 || threads > MOST_THREADS) {
            fprintf(stderr, "swap-bench: takes numbers of threads, 1 to %d\n", MOST_THREADS);
            return 2;
        }
        compare_ways((unsigned)threads);
    }
    cells_destroy(&cell);
    return 0;
}
