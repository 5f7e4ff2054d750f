/* The left-right map: who waits for whom, writers of many threads, and who is told when the stale side is free. */
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "crew.h"
#include "unit.h"

#include "leftright_nums.h"

/* ---- who waits for whom ---- */

/* The example of flashmap's manual. */
static void a_thread_publishes_inside_its_view_and_reads_on(void **state)
{
    (void)state;
    begin();
    nums_put(&writer, 1, 1, NULL);
    nums_publish(&writer);
    const nums_view *view = nums_enter(&reader);
    assert_int_equal(nums_put(&writer, 1, 2, NULL), CM_REPLACED); /* the side before is free */
    assert_int_equal(nums_publish(&writer), CM_OK);
    assert_int_equal(*nums_view_get(view, 1), 1);
    assert_int_equal(nums_put(&writer, 1, 3, NULL), CM_DEADLOCK); /* now it would wait for itself */
    assert_int_equal(nums_begin(&writer), CM_DEADLOCK);
    assert_int_equal(nums_try_begin(&writer), CM_DEADLOCK);
    assert_int_equal(nums_begin_until(&writer, cm_deadline_after(MS)), CM_DEADLOCK);
    assert_int_equal(*nums_view_get(view, 1), 1);
    nums_leave(&reader);
    view = nums_enter(&reader); /* of the newest: nobody waits for that */
    assert_int_equal(nums_put(&writer, 1, 3, NULL), CM_REPLACED);
    assert_int_equal(*nums_view_get(view, 1), 2);
    nums_leave(&reader);
    end();
}

static void waiting_has_an_end_where_it_is_asked_for(void **state)
{
    (void)state;
    begin();
    nums_put(&writer, 1, 1, NULL);
    nums_publish(&writer);
    sitter_begin(&reader, 0);
    nums_put(&writer, 1, 2, NULL);
    nums_publish(&writer);
    assert_int_equal(nums_try_begin(&writer), CM_BUSY);
    assert_int_equal(nums_try_put(&writer, 1, 3, NULL), CM_BUSY);
    assert_int_equal(nums_begin_until(&writer, cm_deadline_after(5 * MS)), CM_TIMEOUT);
    assert_int_equal(nums_put_until(&writer, 1, 3, NULL, cm_deadline_after(5 * MS)), CM_TIMEOUT);
    assert_int_equal(nums_publish(&writer), CM_OK); /* nothing to publish: the sides stay */
    nums_reader other;
    assert_int_equal(nums_reader_open(&map, &other), CM_OK);
    assert_int_equal(got(&other, 1), 2);
    assert_int_equal(sitter_end(), 1);
    assert_int_equal(nums_try_put(&writer, 1, 3, NULL), CM_REPLACED);
    end();
}

static void a_reader_that_leaves_wakes_the_writer(void **state)
{
    (void)state;
    begin();
    for (uint64_t i = 0; i < 5; i++) {
        nums_put(&writer, 1, i, NULL);
        nums_publish(&writer);
        sitter_begin(&reader, 20);
        nums_put(&writer, 1, i + 100, NULL);
        nums_publish(&writer);
        assert_int_equal(nums_begin(&writer), CM_OK); /* sleeps meanwhile */
        assert_int_equal(sitter_end(), i);
    }
    end();
}

/* Rule 22. */
static void an_unknown_side_counts_as_stale(void **state)
{
    (void)state;
    begin();
    nums_put(&writer, 1, 1, NULL);
    nums_publish(&writer);
    struct cm_seat_ *slot = reader.core.slot;
    cm_store_release_(&slot->state, CM_INSIDE_UNKNOWN_); /* of no thread: a reader that has stalled amid entering */
    assert_int_equal(nums_try_begin(&writer), CM_BUSY);
    assert_int_equal(nums_begin_until(&writer, cm_deadline_after(MS)), CM_TIMEOUT);
    cm_store_release_(&slot->state, cm_inside_(0, map.core->word)); /* it has entered the active side */
    assert_int_equal(nums_try_begin(&writer), CM_OK);
    cm_store_release_(&slot->state, 0);
    end();
}

static void *begin_in_thread(void *begun)
{
    cm_store_release_((uint32_t *)begun, nums_begin(&writer) == CM_OK);
    return NULL;
}

