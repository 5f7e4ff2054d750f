/* The partitioned map: who waits and who gives up, and owners that come and go. */
#include <concmap/partitioned.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "crew.h"
#include "partitions.h"

/* ---- who waits, and who gives up ---- */

static void a_full_queue_is_told(void **state) /* K7 */
{
    (void)state;
    nums_future futures[4] = {{0}};
    uint64_t value = 0;
    begin((cm_partition_config){.partitions = 1, .queue = 2, .polled = true});
    assert_int_equal(nums_put_async(&divided, &futures[0], 1, 10), CM_OK);
    assert_int_equal(nums_put_async(&divided, &futures[1], 2, 20), CM_OK);
    assert_int_equal(nums_try_put_async(&divided, &futures[2], 3, 30), CM_BUSY);
    assert_int_equal(nums_put_async_until(&divided, &futures[2], 3, 30, cm_deadline_after(2 * MS)), CM_TIMEOUT);
    assert_int_equal(nums_try_put(&divided, 3, 30, NULL), CM_BUSY);
    assert_int_equal(nums_put_until(&divided, 3, 30, NULL, cm_deadline_after(2 * MS)), CM_TIMEOUT);
    assert_int_equal(nums_try_get(&divided, 1, &value), CM_BUSY);
    assert_false(nums_future_is_done(&futures[0]));
    assert_int_equal(nums_try_future_wait(&futures[0]), CM_BUSY);
    own(1);
    assert_int_equal(nums_future_wait(&futures[1]), CM_OK);
    assert_true(nums_future_is_done(&futures[0]));
    assert_int_equal(nums_len(&divided), 2);
    assert_false(nums_contains(&divided, 3));
    end();
}

static void what_was_given_up_is_never_done(void **state)
{
    (void)state;
    nums_future future = {0};
    cm_status results[3] = {CM_IO, CM_IO, CM_IO};
    uint64_t value = 77, key = 5;
    bool found = true;
    begin((cm_partition_config){.partitions = 2, .queue = 8, .polled = true});
    assert_int_equal(nums_try_put(&divided, 1, 10, NULL), CM_BUSY);
    assert_int_equal(nums_put_until(&divided, 1, 10, NULL, cm_deadline_after(2 * MS)), CM_TIMEOUT);
    assert_int_equal(nums_put_async(&divided, &future, 2, 20), CM_OK);
    assert_int_equal(nums_future_cancel(&future), CM_OK);
    assert_int_equal(nums_future_cancel(&future), CM_BUSY);
    assert_int_equal(nums_try_put_many(&divided, &key, &value, 1, results), 0);
    assert_int_equal(results[0], CM_BUSY);
    assert_int_equal(nums_get_many_until(&divided, &key, 1, &found, &value, cm_deadline_after(MS)), 0);
    assert_false(found);
    nums_batch batch = nums_batch_begin(&divided);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(nums_batch_put(&batch, 10 + i, i, &results[i]), CM_OK);
    assert_int_equal(nums_try_batch_wait(&batch), CM_BUSY);
    assert_int_equal(nums_batch_wait_until(&batch, cm_deadline_after(MS)), CM_TIMEOUT);
    assert_int_equal(nums_batch_give_up(&batch), CM_CLOSED);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(results[i], CM_CLOSED);
    own(2);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(nums_partition_poll(&divided, i, SIZE_MAX, NULL), CM_OK);
    assert_int_equal(nums_len(&divided), 0);
    assert_int_equal(value, 77);
    end();
}

static void a_batch_goes_on_after_a_deadline(void **state)
{
    (void)state;
    cm_status result = CM_IO;
    begin((cm_partition_config){.partitions = 2, .polled = true});
    nums_batch batch = nums_batch_begin(&divided);
    assert_int_equal(nums_batch_put(&batch, 1, 1, &result), CM_OK);
    assert_int_equal(nums_batch_wait_until(&batch, cm_deadline_after(MS)), CM_TIMEOUT);
    assert_int_equal(nums_batch_put(&batch, 3, 3, NULL), CM_OK);
    own(2);
    assert_int_equal(nums_batch_wait(&batch), CM_OK);
    assert_int_equal(result, CM_OK);
    assert_int_equal(nums_len(&divided), 2);
    end();
}

