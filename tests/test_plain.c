/* The plain map: what only it has, failures, what is owned, and the flat table below it. */
#include <concmap/plain.h>
#include <stdlib.h>

#include "crew.h"
#include "failing_allocator.h"
#include "shared_type.h"
#include "texts.h"
#include "unit.h"

#include "boxes.h" /* behind all others: it takes the name `all` */

static uint64_t one_hash(const uint64_t *key, uint64_t seed)
{
    (void)key, (void)seed;
    return 7;
}

struct path {
    const char *first, *second;
};

static uint64_t path_hash(const struct path *path, uint64_t seed)
{
    char text[64];
    int len = snprintf(text, sizeof text, "%s/%s", path->first, path->second);
    return cm_hash_bytes(text, (size_t)len, seed);
}

static bool path_equal(const struct path *path, const cm_str *key)
{
    char text[64];
    int len = snprintf(text, sizeof text, "%s/%s", path->first, path->second);
    return key->len == (size_t)len && memcmp(key->data, text, key->len) == 0;
}

CM_PLAIN_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_PLAIN_MAP(ones, uint64_t, uint64_t, one_hash, cm_equal_u64)
CM_PLAIN_MAP(texts, cm_str, uint64_t, cm_hash_str, cm_equal_str)
CM_PLAIN_LOOKUP_BY(texts_by_path, texts, struct path, path_hash, path_equal)
CM_PLAIN_MAP_OWNED(boxes, struct box, struct box, box_hash, box_equal, CM_OWNED(box_clone, box_destroy),
                   CM_OWNED(box_clone, box_destroy))

static void sound(const nums *map)
{
    const char *reason = NULL;
    if (nums_check(map, &reason) != CM_OK)
        fail_msg("%s", reason);
}

static void fill(nums *map, const cm_config *config, uint64_t count)
{
    assert_int_equal(nums_init(map, config), CM_OK);
    for (uint64_t i = 0; i < count; i++)
        assert_int_equal(nums_insert(map, i, i), CM_OK);
}

/* ---- pointers and walks ---- */

static void find_gives_the_value_in_its_place(void **state)
{
    (void)state;
    nums map;
    fill(&map, NULL, 1000);
    *nums_find(&map, 5) = 77;
    assert_int_equal(*nums_find_hashed(&map, nums_hash_of(&map, 5), 5), 77);
    uint64_t value = 0;
    assert_true(nums_get(&map, 5, &value));
    assert_int_equal(value, 77);
    assert_null(nums_find(&map, 1000));
    uint64_t *place = nums_find(&map, 7);
    assert_int_equal(nums_reserve(&map, 1000), CM_OK); /* there is room: nothing moves */
    assert_int_equal(nums_put(&map, 8, 1, NULL), CM_REPLACED);
    assert_ptr_equal(nums_find(&map, 7), place);
    nums_destroy(&map);
}

static void a_walk_in_place_changes_values(void **state)
{
    (void)state;
    nums map;
    fill(&map, NULL, 1000);
    size_t visited = 0;
    CM_FOREACH (nums_place, &map, it) {
        assert_int_equal(*it.key, *it.value);
        *it.value += 1000;
        visited++;
    }
    assert_int_equal(visited, 1000);
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(*nums_find(&map, i), i + 1000);
    nums_destroy(&map);
}

static void what_is_removed_amid_a_walk_is_not_visited(void **state)
{
    (void)state;
    static unsigned char seen[5000];
    memset(seen, 0, sizeof seen);
    nums map;
    size_t removed = 0;
    fill(&map, NULL, 5000);
    CM_FOREACH (nums, &map, it) { /* removes the present one, and one of another thousand */
        seen[it.key]++;
        assert_int_equal(nums_remove(&map, it.key, NULL), CM_OK);
        uint64_t other = (it.key + 1000) % 5000;
        if (!seen[other]) {
            assert_int_equal(nums_remove(&map, other, NULL), CM_OK);
            seen[other] = 100;
            removed++;
        }
    }
    assert_int_equal(nums_len(&map), 0);
    assert_true(removed > 1000);
    for (size_t i = 0; i < 5000; i++)
        assert_true(seen[i] == 1 || seen[i] == 100);
    sound(&map);
    nums_destroy(&map);
}

