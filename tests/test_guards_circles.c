/* Guards of several threads: the deadlocks that are seen, several keys at once, guards that go to other threads, and
 * threads that end with one. */

#include "crew.h"
#include "guarded.h"
#include "unit.h"

/* ---- deadlocks ---- */

/* Of keys in buckets of their own: who waited for a neighbour would not come to where all hold theirs. */
struct circle {
    plain map;
    pthread_barrier_t all_hold;
    unsigned threads;
    size_t deadlocks;
};

static size_t hold_mine_and_want_the_next(void *context, unsigned i)
{
    struct circle *circle = context;
    plain_write_guard mine, next;
    size_t wrong = plain_write(&circle->map, i, &mine) != CM_OK;
    pthread_barrier_wait(&circle->all_hold);
    cm_status status = plain_write_until(&circle->map, (i + 1) % circle->threads, &next, IN_SECOND(30));
    if (status == CM_DEADLOCK)
        __atomic_add_fetch(&circle->deadlocks, 1, __ATOMIC_RELAXED);
    else
        wrong += status != CM_OK || plain_write_unlock(&next) != CM_OK;
    return wrong + (plain_write_unlock(&mine) != CM_OK);
}

static void a_circle_of_waits_is_seen_by_one_of_it(void **state)
{
    (void)state;
    for (unsigned threads = 2; threads <= 5; threads++) {
        struct circle circle = {.threads = threads};
        assert_int_equal(plain_init(&circle.map, &(cm_config){.capacity = 10000}), CM_OK);
        for (uint64_t key = 0; key < threads; key++)
            assert_int_equal(plain_put(&circle.map, key, 0, NULL), CM_OK);
        pthread_barrier_init(&circle.all_hold, NULL, threads);
        assert_int_equal(crew_run(threads, hold_mine_and_want_the_next, &circle), 0);
        assert_int_equal(circle.deadlocks, 1);
        pthread_barrier_destroy(&circle.all_hold);
        plain_destroy(&circle.map);
    }
}

/* Within functions given to update, where the lock is the call's. */
static cm_status want_the_other(uint64_t *value, void *context)
{
    struct circle *circle = context;
    uint64_t other = 1 - *value;
    pthread_barrier_wait(&circle->all_hold);
    return plain_put_until(&circle->map, other, other, NULL, IN_SECOND(30));
}

static size_t update_and_want(void *context, unsigned i)
{
    struct circle *circle = context;
    cm_status status = plain_update(&circle->map, i, want_the_other, circle);
    if (status == CM_DEADLOCK)
        __atomic_add_fetch(&circle->deadlocks, 1, __ATOMIC_RELAXED);
    return status != CM_DEADLOCK && status != CM_REPLACED;
}

static void a_circle_through_updates_is_seen(void **state)
{
    (void)state;
    struct circle circle = {.threads = 2};
    assert_int_equal(plain_init(&circle.map, &(cm_config){.capacity = 10000}), CM_OK);
    for (uint64_t key = 0; key < 2; key++)
        assert_int_equal(plain_put(&circle.map, key, key, NULL), CM_OK);
    pthread_barrier_init(&circle.all_hold, NULL, 2);
    assert_int_equal(crew_run(2, update_and_want, &circle), 0);
    assert_int_equal(circle.deadlocks, 1);
    pthread_barrier_destroy(&circle.all_hold);
    plain_destroy(&circle.map);
}

/* Two readers of a bucket that want to write others of its keys. */
static size_t read_and_want_a_neighbour(void *context, unsigned i)
{
    plain *map = context;
    size_t wrong = 0;
    for (size_t n = 0; n < crew_scale(2000); n++) {
        plain_read_guard guard;
        if (plain_read_until(map, NEAR(i), &guard, IN_SECOND(30)) != CM_OK)
            return wrong + 1;
        cm_status status = plain_put_until(map, NEAR(10 + i), n, NULL, IN_SECOND(30));
        wrong += status != CM_REPLACED && status != CM_DEADLOCK;
        wrong += plain_read_unlock(&guard) != CM_OK;
    }
    return wrong;
}

