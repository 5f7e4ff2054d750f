/* What a map tells of itself: stats and memory. */
#include <concmap/cache.h>
#include <concmap/sharded_set.h>

#include "crew.h"
#include "failing_allocator.h"
#include "texts.h"
#include "unit.h"

/* The key chooses its bucket. */
static uint64_t direct_hash(const uint64_t *key, uint64_t seed)
{
    (void)seed;
    return *key;
}

struct page {
    uint64_t words[20];
};

CM_SHARDED_MAP(direct, uint64_t, uint64_t, direct_hash, cm_equal_u64)
CM_SHARDED_MAP(pages, uint64_t, struct page, direct_hash, cm_equal_u64)
CM_SHARDED_MAP(texts, cm_str, uint64_t, cm_hash_str, cm_equal_str)
CM_SHARDED_SET(numbers, uint64_t, direct_hash, cm_equal_u64)
CM_CACHE_MAP(cached, uint64_t, uint64_t, direct_hash, cm_equal_u64, cm_no_expiry, cm_no_weight, cm_no_eviction)

#define SLOTS 7 /* u64 to u64 */
#define PER_BUCKET 4

static size_t sum_of(const size_t depths[CM_STATS_DEPTH])
{
    size_t sum = 0;
    for (size_t i = 0; i < CM_STATS_DEPTH; i++)
        sum += depths[i];
    return sum;
}

static cm_stats direct_figures(const direct *map)
{
    cm_stats stats;
    direct_stats(map, &stats);
    return stats;
}

/* Fills keys first, first + step, ... */
static void direct_fill(direct *map, uint64_t first, uint64_t step, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        assert_true(direct_put(map, first + i * step, i, NULL) >= 0);
}

static void an_empty_map_has_no_figures(void **state)
{
    (void)state;
    static direct fixed_place = CM_MAP_INITIALIZER;
    direct map;
    assert_int_equal(direct_init(&map, NULL), CM_OK);
    const direct *maps[] = {&map, &fixed_place};
    for (size_t i = 0; i < 2; i++) {
        cm_stats stats = direct_figures(maps[i]);
        assert_int_equal(stats.tables, 0);
        assert_int_equal(stats.buckets, 0);
        assert_int_equal(stats.capacity, 0);
        assert_int_equal(stats.memory.total, 0);
        assert_true(stats.load == 0);
        assert_int_equal(stats.waits, 0);
    }
    direct_destroy(&map);
}

static void a_known_table_has_known_figures(void **state)
{
    (void)state;
    direct map;
    assert_int_equal(direct_init(&map, &(cm_config){.capacity = 16 * PER_BUCKET}), CM_OK);
    direct_fill(&map, 1, 1, 15); /* one in each bucket but the first */
    cm_stats stats = direct_figures(&map);
    assert_int_equal(stats.entries, 15);
    assert_int_equal(stats.capacity, 16 * PER_BUCKET);
    assert_true(stats.load == 15.0 / (16 * SLOTS));
    assert_int_equal(stats.tables, 1);
    assert_int_equal(stats.buckets, 16);
    assert_int_equal(stats.slots, SLOTS);
    assert_int_equal(stats.empty_buckets, 1);
    assert_int_equal(stats.overflow_buckets, 0);
    assert_int_equal(stats.chains[0], 16);
    assert_int_equal(stats.probes[0], 15);
    assert_int_equal(stats.moves_pending, 0);
    assert_int_equal(stats.grows + stats.shrinks, 0);
    direct_destroy(&map);
}

static void keys_that_collide_are_seen_in_chains(void **state)
{
    (void)state;
    direct map;
    assert_int_equal(direct_init(&map, &(cm_config){.capacity = 16 * PER_BUCKET}), CM_OK);
    direct_fill(&map, 0, 16, 30); /* five buckets in a row */
    direct_fill(&map, 1, 16, 1);
    cm_stats stats = direct_figures(&map);
    assert_int_equal(stats.entries, 31);
    assert_int_equal(stats.buckets, 16);
    assert_int_equal(stats.empty_buckets, 14);
    assert_int_equal(stats.overflow_buckets, 4);
    const size_t chains[] = {15, 0, 0, 1}, probes[] = {8, 7, 7, 9};
    assert_memory_equal(stats.chains, chains, sizeof chains);
    assert_memory_equal(stats.probes, probes, sizeof probes);
    for (uint64_t i = 0; i < 20; i++)
        assert_int_equal(direct_remove(&map, i * 16, NULL), CM_OK);
    stats = direct_figures(&map);
    assert_int_equal(stats.overflow_buckets, 1);
    assert_int_equal(stats.chains[1], 1);
    assert_int_equal(stats.probes[1], 3);
    direct_destroy(&map);
}

