/* Changes of many keys in one turn of a left-right map's writer: they do what single ones do, are published together,
 * and are all refused together. */
#include <concmap/leftright_set.h>

#include "crew.h"
#include "failing_allocator.h"
#include "leftright_items.h"

CM_LEFTRIGHT_SET(marks, uint64_t, cm_hash_u64, cm_equal_u64)

#include "leftright_nums.h"

#define MOST 1000
#define KEYS 128 /* of those that see all of them change at once */

static const size_t sizes[] = {3, 100, 200000}; /* of tables: the last one is fetched ahead */
static const size_t batches[] = {0, 1, 31, 32, 33, 64, 65, MOST};

#define SIZES (sizeof sizes / sizeof *sizes)
#define BATCHES (sizeof batches / sizeof *batches)

static cm_status add_one(uint64_t *value, void *context)
{
    (void)context;
    return ++*value % 16 ? CM_OK : CM_INVALID;
}

static nums_op random_op(size_t size, uint64_t *random)
{
    static const cm_op_kind kinds[] = {CM_OP_GET, CM_OP_INSERT, CM_OP_PUT, CM_OP_UPDATE, CM_OP_UPSERT, CM_OP_REMOVE};
    return (nums_op){.kind = kinds[crew_random(random) % 6],
                     .status = CM_CORRUPT,
                     .key = crew_random(random) % (2 * size),
                     .value = crew_random(random) % 1000,
                     .function = add_one};
}

/* The same by a call of its own. */
static void run_alone(nums_writer *alone, nums_op *op)
{
    switch (op->kind) {
    case CM_OP_GET:
        op->status = nums_writer_get(alone, op->key, &op->value);
        break;
    case CM_OP_INSERT:
        op->status = nums_insert(alone, op->key, op->value);
        break;
    case CM_OP_PUT:
        op->status = nums_put(alone, op->key, op->value, &op->value);
        break;
    case CM_OP_UPDATE:
        op->status = nums_update(alone, op->key, op->function, op->context);
        break;
    case CM_OP_UPSERT:
        op->status = nums_upsert(alone, op->key, op->value, op->function, op->context);
        break;
    case CM_OP_REMOVE:
        op->status = nums_remove(alone, op->key, &op->value);
        break;
    }
}

/* A second map, changed by single calls. */
static nums other;
static nums_writer other_writer;

static void assert_same(void)
{
    const char *reason = NULL;
    size_t seen = 0;
    assert_int_equal(nums_flush(&writer), CM_OK);
    assert_int_equal(nums_check(&map, &reason), CM_OK);
    CM_WITH_VIEW (nums, &reader, view)
        CM_FOREACH (nums_view, view, it) {
            uint64_t value;
            assert_int_equal(nums_writer_get(&other_writer, *it.key, &value), CM_OK);
            assert_int_equal(*it.value, value);
            seen++;
        }
    assert_int_equal(seen, nums_writer_len(&other_writer));
}

static void apply_both(size_t size, size_t n, uint64_t *random)
{
    static nums_op many[MOST], single[MOST];
    size_t well = 0;
    for (size_t i = 0; i < n; i++)
        many[i] = single[i] = random_op(size, random);
    for (size_t i = 0; i < n; i++) {
        run_alone(&other_writer, &single[i]);
        well += single[i].status >= 0;
    }
    assert_int_equal(nums_apply_many(&writer, many, n), well);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(many[i].status, single[i].status);
        assert_int_equal(many[i].value, single[i].value);
    }
}

