/* What went wrong in other maps, as scenarios that this one must pass. The letters are those of the project's list of
 * cases. */
#include <concmap/sharded.h>
#include <pthread.h>
#include <stdlib.h>

#include "crew.h"
#include "failing_allocator.h"
#include "unit.h"

#define THREADS 8

struct pair {
    uint64_t a, b; /* always equal */
};

struct page {
    uint64_t words[32]; /* all equal; larger than a bucket holds */
};

static uint64_t same_hash(const uint64_t *key, uint64_t seed)
{
    (void)key, (void)seed;
    return 0;
}

static uint64_t neighbour_hash(const uint64_t *key, uint64_t seed)
{
    (void)seed;
    return *key % 64;
}

CM_SHARDED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_SHARDED_MAP(pairs, uint64_t, struct pair, cm_hash_u64, cm_equal_u64)
CM_SHARDED_MAP(pages, uint64_t, struct page, cm_hash_u64, cm_equal_u64)
CM_SHARDED_MAP(words, cm_str, uint64_t, cm_hash_str, cm_equal_str)
CM_SHARDED_MAP(neighbours, uint64_t, uint64_t, neighbour_hash, cm_equal_u64)
CM_SHARDED_MAP(twins, uint64_t, uint64_t, same_hash, cm_equal_u64)

static cm_status add_one(uint64_t *value, void *context)
{
    (void)context;
    ++*value;
    return CM_OK;
}

static void init(nums *map, size_t capacity)
{
    assert_int_equal(nums_init(map, &(cm_config){.capacity = capacity}), CM_OK);
}

static void finish(nums *map)
{
    const char *reason = NULL;
    assert_int_equal(nums_check(map, &reason), CM_OK);
    nums_destroy(map);
}

/* ---- E: lost, doubled, resurrected entries ---- */

struct race {
    nums map;
    uint64_t made; /* how often an initialiser ran */
    uint64_t taken;
    size_t rounds;
};

static cm_status make_counted(uint64_t *value, void *context)
{
    *value = __atomic_add_fetch((uint64_t *)context, 1, __ATOMIC_RELAXED);
    return CM_OK;
}

static size_t get_or_insert_all(void *context, unsigned i)
{
    (void)i;
    struct race *race = context;
    size_t wrong = 0;
    for (uint64_t key = 0; key < race->rounds; key++) {
        uint64_t first, second;
        wrong += nums_get_or_insert_with(&race->map, key, make_counted, &race->made, &first) < 0;
        wrong += !nums_get(&race->map, key, &second) || first != second;
    }
    return wrong;
}

static void E1_get_or_insert_keeps_one_value_and_runs_one_initialiser(void **state)
{
    (void)state;
    struct race race = {.rounds = crew_scale(20000)};
    init(&race.map, 0);
    assert_int_equal(crew_run(THREADS, get_or_insert_all, &race), 0);
    assert_int_equal(race.made, race.rounds);
    assert_int_equal(nums_len(&race.map), race.rounds);
    finish(&race.map);
}

static size_t count_up(void *context, unsigned i)
{
    struct race *race = context;
    size_t wrong = 0;
    for (size_t n = 0; n < race->rounds; n++) {
        uint64_t key = n % 3;
        nums_op op = {CM_OP_UPSERT, CM_OK, key, 1, add_one, NULL};
        if ((n + i) % 3 == 0)
            wrong += nums_upsert(&race->map, key, 1, add_one, NULL) < 0;
        else if ((n + i) % 3 == 1)
            nums_apply_many(&race->map, &op, 1);
        else if (nums_update(&race->map, key, add_one, NULL) == CM_ABSENT)
            wrong += nums_upsert(&race->map, key, 1, add_one, NULL) < 0;
    }
    return wrong;
}

static void E2_counters_are_exact(void **state)
{
    (void)state;
    struct race race = {.rounds = crew_scale(60000)};
    init(&race.map, 0);
    assert_int_equal(crew_run(THREADS, count_up, &race), 0);
    uint64_t sum = 0;
    CM_FOREACH (nums, &race.map, it)
        sum += it.value;
    assert_int_equal(sum, race.rounds * THREADS);
    finish(&race.map);
}

