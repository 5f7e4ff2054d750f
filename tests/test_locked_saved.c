/* Locked maps that are saved and loaded. Each kind of key and value is in test_locked_kinds.c, the stream itself in
 * test_saved.c. */
#include <concmap/locked_saved.h>
#include <concmap/printed.h>
#include <concmap/sharded.h>
#include <stdlib.h>
#include <unistd.h>

#include "buffer.h"
#include "coded_boxes.h"
#include "crew.h"
#include "failing_allocator.h"
#include "shared_type.h"
#include "shelf.h"

#define MS 1000000

CM_LOCKED_SAVED(nums, 1)
CM_PRINTED(nums, cm_print_u64, cm_print_u64)
CM_SHARDED_MAP(shards, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_SAVED(shards, 1)

#define SAVED_CONFIG cm_config
#define DECLARED vaults
#define SAVED_BOXES(name, key_codec, value_codec)                                                                      \
    CM_LOCKED_MAP_OWNED(name, struct box, struct box, box_hash, box_equal, CM_OWNED(box_clone, box_destroy),           \
                        CM_OWNED(box_clone, box_destroy))                                                              \
    CM_LOCKED_SAVED_CODED(name, 1, key_codec, value_codec)
#define saved_open boxes_init

static cm_config saved_config(const cm_config *own, size_t i)
{
    (void)i;
    return *own;
}

#include "saved_suite.h"

static void other_maps_load_what_it_saves_and_save_what_it_loads(void **state)
{
    (void)state;
    struct buffer first = {.bytes = NULL}, second = {.bytes = NULL};
    cm_sink sink = buffer_sink(&first), again = buffer_sink(&second);
    shards map;
    nums back;
    begin();
    assert_int_equal(nums_save(&shelf, &sink, NULL, NULL), CM_OK);
    end();
    cm_source source = buffer_source(&first);
    assert_int_equal(shards_load(&map, NULL, &source, NULL, NULL), CM_OK);
    assert_int_equal(shards_len(&map), 10);
    assert_int_equal(shards_save(&map, &again, NULL, NULL), CM_OK);
    shards_destroy(&map);
    source = buffer_source(&second);
    assert_int_equal(nums_load(&back, NULL, &source, NULL, NULL), CM_OK);
    for (uint64_t i = 0; i < 10; i++) {
        uint64_t value = 77;
        assert_true(nums_get(&back, i, &value));
        assert_int_equal(value, i);
    }
    assert_int_equal(nums_len(&back), 10);
    assert_int_equal(nums_check(&back, NULL), CM_OK);
    nums_destroy(&back);
    buffer_free(&first);
    buffer_free(&second);
}

/* Nothing is locked while a sink, or a printer's text, goes its way: entries can be locked, changed and removed. */
static cm_status use_all(void *context, const void *bytes, size_t size)
{
    (void)context, (void)bytes, (void)size;
    for (uint64_t i = 0; i < 10; i++) {
        nums_entry *entry = entry_of(i);
        assert_non_null(nums_entry_try_lock(entry));
        nums_entry_unlock(entry);
        nums_entry_release(entry);
    }
    return CM_OK;
}

static cm_status use_all_text(void *context, const char *text, size_t size)
{
    return use_all(context, text, size);
}

static void no_lock_is_held_while_it_is_written(void **state)
{
    (void)state;
    cm_sink sink = {use_all, NULL};
    begin();
    assert_int_equal(nums_save(&shelf, &sink, NULL, NULL), CM_OK);
    assert_int_equal(nums_print(&shelf, use_all_text, NULL), CM_OK);
    end();
}

static void *die_with_the_lock(void *context)
{
    nums_entry *entry = nums_find(&shelf, 5);
    nums_entry_lock(entry);
    nums_entry_release(entry);
    return context;
}

struct attempts {
    cm_status tried, until;
};

static void *try_to_save(void *context)
{
    struct attempts *attempts = context;
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    attempts->tried = nums_try_save(&shelf, &sink, NULL, NULL);
    attempts->until = nums_save_until(&shelf, &sink, NULL, NULL, cm_deadline_after(MS));
    buffer_free(&buffer);
    return NULL;
}

static void it_waits_for_who_has_an_entry(void **state) /* K7, L8 */
{
    (void)state;
    struct attempts attempts = {CM_OK, CM_OK};
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    const char *reason = NULL;
    begin();
    nums_entry *entry = entry_of(3);
    assert_non_null(nums_entry_lock(entry));
    in_thread(try_to_save, &attempts);
    assert_int_equal(attempts.tried, CM_BUSY);
    assert_int_equal(attempts.until, CM_TIMEOUT);
    assert_int_equal(nums_save(&shelf, &sink, NULL, NULL), CM_OK); /* of its own it saves what is there */
    assert_int_equal(nums_entry_unlock(entry), CM_OK);
    nums_entry_release(entry);
    in_thread(die_with_the_lock, NULL);
    assert_int_equal(nums_save(&shelf, &sink, NULL, &reason), CM_OWNER_DIED);
    assert_string_equal(reason, cm_status_text(CM_OWNER_DIED));
    end();
    buffer_free(&buffer);
}

/* Both words of a pair are always written alike. */
struct pair {
    uint64_t a, rest[500], b;
};
CM_LOCKED_MAP(pairs, uint64_t, struct pair, cm_hash_u64, cm_equal_u64)
CM_LOCKED_SAVED(pairs, 1)
static pairs paired;

static cm_status step_pair(struct pair *pair, void *context)
{
    (void)context;
    pair->a++;
    pair->b++;
    return CM_OK;
}

static size_t save_and_look(void)
{
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    pairs loaded;
    size_t wrong = pairs_save(&paired, &sink, NULL, NULL) != CM_OK;
    cm_source source = buffer_source(&buffer);
    wrong += pairs_load(&loaded, NULL, &source, NULL, NULL) != CM_OK;
    for (uint64_t i = 0; wrong == 0 && i < 30; i++) {
        struct pair pair = {.a = 1};
        wrong += !pairs_get(&loaded, i, &pair) || pair.a != pair.b;
    }
    pairs_destroy(&loaded);
    buffer_free(&buffer);
    return wrong;
}

static size_t step_or_save(void *context, unsigned thread)
{
    size_t wrong = 0;
    (void)context;
    for (size_t i = crew_scale(thread ? 20000 : 200); i > 0; i--)
        wrong += thread ? pairs_update(&paired, i % 30, step_pair, NULL) != CM_OK : save_and_look();
    return wrong;
}

static void each_value_is_saved_as_it_was_at_one_instant(void **state)
{
    (void)state;
    assert_int_equal(pairs_init(&paired, NULL), CM_OK);
    for (uint64_t i = 0; i < 30; i++)
        assert_int_equal(pairs_put(&paired, i, (struct pair){0}, NULL), CM_OK);
    assert_int_equal(crew_run(3, step_or_save, NULL), 0);
    pairs_destroy(&paired);
}

static void a_limit_is_kept(void **state)
{
    (void)state;
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    cm_config owned = config();
    boxes map, loaded;
    fill_boxes(&map, &owned);
    assert_int_equal(boxes_save(&map, &sink, NULL, NULL), CM_OK);
    cm_source source = buffer_source(&buffer);
    owned.limit = 10;
    assert_int_equal(boxes_load(&loaded, &owned, &source, NULL, NULL), CM_FULL);
    assert_int_equal(all.live, 40);
    boxes_destroy(&map);
    assert_int_equal(all.live, 0);
    buffer_free(&buffer);
}

static void a_map_that_is_not_made_yet_is_saved_as_an_empty_one(void **state)
{
    (void)state;
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    static vaults map = CM_MAP_INITIALIZER;
    vaults loaded;
    assert_int_equal(vaults_save(&map, &sink, NULL, NULL), CM_OK);
    cm_source source = buffer_source(&buffer);
    assert_int_equal(vaults_load(&loaded, NULL, &source, NULL, NULL), CM_OK);
    assert_int_equal(vaults_len(&loaded), 0);
    vaults_destroy(&loaded);
    vaults_destroy(&map);
    buffer_free(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_maps_load_what_it_saves_and_save_what_it_loads),
        cmocka_unit_test(no_lock_is_held_while_it_is_written),
        cmocka_unit_test(it_waits_for_who_has_an_entry),
        cmocka_unit_test(each_value_is_saved_as_it_was_at_one_instant),
        cmocka_unit_test(a_limit_is_kept),
        cmocka_unit_test(a_map_that_is_not_made_yet_is_saved_as_an_empty_one),
    };
    int failed = saved_run();
    failed += cmocka_run_group_tests(tests, NULL, NULL);
    return failed;
}
