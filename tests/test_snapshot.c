/* Snapshots: what is in them, and what becomes of them and of others while one is taken. That they are of one instant
 * is in test_snapshot_instant.c. */
#include <concmap/cache.h>
#include <concmap/sharded.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "crew.h"
#include "failing_allocator.h"
#include "texts.h"
#include "unit.h"

struct page {
    uint64_t words[32];
};

CM_SHARDED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_SHARDED_MAP(words, cm_str, struct page, cm_hash_str, cm_equal_str)

static uint64_t hash_few(const uint64_t *key, uint64_t seed)
{
    return cm_hash_u64(&(uint64_t){*key % 7}, seed);
}
CM_SHARDED_MAP(crowds, uint64_t, uint64_t, hash_few, cm_equal_u64)

static cm_status add_one(uint64_t *value, void *context)
{
    (void)context;
    ++*value;
    return CM_OK;
}

/* ---- what is in it ---- */

static void a_snapshot_has_all_entries_and_stays_as_it_is(void **state)
{
    (void)state;
    for (uint64_t keys = 0; keys < 20000; keys = keys * 3 + 1) {
        nums map;
        nums_snapshot snapshot;
        uint64_t seen = 0, sum = 0;
        assert_int_equal(nums_init(&map, NULL), CM_OK);
        for (uint64_t key = 0; key < keys; key++)
            assert_int_equal(nums_put(&map, key, key, NULL), CM_OK);
        assert_int_equal(nums_snapshot_take(&map, &snapshot), CM_OK);
        for (uint64_t key = 0; key < keys * 2; key++)
            assert_true(nums_put(&map, key, 1000000, NULL) >= 0);
        assert_int_equal(nums_snapshot_len(&snapshot), keys);
        CM_FOREACH (nums_snapshot, &snapshot, it) {
            assert_int_equal(it.key, it.value);
            seen++;
            sum += it.value;
        }
        assert_int_equal(seen, keys);
        assert_int_equal(sum, keys ? keys * (keys - 1) / 2 : 0);
        nums_snapshot_drop(&snapshot);
        nums_snapshot_drop(&snapshot);
        assert_int_equal(nums_settle(&map), CM_OK); /* no mark is left that would keep a bucket from moving */
        assert_int_equal(nums_check(&map, NULL), CM_OK);
        nums_destroy(&map);
    }
}

static void it_has_copies_of_texts_and_large_values(void **state)
{
    (void)state;
    enum { KEYS = 3000, LONGEST = 600 };
    words map;
    words_snapshot snapshot;
    static bool seen[KEYS];
    memset(seen, 0, sizeof seen);
    assert_int_equal(words_init(&map, NULL), CM_OK);
    for (uint64_t i = 0; i < KEYS; i++)
        assert_int_equal(words_put(&map, text_of(i, LONGEST), (struct page){.words = {i, [31] = i}}, NULL), CM_OK);
    assert_int_equal(words_snapshot_take(&map, &snapshot), CM_OK);
    assert_int_equal(words_clear(&map), CM_OK);
    assert_int_equal(words_settle(&map), CM_OK);
    assert_int_equal(words_snapshot_len(&snapshot), KEYS);
    CM_FOREACH (words_snapshot, &snapshot, it) {
        uint64_t i = it.value.words[0];
        cm_str text = text_of(i, LONGEST);
        assert_true(i < KEYS && !seen[i]);
        assert_true(cm_equal_str(&it.key, &text));
        assert_int_equal(it.value.words[31], i);
        seen[i] = true;
    }
    words_snapshot_drop(&snapshot);
    words_destroy(&map);
}

static void chains_are_copied_as_a_whole(void **state)
{
    (void)state;
    crowds map;
    crowds_snapshot snapshot;
    uint64_t sum = 0;
    assert_int_equal(crowds_init(&map, NULL), CM_OK);
    for (uint64_t key = 0; key < 500; key++)
        assert_int_equal(crowds_put(&map, key, key, NULL), CM_OK);
    assert_int_equal(crowds_snapshot_take(&map, &snapshot), CM_OK);
    CM_FOREACH (crowds_snapshot, &snapshot, it)
        sum += it.value;
    assert_int_equal(sum, 500 * 499 / 2);
    crowds_snapshot_drop(&snapshot);
    crowds_destroy(&map);
}

static void an_empty_map_has_an_empty_one(void **state)
{
    (void)state;
    static nums map = CM_MAP_INITIALIZER;
    nums_snapshot snapshot;
    assert_int_equal(nums_snapshot_take(&map, &snapshot), CM_OK);
    assert_int_equal(nums_snapshot_len(&snapshot), 0);
    CM_FOREACH (nums_snapshot, &snapshot, it)
        fail();
    nums_snapshot_drop(&snapshot);
    nums_destroy(&map);
}

/* ---- waiting ---- */

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

/* ---- failing ---- */

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

/* ---- while it waits for a guard ---- */

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

static void it_outlives_its_map(void **state)
{
    (void)state;
    nums map;
    nums_snapshot snapshot;
    uint64_t sum = 0;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    for (uint64_t key = 0; key < 100; key++)
        nums_put(&map, key, key, NULL);
    assert_int_equal(nums_snapshot_take(&map, &snapshot), CM_OK);
    nums_destroy(&map);
    memset(&map, 0xee, sizeof map);
    CM_FOREACH (nums_snapshot, &snapshot, it)
        sum += it.value;
    assert_int_equal(sum, 4950);
    nums_snapshot_drop(&snapshot);
}

