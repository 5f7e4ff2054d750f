/* Sets: keys alone. */
#include <concmap/sharded_set.h>

#include "crew.h"
#include "unit.h"

CM_SHARDED_SET(nums, uint64_t, cm_hash_u64, cm_equal_u64)
CM_SHARDED_SET(words, cm_str, cm_hash_str, cm_equal_str)

#include "set_suite.h"

static void values_take_no_room(void **state)
{
    (void)state;
    assert_int_equal(nums_as_type_.value_size, 0);
    assert_int_equal(cm_layout_of_(&nums_as_type_).slots, 6); /* of eight bytes, beside the state and the link */
}

int main(void)
{
    const struct CMUnitTest own[] = {
        cmocka_unit_test(values_take_no_room),
    };
    int failed = cmocka_run_group_tests(own, NULL, NULL);
    failed += cmocka_run_group_tests(set_tests, NULL, NULL);
    return failed != 0;
}
