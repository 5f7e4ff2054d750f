/* Changes of many keys in one turn of a multimap's writer: they do what single ones do, are published together, and are
 * all refused together. */
#include "crew.h"
#include "multimap_items.h"

#include "multimap_nums.h"

#define MOST 1000

static const size_t sizes[] = {3, 100, 100000}; /* of tables: the last one is fetched ahead */
static const size_t batches[] = {0, 1, 31, 32, 33, 64, 65, MOST};

#define SIZES (sizeof sizes / sizeof *sizes)
#define BATCHES (sizeof batches / sizeof *batches)

/* A second map, changed by single calls. */
static nums other;
static nums_writer other_writer;
static nums_reader other_reader;

static void other_begin(void)
{
    assert_int_equal(nums_init(&other, NULL), CM_OK);
    assert_int_equal(nums_writer_open(&other, &other_writer), CM_OK);
    assert_int_equal(nums_reader_open(&other, &other_reader), CM_OK);
}

/* Bag by bag, in the order in which values lie there. */
static void assert_same(void)
{
    const char *reason = NULL;
    size_t seen = 0;
    assert_int_equal(nums_flush(&writer), CM_OK);
    assert_int_equal(nums_flush(&other_writer), CM_OK);
    assert_int_equal(nums_begin(&writer), CM_OK); /* both sides are compared */
    assert_int_equal(nums_check(&map, &reason), CM_OK);
    CM_WITH_VIEW (nums, &reader, view)
        CM_WITH_VIEW (nums, &other_reader, theirs)
            CM_FOREACH (nums_view, view, it) {
                size_t count;
                const uint32_t *values = nums_view_get(theirs, *it.key, &count);
                assert_int_equal(it.count, count);
                assert_true(!count || memcmp(it.values, values, count * sizeof *values) == 0);
                seen++;
            }
    assert_int_equal(seen, nums_writer_len(&other_writer));
}

static void change_both(size_t size, size_t n, uint64_t *random)
{
    static uint64_t keys[MOST];
    static uint32_t values[MOST];
    static cm_status results[MOST];
    size_t gone = 0;
    for (size_t i = 0; i < n; i++) {
        keys[i] = crew_random(random) % (2 * size);
        values[i] = (uint32_t)(crew_random(random) % 4);
    }
    assert_int_equal(nums_insert_many(&writer, keys, values, n, results), n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(nums_insert(&other_writer, keys[i], values[i]), results[i]);
    for (size_t i = 0; i < n; i++)
        values[i] = (uint32_t)(crew_random(random) % 4);
    size_t removed = nums_remove_value_many(&writer, keys, values, n / 2, results);
    for (size_t i = 0; i < n / 2; i++) {
        assert_int_equal(nums_remove_value(&other_writer, keys[i], values[i]), results[i]);
        gone += results[i] == CM_OK;
    }
    assert_int_equal(removed, gone);
}

static void many_changes_do_what_single_ones_do(void **state)
{
    (void)state;
    uint64_t random = crew_seed("pairs");
    for (size_t s = 0; s < SIZES; s++) {
        begin();
        other_begin();
        for (uint64_t key = 0; key < sizes[s]; key++) {
            assert_int_equal(nums_insert(&writer, key, (uint32_t)key), CM_OK);
            assert_int_equal(nums_insert(&other_writer, key, (uint32_t)key), CM_OK);
        }
        for (size_t b = 0; b < BATCHES; b++) {
            change_both(sizes[s], batches[b], &random);
            assert_same();
        }
        nums_destroy(&other);
        end();
    }
}

static void what_is_owned_is_destroyed_once(void **state)
{
    (void)state;
    items things;
    items_writer thing_writer;
    uint64_t keys[90];
    struct item values[90];
    cm_status results[90];
    size_t count;
    assert_int_equal(items_init(&things, NULL), CM_OK);
    assert_int_equal(items_writer_open(&things, &thing_writer), CM_OK);
    for (uint64_t i = 0; i < 90; i++) {
        keys[i] = i % 3;
        values[i] = item_of(i % 9);
    }
    assert_int_equal(items_insert_many(&thing_writer, keys, values, 90, results), 90);
    assert_int_equal(items_publish(&thing_writer), CM_OK);
    for (uint64_t i = 0; i < 90; i++)
        values[i] = item_of(i < 30 ? i % 9 : 100); /* the caller's, of the first 30 there is one */
    assert_int_equal(items_remove_value_many(&thing_writer, keys, values, 90, results), 30);
    for (uint64_t i = 0; i < 90; i++) {
        assert_int_equal(results[i], i < 30 ? CM_OK : CM_ABSENT);
        item_destroy(&values[i], NULL);
    }
    assert_int_equal(alive, 90); /* readers may see them still */
    assert_int_equal(items_publish(&thing_writer), CM_OK);
    assert_int_equal(items_begin(&thing_writer), CM_OK);
    assert_int_equal(alive, 60);
    assert_int_equal(items_writer_count(&thing_writer, 1, &count), CM_OK);
    assert_int_equal(count, 20);
    items_destroy(&things);
    assert_int_equal(alive, 0);
}

static const uint64_t two_keys[] = {1, 2};
static const uint32_t two_values[] = {10, 20};

static void many_changes_are_published_at_once(void **state)
{
    (void)state;
    begin();
    assert_int_equal(nums_publish_every(&writer, 1), CM_OK);
    uint64_t before = nums_publications(&writer).published;
    assert_int_equal(nums_insert_many(&writer, two_keys, two_values, 2, NULL), 2);
    assert_int_equal(nums_publications(&writer).published, before + 1);
    assert_true(nums_contains_value(&reader, 1, 10) && nums_contains_value(&reader, 2, 20));
    assert_int_equal(nums_remove_value_many(&writer, two_keys, two_values, 2, NULL), 2);
    assert_int_equal(nums_publications(&writer).published, before + 2);
    assert_false(nums_contains_value(&reader, 1, 10) || nums_contains_value(&reader, 2, 20));
    end();
}

static void where_there_is_no_turn_each_is_told(void **state)
{
    (void)state;
    cm_status results[2] = {CM_OK, CM_OK};
    begin();
    assert_int_equal(nums_insert_many(&writer, two_keys, two_values, 2, NULL), 2);
    assert_non_null(nums_enter(&reader));
    assert_int_equal(nums_publish(&writer), CM_OK); /* behind it: the caller's own view is older */
    assert_int_equal(nums_insert_many(&writer, two_keys, two_values, 2, results), 0);
    assert_true(results[0] == CM_DEADLOCK && results[1] == CM_DEADLOCK);
    results[0] = results[1] = CM_OK;
    assert_int_equal(nums_try_remove_value_many(&writer, two_keys, two_values, 2, results), 0);
    assert_true(results[0] == CM_DEADLOCK && results[1] == CM_DEADLOCK);
    assert_int_equal(nums_insert_many_until(&writer, two_keys, two_values, 2, NULL, CM_FOREVER), 0);
    nums_leave(&reader);
    assert_int_equal(nums_remove_value_many(&writer, two_keys, two_values, 2, results), 2);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_changes_do_what_single_ones_do),
        cmocka_unit_test(what_is_owned_is_destroyed_once),
        cmocka_unit_test(many_changes_are_published_at_once),
        cmocka_unit_test(where_there_is_no_turn_each_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
