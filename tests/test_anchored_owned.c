/* Keys and values of anchored maps that own memory, or count references: each is destroyed exactly once, what was taken
 * out of use not before the map may forget it; and a map of any size, with failing allocations, stays whole. Maps keep
 * (CM_KEEP) here, so what there is can be counted. The names with a letter and a number are cases of the project's list
 * of bugs that other maps had. */
#include <concmap/anchored.h>

#include "boxes.h"
#include "crew.h"
#include "failing_allocator.h"
#include "kinds.h"
#include "unit.h"

CM_ANCHORED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_ANCHORED_MAP(words, cm_str, uint64_t, cm_hash_str, cm_equal_str)
CM_ANCHORED_MAP(strides, uint64_t, uint64_t, identity_hash, cm_equal_u64)
CM_ANCHORED_MAP_OWNED(boxes, uint64_t, struct box, cm_hash_u64, cm_equal_u64, CM_PLAIN,
                      CM_OWNED(box_clone, box_destroy))
CM_ANCHORED_MAP_OWNED(names, struct box, struct box, box_hash, box_equal, CM_OWNED(box_clone, box_destroy),
                      CM_OWNED(box_clone, box_destroy))
CM_ANCHORED_MAP_OWNED(handles, struct box, uint64_t, poor_hash, box_equal, CM_OWNED(box_clone, box_destroy), CM_PLAIN)
CM_ANCHORED_MAP_OWNED(texts, cm_str, struct box, cm_hash_str, cm_equal_str, CM_PLAIN, CM_OWNED(box_clone, box_destroy))

static void begin(boxes *map, uint64_t count)
{
    cm_config own = config();
    assert_int_equal(boxes_init(map, &own), CM_OK);
    for (uint64_t key = 0; key < count; key++)
        assert_int_equal(boxes_put(map, key, box_of(key), NULL), CM_OK);
}

/* `kept`: boxes that the map has besides those of its entries. */
static void end(boxes *map, size_t kept)
{
    const char *reason = NULL;
    if (boxes_check(map, &reason) != CM_OK)
        fail_msg("%s", reason);
    assert_int_equal(all.live, boxes_len(map) + kept);
    boxes_destroy(map);
    assert_int_equal(all.live, 0);
}

/* What is there grows by so many boxes. */
#define GROWS(by, call)                                                                                                \
    do {                                                                                                               \
        size_t live_before = all.live;                                                                                 \
        call;                                                                                                          \
        assert_int_equal(all.live, live_before + (size_t)(by));                                                        \
    } while (0)

static cm_status allow(struct box *box, void *context)
{
    (void)box, (void)context;
    return CM_OK;
}

