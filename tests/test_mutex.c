/* The mutex map: its lock. */
#include <concmap/mutex.h>
#include <concmap/sharded.h>
#include <pthread.h>
#include <stdlib.h>

#include "crew.h"
#include "names.h"
#include "shared_type.h"
#include "unit.h"

#define MS 1000000

CM_MUTEX_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_MUTEX_MAP_OWNED(owners, struct name, struct name, name_hash, name_equal, CM_OWNED(name_clone, name_destroy),
                   CM_OWNED(name_clone, name_destroy))
CM_SHARDED_MAP(shards, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)

static nums map, other;

static void begin(void)
{
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    assert_int_equal(nums_init(&other, NULL), CM_OK);
    for (uint64_t i = 0; i < 10; i++)
        assert_int_equal(nums_put(&map, i, i, NULL), CM_OK);
}

static void end(void)
{
    assert_int_equal(nums_check(&map, NULL), CM_OK);
    assert_int_equal(map.lock.waiters.count, 0);
    nums_destroy(&map);
    nums_destroy(&other);
}

static void in_thread(void *(*work)(void *), void *context)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, work, context), 0);
    pthread_join(thread, NULL);
}

/* ---- one step ---- */

/* Moves amounts about; nobody may see a sum that is not the whole. */
static size_t move_amounts(void *context, unsigned thread)
{
    uint64_t random = *(const uint64_t *)context + thread;
    size_t wrong = 0;
    for (size_t i = crew_scale(20000); i > 0; i--) {
        uint64_t from = crew_random(&random) % 10, to = crew_random(&random) % 10;
        if (i % 8 == 0) {
            uint64_t sum = 0;
            CM_WITH_ALL(nums, &map, all)
            CM_FOREACH (nums_plain, all, it)
                sum += it.value;
            wrong += sum != 45;
        }
        CM_WITH_ALL(nums, &map, all)
        {
            uint64_t *source = nums_plain_find(all, from);
            if (!source || *source == 0)
                continue;
            if (--*source == 0)
                nums_plain_remove(all, from, NULL);
            uint64_t *target = nums_plain_find(all, to);
            if (target)
                ++*target;
            else
                wrong += nums_plain_insert(all, to, 1) != CM_OK;
        }
    }
    return wrong;
}

static void what_is_done_with_all_is_one_step(void **state)
{
    (void)state;
    uint64_t seed = crew_seed("amounts");
    begin();
    assert_int_equal(crew_run(4, move_amounts, &seed), 0);
    end();
}

static cm_status count_up(uint64_t *value, void *context)
{
    (void)context;
    ++*value;
    return CM_OK;
}

static size_t count_and_churn(void *context, unsigned thread)
{
    uint64_t random = *(const uint64_t *)context + thread, own = 1000 * (thread + 1), value = 0;
    size_t wrong = 0;
    for (size_t i = 0; i < crew_scale(20000); i++) {
        wrong += nums_upsert(&map, 500, 1, count_up, NULL) < 0;
        uint64_t key = own + crew_random(&random) % 500;
        bool had = nums_contains(&map, key);
        wrong += nums_put(&map, key, i, &value) != (had ? CM_REPLACED : CM_OK);
        wrong += !nums_get(&map, key, &value) || value != i;
        if (i % 2)
            wrong += nums_remove(&map, key, NULL) != CM_OK;
    }
    return wrong;
}

static void no_update_is_lost(void **state)
{
    (void)state;
    uint64_t seed = crew_seed("counts"), value = 0;
    begin();
    assert_int_equal(crew_run(4, count_and_churn, &seed), 0);
    assert_true(nums_get(&map, 500, &value));
    assert_int_equal(value, 4 * crew_scale(20000));
    end();
}

/* ---- deadlocks ---- */

