/* The promises of every set, for two of them: `nums` of uint64_t, and `words` of texts. ANCHORED: looking up many keys
 * tells where they are. PLAIN: it is for one thread. */
static void fill(nums *set, uint64_t from, uint64_t to)
{
    for (uint64_t key = from; key < to; key++)
        assert_int_equal(nums_add(set, key), CM_OK);
}

static void begin(nums *set, uint64_t from, uint64_t to)
{
    assert_int_equal(nums_init(set, NULL), CM_OK);
    fill(set, from, to);
}

static void well(nums *set, size_t keys)
{
    const char *reason = NULL;
    if (nums_check(set, &reason) != CM_OK)
        fail_msg("%s", reason);
    assert_int_equal(nums_len(set), keys);
}

static void a_key_is_in_once(void **state)
{
    (void)state;
    nums set;
    begin(&set, 0, 5000);
    assert_int_equal(nums_add(&set, 7), CM_EXISTS);
    assert_int_equal(nums_add_hashed(&set, nums_hash_of(&set, 5000), 5000), CM_OK);
    for (uint64_t key = 0; key < 6000; key++)
        assert_int_equal(nums_contains(&set, key), key <= 5000);
    assert_int_equal(nums_remove(&set, 7), CM_OK);
    assert_int_equal(nums_remove(&set, 7), CM_ABSENT);
    well(&set, 5000);
    assert_int_equal(nums_clear(&set), CM_OK);
    assert_int_equal(nums_shrink_to_fit(&set), CM_OK);
    well(&set, 0);
    nums_destroy(&set);
}

static cm_status sum_up(const uint64_t *key, void *sum)
{
    *(uint64_t *)sum += *key;
    return CM_OK;
}

static cm_status is_even(const uint64_t *key, void *context)
{
    (void)context;
    return *key % 2 == 0 ? CM_OK : CM_ABSENT;
}

static void walks_see_each_key(void **state)
{
    (void)state;
    nums set;
    uint64_t sum = 0, keys[1000];
    size_t count;
    begin(&set, 0, 1000);
    CM_FOREACH (nums, &set, it)
        sum += it.key;
    assert_int_equal(sum, 499500);
    assert_int_equal(nums_for_each(&set, sum_up, &sum), CM_OK);
    assert_int_equal(sum, 2 * 499500);
    assert_int_equal(nums_to_array(&set, keys, 1000, &count), CM_OK);
    for (size_t i = 0; i < count; i++)
        sum -= keys[i];
    assert_int_equal(sum, 499500);
    assert_int_equal(nums_retain(&set, is_even, NULL), CM_OK);
    well(&set, 500);
    nums_destroy(&set);
}

#ifndef PLAIN
static void walks_go_on_and_are_shared(void **state)
{
    (void)state;
    nums set;
    uint64_t sum = 0, cursor = 0;
    begin(&set, 0, 1000);
    assert_int_equal(nums_try_add(&set, 1000), CM_OK);
    do
        assert_int_equal(nums_scan(&set, &cursor, 10, sum_up, &sum), CM_OK);
    while (cursor);
    assert_int_equal(sum, 500500);
    for (unsigned part = 0; part < 3; part++) {
        nums_iter iter = nums_part_begin(&set, part, 3);
        while (nums_iter_next(&iter))
            sum -= iter.key;
        nums_iter_end(&iter);
    }
    assert_int_equal(sum, 0);
    nums_destroy(&set);
}
#endif

static size_t find_many(const nums *set, const uint64_t keys[300], bool found[300])
{
#ifdef ANCHORED
    const uint64_t *seen[300];
    size_t hits = nums_get_many(set, keys, 300, seen);
    for (size_t i = 0; i < 300; i++)
        found[i] = seen[i] && *seen[i] == keys[i];
    return hits;
#else
    return nums_contains_many(set, keys, 300, found);
#endif
}

static void batches_do_what_single_calls_would(void **state)
{
    (void)state;
    nums set;
    uint64_t keys[300];
    cm_status results[300];
    bool found[300];
    begin(&set, 100, 200);
    for (uint64_t i = 0; i < 300; i++)
        keys[i] = i;
    assert_int_equal(find_many(&set, keys, found), 100);
    assert_int_equal(nums_add_many(&set, keys, 300, results), 300);
    for (size_t i = 0; i < 300; i++)
        assert_true(found[i] == (i >= 100 && i < 200) && results[i] == (found[i] ? CM_EXISTS : CM_OK));
    assert_int_equal(nums_remove_many(&set, keys, 150, results), 150);
    well(&set, 150);
    nums_destroy(&set);
}

