/* The promises of every map instance. Included once for each, with MAP (the instance's name), KEY and VALUE (its
 * types), KEY_OF(i) and VALUE_OF(i), which make different keys and values of numbers, and NUMBER(value), which gets the
 * number back. SEQUENTIAL: the maps of the file have one table, without growth to be settled; BEHIND_A_MUTEX: nor a
 * walk without the lock; BY_MESSAGES: nor a walk but by functions; NOT_SAVED: nor are they saved; STEPS: how long the
 * random test is; CHAINED: a look-up passes by most of the other keys. ANCHORED: a function that returns CM_EXISTS has
 * changed nothing. */
#ifdef ANCHORED
#define CHANGED CM_OK
#else
#define CHANGED CM_EXISTS /* any outcome is handed on */
#endif
#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define DO(verb) PASTE(MAP, verb)
#define NAMED(test) PASTE(PASTE(MAP, _), test)
#ifdef CHAINED /* more than a flat table counts of those that pass by a group (255), in a chain of several buckets */
#define COUNT 500
#define RANGE 1024
#else
#define COUNT (CREW_SLOW ? 1000 : 3000)
#define RANGE 8192
#endif
#ifndef STEPS
#define STEPS 200000
#endif

static cm_status NAMED(add)(VALUE *value, void *context)
{
    *value = VALUE_OF(NUMBER(*value) + *(const uint64_t *)context);
    return CHANGED;
}

#ifndef UNDOES_ITSELF /* what values own cannot be brought back by the map */
#define UNDOES_ITSELF 0
#endif

/* Spoils the value, and fails. */
static cm_status NAMED(spoil)(VALUE *value, void *context)
{
    (void)context;
    if (!UNDOES_ITSELF)
        *value = VALUE_OF(999999);
    else
        (void)value;
    return CM_INVALID;
}

static cm_status NAMED(make)(VALUE *value, void *context)
{
    *value = VALUE_OF(*(const uint64_t *)context);
    return CM_OK;
}

static void NAMED(fill)(MAP *map, size_t capacity, uint64_t count)
{
    assert_int_equal(DO(_init)(map, &(cm_config){.capacity = capacity}), CM_OK);
    for (uint64_t i = 0; i < count; i++)
        assert_int_equal(DO(_put)(map, KEY_OF(i), VALUE_OF(i), NULL), CM_OK);
    assert_int_equal(DO(_len)(map), count);
}

static void NAMED(finish)(MAP *map)
{
    const char *reason = NULL;
    assert_int_equal(DO(_check)(map, &reason), CM_OK);
    assert_null(reason);
    DO(_destroy)(map);
}

static void NAMED(get_returns_what_was_put)(void **state)
{
    (void)state;
    for (size_t capacity = 0; capacity < 10000; capacity = capacity * 3 + 1) {
        MAP map;
        NAMED(fill)(&map, capacity, COUNT);
        for (uint64_t i = 0; i < COUNT; i++) {
            VALUE value = VALUE_OF(0);
            assert_true(DO(_get)(&map, KEY_OF(i), &value));
            assert_int_equal(NUMBER(value), i);
            assert_true(DO(_get)(&map, KEY_OF(i), NULL));
            assert_false(DO(_contains)(&map, KEY_OF(i + COUNT)));
        }
        NAMED(finish)(&map);
    }
}

