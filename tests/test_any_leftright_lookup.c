/* Promises of look-ups in dynamic left-right maps by something else than a key: readers, views and the writer find what
 * they have under the key that is meant, and changes are seen when they are published. */
#include <concmap/any_lookup.h>

#include "any_sought.h"
#include "unit.h"

static cm_any_leftright map;
static cm_any_leftright_writer writer;
static cm_any_leftright_reader reader;

static const cm_any_leftright_lookup by_digits = {any_digits_hash, any_digits_equal},
                                     by_halves = {halves_hash, halves_equal};

static void begin(const struct cm_type *type)
{
    assert_int_equal(cm_any_leftright_init(&map, type, NULL), CM_OK);
    assert_int_equal(cm_any_leftright_writer_open(&map, &writer), CM_OK);
    assert_int_equal(cm_any_leftright_reader_open(&map, &reader), CM_OK);
}

/* A map of numbers to values of `size` bytes, which begin with the number, times ten. */
static void begin_nums(size_t size, uint64_t count)
{
    struct cm_type type;
    uint64_t value[100] = {0};
    assert_true(size <= sizeof value);
    cm_any_type_u64(&type, size);
    begin(&type);
    for (uint64_t key = 0; key < count; key++) {
        value[0] = key * 10;
        assert_int_equal(cm_any_leftright_put(&writer, &key, value, NULL), CM_OK);
    }
    assert_int_equal(cm_any_leftright_publish(&writer), CM_OK);
}

/* Both sides are compared. */
static void end(void)
{
    const char *wrong = NULL;
    assert_int_equal(cm_any_leftright_publish(&writer), CM_OK);
    assert_int_equal(cm_any_leftright_begin(&writer), CM_OK);
    if (cm_any_leftright_check(&map, &wrong) != CM_OK)
        fail_msg("%s", wrong);
    cm_any_leftright_destroy(&map);
}

static cm_status add(void *value, void *context)
{
    *(uint64_t *)value += *(const uint64_t *)context;
    return *(const uint64_t *)context ? CM_OK : CM_EXISTS;
}

/* What a reader sees; UINT64_MAX: nothing. */
static uint64_t seen(uint64_t number)
{
    uint64_t value[100];
    return cm_any_leftright_lookup_get(&by_digits, &reader, digits_of(number), value) ? value[0] : UINT64_MAX;
}

/* ---- reads ---- */

static void numbers_are_found(size_t size)
{
    uint64_t value[100];
    const void *own;
    begin_nums(size, 3000);
    for (uint64_t key = 0; key < 3000; key++) {
        const cm_str *sought = digits_of(key);
        assert_true(cm_any_leftright_lookup_hash_of(&by_digits, &map, sought) == cm_any_leftright_hash_of(&map, &key));
        assert_int_equal(seen(key), key * 10);
        assert_int_equal(cm_any_leftright_lookup_writer_get(&by_digits, &writer, sought, value), CM_OK);
        assert_int_equal(value[0], key * 10);
        CM_WITH_VIEW (cm_any_leftright, &reader, view) {
            const void *found = cm_any_leftright_view_get(view, &key), *at = NULL;
            assert_ptr_equal(cm_any_leftright_lookup_view_get(&by_digits, view, sought), found);
            assert_true(cm_any_leftright_lookup_view_get_key_value(&by_digits, view, sought, &own, &at));
            assert_ptr_equal(at, found);
            assert_int_equal(*(const uint64_t *)own, key);
            assert_true(cm_any_leftright_lookup_view_contains(&by_digits, view, sought));
            assert_int_equal(seen(key), key * 10);
        }
    }
    assert_int_equal(seen(3000), UINT64_MAX);
    assert_int_equal(cm_any_leftright_lookup_writer_get(&by_digits, &writer, digits_of(3000), value), CM_ABSENT);
    assert_false(cm_any_leftright_lookup_writer_contains(&by_digits, &writer, digits_of(3000)));
    CM_WITH_VIEW (cm_any_leftright, &reader, view) {
        assert_null(cm_any_leftright_lookup_view_get(&by_digits, view, digits_of(3000)));
        assert_false(cm_any_leftright_lookup_view_contains(&by_digits, view, digits_of(3000)));
        assert_false(cm_any_leftright_lookup_view_get_key_value(&by_digits, view, digits_of(3000), &own, NULL));
    }
    end();
}

static void a_number_is_found_by_its_digits(void **state)
{
    (void)state;
    numbers_are_found(8);
    numbers_are_found(800);
}

static void many_are_found_by_their_digits(void **state)
{
    (void)state;
    struct digits room[100];
    cm_str sought[100];
    bool found[100];
    uint64_t values[100] = {0};
    const void *at[100];
    begin_nums(8, 2000);
    for (uint64_t i = 0; i < 100; i++)
        sought[i] = *digits(&room[i], i * 25);
    assert_int_equal(cm_any_leftright_lookup_get_many(&by_digits, &reader, sought, sizeof *sought, 100, found, values),
                     80);
    CM_WITH_VIEW (cm_any_leftright, &reader, view) {
        assert_int_equal(cm_any_leftright_lookup_view_get_many(&by_digits, view, sought, sizeof *sought, 100, at), 80);
        for (uint64_t i = 0; i < 100; i++) {
            assert_int_equal(found[i], i < 80);
            assert_int_equal(values[i], i < 80 ? i * 250 : 0);
            assert_ptr_equal(at[i], cm_any_leftright_view_get(view, &(uint64_t){i * 25}));
        }
    }
    end();
}

/* ---- changes ---- */

