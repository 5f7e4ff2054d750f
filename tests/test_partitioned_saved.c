/* Partitioned maps that are saved and loaded. Each kind of key and value is in test_partitioned_kinds.c, the stream
 * itself in test_saved.c. */
#include <concmap/partitioned_saved.h>
#include <concmap/sharded.h>
#include <stdlib.h>
#include <unistd.h>

#include "buffer.h"
#include "coded_boxes.h"
#include "crew.h"
#include "failing_allocator.h"
#include "partitions.h"
#include "shared_type.h"

CM_PARTITIONED_SAVED(nums, 1)
CM_SHARDED_MAP(shards, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_SAVED(shards, 1)

#define SAVED_CONFIG cm_partition_config
#define DECLARED depots
#define SAVED_BOXES(name, key_codec, value_codec)                                                                      \
    CM_PARTITIONED_MAP_OWNED(name, struct box, struct box, box_hash, box_equal, CM_OWNED(box_clone, box_destroy),      \
                             CM_OWNED(box_clone, box_destroy))                                                         \
    CM_PARTITIONED_SAVED_CODED(name, 1, key_codec, value_codec)
/* The first is polled. */
#define saved_open(map, config)                                                                                        \
    (boxes_open((map), (config)) | boxes_partition_own((map), 0) | boxes_partition_own((map), 1))

static cm_partition_config saved_config(const cm_config *own_config, size_t i)
{
    return (cm_partition_config){.map = *own_config, .partitions = 2 + i, .polled = i == 0};
}

#include "saved_suite.h"

/* ---- streams ---- */

static void other_maps_load_what_it_saves_and_save_what_it_loads(void **state)
{
    (void)state;
    struct buffer first = {.bytes = NULL}, second = {.bytes = NULL};
    cm_sink sink = buffer_sink(&first), again = buffer_sink(&second);
    shards other;
    begin((cm_partition_config){.partitions = 3});
    for (uint64_t i = 0; i < 5000; i++)
        assert_int_equal(nums_put(&divided, i, i * i, NULL), CM_OK);
    assert_int_equal(nums_save(&divided, &sink, NULL, NULL), CM_OK);
    end();
    cm_source source = buffer_source(&first);
    assert_int_equal(shards_load(&other, NULL, &source, NULL, NULL), CM_OK);
    assert_int_equal(shards_len(&other), 5000);
    assert_int_equal(shards_save(&other, &again, NULL, NULL), CM_OK);
    shards_destroy(&other);
    source = buffer_source(&second);
    cm_partition_config config = {.partitions = 2, .owner_of = in_turn}; /* other partitions than before */
    assert_int_equal(nums_load(&divided, &config, &source, NULL, NULL), CM_OK);
    assert_int_equal(nums_len(&divided), 5000);
    for (uint64_t i = 0; i < 5000; i += 100) {
        uint64_t value = 0;
        assert_true(nums_get(&divided, i, &value));
        assert_int_equal(value, i * i);
    }
    end();
    buffer_free(&first);
    buffer_free(&second);
}

static void a_polled_map_is_loaded_and_left_to_its_owners(void **state)
{
    (void)state;
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    begin((cm_partition_config){.partitions = 3, .polled = true});
    own(3);
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(nums_put(&divided, i, i, NULL), CM_OK);
    assert_int_equal(nums_save(&divided, &sink, NULL, NULL), CM_OK);
    end();
    cm_source source = buffer_source(&buffer);
    cm_partition_config config = {.partitions = 2, .polled = true, .owner_of = in_turn};
    assert_int_equal(nums_load(&divided, &config, &source, NULL, NULL), CM_OK);
    own(2); /* CM_OK, not CM_EXISTS */
    assert_int_equal(nums_len(&divided), 100);
    end();
    buffer_free(&buffer);
}

static cm_status write_and_use(void *context, const void *bytes, size_t size)
{
    for (uint64_t i = 0; i < 10; i++)
        assert_int_equal(nums_put(&divided, i, 1, NULL), CM_REPLACED);
    return buffer_write(context, bytes, size);
}

static void owners_go_on_while_it_is_written(void **state)
{
    (void)state;
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = {write_and_use, &buffer};
    begin((cm_partition_config){.partitions = 2});
    for (uint64_t i = 0; i < 50000; i++)
        assert_int_equal(nums_put(&divided, i, 0, NULL), CM_OK);
    assert_int_equal(nums_save(&divided, &sink, NULL, NULL), CM_OK);
    assert_true(buffer.size > 50000 * 16);
    end();
    buffer_free(&buffer);
}

static cm_status step_all(nums_plain *own_map, const uint64_t *key, void *context)
{
    (void)key, (void)context;
    CM_FOREACH (nums_plain_place, own_map, it)
        ++*it.value;
    return CM_OK;
}

static size_t save_and_look(void)
{
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    shards loaded;
    uint64_t first[2] = {0, 0};
    size_t wrong = nums_save(&divided, &sink, NULL, NULL) != CM_OK;
    cm_source source = buffer_source(&buffer);
    wrong += shards_load(&loaded, NULL, &source, NULL, NULL) != CM_OK;
    wrong += !shards_get(&loaded, 0, &first[0]) || !shards_get(&loaded, 1, &first[1]);
    CM_FOREACH (shards, &loaded, it)
        wrong += it.value != first[it.key % 2];
    shards_destroy(&loaded);
    buffer_free(&buffer);
    return wrong;
}

static size_t step_or_save(void *context, unsigned thread)
{
    size_t wrong = 0;
    (void)context;
    for (size_t i = crew_scale(thread ? 100 : 500); i > 0; i--)
        wrong += thread ? save_and_look() : nums_apply(&divided, i % 2, step_all, NULL) != CM_OK;
    return wrong;
}

static void each_partition_is_saved_as_it_was_at_one_instant(void **state)
{
    (void)state;
    begin((cm_partition_config){.partitions = 2});
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(nums_put(&divided, i, 0, NULL), CM_OK);
    assert_int_equal(crew_run(3, step_or_save, NULL), 0);
    end();
}

static void what_was_shut_down_is_saved(void **state)
{
    (void)state;
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    nums_future futures[20];
    memset(futures, 0, sizeof futures);
    begin((cm_partition_config){.partitions = 2});
    for (uint64_t i = 0; i < 20; i++)
        assert_int_equal(nums_put_async(&divided, &futures[i], i, i), CM_OK);
    assert_int_equal(nums_shutdown(&divided, CM_SHUTDOWN_DRAIN, NULL), CM_OK);
    assert_int_equal(nums_save(&divided, &sink, NULL, NULL), CM_OK);
    end();
    cm_source source = buffer_source(&buffer);
    assert_int_equal(nums_load(&divided, NULL, &source, NULL, NULL), CM_OK);
    assert_int_equal(nums_len(&divided), 20);
    end();
    buffer_free(&buffer);
}

static void it_waits_no_longer_than_it_may(void **state) /* K7 */
{
    (void)state;
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    begin((cm_partition_config){.partitions = 2, .polled = true}); /* nobody serves it */
    assert_int_equal(nums_try_save(&divided, &sink, NULL, NULL), CM_BUSY);
    assert_int_equal(nums_save_until(&divided, &sink, NULL, NULL, cm_deadline_after(MS)), CM_TIMEOUT);
    own(2);
    end();
    buffer_free(&buffer);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_maps_load_what_it_saves_and_save_what_it_loads),
        cmocka_unit_test(a_polled_map_is_loaded_and_left_to_its_owners),
        cmocka_unit_test(owners_go_on_while_it_is_written),
        cmocka_unit_test(each_partition_is_saved_as_it_was_at_one_instant),
        cmocka_unit_test(what_was_shut_down_is_saved),
        cmocka_unit_test(it_waits_no_longer_than_it_may),
    };
    int failed = saved_run();
    failed += cmocka_run_group_tests(tests, NULL, NULL);
    return failed;
}