static void a_walk_ends_where_the_table_has_moved(void **state)
{
    (void)state;
    nums map;
    fill(&map, NULL, 100);
    nums_iter iter = nums_iter_begin(&map);
    assert_true(nums_iter_next(&iter));
    assert_int_equal(nums_reserve(&map, 10000), CM_OK);
    assert_false(nums_iter_next(&iter));
    assert_int_equal(iter.status, CM_INVALID);
    nums_iter_end(&iter);
    size_t steps = 0; /* room was made before: adding is no hindrance */
    CM_FOREACH (nums, &map, it)
        if (steps++ < 100)
            assert_int_equal(nums_insert(&map, 1000 + steps, 0), CM_OK);
    assert_true(steps >= 100 && steps <= 200);
    nums_iter empty = nums_iter_begin(&map);
    assert_int_equal(nums_clear(&map), CM_OK);
    assert_false(nums_iter_next(&empty));
    assert_int_equal(empty.status, CM_OK);
    nums_destroy(&map);
}

/* ---- functions of the user ---- */

static cm_status meddle(uint64_t *value, void *context)
{
    nums *map = context;
    uint64_t before = *value, seen = 0;
    assert_true(nums_get(map, 1, &seen)); /* reading is allowed */
    assert_int_equal(nums_insert(map, 9999, 1), CM_DEADLOCK);
    assert_int_equal(nums_put(map, 2, 1, NULL), CM_DEADLOCK);
    assert_int_equal(nums_remove(map, 2, NULL), CM_DEADLOCK);
    assert_int_equal(nums_update(map, 2, meddle, map), CM_DEADLOCK);
    assert_int_equal(nums_clear(map), CM_DEADLOCK);
    assert_int_equal(nums_reserve(map, 100000), CM_DEADLOCK);
    assert_int_equal(nums_shrink_to_fit(map), CM_DEADLOCK);
    *value = before + 1;
    return CM_OK;
}

static cm_status meddle_keep(const uint64_t *key, const uint64_t *value, void *context)
{
    (void)value;
    assert_int_equal(nums_remove(context, *key, NULL), CM_DEADLOCK);
    return *key % 2 ? CM_OK : CM_ABSENT;
}

static void functions_cannot_change_the_map(void **state)
{
    (void)state;
    nums map;
    fill(&map, NULL, 100);
    assert_int_equal(nums_update(&map, 1, meddle, &map), CM_OK);
    assert_int_equal(nums_upsert(&map, 1, 0, meddle, &map), CM_REPLACED);
    assert_int_equal(*nums_find(&map, 1), 3);
    assert_int_equal(nums_get_or_insert_with(&map, 1000, meddle, &map, NULL), CM_OK);
    assert_int_equal(nums_remove_if(&map, 1000, meddle, &map, NULL), CM_OK);
    assert_int_equal(nums_retain(&map, meddle_keep, &map), CM_OK);
    assert_int_equal(nums_len(&map), 50);
    assert_int_equal(nums_insert(&map, 9999, 1), CM_OK);
    sound(&map);
    nums_destroy(&map);
}

static bool is_even(const uint64_t *value, void *context)
{
    (void)context;
    return *value % 2 == 0;
}

static cm_status add(uint64_t *value, void *context)
{
    *value += *(const uint64_t *)context;
    return CM_OK;
}

static cm_status spoil(uint64_t *value, void *context)
{
    (void)context;
    *value = 12345;
    return CM_IO;
}

