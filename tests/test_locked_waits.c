/* The locked map: its locks, who is held up by them and who is not, deadlocks, and owners that died. */
#include <concmap/locked.h>
#include <concmap/sharded.h>
#include <sched.h>
#include <stdlib.h>

#include "boxes.h"
#include "crew.h"
#include "shelf.h"

#define MS 1000000

CM_LOCKED_MAP_OWNED(boxes, struct box, struct box, box_hash, box_equal, CM_OWNED(box_clone, box_destroy),
                    CM_OWNED(box_clone, box_destroy))

CM_SHARDED_MAP(shards, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)

/* Every key is in one bucket. */
static uint64_t one_hash(const uint64_t *key, uint64_t seed)
{
    (void)key, (void)seed;
    return 7;
}
CM_LOCKED_MAP(ones, uint64_t, uint64_t, one_hash, cm_equal_u64)

/* ---- who is held up ---- */

static pthread_barrier_t inside;

static cm_status meet(uint64_t *value, void *context)
{
    (void)context;
    pthread_barrier_wait(&inside); /* all are inside their values at once */
    ++*value;
    pthread_barrier_wait(&inside);
    return CM_OK;
}

static size_t work_on_own(void *context, unsigned thread)
{
    (void)context;
    nums_entry *entry;
    if (nums_acquire(&shelf, 1000 + thread, 0, &entry) != CM_OK)
        return 1;
    nums_entry_release(entry);
    return nums_update(&shelf, 1000 + thread, meet, NULL) != CM_OK;
}

static void each_works_on_its_own_element_at_once(void **state) /* from an empty map */
{
    (void)state;
    assert_int_equal(nums_init(&shelf, NULL), CM_OK);
    pthread_barrier_init(&inside, NULL, 10);
    assert_int_equal(crew_run(10, work_on_own, NULL), 0);
    pthread_barrier_destroy(&inside);
    for (uint64_t i = 0; i < 10; i++) {
        uint64_t value = 0;
        assert_true(nums_get(&shelf, 1000 + i, &value));
        assert_int_equal(value, 1);
    }
    end();
}

static void *hold_up(void *context)
{
    (void)context;
    nums_update(&shelf, 5, meet, NULL);
    return NULL;
}

static void a_held_value_holds_nothing_else_up(void **state) /* K2, K3, K7 */
{
    (void)state;
    uint64_t value = 0, key = 5;
    cm_status result = CM_OK;
    pthread_t thread;
    begin();
    pthread_barrier_init(&inside, NULL, 2);
    assert_int_equal(pthread_create(&thread, NULL, hold_up, NULL), 0);
    pthread_barrier_wait(&inside);
    /* 5 is locked by the other thread; everything else goes on, growth and the removal of 5 included. */
    assert_true(nums_contains(&shelf, 5));
    assert_int_equal(nums_try_get(&shelf, 5, &value), CM_BUSY);
    assert_int_equal(nums_get_until(&shelf, 5, &value, cm_deadline_after(MS)), CM_TIMEOUT);
    assert_int_equal(nums_try_put(&shelf, 5, 1, NULL), CM_BUSY);
    assert_int_equal(nums_put_until(&shelf, 5, 1, NULL, cm_deadline_after(MS)), CM_TIMEOUT);
    assert_int_equal(nums_try_update(&shelf, 5, count_up, NULL), CM_BUSY);
    assert_int_equal(nums_try_upsert(&shelf, 5, 1, count_up, NULL), CM_BUSY);
    assert_int_equal(nums_try_get_or_insert(&shelf, 5, 1, &value), CM_BUSY);
    assert_int_equal(nums_try_remove(&shelf, 5, &value), CM_BUSY);
    assert_int_equal(nums_try_put_many(&shelf, &key, &value, 1, &result), 0);
    assert_int_equal(result, CM_BUSY);
    assert_int_equal(nums_insert(&shelf, 5, 1), CM_EXISTS);
    assert_int_equal(nums_remove_when_unused(&shelf, 6), CM_OK);
    nums_entry *entry = entry_of(5);
    assert_null(nums_entry_try_lock(entry));
    assert_null(nums_entry_lock_until(entry, cm_deadline_after(MS)));
    assert_null(nums_entry_try_read_lock(entry));
    uint64_t *at;
    assert_int_equal(nums_entry_lock_status(entry, CM_TRY, &at), CM_BUSY);
    assert_int_equal(nums_entry_lock_status(entry, cm_deadline_after(MS), &at), CM_TIMEOUT);
    size_t seen[2] = {0, 0};
    assert_int_equal(nums_for_each(&shelf, count_seen, seen), CM_OK);
    assert_int_equal(seen[0], 8);
    assert_int_equal(nums_for_each_reporting(&shelf, count_seen, seen), CM_OK);
    assert_int_equal(seen[1], 1);
    for (uint64_t i = 100; i < 20000; i++)
        assert_int_equal(nums_put(&shelf, i, i, NULL), CM_OK);
    assert_int_equal(nums_settle(&shelf), CM_OK);
    assert_int_equal(nums_remove(&shelf, 5, NULL), CM_OK);
    assert_false(nums_entry_is_linked(entry));
    assert_int_equal(nums_insert(&shelf, 5, 500), CM_OK);
    assert_true(nums_get(&shelf, 5, &value));
    assert_int_equal(value, 500);
    pthread_barrier_wait(&inside);
    pthread_join(thread, NULL);
    assert_int_equal(*nums_entry_lock(entry), 6); /* what was under way came to its end */
    nums_entry_unlock(entry);
    nums_entry_release(entry);
    pthread_barrier_destroy(&inside);
    end();
}

