/* Maps as text. */
#include <concmap/any_anchored.h>
#include <concmap/any_leftright.h>
#include <concmap/any_multimap.h>
#include <concmap/leftright_multimap.h>
#include <concmap/leftright_set.h>
#include <concmap/printed.h>
#include <concmap/sharded_set.h>

#include "shared_type.h"
#include "unit.h"

struct pair {
    uint8_t first;
    uint8_t second;
};

CM_SHARDED_MAP(ages, cm_str, uint32_t, cm_hash_str, cm_equal_str)
CM_PRINTED(ages, cm_print_str, cm_print_u32)
CM_SHARDED_MAP(pairs, uint64_t, struct pair, cm_hash_u64, cm_equal_u64)
CM_PRINTED(pairs, cm_print_u64, CM_PRINT_HEX)
CM_SHARDED_SET(seen, int64_t, cm_hash_i64, cm_equal_i64)
CM_PRINTED_SET(seen, cm_print_i64)
CM_LEFTRIGHT_MAP(routes, uint64_t, uint32_t, cm_hash_u64, cm_equal_u64)
CM_PRINTED_VIEW(routes, cm_print_u64, cm_print_u32)
CM_LEFTRIGHT_SET(peers, uint64_t, cm_hash_u64, cm_equal_u64)
CM_PRINTED_SET_VIEW(peers, cm_print_u64)
CM_LEFTRIGHT_MULTIMAP(members, cm_str, uint32_t, cm_hash_str, cm_equal_str, cm_hash_u32, cm_equal_u32)
CM_PRINTED_MULTIMAP_VIEW(members, cm_print_str, cm_print_u32)
CM_PRINTED(tallies, cm_print_str, cm_print_u64)
CM_PRINTED_SET(marks, cm_print_u64)

/* What was written; `left` pieces more will be taken. */
struct written {
    char text[8192];
    size_t size;
    size_t left;
};

static cm_status write_down(void *context, const char *text, size_t size)
{
    struct written *written = context;
    if (written->left-- == 0)
        return CM_FULL;
    assert_true(written->size + size < sizeof written->text);
    memcpy(written->text + written->size, text, size);
    written->size += size;
    written->text[written->size] = 0;
    return CM_OK;
}

static struct written nothing_yet(void)
{
    return (struct written){.left = SIZE_MAX};
}

static void has(const struct written *written, const char *text)
{
    if (!strstr(written->text, text))
        fail_msg("\"%s\" is not in\n%s", text, written->text);
}

static void numbers_are_decimal(void **state)
{
    (void)state;
    struct written written = nothing_yet();
    assert_int_equal(cm_print_u64(&(uint64_t){UINT64_MAX}, write_down, &written), CM_OK);
    assert_int_equal(cm_print_i64(&(int64_t){INT64_MIN}, write_down, &written), CM_OK);
    assert_int_equal(cm_print_u32(&(uint32_t){UINT32_MAX}, write_down, &written), CM_OK);
    assert_int_equal(cm_print_i32(&(int32_t){-7}, write_down, &written), CM_OK);
    assert_string_equal(written.text, "18446744073709551615-92233720368547758084294967295-7");
}

static void texts_are_quoted_and_escaped(void **state)
{
    (void)state;
    struct written written = nothing_yet();
    cm_str text = cm_str_from("a\"b\\c\nd\te\0f\xff~\x7f", 14);
    assert_int_equal(cm_print_str(&text, write_down, &written), CM_OK);
    assert_string_equal(written.text, "\"a\\\"b\\\\c\\nd\\te\\000f\\377~\\177\"");
    written = nothing_yet();
    assert_int_equal(cm_print_str(&(cm_str){NULL, 0}, write_down, &written), CM_OK);
    assert_string_equal(written.text, "\"\"");
}

