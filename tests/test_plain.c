/* The plain map: what only it has: values in their places, walks in place, what is done to all of it, static maps. */
#include <concmap/plain.h>

#include "plain_nums.h"
#include "shared_type.h"
#include "unit.h"

static void find_gives_the_value_in_its_place(void **state)
{
    (void)state;
    nums map;
    fill(&map, NULL, 1000);
    *nums_find(&map, 5) = 77;
    assert_int_equal(*nums_find_hashed(&map, nums_hash_of(&map, 5), 5), 77);
    uint64_t value = 0;
    assert_true(nums_get(&map, 5, &value));
    assert_int_equal(value, 77);
    assert_null(nums_find(&map, 1000));
    uint64_t *place = nums_find(&map, 7);
    assert_int_equal(nums_reserve(&map, 1000), CM_OK); /* there is room: nothing moves */
    assert_int_equal(nums_put(&map, 8, 1, NULL), CM_REPLACED);
    assert_ptr_equal(nums_find(&map, 7), place);
    nums_destroy(&map);
}

static void a_walk_in_place_changes_values(void **state)
{
    (void)state;
    nums map;
    fill(&map, NULL, 1000);
    size_t visited = 0;
    CM_FOREACH (nums_place, &map, it) {
        assert_int_equal(*it.key, *it.value);
        *it.value += 1000;
        visited++;
    }
    assert_int_equal(visited, 1000);
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(*nums_find(&map, i), i + 1000);
    nums_destroy(&map);
}

static void what_is_removed_amid_a_walk_is_not_visited(void **state)
{
    (void)state;
    static unsigned char seen[5000];
    memset(seen, 0, sizeof seen);
    nums map;
    size_t removed = 0;
    fill(&map, NULL, 5000);
    CM_FOREACH (nums, &map, it) { /* removes the present one, and one of another thousand */
        seen[it.key]++;
        assert_int_equal(nums_remove(&map, it.key, NULL), CM_OK);
        uint64_t other = (it.key + 1000) % 5000;
        if (!seen[other]) {
            assert_int_equal(nums_remove(&map, other, NULL), CM_OK);
            seen[other] = 100;
            removed++;
        }
    }
    assert_int_equal(nums_len(&map), 0);
    assert_true(removed > 1000);
    for (size_t i = 0; i < 5000; i++)
        assert_true(seen[i] == 1 || seen[i] == 100);
    sound(&map);
    nums_destroy(&map);
}

static void a_walk_ends_where_the_table_has_moved(void **state)
{
    (void)state;
    nums map;
    fill(&map, NULL, 100);
    nums_iter iter = nums_iter_begin(&map);
    assert_true(nums_iter_next(&iter));
    assert_int_equal(nums_reserve(&map, 10000), CM_OK);
    assert_false(nums_iter_next(&iter));
    assert_int_equal(iter.status, CM_INVALID);
    nums_iter_end(&iter);
    size_t steps = 0; /* room was made before: adding is no hindrance */
    CM_FOREACH (nums, &map, it)
        if (steps++ < 100)
            assert_int_equal(nums_insert(&map, 1000 + steps, 0), CM_OK);
    assert_true(steps >= 100 && steps <= 200);
    nums_iter empty = nums_iter_begin(&map);
    assert_int_equal(nums_clear(&map), CM_OK);
    assert_false(nums_iter_next(&empty));
    assert_int_equal(empty.status, CM_OK);
    nums_destroy(&map);
}

static cm_status meddle(uint64_t *value, void *context)
{
    nums *map = context;
    uint64_t before = *value, seen = 0;
    assert_true(nums_get(map, 1, &seen)); /* reading is allowed */
    assert_int_equal(nums_insert(map, 9999, 1), CM_DEADLOCK);
    assert_int_equal(nums_put(map, 2, 1, NULL), CM_DEADLOCK);
    assert_int_equal(nums_remove(map, 2, NULL), CM_DEADLOCK);
    assert_int_equal(nums_update(map, 2, meddle, map), CM_DEADLOCK);
    assert_int_equal(nums_clear(map), CM_DEADLOCK);
    assert_int_equal(nums_reserve(map, 100000), CM_DEADLOCK);
    assert_int_equal(nums_shrink_to_fit(map), CM_DEADLOCK);
    *value = before + 1;
    return CM_OK;
}