static void readers_that_want_to_write_do_not_hang(void **state)
{
    (void)state;
    plain map;
    assert_int_equal(plain_init(&map, NULL), CM_OK);
    for (uint64_t i = 0; i < 20; i++)
        assert_int_equal(plain_put(&map, NEAR(i), 0, NULL), CM_OK);
    assert_int_equal(crew_run(4, read_and_want_a_neighbour, &map), 0);
    well(&map, 20);
    plain_destroy(&map);
}

/* ---- several keys at once ---- */

#define ACCOUNTS 16

static cm_status move_money(uint64_t **values, size_t n, void *context)
{
    (void)context;
    for (size_t i = 1; i < n; i++)
        if (*values[0] > 0) {
            --*values[0];
            ++*values[i];
        }
    return CM_OK;
}

static size_t move_at_random(void *context, unsigned i)
{
    plain *map = context;
    uint64_t random = 88172645463325252u + i;
    size_t wrong = 0;
    for (size_t n = 0; n < crew_scale(20000); n++) {
        uint64_t keys[4];
        size_t count = 0;
        while (count < 4) {
            uint64_t key = crew_random(&random) % ACCOUNTS * 1000;
            size_t k = 0;
            while (k < count && keys[k] != key)
                k++;
            if (k == count)
                keys[count++] = key;
        }
        if (n % 16 == 0) { /* with a guard of its own, too: then a circle is the caller's affair */
            plain_write_guard guard;
            wrong += plain_entry(map, 7 + i * 64, &guard) != CM_OK;
            cm_status status = plain_with_keys(map, keys, 4, move_money, NULL);
            wrong += status != CM_OK && status != CM_DEADLOCK;
            wrong += plain_entry_unlock(&guard) != CM_OK;
        } else {
            wrong += plain_with_keys(map, keys, 4, move_money, NULL) != CM_OK;
        }
        if (n % 64 == 0) /* growth meanwhile */
            wrong += plain_put(map, 1000000 + random % 10000000, 0, NULL) < 0;
    }
    return wrong;
}

static void several_keys_are_changed_in_one_step(void **state)
{
    (void)state;
    plain map;
    uint64_t sum = 0, value = 0, keys[] = {1, 2, 1};
    assert_int_equal(plain_init(&map, NULL), CM_OK);
    assert_int_equal(plain_with_keys(&map, keys, 3, move_money, NULL), CM_INVALID);
    assert_int_equal(plain_with_keys(&map, keys, 0, move_money, NULL), CM_INVALID);
    for (uint64_t key = 0; key < ACCOUNTS; key++)
        assert_int_equal(plain_put(&map, key * 1000, 1000, NULL), CM_OK);
    assert_int_equal(crew_run(4, move_at_random, &map), 0);
    for (uint64_t key = 0; key < ACCOUNTS; key++) {
        assert_true(plain_get(&map, key * 1000, &value));
        sum += value;
    }
    assert_int_equal(sum, ACCOUNTS * 1000);
    const char *reason = NULL;
    assert_int_equal(plain_check(&map, &reason), CM_OK);
    plain_destroy(&map);
}

/* ---- guards that go to other threads, and threads that end ---- */

struct handed {
    nums map;
    nums_write_guard guard;
    size_t wrong;
};

static void *take_over(void *context)
{
    struct handed *handed = context;
    nums_write_guard guard = handed->guard; /* by copy */
    handed->wrong += nums_write_unlock(&guard) != CM_INVALID;
    handed->wrong += nums_write_attach(&guard) != CM_OK;
    handed->wrong += nums_put(&handed->map, 1, 0, NULL) != CM_DEADLOCK;
    ++*guard.value;
    handed->wrong += nums_write_unlock(&guard) != CM_OK;
    return NULL;
}

