/* Dynamic maps of large values, where each request for memory fails in turn. */
#ifndef CONCMAP_TESTS_ANY_FAILING_H
#define CONCMAP_TESTS_ANY_FAILING_H

#include <concmap/any.h>

#include "failing_allocator.h"
#include "large.h"
#include "unit.h"

/* Has `use` make a map of this type, use it and destroy it, until no request fails any more. Whether or not the map
 * owns the values, nothing is lost. */
static inline void any_request_may_fail(bool owned, void (*use)(const struct cm_type *type, const cm_config *config))
{
    struct failing_allocator memory;
    struct cm_type type;
    cm_any_type_u64(&type, sizeof(struct large));
    type.value_clone = owned ? large_clone : NULL;
    type.value_destroy = owned ? large_destroy : NULL;
    failing_allocator_init(&memory);
    for (size_t n = 1; n == 1 || memory.failures > 0; n++) {
        live = 0;
        failing_allocator_fail_at(&memory, n);
        use(&type, &(cm_config){.allocator = &memory.allocator});
        assert_true(!owned || live == 0);
        assert_int_equal(memory.live_blocks, 0);
        assert_int_equal(memory.mistakes, 0);
    }
}

#endif
