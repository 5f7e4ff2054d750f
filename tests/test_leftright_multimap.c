/* The left-right multimap: its promises one by one, against a model, under threads, and without memory. */
#include <concmap/leftright_multimap.h>
#include <stdlib.h>

#include "crew.h"
#include "failing_allocator.h"
#include "items.h"
#include "unit.h"

#define KEYS 20
#define VALUES 70

static bool all_collide; /* hashes of items are all the same */

static uint64_t item_hash(const struct item *item, uint64_t seed)
{
    return all_collide ? 7 : cm_hash_u64(item->own, seed);
}

static bool item_equal(const struct item *a, const struct item *b)
{
    return *a->own == *b->own;
}

CM_LEFTRIGHT_MULTIMAP(nums, uint64_t, uint32_t, cm_hash_u64, cm_equal_u64, cm_hash_u32, cm_equal_u32)
CM_LEFTRIGHT_MULTIMAP_DECLARE(words, cm_str, uint64_t)
CM_LEFTRIGHT_MULTIMAP_DEFINE(words, cm_str, uint64_t, cm_hash_str, cm_equal_str, cm_hash_u64, cm_equal_u64)
CM_LEFTRIGHT_MULTIMAP_OWNED(items, uint64_t, struct item, cm_hash_u64, cm_equal_u64, item_hash, item_equal, CM_PLAIN,
                            CM_OWNED(item_clone, item_destroy))

static nums map;
static nums_writer writer;
static nums_reader reader;

static void begin(void)
{
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    assert_int_equal(nums_writer_open(&map, &writer), CM_OK);
    assert_int_equal(nums_reader_open(&map, &reader), CM_OK);
}

static void end(void)
{
    const char *reason = NULL;
    assert_int_equal(nums_publish(&writer), CM_OK);
    assert_int_equal(nums_begin(&writer), CM_OK);
    assert_int_equal(nums_check(&map, &reason), CM_OK);
    nums_destroy(&map);
}

/* The values that the key has for readers, as one number: 123 for 1, 2, 3; 0: none; UINT64_MAX: there is no key. */
static uint64_t digits(uint64_t key)
{
    uint64_t all = UINT64_MAX;
    CM_WITH_VIEW (nums, &reader, view) {
        size_t count = 0;
        const uint32_t *values = nums_view_get(view, key, &count);
        all = values ? 0 : UINT64_MAX;
        for (size_t i = 0; i < count; i++)
            all = 10 * all + values[i];
    }
    return all;
}

static void insert_all(uint64_t key, uint64_t all)
{
    if (all >= 10)
        insert_all(key, all / 10);
    assert_int_equal(nums_insert(&writer, key, (uint32_t)(all % 10)), CM_OK);
}

/* ---- promises ---- */

static void values_are_seen_when_published_in_their_order(void **state)
{
    (void)state;
    begin();
    insert_all(1, 1232);
    insert_all(2, 7);
    assert_true(digits(1) == UINT64_MAX);
    assert_int_equal(nums_publish(&writer), CM_OK);
    assert_int_equal(digits(1), 1232);
    assert_int_equal(digits(2), 7);
    insert_all(1, 4);
    assert_int_equal(digits(1), 1232);
    assert_int_equal(nums_publish(&writer), CM_OK);
    assert_int_equal(digits(1), 12324);
    CM_WITH_VIEW (nums, &reader, view) {
        assert_int_equal(nums_view_len(view), 2);
        assert_true(nums_view_contains(view, 2));
        assert_false(nums_view_contains(view, 3));
        assert_int_equal(*nums_view_get_one(view, 1), 1);
        assert_null(nums_view_get_one(view, 3));
        assert_true(nums_view_contains_value(view, 1, 3));
        assert_false(nums_view_contains_value(view, 1, 5));
        assert_false(nums_view_contains_value(view, 3, 3));
        size_t seen = 0;
        CM_FOREACH (nums_view, view, it)
            seen += it.count + (size_t)*it.key;
        assert_int_equal(seen, 5 + 1 + 1 + 2);
    }
    end();
}

