/* Promises of look-ups in dynamic maps by something else than a key: they find what the map has under the key that is
 * meant, in each form in which entries lie, and change nothing but that. */
#include <concmap/any_lookup.h>

#include "any_sought.h"
#include "crew.h"
#include "failing_allocator.h"
#include "unit.h"

static cm_status add(void *value, void *context)
{
    *(uint64_t *)value += *(const uint64_t *)context;
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

/* A map of numbers to values of `size` bytes, which begin with the number, times ten. */
static cm_any_lookup nums_make(cm_any *map, size_t size, uint64_t count)
{
    struct cm_type type;
    uint64_t value[100] = {0};
    assert_true(size <= sizeof value);
    cm_any_type_u64(&type, size);
    assert_int_equal(cm_any_init(map, &type, NULL), CM_OK);
    for (uint64_t key = 0; key < count; key++) {
        value[0] = key * 10;
        assert_int_equal(cm_any_put(map, &key, value, NULL), CM_OK);
    }
    return (cm_any_lookup){map, any_digits_hash, any_digits_equal};
}

static cm_any_lookup texts_make(cm_any *map, size_t size)
{
    struct cm_type type;
    cm_any_type_text(&type, size);
    assert_int_equal(cm_any_init(map, &type, NULL), CM_OK);
    return (cm_any_lookup){map, halves_hash, halves_equal};
}

static void finish(cm_any *map)
{
    assert_int_equal(cm_any_check(map, NULL), CM_OK);
    cm_any_destroy(map);
}

/* ---- reads and changes, in each form of a map ---- */

static void numbers_are_found(size_t size)
{
    cm_any map;
    cm_any_lookup by = nums_make(&map, size, 5000);
    uint64_t value[100];
    for (uint64_t key = 0; key < 5000; key++) {
        const cm_str *sought = digits_of(key);
        uint64_t hash = cm_any_lookup_hash_of(&by, sought);
        assert_true(hash == cm_any_hash_of(&map, &key));
        cm_any_lookup_prefetch(&by, sought);
        assert_true(cm_any_lookup_get(&by, sought, value) && value[0] == key * 10);
        assert_true(cm_any_lookup_get_hashed(&by, hash, sought, value) && value[0] == key * 10);
        assert_int_equal(cm_any_lookup_try_get(&by, sought, value), CM_OK);
        assert_int_equal(cm_any_lookup_get_until(&by, sought, value, cm_deadline_after(1000000)), CM_OK);
        assert_true(cm_any_lookup_contains(&by, sought) && cm_any_lookup_contains_hashed(&by, hash, sought));
    }
    value[0] = 5;
    assert_false(cm_any_lookup_get(&by, digits_of(5000), value));
    assert_int_equal(cm_any_lookup_try_get(&by, digits_of(5000), value), CM_ABSENT);
    assert_false(cm_any_lookup_contains(&by, digits_of(5000)));
    assert_int_equal(value[0], 5);
    finish(&map);
}

static void a_number_is_found_by_its_digits(void **state)
{
    (void)state;
    numbers_are_found(8);   /* the map of words */
    numbers_are_found(16);  /* in buckets */
    numbers_are_found(80);  /* in nodes */
    numbers_are_found(800); /* too large for the stack */
}

static void numbers_are_changed(size_t size)
{
    cm_any map;
    cm_any_lookup by = nums_make(&map, size, 100);
    uint64_t one = 1, value[100] = {0};
    const cm_str *sought = digits_of(3);
    assert_int_equal(cm_any_lookup_update_if(&by, sought, is_odd, add, &one), CM_EXISTS);
    assert_int_equal(cm_any_lookup_update(&by, sought, add, &one), CM_OK);
    assert_int_equal(cm_any_lookup_try_update_if(&by, sought, is_odd, add, &one), CM_OK);
    assert_int_equal(cm_any_lookup_update_hashed(&by, cm_any_lookup_hash_of(&by, sought), sought, add, &one), CM_OK);
    assert_true(cm_any_lookup_get(&by, sought, value) && value[0] == 33);
    assert_int_equal(cm_any_lookup_remove_if(&by, sought, refuse, NULL, value), CM_EXISTS);
    assert_int_equal(cm_any_lookup_remove_if_until(&by, sought, add, &one, value, CM_FOREVER), CM_OK);
    assert_int_equal(value[0], 34);
    assert_int_equal(cm_any_lookup_update(&by, sought, add, &one), CM_ABSENT);
    assert_int_equal(cm_any_lookup_remove(&by, sought, NULL), CM_ABSENT);
    sought = digits_of(40);
    assert_int_equal(cm_any_lookup_remove(&by, sought, value), CM_OK);
    assert_int_equal(value[0], 400);
    assert_false(cm_any_lookup_contains(&by, sought));
    assert_int_equal(cm_any_len(&map), 98);
    uint64_t key = 40; /* what is gone by its digits is gone by its number */
    assert_int_equal(cm_any_insert(&map, &key, value), CM_OK);
    assert_true(cm_any_lookup_contains(&by, sought));
    finish(&map);
}

static void what_is_found_is_changed_and_removed(void **state)
{
    (void)state;
    numbers_are_changed(8);
    numbers_are_changed(16);
    numbers_are_changed(80);
    numbers_are_changed(800);
}

static void values_are_exchanged_and_taken(void **state)
{
    (void)state;
    cm_any map;
    cm_any_lookup by = nums_make(&map, 8, 10);
    const cm_str *sought = digits_of(3);
    uint64_t expected = 7, desired = 100, otherwise = 5, value = 0;
    assert_int_equal(cm_any_lookup_compare_exchange(&by, sought, &expected, &desired, cm_any_equal_u64), CM_EXISTS);
    assert_int_equal(expected, 30);
    assert_int_equal(cm_any_lookup_compare_exchange(&by, sought, &expected, &desired, cm_any_equal_u64), CM_REPLACED);
    assert_int_equal(cm_any_lookup_take_or(&by, sought, &otherwise, &value), CM_OK);
    assert_int_equal(value, 100);
    assert_int_equal(cm_any_lookup_take_or(&by, sought, &otherwise, &value), CM_ABSENT);
    assert_int_equal(value, 5);
    assert_int_equal(cm_any_lookup_compare_exchange(&by, sought, &expected, &desired, cm_any_equal_u64), CM_ABSENT);
    finish(&map);
}

static void a_text_is_found_by_its_parts(void **state)
{
    (void)state;
    cm_any map;
    cm_any_lookup by = texts_make(&map, 8);
    cm_str key = cm_str_of("foobar");
    uint64_t one = 1, value = 1;
    assert_false(cm_any_lookup_contains(&by, &foobar)); /* of an empty map */
    assert_int_equal(cm_any_lookup_update(&by, &foobar, add, &one), CM_ABSENT);
    assert_int_equal(cm_any_put(&map, &key, &value, NULL), CM_OK);
    assert_true(cm_any_lookup_get(&by, &foobar, &value) && value == 1);
    assert_false(cm_any_lookup_get(&by, &foobaz, &value));
    assert_int_equal(cm_any_lookup_update(&by, &foobar, add, &one), CM_OK);
    assert_int_equal(cm_any_lookup_remove(&by, &foobar, &value), CM_OK);
    assert_int_equal(value, 2);
    assert_int_equal(cm_any_lookup_remove(&by, &foobar, NULL), CM_ABSENT);
    finish(&map);
}

static void an_owned_value_is_copied_out_and_destroyed_once(void **state)
{
    (void)state;
    struct cm_type type;
    cm_any map;
    cm_str key = cm_str_of("foobar"), value, copy;
    cm_any_type_text(&type, 0);
    cm_any_type_text_values(&type);
    assert_int_equal(cm_any_init(&map, &type, NULL), CM_OK);
    cm_any_lookup by = {&map, halves_hash, halves_equal};
    assert_int_equal(cm_any_text_make(&value, "one", 3), CM_OK);
    assert_int_equal(cm_any_put(&map, &key, &value, NULL), CM_OK);
    assert_true(cm_any_lookup_get(&by, &foobar, &copy) && copy.data != value.data);
    assert_memory_equal(copy.data, "one", 3);
    cm_any_text_free(&copy);
    assert_int_equal(cm_any_lookup_remove(&by, &foobar, &copy), CM_OK); /* it is the caller's */
    assert_ptr_equal(copy.data, value.data);
    assert_int_equal(cm_any_put(&map, &key, &copy, NULL), CM_OK);
    assert_int_equal(cm_any_lookup_remove(&by, &foobar, NULL), CM_OK);
    finish(&map);
}

static bool is_large(const void *value, void *context)
{
    (void)context;
    return *(const uint64_t *)value > 50;
}

static void what_expired_is_not_found(void **state)
{
    (void)state;
    struct cm_type type;
    cm_any map;
    cm_any_read_guard guard;
    uint64_t value;
    cm_any_type_u64(&type, 8);
    type.cached = true;
    type.expired = is_large;
    assert_int_equal(cm_any_init(&map, &type, NULL), CM_OK);
    cm_any_lookup by = {&map, any_digits_hash, any_digits_equal};
    for (uint64_t key = 0; key < 10; key++) {
        value = key * 10;
        assert_int_equal(cm_any_put(&map, &key, &value, NULL), CM_OK);
    }
    assert_true(cm_any_lookup_get(&by, digits_of(5), &value));
    assert_false(cm_any_lookup_get(&by, digits_of(6), &value));
    assert_false(cm_any_lookup_contains(&by, digits_of(7)));
    assert_int_equal(cm_any_lookup_read(&by, digits_of(8), &guard), CM_ABSENT);
    assert_int_equal(cm_any_len(&map), 7); /* they are gone */
    finish(&map);
}

static void without_memory_nothing_is_changed(void **state)
{
    (void)state;
    cm_any map;
    struct cm_type type;
    struct failing_allocator memory;
    uint64_t one = 1, key = 7, value[100] = {70};
    cm_any_type_u64(&type, 800);
    failing_allocator_init(&memory);
    assert_int_equal(cm_any_init(&map, &type, &(cm_config){.allocator = &memory.allocator}), CM_OK);
    cm_any_lookup by = {&map, any_digits_hash, any_digits_equal};
    assert_int_equal(cm_any_put(&map, &key, value, NULL), CM_OK);
    memory.fail_all = true;
    assert_int_equal(cm_any_lookup_update(&by, digits_of(7), add, &one), CM_NOMEM);
    memory.fail_all = false;
    assert_true(cm_any_lookup_get(&by, digits_of(7), value) && value[0] == 70);
    finish(&map);
    assert_int_equal(memory.live_blocks + memory.mistakes, 0);
}

/* ---- guards ---- */

static void a_guard_is_locked_by_what_is_looked_up(void **state)
{
    (void)state;
    cm_any map;
    cm_any_lookup by = nums_make(&map, 8, 100);
    cm_any_read_guard read;
    cm_any_write_guard write;
    assert_int_equal(cm_any_lookup_read(&by, digits_of(5), &read), CM_OK);
    assert_int_equal(*(const uint64_t *)read.value, 50);
    assert_int_equal(cm_any_lookup_try_write(&by, digits_of(5), &write), CM_DEADLOCK); /* with its own share */
    assert_int_equal(cm_any_read_unlock(&read), CM_OK);
    assert_int_equal(cm_any_lookup_read(&by, digits_of(500), &read), CM_ABSENT);
    CM_WITH_READ (cm_any_lookup, &by, digits_of(6), g)
        assert_int_equal(*(const uint64_t *)g.value, 60);
    CM_WITH_WRITE (cm_any_lookup, &by, digits_of(6), g)
        ++*(uint64_t *)g.value;
    CM_WITH_WRITE (cm_any_lookup, &by, digits_of(600), g)
        fail();
    else
        assert_int_equal(g.status, CM_ABSENT);
    uint64_t value;
    assert_true(cm_any_lookup_get(&by, digits_of(6), &value) && value == 61);
    finish(&map);
}

/* Its key is removed under the guard, and put there again. */
static void key_stays(cm_any *map, const cm_any_lookup *by, const void *sought, const void *key)
{
    cm_any_write_guard guard;
    uint64_t seven[100] = {7}, value[100] = {1};
    assert_int_equal(cm_any_put(map, key, value, NULL), CM_OK);
    assert_int_equal(cm_any_lookup_write(by, sought, &guard), CM_OK);
    assert_true(map->type.equal(guard.key, key) && guard.key != key);
    assert_true(cm_any_lookup_get(by, sought, value)); /* its own lock */
    assert_int_equal(cm_any_entry_remove(&guard, NULL), CM_OK);
    assert_non_null(cm_any_entry_insert(&guard, seven));
    assert_int_equal(cm_any_write_unlock(&guard), CM_OK);
    assert_true(cm_any_get(map, key, value) && value[0] == 7);
}

static void a_guard_knows_the_maps_key(void **state)
{
    (void)state;
    for (size_t size = 8; size <= 800; size *= 10) {
        cm_any map;
        cm_any_lookup by = nums_make(&map, size, 100);
        uint64_t key = 1234;
        key_stays(&map, &by, digits_of(key), &key);
        finish(&map);
    }
    cm_any map;
    cm_any_lookup by = texts_make(&map, 8);
    char text[] = "foobar"; /* goes before its entry does */
    cm_str key = cm_str_of(text);
    key_stays(&map, &by, &foobar, &key);
    memset(text, 0, sizeof text);
    assert_true(cm_any_lookup_contains(&by, &foobar));
    finish(&map);
}

/* ---- anchored maps ---- */

static void anchored_maps_tell_where_values_are(void **state)
{
    (void)state;
    struct cm_type type;
    cm_any_anchored map;
    cm_any_type_u64(&type, 8);
    assert_int_equal(cm_any_anchored_init(&map, &type, NULL), CM_OK);
    cm_any_anchored_lookup by = {&map, any_digits_hash, any_digits_equal};
    struct digits all[100];
    cm_str sought[100];
    const void *seen[100], *stored;
    for (uint64_t key = 0; key < 2000; key++) {
        assert_int_equal(cm_any_anchored_put(&map, &key, &key, NULL), CM_OK);
        assert_ptr_equal(cm_any_anchored_lookup_get(&by, digits_of(key / 2)), /* found while it grows */
                         cm_any_anchored_get(&map, &(uint64_t){key / 2}));
    }
    for (uint64_t i = 0; i < 100; i++)
        sought[i] = *digits(&all[i], i * 25);
    assert_int_equal(cm_any_anchored_lookup_get_many(&by, sought, sizeof *sought, 100, seen), 80);
    for (uint64_t i = 0; i < 100; i++)
        assert_ptr_equal(seen[i], cm_any_anchored_get(&map, &(uint64_t){i * 25}));
    uint64_t hash = cm_any_anchored_lookup_hash_of(&by, &sought[1]);
    cm_any_anchored_lookup_prefetch(&by, &sought[1]);
    assert_ptr_equal(cm_any_anchored_lookup_get_hashed(&by, hash, &sought[1]), seen[1]);
    assert_ptr_equal(cm_any_anchored_lookup_get_key_value(&by, &sought[1], &stored), seen[1]);
    assert_int_equal(*(const uint64_t *)stored, 25);
    assert_null(cm_any_anchored_lookup_get_key_value(&by, &sought[99], &stored));
    assert_true(cm_any_anchored_lookup_contains(&by, &sought[1]));
    assert_true(cm_any_anchored_lookup_contains_hashed(&by, hash, &sought[1]));
    assert_false(cm_any_anchored_lookup_contains(&by, &sought[99]));
    assert_int_equal(cm_any_anchored_check(&map, NULL), CM_OK);
    cm_any_anchored_destroy(&map);
}

static void anchored_values_are_replaced_under_their_own_key(void **state)
{
    (void)state;
    struct cm_type type;
    cm_any_anchored map;
    cm_str key = cm_str_of("foobar");
    uint64_t one = 1, value = 1, expected = 2, desired = 10;
    const void *old;
    cm_any_type_text(&type, 8);
    assert_int_equal(cm_any_anchored_init(&map, &type, NULL), CM_OK);
    cm_any_anchored_lookup by = {&map, halves_hash, halves_equal};
    assert_int_equal(cm_any_anchored_lookup_update(&by, &foobar, add, &one), CM_ABSENT);
    assert_int_equal(cm_any_anchored_put(&map, &key, &value, NULL), CM_OK);
    const uint64_t *seen = cm_any_anchored_lookup_get(&by, &foobar);
    assert_int_equal(cm_any_anchored_lookup_update(&by, &foobar, add, &one), CM_OK); /* a new node, with its key */
    assert_int_equal(*seen, 1);
    assert_int_equal(*(const uint64_t *)cm_any_anchored_get(&map, &key), 2);
    assert_int_equal(cm_any_anchored_lookup_compare_exchange(&by, &foobar, &expected, &desired, cm_any_equal_u64),
                     CM_REPLACED);
    assert_int_equal(cm_any_anchored_lookup_update_if(&by, &foobar, is_odd, add, &one), CM_EXISTS);
    assert_int_equal(cm_any_anchored_lookup_remove_if(&by, &foobar, refuse, NULL, &old), CM_EXISTS);
    seen = cm_any_anchored_get(&map, &key);
    assert_int_equal(cm_any_anchored_lookup_try_remove(&by, &foobar, &old), CM_OK);
    assert_ptr_equal(old, seen);
    assert_int_equal(*seen, 10);
    assert_int_equal(cm_any_anchored_lookup_remove(&by, &foobar, NULL), CM_ABSENT);
    assert_int_equal(cm_any_anchored_check(&map, NULL), CM_OK);
    cm_any_anchored_destroy(&map);
}

/* ---- among threads ---- */

struct race {
    cm_any map;
    cm_any_lookup by;
};

/* Threads add to counters by their digits, while the map grows by others of their numbers. */
static size_t count_together(void *context, unsigned i)
{
    struct race *race = context;
    struct digits room;
    uint64_t one = 1;
    size_t wrong = 0;
    for (uint64_t n = 0; n < crew_scale(10000); n++) {
        uint64_t key = 1000 + n * 4 + i;
        wrong += cm_any_put(&race->map, &key, &one, NULL) != CM_OK;
        wrong += cm_any_lookup_update(&race->by, digits(&room, n % 10), add, &one) != CM_OK;
        wrong += !cm_any_lookup_contains(&race->by, digits(&room, key));
    }
    return wrong;
}

static void threads_share_a_look_up(void **state)
{
    (void)state;
    struct race race;
    uint64_t sum = 0, value;
    race.by = nums_make(&race.map, 8, 10);
    assert_int_equal(crew_run(4, count_together, &race), 0);
    for (uint64_t key = 0; key < 10; key++) {
        assert_true(cm_any_get(&race.map, &key, &value));
        sum += value - key * 10;
    }
    assert_int_equal(sum, 4 * crew_scale(10000));
    finish(&race.map);
}

/* What a call has left on the stack. */
static __attribute__((noinline)) void scrub(void)
{
    volatile char stack[4096];
    for (size_t i = 0; i < sizeof stack; i++)
        stack[i] = (char)0xa5;
}

static uint32_t snapshots_taken;

static size_t take_snapshots(struct race *race)
{
    size_t wrong = 0;
    for (uint64_t n = 0; n < crew_scale(30); n++) {
        cm_any_snapshot snapshot;
        wrong += cm_any_snapshot_take(&race->map, &snapshot) != CM_OK;
        wrong += cm_any_snapshot_len(&snapshot) != 20000;
        cm_any_snapshot_drop(&snapshot);
    }
    cm_store_release_(&snapshots_taken, 1);
    return wrong;
}

static size_t snapshots_and_look_ups(void *context, unsigned thread)
{
    struct race *race = context;
    struct digits room;
    uint64_t one = 1;
    size_t wrong = 0;
    if (thread == 0)
        return take_snapshots(race);
    for (uint64_t n = thread; !cm_load_acquire_(&snapshots_taken); n++) {
        wrong += cm_any_lookup_update(&race->by, digits(&room, n * 7919 % 20000), add, &one) != CM_OK;
        scrub();
    }
    return wrong;
}

/* Copies that a look-up makes for a snapshot outlive it, and the type that it was called with. */
static void snapshots_go_on_beside_look_ups(void **state)
{
    (void)state;
    struct race race;
    race.by = nums_make(&race.map, 24, 20000);
    assert_int_equal(crew_run(3, snapshots_and_look_ups, &race), 0);
    finish(&race.map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_found_by_its_digits),
        cmocka_unit_test(what_is_found_is_changed_and_removed),
        cmocka_unit_test(values_are_exchanged_and_taken),
        cmocka_unit_test(a_text_is_found_by_its_parts),
        cmocka_unit_test(an_owned_value_is_copied_out_and_destroyed_once),
        cmocka_unit_test(what_expired_is_not_found),
        cmocka_unit_test(without_memory_nothing_is_changed),
        cmocka_unit_test(a_guard_is_locked_by_what_is_looked_up),
        cmocka_unit_test(a_guard_knows_the_maps_key),
        cmocka_unit_test(anchored_maps_tell_where_values_are),
        cmocka_unit_test(anchored_values_are_replaced_under_their_own_key),
        cmocka_unit_test(threads_share_a_look_up),
        cmocka_unit_test(snapshots_go_on_beside_look_ups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
