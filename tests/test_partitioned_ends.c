/* The partitioned map: what becomes of requests, values, memory and the process when it is shut down, or something
 * fails. */
#include <concmap/locked.h>
#include <concmap/partitioned.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crew.h"
#include "failing_allocator.h"
#include "names.h"
#include "partitions.h"
#include "texts.h"

CM_PARTITIONED_MAP(texts, cm_str, uint64_t, cm_hash_str, cm_equal_str)

CM_PARTITIONED_MAP_OWNED(owners, struct name, struct name, name_hash, name_equal, CM_OWNED(name_clone, name_destroy),
                         CM_OWNED(name_clone, name_destroy))

/* ---- functions that are called when a request is done ---- */

struct told {
    size_t done, failed, value;
};

static void tell(nums_future *future, void *context)
{
    struct told *told = context;
    __atomic_add_fetch(future->status < 0 ? &told->failed : &told->done, 1, __ATOMIC_RELAXED);
    free(future); /* it is the function's */
}

static void callbacks_are_called_once_each(void **state)
{
    (void)state;
    struct told told = {0, 0, 0};
    size_t closed = 0;
    begin((cm_partition_config){.partitions = 2, .queue = 4});
    for (uint64_t i = 0; i < 1000; i++) {
        nums_future *future = calloc(1, sizeof *future);
        future->then = tell;
        future->context = &told;
        assert_int_equal(nums_put_async(&divided, future, i, i), CM_OK);
    }
    assert_int_equal(nums_shutdown(&divided, CM_SHUTDOWN_DRAIN, &closed), CM_OK);
    assert_int_equal(closed, 0);
    assert_int_equal(told.done, 1000);
    assert_int_equal(nums_len(&divided), 1000);
    end();
}

/* ---- shutdown ---- */

static void what_is_queued_is_drained_or_dropped(cm_shutdown what)
{
    nums_future futures[10] = {{0}};
    cm_status result = CM_IO;
    size_t dropped = 99;
    begin((cm_partition_config){.partitions = 2, .polled = true});
    for (uint64_t i = 0; i < 10; i++)
        assert_int_equal(nums_put_async(&divided, &futures[i], i, i), CM_OK);
    nums_batch batch = nums_batch_begin(&divided);
    for (uint64_t i = 10; i < 17; i++)
        assert_int_equal(nums_batch_put(&batch, i, i, i == 12 ? &result : NULL), CM_OK);
    assert_int_equal(nums_batch_send(&batch), CM_OK);
    assert_int_equal(nums_shutdown(&divided, what, &dropped), CM_OK);
    cm_status expected = what == CM_SHUTDOWN_DROP ? CM_CLOSED : CM_OK;
    assert_int_equal(dropped, what == CM_SHUTDOWN_DROP ? 17 : 0);
    for (uint64_t i = 0; i < 10; i++)
        assert_int_equal(nums_future_wait(&futures[i]), expected);
    assert_int_equal(nums_batch_put(&batch, 20, 20, NULL), CM_OK);
    assert_int_equal(nums_batch_wait(&batch), CM_CLOSED);
    assert_int_equal(result, expected);
    assert_int_equal(nums_len(&divided), 17 - dropped);
    assert_int_equal(nums_plain_len(nums_partition(&divided, 0)) + nums_plain_len(nums_partition(&divided, 1)),
                     17 - dropped);
    assert_int_equal(nums_put(&divided, 1, 1, NULL), CM_CLOSED);
    assert_int_equal(nums_put_async(&divided, &futures[0], 1, 1), CM_CLOSED);
    assert_int_equal(nums_clear(&divided), CM_CLOSED);
    assert_int_equal(nums_shutdown(&divided, what, NULL), CM_OK);
    end();
}

static void shutdown_drains_or_drops_what_is_queued(void **state)
{
    (void)state;
    what_is_queued_is_drained_or_dropped(CM_SHUTDOWN_DRAIN);
    what_is_queued_is_drained_or_dropped(CM_SHUTDOWN_DROP);
}

struct storm {
    size_t done, closed, not_added;
};

static struct storm storm;

