/* Guards, entries, and conditional changes; what a thread does under its own guards, and others meanwhile. The names
 * with a letter and a number are cases of the project's list of bugs that other maps had. */
#include <pthread.h>
#include <sched.h>

#include "crew.h"
#include "guarded.h"
#include "unit.h"

struct page {
    uint64_t words[32];
};

CM_SHARDED_MAP(pages, uint64_t, struct page, cm_hash_u64, cm_equal_u64)
CM_SHARDED_MAP(words, cm_str, uint64_t, cm_hash_str, cm_equal_str)

static cm_status make_seven(uint64_t *value, void *context)
{
    (void)context;
    *value = 7;
    return CM_OK;
}

static cm_status spoil(uint64_t *value, void *context)
{
    (void)context;
    *value = 77;
    return CM_FULL;
}

/* ---- one thread ---- */

static void a_write_guard_changes_the_value(void **state)
{
    (void)state;
    nums map;
    nums_write_guard guard;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    assert_int_equal(nums_write(&map, 1, &guard), CM_ABSENT);
    assert_null(guard.value);
    assert_int_equal(nums_write_unlock(&guard), CM_INVALID);
    assert_int_equal(nums_put(&map, 1, 5, NULL), CM_OK);
    assert_int_equal(nums_write(&map, 1, &guard), CM_OK);
    *guard.value += 2;
    assert_int_equal(nums_write_unlock(&guard), CM_OK);
    assert_int_equal(nums_write_unlock(&guard), CM_INVALID);
    uint64_t value;
    assert_true(nums_get(&map, 1, &value) && value == 7);
    nums_destroy(&map);
}

static void scopes_unlock_however_they_are_left(void **state)
{
    (void)state;
    nums map;
    size_t absent = 0;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    assert_int_equal(nums_put(&map, 1, 0, NULL), CM_OK);
    for (int i = 0; i < 3; i++) {
        CM_WITH_WRITE (nums, &map, 1, g) {
            ++*g.value;
            if (i == 0)
                continue;
            if (i == 1)
                break;
        }
        CM_WITH_WRITE (nums, &map, 2, g)
            absent += 100;
        else
            absent += g.status == CM_ABSENT;
    }
    CM_WITH_WRITE (nums, &map, 1, g) {
        ++*g.value;
        goto out;
    }
out:
    CM_WITH_READ (nums, &map, 1, g)
        assert_int_equal(*g.value, 4);
    else
        fail();
    assert_int_equal(absent, 3);
    assert_int_equal(nums_try_put(&map, 1, 9, NULL), CM_REPLACED); /* nobody holds it */
    nums_destroy(&map);
}

static void an_entry_is_made_changed_and_removed(void **state)
{
    (void)state;
    nums map;
    nums_write_guard entry;
    uint64_t old = 0;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    for (uint64_t key = 0; key < 3000; key++) {
        assert_int_equal(nums_entry(&map, key, &entry), CM_OK);
        assert_null(entry.value);
        assert_int_equal(nums_entry_and_modify(&entry, add_one, NULL), CM_ABSENT);
        assert_int_equal(*nums_entry_or_insert(&entry, 3), 3);
        assert_int_equal(nums_entry_and_modify(&entry, add_one, NULL), CM_OK);
        assert_int_equal(nums_entry_and_modify(&entry, spoil, NULL), CM_FULL);
        assert_int_equal(*nums_entry_or_insert(&entry, 99), 4);
        assert_int_equal(nums_entry_or_insert_with(&entry, make_seven, NULL), CM_EXISTS);
        assert_int_equal(nums_entry_replace(&entry, 8, &old), CM_REPLACED);
        assert_int_equal(old, 4);
        if (key % 3 == 0) {
            assert_int_equal(nums_entry_remove(&entry, &old), CM_OK);
            assert_int_equal(old, 8);
            assert_int_equal(nums_entry_remove(&entry, &old), CM_ABSENT);
        }
        if (key % 6 == 0)
            assert_int_equal(*nums_entry_insert(&entry, 8), 8);
        assert_int_equal(nums_entry_unlock(&entry), CM_OK);
    }
    assert_int_equal(nums_len(&map), 2500);
    const char *reason = NULL;
    assert_int_equal(nums_settle(&map), CM_OK);
    assert_int_equal(nums_check(&map, &reason), CM_OK);
    nums_destroy(&map);
}

