/* What a scan of numbers has shown, each of which has itself for its value. */
#ifndef CONCMAP_TESTS_SEEN_H
#define CONCMAP_TESTS_SEEN_H

#include <concmap/status.h>
#include <stddef.h>
#include <stdint.h>

#define SEEN_KEYS 5000 /* of larger ones only the calls are counted */

struct seen {
    unsigned char times[SEEN_KEYS];
    size_t total;
    size_t fail_at; /* the n-th call */
};

static inline cm_status see(const uint64_t *key, const uint64_t *value, void *context)
{
    struct seen *seen = context;
    if (++seen->total == seen->fail_at)
        return CM_FULL;
    if (*key < SEEN_KEYS)
        seen->times[*key] = (unsigned char)(seen->times[*key] + (*key == *value));
    return CM_OK;
}

#endif
