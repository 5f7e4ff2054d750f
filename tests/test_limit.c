/* Maps with a limit: never an entry more, and none less. */
#include <concmap/sharded.h>
#include <pthread.h>

#include "crew.h"
#include "failing_allocator.h"
#include "unit.h"

struct page {
    uint64_t words[32];
};

CM_SHARDED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
static uint64_t same_hash(const uint64_t *key, uint64_t seed)
{
    (void)key, (void)seed;
    return 0;
}

CM_SHARDED_MAP(twins, uint64_t, uint64_t, same_hash, cm_equal_u64)
CM_SHARDED_MAP(pages, uint64_t, struct page, cm_hash_u64, cm_equal_u64)

#define LIMIT 100

static void begin(nums *map, uint64_t keys)
{
    assert_int_equal(nums_init(map, &(cm_config){.limit = LIMIT}), CM_OK);
    for (uint64_t key = 0; key < keys; key++)
        assert_int_equal(nums_put(map, key, key, NULL), CM_OK);
}

/* As many as are missing can be added, and then none. */
static void end(nums *map)
{
    size_t len = nums_len(map);
    for (uint64_t key = 100000; len < LIMIT; key++, len++)
        assert_int_equal(nums_insert(map, key, key), CM_OK);
    assert_int_equal(nums_insert(map, 200000, 0), CM_FULL);
    assert_int_equal(nums_len(map), LIMIT);
    assert_int_equal(nums_check(map, NULL), CM_OK);
    nums_destroy(map);
}

static cm_status add_one(uint64_t *value, void *context)
{
    (void)context;
    ++*value;
    return CM_OK;
}

static cm_status refuse(uint64_t *value, void *context)
{
    (void)value, (void)context;
    return CM_IO;
}

static void a_full_map_changes_but_does_not_grow(void **state)
{
    (void)state;
    nums map;
    nums_write_guard entry;
    uint64_t value, old;
    begin(&map, LIMIT);
    assert_int_equal(nums_put(&map, 500, 0, NULL), CM_FULL);
    assert_int_equal(nums_upsert(&map, 500, 0, add_one, NULL), CM_FULL);
    assert_int_equal(nums_get_or_insert(&map, 500, 0, &value), CM_FULL);
    assert_int_equal(nums_get_or_insert_with(&map, 500, add_one, NULL, &value), CM_FULL);
    assert_int_equal(nums_entry(&map, 500, &entry), CM_FULL);
    assert_int_equal(nums_entry_unlock(&entry), CM_INVALID);
    assert_int_equal(nums_put(&map, 5, 50, &old), CM_REPLACED);
    assert_int_equal(nums_upsert(&map, 5, 0, add_one, NULL), CM_REPLACED);
    assert_int_equal(nums_get_or_insert(&map, 5, 0, &value), CM_EXISTS);
    assert_int_equal(value, 51);
    assert_int_equal(nums_entry(&map, 5, &entry), CM_OK);
    assert_int_equal(nums_entry_unlock(&entry), CM_OK);
    assert_int_equal(nums_remove(&map, 5, NULL), CM_OK);
    assert_int_equal(nums_insert(&map, 500, 0), CM_OK);
    assert_int_equal(nums_insert(&map, 501, 0), CM_FULL);
    assert_int_equal(nums_clear(&map), CM_OK);
    end(&map);
}

static void room_that_is_not_used_is_given_back(void **state)
{
    (void)state;
    nums map;
    nums_write_guard entry;
    uint64_t value;
    begin(&map, LIMIT - 1);
    assert_int_equal(nums_get_or_insert_with(&map, 500, refuse, NULL, &value), CM_IO);
    assert_int_equal(nums_entry(&map, 500, &entry), CM_OK); /* it has the last place */
    assert_int_equal(nums_insert(&map, 501, 0), CM_FULL);
    assert_int_equal(nums_entry_unlock(&entry), CM_OK);
    assert_int_equal(nums_entry(&map, 7, &entry), CM_OK);
    assert_int_equal(nums_entry_remove(&entry, NULL), CM_OK);
    assert_int_equal(nums_insert(&map, 501, 0), CM_OK);
    assert_int_equal(nums_insert(&map, 502, 0), CM_FULL); /* for what was removed may come again */
    assert_non_null(nums_entry_insert(&entry, 7));
    assert_int_equal(nums_entry_remove(&entry, NULL), CM_OK);
    assert_int_equal(nums_entry_unlock(&entry), CM_OK);
    assert_int_equal(nums_len(&map), LIMIT - 1);
    end(&map);
}

static cm_status count_present(uint64_t **values, size_t n, void *context)
{
    for (size_t i = 0; i < n; i++)
        *(size_t *)context += values[i] != NULL;
    return CM_OK;
}

static void absent_keys_that_are_only_looked_at_take_no_room(void **state)
{
    (void)state;
    nums map;
    uint64_t keys[] = {5, 500, 6, 501};
    size_t present = 0;
    begin(&map, LIMIT);
    assert_int_equal(nums_with_keys(&map, keys, 4, count_present, &present), CM_OK);
    assert_int_equal(present, 2);
    end(&map);
}

