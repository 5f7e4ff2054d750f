/* The default allocator, and the one that the tests use. */
#include <concmap/allocator.h>

#include "failing_allocator.h"
#include "unit.h"

static void *ask(const cm_allocator *allocator, size_t size, size_t alignment)
{
    return allocator->allocate(allocator->context, size, alignment);
}

static void give(const cm_allocator *allocator, void *block, size_t size, size_t alignment)
{
    allocator->deallocate(allocator->context, block, size, alignment);
}

static void default_blocks_are_aligned_and_writable(void **state)
{
    (void)state;
    const cm_allocator *allocator = cm_allocator_default();
    const size_t sizes[] = {1, 7, 8, 24, 100, 4096, 100001};
    for (size_t alignment = 1; alignment <= 4096; alignment *= 2) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            void *block = ask(allocator, sizes[i], alignment);
            assert_non_null(block);
            assert_int_equal((uintptr_t)block % alignment, 0);
            memset(block, 1, sizes[i]);
            give(allocator, block, sizes[i], alignment);
        }
    }
}

static void default_refuses_what_nobody_has(void **state)
{
    (void)state;
    const cm_allocator *allocator = cm_allocator_default();
    assert_null(ask(allocator, SIZE_MAX / 2, 8));
    assert_null(ask(allocator, SIZE_MAX / 2, 64));
    assert_null(ask(allocator, SIZE_MAX - 16, 4096));
}

static void the_failing_allocator_counts(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    void *a = ask(&memory.allocator, 100, 8);
    void *b = ask(&memory.allocator, 1000, 64);
    assert_int_equal((uintptr_t)b % 64, 0);
    assert_int_equal(memory.live_blocks, 2);
    assert_int_equal(memory.live_bytes, 1100);
    give(&memory.allocator, a, 100, 8);
    give(&memory.allocator, b, 1000, 64);
    assert_int_equal(memory.live_blocks, 0);
    assert_int_equal(memory.live_bytes, 0);
    assert_int_equal(memory.most_bytes, 1100);
    assert_int_equal(memory.requests, 2);
    assert_int_equal(memory.mistakes, 0);
}

static void the_failing_allocator_fails_on_demand(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    void *blocks[3];
    failing_allocator_fail_at(&memory, 2);
    for (size_t i = 0; i < 3; i++)
        blocks[i] = ask(&memory.allocator, 16, 8);
    assert_true(blocks[0] && !blocks[1] && blocks[2]);
    assert_int_equal(memory.failures, 1);
    give(&memory.allocator, blocks[0], 16, 8);
    give(&memory.allocator, blocks[2], 16, 8);

    failing_allocator_restart(&memory);
    memory.fail_after = 1;
    blocks[0] = ask(&memory.allocator, 16, 8);
    assert_non_null(blocks[0]);
    assert_null(ask(&memory.allocator, 16, 8));
    assert_null(ask(&memory.allocator, 16, 8));
    give(&memory.allocator, blocks[0], 16, 8);

    failing_allocator_restart(&memory);
    memory.fail_from_bytes = 17;
    blocks[0] = ask(&memory.allocator, 16, 8);
    assert_non_null(blocks[0]);
    assert_null(ask(&memory.allocator, 17, 8));
    give(&memory.allocator, blocks[0], 16, 8);

    memory.fail_all = true;
    assert_null(ask(&memory.allocator, 1, 8));
    assert_int_equal(memory.live_blocks, 0);
    assert_int_equal(memory.mistakes, 0);
}

static void the_failing_allocator_aligns_badly_on_demand(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    memory.misaligned = true;
    for (size_t alignment = 8; alignment <= 4096; alignment *= 2) {
        void *block = ask(&memory.allocator, 40, alignment);
        assert_int_equal((uintptr_t)block % 16, 8);
        give(&memory.allocator, block, 40, alignment);
    }
    assert_int_equal(memory.mistakes, 0);
}

static void the_failing_allocator_notices_wrong_frees(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    give(&memory.allocator, ask(&memory.allocator, 40, 8), 41, 8);
    assert_int_equal(memory.mistakes, 1);
    give(&memory.allocator, ask(&memory.allocator, 40, 8), 40, 16);
    assert_int_equal(memory.mistakes, 2);
    give(&memory.allocator, NULL, 40, 8);
    assert_int_equal(memory.mistakes, 3);
    char strange[128] = {0};
    give(&memory.allocator, strange + 64, 40, 8);
    assert_int_equal(memory.mistakes, 4);
    assert_int_equal(memory.live_blocks, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(default_blocks_are_aligned_and_writable),
        cmocka_unit_test(default_refuses_what_nobody_has),
        cmocka_unit_test(the_failing_allocator_counts),
        cmocka_unit_test(the_failing_allocator_fails_on_demand),
        cmocka_unit_test(the_failing_allocator_aligns_badly_on_demand),
        cmocka_unit_test(the_failing_allocator_notices_wrong_frees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
