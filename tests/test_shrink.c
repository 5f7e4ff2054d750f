/* Tables that become smaller: at once, by themselves, and under the eyes of readers, writers and walks. The names with
 * a letter and a number are cases of the project's list of bugs that other maps had. */
#include <concmap/sharded.h>
#include <pthread.h>
#include <sched.h>

#include "crew.h"
#include "failing_allocator.h"
#include "unit.h"

struct page {
    uint64_t words[32];
};

static uint64_t same_hash(const uint64_t *key, uint64_t seed)
{
    (void)key, (void)seed;
    return 0;
}

CM_SHARDED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_SHARDED_MAP(pages, uint64_t, struct page, cm_hash_u64, cm_equal_u64)
CM_SHARDED_MAP(words, cm_str, uint64_t, cm_hash_str, cm_equal_str)
CM_SHARDED_MAP(twins, uint64_t, uint64_t, same_hash, cm_equal_u64)

static void well(nums *map, size_t entries)
{
    const char *reason = NULL;
    if (nums_check(map, &reason) != CM_OK)
        fail_msg("%s", reason);
    assert_int_equal(nums_len(map), entries);
}

static void fill(nums *map, const cm_config *config, uint64_t keys)
{
    assert_int_equal(nums_init(map, config), CM_OK);
    for (uint64_t key = 0; key < keys; key++)
        assert_int_equal(nums_put(map, key, key, NULL), CM_OK);
}

static void G3_memory_falls_with_the_entries(void **state)
{
    (void)state;
    nums map;
    fill(&map, NULL, 100000);
    size_t full = nums_memory(&map).table;
    for (uint64_t key = 100; key < 100000; key++)
        assert_int_equal(nums_remove(&map, key, NULL), CM_OK);
    assert_int_equal(nums_shrink_to_fit(&map), CM_OK);
    assert_true(nums_memory(&map).table < full / 200);
    well(&map, 100);
    for (uint64_t key = 0; key < 100; key++)
        assert_true(nums_contains(&map, key));
    assert_int_equal(nums_clear(&map), CM_OK);
    assert_int_equal(nums_shrink_to_fit(&map), CM_OK);
    well(&map, 0);
    for (uint64_t key = 0; key < 10000; key++) /* and it grows again */
        assert_int_equal(nums_put(&map, key, key, NULL), CM_OK);
    well(&map, 10000);
    nums_destroy(&map);
}

static void G3_what_is_empty_or_nearly_full_stays(void **state)
{
    (void)state;
    nums map;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    assert_int_equal(nums_shrink_to_fit(&map), CM_OK);
    assert_int_equal(nums_memory(&map).table, 0);
    nums_destroy(&map);
    fill(&map, NULL, 5000);
    assert_int_equal(nums_shrink_to_fit(&map), CM_OK);
    size_t fits = nums_memory(&map).table;
    assert_int_equal(nums_shrink_to_fit(&map), CM_OK);
    assert_int_equal(nums_memory(&map).table, fits);
    well(&map, 5000);
    nums_destroy(&map);
}

