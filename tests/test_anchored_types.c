/* Anchored maps in other ways: through types that are defined in another file, looked up by something else, printed,
 * saved, and their figures. */
#include <concmap/lookup.h>
#include <concmap/printed.h>

#include "boxes.h"
#include "buffer.h"
#include "failing_allocator.h"
#include "shared_type.h"
#include "unit.h"

/* A text of n equal letters. */
struct row {
    char letter;
    size_t n;
};

static uint64_t row_hash(const struct row *row, uint64_t seed)
{
    char text[600];
    memset(text, row->letter, row->n);
    cm_str whole = cm_str_from(text, row->n);
    return cm_hash_str(&whole, seed);
}

static bool row_equal(const struct row *row, const cm_str *key)
{
    bool same = row->n == key->len;
    for (size_t i = 0; same && i < row->n; i++)
        same = key->data[i] == row->letter;
    return same;
}

static bool number_is(const uint64_t *number, const struct box *key)
{
    return *number == *key->number;
}

CM_ANCHORED_MAP(words, cm_str, uint64_t, cm_hash_str, cm_equal_str)
CM_ANCHORED_LOOKUP_BY(words_by_row, words, struct row, row_hash, row_equal)
CM_ANCHORED_MAP_OWNED(names, struct box, struct box, box_hash, box_equal, CM_OWNED(box_clone, box_destroy),
                      CM_OWNED(box_clone, box_destroy))
CM_ANCHORED_LOOKUP_BY(names_by_number, names, uint64_t, cm_hash_u64, number_is)
CM_PRINTED(words, cm_print_str, cm_print_u64)
CM_PRINTED(symbols, cm_print_str, cm_print_u64)
CM_PRINTED_SET(atoms, cm_print_str)

static cm_status add_one(uint64_t *value, void *context)
{
    (void)context;
    ++*value;
    return CM_OK;
}

static void keys_are_looked_up_and_changed_by_another_type(void **state)
{
    (void)state;
    words map;
    char text[600];
    const cm_str *key = NULL;
    memset(text, 'a', sizeof text);
    assert_int_equal(words_init(&map, NULL), CM_OK);
    for (size_t n = 0; n < sizeof text; n += 9)
        assert_int_equal(words_put(&map, cm_str_from(text, n), n, NULL), CM_OK);
    for (size_t n = 0; n < sizeof text; n += 9) {
        struct row row = {'a', n};
        const uint64_t *at = words_by_row_get(&map, row);
        assert_ptr_equal(at, words_get(&map, cm_str_from(text, n)));
        assert_false(words_by_row_contains(&map, (struct row){'b', n + 1}));
        assert_int_equal(words_by_row_update(&map, row, add_one, NULL),
                         CM_OK); /* a new entry, with the map's own key */
        assert_ptr_equal(words_by_row_get_key_value(&map, row, &key), words_get(&map, cm_str_from(text, n)));
        assert_int_equal(*words_get(&map, cm_str_from(text, n)), n + 1);
        assert_int_equal(key->len, n);
        assert_memory_equal(key->data, text, n);
        assert_int_equal(*at, n);
        if (n % 2)
            assert_int_equal(words_by_row_remove(&map, row, &at), CM_OK);
    }
    assert_int_equal(words_check(&map, NULL), CM_OK);
    words_destroy(&map);
}

static void owned_keys_are_looked_up_and_cloned_by_another_type(void **state)
{
    (void)state;
    names map;
    cm_config own = config();
    assert_int_equal(names_init(&map, &own), CM_OK);
    for (uint64_t i = 0; i < 500; i++) {
        struct box key = box_of(i);
        assert_int_equal(names_put(&map, key, box_of(i), NULL), CM_OK);
        drop(key);
        assert_int_equal(names_by_number_update(&map, i, add_ten, NULL), CM_OK);
        assert_int_equal(*names_by_number_get(&map, i)->number, i + 10);
        all.fail_at = all.clones + 1; /* its key, and then its value */
        assert_int_equal(names_by_number_update(&map, i, add_ten, NULL), CM_NOMEM);
        all.fail_at = all.clones + 2;
        assert_int_equal(names_by_number_update(&map, i, add_ten, NULL), CM_NOMEM);
        assert_true(i % 3 || names_by_number_remove(&map, i, NULL) == CM_OK);
    }
    assert_int_equal(names_check(&map, NULL), CM_OK);
    names_destroy(&map);
    assert_int_equal(all.live, 0);
}

