/* Locked maps as a whole: copies, and what sifts them; and keys that are looked up by other types. */
#include <concmap/locked.h>
#include <concmap/lookup.h>
#include <stdlib.h>

#include "boxes.h"
#include "crew.h"
#include "digits.h"
#include "failing_allocator.h"
#include "shelf.h"
#include "texts.h"

#define MS 1000000

CM_LOCKED_MAP(texts, cm_str, uint64_t, cm_hash_str, cm_equal_str)
CM_LOCKED_MAP_OWNED(boxes, struct box, struct box, box_hash, box_equal, CM_OWNED(box_clone, box_destroy),
                    CM_OWNED(box_clone, box_destroy))

static void *end_with_five(void *context)
{
    nums_entry *entry = nums_find(&shelf, 5);
    nums_entry_lock(entry);
    nums_entry_release(entry);
    return context;
}

/* ---- copies ---- */

static void a_clone_has_entries_of_its_own(void **state)
{
    (void)state;
    nums copy;
    uint64_t value = 0;
    begin();
    nums_entry *entry = entry_of(1);
    assert_non_null(nums_entry_lock(entry)); /* what the thread has itself is copied as it is */
    assert_int_equal(nums_clone(&copy, &shelf), CM_OK);
    assert_int_equal(nums_try_update(&copy, 1, count_up, NULL), CM_OK); /* and locked there by nobody */
    nums_entry_unlock(entry);
    nums_entry_release(entry);
    assert_int_equal(nums_len(&copy), 10);
    for (uint64_t i = 0; i < 10; i++) {
        assert_true(nums_get(&copy, i, &value));
        assert_int_equal(value, i + (i == 1));
        assert_true(nums_get(&shelf, i, &value));
        assert_int_equal(value, i);
    }
    assert_int_equal(nums_check(&copy, NULL), CM_OK);
    nums_destroy(&copy);
    end();
}

struct held {
    cm_status tried, until, kept;
};

static cm_status keep_all(const uint64_t *key, const uint64_t *value, void *context)
{
    (void)key, (void)value, (void)context;
    return CM_OK;
}

static void *try_while_it_is_held(void *context)
{
    struct held *held = context;
    nums copy;
    held->tried = nums_try_clone(&copy, &shelf);
    held->until = nums_clone_until(&copy, &shelf, cm_deadline_after(MS));
    held->kept = nums_try_retain(&shelf, keep_all, NULL);
    return NULL;
}

static void it_waits_for_who_has_an_entry(void **state) /* K7, L8 */
{
    (void)state;
    struct held held = {CM_OK, CM_OK, CM_OK};
    nums copy;
    begin();
    nums_entry *entry = entry_of(3);
    assert_non_null(nums_entry_lock(entry));
    in_thread(try_while_it_is_held, &held);
    assert_int_equal(held.tried, CM_BUSY);
    assert_int_equal(held.until, CM_TIMEOUT);
    assert_int_equal(held.kept, CM_BUSY);
    assert_int_equal(nums_entry_unlock(entry), CM_OK);
    nums_entry_release(entry);
    in_thread(end_with_five, NULL);
    assert_int_equal(nums_clone(&copy, &shelf), CM_OWNER_DIED);
    assert_int_equal(nums_retain(&shelf, keep_all, NULL), CM_OWNER_DIED);
    end();
}