static void long_texts_come_whole(void **state)
{
    (void)state;
    char bytes[1000];
    char expected[2 * sizeof bytes + 1];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (char)i;
        snprintf(expected + 2 * i, 3, "%02x", (unsigned)(i & 255));
    }
    struct written written = nothing_yet();
    assert_int_equal(cm_print_bytes(bytes, sizeof bytes, write_down, &written), CM_OK);
    assert_string_equal(written.text, expected);
    memset(bytes, 'x', sizeof bytes);
    written = nothing_yet();
    assert_int_equal(cm_print_str(&(cm_str){bytes, sizeof bytes}, write_down, &written), CM_OK);
    assert_int_equal(written.size, sizeof bytes + 2);
    assert_true(memcmp(written.text + 1, bytes, sizeof bytes) == 0);
}

static void a_map_is_its_stats_and_its_entries(void **state)
{
    (void)state;
    struct written written = nothing_yet();
    ages map;
    assert_int_equal(ages_init(&map, &(cm_config){.capacity = 28}), CM_OK);
    ages_put(&map, cm_str_of("ada"), 36, NULL);
    ages_put(&map, cm_str_of("new\nline"), 1, NULL);
    assert_int_equal(ages_print(&map, write_down, &written), CM_OK);
    assert_true(strncmp(written.text, "entries: 2, grows at about 32, load 0.042\n", 42) == 0);
    has(&written, "buckets: 8 of 6 slots, ");
    has(&written, "entries in the 1st, 2nd, 3rd bucket: 2, 0, 0, more 0\n");
    has(&written, "tables: 1, 0 buckets to move; grown 0, shrunk 0 times\n");
    has(&written, "\nwaits: ");
    has(&written, "\n\"ada\": 36\n");
    has(&written, "\n\"new\\nline\": 1\n");
    ages_destroy(&map);
}

static void values_of_any_type_are_hexadecimal(void **state)
{
    (void)state;
    struct written written = nothing_yet();
    pairs map;
    assert_int_equal(pairs_init(&map, NULL), CM_OK);
    pairs_put(&map, 5, (struct pair){0x0a, 0xfe}, NULL);
    assert_int_equal(pairs_try_print(&map, write_down, &written), CM_OK);
    has(&written, "\n5: 0afe\n");
    pairs_destroy(&map);
}

static void sets_have_keys_only(void **state)
{
    (void)state;
    struct written written = nothing_yet();
    seen set;
    assert_int_equal(seen_init(&set, NULL), CM_OK);
    seen_add(&set, -3);
    assert_int_equal(seen_print(&set, write_down, &written), CM_OK);
    has(&written, "\n-3\n");
    seen_destroy(&set);
}

static void types_that_are_defined_elsewhere_are_printed_here(void **state)
{
    (void)state;
    struct written written = nothing_yet();
    tallies map;
    marks set;
    assert_int_equal(tallies_init(&map, NULL), CM_OK);
    assert_int_equal(marks_init(&set, NULL), CM_OK);
    tallies_put(&map, cm_str_of("votes"), 5, NULL);
    marks_add(&set, 6);
    assert_int_equal(tallies_print(&map, write_down, &written), CM_OK);
    assert_int_equal(marks_print(&set, write_down, &written), CM_OK);
    has(&written, "\n\"votes\": 5\n");
    has(&written, "\n6\n");
    tallies_destroy(&map);
    marks_destroy(&set);
}

static void whatever_ends_the_text_ends_the_printing(void **state)
{
    (void)state;
    ages map;
    assert_int_equal(ages_init(&map, NULL), CM_OK);
    ages_put(&map, cm_str_of("ada"), 36, NULL);
    ages_put(&map, cm_str_of("bob"), 37, NULL);
    struct written written = nothing_yet();
    assert_int_equal(ages_print(&map, write_down, &written), CM_OK);
    size_t pieces = SIZE_MAX - written.left, size = written.size;
    assert_true(pieces > 10);
    for (size_t n = 0; n < pieces; n++) {
        written = (struct written){.left = n};
        assert_int_equal(ages_print(&map, write_down, &written), CM_FULL);
        assert_true(written.size < size);
    }
    written = (struct written){.left = pieces};
    assert_int_equal(ages_print(&map, write_down, &written), CM_OK);
    ages_destroy(&map);
}

