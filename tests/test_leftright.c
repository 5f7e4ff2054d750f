/* The left-right map: its promises, one by one, and the cases R1 to R7. */
#include <concmap/sharded.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "crew.h"
#include "failing_allocator.h"
#include "leftright_items.h"
#include "shared_type.h"
#include "texts.h"
#include "unit.h"

static uint64_t one_hash(const uint64_t *key, uint64_t seed)
{
    (void)key, (void)seed;
    return 7;
}

static uint64_t same_hash(const uint64_t *key, uint64_t seed)
{
    (void)seed;
    return *key;
}

CM_LEFTRIGHT_MAP(ones, uint64_t, uint64_t, one_hash, cm_equal_u64)
CM_LEFTRIGHT_MAP(sames, uint64_t, uint64_t, same_hash, cm_equal_u64)
CM_LEFTRIGHT_MAP(texts, cm_str, uint64_t, cm_hash_str, cm_equal_str)
CM_SHARDED_MAP(shards, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)

#include "leftright_nums.h" /* after the types: it has a `map` */

/* ---- publishing ---- */

static void before_the_first_publish_readers_see_nothing(void **state)
{
    (void)state;
    begin();
    assert_true(got(&reader, 1) == UINT64_MAX);
    assert_int_equal(nums_put(&writer, 1, 10, NULL), CM_OK);
    assert_true(got(&reader, 1) == UINT64_MAX);
    CM_WITH_VIEW (nums, &reader, view) {
        assert_int_equal(nums_view_len(view), 0);
        assert_int_equal(nums_view_meta(view), 0);
    }
    end();
}

static void a_batch_is_seen_at_once_and_by_its_writer_before(void **state)
{
    (void)state;
    uint64_t value = 0;
    begin();
    assert_false(nums_has_pending(&writer));
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(nums_put(&writer, i, i, NULL), CM_OK);
    assert_int_equal(nums_writer_get(&writer, 99, &value), CM_OK);
    assert_int_equal(value, 99);
    assert_int_equal(nums_writer_len(&writer), 100);
    assert_true(nums_has_pending(&writer));
    assert_false(got(&reader, 99) == 99);
    assert_int_equal(nums_publish(&writer), CM_OK);
    assert_false(nums_has_pending(&writer));
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(got(&reader, i), i);
    assert_true(nums_writer_contains(&writer, 5)); /* also between batches */
    assert_int_equal(nums_remove(&writer, 5, &value), CM_OK);
    assert_int_equal(value, 5);
    assert_int_equal(nums_remove(&writer, 5, NULL), CM_ABSENT);
    assert_false(nums_writer_contains(&writer, 5));
    assert_int_equal(got(&reader, 5), 5);
    assert_int_equal(nums_flush(&writer), CM_OK);
    assert_true(got(&reader, 5) == UINT64_MAX);
    assert_int_equal(nums_begin(&writer), CM_OK);
    assert_int_equal(nums_flush(&writer), CM_OK); /* nothing */
    end();
}

static cm_status add(uint64_t *value, void *context)
{
    *value += *(uint64_t *)context;
    return *value > 1000 ? CM_FULL : CM_OK;
}

static void outcomes_are_those_of_every_map(void **state)
{
    (void)state;
    uint64_t value = 0, by = 5;
    begin();
    for (int round = 0; round < 3; round++) {
        assert_int_equal(nums_insert(&writer, 1, 10), CM_OK);
        assert_int_equal(nums_insert(&writer, 1, 11), CM_EXISTS);
        assert_int_equal(nums_replace(&writer, 2, 1, NULL), CM_ABSENT);
        assert_int_equal(nums_replace(&writer, 1, 12, &value), CM_REPLACED);
        assert_int_equal(value, 10);
        assert_int_equal(nums_put(&writer, 1, 13, &value), CM_REPLACED);
        assert_int_equal(value, 12);
        assert_int_equal(nums_update(&writer, 1, add, &by), CM_OK);
        assert_int_equal(nums_update(&writer, 2, add, &by), CM_ABSENT);
        assert_int_equal(nums_upsert(&writer, 1, 0, add, &by), CM_REPLACED);
        assert_int_equal(nums_upsert(&writer, 3, 7, add, &by), CM_OK);
        assert_int_equal(nums_publish(&writer), CM_OK);
        assert_int_equal(got(&reader, 1), 23);
        assert_int_equal(got(&reader, 3), 7);
        by = 1000;
        assert_int_equal(nums_update(&writer, 1, add, &by), CM_FULL);
        assert_int_equal(nums_upsert(&writer, 1, 0, add, &by), CM_FULL);
        by = 5;
        assert_int_equal(nums_writer_get(&writer, 1, &value), CM_OK);
        assert_int_equal(value, 23);
        assert_int_equal(nums_clear(&writer), CM_OK);
        assert_int_equal(got(&reader, 1), 23);
        assert_int_equal(nums_publish(&writer), CM_OK);
        assert_true(got(&reader, 1) == UINT64_MAX);
        assert_int_equal(nums_check(&map, NULL), CM_OK);
    }
    assert_int_equal(nums_put_hashed(&writer, nums_hash_of(&map, 9), 9, 9, NULL), CM_OK);
    assert_true(nums_writer_contains(&writer, 9));
    end();
}

