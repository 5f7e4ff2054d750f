/* Walks over locked maps that copy values: steps that are given up, and scans that are resumed by a number. */
#include <stdlib.h>

#include "crew.h"
#include "seen.h"
#include "shelf.h"
#include "texts.h"

#include "boxes.h" /* behind all others: it takes the name `all` */

#define MS 1000000

CM_LOCKED_MAP(texts, cm_str, uint64_t, cm_hash_str, cm_equal_str)
CM_LOCKED_MAP_OWNED(boxes, uint64_t, struct box, cm_hash_u64, cm_equal_u64, CM_PLAIN, CM_OWNED(box_clone, box_destroy))

/* ---- steps that are given up ---- */

/* Walks while another thread has 3 locked: is refused three times, and then goes past it. */
static void *walk_past_a_lock(void *held)
{
    size_t seen = 0, refused = 0;
    bool right = true;
    nums_iter it = nums_iter_begin(&shelf);
    for (;;) {
        if (nums_iter_next_until(&it, refused ? cm_deadline_after(MS) : CM_TRY)) {
            right &= it.copy == it.key;
            seen++;
        } else if (it.status == CM_OK) {
            break;
        } else {
            right &= it.status == (refused ? CM_TIMEOUT : CM_BUSY) && it.key == 3 && it.entry == held;
            if (++refused == 3) { /* past it: the next one's copy is left out */
                if (!nums_iter_next(&it))
                    break;
                right &= it.entry != held;
                seen++;
            }
        }
    }
    nums_iter_end(&it);
    return (void *)(uintptr_t)(right && refused == 3 && seen == 9);
}

static void a_walk_may_leave_out_what_it_was_refused(void **state)
{
    (void)state;
    pthread_t thread;
    void *right = NULL;
    begin();
    nums_entry *entry = entry_of(3);
    assert_non_null(nums_entry_lock(entry));
    assert_int_equal(pthread_create(&thread, NULL, walk_past_a_lock, entry), 0);
    pthread_join(thread, &right);
    assert_non_null(right);
    nums_entry_unlock(entry);
    nums_entry_release(entry);
    end();
}

static void *end_with(void *key)
{
    nums_entry *entry = nums_find(&shelf, *(uint64_t *)key);
    nums_entry_lock(entry);
    nums_entry_release(entry);
    return NULL;
}

static void a_step_that_failed_is_tried_again(void **state)
{
    (void)state;
    uint64_t key = 5;
    size_t seen = 0, refused = 0;
    begin();
    in_thread(end_with, &key);
    nums_iter it = nums_iter_begin(&shelf);
    for (;;) {
        if (nums_iter_next_until(&it, CM_TRY)) {
            assert_int_equal(it.copy, it.key + (it.key == 5));
            seen++;
        } else if (it.status == CM_OWNER_DIED) {
            assert_int_equal(it.key, 5);
            if (++refused == 3) { /* it is put right, and then it is seen */
                ++*nums_entry_recover(it.entry);
                nums_entry_unlock(it.entry);
            }
        } else {
            break;
        }
    }
    assert_int_equal(it.status, CM_OK);
    nums_iter_end(&it);
    assert_int_equal(seen, 10);
    assert_int_equal(refused, 3);
    end();
}

static void a_walk_that_is_given_up_amid_a_step_can_end(void **state) /* L9 */
{
    (void)state;
    boxes map;
    cm_config owned = config();
    assert_int_equal(boxes_init(&map, &owned), CM_OK);
    for (uint64_t key = 0; key < 10; key++)
        assert_int_equal(boxes_put(&map, key, box_of(key), NULL), CM_OK);
    boxes_iter it = boxes_iter_begin(&map);
    assert_true(boxes_iter_next_until(&it, CM_FOREVER));
    all.fail_at = all.clones + 1;
    assert_false(boxes_iter_next_until(&it, CM_FOREVER));
    assert_int_equal(it.status, CM_NOMEM);
    uint64_t failed = it.key;
    assert_true(boxes_iter_next_until(&it, CM_FOREVER)); /* the clone of the same value, which is there this time */
    assert_int_equal(it.key, failed);
    assert_int_equal(*it.copy.number, failed);
    all.fail_at = all.clones + 1;
    assert_false(boxes_iter_next_until(&it, CM_FOREVER));
    boxes_iter_end(&it);
    assert_int_equal(all.live, 10);
    boxes_destroy(&map);
    assert_int_equal(all.live, 0);
}