static void sets_are_united_intersected_and_subtracted(void **state)
{
    (void)state;
    nums a, b, c;
    begin(&a, 0, 300);
    begin(&b, 200, 500);
    assert_int_equal(nums_clone(&c, &a), CM_OK);
    assert_int_equal(nums_equals(&a, &c), CM_OK);
    assert_int_equal(nums_unite(&c, &b), CM_OK);
    well(&c, 500);
    assert_int_equal(nums_is_subset(&a, &c), CM_OK);
    assert_int_equal(nums_is_subset(&c, &a), CM_ABSENT);
    assert_int_equal(nums_equals(&a, &b), CM_ABSENT);
    assert_int_equal(nums_subtract(&c, &a), CM_OK);
    well(&c, 200);
    assert_int_equal(nums_intersect(&a, &b), CM_OK);
    well(&a, 100);
    assert_true(nums_contains(&a, 250) && !nums_contains(&a, 199));
    nums_swap(&a, &c);
    well(&a, 200);
    nums_destroy(&a);
    assert_int_equal(nums_move(&a, &b), CM_OK);
    well(&a, 300);
    well(&b, 0);
    assert_int_equal(nums_subtract(&a, &a), CM_OK);
    well(&a, 0);
    nums_destroy(&a);
    nums_destroy(&b);
    nums_destroy(&c);
}

static void texts_are_owned(void **state)
{
    (void)state;
    words set;
    char text[300];
    assert_int_equal(words_init(&set, NULL), CM_OK);
    for (size_t n = 0; n < 300; n++) {
        memset(text, 'x', n);
        assert_int_equal(words_add(&set, (cm_str){text, n}), CM_OK);
    }
    memset(text, 'x', sizeof text);
    for (size_t n = 0; n < 300; n++)
        assert_true(words_contains(&set, (cm_str){text, n}));
    assert_int_equal(words_check(&set, NULL), CM_OK);
    words_destroy(&set);
}

#ifndef PLAIN
struct race {
    nums set;
    size_t added;
};

static size_t add_all(void *context, unsigned i)
{
    struct race *race = context;
    size_t added = 0, wrong = 0;
    (void)i;
    for (uint64_t key = 0; key < crew_scale(20000); key++) {
        cm_status status = nums_add(&race->set, key);
        added += status == CM_OK;
        wrong += status < 0 || !nums_contains(&race->set, key);
    }
    __atomic_add_fetch(&race->added, added, __ATOMIC_RELAXED);
    return wrong;
}

static void E1_of_many_who_add_a_key_one_does(void **state)
{
    (void)state;
    struct race race = {.added = 0};
    begin(&race.set, 0, 0);
    assert_int_equal(crew_run(4, add_all, &race), 0);
    assert_int_equal(race.added, crew_scale(20000));
    well(&race.set, race.added);
    nums_destroy(&race.set);
}

struct pair {
    nums a, b;
};

/* The same seed: both lock buckets in the same order, and each asks for the other's. */
static size_t intersect_the_other(void *context, unsigned i)
{
    struct pair *pair = context;
    cm_status status = i ? nums_intersect(&pair->b, &pair->a) : nums_intersect(&pair->a, &pair->b);
    return status != CM_OK && status != CM_DEADLOCK;
}

static void sets_that_intersect_each_other_keep_what_both_have(void **state)
{
    (void)state;
    for (size_t round = 0; round < crew_scale(1000); round++) {
        struct pair pair;
        cm_config config = {.seed = 7};
        assert_int_equal(nums_init(&pair.a, &config), CM_OK);
        assert_int_equal(nums_init(&pair.b, &config), CM_OK);
        for (uint64_t key = 0; key < 6; key++)
            assert_true(nums_add(&pair.a, key) == CM_OK && nums_add(&pair.b, key) == CM_OK);
        assert_int_equal(crew_run(2, intersect_the_other, &pair), 0);
        well(&pair.a, 6);
        well(&pair.b, 6);
        nums_destroy(&pair.a);
        nums_destroy(&pair.b);
    }
}
#endif

static const struct CMUnitTest set_tests[] = {
    cmocka_unit_test(a_key_is_in_once),
    cmocka_unit_test(walks_see_each_key),
    cmocka_unit_test(batches_do_what_single_calls_would),
    cmocka_unit_test(sets_are_united_intersected_and_subtracted),
    cmocka_unit_test(texts_are_owned),
#ifndef PLAIN
    cmocka_unit_test(walks_go_on_and_are_shared),
    cmocka_unit_test(E1_of_many_who_add_a_key_one_does),
    cmocka_unit_test(sets_that_intersect_each_other_keep_what_both_have),
#endif
};