static bool stop;

static size_t read_or_write(void *context, unsigned thread)
{
    (void)context;
    size_t wrong = 0;
    nums_entry *entry = nums_find(&shelf, 1);
    if (thread == 0) {
        for (int i = 0; i < 50; i++) {
            wrong += !nums_entry_lock(entry);
            nums_entry_unlock(entry);
        }
        __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    }
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        wrong += !nums_entry_read_lock(entry);
        nums_entry_read_unlock(entry);
    }
    nums_entry_release(entry);
    return wrong;
}

static void a_writer_comes_in_among_readers(void **state) /* K5 */
{
    (void)state;
    begin();
    stop = false;
    assert_int_equal(crew_run(4, read_or_write, NULL), 0);
    end();
}

/* Sixteen threads on one entry, more than there are processors: holders lose theirs, and everybody goes on. */
static size_t count_by_entry(void *context, unsigned thread)
{
    size_t n = *(const size_t *)context, wrong = 0;
    nums_entry *entry = nums_find(&shelf, 1);
    for (size_t i = 0; i < n; i++) {
        uint64_t *value = NULL;
        wrong += nums_entry_lock_status(entry, cm_deadline_after(30000000000), &value) != CM_OK;
        if (!value)
            break;
        ++*value;
        if (i % 64 == thread)
            sched_yield();
        wrong += nums_entry_unlock(entry) != CM_OK;
        wrong += nums_update_until(&shelf, 1, count_up, NULL, cm_deadline_after(30000000000)) != CM_OK;
    }
    nums_entry_release(entry);
    return wrong;
}

static void K6_holders_that_lose_their_processor_hold_up_for_a_while_only(void **state)
{
    (void)state;
    size_t n = crew_scale(2000);
    uint64_t value = 0;
    begin();
    assert_int_equal(crew_run(16, count_by_entry, &n), 0);
    assert_true(nums_get(&shelf, 1, &value));
    assert_int_equal(value, 1 + 16 * 2 * n);
    end();
}

static cm_status fill_in(uint64_t *value, void *context)
{
    (void)context;
    pthread_barrier_wait(&inside);
    pthread_barrier_wait(&inside);
    for (int i = 0; i < 100; i++) { /* in the entry's own memory still */
        *value = 4711;
        sched_yield();
        if (*value != 4711)
            return CM_CORRUPT;
    }
    return CM_OK;
}

static void *update_nine(void *context)
{
    *(cm_status *)context = nums_update(&shelf, 9, fill_in, NULL);
    return NULL;
}

