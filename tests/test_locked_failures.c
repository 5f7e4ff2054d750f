/* The locked map: functions and allocations that fail, sizes, memory that waits, and the life of a process. */
#include <concmap/locked.h>
#include <concmap/sharded.h>
#include <sched.h>
#include <stdlib.h>

#include "boxes.h"
#include "crew.h"
#include "failing_allocator.h"
#include "process.h"
#include "shelf.h"
#include "texts.h"

CM_LOCKED_MAP_OWNED(boxes, struct box, struct box, box_hash, box_equal, CM_OWNED(box_clone, box_destroy),
                    CM_OWNED(box_clone, box_destroy))

CM_LOCKED_MAP(texts, cm_str, uint64_t, cm_hash_str, cm_equal_str)

static cm_status spoil(uint64_t *value, void *context)
{
    (void)context;
    *value = 999;
    return CM_IO;
}

static void a_function_that_fails_changes_nothing(void **state) /* K4 */
{
    (void)state;
    uint64_t value = 0;
    begin();
    assert_int_equal(nums_update(&shelf, 1, spoil, NULL), CM_IO);
    assert_int_equal(nums_upsert(&shelf, 1, 5, spoil, NULL), CM_IO);
    assert_int_equal(nums_get_or_insert_with(&shelf, 100, spoil, NULL, &value), CM_IO);
    assert_true(nums_get(&shelf, 1, &value));
    assert_int_equal(value, 1);
    assert_false(nums_contains(&shelf, 100));
    assert_int_equal(nums_update(&shelf, 1, count_up, NULL), CM_OK);
    end();
}

/* Returns whether all of it went well. */
static bool fill_some(texts *map)
{
    bool well = true;
    for (uint64_t i = 0; i < 300; i++) {
        texts_entry *entry;
        cm_status status = texts_acquire(map, text_of(i, 600), i, &entry);
        assert_true(status == CM_OK || status == CM_NOMEM);
        if (status == CM_OK)
            texts_entry_release(entry);
        well &= status == CM_OK;
    }
    cm_status status = texts_clear(map);
    assert_true(status == CM_OK || status == CM_NOMEM);
    return well && status == CM_OK;
}

static bool is_even(const uint64_t *value, void *context)
{
    (void)context;
    return *value % 2 == 0;
}

static void update_if_changes_what_meets_the_condition(void **state) /* K2, K4 */
{
    (void)state;
    uint64_t value = 0;
    begin();
    assert_int_equal(nums_update_if(&shelf, 4, is_even, count_up, NULL), CM_OK);
    assert_int_equal(nums_update_if(&shelf, 4, is_even, count_up, NULL), CM_EXISTS);
    assert_int_equal(nums_update_if(&shelf, 44, is_even, count_up, NULL), CM_ABSENT);
    assert_true(nums_get(&shelf, 4, &value) && value == 5);
    assert_int_equal(nums_update_if(&shelf, 6, is_even, spoil, NULL), CM_IO);
    assert_true(nums_get(&shelf, 6, &value) && value == 6);
    nums_entry *entry = entry_of(6);
    assert_non_null(nums_entry_lock(entry));
    assert_int_equal(nums_try_update_if(&shelf, 6, is_even, count_up, NULL), CM_DEADLOCK);
    assert_int_equal(nums_update_if_until(&shelf, 8, is_even, count_up, NULL, CM_FOREVER), CM_OK);
    nums_entry_unlock(entry);
    nums_entry_release(entry);
    end();
}

static void the_nth_allocation_fails(void **state) /* M1, L10, G1 */
{
    (void)state;
    bool well = false;
    for (size_t n = 1; !well || n < 5; n += n < 40 ? 1 : n / 8) {
        struct failing_allocator memory;
        failing_allocator_init(&memory);
        memory.misaligned = true;
        texts map;
        assert_int_equal(texts_init(&map, &(cm_config){.allocator = &memory.allocator}), CM_OK);
        failing_allocator_fail_at(&memory, n);
        well = fill_some(&map);
        failing_allocator_restart(&memory);
        assert_true(fill_some(&map)); /* a retry succeeds */
        assert_int_equal(texts_check(&map, NULL), CM_OK);
        texts_destroy(&map);
        assert_int_equal(memory.live_blocks, 0);
        assert_int_equal(memory.mistakes, 0);
    }
}

