/* What a thread does under its own locks, in corners: functions that take and give guards, as many readers as there can
 * be, and circles of waits that meet. */
#include <concmap/sharded.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "crew.h"
#include "unit.h"

static uint64_t plain_hash(const uint64_t *key, uint64_t seed)
{
    (void)seed;
    return *key;
}

static uint64_t same_hash(const cm_str *key, uint64_t seed)
{
    (void)key, (void)seed;
    return 42;
}

CM_SHARDED_MAP(plain, uint64_t, uint64_t, plain_hash, cm_equal_u64)
static __thread bool looks_slowly;

static bool slow_equal(const cm_str *a, const cm_str *b)
{
    if (looks_slowly)
        usleep(100); /* so that what was to be looked at next is another one by then */
    bool same = a->len == b->len;
    for (size_t i = 0; same && i < a->len; i++) {
        same = a->data[i] == b->data[i];
        if (looks_slowly && i % 100 == 50)
            usleep(50);
    }
    return same;
}

CM_SHARDED_MAP(words, cm_str, uint64_t, same_hash, slow_equal)

#define NEAR(n) ((uint64_t)(n)*65536) /* keys that share a bucket */

static void begin(plain *map, uint64_t keys)
{
    assert_int_equal(plain_init(map, NULL), CM_OK);
    for (uint64_t key = 1; key <= keys; key++)
        assert_int_equal(plain_put(map, NEAR(key), key, NULL), CM_OK);
}

static void well(plain *map, size_t entries)
{
    const char *reason = NULL;
    if (plain_check(map, &reason) != CM_OK)
        fail_msg("%s", reason);
    assert_int_equal(plain_len(map), entries);
}

struct other {
    plain *map;
    cm_status status;
};

static void *try_a_neighbour(void *context)
{
    struct other *other = context;
    plain_write_guard guard;
    other->status = plain_try_write(other->map, NEAR(3), &guard);
    if (other->status == CM_OK)
        plain_write_unlock(&guard);
    return NULL;
}

/* What another thread gets in the bucket. */
static cm_status others_get(plain *map)
{
    struct other other = {map, CM_OK};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, try_a_neighbour, &other), 0);
    pthread_join(thread, NULL);
    return other.status;
}

/* ---- functions and guards ---- */

struct taken {
    plain *map;
    plain_write_guard guard;
};

static cm_status take_a_neighbour(uint64_t *value, void *context)
{
    struct taken *taken = context;
    ++*value;
    return plain_write(taken->map, NEAR(2), &taken->guard);
}

static cm_status give_a_neighbour(uint64_t *value, void *context)
{
    struct taken *taken = context;
    ++*value;
    return plain_write_unlock(&taken->guard);
}

static void a_function_may_take_a_guard_that_stays(void **state)
{
    (void)state;
    for (int way = 0; way < 3; way++) {
        plain map;
        struct taken taken = {.map = &map};
        uint64_t value;
        begin(&map, 3);
        if (way == 0)
            assert_int_equal(plain_update(&map, NEAR(1), take_a_neighbour, &taken), CM_OK);
        else if (way == 1)
            assert_int_equal(plain_remove_if(&map, NEAR(1), take_a_neighbour, &taken, NULL), CM_OK);
        else
            assert_int_equal(plain_get_or_insert_with(&map, NEAR(9), take_a_neighbour, &taken, &value), CM_OK);
        assert_int_equal(others_get(&map), CM_BUSY);
        *taken.guard.value = 22;
        assert_int_equal(plain_write_unlock(&taken.guard), CM_OK);
        assert_int_equal(others_get(&map), CM_OK);
        assert_true(plain_get(&map, NEAR(2), &value) && value == 22);
        well(&map, way == 0 ? 3 : way == 1 ? 2 : 4);
        plain_destroy(&map);
    }
}

static void a_function_may_give_a_guard_back(void **state)
{
    (void)state;
    plain map;
    struct taken taken = {.map = &map};
    begin(&map, 3);
    assert_int_equal(plain_write(&map, NEAR(2), &taken.guard), CM_OK);
    assert_int_equal(plain_update(&map, NEAR(1), give_a_neighbour, &taken), CM_OK);
    assert_int_equal(others_get(&map), CM_OK);
    well(&map, 3);
    plain_destroy(&map);
}

