/* The left-right multimap: its promises one by one. */
#include <stdlib.h>

#include "crew.h"
#include "failing_allocator.h"
#include "multimap_items.h"
#include "unit.h"

#include "multimap_nums.h"

/* The values that the key has for readers, as one number: 123 for 1, 2, 3; 0: none; UINT64_MAX: there is no key. */
static uint64_t digits(uint64_t key)
{
    uint64_t all = UINT64_MAX;
    CM_WITH_VIEW (nums, &reader, view) {
        size_t count = 0;
        const uint32_t *values = nums_view_get(view, key, &count);
        all = values ? 0 : UINT64_MAX;
        for (size_t i = 0; i < count; i++)
            all = 10 * all + values[i];
    }
    return all;
}

static void insert_all(uint64_t key, uint64_t all)
{
    if (all >= 10)
        insert_all(key, all / 10);
    assert_int_equal(nums_insert(&writer, key, (uint32_t)(all % 10)), CM_OK);
}

/* ---- promises ---- */

static void values_are_seen_when_published_in_their_order(void **state)
{
    (void)state;
    begin();
    insert_all(1, 1232);
    insert_all(2, 7);
    assert_true(digits(1) == UINT64_MAX);
    assert_int_equal(nums_publish(&writer), CM_OK);
    assert_int_equal(digits(1), 1232);
    assert_int_equal(digits(2), 7);
    insert_all(1, 4);
    assert_int_equal(digits(1), 1232);
    assert_int_equal(nums_publish(&writer), CM_OK);
    assert_int_equal(digits(1), 12324);
    CM_WITH_VIEW (nums, &reader, view) {
        assert_int_equal(nums_view_len(view), 2);
        assert_true(nums_view_contains(view, 2));
        assert_false(nums_view_contains(view, 3));
        assert_int_equal(*nums_view_get_one(view, 1), 1);
        assert_null(nums_view_get_one(view, 3));
        assert_true(nums_view_contains_value(view, 1, 3));
        assert_false(nums_view_contains_value(view, 1, 5));
        assert_false(nums_view_contains_value(view, 3, 3));
        size_t seen = 0;
        CM_FOREACH (nums_view, view, it)
            seen += it.count + (size_t)*it.key;
        assert_int_equal(seen, 5 + 1 + 1 + 2);
    }
    end();
}

static void equal_values_are_several(void **state)
{
    (void)state;
    begin();
    insert_all(1, 5554);
    assert_int_equal(nums_remove_value(&writer, 1, 5), CM_OK); /* the last one fills the gap */
    nums_publish(&writer);
    assert_int_equal(digits(1), 455);
    assert_int_equal(nums_remove_value(&writer, 1, 5), CM_OK);
    assert_int_equal(nums_remove_value(&writer, 1, 5), CM_OK);
    assert_int_equal(nums_remove_value(&writer, 1, 5), CM_ABSENT);
    assert_int_equal(nums_remove_value(&writer, 9, 5), CM_ABSENT);
    nums_publish(&writer);
    assert_int_equal(digits(1), 4);
    for (int i = 0; i < 5000; i++) /* of a hundred thousand it would be felt if they were looked at one by one */
        insert_all(2, 6);
    insert_all(2, 7);
    nums_publish(&writer);
    assert_true(nums_writer_contains_value(&writer, 2, 7));
    for (int i = 0; i < 5000; i++)
        assert_int_equal(nums_remove_value(&writer, 2, 6), CM_OK);
    nums_publish(&writer);
    assert_int_equal(digits(2), 7);
    end();
}

static void a_key_stays_until_it_is_removed(void **state)
{
    (void)state;
    size_t count = 9;
    begin();
    insert_all(1, 1);
    insert_all(2, 1234);
    insert_all(3, 1234);
    assert_int_equal(nums_remove_value(&writer, 1, 1), CM_OK);
    assert_int_equal(nums_clear_entry(&writer, 2), CM_OK);
    assert_int_equal(nums_remove_entry(&writer, 3), CM_OK);
    assert_int_equal(nums_remove_entry(&writer, 3), CM_ABSENT);
    assert_int_equal(nums_clear_entry(&writer, 3), CM_ABSENT);
    nums_publish(&writer);
    assert_int_equal(digits(1), 0);
    assert_int_equal(digits(2), 0);
    assert_true(digits(3) == UINT64_MAX);
    assert_int_equal(nums_writer_len(&writer), 2);
    assert_int_equal(nums_writer_count(&writer, 1, &count), CM_OK);
    assert_int_equal(count, 0);
    assert_int_equal(nums_writer_count(&writer, 3, &count), CM_ABSENT);
    insert_all(1, 8);
    insert_all(2, 89);
    nums_publish(&writer);
    assert_int_equal(digits(1), 8);
    assert_int_equal(digits(2), 89);
    assert_int_equal(nums_purge(&writer), CM_OK);
    assert_int_equal(nums_writer_len(&writer), 0);
    nums_publish(&writer);
    assert_true(digits(1) == UINT64_MAX);
    end();
}

