/* The anchored map: addresses that stay, look-ups that nobody makes wait, values made once. The names with a letter and
 * a number are cases of the project's list of bugs that other maps had. */
#include <concmap/anchored.h>
#include <concmap/domain.h>
#include <pthread.h>
#include <sched.h>

#include "crew.h"
#include "failing_allocator.h"
#include "unit.h"

CM_ANCHORED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)

struct handler {
    uint64_t calls;
};
CM_ANCHORED_MAP_MUTABLE(handlers, cm_str, struct handler, cm_hash_str, cm_equal_str)

/* Keys 2n and 2n + 1 have one hash. */
static uint64_t pair_hash(const uint64_t *key, uint64_t seed)
{
    uint64_t pair = *key / 2;
    return cm_hash_u64(&pair, seed);
}

static void (*meanwhile)(void); /* runs once, in the next comparison that finds two keys to differ */

static bool pair_equal(const uint64_t *a, const uint64_t *b)
{
    void (*run)(void) = *a == *b ? NULL : __atomic_exchange_n(&meanwhile, NULL, __ATOMIC_ACQ_REL);
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

static cm_status add(uint64_t *value, void *context)
{
    *value += *(uint64_t *)context;
    return CM_OK;
}

static cm_status spoil(uint64_t *value, void *context)
{
    *value = 999;
    return *(cm_status *)context;
}

static cm_status is_even(uint64_t *value, void *context)
{
    (void)context;
    return *value % 2 == 0 ? CM_OK : CM_EXISTS;
}

static void finish(nums *map)
{
    const char *reason = NULL;
    assert_int_equal(nums_check(map, &reason), CM_OK);
    size_t visited = 0;
    CM_FOREACH (nums, map, it)
        visited++;
    assert_int_equal(visited, nums_len(map)); /* E6 */
    nums_destroy(map);
}

/* ---- addresses ---- */

static void get_gives_the_same_address_however_the_map_grows(void **state)
{
    (void)state;
    static const uint64_t *at[20000];
    nums map;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    assert_null(nums_get(&map, 1));
    for (uint64_t i = 0; i < 20000; i++) {
        assert_int_equal(nums_get_or_insert(&map, i, i * 3, &at[i]), CM_OK);
        assert_ptr_equal(nums_get(&map, i), at[i]);
    }
    for (uint64_t i = 0; i < 20000; i++) {
        const uint64_t *stored = NULL;
        assert_ptr_equal(nums_get_key_value(&map, i, &stored), at[i]);
        assert_int_equal(*stored, i);
        assert_int_equal(*at[i], i * 3);
    }
    assert_null(nums_get(&map, 20000));
    assert_false(nums_contains(&map, 20000));
    assert_true(nums_capacity(&map) >= 20000 / 2);
    finish(&map);
}

/* L1: anchormap frees the value when its slot is claimed again. */
static void check_outlives(const cm_config *config)
{
    nums map;
    assert_int_equal(nums_init(&map, config), CM_OK);
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(nums_put(&map, i, i + 7, NULL), CM_OK);
    const uint64_t *removed = nums_get(&map, 1), *replaced = nums_get(&map, 2), *changed = nums_get(&map, 3);
    uint64_t ten = 10;
    const uint64_t *old;
    assert_int_equal(nums_remove(&map, 1, &old), CM_OK);
    assert_ptr_equal(old, removed);
    assert_int_equal(nums_replace(&map, 2, 50, &old), CM_REPLACED);
    assert_ptr_equal(old, replaced);
    assert_int_equal(nums_update(&map, 3, add, &ten), CM_OK);
    for (uint64_t n = 0; n < 20000; n++) { /* memory is used again where it may be */
        assert_int_equal(nums_put(&map, 5000 + n, 77, NULL), CM_OK);
        assert_int_equal(nums_remove(&map, 5000 + n, NULL), CM_OK);
    }
    assert_int_equal(*removed, 8);
    assert_int_equal(*replaced, 9);
    assert_int_equal(*changed, 10);
    assert_null(nums_get(&map, 1));
    assert_int_equal(*nums_get(&map, 2), 50);
    assert_int_equal(*nums_get(&map, 3), 20);
    finish(&map);
}

static void a_reference_outlives_its_key_and_any_later_insert_L1(void **state)
{
    (void)state;
    check_outlives(NULL);
    check_outlives(&(cm_config){.references = CM_DOMAIN}); /* the thread is taken online by its first get */
    cm_domain_part(cm_domain_default());
    cm_domain domain;
    assert_int_equal(cm_domain_init(&domain, NULL), CM_OK);
    assert_int_equal(cm_domain_pin(&domain), CM_OK);
    check_outlives(&(cm_config){.references = CM_DOMAIN, .domain = &domain});
    cm_domain_unpin(&domain);
    cm_pin pin;
    cm_pin_open(&domain, &pin);
    check_outlives(&(cm_config){.references = CM_DOMAIN, .domain = &domain});
    cm_pin_close(&pin);
    cm_domain_part(&domain);
    assert_int_equal(cm_domain_destroy(&domain), CM_OK);
}

static void nothing_changes_where_the_function_says_so_K4(void **state)
{
    (void)state;
    nums map;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    assert_int_equal(nums_insert(&map, 1, 10), CM_OK);
    const uint64_t *at = nums_get(&map, 1);
    for (int i = 0; i < 2; i++) {
        cm_status says = i ? CM_EXISTS : CM_INVALID;
        assert_int_equal(nums_update(&map, 1, spoil, &says), says);
        assert_int_equal(nums_upsert(&map, 1, 5, spoil, &says), i ? CM_REPLACED : CM_INVALID);
        assert_ptr_equal(nums_get(&map, 1), at);
        assert_int_equal(*at, 10);
    }
    assert_int_equal(nums_insert(&map, 1, 11), CM_EXISTS);
    assert_int_equal(nums_replace(&map, 2, 11, NULL), CM_ABSENT);
    assert_int_equal(nums_insert(&map, 2, 11), CM_OK);
    assert_int_equal(nums_remove_if(&map, 2, is_even, NULL, NULL), CM_EXISTS);
    assert_int_equal(nums_remove_if(&map, 1, is_even, NULL, NULL), CM_OK);
    uint64_t expected = 12;
    assert_int_equal(nums_compare_exchange(&map, 2, &expected, 13, cm_equal_u64), CM_EXISTS);
    assert_int_equal(expected, 11);
    at = nums_get(&map, 2);
    assert_int_equal(nums_compare_exchange(&map, 2, &expected, 13, cm_equal_u64), CM_REPLACED);
    assert_int_equal(*at, 11);
    assert_int_equal(*nums_get(&map, 2), 13);
    finish(&map);
}

static void values_with_atomics_are_changed_in_place(void **state)
{
    (void)state;
    handlers map;
    assert_int_equal(handlers_init(&map, NULL), CM_OK);
    char text[300];
    memset(text, 'x', sizeof text);
    for (size_t len = 0; len <= sizeof text; len += 7) { /* short texts lie in nodes, long ones beside them */
        struct handler *handler = NULL;
        assert_int_equal(handlers_get_or_insert(&map, cm_str_from(text, len), (struct handler){0}, &handler), CM_OK);
        __atomic_add_fetch(&handler->calls, len, __ATOMIC_RELAXED);
    }
    for (size_t len = 0; len <= sizeof text; len += 7) {
        const cm_str *stored = NULL;
        struct handler *handler = handlers_get_key_value(&map, cm_str_from(text, len), &stored);
        assert_int_equal(handler->calls, len);
        assert_true(stored->data != text && stored->len == len);
    }
    handlers_destroy(&map);
}

/* ---- look-ups ---- */

static void *stay(void *flag)
{
    while (!__atomic_load_n((int *)flag, __ATOMIC_ACQUIRE))
        sched_yield();
    return NULL;
}

/* A writer's function stays, under the lock of the only bucket there is. */
struct slow {
    chained map;
    int inside, go;
};

static cm_status stay_inside(uint64_t *value, void *context)
{
    struct slow *slow = context;
    __atomic_store_n(&slow->inside, 1, __ATOMIC_RELEASE);
    stay(&slow->go);
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
    stay(&slow.inside);
    for (uint64_t i = 0; i < 20; i++)
        assert_int_equal(*chained_get(&slow.map, i), i);
    assert_null(chained_get(&slow.map, 20)); /* a miss does not wait either */
    size_t visited = 0;
    CM_FOREACH (chained, &slow.map, it)
        visited++;
    assert_int_equal(visited, 20);
    assert_int_equal(chained_try_put(&slow.map, 4, 4, NULL), CM_BUSY);
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
        for (; count < 1500000; count++)
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

/* ---- values made once ---- */

static struct {
    nums map;
    uint64_t made, fail;
    int inside, go;
} making;

static void making_begin(void)
{
    memset(&making, 0, sizeof making);
    assert_int_equal(nums_init(&making.map, &(cm_config){.capacity = 1}), CM_OK);
}

static cm_status make_slowly(uint64_t *value, void *context)
{
    (void)context;
    uint64_t made = __atomic_add_fetch(&making.made, 1, __ATOMIC_RELAXED);
    *value = 100 + made;
    for (int i = 0; i < 20; i++)
        sched_yield();
    return made <= making.fail ? CM_NOMEM : CM_OK;
}

static const uint64_t *seen_by[8];
static cm_status outcome_of[8];

static size_t make_work(void *context, unsigned thread)
{
    (void)context;
    outcome_of[thread] = nums_get_or_insert_with(&making.map, 5, make_slowly, NULL, &seen_by[thread]);
    return 0;
}

static void many_threads_make_one_value_E1(void **state)
{
    (void)state;
    for (size_t round = 0; round < crew_scale(300); round++) {
        making_begin();
        crew_run(8, make_work, NULL);
        assert_int_equal(making.made, 1);
        size_t inserted = 0;
        for (unsigned i = 0; i < 8; i++) {
            inserted += outcome_of[i] == CM_OK;
            assert_ptr_equal(seen_by[i], nums_get(&making.map, 5));
            assert_int_equal(*seen_by[i], 101);
        }
        assert_int_equal(inserted, 1);
        assert_int_equal(nums_len(&making.map), 1);
        finish(&making.map);
    }
}

static void if_it_fails_a_waiter_takes_over_K4(void **state)
{
    (void)state;
    for (size_t round = 0; round < crew_scale(300); round++) {
        making_begin();
        making.fail = 3;
        crew_run(8, make_work, NULL);
        assert_int_equal(making.made, 4);
        size_t failed = 0, inserted = 0;
        for (unsigned i = 0; i < 8; i++) {
            failed += outcome_of[i] == CM_NOMEM;
            inserted += outcome_of[i] == CM_OK;
        }
        assert_int_equal(failed, 3);
        assert_int_equal(inserted, 1);
        assert_int_equal(*nums_get(&making.map, 5), 104);
        finish(&making.map);
    }
}

static cm_status make_others(uint64_t *value, void *context)
{
    uint64_t key = *(uint64_t *)context;
    *value = key;
    if (key >= 40)
        return CM_OK;
    uint64_t next = key + 1;
    const uint64_t *at;
    return nums_get_or_insert_with(&making.map, next, make_others, &next, &at);
}

static cm_status make_the_same(uint64_t *value, void *context)
{
    (void)value;
    const uint64_t *at = NULL;
    uint64_t key = *(uint64_t *)context;
    assert_int_equal(nums_put(&making.map, key + 1, 3, NULL), CM_OK); /* others are free, of the same bucket, too */
    return nums_get_or_insert_with(&making.map, key, make_the_same, context, &at);
}

static void a_function_may_use_the_map_but_not_for_its_key(void **state)
{
    (void)state;
    making_begin();
    uint64_t key = 0;
    const uint64_t *at;
    assert_int_equal(nums_get_or_insert_with(&making.map, key, make_others, &key, &at), CM_OK);
    assert_int_equal(*at, 0);
    assert_int_equal(nums_len(&making.map), 41);
    key = 1000;
    assert_int_equal(nums_get_or_insert_with(&making.map, key, make_the_same, &key, &at), CM_DEADLOCK);
    assert_null(nums_get(&making.map, key));
    assert_int_equal(*nums_get(&making.map, key + 1), 3);
    finish(&making.map);
}

static cm_status make_when_told(uint64_t *value, void *context)
{
    __atomic_store_n(&making.inside, 1, __ATOMIC_RELEASE);
    stay(&making.go);
    *value = 7;
    return context ? CM_INVALID : CM_OK;
}

static void *make_for_others(void *context)
{
    const uint64_t *at;
    nums_get_or_insert_with(&making.map, 5, make_when_told, context, &at);
    return NULL;
}

static void a_value_in_the_making_holds_up_nobody_but_its_like_K7(void **state)
{
    (void)state;
    making_begin();
    pthread_t thread;
    pthread_create(&thread, NULL, make_for_others, NULL);
    stay(&making.inside);
    const uint64_t *at;
    assert_null(nums_get(&making.map, 5));
    assert_int_equal(nums_remove(&making.map, 5, NULL), CM_ABSENT);
    for (uint64_t i = 10; i < 5000; i++) /* the bucket moves meanwhile */
        assert_int_equal(nums_try_put(&making.map, i, i, NULL), CM_OK);
    assert_int_equal(nums_try_get_or_insert_with(&making.map, 5, make_slowly, NULL, &at), CM_BUSY);
    assert_int_equal(nums_get_or_insert_with_until(&making.map, 5, make_slowly, NULL, &at, cm_deadline_after(2000000)),
                     CM_TIMEOUT);
    assert_int_equal(making.made, 0);
    assert_int_equal(nums_try_insert(&making.map, 5, 55), CM_OK); /* who puts does not wait, and wins */
    __atomic_store_n(&making.go, 1, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    assert_int_equal(*nums_get(&making.map, 5), 55);
    finish(&making.map);
}

static cm_status make_and_end(uint64_t *value, void *context)
{
    (void)value, (void)context;
    pthread_exit(NULL);
}

static void *end_amid(void *context)
{
    (void)context;
    const uint64_t *at;
    nums_get_or_insert_with(&making.map, 5, make_and_end, NULL, &at);
    return NULL;
}

static void a_thread_that_ends_while_it_makes_a_value_leaves_the_key_to_others_L8(void **state)
{
    (void)state;
    making_begin();
    for (unsigned i = 0; i < 3; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, end_amid, NULL);
        pthread_join(thread, NULL);
    }
    const uint64_t *at;
    assert_int_equal(nums_get_or_insert_with(&making.map, 5, make_slowly, NULL, &at), CM_OK);
    assert_int_equal(*at, 101);
    finish(&making.map);
}

static cm_status update_and_end(uint64_t *value, void *context)
{
    (void)context;
    *value = 999;
    pthread_exit(NULL);
}

static void *end_amid_update(void *context)
{
    (void)context;
    nums_update(&making.map, 5, update_and_end, NULL);
    return NULL;
}

static void a_thread_that_ends_amid_an_update_leaves_the_entry_as_it_was_L8(void **state)
{
    (void)state;
    making_begin();
    for (uint64_t i = 0; i < 8; i++)
        assert_int_equal(nums_put(&making.map, i, i, NULL), CM_OK);
    pthread_t thread;
    pthread_create(&thread, NULL, end_amid_update, NULL);
    pthread_join(thread, NULL);
    uint64_t one = 1;
    assert_int_equal(*nums_get(&making.map, 5), 5);
    assert_int_equal(nums_update(&making.map, 5, add, &one), CM_OK);
    assert_int_equal(nums_remove(&making.map, 4, NULL), CM_OK);
    assert_int_equal(*nums_get(&making.map, 5), 6);
    for (uint64_t i = 10; i < 2000; i++) /* and the bucket moves */
        assert_int_equal(nums_put(&making.map, i, i, NULL), CM_OK);
    assert_int_equal(nums_settle(&making.map), CM_OK);
    finish(&making.map);
}

/* Two makers who need each other's value. */
static int crossed;

static cm_status make_crosswise(uint64_t *value, void *context)
{
    uint64_t key = *(uint64_t *)context;
    *value = key;
    __atomic_add_fetch(&crossed, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(&crossed, __ATOMIC_ACQUIRE) < 2)
        sched_yield();
    uint64_t other = 3 - key;
    const uint64_t *at;
    cm_status status = nums_get_or_insert_with(&making.map, other, make_slowly, NULL, &at);
    return status < 0 ? status : CM_OK;
}

static size_t cross_work(void *context, unsigned thread)
{
    (void)context;
    uint64_t key = thread + 1;
    outcome_of[thread] = nums_get_or_insert_with(&making.map, key, make_crosswise, &key, &seen_by[thread]);
    return 0;
}

static void of_two_who_make_for_each_other_one_is_told(void **state)
{
    (void)state;
    for (size_t round = 0; round < crew_scale(200); round++) {
        making_begin();
        crossed = 0;
        crew_run(2, cross_work, NULL);
        assert_int_equal((outcome_of[0] == CM_DEADLOCK) + (outcome_of[1] == CM_DEADLOCK), 1);
        finish(&making.map);
    }
}

/* ---- many threads ---- */

static nums shared;

static size_t count_work(void *context, unsigned thread)
{
    (void)context;
    uint64_t one = 1;
    size_t wrong = 0;
    for (size_t n = 0; n < crew_scale(20000); n++) {
        uint64_t key = (n * 7 + thread) % 50;
        if (n % 2)
            wrong += nums_upsert(&shared, key, 1, add, &one) < 0;
        else {
            const uint64_t *at;
            wrong += nums_get_or_insert(&shared, key, 0, &at) < 0;
            wrong += nums_update(&shared, key, add, &one) != CM_OK;
        }
    }
    return wrong;
}

static void no_increment_is_lost_E2_G2(void **state)
{
    (void)state;
    assert_int_equal(nums_init(&shared, NULL), CM_OK);
    assert_int_equal(crew_run(4, count_work, NULL), 0);
    uint64_t sum = 0;
    CM_FOREACH (nums, &shared, it)
        sum += *it.value;
    assert_int_equal(sum, 4 * crew_scale(20000));
    finish(&shared);
}

static size_t fill_work(void *context, unsigned thread)
{
    (void)context;
    size_t wrong = 0;
    for (uint64_t i = 0; i < 10000; i++)
        wrong += nums_insert(&shared, thread * 10000 + i, i) != CM_OK;
    return wrong;
}

static void eight_writers_fill_an_empty_map_E3_G1(void **state)
{
    (void)state;
    assert_int_equal(nums_init(&shared, NULL), CM_OK);
    assert_int_equal(crew_run(8, fill_work, NULL), 0);
    assert_int_equal(nums_len(&shared), 80000);
    for (uint64_t i = 0; i < 80000; i++)
        assert_int_equal(*nums_get(&shared, i), i % 10000);
    finish(&shared);
}

static size_t remove_work(void *context, unsigned thread)
{
    (void)context, (void)thread;
    size_t removed = 0;
    for (uint64_t i = 0; i < 5000; i++)
        removed += nums_remove(&shared, i, NULL) == CM_OK;
    return removed;
}

static void each_entry_is_removed_by_one_E4(void **state)
{
    (void)state;
    assert_int_equal(nums_init(&shared, NULL), CM_OK);
    for (uint64_t i = 0; i < 5000; i++)
        assert_int_equal(nums_put(&shared, i, i, NULL), CM_OK);
    assert_int_equal(crew_run(4, remove_work, NULL), 5000);
    assert_int_equal(nums_len(&shared), 0);
    finish(&shared);
}

static void setting_a_key_again_counts_nothing_E8(void **state)
{
    (void)state;
    assert_int_equal(nums_init(&shared, NULL), CM_OK);
    for (uint64_t n = 0; n < 3000; n++) {
        assert_int_equal(nums_put(&shared, 10 + n, 0, NULL), CM_OK); /* it grows */
        assert_int_equal(nums_put(&shared, 7, n, NULL), n ? CM_REPLACED : CM_OK);
        assert_int_equal(*nums_get(&shared, 7), n);
        assert_int_equal(nums_len(&shared), n + 2);
    }
    finish(&shared);
}

/* ---- domains ---- */

#define WATCHED 64
static struct {
    nums map;
    cm_domain domain;
    int stop;
} watched;

/* A value is its own complement in the upper half; memory that is used again belies it. */
static uint64_t sealed(uint64_t number)
{
    return number | ~number << 32;
}

static bool is_sealed(uint64_t value)
{
    return (uint32_t)value == (uint32_t) ~(value >> 32);
}

static size_t watch_work(void *context, unsigned thread)
{
    size_t wrong = 0;
    uint64_t random = thread + 1;
    cm_domain *domain = context;
    if (thread < 2) {
        for (size_t n = 0; n < crew_scale(200000); n++) {
            uint64_t key = crew_random(&random) % WATCHED;
            if (crew_random(&random) % 4)
                wrong += nums_put(&watched.map, key, sealed(n & 0xffffffff), NULL) < 0;
            else
                nums_remove(&watched.map, key, NULL);
        }
        __atomic_store_n(&watched.stop, 1, __ATOMIC_RELEASE);
        return wrong;
    }
    if (thread == 2)
        wrong += cm_domain_join(domain) < 0;
    while (!__atomic_load_n(&watched.stop, __ATOMIC_ACQUIRE)) {
        const uint64_t *seen[WATCHED];
        if (thread == 3)
            wrong += cm_domain_pin(domain) < 0;
        for (uint64_t key = 0; key < WATCHED; key++)
            seen[key] = nums_get(&watched.map, key);
        for (int again = 0; again < 3; again++)
            for (uint64_t key = 0; key < WATCHED; key++)
                wrong += seen[key] && !is_sealed(__atomic_load_n(seen[key], __ATOMIC_RELAXED));
        if (thread == 3)
            cm_domain_unpin(domain);
        else
            wrong += cm_domain_quiescent(domain) != CM_OK;
    }
    cm_domain_part(domain);
    return wrong;
}

static void what_a_thread_has_seen_stays_until_it_reports_or_leaves_its_pin(void **state)
{
    (void)state;
    assert_int_equal(cm_domain_init(&watched.domain, NULL), CM_OK);
    for (int own = 0; own < 2; own++) {
        cm_domain *domain = own ? &watched.domain : cm_domain_default();
        watched.stop = 0;
        assert_int_equal(nums_init(&watched.map, &(cm_config){.references = CM_DOMAIN, .domain = own ? domain : NULL}),
                         CM_OK);
        assert_int_equal(crew_run(4, watch_work, domain), 0);
        assert_true(nums_memory(&watched.map).nodes < 64 << 20); /* nodes were used again */
        finish(&watched.map);
        cm_domain_part(domain);
    }
    assert_int_equal(cm_domain_destroy(&watched.domain), CM_OK);
}

static void removed_entries_wait_for_who_holds_them_back_L7(void **state)
{
    (void)state;
    nums map;
    cm_domain domain;
    assert_int_equal(cm_domain_init(&domain, NULL), CM_OK);
    assert_int_equal(nums_init(&map, &(cm_config){.references = CM_DOMAIN, .domain = &domain}), CM_OK);
    for (uint64_t i = 0; i < 10000; i++)
        assert_int_equal(nums_put(&map, i, i, NULL), CM_OK);
    assert_int_equal(nums_settle(&map), CM_OK);
    assert_int_equal(cm_domain_pin(&domain), CM_OK);
    const uint64_t *kept = nums_get(&map, 77);
    for (uint64_t i = 0; i < 10000; i++)
        assert_int_equal(nums_remove(&map, i, NULL), CM_OK);
    cm_unreclaimed waiting = nums_unreclaimed(&map);
    assert_int_equal(waiting.entries, 10000);
    assert_true(waiting.bytes >= 10000 * 16);
    assert_int_equal(waiting.holder, CM_HOLDER_THREAD);
    assert_true(pthread_equal(waiting.thread, pthread_self()));
    assert_int_equal(*kept, 77);
    cm_domain_unpin(&domain);
    assert_int_equal(nums_settle(&map), CM_OK);
    assert_int_equal(nums_unreclaimed(&map).entries, 0);
    nums_destroy(&map);
    assert_int_equal(cm_domain_destroy(&domain), CM_OK);
}

/* Threads past those whose caches come with the first one's. */
#define MANY 12
static struct {
    nums map;
    struct failing_allocator memory;
    pthread_barrier_t turn;
} crowd;

static size_t remove_without_memory(void *context, unsigned thread)
{
    (void)context;
    size_t wrong = nums_get(&crowd.map, thread) == NULL; /* it has a place among the threads */
    if (pthread_barrier_wait(&crowd.turn) == PTHREAD_BARRIER_SERIAL_THREAD)
        crowd.memory.fail_all = true;
    pthread_barrier_wait(&crowd.turn);
    wrong += nums_remove(&crowd.map, thread, NULL) != CM_OK;
    pthread_barrier_wait(&crowd.turn);
    return wrong;
}

static void what_threads_without_memory_removed_is_counted_too(void **state)
{
    (void)state;
    failing_allocator_init(&crowd.memory);
    assert_int_equal(nums_init(&crowd.map, &(cm_config){.allocator = &crowd.memory.allocator}), CM_OK);
    for (uint64_t i = 0; i < MANY; i++)
        assert_int_equal(nums_put(&crowd.map, i, i, NULL), CM_OK);
    pthread_barrier_init(&crowd.turn, NULL, MANY);
    assert_int_equal(crew_run(MANY, remove_without_memory, NULL), 0);
    pthread_barrier_destroy(&crowd.turn);
    assert_true(crowd.memory.failures > 0);
    crowd.memory.fail_all = false;
    cm_unreclaimed waiting = nums_unreclaimed(&crowd.map);
    assert_int_equal(waiting.entries, MANY);
    assert_true(waiting.bytes >= MANY * 24);
    assert_int_equal(nums_memory(&crowd.map).waiting, waiting.bytes);
    finish(&crowd.map);
    assert_int_equal(crowd.memory.live_blocks, 0);
}

static struct {
    nums map;
    cm_domain domain;
} reporting;

static cm_status make_and_report(uint64_t *value, void *context)
{
    (void)context;
    const uint64_t *seen = nums_get(&reporting.map, 1);
    assert_non_null(seen);
    assert_int_equal(nums_remove(&reporting.map, 1, NULL), CM_OK);
    assert_int_equal(cm_domain_quiescent(&reporting.domain), CM_BUSY);
    for (uint64_t i = 1000; i < 6000; i++) {
        assert_int_equal(nums_put(&reporting.map, i, 999, NULL), CM_OK);
        assert_int_equal(nums_remove(&reporting.map, i, NULL), CM_OK);
        assert_int_equal(cm_domain_quiescent(&reporting.domain), CM_BUSY);
    }
    assert_int_equal(cm_domain_try_barrier(&reporting.domain), CM_OK); /* nothing waits there */
    *value = *seen;
    return *seen == 11 ? CM_OK : CM_CORRUPT;
}

static void who_makes_a_value_cannot_report(void **state)
{
    (void)state;
    assert_int_equal(cm_domain_init(&reporting.domain, NULL), CM_OK);
    assert_int_equal(nums_init(&reporting.map, &(cm_config){.references = CM_DOMAIN, .domain = &reporting.domain}),
                     CM_OK);
    assert_int_equal(nums_put(&reporting.map, 1, 11, NULL), CM_OK);
    const uint64_t *made = NULL;
    assert_int_equal(nums_get_or_insert_with(&reporting.map, 2, make_and_report, NULL, &made), CM_OK);
    assert_int_equal(*made, 11);
    assert_int_equal(cm_domain_quiescent(&reporting.domain), CM_OK);
    cm_domain_part(&reporting.domain);
    finish(&reporting.map);
    assert_int_equal(cm_domain_destroy(&reporting.domain), CM_OK);
}

/* L2: papaya. */
static void maps_of_one_domain_do_not_free_each_others_entries_L2(void **state)
{
    (void)state;
    cm_domain domain;
    nums maps[3];
    assert_int_equal(cm_domain_init(&domain, NULL), CM_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(nums_init(&maps[i], &(cm_config){.references = CM_DOMAIN, .domain = &domain}), CM_OK);
    assert_int_equal(nums_put(&maps[0], 1, 111, NULL), CM_OK);
    assert_int_equal(cm_domain_join(&domain), CM_OK);
    const uint64_t *seen = nums_get(&maps[0], 1);
    assert_int_equal(nums_remove(&maps[0], 1, NULL), CM_OK);
    for (uint64_t i = 0; i < 50000; i++) /* B retires tables */
        assert_int_equal(nums_put(&maps[1], i, i, NULL), CM_OK);
    nums_destroy(&maps[2]);
    for (uint64_t i = 0; i < 5000; i++) {
        assert_int_equal(nums_put(&maps[0], i + 5, 0, NULL), CM_OK);
        assert_int_equal(nums_remove(&maps[0], i + 5, NULL), CM_OK);
    }
    assert_int_equal(*seen, 111);
    assert_int_equal(cm_domain_quiescent(&domain), CM_OK);
    cm_domain_part(&domain);
    nums_destroy(&maps[0]);
    nums_destroy(&maps[1]);
    assert_int_equal(cm_domain_destroy(&domain), CM_OK);
}

/* A destroy function that removes another entry, after a reader has found it. */
struct boxed {
    uint64_t number;
};
static struct {
    cm_domain domain;
    cm_pin pin; /* the reader's */
    bool armed;
    size_t victims;
} late_removal;

static cm_status boxed_clone(struct boxed *to, const struct boxed *from, void *context)
{
    (void)context;
    *to = *from;
    return CM_OK;
}

static void boxed_destroy(struct boxed *boxed, void *context);
CM_ANCHORED_MAP_OWNED(boxes, uint64_t, struct boxed, cm_hash_u64, cm_equal_u64, CM_PLAIN,
                      CM_OWNED(boxed_clone, boxed_destroy))

static void nothing(void *object, void *context)
{
    (void)object, (void)context;
}

/* As others might do meanwhile. */
static void epochs_pass(void)
{
    static cm_retired link;
    cm_domain_retire_by(&late_removal.domain, &link, NULL, 0, nothing, NULL);
    assert_int_equal(cm_domain_try_barrier(&late_removal.domain), CM_OK);
}

static void boxed_destroy(struct boxed *boxed, void *context)
{
    late_removal.victims += boxed->number == 999;
    if (!late_removal.armed)
        return;
    late_removal.armed = false;
    epochs_pass();
    cm_pin_open(&late_removal.domain, &late_removal.pin);
    assert_non_null(boxes_get(context, 999));
    cm_domain_part(&late_removal.domain);
    assert_int_equal(boxes_remove(context, 999, NULL), CM_OK);
}

static void what_a_destroy_function_removes_waits_for_who_found_it_meanwhile(void **state)
{
    (void)state;
    memset(&late_removal, 0, sizeof late_removal);
    boxes map;
    assert_int_equal(cm_domain_init(&late_removal.domain, NULL), CM_OK);
    const cm_config config = {.references = CM_DOMAIN, .domain = &late_removal.domain, .context = &map};
    assert_int_equal(boxes_init(&map, &config), CM_OK);
    assert_int_equal(boxes_put(&map, 999, (struct boxed){999}, NULL), CM_OK);
    for (int round = 0; round < 2; round++) { /* in the second one the first one's entries are given back */
        for (uint64_t i = 0; i < 64; i++)
            assert_int_equal(boxes_put(&map, i, (struct boxed){i}, NULL), CM_OK);
        late_removal.armed = round == 1;
        for (uint64_t i = 0; i < 64; i++)
            assert_int_equal(boxes_remove(&map, i, NULL), CM_OK);
        for (uint64_t epoch = late_removal.domain.epoch / 2; round == 0;) {
            epochs_pass();
            if ((late_removal.domain.epoch / 2 - epoch) % 3 == 0)
                break;
        }
    }
    boxes_settle(&map);
    assert_false(late_removal.armed);
    assert_int_equal(late_removal.victims, 0);
    cm_pin_close(&late_removal.pin);
    assert_int_equal(boxes_settle(&map), CM_OK);
    assert_int_equal(late_removal.victims, 1);
    boxes_destroy(&map);
    assert_int_equal(cm_domain_destroy(&late_removal.domain), CM_OK);
}

static void domains_are_for_anchored_maps_that_ask_for_one_M2(void **state)
{
    (void)state;
    nums map;
    cm_domain domain;
    assert_int_equal(cm_domain_init(&domain, NULL), CM_OK);
    assert_int_equal(nums_init(&map, &(cm_config){.domain = &domain}), CM_INVALID);
    cm_config too_large = {.references = CM_DOMAIN, .domain = &domain, .capacity = SIZE_MAX};
    assert_int_equal(nums_init(&map, &too_large), CM_NOMEM);
    assert_int_equal(nums_init(&map, &(cm_config){.references = CM_DOMAIN, .domain = &domain}), CM_OK);
    assert_int_equal(cm_domain_destroy(&domain), CM_BUSY);
    nums_destroy(&map);
    assert_int_equal(cm_domain_destroy(&domain), CM_OK);
    static const size_t capacities[] = {0, 1, 2, 3, 1000};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(nums_init(&map, &(cm_config){.capacity = capacities[i]}), CM_OK);
        for (uint64_t key = 0; key < 100; key++)
            assert_int_equal(nums_insert(&map, key, key), CM_OK);
        finish(&map);
    }
    assert_int_equal(nums_init(&map, &(cm_config){.capacity = SIZE_MAX}), CM_NOMEM);
}

/* ---- alone ---- */

static cm_status keep_even(const uint64_t *key, const uint64_t *value, void *context)
{
    (void)value, (void)context;
    return *key % 2 ? CM_ABSENT : CM_OK;
}

static cm_status sum_up(const uint64_t *key, uint64_t *value, void *context)
{
    (void)key;
    *(uint64_t *)context += *value;
    return CM_OK;
}

static void who_is_alone_changes_values_in_place(void **state)
{
    (void)state;
    nums map;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(nums_insert(&map, i, i), CM_OK);
    const uint64_t *at = nums_get(&map, 10);
    *nums_get_mut(&map, 10) = 1;
    assert_int_equal(*at, 1);
    uint64_t five = 5, sum = 0, taken;
    assert_int_equal(nums_modify(&map, 10, add, &five), CM_OK);
    assert_int_equal(*at, 6);
    assert_int_equal(nums_modify(&map, 5000, add, &five), CM_ABSENT);
    CM_FOREACH (nums_mut, &map, it)
        *it.value = it.key;
    assert_int_equal(*at, 10);
    assert_int_equal(nums_values_mut(&map, add, &five), CM_OK);
    assert_int_equal(*at, 15);
    nums_entry_ref entry = nums_entry(&map, 2000);
    assert_null(entry.value);
    assert_non_null(nums_entry_insert(&entry, 3));
    assert_int_equal(*nums_get(&map, 2000), 3);
    assert_int_equal(nums_entry_remove(&entry, &taken), CM_OK);
    assert_int_equal(taken, 3);
    assert_int_equal(nums_remove_entry(&map, 999, &taken), CM_OK);
    assert_int_equal(taken, 1004);
    assert_int_equal(nums_remove_entry(&map, 999, &taken), CM_ABSENT);
    assert_int_equal(nums_retain(&map, keep_even, NULL), CM_OK);
    assert_int_equal(nums_len(&map), 500);
    assert_int_equal(nums_drain(&map, sum_up, &sum), CM_OK);
    assert_int_equal(sum, 499 * 500 + 5 * 500);
    assert_int_equal(nums_len(&map), 0);
    finish(&map);
}

static void clear_and_shrinking_give_back_what_was_kept_G3(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    nums map;
    assert_int_equal(nums_init(&map, &(cm_config){.allocator = &memory.allocator}), CM_OK);
    for (uint64_t round = 0; round < 3; round++) {
        for (uint64_t i = 0; i < 20000; i++)
            assert_int_equal(nums_put(&map, i, i, NULL), CM_OK);
        assert_int_equal(nums_unreclaimed(&map).entries, 0);
        for (uint64_t i = 0; i < 15000; i++)
            assert_int_equal(nums_put(&map, i, round, NULL), CM_REPLACED);
        assert_int_equal(nums_unreclaimed(&map).entries, 15000);
        assert_int_equal(nums_shrink_to_fit(&map), CM_OK);
        assert_int_equal(nums_unreclaimed(&map).entries, 0);
        assert_int_equal(nums_clear(&map), CM_OK);
        assert_int_equal(nums_len(&map), 0);
        assert_null(nums_get(&map, 5));
    }
    size_t most = memory.most_bytes;
    assert_int_equal(nums_shrink_to_fit(&map), CM_OK);
    assert_true(nums_memory(&map).table < 10000);
    for (uint64_t i = 0; i < 20000; i++)
        assert_int_equal(nums_put(&map, i, i, NULL), CM_OK);
    assert_true(memory.most_bytes <= most + most / 4);
    finish(&map);
    assert_int_equal(memory.live_blocks, 0);
    assert_int_equal(memory.mistakes, 0);
}

static void batches_do_what_single_calls_do(void **state)
{
    (void)state;
    nums map;
    uint64_t keys[300], values[300];
    cm_status results[300];
    const uint64_t *seen[300];
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    for (uint64_t i = 0; i < 300; i++)
        keys[i] = i, values[i] = i + 1;
    assert_int_equal(nums_put_many(&map, keys, values, 200, results), 200);
    assert_int_equal(nums_get_many(&map, keys, 300, seen), 200);
    for (uint64_t i = 0; i < 300; i++)
        assert_ptr_equal(seen[i], nums_get(&map, i));
    uint64_t one = 1;
    assert_int_equal(nums_update_many(&map, keys, 300, add, &one, results), 200);
    assert_int_equal(results[250], CM_ABSENT);
    assert_int_equal(nums_remove_many(&map, keys, 100, seen, results), 100);
    assert_int_equal(*seen[9], 11);
    nums_op ops[] = {{.kind = CM_OP_GET, .key = 150},
                     {.kind = CM_OP_PUT, .key = 150, .value = 5},
                     {.kind = CM_OP_INSERT, .key = 500, .value = 6},
                     {.kind = CM_OP_UPSERT, .key = 500, .value = 6, .function = add, .context = &one},
                     {.kind = CM_OP_UPDATE, .key = 500, .function = add, .context = &one},
                     {.kind = CM_OP_REMOVE, .key = 500}};
    assert_int_equal(nums_apply_many(&map, ops, 6), 6);
    assert_int_equal(*ops[0].seen, 152);
    assert_ptr_equal(ops[0].seen, ops[1].seen);
    assert_int_equal(ops[3].status, CM_REPLACED);
    assert_int_equal(*ops[5].seen, 8);
    finish(&map);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(get_gives_the_same_address_however_the_map_grows),
        cmocka_unit_test(a_reference_outlives_its_key_and_any_later_insert_L1),
        cmocka_unit_test(nothing_changes_where_the_function_says_so_K4),
        cmocka_unit_test(values_with_atomics_are_changed_in_place),
        cmocka_unit_test(no_writer_makes_a_lookup_wait),
        cmocka_unit_test(entries_that_stay_are_found_whatever_comes_and_goes_beside_them_E9),
        cmocka_unit_test(a_lookup_that_is_late_finds_what_is_there),
        cmocka_unit_test(tables_that_were_replaced_take_no_memory),
        cmocka_unit_test(an_entry_of_16_bytes_takes_64_at_most),
        cmocka_unit_test(many_threads_make_one_value_E1),
        cmocka_unit_test(if_it_fails_a_waiter_takes_over_K4),
        cmocka_unit_test(a_function_may_use_the_map_but_not_for_its_key),
        cmocka_unit_test(a_value_in_the_making_holds_up_nobody_but_its_like_K7),
        cmocka_unit_test(a_thread_that_ends_while_it_makes_a_value_leaves_the_key_to_others_L8),
        cmocka_unit_test(a_thread_that_ends_amid_an_update_leaves_the_entry_as_it_was_L8),
        cmocka_unit_test(of_two_who_make_for_each_other_one_is_told),
        cmocka_unit_test(no_increment_is_lost_E2_G2),
        cmocka_unit_test(eight_writers_fill_an_empty_map_E3_G1),
        cmocka_unit_test(each_entry_is_removed_by_one_E4),
        cmocka_unit_test(setting_a_key_again_counts_nothing_E8),
        cmocka_unit_test(what_a_thread_has_seen_stays_until_it_reports_or_leaves_its_pin),
        cmocka_unit_test(removed_entries_wait_for_who_holds_them_back_L7),
        cmocka_unit_test(what_threads_without_memory_removed_is_counted_too),
        cmocka_unit_test(who_makes_a_value_cannot_report),
        cmocka_unit_test(maps_of_one_domain_do_not_free_each_others_entries_L2),
        cmocka_unit_test(what_a_destroy_function_removes_waits_for_who_found_it_meanwhile),
        cmocka_unit_test(domains_are_for_anchored_maps_that_ask_for_one_M2),
        cmocka_unit_test(who_is_alone_changes_values_in_place),
        cmocka_unit_test(clear_and_shrinking_give_back_what_was_kept_G3),
        cmocka_unit_test(batches_do_what_single_calls_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