static void a_bucket_that_is_held_is_waited_for_as_long_as_one_likes(void **state)
{
    (void)state;
    struct written written = nothing_yet();
    ages map;
    ages_write_guard guard;
    assert_int_equal(ages_init(&map, NULL), CM_OK);
    ages_put(&map, cm_str_of("ada"), 36, NULL);
    assert_int_equal(ages_write(&map, cm_str_of("ada"), &guard), CM_OK);
    assert_int_equal(ages_write_detach(&guard), CM_OK); /* so that it is nobody's, and not this thread's */
    assert_int_equal(ages_try_print(&map, write_down, &written), CM_BUSY);
    has(&written, "entries: 1,");
    assert_int_equal(ages_print_until(&map, write_down, &written, cm_deadline_after(1000000)), CM_TIMEOUT);
    assert_int_equal(ages_write_attach(&guard), CM_OK);
    ages_write_unlock(&guard);
    assert_int_equal(ages_try_print(&map, write_down, &written), CM_OK);
    ages_destroy(&map);
}

static void files_take_text(void **state)
{
    (void)state;
    FILE *full = fopen("/dev/full", "w"), *none = tmpfile();
    if (full) {
        setvbuf(full, NULL, _IONBF, 0);
        assert_int_equal(cm_print_plain("text", cm_write_file, full), CM_IO);
        fclose(full);
    }
    if (none) {
        char text[5] = "";
        assert_int_equal(cm_print_plain("text", cm_write_file, none), CM_OK);
        rewind(none);
        assert_int_equal(fread(text, 1, 4, none), 4);
        assert_string_equal(text, "text");
        fclose(none);
    }
}

/* What was published is what a view prints, whatever is changed behind it. */
static void views_are_printed(void **state)
{
    (void)state;
    struct written written = nothing_yet();
    routes map;
    routes_writer writer;
    routes_reader reader;
    assert_int_equal(routes_init(&map, NULL), CM_OK);
    assert_int_equal(routes_writer_open(&map, &writer), CM_OK);
    assert_int_equal(routes_reader_open(&map, &reader), CM_OK);
    assert_int_equal(routes_put(&writer, 10, 1, NULL), CM_OK);
    assert_int_equal(routes_put(&writer, 20, 2, NULL), CM_OK);
    assert_int_equal(routes_set_meta(&writer, 7), CM_OK);
    assert_int_equal(routes_publish(&writer), CM_OK);
    CM_WITH_VIEW (routes, &reader, view) {
        assert_int_equal(routes_put(&writer, 30, 3, NULL), CM_OK);
        assert_int_equal(routes_view_print(view, write_down, &written), CM_OK);
        written.left = 2;
        assert_int_equal(routes_view_print(view, write_down, &written), CM_FULL);
    }
    has(&written, "entries: 2, meta: 7\n");
    has(&written, "10: 1\n");
    has(&written, "20: 2\n");
    assert_null(strstr(written.text, "30"));
    routes_destroy(&map);
}

static void views_of_sets_and_multimaps_are_printed(void **state)
{
    (void)state;
    struct written written = nothing_yet();
    peers set;
    peers_writer adds;
    peers_reader looks;
    members channels;
    members_writer writer;
    members_reader reader;
    assert_int_equal(peers_init(&set, NULL), CM_OK);
    assert_int_equal(peers_writer_open(&set, &adds), CM_OK);
    assert_int_equal(peers_reader_open(&set, &looks), CM_OK);
    assert_int_equal(peers_add(&adds, 77), CM_OK);
    assert_int_equal(peers_publish(&adds), CM_OK);
    CM_WITH_VIEW (peers, &looks, view)
        assert_int_equal(peers_view_print(view, write_down, &written), CM_OK);
    has(&written, "entries: 1, meta: 0\n77\n");
    peers_destroy(&set);
    assert_int_equal(members_init(&channels, NULL), CM_OK);
    assert_int_equal(members_writer_open(&channels, &writer), CM_OK);
    assert_int_equal(members_reader_open(&channels, &reader), CM_OK);
    for (uint32_t user = 1; user <= 3; user++)
        assert_int_equal(members_insert(&writer, cm_str_of("news"), user), CM_OK);
    assert_int_equal(members_publish(&writer), CM_OK);
    CM_WITH_VIEW (members, &reader, view)
        assert_int_equal(members_view_print(view, write_down, &written), CM_OK);
    has(&written, "\"news\": 1, 2, 3\n");
    members_destroy(&channels);
}

