/* The locked map: entries that outlive everything but their users, their locks, and who is not held up by them. */
#include <concmap/locked.h>
#include <concmap/printed.h>
#include <concmap/sharded.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "boxes.h"
#include "crew.h"
#include "failing_allocator.h"
#include "shared_type.h"
#include "texts.h"
#include "unit.h"

#define MS 1000000

CM_LOCKED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_LOCKED_MAP(texts, cm_str, uint64_t, cm_hash_str, cm_equal_str)
CM_LOCKED_MAP_OWNED(boxes, struct box, struct box, box_hash, box_equal, CM_OWNED(box_clone, box_destroy),
                    CM_OWNED(box_clone, box_destroy))
CM_SHARDED_MAP(shards, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_PRINTED(nums, cm_print_u64, cm_print_u64)

/* Every key is in one bucket. */
static uint64_t one_hash(const uint64_t *key, uint64_t seed)
{
    (void)key, (void)seed;
    return 7;
}
CM_LOCKED_MAP(ones, uint64_t, uint64_t, one_hash, cm_equal_u64)

static nums shelf;

static void begin(void)
{
    assert_int_equal(nums_init(&shelf, NULL), CM_OK);
    for (uint64_t i = 0; i < 10; i++)
        assert_int_equal(nums_put(&shelf, i, i, NULL), CM_OK);
}

static void end(void)
{
    assert_int_equal(nums_check(&shelf, NULL), CM_OK);
    assert_int_equal(shelf.core.waiters.count, 0);
    nums_destroy(&shelf);
}

static nums_entry *entry_of(uint64_t key)
{
    nums_entry *entry = NULL;
    assert_int_equal(nums_acquire(&shelf, key, key, &entry), CM_OK);
    return entry;
}

static void in_thread(void *(*work)(void *), void *context)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, work, context), 0);
    pthread_join(thread, NULL);
}

static cm_status count_up(uint64_t *value, void *context)
{
    (void)context;
    ++*value;
    return CM_OK;
}

/* ---- entries ---- */

static void acquire_finds_or_creates(void **state)
{
    (void)state;
    begin();
    nums_entry *first = entry_of(100), *again = entry_of(100);
    assert_ptr_equal(first, again);
    assert_ptr_equal(nums_find(&shelf, 100), first);
    assert_null(nums_find(&shelf, 101));
    assert_int_equal(*nums_entry_key(first), 100);
    assert_int_equal(nums_len(&shelf), 11);
    *nums_entry_lock(first) = 5;
    assert_int_equal(nums_entry_unlock(first), CM_OK);
    assert_int_equal(nums_entry_unlock(first), CM_INVALID);
    assert_int_equal(*nums_entry_read_lock(again), 5);
    assert_int_equal(*nums_entry_read_lock(again), 5); /* shared, by the same thread too */
    assert_int_equal(nums_entry_read_unlock(again), CM_OK);
    assert_int_equal(nums_entry_unlock(again), CM_INVALID);
    assert_int_equal(nums_entry_read_unlock(again), CM_OK);
    for (int i = 0; i < 3; i++)
        nums_entry_release(first);
    nums_entry_release(NULL);
    end();
}