static void conditional_changes_tell_what_they_did(void **state)
{
    (void)state;
    nums map;
    uint64_t ten = 10, value = 0;
    fill(&map, NULL, 10);
    assert_int_equal(nums_update_if(&map, 2, is_even, add, &ten), CM_OK);
    assert_int_equal(nums_update_if(&map, 3, is_even, add, &ten), CM_EXISTS);
    assert_int_equal(nums_update_if(&map, 99, is_even, add, &ten), CM_ABSENT);
    assert_int_equal(*nums_find(&map, 2), 12);
    assert_int_equal(nums_remove_if(&map, 2, spoil, NULL, NULL), CM_IO);
    assert_int_equal(nums_replace(&map, 4, 44, &value), CM_REPLACED);
    assert_int_equal(value, 4);
    assert_int_equal(nums_replace(&map, 99, 1, &value), CM_ABSENT);
    value = 5;
    assert_int_equal(nums_compare_exchange(&map, 4, &value, 1, cm_equal_u64), CM_EXISTS);
    assert_int_equal(value, 44);
    assert_int_equal(nums_compare_exchange(&map, 4, &value, 1, cm_equal_u64), CM_REPLACED);
    assert_int_equal(nums_compare_exchange(&map, 99, &value, 1, cm_equal_u64), CM_ABSENT);
    assert_int_equal(nums_take_or(&map, 4, 8, &value), CM_OK);
    assert_int_equal(value, 1);
    assert_int_equal(nums_take_or(&map, 4, 8, &value), CM_ABSENT);
    assert_int_equal(value, 8);
    assert_int_equal(nums_len(&map), 9);
    sound(&map);
    nums_destroy(&map);
}

/* ---- the whole map ---- */

static cm_status collect(const uint64_t *key, uint64_t *value, void *context)
{
    assert_int_equal(*key, *value);
    *(uint64_t *)context += *value;
    return CM_OK;
}

static cm_status is_small(const uint64_t *key, const uint64_t *value, void *context)
{
    (void)value, (void)context;
    return *key < 10 ? CM_OK : CM_ABSENT;
}

static cm_status take_theirs(uint64_t *mine, const uint64_t *theirs, void *context)
{
    (void)context;
    *mine += *theirs;
    return CM_OK;
}

static void whole_map_work_does_what_it_says(void **state)
{
    (void)state;
    nums map, copy, moved;
    uint64_t sum = 0, keys[100], values[100];
    size_t count = 0;
    fill(&map, NULL, 100);
    assert_int_equal(nums_clone(&copy, &map), CM_OK);
    assert_int_equal(nums_equals(&copy, &map, cm_equal_u64), CM_OK);
    assert_int_equal(nums_extract_if(&map, is_small, collect, &sum), CM_OK);
    assert_int_equal(sum, 45);
    assert_int_equal(nums_len(&map), 90);
    assert_int_equal(nums_equals(&copy, &map, cm_equal_u64), CM_ABSENT);
    assert_int_equal(nums_merge(&map, &copy, take_theirs, NULL), CM_OK);
    assert_int_equal(*nums_find(&map, 50), 100);
    assert_int_equal(*nums_find(&map, 5), 5);
    assert_int_equal(nums_merge(&map, &map, NULL, NULL), CM_INVALID);
    assert_int_equal(nums_to_arrays(&copy, keys, values, 99, &count), CM_FULL);
    assert_int_equal(nums_to_arrays(&copy, keys, values, 100, &count), CM_OK);
    assert_int_equal(count, 100);
    nums_swap(&map, &copy);
    assert_int_equal(*nums_find(&copy, 50), 100);
    assert_int_equal(nums_move(&moved, &copy), CM_OK);
    assert_int_equal(nums_len(&copy), 0);
    assert_int_equal(nums_len(&moved), 100);
    assert_int_equal(nums_insert(&copy, 1, 1), CM_OK);
    sum = 0;
    assert_int_equal(nums_drain(&map, collect, &sum), CM_OK);
    assert_int_equal(sum, 4950);
    assert_int_equal(nums_len(&map), 0);
    assert_int_equal(nums_shrink_to_fit(&map), CM_OK);
    assert_int_equal(nums_memory(&map).total, 0);
    sound(&map), sound(&copy), sound(&moved);
    nums_destroy(&map), nums_destroy(&copy), nums_destroy(&moved);
}

static void a_static_map_needs_no_init(void **state)
{
    (void)state;
    static nums map = CM_PLAIN_INITIALIZER, other = CM_PLAIN_INITIALIZER;
    nums copy;
    assert_false(nums_contains(&map, 1));
    assert_null(nums_find(&map, 1));
    assert_int_equal(nums_remove(&map, 1, NULL), CM_ABSENT);
    assert_int_equal(nums_clone(&copy, &other), CM_OK);
    assert_int_equal(nums_check(&map, NULL), CM_OK);
    assert_int_equal(nums_put(&copy, 1, 2, NULL), CM_OK);
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(nums_put(&map, i, 2, NULL), CM_OK);
    assert_int_equal(nums_reserve(&other, 5000), CM_OK);
    sound(&map), sound(&copy), sound(&other);
    nums_destroy(&map), nums_destroy(&copy), nums_destroy(&other);
}

