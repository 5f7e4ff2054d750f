/* Whole maps: sifted, drained, merged, cloned, compared, exchanged. The names with a letter and a number are cases of
 * the project's list of bugs that other maps had. */
#include <concmap/sharded.h>
#include <pthread.h>

#include "crew.h"
#include "failing_allocator.h"
#include "unit.h"

struct page {
    uint64_t words[32];
};

CM_SHARDED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_SHARDED_MAP(pages, uint64_t, struct page, cm_hash_u64, cm_equal_u64)
CM_SHARDED_MAP(words, cm_str, uint64_t, cm_hash_str, cm_equal_str)

static void fill(nums *map, uint64_t from, uint64_t to)
{
    for (uint64_t key = from; key < to; key++)
        assert_int_equal(nums_put(map, key, key * 10, NULL), CM_OK);
}

static void begin(nums *map, uint64_t keys)
{
    assert_int_equal(nums_init(map, NULL), CM_OK);
    fill(map, 0, keys);
}

static void well(nums *map, size_t entries)
{
    const char *reason = NULL;
    if (nums_check(map, &reason) != CM_OK)
        fail_msg("%s", reason);
    assert_int_equal(nums_len(map), entries);
}

static bool same(const uint64_t *a, const uint64_t *b)
{
    return *a == *b;
}

struct sum {
    size_t times;
    uint64_t keys;
    uint64_t values;
    size_t fail_at;
};

static cm_status add_key(const uint64_t *key, uint64_t *value, void *context)
{
    struct sum *sum = context;
    if (++sum->times == sum->fail_at) {
        *value = 77;
        return CM_FULL;
    }
    *value += *key;
    return CM_OK;
}

static void alter_all_changes_each_value_once(void **state)
{
    (void)state;
    nums map;
    struct sum sum = {.times = 0};
    uint64_t value;
    begin(&map, 1000);
    assert_int_equal(nums_alter_all(&map, add_key, &sum), CM_OK);
    assert_int_equal(sum.times, 1000);
    for (uint64_t key = 0; key < 1000; key++)
        assert_true(nums_get(&map, key, &value) && value == key * 11);
    well(&map, 1000);
    nums_destroy(&map);
}

static void K4_alter_all_that_fails_leaves_the_entry(void **state)
{
    (void)state;
    nums map;
    struct sum sum = {.fail_at = 500};
    uint64_t value;
    size_t changed = 0;
    begin(&map, 1000);
    assert_int_equal(nums_alter_all(&map, add_key, &sum), CM_FULL);
    for (uint64_t key = 0; key < 1000; key++) {
        assert_true(nums_get(&map, key, &value) && (value == key * 10 || value == key * 11));
        changed += key > 0 && value == key * 11;
    }
    assert_in_range(changed, 498, 499);
    well(&map, 1000);
    nums_destroy(&map);
}

static cm_status odd_stays(const uint64_t *key, const uint64_t *value, void *context)
{
    size_t *fail_at = context;
    if (fail_at && --*fail_at == 0)
        return CM_FULL;
    return *value == *key * 10 && *key % 2 == 1 ? CM_OK : CM_ABSENT;
}

static void retain_keeps_what_it_is_told_to(void **state)
{
    (void)state;
    nums map;
    size_t fail_at = 100;
    begin(&map, 1000);
    assert_int_equal(nums_retain(&map, odd_stays, &fail_at), CM_FULL);
    assert_in_range(nums_len(&map), 1000 - 99, 999);
    assert_int_equal(nums_retain(&map, odd_stays, NULL), CM_OK);
    for (uint64_t key = 0; key < 1000; key++)
        assert_int_equal(nums_contains(&map, key), key % 2);
    well(&map, 500);
    nums_destroy(&map);
}

static cm_status sum_up(const uint64_t *key, uint64_t *value, void *context)
{
    struct sum *sum = context;
    if (!sum)
        return CM_OK;
    sum->keys += *key;
    sum->values += *value;
    return ++sum->times == sum->fail_at ? CM_FULL : CM_OK;
}

static cm_status below_hundred(const uint64_t *key, const uint64_t *value, void *context)
{
    (void)value, (void)context;
    return *key < 100 ? CM_OK : CM_ABSENT;
}

static void what_is_extracted_is_handed_over_once(void **state)
{
    (void)state;
    nums map;
    struct sum sum = {.times = 0};
    begin(&map, 1000);
    assert_int_equal(nums_extract_if(&map, below_hundred, sum_up, &sum), CM_OK);
    assert_int_equal(sum.times, 100);
    assert_int_equal(sum.keys, 4950);
    assert_int_equal(sum.values, 49500);
    well(&map, 900);
    sum = (struct sum){.fail_at = 10};
    assert_int_equal(nums_drain(&map, sum_up, &sum), CM_FULL);
    well(&map, 890);
    assert_int_equal(nums_drain(&map, sum_up, &sum), CM_OK);
    assert_int_equal(sum.times, 900);
    assert_int_equal(sum.keys, 1000 * 999 / 2 - 4950);
    well(&map, 0);
    nums_destroy(&map);
}

