/* Aligned blocks from any allocator, and from the system. */
#include <concmap/detail/memory.h>

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "failing_allocator.h"
#include "unit.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

static bool all_bytes_are_zero(const char *bytes, size_t size)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

/* Whether there is memory at the page. */
static bool page_exists(const char *page)
{
    return msync((void *)(uintptr_t)page, (size_t)sysconf(_SC_PAGESIZE), MS_ASYNC) == 0;
}

static void check_alignments(struct failing_allocator *memory)
{
    for (size_t alignment = 8; alignment <= 4096; alignment *= 2) {
        for (size_t size = 1; size < 10000; size = size * 3 + 1) {
            for (int zeroed = 0; zeroed < 2; zeroed++) {
                struct cm_block_ block;
                assert_true(cm_block_allocate_(&memory->allocator, size, alignment, zeroed, &block));
                assert_int_equal((uintptr_t)block.address % alignment, 0);
                assert_false(block.mapped);
                if (zeroed)
                    assert_true(all_bytes_are_zero(block.address, size));
                memset(block.address, 1, size);
                cm_block_release_(&memory->allocator, &block);
                assert_null(block.address);
            }
        }
    }
    assert_int_equal(memory->live_blocks, 0);
    assert_int_equal(memory->mistakes, 0);
}

static void blocks_are_aligned_and_cleared(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    check_alignments(&memory);
}

static void an_allocator_that_aligns_to_8_bytes_only_will_do(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    memory.misaligned = true;
    check_alignments(&memory);
}

static void a_failing_allocator_leaves_no_block(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    memory.misaligned = true;
    /* The second request is the one for room to align by hand. */
    for (size_t n = 1; n <= 2; n++) {
        struct cm_block_ block;
        failing_allocator_fail_at(&memory, n);
        assert_false(cm_block_allocate_(&memory.allocator, 100, 64, true, &block));
        assert_null(block.address);
        assert_int_equal(memory.live_blocks, 0);
        cm_block_release_(&memory.allocator, &block); /* nothing to do */
    }
    assert_int_equal(memory.mistakes, 0);
}

static void sizes_that_overflow_are_refused_unasked(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    const size_t sizes[] = {(size_t)1 << 48, (size_t)1 << 60, SIZE_MAX / 2, SIZE_MAX - 4095, SIZE_MAX - 63, SIZE_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct cm_block_ block;
        assert_false(cm_block_allocate_(&memory.allocator, sizes[i], 64, false, &block));
        assert_false(cm_block_allocate_(cm_allocator_default(), sizes[i], 64, true, &block));
    }
    assert_int_equal(memory.requests, 0);
}

static void what_the_system_has_not_is_no_memory(void **state)
{
    (void)state;
    struct cm_block_ block;
    assert_false(cm_block_allocate_(cm_allocator_default(), ((size_t)1 << 48) - 4096, 64, true, &block));
    assert_null(block.address);
}

/* An allocator whose addresses nobody can use; it remembers what it got back. */
struct strange_allocator {
    uintptr_t address;
    size_t asked;
    size_t returned;
};

static void *strange_allocate(void *context, size_t size, size_t alignment)
{
    struct strange_allocator *strange = context;
    (void)size, (void)alignment;
    strange->asked++;
    return (void *)strange->address;
}

static void strange_deallocate(void *context, void *block, size_t size, size_t alignment)
{
    struct strange_allocator *strange = context;
    (void)size, (void)alignment;
    strange->returned += (uintptr_t)block == strange->address;
}

static void addresses_with_upper_bits_are_given_back_untouched(void **state)
{
    (void)state;
    const uintptr_t addresses[] = {
        (uintptr_t)1 << 63, (uintptr_t)1 << 48,          ((uintptr_t)1 << 48) - 64, /* begins below, ends above */
        UINTPTR_MAX - 4095, ((uintptr_t)1 << 63) | 4096,
    };
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        struct strange_allocator strange = {.address = addresses[i]};
        cm_allocator allocator = {strange_allocate, strange_deallocate, &strange};
        struct cm_block_ block;
        assert_false(cm_block_allocate_(&allocator, 4096, 64, true, &block));
        assert_null(block.address);
        assert_true(strange.asked > 0);
        assert_int_equal(strange.returned, strange.asked);
    }
}

