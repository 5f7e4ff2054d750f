/* The anchored map: addresses that stay, counts among many threads, calls that want the map for themselves. Look-ups,
 * values made once and domains have files of their own. The names with a letter and a number are cases of the project's
 * list of bugs that other maps had. */
#include <concmap/anchored.h>
#include <concmap/domain.h>

#include "anchored_nums.h"
#include "crew.h"
#include "failing_allocator.h"

struct handler {
    uint64_t calls;
};
CM_ANCHORED_MAP_MUTABLE(handlers, cm_str, struct handler, cm_hash_str, cm_equal_str)

/* ---- addresses ---- */

static void get_gives_the_same_address_however_the_map_grows(void **state)
{
    (void)state;
    static const uint64_t *at[20000];
    nums map;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    assert_null(nums_get(&map, 1));
    for (uint64_t i = 0; i < 20000; i++) {
        assert_int_equal(nums_get_or_insert(&map, i, i * 3, &at[i]), CM_OK);
        assert_ptr_equal(nums_get(&map, i), at[i]);
    }
    for (uint64_t i = 0; i < 20000; i++) {
        const uint64_t *stored = NULL;
        assert_ptr_equal(nums_get_key_value(&map, i, &stored), at[i]);
        assert_int_equal(*stored, i);
        assert_int_equal(*at[i], i * 3);
    }
    assert_null(nums_get(&map, 20000));
    assert_false(nums_contains(&map, 20000));
    assert_true(nums_capacity(&map) >= 20000 / 2);
    finish(&map);
}

/* L1: anchormap frees the value when its slot is claimed again. */
static void check_outlives(const cm_config *config)
{
    nums map;
    assert_int_equal(nums_init(&map, config), CM_OK);
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(nums_put(&map, i, i + 7, NULL), CM_OK);
    const uint64_t *removed = nums_get(&map, 1), *replaced = nums_get(&map, 2), *changed = nums_get(&map, 3);
    uint64_t ten = 10;
    const uint64_t *old;
    assert_int_equal(nums_remove(&map, 1, &old), CM_OK);
    assert_ptr_equal(old, removed);
    assert_int_equal(nums_replace(&map, 2, 50, &old), CM_REPLACED);
    assert_ptr_equal(old, replaced);
    assert_int_equal(nums_update(&map, 3, add, &ten), CM_OK);
    for (uint64_t n = 0; n < 20000; n++) { /* memory is used again where it may be */
        assert_int_equal(nums_put(&map, 5000 + n, 77, NULL), CM_OK);
        assert_int_equal(nums_remove(&map, 5000 + n, NULL), CM_OK);
    }
    assert_int_equal(*removed, 8);
    assert_int_equal(*replaced, 9);
    assert_int_equal(*changed, 10);
    assert_null(nums_get(&map, 1));
    assert_int_equal(*nums_get(&map, 2), 50);
    assert_int_equal(*nums_get(&map, 3), 20);
    finish(&map);
}

static void a_reference_outlives_its_key_and_any_later_insert_L1(void **state)
{
    (void)state;
    check_outlives(NULL);
    check_outlives(&(cm_config){.references = CM_DOMAIN}); /* the thread is taken online by its first get */
    cm_domain_part(cm_domain_default());
    cm_domain domain;
    assert_int_equal(cm_domain_init(&domain, NULL), CM_OK);
    assert_int_equal(cm_domain_pin(&domain), CM_OK);
    check_outlives(&(cm_config){.references = CM_DOMAIN, .domain = &domain});
    cm_domain_unpin(&domain);
    cm_pin pin;
    cm_pin_open(&domain, &pin);
    check_outlives(&(cm_config){.references = CM_DOMAIN, .domain = &domain});
    cm_pin_close(&pin);
    cm_domain_part(&domain);
    assert_int_equal(cm_domain_destroy(&domain), CM_OK);
}