/* A write guard holds bucket 0, so that it cannot move; then what else can has moved. */
static void buckets_that_are_held_are_still_to_be_moved(void **state)
{
    (void)state;
    direct map;
    direct_write_guard guard;
    assert_int_equal(direct_init(&map, &(cm_config){.capacity = 16 * PER_BUCKET}), CM_OK);
    direct_fill(&map, 0, 16, 10); /* a chain of two, and it is held */
    assert_int_equal(direct_write(&map, 0, &guard), CM_OK);
    uint64_t key = 1;
    for (; direct_figures(&map).tables < 2; key++)
        assert_true(key % 16 == 0 || direct_put(&map, key, key, NULL) >= 0);
    cm_stats stats = direct_figures(&map);
    assert_int_equal(stats.grows, 1);
    assert_int_equal(stats.moves_pending, 16); /* whoever makes a table moves nothing */
    assert_int_equal(stats.buckets, 16);
    while (direct_figures(&map).moves_pending > 1)
        direct_step(&map, 4);
    stats = direct_figures(&map);
    assert_int_equal(stats.tables, 2);
    assert_int_equal(stats.buckets, 64 - 4 + 1); /* bucket 0 stands for four of the next table */
    assert_int_equal(stats.capacity, 64 * PER_BUCKET);
    assert_int_equal(stats.chains[1], 1);
    assert_int_equal(sum_of(stats.chains), stats.buckets);
    assert_int_equal(sum_of(stats.probes), stats.entries);
    assert_int_equal(stats.entries, direct_len(&map));
    direct_write_unlock(&guard);
    assert_int_equal(direct_settle(&map), CM_OK);
    stats = direct_figures(&map);
    assert_int_equal(stats.tables, 1);
    assert_int_equal(stats.moves_pending, 0);
    assert_int_equal(stats.buckets, 64);
    assert_int_equal(stats.grows, 1);
    direct_destroy(&map);
}

static void tables_that_grow_and_shrink_are_counted(void **state)
{
    (void)state;
    direct map;
    assert_int_equal(direct_init(&map, NULL), CM_OK);
    direct_fill(&map, 0, 1, 3000);
    assert_int_equal(direct_settle(&map), CM_OK);
    cm_stats stats = direct_figures(&map);
    assert_in_range(stats.grows, 3, 10);
    assert_int_equal(stats.shrinks, 0);
    for (uint64_t key = 10; key < 3000; key++)
        direct_remove(&map, key, NULL);
    assert_int_equal(direct_shrink_to_fit(&map), CM_OK);
    assert_true(direct_figures(&map).shrinks > 0);
    assert_int_equal(direct_figures(&map).grows, stats.grows);
    assert_int_equal(direct_figures(&map).buckets, 4);
    direct_destroy(&map);
}

static void a_fixed_map_has_the_capacity_that_it_was_given(void **state)
{
    (void)state;
    direct map;
    assert_int_equal(direct_init(&map, &(cm_config){.capacity = 100, .fixed = true}), CM_OK);
    assert_int_equal(direct_figures(&map).capacity, 100);
    direct_destroy(&map);
}

/* ---- other kinds ---- */

static void sets_and_caches_have_figures_too(void **state)
{
    (void)state;
    cm_stats stats;
    numbers set;
    assert_int_equal(numbers_init(&set, NULL), CM_OK);
    assert_int_equal(numbers_add(&set, 1), CM_OK);
    numbers_stats(&set, &stats);
    assert_int_equal(stats.entries, 1);
    assert_int_equal(stats.probes[0], 1);
    assert_int_equal(stats.memory.nodes, 0);
    numbers_destroy(&set);

    cached cache;
    assert_int_equal(cached_init(&cache, &(cm_config){.limit = 10}), CM_OK);
    for (uint64_t key = 0; key < 30; key++)
        assert_int_equal(cached_put(&cache, key, key, NULL), CM_OK);
    cached_stats(&cache, &stats);
    assert_int_equal(stats.entries, 10);
    assert_int_equal(sum_of(stats.probes), 10);
    assert_int_equal(stats.slots, 6);
    assert_true(stats.memory.nodes > 0);
    cached_destroy(&cache);
}

/* ---- memory ---- */