static void NAMED(writes_tell_what_they_met)(void **state)
{
    (void)state;
    MAP map;
    VALUE value = VALUE_OF(0);
    uint64_t number = 5;
    NAMED(fill)(&map, 0, COUNT);
    for (uint64_t i = 0; i < COUNT; i++) {
        assert_int_equal(DO(_insert)(&map, KEY_OF(i), VALUE_OF(1)), CM_EXISTS);
        assert_int_equal(DO(_put)(&map, KEY_OF(i), VALUE_OF(i + 1), &value), CM_REPLACED);
        assert_int_equal(NUMBER(value), i);
        assert_int_equal(DO(_update)(&map, KEY_OF(i), NAMED(add), &number), CHANGED);
        assert_int_equal(DO(_update)(&map, KEY_OF(i + COUNT), NAMED(add), &number), CM_ABSENT);
        assert_int_equal(DO(_update)(&map, KEY_OF(i), NAMED(spoil), NULL), CM_INVALID);
        assert_int_equal(DO(_upsert)(&map, KEY_OF(i), VALUE_OF(0), NAMED(add), &number), CM_REPLACED);
        assert_int_equal(DO(_upsert)(&map, KEY_OF(i), VALUE_OF(0), NAMED(spoil), NULL), CM_INVALID);
        assert_int_equal(DO(_get_or_insert)(&map, KEY_OF(i), VALUE_OF(0), &value), CM_EXISTS);
        assert_int_equal(NUMBER(value), i + 11);
        assert_int_equal(DO(_remove)(&map, KEY_OF(i), &value), CM_OK);
        assert_int_equal(NUMBER(value), i + 11);
        assert_int_equal(DO(_remove)(&map, KEY_OF(i), &value), CM_ABSENT);
        assert_int_equal(DO(_get_or_insert_with)(&map, KEY_OF(i), NAMED(spoil), NULL, NULL), CM_INVALID);
        assert_false(DO(_contains)(&map, KEY_OF(i)));
        assert_int_equal(DO(_get_or_insert_with)(&map, KEY_OF(i), NAMED(make), &number, &value), CM_OK);
        assert_int_equal(NUMBER(value), 5);
    }
    assert_int_equal(DO(_len)(&map), COUNT);
    NAMED(finish)(&map);
}

static cm_status NAMED(stop_at_tenth)(const KEY *key, const VALUE *value, void *context)
{
    (void)key, (void)value;
    return ++*(int *)context == 10 ? CM_FULL : CM_OK;
}

#ifdef BY_MESSAGES
static cm_status NAMED(see)(const KEY *key, const VALUE *value, void *seen)
{
    (void)key;
    ((unsigned char *)seen)[NUMBER(*value)]++;
    return CM_OK;
}
#endif

static void NAMED(iteration_visits_each_once)(void **state)
{
    (void)state;
    static unsigned char seen[COUNT];
    memset(seen, 0, sizeof seen);
    MAP map;
    NAMED(fill)(&map, 1, COUNT);
#ifdef BEHIND_A_MUTEX /* a walk needs the lock for all of it */
    CM_WITH_ALL(MAP, &map, all)
    CM_FOREACH (PASTE(MAP, _plain), all, it)
        seen[NUMBER(it.value)]++;
#elif defined BY_MESSAGES
    assert_int_equal(DO(_for_each)(&map, NAMED(see), seen), CM_OK);
#else
    CM_FOREACH (MAP, &map, it) {
        uint64_t number = NUMBER(it.value);
        assert_true(number < COUNT);
        seen[number]++;
        /* Any call is allowed, and no lock is held. */
        assert_int_equal(DO(_put)(&map, it.key, it.value, NULL), CM_REPLACED);
    }
#endif
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(seen[i], 1);
    int calls = 0;
    assert_int_equal(DO(_for_each)(&map, NAMED(stop_at_tenth), &calls), CM_FULL);
    assert_int_equal(calls, 10);
    NAMED(finish)(&map);
}

static void NAMED(batches_do_what_singles_do)(void **state)
{
    (void)state;
    static KEY keys[2 * COUNT];
    static VALUE values[2 * COUNT];
    static cm_status results[2 * COUNT];
    static bool found[2 * COUNT];
    uint64_t number = 7;
    MAP map;
    assert_int_equal(DO(_init)(&map, NULL), CM_OK);
    for (uint64_t i = 0; i < 2 * COUNT; i++) {
        keys[i] = KEY_OF(i);
        values[i] = VALUE_OF(i);
    }
    assert_int_equal(DO(_put_many)(&map, keys, values, COUNT, results), COUNT);
    assert_int_equal(results[COUNT - 1], CM_OK);
    assert_int_equal(DO(_put_many)(&map, keys, values, COUNT, results), COUNT);
    assert_int_equal(results[COUNT - 1], CM_REPLACED);
    assert_int_equal(DO(_update_many)(&map, keys, 2 * COUNT, NAMED(add), &number, results), COUNT);
    assert_int_equal(results[COUNT], CM_ABSENT);
    assert_int_equal(DO(_get_many)(&map, keys, 2 * COUNT, found, values), COUNT);
    for (uint64_t i = 0; i < 2 * COUNT; i++) {
        assert_int_equal(found[i], i < COUNT);
        assert_int_equal(NUMBER(values[i]), i < COUNT ? i + 7 : i);
    }
    assert_int_equal(DO(_remove_many)(&map, keys + COUNT / 2, COUNT, values, results), COUNT - COUNT / 2);
    assert_int_equal(DO(_len)(&map), COUNT / 2);
    NAMED(finish)(&map);
}

