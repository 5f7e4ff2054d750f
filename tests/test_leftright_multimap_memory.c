/* The left-right multimap without memory. */
#include <stdlib.h>

#include <concmap/leftright_multimap.h>

#include "failing_allocator.h"
#include "unit.h"

/* Before the maps that all tests share, whose names its parameters have. */
CM_LEFTRIGHT_MULTIMAP_DECLARE(words, cm_str, uint64_t)
CM_LEFTRIGHT_MULTIMAP_DEFINE(words, cm_str, uint64_t, cm_hash_str, cm_equal_str, cm_hash_u64, cm_equal_u64)

#include "multimap_nums.h"

static cm_status keep_even(const uint64_t *value, void *context)
{
    (void)context;
    return *value % 2 ? CM_ABSENT : CM_OK;
}

static cm_status count_up(const cm_str *key, const uint64_t *values, size_t count, void *context)
{
    (void)key, (void)values, (void)count;
    ++*(size_t *)context;
    return CM_OK;
}

/* Each step is tried again where it failed for lack of memory; then nothing of it may have been done. */
static void all_steps(struct failing_allocator *memory, size_t n)
{
    words all_;
    words_writer write;
    words_reader read;
    size_t count = 0;
    char word[24];
    failing_allocator_fail_at(memory, n);
#define TRIED(call, fine)                                                                                              \
    do {                                                                                                               \
        cm_status status_ = (call);                                                                                    \
        if (status_ == CM_NOMEM)                                                                                       \
            status_ = (call);                                                                                          \
        assert_true(status_ >= 0 && (fine));                                                                           \
    } while (0)
    cm_config config = {.allocator = &memory->allocator, .capacity = 4};
    TRIED(words_init(&all_, &config), true);
    TRIED(words_writer_open(&all_, &write), true);
    TRIED(words_reader_open(&all_, &read), true);
    for (uint64_t i = 0; i < 200; i++) {
        snprintf(word, sizeof word, "key %llu", (unsigned long long)(i % 3 ? i : 0));
        TRIED(words_insert(&write, cm_str_of(word), i), status_ == CM_OK);
        assert_int_equal(words_writer_count(&write, cm_str_of(word), &count), CM_OK);
        assert_int_equal(count, i % 3 ? 1 : i / 3 + 1);
        if (i % 50 == 0)
            words_publish(&write);
    }
    TRIED(words_reserve_values(&write, cm_str_of("key 1"), 40), true);
    TRIED(words_retain_values(&write, cm_str_of("key 0"), keep_even, NULL), true);
    TRIED(words_remove_value(&write, cm_str_of("key 0"), 6), status_ == CM_OK);
    TRIED(words_fit(&write, cm_str_of("key 0")), true);
    assert_int_equal(words_writer_count(&write, cm_str_of("key 0"), &count), CM_OK);
    assert_int_equal(count, 33);
    TRIED(words_update(&write, cm_str_of("key 0"), 6), status_ == CM_REPLACED);
    TRIED(words_update(&write, cm_str_of("new"), 6), status_ == CM_OK);
    TRIED(words_remove_entry(&write, cm_str_of("new")), status_ == CM_OK);
    TRIED(words_clear_entry(&write, cm_str_of("key 1")), status_ == CM_OK);
    words_publish(&write);
    TRIED(words_fit_all(&write), true);
    size_t told = 0, len = words_writer_len(&write);
    if (words_remove_random(&write, 20, n, count_up, &told) == CM_NOMEM)
        assert_true(told < 20);
    assert_int_equal(words_writer_len(&write), len - told);
    cm_status checked = words_check(&all_, NULL);
    assert_true(checked == CM_OK || checked == CM_NOMEM);
    TRIED(words_purge(&write), true);
    assert_true(words_contains_value(&read, cm_str_of("key 2"), 2));
    words_publish(&write);
    assert_false(words_contains_value(&read, cm_str_of("key 2"), 2));
    words_destroy(&all_);
}

/* M1, and rule 23; L10. */
static void m1_the_nth_allocation_may_fail(void **state)
{
    (void)state;
    for (int misaligned = 0; misaligned < 2; misaligned++) {
        struct failing_allocator memory;
        failing_allocator_init(&memory);
        memory.misaligned = misaligned;
        for (size_t n = 1;; n++) {
            all_steps(&memory, n);
            assert_int_equal(memory.live_blocks, 0);
            assert_int_equal(memory.mistakes, 0);
            if (memory.failures == 0)
                break;
        }
    }
}

/* Rule 23: where memory ends for good, what was changed is replayed all the same. */
static void replay_needs_no_memory(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    for (size_t n = 5; n < 80; n++) {
        uint32_t done = 0;
        failing_allocator_restart(&memory);
        assert_int_equal(nums_init(&map, &(cm_config){.allocator = &memory.allocator}), CM_OK);
        assert_int_equal(nums_writer_open(&map, &writer), CM_OK);
        assert_int_equal(nums_reader_open(&map, &reader), CM_OK);
        memory.fail_after = n;
        while (nums_insert(&writer, done % 5, done) == CM_OK)
            done++;
        memory.fail_all = true;
        for (int round = 0; round < 3; round++) {
            size_t total = 0;
            assert_int_equal(nums_publish(&writer), CM_OK);
            CM_WITH_VIEW (nums, &reader, view)
                CM_FOREACH (nums_view, view, it)
                    total += it.count;
            assert_int_equal(total, done);
            assert_int_equal(nums_begin(&writer), CM_OK);
        }
        memory.fail_all = false;
        memory.fail_after = 0;
        assert_int_equal(nums_check(&map, NULL), CM_OK);
        nums_destroy(&map);
        assert_int_equal(memory.live_blocks, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(m1_the_nth_allocation_may_fail),
        cmocka_unit_test(replay_needs_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