static void memory_is_what_the_allocator_gave(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    cm_config config = {.allocator = &memory.allocator};
    direct map;
    pages nodes;
    texts words;
    assert_int_equal(direct_init(&map, &config), CM_OK);
    direct_fill(&map, 0, 8, 3000);
    assert_int_equal(direct_memory(&map).total, memory.live_bytes);
    assert_int_equal(direct_memory(&map).nodes, 0);
    assert_true(direct_memory(&map).threads > 0);
    direct_destroy(&map);
    assert_int_equal(memory.live_bytes, 0);

    assert_int_equal(pages_init(&nodes, &config), CM_OK);
    for (uint64_t key = 0; key < 3000; key++)
        assert_int_equal(pages_put(&nodes, key, (struct page){{key}}, NULL), CM_OK);
    for (uint64_t key = 0; key < 500; key++)
        assert_int_equal(pages_remove(&nodes, key, NULL), CM_OK);
    cm_memory figures = pages_memory(&nodes);
    assert_int_equal(figures.total, memory.live_bytes);
    assert_true(figures.nodes >= 2500 * sizeof(struct page));
    assert_int_equal(figures.total, figures.table + figures.nodes + figures.waiting + figures.threads);
    pages_destroy(&nodes);

    assert_int_equal(texts_init(&words, &config), CM_OK);
    for (uint64_t i = 0; i < 3000; i++)
        assert_int_equal(texts_put(&words, text_of(i, 600), i, NULL), CM_OK);
    assert_int_equal(texts_memory(&words).total, memory.live_bytes);
    texts_destroy(&words);
    assert_int_equal(memory.live_blocks, 0);
}

static void what_waits_is_told_apart(void **state)
{
    (void)state;
    pages nodes;
    assert_int_equal(pages_init(&nodes, NULL), CM_OK);
    for (uint64_t key = 0; key < 300; key++)
        assert_int_equal(pages_put(&nodes, key, (struct page){{key}}, NULL), CM_OK);
    assert_int_equal(pages_settle(&nodes), CM_OK);
    assert_int_equal(pages_memory(&nodes).waiting, 0);
    struct cm_pin_ pin = cm_pin_enter_();
    assert_int_equal(pages_reserve(&nodes, 100000), CM_OK); /* the old table waits */
    cm_memory figures = pages_memory(&nodes);
    assert_true(figures.waiting_tables > 0);
    assert_int_equal(figures.waiting, figures.waiting_tables);
    for (uint64_t key = 0; key < 300; key++)
        assert_int_equal(pages_remove(&nodes, key, NULL), CM_OK);
    assert_true(pages_memory(&nodes).waiting - figures.waiting_tables >= 300 * sizeof(struct page));
    cm_pin_leave_(pin);
    pages_destroy(&nodes);
}

/* ---- while others write ---- */

#define WRITERS 3
#define BUSY_KEYS 4000

struct busy {
    direct map;
    uint32_t writing;
};

/* Everything that changes tables and chains; sooner or later with few entries, and long chains. */
static size_t write_busily(struct busy *busy, unsigned i)
{
    uint64_t random = i + 1;
    size_t wrong = 0;
    for (size_t n = crew_scale(300000); n > 0; n--) {
        uint64_t key = crew_random(&random) % BUSY_KEYS * 16;
        wrong += (n & 7 ? direct_put(&busy->map, key, key, NULL) : direct_remove(&busy->map, key, NULL)) < 0;
        if (n % 5000 == i)
            wrong += direct_clear(&busy->map) < 0;
        if (n % 7000 == i)
            direct_shrink_to_fit(&busy->map);
    }
    __atomic_fetch_sub(&busy->writing, 1, __ATOMIC_RELEASE);
    return wrong;
}

static size_t write_or_look(void *context, unsigned i)
{
    struct busy *busy = context;
    if (i > 0)
        return write_busily(busy, i);
    size_t wrong = 0;
    while (__atomic_load_n(&busy->writing, __ATOMIC_ACQUIRE) > 0) {
        cm_stats stats = direct_figures(&busy->map);
        wrong += sum_of(stats.chains) != stats.buckets;
        wrong += stats.moves_pending > 100 * BUSY_KEYS || stats.overflow_buckets > 100 * BUSY_KEYS;
    }
    return wrong;
}

static void figures_are_sane_while_others_write(void **state)
{
    (void)state;
    struct busy busy = {.writing = WRITERS};
    assert_int_equal(direct_init(&busy.map, &(cm_config){.shrink = true}), CM_OK);
    assert_int_equal(crew_run(1 + WRITERS, write_or_look, &busy), 0);
    assert_int_equal(direct_settle(&busy.map), CM_OK);
    cm_stats stats = direct_figures(&busy.map); /* exact again */
    assert_int_equal(stats.entries, direct_len(&busy.map));
    assert_int_equal(sum_of(stats.probes), stats.entries);
    direct_destroy(&busy.map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_map_has_no_figures),
        cmocka_unit_test(a_known_table_has_known_figures),
        cmocka_unit_test(keys_that_collide_are_seen_in_chains),
        cmocka_unit_test(buckets_that_are_held_are_still_to_be_moved),
        cmocka_unit_test(tables_that_grow_and_shrink_are_counted),
        cmocka_unit_test(a_fixed_map_has_the_capacity_that_it_was_given),
        cmocka_unit_test(sets_and_caches_have_figures_too),
        cmocka_unit_test(memory_is_what_the_allocator_gave),
        cmocka_unit_test(what_waits_is_told_apart),
        cmocka_unit_test(figures_are_sane_while_others_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