static void a_node_is_not_used_again_while_it_is_locked(void **state) /* E5 of detail/locked.h */
{
    (void)state;
    cm_status status = CM_OK;
    pthread_t thread;
    begin();
    pthread_barrier_init(&inside, NULL, 2);
    assert_int_equal(pthread_create(&thread, NULL, update_nine, &status), 0);
    pthread_barrier_wait(&inside);
    assert_int_equal(nums_remove(&shelf, 9, NULL), CM_OK);
    for (int round = 0; round < 4; round++) { /* all nodes come and go */
        for (uint64_t i = 100; i < 5000; i++)
            assert_int_equal(nums_put(&shelf, i, i, NULL), CM_OK);
        for (uint64_t i = 100; i < 5000; i++)
            assert_int_equal(nums_remove(&shelf, i, NULL), CM_OK);
        nums_settle(&shelf);
    }
    for (uint64_t i = 100; i < 5000; i++)
        assert_int_equal(nums_insert(&shelf, i, i), CM_OK);
    pthread_barrier_wait(&inside);
    pthread_join(thread, NULL);
    assert_int_equal(status, CM_OK);
    for (uint64_t i = 100; i < 5000; i++) {
        uint64_t value = 0;
        assert_int_equal(nums_try_get(&shelf, i, &value), CM_OK);
        assert_int_equal(value, i);
    }
    pthread_barrier_destroy(&inside);
    assert_int_equal(nums_settle(&shelf), CM_OK);
    end();
}

static void *update_five(void *status)
{
    *(cm_status *)status = nums_update(&shelf, 5, count_up, NULL);
    return NULL;
}

/* Who waited for a lock does nothing to an entry that was removed meanwhile, but looks the key up again. */
static void who_waited_looks_again(void **state)
{
    (void)state;
    for (int again = 0; again < 2; again++) {
        cm_status status = CM_IO;
        uint64_t value = 0;
        pthread_t thread;
        begin();
        nums_entry *entry = entry_of(5);
        assert_non_null(nums_entry_lock(entry));
        assert_int_equal(pthread_create(&thread, NULL, update_five, &status), 0);
        while (__atomic_load_n(&shelf.core.waiters.count, __ATOMIC_ACQUIRE) == 0)
            sched_yield();
        assert_int_equal(nums_remove(&shelf, 5, NULL), CM_OK);
        if (again)
            assert_int_equal(nums_insert(&shelf, 5, 500), CM_OK);
        assert_int_equal(nums_entry_unlock(entry), CM_OK);
        pthread_join(thread, NULL);
        assert_int_equal(status, again ? CM_OK : CM_ABSENT);
        assert_int_equal(nums_get(&shelf, 5, &value), again);
        assert_int_equal(value, again ? 501 : 0);
        assert_int_equal(*nums_entry_lock(entry), 5);
        nums_entry_unlock(entry);
        nums_entry_release(entry);
        end();
    }
}

/* ---- deadlocks ---- */

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

/* ---- threads that end ---- */

static void *end_with_the_lock(void *context)
{
    (void)context;
    nums_entry *entry = nums_find(&shelf, 1);
    uint64_t *value = nums_entry_lock(entry);
    *value = 4711;
    nums_entry_release(entry_of(1));
    return NULL; /* with the lock, and a use of the entry, which nobody gives back */
}

static cm_status end_the_thread(uint64_t *value, void *context)
{
    (void)context;
    *value = 4712;
    pthread_exit(NULL);
}

static void *end_in_a_function(void *context)
{
    (void)context;
    nums_update(&shelf, 2, end_the_thread, NULL);
    return NULL;
}

