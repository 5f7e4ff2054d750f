/* Promises of the dynamic anchored map beyond those of every map (test_any_anchored_kinds.c): addresses that stay,
 * values made once, what wants the map for itself, its room for values, and which types it takes. */
#include <concmap/any_anchored.h>
#include <concmap/domain.h>

#include "any_failing.h"
#include "crew.h"
#include "unit.h"

static void nums_init(cm_any_anchored *map, const cm_config *config)
{
    struct cm_type type;
    cm_any_type_u64(&type, sizeof(uint64_t));
    assert_int_equal(cm_any_anchored_init(map, &type, config), CM_OK);
}

static void fill(cm_any_anchored *map, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t value = i * 10;
        assert_int_equal(cm_any_anchored_put(map, &i, &value, NULL), CM_OK);
    }
}

static void finish(cm_any_anchored *map)
{
    const char *reason = NULL;
    if (cm_any_anchored_check(map, &reason) != CM_OK)
        fail_msg("%s", reason);
    cm_any_anchored_destroy(map);
}

/* What there is for a key; 77: nothing. */
static uint64_t number_of(const cm_any_anchored *map, uint64_t key)
{
    const uint64_t *value = cm_any_anchored_get(map, &key);
    return value ? *value : 77;
}

static cm_status add(void *value, void *context)
{
    *(uint64_t *)value += *(const uint64_t *)context;
    return CM_OK;
}

static cm_status spoil(void *value, void *context)
{
    (void)context;
    *(uint64_t *)value = 999;
    return CM_FULL;
}

static bool is_odd(const void *value, void *context)
{
    (void)context;
    return *(const uint64_t *)value & 1;
}

static cm_status refuse(void *value, void *context)
{
    (void)value, (void)context;
    return CM_EXISTS;
}

/* ---- addresses ---- */

static void an_address_outlives_its_key_and_later_inserts(void **state)
{
    (void)state;
    cm_any_anchored map;
    uint64_t key = 3, one = 1;
    const void *old = NULL, *removed = NULL;
    nums_init(&map, NULL);
    fill(&map, 10);
    const uint64_t *seen = cm_any_anchored_get(&map, &key);
    assert_int_equal(cm_any_anchored_put(&map, &key, &one, &old), CM_REPLACED);
    assert_ptr_equal(old, seen);
    assert_int_equal(cm_any_anchored_replace(&map, &key, &key, &old), CM_REPLACED);
    assert_int_equal(*(const uint64_t *)old, 1);
    assert_int_equal(cm_any_anchored_update(&map, &key, add, &one), CM_OK);
    assert_int_equal(cm_any_anchored_remove(&map, &key, &removed), CM_OK);
    assert_int_equal(*(const uint64_t *)removed, 4);
    assert_null(cm_any_anchored_get(&map, &key));
    assert_int_equal(cm_any_anchored_replace(&map, &key, &one, &old), CM_ABSENT);
    for (uint64_t i = 100; i < 20000; i++)
        assert_int_equal(cm_any_anchored_put(&map, &i, &i, NULL), CM_OK);
    assert_int_equal(*seen, 30);
    assert_int_equal(*(const uint64_t *)old, 1);
    assert_int_equal(*(const uint64_t *)removed, 4);
    assert_int_equal(cm_any_anchored_unreclaimed(&map).entries, 4);
    assert_int_equal(cm_any_anchored_shrink_to_fit(&map), CM_OK);
    assert_int_equal(cm_any_anchored_unreclaimed(&map).entries, 0);
    assert_true(cm_any_anchored_capacity(&map) >= cm_any_anchored_len(&map));
    assert_int_equal(cm_any_anchored_clear(&map), CM_OK);
    assert_int_equal(cm_any_anchored_len(&map), 0);
    finish(&map);
}

static void in_a_domain_an_address_stays_until_the_thread_reports(void **state)
{
    (void)state;
    cm_any_anchored map;
    cm_domain domain;
    uint64_t key = 1;
    assert_int_equal(cm_domain_init(&domain, NULL), CM_OK);
    nums_init(&map, &(cm_config){.references = CM_DOMAIN, .domain = &domain});
    fill(&map, 10);
    const uint64_t *seen = cm_any_anchored_get(&map, &key);
    for (uint64_t i = 0; i < 5000; i++) {
        assert_int_equal(cm_any_anchored_put(&map, &key, &i, NULL), CM_REPLACED);
        assert_int_equal(*seen, 10);
    }
    assert_true(cm_any_anchored_unreclaimed(&map).entries >= 5000);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(cm_domain_quiescent(&domain), CM_OK);
        (void)cm_any_anchored_settle(&map);
    }
    assert_int_equal(cm_any_anchored_unreclaimed(&map).entries, 0);
    cm_domain_part(&domain);
    finish(&map);
    assert_int_equal(cm_domain_destroy(&domain), CM_OK);
}

