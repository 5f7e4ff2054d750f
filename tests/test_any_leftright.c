/* The dynamic left-right map: that each function does what that of a typed map does, for keys and values of all sorts.
 */
#include <concmap/any_leftright.h>
#include <concmap/leftright_saved.h>
#include <stdlib.h>
#include <unistd.h>

#include "buffer.h"
#include "crew.h"
#include "failing_allocator.h"
#include "texts.h"
#include "unit.h"

CM_LEFTRIGHT_MAP(words, cm_str, uint64_t, cm_hash_str, cm_equal_str)
CM_LEFTRIGHT_SAVED(words, 3)

static cm_any_leftright map;
static cm_any_leftright_writer writer;
static cm_any_leftright_reader reader;

static void begin(const struct cm_type *type, const cm_config *config)
{
    assert_int_equal(cm_any_leftright_init(&map, type, config), CM_OK);
    assert_int_equal(cm_any_leftright_writer_open(&map, &writer), CM_OK);
    assert_int_equal(cm_any_leftright_reader_open(&map, &reader), CM_OK);
}

static void begin_nums(void)
{
    struct cm_type type;
    cm_any_type_u64(&type, sizeof(uint64_t));
    begin(&type, NULL);
}

/* Both sides, compared. */
static void check(void)
{
    const char *wrong = NULL;
    assert_int_equal(cm_any_leftright_publish(&writer), CM_OK);
    assert_int_equal(cm_any_leftright_begin(&writer), CM_OK);
    if (cm_any_leftright_check(&map, &wrong) != CM_OK)
        fail_msg("%s", wrong);
}

static void end(void)
{
    check();
    cm_any_leftright_destroy(&map);
}

static uint64_t seen(uint64_t key)
{
    uint64_t value;
    return cm_any_leftright_get(&reader, &key, &value) ? value : UINT64_MAX;
}

static cm_status add_context(void *value, void *context)
{
    *(uint64_t *)value += *(uint64_t *)context;
    return *(uint64_t *)context ? CM_OK : (cm_status)-9;
}

static cm_status keep_even(const void *key, const void *value, void *context)
{
    (void)value;
    ++*(size_t *)context;
    return *(const uint64_t *)key % 2 ? CM_ABSENT : CM_OK;
}

/* ---- verbs ---- */

static void changes_are_seen_when_they_are_published(void **state)
{
    (void)state;
    uint64_t one = 1, two = 2, three = 3, value = 0, old = 0, nothing = 0;
    begin_nums();
    assert_int_equal(cm_any_leftright_insert(&writer, &one, &two), CM_OK);
    assert_int_equal(cm_any_leftright_insert(&writer, &one, &three), CM_EXISTS);
    assert_int_equal(cm_any_leftright_replace(&writer, &two, &three, NULL), CM_ABSENT);
    assert_true(cm_any_leftright_writer_contains(&writer, &one));
    assert_int_equal(cm_any_leftright_writer_get(&writer, &one, &value), CM_OK);
    assert_int_equal(value, 2);
    assert_int_equal(seen(1), UINT64_MAX);
    assert_true(cm_any_leftright_has_pending(&writer));
    assert_int_equal(cm_any_leftright_publications(&writer).pending, 1);
    assert_int_equal(cm_any_leftright_flush(&writer), CM_OK);
    assert_int_equal(seen(1), 2);
    assert_int_equal(cm_any_leftright_put(&writer, &one, &three, &old), CM_REPLACED);
    assert_int_equal(old, 2);
    assert_int_equal(cm_any_leftright_replace(&writer, &one, &two, &old), CM_REPLACED);
    assert_int_equal(old, 3);
    assert_int_equal(cm_any_leftright_update(&writer, &one, add_context, &three), CM_OK);
    assert_int_equal(cm_any_leftright_update(&writer, &one, add_context, &nothing), -9);
    assert_int_equal(cm_any_leftright_update(&writer, &two, add_context, &three), CM_ABSENT);
    assert_int_equal(cm_any_leftright_upsert(&writer, &one, &one, add_context, &one), CM_REPLACED);
    assert_int_equal(cm_any_leftright_upsert(&writer, &two, &one, add_context, &one), CM_OK);
    uint64_t hash = cm_any_leftright_hash_of(&map, &three);
    assert_int_equal(cm_any_leftright_put_hashed(&writer, hash, &three, &three, NULL), CM_OK);
    assert_int_equal(cm_any_leftright_writer_len(&writer), 3);
    assert_int_equal(seen(1), 2);
    cm_any_leftright_publish(&writer);
    assert_int_equal(seen(1), 6);
    assert_int_equal(seen(2), 1);
    assert_int_equal(seen(3), 3);
    assert_int_equal(cm_any_leftright_remove(&writer, &one, &old), CM_OK);
    assert_int_equal(old, 6);
    assert_int_equal(cm_any_leftright_remove(&writer, &one, &old), CM_ABSENT);
    assert_int_equal(cm_any_leftright_try_remove(&writer, &two, NULL), CM_OK);
    assert_int_equal(cm_any_leftright_clear(&writer), CM_OK);
    assert_int_equal(cm_any_leftright_writer_len(&writer), 0);
    end();
}

