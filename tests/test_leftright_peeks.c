/* Single look-ups that enter nothing (detail/leftright_peeks.h), while the writer publishes, grows and shrinks without
 * pause. What a peek copies while the table changes under it is torn, or another key's, or of a later publication: each
 * would show here. */
#include <concmap/leftright.h>
#include <pthread.h>
#include <sched.h>

#include "crew.h"
#include "process.h"
#include "unit.h"

#define WORDS 8
#define KEYS 12 /* in one group or two, so that slots are taken by other keys at once */

struct torn { /* as large as values may be that are peeked at */
    uint64_t words[WORDS];
};

CM_LEFTRIGHT_MAP(maps, uint32_t, struct torn, cm_hash_u32, cm_equal_u32)

struct race {
    maps map;
    maps_writer writer;
    uint64_t least; /* the generation that was published last, or the one before */
    uint32_t done;
    uint64_t batches;
};

static struct torn value_of(uint64_t key, uint64_t generation)
{
    struct torn value;
    for (uint64_t i = 0; i < WORDS; i++)
        value.words[i] = generation << 8 | key;
    return value;
}

/* What is there in each generation. */
static bool is_there(uint64_t key, uint64_t generation)
{
    return (key + generation) % 3 != 0;
}

static size_t generation_write(struct race *race, uint64_t generation)
{
    size_t wrong = 0;
    for (uint32_t key = 0; key < KEYS; key++) /* removed first: slots go to other keys */
        if (!is_there(key, generation))
            wrong += maps_remove(&race->writer, key, NULL) < 0;
    for (uint32_t key = 0; key < KEYS; key++)
        if (is_there(key, generation))
            wrong += maps_put(&race->writer, key, value_of(key, generation), NULL) < 0;
    return wrong;
}

/* Other tables, now and then, of both sides. */
static size_t table_change(struct race *race, uint64_t generation)
{
    switch (generation % 8) {
    case 3:
        return maps_reserve(&race->writer, 100) != CM_OK;
    case 7:
        return maps_shrink_to_fit(&race->writer) != CM_OK;
    default:
        return 0;
    }
}

static size_t race_write(struct race *race)
{
    size_t wrong = 0;
    for (uint64_t left = race->batches; left > 0; left--) {
        uint64_t generation = race->least + 1;
        wrong += generation_write(race, generation) + table_change(race, generation);
        wrong += maps_publish(&race->writer) != CM_OK;
        __atomic_store_n(&race->least, generation, __ATOMIC_RELEASE);
    }
    wrong += maps_begin(&race->writer) != CM_OK;
    __atomic_store_n(&race->done, 1, __ATOMIC_RELEASE);
    return wrong;
}

/* A value is whole, its key's, and no older than what this reader has seen, or been told. */
static size_t value_is_wrong(const struct torn *value, uint64_t key, uint64_t *seen)
{
    uint64_t generation = value->words[0] >> 8;
    size_t wrong = (value->words[0] & 0xff) != key || generation < *seen || !is_there(key, generation);
    for (unsigned i = 1; i < WORDS; i++)
        wrong += value->words[i] != value->words[0];
    *seen = generation > *seen ? generation : *seen;
    return wrong != 0;
}

static size_t race_read(struct race *race, uint64_t random)
{
    maps_reader reader;
    uint64_t seen = 0;
    size_t wrong = maps_reader_open(&race->map, &reader) != CM_OK;
    while (!__atomic_load_n(&race->done, __ATOMIC_ACQUIRE)) {
        uint32_t key = (uint32_t)(crew_random(&random) % KEYS);
        uint64_t told = __atomic_load_n(&race->least, __ATOMIC_ACQUIRE);
        struct torn value = value_of(255, 1);
        seen = told > seen ? told : seen;
        if (maps_get(&reader, key, &value))
            wrong += value_is_wrong(&value, key, &seen);
        else
            wrong += value.words[0] != value_of(255, 1).words[0];
    }
    return wrong + (maps_reader_close(&reader) != CM_OK);
}

static size_t race_run(void *context, unsigned thread)
{
    struct race *race = context;
    return thread == 0 ? race_write(race) : race_read(race, 77 + thread);
}

static void e5_what_changes_meanwhile_is_not_used(void **state)
{
    (void)state;
    struct race race = {.batches = crew_scale(60000)};
    const char *reason = "";
    assert_int_equal(maps_init(&race.map, NULL), CM_OK);
    assert_int_equal(maps_writer_open(&race.map, &race.writer), CM_OK);
    assert_int_equal(crew_run(4, race_run, &race), 0);
    if (maps_check(&race.map, &reason) != CM_OK)
        fail_msg("%s", reason);
    maps_destroy(&race.map);
}

/* Those that peeked before are not waited for, and nothing is freed that they look at. */
static int m3_without_membarrier_nobody_peeks(void)
{
    struct race race = {.batches = crew_scale(5000)};
    if (maps_init(&race.map, NULL) != CM_OK || maps_writer_open(&race.map, &race.writer) != CM_OK)
        return 1;
    size_t wrong = crew_run(3, race_run, &race);
    if (!refuse_membarrier())
        return PROCESS_SKIPPED;
    race.done = 0;
    wrong += crew_run(3, race_run, &race);
    maps_destroy(&race.map);
    return wrong ? 2 : 0;
}

/* ---- one thread ---- */

CM_LEFTRIGHT_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)

