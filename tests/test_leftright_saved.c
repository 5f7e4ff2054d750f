/* Saved left-right maps, sets and multimaps: what is loaded is the view that was saved, or nothing; other maps load it,
 * too; and a loaded map goes on as one that was filled by its writer. What the streams of all maps have in common is in
 * test_saved.c, and what fails in test_leftright_saved_failures.c. */
#include <concmap/plain.h>
#include <concmap/sharded_set.h>
#include <unistd.h>

#include "leftright_saved_kinds.h"
#include "shared_type.h"

CM_SHARDED_MAP(shards, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_SAVED(shards, 1)
CM_SHARDED_SET(marks_of_names, cm_str, cm_hash_str, cm_equal_str)
CM_SAVED_SET(marks_of_names, 1)

static void what_was_saved_is_loaded_and_goes_on(void **state)
{
    (void)state;
    static const uint64_t counts[] = {1, 2, 3, 4, 7, 8, 15, 16, 300, 20000};
    for (size_t kind = 0; kind < KINDS; kind++)
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
            struct buffer buffer;
            save(kind, &buffer, counts[i]);
            assert_int_equal(load(kind, &buffer, counts[i]), CM_OK);
            buffer_free(&buffer);
        }
}

static void an_empty_map_is_saved(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < KINDS; kind++) {
        struct buffer buffer;
        save(kind, &buffer, 0);
        assert_int_equal(load(kind, &buffer, 0), CM_OK);
        buffer_free(&buffer);
    }
}

static void other_maps_load_it_and_it_loads_theirs(void **state)
{
    (void)state;
    struct buffer buffer, back = {.bytes = NULL};
    shards map;
    uint64_t value;
    const char *reason;
    save(0, &buffer, 3000);
    cm_source source = buffer_source(&buffer);
    assert_int_equal(shards_load(&map, NULL, &source, NULL, &reason), CM_OK);
    for (uint64_t i = 0; i < 3000; i++)
        assert_true(shards_get(&map, i, &value) && value == 3 * i);
    cm_sink sink = buffer_sink(&back);
    assert_int_equal(shards_save(&map, &sink, NULL, NULL), CM_OK);
    shards_destroy(&map);
    nums all;
    source = buffer_source(&back);
    assert_int_equal(nums_load(&all, NULL, &source, NULL, &reason), CM_OK);
    nums_look(&all, 3000);
    nums_go_on(&all, 3000);
    nums_destroy(&all);
    buffer_free(&buffer);
    buffer_free(&back);
}

static void other_sets_load_it_and_it_loads_theirs(void **state)
{
    (void)state;
    struct buffer buffer, back = {.bytes = NULL};
    char text[64];
    save(2, &buffer, 500);
    marks_of_names set;
    cm_source source = buffer_source(&buffer);
    assert_int_equal(marks_of_names_load(&set, NULL, &source, NULL, NULL), CM_OK);
    for (uint64_t i = 0; i < 500; i++)
        assert_true(marks_of_names_contains(&set, text_at(text, i)));
    cm_sink sink = buffer_sink(&back);
    assert_int_equal(marks_of_names_save(&set, &sink, NULL, NULL), CM_OK);
    marks_of_names_destroy(&set);
    names all;
    source = buffer_source(&back);
    assert_int_equal(names_load(&all, NULL, &source, NULL, NULL), CM_OK);
    names_look(&all, 500);
    names_go_on(&all, 500);
    names_destroy(&all);
    buffer_free(&buffer);
    buffer_free(&back);
}

