/* Changes of many keys in one turn of a dynamic left-right map: they do what single ones do, of plain and of owned
 * values and of sets. */
#include <concmap/any_leftright.h>

#include "crew.h"
#include "items.h"
#include "unit.h"

#define KEYS 300
#define MOST 200

/* Two maps of one type: one that is changed by calls for many keys, and one by single calls. */
static cm_any_leftright many, single;
static cm_any_leftright_writer many_writer, single_writer;

static void begin(const struct cm_type *type)
{
    assert_int_equal(cm_any_leftright_init(&many, type, NULL), CM_OK);
    assert_int_equal(cm_any_leftright_init(&single, type, NULL), CM_OK);
    assert_int_equal(cm_any_leftright_writer_open_shared(&many, &many_writer), CM_OK);
    assert_int_equal(cm_any_leftright_writer_open(&single, &single_writer), CM_OK);
    assert_int_equal(cm_any_leftright_publish_every(&many_writer, 1), CM_OK);
}

static void end(void)
{
    const char *reason = NULL;
    assert_int_equal(cm_any_leftright_check(&many, &reason), CM_OK);
    assert_int_equal(cm_any_leftright_writer_len(&many_writer), cm_any_leftright_writer_len(&single_writer));
    cm_any_leftright_destroy(&many);
    cm_any_leftright_destroy(&single);
}

static cm_status add_one(void *value, void *context)
{
    (void)context;
    return ++*(uint64_t *)value % 16 ? CM_OK : CM_INVALID;
}

static void run_alone(cm_any_leftright_op *op)
{
    cm_any_leftright_writer *to = &single_writer;
    uint64_t old = *(uint64_t *)op->value;
    switch (op->kind) {
    case CM_OP_GET:
        op->status = cm_any_leftright_writer_get(to, op->key, op->value);
        return;
    case CM_OP_INSERT:
        op->status = cm_any_leftright_insert(to, op->key, op->value);
        return;
    case CM_OP_PUT:
        op->status = cm_any_leftright_put(to, op->key, op->value, &old);
        *(uint64_t *)op->value = old;
        return;
    case CM_OP_UPDATE:
        op->status = cm_any_leftright_update(to, op->key, op->function, op->context);
        return;
    case CM_OP_UPSERT:
        op->status = cm_any_leftright_upsert(to, op->key, op->value, op->function, op->context);
        return;
    case CM_OP_REMOVE:
        op->status = cm_any_leftright_remove(to, op->key, op->value);
        return;
    }
}

static void assert_same(void)
{
    cm_any_leftright_reader reader;
    size_t seen = 0;
    assert_int_equal(cm_any_leftright_reader_open(&many, &reader), CM_OK);
    CM_WITH_VIEW (cm_any_leftright, &reader, view)
        CM_FOREACH (cm_any_leftright_view, view, it) {
            uint64_t value;
            assert_int_equal(cm_any_leftright_writer_get(&single_writer, it.key, &value), CM_OK);
            assert_int_equal(*(const uint64_t *)it.value, value);
            seen++;
        }
    assert_int_equal(seen, cm_any_leftright_writer_len(&single_writer));
    assert_int_equal(cm_any_leftright_reader_close(&reader), CM_OK);
}

static void apply_both(size_t n, uint64_t *random)
{
    static const cm_op_kind kinds[] = {CM_OP_GET, CM_OP_INSERT, CM_OP_PUT, CM_OP_UPDATE, CM_OP_UPSERT, CM_OP_REMOVE};
    uint64_t keys[MOST] = {0}, values[MOST] = {0}, alone[MOST];
    cm_any_leftright_op ops[MOST];
    size_t well = 0;
    for (size_t i = 0; i < n; i++) {
        keys[i] = crew_random(random) % KEYS;
        values[i] = alone[i] = crew_random(random) % 1000;
        ops[i] = (cm_any_leftright_op){.kind = kinds[crew_random(random) % 6],
                                       .status = CM_CORRUPT,
                                       .key = &keys[i],
                                       .value = &values[i],
                                       .function = add_one};
    }
    size_t done = cm_any_leftright_apply_many(&many_writer, ops, n);
    for (size_t i = 0; i < n; i++) {
        cm_any_leftright_op op = ops[i];
        op.value = &alone[i];
        run_alone(&op);
        assert_int_equal(op.status, ops[i].status);
        assert_int_equal(alone[i], values[i]);
        well += op.status >= 0;
    }
    assert_int_equal(done, well);
}

static void change_both(size_t n, uint64_t *random)
{
    uint64_t keys[MOST] = {0}, values[MOST] = {0}, old[MOST], value;
    cm_status results[MOST];
    size_t there = 0, gone = 0;
    for (size_t i = 0; i < n; i++) {
        keys[i] = crew_random(random) % KEYS;
        values[i] = crew_random(random) % 1000;
    }
    assert_int_equal(cm_any_leftright_put_many(&many_writer, keys, values, n, results), n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(cm_any_leftright_put(&single_writer, &keys[i], &values[i], NULL), results[i]);
    size_t updated = cm_any_leftright_update_many(&many_writer, keys, n, add_one, NULL, results);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(cm_any_leftright_update(&single_writer, &keys[i], add_one, NULL), results[i]);
        there += results[i] == CM_OK;
    }
    assert_int_equal(updated, there);
    size_t removed = cm_any_leftright_remove_many(&many_writer, keys, n / 2, old, results);
    for (size_t i = 0; i < n / 2; i++) {
        assert_int_equal(cm_any_leftright_remove(&single_writer, &keys[i], &value), results[i]);
        assert_true(results[i] != CM_OK || old[i] == value);
        gone += results[i] == CM_OK;
    }
    assert_int_equal(removed, gone);
}

