/* The left-right map: values that own something are destroyed once, when nobody can see them any more. */
#include "crew.h"
#include "leftright_items.h"
#include "unit.h"

/* Values that use their map's writer where they are destroyed. */
struct meddler {
    uint64_t number;
};
static void meddler_destroy(struct meddler *meddler, void *context);
static cm_status meddler_clone(struct meddler *to, const struct meddler *from, void *context)
{
    (void)context;
    *to = *from;
    return CM_OK;
}
CM_LEFTRIGHT_MAP_OWNED(meddlers, uint64_t, struct meddler, cm_hash_u64, cm_equal_u64, CM_PLAIN,
                       CM_OWNED(meddler_clone, meddler_destroy))

static meddlers_writer meddled_with;
static size_t meddled, not_refused;

static void meddler_destroy(struct meddler *meddler, void *context)
{
    (void)context;
    cm_status said[] = {meddlers_put(&meddled_with, 1, *meddler, NULL), meddlers_try_remove(&meddled_with, 1, NULL),
                        meddlers_begin(&meddled_with), meddlers_publish(&meddled_with), meddlers_clear(&meddled_with)};
    meddled++;
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        not_refused += said[i] != CM_DEADLOCK;
}

static cm_status grow_item(struct item *item, void *context)
{
    (void)context;
    ++*item->own;
    return CM_OK;
}

/* Rule 21. */
static void what_is_removed_is_destroyed_once_both_sides_let_go(void **state)
{
    (void)state;
    struct item copy;
    begin_items();
    for (uint64_t i = 0; i < 10; i++)
        assert_int_equal(items_put(&thing_writer, i, item_of(i), NULL), CM_OK);
    assert_int_equal(items_insert(&thing_writer, 1, item_of(5)), CM_EXISTS); /* that one is destroyed */
    assert_int_equal(alive, 10);
    items_publish(&thing_writer);
    const items_view *view = items_enter(&thing_reader);
    assert_int_equal(items_remove(&thing_writer, 1, NULL), CM_OK);
    assert_int_equal(items_put(&thing_writer, 2, item_of(22), &copy), CM_REPLACED);
    assert_int_equal(*copy.own, 2); /* a clone */
    item_destroy(&copy, NULL);
    assert_int_equal(items_update(&thing_writer, 3, grow_item, NULL), CM_OK);
    assert_int_equal(alive, 12);
    items_publish(&thing_writer);
    assert_int_equal(*items_view_get(view, 1)->own, 1);
    assert_int_equal(*items_view_get(view, 2)->own, 2);
    assert_int_equal(*items_view_get(view, 3)->own, 3);
    items_leave(&thing_reader);
    assert_int_equal(alive, 12);
    assert_int_equal(items_begin(&thing_writer), CM_OK);
    assert_int_equal(alive, 9);
    assert_true(items_get(&thing_reader, 2, &copy));
    assert_int_equal(*copy.own, 22);
    item_destroy(&copy, NULL);
    assert_int_equal(items_put(&thing_writer, 50, item_of(50), NULL), CM_OK); /* comes and goes unpublished */
    assert_int_equal(items_put(&thing_writer, 50, item_of(51), NULL), CM_REPLACED);
    assert_int_equal(items_remove(&thing_writer, 50, NULL), CM_OK);
    assert_int_equal(items_clear(&thing_writer), CM_OK);
    assert_int_equal(items_put(&thing_writer, 1, item_of(1), NULL), CM_OK);
    items_publish(&thing_writer);
    assert_int_equal(items_begin(&thing_writer), CM_OK);
    assert_int_equal(alive, 1);
    items_destroy(&things);
    assert_int_equal(alive, 0);
}

static cm_status keep_by_turns(const uint64_t *key, const struct item *item, void *context)
{
    assert_int_equal(*key, *item->own);
    return ++*(uint64_t *)context % 2 ? CM_OK : CM_ABSENT; /* another answer each time it is asked */
}

static void r4_what_is_decided_once_is_done_to_both_sides(void **state)
{
    (void)state;
    uint64_t calls = 0;
    begin_items();
    for (uint64_t i = 0; i < 101; i++)
        items_put(&thing_writer, i, item_of(i), NULL);
    items_publish(&thing_writer);
    assert_int_equal(items_retain(&thing_writer, keep_by_turns, &calls), CM_OK);
    assert_int_equal(calls, 101);
    items_publish(&thing_writer);
    assert_int_equal(items_begin(&thing_writer), CM_OK);
    assert_int_equal(calls, 101);
    assert_int_equal(items_check(&things, NULL), CM_OK); /* the sides agree */
    assert_int_equal(items_writer_len(&thing_writer), 51);
    assert_int_equal(alive, 51);
    items_destroy(&things);
    assert_int_equal(alive, 0);
}

