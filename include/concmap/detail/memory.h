/* Aligned blocks from any allocator, and from the system for large tables. */
#ifndef CONCMAP_DETAIL_MEMORY_H
#define CONCMAP_DETAIL_MEMORY_H

#include <concmap/allocator.h>

CM_BEGIN_DECLS

#define CM_HUGE_PAGE_                                                                                                  \
    ((size_t)2 << 20) /* large blocks are mapped in pages of this size, where the system grants them */

/* A block, and what is needed to give it back. */
struct cm_block_ {
    void *address; /* aligned; NULL: none */
    void *raw;     /* as the allocator gave it */
    size_t size;   /* as it was asked for, here and below */
    size_t alignment;
    bool mapped; /* from the system */
};

/* Gets `size` bytes at a multiple of `alignment`, cleared if `zeroed`; a mapped block is clear in any case. False: no
 * memory, and *block is zero. Refuses sizes and addresses above 48 bits, because slots carry a tag there. */
CM_API bool cm_block_allocate_(const cm_allocator *allocator, size_t size, size_t alignment, bool zeroed,
                               struct cm_block_ *block);
/* Gives it back, and sets it to zero first: it may lie in what it tells of. The allocator is the one that it came from,
 * or a copy that does not. */
CM_API void cm_block_release_(const cm_allocator *allocator, struct cm_block_ *block);
/* Gives back at most `most` bytes (a multiple of the page size) from the end of a mapped block, or all of any
 * other; true when all is gone. `*given` takes the bytes. A large unmapping takes milliseconds, which nobody wants
 * inside an insert. */
CM_API bool cm_block_release_part_(const cm_allocator *allocator, struct cm_block_ *block, size_t most, size_t *given);
/* Gives back the pages within `most` bytes of a mapped block from `offset` on, but keeps their addresses: whoever reads
 * there finds zeros. Returns the bytes given back; 0: none could be. */
CM_API size_t cm_block_empty_(const struct cm_block_ *block, size_t offset, size_t most);

CM_END_DECLS

#endif
