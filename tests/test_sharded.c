/* The sharded map keeps its promises for every kind of key and value: inline and in nodes, with keys of words, structs,
 * texts. */
#include <concmap/sharded.h>
#include <stdlib.h>

#include "buffer.h"
#include "crew.h"
#include "texts.h"
#include "unit.h"

struct session {
    uint64_t user;
    int64_t last_seen;
    uint32_t hits;
};

struct page {
    uint64_t words[32];
};

/* A key with an equality of its own: only the first member counts. */
struct tagged {
    uint32_t id;
    uint32_t note;
    uint64_t other;
};

static uint64_t tagged_hash(const struct tagged *key, uint64_t seed)
{
    return cm_hash_u32(&key->id, seed);
}

static bool tagged_equal(const struct tagged *a, const struct tagged *b)
{
    return a->id == b->id;
}

/* A key and a value that ask for more alignment than allocators give; each use of them counts those who lack it. */
struct wide {
    uint64_t id;
} __attribute__((aligned(32)));

struct line {
    uint64_t words[8];
} __attribute__((aligned(64)));

static size_t misaligned;

static uint64_t wide_hash(const struct wide *key, uint64_t seed)
{
    misaligned += (uintptr_t)key % 32 != 0;
    return cm_hash_u64(&key->id, seed);
}

static bool wide_equal(const struct wide *a, const struct wide *b)
{
    misaligned += (uintptr_t)a % 32 != 0 || (uintptr_t)b % 32 != 0;
    return a->id == b->id;
}

static cm_status line_touch(struct line *line, void *context)
{
    (void)context;
    misaligned += (uintptr_t)line % 64 != 0;
    line->words[7]++;
    return CM_OK;
}

/* A hash that makes all keys collide but for a few. */
static uint64_t bad_hash(const uint64_t *key, uint64_t seed)
{
    (void)seed;
    return *key % 8;
}

/* An identity, over keys that are multiples of 2^20. */
static uint64_t identity_hash(const uint64_t *key, uint64_t seed)
{
    (void)seed;
    return *key;
}

/* Keys that agree in their lower halves, which a search by halves cannot tell apart. */
static uint64_t high_key(uint64_t i)
{
    return i << 32 | 7;
}

CM_SHARDED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_SHARDED_MAP(highs, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_SHARDED_MAP(smalls, uint32_t, uint32_t, cm_hash_u32, cm_equal_u32)
CM_SHARDED_MAP(bytes, uint32_t, uint16_t, cm_hash_u32, cm_equal_u32)
CM_SHARDED_MAP(sessions, uint64_t, struct session, cm_hash_u64, cm_equal_u64)
CM_SHARDED_MAP(pages, uint64_t, struct page, cm_hash_u64, cm_equal_u64)
CM_SHARDED_MAP(structs, struct tagged, uint64_t, tagged_hash, tagged_equal)
CM_SHARDED_MAP(words, cm_str, uint64_t, cm_hash_str, cm_equal_str)
CM_SHARDED_MAP(longs, cm_str, struct page, cm_hash_str_fast, cm_equal_str)
CM_SHARDED_MAP(crowds, uint64_t, uint64_t, bad_hash, cm_equal_u64)
CM_SHARDED_MAP(strides, uint64_t, uint64_t, identity_hash, cm_equal_u64)
CM_SHARDED_MAP(aligned, struct wide, struct line, wide_hash, wide_equal)
CM_SAVED(nums, 1)
CM_SAVED(highs, 1)
CM_SAVED(smalls, 1)
CM_SAVED(sessions, 1)
CM_SAVED(pages, 1)
CM_SAVED(structs, 1)
CM_SAVED(words, 1)
CM_SAVED(longs, 1)
CM_SAVED(crowds, 1)
CM_SAVED(strides, 1)
CM_SAVED(aligned, 1)

#define MAP nums
#define SAVED
#define KEY uint64_t
#define VALUE uint64_t
#define KEY_OF(i) (i)
#define VALUE_OF(i) (i)
#define NUMBER(value) (value)
#include "map_suite.h"

#define MAP highs
#define SAVED
#define KEY uint64_t
#define VALUE uint64_t
#define KEY_OF(i) high_key(i)
#define VALUE_OF(i) (i)
#define NUMBER(value) (value)
#include "map_suite.h"

#define MAP smalls
#define SAVED
#define KEY uint32_t
#define VALUE uint32_t
#define KEY_OF(i) ((uint32_t)(i))
#define VALUE_OF(i) ((uint32_t)(i))
#define NUMBER(value) ((uint64_t)(value))
#include "map_suite.h"

#define MAP sessions
#define SAVED
#define KEY uint64_t
#define VALUE struct session
#define KEY_OF(i) (i)
#define VALUE_OF(i) ((struct session){(i), 1, 2})
#define NUMBER(value) ((value).user)
#include "map_suite.h"

#define MAP pages
#define SAVED
#define KEY uint64_t
#define VALUE struct page
#define KEY_OF(i) (i)
#define VALUE_OF(i) ((struct page){{[31] = (i)}})
#define NUMBER(value) ((value).words[31])
#include "map_suite.h"

#define MAP structs
#define SAVED
#define KEY struct tagged
#define VALUE uint64_t
#define KEY_OF(i) ((struct tagged){(uint32_t)(i), (uint32_t)rand(), 1})
#define VALUE_OF(i) (i)
#define NUMBER(value) (value)
#include "map_suite.h"

#define MAP words
#define SAVED
#define KEY cm_str
#define VALUE uint64_t
#define KEY_OF(i) text_of((i), 270)
#define VALUE_OF(i) (i)
#define NUMBER(value) (value)
#include "map_suite.h"

#define MAP longs
#define SAVED
#define KEY cm_str
#define VALUE struct page
#define KEY_OF(i) text_of((i), 600)
#define VALUE_OF(i) ((struct page){{[31] = (i)}})
#define NUMBER(value) ((value).words[31])
#include "map_suite.h"

#define MAP crowds
#define SAVED
#define KEY uint64_t
#define VALUE uint64_t
#define KEY_OF(i) (i)
#define VALUE_OF(i) (i)
#define NUMBER(value) (value)
#include "map_suite.h"

#define MAP strides
#define SAVED
#define KEY uint64_t
#define VALUE uint64_t
#define KEY_OF(i) ((i) << 20)
#define VALUE_OF(i) (i)
#define NUMBER(value) (value)
#include "map_suite.h"

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
    failed += cmocka_run_group_tests(nums_tests, NULL, NULL);
    failed += cmocka_run_group_tests(highs_tests, NULL, NULL);
    failed += cmocka_run_group_tests(smalls_tests, NULL, NULL);
    failed += cmocka_run_group_tests(sessions_tests, NULL, NULL);
    failed += cmocka_run_group_tests(pages_tests, NULL, NULL);
    failed += cmocka_run_group_tests(structs_tests, NULL, NULL);
    failed += cmocka_run_group_tests(words_tests, NULL, NULL);
    failed += cmocka_run_group_tests(longs_tests, NULL, NULL);
    failed += cmocka_run_group_tests(crowds_tests, NULL, NULL);
    failed += cmocka_run_group_tests(strides_tests, NULL, NULL);
    return failed != 0;
}
