/* What left-right maps tell of themselves: the table, memory, publications and readers. */
#include <concmap/leftright_multimap.h>
#include <pthread.h>
#include <time.h>

#include "unit.h"

/* All keys have one way through the table. */
static uint64_t same_hash(const uint64_t *key, uint64_t seed)
{
    (void)key, (void)seed;
    return 0;
}

CM_LEFTRIGHT_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_LEFTRIGHT_MAP(sames, uint64_t, uint64_t, same_hash, cm_equal_u64)
CM_LEFTRIGHT_MULTIMAP(bags, uint64_t, uint32_t, cm_hash_u64, cm_equal_u64, cm_hash_u32, cm_equal_u32)

static nums map;
static nums_writer writer;

static void begin(const cm_config *config)
{
    assert_int_equal(nums_init(&map, config), CM_OK);
    assert_int_equal(nums_writer_open(&map, &writer), CM_OK);
}

static cm_stats stats_of(void)
{
    cm_stats stats;
    nums_stats(&writer, &stats);
    return stats;
}

static void put_some(uint64_t first, uint64_t end)
{
    for (uint64_t key = first; key < end; key++)
        assert_true(nums_put(&writer, key, key, NULL) >= 0);
}

static size_t sum_of(const size_t depths[CM_STATS_DEPTH])
{
    size_t sum = 0;
    for (size_t i = 0; i < CM_STATS_DEPTH; i++)
        sum += depths[i];
    return sum;
}

static void an_empty_map_has_no_figures(void **state)
{
    (void)state;
    begin(NULL);
    cm_stats stats = stats_of();
    assert_int_equal(stats.entries + stats.capacity + stats.tables + stats.buckets + stats.grows, 0);
    assert_true(stats.load == 0);
    cm_publications figures = nums_publications(&writer);
    assert_int_equal(figures.published + figures.pending + figures.readers + figures.waits + figures.longest_wait, 0);
    nums_destroy(&map);
}

static void the_table_is_told_as_the_writer_has_it(void **state)
{
    (void)state;
    begin(NULL);
    put_some(0, 1000);
    cm_stats stats = stats_of();
    cm_memory memory = nums_memory(&writer);
    assert_int_equal(stats.entries, 1000);
    assert_int_equal(stats.slots, 15);
    assert_int_equal(stats.buckets, 128);
    assert_int_equal(stats.capacity, 128 * 13);
    assert_true(stats.load > 0.52 && stats.load < 0.53);
    assert_int_equal(sum_of(stats.probes), 1000);
    assert_int_equal(sum_of(stats.chains), 128);
    assert_int_equal(stats.overflow_buckets + stats.moves_pending, 0);
    assert_memory_equal(&stats.memory, &memory, sizeof memory);
    nums_destroy(&map);
}

static void look_ups_go_through_the_groups_that_are_told(void **state)
{
    (void)state;
    sames all;
    sames_writer write;
    cm_stats stats;
    assert_int_equal(sames_init(&all, &(cm_config){.capacity = 200}), CM_OK);
    assert_int_equal(sames_writer_open(&all, &write), CM_OK);
    for (uint64_t key = 0; key < 15 + 15 + 15 + 15 + 7; key++)
        assert_int_equal(sames_put(&write, key, key, NULL), CM_OK);
    sames_stats(&write, &stats);
    assert_int_equal(stats.buckets, 16);
    assert_int_equal(stats.empty_buckets, 11);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(stats.probes[i], 15);
    assert_int_equal(stats.probes[3], 15 + 7);
    assert_int_equal(stats.chains[0], 12); /* and the four that were passed lead on */
    sames_destroy(&all);
}

static void tables_that_come_and_go_are_counted(void **state)
{
    (void)state;
    begin(NULL);
    put_some(0, 3);
    assert_int_equal(stats_of().grows, 1);
    assert_int_equal(stats_of().tables, 2); /* its own, and one that waits for the other side */
    assert_true(stats_of().memory.waiting_tables > 0);
    nums_publish(&writer);
    assert_int_equal(nums_begin(&writer), CM_OK);
    assert_int_equal(stats_of().tables, 2); /* one on each side */
    assert_int_equal(stats_of().memory.waiting_tables, 0);
    put_some(3, 1000);
    uint64_t grows = stats_of().grows;
    assert_true(grows > 5 && stats_of().shrinks == 0);
    for (uint64_t key = 10; key < 1000; key++)
        assert_int_equal(nums_remove(&writer, key, NULL), CM_OK);
    assert_int_equal(nums_shrink_to_fit(&writer), CM_OK);
    assert_int_equal(stats_of().shrinks, 1);
    assert_int_equal(stats_of().grows, grows);
    assert_int_equal(stats_of().buckets, 1);
    nums_destroy(&map);
}

