/* Keys and values that own memory: each copy that a map makes, and each value that it is given, is destroyed exactly
 * once, whatever the call came to. The names with a letter and a number are cases of the project's list of bugs that
 * other maps had. */
#include <concmap/sharded.h>

#include "boxes.h"
#include "crew.h"
#include "failing_allocator.h"
#include "unit.h"

CM_SHARDED_MAP_OWNED(boxes, uint64_t, struct box, cm_hash_u64, cm_equal_u64, CM_PLAIN, CM_OWNED(box_clone, box_destroy))
CM_SHARDED_MAP_OWNED(names, struct box, struct box, box_hash, box_equal, CM_OWNED(box_clone, box_destroy),
                     CM_OWNED(box_clone, box_destroy))
CM_SHARDED_MAP_OWNED(handles, struct box, uint64_t, poor_hash, box_equal, CM_OWNED(box_clone, box_destroy), CM_PLAIN)
CM_SHARDED_MAP_OWNED(texts, cm_str, struct box, cm_hash_str, cm_equal_str, CM_PLAIN, CM_OWNED(box_clone, box_destroy))

static void begin(boxes *map, uint64_t count)
{
    cm_config own = config();
    assert_int_equal(boxes_init(map, &own), CM_OK);
    for (uint64_t key = 0; key < count; key++)
        assert_int_equal(boxes_put(map, key, box_of(key), NULL), CM_OK);
}

static void end(boxes *map)
{
    const char *reason = NULL;
    if (boxes_check(map, &reason) != CM_OK)
        fail_msg("%s", reason);
    assert_int_equal(all.live, boxes_len(map));
    boxes_destroy(map);
    assert_int_equal(all.live, 0);
}

static void single_calls_destroy_what_nobody_has(void **state)
{
    (void)state;
    boxes map;
    struct box got;
    begin(&map, 100);
    assert_true(boxes_get(&map, 5, &got));
    assert_int_equal(drop(got), 5);
    assert_int_equal(boxes_insert(&map, 5, box_of(1)), CM_EXISTS);
    assert_int_equal(boxes_put(&map, 5, box_of(50), NULL), CM_REPLACED);
    assert_int_equal(boxes_put(&map, 5, box_of(51), &got), CM_REPLACED);
    assert_int_equal(drop(got), 50);
    assert_int_equal(boxes_upsert(&map, 5, box_of(1), add_ten, NULL), CM_REPLACED);
    assert_int_equal(boxes_upsert(&map, 200, box_of(2), add_ten, NULL), CM_OK);
    assert_int_equal(boxes_update(&map, 200, add_ten, NULL), CM_OK);
    assert_int_equal(boxes_update_if(&map, 200, always, add_ten, NULL), CM_OK);
    assert_int_equal(boxes_get_or_insert(&map, 200, box_of(1), &got), CM_EXISTS);
    assert_int_equal(drop(got), 22);
    assert_int_equal(boxes_get_or_insert(&map, 201, box_of(3), &got), CM_OK);
    assert_int_equal(drop(got), 3);
    assert_int_equal(boxes_get_or_insert(&map, 201, box_of(3), NULL), CM_EXISTS);
    assert_int_equal(boxes_get_or_insert_with(&map, 202, make_seven, NULL, &got), CM_OK);
    assert_int_equal(drop(got), 7);
    assert_int_equal(boxes_get_or_insert_with(&map, 203, refuse, NULL, NULL), CM_IO);
    assert_int_equal(boxes_remove(&map, 202, NULL), CM_OK);
    assert_int_equal(boxes_remove(&map, 201, &got), CM_OK);
    assert_int_equal(drop(got), 3);
    assert_int_equal(boxes_remove_if(&map, 200, refuse, NULL, NULL), CM_IO);
    assert_int_equal(boxes_remove_if(&map, 200, add_ten, NULL, NULL), CM_OK);
    struct box expected = box_of(61);
    assert_int_equal(boxes_compare_exchange(&map, 5, &expected, box_of(9), same), CM_REPLACED);
    assert_int_equal(boxes_compare_exchange(&map, 5, &expected, box_of(8), same), CM_EXISTS);
    assert_int_equal(boxes_compare_exchange(&map, 999, &expected, box_of(8), same), CM_ABSENT);
    assert_int_equal(drop(expected), 61);
    assert_int_equal(boxes_take_or(&map, 5, box_of(1), &got), CM_OK);
    assert_int_equal(drop(got), 9);
    assert_int_equal(boxes_take_or(&map, 5, box_of(1), &got), CM_ABSENT);
    assert_int_equal(drop(got), 1);
    assert_int_equal(boxes_len(&map), 99);
    end(&map);
}