static size_t insert_own(void *context, unsigned i)
{
    struct race *race = context;
    size_t wrong = 0;
    for (uint64_t n = 0; n < race->rounds; n++)
        wrong += nums_insert(&race->map, n * THREADS + i, n) != CM_OK;
    for (uint64_t n = 0; n < race->rounds; n++)
        wrong += !nums_contains(&race->map, n * THREADS + i);
    return wrong;
}

static void E3_distinct_keys_of_eight_writers_are_all_there(void **state)
{
    (void)state;
    for (size_t capacity = 0; capacity <= 1; capacity++) {
        struct race race = {.rounds = crew_scale(80000)};
        init(&race.map, capacity);
        assert_int_equal(crew_run(THREADS, insert_own, &race), 0);
        assert_int_equal(nums_len(&race.map), race.rounds * THREADS);
        finish(&race.map);
    }
}

static size_t remove_all(void *context, unsigned i)
{
    (void)i;
    struct race *race = context;
    size_t taken = 0;
    for (uint64_t key = 0; key < race->rounds; key++)
        taken += nums_remove(&race->map, key, NULL) == CM_OK;
    __atomic_add_fetch(&race->taken, taken, __ATOMIC_RELAXED);
    return 0;
}

static void E4_one_of_two_removers_gets_the_entry(void **state)
{
    (void)state;
    struct race race = {.rounds = crew_scale(40000)};
    init(&race.map, 0);
    for (uint64_t key = 0; key < race.rounds; key++)
        nums_put(&race.map, key, key, NULL);
    crew_run(THREADS, remove_all, &race);
    assert_int_equal(race.taken, race.rounds);
    assert_int_equal(nums_len(&race.map), 0);
    finish(&race.map);
}

struct torn {
    pairs pairs;
    pages pages;
    words words;
    size_t rounds;
};

/* Even threads replace, remove and insert keys that share buckets; odd ones check that what they read belongs to its
 * key. */
static size_t exchange_or_read(void *context, unsigned i)
{
    struct torn *torn = context;
    uint64_t random = 0x9e3779b97f4a7c15u * (i + 1);
    size_t wrong = 0;
    for (size_t n = 0; n < torn->rounds; n++) {
        uint64_t key = crew_random(&random) % 24, mark = key << 32 | (n & 0xffffffff);
        char text[16];
        cm_str name = cm_str_from(text, (size_t)snprintf(text, sizeof text, "key%llu", (unsigned long long)key));
        if (i % 2 == 0 && crew_random(&random) % 2) {
            struct page page;
            for (size_t w = 0; w < 32; w++)
                page.words[w] = mark;
            pairs_put(&torn->pairs, key, (struct pair){mark, mark}, NULL);
            pages_put(&torn->pages, key, page, NULL);
            words_put(&torn->words, name, mark, NULL);
        } else if (i % 2 == 0) {
            pairs_remove(&torn->pairs, key, NULL);
            pages_remove(&torn->pages, key, NULL);
            words_remove(&torn->words, name, NULL);
        } else {
            struct pair pair;
            struct page page;
            uint64_t word;
            if (pairs_get(&torn->pairs, key, &pair))
                wrong += pair.a != pair.b || pair.a >> 32 != key;
            if (pages_get(&torn->pages, key, &page))
                wrong += page.words[0] != page.words[31] || page.words[0] >> 32 != key;
            if (words_get(&torn->words, name, &word))
                wrong += word >> 32 != key;
        }
    }
    return wrong;
}

static void E5_a_reader_never_sees_another_keys_value(void **state)
{
    (void)state;
    struct torn torn = {.rounds = crew_scale(100000)};
    assert_int_equal(pairs_init(&torn.pairs, &(cm_config){.capacity = 1}), CM_OK);
    assert_int_equal(pages_init(&torn.pages, &(cm_config){.capacity = 1}), CM_OK);
    assert_int_equal(words_init(&torn.words, &(cm_config){.capacity = 1}), CM_OK);
    assert_int_equal(crew_run(4, exchange_or_read, &torn), 0);
    pairs_destroy(&torn.pairs);
    pages_destroy(&torn.pages);
    words_destroy(&torn.words);
}

