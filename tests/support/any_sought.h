/* What keys of dynamic maps are looked up by: numbers by their decimal digits, texts by their parts. */
#ifndef CONCMAP_TESTS_ANY_SOUGHT_H
#define CONCMAP_TESTS_ANY_SOUGHT_H

#include <concmap/any.h>
#include <stdio.h>
#include <string.h>

#include "digits.h"

static inline uint64_t any_digits_hash(const void *sought, uint64_t seed)
{
    uint64_t number = number_of(sought);
    return cm_any_hash_u64(&number, seed);
}

static inline bool any_digits_equal(const void *sought, const void *key)
{
    return number_of(sought) == *(const uint64_t *)key;
}

struct digits {
    cm_str text;
    char room[24];
};

static inline const cm_str *digits(struct digits *digits, uint64_t number)
{
    int len = snprintf(digits->room, sizeof digits->room, "%llu", (unsigned long long)number);
    digits->text = cm_str_from(digits->room, (size_t)len);
    return &digits->text;
}

/* The digits of a number, in room that the next call takes. */
static inline const cm_str *digits_of(uint64_t number)
{
    static struct digits last;
    return digits(&last, number);
}

/* A text of two parts, which means the one made of both. */
struct halves {
    cm_str a, b;
};

static inline uint64_t halves_hash(const void *sought, uint64_t seed)
{
    const struct halves *halves = sought;
    char text[100];
    memcpy(text, halves->a.data, halves->a.len);
    memcpy(text + halves->a.len, halves->b.data, halves->b.len);
    cm_str both = cm_str_from(text, halves->a.len + halves->b.len);
    return cm_any_hash_text(&both, seed);
}

static inline bool halves_equal(const void *sought, const void *key)
{
    const struct halves *halves = sought;
    const cm_str *text = key;
    return text->len == halves->a.len + halves->b.len && memcmp(text->data, halves->a.data, halves->a.len) == 0 &&
           memcmp(text->data + halves->a.len, halves->b.data, halves->b.len) == 0;
}

static const struct halves foobar = {{"foo", 3}, {"bar", 3}}, foobaz = {{"foo", 3}, {"baz", 3}};

#endif
