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

/* Whether two texts have the same bytes. */
CM_TYPED bool cm_equal_str(const cm_str *a, const cm_str *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

#endif
