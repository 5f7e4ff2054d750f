/* The smallest use of the library: it links, it runs, its outcomes have names. */
#include <concmap/status.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void the_library_names_its_outcomes(void **state)
{
    (void)state;
    assert_true(strlen(cm_status_text(CM_OK)) > 0);
    assert_true(strlen(cm_status_text(CM_NOMEM)) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_library_names_its_outcomes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