/* Several threads may read a map that nobody has added to yet. */
static void who_reads_a_static_map_writes_nothing(void **state)
{
    (void)state;
    static nums map = CM_PLAIN_INITIALIZER, untouched = CM_PLAIN_INITIALIZER;
    const uint64_t keys[3] = {1, 2, 3};
    bool found[3];
    uint64_t values[3];
    assert_int_equal(nums_get_many(&map, keys, 3, found, values), 0);
    assert_false(nums_get(&map, 1, values) || nums_contains(&map, 1) || nums_find(&map, 1));
    CM_FOREACH (nums, &map, it)
        fail();
    assert_memory_equal(&map, &untouched, sizeof map);
    nums_destroy(&map);
}

static void small_maps_take_little(void **state)
{
    (void)state;
    nums map;
    fill(&map, NULL, 0);
    assert_int_equal(nums_memory(&map).total, 0);
    size_t before = 0;
    for (uint64_t i = 0; i < 15; i++) {
        assert_int_equal(nums_insert(&map, i, i), CM_OK);
        size_t bytes = nums_memory(&map).total;
        assert_true(bytes >= before && bytes <= 16 + (i < 3 ? 3 : i < 7 ? 7 : 15) * 16);
        before = bytes;
        sound(&map);
    }
    for (uint64_t i = 0; i < 14; i++)
        assert_int_equal(nums_remove(&map, i, NULL), CM_OK);
    assert_int_equal(nums_shrink_to_fit(&map), CM_OK);
    assert_true(nums_memory(&map).total <= 16 + 3 * 16);
    assert_int_equal(*nums_find(&map, 14), 14);
    sound(&map);
    nums_destroy(&map);
}

/* ---- limits ---- */

static void a_limit_is_exact(void **state)
{
    (void)state;
    for (size_t limit = 1; limit < 100; limit += 3) {
        nums map;
        fill(&map, &(cm_config){.limit = limit}, limit);
        assert_int_equal(nums_insert(&map, 1000, 1), CM_FULL);
        assert_int_equal(nums_get_or_insert_with(&map, 1000, spoil, NULL, NULL), CM_FULL);
        assert_int_equal(nums_put(&map, 0, 9, NULL), CM_REPLACED);
        assert_int_equal(nums_reserve(&map, limit + 1), CM_FULL);
        assert_int_equal(nums_remove(&map, 0, NULL), CM_OK);
        assert_int_equal(nums_insert(&map, 1000, 1), CM_OK);
        assert_int_equal(nums_insert(&map, 1001, 1), CM_FULL);
        sound(&map);
        nums_destroy(&map);
    }
}

static void a_fixed_map_never_asks_for_memory(void **state)
{
    (void)state;
    struct failing_allocator memory;
    nums map;
    failing_allocator_init(&memory);
    cm_config config = {.capacity = 1000, .fixed = true, .allocator = &memory.allocator};
    assert_int_equal(nums_init(&map, &config), CM_OK);
    size_t requests = memory.requests;
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(nums_insert(&map, i, i), CM_OK);
    assert_int_equal(nums_insert(&map, 1000, 1), CM_FULL);
    assert_int_equal(nums_clear(&map), CM_OK);
    assert_int_equal(nums_shrink_to_fit(&map), CM_OK);
    assert_int_equal(nums_insert(&map, 1000, 1), CM_OK);
    assert_int_equal(memory.requests, requests);
    nums_destroy(&map);
    texts words;
    assert_int_equal(texts_init(&words, &config), CM_INVALID);
    assert_int_equal(nums_init(&map, &(cm_config){.fixed = true}), CM_INVALID);
    assert_int_equal(nums_init(&map, &(cm_config){.budget = 1}), CM_INVALID);
    assert_int_equal(nums_init(&map, &(cm_config){.capacity = SIZE_MAX / 8}), CM_NOMEM);
    assert_int_equal(nums_init(&map, &(cm_config){.capacity = SIZE_MAX}), CM_NOMEM);
    assert_int_equal(memory.live_blocks + memory.mistakes, 0);
}

