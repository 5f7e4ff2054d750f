/* Checked builds: the places of deadlocks, and values that are used too late. */
#undef CM_CHECKED
#define CM_CHECKED 1
#include <concmap/sharded.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crew.h"
#include "unit.h"

CM_SHARDED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)

struct told {
    pthread_mutex_t lock;
    unsigned times;
    cm_deadlock last;
};

static struct told told = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void tell(const cm_deadlock *deadlock, void *context)
{
    assert_ptr_equal(context, &told);
    pthread_mutex_lock(&told.lock);
    told.times++;
    told.last = *deadlock;
    pthread_mutex_unlock(&told.lock);
}

static void begin(nums *map)
{
    told.times = 0;
    /* The seed: each of the keys has a bucket of its own. */
    assert_int_equal(nums_init(map, &(cm_config){.capacity = 10000, .seed = 1}), CM_OK);
    for (uint64_t key = 0; key < 8; key++)
        assert_int_equal(nums_put(map, key, key, NULL), CM_OK);
    cm_set_deadlock_hook(tell, &told);
}

static void end(nums *map)
{
    cm_set_deadlock_hook(NULL, NULL);
    nums_destroy(map);
}

static bool is_here(cm_call_site site, unsigned line)
{
    return site.file && strcmp(site.file, __FILE__) == 0 && site.line == line && site.code;
}

/* One line for both, so that the test knows which it is. */
#define LINE_AND(call) (line = __LINE__, CM_AT(call))

static void a_deadlock_names_both_places(void **state)
{
    (void)state;
    nums map;
    nums_write_guard guard;
    unsigned line;
    begin(&map);
    assert_int_equal(LINE_AND(nums_write(&map, 1, &guard)), CM_OK);
    unsigned held = line;
    assert_int_equal(LINE_AND(nums_put(&map, 1, 9, NULL)), CM_DEADLOCK);
    assert_int_equal(told.times, 1);
    assert_int_equal(told.last.threads, 1);
    assert_true(is_here(told.last.held, held));
    assert_true(is_here(told.last.wanted, line));
    assert_int_equal(nums_write_unlock(&guard), CM_OK);
    end(&map);
}

static void scopes_know_their_line(void **state)
{
    (void)state;
    nums map;
    begin(&map);
    unsigned line = __LINE__ + 1;
    CM_WITH_READ (nums, &map, 1, g)
        assert_int_equal(nums_remove(&map, 1, NULL), CM_DEADLOCK);
    assert_int_equal(told.times, 1);
    assert_true(is_here(told.last.held, line));
    assert_null(told.last.wanted.file); /* the note before it was another call's */
    assert_non_null(told.last.wanted.code);
    end(&map);
}

static __attribute__((noinline)) cm_status lock_somewhere(nums *map, nums_write_guard *guard)
{
    cm_status status = nums_write(map, 1, guard);
    __asm__ volatile("" ::: "memory"); /* it is not the last thing done: it returns to here */
    return status;
}

static void other_calls_know_their_address(void **state)
{
    (void)state;
    nums map;
    nums_write_guard guard;
    begin(&map);
    assert_int_equal(lock_somewhere(&map, &guard), CM_OK);
    assert_int_equal(nums_update(&map, 1, NULL, NULL), CM_DEADLOCK);
    uintptr_t from = (uintptr_t)(void *)lock_somewhere, code = (uintptr_t)told.last.held.code;
    assert_in_range(code, from, from + 4096);
    assert_null(told.last.held.file);
    assert_int_equal(nums_write_unlock(&guard), CM_OK);
    end(&map);
}

struct circle {
    nums map;
    pthread_barrier_t both_hold;
    unsigned lines[2][2]; /* of each thread: where it took its lock, and where it wanted the other's */
    unsigned deadlocks;
};

static size_t hold_and_want(void *context, unsigned i)
{
    struct circle *circle = context;
    nums_write_guard mine, other;
    unsigned line;
    size_t wrong = LINE_AND(nums_write(&circle->map, i, &mine)) != CM_OK;
    circle->lines[i][0] = line;
    circle->lines[i][1] = __LINE__ + 2;
    pthread_barrier_wait(&circle->both_hold);
    cm_status status = CM_AT(nums_write_until(&circle->map, !i, &other, cm_deadline_after(UINT64_C(30000000000))));
    if (status == CM_DEADLOCK)
        __atomic_add_fetch(&circle->deadlocks, 1, __ATOMIC_RELAXED);
    else
        wrong += status != CM_OK || nums_write_unlock(&other) != CM_OK;
    return wrong + (nums_write_unlock(&mine) != CM_OK);
}