static void an_entry_outlives_its_removal(void **state) /* L1, L9 */
{
    (void)state;
    cm_config owned = config();
    boxes map;
    boxes_entry *entry, *other;
    assert_int_equal(boxes_init(&map, &owned), CM_OK);
    struct box key = box_of(1);
    assert_int_equal(boxes_acquire(&map, key, box_of(10), &entry), CM_OK);
    assert_int_equal(boxes_acquire(&map, key, box_of(11), &other), CM_OK); /* 11 is destroyed */
    assert_ptr_equal(entry, other);
    assert_true(boxes_entry_is_linked(entry));
    assert_int_equal(boxes_remove(&map, key, NULL), CM_OK);
    assert_false(boxes_entry_is_linked(entry));
    assert_int_equal(boxes_len(&map), 0);
    boxes_entry_release(other);
    for (uint64_t i = 0; i < 1000; i++) { /* others take its place */
        struct box next = box_of(i);
        assert_int_equal(boxes_put(&map, next, box_of(i), NULL), CM_OK);
        box_destroy(&next, &all);
    }
    assert_int_equal(*boxes_entry_lock(entry)->number, 10);
    assert_int_equal(*boxes_entry_key(entry)->number, 1);
    assert_int_equal(boxes_entry_unlock(entry), CM_OK);
    size_t before = all.live;
    boxes_entry_release(entry);
    assert_true(all.live <= before - 1); /* the value at once; the key when no look-up can compare it */
    struct box got;
    assert_true(boxes_get(&map, key, &got));
    assert_int_equal(drop(got), 1);
    assert_int_equal(boxes_remove(&map, key, &got), CM_OK);
    assert_int_equal(drop(got), 1);
    box_destroy(&key, &all);
    boxes_destroy(&map);
    assert_int_equal(all.live, 0);
}

static void what_is_not_taken_is_destroyed_once(void **state)
{
    (void)state;
    cm_config owned = config();
    boxes map;
    struct box key = box_of(1), old;
    assert_int_equal(boxes_init(&map, &owned), CM_OK);
    assert_int_equal(boxes_insert(&map, key, box_of(1)), CM_OK);
    assert_int_equal(boxes_insert(&map, key, box_of(2)), CM_EXISTS);
    assert_int_equal(boxes_put(&map, key, box_of(3), NULL), CM_REPLACED);
    assert_int_equal(boxes_put(&map, key, box_of(4), &old), CM_REPLACED);
    assert_int_equal(drop(old), 3);
    assert_int_equal(boxes_upsert(&map, key, box_of(5), add_ten, NULL), CM_REPLACED);
    assert_int_equal(boxes_get_or_insert(&map, key, box_of(6), &old), CM_EXISTS);
    assert_int_equal(drop(old), 14);
    assert_int_equal(boxes_get_or_insert(&map, key, box_of(6), NULL), CM_EXISTS);
    assert_int_equal(boxes_get_or_insert_with(&map, key, make_seven, NULL, NULL), CM_EXISTS);
    assert_int_equal(boxes_remove_if(&map, key, refuse, NULL, NULL), CM_IO);
    all.fail_at = all.clones + 1;
    assert_int_equal(boxes_remove(&map, key, &old), CM_NOMEM); /* no copy, no removal */
    assert_int_equal(boxes_remove_if(&map, key, add_ten, NULL, &old), CM_OK);
    assert_int_equal(drop(old), 24);
    assert_int_equal(boxes_get_or_insert_with(&map, key, refuse, NULL, NULL), CM_IO);
    assert_int_equal(boxes_get_or_insert_with(&map, key, make_seven, NULL, &old), CM_OK);
    assert_int_equal(drop(old), 7);
    assert_int_equal(boxes_clear(&map), CM_OK);
    assert_int_equal(boxes_len(&map), 0);
    box_destroy(&key, &all);
    boxes_destroy(&map);
    assert_int_equal(all.live, 0);
}

static void spent_entries_go_with_their_last_user(void **state)
{
    (void)state;
    begin();
    assert_int_equal(nums_remove_when_unused(&shelf, 1), CM_OK);
    assert_int_equal(nums_remove_when_unused(&shelf, 1), CM_ABSENT);
    nums_entry *entry = entry_of(2), *other = entry_of(2);
    assert_int_equal(nums_remove_when_unused(&shelf, 2), CM_EXISTS);
    nums_entry_release(other);
    assert_true(nums_contains(&shelf, 2)); /* for all, until then */
    assert_int_equal(nums_put(&shelf, 2, 22, NULL), CM_REPLACED);
    nums_entry_release(entry);
    assert_false(nums_contains(&shelf, 2));
    entry = entry_of(3);
    assert_int_equal(nums_remove_when_unused(&shelf, 3), CM_EXISTS);
    assert_int_equal(nums_remove(&shelf, 3, NULL), CM_OK);
    assert_int_equal(nums_insert(&shelf, 3, 33), CM_OK); /* another one, which is not spent */
    nums_entry_release(entry);
    assert_true(nums_contains(&shelf, 3));
    assert_int_equal(nums_len(&shelf), 8);
    end();
}

