/* The promises of every map, for kinds of keys and values in locked maps. */
#include <concmap/locked.h>

#include "crew.h"
#include "kinds.h"
#include "texts.h"
#include "unit.h"

#define BY_MESSAGES /* a walk gives entries out, and values to functions */

#define KIND(name, Key, Value, hash, equal) CM_LOCKED_MAP(name, Key, Value, hash, equal)
KINDS_PLAIN(KIND)
KIND_ADDRESSES(KIND)
#define OWNED(name, Key, Value, hash, equal) CM_LOCKED_MAP_OWNED(name, Key, Value, hash, equal, NAME_OWNED, NAME_OWNED)
KIND_OWNED(OWNED)

#define MAP nums
#define KEY uint64_t
#define VALUE uint64_t
#define KEY_OF(i) (i)
#define VALUE_OF(i) (i)
#define NUMBER(value) (value)
#include "map_suite.h"

#define MAP smalls
#define KEY uint32_t
#define VALUE uint32_t
#define KEY_OF(i) ((uint32_t)(i))
#define VALUE_OF(i) ((uint32_t)(i))
#define NUMBER(value) ((uint64_t)(value))
#include "map_suite.h"

#define MAP structs
#define KEY struct tagged
#define VALUE uint64_t
#define KEY_OF(i) ((struct tagged){(uint32_t)(i), (uint32_t)rand(), 1})
#define VALUE_OF(i) (i)
#define NUMBER(value) (value)
#include "map_suite.h"

#define MAP longs
#define KEY cm_str
#define VALUE struct page
#define KEY_OF(i) text_of((i), 600)
#define VALUE_OF(i) ((struct page){{[31] = (i)}})
#define NUMBER(value) ((value).words[31])
#include "map_suite.h"

#define MAP crowds
#define KEY uint64_t
#define VALUE uint64_t
#define KEY_OF(i) (i)
#define VALUE_OF(i) (i)
#define NUMBER(value) (value)
#include "map_suite.h"

#define MAP strides
#define KEY uint64_t
#define VALUE uint64_t
#define KEY_OF(i) ((i) << 20)
#define VALUE_OF(i) (i)
#define NUMBER(value) (value)
#include "map_suite.h"

#define MAP owners
#define UNDOES_ITSELF 1
#define KEY struct name
#define VALUE struct name
#define KEY_OF(i) ((struct name){(i), "key"})
#define VALUE_OF(i) ((struct name){(i), "value"})
#define NUMBER(value) ((value).number)
#include "map_suite.h"

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
    int failed = cmocka_run_group_tests(nums_tests, NULL, NULL);
    failed += cmocka_run_group_tests(smalls_tests, NULL, NULL);
    failed += cmocka_run_group_tests(structs_tests, NULL, NULL);
    failed += cmocka_run_group_tests(longs_tests, NULL, NULL);
    failed += cmocka_run_group_tests(crowds_tests, NULL, NULL);
    failed += cmocka_run_group_tests(strides_tests, NULL, NULL);
    failed += cmocka_run_group_tests(owners_tests, NULL, NULL);
    failed += cmocka_run_group_tests(tests, NULL, NULL);
    return failed;
}