static void entries_own_their_texts(void **state)
{
    (void)state;
    words map;
    char text[700];
    assert_int_equal(words_init(&map, NULL), CM_OK);
    for (unsigned i = 0; i < 700; i++) {
        words_write_guard entry;
        memset(text, 'a' + (int)(i % 26), sizeof text);
        memcpy(text, &i, sizeof i);
        assert_int_equal(words_entry(&map, cm_str_from(text, i), &entry), CM_OK);
        if (i % 2)
            assert_non_null(words_entry_insert(&entry, i));
        if (i % 4 == 3) {
            assert_int_equal(words_entry_remove(&entry, NULL), CM_OK);
            assert_non_null(words_entry_insert(&entry, i + 1));
        }
        assert_int_equal(words_entry_unlock(&entry), CM_OK);
    }
    for (unsigned i = 0; i < 700; i++) {
        uint64_t value = 0;
        memset(text, 'a' + (int)(i % 26), sizeof text);
        memcpy(text, &i, sizeof i);
        bool expected = i % 2;
        if (i >= sizeof i)
            assert_int_equal(words_get(&map, cm_str_from(text, i), &value), expected);
        if (i >= sizeof i && expected)
            assert_int_equal(value, i % 4 == 3 ? i + 1 : i);
    }
    const char *reason = NULL;
    assert_int_equal(words_check(&map, &reason), CM_OK);
    words_destroy(&map);
}

static bool is_even(const uint64_t *value, void *context)
{
    (void)context;
    return *value % 2 == 0;
}

static cm_status if_zero(uint64_t *value, void *context)
{
    (void)context;
    return *value == 0 ? CM_OK : CM_EXISTS;
}

static bool same(const uint64_t *a, const uint64_t *b)
{
    return *a == *b;
}

static void conditional_changes(void **state)
{
    (void)state;
    nums map;
    uint64_t value = 0;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    assert_int_equal(nums_put(&map, 1, 2, NULL), CM_OK);
    assert_int_equal(nums_update_if(&map, 1, is_even, add_one, NULL), CM_OK);
    assert_int_equal(nums_update_if(&map, 1, is_even, add_one, NULL), CM_EXISTS);
    assert_int_equal(nums_remove_if(&map, 1, if_zero, NULL, NULL), CM_EXISTS);
    value = 2;
    assert_int_equal(nums_compare_exchange(&map, 1, &value, 9, same), CM_EXISTS);
    assert_int_equal(value, 3);
    assert_int_equal(nums_compare_exchange(&map, 1, &value, 0, same), CM_REPLACED);
    assert_int_equal(nums_compare_exchange(&map, 5, &value, 0, same), CM_ABSENT);
    assert_int_equal(nums_take_or(&map, 5, 44, &value), CM_ABSENT);
    assert_int_equal(value, 44);
    assert_int_equal(nums_remove_if(&map, 1, if_zero, NULL, &value), CM_OK);
    assert_int_equal(value, 0);
    assert_int_equal(nums_remove_if(&map, 1, if_zero, NULL, NULL), CM_ABSENT);
    assert_int_equal(nums_put(&map, 1, 6, NULL), CM_OK);
    assert_int_equal(nums_take_or(&map, 1, 44, &value), CM_OK);
    assert_int_equal(value, 6);
    assert_int_equal(nums_len(&map), 0);
    nums_destroy(&map);
}

/* ---- K2: what a thread does under its own guards ---- */

