/* Streams that are damaged, or of something else: nothing is loaded, and a reason is told. */
#include "crew.h"
#include "saved_maps.h"

CM_SHARDED_MAP(others, uint64_t, uint32_t, cm_hash_u64, cm_equal_u64)
CM_SHARDED_MAP(later, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_SAVED(others, 1)
CM_SAVED(later, 2)

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

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_that_ends_anywhere_loads_nothing),
        cmocka_unit_test(blocks_that_lack_are_missed),
        cmocka_unit_test(a_bit_that_flips_anywhere_loads_nothing),
        cmocka_unit_test(what_is_of_others_is_refused_with_a_reason),
        cmocka_unit_test(lies_about_sizes_take_no_memory),
        cmocka_unit_test(a_key_that_is_there_twice_is_damage),
        cmocka_unit_test(random_damage_behind_right_checks_breaks_nothing),
    };
    failing_allocator_init(&memory);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