/* ---- scans ---- */

#define KEYS SEEN_KEYS

static void fill(nums *map)
{
    assert_int_equal(nums_init(map, NULL), CM_OK);
    for (uint64_t key = 0; key < KEYS; key++)
        assert_int_equal(nums_put(map, key, key, NULL), CM_OK);
}

static void a_scan_goes_on_where_its_number_says(void **state)
{
    (void)state;
    nums map;
    fill(&map);
    for (size_t count = 1; count < 100; count += 9) {
        struct seen seen = {.total = 0};
        uint64_t cursor = 0;
        do {
            size_t before = seen.total;
            assert_int_equal(nums_scan(&map, &cursor, count, see, &seen), CM_OK);
            assert_true(seen.total - before < count + 64);
        } while (cursor);
        for (size_t key = 0; key < KEYS; key++)
            assert_int_equal(seen.times[key], 1);
    }
    nums_destroy(&map);
}

static void a_scan_sees_what_stays_while_the_table_changes(void **state)
{
    (void)state;
    nums map;
    fill(&map);
    for (int round = 0; round < 4; round++) {
        struct seen seen = {.total = 0};
        uint64_t cursor = 0, others = KEYS;
        for (bool more = true; more; more = cursor != 0) {
            assert_int_equal(nums_scan(&map, &cursor, 100, see, &seen), CM_OK);
            for (int i = 0; i < 150; i++, others++)
                if (round % 2)
                    nums_remove(&map, others, NULL);
                else
                    nums_put(&map, others, others, NULL);
            if (round % 2)
                nums_shrink_to_fit(&map);
        }
        for (size_t key = 0; key < KEYS; key++)
            assert_int_equal(seen.times[key], 1);
    }
    nums_destroy(&map);
}

static void a_scan_whose_function_fails_misses_nothing(void **state)
{
    (void)state;
    nums map;
    struct seen seen = {.fail_at = 1000};
    uint64_t cursor = 0;
    fill(&map);
    assert_int_equal(nums_scan(&map, &cursor, SIZE_MAX, see, &seen), CM_FULL);
    assert_true(cursor != 0);
    assert_int_equal(nums_scan(&map, &cursor, SIZE_MAX, see, &seen), CM_OK);
    assert_int_equal(cursor, 0);
    for (size_t key = 0; key < KEYS; key++)
        assert_in_range(seen.times[key], 1, 2);
    nums_destroy(&map);
}

struct scan {
    struct seen seen;
    cm_status tried, until;
    uint64_t cursor;
};

static void *scan_by_trying(void *context)
{
    struct scan *scan = context;
    scan->tried = nums_try_scan(&shelf, &scan->cursor, SIZE_MAX, see, &scan->seen);
    scan->until = nums_scan_until(&shelf, &scan->cursor, SIZE_MAX, see, &scan->seen, cm_deadline_after(MS));
    return NULL;
}

static void a_scan_waits_for_who_has_an_entry(void **state) /* K7 */
{
    (void)state;
    struct scan scan = {.cursor = 0};
    begin();
    nums_entry *entry = entry_of(3);
    assert_non_null(nums_entry_lock(entry));
    in_thread(scan_by_trying, &scan);
    assert_int_equal(scan.tried, CM_BUSY);
    assert_int_equal(scan.until, CM_TIMEOUT);
    assert_int_equal(scan.seen.times[3], 0);
    /* What the thread has itself is seen as it is; and the number goes on from before what was refused. */
    assert_int_equal(nums_scan(&shelf, &scan.cursor, SIZE_MAX, see, &scan.seen), CM_OK);
    assert_int_equal(scan.cursor, 0);
    for (size_t key = 0; key < 10; key++)
        assert_true(scan.seen.times[key] > 0);
    assert_int_equal(scan.seen.times[3], 1);
    nums_entry_unlock(entry);
    nums_entry_release(entry);
    end();
}

static cm_status change_what_it_sees(const uint64_t *key, const uint64_t *value, void *context)
{
    (void)context;
    return *key == *value ? nums_try_update(&shelf, *key, count_up, NULL) : CM_OK;
}

