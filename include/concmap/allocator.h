/* Where a map gets its memory. */
#ifndef CONCMAP_ALLOCATOR_H
#define CONCMAP_ALLOCATOR_H

#include <concmap/detail/platform.h>

CM_BEGIN_DECLS

/* Two functions and their context. A map copies them at init, and takes all memory of its own from them.
 *
 * Any thread that uses the map may call them, several at the same time, and frees what another one allocated. They are
 * never called while a lock of the map is held (but by maps behind a mutex), so they may block; but they must not use
 * the map. */
typedef struct cm_allocator {
    /* Memory of `size` bytes (at least 1), not cleared, at a multiple of `alignment` (a power of two, at most
     * 4096). NULL: none; the map's call then returns CM_NOMEM and the map is as before. An allocator that aligns
     * to 8 bytes only will do: the library gives the block back, asks for more and aligns by itself. Addresses
     * above 48 bits, where the library keeps tags, are given back too, and count as none. */
    void *(*allocate)(void *context, size_t size, size_t alignment);
    /* Takes back a block, never NULL, with the size and alignment it was asked for. */
    void (*deallocate)(void *context, void *block, size_t size, size_t alignment);
    void *context; /* handed to both; must outlive the map */
} cm_allocator;

/* malloc and free; a map that uses it takes its large blocks from the system, by mmap. Static, never NULL. */
CM_API const cm_allocator *cm_allocator_default(void);

CM_END_DECLS

#endif
