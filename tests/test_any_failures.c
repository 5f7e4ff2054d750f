/* Dynamic maps where any request for memory may fail: nothing is changed, or lost. */
#include "any_failing.h"
#include "any_nums.h"

static cm_status no_change(void *mine, const void *theirs, void *context)
{
    (void)mine, (void)theirs, (void)context;
    return CM_OK;
}

static cm_status large_free(const void *key, void *value, void *context)
{
    (void)key, (void)context;
    large_destroy(value, NULL);
    return CM_OK;
}

/* What the map has: 0: nothing. Reads take no memory. */
static uint64_t has(const cm_any *map, uint64_t key)
{
    struct large found;
    if (!cm_any_get(map, &key, &found))
        return 0;
    uint64_t number = found.words[0];
    assert_true(large_is(&found, number));
    if (map->type.value_destroy)
        large_destroy(&found, NULL);
    return number;
}

/* A call came to `status`: either the value of the key is `after`, or nothing has changed. */
static void settles(const cm_any *map, uint64_t key, cm_status status, uint64_t before, uint64_t after)
{
    assert_true(status >= 0 || status == CM_NOMEM);
    assert_int_equal(has(map, key), status < 0 ? before : after);
}

/* One of each call that takes room; each may fail by itself. */
static void calls_with_room(cm_any *map, uint64_t key)
{
    struct large room, old;
    uint64_t before, one = 1;
    cm_status status = cm_any_put(map, &key, large_give(&room, 1), NULL);
    large_not_taken(status);
    settles(map, key, status, 0, 1);
    before = has(map, key);
    status = cm_any_put(map, &key, large_give(&room, 2), NULL);
    large_not_taken(status);
    settles(map, key, status, before, 2);
    before = has(map, key);
    status = cm_any_upsert(map, &key, large_give(&room, 3), large_add, &one);
    large_not_taken(status);
    settles(map, key, status, before, before ? before + 1 : 3);
    before = has(map, key);
    status = cm_any_update(map, &key, large_add, &one);
    settles(map, key, status, before, before ? before + 1 : 0);
    before = has(map, key);
    struct large expected = large_of(before);
    status = cm_any_compare_exchange(map, &key, &expected, large_give(&room, 9), large_equal);
    if (status < 0 || status == CM_ABSENT)
        live--;
    settles(map, key, status, before, before ? 9 : 0);
    status = cm_any_remove(map, &key, &old);
    if (status == CM_OK)
        live--;
    settles(map, key, status, 0, 0);
    status = cm_any_get_or_insert_with(map, &key, large_make, &one, NULL);
    settles(map, key, status, 0, 1);
    before = has(map, key);
    cm_any_op op = {CM_OP_PUT, CM_OK, &key, large_give(&room, 5), NULL, NULL};
    cm_any_apply_many(map, &op, 1);
    if (op.status < 0 || op.status == CM_REPLACED)
        live--;
    settles(map, key, op.status, before, 5);
}

static void entries_with_room(cm_any *map, uint64_t key)
{
    uint64_t one = 1, before = has(map, key);
    cm_any_write_guard entry;
    cm_status status = cm_any_entry(map, &key, &entry);
    assert_true(status == CM_OK || status == CM_NOMEM);
    if (status < 0)
        return;
    status = cm_any_entry_and_modify(&entry, large_add, &one);
    settles(map, key, status, before, before ? before + 1 : 0);
    if (cm_any_entry_remove(&entry, NULL) == CM_OK)
        assert_int_equal(has(map, key), 0);
    status = cm_any_entry_or_insert_with(&entry, large_make, &one);
    settles(map, key, status, 0, 1);
    assert_int_equal(cm_any_entry_unlock(&entry), CM_OK);
}

static void maps_with_room(cm_any *map)
{
    cm_any copy;
    size_t len = cm_any_len(map);
    if (cm_any_clone(&copy, map) == CM_OK) {
        cm_status status = cm_any_equals(map, &copy, large_equal);
        assert_true(status == CM_OK || status == CM_NOMEM);
        status = cm_any_merge(map, &copy, no_change, NULL);
        assert_true(status == CM_OK || status == CM_NOMEM);
        status = cm_any_drain(&copy, large_free, NULL);
        assert_true(status == CM_NOMEM || (status == CM_OK && cm_any_len(&copy) == 0));
        cm_any_destroy(&copy);
    }
    assert_int_equal(cm_any_len(map), len);
}

static void use_room(const struct cm_type *type, const cm_config *config)
{
    cm_any map;
    assert_int_equal(cm_any_init(&map, type, config), CM_OK);
    for (uint64_t key = 0; key < 20; key++) {
        calls_with_room(&map, key);
        entries_with_room(&map, key);
    }
    maps_with_room(&map);
    if (type->value_destroy)
        assert_int_equal(live, cm_any_len(&map));
    finish(&map);
}

static void a_request_that_fails_changes_nothing(void **state)
{
    (void)state;
    any_request_may_fail(false, use_room);
    any_request_may_fail(true, use_room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_that_fails_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
