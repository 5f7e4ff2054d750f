/* Text keys for adapters in C: what streams hand out, and copies that an entry owns. */
#ifndef BENCH_TEXT_KEY_H
#define BENCH_TEXT_KEY_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../core/fatal.h"
#include "../core/key.h"

struct bench_text {
    const char *data;
    size_t len;
};

#define TEXT_KEY struct bench_text
#define TEXT_KEY_MAKE(text, n) ((struct bench_text){(text), (n)})

static inline uint64_t bench_text_hash(struct bench_text text)
{
    return bench_hash_text(text.data, text.len);
}

static inline bool bench_text_equal(struct bench_text a, struct bench_text b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

static inline struct bench_text bench_text_copy(struct bench_text text)
{
    char *copy = malloc(text.len);
    if (!copy)
        bench_fatal("malloc", 0);
    memcpy(copy, text.data, text.len);
    return (struct bench_text){copy, text.len};
}

#endif
