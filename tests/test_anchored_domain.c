/* Anchored maps of a domain: what a thread has seen stays until it reports or leaves its pin. The names with a letter
 * and a number are cases of the project's list of bugs that other maps had. */
#include <concmap/anchored.h>
#include <concmap/domain.h>
#include <pthread.h>

#include "anchored_nums.h"
#include "crew.h"
#include "failing_allocator.h"

#define WATCHED 64
static struct {
    nums map;
    cm_domain domain;
    int stop;
} watched;

/* A value is its own complement in the upper half; memory that is used again belies it. */
static uint64_t sealed(uint64_t number)
{
    return number | ~number << 32;
}

static bool is_sealed(uint64_t value)
{
    return (uint32_t)value == (uint32_t) ~(value >> 32);
}

static size_t watch_work(void *context, unsigned thread)
{
    size_t wrong = 0;
    uint64_t random = thread + 1;
    cm_domain *domain = context;
    if (thread < 2) {
        for (size_t n = 0; n < crew_scale(200000); n++) {
            uint64_t key = crew_random(&random) % WATCHED;
            if (crew_random(&random) % 4)
                wrong += nums_put(&watched.map, key, sealed(n & 0xffffffff), NULL) < 0;
            else
                nums_remove(&watched.map, key, NULL);
        }
        __atomic_store_n(&watched.stop, 1, __ATOMIC_RELEASE);
        return wrong;
    }
    if (thread == 2)
        wrong += cm_domain_join(domain) < 0;
    while (!__atomic_load_n(&watched.stop, __ATOMIC_ACQUIRE)) {
        const uint64_t *seen[WATCHED];
        if (thread == 3)
            wrong += cm_domain_pin(domain) < 0;
        for (uint64_t key = 0; key < WATCHED; key++)
            seen[key] = nums_get(&watched.map, key);
        for (int again = 0; again < 3; again++)
            for (uint64_t key = 0; key < WATCHED; key++)
                wrong += seen[key] && !is_sealed(__atomic_load_n(seen[key], __ATOMIC_RELAXED));
        if (thread == 3)
            cm_domain_unpin(domain);
        else
            wrong += cm_domain_quiescent(domain) != CM_OK;
    }
    cm_domain_part(domain);
    return wrong;
}

static void what_a_thread_has_seen_stays_until_it_reports_or_leaves_its_pin(void **state)
{
    (void)state;
    assert_int_equal(cm_domain_init(&watched.domain, NULL), CM_OK);
    for (int own = 0; own < 2; own++) {
        cm_domain *domain = own ? &watched.domain : cm_domain_default();
        watched.stop = 0;
        assert_int_equal(nums_init(&watched.map, &(cm_config){.references = CM_DOMAIN, .domain = own ? domain : NULL}),
                         CM_OK);
        assert_int_equal(crew_run(4, watch_work, domain), 0);
        assert_true(nums_memory(&watched.map).nodes < 64 << 20); /* nodes were used again */
        finish(&watched.map);
        cm_domain_part(domain);
    }
    assert_int_equal(cm_domain_destroy(&watched.domain), CM_OK);
}

static void removed_entries_wait_for_who_holds_them_back_L7(void **state)
{
    (void)state;
    nums map;
    cm_domain domain;
    assert_int_equal(cm_domain_init(&domain, NULL), CM_OK);
    assert_int_equal(nums_init(&map, &(cm_config){.references = CM_DOMAIN, .domain = &domain}), CM_OK);
    for (uint64_t i = 0; i < 10000; i++)
        assert_int_equal(nums_put(&map, i, i, NULL), CM_OK);
    assert_int_equal(nums_settle(&map), CM_OK);
    assert_int_equal(cm_domain_pin(&domain), CM_OK);
    const uint64_t *kept = nums_get(&map, 77);
    for (uint64_t i = 0; i < 10000; i++)
        assert_int_equal(nums_remove(&map, i, NULL), CM_OK);
    cm_unreclaimed waiting = nums_unreclaimed(&map);
    assert_int_equal(waiting.entries, 10000);
    assert_true(waiting.bytes >= 10000 * 16);
    assert_int_equal(waiting.holder, CM_HOLDER_THREAD);
    assert_true(pthread_equal(waiting.thread, pthread_self()));
    assert_int_equal(*kept, 77);
    cm_domain_unpin(&domain);
    assert_int_equal(nums_settle(&map), CM_OK);
    assert_int_equal(nums_unreclaimed(&map).entries, 0);
    nums_destroy(&map);
    assert_int_equal(cm_domain_destroy(&domain), CM_OK);
}

