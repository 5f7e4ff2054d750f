/* What is asked of saving and loading a map of owned keys and values (coded_boxes.h), whatever its kind: nothing is
 * left where something fails. The file that includes this has defined
 *
 *     SAVED_BOXES(name, key_codec, value_codec)   the map type, saved as number 1
 *     SAVED_CONFIG, saved_config(own, i)          what it is made by: some configs of cm_config `own`, i = 0, 1, ...
 *     saved_open(map, config)                     makes one that this thread can use
 *     DECLARED                                    a declared map type of texts and numbers that is saved
 */
SAVED_BOXES(boxes, CODED_BOX, CODED_BOX)

static void fill_boxes(boxes *map, const SAVED_CONFIG *config)
{
    assert_int_equal(saved_open(map, config), CM_OK);
    for (uint64_t i = 0; i < 20; i++) {
        struct box key = box_of(i);
        assert_int_equal(boxes_put(map, key, box_of(i + 100), NULL), CM_OK);
        box_destroy(&key, &all);
    }
}

/* Empties the map and gives it back: then nothing is alive. */
static void end_boxes(boxes *map)
{
    boxes_destroy(map);
    assert_int_equal(all.live, 0);
}

static void fails_to_load(struct buffer *buffer, const SAVED_CONFIG *config, cm_status why)
{
    boxes loaded;
    cm_source source = buffer_source(buffer);
    cm_status status = boxes_load(&loaded, config, &source, NULL, NULL);
    assert_true(why ? status == why : status < 0);
    assert_int_equal(all.live, 40);
}

static void owned_values_are_cloned_and_destroyed_once(void **state) /* L9 */
{
    (void)state;
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    cm_config own = config();
    SAVED_CONFIG first = saved_config(&own, 0), second = saved_config(&own, 1);
    boxes map, loaded;
    fill_boxes(&map, &first);
    all.fail_at = all.clones + 7;
    assert_int_equal(boxes_save(&map, &sink, NULL, NULL), CM_NOMEM);
    all.fail_at = 0;
    buffer_free(&buffer);
    assert_int_equal(boxes_save(&map, &sink, NULL, NULL), CM_OK);
    assert_int_equal(all.live, 40);
    for (size_t cut = 0; cut < buffer.size; cut += 17) { /* nothing is loaded, and nothing left */
        struct buffer part = {.bytes = buffer.bytes, .size = cut};
        fails_to_load(&part, cut % 2 ? &first : &second, CM_OK);
    }
    for (size_t i = 1; i < 4; i++) { /* a clone of a key fails */
        all.fail_at = all.clones + 5 * i;
        fails_to_load(&buffer, &first, CM_NOMEM);
    }
    all.fail_at = 0;
    cm_source source = buffer_source(&buffer);
    assert_int_equal(boxes_load(&loaded, &second, &source, NULL, NULL), CM_OK);
    boxes_destroy(&map);
    assert_int_equal(boxes_len(&loaded), 20);
    for (uint64_t i = 0; i < 20; i++) {
        struct box key = box_of(i), value;
        assert_true(boxes_get(&loaded, key, &value));
        assert_int_equal(drop(value), i + 100);
        box_destroy(&key, &all);
    }
    end_boxes(&loaded);
    buffer_free(&buffer);
}

/* What was damaged on the way would be seen by the checks of blocks; a codec can give a key twice. */
static cm_status same_decode(struct box *box, cm_decoder *from, void *context)
{
    cm_status status = coded_box_decode(box, from, context);
    if (status >= 0 && *box->number == 7)
        *box->number = 6;
    return status;
}

SAVED_BOXES(twice, CM_CODED(coded_box_encode, same_decode), CODED_BOX)

static void a_key_that_is_there_twice_is_damage(void **state)
{
    (void)state;
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    cm_config own = config();
    SAVED_CONFIG first = saved_config(&own, 0);
    boxes map;
    twice loaded;
    fill_boxes(&map, &first);
    assert_int_equal(boxes_save(&map, &sink, NULL, NULL), CM_OK);
    cm_source source = buffer_source(&buffer);
    assert_int_equal(twice_load(&loaded, &first, &source, NULL, NULL), CM_CORRUPT);
    assert_int_equal(all.live, 40);
    end_boxes(&map);
    buffer_free(&buffer);
}

static void each_allocation_may_fail(void **state) /* M1 */
{
    (void)state;
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    cm_status saved = CM_NOMEM, got = CM_NOMEM;
    struct failing_allocator memory;
    boxes map, loaded;
    failing_allocator_init(&memory);
    cm_config own = config();
    own.allocator = &memory.allocator;
    SAVED_CONFIG first = saved_config(&own, 0);
    fill_boxes(&map, &first);
    for (size_t n = 1; saved == CM_NOMEM; n++) {
        buffer_free(&buffer);
        failing_allocator_restart(&memory);
        failing_allocator_fail_at(&memory, n);
        saved = boxes_save(&map, &sink, NULL, NULL);
        assert_int_equal(all.live, 40);
    }
    assert_int_equal(saved, CM_OK);
    end_boxes(&map);
    assert_int_equal(memory.live_blocks, 0);
    for (size_t n = 1; got == CM_NOMEM; n++) {
        cm_source source = buffer_source(&buffer);
        failing_allocator_restart(&memory);
        failing_allocator_fail_at(&memory, n);
        got = boxes_load(&loaded, &first, &source, NULL, NULL);
        if (got == CM_OK)
            boxes_destroy(&loaded);
        assert_int_equal(all.live, 0);
        assert_int_equal(memory.live_blocks, 0);
    }
    assert_int_equal(got, CM_OK);
    assert_int_equal(memory.mistakes, 0);
    buffer_free(&buffer);
}

#define DECLARED_(verb) DECLARED_OF_(DECLARED, verb)
#define DECLARED_OF_(name, verb) DECLARED_AS_(name, verb)
#define DECLARED_AS_(name, verb) name##_##verb

static void files_and_declared_types_are_saved(void **state)
{
    (void)state;
    char path[] = "/tmp/concmap-suite-XXXXXX";
    int file = mkstemp(path);
    DECLARED map, loaded;
    uint64_t value = 0;
    assert_true(file >= 0);
    close(file);
    assert_int_equal(DECLARED_(init)(&map, NULL), CM_OK);
    assert_int_equal(DECLARED_(put)(&map, cm_str_of("gold"), 5, NULL), CM_OK);
    assert_int_equal(DECLARED_(save_file)(&map, path, NULL, NULL), CM_OK);
    assert_int_equal(DECLARED_(load_file)(&loaded, NULL, path, NULL, NULL), CM_OK);
    assert_true(DECLARED_(get)(&loaded, cm_str_of("gold"), &value));
    assert_int_equal(value, 5);
    DECLARED_(destroy)(&loaded);
    DECLARED_(destroy)(&map);
    unlink(path);
}

/* Runs them; returns how many failed. */
static int saved_run(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(owned_values_are_cloned_and_destroyed_once),
        cmocka_unit_test(a_key_that_is_there_twice_is_damage),
        cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test(files_and_declared_types_are_saved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