static void sizes_are_refused_or_work(void **state) /* M2, G3, G5 */
{
    (void)state;
    static const size_t capacities[] = {0, 1, 2, 1000, 4096};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(nums_init(&shelf, &(cm_config){.capacity = capacities[i], .shrink = true}), CM_OK);
        for (uint64_t k = 0; k < 3000; k++)
            assert_int_equal(nums_put(&shelf, k, k, NULL), CM_OK);
        for (uint64_t k = 10; k < 3000; k++)
            assert_int_equal(nums_remove(&shelf, k, NULL), CM_OK);
        assert_int_equal(nums_shrink_to_fit(&shelf), CM_OK);
        assert_int_equal(nums_len(&shelf), 10);
        for (uint64_t k = 10; k < 20000 && nums_insert(&shelf, k, k) == CM_OK; k++)
            ; /* destroyed amid growth, maybe */
        end();
    }
    assert_int_equal(nums_init(&shelf, &(cm_config){.capacity = SIZE_MAX}), CM_NOMEM);
    assert_int_equal(nums_init(&shelf, &(cm_config){.references = CM_DOMAIN}), CM_INVALID);
    assert_int_equal(nums_init(&shelf, &(cm_config){.limit = 10}), CM_OK);
    for (uint64_t k = 0; k < 10; k++)
        assert_int_equal(nums_insert(&shelf, k, k), CM_OK);
    assert_int_equal(nums_insert(&shelf, 10, 1), CM_FULL);
    assert_int_equal(nums_remove(&shelf, 1, NULL), CM_OK);
    assert_int_equal(nums_insert(&shelf, 10, 1), CM_OK);
    end();
}

/* ---- memory that waits ---- */

static pthread_barrier_t inside;

static cm_status stay(struct box *value, void *context)
{
    (void)value, (void)context;
    pthread_barrier_wait(&inside);
    pthread_barrier_wait(&inside);
    return CM_OK;
}

static void *stay_in_a_batch(void *map)
{
    struct box key = box_of(1);
    boxes_update_many(map, &key, 1, stay, NULL, NULL); /* a batch is pinned as long as it runs */
    box_destroy(&key, &all);
    return NULL;
}

static void fill_and_empty(boxes *map, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        struct box key = box_of(1000 + i);
        assert_int_equal(boxes_put(map, key, box_of(i), NULL), CM_OK);
        assert_int_equal(boxes_remove(map, key, NULL), CM_OK);
        box_destroy(&key, &all);
    }
}

/* While a thread is pinned the values of what is removed are destroyed all the same, for no look-up sees them; nodes
 * and keys wait, and that is told. What is used is kept, and holds nothing else up. */
static void L7_who_is_pinned_keeps_nodes_and_nothing_else(void **state)
{
    (void)state;
    uint64_t count = crew_scale(100000);
    cm_config owned = config();
    boxes map;
    boxes_entry *used;
    pthread_t thread;
    struct box key = box_of(1), other = box_of(2);
    assert_int_equal(boxes_init(&map, &owned), CM_OK);
    assert_int_equal(boxes_put(&map, key, box_of(1), NULL), CM_OK);
    assert_int_equal(boxes_acquire(&map, other, box_of(2), &used), CM_OK);
    assert_int_equal(boxes_remove(&map, other, NULL), CM_OK);
    pthread_barrier_init(&inside, NULL, 2);
    assert_int_equal(pthread_create(&thread, NULL, stay_in_a_batch, &map), 0);
    pthread_barrier_wait(&inside);
    size_t live = all.live;
    fill_and_empty(&map, count);
    assert_true(all.live <= live + count); /* their keys */
    assert_true(boxes_memory(&map).waiting >= count * sizeof(boxes_entry));
    assert_int_equal(boxes_settle(&map), CM_BUSY);
    pthread_barrier_wait(&inside);
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&inside);
    assert_int_equal(boxes_settle(&map), CM_OK);
    assert_int_equal(boxes_memory(&map).waiting, 0);
    assert_int_equal(all.live, live - 1); /* the thread's own key is gone, too */
    assert_int_equal(*boxes_entry_lock(used)->number, 2);
    boxes_entry_unlock(used);
    size_t nodes = boxes_memory(&map).nodes;
    fill_and_empty(&map, count);
    assert_true(boxes_memory(&map).nodes <= nodes); /* what was freed is used again */
    boxes_entry_release(used);
    box_destroy(&key, &all);
    box_destroy(&other, &all);
    boxes_destroy(&map);
    assert_int_equal(all.live, 0);
}

/* ---- the life of a process ---- */