/* Threads past those whose caches come with the first one's. */
#define MANY 12
static struct {
    nums map;
    struct failing_allocator memory;
    pthread_barrier_t turn;
} crowd;

static size_t remove_without_memory(void *context, unsigned thread)
{
    (void)context;
    size_t wrong = nums_get(&crowd.map, thread) == NULL; /* it has a place among the threads */
    if (pthread_barrier_wait(&crowd.turn) == PTHREAD_BARRIER_SERIAL_THREAD)
        crowd.memory.fail_all = true;
    pthread_barrier_wait(&crowd.turn);
    wrong += nums_remove(&crowd.map, thread, NULL) != CM_OK;
    pthread_barrier_wait(&crowd.turn);
    return wrong;
}

static void what_threads_without_memory_removed_is_counted_too(void **state)
{
    (void)state;
    failing_allocator_init(&crowd.memory);
    assert_int_equal(nums_init(&crowd.map, &(cm_config){.allocator = &crowd.memory.allocator}), CM_OK);
    for (uint64_t i = 0; i < MANY; i++)
        assert_int_equal(nums_put(&crowd.map, i, i, NULL), CM_OK);
    pthread_barrier_init(&crowd.turn, NULL, MANY);
    assert_int_equal(crew_run(MANY, remove_without_memory, NULL), 0);
    pthread_barrier_destroy(&crowd.turn);
    assert_true(crowd.memory.failures > 0);
    crowd.memory.fail_all = false;
    cm_unreclaimed waiting = nums_unreclaimed(&crowd.map);
    assert_int_equal(waiting.entries, MANY);
    assert_true(waiting.bytes >= MANY * 24);
    assert_int_equal(nums_memory(&crowd.map).waiting, waiting.bytes);
    finish(&crowd.map);
    assert_int_equal(crowd.memory.live_blocks, 0);
}

static struct {
    nums map;
    cm_domain domain;
} reporting;

static cm_status make_and_report(uint64_t *value, void *context)
{
    (void)context;
    const uint64_t *seen = nums_get(&reporting.map, 1);
    assert_non_null(seen);
    assert_int_equal(nums_remove(&reporting.map, 1, NULL), CM_OK);
    assert_int_equal(cm_domain_quiescent(&reporting.domain), CM_BUSY);
    for (uint64_t i = 1000; i < 6000; i++) {
        assert_int_equal(nums_put(&reporting.map, i, 999, NULL), CM_OK);
        assert_int_equal(nums_remove(&reporting.map, i, NULL), CM_OK);
        assert_int_equal(cm_domain_quiescent(&reporting.domain), CM_BUSY);
    }
    assert_int_equal(cm_domain_try_barrier(&reporting.domain), CM_OK); /* nothing waits there */
    *value = *seen;
    return *seen == 11 ? CM_OK : CM_CORRUPT;
}

static void who_makes_a_value_cannot_report(void **state)
{
    (void)state;
    assert_int_equal(cm_domain_init(&reporting.domain, NULL), CM_OK);
    assert_int_equal(nums_init(&reporting.map, &(cm_config){.references = CM_DOMAIN, .domain = &reporting.domain}),
                     CM_OK);
    assert_int_equal(nums_put(&reporting.map, 1, 11, NULL), CM_OK);
    const uint64_t *made = NULL;
    assert_int_equal(nums_get_or_insert_with(&reporting.map, 2, make_and_report, NULL, &made), CM_OK);
    assert_int_equal(*made, 11);
    assert_int_equal(cm_domain_quiescent(&reporting.domain), CM_OK);
    cm_domain_part(&reporting.domain);
    finish(&reporting.map);
    assert_int_equal(cm_domain_destroy(&reporting.domain), CM_OK);
}