static void equal_values_are_several(void **state)
{
    (void)state;
    begin();
    insert_all(1, 5554);
    assert_int_equal(nums_remove_value(&writer, 1, 5), CM_OK); /* the last one fills the gap */
    nums_publish(&writer);
    assert_int_equal(digits(1), 455);
    assert_int_equal(nums_remove_value(&writer, 1, 5), CM_OK);
    assert_int_equal(nums_remove_value(&writer, 1, 5), CM_OK);
    assert_int_equal(nums_remove_value(&writer, 1, 5), CM_ABSENT);
    assert_int_equal(nums_remove_value(&writer, 9, 5), CM_ABSENT);
    nums_publish(&writer);
    assert_int_equal(digits(1), 4);
    for (int i = 0; i < 5000; i++) /* of a hundred thousand it would be felt if they were looked at one by one */
        insert_all(2, 6);
    insert_all(2, 7);
    nums_publish(&writer);
    assert_true(nums_writer_contains_value(&writer, 2, 7));
    for (int i = 0; i < 5000; i++)
        assert_int_equal(nums_remove_value(&writer, 2, 6), CM_OK);
    nums_publish(&writer);
    assert_int_equal(digits(2), 7);
    end();
}

static void a_key_stays_until_it_is_removed(void **state)
{
    (void)state;
    size_t count = 9;
    begin();
    insert_all(1, 1);
    insert_all(2, 1234);
    insert_all(3, 1234);
    assert_int_equal(nums_remove_value(&writer, 1, 1), CM_OK);
    assert_int_equal(nums_clear_entry(&writer, 2), CM_OK);
    assert_int_equal(nums_remove_entry(&writer, 3), CM_OK);
    assert_int_equal(nums_remove_entry(&writer, 3), CM_ABSENT);
    assert_int_equal(nums_clear_entry(&writer, 3), CM_ABSENT);
    nums_publish(&writer);
    assert_int_equal(digits(1), 0);
    assert_int_equal(digits(2), 0);
    assert_true(digits(3) == UINT64_MAX);
    assert_int_equal(nums_writer_len(&writer), 2);
    assert_int_equal(nums_writer_count(&writer, 1, &count), CM_OK);
    assert_int_equal(count, 0);
    assert_int_equal(nums_writer_count(&writer, 3, &count), CM_ABSENT);
    insert_all(1, 8);
    insert_all(2, 89);
    nums_publish(&writer);
    assert_int_equal(digits(1), 8);
    assert_int_equal(digits(2), 89);
    assert_int_equal(nums_purge(&writer), CM_OK);
    assert_int_equal(nums_writer_len(&writer), 0);
    nums_publish(&writer);
    assert_true(digits(1) == UINT64_MAX);
    end();
}

static void update_leaves_one_value(void **state)
{
    (void)state;
    uint32_t value = 0;
    begin();
    assert_int_equal(nums_update(&writer, 1, 3), CM_OK);
    insert_all(1, 4567);
    assert_int_equal(nums_update(&writer, 1, 9), CM_REPLACED);
    assert_int_equal(nums_writer_get_one(&writer, 1, &value), CM_OK);
    assert_int_equal(value, 9);
    nums_publish(&writer);
    assert_int_equal(digits(1), 9);
    assert_true(nums_get_one(&reader, 1, &value) && value == 9);
    assert_false(nums_get_one(&reader, 2, &value));
    assert_true(nums_contains_value(&reader, 1, 9));
    assert_false(nums_contains_value(&reader, 1, 3));
    insert_all(1, 1);
    nums_publish(&writer);
    assert_int_equal(digits(1), 91);
    end();
}