static void a_view_is_a_snapshot_with_its_meta(void **state)
{
    (void)state;
    begin();
    nums_put(&writer, 1, 1, NULL);
    nums_set_meta(&writer, 1);
    nums_publish(&writer);
    const nums_view *view = nums_enter(&reader);
    nums_put(&writer, 1, 2, NULL);
    nums_put(&writer, 2, 2, NULL);
    nums_set_meta(&writer, 2);
    nums_publish(&writer);
    assert_int_equal(*nums_view_get(view, 1), 1);
    assert_null(nums_view_get(view, 2));
    assert_int_equal(nums_view_meta(view), 1);
    assert_int_equal(nums_view_len(view), 1);
    assert_int_equal(got(&reader, 1), 1); /* a get inside is of the view */
    assert_true(nums_get(&reader, 1, NULL));
    nums_leave(&reader);
    size_t entries = 0;
    CM_WITH_VIEW (nums, &reader, now) {
        const uint64_t *key = NULL, *value = NULL;
        assert_true(nums_view_get_key_value(now, 2, &key, &value));
        assert_int_equal(*key + *value, 4);
        assert_false(nums_view_get_key_value(now, 3, NULL, NULL));
        assert_true(nums_view_contains(now, 1));
        assert_int_equal(nums_view_meta(now), 2);
        CM_FOREACH (nums_view, now, it)
            entries += *it.value == 2;
    }
    assert_int_equal(entries, 2);
    end();
}

static void views_nest(void **state)
{
    (void)state;
    begin();
    nums_put(&writer, 1, 1, NULL);
    nums_publish(&writer);
    const nums_view *outer = nums_enter(&reader);
    nums_put(&writer, 1, 2, NULL);
    nums_publish(&writer);
    assert_ptr_equal(nums_enter(&reader), outer);
    nums_leave(&reader);
    assert_int_equal(nums_reader_close(&reader), CM_INVALID); /* inside */
    assert_int_equal(*nums_view_get(outer, 1), 1);
    nums_leave(&reader);
    assert_int_equal(got(&reader, 1), 2);
    assert_int_equal(nums_reader_close(&reader), CM_OK);
    assert_int_equal(nums_reader_close(&reader), CM_INVALID);
    end();
}

/* ---- handles ---- */

static void there_is_one_writer(void **state)
{
    (void)state;
    nums_writer second;
    begin();
    assert_int_equal(nums_writer_open(&map, &second), CM_BUSY);
    assert_int_equal(nums_writer_open_shared(&map, &second), CM_BUSY);
    assert_int_equal(nums_writer_lock(&writer), CM_INVALID); /* it is not shared */
    nums_put(&writer, 1, 1, NULL);
    assert_int_equal(nums_writer_close(&writer), CM_OK); /* publishes */
    assert_int_equal(got(&reader, 1), 1);
    assert_int_equal(nums_writer_open(&map, &second), CM_OK);
    assert_int_equal(nums_put(&second, 1, 2, NULL), CM_REPLACED);
    end();
}