static cm_status take_an_entry_and_fail(uint64_t *value, void *context)
{
    struct taken *taken = context;
    (void)value;
    return plain_entry(taken->map, NEAR(51), &taken->guard) == CM_OK ? CM_FULL : CM_CORRUPT;
}

static void a_make_that_fails_leaves_what_it_has_taken(void **state)
{
    (void)state;
    plain map;
    struct taken taken = {.map = &map};
    plain_write_guard guard;
    uint64_t value;
    begin(&map, 7); /* the bucket is full: both go to an overflow bucket */
    assert_int_equal(plain_write(&map, NEAR(1), &guard), CM_OK);
    assert_int_equal(plain_get_or_insert_with(&map, NEAR(50), take_an_entry_and_fail, &taken, &value), CM_FULL);
    assert_non_null(plain_entry_insert(&taken.guard, 51));
    assert_int_equal(plain_entry_unlock(&taken.guard), CM_OK);
    assert_int_equal(plain_write_unlock(&guard), CM_OK);
    assert_true(plain_get(&map, NEAR(51), &value) && value == 51);
    well(&map, 8);
    plain_destroy(&map);
}

/* ---- readers without number ---- */

#define MOST 4095

static size_t readers_take(plain *map, plain_read_guard *readers)
{
    size_t n = 0;
    while (n <= MOST && plain_read(map, NEAR(2), &readers[n]) == CM_OK)
        n++;
    return n;
}

static void readers_are_counted_to_the_last(void **state)
{
    (void)state;
    static plain_read_guard readers[MOST + 1];
    plain map;
    plain_write_guard writer;
    plain_read_guard one;
    begin(&map, 3);
    assert_int_equal(plain_write(&map, NEAR(1), &writer), CM_OK); /* below the thread's own lock */
    assert_int_equal(readers_take(&map, readers), MOST);
    assert_int_equal(readers[MOST].status, CM_BUSY);
    assert_int_equal(plain_write_downgrade(&writer, &one), CM_BUSY);
    assert_int_equal(plain_write_unlock(&writer), CM_OK);
    assert_int_equal(others_get(&map), CM_BUSY);
    assert_int_equal(plain_read(&map, NEAR(1), &one), CM_BUSY); /* it is the thread's own who are too many */
    assert_int_equal(plain_read_clone(&readers[0], &one), CM_BUSY);
    for (size_t i = 0; i < MOST; i++)
        assert_int_equal(plain_read_unlock(&readers[i]), CM_OK);
    assert_int_equal(others_get(&map), CM_OK);
    well(&map, 3);
    plain_destroy(&map);
}

/* ---- circles that meet ---- */

struct knot {
    plain map;
    uint32_t ready;
    uint32_t deadlocks;
};

enum { A = 1, B, C, D }; /* no two in one bucket */

static size_t knot_want(struct knot *knot, uint64_t key)
{
    plain_write_guard guard;
    cm_status status = plain_write_until(&knot->map, key, &guard, cm_deadline_after(UINT64_C(30000000000)));
    if (status == CM_DEADLOCK)
        __atomic_add_fetch(&knot->deadlocks, 1, __ATOMIC_RELAXED);
    return status == CM_OK ? plain_write_unlock(&guard) != CM_OK : status != CM_DEADLOCK;
}

static void knot_ready(struct knot *knot, uint32_t others)
{
    __atomic_add_fetch(&knot->ready, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(&knot->ready, __ATOMIC_ACQUIRE) < others)
        sched_yield();
}

/* S holds A and B; two threads share D and want A, and B; X holds C and wants D. When S asks for C by a call that
 * cannot say CM_DEADLOCK, it closes two circles at once. */