static void a_failure_leaves_the_value_to_its_giver(void **state)
{
    (void)state;
    boxes map;
    cm_config own = config();
    struct box mine = box_of(1), got;
    own.limit = 1;
    assert_int_equal(boxes_init(&map, &own), CM_OK);
    assert_int_equal(boxes_put(&map, 1, box_of(0), NULL), CM_OK);
    assert_int_equal(boxes_put(&map, 2, mine, NULL), CM_FULL);
    assert_int_equal(boxes_insert(&map, 2, mine), CM_FULL);
    assert_int_equal(boxes_upsert(&map, 1, mine, refuse, NULL), CM_IO);
    all.fail_at = all.clones + 1; /* what get_or_insert would hand out cannot be had */
    assert_int_equal(boxes_get_or_insert(&map, 1, mine, NULL), CM_EXISTS);
    mine = box_of(1);
    assert_false(boxes_get(&map, 1, &got));
    all.fail_at = all.clones + 1;
    assert_int_equal(boxes_get_until(&map, 1, &got, CM_FOREVER - 1), CM_NOMEM);
    assert_int_equal(boxes_remove(&map, 1, NULL), CM_OK);
    all.fail_at = all.clones + 1;
    assert_int_equal(boxes_get_or_insert(&map, 1, mine, &got), CM_NOMEM);
    all.fail_at = all.clones + 1;
    assert_int_equal(boxes_get_or_insert_with(&map, 1, make_seven, NULL, &got), CM_NOMEM);
    assert_int_equal(boxes_len(&map), 0);
    assert_int_equal(*mine.number, 1);
    drop(mine);
    end(&map);
}

static void guards_and_entries_own_their_values(void **state)
{
    (void)state;
    boxes map;
    boxes_write_guard entry;
    struct box got;
    begin(&map, 10);
    assert_int_equal(boxes_entry(&map, 500, &entry), CM_OK);
    assert_non_null(boxes_entry_insert(&entry, box_of(1)));
    assert_non_null(boxes_entry_insert(&entry, box_of(2)));
    assert_int_equal(*boxes_entry_or_insert(&entry, box_of(3))->number, 2);
    assert_int_equal(boxes_entry_and_modify(&entry, add_ten, NULL), CM_OK);
    assert_int_equal(boxes_entry_replace(&entry, box_of(4), &got), CM_REPLACED);
    assert_int_equal(drop(got), 12);
    assert_int_equal(boxes_entry_replace(&entry, box_of(5), NULL), CM_REPLACED);
    assert_int_equal(boxes_entry_remove(&entry, NULL), CM_OK);
    assert_int_equal(boxes_entry_or_insert_with(&entry, make_seven, NULL), CM_OK);
    assert_int_equal(boxes_entry_or_insert_with(&entry, make_seven, NULL), CM_EXISTS);
    assert_int_equal(boxes_entry_remove(&entry, &got), CM_OK);
    assert_int_equal(drop(got), 7);
    assert_int_equal(boxes_entry_unlock(&entry), CM_OK);
    CM_WITH_WRITE (boxes, &map, 3, g) {
        *g.value->number = 33;
        assert_true(boxes_get(&map, 3, &got)); /* through its own lock */
        assert_int_equal(drop(got), 33);
    }
    CM_WITH_READ (boxes, &map, 3, g)
        assert_int_equal(*g.value->number, 33);
    end(&map);
}

