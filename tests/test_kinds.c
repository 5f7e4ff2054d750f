/* The promises of every map, for kinds of keys and values of which more is said in test_owned.c and test_cache.c: here
 * they are maps like any. */
#include <concmap/cache.h>
#include <stdlib.h>

#include "buffer.h"
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

static cm_status name_encode(cm_encoder *to, const struct name *name, void *context)
{
    (void)context;
    cm_status status = cm_encode_u64(to, name->number);
    return status < 0 ? status : cm_encode_bytes(to, name->text, strlen(name->text));
}

static cm_status name_decode(struct name *name, cm_decoder *from, void *context)
{
    char text[8];
    (void)context;
    cm_status status = cm_decode_u64(from, &name->number);
    size_t size = cm_decode_left(from);
    if (status < 0 || size >= sizeof text)
        return CM_CORRUPT;
    status = cm_decode_bytes(from, text, size);
    name->text = size == 3 && memcmp(text, "key", 3) == 0 ? "key" : "value";
    return status;
}

static cm_status address_encode(cm_encoder *to, const void *address, void *context)
{
    (void)context;
    return cm_encode_u64(to, (uint64_t)(uintptr_t) * (char *const *)address);
}

static cm_status address_decode(void *address, cm_decoder *from, void *context)
{
    uint64_t number = 0;
    (void)context;
    cm_status status = cm_decode_u64(from, &number);
    *(char **)address = (char *)(uintptr_t)number;
    return status;
}

CM_SAVED_CODED(owners, 1, CM_CODED(name_encode, name_decode), CM_CODED(name_encode, name_decode))
CM_SAVED_CODED(pointers, 1, CM_CODED(address_encode, address_decode), CM_CODED(address_encode, address_decode))
CM_SAVED(caches, 1)
CM_SAVED(text_caches, 1)

#define MAP owners
#define SAVED
#define UNDOES_ITSELF 1
#define KEY struct name
#define VALUE struct name
#define KEY_OF(i) ((struct name){(i), "key"})
#define VALUE_OF(i) ((struct name){(i), "value"})
#define NUMBER(value) ((value).number)
#include "map_suite.h"

#define MAP pointers
#define SAVED
#define KEY handle
#define VALUE label
#define KEY_OF(i) ((void *)(uintptr_t)((i)*16))
#define VALUE_OF(i) ((label)(uintptr_t)(i))
#define NUMBER(value) ((uint64_t)(uintptr_t)(value))
#include "map_suite.h"

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
    int failed = cmocka_run_group_tests(owners_tests, NULL, NULL);
    failed += cmocka_run_group_tests(pointers_tests, NULL, NULL);
    failed += cmocka_run_group_tests(caches_tests, NULL, NULL);
    failed += cmocka_run_group_tests(text_caches_tests, NULL, NULL);
    return failed != 0;
}
