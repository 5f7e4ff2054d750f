/* Bells and latches: whoever waits is rung for, also where another thread waited before. */
#include <concmap/detail/partition.h>
#include <sched.h>

#include "crew.h"
#include "unit.h"

#define MS 1000000

/* The thread says that it waits, and is about to sleep. */
static void await(struct cm_latch_ *latch, struct cm_thread_ *thread)
{
    cm_bell_set_(thread);
    assert_true(cm_latch_await_(latch, thread));
    assert_int_equal(thread->bell, 1);
}

static void the_last_count_rings_for_who_waits(void **state) /* W3 */
{
    (void)state;
    struct cm_latch_ latch = {0, NULL};
    static struct cm_thread_ waiter;
    assert_true(cm_latch_is_done_(&latch));
    cm_latch_up_(&latch);
    cm_latch_up_(&latch);
    await(&latch, &waiter);
    cm_latch_down_(&latch);
    assert_int_equal(waiter.bell, 1);
    assert_false(cm_latch_is_done_(&latch));
    cm_latch_down_(&latch);
    assert_int_equal(waiter.bell, 0);
    assert_true(cm_latch_is_done_(&latch));
    assert_false(cm_latch_await_(&latch, &waiter)); /* nothing to wait for */
}

/* Who counts has read the name of a waiter that gives up, and is held up before it counts: it has to read again. */
static void who_waits_next_is_rung_for(void **state) /* W3 */
{
    (void)state;
    struct cm_latch_ latch = {0, NULL};
    static struct cm_thread_ first, second;
    cm_latch_up_(&latch);
    await(&latch, &first);
    uint64_t read = latch.word;
    cm_bell_unset_(&first);
    await(&latch, &second);
    assert_false(cm_swap_if_acq_rel_(&latch.word, &read, read - 1));
    read = latch.word;
    await(&latch, &second); /* woken for no reason; the name is the same */
    assert_true(cm_swap_if_acq_rel_(&latch.word, &read, read));
    cm_latch_down_(&latch);
    assert_int_equal(second.bell, 0);
    assert_true(cm_latch_is_done_(&latch));
}

/* ---- threads ---- */

struct relay {
    struct cm_latch_ latch;
    uint64_t round, waited, counted; /* that has begun; in which the first waiter is done, and the one that counts */
};

static void reach(const uint64_t *word, uint64_t round)
{
    while (cm_load_acquire_(word) < round)
        sched_yield();
}

/* Waits for some microseconds, and leaves the rest to the next one. */
static size_t wait_a_moment(struct relay *relay, size_t rounds)
{
    size_t wrong = 0;
    for (size_t i = 1; i <= rounds; i++) {
        reach(&relay->round, i);
        cm_status status = cm_latch_wait_(&relay->latch, NULL, false, cm_deadline_after(1000 * (i % 30)));
        wrong += status != CM_OK && status != CM_TIMEOUT;
        cm_store_release_(&relay->waited, i);
    }
    return wrong;
}

static size_t wait_for_it(struct relay *relay, size_t rounds)
{
    size_t wrong = 0;
    for (size_t i = 1; i <= rounds && !wrong; i++) { /* one that hangs is enough to wait for */
        cm_latch_up_(&relay->latch);
        cm_store_release_(&relay->round, i);
        reach(&relay->waited, i);
        wrong += cm_latch_wait_(&relay->latch, NULL, false, cm_deadline_after(60000 * (uint64_t)MS)) != CM_OK;
        reach(&relay->counted, i);
    }
    cm_store_release_(&relay->round, rounds);
    return wrong;
}

static size_t count_down(struct relay *relay, size_t rounds)
{
    uint64_t random = 1;
    for (size_t i = 1; i <= rounds; i++) {
        reach(&relay->round, i);
        for (uint64_t pauses = crew_random(&random) % 4096; pauses > 0; pauses--)
            CM_COMPILER_BARRIER();
        if (!cm_latch_is_done_(&relay->latch))
            cm_latch_down_(&relay->latch);
        cm_store_release_(&relay->counted, i);
    }
    return 0;
}

static size_t relay_run(void *context, unsigned thread)
{
    size_t (*const roles[])(struct relay *, size_t) = {wait_a_moment, wait_for_it, count_down};
    return roles[thread](context, crew_scale(3000));
}

static void nobody_sleeps_on(void **state)
{
    (void)state;
    struct relay relay = {{0, NULL}, 0, 0, 0};
    assert_int_equal(crew_run(3, relay_run, &relay), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_count_rings_for_who_waits),
        cmocka_unit_test(who_waits_next_is_rung_for),
        cmocka_unit_test(nobody_sleeps_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