/* Inserts keys of its own until the map is closed, in every way there is. */
static size_t insert_until_closed(void *context, unsigned thread)
{
    size_t wrong = 0, done = 0, closed = 0;
    if (thread == 0) {
        size_t dropped;
        usleep(20000);
        return nums_shutdown(&divided, *(const cm_shutdown *)context, &dropped) != CM_OK;
    }
    for (uint64_t i = 0; closed == 0; i++) {
        uint64_t key = (i << 8) + thread;
        cm_status results[20];
        nums_future future = {0};
        nums_batch batch = nums_batch_begin(&divided);
        for (uint64_t k = 0; k < 20; k++)
            wrong += nums_batch_insert(&batch, key + (k << 32), 1, &results[k]) != CM_OK;
        cm_status sent = nums_insert_async(&divided, &future, key + (UINT64_C(21) << 32), 1);
        cm_status called = nums_insert(&divided, key + (UINT64_C(22) << 32), 1);
        nums_batch_wait(&batch);
        if (sent == CM_OK)
            sent = nums_future_wait(&future);
        for (size_t k = 0; k < 22; k++) {
            cm_status status = k < 20 ? results[k] : k == 20 ? sent : called;
            wrong += status != CM_OK && status != CM_CLOSED;
            done += status == CM_OK;
            closed += status == CM_CLOSED;
        }
    }
    __atomic_add_fetch(&storm.done, done, __ATOMIC_RELAXED);
    return wrong;
}

static void nothing_is_lost_silently(void **state)
{
    (void)state;
    static const cm_shutdown kinds[] = {CM_SHUTDOWN_DRAIN, CM_SHUTDOWN_DROP};
    for (size_t i = 0; i < 4; i++) {
        storm = (struct storm){0, 0, 0};
        begin((cm_partition_config){.partitions = 2, .queue = 4, .batch = 3});
        assert_int_equal(crew_run(4, insert_until_closed, (void *)&kinds[i % 2]), 0);
        assert_int_equal(nums_len(&divided), storm.done);
        end();
    }
}

static size_t shut_down(void *context, unsigned thread)
{
    (void)context, (void)thread;
    return nums_shutdown(&divided, CM_SHUTDOWN_DRAIN, NULL) != CM_OK;
}

static void many_may_shut_it_down_at_once(void **state)
{
    (void)state;
    for (size_t round = 0; round < 20; round++) {
        begin((cm_partition_config){.partitions = 3});
        assert_int_equal(nums_put(&divided, round, 1, NULL), CM_OK);
        assert_int_equal(crew_run(4, shut_down, NULL), 0);
        assert_int_equal(nums_put(&divided, round, 1, NULL), CM_CLOSED);
        nums_destroy(&divided);
    }
}

/* ---- whose is what ---- */

static struct name number(uint64_t i)
{
    __atomic_add_fetch(&names_alive, 1, __ATOMIC_RELAXED);
    return (struct name){i, "value"};
}

/* Each value is destroyed once: by the map, by whom failed to give it away, or where nobody is told, by the batch. */
static void owned_values_are_destroyed_once(void **state) /* L9 */
{
    (void)state;
    owners all;
    owners_future future = {0};
    cm_status result = CM_OK;
    struct name key = {1, "key"}, value;
    for (int drop = 0; drop < 2; drop++) {
        names_alive = 0;
        assert_int_equal(owners_open(&all, &(cm_partition_config){.partitions = 2, .polled = true}), CM_OK);
        owners_batch batch = owners_batch_begin(&all);
        for (uint64_t i = 0; i < 10; i++)
            assert_int_equal(owners_batch_put(&batch, (struct name){i % 5, "key"}, number(i), NULL), CM_OK);
        assert_int_equal(owners_batch_put(&batch, (struct name){7, "key"}, number(7), &result), CM_OK);
        assert_int_equal(owners_batch_insert(&batch, (struct name){7, "key"}, number(8), NULL), CM_OK);
        assert_int_equal(owners_batch_send(&batch), CM_OK);
        assert_int_equal(owners_put_async(&all, &future, key, number(9)), CM_OK);
        assert_int_equal(owners_shutdown(&all, drop ? CM_SHUTDOWN_DROP : CM_SHUTDOWN_DRAIN, NULL), CM_OK);
        assert_int_equal(owners_batch_wait(&batch), drop ? CM_CLOSED : CM_OK);
        if (drop) { /* told, and so the caller's */
            assert_int_equal(result, CM_CLOSED);
            name_destroy(&(struct name){7, NULL}, NULL);
            name_destroy(&future.request.value, NULL);
        } else {
            name_destroy(&future.value, NULL); /* the old one */
        }
        value = number(10);
        assert_int_equal(owners_put(&all, key, value, NULL), CM_CLOSED);
        name_destroy(&value, NULL);
        owners_destroy(&all);
        assert_int_equal(names_alive, 0);
    }
}