static void other_kinds_of_entries_move_together(void **state)
{
    (void)state;
    pages large;
    words text;
    twins same;
    char key[24];
    uint64_t value;
    assert_int_equal(pages_init(&large, NULL), CM_OK);
    assert_int_equal(words_init(&text, NULL), CM_OK);
    assert_int_equal(twins_init(&same, &(cm_config){.capacity = 10000}), CM_OK);
    for (uint64_t n = 0; n < 3000; n++) {
        int length = snprintf(key, sizeof key, "the %u-th key", (unsigned)n);
        assert_int_equal(pages_put(&large, n, (struct page){{n}}, NULL), CM_OK);
        assert_int_equal(words_put(&text, (cm_str){key, (size_t)length}, n, NULL), CM_OK);
        assert_true(n >= 50 || twins_put(&same, n, n, NULL) == CM_OK);
    }
    for (uint64_t n = 100; n < 3000; n++) {
        int length = snprintf(key, sizeof key, "the %u-th key", (unsigned)n);
        assert_int_equal(pages_remove(&large, n, NULL), CM_OK);
        assert_int_equal(words_remove(&text, (cm_str){key, (size_t)length}, NULL), CM_OK);
    }
    assert_int_equal(pages_shrink_to_fit(&large), CM_OK);
    assert_int_equal(words_shrink_to_fit(&text), CM_OK);
    assert_int_equal(twins_shrink_to_fit(&same), CM_OK);
    for (uint64_t n = 0; n < 100; n++) {
        struct page page;
        int length = snprintf(key, sizeof key, "the %u-th key", (unsigned)n);
        assert_true(pages_get(&large, n, &page) && page.words[0] == n);
        assert_true(words_get(&text, (cm_str){key, (size_t)length}, &value) && value == n);
        assert_true(n >= 50 || (twins_get(&same, n, &value) && value == n));
    }
    assert_int_equal(pages_check(&large, NULL), CM_OK);
    assert_int_equal(words_check(&text, NULL), CM_OK);
    assert_int_equal(twins_check(&same, NULL), CM_OK);
    pages_destroy(&large);
    words_destroy(&text);
    twins_destroy(&same);
}

static void a_map_that_was_asked_to_shrinks_by_itself(void **state)
{
    (void)state;
    nums map;
    fill(&map, &(cm_config){.shrink = true}, 100000);
    assert_int_equal(nums_settle(&map), CM_OK);
    size_t full = nums_memory(&map).table;
    for (uint64_t key = 1000; key < 100000; key++)
        assert_int_equal(nums_remove(&map, key, NULL), CM_OK);
    assert_int_equal(nums_settle(&map), CM_OK);
    assert_true(nums_memory(&map).table <= full / 8);
    well(&map, 1000);
    nums_destroy(&map);
    fill(&map, NULL, 100000);
    full = nums_memory(&map).table;
    for (uint64_t key = 0; key < 100000; key++)
        assert_int_equal(nums_remove(&map, key, NULL), CM_OK);
    assert_true(nums_memory(&map).table >= full / 2); /* who did not ask keeps the table */
    nums_destroy(&map);
}

static void room_that_was_asked_for_stays(void **state)
{
    (void)state;
    nums map;
    fill(&map, &(cm_config){.shrink = true, .capacity = 100000}, 2000);
    assert_int_equal(nums_clear(&map), CM_OK);
    assert_int_equal(nums_settle(&map), CM_OK);
    size_t asked = nums_memory(&map).table;
    nums_destroy(&map);
    fill(&map, &(cm_config){.shrink = true}, 2000);
    assert_int_equal(nums_reserve(&map, 100000), CM_OK);
    for (uint64_t key = 0; key < 2000; key++)
        assert_int_equal(nums_remove(&map, key, NULL), CM_OK);
    assert_int_equal(nums_settle(&map), CM_OK);
    assert_true(nums_memory(&map).table >= asked);     /* or more, with overflow buckets */
    assert_int_equal(nums_shrink_to_fit(&map), CM_OK); /* until that is asked for */
    assert_true(nums_memory(&map).table < asked / 100);
    nums_destroy(&map);
}

/* The version of a bucket's word tells whether it was locked. */
static void a_held_bucket_does_not_make_others_lock_its_siblings(void **state)
{
    (void)state;
    nums map;
    nums_read_guard guard;
    fill(&map, &(cm_config){.capacity = 20000}, 1);
    struct cm_table_ *table = map.core.root;
    uint64_t units = (table->mask + 1) / 16, held = map.core.root->mask;
    uint64_t key = 1;
    while ((nums_hash_of_(&map, &key) & table->mask) < held - units / 2) /* the last of its siblings */
        key++;
    held = nums_hash_of_(&map, &key) & table->mask;
    assert_int_equal(nums_put(&map, key, 1, NULL), CM_OK);
    assert_int_equal(nums_read(&map, key, &guard), CM_OK);
    assert_int_equal(nums_shrink_to_fit(&map), CM_BUSY);
    uint64_t *sibling = cm_bucket_state_(cm_table_bucket_(table, cm_layout_of_(&nums_type_), held % units));
    uint64_t before = *sibling;
    for (uint64_t n = 0; n < 1000; n++)
        assert_int_equal(nums_put(&map, 0, n, NULL), CM_REPLACED);
    assert_int_equal(*sibling, before);
    assert_int_equal(nums_read_unlock(&guard), CM_OK);
    assert_int_equal(nums_shrink_to_fit(&map), CM_OK);
    well(&map, 2);
    nums_destroy(&map);
}