static void a_set_gives_one_address_for_each_key(void **state)
{
    (void)state;
    struct cm_type type;
    cm_any_type_text(&type, 0);
    cm_any_anchored *set = cm_any_anchored_create(&type, NULL, NULL);
    cm_str name = cm_str_of("name"), other = cm_str_of("other");
    const void *at = NULL, *again = NULL, *stored = NULL, *nothing;
    assert_int_equal(cm_any_anchored_get_or_insert(set, &name, NULL, &at), CM_OK);
    assert_int_equal(cm_any_anchored_get_or_insert(set, &name, NULL, &again), CM_EXISTS);
    assert_ptr_equal(at, again);
    nothing = cm_any_anchored_get_key_value(set, &other, &stored);
    assert_null(nothing);
    assert_null(stored);
    assert_ptr_equal(cm_any_anchored_get_key_value(set, &name, &stored), at);
    assert_ptr_not_equal(stored, &name);
    assert_true(cm_equal_str(stored, &name));
    assert_int_equal(cm_any_anchored_put_many(set, &other, NULL, 1, NULL), 1);
    assert_int_equal(cm_any_anchored_len(set), 2);
    assert_ptr_equal(cm_any_anchored_share(set), set);
    cm_any_anchored_release(set);
    assert_true(cm_any_anchored_contains(set, &other));
    cm_any_anchored_release(set);
    cm_any_anchored_release(NULL);
}

/* ---- changes ---- */

static void changes_work_as_those_of_typed_maps(void **state)
{
    (void)state;
    cm_any_anchored map;
    uint64_t key = 3, one = 1, expected = 7, desired = 100;
    const void *value = NULL;
    nums_init(&map, NULL);
    fill(&map, 10);
    assert_int_equal(cm_any_anchored_update_if(&map, &key, is_odd, add, &one), CM_EXISTS);
    assert_int_equal(cm_any_anchored_update(&map, &key, add, &one), CM_OK);
    assert_int_equal(cm_any_anchored_update_if(&map, &key, is_odd, add, &one), CM_OK);
    assert_int_equal(cm_any_anchored_update(&map, &key, spoil, NULL), CM_FULL);
    assert_int_equal(number_of(&map, 3), 32);
    assert_int_equal(cm_any_anchored_compare_exchange(&map, &key, &expected, &desired, cm_any_equal_u64), CM_EXISTS);
    assert_int_equal(expected, 32);
    assert_int_equal(cm_any_anchored_compare_exchange(&map, &key, &expected, &desired, cm_any_equal_u64), CM_REPLACED);
    assert_int_equal(number_of(&map, 3), 100);
    assert_int_equal(cm_any_anchored_remove_if(&map, &key, refuse, NULL, &value), CM_EXISTS);
    assert_int_equal(cm_any_anchored_upsert(&map, &key, &one, add, &one), CM_REPLACED);
    uint64_t hash = cm_any_anchored_hash_of(&map, &key);
    assert_int_equal(*(const uint64_t *)cm_any_anchored_get_hashed(&map, hash, &key), 101);
    assert_true(cm_any_anchored_contains_hashed(&map, hash, &key));
    assert_int_equal(cm_any_anchored_remove_hashed(&map, hash, &key, &value), CM_OK);
    assert_int_equal(*(const uint64_t *)value, 101);
    assert_int_equal(cm_any_anchored_try_insert(&map, &key, &one), CM_OK);
    assert_int_equal(cm_any_anchored_insert_until(&map, &key, &one, cm_deadline_after(1000)), CM_EXISTS);
    finish(&map);
}

