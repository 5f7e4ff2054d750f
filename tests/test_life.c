/* How maps come and go: of static storage, counted, frozen. */
#include <concmap/sharded_set.h>

#include "crew.h"
#include "failing_allocator.h"
#include "unit.h"

CM_SHARDED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_SHARDED_MAP(words, cm_str, uint64_t, cm_hash_str, cm_equal_str)
CM_SHARDED_SET(marks, uint64_t, cm_hash_u64, cm_equal_u64)

static nums fresh = CM_MAP_INITIALIZER;
static words fresh_words = CM_MAP_INITIALIZER;
static marks fresh_marks = CM_MAP_INITIALIZER;

static cm_status add_one(uint64_t *value, void *context)
{
    (void)context;
    ++*value;
    return CM_OK;
}

static void a_static_map_is_empty_until_something_is_added(void **state)
{
    (void)state;
    nums map = CM_MAP_INITIALIZER, copy, other = CM_MAP_INITIALIZER;
    nums_read_guard guard;
    uint64_t value;
    assert_false(nums_get(&map, 1, &value));
    assert_int_equal(nums_clear(&map), CM_OK);
    assert_int_equal(nums_len(&map), 0);
    assert_int_equal(nums_memory(&map).total, 0);
    CM_FOREACH (nums, &map, it)
        fail();
    assert_int_equal(nums_read(&map, 1, &guard), CM_ABSENT);
    assert_int_equal(nums_clear(&map), CM_OK);
    assert_int_equal(nums_settle(&map), CM_OK);
    assert_int_equal(nums_shrink_to_fit(&map), CM_OK);
    assert_int_equal(nums_check(&map, NULL), CM_OK);
    assert_int_equal(nums_clone(&copy, &map), CM_OK);
    nums_destroy(&copy);
    nums_destroy(&map);
    assert_int_equal(nums_remove(&other, 1, NULL), CM_ABSENT);
    assert_int_equal(nums_update(&other, 1, add_one, NULL), CM_ABSENT);
    assert_int_equal(nums_reserve(&other, 1000), CM_OK);
    assert_int_equal(nums_put(&other, 1, 2, NULL), CM_OK);
    assert_true(nums_get(&other, 1, &value) && value == 2);
    nums_destroy(&other);
}

static size_t begin_together(void *context, unsigned i)
{
    size_t wrong = 0;
    char text[24];
    uint64_t keys[10], values[10];
    (void)context;
    for (uint64_t n = 0; n < 1000; n++) {
        uint64_t key = n * 4 + i;
        cm_str word = cm_str_from(text, (size_t)snprintf(text, sizeof text, "%u", (unsigned)key));
        wrong += nums_insert(&fresh, key, key) != CM_OK || !nums_contains(&fresh, key);
        wrong += words_insert(&fresh_words, word, key) != CM_OK || !words_contains(&fresh_words, word);
        wrong += marks_add(&fresh_marks, key) != CM_OK || !marks_contains(&fresh_marks, key);
        keys[n % 10] = values[n % 10] = 100000 + key;
        wrong += n % 10 == 9 && nums_put_many(&fresh, keys, values, 10, NULL) != 10;
    }
    return wrong;
}

static void a_static_map_is_made_once(void **state)
{
    (void)state;
    assert_int_equal(crew_run(4, begin_together, NULL), 0);
    assert_int_equal(nums_len(&fresh), 8000);
    assert_int_equal(words_len(&fresh_words), 4000);
    assert_int_equal(marks_len(&fresh_marks), 4000);
    assert_int_equal(nums_check(&fresh, NULL), CM_OK);
    assert_int_equal(words_check(&fresh_words, NULL), CM_OK);
    nums_destroy(&fresh);
    words_destroy(&fresh_words);
    marks_destroy(&fresh_marks);
}

static size_t use_and_release(void *context, unsigned i)
{
    nums *map = context;
    size_t wrong = 0;
    for (uint64_t n = 0; n < 1000; n++)
        wrong += nums_insert(map, n * 4 + i, n) != CM_OK;
    nums_release(map);
    return wrong;
}

static void the_last_user_destroys_a_shared_map(void **state)
{
    (void)state;
    struct failing_allocator memory;
    cm_status status;
    failing_allocator_init(&memory);
    for (size_t round = 0; round < 50; round++) {
        nums *map = nums_create(&(cm_config){.allocator = &memory.allocator}, &status);
        assert_int_equal(status, CM_OK);
        for (size_t i = 1; i < 4; i++)
            assert_ptr_equal(nums_share(map), map);
        assert_int_equal(crew_run(4, use_and_release, map), 0);
        assert_int_equal(memory.live_blocks, 0);
    }
    for (size_t n = 1; n < 3; n++) {
        failing_allocator_fail_at(&memory, n);
        assert_null(nums_create(&(cm_config){.allocator = &memory.allocator, .capacity = 10}, &status));
        assert_int_equal(status, CM_NOMEM);
        assert_int_equal(memory.live_blocks, 0);
    }
    nums_release(NULL);
}

static void maps_that_are_exchanged_keep_their_users(void **state)
{
    (void)state;
    struct failing_allocator memory;
    nums moved;
    uint64_t value;
    failing_allocator_init(&memory);
    nums *a = nums_create(NULL, NULL), *b = nums_create(&(cm_config){.allocator = &memory.allocator}, NULL);
    assert_true(a && b && nums_share(a) == a);
    assert_int_equal(nums_put(b, 2, 22, NULL), CM_OK);
    nums_swap(a, b);
    nums_release(a); /* there is another one */
    assert_true(nums_get(a, 2, &value) && value == 22);
    assert_int_equal(nums_move(&moved, b), CM_OK);
    nums_destroy(&moved);
    nums_release(a);
    nums_release(b);
    assert_int_equal(memory.live_blocks, 0);
    assert_int_equal(memory.mistakes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_static_map_is_empty_until_something_is_added),
        cmocka_unit_test(a_static_map_is_made_once),
        cmocka_unit_test(the_last_user_destroys_a_shared_map),
        cmocka_unit_test(maps_that_are_exchanged_keep_their_users),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
