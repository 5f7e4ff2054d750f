/* Left-right maps that cannot be saved or loaded, or not as they were: streams of others, damage, failing memory,
 * codecs, streams and progress, limits, allocators. */
#include <concmap/plain.h>

#include "crew.h"
#include "leftright_saved_kinds.h"

CM_LEFTRIGHT_MAP(smalls, uint32_t, uint8_t, cm_hash_u32, cm_equal_u32)
CM_LEFTRIGHT_SAVED(smalls, 1)

static void what_is_of_other_types_is_refused(void **state)
{
    (void)state;
    for (size_t from = 0; from < KINDS; from++)
        for (size_t to = 0; to < KINDS; to++) {
            struct buffer buffer;
            save(from, &buffer, 20);
            assert_int_equal(load(to, &buffer, from == to ? 20 : 0), from == to ? CM_OK : CM_INVALID);
            if (from != to)
                assert_reason("another kind");
            buffer_free(&buffer);
        }
}

static void a_stream_that_ends_anywhere_loads_nothing(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < KINDS; kind++) {
        struct buffer buffer;
        save(kind, &buffer, 12);
        while (buffer.size-- > 0) {
            assert_int_equal(load(kind, &buffer, 0), CM_CORRUPT);
            assert_reason("ends too early");
        }
        buffer_free(&buffer);
    }
}

static void a_key_that_is_there_twice_is_damage(void **state)
{
    (void)state;
    struct buffer buffer;
    save(0, &buffer, 100);
    memcpy(buffer.bytes + FIRST_FRAME + FRAME, buffer.bytes + FIRST_FRAME + FRAME + 16 * 50, 8);
    buffer_reseal(&buffer);
    assert_int_equal(load(0, &buffer, 0), CM_CORRUPT);
    assert_reason("twice");
    buffer_free(&buffer);
}

/* Whatever the bytes are: a map that is whole, or nothing; and no more memory than the stream's size justifies. */
static void random_damage_behind_right_checks_breaks_nothing(void **state)
{
    (void)state;
    uint64_t random = crew_seed("damage of left-right streams");
    size_t rounds = crew_scale(3000), loaded = 0;
    for (size_t kind = 0; kind < KINDS; kind++) {
        struct buffer buffer;
        save(kind, &buffer, 12);
        struct buffer copy = {.bytes = malloc(buffer.size)};
        memory.fail_from_bytes = 64 << 20; /* nobody should ask */
        for (size_t round = 0; round < rounds; round++) {
            copy.size = buffer.size;
            memcpy(copy.bytes, buffer.bytes, copy.size);
            for (uint64_t damage = crew_random(&random) % 4; damage > 0; damage--)
                copy.bytes[FIRST_FRAME + crew_random(&random) % (copy.size - FIRST_FRAME)] = (char)crew_random(&random);
            buffer_reseal(&copy);
            loaded += load(kind, &copy, 0) == CM_OK;
        }
        assert_int_equal(memory.failures, 0);
        failing_allocator_restart(&memory);
        free(copy.bytes);
        buffer_free(&buffer);
    }
    assert_true(loaded > rounds / 4);
}

/* M1 of saving and loading. */
static void m1_the_nth_allocation_may_fail(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < KINDS; kind++) {
        struct buffer buffer;
        save(kind, &buffer, 150);
        for (size_t n = 1;; n++) {
            failing_allocator_fail_at(&memory, n);
            cm_status status = load(kind, &buffer, 0);
            size_t failures = memory.failures;
            failing_allocator_restart(&memory);
            if (failures == 0)
                break;
            assert_true(status == CM_NOMEM || status == CM_OK); /* a table that cannot be made ahead grows later */
        }
        buffer_free(&buffer);
    }
}

static void the_nth_call_of_a_codec_or_a_stream_may_fail(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < KINDS; kind++) {
        struct buffer buffer;
        save(kind, &buffer, 20);
        size_t calls = 0;
        for (size_t n = 1; n <= calls || n == 1; n++) {
            codec_calls = 0;
            codec_fails_at = n;
            cm_status status = load(kind, &buffer, 0);
            codec_fails_at = 0;
            assert_int_equal(status, codec_calls >= n ? -55 : CM_OK);
            calls = kind == 1 || kind == 4 ? n : 0;
            if (status == CM_OK)
                break;
        }
        for (size_t n = 1;; n++) {
            buffer.calls = 0;
            buffer.fail_at = n;
            cm_status status = load(kind, &buffer, 0);
            if (status == CM_OK)
                break;
            assert_int_equal(status, -77);
        }
        buffer.fail_at = 0;
        buffer_free(&buffer);
        codec_fails_at = 3;
        codec_calls = 0;
        assert_int_equal(kinds[kind].save(&buffer, 20, NULL), kind == 1 || kind == 4 ? -55 : CM_OK);
        codec_fails_at = 0;
        buffer_free(&buffer);
        buffer.fail_at = 2;
        assert_int_equal(kinds[kind].save(&buffer, 20, NULL), -77);
        buffer_free(&buffer);
        assert_int_equal(alive, 0);
    }
}