static void what_is_taken_out_of_use_waits_and_what_is_not_taken_goes(void **state)
{
    (void)state;
    boxes map;
    const struct box *at, *before;
    begin(&map, 100);
    before = boxes_get(&map, 5);
    GROWS(0, assert_int_equal(boxes_insert(&map, 5, box_of(1)), CM_EXISTS));
    GROWS(1, assert_int_equal(boxes_put(&map, 5, box_of(50), NULL), CM_REPLACED));
    GROWS(1, assert_int_equal(boxes_replace(&map, 5, box_of(51), &at), CM_REPLACED));
    assert_int_equal(*at->number, 50);
    assert_int_equal(*before->number, 5);
    GROWS(1, assert_int_equal(boxes_update(&map, 5, add_ten, NULL), CM_OK)); /* of a clone, and the old one waits */
    assert_int_equal(*boxes_get(&map, 5)->number, 61);
    assert_int_equal(*at->number, 50);
    GROWS(1, assert_int_equal(boxes_upsert(&map, 5, box_of(1), add_ten, NULL), CM_REPLACED));
    GROWS(1, assert_int_equal(boxes_upsert(&map, 200, box_of(2), add_ten, NULL), CM_OK));
    GROWS(1, assert_int_equal(boxes_update_if(&map, 200, always, add_ten, NULL), CM_OK));
    GROWS(0, assert_int_equal(boxes_get_or_insert(&map, 200, box_of(1), &at), CM_EXISTS));
    assert_int_equal(*at->number, 12);
    GROWS(1, assert_int_equal(boxes_get_or_insert(&map, 201, box_of(3), &at), CM_OK));
    assert_ptr_equal(at, boxes_get(&map, 201));
    GROWS(1, assert_int_equal(boxes_get_or_insert_with(&map, 202, make_seven, NULL, &at), CM_OK));
    assert_int_equal(*at->number, 7);
    GROWS(0, assert_int_equal(boxes_get_or_insert_with(&map, 202, make_seven, NULL, NULL), CM_EXISTS));
    GROWS(0, assert_int_equal(boxes_get_or_insert_with(&map, 203, refuse, NULL, NULL), CM_IO));
    GROWS(0, assert_int_equal(boxes_remove(&map, 202, &at), CM_OK));
    assert_int_equal(*at->number, 7);
    GROWS(0, assert_int_equal(boxes_remove_if(&map, 200, refuse, NULL, NULL), CM_IO));
    GROWS(0, assert_int_equal(boxes_remove_if(&map, 200, allow, NULL, NULL), CM_OK));
    assert_int_equal(boxes_len(&map), 101);
    GROWS(-7, assert_int_equal(boxes_shrink_to_fit(&map), CM_OK)); /* 4 of key 5, 2 of 200, 1 of 202 */
    end(&map, 0);
}

static cm_status keep_it(struct box *box, void *context)
{
    (void)box, (void)context;
    return CM_EXISTS;
}

static void a_change_that_is_none_leaves_no_copy(void **state)
{
    (void)state;
    boxes map;
    begin(&map, 10);
    const struct box *at = boxes_get(&map, 5);
    GROWS(0, assert_int_equal(boxes_update(&map, 5, keep_it, NULL), CM_EXISTS));
    GROWS(0, assert_int_equal(boxes_update(&map, 5, refuse, NULL), CM_IO));
    GROWS(0, assert_int_equal(boxes_update(&map, 500, add_ten, NULL), CM_ABSENT));
    struct box expected = box_of(6), mine = box_of(8);
    GROWS(-1, assert_int_equal(boxes_compare_exchange(&map, 5, &expected, mine, same), CM_EXISTS));
    mine = box_of(8);
    GROWS(-1, assert_int_equal(boxes_compare_exchange(&map, 500, &expected, mine, same), CM_ABSENT));
    mine = box_of(8);
    GROWS(-1, assert_int_equal(boxes_replace(&map, 500, mine, NULL), CM_ABSENT));
    mine = box_of(8);
    assert_ptr_equal(boxes_get(&map, 5), at);
    GROWS(0, assert_int_equal(boxes_compare_exchange(&map, 6, &expected, mine, same), CM_REPLACED));
    assert_int_equal(*boxes_get(&map, 6)->number, 8);
    drop(expected);
    end(&map, 1); /* what 6 was */
}

static void a_failure_leaves_the_value_to_its_giver(void **state)
{
    (void)state;
    boxes map;
    cm_config own = config();
    struct box mine = box_of(1);
    own.limit = 1;
    assert_int_equal(boxes_init(&map, &own), CM_OK);
    assert_int_equal(boxes_put(&map, 1, box_of(0), NULL), CM_OK);
    const struct box *at = boxes_get(&map, 1);
    assert_int_equal(boxes_put(&map, 2, mine, NULL), CM_FULL);
    assert_int_equal(boxes_insert(&map, 2, mine), CM_FULL);
    assert_int_equal(boxes_get_or_insert(&map, 2, mine, NULL), CM_FULL);
    GROWS(0, assert_int_equal(boxes_get_or_insert_with(&map, 2, make_seven, NULL, NULL), CM_FULL));
    assert_int_equal(boxes_upsert(&map, 1, mine, refuse, NULL), CM_IO);
    all.fail_at = all.clones + 1; /* there is no copy to work on */
    assert_int_equal(boxes_update(&map, 1, add_ten, NULL), CM_NOMEM);
    all.fail_at = all.clones + 1;
    assert_int_equal(boxes_upsert(&map, 1, mine, add_ten, NULL), CM_NOMEM);
    assert_ptr_equal(boxes_get(&map, 1), at);
    assert_int_equal(*mine.number, 1);
    drop(mine);
    end(&map, 0);
}

