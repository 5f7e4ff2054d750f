/* Partitioned maps as a whole: scans that a number resumes, and one map that is added to another. */
#include <stdlib.h>

#include "crew.h"
#include "failing_allocator.h"
#include "partitions.h"
#include "seen.h"
#include "texts.h"

#include "boxes.h" /* behind all others: it takes the name `all` */

CM_PARTITIONED_MAP(texts, cm_str, uint64_t, cm_hash_str, cm_equal_str)
CM_PARTITIONED_MAP_OWNED(boxes, uint64_t, struct box, cm_hash_u64, cm_equal_u64, CM_PLAIN,
                         CM_OWNED(box_clone, box_destroy))

/* ---- scans ---- */

#define KEYS SEEN_KEYS

static void fill(cm_partition_config config)
{
    begin(config);
    nums_batch batch = nums_batch_begin(&divided);
    for (uint64_t key = 0; key < KEYS; key++)
        assert_int_equal(nums_batch_put(&batch, key, key, NULL), CM_OK);
    assert_int_equal(nums_batch_wait(&batch), CM_OK);
}

static void a_scan_goes_on_where_its_number_says(void **state)
{
    (void)state;
    fill((cm_partition_config){.partitions = 3});
    for (size_t count = 1; count < 3000; count = count * 3 + 1) {
        struct seen seen = {.total = 0};
        uint64_t cursor = 0;
        do {
            size_t before = seen.total;
            assert_int_equal(nums_scan(&divided, &cursor, count, see, &seen), CM_OK);
            assert_true(seen.total - before < count + 64);
            assert_true(cursor == 0 || seen.total - before >= count);
        } while (cursor);
        for (size_t key = 0; key < KEYS; key++)
            assert_int_equal(seen.times[key], 1);
    }
    struct seen none = {.total = 0};
    uint64_t cursor = 0;
    assert_int_equal(nums_scan(&divided, &cursor, 0, see, &none), CM_OK); /* nothing is asked for, and nothing moves */
    assert_int_equal(cursor + none.total, 0);
    cursor = UINT64_MAX; /* of a map of more partitions */
    assert_int_equal(nums_scan(&divided, &cursor, 1, see, &none), CM_OK);
    assert_int_equal(cursor + none.total, 0);
    end();
}

static void a_scan_sees_what_stays_while_the_tables_change(void **state)
{
    (void)state;
    fill((cm_partition_config){.partitions = 2});
    for (int round = 0; round < 4; round++) {
        struct seen seen = {.total = 0};
        uint64_t cursor = 0, others = KEYS;
        for (bool more = true; more; more = cursor != 0) {
            assert_int_equal(nums_scan(&divided, &cursor, 100, see, &seen), CM_OK);
            nums_batch batch = nums_batch_begin(&divided);
            for (int i = 0; i < 150; i++, others++)
                assert_int_equal(round % 2 ? nums_batch_remove(&batch, others, NULL, NULL)
                                           : nums_batch_put(&batch, others, others, NULL),
                                 CM_OK);
            assert_true(nums_batch_wait(&batch) >= 0);
            if (round % 2)
                assert_int_equal(nums_shrink_to_fit(&divided), CM_OK);
        }
        for (size_t key = 0; key < KEYS; key++)
            assert_int_equal(seen.times[key], 1);
    }
    end();
}

/* Many keys of few homes: long ways, of all four kinds. */
static uint64_t poor(const uint64_t *key, uint64_t seed)
{
    (void)seed;
    return (*key % 3) | *key << 60;
}

CM_PARTITIONED_MAP(poors, uint64_t, uint64_t, poor, cm_equal_u64)

static void a_scan_finds_what_lies_far_from_its_home(void **state)
{
    (void)state;
    poors map;
    assert_int_equal(poors_open(&map, &(cm_partition_config){.partitions = 1, .polled = true}), CM_OK);
    assert_int_equal(poors_partition_own(&map, 0), CM_OK);
    for (uint64_t key = 0; key < 600; key++) {
        struct seen seen = {.total = 0};
        uint64_t cursor = 0;
        assert_int_equal(poors_put(&map, key, key, NULL), CM_OK);
        do
            assert_int_equal(poors_scan(&map, &cursor, 50, see, &seen), CM_OK);
        while (cursor);
        assert_int_equal(seen.total, key + 1);
        for (size_t i = 0; i <= key; i++)
            assert_int_equal(seen.times[i], 1);
    }
    poors_destroy(&map);
}

static void a_scan_whose_function_fails_misses_nothing(void **state)
{
    (void)state;
    struct seen seen = {.fail_at = 4000};
    uint64_t cursor = 0;
    fill((cm_partition_config){.partitions = 2});
    assert_int_equal(nums_scan(&divided, &cursor, SIZE_MAX, see, &seen), CM_FULL);
    assert_true(cursor != 0);
    assert_int_equal(nums_scan(&divided, &cursor, SIZE_MAX, see, &seen), CM_OK);
    assert_int_equal(cursor, 0);
    for (size_t key = 0; key < KEYS; key++)
        assert_in_range(seen.times[key], 1, 2);
    end();
}

