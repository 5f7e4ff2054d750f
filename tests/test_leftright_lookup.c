/* Left-right maps and sets by other types than their keys: looking up, changing and taking. */
#include <concmap/leftright_set.h>
#include <concmap/lookup.h>

#include "items.h"
#include "unit.h"

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

CM_LEFTRIGHT_SET(names, cm_str, cm_hash_str, cm_equal_str)
CM_LEFTRIGHT_MAP(sizes, cm_str, uint64_t, cm_hash_str, cm_equal_str)
CM_LEFTRIGHT_MAP_OWNED(files, cm_str, struct item, cm_hash_str, cm_equal_str, CM_PLAIN,
                       CM_OWNED(item_clone, item_destroy))
CM_LEFTRIGHT_LOOKUP_BY(sizes_by_path, sizes, struct path, path_hash, path_is)
CM_LEFTRIGHT_LOOKUP_BY(names_by_path, names, struct path, path_hash, path_is)
CM_LEFTRIGHT_LOOKUP_BY(files_by_path, files, struct path, path_hash, path_is)

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

/* R7, by other types. */
static void what_is_taken_by_another_type_is_the_callers_until_it_comes_back(void **state)
{
    (void)state;
    files map;
    files_writer writer;
    files_reader reader;
    files_taken first = {.map = 0}, second = {.map = 0};
    struct path lib = {"usr", "lib"}, bin = {"usr", "bin"}, none = {"us", "lib"};
    assert_int_equal(files_init(&map, NULL), CM_OK);
    assert_int_equal(files_writer_open(&map, &writer), CM_OK);
    assert_int_equal(files_reader_open(&map, &reader), CM_OK);
    assert_int_equal(files_put(&writer, cm_str_of("usr/lib"), item_of(7), NULL), CM_OK);
    assert_int_equal(files_put(&writer, cm_str_of("usr/bin"), item_of(9), NULL), CM_OK);
    files_publish(&writer);
    const files_view *view = files_enter(&reader);
    assert_int_equal(files_by_path_take(&writer, none, &first), CM_ABSENT);
    assert_int_equal(files_by_path_take(&writer, lib, &first), CM_OK);
    assert_int_equal(files_by_path_try_take(&writer, lib, &second), CM_ABSENT);
    assert_int_equal(files_by_path_take_hashed(&writer, files_by_path_hash_of(&map, bin), bin, &second), CM_OK);
    files_publish(&writer);
    assert_int_equal(*first.value.own, 7);
    assert_ptr_equal(files_by_path_view_get(view, lib)->own, first.value.own); /* one and the same */
    assert_int_equal(files_give_back(&writer, &first), CM_OK);
    assert_int_equal(alive, 2); /* the reader sees it still */
    files_leave(&reader);
    assert_int_equal(files_begin(&writer), CM_OK);
    assert_int_equal(alive, 1);
    assert_int_equal(files_writer_len(&writer), 0);
    files_destroy(&map);
    assert_int_equal(*second.value.own, 9);
    assert_int_equal(files_give_back(NULL, &second), CM_OK);
    assert_int_equal(files_give_back(NULL, &second), CM_INVALID);
    assert_int_equal(alive, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_are_looked_up_by_other_types),
        cmocka_unit_test(the_writer_changes_by_other_types),
        cmocka_unit_test(keys_of_sets_are_removed_by_other_types),
        cmocka_unit_test(what_is_taken_by_another_type_is_the_callers_until_it_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