static void K2_only_the_same_key_of_the_same_thread_is_a_deadlock(void **state)
{
    (void)state;
    plain map;
    uint64_t value;
    assert_int_equal(plain_init(&map, NULL), CM_OK);
    for (uint64_t i = 0; i < 30; i++)
        assert_int_equal(plain_put(&map, NEAR(i), i, NULL), CM_OK);
    plain_write_guard guard, other;
    plain_read_guard reader;
    assert_int_equal(plain_write(&map, NEAR(7), &guard), CM_OK);
    *guard.value = 70;
    /* the same key */
    assert_int_equal(plain_put(&map, NEAR(7), 1, NULL), CM_DEADLOCK);
    assert_int_equal(plain_try_put(&map, NEAR(7), 1, NULL), CM_DEADLOCK);
    assert_int_equal(plain_remove(&map, NEAR(7), NULL), CM_DEADLOCK);
    assert_int_equal(plain_update(&map, NEAR(7), add_one, NULL), CM_DEADLOCK);
    assert_int_equal(plain_upsert(&map, NEAR(7), 1, add_one, NULL), CM_DEADLOCK);
    assert_int_equal(plain_write(&map, NEAR(7), &other), CM_DEADLOCK);
    assert_int_equal(plain_entry(&map, NEAR(7), &other), CM_DEADLOCK);
    assert_int_equal(plain_read(&map, NEAR(7), &reader), CM_DEADLOCK);
    assert_true(plain_get(&map, NEAR(7), &value) && value == 70); /* reads through */
    /* others of the bucket, in all ways */
    assert_true(plain_get(&map, NEAR(8), &value) && value == 8);
    assert_int_equal(plain_put(&map, NEAR(8), 80, NULL), CM_REPLACED);
    assert_int_equal(plain_update(&map, NEAR(9), add_one, NULL), CM_OK);
    for (uint64_t i = 0; i < 30; i += 2)
        assert_int_equal(plain_remove(&map, NEAR(i), &value), CM_OK);
    for (uint64_t i = 100; i < 120; i++)
        assert_int_equal(plain_insert(&map, NEAR(i), i), CM_OK);
    assert_int_equal(plain_write(&map, NEAR(9), &other), CM_OK);
    assert_int_equal(plain_put(&map, NEAR(9), 1, NULL), CM_DEADLOCK);
    assert_int_equal(*other.value, 10);
    assert_int_equal(plain_remove(&map, NEAR(11), NULL), CM_OK);
    assert_int_equal(*guard.value, 70); /* it has not moved */
    assert_int_equal(plain_write_unlock(&guard), CM_OK);
    assert_int_equal(*other.value, 10);
    assert_int_equal(plain_put(&map, NEAR(7), 71, NULL), CM_REPLACED); /* under the other one */
    assert_int_equal(plain_write_unlock(&other), CM_OK);
    /* elsewhere */
    well(&map, 15 - 1 + 20);
    plain_destroy(&map);
}

static void K2_readers_may_change_other_keys(void **state)
{
    (void)state;
    plain map;
    uint64_t value;
    assert_int_equal(plain_init(&map, NULL), CM_OK);
    for (uint64_t i = 0; i < 30; i++)
        assert_int_equal(plain_put(&map, NEAR(i), i, NULL), CM_OK);
    plain_read_guard guard, clone;
    plain_write_guard other;
    assert_int_equal(plain_read(&map, NEAR(3), &guard), CM_OK);
    assert_int_equal(plain_read_clone(&guard, &clone), CM_OK);
    assert_int_equal(plain_put(&map, NEAR(3), 1, NULL), CM_DEADLOCK);
    assert_int_equal(plain_write(&map, NEAR(3), &other), CM_DEADLOCK);
    assert_true(plain_get(&map, NEAR(3), &value) && value == 3);
    for (uint64_t i = 10; i < 30; i++)
        assert_int_equal(plain_remove(&map, NEAR(i), NULL), CM_OK);
    assert_int_equal(plain_entry(&map, NEAR(50), &other), CM_OK);
    assert_int_equal(plain_put(&map, NEAR(50), 1, NULL), CM_DEADLOCK); /* a vacant entry is held, too */
    assert_int_equal(plain_put(&map, NEAR(51), 1, NULL), CM_OK);
    assert_int_equal(plain_read_unlock(&guard), CM_OK);
    assert_int_equal(*plain_entry_insert(&other, 50), 50);
    assert_int_equal(plain_entry_unlock(&other), CM_OK);
    assert_int_equal(*clone.value, 3);
    assert_int_equal(plain_read_unlock(&clone), CM_OK);
    assert_int_equal(plain_read_unlock(&clone), CM_INVALID);
    well(&map, 12);
    assert_int_equal(plain_put(&map, NEAR(3), 1, NULL), CM_REPLACED);
    well(&map, 12);
    plain_destroy(&map);
}

