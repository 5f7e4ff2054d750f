/* One walk by many threads: each has a part of the map. With pthreads, and with OpenMP where the compiler has it. */
#include <concmap/sharded.h>
#include <pthread.h>
#include <stdio.h>

#define ENTRIES 1000000
#define THREADS 4

CM_SHARDED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)

struct part {
    const nums *map;
    unsigned number;
    uint64_t sum;
    cm_status status;
};

static void *part_sum(void *argument)
{
    struct part *part = argument;
    uint64_t sum = 0;
    nums_iter iter = nums_part_begin(part->map, part->number, THREADS);
    while (nums_iter_next(&iter))
        sum += iter.value;
    part->status = iter.status;
    nums_iter_end(&iter);
    part->sum = sum;
    return NULL;
}

static uint64_t sum_by_pthreads(const nums *map)
{
    pthread_t threads[THREADS];
    struct part parts[THREADS];
    uint64_t sum = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        parts[i] = (struct part){.map = map, .number = i};
        if (pthread_create(&threads[i], NULL, part_sum, &parts[i]) != 0) {
            part_sum(&parts[i]); /* then this thread does it */
            threads[i] = pthread_self();
        }
    }
    for (unsigned i = 0; i < THREADS; i++) {
        if (!pthread_equal(threads[i], pthread_self()))
            pthread_join(threads[i], NULL);
        sum += parts[i].sum;
    }
    return sum;
}

static uint64_t sum_by_openmp(const nums *map)
{
    uint64_t sum = 0;
#if defined(_OPENMP)
#pragma omp parallel for reduction(+ : sum) num_threads(THREADS)
#endif
    for (unsigned i = 0; i < THREADS; i++) {
        struct part part = {.map = map, .number = i};
        part_sum(&part);
        sum += part.sum;
    }
    return sum;
}

int main(void)
{
    nums map;
    if (nums_init(&map, NULL) != CM_OK)
        return 1;
    for (uint64_t key = 0; key < ENTRIES; key++)
        if (nums_put(&map, key, key, NULL) != CM_OK)
            return 1;
    uint64_t expected = (uint64_t)ENTRIES * (ENTRIES - 1) / 2;
    uint64_t by_pthreads = sum_by_pthreads(&map), by_openmp = sum_by_openmp(&map);
    printf("%d entries, %d parts: %llu by pthreads, %llu by OpenMP\n", ENTRIES, THREADS,
           (unsigned long long)by_pthreads, (unsigned long long)by_openmp);
    nums_destroy(&map);
    return by_pthreads == expected && by_openmp == expected ? 0 : 1;
}
