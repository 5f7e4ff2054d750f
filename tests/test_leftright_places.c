/* Left-right maps whose entries own nothing: a log of places, copies of whole tables, and what publishes by itself. */
#include <concmap/leftright.h>

#include "crew.h"
#include "failing_allocator.h"
#include "unit.h"

#define KEYS 400
#define ROUNDS 3000

/* Few homes, so that ways are long, and shared. */
static uint64_t crowded_hash(const uint64_t *key, uint64_t seed)
{
    (void)seed;
    return *key % 3 + (*key << 52);
}

CM_LEFTRIGHT_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_LEFTRIGHT_MAP(crowds, uint64_t, uint64_t, crowded_hash, cm_equal_u64)

/* ---- places ---- */

static cm_status add_one(uint64_t *value, void *context)
{
    (void)context;
    ++*value;
    return CM_OK;
}

static uint64_t values[KEYS]; /* 0: absent */

static cm_status keep_some(const uint64_t *key, const uint64_t *value, void *context)
{
    assert_int_equal(*value, values[*key]);
    if (crew_random(context) % 3)
        return CM_OK;
    values[*key] = 0;
    return CM_ABSENT;
}

#define CHANGES_OF(type)                                                                                               \
    static void type##_change(type##_writer *writer, uint64_t *random)                                                 \
    {                                                                                                                  \
        uint64_t key = crew_random(random) % KEYS, number = crew_random(random) % 1000 + 1, *value = &values[key];     \
        switch (crew_random(random) % 64) {                                                                            \
        case 0:                                                                                                        \
            assert_int_equal(type##_shrink_to_fit(writer), CM_OK);                                                     \
            return;                                                                                                    \
        case 1:                                                                                                        \
            assert_int_equal(type##_reserve(writer, crew_random(random) % (2 * KEYS)), CM_OK);                         \
            return;                                                                                                    \
        case 2:                                                                                                        \
            assert_int_equal(type##_clear(writer), CM_OK);                                                             \
            memset(values, 0, sizeof values);                                                                          \
            return;                                                                                                    \
        case 3:                                                                                                        \
            assert_int_equal(type##_retain(writer, keep_some, random), CM_OK);                                         \
            return;                                                                                                    \
        }                                                                                                              \
        switch (crew_random(random) % 4) {                                                                             \
        case 0:                                                                                                        \
            assert_int_equal(type##_remove(writer, key, NULL), *value ? CM_OK : CM_ABSENT);                            \
            *value = 0;                                                                                                \
            break;                                                                                                     \
        case 1:                                                                                                        \
            assert_int_equal(type##_update(writer, key, add_one, NULL), *value ? CM_OK : CM_ABSENT);                   \
            *value += *value != 0;                                                                                     \
            break;                                                                                                     \
        default:                                                                                                       \
            assert_int_equal(type##_put(writer, key, number, NULL), *value ? CM_REPLACED : CM_OK);                     \
            *value = number;                                                                                           \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    /* Both sides are what the model is, and alike slot by slot, which check looks at. */                              \
    static void type##_is_its_model(type *map, type##_writer *writer, type##_reader *reader)                           \
    {                                                                                                                  \
        const char *reason = "";                                                                                       \
        size_t len = 0;                                                                                                \
        assert_int_equal(type##_publish(writer), CM_OK);                                                               \
        assert_int_equal(type##_begin(writer), CM_OK);                                                                 \
        if (type##_check(map, &reason) != CM_OK)                                                                       \
            fail_msg("%s", reason);                                                                                    \
        for (uint64_t key = 0; key < KEYS; key++) {                                                                    \
            uint64_t read = 0, own = 0;                                                                                \
            assert_true(type##_get(reader, key, &read) == (values[key] != 0));                                         \
            assert_true((type##_writer_get(writer, key, &own) == CM_OK) == (values[key] != 0));                        \
            assert_int_equal(read, values[key]);                                                                       \
            assert_int_equal(own, values[key]);                                                                        \
            len += values[key] != 0;                                                                                   \
        }                                                                                                              \
        assert_int_equal(type##_writer_len(writer), len);                                                              \
    }                                                                                                                  \
                                                                                                                       \
    static void type##_follows(uint64_t *random)                                                                       \
    {                                                                                                                  \
        type map;                                                                                                      \
        type##_writer writer;                                                                                          \
        type##_reader reader;                                                                                          \
        memset(values, 0, sizeof values);                                                                              \
        assert_int_equal(type##_init(&map, NULL), CM_OK);                                                              \
        assert_int_equal(type##_writer_open(&map, &writer), CM_OK);                                                    \
        assert_int_equal(type##_reader_open(&map, &reader), CM_OK);                                                    \
        for (size_t batch = 0; batch < crew_scale(400); batch++) {                                                     \
            for (uint64_t left = crew_random(random) % (batch % 8 ? 12 : 300); left > 0; left--)                       \
                type##_change(&writer, random);                                                                        \
            type##_is_its_model(&map, &writer, &reader);                                                               \
        }                                                                                                              \
        type##_destroy(&map);                                                                                          \
    }

CHANGES_OF(nums)
CHANGES_OF(crowds)

static void both_sides_are_alike_slot_by_slot(void **state)
{
    (void)state;
    uint64_t random = crew_seed("places");
    nums_follows(&random);
    crowds_follows(&random);
}

/* ---- memory ---- */

static void fill(nums_writer *writer, uint64_t n)
{
    for (uint64_t key = 0; key < n; key++)
        assert_true(nums_put(writer, key, key + 1, NULL) >= 0);
}

static void a_batch_takes_no_more_than_its_tables(void **state)
{
    (void)state;
    nums map;
    nums_writer writer;
    nums_reader reader;
    uint64_t value;
    assert_int_equal(nums_init(&map, &(cm_config){.capacity = 100000}), CM_OK);
    assert_int_equal(nums_writer_open(&map, &writer), CM_OK);
    assert_int_equal(nums_reader_open(&map, &reader), CM_OK);
    for (unsigned round = 0; round < 10; round++)
        fill(&writer, 100000);
    assert_int_equal(nums_publications(&writer).pending, 1000000);
    cm_memory memory = nums_memory(&writer);
    assert_true(memory.waiting - memory.waiting_tables <= memory.table / 16); /* of both; eight bytes a word */
    assert_int_equal(nums_publish(&writer), CM_OK);
    assert_int_equal(nums_remove(&writer, 7, NULL), CM_OK);
    assert_int_equal(nums_publish(&writer), CM_OK);
    assert_int_equal(nums_begin(&writer), CM_OK);
    assert_int_equal(nums_check(&map, NULL), CM_OK);
    assert_true(nums_get(&reader, 99999, &value) && value == 100000 && !nums_get(&reader, 7, &value));
    fill(&writer, 100000);
    assert_int_equal(nums_publish(&writer), CM_OK);
    for (unsigned batch = 0; batch < 3; batch++) { /* a log that serves no more is given back */
        assert_int_equal(nums_clear(&writer), CM_OK);
        assert_int_equal(nums_publish(&writer), CM_OK);
    }
    memory = nums_memory(&writer);
    assert_true(memory.waiting - memory.waiting_tables <= 65536);
    nums_destroy(&map);
}

/* Rule 23: without memory for the log the whole table is copied, so no change needs any. */
static void changes_need_no_memory(void **state)
{
    (void)state;
    struct failing_allocator memory;
    nums map;
    nums_writer writer;
    nums_reader reader;
    uint64_t value;
    failing_allocator_init(&memory);
    assert_int_equal(nums_init(&map, &(cm_config){.allocator = &memory.allocator, .capacity = 1000}), CM_OK);
    assert_int_equal(nums_writer_open(&map, &writer), CM_OK);
    assert_int_equal(nums_reader_open(&map, &reader), CM_OK);
    memory.fail_all = true;
    for (uint64_t batch = 1; batch < 4; batch++) {
        fill(&writer, 1000);
        assert_int_equal(nums_remove(&writer, batch, NULL), CM_OK);
        assert_int_equal(nums_publish(&writer), CM_OK);
        assert_true(!nums_get(&reader, batch, &value) && nums_get(&reader, 0, &value) && value == 1);
    }
    assert_int_equal(nums_clear(&writer), CM_OK);
    assert_int_equal(nums_publish(&writer), CM_OK);
    assert_int_equal(nums_begin(&writer), CM_OK);
    memory.fail_all = false;
    assert_int_equal(nums_check(&map, NULL), CM_OK);
    nums_destroy(&map);
    assert_int_equal(memory.live_blocks + memory.mistakes, 0);
}

/* A table that goes up and down again within one batch, and a map that is destroyed before the other side follows. */
static void tables_come_and_go_in_one_batch(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    for (unsigned ends = 0; ends < 2; ends++) {
        nums map;
        nums_writer writer;
        assert_int_equal(nums_init(&map, &(cm_config){.allocator = &memory.allocator, .capacity = 100}), CM_OK);
        assert_int_equal(nums_writer_open(&map, &writer), CM_OK);
        fill(&writer, 100);
        const size_t sizes[] = {1000, 0, 100, 5000, 300};
        for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (unsigned back = 0; back < 2; back++) {
                assert_int_equal(sizes[i] ? nums_reserve(&writer, sizes[i]) : nums_shrink_to_fit(&writer), CM_OK);
                if (back)
                    assert_int_equal(nums_shrink_to_fit(&writer), CM_OK);
                if (ends && i + back == 5)
                    break;
                assert_int_equal(nums_publish(&writer), CM_OK);
                assert_int_equal(nums_begin(&writer), CM_OK);
                assert_int_equal(nums_check(&map, NULL), CM_OK);
                assert_int_equal(nums_memory(&writer).waiting_tables, 0);
            }
        nums_destroy(&map);
        assert_int_equal(memory.live_blocks + memory.mistakes, 0);
    }
}

/* ---- what publishes by itself ---- */

static unsigned freed;

static void count_freed(void *context)
{
    (void)context;
    freed++;
}

static cm_status publish_inside(uint64_t *value, void *context)
{
    ++*value;
    return nums_publish_every(context, 5);
}

/* A call inside a call that has removed some already: nothing is published at its end. */
static cm_status keep_even(const uint64_t *key, const uint64_t *value, void *context)
{
    (void)value;
    assert_true(nums_writer_contains(context, *key));
    return *key % 2 ? CM_ABSENT : CM_OK;
}

static void each_change_is_published_by_itself(bool shared)
{
    nums map;
    nums_writer writer;
    nums_reader reader;
    uint64_t value;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    assert_int_equal((shared ? nums_writer_open_shared : nums_writer_open)(&map, &writer), CM_OK);
    assert_int_equal(nums_reader_open(&map, &reader), CM_OK);
    assert_int_equal(nums_put(&writer, 1, 1, NULL), CM_OK);
    assert_false(nums_get(&reader, 1, NULL));
    assert_int_equal(nums_publish_every(&writer, 1), CM_OK); /* and what is pending already */
    assert_true(nums_get(&reader, 1, NULL));
    assert_int_equal(nums_publications(&writer).published, 1);
    assert_int_equal(nums_put(&writer, 1, 2, NULL), CM_REPLACED);
    assert_true(nums_get(&reader, 1, &value) && value == 2);
    assert_int_equal(nums_remove(&writer, 5, NULL), CM_ABSENT); /* nothing has changed */
    assert_int_equal(nums_publications(&writer).published, 2);
    assert_int_equal(nums_set_meta(&writer, 9), CM_OK);
    CM_WITH_VIEW (nums, &reader, view)
        assert_int_equal(nums_view_meta(view), 9);
    assert_int_equal(nums_publications(&writer).published, 3);
    assert_int_equal(nums_update(&writer, 1, publish_inside, &writer), CM_DEADLOCK);
    assert_int_equal(nums_publish_every(&writer, 3), CM_OK);
    for (uint64_t key = 2; key < 8; key++) {
        assert_int_equal(nums_put(&writer, key, key, NULL), CM_OK);
        assert_int_equal(nums_get(&reader, key, NULL), key == 4 || key == 7);
    }
    assert_int_equal(nums_when_free(&writer, count_freed, NULL), CM_OK);
    freed = 0;
    assert_int_equal(nums_publish_every(&writer, 1), CM_OK);
    assert_int_equal(nums_put(&writer, 8, 8, NULL), CM_OK);
    assert_int_equal(freed, 1);
    assert_int_equal(nums_when_free(&writer, NULL, NULL), CM_OK);
    assert_int_equal(nums_publish_every(&writer, 0), CM_OK);
    assert_int_equal(nums_put(&writer, 9, 9, NULL), CM_OK);
    assert_true(nums_has_pending(&writer) && !nums_get(&reader, 9, NULL));
    assert_int_equal(nums_publish_every(&writer, 1), CM_OK);
    const uint64_t published = nums_publications(&writer).published;
    assert_int_equal(nums_retain(&writer, keep_even, &writer), CM_OK);
    assert_int_equal(nums_publications(&writer).published, published + 1);
    nums_destroy(&map);
}

static void publish_every_shows_changes_by_itself(void **state)
{
    (void)state;
    each_change_is_published_by_itself(false);
    each_change_is_published_by_itself(true);
}

static void what_a_lock_keeps_together_is_published_together(void **state)
{
    (void)state;
    nums map;
    nums_writer writer;
    nums_reader reader;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    assert_int_equal(nums_writer_open_shared(&map, &writer), CM_OK);
    assert_int_equal(nums_reader_open(&map, &reader), CM_OK);
    assert_int_equal(nums_publish_every(&writer, 1), CM_OK);
    assert_int_equal(nums_writer_lock(&writer), CM_OK);
    for (uint64_t key = 0; key < 3; key++) {
        assert_int_equal(nums_put(&writer, key, key, NULL), CM_OK);
        assert_false(nums_get(&reader, key, NULL));
    }
    nums_writer_unlock(&writer);
    CM_WITH_VIEW (nums, &reader, view)
        assert_int_equal(nums_view_len(view), 3);
    assert_int_equal(nums_publications(&writer).published, 1);
    assert_int_equal(nums_writer_close(&writer), CM_OK);
    assert_int_equal(nums_writer_open(&map, &writer), CM_OK); /* another one begins as the first did */
    assert_int_equal(nums_put(&writer, 7, 7, NULL), CM_OK);
    assert_false(nums_get(&reader, 7, NULL));
    nums_destroy(&map);
}

/* ---- many writers, each of whose changes is published ---- */

static nums many;
static nums_writer many_writer;

/* What the thread did is seen by itself at once. Returns what was wrong. */
static size_t count_up(void *context, unsigned thread)
{
    nums_reader reader;
    uint64_t value;
    size_t wrong = nums_reader_open(&many, &reader) != CM_OK;
    (void)context;
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        wrong += nums_upsert(&many_writer, 1000, 1, add_one, NULL) < 0;
        wrong += nums_put(&many_writer, thread, round, NULL) < 0;
        wrong += !nums_get(&reader, thread, &value) || value != round;
        wrong += !nums_get(&reader, 1000, &value) || value < round;
        if (round % 100 == 0) {
            wrong += nums_put(&many_writer, 2000 + thread, round, NULL) != CM_OK;
            wrong += nums_remove(&many_writer, 2000 + thread, NULL) != CM_OK;
            wrong += nums_get(&reader, 2000 + thread, NULL);
        }
    }
    nums_reader_close(&reader);
    return wrong;
}

static void each_thread_sees_what_it_did(void **state)
{
    (void)state;
    uint64_t value;
    assert_int_equal(nums_init(&many, NULL), CM_OK);
    assert_int_equal(nums_writer_open_shared(&many, &many_writer), CM_OK);
    assert_int_equal(nums_publish_every(&many_writer, 1), CM_OK);
    assert_int_equal(crew_run(4, count_up, NULL), 0);
    assert_int_equal(nums_writer_get(&many_writer, 1000, &value), CM_OK);
    assert_int_equal(value, 4 * ROUNDS);
    assert_int_equal(nums_writer_len(&many_writer), 5);
    assert_int_equal(nums_begin(&many_writer), CM_OK);
    assert_int_equal(nums_check(&many, NULL), CM_OK);
    nums_destroy(&many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_are_alike_slot_by_slot),
        cmocka_unit_test(a_batch_takes_no_more_than_its_tables),
        cmocka_unit_test(changes_need_no_memory),
        cmocka_unit_test(tables_come_and_go_in_one_batch),
        cmocka_unit_test(publish_every_shows_changes_by_itself),
        cmocka_unit_test(what_a_lock_keeps_together_is_published_together),
        cmocka_unit_test(each_thread_sees_what_it_did),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
