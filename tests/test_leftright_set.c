/* The left-right set. */
#include <concmap/leftright_set.h>

#include "crew.h"
#include "failing_allocator.h"
#include "unit.h"

#define KEYS 200

CM_LEFTRIGHT_SET(marks, uint64_t, cm_hash_u64, cm_equal_u64)
CM_LEFTRIGHT_SET_DECLARE(names, cm_str)
CM_LEFTRIGHT_SET_DEFINE(names, cm_str, cm_hash_str, cm_equal_str)

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_come_and_go_with_publications),
        cmocka_unit_test(a_set_does_what_its_model_does_where_memory_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
