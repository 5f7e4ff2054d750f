/* Numbers that are looked up by their decimal digits. */
#ifndef CONCMAP_TESTS_DIGITS_H
#define CONCMAP_TESTS_DIGITS_H

#include <concmap/hash.h>
#include <concmap/str.h>

static inline uint64_t number_of(const cm_str *text)
{
    uint64_t number = 0;
    for (size_t i = 0; i < text->len; i++)
        number = number * 10 + (uint64_t)(text->data[i] - '0');
    return number;
}

static inline uint64_t digits_hash(const cm_str *text, uint64_t seed)
{
    uint64_t number = number_of(text);
    return cm_hash_u64(&number, seed);
}

static inline bool digits_equal(const cm_str *text, const uint64_t *key)
{
    return number_of(text) == *key;
}

#endif