static void a_type_of_another_file_does_what_it_should(void **state)
{
    (void)state;
    symbols map, loaded;
    atoms set, read;
    const uint64_t *at;
    const cm_str *stored;
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    assert_int_equal(symbols_init(&map, NULL), CM_OK);
    assert_int_equal(symbols_put(&map, cm_str_of("one"), 1, NULL), CM_OK);
    assert_int_equal(symbols_get_or_insert(&map, cm_str_of("two"), 2, &at), CM_OK);
    assert_int_equal(symbols_update(&map, cm_str_of("two"), add_one, NULL), CM_OK);
    assert_int_equal(*at, 2);
    assert_int_equal(*symbols_get(&map, cm_str_of("two")), 3);
    CM_FOREACH (symbols, &map, it)
        assert_int_equal(*it.value, it.key.data[0] == 'o' ? 1 : 3);
    assert_int_equal(atoms_init(&set, NULL), CM_OK);
    assert_int_equal(atoms_get_or_add(&set, cm_str_of("one"), &stored), CM_OK);
    assert_ptr_equal(atoms_get(&set, cm_str_of("one")), stored);
    assert_int_equal(symbols_save(&map, &sink, NULL, NULL), CM_OK);
    cm_source source = buffer_source(&buffer);
    assert_int_equal(symbols_load(&loaded, NULL, &source, NULL, NULL), CM_OK);
    assert_int_equal(*symbols_get(&loaded, cm_str_of("two")), 3);
    buffer_free(&buffer);
    assert_int_equal(atoms_save(&set, &sink, NULL, NULL), CM_OK);
    source = buffer_source(&buffer);
    assert_int_equal(atoms_load(&read, NULL, &source, NULL, NULL), CM_OK);
    assert_true(atoms_contains(&read, cm_str_of("one")));
    buffer_free(&buffer);
    symbols_destroy(&map);
    symbols_destroy(&loaded);
    atoms_destroy(&set);
    atoms_destroy(&read);
}

static cm_status append(void *context, const char *text, size_t size)
{
    strncat(context, text, size);
    return CM_OK;
}

static void maps_and_sets_are_printed(void **state)
{
    (void)state;
    char text[4096] = "";
    words map;
    atoms set;
    assert_int_equal(words_init(&map, NULL), CM_OK);
    assert_int_equal(words_put(&map, cm_str_of("ada"), 36, NULL), CM_OK);
    assert_int_equal(words_print(&map, append, text), CM_OK);
    assert_non_null(strstr(text, "\"ada\": 36\n"));
    words_destroy(&map);
    assert_int_equal(atoms_init(&set, NULL), CM_OK);
    assert_int_equal(atoms_add(&set, cm_str_of("bob")), CM_OK);
    assert_int_equal(atoms_try_print(&set, append, text), CM_OK);
    assert_non_null(strstr(text, "\"bob\"\n"));
    atoms_destroy(&set);
}

static void figures_tell_of_what_is_kept(void **state)
{
    (void)state;
    symbols map;
    cm_stats stats;
    char text[16];
    assert_int_equal(symbols_init(&map, NULL), CM_OK);
    for (uint64_t i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "%d", (int)i);
        assert_int_equal(symbols_put(&map, cm_str_of(text), i, NULL), CM_OK);
    }
    size_t before = symbols_memory(&map).waiting;
    assert_int_equal(symbols_remove(&map, cm_str_of("77"), NULL), CM_OK);
    assert_true(symbols_memory(&map).waiting > before);
    symbols_stats(&map, &stats);
    assert_int_equal(stats.entries, 999);
    assert_true(stats.memory.waiting > before);
    assert_int_equal(symbols_shrink_to_fit(&map), CM_OK); /* and forgets */
    assert_int_equal(symbols_memory(&map).waiting, 0);
    symbols_destroy(&map);
}

static void a_batch_of_inserts_tells_where_each_value_is(void **state)
{
    (void)state;
    words map;
    words_init(&map, NULL);
    words_op ops[] = {{.kind = CM_OP_INSERT, .key = cm_str_of("a"), .value = 1},
                      {.kind = CM_OP_INSERT, .key = cm_str_of("b"), .value = 2},
                      {.kind = CM_OP_INSERT, .key = cm_str_of("a"), .value = 3}};
    assert_int_equal(words_apply_many(&map, ops, 3), 3);
    assert_int_equal(ops[2].status, CM_EXISTS);
    assert_ptr_equal(ops[2].seen, ops[0].seen);
    assert_ptr_equal(ops[0].seen, words_get(&map, cm_str_of("a")));
    assert_ptr_equal(ops[1].seen, words_get(&map, cm_str_of("b")));
    assert_int_equal(*ops[0].seen, 1);
    words_destroy(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_looked_up_and_changed_by_another_type),
        cmocka_unit_test(owned_keys_are_looked_up_and_cloned_by_another_type),
        cmocka_unit_test(a_type_of_another_file_does_what_it_should),
        cmocka_unit_test(maps_and_sets_are_printed),
        cmocka_unit_test(figures_tell_of_what_is_kept),
        cmocka_unit_test(a_batch_of_inserts_tells_where_each_value_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