/* Calls of one kind. */
static void change_both(size_t size, size_t n, uint64_t *random)
{
    static uint64_t keys[MOST], numbers[MOST], old[MOST];
    static cm_status results[MOST];
    size_t there = 0, gone = 0;
    for (size_t i = 0; i < n; i++) {
        keys[i] = crew_random(random) % (2 * size);
        numbers[i] = crew_random(random) % 1000;
    }
    assert_int_equal(nums_put_many(&writer, keys, numbers, n, results), n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(nums_put(&other_writer, keys[i], numbers[i], NULL), results[i]);
    size_t updated = nums_update_many(&writer, keys, n, add_one, NULL, results);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(nums_update(&other_writer, keys[i], add_one, NULL), results[i]);
        there += results[i] == CM_OK;
    }
    assert_int_equal(updated, there);
    size_t removed = nums_remove_many(&writer, keys, n / 2, old, results);
    for (size_t i = 0; i < n / 2; i++) {
        uint64_t value = 0;
        assert_int_equal(nums_remove(&other_writer, keys[i], &value), results[i]);
        assert_true(results[i] != CM_OK || old[i] == value);
        gone += results[i] == CM_OK;
    }
    assert_int_equal(removed, gone);
}

static void many_changes_do_what_single_ones_do(void **state)
{
    (void)state;
    uint64_t random = crew_seed("changes");
    for (size_t s = 0; s < SIZES; s++) {
        begin();
        assert_int_equal(nums_init(&other, NULL), CM_OK);
        assert_int_equal(nums_writer_open(&other, &other_writer), CM_OK);
        for (uint64_t key = 0; key < sizes[s]; key++) {
            assert_int_equal(nums_put(&writer, key, key, NULL), CM_OK);
            assert_int_equal(nums_put(&other_writer, key, key, NULL), CM_OK);
        }
        for (size_t b = 0; b < BATCHES; b++) {
            apply_both(sizes[s], batches[b], &random);
            change_both(sizes[s], batches[b], &random);
            assert_same();
        }
        nums_destroy(&other);
        end();
    }
}

static cm_status add_to_own(struct item *item, void *context)
{
    (void)context;
    ++*item->own;
    return CM_OK;
}

/* The next operation on one of some keys, and what its key has afterwards (0: it is absent). */
static items_op owned_op(uint64_t model[], uint64_t *random)
{
    items_op op = {.key = crew_random(random) % KEYS, .function = add_to_own};
    uint64_t number = 1 + crew_random(random) % 1000, *value = &model[op.key];
    switch (crew_random(random) % 4) {
    case 0:
        op.kind = CM_OP_PUT;
        op.value = item_of(*value = number);
        break;
    case 1:
        op.kind = CM_OP_UPSERT;
        op.value = item_of(number);
        *value = *value ? *value + 1 : number;
        break;
    case 2:
        op.kind = CM_OP_UPDATE;
        *value += *value != 0;
        break;
    default:
        op.kind = CM_OP_REMOVE;
        *value = 0;
    }
    return op;
}

/* PUT and REMOVE leave a copy of what was there, which is the caller's. */
static void owned_end(items_op *op)
{
    if ((op->kind == CM_OP_PUT && op->status == CM_REPLACED) || (op->kind == CM_OP_REMOVE && op->status == CM_OK))
        item_destroy(&op->value, NULL);
}

static void what_is_owned_is_destroyed_once(void **state)
{
    (void)state;
    static uint64_t model[KEYS];
    uint64_t random = crew_seed("items");
    memset(model, 0, sizeof model);
    begin_items();
    for (size_t round = 0; round < crew_scale(200); round++) {
        items_op ops[64];
        for (size_t i = 0; i < 64; i++)
            ops[i] = owned_op(model, &random);
        assert_int_equal(items_apply_many(&thing_writer, ops, 64), 64);
        for (size_t i = 0; i < 64; i++)
            owned_end(&ops[i]);
        if (round % 3 == 0)
            assert_int_equal(items_publish(&thing_writer), CM_OK);
    }
    assert_int_equal(items_publish(&thing_writer), CM_OK);
    for (uint64_t key = 0; key < KEYS; key++) {
        struct item item = {NULL};
        assert_int_equal(items_get(&thing_reader, key, &item), model[key] != 0);
        if (model[key]) {
            assert_int_equal(*item.own, model[key]);
            item_destroy(&item, NULL);
        }
    }
    items_destroy(&things);
    assert_int_equal(alive, 0);
}

