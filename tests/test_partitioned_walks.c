/* The partitioned map as a whole: walks over copies of its partitions, figures, and text. */
#include <concmap/partitioned.h>
#include <concmap/printed.h>
#include <stdlib.h>

#include "crew.h"
#include "failing_allocator.h"
#include "names.h"
#include "partitions.h"
#include "texts.h"

CM_PARTITIONED_MAP(texts, cm_str, uint64_t, cm_hash_str, cm_equal_str)
CM_PARTITIONED_MAP_OWNED(owners, struct name, struct name, name_hash, name_equal, CM_OWNED(name_clone, name_destroy),
                         CM_OWNED(name_clone, name_destroy))
CM_PRINTED_PARTITIONED(nums, cm_print_u64, cm_print_u64)
CM_PRINTED_PARTITIONED(texts, cm_print_str, cm_print_u64)

/* ---- walks ---- */

static size_t walk_all(void)
{
    static unsigned char seen[300];
    size_t visits = 0;
    memset(seen, 0, sizeof seen);
    CM_FOREACH (nums, &divided, it) {
        if (it.key >= sizeof seen || it.value != it.key || seen[it.key]++)
            return 0;
        visits++;
    }
    return visits;
}

static void *walk(void *visits)
{
    *(size_t *)visits = walk_all();
    return NULL;
}

static void a_walk_visits_each_once(void **state) /* K3, E6 */
{
    (void)state;
    for (int polled = 0; polled < 2; polled++) {
        begin((cm_partition_config){.partitions = 3, .polled = polled});
        if (polled)
            own(3);
        assert_int_equal(walk_all(), 0);
        for (uint64_t i = 0; i < 300; i++)
            assert_int_equal(nums_put(&divided, i, i, NULL), CM_OK);
        assert_int_equal(walk_all(), 300);
        end();
    }
}

static void any_call_is_allowed_amid_a_walk(void **state)
{
    (void)state;
    size_t visits = 0;
    begin((cm_partition_config){.partitions = 3});
    for (uint64_t i = 0; i < 300; i++)
        assert_int_equal(nums_put(&divided, i, i, NULL), CM_OK);
    CM_FOREACH (nums, &divided, it) {
        visits++;
        assert_int_equal(it.value, it.key); /* the copy's, whatever becomes of the map */
        assert_int_equal(nums_remove(&divided, it.key, NULL), CM_OK);
        assert_int_equal(nums_put(&divided, it.key + 3000, 0, NULL), CM_OK); /* of the same partition */
    }
    assert_int_equal(visits, 300);
    CM_FOREACH (nums, &divided, it)
        break;
    assert_int_equal(nums_len(&divided), 300);
    end();
}

/* The values of one partition are always alike when its owner is asked. */
static cm_status step_all(nums_plain *own_map, const uint64_t *key, void *context)
{
    (void)key, (void)context;
    CM_FOREACH (nums_plain_place, own_map, it)
        ++*it.value;
    return CM_OK;
}

static size_t step_or_walk(void *context, unsigned thread)
{
    size_t wrong = 0;
    (void)context;
    for (size_t i = crew_scale(thread ? 50 : 500); i > 0; i--) {
        uint64_t first[2] = {UINT64_MAX, UINT64_MAX};
        if (thread == 0) {
            wrong += nums_apply(&divided, i % 2, step_all, NULL) != CM_OK;
            continue;
        }
        CM_FOREACH (nums, &divided, it) {
            uint64_t *all_of = &first[it.key % 2];
            *all_of = *all_of == UINT64_MAX ? it.value : *all_of;
            wrong += it.value != *all_of;
        }
    }
    return wrong;
}

static void what_a_walk_sees_of_a_partition_is_of_one_instant(void **state)
{
    (void)state;
    begin((cm_partition_config){.partitions = 2});
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(nums_put(&divided, i, 0, NULL), CM_OK);
    assert_int_equal(crew_run(3, step_or_walk, NULL), 0);
    end();
}

static void a_walk_that_may_not_wait_goes_on_later(void **state) /* K7 */
{
    (void)state;
    begin((cm_partition_config){.partitions = 2, .polled = true});
    own(2);
    for (uint64_t i = 0; i < 10; i++)
        assert_int_equal(nums_put(&divided, i, i, NULL), CM_OK);
    leave(2);
    nums_iter iter = nums_iter_begin(&divided);
    assert_false(nums_try_iter_next(&iter));
    assert_int_equal(iter.status, CM_BUSY);
    assert_false(nums_iter_next_until(&iter, cm_deadline_after(MS)));
    assert_int_equal(iter.status, CM_TIMEOUT);
    own(2);
    size_t visits = 0;
    while (nums_try_iter_next(&iter))
        visits++;
    assert_int_equal(iter.status, CM_OK);
    assert_int_equal(visits, 10);
    nums_iter_end(&iter);
    end();
}

