/* The locked map under many threads. */
#include <concmap/locked.h>
#include <sched.h>
#include <stdlib.h>

#include "boxes.h"
#include "crew.h"
#include "shelf.h"

CM_LOCKED_MAP_OWNED(boxes, struct box, struct box, box_hash, box_equal, CM_OWNED(box_clone, box_destroy),
                    CM_OWNED(box_clone, box_destroy))

static size_t acquire_same(void *context, unsigned thread)
{
    boxes *map = context;
    size_t wrong = 0;
    for (uint64_t i = 0; i < 200; i++) {
        struct box key = box_of(i);
        boxes_entry *entry;
        wrong += boxes_acquire(map, key, box_of(thread), &entry) != CM_OK;
        struct box *value = boxes_entry_lock(entry);
        *value->number += 1000;
        boxes_entry_unlock(entry);
        boxes_entry_release(entry);
        box_destroy(&key, &all);
    }
    return wrong;
}

static void one_initial_value_is_kept(void **state) /* E1, E3 */
{
    (void)state;
    cm_config owned = config();
    boxes map;
    assert_int_equal(boxes_init(&map, &owned), CM_OK);
    assert_int_equal(crew_run(4, acquire_same, &map), 0);
    assert_int_equal(boxes_len(&map), 200);
    for (uint64_t i = 0; i < 200; i++) {
        struct box key = box_of(i), value;
        assert_true(boxes_get(&map, key, &value));
        uint64_t number = drop(value);
        assert_int_equal(number / 1000, 4);
        assert_true(number % 1000 < 4);
        box_destroy(&key, &all);
    }
    boxes_destroy(&map);
    assert_int_equal(all.live, 0);
}

static size_t count_and_grow(void *context, unsigned thread)
{
    size_t wrong = 0;
    size_t n = *(const size_t *)context;
    for (size_t i = 0; i < n; i++) {
        uint64_t value;
        wrong += nums_upsert(&shelf, 500, 1, count_up, NULL) < 0;
        wrong += nums_update(&shelf, 1, count_up, NULL) != CM_OK;
        nums_entry *entry;
        wrong += nums_acquire(&shelf, 2, 0, &entry) != CM_OK;
        ++*nums_entry_lock(entry);
        nums_entry_unlock(entry);
        nums_entry_release(entry);
        uint64_t key = 1000 + (uint64_t)thread * n + i;
        wrong += nums_insert(&shelf, key, key) != CM_OK;
        wrong += !nums_get(&shelf, key, &value) || value != key;
    }
    return wrong;
}

static void no_update_is_lost_while_it_grows(void **state) /* E2, E3, E6, G2 */
{
    (void)state;
    size_t n = crew_scale(20000);
    uint64_t value = 0;
    begin();
    assert_int_equal(crew_run(4, count_and_grow, &n), 0);
    assert_true(nums_get(&shelf, 500, &value));
    assert_int_equal(value, 4 * n);
    assert_true(nums_get(&shelf, 1, &value));
    assert_int_equal(value, 4 * n + 1);
    assert_true(nums_get(&shelf, 2, &value));
    assert_int_equal(value, 4 * n + 2);
    assert_int_equal(nums_len(&shelf), 11 + 4 * n);
    size_t seen[2] = {0, 0};
    assert_int_equal(nums_for_each(&shelf, count_seen, seen), CM_OK);
    assert_int_equal(seen[0], 11 + 4 * n);
    end();
}

static size_t removed[4];

static size_t remove_same(void *context, unsigned thread)
{
    (void)context;
    size_t wrong = 0;
    removed[thread] = 0;
    for (uint64_t i = 0; i < 5000; i++) {
        uint64_t value = 0;
        cm_status status = nums_remove(&shelf, 10000 + i, (thread & 1) ? &value : NULL);
        wrong += status != CM_OK && status != CM_ABSENT;
        wrong += status == CM_OK && (thread & 1) && value != i;
        removed[thread] += status == CM_OK;
    }
    return wrong;
}

static void one_of_two_removers_gets_it(void **state) /* E4 */
{
    (void)state;
    begin();
    for (uint64_t i = 0; i < 5000; i++)
        assert_int_equal(nums_insert(&shelf, 10000 + i, i), CM_OK);
    assert_int_equal(crew_run(4, remove_same, NULL), 0);
    assert_int_equal(removed[0] + removed[1] + removed[2] + removed[3], 5000);
    assert_int_equal(nums_len(&shelf), 10);
    end();
}

static uint64_t taken_out[4];

static size_t add_and_take_out(void *context, unsigned thread)
{
    size_t n = *(const size_t *)context, wrong = 0;
    taken_out[thread] = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t value = 0;
        wrong += nums_upsert(&shelf, i % 2, 1, count_up, NULL) < 0;
        if (thread % 2 && nums_remove(&shelf, i % 2, &value) == CM_OK)
            taken_out[thread] += value;
    }
    return wrong;
}