static void nothing_changes_where_the_function_says_so_K4(void **state)
{
    (void)state;
    nums map;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    assert_int_equal(nums_insert(&map, 1, 10), CM_OK);
    const uint64_t *at = nums_get(&map, 1);
    for (int i = 0; i < 2; i++) {
        cm_status says = i ? CM_EXISTS : CM_INVALID;
        assert_int_equal(nums_update(&map, 1, spoil, &says), says);
        assert_int_equal(nums_upsert(&map, 1, 5, spoil, &says), i ? CM_REPLACED : CM_INVALID);
        assert_ptr_equal(nums_get(&map, 1), at);
        assert_int_equal(*at, 10);
    }
    assert_int_equal(nums_insert(&map, 1, 11), CM_EXISTS);
    assert_int_equal(nums_replace(&map, 2, 11, NULL), CM_ABSENT);
    assert_int_equal(nums_insert(&map, 2, 11), CM_OK);
    assert_int_equal(nums_remove_if(&map, 2, is_even, NULL, NULL), CM_EXISTS);
    assert_int_equal(nums_remove_if(&map, 1, is_even, NULL, NULL), CM_OK);
    uint64_t expected = 12;
    assert_int_equal(nums_compare_exchange(&map, 2, &expected, 13, cm_equal_u64), CM_EXISTS);
    assert_int_equal(expected, 11);
    at = nums_get(&map, 2);
    assert_int_equal(nums_compare_exchange(&map, 2, &expected, 13, cm_equal_u64), CM_REPLACED);
    assert_int_equal(*at, 11);
    assert_int_equal(*nums_get(&map, 2), 13);
    finish(&map);
}

static void values_with_atomics_are_changed_in_place(void **state)
{
    (void)state;
    handlers map;
    assert_int_equal(handlers_init(&map, NULL), CM_OK);
    char text[300];
    memset(text, 'x', sizeof text);
    for (size_t len = 0; len <= sizeof text; len += 7) { /* short texts lie in nodes, long ones beside them */
        struct handler *handler = NULL;
        assert_int_equal(handlers_get_or_insert(&map, cm_str_from(text, len), (struct handler){0}, &handler), CM_OK);
        __atomic_add_fetch(&handler->calls, len, __ATOMIC_RELAXED);
    }
    for (size_t len = 0; len <= sizeof text; len += 7) {
        const cm_str *stored = NULL;
        struct handler *handler = handlers_get_key_value(&map, cm_str_from(text, len), &stored);
        assert_int_equal(handler->calls, len);
        assert_true(stored->data != text && stored->len == len);
    }
    handlers_destroy(&map);
}

/* ---- many threads ---- */

static nums shared;

static size_t count_work(void *context, unsigned thread)
{
    (void)context;
    uint64_t one = 1;
    size_t wrong = 0;
    for (size_t n = 0; n < crew_scale(20000); n++) {
        uint64_t key = (n * 7 + thread) % 50;
        if (n % 2)
            wrong += nums_upsert(&shared, key, 1, add, &one) < 0;
        else {
            const uint64_t *at;
            wrong += nums_get_or_insert(&shared, key, 0, &at) < 0;
            wrong += nums_update(&shared, key, add, &one) != CM_OK;
        }
    }
    return wrong;
}

static void no_increment_is_lost_E2_G2(void **state)
{
    (void)state;
    assert_int_equal(nums_init(&shared, NULL), CM_OK);
    assert_int_equal(crew_run(4, count_work, NULL), 0);
    uint64_t sum = 0;
    CM_FOREACH (nums, &shared, it)
        sum += *it.value;
    assert_int_equal(sum, 4 * crew_scale(20000));
    finish(&shared);
}

static size_t fill_work(void *context, unsigned thread)
{
    (void)context;
    size_t wrong = 0;
    for (uint64_t i = 0; i < 10000; i++)
        wrong += nums_insert(&shared, thread * 10000 + i, i) != CM_OK;
    return wrong;
}

