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
CM_PARTITIONED_MAP_OWNED(boxes, struct box, struct box, box_hash, box_equal, CM_OWNED(box_clone, box_destroy),
                         CM_OWNED(box_clone, box_destroy))
CM_PARTITIONED_SAVED_CODED(boxes, 1, CODED_BOX, CODED_BOX)

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

/* ---- what fails leaves nothing ---- */

static void fill_boxes(boxes *map_of_boxes, const cm_partition_config *config)
{
    assert_int_equal(boxes_open(map_of_boxes, config), CM_OK);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(boxes_partition_own(map_of_boxes, i), CM_OK);
    for (uint64_t i = 0; i < 20; i++) {
        struct box key = box_of(i);
        assert_int_equal(boxes_put(map_of_boxes, key, box_of(i + 100), NULL), CM_OK);
        box_destroy(&key, &all);
    }
}

static void owned_values_are_cloned_and_destroyed_once(void **state) /* L9 */
{
    (void)state;
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    boxes saved, loaded;
    cm_partition_config polled = {.map = config(), .partitions = 2, .polled = true};
    cm_partition_config threads = {.map = polled.map, .partitions = 3};
    fill_boxes(&saved, &polled);
    all.fail_at = all.clones + 7;
    assert_int_equal(boxes_save(&saved, &sink, NULL, NULL), CM_NOMEM);
    all.fail_at = 0;
    buffer_free(&buffer);
    assert_int_equal(boxes_save(&saved, &sink, NULL, NULL), CM_OK);
    assert_int_equal(all.live, 40);
    for (size_t cut = 0; cut < buffer.size; cut += 17) { /* nothing is loaded, and nothing left */
        struct buffer part = {.bytes = buffer.bytes, .size = cut};
        cm_source source = buffer_source(&part);
        assert_true(boxes_load(&loaded, cut % 2 ? &polled : &threads, &source, NULL, NULL) < 0);
        assert_int_equal(all.live, 40);
    }
    for (size_t i = 1; i < 4; i++) { /* a clone of a key fails */
        cm_source source = buffer_source(&buffer);
        all.fail_at = all.clones + 5 * i;
        assert_int_equal(boxes_load(&loaded, &polled, &source, NULL, NULL), CM_NOMEM);
        assert_int_equal(all.live, 40);
    }
    all.fail_at = 0;
    cm_source source = buffer_source(&buffer);
    assert_int_equal(boxes_load(&loaded, &threads, &source, NULL, NULL), CM_OK);
    boxes_destroy(&saved);
    assert_int_equal(boxes_len(&loaded), 20);
    for (uint64_t i = 0; i < 20; i++) {
        struct box key = box_of(i), value;
        assert_true(boxes_get(&loaded, key, &value));
        assert_int_equal(drop(value), i + 100);
        box_destroy(&key, &all);
    }
    boxes_destroy(&loaded);
    assert_int_equal(all.live, 0);
    buffer_free(&buffer);
}

/* Two streams' blocks in one would be seen by their checks; a codec can give a key twice. */
static cm_status same_decode(struct box *box, cm_decoder *from, void *context)
{
    cm_status status = coded_box_decode(box, from, context);
    if (status >= 0 && *box->number == 7)
        *box->number = 6;
    return status;
}

CM_PARTITIONED_MAP_OWNED(twice, struct box, struct box, box_hash, box_equal, CM_OWNED(box_clone, box_destroy),
                         CM_OWNED(box_clone, box_destroy))
CM_PARTITIONED_SAVED_CODED(twice, 1, CM_CODED(coded_box_encode, same_decode), CODED_BOX)

static void a_key_that_is_there_twice_is_damage(void **state)
{
    (void)state;
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    boxes saved;
    twice loaded;
    cm_partition_config polled = {.map = config(), .partitions = 2, .polled = true};
    fill_boxes(&saved, &polled);
    assert_int_equal(boxes_save(&saved, &sink, NULL, NULL), CM_OK);
    cm_source source = buffer_source(&buffer);
    assert_int_equal(twice_load(&loaded, &polled, &source, NULL, NULL), CM_CORRUPT);
    assert_int_equal(all.live, 40);
    boxes_destroy(&saved);
    assert_int_equal(all.live, 0);
    buffer_free(&buffer);
}

static void each_allocation_may_fail(void **state) /* M1 */
{
    (void)state;
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    cm_status saving = CM_NOMEM, loading = CM_NOMEM;
    struct failing_allocator memory;
    boxes saved, loaded;
    failing_allocator_init(&memory);
    cm_partition_config polled = {.map = config(), .partitions = 2, .polled = true};
    polled.map.allocator = &memory.allocator;
    fill_boxes(&saved, &polled);
    for (size_t n = 1; saving == CM_NOMEM; n++) {
        buffer_free(&buffer);
        failing_allocator_restart(&memory);
        failing_allocator_fail_at(&memory, n);
        saving = boxes_save(&saved, &sink, NULL, NULL);
        assert_int_equal(all.live, 40);
    }
    assert_int_equal(saving, CM_OK);
    boxes_destroy(&saved);
    assert_int_equal(memory.live_blocks, 0);
    for (size_t n = 1; loading == CM_NOMEM; n++) {
        cm_source source = buffer_source(&buffer);
        failing_allocator_restart(&memory);
        failing_allocator_fail_at(&memory, n);
        loading = boxes_load(&loaded, &polled, &source, NULL, NULL);
        if (loading == CM_OK)
            boxes_destroy(&loaded);
        assert_int_equal(all.live, 0);
        assert_int_equal(memory.live_blocks, 0);
    }
    assert_int_equal(loading, CM_OK);
    assert_int_equal(memory.mistakes, 0);
    buffer_free(&buffer);
}

static void files_and_declared_types_are_saved(void **state)
{
    (void)state;
    char path[] = "/tmp/concmap-partitioned-XXXXXX";
    int file = mkstemp(path);
    depots saved, loaded;
    uint64_t value = 0;
    assert_true(file >= 0);
    close(file);
    assert_int_equal(depots_init(&saved, NULL), CM_OK);
    assert_int_equal(depots_put(&saved, cm_str_of("gold"), 5, NULL), CM_OK);
    assert_int_equal(depots_save_file(&saved, path, NULL, NULL), CM_OK);
    assert_int_equal(depots_load_file(&loaded, NULL, path, NULL, NULL), CM_OK);
    assert_true(depots_get(&loaded, cm_str_of("gold"), &value));
    assert_int_equal(value, 5);
    depots_destroy(&loaded);
    depots_destroy(&saved);
    unlink(path);
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
        cmocka_unit_test(owned_values_are_cloned_and_destroyed_once),
        cmocka_unit_test(a_key_that_is_there_twice_is_damage),
        cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test(files_and_declared_types_are_saved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
