/* The promises of every map, for kinds of keys and values of which more is said in test_owned.c and test_cache.c: here
 * they are maps like any. */
#include <concmap/cache.h>

#include "buffer.h"
#include "crew.h"
#include "kinds.h"
#include "texts.h"
#include "unit.h"

CM_CACHE_MAP(caches, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64, cm_no_expiry, cm_no_weight, cm_no_eviction)
CM_CACHE_MAP(text_caches, cm_str, struct page, cm_hash_str, cm_equal_str, cm_no_expiry, cm_no_weight, cm_no_eviction)

CM_SAVED(caches, 1)
CM_SAVED(text_caches, 1)

#define MAP caches
#define SAVED
#define KEY uint64_t
#define VALUE uint64_t
#define KEY_OF(i) (i)
#define VALUE_OF(i) (i)
#define NUMBER(value) (value)
#include "map_suite.h"

#define MAP text_caches
#define SAVED
#define KEY cm_str
#define VALUE struct page
#define KEY_OF(i) text_of((i), 600)
#define VALUE_OF(i) ((struct page){{[31] = (i)}})
#define NUMBER(value) ((value).words[31])
#include "map_suite.h"

int main(void)
{
    int failed = cmocka_run_group_tests(caches_tests, NULL, NULL);
    failed += cmocka_run_group_tests(text_caches_tests, NULL, NULL);
    return failed != 0;
}