static void update_leaves_one_value(void **state)
{
    (void)state;
    uint32_t value = 0;
    begin();
    assert_int_equal(nums_update(&writer, 1, 3), CM_OK);
    insert_all(1, 4567);
    assert_int_equal(nums_update(&writer, 1, 9), CM_REPLACED);
    assert_int_equal(nums_writer_get_one(&writer, 1, &value), CM_OK);
    assert_int_equal(value, 9);
    nums_publish(&writer);
    assert_int_equal(digits(1), 9);
    assert_true(nums_get_one(&reader, 1, &value) && value == 9);
    assert_false(nums_get_one(&reader, 2, &value));
    assert_true(nums_contains_value(&reader, 1, 9));
    assert_false(nums_contains_value(&reader, 1, 3));
    insert_all(1, 1);
    nums_publish(&writer);
    assert_int_equal(digits(1), 91);
    end();
}

static void a_view_is_a_snapshot_with_its_meta(void **state)
{
    (void)state;
    size_t count = 0;
    begin();
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(nums_insert(&writer, 1, i), CM_OK);
    nums_set_meta(&writer, 1);
    nums_publish(&writer);
    const nums_view *view = nums_enter(&reader);
    const uint32_t *values = nums_view_get(view, 1, &count);
    for (uint32_t i = 0; i < 100; i++) {
        assert_int_equal(nums_remove_value(&writer, 1, i), CM_OK);
        assert_int_equal(nums_insert(&writer, 2, i), CM_OK);
    }
    nums_set_meta(&writer, 2);
    nums_publish(&writer);
    assert_int_equal(count, 100);
    for (uint32_t i = 0; i < 100; i++)
        assert_true(values[i] == i && nums_view_contains_value(view, 1, i));
    assert_int_equal(nums_view_meta(view), 1);
    assert_int_equal(nums_view_len(view), 1);
    assert_int_equal(nums_insert(&writer, 3, 3), CM_DEADLOCK); /* it would wait for its own view */
    nums_leave(&reader);
    assert_int_equal(nums_insert(&writer, 3, 3), CM_OK);
    end();
}

static void rooms_are_made_ahead_and_fitted(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    assert_int_equal(nums_init(&map, &(cm_config){.allocator = &memory.allocator, .capacity = 8}), CM_OK);
    assert_int_equal(nums_writer_open(&map, &writer), CM_OK);
    assert_int_equal(nums_reader_open(&map, &reader), CM_OK);
    assert_int_equal(nums_reserve_values(&writer, 1, 10), CM_ABSENT);
    assert_int_equal(nums_fit(&writer, 1), CM_ABSENT);
    insert_all(1, 1);
    insert_all(2, 1);
    assert_int_equal(nums_reserve_values(&writer, 1, SIZE_MAX), CM_FULL);
    assert_int_equal(nums_reserve_values(&writer, 1, 100), CM_OK);
    size_t before = memory.requests;
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(nums_insert(&writer, 1, i), CM_OK);
    assert_true(memory.requests - before <= 1); /* the log's */
    nums_publish(&writer);
    size_t large = nums_memory(&writer).nodes;
    for (uint32_t i = 0; i < 98; i++)
        assert_int_equal(nums_remove_value(&writer, 1, i), CM_OK);
    assert_int_equal(nums_memory(&writer).nodes, large);
    assert_int_equal(nums_fit(&writer, 1), CM_OK);
    assert_int_equal(nums_publish(&writer), CM_OK);
    assert_int_equal(nums_begin(&writer), CM_OK);
    size_t fitted = nums_memory(&writer).nodes;
    assert_true(fitted > 0 && fitted < large / 4);
    assert_int_equal(nums_update(&writer, 1, 1), CM_REPLACED);
    insert_all(2, 23);
    assert_int_equal(nums_remove_value(&writer, 2, 1), CM_OK);
    assert_int_equal(nums_remove_value(&writer, 2, 2), CM_OK);
    assert_int_equal(nums_fit_all(&writer), CM_OK);
    assert_int_equal(nums_publish(&writer), CM_OK);
    assert_int_equal(nums_begin(&writer), CM_OK);
    assert_int_equal(nums_memory(&writer).nodes, 0);
    assert_int_equal(digits(1), 1);
    assert_int_equal(digits(2), 3);
    end();
    assert_int_equal(memory.live_blocks, 0);
    assert_int_equal(memory.mistakes, 0);
}

struct told {
    size_t keys, values, most;
    uint64_t sum;
};

static cm_status tell(const uint64_t *key, const uint32_t *values, size_t count, void *context)
{
    struct told *told = context;
    if (told->keys == told->most)
        return CM_BUSY;
    assert_int_equal(nums_insert(&writer, 1, 1), CM_DEADLOCK);
    told->keys++;
    told->values += count;
    told->sum += *key;
    for (size_t i = 0; i < count; i++)
        assert_int_equal(values[i], *key);
    return CM_OK;
}

