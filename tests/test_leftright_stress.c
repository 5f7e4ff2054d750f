/* The left-right map against a model, under threads, without memory, and without membarrier. */
#include <concmap/leftright.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "crew.h"
#include "failing_allocator.h"
#include "items.h"
#include "leftright_modes.h"
#include "process.h"
#include "unit.h"

#define KEYS 300

CM_LEFTRIGHT_MAP_OWNED(items, uint64_t, struct item, cm_hash_u64, cm_equal_u64, CM_PLAIN,
                       CM_OWNED(item_clone, item_destroy))
CM_LEFTRIGHT_MAP(texts, cm_str, uint64_t, cm_hash_str, cm_equal_str)

/* ---- a model ---- */

static struct model {
    uint64_t values[KEYS]; /* 0: absent */
} now, published;

static items map;
static items_writer writer;
static items_reader reader;

static void view_is_published(const items_view *view, const struct model *model)
{
    size_t len = 0;
    for (uint64_t key = 0; key < KEYS; key++) {
        const struct item *item = items_view_get(view, key);
        assert_int_equal(item ? *item->own : 0, model->values[key]);
        len += item != NULL;
    }
    assert_int_equal(items_view_len(view), len);
    CM_FOREACH (items_view, view, it)
        assert_int_equal(*it.value->own, model->values[*it.key]);
}

static cm_status count_up(struct item *item, void *context)
{
    ++*item->own;
    return (cm_status)(*(uint64_t *)context % 4 == 0 ? CM_FULL : CM_OK);
}

static cm_status keep_some(const uint64_t *key, const struct item *item, void *context)
{
    bool keep = crew_random(context) % 4 != 0;
    if (!keep)
        now.values[*key] = 0;
    return *item->own && keep ? CM_OK : CM_ABSENT;
}

static void change_one(uint64_t *random)
{
    uint64_t key = crew_random(random) % KEYS, number = crew_random(random) % 1000 + 1, *value = &now.values[key];
    items_taken taken;
    switch (crew_random(random) % 24) {
    case 0:
        if (crew_random(random) % 8 == 0) {
            assert_int_equal(items_clear(&writer), CM_OK);
            memset(&now, 0, sizeof now);
        }
        break;
    case 1:
        assert_int_equal(items_shrink_to_fit(&writer), CM_OK);
        break;
    case 2:
        assert_int_equal(items_reserve(&writer, crew_random(random) % (2 * KEYS)), CM_OK);
        break;
    case 3:
        if (crew_random(random) % 4 == 0)
            assert_int_equal(items_retain(&writer, keep_some, random), CM_OK);
        break;
    case 4:
        if (items_take(&writer, key, &taken) == CM_OK) {
            assert_int_equal(*taken.value.own, *value);
            assert_int_equal(items_give_back(&writer, &taken), CM_OK);
            *value = 0;
        }
        break;
    case 5:
    case 6:
    case 7: {
        cm_status status = items_update(&writer, key, count_up, random);
        assert_true(*value ? status == CM_OK || status == CM_FULL : status == CM_ABSENT);
        *value += status == CM_OK;
        break;
    }
    case 8:
    case 9:
    case 10:
    case 11:
    case 12:
        assert_int_equal(items_remove(&writer, key, NULL), *value ? CM_OK : CM_ABSENT);
        *value = 0;
        break;
    case 13:
    case 14:
        assert_int_equal(items_insert(&writer, key, item_of(number)), *value ? CM_EXISTS : CM_OK);
        *value = *value ? *value : number;
        break;
    case 15:
        assert_int_equal(items_replace(&writer, key, item_of(number), NULL), *value ? CM_REPLACED : CM_ABSENT);
        *value = *value ? number : 0;
        break;
    default:
        assert_int_equal(items_put(&writer, key, item_of(number), NULL), *value ? CM_REPLACED : CM_OK);
        *value = number;
    }
}

