/* Left-right maps of each kind that can be saved: filled, saved, loaded, looked at, and gone on with. */
#ifndef CONCMAP_TESTS_LEFTRIGHT_SAVED_KINDS_H
#define CONCMAP_TESTS_LEFTRIGHT_SAVED_KINDS_H

#include <concmap/leftright_multimap.h>
#include <concmap/leftright_saved.h>
#include <concmap/leftright_set.h>

#include "buffer.h"
#include "failing_allocator.h"
#include "items.h"
#include "texts.h"
#include "unit.h"

#define MANY 40 /* values of the keys that have most: such a bag has an index */

static size_t codec_calls, codec_fails_at;

static inline cm_status item_encode(cm_encoder *to, const struct item *item, void *context)
{
    (void)context;
    return ++codec_calls == codec_fails_at ? (cm_status)-55 : cm_encode_u64(to, *item->own);
}

static inline cm_status item_decode(struct item *item, cm_decoder *from, void *context)
{
    uint64_t number;
    (void)context;
    if (++codec_calls == codec_fails_at)
        return (cm_status)-55;
    cm_status status = cm_decode_u64(from, &number);
    if (status == CM_OK)
        *item = item_of(number);
    return status;
}

static inline uint64_t item_hash(const struct item *item, uint64_t seed)
{
    return cm_hash_u64(item->own, seed);
}

static inline bool item_equal(const struct item *a, const struct item *b)
{
    return *a->own == *b->own;
}

#define ITEM_OWNER CM_OWNED(item_clone, item_destroy)
#define ITEM_CODED CM_CODED(item_encode, item_decode)

CM_LEFTRIGHT_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_LEFTRIGHT_SAVED(nums, 1)
CM_LEFTRIGHT_MAP_OWNED(owners, struct item, struct item, item_hash, item_equal, ITEM_OWNER, ITEM_OWNER)
CM_LEFTRIGHT_SAVED_CODED(owners, 1, ITEM_CODED, ITEM_CODED)
CM_LEFTRIGHT_SET(names, cm_str, cm_hash_str, cm_equal_str)
CM_LEFTRIGHT_SAVED_SET(names, 1)
CM_LEFTRIGHT_MULTIMAP(bags, cm_str, uint32_t, cm_hash_str, cm_equal_str, cm_hash_u32, cm_equal_u32)
CM_LEFTRIGHT_SAVED_MULTIMAP(bags, 1)
CM_LEFTRIGHT_MULTIMAP_OWNED(hoards, struct item, struct item, item_hash, item_equal, item_hash, item_equal, ITEM_OWNER,
                            ITEM_OWNER)
CM_LEFTRIGHT_SAVED_MULTIMAP_CODED(hoards, 1, ITEM_CODED, ITEM_CODED)

/* How many values the i-th key of a multimap has: none, one, and more than fit without an index. */
static inline uint64_t count_at(uint64_t i)
{
    return i % 7 == 3 ? MANY : i % 4;
}

/* The n-th of them: each is there twice. */
static inline uint64_t value_at(uint64_t i, uint64_t n)
{
    return 100 * i + n / 2;
}

/* ---- each kind of map: filled, and looked at ---- */

static inline void nums_fill(nums_writer *writer, uint64_t i)
{
    assert_int_equal(nums_put(writer, i, 3 * i, NULL), CM_OK);
}

static inline bool nums_is_right(const nums_view *view, uint64_t i)
{
    const uint64_t *value = nums_view_get(view, i);
    return value && *value == 3 * i;
}

static inline void owners_fill(owners_writer *writer, uint64_t i)
{
    struct item key = item_of(i);
    assert_int_equal(owners_insert(writer, key, item_of(3 * i)), CM_OK);
    item_destroy(&key, NULL);
}

static inline bool owners_is_right(const owners_view *view, uint64_t i)
{
    struct item key = {&i};
    const struct item *value = owners_view_get(view, key);
    return value && *value->own == 3 * i;
}

static inline void names_fill(names_writer *writer, uint64_t i)
{
    char text[64];
    assert_int_equal(names_add(writer, text_at(text, i)), CM_OK);
}

