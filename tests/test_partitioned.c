/* The partitioned map: its owners, what travels to them, and the promises of every map. */
#include <concmap/partitioned.h>
#include <concmap/sharded.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crew.h"
#include "failing_allocator.h"
#include "names.h"
#include "shared_type.h"
#include "texts.h"
#include "unit.h"

#define SEQUENTIAL
#define BY_MESSAGES
#define MS 1000000

/* Every key is one partition's, and has the same home. */
static uint64_t one_hash(const uint64_t *key, uint64_t seed)
{
    (void)key, (void)seed;
    return 7;
}

CM_PARTITIONED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_PARTITIONED_MAP(ones, uint64_t, uint64_t, one_hash, cm_equal_u64)
CM_PARTITIONED_MAP(texts, cm_str, uint64_t, cm_hash_str, cm_equal_str)
CM_PARTITIONED_MAP_OWNED(owners, struct name, struct name, name_hash, name_equal, CM_OWNED(name_clone, name_destroy),
                         CM_OWNED(name_clone, name_destroy))
CM_SHARDED_MAP(shards, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)

/* The suite runs on polled maps, whose three partitions the test's own thread has: then nothing is waited for. */
#define OWNING(map_name)                                                                                               \
    static cm_status map_name##_own_all(map_name *map, const cm_config *config)                                        \
    {                                                                                                                  \
        cm_status status =                                                                                             \
            map_name##_open(map, &(cm_partition_config){.map = *config, .partitions = 3, .polled = true});             \
        for (size_t i = 0; i < 3 && status == CM_OK; i++)                                                              \
            status = map_name##_partition_own(map, i);                                                                 \
        return status;                                                                                                 \
    }
OWNING(texts)
OWNING(owners)
OWNING(ones)

/* And once on one with threads. */
#define MAP nums
#define STEPS 3000
#define KEY uint64_t
#define VALUE uint64_t
#define KEY_OF(i) (i)
#define VALUE_OF(i) (i)
#define NUMBER(value) (value)
#include "map_suite.h"

static cm_config none;
#define texts_init(map, config) texts_own_all(map, (config) ? (config) : &none)
#define owners_init(map, config) owners_own_all(map, (config) ? (config) : &none)

#define MAP texts
#define KEY cm_str
#define VALUE uint64_t
#define KEY_OF(i) text_of((i), 600)
#define VALUE_OF(i) (i)
#define NUMBER(value) (value)
#include "map_suite.h"

#define MAP owners
#define UNDOES_ITSELF 1
#define KEY struct name
#define VALUE struct name
#define KEY_OF(i) ((struct name){(i), "key"})
#define VALUE_OF(i) ((struct name){(i), "value"})
#define NUMBER(value) ((value).number)
#include "map_suite.h"

#undef texts_init
#undef owners_init

static nums map;

/* Keys 0, 1, ... belong to partitions 0, 1, ... in turn. */
static size_t in_turn(const void *key, size_t partitions, void *context)
{
    (void)context;
    return *(const uint64_t *)key % partitions;
}

static void begin(cm_partition_config config)
{
    config.owner_of = in_turn;
    assert_int_equal(nums_open(&map, &config), CM_OK);
}

static void end(void)
{
    const char *reason = NULL;
    cm_status status = nums_check(&map, &reason);
    assert_true(status == CM_OK || status == CM_CLOSED);
    nums_destroy(&map);
}

static void own(size_t partitions)
{
    for (size_t i = 0; i < partitions; i++)
        assert_int_equal(nums_partition_own(&map, i), CM_OK);
}

static void leave(size_t partitions)
{
    for (size_t i = 0; i < partitions; i++)
        assert_int_equal(nums_partition_leave(&map, i), CM_OK);
}

static void in_thread(void *(*work)(void *), void *context)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, work, context), 0);
    pthread_join(thread, NULL);
}

static cm_status add_one(uint64_t *value, void *context)
{
    (void)context;
    ++*value;
    return CM_OK;
}

/* ---- what is sent is done, once, in order ---- */

static cm_status is_next(nums_plain *own, const uint64_t *key, void *expected)
{
    uint64_t *value = nums_plain_find(own, *key);
    if (!value || *value != (uint64_t)(uintptr_t)expected)
        return CM_INVALID;
    ++*value;
    return CM_OK;
}