static void discard_takes_out_that_very_entry(void **state)
{
    (void)state;
    begin();
    nums_entry *entry = entry_of(1);
    assert_int_equal(nums_remove(&shelf, 1, NULL), CM_OK);
    assert_int_equal(nums_insert(&shelf, 1, 7), CM_OK);
    assert_int_equal(nums_entry_discard(entry), CM_ABSENT); /* the key has another one */
    nums_entry_release(entry);
    entry = entry_of(1);
    assert_non_null(nums_entry_lock(entry));
    assert_int_equal(nums_entry_discard(entry), CM_OK);
    assert_false(nums_entry_is_linked(entry));
    nums_entry_unlock(entry);
    nums_entry_release(entry);
    assert_false(nums_contains(&shelf, 1));
    end();
}

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

static cm_status count_seen(const uint64_t *key, const uint64_t *value, void *seen)
{
    (void)key;
    ((size_t *)seen)[value == NULL]++;
    return CM_OK;
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

static void a_walk_holds_no_lock(void **state) /* K3 */
{
    (void)state;
    size_t visits = 0;
    begin();
    CM_FOREACH (nums, &shelf, it) {
        visits++;
        assert_int_equal(*nums_entry_key(it.entry), it.key);
        assert_int_equal(nums_put(&shelf, it.key, it.key + 1, NULL), CM_REPLACED);
        assert_int_equal(nums_put(&shelf, it.key + 100, 0, NULL) >= 0, true);
        assert_int_equal(nums_remove(&shelf, it.key + 100, NULL), CM_OK);
        CM_WITH_ENTRY (nums, it.entry, g)
            assert_int_equal(*g.value, it.key + 1);
        else
            fail();
        if (it.key == 3)
            assert_int_equal(nums_remove(&shelf, 3, NULL), CM_OK);
    }
    assert_true(visits >= 10);
    CM_FOREACH (nums, &shelf, it)
        if (it.key == 7)
            break;
    assert_int_equal(nums_len(&shelf), 9);
    end();
}

static cm_status swallow(void *context, const char *text, size_t size)
{
    (void)text;
    *(size_t *)context += size;
    return CM_OK;
}

static void it_prints_and_tells_figures(void **state)
{
    (void)state;
    size_t size = 0;
    cm_stats stats;
    begin();
    assert_int_equal(nums_print(&shelf, swallow, &size), CM_OK);
    assert_true(size > 50);
    nums_stats(&shelf, &stats);
    assert_int_equal(stats.entries, 10);
    nums_entry *entry = entry_of(1);
    assert_non_null(nums_entry_read_lock(entry));
    assert_int_equal(nums_print(&shelf, swallow, &size), CM_OK);
    nums_entry_read_unlock(entry);
    nums_entry_release(entry);
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

/* ---- many threads ---- */

static size_t acquire_same(void *context, unsigned thread)
{
    boxes *map = context;
    size_t wrong = 0;
    for (uint64_t i = 0; i < 200; i++) {
        struct box key = box_of(i);
        boxes_entry *entry;
        wrong += boxes_acquire(map, key, box_of(thread), &entry) != CM_OK;
        struct box *value = boxes_entry_lock(entry);
        *value->number += 1000;
        boxes_entry_unlock(entry);
        boxes_entry_release(entry);
        box_destroy(&key, &all);
    }
    return wrong;
}

static void one_initial_value_is_kept(void **state) /* E1, E3 */
{
    (void)state;
    cm_config owned = config();
    boxes map;
    assert_int_equal(boxes_init(&map, &owned), CM_OK);
    assert_int_equal(crew_run(4, acquire_same, &map), 0);
    assert_int_equal(boxes_len(&map), 200);
    for (uint64_t i = 0; i < 200; i++) {
        struct box key = box_of(i), value;
        assert_true(boxes_get(&map, key, &value));
        uint64_t number = drop(value);
        assert_int_equal(number / 1000, 4);
        assert_true(number % 1000 < 4);
        box_destroy(&key, &all);
    }
    boxes_destroy(&map);
    assert_int_equal(all.live, 0);
}

static size_t count_and_grow(void *context, unsigned thread)
{
    size_t wrong = 0;
    size_t n = *(const size_t *)context;
    for (size_t i = 0; i < n; i++) {
        uint64_t value;
        wrong += nums_upsert(&shelf, 500, 1, count_up, NULL) < 0;
        wrong += nums_update(&shelf, 1, count_up, NULL) != CM_OK;
        nums_entry *entry;
        wrong += nums_acquire(&shelf, 2, 0, &entry) != CM_OK;
        ++*nums_entry_lock(entry);
        nums_entry_unlock(entry);
        nums_entry_release(entry);
        uint64_t key = 1000 + (uint64_t)thread * n + i;
        wrong += nums_insert(&shelf, key, key) != CM_OK;
        wrong += !nums_get(&shelf, key, &value) || value != key;
    }
    return wrong;
}

static void no_update_is_lost_while_it_grows(void **state) /* E2, E3, E6, G2 */
{
    (void)state;
    size_t n = crew_scale(20000);
    uint64_t value = 0;
    begin();
    assert_int_equal(crew_run(4, count_and_grow, &n), 0);
    assert_true(nums_get(&shelf, 500, &value));
    assert_int_equal(value, 4 * n);
    assert_true(nums_get(&shelf, 1, &value));
    assert_int_equal(value, 4 * n + 1);
    assert_true(nums_get(&shelf, 2, &value));
    assert_int_equal(value, 4 * n + 2);
    assert_int_equal(nums_len(&shelf), 11 + 4 * n);
    size_t seen[2] = {0, 0};
    assert_int_equal(nums_for_each(&shelf, count_seen, seen), CM_OK);
    assert_int_equal(seen[0], 11 + 4 * n);
    end();
}

static size_t removed[4];

static size_t remove_same(void *context, unsigned thread)
{
    (void)context;
    size_t wrong = 0;
    removed[thread] = 0;
    for (uint64_t i = 0; i < 5000; i++) {
        uint64_t value = 0;
        cm_status status = nums_remove(&shelf, 10000 + i, (thread & 1) ? &value : NULL);
        wrong += status != CM_OK && status != CM_ABSENT;
        wrong += status == CM_OK && (thread & 1) && value != i;
        removed[thread] += status == CM_OK;
    }
    return wrong;
}

static void one_of_two_removers_gets_it(void **state) /* E4 */
{
    (void)state;
    begin();
    for (uint64_t i = 0; i < 5000; i++)
        assert_int_equal(nums_insert(&shelf, 10000 + i, i), CM_OK);
    assert_int_equal(crew_run(4, remove_same, NULL), 0);
    assert_int_equal(removed[0] + removed[1] + removed[2] + removed[3], 5000);
    assert_int_equal(nums_len(&shelf), 10);
    end();
}

static uint64_t taken_out[4];

static size_t add_and_take_out(void *context, unsigned thread)
{
    size_t n = *(const size_t *)context, wrong = 0;
    taken_out[thread] = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t value = 0;
        wrong += nums_upsert(&shelf, i % 2, 1, count_up, NULL) < 0;
        if (thread % 2 && nums_remove(&shelf, i % 2, &value) == CM_OK)
            taken_out[thread] += value;
    }
    return wrong;
}

static void no_update_is_lost_to_a_removal(void **state) /* E2, E4 */
{
    (void)state;
    size_t n = crew_scale(100000);
    uint64_t sum = 0;
    assert_int_equal(nums_init(&shelf, NULL), CM_OK);
    assert_int_equal(crew_run(4, add_and_take_out, &n), 0);
    for (uint64_t i = 0; i < 4; i++) {
        uint64_t value = 0;
        nums_get(&shelf, i % 2, i < 2 ? &value : NULL);
        sum += taken_out[i] + value;
    }
    assert_int_equal(sum, 4 * n);
    end();
}

/* Threads acquire, lock, remove, discard and spend the same few entries. Each value is a box; who has it locked makes
 * it its own for a moment, and it must be there. */
static size_t hammer(void *context, unsigned thread)
{
    boxes *map = context;
    uint64_t random = 88172645463325252u + thread;
    size_t wrong = 0;
    for (size_t i = crew_scale(20000); i > 0; i--) {
        uint64_t dice = crew_random(&random), number = dice >> 8;
        struct box key = box_of(number % 8), got;
        boxes_entry *entry = NULL;
        switch (dice % 8) {
        case 0:
            wrong += boxes_remove(map, key, NULL) < 0;
            break;
        case 1:
            if (boxes_remove(map, key, &got) == CM_OK)
                wrong += drop(got) == 0xdead;
            break;
        case 2:
            wrong += boxes_remove_when_unused(map, key) < 0;
            break;
        case 3:
            if (boxes_get(map, key, &got))
                wrong += drop(got) == 0xdead;
            break;
        case 4:
            CM_FOREACH (boxes, map, it)
                wrong += *it.key.number >= 8;
            break;
        default:
            wrong += boxes_acquire(map, key, box_of(1), &entry) != CM_OK;
            CM_WITH_ENTRY (boxes, entry, g) {
                wrong += *g.value->number != 1;
                *g.value->number = 2;
                if (dice & 64)
                    sched_yield();
                *g.value->number = 1;
                if (dice & 128)
                    wrong += boxes_entry_discard(entry) < 0;
            }
            wrong += *boxes_entry_key(entry)->number != number % 8;
            boxes_entry_release(entry);
        }
        box_destroy(&key, &all);
    }
    return wrong;
}

static void entries_come_and_go(void **state) /* L4, L9, E9 */
{
    (void)state;
    cm_config owned = config();
    boxes map;
    assert_int_equal(boxes_init(&map, &owned), CM_OK);
    assert_int_equal(crew_run(4, hammer, &map), 0);
    assert_int_equal(boxes_check(&map, NULL), CM_OK);
    boxes_destroy(&map);
    assert_int_equal(all.live, 0);
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

/* Both words of a pair are always written alike; to copy one takes its time. */
struct pair {
    uint64_t a, rest[500], b;
};
CM_LOCKED_MAP(pairs, uint64_t, struct pair, cm_hash_u64, cm_equal_u64)
static pairs paired;

static cm_status step_pair(struct pair *pair, void *context)
{
    (void)context;
    pair->a++;
    pair->b++;
    return CM_OK;
}

static size_t copy_pairs(void *context, unsigned thread)
{
    (void)context;
    size_t wrong = 0;
    for (size_t i = 0; i < crew_scale(50000); i++) {
        struct pair pair;
        if (thread % 2)
            wrong += pairs_update(&paired, i % 3, step_pair, NULL) != CM_OK;
        else if (pairs_get(&paired, i % 3, &pair))
            wrong += pair.a != pair.b;
        else
            wrong++;
    }
    return wrong;
}

static void copies_without_the_lock_are_whole(void **state)
{
    (void)state;
    assert_int_equal(pairs_init(&paired, NULL), CM_OK);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(pairs_put(&paired, i, (struct pair){0}, NULL), CM_OK);
    assert_int_equal(crew_run(4, copy_pairs, NULL), 0);
    pairs_destroy(&paired);
}

/* ---- failures, sizes, growth ---- */

static cm_status spoil(uint64_t *value, void *context)
{
    (void)context;
    *value = 999;
    return CM_IO;
}

static void a_function_that_fails_changes_nothing(void **state) /* K4 */
{
    (void)state;
    uint64_t value = 0;
    begin();
    assert_int_equal(nums_update(&shelf, 1, spoil, NULL), CM_IO);
    assert_int_equal(nums_upsert(&shelf, 1, 5, spoil, NULL), CM_IO);
    assert_int_equal(nums_get_or_insert_with(&shelf, 100, spoil, NULL, &value), CM_IO);
    assert_true(nums_get(&shelf, 1, &value));
    assert_int_equal(value, 1);
    assert_false(nums_contains(&shelf, 100));
    assert_int_equal(nums_update(&shelf, 1, count_up, NULL), CM_OK);
    end();
}

/* Returns whether all of it went well. */
static bool fill_some(texts *map)
{
    bool well = true;
    for (uint64_t i = 0; i < 300; i++) {
        texts_entry *entry;
        cm_status status = texts_acquire(map, text_of(i, 600), i, &entry);
        assert_true(status == CM_OK || status == CM_NOMEM);
        if (status == CM_OK)
            texts_entry_release(entry);
        well &= status == CM_OK;
    }
    cm_status status = texts_clear(map);
    assert_true(status == CM_OK || status == CM_NOMEM);
    return well && status == CM_OK;
}

static void the_nth_allocation_fails(void **state) /* M1, L10, G1 */
{
    (void)state;
    bool well = false;
    for (size_t n = 1; !well || n < 5; n += n < 40 ? 1 : n / 8) {
        struct failing_allocator memory;
        failing_allocator_init(&memory);
        memory.misaligned = true;
        texts map;
        assert_int_equal(texts_init(&map, &(cm_config){.allocator = &memory.allocator}), CM_OK);
        failing_allocator_fail_at(&memory, n);
        well = fill_some(&map);
        failing_allocator_restart(&memory);
        assert_true(fill_some(&map)); /* a retry succeeds */
        assert_int_equal(texts_check(&map, NULL), CM_OK);
        texts_destroy(&map);
        assert_int_equal(memory.live_blocks, 0);
        assert_int_equal(memory.mistakes, 0);
    }
}

static void sizes_are_refused_or_work(void **state) /* M2, G3, G5 */
{
    (void)state;
    static const size_t capacities[] = {0, 1, 2, 1000, 4096};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(nums_init(&shelf, &(cm_config){.capacity = capacities[i], .shrink = true}), CM_OK);
        for (uint64_t k = 0; k < 3000; k++)
            assert_int_equal(nums_put(&shelf, k, k, NULL), CM_OK);
        for (uint64_t k = 10; k < 3000; k++)
            assert_int_equal(nums_remove(&shelf, k, NULL), CM_OK);
        assert_int_equal(nums_shrink_to_fit(&shelf), CM_OK);
        assert_int_equal(nums_len(&shelf), 10);
        for (uint64_t k = 10; k < 20000 && nums_insert(&shelf, k, k) == CM_OK; k++)
            ; /* destroyed amid growth, maybe */
        end();
    }
    assert_int_equal(nums_init(&shelf, &(cm_config){.capacity = SIZE_MAX}), CM_NOMEM);
    assert_int_equal(nums_init(&shelf, &(cm_config){.references = CM_DOMAIN}), CM_INVALID);
    assert_int_equal(nums_init(&shelf, &(cm_config){.limit = 10}), CM_OK);
    for (uint64_t k = 0; k < 10; k++)
        assert_int_equal(nums_insert(&shelf, k, k), CM_OK);
    assert_int_equal(nums_insert(&shelf, 10, 1), CM_FULL);
    assert_int_equal(nums_remove(&shelf, 1, NULL), CM_OK);
    assert_int_equal(nums_insert(&shelf, 10, 1), CM_OK);
    end();
}

/* ---- chains of owners ---- */

/* A value that has the last use of another entry of the same map. */
struct link {
    void *next;
};

static size_t links_destroyed;

static cm_status link_clone(struct link *to, const struct link *from, void *context);
static void link_destroy(struct link *link, void *context);

CM_LOCKED_MAP_OWNED(links, uint64_t, struct link, cm_hash_u64, cm_equal_u64, CM_PLAIN,
                    CM_OWNED(link_clone, link_destroy))

static cm_status link_clone(struct link *to, const struct link *from, void *context)
{
    (void)to, (void)from, (void)context;
    return CM_INVALID;
}

static void link_destroy(struct link *link, void *context)
{
    (void)context;
    links_destroyed++;
    links_entry_release(link->next);
}

/* Rule 21. */
static void destructors_that_give_up_last_uses_do_not_nest(void **state)
{
    (void)state;
    enum { LINKS = 300000 };
    links map;
    links_entry *entry = NULL;
    links_destroyed = 0;
    assert_int_equal(links_init(&map, NULL), CM_OK);
    for (uint64_t i = 0; i < LINKS; i++) {
        assert_int_equal(links_acquire(&map, i, (struct link){entry}, &entry), CM_OK);
        assert_int_equal(links_remove(&map, i, NULL), CM_OK);
    }
    links_entry_release(entry);
    assert_int_equal(links_destroyed, LINKS);
    links_destroy(&map);
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

static void a_static_map_and_a_shared_type_work(void **state)
{
    (void)state;
    static nums resting = CM_MAP_INITIALIZER;
    uint64_t value = 0;
    assert_false(nums_get(&resting, 1, &value));
    size_t first = 0;
    for (int round = 0; round < 3; round++) { /* nodes are used again, not kept */
        for (uint64_t i = 0; i < 5000; i++)
            assert_int_equal(nums_insert(&resting, i, i), CM_OK);
        first = first ? first : nums_memory(&resting).nodes;
        assert_int_equal(nums_clear(&resting), CM_OK);
    }
    assert_true(nums_memory(&resting).nodes < 2 * first);
    nums_destroy(&resting);
    vaults own;
    vaults_entry *entry;
    assert_int_equal(vaults_init(&own, NULL), CM_OK);
    assert_int_equal(vaults_acquire(&own, cm_str_of("gold"), 1, &entry), CM_OK);
    CM_WITH_ENTRY (vaults, entry, g)
        ++*g.value;
    vaults_entry_release(entry);
    assert_true(vaults_get(&own, cm_str_of("gold"), &value));
    assert_int_equal(value, 2);
    vaults_destroy(&own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acquire_finds_or_creates),
        cmocka_unit_test(an_entry_outlives_its_removal),
        cmocka_unit_test(what_is_not_taken_is_destroyed_once),
        cmocka_unit_test(spent_entries_go_with_their_last_user),
        cmocka_unit_test(discard_takes_out_that_very_entry),
        cmocka_unit_test(each_works_on_its_own_element_at_once),
        cmocka_unit_test(a_held_value_holds_nothing_else_up),
        cmocka_unit_test(a_node_is_not_used_again_while_it_is_locked),
        cmocka_unit_test(a_walk_holds_no_lock),
        cmocka_unit_test(it_prints_and_tells_figures),
        cmocka_unit_test(who_has_the_entry_is_told),
        cmocka_unit_test(keys_of_one_bucket_are_strangers),
        cmocka_unit_test(a_circle_is_told_to_one),
        cmocka_unit_test(an_owner_that_died_is_told),
        cmocka_unit_test(one_initial_value_is_kept),
        cmocka_unit_test(no_update_is_lost_while_it_grows),
        cmocka_unit_test(one_of_two_removers_gets_it),
        cmocka_unit_test(no_update_is_lost_to_a_removal),
        cmocka_unit_test(entries_come_and_go),
        cmocka_unit_test(a_writer_comes_in_among_readers),
        cmocka_unit_test(copies_without_the_lock_are_whole),
        cmocka_unit_test(a_function_that_fails_changes_nothing),
        cmocka_unit_test(the_nth_allocation_fails),
        cmocka_unit_test(sizes_are_refused_or_work),
        cmocka_unit_test(destructors_that_give_up_last_uses_do_not_nest),
        cmocka_unit_test(a_failed_removal_leaves_the_mark),
        cmocka_unit_test(a_static_map_and_a_shared_type_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
