/* The types that a dynamic map may have: sets, texts, caches, values of any size; and which it refuses. */
#include <concmap/any.h>

#include "any_nums.h"
#include "large.h"
#include "unit.h"

static void sets_have_no_values(void **state)
{
    (void)state;
    struct cm_type type;
    cm_any set;
    cm_any_type_u64(&type, 0);
    assert_int_equal(cm_any_init(&set, &type, NULL), CM_OK);
    uint64_t keys[100];
    for (uint64_t key = 0; key < 100; key++) {
        keys[key] = key + 50;
        assert_int_equal(cm_any_insert(&set, &key, NULL), CM_OK);
        assert_int_equal(cm_any_put(&set, &key, NULL, NULL), CM_REPLACED);
    }
    assert_int_equal(cm_any_put_many(&set, keys, NULL, 100, NULL), 100);
    assert_int_equal(cm_any_len(&set), 150);
    assert_true(cm_any_get(&set, &keys[99], NULL));
    assert_int_equal(cm_any_get_many(&set, keys, 100, NULL, NULL), 100);
    assert_int_equal(cm_any_get_or_insert(&set, &keys[0], NULL, NULL), CM_EXISTS);
    assert_int_equal(cm_any_remove(&set, &keys[0], NULL), CM_OK);
    assert_int_equal(cm_any_take_or(&set, &keys[0], NULL, NULL), CM_ABSENT);
    size_t count = 0;
    CM_FOREACH (cm_any, &set, it)
        count++;
    assert_int_equal(count, 149);
    finish(&set);
}

static void the_map_owns_its_texts(void **state)
{
    (void)state;
    struct cm_type type;
    cm_any map;
    char key_data[8] = "key", data[8] = "value";
    cm_str key = cm_str_of(key_data), value, found;
    cm_any_type_text(&type, 0);
    cm_any_type_text_values(&type);
    assert_int_equal(cm_any_init(&map, &type, NULL), CM_OK);
    assert_int_equal(cm_any_text_make(&value, data, 5), CM_OK);
    assert_int_equal(cm_any_put(&map, &key, &value, NULL), CM_OK);
    memset(data, 'x', sizeof data); /* copied */
    memset(key_data, 'x', 3);
    key = cm_str_of("key");
    assert_true(cm_any_get(&map, &key, &found));
    assert_true(found.data != value.data && cm_equal_str(&found, &(cm_str){"value", 5}));
    assert_int_equal(cm_any_put(&map, &key, &found, NULL), CM_REPLACED); /* the old one is freed */
    assert_int_equal(cm_any_remove(&map, &key, &value), CM_OK);
    cm_any_text_free(&value);
    assert_int_equal(cm_any_text_make(&value, NULL, 0), CM_OK);
    assert_int_equal(cm_any_insert(&map, &key, &value), CM_OK);
    CM_FOREACH (cm_any, &map, it)
        assert_int_equal(((const cm_str *)it.value)->len, 0);
    finish(&map); /* and what is left */
}

static bool is_past(const void *value, void *context)
{
    return *(const uint64_t *)value < *(const uint64_t *)context;
}

static size_t evictions;

static void count_eviction(const void *key, const void *value, cm_eviction why, void *context)
{
    (void)key, (void)value, (void)why, (void)context;
    evictions++;
}

static void caches_expire_and_evict(void **state)
{
    (void)state;
    struct cm_type type;
    cm_any cache;
    uint64_t now = 0, key = 5000, value = 7000; /* a key that no eviction can have left */
    cm_any_read_guard guard;
    cm_any_frozen view;
    cm_any_type_u64(&type, sizeof(uint64_t));
    type.cached = true;
    type.expired = is_past;
    type.evicted = count_eviction;
    evictions = 0;
    assert_int_equal(cm_any_init(&cache, &type, &(cm_config){.limit = 100, .context = &now}), CM_OK);
    fill(&cache, 1000);
    assert_int_equal(cm_any_len(&cache), 100);
    assert_int_equal(evictions, 900);
    assert_int_equal(cm_any_put(&cache, &key, &value, NULL), CM_OK);
    now = 5001;
    assert_true(cm_any_contains(&cache, &key));
    now = 7001;
    assert_int_equal(cm_any_freeze(&cache, &view), CM_OK);
    assert_null(cm_any_frozen_get(&view, &key));
    assert_int_equal(cm_any_thaw(&view), CM_OK);
    assert_int_equal(cm_any_read(&cache, &key, &guard), CM_ABSENT);
    assert_false(cm_any_get(&cache, &key, &value));
    assert_false(cm_any_contains(&cache, &key));
    assert_int_equal(value, 7000);
    finish(&cache);
}