static size_t count_by_iteration(const nums *map)
{
    size_t count = 0;
    CM_FOREACH (nums, map, it)
        count++;
    return count;
}

static void E6_len_equals_what_iteration_visits(void **state)
{
    (void)state;
    nums map;
    init(&map, 0);
    for (uint64_t key = 0; key < 5000; key++) {
        nums_put(&map, key, key, NULL);
        if (key % 97 == 0)
            assert_int_equal(nums_len(&map), count_by_iteration(&map));
    }
    finish(&map);
}

static void E8_setting_again_counts_once_also_while_growing(void **state)
{
    (void)state;
    nums map;
    init(&map, 0);
    for (uint64_t key = 0; key < 20000; key++) {
        nums_put(&map, key, 0, NULL);
        uint64_t again = key / 2, value;
        assert_int_equal(nums_put(&map, again, key, NULL), CM_REPLACED);
        assert_true(nums_get(&map, again, &value));
        assert_int_equal(value, key);
        assert_int_equal(nums_len(&map), key + 1);
    }
    finish(&map);
}

static void E9_put_remove_put_leaves_one_of_each(void **state)
{
    (void)state;
    twins map;
    assert_int_equal(twins_init(&map, NULL), CM_OK);
    for (uint64_t round = 0; round < 20; round++) {
        for (uint64_t key = 0; key < 40; key++)
            twins_put(&map, key, round, NULL);
        for (uint64_t key = round % 3; key < 40; key += 3)
            assert_int_equal(twins_remove(&map, key, NULL), CM_OK);
        for (uint64_t key = 0; key < 40; key++)
            twins_put(&map, key, round, NULL);
        assert_int_equal(twins_len(&map), 40);
        assert_int_equal(twins_check(&map, NULL), CM_OK);
    }
    twins_destroy(&map);
}

/* An iteration beside writers that make the table grow: each key that stays is seen once. */
static size_t grow_others(void *context, unsigned i)
{
    struct race *race = context;
    size_t wrong = 0;
    if (i > 0) {
        for (uint64_t n = 0; n < race->rounds; n++)
            wrong += nums_insert(&race->map, (uint64_t)i << 32 | n, 0) != CM_OK;
        return wrong;
    }
    static unsigned char seen[1000];
    for (int round = 0; round < 5; round++) {
        memset(seen, 0, sizeof seen);
        CM_FOREACH (nums, &race->map, it)
            if (it.key < 1000)
                seen[it.key]++;
        for (size_t key = 0; key < 1000; key++)
            wrong += seen[key] != 1;
    }
    return wrong;
}

static void iteration_sees_each_key_once_while_the_table_grows(void **state)
{
    (void)state;
    struct race race = {.rounds = crew_scale(100000)};
    init(&race.map, 1);
    for (uint64_t key = 0; key < 1000; key++)
        nums_put(&race.map, key, 0, NULL);
    assert_int_equal(crew_run(3, grow_others, &race), 0);
    finish(&race.map);
}

/* ---- G: growth ---- */

static void G1_growth_that_fails_leaves_the_map_whole(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    nums map;
    assert_int_equal(nums_init(&map, &(cm_config){.allocator = &memory.allocator}), CM_OK);
    for (uint64_t key = 0; key < 1000; key++)
        nums_put(&map, key, key, NULL);
    memory.fail_from_bytes = 16384; /* no larger table */
    for (uint64_t key = 1000; key < 4000; key++)
        assert_int_equal(nums_put(&map, key, key, NULL), CM_OK);
    assert_true(memory.failures > 0);
    assert_int_equal(nums_check(&map, NULL), CM_OK);
    failing_allocator_restart(&memory);
    for (uint64_t key = 4000; key < 20000; key++)
        assert_int_equal(nums_put(&map, key, key, NULL), CM_OK);
    for (uint64_t key = 0; key < 20000; key++)
        assert_true(nums_contains(&map, key));
    assert_int_equal(nums_settle(&map), CM_OK);
    finish(&map);
    assert_int_equal(memory.live_blocks, 0);
    assert_int_equal(memory.mistakes, 0);
}