/* ---- lack of memory ---- */

static void growth_that_fails_is_put_off_while_there_are_slots(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    for (uint64_t first = 1; first < 500; first = first * 2 + 1) {
        nums map;
        fill(&map, &(cm_config){.allocator = &memory.allocator}, first);
        memory.fail_all = true;
        uint64_t next = first;
        while (nums_insert(&map, next, next) == CM_OK)
            next++;
        assert_int_equal(nums_insert(&map, next, next), CM_NOMEM);
        assert_int_equal(nums_reserve(&map, 10000), CM_NOMEM);
        uint64_t slots = next;
        assert_true(slots <= 7 || slots % 15 == 0); /* there is truly none */
        for (uint64_t i = 0; i < next; i++)
            assert_int_equal(*nums_find(&map, i), i);
        assert_int_equal(nums_remove(&map, 0, NULL), CM_OK);
        assert_int_equal(nums_insert(&map, next, next), CM_OK);
        memory.fail_all = false;
        sound(&map);
        assert_int_equal(nums_insert(&map, next + 1, 0), CM_OK);
        sound(&map);
        nums_destroy(&map);
        assert_int_equal(memory.live_blocks + memory.mistakes, 0);
    }
}

/* Every request fails once, at random, beside a plain array. */
static void every_failure_leaves_the_map_as_it_was(void **state)
{
    (void)state;
    static bool present[2000];
    memset(present, 0, sizeof present);
    struct failing_allocator memory;
    uint64_t random = crew_seed("failures");
    size_t len = 0, failed = 0;
    texts map;
    failing_allocator_init(&memory);
    memory.misaligned = true;
    assert_int_equal(texts_init(&map, &(cm_config){.allocator = &memory.allocator}), CM_OK);
    for (size_t step = 0; step < crew_scale(200000); step++) {
        uint64_t i = crew_random(&random) % (step % 20000 < 10000 ? 2000 : 20);
        if (step % 3 == 0)
            failing_allocator_fail_at(&memory, 1 + crew_random(&random) % 3);
        cm_status status = crew_random(&random) % 2 ? texts_insert(&map, text_of(i, 100), i)
                                                    : texts_remove(&map, text_of(i, 100), NULL);
        if (status == CM_NOMEM)
            failed++;
        else if (status == CM_OK)
            present[i] = !present[i], len += present[i] ? 1 : (size_t)-1;
        if (step % 5000 == 0)
            assert_true(texts_shrink_to_fit(&map) <= CM_OK);
        assert_int_equal(texts_contains(&map, text_of(i, 100)), present[i]);
        assert_int_equal(texts_len(&map), len);
        if (step % 1000 == 0) {
            failing_allocator_restart(&memory);
            assert_int_equal(texts_check(&map, NULL), CM_OK);
        }
    }
    assert_true(failed > 100);
    texts_destroy(&map);
    assert_int_equal(memory.live_blocks, 0);
    assert_int_equal(memory.live_bytes, 0);
    assert_int_equal(memory.mistakes, 0);
}

/* ---- what is owned ---- */

static cm_status box_ten(struct box *box, void *context)
{
    (void)context;
    *box->number += 10;
    return CM_OK;
}

static cm_status box_refuse(struct box *box, void *context)
{
    (void)box, (void)context;
    return CM_INVALID;
}

static cm_status box_make(struct box *box, void *context)
{
    (void)context;
    *box = box_of(7);
    return CM_OK;
}

static bool box_same(const struct box *a, const struct box *b)
{
    return *a->number == *b->number;
}

static cm_status box_take(const struct box *key, struct box *value, void *context)
{
    assert_int_equal(*key->number % 100, *value->number % 100);
    box_destroy(value, context);
    return CM_OK;
}

static cm_status box_odd(const struct box *key, const struct box *value, void *context)
{
    (void)value, (void)context;
    return *key->number % 2 ? CM_OK : CM_ABSENT;
}

static cm_status box_add(struct box *mine, const struct box *theirs, void *context)
{
    (void)context;
    *mine->number += *theirs->number;
    return CM_OK;
}