/* By batches, futures and calls in turn, on keys of its own. */
static size_t count_in_order(void *context, unsigned thread)
{
    uint64_t random = *(const uint64_t *)context + thread, expected[8] = {0};
    static nums_future all[4][64];
    nums_future *futures = all[thread];
    size_t wrong = 0;
    for (uint64_t k = 0; k < 8; k++)
        wrong += nums_put(&map, thread * 8 + k, 0, NULL) != CM_OK;
    for (size_t round = crew_scale(400); round > 0; round--) {
        nums_batch batch = nums_batch_begin(&map);
        for (size_t i = (size_t)(crew_random(&random) % 40); i > 0; i--) {
            uint64_t k = crew_random(&random) % 8;
            wrong += nums_batch_apply(&batch, thread * 8 + k, is_next, (void *)(uintptr_t)expected[k]++, NULL) != CM_OK;
        }
        wrong += nums_batch_send(&batch) != CM_OK;
        size_t sent = crew_random(&random) % 64;
        memset(futures, 0, sizeof all[thread]);
        for (size_t i = 0; i < sent; i++) {
            uint64_t k = crew_random(&random) % 8;
            wrong +=
                nums_apply_async(&map, &futures[i], thread * 8 + k, is_next, (void *)(uintptr_t)expected[k]++) != CM_OK;
        }
        uint64_t k = crew_random(&random) % 8, value = 0;
        wrong += !nums_get(&map, thread * 8 + k, &value) || value != expected[k];
        for (size_t i = 0; i < sent; i++)
            wrong += nums_future_wait(&futures[i]) != CM_OK;
        wrong += nums_batch_wait(&batch) != CM_OK;
    }
    return wrong;
}

static void what_a_thread_sends_to_a_key_is_done_in_that_order(void **state)
{
    (void)state;
    uint64_t seed = crew_seed("order");
    begin((cm_partition_config){.partitions = 3, .queue = 4, .batch = 5});
    assert_int_equal(crew_run(4, count_in_order, &seed), 0);
    end();
}

enum { KEYS = 50 };

static size_t count_together(void *context, unsigned thread)
{
    uint64_t random = *(const uint64_t *)context + thread, value;
    size_t wrong = 0, rounds = crew_scale(300);
    for (size_t round = 0; round < rounds; round++) {
        nums_batch batch = nums_batch_begin(&map);
        for (uint64_t k = 0; k < KEYS; k++)
            wrong += nums_batch_upsert(&batch, k, 1, add_one, NULL, NULL) != CM_OK;
        wrong += nums_batch_wait(&batch) != CM_OK;
        wrong += nums_upsert(&map, crew_random(&random) % KEYS, 1, add_one, NULL) < 0;
        cm_status got = nums_get_or_insert(&map, 1000 + round, thread, &value);
        wrong += got == CM_OK ? value != thread : got != CM_EXISTS || value >= 4;
    }
    return wrong;
}

static cm_status add_up(const uint64_t *key, const uint64_t *value, void *sum)
{
    if (*key < KEYS)
        *(uint64_t *)sum += *value;
    return CM_OK;
}

static void no_update_is_lost(void **state) /* E1, E2 */
{
    (void)state;
    uint64_t seed = crew_seed("sums"), sum = 0;
    size_t rounds = crew_scale(300);
    begin((cm_partition_config){.partitions = 2, .queue = 2});
    assert_int_equal(crew_run(4, count_together, &seed), 0);
    assert_int_equal(nums_for_each(&map, add_up, &sum), CM_OK);
    assert_int_equal(sum, 4 * rounds * (KEYS + 1));
    assert_int_equal(nums_len(&map), KEYS + rounds);
    end();
}

static size_t add_own(void *context, unsigned thread)
{
    size_t count = *(const size_t *)context, wrong = 0;
    nums_batch batch = nums_batch_begin(&map);
    for (uint64_t i = 0; i < count; i++)
        wrong += nums_batch_insert(&batch, i * 8 + thread, i, NULL) != CM_OK;
    return wrong + (nums_batch_wait(&batch) != CM_OK);
}

static size_t removed_twice;

static size_t remove_all(void *context, unsigned thread)
{
    size_t count = *(const size_t *)context;
    static cm_status results[2][10000 * 8];
    nums_batch batch = nums_batch_begin(&map);
    for (uint64_t i = 0; i < count * 8; i++)
        nums_batch_remove(&batch, i, NULL, &results[thread][i]);
    size_t wrong = nums_batch_wait(&batch) != CM_OK;
    for (uint64_t i = 0; i < count * 8; i++)
        if (results[thread][i] == CM_OK)
            __atomic_add_fetch(&removed_twice, 1, __ATOMIC_RELAXED);
    return wrong;
}

static void many_senders_fill_and_empty_it(void **state) /* E3, E4, E9 */
{
    (void)state;
    size_t count = crew_scale(10000) < 10000 ? crew_scale(10000) : 10000;
    begin((cm_partition_config){.partitions = 3});
    assert_int_equal(crew_run(8, add_own, &count), 0);
    assert_int_equal(nums_len(&map), 8 * count);
    assert_int_equal(nums_check(&map, NULL), CM_OK);
    removed_twice = 0;
    assert_int_equal(crew_run(2, remove_all, &count), 0);
    assert_int_equal(removed_twice, 8 * count);
    assert_int_equal(nums_len(&map), 0);
    end();
}

