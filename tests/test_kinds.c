/* The promises of every map, for kinds of keys and values of which more is said in test_owned.c and test_cache.c: here
 * they are maps like any. */
#include <concmap/cache.h>
#include <stdlib.h>

#include "crew.h"
#include "texts.h"
#include "unit.h"

struct page {
    uint64_t words[32];
};

struct name {
    uint64_t number;
    const char *text;
};

static uint64_t name_hash(const struct name *name, uint64_t seed)
{
    return cm_hash_u64(&name->number, seed);
}

static bool name_equal(const struct name *a, const struct name *b)
{
    return a->number == b->number;
}

static cm_status name_clone(struct name *to, const struct name *from, void *context)
{
    (void)context;
    *to = *from;
    return CM_OK;
}

static void name_destroy(struct name *name, void *context)
{
    (void)context;
    name->number = 999999;
}

CM_SHARDED_MAP_OWNED(owners, struct name, struct name, name_hash, name_equal, CM_OWNED(name_clone, name_destroy),
                     CM_OWNED(name_clone, name_destroy))
typedef void *handle;
typedef const char *label;
CM_SHARDED_MAP(pointers, void *, const char *, cm_hash_ptr, cm_equal_ptr)
CM_CACHE_MAP(caches, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64, cm_no_expiry, cm_no_weight, cm_no_eviction)
CM_CACHE_MAP(text_caches, cm_str, struct page, cm_hash_str, cm_equal_str, cm_no_expiry, cm_no_weight, cm_no_eviction)

#define MAP owners
#define UNDOES_ITSELF 1
#define KEY struct name
#define VALUE struct name
#define KEY_OF(i) ((struct name){(i), "key"})
#define VALUE_OF(i) ((struct name){(i), "value"})
#define NUMBER(value) ((value).number)
#include "map_suite.h"

#define MAP pointers
#define KEY handle
#define VALUE label
#define KEY_OF(i) ((void *)(uintptr_t)((i)*16))
#define VALUE_OF(i) ((label)(uintptr_t)(i))
#define NUMBER(value) ((uint64_t)(uintptr_t)(value))
#include "map_suite.h"

#define MAP caches
#define KEY uint64_t
#define VALUE uint64_t
#define KEY_OF(i) (i)
#define VALUE_OF(i) (i)
#define NUMBER(value) (value)
#include "map_suite.h"

#define MAP text_caches
#define KEY cm_str
#define VALUE struct page
#define KEY_OF(i) text_of((i), 600)
#define VALUE_OF(i) ((struct page){{[31] = (i)}})
#define NUMBER(value) ((value).words[31])
#include "map_suite.h"

int main(void)
{
    int failed = cmocka_run_group_tests(owners_tests, NULL, NULL);
    failed += cmocka_run_group_tests(pointers_tests, NULL, NULL);
    failed += cmocka_run_group_tests(caches_tests, NULL, NULL);
    failed += cmocka_run_group_tests(text_caches_tests, NULL, NULL);
    return failed != 0;
}