/* Random calls; each may have its clone fail. Whatever they come to, nothing is lost or destroyed twice. */
static void each_box_is_destroyed_once(void **state)
{
    (void)state;
    uint64_t random = crew_seed("boxes");
    boxes map;
    all = (struct owner){0};
    assert_int_equal(boxes_init(&map, &(cm_config){.context = &all, .limit = 150}), CM_OK);
    for (size_t step = 0; step < crew_scale(100000); step++) {
        struct box key = box_of(crew_random(&random) % 200), value = box_of(*key.number), old = {NULL};
        uint64_t call = crew_random(&random) % 14;
        bool takes = true, gave = false;
        cm_status status;
        all.clones = 0;
        all.fail_at = crew_random(&random) % 4;
        switch (call) {
        case 0:
            status = boxes_insert(&map, key, value);
            break;
        case 1:
            status = boxes_put(&map, key, value, NULL);
            break;
        case 2:
            status = boxes_put(&map, key, value, &old), gave = status == CM_REPLACED;
            break;
        case 3:
            status = boxes_upsert(&map, key, value, box_ten, NULL);
            break;
        case 4:
            status = boxes_upsert(&map, key, value, box_refuse, NULL);
            break;
        case 5:
            status = boxes_get_or_insert(&map, key, value, &old), gave = status >= 0;
            break;
        case 6:
            status = boxes_replace(&map, key, value, NULL);
            break;
        case 7:
            status = boxes_compare_exchange(&map, key, &key, value, box_same);
            break;
        case 8:
            status = boxes_take_or(&map, key, value, &old), gave = status >= 0;
            break;
        case 9:
            status = boxes_get_or_insert_with(&map, key, box_make, NULL, &old), gave = status >= 0, takes = false;
            break;
        case 10:
            status = boxes_remove(&map, key, &old), gave = status == CM_OK, takes = false;
            break;
        case 11:
            status = boxes_remove(&map, key, NULL), takes = false;
            break;
        case 12:
            gave = boxes_get(&map, key, &old), status = CM_OK, takes = false;
            break;
        default:
            status = boxes_remove_if(&map, key, box_ten, NULL, NULL), takes = false;
        }
        if (!takes || status < 0)
            drop(value);
        if (gave)
            drop(old);
        drop(key);
        assert_int_equal(all.live, 2 * boxes_len(&map));
    }
    all.fail_at = 0;
    boxes copy;
    assert_int_equal(boxes_clone(&copy, &map), CM_OK);
    assert_int_equal(boxes_merge(&copy, &map, box_add, NULL), CM_OK);
    assert_int_equal(boxes_merge(&copy, &map, NULL, NULL), CM_OK);
    assert_int_equal(boxes_equals(&copy, &map, box_same), CM_OK);
    all.fail_at = all.clones + 11;
    assert_int_equal(boxes_merge(&copy, &map, NULL, NULL), boxes_len(&map) > 10 ? CM_NOMEM : CM_OK);
    all.fail_at = 0;
    assert_int_equal(all.live, 2 * boxes_len(&map) + 2 * boxes_len(&copy));
    assert_int_equal(boxes_retain(&copy, box_odd, NULL), CM_OK);
    assert_int_equal(all.live, 2 * boxes_len(&map) + 2 * boxes_len(&copy));
    assert_int_equal(boxes_clear(&copy), CM_OK);
    boxes_destroy(&copy);
    assert_int_equal(all.live, 2 * boxes_len(&map));
    all.fail_at = all.clones + 5;
    assert_int_equal(boxes_clone(&copy, &map), CM_NOMEM);
    assert_int_equal(all.live, 2 * boxes_len(&map));
    size_t count;
    struct box box;
    assert_int_equal(boxes_to_arrays(&map, &box, NULL, 1, &count), CM_INVALID);
    boxes_destroy(&map);
    assert_int_equal(all.live, 0);
    all = (struct owner){0};
    assert_int_equal(boxes_init(&map, &(cm_config){.context = &all}), CM_OK);
    for (uint64_t i = 0; i < 100; i++) {
        struct box key = box_of(i);
        assert_int_equal(boxes_put(&map, key, box_of(i), NULL), CM_OK);
        drop(key);
    }
    assert_int_equal(boxes_extract_if(&map, box_odd, box_take, &all), CM_OK);
    assert_int_equal(boxes_len(&map), 50);
    assert_int_equal(boxes_drain(&map, box_take, &all), CM_OK);
    assert_int_equal(all.live, 0);
    boxes_destroy(&map);
}