static size_t update_while_growing(void *context, unsigned i)
{
    struct race *race = context;
    size_t wrong = 0;
    for (uint64_t n = 0; n < race->rounds; n++) {
        wrong += nums_update(&race->map, n % 100, add_one, NULL) != CM_OK;
        wrong += nums_insert(&race->map, (uint64_t)(i + 1) << 32 | n, 0) != CM_OK;
    }
    return wrong;
}

static void G2_no_update_is_lost_while_its_bucket_moves(void **state)
{
    (void)state;
    struct race race = {.rounds = crew_scale(50000)};
    init(&race.map, 1);
    for (uint64_t key = 0; key < 100; key++)
        nums_put(&race.map, key, 0, NULL);
    assert_int_equal(crew_run(THREADS, update_while_growing, &race), 0);
    uint64_t sum = 0, value;
    for (uint64_t key = 0; key < 100; key++)
        sum += nums_get(&race.map, key, &value) ? value : 0;
    assert_int_equal(sum, race.rounds * THREADS);
    finish(&race.map);
}

static void G4_equal_hashes_end_in_bounded_memory(void **state)
{
    (void)state;
    size_t count = crew_scale(8000);
    twins map;
    assert_int_equal(twins_init(&map, NULL), CM_OK);
    for (uint64_t key = 0; key < count; key++)
        assert_int_equal(twins_put(&map, key, key, NULL), CM_OK);
    assert_int_equal(twins_settle(&map), CM_OK);
    assert_true(twins_memory(&map).total < count * 512 + 65536);
    uint64_t value;
    for (uint64_t key = 0; key < count; key += 7)
        assert_true(twins_get(&map, key, &value) && value == key);
    for (uint64_t key = 0; key < count; key++)
        assert_int_equal(twins_remove(&map, key, NULL), CM_OK);
    twins_destroy(&map);
}

/* All entries are in neighbouring buckets, so every bucket of a claim lacks overflow buckets; growth goes on, and asks
 * for no more than the longest chain. */
static void G4_growth_of_long_chains_asks_for_what_it_lacks(void **state)
{
    (void)state;
    neighbours map;
    assert_int_equal(neighbours_init(&map, &(cm_config){.capacity = 2048}), CM_OK);
    for (uint64_t key = 0; key < 10000; key++)
        assert_int_equal(neighbours_put(&map, key, key, NULL), CM_OK);
    assert_int_equal(neighbours_settle(&map), CM_OK);
    assert_true(neighbours_memory(&map).total < 2 << 20);
    const char *reason = NULL;
    assert_int_equal(neighbours_check(&map, &reason), CM_OK);
    neighbours_destroy(&map);
}

static void G5_a_map_is_destroyed_while_it_grows(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    for (uint64_t entries = 10; entries < 3000; entries += entries / 10) {
        words map;
        char text[400] = {0};
        assert_int_equal(words_init(&map, &(cm_config){.allocator = &memory.allocator}), CM_OK);
        for (uint64_t i = 0; i < entries; i++) {
            size_t len = (size_t)snprintf(text, sizeof text, "%llu", (unsigned long long)i);
            words_put(&map, cm_str_from(text, i % 5 ? len : 300), i, NULL);
        }
        words_destroy(&map);
        assert_int_equal(memory.live_blocks, 0);
        assert_int_equal(memory.mistakes, 0);
    }
}

/* ---- K, L, M: callbacks, lifetime, memory ---- */

static cm_status spoil_and_fail(uint64_t *value, void *context)
{
    (void)context;
    *value = 0xdead;
    return CM_INVALID;
}

