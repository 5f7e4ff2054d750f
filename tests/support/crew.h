/* Threads for tests: they report, and the main thread asserts. */
#ifndef CONCMAP_TESTS_CREW_H
#define CONCMAP_TESTS_CREW_H

#include <concmap/detail/platform.h>
#include <stddef.h>
#include <stdint.h>

/* Whether this build is some ten times as slow as a release: tests do less then. */
#ifdef __OPTIMIZE__
#define CREW_SLOW (CM_ASAN || CM_TSAN)
#else
#define CREW_SLOW 1
#endif

/* Runs work(context, i) in `threads` threads at once, for i = 0 .. threads - 1, and returns the sum of what they
 * return: by convention the number of things that went wrong. */
size_t crew_run(unsigned threads, size_t (*work)(void *context, unsigned i), void *context);

/* Waits until another thread has set the flag. */
void crew_await(const int *flag);

/* How much to do: `normal`, less in slow builds, a hundred times as much in a long run. */
size_t crew_scale(size_t normal);

/* A small generator of random numbers; the state must not be 0. */
static inline uint64_t crew_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

/* The seed of a random test: that of CONCMAP_SEED, or a fresh one; printed. */
uint64_t crew_seed(const char *test);

#endif
