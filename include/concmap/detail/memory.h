/* Aligned blocks from any allocator, and from the system for large tables. */
#ifndef CONCMAP_DETAIL_MEMORY_H
#define CONCMAP_DETAIL_MEMORY_H

#include <concmap/allocator.h>

CM_BEGIN_DECLS

/* A block, and what is needed to give it back. */
struct cm_block_ {
    void *address; /* aligned; NULL: none */
    void *raw;     /* as the allocator gave it */
    size_t size;   /* as it was asked for */
    size_t alignment;
    bool mapped; /* from the system */
};

/* Gets `size` bytes at a multiple of `alignment`, cleared if `zeroed`. Refuses sizes that overflow, and addresses above 48 bits,
 * because slots carry a tag there. */
CM_API bool cm_block_allocate_(const cm_allocator *allocator, size_t size, size_t alignment, bool zeroed,
                               struct cm_block_ *block);
CM_API void cm_block_release_(const cm_allocator *allocator, struct cm_block_ *block);
/* Gives back at most `most` bytes from the end of a mapped block, or all of any other; true when all is gone. A large unmapping
 * takes milliseconds, which nobody wants inside an insert. `*given` takes the bytes. */
CM_API bool cm_block_release_part_(const cm_allocator *allocator, struct cm_block_ *block, size_t most, size_t *given);

CM_END_DECLS

#endif
