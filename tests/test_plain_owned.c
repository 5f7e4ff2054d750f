/* The plain map: what keys and values own, and texts. */
#include <concmap/plain.h>

#include "boxes.h"
#include "crew.h"
#include "unit.h"

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

CM_PLAIN_MAP(texts, cm_str, uint64_t, cm_hash_str, cm_equal_str)

CM_PLAIN_LOOKUP_BY(texts_by_path, texts, struct path, path_hash, path_equal)

CM_PLAIN_MAP_OWNED(boxes, struct box, struct box, box_hash, box_equal, CM_OWNED(box_clone, box_destroy),
                   CM_OWNED(box_clone, box_destroy))

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_box_is_destroyed_once),
        cmocka_unit_test(texts_are_the_maps_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
