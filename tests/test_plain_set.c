/* The set over the plain map. */
#define PLAIN
#include <concmap/plain_set.h>

#include "shared_type.h"
#include "unit.h"

CM_PLAIN_SET(nums, uint64_t, cm_hash_u64, cm_equal_u64)
CM_PLAIN_SET(words, cm_str, cm_hash_str, cm_equal_str)

#include "set_suite.h"

static void keys_lie_close_together(void **state)
{
    (void)state;
    nums set;
    assert_int_equal(nums_as_type_.value_size, 0);
    assert_int_equal(nums_init(&set, &(cm_config){.capacity = 10000}), CM_OK);
    fill(&set, 0, 10000);
    assert_true(nums_memory(&set).total < 10000 * 24);
    nums_destroy(&set);
}

static cm_status add_another(const uint64_t *key, void *set)
{
    assert_true(nums_contains(set, *key));
    assert_int_equal(nums_add(set, *key + 1000), CM_DEADLOCK);
    assert_int_equal(nums_remove(set, *key), CM_DEADLOCK);
    return *key < 10 ? CM_OK : CM_ABSENT;
}

static void a_function_of_the_user_reads_and_does_not_change_the_set(void **state)
{
    (void)state;
    nums set;
    begin(&set, 0, 20);
    assert_int_equal(nums_retain(&set, add_another, &set), CM_OK);
    well(&set, 10);
    nums_destroy(&set);
}

static void a_set_of_many_files_is_defined_in_one(void **state)
{
    (void)state;
    stamps set;
    assert_int_equal(stamps_init(&set, NULL), CM_OK);
    assert_int_equal(stamps_add(&set, 5), CM_OK);
    CM_FOREACH (stamps, &set, it)
        assert_int_equal(it.key, 5);
    assert_int_equal(stamps_remove(&set, 5), CM_OK);
    assert_int_equal(stamps_len(&set), 0);
    stamps_destroy(&set);
}

int main(void)
{
    const struct CMUnitTest own[] = {
        cmocka_unit_test(keys_lie_close_together),
        cmocka_unit_test(a_function_of_the_user_reads_and_does_not_change_the_set),
        cmocka_unit_test(a_set_of_many_files_is_defined_in_one),
    };
    int failed = cmocka_run_group_tests(own, NULL, NULL);
    failed += cmocka_run_group_tests(set_tests, NULL, NULL);
    return failed != 0;
}
