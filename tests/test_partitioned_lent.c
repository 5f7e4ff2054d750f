/* Partitioned maps that are lent: senders serve the partitions whose threads sleep, in the order of the queues, each
 * request once. */
#include <concmap/sharded.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crew.h"
#include "partitions.h"

CM_SHARDED_MAP(shards, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)

/* Until the threads of the map sleep, and have lent what they own. */
static void wait_for_sleepers(void)
{
    for (size_t i = 0; i < nums_partitions(&divided); i++)
        while (nums_partition_stats(&divided, i).sleeps == 0)
            sched_yield();
}

static cm_status who_runs(nums_plain *own_map, const uint64_t *key, void *thread)
{
    (void)own_map, (void)key;
    *(pthread_t *)thread = pthread_self();
    return CM_OK;
}

static void who_sends_serves_a_partition_whose_thread_sleeps(void **state)
{
    (void)state;
    pthread_t thread;
    uint64_t value = 0;
    begin((cm_partition_config){.partitions = 2, .lent = true});
    wait_for_sleepers();
    uint64_t sleeps = nums_partition_stats(&divided, 0).sleeps;
    for (uint64_t i = 0; i < 1000; i++) {
        assert_int_equal(nums_put(&divided, i, i, NULL), CM_OK);
        assert_int_equal(nums_try_get(&divided, i, &value), CM_OK); /* nothing has to be waited for */
        assert_int_equal(value, i);
    }
    assert_int_equal(nums_apply(&divided, 0, who_runs, &thread), CM_OK);
    assert_true(pthread_equal(thread, pthread_self()));
    assert_int_equal(nums_partition_stats(&divided, 0).sleeps, sleeps); /* nobody was woken */
    assert_int_equal(nums_len(&divided), 1000);
    assert_int_equal(nums_try_partition_own(&divided, 0), CM_INVALID); /* nobody would serve what comes meanwhile */
    end();
    assert_int_equal(nums_open(&divided, &(cm_partition_config){.polled = true, .lent = true}), CM_INVALID);
}

/* What a function waits for may be what the sender holds: so the map's thread runs it. */
static void who_holds_a_lock_serves_nobody(void **state)
{
    (void)state;
    pthread_t thread;
    shards other;
    assert_int_equal(shards_init(&other, NULL), CM_OK);
    assert_int_equal(shards_put(&other, 1, 1, NULL), CM_OK);
    begin((cm_partition_config){.partitions = 1, .lent = true});
    wait_for_sleepers();
    shards_write_guard guard;
    assert_int_equal(shards_write(&other, 1, &guard), CM_OK);
    assert_int_equal(nums_apply(&divided, 0, who_runs, &thread), CM_OK);
    assert_false(pthread_equal(thread, pthread_self()));
    shards_write_unlock(&guard);
    end();
    shards_destroy(&other);
}

/* ---- many at once ---- */

#define SENDERS 4
#define KEYS_EACH 16

/* Each value is the number of the step that is next; a step that comes out of turn is seen. */
static cm_status step(uint64_t *value, void *context)
{
    if (*value != (uint64_t)(uintptr_t)context)
        return CM_CORRUPT;
    ++*value;
    return CM_OK;
}

static size_t send_steps(void *context, unsigned thread)
{
    size_t wrong = 0;
    cm_status results[2][KEYS_EACH];
    nums_batch batches[2];
    size_t rounds = crew_scale(4000) / 2 * 2;
    (void)context;
    for (size_t round = 0; round < rounds; round++) {
        nums_batch *batch = &batches[round % 2];
        if (round >= 2)
            wrong += nums_batch_wait(batch) != CM_OK;
        *batch = nums_batch_begin(&divided);
        for (uint64_t i = 0; i < KEYS_EACH; i++)
            wrong += nums_batch_update(batch, thread * KEYS_EACH + i, step, (void *)(uintptr_t)round,
                                       &results[round % 2][i]) != CM_OK;
        wrong += nums_batch_send(batch) != CM_OK;
    }
    wrong += nums_batch_wait(&batches[0]) != CM_OK;
    wrong += nums_batch_wait(&batches[1]) != CM_OK;
    for (uint64_t i = 0; i < KEYS_EACH; i++) {
        uint64_t value = 0;
        wrong += !nums_get(&divided, thread * KEYS_EACH + i, &value) || value != rounds;
    }
    return wrong;
}

