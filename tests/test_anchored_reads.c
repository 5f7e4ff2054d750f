/* Look-ups in anchored maps: nobody makes them wait, and they find what is there, whatever comes and goes beside it and
 * whatever becomes of their table. E9 is a case of the project's list of bugs that other maps had. */
#include <concmap/anchored.h>
#include <pthread.h>

#include "anchored_nums.h"
#include "crew.h"

/* Keys 2n and 2n + 1 have one hash. */
static uint64_t pair_hash(const uint64_t *key, uint64_t seed)
{
    uint64_t pair = *key / 2;
    return cm_hash_u64(&pair, seed);
}

/* Runs once, in the next comparison that finds two keys to differ, after so many others. */
static void (*meanwhile)(void);
static unsigned passed_by;

static bool pair_equal(const uint64_t *a, const uint64_t *b)
{
    bool differ = *a != *b && __atomic_load_n(&meanwhile, __ATOMIC_ACQUIRE);
    void (*run)(void) = differ && passed_by-- == 0 ? __atomic_exchange_n(&meanwhile, NULL, __ATOMIC_ACQ_REL) : NULL;
    if (run)
        run();
    return *a == *b;
}

CM_ANCHORED_MAP(pairs, uint64_t, uint64_t, pair_hash, pair_equal)

static uint64_t one_hash(const uint64_t *key, uint64_t seed)
{
    (void)key, (void)seed;
    return 5;
}
CM_ANCHORED_MAP(chained, uint64_t, uint64_t, one_hash, cm_equal_u64)

/* A writer's function stays, under the lock of the only bucket there is. */
struct slow {
    chained map;
    int inside, go;
};

static cm_status stay_inside(uint64_t *value, void *context)
{
    struct slow *slow = context;
    __atomic_store_n(&slow->inside, 1, __ATOMIC_RELEASE);
    crew_await(&slow->go);
    *value += 1;
    return CM_OK;
}

static void *update_slowly(void *context)
{
    struct slow *slow = context;
    assert_int_equal(chained_update(&slow->map, 3, stay_inside, slow), CM_OK);
    return NULL;
}