static cm_status keep_odd(const uint64_t *key, const struct box *box, void *context)
{
    (void)box, (void)context;
    return *key % 2 ? CM_OK : CM_ABSENT;
}

static cm_status take_it(const uint64_t *key, struct box *box, void *context)
{
    *(uint64_t *)context += *key;
    drop(*box);
    return CM_OK;
}

static cm_status sum_up(struct box *mine, const struct box *theirs, void *context)
{
    (void)context;
    *mine->number += *theirs->number;
    return CM_OK;
}

static void whole_maps_own_their_values(void **state)
{
    (void)state;
    boxes map, copy, moved;
    uint64_t sum = 0;
    begin(&map, 1000);
    CM_FOREACH (boxes, &map, it) {
        assert_int_equal(*it.value.number, it.key);
        if (it.key == 77)
            break;
    }
    assert_int_equal(all.live, 1000);
    assert_int_equal(boxes_clone(&copy, &map), CM_OK);
    assert_int_equal(all.live, 2000);
    assert_int_equal(boxes_equals(&map, &copy, same), CM_OK);
    assert_int_equal(boxes_merge(&copy, &map, sum_up, NULL), CM_OK);
    assert_int_equal(boxes_equals(&map, &copy, same), CM_ABSENT);
    assert_int_equal(boxes_merge(&copy, &map, NULL, NULL), CM_OK);
    assert_int_equal(boxes_retain(&map, keep_odd, NULL), CM_OK);
    assert_int_equal(boxes_len(&map), 500);
    assert_int_equal(boxes_extract_if(&copy, keep_odd, take_it, &sum), CM_OK);
    assert_int_equal(sum, 250000);
    assert_int_equal(all.live, 1000);
    assert_int_equal(boxes_drain(&copy, take_it, &sum), CM_OK);
    assert_int_equal(all.live, 500);
    boxes_destroy(&copy);
    struct box some[10];
    size_t count;
    assert_int_equal(boxes_to_arrays(&map, NULL, some, 10, &count), CM_INVALID);
    assert_int_equal(boxes_move(&moved, &map), CM_OK);
    assert_int_equal(boxes_clear(&map), CM_OK);
    boxes_destroy(&map);
    assert_int_equal(boxes_clear(&moved), CM_OK);
    assert_int_equal(all.live, 0);
    end(&moved);
}

static void batches_own_their_values(void **state)
{
    (void)state;
    boxes map;
    uint64_t wanted[200];
    struct box given[200], got[200];
    cm_status results[200];
    bool found[200];
    begin(&map, 100);
    for (uint64_t i = 0; i < 200; i++) {
        wanted[i] = i;
        given[i] = box_of(i + 1000);
    }
    assert_int_equal(boxes_put_many(&map, wanted, given, 200, results), 200);
    assert_int_equal(boxes_get_many(&map, wanted, 200, found, got), 200);
    for (size_t i = 0; i < 200; i++)
        assert_int_equal(drop(got[i]), i + 1000);
    assert_int_equal(boxes_update_many(&map, wanted, 200, add_ten, NULL, results), 200);
    assert_int_equal(boxes_remove_many(&map, wanted, 50, got, results), 50);
    for (size_t i = 0; i < 50; i++)
        assert_int_equal(drop(got[i]), i + 1010);
    assert_int_equal(boxes_remove_many(&map, wanted, 100, NULL, results), 50);
    boxes_op ops[] = {{.kind = CM_OP_INSERT, .key = 150, .value = box_of(1)},
                      {.kind = CM_OP_UPSERT, .key = 150, .value = box_of(1), .function = add_ten},
                      {.kind = CM_OP_GET, .key = 150},
                      {.kind = CM_OP_PUT, .key = 150, .value = box_of(2)},
                      {.kind = CM_OP_REMOVE, .key = 150},
                      {.kind = CM_OP_INSERT, .key = 150, .value = box_of(3)}};
    assert_int_equal(boxes_apply_many(&map, ops, 6), 6);
    struct box mine = box_of(5);
    boxes_op update = {.kind = CM_OP_UPDATE, .key = 150, .value = mine, .function = add_ten};
    assert_int_equal(boxes_apply_many(&map, &update, 1), 1);
    assert_int_equal(drop(mine), 5); /* an update takes no value */
    assert_int_equal(drop(ops[2].value), 1170);
    assert_int_equal(drop(ops[3].value), 1170);
    assert_int_equal(drop(ops[4].value), 2);
    assert_int_equal(boxes_len(&map), 100);
    end(&map);
}