static void views_are_snapshots_that_are_walked(void **state)
{
    (void)state;
    size_t asked = 0, visits = 0;
    uint64_t sum = 0, ten = 10, other = 99;
    const void *own = NULL, *value = NULL;
    begin_nums();
    for (uint64_t key = 0; key < 100; key++)
        assert_int_equal(cm_any_leftright_put(&writer, &key, &key, NULL), CM_OK);
    assert_int_equal(cm_any_leftright_set_meta(&writer, 7), CM_OK);
    cm_any_leftright_publish(&writer);
    CM_WITH_VIEW (cm_any_leftright, &reader, view) {
        assert_int_equal(cm_any_leftright_retain(&writer, keep_even, &asked), CM_OK);
        assert_int_equal(asked, 100);
        cm_any_leftright_publish(&writer);
        assert_int_equal(cm_any_leftright_view_len(view), 100);
        assert_int_equal(cm_any_leftright_view_meta(view), 7);
        CM_FOREACH (cm_any_leftright_view, view, it) {
            visits++;
            sum += *(const uint64_t *)it.key + *(const uint64_t *)it.value;
        }
        assert_true(visits == 100 && sum == 9900);
        assert_true(cm_any_leftright_view_get_key_value(view, &ten, &own, &value));
        assert_true(own != &ten && *(const uint64_t *)own == 10);
        assert_ptr_equal(value, cm_any_leftright_view_get(view, &ten));
        assert_true(cm_any_leftright_view_contains(view, &other));
        assert_int_equal(seen(99), 99); /* of the view that the reader is inside */
    }
    assert_int_equal(seen(99), UINT64_MAX);
    assert_int_equal(seen(98), 98);
    assert_int_equal(cm_any_leftright_reserve(&writer, 5000), CM_OK);
    cm_stats stats;
    cm_any_leftright_stats(&writer, &stats);
    assert_true(stats.entries == 50 && stats.capacity >= 5000);
    assert_int_equal(cm_any_leftright_shrink_to_fit(&writer), CM_OK);
    cm_any_leftright_stats(&writer, &stats);
    assert_true(stats.capacity < 100);
    assert_true(cm_any_leftright_memory(&writer).total > 0);
    end();
}