static void a_clone_keeps_the_limit_and_owns_its_values(void **state) /* L9, M1 */
{
    (void)state;
    struct failing_allocator memory;
    boxes map, copy;
    cm_status status = CM_NOMEM;
    failing_allocator_init(&memory);
    cm_config owned = config();
    owned.allocator = &memory.allocator;
    owned.limit = 30;
    assert_int_equal(boxes_init(&map, &owned), CM_OK);
    for (uint64_t i = 0; i < 30; i++) {
        struct box key = box_of(i);
        assert_int_equal(boxes_put(&map, key, box_of(i + 100), NULL), CM_OK);
        box_destroy(&key, &all);
    }
    for (size_t n = 1; status == CM_NOMEM; n++) {
        failing_allocator_restart(&memory);
        failing_allocator_fail_at(&memory, n);
        status = boxes_clone(&copy, &map);
        assert_int_equal(all.live, status == CM_OK ? 120 : 60);
    }
    assert_int_equal(status, CM_OK);
    struct box key = box_of(77), other = box_of(5), got;
    assert_int_equal(boxes_insert(&copy, key, key), CM_FULL);
    boxes_destroy(&map);
    assert_true(boxes_get(&copy, other, &got));
    assert_int_equal(drop(got), 105);
    all.fail_at = all.clones + 20; /* a clone of a value or of a key */
    assert_int_equal(boxes_clone(&map, &copy), CM_NOMEM);
    box_destroy(&key, &all);
    box_destroy(&other, &all);
    boxes_destroy(&copy);
    assert_int_equal(all.live, 0);
    assert_int_equal(memory.live_blocks, 0);
    assert_int_equal(memory.mistakes, 0);
}

/* ---- one into the other ---- */

static cm_status add_theirs(uint64_t *mine, const uint64_t *theirs, void *context)
{
    if (*theirs == *(const uint64_t *)context)
        return CM_IO;
    *mine += *theirs;
    return CM_OK;
}

static void fill_other(nums *other) /* 5 to 14 */
{
    assert_int_equal(nums_init(other, NULL), CM_OK);
    for (uint64_t i = 5; i < 15; i++)
        assert_int_equal(nums_put(other, i, i + 100, NULL), CM_OK);
}

static void merge_adds_what_is_new_and_resolves_the_rest(void **state)
{
    (void)state;
    nums other;
    uint64_t never = 0, fails = 107, value = 0;
    begin();
    fill_other(&other);
    assert_int_equal(nums_merge(&shelf, &shelf, NULL, NULL), CM_INVALID);
    nums_entry *entry = entry_of(7);
    assert_int_equal(nums_merge(&shelf, &other, add_theirs, &never), CM_OK);
    assert_int_equal(*nums_entry_read_lock(entry), 114); /* in the entry that was there */
    nums_entry_read_unlock(entry);
    nums_entry_release(entry);
    assert_int_equal(nums_len(&shelf), 15);
    for (uint64_t i = 0; i < 15; i++) {
        assert_true(nums_get(&shelf, i, &value));
        assert_int_equal(value, (i < 10 ? i : 0) + (i < 5 ? 0 : i + 100));
    }
    assert_int_equal(nums_merge(&shelf, &other, add_theirs, &fails), CM_IO);
    assert_true(nums_get(&shelf, 7, &value) && value == 114);
    assert_int_equal(nums_merge(&shelf, &other, NULL, NULL), CM_OK); /* theirs */
    for (uint64_t i = 5; i < 15; i++)
        assert_true(nums_get(&shelf, i, &value) && value == i + 100);
    assert_int_equal(nums_len(&other), 10);
    assert_int_equal(nums_check(&other, NULL), CM_OK);
    nums_destroy(&other);
    end();
}

struct both {
    nums other;
    cm_status into[2], from[2];
};

static void *merge_while_it_is_held(void *context)
{
    struct both *both = context;
    both->into[0] = nums_try_merge(&shelf, &both->other, NULL, NULL);
    both->into[1] = nums_merge_until(&shelf, &both->other, NULL, NULL, cm_deadline_after(MS));
    both->from[0] = nums_try_merge(&both->other, &shelf, NULL, NULL);
    both->from[1] = nums_merge_until(&both->other, &shelf, NULL, NULL, cm_deadline_after(MS));
    return NULL;
}

static cm_status look_for_locks(uint64_t *mine, const uint64_t *theirs, void *other)
{
    (void)mine;
    return nums_try_update(other, *theirs - 100, count_up, NULL);
}