static void a_view_is_a_snapshot_with_its_meta(void **state)
{
    (void)state;
    size_t count = 0;
    begin();
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(nums_insert(&writer, 1, i), CM_OK);
    nums_set_meta(&writer, 1);
    nums_publish(&writer);
    const nums_view *view = nums_enter(&reader);
    const uint32_t *values = nums_view_get(view, 1, &count);
    for (uint32_t i = 0; i < 100; i++) {
        assert_int_equal(nums_remove_value(&writer, 1, i), CM_OK);
        assert_int_equal(nums_insert(&writer, 2, i), CM_OK);
    }
    nums_set_meta(&writer, 2);
    nums_publish(&writer);
    assert_int_equal(count, 100);
    for (uint32_t i = 0; i < 100; i++)
        assert_true(values[i] == i && nums_view_contains_value(view, 1, i));
    assert_int_equal(nums_view_meta(view), 1);
    assert_int_equal(nums_view_len(view), 1);
    assert_int_equal(nums_insert(&writer, 3, 3), CM_DEADLOCK); /* it would wait for its own view */
    nums_leave(&reader);
    assert_int_equal(nums_insert(&writer, 3, 3), CM_OK);
    end();
}

static void rooms_are_made_ahead_and_fitted(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    assert_int_equal(nums_init(&map, &(cm_config){.allocator = &memory.allocator, .capacity = 8}), CM_OK);
    assert_int_equal(nums_writer_open(&map, &writer), CM_OK);
    assert_int_equal(nums_reader_open(&map, &reader), CM_OK);
    assert_int_equal(nums_reserve_values(&writer, 1, 10), CM_ABSENT);
    assert_int_equal(nums_fit(&writer, 1), CM_ABSENT);
    insert_all(1, 1);
    insert_all(2, 1);
    assert_int_equal(nums_reserve_values(&writer, 1, SIZE_MAX), CM_FULL);
    assert_int_equal(nums_reserve_values(&writer, 1, 100), CM_OK);
    size_t before = memory.requests;
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(nums_insert(&writer, 1, i), CM_OK);
    assert_true(memory.requests - before <= 1); /* the log's */
    nums_publish(&writer);
    size_t large = nums_memory(&writer).nodes;
    for (uint32_t i = 0; i < 98; i++)
        assert_int_equal(nums_remove_value(&writer, 1, i), CM_OK);
    assert_int_equal(nums_memory(&writer).nodes, large);
    assert_int_equal(nums_fit(&writer, 1), CM_OK);
    assert_int_equal(nums_publish(&writer), CM_OK);
    assert_int_equal(nums_begin(&writer), CM_OK);
    size_t fitted = nums_memory(&writer).nodes;
    assert_true(fitted > 0 && fitted < large / 4);
    assert_int_equal(nums_update(&writer, 1, 1), CM_REPLACED);
    insert_all(2, 23);
    assert_int_equal(nums_remove_value(&writer, 2, 1), CM_OK);
    assert_int_equal(nums_remove_value(&writer, 2, 2), CM_OK);
    assert_int_equal(nums_fit_all(&writer), CM_OK);
    assert_int_equal(nums_publish(&writer), CM_OK);
    assert_int_equal(nums_begin(&writer), CM_OK);
    assert_int_equal(nums_memory(&writer).nodes, 0);
    assert_int_equal(digits(1), 1);
    assert_int_equal(digits(2), 3);
    end();
    assert_int_equal(memory.live_blocks, 0);
    assert_int_equal(memory.mistakes, 0);
}

struct told {
    size_t keys, values, most;
    uint64_t sum;
};

static cm_status tell(const uint64_t *key, const uint32_t *values, size_t count, void *context)
{
    struct told *told = context;
    if (told->keys == told->most)
        return CM_BUSY;
    assert_int_equal(nums_insert(&writer, 1, 1), CM_DEADLOCK);
    told->keys++;
    told->values += count;
    told->sum += *key;
    for (size_t i = 0; i < count; i++)
        assert_int_equal(values[i], *key);
    return CM_OK;
}

