/* Values that a call of a left-right map's writer does not store are destroyed in the call, unless it fails. Who does
 * that may look at the map, and change and publish nothing, also amid the changes of many keys. */
#include <concmap/any_leftright.h>
#include <concmap/leftright_multimap.h>

#include "items.h"
#include "unit.h"

static void look(void);

static void destroy_and_look(struct item *item, void *context)
{
    item_destroy(item, context);
    look();
}

static bool clones_fail;

static cm_status clone_or_fail(struct item *to, const struct item *from, void *context)
{
    to->own = NULL; /* as of a clone that asks for memory, and looks at what it got */
    return clones_fail ? CM_NOMEM : item_clone(to, from, context);
}

CM_LEFTRIGHT_MAP_OWNED(items, uint64_t, struct item, cm_hash_u64, cm_equal_u64, CM_PLAIN,
                       CM_OWNED(clone_or_fail, destroy_and_look))

static void publish_bags(void);

static void destroy_and_publish(struct item *item, void *context)
{
    item_destroy(item, context);
    publish_bags();
}

static uint64_t item_hash(const struct item *item, uint64_t seed)
{
    return cm_hash_u64(item->own, seed);
}

static bool item_equal(const struct item *a, const struct item *b)
{
    return *a->own == *b->own;
}

CM_LEFTRIGHT_MULTIMAP_OWNED(bags, uint64_t, struct item, cm_hash_u64, cm_equal_u64, item_hash, item_equal, CM_PLAIN,
                            CM_OWNED(item_clone, destroy_and_publish))

static items map;
static items_writer writer;
static items_reader reader;

enum { NOTHING, LEN, PUBLISH, REMOVE };
static int looks; /* what `look` does */
static unsigned looked;

static void look(void)
{
    looked += looks != NOTHING;
    if (looks == LEN)
        assert_int_not_equal(items_writer_len(&writer), 0);
    else if (looks == PUBLISH)
        assert_int_equal(items_publish(&writer), CM_DEADLOCK);
    else if (looks == REMOVE)
        assert_int_equal(items_remove(&writer, 1, NULL), CM_DEADLOCK);
}

static cm_status refuse(struct item *value, void *context)
{
    (void)context;
    ++*value->own;
    return CM_INVALID;
}

/* A map with the keys 0 to 3, each change of which is published. */
static void begin(bool shared)
{
    alive = 0;
    looked = 0;
    looks = NOTHING;
    assert_int_equal(items_init(&map, NULL), CM_OK);
    assert_int_equal(shared ? items_writer_open_shared(&map, &writer) : items_writer_open(&map, &writer), CM_OK);
    assert_int_equal(items_reader_open(&map, &reader), CM_OK);
    assert_int_equal(items_publish_every(&writer, 1), CM_OK);
    for (uint64_t key = 0; key < 4; key++)
        assert_int_equal(items_put(&writer, key, item_of(key), NULL), CM_OK);
}

static void end(void)
{
    const char *reason = NULL;
    looks = NOTHING;
    assert_int_equal(items_begin(&writer), CM_OK);
    assert_int_equal(items_check(&map, &reason), CM_OK);
    items_destroy(&map);
    assert_int_equal(alive, 0);
}

static bool has(uint64_t key)
{
    return items_get(&reader, key, NULL);
}

/* Many changes, some of which have no use for their value. */
static void many_amid_which_some_look(bool shared, int how)
{
    begin(shared);
    items_op ops[] = {{.kind = CM_OP_INSERT, .key = 10, .value = item_of(10)},
                      {.kind = CM_OP_INSERT, .key = 1, .value = item_of(99)},
                      {.kind = CM_OP_INSERT, .key = 11, .value = item_of(11)},
                      {.kind = CM_OP_UPDATE, .key = 2, .function = refuse},
                      {.kind = CM_OP_UPSERT, .key = 3, .value = item_of(99), .function = refuse},
                      {.kind = CM_OP_INSERT, .key = 12, .value = item_of(12)}};
    static const cm_status expected[] = {CM_OK, CM_EXISTS, CM_OK, CM_INVALID, CM_INVALID, CM_OK};
    uint64_t before = items_publications(&writer).published;
    looks = how;
    assert_int_equal(items_apply_many(&writer, ops, 6), 4);
    looks = NOTHING;
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(ops[i].status, expected[i]);
    item_destroy(&ops[4].value, NULL); /* its call failed */
    assert_int_equal(looked, 3);
    assert_int_equal(items_publications(&writer).published, before + 1);
    assert_true(has(10) && has(11) && has(12) && items_writer_len(&writer) == 7);
    end();
}

static void amid_many_changes_nothing_is_published(void **state)
{
    (void)state;
    for (int how = LEN; how <= REMOVE; how++) {
        many_amid_which_some_look(false, how);
        many_amid_which_some_look(true, how);
    }
}