static void large_blocks_of_the_default_allocator_are_mapped(void **state)
{
    (void)state;
    cm_allocator copy = *cm_allocator_default(); /* as a map has it */
    const size_t sizes[] = {256 * KIB, MIB + 1, 4 * MIB, 5 * MIB + 512};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct cm_block_ block;
        bool huge = sizes[i] >= 4 * MIB; /* smaller ones only where they have to be clear */
        if (!huge) {
            assert_true(cm_block_allocate_(&copy, sizes[i], 64, false, &block));
            assert_false(block.mapped);
            cm_block_release_(&copy, &block);
        }
        assert_true(cm_block_allocate_(&copy, sizes[i], 64, !huge, &block));
        assert_true(block.mapped);
        assert_true(all_bytes_are_zero(block.address, sizes[i]));
        assert_int_equal((uintptr_t)block.address % (huge ? 2 * MIB : 4096), 0);
        char *last = (char *)block.address + sizes[i] - 1;
        *last = 1;
        char *first = block.address;
        cm_block_release_(&copy, &block);
        assert_false(page_exists(first));
    }
}

static void small_blocks_and_those_of_other_allocators_are_not(void **state)
{
    (void)state;
    struct cm_block_ block;
    assert_true(cm_block_allocate_(cm_allocator_default(), 4 * KIB, 64, true, &block));
    assert_false(block.mapped);
    cm_block_release_(cm_allocator_default(), &block);

    struct failing_allocator memory;
    failing_allocator_init(&memory);
    assert_true(cm_block_allocate_(&memory.allocator, 8 * MIB, 64, true, &block));
    assert_false(block.mapped);
    assert_int_equal(memory.live_blocks, 1);
    cm_block_release_(&memory.allocator, &block);
    assert_int_equal(memory.live_blocks, 0);
    assert_int_equal(memory.mistakes, 0);
}

static void a_mapped_block_goes_piece_by_piece_from_its_end(void **state)
{
    (void)state;
    const size_t most = 2 * MIB, size = 9 * MIB + 100;
    struct cm_block_ block;
    assert_true(cm_block_allocate_(cm_allocator_default(), size, 64, true, &block));
    char *first = block.address;
    size_t gone = 0, given;
    bool last;
    do {
        assert_int_equal(block.size, size - gone);
        memset(first, 1, block.size); /* what is left is usable */
        last = cm_block_release_part_(cm_allocator_default(), &block, most, &given);
        gone += given;
        assert_true(given > 0 && given <= most);
        if (!last) {
            assert_true(page_exists(first + size - gone - 4096));
            assert_false(page_exists(first + size - gone));
        }
    } while (!last);
    assert_int_equal(gone, size);
    assert_null(block.address);
    assert_false(page_exists(first));
}

static void any_other_block_goes_at_once(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    struct cm_block_ block;
    size_t given;
    assert_true(cm_block_allocate_(&memory.allocator, 9 * MIB, 64, false, &block));
    assert_true(cm_block_release_part_(&memory.allocator, &block, 2 * MIB, &given));
    assert_int_equal(given, 9 * MIB);
    assert_null(block.address);
    assert_int_equal(memory.live_blocks, 0);
    assert_int_equal(memory.mistakes, 0);
}

/* The runtime's own search for leaks, where the program has it. */
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

/* Frames of its own, so that no register or stack slot keeps the pointer. */
static __attribute__((noinline)) void value_hide(void **place)
{
    *place = malloc(1000);
}

static void leak_checkers_see_values_in_mapped_blocks(void **state)
{
    (void)state;
    if (!__lsan_do_recoverable_leak_check)
        skip();
    struct cm_block_ block;
    size_t given;
    assert_true(cm_block_allocate_(cm_allocator_default(), 8 * MIB, 64, true, &block));
    value_hide(block.address);
    assert_int_equal(__lsan_do_recoverable_leak_check(), 0);
    assert_false(cm_block_release_part_(cm_allocator_default(), &block, 2 * MIB, &given));
    assert_int_equal(__lsan_do_recoverable_leak_check(), 0);
    free(*(void **)block.address);
    cm_block_release_(cm_allocator_default(), &block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_aligned_and_cleared),
        cmocka_unit_test(an_allocator_that_aligns_to_8_bytes_only_will_do),
        cmocka_unit_test(a_failing_allocator_leaves_no_block),
        cmocka_unit_test(sizes_that_overflow_are_refused_unasked),
        cmocka_unit_test(what_the_system_has_not_is_no_memory),
        cmocka_unit_test(addresses_with_upper_bits_are_given_back_untouched),
        cmocka_unit_test(large_blocks_of_the_default_allocator_are_mapped),
        cmocka_unit_test(small_blocks_and_those_of_other_allocators_are_not),
        cmocka_unit_test(a_mapped_block_goes_piece_by_piece_from_its_end),
        cmocka_unit_test(any_other_block_goes_at_once),
        cmocka_unit_test(leak_checkers_see_values_in_mapped_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
