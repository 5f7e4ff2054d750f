/* Promises of the dynamic map beyond those of every map (test_any_kinds.c): each verb by address, its room for values,
 * and which types it takes. Failing requests for memory are in test_any_failures.c. */
#include <concmap/any.h>
#include <pthread.h>
#include <sched.h>

#include "crew.h"
#include "failing_allocator.h"
#include "large.h"
#include "unit.h"

static void finish(cm_any *map)
{
    assert_int_equal(cm_any_check(map, NULL), CM_OK);
    cm_any_destroy(map);
}

static void nums_init(cm_any *map, const cm_config *config)
{
    struct cm_type type;
    cm_any_type_u64(&type, sizeof(uint64_t));
    assert_int_equal(cm_any_init(map, &type, config), CM_OK);
}

static void fill(cm_any *map, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t value = i * 10;
        assert_int_equal(cm_any_put(map, &i, &value, NULL), CM_OK);
    }
}

static uint64_t number_of(const cm_any *map, uint64_t key)
{
    uint64_t value = UINT64_MAX;
    (void)cm_any_get(map, &key, &value);
    return value;
}

static cm_status add(void *value, void *context)
{
    *(uint64_t *)value += *(const uint64_t *)context;
    return CM_OK;
}

static cm_status spoil(void *value, void *context)
{
    (void)context;
    *(uint64_t *)value = 999999;
    return CM_FULL;
}

static cm_status set(void *value, void *context)
{
    memcpy(value, context, sizeof(uint64_t));
    return CM_OK;
}

static bool is_odd(const void *value, void *context)
{
    (void)context;
    return *(const uint64_t *)value & 1;
}

static cm_status refuse(void *value, void *context)
{
    (void)value, (void)context;
    return CM_EXISTS;
}

/* ---- each verb ---- */

static void a_miss_leaves_the_room_as_it_was(void **state)
{
    (void)state;
    cm_any map;
    nums_init(&map, NULL);
    fill(&map, 10);
    uint64_t key = 77, value = 5;
    assert_false(cm_any_get(&map, &key, &value));
    assert_int_equal(cm_any_try_get(&map, &key, &value), CM_ABSENT);
    assert_int_equal(cm_any_get_until(&map, &key, &value, CM_FOREVER), CM_ABSENT);
    assert_false(cm_any_get_hashed(&map, cm_any_hash_of(&map, &key), &key, &value));
    assert_int_equal(cm_any_remove(&map, &key, &value), CM_ABSENT);
    assert_int_equal(value, 5);
    key = 7;
    assert_true(cm_any_get_hashed(&map, cm_any_hash_of(&map, &key), &key, &value));
    assert_int_equal(value, 70);
    assert_true(cm_any_contains_hashed(&map, cm_any_hash_of(&map, &key), &key));
    cm_any_prefetch(&map, &key);
    finish(&map);
}

static void changes_work_as_those_of_typed_maps(void **state)
{
    (void)state;
    cm_any map;
    nums_init(&map, NULL);
    fill(&map, 10);
    uint64_t key = 3, one = 1, value = 0, expected = 7, desired = 100;
    assert_int_equal(cm_any_update_if(&map, &key, is_odd, add, &one), CM_EXISTS);
    assert_int_equal(cm_any_update(&map, &key, add, &one), CM_OK);
    assert_int_equal(cm_any_update_if(&map, &key, is_odd, add, &one), CM_OK);
    assert_int_equal(cm_any_update(&map, &key, spoil, NULL), CM_FULL);
    assert_int_equal(number_of(&map, 3), 32);
    assert_int_equal(cm_any_compare_exchange(&map, &key, &expected, &desired, cm_any_equal_u64), CM_EXISTS);
    assert_int_equal(expected, 32);
    assert_int_equal(cm_any_compare_exchange(&map, &key, &expected, &desired, cm_any_equal_u64), CM_REPLACED);
    assert_int_equal(number_of(&map, 3), 100);
    assert_int_equal(cm_any_remove_if(&map, &key, refuse, NULL, &value), CM_EXISTS);
    assert_int_equal(cm_any_remove_if_hashed(&map, cm_any_hash_of(&map, &key), &key, add, &one, &value), CM_OK);
    assert_int_equal(value, 101); /* as the condition left it */
    assert_int_equal(cm_any_compare_exchange(&map, &key, &expected, &desired, cm_any_equal_u64), CM_ABSENT);
    assert_int_equal(cm_any_take_or(&map, &key, &desired, &value), CM_ABSENT);
    assert_int_equal(value, 100);
    key = 4;
    assert_int_equal(cm_any_take_or(&map, &key, &desired, &value), CM_OK);
    assert_int_equal(value, 40);
    assert_int_equal(cm_any_try_insert(&map, &key, &one), CM_OK);
    assert_int_equal(cm_any_insert_until(&map, &key, &one, cm_deadline_after(1000)), CM_EXISTS);
    assert_int_equal(cm_any_len(&map), 9);
    finish(&map);
}