static void each_step_is_done_once_and_in_order(void **state) /* P2, P4 */
{
    (void)state;
    for (size_t queue = 2; queue <= 256; queue *= 128) {
        begin((cm_partition_config){.partitions = 2, .lent = true, .queue = queue, .batch = 3});
        for (uint64_t i = 0; i < SENDERS * KEYS_EACH; i++)
            assert_int_equal(nums_put(&divided, i, 0, NULL), CM_OK);
        assert_int_equal(crew_run(SENDERS, send_steps, NULL), 0);
        end();
    }
}

/* One after the other, so that who comes finds nobody: nothing may be left lying. */
static size_t send_and_wait(void *context, unsigned thread)
{
    size_t wrong = 0;
    (void)context;
    for (size_t i = crew_scale(20000); i > 0; i--) {
        wrong += nums_upsert(&divided, thread % 2, 1, add_one, NULL) < 0;
        if (i % 64 == thread)
            sched_yield();
    }
    return wrong;
}

static void no_request_is_left_lying(void **state)
{
    (void)state;
    uint64_t counts[2] = {0, 0};
    begin((cm_partition_config){.partitions = 1, .lent = true});
    assert_int_equal(crew_run(3, send_and_wait, NULL), 0);
    assert_true(nums_get(&divided, 0, &counts[0]) && nums_get(&divided, 1, &counts[1]));
    assert_int_equal(counts[0] + counts[1], 3 * crew_scale(20000));
    end();
}

/* Functions that ask other partitions: the one that waits serves nobody, and the map's threads do. */
static cm_status hand_on(nums_plain *own_map, const uint64_t *key, void *context)
{
    (void)own_map, (void)context;
    return nums_upsert(&divided, *key + 1, 1, add_one, NULL) < 0 ? CM_CORRUPT : CM_OK;
}

static size_t ship(void *context, unsigned thread)
{
    size_t wrong = 0;
    (void)context;
    for (size_t i = crew_scale(1000); i > 0; i--)
        wrong += nums_apply(&divided, 0, hand_on, NULL) != CM_OK || nums_put(&divided, 2 + thread, i, NULL) < 0;
    return wrong;
}

static void functions_ask_other_partitions(void **state)
{
    (void)state;
    uint64_t value = 0;
    begin((cm_partition_config){.partitions = 2, .lent = true});
    assert_int_equal(crew_run(3, ship, NULL), 0);
    assert_true(nums_get(&divided, 1, &value));
    assert_int_equal(value, 3 * crew_scale(1000));
    end();
}

/* ---- the end ---- */

static void count_done(nums_future *future, void *counts)
{
    __atomic_add_fetch(&((size_t *)counts)[future->status == CM_CLOSED], 1, __ATOMIC_RELAXED);
    free(future);
}

static size_t send_until_it_is_shut(void *counts, unsigned thread)
{
    for (uint64_t i = thread; thread < 2; i += 2) {
        nums_future *future = calloc(1, sizeof *future);
        future->then = count_done;
        future->context = counts;
        cm_status status = nums_put_async(&divided, future, i % 1000, i);
        if (status == CM_OK) {
            __atomic_add_fetch(&((size_t *)counts)[2], 1, __ATOMIC_RELAXED);
            continue;
        }
        free(future);
        return status != CM_CLOSED;
    }
    while (__atomic_load_n(&((size_t *)counts)[2], __ATOMIC_RELAXED) < 200)
        sched_yield();
    return nums_shutdown(&divided, CM_SHUTDOWN_DROP, NULL) != CM_OK;
}

static void nothing_is_lost_when_it_is_shut_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < crew_scale(20) + 2; i++) {
        size_t counts[3] = {0, 0, 0}; /* done, dropped, sent */
        begin((cm_partition_config){.partitions = 2, .lent = true, .queue = 8});
        assert_int_equal(crew_run(3, send_until_it_is_shut, counts), 0);
        assert_int_equal(counts[0] + counts[1], counts[2]);
        end();
    }
}

/* A sender that stalls when it has drawn its place, and before its message lies there: writing to the queue is an
 * error, which it waits for. */
static struct {
    char *pages;
    size_t size;
    uint32_t stalled, goes_on;
} stall;

static void stall_here(int number)
{
    (void)number;
    cm_store_release_(&stall.stalled, 1);
    while (!cm_load_acquire_(&stall.goes_on))
        sched_yield();
    mprotect(stall.pages, stall.size, PROT_READ | PROT_WRITE);
}

