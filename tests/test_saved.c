/* Saved maps: what is loaded is what was saved, or nothing, whatever happens to the stream, the memory, the codecs.
 * Damage is in test_saved_damage.c, others that use the map meanwhile in test_saved_meanwhile.c, each kind of key and
 * value in test_sharded.c and test_kinds.c, and files in test_saved_files.c. The names with a letter and a number are
 * cases of the project's list of bugs that other maps had. */
#include <concmap/cache.h>
#include <concmap/sharded_set.h>

#include "buffer.h"
#include "crew.h"
#include "failing_allocator.h"
#include "saved_maps.h"
#include "shared_type.h"
#include "unit.h"

struct point {
    uint8_t layer; /* padding follows */
    uint64_t x;
};

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

static uint64_t point_hash(const struct point *point, uint64_t seed)
{
    return cm_hash_mix(point->x + point->layer, seed);
}

static bool point_equal(const struct point *a, const struct point *b)
{
    return a->x == b->x && a->layer == b->layer;
}

CM_SHARDED_MAP(points, struct point, struct point, point_hash, point_equal)
CM_SHARDED_MAP(huge, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_SHARDED_SET(uniques, uint64_t, cm_hash_u64, cm_equal_u64)
CM_CACHE_MAP(caches, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64, cm_no_expiry, cm_no_weight, cm_no_eviction)
CM_SAVED(points, 1)
CM_SAVED_CODED(huge, 1, CM_UNCODED, CM_CODED(huge_encode, huge_decode))
CM_SAVED_SET(uniques, 1)
CM_SAVED(caches, 1)

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
    enum { ENTRIES = CREW_SLOW ? 60000 : 300000 }; /* a table that would grow often */
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

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_and_declared_types_are_saved),
        cmocka_unit_test(a_map_that_is_not_made_yet_is_saved_as_empty),
        cmocka_unit_test(entries_of_all_sizes_are_saved),
        cmocka_unit_test(padding_is_saved_as_zero),
        cmocka_unit_test(a_limit_is_kept_and_a_cache_takes_what_it_may),
        cmocka_unit_test(a_loaded_map_shrinks_by_itself),
        cmocka_unit_test(a_sink_or_source_that_fails_ends_it),
        cmocka_unit_test(a_codec_that_fails_ends_it),
        cmocka_unit_test(a_codec_has_to_take_all_bytes),
        cmocka_unit_test(progress_is_told_and_may_cancel),
        cmocka_unit_test(a_source_of_unknown_size_fills_one_table),
        cmocka_unit_test(M1_every_allocation_may_fail),
        cmocka_unit_test(L10_blocks_aligned_to_eight_bytes_will_do),
    };
    failing_allocator_init(&memory);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