struct shared {
    nums map;
    uint64_t taken; /* keys that were drained, all threads together */
};

static cm_status count_taken(const uint64_t *key, uint64_t *value, void *context)
{
    struct shared *shared = context;
    (void)value;
    __atomic_add_fetch(&shared->taken, *key, __ATOMIC_RELAXED);
    return CM_OK;
}

static size_t drain_or_fill(void *context, unsigned i)
{
    struct shared *shared = context;
    size_t wrong = 0;
    uint64_t each = crew_scale(20000);
    if (i < 2) {
        for (uint64_t key = 0; key < each; key++)
            wrong += nums_insert(&shared->map, key * 2 + i, 1) != CM_OK;
        return wrong;
    }
    for (int n = 0; n < 5; n++)
        wrong += nums_drain(&shared->map, count_taken, shared) != CM_OK;
    return wrong;
}

static void L9_each_entry_is_drained_exactly_once(void **state)
{
    (void)state;
    struct shared shared = {.taken = 0};
    uint64_t keys = crew_scale(20000) * 2;
    assert_int_equal(nums_init(&shared.map, NULL), CM_OK);
    assert_int_equal(crew_run(4, drain_or_fill, &shared), 0);
    assert_int_equal(nums_drain(&shared.map, count_taken, &shared), CM_OK);
    assert_int_equal(shared.taken, keys * (keys - 1) / 2);
    well(&shared.map, 0);
    nums_destroy(&shared.map);
}

/* ---- two maps ---- */

static cm_status add_theirs(uint64_t *mine, const uint64_t *theirs, void *context)
{
    (void)context;
    *mine += *theirs;
    return CM_OK;
}

static void merging_resolves_what_both_have(void **state)
{
    (void)state;
    nums into, from;
    uint64_t value;
    begin(&into, 300);
    assert_int_equal(nums_init(&from, NULL), CM_OK);
    fill(&from, 200, 500);
    assert_int_equal(nums_merge(&into, &from, add_theirs, NULL), CM_OK);
    for (uint64_t key = 0; key < 500; key++)
        assert_true(nums_get(&into, key, &value) && value == key * (key >= 200 && key < 300 ? 20 : 10));
    assert_int_equal(nums_merge(&into, &from, NULL, NULL), CM_OK);
    assert_true(nums_get(&into, 250, &value) && value == 2500);
    assert_int_equal(nums_merge(&into, &into, NULL, NULL), CM_INVALID);
    well(&into, 500);
    well(&from, 300);
    nums_destroy(&into);
    nums_destroy(&from);
}

static void a_clone_is_equal_and_its_own(void **state)
{
    (void)state;
    nums map, clone;
    begin(&map, 1000);
    assert_int_equal(nums_clone(&clone, &map), CM_OK);
    assert_int_equal(nums_equals(&map, &clone, same), CM_OK);
    assert_int_equal(nums_put(&clone, 5, 0, NULL), CM_REPLACED);
    assert_int_equal(nums_equals(&map, &clone, same), CM_ABSENT);
    assert_int_equal(nums_put(&clone, 5, 50, NULL), CM_REPLACED);
    assert_int_equal(nums_remove(&clone, 7, NULL), CM_OK);
    assert_int_equal(nums_equals(&map, &clone, same), CM_ABSENT);
    assert_int_equal(nums_put(&clone, 5000, 70, NULL), CM_OK);
    assert_int_equal(nums_equals(&map, &clone, same), CM_ABSENT);
    well(&map, 1000);
    well(&clone, 1000);
    nums_destroy(&map);
    nums_destroy(&clone);
}

static void texts_are_cloned_and_moved(void **state)
{
    (void)state;
    words map, clone, moved;
    char key[300];
    assert_int_equal(words_init(&map, NULL), CM_OK);
    for (int n = 0; n < 300; n++) {
        memset(key, 'a' + n % 26, (size_t)n);
        assert_int_equal(words_put(&map, (cm_str){key, (size_t)n}, (uint64_t)n, NULL), CM_OK);
    }
    assert_int_equal(words_clone(&clone, &map), CM_OK);
    assert_int_equal(words_equals(&clone, &map, same), CM_OK);
    assert_int_equal(words_move(&moved, &map), CM_OK);
    assert_int_equal(words_len(&map), 0);
    words_destroy(&map);
    assert_int_equal(words_equals(&clone, &moved, same), CM_OK);
    assert_int_equal(words_check(&moved, NULL), CM_OK);
    words_destroy(&clone);
    words_destroy(&moved);
}

static void *die_writing(void *map)
{
    static __thread nums_write_guard guard;
    nums_write(map, 1, &guard);
    return NULL;
}

