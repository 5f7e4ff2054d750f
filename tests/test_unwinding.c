/* Scopes unlock when a thread is cancelled or ends inside them. Compiled with -fexceptions, as such programs have to
 * be. */
#include <concmap/sharded.h>
#include <pthread.h>
#include <unistd.h>

#include "unit.h"

CM_SHARDED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)

struct scope {
    nums map;
    uint32_t inside;
};

static void *end_inside(void *context)
{
    struct scope *scope = context;
    CM_WITH_WRITE (nums, &scope->map, 1, guard) {
        ++*guard.value;
        pthread_exit(NULL);
    }
    return NULL;
}

static void *wait_inside(void *context)
{
    struct scope *scope = context;
    CM_WITH_WRITE (nums, &scope->map, 1, guard) {
        ++*guard.value;
        __atomic_store_n(&scope->inside, 1, __ATOMIC_RELEASE);
        for (;;)
            pause(); /* a cancellation point */
    }
    return NULL;
}

static void scopes_unlock_when_their_thread_is_unwound(void **state)
{
    (void)state;
    struct scope scope = {.inside = 0};
    pthread_t thread;
    uint64_t value;
    assert_int_equal(nums_init(&scope.map, NULL), CM_OK);
    assert_int_equal(nums_put(&scope.map, 1, 0, NULL), CM_OK);
    assert_int_equal(pthread_create(&thread, NULL, end_inside, &scope), 0);
    pthread_join(thread, NULL);
    assert_int_equal(nums_try_get(&scope.map, 1, &value), CM_OK);
    assert_int_equal(pthread_create(&thread, NULL, wait_inside, &scope), 0);
    while (!__atomic_load_n(&scope.inside, __ATOMIC_ACQUIRE))
        usleep(1000);
    assert_int_equal(nums_try_get(&scope.map, 1, &value), CM_BUSY);
    pthread_cancel(thread);
    pthread_join(thread, NULL);
    CM_WITH_WRITE (nums, &scope.map, 1, guard)
        assert_int_equal(*guard.value, 2);
    else
        fail(); /* CM_OWNER_DIED: the scope was not left, but found by the end of the thread */
    nums_destroy(&scope.map);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(scopes_unlock_when_their_thread_is_unwound)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