static void calls_alone_in_the_map_change_values_in_place(void **state)
{
    (void)state;
    cm_any_anchored map;
    uint64_t key = 5, absent = 55, one = 1, taken = 0, sum = 0;
    nums_init(&map, NULL);
    fill(&map, 10);
    uint64_t *value = cm_any_anchored_get_mut(&map, &key);
    *value += 1;
    assert_int_equal(cm_any_anchored_modify(&map, &key, add, &one), CM_OK);
    assert_int_equal(cm_any_anchored_modify(&map, &absent, add, &one), CM_ABSENT);
    assert_int_equal(*value, 52);
    assert_int_equal(cm_any_anchored_values_mut(&map, add, &one), CM_OK);
    CM_FOREACH (cm_any_anchored_mut, &map, it)
        *(uint64_t *)it.value += 1;
    CM_FOREACH (cm_any_anchored, &map, it)
        sum += *(const uint64_t *)it.value;
    assert_int_equal(sum, 450 + 2 + 10 + 10);
    assert_int_equal(cm_any_anchored_remove_entry(&map, &key, &taken), CM_OK);
    assert_int_equal(taken, 54);
    assert_int_equal(cm_any_anchored_unreclaimed(&map).entries, 0); /* its node is used again */
    cm_any_anchored_entry_ref entry = cm_any_anchored_entry(&map, &key);
    assert_null(entry.value);
    assert_int_equal(*(uint64_t *)cm_any_anchored_entry_insert(&entry, &one), 1);
    assert_int_equal(cm_any_anchored_entry_remove(&entry, &taken), CM_OK);
    assert_int_equal(cm_any_anchored_entry_remove(&entry, &taken), CM_ABSENT);
    assert_int_equal(cm_any_anchored_len(&map), 9);
    finish(&map);
}

static cm_status is_small(const void *key, const void *value, void *context)
{
    (void)value, (void)context;
    return *(const uint64_t *)key < 50 ? CM_OK : CM_ABSENT;
}

static cm_status sum_up(const void *key, void *value, void *sum)
{
    *(uint64_t *)sum += *(const uint64_t *)value - 10 * *(const uint64_t *)key;
    return CM_OK;
}

static cm_status count_up(const void *key, const void *value, void *count)
{
    (void)key, (void)value;
    ++*(size_t *)count;
    return CM_OK;
}

static cm_status increment(const void *key, void *value, void *context)
{
    (void)key, (void)context;
    ++*(uint64_t *)value;
    return CM_OK;
}

static void work_on_all_entries(void **state)
{
    (void)state;
    cm_any_anchored map;
    uint64_t cursor = 0, sum = 0;
    size_t count = 0;
    nums_init(&map, NULL);
    fill(&map, 100);
    assert_int_equal(cm_any_anchored_alter_all(&map, increment, NULL), CM_OK);
    assert_int_equal(cm_any_anchored_for_each(&map, count_up, &count), CM_OK);
    do
        assert_int_equal(cm_any_anchored_scan(&map, &cursor, 7, count_up, &count), CM_OK);
    while (cursor);
    for (unsigned part = 0; part < 3; part++) {
        cm_any_anchored_iter iter = cm_any_anchored_part_begin(&map, part, 3);
        while (cm_any_anchored_iter_next_until(&iter, CM_FOREVER))
            count++;
        cm_any_anchored_iter_end(&iter);
    }
    assert_int_equal(count, 300);
    assert_int_equal(cm_any_anchored_extract_if(&map, is_small, sum_up, &sum), CM_OK);
    assert_int_equal(sum, 50);
    assert_int_equal(cm_any_anchored_retain(&map, is_small, NULL), CM_OK);
    assert_int_equal(cm_any_anchored_len(&map), 0);
    fill(&map, 100);
    assert_int_equal(cm_any_anchored_drain(&map, sum_up, &sum), CM_OK);
    assert_int_equal(sum, 50);
    assert_int_equal(cm_any_anchored_len(&map), 0);
    finish(&map);
}

static cm_status add_theirs(void *mine, const void *theirs, void *context)
{
    (void)context;
    *(uint64_t *)mine += *(const uint64_t *)theirs;
    return CM_OK;
}

