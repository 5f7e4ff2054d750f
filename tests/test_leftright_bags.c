/* The left-right multimap: that its work does not grow with a bag, what happens where memory ends for good, and writers
 * of many threads. */
#include <concmap/leftright_multimap.h>

#include "crew.h"
#include "failing_allocator.h"
#include "items.h"
#include "unit.h"

#define MANY 4000

static size_t comparisons;

static uint64_t item_hash(const struct item *item, uint64_t seed)
{
    return cm_hash_u64(item->own, seed);
}

static bool item_equal(const struct item *a, const struct item *b)
{
    comparisons++;
    return *a->own == *b->own;
}

CM_LEFTRIGHT_MULTIMAP_OWNED(items, uint64_t, struct item, cm_hash_u64, cm_equal_u64, item_hash, item_equal, CM_PLAIN,
                            CM_OWNED(item_clone, item_destroy))
CM_LEFTRIGHT_MULTIMAP(nums, uint64_t, uint32_t, cm_hash_u64, cm_equal_u64, cm_hash_u32, cm_equal_u32)

static items map;
static items_writer writer;
static items_reader reader;

static void begin(const cm_config *config)
{
    alive = 0;
    assert_int_equal(items_init(&map, config), CM_OK);
    assert_int_equal(items_writer_open(&map, &writer), CM_OK);
    assert_int_equal(items_reader_open(&map, &reader), CM_OK);
}

static void end(void)
{
    const char *reason = NULL;
    assert_int_equal(items_publish(&writer), CM_OK);
    assert_int_equal(items_begin(&writer), CM_OK);
    if (items_check(&map, &reason) != CM_OK)
        fail_msg("%s", reason);
    items_destroy(&map);
    assert_int_equal(alive, 0);
}

/* ---- steps ---- */

/* All sides of it: insertion, looking, removal and their replay. `different`: how many values are not equal. */
static void work_does_not_grow_with_the_bag(uint64_t different)
{
    struct item sought = item_of(0);
    begin(NULL);
    alive = 1;
    comparisons = 0;
    for (uint64_t i = 0; i < MANY; i++)
        assert_int_equal(items_insert(&writer, 1, item_of(i % different)), CM_OK);
    items_publish(&writer);
    CM_WITH_VIEW (items, &reader, view)
        for (uint64_t i = 0; i < MANY; i++) {
            *sought.own = i % different;
            assert_true(items_view_contains_value(view, 1, sought));
            *sought.own = MANY + i;
            assert_false(items_view_contains_value(view, 1, sought));
        }
    for (uint64_t i = 0; i < MANY; i++) {
        *sought.own = i * 7 % different;
        assert_int_equal(items_remove_value(&writer, 1, sought), CM_OK);
    }
    items_publish(&writer);
    assert_int_equal(items_begin(&writer), CM_OK);
    assert_true(comparisons < 40 * (size_t)MANY); /* bags that are searched: MANY * MANY at least */
    item_destroy(&sought, NULL);
    end();
}

static void a_value_is_found_among_many_in_a_step(void **state)
{
    (void)state;
    work_does_not_grow_with_the_bag(MANY);
}

static void so_it_is_among_equal_ones(void **state)
{
    (void)state;
    work_does_not_grow_with_the_bag(10);
}

/* ---- memory ---- */

static cm_status keep_odd(const uint64_t *key, const struct item *item, void *context)
{
    (void)key, (void)context;
    return *item->own % 2 ? CM_OK : CM_ABSENT;
}

static cm_status tell(const uint64_t *key, const struct item *values, size_t count, void *context)
{
    (void)key, (void)values, (void)count, (void)context;
    return CM_OK;
}

/* A change of each kind, for as long as there is memory; what was not taken over is ended. */
static cm_status change(unsigned what, uint64_t key, const struct item *sought, items_taken *taken)
{
    struct item own;
    cm_status status;
    switch (what % 12) {
    case 0:
    case 1:
    case 2:
    case 3:
        own = item_of(*sought->own);
        status = what % 12 ? items_insert(&writer, key, own) : items_update(&writer, key, own);
        if (status < 0)
            item_destroy(&own, NULL);
        return status;
    case 4:
        return items_remove_value(&writer, key, *sought);
    case 5:
        if (taken->map)
            return items_give_back(&writer, taken);
        return items_take_value(&writer, key, *sought, taken);
    case 6:
        return items_remove_entry(&writer, key);
    case 7:
        return items_clear_entry(&writer, key);
    case 8:
        return *sought->own % 8 ? items_fit(&writer, key) : items_fit_all(&writer);
    case 9:
        return items_reserve_values(&writer, key, *sought->own);
    case 10:
        return *sought->own % 4 ? items_retain(&writer, keep_odd, NULL) : items_purge(&writer);
    default:
        return items_remove_random(&writer, 1, *sought->own, tell, NULL);
    }
}