static void a_scan_that_may_not_wait_goes_on_later(void **state) /* K7 */
{
    (void)state;
    struct seen seen = {.total = 0};
    uint64_t cursor = 0;
    begin((cm_partition_config){.partitions = 2, .polled = true});
    own(2);
    for (uint64_t key = 0; key < KEYS; key++)
        assert_int_equal(nums_put(&divided, key, key, NULL), CM_OK);
    assert_int_equal(nums_partition_leave(&divided, 1), CM_OK);
    assert_int_equal(nums_try_scan(&divided, &cursor, SIZE_MAX, see, &seen), CM_BUSY);
    assert_int_equal(seen.total, KEYS / 2); /* one partition of the two */
    assert_int_equal(nums_scan_until(&divided, &cursor, SIZE_MAX, see, &seen, cm_deadline_after(MS)), CM_TIMEOUT);
    assert_int_equal(nums_partition_own(&divided, 1), CM_OK);
    assert_int_equal(nums_try_scan(&divided, &cursor, SIZE_MAX, see, &seen), CM_OK);
    assert_int_equal(cursor, 0);
    for (size_t key = 0; key < KEYS; key++)
        assert_int_equal(seen.times[key], 1);
    assert_int_equal(nums_shutdown(&divided, CM_SHUTDOWN_DRAIN, NULL), CM_OK);
    assert_int_equal(nums_scan(&divided, &cursor, SIZE_MAX, see, &seen), CM_CLOSED);
    nums_destroy(&divided);
}

static cm_status change_what_it_sees(const uint64_t *key, const uint64_t *value, void *context)
{
    (void)value, (void)context;
    assert_int_equal(nums_get(&divided, *key, NULL), true);
    return nums_put(&divided, *key, 1, NULL) == CM_DEADLOCK ? CM_OK : CM_CORRUPT;
}

static void what_a_scan_looks_at_does_not_change(void **state)
{
    (void)state;
    uint64_t cursor = 0;
    fill((cm_partition_config){.partitions = 1});
    assert_int_equal(nums_scan(&divided, &cursor, 100, change_what_it_sees, NULL), CM_OK);
    end();
}

static size_t write_or_scan(void *context, unsigned thread)
{
    size_t wrong = 0;
    (void)context;
    for (uint64_t i = 0; i < crew_scale(thread ? 40000 : 10); i++) {
        if (thread) {
            uint64_t key = KEYS + i * 7 % (4 * KEYS);
            wrong += (i / KEYS % 2 ? nums_remove(&divided, key, NULL) : nums_put(&divided, key, key, NULL)) < 0;
            i += 15;
            continue;
        }
        struct seen seen = {.total = 0};
        uint64_t cursor = 0;
        do
            wrong += nums_scan(&divided, &cursor, 64, see, &seen) != CM_OK;
        while (cursor);
        for (size_t key = 0; key < KEYS; key++)
            wrong += seen.times[key] != 1;
    }
    return wrong;
}

static void scans_and_writers_get_along(void **state)
{
    (void)state;
    fill((cm_partition_config){.partitions = 2});
    assert_int_equal(crew_run(3, write_or_scan, NULL), 0);
    end();
}

/* ---- one into the other ---- */

static cm_status add_theirs(uint64_t *mine, const uint64_t *theirs, void *context)
{
    if (*theirs == *(const uint64_t *)context)
        return CM_IO;
    *mine += *theirs;
    return CM_OK;
}

static void fill_other(nums *other) /* 500 to 1499, divided otherwise */
{
    assert_int_equal(nums_open(other, &(cm_partition_config){.partitions = 3}), CM_OK);
    for (uint64_t i = 500; i < 1500; i++)
        assert_int_equal(nums_put(other, i, i + 10000, NULL), CM_OK);
}

static void merge_adds_what_is_new_and_resolves_the_rest(void **state)
{
    (void)state;
    nums other;
    uint64_t never = 0, fails = 10777, value = 0;
    begin((cm_partition_config){.partitions = 2});
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(nums_put(&divided, i, i, NULL), CM_OK);
    fill_other(&other);
    assert_int_equal(nums_merge(&divided, &divided, NULL, NULL), CM_INVALID);
    assert_int_equal(nums_merge(&divided, &other, add_theirs, &never), CM_OK);
    assert_int_equal(nums_len(&divided), 1500);
    for (uint64_t i = 0; i < 1500; i++) {
        assert_true(nums_get(&divided, i, &value));
        assert_int_equal(value, (i < 1000 ? i : 0) + (i < 500 ? 0 : i + 10000));
    }
    assert_int_equal(nums_merge(&divided, &other, add_theirs, &fails), CM_IO);
    assert_true(nums_get(&divided, 777, &value) && value == 777 + 10777);
    assert_int_equal(nums_merge(&divided, &other, NULL, NULL), CM_OK); /* theirs */
    for (uint64_t i = 500; i < 1500; i++)
        assert_true(nums_get(&divided, i, &value) && value == i + 10000);
    assert_int_equal(nums_shutdown(&other, CM_SHUTDOWN_DRAIN, NULL), CM_OK);
    assert_int_equal(nums_merge(&divided, &other, NULL, NULL), CM_OK); /* it can be looked at still */
    assert_int_equal(nums_merge(&other, &divided, NULL, NULL), CM_CLOSED);
    nums_destroy(&other);
    end();
}