static void keys_that_collide_are_found(void **state) /* G4 */
{
    (void)state;
    ones all;
    uint64_t value = 0;
    assert_int_equal(ones_own_all(&all, &none), CM_OK);
    for (uint64_t i = 0; i < 500; i++)
        assert_int_equal(ones_insert(&all, i, i), CM_OK);
    for (uint64_t i = 0; i < 500; i++)
        assert_true(ones_get(&all, i, &value) && value == i);
    assert_int_equal(ones_check(&all, NULL), CM_OK);
    ones_destroy(&all);
}

/* ---- who waits, and who gives up ---- */

static void a_full_queue_is_told(void **state) /* K7 */
{
    (void)state;
    nums_future futures[4] = {{0}};
    uint64_t value = 0;
    begin((cm_partition_config){.partitions = 1, .queue = 2, .polled = true});
    assert_int_equal(nums_put_async(&map, &futures[0], 1, 10), CM_OK);
    assert_int_equal(nums_put_async(&map, &futures[1], 2, 20), CM_OK);
    assert_int_equal(nums_try_put_async(&map, &futures[2], 3, 30), CM_BUSY);
    assert_int_equal(nums_put_async_until(&map, &futures[2], 3, 30, cm_deadline_after(2 * MS)), CM_TIMEOUT);
    assert_int_equal(nums_try_put(&map, 3, 30, NULL), CM_BUSY);
    assert_int_equal(nums_put_until(&map, 3, 30, NULL, cm_deadline_after(2 * MS)), CM_TIMEOUT);
    assert_int_equal(nums_try_get(&map, 1, &value), CM_BUSY);
    assert_false(nums_future_is_done(&futures[0]));
    assert_int_equal(nums_try_future_wait(&futures[0]), CM_BUSY);
    own(1);
    assert_int_equal(nums_future_wait(&futures[1]), CM_OK);
    assert_true(nums_future_is_done(&futures[0]));
    assert_int_equal(nums_len(&map), 2);
    assert_false(nums_contains(&map, 3));
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
    assert_int_equal(nums_try_put(&map, 1, 10, NULL), CM_BUSY);
    assert_int_equal(nums_put_until(&map, 1, 10, NULL, cm_deadline_after(2 * MS)), CM_TIMEOUT);
    assert_int_equal(nums_put_async(&map, &future, 2, 20), CM_OK);
    assert_int_equal(nums_future_cancel(&future), CM_OK);
    assert_int_equal(nums_future_cancel(&future), CM_BUSY);
    assert_int_equal(nums_try_put_many(&map, &key, &value, 1, results), 0);
    assert_int_equal(results[0], CM_BUSY);
    assert_int_equal(nums_get_many_until(&map, &key, 1, &found, &value, cm_deadline_after(MS)), 0);
    assert_false(found);
    nums_batch batch = nums_batch_begin(&map);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(nums_batch_put(&batch, 10 + i, i, &results[i]), CM_OK);
    assert_int_equal(nums_try_batch_wait(&batch), CM_BUSY);
    assert_int_equal(nums_batch_wait_until(&batch, cm_deadline_after(MS)), CM_TIMEOUT);
    assert_int_equal(nums_batch_give_up(&batch), CM_CLOSED);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(results[i], CM_CLOSED);
    own(2);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(nums_partition_poll(&map, i, SIZE_MAX, NULL), CM_OK);
    assert_int_equal(nums_len(&map), 0);
    assert_int_equal(value, 77);
    end();
}

static void a_batch_goes_on_after_a_deadline(void **state)
{
    (void)state;
    cm_status result = CM_IO;
    begin((cm_partition_config){.partitions = 2, .polled = true});
    nums_batch batch = nums_batch_begin(&map);
    assert_int_equal(nums_batch_put(&batch, 1, 1, &result), CM_OK);
    assert_int_equal(nums_batch_wait_until(&batch, cm_deadline_after(MS)), CM_TIMEOUT);
    assert_int_equal(nums_batch_put(&batch, 3, 3, NULL), CM_OK);
    own(2);
    assert_int_equal(nums_batch_wait(&batch), CM_OK);
    assert_int_equal(result, CM_OK);
    assert_int_equal(nums_len(&map), 2);
    end();
}

