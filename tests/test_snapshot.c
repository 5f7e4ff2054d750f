/* Snapshots: what is in them. That they are of one instant is in test_snapshot_instant.c. */
#include <concmap/cache.h>
#include <concmap/sharded.h>
#include <stdlib.h>

#include "crew.h"
#include "texts.h"
#include "unit.h"

struct page {
    uint64_t words[32];
};

CM_SHARDED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)

CM_SHARDED_MAP(words, cm_str, struct page, cm_hash_str, cm_equal_str)

static uint64_t hash_few(const uint64_t *key, uint64_t seed)
{
    return cm_hash_u64(&(uint64_t){*key % 7}, seed);
}

CM_SHARDED_MAP(crowds, uint64_t, uint64_t, hash_few, cm_equal_u64)

static void a_snapshot_has_all_entries_and_stays_as_it_is(void **state)
{
    (void)state;
    for (uint64_t keys = 0; keys < 20000; keys = keys * 3 + 1) {
        nums map;
        nums_snapshot snapshot;
        uint64_t seen = 0, sum = 0;
        assert_int_equal(nums_init(&map, NULL), CM_OK);
        for (uint64_t key = 0; key < keys; key++)
            assert_int_equal(nums_put(&map, key, key, NULL), CM_OK);
        assert_int_equal(nums_snapshot_take(&map, &snapshot), CM_OK);
        for (uint64_t key = 0; key < keys * 2; key++)
            assert_true(nums_put(&map, key, 1000000, NULL) >= 0);
        assert_int_equal(nums_snapshot_len(&snapshot), keys);
        CM_FOREACH (nums_snapshot, &snapshot, it) {
            assert_int_equal(it.key, it.value);
            seen++;
            sum += it.value;
        }
        assert_int_equal(seen, keys);
        assert_int_equal(sum, keys ? keys * (keys - 1) / 2 : 0);
        nums_snapshot_drop(&snapshot);
        nums_snapshot_drop(&snapshot);
        assert_int_equal(nums_settle(&map), CM_OK); /* no mark is left that would keep a bucket from moving */
        assert_int_equal(nums_check(&map, NULL), CM_OK);
        nums_destroy(&map);
    }
}

static void it_has_copies_of_texts_and_large_values(void **state)
{
    (void)state;
    enum { KEYS = 3000, LONGEST = 600 };
    words map;
    words_snapshot snapshot;
    static bool seen[KEYS];
    memset(seen, 0, sizeof seen);
    assert_int_equal(words_init(&map, NULL), CM_OK);
    for (uint64_t i = 0; i < KEYS; i++)
        assert_int_equal(words_put(&map, text_of(i, LONGEST), (struct page){.words = {i, [31] = i}}, NULL), CM_OK);
    assert_int_equal(words_snapshot_take(&map, &snapshot), CM_OK);
    assert_int_equal(words_clear(&map), CM_OK);
    assert_int_equal(words_settle(&map), CM_OK);
    assert_int_equal(words_snapshot_len(&snapshot), KEYS);
    CM_FOREACH (words_snapshot, &snapshot, it) {
        uint64_t i = it.value.words[0];
        cm_str text = text_of(i, LONGEST);
        assert_true(i < KEYS && !seen[i]);
        assert_true(cm_equal_str(&it.key, &text));
        assert_int_equal(it.value.words[31], i);
        seen[i] = true;
    }
    words_snapshot_drop(&snapshot);
    words_destroy(&map);
}

static void chains_are_copied_as_a_whole(void **state)
{
    (void)state;
    crowds map;
    crowds_snapshot snapshot;
    uint64_t sum = 0;
    assert_int_equal(crowds_init(&map, NULL), CM_OK);
    for (uint64_t key = 0; key < 500; key++)
        assert_int_equal(crowds_put(&map, key, key, NULL), CM_OK);
    assert_int_equal(crowds_snapshot_take(&map, &snapshot), CM_OK);
    CM_FOREACH (crowds_snapshot, &snapshot, it)
        sum += it.value;
    assert_int_equal(sum, 500 * 499 / 2);
    crowds_snapshot_drop(&snapshot);
    crowds_destroy(&map);
}

static void an_empty_map_has_an_empty_one(void **state)
{
    (void)state;
    static nums map = CM_MAP_INITIALIZER;
    nums_snapshot snapshot;
    assert_int_equal(nums_snapshot_take(&map, &snapshot), CM_OK);
    assert_int_equal(nums_snapshot_len(&snapshot), 0);
    CM_FOREACH (nums_snapshot, &snapshot, it)
        fail();
    nums_snapshot_drop(&snapshot);
    nums_destroy(&map);
}

static void it_outlives_its_map(void **state)
{
    (void)state;
    nums map;
    nums_snapshot snapshot;
    uint64_t sum = 0;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    for (uint64_t key = 0; key < 100; key++)
        nums_put(&map, key, key, NULL);
    assert_int_equal(nums_snapshot_take(&map, &snapshot), CM_OK);
    nums_destroy(&map);
    memset(&map, 0xee, sizeof map);
    CM_FOREACH (nums_snapshot, &snapshot, it)
        sum += it.value;
    assert_int_equal(sum, 4950);
    nums_snapshot_drop(&snapshot);
}

