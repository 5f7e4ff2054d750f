/* Caches: what expired is gone, what is used stays, what is told was evicted, and the limits hold. */
#include <concmap/cache.h>
#include <concmap/lookup.h>
#include <pthread.h>
#include <stdlib.h>

#include "crew.h"
#include "failing_allocator.h"
#include "unit.h"

struct item {
    uint64_t number;
    uint64_t until; /* the time up to which it is good */
    uint64_t weight;
};

/* What the functions of a cache know, and what they were told. */
struct clock {
    uint64_t now;
    size_t full, expired;
    size_t live; /* owned values */
    uint64_t last;
};

static bool item_expired(const struct item *item, void *context)
{
    return item->until && item->until < __atomic_load_n(&((struct clock *)context)->now, __ATOMIC_RELAXED);
}

static size_t item_weight(const uint64_t *key, const struct item *item, void *context)
{
    (void)key, (void)context;
    return item->weight;
}

static void item_evicted(const uint64_t *key, const struct item *item, cm_eviction why, void *context)
{
    struct clock *clock = context;
    __atomic_add_fetch(why == CM_EVICTED_FULL ? &clock->full : &clock->expired, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&clock->last, *key + 0 * item->number, __ATOMIC_RELAXED);
}

CM_CACHE_MAP(items, uint64_t, struct item, cm_hash_u64, cm_equal_u64, item_expired, item_weight, item_evicted)
static uint64_t same_hash(const uint64_t *key, uint64_t seed)
{
    (void)key, (void)seed;
    return 0;
}

CM_CACHE_MAP(crowds, uint64_t, struct item, same_hash, cm_equal_u64, item_expired, item_weight, item_evicted)
CM_CACHE_MAP(texts, cm_str, uint64_t, cm_hash_str, cm_equal_str, cm_no_expiry, cm_no_weight, cm_no_eviction)

static cm_status box_clone(uint64_t **to, uint64_t *const *from, void *context)
{
    *to = malloc(sizeof **to);
    **to = **from;
    __atomic_add_fetch(&((struct clock *)context)->live, 1, __ATOMIC_RELAXED);
    return CM_OK;
}

static void box_destroy(uint64_t **box, void *context)
{
    __atomic_sub_fetch(&((struct clock *)context)->live, 1, __ATOMIC_RELAXED);
    free(*box);
}

static bool box_expired(uint64_t *const *box, void *context)
{
    return **box < __atomic_load_n(&((struct clock *)context)->now, __ATOMIC_RELAXED);
}

CM_CACHE_MAP_OWNED(boxes, uint64_t, uint64_t *, cm_hash_u64, cm_equal_u64, CM_PLAIN, CM_OWNED(box_clone, box_destroy),
                   box_expired, cm_no_weight, cm_no_eviction)

static struct clock times;

static void begin(items *map, size_t limit, size_t budget)
{
    times = (struct clock){.now = 100};
    assert_int_equal(items_init(map, &(cm_config){.limit = limit, .budget = budget, .context = &times}), CM_OK);
}

static void end(items *map)
{
    const char *reason = NULL;
    if (items_check(map, &reason) != CM_OK)
        fail_msg("%s", reason);
    items_destroy(map);
}

static cm_status add_one(struct item *item, void *context)
{
    (void)context;
    item->number++;
    return CM_OK;
}

static cm_status let_expire(struct item *item, void *context)
{
    (void)context;
    item->until = 1;
    return CM_OK;
}