static void guards_keep_an_entry(void **state)
{
    (void)state;
    cm_any map;
    nums_init(&map, NULL);
    fill(&map, 10);
    uint64_t key = 5, other = 55, five = 5;
    cm_any_read_guard read, second;
    cm_any_write_guard write;
    assert_int_equal(cm_any_read(&map, &key, &read), CM_OK);
    assert_int_equal(*(const uint64_t *)read.value, 50);
    assert_int_equal(cm_any_read_clone(&read, &second), CM_OK);
    assert_int_equal(cm_any_read_upgrade(&read, &key, &write), CM_BUSY);
    assert_int_equal(cm_any_read_unlock(&second), CM_OK);
    assert_int_equal(cm_any_read_unlock(&second), CM_INVALID);
    assert_int_equal(cm_any_read_upgrade(&read, &key, &write), CM_OK);
    assert_int_equal(cm_any_read_unlock(&read), CM_INVALID);
    *(uint64_t *)write.value = 51;
    assert_int_equal(cm_any_try_put(&map, &key, &five, NULL), CM_DEADLOCK);
    assert_int_equal(cm_any_write_downgrade(&write, &read), CM_OK);
    assert_int_equal(*(const uint64_t *)read.value, 51);
    assert_int_equal(cm_any_read_detach(&read), CM_OK);
    assert_int_equal(cm_any_read_attach(&read), CM_OK);
    assert_int_equal(cm_any_read_unlock(&read), CM_OK);
    assert_int_equal(cm_any_read(&map, &other, &read), CM_ABSENT);
    assert_null(read.value);
    assert_int_equal(cm_any_write(&map, &other, &write), CM_ABSENT);
    assert_int_equal(cm_any_write_unlock(&write), CM_INVALID);
    assert_int_equal(cm_any_try_write(&map, &key, &write), CM_OK);
    assert_int_equal(cm_any_write_detach(&write), CM_OK);
    assert_int_equal(cm_any_write_unlock(&write), CM_INVALID);
    assert_int_equal(cm_any_write_attach(&write), CM_OK);
    assert_int_equal(cm_any_write_unlock(&write), CM_OK);
    CM_WITH_WRITE (cm_any, &map, &key, guard)
        *(uint64_t *)guard.value += 1;
    else
        fail();
    CM_WITH_READ (cm_any, &map, &key, guard)
        assert_int_equal(*(const uint64_t *)guard.value, 52);
    else
        fail();
    assert_int_equal(cm_any_update(&map, &key, add, &five), CM_OK); /* nothing is locked any more */
    finish(&map);
}

static void entries_may_be_vacant(void **state)
{
    (void)state;
    cm_any map;
    nums_init(&map, NULL);
    uint64_t key = 5, one = 1, two = 2, old = 0;
    cm_any_write_guard entry;
    assert_int_equal(cm_any_entry(&map, &key, &entry), CM_OK);
    assert_null(entry.value);
    assert_int_equal(cm_any_entry_and_modify(&entry, add, &one), CM_ABSENT);
    assert_int_equal(cm_any_entry_replace(&entry, &one, NULL), CM_ABSENT);
    assert_int_equal(cm_any_entry_remove(&entry, NULL), CM_ABSENT);
    assert_int_equal(cm_any_entry_or_insert_with(&entry, spoil, NULL), CM_FULL);
    assert_null(entry.value);
    assert_int_equal(cm_any_entry_or_insert_with(&entry, set, &two), CM_OK);
    assert_int_equal(cm_any_entry_or_insert_with(&entry, set, &one), CM_EXISTS);
    assert_int_equal(*(uint64_t *)cm_any_entry_or_insert(&entry, &one), 2);
    assert_int_equal(cm_any_entry_and_modify(&entry, add, &one), CM_OK);
    assert_int_equal(cm_any_entry_and_modify(&entry, spoil, NULL), CM_FULL);
    assert_int_equal(cm_any_entry_replace(&entry, &one, &old), CM_REPLACED);
    assert_int_equal(old, 3);
    assert_int_equal(cm_any_entry_remove(&entry, &old), CM_OK);
    assert_int_equal(*(uint64_t *)cm_any_entry_insert(&entry, &two), 2);
    assert_int_equal(cm_any_entry_unlock(&entry), CM_OK);
    assert_int_equal(cm_any_entry_unlock(&entry), CM_INVALID);
    assert_null(cm_any_entry_insert(&entry, &two));
    assert_int_equal(cm_any_entry_and_modify(&entry, add, &one), CM_INVALID);
    assert_int_equal(number_of(&map, 5), 2);
    finish(&map);
}