static void readers_see_the_end_where_it_is_told(void **state)
{
    (void)state;
    begin();
    nums_put(&writer, 1, 1, NULL);
    nums_publish(&writer);
    const nums_view *view = nums_enter(&reader);
    nums_reader other;
    assert_int_equal(nums_reader_clone(&reader, &other), CM_OK);
    assert_int_equal(nums_writer_end(&writer), CM_OK);
    assert_int_equal(*nums_view_get(view, 1), 1);
    assert_null(nums_enter(&other));
    assert_true(got(&other, 1) == UINT64_MAX);
    bool ran = false;
    CM_WITH_VIEW (nums, &other, none)
        ran = none != NULL;
    assert_false(ran);
    nums_leave(&reader);
    assert_int_equal(nums_writer_open(&map, &writer), CM_OK);
    assert_int_equal(got(&other, 1), 1);
    end();
}

static void readers_are_made_by_maps_readers_and_factories(void **state)
{
    (void)state;
    nums_reader second, third;
    begin();
    nums_put(&writer, 1, 1, NULL);
    nums_publish(&writer);
    nums_factory factory = nums_factory_of(&map);
    assert_int_equal(nums_reader_clone(&reader, &second), CM_OK);
    assert_int_equal(nums_factory_open(&factory, &third), CM_OK);
    assert_int_equal(got(&second, 1) + got(&third, 1), 2);
    struct cm_seat_ *slot = third.core.slot;
    assert_int_equal(nums_reader_close(&third), CM_OK);
    assert_int_equal(nums_factory_open(&factory, &third), CM_OK);
    assert_ptr_equal(third.core.slot, slot); /* recycled */
    end();
}

/* ---- cases ---- */

static void r1_r2_a_writer_is_closed_while_a_reader_is_inside(void **state)
{
    (void)state;
    begin_items();
    items_put(&thing_writer, 1, item_of(1), NULL);
    items_publish(&thing_writer);
    const items_view *view = items_enter(&thing_reader);
    items_put(&thing_writer, 1, item_of(2), NULL);
    items_publish(&thing_writer);
    assert_int_equal(items_writer_close(&thing_writer), CM_OK);
    assert_int_equal(*items_view_get(view, 1)->own, 1);
    /* R2 */
    assert_ptr_equal(items_enter(&thing_reader), view);
    assert_int_equal(*items_view_get(view, 1)->own, 1);
    items_leave(&thing_reader);
    assert_int_equal(alive, 2);
    items_leave(&thing_reader);
    items_destroy(&things);
    assert_int_equal(alive, 0);
}

static size_t r3_work(void *context, unsigned thread)
{
    size_t wrong = 0;
    nums_reader own, more;
    if (thread == 0) {
        for (size_t i = 0; i < crew_scale(3000); i++) {
            wrong += nums_put(&writer, i % 10, i, NULL) < 0;
            wrong += nums_publish(&writer) != CM_OK;
        }
        return wrong;
    }
    wrong += nums_factory_open(context, &own) != CM_OK;
    for (size_t i = 0; i < crew_scale(10000); i++) {
        nums_enter(&own);
        wrong += nums_reader_clone(&own, &more) != CM_OK;
        nums_enter(&more);
        nums_leave(&more);
        wrong += nums_reader_close(&more) != CM_OK;
        nums_leave(&own);
    }
    return wrong + (nums_reader_close(&own) != CM_OK);
}

static void r3_readers_are_made_and_dropped_inside_views_while_another_publishes(void **state)
{
    (void)state;
    begin();
    nums_factory factory = nums_factory_of(&map);
    assert_int_equal(crew_run(3, r3_work, &factory), 0);
    end();
}

static void r5_ten_thousand_readers(void **state)
{
    (void)state;
    enum { READERS = 10000 };
    nums_reader *readers = malloc(READERS * sizeof *readers);
    begin();
    nums_put(&writer, 1, 1, NULL);
    nums_publish(&writer);
    for (size_t i = 0; i < READERS; i++) {
        assert_int_equal(nums_reader_open(&map, &readers[i]), CM_OK);
        assert_non_null(nums_enter(&readers[i]));
    }
    assert_true(nums_memory(&writer).threads >= READERS * (size_t)CM_APART);
    nums_put(&writer, 1, 2, NULL);
    nums_publish(&writer);
    for (size_t i = 0; i < READERS; i++) {
        assert_int_equal(nums_try_begin(&writer), CM_DEADLOCK); /* this thread's own */
        nums_leave(&readers[i]);
        assert_int_equal(got(&readers[i], 1), 2);
        if (i % 2)
            assert_int_equal(nums_reader_close(&readers[i]), CM_OK);
    }
    assert_int_equal(nums_begin(&writer), CM_OK);
    assert_int_equal(nums_writer_close(&writer), CM_OK);
    assert_int_equal(got(&readers[0], 1), 2); /* it outlives the writer */
    end();
    free(readers);
}