static void many_keys_are_looked_up_at_a_time(void **state)
{
    (void)state;
    uint64_t keys[500], values[500];
    const void *places[500];
    bool found[500];
    begin_nums();
    for (uint64_t i = 0; i < 500; i++) {
        uint64_t value = 2 * i;
        keys[i] = i;
        if (i % 5)
            assert_int_equal(cm_any_leftright_put(&writer, &i, &value, NULL), CM_OK);
    }
    cm_any_leftright_publish(&writer);
    assert_int_equal(cm_any_leftright_get_many(&reader, keys, 500, found, values), 400);
    CM_WITH_VIEW (cm_any_leftright, &reader, view)
        assert_int_equal(cm_any_leftright_view_get_many(view, keys, 500, places), 400);
    for (uint64_t i = 0; i < 500; i++) {
        assert_int_equal(found[i], i % 5 != 0);
        assert_int_equal(places[i] != NULL, i % 5 != 0);
        assert_true(!found[i] || (values[i] == 2 * i && *(const uint64_t *)places[i] == 2 * i));
    }
    assert_int_equal(cm_any_leftright_writer_end(&writer), CM_OK);
    assert_int_equal(cm_any_leftright_get_many(&reader, keys, 500, found, values), 0);
    assert_false(found[1]);
    assert_false(cm_any_leftright_get(&reader, &keys[1], values));
    assert_int_equal(cm_any_leftright_writer_open(&map, &writer), CM_OK);
    end();
}

static void handles_are_those_of_typed_maps(void **state)
{
    (void)state;
    cm_any_leftright_writer second;
    cm_any_leftright_reader clone, made;
    uint64_t one = 1;
    begin_nums();
    cm_any_leftright_factory factory = cm_any_leftright_factory_of(&map);
    assert_int_equal(cm_any_leftright_writer_open(&map, &second), CM_BUSY);
    assert_int_equal(cm_any_leftright_reader_clone(&reader, &clone), CM_OK);
    assert_int_equal(cm_any_leftright_factory_open(&factory, &made), CM_OK);
    assert_int_equal(cm_any_leftright_publications(&writer).readers, 3);
    assert_int_equal(cm_any_leftright_reader_close(&clone), CM_OK);
    assert_int_equal(cm_any_leftright_reader_close(&clone), CM_INVALID);
    assert_int_equal(cm_any_leftright_writer_close(&writer), CM_OK);
    assert_int_equal(cm_any_leftright_writer_open_shared(&map, &writer), CM_OK);
    assert_int_equal(cm_any_leftright_writer_lock(&writer), CM_OK);
    assert_int_equal(cm_any_leftright_put(&writer, &one, &one, NULL), CM_OK);
    cm_any_leftright_writer_unlock(&writer);
    cm_any_leftright_publish(&writer);
    const cm_any_leftright_view *view = cm_any_leftright_enter(&made);
    assert_int_equal(cm_any_leftright_view_len(view), 1);
    cm_any_leftright_publish(&writer);
    assert_int_equal(cm_any_leftright_begin(&writer), CM_OK);
    cm_any_leftright_publish(&writer);
    assert_int_equal(cm_any_leftright_begin_until(&writer, cm_deadline_after(0)), CM_DEADLOCK);
    cm_any_leftright_leave(&made);
    assert_true(cm_any_leftright_sizes.map == sizeof map && cm_any_leftright_sizes.reader == sizeof reader);
    end();
}

/* ---- types ---- */

static void types_that_are_wrong_are_refused(void **state)
{
    (void)state;
    struct cm_type type;
    cm_any_type_u64(&type, 8);
    assert_int_equal(cm_any_leftright_init(NULL, &type, NULL), CM_INVALID);
    assert_int_equal(cm_any_leftright_init(&map, NULL, NULL), CM_INVALID);
    assert_int_equal(cm_any_leftright_init(&map, &type, &(cm_config){.fixed = true, .capacity = 3}), CM_INVALID);
    type.cached = true;
    assert_int_equal(cm_any_leftright_init(&map, &type, NULL), CM_INVALID);
    type.cached = false;
    type.key_alignment = 16;
    assert_int_equal(cm_any_leftright_init(&map, &type, NULL), CM_INVALID);
}