static void an_owner_that_died_is_told(void **state) /* L8 */
{
    (void)state;
    uint64_t value = 0, *at;
    begin();
    in_thread(end_with_the_lock, NULL);
    in_thread(end_in_a_function, NULL);
    nums_entry *entry = entry_of(1);
    assert_null(nums_entry_lock(entry));
    assert_null(nums_entry_try_read_lock(entry));
    assert_int_equal(nums_entry_lock_status(entry, CM_FOREVER, &at), CM_OWNER_DIED);
    assert_false(nums_get(&shelf, 1, &value));
    assert_int_equal(nums_get_until(&shelf, 1, &value, CM_FOREVER), CM_OWNER_DIED);
    assert_int_equal(nums_update(&shelf, 1, count_up, NULL), CM_OWNER_DIED);
    size_t seen[2] = {0, 0};
    assert_int_equal(nums_for_each_reporting(&shelf, count_seen, seen), CM_OK);
    assert_int_equal(seen[1], 2);
    uint64_t *broken = nums_entry_recover(entry);
    assert_int_equal(*broken, 4711);
    *broken = 1;
    assert_int_equal(nums_entry_unlock(entry), CM_OK);
    assert_int_equal(nums_update(&shelf, 1, count_up, NULL), CM_OK);
    nums_entry_release(entry);
    assert_int_equal(nums_put(&shelf, 2, 7, NULL), CM_REPLACED); /* a new value is sound */
    assert_true(nums_get(&shelf, 2, &value));
    in_thread(end_in_a_function, NULL);
    entry = entry_of(2);
    assert_int_equal(nums_entry_discard(entry), CM_OK);
    nums_entry_release(entry);
    assert_int_equal(nums_insert(&shelf, 2, 2), CM_OK);
    in_thread(end_in_a_function, NULL);
    assert_int_equal(nums_remove(&shelf, 2, &value), CM_OK);
    assert_int_equal(value, 4712);
    end();
}

static void *lock_and_end(void *entry)
{
    boxes_entry_lock(entry);
    return NULL;
}

/* A removal that fails leaves the mark of the owner that died to those who come after it; a new value takes it away. */
static void a_failed_removal_leaves_the_mark(void **state)
{
    (void)state;
    cm_config owned = config();
    boxes map;
    boxes_entry *entry;
    struct box key = box_of(1), old;
    assert_int_equal(boxes_init(&map, &owned), CM_OK);
    assert_int_equal(boxes_acquire(&map, key, box_of(1), &entry), CM_OK);
    in_thread(lock_and_end, entry);
    assert_int_equal(boxes_update(&map, key, add_ten, NULL), CM_OWNER_DIED);
    all.fail_at = all.clones + 1;
    assert_int_equal(boxes_remove(&map, key, &old), CM_NOMEM);
    assert_int_equal(boxes_update(&map, key, add_ten, NULL), CM_OWNER_DIED);
    assert_int_equal(boxes_put(&map, key, box_of(5), NULL), CM_REPLACED);
    assert_int_equal(boxes_update(&map, key, add_ten, NULL), CM_OK);
    boxes_entry_release(entry);
    box_destroy(&key, &all);
    boxes_destroy(&map);
    assert_int_equal(all.live, 0);
}

static bool is_told(boxes *map, struct box key)
{
    struct box got, spare = box_of(0);
    size_t clones = all.clones;
    bool told = !boxes_get(map, key, &got) && boxes_try_get(map, key, &got) == CM_OWNER_DIED;
    told &= boxes_update(map, key, add_ten, NULL) == CM_OWNER_DIED;
    told &= boxes_upsert(map, key, spare, add_ten, NULL) == CM_OWNER_DIED;
    told &= boxes_remove_if(map, key, add_ten, NULL, &got) == CM_OWNER_DIED;
    box_destroy(&spare, &all);
    return told && all.clones == clones; /* nobody has looked at the value */
}

