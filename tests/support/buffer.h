/* A stream in memory, for saved maps. */
#ifndef CONCMAP_TESTS_BUFFER_H
#define CONCMAP_TESTS_BUFFER_H

#include <concmap/saved.h>
#include <stdlib.h>

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

#endif
