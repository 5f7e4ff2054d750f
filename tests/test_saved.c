/* Saved maps: what is loaded is what was saved, or nothing, whatever happens to the stream, the memory, the codecs and
 * the map meanwhile. Each kind of key and value is in test_sharded.c and test_kinds.c; files are in test_saved_files.c.
 * The names with a letter and a number are cases of the project's list of bugs that other maps had. (Of that list L4,
 * an old object's address with a new object, does not apply: a save keeps copies, never a pointer into the map.) */
#include <concmap/cache.h>
#include <concmap/sharded_set.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../src/thread_registry.h"
#include "buffer.h"
#include "crew.h"
#include "failing_allocator.h"
#include "shared_type.h"
#include "unit.h"

struct point {
    uint8_t layer; /* padding follows */
    uint64_t x;
};

struct box {
    uint64_t *number;
};

static size_t boxes_live, codec_calls, codec_fails_at;

static struct box box_of(uint64_t number)
{
    struct box box = {malloc(sizeof number)};
    *box.number = number;
    __atomic_add_fetch(&boxes_live, 1, __ATOMIC_RELAXED);
    return box;
}

static void box_destroy(struct box *box, void *context)
{
    (void)context;
    __atomic_sub_fetch(&boxes_live, 1, __ATOMIC_RELAXED);
    free(box->number);
}

static cm_status box_clone(struct box *to, const struct box *from, void *context)
{
    (void)context;
    *to = box_of(*from->number);
    return CM_OK;
}

/* As many bytes as the number says, so that entries are of all sizes. */
static cm_status box_encode(cm_encoder *to, const struct box *box, void *context)
{
    static const char bytes[1000];
    (void)context;
    if (++codec_calls == codec_fails_at)
        return (cm_status)-55;
    cm_status status = cm_encode_u64(to, *box->number);
    return status < 0 ? status : cm_encode_bytes(to, bytes, *box->number % sizeof bytes);
}

static cm_status box_decode(struct box *box, cm_decoder *from, void *context)
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

static cm_status huge_encode(cm_encoder *to, const uint64_t *size, void *context)
{
    static const char bytes[4096];
    cm_status status = CM_OK;
    (void)context;
    for (uint64_t done = 0; status >= 0 && done < *size; done += sizeof bytes)
        status = cm_encode_bytes(to, bytes, sizeof bytes);
    return status;
}

static cm_status huge_decode(uint64_t *size, cm_decoder *from, void *context)
{
    static char bytes[4096];
    (void)context;
    for (*size = cm_decode_left(from); cm_decode_left(from) > 0;)
        if (cm_decode_bytes(from, bytes, sizeof bytes) < 0)
            return CM_CORRUPT;
    return CM_OK;
}

static uint64_t box_hash(const struct box *box, uint64_t seed)
{
    return cm_hash_u64(box->number, seed);
}

static bool box_equal(const struct box *a, const struct box *b)
{
    return *a->number == *b->number;
}

static uint64_t point_hash(const struct point *point, uint64_t seed)
{
    return cm_hash_mix(point->x + point->layer, seed);
}

static bool point_equal(const struct point *a, const struct point *b)
{
    return a->x == b->x && a->layer == b->layer;
}