static void what_expired_is_absent(void **state)
{
    (void)state;
    items map;
    struct item item;
    items_write_guard entry;
    items_read_guard reader;
    const struct item old = {1, 150, 0}, good = {2, 500, 0};
    begin(&map, 0, 0);
    for (uint64_t key = 0; key < 20; key++)
        assert_int_equal(items_put(&map, key, old, NULL), CM_OK);
    assert_true(items_get(&map, 0, &item));
    times.now = 200;
    assert_int_equal(items_len(&map), 20); /* nobody has met them yet */
    assert_false(items_get(&map, 0, &item));
    assert_false(items_contains(&map, 1));
    assert_int_equal(items_len(&map), 18);
    assert_int_equal(items_update(&map, 2, add_one, NULL), CM_ABSENT);
    assert_int_equal(items_put(&map, 3, good, &item), CM_OK);
    assert_int_equal(items_insert(&map, 4, good), CM_OK);
    assert_int_equal(items_upsert(&map, 5, good, add_one, NULL), CM_OK);
    assert_int_equal(items_get_or_insert(&map, 6, good, &item), CM_OK);
    assert_int_equal(item.number, 2);
    assert_int_equal(items_remove(&map, 7, &item), CM_ABSENT);
    assert_int_equal(items_remove_if(&map, 8, add_one, NULL, NULL), CM_ABSENT);
    assert_int_equal(items_read(&map, 9, &reader), CM_ABSENT);
    assert_int_equal(items_read_unlock(&reader), CM_INVALID);
    assert_int_equal(items_write(&map, 10, &entry), CM_ABSENT);
    assert_int_equal(items_entry(&map, 11, &entry), CM_OK);
    assert_null(entry.value);
    assert_non_null(items_entry_insert(&entry, good));
    assert_int_equal(items_entry_unlock(&entry), CM_OK);
    assert_int_equal(items_update(&map, 11, let_expire, NULL), CM_OK);
    assert_false(items_contains(&map, 11));
    uint64_t keys[] = {12, 13, 3};
    bool found[3];
    assert_int_equal(items_get_many(&map, keys, 3, found, NULL), 1);
    assert_true(found[2]);
    size_t seen = 0;
    CM_FOREACH (items, &map, it)
        seen++;
    assert_int_equal(seen, 4);
    assert_int_equal(items_len(&map), 4 + 6); /* 14 to 19 were met by the walk only */
    assert_int_equal(times.expired, 15);
    assert_int_equal(times.full, 0);
    end(&map);
}

static void a_full_cache_makes_room(void **state)
{
    (void)state;
    items map;
    begin(&map, 100, 0);
    for (uint64_t key = 0; key < 1000; key++) {
        assert_int_equal(items_put(&map, key, (struct item){key, 0, 0}, NULL), CM_OK);
        assert_true(items_contains(&map, key));
        assert_true(items_len(&map) <= 100);
    }
    assert_int_equal(items_len(&map), 100);
    assert_int_equal(times.full, 900);
    items_write_guard entry;
    assert_int_equal(items_entry(&map, 5000, &entry), CM_OK);
    assert_non_null(items_entry_insert(&entry, (struct item){1, 0, 0}));
    assert_int_equal(items_entry_unlock(&entry), CM_OK);
    assert_int_equal(items_len(&map), 100);
    assert_int_equal(map.core.admitted, 100);
    end(&map);
}

static void what_is_used_stays(void **state)
{
    (void)state;
    items map;
    begin(&map, 1000, 0);
    for (uint64_t key = 0; key < 50; key++)
        assert_int_equal(items_put(&map, key, (struct item){key, 0, 0}, NULL), CM_OK);
    for (uint64_t key = 1000; key < 100000; key++) { /* a scan of things never seen again */
        assert_int_equal(items_put(&map, key, (struct item){key, 0, 0}, NULL), CM_OK);
        for (uint64_t used = 0; key % 100 == 0 && used < 50; used++)
            items_contains(&map, used);
    }
    for (uint64_t key = 0; key < 50; key++)
        assert_true(items_contains(&map, key));
    end(&map);
}

static void what_expired_goes_first(void **state)
{
    (void)state;
    crowds map; /* all under the hand at once */
    times = (struct clock){.now = 100};
    assert_int_equal(crowds_init(&map, &(cm_config){.limit = 100, .context = &times}), CM_OK);
    for (uint64_t key = 0; key < 100; key++)
        assert_int_equal(crowds_put(&map, key, (struct item){key, key % 10 == 7 ? 50 : 0, 0}, NULL), CM_OK);
    for (uint64_t key = 100; key < 110; key++)
        assert_int_equal(crowds_put(&map, key, (struct item){key, 0, 0}, NULL), CM_OK);
    assert_int_equal(times.expired, 10);
    assert_int_equal(times.full, 0);
    assert_int_equal(crowds_put(&map, 200, (struct item){0, 0, 0}, NULL), CM_OK);
    assert_int_equal(times.full, 1);
    crowds_destroy(&map);
}

