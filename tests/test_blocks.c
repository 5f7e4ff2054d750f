/* The blocks below the tables: searching a bucket, the cell lock and its waiting, and the domain. */
#include <concmap/detail/cell.h>
#include <concmap/detail/domain.h>
#include <concmap/detail/match.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../src/thread_registry.h"
#include "crew.h"
#include "unit.h"

/* ---- match ---- */

static void vector_searches_agree_with_a_loop(void **state)
{
    (void)state;
    uint64_t random = crew_seed("match");
    _Alignas(64) union {
        uint64_t words[16];
        uint32_t quads[32];
    } line;
    uint64_t *bucket = line.words;
    for (int round = 0; round < 100000; round++) {
        for (size_t i = 0; i < 16; i++)
            bucket[i] = crew_random(&random) % 3 | (crew_random(&random) % 2) << 48;
        uint64_t key = bucket[1 + crew_random(&random) % 7];
        unsigned words = 0, halves = 0, small = 0, tags = 0;
        for (unsigned i = 0; i < 7; i++) {
            words |= (unsigned)(bucket[1 + i] == key) << i;
            halves |= (unsigned)((uint32_t)bucket[1 + i] == (uint32_t)key) << i;
        }
        for (unsigned i = 0; i < 8; i++)
            small |= (unsigned)(line.quads[2 + i] == (uint32_t)key) << i;
        for (unsigned i = 0; i < 6; i++)
            tags |= (unsigned)(bucket[1 + i] >> 48 == key >> 48) << i;
        unsigned found = cm_match_u64_(bucket, key, 7) & 0x7f;
        assert_int_equal(CM_MATCH_U64_BY_HALF_ ? halves : words, found);
        assert_int_equal(found & 7, cm_match_u64_(bucket, key, 3) & 7);
        assert_int_equal(small, cm_match_u32_(line.quads, (uint32_t)key, 8) & 0xff);
        assert_int_equal(small & 0x3f, cm_match_u32_(line.quads, (uint32_t)key, 6) & 0x3f);
        assert_int_equal(tags, cm_match_tag_(bucket, key) & 0x3f);
    }
}

/* ---- cell ---- */

struct guarded {
    uint64_t cell;
    cm_waiters_ waiters;
    size_t rounds;
    uint64_t plain; /* changed under the lock only */
    int stop;
};

static int wait_for(struct guarded *guarded, bool exclusive)
{
    struct cm_wait_ wait = {&guarded->waiters, CM_FOREVER, true};
    return cm_cell_wait_(&guarded->cell, exclusive, &wait);
}

static size_t count_under_lock(void *context, unsigned i)
{
    struct guarded *guarded = context;
    for (size_t n = 0; n < guarded->rounds; n++) {
        cm_cell_lock_(&guarded->cell, &guarded->waiters);
        guarded->plain++;
        if (i == 0 && n % 64 == 0)
            sched_yield(); /* let others find it taken, and park */
        cm_cell_unlock_(&guarded->cell, cm_load_relaxed_(&guarded->cell), &guarded->waiters);
    }
    return 0;
}

static void a_cell_excludes_and_no_wake_is_lost(void **state)
{
    (void)state;
    struct guarded guarded = {.rounds = crew_scale(20000)};
    assert_int_equal(crew_run(8, count_under_lock, &guarded), 0);
    assert_int_equal(guarded.plain, 8 * guarded.rounds);
    assert_int_equal(guarded.waiters.count, 0);
    assert_int_equal(guarded.cell / CM_VERSION_ONE_, 8 * guarded.rounds); /* C3: a version for each unlock */
}

struct pair_of_holders {
    struct guarded guarded;
    pthread_barrier_t round;
};

/* Two threads: whoever comes second waits, and nobody else would wake it later. */
static size_t hold_for_a_while(void *context, unsigned i)
{
    struct pair_of_holders *pair = context;
    uint64_t random = 88172645463325252u + i;
    for (size_t n = 0; n < crew_scale(4000); n++) {
        pthread_barrier_wait(&pair->round);
        cm_cell_lock_(&pair->guarded.cell, &pair->guarded.waiters);
        for (uint64_t spins = crew_random(&random) % 400; spins > 0; spins--)
            cm_spin_hint_();
        cm_cell_unlock_(&pair->guarded.cell, cm_load_relaxed_(&pair->guarded.cell), &pair->guarded.waiters);
    }
    return 0;
}

