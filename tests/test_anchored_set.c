/* Anchored sets: they are sets, and where a key is stays. */
#define ANCHORED
#include <concmap/anchored_set.h>

#include "crew.h"
#include "unit.h"

CM_ANCHORED_SET(nums, uint64_t, cm_hash_u64, cm_equal_u64)
CM_ANCHORED_SET(words, cm_str, cm_hash_str, cm_equal_str)

#include "set_suite.h"

static void a_key_has_one_address_for_all_who_ask(void **state)
{
    (void)state;
    words set;
    const cm_str *stored[100], *again;
    char text[100];
    assert_int_equal(words_init(&set, NULL), CM_OK);
    memset(text, 'x', sizeof text);
    for (size_t n = 0; n < 100; n++)
        assert_int_equal(words_get_or_add(&set, (cm_str){text, n}, &stored[n]), CM_OK);
    for (size_t n = 0; n < 100; n++) {
        assert_int_equal(words_get_or_add(&set, (cm_str){text, n}, &again), CM_EXISTS);
        assert_ptr_equal(again, stored[n]);
        assert_ptr_equal(words_get(&set, (cm_str){text, n}), stored[n]);
        assert_int_equal(stored[n]->len, n);
        assert_ptr_not_equal(stored[n]->data, text); /* a copy of its own */
        assert_memory_equal(stored[n]->data, text, n);
    }
    assert_null(words_get(&set, cm_str_of("y")));
    words_destroy(&set);
}

static void an_address_outlives_the_removal_of_its_key(void **state)
{
    (void)state;
    nums set;
    begin(&set, 0, 100);
    const uint64_t *at = nums_get(&set, 7);
    assert_int_equal(nums_remove(&set, 7), CM_OK);
    assert_int_equal(nums_subtract(&set, &set), CM_OK); /* which is no clear */
    fill(&set, 100, 3000);
    assert_int_equal(*at, 7);
    assert_null(nums_get(&set, 7));
    assert_true(nums_capacity(&set) >= 2900);
    nums_destroy(&set);
}

static void values_take_no_room(void **state)
{
    (void)state;
    nums set;
    nums_as map;
    begin(&set, 0, 1000);
    assert_int_equal(nums_as_type_.value_size, 0);
    assert_int_equal(cm_layout_of_(&nums_as_type_).node_value, cm_layout_of_(&nums_as_type_).node_key + 8);
    assert_int_equal(sizeof map, sizeof set);
    nums_destroy(&set);
}

struct interned {
    words set;
    const cm_str *seen[4][500];
};

static size_t intern_all(void *context, unsigned i)
{
    struct interned *all = context;
    size_t wrong = 0;
    char text[32];
    for (int n = 0; n < 500; n++) {
        int len = snprintf(text, sizeof text, "word %d", n);
        wrong += words_get_or_add(&all->set, cm_str_from(text, (size_t)len), &all->seen[i][n]) < 0;
    }
    return wrong;
}

static void of_many_who_intern_a_text_all_get_one_address(void **state)
{
    (void)state;
    static struct interned all;
    assert_int_equal(words_init(&all.set, NULL), CM_OK);
    assert_int_equal(crew_run(4, intern_all, &all), 0);
    for (size_t n = 0; n < 500; n++)
        for (size_t i = 1; i < 4; i++)
            assert_ptr_equal(all.seen[i][n], all.seen[0][n]);
    words_destroy(&all.set);
}

int main(void)
{
    const struct CMUnitTest own[] = {
        cmocka_unit_test(a_key_has_one_address_for_all_who_ask),
        cmocka_unit_test(an_address_outlives_the_removal_of_its_key),
        cmocka_unit_test(values_take_no_room),
        cmocka_unit_test(of_many_who_intern_a_text_all_get_one_address),
    };
    int failed = cmocka_run_group_tests(own, NULL, NULL);
    failed += cmocka_run_group_tests(set_tests, NULL, NULL);
    return failed != 0;
}
