/* Saved left-right maps, sets and multimaps: what is loaded is the view that was saved, or nothing; other maps load it,
 * too; and a loaded map goes on as one that was filled by its writer. What the streams of all maps have in common is in
 * test_saved.c. */
#include <concmap/leftright_multimap.h>
#include <concmap/leftright_saved.h>
#include <concmap/leftright_set.h>
#include <concmap/plain.h>
#include <concmap/sharded_set.h>
#include <unistd.h>

#include "buffer.h"
#include "crew.h"
#include "failing_allocator.h"
#include "items.h"
#include "shared_type.h"
#include "texts.h"
#include "unit.h"

#define MANY 40 /* values of the keys that have most: such a bag has an index */

static size_t codec_calls, codec_fails_at;

static cm_status item_encode(cm_encoder *to, const struct item *item, void *context)
{
    (void)context;
    return ++codec_calls == codec_fails_at ? (cm_status)-55 : cm_encode_u64(to, *item->own);
}

static cm_status item_decode(struct item *item, cm_decoder *from, void *context)
{
    uint64_t number;
    (void)context;
    if (++codec_calls == codec_fails_at)
        return (cm_status)-55;
    cm_status status = cm_decode_u64(from, &number);
    if (status == CM_OK)
        *item = item_of(number);
    return status;
}

static uint64_t item_hash(const struct item *item, uint64_t seed)
{
    return cm_hash_u64(item->own, seed);
}

static bool item_equal(const struct item *a, const struct item *b)
{
    return *a->own == *b->own;
}

#define ITEM_OWNER CM_OWNED(item_clone, item_destroy)
#define ITEM_CODED CM_CODED(item_encode, item_decode)

CM_LEFTRIGHT_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_LEFTRIGHT_SAVED(nums, 1)
CM_LEFTRIGHT_MAP(smalls, uint32_t, uint8_t, cm_hash_u32, cm_equal_u32)
CM_LEFTRIGHT_SAVED(smalls, 1)
CM_LEFTRIGHT_MAP_OWNED(owners, struct item, struct item, item_hash, item_equal, ITEM_OWNER, ITEM_OWNER)
CM_LEFTRIGHT_SAVED_CODED(owners, 1, ITEM_CODED, ITEM_CODED)
CM_LEFTRIGHT_SET(names, cm_str, cm_hash_str, cm_equal_str)
CM_LEFTRIGHT_SAVED_SET(names, 1)
CM_LEFTRIGHT_MULTIMAP(bags, cm_str, uint32_t, cm_hash_str, cm_equal_str, cm_hash_u32, cm_equal_u32)
CM_LEFTRIGHT_SAVED_MULTIMAP(bags, 1)
CM_LEFTRIGHT_MULTIMAP_OWNED(hoards, struct item, struct item, item_hash, item_equal, item_hash, item_equal, ITEM_OWNER,
                            ITEM_OWNER)