static void publications_and_what_is_pending_are_told(void **state)
{
    (void)state;
    begin(NULL);
    put_some(0, 10);
    assert_int_equal(nums_publications(&writer).pending, 10);
    assert_int_equal(nums_publications(&writer).published, 0);
    nums_publish(&writer);
    assert_int_equal(nums_publications(&writer).pending, 0); /* though they are still to be done to the other side */
    assert_int_equal(nums_publications(&writer).published, 1);
    assert_int_equal(nums_begin(&writer), CM_OK);
    assert_int_equal(nums_remove(&writer, 3, NULL), CM_OK);
    assert_int_equal(nums_remove(&writer, 3, NULL), CM_ABSENT);
    assert_int_equal(nums_publications(&writer).pending, 1);
    nums_publish(&writer);
    nums_publish(&writer);
    assert_int_equal(nums_publications(&writer).published, 2);
    nums_destroy(&map);
}

static void readers_are_counted_while_they_are_open(void **state)
{
    (void)state;
    nums_reader readers[100];
    begin(NULL);
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < 100; i++) {
            assert_int_equal(nums_reader_open(&map, &readers[i]), CM_OK);
            assert_int_equal(nums_publications(&writer).readers, i + 1);
        }
        for (size_t i = 0; i < 100; i++)
            assert_int_equal(nums_reader_close(&readers[i]), CM_OK);
        assert_int_equal(nums_publications(&writer).readers, 0);
    }
    nums_destroy(&map);
}

struct sitter {
    nums_reader reader;
    bool inside;
    bool may_leave;
};

static void *sit(void *context)
{
    struct sitter *sitter = context;
    nums_enter(&sitter->reader);
    __atomic_store_n(&sitter->inside, true, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&sitter->may_leave, __ATOMIC_ACQUIRE))
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    nums_leave(&sitter->reader);
    return NULL;
}

static void waits_for_readers_are_counted(void **state)
{
    (void)state;
    struct sitter sitter = {.inside = false};
    pthread_t thread;
    begin(NULL);
    assert_int_equal(nums_reader_open(&map, &sitter.reader), CM_OK);
    assert_int_equal(pthread_create(&thread, NULL, sit, &sitter), 0);
    while (!__atomic_load_n(&sitter.inside, __ATOMIC_ACQUIRE))
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    put_some(0, 1);
    nums_publish(&writer);
    assert_int_equal(nums_try_begin(&writer), CM_BUSY);
    assert_int_equal(nums_publications(&writer).waits, 0); /* it did not wait */
    uint64_t waits = 0; /* more than one where this thread loses its processor before it begins to wait */
    for (; waits < 100 && nums_publications(&writer).longest_wait < 1000000; waits++)
        assert_int_equal(nums_begin_until(&writer, cm_deadline_after(2000000)), CM_TIMEOUT);
    assert_int_equal(nums_publications(&writer).waits, waits);
    assert_true(nums_publications(&writer).longest_wait >= 1000000);
    __atomic_store_n(&sitter.may_leave, true, __ATOMIC_RELEASE);
    assert_int_equal(nums_begin(&writer), CM_OK);
    assert_true(nums_publications(&writer).waits <= waits + 1);
    pthread_join(thread, NULL);
    nums_destroy(&map);
}

static void a_multimap_tells_of_its_keys_and_rooms(void **state)
{
    (void)state;
    bags all;
    bags_writer write;
    cm_stats stats;
    assert_int_equal(bags_init(&all, NULL), CM_OK);
    assert_int_equal(bags_writer_open_shared(&all, &write), CM_OK);
    for (uint32_t value = 0; value < 100; value++)
        assert_int_equal(bags_insert(&write, value % 2, value), CM_OK);
    bags_stats(&write, &stats);
    assert_int_equal(stats.entries, 2);
    assert_true(stats.memory.nodes > 2 * 2 * 50 * sizeof(uint32_t));
    assert_int_equal(bags_publications(&write).pending, 100);
    assert_int_equal(bags_writer_lock(&write), CM_OK);
    bags_stats(&write, &stats);
    assert_int_equal(stats.entries, 2);
    bags_writer_unlock(&write);
    bags_destroy(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_map_has_no_figures),
        cmocka_unit_test(the_table_is_told_as_the_writer_has_it),
        cmocka_unit_test(look_ups_go_through_the_groups_that_are_told),
        cmocka_unit_test(tables_that_come_and_go_are_counted),
        cmocka_unit_test(publications_and_what_is_pending_are_told),
        cmocka_unit_test(readers_are_counted_while_they_are_open),
        cmocka_unit_test(waits_for_readers_are_counted),
        cmocka_unit_test(a_multimap_tells_of_its_keys_and_rooms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
