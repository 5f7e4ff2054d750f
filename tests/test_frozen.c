/* Frozen maps: nothing changes, pointers stay, and who would change something waits or is told. */
#include <concmap/sharded.h>
#include <pthread.h>
#include <sched.h>

#include "crew.h"
#include "failing_allocator.h"
#include "unit.h"

struct page {
    uint64_t words[32];
};

CM_SHARDED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_SHARDED_MAP(words, cm_str, struct page, cm_hash_str, cm_equal_str)

static void begin(nums *map, uint64_t keys)
{
    assert_int_equal(nums_init(map, NULL), CM_OK);
    for (uint64_t key = 0; key < keys; key++)
        assert_int_equal(nums_put(map, key, key, NULL), CM_OK);
}

static void end(nums *map, size_t entries)
{
    assert_int_equal(nums_check(map, NULL), CM_OK);
    assert_int_equal(nums_len(map), entries);
    nums_destroy(map);
}

static cm_status add_one(uint64_t *value, void *context)
{
    (void)context;
    ++*value;
    return CM_OK;
}

static void what_is_frozen_is_read_in_place(void **state)
{
    (void)state;
    for (uint64_t keys = 0; keys < 5000; keys = keys * 3 + 1) {
        nums map;
        nums_frozen view;
        uint64_t seen = 0, sum = 0;
        begin(&map, keys);
        assert_int_equal(nums_freeze(&map, &view), CM_OK);
        for (uint64_t key = 0; key < keys; key++)
            assert_int_equal(*nums_frozen_get(&view, key), key);
        assert_null(nums_frozen_get(&view, keys));
        CM_FOREACH (nums_frozen, &view, it) {
            assert_ptr_equal(it.value, nums_frozen_get(&view, *it.key));
            seen++;
            sum += *it.value;
        }
        assert_int_equal(seen, keys);
        assert_int_equal(sum, keys ? keys * (keys - 1) / 2 : 0);
        assert_int_equal(nums_thaw(&view), CM_OK);
        assert_int_equal(nums_thaw(&view), CM_INVALID);
        assert_int_equal(nums_put(&map, keys, 0, NULL), CM_OK);
        end(&map, keys + 1);
    }
}

static void its_own_thread_is_told_that_it_would_wait_for_itself(void **state)
{
    (void)state;
    nums map;
    nums_frozen view, second;
    nums_write_guard guard;
    nums_read_guard reader;
    uint64_t value;
    begin(&map, 100);
    assert_int_equal(nums_freeze(&map, &view), CM_OK);
    assert_int_equal(nums_put(&map, 5, 0, NULL), CM_DEADLOCK);
    assert_int_equal(nums_put(&map, 500, 0, NULL), CM_DEADLOCK);
    assert_int_equal(nums_update(&map, 5, add_one, NULL), CM_DEADLOCK);
    assert_int_equal(nums_remove(&map, 5, NULL), CM_DEADLOCK);
    assert_int_equal(nums_write(&map, 5, &guard), CM_DEADLOCK);
    assert_int_equal(nums_clear(&map), CM_DEADLOCK);
    assert_int_equal(nums_try_put(&map, 5, 0, NULL), CM_DEADLOCK);
    assert_true(nums_get(&map, 5, &value) && value == 5); /* reading goes on */
    assert_int_equal(nums_read(&map, 5, &reader), CM_OK);
    assert_int_equal(nums_read_unlock(&reader), CM_OK);
    assert_int_equal(nums_freeze(&map, &second), CM_OK); /* twice is as good as once */
    assert_int_equal(nums_thaw(&second), CM_OK);
    assert_int_equal(nums_put(&map, 5, 0, NULL), CM_DEADLOCK);
    assert_int_equal(nums_thaw(&view), CM_OK);
    assert_int_equal(nums_write(&map, 5, &guard), CM_OK);
    assert_int_equal(nums_freeze(&map, &view), CM_DEADLOCK);
    assert_int_equal(nums_write_unlock(&guard), CM_OK);
    assert_int_equal(nums_put(&map, 5, 0, NULL), CM_REPLACED);
    end(&map, 100);
}

struct meeting {
    nums map;
    nums_frozen view;
    uint32_t step;
    cm_status status[2];
};

static void step_to(struct meeting *meeting, uint32_t step)
{
    __atomic_store_n(&meeting->step, step, __ATOMIC_RELEASE);
}

static void step_await(struct meeting *meeting, uint32_t step)
{
    while (__atomic_load_n(&meeting->step, __ATOMIC_ACQUIRE) < step)
        sched_yield();
}