/* What a dead thread was changing is cloned by nobody who is not told, and destroyed once, whoever gets past it. */
static void an_owner_that_died_leaves_an_owned_value_to_others(void **state)
{
    (void)state;
    cm_config owned = config();
    boxes map;
    boxes_entry *entry;
    struct box key = box_of(1), got;
    assert_int_equal(boxes_init(&map, &owned), CM_OK);
    assert_int_equal(boxes_acquire(&map, key, box_of(10), &entry), CM_OK);
    in_thread(lock_and_end, entry);
    assert_true(is_told(&map, key));
    assert_int_equal(boxes_put(&map, key, box_of(20), &got), CM_REPLACED); /* the old one is given out */
    assert_int_equal(drop(got), 10);
    in_thread(lock_and_end, entry);
    assert_int_equal(boxes_put(&map, key, box_of(30), NULL), CM_REPLACED); /* or destroyed */
    in_thread(lock_and_end, entry);
    assert_true(is_told(&map, key));
    assert_int_equal(boxes_remove(&map, key, &got), CM_OK); /* a clone is given out, and the users keep theirs */
    assert_int_equal(drop(got), 30);
    assert_null(boxes_entry_lock(entry)); /* for whom it is as it was */
    assert_int_equal(*boxes_entry_recover(entry)->number, 30);
    assert_int_equal(boxes_entry_unlock(entry), CM_OK);
    boxes_entry_release(entry);
    assert_int_equal(boxes_acquire(&map, key, box_of(40), &entry), CM_OK);
    in_thread(lock_and_end, entry);
    assert_int_equal(*boxes_entry_recover(entry)->number, 40);
    assert_int_equal(boxes_entry_unlock(entry), CM_OK);
    in_thread(lock_and_end, entry);
    assert_int_equal(boxes_entry_discard(entry), CM_OK);
    boxes_entry_release(entry);
    assert_int_equal(boxes_acquire(&map, key, box_of(50), &entry), CM_OK);
    in_thread(lock_and_end, entry);
    boxes_entry_release(entry); /* which nobody gets past: the map destroys it */
    box_destroy(&key, &all);
    boxes_destroy(&map);
    assert_int_equal(all.live, 0);
}

static cm_status change_and_end(struct box *value, void *map)
{
    struct box key = box_of(1);
    *value->number = 66;
    if (map) /* so that the use of this call is the last one */
        boxes_remove(map, key, NULL);
    box_destroy(&key, &all);
    pthread_exit(NULL);
}

static void *end_in_a_call(void *context)
{
    void **call = context;
    struct box *key = call[1];
    if (call[3])
        boxes_remove_if(call[0], *key, change_and_end, call[2], NULL);
    else
        boxes_update(call[0], *key, change_and_end, call[2]);
    return NULL;
}

/* The use of a call whose function ends its thread is given back, also the last one. */
static void a_call_that_ends_its_thread_gives_its_use_back(void **state)
{
    (void)state;
    cm_config owned = config();
    boxes map;
    struct box key = box_of(1);
    assert_int_equal(boxes_init(&map, &owned), CM_OK);
    for (uintptr_t i = 0; i < 6; i++) {
        void *call[] = {&map, &key, i % 3 == 1 ? &map : NULL, (void *)(i % 2)};
        assert_int_equal(boxes_put(&map, key, box_of(i), NULL), CM_OK);
        in_thread(end_in_a_call, call);
        if (i % 3 == 0) {
            assert_true(is_told(&map, key));
            assert_int_equal(boxes_remove(&map, key, NULL), CM_OK);
        } else if (i % 3 == 2) {
            assert_int_equal(boxes_remove_when_unused(&map, key), CM_OK); /* nobody uses it */
        }
        assert_false(boxes_contains(&map, key));
    }
    assert_int_equal(boxes_settle(&map), CM_OK); /* keys wait for readers */
    assert_int_equal(all.live, 1);
    box_destroy(&key, &all);
    boxes_destroy(&map);
    assert_int_equal(all.live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_works_on_its_own_element_at_once),
        cmocka_unit_test(a_held_value_holds_nothing_else_up),
        cmocka_unit_test(a_writer_comes_in_among_readers),
        cmocka_unit_test(K6_holders_that_lose_their_processor_hold_up_for_a_while_only),
        cmocka_unit_test(a_node_is_not_used_again_while_it_is_locked),
        cmocka_unit_test(who_waited_looks_again),
        cmocka_unit_test(who_has_the_entry_is_told),
        cmocka_unit_test(keys_of_one_bucket_are_strangers),
        cmocka_unit_test(a_circle_is_told_to_one),
        cmocka_unit_test(an_owner_that_died_is_told),
        cmocka_unit_test(a_failed_removal_leaves_the_mark),
        cmocka_unit_test(an_owner_that_died_leaves_an_owned_value_to_others),
        cmocka_unit_test(a_call_that_ends_its_thread_gives_its_use_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
