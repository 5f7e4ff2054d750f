/* Dynamic maps are saved and loaded as typed ones are, and the streams are the same. */
#include <concmap/any_anchored.h>
#include <concmap/saved.h>
#include <unistd.h>

#include "buffer.h"
#include "failing_allocator.h"
#include "texts.h"
#include "unit.h"

CM_SHARDED_MAP(words, cm_str, uint64_t, cm_hash_str, cm_equal_str)
CM_SAVED(words, 3)
CM_ANCHORED_MAP(symbols, cm_str, uint64_t, cm_hash_str, cm_equal_str)
CM_SAVED(symbols, 3)

static struct cm_type words_dynamic(void)
{
    struct cm_type type;
    cm_any_type_text(&type, sizeof(uint64_t));
    type.version = 3;
    return type;
}

static void any_fill(cm_any *map, const struct cm_type *type, uint64_t count)
{
    assert_int_equal(cm_any_init(map, type, NULL), CM_OK);
    for (uint64_t i = 0; i < count; i++) {
        cm_str key = text_of(i, 40);
        assert_int_equal(cm_any_put(map, &key, &i, NULL), CM_OK);
    }
}

static bool any_has(const cm_any *map, uint64_t count)
{
    bool has = cm_any_len(map) == count;
    for (uint64_t i = 0; i < count; i++) {
        cm_str key = text_of(i, 40);
        uint64_t value = 0;
        has = has && cm_any_get(map, &key, &value) && value == i;
    }
    return has;
}

static bool anchored_has(const cm_any_anchored *map, uint64_t count)
{
    bool has = cm_any_anchored_len(map) == count;
    for (uint64_t i = 0; i < count; i++) {
        cm_str key = text_of(i, 40);
        const uint64_t *value = cm_any_anchored_get(map, &key);
        has = has && value && *value == i;
    }
    return has;
}

static void a_typed_map_and_a_dynamic_one_load_what_the_other_saved(void **state)
{
    (void)state;
    struct cm_type type = words_dynamic();
    struct buffer typed = {.bytes = NULL}, dynamic = {.bytes = NULL};
    cm_sink to_typed = buffer_sink(&typed), to_dynamic = buffer_sink(&dynamic);
    words hashed;
    symbols kept;
    cm_any any;
    cm_any_anchored anchored;
    assert_int_equal(words_init(&hashed, NULL), CM_OK);
    for (uint64_t i = 0; i < 9000; i++)
        assert_int_equal(words_put(&hashed, text_of(i, 40), i, NULL), CM_OK);
    assert_int_equal(words_save(&hashed, &to_typed, NULL, NULL), CM_OK);
    words_destroy(&hashed);

    cm_source source = buffer_source(&typed);
    assert_int_equal(cm_any_load(&any, &type, NULL, &source, NULL, NULL), CM_OK);
    assert_true(any_has(&any, 9000));
    source = buffer_source(&typed);
    assert_int_equal(cm_any_anchored_load(&anchored, &type, NULL, &source, NULL, NULL), CM_OK);
    assert_true(anchored_has(&anchored, 9000));

    assert_int_equal(cm_any_try_save(&any, &to_dynamic, NULL, NULL), CM_OK);
    assert_int_equal(dynamic.size, typed.size);
    source = buffer_source(&dynamic);
    assert_int_equal(words_load(&hashed, NULL, &source, NULL, NULL), CM_OK);
    assert_int_equal(words_len(&hashed), 9000);
    words_destroy(&hashed);
    dynamic.size = 0;
    assert_int_equal(cm_any_anchored_save_until(&anchored, &to_dynamic, NULL, NULL, CM_FOREVER), CM_OK);
    source = buffer_source(&dynamic);
    assert_int_equal(symbols_load(&kept, NULL, &source, NULL, NULL), CM_OK);
    assert_int_equal(symbols_len(&kept), 9000);
    symbols_destroy(&kept);
    cm_any_destroy(&any);
    cm_any_anchored_destroy(&anchored);
    buffer_free(&typed);
    buffer_free(&dynamic);
}

