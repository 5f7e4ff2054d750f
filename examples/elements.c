/* Long work on one element each: ten threads find or create an element of their own in a map that is empty at first,
 * and work on it for a second. None of them waits for another, nor does the thread that fills the map meanwhile: so all
 * of it takes little more than a second. An argument sets the milliseconds. */
#include <concmap/locked.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define WORKERS 10
#define OTHERS 100000

struct element {
    uint64_t worked; /* milliseconds */
};

CM_LOCKED_MAP(elements, uint64_t, struct element, cm_hash_u64, cm_equal_u64)

static elements map = CM_MAP_INITIALIZER;
static uint64_t work = 1000;
static atomic_uint inside, most;

static void no_memory(void)
{
    fputs("no memory\n", stderr);
    exit(1);
}

static void *work_on(void *key)
{
    elements_entry *entry;
    struct element fresh = {0};
    if (elements_acquire(&map, (uint64_t)(uintptr_t)key, fresh, &entry) != CM_OK)
        no_memory();
    CM_WITH_ENTRY (elements, entry, g) {
        unsigned now = atomic_fetch_add(&inside, 1) + 1, seen = most;
        while (seen < now && !atomic_compare_exchange_weak(&most, &seen, now))
            ;
        struct timespec time = {(time_t)(work / 1000), (long)(work % 1000) * 1000000};
        nanosleep(&time, NULL);
        g.value->worked += work;
        atomic_fetch_sub(&inside, 1);
    }
    elements_entry_release(entry);
    return NULL;
}

int main(int argc, char **argv)
{
    char *end = NULL;
    pthread_t threads[WORKERS];
    struct timespec begin, now;
    if (argc > 1)
        work = strtoull(argv[1], &end, 10);
    if (argc > 2 || (end && (*end || work == 0 || work > 60000))) {
        fputs("usage: elements [MILLISECONDS], up to 60000\n", stderr);
        return 2;
    }
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (uintptr_t i = 0; i < WORKERS; i++)
        if (pthread_create(&threads[i], NULL, work_on, (void *)i) != 0)
            no_memory();
    struct element fresh = {0};
    for (uint64_t i = 0; i < OTHERS; i++) /* the table grows, while elements are held */
        if (elements_insert(&map, WORKERS + i, fresh) < 0)
            no_memory();
    for (size_t i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    clock_gettime(CLOCK_MONOTONIC, &now);
    double seconds = (double)(now.tv_sec - begin.tv_sec) + (double)(now.tv_nsec - begin.tv_nsec) / 1e9;
    uint64_t worked = 0;
    CM_FOREACH (elements, &map, it)
        CM_WITH_ENTRY (elements, it.entry, g)
            worked += g.value->worked;
    printf("%d threads worked %.1f s in all on elements of their own, up to %u at once, in %.2f s\n", WORKERS,
           (double)worked / 1000, most, seconds);
    printf("%zu elements in the map at the end\n", elements_len(&map));
    elements_destroy(&map);
    return 0;
}