static void remove_random_removes_what_it_tells(void **state)
{
    (void)state;
    struct told told = {.most = SIZE_MAX};
    uint64_t sum = 0;
    begin();
    for (uint64_t key = 0; key < 1000; key++) {
        for (uint64_t i = 0; i <= key % 3; i++)
            assert_int_equal(nums_insert(&writer, key, (uint32_t)key), CM_OK);
        sum += key;
    }
    nums_publish(&writer);
    for (size_t round = 1; round < 100; round++) { /* in the end the table is all but empty */
        assert_int_equal(nums_remove_random(&writer, 10, round, tell, &told), CM_OK);
        assert_int_equal(told.keys, 10 * round);
        assert_int_equal(nums_writer_len(&writer), 1000 - 10 * round);
    }
    nums_publish(&writer);
    CM_WITH_VIEW (nums, &reader, view) {
        assert_int_equal(nums_view_len(view), 10);
        CM_FOREACH (nums_view, view, it) {
            assert_int_equal(it.count, *it.key % 3 + 1);
            told.sum += *it.key;
        }
    }
    assert_int_equal(told.sum, sum);
    told.most = told.keys + 3;
    assert_int_equal(nums_remove_random(&writer, 5, 0, tell, &told), CM_BUSY); /* what `tell` says ends it */
    assert_int_equal(nums_writer_len(&writer), 7);
    told.most = SIZE_MAX;
    assert_int_equal(nums_remove_random(&writer, SIZE_MAX, 0, tell, &told), CM_OK);
    assert_int_equal(nums_writer_len(&writer), 0);
    assert_int_equal(told.keys, 1000);
    assert_int_equal(nums_remove_random(&writer, 1, 0, tell, &told), CM_OK);
    assert_int_equal(told.keys, 1000);
    end();
}

#define CHOICES 28000

static cm_status note_key(const uint64_t *key, const uint32_t *values, size_t count, void *context)
{
    (void)values, (void)count;
    *(unsigned *)context |= 1u << *key;
    return CM_OK;
}

/* Each key is as likely as another, and each pair; also where hardly a slot of the table is taken (`entries`). */
static void removals_are_fair(size_t entries)
{
    unsigned singles[8] = {0}, pairs[1 << 8] = {0};
    begin();
    assert_int_equal(nums_reserve(&writer, entries), CM_OK);
    for (uint64_t seed = 1; seed <= CHOICES; seed++) {
        unsigned removed = 0;
        for (uint64_t key = 0; key < 8; key++)
            assert_true(nums_update(&writer, key, (uint32_t)key) >= 0);
        assert_int_equal(nums_remove_random(&writer, 2, seed, note_key, &removed), CM_OK);
        assert_int_equal(__builtin_popcount(removed), 2);
        pairs[removed]++;
        for (size_t key = 0; key < 8; key++)
            singles[key] += removed >> key & 1;
    }
    for (size_t key = 0; key < 8; key++)
        assert_in_range(singles[key], 7000 - 435, 7000 + 435); /* six times the deviation */
    for (size_t pair = 0; pair < 1 << 8; pair++)
        if (pairs[pair])
            assert_in_range(pairs[pair], 1000 - 187, 1000 + 187); /* likewise; of 28 pairs */
    end();
}

static void remove_random_is_fair(void **state)
{
    (void)state;
    removals_are_fair(8);
    removals_are_fair(2000);
}

/* R7. */
static void taken_values_outlive_the_map(void **state)
{
    (void)state;
    items all;
    items_writer write;
    items_taken first, second;
    struct item one = item_of(1), two = item_of(2), sought = item_of(1);
    assert_int_equal(items_init(&all, NULL), CM_OK);
    assert_int_equal(items_writer_open(&all, &write), CM_OK);
    assert_int_equal(items_insert(&write, 1, one), CM_OK);
    assert_int_equal(items_insert(&write, 1, two), CM_OK);
    items_publish(&write);
    assert_int_equal(items_take_value(&write, 1, sought, &first), CM_OK);
    assert_ptr_equal(first.value.own, one.own);
    assert_int_equal(items_take_value(&write, 1, sought, &second), CM_ABSENT);
    *sought.own = 2;
    assert_int_equal(items_take_value(&write, 1, sought, &second), CM_OK);
    items_publish(&write);
    assert_int_equal(items_give_back(&write, &first), CM_OK);
    assert_int_equal(items_give_back(&write, &first), CM_INVALID);
    items_publish(&write);
    items_destroy(&all);
    assert_int_equal(alive, 2);
    assert_int_equal(*second.value.own, 2);
    assert_int_equal(items_give_back(NULL, &second), CM_OK);
    item_destroy(&sought, NULL);
    assert_int_equal(alive, 0);
}

