/* Maps and the life of a process: signals, and threads that are cancelled. docs/GUARANTEES.md says
 * what is promised. */
#include <concmap/sharded.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "crew.h"
#include "process_nums.h"
#include "unit.h"

static uint64_t signals;

static void count_signal(int number)
{
    (void)number;
    __atomic_add_fetch(&signals, 1, __ATOMIC_RELAXED);
}

struct hit {
    nums map;
    pthread_t threads[3];
    uint32_t ready, done;
};

static cm_status dawdle(uint64_t *value, void *context)
{
    sched_yield();
    return add_one(value, context);
}

static size_t be_hit(void *context, unsigned i)
{
    struct hit *hit = context;
    size_t wrong = 0, rounds = crew_scale(20000);
    if (i == 3) {
        while (__atomic_load_n(&hit->ready, __ATOMIC_ACQUIRE) < 3)
            sched_yield();
        for (unsigned n = 0; __atomic_load_n(&hit->done, __ATOMIC_ACQUIRE) < 3; n++) {
            pthread_kill(hit->threads[n % 3], SIGUSR1);
            usleep(20);
        }
        __atomic_store_n(&hit->ready, 0, __ATOMIC_RELEASE);
        return 0;
    }
    hit->threads[i] = pthread_self();
    __atomic_add_fetch(&hit->ready, 1, __ATOMIC_RELEASE);
    for (size_t n = 0; n < rounds; n++) {
        cm_status status = n % 2 ? nums_update(&hit->map, n % 3, dawdle, NULL)
                                 : nums_update_until(&hit->map, n % 3, dawdle, NULL, cm_deadline_after(60000000000));
        wrong += status != CM_OK;
        wrong += nums_put(&hit->map, 10 + n * (i + 1), n, NULL) < 0;
    }
    __atomic_add_fetch(&hit->done, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&hit->ready, __ATOMIC_ACQUIRE)) /* a thread that has ended cannot be hit */
        sched_yield();
    return wrong;
}

static void signals_end_no_wait_and_lose_nothing(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = count_signal}, before;
    sigaction(SIGUSR1, &action, &before); /* no SA_RESTART: system calls are interrupted */
    static struct hit hit;
    uint64_t sum = 0, value = 0;
    assert_int_equal(nums_init(&hit.map, NULL), CM_OK);
    for (uint64_t key = 0; key < 3; key++)
        assert_int_equal(nums_put(&hit.map, key, 0, NULL), CM_OK);
    assert_int_equal(crew_run(4, be_hit, &hit), 0);
    for (uint64_t key = 0; key < 3; key++, sum += value)
        assert_true(nums_get(&hit.map, key, &value));
    assert_int_equal(sum, 3 * crew_scale(20000));
    assert_int_equal(nums_check(&hit.map, NULL), CM_OK);
    assert_true(signals > 0);
    sigaction(SIGUSR1, &before, NULL);
    nums_destroy(&hit.map);
}

static void *use_for_ever(void *context)
{
    nums *map = context;
    for (uint64_t n = 0;; n++) {
        uint64_t value;
        nums_put(map, n % 5000, n, NULL);
        nums_get(map, n * 3 % 5000, &value);
        nums_remove(map, n * 7 % 5000, NULL);
        CM_WITH_WRITE (nums, map, n % 100, guard)
            ++*guard.value;
        if (n % 1000 == 0)
            CM_FOREACH (nums, map, it)
                (void)it;
        if (n % 100 == 0)
            pthread_testcancel(); /* with nothing held */
    }
    return NULL;
}

/* Calls are no points of cancellation: what one began it ends. */
static void cancelled_threads_leave_maps_whole(void **state)
{
    (void)state;
    nums map;
    if (CM_ASAN) /* which takes a stack that was unwound by cancellation for one in use */
        skip();
    assert_int_equal(nums_init(&map, &(cm_config){.shrink = true}), CM_OK);
    for (size_t n = 0; n < crew_scale(300); n++) {
        pthread_t threads[3];
        for (int i = 0; i < 3; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, use_for_ever, &map), 0);
        usleep(1000);
        for (int i = 0; i < 3; i++)
            pthread_cancel(threads[i]);
        for (int i = 0; i < 3; i++)
            pthread_join(threads[i], NULL);
        assert_int_equal(nums_check(&map, NULL), CM_OK);
    }
    assert_int_equal(nums_settle(&map), CM_OK);
    nums_destroy(&map);
}

static cm_status wait_to_be_cancelled(uint64_t *value, void *inside)
{
    *value = 1000;
    __atomic_store_n((uint32_t *)inside, 1, __ATOMIC_RELEASE);
    for (;;)
        pause();
    return CM_OK;
}

struct cancelled {
    nums map;
    uint32_t inside;
};

static void *update_and_be_cancelled(void *context)
{
    struct cancelled *cancelled = context;
    nums_update(&cancelled->map, 7, wait_to_be_cancelled, &cancelled->inside);
    return NULL;
}

static void who_is_cancelled_in_a_function_given_to_a_call_is_a_dead_owner(void **state)
{
    (void)state;
    struct cancelled cancelled = {.inside = 0};
    pthread_t thread;
    if (CM_ASAN) /* which takes a stack that was unwound by cancellation for one in use */
        skip();
    begin(&cancelled.map);
    assert_int_equal(pthread_create(&thread, NULL, update_and_be_cancelled, &cancelled), 0);
    while (!__atomic_load_n(&cancelled.inside, __ATOMIC_ACQUIRE))
        usleep(1000);
    pthread_cancel(thread);
    pthread_join(thread, NULL);
    assert_int_equal(nums_update(&cancelled.map, 7, add_one, NULL), CM_OWNER_DIED);
    assert_int_equal(nums_put(&cancelled.map, 7, 7, NULL), CM_REPLACED);
    assert_true(map_works(&cancelled.map, KEYS));
    nums_destroy(&cancelled.map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signals_end_no_wait_and_lose_nothing),
        cmocka_unit_test(cancelled_threads_leave_maps_whole),
        cmocka_unit_test(who_is_cancelled_in_a_function_given_to_a_call_is_a_dead_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
