/* What readers and holders hold up, and what comes back once they have left: tables, nodes, texts, overflow buckets. */
#include <concmap/sharded.h>
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crew.h"
#include "unit.h"

struct page {
    uint64_t words[32];
};

CM_SHARDED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_SHARDED_MAP(pages, uint64_t, struct page, cm_hash_u64, cm_equal_u64)
CM_SHARDED_MAP(texts, cm_str, uint64_t, cm_hash_str, cm_equal_str)

/* ---- buckets that are held ---- */

#define HOLDERS 20 /* more than the list of stragglers takes */

/* A map of which some buckets are held, each by a thread inside an update. */
struct held {
    nums map;
    char *heads[HOLDERS];
    uint64_t keys[HOLDERS];
    pthread_t threads[HOLDERS];
    unsigned count;
    uint32_t inside, let_go;
};

static char *head_of(nums *map, uint64_t key)
{
    return cm_table_bucket_(map->core.root, cm_layout_of_(&nums_type_), nums_hash_of_(map, &key));
}

static bool is_held(struct held *held, uint64_t key)
{
    char *head = head_of(&held->map, key);
    for (unsigned i = 0; i < held->count; i++)
        if (held->heads[i] == head)
            return true;
    return false;
}

static cm_status wait_inside(uint64_t *value, void *context)
{
    struct held *held = context;
    __atomic_add_fetch(&held->inside, 1, __ATOMIC_ACQ_REL);
    while (!__atomic_load_n(&held->let_go, __ATOMIC_ACQUIRE))
        usleep(1000);
    ++*value;
    return CM_OK;
}

static void *hold_one(void *context)
{
    struct held *held = context;
    nums_update(&held->map, held->keys[held->count], wait_inside, held);
    return NULL;
}

static void hold(struct held *held, unsigned count)
{
    assert_int_equal(nums_init(&held->map, NULL), CM_OK);
    for (uint64_t key = 0; key < 1000; key++)
        assert_int_equal(nums_put(&held->map, key, 0, NULL), CM_OK);
    assert_int_equal(nums_settle(&held->map), CM_OK);
    for (uint64_t key = 0; held->count < count; key++) {
        if (is_held(held, key))
            continue;
        held->keys[held->count] = key;
        assert_int_equal(pthread_create(&held->threads[held->count], NULL, hold_one, held), 0);
        while (__atomic_load_n(&held->inside, __ATOMIC_ACQUIRE) <= held->count)
            usleep(100);
        held->heads[held->count++] = head_of(&held->map, key);
    }
}

static void let_go(struct held *held)
{
    __atomic_store_n(&held->let_go, 1, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < held->count; i++)
        pthread_join(held->threads[i], NULL);
    for (unsigned i = 0; i < held->count; i++) {
        uint64_t value;
        assert_true(nums_get(&held->map, held->keys[i], &value));
        assert_int_equal(value, 1);
    }
}

static void settle_and_check(nums *map, size_t entries)
{
    const char *reason = NULL;
    assert_int_equal(nums_settle(map), CM_OK);
    assert_null(map->core.root->next);
    assert_int_equal(nums_check(map, &reason), CM_OK);
    assert_int_equal(nums_len(map), entries);
}

/* Every table stays about as full as a table should be: the ones behind the held bucket grow on. */
static void growth_goes_on_behind(unsigned holders)
{
    struct held held = {.count = 0};
    size_t entries = 1000;
    hold(&held, holders);
    for (uint64_t key = 1000; key < crew_scale(200000); key++)
        if (!is_held(&held, key))
            entries += nums_put(&held.map, key, key, NULL) == CM_OK;
    for (struct cm_table_ *table = held.map.core.root; table; table = table->next)
        assert_true(table->overflowed <= table->overflow_limit * 3 / 2 + 64);
    let_go(&held);
    settle_and_check(&held.map, entries);
    nums_destroy(&held.map);
}

static void growth_goes_on_behind_a_held_bucket(void **state)
{
    (void)state;
    growth_goes_on_behind(1);
}

static void growth_goes_on_behind_more_held_buckets_than_are_listed(void **state)
{
    (void)state;
    growth_goes_on_behind(HOLDERS);
}