/* ---- memory and the process ---- */

static cm_status use_with(struct failing_allocator *memory, bool *opened)
{
    texts all;
    texts_future future = {0};
    cm_partition_config config = {.map.allocator = &memory->allocator, .partitions = 2, .polled = true, .batch = 3};
    cm_status status = texts_open(&all, &config), worst = CM_OK;
    *opened = status == CM_OK;
    if (status != CM_OK)
        return status;
    for (size_t i = 0; i < 2; i++)
        worst = cm_status_worse_(worst, texts_partition_own(&all, i));
    size_t present = 0;
    texts_batch batch = texts_batch_begin(&all);
    for (uint64_t i = 0; i < 20; i++) {
        cm_status added = texts_batch_put(&batch, text_of(i + 1, 100), i, NULL);
        worst = cm_status_worse_(worst, added);
    }
    worst = cm_status_worse_(worst, texts_batch_wait(&batch));
    cm_status sent = texts_put_async(&all, &future, cm_str_of("future"), 1);
    worst = cm_status_worse_(worst, sent < 0 ? sent : texts_future_wait(&future));
    for (uint64_t i = 0; i < 30; i++)
        worst = cm_status_worse_(worst, texts_put(&all, text_of(i + 1, 100), i, NULL));
    assert_int_equal(texts_check(&all, NULL) == CM_CORRUPT, false);
    for (uint64_t i = 0; i < 30; i++)
        present += texts_contains(&all, text_of(i + 1, 100));
    present += texts_contains(&all, cm_str_of("future"));
    assert_int_equal(texts_len(&all), present);
    failing_allocator_restart(memory); /* a retry succeeds */
    for (uint64_t i = 0; i < 30; i++)
        assert_true(texts_put(&all, text_of(i + 1, 100), i, NULL) >= 0);
    texts_destroy(&all);
    return worst;
}

/* ---- threads that end ---- */

static cm_status asked = CM_IO; /* what the destructor below was told */

static inline void ask_destroy(uint64_t *value, void *context)
{
    (void)context;
    asked = nums_put(&divided, *value, 1, NULL);
}

static inline cm_status ask_clone(uint64_t *to, const uint64_t *from, void *context)
{
    (void)context;
    *to = *from;
    return CM_OK;
}

CM_LOCKED_MAP_OWNED(askers, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64, CM_PLAIN, CM_OWNED(ask_clone, ask_destroy))

static askers asking;

static cm_status remove_and_end(uint64_t *value, void *owned)
{
    assert_int_equal(askers_remove(&asking, *value, NULL), CM_OK);
    __atomic_store_n((bool *)owned, true, __ATOMIC_RELEASE);
    pthread_exit(NULL);
    return CM_OK;
}

static void *own_and_end_with_the_last_use(void *owned)
{
    if (nums_partition_own(&divided, 0) == CM_OK)
        askers_update(&asking, 4, remove_and_end, owned);
    return NULL;
}

static void a_destructor_that_ends_with_an_owner_may_ask_its_partition(void **state) /* L8 */
{
    (void)state;
    pthread_t thread;
    bool owned = false;
    uint64_t value = 0;
    begin((cm_partition_config){.partitions = 1, .polled = true});
    assert_int_equal(askers_init(&asking, NULL), CM_OK);
    assert_int_equal(askers_put(&asking, 4, 4, NULL), CM_OK);
    assert_int_equal(pthread_create(&thread, NULL, own_and_end_with_the_last_use, &owned), 0);
    while (!__atomic_load_n(&owned, __ATOMIC_ACQUIRE))
        sched_yield();
    assert_int_equal(nums_partition_own(&divided, 0), CM_OWNER_DIED); /* and not after the destructor */
    while (nums_partition_stats(&divided, 0).messages == 0)
        assert_int_equal(nums_partition_poll(&divided, 0, 1, NULL), CM_OK);
    pthread_join(thread, NULL);
    assert_int_equal(asked, CM_OK);
    assert_true(nums_get(&divided, 4, &value) && value == 1);
    askers_destroy(&asking);
    end();
}

