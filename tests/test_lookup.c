/* Other ways to a key: with its hash computed before, by something of another type, and through a type that is compiled
 * in another file. */
#include <concmap/lookup.h>
#include <concmap/sharded.h>

#include "crew.h"
#include "digits.h"
#include "shared_type.h"
#include "unit.h"

/* A text of two parts, which means the one made of both. */
struct halves {
    cm_str a, b;
};

static uint64_t halves_hash(const struct halves *halves, uint64_t seed)
{
    char text[100];
    memcpy(text, halves->a.data, halves->a.len);
    memcpy(text + halves->a.len, halves->b.data, halves->b.len);
    cm_str both = cm_str_from(text, halves->a.len + halves->b.len);
    return cm_hash_str(&both, seed);
}

static bool halves_equal(const struct halves *halves, const cm_str *key)
{
    return key->len == halves->a.len + halves->b.len && memcmp(key->data, halves->a.data, halves->a.len) == 0 &&
           memcmp(key->data + halves->a.len, halves->b.data, halves->b.len) == 0;
}

CM_SHARDED_MAP(words, cm_str, uint64_t, cm_hash_str, cm_equal_str)
CM_LOOKUP_BY(words_by_halves, words, struct halves, halves_hash, halves_equal)
CM_SHARDED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_LOOKUP_BY(nums_by_digits, nums, cm_str, digits_hash, digits_equal)

static cm_status add_one(uint64_t *value, void *context)
{
    (void)context;
    ++*value;
    return CM_OK;
}

static cm_str digits(uint64_t number)
{
    static char text[24];
    return cm_str_from(text, (size_t)snprintf(text, sizeof text, "%llu", (unsigned long long)number));
}

static void a_text_is_found_by_its_parts(void **state)
{
    (void)state;
    words map;
    uint64_t value;
    words_write_guard guard;
    struct halves foobar = {cm_str_of("foo"), cm_str_of("bar")}, none = {cm_str_of("foo"), cm_str_of("baz")};
    assert_int_equal(words_init(&map, NULL), CM_OK);
    assert_false(words_by_halves_contains(&map, foobar));
    assert_int_equal(words_by_halves_update(&map, foobar, add_one, NULL), CM_ABSENT);
    assert_int_equal(words_put(&map, cm_str_of("foobar"), 1, NULL), CM_OK);
    assert_true(words_by_halves_get(&map, foobar, &value) && value == 1);
    assert_false(words_by_halves_get(&map, none, &value));
    assert_int_equal(words_by_halves_update(&map, foobar, add_one, NULL), CM_OK);
    assert_int_equal(words_by_halves_write(&map, foobar, &guard), CM_OK);
    assert_int_equal(words_by_halves_try_get(&map, foobar, &value), CM_OK); /* its own lock */
    assert_int_equal(words_entry_remove(&guard, NULL), CM_OK);
    assert_non_null(words_entry_insert(&guard, 7)); /* the guard knows the map's key */
    assert_int_equal(words_write_unlock(&guard), CM_OK);
    assert_true(words_get(&map, cm_str_of("foobar"), &value) && value == 7);
    CM_WITH_READ (words_by_halves, &map, foobar, g)
        assert_int_equal(*g.value, 7);
    CM_WITH_WRITE (words_by_halves, &map, foobar, g)
        ++*g.value;
    CM_WITH_READ (words_by_halves, &map, none, g)
        fail();
    else
        assert_int_equal(g.status, CM_ABSENT);
    assert_int_equal(words_by_halves_remove_until(&map, foobar, &value, cm_deadline_after(1)), CM_OK);
    assert_int_equal(value, 8);
    assert_int_equal(words_by_halves_remove(&map, foobar, NULL), CM_ABSENT);
    assert_int_equal(words_check(&map, NULL), CM_OK);
    words_destroy(&map);
}