static void large_values_are_whole(void **state)
{
    (void)state;
    struct cm_type type;
    cm_any map;
    uint64_t key = 1, two = 2;
    struct large one = large_of(1), found = large_of(9), room = large_of(8);
    cm_any_write_guard entry;
    cm_any_type_u64(&type, sizeof(struct large));
    assert_int_equal(cm_any_init(&map, &type, NULL), CM_OK);
    assert_int_equal(cm_any_put(&map, &key, &one, NULL), CM_OK);
    assert_false(cm_any_get(&map, &two, &found));
    assert_true(large_is(&found, 9));
    assert_true(cm_any_get(&map, &key, &found));
    assert_true(large_is(&found, 1));
    assert_int_equal(cm_any_update(&map, &key, spoil, NULL), CM_FULL);
    cm_any_op op = {CM_OP_PUT, CM_OK, &key, &room, NULL, NULL};
    assert_int_equal(cm_any_apply_many(&map, &op, 1), 1);
    assert_true(large_is(&room, 1));
    assert_true(cm_any_get(&map, &key, &found));
    assert_true(large_is(&found, 8));
    assert_int_equal(cm_any_entry(&map, &key, &entry), CM_OK);
    assert_int_equal(cm_any_entry_and_modify(&entry, spoil, NULL), CM_FULL);
    assert_true(large_is(entry.value, 8));
    assert_int_equal(cm_any_entry_remove(&entry, NULL), CM_OK);
    assert_int_equal(cm_any_entry_or_insert_with(&entry, spoil, NULL), CM_FULL);
    assert_non_null(cm_any_entry_or_insert(&entry, &one));
    assert_true(cm_any_get(&map, &key, &found)); /* through the thread's own lock */
    assert_true(large_is(&found, 1));
    assert_int_equal(cm_any_entry_unlock(&entry), CM_OK);
    finish(&map);
}

static cm_status plain_clone(void *to, const void *from, void *context)
{
    (void)context;
    memcpy(to, from, 8);
    return CM_OK;
}

static void plain_destroy(void *value, void *context)
{
    (void)value, (void)context;
}

static cm_status try_type(const struct cm_type *type)
{
    cm_any map;
    cm_status status = cm_any_init(&map, type, NULL);
    if (status == CM_OK)
        cm_any_destroy(&map);
    return status;
}

#define REFUSED(change)                                                                                                \
    do {                                                                                                               \
        struct cm_type type = good;                                                                                    \
        assert_int_equal(try_type(&type), CM_OK);                                                                      \
        change;                                                                                                        \
        assert_int_equal(try_type(&type), CM_INVALID);                                                                 \
    } while (0)

static void senseless_types_are_refused(void **state)
{
    (void)state;
    struct cm_type good;
    cm_any_type_u64(&good, 16);
    assert_int_equal(try_type(NULL), CM_INVALID);
    assert_int_equal(cm_any_init(NULL, &good, NULL), CM_INVALID);
    REFUSED(type.hash = NULL);
    REFUSED(type.equal = NULL);
    REFUSED(type.key_size = 0);
    REFUSED(type.key_size = 12);
    REFUSED(type.key_size = ((size_t)1 << 30) + 8);
    REFUSED(type.key_size = 16); /* is no word */
    REFUSED(type.key_alignment = 0);
    REFUSED(type.key_alignment = 3);
    REFUSED(type.value_size = 12);
    REFUSED(type.value_size = SIZE_MAX - 7);
    REFUSED(type.value_alignment = 0);
    REFUSED(type.value_alignment = 16);
    REFUSED(type.foreign = true);
    REFUSED(type.anchored = true);
    REFUSED(type.key_text = true);
    REFUSED(type.key_clone = plain_clone);
    REFUSED(type.key_destroy = plain_destroy);
    REFUSED(type.value_clone = plain_clone);
    REFUSED(type.value_destroy = plain_destroy);
    REFUSED(type.evicted = count_eviction);
    REFUSED(type.expired = is_past);
    cm_any_type_text(&good, 16);
    REFUSED((type.key_clone = plain_clone, type.key_destroy = plain_destroy));
    REFUSED(type.key_size = 24);
    REFUSED(type.key_alignment = 4);
    cm_any map; /* what the config says of it counts, too */
    assert_int_equal(cm_any_init(&map, &good, &(cm_config){.budget = 5}), CM_INVALID);
    assert_int_equal(cm_any_init(&map, &good, &(cm_config){.fixed = true, .capacity = 5}), CM_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_have_no_values),         cmocka_unit_test(the_map_owns_its_texts),
        cmocka_unit_test(caches_expire_and_evict),     cmocka_unit_test(large_values_are_whole),
        cmocka_unit_test(senseless_types_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