static inline bool names_is_right(const names_view *view, uint64_t i)
{
    char text[64];
    return names_view_contains(view, text_at(text, i));
}

static inline void bags_fill(bags_writer *writer, uint64_t i)
{
    char text[64];
    cm_str key = text_at(text, i);
    assert_int_equal(bags_insert(writer, key, 1), CM_OK);
    assert_int_equal(bags_clear_entry(writer, key), CM_OK);
    for (uint64_t n = 0; n < count_at(i); n++)
        assert_int_equal(bags_insert(writer, key, (uint32_t)value_at(i, n)), CM_OK);
}

static inline bool bags_is_right(const bags_view *view, uint64_t i)
{
    char text[64];
    size_t count, n = 0;
    cm_str key = text_at(text, i);
    const uint32_t *values = bags_view_get(view, key, &count);
    while (n < count && values[n] == value_at(i, n))
        n++;
    return values && n == count && n == count_at(i) &&
           (n == 0 || bags_view_contains_value(view, key, (uint32_t)value_at(i, n - 1)));
}

static inline void hoards_fill(hoards_writer *writer, uint64_t i)
{
    struct item key = item_of(i);
    assert_int_equal(hoards_insert(writer, key, item_of(1)), CM_OK);
    assert_int_equal(hoards_clear_entry(writer, key), CM_OK);
    for (uint64_t n = 0; n < count_at(i); n++)
        assert_int_equal(hoards_insert(writer, key, item_of(value_at(i, n))), CM_OK);
    item_destroy(&key, NULL);
}

static inline bool hoards_is_right(const hoards_view *view, uint64_t i)
{
    struct item key = {&i};
    size_t count, n = 0;
    const struct item *values = hoards_view_get(view, key, &count);
    while (n < count && *values[n].own == value_at(i, n))
        n++;
    return values && n == count && n == count_at(i);
}

/* Functions of a kind: one that makes a map of `count` entries and saves it; and one that loads it, looks whether there
 * are the first `count` entries, has the writer add one, and looks at both sides. */