static void a_copy_has_the_limit(void **state)
{
    (void)state;
    nums map, copy, moved;
    begin(&map, LIMIT - 1);
    assert_int_equal(nums_clone(&copy, &map), CM_OK);
    assert_int_equal(nums_move(&moved, &map), CM_OK);
    end(&copy);
    end(&moved);
    end(&map); /* empty now */
}

static void *die_in_a_vacant_entry(void *map)
{
    static __thread nums_write_guard entry, removed;
    nums_entry(map, 500, &entry);
    nums_entry(map, 3, &removed);
    nums_entry_remove(&removed, NULL);
    return NULL;
}

static void the_dead_take_no_room(void **state)
{
    (void)state;
    nums map;
    pthread_t thread;
    begin(&map, LIMIT - 1);
    assert_int_equal(pthread_create(&thread, NULL, die_in_a_vacant_entry, &map), 0);
    pthread_join(thread, NULL);
    assert_int_equal(nums_len(&map), LIMIT - 2);
    end(&map);
}

static void failed_allocations_take_no_room(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    for (size_t n = 1; n < 12; n++) {
        pages map;
        uint64_t key = 0;
        failing_allocator_restart(&memory);
        assert_int_equal(pages_init(&map, &(cm_config){.limit = LIMIT, .allocator = &memory.allocator}), CM_OK);
        failing_allocator_fail_at(&memory, n);
        for (cm_status status = CM_OK; status != CM_FULL && key < 3 * LIMIT; key++)
            status = pages_insert(&map, key, (struct page){{key}});
        assert_int_equal(pages_len(&map), LIMIT);
        assert_int_equal(map.core.admitted, LIMIT);
        pages_destroy(&map);
    }
    assert_int_equal(memory.live_blocks, 0);
}

struct crowd {
    nums map;
    size_t added;
    size_t most;
};

static size_t push_in(void *context, unsigned i)
{
    struct crowd *crowd = context;
    size_t wrong = 0;
    for (uint64_t key = 0; key < 50; key++) {
        cm_status status = nums_insert(&crowd->map, i * 1000 + key, 0);
        if (status == CM_OK)
            __atomic_add_fetch(&crowd->added, 1, __ATOMIC_RELAXED);
        wrong += status != CM_OK && status != CM_FULL;
    }
    return wrong;
}

static void exactly_as_many_come_in_as_there_is_room_for(void **state)
{
    (void)state;
    for (size_t round = 0; round < crew_scale(100); round++) {
        struct crowd crowd = {.added = 0};
        begin(&crowd.map, 0);
        assert_int_equal(crew_run(4, push_in, &crowd), 0);
        assert_int_equal(crowd.added, LIMIT);
        end(&crowd.map);
    }
}

static size_t come_and_go(void *context, unsigned i)
{
    struct crowd *crowd = context;
    uint64_t random = crew_random(&(uint64_t){i + 1});
    size_t wrong = 0;
    for (size_t n = crew_scale(50000); n > 0; n--) {
        uint64_t key = crew_random(&random) % (2 * LIMIT);
        if (n % 2)
            wrong += nums_put(&crowd->map, key, n, NULL) < CM_FULL;
        else if (n % 64 == 0)
            wrong += nums_shrink_to_fit(&crowd->map) == CM_NOMEM;
        else
            nums_remove(&crowd->map, key, NULL);
        wrong += __atomic_load_n(&crowd->map.core.admitted, __ATOMIC_RELAXED) > LIMIT;
    }
    return wrong;
}

static void there_are_never_more(void **state)
{
    (void)state;
    struct crowd crowd = {.added = 0};
    begin(&crowd.map, 0);
    assert_int_equal(crew_run(4, come_and_go, &crowd), 0);
    assert_int_equal(crowd.map.core.admitted, nums_len(&crowd.map));
    end(&crowd.map);
}

/* ---- fixed maps ---- */

static void a_fixed_map_takes_any_keys_and_no_memory(void **state)
{
    (void)state;
    struct failing_allocator memory;
    twins_write_guard entry;
    failing_allocator_init(&memory);
    for (size_t room = 1; room < 200; room = room * 2 + 1) {
        twins map;
        memory.fail_all = false;
        assert_int_equal(
            twins_init(&map, &(cm_config){.capacity = room, .fixed = true, .allocator = &memory.allocator}), CM_OK);
        size_t requests = memory.requests;
        memory.fail_all = true;
        for (size_t round = 0; round < 5; round++) {
            for (uint64_t key = 0; key < room; key++)
                assert_int_equal(twins_insert(&map, key + round * 7, key), CM_OK);
            assert_int_equal(twins_insert(&map, 90000, 0), CM_FULL);
            assert_int_equal(twins_entry(&map, 90000, &entry), CM_FULL);
            assert_int_equal(twins_reserve(&map, room), CM_OK);
            assert_int_equal(twins_reserve(&map, room + 1), CM_FULL);
            assert_int_equal(twins_check(&map, NULL), CM_OK);
            assert_int_equal(twins_len(&map), room);
            for (uint64_t key = 0; key < room; key++)
                assert_int_equal(twins_remove(&map, key + round * 7, NULL), CM_OK);
            assert_int_equal(twins_entry(&map, 5, &entry), CM_OK);
            assert_non_null(twins_entry_insert(&entry, 5));
            assert_int_equal(twins_entry_unlock(&entry), CM_OK);
            assert_int_equal(twins_clear(&map), CM_OK);
            assert_int_equal(twins_shrink_to_fit(&map), CM_OK);
        }
        assert_int_equal(memory.requests, requests);
        twins_destroy(&map);
        assert_int_equal(memory.live_blocks, 0);
    }
}