static void a_lone_waiter_is_woken(void **state)
{
    (void)state;
    struct pair_of_holders pair = {0};
    pthread_barrier_init(&pair.round, NULL, 2);
    assert_int_equal(crew_run(2, hold_for_a_while, &pair), 0);
    pthread_barrier_destroy(&pair.round);
}

static size_t share_without_pause(void *context, unsigned i)
{
    struct guarded *guarded = context;
    size_t wrong = 0;
    if (i == 0) { /* the writer: it ends although readers never let go together */
        wrong = count_under_lock(guarded, 1);
        __atomic_store_n(&guarded->stop, 1, __ATOMIC_RELAXED);
        return wrong;
    }
    while (!__atomic_load_n(&guarded->stop, __ATOMIC_RELAXED)) {
        wait_for(guarded, false);
        uint64_t before = guarded->plain;
        for (int n = 0; n < 50; n++)
            cm_spin_hint_();
        wrong += guarded->plain != before;
        cm_cell_unshare_(&guarded->cell, &guarded->waiters);
    }
    return wrong;
}

static void a_writer_comes_in_past_readers_without_pause(void **state)
{
    (void)state;
    struct guarded guarded = {.rounds = crew_scale(800)};
    assert_int_equal(crew_run(4, share_without_pause, &guarded), 0);
    assert_int_equal(guarded.plain, guarded.rounds);
}

#define WAIT_FOR_MOVED 6

static size_t wait_for_moved(void *context, unsigned i)
{
    struct guarded *guarded = context;
    if (i == 0) {
        while (cm_load_relaxed_(&guarded->waiters.count) < WAIT_FOR_MOVED - 1)
            usleep(1000);
        usleep(20000); /* they are about to sleep; if they do not yet, the test is weaker, not wrong */
        cm_cell_unlock_(&guarded->cell, cm_load_relaxed_(&guarded->cell) | CM_MOVED_, &guarded->waiters);
        return 0;
    }
    bool moved = wait_for(guarded, i % 2) == CM_GOT_MOVED_;
    return !moved;
}

static void moved_wakes_all_who_wait(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        struct guarded guarded = {0};
        assert_true(cm_cell_try_lock_(&guarded.cell, CM_BARRED_));
        assert_int_equal(crew_run(WAIT_FOR_MOVED, wait_for_moved, &guarded), 0);
        assert_false(cm_cell_try_lock_(&guarded.cell, CM_BARRED_));
    }
}

/* Such as come between a look and the share: shared holders are no matter, all others are. */
static void a_share_is_counted_only_where_nothing_else_has_come(void **state)
{
    (void)state;
    const uint64_t seen = 7 * CM_VERSION_ONE_ | CM_READER_ONE_;
    const uint64_t others[] = {seen | CM_WRITER_, seen | CM_PENDING_, seen | CM_MOVED_, seen + CM_VERSION_ONE_,
                               seen | CM_READERS_};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        uint64_t cell = others[i];
        assert_false(cm_cell_try_share_(&cell, seen));
        assert_int_equal(cell, others[i]);
    }
    uint64_t cell = seen + CM_READER_ONE_;
    assert_true(cm_cell_try_share_(&cell, seen));
    assert_int_equal(cell, seen + 2 * CM_READER_ONE_);
}

/* ---- domain ---- */

static void advance_twice(void)
{
    cm_domain_advance_(NULL);
    cm_domain_advance_(NULL);
}

static void what_a_pin_may_see_is_kept(void **state)
{
    (void)state;
    struct cm_pin_ pin = cm_pin_enter_();
    uint64_t tag = cm_domain_tag_(NULL);
    for (int i = 0; i < 10; i++)
        cm_domain_advance_(NULL);
    assert_false(cm_domain_passed_(NULL, tag));
    cm_pin_leave_(pin);
    advance_twice();
    assert_true(cm_domain_passed_(NULL, tag));
}

static void an_inner_pin_does_not_end_the_outer_one(void **state)
{
    (void)state;
    struct cm_pin_ outer = cm_pin_enter_();
    uint64_t tag = cm_domain_tag_(NULL);
    cm_domain_advance_(NULL);
    struct cm_pin_ inner = cm_pin_enter_();
    cm_pin_leave_(inner);
    struct cm_thread_ *leaf = cm_leaf_enter_();
    cm_leaf_leave_(leaf);
    for (int i = 0; i < 10; i++)
        cm_domain_advance_(NULL);
    assert_false(cm_domain_passed_(NULL, tag));
    cm_pin_leave_(outer);
    advance_twice();
    assert_true(cm_domain_passed_(NULL, tag));
}

