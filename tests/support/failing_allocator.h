/* An allocator for tests: counts, checks what it gets back, and fails on demand. Thread-safe. */
#ifndef CONCMAP_TESTS_FAILING_ALLOCATOR_H
#define CONCMAP_TESTS_FAILING_ALLOCATOR_H

#include <concmap/allocator.h>
#include <pthread.h>

/* Use: struct failing_allocator memory; failing_allocator_init(&memory); config.allocator = &memory.allocator; ...
 * in the end assert that live_blocks and mistakes are 0. Blocks are filled with rubbish when given out and when
 * taken back. */
struct failing_allocator {
    cm_allocator allocator;

    /* What shall fail; set while no other thread allocates. 0: nothing. Numbers count from 1, since the last init or
     * failing_allocator_restart(). */
    size_t fail_at;    /* the n-th request, once */
    size_t fail_after; /* all requests after the n-th */
    bool fail_all;
    size_t fail_from_bytes; /* all requests of at least so many bytes */
    bool misaligned;        /* give blocks that are aligned to 8 bytes, and to no more */

    /* What happened. Read while no other thread allocates. */
    size_t requests; /* since the last init or restart, failed ones too */
    size_t failures;
    size_t live_blocks;
    size_t live_bytes;
    size_t most_bytes; /* the highest live_bytes */
    size_t mistakes; /* of the caller: frees with another size, alignment or block, requests outside of the contract */

    pthread_mutex_t lock;
};

void failing_allocator_init(struct failing_allocator *memory);
/* Forgets what shall fail, and counts requests and failures from 0 again. */
void failing_allocator_restart(struct failing_allocator *memory);
/* Makes the n-th request from now on fail. */
void failing_allocator_fail_at(struct failing_allocator *memory, size_t n);

#endif