/* Any nesting of guards and calls on the keys of one bucket, beside a model. */
static void K2_nested_at_random(void **state)
{
    (void)state;
    enum { KEYS = 24, GUARDS = 5 };
    uint64_t random = crew_seed("nested guards");
    plain map;
    bool present[KEYS] = {false};
    uint64_t values[KEYS] = {0};
    plain_write_guard guards[GUARDS];
    int of[GUARDS] = {-1, -1, -1, -1, -1};
    assert_int_equal(plain_init(&map, NULL), CM_OK);
    for (size_t n = 0; n < crew_scale(200000); n++) {
        int key = (int)(crew_random(&random) % KEYS), g = (int)(random >> 20) % GUARDS, held = -1;
        uint64_t value = 0;
        g = g < 0 ? -g : g;
        for (int i = 0; i < GUARDS; i++)
            held = of[i] == key ? i : held;
        switch (random >> 40 & 7) {
        case 0:
        case 1: { /* an entry, or the end of one */
            if (of[g] >= 0) {
                assert_int_equal(plain_entry_unlock(&guards[g]), CM_OK);
                of[g] = -1;
                break;
            }
            assert_int_equal(plain_entry(&map, NEAR(key), &guards[g]), held >= 0 ? CM_DEADLOCK : CM_OK);
            of[g] = held >= 0 ? -1 : key;
            break;
        }
        case 2: /* through the guard */
            if (of[g] < 0)
                break;
            assert_non_null(plain_entry_insert(&guards[g], n));
            present[of[g]] = true;
            values[of[g]] = n;
            break;
        case 3:
            if (of[g] < 0)
                break;
            assert_int_equal(plain_entry_remove(&guards[g], &value), present[of[g]] ? CM_OK : CM_ABSENT);
            present[of[g]] = false;
            break;
        case 4:
            assert_int_equal(plain_put(&map, NEAR(key), n, NULL), held >= 0      ? CM_DEADLOCK
                                                                  : present[key] ? CM_REPLACED
                                                                                 : CM_OK);
            if (held < 0) {
                present[key] = true;
                values[key] = n;
            }
            break;
        case 5:
            assert_int_equal(plain_remove(&map, NEAR(key), NULL), held >= 0      ? CM_DEADLOCK
                                                                  : present[key] ? CM_OK
                                                                                 : CM_ABSENT);
            present[key] &= held >= 0;
            break;
        default:
            assert_int_equal(plain_get(&map, NEAR(key), &value), present[key]);
            if (present[key])
                assert_int_equal(value, values[key]);
        }
        for (int i = 0; i < GUARDS; i++)
            if (of[i] >= 0 && present[of[i]])
                assert_int_equal(*guards[i].value, values[of[i]]);
    }
    for (int i = 0; i < GUARDS; i++)
        if (of[i] >= 0)
            assert_int_equal(plain_entry_unlock(&guards[i]), CM_OK);
    size_t entries = 0;
    for (int i = 0; i < KEYS; i++)
        entries += present[i];
    well(&map, entries);
    assert_int_equal(plain_put(&map, NEAR(KEYS), 0, NULL), CM_OK); /* whoever comes next tidies */
    well(&map, entries + 1);
    plain_destroy(&map);
}

/* ---- several threads ---- */

static size_t wrong_unless(cm_status status, cm_status expected)
{
    return status != expected;
}

static bool odd(const uint64_t *value, void *context)
{
    (void)context;
    return *value % 2 == 1;
}