static void *put_some(void *context)
{
    size_t wrong = 0;
    for (uint64_t i = 0; i < 100; i++) {
        static nums_future futures[100];
        memset(&futures[i], 0, sizeof futures[i]);
        wrong += nums_put_async(&map, &futures[i], i, i) != CM_OK; /* waits for room */
    }
    *(size_t *)context = wrong + (nums_put(&map, 100, 100, NULL) != CM_OK);
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
        assert_int_equal(nums_owner_sleep(&map), CM_OK);
        assert_int_equal(nums_partition_poll(&map, 0, 1, &now), CM_OK);
        served += now;
    }
    pthread_join(thread, NULL);
    assert_int_equal(wrong, 0);
    assert_int_equal(nums_len(&map), 101);
    assert_int_equal(nums_try_owner_sleep(&map), CM_BUSY);
    end();
}

static void owners_sleep_when_nothing_comes(void **state)
{
    (void)state;
    begin((cm_partition_config){.partitions = 2});
    for (uint64_t i = 0; i < 4; i++) {
        while (nums_partition_stats(&map, i % 2).sleeps == 0)
            usleep(1000);
        assert_int_equal(nums_put(&map, i, i, NULL), CM_OK);
    }
    cm_partition_stats stats = nums_partition_stats(&map, 1);
    assert_int_equal(stats.entries, 2);
    assert_int_equal(stats.requests, 2);
    assert_int_equal(stats.messages, 2);
    assert_int_equal(stats.queued, 0);
    end();
}

/* ---- functions in the owner ---- */

static cm_status use_the_map(nums_plain *own_map, const uint64_t *key, void *context)
{
    uint64_t value = 0;
    (void)context;
    assert_int_equal(nums_plain_put(own_map, *key + 2, 1, NULL), CM_OK);
    assert_int_equal(nums_put(&map, *key + 4, 2, NULL), CM_OK); /* of the same owner: at once */
    assert_true(nums_get(&map, *key + 2, &value));
    assert_int_equal(nums_put(&map, *key + 1, 3, NULL), CM_OK); /* of the other */
    assert_int_equal(nums_shutdown(&map, CM_SHUTDOWN_DRAIN, NULL), CM_DEADLOCK);
    return CM_EXISTS;
}

static cm_status change_while_it_is_changed(uint64_t *value, void *context)
{
    uint64_t seen = 0;
    (void)context;
    assert_true(nums_get(&map, 2, &seen)); /* reading is allowed */
    assert_int_equal(nums_put(&map, 2, 1, NULL), CM_DEADLOCK);
    *value = 100;
    return CM_OK;
}

static void functions_in_the_owner_may_use_the_map(void **state) /* K4 */
{
    (void)state;
    begin((cm_partition_config){.partitions = 2});
    assert_int_equal(nums_apply(&map, 0, use_the_map, NULL), CM_EXISTS);
    assert_int_equal(nums_len(&map), 3);
    assert_int_equal(nums_update(&map, 2, change_while_it_is_changed, NULL), CM_OK);
    uint64_t value = 0;
    assert_true(nums_get(&map, 2, &value));
    assert_int_equal(value, 100);
    end();
}

static pthread_barrier_t both;

struct crossing {
    uint64_t key, other;
    cm_status inner, outer;
};

static cm_status ask_the_other(nums_plain *own_map, const uint64_t *key, void *context)
{
    struct crossing *crossing = context;
    (void)own_map, (void)key;
    pthread_barrier_wait(&both);
    crossing->inner = nums_put(&map, crossing->other, 1, NULL);
    return CM_OK;
}

static void *cross(void *context)
{
    struct crossing *crossing = context;
    crossing->outer = nums_apply(&map, crossing->key, ask_the_other, crossing);
    return NULL;
}

static void owners_that_wait_for_each_other_are_told(void **state)
{
    (void)state;
    begin((cm_partition_config){.partitions = 2});
    pthread_barrier_init(&both, NULL, 2);
    for (int i = 0; i < 5; i++) {
        struct crossing mine = {0, 1, CM_IO, CM_IO}, theirs = {1, 0, CM_IO, CM_IO};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, cross, &theirs), 0);
        cross(&mine);
        pthread_join(thread, NULL);
        assert_int_equal(mine.outer, CM_OK);
        assert_int_equal(theirs.outer, CM_OK);
        assert_true((mine.inner == CM_DEADLOCK) != (theirs.inner == CM_DEADLOCK));
    }
    pthread_barrier_destroy(&both);
    end();
}

static shards sharded;

static cm_status change_a_shard(nums_plain *own_map, const uint64_t *key, void *inner)
{
    (void)own_map;
    *(cm_status *)inner = shards_put(&sharded, *key, 2, NULL);
    return CM_OK;
}