static void calls_of_one_thread_own_their_values(void **state)
{
    (void)state;
    boxes map;
    struct box got;
    begin(&map, 10);
    GROWS(0, assert_int_equal(boxes_remove_entry(&map, 3, &got), CM_OK));
    assert_int_equal(drop(got), 3);
    assert_int_equal(boxes_remove_entry(&map, 3, &got), CM_ABSENT);
    assert_int_equal(boxes_modify(&map, 4, add_ten, NULL), CM_OK);
    assert_int_equal(*boxes_get_mut(&map, 4)->number, 14);
    boxes_entry_ref entry = boxes_entry(&map, 50);
    assert_null(entry.value);
    assert_int_equal(*boxes_entry_insert(&entry, box_of(1))->number, 1);
    GROWS(1, assert_int_equal(*boxes_entry_insert(&entry, box_of(2))->number, 2));
    assert_int_equal(boxes_entry_remove(&entry, &got), CM_OK);
    assert_int_equal(drop(got), 2);
    assert_int_equal(boxes_values_mut(&map, add_ten, NULL), CM_OK);
    assert_int_equal(*boxes_get(&map, 4)->number, 24);
    end(&map, 1);
}

static cm_status keep_odd(const uint64_t *key, const struct box *box, void *context)
{
    (void)box, (void)context;
    return *key % 2 ? CM_OK : CM_ABSENT;
}

static cm_status look_at_it(const uint64_t *key, struct box *box, void *context)
{
    *(uint64_t *)context += *key;
    return *box->number % 1000 == *key % 1000 ? CM_OK : CM_INVALID;
}

static cm_status sum_up(struct box *mine, const struct box *theirs, void *context)
{
    (void)context;
    *mine->number += *theirs->number;
    return CM_OK;
}

static cm_status double_it(const uint64_t *key, struct box *box, void *context)
{
    (void)key, (void)context;
    *box->number *= 2;
    return CM_OK;
}

static void whole_maps_own_their_values(void **state)
{
    (void)state;
    boxes map, copy, moved;
    struct box some[10];
    uint64_t sum = 0;
    size_t count;
    begin(&map, 1000);
    assert_int_equal(boxes_clone(&copy, &map), CM_OK);
    assert_int_equal(all.live, 2000);
    assert_int_equal(boxes_equals(&map, &copy, same), CM_OK);
    GROWS(0, assert_int_equal(boxes_retain(&map, keep_odd, NULL), CM_OK));
    assert_int_equal(boxes_len(&map), 500);
    GROWS(0, assert_int_equal(boxes_extract_if(&copy, keep_odd, look_at_it, &sum), CM_OK)); /* the map's all the same */
    assert_int_equal(sum, 250000);
    GROWS(0, assert_int_equal(boxes_drain(&copy, look_at_it, &sum), CM_OK));
    assert_int_equal(boxes_len(&copy), 0);
    GROWS(-1000, assert_int_equal(boxes_clear(&copy), CM_OK));
    GROWS(500, assert_int_equal(boxes_merge(&copy, &map, sum_up, NULL), CM_OK));
    GROWS(500, assert_int_equal(boxes_merge(&copy, &map, sum_up, NULL), CM_OK)); /* new ones beside the old ones */
    assert_int_equal(*boxes_get(&copy, 77)->number, 154);
    assert_int_equal(boxes_equals(&map, &copy, same), CM_ABSENT);
    GROWS(500, assert_int_equal(boxes_alter_all(&map, double_it, NULL), CM_OK));
    assert_int_equal(boxes_equals(&map, &copy, same), CM_OK);
    boxes_destroy(&copy);
    assert_int_equal(boxes_to_arrays(&map, NULL, some, 10, &count), CM_INVALID);
    assert_int_equal(boxes_move(&moved, &map), CM_OK);
    boxes_destroy(&map);
    assert_int_equal(boxes_len(&moved), 500);
    assert_int_equal(boxes_clear(&moved), CM_OK);
    assert_int_equal(all.live, 0);
    end(&moved, 0);
}

