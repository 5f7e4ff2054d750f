/* The fence of left-right readers, where they fence for themselves: between "inside" and the look at the word.
 *
 * Without it the store that says "inside" may stay in the processor's store buffer while the word is read; a writer
 * that swaps just then finds nobody inside, and changes what the reader looks at. Here that is made likely: before it
 * enters, the reader stores to lines that the writer's processor has, so that "inside" waits behind those stores, while
 * the word is read at once; the writer publishes, and begins the next batch, in the same moment. Wrong is a view whose
 * meta value changes.
 *
 * Without the fence, and with two processors alone, some in a thousand rounds are wrong; on a busy machine fewer, or
 * none, for both threads must run. The writer's own fence cannot be missed on x86, where the swap is one already. */
#include <sched.h>

#include "crew.h"
#include "process.h"
#include "unit.h"

#include "leftright_nums.h"

#define LINES 40
#define LOOKS 400 /* of a view */
#define PAUSES 512
#define SPINS 20000

/* Each alone on its lines; both threads store to them, so that those travel. */
struct line {
    uint64_t word;
} __attribute__((aligned(256)));

static struct line lines[LINES];

static void lines_fetch(uint64_t round)
{
    for (unsigned i = 0; i < LINES; i++)
        __atomic_store_n(&lines[i].word, round, __ATOMIC_RELAXED);
}

/* Both threads begin each round together, until so many rounds began at once in both, or for some seconds: on a busy
 * machine they hardly ever run together. */
struct rounds {
    size_t wanted;
    cm_deadline end;
    uint64_t at[2] __attribute__((aligned(256)));
    uint64_t last;
    char apart_[256];
};

/* Whether the other one came soon. */
static bool round_begin(struct rounds *rounds, unsigned thread, uint64_t round)
{
    unsigned spins = 0;
    __atomic_store_n(&rounds->at[thread], round, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&rounds->at[!thread], __ATOMIC_ACQUIRE) < round)
        if (++spins > SPINS)
            sched_yield();
    return spins <= SPINS;
}

static void pause_for(uint64_t turns)
{
    for (; turns > 0; turns--)
        CM_COMPILER_BARRIER();
}

static size_t writer_run(struct rounds *rounds)
{
    cm_status status;
    size_t wrong = 0, begun = 0;
    uint64_t random = 1234567;
    for (uint64_t round = 1; !rounds->last; round++) {
        if (begun >= rounds->wanted || cm_deadline_after(0) > rounds->end)
            __atomic_store_n(&rounds->last, round, __ATOMIC_RELAXED); /* published by the round's beginning */
        lines_fetch(round);
        begun += round_begin(rounds, 0, round);
        pause_for(crew_random(&random) % PAUSES);
        wrong += nums_publish(&writer) != CM_OK;
        while ((status = nums_try_begin(&writer)) == CM_BUSY) /* who parks is too late for the next round */
            cm_spin_hint_();
        wrong += status != CM_OK || nums_set_meta(&writer, round) != CM_OK;
    }
    return wrong;
}

/* Whether the view's meta value stays as it is. */
static bool view_stays(const nums_view *view)
{
    uint64_t meta = nums_view_meta(view);
    for (unsigned i = 0; i < LOOKS; i++) {
        CM_COMPILER_BARRIER();
        if (nums_view_meta(view) != meta)
            return false;
    }
    return true;
}

static size_t reader_run(struct rounds *rounds)
{
    size_t wrong = 0;
    uint64_t random = 7654321;
    bool last = false;
    for (uint64_t round = 1; !last; round++) {
        round_begin(rounds, 1, round);
        last = __atomic_load_n(&rounds->last, __ATOMIC_RELAXED) == round;
        uint64_t pauses = crew_random(&random) % PAUSES;
        (void)cm_load_relaxed_(&map.core->word); /* the line of the word is here */
        pause_for(pauses);
        lines_fetch(round);
        const nums_view *view = nums_enter(&reader);
        wrong += !view_stays(view);
        nums_leave(&reader);
    }
    return wrong;
}

static size_t round_run(void *context, unsigned thread)
{
    return thread == 0 ? writer_run(context) : reader_run(context);
}

static size_t race(void)
{
    static struct rounds rounds;
    rounds = (struct rounds){.wanted = crew_scale(100000), .end = cm_deadline_after(3000 * (cm_deadline)MS)};
    begin();
    nums_begin(&writer);
    nums_publish(&writer);
    nums_try_begin(&writer); /* where there is no membarrier the writer finds out, and tells of it */
    got(&reader, 0);         /* and the reader knows: an idle one would be waited for */
    size_t wrong = crew_run(2, round_run, &rounds);
    end();
    return wrong;
}

static void a_view_stays_as_it_is_where_readers_fence(void **state)
{
    (void)state;
    assert_int_equal(race(), 0);
}

static int a_view_stays_as_it_is_without_membarrier(void)
{
    return refuse_membarrier() ? race() != 0 : PROCESS_SKIPPED;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_view_stays_as_it_is_where_readers_fence),
        unit_test_in_child(a_view_stays_as_it_is_without_membarrier),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
