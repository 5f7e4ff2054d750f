/* The dynamic multimap: that each function does what that of a typed multimap does, for keys and values of all sorts.
 */
#include <concmap/any_multimap.h>
#include <concmap/leftright_multimap.h>
#include <concmap/leftright_saved.h>
#include <stdlib.h>
#include <unistd.h>

#include "buffer.h"
#include "crew.h"
#include "failing_allocator.h"
#include "texts.h"
#include "unit.h"

CM_LEFTRIGHT_MULTIMAP(words, cm_str, uint64_t, cm_hash_str, cm_equal_str, cm_hash_u64, cm_equal_u64)
CM_LEFTRIGHT_SAVED_MULTIMAP(words, 3)
CM_LEFTRIGHT_MULTIMAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64, cm_hash_u64, cm_equal_u64)

static cm_any_multimap map;
static cm_any_multimap_writer writer;
static cm_any_multimap_reader reader;

static void open_handles(void)
{
    assert_int_equal(cm_any_multimap_writer_open(&map, &writer), CM_OK);
    assert_int_equal(cm_any_multimap_reader_open(&map, &reader), CM_OK);
}

static void begin(const struct cm_type *keys, const struct cm_type *values, const cm_config *config)
{
    assert_int_equal(cm_any_multimap_init(&map, keys, values, config), CM_OK);
    open_handles();
}

static void begin_nums(void)
{
    struct cm_type type;
    cm_any_type_u64(&type, 0);
    begin(&type, &type, NULL);
}

/* Both sides, compared. */
static void check(void)
{
    const char *wrong = NULL;
    assert_int_equal(cm_any_multimap_publish(&writer), CM_OK);
    assert_int_equal(cm_any_multimap_begin(&writer), CM_OK);
    if (cm_any_multimap_check(&map, &wrong) != CM_OK)
        fail_msg("%s", wrong);
}

static void end(void)
{
    check();
    cm_any_multimap_destroy(&map);
}

static void insert(uint64_t key, uint64_t value)
{
    assert_int_equal(cm_any_multimap_insert(&writer, &key, &value), CM_OK);
}

static size_t counted(uint64_t key)
{
    size_t count;
    cm_status status = cm_any_multimap_writer_count(&writer, &key, &count);
    return status == CM_OK ? count : SIZE_MAX;
}

static cm_status keep_even(const void *value, void *context)
{
    ++*(size_t *)context;
    return *(const uint64_t *)value % 2 ? CM_ABSENT : CM_OK;
}

static cm_status keep_even_of(const void *key, const void *value, void *context)
{
    (void)key;
    return keep_even(value, context);
}

static cm_status tell_sum(const void *key, const void *values, size_t count, void *context)
{
    (void)key;
    for (size_t i = 0; i < count; i++)
        *(uint64_t *)context += ((const uint64_t *)values)[i];
    return CM_OK;
}

/* ---- verbs ---- */