/* ---- maps of types that are known at run time ---- */

static void a_dynamic_map_is_printed_by_printers_that_are_given(void **state)
{
    (void)state;
    struct written written = nothing_yet();
    struct cm_type type;
    cm_any map;
    uint32_t age = 36;
    cm_any_type_text(&type, sizeof age);
    assert_int_equal(cm_any_init(&map, &type, &(cm_config){.capacity = 28}), CM_OK);
    assert_int_equal(cm_any_put(&map, &(cm_str){"ada", 3}, &age, NULL), CM_OK);
    assert_int_equal(cm_any_print(&map, cm_any_print_text, cm_any_print_u32, write_down, &written), CM_OK);
    assert_true(strncmp(written.text, "entries: 1, grows at about 32, load ", 36) == 0);
    has(&written, "\n\"ada\": 36\n");
    cm_any_destroy(&map);
}

static void without_printers_texts_are_texts_and_the_rest_is_bytes(void **state)
{
    (void)state;
    struct written written = nothing_yet();
    struct cm_type type;
    cm_any map, set;
    struct pair pair = {0x0a, 0xfe};
    uint64_t key = 7;
    cm_any_type_text(&type, sizeof pair);
    assert_int_equal(cm_any_init(&map, &type, NULL), CM_OK);
    assert_int_equal(cm_any_put(&map, &(cm_str){"b\n", 2}, &pair, NULL), CM_OK);
    assert_int_equal(cm_any_try_print(&map, NULL, NULL, write_down, &written), CM_OK);
    has(&written, "\n\"b\\n\": 0afe\n");
    cm_any_destroy(&map);
    cm_any_type_u64(&type, 0);
    written = nothing_yet();
    assert_int_equal(cm_any_init(&set, &type, NULL), CM_OK);
    assert_int_equal(cm_any_put(&set, &key, NULL, NULL), CM_OK);
    assert_int_equal(cm_any_print(&set, cm_any_print_u64, NULL, write_down, &written), CM_OK);
    has(&written, "\n7\n");
    cm_any_destroy(&set);
}

static void dynamic_anchored_maps_are_printed_too(void **state)
{
    (void)state;
    struct cm_type type;
    cm_any_anchored map;
    uint64_t key = 7, value = 8;
    size_t pieces = SIZE_MAX;
    cm_any_type_u64(&type, sizeof value);
    assert_int_equal(cm_any_anchored_init(&map, &type, NULL), CM_OK);
    assert_int_equal(cm_any_anchored_put(&map, &key, &value, NULL), CM_OK);
    struct written written = nothing_yet();
    assert_int_equal(cm_any_anchored_print(&map, cm_any_print_u64, cm_any_print_u64, write_down, &written), CM_OK);
    has(&written, "\n7: 8\n");
    pieces -= written.left;
    for (size_t left = 0; left < pieces; left++) { /* what `write` says ends it */
        written = (struct written){.left = left};
        assert_int_equal(
            cm_any_anchored_print_until(&map, cm_any_print_u64, cm_any_print_u64, write_down, &written, CM_FOREVER),
            CM_FULL);
    }
    cm_any_anchored_destroy(&map);
}