/* Rule 23: whatever was changed when memory ended for good is replayed all the same. */
static void replay_needs_no_memory_for_any_change(void **state)
{
    (void)state;
    uint64_t random = crew_seed("changes without memory");
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    for (size_t n = 5; n < 150; n++) {
        struct item sought;
        items_taken taken = {.map = 0};
        failing_allocator_restart(&memory);
        begin(&(cm_config){.allocator = &memory.allocator});
        sought = item_of(0);
        memory.fail_after = n;
        for (size_t step = 0; step < 400; step++) {
            uint64_t key = crew_random(&random) % 5;
            *sought.own = crew_random(&random) % 40;
            cm_status status = change((unsigned)(crew_random(&random) >> 32), key, &sought, &taken);
            assert_true(status >= 0 || status == CM_NOMEM);
            if (step % 40 == 39)
                assert_int_equal(items_publish(&writer), CM_OK);
        }
        memory.fail_all = true;
        for (int round = 0; round < 3; round++) {
            assert_int_equal(items_publish(&writer), CM_OK);
            assert_int_equal(items_begin(&writer), CM_OK);
        }
        memory.fail_all = false;
        memory.fail_after = 0;
        item_destroy(&sought, NULL);
        if (taken.map)
            assert_int_equal(items_give_back(&writer, &taken), CM_OK);
        end();
        assert_int_equal(memory.live_blocks, 0);
    }
}

/* Rooms are given back only after the log has its place. */
static void a_purge_without_memory_changes_nothing(void **state)
{
    (void)state;
    struct failing_allocator memory;
    cm_status status;
    size_t count = 0;
    failing_allocator_init(&memory);
    begin(&(cm_config){.allocator = &memory.allocator});
    for (uint64_t i = 0; i < 5; i++)
        assert_int_equal(items_insert(&writer, i ? 1 : 2, item_of(i)), CM_OK);
    memory.fail_all = true;
    while ((status = items_clear_entry(&writer, 2)) == CM_OK) /* takes no memory but of the log */
        ;
    assert_int_equal(status, CM_NOMEM);
    assert_int_equal(items_purge(&writer), CM_NOMEM);
    assert_int_equal(items_writer_count(&writer, 1, &count), CM_OK);
    assert_int_equal(count, 4);
    memory.fail_all = false;
    assert_int_equal(items_purge(&writer), CM_OK);
    end();
    assert_int_equal(memory.live_blocks, 0);
}

/* ---- many writers ---- */

static nums shared_map;
static nums_writer shared;

static size_t write_own_values(void *context, unsigned thread)
{
    nums_reader own;
    size_t wrong = nums_factory_open(context, &own) != CM_OK;
    for (uint32_t i = 0; i < crew_scale(3000); i++) {
        uint32_t value = 3 * i + thread; /* nobody else's */
        wrong += nums_insert(&shared, i % 2, value) != CM_OK;
        wrong += nums_insert(&shared, 9, 1) != CM_OK; /* everybody's */
        if (i >= 50)
            wrong += nums_remove_value(&shared, i % 2, value - 3 * 50) != CM_OK;
        if (i % 3 == thread)
            wrong += nums_publish(&shared) != CM_OK;
        wrong += !nums_writer_contains_value(&shared, i % 2, value);
        if (i % 64 == 0)
            CM_WITH_VIEW (nums, &own, view)
                CM_FOREACH (nums_view, view, it)
                    for (size_t n = 0; n < it.count; n++)
                        wrong += *it.key == 9 ? it.values[n] != 1 : it.values[n] / 3 % 2 != *it.key;
    }
    return wrong + (nums_reader_close(&own) != CM_OK);
}

static void a_shared_writer_is_for_many_threads(void **state)
{
    (void)state;
    const char *reason = NULL;
    size_t count = 0;
    assert_int_equal(nums_init(&shared_map, NULL), CM_OK);
    assert_int_equal(nums_writer_open_shared(&shared_map, &shared), CM_OK);
    nums_factory factory = nums_factory_of(&shared_map);
    assert_int_equal(crew_run(3, write_own_values, &factory), 0);
    assert_int_equal(nums_writer_count(&shared, 9, &count), CM_OK);
    assert_int_equal(count, 3 * crew_scale(3000));
    for (uint64_t key = 0; key < 2; key++) {
        assert_int_equal(nums_writer_count(&shared, key, &count), CM_OK);
        assert_int_equal(count, 3 * 25);
    }
    assert_int_equal(nums_publish(&shared), CM_OK);
    assert_int_equal(nums_begin(&shared), CM_OK);
    if (nums_check(&shared_map, &reason) != CM_OK)
        fail_msg("%s", reason);
    nums_destroy(&shared_map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_found_among_many_in_a_step),
        cmocka_unit_test(so_it_is_among_equal_ones),
        cmocka_unit_test(replay_needs_no_memory_for_any_change),
        cmocka_unit_test(a_purge_without_memory_changes_nothing),
        cmocka_unit_test(a_shared_writer_is_for_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