static cm_status cancel(void *context, uint64_t done, uint64_t total)
{
    (void)done, (void)total;
    return --*(int *)context ? CM_OK : (cm_status)-3;
}

static void progress_is_told_and_may_cancel(void **state)
{
    (void)state;
    struct buffer buffer;
    int left = 3;
    cm_progress progress = {cancel, &left};
    nums map;
    save(0, &buffer, 40000); /* five blocks */
    cm_source source = buffer_source(&buffer);
    assert_int_equal(nums_load(&map, NULL, &source, &progress, &told_why), -3);
    assert_int_equal(left, 0);
    assert_reason("progress");
    buffer_free(&buffer);
}

/* Where entries were the library notes what a table takes that is replaced: the smallest one has room for that, also
 * where it is another one's copy. */
static void the_smallest_tables_are_replaced_after_loading(void **state)
{
    (void)state;
    smalls map, loaded;
    smalls_writer writer;
    smalls_reader reader;
    struct buffer buffer = {0};
    cm_sink sink = buffer_sink(&buffer);
    const char *reason = NULL;
    uint8_t value;
    assert_int_equal(smalls_init(&map, NULL), CM_OK);
    assert_int_equal(smalls_writer_open(&map, &writer), CM_OK);
    assert_int_equal(smalls_reader_open(&map, &reader), CM_OK);
    smalls_put(&writer, 1, 1, NULL);
    smalls_publish(&writer);
    CM_WITH_VIEW (smalls, &reader, view)
        assert_int_equal(smalls_view_save(view, &sink, NULL, NULL), CM_OK);
    smalls_destroy(&map);
    cm_source source = buffer_source(&buffer);
    assert_int_equal(smalls_load(&loaded, NULL, &source, NULL, &reason), CM_OK);
    assert_int_equal(smalls_writer_open(&loaded, &writer), CM_OK);
    assert_int_equal(smalls_reader_open(&loaded, &reader), CM_OK);
    for (uint32_t key = 0; key < 40; key++) {
        assert_true(smalls_put(&writer, key, (uint8_t)key, NULL) >= 0);
        smalls_publish(&writer);
        assert_true(smalls_get(&reader, key, &value) && value == key);
    }
    assert_int_equal(smalls_check(&loaded, &reason), CM_OK);
    smalls_destroy(&loaded);
    buffer_free(&buffer);
}

static void a_limit_is_kept(void **state)
{
    (void)state;
    struct buffer buffer;
    nums map;
    nums_writer writer;
    save(0, &buffer, 3000);
    cm_source source = buffer_source(&buffer);
    assert_int_equal(nums_load(&map, &(cm_config){.limit = 2999}, &source, NULL, &told_why), CM_FULL);
    source = buffer_source(&buffer);
    assert_int_equal(nums_load(&map, &(cm_config){.limit = 3000}, &source, NULL, &told_why), CM_OK);
    assert_int_equal(nums_writer_open(&map, &writer), CM_OK);
    assert_int_equal(nums_put(&writer, 9999, 1, NULL), CM_FULL);
    nums_destroy(&map);
    source = buffer_source(&buffer);
    assert_int_equal(nums_load(&map, &(cm_config){.capacity = 10, .fixed = true}, &source, NULL, &told_why),
                     CM_INVALID);
    buffer_free(&buffer);
}

/* Addresses that are multiples of 8, and of nothing more. */
static void *crooked_allocate(void *context, size_t size, size_t alignment)
{
    (void)context, (void)alignment;
    char *raw = aligned_alloc(64, (size + 8 + 63) / 64 * 64);
    return raw ? raw + 8 : NULL;
}

static void crooked_deallocate(void *context, void *address, size_t size, size_t alignment)
{
    (void)context, (void)size, (void)alignment;
    free((char *)address - 8);
}

static void maps_are_loaded_whatever_the_allocator_aligns_to(void **state)
{
    (void)state;
    static const cm_allocator crooked = {crooked_allocate, crooked_deallocate, NULL};
    const cm_config config = {.allocator = &crooked};
    const char *reason;
    struct buffer stream = {0};
    assert_int_equal(nums_save_to(&stream, 1000, &config), CM_OK);
    assert_int_equal(nums_load_of(&stream, 1000, &config, &reason), CM_OK);
    free(stream.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_of_other_types_is_refused),
        cmocka_unit_test(a_stream_that_ends_anywhere_loads_nothing),
        cmocka_unit_test(a_key_that_is_there_twice_is_damage),
        cmocka_unit_test(random_damage_behind_right_checks_breaks_nothing),
        cmocka_unit_test(m1_the_nth_allocation_may_fail),
        cmocka_unit_test(the_nth_call_of_a_codec_or_a_stream_may_fail),
        cmocka_unit_test(progress_is_told_and_may_cancel),
        cmocka_unit_test(maps_are_loaded_whatever_the_allocator_aligns_to),
        cmocka_unit_test(the_smallest_tables_are_replaced_after_loading),
        cmocka_unit_test(a_limit_is_kept),
    };
    failing_allocator_init(&memory);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
