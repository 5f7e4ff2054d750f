/* The left-right set, and looking up in left-right maps by other types. */
#include <concmap/leftright_set.h>
#include <concmap/lookup.h>

#include "crew.h"
#include "failing_allocator.h"
#include "unit.h"

#define KEYS 200

/* A text in two pieces, to look up keys that are one. */
struct path {
    const char *directory, *file;
};

static uint64_t path_hash(const struct path *path, uint64_t seed)
{
    char whole[64];
    snprintf(whole, sizeof whole, "%s/%s", path->directory, path->file);
    cm_str text = cm_str_of(whole);
    return cm_hash_str(&text, seed);
}

static bool path_is(const struct path *path, const cm_str *text)
{
    size_t n = strlen(path->directory);
    return text->len == n + 1 + strlen(path->file) && memcmp(text->data, path->directory, n) == 0 &&
           text->data[n] == '/' && memcmp(text->data + n + 1, path->file, text->len - n - 1) == 0;
}

CM_LEFTRIGHT_SET(marks, uint64_t, cm_hash_u64, cm_equal_u64)
CM_LEFTRIGHT_SET_DECLARE(names, cm_str)
CM_LEFTRIGHT_SET_DEFINE(names, cm_str, cm_hash_str, cm_equal_str)
CM_LEFTRIGHT_MAP(sizes, cm_str, uint64_t, cm_hash_str, cm_equal_str)
CM_LEFTRIGHT_LOOKUP_BY(sizes_by_path, sizes, struct path, path_hash, path_is)
CM_LEFTRIGHT_LOOKUP_BY(names_by_path, names, struct path, path_hash, path_is)

static cm_status keep_even(const uint64_t *key, void *context)
{
    ++*(size_t *)context;
    return *key % 2 ? CM_ABSENT : CM_OK;
}

static void keys_come_and_go_with_publications(void **state)
{
    (void)state;
    marks set;
    marks_writer writer;
    marks_reader reader;
    size_t asked = 0, seen = 0;
    assert_int_equal(marks_init(&set, NULL), CM_OK);
    assert_int_equal(marks_writer_open(&set, &writer), CM_OK);
    assert_int_equal(marks_reader_open(&set, &reader), CM_OK);
    assert_int_equal(marks_add(&writer, 1), CM_OK);
    assert_int_equal(marks_add(&writer, 1), CM_EXISTS);
    assert_true(marks_writer_contains(&writer, 1));
    assert_false(marks_contains(&reader, 1));
    assert_int_equal(marks_publish(&writer), CM_OK);
    assert_true(marks_contains(&reader, 1));
    for (uint64_t key = 2; key <= 100; key++)
        assert_int_equal(marks_add_hashed(&writer, marks_hash_of(&set, key), key), CM_OK);
    assert_int_equal(marks_retain(&writer, keep_even, &asked), CM_OK);
    assert_int_equal(asked, 100);
    assert_int_equal(marks_remove(&writer, 3), CM_ABSENT);
    assert_int_equal(marks_remove(&writer, 4), CM_OK);
    marks_publish(&writer);
    CM_WITH_VIEW (marks, &reader, view) {
        assert_int_equal(marks_view_len(view), 49);
        assert_true(marks_contains(&reader, 6));
        assert_int_equal(*marks_view_get(view, 6), 6);
        assert_null(marks_view_get(view, 4));
        assert_false(marks_view_contains(view, 7));
        CM_FOREACH (marks_view, view, it)
            seen += *it.key % 2 == 0;
    }
    assert_int_equal(seen, 49);
    assert_int_equal(marks_clear(&writer), CM_OK);
    assert_int_equal(marks_shrink_to_fit(&writer), CM_OK);
    assert_int_equal(marks_writer_len(&writer), 0);
    marks_publish(&writer);
    marks_begin(&writer);
    assert_int_equal(marks_check(&set, NULL), CM_OK);
    marks_destroy(&set);
}

/* M1, of texts, against what is to be there. */
static void a_set_does_what_its_model_does_where_memory_fails(void **state)
{
    (void)state;
    struct failing_allocator memory;
    uint64_t random = crew_seed("left-right set");
    failing_allocator_init(&memory);
    for (size_t n = 1; n < 100; n++) {
        names set;
        names_writer writer;
        names_reader reader;
        bool has[KEYS] = {false};
        char word[24];
        failing_allocator_restart(&memory);
        assert_int_equal(names_init(&set, &(cm_config){.allocator = &memory.allocator}), CM_OK);
        assert_int_equal(names_writer_open(&set, &writer), CM_OK);
        assert_int_equal(names_reader_open(&set, &reader), CM_OK);
        failing_allocator_fail_at(&memory, n);
        for (int step = 0; step < 300; step++) {
            size_t key = crew_random(&random) % KEYS;
            snprintf(word, sizeof word, "%zu", key);
            bool adds = crew_random(&random) % 3 != 0;
            cm_status status = adds ? names_add(&writer, cm_str_of(word)) : names_remove(&writer, cm_str_of(word));
            if (status >= 0) {
                assert_int_equal(status, has[key] == adds ? (adds ? CM_EXISTS : CM_ABSENT) : CM_OK);
                has[key] = adds;
            }
            assert_int_equal(names_writer_contains(&writer, cm_str_of(word)), has[key]);
            if (crew_random(&random) % 32 == 0)
                names_publish(&writer);
        }
        names_publish(&writer);
        for (size_t key = 0; key < KEYS; key++) {
            snprintf(word, sizeof word, "%zu", key);
            assert_int_equal(names_contains(&reader, cm_str_of(word)), has[key]);
        }
        names_destroy(&set);
        assert_int_equal(memory.live_blocks, 0);
        assert_int_equal(memory.mistakes, 0);
    }
}