static cm_status ask_again(uint64_t *value, void *context)
{
    uint64_t seen = 0;
    (void)context;
    assert_true(nums_get(&map, 1, &seen)); /* it reads through its own lock */
    assert_int_equal(nums_get_until(&map, 2, &seen, cm_deadline_after(MS)), CM_OK);
    assert_int_equal(nums_len(&map), 10);
    assert_int_equal(nums_put(&map, 1, 1, NULL), CM_DEADLOCK);
    assert_int_equal(nums_try_remove(&map, 1, NULL), CM_DEADLOCK);
    assert_int_equal(nums_clear(&map), CM_DEADLOCK);
    assert_int_equal(nums_put(&other, 1, 1, NULL) >= 0, true); /* other maps are free */
    *value = 100;
    return CM_OK;
}

static void who_has_the_lock_is_told(void **state)
{
    (void)state;
    begin();
    assert_int_equal(nums_update(&map, 1, ask_again, NULL), CM_OK);
    bool inside = false;
    CM_WITH_ALL(nums, &map, all)
    {
        uint64_t key = 3, value = 4;
        cm_status result = CM_OK;
        inside = true;
        assert_int_equal(nums_insert(&map, 77, 1), CM_DEADLOCK);
        assert_int_equal(nums_put_many(&map, &key, &value, 1, &result), 0);
        assert_int_equal(result, CM_DEADLOCK);
        assert_int_equal(nums_merge(&map, &other, NULL, NULL), CM_DEADLOCK);
        assert_int_equal(nums_merge(&other, &map, NULL, NULL), CM_OK); /* `map` is only read */
        nums_lock_guard again;
        assert_int_equal(nums_lock(&map, &again), CM_DEADLOCK);
        assert_int_equal(nums_unlock(&again), CM_INVALID);
        assert_int_equal(nums_plain_insert(all, 77, 1), CM_OK);
    }
    assert_true(inside);
    assert_true(nums_contains(&map, 77));
    assert_int_equal(nums_insert(&map, 78, 1), CM_OK);
    end();
}

static pthread_barrier_t both;

static void *lock_other_then_map(void *result)
{
    CM_WITH_ALL(nums, &other, all)
    {
        pthread_barrier_wait(&both);
        *(cm_status *)result = nums_put(&map, 50, nums_plain_len(all), NULL);
    }
    return NULL;
}

static void a_circle_is_told_to_one(void **state)
{
    (void)state;
    cm_status mine = CM_OK, theirs = CM_OK;
    pthread_t thread;
    begin();
    pthread_barrier_init(&both, NULL, 2);
    assert_int_equal(pthread_create(&thread, NULL, lock_other_then_map, &theirs), 0);
    CM_WITH_ALL(nums, &map, all)
    {
        pthread_barrier_wait(&both);
        mine = nums_put(&other, 50, nums_plain_len(all), NULL);
    }
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&both);
    assert_true((mine == CM_DEADLOCK) != (theirs == CM_DEADLOCK));
    end();
}

static cm_status lock_the_map(uint64_t *value, void *result)
{
    pthread_barrier_wait(&both);
    *(cm_status *)result = nums_put(&map, 50, *value, NULL);
    return CM_OK;
}

static shards sharded;

static void *update_shard_then_map(void *result)
{
    shards_update(&sharded, 1, lock_the_map, result);
    return NULL;
}

static void a_circle_with_another_kind_of_map_is_told(void **state)
{
    (void)state;
    cm_status mine = CM_OK, theirs = CM_OK;
    pthread_t thread;
    begin();
    assert_int_equal(shards_init(&sharded, NULL), CM_OK);
    assert_int_equal(shards_put(&sharded, 1, 1, NULL), CM_OK);
    pthread_barrier_init(&both, NULL, 2);
    assert_int_equal(pthread_create(&thread, NULL, update_shard_then_map, &theirs), 0);
    CM_WITH_ALL(nums, &map, all)
    {
        pthread_barrier_wait(&both);
        mine = shards_put(&sharded, 1, nums_plain_len(all), NULL);
    }
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&both);
    assert_true((mine == CM_DEADLOCK) != (theirs == CM_DEADLOCK));
    shards_destroy(&sharded);
    end();
}