static size_t come_and_go(void *context, unsigned thread)
{
    size_t wrong = 0;
    (void)context;
    for (uint64_t i = 0; i < crew_scale(30000); i++) {
        uint64_t key = i % 500 * 4 + thread, value = 0;
        nums_entry *entry;
        wrong += nums_acquire(&shelf, 1 + key, 0, &entry) != CM_OK;
        CM_WITH_ENTRY (nums, entry, g)
            *g.value = i;
        else
            wrong++;
        nums_entry_release(entry);
        wrong += !nums_get(&shelf, 1 + key, &value) || value != i;
        if (i % 3 == 0)
            wrong += nums_remove(&shelf, 1 + key, NULL) != CM_OK;
        wrong += nums_upsert(&shelf, 0, 1, count_up, NULL) < 0;
    }
    return wrong;
}

static int without_membarrier(void)
{
    uint64_t value = 0;
    cm_thread_get_();
    if (!(cm_load_relaxed_(&cm_domain_.epoch) & CM_EPOCH_FENCES_))
        return 2; /* it is not refused */
    if (nums_init(&shelf, NULL) != CM_OK || crew_run(4, come_and_go, NULL) != 0)
        return 1;
    bool well = nums_get(&shelf, 0, &value) && value == 4 * crew_scale(30000);
    well &= nums_settle(&shelf) == CM_OK && nums_check(&shelf, NULL) == CM_OK && nums_memory(&shelf).waiting == 0;
    nums_destroy(&shelf);
    return well ? 0 : 1;
}

static int M3_where_membarrier_is_refused_fences_serve(void)
{
    return begin_without_membarrier();
}

static boxes inherited;
static boxes_entry *used_before, *locked;

/* As whoever had them: the forking thread's uses and locks are the child's, too. */
static int use_and_destroy(void)
{
    struct box one = box_of(1), two = box_of(2), got;
    bool well = boxes_entry_unlock(locked) == CM_OK && boxes_update(&inherited, two, add_ten, NULL) == CM_OK;
    well &= boxes_get(&inherited, two, &got) && drop(got) == 12;
    well &= *boxes_entry_lock(used_before)->number == 1 && boxes_entry_unlock(used_before) == CM_OK;
    well &= !boxes_contains(&inherited, one);
    boxes_entry_release(used_before);
    boxes_entry_release(locked);
    for (uint64_t i = 10; i < 3000; i++) {
        struct box key = box_of(i);
        well &= boxes_put(&inherited, key, box_of(i), NULL) == CM_OK;
        well &= i % 2 || boxes_remove(&inherited, key, NULL) == CM_OK;
        box_destroy(&key, &all);
    }
    well &= boxes_check(&inherited, NULL) == CM_OK && boxes_settle(&inherited) == CM_OK;
    box_destroy(&one, &all);
    box_destroy(&two, &all);
    boxes_destroy(&inherited);
    return well && all.live == 0 ? 0 : 1;
}

static void M4_a_child_uses_and_destroys_a_map_that_nobody_else_was_in(void **state)
{
    (void)state;
    cm_config owned = config();
    struct box one = box_of(1), two = box_of(2);
    assert_int_equal(boxes_init(&inherited, &owned), CM_OK);
    assert_int_equal(boxes_acquire(&inherited, one, box_of(1), &used_before), CM_OK);
    assert_int_equal(boxes_acquire(&inherited, two, box_of(2), &locked), CM_OK);
    assert_int_equal(boxes_remove(&inherited, one, NULL), CM_OK);
    assert_non_null(boxes_entry_lock(locked));
    box_destroy(&one, &all);
    box_destroy(&two, &all);
    assert_int_equal(in_child(use_and_destroy), 0);
    assert_int_equal(use_and_destroy(), 0); /* and the parent has its own */
}

/* ---- owners that end ---- */

static int owner_is_in, may_end;

static cm_status end_amid(uint64_t *value, void *context)
{
    (void)value, (void)context;
    __atomic_store_n(&owner_is_in, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&may_end, __ATOMIC_ACQUIRE))
        sched_yield();
    pthread_exit(NULL);
}

static void *ends_amid(void *key)
{
    nums_update(&shelf, (uintptr_t)key, end_amid, NULL);
    return NULL;
}

static void *adds_seven(void *status)
{
    *(cm_status *)status = nums_upsert(&shelf, 7, 1000, count_up, NULL);
    return NULL;
}