#define KIND(name)                                                                                                     \
    static cm_status name##_save_to(struct buffer *buffer, uint64_t count, const cm_config *config)                    \
    {                                                                                                                  \
        name map;                                                                                                      \
        name##_writer writer;                                                                                          \
        name##_reader reader;                                                                                          \
        cm_sink sink = buffer_sink(buffer);                                                                            \
        cm_status status = CM_OK;                                                                                      \
        assert_int_equal(name##_init(&map, config), CM_OK);                                                            \
        assert_int_equal(name##_writer_open(&map, &writer), CM_OK);                                                    \
        assert_int_equal(name##_reader_open(&map, &reader), CM_OK);                                                    \
        for (uint64_t i = 0; i < count; i++)                                                                           \
            name##_fill(&writer, i);                                                                                   \
        assert_int_equal(name##_set_meta(&writer, 1000 + count), CM_OK);                                               \
        assert_int_equal(name##_publish(&writer), CM_OK);                                                              \
        CM_WITH_VIEW (name, &reader, view)                                                                             \
            status = name##_view_save(view, &sink, NULL, NULL);                                                        \
        name##_destroy(&map);                                                                                          \
        return status;                                                                                                 \
    }                                                                                                                  \
    static void name##_look(const name *map, uint64_t count)                                                           \
    {                                                                                                                  \
        name##_reader reader;                                                                                          \
        assert_int_equal(name##_reader_open(map, &reader), CM_OK);                                                     \
        CM_WITH_VIEW (name, &reader, view) {                                                                           \
            assert_int_equal(name##_view_len(view), count);                                                            \
            for (uint64_t i = 0; i < count; i++)                                                                       \
                assert_true(name##_is_right(view, i));                                                                 \
        }                                                                                                              \
        assert_int_equal(name##_reader_close(&reader), CM_OK);                                                         \
    }                                                                                                                  \
    static void name##_go_on(const name *map, uint64_t count)                                                          \
    {                                                                                                                  \
        const char *wrong = NULL;                                                                                      \
        name##_writer writer;                                                                                          \
        assert_int_equal(name##_writer_open(map, &writer), CM_OK);                                                     \
        assert_false(name##_has_pending(&writer));                                                                     \
        for (int side = 0; side < 2; side++) { /* both are looked at, and compared */                                  \
            assert_int_equal(name##_begin(&writer), CM_OK);                                                            \
            if (name##_check(map, &wrong) != CM_OK)                                                                    \
                fail_msg("%s", wrong);                                                                                 \
            name##_look(map, count);                                                                                   \
            assert_int_equal(name##_publish(&writer), CM_OK);                                                          \
        }                                                                                                              \
        for (uint64_t more = count; more < 2 * count + 1; more++)                                                      \
            name##_fill(&writer, more);                                                                                \
        name##_look(map, count);                                                                                       \
        assert_int_equal(name##_publish(&writer), CM_OK);                                                              \
        name##_look(map, 2 * count + 1);                                                                               \
        assert_int_equal(name##_begin(&writer), CM_OK);                                                                \
        if (name##_check(map, &wrong) != CM_OK)                                                                        \
            fail_msg("%s", wrong);                                                                                     \
    }                                                                                                                  \
    static cm_status name##_load_of(struct buffer *buffer, uint64_t count, const cm_config *config,                    \
                                    const char **reason)                                                               \
    {                                                                                                                  \
        name map;                                                                                                      \
        name##_reader reader;                                                                                          \
        cm_source source = buffer_source(buffer);                                                                      \
        cm_status status = name##_load(&map, config, &source, NULL, reason);                                           \
        if (status != CM_OK)                                                                                           \
            return status;                                                                                             \
        if (count) {                                                                                                   \
            assert_int_equal(name##_reader_open(&map, &reader), CM_OK);                                                \
            CM_WITH_VIEW (name, &reader, view)                                                                         \
                assert_int_equal(name##_view_meta(view), 1000 + count);                                                \
            name##_look(&map, count);                                                                                  \
            name##_go_on(&map, count);                                                                                 \
        }                                                                                                              \
        status = name##_check(&map, NULL); /* which takes memory */                                                    \
        assert_true(status == CM_OK || status == CM_NOMEM);                                                            \
        name##_destroy(&map);                                                                                          \
        return CM_OK;                                                                                                  \
    }

KIND(nums)
KIND(owners)
KIND(names)
KIND(bags)
KIND(hoards)

#define KIND_OF(name)                                                                                                  \
    {                                                                                                                  \
        name##_save_to, name##_load_of                                                                                 \
    }

static const struct kind {
    cm_status (*save)(struct buffer *buffer, uint64_t count, const cm_config *config);
    cm_status (*load)(struct buffer *buffer, uint64_t count, const cm_config *config, const char **reason);
} kinds[] = {KIND_OF(nums), KIND_OF(owners), KIND_OF(names), KIND_OF(bags), KIND_OF(hoards)};

#define KINDS (sizeof kinds / sizeof *kinds)

static struct failing_allocator memory;
static const char *told_why;

/* Nothing remains, of maps and of failures. `count`: the entries that are expected; 0: whatever there is. */
static inline cm_status load(size_t kind, struct buffer *buffer, uint64_t count)
{
    told_why = NULL;
    cm_status status = kinds[kind].load(buffer, count, &(cm_config){.allocator = &memory.allocator}, &told_why);
    assert_true((status == CM_OK) == (told_why == NULL));
    assert_int_equal(memory.live_blocks, 0);
    assert_int_equal(memory.mistakes, 0);
    assert_int_equal(alive, 0);
    return status;
}

static inline void save(size_t kind, struct buffer *buffer, uint64_t count)
{
    *buffer = (struct buffer){.bytes = NULL};
    assert_int_equal(kinds[kind].save(buffer, count, NULL), CM_OK);
    assert_int_equal(alive, 0);
}

static inline void assert_reason(const char *part)
{
    if (!told_why || !strstr(told_why, part))
        fail_msg("the reason is \"%s\", not \"...%s...\"", told_why ? told_why : "", part);
}

#endif
