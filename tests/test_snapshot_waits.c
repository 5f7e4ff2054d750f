/* Snapshots: what becomes of them, and of others, while one waits for a guard. */
#include <concmap/sharded.h>
#include <pthread.h>
#include <sched.h>

#include "crew.h"
#include "failing_allocator.h"
#include "unit.h"

CM_SHARDED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)

struct taker {
    nums map;
    nums_snapshot snapshot;
    cm_status status;
    cm_status tried;
    cm_status timed;
    uint64_t done;
};

static void *take_one(void *context)
{
    struct taker *taker = context;
    taker->status = nums_snapshot_take(&taker->map, &taker->snapshot);
    __atomic_store_n(&taker->done, 1, __ATOMIC_RELEASE);
    return NULL;
}

static void who_writes_goes_on_while_it_waits_for_a_guard(void **state)
{
    (void)state;
    enum { KEYS = 5000 };
    struct taker taker = {.done = 0};
    nums_write_guard guard;
    pthread_t thread;
    assert_int_equal(nums_init(&taker.map, NULL), CM_OK);
    for (uint64_t key = 0; key < KEYS; key++)
        nums_put(&taker.map, key, key, NULL);
    assert_int_equal(nums_write(&taker.map, 77, &guard), CM_OK);
    assert_int_equal(pthread_create(&thread, NULL, take_one, &taker), 0);
    for (unsigned round = 0; round < 20; round++) {
        for (uint64_t key = 0; key < KEYS; key++)
            if (key != 77)
                assert_int_equal(nums_put(&taker.map, key, key + 1000000, NULL), CM_REPLACED);
        sched_yield();
    }
    assert_false(__atomic_load_n(&taker.done, __ATOMIC_ACQUIRE));
    *guard.value = 78;
    nums_write_unlock(&guard);
    pthread_join(thread, NULL);
    assert_int_equal(taker.status, CM_OK);
    assert_int_equal(nums_snapshot_len(&taker.snapshot), KEYS);
    CM_FOREACH (nums_snapshot, &taker.snapshot, it)
        assert_int_equal(it.value, it.key == 77 ? 78 : it.key + 1000000);
    nums_snapshot_drop(&taker.snapshot);
    nums_destroy(&taker.map);
}

static void *try_one(void *context)
{
    struct taker *taker = context;
    nums_snapshot snapshot;
    taker->tried = nums_try_snapshot_take(&taker->map, &snapshot);
    taker->timed = nums_snapshot_take_until(&taker->map, &snapshot, cm_deadline_after(1000000));
    return NULL;
}

static void deadlines_and_own_guards_end_it_and_leave_nothing(void **state)
{
    (void)state;
    struct taker taker = {.done = 0};
    nums_snapshot snapshot;
    nums_write_guard guard;
    nums_read_guard reader;
    nums_frozen view;
    pthread_t thread, second;
    assert_int_equal(nums_init(&taker.map, NULL), CM_OK);
    for (uint64_t key = 0; key < 1000; key++)
        nums_put(&taker.map, key, key, NULL);
    assert_int_equal(nums_write(&taker.map, 5, &guard), CM_OK);
    assert_int_equal(nums_snapshot_take(&taker.map, &snapshot), CM_DEADLOCK);
    assert_int_equal(nums_snapshot_len(&snapshot), 0);
    assert_int_equal(pthread_create(&thread, NULL, take_one, &taker), 0);
    pthread_create(&second, NULL, try_one, &taker);
    pthread_join(second, NULL);
    nums_write_unlock(&guard);
    pthread_join(thread, NULL);
    assert_int_equal(taker.status, CM_OK);
    assert_int_equal(taker.tried, CM_BUSY);
    assert_int_equal(taker.timed, CM_TIMEOUT);
    nums_snapshot_drop(&taker.snapshot);
    assert_int_equal(nums_read(&taker.map, 5, &reader), CM_OK); /* one's own share is no hindrance */
    assert_int_equal(nums_snapshot_take(&taker.map, &snapshot), CM_OK);
    nums_snapshot_drop(&snapshot);
    nums_read_unlock(&reader);
    assert_int_equal(nums_freeze(&taker.map, &view), CM_OK);
    assert_int_equal(nums_snapshot_take(&taker.map, &snapshot), CM_OK);
    assert_int_equal(nums_thaw(&view), CM_OK);
    nums_snapshot_drop(&snapshot);
    for (uint64_t key = 1000; key < 100000; key++)
        assert_int_equal(nums_put(&taker.map, key, key, NULL), CM_OK);
    assert_int_equal(nums_settle(&taker.map), CM_OK);
    assert_int_equal(nums_check(&taker.map, NULL), CM_OK);
    nums_destroy(&taker.map);
}