static void a_budget_is_kept(void **state)
{
    (void)state;
    items map;
    items_write_guard guard;
    begin(&map, 0, 1000);
    for (uint64_t key = 0; key < 500; key++) {
        assert_int_equal(items_put(&map, key, (struct item){key, 0, key % 50}, NULL), CM_OK);
        assert_true(map.core.weight <= 1000);
    }
    assert_int_equal(items_put(&map, 9999, (struct item){0, 0, 1001}, NULL), CM_FULL);
    assert_false(items_contains(&map, 9999));
    uint64_t sum = 0;
    CM_FOREACH (items, &map, it)
        sum += it.value.weight;
    assert_int_equal(sum, map.core.weight);
    assert_true(sum > 900);
    uint64_t some = times.last == 499 ? 498 : 499;
    assert_int_equal(items_write(&map, some, &guard), CM_OK);
    guard.value->weight = 700; /* it has grown: others make room */
    assert_int_equal(items_write_unlock(&guard), CM_OK);
    assert_true(map.core.weight <= 1000);
    sum = 0;
    CM_FOREACH (items, &map, it)
        sum += it.value.weight;
    assert_int_equal(sum, map.core.weight);
    assert_int_equal(items_clear(&map), CM_OK);
    assert_int_equal(map.core.weight, 0);
    end(&map);
}

static void a_held_entry_is_not_evicted(void **state)
{
    (void)state;
    items map;
    items_read_guard guard;
    begin(&map, 1, 0);
    assert_int_equal(items_put(&map, 1, (struct item){1, 0, 0}, NULL), CM_OK);
    assert_int_equal(items_read(&map, 1, &guard), CM_OK);
    for (uint64_t key = 2; key < 50; key++)
        assert_int_equal(items_try_put(&map, key, (struct item){1, 0, 0}, NULL), CM_FULL);
    assert_int_equal(items_read_unlock(&guard), CM_OK);
    assert_int_equal(items_put(&map, 2, (struct item){1, 0, 0}, NULL), CM_OK);
    assert_false(items_contains(&map, 1));
    end(&map);
}

static cm_status refuse(struct item *item, void *context)
{
    (void)item, (void)context;
    return CM_IO;
}

static void a_loader_that_fails_does_not_keep_others_in(void **state)
{
    (void)state;
    items map;
    begin(&map, 4, 0);
    for (uint64_t key = 0; key < 4; key++)
        assert_int_equal(items_put(&map, key, (struct item){key, 0, 0}, NULL), CM_OK);
    for (uint64_t key = 100; key < 200; key++)
        assert_int_equal(items_get_or_insert_with(&map, key, refuse, NULL, NULL), CM_IO);
    for (uint64_t key = 200; key < 300; key++)
        assert_int_equal(items_put(&map, key, (struct item){key, 0, 0}, NULL), CM_OK);
    for (uint64_t key = 0; key < 4; key++)
        assert_false(items_contains(&map, key));
    end(&map);
}

static void all_ways_to_change_a_weight_count(void **state)
{
    (void)state;
    items map;
    items_write_guard entry;
    items_read_guard reader;
    begin(&map, 0, 100);
    for (uint64_t key = 0; key < 100; key++) {
        assert_int_equal(items_entry(&map, key, &entry), CM_OK);
        assert_non_null(items_entry_insert(&entry, (struct item){key, 0, 10}));
        assert_int_equal(items_write_downgrade(&entry, &reader), CM_OK);
        assert_int_equal(items_read_unlock(&reader), CM_OK);
        assert_true(items_len(&map) <= 30); /* those that share its bucket stay while it is held */
    }
    assert_int_equal(items_put(&map, 5000, (struct item){0, 0, 10}, NULL), CM_OK); /* nothing is held: all of it goes */
    assert_true(items_len(&map) <= 10 && map.core.weight <= 100);
    size_t full = times.full;
    uint64_t there = 0;
    while (!items_contains(&map, there))
        there++;
    assert_int_equal(items_put(&map, there, (struct item){0, 0, 1000}, NULL), CM_FULL); /* too heavy to replace one */
    assert_int_equal(times.full, full);
    end(&map);
}

static void *die_writing(void *map)
{
    static __thread items_write_guard guard;
    items_write(map, 1, &guard);
    return NULL;
}