static cm_status transfer(void **values, size_t n, void *context)
{
    assert_int_equal(n, 3);
    assert_null(values[2]);
    *(uint64_t *)values[0] -= *(uint64_t *)context;
    *(uint64_t *)values[1] += *(uint64_t *)context;
    return CM_REPLACED;
}

static void several_keys_change_at_once(void **state)
{
    (void)state;
    cm_any map;
    nums_init(&map, NULL);
    fill(&map, 10);
    uint64_t keys[] = {3, 4, 99, 3}, amount = 7;
    assert_int_equal(cm_any_with_keys(&map, keys, 3, transfer, &amount), CM_REPLACED);
    assert_int_equal(number_of(&map, 3), 23);
    assert_int_equal(number_of(&map, 4), 47);
    assert_int_equal(cm_any_with_keys(&map, keys, 4, transfer, &amount), CM_INVALID);
    assert_int_equal(cm_any_with_keys(&map, keys, 0, transfer, &amount), CM_INVALID);
    finish(&map);
}

/* ---- walks ---- */

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

/* ---- all entries, and two maps ---- */

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

/* ---- what a snapshot leaves ---- */

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

/* ---- kinds of types ---- */

static void sets_have_no_values(void **state)
{
    (void)state;
    struct cm_type type;
    cm_any set;
    cm_any_type_u64(&type, 0);
    assert_int_equal(cm_any_init(&set, &type, NULL), CM_OK);
    uint64_t keys[100];
    for (uint64_t key = 0; key < 100; key++) {
        keys[key] = key + 50;
        assert_int_equal(cm_any_insert(&set, &key, NULL), CM_OK);
        assert_int_equal(cm_any_put(&set, &key, NULL, NULL), CM_REPLACED);
    }
    assert_int_equal(cm_any_put_many(&set, keys, NULL, 100, NULL), 100);
    assert_int_equal(cm_any_len(&set), 150);
    assert_true(cm_any_get(&set, &keys[99], NULL));
    assert_int_equal(cm_any_get_many(&set, keys, 100, NULL, NULL), 100);
    assert_int_equal(cm_any_get_or_insert(&set, &keys[0], NULL, NULL), CM_EXISTS);
    assert_int_equal(cm_any_remove(&set, &keys[0], NULL), CM_OK);
    assert_int_equal(cm_any_take_or(&set, &keys[0], NULL, NULL), CM_ABSENT);
    size_t count = 0;
    CM_FOREACH (cm_any, &set, it)
        count++;
    assert_int_equal(count, 149);
    finish(&set);
}

static void the_map_owns_its_texts(void **state)
{
    (void)state;
    struct cm_type type;
    cm_any map;
    char key_data[8] = "key", data[8] = "value";
    cm_str key = cm_str_of(key_data), value, found;
    cm_any_type_text(&type, 0);
    cm_any_type_text_values(&type);
    assert_int_equal(cm_any_init(&map, &type, NULL), CM_OK);
    assert_int_equal(cm_any_text_make(&value, data, 5), CM_OK);
    assert_int_equal(cm_any_put(&map, &key, &value, NULL), CM_OK);
    memset(data, 'x', sizeof data); /* copied */
    memset(key_data, 'x', 3);
    key = cm_str_of("key");
    assert_true(cm_any_get(&map, &key, &found));
    assert_true(found.data != value.data && cm_equal_str(&found, &(cm_str){"value", 5}));
    assert_int_equal(cm_any_put(&map, &key, &found, NULL), CM_REPLACED); /* the old one is freed */
    assert_int_equal(cm_any_remove(&map, &key, &value), CM_OK);
    cm_any_text_free(&value);
    assert_int_equal(cm_any_text_make(&value, NULL, 0), CM_OK);
    assert_int_equal(cm_any_insert(&map, &key, &value), CM_OK);
    CM_FOREACH (cm_any, &map, it)
        assert_int_equal(((const cm_str *)it.value)->len, 0);
    finish(&map); /* and what is left */
}

static bool is_past(const void *value, void *context)
{
    return *(const uint64_t *)value < *(const uint64_t *)context;
}

static size_t evictions;