static void maps_are_looked_up_by_other_types(void **state)
{
    (void)state;
    sizes map;
    sizes_writer writer;
    sizes_reader reader;
    struct path path = {"usr", "lib"}, none = {"us", "lib"};
    uint64_t size = 0;
    assert_int_equal(sizes_init(&map, NULL), CM_OK);
    assert_int_equal(sizes_writer_open(&map, &writer), CM_OK);
    assert_int_equal(sizes_reader_open(&map, &reader), CM_OK);
    assert_int_equal(sizes_put(&writer, cm_str_of("usr/lib"), 7, NULL), CM_OK);
    sizes_publish(&writer);
    assert_true(sizes_by_path_get(&reader, path, &size));
    assert_int_equal(size, 7);
    assert_false(sizes_by_path_get(&reader, none, &size));
    CM_WITH_VIEW (sizes, &reader, view) {
        const cm_str *own = NULL;
        assert_int_equal(*sizes_by_path_view_get(view, path), 7);
        assert_null(sizes_by_path_view_get(view, none));
        assert_true(sizes_by_path_view_contains(view, path));
        assert_true(sizes_by_path_view_get_key_value(view, path, &own, NULL));
        assert_int_equal(own->len, 7);
        assert_true(sizes_by_path_get(&reader, path, &size)); /* inside */
    }
    sizes_destroy(&map);
}

static cm_status add_one(uint64_t *size, void *context)
{
    ++*size;
    return context ? CM_FULL : CM_OK;
}

static void the_writer_changes_by_other_types(void **state)
{
    (void)state;
    sizes map;
    sizes_writer writer;
    sizes_reader reader;
    struct path path = {"usr", "lib"}, none = {"us", "lib"};
    uint64_t size = 0;
    const char *reason = NULL;
    assert_int_equal(sizes_init(&map, NULL), CM_OK);
    assert_int_equal(sizes_writer_open(&map, &writer), CM_OK);
    assert_int_equal(sizes_reader_open(&map, &reader), CM_OK);
    assert_int_equal(sizes_put(&writer, cm_str_of("usr/lib"), 7, NULL), CM_OK);
    assert_int_equal(sizes_put(&writer, cm_str_of("usr/bin"), 9, NULL), CM_OK);
    assert_int_equal(sizes_by_path_update(&writer, path, add_one, NULL), CM_OK);
    assert_int_equal(sizes_by_path_try_update(&writer, path, add_one, &size), CM_FULL);
    assert_int_equal(sizes_by_path_update(&writer, none, add_one, NULL), CM_ABSENT);
    assert_true(sizes_by_path_writer_contains(&writer, path));
    assert_false(sizes_by_path_writer_contains(&writer, none));
    assert_int_equal(sizes_by_path_writer_get(&writer, path, &size), CM_OK);
    assert_int_equal(size, 8);
    assert_int_equal(sizes_by_path_writer_get(&writer, none, &size), CM_ABSENT);
    sizes_publish(&writer);
    assert_int_equal(sizes_by_path_remove(&writer, none, NULL), CM_ABSENT);
    uint64_t hash = sizes_by_path_hash_of(&map, path);
    assert_int_equal(hash, sizes_hash_of(&map, cm_str_of("usr/lib")));
    assert_int_equal(sizes_by_path_remove_hashed(&writer, hash, path, &size), CM_OK);
    assert_int_equal(size, 8);
    assert_true(sizes_by_path_get(&reader, path, &size)); /* until it is published */
    sizes_publish(&writer);
    assert_false(sizes_by_path_get(&reader, path, &size));
    assert_int_equal(sizes_begin(&writer), CM_OK);
    assert_int_equal(sizes_check(&map, &reason), CM_OK);
    assert_int_equal(sizes_writer_len(&writer), 1);
    sizes_destroy(&map);
}

static void keys_of_sets_are_removed_by_other_types(void **state)
{
    (void)state;
    names set;
    names_writer writer;
    struct path path = {"usr", "lib"};
    assert_int_equal(names_init(&set, NULL), CM_OK);
    assert_int_equal(names_writer_open(&set, &writer), CM_OK);
    assert_int_equal(names_add(&writer, cm_str_of("usr/lib")), CM_OK);
    assert_true(names_by_path_writer_contains(&writer, path));
    assert_int_equal(names_by_path_remove(&writer, path, NULL), CM_OK);
    assert_int_equal(names_by_path_remove(&writer, path, NULL), CM_ABSENT);
    assert_int_equal(names_writer_len(&writer), 0);
    names_destroy(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_come_and_go_with_publications),
        cmocka_unit_test(a_set_does_what_its_model_does_where_memory_fails),
        cmocka_unit_test(maps_are_looked_up_by_other_types),
        cmocka_unit_test(the_writer_changes_by_other_types),
        cmocka_unit_test(keys_of_sets_are_removed_by_other_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