/* L2: papaya. */
static void maps_of_one_domain_do_not_free_each_others_entries_L2(void **state)
{
    (void)state;
    cm_domain domain;
    nums maps[3];
    assert_int_equal(cm_domain_init(&domain, NULL), CM_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(nums_init(&maps[i], &(cm_config){.references = CM_DOMAIN, .domain = &domain}), CM_OK);
    assert_int_equal(nums_put(&maps[0], 1, 111, NULL), CM_OK);
    assert_int_equal(cm_domain_join(&domain), CM_OK);
    const uint64_t *seen = nums_get(&maps[0], 1);
    assert_int_equal(nums_remove(&maps[0], 1, NULL), CM_OK);
    for (uint64_t i = 0; i < 50000; i++) /* B retires tables */
        assert_int_equal(nums_put(&maps[1], i, i, NULL), CM_OK);
    nums_destroy(&maps[2]);
    for (uint64_t i = 0; i < 5000; i++) {
        assert_int_equal(nums_put(&maps[0], i + 5, 0, NULL), CM_OK);
        assert_int_equal(nums_remove(&maps[0], i + 5, NULL), CM_OK);
    }
    assert_int_equal(*seen, 111);
    assert_int_equal(cm_domain_quiescent(&domain), CM_OK);
    cm_domain_part(&domain);
    nums_destroy(&maps[0]);
    nums_destroy(&maps[1]);
    assert_int_equal(cm_domain_destroy(&domain), CM_OK);
}

/* A destroy function that removes another entry, after a reader has found it. */
struct boxed {
    uint64_t number;
};
static struct {
    cm_domain domain;
    cm_pin pin; /* the reader's */
    bool armed;
    size_t victims;
} late_removal;

static cm_status boxed_clone(struct boxed *to, const struct boxed *from, void *context)
{
    (void)context;
    *to = *from;
    return CM_OK;
}

static void boxed_destroy(struct boxed *boxed, void *context);
CM_ANCHORED_MAP_OWNED(boxes, uint64_t, struct boxed, cm_hash_u64, cm_equal_u64, CM_PLAIN,
                      CM_OWNED(boxed_clone, boxed_destroy))

static void nothing(void *object, void *context)
{
    (void)object, (void)context;
}

/* As others might do meanwhile. */
static void epochs_pass(void)
{
    static cm_retired link;
    cm_domain_retire_by(&late_removal.domain, &link, NULL, 0, nothing, NULL);
    assert_int_equal(cm_domain_try_barrier(&late_removal.domain), CM_OK);
}

static void boxed_destroy(struct boxed *boxed, void *context)
{
    late_removal.victims += boxed->number == 999;
    if (!late_removal.armed)
        return;
    late_removal.armed = false;
    epochs_pass();
    cm_pin_open(&late_removal.domain, &late_removal.pin);
    assert_non_null(boxes_get(context, 999));
    cm_domain_part(&late_removal.domain);
    assert_int_equal(boxes_remove(context, 999, NULL), CM_OK);
}

static void what_a_destroy_function_removes_waits_for_who_found_it_meanwhile(void **state)
{
    (void)state;
    memset(&late_removal, 0, sizeof late_removal);
    boxes map;
    assert_int_equal(cm_domain_init(&late_removal.domain, NULL), CM_OK);
    const cm_config config = {.references = CM_DOMAIN, .domain = &late_removal.domain, .context = &map};
    assert_int_equal(boxes_init(&map, &config), CM_OK);
    assert_int_equal(boxes_put(&map, 999, (struct boxed){999}, NULL), CM_OK);
    for (int round = 0; round < 2; round++) { /* in the second one the first one's entries are given back */
        for (uint64_t i = 0; i < 64; i++)
            assert_int_equal(boxes_put(&map, i, (struct boxed){i}, NULL), CM_OK);
        late_removal.armed = round == 1;
        for (uint64_t i = 0; i < 64; i++)
            assert_int_equal(boxes_remove(&map, i, NULL), CM_OK);
        for (uint64_t epoch = late_removal.domain.epoch / 2; round == 0;) {
            epochs_pass();
            if ((late_removal.domain.epoch / 2 - epoch) % 3 == 0)
                break;
        }
    }
    boxes_settle(&map);
    assert_false(late_removal.armed);
    assert_int_equal(late_removal.victims, 0);
    cm_pin_close(&late_removal.pin);
    assert_int_equal(boxes_settle(&map), CM_OK);
    assert_int_equal(late_removal.victims, 1);
    boxes_destroy(&map);
    assert_int_equal(cm_domain_destroy(&late_removal.domain), CM_OK);
}

static void domains_are_for_anchored_maps_that_ask_for_one_M2(void **state)
{
    (void)state;
    nums map;
    cm_domain domain;
    assert_int_equal(cm_domain_init(&domain, NULL), CM_OK);
    assert_int_equal(nums_init(&map, &(cm_config){.domain = &domain}), CM_INVALID);
    cm_config too_large = {.references = CM_DOMAIN, .domain = &domain, .capacity = SIZE_MAX};
    assert_int_equal(nums_init(&map, &too_large), CM_NOMEM);
    assert_int_equal(nums_init(&map, &(cm_config){.references = CM_DOMAIN, .domain = &domain}), CM_OK);
    assert_int_equal(cm_domain_destroy(&domain), CM_BUSY);
    nums_destroy(&map);
    assert_int_equal(cm_domain_destroy(&domain), CM_OK);
    static const size_t capacities[] = {0, 1, 2, 3, 1000};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(nums_init(&map, &(cm_config){.capacity = capacities[i]}), CM_OK);
        for (uint64_t key = 0; key < 100; key++)
            assert_int_equal(nums_insert(&map, key, key), CM_OK);
        finish(&map);
    }
    assert_int_equal(nums_init(&map, &(cm_config){.capacity = SIZE_MAX}), CM_NOMEM);
}

