/* The suite of all maps (map_suite.h) for every kind of key and value (kinds.h): there are maps by these names, which
 * can be saved, unless NOT_SAVED. */
#define MAP nums
#define SAVED
#define KEY uint64_t
#define VALUE uint64_t
#define KEY_OF(i) (i)
#define VALUE_OF(i) (i)
#define NUMBER(value) (value)
#include "map_suite.h"

#define MAP highs
#define SAVED
#define KEY uint64_t
#define VALUE uint64_t
#define KEY_OF(i) high_key(i)
#define VALUE_OF(i) (i)
#define NUMBER(value) (value)
#include "map_suite.h"

#define MAP smalls
#define SAVED
#define KEY uint32_t
#define VALUE uint32_t
#define KEY_OF(i) ((uint32_t)(i))
#define VALUE_OF(i) ((uint32_t)(i))
#define NUMBER(value) ((uint64_t)(value))
#include "map_suite.h"

#define MAP sessions
#define SAVED
#define KEY uint64_t
#define VALUE struct session
#define KEY_OF(i) (i)
#define VALUE_OF(i) ((struct session){(i), 1, 2})
#define NUMBER(value) ((value).user)
#include "map_suite.h"

#define MAP pages
#define SAVED
#define KEY uint64_t
#define VALUE struct page
#define KEY_OF(i) (i)
#define VALUE_OF(i) ((struct page){{[31] = (i)}})
#define NUMBER(value) ((value).words[31])
#include "map_suite.h"

#define MAP structs
#define SAVED
#define KEY struct tagged
#define VALUE uint64_t
#define KEY_OF(i) ((struct tagged){(uint32_t)(i), (uint32_t)rand(), 1})
#define VALUE_OF(i) (i)
#define NUMBER(value) (value)
#include "map_suite.h"

#define MAP words
#define SAVED
#define KEY cm_str
#define VALUE uint64_t
#define KEY_OF(i) text_of((i), 270)
#define VALUE_OF(i) (i)
#define NUMBER(value) (value)
#include "map_suite.h"

#define MAP longs
#define SAVED
#define KEY cm_str
#define VALUE struct page
#define KEY_OF(i) text_of((i), 600)
#define VALUE_OF(i) ((struct page){{[31] = (i)}})
#define NUMBER(value) ((value).words[31])
#include "map_suite.h"

#define MAP crowds
#define CHAINED
#define SAVED
#define KEY uint64_t
#define VALUE uint64_t
#define KEY_OF(i) (i)
#define VALUE_OF(i) (i)
#define NUMBER(value) (value)
#include "map_suite.h"

#define MAP strides
#define CHAINED
#define SAVED
#define KEY uint64_t
#define VALUE uint64_t
#define KEY_OF(i) ((i) << 20)
#define VALUE_OF(i) (i)
#define NUMBER(value) (value)
#include "map_suite.h"

#define MAP owners
#define SAVED
#define UNDOES_ITSELF 1
#define KEY struct name
#define VALUE struct name
#define KEY_OF(i) ((struct name){(i), "key"})
#define VALUE_OF(i) ((struct name){(i), "value"})
#define NUMBER(value) ((value).number)
#include "map_suite.h"

#define MAP pointers
#define SAVED
#define KEY handle
#define VALUE label
#define KEY_OF(i) ((void *)(uintptr_t)((i)*16))
#define VALUE_OF(i) ((label)(uintptr_t)(i))
#define NUMBER(value) ((uint64_t)(uintptr_t)(value))
#include "map_suite.h"

/* Entries are as aligned as keys and values ask for, whatever the allocator gives (L10). */
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

/* Runs them all; returns how many failed. */
static int kinds_run(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(keys_and_values_are_aligned)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    failed += cmocka_run_group_tests(nums_tests, NULL, NULL);
    failed += cmocka_run_group_tests(highs_tests, NULL, NULL);
    failed += cmocka_run_group_tests(smalls_tests, NULL, NULL);
    failed += cmocka_run_group_tests(sessions_tests, NULL, NULL);
    failed += cmocka_run_group_tests(pages_tests, NULL, NULL);
    failed += cmocka_run_group_tests(structs_tests, NULL, NULL);
    failed += cmocka_run_group_tests(words_tests, NULL, NULL);
    failed += cmocka_run_group_tests(longs_tests, NULL, NULL);
    failed += cmocka_run_group_tests(crowds_tests, NULL, NULL);
    failed += cmocka_run_group_tests(strides_tests, NULL, NULL);
    failed += cmocka_run_group_tests(owners_tests, NULL, NULL);
    failed += cmocka_run_group_tests(pointers_tests, NULL, NULL);
    return failed;
}
