/* Dynamic maps as a whole: walks, snapshots, what is done to all entries, and to two maps. */
#include <concmap/any.h>
#include <pthread.h>
#include <sched.h>

#include "any_nums.h"
#include "failing_allocator.h"
#include "unit.h"

static cm_status sum(const void *key, const void *value, void *context)
{
    assert_int_equal(*(const uint64_t *)value, *(const uint64_t *)key * 10);
    *(uint64_t *)context += *(const uint64_t *)key;
    return CM_OK;
}

static void walks_visit_each_once(void **state)
{
    (void)state;
    cm_any map;
    uint64_t total = 0, cursor = 0, calls = 0;
    nums_init(&map, NULL);
    fill(&map, 1000);
    CM_FOREACH (cm_any, &map, it)
        total += *(const uint64_t *)it.key;
    assert_int_equal(total, 499500);
    total = 0;
    assert_int_equal(cm_any_for_each(&map, sum, &total), CM_OK);
    assert_int_equal(total, 499500);
    total = 0;
    do {
        assert_int_equal(cm_any_scan(&map, &cursor, 10, sum, &total), CM_OK);
        calls++;
    } while (cursor);
    assert_int_equal(total, 499500);
    assert_true(calls > 10);
    total = 0;
    for (unsigned part = 0; part < 3; part++) {
        cm_any_iter iter = cm_any_part_begin(&map, part, 3);
        while (cm_any_try_iter_next(&iter))
            total += *(const uint64_t *)iter.key;
        cm_any_iter_end(&iter);
    }
    assert_int_equal(total, 499500);
    cm_any_iter none = cm_any_part_begin(&map, 3, 3);
    assert_false(cm_any_iter_next(&none));
    assert_int_equal(none.status, CM_INVALID);
    cm_any_iter_end(&none);
    finish(&map);
}

static void frozen_maps_and_snapshots_stand_still(void **state)
{
    (void)state;
    cm_any map;
    cm_any_frozen view;
    cm_any_snapshot snapshot;
    uint64_t total = 0, key = 7, absent = 7000;
    nums_init(&map, NULL);
    fill(&map, 1000);
    assert_int_equal(cm_any_freeze(&map, &view), CM_OK);
    assert_int_equal(*(const uint64_t *)cm_any_frozen_get(&view, &key), 70);
    assert_null(cm_any_frozen_get(&view, &absent));
    assert_int_equal(cm_any_try_remove(&map, &key, NULL), CM_DEADLOCK);
    CM_FOREACH (cm_any_frozen, &view, it)
        total += *(const uint64_t *)it.value;
    assert_int_equal(total, 4995000);
    assert_int_equal(cm_any_thaw(&view), CM_OK);
    assert_int_equal(cm_any_thaw(&view), CM_INVALID);
    assert_int_equal(cm_any_snapshot_take(&map, &snapshot), CM_OK);
    assert_int_equal(cm_any_clear(&map), CM_OK);
    assert_int_equal(cm_any_snapshot_len(&snapshot), 1000);
    CM_FOREACH (cm_any_snapshot, &snapshot, it)
        total -= *(const uint64_t *)it.key * 10;
    assert_int_equal(total, 0);
    cm_any_snapshot_drop(&snapshot);
    assert_int_equal(cm_any_snapshot_take(&map, &snapshot), CM_OK); /* of an empty map */
    CM_FOREACH (cm_any_snapshot, &snapshot, it)
        fail();
    cm_any_snapshot_drop(&snapshot);
    finish(&map);
}

static cm_status alter(const void *key, void *value, void *context)
{
    *(uint64_t *)value = *(const uint64_t *)key + *(uint64_t *)context;
    return CM_OK;
}

static cm_status keep_even(const void *key, const void *value, void *context)
{
    (void)value, (void)context;
    return *(const uint64_t *)key & 1 ? CM_ABSENT : CM_OK;
}

static cm_status below_ten(const void *key, const void *value, void *context)
{
    (void)value, (void)context;
    return *(const uint64_t *)key < 10 ? CM_OK : CM_ABSENT;
}

static cm_status take(const void *key, void *value, void *context)
{
    assert_int_equal(*(uint64_t *)value, *(const uint64_t *)key + 1);
    ++*(uint64_t *)context;
    return CM_OK;
}

