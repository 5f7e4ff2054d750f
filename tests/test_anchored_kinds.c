/* The anchored map keeps the promises of every map for every kind of key and value. */
#define ANCHORED
#include "anchored_adapter.h"
#include "buffer.h"
#include "crew.h"
#include "kinds.h"
#include "texts.h"
#include "unit.h"

#define REAL(name, Key, Value, hash, equal) CM_ANCHORED_MAP(name##_real, Key, Value, hash, equal)
#define REAL_OWNED(name, Key, Value, hash, equal)                                                                      \
    CM_ANCHORED_MAP_OWNED(name##_real, Key, Value, hash, equal, NAME_OWNED, NAME_OWNED)
#define REAL_SAVED(name, ...) CM_SAVED(name##_real, 1)
KINDS_PLAIN(REAL)
KIND_OWNED(REAL_OWNED)
KIND_ADDRESSES(REAL)
KINDS_PLAIN(REAL_SAVED)
CM_SAVED_CODED(owners_real, 1, NAME_CODED, NAME_CODED)
CM_SAVED_CODED(pointers_real, 1, ADDRESS_CODED, ADDRESS_CODED)

#ifdef __GNUC__
#pragma GCC diagnostic ignored "-Wunused-function" /* no test uses all of every kind */
#endif
KINDS_PLAIN(ANCHORED_AS)
KIND_OWNED(ANCHORED_AS)
KIND_ADDRESSES(ANCHORED_AS)

#include "kinds_suite.h"

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

static void keys_and_values_are_aligned_as_their_types_ask(void **state)
{
    (void)state;
    aligned map;
    assert_int_equal(aligned_init(&map, NULL), CM_OK);
    for (uint64_t i = 0; i < 5000; i++)
        assert_int_equal(aligned_put(&map, (struct wide){i}, (struct line){{i}}, NULL), CM_OK);
    for (uint64_t i = 0; i < 5000; i++)
        assert_int_equal(aligned_update(&map, (struct wide){i}, line_touch, NULL), CM_OK);
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    assert_int_equal(aligned_save(&map, &sink, NULL, NULL), CM_OK);
    aligned_destroy(&map);
    cm_source source = buffer_source(&buffer);
    assert_int_equal(aligned_load(&map, NULL, &source, NULL, NULL), CM_OK);
    CM_FOREACH (aligned_real, &map, it)
        assert_true((uintptr_t)it.value % 64 == 0 && it.value->words[7] == 1);
    assert_int_equal(aligned_len(&map), 5000);
    assert_int_equal(misaligned, 0);
    aligned_destroy(&map);
    buffer_free(&buffer);
}

int main(void)
{
    static const struct CMUnitTest own[] = {
        cmocka_unit_test(an_empty_map_is_small),
        cmocka_unit_test(keys_and_values_are_aligned_as_their_types_ask),
    };
    int failed = cmocka_run_group_tests(own, NULL, NULL);
    failed += kinds_run();
    return failed != 0;
}