static void views_of_dynamic_left_right_maps_are_printed(void **state)
{
    (void)state;
    struct cm_type type;
    cm_any_leftright map;
    cm_any_leftright_writer writer;
    cm_any_leftright_reader reader;
    uint64_t key = 7, value = 9;
    struct written written = nothing_yet(), full = {.left = 3};
    cm_any_type_u64(&type, 8);
    assert_int_equal(cm_any_leftright_init(&map, &type, NULL), CM_OK);
    assert_int_equal(cm_any_leftright_writer_open(&map, &writer), CM_OK);
    assert_int_equal(cm_any_leftright_reader_open(&map, &reader), CM_OK);
    assert_int_equal(cm_any_leftright_put(&writer, &key, &value, NULL), CM_OK);
    assert_int_equal(cm_any_leftright_publish(&writer), CM_OK);
    CM_WITH_VIEW (cm_any_leftright, &reader, view) {
        assert_int_equal(cm_any_leftright_view_print(view, cm_any_print_u64, NULL, write_down, &written), CM_OK);
        assert_int_equal(cm_any_leftright_view_print(view, NULL, NULL, write_down, &full), CM_FULL);
    }
    has(&written, "7: 0900000000000000\n");
    cm_any_leftright_destroy(&map);
}

static void views_of_dynamic_multimaps_are_printed(void **state)
{
    (void)state;
    struct cm_type keys, values;
    cm_any_multimap map;
    cm_any_multimap_writer writer;
    cm_any_multimap_reader reader;
    cm_str name = cm_str_of("seven");
    struct written written = nothing_yet();
    cm_any_type_text(&keys, 0);
    cm_any_type_u32(&values, 0);
    assert_int_equal(cm_any_multimap_init(&map, &keys, &values, NULL), CM_OK);
    assert_int_equal(cm_any_multimap_writer_open(&map, &writer), CM_OK);
    assert_int_equal(cm_any_multimap_reader_open(&map, &reader), CM_OK);
    for (uint32_t value = 1; value <= 3; value++)
        assert_int_equal(cm_any_multimap_insert(&writer, &name, &value), CM_OK);
    assert_int_equal(cm_any_multimap_publish(&writer), CM_OK);
    CM_WITH_VIEW (cm_any_multimap, &reader, view)
        assert_int_equal(cm_any_multimap_view_print(view, NULL, cm_any_print_u32, write_down, &written), CM_OK);
    has(&written, "\"seven\": 1, 2, 3\n");
    size_t pieces = SIZE_MAX - written.left;
    for (size_t left = 0; left < pieces; left++) { /* what `write` says ends it */
        written = (struct written){.left = left};
        CM_WITH_VIEW (cm_any_multimap, &reader, view)
            assert_int_equal(cm_any_multimap_view_print(view, NULL, cm_any_print_u32, write_down, &written), CM_FULL);
    }
    cm_any_multimap_destroy(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_decimal),
        cmocka_unit_test(texts_are_quoted_and_escaped),
        cmocka_unit_test(long_texts_come_whole),
        cmocka_unit_test(a_map_is_its_stats_and_its_entries),
        cmocka_unit_test(values_of_any_type_are_hexadecimal),
        cmocka_unit_test(sets_have_keys_only),
        cmocka_unit_test(types_that_are_defined_elsewhere_are_printed_here),
        cmocka_unit_test(whatever_ends_the_text_ends_the_printing),
        cmocka_unit_test(a_bucket_that_is_held_is_waited_for_as_long_as_one_likes),
        cmocka_unit_test(files_take_text),
        cmocka_unit_test(views_are_printed),
        cmocka_unit_test(views_of_sets_and_multimaps_are_printed),
        cmocka_unit_test(a_dynamic_map_is_printed_by_printers_that_are_given),
        cmocka_unit_test(without_printers_texts_are_texts_and_the_rest_is_bytes),
        cmocka_unit_test(dynamic_anchored_maps_are_printed_too),
        cmocka_unit_test(views_of_dynamic_left_right_maps_are_printed),
        cmocka_unit_test(views_of_dynamic_multimaps_are_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