static void who_finds_that_it_guessed_wrong_wakes_the_writer(void **state)
{
    (void)state;
    pthread_t thread;
    uint32_t begun = 0;
    begin();
    nums_put(&writer, 1, 1, NULL);
    nums_publish(&writer);
    CM_WITH_VIEW (nums, &reader, seen) /* so it expects this side */
        assert_int_equal(*nums_view_get(seen, 1), 1);
    nums_put(&writer, 1, 2, NULL);
    nums_publish(&writer);
    cm_store_release_(&reader.core.slot->state, reader.core.inside); /* it has stalled amid entering */
    assert_int_equal(nums_try_begin(&writer), CM_BUSY);
    assert_int_equal(pthread_create(&thread, NULL, begin_in_thread, &begun), 0);
    while (!(cm_load_relaxed_(&map.core->word) & CM_WAITING_))
        nap(1);
    nap(20); /* it sleeps by now */
    const nums_view *view = nums_enter(&reader);
    assert_int_equal(*nums_view_get(view, 1), 2);
    for (int turn = 0; turn < 2000 && !cm_load_acquire_(&begun); turn++)
        nap(10);
    assert_int_equal(begun, 1); /* while the view is held */
    nums_leave(&reader);
    pthread_join(thread, NULL);
    end();
}

static void *enter_from_another_thread(void *context)
{
    *(const nums_view **)context = nums_enter(&reader);
    return NULL;
}

static void a_view_of_another_thread_is_no_deadlock(void **state)
{
    (void)state;
    const nums_view *view = NULL;
    begin();
    nums_put(&writer, 1, 1, NULL);
    nums_publish(&writer);
    in_thread(enter_from_another_thread, &view);
    nums_put(&writer, 1, 2, NULL);
    nums_publish(&writer);
    assert_int_equal(nums_try_begin(&writer), CM_BUSY);
    assert_int_equal(*nums_view_get(view, 1), 1);
    nums_leave(&reader); /* by another thread than the one that entered */
    assert_int_equal(nums_begin(&writer), CM_OK);
    end();
}

/* ---- many writers ---- */

static nums_writer shared;

static cm_status count_one(uint64_t *value, void *context)
{
    (void)context;
    ++*value;
    return CM_OK;
}

static size_t count_up(void *context, unsigned thread)
{
    size_t wrong = 0;
    uint64_t before = 0, value = 0;
    nums_reader own;
    wrong += nums_factory_open(context, &own) != CM_OK;
    for (size_t i = crew_scale(5000); i > 0; i--) {
        wrong += nums_upsert(&shared, 7, 1, count_one, NULL) < 0;
        wrong += (i + thread) % 3 == 0 && nums_publish(&shared) != CM_OK;
        if (nums_get(&own, 7, &value)) {
            wrong += value < before;
            before = value;
        }
    }
    wrong += nums_reader_close(&own) != CM_OK;
    return wrong;
}

static cm_status change_amid(uint64_t *value, void *context)
{
    *(cm_status *)context = nums_put(&shared, 2, *value, NULL);
    return CM_OK;
}

static void a_shared_writer_is_for_many_threads(void **state)
{
    (void)state;
    cm_status status = CM_OK;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    assert_int_equal(nums_reader_open(&map, &reader), CM_OK);
    assert_int_equal(nums_writer_open_shared(&map, &shared), CM_OK);
    nums_factory factory = nums_factory_of(&map);
    assert_int_equal(crew_run(3, count_up, &factory), 0);
    assert_int_equal(nums_publish(&shared), CM_OK);
    assert_int_equal(got(&reader, 7), 3 * crew_scale(5000));
    assert_int_equal(nums_put(&shared, 1, 1, NULL), CM_OK);
    assert_int_equal(nums_update(&shared, 1, change_amid, &status), CM_OK);
    assert_int_equal(status, CM_DEADLOCK);
    assert_int_equal(nums_put(&shared, 2, 1, NULL), CM_OK);
    end();
}

static void *put_two(void *context)
{
    *(cm_status *)context = nums_try_put(&shared, 1, 2, NULL);
    return NULL;
}

static void several_calls_of_a_shared_writer_stay_together(void **state)
{
    (void)state;
    cm_status status = CM_OK;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    assert_int_equal(nums_reader_open(&map, &reader), CM_OK);
    assert_int_equal(nums_writer_open_shared(&map, &shared), CM_OK);
    assert_int_equal(nums_writer_lock(&shared), CM_OK);
    assert_int_equal(nums_writer_lock(&shared), CM_DEADLOCK);
    assert_int_equal(nums_put(&shared, 1, 1, NULL), CM_OK);
    in_thread(put_two, &status);
    assert_int_equal(status, CM_BUSY);
    assert_int_equal(nums_publish(&shared), CM_OK);
    sitter_begin(&reader, 0);
    assert_int_equal(nums_put(&shared, 1, 3, NULL), CM_REPLACED);
    assert_int_equal(nums_publish(&shared), CM_OK);
    assert_int_equal(nums_put(&shared, 1, 4, NULL), CM_BUSY); /* it has the lock, and does not wait */
    nums_writer_unlock(&shared);
    assert_int_equal(sitter_end(), 1);
    in_thread(put_two, &status);
    assert_int_equal(status, CM_REPLACED);
    end();
}