static void changes_are_seen_when_they_are_published(void **state)
{
    (void)state;
    uint64_t one = 1, two = 2, five = 5, value = 0;
    begin_nums();
    for (uint64_t i = 0; i < 40; i++)
        insert(1, i % 20);
    insert(2, 7);
    assert_int_equal(counted(1), 40);
    assert_true(cm_any_multimap_writer_contains(&writer, &two));
    assert_false(cm_any_multimap_writer_contains(&writer, &five));
    assert_true(cm_any_multimap_writer_contains_value(&writer, &one, &five));
    assert_int_equal(cm_any_multimap_writer_get_one(&writer, &two, &value), CM_OK);
    assert_int_equal(value, 7);
    assert_false(cm_any_multimap_get_one(&reader, &two, &value));
    cm_any_multimap_publish(&writer);
    assert_true(cm_any_multimap_get_one(&reader, &two, &value));
    assert_true(cm_any_multimap_contains_value(&reader, &one, &five));
    assert_false(cm_any_multimap_contains_value(&reader, &two, &five));
    assert_int_equal(cm_any_multimap_remove_value(&writer, &one, &five), CM_OK);
    assert_int_equal(cm_any_multimap_remove_value(&writer, &one, &five), CM_OK);
    assert_int_equal(cm_any_multimap_remove_value(&writer, &one, &five), CM_ABSENT);
    assert_int_equal(counted(1), 38);
    assert_int_equal(cm_any_multimap_update(&writer, &two, &one), CM_REPLACED);
    assert_int_equal(cm_any_multimap_update(&writer, &five, &one), CM_OK);
    assert_int_equal(cm_any_multimap_clear_entry(&writer, &five), CM_OK);
    assert_int_equal(counted(5), 0);
    assert_int_equal(cm_any_multimap_reserve_values(&writer, &five, 100), CM_OK);
    assert_int_equal(cm_any_multimap_fit(&writer, &five), CM_OK);
    assert_int_equal(cm_any_multimap_remove_entry(&writer, &five), CM_OK);
    assert_int_equal(cm_any_multimap_try_remove_entry(&writer, &five), CM_ABSENT);
    uint64_t hash = cm_any_multimap_hash_of(&map, &five);
    assert_int_equal(cm_any_multimap_insert_hashed(&writer, hash, &five, &one), CM_OK);
    assert_int_equal(cm_any_multimap_writer_len(&writer), 3);
    assert_int_equal(cm_any_multimap_fit_all(&writer), CM_OK);
    cm_any_multimap_publish(&writer);
    assert_false(cm_any_multimap_contains_value(&reader, &one, &five));
    assert_int_equal(cm_any_multimap_purge(&writer), CM_OK);
    assert_int_equal(cm_any_multimap_writer_len(&writer), 0);
    end();
}

static void functions_choose_what_stays(void **state)
{
    (void)state;
    size_t asked = 0;
    uint64_t one = 1, nine = 9, told = 0;
    begin_nums();
    for (uint64_t key = 0; key < 10; key++)
        for (uint64_t i = 0; i < 50; i++)
            insert(key, i);
    assert_int_equal(cm_any_multimap_retain_values(&writer, &one, keep_even, &asked), CM_OK);
    assert_int_equal(asked, 50);
    assert_int_equal(counted(1), 25);
    assert_int_equal(counted(2), 50);
    assert_int_equal(cm_any_multimap_retain(&writer, keep_even_of, &asked), CM_OK);
    assert_int_equal(counted(9), 25);
    assert_true(cm_any_multimap_writer_contains(&writer, &nine));
    assert_int_equal(cm_any_multimap_remove_random(&writer, 4, 17, tell_sum, &told), CM_OK);
    assert_int_equal(told, 4 * 25 * 24); /* of four times 0, 2, ... 48 */
    assert_int_equal(cm_any_multimap_writer_len(&writer), 6);
    end();
}

static void views_are_snapshots_that_are_walked(void **state)
{
    (void)state;
    size_t count, keys = 0, values = 0, counts[3];
    uint64_t three = 3, sought[3] = {3, 77, 4};
    const void *places[3];
    begin_nums();
    for (uint64_t key = 0; key < 100; key++)
        for (uint64_t i = 0; i < key; i++)
            insert(key, i);
    assert_int_equal(cm_any_multimap_set_meta(&writer, 7), CM_OK);
    cm_any_multimap_publish(&writer);
    CM_WITH_VIEW (cm_any_multimap, &reader, view) {
        assert_int_equal(cm_any_multimap_purge(&writer), CM_OK);
        cm_any_multimap_publish(&writer);
        assert_int_equal(cm_any_multimap_view_len(view), 99); /* key 0 has none, and was never inserted */
        assert_int_equal(cm_any_multimap_view_meta(view), 7);
        const uint64_t *of_three = cm_any_multimap_view_get(view, &three, &count);
        assert_true(count == 3 && of_three[0] == 0 && of_three[2] == 2);
        assert_ptr_equal(of_three, cm_any_multimap_view_get_one(view, &three));
        assert_true(cm_any_multimap_view_contains(view, &three));
        assert_false(cm_any_multimap_view_contains_value(view, &three, &three));
        CM_FOREACH (cm_any_multimap_view, view, it) {
            assert_int_equal(it.count, *(const uint64_t *)it.key);
            assert_int_equal(((const uint64_t *)it.values)[it.count - 1], it.count - 1);
            keys++;
            values += it.count;
        }
        assert_true(keys == 99 && values == 99 * 50);
        assert_int_equal(cm_any_multimap_view_get_many(view, sought, 3, places, counts), 3);
        assert_ptr_equal(places[0], of_three);
        assert_true(counts[1] == 77 && counts[2] == 4);
    }
    assert_false(cm_any_multimap_get_one(&reader, &three, places));
    cm_stats stats;
    cm_any_multimap_stats(&writer, &stats);
    assert_int_equal(stats.entries, 0);
    assert_int_equal(cm_any_multimap_publications(&writer).readers, 1);
    end();
}