static void eight_writers_fill_an_empty_map_E3_G1(void **state)
{
    (void)state;
    assert_int_equal(nums_init(&shared, NULL), CM_OK);
    assert_int_equal(crew_run(8, fill_work, NULL), 0);
    assert_int_equal(nums_len(&shared), 80000);
    for (uint64_t i = 0; i < 80000; i++)
        assert_int_equal(*nums_get(&shared, i), i % 10000);
    finish(&shared);
}

static size_t remove_work(void *context, unsigned thread)
{
    (void)context, (void)thread;
    size_t removed = 0;
    for (uint64_t i = 0; i < 5000; i++)
        removed += nums_remove(&shared, i, NULL) == CM_OK;
    return removed;
}

static void each_entry_is_removed_by_one_E4(void **state)
{
    (void)state;
    assert_int_equal(nums_init(&shared, NULL), CM_OK);
    for (uint64_t i = 0; i < 5000; i++)
        assert_int_equal(nums_put(&shared, i, i, NULL), CM_OK);
    assert_int_equal(crew_run(4, remove_work, NULL), 5000);
    assert_int_equal(nums_len(&shared), 0);
    finish(&shared);
}

static void setting_a_key_again_counts_nothing_E8(void **state)
{
    (void)state;
    assert_int_equal(nums_init(&shared, NULL), CM_OK);
    for (uint64_t n = 0; n < 3000; n++) {
        assert_int_equal(nums_put(&shared, 10 + n, 0, NULL), CM_OK); /* it grows */
        assert_int_equal(nums_put(&shared, 7, n, NULL), n ? CM_REPLACED : CM_OK);
        assert_int_equal(*nums_get(&shared, 7), n);
        assert_int_equal(nums_len(&shared), n + 2);
    }
    finish(&shared);
}

/* ---- alone ---- */

static cm_status keep_even(const uint64_t *key, const uint64_t *value, void *context)
{
    (void)value, (void)context;
    return *key % 2 ? CM_ABSENT : CM_OK;
}

static cm_status sum_up(const uint64_t *key, uint64_t *value, void *context)
{
    (void)key;
    *(uint64_t *)context += *value;
    return CM_OK;
}

static void who_is_alone_changes_values_in_place(void **state)
{
    (void)state;
    nums map;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(nums_insert(&map, i, i), CM_OK);
    const uint64_t *at = nums_get(&map, 10);
    *nums_get_mut(&map, 10) = 1;
    assert_int_equal(*at, 1);
    uint64_t five = 5, sum = 0, taken;
    assert_int_equal(nums_modify(&map, 10, add, &five), CM_OK);
    assert_int_equal(*at, 6);
    assert_int_equal(nums_modify(&map, 5000, add, &five), CM_ABSENT);
    CM_FOREACH (nums_mut, &map, it)
        *it.value = it.key;
    assert_int_equal(*at, 10);
    assert_int_equal(nums_values_mut(&map, add, &five), CM_OK);
    assert_int_equal(*at, 15);
    nums_entry_ref entry = nums_entry(&map, 2000);
    assert_null(entry.value);
    assert_non_null(nums_entry_insert(&entry, 3));
    assert_int_equal(*nums_get(&map, 2000), 3);
    assert_int_equal(nums_entry_remove(&entry, &taken), CM_OK);
    assert_int_equal(taken, 3);
    assert_int_equal(nums_remove_entry(&map, 999, &taken), CM_OK);
    assert_int_equal(taken, 1004);
    assert_int_equal(nums_remove_entry(&map, 999, &taken), CM_ABSENT);
    assert_int_equal(nums_retain(&map, keep_even, NULL), CM_OK);
    assert_int_equal(nums_len(&map), 500);
    assert_int_equal(nums_drain(&map, sum_up, &sum), CM_OK);
    assert_int_equal(sum, 499 * 500 + 5 * 500);
    assert_int_equal(nums_len(&map), 0);
    finish(&map);
}

