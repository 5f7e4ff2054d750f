/* The locked map: entries that outlive everything but their users, and walks over them. */
#include <concmap/locked.h>
#include <concmap/printed.h>
#include <stdlib.h>

#include "boxes.h"
#include "shared_type.h"
#include "shelf.h"

CM_LOCKED_MAP_OWNED(boxes, struct box, struct box, box_hash, box_equal, CM_OWNED(box_clone, box_destroy),
                    CM_OWNED(box_clone, box_destroy))

CM_PRINTED(nums, cm_print_u64, cm_print_u64)

/* ---- entries ---- */

static void acquire_finds_or_creates(void **state)
{
    (void)state;
    begin();
    nums_entry *first = entry_of(100), *again = entry_of(100);
    assert_ptr_equal(first, again);
    assert_ptr_equal(nums_find(&shelf, 100), first);
    assert_null(nums_find(&shelf, 101));
    assert_int_equal(*nums_entry_key(first), 100);
    assert_int_equal(nums_len(&shelf), 11);
    *nums_entry_lock(first) = 5;
    assert_int_equal(nums_entry_unlock(first), CM_OK);
    assert_int_equal(nums_entry_unlock(first), CM_INVALID);
    assert_int_equal(*nums_entry_read_lock(again), 5);
    assert_int_equal(*nums_entry_read_lock(again), 5); /* shared, by the same thread too */
    assert_int_equal(nums_entry_read_unlock(again), CM_OK);
    assert_int_equal(nums_entry_unlock(again), CM_INVALID);
    assert_int_equal(nums_entry_read_unlock(again), CM_OK);
    for (int i = 0; i < 3; i++)
        nums_entry_release(first);
    nums_entry_release(NULL);
    end();
}

static void an_entry_outlives_its_removal(void **state) /* L1, L9 */
{
    (void)state;
    cm_config owned = config();
    boxes map;
    boxes_entry *entry, *other;
    assert_int_equal(boxes_init(&map, &owned), CM_OK);
    struct box key = box_of(1);
    assert_int_equal(boxes_acquire(&map, key, box_of(10), &entry), CM_OK);
    assert_int_equal(boxes_acquire(&map, key, box_of(11), &other), CM_OK); /* 11 is destroyed */
    assert_ptr_equal(entry, other);
    assert_true(boxes_entry_is_linked(entry));
    assert_int_equal(boxes_remove(&map, key, NULL), CM_OK);
    assert_false(boxes_entry_is_linked(entry));
    assert_int_equal(boxes_len(&map), 0);
    boxes_entry_release(other);
    for (uint64_t i = 0; i < 1000; i++) { /* others take its place */
        struct box next = box_of(i);
        assert_int_equal(boxes_put(&map, next, box_of(i), NULL), CM_OK);
        box_destroy(&next, &all);
    }
    assert_int_equal(*boxes_entry_lock(entry)->number, 10);
    assert_int_equal(*boxes_entry_key(entry)->number, 1);
    assert_int_equal(boxes_entry_unlock(entry), CM_OK);
    size_t before = all.live;
    boxes_entry_release(entry);
    assert_true(all.live <= before - 1); /* the value at once; the key when no look-up can compare it */
    struct box got;
    assert_true(boxes_get(&map, key, &got));
    assert_int_equal(drop(got), 1);
    assert_int_equal(boxes_remove(&map, key, &got), CM_OK);
    assert_int_equal(drop(got), 1);
    box_destroy(&key, &all);
    boxes_destroy(&map);
    assert_int_equal(all.live, 0);
}

static void what_is_not_taken_is_destroyed_once(void **state)
{
    (void)state;
    cm_config owned = config();
    boxes map;
    struct box key = box_of(1), old;
    assert_int_equal(boxes_init(&map, &owned), CM_OK);
    assert_int_equal(boxes_insert(&map, key, box_of(1)), CM_OK);
    assert_int_equal(boxes_insert(&map, key, box_of(2)), CM_EXISTS);
    assert_int_equal(boxes_put(&map, key, box_of(3), NULL), CM_REPLACED);
    assert_int_equal(boxes_put(&map, key, box_of(4), &old), CM_REPLACED);
    assert_int_equal(drop(old), 3);
    assert_int_equal(boxes_upsert(&map, key, box_of(5), add_ten, NULL), CM_REPLACED);
    assert_int_equal(boxes_get_or_insert(&map, key, box_of(6), &old), CM_EXISTS);
    assert_int_equal(drop(old), 14);
    assert_int_equal(boxes_get_or_insert(&map, key, box_of(6), NULL), CM_EXISTS);
    assert_int_equal(boxes_get_or_insert_with(&map, key, make_seven, NULL, NULL), CM_EXISTS);
    assert_int_equal(boxes_remove_if(&map, key, refuse, NULL, NULL), CM_IO);
    all.fail_at = all.clones + 1;
    assert_int_equal(boxes_remove(&map, key, &old), CM_NOMEM); /* no copy, no removal */
    assert_int_equal(boxes_remove_if(&map, key, add_ten, NULL, &old), CM_OK);
    assert_int_equal(drop(old), 24);
    assert_int_equal(boxes_get_or_insert_with(&map, key, refuse, NULL, NULL), CM_IO);
    assert_int_equal(boxes_get_or_insert_with(&map, key, make_seven, NULL, &old), CM_OK);
    assert_int_equal(drop(old), 7);
    assert_int_equal(boxes_clear(&map), CM_OK);
    assert_int_equal(boxes_len(&map), 0);
    box_destroy(&key, &all);
    boxes_destroy(&map);
    assert_int_equal(all.live, 0);
}