/* A map with a guard of the key whose bucket is marked last, and a thread that takes a snapshot. */
struct stalled {
    struct taker taker;
    nums_write_guard guard;
    pthread_t thread;
    uint64_t held, first; /* the key whose bucket is marked first */
};

static void stall(struct stalled *stalled, const cm_config *config, uint64_t keys)
{
    nums *map = &stalled->taker.map;
    uint64_t last = 0, least = UINT64_MAX;
    assert_int_equal(nums_init(map, config), CM_OK);
    for (uint64_t key = 0; key < keys; key++) {
        assert_int_equal(nums_put(map, key, key, NULL), CM_OK);
        uint64_t point = cm_reverse_bits_(nums_hash_of(map, key));
        stalled->held = point >= last ? key : stalled->held;
        last = point >= last ? point : last;
        stalled->first = point <= least ? key : stalled->first;
        least = point <= least ? point : least;
    }
    assert_int_equal(nums_settle(map), CM_OK);
    assert_int_equal(nums_write(map, stalled->held, &stalled->guard), CM_OK);
    assert_int_equal(pthread_create(&stalled->thread, NULL, take_one, &stalled->taker), 0);
    while (cm_load_relaxed_(&map->core.marks.phase) != CM_MARKS_SETTING_)
        sched_yield();
}

static void go_on(struct stalled *stalled)
{
    nums_write_unlock(&stalled->guard);
    pthread_join(stalled->thread, NULL);
    assert_int_equal(stalled->taker.status, CM_OK);
    nums_snapshot_drop(&stalled->taker.snapshot);
    assert_int_equal(nums_settle(&stalled->taker.map), CM_OK);
    assert_int_equal(nums_check(&stalled->taker.map, NULL), CM_OK);
    nums_destroy(&stalled->taker.map);
}

static void writers_take_no_more_and_more_memory(void **state)
{
    (void)state;
    enum { KEYS = 2000 };
    struct failing_allocator memory;
    struct stalled stalled = {.held = 0};
    failing_allocator_init(&memory);
    stall(&stalled, &(cm_config){.allocator = &memory.allocator}, KEYS);
    size_t before = memory.live_bytes;
    for (uint64_t round = 0; round < 20; round++)
        for (uint64_t key = 0; key < KEYS; key++)
            if (key != stalled.held)
                assert_int_equal(nums_put(&stalled.taker.map, key, round, NULL), CM_REPLACED);
    assert_true(memory.live_bytes < before + 10000);
    go_on(&stalled);
    assert_int_equal(memory.live_blocks, 0);
}

static void the_table_grows_meanwhile(void **state)
{
    (void)state;
    struct stalled stalled = {.held = 0};
    stall(&stalled, NULL, 100);
    for (uint64_t key = 100; key < 20000; key++)
        assert_int_equal(nums_put(&stalled.taker.map, key, key, NULL), CM_OK);
    struct cm_table_ *newest = stalled.taker.map.core.root;
    while (newest->next)
        newest = newest->next;
    assert_true(newest->mask > 1000);
    go_on(&stalled);
}

struct crowd {
    nums other;
    nums *map;
    uint64_t held;
};

static void *end_in_a_guard(void *context)
{
    struct crowd *crowd = context;
    nums_write_guard guard;
    static uint64_t keys;
    uint64_t key = __atomic_add_fetch(&keys, 1, __ATOMIC_RELAXED) % 1000;
    if (key % 8 == 1)
        nums_try_write(crowd->map, key, &guard);
    return NULL;
}

