/* Who waits for a guard gets in: readers and writers without pause, and holders that lose their processor. The names
 * with a letter and a number are cases of the project's list of bugs that other maps had. */
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "crew.h"
#include "guarded.h"
#include "unit.h"

static size_t share_or_write(void *context, unsigned i)
{
    struct kept *kept = context;
    size_t wrong = 0;
    if (i == 0) { /* the one who must not starve */
        for (size_t n = 0; n < crew_scale(200); n++)
            wrong += nums_update_until(&kept->map, 1, add_one, NULL, IN_SECOND(30)) != CM_OK;
        __atomic_store_n(&kept->told, 1, __ATOMIC_RELEASE);
        return wrong;
    }
    while (!__atomic_load_n(&kept->told, __ATOMIC_ACQUIRE)) {
        nums_read_guard guard;
        wrong += nums_read_until(&kept->map, 1, &guard, IN_SECOND(30)) != CM_OK;
        wrong += nums_read_unlock(&guard) != CM_OK;
    }
    return wrong;
}

static void K5_readers_without_pause_do_not_starve_a_writer(void **state)
{
    (void)state;
    struct kept kept;
    kept_init(&kept);
    assert_int_equal(crew_run(4, share_or_write, &kept), 0);
    nums_destroy(&kept.map);
}

static size_t write_patiently(void *context, unsigned i)
{
    (void)i;
    return nums_put_until(&((struct kept *)context)->map, 1, 9, NULL, IN_SECOND(30)) != CM_REPLACED;
}

static void *run_writer(void *context)
{
    return (void *)(uintptr_t)crew_run(1, write_patiently, context);
}

static size_t read_until_barred(void *context, unsigned i)
{
    cm_deadline deadline = IN_SECOND(20);
    (void)i;
    while (cm_deadline_after(0) < deadline) {
        nums_read_guard guard;
        if (nums_try_read(&((struct kept *)context)->map, 1, &guard) == CM_BUSY)
            return 0;
        nums_read_unlock(&guard);
    }
    return 1;
}

/* Again and again, for readers who come and go while the writer asks may not keep it from asking. */
static void K5_a_writer_that_waits_keeps_new_readers_out(void **state)
{
    (void)state;
    struct kept kept;
    kept_init(&kept);
    for (size_t round = 0; round < crew_scale(60); round++) {
        nums_read_guard guard;
        assert_int_equal(nums_read(&kept.map, 1, &guard), CM_OK);
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, run_writer, &kept), 0);
        assert_int_equal(crew_run(3, read_until_barred, &kept), 0);
        assert_int_equal(nums_read_unlock(&guard), CM_OK);
        void *wrong;
        pthread_join(thread, &wrong);
        assert_null(wrong);
    }
    nums_destroy(&kept.map);
}

static size_t write_or_share(void *context, unsigned i)
{
    struct kept *kept = context;
    size_t wrong = 0;
    if (i == 0) {
        for (size_t n = 0; n < crew_scale(200); n++) {
            nums_read_guard guard;
            wrong += nums_read_until(&kept->map, 1, &guard, IN_SECOND(30)) != CM_OK;
            wrong += nums_read_unlock(&guard) != CM_OK;
        }
        __atomic_store_n(&kept->told, 1, __ATOMIC_RELEASE);
        return wrong;
    }
    while (!__atomic_load_n(&kept->told, __ATOMIC_ACQUIRE))
        wrong += nums_update_until(&kept->map, 1, add_one, NULL, IN_SECOND(30)) != CM_OK;
    return wrong;
}

static void K5_writers_without_pause_do_not_starve_a_reader(void **state)
{
    (void)state;
    struct kept kept;
    kept_init(&kept);
    assert_int_equal(crew_run(4, write_or_share, &kept), 0);
    nums_destroy(&kept.map);
}

struct gathering {
    struct kept kept;
    pthread_barrier_t inside;
};

static size_t read_together(void *context, unsigned i)
{
    struct gathering *gathering = context;
    nums_read_guard guard;
    (void)i;
    if (nums_read_until(&gathering->kept.map, 1, &guard, IN_SECOND(20)) != CM_OK)
        return 1;
    pthread_barrier_wait(&gathering->inside); /* hangs unless all of them are let in */
    return nums_read_unlock(&guard) != CM_OK;
}

static void *run_readers(void *context)
{
    return (void *)(uintptr_t)crew_run(4, read_together, context);
}

static void readers_that_have_waited_come_in_together(void **state)
{
    (void)state;
    struct gathering gathering;
    kept_init(&gathering.kept);
    pthread_barrier_init(&gathering.inside, NULL, 4);
    nums_write_guard guard;
    assert_int_equal(nums_write(&gathering.kept.map, 1, &guard), CM_OK);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_readers, &gathering), 0);
    while (__atomic_load_n(&gathering.kept.map.core.waiters.count, __ATOMIC_ACQUIRE) < 4)
        usleep(1000);
    usleep(20000); /* until they sleep */
    assert_int_equal(nums_write_unlock(&guard), CM_OK);
    void *wrong;
    pthread_join(thread, &wrong);
    assert_null(wrong);
    pthread_barrier_destroy(&gathering.inside);
    nums_destroy(&gathering.kept.map);
}

/* More threads than processors: holders lose theirs, and everybody goes on. */
static size_t count_by_guard(void *context, unsigned i)
{
    struct kept *kept = context;
    size_t wrong = 0;
    for (size_t n = 0; n < crew_scale(3000); n++) {
        nums_write_guard guard;
        wrong += nums_write_until(&kept->map, 1, &guard, IN_SECOND(30)) != CM_OK;
        ++*guard.value;
        if (n % 64 == i)
            sched_yield();
        wrong += nums_write_unlock(&guard) != CM_OK;
    }
    return wrong;
}

static void K6_holders_that_lose_their_processor_hold_up_for_a_while_only(void **state)
{
    (void)state;
    struct kept kept;
    uint64_t value;
    kept_init(&kept);
    assert_int_equal(nums_put(&kept.map, 1, 0, NULL), CM_REPLACED);
    assert_int_equal(crew_run(16, count_by_guard, &kept), 0);
    assert_true(nums_get(&kept.map, 1, &value));
    assert_int_equal(value, 16 * crew_scale(3000));
    nums_destroy(&kept.map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(K5_readers_without_pause_do_not_starve_a_writer),
        cmocka_unit_test(K5_a_writer_that_waits_keeps_new_readers_out),
        cmocka_unit_test(K5_writers_without_pause_do_not_starve_a_reader),
        cmocka_unit_test(readers_that_have_waited_come_in_together),
        cmocka_unit_test(K6_holders_that_lose_their_processor_hold_up_for_a_while_only),
    };
    cm_thread_get_(); /* registers the process for barriers */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
