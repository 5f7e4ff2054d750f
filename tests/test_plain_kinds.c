/* The promises of every map, for kinds of keys and values in plain maps. */
#include <concmap/plain.h>
#include <stdlib.h>

#include "crew.h"
#include "names.h"
#include "texts.h"
#include "unit.h"

#define SEQUENTIAL

struct page {
    uint64_t words[32];
};

struct point {
    uint32_t x, y, layer; /* 12 bytes */
};

struct wide {
    uint64_t number;
} __attribute__((aligned(128)));

static uint64_t point_hash(const struct point *key, uint64_t seed)
{
    return cm_hash_combine(cm_hash_u32(&key->x, seed), cm_hash_u32(&key->y, seed));
}

static bool point_equal(const struct point *a, const struct point *b)
{
    return a->x == b->x && a->y == b->y && a->layer == b->layer;
}

static uint64_t wide_hash(const struct wide *key, uint64_t seed)
{
    return cm_hash_u64(&key->number, seed);
}

static bool wide_equal(const struct wide *a, const struct wide *b)
{
    return ((uintptr_t)b & 127) == 0 && a->number == b->number;
}

/* Every key has the same home and the same tag: counts of those who pass are saturated. */
static uint64_t one_hash(const uint64_t *key, uint64_t seed)
{
    (void)key, (void)seed;
    return 7;
}

/* Four homes, two tags. */
static uint64_t poor_hash(const uint64_t *key, uint64_t seed)
{
    (void)seed;
    return *key % 4 | *key % 2 << 63;
}

typedef void *handle;
typedef const char *label;
CM_PLAIN_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_PLAIN_MAP(smalls, uint32_t, uint16_t, cm_hash_u32, cm_equal_u32)
CM_PLAIN_MAP(points, struct point, struct page, point_hash, point_equal)
CM_PLAIN_MAP(wides, struct wide, struct wide, wide_hash, wide_equal)
CM_PLAIN_MAP(ones, uint64_t, uint64_t, one_hash, cm_equal_u64)
CM_PLAIN_MAP(poors, uint64_t, uint64_t, poor_hash, cm_equal_u64)
CM_PLAIN_MAP(texts, cm_str, uint64_t, cm_hash_str, cm_equal_str)
CM_PLAIN_MAP(pointers, void *, const char *, cm_hash_ptr, cm_equal_ptr)
CM_PLAIN_MAP_OWNED(owners, struct name, struct name, name_hash, name_equal, CM_OWNED(name_clone, name_destroy),
                   CM_OWNED(name_clone, name_destroy))

#define MAP nums
#define KEY uint64_t
#define VALUE uint64_t
#define KEY_OF(i) (i)
#define VALUE_OF(i) (i)
#define NUMBER(value) (value)
#include "map_suite.h"

#define MAP smalls
#define KEY uint32_t
#define VALUE uint16_t
#define KEY_OF(i) ((uint32_t)(i))
#define VALUE_OF(i) ((uint16_t)(i))
#define NUMBER(value) ((uint64_t)(value))
#include "map_suite.h"

#define MAP points
#define KEY struct point
#define VALUE struct page
#define KEY_OF(i) ((struct point){(uint32_t)(i), 5, (uint32_t)((i) / 3)})
#define VALUE_OF(i) ((struct page){{[31] = (i)}})
#define NUMBER(value) ((value).words[31])
#include "map_suite.h"

#define MAP wides
#define KEY struct wide
#define VALUE struct wide
#define KEY_OF(i) ((struct wide){(i)})
#define VALUE_OF(i) ((struct wide){(i)})
#define NUMBER(value) ((value).number)
#include "map_suite.h"

#define MAP ones
#define KEY uint64_t
#define VALUE uint64_t
#define KEY_OF(i) (i)
#define VALUE_OF(i) (i)
#define NUMBER(value) (value)
#include "map_suite.h"

#define MAP poors
#define KEY uint64_t
#define VALUE uint64_t
#define KEY_OF(i) (i)
#define VALUE_OF(i) (i)
#define NUMBER(value) (value)
#include "map_suite.h"

#define MAP texts
#define KEY cm_str
#define VALUE uint64_t
#define KEY_OF(i) text_of((i), 600)
#define VALUE_OF(i) (i)
#define NUMBER(value) (value)
#include "map_suite.h"

#define MAP pointers
#define KEY handle
#define VALUE label
#define KEY_OF(i) ((void *)(uintptr_t)((i)*16))
#define VALUE_OF(i) ((label)(uintptr_t)(i))
#define NUMBER(value) ((uint64_t)(uintptr_t)(value))
#include "map_suite.h"

#define MAP owners
#define UNDOES_ITSELF 1
#define KEY struct name
#define VALUE struct name
#define KEY_OF(i) ((struct name){(i), "key"})
#define VALUE_OF(i) ((struct name){(i), "value"})
#define NUMBER(value) ((value).number)
#include "map_suite.h"

int main(void)
{
    int failed = cmocka_run_group_tests(nums_tests, NULL, NULL);
    failed += cmocka_run_group_tests(smalls_tests, NULL, NULL);
    failed += cmocka_run_group_tests(points_tests, NULL, NULL);
    failed += cmocka_run_group_tests(wides_tests, NULL, NULL);
    failed += cmocka_run_group_tests(ones_tests, NULL, NULL);
    failed += cmocka_run_group_tests(poors_tests, NULL, NULL);
    failed += cmocka_run_group_tests(texts_tests, NULL, NULL);
    failed += cmocka_run_group_tests(pointers_tests, NULL, NULL);
    failed += cmocka_run_group_tests(owners_tests, NULL, NULL);
    return failed != 0;
}