static void *end_with_the_lock(void *context)
{
    *(cm_status *)context = nums_writer_lock(&shared);
    return NULL;
}

static void *use_the_record_of_the_dead(void *context)
{
    nums_get(&reader, 1, &(uint64_t){0}); /* has a thread record now */
    *(cm_status *)context = nums_put(&shared, 1, 1, NULL);
    return NULL;
}

static void a_thread_that_ends_gives_the_lock_back(void **state)
{
    (void)state;
    cm_status status = CM_INVALID;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    assert_int_equal(nums_reader_open(&map, &reader), CM_OK);
    assert_int_equal(nums_writer_open_shared(&map, &shared), CM_OK);
    in_thread(end_with_the_lock, &status);
    assert_int_equal(status, CM_OK);
    in_thread(use_the_record_of_the_dead, &status);
    assert_int_equal(status, CM_OK);
    assert_false(map.core->lock.cell & CM_WRITER_);
    assert_int_equal(nums_put(&shared, 1, 1, NULL), CM_REPLACED);
    end();
}

static cm_status end_the_thread(uint64_t *value, void *context)
{
    (void)value, (void)context;
    pthread_exit(NULL);
}

static void *end_within_a_function(void *context)
{
    *(cm_status *)context = nums_update(&shared, 1, end_the_thread, NULL);
    return NULL;
}

/* The function changed nothing, and is not taken to run for ever. */
static void a_function_that_ends_its_thread_leaves_a_shared_writer_as_it_was(void **state)
{
    (void)state;
    cm_status status = CM_INVALID;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    assert_int_equal(nums_reader_open(&map, &reader), CM_OK);
    assert_int_equal(nums_writer_open_shared(&map, &shared), CM_OK);
    assert_int_equal(nums_put(&shared, 1, 1, NULL), CM_OK);
    in_thread(end_within_a_function, &status);
    assert_int_equal(status, CM_INVALID); /* it did not return */
    assert_int_equal(nums_put(&shared, 2, 2, NULL), CM_OK);
    assert_int_equal(nums_publish(&shared), CM_OK);
    assert_int_equal(got(&reader, 1), 1);
    assert_int_equal(got(&reader, 2), 2);
    in_thread(end_within_a_function, &status);
    assert_int_equal(nums_publish(&shared), CM_OK); /* the first call after it is one that changes nothing */
    end();
}

static void *put_three(void *context)
{
    *(cm_status *)context = nums_put(&shared, 1, 3, NULL);
    return NULL;
}

/* Rule 22: while one thread waits for a reader, that reader gets the writer's lock. */
static void a_shared_writer_waits_without_its_lock(void **state)
{
    (void)state;
    cm_status status = CM_OK;
    pthread_t thread;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    assert_int_equal(nums_reader_open(&map, &reader), CM_OK);
    assert_int_equal(nums_writer_open_shared(&map, &shared), CM_OK);
    nums_put(&shared, 1, 1, NULL);
    nums_publish(&shared);
    nums_enter(&reader);
    nums_put(&shared, 1, 2, NULL);
    nums_publish(&shared);
    assert_int_equal(pthread_create(&thread, NULL, put_three, &status), 0);
    nap(30); /* it waits for this thread by now */
    assert_int_equal(nums_put_until(&shared, 1, 4, NULL, cm_deadline_after(2000 * (uint64_t)MS)), CM_DEADLOCK);
    nums_leave(&reader);
    pthread_join(thread, NULL);
    assert_int_equal(status, CM_REPLACED);
    end();
}
/* ---- the stale side is free ---- */

static void add_one(void *count)
{
    __atomic_add_fetch((int *)count, 1, __ATOMIC_RELAXED);
}