static void settle_says_busy_of_a_held_bucket_and_writers_finish(void **state)
{
    (void)state;
    struct held held = {.count = 0};
    size_t entries = 1000;
    hold(&held, 1);
    assert_int_equal(nums_reserve(&held.map, 5000), CM_OK);
    assert_int_equal(nums_reserve(&held.map, 100000), CM_OK); /* many buckets wait for the held one */
    assert_int_equal(nums_settle(&held.map), CM_BUSY);
    let_go(&held);
    for (uint64_t key = 0; key < 10000 && held.map.core.root->next; key++)
        assert_true(nums_put(&held.map, key % 1000, 0, NULL) == CM_REPLACED);
    assert_null(held.map.core.root->next);
    settle_and_check(&held.map, entries);
    nums_destroy(&held.map);
}

/* ---- readers that are inside ---- */

struct stepped {
    nums map;
    uint32_t stop;
};

static void *step_on(void *context)
{
    struct stepped *stepped = context;
    while (!__atomic_load_n(&stepped->stop, __ATOMIC_ACQUIRE))
        nums_step(&stepped->map, 64);
    return NULL;
}

static void settle_is_not_ok_while_a_reader_holds_memory_up(void **state)
{
    (void)state;
    struct stepped stepped = {.stop = 0};
    assert_int_equal(nums_init(&stepped.map, &(cm_config){.capacity = 1000}), CM_OK);
    assert_int_equal(nums_put(&stepped.map, 1, 1, NULL), CM_OK);
    struct cm_pin_ pin = cm_pin_enter_();
    assert_int_equal(nums_reserve(&stepped.map, 10000), CM_OK);
    pthread_t thread; /* has what waits in its hands, now and then */
    assert_int_equal(pthread_create(&thread, NULL, step_on, &stepped), 0);
    size_t wrong = 0;
    for (size_t i = 0; i < crew_scale(300); i++)
        wrong += nums_settle(&stepped.map) != CM_BUSY;
    assert_int_equal(wrong, 0);
    cm_pin_leave_(pin);
    __atomic_store_n(&stepped.stop, 1, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    settle_and_check(&stepped.map, 1);
    assert_int_equal(nums_memory(&stepped.map).waiting, 0);
    nums_destroy(&stepped.map);
}

/* ---- nodes and texts ---- */

static size_t fill_and_empty(void *context, unsigned i)
{
    size_t wrong = 0;
    for (uint64_t key = i * 1000; key < i * 1000 + 300; key++)
        wrong += pages_put(context, key, (struct page){{key}}, NULL) != CM_OK;
    for (uint64_t key = i * 1000; key < i * 1000 + 300; key++)
        wrong += pages_remove(context, key, NULL) != CM_OK;
    return wrong;
}

static void settle_collects_nodes_of_threads_that_have_ended(void **state)
{
    (void)state;
    pages map;
    assert_int_equal(pages_init(&map, NULL), CM_OK);
    assert_int_equal(crew_run(20, fill_and_empty, &map), 0);
    assert_true(pages_memory(&map).waiting > 0);
    assert_int_equal(pages_settle(&map), CM_OK);
    assert_int_equal(pages_memory(&map).waiting, 0);
    pages_destroy(&map);
}

static void removed_texts_do_not_pile_up(void **state)
{
    (void)state;
    static char text[1 << 20];
    memset(text, 'x', sizeof text);
    texts map;
    assert_int_equal(texts_init(&map, NULL), CM_OK);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(texts_put(&map, cm_str_from(text, sizeof text), 1, NULL), CM_OK);
        assert_int_equal(texts_remove(&map, cm_str_from(text, sizeof text), NULL), CM_OK);
        assert_true(texts_memory(&map).total < 8 * sizeof text);
    }
    assert_int_equal(texts_put(&map, cm_str_from(text, sizeof text), 1, NULL), CM_OK);
    assert_int_equal(texts_remove(&map, cm_str_from(text, sizeof text), NULL), CM_OK);
    assert_true(texts_memory(&map).waiting >= sizeof text || texts_memory(&map).total < sizeof text);
    texts_destroy(&map);
}

/* ---- overflow buckets ---- */

#define COMERS 4
#define COMERS_KEYS 100

static uint64_t crowded_hash(const uint64_t *key, uint64_t seed)
{
    (void)seed;
    return *key % 16; /* few buckets, and long chains */
}

CM_SHARDED_MAP(crowds, uint64_t, uint64_t, crowded_hash, cm_equal_u64)

