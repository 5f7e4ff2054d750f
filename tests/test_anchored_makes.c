/* Values of anchored maps that are made once, whoever comes for them meanwhile, and whatever becomes of who makes them.
 * The names with a letter and a number are cases of the project's list of bugs that other maps had. */
#include <concmap/anchored.h>
#include <pthread.h>
#include <sched.h>

#include "anchored_nums.h"
#include "crew.h"

static struct {
    nums map;
    uint64_t made, fail, coming;
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
    for (int i = 0; i < 20 && __atomic_load_n(&making.coming, __ATOMIC_RELAXED) < 8; i++)
        sched_yield(); /* which takes long on a busy machine: no more than until all are coming */
    sched_yield();
    return made <= making.fail ? CM_NOMEM : CM_OK;
}

static const uint64_t *seen_by[8];
static cm_status outcome_of[8];

static size_t make_work(void *context, unsigned thread)
{
    (void)context;
    __atomic_add_fetch(&making.coming, 1, __ATOMIC_RELAXED);
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
    crew_await(&making.go);
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
    crew_await(&making.inside);
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

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_threads_make_one_value_E1),
        cmocka_unit_test(if_it_fails_a_waiter_takes_over_K4),
        cmocka_unit_test(a_function_may_use_the_map_but_not_for_its_key),
        cmocka_unit_test(a_value_in_the_making_holds_up_nobody_but_its_like_K7),
        cmocka_unit_test(a_thread_that_ends_while_it_makes_a_value_leaves_the_key_to_others_L8),
        cmocka_unit_test(a_thread_that_ends_amid_an_update_leaves_the_entry_as_it_was_L8),
        cmocka_unit_test(of_two_who_make_for_each_other_one_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