static size_t others_wait(void *context, unsigned i)
{
    struct meeting *meeting = context;
    size_t wrong = 0;
    if (i == 0) {
        wrong += nums_freeze(&meeting->map, &meeting->view) != CM_OK;
        step_to(meeting, 1);
        step_await(meeting, 2);
        for (uint64_t key = 0; key < 1000; key++) {
            const uint64_t *value = nums_frozen_get(&meeting->view, key);
            wrong += !value || *value != key;
        }
        wrong += nums_thaw(&meeting->view) != CM_OK;
        return wrong;
    }
    step_await(meeting, 1);
    wrong += nums_try_put(&meeting->map, 7, 0, NULL) != CM_BUSY;
    wrong += nums_put_until(&meeting->map, 7, 0, NULL, cm_deadline_after(1000000)) != CM_TIMEOUT;
    wrong += nums_try_put(&meeting->map, 70000, 0, NULL) != CM_BUSY;
    wrong += *nums_frozen_get(&meeting->view, 7) != 7; /* any thread may read the view, */
    wrong += nums_thaw(&meeting->view) != CM_INVALID;  /* but not thaw it */
    nums_frozen second;
    wrong += nums_freeze(&meeting->map, &second) != CM_OK || nums_thaw(&second) != CM_OK;
    step_to(meeting, 2);
    wrong += nums_put(&meeting->map, 7, 70, NULL) != CM_REPLACED; /* waits */
    return wrong;
}

static void others_wait_or_are_refused(void **state)
{
    (void)state;
    struct meeting meeting = {.step = 0};
    uint64_t value;
    begin(&meeting.map, 1000);
    assert_int_equal(crew_run(2, others_wait, &meeting), 0);
    assert_true(nums_get(&meeting.map, 7, &value) && value == 70);
    end(&meeting.map, 1000);
}

static void *freeze_and_end(void *map)
{
    static __thread nums_frozen view;
    return (void *)(uintptr_t)(nums_freeze(map, &view) != CM_OK);
}

static void a_thread_that_ends_thaws(void **state)
{
    (void)state;
    nums map;
    pthread_t thread;
    void *wrong;
    begin(&map, 1000);
    assert_int_equal(pthread_create(&thread, NULL, freeze_and_end, &map), 0);
    pthread_join(thread, &wrong);
    assert_null(wrong);
    for (uint64_t key = 0; key < 2000; key++)
        assert_true(nums_put(&map, key, key, NULL) >= 0);
    end(&map, 2000);
}

/* One has frozen the map and wants what the other holds; the other wants to change the map. */
static size_t close_a_circle(void *context, unsigned i)
{
    struct meeting *meeting = context;
    static nums other;
    nums_write_guard guard;
    if (i == 0) {
        nums_init(&other, NULL);
        nums_put(&other, 1, 1, NULL);
        size_t wrong = nums_freeze(&meeting->map, &meeting->view) != CM_OK;
        step_to(meeting, 1);
        step_await(meeting, 2);
        meeting->status[0] = nums_update(&other, 1, add_one, NULL);
        wrong += nums_thaw(&meeting->view) != CM_OK;
        step_await(meeting, 3);
        nums_destroy(&other);
        return wrong;
    }
    step_await(meeting, 1);
    size_t wrong = nums_write(&other, 1, &guard) != CM_OK;
    step_to(meeting, 2);
    meeting->status[1] = nums_update(&meeting->map, 5, add_one, NULL);
    wrong += nums_write_unlock(&guard) != CM_OK;
    step_to(meeting, 3);
    return wrong;
}

static void a_circle_through_a_frozen_map_is_told(void **state)
{
    (void)state;
    struct meeting meeting = {.step = 0};
    begin(&meeting.map, 100);
    assert_int_equal(crew_run(2, close_a_circle, &meeting), 0);
    assert_int_equal((meeting.status[0] == CM_DEADLOCK) + (meeting.status[1] == CM_DEADLOCK), 1);
    assert_int_equal((meeting.status[0] == CM_OK) + (meeting.status[1] == CM_OK), 1);
    end(&meeting.map, 100);
}

