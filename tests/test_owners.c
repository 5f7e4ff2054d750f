/* Threads that end with guards, and guards that outlive their thread. */
#include <concmap/sharded.h>
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crew.h"
#include "failing_allocator.h"
#include "unit.h"

CM_SHARDED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)

static void begin(nums *map)
{
    assert_int_equal(nums_init(map, NULL), CM_OK);
    assert_int_equal(nums_put(map, 1, 1, NULL), CM_OK);
    assert_int_equal(nums_put(map, 2, 2, NULL), CM_OK);
}

/* A bucket of which something dead is left does not move, so the map can grow no more. */
static bool can_grow(nums *map)
{
    bool well = true;
    for (uint64_t key = 100; key < 3000; key++)
        well &= nums_put(map, key, key, NULL) >= 0;
    return well && nums_settle(map) == CM_OK && nums_check(map, NULL) == CM_OK;
}

static void *die_writing(void *map)
{
    static __thread nums_write_guard guard;
    nums_write(map, 1, &guard);
    return NULL;
}

static void kill_writer(nums *map)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, die_writing, map), 0);
    pthread_join(thread, NULL);
}

struct death {
    nums map;
    uint32_t held;
};

static void *die_when_wanted(void *context)
{
    static __thread nums_write_guard guard;
    struct death *death = context;
    nums_write(&death->map, 1, &guard);
    __atomic_store_n(&death->held, 1, __ATOMIC_RELEASE);
    usleep(1000); /* until the other one sleeps */
    return NULL;
}

/* Who waits for a thread that ends comes at the very moment in which it gives its lock back. */
static void no_death_is_missed(void **state)
{
    (void)state;
    for (size_t round = 0; round < crew_scale(600); round++) {
        struct death death = {.held = 0};
        pthread_t thread;
        nums_write_guard guard;
        begin(&death.map);
        assert_int_equal(pthread_create(&thread, NULL, die_when_wanted, &death), 0);
        while (!__atomic_load_n(&death.held, __ATOMIC_ACQUIRE))
            sched_yield();
        assert_int_equal(nums_write(&death.map, 1, &guard), CM_OWNER_DIED);
        assert_int_equal(nums_entry_remove(&guard, NULL), CM_OK);
        assert_int_equal(nums_write_unlock(&guard), CM_OK);
        pthread_join(thread, NULL);
        assert_true(round % 64 != 0 || can_grow(&death.map));
        nums_destroy(&death.map);
    }
}

static void every_reader_is_told_until_somebody_deals_with_it(void **state)
{
    (void)state;
    nums map;
    nums_read_guard one, two;
    nums_write_guard writer;
    begin(&map);
    kill_writer(&map);
    assert_int_equal(nums_read(&map, 1, &one), CM_OWNER_DIED);
    assert_int_equal(nums_read(&map, 1, &two), CM_OWNER_DIED);
    assert_int_equal(nums_read_unlock(&one), CM_OK);
    assert_int_equal(nums_read_upgrade(&two, 1, &writer), CM_OWNER_DIED);
    assert_int_equal(nums_entry_remove(&writer, NULL), CM_OK);
    assert_int_equal(nums_write_unlock(&writer), CM_OK);
    assert_true(can_grow(&map));
    nums_destroy(&map);
}