/* Every call that waits, in the form that does not: key 1 is kept by another thread. */
static size_t try_all(void *context, unsigned i)
{
    nums *map = &((struct kept *)context)->map;
    nums_read_guard reader;
    nums_write_guard writer;
    uint64_t value = 0, keys[] = {2, 1};
    size_t wrong = 0;
    (void)i;
    wrong += wrong_unless(nums_try_get(map, 1, &value), CM_BUSY);
    wrong += wrong_unless(nums_try_insert(map, 1, 0), CM_BUSY);
    wrong += wrong_unless(nums_try_put(map, 1, 0, NULL), CM_BUSY);
    wrong += wrong_unless(nums_try_update(map, 1, add_one, NULL), CM_BUSY);
    wrong += wrong_unless(nums_try_upsert(map, 1, 0, add_one, NULL), CM_BUSY);
    wrong += wrong_unless(nums_try_get_or_insert(map, 1, 0, &value), CM_BUSY);
    wrong += wrong_unless(nums_try_get_or_insert_with(map, 1, make_seven, NULL, &value), CM_BUSY);
    wrong += wrong_unless(nums_try_remove(map, 1, NULL), CM_BUSY);
    wrong += wrong_unless(nums_try_remove_if(map, 1, if_zero, NULL, NULL), CM_BUSY);
    wrong += wrong_unless(nums_try_update_if(map, 1, odd, add_one, NULL), CM_BUSY);
    wrong += wrong_unless(nums_try_compare_exchange(map, 1, &value, 1, same), CM_BUSY);
    wrong += wrong_unless(nums_try_take_or(map, 1, 1, &value), CM_BUSY);
    wrong += wrong_unless(nums_try_read(map, 1, &reader), CM_BUSY);
    wrong += wrong_unless(nums_try_write(map, 1, &writer), CM_BUSY);
    wrong += wrong_unless(nums_try_entry(map, 1, &writer), CM_BUSY);
    wrong += wrong_unless(nums_try_with_keys(map, keys, 2, touch_all, NULL), CM_BUSY);
    return wrong;
}

static size_t time_out_all(void *context, unsigned i)
{
    nums *map = &((struct kept *)context)->map;
    nums_read_guard reader;
    nums_write_guard writer;
    uint64_t value = 0, keys[] = {2, 1};
    size_t wrong = 0;
    (void)i;
    wrong += wrong_unless(nums_get_until(map, 1, &value, IN_MS(5)), CM_TIMEOUT);
    wrong += wrong_unless(nums_insert_until(map, 1, 0, IN_MS(5)), CM_TIMEOUT);
    wrong += wrong_unless(nums_put_until(map, 1, 0, NULL, IN_MS(5)), CM_TIMEOUT);
    wrong += wrong_unless(nums_update_until(map, 1, add_one, NULL, IN_MS(5)), CM_TIMEOUT);
    wrong += wrong_unless(nums_upsert_until(map, 1, 0, add_one, NULL, IN_MS(5)), CM_TIMEOUT);
    wrong += wrong_unless(nums_get_or_insert_until(map, 1, 0, &value, IN_MS(5)), CM_TIMEOUT);
    wrong += wrong_unless(nums_get_or_insert_with_until(map, 1, make_seven, NULL, &value, IN_MS(5)), CM_TIMEOUT);
    wrong += wrong_unless(nums_remove_until(map, 1, NULL, IN_MS(5)), CM_TIMEOUT);
    wrong += wrong_unless(nums_remove_if_until(map, 1, if_zero, NULL, NULL, IN_MS(5)), CM_TIMEOUT);
    wrong += wrong_unless(nums_update_if_until(map, 1, odd, add_one, NULL, IN_MS(5)), CM_TIMEOUT);
    wrong += wrong_unless(nums_compare_exchange_until(map, 1, &value, 1, same, IN_MS(5)), CM_TIMEOUT);
    wrong += wrong_unless(nums_take_or_until(map, 1, 1, &value, IN_MS(5)), CM_TIMEOUT);
    wrong += wrong_unless(nums_read_until(map, 1, &reader, IN_MS(5)), CM_TIMEOUT);
    wrong += wrong_unless(nums_write_until(map, 1, &writer, IN_MS(5)), CM_TIMEOUT);
    wrong += wrong_unless(nums_entry_until(map, 1, &writer, IN_MS(5)), CM_TIMEOUT);
    wrong += wrong_unless(nums_with_keys_until(map, keys, 2, touch_all, NULL, IN_MS(5)), CM_TIMEOUT);
    wrong += wrong_unless(nums_write_until(map, 1, &writer, 1), CM_TIMEOUT); /* long ago */
    return wrong;
}

