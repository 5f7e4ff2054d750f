/* Maps for tests of saving: boxes that own memory and are coded, and loading as one of three types, after which nothing
 * may remain. */
#ifndef CONCMAP_TESTS_SAVED_MAPS_H
#define CONCMAP_TESTS_SAVED_MAPS_H

#include <concmap/saved.h>
#include <concmap/sharded.h>
#include <stdlib.h>

#include "buffer.h"
#include "failing_allocator.h"
#include "unit.h"

struct box {
    uint64_t *number;
};

static size_t boxes_live, codec_calls, codec_fails_at;

static inline struct box box_of(uint64_t number)
{
    struct box box = {malloc(sizeof number)};
    *box.number = number;
    __atomic_add_fetch(&boxes_live, 1, __ATOMIC_RELAXED);
    return box;
}

static inline void box_destroy(struct box *box, void *context)
{
    (void)context;
    __atomic_sub_fetch(&boxes_live, 1, __ATOMIC_RELAXED);
    free(box->number);
}

static inline cm_status box_clone(struct box *to, const struct box *from, void *context)
{
    (void)context;
    *to = box_of(*from->number);
    return CM_OK;
}

/* As many bytes as the number says, so that entries are of all sizes. */
static inline cm_status box_encode(cm_encoder *to, const struct box *box, void *context)
{
    static const char bytes[1000];
    (void)context;
    if (++codec_calls == codec_fails_at)
        return (cm_status)-55;
    cm_status status = cm_encode_u64(to, *box->number);
    return status < 0 ? status : cm_encode_bytes(to, bytes, *box->number % sizeof bytes);
}

static inline cm_status box_decode(struct box *box, cm_decoder *from, void *context)
{
    char bytes[1000];
    uint64_t number = 0;
    (void)context;
    if (++codec_calls == codec_fails_at)
        return (cm_status)-55;
    cm_status status = cm_decode_u64(from, &number);
    if (status >= 0)
        status = cm_decode_bytes(from, bytes, number % sizeof bytes);
    if (status >= 0)
        *box = box_of(number);
    return status;
}

static inline uint64_t box_hash(const struct box *box, uint64_t seed)
{
    return cm_hash_u64(box->number, seed);
}

static inline bool box_equal(const struct box *a, const struct box *b)
{
    return *a->number == *b->number;
}

CM_SHARDED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_SHARDED_MAP(words, cm_str, uint64_t, cm_hash_str, cm_equal_str)
CM_SHARDED_MAP_OWNED(boxes, struct box, struct box, box_hash, box_equal, CM_OWNED(box_clone, box_destroy),
                     CM_OWNED(box_clone, box_destroy))
CM_SAVED(nums, 1)
CM_SAVED(words, 1)
CM_SAVED_CODED(boxes, 1, CM_CODED(box_encode, box_decode), CM_CODED(box_encode, box_decode))
CM_SAVED_SNAPSHOTS(boxes)

static inline void save_nums(struct buffer *buffer, uint64_t count)
{
    nums map;
    cm_sink sink = buffer_sink(buffer);
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    for (uint64_t key = 0; key < count; key++)
        assert_int_equal(nums_put(&map, key, key * 3, NULL), CM_OK);
    assert_int_equal(nums_save(&map, &sink, NULL, NULL), CM_OK);
    nums_destroy(&map);
}

static inline cm_str word_at(char text[64], uint64_t i)
{
    return cm_str_from(text, i ? (size_t)snprintf(text, 64, "%llu%*s", (unsigned long long)i, (int)(i % 40), "") : 0);
}

static inline void save_words(struct buffer *buffer, uint64_t count)
{
    words map;
    char text[64];
    cm_sink sink = buffer_sink(buffer);
    assert_int_equal(words_init(&map, NULL), CM_OK);
    for (uint64_t i = 0; i < count; i++)
        assert_int_equal(words_put(&map, word_at(text, i), i, NULL), CM_OK);
    assert_int_equal(words_save(&map, &sink, NULL, NULL), CM_OK);
    words_destroy(&map);
}

static inline void make_boxes(boxes *map, const cm_config *config, uint64_t count)
{
    assert_int_equal(boxes_init(map, config), CM_OK);
    for (uint64_t i = 0; i < count; i++) {
        struct box key = box_of(i);
        assert_int_equal(boxes_put(map, key, box_of(i * 2), NULL), CM_OK);
        box_destroy(&key, NULL);
    }
}

static inline void save_boxes(struct buffer *buffer, uint64_t count)
{
    boxes map;
    cm_sink sink = buffer_sink(buffer);
    make_boxes(&map, NULL, count);
    assert_int_equal(boxes_save(&map, &sink, NULL, NULL), CM_OK);
    boxes_destroy(&map);
    assert_int_equal(boxes_live, 0);
}

/* Loads it as one of three types, counting memory; nothing must remain after a failure. */
enum kind { NUMS, WORDS, BOXES, KINDS };

static struct failing_allocator memory;

static inline cm_status load(enum kind kind, struct buffer *buffer, const char **reason)
{
    union {
        nums nums;
        words words;
        boxes boxes;
    } map;
    cm_config config = {.allocator = &memory.allocator};
    cm_source source = buffer_source(buffer);
    memory.most_bytes = 0;
    *reason = NULL;
    cm_status status = kind == NUMS    ? nums_load(&map.nums, &config, &source, NULL, reason)
                       : kind == WORDS ? words_load(&map.words, &config, &source, NULL, reason)
                                       : boxes_load(&map.boxes, &config, &source, NULL, reason);
    if (status == CM_OK) {
        assert_null(*reason);
        const char *wrong = NULL;
        if ((kind == NUMS    ? nums_check(&map.nums, &wrong)
             : kind == WORDS ? words_check(&map.words, &wrong)
                             : boxes_check(&map.boxes, &wrong)) != CM_OK)
            fail_msg("%s", wrong);
        kind == NUMS ? nums_destroy(&map.nums) : kind == WORDS ? words_destroy(&map.words) : boxes_destroy(&map.boxes);
    } else {
        assert_non_null(*reason);
    }
    assert_int_equal(memory.live_blocks, 0);
    assert_int_equal(memory.mistakes, 0);
    assert_int_equal(boxes_live, 0);
    return status;
}

static inline void save_kind(enum kind kind, struct buffer *buffer, uint64_t count)
{
    *buffer = (struct buffer){.bytes = NULL};
    kind == NUMS ? save_nums(buffer, count) : kind == WORDS ? save_words(buffer, count) : save_boxes(buffer, count);
}

static inline void assert_reason(const char *reason, const char *part)
{
    if (!reason || !strstr(reason, part))
        fail_msg("the reason is \"%s\", not \"...%s...\"", reason ? reason : "", part);
}

/* Loads it with another number at `at`, all checks right. */
static inline cm_status load_with(enum kind kind, const struct buffer *saved, size_t at, uint64_t number, size_t size,
                                  const char **reason)
{
    struct buffer buffer = {.bytes = malloc(saved->size), .size = saved->size};
    memcpy(buffer.bytes, saved->bytes, saved->size);
    memcpy(buffer.bytes + at, &number, size);
    buffer_reseal(&buffer);
    cm_status status = load(kind, &buffer, reason);
    free(buffer.bytes);
    return status;
}

#endif
