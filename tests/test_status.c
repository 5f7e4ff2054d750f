/* Statuses and their texts. */
#include <concmap/status.h>

#include "unit.h"

static const cm_status all[] = {CM_OK,      CM_EXISTS,   CM_REPLACED,   CM_ABSENT,  CM_NOMEM,   CM_FULL, CM_BUSY,
                                CM_TIMEOUT, CM_DEADLOCK, CM_OWNER_DIED, CM_INVALID, CM_CORRUPT, CM_IO,   CM_CLOSED};

enum { COUNT = sizeof all / sizeof *all };

static void each_status_has_a_text_of_its_own(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(strlen(cm_status_text(all[i])) > 0);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(cm_status_text(all[i]), cm_status_text(all[j]));
    }
}

static void unknown_numbers_have_a_text_too(void **state)
{
    (void)state;
    const int unknown[] = {4, 1000, -11, -1000, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        const char *text = cm_status_text((cm_status)unknown[i]);
        assert_non_null(text);
        for (size_t j = 0; j < COUNT; j++)
            assert_string_not_equal(text, cm_status_text(all[j]));
    }
}

static void failures_are_below_zero_and_outcomes_are_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(all[i] < 0, i >= 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_status_has_a_text_of_its_own),
        cmocka_unit_test(unknown_numbers_have_a_text_too),
        cmocka_unit_test(failures_are_below_zero_and_outcomes_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