static void *put_some(void *context)
{
    size_t wrong = 0;
    for (uint64_t i = 0; i < 100; i++) {
        static nums_future futures[100];
        memset(&futures[i], 0, sizeof futures[i]);
        wrong += nums_put_async(&divided, &futures[i], i, i) != CM_OK; /* waits for room */
    }
    *(size_t *)context = wrong + (nums_put(&divided, 100, 100, NULL) != CM_OK);
    return NULL;
}

static void a_sender_that_waits_for_room_goes_on(void **state)
{
    (void)state;
    pthread_t thread;
    size_t wrong = 1, served = 0;
    begin((cm_partition_config){.partitions = 1, .queue = 2, .polled = true});
    own(1);
    assert_int_equal(pthread_create(&thread, NULL, put_some, &wrong), 0);
    while (served < 101) {
        size_t now = 0;
        assert_int_equal(nums_owner_sleep(&divided), CM_OK);
        assert_int_equal(nums_partition_poll(&divided, 0, 1, &now), CM_OK);
        served += now;
    }
    pthread_join(thread, NULL);
    assert_int_equal(wrong, 0);
    assert_int_equal(nums_len(&divided), 101);
    assert_int_equal(nums_try_owner_sleep(&divided), CM_BUSY);
    end();
}

static void owners_sleep_when_nothing_comes(void **state)
{
    (void)state;
    begin((cm_partition_config){.partitions = 2});
    for (uint64_t i = 0; i < 4; i++) {
        while (nums_partition_stats(&divided, i % 2).sleeps == 0)
            usleep(1000);
        assert_int_equal(nums_put(&divided, i, i, NULL), CM_OK);
    }
    cm_partition_stats stats = nums_partition_stats(&divided, 1);
    assert_int_equal(stats.entries, 2);
    assert_int_equal(stats.requests, 2);
    assert_int_equal(stats.messages, 2);
    assert_int_equal(stats.queued, 0);
    end();
}

static void *put_for_a_while(void *context)
{
    *(cm_status *)context = nums_put_until(&divided, 1, 1, NULL, cm_deadline_after(50000000));
    return NULL;
}

static void *put_however_long(void *done)
{
    nums_put(&divided, 2, 2, NULL);
    __atomic_store_n((int *)done, 1, __ATOMIC_RELEASE);
    return NULL;
}

static void who_waits_for_room_is_woken_where_others_gave_up_before_it(void **state)
{
    (void)state;
    pthread_t threads[3];
    cm_status given_up[2];
    int done = 0;
    begin((cm_partition_config){.partitions = 1, .queue = 2, .polled = true});
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, put_for_a_while, &given_up[i]), 0);
    while (nums_partition_stats(&divided, 0).queued < 2)
        usleep(100);
    assert_int_equal(pthread_create(&threads[2], NULL, put_however_long, &done), 0);
    for (size_t i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(given_up[i], CM_TIMEOUT);
    }
    own(1);
    while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE)) {
        nums_owner_sleep_until(&divided, cm_deadline_after(MS)); /* the other may have its answer, and not say so yet */
        assert_int_equal(nums_partition_poll(&divided, 0, 8, NULL), CM_OK);
    }
    pthread_join(threads[2], NULL);
    assert_int_equal(nums_len(&divided), 1);
    end();
}

/* Two threads own a partition each, and both only call: each serves the other while it waits. */
static size_t own_and_ask(void *context, unsigned thread)
{
    static unsigned done;
    size_t rounds = *(const size_t *)context, wrong = nums_partition_own(&divided, thread) != CM_OK;
    for (uint64_t i = 0; i < rounds; i++)
        wrong += nums_upsert(&divided, i % 10, 1, add_one, NULL) < 0;
    __atomic_add_fetch(&done, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) % 2)
        if (nums_owner_sleep_until(&divided, cm_deadline_after(MS)) == CM_OK)
            nums_partition_poll(&divided, thread, SIZE_MAX, NULL);
    return wrong + (nums_partition_leave(&divided, thread) != CM_OK);
}