static void merge_waits_no_longer_than_it_may(void **state) /* K7 */
{
    (void)state;
    nums other;
    begin((cm_partition_config){.partitions = 2, .polled = true});
    fill_other(&other);
    for (int from = 0; from < 2; from++) {
        nums *into = from ? &other : &divided, *of = from ? &divided : &other;
        assert_int_equal(nums_try_merge(into, of, NULL, NULL), CM_BUSY);
        assert_int_equal(nums_merge_until(into, of, NULL, NULL, cm_deadline_after(MS)), CM_TIMEOUT);
    }
    own(2);
    assert_int_equal(nums_len(&divided), 0); /* what was given up is never done */
    assert_int_equal(nums_merge(&divided, &other, NULL, NULL), CM_OK);
    assert_int_equal(nums_len(&divided), 1000);
    nums_destroy(&other);
    end();
}

static cm_status add_box(struct box *mine, const struct box *theirs, void *context)
{
    (void)context;
    *mine->number += *theirs->number;
    return CM_OK;
}

static void merge_owns_its_values(void **state) /* L9, M1 */
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    cm_partition_config owned = {.map = config(), .partitions = 2, .polled = true};
    owned.map.allocator = &memory.allocator;
    for (int resolves = 0; resolves < 2; resolves++) {
        cm_status status = CM_NOMEM;
        for (size_t n = 1; status == CM_NOMEM; n++) {
            boxes map, other;
            assert_int_equal(boxes_open(&map, &owned), CM_OK);
            assert_int_equal(boxes_open(&other, &owned), CM_OK);
            for (size_t i = 0; i < 2; i++) {
                assert_int_equal(boxes_partition_own(&map, i), CM_OK);
                assert_int_equal(boxes_partition_own(&other, i), CM_OK);
            }
            for (uint64_t i = 0; i < 30; i++)
                assert_int_equal(boxes_put(i < 20 ? &map : &other, i, box_of(i), NULL), CM_OK);
            for (uint64_t i = 10; i < 20; i++)
                assert_int_equal(boxes_put(&other, i, box_of(i), NULL), CM_OK);
            failing_allocator_fail_at(&memory, n);
            all.fail_at = all.clones + n;
            status = boxes_merge(&map, &other, resolves ? add_box : NULL, NULL);
            all.fail_at = 0;
            failing_allocator_restart(&memory);
            assert_int_equal(all.live, boxes_len(&map) + 20);
            assert_int_equal(boxes_check(&map, NULL), CM_OK);
            boxes_destroy(&map);
            boxes_destroy(&other);
            assert_int_equal(all.live, 0);
        }
        assert_int_equal(status, CM_OK);
    }
    assert_int_equal(memory.live_blocks, 0);
    assert_int_equal(memory.mistakes, 0);
}

static void texts_are_merged(void **state)
{
    (void)state;
    texts map, other;
    uint64_t value = 0;
    assert_int_equal(texts_open(&map, &(cm_partition_config){.partitions = 2}), CM_OK);
    assert_int_equal(texts_open(&other, &(cm_partition_config){.partitions = 3}), CM_OK);
    for (uint64_t i = 0; i < 500; i++)
        assert_int_equal(texts_put(i % 2 ? &map : &other, text_of(i, 600), i, NULL), CM_OK);
    assert_int_equal(texts_merge(&map, &other, NULL, NULL), CM_OK);
    texts_destroy(&other);
    for (uint64_t i = 0; i < 500; i++)
        assert_true(texts_get(&map, text_of(i, 600), &value) && value == i);
    assert_int_equal(texts_check(&map, NULL), CM_OK);
    texts_destroy(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scan_goes_on_where_its_number_says),
        cmocka_unit_test(a_scan_sees_what_stays_while_the_tables_change),
        cmocka_unit_test(a_scan_finds_what_lies_far_from_its_home),
        cmocka_unit_test(a_scan_whose_function_fails_misses_nothing),
        cmocka_unit_test(a_scan_that_may_not_wait_goes_on_later),
        cmocka_unit_test(what_a_scan_looks_at_does_not_change),
        cmocka_unit_test(scans_and_writers_get_along),
        cmocka_unit_test(merge_adds_what_is_new_and_resolves_the_rest),
        cmocka_unit_test(merge_waits_no_longer_than_it_may),
        cmocka_unit_test(merge_owns_its_values),
        cmocka_unit_test(texts_are_merged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