/* While a writer waits for the thaw, who has frozen the map still comes in. */
static size_t read_past_a_waiter(void *context, unsigned i)
{
    struct meeting *meeting = context;
    nums_read_guard guard;
    if (i == 1) {
        step_await(meeting, 1);
        return nums_put(&meeting->map, 5, 50, NULL) != CM_REPLACED;
    }
    size_t wrong = nums_freeze(&meeting->map, &meeting->view) != CM_OK;
    step_to(meeting, 1);
    const uint64_t *cell = cm_bucket_state_(
        cm_table_bucket_(meeting->map.core.root, cm_layout_of_(&nums_type_), nums_hash_of(&meeting->map, 5)));
    while (!(__atomic_load_n(cell, __ATOMIC_RELAXED) & CM_PENDING_))
        sched_yield();
    wrong += nums_read_until(&meeting->map, 5, &guard, cm_deadline_after(10000000000)) != CM_OK;
    wrong += nums_read_unlock(&guard) != CM_OK;
    return wrong + (nums_thaw(&meeting->view) != CM_OK);
}

static void its_own_thread_reads_past_those_who_wait(void **state)
{
    (void)state;
    struct meeting meeting = {.step = 0};
    begin(&meeting.map, 100);
    assert_int_equal(crew_run(2, read_past_a_waiter, &meeting), 0);
    end(&meeting.map, 100);
}

#define STAY 500

struct storm {
    nums map;
    uint32_t ended;
};

/* While some write, and let the table grow and shrink, others freeze: what they see does not change. */
static size_t storm_work(void *context, unsigned i)
{
    struct storm *storm = context;
    const uint64_t keys = CREW_SLOW ? 700 : 2000; /* each of them waits for those who freeze, and they look at all */
    size_t wrong = 0;
    if (i < 2) {
        for (size_t round = 0; round < crew_scale(100); round++) {
            for (uint64_t n = 0; n < keys; n++)
                wrong += nums_put(&storm->map, STAY + n * 2 + i, round, NULL) < 0;
            for (uint64_t n = 0; n < keys; n++)
                wrong += nums_remove(&storm->map, STAY + n * 2 + i, NULL) < 0;
            nums_shrink_to_fit(&storm->map);
        }
        __atomic_add_fetch(&storm->ended, 1, __ATOMIC_RELEASE);
        return wrong;
    }
    while (__atomic_load_n(&storm->ended, __ATOMIC_ACQUIRE) < 2) {
        nums_frozen view;
        if (nums_freeze(&storm->map, &view) != CM_OK)
            return wrong + 1;
        size_t seen = 0, stay = 0;
        uint64_t sum[2] = {0, 0};
        for (size_t turn = 0; turn < 2; turn++)
            CM_FOREACH (nums_frozen, &view, it) {
                seen++;
                stay += *it.key < STAY;
                sum[turn] += *it.key * 31 + *it.value;
            }
        wrong += seen % 2 != 0 || stay != 2 * STAY || sum[0] != sum[1];
        wrong += nums_thaw(&view) != CM_OK;
        sched_yield();
    }
    return wrong;
}

static void what_is_frozen_does_not_change(void **state)
{
    (void)state;
    struct storm storm = {.ended = 0};
    begin(&storm.map, STAY);
    assert_int_equal(crew_run(4, storm_work, &storm), 0);
    end(&storm.map, STAY);
}

static void texts_and_large_values_are_read_in_place(void **state)
{
    (void)state;
    words map;
    words_frozen view;
    char text[400];
    memset(text, 'k', sizeof text);
    assert_int_equal(words_init(&map, NULL), CM_OK);
    for (size_t n = 0; n < sizeof text; n++)
        assert_int_equal(words_put(&map, cm_str_from(text, n), (struct page){{n}}, NULL), CM_OK);
    assert_int_equal(words_freeze(&map, &view), CM_OK);
    for (size_t n = 0; n < sizeof text; n++)
        assert_int_equal(words_frozen_get(&view, cm_str_from(text, n))->words[0], n);
    CM_FOREACH (words_frozen, &view, it)
        assert_int_equal(it.value->words[0], it.key->len);
    assert_int_equal(words_thaw(&view), CM_OK);
    words_destroy(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_frozen_is_read_in_place),
        cmocka_unit_test(its_own_thread_is_told_that_it_would_wait_for_itself),
        cmocka_unit_test(others_wait_or_are_refused),
        cmocka_unit_test(a_thread_that_ends_thaws),
        cmocka_unit_test(a_circle_through_a_frozen_map_is_told),
        cmocka_unit_test(its_own_thread_reads_past_those_who_wait),
        cmocka_unit_test(what_is_frozen_does_not_change),
        cmocka_unit_test(texts_and_large_values_are_read_in_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