/* ---- together ---- */

static uint64_t all_keys[KEYS];

static cm_status set_all(nums_writer *from, uint64_t number)
{
    uint64_t numbers[KEYS];
    for (size_t i = 0; i < KEYS; i++)
        numbers[i] = number;
    return nums_put_many(from, all_keys, numbers, KEYS, NULL) == KEYS ? CM_OK : CM_INVALID;
}

static void keys_begin(void)
{
    for (uint64_t i = 0; i < KEYS; i++)
        all_keys[i] = i;
}

static void many_changes_are_published_at_once(void **state)
{
    (void)state;
    begin();
    keys_begin();
    assert_int_equal(nums_publish_every(&writer, 1), CM_OK);
    uint64_t before = nums_publications(&writer).published;
    assert_int_equal(set_all(&writer, 5), CM_OK);
    assert_int_equal(nums_publications(&writer).published, before + 1);
    assert_int_equal(nums_publications(&writer).pending, 0);
    assert_int_equal(got(&reader, KEYS - 1), 5);
    end();
}

static uint64_t turns; /* of those who set all of them */

static size_t set_or_see(void *context, unsigned i)
{
    nums_reader own;
    size_t wrong = 0;
    (void)context;
    if (i < 2) {
        for (size_t n = 0; n < crew_scale(2000); n++)
            wrong += set_all(&writer, __atomic_add_fetch(&turns, 1, __ATOMIC_RELAXED)) != CM_OK;
        return wrong;
    }
    wrong += nums_reader_open(&map, &own) != CM_OK;
    for (size_t n = 0; n < crew_scale(2000); n++) {
        const uint64_t *values[KEYS];
        CM_WITH_VIEW (nums, &own, view) {
            size_t seen = nums_view_get_many(view, all_keys, KEYS, values);
            wrong += seen != 0 && seen != KEYS;
            for (size_t k = 1; k < seen; k++)
                wrong += *values[k] != *values[0];
        }
    }
    return wrong + (nums_reader_close(&own) != CM_OK);
}

static void nobody_sees_some_of_them(void **state)
{
    (void)state;
    keys_begin();
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    assert_int_equal(nums_writer_open_shared(&map, &writer), CM_OK);
    assert_int_equal(nums_publish_every(&writer, 1), CM_OK);
    assert_int_equal(crew_run(4, set_or_see, NULL), 0);
    end();
}

/* ---- refused ---- */

static void assert_refused(size_t done, const cm_status *results, cm_status status)
{
    assert_int_equal(done, 0);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(results[i], status);
}

static const uint64_t two_keys[] = {1, 2}, two_values[] = {10, 20};

static cm_status change_meanwhile(uint64_t *value, void *context)
{
    cm_status results[2];
    (void)context;
    assert_refused(nums_put_many(&writer, two_keys, two_values, 2, results), results, CM_DEADLOCK);
    assert_int_equal(nums_put_many(&writer, two_keys, two_values, 2, NULL), 0);
    ++*value;
    return CM_OK;
}

static void where_there_is_no_turn_each_is_told(void **state)
{
    (void)state;
    cm_status results[2];
    nums_op ops[2] = {{.kind = CM_OP_PUT, .key = 1}, {.kind = CM_OP_REMOVE, .key = 2}};
    begin();
    assert_int_equal(nums_put_many(&writer, two_keys, two_values, 2, NULL), 2);
    assert_int_equal(nums_publish(&writer), CM_OK);
    sitter_begin(&reader, 0);
    assert_int_equal(nums_put(&writer, 3, 3, NULL), CM_OK);
    assert_int_equal(nums_publish(&writer), CM_OK);
    assert_refused(nums_try_put_many(&writer, two_keys, two_values, 2, results), results, CM_BUSY);
    assert_refused(nums_remove_many_until(&writer, two_keys, 2, NULL, results, cm_deadline_after(MS)), results,
                   CM_TIMEOUT);
    assert_int_equal(nums_try_apply_many(&writer, ops, 2), 0);
    assert_int_equal(ops[0].status, CM_BUSY);
    assert_int_equal(ops[1].status, CM_BUSY);
    assert_int_equal(sitter_end(), 10);
    assert_int_equal(nums_update_many(&writer, two_keys, 2, change_meanwhile, NULL, results), 2);
    assert_int_equal(nums_publish(&writer), CM_OK);
    assert_int_equal(got(&reader, 1), 11);
    assert_int_equal(got(&reader, 2), 21);
    end();
}