static void batches_own_their_values(void **state)
{
    (void)state;
    boxes map;
    uint64_t wanted[200];
    struct box given[200];
    const struct box *seen[200];
    cm_status results[200];
    begin(&map, 100);
    for (uint64_t i = 0; i < 200; i++) {
        wanted[i] = i;
        given[i] = box_of(i + 1000);
    }
    GROWS(0, assert_int_equal(boxes_put_many(&map, wanted, given, 200, results), 200));
    assert_int_equal(boxes_get_many(&map, wanted, 200, seen), 200);
    for (size_t i = 0; i < 200; i++)
        assert_int_equal(*seen[i]->number, i + 1000);
    GROWS(200, assert_int_equal(boxes_update_many(&map, wanted, 200, add_ten, NULL, results), 200));
    GROWS(0, assert_int_equal(boxes_remove_many(&map, wanted, 50, seen, results), 50));
    for (size_t i = 0; i < 50; i++)
        assert_int_equal(*seen[i]->number, i + 1010);
    boxes_op ops[] = {{.kind = CM_OP_INSERT, .key = 150, .value = box_of(1)},
                      {.kind = CM_OP_UPSERT, .key = 150, .value = box_of(1), .function = add_ten},
                      {.kind = CM_OP_GET, .key = 150},
                      {.kind = CM_OP_PUT, .key = 150, .value = box_of(2)},
                      {.kind = CM_OP_REMOVE, .key = 150},
                      {.kind = CM_OP_INSERT, .key = 150, .value = box_of(3)}};
    GROWS(-1, assert_int_equal(boxes_apply_many(&map, ops, 6), 6)); /* two are not taken, and one is made anew */
    assert_int_equal(*ops[2].seen->number, 1170);
    assert_int_equal(*ops[3].seen->number, 1170);
    assert_int_equal(*ops[4].seen->number, 2);
    assert_int_equal(boxes_clear(&map), CM_OK);
    end(&map, 0);
}

/* ---- values that count references ---- */

struct counted {
    size_t *users;
};

static cm_status counted_clone(struct counted *to, const struct counted *from, void *context)
{
    (void)context;
    *to = *from;
    ++*to->users;
    return CM_OK;
}

static void counted_destroy(struct counted *counted, void *context)
{
    (void)context;
    --*counted->users;
}

static cm_status leave_as_it_is(struct counted *counted, void *context)
{
    (void)counted, (void)context;
    return CM_OK;
}

CM_ANCHORED_MAP_OWNED(shares, uint64_t, struct counted, cm_hash_u64, cm_equal_u64, CM_PLAIN,
                      CM_OWNED(counted_clone, counted_destroy))

static void counts_of_references_come_back_to_where_they_were(void **state)
{
    (void)state;
    shares map, copy;
    size_t users = 0;
    assert_int_equal(shares_init(&map, NULL), CM_OK);
    for (uint64_t key = 0; key < 100; key++) {
        users++;
        assert_int_equal(shares_put(&map, key, (struct counted){&users}, NULL), CM_OK);
        assert_int_equal(shares_update(&map, key, leave_as_it_is, NULL), CM_OK); /* one for each version */
    }
    assert_int_equal(users, 200);
    assert_int_equal(shares_clone(&copy, &map), CM_OK);
    assert_int_equal(users, 300);
    assert_int_equal(shares_remove(&map, 1, NULL), CM_OK);
    shares_destroy(&map);
    assert_int_equal(users, 100);
    shares_destroy(&copy);
    assert_int_equal(users, 0);
}