static void single_calls_promise_the_same(void **state)
{
    (void)state;
    for (int how = LEN; how <= REMOVE; how++) {
        begin(how % 2);
        looks = how;
        assert_int_equal(items_insert(&writer, 1, item_of(99)), CM_EXISTS);
        assert_int_equal(items_replace(&writer, 50, item_of(99), NULL), CM_ABSENT);
        assert_int_equal(items_update(&writer, 2, refuse, NULL), CM_INVALID);
        assert_int_equal(looked, 3);
        end();
    }
}

static void what_comes_back_is_destroyed_by_who_may_look(void **state)
{
    (void)state;
    items_taken taken = {.map = 0};
    begin(false);
    assert_int_equal(items_take(&writer, 2, &taken), CM_OK);
    assert_int_equal(items_put(&writer, 7, item_of(7), NULL), CM_OK);
    assert_int_equal(items_put(&writer, 8, item_of(8), NULL), CM_OK); /* readers have let it go */
    looks = PUBLISH;
    assert_int_equal(items_give_back(&writer, &taken), CM_OK);
    assert_int_equal(looked, 1);
    end();
}

static bags_writer bag_writer;

static void publish_bags(void)
{
    if (looks == PUBLISH)
        assert_int_equal(bags_publish(&bag_writer), CM_DEADLOCK);
    looked += looks == PUBLISH;
}

static void of_multimaps_too(void **state)
{
    (void)state;
    bags bag_map;
    bags_taken taken = {.map = 0};
    struct item sought = item_of(2);
    alive = 1;
    looked = 0;
    looks = NOTHING;
    assert_int_equal(bags_init(&bag_map, NULL), CM_OK);
    assert_int_equal(bags_writer_open(&bag_map, &bag_writer), CM_OK);
    assert_int_equal(bags_insert(&bag_writer, 1, item_of(2)), CM_OK);
    assert_int_equal(bags_publish(&bag_writer), CM_OK);
    assert_int_equal(bags_take_value(&bag_writer, 1, sought, &taken), CM_OK);
    for (uint64_t i = 0; i < 2; i++) { /* readers let it go */
        assert_int_equal(bags_publish(&bag_writer), CM_OK);
        assert_int_equal(bags_insert(&bag_writer, 3, item_of(i)), CM_OK);
    }
    looks = PUBLISH;
    assert_int_equal(bags_give_back(&bag_writer, &taken), CM_OK);
    assert_int_equal(looked, 1);
    looks = NOTHING;
    item_destroy(&sought, NULL);
    bags_destroy(&bag_map);
    assert_int_equal(alive, 0);
}

/* ---- clones that fail ---- */

static void a_value_that_was_not_put_is_the_callers(void **state)
{
    (void)state;
    begin(false);
    items_op op = {.kind = CM_OP_PUT, .key = 1, .value = item_of(2)};
    uint64_t *own = op.value.own;
    clones_fail = true;
    assert_int_equal(items_apply_many(&writer, &op, 1), 0);
    clones_fail = false;
    assert_int_equal(op.status, CM_NOMEM);
    assert_ptr_equal(op.value.own, own);
    assert_int_equal(items_apply_many(&writer, &op, 1), 1);
    assert_int_equal(op.status, CM_REPLACED);
    assert_int_equal(*op.value.own, 1);
    item_destroy(&op.value, NULL);
    end();
}

static cm_status any_clone(void *to, const void *from, void *context)
{
    return clone_or_fail(to, from, context);
}

static void any_destroy(void *value, void *context)
{
    item_destroy(value, context);
}

static void of_dynamic_maps_too(void **state)
{
    (void)state;
    struct cm_type type;
    cm_any_leftright any;
    cm_any_leftright_writer by;
    uint64_t key = 1;
    struct item one = item_of(1), two = item_of(2);
    cm_any_type_u64(&type, sizeof(struct item));
    type.value_clone = any_clone;
    type.value_destroy = any_destroy;
    alive = 2;
    assert_int_equal(cm_any_leftright_init(&any, &type, NULL), CM_OK);
    assert_int_equal(cm_any_leftright_writer_open(&any, &by), CM_OK);
    assert_int_equal(cm_any_leftright_put(&by, &key, &one, NULL), CM_OK);
    cm_any_leftright_op op = {.kind = CM_OP_PUT, .key = &key, .value = &two};
    uint64_t *own = two.own;
    clones_fail = true;
    assert_int_equal(cm_any_leftright_apply_many(&by, &op, 1), 0);
    clones_fail = false;
    assert_int_equal(op.status, CM_NOMEM);
    assert_ptr_equal(two.own, own);
    assert_int_equal(cm_any_leftright_apply_many(&by, &op, 1), 1);
    assert_int_equal(*two.own, 1);
    item_destroy(&two, NULL);
    cm_any_leftright_destroy(&any);
    assert_int_equal(alive, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(amid_many_changes_nothing_is_published),       cmocka_unit_test(single_calls_promise_the_same),
        cmocka_unit_test(what_comes_back_is_destroyed_by_who_may_look), cmocka_unit_test(of_multimaps_too),
        cmocka_unit_test(a_value_that_was_not_put_is_the_callers),      cmocka_unit_test(of_dynamic_maps_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
