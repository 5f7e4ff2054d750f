/* Walks over parts, and walks that a number resumes. */
#include <concmap/sharded.h>

#include "crew.h"
#include "seen.h"
#include "unit.h"

CM_SHARDED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)

#define KEYS (CREW_SLOW ? 1000 : 3000)

static void fill(nums *map, uint64_t keys)
{
    assert_int_equal(nums_init(map, NULL), CM_OK);
    for (uint64_t key = 0; key < keys; key++)
        assert_int_equal(nums_put(map, key, key, NULL), CM_OK);
}

static void parts_visit_together_what_one_walk_would(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {0, 1, 5, KEYS};
    static const unsigned numbers[] = {1, 2, 3, 4, 7, 64, 1000};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        nums map;
        fill(&map, sizes[s]);
        for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++) {
            unsigned char seen[KEYS] = {0};
            for (unsigned part = 0; part < numbers[n]; part++) {
                nums_iter iter = nums_part_begin(&map, part, numbers[n]);
                while (nums_iter_next(&iter))
                    seen[iter.key]++;
                assert_int_equal(iter.status, CM_OK);
                nums_iter_end(&iter);
            }
            for (uint64_t key = 0; key < sizes[s]; key++)
                assert_int_equal(seen[key], 1);
        }
        nums_destroy(&map);
    }
}

static void a_part_that_there_is_not_is_invalid(void **state)
{
    (void)state;
    nums map;
    fill(&map, 10);
    static const unsigned wrong[][2] = {{0, 0}, {1, 1}, {7, 3}};
    for (size_t i = 0; i < 3; i++) {
        nums_iter iter = nums_part_begin(&map, wrong[i][0], wrong[i][1]);
        assert_false(nums_iter_next(&iter));
        assert_int_equal(iter.status, CM_INVALID);
        nums_iter_end(&iter);
    }
    nums_destroy(&map);
}

static void a_scan_goes_on_where_its_number_says(void **state)
{
    (void)state;
    nums map;
    fill(&map, KEYS);
    for (size_t count = 0; count < 100; count += 9) {
        struct seen seen = {.total = 0};
        uint64_t cursor = 0;
        size_t steps = 0;
        do {
            size_t before = seen.total;
            assert_int_equal(nums_scan(&map, &cursor, count, see, &seen), CM_OK);
            assert_true(seen.total - before < count + 64 || count == 0);
            if (count == 0)
                break; /* nothing is asked for, and nothing moves */
            steps++;
        } while (cursor);
        assert_int_equal(cursor, 0);
        assert_true(count == 0 || steps >= KEYS / (count + 64));
        for (size_t key = 0; count && key < KEYS; key++)
            assert_int_equal(seen.times[key], 1);
    }
    nums_destroy(&map);
}

static void a_scan_whose_function_fails_misses_nothing(void **state)
{
    (void)state;
    nums map;
    struct seen seen = {.fail_at = 1000};
    uint64_t cursor = 0;
    fill(&map, KEYS);
    assert_int_equal(nums_scan(&map, &cursor, SIZE_MAX, see, &seen), CM_FULL);
    assert_true(cursor != 0);
    assert_int_equal(nums_scan(&map, &cursor, SIZE_MAX, see, &seen), CM_OK);
    assert_int_equal(cursor, 0);
    for (size_t key = 0; key < KEYS; key++)
        assert_in_range(seen.times[key], 1, 2);
    nums_destroy(&map);
}

static void a_scan_survives_growth_and_shrinking(void **state)
{
    (void)state;
    for (size_t count = 1; count < 40; count += 7) {
        nums map;
        struct seen seen = {.total = 0};
        uint64_t cursor = 0, more = KEYS;
        fill(&map, 200);
        do {
            assert_int_equal(nums_scan(&map, &cursor, count, see, &seen), CM_OK);
            if (more == KEYS) {
                for (; more < 4 * KEYS; more++)
                    assert_int_equal(nums_put(&map, more, more, NULL), CM_OK);
            } else {
                for (; more > KEYS; more--)
                    assert_int_equal(nums_remove(&map, more - 1, NULL), CM_OK);
                assert_int_equal(nums_shrink_to_fit(&map), CM_OK);
            }
        } while (cursor);
        for (size_t key = 0; key < 200; key++)
            assert_int_equal(seen.times[key], 1);
        nums_destroy(&map);
    }
}

static size_t try_every_key(void *context, unsigned i)
{
    nums *map = context;
    size_t wrong = 0;
    (void)i;
    for (uint64_t key = 0; key < KEYS; key++)
        wrong += nums_try_put(map, key, key, NULL) != CM_REPLACED;
    return wrong;
}

static void visit_some(nums_iter *iter, size_t steps, unsigned char *times)
{
    while (steps-- && nums_iter_next(iter))
        if (iter->key < KEYS)
            times[iter->key]++;
}

