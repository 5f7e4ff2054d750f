/* The sharded map keeps its promises for every kind of key and value: inline and in nodes, with keys of words, structs,
 * texts. */
#include <concmap/sharded.h>

#include "buffer.h"
#include "crew.h"
#include "kinds.h"
#include "texts.h"
#include "unit.h"

#define SHARDED_OWNED(name, Key, Value, hash, equal)                                                                   \
    CM_SHARDED_MAP_OWNED(name, Key, Value, hash, equal, NAME_OWNED, NAME_OWNED)
#define SAVED_AS(name, ...) CM_SAVED(name, 1)
KINDS_PLAIN(CM_SHARDED_MAP)
KIND_OWNED(SHARDED_OWNED)
KIND_ADDRESSES(CM_SHARDED_MAP)
KINDS_PLAIN(SAVED_AS)
CM_SAVED_CODED(owners, 1, NAME_CODED, NAME_CODED)
CM_SAVED_CODED(pointers, 1, ADDRESS_CODED, ADDRESS_CODED)

#include "kinds_suite.h"

static cm_status fail_oddly(uint64_t *value, void *context)
{
    (void)value;
    ++*(int *)context;
    return (cm_status)-100;
}

static void a_status_of_any_number_is_handed_on(void **state)
{
    (void)state;
    int calls = 0;
    nums map;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    assert_int_equal(nums_get_or_insert_with(&map, 1, fail_oddly, &calls, NULL), (cm_status)-100);
    assert_int_equal(calls, 1);
    nums_destroy(&map);
}

static void an_empty_map_is_small(void **state)
{
    (void)state;
    bytes map;
    assert_int_equal(bytes_init(&map, NULL), CM_OK);
    assert_true(sizeof map + bytes_memory(&map).total < 2048);
    assert_false(bytes_contains(&map, 1));
    assert_int_equal(bytes_remove(&map, 1, NULL), CM_ABSENT);
    CM_FOREACH (bytes, &map, it)
        fail();
    bytes_destroy(&map);
}

static void a_library_of_another_layout_is_refused(void **state)
{
    (void)state;
    nums map;
    assert_int_equal(cm_map_init_(&map.core, &nums_type_, NULL, CM_LAYOUT_VERSION_ + 1, sizeof map), CM_INVALID);
    assert_int_equal(cm_map_init_(&map.core, &nums_type_, NULL, CM_LAYOUT_VERSION_, sizeof map - 8), CM_INVALID);
}

static void keys_and_values_are_aligned_as_their_types_ask(void **state)
{
    (void)state;
    aligned map;
    assert_int_equal(aligned_init(&map, NULL), CM_OK);
    for (uint64_t i = 0; i < 5000; i++)
        assert_int_equal(aligned_put(&map, (struct wide){i}, (struct line){{i}}, NULL), CM_OK);
    for (uint64_t i = 0; i < 5000; i++)
        assert_int_equal(aligned_update(&map, (struct wide){i}, line_touch, NULL), CM_OK);
    struct line line;
    assert_true(aligned_get(&map, (struct wide){77}, &line) && line.words[0] == 77 && line.words[7] == 1);
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    assert_int_equal(aligned_save(&map, &sink, NULL, NULL), CM_OK);
    aligned_destroy(&map);
    cm_source source = buffer_source(&buffer);
    assert_int_equal(aligned_load(&map, NULL, &source, NULL, NULL), CM_OK);
    assert_int_equal(aligned_len(&map), 5000);
    assert_int_equal(misaligned, 0);
    aligned_destroy(&map);
    buffer_free(&buffer);
}

int main(void)
{
    static const struct CMUnitTest own[] = {
        cmocka_unit_test(a_status_of_any_number_is_handed_on),
        cmocka_unit_test(an_empty_map_is_small),
        cmocka_unit_test(a_library_of_another_layout_is_refused),
        cmocka_unit_test(keys_and_values_are_aligned_as_their_types_ask),
    };
    int failed = cmocka_run_group_tests(own, NULL, NULL);
    failed += kinds_run();
    return failed != 0;
}
