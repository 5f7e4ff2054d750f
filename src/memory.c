/* Aligned blocks: see detail/memory.h. */
#include <concmap/detail/memory.h>

#include <concmap/detail/match.h>

#include "platform.h"

#define MAPPED_FROM ((size_t)128 << 10)
#define HUGE_FROM ((size_t)4 << 20)

static bool allocator_is_default(const cm_allocator *allocator)
{
    return allocator->allocate == cm_allocator_default()->allocate;
}

static bool addresses_fit(const void *address, size_t size)
{
    uintptr_t first = (uintptr_t)address;
    uintptr_t last = first + size - 1;
    return ((first | last) & ~CM_ADDRESS_MASK_) == 0;
}

static bool block_map(size_t size, size_t alignment, struct cm_block_ *block)
{
    bool huge = size >= HUGE_FROM;
    void *address = cm_platform_map_(size, huge ? CM_HUGE_PAGE_ : alignment, huge);
    if (!address)
        return false;
    *block = (struct cm_block_){address, address, size, alignment, true};
    cm_platform_root_region_(address, size, true);
    return true;
}

/* Asks plainly first, and for room to align by hand where that was not enough. */
static bool block_ask(const cm_allocator *allocator, size_t size, size_t alignment, struct cm_block_ *block)
{
    void *raw = allocator->allocate(allocator->context, size, alignment);
    if (raw && ((uintptr_t)raw & (alignment - 1)) != 0) {
        allocator->deallocate(allocator->context, raw, size, alignment);
        size += alignment - 1;
        raw = allocator->allocate(allocator->context, size, alignment);
    }
    if (!raw)
        return false;
    void *address = (void *)cm_align_up_((uintptr_t)raw, alignment);
    *block = (struct cm_block_){address, raw, size, alignment, false};
    return true;
}

bool cm_block_allocate_(const cm_allocator *allocator, size_t size, size_t alignment, bool zeroed,
                        struct cm_block_ *block)
{
    *block = (struct cm_block_){0};
    if (size > CM_ADDRESS_MASK_)
        return false;
    /* What need not be clear gains nothing by fresh pages, until they are huge. */
    bool mapped = size >= (zeroed ? MAPPED_FROM : HUGE_FROM) && allocator_is_default(allocator);
    if (!(mapped ? block_map(size, alignment, block) : block_ask(allocator, size, alignment, block)))
        return false;
    if (!addresses_fit(block->address, size)) {
        cm_block_release_(allocator, block);
        return false;
    }
    if (zeroed && !mapped)
        memset(block->address, 0, size);
    cm_platform_lockfree_memory_(block->address, size);
    return true;
}

void cm_block_release_(const cm_allocator *allocator, struct cm_block_ *block)
{
    struct cm_block_ gone = *block;
    if (!gone.address)
        return;
    *block = (struct cm_block_){0}; /* before it is released: it may lie in what it tells of */
    if (gone.mapped) {
        cm_platform_root_region_(gone.address, gone.size, false);
        cm_platform_unmap_(gone.address, gone.size);
    } else {
        allocator->deallocate(allocator->context, gone.raw, gone.size, gone.alignment);
    }
}

bool cm_block_release_part_(const cm_allocator *allocator, struct cm_block_ *block, size_t most, size_t *given)
{
    *given = block->size;
    if (!block->mapped || block->size <= most) {
        cm_block_release_(allocator, block);
        return true;
    }
    size_t rest = (block->size - 1) / most * most;
    *given = block->size - rest;
    cm_platform_root_region_(block->address, block->size, false);
    cm_platform_root_region_(block->address, rest, true);
    cm_platform_unmap_((char *)block->address + rest, *given);
    block->size = rest;
    return false;
}

size_t cm_block_empty_(const struct cm_block_ *block, size_t offset, size_t most)
{
    size_t end = block->size - offset < most ? block->size : offset + most;
    return block->mapped ? cm_platform_empty_((char *)block->address + offset, end - offset) : 0;
}
