/* The allocator for tests: each block has a header of its own before it. */
#include "failing_allocator.h"

#include <stdlib.h>

#define LIVE UINT64_C(0x636d2d6c6976652d)
#define DEAD UINT64_C(0x636d2d646561642d)

struct header {
    uint64_t magic;
    void *raw;
    size_t size;
    size_t alignment;
};

static bool request_fails(const struct failing_allocator *memory, size_t size)
{
    size_t n = memory->requests;
    return memory->fail_all || n == memory->fail_at || (memory->fail_after && n > memory->fail_after) ||
           (memory->fail_from_bytes && size >= memory->fail_from_bytes);
}

static bool request_is_right(size_t size, size_t alignment)
{
    return size > 0 && alignment > 0 && alignment <= 4096 && (alignment & (alignment - 1)) == 0;
}

/* A block with room for the header before it. Misaligned: at 8 bytes behind a multiple of 16. */
static char *block_make(size_t size, size_t alignment, bool misaligned)
{
    size_t step = alignment < 16 ? 16 : alignment;
    if (size > SIZE_MAX / 2)
        return NULL;
    char *raw = malloc(size + sizeof(struct header) + step + 8);
    if (!raw)
        return NULL;
    char *block = (char *)cm_align_up_((uintptr_t)raw + sizeof(struct header), step) + (misaligned ? 8 : 0);
    struct header header = {LIVE, raw, size, alignment};
    memcpy(block - sizeof header, &header, sizeof header);
    memset(block, 0xa5, size);
    return block;
}

static void *failing_allocate(void *context, size_t size, size_t alignment)
{
    struct failing_allocator *memory = context;
    pthread_mutex_lock(&memory->lock);
    memory->requests++;
    if (!request_is_right(size, alignment))
        memory->mistakes++;
    char *block = request_fails(memory, size) ? NULL : block_make(size, alignment, memory->misaligned);
    if (block) {
        memory->live_blocks++;
        memory->live_bytes += size;
        if (memory->live_bytes > memory->most_bytes)
            memory->most_bytes = memory->live_bytes;
    } else {
        memory->failures++;
    }
    pthread_mutex_unlock(&memory->lock);
    return block;
}

static void failing_deallocate(void *context, void *block, size_t size, size_t alignment)
{
    struct failing_allocator *memory = context;
    struct header header = {0};
    pthread_mutex_lock(&memory->lock);
    if (block)
        memcpy(&header, (char *)block - sizeof header, sizeof header);
    if (header.magic != LIVE || header.size != size || header.alignment != alignment)
        memory->mistakes++;
    if (header.magic == LIVE) {
        memory->live_blocks--;
        memory->live_bytes -= header.size;
        header.magic = DEAD;
        memcpy((char *)block - sizeof header, &header, sizeof header);
        memset(block, 0xde, header.size);
        free(header.raw);
    }
    pthread_mutex_unlock(&memory->lock);
}

void failing_allocator_init(struct failing_allocator *memory)
{
    memset(memory, 0, sizeof *memory);
    memory->allocator = (cm_allocator){failing_allocate, failing_deallocate, memory};
    pthread_mutex_init(&memory->lock, NULL);
}

void failing_allocator_restart(struct failing_allocator *memory)
{
    pthread_mutex_lock(&memory->lock);
    memory->fail_at = memory->fail_after = memory->fail_from_bytes = 0;
    memory->fail_all = false;
    memory->requests = memory->failures = 0;
    pthread_mutex_unlock(&memory->lock);
}

void failing_allocator_fail_at(struct failing_allocator *memory, size_t n)
{
    failing_allocator_restart(memory);
    memory->fail_at = n;
}
