/* A left-right map of numbers, its writer and a reader, and a thread that sits in a view: for tests. Included behind
 * all other headers and types, because of the plain names that it takes. */
#ifndef CONCMAP_TESTS_LEFTRIGHT_NUMS_H
#define CONCMAP_TESTS_LEFTRIGHT_NUMS_H

#include <concmap/leftright.h>
#include <pthread.h>
#include <time.h>

#include "leftright_modes.h"
#include "unit.h"

#define MS 1000000

CM_LEFTRIGHT_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)

static nums map;
static nums_writer writer;
static nums_reader reader;

static inline void begin(void)
{
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    unfence(map.core);
    assert_int_equal(nums_writer_open(&map, &writer), CM_OK);
    assert_int_equal(nums_reader_open(&map, &reader), CM_OK);
}

static inline void end(void)
{
    const char *reason = NULL;
    assert_int_equal(nums_check(&map, &reason), CM_OK);
    nums_destroy(&map);
}

static inline uint64_t got(nums_reader *from, uint64_t key)
{
    uint64_t value = 0;
    return nums_get(from, key, &value) ? value : UINT64_MAX;
}

static inline void in_thread(void *(*work)(void *), void *context)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, work, context), 0);
    pthread_join(thread, NULL);
}

static inline void nap(long milliseconds)
{
    nanosleep(&(struct timespec){0, milliseconds * MS}, NULL);
}

/* Another thread, which sits in a view until it is told to leave. */
static struct sitter {
    pthread_t thread;
    pthread_barrier_t inside, leave;
    nums_reader *reader;
    long after; /* milliseconds to sit on; then it leaves untold */
    uint64_t seen;
} sitter;

static inline void *sit(void *context)
{
    struct sitter *self = context;
    const nums_view *view = nums_enter(self->reader);
    pthread_barrier_wait(&self->inside);
    if (self->after)
        nap(self->after);
    else
        pthread_barrier_wait(&self->leave);
    const uint64_t *value = nums_view_get(view, 1);
    self->seen = value ? *value : UINT64_MAX;
    nums_leave(self->reader);
    return NULL;
}

static inline void sitter_begin(nums_reader *with, long after)
{
    sitter.reader = with;
    sitter.after = after;
    pthread_barrier_init(&sitter.inside, NULL, 2);
    pthread_barrier_init(&sitter.leave, NULL, 2);
    assert_int_equal(pthread_create(&sitter.thread, NULL, sit, &sitter), 0);
    pthread_barrier_wait(&sitter.inside);
}

static inline uint64_t sitter_end(void)
{
    if (!sitter.after)
        pthread_barrier_wait(&sitter.leave);
    pthread_join(sitter.thread, NULL);
    pthread_barrier_destroy(&sitter.inside);
    pthread_barrier_destroy(&sitter.leave);
    return sitter.seen;
}

#endif