/* ---- owned values, caches ---- */

static int64_t alive;

static uint64_t refuse_from = UINT64_MAX;

static cm_status box_clone(uint64_t **to, uint64_t *const *from, void *context)
{
    (void)context;
    if (**from >= refuse_from)
        return CM_INVALID;
    *to = malloc(sizeof **to);
    if (!*to)
        return CM_NOMEM;
    **to = **from;
    __atomic_add_fetch(&alive, 1, __ATOMIC_RELAXED);
    return CM_OK;
}

static void box_destroy(uint64_t **box, void *context)
{
    (void)context;
    free(*box);
    __atomic_sub_fetch(&alive, 1, __ATOMIC_RELAXED);
}

static uint64_t *box_of(uint64_t value)
{
    uint64_t *box = NULL, *given = &value;
    return box_clone(&box, &given, NULL) == CM_OK ? box : NULL;
}

CM_SHARDED_MAP_OWNED(boxes, uint64_t, uint64_t *, cm_hash_u64, cm_equal_u64, CM_PLAIN, CM_OWNED(box_clone, box_destroy))

struct boxed {
    boxes map;
    uint64_t stop;
    uint64_t snapshots;
};

static size_t replace_boxes(void *context, unsigned i)
{
    struct boxed *boxed = context;
    size_t wrong = 0;
    for (uint64_t n = 0; i == 0 && n < boxed->snapshots; n++) {
        boxes_snapshot snapshot;
        if (boxes_snapshot_take(&boxed->map, &snapshot) != CM_OK)
            return 1000;
        wrong += boxes_snapshot_len(&snapshot) != 500;
        CM_FOREACH (boxes_snapshot, &snapshot, it)
            wrong += *it.value / 1000 != it.key;
        boxes_snapshot_drop(&snapshot);
    }
    if (i == 0)
        __atomic_store_n(&boxed->stop, 1, __ATOMIC_RELAXED);
    for (uint64_t n = i; i && !__atomic_load_n(&boxed->stop, __ATOMIC_RELAXED); n++) {
        uint64_t key = n * 7919 % 500;
        wrong += boxes_put(&boxed->map, key, box_of(key * 1000 + n % 1000), NULL) != CM_REPLACED;
    }
    return wrong;
}

static void owned_values_are_cloned_and_each_clone_destroyed_once(void **state)
{
    (void)state;
    struct boxed boxed = {.snapshots = crew_scale(300)};
    boxes_snapshot snapshot;
    alive = 0;
    assert_int_equal(boxes_init(&boxed.map, NULL), CM_OK);
    for (uint64_t key = 0; key < 500; key++)
        assert_int_equal(boxes_put(&boxed.map, key, box_of(key * 1000), NULL), CM_OK);
    assert_int_equal(crew_run(3, replace_boxes, &boxed), 0);
    refuse_from = 400000;
    assert_int_equal(boxes_snapshot_take(&boxed.map, &snapshot), CM_INVALID);
    refuse_from = UINT64_MAX;
    assert_int_equal(alive, 500);
    boxes_destroy(&boxed.map);
    assert_int_equal(alive, 0);
}

static bool is_odd(const uint64_t *value, void *context)
{
    (void)context;
    return *value % 2;
}
CM_CACHE_MAP(caches, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64, is_odd, cm_no_weight, cm_no_eviction)

static size_t fill_cache(void *context, unsigned i)
{
    caches *map = context;
    size_t wrong = 0;
    for (size_t n = 0; n < crew_scale(i == 0 ? 300 : 30000); n++) {
        caches_snapshot snapshot;
        if (i > 0) {
            wrong += caches_put(map, n * (i + 1), n, NULL) < 0;
            continue;
        }
        wrong += caches_snapshot_take(map, &snapshot) != CM_OK || caches_snapshot_len(&snapshot) > 1000;
        CM_FOREACH (caches_snapshot, &snapshot, it)
            wrong += it.value % 2;
        caches_snapshot_drop(&snapshot);
    }
    return wrong;
}

static void caches_evict_while_one_is_taken(void **state)
{
    (void)state;
    caches map;
    assert_int_equal(caches_init(&map, &(cm_config){.limit = 1000}), CM_OK);
    assert_int_equal(crew_run(4, fill_cache, &map), 0);
    assert_int_equal(caches_check(&map, NULL), CM_OK);
    caches_destroy(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_snapshot_has_all_entries_and_stays_as_it_is),
        cmocka_unit_test(it_has_copies_of_texts_and_large_values),
        cmocka_unit_test(chains_are_copied_as_a_whole),
        cmocka_unit_test(an_empty_map_has_an_empty_one),
        cmocka_unit_test(who_writes_goes_on_while_it_waits_for_a_guard),
        cmocka_unit_test(deadlines_and_own_guards_end_it_and_leave_nothing),
        cmocka_unit_test(a_copy_that_lacks_memory_fails_it_and_no_writer),
        cmocka_unit_test(each_request_may_fail),
        cmocka_unit_test(writers_take_no_more_and_more_memory),
        cmocka_unit_test(the_table_grows_meanwhile),
        cmocka_unit_test(threads_that_end_and_threads_that_hold_get_out_of_each_others_way),
        cmocka_unit_test(a_thread_that_ends_waits_for_the_marks),
        cmocka_unit_test(it_outlives_its_map),
        cmocka_unit_test(owned_values_are_cloned_and_each_clone_destroyed_once),
        cmocka_unit_test(caches_evict_while_one_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