static void text_type(struct cm_type *type)
{
    cm_any_type_text(type, 0);
    cm_any_type_text_values(type);
    type->version = 3;
}

/* A text value for the map to own. */
static cm_str made(uint64_t i)
{
    char text[64];
    cm_str value = text_at(text, i), own;
    assert_int_equal(cm_any_text_make(&own, value.data, value.len), CM_OK);
    return own;
}

static bool view_has(const cm_any_leftright_view *view, uint64_t key, uint64_t number)
{
    char text[64], other[64];
    cm_str sought = text_at(text, key), wanted = text_at(other, number);
    const cm_str *value = cm_any_leftright_view_get(view, &sought);
    return value && cm_equal_str(value, &wanted);
}

static cm_status next_text(void *value, void *context)
{
    (void)context;
    const cm_str *text = value;
    char terminated[64] = "";
    memcpy(terminated, text->data, text->len);
    uint64_t number = strtoull(terminated, NULL, 10);
    cm_any_text_free(value);
    *(cm_str *)value = made(number + 1);
    return CM_OK;
}

static void put_text(uint64_t key, uint64_t number)
{
    char text[64];
    cm_str name = text_at(text, key), value = made(number);
    assert_true(cm_any_leftright_put(&writer, &name, &value, NULL) >= 0);
}

/* Leaks, and what is destroyed twice, the sanitizer sees. */
static void owned_values_are_destroyed_once(void **state)
{
    (void)state;
    struct cm_type type;
    char text[64];
    text_type(&type);
    begin(&type, NULL);
    for (uint64_t round = 0; round < 4; round++) {
        for (uint64_t key = 0; key < 60; key++)
            put_text(key, key + round);
        cm_str five = text_at(text, 5), value = made(0);
        assert_int_equal(cm_any_leftright_insert(&writer, &five, &value), CM_EXISTS); /* which ends it */
        assert_int_equal(cm_any_leftright_update(&writer, &five, next_text, NULL), CM_OK);
        value = made(0);
        assert_int_equal(cm_any_leftright_upsert(&writer, &five, &value, next_text, NULL), CM_REPLACED);
        cm_str seven = text_at(text, 7), old;
        assert_int_equal(cm_any_leftright_remove(&writer, &seven, &old), CM_OK);
        cm_any_text_free(&old);
        cm_any_leftright_publish(&writer);
        CM_WITH_VIEW (cm_any_leftright, &reader, view) {
            assert_true(view_has(view, 5, 5 + round + 2) && view_has(view, 6, 6 + round));
            assert_false(cm_any_leftright_view_contains(view, &seven));
        }
    }
    end();
}

static void what_was_taken_outlives_the_map(void **state)
{
    (void)state;
    struct cm_type type;
    char text[64];
    cm_str room[2];
    cm_any_leftright_taken taken = {.value = &room[0]}, other = {.value = &room[1]}, nowhere = {.value = NULL};
    text_type(&type);
    begin(&type, NULL);
    put_text(1, 10);
    put_text(2, 20);
    cm_any_leftright_publish(&writer);
    cm_str one = text_at(text, 1);
    assert_int_equal(cm_any_leftright_take(&writer, &one, &nowhere), CM_INVALID);
    assert_int_equal(cm_any_leftright_take(&writer, &one, &taken), CM_OK);
    assert_int_equal(cm_any_leftright_take(&writer, &one, &other), CM_ABSENT);
    cm_str two = text_at(text, 2);
    assert_int_equal(cm_any_leftright_take(&writer, &two, &other), CM_OK);
    cm_any_leftright_publish(&writer);
    assert_int_equal(cm_any_leftright_give_back(&writer, &other), CM_OK);
    assert_int_equal(cm_any_leftright_give_back(&writer, &other), CM_INVALID);
    end();
    assert_int_equal(room[0].len, 2);
    assert_int_equal(cm_any_leftright_give_back(NULL, &taken), CM_OK);
    assert_int_equal(cm_any_leftright_give_back(NULL, &taken), CM_INVALID);
}