static void a_circle_through_another_map_is_told(void **state)
{
    (void)state;
    cm_status inner = CM_OK, outer = CM_IO;
    begin((cm_partition_config){.partitions = 2});
    assert_int_equal(shards_init(&sharded, NULL), CM_OK);
    assert_int_equal(shards_put(&sharded, 1, 1, NULL), CM_OK);
    CM_WITH_WRITE (shards, &sharded, 1, guard) /* the owner wants it, and this thread waits for the owner */
        outer = nums_apply(&map, 1, change_a_shard, &inner);
    assert_int_equal(outer, CM_OK);
    assert_int_equal(inner, CM_DEADLOCK);
    shards_destroy(&sharded);
    end();
}

/* Two threads own a partition each, and both only call: each serves the other while it waits. */
static size_t own_and_ask(void *context, unsigned thread)
{
    static unsigned done;
    size_t rounds = *(const size_t *)context, wrong = nums_partition_own(&map, thread) != CM_OK;
    for (uint64_t i = 0; i < rounds; i++)
        wrong += nums_upsert(&map, i % 10, 1, add_one, NULL) < 0;
    __atomic_add_fetch(&done, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) % 2)
        if (nums_owner_sleep_until(&map, cm_deadline_after(MS)) == CM_OK)
            nums_partition_poll(&map, thread, SIZE_MAX, NULL);
    return wrong + (nums_partition_leave(&map, thread) != CM_OK);
}

static void owners_that_wait_serve_each_other(void **state)
{
    (void)state;
    size_t rounds = crew_scale(5000);
    uint64_t sum = 0;
    begin((cm_partition_config){.partitions = 2, .polled = true, .queue = 2});
    assert_int_equal(crew_run(2, own_and_ask, &rounds), 0);
    own(2);
    assert_int_equal(nums_for_each(&map, add_up, &sum), CM_OK);
    assert_int_equal(sum, 2 * rounds);
    end();
}

/* ---- owners come and go ---- */

static void *own_and_end(void *context)
{
    *(cm_status *)context = nums_partition_own(&map, 0);
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
    nums_partition_own(&map, 0);
    nums_partition_poll(&map, 0, SIZE_MAX, NULL);
    return context;
}

static void a_partition_has_one_owner(void **state)
{
    (void)state;
    cm_status theirs = CM_OK;
    begin((cm_partition_config){.partitions = 1, .polled = true});
    assert_int_equal(nums_partition_poll(&map, 0, 1, NULL), CM_INVALID);
    assert_int_equal(nums_partition_arm(&map, 0), CM_INVALID);
    assert_int_equal(nums_partition_leave(&map, 0), CM_INVALID);
    assert_int_equal(nums_owner_sleep(&map), CM_INVALID);
    assert_int_equal(nums_partition_own(&map, 7), CM_INVALID);
    own(1);
    assert_int_equal(nums_partition_own(&map, 0), CM_EXISTS);
    nums_future sent = {0};
    uint64_t value = 0;
    assert_int_equal(nums_put_async(&map, &sent, 1, 5), CM_OK);
    assert_int_equal(nums_put(&map, 1, 1, &value), CM_REPLACED); /* what it has sent comes before what it does itself */
    assert_int_equal(value, 5);
    leave(1);
    in_thread(own_and_end, &theirs);
    assert_int_equal(theirs, CM_OK);
    assert_int_equal(nums_partition_own(&map, 0), CM_OWNER_DIED); /* told once */
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
    assert_int_equal(nums_put(&map, 1, 1, NULL), CM_OK);
    leave(1);
    assert_int_equal(nums_update_async(&map, &ended, 1, end_the_thread, NULL), CM_OK);
    assert_int_equal(nums_get_async(&map, &next, 1), CM_OK);
    in_thread(own_and_end_in_a_function, NULL);
    assert_false(nums_future_is_done(&next));
    assert_int_equal(nums_partition_own(&map, 0), CM_OWNER_DIED);
    assert_int_equal(nums_future_wait(&ended), CM_OWNER_DIED);
    assert_int_equal(nums_future_wait(&next), CM_OK);
    assert_int_equal(next.value, 4711);
    end();

    begin((cm_partition_config){.partitions = 2}); /* the map's own threads go on */
    cm_status results[3] = {CM_IO, CM_IO, CM_IO};
    assert_int_equal(nums_put(&map, 1, 1, NULL), CM_OK);
    assert_int_equal(nums_update(&map, 1, end_the_thread, NULL), CM_OWNER_DIED);
    nums_batch batch = nums_batch_begin(&map);
    assert_int_equal(nums_batch_put(&batch, 3, 3, &results[0]), CM_OK);
    assert_int_equal(nums_batch_update(&batch, 3, end_the_thread, NULL, &results[1]), CM_OK);
    assert_int_equal(nums_batch_put(&batch, 5, 5, &results[2]), CM_OK);
    assert_int_equal(nums_batch_wait(&batch), CM_OWNER_DIED);
    assert_int_equal(results[0], CM_OK);
    assert_int_equal(results[1], CM_OWNER_DIED);
    assert_int_equal(results[2], CM_OWNER_DIED);
    assert_int_equal(nums_put(&map, 1, 2, &value), CM_REPLACED);
    assert_int_equal(value, 4711);
    end();
}