/* ---- texts ---- */

static void texts_are_the_maps_own(void **state)
{
    (void)state;
    texts map;
    char word[] = "usr/bin";
    uint64_t value = 0;
    assert_int_equal(texts_init(&map, NULL), CM_OK);
    assert_int_equal(texts_put(&map, cm_str_of(word), 1, NULL), CM_OK);
    word[0] = 'X';
    assert_true(texts_contains(&map, cm_str_of("usr/bin")));
    assert_int_equal(texts_memory(&map).nodes, 7);
    assert_true(texts_by_path_get(&map, (struct path){"usr", "bin"}, &value));
    assert_int_equal(value, 1);
    assert_false(texts_by_path_contains(&map, (struct path){"usr", "lib"}));
    assert_int_equal(texts_by_path_remove(&map, (struct path){"usr", "bin"}, &value), CM_OK);
    assert_int_equal(texts_memory(&map).nodes, 0);
    assert_int_equal(texts_put(&map, cm_str_of(""), 5, NULL), CM_OK);
    assert_true(texts_contains(&map, cm_str_of(NULL)));
    texts_destroy(&map);
}

/* ---- the table ---- */

/* More than 255 entries pass the groups of one home; after they have gone, all is found still, and told absent. */
static void counts_that_are_saturated_stay_so(void **state)
{
    (void)state;
    ones map;
    const char *reason = NULL;
    assert_int_equal(ones_init(&map, NULL), CM_OK);
    for (uint64_t i = 0; i < 2000; i++)
        assert_int_equal(ones_insert(&map, i, i), CM_OK);
    assert_int_equal(ones_check(&map, &reason), CM_OK);
    for (uint64_t i = 0; i < 2000; i++) {
        assert_int_equal(ones_remove(&map, i * 7 % 2000, NULL), CM_OK);
        assert_false(ones_contains(&map, i * 7 % 2000));
        if (i % 100 == 0)
            assert_int_equal(ones_check(&map, &reason), CM_OK);
    }
    assert_false(ones_contains(&map, 5)); /* and a search ends */
    assert_int_equal(ones_insert(&map, 5, 6), CM_OK);
    assert_int_equal(*ones_find(&map, 5), 6);
    assert_int_equal(ones_check(&map, &reason), CM_OK);
    ones_destroy(&map);
}

/* Of a group's entries the last ones are more than 4 GiB behind the first. Only their keys are touched. */
static void entries_of_any_size_are_found(void **state)
{
    (void)state;
    enum { ENTRIES = 15 };
    struct cm_type large = nums_type_;
    struct cm_flat_ flat;
    large.value_size = sizeof(size_t) > 4 ? (size_t)400 << 20 : 4000;
    if (CM_ASAN || CM_TSAN || !cm_flat_make_(&flat, &large, cm_allocator_default(), ENTRIES))
        skip(); /* so much address space is not to be had */
    for (uint64_t key = 0; key < ENTRIES; key++)
        memcpy(cm_flat_take_(&large, &flat, large.hash(&key, 1)).entry, &key, sizeof key);
    for (uint64_t key = 0; key < ENTRIES; key++) {
        const char *entry = cm_flat_find_(&large, &flat, &key, large.hash(&key, 1)).entry;
        assert_ptr_equal(entry, cm_flat_entry_(&large, &flat, 0, (unsigned)key));
    }
    cm_flat_free_(&flat, cm_allocator_default());
}