/* ---- types ---- */

static void types_that_are_wrong_are_refused(void **state)
{
    (void)state;
    struct cm_type type, valued;
    cm_any_type_u64(&type, 0);
    cm_any_type_u64(&valued, 8);
    assert_int_equal(cm_any_multimap_init(NULL, &type, &type, NULL), CM_INVALID);
    assert_int_equal(cm_any_multimap_init(&map, &type, NULL, NULL), CM_INVALID);
    assert_int_equal(cm_any_multimap_init(&map, NULL, &type, NULL), CM_INVALID);
    assert_int_equal(cm_any_multimap_init(&map, &valued, &type, NULL), CM_INVALID);
    assert_int_equal(cm_any_multimap_init(&map, &type, &valued, NULL), CM_INVALID);
    assert_int_equal(cm_any_multimap_init(&map, &type, &type, &(cm_config){.fixed = true, .capacity = 3}), CM_INVALID);
    assert_true(cm_any_multimap_sizes.map == sizeof map && cm_any_multimap_sizes.reader == sizeof reader);
}

/* ---- values that own something: texts, counted ---- */

static long texts_alive;
static int texts_context; /* the config's context, which they are to be given */

static cm_status text_clone(void *to, const void *from, void *context)
{
    const cm_str *text = from;
    texts_alive += context == &texts_context;
    return cm_any_text_make(to, text->data, text->len);
}

static void text_destroy(void *value, void *context)
{
    texts_alive -= context == &texts_context;
    cm_any_text_free(value);
}

static cm_status text_encode(cm_encoder *to, const void *value, void *context)
{
    (void)context;
    return cm_encode_bytes(to, ((const cm_str *)value)->data, ((const cm_str *)value)->len);
}

static cm_status text_decode(void *value, cm_decoder *from, void *context)
{
    char bytes[64];
    size_t len = cm_decode_left(from);
    texts_alive += context == &texts_context;
    cm_status status = len <= sizeof bytes ? cm_decode_bytes(from, bytes, len) : CM_CORRUPT;
    return status < 0 ? status : cm_any_text_make(value, bytes, len);
}

static void owned_type(struct cm_type *values)
{
    cm_any_type_text(values, 0);
    values->key_text = false;
    values->key_clone = text_clone;
    values->key_destroy = text_destroy;
    values->key_encode = text_encode;
    values->key_decode = text_decode;
}

static void begin_texts(void)
{
    struct cm_type keys, values;
    texts_alive = 0;
    cm_any_type_text(&keys, 0);
    owned_type(&values);
    begin(&keys, &values, &(cm_config){.context = &texts_context});
}

static void insert_text(uint64_t key, uint64_t number)
{
    char text[64], other[64];
    cm_str name = text_at(text, key), value = text_at(other, number), own;
    assert_int_equal(text_clone(&own, &value, &texts_context), CM_OK);
    assert_int_equal(cm_any_multimap_insert(&writer, &name, &own), CM_OK);
}