static void no_update_is_lost_to_a_removal(void **state) /* E2, E4 */
{
    (void)state;
    size_t n = crew_scale(100000);
    uint64_t sum = 0;
    assert_int_equal(nums_init(&shelf, NULL), CM_OK);
    assert_int_equal(crew_run(4, add_and_take_out, &n), 0);
    for (uint64_t i = 0; i < 4; i++) {
        uint64_t value = 0;
        nums_get(&shelf, i % 2, i < 2 ? &value : NULL);
        sum += taken_out[i] + value;
    }
    assert_int_equal(sum, 4 * n);
    end();
}

/* Threads acquire, lock, remove, discard and spend the same few entries. Each value is a box; who has it locked makes
 * it its own for a moment, and it must be there. */
static size_t hammer(void *context, unsigned thread)
{
    boxes *map = context;
    uint64_t random = 88172645463325252u + thread;
    size_t wrong = 0;
    for (size_t i = crew_scale(20000); i > 0; i--) {
        uint64_t dice = crew_random(&random), number = dice >> 8;
        struct box key = box_of(number % 8), got;
        boxes_entry *entry = NULL;
        switch (dice % 8) {
        case 0:
            wrong += boxes_remove(map, key, NULL) < 0;
            break;
        case 1:
            if (boxes_remove(map, key, &got) == CM_OK)
                wrong += drop(got) == 0xdead;
            break;
        case 2:
            wrong += boxes_remove_when_unused(map, key) < 0;
            break;
        case 3:
            if (boxes_get(map, key, &got))
                wrong += drop(got) == 0xdead;
            break;
        case 4:
            CM_FOREACH (boxes, map, it)
                wrong += *it.key.number >= 8;
            break;
        default:
            wrong += boxes_acquire(map, key, box_of(1), &entry) != CM_OK;
            CM_WITH_ENTRY (boxes, entry, g) {
                wrong += *g.value->number != 1;
                *g.value->number = 2;
                if (dice & 64)
                    sched_yield();
                *g.value->number = 1;
                if (dice & 128)
                    wrong += boxes_entry_discard(entry) < 0;
            }
            wrong += *boxes_entry_key(entry)->number != number % 8;
            boxes_entry_release(entry);
        }
        box_destroy(&key, &all);
    }
    return wrong;
}

static void entries_come_and_go(void **state) /* L4, L9, E9 */
{
    (void)state;
    cm_config owned = config();
    boxes map;
    assert_int_equal(boxes_init(&map, &owned), CM_OK);
    assert_int_equal(crew_run(4, hammer, &map), 0);
    assert_int_equal(boxes_check(&map, NULL), CM_OK);
    boxes_destroy(&map);
    assert_int_equal(all.live, 0);
}

/* Both words of a pair are always written alike; to copy one takes so long that threads are stopped amid it. */
struct pair {
    uint64_t a, rest[4000], b;
};
CM_LOCKED_MAP(pairs, uint64_t, struct pair, cm_hash_u64, cm_equal_u64)
static pairs paired;

/* By an entry, which is quick: update would copy the pair first. */
static size_t step_pair(uint64_t key)
{
    pairs_entry *entry = pairs_find(&paired, key);
    struct pair *pair = pairs_entry_lock(entry);
    pair->a++;
    pair->b++;
    size_t wrong = pairs_entry_unlock(entry) != CM_OK;
    pairs_entry_release(entry);
    return wrong;
}

static size_t copy_pairs(void *context, unsigned thread)
{
    static bool stopped;
    size_t wrong = 0;
    (void)context;
    for (size_t i = 0; thread == 0 && i < crew_scale(20000); i++) {
        struct pair pair;
        wrong += !pairs_get(&paired, i % 3, &pair) || pair.a != pair.b;
    }
    if (thread == 0)
        __atomic_store_n(&stopped, true, __ATOMIC_RELAXED);
    for (size_t i = 0; !__atomic_load_n(&stopped, __ATOMIC_RELAXED); i++)
        wrong += step_pair(i % 3);
    return wrong;
}

static void copies_without_the_lock_are_whole(void **state)
{
    (void)state;
    assert_int_equal(pairs_init(&paired, NULL), CM_OK);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(pairs_put(&paired, i, (struct pair){0}, NULL), CM_OK);
    assert_int_equal(crew_run(3, copy_pairs, NULL), 0);
    pairs_destroy(&paired);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_initial_value_is_kept),   cmocka_unit_test(no_update_is_lost_while_it_grows),
        cmocka_unit_test(one_of_two_removers_gets_it), cmocka_unit_test(no_update_is_lost_to_a_removal),
        cmocka_unit_test(entries_come_and_go),         cmocka_unit_test(copies_without_the_lock_are_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
