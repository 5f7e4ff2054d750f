/* Text and byte keys: a pointer and a length. */
#ifndef CONCMAP_STR_H
#define CONCMAP_STR_H

#include <concmap/detail/platform.h>

/* Bytes, zeros allowed. A map with cm_str keys owns a copy of each key's bytes. */
typedef struct cm_str {
    const char *data;
    size_t len;
} cm_str;

/* Refers to `len` bytes; valid as long as they are. */
CM_TYPED cm_str cm_str_from(const char *data, size_t len)
{
    cm_str str = {data, len};
    return str;
}

/* Refers to a C string without its end; NULL gives the empty text. Valid as long as the string is. O(length). */
CM_TYPED cm_str cm_str_of(const char *text)
{
    return cm_str_from(text, text ? strlen(text) : 0);
}

/* Whether n bytes are equal. Here, and not by a call, where most keys are short: what waits for a key's line is as many
 * look-ups as the processor's window holds, so each instruction less is felt. */
CM_TYPED bool cm_equal_bytes_(const char *a, const char *b, size_t n)
{
    uint64_t first[2], last[2];
    if (n < sizeof first[0] || n > 2 * sizeof first[0])
        return n == 0 || memcmp(a, b, n) == 0;
    memcpy(&first[0], a, sizeof first[0]);
    memcpy(&first[1], b, sizeof first[1]);
    memcpy(&last[0], a + n - sizeof last[0], sizeof last[0]);
    memcpy(&last[1], b + n - sizeof last[1], sizeof last[1]);
    return ((first[0] ^ first[1]) | (last[0] ^ last[1])) == 0;
}

/* Whether two texts have the same bytes. */
CM_TYPED bool cm_equal_str(const cm_str *a, const cm_str *b)
{
    return a->len == b->len && cm_equal_bytes_(a->data, b->data, a->len);
}

#endif