static void two_maps_become_one(void **state)
{
    (void)state;
    cm_any_anchored map, copy, texts;
    uint64_t keys[20], values[20];
    size_t count;
    struct cm_type type;
    nums_init(&map, NULL);
    fill(&map, 20);
    assert_int_equal(cm_any_anchored_clone(&copy, &map), CM_OK);
    assert_int_equal(cm_any_anchored_equals(&map, &copy, cm_any_equal_u64), CM_OK);
    assert_int_equal(cm_any_anchored_merge(&map, &copy, add_theirs, NULL), CM_OK);
    assert_int_equal(number_of(&map, 7), 140);
    assert_int_equal(cm_any_anchored_equals(&map, &copy, cm_any_equal_u64), CM_ABSENT);
    assert_int_equal(cm_any_anchored_merge(&map, &map, NULL, NULL), CM_INVALID);
    assert_int_equal(cm_any_anchored_to_arrays(&map, keys, values, 20, &count), CM_OK);
    assert_int_equal(count, 20);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(values[i], keys[i] * 20);
    cm_any_type_text(&type, 8);
    assert_int_equal(cm_any_anchored_init(&texts, &type, NULL), CM_OK);
    assert_int_equal(cm_any_anchored_merge(&map, &texts, NULL, NULL), CM_INVALID);
    cm_any_anchored_swap(&map, &texts);
    assert_int_equal(number_of(&texts, 7), 140);
    finish(&map);
    assert_int_equal(cm_any_anchored_move(&map, &texts), CM_OK);
    assert_int_equal(number_of(&map, 7), 140);
    finish(&texts);
    finish(&copy);
    finish(&map);
}

static void batches_give_addresses_out(void **state)
{
    (void)state;
    cm_any_anchored map;
    uint64_t keys[300], values[300], one = 1, six = 6;
    cm_status results[300];
    const void *seen[300];
    nums_init(&map, NULL);
    for (uint64_t i = 0; i < 300; i++)
        keys[i] = i, values[i] = i + 1;
    assert_int_equal(cm_any_anchored_put_many(&map, keys, values, 200, results), 200);
    assert_int_equal(cm_any_anchored_get_many(&map, keys, 300, seen), 200);
    for (uint64_t i = 0; i < 300; i++)
        assert_ptr_equal(seen[i], cm_any_anchored_get(&map, &i));
    assert_int_equal(cm_any_anchored_update_many(&map, keys, 300, add, &one, results), 200);
    assert_int_equal(results[250], CM_ABSENT);
    assert_int_equal(cm_any_anchored_remove_many(&map, keys, 100, seen, results), 100);
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(*(const uint64_t *)seen[i], i + 2);
    cm_any_anchored_op ops[] = {{CM_OP_GET, CM_FULL, &keys[150], NULL, NULL, NULL, NULL},
                                {CM_OP_PUT, CM_FULL, &keys[150], &six, NULL, NULL, NULL},
                                {CM_OP_INSERT, CM_FULL, &keys[250], &six, NULL, NULL, NULL},
                                {CM_OP_UPSERT, CM_FULL, &keys[250], &six, NULL, add, &one},
                                {CM_OP_UPDATE, CM_FULL, &keys[250], NULL, NULL, add, &one},
                                {CM_OP_REMOVE, CM_FULL, &keys[250], NULL, NULL, NULL, NULL},
                                {CM_OP_GET, CM_FULL, &keys[250], NULL, &one, NULL, NULL}};
    assert_int_equal(cm_any_anchored_apply_many(&map, ops, 7), 7);
    assert_int_equal(*(const uint64_t *)ops[0].seen, 152);
    assert_ptr_equal(ops[0].seen, ops[1].seen);
    assert_int_equal(ops[3].status, CM_REPLACED);
    assert_int_equal(*(const uint64_t *)ops[5].seen, 8);
    assert_int_equal(ops[6].status, CM_ABSENT);
    assert_null(ops[6].seen);
    finish(&map);
}

/* ---- values in the making ---- */

static struct {
    cm_any_anchored map;
    size_t made;
} making;

static cm_status make_with_the_map(void *value, void *context)
{
    uint64_t other = *(uint64_t *)context + 1000;
    __atomic_add_fetch(&making.made, 1, __ATOMIC_RELAXED);
    *(uint64_t *)value = *(uint64_t *)context;
    cm_status same = cm_any_anchored_get_or_insert_with(&making.map, context, make_with_the_map, context, NULL);
    return same == CM_DEADLOCK && cm_any_anchored_put(&making.map, &other, value, NULL) == CM_OK ? CM_OK : CM_CORRUPT;
}