static void a_table_that_cannot_be_had_changes_nothing(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    nums map;
    fill(&map, &(cm_config){.allocator = &memory.allocator}, 20000);
    for (uint64_t key = 100; key < 20000; key++)
        assert_int_equal(nums_remove(&map, key, NULL), CM_OK);
    assert_int_equal(nums_settle(&map), CM_OK);
    bool done = false;
    for (size_t n = 1; !done; n++) {
        failing_allocator_fail_at(&memory, n);
        cm_status status = nums_shrink_to_fit(&map);
        done = memory.failures == 0;
        assert_true(status == CM_OK || (status == CM_NOMEM && !done));
        failing_allocator_restart(&memory);
        well(&map, 100);
    }
    nums_destroy(&map);
    assert_int_equal(memory.live_blocks, 0);
    assert_int_equal(memory.mistakes, 0);
}

struct held {
    nums map;
    uint32_t step;
};

static size_t hold_until_told(void *context, unsigned i)
{
    struct held *held = context;
    nums_write_guard guard;
    if (i == 1) {
        while (!__atomic_load_n(&held->step, __ATOMIC_ACQUIRE))
            sched_yield();
        size_t wrong = nums_shrink_to_fit(&held->map) != CM_BUSY;
        for (uint64_t key = 0; key < 50; key++) /* others are found, but for those of the very bucket */
            wrong += nums_try_get(&held->map, key, NULL) == CM_ABSENT;
        __atomic_store_n(&held->step, 2, __ATOMIC_RELEASE);
        return wrong;
    }
    size_t wrong = nums_write(&held->map, 7, &guard) != CM_OK;
    __atomic_store_n(&held->step, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&held->step, __ATOMIC_ACQUIRE) != 2)
        sched_yield();
    ++*guard.value;
    return wrong + (nums_write_unlock(&guard) != CM_OK);
}

static void a_held_bucket_delays_only_its_own_group(void **state)
{
    (void)state;
    struct held held = {.step = 0};
    uint64_t value;
    fill(&held.map, NULL, 20000);
    for (uint64_t key = 50; key < 20000; key++)
        assert_int_equal(nums_remove(&held.map, key, NULL), CM_OK);
    assert_int_equal(crew_run(2, hold_until_told, &held), 0);
    assert_true(nums_get(&held.map, 7, &value) && value == 8);
    assert_int_equal(nums_shrink_to_fit(&held.map), CM_OK);
    well(&held.map, 50);
    nums_destroy(&held.map);
}

/* ---- many threads ---- */

#define STAY 200 /* keys that are there from beginning to end, with their own number as value */

struct tide {
    nums map;
    size_t rounds;
    uint32_t ended;
};

/* Lets the map grow and shrink. */
static size_t tide_rise_and_fall(struct tide *tide)
{
    size_t wrong = 0;
    for (size_t round = 0; round < tide->rounds; round++) {
        for (uint64_t key = STAY; key < 3000; key++)
            wrong += nums_insert(&tide->map, key, key) != CM_OK;
        for (uint64_t key = STAY; key < 3000; key++)
            wrong += nums_remove(&tide->map, key, NULL) != CM_OK;
        cm_status status = nums_shrink_to_fit(&tide->map);
        wrong += status != CM_OK && status != CM_BUSY;
    }
    __atomic_store_n(&tide->ended, 1, __ATOMIC_RELEASE);
    return wrong;
}