CM_SHARDED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_SHARDED_MAP(others, uint64_t, uint32_t, cm_hash_u64, cm_equal_u64)
CM_SHARDED_MAP(later, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_SHARDED_MAP(words, cm_str, uint64_t, cm_hash_str, cm_equal_str)
CM_SHARDED_MAP(points, struct point, struct point, point_hash, point_equal)
CM_SHARDED_MAP(huge, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_SHARDED_MAP_OWNED(boxes, struct box, struct box, box_hash, box_equal, CM_OWNED(box_clone, box_destroy),
                     CM_OWNED(box_clone, box_destroy))
CM_SHARDED_SET(uniques, uint64_t, cm_hash_u64, cm_equal_u64)
CM_CACHE_MAP(caches, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64, cm_no_expiry, cm_no_weight, cm_no_eviction)
CM_SAVED(nums, 1)
CM_SAVED(others, 1)
CM_SAVED(later, 2)
CM_SAVED(words, 1)
CM_SAVED(points, 1)
CM_SAVED_CODED(huge, 1, CM_UNCODED, CM_CODED(huge_encode, huge_decode))
CM_SAVED_CODED(boxes, 1, CM_CODED(box_encode, box_decode), CM_CODED(box_encode, box_decode))
CM_SAVED_SNAPSHOTS(boxes)
CM_SAVED_SET(uniques, 1)
CM_SAVED(caches, 1)

static void save_nums(struct buffer *buffer, uint64_t count)
{
    nums map;
    cm_sink sink = buffer_sink(buffer);
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    for (uint64_t key = 0; key < count; key++)
        assert_int_equal(nums_put(&map, key, key * 3, NULL), CM_OK);
    assert_int_equal(nums_save(&map, &sink, NULL, NULL), CM_OK);
    nums_destroy(&map);
}

static cm_str word_at(char text[64], uint64_t i)
{
    return cm_str_from(text, i ? (size_t)snprintf(text, 64, "%llu%*s", (unsigned long long)i, (int)(i % 40), "") : 0);
}

static void save_words(struct buffer *buffer, uint64_t count)
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

static void make_boxes(boxes *map, const cm_config *config, uint64_t count)
{
    assert_int_equal(boxes_init(map, config), CM_OK);
    for (uint64_t i = 0; i < count; i++) {
        struct box key = box_of(i);
        assert_int_equal(boxes_put(map, key, box_of(i * 2), NULL), CM_OK);
        box_destroy(&key, NULL);
    }
}

static void save_boxes(struct buffer *buffer, uint64_t count)
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

static cm_status load(enum kind kind, struct buffer *buffer, const char **reason)
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

static void save_kind(enum kind kind, struct buffer *buffer, uint64_t count)
{
    *buffer = (struct buffer){.bytes = NULL};
    kind == NUMS ? save_nums(buffer, count) : kind == WORDS ? save_words(buffer, count) : save_boxes(buffer, count);
}

static void assert_reason(const char *reason, const char *part)
{
    if (!reason || !strstr(reason, part))
        fail_msg("the reason is \"%s\", not \"...%s...\"", reason ? reason : "", part);
}

/* ---- whole streams ---- */

static void sets_and_declared_types_are_saved(void **state)
{
    (void)state;
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    uniques set;
    tallies tally;
    marks mark;
    assert_int_equal(uniques_init(&set, NULL), CM_OK);
    assert_int_equal(tallies_init(&tally, NULL), CM_OK);
    assert_int_equal(marks_init(&mark, NULL), CM_OK);
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(uniques_add(&set, i) | marks_add(&mark, i), CM_OK);
    tallies_put(&tally, cm_str_of("one"), 1, NULL);
    assert_int_equal(uniques_save(&set, &sink, NULL, NULL), CM_OK);
    assert_int_equal(tallies_save(&tally, &sink, NULL, NULL), CM_OK); /* one stream after the other */
    assert_int_equal(marks_save(&mark, &sink, NULL, NULL), CM_OK);
    uniques_destroy(&set);
    tallies_destroy(&tally);
    marks_destroy(&mark);
    cm_source source = buffer_source(&buffer);
    assert_int_equal(uniques_load(&set, NULL, &source, NULL, NULL), CM_OK);
    assert_int_equal(tallies_load(&tally, NULL, &source, NULL, NULL), CM_OK);
    assert_int_equal(marks_load(&mark, NULL, &source, NULL, NULL), CM_OK);
    assert_int_equal(buffer.at, buffer.size);
    for (uint64_t i = 0; i < 2000; i++)
        assert_true(uniques_contains(&set, i) == (i < 1000) && marks_contains(&mark, i) == (i < 1000));
    assert_true(tallies_contains(&tally, cm_str_of("one")));
    assert_int_equal(tallies_len(&tally), 1);
    uniques_destroy(&set);
    tallies_destroy(&tally);
    marks_destroy(&mark);
    buffer_free(&buffer);
}

static void a_map_that_is_not_made_yet_is_saved_as_empty(void **state)
{
    (void)state;
    static nums map = CM_MAP_INITIALIZER;
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    nums loaded;
    assert_int_equal(nums_save(&map, &sink, NULL, NULL), CM_OK);
    assert_int_equal(buffer.size, FIRST_FRAME + FRAME);
    cm_source source = buffer_source(&buffer);
    assert_int_equal(nums_load(&loaded, NULL, &source, NULL, NULL), CM_OK);
    assert_int_equal(nums_len(&loaded), 0);
    assert_int_equal(nums_put(&loaded, 1, 1, NULL), CM_OK);
    nums_destroy(&loaded);
    nums_destroy(&map);
    buffer_free(&buffer);
}

/* An entry lies in one block, however large it is. */
static void entries_of_all_sizes_are_saved(void **state)
{
    (void)state;
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    huge map;
    assert_int_equal(huge_init(&map, NULL), CM_OK);
    for (uint64_t i = 0; i < 300; i++)
        huge_put(&map, i, i % 100 ? i % 7 * 4096 : i * 40960, NULL);
    assert_int_equal(huge_save(&map, &sink, NULL, NULL), CM_OK);
    huge_destroy(&map);
    cm_source source = buffer_source(&buffer);
    assert_int_equal(huge_load(&map, NULL, &source, NULL, NULL), CM_OK);
    for (uint64_t i = 0, size; i < 300; i++)
        assert_true(huge_get(&map, i, &size) && size == (i % 100 ? i % 7 * 4096 : i * 40960));
    huge_destroy(&map);
    buffer_free(&buffer);
}

static void padding_is_saved_as_zero(void **state)
{
    (void)state;
#if defined(__has_builtin) && defined(__GNUC__) && !defined(__clang__)
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    points map;
    assert_int_equal(points_init(&map, NULL), CM_OK);
    struct point point;
    memset(&point, 0xee, sizeof point);
    for (uint64_t i = 0; i < 100; i++) {
        point.layer = 1;
        point.x = i;
        assert_int_equal(points_put(&map, point, point, NULL), CM_OK);
    }
    assert_int_equal(points_save(&map, &sink, NULL, NULL), CM_OK);
    points_destroy(&map);
    for (size_t at = FIRST_FRAME + FRAME; at < buffer.size - FRAME; at += sizeof point) {
        static const char zeros[7];
        assert_memory_equal(buffer.bytes + at + 1, zeros, 7);
    }
    buffer_free(&buffer);
#else
    skip();
#endif
}

static void a_limit_is_kept_and_a_cache_takes_what_it_may(void **state)
{
    (void)state;
    struct buffer buffer = {.bytes = NULL};
    cm_source source;
    nums map;
    caches cache;
    save_nums(&buffer, 3000);
    source = buffer_source(&buffer);
    assert_int_equal(nums_load(&map, &(cm_config){.limit = 2999}, &source, NULL, NULL), CM_FULL);
    source = buffer_source(&buffer);
    assert_int_equal(nums_load(&map, &(cm_config){.limit = 3000}, &source, NULL, NULL), CM_OK);
    assert_int_equal(nums_put(&map, 9999, 1, NULL), CM_FULL);
    nums_destroy(&map);
    source = buffer_source(&buffer);
    assert_int_equal(nums_load(&map, &(cm_config){.fixed = true, .capacity = 3000}, &source, NULL, NULL), CM_OK);
    assert_int_equal(nums_check(&map, NULL), CM_OK);
    nums_destroy(&map);
    source = buffer_source(&buffer);
    assert_int_equal(caches_load(&cache, &(cm_config){.limit = 100}, &source, NULL, NULL), CM_OK);
    assert_int_equal(caches_len(&cache), 100);
    caches_destroy(&cache);
    buffer_free(&buffer);
}

static void a_loaded_map_shrinks_by_itself(void **state)
{
    (void)state;
    struct buffer buffer = {.bytes = NULL};
    nums map;
    save_nums(&buffer, 50000);
    cm_source source = buffer_source(&buffer);
    assert_int_equal(nums_load(&map, &(cm_config){.shrink = true}, &source, NULL, NULL), CM_OK);
    size_t before = nums_memory(&map).table;
    for (uint64_t key = 0; key < 49990; key++)
        assert_int_equal(nums_remove(&map, key, NULL), CM_OK);
    nums_settle(&map);
    assert_true(nums_memory(&map).table < before / 4);
    nums_destroy(&map);
    buffer_free(&buffer);
}

/* ---- damaged streams ---- */

static void a_stream_that_ends_anywhere_loads_nothing(void **state)
{
    (void)state;
    for (enum kind kind = NUMS; kind < KINDS; kind++) {
        struct buffer buffer;
        const char *reason;
        save_kind(kind, &buffer, 30);
        while (buffer.size-- > 0) {
            assert_int_equal(load(kind, &buffer, &reason), CM_CORRUPT);
            assert_reason(reason, "ends too early");
        }
        buffer_free(&buffer);
    }
}

static void blocks_that_lack_are_missed(void **state)
{
    (void)state;
    struct buffer buffer = {.bytes = NULL};
    const char *reason;
    save_nums(&buffer, 20000); /* three blocks */
    uint64_t bytes;
    memcpy(&bytes, buffer.bytes + FIRST_FRAME, 8);
    size_t next = FIRST_FRAME + FRAME + (size_t)bytes;
    assert_true(next + FRAME < buffer.size);
    memmove(buffer.bytes + FIRST_FRAME, buffer.bytes + next, buffer.size - next);
    buffer.size -= next - FIRST_FRAME;
    assert_int_equal(load(NUMS, &buffer, &reason), CM_CORRUPT);
    buffer_free(&buffer);
}

static void a_bit_that_flips_anywhere_loads_nothing(void **state)
{
    (void)state;
    for (enum kind kind = NUMS; kind < KINDS; kind++) {
        struct buffer buffer;
        const char *reason;
        save_kind(kind, &buffer, 8);
        for (size_t bit = 0; bit < 8 * buffer.size; bit++) {
            buffer.bytes[bit / 8] ^= (char)(1 << bit % 8);
            cm_status status = load(kind, &buffer, &reason);
            assert_true(status == CM_CORRUPT || (status == CM_INVALID && bit < 64));
            buffer.bytes[bit / 8] ^= (char)(1 << bit % 8);
        }
        assert_int_equal(load(kind, &buffer, &reason), CM_OK);
        buffer_free(&buffer);
    }
}

/* Loads it with another number at `at`, all checks right. */
static cm_status load_with(enum kind kind, const struct buffer *saved, size_t at, uint64_t number, size_t size,
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

static void what_is_of_others_is_refused_with_a_reason(void **state)
{
    (void)state;
    struct buffer buffer;
    struct buffer text = {.bytes = (char[]){"#!/bin/sh\n"}, .size = 10};
    const char *reason;
    save_kind(NUMS, &buffer, 10);
    assert_int_equal(load(NUMS, &text, &reason), CM_INVALID);
    assert_reason(reason, "no saved map");
    assert_int_equal(load_with(NUMS, &buffer, 8, 2, 4, &reason), CM_INVALID);
    assert_reason(reason, "newer format");
    assert_int_equal(load_with(NUMS, &buffer, 14, buffer.bytes[14] == 1 ? 2 : 1, 1, &reason), CM_INVALID);
    assert_reason(reason, "byte order");
    assert_int_equal(load_with(NUMS, &buffer, 16, 4, 8, &reason), CM_INVALID);
    assert_reason(reason, "keys are of another size");
    assert_int_equal(load_with(NUMS, &buffer, 32, 7, 8, &reason), CM_INVALID);
    assert_reason(reason, "another number");
    assert_int_equal(load(WORDS, &buffer, &reason), CM_INVALID);
    assert_reason(reason, "another kind");
    others other;
    cm_source source = buffer_source(&buffer);
    assert_int_equal(others_load(&other, NULL, &source, NULL, &reason), CM_INVALID);
    assert_reason(reason, "values are of another size");
    later late;
    source = buffer_source(&buffer);
    assert_int_equal(later_load(&late, NULL, &source, NULL, &reason), CM_INVALID);
    assert_reason(reason, "another number");
    buffer_free(&buffer);
    save_kind(WORDS, &buffer, 10);
    buffer.bytes[14] = (char)(3 - buffer.bytes[14]);
    buffer_reseal(&buffer);
    assert_int_equal(load(WORDS, &buffer, &reason), CM_INVALID); /* its values are plain */
    buffer_free(&buffer);
    save_kind(BOXES, &buffer, 10);
    assert_int_equal(load_with(BOXES, &buffer, 14, (uint64_t)(3 - buffer.bytes[14]), 1, &reason),
                     CM_OK); /* nothing is */
    buffer_free(&buffer);
}

/* What a stream says of itself takes no more memory than what it has. */
static void lies_about_sizes_take_no_memory(void **state)
{
    (void)state;
    static const uint64_t lies[] = {0, 1, 9, 1000, 1 << 20, UINT32_MAX, UINT64_C(1) << 40, INT64_MAX, UINT64_MAX};
    for (enum kind kind = NUMS; kind < KINDS; kind++) {
        struct buffer buffer;
        const char *reason;
        save_kind(kind, &buffer, 30);
        assert_int_equal(load(kind, &buffer, &reason), CM_OK);
        size_t usual = memory.most_bytes;
        memory.fail_from_bytes = 64 << 20; /* nobody should ask */
        for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
            assert_int_equal(load_with(kind, &buffer, 40, lies[i], 8, &reason), CM_OK); /* entries, about */
            assert_true(memory.most_bytes < usual + (8 << 20));
            assert_int_equal(load_with(kind, &buffer, FIRST_FRAME, lies[i], 8, &reason), CM_CORRUPT);
            assert_true(memory.most_bytes < usual + (4 << 20));
            assert_int_equal(load_with(kind, &buffer, FIRST_FRAME + 8, lies[i], 8, &reason), CM_CORRUPT);
            assert_true(memory.most_bytes < usual + (4 << 20));
            assert_int_equal(load_with(kind, &buffer, buffer.size - FRAME + 8, lies[i], 8, &reason), CM_CORRUPT);
            uint32_t truth; /* the size of the first key, which is another one each time */
            memcpy(&truth, buffer.bytes + FIRST_FRAME + FRAME, sizeof truth);
            if (kind != NUMS && (uint32_t)lies[i] != truth)
                assert_int_equal(load_with(kind, &buffer, FIRST_FRAME + FRAME, lies[i], 4, &reason), CM_CORRUPT);
        }
        assert_int_equal(memory.failures, 0);
        failing_allocator_restart(&memory);
        buffer_free(&buffer);
    }
}

static void a_key_that_is_there_twice_is_damage(void **state)
{
    (void)state;
    struct buffer buffer = {.bytes = NULL};
    const char *reason;
    save_nums(&buffer, 100);
    memcpy(buffer.bytes + FIRST_FRAME + FRAME, buffer.bytes + FIRST_FRAME + FRAME + 16 * 50, 8);
    buffer_reseal(&buffer);
    assert_int_equal(load(NUMS, &buffer, &reason), CM_CORRUPT);
    assert_reason(reason, "twice");
    buffer_free(&buffer);
}

/* Whatever the bytes are: a map that is whole, or nothing. */
static void random_damage_behind_right_checks_breaks_nothing(void **state)
{
    (void)state;
    uint64_t random = crew_seed("damage");
    size_t rounds = crew_scale(8000), loaded = 0;
    for (enum kind kind = NUMS; kind < KINDS; kind++) {
        struct buffer buffer, copy = {.bytes = NULL};
        const char *reason;
        save_kind(kind, &buffer, 12);
        copy.bytes = malloc(buffer.size);
        for (size_t round = 0; round < rounds; round++) {
            copy.size = buffer.size;
            memcpy(copy.bytes, buffer.bytes, copy.size);
            for (uint64_t damage = crew_random(&random) % 4; damage > 0; damage--)
                copy.bytes[crew_random(&random) % copy.size] =
                    (char)(crew_random(&random) % 3 ? crew_random(&random) : 0);
            if (crew_random(&random) % 8 == 0)
                copy.size = crew_random(&random) % copy.size;
            if (crew_random(&random) % 4 && copy.size > FIRST_FRAME)
                buffer_reseal(&copy);
            loaded += load(kind, &copy, &reason) == CM_OK;
        }
        free(copy.bytes);
        buffer_free(&buffer);
    }
    assert_true(loaded > rounds / 10);
}

/* ---- sinks, sources, codecs, progress, memory ---- */

static void a_sink_or_source_that_fails_ends_it(void **state)
{
    (void)state;
    struct buffer whole = {.bytes = NULL};
    nums map, loaded;
    cm_config config = {.allocator = &memory.allocator};
    assert_int_equal(nums_init(&map, &config), CM_OK);
    for (uint64_t key = 0; key < 30000; key++)
        nums_put(&map, key, key, NULL);
    size_t before = memory.live_blocks, calls;
    for (calls = 1;; calls++) {
        struct buffer buffer = {.fail_at = calls};
        cm_sink sink = buffer_sink(&buffer);
        cm_status status = nums_save(&map, &sink, NULL, NULL);
        assert_int_equal(memory.live_blocks, before);
        buffer_free(&buffer);
        if (status == CM_OK)
            break;
        assert_int_equal(status, (cm_status)-77);
    }
    assert_int_equal(calls, 1 + 1 + 4 + 1); /* header, four blocks, end */
    cm_sink sink = buffer_sink(&whole);
    assert_int_equal(nums_save(&map, &sink, NULL, NULL), CM_OK);
    nums_destroy(&map);
    for (calls = 1;; calls++) {
        whole.calls = 0;
        whole.fail_at = calls;
        cm_source source = buffer_source(&whole);
        cm_status status = nums_load(&loaded, &config, &source, NULL, NULL);
        if (status == CM_OK)
            break;
        assert_int_equal(status, (cm_status)-77);
        assert_int_equal(memory.live_blocks, 0);
    }
    assert_int_equal(calls, 1 + 1 + 8 + 1);
    nums_destroy(&loaded);
    buffer_free(&whole);
}

static void a_codec_that_fails_ends_it(void **state)
{
    (void)state;
    struct buffer buffer = {.bytes = NULL};
    const char *reason;
    boxes map;
    save_boxes(&buffer, 50);
    codec_fails_at = 1;
    do {
        codec_calls = 0;
    } while (load(BOXES, &buffer, &reason) == (cm_status)-55 && ++codec_fails_at);
    assert_int_equal(codec_fails_at, 101);
    make_boxes(&map, NULL, 50);
    size_t before = boxes_live;
    for (codec_fails_at = 1;; codec_fails_at++) {
        struct buffer into = {.bytes = NULL};
        cm_sink sink = buffer_sink(&into);
        codec_calls = 0;
        cm_status status = boxes_save(&map, &sink, NULL, &reason);
        buffer_free(&into);
        assert_int_equal(boxes_live, before);
        if (status == CM_OK)
            break;
        assert_int_equal(status, (cm_status)-55);
    }
    assert_int_equal(codec_fails_at, 101);
    codec_fails_at = 0;
    boxes_destroy(&map);
    buffer_free(&buffer);
}

static void a_codec_has_to_take_all_bytes(void **state)
{
    (void)state;
    struct buffer buffer;
    const char *reason;
    save_kind(BOXES, &buffer, 1);
    /* Key 0 of 8 bytes, value 0 of 8: the value with another number would be longer. */
    assert_int_equal(load_with(BOXES, &buffer, FIRST_FRAME + FRAME + 4, 5, 8, &reason), CM_CORRUPT);
    assert_int_equal(load_with(BOXES, &buffer, FIRST_FRAME + FRAME + 16, 3, 8, &reason), CM_CORRUPT);
    buffer_free(&buffer);
    save_kind(BOXES, &buffer, 7); /* some value has bytes that a 0 leaves */
    for (size_t at = FIRST_FRAME + FRAME; at + 8 < buffer.size - FRAME; at++) {
        uint32_t size;
        uint64_t number;
        memcpy(&size, buffer.bytes + at, 4);
        memcpy(&number, buffer.bytes + at + 4, 8);
        if (number > 0 && number < 13 && size == 8 + number)
            assert_int_equal(load_with(BOXES, &buffer, at + 4, 0, 8, &reason), CM_CORRUPT);
    }
    buffer_free(&buffer);
}

struct told {
    uint64_t last, total;
    size_t calls, cancel_at;
};

static cm_status tell(void *context, uint64_t done, uint64_t total)
{
    struct told *told = context;
    if (done <= told->last || done > total)
        return (cm_status)-88;
    told->last = done;
    told->total = total;
    return ++told->calls == told->cancel_at ? (cm_status)-99 : CM_OK;
}

static void progress_is_told_and_may_cancel(void **state)
{
    (void)state;
    nums map, loaded;
    const char *reason;
    cm_config config = {.allocator = &memory.allocator};
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    for (uint64_t key = 0; key < 30000; key++)
        nums_put(&map, key, key, NULL);
    for (size_t cancel_at = 0; cancel_at <= 4; cancel_at++) {
        struct told told = {.cancel_at = cancel_at};
        cm_progress progress = {tell, &told};
        struct buffer buffer = {.bytes = NULL};
        cm_sink sink = buffer_sink(&buffer);
        assert_int_equal(nums_save(&map, &sink, &progress, &reason), cancel_at ? (cm_status)-99 : CM_OK);
        assert_int_equal(told.calls, cancel_at ? cancel_at : 4);
        assert_int_equal(told.total, 30000);
        if (cancel_at) {
            assert_reason(reason, "progress");
            buffer.size = 0;
            assert_int_equal(nums_save(&map, &sink, NULL, NULL), CM_OK);
        }
        told = (struct told){.cancel_at = cancel_at};
        cm_source source = buffer_source(&buffer);
        cm_status status = nums_load(&loaded, &config, &source, &progress, &reason);
        assert_int_equal(status, cancel_at ? (cm_status)-99 : CM_OK);
        assert_int_equal(told.calls, cancel_at ? cancel_at : 4);
        if (status == CM_OK)
            nums_destroy(&loaded);
        assert_int_equal(memory.live_blocks, 0);
        buffer_free(&buffer);
    }
    nums_destroy(&map);
}

/* An eighth of the entries is gathered, and bears out the table for all of them. */
static void a_source_of_unknown_size_fills_one_table(void **state)
{
    (void)state;
    enum { ENTRIES = 300000 };
    struct buffer buffer = {.bytes = NULL};
    struct told told = {.cancel_at = 0};
    cm_progress progress = {tell, &told};
    cm_config config = {.allocator = &memory.allocator};
    nums map;
    const char *reason;
    cm_stats stats;
    save_nums(&buffer, ENTRIES);
    cm_source source = buffer_source(&buffer);
    assert_int_equal(nums_load(&map, &config, &source, &progress, &reason), CM_OK);
    assert_int_equal(told.last, ENTRIES);
    assert_int_equal(nums_len(&map), ENTRIES);
    nums_stats(&map, &stats);
    assert_int_equal(stats.grows, 0);
    assert_int_equal(nums_check(&map, &reason), CM_OK);
    nums_destroy(&map);

    const size_t whole = buffer.size;
    for (size_t bytes = FIRST_FRAME; bytes < whole; bytes += whole / 16) {
        buffer.size = bytes;
        assert_int_equal(load(NUMS, &buffer, &reason), CM_CORRUPT);
        buffer.size = whole;
        buffer.bytes[bytes] ^= 1;
        assert_int_equal(load(NUMS, &buffer, &reason), CM_CORRUPT);
        buffer.bytes[bytes] ^= 1;
    }
    size_t n = 0;
    do {
        failing_allocator_fail_at(&memory, ++n);
        cm_status status = load(NUMS, &buffer, &reason);
        assert_true(status == CM_OK || (status == CM_NOMEM && memory.failures));
    } while (memory.failures > 0);
    failing_allocator_restart(&memory);
    buffer_free(&buffer);
}

static void M1_every_allocation_may_fail(void **state)
{
    (void)state;
    for (enum kind kind = NUMS; kind < KINDS; kind++) {
        struct buffer buffer;
        const char *reason;
        size_t n = 0;
        save_kind(kind, &buffer, kind == NUMS ? 40000 : 2000);
        cm_status status;
        do {
            failing_allocator_fail_at(&memory, ++n);
            status = load(kind, &buffer, &reason); /* growth that fails may be put off */
            assert_true(status == CM_NOMEM || status == CM_OK);
        } while (memory.failures > 0);
        assert_int_equal(status, CM_OK);
        assert_true(n > 3);
        buffer_free(&buffer);
    }
    failing_allocator_restart(&memory);
    boxes map;
    make_boxes(&map, &(cm_config){.allocator = &memory.allocator}, 700);
    size_t live = boxes_live, blocks = memory.live_blocks, n = 0;
    cm_status status;
    do {
        struct buffer buffer = {.bytes = NULL};
        cm_sink sink = buffer_sink(&buffer);
        failing_allocator_fail_at(&memory, ++n);
        status = boxes_save(&map, &sink, NULL, NULL);
        assert_true(status == CM_NOMEM || memory.failures == 0);
        assert_int_equal(boxes_live, live);
        assert_int_equal(memory.live_blocks, blocks);
        buffer_free(&buffer);
    } while (memory.failures > 0);
    assert_int_equal(status, CM_OK);
    assert_true(n > 2);
    boxes_destroy(&map);
    failing_allocator_restart(&memory);
}

static void L10_blocks_aligned_to_eight_bytes_will_do(void **state)
{
    (void)state;
    memory.misaligned = true;
    for (enum kind kind = NUMS; kind < KINDS; kind++) {
        struct buffer buffer;
        const char *reason;
        save_kind(kind, &buffer, 3000);
        assert_int_equal(load(kind, &buffer, &reason), CM_OK);
        buffer_free(&buffer);
    }
    memory.misaligned = false;
}

/* ---- saving while others write ---- */

#define STABLE 3000

struct traffic {
    nums map;
    words texts;
    size_t rounds;
    bool done;
};

static size_t come_and_go(void *context, unsigned i)
{
    struct traffic *traffic = context;
    uint64_t random = 77 + i;
    char text[64];
    size_t wrong = 0;
    while (!__atomic_load_n(&traffic->done, __ATOMIC_ACQUIRE)) {
        uint64_t key = crew_random(&random), stable = key % STABLE;
        wrong += nums_put(&traffic->map, stable, stable << 32 | (uint32_t)key, NULL) != CM_REPLACED;
        wrong += words_put(&traffic->texts, word_at(text, stable), stable << 32, NULL) != CM_REPLACED;
        uint64_t other = STABLE + key % 20000;
        nums_put(&traffic->map, other, other << 32, NULL);
        words_put(&traffic->texts, word_at(text, other), other << 32, NULL);
        other = STABLE + (key >> 20) % 20000;
        nums_remove(&traffic->map, other, NULL);
        words_remove(&traffic->texts, word_at(text, other), NULL);
        if (key % 4096 == 0)
            nums_shrink_to_fit(&traffic->map);
    }
    return wrong;
}

/* Each key that stays is saved, with a value of its own. */
static size_t saved_is_right(struct traffic *traffic)
{
    struct buffer buffer = {.bytes = NULL}, text_buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer), text_sink = buffer_sink(&text_buffer);
    nums map;
    words texts;
    char text[64];
    size_t wrong = nums_save(&traffic->map, &sink, NULL, NULL) != CM_OK;
    wrong += words_save(&traffic->texts, &text_sink, NULL, NULL) != CM_OK;
    cm_source source = buffer_source(&buffer), text_source = buffer_source(&text_buffer);
    if (nums_load(&map, NULL, &source, NULL, NULL) != CM_OK)
        return wrong + 1;
    if (words_load(&texts, NULL, &text_source, NULL, NULL) != CM_OK)
        return wrong + 1;
    uint64_t value;
    for (uint64_t key = 0; key < STABLE; key++) {
        wrong += !nums_get(&map, key, &value) || value >> 32 != key;
        wrong += !words_get(&texts, word_at(text, key), &value) || value >> 32 != key;
    }
    CM_FOREACH (nums, &map, it)
        wrong += it.value >> 32 != it.key;
    wrong += nums_check(&map, NULL) != CM_OK || words_check(&texts, NULL) != CM_OK;
    nums_destroy(&map);
    words_destroy(&texts);
    buffer_free(&buffer);
    buffer_free(&text_buffer);
    return wrong;
}

static size_t save_or_write(void *context, unsigned i)
{
    struct traffic *traffic = context;
    if (i > 1)
        return come_and_go(context, i);
    size_t wrong = 0;
    for (size_t round = 0; i == 0 && round < traffic->rounds; round++)
        wrong += saved_is_right(traffic);
    if (i == 0)
        __atomic_store_n(&traffic->done, true, __ATOMIC_RELEASE);
    return wrong + (i == 1 ? come_and_go(context, i) : 0);
}

static void traffic_begin(struct traffic *traffic)
{
    char text[64];
    memset(traffic, 0, sizeof *traffic);
    traffic->rounds = crew_scale(40);
    assert_int_equal(nums_init(&traffic->map, NULL), CM_OK);
    assert_int_equal(words_init(&traffic->texts, NULL), CM_OK);
    for (uint64_t key = 0; key < STABLE; key++) {
        assert_int_equal(nums_put(&traffic->map, key, key << 32, NULL), CM_OK);
        assert_int_equal(words_put(&traffic->texts, word_at(text, key), key << 32, NULL), CM_OK);
    }
}

static void traffic_end(struct traffic *traffic)
{
    nums_destroy(&traffic->map);
    words_destroy(&traffic->texts);
}

static void each_key_that_stays_is_saved_while_others_come_and_go(void **state)
{
    (void)state;
    static struct traffic traffic;
    traffic_begin(&traffic);
    assert_int_equal(crew_run(3, save_or_write, &traffic), 0);
    traffic_end(&traffic);
}

/* In a child of its own, because the mode stays. */
static void M3_without_membarrier_saving_is_as_right(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        static struct traffic traffic;
        cm_domain_force_fences_();
        traffic_begin(&traffic);
        traffic.rounds = traffic.rounds / 4 + 1;
        _exit(crew_run(3, save_or_write, &traffic) == 0 ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
}

static void M4_a_forked_child_saves_and_loads(void **state)
{
    (void)state;
    static struct traffic traffic;
    traffic_begin(&traffic);
    pid_t child = fork();
    if (child == 0) {
        size_t wrong = saved_is_right(&traffic);
        traffic_end(&traffic);
        _exit(wrong == 0 ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    assert_int_equal(saved_is_right(&traffic), 0);
    traffic_end(&traffic);
}

/* A sink that is stuck for long, while 100,000 entries are removed. */
struct stuck {
    words *map;
    struct buffer buffer;
    size_t most_waiting;
};

static cm_status churn_write(void *context, const void *bytes, size_t size)
{
    struct stuck *stuck = context;
    char text[64];
    for (uint64_t i = 0; stuck->buffer.calls == 1 && i < 100000; i++) {
        words_put(stuck->map, word_at(text, 1000000 + i), i, NULL);
        words_remove(stuck->map, word_at(text, 1000000 + i), NULL);
        size_t waiting = words_memory(stuck->map).waiting;
        stuck->most_waiting = waiting > stuck->most_waiting ? waiting : stuck->most_waiting;
    }
    return buffer_write(&stuck->buffer, bytes, size);
}

static void L7_a_save_that_is_stuck_keeps_no_memory_from_reuse(void **state)
{
    (void)state;
    words map;
    char text[64];
    assert_int_equal(words_init(&map, NULL), CM_OK);
    for (uint64_t i = 0; i < 20000; i++)
        words_put(&map, word_at(text, i), i, NULL);
    struct stuck stuck = {.map = &map};
    cm_sink sink = {churn_write, &stuck};
    assert_int_equal(words_save(&map, &sink, NULL, NULL), CM_OK);
    assert_true(stuck.buffer.calls > 2);
    assert_true(stuck.most_waiting > 0 && stuck.most_waiting < 2 << 20);
    words_destroy(&map);
    cm_source source = buffer_source(&stuck.buffer);
    assert_int_equal(words_load(&map, NULL, &source, NULL, NULL), CM_OK);
    for (uint64_t i = 0; i < 20000; i++)
        assert_true(words_contains(&map, word_at(text, i)));
    words_destroy(&map);
    buffer_free(&stuck.buffer);
}

static void *save_and_end(void *context)
{
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    cm_status status = boxes_save(context, &sink, NULL, NULL);
    boxes loaded;
    cm_source source = buffer_source(&buffer);
    if (status == CM_OK)
        status = boxes_load(&loaded, NULL, &source, NULL, NULL);
    if (status == CM_OK)
        boxes_destroy(&loaded);
    buffer_free(&buffer);
    return (void *)(intptr_t)status;
}

static void L8_threads_that_saved_and_ended_leave_nothing(void **state)
{
    (void)state;
    boxes map;
    make_boxes(&map, &(cm_config){.allocator = &memory.allocator}, 300);
    size_t live = boxes_live, blocks = memory.live_blocks;
    for (int round = 0; round < 50; round++) {
        pthread_t thread;
        void *result = NULL;
        assert_int_equal(pthread_create(&thread, NULL, save_and_end, &map), 0);
        pthread_join(thread, &result);
        assert_null(result);
    }
    assert_int_equal(boxes_live, live);
    assert_int_equal(memory.live_blocks, blocks);
    boxes_destroy(&map);
    assert_int_equal(boxes_live, 0);
    assert_int_equal(memory.live_blocks, 0);
}

static void a_guard_of_the_saving_thread_holds_up_nothing(void **state)
{
    (void)state;
    nums map;
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    for (uint64_t key = 0; key < 100; key++)
        nums_put(&map, key, key, NULL);
    CM_WITH_WRITE (nums, &map, 5, guard) {
        *guard.value = 55;
        assert_int_equal(nums_save(&map, &sink, NULL, NULL), CM_OK); /* it reads through its own lock */
    }
    nums_destroy(&map);
    cm_source source = buffer_source(&buffer);
    uint64_t value = 0;
    assert_int_equal(nums_load(&map, NULL, &source, NULL, NULL), CM_OK);
    assert_true(nums_get(&map, 5, &value) && value == 55);
    nums_destroy(&map);
    buffer_free(&buffer);
}

struct impatient {
    nums map;
    cm_status tried, limited;
    const char *reason;
};

static void *save_in_vain(void *context)
{
    struct impatient *impatient = context;
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    impatient->tried = nums_try_save(&impatient->map, &sink, NULL, &impatient->reason);
    impatient->limited = nums_save_until(&impatient->map, &sink, NULL, NULL, cm_deadline_after(1000000));
    buffer_free(&buffer);
    return NULL;
}

static void a_save_that_may_not_wait_says_so(void **state)
{
    (void)state;
    static struct impatient impatient;
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    assert_int_equal(nums_init(&impatient.map, NULL), CM_OK);
    for (uint64_t key = 0; key < 100; key++)
        nums_put(&impatient.map, key, key, NULL);
    CM_WITH_WRITE (nums, &impatient.map, 5, guard) {
        pthread_t thread;
        assert_int_equal(*guard.value, 5);
        assert_int_equal(pthread_create(&thread, NULL, save_in_vain, &impatient), 0);
        pthread_join(thread, NULL);
    }
    assert_int_equal(impatient.tried, CM_BUSY);
    assert_string_equal(impatient.reason, cm_status_text(CM_BUSY));
    assert_int_equal(impatient.limited, CM_TIMEOUT);
    assert_int_equal(nums_try_save(&impatient.map, &sink, NULL, NULL), CM_OK); /* nobody is in the way now */
    nums_destroy(&impatient.map);
    buffer_free(&buffer);
}

/* Plain entries, texts of a type that other files define, and what owns something. */
static void a_snapshot_is_saved_as_it_was_taken(void **state)
{
    (void)state;
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    cm_source source = buffer_source(&buffer);
    tallies tally;
    tallies_snapshot tallied;
    boxes map;
    boxes_snapshot boxed;
    char text[32];
    uint64_t value = 0;
    assert_int_equal(tallies_init(&tally, NULL), CM_OK);
    assert_int_equal(boxes_init(&map, NULL), CM_OK);
    for (uint64_t key = 0; key < 3000; key++) {
        snprintf(text, sizeof text, "%llu", (unsigned long long)key);
        assert_int_equal(tallies_put(&tally, cm_str_of(text), key, NULL), CM_OK);
    }
    for (uint64_t number = 0; number < 300; number++) {
        struct box key = box_of(number);
        assert_int_equal(boxes_put(&map, key, box_of(number + 1), NULL), CM_OK);
        box_destroy(&key, NULL);
    }
    assert_int_equal(tallies_snapshot_take(&tally, &tallied), CM_OK);
    assert_int_equal(boxes_snapshot_take(&map, &boxed), CM_OK);
    assert_int_equal(tallies_put(&tally, cm_str_of("7"), 77, NULL), CM_REPLACED);
    assert_int_equal(tallies_put(&tally, cm_str_of("late"), 1, NULL), CM_OK);
    tallies_destroy(&tally);
    boxes_destroy(&map);
    assert_int_equal(tallies_snapshot_save(&tallied, &sink, NULL, NULL), CM_OK);
    assert_int_equal(boxes_snapshot_save(&boxed, &sink, NULL, NULL), CM_OK);
    tallies_snapshot_drop(&tallied);
    boxes_snapshot_drop(&boxed);

    assert_int_equal(tallies_load(&tally, NULL, &source, NULL, NULL), CM_OK);
    assert_int_equal(tallies_len(&tally), 3000);
    assert_true(tallies_get(&tally, cm_str_of("7"), &value) && value == 7);
    assert_int_equal(boxes_load(&map, NULL, &source, NULL, NULL), CM_OK);
    assert_int_equal(boxes_len(&map), 300);
    CM_FOREACH (boxes, &map, it)
        assert_int_equal(*it.value.number, *it.key.number + 1);
    tallies_destroy(&tally);
    boxes_destroy(&map);
    assert_int_equal(boxes_live, 0);
    buffer_free(&buffer);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_and_declared_types_are_saved),
        cmocka_unit_test(a_map_that_is_not_made_yet_is_saved_as_empty),
        cmocka_unit_test(entries_of_all_sizes_are_saved),
        cmocka_unit_test(padding_is_saved_as_zero),
        cmocka_unit_test(a_limit_is_kept_and_a_cache_takes_what_it_may),
        cmocka_unit_test(a_loaded_map_shrinks_by_itself),
        cmocka_unit_test(a_stream_that_ends_anywhere_loads_nothing),
        cmocka_unit_test(blocks_that_lack_are_missed),
        cmocka_unit_test(a_bit_that_flips_anywhere_loads_nothing),
        cmocka_unit_test(what_is_of_others_is_refused_with_a_reason),
        cmocka_unit_test(lies_about_sizes_take_no_memory),
        cmocka_unit_test(a_key_that_is_there_twice_is_damage),
        cmocka_unit_test(random_damage_behind_right_checks_breaks_nothing),
        cmocka_unit_test(a_sink_or_source_that_fails_ends_it),
        cmocka_unit_test(a_codec_that_fails_ends_it),
        cmocka_unit_test(a_codec_has_to_take_all_bytes),
        cmocka_unit_test(progress_is_told_and_may_cancel),
        cmocka_unit_test(a_source_of_unknown_size_fills_one_table),
        cmocka_unit_test(M1_every_allocation_may_fail),
        cmocka_unit_test(L10_blocks_aligned_to_eight_bytes_will_do),
        cmocka_unit_test(each_key_that_stays_is_saved_while_others_come_and_go),
        cmocka_unit_test(M3_without_membarrier_saving_is_as_right),
        cmocka_unit_test(M4_a_forked_child_saves_and_loads),
        cmocka_unit_test(L7_a_save_that_is_stuck_keeps_no_memory_from_reuse),
        cmocka_unit_test(L8_threads_that_saved_and_ended_leave_nothing),
        cmocka_unit_test(a_guard_of_the_saving_thread_holds_up_nothing),
        cmocka_unit_test(a_save_that_may_not_wait_says_so),
        cmocka_unit_test(a_snapshot_is_saved_as_it_was_taken),
    };
    failing_allocator_init(&memory);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