static size_t make_work(void *context, unsigned thread)
{
    (void)context, (void)thread;
    size_t wrong = 0;
    for (uint64_t key = 0; key < 500; key++) {
        const void *value = NULL;
        cm_status status = cm_any_anchored_get_or_insert_with(&making.map, &key, make_with_the_map, &key, &value);
        wrong += status < 0 || *(const uint64_t *)value != key;
    }
    return wrong;
}

static void a_value_is_made_once_and_may_use_the_map(void **state)
{
    (void)state;
    nums_init(&making.map, NULL);
    making.made = 0;
    assert_int_equal(crew_run(4, make_work, NULL), 0);
    assert_int_equal(making.made, 500);
    assert_int_equal(cm_any_anchored_len(&making.map), 1000);
    finish(&making.map);
}

/* ---- room ---- */

static cm_status large_spoil(void *value, void *context)
{
    (void)context;
    ((struct large *)value)->words[7] = 1;
    return CM_FULL;
}

/* What the key has: 0 is nothing. */
static uint64_t has(const cm_any_anchored *map, uint64_t key)
{
    const struct large *value = cm_any_anchored_get(map, &key);
    if (!value)
        return 0;
    assert_true(large_is(value, value->words[0]));
    return value->words[0];
}

/* Either the call did it, or it had no memory and nothing has changed. */
static void settles(const cm_any_anchored *map, uint64_t key, cm_status status, uint64_t before, uint64_t after)
{
    assert_true(status >= 0 || status == CM_NOMEM);
    assert_int_equal(has(map, key), status >= 0 ? after : before);
}

static void calls_with_room(cm_any_anchored *map, uint64_t key)
{
    struct large room;
    uint64_t one = 1, before;
    cm_status status = cm_any_anchored_get_or_insert_with(map, &key, large_make, &one, NULL);
    settles(map, key, status, 0, 1);
    before = has(map, key);
    status = cm_any_anchored_put(map, &key, large_give(&room, 2), NULL);
    large_not_taken(status);
    settles(map, key, status, before, 2);
    before = has(map, key);
    status = cm_any_anchored_upsert(map, &key, large_give(&room, 3), large_add, &one);
    large_not_taken(status);
    settles(map, key, status, before, before ? before + 1 : 3);
    before = has(map, key);
    status = cm_any_anchored_update(map, &key, large_add, &one);
    settles(map, key, status, before, before ? before + 1 : 0);
    before = has(map, key);
    status = cm_any_anchored_update(map, &key, large_spoil, NULL);
    assert_true(status == CM_FULL || status == CM_NOMEM || status == CM_ABSENT);
    assert_int_equal(has(map, key), before);
    struct large expected = large_of(before);
    status = cm_any_anchored_compare_exchange(map, &key, &expected, large_give(&room, 9), large_equal);
    if (status < 0)
        live--;
    settles(map, key, status, before, before ? 9 : 0);
    before = has(map, key);
    status = cm_any_anchored_replace(map, &key, large_give(&room, 5), NULL);
    if (status < 0)
        live--;
    settles(map, key, status, before, before ? 5 : 0);
}

static void maps_with_room(cm_any_anchored *map)
{
    cm_any_anchored copy;
    size_t len = cm_any_anchored_len(map);
    if (cm_any_anchored_clone(&copy, map) == CM_OK) {
        cm_status status = cm_any_anchored_equals(map, &copy, large_equal);
        assert_true(status == CM_OK || status == CM_NOMEM);
        status = cm_any_anchored_merge(map, &copy, NULL, NULL);
        assert_true(status == CM_OK || status == CM_NOMEM);
        status = cm_any_anchored_drain(&copy, NULL, NULL);
        assert_true(status == CM_NOMEM || (status == CM_OK && cm_any_anchored_len(&copy) == 0));
        cm_any_anchored_destroy(&copy);
    }
    assert_int_equal(cm_any_anchored_len(map), len);
}

static void use_room(const struct cm_type *type, const cm_config *config)
{
    cm_any_anchored map;
    assert_int_equal(cm_any_anchored_init(&map, type, config), CM_OK);
    for (uint64_t key = 0; key < 20; key++)
        calls_with_room(&map, key);
    maps_with_room(&map);
    if (type->value_destroy)
        assert_int_equal(live, cm_any_anchored_len(&map) + cm_any_anchored_unreclaimed(&map).entries);
    finish(&map);
}