static void a_lookup_pins_too(void **state)
{
    (void)state;
    struct cm_thread_ *self = cm_leaf_enter_();
    uint64_t tag = cm_domain_tag_(NULL);
    for (int i = 0; i < 10; i++)
        cm_domain_advance_(NULL);
    assert_false(cm_domain_passed_(NULL, tag));
    cm_leaf_leave_(self);
    advance_twice();
    assert_true(cm_domain_passed_(NULL, tag));
}

static void *end_inside_a_pin(void *context)
{
    *(uint32_t *)context = cm_pin_enter_().thread->index;
    return NULL;
}

static void a_thread_that_ends_is_outside_and_gives_its_index_back(void **state)
{
    (void)state;
    uint32_t first = 0, second = 0;
    pthread_t thread;
    pthread_create(&thread, NULL, end_inside_a_pin, &first);
    pthread_join(thread, NULL);
    uint64_t tag = cm_domain_tag_(NULL);
    advance_twice();
    assert_true(cm_domain_passed_(NULL, tag));
    pthread_create(&thread, NULL, end_inside_a_pin, &second);
    pthread_join(thread, NULL);
    assert_int_equal(first, second);
}

static void *look_when_told(void *context)
{
    const uint32_t *told = context;
    cm_leaf_leave_(cm_leaf_enter_()); /* while barriers still served */
    __atomic_store_n((uint32_t *)context, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(told, __ATOMIC_ACQUIRE) != 2)
        sched_yield();
    cm_leaf_leave_(cm_leaf_enter_());
    return NULL;
}

/* Nothing passes while a thread may still rely on barriers. */
static bool fences_are_waited_for(void)
{
    if (cm_load_relaxed_(&cm_domain_.epoch) & CM_EPOCH_FENCES_)
        return true; /* there are no barriers here, and nobody ever relied on them */
    uint32_t told = 0;
    pthread_t thread;
    pthread_create(&thread, NULL, look_when_told, &told);
    while (__atomic_load_n(&told, __ATOMIC_ACQUIRE) != 1)
        sched_yield();
    cm_domain_force_fences_();
    uint64_t tag = cm_domain_tag_(NULL);
    cm_leaf_leave_(cm_leaf_enter_());
    advance_twice();
    bool waited = !cm_domain_passed_(NULL, tag);
    __atomic_store_n(&told, 2, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    advance_twice();
    return waited && cm_domain_passed_(NULL, tag);
}

/* In a child of its own, because the mode stays. */
static void without_membarrier_fences_serve(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        bool waited = fences_are_waited_for();
        struct cm_pin_ pin = cm_pin_enter_();
        uint64_t tag = cm_domain_tag_(NULL);
        for (int i = 0; i < 10; i++)
            cm_domain_advance_(NULL);
        bool kept = !cm_domain_passed_(NULL, tag);
        cm_pin_leave_(pin);
        advance_twice();
        struct guarded guarded = {.rounds = 2000};
        size_t wrong = crew_run(4, count_under_lock, &guarded);
        _exit(waited && kept && cm_domain_passed_(NULL, tag) && wrong == 0 && guarded.plain == 8000 ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(vector_searches_agree_with_a_loop),
        cmocka_unit_test(a_cell_excludes_and_no_wake_is_lost),
        cmocka_unit_test(a_lone_waiter_is_woken),
        cmocka_unit_test(a_writer_comes_in_past_readers_without_pause),
        cmocka_unit_test(moved_wakes_all_who_wait),
        cmocka_unit_test(a_share_is_counted_only_where_nothing_else_has_come),
        cmocka_unit_test(what_a_pin_may_see_is_kept),
        cmocka_unit_test(an_inner_pin_does_not_end_the_outer_one),
        cmocka_unit_test(a_lookup_pins_too),
        cmocka_unit_test(a_thread_that_ends_is_outside_and_gives_its_index_back),
        cmocka_unit_test(without_membarrier_fences_serve),
    };
    cm_thread_get_(); /* registers the process for barriers, without which waiters nap and need no wake */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
