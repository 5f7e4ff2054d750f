/* Values of 1, 3, 8 and 32 words for adapters written in C. With a u64 key, 3 words make an entry of 32 bytes. */
#ifndef BENCH_VALUE_H
#define BENCH_VALUE_H

#include "key.h"

#define BENCH_VALUE(WORDS)                                                                                             \
    struct bench_value_##WORDS {                                                                                       \
        uint64_t word[WORDS];                                                                                          \
    }

BENCH_VALUE(1);
BENCH_VALUE(3);
BENCH_VALUE(8);
BENCH_VALUE(32);

static inline void bench_value_set(uint64_t *word, size_t n, uint64_t number)
{
    for (size_t j = 0; j < n; j++)
        word[j] = bench_value_word(number, j);
}

/* All words added up: who asked for the value has looked at all of it. */
static inline uint64_t bench_value_sum(const uint64_t *word, size_t n)
{
    uint64_t all = 0;

    for (size_t j = 0; j < n; j++)
        all += word[j];
    return all;
}

#endif