static void r7_what_was_taken_outlives_even_the_map(void **state)
{
    (void)state;
    items_taken first, second, third;
    items other;
    items_writer other_writer;
    begin_items();
    assert_int_equal(items_init(&other, NULL), CM_OK);
    assert_int_equal(items_writer_open(&other, &other_writer), CM_OK);
    for (uint64_t i = 0; i < 4; i++)
        items_put(&thing_writer, i, item_of(i), NULL);
    items_publish(&thing_writer);
    const items_view *view = items_enter(&thing_reader);
    assert_int_equal(items_take(&thing_writer, 9, &first), CM_ABSENT);
    assert_int_equal(items_take(&thing_writer, 0, &first), CM_OK);
    assert_int_equal(items_take(&thing_writer, 1, &second), CM_OK);
    assert_int_equal(items_take(&thing_writer, 2, &third), CM_OK);
    assert_int_equal(items_give_back(&thing_writer, &first), CM_OK); /* readers see it still */
    items_publish(&thing_writer);
    assert_int_equal(*items_view_get(view, 0)->own, 0);
    items_leave(&thing_reader);
    assert_int_equal(alive, 4);
    assert_int_equal(items_give_back(&other_writer, &second), CM_INVALID);
    assert_int_equal(items_give_back(&thing_writer, &first), CM_INVALID); /* twice */
    assert_int_equal(items_begin(&thing_writer), CM_OK);
    assert_int_equal(alive, 3);
    assert_int_equal(items_give_back(&thing_writer, &second), CM_OK); /* nobody sees it any more */
    assert_int_equal(alive, 2);
    items_destroy(&things);
    items_destroy(&other);
    assert_int_equal(alive, 1);
    assert_int_equal(*third.value.own, 2);
    assert_int_equal(items_give_back(NULL, &third), CM_OK);
    assert_int_equal(items_give_back(NULL, &third), CM_INVALID);
    assert_int_equal(alive, 0);
}

static items_taken taken_before;

static cm_status give_it_back(struct item *item, void *context)
{
    (void)item;
    *(cm_status *)context = items_give_back(&thing_writer, &taken_before);
    return CM_OK;
}

static void a_function_gives_nothing_back(void **state)
{
    (void)state;
    cm_status said = CM_OK;
    begin_items();
    items_put(&thing_writer, 1, item_of(1), NULL);
    items_put(&thing_writer, 2, item_of(2), NULL);
    assert_int_equal(items_take(&thing_writer, 1, &taken_before), CM_OK);
    assert_int_equal(items_update(&thing_writer, 2, give_it_back, &said), CM_OK);
    assert_int_equal(said, CM_DEADLOCK);
    assert_int_equal(items_give_back(&thing_writer, &taken_before), CM_OK);
    items_destroy(&things);
    assert_int_equal(alive, 0);
}

static void what_comes_back_between_batches_waits_for_readers(void **state)
{
    (void)state;
    items_taken taken;
    begin_items();
    items_put(&thing_writer, 1, item_of(1), NULL);
    items_publish(&thing_writer);
    const items_view *view = items_enter(&thing_reader);
    items_take(&thing_writer, 1, &taken);
    items_publish(&thing_writer);
    assert_int_equal(items_give_back(&thing_writer, &taken), CM_OK);
    assert_false(items_has_pending(&thing_writer));
    assert_int_equal(*items_view_get(view, 1)->own, 1);
    items_leave(&thing_reader);
    items_destroy(&things);
    assert_int_equal(alive, 0);
}

static void meddle(bool shared)
{
    meddlers map;
    struct meddler meddler = {1};
    meddled = not_refused = 0;
    assert_int_equal(meddlers_init(&map, NULL), CM_OK);
    if (shared)
        assert_int_equal(meddlers_writer_open_shared(&map, &meddled_with), CM_OK);
    else
        assert_int_equal(meddlers_writer_open(&map, &meddled_with), CM_OK);
    for (uint64_t key = 0; key < 4; key++)
        assert_int_equal(meddlers_put(&meddled_with, key, meddler, NULL), CM_OK);
    assert_int_equal(meddlers_publish(&meddled_with), CM_OK);
    assert_int_equal(meddlers_remove(&meddled_with, 0, NULL), CM_OK);
    assert_int_equal(meddlers_replace(&meddled_with, 2, meddler, NULL), CM_REPLACED);
    assert_int_equal(meddled, 0);
    assert_int_equal(meddlers_publish(&meddled_with), CM_OK);
    assert_int_equal(meddlers_begin(&meddled_with), CM_OK);
    assert_int_equal(meddled, 2);
    meddlers_destroy(&map);
    assert_int_equal(meddled, 5);
    assert_int_equal(not_refused, 0);
}

/* They run where a batch begins, with the lock of a shared writer. */
static void values_that_are_destroyed_cannot_change_the_map(void **state)
{
    (void)state;
    meddle(false);
    meddle(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_removed_is_destroyed_once_both_sides_let_go),
        cmocka_unit_test(r4_what_is_decided_once_is_done_to_both_sides),
        cmocka_unit_test(r7_what_was_taken_outlives_even_the_map),
        cmocka_unit_test(a_function_gives_nothing_back),
        cmocka_unit_test(what_comes_back_between_batches_waits_for_readers),
        cmocka_unit_test(values_that_are_destroyed_cannot_change_the_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