static cm_status larger(void *mine, const void *theirs, void *context)
{
    (void)context;
    if (*(const uint64_t *)theirs > *(uint64_t *)mine)
        memcpy(mine, theirs, sizeof(uint64_t));
    return CM_OK;
}

static void work_on_all_entries(void **state)
{
    (void)state;
    cm_any map;
    uint64_t one = 1, taken = 0, keys[8], values[8];
    size_t count = 0;
    nums_init(&map, NULL);
    fill(&map, 30);
    assert_int_equal(cm_any_alter_all(&map, alter, &one), CM_OK);
    assert_int_equal(cm_any_retain(&map, keep_even, NULL), CM_OK);
    assert_int_equal(cm_any_len(&map), 15);
    assert_int_equal(cm_any_extract_if(&map, below_ten, take, &taken), CM_OK);
    assert_int_equal(taken, 5);
    assert_int_equal(cm_any_to_arrays(&map, keys, values, 8, &count), CM_FULL);
    assert_int_equal(count, 10);
    for (size_t i = 0; i < 8; i++)
        assert_true(keys[i] >= 10 && values[i] == keys[i] + 1);
    assert_int_equal(cm_any_drain(&map, take, &taken), CM_OK);
    assert_int_equal(taken, 15);
    assert_int_equal(cm_any_len(&map), 0);
    finish(&map);
}

static void two_maps_become_one(void **state)
{
    (void)state;
    cm_any map, copy, other, moved;
    uint64_t key = 3, thousand = 1000;
    struct cm_type type;
    nums_init(&map, NULL);
    fill(&map, 30);
    assert_int_equal(cm_any_clone(&copy, &map), CM_OK);
    assert_int_equal(cm_any_equals(&map, &copy, cm_any_equal_u64), CM_OK);
    assert_int_equal(cm_any_put(&copy, &key, &thousand, NULL), CM_REPLACED);
    assert_int_equal(cm_any_equals(&map, &copy, cm_any_equal_u64), CM_ABSENT);
    assert_int_equal(cm_any_merge(&map, &copy, larger, NULL), CM_OK);
    assert_int_equal(cm_any_equals(&map, &copy, cm_any_equal_u64), CM_OK);
    assert_int_equal(cm_any_merge(&map, &map, larger, NULL), CM_INVALID);
    cm_any_type_text(&type, sizeof(uint64_t));
    assert_int_equal(cm_any_init(&other, &type, NULL), CM_OK);
    assert_int_equal(cm_any_merge(&map, &other, NULL, NULL), CM_INVALID);
    assert_int_equal(cm_any_equals(&map, &other, cm_any_equal_u64), CM_INVALID);
    char letters[] = "name";
    cm_str name = cm_str_of(letters), same = cm_str_of("name");
    assert_int_equal(cm_any_put(&other, &name, &thousand, NULL), CM_OK);
    cm_any_swap(&map, &other); /* with their types */
    assert_true(cm_any_contains(&map, &same));
    assert_int_equal(number_of(&other, 3), 1000);
    assert_int_equal(cm_any_move(&moved, &map), CM_OK);
    assert_true(cm_any_contains(&moved, &name));
    assert_false(cm_any_contains(&map, &name));
    finish(&moved);
    finish(&map);
    finish(&other);
    finish(&copy);
}

struct taker {
    cm_any *map;
    uint64_t patience;
    cm_status status;
    uint32_t ended;
};

static void *take_in_vain(void *context)
{
    struct taker *taker = context;
    cm_any_snapshot snapshot;
    taker->status = cm_any_snapshot_take_until(taker->map, &snapshot, cm_deadline_after(taker->patience));
    cm_store_release_(&taker->ended, 1);
    return NULL;
}

/* The key whose bucket is marked first, or last. */
static uint64_t key_at_end(const cm_any *map, uint64_t keys, bool last)
{
    uint64_t found = 0;
    for (uint64_t key = 1; key < keys; key++) {
        uint64_t point = cm_reverse_bits_(map->type.hash(&key, map->core.seed));
        if ((point > cm_reverse_bits_(map->type.hash(&found, map->core.seed))) == last)
            found = key;
    }
    return found;
}