static void a_value_that_is_too_heavy_changes_nothing(void **state)
{
    (void)state;
    items map;
    pthread_t thread;
    begin(&map, 0, 100);
    assert_int_equal(items_put(&map, 1, (struct item){1, 0, 10}, NULL), CM_OK);
    assert_int_equal(pthread_create(&thread, NULL, die_writing, &map), 0);
    pthread_join(thread, NULL);
    assert_int_equal(items_put(&map, 1, (struct item){1, 0, 1000}, NULL), CM_FULL);
    assert_int_equal(items_update(&map, 1, add_one, NULL), CM_OWNER_DIED); /* nobody has dealt with it yet */
    assert_int_equal(items_put(&map, 1, (struct item){1, 0, 20}, NULL), CM_REPLACED);
    assert_int_equal(items_update(&map, 1, add_one, NULL), CM_OK);
    assert_int_equal(map.core.weight, 20);
    end(&map);
}

static void what_is_changed_stays(void **state)
{
    (void)state;
    items map;
    begin(&map, 20, 0);
    assert_int_equal(items_put(&map, 7, (struct item){0, 0, 0}, NULL), CM_OK);
    for (uint64_t key = 1000; key < 3000; key++) {
        for (size_t n = 0; n < 3; n++)
            assert_int_equal(items_update(&map, 7, add_one, NULL), CM_OK);
        assert_int_equal(items_put(&map, key, (struct item){key, 0, 0}, NULL), CM_OK);
    }
    end(&map);
}

static items *told_of;

static void use_when_told(const uint64_t *key, const struct item *item, cm_eviction why, void *context)
{
    struct clock *clock = context;
    (void)item, (void)why;
    clock->full += told_of && items_try_put(told_of, *key, (struct item){1, 0, 0}, NULL) < 0;
    clock->expired++;
}

CM_CACHE_MAP(tellers, uint64_t, struct item, cm_hash_u64, cm_equal_u64, item_expired, item_weight, use_when_told)

static void the_eviction_is_told_without_a_lock(void **state)
{
    (void)state;
    tellers map;
    tellers_write_guard entry;
    tellers_frozen view;
    times = (struct clock){.now = 100};
    assert_int_equal(tellers_init(&map, &(cm_config){.context = &times}), CM_OK);
    told_of = (items *)(void *)&map; /* of the same layout */
    assert_int_equal(tellers_put(&map, 1, (struct item){0, 50, 0}, NULL), CM_OK);
    assert_int_equal(tellers_freeze(&map, &view), CM_OK);
    assert_null(tellers_frozen_get(&view, 1));
    CM_FOREACH (tellers_frozen, &view, it)
        fail();
    assert_int_equal(tellers_thaw(&view), CM_OK);
    assert_int_equal(tellers_entry(&map, 1, &entry), CM_OK);
    assert_int_equal(times.expired, 1);
    assert_int_equal(times.full, 0); /* it could be put, */
    assert_non_null(entry.value);    /* and this is it */
    assert_int_equal(tellers_entry_unlock(&entry), CM_OK);
    told_of = NULL;
    tellers_destroy(&map);
}

static void texts_are_cached(void **state)
{
    (void)state;
    texts map;
    char text[500];
    memset(text, 'c', sizeof text);
    assert_int_equal(texts_init(&map, &(cm_config){.limit = 20}), CM_OK);
    for (size_t round = 0; round < 10; round++)
        for (size_t n = 0; n < sizeof text; n++)
            assert_true(texts_put(&map, cm_str_from(text, n), n, NULL) >= 0);
    assert_int_equal(texts_len(&map), 20);
    assert_int_equal(texts_check(&map, NULL), CM_OK);
    texts_destroy(&map);
}

static void a_budget_is_for_caches_only(void **state)
{
    (void)state;
    struct cm_type plain = texts_type_;
    struct cm_map_ map;
    plain.cached = false;
    assert_int_equal(cm_map_init_(&map, &plain, &(cm_config){.budget = 1}, CM_LAYOUT_VERSION_, sizeof map), CM_INVALID);
}

/* ---- many threads ---- */

#define LIMIT 200

static size_t use_items(void *context, unsigned i)
{
    items *map = context;
    uint64_t random = 5 + i;
    size_t wrong = 0;
    for (size_t n = crew_scale(60000); n > 0; n--) {
        uint64_t key = crew_random(&random) % (4 * LIMIT);
        struct item item = {key, crew_random(&random) % 8 ? 0 : 101 + n % 3, key % 16};
        switch (crew_random(&random) % 6) {
        case 0:
            wrong += items_put(map, key, item, NULL) < 0;
            break;
        case 1:
            items_remove(map, key, NULL);
            break;
        case 2:
            items_update(map, key, add_one, NULL);
            break;
        case 3:
            __atomic_store_n(&times.now, 100 + n % 5, __ATOMIC_RELAXED);
            break;
        default:
            items_get(map, key, &item);
            wrong += item.number % 1 != 0;
        }
        wrong += __atomic_load_n(&map->core.admitted, __ATOMIC_RELAXED) > LIMIT;
    }
    return wrong;
}