static size_t tide_look(struct tide *tide)
{
    size_t wrong = 0;
    uint64_t value;
    while (!__atomic_load_n(&tide->ended, __ATOMIC_ACQUIRE))
        for (uint64_t key = 0; key < STAY; key++)
            wrong += !nums_get(&tide->map, key, &value) || value < key;
    return wrong;
}

static cm_status add_thousand(uint64_t *value, void *context)
{
    (void)context;
    *value += 1000;
    return CM_OK;
}

static size_t tide_write(struct tide *tide)
{
    size_t wrong = 0;
    for (size_t round = 0; !__atomic_load_n(&tide->ended, __ATOMIC_ACQUIRE) || round < 10; round++)
        for (uint64_t key = 0; key < STAY; key++)
            wrong += nums_update(&tide->map, key, add_thousand, &round) != CM_OK;
    return wrong;
}

static size_t tide_walk(struct tide *tide)
{
    size_t wrong = 0;
    while (!__atomic_load_n(&tide->ended, __ATOMIC_ACQUIRE)) {
        unsigned char seen[STAY] = {0};
        CM_FOREACH (nums, &tide->map, it) {
            if (it.key < STAY)
                seen[it.key]++;
        }
        for (size_t key = 0; key < STAY; key++)
            wrong += seen[key] != 1;
    }
    return wrong;
}

static size_t tide_work(void *context, unsigned i)
{
    static size_t (*const works[])(struct tide *) = {tide_rise_and_fall, tide_look, tide_write, tide_walk};
    return works[i](context);
}

static void G3_nobody_misses_a_key_that_stays(void **state)
{
    (void)state;
    struct tide tide = {.rounds = crew_scale(300)};
    fill(&tide.map, NULL, STAY);
    assert_int_equal(crew_run(4, tide_work, &tide), 0);
    well(&tide.map, STAY);
    nums_destroy(&tide.map);
}

/* At each step of the walk: five doublings of the table, or three. */
#define LOW UINT64_C(1000)
#define HIGH (uint64_t)(CREW_SLOW ? 3000 : 9000)

/* A walk that stands still at each entry, while the table under it grows and shrinks as far as it can. */
static void a_walk_sees_each_key_once_whatever_the_table_does(void **state)
{
    (void)state;
    for (unsigned every = 1; every < 8; every++) {
        nums map;
        unsigned char seen[STAY] = {0};
        uint64_t more = LOW, steps = 0;
        fill(&map, NULL, STAY);
        CM_FOREACH (nums, &map, it) {
            if (it.key < STAY)
                seen[it.key]++;
            if (++steps % every)
                continue;
            if (more == LOW) {
                for (; more < HIGH; more++)
                    assert_int_equal(nums_put(&map, more, more, NULL), CM_OK);
                assert_int_equal(nums_settle(&map), CM_OK);
            } else {
                for (; more > LOW; more--)
                    assert_int_equal(nums_remove(&map, more - 1, NULL), CM_OK);
                assert_int_equal(nums_shrink_to_fit(&map), CM_OK);
            }
        }
        for (size_t key = 0; key < STAY; key++)
            assert_int_equal(seen[key], 1);
        nums_destroy(&map);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(G3_memory_falls_with_the_entries),
        cmocka_unit_test(G3_what_is_empty_or_nearly_full_stays),
        cmocka_unit_test(other_kinds_of_entries_move_together),
        cmocka_unit_test(a_map_that_was_asked_to_shrinks_by_itself),
        cmocka_unit_test(room_that_was_asked_for_stays),
        cmocka_unit_test(a_held_bucket_does_not_make_others_lock_its_siblings),
        cmocka_unit_test(a_table_that_cannot_be_had_changes_nothing),
        cmocka_unit_test(a_held_bucket_delays_only_its_own_group),
        cmocka_unit_test(G3_nobody_misses_a_key_that_stays),
        cmocka_unit_test(a_walk_sees_each_key_once_whatever_the_table_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
