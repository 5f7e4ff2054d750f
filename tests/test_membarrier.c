/* A system that refuses membarrier: readers fence for themselves. */
#include <concmap/sharded.h>

#include "crew.h"
#include "process.h"
#include "process_nums.h"
#include "unit.h"

static size_t change_keys(void *context, unsigned i)
{
    nums *map = context;
    size_t wrong = 0;
    for (uint64_t n = 0; n < crew_scale(100000); n++) {
        uint64_t key = n % 3000, value;
        wrong += nums_put(map, key * 4 + i, n, NULL) < 0;
        wrong += !nums_get(map, key * 4 + i, &value) || value != n;
        if (n % 3 == 0)
            wrong += nums_remove(map, key * 4 + i, NULL) != CM_OK;
        wrong += nums_upsert(map, 1000000, 1, add_one, NULL) < 0;
    }
    return wrong;
}

static int without_membarrier(void)
{
    nums map;
    uint64_t value = 0;
    cm_thread_get_();
    if (!(cm_load_relaxed_(&cm_domain_.epoch) & CM_EPOCH_FENCES_))
        return 2; /* it is not refused */
    if (nums_init(&map, NULL) != CM_OK || crew_run(4, change_keys, &map) != 0)
        return 1;
    bool well = nums_get(&map, 1000000, &value) && value == 4 * crew_scale(100000);
    well &= nums_settle(&map) == CM_OK && nums_check(&map, NULL) == CM_OK && nums_memory(&map).waiting == 0;
    nums_destroy(&map);
    return well ? 0 : 1;
}

static int a_system_without_membarrier_is_served_by_fences(void)
{
    return begin_without_membarrier();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        unit_test_in_child(a_system_without_membarrier_is_served_by_fences),
    };
    if (argc == 2 && strcmp(argv[1], WITHOUT_MEMBARRIER) == 0)
        return without_membarrier();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