/* ---- deadlines ---- */

static void *try_while_it_is_held(void *context)
{
    cm_status *results = context;
    uint64_t value, key = 1;
    bool found = true;
    nums_lock_guard guard;
    results[0] = nums_try_put(&map, 1, 5, NULL);
    results[1] = nums_put_until(&map, 1, 5, NULL, cm_deadline_after(5 * MS));
    results[2] = nums_try_get(&map, 1, &value);
    results[3] = nums_try_lock(&map, &guard);
    results[4] = nums_lock_until(&map, &guard, cm_deadline_after(5 * MS));
    results[5] = nums_try_get_many(&map, &key, 1, &found, &value) == 0 && !found ? CM_BUSY : CM_OK;
    return NULL;
}

static void waiting_has_an_end_where_it_is_asked_for(void **state)
{
    (void)state;
    cm_status results[6];
    nums_lock_guard guard;
    begin();
    assert_int_equal(nums_lock(&map, &guard), CM_OK);
    in_thread(try_while_it_is_held, results);
    assert_int_equal(nums_unlock(&guard), CM_OK);
    assert_int_equal(nums_unlock(&guard), CM_INVALID);
    static const cm_status expected[] = {CM_BUSY, CM_TIMEOUT, CM_BUSY, CM_BUSY, CM_TIMEOUT, CM_BUSY};
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(results[i], expected[i]);
    uint64_t value = 0;
    assert_true(nums_get(&map, 1, &value));
    assert_int_equal(value, 1);
    end();
}

/* ---- threads that end ---- */

static void *end_with_the_lock(void *context)
{
    static _Thread_local nums_lock_guard guard;
    (void)context;
    nums_lock(&map, &guard);
    nums_plain_put(guard.map, 99, 1, NULL);
    return NULL;
}

static cm_status end_the_thread(uint64_t *value, void *context)
{
    (void)context;
    *value = 4711;
    pthread_exit(NULL);
}

static void *end_in_a_function(void *context)
{
    (void)context;
    nums_update(&map, 1, end_the_thread, NULL);
    return NULL;
}

static void a_thread_that_ends_gives_the_lock_back(void **state)
{
    (void)state;
    uint64_t value = 0;
    bool died = false;
    begin();
    in_thread(end_with_the_lock, NULL);
    assert_int_equal(nums_put(&map, 1, 2, NULL), CM_REPLACED); /* others go on */
    assert_true(nums_contains(&map, 99));
    CM_WITH_ALL(nums, &map, all)
    fail();
    else died = all_lock.status == CM_OWNER_DIED && nums_plain_len(all) == 11;
    assert_true(died);
    in_thread(end_in_a_function, NULL);
    assert_int_equal(nums_insert(&map, 100, 2), CM_OK); /* the function does not run any more */
    nums_lock_guard guard;
    assert_int_equal(nums_lock(&map, &guard), CM_OWNER_DIED);
    assert_int_equal(nums_plain_insert(guard.map, 101, 2), CM_OK);
    assert_int_equal(nums_unlock(&guard), CM_OK);
    assert_int_equal(nums_lock(&map, &guard), CM_OK); /* told once */
    assert_int_equal(nums_unlock(&guard), CM_OK);
    assert_true(nums_get(&map, 1, &value));
    assert_int_equal(value, 4711);
    end();
}

static int leave_by_return(void)
{
    CM_WITH_ALL(nums, &map, all)
    return (int)nums_plain_len(all);
    return -1;
}