static void a_circle_names_both_places(void **state)
{
    (void)state;
    struct circle circle = {.deadlocks = 0};
    begin(&circle.map);
    pthread_barrier_init(&circle.both_hold, NULL, 2);
    assert_int_equal(crew_run(2, hold_and_want, &circle), 0);
    assert_int_equal(circle.deadlocks, 1);
    assert_int_equal(told.times, 1);
    assert_int_equal(told.last.threads, 2);
    assert_true(is_here(told.last.held, circle.lines[0][0]));
    assert_true(is_here(told.last.wanted, circle.lines[0][1]));
    pthread_barrier_destroy(&circle.both_hold);
    end(&circle.map);
}

static cm_status add_all(uint64_t **values, size_t n, void *context)
{
    (void)context;
    for (size_t i = 0; i < n; i++)
        ++*values[i];
    return CM_OK;
}

static size_t take_pairs(void *context, unsigned i)
{
    nums *map = context;
    size_t wrong = 0;
    for (size_t n = crew_scale(2000); n > 0; n--)
        wrong += nums_with_keys(map, (uint64_t[]){(n + i) % 8, (n + i + 3) % 8}, 2, add_all, NULL) != CM_OK;
    return wrong;
}

static void what_ends_well_is_not_told(void **state)
{
    (void)state;
    nums map;
    begin(&map);
    assert_int_equal(crew_run(3, take_pairs, &map), 0);
    assert_int_equal(told.times, 0);
    end(&map);
}

/* ---- values ---- */

static void a_readers_value_is_its_own(void **state)
{
    (void)state;
    nums map;
    nums_write_guard entry;
    uint64_t value;
    begin(&map);
    assert_int_equal(nums_entry(&map, 100, &entry), CM_OK);
    assert_non_null(nums_entry_insert(&entry, 5));
    *entry.value = 6;
    nums_read_guard reader, clone;
    assert_int_equal(nums_write_downgrade(&entry, &reader), CM_OK);
    assert_int_equal(nums_read_clone(&reader, &clone), CM_OK);
    assert_ptr_not_equal(reader.value, clone.value);
    assert_int_equal(nums_read_unlock(&reader), CM_OK);
    assert_int_equal(*clone.value, 6);
    assert_int_equal(nums_read_upgrade(&clone, 100, &entry), CM_OK);
    *entry.value = 7;
    assert_int_equal(nums_entry_remove(&entry, &value), CM_OK);
    assert_int_equal(value, 7);
    assert_non_null(nums_entry_insert(&entry, 8));
    assert_non_null(nums_entry_insert(&entry, 9));
    ++*entry.value;
    assert_int_equal(nums_entry_unlock(&entry), CM_OK);
    assert_null(entry.value);
    assert_true(nums_get(&map, 100, &value) && value == 10);
    end(&map);
}

static void L3_a_value_that_is_used_after_its_guard_is_caught(void **state)
{
    (void)state;
#if CM_ASAN
    pid_t child = fork();
    if (child == 0) {
        nums map;
        nums_read_guard guard;
        if (!freopen("/dev/null", "w", stderr) || nums_init(&map, NULL) != CM_OK ||
            nums_put(&map, 1, 1, NULL) != CM_OK || nums_read(&map, 1, &guard) != CM_OK)
            _exit(0);
        const volatile uint64_t *kept = guard.value;
        if (nums_read_unlock(&guard) != CM_OK || nums_put(&map, 1, 2, NULL) != CM_REPLACED)
            _exit(0);
        (void)*kept; /* ends here */
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_not_equal(status, 0);
#else
    skip(); /* nobody watches */
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deadlock_names_both_places),
        cmocka_unit_test(scopes_know_their_line),
        cmocka_unit_test(other_calls_know_their_address),
        cmocka_unit_test(a_circle_names_both_places),
        cmocka_unit_test(what_ends_well_is_not_told),
        cmocka_unit_test(a_readers_value_is_its_own),
        cmocka_unit_test(L3_a_value_that_is_used_after_its_guard_is_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