static void NAMED(apply_many_runs_in_order)(void **state)
{
    (void)state;
    uint64_t number = 1;
    MAP map;
    assert_int_equal(DO(_init)(&map, NULL), CM_OK);
    DO(_op)
    ops[] = {
        {CM_OP_INSERT, CM_OK, KEY_OF(1), VALUE_OF(10), NULL, NULL},
        {CM_OP_INSERT, CM_OK, KEY_OF(1), VALUE_OF(20), NULL, NULL},
        {CM_OP_UPDATE, CM_OK, KEY_OF(1), VALUE_OF(0), NAMED(add), &number},
        {CM_OP_UPSERT, CM_OK, KEY_OF(1), VALUE_OF(0), NAMED(add), &number},
        {CM_OP_UPSERT, CM_OK, KEY_OF(2), VALUE_OF(30), NAMED(add), &number},
        {CM_OP_PUT, CM_OK, KEY_OF(2), VALUE_OF(40), NULL, NULL},
        {CM_OP_GET, CM_OK, KEY_OF(1), VALUE_OF(0), NULL, NULL},
        {CM_OP_REMOVE, CM_OK, KEY_OF(2), VALUE_OF(0), NULL, NULL},
        {CM_OP_GET, CM_OK, KEY_OF(2), VALUE_OF(0), NULL, NULL},
        {CM_OP_UPDATE, CM_OK, KEY_OF(2), VALUE_OF(0), NAMED(add), &number},
    };
    static const cm_status expected[] = {CM_OK,       CM_EXISTS, CHANGED, CM_REPLACED, CM_OK,
                                         CM_REPLACED, CM_OK,     CM_OK,   CM_ABSENT,   CM_ABSENT};
    DO(_apply_many)(&map, ops, 10);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(ops[i].status, expected[i]);
    assert_int_equal(NUMBER(ops[5].value), 30);
    assert_int_equal(NUMBER(ops[6].value), 12);
    assert_int_equal(NUMBER(ops[7].value), 40);
    NAMED(finish)(&map);
}

static void NAMED(whole_map_work_keeps_it_whole)(void **state)
{
    (void)state;
    MAP map;
    NAMED(fill)(&map, 0, COUNT);
    assert_int_equal(DO(_reserve)(&map, 20 * COUNT), CM_OK);
#ifndef SEQUENTIAL
    assert_int_equal(DO(_settle)(&map), CM_OK);
    assert_false(DO(_step)(&map, 1000));
#endif
    cm_memory before = DO(_memory)(&map);
    assert_int_equal(before.total, before.table + before.nodes + before.waiting + before.threads);
    for (uint64_t i = COUNT; i < 10 * COUNT; i++)
        assert_int_equal(DO(_put)(&map, KEY_OF(i), VALUE_OF(i), NULL), CM_OK);
#ifndef BY_MESSAGES /* a bad hash gives one partition more than its share */
    cm_memory after = DO(_memory)(&map);
    /* Reserved: no second table, which is as large. But a bad hash takes overflow buckets. */
    assert_true(after.table < before.table + before.table / 2);
#endif
    assert_int_equal(DO(_check)(&map, NULL), CM_OK);
    assert_int_equal(DO(_clear)(&map), CM_OK);
    assert_int_equal(DO(_len)(&map), 0);
    assert_false(DO(_contains)(&map, KEY_OF(1)));
    assert_int_equal(DO(_insert)(&map, KEY_OF(1), VALUE_OF(1)), CM_OK);
    NAMED(finish)(&map);
}