static void it_does_what_its_model_does(void **state)
{
    (void)state;
    uint64_t random = crew_seed("model");
    const char *reason = "";
    const items_view *view = NULL;
    struct model seen = {{0}};
    alive = 0;
    memset(&now, 0, sizeof now);
    memset(&published, 0, sizeof published);
    assert_int_equal(items_init(&map, NULL), CM_OK);
    assert_int_equal(items_writer_open(&map, &writer), CM_OK);
    assert_int_equal(items_reader_open(&map, &reader), CM_OK);
    for (size_t batch = 0; batch < crew_scale(3000); batch++) {
        for (uint64_t n = crew_random(&random) % 40; n > 0; n--)
            change_one(&random);
        if (!view && crew_random(&random) % 2) { /* held over a publication */
            view = items_enter(&reader);
            seen = published;
        }
        assert_int_equal(items_publish(&writer), CM_OK);
        published = now;
        if (view) {
            view_is_published(view, &seen);
            items_leave(&reader);
            view = NULL;
        }
        CM_WITH_VIEW (items, &reader, last)
            view_is_published(last, &published);
        if (crew_random(&random) % 2) {
            assert_int_equal(items_begin(&writer), CM_OK);
            if (items_check(&map, &reason) != CM_OK)
                fail_msg("%s", reason);
            assert_int_equal(alive, items_writer_len(&writer)); /* what was removed is gone, and nothing else */
        }
    }
    items_destroy(&map);
    assert_int_equal(alive, 0);
}

/* ---- snapshots ---- */

struct race {
    items map;
    items_writer writer;
    uint64_t versions;
    uint32_t done;
};

/* All keys have the version that the meta value tells; how many keys there are depends on it, too. */
static size_t keys_of(uint64_t version)
{
    return 10 + version % 50;
}

static size_t version_publish(struct race *race, uint64_t version)
{
    size_t wrong = 0;
    for (uint64_t key = 0; key < 60; key++) {
        if (key < keys_of(version))
            wrong += items_put(&race->writer, key, item_of(version), NULL) < 0;
        else
            wrong += items_remove(&race->writer, key, NULL) < 0;
    }
    wrong += items_set_meta(&race->writer, version) != CM_OK;
    return wrong + (items_publish(&race->writer) != CM_OK);
}

static size_t view_agrees(const items_view *view, uint64_t *random)
{
    uint64_t version = items_view_meta(view);
    uint64_t key = crew_random(random) % 60, other = crew_random(random) % 60;
    const struct item *a = items_view_get(view, key), *b = items_view_get(view, other);
    if (version == 0)
        return a || b;
    size_t wrong = (a != NULL) != (key < keys_of(version)) || (b != NULL) != (other < keys_of(version));
    wrong += a && *a->own != version;
    wrong += b && *b->own != version;
    return wrong + (items_view_len(view) != keys_of(version));
}

static size_t race_run(void *context, unsigned thread)
{
    struct race *race = context;
    size_t wrong = 0;
    uint64_t random = 77 + thread, last = 0;
    items_reader own;
    if (thread == 0) {
        for (uint64_t version = 1; version <= race->versions; version++)
            wrong += version_publish(race, version);
        __atomic_store_n(&race->done, 1, __ATOMIC_RELEASE);
        return wrong;
    }
    wrong += items_reader_open(&race->map, &own) != CM_OK;
    while (!__atomic_load_n(&race->done, __ATOMIC_ACQUIRE)) {
        const items_view *view = items_enter(&own);
        wrong += view_agrees(view, &random) + (items_view_meta(view) < last);
        last = items_view_meta(view);
        struct item copy;
        if (thread == 2 && items_get(&own, 1, &copy)) { /* nested */
            wrong += *copy.own != last;
            item_destroy(&copy, NULL);
        }
        items_leave(&own);
        if (crew_random(&random) % 256 == 0) /* readers come and go */
            wrong += items_reader_close(&own) != CM_OK || items_reader_open(&race->map, &own) != CM_OK;
    }
    return wrong + (items_reader_close(&own) != CM_OK);
}

static size_t race_all(uint64_t versions)
{
    static struct race race;
    alive = 0;
    race = (struct race){.versions = versions};
    if (items_init(&race.map, NULL) != CM_OK || items_writer_open(&race.map, &race.writer) != CM_OK)
        return 1;
    size_t wrong = crew_run(3, race_run, &race);
    items_destroy(&race.map);
    return wrong + (alive != 0);
}

/* Rules 21 and 22; R5 and E5. Publications come thick, so readers come to fence for themselves. */
static void gets_of_one_view_agree_with_each_other_and_the_meta(void **state)
{
    (void)state;
    assert_int_equal(race_all(crew_scale(20000)), 0);
}

/* ---- modes ---- */