static void spent_entries_go_with_their_last_user(void **state)
{
    (void)state;
    begin();
    assert_int_equal(nums_remove_when_unused(&shelf, 1), CM_OK);
    assert_int_equal(nums_remove_when_unused(&shelf, 1), CM_ABSENT);
    nums_entry *entry = entry_of(2), *other = entry_of(2);
    assert_int_equal(nums_remove_when_unused(&shelf, 2), CM_EXISTS);
    nums_entry_release(other);
    assert_true(nums_contains(&shelf, 2)); /* for all, until then */
    assert_int_equal(nums_put(&shelf, 2, 22, NULL), CM_REPLACED);
    nums_entry_release(entry);
    assert_false(nums_contains(&shelf, 2));
    entry = entry_of(3);
    assert_int_equal(nums_remove_when_unused(&shelf, 3), CM_EXISTS);
    assert_int_equal(nums_remove(&shelf, 3, NULL), CM_OK);
    assert_int_equal(nums_insert(&shelf, 3, 33), CM_OK); /* another one, which is not spent */
    nums_entry_release(entry);
    assert_true(nums_contains(&shelf, 3));
    assert_int_equal(nums_len(&shelf), 8);
    end();
}

static void discard_takes_out_that_very_entry(void **state)
{
    (void)state;
    begin();
    nums_entry *entry = entry_of(1);
    assert_int_equal(nums_remove(&shelf, 1, NULL), CM_OK);
    assert_int_equal(nums_insert(&shelf, 1, 7), CM_OK);
    assert_int_equal(nums_entry_discard(entry), CM_ABSENT); /* the key has another one */
    nums_entry_release(entry);
    entry = entry_of(1);
    assert_non_null(nums_entry_lock(entry));
    assert_int_equal(nums_entry_discard(entry), CM_OK);
    assert_false(nums_entry_is_linked(entry));
    nums_entry_unlock(entry);
    nums_entry_release(entry);
    assert_false(nums_contains(&shelf, 1));
    end();
}

/* ---- chains of owners ---- */

/* A value that has the last use of another entry of the same map. */
struct link {
    void *next;
};

static size_t links_destroyed;

static cm_status link_clone(struct link *to, const struct link *from, void *context);
static void link_destroy(struct link *link, void *context);

CM_LOCKED_MAP_OWNED(links, uint64_t, struct link, cm_hash_u64, cm_equal_u64, CM_PLAIN,
                    CM_OWNED(link_clone, link_destroy))

static cm_status link_clone(struct link *to, const struct link *from, void *context)
{
    (void)to, (void)from, (void)context;
    return CM_INVALID;
}

static void link_destroy(struct link *link, void *context)
{
    (void)context;
    links_destroyed++;
    links_entry_release(link->next);
}

/* Rule 21. */
static void destructors_that_give_up_last_uses_do_not_nest(void **state)
{
    (void)state;
    enum { LINKS = 300000 };
    links map;
    links_entry *entry = NULL;
    links_destroyed = 0;
    assert_int_equal(links_init(&map, NULL), CM_OK);
    for (uint64_t i = 0; i < LINKS; i++) {
        assert_int_equal(links_acquire(&map, i, (struct link){entry}, &entry), CM_OK);
        assert_int_equal(links_remove(&map, i, NULL), CM_OK);
    }
    links_entry_release(entry);
    assert_int_equal(links_destroyed, LINKS);
    links_destroy(&map);
}

/* A value that has the last use of an entry of another map, and that map. */
struct owner_of_map;
static void owner_of_map_destroy(struct owner_of_map *owner, void *context);
static cm_status owner_of_map_clone(struct owner_of_map *to, const struct owner_of_map *from, void *context);

struct owner_of_map {
    void *map, *entry;
};

CM_LOCKED_MAP_OWNED(maps, uint64_t, struct owner_of_map, cm_hash_u64, cm_equal_u64, CM_PLAIN,
                    CM_OWNED(owner_of_map_clone, owner_of_map_destroy))

static size_t maps_destroyed;

static cm_status owner_of_map_clone(struct owner_of_map *to, const struct owner_of_map *from, void *context)
{
    (void)to, (void)from, (void)context;
    return CM_INVALID;
}