static void merge_waits_for_entries_one_at_a_time(void **state) /* K7, L8 */
{
    (void)state;
    struct both both;
    begin();
    fill_other(&both.other);
    nums_entry *entry = entry_of(7);
    assert_non_null(nums_entry_lock(entry));
    in_thread(merge_while_it_is_held, &both);
    assert_int_equal(both.into[0], CM_BUSY);
    assert_int_equal(both.into[1], CM_TIMEOUT);
    assert_int_equal(both.from[0], CM_BUSY);
    assert_int_equal(both.from[1], CM_TIMEOUT);
    assert_int_equal(nums_merge(&shelf, &both.other, NULL, NULL), CM_DEADLOCK); /* what the thread has itself */
    nums_entry_unlock(entry);
    nums_entry_release(entry);
    nums_destroy(&both.other);
    fill_other(&both.other);
    assert_int_equal(nums_merge(&shelf, &both.other, look_for_locks, &both.other), CM_OK);
    in_thread(end_with_five, NULL);
    assert_int_equal(nums_merge(&both.other, &shelf, NULL, NULL), CM_OWNER_DIED);
    nums_destroy(&both.other);
    end();
}

static cm_status add_box(struct box *mine, const struct box *theirs, void *context)
{
    (void)context;
    *mine->number += *theirs->number;
    return CM_OK;
}

static void fill_boxes(boxes *map, const cm_config *owned, uint64_t first)
{
    assert_int_equal(boxes_init(map, owned), CM_OK);
    for (uint64_t i = first; i < first + 20; i++) {
        struct box key = box_of(i);
        assert_int_equal(boxes_put(map, key, box_of(i), NULL), CM_OK);
        box_destroy(&key, &all);
    }
}