static void count_eviction(const void *key, const void *value, cm_eviction why, void *context)
{
    (void)key, (void)value, (void)why, (void)context;
    evictions++;
}

static void caches_expire_and_evict(void **state)
{
    (void)state;
    struct cm_type type;
    cm_any cache;
    uint64_t now = 0, key = 5000, value = 7000; /* a key that no eviction can have left */
    cm_any_read_guard guard;
    cm_any_frozen view;
    cm_any_type_u64(&type, sizeof(uint64_t));
    type.cached = true;
    type.expired = is_past;
    type.evicted = count_eviction;
    evictions = 0;
    assert_int_equal(cm_any_init(&cache, &type, &(cm_config){.limit = 100, .context = &now}), CM_OK);
    fill(&cache, 1000);
    assert_int_equal(cm_any_len(&cache), 100);
    assert_int_equal(evictions, 900);
    assert_int_equal(cm_any_put(&cache, &key, &value, NULL), CM_OK);
    now = 5001;
    assert_true(cm_any_contains(&cache, &key));
    now = 7001;
    assert_int_equal(cm_any_freeze(&cache, &view), CM_OK);
    assert_null(cm_any_frozen_get(&view, &key));
    assert_int_equal(cm_any_thaw(&view), CM_OK);
    assert_int_equal(cm_any_read(&cache, &key, &guard), CM_ABSENT);
    assert_false(cm_any_get(&cache, &key, &value));
    assert_false(cm_any_contains(&cache, &key));
    assert_int_equal(value, 7000);
    finish(&cache);
}

static void large_values_are_whole(void **state)
{
    (void)state;
    struct cm_type type;
    cm_any map;
    uint64_t key = 1, two = 2;
    struct large one = large_of(1), found = large_of(9), room = large_of(8);
    cm_any_write_guard entry;
    cm_any_type_u64(&type, sizeof(struct large));
    assert_int_equal(cm_any_init(&map, &type, NULL), CM_OK);
    assert_int_equal(cm_any_put(&map, &key, &one, NULL), CM_OK);
    assert_false(cm_any_get(&map, &two, &found));
    assert_true(large_is(&found, 9));
    assert_true(cm_any_get(&map, &key, &found));
    assert_true(large_is(&found, 1));
    assert_int_equal(cm_any_update(&map, &key, spoil, NULL), CM_FULL);
    cm_any_op op = {CM_OP_PUT, CM_OK, &key, &room, NULL, NULL};
    assert_int_equal(cm_any_apply_many(&map, &op, 1), 1);
    assert_true(large_is(&room, 1));
    assert_true(cm_any_get(&map, &key, &found));
    assert_true(large_is(&found, 8));
    assert_int_equal(cm_any_entry(&map, &key, &entry), CM_OK);
    assert_int_equal(cm_any_entry_and_modify(&entry, spoil, NULL), CM_FULL);
    assert_true(large_is(entry.value, 8));
    assert_int_equal(cm_any_entry_remove(&entry, NULL), CM_OK);
    assert_int_equal(cm_any_entry_or_insert_with(&entry, spoil, NULL), CM_FULL);
    assert_non_null(cm_any_entry_or_insert(&entry, &one));
    assert_true(cm_any_get(&map, &key, &found)); /* through the thread's own lock */
    assert_true(large_is(&found, 1));
    assert_int_equal(cm_any_entry_unlock(&entry), CM_OK);
    finish(&map);
}

/* ---- types ---- */

static cm_status plain_clone(void *to, const void *from, void *context)
{
    (void)context;
    memcpy(to, from, 8);
    return CM_OK;
}

static void plain_destroy(void *value, void *context)
{
    (void)value, (void)context;
}

static cm_status try_type(const struct cm_type *type)
{
    cm_any map;
    cm_status status = cm_any_init(&map, type, NULL);
    if (status == CM_OK)
        cm_any_destroy(&map);
    return status;
}

#define REFUSED(change)                                                                                                \
    do {                                                                                                               \
        struct cm_type type = good;                                                                                    \
        assert_int_equal(try_type(&type), CM_OK);                                                                      \
        change;                                                                                                        \
        assert_int_equal(try_type(&type), CM_INVALID);                                                                 \
    } while (0)

