/* The search among the tags of a group, as machines without SSE2 or NEON do it, beside a plain loop; the other forms
 * are tested by all that the flat table does. */
#define CM_TAGS_PORTABLE_ 1
#include <concmap/detail/tags.h>

#include "crew.h"
#include "unit.h"

static void match_finds_what_a_loop_finds(void **state)
{
    (void)state;
    uint64_t random = crew_seed("tags");
    for (size_t round = 0; round < crew_scale(300000); round++) {
        uint8_t group[CM_TAGS_GROUP_] __attribute__((aligned(CM_TAGS_GROUP_)));
        uint64_t few = crew_random(&random); /* few different bytes, so that neighbours are alike */
        unsigned expected = 0;
        for (unsigned i = 0; i < CM_TAGS_GROUP_; i++)
            group[i] = (uint8_t)(few >> (crew_random(&random) % 4 * 8)) & (round % 2 ? 0xff : 0x81);
        uint8_t tag = round % 3 ? group[crew_random(&random) % CM_TAGS_GROUP_] : (uint8_t)(few >> 40);
        for (unsigned i = 0; i < CM_TAGS_; i++)
            expected |= (unsigned)(group[i] == tag) << i;
        assert_int_equal(cm_tags_match_(group, cm_tags_of_(tag)), expected);
        assert_int_equal(cm_tags_taken_(group), cm_tags_free_(group) ^ CM_TAGS_ALL_);
    }
}

static void no_tag_means_free(void **state)
{
    (void)state;
    for (uint64_t upper = 0; upper < 256; upper++)
        assert_int_not_equal(cm_tag_of_(upper << 56 | 12345), 0);
    assert_int_not_equal(cm_tag_of_(UINT64_C(2) << 56), cm_tag_of_(UINT64_C(3) << 56));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(match_finds_what_a_loop_finds),
                                              cmocka_unit_test(no_tag_means_free)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