/* From many buckets to four times as many, and to fewer than there are lanes (detail/course.h). */
static void a_walk_survives_growth_and_shrinking(void **state)
{
    (void)state;
    static const uint64_t kept[] = {KEYS, 100, 3};
    for (size_t k = 0; k < 3; k++) {
        for (size_t steps = 0; steps < KEYS; steps = steps * 2 + 1) {
            nums map;
            unsigned char times[KEYS] = {0};
            fill(&map, KEYS);
            nums_iter iter = nums_iter_begin(&map);
            visit_some(&iter, steps, times);
            for (uint64_t key = KEYS; key < 8 * KEYS; key++)
                assert_int_equal(nums_put(&map, key, key, NULL), CM_OK);
            visit_some(&iter, steps, times);
            for (uint64_t key = kept[k]; key < 8 * KEYS; key++)
                assert_int_equal(nums_remove(&map, key, NULL), CM_OK);
            assert_int_equal(nums_shrink_to_fit(&map), CM_OK);
            visit_some(&iter, 10, times);
            for (uint64_t key = 8 * KEYS; key < 16 * KEYS; key++)
                assert_int_equal(nums_put(&map, key, key, NULL), CM_OK);
            visit_some(&iter, SIZE_MAX, times);
            assert_int_equal(iter.status, CM_OK);
            nums_iter_end(&iter);
            for (uint64_t key = 0; key < KEYS; key++)
                assert_in_range(times[key], key < kept[k], 1);
            nums_destroy(&map);
        }
    }
}

static void K3_a_walk_holds_no_lock_when_it_ends_or_is_broken_off(void **state)
{
    (void)state;
    nums map;
    size_t steps = 0;
    fill(&map, KEYS);
    nums_iter iter = nums_iter_begin(&map);
    while (nums_iter_next(&iter))
        if (++steps % 100 == 0)
            assert_int_equal(crew_run(1, try_every_key, &map), 0); /* nor on its way */
    assert_int_equal(crew_run(1, try_every_key, &map), 0);
    nums_iter_end(&iter);
    CM_FOREACH (nums, &map, it)
        if (++steps % 10 == 0)
            break;
    assert_int_equal(crew_run(1, try_every_key, &map), 0);
    nums_destroy(&map);
}

/* A value that is whole if both members agree. */
struct twin {
    uint64_t a, b;
};

CM_SHARDED_MAP(twins, uint64_t, struct twin, cm_hash_u64, cm_equal_u64)

struct churn {
    twins map;
    uint32_t ended;
};

static cm_status count_both(struct twin *twin, void *context)
{
    (void)context;
    twin->a++;
    twin->b++;
    return CM_OK;
}

static size_t churn_or_look(void *context, unsigned i)
{
    struct churn *churn = context;
    size_t wrong = 0;
    for (uint64_t n = 0; i < 2 && n < crew_scale(400000); n++) {
        wrong += twins_update(&churn->map, n % 32, count_both, NULL) != CM_OK;
        uint64_t key = 100 + (n % 2 ? n % 64 : n % 62) + 64 * i;
        if (n % 2)
            twins_remove(&churn->map, key, NULL); /* the last entry of the bucket takes its place */
        else
            wrong += twins_put(&churn->map, key, (struct twin){key, key}, NULL) < 0;
    }
    if (i < 2)
        __atomic_add_fetch(&churn->ended, 1, __ATOMIC_RELEASE);
    while (i >= 2 && __atomic_load_n(&churn->ended, __ATOMIC_ACQUIRE) < 2) {
        uint64_t seen = 0;
        CM_FOREACH (twins, &churn->map, it) {
            wrong += it.value.a != it.value.b || (it.key >= 100 && it.value.a != it.key);
            wrong += it.key < 32 && seen >> it.key & 1;
            seen |= it.key < 32 ? UINT64_C(1) << it.key : 0;
        }
        wrong += seen != 0xffffffff;
    }
    return wrong;
}

static void a_walk_sees_whole_entries_while_others_write(void **state)
{
    (void)state;
    struct churn churn = {.ended = 0};
    assert_int_equal(twins_init(&churn.map, NULL), CM_OK);
    for (uint64_t key = 0; key < 32; key++)
        assert_int_equal(twins_put(&churn.map, key, (struct twin){0, 0}, NULL), CM_OK);
    assert_int_equal(crew_run(4, churn_or_look, &churn), 0);
    twins_destroy(&churn.map);
}

static void a_scan_of_what_became_empty_ends(void **state)
{
    (void)state;
    nums map, empty;
    struct seen seen = {.total = 0};
    uint64_t cursor = 0;
    fill(&map, KEYS);
    assert_int_equal(nums_init(&empty, NULL), CM_OK);
    assert_int_equal(nums_scan(&map, &cursor, 10, see, &seen), CM_OK);
    assert_true(cursor != 0);
    nums_swap(&map, &empty);
    assert_int_equal(nums_scan(&map, &cursor, 10, see, &seen), CM_OK);
    assert_int_equal(cursor, 0);
    nums_destroy(&map);
    nums_destroy(&empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_visit_together_what_one_walk_would),
        cmocka_unit_test(a_part_that_there_is_not_is_invalid),
        cmocka_unit_test(a_scan_goes_on_where_its_number_says),
        cmocka_unit_test(a_scan_whose_function_fails_misses_nothing),
        cmocka_unit_test(a_scan_survives_growth_and_shrinking),
        cmocka_unit_test(a_walk_survives_growth_and_shrinking),
        cmocka_unit_test(K3_a_walk_holds_no_lock_when_it_ends_or_is_broken_off),
        cmocka_unit_test(a_walk_sees_whole_entries_while_others_write),
        cmocka_unit_test(a_scan_of_what_became_empty_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