static void K4_a_callback_that_fails_leaves_the_entry_and_no_lock(void **state)
{
    (void)state;
    nums map;
    uint64_t value;
    init(&map, 1);
    nums_put(&map, 1, 11, NULL);
    for (int round = 0; round < 100; round++) {
        assert_int_equal(nums_update(&map, 1, spoil_and_fail, NULL), CM_INVALID);
        assert_int_equal(nums_upsert(&map, 1, 5, spoil_and_fail, NULL), CM_INVALID);
        assert_int_equal(nums_get_or_insert_with(&map, 100 + (uint64_t)round, spoil_and_fail, NULL, NULL), CM_INVALID);
        assert_true(nums_get(&map, 1, &value) && value == 11);
        assert_int_equal(nums_len(&map), 1);
    }
    finish(&map);
}

static void L9_retired_nodes_and_tables_go_with_the_map(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    char text[512] = {0};
    for (int round = 0; round < 20; round++) {
        words map;
        assert_int_equal(words_init(&map, &(cm_config){.allocator = &memory.allocator}), CM_OK);
        for (int i = 0; i < 500; i++) {
            snprintf(text, sizeof text, "%d", i);
            cm_str key = cm_str_from(text, i % 2 ? 400 : 20);
            assert_int_equal(words_put(&map, key, 1, NULL), CM_OK);
            assert_int_equal(words_remove(&map, key, NULL), CM_OK);
        }
        words_destroy(&map);
        assert_int_equal(memory.live_blocks, 0);
        assert_int_equal(memory.mistakes, 0);
    }
}

static void settling_makes_removed_nodes_usable_again(void **state)
{
    (void)state;
    pages map;
    assert_int_equal(pages_init(&map, NULL), CM_OK);
    for (uint64_t key = 0; key < 1000; key++)
        pages_put(&map, key, (struct page){{key}}, NULL);
    for (uint64_t key = 0; key < 1000; key++)
        pages_remove(&map, key, NULL);
    assert_true(pages_memory(&map).waiting > 0);
    assert_int_equal(pages_settle(&map), CM_OK);
    assert_int_equal(pages_memory(&map).waiting, 0);
    pages_destroy(&map);
}

static void L10_blocks_aligned_to_eight_bytes_will_do(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    memory.misaligned = true;
    nums map;
    words texts;
    assert_int_equal(nums_init(&map, &(cm_config){.allocator = &memory.allocator}), CM_OK);
    assert_int_equal(words_init(&texts, &(cm_config){.allocator = &memory.allocator}), CM_OK);
    for (uint64_t key = 0; key < 3000; key++) {
        char text[32];
        snprintf(text, sizeof text, "%llu", (unsigned long long)key);
        assert_int_equal(nums_put(&map, key, key, NULL), CM_OK);
        assert_int_equal(words_put(&texts, cm_str_of(text), key, NULL), CM_OK);
    }
    assert_int_equal(words_check(&texts, NULL), CM_OK);
    words_destroy(&texts);
    finish(&map);
    assert_int_equal(memory.live_blocks, 0);
    assert_int_equal(memory.mistakes, 0);
}

/* A life of a map of texts in which every function that may allocate is called. Returns how many calls failed for lack
 * of memory. */