static size_t come_and_go(void *context, unsigned i)
{
    uint64_t random = 88172645463325252u + i;
    size_t wrong = 0;
    for (size_t n = 0; n < crew_scale(400000); n++) {
        uint64_t key = (uint64_t)i << 40 | crew_random(&random) % COMERS_KEYS;
        wrong += (random >> 40 & 1 ? crowds_put(context, key, n, NULL) : crowds_remove(context, key, NULL)) < 0;
    }
    return wrong;
}

/* Threads that need overflow buckets at once, and give them back: no more are made than are in use at a time. */
static void overflow_buckets_are_used_again(void **state)
{
    (void)state;
    crowds map;
    assert_int_equal(crowds_init(&map, &(cm_config){.capacity = 2000}), CM_OK);
    size_t made = crowds_memory(&map).table;
    assert_int_equal(crew_run(COMERS, come_and_go, &map), 0);
    assert_null(map.core.root->next); /* it did not grow */
    assert_in_range(crowds_memory(&map).table - made, 1, COMERS * COMERS_KEYS / 3 * 64);
    crowds_destroy(&map);
}

/* ---- forked children ---- */

struct parked {
    nums map;
    uint32_t inside, let_go;
};

static cm_status wait_in_parent(uint64_t *value, void *context)
{
    struct parked *parked = context;
    (void)value;
    __atomic_store_n(&parked->inside, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&parked->let_go, __ATOMIC_ACQUIRE))
        usleep(1000);
    return CM_OK;
}

static size_t hold_or_park(void *context, unsigned i)
{
    struct parked *parked = context;
    if (i == 0)
        return nums_update(&parked->map, 1, wait_in_parent, parked) != CM_OK;
    while (!__atomic_load_n(&parked->inside, __ATOMIC_ACQUIRE))
        usleep(100);
    return nums_put(&parked->map, 1, 5, NULL) != CM_REPLACED;
}

static void *run_parked(void *context)
{
    return (void *)(uintptr_t)crew_run(2, hold_or_park, context);
}

/* A cell that threads take in turn: they park and wake each other. */
struct taken {
    uint64_t cell;
    cm_waiters_ waiters;
};

static size_t take_turns(void *context, unsigned i)
{
    struct taken *taken = context;
    (void)i;
    for (int n = 0; n < 300; n++) {
        cm_cell_lock_(&taken->cell, &taken->waiters);
        sched_yield();
        cm_cell_unlock_(&taken->cell, cm_load_relaxed_(&taken->cell), &taken->waiters);
    }
    return 0;
}

static size_t scribble(void *context, unsigned i)
{
    volatile char stack[60000];
    (void)context;
    for (size_t k = 0; k < sizeof stack; k++)
        stack[k] = (char)(i + 1);
    usleep(20000); /* so that each thread has a stack of its own */
    return 0;
}

static void a_child_is_not_led_to_the_sleepers_of_its_parent(void **state)
{
    (void)state;
    if (CM_TSAN)
        skip(); /* it lets the children of a process with threads have none */
    static struct parked parked;
    assert_int_equal(nums_init(&parked.map, NULL), CM_OK);
    assert_int_equal(nums_put(&parked.map, 1, 0, NULL), CM_OK);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_parked, &parked), 0);
    while (__atomic_load_n(&parked.map.core.waiters.count, __ATOMIC_ACQUIRE) == 0)
        usleep(1000);
    usleep(100000); /* until it sleeps */
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        crew_run(8, scribble, NULL);                                      /* over the stacks of the parent's threads */
        cm_cell_wake_((uint64_t *)(void *)head_of(&parked.map, 1), true); /* nobody sleeps there any more */
        struct taken taken = {0};
        _exit(crew_run(3, take_turns, &taken) == 0 ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    __atomic_store_n(&parked.let_go, 1, __ATOMIC_RELEASE);
    void *wrong;
    pthread_join(thread, &wrong);
    assert_null(wrong);
    nums_destroy(&parked.map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(growth_goes_on_behind_a_held_bucket),
        cmocka_unit_test(growth_goes_on_behind_more_held_buckets_than_are_listed),
        cmocka_unit_test(settle_says_busy_of_a_held_bucket_and_writers_finish),
        cmocka_unit_test(settle_is_not_ok_while_a_reader_holds_memory_up),
        cmocka_unit_test(settle_collects_nodes_of_threads_that_have_ended),
        cmocka_unit_test(removed_texts_do_not_pile_up),
        cmocka_unit_test(overflow_buckets_are_used_again),
        cmocka_unit_test(a_child_is_not_led_to_the_sleepers_of_its_parent),
    };
    cm_thread_get_(); /* registers the process for barriers */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