/* ---- an event loop ---- */

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
        wrong += nums_put(&map, i, i, NULL) != CM_OK;
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
    assert_int_equal(nums_partition_arm(&map, 0), CM_OK);
    assert_int_equal(wakes, 0);
    assert_int_equal(pthread_create(&thread, NULL, put_a_few, &wrong), 0);
    while (served < 50) {
        uint64_t count;
        if (nums_partition_arm(&map, 0) == CM_OK) {
            assert_int_equal(poll(&(struct pollfd){event, POLLIN, 0}, 1, 60000), 1);
            assert_int_equal(read(event, &count, sizeof count), sizeof count);
        }
        assert_int_equal(nums_partition_poll(&map, 0, SIZE_MAX, &now), CM_OK);
        served += now;
    }
    pthread_join(thread, NULL);
    assert_int_equal(wrong, 0);
    assert_true(wakes > 0 && wakes <= 51);
    assert_int_equal(nums_len(&map), 50);
    end();
    close(event);
}

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
        assert_int_equal(nums_put_async(&map, future, i, i), CM_OK);
    }
    assert_int_equal(nums_shutdown(&map, CM_SHUTDOWN_DRAIN, &closed), CM_OK);
    assert_int_equal(closed, 0);
    assert_int_equal(told.done, 1000);
    assert_int_equal(nums_len(&map), 1000);
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
        assert_int_equal(nums_put_async(&map, &futures[i], i, i), CM_OK);
    nums_batch batch = nums_batch_begin(&map);
    for (uint64_t i = 10; i < 17; i++)
        assert_int_equal(nums_batch_put(&batch, i, i, i == 12 ? &result : NULL), CM_OK);
    assert_int_equal(nums_batch_send(&batch), CM_OK);
    assert_int_equal(nums_shutdown(&map, what, &dropped), CM_OK);
    cm_status expected = what == CM_SHUTDOWN_DROP ? CM_CLOSED : CM_OK;
    assert_int_equal(dropped, what == CM_SHUTDOWN_DROP ? 17 : 0);
    for (uint64_t i = 0; i < 10; i++)
        assert_int_equal(nums_future_wait(&futures[i]), expected);
    assert_int_equal(nums_batch_put(&batch, 20, 20, NULL), CM_OK);
    assert_int_equal(nums_batch_wait(&batch), CM_CLOSED);
    assert_int_equal(result, expected);
    assert_int_equal(nums_len(&map), 17 - dropped);
    assert_int_equal(nums_plain_len(nums_partition(&map, 0)) + nums_plain_len(nums_partition(&map, 1)), 17 - dropped);
    assert_int_equal(nums_put(&map, 1, 1, NULL), CM_CLOSED);
    assert_int_equal(nums_put_async(&map, &futures[0], 1, 1), CM_CLOSED);
    assert_int_equal(nums_clear(&map), CM_CLOSED);
    assert_int_equal(nums_shutdown(&map, what, NULL), CM_OK);
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
        return nums_shutdown(&map, *(const cm_shutdown *)context, &dropped) != CM_OK;
    }
    for (uint64_t i = 0; closed == 0; i++) {
        uint64_t key = (i << 8) + thread;
        cm_status results[20];
        nums_future future = {0};
        nums_batch batch = nums_batch_begin(&map);
        for (uint64_t k = 0; k < 20; k++)
            wrong += nums_batch_insert(&batch, key + (k << 32), 1, &results[k]) != CM_OK;
        cm_status sent = nums_insert_async(&map, &future, key + (UINT64_C(21) << 32), 1);
        cm_status called = nums_insert(&map, key + (UINT64_C(22) << 32), 1);
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
        assert_int_equal(nums_len(&map), storm.done);
        end();
    }
}

/* ---- whose is what ---- */