static void files_hold_maps_and_snapshots(void **state)
{
    (void)state;
    struct cm_type type = words_dynamic();
    char path[] = "/tmp/concmap-any-XXXXXX";
    const char *reason = "none";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    cm_any map, loaded;
    cm_any_anchored anchored;
    cm_any_snapshot snapshot;
    any_fill(&map, &type, 1000);
    assert_int_equal(cm_any_snapshot_take(&map, &snapshot), CM_OK);
    assert_int_equal(cm_any_save_file(&map, path, NULL, &reason), CM_OK);
    assert_null(reason);
    assert_int_equal(cm_any_anchored_load_file(&anchored, &type, NULL, path, NULL, &reason), CM_OK);
    assert_true(anchored_has(&anchored, 1000));
    assert_int_equal(cm_any_clear(&map), CM_OK);
    assert_int_equal(cm_any_snapshot_save_file(&snapshot, path, NULL, &reason), CM_OK);
    assert_int_equal(cm_any_load_file(&loaded, &type, NULL, path, NULL, &reason), CM_OK);
    assert_true(any_has(&loaded, 1000));
    cm_any_destroy(&loaded);
    cm_any_snapshot_drop(&snapshot);
    assert_int_equal(cm_any_snapshot_take(&map, &snapshot), CM_OK); /* of an empty map */
    assert_int_equal(cm_any_snapshot_save_file(&snapshot, path, NULL, NULL), CM_OK);
    assert_int_equal(cm_any_load_file(&loaded, &type, NULL, path, NULL, NULL), CM_OK);
    assert_int_equal(cm_any_len(&loaded), 0);
    cm_any_destroy(&loaded);
    cm_any_snapshot_drop(&snapshot);
    assert_int_equal(cm_any_anchored_save_file(&anchored, path, NULL, NULL), CM_OK);
    assert_int_equal(cm_any_load_file(&loaded, &type, NULL, path, NULL, NULL), CM_OK);
    assert_true(any_has(&loaded, 1000));
    cm_any_destroy(&loaded);
    cm_any_anchored_destroy(&anchored);
    cm_any_destroy(&map);
    unlink(path);
    assert_int_equal(cm_any_load_file(&loaded, &type, NULL, path, NULL, &reason), CM_IO);
    assert_non_null(reason);
}

/* ---- what is owned ---- */

static int64_t live; /* texts that somebody has to free */

static cm_status text_clone(void *to, const void *from, void *context)
{
    (void)context;
    const cm_str *text = from;
    cm_status status = cm_any_text_make(to, text->data, text->len);
    live += status == CM_OK;
    return status;
}

static void text_destroy(void *text, void *context)
{
    (void)context;
    live--;
    cm_any_text_free(text);
}

static cm_status text_encode(cm_encoder *to, const void *text, void *context)
{
    (void)context;
    return cm_encode_bytes(to, ((const cm_str *)text)->data, ((const cm_str *)text)->len);
}

static cm_status text_decode(void *text, cm_decoder *from, void *context)
{
    (void)context;
    char bytes[100];
    size_t len = cm_decode_left(from);
    if (len > sizeof bytes || cm_decode_bytes(from, bytes, len) != CM_OK)
        return CM_CORRUPT;
    cm_status status = cm_any_text_make(text, bytes, len);
    live += status == CM_OK;
    return status;
}

/* Keys and values that the map owns, and counts. */
static struct cm_type owners_type(void)
{
    struct cm_type type;
    cm_any_type_text(&type, sizeof(cm_str));
    type.value_alignment = CM_ALIGNOF(cm_str);
    type.key_text = false;
    type.key_clone = type.value_clone = text_clone;
    type.key_destroy = type.value_destroy = text_destroy;
    type.key_encode = type.value_encode = text_encode;
    type.key_decode = type.value_decode = text_decode;
    return type;
}

