/* The promises of every map, for kinds of keys and values in plain maps. */
#include <concmap/plain.h>

#include "buffer.h"
#include "crew.h"
#include "kinds.h"
#include "texts.h"
#include "unit.h"

#define SEQUENTIAL
#define NOT_SAVED

#define KIND(name, Key, Value, hash, equal) CM_PLAIN_MAP(name, Key, Value, hash, equal)
KINDS_PLAIN(KIND)
KIND_ADDRESSES(KIND)
#define OWNED(name, Key, Value, hash, equal) CM_PLAIN_MAP_OWNED(name, Key, Value, hash, equal, NAME_OWNED, NAME_OWNED)
KIND_OWNED(OWNED)
#include "kinds_suite.h"

/* ---- kinds that matter to flat tables ---- */

struct point {
    uint32_t x, y, layer; /* 12 bytes */
};

static uint64_t point_hash(const struct point *key, uint64_t seed)
{
    return cm_hash_combine(cm_hash_u32(&key->x, seed), cm_hash_u32(&key->y, seed));
}

static bool point_equal(const struct point *a, const struct point *b)
{
    return a->x == b->x && a->y == b->y && a->layer == b->layer;
}

struct apart {
    uint64_t number;
} __attribute__((aligned(128)));

static uint64_t apart_hash(const struct apart *key, uint64_t seed)
{
    return cm_hash_u64(&key->number, seed);
}

static bool apart_equal(const struct apart *a, const struct apart *b)
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

CM_PLAIN_MAP(shorts, uint32_t, uint16_t, cm_hash_u32, cm_equal_u32)
CM_PLAIN_MAP(points, struct point, struct page, point_hash, point_equal)
CM_PLAIN_MAP(aparts, struct apart, struct apart, apart_hash, apart_equal)
CM_PLAIN_MAP(ones, uint64_t, uint64_t, one_hash, cm_equal_u64)
CM_PLAIN_MAP(poors, uint64_t, uint64_t, poor_hash, cm_equal_u64)

#define MAP shorts
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

#define MAP aparts
#define KEY struct apart
#define VALUE struct apart
#define KEY_OF(i) ((struct apart){(i)})
#define VALUE_OF(i) ((struct apart){(i)})
#define NUMBER(value) ((value).number)
#include "map_suite.h"

#define MAP ones
#define CHAINED
#define KEY uint64_t
#define VALUE uint64_t
#define KEY_OF(i) (i)
#define VALUE_OF(i) (i)
#define NUMBER(value) (value)
#include "map_suite.h"

#define MAP poors
#define CHAINED
#define KEY uint64_t
#define VALUE uint64_t
#define KEY_OF(i) (i)
#define VALUE_OF(i) (i)
#define NUMBER(value) (value)
#include "map_suite.h"

int main(void)
{
    int failed = kinds_run();
    failed += cmocka_run_group_tests(shorts_tests, NULL, NULL);
    failed += cmocka_run_group_tests(points_tests, NULL, NULL);
    failed += cmocka_run_group_tests(aparts_tests, NULL, NULL);
    failed += cmocka_run_group_tests(ones_tests, NULL, NULL);
    failed += cmocka_run_group_tests(poors_tests, NULL, NULL);
    return failed != 0;
}