static void L9_a_map_destroys_what_it_has(void **state)
{
    (void)state;
    names map;
    cm_config own = config();
    assert_int_equal(names_init(&map, &own), CM_OK);
    for (uint64_t i = 0; i < 5000; i++) {
        struct box key = box_of(i);
        assert_int_equal(names_put(&map, key, box_of(i * 2), NULL), CM_OK);
        assert_int_equal(names_insert(&map, key, box_of(0)), CM_EXISTS);
        assert_true(i % 3 || names_remove(&map, key, NULL) == CM_OK); /* its key waits for readers */
        drop(key);
    }
    assert_int_equal(names_check(&map, NULL), CM_OK);
    names_destroy(&map);
    assert_int_equal(all.live, 0);
}

static void keys_that_hold_pointers_are_found_and_given_back(void **state)
{
    (void)state;
    handles map;
    cm_config own = config();
    uint64_t value = 0, seen = 0;
    assert_int_equal(handles_init(&map, &own), CM_OK);
    for (uint64_t i = 0; i < 60; i++) { /* long chains */
        struct box key = box_of(i);
        assert_int_equal(handles_put(&map, key, i, NULL), CM_OK);
        drop(key);
    }
    for (uint64_t i = 0; i < 60; i++) {
        struct box key = box_of(i);
        assert_true(handles_get(&map, key, &value) && value == i);
        handles_write_guard entry;
        if (i % 2) {
            assert_int_equal(handles_remove(&map, key, NULL), CM_OK);
            assert_int_equal(handles_entry(&map, key, &entry), CM_OK);
            assert_true(i % 4 == 1 || handles_entry_insert(&entry, i));
            assert_int_equal(handles_entry_unlock(&entry), CM_OK);
        }
        drop(key);
    }
    CM_FOREACH (handles, &map, it) {
        assert_int_equal(*it.key.number, it.value);
        seen++;
    }
    assert_int_equal(seen, 45);
    assert_int_equal(handles_settle(&map), CM_OK);
    assert_int_equal(all.live, 45); /* none waits any more */
    assert_int_equal(handles_check(&map, NULL), CM_OK);
    handles_destroy(&map);
    assert_int_equal(all.live, 0);
}

/* Everything that may fail, for every n: the n-th clone, and the n-th allocation. */
static void use_a_map(names *map)
{
    struct box got;
    for (uint64_t i = 0; i < 12; i++) {
        struct box key = box_of(i), value = box_of(i);
        if (names_put(map, key, value, NULL) < 0)
            drop(value);
        value = box_of(i);
        cm_status status = names_get_or_insert(map, key, value, &got);
        if (status < 0)
            drop(value);
        else
            drop(got);
        names_write_guard entry;
        value = box_of(i);
        if (names_entry(map, key, &entry) != CM_OK || !names_entry_insert(&entry, value))
            drop(value);
        names_entry_unlock(&entry);
        if (i % 3 == 0 && names_remove(map, key, &got) == CM_OK)
            drop(got);
        drop(key);
    }
    CM_FOREACH (names, map, it)
        assert_int_equal(*it.key.number, *it.value.number);
    names copy;
    if (names_clone(&copy, map) == CM_OK)
        names_destroy(&copy);
}

