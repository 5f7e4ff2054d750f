/* Maps and fork: what a child has of what its thread held, and of what others held. */
#include <concmap/sharded.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crew.h"
#include "process_nums.h"
#include "unit.h"

CM_SHARDED_MAP(words, cm_str, uint64_t, cm_hash_str, cm_equal_str)

/* Runs `work` in a forked child, which has a minute for it. */
static bool child_does(bool (*work)(void *), void *context)
{
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        _exit(work(context) ? 0 : 1);
    }
    return waitpid(child, &status, 0) == child && status == 0;
}

struct own {
    nums map;
    nums_read_guard reader;
    nums_write_guard writer;
    nums_frozen frozen;
    nums_iter iter;
    nums_snapshot snapshot;
};

static size_t use_in_thread(void *context, unsigned i)
{
    nums *map = context;
    size_t wrong = 0;
    for (uint64_t key = i; key < KEYS; key += 3)
        wrong += nums_update(map, key, add_one, NULL) != CM_OK;
    for (uint64_t key = i; key < KEYS; key += 3)
        wrong += nums_put(map, key, key, NULL) != CM_REPLACED;
    return wrong;
}

static bool use_map(void *context)
{
    struct own *own = context;
    bool well = crew_run(3, use_in_thread, &own->map) == 0 && map_works(&own->map, KEYS);
    nums_destroy(&own->map);
    return well;
}

static bool use_and_unlock_reader(void *context)
{
    struct own *own = context;
    return *own->reader.value == 5 && nums_read_unlock(&own->reader) == CM_OK && use_map(own);
}

static bool use_and_unlock_writer(void *context)
{
    struct own *own = context;
    bool well = nums_put(&own->map, 5, 1, NULL) == CM_DEADLOCK;
    *own->writer.value = 5;
    return well && nums_write_unlock(&own->writer) == CM_OK && use_map(own);
}

static bool fill_vacant(void *context)
{
    struct own *own = context;
    bool well = nums_entry_insert(&own->writer, 1) != NULL && nums_entry_remove(&own->writer, NULL) == CM_OK;
    return well && nums_entry_unlock(&own->writer) == CM_OK && use_map(own);
}

static bool use_detached(void *context)
{
    struct own *own = context;
    return nums_write_attach(&own->writer) == CM_OK && use_and_unlock_writer(own);
}

static bool use_frozen(void *context)
{
    struct own *own = context;
    bool well = *nums_frozen_get(&own->frozen, 5) == 5 && nums_put(&own->map, 5, 1, NULL) == CM_DEADLOCK;
    return well && nums_thaw(&own->frozen) == CM_OK && use_map(own);
}

static bool go_on_walking(void *context)
{
    struct own *own = context;
    uint64_t seen = 1, copied = 0;
    while (nums_iter_next(&own->iter))
        seen++;
    nums_iter_end(&own->iter);
    CM_FOREACH (nums_snapshot, &own->snapshot, it)
        copied += it.key == it.value;
    nums_snapshot_drop(&own->snapshot);
    return seen == KEYS && copied == KEYS && use_map(own);
}

static void a_child_has_what_its_thread_held(void **state)
{
    (void)state;
    struct own own;
    begin(&own.map);
    assert_true(child_does(use_map, &own));
    assert_int_equal(nums_read(&own.map, 5, &own.reader), CM_OK);
    assert_true(child_does(use_and_unlock_reader, &own));
    nums_read_unlock(&own.reader);
    assert_int_equal(nums_write(&own.map, 5, &own.writer), CM_OK);
    assert_true(child_does(use_and_unlock_writer, &own));
    assert_int_equal(nums_write_detach(&own.writer), CM_OK);
    assert_true(child_does(use_detached, &own));
    assert_int_equal(nums_write_attach(&own.writer), CM_OK);
    nums_write_unlock(&own.writer);
    assert_int_equal(nums_entry(&own.map, KEYS, &own.writer), CM_OK);
    assert_true(child_does(fill_vacant, &own));
    nums_entry_unlock(&own.writer);
    assert_int_equal(nums_freeze(&own.map, &own.frozen), CM_OK);
    assert_true(child_does(use_frozen, &own));
    nums_thaw(&own.frozen);
    own.iter = nums_iter_begin(&own.map);
    assert_true(nums_iter_next(&own.iter));
    assert_int_equal(nums_snapshot_take(&own.map, &own.snapshot), CM_OK);
    assert_true(child_does(go_on_walking, &own));
    nums_iter_end(&own.iter);
    nums_snapshot_drop(&own.snapshot);
    assert_true(use_map(&own)); /* and the parent was not touched */
}

static cm_status fork_inside(uint64_t *value, void *child)
{
    *(pid_t *)child = fork();
    ++*value;
    return CM_OK;
}

