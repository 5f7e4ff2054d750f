/* Look-ups of many keys in left-right maps, sets and multimaps: what single ones say, in tables of all sizes. */
#include <concmap/leftright_multimap.h>
#include <concmap/leftright_set.h>
#include <concmap/lookup.h>

#include "crew.h"
#include "items.h"
#include "unit.h"

/* A key as text of its decimal digits. */
struct digits {
    const char *text;
};

static uint64_t digits_hash(const struct digits *digits, uint64_t seed)
{
    uint64_t key = strtoull(digits->text, NULL, 10);
    return cm_hash_u64(&key, seed);
}

static bool digits_are(const struct digits *digits, const uint64_t *key)
{
    return strtoull(digits->text, NULL, 10) == *key;
}

CM_LEFTRIGHT_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_LEFTRIGHT_LOOKUP_BY(nums_by_digits, nums, struct digits, digits_hash, digits_are)
CM_LEFTRIGHT_MAP_OWNED(items, uint64_t, struct item, cm_hash_u64, cm_equal_u64, CM_PLAIN,
                       CM_OWNED(item_clone, item_destroy))
CM_LEFTRIGHT_SET(marks, uint64_t, cm_hash_u64, cm_equal_u64)
CM_LEFTRIGHT_MULTIMAP(bags, uint64_t, uint32_t, cm_hash_u64, cm_equal_u64, cm_hash_u32, cm_equal_u32)

#define MOST 5000 /* keys at a time */

static const size_t sizes[] = {0, 1, 7, 40, 1000, 200000}; /* of tables: the last one is fetched ahead */
static const size_t batches[] = {0, 1, 31, 32, 33, 64, 65, 1000, MOST};

#define SIZES (sizeof sizes / sizeof *sizes)
#define BATCHES (sizeof batches / sizeof *batches)

/* Keys of which about half are there, some of them twice. */
static const uint64_t *keys_for(size_t size, uint64_t *random)
{
    static uint64_t keys[MOST];
    for (size_t i = 0; i < MOST; i++)
        keys[i] = crew_random(random) % (2 * size + 1);
    return keys;
}

static void many_gets_say_what_single_ones_say(void **state)
{
    (void)state;
    static const uint64_t *values[MOST];
    static uint64_t copies[MOST];
    static bool found[MOST];
    uint64_t random = crew_seed("keys");
    for (size_t s = 0; s < SIZES; s++) {
        nums map;
        nums_writer writer;
        nums_reader reader;
        const uint64_t *keys = keys_for(sizes[s], &random);
        assert_int_equal(nums_init(&map, NULL), CM_OK);
        assert_int_equal(nums_writer_open(&map, &writer), CM_OK);
        assert_int_equal(nums_reader_open(&map, &reader), CM_OK);
        for (uint64_t key = 0; key < sizes[s]; key++)
            assert_int_equal(nums_put(&writer, key, 3 * key, NULL), CM_OK);
        assert_int_equal(nums_publish(&writer), CM_OK);
        for (size_t b = 0; b < BATCHES; b++) {
            size_t hits = 0, n = batches[b];
            CM_WITH_VIEW (nums, &reader, view) {
                size_t told = nums_view_get_many(view, keys, n, values);
                for (size_t i = 0; i < n; i++) {
                    assert_ptr_equal(values[i], nums_view_get(view, keys[i]));
                    hits += values[i] != NULL;
                }
                assert_int_equal(told, hits);
            }
            memset(copies, 0xff, sizeof copies);
            assert_int_equal(nums_get_many(&reader, keys, n, found, copies), hits);
            for (size_t i = 0; i < n; i++) {
                assert_int_equal(found[i], keys[i] < sizes[s]);
                assert_true(copies[i] == (found[i] ? 3 * keys[i] : UINT64_MAX));
            }
            assert_int_equal(nums_get_many(&reader, keys, n, NULL, NULL), hits);
        }
        nums_destroy(&map);
    }
}

static void many_gets_of_one_call_are_of_one_view(void **state)
{
    (void)state;
    nums map;
    nums_writer writer;
    nums_reader reader;
    const uint64_t keys[] = {1, 2};
    uint64_t values[2];
    bool found[2] = {true, true};
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    assert_int_equal(nums_writer_open(&map, &writer), CM_OK);
    assert_int_equal(nums_reader_open(&map, &reader), CM_OK);
    nums_put(&writer, 1, 1, NULL);
    nums_publish(&writer);
    CM_WITH_VIEW (nums, &reader, view) {
        nums_put(&writer, 2, 2, NULL);
        nums_publish(&writer);
        assert_int_equal(nums_view_len(view), 1);
        assert_int_equal(nums_get_many(&reader, keys, 2, found, values), 1); /* of the view that it is inside */
        assert_true(found[0] && !found[1]);
    }
    assert_int_equal(nums_get_many(&reader, keys, 2, found, values), 2);
    assert_int_equal(nums_writer_end(&writer), CM_OK);
    assert_int_equal(nums_get_many(&reader, keys, 2, found, values), 0);
    assert_true(!found[0] && !found[1]);
    nums_destroy(&map);
}