/* Locks the key when its bucket is marked; or at last, if the snapshot is given up before. */
static void write_marked(const struct taker *taker, uint64_t key, cm_any_write_guard *guard)
{
    for (;;) {
        bool ended = cm_load_acquire_(&taker->ended);
        assert_int_equal(cm_any_write(taker->map, &key, guard), CM_OK);
        if (ended || (cm_load_relaxed_(cm_bucket_state_(guard->core.guard.head)) & CM_MARKED_))
            return;
        cm_any_write_unlock(guard);
        sched_yield();
    }
}

/* Leaves an image of a bucket that was held until after a snapshot was given up: the map drops it later. */
static void leave_an_image(cm_any *map)
{
    uint64_t key = key_at_end(map, 100, true);
    assert_null(map->core.marks.dropped);
    for (uint64_t patience = 10000000; !map->core.marks.dropped; patience *= 2) { /* on a busy machine, at last */
        struct taker taker = {map, patience, CM_OK, 0};
        pthread_t thread;
        cm_any_write_guard last, other;
        assert_int_equal(cm_any_write(map, &key, &last), CM_OK);
        assert_int_equal(pthread_create(&thread, NULL, take_in_vain, &taker), 0);
        write_marked(&taker, key_at_end(map, 100, false), &other);
        pthread_join(thread, NULL);
        assert_int_equal(taker.status, CM_TIMEOUT);
        cm_any_write_unlock(&other);
        cm_any_write_unlock(&last);
    }
}

static cm_status word_clone(void *to, const void *from, void *context)
{
    (void)context;
    memcpy(to, from, sizeof(uint64_t));
    return CM_OK;
}

static void word_destroy(void *value, void *destroyed)
{
    (void)value;
    ++*(size_t *)destroyed;
}

/* It is of the type that the map has, not of the one that comes. */
static void images_are_dropped_before_types_are_swapped(void **state)
{
    (void)state;
    struct failing_allocator memory;
    cm_any map, other, moved;
    struct cm_type owned;
    size_t destroyed = 0;
    failing_allocator_init(&memory);
    cm_config config = {.allocator = &memory.allocator, .context = &destroyed};
    cm_any_type_u64(&owned, sizeof(uint64_t));
    owned.value_clone = word_clone;
    owned.value_destroy = word_destroy;
    nums_init(&map, &config);
    assert_int_equal(cm_any_init(&other, &owned, &config), CM_OK);
    fill(&map, 100);
    leave_an_image(&map);
    cm_any_swap(&map, &other);
    leave_an_image(&other);
    cm_any_swap(&map, &other);
    leave_an_image(&map);
    assert_int_equal(cm_any_move(&moved, &map), CM_OK);
    assert_int_equal(cm_any_len(&moved), 100);
    cm_any_swap(&map, &other); /* so that what is left there is of another type */
    finish(&moved);
    finish(&map);
    finish(&other);
    assert_int_equal(destroyed, 0); /* there was no value of that type */
    assert_int_equal(memory.mistakes, 0);
    assert_int_equal(memory.live_blocks, 0);
}

static void counted_maps_go_with_their_last_user(void **state)
{
    (void)state;
    struct failing_allocator memory;
    struct cm_type type;
    cm_status status = CM_OK;
    failing_allocator_init(&memory);
    cm_any_type_u64(&type, sizeof(uint64_t));
    cm_any *map = cm_any_create(&type, &(cm_config){.allocator = &memory.allocator}, &status);
    assert_non_null(map);
    fill(map, 100);
    assert_ptr_equal(cm_any_share(map), map);
    cm_any_release(map);
    assert_int_equal(number_of(map, 7), 70);
    cm_any_release(map);
    cm_any_release(NULL);
    memory.fail_all = true;
    assert_null(cm_any_create(&type, &(cm_config){.allocator = &memory.allocator}, &status));
    assert_int_equal(status, CM_NOMEM);
    memory.fail_all = false;
    type.hash = NULL;
    assert_null(cm_any_create(&type, &(cm_config){.allocator = &memory.allocator}, &status));
    assert_int_equal(status, CM_INVALID);
    assert_int_equal(memory.live_blocks, 0);
    assert_int_equal(memory.mistakes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(walks_visit_each_once),
        cmocka_unit_test(frozen_maps_and_snapshots_stand_still),
        cmocka_unit_test(work_on_all_entries),
        cmocka_unit_test(two_maps_become_one),
        cmocka_unit_test(images_are_dropped_before_types_are_swapped),
        cmocka_unit_test(counted_maps_go_with_their_last_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