static void save_owners(struct buffer *buffer, uint64_t count)
{
    struct cm_type type = owners_type();
    cm_sink sink = buffer_sink(buffer);
    cm_any map;
    assert_int_equal(cm_any_init(&map, &type, NULL), CM_OK);
    for (uint64_t i = 0; i < count; i++) {
        cm_str key = text_of(i, 40), value;
        assert_int_equal(text_clone(&value, &key, NULL), CM_OK);
        assert_int_equal(cm_any_put(&map, &key, &value, NULL), CM_OK);
    }
    assert_int_equal(cm_any_save(&map, &sink, NULL, NULL), CM_OK);
    cm_any_destroy(&map);
    assert_int_equal(live, 0);
}

/* Each byte of a stream is wrong once, and the stream ends at each: there is no map, and nothing is left. */
static void what_is_damaged_is_not_loaded(void **state)
{
    (void)state;
    struct cm_type type = owners_type();
    struct buffer buffer = {.bytes = NULL};
    save_owners(&buffer, 20);
    size_t whole = buffer.size;
    for (size_t at = 0; at < whole; at++) {
        const char *reason = NULL;
        cm_any map;
        cm_any_anchored anchored;
        buffer.bytes[at] ^= 0x10;
        cm_source source = buffer_source(&buffer);
        assert_true(cm_any_load(&map, &type, NULL, &source, NULL, &reason) < 0);
        assert_non_null(reason);
        buffer.bytes[at] ^= 0x10;
        buffer.size = at;
        source = buffer_source(&buffer);
        assert_true(cm_any_anchored_load(&anchored, &type, NULL, &source, NULL, NULL) < 0);
        buffer.size = whole;
        assert_int_equal(live, 0);
    }
    buffer_free(&buffer);
}

static void any_request_may_fail_while_a_map_is_loaded(void **state)
{
    (void)state;
    struct cm_type type = owners_type();
    struct buffer buffer = {.bytes = NULL};
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    save_owners(&buffer, 3000);
    for (size_t n = 1; n == 1 || memory.failures; n++) {
        cm_any_anchored map;
        cm_config config = {.allocator = &memory.allocator};
        cm_source source = buffer_source(&buffer);
        failing_allocator_fail_at(&memory, n);
        cm_status status = cm_any_anchored_load(&map, &type, &config, &source, NULL, NULL);
        assert_true(status == CM_OK || (status == CM_NOMEM && memory.failures));
        if (status == CM_OK) {
            assert_int_equal(cm_any_anchored_len(&map), 3000);
            assert_int_equal(live, 6000);
            cm_any_anchored_destroy(&map);
        }
        assert_int_equal(live, 0);
        assert_int_equal(memory.live_blocks, 0);
        assert_int_equal(memory.mistakes, 0);
    }
    buffer_free(&buffer);
}

static void texts_of_the_library_are_saved_without_more_ado(void **state)
{
    (void)state;
    struct cm_type type;
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    cm_any map;
    cm_str key = cm_str_of("key"), value, empty;
    cm_any_type_text(&type, 0);
    cm_any_type_text_values(&type);
    assert_int_equal(cm_any_init(&map, &type, NULL), CM_OK);
    assert_int_equal(cm_any_text_make(&value, "value", 5), CM_OK);
    assert_int_equal(cm_any_put(&map, &key, &value, NULL), CM_OK);
    key = cm_str_of("");
    assert_int_equal(cm_any_text_make(&empty, NULL, 0), CM_OK);
    assert_int_equal(cm_any_put(&map, &key, &empty, NULL), CM_OK);
    assert_int_equal(cm_any_save(&map, &sink, NULL, NULL), CM_OK);
    cm_any_destroy(&map);
    cm_source source = buffer_source(&buffer);
    assert_int_equal(cm_any_load(&map, &type, NULL, &source, NULL, NULL), CM_OK);
    assert_true(cm_any_get(&map, &key, &value));
    assert_int_equal(value.len, 0);
    cm_any_text_free(&value);
    key = cm_str_of("key");
    assert_true(cm_any_get(&map, &key, &value));
    assert_true(value.len == 5 && memcmp(value.data, "value", 5) == 0);
    cm_any_text_free(&value);
    cm_any_destroy(&map);
    buffer_free(&buffer);
}

/* ---- what is refused ---- */