static void r6_batches_that_are_not_published_are_not_lost(void **state)
{
    (void)state;
    begin_items();
    assert_int_equal(items_begin(&thing_writer), CM_OK);
    items_put(&thing_writer, 1, item_of(1), NULL);
    assert_int_equal(items_begin(&thing_writer), CM_OK);
    items_put(&thing_writer, 2, item_of(2), NULL);
    CM_WITH_VIEW (items, &thing_reader, view)
        assert_int_equal(items_view_len(view), 0);
    assert_int_equal(items_writer_close(&thing_writer), CM_OK);
    CM_WITH_VIEW (items, &thing_reader, view)
        assert_int_equal(items_view_len(view), 2);
    assert_int_equal(items_writer_open(&things, &thing_writer), CM_OK);
    items_put(&thing_writer, 3, item_of(3), NULL);
    assert_int_equal(alive, 3);
    items_destroy(&things); /* amid a batch */
    assert_int_equal(alive, 0);
}

/* L2: other maps come and go meanwhile. L9: the map is dropped with much to be destroyed. */
static void l2_l9_a_view_keeps_what_was_removed(void **state)
{
    (void)state;
    begin_items();
    for (uint64_t i = 0; i < 1000; i++)
        items_put(&thing_writer, i, item_of(i), NULL);
    items_publish(&thing_writer);
    const items_view *view = items_enter(&thing_reader);
    items_clear(&thing_writer);
    items_publish(&thing_writer);
    for (int i = 0; i < 3; i++) {
        shards b;
        texts c;
        assert_int_equal(shards_init(&b, NULL), CM_OK);
        assert_int_equal(texts_init(&c, NULL), CM_OK);
        for (uint64_t k = 0; k < 3000; k++)
            shards_put(&b, k, k, NULL);
        shards_destroy(&b);
        texts_destroy(&c);
    }
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(*items_view_get(view, i)->own, i);
    items_leave(&thing_reader);
    assert_int_equal(alive, 1000);
    items_destroy(&things);
    assert_int_equal(alive, 0);
}

static void l10_memory_may_be_aligned_to_eight_bytes(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    memory.misaligned = true;
    assert_int_equal(nums_init(&map, &(cm_config){.allocator = &memory.allocator}), CM_OK);
    assert_int_equal(nums_writer_open(&map, &writer), CM_OK);
    assert_int_equal(nums_reader_open(&map, &reader), CM_OK);
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(nums_put(&writer, i, i, NULL), CM_OK);
    nums_publish(&writer);
    assert_int_equal(got(&reader, 999), 999);
    end();
    assert_int_equal(memory.live_blocks, 0);
    assert_int_equal(memory.mistakes, 0);
}

static void e9_colliding_keys_are_there_once(void **state)
{
    (void)state;
    ones crowd;
    ones_writer write;
    ones_reader read;
    uint64_t value = 0;
    assert_int_equal(ones_init(&crowd, NULL), CM_OK);
    assert_int_equal(ones_writer_open(&crowd, &write), CM_OK);
    assert_int_equal(ones_reader_open(&crowd, &read), CM_OK);
    for (int round = 0; round < 4; round++) {
        for (uint64_t i = 0; i < 400; i++)
            assert_int_equal(ones_put(&write, i, i, NULL), CM_OK);
        ones_publish(&write);
        for (uint64_t i = 0; i < 400; i++)
            assert_true(ones_get(&read, i, &value) && value == i);
        for (uint64_t i = 0; i < 400; i++)
            assert_int_equal(ones_remove(&write, i, NULL), CM_OK);
        assert_int_equal(ones_check(&crowd, NULL), CM_OK);
        ones_publish(&write);
    }
    ones_destroy(&crowd);
}

static void g4_keys_of_one_stride_are_found(void **state)
{
    (void)state;
    sames strides;
    sames_writer write;
    assert_int_equal(sames_init(&strides, NULL), CM_OK);
    assert_int_equal(sames_writer_open(&strides, &write), CM_OK);
    for (uint64_t i = 0; i < 2000; i++)
        assert_int_equal(sames_put(&write, i << 20, i, NULL), CM_OK);
    sames_publish(&write);
    assert_int_equal(sames_begin(&write), CM_OK);
    assert_int_equal(sames_check(&strides, NULL), CM_OK);
    sames_destroy(&strides);
}