static void clear_and_shrinking_give_back_what_was_kept_G3(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    nums map;
    assert_int_equal(nums_init(&map, &(cm_config){.allocator = &memory.allocator}), CM_OK);
    for (uint64_t round = 0; round < 3; round++) {
        for (uint64_t i = 0; i < 20000; i++)
            assert_int_equal(nums_put(&map, i, i, NULL), CM_OK);
        assert_int_equal(nums_unreclaimed(&map).entries, 0);
        for (uint64_t i = 0; i < 15000; i++)
            assert_int_equal(nums_put(&map, i, round, NULL), CM_REPLACED);
        assert_int_equal(nums_unreclaimed(&map).entries, 15000);
        assert_int_equal(nums_shrink_to_fit(&map), CM_OK);
        assert_int_equal(nums_unreclaimed(&map).entries, 0);
        assert_int_equal(nums_clear(&map), CM_OK);
        assert_int_equal(nums_len(&map), 0);
        assert_null(nums_get(&map, 5));
    }
    size_t most = memory.most_bytes;
    assert_int_equal(nums_shrink_to_fit(&map), CM_OK);
    assert_true(nums_memory(&map).table < 10000);
    for (uint64_t i = 0; i < 20000; i++)
        assert_int_equal(nums_put(&map, i, i, NULL), CM_OK);
    assert_true(memory.most_bytes <= most + most / 4);
    finish(&map);
    assert_int_equal(memory.live_blocks, 0);
    assert_int_equal(memory.mistakes, 0);
}

static void batches_do_what_single_calls_do(void **state)
{
    (void)state;
    nums map;
    uint64_t keys[300], values[300];
    cm_status results[300];
    const uint64_t *seen[300];
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    for (uint64_t i = 0; i < 300; i++)
        keys[i] = i, values[i] = i + 1;
    assert_int_equal(nums_put_many(&map, keys, values, 200, results), 200);
    assert_int_equal(nums_get_many(&map, keys, 300, seen), 200);
    for (uint64_t i = 0; i < 300; i++)
        assert_ptr_equal(seen[i], nums_get(&map, i));
    uint64_t one = 1;
    assert_int_equal(nums_update_many(&map, keys, 300, add, &one, results), 200);
    assert_int_equal(results[250], CM_ABSENT);
    assert_int_equal(nums_remove_many(&map, keys, 100, seen, results), 100);
    assert_int_equal(*seen[9], 11);
    nums_op ops[] = {{.kind = CM_OP_GET, .key = 150},
                     {.kind = CM_OP_PUT, .key = 150, .value = 5},
                     {.kind = CM_OP_INSERT, .key = 500, .value = 6},
                     {.kind = CM_OP_UPSERT, .key = 500, .value = 6, .function = add, .context = &one},
                     {.kind = CM_OP_UPDATE, .key = 500, .function = add, .context = &one},
                     {.kind = CM_OP_REMOVE, .key = 500},
                     {.kind = CM_OP_INSERT, .key = 160, .value = 7}};
    assert_int_equal(nums_apply_many(&map, ops, 7), 7);
    assert_int_equal(*ops[0].seen, 152);
    assert_ptr_equal(ops[0].seen, ops[1].seen);
    assert_int_equal(ops[3].status, CM_REPLACED);
    assert_int_equal(*ops[5].seen, 8);
    assert_int_equal(ops[6].status, CM_EXISTS);
    assert_ptr_equal(ops[6].seen, nums_get(&map, 160));
    finish(&map);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(get_gives_the_same_address_however_the_map_grows),
        cmocka_unit_test(a_reference_outlives_its_key_and_any_later_insert_L1),
        cmocka_unit_test(nothing_changes_where_the_function_says_so_K4),
        cmocka_unit_test(values_with_atomics_are_changed_in_place),
        cmocka_unit_test(no_increment_is_lost_E2_G2),
        cmocka_unit_test(eight_writers_fill_an_empty_map_E3_G1),
        cmocka_unit_test(each_entry_is_removed_by_one_E4),
        cmocka_unit_test(setting_a_key_again_counts_nothing_E8),
        cmocka_unit_test(who_is_alone_changes_values_in_place),
        cmocka_unit_test(clear_and_shrinking_give_back_what_was_kept_G3),
        cmocka_unit_test(batches_do_what_single_calls_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