static int64_t alive;

static uint64_t refuse_from = UINT64_MAX;

static cm_status box_clone(uint64_t **to, uint64_t *const *from, void *context)
{
    (void)context;
    if (**from >= refuse_from)
        return CM_INVALID;
    *to = malloc(sizeof **to);
    if (!*to)
        return CM_NOMEM;
    **to = **from;
    __atomic_add_fetch(&alive, 1, __ATOMIC_RELAXED);
    return CM_OK;
}

static void box_destroy(uint64_t **box, void *context)
{
    (void)context;
    free(*box);
    __atomic_sub_fetch(&alive, 1, __ATOMIC_RELAXED);
}

static uint64_t *box_of(uint64_t value)
{
    uint64_t *box = NULL, *given = &value;
    return box_clone(&box, &given, NULL) == CM_OK ? box : NULL;
}

CM_SHARDED_MAP_OWNED(boxes, uint64_t, uint64_t *, cm_hash_u64, cm_equal_u64, CM_PLAIN, CM_OWNED(box_clone, box_destroy))

struct boxed {
    boxes map;
    uint64_t stop;
    uint64_t snapshots;
};

static size_t replace_boxes(void *context, unsigned i)
{
    struct boxed *boxed = context;
    size_t wrong = 0;
    for (uint64_t n = 0; i == 0 && n < boxed->snapshots; n++) {
        boxes_snapshot snapshot;
        if (boxes_snapshot_take(&boxed->map, &snapshot) != CM_OK)
            return 1000;
        wrong += boxes_snapshot_len(&snapshot) != 500;
        CM_FOREACH (boxes_snapshot, &snapshot, it)
            wrong += *it.value / 1000 != it.key;
        boxes_snapshot_drop(&snapshot);
    }
    if (i == 0)
        __atomic_store_n(&boxed->stop, 1, __ATOMIC_RELAXED);
    for (uint64_t n = i; i && !__atomic_load_n(&boxed->stop, __ATOMIC_RELAXED); n++) {
        uint64_t key = n * 7919 % 500;
        wrong += boxes_put(&boxed->map, key, box_of(key * 1000 + n % 1000), NULL) != CM_REPLACED;
    }
    return wrong;
}

static void owned_values_are_cloned_and_each_clone_destroyed_once(void **state)
{
    (void)state;
    struct boxed boxed = {.snapshots = crew_scale(300)};
    boxes_snapshot snapshot;
    alive = 0;
    assert_int_equal(boxes_init(&boxed.map, NULL), CM_OK);
    for (uint64_t key = 0; key < 500; key++)
        assert_int_equal(boxes_put(&boxed.map, key, box_of(key * 1000), NULL), CM_OK);
    assert_int_equal(crew_run(3, replace_boxes, &boxed), 0);
    refuse_from = 400000;
    assert_int_equal(boxes_snapshot_take(&boxed.map, &snapshot), CM_INVALID);
    refuse_from = UINT64_MAX;
    assert_int_equal(alive, 500);
    boxes_destroy(&boxed.map);
    assert_int_equal(alive, 0);
}

static bool is_odd(const uint64_t *value, void *context)
{
    (void)context;
    return *value % 2;
}

CM_CACHE_MAP(caches, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64, is_odd, cm_no_weight, cm_no_eviction)

static size_t fill_cache(void *context, unsigned i)
{
    caches *map = context;
    size_t wrong = 0;
    for (size_t n = 0; n < crew_scale(i == 0 ? 300 : 30000); n++) {
        caches_snapshot snapshot;
        if (i > 0) {
            wrong += caches_put(map, n * (i + 1), n, NULL) < 0;
            continue;
        }
        wrong += caches_snapshot_take(map, &snapshot) != CM_OK || caches_snapshot_len(&snapshot) > 1000;
        CM_FOREACH (caches_snapshot, &snapshot, it)
            wrong += it.value % 2;
        caches_snapshot_drop(&snapshot);
    }
    return wrong;
}

static void caches_evict_while_one_is_taken(void **state)
{
    (void)state;
    caches map;
    assert_int_equal(caches_init(&map, &(cm_config){.limit = 1000}), CM_OK);
    assert_int_equal(crew_run(4, fill_cache, &map), 0);
    assert_int_equal(caches_check(&map, NULL), CM_OK);
    caches_destroy(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_snapshot_has_all_entries_and_stays_as_it_is),
        cmocka_unit_test(it_has_copies_of_texts_and_large_values),
        cmocka_unit_test(chains_are_copied_as_a_whole),
        cmocka_unit_test(an_empty_map_has_an_empty_one),
        cmocka_unit_test(it_outlives_its_map),
        cmocka_unit_test(owned_values_are_cloned_and_each_clone_destroyed_once),
        cmocka_unit_test(caches_evict_while_one_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
