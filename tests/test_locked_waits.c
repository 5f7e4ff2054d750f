/* The locked map: who waits for an entry's lock, and who does not. */
#include <concmap/locked.h>
#include <sched.h>

#include "crew.h"
#include "shelf.h"

#define MS 1000000

static pthread_barrier_t inside;

static cm_status meet(uint64_t *value, void *context)
{
    (void)context;
    pthread_barrier_wait(&inside); /* all are inside their values at once */
    ++*value;
    pthread_barrier_wait(&inside);
    return CM_OK;
}

static size_t work_on_own(void *context, unsigned thread)
{
    (void)context;
    nums_entry *entry;
    if (nums_acquire(&shelf, 1000 + thread, 0, &entry) != CM_OK)
        return 1;
    nums_entry_release(entry);
    return nums_update(&shelf, 1000 + thread, meet, NULL) != CM_OK;
}

static void each_works_on_its_own_element_at_once(void **state) /* from an empty map */
{
    (void)state;
    assert_int_equal(nums_init(&shelf, NULL), CM_OK);
    pthread_barrier_init(&inside, NULL, 10);
    assert_int_equal(crew_run(10, work_on_own, NULL), 0);
    pthread_barrier_destroy(&inside);
    for (uint64_t i = 0; i < 10; i++) {
        uint64_t value = 0;
        assert_true(nums_get(&shelf, 1000 + i, &value));
        assert_int_equal(value, 1);
    }
    end();
}

static void *hold_up(void *context)
{
    (void)context;
    nums_update(&shelf, 5, meet, NULL);
    return NULL;
}

static void a_held_value_holds_nothing_else_up(void **state) /* K2, K3, K7 */
{
    (void)state;
    uint64_t value = 0, key = 5;
    cm_status result = CM_OK;
    pthread_t thread;
    begin();
    pthread_barrier_init(&inside, NULL, 2);
    assert_int_equal(pthread_create(&thread, NULL, hold_up, NULL), 0);
    pthread_barrier_wait(&inside);
    /* 5 is locked by the other thread; everything else goes on, growth and the removal of 5 included. */
    assert_true(nums_contains(&shelf, 5));
    assert_int_equal(nums_try_get(&shelf, 5, &value), CM_BUSY);
    assert_int_equal(nums_get_until(&shelf, 5, &value, cm_deadline_after(MS)), CM_TIMEOUT);
    assert_int_equal(nums_try_put(&shelf, 5, 1, NULL), CM_BUSY);
    assert_int_equal(nums_put_until(&shelf, 5, 1, NULL, cm_deadline_after(MS)), CM_TIMEOUT);
    assert_int_equal(nums_try_update(&shelf, 5, count_up, NULL), CM_BUSY);
    assert_int_equal(nums_try_upsert(&shelf, 5, 1, count_up, NULL), CM_BUSY);
    assert_int_equal(nums_try_get_or_insert(&shelf, 5, 1, &value), CM_BUSY);
    assert_int_equal(nums_try_remove(&shelf, 5, &value), CM_BUSY);
    assert_int_equal(nums_try_put_many(&shelf, &key, &value, 1, &result), 0);
    assert_int_equal(result, CM_BUSY);
    assert_int_equal(nums_insert(&shelf, 5, 1), CM_EXISTS);
    assert_int_equal(nums_remove_when_unused(&shelf, 6), CM_OK);
    nums_entry *entry = entry_of(5);
    assert_null(nums_entry_try_lock(entry));
    assert_null(nums_entry_lock_until(entry, cm_deadline_after(MS)));
    assert_null(nums_entry_try_read_lock(entry));
    uint64_t *at;
    assert_int_equal(nums_entry_lock_status(entry, CM_TRY, &at), CM_BUSY);
    assert_int_equal(nums_entry_lock_status(entry, cm_deadline_after(MS), &at), CM_TIMEOUT);
    size_t seen[2] = {0, 0};
    assert_int_equal(nums_for_each(&shelf, count_seen, seen), CM_OK);
    assert_int_equal(seen[0], 8);
    assert_int_equal(nums_for_each_reporting(&shelf, count_seen, seen), CM_OK);
    assert_int_equal(seen[1], 1);
    for (uint64_t i = 100; i < 20000; i++)
        assert_int_equal(nums_put(&shelf, i, i, NULL), CM_OK);
    assert_int_equal(nums_settle(&shelf), CM_OK);
    assert_int_equal(nums_remove(&shelf, 5, NULL), CM_OK);
    assert_false(nums_entry_is_linked(entry));
    assert_int_equal(nums_insert(&shelf, 5, 500), CM_OK);
    assert_true(nums_get(&shelf, 5, &value));
    assert_int_equal(value, 500);
    pthread_barrier_wait(&inside);
    pthread_join(thread, NULL);
    assert_int_equal(*nums_entry_lock(entry), 6); /* what was under way came to its end */
    nums_entry_unlock(entry);
    nums_entry_release(entry);
    pthread_barrier_destroy(&inside);
    end();
}

static bool stop;

static size_t read_or_write(void *context, unsigned thread)
{
    (void)context;
    size_t wrong = 0;
    nums_entry *entry = nums_find(&shelf, 1);
    if (thread == 0) {
        for (int i = 0; i < 50; i++) {
            wrong += !nums_entry_lock(entry);
            nums_entry_unlock(entry);
        }
        __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    }
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        wrong += !nums_entry_read_lock(entry);
        nums_entry_read_unlock(entry);
    }
    nums_entry_release(entry);
    return wrong;
}

