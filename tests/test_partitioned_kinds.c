/* The promises of every map, for kinds of keys and values in partitioned maps. */
#include <concmap/partitioned_saved.h>

#include "buffer.h"
#include "crew.h"
#include "kinds.h"
#include "texts.h"
#include "unit.h"

#define SEQUENTIAL
#define BY_MESSAGES

/* The maps are polled, and their three partitions the test's own thread's: then nothing is waited for. */
#define OWNING(name)                                                                                                   \
    static __attribute__((unused)) cm_status name##_own_all(name *map, const cm_config *config)                        \
    {                                                                                                                  \
        cm_partition_config all = {.partitions = 3, .polled = true};                                                   \
        if (config)                                                                                                    \
            all.map = *config;                                                                                         \
        cm_status status = name##_open(map, &all);                                                                     \
        for (size_t i = 0; i < 3 && status == CM_OK; i++)                                                              \
            status = name##_partition_own(map, i);                                                                     \
        return status;                                                                                                 \
    }
#define KIND(name, Key, Value, hash, equal)                                                                            \
    CM_PARTITIONED_MAP(name, Key, Value, hash, equal)                                                                  \
    OWNING(name)                                                                                                       \
    CM_PARTITIONED_SAVED(name, 1)
KINDS_PLAIN(KIND)
#define ADDRESSES(name, Key, Value, hash, equal)                                                                       \
    CM_PARTITIONED_MAP(name, Key, Value, hash, equal)                                                                  \
    OWNING(name)                                                                                                       \
    CM_PARTITIONED_SAVED_CODED(name, 1, ADDRESS_CODED, ADDRESS_CODED)
KIND_ADDRESSES(ADDRESSES)
#define OWNED(name, Key, Value, hash, equal)                                                                           \
    CM_PARTITIONED_MAP_OWNED(name, Key, Value, hash, equal, NAME_OWNED, NAME_OWNED)                                    \
    OWNING(name)                                                                                                       \
    CM_PARTITIONED_SAVED_CODED(name, 1, NAME_CODED, NAME_CODED)
KIND_OWNED(OWNED)
CM_PARTITIONED_MAP(threaded, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_PARTITIONED_SAVED(threaded, 1)

#define nums_init nums_own_all
#define highs_init highs_own_all
#define smalls_init smalls_own_all
#define sessions_init sessions_own_all
#define pages_init pages_own_all
#define structs_init structs_own_all
#define words_init words_own_all
#define longs_init longs_own_all
#define crowds_init crowds_own_all
#define strides_init strides_own_all
#define owners_init owners_own_all
#define pointers_init pointers_own_all
#define aligned_init aligned_own_all
#include "kinds_suite.h"

/* And once on one with threads. */
#define MAP threaded
#define STEPS 3000
#define SAVED
#define KEY uint64_t
#define VALUE uint64_t
#define KEY_OF(i) (i)
#define VALUE_OF(i) (i)
#define NUMBER(value) (value)
#include "map_suite.h"

int main(void)
{
    int failed = kinds_run();
    failed += cmocka_run_group_tests(threaded_tests, NULL, NULL);
    return failed != 0;
}