static void stall_prepare(const struct cm_queue_ *queue)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t begin = ((uintptr_t)queue->slots + page - 1) / page * page;
    uintptr_t end = (uintptr_t)(queue->slots + queue->mask + 1) / page * page;
    uintptr_t next = (uintptr_t)&queue->slots[queue->tail & queue->mask];
    stall.pages = (char *)begin;
    stall.size = end - begin;
    assert_true(begin <= next && next < end);
    signal(SIGSEGV, stall_here);
    assert_int_equal(mprotect(stall.pages, stall.size, PROT_READ), 0);
}

static void *put_in_thread(void *status)
{
    *(cm_status *)status = nums_put(&divided, 1, 1, NULL);
    return NULL;
}

static void *shut_down_in_thread(void *status)
{
    *(cm_status *)status =
        nums_shutdown_until(&divided, CM_SHUTDOWN_DRAIN, NULL, cm_deadline_after(60000 * (uint64_t)MS));
    return NULL;
}

/* The map's thread has looked, and sleeps again, for what is on its way is the sender's to serve: who serves the last
 * message of a closed queue wakes it, for it has to end. */
static void the_last_sender_wakes_who_has_to_end(void **state)
{
    (void)state;
    pthread_t sender, ending;
    cm_status sent = CM_IO, ended = CM_IO;
    begin((cm_partition_config){.partitions = 1, .lent = true, .queue = 16384});
    for (size_t i = 0; i < 8192; i++) /* so that the next place is amid the pages */
        assert_true(nums_put(&divided, 0, i, NULL) >= 0);
    wait_for_sleepers();
    struct cm_queue_ *queue = &divided.core.parts[0].queue;
    uint64_t sleeps = nums_partition_stats(&divided, 0).sleeps;
    stall_prepare(queue);
    assert_int_equal(pthread_create(&sender, NULL, put_in_thread, &sent), 0);
    while (!cm_load_acquire_(&stall.stalled))
        sched_yield();
    assert_int_equal(pthread_create(&ending, NULL, shut_down_in_thread, &ended), 0);
    while (!cm_queue_is_closed_(queue) || nums_partition_stats(&divided, 0).sleeps == sleeps)
        sched_yield();
    cm_store_release_(&stall.goes_on, 1);
    pthread_join(sender, NULL);
    pthread_join(ending, NULL);
    signal(SIGSEGV, SIG_DFL);
    assert_int_equal(sent, CM_OK);
    assert_int_equal(ended, CM_OK);
    assert_int_equal(nums_len(&divided), 2);
    end();
}

static uint32_t under_way, cancelled;

static cm_status change_amid_cancellation(uint64_t *value, void *context)
{
    (void)context;
    cm_store_release_(&under_way, 1);
    while (!cm_load_acquire_(&cancelled))
        sched_yield();
    pthread_testcancel();
    *value = 2;
    return CM_OK;
}

static void *change_in_thread(void *context)
{
    (void)context;
    return (void *)(uintptr_t)(nums_update(&divided, 1, change_amid_cancellation, NULL) == CM_OK);
}

/* Its request lies on its stack, where whoever came next would look for it. */
static void who_is_cancelled_ends_what_it_began(void **state)
{
    (void)state;
    pthread_t thread;
    uint64_t value = 0;
    void *result = NULL;
    begin((cm_partition_config){.partitions = 1, .lent = true});
    wait_for_sleepers();
    assert_int_equal(nums_put(&divided, 1, 1, NULL), CM_OK);
    assert_int_equal(pthread_create(&thread, NULL, change_in_thread, NULL), 0);
    while (!cm_load_acquire_(&under_way))
        sched_yield();
    assert_int_equal(pthread_cancel(thread), 0);
    cm_store_release_(&cancelled, 1);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, (void *)1); /* it was not cancelled there */
    assert_true(nums_get(&divided, 1, &value));
    assert_int_equal(value, 2);
    assert_int_equal(nums_put(&divided, 2, 2, NULL), CM_OK);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_sends_serves_a_partition_whose_thread_sleeps),
        cmocka_unit_test(who_holds_a_lock_serves_nobody),
        cmocka_unit_test(each_step_is_done_once_and_in_order),
        cmocka_unit_test(no_request_is_left_lying),
        cmocka_unit_test(functions_ask_other_partitions),
        cmocka_unit_test(nothing_is_lost_when_it_is_shut_down),
        cmocka_unit_test(the_last_sender_wakes_who_has_to_end),
        cmocka_unit_test(who_is_cancelled_ends_what_it_began),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