static void each_allocation_may_fail(void **state) /* M1 */
{
    (void)state;
    bool opened = false, failed = true;
    for (size_t n = 1; failed; n++) {
        struct failing_allocator memory;
        failing_allocator_init(&memory);
        memory.fail_at = n;
        cm_status status = use_with(&memory, &opened);
        assert_true(status == CM_OK || status == CM_NOMEM);
        failed = memory.failures > 0 || status == CM_NOMEM;
        assert_int_equal(memory.live_blocks, 0);
        assert_int_equal(memory.mistakes, 0);
    }
    assert_true(opened);
}

bool cm_platform_pin_(unsigned processor);

static void *try_to_pin(void *can)
{
    *(bool *)can = cm_platform_pin_(0);
    return NULL;
}

static void wake_nobody(size_t partition, void *context)
{
    (void)partition, (void)context;
}

static void options_that_it_has_not_are_refused(void **state) /* M2 */
{
    (void)state;
    static const size_t capacities[] = {0, 1, 2, 3, 1000};
    uint64_t value = 0;
    for (size_t i = 0; i < 5; i++) {
        begin((cm_partition_config){.map.capacity = capacities[i], .partitions = i + 1, .queue = i, .batch = i});
        for (uint64_t k = 0; k < 100; k++)
            assert_int_equal(nums_put(&divided, k, k, NULL), CM_OK);
        assert_true(nums_get(&divided, 99, &value));
        end();
    }
    cm_partition_config wrong[] = {
        {.partitions = 5000},
        {.batch = 5000},
        {.map.limit = 5},
        {.map.budget = 5},
        {.map.fixed = true, .map.capacity = 5},
        {.wake = wake_nobody},
        {.cpu_count = 1},
        {.cpus = (int[]){1000000}, .cpu_count = 1},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(nums_open(&divided, &wrong[i]), CM_INVALID);
    assert_int_equal(nums_open(&divided, &(cm_partition_config){.map.capacity = SIZE_MAX}), CM_NOMEM);
    assert_int_equal(nums_open(&divided, &(cm_partition_config){.queue = SIZE_MAX}), CM_NOMEM);
    assert_int_equal(
        cm_partitions_init_(&divided.core, &nums_plain_type_, NULL, CM_PARTITIONS_VERSION_ + 1, sizeof divided.core),
        CM_INVALID);
    bool can_pin = false;
    in_thread(try_to_pin, &can_pin);
    cm_partition_config pinned = {.partitions = 2, .cpus = (int[]){0}, .cpu_count = 1};
    assert_int_equal(nums_open(&divided, &pinned), can_pin ? CM_OK : CM_INVALID);
    if (!can_pin)
        return;
    assert_int_equal(nums_put(&divided, 1, 1, NULL), CM_OK);
    end();
}

static void a_forked_child_destroys_it(void **state) /* M4 */
{
    (void)state;
    int status = -1;
    begin((cm_partition_config){.partitions = 2});
    assert_int_equal(nums_put(&divided, 1, 1, NULL), CM_OK);
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        nums_destroy(&divided);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(nums_put(&divided, 2, 1, NULL), CM_OK);
    end();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(callbacks_are_called_once_each),
        cmocka_unit_test(shutdown_drains_or_drops_what_is_queued),
        cmocka_unit_test(nothing_is_lost_silently),
        cmocka_unit_test(many_may_shut_it_down_at_once),
        cmocka_unit_test(owned_values_are_destroyed_once),
        cmocka_unit_test(a_destructor_that_ends_with_an_owner_may_ask_its_partition),
        cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test(options_that_it_has_not_are_refused),
        cmocka_unit_test(a_forked_child_destroys_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