static void owner_of_map_destroy(struct owner_of_map *owner, void *context)
{
    (void)context;
    maps_entry_release(owner->entry);
    if (owner->map)
        maps_destroy(owner->map);
    free(owner->map);
    maps_destroyed++;
}

static void a_destructor_may_destroy_another_map_of_the_type(void **state)
{
    (void)state;
    maps map;
    struct owner_of_map owner = {NULL, NULL};
    maps_destroyed = 0;
    for (int depth = 0; depth < 20; depth++) { /* each owns the one before */
        maps *one = malloc(sizeof *one);
        maps_entry *entry;
        assert_int_equal(maps_init(one, NULL), CM_OK);
        assert_int_equal(maps_acquire(one, 1, owner, &entry), CM_OK);
        assert_int_equal(maps_remove(one, 1, NULL), CM_OK);
        owner = (struct owner_of_map){one, entry};
    }
    assert_int_equal(maps_init(&map, NULL), CM_OK);
    assert_int_equal(maps_insert(&map, 1, owner), CM_OK);
    assert_int_equal(maps_remove(&map, 1, NULL), CM_OK);
    assert_int_equal(maps_destroyed, 21);
    maps_destroy(&map);
}

/* ---- walks ---- */

static void a_walk_holds_no_lock(void **state) /* K3 */
{
    (void)state;
    size_t visits = 0;
    begin();
    CM_FOREACH (nums, &shelf, it) {
        visits++;
        assert_int_equal(*nums_entry_key(it.entry), it.key);
        assert_int_equal(nums_put(&shelf, it.key, it.key + 1, NULL), CM_REPLACED);
        assert_int_equal(nums_put(&shelf, it.key + 100, 0, NULL) >= 0, true);
        assert_int_equal(nums_remove(&shelf, it.key + 100, NULL), CM_OK);
        CM_WITH_ENTRY (nums, it.entry, g)
            assert_int_equal(*g.value, it.key + 1);
        else
            fail();
        if (it.key == 3)
            assert_int_equal(nums_remove(&shelf, 3, NULL), CM_OK);
    }
    assert_true(visits >= 10);
    CM_FOREACH (nums, &shelf, it)
        if (it.key == 7)
            break;
    assert_int_equal(nums_len(&shelf), 9);
    end();
}

static cm_status swallow(void *context, const char *text, size_t size)
{
    (void)text;
    *(size_t *)context += size;
    return CM_OK;
}

static void it_prints_and_tells_figures(void **state)
{
    (void)state;
    size_t size = 0;
    cm_stats stats;
    begin();
    assert_int_equal(nums_print(&shelf, swallow, &size), CM_OK);
    assert_true(size > 50);
    nums_stats(&shelf, &stats);
    assert_int_equal(stats.entries, 10);
    nums_entry *entry = entry_of(1);
    assert_non_null(nums_entry_read_lock(entry));
    assert_int_equal(nums_print(&shelf, swallow, &size), CM_OK);
    nums_entry_read_unlock(entry);
    nums_entry_release(entry);
    end();
}

static void a_static_map_and_a_shared_type_work(void **state)
{
    (void)state;
    static nums resting = CM_MAP_INITIALIZER;
    uint64_t value = 0;
    assert_false(nums_get(&resting, 1, &value));
    size_t first = 0;
    for (int round = 0; round < 3; round++) { /* nodes are used again, not kept */
        for (uint64_t i = 0; i < 5000; i++)
            assert_int_equal(nums_insert(&resting, i, i), CM_OK);
        first = first ? first : nums_memory(&resting).nodes;
        assert_int_equal(nums_clear(&resting), CM_OK);
    }
    assert_true(nums_memory(&resting).nodes < 2 * first);
    nums_destroy(&resting);
    vaults own;
    vaults_entry *entry;
    assert_int_equal(vaults_init(&own, NULL), CM_OK);
    assert_int_equal(vaults_acquire(&own, cm_str_of("gold"), 1, &entry), CM_OK);
    CM_WITH_ENTRY (vaults, entry, g)
        ++*g.value;
    vaults_entry_release(entry);
    assert_true(vaults_get(&own, cm_str_of("gold"), &value));
    assert_int_equal(value, 2);
    vaults_destroy(&own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acquire_finds_or_creates),
        cmocka_unit_test(an_entry_outlives_its_removal),
        cmocka_unit_test(what_is_not_taken_is_destroyed_once),
        cmocka_unit_test(spent_entries_go_with_their_last_user),
        cmocka_unit_test(discard_takes_out_that_very_entry),
        cmocka_unit_test(destructors_that_give_up_last_uses_do_not_nest),
        cmocka_unit_test(a_destructor_may_destroy_another_map_of_the_type),
        cmocka_unit_test(a_walk_holds_no_lock),
        cmocka_unit_test(it_prints_and_tells_figures),
        cmocka_unit_test(a_static_map_and_a_shared_type_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