static void a_child_knows_the_dead(void **state)
{
    (void)state;
    nums map;
    int status = 1;
    begin(&map);
    kill_writer(&map);
    pid_t child = fork();
    if (child == 0) {
        nums_write_guard guard;
        bool well = nums_write(&map, 1, &guard) == CM_OWNER_DIED && nums_write_unlock(&guard) == CM_OK;
        _exit(well && can_grow(&map) ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    nums_destroy(&map);
}

/* ---- guards of others ---- */

struct left {
    nums map;
    nums_read_guard reader;
    nums_write_guard vacant;
};

static void *leave_guards(void *context)
{
    struct left *left = context;
    nums_read(&left->map, 1, &left->reader);
    nums_entry(&left->map, 50, &left->vacant);
    return NULL;
}

static void *try_guards_of_the_dead(void *context) /* with the record that the other one had */
{
    struct left *left = context;
    bool refused = nums_contains(&left->map, 1) && nums_read_unlock(&left->reader) == CM_INVALID &&
                   nums_entry_unlock(&left->vacant) == CM_INVALID && !nums_entry_insert(&left->vacant, 5);
    return refused ? NULL : context;
}

static void guards_of_ended_threads_are_refused(void **state)
{
    (void)state;
    struct left left;
    pthread_t thread;
    void *wrong;
    begin(&left.map);
    assert_int_equal(pthread_create(&thread, NULL, leave_guards, &left), 0);
    pthread_join(thread, NULL);
    assert_int_equal(pthread_create(&thread, NULL, try_guards_of_the_dead, &left), 0);
    pthread_join(thread, &wrong);
    assert_null(wrong);
    assert_int_equal(nums_try_put(&left.map, 1, 7, NULL), CM_REPLACED);
    assert_int_equal(nums_try_insert(&left.map, 50, 7), CM_OK);
    nums_destroy(&left.map);
}

static cm_status add_one(uint64_t *value, void *context)
{
    (void)context;
    ++*value;
    return CM_OK;
}

static void guards_that_are_not_held_do_nothing(void **state)
{
    (void)state;
    nums map;
    nums_write_guard entry, copy, other;
    nums_read_guard reader;
    begin(&map);
    assert_int_equal(nums_entry(&map, 1, &entry), CM_OK);
    copy = entry;
    assert_int_equal(nums_write_detach(&entry), CM_OK);
    assert_null(nums_entry_or_insert(&entry, 5));
    assert_int_equal(nums_entry_and_modify(&entry, add_one, NULL), CM_INVALID);
    assert_int_equal(nums_entry_replace(&entry, 5, NULL), CM_INVALID);
    assert_int_equal(nums_write_unlock(&copy), CM_INVALID);
    assert_int_equal(nums_write_downgrade(&copy, &reader), CM_INVALID);
    assert_int_equal(nums_read_unlock(&reader), CM_INVALID);
    assert_int_equal(nums_read_upgrade(&reader, 1, &other), CM_INVALID);
    assert_int_equal(nums_write_unlock(&other), CM_INVALID);
    assert_int_equal(nums_write_attach(&entry), CM_OK);
    copy = entry;
    assert_int_equal(nums_write_unlock(&entry), CM_OK);
    assert_int_equal(nums_write_unlock(&copy), CM_INVALID);
    assert_int_equal(nums_try_put(&map, 1, 7, NULL), CM_REPLACED);
    nums_destroy(&map);
}

CM_SHARDED_MAP(words, cm_str, uint64_t, cm_hash_str, cm_equal_str)

static cm_str long_key(void)
{
    static char text[1000];
    memset(text, 'l', sizeof text);
    return cm_str_from(text, sizeof text);
}

static void *die_in_a_vacant_text(void *map)
{
    static __thread words_write_guard entry;
    words_entry(map, long_key(), &entry);
    return NULL;
}

static void *die_after_removing_a_text(void *map)
{
    static __thread words_write_guard entry;
    words_entry(map, long_key(), &entry);
    for (uint64_t n = 0; n < 3; n++) {
        words_entry_insert(&entry, n);
        words_entry_remove(&entry, NULL);
    }
    return NULL;
}

static void what_only_the_dead_knew_of_is_given_back(void **state)
{
    (void)state;
    static void *(*const deaths[])(void *) = {die_in_a_vacant_text, die_after_removing_a_text};
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    for (size_t i = 0; i < 2; i++) {
        words map;
        pthread_t thread;
        assert_int_equal(words_init(&map, &(cm_config){.allocator = &memory.allocator}), CM_OK);
        for (size_t round = 0; round < 3; round++) {
            assert_int_equal(pthread_create(&thread, NULL, deaths[i], &map), 0);
            pthread_join(thread, NULL);
        }
        assert_int_equal(words_put(&map, long_key(), 1, NULL), CM_OK);
        assert_int_equal(words_check(&map, NULL), CM_OK);
        words_destroy(&map);
        assert_int_equal(memory.live_blocks, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_death_is_missed),
        cmocka_unit_test(every_reader_is_told_until_somebody_deals_with_it),
        cmocka_unit_test(a_child_knows_the_dead),
        cmocka_unit_test(guards_of_ended_threads_are_refused),
        cmocka_unit_test(guards_that_are_not_held_do_nothing),
        cmocka_unit_test(what_only_the_dead_knew_of_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