static void what_is_found_is_changed_and_removed(void **state)
{
    (void)state;
    uint64_t one = 1, nothing = 0, value = 0;
    begin_nums(8, 100);
    const cm_str *sought = digits_of(3);
    uint64_t hash = cm_any_leftright_lookup_hash_of(&by_digits, &map, sought);
    assert_int_equal(cm_any_leftright_lookup_update(&by_digits, &writer, sought, add, &one), CM_OK);
    assert_int_equal(cm_any_leftright_lookup_try_update(&by_digits, &writer, sought, add, &one), CM_OK);
    assert_int_equal(cm_any_leftright_lookup_update_hashed(&by_digits, &writer, hash, sought, add, &one), CM_OK);
    assert_int_equal(cm_any_leftright_lookup_update_until(&by_digits, &writer, sought, add, &nothing, CM_FOREVER),
                     CM_EXISTS); /* as the function says, and so no change */
    assert_int_equal(cm_any_leftright_lookup_writer_get(&by_digits, &writer, sought, &value), CM_OK);
    assert_int_equal(value, 33);
    assert_int_equal(seen(3), 30);
    assert_int_equal(cm_any_leftright_publish(&writer), CM_OK);
    assert_int_equal(seen(3), 33);
    sought = digits_of(3);
    assert_int_equal(cm_any_leftright_lookup_remove(&by_digits, &writer, sought, &value), CM_OK);
    assert_int_equal(value, 33);
    assert_int_equal(cm_any_leftright_lookup_remove_hashed(&by_digits, &writer, hash, sought, &value), CM_ABSENT);
    assert_int_equal(cm_any_leftright_lookup_update(&by_digits, &writer, sought, add, &one), CM_ABSENT);
    assert_int_equal(cm_any_leftright_lookup_try_remove(&by_digits, &writer, digits_of(4), NULL), CM_OK);
    assert_int_equal(seen(3), 33);
    assert_int_equal(cm_any_leftright_publish(&writer), CM_OK);
    assert_int_equal(seen(3), UINT64_MAX);
    assert_int_equal(seen(4), UINT64_MAX);
    end();
}

static void changes_do_not_wait_for_ones_own_older_view(void **state)
{
    (void)state;
    uint64_t one = 1, key = 5;
    cm_any_leftright_taken taken;
    begin_nums(8, 10);
    const cm_any_leftright_view *view = cm_any_leftright_enter(&reader);
    assert_non_null(view);
    assert_int_equal(cm_any_leftright_put(&writer, &key, &one, NULL), CM_REPLACED);
    assert_int_equal(cm_any_leftright_publish(&writer), CM_OK);
    assert_int_equal(cm_any_leftright_lookup_try_update(&by_digits, &writer, digits_of(5), add, &one), CM_DEADLOCK);
    assert_int_equal(cm_any_leftright_lookup_try_remove(&by_digits, &writer, digits_of(5), NULL), CM_DEADLOCK);
    assert_int_equal(cm_any_leftright_lookup_try_take(&by_digits, &writer, digits_of(5), &taken), CM_DEADLOCK);
    assert_int_equal(cm_any_leftright_lookup_remove(&by_digits, &writer, digits_of(5), NULL), CM_DEADLOCK);
    cm_any_leftright_leave(&reader);
    assert_int_equal(cm_any_leftright_lookup_try_update(&by_digits, &writer, digits_of(5), add, &one), CM_OK);
    end();
}

static void owned_texts_are_destroyed_once(void **state)
{
    (void)state;
    struct cm_type type;
    cm_str key = cm_str_of("foobar"), other = cm_str_of("foobaz"), value, room;
    cm_any_leftright_taken taken = {.value = &room};
    cm_any_type_text(&type, 0);
    cm_any_type_text_values(&type);
    begin(&type);
    assert_false(cm_any_leftright_lookup_get(&by_halves, &reader, &foobar, &value)); /* of an empty map */
    assert_int_equal(cm_any_text_make(&value, "one", 3), CM_OK);
    assert_int_equal(cm_any_leftright_put(&writer, &key, &value, NULL), CM_OK);
    assert_int_equal(cm_any_text_make(&value, "two", 3), CM_OK);
    assert_int_equal(cm_any_leftright_put(&writer, &other, &value, NULL), CM_OK);
    assert_int_equal(cm_any_leftright_publish(&writer), CM_OK);
    assert_true(cm_any_leftright_lookup_get(&by_halves, &reader, &foobar, &value));
    assert_memory_equal(value.data, "one", 3); /* a copy, which is the caller's */
    cm_any_text_free(&value);
    CM_WITH_VIEW (cm_any_leftright, &reader, view) {
        const cm_str *seen_there = cm_any_leftright_lookup_view_get(&by_halves, view, &foobaz);
        assert_memory_equal(seen_there->data, "two", 3);
        assert_int_equal(cm_any_leftright_lookup_take(&by_halves, &writer, &foobaz, &taken), CM_OK);
        assert_ptr_equal(room.data, seen_there->data);
        assert_int_equal(cm_any_leftright_publish(&writer), CM_OK);
        assert_int_equal(cm_any_leftright_give_back(&writer, &taken), CM_OK);
        assert_memory_equal(seen_there->data, "two", 3);
    }
    assert_int_equal(cm_any_leftright_lookup_take(&by_halves, &writer, &foobaz, &taken), CM_ABSENT);
    assert_int_equal(cm_any_leftright_lookup_remove(&by_halves, &writer, &foobar, &value), CM_OK);
    assert_memory_equal(value.data, "one", 3);
    cm_any_text_free(&value);
    assert_int_equal(cm_any_leftright_writer_len(&writer), 0);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_found_by_its_digits),
        cmocka_unit_test(many_are_found_by_their_digits),
        cmocka_unit_test(what_is_found_is_changed_and_removed),
        cmocka_unit_test(changes_do_not_wait_for_ones_own_older_view),
        cmocka_unit_test(owned_texts_are_destroyed_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