static void owned_values_are_cloned(void **state)
{
    (void)state;
    items map;
    items_writer writer;
    items_reader reader;
    uint64_t keys[100];
    struct item values[100];
    bool found[100];
    alive = 0;
    assert_int_equal(items_init(&map, NULL), CM_OK);
    assert_int_equal(items_writer_open(&map, &writer), CM_OK);
    assert_int_equal(items_reader_open(&map, &reader), CM_OK);
    for (uint64_t i = 0; i < 100; i++) {
        keys[i] = i;
        if (i % 3)
            assert_int_equal(items_put(&writer, i, item_of(i), NULL), CM_OK);
    }
    items_publish(&writer);
    assert_int_equal(items_get_many(&reader, keys, 100, found, values), 66);
    items_destroy(&map);
    for (uint64_t i = 0; i < 100; i++) {
        assert_int_equal(found[i], i % 3 != 0);
        if (found[i]) {
            assert_int_equal(*values[i].own, i);
            item_destroy(&values[i], NULL);
        }
    }
    assert_int_equal(alive, 0);
}

static void other_types_look_many_up(void **state)
{
    (void)state;
    nums map;
    nums_writer writer;
    nums_reader reader;
    const struct digits keys[] = {{"17"}, {"18"}, {"19"}};
    const uint64_t *values[3];
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    assert_int_equal(nums_writer_open(&map, &writer), CM_OK);
    assert_int_equal(nums_reader_open(&map, &reader), CM_OK);
    nums_put(&writer, 17, 1, NULL);
    nums_put(&writer, 19, 2, NULL);
    nums_publish(&writer);
    CM_WITH_VIEW (nums, &reader, view) {
        assert_int_equal(nums_by_digits_view_get_many(view, keys, 3, values), 2);
        assert_true(*values[0] == 1 && !values[1] && *values[2] == 2);
    }
    nums_destroy(&map);
}

static void sets_say_of_many_keys_whether_they_are_there(void **state)
{
    (void)state;
    static bool found[MOST];
    uint64_t random = crew_seed("keys");
    for (size_t s = 0; s < SIZES; s++) {
        marks set;
        marks_writer writer;
        marks_reader reader;
        const uint64_t *keys = keys_for(sizes[s], &random);
        size_t hits = 0;
        assert_int_equal(marks_init(&set, NULL), CM_OK);
        assert_int_equal(marks_writer_open(&set, &writer), CM_OK);
        assert_int_equal(marks_reader_open(&set, &reader), CM_OK);
        for (uint64_t key = 0; key < sizes[s]; key++)
            assert_int_equal(marks_add(&writer, key), CM_OK);
        marks_publish(&writer);
        CM_WITH_VIEW (marks, &reader, view) {
            size_t told = marks_view_contains_many(view, keys, MOST, found);
            for (size_t i = 0; i < MOST; i++) {
                assert_int_equal(found[i], keys[i] < sizes[s]);
                hits += found[i];
            }
            assert_int_equal(told, hits);
            assert_int_equal(marks_view_contains_many(view, keys, MOST, NULL), hits);
        }
        marks_destroy(&set);
    }
}

static void multimaps_give_the_values_of_many_keys(void **state)
{
    (void)state;
    static const uint32_t *values[MOST];
    static size_t counts[MOST];
    uint64_t random = crew_seed("keys");
    for (size_t s = 0; s < SIZES; s++) {
        bags map;
        bags_writer writer;
        bags_reader reader;
        const uint64_t *keys = keys_for(sizes[s], &random);
        size_t hits = 0, told = 0;
        assert_int_equal(bags_init(&map, NULL), CM_OK);
        assert_int_equal(bags_writer_open(&map, &writer), CM_OK);
        assert_int_equal(bags_reader_open(&map, &reader), CM_OK);
        for (uint64_t key = 0; key < sizes[s]; key++)
            for (uint32_t value = 0; value <= key % 3; value++)
                assert_int_equal(bags_insert(&writer, key, value), CM_OK);
        bags_publish(&writer);
        CM_WITH_VIEW (bags, &reader, view) {
            told = bags_view_get_many(view, keys, MOST, values, counts);
            for (size_t i = 0; i < MOST; i++) {
                size_t count;
                assert_ptr_equal(values[i], bags_view_get(view, keys[i], &count));
                assert_int_equal(counts[i], count);
                hits += values[i] != NULL;
            }
        }
        assert_int_equal(told, hits);
        bags_destroy(&map);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_gets_say_what_single_ones_say),
        cmocka_unit_test(many_gets_of_one_call_are_of_one_view),
        cmocka_unit_test(owned_values_are_cloned),
        cmocka_unit_test(other_types_look_many_up),
        cmocka_unit_test(sets_say_of_many_keys_whether_they_are_there),
        cmocka_unit_test(multimaps_give_the_values_of_many_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
