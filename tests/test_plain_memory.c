/* The plain map: what it takes, its limits, and requests for memory that fail. */
#include <concmap/plain.h>

#include "crew.h"
#include "failing_allocator.h"
#include "plain_nums.h"
#include "texts.h"
#include "unit.h"

CM_PLAIN_MAP(texts, cm_str, uint64_t, cm_hash_str, cm_equal_str)

static void small_maps_take_little(void **state)
{
    (void)state;
    nums map;
    fill(&map, NULL, 0);
    assert_int_equal(nums_memory(&map).total, 0);
    size_t before = 0;
    for (uint64_t i = 0; i < 15; i++) {
        assert_int_equal(nums_insert(&map, i, i), CM_OK);
        size_t bytes = nums_memory(&map).total;
        assert_true(bytes >= before && bytes <= 16 + (i < 3 ? 3 : i < 7 ? 7 : 15) * 16);
        before = bytes;
        sound(&map);
    }
    for (uint64_t i = 0; i < 14; i++)
        assert_int_equal(nums_remove(&map, i, NULL), CM_OK);
    assert_int_equal(nums_shrink_to_fit(&map), CM_OK);
    assert_true(nums_memory(&map).total <= 16 + 3 * 16);
    assert_int_equal(*nums_find(&map, 14), 14);
    sound(&map);
    nums_destroy(&map);
}

static void a_limit_is_exact(void **state)
{
    (void)state;
    for (size_t limit = 1; limit < 100; limit += 3) {
        nums map;
        fill(&map, &(cm_config){.limit = limit}, limit);
        assert_int_equal(nums_insert(&map, 1000, 1), CM_FULL);
        assert_int_equal(nums_get_or_insert_with(&map, 1000, spoil, NULL, NULL), CM_FULL);
        assert_int_equal(nums_put(&map, 0, 9, NULL), CM_REPLACED);
        assert_int_equal(nums_reserve(&map, limit + 1), CM_FULL);
        assert_int_equal(nums_remove(&map, 0, NULL), CM_OK);
        assert_int_equal(nums_insert(&map, 1000, 1), CM_OK);
        assert_int_equal(nums_insert(&map, 1001, 1), CM_FULL);
        sound(&map);
        nums_destroy(&map);
    }
}

static void a_fixed_map_never_asks_for_memory(void **state)
{
    (void)state;
    struct failing_allocator memory;
    nums map;
    failing_allocator_init(&memory);
    cm_config config = {.capacity = 1000, .fixed = true, .allocator = &memory.allocator};
    assert_int_equal(nums_init(&map, &config), CM_OK);
    size_t requests = memory.requests;
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(nums_insert(&map, i, i), CM_OK);
    assert_int_equal(nums_insert(&map, 1000, 1), CM_FULL);
    assert_int_equal(nums_clear(&map), CM_OK);
    assert_int_equal(nums_shrink_to_fit(&map), CM_OK);
    assert_int_equal(nums_insert(&map, 1000, 1), CM_OK);
    assert_int_equal(memory.requests, requests);
    nums_destroy(&map);
    texts words;
    assert_int_equal(texts_init(&words, &config), CM_INVALID);
    assert_int_equal(nums_init(&map, &(cm_config){.fixed = true}), CM_INVALID);
    assert_int_equal(nums_init(&map, &(cm_config){.budget = 1}), CM_INVALID);
    assert_int_equal(nums_init(&map, &(cm_config){.capacity = SIZE_MAX / 8}), CM_NOMEM);
    assert_int_equal(nums_init(&map, &(cm_config){.capacity = SIZE_MAX}), CM_NOMEM);
    assert_int_equal(memory.live_blocks + memory.mistakes, 0);
}

static void growth_that_fails_is_put_off_while_there_are_slots(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    for (uint64_t first = 1; first < 500; first = first * 2 + 1) {
        nums map;
        fill(&map, &(cm_config){.allocator = &memory.allocator}, first);
        memory.fail_all = true;
        uint64_t next = first;
        while (nums_insert(&map, next, next) == CM_OK)
            next++;
        assert_int_equal(nums_insert(&map, next, next), CM_NOMEM);
        assert_int_equal(nums_reserve(&map, 10000), CM_NOMEM);
        uint64_t slots = next;
        assert_true(slots <= 7 || slots % 15 == 0); /* there is truly none */
        for (uint64_t i = 0; i < next; i++)
            assert_int_equal(*nums_find(&map, i), i);
        assert_int_equal(nums_remove(&map, 0, NULL), CM_OK);
        assert_int_equal(nums_insert(&map, next, next), CM_OK);
        memory.fail_all = false;
        sound(&map);
        assert_int_equal(nums_insert(&map, next + 1, 0), CM_OK);
        sound(&map);
        nums_destroy(&map);
        assert_int_equal(memory.live_blocks + memory.mistakes, 0);
    }
}

/* Every request fails once, at random, beside a plain array. */
static void every_failure_leaves_the_map_as_it_was(void **state)
{
    (void)state;
    static bool present[2000];
    memset(present, 0, sizeof present);
    struct failing_allocator memory;
    uint64_t random = crew_seed("failures");
    size_t len = 0, failed = 0;
    texts map;
    failing_allocator_init(&memory);
    memory.misaligned = true;
    assert_int_equal(texts_init(&map, &(cm_config){.allocator = &memory.allocator}), CM_OK);
    for (size_t step = 0; step < crew_scale(200000); step++) {
        uint64_t i = crew_random(&random) % (step % 20000 < 10000 ? 2000 : 20);
        if (step % 3 == 0)
            failing_allocator_fail_at(&memory, 1 + crew_random(&random) % 3);
        cm_status status = crew_random(&random) % 2 ? texts_insert(&map, text_of(i, 100), i)
                                                    : texts_remove(&map, text_of(i, 100), NULL);
        if (status == CM_NOMEM)
            failed++;
        else if (status == CM_OK)
            present[i] = !present[i], len += present[i] ? 1 : (size_t)-1;
        if (step % 5000 == 0)
            assert_true(texts_shrink_to_fit(&map) <= CM_OK);
        assert_int_equal(texts_contains(&map, text_of(i, 100)), present[i]);
        assert_int_equal(texts_len(&map), len);
        if (step % 1000 == 0) {
            failing_allocator_restart(&memory);
            assert_int_equal(texts_check(&map, NULL), CM_OK);
        }
    }
    assert_true(failed > 100);
    texts_destroy(&map);
    assert_int_equal(memory.live_blocks, 0);
    assert_int_equal(memory.live_bytes, 0);
    assert_int_equal(memory.mistakes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_maps_take_little),
        cmocka_unit_test(a_limit_is_exact),
        cmocka_unit_test(a_fixed_map_never_asks_for_memory),
        cmocka_unit_test(growth_that_fails_is_put_off_while_there_are_slots),
        cmocka_unit_test(every_failure_leaves_the_map_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