static void values_without_a_size_make_a_set(void **state)
{
    (void)state;
    struct cm_type type;
    cm_any_type_u32(&type, 0);
    begin(&type, NULL);
    for (uint32_t key = 0; key < 300; key++) {
        assert_int_equal(cm_any_leftright_insert(&writer, &key, NULL), CM_OK);
        assert_int_equal(cm_any_leftright_put(&writer, &key, NULL, NULL), CM_REPLACED);
    }
    cm_any_leftright_publish(&writer);
    for (uint32_t key = 0; key < 300; key += 2)
        assert_int_equal(cm_any_leftright_remove(&writer, &key, NULL), CM_OK);
    cm_any_leftright_publish(&writer);
    CM_WITH_VIEW (cm_any_leftright, &reader, view)
        for (uint32_t key = 0; key < 300; key++)
            assert_int_equal(cm_any_leftright_view_contains(view, &key), key % 2);
    end();
}

/* ---- all of it, against a model ---- */

#define MODEL_KEYS 200

struct large {
    uint64_t words[100];
};

static struct large large_of(uint64_t number)
{
    struct large large;
    for (size_t i = 0; i < 100; i++)
        large.words[i] = number + i;
    return large;
}

static void large_values_do_what_their_model_does(void **state)
{
    (void)state;
    static uint64_t model[MODEL_KEYS], published[MODEL_KEYS]; /* 0: absent */
    uint64_t random = crew_seed("changes of large values");
    struct cm_type type;
    cm_any_type_u64(&type, sizeof(struct large));
    begin(&type, NULL);
    memset(model, 0, sizeof model);
    memset(published, 0, sizeof published);
    for (uint64_t step = 1; step < crew_scale(20000); step++) {
        uint64_t key = crew_random(&random) % MODEL_KEYS, what = crew_random(&random) % 100;
        struct large value = large_of(step), old;
        if (what < 60) {
            cm_status expected = model[key] ? CM_REPLACED : CM_OK;
            assert_int_equal(cm_any_leftright_put(&writer, &key, &value, &old), expected);
            assert_true(!model[key] || (old.words[0] == model[key] && old.words[99] == model[key] + 99));
            model[key] = step;
        } else if (what < 96) {
            assert_int_equal(cm_any_leftright_remove(&writer, &key, NULL), model[key] ? CM_OK : CM_ABSENT);
            model[key] = 0;
        } else {
            assert_int_equal(cm_any_leftright_publish(&writer), CM_OK);
            memcpy(published, model, sizeof model);
        }
        assert_int_equal(cm_any_leftright_get(&reader, &key, &old), published[key] != 0);
        assert_true(!published[key] || old.words[50] == published[key] + 50);
    }
    end();
}

static cm_status try_all(struct failing_allocator *memory)
{
    struct cm_type type;
    char text[64];
    cm_any_type_text(&type, sizeof(uint64_t));
    cm_status status = cm_any_leftright_init(&map, &type, &(cm_config){.allocator = &memory->allocator});
    if (status != CM_OK)
        return status;
    assert_int_equal(cm_any_leftright_writer_open(&map, &writer), CM_OK);
    status = cm_any_leftright_reader_open(&map, &reader);
    for (uint64_t i = 0; status >= 0 && i < 50; i++) {
        cm_str key = text_at(text, i);
        status = cm_any_leftright_put(&writer, &key, &i, NULL);
        if (status >= 0 && i % 10 == 0)
            cm_any_leftright_publish(&writer);
    }
    cm_any_leftright_destroy(&map);
    return status;
}