static cm_status meddle_keep(const uint64_t *key, const uint64_t *value, void *context)
{
    (void)value;
    assert_int_equal(nums_remove(context, *key, NULL), CM_DEADLOCK);
    return *key % 2 ? CM_OK : CM_ABSENT;
}

static void functions_cannot_change_the_map(void **state)
{
    (void)state;
    nums map;
    fill(&map, NULL, 100);
    assert_int_equal(nums_update(&map, 1, meddle, &map), CM_OK);
    assert_int_equal(nums_upsert(&map, 1, 0, meddle, &map), CM_REPLACED);
    assert_int_equal(*nums_find(&map, 1), 3);
    assert_int_equal(nums_get_or_insert_with(&map, 1000, meddle, &map, NULL), CM_OK);
    assert_int_equal(nums_remove_if(&map, 1000, meddle, &map, NULL), CM_OK);
    assert_int_equal(nums_retain(&map, meddle_keep, &map), CM_OK);
    assert_int_equal(nums_len(&map), 50);
    assert_int_equal(nums_insert(&map, 9999, 1), CM_OK);
    sound(&map);
    nums_destroy(&map);
}

static bool is_even(const uint64_t *value, void *context)
{
    (void)context;
    return *value % 2 == 0;
}

static cm_status add(uint64_t *value, void *context)
{
    *value += *(const uint64_t *)context;
    return CM_OK;
}

static void conditional_changes_tell_what_they_did(void **state)
{
    (void)state;
    nums map;
    uint64_t ten = 10, value = 0;
    fill(&map, NULL, 10);
    assert_int_equal(nums_update_if(&map, 2, is_even, add, &ten), CM_OK);
    assert_int_equal(nums_update_if(&map, 3, is_even, add, &ten), CM_EXISTS);
    assert_int_equal(nums_update_if(&map, 99, is_even, add, &ten), CM_ABSENT);
    assert_int_equal(*nums_find(&map, 2), 12);
    assert_int_equal(nums_remove_if(&map, 2, spoil, NULL, NULL), CM_IO);
    assert_int_equal(nums_replace(&map, 4, 44, &value), CM_REPLACED);
    assert_int_equal(value, 4);
    assert_int_equal(nums_replace(&map, 99, 1, &value), CM_ABSENT);
    value = 5;
    assert_int_equal(nums_compare_exchange(&map, 4, &value, 1, cm_equal_u64), CM_EXISTS);
    assert_int_equal(value, 44);
    assert_int_equal(nums_compare_exchange(&map, 4, &value, 1, cm_equal_u64), CM_REPLACED);
    assert_int_equal(nums_compare_exchange(&map, 99, &value, 1, cm_equal_u64), CM_ABSENT);
    assert_int_equal(nums_take_or(&map, 4, 8, &value), CM_OK);
    assert_int_equal(value, 1);
    assert_int_equal(nums_take_or(&map, 4, 8, &value), CM_ABSENT);
    assert_int_equal(value, 8);
    assert_int_equal(nums_len(&map), 9);
    sound(&map);
    nums_destroy(&map);
}

static cm_status collect(const uint64_t *key, uint64_t *value, void *context)
{
    assert_int_equal(*key, *value);
    *(uint64_t *)context += *value;
    return CM_OK;
}

static cm_status is_small(const uint64_t *key, const uint64_t *value, void *context)
{
    (void)value, (void)context;
    return *key < 10 ? CM_OK : CM_ABSENT;
}

static cm_status take_theirs(uint64_t *mine, const uint64_t *theirs, void *context)
{
    (void)context;
    *mine += *theirs;
    return CM_OK;
}