static void limits_hold_among_many_threads(void **state)
{
    (void)state;
    items map;
    uint64_t sum = 0, seen = 0;
    begin(&map, LIMIT, LIMIT * 4);
    assert_int_equal(crew_run(4, use_items, &map), 0);
    times.now = 0; /* nothing is expired */
    CM_FOREACH (items, &map, it) {
        sum += it.value.weight;
        seen++;
    }
    assert_int_equal(seen, items_len(&map));
    assert_int_equal(seen, map.core.admitted);
    assert_int_equal(sum, map.core.weight);
    assert_true(sum <= LIMIT * 4);
    end(&map);
}

static uint64_t *box_of(uint64_t number)
{
    const uint64_t *from = &number;
    uint64_t *box;
    box_clone(&box, (uint64_t *const *)&from, &times);
    return box;
}

static size_t use_boxes(void *context, unsigned i)
{
    boxes *map = context;
    uint64_t random = 9 + i;
    size_t wrong = 0;
    uint64_t *box;
    for (size_t n = crew_scale(60000); n > 0; n--) {
        uint64_t key = crew_random(&random) % (2 * LIMIT);
        if (n % 4 == 0) {
            wrong += boxes_put(map, key, box_of(n % 7 + 1), NULL) < 0;
        } else if (n % 16 == 1) {
            __atomic_store_n(&times.now, n % 4, __ATOMIC_RELAXED);
        } else if (boxes_get(map, key, &box)) {
            wrong += *box > 7;
            box_destroy(&box, &times);
        }
    }
    return wrong;
}

static void owned_values_are_destroyed_when_they_go(void **state)
{
    (void)state;
    boxes map;
    times = (struct clock){.now = 0};
    assert_int_equal(boxes_init(&map, &(cm_config){.limit = LIMIT, .context = &times}), CM_OK);
    assert_int_equal(crew_run(4, use_boxes, &map), 0);
    assert_int_equal(times.live, boxes_len(&map));
    boxes_destroy(&map);
    assert_int_equal(times.live, 0);
}

static void nothing_is_lost_without_memory(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    for (size_t n = 1; n < 15; n++) {
        texts map;
        char text[400];
        memset(text, 'm', sizeof text);
        failing_allocator_restart(&memory);
        assert_int_equal(texts_init(&map, &(cm_config){.limit = 10, .allocator = &memory.allocator}), CM_OK);
        failing_allocator_fail_at(&memory, n);
        for (size_t size = 0; size < sizeof text; size += 9) {
            cm_status status = texts_put(&map, cm_str_from(text, size), size, NULL);
            assert_true(status >= 0 || status == CM_NOMEM);
        }
        assert_int_equal(texts_len(&map), 10);
        assert_int_equal(texts_check(&map, NULL), CM_OK);
        texts_destroy(&map);
        assert_int_equal(memory.live_blocks, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_expired_is_absent),
        cmocka_unit_test(a_full_cache_makes_room),
        cmocka_unit_test(what_is_used_stays),
        cmocka_unit_test(what_expired_goes_first),
        cmocka_unit_test(a_budget_is_kept),
        cmocka_unit_test(a_held_entry_is_not_evicted),
        cmocka_unit_test(a_loader_that_fails_does_not_keep_others_in),
        cmocka_unit_test(all_ways_to_change_a_weight_count),
        cmocka_unit_test(a_value_that_is_too_heavy_changes_nothing),
        cmocka_unit_test(what_is_changed_stays),
        cmocka_unit_test(the_eviction_is_told_without_a_lock),
        cmocka_unit_test(texts_are_cached),
        cmocka_unit_test(a_budget_is_for_caches_only),
        cmocka_unit_test(limits_hold_among_many_threads),
        cmocka_unit_test(owned_values_are_destroyed_when_they_go),
        cmocka_unit_test(nothing_is_lost_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