static void inside_a_view_the_view_is_looked_at(void **state)
{
    (void)state;
    nums map;
    nums_writer writer;
    nums_reader reader;
    uint64_t value = 0;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    assert_int_equal(nums_writer_open(&map, &writer), CM_OK);
    assert_int_equal(nums_reader_open(&map, &reader), CM_OK);
    assert_false(nums_get(&reader, 1, &value));
    nums_put(&writer, 1, 10, NULL);
    nums_publish(&writer);
    CM_WITH_VIEW (nums, &reader, view) {
        assert_true(nums_get(&reader, 1, &value) && value == 10);
        nums_put(&writer, 1, 20, NULL);
        nums_publish(&writer);
        assert_true(nums_get(&reader, 1, &value) && value == 10 && *nums_view_get(view, 1) == 10);
        assert_int_equal(nums_try_begin(&writer), CM_DEADLOCK); /* the reader is inside still */
        assert_true(nums_get(&reader, 1, NULL));
    }
    assert_true(nums_get(&reader, 1, &value) && value == 20);
    assert_true(nums_get(&reader, 1, NULL) && !nums_get(&reader, 2, NULL));
    assert_int_equal(nums_writer_end(&writer), CM_OK);
    assert_false(nums_get(&reader, 1, &value));
    assert_int_equal(nums_writer_open(&map, &writer), CM_OK);
    assert_true(nums_get(&reader, 1, &value) && value == 20);
    nums_destroy(&map);
}

static void replaced_tables_do_not_pile_up(void **state)
{
    (void)state;
    nums map;
    nums_writer writer;
    nums_reader reader;
    uint64_t value;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    assert_int_equal(nums_writer_open(&map, &writer), CM_OK);
    assert_int_equal(nums_reader_open(&map, &reader), CM_OK);
    for (uint64_t round = 0; round < 20; round++) {
        for (uint64_t key = 0; key < 5000; key++)
            nums_put(&writer, key, key, NULL);
        nums_publish(&writer);
        for (uint64_t key = 0; key < 5000; key++)
            assert_true(nums_get(&reader, key, &value) && value == key);
        nums_clear(&writer);
        assert_int_equal(nums_shrink_to_fit(&writer), CM_OK);
        nums_publish(&writer);
        assert_false(nums_get(&reader, 1, &value));
        assert_int_equal(nums_begin(&writer), CM_OK);
        assert_int_equal(nums_memory(&writer).waiting_tables, 0);
    }
    nums_destroy(&map);
}

/* As if a reader's thread had lost its processor amid a peek. */
static void a_table_that_is_peeked_at_stays(void **state)
{
    (void)state;
    nums map;
    nums_writer writer;
    nums_reader reader, other;
    uint64_t value;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    assert_int_equal(nums_writer_open(&map, &writer), CM_OK);
    assert_int_equal(nums_reader_open(&map, &reader), CM_OK);
    assert_int_equal(nums_reader_open(&map, &other), CM_OK);
    nums_put(&writer, 1, 10, NULL);
    nums_publish(&writer);
    assert_true(nums_get(&reader, 1, &value));
    if (map.core->word & CM_NO_BARRIER_) { /* (P3) */
        nums_destroy(&map);
        skip();
    }
    reader.core.slot->state = CM_PEEKING_;
    for (uint64_t key = 2; key < 2000; key++) { /* nobody waits for it */
        nums_put(&writer, key, key, NULL);
        assert_int_equal(nums_publish(&writer), CM_OK);
        assert_int_equal(nums_try_begin(&writer), CM_OK);
        assert_true(nums_get(&other, key, &value) && value == key);
    }
    assert_true(nums_memory(&writer).waiting_tables > 0);
    assert_int_equal(*(const uint64_t *)(const void *)reader.core.flat.tags != 0, 1); /* the sanitizer looks on */
    reader.core.slot->state = 0;
    nums_publish(&writer);
    assert_int_equal(nums_begin(&writer), CM_OK);
    nums_publish(&writer);
    assert_int_equal(nums_begin(&writer), CM_OK);
    assert_int_equal(nums_memory(&writer).waiting_tables, 0);
    assert_true(nums_get(&reader, 1999, &value) && value == 1999);
    nums_destroy(&map);
}

/* Publications come thick, so that readers fence, and only who frees tables learns that membarrier has ceased. */
static int m3_replaced_tables_are_freed_without_membarrier(void)
{
    nums map;
    nums_writer writer;
    nums_reader reader;
    uint64_t value;
    size_t wrong = 0;
    if (nums_init(&map, NULL) != CM_OK || nums_writer_open(&map, &writer) != CM_OK ||
        nums_reader_open(&map, &reader) != CM_OK)
        return 1;
    for (uint64_t key = 0; key < 500; key++) {
        nums_put(&writer, key, key, NULL);
        nums_publish(&writer);
        wrong += !nums_get(&reader, key, &value) || value != key;
    }
    if (!refuse_membarrier())
        return PROCESS_SKIPPED;
    for (size_t round = 0; round < 20; round++) {
        wrong += nums_reserve(&writer, 2000) != CM_OK || nums_publish(&writer) != CM_OK;
        wrong += !nums_get(&reader, 7, &value) || value != 7;
        wrong += nums_shrink_to_fit(&writer) != CM_OK || nums_publish(&writer) != CM_OK;
        wrong += !nums_get(&reader, 8, &value) || value != 8;
    }
    wrong += nums_begin(&writer) != CM_OK || nums_memory(&writer).waiting_tables != 0;
    nums_destroy(&map);
    return wrong ? 2 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inside_a_view_the_view_is_looked_at),
        cmocka_unit_test(replaced_tables_do_not_pile_up),
        cmocka_unit_test(a_table_that_is_peeked_at_stays),
        cmocka_unit_test(e5_what_changes_meanwhile_is_not_used),
        unit_test_in_child(m3_without_membarrier_nobody_peeks),
        unit_test_in_child(m3_replaced_tables_are_freed_without_membarrier),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