static cm_status remove_all_others(uint64_t *value, void *map)
{
    for (uint64_t key = 1; key < *value; key++)
        if (twins_remove(map, key, NULL) != CM_OK)
            return CM_INVALID;
    return CM_OK;
}

static void places_kept_by_guards_are_used_again(void **state)
{
    (void)state;
    twins map;
    twins_read_guard guard;
    assert_int_equal(twins_init(&map, &(cm_config){.capacity = 1000, .fixed = true}), CM_OK);
    for (uint64_t key = 0; key < 1000; key++)
        assert_int_equal(twins_put(&map, key, 1000, NULL), CM_OK);
    assert_int_equal(twins_update(&map, 0, remove_all_others, &map), CM_OK);
    assert_int_equal(map.core.root->overflowed, 0); /* at once */
    assert_int_equal(twins_read(&map, 0, &guard), CM_OK);
    for (uint64_t key = 1; key < 20000; key++) {
        assert_int_equal(twins_put(&map, key, key, NULL), CM_OK);
        assert_true(key < 500 || twins_remove(&map, key - 490, NULL) == CM_OK);
    }
    assert_int_equal(twins_read_unlock(&guard), CM_OK);
    assert_int_equal(twins_check(&map, NULL), CM_OK);
    twins_destroy(&map);
}

static void what_cannot_be_fixed_is_refused(void **state)
{
    (void)state;
    struct failing_allocator memory;
    pages large;
    nums map;
    assert_int_equal(pages_init(&large, &(cm_config){.capacity = 10, .fixed = true}), CM_INVALID);
    assert_int_equal(nums_init(&map, &(cm_config){.fixed = true}), CM_INVALID);
    failing_allocator_init(&memory);
    for (size_t n = 1; n < 3; n++) {
        failing_allocator_fail_at(&memory, n);
        assert_int_equal(nums_init(&map, &(cm_config){.capacity = 1000, .fixed = true, .allocator = &memory.allocator}),
                         CM_NOMEM);
        assert_int_equal(memory.live_blocks, 0);
    }
}

#define ROOM 500

static size_t come_and_go_in_a_fixed_map(void *context, unsigned i)
{
    nums *map = context;
    uint64_t random = 31 + i;
    size_t wrong = 0;
    for (size_t n = crew_scale(50000); n > 0; n--) {
        uint64_t key = crew_random(&random) % (2 * ROOM);
        cm_status status = n % 2 ? nums_put(map, key, n, NULL) : nums_remove(map, key, NULL);
        wrong += status < 0 && status != CM_FULL;
    }
    return wrong;
}

static void many_threads_share_a_fixed_map(void **state)
{
    (void)state;
    struct failing_allocator memory;
    nums map;
    failing_allocator_init(&memory);
    assert_int_equal(nums_init(&map, &(cm_config){.capacity = ROOM, .fixed = true, .allocator = &memory.allocator}),
                     CM_OK);
    memory.fail_all = true;
    size_t requests = memory.requests;
    assert_int_equal(crew_run(4, come_and_go_in_a_fixed_map, &map), 0);
    assert_int_equal(memory.requests, requests);
    assert_int_equal(nums_check(&map, NULL), CM_OK);
    assert_true(nums_len(&map) <= ROOM);
    nums_destroy(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_map_changes_but_does_not_grow),
        cmocka_unit_test(room_that_is_not_used_is_given_back),
        cmocka_unit_test(absent_keys_that_are_only_looked_at_take_no_room),
        cmocka_unit_test(a_copy_has_the_limit),
        cmocka_unit_test(the_dead_take_no_room),
        cmocka_unit_test(failed_allocations_take_no_room),
        cmocka_unit_test(exactly_as_many_come_in_as_there_is_room_for),
        cmocka_unit_test(there_are_never_more),
        cmocka_unit_test(a_fixed_map_takes_any_keys_and_no_memory),
        cmocka_unit_test(places_kept_by_guards_are_used_again),
        cmocka_unit_test(what_cannot_be_fixed_is_refused),
        cmocka_unit_test(many_threads_share_a_fixed_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