static bool mode_is_fences(void)
{
    return (cm_load_relaxed_(&map.core->word) & CM_FENCING_) != 0;
}

static void readers_fence_while_publications_come_thick(void **state)
{
    (void)state;
    assert_int_equal(items_init(&map, NULL), CM_OK);
    assert_int_equal(items_writer_open(&map, &writer), CM_OK);
    assert_int_equal(items_reader_open(&map, &reader), CM_OK);
    if (map.core->word & CM_NO_BARRIER_) {
        items_destroy(&map);
        return;
    }
    assert_true(mode_is_fences()); /* so a map begins */
    unfence(map.core);
    bool thick = false;
    for (uint64_t i = 0; i < 100000 && !thick; i++) {
        assert_int_equal(items_begin(&writer), CM_OK);
        assert_int_equal(items_publish(&writer), CM_OK);
        thick = mode_is_fences();
    }
    assert_true(thick);
    for (uint64_t i = 0; i < 100; i++) { /* now the barrier is a fence of the writer's */
        assert_int_equal(items_begin(&writer), CM_OK);
        assert_int_equal(items_publish(&writer), CM_OK);
        assert_non_null(items_enter(&reader));
        items_leave(&reader);
    }
    for (int i = 0; i < 100 && mode_is_fences(); i++) { /* publications have ceased; readers find out */
        usleep(20000);
        for (int k = 0; k < 5000; k++) {
            assert_non_null(items_enter(&reader));
            items_leave(&reader);
        }
    }
    assert_false(mode_is_fences());
    assert_int_equal(items_put(&writer, 1, item_of(1), NULL), CM_OK);
    assert_int_equal(items_publish(&writer), CM_OK);
    items_destroy(&map);
}

/* ---- memory ---- */

/* Each step is tried again where it failed for lack of memory; then nothing of it may have been done. */
static void all_steps(struct failing_allocator *memory, size_t n)
{
    texts words;
    texts_writer write;
    texts_reader read;
    uint64_t value;
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
    TRIED(texts_init(&words, &config), true);
    TRIED(texts_writer_open(&words, &write), true);
    TRIED(texts_reader_open(&words, &read), true);
    for (uint64_t batch = 0; batch < 3; batch++) {
        for (uint64_t i = 0; i < 120; i++) {
            snprintf(word, sizeof word, "key %llu", (unsigned long long)i);
            TRIED(texts_put(&write, cm_str_of(word), i + batch, NULL), status_ == (batch ? CM_REPLACED : CM_OK));
            assert_int_equal(texts_writer_len(&write), batch ? 120 : i + 1);
        }
        texts_publish(&write);
    }
    for (uint64_t i = 20; i < 120; i++) {
        snprintf(word, sizeof word, "key %llu", (unsigned long long)i);
        TRIED(texts_remove(&write, cm_str_of(word), &value), status_ == CM_OK && value == i + 2);
    }
    TRIED(texts_shrink_to_fit(&write), true);
    TRIED(texts_reserve(&write, 500), true);
    texts_publish(&write);
    TRIED(texts_begin(&write), true);
    cm_status checked = texts_check(&words, NULL);
    assert_true(checked == CM_OK || checked == CM_NOMEM);
    assert_true(texts_get(&read, cm_str_of("key 7"), &value) && value == 9);
    assert_int_equal(texts_writer_len(&write), 20);
    TRIED(texts_clear(&write), true);
    texts_destroy(&words);
}

/* M1, and rule 23. */
static void m1_the_nth_allocation_may_fail(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    for (size_t n = 1;; n++) {
        all_steps(&memory, n);
        assert_int_equal(memory.live_blocks, 0);
        assert_int_equal(memory.mistakes, 0);
        if (memory.failures == 0)
            break;
    }
}

