/* Where a map gets its memory. */
#ifndef CONCMAP_ALLOCATOR_H
#define CONCMAP_ALLOCATOR_H

#include <concmap/detail/platform.h>

CM_BEGIN_DECLS

/* Callbacks with a context. They are called by any thread that uses the map, never while a lock of the map is held; they must
 * not use the map. */
typedef struct cm_allocator {
    /* Memory of `size` bytes, at an address that is a multiple of `alignment` (a power of two), not cleared; NULL: none. An
     * allocator that aligns to 8 bytes only will do: the library then asks for more and aligns by itself. */
    void *(*allocate)(void *context, size_t size, size_t alignment);
    /* Takes memory back, with the size and alignment it was asked for. */
    void (*deallocate)(void *context, void *block, size_t size, size_t alignment);
    void *context;
} cm_allocator;

/* malloc and free. Maps made without an allocator also take large tables from the system by mmap. Static, never NULL. */
CM_API const cm_allocator *cm_allocator_default(void);

CM_END_DECLS

#endif