/* ---- a model ---- */

static struct model {
    bool has[KEYS];
    unsigned counts[KEYS][VALUES];
} now, published;

static items all;
static items_writer write_all;
static items_reader read_all;

static void view_is_published(const items_view *view, const struct model *model)
{
    struct item sought = item_of(0);
    size_t len = 0;
    for (uint64_t key = 0; key < KEYS; key++) {
        unsigned counts[VALUES] = {0};
        size_t count = 0, sum = 0;
        const struct item *values = items_view_get(view, key, &count);
        assert_int_equal(values != NULL, model->has[key]);
        for (size_t i = 0; i < count; i++)
            counts[*values[i].own]++;
        for (uint64_t value = 0; value < VALUES; value++) {
            *sought.own = value;
            assert_int_equal(counts[value], model->counts[key][value]);
            assert_int_equal(items_view_contains_value(view, key, sought), counts[value] != 0);
            sum += counts[value];
        }
        assert_int_equal(sum, count);
        len += values != NULL;
    }
    assert_int_equal(items_view_len(view), len);
    CM_FOREACH (items_view, view, it)
        assert_true(model->has[*it.key]);
    item_destroy(&sought, NULL);
}

static size_t model_count(uint64_t key)
{
    size_t count = 0;
    for (size_t value = 0; value < VALUES; value++)
        count += now.counts[key][value];
    return count;
}

static void model_clear(uint64_t key, bool has)
{
    memset(now.counts[key], 0, sizeof now.counts[key]);
    now.has[key] = has;
}

/* What is asked of it the second time it would answer otherwise (R4). */
static cm_status keep_some(const uint64_t *key, const struct item *item, void *context)
{
    if (crew_random(context) % 4 != 0)
        return CM_OK;
    now.counts[*key][*item->own]--;
    return CM_ABSENT;
}

static struct sift {
    uint64_t key, *random;
} sift;

static cm_status keep_some_values(const struct item *item, void *context)
{
    const struct sift *self = context;
    return keep_some(&self->key, item, self->random);
}

static cm_status forget(const uint64_t *key, const struct item *values, size_t count, void *context)
{
    (void)context;
    unsigned counts[VALUES] = {0};
    for (size_t i = 0; i < count; i++)
        counts[*values[i].own]++;
    assert_memory_equal(counts, now.counts[*key], sizeof counts);
    model_clear(*key, false);
    return CM_OK;
}

static void change_values(uint64_t *random, uint64_t key, uint64_t number, unsigned what)
{
    struct item value = item_of(number);
    unsigned *count = &now.counts[key][number];
    items_taken taken;
    switch (what) {
    case 0:
        assert_int_equal(items_update(&write_all, key, value), now.has[key] ? CM_REPLACED : CM_OK);
        model_clear(key, true);
        *count = 1;
        return;
    case 1:
    case 2:
    case 3:
        assert_int_equal(items_remove_value(&write_all, key, value), *count ? CM_OK : CM_ABSENT);
        *count -= *count != 0;
        break;
    case 4:
        assert_int_equal(items_take_value(&write_all, key, value, &taken), *count ? CM_OK : CM_ABSENT);
        if (*count) {
            assert_int_equal(*taken.value.own, number);
            assert_int_equal(items_give_back(&write_all, &taken), CM_OK);
        }
        *count -= *count != 0;
        break;
    default:
        for (uint64_t more = crew_random(random) % 4; more > 0; more--, ++*count)
            assert_int_equal(items_insert(&write_all, key, item_of(number)), CM_OK);
        assert_int_equal(items_insert(&write_all, key, value), CM_OK);
        now.has[key] = true;
        ++*count;
        return;
    }
    item_destroy(&value, NULL);
}