static size_t knot_tie(void *context, unsigned i)
{
    struct knot *knot = context;
    plain_write_guard a, b;
    plain_read_guard shared;
    size_t wrong = 0;
    if (i == 0) {
        uint64_t value;
        wrong += plain_write(&knot->map, A, &a) != CM_OK || plain_write(&knot->map, B, &b) != CM_OK;
        knot_ready(knot, 4);
        while (__atomic_load_n(&knot->map.core.waiters.count, __ATOMIC_ACQUIRE) < 3)
            sched_yield();
        usleep(1000);
        wrong += !plain_get(&knot->map, C, &value);
        wrong += plain_write_unlock(&a) != CM_OK || plain_write_unlock(&b) != CM_OK;
    } else if (i < 3) {
        wrong += plain_read(&knot->map, D, &shared) != CM_OK;
        knot_ready(knot, 4);
        wrong += knot_want(knot, i == 1 ? A : B);
        wrong += plain_read_unlock(&shared) != CM_OK;
    } else {
        wrong += plain_write(&knot->map, C, &a) != CM_OK;
        knot_ready(knot, 4);
        wrong += knot_want(knot, D);
        wrong += plain_write_unlock(&a) != CM_OK;
    }
    return wrong;
}

static void all_circles_that_a_wait_closes_are_ended(void **state)
{
    (void)state;
    struct knot knot = {.ready = 0};
    assert_int_equal(plain_init(&knot.map, &(cm_config){.capacity = 1000}), CM_OK);
    for (uint64_t key = A; key <= D; key++)
        assert_int_equal(plain_put(&knot.map, key, key, NULL), CM_OK);
    assert_int_equal(crew_run(4, knot_tie, &knot), 0);
    assert_in_range(knot.deadlocks, 1, 3);
    plain_destroy(&knot.map);
}

/* ---- nodes that were never there ---- */

struct ghosts {
    words map;
    bool by_make;
    uint32_t ended;
};

static cm_status fail_to_make(uint64_t *value, void *context)
{
    (void)value, (void)context;
    usleep(100);
    return CM_FULL;
}

static cm_str long_text(char *text, char letter)
{
    memset(text, letter, 600);
    return (cm_str){text, 600};
}

static size_t come_and_go(struct ghosts *ghosts)
{
    char seen[600], ghost[600];
    cm_str x = long_text(seen, 'x'), k = long_text(ghost, 'k');
    size_t wrong = 0;
    uint64_t value;
    for (size_t n = crew_scale(1000); n > 0; n--) {
        words_write_guard entry;
        wrong += words_put(&ghosts->map, x, 1, NULL) != CM_OK;
        usleep(100); /* let the other one see it */
        wrong += words_remove(&ghosts->map, x, NULL) != CM_OK;
        if (ghosts->by_make)
            wrong += words_get_or_insert_with(&ghosts->map, k, fail_to_make, NULL, &value) != CM_FULL;
        else
            wrong += words_entry(&ghosts->map, k, &entry) != CM_OK || usleep(100) != 0 ||
                     words_entry_unlock(&entry) != CM_OK;
    }
    __atomic_store_n(&ghosts->ended, 1, __ATOMIC_RELEASE);
    return wrong;
}

static size_t come_and_look(void *context, unsigned i)
{
    struct ghosts *ghosts = context;
    char ghost[600];
    cm_str k = long_text(ghost, 'k');
    size_t wrong = 0;
    if (i == 0)
        return come_and_go(ghosts);
    looks_slowly = true;
    while (!__atomic_load_n(&ghosts->ended, __ATOMIC_ACQUIRE))
        wrong += words_contains(&ghosts->map, k);
    return wrong;
}

/* A reader that loaded a bucket's state before its slot may follow the slot to a node that is never in the map. */
static void a_node_that_was_in_a_slot_waits_for_readers(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        struct ghosts ghosts = {.by_make = way};
        char first[600];
        assert_int_equal(words_init(&ghosts.map, NULL), CM_OK);
        assert_int_equal(words_put(&ghosts.map, long_text(first, 'a'), 1, NULL), CM_OK);
        assert_int_equal(crew_run(2, come_and_look, &ghosts), 0);
        assert_int_equal(words_len(&ghosts.map), 1);
        words_destroy(&ghosts.map);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_function_may_take_a_guard_that_stays),
        cmocka_unit_test(a_function_may_give_a_guard_back),
        cmocka_unit_test(a_make_that_fails_leaves_what_it_has_taken),
        cmocka_unit_test(readers_are_counted_to_the_last),
        cmocka_unit_test(all_circles_that_a_wait_closes_are_ended),
        cmocka_unit_test(a_node_that_was_in_a_slot_waits_for_readers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
