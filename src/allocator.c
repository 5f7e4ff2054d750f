/* The default allocator. */
#include <concmap/allocator.h>

#include <stdlib.h>

static void *default_allocate(void *context, size_t size, size_t alignment)
{
    (void)context;
    if (alignment <= _Alignof(max_align_t))
        return malloc(size);
    void *block;
    return posix_memalign(&block, alignment, size) == 0 ? block : NULL;
}

static void default_deallocate(void *context, void *block, size_t size, size_t alignment)
{
    (void)context, (void)size, (void)alignment;
    free(block);
}

static const cm_allocator default_allocator = {default_allocate, default_deallocate, NULL};

const cm_allocator *cm_allocator_default(void)
{
    return &default_allocator;
}