static void senseless_types_are_refused(void **state)
{
    (void)state;
    struct cm_type good;
    cm_any_type_u64(&good, 16);
    assert_int_equal(try_type(NULL), CM_INVALID);
    assert_int_equal(cm_any_init(NULL, &good, NULL), CM_INVALID);
    REFUSED(type.hash = NULL);
    REFUSED(type.equal = NULL);
    REFUSED(type.key_size = 0);
    REFUSED(type.key_size = 12);
    REFUSED(type.key_size = ((size_t)1 << 30) + 8);
    REFUSED(type.key_size = 16); /* is no word */
    REFUSED(type.key_alignment = 0);
    REFUSED(type.key_alignment = 3);
    REFUSED(type.value_size = 12);
    REFUSED(type.value_size = SIZE_MAX - 7);
    REFUSED(type.value_alignment = 0);
    REFUSED(type.value_alignment = 16);
    REFUSED(type.foreign = true);
    REFUSED(type.anchored = true);
    REFUSED(type.key_text = true);
    REFUSED(type.key_clone = plain_clone);
    REFUSED(type.key_destroy = plain_destroy);
    REFUSED(type.value_clone = plain_clone);
    REFUSED(type.value_destroy = plain_destroy);
    REFUSED(type.evicted = count_eviction);
    REFUSED(type.expired = is_past);
    cm_any_type_text(&good, 16);
    REFUSED((type.key_clone = plain_clone, type.key_destroy = plain_destroy));
    REFUSED(type.key_size = 24);
    REFUSED(type.key_alignment = 4);
    cm_any map; /* what the config says of it counts, too */
    assert_int_equal(cm_any_init(&map, &good, &(cm_config){.budget = 5}), CM_INVALID);
    assert_int_equal(cm_any_init(&map, &good, &(cm_config){.fixed = true, .capacity = 5}), CM_INVALID);
}

/* ---- threads ---- */

struct shared {
    cm_any nums, texts, larges;
};

static size_t work(void *context, unsigned i)
{
    struct shared *shared = context;
    size_t wrong = 0, rounds = crew_scale(20000);
    uint64_t random = i + 1, one = 1;
    for (size_t n = 0; n < rounds; n++) {
        uint64_t key = crew_random(&random) % 64, value;
        char name[2] = {(char)('a' + key % 20), 0};
        cm_str text = cm_str_of(name);
        struct large large = large_of(n);
        wrong += cm_any_upsert(&shared->nums, &key, &one, add, &one) < 0;
        wrong += cm_any_upsert(&shared->texts, &text, &one, add, &one) < 0;
        wrong += cm_any_get(&shared->texts, &text, &value) && value == 0;
        wrong += cm_any_put(&shared->larges, &key, &large, NULL) < 0;
        if (cm_any_get(&shared->larges, &key, &large))
            wrong += !large_is(&large, large.words[0]);
        if (n % 5 == 0)
            (void)cm_any_remove(&shared->larges, &key, NULL);
    }
    return wrong;
}

static uint64_t total_of(const cm_any *map)
{
    uint64_t total = 0;
    CM_FOREACH (cm_any, map, it)
        total += *(const uint64_t *)it.value;
    return total;
}

static void threads_do_not_disturb_each_other(void **state)
{
    (void)state;
    struct shared shared;
    struct cm_type type;
    nums_init(&shared.nums, NULL);
    cm_any_type_text(&type, sizeof(uint64_t));
    assert_int_equal(cm_any_init(&shared.texts, &type, NULL), CM_OK);
    cm_any_type_u64(&type, sizeof(struct large));
    assert_int_equal(cm_any_init(&shared.larges, &type, NULL), CM_OK);
    assert_int_equal(crew_run(4, work, &shared), 0);
    assert_int_equal(total_of(&shared.nums), 4 * crew_scale(20000));
    assert_int_equal(total_of(&shared.texts), 4 * crew_scale(20000));
    finish(&shared.nums);
    finish(&shared.texts);
    finish(&shared.larges);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_miss_leaves_the_room_as_it_was),
        cmocka_unit_test(changes_work_as_those_of_typed_maps),
        cmocka_unit_test(guards_keep_an_entry),
        cmocka_unit_test(entries_may_be_vacant),
        cmocka_unit_test(several_keys_change_at_once),
        cmocka_unit_test(walks_visit_each_once),
        cmocka_unit_test(frozen_maps_and_snapshots_stand_still),
        cmocka_unit_test(work_on_all_entries),
        cmocka_unit_test(two_maps_become_one),
        cmocka_unit_test(images_are_dropped_before_types_are_swapped),
        cmocka_unit_test(counted_maps_go_with_their_last_user),
        cmocka_unit_test(sets_have_no_values),
        cmocka_unit_test(the_map_owns_its_texts),
        cmocka_unit_test(caches_expire_and_evict),
        cmocka_unit_test(large_values_are_whole),
        cmocka_unit_test(senseless_types_are_refused),
        cmocka_unit_test(threads_do_not_disturb_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
