/* The promises of every map, for kinds of keys and values in locked maps. */
#include <concmap/locked_saved.h>

#include "buffer.h"
#include "crew.h"
#include "kinds.h"
#include "texts.h"
#include "unit.h"

#define BY_MESSAGES /* a walk gives entries out, and values to functions */

#define KIND(name, Key, Value, hash, equal)                                                                            \
    CM_LOCKED_MAP(name, Key, Value, hash, equal)                                                                       \
    CM_LOCKED_SAVED(name, 1)
KINDS_PLAIN(KIND)
#define ADDRESSES(name, Key, Value, hash, equal)                                                                       \
    CM_LOCKED_MAP(name, Key, Value, hash, equal)                                                                       \
    CM_LOCKED_SAVED_CODED(name, 1, ADDRESS_CODED, ADDRESS_CODED)
KIND_ADDRESSES(ADDRESSES)
#define OWNED(name, Key, Value, hash, equal)                                                                           \
    CM_LOCKED_MAP_OWNED(name, Key, Value, hash, equal, NAME_OWNED, NAME_OWNED)                                         \
    CM_LOCKED_SAVED_CODED(name, 1, NAME_CODED, NAME_CODED)
KIND_OWNED(OWNED)

#include "kinds_suite.h"

/* Nodes are as aligned as keys and values ask for, whatever the allocator gives (L10). */
static void keys_and_values_are_aligned(void **state)
{
    (void)state;
    aligned map;
    assert_int_equal(aligned_init(&map, NULL), CM_OK);
    for (uint64_t i = 0; i < 1000; i++) {
        assert_int_equal(aligned_put(&map, (struct wide){i}, (struct line){{0}}, NULL), CM_OK);
        assert_int_equal(aligned_update(&map, (struct wide){i}, line_touch, NULL), CM_OK);
    }
    assert_int_equal(misaligned, 0);
    aligned_destroy(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(keys_and_values_are_aligned)};
    int failed = kinds_run();
    failed += cmocka_run_group_tests(tests, NULL, NULL);
    return failed;
}