static void owners_that_wait_serve_each_other(void **state)
{
    (void)state;
    size_t rounds = crew_scale(5000);
    uint64_t sum = 0;
    begin((cm_partition_config){.partitions = 2, .polled = true, .queue = 2});
    assert_int_equal(crew_run(2, own_and_ask, &rounds), 0);
    own(2);
    assert_int_equal(nums_for_each(&divided, add_up, &sum), CM_OK);
    assert_int_equal(sum, 2 * rounds);
    end();
}

/* ---- owners come and go ---- */

static void *own_and_end(void *context)
{
    *(cm_status *)context = nums_partition_own(&divided, 0);
    return NULL;
}

static cm_status end_the_thread(uint64_t *value, void *context)
{
    (void)context;
    *value = 4711;
    pthread_exit(NULL);
}

static void *own_and_end_in_a_function(void *context)
{
    nums_partition_own(&divided, 0);
    nums_partition_poll(&divided, 0, SIZE_MAX, NULL);
    return context;
}

static void a_partition_has_one_owner(void **state)
{
    (void)state;
    cm_status theirs = CM_OK;
    begin((cm_partition_config){.partitions = 1, .polled = true});
    assert_int_equal(nums_partition_poll(&divided, 0, 1, NULL), CM_INVALID);
    assert_int_equal(nums_partition_arm(&divided, 0), CM_INVALID);
    assert_int_equal(nums_partition_leave(&divided, 0), CM_INVALID);
    assert_int_equal(nums_owner_sleep(&divided), CM_INVALID);
    assert_int_equal(nums_partition_own(&divided, 7), CM_INVALID);
    own(1);
    assert_int_equal(nums_partition_own(&divided, 0), CM_EXISTS);
    nums_future sent = {0};
    uint64_t value = 0;
    assert_int_equal(nums_put_async(&divided, &sent, 1, 5), CM_OK);
    assert_int_equal(nums_put(&divided, 1, 1, &value),
                     CM_REPLACED); /* what it has sent comes before what it does itself */
    assert_int_equal(value, 5);
    leave(1);
    in_thread(own_and_end, &theirs);
    assert_int_equal(theirs, CM_OK);
    assert_int_equal(nums_partition_own(&divided, 0), CM_OWNER_DIED); /* told once */
    leave(1);
    own(1);
    end();
}

static void a_function_that_ends_its_owner_is_told(void **state)
{
    (void)state;
    nums_future ended = {0}, next = {0};
    uint64_t value = 0;
    begin((cm_partition_config){.partitions = 1, .polled = true});
    own(1);
    assert_int_equal(nums_put(&divided, 1, 1, NULL), CM_OK);
    leave(1);
    assert_int_equal(nums_update_async(&divided, &ended, 1, end_the_thread, NULL), CM_OK);
    assert_int_equal(nums_get_async(&divided, &next, 1), CM_OK);
    in_thread(own_and_end_in_a_function, NULL);
    assert_false(nums_future_is_done(&next));
    assert_int_equal(nums_partition_own(&divided, 0), CM_OWNER_DIED);
    assert_int_equal(nums_future_wait(&ended), CM_OWNER_DIED);
    assert_int_equal(nums_future_wait(&next), CM_OK);
    assert_int_equal(next.value, 4711);
    end();

    begin((cm_partition_config){.partitions = 2}); /* the map's own threads go on */
    cm_status results[3] = {CM_IO, CM_IO, CM_IO};
    assert_int_equal(nums_put(&divided, 1, 1, NULL), CM_OK);
    assert_int_equal(nums_update(&divided, 1, end_the_thread, NULL), CM_OWNER_DIED);
    nums_batch batch = nums_batch_begin(&divided);
    assert_int_equal(nums_batch_put(&batch, 3, 3, &results[0]), CM_OK);
    assert_int_equal(nums_batch_update(&batch, 3, end_the_thread, NULL, &results[1]), CM_OK);
    assert_int_equal(nums_batch_put(&batch, 5, 5, &results[2]), CM_OK);
    assert_int_equal(nums_batch_wait(&batch), CM_OWNER_DIED);
    assert_int_equal(results[0], CM_OK);
    assert_int_equal(results[1], CM_OWNER_DIED);
    assert_int_equal(results[2], CM_OWNER_DIED);
    assert_int_equal(nums_put(&divided, 1, 2, &value), CM_REPLACED);
    assert_int_equal(value, 4711);
    end();
}