static void a_guard_can_be_handed_to_another_thread(void **state)
{
    (void)state;
    struct handed handed = {.wrong = 0};
    uint64_t value;
    assert_int_equal(nums_init(&handed.map, NULL), CM_OK);
    assert_int_equal(nums_put(&handed.map, 1, 1, NULL), CM_OK);
    assert_int_equal(nums_write(&handed.map, 1, &handed.guard), CM_OK);
    assert_int_equal(nums_write_attach(&handed.guard), CM_INVALID);
    assert_int_equal(nums_write_detach(&handed.guard), CM_OK);
    assert_int_equal(nums_write_unlock(&handed.guard), CM_INVALID);
    assert_int_equal(nums_put_until(&handed.map, 1, 0, NULL, IN_MS(5)), CM_TIMEOUT); /* a deadline helps */
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, take_over, &handed), 0);
    pthread_join(thread, NULL);
    assert_int_equal(handed.wrong, 0);
    assert_true(nums_get(&handed.map, 1, &value) && value == 2);
    assert_int_equal(nums_try_put(&handed.map, 1, 0, NULL), CM_REPLACED);
    nums_destroy(&handed.map);
}

static void *die_holding(void *context)
{
    static CM_THREAD_LOCAL nums_write_guard writer, vacant;
    static CM_THREAD_LOCAL nums_read_guard reader;
    nums *map = context;
    nums_write(map, 1, &writer);
    *writer.value = 666;
    nums_entry(map, 5000, &vacant);
    nums_read(map, 2, &reader);
    return NULL;
}

static void a_thread_that_ends_in_a_guard_leaks_no_lock(void **state)
{
    (void)state;
    struct kept kept;
    uint64_t value;
    nums_write_guard writer;
    for (int way = 0; way < 5; way++) {
        kept_init(&kept);
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, die_holding, &kept.map), 0);
        pthread_join(thread, NULL);
        assert_int_equal(nums_try_put(&kept.map, 2, 0, NULL), CM_REPLACED);
        assert_int_equal(nums_try_insert(&kept.map, 5000, 0), CM_OK);
        if (way == 0) { /* the next to come keeps it */
            assert_int_equal(nums_with_keys(&kept.map, (uint64_t[]){2, 1}, 2, touch_all, NULL), CM_OWNER_DIED);
            assert_int_equal(nums_update(&kept.map, 1, add_one, NULL), CM_OWNER_DIED);
            assert_int_equal(nums_write(&kept.map, 1, &writer), CM_OWNER_DIED);
            assert_int_equal(*writer.value, 666);
            assert_int_equal(nums_write_unlock(&writer), CM_OK);
            assert_int_equal(nums_update(&kept.map, 1, add_one, NULL), CM_OK);
        } else if (way == 1) { /* or drops it */
            assert_int_equal(nums_entry(&kept.map, 1, &writer), CM_OWNER_DIED);
            assert_int_equal(nums_entry_remove(&writer, &value), CM_OK);
            assert_int_equal(nums_entry_unlock(&writer), CM_OK);
            assert_false(nums_contains(&kept.map, 1));
        } else if (way == 2) { /* or replaces it */
            assert_int_equal(nums_put(&kept.map, 1, 3, NULL), CM_REPLACED);
            assert_int_equal(nums_update(&kept.map, 1, add_one, NULL), CM_OK);
        } else if (way == 3) { /* or removes it unseen */
            assert_int_equal(nums_remove(&kept.map, 1, &value), CM_OK);
            assert_int_equal(value, 666);
        } /* or destroys the map */
        for (uint64_t key = 10000; way != 4 && key < 20000; key++)
            assert_int_equal(nums_put(&kept.map, key, key, NULL), CM_OK);
        if (way != 4) {
            const char *reason = NULL;
            assert_int_equal(nums_settle(&kept.map), CM_OK);
            assert_int_equal(nums_check(&kept.map, &reason), CM_OK);
        }
        nums_destroy(&kept.map);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_circle_of_waits_is_seen_by_one_of_it),
        cmocka_unit_test(a_circle_through_updates_is_seen),
        cmocka_unit_test(readers_that_want_to_write_do_not_hang),
        cmocka_unit_test(several_keys_are_changed_in_one_step),
        cmocka_unit_test(a_guard_can_be_handed_to_another_thread),
        cmocka_unit_test(a_thread_that_ends_in_a_guard_leaks_no_lock),
    };
    cm_thread_get_(); /* registers the process for barriers */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