static void check_sees_what_is_wrong(void **state)
{
    (void)state;
    nums map;
    const char *reason = NULL;
    fill(&map, &(cm_config){.seed = 5}, 10000);
    struct cm_flat_ *flat = &map.core.flat;
    for (size_t byte = 0; byte < 64; byte++) { /* each tag and each count matters */
        uint8_t before = flat->tags[byte];
        if (byte % 16 == CM_PASSED_ && before == CM_PASSED_MANY_)
            continue;
        flat->tags[byte] = before == 9 ? 10 : 9;
        assert_int_equal(nums_check(&map, &reason), CM_CORRUPT);
        assert_non_null(reason);
        flat->tags[byte] = before;
        sound(&map);
    }
    flat->len++;
    assert_int_equal(nums_check(&map, &reason), CM_CORRUPT);
    flat->len--;
    struct cm_flat_walk_ walk = cm_flat_walk_begin_();
    uint64_t *first = (uint64_t *)(void *)cm_flat_walk_next_(&nums_type_, flat, &walk).entry;
    uint64_t before = first[0];
    first[0] = before + 1;
    assert_int_equal(nums_check(&map, &reason), CM_CORRUPT);
    first[0] = before;
    sound(&map);
    nums_destroy(&map);
}

/* Half a million random operations, entries coming and going at a load that never lets the table rest. */
static void counts_stay_exact_over_time(void **state)
{
    (void)state;
    uint64_t random = crew_seed("churn");
    static bool present[6000];
    memset(present, 0, sizeof present);
    nums map;
    fill(&map, &(cm_config){.capacity = 3328}, 0); /* 256 groups, full */
    size_t bytes = nums_memory(&map).total, len = 0;
    for (size_t step = 0; step < crew_scale(500000); step++) {
        uint64_t i = crew_random(&random) % 6000;
        if (present[i] || len == 3328) {
            assert_int_equal(nums_remove(&map, i, NULL), present[i] ? CM_OK : CM_ABSENT);
            len -= present[i];
            present[i] = false;
        } else {
            assert_int_equal(nums_insert(&map, i, i), CM_OK);
            present[i] = true;
            len++;
        }
        if (step % 10000 == 0)
            sound(&map);
    }
    for (uint64_t i = 0; i < 6000; i++)
        assert_int_equal(nums_contains(&map, i), present[i]);
    assert_int_equal(nums_memory(&map).total, bytes); /* it never had to be made anew */
    sound(&map);
    nums_destroy(&map);
}

/* ---- types of many files ---- */

static void a_declared_type_is_used_from_another_file(void **state)
{
    (void)state;
    ledger map;
    uint64_t value = 0;
    assert_int_equal(ledger_init(&map, NULL), CM_OK);
    assert_int_equal(ledger_put(&map, cm_str_of("one"), 1, NULL), CM_OK);
    assert_true(ledger_get(&map, cm_str_of("one"), &value));
    assert_int_equal(*ledger_find(&map, cm_str_of("one")), 1);
    CM_FOREACH (ledger_place, &map, it)
        *it.value = 2;
    assert_int_equal(ledger_take_or(&map, cm_str_of("one"), 0, &value), CM_OK);
    assert_int_equal(value, 2);
    ledger_destroy(&map);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(find_gives_the_value_in_its_place),
        cmocka_unit_test(a_walk_in_place_changes_values),
        cmocka_unit_test(what_is_removed_amid_a_walk_is_not_visited),
        cmocka_unit_test(a_walk_ends_where_the_table_has_moved),
        cmocka_unit_test(functions_cannot_change_the_map),
        cmocka_unit_test(conditional_changes_tell_what_they_did),
        cmocka_unit_test(whole_map_work_does_what_it_says),
        cmocka_unit_test(a_static_map_needs_no_init),
        cmocka_unit_test(who_reads_a_static_map_writes_nothing),
        cmocka_unit_test(small_maps_take_little),
        cmocka_unit_test(a_limit_is_exact),
        cmocka_unit_test(a_fixed_map_never_asks_for_memory),
        cmocka_unit_test(growth_that_fails_is_put_off_while_there_are_slots),
        cmocka_unit_test(every_failure_leaves_the_map_as_it_was),
        cmocka_unit_test(each_box_is_destroyed_once),
        cmocka_unit_test(texts_are_the_maps_own),
        cmocka_unit_test(counts_that_are_saturated_stay_so),
        cmocka_unit_test(entries_of_any_size_are_found),
        cmocka_unit_test(check_sees_what_is_wrong),
        cmocka_unit_test(counts_stay_exact_over_time),
        cmocka_unit_test(a_declared_type_is_used_from_another_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