#define FED 20000

static size_t fed_work(void *context, unsigned thread)
{
    size_t wrong = 0;
    (void)thread;
    for (uint64_t key = 0; key < FED; key++)
        wrong += nums_insert(context, key, key) != CM_OK;
    return wrong;
}

static void what_one_thread_has_removed_another_uses_again(void **state)
{
    nums map;
    (void)state;
    assert_int_equal(nums_init(&map, &(cm_config){.references = CM_DOMAIN}), CM_OK);
    assert_int_equal(fed_work(&map, 0), 0);
    for (uint64_t key = 0; key < FED; key++)
        assert_int_equal(nums_remove(&map, key, NULL), CM_OK);
    cm_domain_part(cm_domain_default());
    assert_int_equal(nums_settle(&map), CM_OK);
    size_t before = nums_memory(&map).nodes;
    assert_int_equal(crew_run(1, fed_work, &map), 0); /* this thread keeps some two thousand nodes for itself */
    assert_true(nums_memory(&map).nodes < before + before / 2);
    finish(&map);
}

/* Changes entries of 32 bytes, in a domain that rests all the time; returns how often its epoch was advanced. */
static uint64_t epochs_of_changes(nums *map, cm_domain *domain, size_t changes)
{
    uint64_t before = domain->epoch;
    for (size_t i = 0; i < changes; i++) {
        domain->rests_until = UINT64_MAX;
        assert_true(nums_put(map, i % WATCHED, i, NULL) >= 0);
    }
    return (domain->epoch - before) / CM_EPOCH_ONE_;
}

/* A few nodes then wait longer, but not more than 256 KiB of each thread before it tries. */
static void while_barriers_are_dear_there_are_few_and_what_waits_is_bounded(void **state)
{
    (void)state;
    enum { CHANGES = 100000, NODE = 32, TRY = 256 << 10 };
    cm_domain domain;
    nums map;
    assert_int_equal(cm_domain_init(&domain, NULL), CM_OK);
    assert_int_equal(nums_init(&map, &(cm_config){.references = CM_DOMAIN, .domain = &domain}), CM_OK);
    for (uint64_t i = 0; i < WATCHED; i++)
        assert_int_equal(nums_put(&map, i, i, NULL), CM_OK);
    cm_domain_part(&domain);
    uint64_t epochs = epochs_of_changes(&map, &domain, CHANGES);
    assert_true(epochs > 2 && epochs <= CHANGES * NODE / TRY + 4); /* the table grows, too */
    cm_unreclaimed waiting = nums_unreclaimed(&map);
    assert_int_equal(waiting.bytes, waiting.entries * NODE); /* those that are not tagged yet count, too */
    assert_true(waiting.entries > 0 && waiting.bytes <= 3 * TRY);
    assert_true(nums_memory(&map).nodes <= 6 * TRY);
    nums_destroy(&map);
    assert_int_equal(cm_domain_destroy(&domain), CM_OK);
}

static void no_small_entry_lies_in_two_lines(void **state)
{
    nums map;
    (void)state;
    assert_int_equal(nums_init(&map, &(cm_config){.capacity = 1000}), CM_OK);
    for (uint64_t key = 0; key < 5000; key++)
        assert_int_equal(nums_insert(&map, key, key), CM_OK);
    for (uint64_t key = 0; key < 5000; key++) {
        uintptr_t value = (uintptr_t)nums_get(&map, key); /* the header and the key lie before it */
        assert_int_equal((value - 16) / 64, (value + sizeof(uint64_t) - 1) / 64);
    }
    finish(&map);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_thread_has_seen_stays_until_it_reports_or_leaves_its_pin),
        cmocka_unit_test(removed_entries_wait_for_who_holds_them_back_L7),
        cmocka_unit_test(what_threads_without_memory_removed_is_counted_too),
        cmocka_unit_test(who_makes_a_value_cannot_report),
        cmocka_unit_test(maps_of_one_domain_do_not_free_each_others_entries_L2),
        cmocka_unit_test(what_a_destroy_function_removes_waits_for_who_found_it_meanwhile),
        cmocka_unit_test(what_one_thread_has_removed_another_uses_again),
        cmocka_unit_test(while_barriers_are_dear_there_are_few_and_what_waits_is_bounded),
        cmocka_unit_test(no_small_entry_lies_in_two_lines),
        cmocka_unit_test(domains_are_for_anchored_maps_that_ask_for_one_M2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