static void owned_values_are_destroyed_once(void **state)
{
    (void)state;
    char text[64], other[64];
    cm_str copy;
    begin_texts();
    for (uint64_t round = 0; round < 4; round++) {
        for (uint64_t key = 0; key < 20; key++)
            for (uint64_t i = 0; i <= key; i++)
                insert_text(key, i);
        cm_str nine = text_at(text, 9), four = text_at(other, 4);
        assert_int_equal(cm_any_multimap_remove_value(&writer, &nine, &four), CM_OK);
        cm_any_multimap_publish(&writer);
        assert_true(cm_any_multimap_get_one(&reader, &nine, &copy));
        text_destroy(&copy, &texts_context);
        cm_str zero = text_at(other, 0);
        assert_int_equal(cm_any_multimap_clear_entry(&writer, &zero), CM_OK);
        check();
        assert_int_equal(texts_alive, (round + 1) * 209 - round - 1);
    }
    assert_int_equal(cm_any_multimap_purge(&writer), CM_OK);
    check();
    assert_int_equal(texts_alive, 0);
    insert_text(1, 1);
    insert_text(2, 2);
    insert_text(2, 3);
    end();
    assert_int_equal(texts_alive, 0);
}

static void what_was_taken_outlives_the_map(void **state)
{
    (void)state;
    char text[64];
    cm_str room[2];
    cm_any_multimap_taken taken = {.value = &room[0]}, other = {.value = &room[1]}, nowhere = {.value = NULL};
    begin_texts();
    insert_text(1, 10);
    insert_text(1, 20);
    cm_any_multimap_publish(&writer);
    cm_str one = text_at(text, 1), ten = cm_str_of("10"), twenty = cm_str_of("20");
    assert_int_equal(cm_any_multimap_take_value(&writer, &one, &ten, &nowhere), CM_INVALID);
    assert_int_equal(cm_any_multimap_take_value(&writer, &one, &ten, &taken), CM_OK);
    assert_int_equal(cm_any_multimap_take_value(&writer, &one, &ten, &other), CM_ABSENT);
    assert_int_equal(cm_any_multimap_take_value(&writer, &one, &twenty, &other), CM_OK);
    cm_any_multimap_publish(&writer);
    assert_int_equal(cm_any_multimap_give_back(&writer, &other), CM_OK);
    assert_int_equal(cm_any_multimap_give_back(&writer, &other), CM_INVALID);
    end();
    assert_int_equal(texts_alive, 1);
    assert_true(cm_equal_str(&room[0], &ten));
    assert_int_equal(cm_any_multimap_give_back(NULL, &taken), CM_OK);
    assert_int_equal(texts_alive, 0);
}

/* ---- against the typed one ---- */

static nums twin;
static nums_writer twin_writer;
static nums_reader twin_reader;

static void twins_change(uint64_t *random)
{
    uint64_t key = crew_random(random) % 40, value = crew_random(random) % 60, what = crew_random(random) % 100;
    cm_status ours, theirs;
    if (what < 70) {
        ours = cm_any_multimap_insert(&writer, &key, &value);
        theirs = nums_insert(&twin_writer, key, value);
    } else if (what < 90) {
        ours = cm_any_multimap_remove_value(&writer, &key, &value);
        theirs = nums_remove_value(&twin_writer, key, value);
    } else if (what < 94) {
        ours = cm_any_multimap_update(&writer, &key, &value);
        theirs = nums_update(&twin_writer, key, value);
    } else if (what < 97) {
        ours = cm_any_multimap_remove_entry(&writer, &key);
        theirs = nums_remove_entry(&twin_writer, key);
    } else {
        ours = cm_any_multimap_fit(&writer, &key);
        theirs = nums_fit(&twin_writer, key);
    }
    assert_int_equal(ours, theirs);
}

/* Many at once. */
static void twins_change_many(uint64_t *random)
{
    uint64_t keys[40], values[40];
    cm_status ours[40], theirs[40];
    for (size_t i = 0; i < 40; i++) {
        keys[i] = crew_random(random) % 40;
        values[i] = crew_random(random) % 60;
    }
    assert_int_equal(cm_any_multimap_insert_many(&writer, keys, values, 40, ours), 40);
    assert_int_equal(nums_insert_many(&twin_writer, keys, values, 40, theirs), 40);
    assert_memory_equal(ours, theirs, sizeof ours);
    for (size_t i = 0; i < 40; i++)
        keys[i] = crew_random(random) % 60;
    assert_int_equal(cm_any_multimap_remove_value_many(&writer, keys, values, 40, ours),
                     nums_remove_value_many(&twin_writer, keys, values, 40, theirs));
    assert_memory_equal(ours, theirs, sizeof ours);
}