static void a_scan_holds_no_lock_meanwhile(void **state)
{
    (void)state;
    uint64_t cursor = 0, value;
    begin();
    assert_int_equal(nums_scan(&shelf, &cursor, SIZE_MAX, change_what_it_sees, NULL), CM_OK);
    for (uint64_t key = 0; key < 10; key++)
        assert_true(nums_get(&shelf, key, &value) && value == key + 1);
    end();
}

static cm_status add_length(const cm_str *key, const uint64_t *value, void *sum)
{
    assert_int_equal(key->len, *value);
    *(uint64_t *)sum += *value;
    return CM_OK;
}

static cm_status add_number(const uint64_t *key, const struct box *value, void *sum)
{
    assert_int_equal(*value->number, *key);
    *(uint64_t *)sum += *key;
    return CM_OK;
}

static void texts_and_owned_values_are_scanned(void **state) /* L9 */
{
    (void)state;
    texts map;
    boxes owners;
    cm_config owned = config();
    uint64_t cursor = 0, wanted = 0, sum = 0;
    assert_int_equal(texts_init(&map, NULL), CM_OK);
    assert_int_equal(boxes_init(&owners, &owned), CM_OK);
    for (uint64_t i = 0; i < 500; i++) {
        cm_str text = text_of(i, 600);
        wanted += text.len;
        assert_int_equal(texts_put(&map, text, text.len, NULL), CM_OK);
        assert_int_equal(boxes_put(&owners, i, box_of(i), NULL), CM_OK);
    }
    do
        assert_int_equal(texts_scan(&map, &cursor, 7, add_length, &sum), CM_OK);
    while (cursor);
    assert_int_equal(sum, wanted);
    sum = 0;
    do
        assert_int_equal(boxes_scan(&owners, &cursor, 7, add_number, &sum), CM_OK);
    while (cursor);
    assert_int_equal(sum, 500 * 499 / 2);
    assert_int_equal(all.live, 500);
    texts_destroy(&map);
    boxes_destroy(&owners);
    assert_int_equal(all.live, 0);
}

/* Writers that add and remove odd keys, and count even ones up under their locks: by two steps that differ. */
static size_t write_or_scan(void *context, unsigned thread)
{
    size_t wrong = 0;
    (void)context;
    for (uint64_t i = 0; i < crew_scale(4000); i++) {
        uint64_t key = i * 7 % 200;
        if (thread == 0 && i % 40 == 0) {
            struct seen seen = {.total = 0};
            uint64_t cursor = 0;
            do
                wrong += nums_scan(&shelf, &cursor, 20, see, &seen) != CM_OK;
            while (cursor);
            for (key = 0; key < 200; key += 2)
                wrong += seen.times[key] != 1;
        } else if (thread && key % 2) {
            wrong += (thread == 1 ? nums_put(&shelf, key, key, NULL) : nums_remove(&shelf, key, NULL)) < 0;
        } else if (thread) {
            nums_entry *entry = nums_find(&shelf, key);
            uint64_t *value = nums_entry_lock(entry);
            *value = 0;
            *(volatile uint64_t *)value = key;
            nums_entry_unlock(entry);
            nums_entry_release(entry);
        }
    }
    return wrong;
}

static void scans_and_writers_get_along(void **state)
{
    (void)state;
    begin();
    for (uint64_t key = 0; key < 200; key += 2)
        assert_true(nums_put(&shelf, key, key, NULL) >= 0);
    assert_int_equal(crew_run(3, write_or_scan, NULL), 0);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_walk_may_leave_out_what_it_was_refused),
        cmocka_unit_test(a_step_that_failed_is_tried_again),
        cmocka_unit_test(a_walk_that_is_given_up_amid_a_step_can_end),
        cmocka_unit_test(a_scan_goes_on_where_its_number_says),
        cmocka_unit_test(a_scan_sees_what_stays_while_the_table_changes),
        cmocka_unit_test(a_scan_whose_function_fails_misses_nothing),
        cmocka_unit_test(a_scan_waits_for_who_has_an_entry),
        cmocka_unit_test(a_scan_holds_no_lock_meanwhile),
        cmocka_unit_test(texts_and_owned_values_are_scanned),
        cmocka_unit_test(scans_and_writers_get_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