static void a_view_is_saved_as_it_is_while_the_writer_publishes(void **state)
{
    (void)state;
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    nums map;
    nums_writer writer;
    nums_reader reader;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    assert_int_equal(nums_writer_open(&map, &writer), CM_OK);
    assert_int_equal(nums_reader_open(&map, &reader), CM_OK);
    for (uint64_t i = 0; i < 100; i++)
        nums_fill(&writer, i);
    assert_int_equal(nums_set_meta(&writer, 1100), CM_OK);
    assert_int_equal(nums_publish(&writer), CM_OK);
    CM_WITH_VIEW (nums, &reader, view) {
        assert_int_equal(nums_clear(&writer), CM_OK);
        assert_int_equal(nums_set_meta(&writer, 7), CM_OK);
        assert_int_equal(nums_publish(&writer), CM_OK);
        assert_int_equal(nums_view_save(view, &sink, NULL, NULL), CM_OK);
    }
    nums_destroy(&map);
    assert_int_equal(load(0, &buffer, 100), CM_OK);
    buffer_free(&buffer);
}

static void types_of_many_files_are_saved(void **state)
{
    (void)state;
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    roster map;
    roster_writer writer;
    roster_reader reader;
    uint64_t value = 0;
    assert_int_equal(roster_init(&map, NULL), CM_OK);
    assert_int_equal(roster_writer_open(&map, &writer), CM_OK);
    assert_int_equal(roster_reader_open(&map, &reader), CM_OK);
    assert_int_equal(roster_put(&writer, cm_str_of("one"), 1, NULL), CM_OK);
    assert_int_equal(roster_publish(&writer), CM_OK);
    CM_WITH_VIEW (roster, &reader, view)
        assert_int_equal(roster_view_save(view, &sink, NULL, NULL), CM_OK);
    roster_destroy(&map);
    cm_source source = buffer_source(&buffer);
    assert_int_equal(roster_load(&map, NULL, &source, NULL, NULL), CM_OK);
    assert_int_equal(roster_reader_open(&map, &reader), CM_OK);
    assert_true(roster_get(&reader, cm_str_of("one"), &value) && value == 1);
    roster_destroy(&map);
    buffer_free(&buffer);
}

static void files_hold_it_and_nothing_more(void **state)
{
    (void)state;
    char path[] = "/tmp/concmap-test-XXXXXX";
    int fd = mkstemp(path);
    bags map;
    bags_writer writer;
    bags_reader reader;
    assert_true(fd >= 0);
    assert_int_equal(bags_init(&map, NULL), CM_OK);
    assert_int_equal(bags_writer_open(&map, &writer), CM_OK);
    assert_int_equal(bags_reader_open(&map, &reader), CM_OK);
    for (uint64_t i = 0; i < 50; i++)
        bags_fill(&writer, i);
    bags_publish(&writer);
    CM_WITH_VIEW (bags, &reader, view)
        assert_int_equal(bags_view_save_file(view, path, NULL, &told_why), CM_OK);
    bags_destroy(&map);
    assert_int_equal(bags_load_file(&map, NULL, path, NULL, &told_why), CM_OK);
    assert_null(told_why);
    bags_look(&map, 50);
    bags_go_on(&map, 50);
    bags_destroy(&map);
    close(fd);
    FILE *file = fopen(path, "a");
    assert_true(file && fputc('x', file) == 'x' && fclose(file) == 0);
    assert_int_equal(bags_load_file(&map, NULL, path, NULL, &told_why), CM_CORRUPT);
    assert_reason("follows its end");
    unlink(path);
    assert_int_equal(bags_load_file(&map, NULL, path, NULL, &told_why), CM_IO);
    assert_int_equal(nums_load_file(&(nums){NULL}, NULL, path, NULL, &told_why), CM_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_saved_is_loaded_and_goes_on),
        cmocka_unit_test(an_empty_map_is_saved),
        cmocka_unit_test(other_maps_load_it_and_it_loads_theirs),
        cmocka_unit_test(other_sets_load_it_and_it_loads_theirs),
        cmocka_unit_test(a_view_is_saved_as_it_is_while_the_writer_publishes),
        cmocka_unit_test(types_of_many_files_are_saved),
        cmocka_unit_test(files_hold_it_and_nothing_more),
    };
    failing_allocator_init(&memory);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