static void a_number_is_found_by_its_digits(void **state)
{
    (void)state;
    nums map;
    uint64_t value;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    for (uint64_t key = 0; key < 5000; key++) /* found while it grows */
        assert_true(nums_put(&map, key, key, NULL) == CM_OK && nums_by_digits_contains(&map, digits(key / 2)));
    for (uint64_t key = 0; key < 5000; key++)
        assert_true(nums_by_digits_get(&map, digits(key), &value) && value == key);
    for (uint64_t key = 0; key < 5000; key += 2)
        assert_int_equal(nums_by_digits_remove(&map, digits(key), NULL), CM_OK);
    assert_int_equal(nums_shrink_to_fit(&map), CM_OK);
    for (uint64_t key = 0; key < 5000; key++)
        assert_int_equal(nums_contains(&map, key), key % 2 == 1);
    assert_int_equal(nums_check(&map, NULL), CM_OK);
    nums_destroy(&map);
}

static void a_hash_serves_many_calls_and_maps(void **state)
{
    (void)state;
    nums a, b;
    nums_write_guard guard;
    nums_read_guard reader;
    uint64_t value;
    assert_int_equal(nums_init(&a, &(cm_config){.seed = 5}), CM_OK);
    assert_int_equal(nums_init(&b, &(cm_config){.seed = 5}), CM_OK);
    for (uint64_t key = 0; key < 1000; key++) {
        uint64_t hash = nums_hash_of(&a, key);
        assert_int_equal(nums_insert_hashed(&a, hash, key, key), CM_OK);
        assert_int_equal(nums_put_hashed(&b, hash, key, key, NULL), CM_OK);
        assert_int_equal(nums_upsert_hashed(&b, hash, key, 0, add_one, NULL), CM_REPLACED);
        assert_int_equal(nums_update_hashed(&b, hash, key, add_one, NULL), CM_OK);
        assert_true(nums_contains_hashed(&a, hash, key));
        assert_true(nums_get_hashed(&b, hash, key, &value) && value == key + 2);
        assert_int_equal(nums_write_hashed(&b, hash, key, &guard), CM_OK);
        assert_int_equal(nums_write_unlock(&guard), CM_OK);
        assert_int_equal(nums_read_hashed(&b, hash, key, &reader), CM_OK);
        assert_int_equal(nums_read_unlock(&reader), CM_OK);
        assert_true(nums_contains(&a, key) && nums_contains(&b, key)); /* at the very place */
        assert_true(key % 2 || nums_remove_hashed(&a, hash, key, NULL) == CM_OK);
    }
    assert_int_equal(nums_len(&a), 500);
    assert_int_equal(nums_check(&a, NULL), CM_OK);
    assert_int_equal(nums_check(&b, NULL), CM_OK);
    nums_destroy(&a);
    nums_destroy(&b);
}

static size_t count_together(void *context, unsigned i)
{
    size_t wrong = 0;
    for (size_t n = 0; n < crew_scale(10000); n++)
        wrong += tallies_upsert(context, i % 2 ? cm_str_of("odd") : cm_str_of("even"), 1, add_one, NULL) < 0;
    return wrong;
}

static void a_type_of_another_file_is_used_like_any(void **state)
{
    (void)state;
    tallies map;
    marks set;
    uint64_t value, sum = 0;
    assert_int_equal(tallies_init(&map, NULL), CM_OK);
    assert_int_equal(crew_run(4, count_together, &map), 0);
    assert_true(tallies_get(&map, cm_str_of("odd"), &value) && value == 2 * crew_scale(10000));
    CM_WITH_WRITE (tallies, &map, cm_str_of("even"), g)
        *g.value = 5;
    CM_FOREACH (tallies, &map, it)
        sum += it.value;
    assert_int_equal(sum, value + 5);
    assert_int_equal(tallies_check(&map, NULL), CM_OK);
    tallies_destroy(&map);
    assert_int_equal(marks_init(&set, NULL), CM_OK);
    assert_int_equal(marks_add(&set, 5), CM_OK);
    assert_int_equal(marks_add_hashed(&set, marks_hash_of(&set, 5), 5), CM_EXISTS);
    assert_true(marks_contains(&set, 5));
    CM_FOREACH (marks, &set, it)
        assert_int_equal(it.key, 5);
    marks_destroy(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_found_by_its_parts),
        cmocka_unit_test(a_number_is_found_by_its_digits),
        cmocka_unit_test(a_hash_serves_many_calls_and_maps),
        cmocka_unit_test(a_type_of_another_file_is_used_like_any),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