static void the_scope_gives_the_lock_back_however_it_is_left(void **state)
{
    (void)state;
    size_t rounds = 0;
    begin();
    assert_int_equal(leave_by_return(), 10);
    CM_WITH_ALL(nums, &map, all)
    {
        assert_non_null(all);
        break;
    }
    for (; rounds < 3; rounds++)
        CM_WITH_ALL(nums, &map, all)
        {
            if (nums_plain_len(all))
                continue;
            fail();
        }
    CM_WITH_ALL(nums, &map, all)
    if (all)
        goto out;
out:
    assert_int_equal(rounds, 3);
    assert_int_equal(nums_try_put(&map, 1, 1, NULL), CM_REPLACED); /* free again */
    end();
}

/* ---- what is owned ---- */

static owners owned;
static cm_status when_destroyed;

static void use_the_map(void)
{
    when_destroyed = owners_remove(&owned, (struct name){2, NULL}, NULL);
}

static void what_destroys_a_value_is_told_of_the_lock(void **state)
{
    (void)state;
    when_destroyed = CM_OK;
    assert_int_equal(owners_init(&owned, &(cm_config){.context = (void *)use_the_map}), CM_OK);
    assert_int_equal(owners_put(&owned, (struct name){1, NULL}, (struct name){1, NULL}, NULL), CM_OK);
    assert_int_equal(owners_put(&owned, (struct name){1, NULL}, (struct name){2, NULL}, NULL), CM_REPLACED);
    assert_int_equal(when_destroyed, CM_DEADLOCK);
    owned.plain.core.context = NULL;
    owners_destroy(&owned);
}

static void two_maps_are_worked_on_at_once(void **state)
{
    (void)state;
    nums copy, moved;
    begin();
    assert_int_equal(nums_clone(&copy, &map), CM_OK);
    assert_int_equal(nums_equals(&copy, &map, cm_equal_u64), CM_OK);
    assert_int_equal(nums_equals(&copy, &copy, cm_equal_u64), CM_OK);
    assert_int_equal(nums_put(&copy, 1, 100, NULL), CM_REPLACED);
    assert_int_equal(nums_equals(&copy, &map, cm_equal_u64), CM_ABSENT);
    assert_int_equal(nums_try_merge(&map, &copy, NULL, NULL), CM_OK);
    assert_int_equal(nums_equals(&copy, &map, cm_equal_u64), CM_OK);
    assert_int_equal(nums_merge(&map, &map, NULL, NULL), CM_INVALID);
    assert_int_equal(nums_move(&moved, &copy), CM_OK);
    assert_int_equal(nums_len(&copy), 0);
    nums_swap(&moved, &copy);
    assert_int_equal(nums_len(&copy), 10);
    nums_destroy(&copy);
    nums_destroy(&moved);
    end();
}

static void a_declared_type_is_used_from_another_file(void **state)
{
    (void)state;
    vault own;
    uint64_t value = 0;
    assert_int_equal(vault_init(&own, NULL), CM_OK);
    assert_int_equal(vault_put(&own, cm_str_of("one"), 1, NULL), CM_OK);
    CM_WITH_ALL(vault, &own, all)
    *vault_plain_find(all, cm_str_of("one")) = 2;
    assert_true(vault_get(&own, cm_str_of("one"), &value));
    assert_int_equal(value, 2);
    vault_destroy(&own);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_done_with_all_is_one_step),
        cmocka_unit_test(no_update_is_lost),
        cmocka_unit_test(who_has_the_lock_is_told),
        cmocka_unit_test(a_circle_is_told_to_one),
        cmocka_unit_test(a_circle_with_another_kind_of_map_is_told),
        cmocka_unit_test(waiting_has_an_end_where_it_is_asked_for),
        cmocka_unit_test(a_thread_that_ends_gives_the_lock_back),
        cmocka_unit_test(the_scope_gives_the_lock_back_however_it_is_left),
        cmocka_unit_test(what_destroys_a_value_is_told_of_the_lock),
        cmocka_unit_test(two_maps_are_worked_on_at_once),
        cmocka_unit_test(a_declared_type_is_used_from_another_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