static void M1_nothing_is_lost_when_something_fails(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    for (size_t n = 1; n < 80; n++) {
        for (size_t kind = 0; kind < 2; kind++) {
            names map;
            cm_config own = config();
            own.allocator = &memory.allocator;
            failing_allocator_restart(&memory);
            assert_int_equal(names_init(&map, &own), CM_OK);
            if (kind == 0)
                all.fail_at = n;
            else
                failing_allocator_fail_at(&memory, n);
            use_a_map(&map);
            assert_int_equal(names_check(&map, NULL), CM_OK);
            names_destroy(&map);
            assert_int_equal(all.live, 0);
            assert_int_equal(memory.live_blocks, 0);
        }
    }
}

static void L1_what_was_got_is_not_what_took_its_place(void **state)
{
    (void)state;
    boxes map;
    struct box got;
    begin(&map, 10);
    assert_true(boxes_get(&map, 5, &got));
    assert_int_equal(boxes_remove(&map, 5, NULL), CM_OK);
    for (uint64_t round = 0; round < 3000; round++) { /* until its node was used again */
        assert_int_equal(boxes_put(&map, 100 + round % 3, box_of(round), NULL) >= 0, true);
        assert_int_equal(boxes_remove(&map, 100 + round % 3, NULL), CM_OK);
    }
    assert_int_equal(*got.number, 5);
    assert_int_equal(all.live, 10); /* nine in the map, and this one */
    drop(got);
    end(&map);
}

static void L2_other_maps_come_and_go_without_touching_what_is_held(void **state)
{
    (void)state;
    boxes a;
    boxes_read_guard held;
    begin(&a, 10);
    assert_int_equal(boxes_read(&a, 5, &held), CM_OK);
    for (size_t round = 0; round < 20; round++) {
        boxes b;
        assert_int_equal(boxes_init(&b, &(cm_config){.context = &all}), CM_OK);
        for (uint64_t key = 0; key < 3000; key++) /* tables and nodes are retired and given back meanwhile */
            assert_true(boxes_put(&b, key, box_of(key), NULL) == CM_OK && (key % 2 || !boxes_remove(&b, key, NULL)));
        boxes_settle(&b);
        boxes_destroy(&b);
        assert_int_equal(*held.value->number, 5);
    }
    assert_int_equal(boxes_read_unlock(&held), CM_OK);
    end(&a);
}

/* ---- many threads ---- */

#define KEYS 64

static size_t use_together(void *context, unsigned i)
{
    boxes *map = context;
    uint64_t random = 77 + i;
    size_t wrong = 0;
    struct box got;
    for (size_t n = crew_scale(100000); n > 0; n--) {
        uint64_t key = crew_random(&random) % KEYS;
        switch (crew_random(&random) % 6) {
        case 0:
            wrong += boxes_put(map, key, box_of(key), NULL) < 0;
            break;
        case 1:
            boxes_remove(map, key, NULL);
            break;
        case 2:
            if (boxes_remove(map, key, &got) == CM_OK)
                wrong += drop(got) != key;
            break;
        case 3:
            wrong += boxes_get_or_insert(map, key, box_of(key), &got) < 0;
            wrong += drop(got) != key;
            break;
        default:
            if (boxes_get(map, key, &got))
                wrong += drop(got) != key;
        }
    }
    return wrong;
}

struct race {
    boxes map;
    uint64_t seen[4][1000];
};

static size_t insert_first(void *context, unsigned i)
{
    struct race *race = context;
    struct box got;
    size_t wrong = 0;
    for (uint64_t key = 0; key < 1000; key++) {
        cm_status status = boxes_get_or_insert(&race->map, key, box_of(i), &got);
        race->seen[i][key] = drop(got);
        wrong += status < 0 || (status == CM_OK && race->seen[i][key] != i);
    }
    return wrong;
}