static size_t life(struct failing_allocator *memory, size_t fail_at)
{
    words map;
    char texts[120][300];
    size_t failed = 0, present = 0;
    bool there[120] = {false};
    failing_allocator_fail_at(memory, fail_at);
    if (words_init(&map, &(cm_config){.capacity = 2, .allocator = &memory->allocator}) != CM_OK) {
        assert_int_equal(words_init(&map, &(cm_config){.capacity = 2, .allocator = &memory->allocator}), CM_OK);
        failed++;
    }
    for (uint64_t i = 0; i < 120; i++) {
        snprintf(texts[i], sizeof texts[i], "%llu%*s", (unsigned long long)i, i % 3 ? 1 : 260, "");
        cm_str key = cm_str_of(texts[i]);
        cm_status status = i % 2 ? words_insert(&map, key, i) : words_upsert(&map, key, i, add_one, NULL);
        there[i] = status == CM_OK;
        failed += status == CM_NOMEM;
        present += there[i];
        assert_int_equal(words_len(&map), present);
    }
    failed += words_reserve(&map, 1000) == CM_NOMEM;
    size_t visited = 0;
    for (int round = 0; round < 2; round++) {
        words_iter it = words_iter_begin(&map);
        for (visited = 0; words_iter_next(&it); visited++)
            ;
        failed += it.status == CM_NOMEM;
        words_iter_end(&it);
        if (it.status == CM_OK)
            break;
    }
    assert_int_equal(visited, words_len(&map));
    assert_int_equal(words_check(&map, NULL), CM_OK);
    for (uint64_t i = 0; i < 120; i++) {
        uint64_t value;
        assert_int_equal(words_get(&map, cm_str_of(texts[i]), &value), there[i]); /* what was there is findable */
        if (!there[i])
            assert_int_equal(words_insert(&map, cm_str_of(texts[i]), i), CM_OK); /* a retry succeeds */
        assert_int_equal(words_remove(&map, cm_str_of(texts[i]), NULL), CM_OK);
    }
    assert_int_equal(words_len(&map), 0);
    words_destroy(&map);
    assert_int_equal(memory->live_blocks, 0);
    assert_int_equal(memory->mistakes, 0);
    return failed;
}

static void M1_every_allocation_may_fail(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    size_t failed = 0, n = 1;
    do
        failed += life(&memory, n++);
    while (memory.failures > 0);
    assert_true(n > 20);
    assert_true(failed > 5);
}

static void M2_sizes_of_all_kinds(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 3, 100, 1000, 65537};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        nums map;
        init(&map, sizes[i]);
        for (uint64_t key = 0; key < 300; key++)
            assert_int_equal(nums_put(&map, key, key, NULL), CM_OK);
        assert_int_equal(nums_reserve(&map, SIZE_MAX), CM_NOMEM);
        assert_int_equal(nums_reserve(&map, SIZE_MAX / 64), CM_NOMEM);
        assert_int_equal(nums_len(&map), 300);
        finish(&map);
    }
    nums map;
    assert_int_equal(nums_init(&map, &(cm_config){.capacity = SIZE_MAX}), CM_NOMEM);
    assert_int_equal(nums_init(&map, &(cm_config){.capacity = SIZE_MAX / 2}), CM_NOMEM);
    assert_int_equal(nums_init(NULL, NULL), CM_INVALID);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(E1_get_or_insert_keeps_one_value_and_runs_one_initialiser),
        cmocka_unit_test(E2_counters_are_exact),
        cmocka_unit_test(E3_distinct_keys_of_eight_writers_are_all_there),
        cmocka_unit_test(E4_one_of_two_removers_gets_the_entry),
        cmocka_unit_test(E5_a_reader_never_sees_another_keys_value),
        cmocka_unit_test(E6_len_equals_what_iteration_visits),
        cmocka_unit_test(E8_setting_again_counts_once_also_while_growing),
        cmocka_unit_test(E9_put_remove_put_leaves_one_of_each),
        cmocka_unit_test(iteration_sees_each_key_once_while_the_table_grows),
        cmocka_unit_test(G1_growth_that_fails_leaves_the_map_whole),
        cmocka_unit_test(G2_no_update_is_lost_while_its_bucket_moves),
        cmocka_unit_test(G4_equal_hashes_end_in_bounded_memory),
        cmocka_unit_test(G4_growth_of_long_chains_asks_for_what_it_lacks),
        cmocka_unit_test(G5_a_map_is_destroyed_while_it_grows),
        cmocka_unit_test(K4_a_callback_that_fails_leaves_the_entry_and_no_lock),
        cmocka_unit_test(L9_retired_nodes_and_tables_go_with_the_map),
        cmocka_unit_test(settling_makes_removed_nodes_usable_again),
        cmocka_unit_test(L10_blocks_aligned_to_eight_bytes_will_do),
        cmocka_unit_test(M1_every_allocation_may_fail),
        cmocka_unit_test(M2_sizes_of_all_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