static void K7_every_call_that_waits_has_a_try_and_a_deadline(void **state)
{
    (void)state;
    struct kept kept;
    kept_init(&kept);
    nums_write_guard guard;
    assert_int_equal(nums_write(&kept.map, 1, &guard), CM_OK);
    assert_int_equal(crew_run(1, try_all, &kept), 0);
    assert_int_equal(crew_run(1, time_out_all, &kept), 0);
    assert_int_equal(*guard.value, 1);
    assert_int_equal(nums_write_unlock(&guard), CM_OK);
    assert_int_equal(kept.map.core.waiters.count, 0);
    assert_int_equal(nums_try_put(&kept.map, 1, 2, NULL), CM_REPLACED); /* nobody left PENDING behind */
    nums_destroy(&kept.map);
}

static cm_status see(const uint64_t *key, const uint64_t *value, void *context)
{
    (void)key, (void)value;
    ++*(size_t *)context;
    return CM_OK;
}

/* The same for batches and walks: key 1 is kept, the others are free. */
static size_t try_many(void *context, unsigned i)
{
    struct kept *kept = context;
    nums *map = &kept->map;
    uint64_t keys[] = {1, 2}, values[2] = {10, 20};
    bool found[2];
    cm_status results[2];
    nums_op ops[] = {{.kind = CM_OP_GET, .key = 1}, {.kind = CM_OP_REMOVE, .key = 2}};
    size_t seen = 0, wrong = 0;
    (void)i;
    wrong += nums_try_get_many(map, keys, 2, found, values) != 1 || found[0] || !found[1];
    wrong += nums_try_put_many(map, keys, values, 2, results) != 1 || results[0] != CM_BUSY;
    wrong += nums_put_many_until(map, keys, values, 2, results, IN_MS(5)) != 1 || results[0] != CM_TIMEOUT;
    wrong += nums_try_update_many(map, keys, 2, add_one, NULL, results) != 1 || results[0] != CM_BUSY;
    wrong += nums_try_remove_many(map, keys, 1, NULL, results) != 0 || results[0] != CM_BUSY;
    wrong += nums_apply_many_until(map, ops, 2, IN_MS(5)) != 1 || ops[0].status != CM_TIMEOUT || ops[1].status != CM_OK;
    wrong += wrong_unless(nums_try_for_each(map, see, &seen), CM_BUSY);
    wrong += wrong_unless(nums_for_each_until(map, see, &seen, IN_MS(5)), CM_TIMEOUT);
    return wrong;
}

static size_t walk_in_steps(void *context, unsigned i)
{
    struct kept *kept = context;
    nums_iter iter = nums_iter_begin(&kept->map);
    size_t seen = 0, busy = 0;
    (void)i;
    for (;;) {
        if (nums_try_iter_next(&iter)) {
            seen++;
        } else if (iter.status == CM_BUSY) {
            busy++;
            __atomic_store_n(&kept->told, 1, __ATOMIC_RELEASE);
        } else {
            break;
        }
    }
    nums_iter_end(&iter);
    return (size_t)(seen != 99) + (busy == 0) + (iter.status != CM_OK);
}

static void *unlock_when_told(void *context)
{
    struct kept *kept = context;
    nums_write_guard guard;
    if (nums_write(&kept->map, 1, &guard) != CM_OK)
        return context;
    __atomic_store_n(&kept->told, 0, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&kept->told, __ATOMIC_ACQUIRE))
        sched_yield();
    return nums_write_unlock(&guard) == CM_OK ? NULL : context;
}

static void K7_batches_and_walks_have_a_try_and_a_deadline(void **state)
{
    (void)state;
    struct kept kept;
    nums_write_guard guard;
    pthread_t thread;
    void *result;
    kept_init(&kept);
    assert_int_equal(nums_write(&kept.map, 1, &guard), CM_OK);
    assert_int_equal(crew_run(1, try_many, &kept), 0);
    assert_int_equal(nums_write_unlock(&guard), CM_OK);
    assert_int_equal(nums_len(&kept.map), 99);
    kept.told = 1;
    assert_int_equal(pthread_create(&thread, NULL, unlock_when_told, &kept), 0);
    while (__atomic_load_n(&kept.told, __ATOMIC_ACQUIRE))
        sched_yield();
    assert_int_equal(crew_run(1, walk_in_steps, &kept), 0);
    pthread_join(thread, &result);
    assert_null(result);
    assert_int_equal(nums_try_clear(&kept.map), CM_OK);
    assert_int_equal(nums_len(&kept.map), 0);
    nums_destroy(&kept.map);
}