static void a_function_is_told_when_the_stale_side_is_free(void **state)
{
    (void)state;
    int calls = 0, fd = eventfd(0, EFD_NONBLOCK);
    nums_reader other;
    uint64_t count = 0;
    begin();
    assert_int_equal(nums_reader_clone(&reader, &other), CM_OK);
    assert_int_equal(nums_when_free(&writer, add_one, &calls), CM_OK);
    nums_put(&writer, 1, 1, NULL);
    nums_publish(&writer);
    assert_int_equal(calls, 1); /* nobody is there */
    nums_enter(&reader);
    nums_put(&writer, 1, 2, NULL);
    nums_enter(&other);
    nums_publish(&writer);
    assert_int_equal(calls, 1);
    nums_leave(&reader);
    nums_enter(&reader); /* the active side is no matter */
    assert_int_equal(calls, 1);
    nums_leave(&other);
    assert_int_equal(calls, 2);
    assert_int_equal(nums_try_begin(&writer), CM_OK);
    nums_leave(&reader);
    assert_int_equal(nums_when_free(&writer, cm_notify_fd, &fd), CM_OK);
    nums_publish(&writer);
    assert_int_equal(read(fd, &count, sizeof count), sizeof count);
    assert_int_equal(count, 1);
    assert_int_equal(nums_when_free(&writer, NULL, NULL), CM_OK);
    nums_begin(&writer);
    nums_publish(&writer);
    assert_int_equal(read(fd, &count, sizeof count), -1);
    assert_int_equal(calls, 2);
    close(fd);
    end();
}

/* A reader that guesses wrong after that must not make it untrue: nobody would tell again. */
static void what_was_told_of_the_stale_side_holds(void **state)
{
    (void)state;
    int calls = 0;
    begin();
    assert_int_equal(nums_when_free(&writer, add_one, &calls), CM_OK);
    nums_put(&writer, 1, 1, NULL);
    assert_true(got(&reader, 1) == UINT64_MAX); /* so it expects the side that is empty */
    nums_publish(&writer);
    assert_int_equal(calls, 1);
    cm_store_release_(&reader.core.slot->state, reader.core.inside); /* it has stalled amid entering */
    assert_int_equal(nums_try_begin(&writer), CM_OK);
    cm_store_release_(&reader.core.slot->state, 0);
    assert_int_equal(got(&reader, 1), 1);
    nums_publish(&writer);
    assert_int_equal(calls, 2);
    end();
}

static int told;

static size_t publish_and_be_told(void *context, unsigned thread)
{
    size_t wrong = 0;
    nums_reader own;
    if (thread != 0) { /* readers that come and go */
        wrong += nums_factory_open(context, &own) != CM_OK;
        for (size_t i = crew_scale(100000); i > 0; i--)
            CM_WITH_VIEW (nums, &own, view)
                wrong += nums_view_len(view) > 1;
        return wrong + (nums_reader_close(&own) != CM_OK);
    }
    for (int i = 0; i < (int)crew_scale(1000); i++) {
        wrong += nums_put(&writer, 1, 1, NULL) < 0;
        wrong += nums_publish(&writer) != CM_OK;
        for (int naps = 0; __atomic_load_n(&told, __ATOMIC_RELAXED) <= i; naps++) {
            sched_yield();
            if (naps > 10000000)
                return wrong + 1;
        }
    }
    return wrong;
}

static void no_tale_of_a_free_side_is_lost(void **state)
{
    (void)state;
    begin();
    told = 0;
    nums_factory factory = nums_factory_of(&map);
    assert_int_equal(nums_when_free(&writer, add_one, &told), CM_OK);
    assert_int_equal(crew_run(3, publish_and_be_told, &factory), 0);
    assert_int_equal(told, (int)crew_scale(1000)); /* once for each */
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_publishes_inside_its_view_and_reads_on),
        cmocka_unit_test(waiting_has_an_end_where_it_is_asked_for),
        cmocka_unit_test(a_reader_that_leaves_wakes_the_writer),
        cmocka_unit_test(an_unknown_side_counts_as_stale),
        cmocka_unit_test(who_finds_that_it_guessed_wrong_wakes_the_writer),
        cmocka_unit_test(a_view_of_another_thread_is_no_deadlock),
        cmocka_unit_test(a_shared_writer_is_for_many_threads),
        cmocka_unit_test(several_calls_of_a_shared_writer_stay_together),
        cmocka_unit_test(a_thread_that_ends_gives_the_lock_back),
        cmocka_unit_test(a_function_that_ends_its_thread_leaves_a_shared_writer_as_it_was),
        cmocka_unit_test(a_shared_writer_waits_without_its_lock),
        cmocka_unit_test(a_function_is_told_when_the_stale_side_is_free),
        cmocka_unit_test(what_was_told_of_the_stale_side_holds),
        cmocka_unit_test(no_tale_of_a_free_side_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