static void the_nth_allocation_may_fail(void **state)
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
    struct cm_type type;
    char text[64];
    const char *reason;
    uint64_t value;
    cm_any_type_text(&type, sizeof(uint64_t));
    type.version = 3;
    begin(&type, NULL);
    for (uint64_t i = 0; i < 2000; i++) {
        cm_str key = text_at(text, i);
        assert_int_equal(cm_any_leftright_put(&writer, &key, &i, NULL), CM_OK);
    }
    assert_int_equal(cm_any_leftright_set_meta(&writer, 77), CM_OK);
    cm_any_leftright_publish(&writer);
    CM_WITH_VIEW (cm_any_leftright, &reader, view)
        assert_int_equal(cm_any_leftright_view_save(view, &sink, NULL, &reason), CM_OK);
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
    assert_int_equal(cm_any_leftright_load(&map, &type, NULL, &source, NULL, &reason), CM_OK);
    assert_int_equal(cm_any_leftright_writer_open(&map, &writer), CM_OK);
    assert_int_equal(cm_any_leftright_reader_open(&map, &reader), CM_OK);
    for (uint64_t i = 0; i < 2000; i++) {
        cm_str key = text_at(text, i);
        assert_true(cm_any_leftright_get(&reader, &key, &value) && value == i);
    }
    CM_WITH_VIEW (cm_any_leftright, &reader, view)
        assert_int_equal(cm_any_leftright_view_meta(view), 77);
    end();
    type.version = 4;
    source = buffer_source(&back);
    assert_int_equal(cm_any_leftright_load(&map, &type, NULL, &source, NULL, &reason), CM_INVALID);
    assert_non_null(strstr(reason, "another number"));
    buffer_free(&buffer);
    buffer_free(&back);
}

static void owned_texts_are_saved_to_files(void **state)
{
    (void)state;
    char path[] = "/tmp/concmap-test-XXXXXX";
    int fd = mkstemp(path);
    struct cm_type type;
    const char *reason;
    assert_true(fd >= 0);
    close(fd);
    text_type(&type);
    begin(&type, NULL);
    for (uint64_t key = 0; key < 100; key++)
        put_text(key, 3 * key);
    cm_any_leftright_publish(&writer);
    CM_WITH_VIEW (cm_any_leftright, &reader, view)
        assert_int_equal(cm_any_leftright_view_save_file(view, path, NULL, &reason), CM_OK);
    end();
    assert_int_equal(cm_any_leftright_load_file(&map, &type, NULL, path, NULL, &reason), CM_OK);
    assert_int_equal(cm_any_leftright_writer_open(&map, &writer), CM_OK);
    assert_int_equal(cm_any_leftright_reader_open(&map, &reader), CM_OK);
    CM_WITH_VIEW (cm_any_leftright, &reader, view)
        for (uint64_t key = 0; key < 100; key++)
            assert_true(view_has(view, key, 3 * key));
    end();
    unlink(path);
    type.value_encode = NULL;
    type.value_decode = NULL;
    assert_int_equal(cm_any_leftright_load_file(&map, &type, NULL, path, NULL, &reason), CM_IO);
    cm_source source = {NULL, NULL};
    assert_int_equal(cm_any_leftright_load(&map, &type, NULL, &source, NULL, &reason), CM_INVALID);
    assert_non_null(strstr(reason, "encode"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_are_seen_when_they_are_published),
        cmocka_unit_test(views_are_snapshots_that_are_walked),
        cmocka_unit_test(many_keys_are_looked_up_at_a_time),
        cmocka_unit_test(handles_are_those_of_typed_maps),
        cmocka_unit_test(types_that_are_wrong_are_refused),
        cmocka_unit_test(owned_values_are_destroyed_once),
        cmocka_unit_test(what_was_taken_outlives_the_map),
        cmocka_unit_test(values_without_a_size_make_a_set),
        cmocka_unit_test(large_values_do_what_their_model_does),
        cmocka_unit_test(the_nth_allocation_may_fail),
        cmocka_unit_test(typed_maps_load_what_it_saves_and_it_loads_theirs),
        cmocka_unit_test(owned_texts_are_saved_to_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
