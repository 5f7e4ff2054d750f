/* The locked map: threads that end with a lock, or within a call. */
#include <concmap/locked.h>
#include <stdlib.h>

#include "boxes.h"
#include "shelf.h"

CM_LOCKED_MAP_OWNED(boxes, struct box, struct box, box_hash, box_equal, CM_OWNED(box_clone, box_destroy),
                    CM_OWNED(box_clone, box_destroy))

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
        cmocka_unit_test(an_owner_that_died_is_told),
        cmocka_unit_test(a_failed_removal_leaves_the_mark),
        cmocka_unit_test(an_owner_that_died_leaves_an_owned_value_to_others),
        cmocka_unit_test(a_call_that_ends_its_thread_gives_its_use_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
