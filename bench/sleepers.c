/* sleepers-bench: work that takes long, inside values. Each of 16 threads sleeps 100 us in a value of its own, as often
 * as it can, and one operation in 20 inserts or removes another key instead. The locked map beside Rust's
 * RwLock<HashMap<K, Mutex<V>>>, in turns of one run: the median of the rounds of operations a second, of the median
 * wait of an insert or removal, and of their ratios in the same round. */
#include <concmap/locked.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 9
#define THREADS 16
#define OPERATIONS 2000 /* of each thread and round */
#define SLEEP_NS 100000
#define CHURN 20

CM_LOCKED_MAP(counts, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)

static counts map;

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void work_in(uint64_t *value)
{
    nanosleep(&(struct timespec){.tv_nsec = SLEEP_NS}, NULL);
    ++*value;
}

static void locked_work(uint64_t key)
{
    counts_entry *entry = counts_find(&map, key);
    CM_WITH_ENTRY (counts, entry, g)
        work_in(g.value);
    counts_entry_release(entry);
}

static void locked_insert(uint64_t key)
{
    counts_insert(&map, key, 0);
}

static void locked_remove(uint64_t key)
{
    counts_remove(&map, key, NULL);
}

/* bench/peers/rust/src/sleepers.rs */
void bench_sleepers_work(uint64_t key, void (*work)(uint64_t *value));
void bench_sleepers_insert(uint64_t key);
void bench_sleepers_remove(uint64_t key);

static void std_work(uint64_t key)
{
    bench_sleepers_work(key, work_in);
}

struct way {
    const char *name;
    void (*work)(uint64_t key);
    void (*insert)(uint64_t key);
    void (*remove)(uint64_t key);
};
static const struct way ways[2] = {{"locked", locked_work, locked_insert, locked_remove},
                                   {"std-rwlock", std_work, bench_sleepers_insert, bench_sleepers_remove}};

struct sleeper {
    const struct way *way;
    uint64_t own;
    uint64_t waits[OPERATIONS / CHURN];
};

static void *sleeper_run(void *context)
{
    struct sleeper *sleeper = context;
    for (uint64_t i = 0; i < OPERATIONS; i++) {
        uint64_t other = 1000 + sleeper->own * OPERATIONS + i / (2 * CHURN);
        uint64_t begin = now();
        if (i % CHURN)
            sleeper->way->work(sleeper->own);
        else if (i / CHURN % 2 == 0)
            sleeper->way->insert(other);
        else
            sleeper->way->remove(other);
        if (i % CHURN == 0)
            sleeper->waits[i / CHURN] = now() - begin;
    }
    return NULL;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *numbers, size_t n)
{
    qsort(numbers, n, sizeof *numbers, compare);
    return numbers[n / 2];
}

/* One round: operations a second, and the median wait in nanoseconds. */
static void round_run(const struct way *way, double *rate, double *wait)
{
    static struct sleeper sleepers[THREADS];
    static double waits[THREADS * (OPERATIONS / CHURN)];
    pthread_t threads[THREADS];
    size_t n = 0;
    uint64_t begin = now();
    for (uint64_t i = 0; i < THREADS; i++) {
        sleepers[i].way = way;
        sleepers[i].own = i;
        if (pthread_create(&threads[i], NULL, sleeper_run, &sleepers[i]) != 0)
            exit(1);
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    *rate = (double)THREADS * OPERATIONS * 1e9 / (double)(now() - begin);
    for (size_t i = 0; i < THREADS; i++)
        for (size_t k = 0; k < OPERATIONS / CHURN; k++)
            waits[n++] = (double)sleepers[i].waits[k];
    *wait = median(waits, n);
}

int main(void)
{
    double rates[2][ROUNDS], waits[2][ROUNDS], faster[ROUNDS], sooner[ROUNDS];
    if (counts_init(&map, NULL) != CM_OK)
        return 1;
    for (size_t w = 0; w < 2; w++)
        for (uint64_t i = 0; i < THREADS; i++)
            ways[w].insert(i);
    for (size_t r = 0; r < ROUNDS; r++) {
        for (size_t w = 0; w < 2; w++)
            round_run(&ways[w], &rates[w][r], &waits[w][r]);
        faster[r] = rates[0][r] / rates[1][r];
        sooner[r] = waits[0][r] / waits[1][r];
    }
    printf("%d threads that sleep %d us in their values; one operation in %d inserts or removes a key\n", THREADS,
           SLEEP_NS / 1000, CHURN);
    for (size_t w = 0; w < 2; w++)
        printf("  %-11s %9.0f operations/s, median wait of inserts and removes %9.0f ns\n", ways[w].name,
               median(rates[w], ROUNDS), median(waits[w], ROUNDS));
    printf("  ratios, round by round: %.2f of the operations, 1/%.0f of the wait\n", median(faster, ROUNDS),
           1 / median(sooner, ROUNDS));
    counts_destroy(&map);
    return 0;
}
