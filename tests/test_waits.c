/* Waits that are counted: the library's file that counts them is compiled into this program with CM_WAIT_STATS. */
#include <concmap/printed.h>
#include <concmap/sharded.h>

#include "crew.h"
#include "unit.h"

#define MILLISECOND 1000000u

CM_SHARDED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)

static cm_stats figures_of(const nums *map)
{
    cm_stats stats;
    nums_stats(map, &stats);
    return stats;
}

static void who_never_waits_is_not_counted(void **state)
{
    (void)state;
    nums map;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(nums_put(&map, i, i, NULL), CM_OK);
    cm_stats stats = figures_of(&map);
    assert_true(stats.waits_counted);
    assert_int_equal(stats.waits, 0);
    assert_int_equal(stats.longest_wait, 0);
    nums_destroy(&map);
}

/* Waits in vain for so long, and is counted once; again where the thread lost its processor before it began to wait. */
static void wait_in_vain(nums *map, uint64_t nanoseconds)
{
    cm_stats stats = figures_of(map);
    for (uint64_t before = stats.waits, tries = 0; stats.waits == before || stats.longest_wait < nanoseconds; tries++) {
        before = stats.waits;
        assert_true(tries < 100);
        assert_int_equal(nums_put_until(map, 1, 2, NULL, cm_deadline_after(nanoseconds + MILLISECOND)), CM_TIMEOUT);
        stats = figures_of(map);
        assert_in_range(stats.waits, before, before + 1);
    }
}

static void each_wait_is_counted_and_the_longest_is_known(void **state)
{
    (void)state;
    nums map;
    nums_write_guard guard;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    assert_int_equal(nums_put(&map, 1, 1, NULL), CM_OK);
    assert_int_equal(nums_write(&map, 1, &guard), CM_OK);
    assert_int_equal(nums_write_detach(&guard), CM_OK);
    assert_int_equal(nums_try_put(&map, 1, 2, NULL), CM_BUSY); /* does not wait */
    assert_int_equal(figures_of(&map).waits, 0);
    cm_deadline begun = cm_deadline_after(0);
    wait_in_vain(&map, 29 * MILLISECOND);
    wait_in_vain(&map, MILLISECOND);
    assert_in_range(figures_of(&map).longest_wait, 29 * MILLISECOND, cm_deadline_after(0) - begun);
    assert_int_equal(nums_write_attach(&guard), CM_OK);
    nums_write_unlock(&guard);
    nums_destroy(&map);
}

static cm_status add_slowly(uint64_t *value, void *context)
{
    (void)context;
    ++*value;
    for (unsigned i = 0; i < 2000; i++)
        cm_spin_hint_();
    return CM_OK;
}

static size_t update_one_key(void *context, unsigned i)
{
    (void)i;
    size_t wrong = 0;
    for (size_t n = crew_scale(1000); n > 0; n--)
        wrong += nums_update(context, 1, add_slowly, NULL) != CM_OK;
    return wrong;
}

static void threads_that_meet_are_counted(void **state)
{
    (void)state;
    nums map;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    assert_int_equal(nums_put(&map, 1, 0, NULL), CM_OK);
    cm_stats stats = {.waits = 0};
    size_t rounds = 0;
    for (; stats.waits == 0 && rounds < 100; rounds++) { /* in which they may not meet, on a busy machine */
        assert_int_equal(crew_run(4, update_one_key, &map), 0);
        stats = figures_of(&map);
    }
    assert_in_range(stats.waits, 1, rounds * 4 * crew_scale(1000));
    assert_true(stats.longest_wait > 0);
    nums_destroy(&map);
}

static cm_status find_waits(void *context, const char *text, size_t size)
{
    static const char wanted[] = "waits: 0, the longest 0 ns\n";
    bool *found = context;
    *found |= size == sizeof wanted - 1 && memcmp(text, wanted, size) == 0;
    return CM_OK;
}

static void they_are_printed(void **state)
{
    (void)state;
    nums map;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    cm_stats stats = figures_of(&map);
    bool found = false;
    assert_int_equal(cm_print_stats(&stats, find_waits, &found), CM_OK);
    assert_true(found);
    nums_destroy(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_never_waits_is_not_counted),
        cmocka_unit_test(each_wait_is_counted_and_the_longest_is_known),
        cmocka_unit_test(threads_that_meet_are_counted),
        cmocka_unit_test(they_are_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