static void it_does_what_the_typed_one_does(void **state)
{
    (void)state;
    uint64_t random = crew_seed("a dynamic multimap and a typed one");
    begin_nums();
    assert_int_equal(nums_init(&twin, NULL), CM_OK);
    assert_int_equal(nums_writer_open(&twin, &twin_writer), CM_OK);
    assert_int_equal(nums_reader_open(&twin, &twin_reader), CM_OK);
    for (size_t batch = 0; batch < crew_scale(200); batch++) {
        for (uint64_t n = crew_random(&random) % 60; n > 0; n--)
            twins_change(&random);
        twins_change_many(&random);
        check();
        nums_publish(&twin_writer);
        CM_WITH_VIEW (cm_any_multimap, &reader, view)
            CM_WITH_VIEW (nums, &twin_reader, other) {
                assert_int_equal(cm_any_multimap_view_len(view), nums_view_len(other));
                CM_FOREACH (nums_view, other, it) {
                    size_t count;
                    const uint64_t *values = cm_any_multimap_view_get(view, it.key, &count);
                    assert_int_equal(count, it.count);
                    assert_memory_equal(values, it.values, count * sizeof *values);
                }
            }
    }
    nums_destroy(&twin);
    end();
}

static void many_keys_and_values_of_different_sizes(void **state)
{
    (void)state;
    struct cm_type keys, values;
    static const uint64_t all_keys[] = {1, 2, 1};
    static const uint32_t all_values[] = {10, 20, 30};
    cm_any_type_u64(&keys, 0);
    cm_any_type_u32(&values, 0);
    begin(&keys, &values, NULL);
    assert_int_equal(cm_any_multimap_insert_many(&writer, all_keys, all_values, 3, NULL), 3);
    cm_any_multimap_publish(&writer);
    for (size_t i = 0; i < 3; i++)
        assert_true(cm_any_multimap_contains_value(&reader, &all_keys[i], &all_values[i]));
    assert_int_equal(cm_any_multimap_remove_value_many(&writer, all_keys, all_values, 3, NULL), 3);
    end();
}

/* ---- memory ---- */

static cm_status try_all(struct failing_allocator *memory)
{
    struct cm_type keys, values;
    char text[64];
    cm_any_type_text(&keys, 0);
    cm_any_type_u64(&values, 0);
    cm_status status = cm_any_multimap_init(&map, &keys, &values, &(cm_config){.allocator = &memory->allocator});
    if (status != CM_OK)
        return status;
    assert_int_equal(cm_any_multimap_writer_open(&map, &writer), CM_OK);
    status = cm_any_multimap_reader_open(&map, &reader);
    for (uint64_t i = 0; status >= 0 && i < 200; i++) {
        cm_str key = text_at(text, i % 20 ? i % 7 : i);
        status = cm_any_multimap_insert(&writer, &key, &i);
        if (status >= 0 && i % 10 == 0)
            cm_any_multimap_publish(&writer);
    }
    cm_any_multimap_destroy(&map);
    return status;
}

static void m1_the_nth_allocation_may_fail(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    for (size_t n = 1;; n++) {
        failing_allocator_fail_at(&memory, n);
        cm_status status = try_all(&memory);
        assert_int_equal(memory.live_blocks + memory.mistakes, 0);
        if (memory.failures == 0)
            break;
        assert_true(status == CM_NOMEM || status == CM_OK);
        failing_allocator_restart(&memory);
    }
}

/* ---- saving and loading ---- */