static void E1_one_value_is_kept_and_the_losers_are_destroyed(void **state)
{
    (void)state;
    static struct race race;
    begin(&race.map, 0);
    assert_int_equal(crew_run(4, insert_first, &race), 0);
    assert_int_equal(boxes_len(&race.map), 1000);
    for (size_t key = 0; key < 1000; key++)
        for (size_t i = 1; i < 4; i++)
            assert_int_equal(race.seen[i][key], race.seen[0][key]);
    end(&race.map);
}

static void a_value_lives_while_somebody_copies_it(void **state)
{
    (void)state;
    boxes map;
    begin(&map, KEYS);
    assert_int_equal(crew_run(4, use_together, &map), 0);
    end(&map);
}

static size_t name_together(void *context, unsigned i)
{
    names *map = context;
    uint64_t random = 99 + i;
    size_t wrong = 0;
    struct box got;
    for (size_t n = crew_scale(50000); n > 0; n--) {
        uint64_t number = crew_random(&random) % KEYS;
        struct box key = box_of(number);
        switch (crew_random(&random) % 4) {
        case 0:
            wrong += names_put(map, key, box_of(number), NULL) < 0;
            break;
        case 1:
            names_remove(map, key, NULL);
            break;
        case 2:
            names_contains(map, key);
            break;
        default:
            if (names_get(map, key, &got))
                wrong += drop(got) != number;
        }
        drop(key);
    }
    return wrong;
}

static void a_key_lives_while_somebody_compares_it(void **state)
{
    (void)state;
    names map;
    cm_config own = config();
    assert_int_equal(names_init(&map, &own), CM_OK);
    dawdle = true;
    assert_int_equal(crew_run(4, name_together, &map), 0);
    dawdle = false;
    assert_int_equal(names_check(&map, NULL), CM_OK);
    names_destroy(&map);
    assert_int_equal(all.live, 0);
}

static void texts_may_have_owned_values(void **state)
{
    (void)state;
    texts map;
    cm_config own = config();
    char text[600];
    struct box got;
    memset(text, 'x', sizeof text);
    assert_int_equal(texts_init(&map, &own), CM_OK);
    for (size_t n = 0; n < sizeof text; n += 7)
        assert_int_equal(texts_put(&map, cm_str_from(text, n), box_of(n), NULL), CM_OK);
    for (size_t n = 0; n < sizeof text; n += 14)
        assert_int_equal(texts_remove(&map, cm_str_from(text, n), NULL), CM_OK);
    for (size_t n = 7; n < sizeof text; n += 14) {
        assert_true(texts_get(&map, cm_str_from(text, n), &got));
        assert_int_equal(drop(got), n);
    }
    texts_destroy(&map);
    assert_int_equal(all.live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_calls_destroy_what_nobody_has),
        cmocka_unit_test(a_failure_leaves_the_value_to_its_giver),
        cmocka_unit_test(guards_and_entries_own_their_values),
        cmocka_unit_test(whole_maps_own_their_values),
        cmocka_unit_test(batches_own_their_values),
        cmocka_unit_test(E1_one_value_is_kept_and_the_losers_are_destroyed),
        cmocka_unit_test(L9_a_map_destroys_what_it_has),
        cmocka_unit_test(keys_that_hold_pointers_are_found_and_given_back),
        cmocka_unit_test(M1_nothing_is_lost_when_something_fails),
        cmocka_unit_test(L1_what_was_got_is_not_what_took_its_place),
        cmocka_unit_test(L2_other_maps_come_and_go_without_touching_what_is_held),
        cmocka_unit_test(a_value_lives_while_somebody_copies_it),
        cmocka_unit_test(a_key_lives_while_somebody_compares_it),
        cmocka_unit_test(texts_may_have_owned_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