static void a_function_under_a_lock_may_fork(void **state)
{
    (void)state;
    struct own own;
    pid_t child = -1;
    uint64_t value = 0;
    int status = -1;
    begin(&own.map);
    assert_int_equal(nums_update(&own.map, 5, fork_inside, &child), CM_OK);
    if (child == 0) {
        alarm(60);
        bool well = nums_get(&own.map, 5, &value) && value == 6 && nums_put(&own.map, 5, 5, NULL) == CM_REPLACED;
        _exit(well && use_map(&own) ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(nums_put(&own.map, 5, 5, NULL), CM_REPLACED);
    assert_true(use_map(&own));
}

static bool finish_growth(void *context)
{
    struct own *own = context;
    bool well = nums_len(&own->map) == KEYS && nums_settle(&own->map) == CM_OK;
    return well && use_map(own);
}

static void a_child_finishes_growth_that_its_parent_began(void **state)
{
    (void)state;
    struct own own;
    uint64_t key = 0;
    assert_int_equal(nums_init(&own.map, NULL), CM_OK);
    while (key < KEYS)
        assert_int_equal(nums_put(&own.map, key, key, NULL), CM_OK), key++;
    for (; !own.map.core.root->next; key++) /* a table has just been hung on */
        assert_int_equal(nums_put(&own.map, key, key, NULL), CM_OK);
    while (key-- > KEYS)
        assert_int_equal(nums_remove(&own.map, key, NULL), CM_OK);
    assert_true(child_does(finish_growth, &own));
    assert_true(finish_growth(&own));
}

struct others {
    nums map;
    uint32_t inside; /* threads that hold what they shall */
    uint32_t let_go;
};

static void hold_until_told(struct others *others)
{
    __atomic_add_fetch(&others->inside, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&others->let_go, __ATOMIC_ACQUIRE))
        usleep(1000);
}

static cm_status stay_in_update(uint64_t *value, void *context)
{
    (void)value;
    hold_until_told(context);
    return CM_OK;
}

static size_t hold_something(void *context, unsigned i)
{
    struct others *others = context;
    nums_read_guard reader;
    nums_write_guard writer;
    cm_status status = CM_OK;
    switch (i) {
    case 0:
        status = nums_read(&others->map, 1, &reader);
        hold_until_told(others);
        nums_read_unlock(&reader);
        break;
    case 1:
        status = nums_write(&others->map, 2, &writer);
        hold_until_told(others);
        nums_write_unlock(&writer);
        break;
    case 2:
        status = nums_entry(&others->map, KEYS, &writer);
        hold_until_told(others);
        nums_entry_unlock(&writer);
        break;
    case 3:
        status = nums_update(&others->map, 3, stay_in_update, others);
        break;
    default: /* sleeps: for a writer, or behind a reader */
        while (__atomic_load_n(&others->inside, __ATOMIC_ACQUIRE) < 4)
            usleep(1000);
        status = nums_update(&others->map, i == 4 ? 3 : 1, add_one, NULL);
    }
    return status != CM_OK;
}

static void *run_others(void *context)
{
    return (void *)(uintptr_t)crew_run(6, hold_something, context);
}

/* No promise is made of such a map but these: calls with a deadline end, and it can be destroyed. */
static bool end_by_deadlines(void *context)
{
    struct others *others = context;
    uint64_t value;
    nums_read_guard guard;
    bool well = nums_try_update(&others->map, 2, add_one, NULL) == CM_BUSY;
    well &= nums_update_until(&others->map, 3, add_one, NULL, cm_deadline_after(2000000)) == CM_TIMEOUT;
    well &= nums_update_until(&others->map, 1, add_one, NULL, cm_deadline_after(2000000)) == CM_TIMEOUT;
    well &= nums_get_until(&others->map, 3, &value, cm_deadline_after(2000000)) == CM_TIMEOUT;
    well &= nums_try_read(&others->map, 2, &guard) == CM_BUSY;
    well &= nums_get(&others->map, 1, &value) && value == 1; /* who only reads is in nobody's way */
    nums_destroy(&others->map);
    return well && nums_init(&others->map, NULL) == CM_OK && nums_put(&others->map, 1, 1, NULL) == CM_OK;
}

static void a_map_that_others_were_in_does_not_hang_who_has_a_deadline(void **state)
{
    (void)state;
    if (CM_TSAN)
        skip(); /* it lets the children of a process with threads have none */
    static struct others others;
    void *wrong;
    pthread_t thread;
    begin(&others.map);
    assert_int_equal(pthread_create(&thread, NULL, run_others, &others), 0);
    while (__atomic_load_n(&others.map.core.waiters.count, __ATOMIC_ACQUIRE) < 2)
        usleep(1000);
    usleep(50000); /* until they sleep */
    bool well = child_does(end_by_deadlines, &others);
    __atomic_store_n(&others.let_go, 1, __ATOMIC_RELEASE);
    pthread_join(thread, &wrong);
    assert_null(wrong);
    assert_true(well);
    nums_destroy(&others.map);
}

/* A thread takes a snapshot, and waits for the guard of another one. */
static size_t snapshot_something(void *context, unsigned i)
{
    struct others *others = context;
    nums_write_guard writer;
    nums_snapshot snapshot;
    cm_status status;
    if (i == 0) {
        status = nums_write(&others->map, 2, &writer);
        hold_until_told(others);
        nums_write_unlock(&writer);
    } else {
        while (!__atomic_load_n(&others->inside, __ATOMIC_ACQUIRE))
            usleep(1000);
        status = nums_snapshot_take(&others->map, &snapshot);
        nums_snapshot_drop(&snapshot);
    }
    return status != CM_OK;
}

static void *run_snapshot(void *context)
{
    return (void *)(uintptr_t)crew_run(2, snapshot_something, context);
}

static bool end_by_deadlines_amid_a_snapshot(void *context)
{
    struct others *others = context;
    nums_snapshot snapshot;
    uint64_t value;
    bool well = nums_try_update(&others->map, 2, add_one, NULL) == CM_BUSY;
    well &= nums_update_until(&others->map, 2, add_one, NULL, cm_deadline_after(2000000)) == CM_TIMEOUT;
    well &= nums_try_snapshot_take(&others->map, &snapshot) == CM_BUSY;
    well &= nums_snapshot_take_until(&others->map, &snapshot, cm_deadline_after(2000000)) == CM_TIMEOUT;
    for (uint64_t key = 0; key < KEYS; key++) { /* in marked buckets and in others; those of key 2's are held */
        cm_status status = nums_update_until(&others->map, key, add_one, NULL, cm_deadline_after(200000));
        well &= status == CM_OK || status == CM_TIMEOUT;
        well &= status == CM_TIMEOUT || (nums_get(&others->map, key, &value) && value == key + 1);
    }
    nums_destroy(&others->map);
    return well;
}

static void a_snapshot_that_others_were_taking_does_not_hang_who_has_a_deadline(void **state)
{
    (void)state;
    if (CM_TSAN)
        skip(); /* as above */
    static struct others others;
    void *wrong;
    pthread_t thread;
    begin(&others.map);
    assert_int_equal(pthread_create(&thread, NULL, run_snapshot, &others), 0);
    while (__atomic_load_n(&others.map.core.marks.phase, __ATOMIC_ACQUIRE) == CM_MARKS_NONE_)
        usleep(1000);
    while (__atomic_load_n(&others.map.core.waiters.count, __ATOMIC_RELAXED) == 0)
        usleep(1000);
    usleep(50000); /* until it sleeps, amid its marks */
    bool well = child_does(end_by_deadlines_amid_a_snapshot, &others);
    __atomic_store_n(&others.let_go, 1, __ATOMIC_RELEASE);
    pthread_join(thread, &wrong);
    assert_null(wrong);
    assert_true(well);
    nums_destroy(&others.map);
}

struct busy {
    nums theirs;
    words texts;
    struct own own;
    uint32_t stop;
    size_t forks;
};

/* Works on other maps, makes and ends threads, and allocates: everything that a fork may come upon. */
static size_t keep_busy(void *context, unsigned i)
{
    struct busy *busy = context;
    size_t wrong = 0;
    if (i == 0) {
        for (size_t n = 0; n < busy->forks; n++)
            wrong += !child_does(use_map, &busy->own);
        __atomic_store_n(&busy->stop, 1, __ATOMIC_RELAXED);
    }
    for (uint64_t n = 0; i > 0 && !__atomic_load_n(&busy->stop, __ATOMIC_RELAXED); n++) {
        char text[24];
        int length = snprintf(text, sizeof text, "%llu", (unsigned long long)(n % 3000 * i));
        wrong += words_put(&busy->texts, cm_str_from(text, (size_t)length), n, NULL) < 0;
        wrong += nums_put(&busy->theirs, n % 5000, n, NULL) < 0;
        nums_remove(&busy->theirs, n * 7 % 5000, NULL);
        if (n % 5000 == 0)
            wrong += words_clear(&busy->texts) != CM_OK;
        if (n % 500 == 0)
            wrong += crew_run(2, use_in_thread, &busy->theirs) == SIZE_MAX;
    }
    return wrong;
}

static void a_child_uses_a_map_that_nobody_was_in(void **state)
{
    (void)state;
    if (CM_TSAN || CM_ASAN) /* the latter takes what lies where other threads had their stacks for theirs */
        skip();
    static struct busy busy;
    busy.forks = crew_scale(100);
    begin(&busy.own.map);
    assert_int_equal(nums_init(&busy.theirs, NULL), CM_OK);
    assert_int_equal(words_init(&busy.texts, NULL), CM_OK);
    assert_int_equal(crew_run(4, keep_busy, &busy), 0);
    nums_destroy(&busy.theirs);
    words_destroy(&busy.texts);
    assert_true(use_map(&busy.own));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_has_what_its_thread_held),
        cmocka_unit_test(a_function_under_a_lock_may_fork),
        cmocka_unit_test(a_child_finishes_growth_that_its_parent_began),
        cmocka_unit_test(a_map_that_others_were_in_does_not_hang_who_has_a_deadline),
        cmocka_unit_test(a_snapshot_that_others_were_taking_does_not_hang_who_has_a_deadline),
        cmocka_unit_test(a_child_uses_a_map_that_nobody_was_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
