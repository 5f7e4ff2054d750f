/* Values of dynamic maps that are larger than the room for them on the stack: a number, over and over. How many there
 * are that somebody owns is counted. */
#ifndef CONCMAP_TESTS_LARGE_H
#define CONCMAP_TESTS_LARGE_H

#include <concmap/status.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define LARGE_WORDS 150

struct large {
    uint64_t words[LARGE_WORDS];
};

static int64_t live;

static inline struct large large_of(uint64_t n)
{
    struct large large;
    for (size_t i = 0; i < LARGE_WORDS; i++)
        large.words[i] = n;
    return large;
}

static inline bool large_is(const struct large *large, uint64_t n)
{
    struct large other = large_of(n);
    return memcmp(large, &other, sizeof other) == 0;
}

static inline bool large_equal(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct large)) == 0;
}

static inline cm_status large_clone(void *to, const void *from, void *context)
{
    (void)context;
    memcpy(to, from, sizeof(struct large));
    live++;
    return CM_OK;
}

static inline void large_destroy(void *value, void *context)
{
    (void)context;
    ((struct large *)value)->words[0] = 999999; /* torn, if anybody still looks */
    live--;
}

static inline cm_status large_make(void *value, void *context)
{
    struct large made = large_of(*(const uint64_t *)context);
    memcpy(value, &made, sizeof made);
    live++;
    return CM_OK;
}

static inline cm_status large_add(void *value, void *context)
{
    struct large *large = value;
    for (size_t i = 0; i < LARGE_WORDS; i++)
        large->words[i] += *(const uint64_t *)context;
    return CM_OK;
}

/* A value for a call that takes it unless it says otherwise. */
static inline struct large *large_give(struct large *room, uint64_t n)
{
    *room = large_of(n);
    live++;
    return room;
}

static inline void large_not_taken(cm_status status)
{
    if (status < 0)
        live--;
}

#endif