static void a_writer_comes_in_among_readers(void **state) /* K5 */
{
    (void)state;
    begin();
    stop = false;
    assert_int_equal(crew_run(4, read_or_write, NULL), 0);
    end();
}

/* Sixteen threads on one entry, more than there are processors: holders lose theirs, and everybody goes on. */
static size_t count_by_entry(void *context, unsigned thread)
{
    size_t n = *(const size_t *)context, wrong = 0;
    nums_entry *entry = nums_find(&shelf, 1);
    for (size_t i = 0; i < n; i++) {
        uint64_t *value = NULL;
        wrong += nums_entry_lock_status(entry, cm_deadline_after(30000000000), &value) != CM_OK;
        if (!value)
            break;
        ++*value;
        if (i % 64 == thread)
            sched_yield();
        wrong += nums_entry_unlock(entry) != CM_OK;
        wrong += nums_update_until(&shelf, 1, count_up, NULL, cm_deadline_after(30000000000)) != CM_OK;
    }
    nums_entry_release(entry);
    return wrong;
}

static void K6_holders_that_lose_their_processor_hold_up_for_a_while_only(void **state)
{
    (void)state;
    size_t n = crew_scale(2000);
    uint64_t value = 0;
    begin();
    assert_int_equal(crew_run(16, count_by_entry, &n), 0);
    assert_true(nums_get(&shelf, 1, &value));
    assert_int_equal(value, 1 + 16 * 2 * n);
    end();
}

static cm_status fill_in(uint64_t *value, void *context)
{
    (void)context;
    pthread_barrier_wait(&inside);
    pthread_barrier_wait(&inside);
    for (int i = 0; i < 100; i++) { /* in the entry's own memory still */
        *value = 4711;
        sched_yield();
        if (*value != 4711)
            return CM_CORRUPT;
    }
    return CM_OK;
}

static void *update_nine(void *context)
{
    *(cm_status *)context = nums_update(&shelf, 9, fill_in, NULL);
    return NULL;
}

static void a_node_is_not_used_again_while_it_is_locked(void **state) /* E5 of detail/locked.h */
{
    (void)state;
    cm_status status = CM_OK;
    pthread_t thread;
    begin();
    pthread_barrier_init(&inside, NULL, 2);
    assert_int_equal(pthread_create(&thread, NULL, update_nine, &status), 0);
    pthread_barrier_wait(&inside);
    assert_int_equal(nums_remove(&shelf, 9, NULL), CM_OK);
    for (int round = 0; round < 4; round++) { /* all nodes come and go */
        for (uint64_t i = 100; i < 5000; i++)
            assert_int_equal(nums_put(&shelf, i, i, NULL), CM_OK);
        for (uint64_t i = 100; i < 5000; i++)
            assert_int_equal(nums_remove(&shelf, i, NULL), CM_OK);
        nums_settle(&shelf);
    }
    for (uint64_t i = 100; i < 5000; i++)
        assert_int_equal(nums_insert(&shelf, i, i), CM_OK);
    pthread_barrier_wait(&inside);
    pthread_join(thread, NULL);
    assert_int_equal(status, CM_OK);
    for (uint64_t i = 100; i < 5000; i++) {
        uint64_t value = 0;
        assert_int_equal(nums_try_get(&shelf, i, &value), CM_OK);
        assert_int_equal(value, i);
    }
    pthread_barrier_destroy(&inside);
    assert_int_equal(nums_settle(&shelf), CM_OK);
    end();
}

static void *update_five(void *status)
{
    *(cm_status *)status = nums_update(&shelf, 5, count_up, NULL);
    return NULL;
}

/* Who waited for a lock does nothing to an entry that was removed meanwhile, but looks the key up again. */
static void who_waited_looks_again(void **state)
{
    (void)state;
    for (int again = 0; again < 2; again++) {
        cm_status status = CM_IO;
        uint64_t value = 0;
        pthread_t thread;
        begin();
        nums_entry *entry = entry_of(5);
        assert_non_null(nums_entry_lock(entry));
        assert_int_equal(pthread_create(&thread, NULL, update_five, &status), 0);
        while (__atomic_load_n(&shelf.core.waiters.count, __ATOMIC_ACQUIRE) == 0)
            sched_yield();
        assert_int_equal(nums_remove(&shelf, 5, NULL), CM_OK);
        if (again)
            assert_int_equal(nums_insert(&shelf, 5, 500), CM_OK);
        assert_int_equal(nums_entry_unlock(entry), CM_OK);
        pthread_join(thread, NULL);
        assert_int_equal(status, again ? CM_OK : CM_ABSENT);
        assert_int_equal(nums_get(&shelf, 5, &value), again);
        assert_int_equal(value, again ? 501 : 0);
        assert_int_equal(*nums_entry_lock(entry), 5);
        nums_entry_unlock(entry);
        nums_entry_release(entry);
        end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_works_on_its_own_element_at_once),
        cmocka_unit_test(a_held_value_holds_nothing_else_up),
        cmocka_unit_test(a_writer_comes_in_among_readers),
        cmocka_unit_test(K6_holders_that_lose_their_processor_hold_up_for_a_while_only),
        cmocka_unit_test(a_node_is_not_used_again_while_it_is_locked),
        cmocka_unit_test(who_waited_looks_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