CM_LEFTRIGHT_SAVED_MULTIMAP_CODED(hoards, 1, ITEM_CODED, ITEM_CODED)
CM_SHARDED_MAP(shards, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_SAVED(shards, 1)
CM_SHARDED_SET(marks_of_names, cm_str, cm_hash_str, cm_equal_str)
CM_SAVED_SET(marks_of_names, 1)

/* How many values the i-th key of a multimap has: none, one, and more than fit without an index. */
static uint64_t count_at(uint64_t i)
{
    return i % 7 == 3 ? MANY : i % 4;
}

/* The n-th of them: each is there twice. */
static uint64_t value_at(uint64_t i, uint64_t n)
{
    return 100 * i + n / 2;
}

/* ---- each kind of map: filled, and looked at ---- */

static void nums_fill(nums_writer *writer, uint64_t i)
{
    assert_int_equal(nums_put(writer, i, 3 * i, NULL), CM_OK);
}

static bool nums_is_right(const nums_view *view, uint64_t i)
{
    const uint64_t *value = nums_view_get(view, i);
    return value && *value == 3 * i;
}

static void owners_fill(owners_writer *writer, uint64_t i)
{
    struct item key = item_of(i);
    assert_int_equal(owners_insert(writer, key, item_of(3 * i)), CM_OK);
    item_destroy(&key, NULL);
}

static bool owners_is_right(const owners_view *view, uint64_t i)
{
    struct item key = {&i};
    const struct item *value = owners_view_get(view, key);
    return value && *value->own == 3 * i;
}

static void names_fill(names_writer *writer, uint64_t i)
{
    char text[64];
    assert_int_equal(names_add(writer, text_at(text, i)), CM_OK);
}

static bool names_is_right(const names_view *view, uint64_t i)
{
    char text[64];
    return names_view_contains(view, text_at(text, i));
}

static void bags_fill(bags_writer *writer, uint64_t i)
{
    char text[64];
    cm_str key = text_at(text, i);
    assert_int_equal(bags_insert(writer, key, 1), CM_OK);
    assert_int_equal(bags_clear_entry(writer, key), CM_OK);
    for (uint64_t n = 0; n < count_at(i); n++)
        assert_int_equal(bags_insert(writer, key, (uint32_t)value_at(i, n)), CM_OK);
}

static bool bags_is_right(const bags_view *view, uint64_t i)
{
    char text[64];
    size_t count, n = 0;
    cm_str key = text_at(text, i);
    const uint32_t *values = bags_view_get(view, key, &count);
    while (n < count && values[n] == value_at(i, n))
        n++;
    return values && n == count && n == count_at(i) &&
           (n == 0 || bags_view_contains_value(view, key, (uint32_t)value_at(i, n - 1)));
}

static void hoards_fill(hoards_writer *writer, uint64_t i)
{
    struct item key = item_of(i);
    assert_int_equal(hoards_insert(writer, key, item_of(1)), CM_OK);
    assert_int_equal(hoards_clear_entry(writer, key), CM_OK);
    for (uint64_t n = 0; n < count_at(i); n++)
        assert_int_equal(hoards_insert(writer, key, item_of(value_at(i, n))), CM_OK);
    item_destroy(&key, NULL);
}

static bool hoards_is_right(const hoards_view *view, uint64_t i)
{
    struct item key = {&i};
    size_t count, n = 0;
    const struct item *values = hoards_view_get(view, key, &count);
    while (n < count && *values[n].own == value_at(i, n))
        n++;
    return values && n == count && n == count_at(i);
}

/* Functions of a kind: one that makes a map of `count` entries and saves it; and one that loads it, looks whether there
 * are the first `count` entries, has the writer add one, and looks at both sides. */
#define KIND(name)                                                                                                     \
    static cm_status name##_save_to(struct buffer *buffer, uint64_t count, const cm_config *config)                    \
    {                                                                                                                  \
        name map;                                                                                                      \
        name##_writer writer;                                                                                          \
        name##_reader reader;                                                                                          \
        cm_sink sink = buffer_sink(buffer);                                                                            \
        cm_status status = CM_OK;                                                                                      \
        assert_int_equal(name##_init(&map, config), CM_OK);                                                            \
        assert_int_equal(name##_writer_open(&map, &writer), CM_OK);                                                    \
        assert_int_equal(name##_reader_open(&map, &reader), CM_OK);                                                    \
        for (uint64_t i = 0; i < count; i++)                                                                           \
            name##_fill(&writer, i);                                                                                   \
        assert_int_equal(name##_set_meta(&writer, 1000 + count), CM_OK);                                               \
        assert_int_equal(name##_publish(&writer), CM_OK);                                                              \
        CM_WITH_VIEW (name, &reader, view)                                                                             \
            status = name##_view_save(view, &sink, NULL, NULL);                                                        \
        name##_destroy(&map);                                                                                          \
        return status;                                                                                                 \
    }                                                                                                                  \
    static void name##_look(const name *map, uint64_t count)                                                           \
    {                                                                                                                  \
        name##_reader reader;                                                                                          \
        assert_int_equal(name##_reader_open(map, &reader), CM_OK);                                                     \
        CM_WITH_VIEW (name, &reader, view) {                                                                           \
            assert_int_equal(name##_view_len(view), count);                                                            \
            for (uint64_t i = 0; i < count; i++)                                                                       \
                assert_true(name##_is_right(view, i));                                                                 \
        }                                                                                                              \
        assert_int_equal(name##_reader_close(&reader), CM_OK);                                                         \
    }                                                                                                                  \
    static void name##_go_on(const name *map, uint64_t count)                                                          \
    {                                                                                                                  \
        const char *wrong = NULL;                                                                                      \
        name##_writer writer;                                                                                          \
        assert_int_equal(name##_writer_open(map, &writer), CM_OK);                                                     \
        assert_false(name##_has_pending(&writer));                                                                     \
        for (int side = 0; side < 2; side++) { /* both are looked at, and compared */                                  \
            assert_int_equal(name##_begin(&writer), CM_OK);                                                            \
            if (name##_check(map, &wrong) != CM_OK)                                                                    \
                fail_msg("%s", wrong);                                                                                 \
            name##_look(map, count);                                                                                   \
            assert_int_equal(name##_publish(&writer), CM_OK);                                                          \
        }                                                                                                              \
        for (uint64_t more = count; more < 2 * count + 1; more++)                                                      \
            name##_fill(&writer, more);                                                                                \
        name##_look(map, count);                                                                                       \
        assert_int_equal(name##_publish(&writer), CM_OK);                                                              \
        name##_look(map, 2 * count + 1);                                                                               \
        assert_int_equal(name##_begin(&writer), CM_OK);                                                                \
        if (name##_check(map, &wrong) != CM_OK)                                                                        \
            fail_msg("%s", wrong);                                                                                     \
    }                                                                                                                  \
    static cm_status name##_load_of(struct buffer *buffer, uint64_t count, const cm_config *config,                    \
                                    const char **reason)                                                               \
    {                                                                                                                  \
        name map;                                                                                                      \
        name##_reader reader;                                                                                          \
        cm_source source = buffer_source(buffer);                                                                      \
        cm_status status = name##_load(&map, config, &source, NULL, reason);                                           \
        if (status != CM_OK)                                                                                           \
            return status;                                                                                             \
        if (count) {                                                                                                   \
            assert_int_equal(name##_reader_open(&map, &reader), CM_OK);                                                \
            CM_WITH_VIEW (name, &reader, view)                                                                         \
                assert_int_equal(name##_view_meta(view), 1000 + count);                                                \
            name##_look(&map, count);                                                                                  \
            name##_go_on(&map, count);                                                                                 \
        }                                                                                                              \
        status = name##_check(&map, NULL); /* which takes memory */                                                    \
        assert_true(status == CM_OK || status == CM_NOMEM);                                                            \
        name##_destroy(&map);                                                                                          \
        return CM_OK;                                                                                                  \
    }

KIND(nums)
KIND(owners)
KIND(names)
KIND(bags)
KIND(hoards)

#define KIND_OF(name)                                                                                                  \
    {                                                                                                                  \
        name##_save_to, name##_load_of                                                                                 \
    }

static const struct kind {
    cm_status (*save)(struct buffer *buffer, uint64_t count, const cm_config *config);
    cm_status (*load)(struct buffer *buffer, uint64_t count, const cm_config *config, const char **reason);
} kinds[] = {KIND_OF(nums), KIND_OF(owners), KIND_OF(names), KIND_OF(bags), KIND_OF(hoards)};

#define KINDS (sizeof kinds / sizeof *kinds)

static struct failing_allocator memory;
static const char *why;

/* Nothing remains, of maps and of failures. `count`: the entries that are expected; 0: whatever there is. */
static cm_status load(size_t kind, struct buffer *buffer, uint64_t count)
{
    why = NULL;
    cm_status status = kinds[kind].load(buffer, count, &(cm_config){.allocator = &memory.allocator}, &why);
    assert_true((status == CM_OK) == (why == NULL));
    assert_int_equal(memory.live_blocks, 0);
    assert_int_equal(memory.mistakes, 0);
    assert_int_equal(alive, 0);
    return status;
}

static void save(size_t kind, struct buffer *buffer, uint64_t count)
{
    *buffer = (struct buffer){.bytes = NULL};
    assert_int_equal(kinds[kind].save(buffer, count, NULL), CM_OK);
    assert_int_equal(alive, 0);
}

static void assert_reason(const char *part)
{
    if (!why || !strstr(why, part))
        fail_msg("the reason is \"%s\", not \"...%s...\"", why ? why : "", part);
}

/* ---- whole streams ---- */

static void what_was_saved_is_loaded_and_goes_on(void **state)
{
    (void)state;
    static const uint64_t counts[] = {1, 2, 3, 4, 7, 8, 15, 16, 300, 20000};
    for (size_t kind = 0; kind < KINDS; kind++)
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
            struct buffer buffer;
            save(kind, &buffer, counts[i]);
            assert_int_equal(load(kind, &buffer, counts[i]), CM_OK);
            buffer_free(&buffer);
        }
}

static void an_empty_map_is_saved(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < KINDS; kind++) {
        struct buffer buffer;
        save(kind, &buffer, 0);
        assert_int_equal(load(kind, &buffer, 0), CM_OK);
        buffer_free(&buffer);
    }
}

static void other_maps_load_it_and_it_loads_theirs(void **state)
{
    (void)state;
    struct buffer buffer, back = {.bytes = NULL};
    shards map;
    uint64_t value;
    const char *reason;
    save(0, &buffer, 3000);
    cm_source source = buffer_source(&buffer);
    assert_int_equal(shards_load(&map, NULL, &source, NULL, &reason), CM_OK);
    for (uint64_t i = 0; i < 3000; i++)
        assert_true(shards_get(&map, i, &value) && value == 3 * i);
    cm_sink sink = buffer_sink(&back);
    assert_int_equal(shards_save(&map, &sink, NULL, NULL), CM_OK);
    shards_destroy(&map);
    nums all;
    source = buffer_source(&back);
    assert_int_equal(nums_load(&all, NULL, &source, NULL, &reason), CM_OK);
    nums_look(&all, 3000);
    nums_go_on(&all, 3000);
    nums_destroy(&all);
    buffer_free(&buffer);
    buffer_free(&back);
}

static void other_sets_load_it_and_it_loads_theirs(void **state)
{
    (void)state;
    struct buffer buffer, back = {.bytes = NULL};
    char text[64];
    save(2, &buffer, 500);
    marks_of_names set;
    cm_source source = buffer_source(&buffer);
    assert_int_equal(marks_of_names_load(&set, NULL, &source, NULL, NULL), CM_OK);
    for (uint64_t i = 0; i < 500; i++)
        assert_true(marks_of_names_contains(&set, text_at(text, i)));
    cm_sink sink = buffer_sink(&back);
    assert_int_equal(marks_of_names_save(&set, &sink, NULL, NULL), CM_OK);
    marks_of_names_destroy(&set);
    names all;
    source = buffer_source(&back);
    assert_int_equal(names_load(&all, NULL, &source, NULL, NULL), CM_OK);
    names_look(&all, 500);
    names_go_on(&all, 500);
    names_destroy(&all);
    buffer_free(&buffer);
    buffer_free(&back);
}

static void a_view_is_saved_as_it_is_while_the_writer_publishes(void **state)
{
    (void)state;
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    nums map;
    nums_writer writer;
    nums_reader reader;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    assert_int_equal(nums_writer_open(&map, &writer), CM_OK);
    assert_int_equal(nums_reader_open(&map, &reader), CM_OK);
    for (uint64_t i = 0; i < 100; i++)
        nums_fill(&writer, i);
    assert_int_equal(nums_set_meta(&writer, 1100), CM_OK);
    assert_int_equal(nums_publish(&writer), CM_OK);
    CM_WITH_VIEW (nums, &reader, view) {
        assert_int_equal(nums_clear(&writer), CM_OK);
        assert_int_equal(nums_set_meta(&writer, 7), CM_OK);
        assert_int_equal(nums_publish(&writer), CM_OK);
        assert_int_equal(nums_view_save(view, &sink, NULL, NULL), CM_OK);
    }
    nums_destroy(&map);
    assert_int_equal(load(0, &buffer, 100), CM_OK);
    buffer_free(&buffer);
}

static void types_of_many_files_are_saved(void **state)
{
    (void)state;
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    roster map;
    roster_writer writer;
    roster_reader reader;
    uint64_t value = 0;
    assert_int_equal(roster_init(&map, NULL), CM_OK);
    assert_int_equal(roster_writer_open(&map, &writer), CM_OK);
    assert_int_equal(roster_reader_open(&map, &reader), CM_OK);
    assert_int_equal(roster_put(&writer, cm_str_of("one"), 1, NULL), CM_OK);
    assert_int_equal(roster_publish(&writer), CM_OK);
    CM_WITH_VIEW (roster, &reader, view)
        assert_int_equal(roster_view_save(view, &sink, NULL, NULL), CM_OK);
    roster_destroy(&map);
    cm_source source = buffer_source(&buffer);
    assert_int_equal(roster_load(&map, NULL, &source, NULL, NULL), CM_OK);
    assert_int_equal(roster_reader_open(&map, &reader), CM_OK);
    assert_true(roster_get(&reader, cm_str_of("one"), &value) && value == 1);
    roster_destroy(&map);
    buffer_free(&buffer);
}

static void files_hold_it_and_nothing_more(void **state)
{
    (void)state;
    char path[] = "/tmp/concmap-test-XXXXXX";
    int fd = mkstemp(path);
    bags map;
    bags_writer writer;
    bags_reader reader;
    assert_true(fd >= 0);
    assert_int_equal(bags_init(&map, NULL), CM_OK);
    assert_int_equal(bags_writer_open(&map, &writer), CM_OK);
    assert_int_equal(bags_reader_open(&map, &reader), CM_OK);
    for (uint64_t i = 0; i < 50; i++)
        bags_fill(&writer, i);
    bags_publish(&writer);
    CM_WITH_VIEW (bags, &reader, view)
        assert_int_equal(bags_view_save_file(view, path, NULL, &why), CM_OK);
    bags_destroy(&map);
    assert_int_equal(bags_load_file(&map, NULL, path, NULL, &why), CM_OK);
    assert_null(why);
    bags_look(&map, 50);
    bags_go_on(&map, 50);
    bags_destroy(&map);
    close(fd);
    FILE *file = fopen(path, "a");
    assert_true(file && fputc('x', file) == 'x' && fclose(file) == 0);
    assert_int_equal(bags_load_file(&map, NULL, path, NULL, &why), CM_CORRUPT);
    assert_reason("follows its end");
    unlink(path);
    assert_int_equal(bags_load_file(&map, NULL, path, NULL, &why), CM_IO);
    assert_int_equal(nums_load_file(&(nums){NULL}, NULL, path, NULL, &why), CM_IO);
}

/* ---- failures ---- */

static void what_is_of_other_types_is_refused(void **state)
{
    (void)state;
    for (size_t from = 0; from < KINDS; from++)
        for (size_t to = 0; to < KINDS; to++) {
            struct buffer buffer;
            save(from, &buffer, 20);
            assert_int_equal(load(to, &buffer, from == to ? 20 : 0), from == to ? CM_OK : CM_INVALID);
            if (from != to)
                assert_reason("another kind");
            buffer_free(&buffer);
        }
}

static void a_stream_that_ends_anywhere_loads_nothing(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < KINDS; kind++) {
        struct buffer buffer;
        save(kind, &buffer, 12);
        while (buffer.size-- > 0) {
            assert_int_equal(load(kind, &buffer, 0), CM_CORRUPT);
            assert_reason("ends too early");
        }
        buffer_free(&buffer);
    }
}

static void a_key_that_is_there_twice_is_damage(void **state)
{
    (void)state;
    struct buffer buffer;
    save(0, &buffer, 100);
    memcpy(buffer.bytes + FIRST_FRAME + FRAME, buffer.bytes + FIRST_FRAME + FRAME + 16 * 50, 8);
    buffer_reseal(&buffer);
    assert_int_equal(load(0, &buffer, 0), CM_CORRUPT);
    assert_reason("twice");
    buffer_free(&buffer);
}

/* Whatever the bytes are: a map that is whole, or nothing; and no more memory than the stream's size justifies. */
static void random_damage_behind_right_checks_breaks_nothing(void **state)
{
    (void)state;
    uint64_t random = crew_seed("damage of left-right streams");
    size_t rounds = crew_scale(3000), loaded = 0;
    for (size_t kind = 0; kind < KINDS; kind++) {
        struct buffer buffer;
        save(kind, &buffer, 12);
        struct buffer copy = {.bytes = malloc(buffer.size)};
        memory.fail_from_bytes = 64 << 20; /* nobody should ask */
        for (size_t round = 0; round < rounds; round++) {
            copy.size = buffer.size;
            memcpy(copy.bytes, buffer.bytes, copy.size);
            for (uint64_t damage = crew_random(&random) % 4; damage > 0; damage--)
                copy.bytes[FIRST_FRAME + crew_random(&random) % (copy.size - FIRST_FRAME)] = (char)crew_random(&random);
            buffer_reseal(&copy);
            loaded += load(kind, &copy, 0) == CM_OK;
        }
        assert_int_equal(memory.failures, 0);
        failing_allocator_restart(&memory);
        free(copy.bytes);
        buffer_free(&buffer);
    }
    assert_true(loaded > rounds / 4);
}

/* M1 of saving and loading. */
static void the_nth_allocation_may_fail(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < KINDS; kind++) {
        struct buffer buffer;
        save(kind, &buffer, 150);
        for (size_t n = 1;; n++) {
            failing_allocator_fail_at(&memory, n);
            cm_status status = load(kind, &buffer, 0);
            size_t failures = memory.failures;
            failing_allocator_restart(&memory);
            if (failures == 0)
                break;
            assert_true(status == CM_NOMEM || status == CM_OK); /* a table that cannot be made ahead grows later */
        }
        buffer_free(&buffer);
    }
}

static void the_nth_call_of_a_codec_or_a_stream_may_fail(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < KINDS; kind++) {
        struct buffer buffer;
        save(kind, &buffer, 20);
        size_t calls = 0;
        for (size_t n = 1; n <= calls || n == 1; n++) {
            codec_calls = 0;
            codec_fails_at = n;
            cm_status status = load(kind, &buffer, 0);
            codec_fails_at = 0;
            assert_int_equal(status, codec_calls >= n ? -55 : CM_OK);
            calls = kind == 1 || kind == 4 ? n : 0;
            if (status == CM_OK)
                break;
        }
        for (size_t n = 1;; n++) {
            buffer.calls = 0;
            buffer.fail_at = n;
            cm_status status = load(kind, &buffer, 0);
            if (status == CM_OK)
                break;
            assert_int_equal(status, -77);
        }
        buffer.fail_at = 0;
        buffer_free(&buffer);
        codec_fails_at = 3;
        codec_calls = 0;
        assert_int_equal(kinds[kind].save(&buffer, 20, NULL), kind == 1 || kind == 4 ? -55 : CM_OK);
        codec_fails_at = 0;
        buffer_free(&buffer);
        buffer.fail_at = 2;
        assert_int_equal(kinds[kind].save(&buffer, 20, NULL), -77);
        buffer_free(&buffer);
        assert_int_equal(alive, 0);
    }
}

static cm_status cancel(void *context, uint64_t done, uint64_t total)
{
    (void)done, (void)total;
    return --*(int *)context ? CM_OK : (cm_status)-3;
}

static void progress_is_told_and_may_cancel(void **state)
{
    (void)state;
    struct buffer buffer;
    int left = 3;
    cm_progress progress = {cancel, &left};
    nums map;
    save(0, &buffer, 40000); /* five blocks */
    cm_source source = buffer_source(&buffer);
    assert_int_equal(nums_load(&map, NULL, &source, &progress, &why), -3);
    assert_int_equal(left, 0);
    assert_reason("progress");
    buffer_free(&buffer);
}

/* Where entries were the library notes what a table takes that is replaced: the smallest one has room for that, also
 * where it is another one's copy. */
static void the_smallest_tables_are_replaced_after_loading(void **state)
{
    (void)state;
    smalls map, loaded;
    smalls_writer writer;
    smalls_reader reader;
    struct buffer buffer = {0};
    cm_sink sink = buffer_sink(&buffer);
    const char *reason = NULL;
    uint8_t value;
    assert_int_equal(smalls_init(&map, NULL), CM_OK);
    assert_int_equal(smalls_writer_open(&map, &writer), CM_OK);
    assert_int_equal(smalls_reader_open(&map, &reader), CM_OK);
    smalls_put(&writer, 1, 1, NULL);
    smalls_publish(&writer);
    CM_WITH_VIEW (smalls, &reader, view)
        assert_int_equal(smalls_view_save(view, &sink, NULL, NULL), CM_OK);
    smalls_destroy(&map);
    cm_source source = buffer_source(&buffer);
    assert_int_equal(smalls_load(&loaded, NULL, &source, NULL, &reason), CM_OK);
    assert_int_equal(smalls_writer_open(&loaded, &writer), CM_OK);
    assert_int_equal(smalls_reader_open(&loaded, &reader), CM_OK);
    for (uint32_t key = 0; key < 40; key++) {
        assert_true(smalls_put(&writer, key, (uint8_t)key, NULL) >= 0);
        smalls_publish(&writer);
        assert_true(smalls_get(&reader, key, &value) && value == key);
    }
    assert_int_equal(smalls_check(&loaded, &reason), CM_OK);
    smalls_destroy(&loaded);
    buffer_free(&buffer);
}

static void a_limit_is_kept(void **state)
{
    (void)state;
    struct buffer buffer;
    nums map;
    nums_writer writer;
    save(0, &buffer, 3000);
    cm_source source = buffer_source(&buffer);
    assert_int_equal(nums_load(&map, &(cm_config){.limit = 2999}, &source, NULL, &why), CM_FULL);
    source = buffer_source(&buffer);
    assert_int_equal(nums_load(&map, &(cm_config){.limit = 3000}, &source, NULL, &why), CM_OK);
    assert_int_equal(nums_writer_open(&map, &writer), CM_OK);
    assert_int_equal(nums_put(&writer, 9999, 1, NULL), CM_FULL);
    nums_destroy(&map);
    source = buffer_source(&buffer);
    assert_int_equal(nums_load(&map, &(cm_config){.capacity = 10, .fixed = true}, &source, NULL, &why), CM_INVALID);
    buffer_free(&buffer);
}

/* Addresses that are multiples of 8, and of nothing more. */
static void *crooked_allocate(void *context, size_t size, size_t alignment)
{
    (void)context, (void)alignment;
    char *raw = aligned_alloc(64, (size + 8 + 63) / 64 * 64);
    return raw ? raw + 8 : NULL;
}

static void crooked_deallocate(void *context, void *address, size_t size, size_t alignment)
{
    (void)context, (void)size, (void)alignment;
    free((char *)address - 8);
}

static void maps_are_loaded_whatever_the_allocator_aligns_to(void **state)
{
    (void)state;
    static const cm_allocator crooked = {crooked_allocate, crooked_deallocate, NULL};
    const cm_config config = {.allocator = &crooked};
    const char *reason;
    struct buffer stream = {0};
    assert_int_equal(nums_save_to(&stream, 1000, &config), CM_OK);
    assert_int_equal(nums_load_of(&stream, 1000, &config, &reason), CM_OK);
    free(stream.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_saved_is_loaded_and_goes_on),
        cmocka_unit_test(an_empty_map_is_saved),
        cmocka_unit_test(other_maps_load_it_and_it_loads_theirs),
        cmocka_unit_test(other_sets_load_it_and_it_loads_theirs),
        cmocka_unit_test(a_view_is_saved_as_it_is_while_the_writer_publishes),
        cmocka_unit_test(types_of_many_files_are_saved),
        cmocka_unit_test(files_hold_it_and_nothing_more),
        cmocka_unit_test(what_is_of_other_types_is_refused),
        cmocka_unit_test(a_stream_that_ends_anywhere_loads_nothing),
        cmocka_unit_test(a_key_that_is_there_twice_is_damage),
        cmocka_unit_test(random_damage_behind_right_checks_breaks_nothing),
        cmocka_unit_test(the_nth_allocation_may_fail),
        cmocka_unit_test(the_nth_call_of_a_codec_or_a_stream_may_fail),
        cmocka_unit_test(progress_is_told_and_may_cancel),
        cmocka_unit_test(maps_are_loaded_whatever_the_allocator_aligns_to),
        cmocka_unit_test(the_smallest_tables_are_replaced_after_loading),
        cmocka_unit_test(a_limit_is_kept),
    };
    failing_allocator_init(&memory);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