static void no_writer_makes_a_lookup_wait(void **state)
{
    (void)state;
    struct slow slow = {.inside = 0};
    assert_int_equal(chained_init(&slow.map, NULL), CM_OK);
    for (uint64_t i = 0; i < 20; i++)
        assert_int_equal(chained_put(&slow.map, i, i, NULL), CM_OK);
    pthread_t thread;
    pthread_create(&thread, NULL, update_slowly, &slow);
    crew_await(&slow.inside);
    for (uint64_t i = 0; i < 20; i++)
        assert_int_equal(*chained_get(&slow.map, i), i);
    assert_null(chained_get(&slow.map, 20)); /* a miss does not wait either */
    size_t visited = 0;
    CM_FOREACH (chained, &slow.map, it)
        visited++;
    assert_int_equal(visited, 20);
    assert_int_equal(chained_try_put(&slow.map, 4, 4, NULL), CM_BUSY);
    chained_op ops[] = {{.kind = CM_OP_INSERT, .key = 3},
                        {.kind = CM_OP_GET, .key = 4}}; /* nor one that adds nothing */
    assert_int_equal(chained_try_apply_many(&slow.map, ops, 2), 2);
    assert_int_equal(ops[0].status, CM_EXISTS);
    assert_ptr_equal(ops[0].seen, chained_get(&slow.map, 3));
    __atomic_store_n(&slow.go, 1, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    assert_int_equal(*chained_get(&slow.map, 3), 4);
    chained_destroy(&slow.map);
}

/* Whatever comes and goes in a chain, its other entries stay where they are, and are found meanwhile. */
#define CHAIN_KEPT 9
static struct {
    chained map;
    int stop;
} churn;

static size_t churn_work(void *context, unsigned thread)
{
    (void)context;
    uint64_t random = thread + 1;
    size_t wrong = 0;
    if (thread < 2) {
        for (size_t n = 0; n < crew_scale(60000); n++) {
            uint64_t key = 100 + crew_random(&random) % 14;
            if (crew_random(&random) % 2)
                chained_put(&churn.map, key, key, NULL);
            else
                chained_remove(&churn.map, key, NULL);
        }
        __atomic_store_n(&churn.stop, 1, __ATOMIC_RELEASE);
        return 0;
    }
    while (!__atomic_load_n(&churn.stop, __ATOMIC_ACQUIRE)) {
        for (uint64_t key = 0; key < CHAIN_KEPT; key++) {
            const uint64_t *value = chained_get(&churn.map, key);
            wrong += !value || *value != key;
        }
        for (uint64_t key = 100; key < 114; key++) {
            const uint64_t *value = chained_get(&churn.map, key);
            wrong += value && *value != key; /* E5 */
        }
        unsigned seen = 0;
        CM_FOREACH (chained, &churn.map, it)
            if (it.key < CHAIN_KEPT)
                seen += 1u << 3 * it.key; /* octal digits */
        wrong += seen != 0111111111;
    }
    return wrong;
}

static void entries_that_stay_are_found_whatever_comes_and_goes_beside_them_E9(void **state)
{
    (void)state;
    for (size_t round = 0; round < 3; round++) {
        churn.stop = 0;
        assert_int_equal(chained_init(&churn.map, &(cm_config){.shrink = round == 1}), CM_OK);
        for (uint64_t key = 0; key < 30; key++)
            assert_int_equal(chained_put(&churn.map, key, key, NULL), CM_OK);
        for (uint64_t key = CHAIN_KEPT; key < 30; key++) /* the kept ones lie between gaps */
            assert_int_equal(chained_remove(&churn.map, key, NULL), CM_OK);
        assert_int_equal(crew_run(4, churn_work, NULL), 0);
        const char *reason = NULL;
        assert_int_equal(chained_check(&churn.map, &reason), CM_OK);
        chained_destroy(&churn.map);
    }
}

static cm_status end_here(uint64_t *value, void *context)
{
    (void)value, (void)context;
    pthread_exit(NULL);
}

static void *end_amid_update(void *map)
{
    chained_update(map, 0, end_here, NULL);
    return NULL;
}

/* How many of the first slots are as they were; `*empty` takes how many lead to nothing. */
static unsigned slots_kept(char *bucket, const uint64_t *before, unsigned n, unsigned *empty)
{
    unsigned same = 0;
    *empty = 0;
    for (unsigned i = 0; i < n; i++) {
        same += *cm_bucket_slot_(bucket, i) == before[i];
        *empty += *cm_bucket_slot_(bucket, i) == 0;
    }
    return same;
}

static void what_stays_keeps_its_slot_T7(void **state)
{
    (void)state;
    chained map;
    pthread_t thread;
    uint64_t before[5], one = 1;
    unsigned empty;
    assert_int_equal(chained_init(&map, NULL), CM_OK);
    for (uint64_t i = 0; i < 5; i++)
        assert_int_equal(chained_put(&map, i, i, NULL), CM_OK);
    char *bucket = cm_table_bucket_(map.core.root, cm_layout_of_(&chained_type_), 5);
    for (unsigned i = 0; i < 5; i++)
        before[i] = *cm_bucket_slot_(bucket, i);
    assert_int_equal(chained_remove(&map, 1, NULL), CM_OK);
    assert_int_equal(slots_kept(bucket, before, 5, &empty), 4);
    assert_int_equal(empty, 1); /* that of the one that is gone */
    pthread_create(&thread, NULL, end_amid_update, &map);
    pthread_join(thread, NULL);
    (void)chained_update(&map, 2, add, &one); /* tidies, after the dead */
    assert_int_equal(chained_update(&map, 2, add, &one), CM_OK);
    assert_int_equal(slots_kept(bucket, before, 5, &empty), 3); /* but that of 2, which has a new node */
    assert_int_equal(empty, 1);
    chained_destroy(&map);
}

/* A look-up that began before the table was replaced, and goes on when its pages have been given back. */
static struct {
    pairs map;
    uint64_t filled;
} late;

static void *grow_and_give_back(void *unused)
{
    (void)unused;
    for (uint64_t i = 0; i < late.filled * 5; i++)
        assert_true(pairs_put(&late.map, 1000000 + 2 * i, i, NULL) >= 0);
    assert_int_equal(pairs_settle(&late.map), CM_OK);
    return NULL;
}

static void replace_the_table(void)
{
    passed_by = 0;
    pthread_t thread;
    pthread_create(&thread, NULL, grow_and_give_back, NULL);
    pthread_join(thread, NULL);
}

static void a_lookup_that_is_late_finds_what_is_there(void **state)
{
    (void)state;
    late.filled = 20000; /* large enough for a table that is mapped */
    assert_int_equal(pairs_init(&late.map, &(cm_config){.capacity = late.filled}), CM_OK);
    assert_int_equal(pairs_put(&late.map, 10, 1, NULL), CM_OK);
    assert_int_equal(pairs_put(&late.map, 11, 2, NULL), CM_OK);
    assert_int_equal(pairs_put(&late.map, 20, 3, NULL), CM_OK);
    uint64_t grows;
    cm_stats stats;
    pairs_stats(&late.map, &stats);
    grows = stats.grows;
    meanwhile = replace_the_table;
    const uint64_t *found = pairs_get(&late.map, 11); /* 10 is compared first */
    assert_non_null(found);
    assert_int_equal(*found, 2);
    assert_null(meanwhile);
    pairs_stats(&late.map, &stats);
    assert_true(stats.grows > grows);
    late.filled *= 5;
    meanwhile = replace_the_table;
    assert_null(pairs_get(&late.map, 21)); /* a miss, too */
    assert_null(meanwhile);
    assert_int_equal(pairs_memory(&late.map).waiting_tables, 0);
    pairs_destroy(&late.map);
}

static uint64_t dozen_hash(const uint64_t *key, uint64_t seed)
{
    uint64_t dozen = *key / 12;
    return cm_hash_u64(&dozen, seed);
}
CM_ANCHORED_MAP(dozens, uint64_t, uint64_t, dozen_hash, pair_equal)

static dozens late_chained;

static void *grow_chained(void *unused)
{
    (void)unused;
    for (uint64_t i = 0; i < 100000; i++)
        assert_true(dozens_put(&late_chained, 1000000 + 12 * i, i, NULL) >= 0);
    assert_int_equal(dozens_settle(&late_chained), CM_OK);
    return NULL;
}

static void replace_the_table_of_chains(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, grow_chained, NULL);
    pthread_join(thread, NULL);
}

