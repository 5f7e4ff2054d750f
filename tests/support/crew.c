/* Threads for tests. */
#include "crew.h"

#include <concmap/hash.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#define MOST 64

struct member {
    size_t (*work)(void *context, unsigned i);
    void *context;
    unsigned i;
    pthread_barrier_t *start;
    size_t result;
};

static void *member_run(void *context)
{
    struct member *member = context;
    pthread_barrier_wait(member->start);
    member->result = member->work(member->context, member->i);
    return NULL;
}

size_t crew_run(unsigned threads, size_t (*work)(void *, unsigned), void *context)
{
    struct member members[MOST];
    pthread_t ids[MOST];
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, threads);
    for (unsigned i = 0; i < threads; i++) {
        members[i] = (struct member){work, context, i, &start, 0};
        if (pthread_create(&ids[i], NULL, member_run, &members[i]) != 0)
            abort();
    }
    size_t sum = 0;
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
        sum += members[i].result;
    }
    pthread_barrier_destroy(&start);
    return sum;
}

void crew_await(const int *flag)
{
    while (!__atomic_load_n(flag, __ATOMIC_ACQUIRE))
        sched_yield();
}

size_t crew_scale(size_t normal)
{
    normal /= CREW_SLOW ? 8 : 1;
    return getenv("CONCMAP_TEST_LONG") ? normal * 100 : normal;
}

uint64_t crew_seed(const char *test)
{
    const char *given = getenv("CONCMAP_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : cm_seed_random();
    printf("%s: CONCMAP_SEED=%llu\n", test, (unsigned long long)seed);
    return seed | 1;
}