/* ---- the map's own memory ---- */

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
        assert_int_equal(names_update(&map, key, i % 2 ? add_ten : refuse, NULL), i % 2 ? CM_OK : CM_IO);
        assert_true(i % 3 || names_remove(&map, key, NULL) == CM_OK);
        drop(key);
    }
    assert_int_equal(names_check(&map, NULL), CM_OK);
    names_destroy(&map);
    assert_int_equal(all.live, 0);
}

static void G4_keys_of_one_hash_and_strided_ones_are_kept_apart(void **state)
{
    (void)state;
    handles map;
    strides strided;
    cm_config own = config();
    assert_int_equal(handles_init(&map, &own), CM_OK);
    assert_int_equal(strides_init(&strided, NULL), CM_OK);
    for (uint64_t i = 0; i < 300; i++) {
        struct box key = box_of(i);
        assert_int_equal(handles_put(&map, key, i, NULL), CM_OK);
        assert_int_equal(strides_put(&strided, i << 20, i, NULL), CM_OK);
        assert_true(i % 3 || handles_remove(&map, key, NULL) == CM_OK);
        drop(key);
    }
    for (uint64_t i = 0; i < 300; i++) {
        struct box key = box_of(i);
        const uint64_t *at = handles_get(&map, key);
        assert_true(i % 3 ? at && *at == i : !at);
        assert_int_equal(*strides_get(&strided, i << 20), i);
        drop(key);
    }
    assert_true(handles_memory(&map).total < 1 << 20);
    assert_true(strides_memory(&strided).total < 1 << 20);
    assert_int_equal(handles_check(&map, NULL), CM_OK);
    assert_int_equal(strides_check(&strided, NULL), CM_OK);
    handles_destroy(&map);
    strides_destroy(&strided);
    assert_int_equal(all.live, 0);
}

static void G5_a_map_is_destroyed_while_it_grows(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    for (uint64_t count = 1; count < 3000; count += 91) {
        boxes map;
        cm_config own = config();
        own.allocator = &memory.allocator;
        assert_int_equal(boxes_init(&map, &own), CM_OK);
        for (uint64_t key = 0; key < count; key++)
            assert_int_equal(boxes_put(&map, key, box_of(key), NULL), CM_OK);
        boxes_destroy(&map);
        assert_int_equal(all.live, 0);
        assert_int_equal(memory.live_blocks, 0);
        assert_int_equal(memory.mistakes, 0);
    }
}

static void L10_blocks_aligned_to_8_bytes_will_do(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    memory.misaligned = true;
    words map;
    char text[512] = {0};
    assert_int_equal(words_init(&map, &(cm_config){.allocator = &memory.allocator}), CM_OK);
    for (int i = 0; i < 2000; i++) {
        snprintf(text, sizeof text, "%d", i);
        assert_int_equal(words_put(&map, cm_str_from(text, i % 2 ? 400 : 20), 1, NULL), CM_OK);
        assert_true(i % 3 || words_remove(&map, cm_str_from(text, i % 2 ? 400 : 20), NULL) == CM_OK);
    }
    assert_int_equal(words_check(&map, NULL), CM_OK);
    words_destroy(&map);
    assert_int_equal(memory.live_blocks, 0);
    assert_int_equal(memory.mistakes, 0);
}

static void is_whole(nums *map, uint64_t count)
{
    assert_int_equal(nums_len(map), count);
    for (uint64_t key = 0; key < count; key++)
        assert_true(nums_get(map, key) && *nums_get(map, key) == key * 10);
    assert_int_equal(nums_check(map, NULL), CM_OK);
}