static void many_changes_do_what_single_ones_do(void **state)
{
    (void)state;
    struct cm_type type;
    uint64_t random = crew_seed("changes");
    cm_any_type_u64(&type, sizeof(uint64_t));
    begin(&type);
    for (size_t n = 0; n <= MOST; n += 1 + n / 2) {
        apply_both(n, &random);
        change_both(n, &random);
        assert_same();
    }
    end();
}

/* Shown to the map by address. */
static cm_status item_clone_any(void *to, const void *from, void *context)
{
    return item_clone(to, from, context);
}

static void item_destroy_any(void *item, void *context)
{
    item_destroy(item, context);
}

static uint64_t item_at(cm_any_leftright_writer *writer, uint64_t key)
{
    struct item item;
    if (cm_any_leftright_writer_get(writer, &key, &item) != CM_OK)
        return 0;
    uint64_t number = *item.own;
    item_destroy(&item, NULL);
    return number;
}

static void what_is_owned_is_destroyed_once(void **state)
{
    (void)state;
    struct cm_type type;
    uint64_t random = crew_seed("items"), model[KEYS] = {0}, keys[64];
    alive = 0;
    cm_any_type_u64(&type, sizeof(struct item));
    type.value_clone = item_clone_any;
    type.value_destroy = item_destroy_any;
    begin(&type);
    for (size_t round = 0; round < crew_scale(400); round++) {
        struct item items[64];
        cm_any_leftright_op ops[64];
        for (size_t i = 0; i < 64; i++) {
            keys[i] = crew_random(&random) % KEYS;
            bool puts = crew_random(&random) % 2;
            ops[i] =
                (cm_any_leftright_op){.kind = puts ? CM_OP_PUT : CM_OP_REMOVE, .key = &keys[i], .value = &items[i]};
            model[keys[i]] = puts ? 1 + crew_random(&random) % 1000 : 0;
            if (puts)
                items[i] = item_of(model[keys[i]]);
        }
        assert_int_equal(cm_any_leftright_apply_many(&many_writer, ops, 64), 64);
        for (size_t i = 0; i < 64; i++) /* a copy of what was there is the caller's */
            if (ops[i].status == CM_REPLACED || (ops[i].kind == CM_OP_REMOVE && ops[i].status == CM_OK))
                item_destroy(&items[i], NULL);
    }
    for (uint64_t key = 0; key < KEYS; key++) {
        assert_int_equal(item_at(&many_writer, key), model[key]);
        assert_int_equal(cm_any_leftright_remove(&many_writer, &key, NULL), model[key] ? CM_OK : CM_ABSENT);
    }
    end();
    assert_int_equal(alive, 0);
}

static void sets_take_keys_without_values(void **state)
{
    (void)state;
    struct cm_type type;
    uint64_t keys[MOST];
    cm_status results[MOST];
    cm_any_type_u64(&type, 0);
    begin(&type);
    for (uint64_t i = 0; i < MOST; i++)
        keys[i] = i / 2;
    assert_int_equal(cm_any_leftright_put_many(&many_writer, keys, NULL, MOST, results), MOST);
    for (size_t i = 0; i < MOST; i++)
        assert_int_equal(results[i], i % 2 ? CM_REPLACED : CM_OK);
    cm_any_leftright_op ops[] = {{.kind = CM_OP_REMOVE, .key = &keys[0]}, {.kind = CM_OP_INSERT, .key = &keys[2]}};
    assert_int_equal(cm_any_leftright_apply_many(&many_writer, ops, 2), 2);
    assert_int_equal(ops[0].status, CM_OK);
    assert_int_equal(ops[1].status, CM_EXISTS);
    assert_int_equal(cm_any_leftright_remove_many(&many_writer, keys, MOST, NULL, NULL), MOST / 2 - 1);
    end();
}

static void where_there_is_no_turn_each_is_told(void **state)
{
    (void)state;
    struct cm_type type;
    cm_any_leftright_reader reader;
    uint64_t keys[] = {1, 2};
    cm_status results[2];
    cm_any_type_u64(&type, sizeof(uint64_t));
    begin(&type);
    assert_int_equal(cm_any_leftright_reader_open(&many, &reader), CM_OK);
    CM_WITH_VIEW (cm_any_leftright, &reader, view) {
        assert_int_equal(cm_any_leftright_put_many(&many_writer, keys, keys, 2, results), 2);
        assert_int_equal(cm_any_leftright_put_many(&many_writer, keys, keys, 2, results), 0); /* its own older view */
        assert_int_equal(results[0], CM_DEADLOCK);
        assert_int_equal(results[1], CM_DEADLOCK);
        assert_int_equal(cm_any_leftright_view_len(view), 0);
    }
    assert_int_equal(cm_any_leftright_remove_many(&many_writer, keys, 2, NULL, results), 2);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_changes_do_what_single_ones_do),
        cmocka_unit_test(what_is_owned_is_destroyed_once),
        cmocka_unit_test(sets_take_keys_without_values),
        cmocka_unit_test(where_there_is_no_turn_each_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