/* Some write, with a guard of another map in hand; others end with guards. */
static size_t jostle(void *context, unsigned i)
{
    struct crowd *crowd = context;
    nums_read_guard reader;
    size_t wrong = nums_read(&crowd->other, i, &reader) != CM_OK;
    for (size_t n = 0; n < crew_scale(3000); n++) {
        pthread_t thread;
        uint64_t key = n % 1000 * 8 % 1000;
        if (i < 2 && pthread_create(&thread, NULL, end_in_a_guard, crowd) == 0)
            pthread_join(thread, NULL);
        for (uint64_t more = 0; i >= 2 && more < 8; more++)
            if (key + more != crowd->held)
                wrong += nums_try_put(crowd->map, key + more, n, NULL) == CM_NOMEM;
    }
    return wrong + (nums_read_unlock(&reader) != CM_OK);
}

static void threads_that_end_and_threads_that_hold_get_out_of_each_others_way(void **state)
{
    (void)state;
    struct stalled stalled = {.held = 0};
    struct crowd crowd = {.map = &stalled.taker.map};
    assert_int_equal(nums_init(&crowd.other, NULL), CM_OK);
    for (uint64_t key = 0; key < 8; key++)
        nums_put(&crowd.other, key, key, NULL);
    stall(&stalled, NULL, 1000);
    crowd.held = stalled.held;
    assert_int_equal(crew_run(6, jostle, &crowd), 0);
    nums_write_unlock(&stalled.guard);
    pthread_join(stalled.thread, NULL);
    assert_int_equal(stalled.taker.status, CM_OK);
    nums_snapshot_drop(&stalled.taker.snapshot);
    nums_destroy(&stalled.taker.map);
    nums_destroy(&crowd.other);
}

struct ending {
    nums *map;
    uint64_t key;
    uint32_t locked, told;
};

/* Ends with a guard of a key whose bucket is marked. */
static void *end_in_a_marked_bucket(void *context)
{
    struct ending *ending = context;
    nums_write_guard guard;
    while (nums_write(ending->map, ending->key, &guard) == CM_OK &&
           !(cm_load_relaxed_(cm_bucket_state_(guard.core.guard.head)) & CM_MARKED_)) {
        nums_write_unlock(&guard);
        sched_yield();
    }
    cm_store_release_(&ending->locked, 1);
    while (!cm_load_acquire_(&ending->told))
        sched_yield();
    return NULL;
}

/* What ends it has the lock of those who look for circles, and wants the marks' lock, which is taken: so a wait for
 * that one must not look for circles. */
static void a_thread_that_ends_waits_for_the_marks(void **state)
{
    (void)state;
    struct stalled stalled = {.held = 0};
    stall(&stalled, NULL, 100);
    struct cm_map_ *map = &stalled.taker.map.core;
    struct ending ending = {.map = &stalled.taker.map, .key = stalled.first};
    pthread_t thread;
    nums_write_guard guard;
    assert_int_equal(pthread_create(&thread, NULL, end_in_a_marked_bucket, &ending), 0);
    while (!cm_load_acquire_(&ending.locked))
        sched_yield();
    cm_cell_lock_(&map->marks.lock, &map->waiters);
    uint32_t waiters = cm_load_relaxed_(&map->waiters.count);
    cm_store_release_(&ending.told, 1);
    cm_deadline end = cm_deadline_after(500000000); /* or never: then it is shown by not ending */
    while (cm_load_relaxed_(&map->waiters.count) == waiters && cm_deadline_after(0) < end)
        sched_yield();
    cm_cell_unlock_(&map->marks.lock, cm_load_relaxed_(&map->marks.lock), &map->waiters);
    pthread_join(thread, NULL);
    assert_int_equal(nums_write(ending.map, ending.key, &guard), CM_OWNER_DIED);
    nums_write_unlock(&guard);
    go_on(&stalled);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_writes_goes_on_while_it_waits_for_a_guard),
        cmocka_unit_test(deadlines_and_own_guards_end_it_and_leave_nothing),
        cmocka_unit_test(writers_take_no_more_and_more_memory),
        cmocka_unit_test(the_table_grows_meanwhile),
        cmocka_unit_test(threads_that_end_and_threads_that_hold_get_out_of_each_others_way),
        cmocka_unit_test(a_thread_that_ends_waits_for_the_marks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
