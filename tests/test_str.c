/* Text keys. */
#include <concmap/str.h>

#include "unit.h"

static bool equal(cm_str a, cm_str b)
{
    return cm_equal_str(&a, &b);
}

static void a_c_string_is_taken_without_its_end(void **state)
{
    (void)state;
    const char *text = "bucket";
    cm_str str = cm_str_of(text);
    assert_ptr_equal(str.data, text);
    assert_int_equal(str.len, 6);
}

static void null_and_the_empty_string_are_the_empty_text(void **state)
{
    (void)state;
    assert_int_equal(cm_str_of(NULL).len, 0);
    assert_int_equal(cm_str_of("").len, 0);
    assert_true(equal(cm_str_of(NULL), cm_str_of("")));
    assert_true(equal(cm_str_of(NULL), cm_str_from(NULL, 0)));
    assert_false(equal(cm_str_of(NULL), cm_str_of("a")));
}

static void texts_are_equal_if_all_bytes_are(void **state)
{
    (void)state;
    char copy[] = "slot";
    assert_true(equal(cm_str_of("slot"), cm_str_of(copy)));
    assert_false(equal(cm_str_of("slot"), cm_str_of("slow")));
    assert_false(equal(cm_str_of("slot"), cm_str_of("slots")));
    assert_true(equal(cm_str_of("slot"), cm_str_from("slots", 4)));
}

static void zeros_are_bytes_like_others(void **state)
{
    (void)state;
    assert_false(equal(cm_str_from("a\0b", 3), cm_str_from("a\0c", 3)));
    assert_false(equal(cm_str_from("a\0", 2), cm_str_from("a", 1)));
    assert_true(equal(cm_str_from("a\0b", 3), cm_str_from("a\0b", 3)));
}

/* Each length has its own way of comparing, up to some: none overlooks a byte. */
static void each_byte_of_each_length_counts(void **state)
{
    (void)state;
    char a[48], b[48];
    for (size_t i = 0; i < sizeof a; i++)
        a[i] = b[i] = (char)(i * 37);
    for (size_t len = 0; len < sizeof a; len++) {
        assert_true(equal(cm_str_from(a, len), cm_str_from(b, len)));
        for (size_t i = 0; i < sizeof a; i++) {
            b[i] ^= (char)(1u << i % 8);
            assert_int_equal(equal(cm_str_from(a, len), cm_str_from(b, len)), i >= len);
            b[i] = a[i];
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_c_string_is_taken_without_its_end),
        cmocka_unit_test(null_and_the_empty_string_are_the_empty_text),
        cmocka_unit_test(texts_are_equal_if_all_bytes_are),
        cmocka_unit_test(zeros_are_bytes_like_others),
        cmocka_unit_test(each_byte_of_each_length_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
