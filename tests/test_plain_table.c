/* The flat table below the plain map: counts of what has passed by, entries of any size, what check sees. */
#include <concmap/plain.h>

#include "crew.h"
#include "plain_nums.h"
#include "unit.h"

static uint64_t one_hash(const uint64_t *key, uint64_t seed)
{
    (void)key, (void)seed;
    return 7;
}

CM_PLAIN_MAP(ones, uint64_t, uint64_t, one_hash, cm_equal_u64)

/* More than 255 entries pass the groups of one home; after they have gone, all is found still, and told absent. */
static void counts_that_are_saturated_stay_so(void **state)
{
    (void)state;
    ones map;
    const char *reason = NULL;
    assert_int_equal(ones_init(&map, NULL), CM_OK);
    for (uint64_t i = 0; i < 2000; i++)
        assert_int_equal(ones_insert(&map, i, i), CM_OK);
    assert_int_equal(ones_check(&map, &reason), CM_OK);
    for (uint64_t i = 0; i < 2000; i++) {
        assert_int_equal(ones_remove(&map, i * 7 % 2000, NULL), CM_OK);
        assert_false(ones_contains(&map, i * 7 % 2000));
        if (i % 100 == 0)
            assert_int_equal(ones_check(&map, &reason), CM_OK);
    }
    assert_false(ones_contains(&map, 5)); /* and a search ends */
    assert_int_equal(ones_insert(&map, 5, 6), CM_OK);
    assert_int_equal(*ones_find(&map, 5), 6);
    assert_int_equal(ones_check(&map, &reason), CM_OK);
    ones_destroy(&map);
}

/* Of a group's entries the last ones are more than 4 GiB behind the first. Only their keys are touched. */
static void entries_of_any_size_are_found(void **state)
{
    (void)state;
    enum { ENTRIES = 15 };
    struct cm_type large = nums_type_;
    struct cm_flat_ flat;
    large.value_size = sizeof(size_t) > 4 ? (size_t)400 << 20 : 4000;
    if (CM_ASAN || CM_TSAN || !cm_flat_make_(&flat, &large, cm_allocator_default(), ENTRIES))
        skip(); /* so much address space is not to be had */
    for (uint64_t key = 0; key < ENTRIES; key++)
        memcpy(cm_flat_take_(&large, &flat, large.hash(&key, 1)).entry, &key, sizeof key);
    for (uint64_t key = 0; key < ENTRIES; key++) {
        const char *entry = cm_flat_find_(&large, &flat, &key, large.hash(&key, 1)).entry;
        assert_ptr_equal(entry, cm_flat_entry_(&large, &flat, 0, (unsigned)key));
    }
    cm_flat_free_(&flat, cm_allocator_default());
}

static void check_sees_what_is_wrong(void **state)
{
    (void)state;
    nums map;
    const char *reason = NULL;
    fill(&map, &(cm_config){.seed = 5}, 10000);
    struct cm_flat_ *flat = &map.core.flat;
    for (size_t byte = 0; byte < 64; byte++) { /* each tag and each count matters */
        uint8_t before = flat->tags[byte];
        if (byte % 16 == CM_PASSED_ && before == CM_PASSED_MANY_)
            continue;
        flat->tags[byte] = before == 9 ? 10 : 9;
        assert_int_equal(nums_check(&map, &reason), CM_CORRUPT);
        assert_non_null(reason);
        flat->tags[byte] = before;
        sound(&map);
    }
    flat->len++;
    assert_int_equal(nums_check(&map, &reason), CM_CORRUPT);
    flat->len--;
    struct cm_flat_walk_ walk = cm_flat_walk_begin_();
    uint64_t *first = (uint64_t *)(void *)cm_flat_walk_next_(&nums_type_, flat, &walk).entry;
    uint64_t before = first[0];
    first[0] = before + 1;
    assert_int_equal(nums_check(&map, &reason), CM_CORRUPT);
    first[0] = before;
    sound(&map);
    nums_destroy(&map);
}

/* Half a million random operations, entries coming and going at a load that never lets the table rest. */
static void counts_stay_exact_over_time(void **state)
{
    (void)state;
    uint64_t random = crew_seed("churn");
    static bool present[6000];
    memset(present, 0, sizeof present);
    nums map;
    fill(&map, &(cm_config){.capacity = 3328}, 0); /* 256 groups, full */
    size_t bytes = nums_memory(&map).total, len = 0;
    for (size_t step = 0; step < crew_scale(500000); step++) {
        uint64_t i = crew_random(&random) % 6000;
        if (present[i] || len == 3328) {
            assert_int_equal(nums_remove(&map, i, NULL), present[i] ? CM_OK : CM_ABSENT);
            len -= present[i];
            present[i] = false;
        } else {
            assert_int_equal(nums_insert(&map, i, i), CM_OK);
            present[i] = true;
            len++;
        }
        if (step % 10000 == 0)
            sound(&map);
    }
    for (uint64_t i = 0; i < 6000; i++)
        assert_int_equal(nums_contains(&map, i), present[i]);
    assert_int_equal(nums_memory(&map).total, bytes); /* it never had to be made anew */
    sound(&map);
    nums_destroy(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_that_are_saturated_stay_so),
        cmocka_unit_test(entries_of_any_size_are_found),
        cmocka_unit_test(check_sees_what_is_wrong),
        cmocka_unit_test(counts_stay_exact_over_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
