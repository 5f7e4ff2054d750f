/* The partitioned map: what is sent is done, once, and in order; and functions in the owner. */
#include <concmap/partitioned.h>
#include <concmap/sharded.h>
#include <stdlib.h>

#include "crew.h"
#include "partitions.h"
#include "shared_type.h"

CM_PARTITIONED_MAP(texts, cm_str, uint64_t, cm_hash_str, cm_equal_str)

CM_SHARDED_MAP(shards, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)

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
        wrong += nums_put(&divided, thread * 8 + k, 0, NULL) != CM_OK;
    for (size_t round = crew_scale(400); round > 0; round--) {
        nums_batch batch = nums_batch_begin(&divided);
        for (size_t i = (size_t)(crew_random(&random) % 40); i > 0; i--) {
            uint64_t k = crew_random(&random) % 8;
            wrong += nums_batch_apply(&batch, thread * 8 + k, is_next, (void *)(uintptr_t)expected[k]++, NULL) != CM_OK;
        }
        wrong += nums_batch_send(&batch) != CM_OK;
        size_t sent = crew_random(&random) % 64;
        memset(futures, 0, sizeof all[thread]);
        for (size_t i = 0; i < sent; i++) {
            uint64_t k = crew_random(&random) % 8;
            wrong += nums_apply_async(&divided, &futures[i], thread * 8 + k, is_next,
                                      (void *)(uintptr_t)expected[k]++) != CM_OK;
        }
        uint64_t k = crew_random(&random) % 8, value = 0;
        wrong += !nums_get(&divided, thread * 8 + k, &value) || value != expected[k];
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
        nums_batch batch = nums_batch_begin(&divided);
        for (uint64_t k = 0; k < KEYS; k++)
            wrong += nums_batch_upsert(&batch, k, 1, add_one, NULL, NULL) != CM_OK;
        wrong += nums_batch_wait(&batch) != CM_OK;
        wrong += nums_upsert(&divided, crew_random(&random) % KEYS, 1, add_one, NULL) < 0;
        cm_status got = nums_get_or_insert(&divided, 1000 + round, thread, &value);
        wrong += got == CM_OK ? value != thread : got != CM_EXISTS || value >= 4;
    }
    return wrong;
}

static cm_status add_up_common(const uint64_t *key, const uint64_t *value, void *sum)
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
    assert_int_equal(nums_for_each(&divided, add_up_common, &sum), CM_OK);
    assert_int_equal(sum, 4 * rounds * (KEYS + 1));
    assert_int_equal(nums_len(&divided), KEYS + rounds);
    end();
}

static size_t add_own(void *context, unsigned thread)
{
    size_t count = *(const size_t *)context, wrong = 0;
    nums_batch batch = nums_batch_begin(&divided);
    for (uint64_t i = 0; i < count; i++)
        wrong += nums_batch_insert(&batch, i * 8 + thread, i, NULL) != CM_OK;
    return wrong + (nums_batch_wait(&batch) != CM_OK);
}

static size_t removed_twice;

static size_t remove_all(void *context, unsigned thread)
{
    size_t count = *(const size_t *)context;
    static cm_status results[2][10000 * 8];
    nums_batch batch = nums_batch_begin(&divided);
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
    assert_int_equal(nums_len(&divided), 8 * count);
    assert_int_equal(nums_check(&divided, NULL), CM_OK);
    removed_twice = 0;
    assert_int_equal(crew_run(2, remove_all, &count), 0);
    assert_int_equal(removed_twice, 8 * count);
    assert_int_equal(nums_len(&divided), 0);
    end();
}

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

/* ---- functions in the owner ---- */

static cm_status use_the_map(nums_plain *own_map, const uint64_t *key, void *context)
{
    uint64_t value = 0;
    (void)context;
    assert_int_equal(nums_plain_put(own_map, *key + 2, 1, NULL), CM_OK);
    assert_int_equal(nums_put(&divided, *key + 4, 2, NULL), CM_OK); /* of the same owner: at once */
    assert_true(nums_get(&divided, *key + 2, &value));
    assert_int_equal(nums_put(&divided, *key + 1, 3, NULL), CM_OK); /* of the other */
    assert_int_equal(nums_shutdown(&divided, CM_SHUTDOWN_DRAIN, NULL), CM_DEADLOCK);
    return CM_EXISTS;
}

static cm_status change_while_it_is_changed(uint64_t *value, void *context)
{
    uint64_t seen = 0;
    (void)context;
    assert_true(nums_get(&divided, 2, &seen)); /* reading is allowed */
    assert_int_equal(nums_put(&divided, 2, 1, NULL), CM_DEADLOCK);
    *value = 100;
    return CM_OK;
}

static void functions_in_the_owner_may_use_the_map(void **state) /* K4 */
{
    (void)state;
    begin((cm_partition_config){.partitions = 2});
    assert_int_equal(nums_apply(&divided, 0, use_the_map, NULL), CM_EXISTS);
    assert_int_equal(nums_len(&divided), 3);
    assert_int_equal(nums_update(&divided, 2, change_while_it_is_changed, NULL), CM_OK);
    uint64_t value = 0;
    assert_true(nums_get(&divided, 2, &value));
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
    crossing->inner = nums_put(&divided, crossing->other, 1, NULL);
    return CM_OK;
}

static void *cross(void *context)
{
    struct crossing *crossing = context;
    crossing->outer = nums_apply(&divided, crossing->key, ask_the_other, crossing);
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
        outer = nums_apply(&divided, 1, change_a_shard, &inner);
    assert_int_equal(outer, CM_OK);
    assert_int_equal(inner, CM_DEADLOCK);
    shards_destroy(&sharded);
    end();
}

static cm_status ask_for_many(nums_plain *own_map, const uint64_t *key, void *context)
{
    (void)own_map;
    uint64_t keys[] = {*key, *key + 1}, values[2] = {0};
    bool found[2];
    nums_batch batch = nums_batch_begin(&divided);
    assert_int_equal(nums_batch_put(&batch, *key, 5, NULL), CM_OK);
    assert_int_equal(nums_batch_wait(&batch), CM_OK);
    *(size_t *)context = nums_get_many(&divided, keys, 2, found, values);
    return values[0] == 5 ? CM_OK : CM_INVALID;
}

static void a_function_may_use_batches_for_its_own_owner(void **state)
{
    (void)state;
    size_t hits = 0;
    begin((cm_partition_config){.partitions = 1});
    assert_int_equal(nums_apply(&divided, 7, ask_for_many, &hits), CM_OK);
    assert_int_equal(hits, 1);
    end();
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
        cmocka_unit_test(texts_are_copied_on_the_way),
        cmocka_unit_test(functions_in_the_owner_may_use_the_map),
        cmocka_unit_test(owners_that_wait_for_each_other_are_told),
        cmocka_unit_test(a_circle_through_another_map_is_told),
        cmocka_unit_test(a_function_may_use_batches_for_its_own_owner),
        cmocka_unit_test(a_declared_type_is_used_from_another_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