/* Random operations beside a plain array, with check along the way. */
static void NAMED(differential)(size_t capacity, uint64_t range, size_t steps)
{
    static uint64_t expected[RANGE]; /* the value + 1; 0: absent */
    memset(expected, 0, sizeof expected);
    uint64_t random = crew_seed("differential");
    uint64_t live = 0, number = 3;
    MAP map;
    assert_int_equal(DO(_init)(&map, &(cm_config){.capacity = capacity}), CM_OK);
    for (size_t step = 0; step < steps; step++) {
        uint64_t i = crew_random(&random) % range, v = crew_random(&random) % 1000;
        VALUE value = VALUE_OF(0);
        cm_status status;
        switch (crew_random(&random) % 7) {
        case 0:
            assert_int_equal(DO(_insert)(&map, KEY_OF(i), VALUE_OF(v)), expected[i] ? CM_EXISTS : CM_OK);
            live += !expected[i];
            expected[i] = expected[i] ? expected[i] : v + 1;
            break;
        case 1:
            status = DO(_put)(&map, KEY_OF(i), VALUE_OF(v), &value);
            assert_int_equal(status, expected[i] ? CM_REPLACED : CM_OK);
            assert_true(!expected[i] || NUMBER(value) == expected[i] - 1);
            live += !expected[i];
            expected[i] = v + 1;
            break;
        case 2:
        case 3:
            status = DO(_remove)(&map, KEY_OF(i), &value);
            assert_int_equal(status, expected[i] ? CM_OK : CM_ABSENT);
            assert_true(!expected[i] || NUMBER(value) == expected[i] - 1);
            live -= expected[i] != 0;
            expected[i] = 0;
            break;
        case 4:
            status = DO(_upsert)(&map, KEY_OF(i), VALUE_OF(v), NAMED(add), &number);
            assert_int_equal(status, expected[i] ? CM_REPLACED : CM_OK);
            live += !expected[i];
            expected[i] = expected[i] ? expected[i] + number : v + 1;
            break;
        case 5:
            status = DO(_update)(&map, KEY_OF(i), NAMED(spoil), NULL);
            assert_int_equal(status, expected[i] ? CM_INVALID : CM_ABSENT);
            break;
        default:
            assert_int_equal(DO(_get)(&map, KEY_OF(i), &value), expected[i] != 0);
            assert_true(!expected[i] || NUMBER(value) == expected[i] - 1);
        }
        assert_int_equal(DO(_len)(&map), live);
        if (step % (steps / 16) == 0)
            assert_int_equal(DO(_check)(&map, NULL), CM_OK);
    }
    NAMED(finish)(&map);
}

static void NAMED(agrees_with_a_plain_array)(void **state)
{
    (void)state;
    size_t steps = crew_scale(STEPS);
    NAMED(differential)(0, RANGE, steps);
    NAMED(differential)(1, 50, steps / 2);
    NAMED(differential)(20000, RANGE, steps / 2);
}

#if defined SAVED && !defined NOT_SAVED /* by CM_SAVED */
static void NAMED(what_is_saved_is_loaded)(void **state)
{
    (void)state;
    for (uint64_t count = 0; count <= COUNT; count += COUNT / 3) {
        struct buffer buffer = {.bytes = NULL};
        cm_sink sink = buffer_sink(&buffer);
        MAP map, loaded;
        VALUE value = VALUE_OF(0);
        NAMED(fill)(&map, 0, count);
        assert_int_equal(DO(_save)(&map, &sink, NULL, NULL), CM_OK);
        NAMED(finish)(&map);
        cm_source source = buffer_source(&buffer);
        assert_int_equal(DO(_load)(&loaded, NULL, &source, NULL, NULL), CM_OK);
        assert_int_equal(buffer.at, buffer.size);
        assert_int_equal(DO(_len)(&loaded), count);
        for (uint64_t i = 0; i < COUNT; i++) {
            assert_int_equal(DO(_get)(&loaded, KEY_OF(i), &value), i < count);
            assert_true(i >= count || NUMBER(value) == i);
        }
        NAMED(finish)(&loaded);
        buffer_free(&buffer);
    }
}
#endif

#define UNIT(test) cmocka_unit_test(test) /* by its full name */
static const struct CMUnitTest NAMED(tests)[] = {
    UNIT(NAMED(get_returns_what_was_put)),   UNIT(NAMED(writes_tell_what_they_met)),
    UNIT(NAMED(iteration_visits_each_once)), UNIT(NAMED(batches_do_what_singles_do)),
    UNIT(NAMED(apply_many_runs_in_order)),   UNIT(NAMED(whole_map_work_keeps_it_whole)),
    UNIT(NAMED(agrees_with_a_plain_array)),
#if defined SAVED && !defined NOT_SAVED
    UNIT(NAMED(what_is_saved_is_loaded)),
#endif
};

#undef UNIT
#undef PASTE_
#undef PASTE
#undef DO
#undef NAMED
#undef COUNT
#undef RANGE
#undef CHAINED
#undef CHANGED
#undef UNDOES_ITSELF
#undef SAVED
#undef STEPS
#undef MAP
#undef KEY
#undef VALUE
#undef KEY_OF
#undef VALUE_OF
#undef NUMBER