static void E7_maps_are_exchanged_while_they_grow(void **state)
{
    (void)state;
    for (uint64_t keys = 1; keys < 3000; keys += 97) { /* many of these in the middle of growth */
        nums a, b, c;
        begin(&a, keys);
        begin(&b, 10);
        nums_swap(&a, &b);
        well(&a, 10);
        well(&b, keys);
        assert_int_equal(nums_move(&c, &b), CM_OK);
        well(&b, 0);
        fill(&b, 0, 100);
        fill(&c, keys, keys + 500); /* and it grows on */
        fill(&a, 10, 500);
        well(&a, 500);
        well(&b, 100);
        well(&c, keys + 500);
        assert_int_equal(nums_settle(&c), CM_OK);
        for (uint64_t key = 0; key < keys + 500; key++)
            assert_true(nums_contains(&c, key));
        nums_swap(&c, &c);
        nums_destroy(&a);
        nums_destroy(&b);
        nums_destroy(&c);
    }
}

static void the_dead_go_with_their_map(void **state)
{
    (void)state;
    nums a, b;
    pthread_t thread;
    nums_write_guard guard;
    begin(&a, 10);
    begin(&b, 10);
    assert_int_equal(pthread_create(&thread, NULL, die_writing, &a), 0);
    pthread_join(thread, NULL);
    nums_swap(&a, &b);
    nums_destroy(&a);
    assert_int_equal(nums_write(&b, 1, &guard), CM_OWNER_DIED);
    assert_int_equal(nums_write_unlock(&guard), CM_OK);
    nums_destroy(&b);
}

static void entries_are_copied_to_arrays(void **state)
{
    (void)state;
    nums map;
    words text;
    uint64_t keys[100], values[100], sum = 0;
    cm_str key;
    size_t count;
    begin(&map, 100);
    assert_int_equal(nums_to_arrays(&map, keys, values, 100, &count), CM_OK);
    assert_int_equal(count, 100);
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(values[i], keys[i] * 10);
        sum += keys[i];
    }
    assert_int_equal(sum, 4950);
    assert_int_equal(nums_to_arrays(&map, keys, NULL, 10, &count), CM_FULL);
    assert_int_equal(count, 100);
    nums_destroy(&map);
    assert_int_equal(words_init(&text, NULL), CM_OK);
    assert_int_equal(words_put(&text, cm_str_of("a"), 5, NULL), CM_OK);
    assert_int_equal(words_to_arrays(&text, &key, values, 1, &count), CM_INVALID);
    assert_int_equal(words_to_arrays(&text, NULL, values, 1, &count), CM_OK);
    assert_int_equal(values[0], 5);
    words_destroy(&text);
}

static void M1_whole_map_calls_survive_any_failed_allocation(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    pages map;
    assert_int_equal(pages_init(&map, &(cm_config){.allocator = &memory.allocator}), CM_OK);
    for (uint64_t key = 0; key < 200; key++)
        assert_int_equal(pages_put(&map, key, (struct page){{key}}, NULL), CM_OK);
    bool done = false;
    for (size_t n = 1; !done; n++) {
        pages clone, moved;
        failing_allocator_fail_at(&memory, n);
        size_t blocks = memory.live_blocks;
        cm_status status = pages_clone(&clone, &map);
        done = memory.failures == 0;
        assert_true(status == CM_OK || (status == CM_NOMEM && !done));
        if (status == CM_OK)
            pages_destroy(&clone);
        assert_int_equal(memory.live_blocks, blocks);
        failing_allocator_fail_at(&memory, 1);
        status = pages_move(&moved, &map);
        failing_allocator_restart(&memory);
        if (status == CM_OK) {
            pages_swap(&moved, &map);
            pages_destroy(&moved);
        }
        assert_int_equal(pages_len(&map), 200);
        assert_int_equal(pages_check(&map, NULL), CM_OK);
    }
    pages_destroy(&map);
    assert_int_equal(memory.live_blocks, 0);
    assert_int_equal(memory.mistakes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alter_all_changes_each_value_once),
        cmocka_unit_test(K4_alter_all_that_fails_leaves_the_entry),
        cmocka_unit_test(retain_keeps_what_it_is_told_to),
        cmocka_unit_test(what_is_extracted_is_handed_over_once),
        cmocka_unit_test(L9_each_entry_is_drained_exactly_once),
        cmocka_unit_test(merging_resolves_what_both_have),
        cmocka_unit_test(a_clone_is_equal_and_its_own),
        cmocka_unit_test(texts_are_cloned_and_moved),
        cmocka_unit_test(E7_maps_are_exchanged_while_they_grow),
        cmocka_unit_test(the_dead_go_with_their_map),
        cmocka_unit_test(entries_are_copied_to_arrays),
        cmocka_unit_test(M1_whole_map_calls_survive_any_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
