/* The promises of every map, for a dynamic one: for kinds of keys and values as typed maps have them. AS(name, Key,
 * Value, fill) makes each; ANCHORED: there are no caches. */
#include "any_adapter.h"
#include "buffer.h"
#include "crew.h"
#include "texts.h"
#include "unit.h"

struct wide { /* a key that no vector compares */
    uint64_t words[3];
};

struct page {
    uint64_t words[32];
};

struct large { /* more than there is room for on the stack */
    uint64_t words[150];
};

struct name {
    uint64_t number;
    const char *text;
};

static void fill_nums(struct cm_type *type)
{
    cm_any_type_u64(type, sizeof(uint64_t));
}

static void fill_narrow(struct cm_type *type)
{
    cm_any_type_u32(type, sizeof(uint16_t));
}

static void fill_uuids(struct cm_type *type)
{
    cm_any_type_u128(type, sizeof(struct page));
}

static void fill_words(struct cm_type *type)
{
    cm_any_type_text(type, sizeof(uint64_t));
}

static void fill_larges(struct cm_type *type)
{
    cm_any_type_text(type, sizeof(struct large));
    type->hash = cm_any_hash_text_fast;
}

static uint64_t wide_hash(const void *key, uint64_t seed)
{
    return cm_hash_u64(&((const struct wide *)key)->words[2], seed);
}

static bool wide_equal(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct wide)) == 0;
}

static void fill_wides(struct cm_type *type)
{
    cm_any_type_u64(type, sizeof(uint64_t));
    type->key_size = sizeof(struct wide);
    type->key_bitwise = false;
    type->hash = wide_hash;
    type->equal = wide_equal;
}

static uint64_t name_hash(const void *name, uint64_t seed)
{
    return cm_hash_u64(name, seed);
}

static bool name_equal(const void *a, const void *b)
{
    return cm_equal_u64(a, b);
}

static cm_status name_clone(void *to, const void *from, void *context)
{
    (void)context;
    memcpy(to, from, sizeof(struct name));
    return CM_OK;
}

static void name_destroy(void *name, void *context)
{
    (void)context;
    ((struct name *)name)->number = 999999;
}

static cm_status name_encode(cm_encoder *to, const void *name, void *context)
{
    (void)context;
    return cm_encode_bytes(to, name, sizeof(struct name));
}

static cm_status name_decode(void *name, cm_decoder *from, void *context)
{
    (void)context;
    return cm_decode_bytes(from, name, sizeof(struct name));
}

static void fill_owners(struct cm_type *type)
{
    *type = (struct cm_type){.key_size = sizeof(struct name),
                             .key_alignment = CM_ALIGNOF(struct name),
                             .value_size = sizeof(struct name),
                             .value_alignment = CM_ALIGNOF(struct name),
                             .hash = name_hash,
                             .equal = name_equal,
                             .key_clone = name_clone,
                             .key_destroy = name_destroy,
                             .value_clone = name_clone,
                             .value_destroy = name_destroy,
                             .key_encode = name_encode,
                             .key_decode = name_decode,
                             .value_encode = name_encode,
                             .value_decode = name_decode};
}

#ifndef ANCHORED
static void fill_caches(struct cm_type *type)
{
    cm_any_type_u64(type, sizeof(uint64_t));
    type->cached = true;
}

static void fill_large_caches(struct cm_type *type)
{
    cm_any_type_u64(type, sizeof(struct large));
    type->cached = true;
}
#endif

AS(nums, uint64_t, uint64_t, fill_nums)
AS(narrow, uint32_t, uint16_t, fill_narrow)
typedef struct uuid {
    uint64_t halves[2];
} uuid;
AS(uuids, uuid, struct page, fill_uuids)
AS(words, cm_str, uint64_t, fill_words)
AS(larges, cm_str, struct large, fill_larges)
AS(wides, struct wide, uint64_t, fill_wides)
AS(owners, struct name, struct name, fill_owners)
#ifndef ANCHORED
AS(caches, uint64_t, uint64_t, fill_caches)
AS(large_caches, uint64_t, struct large, fill_large_caches)
#endif

#define MAP nums
#define SAVED
#define KEY uint64_t
#define VALUE uint64_t
#define KEY_OF(i) (i)
#define VALUE_OF(i) (i)
#define NUMBER(value) (value)
#include "map_suite.h"

#define MAP narrow
#define SAVED
#define KEY uint32_t
#define VALUE uint16_t
#define KEY_OF(i) ((uint32_t)(i))
#define VALUE_OF(i) ((uint16_t)(i))
#define NUMBER(value) ((uint64_t)(value))
#include "map_suite.h"

#define MAP uuids
#define SAVED
#define KEY uuid
#define VALUE struct page
#define KEY_OF(i) ((uuid){{(i), ~(uint64_t)(i)}})
#define VALUE_OF(i) ((struct page){{[31] = (i)}})
#define NUMBER(value) ((value).words[31])
#include "map_suite.h"

#define MAP words
#define SAVED
#define KEY cm_str
#define VALUE uint64_t
#define KEY_OF(i) text_of((i), 600)
#define VALUE_OF(i) (i)
#define NUMBER(value) (value)
#include "map_suite.h"

#define MAP larges
#define SAVED
#define KEY cm_str
#define VALUE struct large
#define KEY_OF(i) text_of((i), 60)
#define VALUE_OF(i) ((struct large){{[149] = (i)}})
#define NUMBER(value) ((value).words[149])
#include "map_suite.h"

#define MAP wides
#define SAVED
#define KEY struct wide
#define VALUE uint64_t
#define KEY_OF(i) ((struct wide){{[2] = (i)}})
#define VALUE_OF(i) (i)
#define NUMBER(value) (value)
#include "map_suite.h"

#define MAP owners
#define UNDOES_ITSELF 1
#define SAVED
#define KEY struct name
#define VALUE struct name
#define KEY_OF(i) ((struct name){(i), "key"})
#define VALUE_OF(i) ((struct name){(i), "value"})
#define NUMBER(value) ((value).number)
#include "map_suite.h"

#ifndef ANCHORED
#define MAP caches
#define SAVED
#define KEY uint64_t
#define VALUE uint64_t
#define KEY_OF(i) (i)
#define VALUE_OF(i) (i)
#define NUMBER(value) (value)
#include "map_suite.h"

#define MAP large_caches
#define SAVED
#define KEY uint64_t
#define VALUE struct large
#define KEY_OF(i) (i)
#define VALUE_OF(i) ((struct large){{[149] = (i)}})
#define NUMBER(value) ((value).words[149])
#include "map_suite.h"
#endif

static int any_kinds_run(void)
{
    int failed = cmocka_run_group_tests(nums_tests, NULL, NULL);
    failed += cmocka_run_group_tests(narrow_tests, NULL, NULL);
    failed += cmocka_run_group_tests(uuids_tests, NULL, NULL);
    failed += cmocka_run_group_tests(words_tests, NULL, NULL);
    failed += cmocka_run_group_tests(larges_tests, NULL, NULL);
    failed += cmocka_run_group_tests(wides_tests, NULL, NULL);
    failed += cmocka_run_group_tests(owners_tests, NULL, NULL);
#ifndef ANCHORED
    failed += cmocka_run_group_tests(caches_tests, NULL, NULL);
    failed += cmocka_run_group_tests(large_caches_tests, NULL, NULL);
#endif
    return failed;
}