static void texts_are_copied_on_the_way(void **state)
{
    (void)state;
    texts all;
    texts_future future = {0};
    uint64_t value = 0;
    char text[100000];
    assert_int_equal(texts_open(&all, &(cm_partition_config){.partitions = 1, .polled = true, .batch = 4}), CM_OK);
    texts_batch batch = texts_batch_begin(&all);
    for (int i = 0; i < 20; i++) {
        size_t len = (size_t)snprintf(text, sizeof text, "key %d", i);
        assert_int_equal(texts_batch_put(&batch, cm_str_from(text, len), 5, NULL), CM_OK);
    }
    memset(text, 'x', sizeof text);
    assert_int_equal(texts_batch_put(&batch, cm_str_from(text, sizeof text), 6, NULL), CM_OK);
    assert_int_equal(texts_batch_put(&batch, cm_str_from(text, 0), 7, NULL), CM_OK);
    memset(text, 'y', sizeof text);
    assert_int_equal(texts_put_async(&all, &future, cm_str_from(text, 50), 8), CM_OK);
    memset(text, 'z', sizeof text);
    assert_int_equal(texts_partition_own(&all, 0), CM_OK);
    assert_int_equal(texts_batch_wait(&batch), CM_OK);
    assert_int_equal(texts_len(&all), 23);
    assert_true(texts_get(&all, cm_str_of("key 13"), &value) && value == 5);
    assert_true(texts_get(&all, cm_str_of(""), &value) && value == 7);
    memset(text, 'x', sizeof text);
    assert_true(texts_get(&all, cm_str_from(text, sizeof text), &value) && value == 6);
    memset(text, 'y', sizeof text);
    assert_true(texts_get(&all, cm_str_from(text, 50), &value) && value == 8);
    texts_destroy(&all);
}

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

static void options_that_it_has_not_are_refused(void **state) /* M2 */
{
    (void)state;
    static const size_t capacities[] = {0, 1, 2, 3, 1000};
    uint64_t value = 0;
    for (size_t i = 0; i < 5; i++) {
        begin((cm_partition_config){.map.capacity = capacities[i], .partitions = i + 1, .queue = i, .batch = i});
        for (uint64_t k = 0; k < 100; k++)
            assert_int_equal(nums_put(&map, k, k, NULL), CM_OK);
        assert_true(nums_get(&map, 99, &value));
        end();
    }
    cm_partition_config wrong[] = {
        {.partitions = 5000},
        {.batch = 5000},
        {.map.limit = 5},
        {.map.budget = 5},
        {.map.fixed = true, .map.capacity = 5},
        {.wake = wake},
        {.cpu_count = 1},
        {.cpus = (int[]){1000000}, .cpu_count = 1},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(nums_open(&map, &wrong[i]), CM_INVALID);
    assert_int_equal(nums_open(&map, &(cm_partition_config){.map.capacity = SIZE_MAX}), CM_NOMEM);
    assert_int_equal(nums_open(&map, &(cm_partition_config){.queue = SIZE_MAX}), CM_NOMEM);
    assert_int_equal(
        cm_partitions_init_(&map.core, &nums_plain_type_, NULL, CM_PARTITIONS_VERSION_ + 1, sizeof map.core),
        CM_INVALID);
    bool can_pin = false;
    in_thread(try_to_pin, &can_pin);
    cm_partition_config pinned = {.partitions = 2, .cpus = (int[]){0}, .cpu_count = 1};
    assert_int_equal(nums_open(&map, &pinned), can_pin ? CM_OK : CM_INVALID);
    if (!can_pin)
        return;
    assert_int_equal(nums_put(&map, 1, 1, NULL), CM_OK);
    end();
}

static void a_forked_child_destroys_it(void **state) /* M4 */
{
    (void)state;
    int status = -1;
    begin((cm_partition_config){.partitions = 2});
    assert_int_equal(nums_put(&map, 1, 1, NULL), CM_OK);
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        nums_destroy(&map);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(nums_put(&map, 2, 1, NULL), CM_OK);
    end();
}

static void *sum_range(void *context)
{
    *(cm_status *)context = nums_put_until(&map, 0, 1, NULL, cm_deadline_after(20 * MS));
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
        assert_int_equal(nums_put(&map, i, i, NULL), CM_OK);
        assert_int_equal(nums_partition_of(&map, i), i % 5);
        assert_true(nums_plain_contains(nums_partition(&map, i % 5), i));
    }
    assert_int_equal(nums_to_arrays(&map, keys, values, 3, &count), CM_FULL);
    assert_int_equal(count, 10);
    assert_int_equal(nums_to_arrays(&map, keys, values, 10, &count), CM_OK);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(keys[i], values[i]);
    assert_int_equal(nums_partition_leave(&map, 0), CM_OK);
    in_thread(sum_range, &status); /* nobody serves that one */
    assert_int_equal(status, CM_TIMEOUT);
    assert_int_equal(nums_partition_own(&map, 0), CM_OK);
    end();
}

static void *put_for_a_while(void *context)
{
    *(cm_status *)context = nums_put_until(&map, 1, 1, NULL, cm_deadline_after(50000000));
    return NULL;
}