static void merge_owns_its_values_and_fails_as_a_whole_call(void **state) /* L9, M1 */
{
    (void)state;
    struct failing_allocator memory;
    boxes map, other;
    cm_status status = CM_NOMEM;
    failing_allocator_init(&memory);
    cm_config owned = config();
    owned.allocator = &memory.allocator;
    for (int resolves = 0; resolves < 2; resolves++) {
        status = CM_NOMEM;
        for (size_t n = 1; status == CM_NOMEM; n++) {
            fill_boxes(&map, &owned, 0);
            fill_boxes(&other, &owned, 10);
            failing_allocator_restart(&memory);
            failing_allocator_fail_at(&memory, n);
            all.fail_at = all.clones + n;
            status = boxes_merge(&map, &other, resolves ? add_box : NULL, NULL);
            all.fail_at = 0;
            failing_allocator_restart(&memory);
            assert_int_equal(all.live, 2 * boxes_len(&map) + 40);
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

static void values_are_cloned_for_the_map_that_owns_them(void **state)
{
    (void)state;
    struct owner theirs = {.live = 0};
    boxes map, other;
    for (int shared = 0; shared < 2; shared++) {
        cm_config own = config(), their_own = {.context = &theirs};
        fill_boxes(&map, &own, 0);
        fill_boxes(&other, shared ? &own : &their_own, 10);
        all.clones = theirs.clones = 0;
        assert_int_equal(boxes_merge(&map, &other, NULL, NULL), CM_OK);
        assert_int_equal(all.clones, 10 + 20); /* keys that are new, and all values */
        assert_int_equal(theirs.clones, shared ? 0 : 20);
        boxes_destroy(&other);
        boxes_destroy(&map);
        assert_int_equal(all.live + theirs.live, 0);
        theirs.live = 0;
    }
}

/* ---- sifting ---- */

static cm_status keep_small(const uint64_t *key, const uint64_t *value, void *limit)
{
    assert_int_equal(*key, *value);
    if (*key == 99)
        return CM_IO;
    return *value < *(const uint64_t *)limit ? CM_OK : CM_ABSENT;
}

static void retain_removes_what_is_not_kept(void **state)
{
    (void)state;
    uint64_t limit = 4;
    begin();
    nums_entry *entry = entry_of(7);
    assert_int_equal(nums_retain(&shelf, keep_small, &limit), CM_OK);
    assert_int_equal(nums_len(&shelf), 4);
    assert_false(nums_entry_is_linked(entry)); /* who uses it keeps it */
    assert_int_equal(*nums_entry_lock(entry), 7);
    nums_entry_unlock(entry);
    nums_entry_release(entry);
    assert_int_equal(nums_put(&shelf, 99, 99, NULL), CM_OK);
    assert_int_equal(nums_retain(&shelf, keep_small, &limit), CM_IO);
    assert_true(nums_contains(&shelf, 99));
    end();
}

static cm_status keep_even(const uint64_t *key, const uint64_t *value, void *context)
{
    (void)key, (void)context;
    return *value % 2 ? CM_ABSENT : CM_OK;
}

static size_t sift_or_step(void *context, unsigned thread)
{
    size_t wrong = 0;
    uint64_t *counts = context;
    for (uint64_t i = 0; i < crew_scale(20000); i++) {
        if (thread == 0 && i % 10 == 0)
            wrong += nums_retain(&shelf, keep_even, NULL) < 0;
        else if (thread) /* of what is odd retain takes away what nobody has locked */
            counts[thread] += nums_upsert(&shelf, i % 20, 1, count_up, NULL) == CM_OK;
    }
    return wrong;
}

static void retain_and_writers_get_along(void **state)
{
    (void)state;
    uint64_t counts[4] = {0};
    begin();
    assert_int_equal(crew_run(4, sift_or_step, counts), 0);
    assert_int_equal(nums_retain(&shelf, keep_even, NULL), CM_OK);
    CM_FOREACH (nums, &shelf, it)
        assert_int_equal(*nums_entry_read_lock(it.entry) % 2 + (size_t)nums_entry_read_unlock(it.entry), 0);
    end();
}

/* ---- other types ---- */

static bool number_is(const uint64_t *number, const struct box *box)
{
    return *number == *box->number;
}

/* So many letters of a kind. */
struct row {
    char letter;
    size_t length;
};

static uint64_t row_hash(const struct row *row, uint64_t seed)
{
    char text[600];
    memset(text, row->letter, row->length);
    cm_str all_of = cm_str_from(text, row->length);
    return cm_hash_str(&all_of, seed);
}

static bool row_equal(const struct row *row, const cm_str *key)
{
    for (size_t i = 0; i < key->len; i++)
        if (key->data[i] != row->letter)
            return false;
    return key->len == row->length;
}

CM_LOCKED_LOOKUP_BY(nums_by_digits, nums, cm_str, digits_hash, digits_equal)
CM_LOCKED_LOOKUP_BY(texts_by_row, texts, struct row, row_hash, row_equal)
CM_LOCKED_LOOKUP_BY(boxes_by_number, boxes, uint64_t, cm_hash_u64, number_is)

static cm_status is_five(uint64_t *value, void *context)
{
    (void)context;
    return *value == 5 ? CM_OK : CM_EXISTS;
}

static bool is_odd(const uint64_t *value, void *context)
{
    (void)context;
    return *value % 2;
}

static void keys_are_looked_up_by_another_type(void **state)
{
    (void)state;
    uint64_t value = 0;
    begin();
    nums_entry *entry = nums_by_digits_find(&shelf, cm_str_of("7")), *same = nums_find(&shelf, 7);
    assert_ptr_equal(entry, same);
    assert_null(nums_by_digits_find(&shelf, cm_str_of("17")));
    assert_true(nums_by_digits_contains(&shelf, cm_str_of("3")));
    assert_true(nums_by_digits_get(&shelf, cm_str_of("3"), &value) && value == 3);
    assert_int_equal(nums_by_digits_update(&shelf, cm_str_of("3"), count_up, NULL), CM_OK);
    assert_int_equal(nums_by_digits_update(&shelf, cm_str_of("33"), count_up, NULL), CM_ABSENT);
    assert_int_equal(nums_by_digits_update_if(&shelf, cm_str_of("3"), is_odd, count_up, NULL), CM_EXISTS);
    assert_int_equal(nums_by_digits_remove(&shelf, cm_str_of("3"), &value), CM_OK);
    assert_int_equal(value, 4);
    assert_int_equal(nums_by_digits_remove(&shelf, cm_str_of("3"), NULL), CM_ABSENT);
    assert_int_equal(nums_by_digits_remove_if(&shelf, cm_str_of("4"), is_five, NULL, NULL), CM_EXISTS);
    assert_int_equal(nums_by_digits_remove_if(&shelf, cm_str_of("5"), is_five, NULL, &value), CM_OK);
    assert_int_equal(nums_by_digits_remove(&shelf, cm_str_of("6"), NULL), CM_OK);
    assert_int_equal(nums_by_digits_remove_when_unused(&shelf, cm_str_of("7")), CM_EXISTS);
    assert_non_null(nums_entry_lock(entry));
    assert_int_equal(nums_by_digits_try_get(&shelf, cm_str_of("7"), &value), CM_OK); /* through its own lock */
    assert_int_equal(nums_by_digits_update(&shelf, cm_str_of("7"), count_up, NULL), CM_DEADLOCK);
    nums_entry_unlock(entry);
    nums_entry_release(entry);
    nums_entry_release(same); /* the last user */
    assert_int_equal(nums_len(&shelf), 6);
    end();
}

static void texts_and_owned_keys_are_looked_up_by_another_type(void **state)
{
    (void)state;
    texts map;
    boxes owners;
    char text[600];
    uint64_t value = 0;
    cm_config owned = config();
    memset(text, 'a', sizeof text);
    assert_int_equal(texts_init(&map, NULL), CM_OK);
    assert_int_equal(boxes_init(&owners, &owned), CM_OK);
    for (size_t n = 0; n < sizeof text; n += 9) { /* while it grows, too */
        struct row row = {'a', n};
        struct box key = box_of(n), got;
        assert_int_equal(texts_put(&map, cm_str_from(text, n), n, NULL), CM_OK);
        assert_int_equal(texts_by_row_update(&map, row, count_up, NULL), CM_OK);
        assert_true(texts_by_row_get(&map, row, &value) && value == n + 1);
        assert_true(n == 0 || !texts_by_row_contains(&map, (struct row){'b', n}));
        assert_int_equal(boxes_put(&owners, key, box_of(n), NULL), CM_OK);
        assert_int_equal(boxes_by_number_update(&owners, n, add_ten, NULL), CM_OK);
        assert_true(boxes_by_number_get(&owners, n, &got));
        assert_int_equal(drop(got), n + 10);
        if (n % 2) {
            assert_int_equal(texts_by_row_remove(&map, row, NULL), CM_OK);
            assert_int_equal(boxes_by_number_remove(&owners, n, NULL), CM_OK);
        } else if (n % 4) {
            assert_int_equal(texts_by_row_remove(&map, row, &value), CM_OK);
            assert_int_equal(boxes_by_number_remove(&owners, n, &got), CM_OK);
            assert_int_equal(drop(got), n + 10);
        }
        box_destroy(&key, &all);
    }
    assert_int_equal(texts_check(&map, NULL), CM_OK);
    assert_int_equal(boxes_check(&owners, NULL), CM_OK);
    texts_destroy(&map);
    boxes_destroy(&owners);
    assert_int_equal(all.live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clone_has_entries_of_its_own),
        cmocka_unit_test(it_waits_for_who_has_an_entry),
        cmocka_unit_test(a_clone_keeps_the_limit_and_owns_its_values),
        cmocka_unit_test(merge_adds_what_is_new_and_resolves_the_rest),
        cmocka_unit_test(merge_waits_for_entries_one_at_a_time),
        cmocka_unit_test(merge_owns_its_values_and_fails_as_a_whole_call),
        cmocka_unit_test(values_are_cloned_for_the_map_that_owns_them),
        cmocka_unit_test(retain_removes_what_is_not_kept),
        cmocka_unit_test(retain_and_writers_get_along),
        cmocka_unit_test(keys_are_looked_up_by_another_type),
        cmocka_unit_test(texts_and_owned_keys_are_looked_up_by_another_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