static void g3_shrinking_gives_memory_back_with_readers_inside(void **state)
{
    (void)state;
    begin();
    assert_int_equal(nums_shrink_to_fit(&writer), CM_OK); /* nothing yet */
    for (uint64_t i = 0; i < 10000; i++)
        nums_put(&writer, i, i, NULL);
    nums_publish(&writer);
    nums_begin(&writer);
    size_t before = nums_memory(&writer).table;
    nums_enter(&reader);
    for (uint64_t i = 10; i < 10000; i++)
        assert_int_equal(nums_remove(&writer, i, NULL), CM_OK);
    for (int times = 0; times < 3; times++) { /* smaller, larger, smaller */
        assert_int_equal(nums_shrink_to_fit(&writer), CM_OK);
        for (uint64_t i = 100; i < 600; i++)
            assert_int_equal(nums_put(&writer, i, i, NULL), CM_OK);
        for (uint64_t i = 100; i < 600; i++)
            assert_int_equal(nums_remove(&writer, i, NULL), CM_OK);
    }
    assert_int_equal(nums_shrink_to_fit(&writer), CM_OK);
    assert_int_equal(got(&reader, 9999), 9999);
    nums_publish(&writer);
    nums_leave(&reader);
    assert_int_equal(nums_begin(&writer), CM_OK);
    assert_int_equal(nums_check(&map, NULL), CM_OK);
    assert_int_equal(nums_writer_len(&writer), 10);
    assert_true(nums_memory(&writer).table < before / 50);
    assert_int_equal(nums_memory(&writer).waiting_tables, 0);
    nums_clear(&writer);
    assert_int_equal(nums_shrink_to_fit(&writer), CM_OK);
    nums_publish(&writer);
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(nums_put(&writer, i, i, NULL), CM_OK);
    nums_publish(&writer);
    assert_int_equal(got(&reader, 99), 99);
    end();
}

/* An allocator in which two threads that want places of readers meet. */
static pthread_barrier_t both;

static void *meet_and_allocate(void *context, size_t size, size_t alignment)
{
    if (size == sizeof(struct cm_seat_block_))
        pthread_barrier_wait(&both);
    return cm_allocator_default()->allocate(context, size, alignment);
}

static size_t open_and_close(void *context, unsigned i)
{
    nums_reader own;
    (void)context, (void)i;
    return nums_reader_open(&map, &own) != CM_OK || nums_reader_close(&own) != CM_OK;
}

/* Under the address sanitizer: the block of the one who comes too late is given back, and not touched any more. */
static void two_threads_open_the_first_reader_at_once(void **state)
{
    (void)state;
    cm_allocator meeting = *cm_allocator_default();
    meeting.allocate = meet_and_allocate;
    pthread_barrier_init(&both, NULL, 2);
    assert_int_equal(nums_init(&map, &(cm_config){.allocator = &meeting}), CM_OK);
    assert_int_equal(crew_run(2, open_and_close, NULL), 0);
    nums_destroy(&map);
    pthread_barrier_destroy(&both);
}

static void m2_sizes_and_limits(void **state)
{
    (void)state;
    size_t sizes[] = {0, 1, 2, 3, 100, 1000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(nums_init(&map, &(cm_config){.capacity = sizes[i]}), CM_OK);
        assert_int_equal(nums_writer_open(&map, &writer), CM_OK);
        for (uint64_t k = 0; k < 50; k++)
            assert_int_equal(nums_put(&writer, k, k, NULL), CM_OK);
        nums_publish(&writer);
        end();
    }
    assert_int_equal(nums_init(&map, &(cm_config){.capacity = SIZE_MAX}), CM_NOMEM);
    assert_int_equal(nums_init(&map, &(cm_config){.fixed = true, .capacity = 10}), CM_INVALID);
    assert_int_equal(nums_init(&map, &(cm_config){.budget = 1}), CM_INVALID);
    assert_int_equal(nums_init(&map, &(cm_config){.limit = 5}), CM_OK);
    assert_int_equal(nums_writer_open(&map, &writer), CM_OK);
    assert_int_equal(nums_reserve(&writer, SIZE_MAX), CM_FULL);
    for (int round = 0; round < 3; round++) {
        for (uint64_t k = 0; k < 5; k++)
            assert_int_equal(nums_put(&writer, k, k, NULL), CM_OK);
        assert_int_equal(nums_put(&writer, 5, 5, NULL), CM_FULL);
        nums_publish(&writer);
        for (uint64_t k = 0; k < 5; k++)
            assert_int_equal(nums_remove(&writer, k, NULL), CM_OK);
        nums_publish(&writer);
    }
    end();
}

