/* The left-right multimap: against a model, and under threads. */
#include <stdlib.h>

#include "crew.h"
#include "multimap_items.h"
#include "unit.h"

#define KEYS 20
#define VALUES 70

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_does_what_its_model_does),
        cmocka_unit_test(it_does_so_where_all_values_collide),
        cmocka_unit_test(views_are_whole_while_a_writer_publishes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