static void who_waited_for_a_removed_entry_does_not_hear_of_its_owner(void **state)
{
    (void)state;
    pthread_t owner, waiter;
    cm_status status = CM_INVALID;
    uint64_t value = 0;
    begin();
    owner_is_in = may_end = 0;
    assert_int_equal(pthread_create(&owner, NULL, ends_amid, (void *)(uintptr_t)7), 0);
    while (!__atomic_load_n(&owner_is_in, __ATOMIC_ACQUIRE))
        sched_yield();
    assert_int_equal(pthread_create(&waiter, NULL, adds_seven, &status), 0);
    while (!__atomic_load_n(&shelf.core.waiters.count, __ATOMIC_RELAXED))
        sched_yield();
    assert_int_equal(nums_remove(&shelf, 7, NULL), CM_OK);
    __atomic_store_n(&may_end, 1, __ATOMIC_RELEASE);
    pthread_join(owner, NULL);
    pthread_join(waiter, NULL);
    assert_int_equal(status, CM_OK);
    assert_true(nums_get(&shelf, 7, &value));
    assert_int_equal(value, 1000);
    end();
}

/* Lets an owner die in every other entry, and removes those. */
static cm_status bury_the_others(const uint64_t *key, const uint64_t *value, void *done)
{
    (void)value;
    for (uint64_t i = 0; i < 10 && !*(bool *)done; i++) {
        if (i == *key)
            continue;
        in_thread(ends_amid, (void *)(uintptr_t)i);
        assert_int_equal(nums_remove(&shelf, i, NULL), CM_OK);
    }
    *(bool *)done = true;
    return CM_OK;
}

static void walks_pass_removed_entries_whose_owners_died(void **state)
{
    (void)state;
    bool done = false;
    may_end = 1;
    begin();
    assert_int_equal(nums_retain(&shelf, bury_the_others, &done), CM_OK);
    assert_int_equal(nums_len(&shelf), 1);
    end();
    begin();
    done = false;
    nums_iter it = nums_iter_begin(&shelf);
    assert_true(nums_iter_next_until(&it, CM_FOREVER));
    bury_the_others(&it.key, NULL, &done);
    assert_false(nums_iter_next_until(&it, CM_FOREVER));
    assert_int_equal(it.status, CM_OK);
    nums_iter_end(&it);
    end();
}

CM_SHARDED_MAP(plains, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)

struct two_maps {
    boxes boxes;
    plains plains;
};

/* What is held last takes the place of what the locked map's call has held. */
static void *ends_with_an_upgraded_guard(void *maps)
{
    struct two_maps *two = maps;
    struct box key = box_of(1);
    plains_read_guard guard;
    plains_write_guard upgraded;
    boxes_update(&two->boxes, key, add_ten, NULL);
    box_destroy(&key, &all);
    if (plains_read(&two->plains, 5, &guard) == CM_OK && plains_read_upgrade(&guard, 5, &upgraded) == CM_OK)
        *upgraded.value = 77;
    return NULL;
}

static void an_upgraded_guard_that_is_left_is_no_entry(void **state)
{
    (void)state;
    struct two_maps two;
    uint64_t value = 0;
    assert_int_equal(boxes_init(&two.boxes, &(cm_config){.context = &all}), CM_OK);
    assert_int_equal(plains_init(&two.plains, NULL), CM_OK);
    struct box key = box_of(1);
    assert_int_equal(boxes_put(&two.boxes, key, box_of(1), NULL), CM_OK);
    box_destroy(&key, &all);
    for (uint64_t i = 0; i < 20; i++)
        assert_int_equal(plains_put(&two.plains, i, i, NULL), CM_OK);
    in_thread(ends_with_an_upgraded_guard, &two);
    assert_true(plains_get(&two.plains, 5, &value));
    assert_int_equal(value, 77);
    plains_destroy(&two.plains);
    boxes_destroy(&two.boxes);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_function_that_fails_changes_nothing),
        cmocka_unit_test(update_if_changes_what_meets_the_condition),
        cmocka_unit_test(the_nth_allocation_fails),
        cmocka_unit_test(sizes_are_refused_or_work),
        cmocka_unit_test(who_waited_for_a_removed_entry_does_not_hear_of_its_owner),
        cmocka_unit_test(walks_pass_removed_entries_whose_owners_died),
        cmocka_unit_test(an_upgraded_guard_that_is_left_is_no_entry),
        cmocka_unit_test(L7_who_is_pinned_keeps_nodes_and_nothing_else),
        unit_test_in_child(M3_where_membarrier_is_refused_fences_serve),
        cmocka_unit_test(M4_a_child_uses_and_destroys_a_map_that_nobody_else_was_in),
    };
    if (argc == 2 && strcmp(argv[1], WITHOUT_MEMBARRIER) == 0)
        return without_membarrier();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