static void change_key(uint64_t *random, uint64_t key, unsigned what)
{
    cm_status there = now.has[key] ? CM_OK : CM_ABSENT;
    size_t count;
    switch (what) {
    case 0:
        assert_int_equal(items_remove_entry(&write_all, key), there);
        model_clear(key, false);
        break;
    case 1:
        assert_int_equal(items_clear_entry(&write_all, key), there);
        model_clear(key, now.has[key]);
        break;
    case 2:
        assert_int_equal(items_fit(&write_all, key), there);
        break;
    case 3:
        assert_int_equal(items_reserve_values(&write_all, key, crew_random(random) % 100), there);
        break;
    case 4:
        sift = (struct sift){key, random};
        assert_int_equal(items_retain_values(&write_all, key, keep_some_values, &sift), there);
        break;
    default:
        assert_int_equal(items_writer_count(&write_all, key, &count), there);
        assert_int_equal(count, model_count(key));
    }
}

static void change_all(uint64_t *random, unsigned what)
{
    switch (what) {
    case 0:
        if (crew_random(random) % 8 == 0) {
            assert_int_equal(items_purge(&write_all), CM_OK);
            memset(&now, 0, sizeof now);
        }
        break;
    case 1:
        assert_int_equal(items_fit_all(&write_all), CM_OK);
        break;
    case 2:
        assert_int_equal(items_reserve(&write_all, crew_random(random) % (2 * KEYS)), CM_OK);
        break;
    case 3:
        assert_int_equal(items_retain(&write_all, keep_some, random), CM_OK);
        break;
    default:
        assert_int_equal(items_remove_random(&write_all, crew_random(random) % 4, crew_random(random), forget, NULL),
                         CM_OK);
    }
}

static void publish_and_look(void)
{
    const char *reason = NULL;
    CM_WITH_VIEW (items, &read_all, view)
        view_is_published(view, &published);
    assert_int_equal(items_publish(&write_all), CM_OK);
    published = now;
    CM_WITH_VIEW (items, &read_all, view)
        view_is_published(view, &published);
    assert_int_equal(items_begin(&write_all), CM_OK);
    assert_int_equal(items_check(&all, &reason), CM_OK);
}

static void do_what_the_model_does(uint64_t random)
{
    alive = 0;
    memset(&now, 0, sizeof now);
    memset(&published, 0, sizeof published);
    assert_int_equal(items_init(&all, NULL), CM_OK);
    assert_int_equal(items_writer_open(&all, &write_all), CM_OK);
    assert_int_equal(items_reader_open(&all, &read_all), CM_OK);
    for (size_t step = crew_scale(40000); step > 0; step--) {
        uint64_t key = crew_random(&random) % KEYS;
        uint64_t number = crew_random(&random) % (key % 2 ? VALUES : 3); /* of some keys, many are equal */
        unsigned what = (unsigned)(crew_random(&random) % 64);
        if (what < 2)
            publish_and_look();
        else if (what == 2)
            change_all(&random, (unsigned)(crew_random(&random) % 5));
        else if (what < 8)
            change_key(&random, key, (unsigned)(crew_random(&random) % 12));
        else
            change_values(&random, key, number, crew_random(&random) % 64 ? 1 + what % 9 : 0);
    }
    publish_and_look();
    items_destroy(&all);
    assert_int_equal(alive, 0); /* rule 21 */
}

/* R4, E9; rules 21 and 23. */
static void it_does_what_its_model_does(void **state)
{
    (void)state;
    do_what_the_model_does(crew_seed("multimap"));
}

/* G4. */
static void it_does_so_where_all_values_collide(void **state)
{
    (void)state;
    all_collide = true;
    do_what_the_model_does(crew_seed("multimap, colliding"));
    all_collide = false;
}

