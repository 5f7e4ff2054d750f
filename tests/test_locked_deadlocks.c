/* The locked map: waits that would never end are told. */
#include <concmap/locked.h>
#include <concmap/sharded.h>

#include "shelf.h"

CM_SHARDED_MAP(shards, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)

/* Every key is in one bucket. */
static uint64_t one_hash(const uint64_t *key, uint64_t seed)
{
    (void)key, (void)seed;
    return 7;
}
CM_LOCKED_MAP(ones, uint64_t, uint64_t, one_hash, cm_equal_u64)

static cm_status ask_again(uint64_t *value, void *context)
{
    uint64_t seen = 0;
    (void)context;
    *value = 100;
    assert_true(nums_get(&shelf, 1, &seen)); /* it reads through its own lock */
    assert_int_equal(seen, 100);
    assert_int_equal(nums_put(&shelf, 1, 1, NULL), CM_DEADLOCK);
    assert_int_equal(nums_update(&shelf, 1, count_up, NULL), CM_DEADLOCK);
    assert_int_equal(nums_upsert(&shelf, 1, 1, count_up, NULL), CM_DEADLOCK);
    assert_int_equal(nums_remove(&shelf, 1, &seen), CM_DEADLOCK);
    assert_int_equal(nums_update(&shelf, 2, count_up, NULL), CM_OK); /* other keys go on */
    nums_entry *own = entry_of(1);
    uint64_t *at;
    assert_null(nums_entry_lock(own));
    assert_null(nums_entry_read_lock(own));
    assert_int_equal(nums_entry_lock_status(own, CM_FOREVER, &at), CM_DEADLOCK);
    nums_entry_release(own);
    return CM_OK;
}

static void who_has_the_entry_is_told(void **state) /* K2 */
{
    (void)state;
    begin();
    assert_int_equal(nums_update(&shelf, 1, ask_again, NULL), CM_OK);
    nums_entry *entry = entry_of(1);
    assert_non_null(nums_entry_read_lock(entry));
    assert_null(nums_entry_lock(entry)); /* no upgrade */
    assert_int_equal(nums_entry_read_unlock(entry), CM_OK);
    bool told = false;
    CM_WITH_ENTRY (nums, entry, g) {
        CM_WITH_ENTRY (nums, entry, again)
            fail();
        else
            told = again.status == CM_DEADLOCK;
        assert_int_equal(nums_remove(&shelf, 1, NULL), CM_OK); /* which needs no lock of the entry */
        *g.value = 1;
    }
    assert_true(told);
    assert_non_null(nums_entry_lock(entry));
    nums_entry_unlock(entry);
    nums_entry_release(entry);
    end();
}

static void keys_of_one_bucket_are_strangers(void **state) /* K2 */
{
    (void)state;
    ones one;
    ones_entry *entries[20];
    assert_int_equal(ones_init(&one, NULL), CM_OK);
    for (uint64_t i = 0; i < 20; i++) { /* L6: more locks than a block of holds has */
        assert_int_equal(ones_acquire(&one, i, i, &entries[i]), CM_OK);
        assert_non_null(ones_entry_lock(entries[i]));
    }
    for (uint64_t i = 20; i < 40; i++)
        assert_int_equal(ones_put(&one, i, i, NULL), CM_OK);
    for (uint64_t i = 0; i < 40; i += 2)
        assert_int_equal(ones_remove(&one, i, NULL), CM_OK);
    for (uint64_t i = 0; i < 20; i++) {
        assert_int_equal(ones_entry_unlock(entries[i]), CM_OK);
        ones_entry_release(entries[i]);
    }
    assert_int_equal(ones_len(&one), 20);
    assert_int_equal(ones_check(&one, NULL), CM_OK);
    ones_destroy(&one);
}

static pthread_barrier_t both;
static shards sharded;

static cm_status lock_five(uint64_t *value, void *result)
{
    (void)value;
    pthread_barrier_wait(&both);
    *(cm_status *)result = nums_put(&shelf, 5, 50, NULL);
    return CM_OK;
}

static void *update_six(void *result)
{
    nums_update(&shelf, 6, lock_five, result);
    return NULL;
}

static void *update_shard(void *result)
{
    shards_update(&sharded, 1, lock_five, result);
    return NULL;
}

static void circle(void *(*theirs)(void *), cm_status (*mine)(void))
{
    cm_status told = CM_OK, other = CM_OK;
    pthread_t thread;
    begin();
    assert_int_equal(shards_init(&sharded, NULL), CM_OK);
    assert_int_equal(shards_put(&sharded, 1, 1, NULL), CM_OK);
    pthread_barrier_init(&both, NULL, 2);
    nums_entry *five = entry_of(5);
    assert_non_null(nums_entry_lock(five));
    assert_int_equal(pthread_create(&thread, NULL, theirs, &other), 0);
    pthread_barrier_wait(&both);
    told = mine();
    assert_int_equal(nums_entry_unlock(five), CM_OK);
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&both);
    nums_entry_release(five);
    assert_true((told == CM_DEADLOCK) != (other == CM_DEADLOCK));
    shards_destroy(&sharded);
    end();
}

static cm_status put_six(void)
{
    return nums_put(&shelf, 6, 60, NULL);
}

static cm_status put_shard(void)
{
    return shards_put(&sharded, 1, 60, NULL);
}

static void a_circle_is_told_to_one(void **state)
{
    (void)state;
    circle(update_six, put_six);
    circle(update_shard, put_shard); /* which leads through another kind of map */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_has_the_entry_is_told),
        cmocka_unit_test(keys_of_one_bucket_are_strangers),
        cmocka_unit_test(a_circle_is_told_to_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