static void fill(nums *map, uint64_t from, uint64_t to)
{
    for (uint64_t key = from; key < to; key++)
        assert_int_equal(nums_put(map, key, key * 10, NULL), CM_OK);
}

static void E7_maps_are_copied_and_exchanged_while_they_grow(void **state)
{
    (void)state;
    for (uint64_t count = 1; count < 3000; count += 97) { /* many of these in the middle of growth */
        nums a, b, c, d;
        assert_int_equal(nums_init(&a, NULL), CM_OK);
        assert_int_equal(nums_init(&b, NULL), CM_OK);
        fill(&a, 0, count);
        fill(&b, 0, 10);
        const uint64_t *at = nums_get(&a, 0);
        nums_swap(&a, &b);
        is_whole(&a, 10);
        is_whole(&b, count);
        assert_int_equal(nums_clone(&d, &b), CM_OK);
        is_whole(&d, count);
        assert_int_equal(nums_move(&c, &b), CM_OK);
        is_whole(&b, 0);
        assert_ptr_equal(nums_get(&c, 0), at); /* entries stay where they are */
        fill(&b, 0, 100);
        fill(&c, count, count + 500); /* and it grows on */
        assert_int_equal(nums_merge(&a, &c, NULL, NULL), CM_OK);
        is_whole(&a, count + 500);
        is_whole(&b, 100);
        is_whole(&c, count + 500);
        nums_destroy(&a);
        nums_destroy(&b);
        nums_destroy(&c);
        nums_destroy(&d);
    }
}

static cm_status spoil_and_fail(uint64_t *value, void *context)
{
    (void)context;
    *value = 0xdead;
    return CM_INVALID;
}

static cm_status spoil_all_and_fail(const uint64_t *key, uint64_t *value, void *context)
{
    (void)key;
    return spoil_and_fail(value, context);
}

static void K4_a_callback_that_fails_leaves_the_entry_and_no_lock(void **state)
{
    (void)state;
    nums map;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    nums_put(&map, 1, 11, NULL);
    const uint64_t *at = nums_get(&map, 1);
    size_t nodes = nums_memory(&map).nodes;
    for (int round = 0; round < 1000; round++) {
        assert_int_equal(nums_update(&map, 1, spoil_and_fail, NULL), CM_INVALID);
        assert_int_equal(nums_upsert(&map, 1, 5, spoil_and_fail, NULL), CM_INVALID);
        assert_int_equal(nums_alter_all(&map, spoil_all_and_fail, NULL), CM_INVALID);
        assert_int_equal(nums_get_or_insert_with(&map, 100 + (uint64_t)round, spoil_and_fail, NULL, NULL), CM_INVALID);
        assert_ptr_equal(nums_get(&map, 1), at);
        assert_int_equal(*at, 11);
        assert_int_equal(nums_len(&map), 1);
    }
    assert_int_equal(nums_memory(&map).nodes, nodes); /* what was not used was given back */
    assert_int_equal(nums_memory(&map).waiting, 0);
    nums_destroy(&map);
}

static void M2_any_capacity_is_taken_or_refused(void **state)
{
    (void)state;
    static const size_t capacities[] = {0, 1, 2, 3, 5, 1000, 4097};
    nums map;
    for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
        assert_int_equal(nums_init(&map, &(cm_config){.capacity = capacities[i]}), CM_OK);
        fill(&map, 0, 3000);
        is_whole(&map, 3000);
        assert_true(nums_capacity(&map) >= 2000);
        nums_destroy(&map);
    }
    assert_int_equal(nums_init(&map, &(cm_config){.capacity = SIZE_MAX}), CM_NOMEM);
    assert_int_equal(nums_init(&map, &(cm_config){.capacity = SIZE_MAX / 64}), CM_NOMEM);
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    assert_int_equal(nums_reserve(&map, SIZE_MAX), CM_NOMEM);
    fill(&map, 0, 100);
    is_whole(&map, 100);
    nums_destroy(&map);
}