static void text_keys_are_the_maps_own(void **state)
{
    (void)state;
    texts words;
    texts_writer write;
    texts_reader read;
    uint64_t value = 0;
    char word[] = "word";
    assert_int_equal(texts_init(&words, NULL), CM_OK);
    assert_int_equal(texts_writer_open(&words, &write), CM_OK);
    assert_int_equal(texts_reader_open(&words, &read), CM_OK);
    for (int round = 0; round < 5; round++) {
        assert_int_equal(texts_put(&write, cm_str_of(word), 1, NULL), CM_OK);
        assert_int_equal(texts_put(&write, cm_str_of("other"), 2, NULL), round ? CM_REPLACED : CM_OK);
        word[0] = 'W';
        texts_publish(&write);
        word[0] = 'w';
        assert_true(texts_get(&read, cm_str_of("word"), &value) && value == 1);
        assert_int_equal(texts_remove(&write, cm_str_of("word"), NULL), CM_OK);
        assert_int_equal(texts_put(&write, cm_str_of("word"), 3, NULL), CM_OK);
        assert_int_equal(texts_remove(&write, cm_str_of("word"), NULL), CM_OK);
        texts_publish(&write);
        assert_int_equal(texts_begin(&write), CM_OK);
        assert_int_equal(texts_check(&words, NULL), CM_OK);
        assert_int_equal(texts_memory(&write).nodes, 5); /* "other" */
    }
    texts_destroy(&words);
}

static void a_type_may_be_of_many_files(void **state)
{
    (void)state;
    roster map_;
    roster_writer write;
    roster_reader read;
    uint64_t value = 0;
    assert_int_equal(roster_init(&map_, NULL), CM_OK);
    assert_int_equal(roster_writer_open(&map_, &write), CM_OK);
    assert_int_equal(roster_reader_open(&map_, &read), CM_OK);
    assert_int_equal(roster_put(&write, cm_str_of("a"), 1, NULL), CM_OK);
    assert_int_equal(roster_publish(&write), CM_OK);
    CM_WITH_VIEW (roster, &read, view)
        value = *roster_view_get(view, cm_str_of("a"));
    assert_int_equal(value, 1);
    roster_destroy(&map_);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_the_first_publish_readers_see_nothing),
        cmocka_unit_test(a_batch_is_seen_at_once_and_by_its_writer_before),
        cmocka_unit_test(outcomes_are_those_of_every_map),
        cmocka_unit_test(a_view_is_a_snapshot_with_its_meta),
        cmocka_unit_test(views_nest),
        cmocka_unit_test(there_is_one_writer),
        cmocka_unit_test(readers_see_the_end_where_it_is_told),
        cmocka_unit_test(readers_are_made_by_maps_readers_and_factories),
        cmocka_unit_test(r1_r2_a_writer_is_closed_while_a_reader_is_inside),
        cmocka_unit_test(r3_readers_are_made_and_dropped_inside_views_while_another_publishes),
        cmocka_unit_test(r5_ten_thousand_readers),
        cmocka_unit_test(r6_batches_that_are_not_published_are_not_lost),
        cmocka_unit_test(l2_l9_a_view_keeps_what_was_removed),
        cmocka_unit_test(l10_memory_may_be_aligned_to_eight_bytes),
        cmocka_unit_test(e9_colliding_keys_are_there_once),
        cmocka_unit_test(g4_keys_of_one_stride_are_found),
        cmocka_unit_test(g3_shrinking_gives_memory_back_with_readers_inside),
        cmocka_unit_test(two_threads_open_the_first_reader_at_once),
        cmocka_unit_test(m2_sizes_and_limits),
        cmocka_unit_test(text_keys_are_the_maps_own),
        cmocka_unit_test(a_type_may_be_of_many_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