static void a_walk_owns_what_it_shows(void **state)
{
    (void)state;
    owners all;
    size_t visits = 0;
    names_alive = 0;
    assert_int_equal(owners_open(&all, &(cm_partition_config){.partitions = 3}), CM_OK);
    for (uint64_t i = 0; i < 100; i++) {
        __atomic_add_fetch(&names_alive, 1, __ATOMIC_RELAXED);
        assert_int_equal(owners_put(&all, (struct name){i, "key"}, (struct name){i, "value"}, NULL), CM_OK);
    }
    assert_int_equal(names_alive, 200);
    CM_FOREACH (owners, &all, it) {
        assert_int_equal(owners_remove(&all, it.key, NULL), CM_OK);
        assert_int_equal(it.value.number, it.key.number);
        if (++visits == 50)
            break;
    }
    assert_int_equal(names_alive, 100);
    owners_destroy(&all);
    assert_int_equal(names_alive, 0);
}

static int64_t clones_left; /* and then one ends its thread */

static inline cm_status name_clone_or_end(struct name *to, const struct name *from, void *context)
{
    if (clones_left-- == 0)
        pthread_exit(NULL);
    return name_clone(to, from, context);
}

CM_PARTITIONED_MAP_OWNED(enders, uint64_t, struct name, cm_hash_u64, cm_equal_u64, CM_PLAIN,
                         CM_OWNED(name_clone_or_end, name_destroy))

static void a_copy_whose_clone_ends_its_thread_is_not_lost(void **state) /* L8, L9 */
{
    (void)state;
    enders all;
    size_t visits = 0;
    names_alive = 0;
    assert_int_equal(enders_open(&all, &(cm_partition_config){.partitions = 2}), CM_OK);
    for (uint64_t i = 0; i < 100; i++) {
        __atomic_add_fetch(&names_alive, 1, __ATOMIC_RELAXED);
        assert_int_equal(enders_put(&all, i, (struct name){i, "value"}, NULL), CM_OK);
    }
    clones_left = 20;
    enders_iter iter = enders_iter_begin(&all);
    assert_false(enders_iter_next(&iter));
    assert_int_equal(iter.status, CM_OWNER_DIED);
    assert_int_equal(names_alive, 100);
    while (enders_iter_next(&iter)) /* it can go on */
        visits++;
    assert_int_equal(iter.status, CM_OK);
    enders_iter_end(&iter);
    assert_int_equal(visits, 100);
    enders_destroy(&all);
    assert_int_equal(names_alive, 0);
}

static void a_map_that_is_shut_down_is_looked_at_still(void **state)
{
    (void)state;
    for (int polled = 0; polled < 2; polled++) {
        cm_stats stats;
        size_t visits = 0;
        begin((cm_partition_config){.partitions = 2, .polled = polled});
        if (polled)
            own(2);
        for (uint64_t i = 0; i < 20; i++)
            assert_int_equal(nums_put(&divided, i, i, NULL), CM_OK);
        assert_int_equal(nums_shutdown(&divided, CM_SHUTDOWN_DRAIN, NULL), CM_OK);
        in_thread(walk, &visits);
        assert_int_equal(visits, 20);
        assert_int_equal(nums_stats(&divided, &stats), CM_OK);
        assert_int_equal(stats.entries, 20);
        assert_int_equal(nums_clear(&divided), CM_CLOSED);
        end();
    }
}

static pthread_barrier_t both;

static void *own_for_a_while(void *context)
{
    own(2);
    pthread_barrier_wait(&both);
    pthread_barrier_wait(&both);
    leave(2);
    return context;
}

/* Its owners may still be amid a message. */
static void a_map_that_is_not_shut_down_yet_is_closed(void **state)
{
    (void)state;
    pthread_t thread;
    cm_stats stats;
    begin((cm_partition_config){.partitions = 2, .polled = true});
    pthread_barrier_init(&both, NULL, 2);
    assert_int_equal(pthread_create(&thread, NULL, own_for_a_while, NULL), 0);
    pthread_barrier_wait(&both);
    assert_int_equal(nums_try_shutdown(&divided, CM_SHUTDOWN_DRAIN, NULL), CM_BUSY);
    nums_iter iter = nums_iter_begin(&divided);
    assert_false(nums_iter_next(&iter));
    assert_int_equal(iter.status, CM_CLOSED);
    nums_iter_end(&iter);
    assert_int_equal(nums_stats(&divided, &stats), CM_CLOSED);
    pthread_barrier_wait(&both);
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&both);
    assert_int_equal(nums_shutdown(&divided, CM_SHUTDOWN_DRAIN, NULL), CM_OK);
    assert_int_equal(nums_stats(&divided, &stats), CM_OK);
    end();
}

