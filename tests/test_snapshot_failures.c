/* Snapshots where memory is lacking: they fail, and nobody else does. */
#include <concmap/sharded.h>
#include <pthread.h>
#include <stdlib.h>

#include "crew.h"
#include "failing_allocator.h"
#include "unit.h"

CM_SHARDED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)

static cm_status add_one(uint64_t *value, void *context)
{
    (void)context;
    ++*value;
    return CM_OK;
}

enum { FAILING_KEYS = 30000 };

struct failing {
    nums map;
    uint64_t stop;
    uint64_t snapshots;
};

static size_t write_and_fail(void *context, unsigned i)
{
    struct failing *failing = context;
    size_t wrong = 0, failed = 0;
    if (i == 0) { /* until writers have come upon marks in time: on a busy machine they seldom do */
        for (uint64_t n = 0; n < failing->snapshots || (failed == 0 && n < 20 * failing->snapshots); n++) {
            nums_snapshot snapshot;
            cm_status status = nums_snapshot_take(&failing->map, &snapshot);
            failed += status == CM_NOMEM;
            wrong += status != CM_OK && status != CM_NOMEM;
            wrong += status == CM_OK && nums_snapshot_len(&snapshot) != FAILING_KEYS;
            nums_snapshot_drop(&snapshot);
        }
        __atomic_store_n(&failing->stop, 1, __ATOMIC_RELAXED);
        return wrong;
    }
    for (uint64_t n = i; !__atomic_load_n(&failing->stop, __ATOMIC_RELAXED); n = n * 25214903917 + 11)
        wrong += nums_update(&failing->map, (n >> 16) % FAILING_KEYS, add_one, NULL) != CM_OK;
    return wrong;
}

static void *fail_sometimes(void *context, size_t size, size_t alignment)
{
    static uint64_t calls;
    (void)context;
    void *block = NULL;
    if (size < 1024 && __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED) % 50 == 0)
        return NULL; /* images, rather than the chunks of who takes the snapshot */
    return posix_memalign(&block, alignment < 8 ? 8 : alignment, size) == 0 ? block : NULL;
}

static void give_back(void *context, void *block, size_t size, size_t alignment)
{
    (void)context, (void)size, (void)alignment;
    free(block);
}

static void a_copy_that_lacks_memory_fails_it_and_no_writer(void **state)
{
    (void)state;
    cm_allocator allocator = {fail_sometimes, give_back, NULL};
    struct failing failing = {.snapshots = crew_scale(1000)};
    assert_int_equal(nums_init(&failing.map, &(cm_config){.allocator = &allocator}), CM_OK);
    for (uint64_t key = 0; key < FAILING_KEYS; key++)
        while (nums_put(&failing.map, key, key, NULL) < 0)
            ;
    assert_int_equal(crew_run(4, write_and_fail, &failing), 0);
    while (nums_settle(&failing.map) != CM_OK)
        ;
    assert_int_equal(nums_check(&failing.map, NULL), CM_OK);
    nums_destroy(&failing.map);
}

/* Memory for a map of which a snapshot is being taken; none for a thread that lacks it. */
struct amid {
    nums map;
    cm_status written;
    bool asked;
};

static _Thread_local bool lacks_memory;

static void *write_without_memory(void *context)
{
    struct amid *amid = context;
    lacks_memory = true;
    amid->written = nums_update(&amid->map, 7, add_one, NULL);
    return NULL;
}

/* Behind the instant, where the first copies are to be made, somebody writes what is not copied yet. */
static void *serve_amid(void *context, size_t size, size_t alignment)
{
    struct amid *amid = context;
    void *block = NULL;
    pthread_t thread;
    if (lacks_memory)
        return NULL;
    if (!amid->asked && amid->map.core.marks.phase == CM_MARKS_TAKEN_) {
        amid->asked = true;
        assert_int_equal(pthread_create(&thread, NULL, write_without_memory, amid), 0);
        pthread_join(thread, NULL);
    }
    return posix_memalign(&block, alignment < 8 ? 8 : alignment, size) == 0 ? block : NULL;
}

static void a_writer_that_cannot_copy_writes_and_the_snapshot_fails(void **state)
{
    (void)state;
    struct amid amid = {.written = CM_INVALID};
    cm_allocator allocator = {serve_amid, give_back, &amid};
    nums_snapshot snapshot;
    uint64_t value = 0;
    assert_int_equal(nums_init(&amid.map, &(cm_config){.allocator = &allocator}), CM_OK);
    for (uint64_t key = 0; key < FAILING_KEYS; key++)
        assert_int_equal(nums_put(&amid.map, key, key, NULL), CM_OK);
    assert_int_equal(nums_settle(&amid.map), CM_OK);
    assert_int_equal(nums_snapshot_take(&amid.map, &snapshot), CM_NOMEM);
    assert_true(amid.asked);
    assert_int_equal(amid.written, CM_OK);
    assert_true(nums_get(&amid.map, 7, &value));
    assert_int_equal(value, 8);
    assert_int_equal(nums_snapshot_take(&amid.map, &snapshot), CM_OK);
    assert_int_equal(nums_snapshot_len(&snapshot), FAILING_KEYS);
    nums_snapshot_drop(&snapshot);
    nums_destroy(&amid.map);
}

static void each_request_may_fail(void **state)
{
    (void)state;
    struct failing_allocator memory;
    nums map;
    nums_snapshot snapshot;
    cm_status status = CM_NOMEM;
    unsigned failed = 0;
    failing_allocator_init(&memory);
    assert_int_equal(nums_init(&map, &(cm_config){.allocator = &memory.allocator}), CM_OK);
    for (uint64_t key = 0; key < 20000; key++)
        assert_int_equal(nums_put(&map, key, key, NULL), CM_OK);
    assert_int_equal(nums_settle(&map), CM_OK);
    size_t blocks = memory.live_blocks;
    for (size_t n = 1; status != CM_OK; n++) {
        failing_allocator_fail_at(&memory, n);
        status = nums_snapshot_take(&map, &snapshot);
        assert_true(status == CM_OK || (status == CM_NOMEM && memory.live_blocks == blocks));
        failing_allocator_restart(&memory);
        if (n == 2) { /* the marks are taken back: they would keep buckets from moving */
            assert_int_equal(status, CM_NOMEM);
            assert_int_equal(nums_reserve(&map, 200000), CM_OK);
            assert_int_equal(nums_settle(&map), CM_OK);
            blocks = memory.live_blocks;
        }
        failed += status != CM_OK;
    }
    assert_true(failed >= 4);
    assert_int_equal(nums_snapshot_len(&snapshot), 20000);
    nums_snapshot_drop(&snapshot);
    assert_int_equal(memory.live_blocks, blocks);
    for (uint64_t key = 20000; key < 100000; key++)
        assert_int_equal(nums_put(&map, key, key, NULL), CM_OK);
    assert_int_equal(nums_settle(&map), CM_OK);
    nums_destroy(&map);
    assert_int_equal(memory.live_blocks, 0);
    assert_int_equal(memory.mistakes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_that_lacks_memory_fails_it_and_no_writer),
        cmocka_unit_test(a_writer_that_cannot_copy_writes_and_the_snapshot_fails),
        cmocka_unit_test(each_request_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
