/* Keys of text for tests. */
#ifndef CONCMAP_TESTS_TEXTS_H
#define CONCMAP_TESTS_TEXTS_H

#include <concmap/str.h>
#include <stdio.h>

/* Texts of all sizes about the limits of node classes, some with zero bytes. Each number keeps its place for 16,384
 * calls, as the suite holds at most that many at a time. */
static inline cm_str text_of(uint64_t i, size_t longest)
{
    static char texts[16384][24 + 600];
    char *text = texts[i % 16384];
    size_t len = i == 0 ? 0 : (size_t)snprintf(text, 24, "%llu:", (unsigned long long)i);
    size_t more = i * 7 % longest;
    for (size_t k = 0; i && k < more; k++)
        text[len++] = (char)(k % 5);
    return cm_str_from(text, len);
}

/* The digits of a number, in memory of the caller. */
static inline cm_str text_at(char text[64], uint64_t i)
{
    return cm_str_from(text, (size_t)snprintf(text, 64, "%llu", (unsigned long long)i));
}

#endif