/* ---- figures ---- */

static size_t sum_of(const size_t depths[CM_STATS_DEPTH])
{
    size_t sum = 0;
    for (size_t i = 0; i < CM_STATS_DEPTH; i++)
        sum += depths[i];
    return sum;
}

static void figures_of_all_partitions_are_added_up(void **state)
{
    (void)state;
    cm_stats stats;
    begin((cm_partition_config){.partitions = 3});
    assert_int_equal(nums_stats(&divided, &stats), CM_OK);
    assert_int_equal(stats.entries, 0);
    assert_int_equal(stats.tables, 0);
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(nums_put(&divided, 3 * i, i, NULL), CM_OK); /* all in one partition */
    assert_int_equal(nums_stats(&divided, &stats), CM_OK);
    assert_int_equal(stats.tables, 1);
    assert_int_equal(stats.slots, 15);
    size_t buckets = stats.buckets;
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(nums_put(&divided, 3 * i + 1, i, NULL), CM_OK);
    assert_int_equal(nums_stats(&divided, &stats), CM_OK);
    assert_int_equal(stats.entries, 2000);
    assert_int_equal(stats.tables, 2);
    assert_int_equal(stats.buckets, 2 * buckets);
    assert_true(stats.capacity >= 2000);
    assert_true(stats.load > 0.3 && stats.load < 1);
    assert_int_equal(sum_of(stats.probes), 2000);
    assert_int_equal(sum_of(stats.chains), stats.buckets);
    assert_true(stats.grows > 2);
    cm_memory memory = nums_memory(&divided);
    assert_memory_equal(&stats.memory, &memory, sizeof memory);
    end();
}

static uint64_t near_hash(const uint64_t *key, uint64_t seed)
{
    (void)seed;
    return *key % 2; /* homes of two groups, and always the shortest step */
}

CM_PLAIN_MAP(nears, uint64_t, uint64_t, near_hash, cm_equal_u64)
CM_PRINTED(nears, cm_print_u64, cm_print_u64)

static void a_known_table_has_known_figures(void **state)
{
    (void)state;
    nears near_map;
    cm_stats stats;
    assert_int_equal(nears_init(&near_map, &(cm_config){.capacity = 100}), CM_OK);
    for (uint64_t i = 0; i < 40; i++) /* all of them at home in group 0 */
        assert_int_equal(nears_insert(&near_map, 2 * i, i), CM_OK);
    nears_stats(&near_map, &stats);
    size_t groups = stats.buckets;
    assert_true(groups >= 8);
    assert_int_equal(stats.probes[0], 15); /* fifteen in group 0, in 1, and ten in 2 */
    assert_int_equal(stats.probes[1], 15);
    assert_int_equal(stats.probes[2], 10);
    assert_int_equal(stats.empty_buckets, groups - 3);
    assert_int_equal(stats.chains[0], groups - 2);
    assert_int_equal(stats.chains[1], 1); /* from group 1 on to 2 */
    assert_int_equal(stats.chains[2], 1);
    assert_int_equal(stats.capacity, near_map.core.flat.grow_at);
    assert_true(stats.load == 40.0 / (double)(groups * 15));
    assert_int_equal(stats.memory.total, nears_memory(&near_map).total);
    nears_destroy(&near_map);
}

/* ---- text ---- */

struct written {
    char text[4096];
    size_t size;
    cm_status status;
};

static cm_status write_down(void *context, const char *text, size_t size)
{
    struct written *written = context;
    assert_true(written->size + size < sizeof written->text);
    memcpy(written->text + written->size, text, size);
    written->size += size;
    return written->status;
}

/* The printer may use the map: no owner waits for it. */
static cm_status write_and_use(void *context, const char *text, size_t size)
{
    assert_int_equal(nums_put(&divided, 7, 70, NULL), CM_REPLACED);
    return write_down(context, text, size);
}