/* ---- threads ---- */

#define WINDOW 40 /* values that each key has, of the newest versions */
#define RACE_KEYS 3

struct race {
    items map;
    items_writer writer;
    uint64_t versions;
    bool done;
};

static size_t race_write(struct race *race)
{
    size_t wrong = 0;
    for (uint64_t version = 1; version <= race->versions; version++) {
        struct item old = item_of(version - WINDOW);
        for (uint64_t key = 0; key < RACE_KEYS; key++) {
            wrong += items_insert(&race->writer, key, item_of(version)) != CM_OK;
            if (version > WINDOW)
                wrong += items_remove_value(&race->writer, key, old) != CM_OK;
            if (version % 16 == key)
                wrong += items_fit(&race->writer, key) != CM_OK;
        }
        item_destroy(&old, NULL);
        wrong += items_set_meta(&race->writer, version) != CM_OK;
        wrong += items_publish(&race->writer) != CM_OK;
    }
    __atomic_store_n(&race->done, true, __ATOMIC_RELAXED);
    return wrong;
}

static size_t view_is_wrong(const items_view *view)
{
    uint64_t version = items_view_meta(view), length = version < WINDOW ? version : WINDOW;
    struct item sought = item_of(version), gone = item_of(version - WINDOW);
    size_t wrong = items_view_len(view) != (version ? RACE_KEYS : 0);
    for (uint64_t key = 0; version && key < RACE_KEYS; key++) {
        size_t count = 0;
        uint64_t sum = 0;
        const struct item *values = items_view_get(view, key, &count);
        for (size_t i = 0; i < count; i++)
            sum += *values[i].own;
        wrong += count != length || sum != length * version - length * (length - 1) / 2;
        wrong += !items_view_contains_value(view, key, sought) || items_view_contains_value(view, key, gone);
    }
    item_destroy(&sought, NULL);
    item_destroy(&gone, NULL);
    return wrong;
}

static size_t race_run(void *context, unsigned i)
{
    struct race *race = context;
    items_reader own;
    size_t wrong = 0;
    if (i == 0)
        return race_write(race);
    if (items_reader_open(&race->map, &own) != CM_OK)
        return 1;
    do {
        CM_WITH_VIEW (items, &own, view)
            wrong += view_is_wrong(view);
    } while (!__atomic_load_n(&race->done, __ATOMIC_RELAXED));
    return wrong + (items_reader_close(&own) != CM_OK);
}

static void views_are_whole_while_a_writer_publishes(void **state)
{
    (void)state;
    static struct race race;
    alive = 0;
    race = (struct race){.versions = crew_scale(5000)};
    assert_int_equal(items_init(&race.map, NULL), CM_OK);
    assert_int_equal(items_writer_open(&race.map, &race.writer), CM_OK);
    assert_int_equal(crew_run(3, race_run, &race), 0);
    items_destroy(&race.map);
    assert_int_equal(alive, 0);
}

/* ---- memory ---- */

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
static void the_nth_allocation_may_fail(void **state)
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
        cmocka_unit_test(values_are_seen_when_published_in_their_order),
        cmocka_unit_test(equal_values_are_several),
        cmocka_unit_test(a_key_stays_until_it_is_removed),
        cmocka_unit_test(update_leaves_one_value),
        cmocka_unit_test(a_view_is_a_snapshot_with_its_meta),
        cmocka_unit_test(rooms_are_made_ahead_and_fitted),
        cmocka_unit_test(remove_random_removes_what_it_tells),
        cmocka_unit_test(remove_random_is_fair),
        cmocka_unit_test(taken_values_outlive_the_map),
        cmocka_unit_test(it_does_what_its_model_does),
        cmocka_unit_test(it_does_so_where_all_values_collide),
        cmocka_unit_test(views_are_whole_while_a_writer_publishes),
        cmocka_unit_test(the_nth_allocation_may_fail),
        cmocka_unit_test(replay_needs_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