static void typed_maps_load_what_it_saves_and_it_loads_theirs(void **state)
{
    (void)state;
    struct buffer buffer = {.bytes = NULL}, back = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    struct cm_type keys, values;
    char text[64];
    const char *reason;
    size_t count;
    cm_any_type_text(&keys, 0);
    cm_any_type_u64(&values, 0);
    keys.version = 3;
    begin(&keys, &values, NULL);
    for (uint64_t i = 0; i < 2000; i++) {
        cm_str key = text_at(text, i % 100);
        assert_int_equal(cm_any_multimap_insert(&writer, &key, &i), CM_OK);
    }
    assert_int_equal(cm_any_multimap_set_meta(&writer, 77), CM_OK);
    cm_any_multimap_publish(&writer);
    CM_WITH_VIEW (cm_any_multimap, &reader, view)
        assert_int_equal(cm_any_multimap_view_save(view, &sink, NULL, &reason), CM_OK);
    end();
    words typed;
    words_reader own;
    cm_source source = buffer_source(&buffer);
    assert_int_equal(words_load(&typed, NULL, &source, NULL, &reason), CM_OK);
    assert_int_equal(words_reader_open(&typed, &own), CM_OK);
    sink = buffer_sink(&back);
    CM_WITH_VIEW (words, &own, view)
        assert_int_equal(words_view_save(view, &sink, NULL, &reason), CM_OK);
    words_destroy(&typed);
    source = buffer_source(&back);
    assert_int_equal(cm_any_multimap_load(&map, &keys, &values, NULL, &source, NULL, &reason), CM_OK);
    open_handles();
    CM_WITH_VIEW (cm_any_multimap, &reader, view) {
        assert_int_equal(cm_any_multimap_view_meta(view), 77);
        for (uint64_t i = 0; i < 100; i++) {
            cm_str key = text_at(text, i);
            const uint64_t *loaded = cm_any_multimap_view_get(view, &key, &count);
            assert_true(count == 20 && loaded[19] == i + 1900);
        }
    }
    end();
    keys.version = 4;
    source = buffer_source(&back);
    assert_int_equal(cm_any_multimap_load(&map, &keys, &values, NULL, &source, NULL, &reason), CM_INVALID);
    assert_non_null(strstr(reason, "another number"));
    buffer_free(&buffer);
    buffer_free(&back);
}

static void owned_texts_are_saved_to_files(void **state)
{
    (void)state;
    char path[] = "/tmp/concmap-test-XXXXXX", text[64], other[64];
    int fd = mkstemp(path);
    struct cm_type keys, values;
    const char *reason;
    assert_true(fd >= 0);
    close(fd);
    begin_texts();
    for (uint64_t i = 0; i < 300; i++)
        insert_text(i % 7, i);
    cm_any_multimap_publish(&writer);
    CM_WITH_VIEW (cm_any_multimap, &reader, view)
        assert_int_equal(cm_any_multimap_view_save_file(view, path, NULL, &reason), CM_OK);
    end();
    cm_any_type_text(&keys, 0);
    owned_type(&values);
    cm_config config = {.context = &texts_context};
    assert_int_equal(cm_any_multimap_load_file(&map, &keys, &values, &config, path, NULL, &reason), CM_OK);
    open_handles();
    assert_int_equal(texts_alive, 300);
    for (uint64_t i = 0; i < 300; i++) {
        cm_str key = text_at(text, i % 7), value = text_at(other, i);
        assert_true(cm_any_multimap_contains_value(&reader, &key, &value));
    }
    end();
    assert_int_equal(texts_alive, 0);
    unlink(path);
    cm_source source = {NULL, NULL};
    cm_any_type_text(&values, 0); /* pointers to texts of the caller's */
    assert_int_equal(cm_any_multimap_load(&map, &keys, &values, NULL, &source, NULL, &reason), CM_INVALID);
    assert_non_null(strstr(reason, "codecs"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_are_seen_when_they_are_published),
        cmocka_unit_test(functions_choose_what_stays),
        cmocka_unit_test(views_are_snapshots_that_are_walked),
        cmocka_unit_test(types_that_are_wrong_are_refused),
        cmocka_unit_test(owned_values_are_destroyed_once),
        cmocka_unit_test(what_was_taken_outlives_the_map),
        cmocka_unit_test(it_does_what_the_typed_one_does),
        cmocka_unit_test(many_keys_and_values_of_different_sizes),
        cmocka_unit_test(m1_the_nth_allocation_may_fail),
        cmocka_unit_test(typed_maps_load_what_it_saves_and_it_loads_theirs),
        cmocka_unit_test(owned_texts_are_saved_to_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