static void it_is_printed(void **state)
{
    (void)state;
    struct written written = {.size = 0};
    begin((cm_partition_config){.partitions = 2});
    assert_int_equal(nums_put(&divided, 7, 70, NULL), CM_OK);
    assert_int_equal(nums_put(&divided, 8, 80, NULL), CM_OK);
    assert_int_equal(nums_print(&divided, write_and_use, &written), CM_OK);
    assert_non_null(strstr(written.text, "entries: 2, "));
    assert_non_null(strstr(written.text, "\n7: 70\n"));
    assert_non_null(strstr(written.text, "\n8: 80\n"));
    written = (struct written){.status = CM_IO};
    assert_int_equal(nums_print(&divided, write_down, &written), CM_IO);
    assert_int_equal(nums_shutdown(&divided, CM_SHUTDOWN_DRAIN, NULL), CM_OK);
    written = (struct written){.size = 0};
    assert_int_equal(nums_print(&divided, write_down, &written), CM_OK);
    assert_non_null(strstr(written.text, "\n8: 80\n"));
    end();
}

static void printing_waits_no_longer_than_it_may(void **state) /* K7 */
{
    (void)state;
    struct written written = {.size = 0};
    begin((cm_partition_config){.partitions = 2, .polled = true});
    assert_int_equal(nums_try_print(&divided, write_down, &written), CM_BUSY);
    assert_int_equal(nums_print_until(&divided, write_down, &written, cm_deadline_after(MS)), CM_TIMEOUT);
    assert_int_equal(written.size, 0);
    cm_stats stats;
    assert_int_equal(nums_try_stats(&divided, &stats), CM_BUSY);
    assert_int_equal(nums_stats_until(&divided, &stats, cm_deadline_after(MS)), CM_TIMEOUT);
    own(2);
    assert_int_equal(nums_try_print(&divided, write_down, &written), CM_OK);
    end();
}

static void plain_maps_are_printed(void **state)
{
    (void)state;
    nears near_map;
    struct written written = {.size = 0};
    assert_int_equal(nears_init(&near_map, NULL), CM_OK);
    assert_int_equal(nears_put(&near_map, 5, 55, NULL), CM_OK);
    assert_int_equal(nears_print(&near_map, write_down, &written), CM_OK);
    assert_non_null(strstr(written.text, "\n5: 55\n"));
    nears_destroy(&near_map);
}

/* ---- memory ---- */

static void each_allocation_of_a_walk_may_fail(void **state) /* M1 */
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    texts all;
    cm_partition_config config = {.map.allocator = &memory.allocator, .partitions = 2, .polled = true};
    assert_int_equal(texts_open(&all, &config), CM_OK);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(texts_partition_own(&all, i), CM_OK);
    for (uint64_t i = 0; i < 60; i++)
        assert_int_equal(texts_put(&all, text_of(i, 200), i, NULL), CM_OK);
    size_t blocks = memory.live_blocks;
    cm_status status = CM_NOMEM;
    for (size_t n = 1; status == CM_NOMEM; n++) {
        size_t visits = 0;
        failing_allocator_restart(&memory);
        failing_allocator_fail_at(&memory, n);
        texts_iter iter = texts_iter_begin(&all);
        while (texts_iter_next(&iter))
            visits++;
        status = iter.status;
        texts_iter_end(&iter);
        assert_true(status == CM_NOMEM ? visits < 60 : visits == 60);
        assert_int_equal(memory.live_blocks, blocks);
    }
    assert_int_equal(status, CM_OK);
    texts_destroy(&all);
    assert_int_equal(memory.live_blocks, 0);
    assert_int_equal(memory.mistakes, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_walk_visits_each_once),
        cmocka_unit_test(any_call_is_allowed_amid_a_walk),
        cmocka_unit_test(what_a_walk_sees_of_a_partition_is_of_one_instant),
        cmocka_unit_test(a_walk_that_may_not_wait_goes_on_later),
        cmocka_unit_test(a_walk_owns_what_it_shows),
        cmocka_unit_test(a_copy_whose_clone_ends_its_thread_is_not_lost),
        cmocka_unit_test(a_map_that_is_shut_down_is_looked_at_still),
        cmocka_unit_test(a_map_that_is_not_shut_down_yet_is_closed),
        cmocka_unit_test(figures_of_all_partitions_are_added_up),
        cmocka_unit_test(a_known_table_has_known_figures),
        cmocka_unit_test(it_is_printed),
        cmocka_unit_test(printing_waits_no_longer_than_it_may),
        cmocka_unit_test(plain_maps_are_printed),
        cmocka_unit_test(each_allocation_of_a_walk_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