/* Rule 23: where memory ends for good, what was changed is replayed all the same. */
static void replay_needs_no_memory(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    for (size_t n = 10; n < 60; n++) {
        texts words;
        texts_writer write;
        texts_reader read;
        char word[24];
        uint64_t done = 0;
        failing_allocator_restart(&memory);
        assert_int_equal(texts_init(&words, &(cm_config){.allocator = &memory.allocator}), CM_OK);
        assert_int_equal(texts_writer_open(&words, &write), CM_OK);
        assert_int_equal(texts_reader_open(&words, &read), CM_OK);
        memory.fail_after = 4 * n;
        for (; done < 10000; done++) {
            snprintf(word, sizeof word, "key %llu", (unsigned long long)done);
            if (texts_put(&write, cm_str_of(word), done, NULL) < 0)
                break;
        }
        memory.fail_all = true;
        for (int round = 0; round < 3; round++) {
            assert_int_equal(texts_publish(&write), CM_OK);
            CM_WITH_VIEW (texts, &read, view)
                assert_int_equal(texts_view_len(view), done);
            assert_int_equal(texts_begin(&write), CM_OK);
        }
        memory.fail_all = false;
        memory.fail_after = 0;
        assert_int_equal(texts_check(&words, NULL), CM_OK);
        texts_destroy(&words);
        assert_int_equal(memory.live_blocks, 0);
    }
}

/* ---- processes ---- */

static int use_and_destroy(void)
{
    uint64_t before = items_writer_len(&writer);
    bool fine = items_put(&writer, 1000, item_of(1000), NULL) == CM_OK && items_publish(&writer) == CM_OK &&
                items_begin(&writer) == CM_OK && items_writer_len(&writer) == before + 1;
    CM_WITH_VIEW (items, &reader, view)
        fine = fine && items_view_len(view) == before + 1;
    items_destroy(&map);
    return fine ? 0 : 1;
}

static void m4_a_child_uses_and_destroys_a_map(void **state)
{
    (void)state;
    assert_int_equal(items_init(&map, NULL), CM_OK);
    assert_int_equal(items_writer_open(&map, &writer), CM_OK);
    assert_int_equal(items_reader_open(&map, &reader), CM_OK);
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(items_put(&writer, i, item_of(i), NULL), CM_OK);
    assert_int_equal(items_publish(&writer), CM_OK);
    assert_int_equal(in_child(use_and_destroy), 0);
    assert_int_equal(use_and_destroy(), 0);
}

static int race_once(void)
{
    return race_all(crew_scale(5000)) == 0 ? 0 : 1;
}

static int race_without_membarrier(void)
{
    if (!refuse_membarrier())
        return PROCESS_SKIPPED;
    int late = race_once();
    return late ? late : in_child(race_once); /* whose child is told so when it begins */
}

/* The system takes the call away while the map is in use: a reader that knows nothing of it yet is waited for. */
static int lose_membarrier(void)
{
    items_reader idle;
    bool fine = items_init(&map, NULL) == CM_OK && items_writer_open(&map, &writer) == CM_OK &&
                items_reader_open(&map, &idle) == CM_OK && items_put(&writer, 1, item_of(1), NULL) == CM_OK &&
                items_publish(&writer) == CM_OK;
    if (fine && (map.core->word & CM_NO_BARRIER_)) /* there is nothing to lose */
        return 0;
    if (!fine || !refuse_membarrier())
        return fine ? PROCESS_SKIPPED : 1;
    unfence(map.core);
    fine = items_put(&writer, 1, item_of(1), NULL) == CM_REPLACED && items_publish(&writer) == CM_OK &&
           items_try_begin(&writer) == CM_BUSY;
    items_enter(&idle); /* now it knows */
    items_leave(&idle);
    fine = fine && items_reader_open(&map, &reader) == CM_OK; /* and so does this one */
    for (uint64_t i = 0; fine && i < 100; i++) {
        fine = items_put(&writer, i, item_of(i), NULL) >= 0 && items_publish(&writer) == CM_OK;
        CM_WITH_VIEW (items, &reader, view)
            fine = fine && *items_view_get(view, i)->own == i;
    }
    items_destroy(&map);
    return fine ? 0 : 2;
}

static void m3_fences_serve_where_membarrier_is_refused(void **state)
{
    (void)state;
    int lost = in_child(lose_membarrier), status = in_child(race_without_membarrier);
    if (lost == PROCESS_SKIPPED || status == PROCESS_SKIPPED)
        skip();
    assert_int_equal(lost, 0);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_does_what_its_model_does),
        cmocka_unit_test(gets_of_one_view_agree_with_each_other_and_the_meta),
        cmocka_unit_test(readers_fence_while_publications_come_thick),
        cmocka_unit_test(m1_the_nth_allocation_may_fail),
        cmocka_unit_test(replay_needs_no_memory),
        cmocka_unit_test(m4_a_child_uses_and_destroys_a_map),
        cmocka_unit_test(m3_fences_serve_where_membarrier_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