static void whole_map_work_does_what_it_says(void **state)
{
    (void)state;
    nums map, copy, moved;
    uint64_t sum = 0, keys[100], values[100];
    size_t count = 0;
    fill(&map, NULL, 100);
    assert_int_equal(nums_clone(&copy, &map), CM_OK);
    assert_int_equal(nums_equals(&copy, &map, cm_equal_u64), CM_OK);
    assert_int_equal(nums_extract_if(&map, is_small, collect, &sum), CM_OK);
    assert_int_equal(sum, 45);
    assert_int_equal(nums_len(&map), 90);
    assert_int_equal(nums_equals(&copy, &map, cm_equal_u64), CM_ABSENT);
    assert_int_equal(nums_merge(&map, &copy, take_theirs, NULL), CM_OK);
    assert_int_equal(*nums_find(&map, 50), 100);
    assert_int_equal(*nums_find(&map, 5), 5);
    assert_int_equal(nums_merge(&map, &map, NULL, NULL), CM_INVALID);
    assert_int_equal(nums_to_arrays(&copy, keys, values, 99, &count), CM_FULL);
    assert_int_equal(nums_to_arrays(&copy, keys, values, 100, &count), CM_OK);
    assert_int_equal(count, 100);
    nums_swap(&map, &copy);
    assert_int_equal(*nums_find(&copy, 50), 100);
    assert_int_equal(nums_move(&moved, &copy), CM_OK);
    assert_int_equal(nums_len(&copy), 0);
    assert_int_equal(nums_len(&moved), 100);
    assert_int_equal(nums_insert(&copy, 1, 1), CM_OK);
    sum = 0;
    assert_int_equal(nums_drain(&map, collect, &sum), CM_OK);
    assert_int_equal(sum, 4950);
    assert_int_equal(nums_len(&map), 0);
    assert_int_equal(nums_shrink_to_fit(&map), CM_OK);
    assert_int_equal(nums_memory(&map).total, 0);
    sound(&map), sound(&copy), sound(&moved);
    nums_destroy(&map), nums_destroy(&copy), nums_destroy(&moved);
}

static void a_static_map_needs_no_init(void **state)
{
    (void)state;
    static nums map = CM_PLAIN_INITIALIZER, other = CM_PLAIN_INITIALIZER;
    nums copy;
    assert_false(nums_contains(&map, 1));
    assert_null(nums_find(&map, 1));
    assert_int_equal(nums_remove(&map, 1, NULL), CM_ABSENT);
    assert_int_equal(nums_clone(&copy, &other), CM_OK);
    assert_int_equal(nums_check(&map, NULL), CM_OK);
    assert_int_equal(nums_put(&copy, 1, 2, NULL), CM_OK);
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(nums_put(&map, i, 2, NULL), CM_OK);
    assert_int_equal(nums_reserve(&other, 5000), CM_OK);
    sound(&map), sound(&copy), sound(&other);
    nums_destroy(&map), nums_destroy(&copy), nums_destroy(&other);
}

/* Several threads may read a map that nobody has added to yet. */
static void who_reads_a_static_map_writes_nothing(void **state)
{
    (void)state;
    static nums map = CM_PLAIN_INITIALIZER, untouched = CM_PLAIN_INITIALIZER;
    const uint64_t keys[3] = {1, 2, 3};
    bool found[3];
    uint64_t values[3];
    assert_int_equal(nums_get_many(&map, keys, 3, found, values), 0);
    assert_false(nums_get(&map, 1, values) || nums_contains(&map, 1) || nums_find(&map, 1));
    CM_FOREACH (nums, &map, it)
        fail();
    assert_memory_equal(&map, &untouched, sizeof map);
    nums_destroy(&map);
}

static void a_declared_type_is_used_from_another_file(void **state)
{
    (void)state;
    ledger map;
    uint64_t value = 0;
    assert_int_equal(ledger_init(&map, NULL), CM_OK);
    assert_int_equal(ledger_put(&map, cm_str_of("one"), 1, NULL), CM_OK);
    assert_true(ledger_get(&map, cm_str_of("one"), &value));
    assert_int_equal(*ledger_find(&map, cm_str_of("one")), 1);
    CM_FOREACH (ledger_place, &map, it)
        *it.value = 2;
    assert_int_equal(ledger_take_or(&map, cm_str_of("one"), 0, &value), CM_OK);
    assert_int_equal(value, 2);
    ledger_destroy(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(find_gives_the_value_in_its_place),
        cmocka_unit_test(a_walk_in_place_changes_values),
        cmocka_unit_test(what_is_removed_amid_a_walk_is_not_visited),
        cmocka_unit_test(a_walk_ends_where_the_table_has_moved),
        cmocka_unit_test(functions_cannot_change_the_map),
        cmocka_unit_test(conditional_changes_tell_what_they_did),
        cmocka_unit_test(whole_map_work_does_what_it_says),
        cmocka_unit_test(a_static_map_needs_no_init),
        cmocka_unit_test(who_reads_a_static_map_writes_nothing),
        cmocka_unit_test(a_declared_type_is_used_from_another_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