/* Behind a chained bucket it is the second search, of the whole chain, that finds the table replaced (A1). */
static void a_search_of_a_chain_that_is_late_finds_what_is_there(void **state)
{
    (void)state;
    assert_int_equal(dozens_init(&late_chained, &(cm_config){.capacity = 20000}), CM_OK);
    for (uint64_t key = 0; key < 12; key++)
        assert_int_equal(dozens_put(&late_chained, key, key, NULL), CM_OK);
    passed_by = 6; /* those in the first bucket, which the first glance compares */
    meanwhile = replace_the_table_of_chains;
    const uint64_t *found = dozens_get(&late_chained, 11);
    assert_null(meanwhile);
    assert_non_null(found);
    assert_int_equal(*found, 11);
    dozens_destroy(&late_chained);
}

static void tables_that_were_replaced_take_no_memory(void **state)
{
    (void)state;
    nums map;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    for (uint64_t i = 0; i < 300000; i++)
        assert_int_equal(nums_put(&map, i, i, NULL), CM_OK);
    assert_int_equal(nums_settle(&map), CM_OK);
    cm_stats stats;
    nums_stats(&map, &stats);
    size_t newest = stats.buckets * 64;
    assert_in_range(nums_memory(&map).table, newest, newest * 5 / 4);
    assert_int_equal(nums_memory(&map).waiting_tables, 0);
    for (uint64_t i = 0; i < 300000; i++)
        assert_int_equal(*nums_get(&map, i), i);
    finish(&map);
}

static void an_entry_of_16_bytes_takes_64_at_most(void **state)
{
    (void)state;
    for (int domain = 0; domain < 2; domain++) {
        nums map;
        size_t most = 0, count = 0;
        assert_int_equal(nums_init(&map, &(cm_config){.references = domain ? CM_DOMAIN : CM_KEEP}), CM_OK);
        for (; count < (CREW_SLOW ? 150000 : 1500000); count++)
            assert_int_equal(nums_insert(&map, count, count), CM_OK);
        assert_int_equal(nums_settle(&map), CM_OK);
        for (; count < nums_capacity(&map) * 3 / 4; count++) /* 75 % of what it is meant for */
            assert_int_equal(nums_insert(&map, count, count), CM_OK);
        most = nums_memory(&map).total;
        assert_true(count * 4 >= nums_capacity(&map) * 3);
        assert_true(most / count <= 64);
        nums_destroy(&map);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_writer_makes_a_lookup_wait),
        cmocka_unit_test(entries_that_stay_are_found_whatever_comes_and_goes_beside_them_E9),
        cmocka_unit_test(what_stays_keeps_its_slot_T7),
        cmocka_unit_test(a_lookup_that_is_late_finds_what_is_there),
        cmocka_unit_test(a_search_of_a_chain_that_is_late_finds_what_is_there),
        cmocka_unit_test(tables_that_were_replaced_take_no_memory),
        cmocka_unit_test(an_entry_of_16_bytes_takes_64_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