/* Everything that may fail, for every n: the n-th clone, and the n-th allocation. */

/* A value that a call did not take is the caller's still. */
static void give(cm_status status, struct box value)
{
    if (status < 0)
        drop(value);
}

static void use_an_entry(names *map, uint64_t i)
{
    struct box key = box_of(i), value = box_of(i), expected = box_of(i), got;
    give(names_put(map, key, value, NULL), value);
    value = box_of(i);
    give(names_get_or_insert(map, key, value, NULL), value);
    names_update(map, key, add_ten, NULL);
    value = box_of(i);
    give(names_upsert(map, key, value, add_ten, NULL), value);
    value = box_of(i);
    give(names_replace(map, key, value, NULL), value);
    value = box_of(i + 1);
    give(names_compare_exchange(map, key, &expected, value, same), value);
    if (i % 3 == 0)
        names_remove(map, key, NULL);
    if (i % 3 == 1 && names_remove_entry(map, key, &got) == CM_OK)
        drop(got);
    names_get_or_insert_with(map, key, make_seven, NULL, NULL);
    drop(expected);
    drop(key);
}

static void use_a_map(names *map)
{
    const struct box *seen;
    struct box mine[8];
    cm_status results[8];
    names copy;
    for (uint64_t i = 0; i < 12; i++)
        use_an_entry(map, i);
    for (uint64_t i = 0; i < 8; i++)
        mine[i] = box_of(i);
    names_update_many(map, mine, 8, add_ten, NULL, results);
    names_get_many(map, mine, 1, &seen);
    CM_FOREACH (names, map, it)
        assert_true(*it.value->number < 100);
    if (names_clone(&copy, map) == CM_OK)
        names_destroy(&copy);
    names_remove_many(map, mine, 8, NULL, results);
    for (uint64_t i = 0; i < 8; i++)
        drop(mine[i]);
}

static void M1_nothing_is_lost_when_something_fails(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    for (size_t n = 1; n < 150; n++) {
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
            all.fail_at = 0;
            failing_allocator_restart(&memory);
            struct box key = box_of(1000); /* and it works on */
            assert_int_equal(names_put(&map, key, box_of(1), NULL), CM_OK);
            assert_int_equal(*names_get(&map, key)->number, 1);
            drop(key);
            names_destroy(&map);
            assert_int_equal(all.live, 0);
            assert_int_equal(memory.live_blocks, 0);
            assert_int_equal(memory.mistakes, 0);
        }
    }
}

static void texts_may_have_owned_values(void **state)
{
    (void)state;
    texts map;
    cm_config own = config();
    char text[600];
    memset(text, 'x', sizeof text);
    assert_int_equal(texts_init(&map, &own), CM_OK);
    for (size_t n = 0; n < sizeof text; n += 7) {
        assert_int_equal(texts_put(&map, cm_str_from(text, n), box_of(n), NULL), CM_OK);
        assert_int_equal(texts_update(&map, cm_str_from(text, n), add_ten, NULL), CM_OK);
    }
    for (size_t n = 0; n < sizeof text; n += 14)
        assert_int_equal(texts_remove(&map, cm_str_from(text, n), NULL), CM_OK);
    for (size_t n = 7; n < sizeof text; n += 14)
        assert_int_equal(*texts_get(&map, cm_str_from(text, n))->number, n + 10);
    texts_destroy(&map);
    assert_int_equal(all.live, 0);
}

/* ---- many threads ---- */

#define KEYS 64