static size_t read_or_fail(void *context, unsigned i)
{
    struct kept *kept = context;
    nums_read_guard guard;
    (void)i;
    if (nums_read_until(&kept->map, 1, &guard, IN_SECOND(20)) != CM_OK)
        return 1;
    return *guard.value != 5 || nums_read_unlock(&guard) != CM_OK;
}

static size_t write_fails(void *context, unsigned i)
{
    (void)i;
    return nums_put_until(&((struct kept *)context)->map, 1, 9, NULL, IN_MS(5)) != CM_TIMEOUT;
}

static void K1_a_downgraded_guard_lets_readers_in_and_ends_free(void **state)
{
    (void)state;
    struct kept kept;
    kept_init(&kept);
    nums_write_guard writer;
    nums_read_guard reader, clone;
    assert_int_equal(nums_write(&kept.map, 1, &writer), CM_OK);
    *writer.value = 5;
    assert_int_equal(nums_write_downgrade(&writer, &reader), CM_OK);
    assert_int_equal(nums_write_unlock(&writer), CM_INVALID);
    assert_int_equal(crew_run(3, read_or_fail, &kept), 0);
    assert_int_equal(crew_run(1, write_fails, &kept), 0);
    assert_int_equal(crew_run(1, read_or_fail, &kept), 0); /* the writer has left nothing behind */
    assert_int_equal(nums_read_clone(&reader, &clone), CM_OK);
    assert_int_equal(nums_read_upgrade(&reader, 1, &writer), CM_BUSY); /* the clone reads, too */
    assert_int_equal(nums_read_unlock(&clone), CM_OK);
    assert_int_equal(nums_read_upgrade(&reader, 1, &writer), CM_OK);
    *writer.value = 6;
    assert_int_equal(nums_read_unlock(&reader), CM_INVALID);
    assert_int_equal(nums_write_downgrade(&writer, &reader), CM_OK);
    assert_int_equal(nums_read_unlock(&reader), CM_OK);
    assert_int_equal(nums_try_put(&kept.map, 1, 5, NULL), CM_REPLACED);
    nums_destroy(&kept.map);
}

static void K4_what_fails_in_the_middle_leaves_the_lock_and_the_value(void **state)
{
    (void)state;
    struct kept kept;
    uint64_t value;
    kept_init(&kept);
    assert_int_equal(nums_update(&kept.map, 1, spoil, NULL), CM_FULL);
    assert_int_equal(nums_upsert(&kept.map, 1, 0, spoil, NULL), CM_FULL);
    assert_int_equal(nums_get_or_insert_with(&kept.map, 1000, spoil, NULL, &value), CM_FULL);
    assert_int_equal(nums_remove_if(&kept.map, 1, spoil, NULL, NULL), CM_FULL);
    assert_int_equal(nums_try_put(&kept.map, 1, 1, &value), CM_REPLACED);
    assert_int_equal(nums_try_insert(&kept.map, 1000, 1), CM_OK);
    nums_destroy(&kept.map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_guard_changes_the_value),
        cmocka_unit_test(scopes_unlock_however_they_are_left),
        cmocka_unit_test(an_entry_is_made_changed_and_removed),
        cmocka_unit_test(entries_own_their_texts),
        cmocka_unit_test(conditional_changes),
        cmocka_unit_test(K2_only_the_same_key_of_the_same_thread_is_a_deadlock),
        cmocka_unit_test(K2_readers_may_change_other_keys),
        cmocka_unit_test(K2_nested_at_random),
        cmocka_unit_test(K7_every_call_that_waits_has_a_try_and_a_deadline),
        cmocka_unit_test(K7_batches_and_walks_have_a_try_and_a_deadline),
        cmocka_unit_test(K1_a_downgraded_guard_lets_readers_in_and_ends_free),
        cmocka_unit_test(K4_what_fails_in_the_middle_leaves_the_lock_and_the_value),
    };
    cm_thread_get_(); /* registers the process for barriers */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
