/* Promises of the dynamic map beyond those of every map (test_any_kinds.c): each verb of one key, or of several, by
 * address. */
#include <concmap/any.h>

#include "any_nums.h"
#include "crew.h"
#include "large.h"
#include "unit.h"

static cm_status add(void *value, void *context)
{
    *(uint64_t *)value += *(const uint64_t *)context;
    return CM_OK;
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
        cmocka_unit_test(threads_do_not_disturb_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