static void remove_random_removes_what_it_tells(void **state)
{
    (void)state;
    struct told told = {.most = SIZE_MAX};
    uint64_t sum = 0;
    begin();
    for (uint64_t key = 0; key < 1000; key++) {
        for (uint64_t i = 0; i <= key % 3; i++)
            assert_int_equal(nums_insert(&writer, key, (uint32_t)key), CM_OK);
        sum += key;
    }
    nums_publish(&writer);
    for (size_t round = 1; round < 100; round++) { /* in the end the table is all but empty */
        assert_int_equal(nums_remove_random(&writer, 10, round, tell, &told), CM_OK);
        assert_int_equal(told.keys, 10 * round);
        assert_int_equal(nums_writer_len(&writer), 1000 - 10 * round);
    }
    nums_publish(&writer);
    CM_WITH_VIEW (nums, &reader, view) {
        assert_int_equal(nums_view_len(view), 10);
        CM_FOREACH (nums_view, view, it) {
            assert_int_equal(it.count, *it.key % 3 + 1);
            told.sum += *it.key;
        }
    }
    assert_int_equal(told.sum, sum);
    told.most = told.keys + 3;
    assert_int_equal(nums_remove_random(&writer, 5, 0, tell, &told), CM_BUSY); /* what `tell` says ends it */
    assert_int_equal(nums_writer_len(&writer), 7);
    told.most = SIZE_MAX;
    assert_int_equal(nums_remove_random(&writer, SIZE_MAX, 0, tell, &told), CM_OK);
    assert_int_equal(nums_writer_len(&writer), 0);
    assert_int_equal(told.keys, 1000);
    assert_int_equal(nums_remove_random(&writer, 1, 0, tell, &told), CM_OK);
    assert_int_equal(told.keys, 1000);
    end();
}

#define CHOICES 28000

static cm_status note_key(const uint64_t *key, const uint32_t *values, size_t count, void *context)
{
    (void)values, (void)count;
    *(unsigned *)context |= 1u << *key;
    return CM_OK;
}

/* Each key is as likely as another, and each pair; also where hardly a slot of the table is taken (`entries`). */
static void removals_are_fair(size_t entries)
{
    unsigned singles[8] = {0}, pairs[1 << 8] = {0};
    begin();
    assert_int_equal(nums_reserve(&writer, entries), CM_OK);
    for (uint64_t seed = 1; seed <= CHOICES; seed++) {
        unsigned removed = 0;
        for (uint64_t key = 0; key < 8; key++)
            assert_true(nums_update(&writer, key, (uint32_t)key) >= 0);
        assert_int_equal(nums_remove_random(&writer, 2, seed, note_key, &removed), CM_OK);
        assert_int_equal(__builtin_popcount(removed), 2);
        pairs[removed]++;
        for (size_t key = 0; key < 8; key++)
            singles[key] += removed >> key & 1;
    }
    for (size_t key = 0; key < 8; key++)
        assert_in_range(singles[key], 7000 - 435, 7000 + 435); /* six times the deviation */
    for (size_t pair = 0; pair < 1 << 8; pair++)
        if (pairs[pair])
            assert_in_range(pairs[pair], 1000 - 187, 1000 + 187); /* likewise; of 28 pairs */
    end();
}

static void remove_random_is_fair(void **state)
{
    (void)state;
    removals_are_fair(8);
    removals_are_fair(2000);
}

/* R7. */
static void taken_values_outlive_the_map(void **state)
{
    (void)state;
    items all;
    items_writer write;
    items_taken first, second;
    struct item one = item_of(1), two = item_of(2), sought = item_of(1);
    assert_int_equal(items_init(&all, NULL), CM_OK);
    assert_int_equal(items_writer_open(&all, &write), CM_OK);
    assert_int_equal(items_insert(&write, 1, one), CM_OK);
    assert_int_equal(items_insert(&write, 1, two), CM_OK);
    items_publish(&write);
    assert_int_equal(items_take_value(&write, 1, sought, &first), CM_OK);
    assert_ptr_equal(first.value.own, one.own);
    assert_int_equal(items_take_value(&write, 1, sought, &second), CM_ABSENT);
    *sought.own = 2;
    assert_int_equal(items_take_value(&write, 1, sought, &second), CM_OK);
    items_publish(&write);
    assert_int_equal(items_give_back(&write, &first), CM_OK);
    assert_int_equal(items_give_back(&write, &first), CM_INVALID);
    items_publish(&write);
    items_destroy(&all);
    assert_int_equal(alive, 2);
    assert_int_equal(*second.value.own, 2);
    assert_int_equal(items_give_back(NULL, &second), CM_OK);
    item_destroy(&sought, NULL);
    assert_int_equal(alive, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_seen_when_published_in_their_order),
        cmocka_unit_test(equal_values_are_several),
        cmocka_unit_test(a_key_stays_until_it_is_removed),
        cmocka_unit_test(update_leaves_one_value),
        cmocka_unit_test(a_view_is_a_snapshot_with_its_meta),
        cmocka_unit_test(rooms_are_made_ahead_and_fitted),
        cmocka_unit_test(remove_random_removes_what_it_tells),
        cmocka_unit_test(remove_random_is_fair),
        cmocka_unit_test(taken_values_outlive_the_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