static void what_cannot_be_saved_is_refused(void **state)
{
    (void)state;
    struct cm_type type = owners_type();
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    const char *reason = NULL;
    cm_any map;
    type.value_encode = NULL;
    assert_int_equal(cm_any_init(&map, &type, NULL), CM_INVALID); /* half a codec */
    type.value_decode = NULL;
    assert_int_equal(cm_any_init(&map, &type, NULL), CM_OK);
    assert_int_equal(cm_any_save(&map, &sink, NULL, &reason), CM_INVALID);
    assert_non_null(reason);
    assert_int_equal(buffer.size, 0);
    cm_any_destroy(&map);
    cm_source source = buffer_source(&buffer);
    reason = NULL;
    assert_int_equal(cm_any_load(&map, &type, NULL, &source, NULL, &reason), CM_INVALID);
    assert_non_null(reason);
    type = words_dynamic();
    type.key_encode = text_encode;
    type.key_decode = text_decode;
    assert_int_equal(cm_any_init(&map, &type, NULL), CM_INVALID); /* texts need none */

    type = words_dynamic();
    any_fill(&map, &type, 10);
    assert_int_equal(cm_any_save(&map, &sink, NULL, NULL), CM_OK);
    cm_any_destroy(&map);
    type.version = 4;
    source = buffer_source(&buffer);
    assert_int_equal(cm_any_load(&map, &type, NULL, &source, NULL, &reason), CM_INVALID);
    assert_int_equal(cm_any_load(NULL, &type, NULL, &source, NULL, &reason), CM_INVALID);
    assert_int_equal(cm_any_anchored_load(NULL, &type, NULL, &source, NULL, &reason), CM_INVALID);
    type = words_dynamic();
    source = buffer_source(&buffer);
    assert_int_equal(cm_any_load(&map, &type, &(cm_config){.limit = 5}, &source, NULL, &reason), CM_FULL);
    type.cached = true; /* a cache takes what it has room for */
    source = buffer_source(&buffer);
    assert_int_equal(cm_any_load(&map, &type, &(cm_config){.limit = 5}, &source, NULL, &reason), CM_OK);
    assert_int_equal(cm_any_len(&map), 5);
    cm_any_destroy(&map);
    buffer_free(&buffer);
}

static uint64_t half_hash(const void *key, uint64_t seed)
{
    uint64_t half = *(const uint64_t *)key / 2;
    return cm_hash_u64(&half, seed);
}

static bool half_equal(const void *a, const void *b)
{
    return *(const uint64_t *)a / 2 == *(const uint64_t *)b / 2;
}

static void a_key_that_is_there_twice_is_damage(void **state)
{
    (void)state;
    struct cm_type type;
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    cm_any map;
    cm_any_type_u64(&type, sizeof(uint64_t));
    assert_int_equal(cm_any_init(&map, &type, NULL), CM_OK);
    for (uint64_t i = 0; i < 2000; i++)
        assert_int_equal(cm_any_put(&map, &i, &i, NULL), CM_OK);
    assert_int_equal(cm_any_save(&map, &sink, NULL, NULL), CM_OK);
    cm_any_destroy(&map);
    cm_source source = buffer_source(&buffer);
    assert_int_equal(cm_any_load(&map, &type, NULL, &source, NULL, NULL), CM_OK);
    assert_int_equal(cm_any_len(&map), 2000);
    assert_int_equal(cm_any_check(&map, NULL), CM_OK);
    cm_any_destroy(&map);
    type.key_bitwise = false;
    type.hash = half_hash;
    type.equal = half_equal;
    source = buffer_source(&buffer);
    assert_int_equal(cm_any_load(&map, &type, NULL, &source, NULL, NULL), CM_CORRUPT);
    buffer_free(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_typed_map_and_a_dynamic_one_load_what_the_other_saved),
        cmocka_unit_test(files_hold_maps_and_snapshots),
        cmocka_unit_test(what_is_damaged_is_not_loaded),
        cmocka_unit_test(any_request_may_fail_while_a_map_is_loaded),
        cmocka_unit_test(texts_of_the_library_are_saved_without_more_ado),
        cmocka_unit_test(what_cannot_be_saved_is_refused),
        cmocka_unit_test(a_key_that_is_there_twice_is_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