static void *sum_range(void *context)
{
    *(cm_status *)context = nums_put_until(&divided, 0, 1, NULL, cm_deadline_after(20 * MS));
    return NULL;
}

static void keys_are_where_their_owner_is(void **state)
{
    (void)state;
    cm_status status = CM_OK;
    uint64_t keys[10], values[10];
    size_t count = 0;
    begin((cm_partition_config){.partitions = 5, .polled = true});
    own(5);
    for (uint64_t i = 0; i < 10; i++) {
        assert_int_equal(nums_put(&divided, i, i, NULL), CM_OK);
        assert_int_equal(nums_partition_of(&divided, i), i % 5);
        assert_true(nums_plain_contains(nums_partition(&divided, i % 5), i));
    }
    assert_int_equal(nums_to_arrays(&divided, keys, values, 3, &count), CM_FULL);
    assert_int_equal(count, 10);
    assert_int_equal(nums_to_arrays(&divided, keys, values, 10, &count), CM_OK);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(keys[i], values[i]);
    assert_int_equal(nums_partition_leave(&divided, 0), CM_OK);
    in_thread(sum_range, &status); /* nobody serves that one */
    assert_int_equal(status, CM_TIMEOUT);
    assert_int_equal(nums_partition_own(&divided, 0), CM_OK);
    end();
}

/* ---- an event loop ---- */

static int event;
static size_t wakes;

static int event;
static size_t wakes;

static void wake(size_t partition, void *context)
{
    uint64_t one = 1;
    assert_int_equal(partition, 0);
    assert_ptr_equal(context, &event);
    __atomic_add_fetch(&wakes, 1, __ATOMIC_RELAXED);
    assert_int_equal(write(event, &one, sizeof one), sizeof one);
}

static void *put_a_few(void *context)
{
    size_t wrong = 0;
    for (uint64_t i = 0; i < 50; i++)
        wrong += nums_put(&divided, i, i, NULL) != CM_OK;
    *(size_t *)context = wrong;
    return NULL;
}

static void an_event_loop_serves_a_partition(void **state)
{
    (void)state;
    pthread_t thread;
    size_t wrong = 1, served = 0, now;
    event = eventfd(0, 0);
    wakes = 0;
    begin((cm_partition_config){.partitions = 1, .polled = true, .wake = wake, .context = &event});
    own(1);
    assert_int_equal(nums_partition_arm(&divided, 0), CM_OK);
    assert_int_equal(wakes, 0);
    assert_int_equal(pthread_create(&thread, NULL, put_a_few, &wrong), 0);
    while (served < 50) {
        uint64_t count;
        if (nums_partition_arm(&divided, 0) == CM_OK) {
            assert_int_equal(poll(&(struct pollfd){event, POLLIN, 0}, 1, 60000), 1);
            assert_int_equal(read(event, &count, sizeof count), sizeof count);
        }
        assert_int_equal(nums_partition_poll(&divided, 0, SIZE_MAX, &now), CM_OK);
        served += now;
    }
    pthread_join(thread, NULL);
    assert_int_equal(wrong, 0);
    assert_true(wakes > 0 && wakes <= 51);
    assert_int_equal(nums_len(&divided), 50);
    end();
    close(event);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_queue_is_told),
        cmocka_unit_test(what_was_given_up_is_never_done),
        cmocka_unit_test(a_batch_goes_on_after_a_deadline),
        cmocka_unit_test(a_sender_that_waits_for_room_goes_on),
        cmocka_unit_test(owners_sleep_when_nothing_comes),
        cmocka_unit_test(who_waits_for_room_is_woken_where_others_gave_up_before_it),
        cmocka_unit_test(owners_that_wait_serve_each_other),
        cmocka_unit_test(a_partition_has_one_owner),
        cmocka_unit_test(a_function_that_ends_its_owner_is_told),
        cmocka_unit_test(keys_are_where_their_owner_is),
        cmocka_unit_test(an_event_loop_serves_a_partition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