static void a_request_that_fails_changes_nothing(void **state)
{
    (void)state;
    any_request_may_fail(false, use_room);
    any_request_may_fail(true, use_room);
}

/* ---- types ---- */

static void senseless_types_are_refused(void **state)
{
    (void)state;
    struct cm_type good, bad;
    cm_any_anchored map;
    cm_status status;
    cm_any_type_u64(&good, 16);
    assert_int_equal(cm_any_anchored_init(NULL, &good, NULL), CM_INVALID);
    assert_int_equal(cm_any_anchored_init(&map, NULL, NULL), CM_INVALID);
    bad = good;
    bad.cached = true;
    assert_int_equal(cm_any_anchored_init(&map, &bad, NULL), CM_INVALID);
    assert_null(cm_any_anchored_create(&bad, NULL, &status));
    assert_int_equal(status, CM_INVALID);
    bad = good;
    bad.key_size = 12;
    assert_int_equal(cm_any_anchored_init(&map, &bad, NULL), CM_INVALID);
    bad = good;
    bad.foreign = true;
    assert_int_equal(cm_any_anchored_init(&map, &bad, NULL), CM_INVALID);
    good.anchored = true; /* may be said */
    assert_int_equal(cm_any_anchored_init(&map, &good, NULL), CM_OK);
    finish(&map);
    assert_int_equal(cm_any_anchored_sizes.map, sizeof(cm_any_anchored));
    assert_int_equal(cm_any_anchored_sizes.op, sizeof(cm_any_anchored_op));
}

/* ---- threads ---- */

struct shared {
    cm_any_anchored nums, larges;
    cm_domain domain;
};

static size_t work(void *context, unsigned thread)
{
    struct shared *shared = context;
    size_t wrong = 0;
    uint64_t random = thread + 1, one = 1;
    for (size_t n = 0; n < crew_scale(20000); n++) {
        uint64_t key = crew_random(&random) % 64;
        struct large large = large_of(n);
        wrong += cm_any_anchored_upsert(&shared->nums, &key, &one, add, &one) < 0;
        wrong += cm_any_anchored_put(&shared->larges, &key, &large, NULL) < 0;
        key = crew_random(&random) % 64;
        const struct large *seen = cm_any_anchored_get(&shared->larges, &key);
        if (n % 5 == 0)
            (void)cm_any_anchored_remove(&shared->larges, &key, NULL);
        wrong += seen && !large_is(seen, seen->words[0]);
        wrong += cm_domain_quiescent(&shared->domain) != CM_OK;
    }
    cm_domain_part(&shared->domain);
    return wrong;
}

static void threads_do_not_disturb_each_other(void **state)
{
    (void)state;
    static struct shared shared;
    struct cm_type type;
    uint64_t total = 0;
    assert_int_equal(cm_domain_init(&shared.domain, NULL), CM_OK);
    cm_config config = {.references = CM_DOMAIN, .domain = &shared.domain};
    nums_init(&shared.nums, &config);
    cm_any_type_u64(&type, sizeof(struct large));
    assert_int_equal(cm_any_anchored_init(&shared.larges, &type, &config), CM_OK);
    assert_int_equal(crew_run(4, work, &shared), 0);
    CM_FOREACH (cm_any_anchored, &shared.nums, it)
        total += *(const uint64_t *)it.value;
    assert_int_equal(total, 4 * crew_scale(20000));
    finish(&shared.nums);
    finish(&shared.larges);
    cm_domain_part(&shared.domain);
    assert_int_equal(cm_domain_destroy(&shared.domain), CM_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_outlives_its_key_and_later_inserts),
        cmocka_unit_test(in_a_domain_an_address_stays_until_the_thread_reports),
        cmocka_unit_test(a_set_gives_one_address_for_each_key),
        cmocka_unit_test(changes_work_as_those_of_typed_maps),
        cmocka_unit_test(calls_alone_in_the_map_change_values_in_place),
        cmocka_unit_test(work_on_all_entries),
        cmocka_unit_test(two_maps_become_one),
        cmocka_unit_test(batches_give_addresses_out),
        cmocka_unit_test(a_value_is_made_once_and_may_use_the_map),
        cmocka_unit_test(a_request_that_fails_changes_nothing),
        cmocka_unit_test(senseless_types_are_refused),
        cmocka_unit_test(threads_do_not_disturb_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