static void *put_however_long(void *done)
{
    nums_put(&map, 2, 2, NULL);
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
    while (nums_partition_stats(&map, 0).queued < 2)
        usleep(100);
    assert_int_equal(pthread_create(&threads[2], NULL, put_however_long, &done), 0);
    for (size_t i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(given_up[i], CM_TIMEOUT);
    }
    own(1);
    while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE)) {
        nums_owner_sleep_until(&map, cm_deadline_after(MS)); /* the other may have its answer, and not say so yet */
        assert_int_equal(nums_partition_poll(&map, 0, 8, NULL), CM_OK);
    }
    pthread_join(threads[2], NULL);
    assert_int_equal(nums_len(&map), 1);
    end();
}

static cm_status ask_for_many(nums_plain *own_map, const uint64_t *key, void *context)
{
    (void)own_map;
    uint64_t keys[] = {*key, *key + 1}, values[2] = {0};
    bool found[2];
    nums_batch batch = nums_batch_begin(&map);
    assert_int_equal(nums_batch_put(&batch, *key, 5, NULL), CM_OK);
    assert_int_equal(nums_batch_wait(&batch), CM_OK);
    *(size_t *)context = nums_get_many(&map, keys, 2, found, values);
    return values[0] == 5 ? CM_OK : CM_INVALID;
}

static void a_function_may_use_batches_for_its_own_owner(void **state)
{
    (void)state;
    size_t hits = 0;
    begin((cm_partition_config){.partitions = 1});
    assert_int_equal(nums_apply(&map, 7, ask_for_many, &hits), CM_OK);
    assert_int_equal(hits, 1);
    end();
}

static size_t shut_down(void *context, unsigned thread)
{
    (void)context, (void)thread;
    return nums_shutdown(&map, CM_SHUTDOWN_DRAIN, NULL) != CM_OK;
}

static void many_may_shut_it_down_at_once(void **state)
{
    (void)state;
    for (size_t round = 0; round < 20; round++) {
        begin((cm_partition_config){.partitions = 3});
        assert_int_equal(nums_put(&map, round, 1, NULL), CM_OK);
        assert_int_equal(crew_run(4, shut_down, NULL), 0);
        assert_int_equal(nums_put(&map, round, 1, NULL), CM_CLOSED);
        nums_destroy(&map);
    }
}

static void a_declared_type_is_used_from_another_file(void **state)
{
    (void)state;
    depots own_map;
    uint64_t value = 0;
    assert_int_equal(depots_init(&own_map, NULL), CM_OK);
    depots_batch batch = depots_batch_begin(&own_map);
    assert_int_equal(depots_batch_put(&batch, cm_str_of("one"), 1, NULL), CM_OK);
    assert_int_equal(depots_batch_wait(&batch), CM_OK);
    assert_true(depots_get(&own_map, cm_str_of("one"), &value));
    assert_int_equal(value, 1);
    depots_destroy(&own_map);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_thread_sends_to_a_key_is_done_in_that_order),
        cmocka_unit_test(no_update_is_lost),
        cmocka_unit_test(many_senders_fill_and_empty_it),
        cmocka_unit_test(keys_that_collide_are_found),
        cmocka_unit_test(a_full_queue_is_told),
        cmocka_unit_test(what_was_given_up_is_never_done),
        cmocka_unit_test(a_batch_goes_on_after_a_deadline),
        cmocka_unit_test(a_sender_that_waits_for_room_goes_on),
        cmocka_unit_test(owners_sleep_when_nothing_comes),
        cmocka_unit_test(who_waits_for_room_is_woken_where_others_gave_up_before_it),
        cmocka_unit_test(a_function_may_use_batches_for_its_own_owner),
        cmocka_unit_test(many_may_shut_it_down_at_once),
        cmocka_unit_test(functions_in_the_owner_may_use_the_map),
        cmocka_unit_test(owners_that_wait_for_each_other_are_told),
        cmocka_unit_test(a_circle_through_another_map_is_told),
        cmocka_unit_test(owners_that_wait_serve_each_other),
        cmocka_unit_test(a_partition_has_one_owner),
        cmocka_unit_test(a_function_that_ends_its_owner_is_told),
        cmocka_unit_test(an_event_loop_serves_a_partition),
        cmocka_unit_test(callbacks_are_called_once_each),
        cmocka_unit_test(shutdown_drains_or_drops_what_is_queued),
        cmocka_unit_test(nothing_is_lost_silently),
        cmocka_unit_test(texts_are_copied_on_the_way),
        cmocka_unit_test(owned_values_are_destroyed_once),
        cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test(options_that_it_has_not_are_refused),
        cmocka_unit_test(a_forked_child_destroys_it),
        cmocka_unit_test(keys_are_where_their_owner_is),
        cmocka_unit_test(a_declared_type_is_used_from_another_file),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    failed += cmocka_run_group_tests(nums_tests, NULL, NULL);
    failed += cmocka_run_group_tests(texts_tests, NULL, NULL);
    failed += cmocka_run_group_tests(owners_tests, NULL, NULL);
    return failed != 0;
}
