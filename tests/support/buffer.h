/* A stream in memory, for saved maps, that can be damaged behind its checks. */
#ifndef CONCMAP_TESTS_BUFFER_H
#define CONCMAP_TESTS_BUFFER_H

#include <concmap/hash.h>
#include <concmap/saved.h>
#include <stdlib.h>

#define FIRST_FRAME 64 /* where the first block begins */
#define FRAME 32

struct buffer {
    char *bytes;
    size_t size;
    size_t room;
    size_t at;      /* of what was read */
    size_t calls;   /* of reads and writes */
    size_t fail_at; /* the n-th of them; 0: none */
};

static inline cm_status buffer_write(void *context, const void *bytes, size_t size)
{
    struct buffer *buffer = context;
    if (++buffer->calls == buffer->fail_at)
        return (cm_status)-77;
    if (buffer->size + size > buffer->room) {
        buffer->room = 2 * (buffer->size + size);
        buffer->bytes = realloc(buffer->bytes, buffer->room);
    }
    memcpy(buffer->bytes + buffer->size, bytes, size);
    buffer->size += size;
    return CM_OK;
}

static inline cm_status buffer_read(void *context, void *bytes, size_t size, size_t *got)
{
    struct buffer *buffer = context;
    if (++buffer->calls == buffer->fail_at)
        return (cm_status)-77;
    size_t left = buffer->size - buffer->at;
    *got = left < size ? left : size;
    if (*got)
        memcpy(bytes, buffer->bytes + buffer->at, *got);
    buffer->at += *got;
    return CM_OK;
}

static inline cm_sink buffer_sink(struct buffer *buffer)
{
    return (cm_sink){buffer_write, buffer};
}

/* From its beginning. */
static inline cm_source buffer_source(struct buffer *buffer)
{
    buffer->at = 0;
    return (cm_source){buffer_read, buffer};
}

static inline void buffer_free(struct buffer *buffer)
{
    free(buffer->bytes);
    *buffer = (struct buffer){.bytes = NULL};
}

/* Makes all checks right again: what the loader sees past them. */
static inline void buffer_reseal(struct buffer *buffer)
{
    uint64_t chain = cm_hash_bytes_fast(buffer->bytes, FIRST_FRAME - 8, 0), bytes, check;
    memcpy(buffer->bytes + FIRST_FRAME - 8, &chain, 8);
    for (size_t at = FIRST_FRAME; at + FRAME <= buffer->size; at += FRAME + (size_t)bytes) {
        memcpy(&bytes, buffer->bytes + at, 8);
        if (bytes && bytes <= buffer->size - at - FRAME) {
            check = cm_hash_bytes_fast(buffer->bytes + at + FRAME, bytes, 0);
            memcpy(buffer->bytes + at + 16, &check, 8);
        }
        chain = cm_hash_bytes_fast(buffer->bytes + at, FRAME - 8, chain);
        memcpy(buffer->bytes + at + FRAME - 8, &chain, 8);
        if (bytes == 0 || bytes > buffer->size - at - FRAME)
            return;
    }
}

#endif