/* All values of a key leave the same remainder; what was got is read again later, when it is out of use. */
static size_t use_together(void *context, unsigned i)
{
    names *map = context;
    uint64_t random = 77 + i;
    size_t wrong = 0;
    const struct box *kept[8] = {NULL};
    uint64_t numbers[8] = {0};
    for (size_t n = crew_scale(20000); n > 0; n--) {
        uint64_t number = crew_random(&random) % KEYS;
        struct box key = box_of(number);
        const struct box *at = NULL;
        switch (crew_random(&random) % 6) {
        case 0:
            wrong += names_put(map, key, box_of(number), &at) < 0;
            break;
        case 1:
            names_remove(map, key, &at);
            break;
        case 2:
            wrong += names_get_or_insert(map, key, box_of(number), &at) < 0;
            break;
        case 3:
            names_update(map, key, n % 2 ? add_ten : refuse, NULL);
            break;
        default:
            at = names_get(map, key);
        }
        drop(key);
        if (kept[n % 8])
            wrong += *kept[n % 8]->number != numbers[n % 8];
        kept[n % 8] = at;
        numbers[n % 8] = at ? *at->number : 0;
        wrong += at && (*at->number - number) % 10 != 0;
    }
    return wrong;
}

static void what_was_given_out_stays_and_all_of_it_goes_in_the_end(void **state)
{
    (void)state;
    names map;
    cm_config own = config();
    assert_int_equal(names_init(&map, &own), CM_OK);
    dawdle = true;
    assert_int_equal(crew_run(4, use_together, &map), 0);
    dawdle = false;
    assert_int_equal(names_check(&map, NULL), CM_OK);
    assert_int_equal(names_clear(&map), CM_OK);
    assert_int_equal(all.live, 0);
    names_destroy(&map);
    assert_int_equal(all.live, 0);
}

struct race {
    boxes map;
    const struct box *seen[4][1000];
};

static size_t insert_first(void *context, unsigned i)
{
    struct race *race = context;
    size_t wrong = 0;
    for (uint64_t key = 0; key < 1000; key++)
        wrong += boxes_get_or_insert(&race->map, key, box_of(i), &race->seen[i][key]) < 0;
    return wrong;
}

static void E1_one_value_is_kept_and_the_losers_are_destroyed(void **state)
{
    (void)state;
    static struct race race;
    begin(&race.map, 0);
    assert_int_equal(crew_run(4, insert_first, &race), 0);
    for (size_t key = 0; key < 1000; key++)
        for (size_t i = 0; i < 4; i++)
            assert_ptr_equal(race.seen[i][key], boxes_get(&race.map, key));
    end(&race.map, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_taken_out_of_use_waits_and_what_is_not_taken_goes),
        cmocka_unit_test(a_change_that_is_none_leaves_no_copy),
        cmocka_unit_test(a_failure_leaves_the_value_to_its_giver),
        cmocka_unit_test(calls_of_one_thread_own_their_values),
        cmocka_unit_test(whole_maps_own_their_values),
        cmocka_unit_test(batches_own_their_values),
        cmocka_unit_test(counts_of_references_come_back_to_where_they_were),
        cmocka_unit_test(texts_may_have_owned_values),
        cmocka_unit_test(L9_a_map_destroys_what_it_has),
        cmocka_unit_test(G4_keys_of_one_hash_and_strided_ones_are_kept_apart),
        cmocka_unit_test(G5_a_map_is_destroyed_while_it_grows),
        cmocka_unit_test(L10_blocks_aligned_to_8_bytes_will_do),
        cmocka_unit_test(E7_maps_are_copied_and_exchanged_while_they_grow),
        cmocka_unit_test(K4_a_callback_that_fails_leaves_the_entry_and_no_lock),
        cmocka_unit_test(M1_nothing_is_lost_when_something_fails),
        cmocka_unit_test(M2_any_capacity_is_taken_or_refused),
        cmocka_unit_test(what_was_given_out_stays_and_all_of_it_goes_in_the_end),
        cmocka_unit_test(E1_one_value_is_kept_and_the_losers_are_destroyed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