static void memory_may_end_amid_many(void **state)
{
    (void)state;
    for (size_t at = 1;; at++) {
        struct failing_allocator memory;
        uint64_t keys[MOST];
        cm_status results[MOST];
        failing_allocator_init(&memory);
        assert_int_equal(nums_init(&map, &(cm_config){.allocator = &memory.allocator}), CM_OK);
        assert_int_equal(nums_writer_open(&map, &writer), CM_OK);
        assert_int_equal(nums_reader_open(&map, &reader), CM_OK);
        for (uint64_t i = 0; i < MOST; i++)
            keys[i] = i;
        failing_allocator_fail_at(&memory, at);
        size_t done = nums_put_many(&writer, keys, keys, MOST, results);
        size_t failed = memory.failures;
        failing_allocator_restart(&memory);
        assert_int_equal(nums_publish(&writer), CM_OK);
        for (uint64_t i = 0; i < MOST; i++) {
            assert_true(results[i] == CM_OK || results[i] == CM_NOMEM);
            assert_true(got(&reader, i) == (results[i] == CM_OK ? i : UINT64_MAX));
        }
        assert_int_equal(nums_writer_len(&writer), done);
        end();
        assert_int_equal(memory.live_blocks, 0);
        assert_int_equal(memory.mistakes, 0);
        if (!failed)
            return;
    }
}

static void sets_change_many_keys(void **state)
{
    (void)state;
    marks set;
    marks_writer from;
    marks_reader by;
    cm_status results[MOST];
    uint64_t keys[MOST];
    assert_int_equal(marks_init(&set, NULL), CM_OK);
    assert_int_equal(marks_writer_open_shared(&set, &from), CM_OK);
    assert_int_equal(marks_reader_open(&set, &by), CM_OK);
    for (uint64_t i = 0; i < MOST; i++)
        keys[i] = i % (MOST / 2);
    assert_int_equal(marks_add_many(&from, keys, MOST, results), MOST / 2);
    for (size_t i = 0; i < MOST; i++)
        assert_int_equal(results[i], i < MOST / 2 ? CM_OK : CM_EXISTS);
    assert_int_equal(marks_flush(&from), CM_OK);
    assert_true(marks_contains(&by, 0) && marks_contains(&by, MOST / 2 - 1));
    assert_int_equal(marks_remove_many(&from, keys, 10, NULL), 10);
    assert_int_equal(marks_remove_many(&from, keys, 20, results), 10);
    assert_int_equal(results[0], CM_ABSENT);
    assert_int_equal(results[10], CM_OK);
    assert_int_equal(marks_flush(&from), CM_OK);
    assert_false(marks_contains(&by, 0));
    assert_true(marks_contains(&by, 20));
    assert_int_equal(marks_check(&set, NULL), CM_OK);
    marks_destroy(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_changes_do_what_single_ones_do),
        cmocka_unit_test(what_is_owned_is_destroyed_once),
        cmocka_unit_test(many_changes_are_published_at_once),
        cmocka_unit_test(nobody_sees_some_of_them),
        cmocka_unit_test(where_there_is_no_turn_each_is_told),
        cmocka_unit_test(memory_may_end_amid_many),
        cmocka_unit_test(sets_change_many_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
