/* The swap cell, and the counts below it. */
#include <concmap/swap.h>
#include <sched.h>
#include <stdlib.h>

#include "crew.h"
#include "failing_allocator.h"
#include "shared_type.h"
#include "unit.h"

/* A value that tells whether it is whole and alive. */
#define ALIVE UINT64_C(0x616c697665)

struct tally {
    size_t destroyed; /* atomically */
    size_t dead;      /* destroyed twice */
};

struct thing {
    uint64_t alive;
    uint64_t number, twice;
    uint64_t *wide __attribute__((aligned(16))); /* some alignment of its own */
};

static struct thing thing(uint64_t number)
{
    return (struct thing){.alive = ALIVE, .number = number, .twice = 2 * number};
}

static void thing_destroy(struct thing *what, void *context)
{
    struct tally *tally = context;
    __atomic_fetch_add(&tally->dead, what->alive != ALIVE, __ATOMIC_RELAXED);
    what->alive = 0;
    __atomic_fetch_add(&tally->destroyed, 1, __ATOMIC_RELAXED);
}

CM_SWAP(numbers, uint64_t)
CM_SWAP_OWNED(things, struct thing, thing_destroy)
CM_SWAP_MEMBER(things, number, uint64_t, number)

static size_t is_wrong(const struct thing *seen)
{
    return seen->alive != ALIVE || seen->twice != 2 * seen->number;
}

/* A cell of things, in a domain of its own. */
struct bed {
    cm_domain domain;
    struct tally tally;
    things cell;
};

static void bed_begin(struct bed *bed)
{
    *bed = (struct bed){0};
    assert_int_equal(cm_domain_init(&bed->domain, NULL), CM_OK);
    cm_swap_config config = {.domain = &bed->domain, .context = &bed->tally};
    assert_int_equal(things_init(&bed->cell, thing(0), &config), CM_OK);
}

static void bed_end(struct bed *bed, size_t made)
{
    assert_int_equal(cm_domain_destroy(&bed->domain), CM_BUSY); /* the cell uses it */
    things_destroy(&bed->cell);
    assert_int_equal(cm_domain_destroy(&bed->domain), CM_OK);
    assert_int_equal(bed->tally.destroyed, made);
    assert_int_equal(bed->tally.dead, 0);
}

/* ---- counts ---- */

static void the_last_user_destroys_and_the_last_weak_one_frees(void **state)
{
    (void)state;
    cm_counted count;
    cm_counted_init(&count);
    cm_counted_share(&count);
    cm_counted_weak_share(&count);
    assert_false(cm_counted_release(&count));
    assert_true(cm_counted_try_share(&count));
    assert_int_equal(cm_counted_users(&count), 2);
    assert_false(cm_counted_release(&count));
    assert_true(cm_counted_release(&count));
    assert_false(cm_counted_try_share(&count));
    assert_false(cm_counted_weak_release(&count));
    assert_true(cm_counted_weak_release(&count));
}

static void a_count_that_overflows_never_comes_back(void **state)
{
    (void)state;
    cm_counted count;
    cm_counted_init(&count);
    count.users = UINT32_C(1) << 31;
    cm_counted_share(&count);
    assert_true(cm_counted_try_share(&count));
    for (int i = 0; i < 100; i++)
        assert_false(cm_counted_release(&count));
    assert_true(cm_counted_users(&count) > UINT32_C(1) << 31);
    count.users = (UINT32_C(1) << 31) + 1;
    assert_false(cm_counted_release(&count));
    assert_true(cm_counted_users(&count) > (UINT32_C(1) << 31) + 1000);
    count.users = UINT32_MAX; /* nobody gets there, but it would not wrap either */
    cm_counted_share(&count);
    assert_false(cm_counted_release(&count));
}

/* ---- one thread ---- */

static void what_is_stored_is_loaded(void **state)
{
    (void)state;
    numbers cell;
    numbers_pin pin;
    const uint64_t *old;
    assert_int_equal(numbers_init(&cell, 1, NULL), CM_OK);
    assert_int_equal(*numbers_load(&cell, &pin), 1);
    assert_int_equal(numbers_store(&cell, 2), CM_OK);
    numbers_unload(&pin);
    assert_int_equal(*numbers_load(&cell, &pin), 2);
    numbers_unload(&pin);
    assert_int_equal(numbers_swap(&cell, 3, &old), CM_OK);
    assert_int_equal(*old, 2);
    numbers_release(old);
    numbers_clear(&cell);
    assert_null(numbers_load(&cell, &pin));
    numbers_unload(&pin);
    assert_null(numbers_load_full(&cell));
    assert_int_equal(numbers_swap(&cell, 4, &old), CM_OK);
    assert_null(old);
    numbers_release(NULL);
    numbers_destroy(&cell);
    numbers_destroy(&cell); /* it is none any more */
}

static void a_cell_may_begin_empty(void **state)
{
    (void)state;
    struct tally tally = {0};
    things cell;
    things_pin pin;
    bool empty = false;
    things_init_empty(&cell, &(cm_swap_config){.context = &tally});
    CM_WITH_LOAD(things, &cell, value)
    assert_true(value == NULL);
    else empty = true;
    assert_true(empty);
    assert_null(things_load_number(&cell, &pin));
    things_unload(&pin);
    assert_int_equal(things_compare_and_swap(&cell, NULL, thing(7)), CM_REPLACED);
    assert_int_equal(things_compare_and_swap(&cell, NULL, thing(8)), CM_EXISTS);
    assert_int_equal(tally.destroyed, 1); /* what was not put in */
    CM_WITH_LOAD(things, &cell, value)
    {
        assert_int_equal(value->number, 7);
        if (value->number == 7)
            break;
        fail();
    }
    assert_int_equal(*things_load_number(&cell, &pin), 7);
    things_unload(&pin);
    things_destroy(&cell);
    assert_int_equal(tally.destroyed, 2);
}

static void *try_to_give_back(void *context)
{
    cm_domain_try_barrier(&((struct bed *)context)->domain);
    return NULL;
}

/* L6. */
static void L6_any_number_of_loads_is_undone_in_any_order(void **state)
{
    (void)state;
    enum { LOADS = 1000 };
    static struct bed bed; /* static, as the others: a test that fails leaves its domain behind */
    static things_pin pins[LOADS];
    static const struct thing *seen[LOADS];
    bed_begin(&bed);
    for (uint64_t i = 0; i < LOADS; i++) {
        seen[i] = things_load(&bed.cell, &pins[i]);
        assert_int_equal(things_store(&bed.cell, thing(i + 1)), CM_OK);
    }
    for (uint64_t i = 0; i < LOADS; i++) { /* the first one first */
        for (uint64_t k = i; k < LOADS; k += 97)
            assert_false(is_wrong(seen[k]) || seen[k]->number != k);
        things_unload(&pins[i]);
        if (i % 100 == 0) {
            pthread_t thread;
            assert_int_equal(pthread_create(&thread, NULL, try_to_give_back, &bed), 0);
            pthread_join(thread, NULL);
        }
        assert_int_equal(bed.tally.destroyed == 0, i + 1 < LOADS);
    }
    bed_end(&bed, LOADS + 1);
}

static void references_outlive_the_cell(void **state)
{
    (void)state;
    static struct bed bed;
    bed_begin(&bed);
    const struct thing *first = things_load_full(&bed.cell), *old;
    assert_int_equal(things_swap(&bed.cell, thing(1), &old), CM_OK);
    assert_ptr_equal(old, first);
    things_release(old);
    assert_int_equal(cm_domain_barrier(&bed.domain), CM_OK);
    assert_int_equal(bed.tally.destroyed, 0);
    const struct thing *second = things_load_full(&bed.cell), *shared = things_share(second);
    things_destroy(&bed.cell);
    assert_int_equal(cm_domain_destroy(&bed.domain), CM_OK);
    assert_false(is_wrong(first) || is_wrong(second));
    things_release(first);
    assert_int_equal(bed.tally.destroyed, 1);
    things_release(second);
    assert_int_equal(bed.tally.destroyed, 1);
    things_release(shared);
    assert_int_equal(bed.tally.destroyed, 2);
}

static void weak_references_do_not_keep_the_value(void **state)
{
    (void)state;
    static struct bed bed;
    bed_begin(&bed);
    const struct thing *user = things_load_full(&bed.cell), *weak = things_weak(user);
    assert_int_equal(things_store(&bed.cell, thing(1)), CM_OK);
    assert_int_equal(cm_domain_barrier(&bed.domain), CM_OK);
    assert_ptr_equal(things_upgrade(weak), user);
    things_release(user);
    things_release(user);
    assert_int_equal(bed.tally.destroyed, 1);
    assert_null(things_upgrade(weak));
    things_weak_release(weak);
    bed_end(&bed, 2);
}

static void a_cache_asks_again_when_something_has_changed(void **state)
{
    (void)state;
    static struct bed bed;
    things_cache cache = {0};
    bed_begin(&bed);
    const struct thing *first = things_cached(&bed.cell, &cache);
    assert_ptr_equal(things_cached(&bed.cell, &cache), first);
    assert_int_equal(*things_cached_number(&bed.cell, &cache), 0);
    assert_int_equal(things_store(&bed.cell, thing(1)), CM_OK);
    assert_int_equal(cm_domain_barrier(&bed.domain), CM_OK);
    assert_false(is_wrong(first)); /* until it is asked for again */
    assert_int_equal(things_cached(&bed.cell, &cache)->number, 1);
    assert_int_equal(bed.tally.destroyed, 1);
    things_cache_end(&cache);
    assert_int_equal(things_cached(&bed.cell, &cache)->number, 1);
    things_cache_end(&cache);
    bed_end(&bed, 2);
}

struct change {
    things *cell;
    uint64_t in_between; /* so often somebody else is faster */
    uint64_t calls;
    cm_status status;
};

static cm_status add_one(const struct thing *now, struct thing *next, void *context)
{
    struct change *change = context;
    change->calls++;
    if (change->status < 0)
        return change->status;
    *next = thing(now->number + 1);
    if (change->in_between && change->in_between--)
        things_store(change->cell, thing(now->number + 100));
    return change->status;
}

static void an_update_begins_again_where_somebody_was_faster(void **state)
{
    (void)state;
    static struct bed bed;
    bed_begin(&bed);
    struct change change = {.cell = &bed.cell, .in_between = 3};
    assert_int_equal(things_update(&bed.cell, add_one, &change), CM_OK);
    assert_int_equal(change.calls, 4);
    CM_WITH_LOAD(things, &bed.cell, value)
    assert_int_equal(value->number, 301);
    change.status = CM_INVALID;
    assert_int_equal(things_update(&bed.cell, add_one, &change), CM_INVALID);
    CM_WITH_LOAD(things, &bed.cell, value)
    assert_int_equal(value->number, 301);
    bed_end(&bed, 1 + 3 + 3 + 1); /* the first, those in between, those that came too late, and the last */
}

/* L4: the memory of the old value may be that of the new one, but not while anybody could compare them. */
static void L4_a_value_at_an_old_address_is_not_taken_for_the_old_one(void **state)
{
    (void)state;
    static struct bed bed;
    bed_begin(&bed);
    for (uint64_t i = 0; i < 1000; i++) {
        things_pin pin;
        const struct thing *seen = things_load(&bed.cell, &pin);
        const struct thing *full = things_load_full(&bed.cell);
        if (i % 2)
            things_unload(&pin);
        for (int k = 0; k < 3; k++) { /* others replace it, and all that may be freed is freed */
            assert_int_equal(things_store(&bed.cell, thing(i * 3 + (uint64_t)k)), CM_OK);
            cm_domain_try_barrier(&bed.domain);
            CM_WITH_LOAD(things, &bed.cell, now)
            assert_ptr_not_equal(now, seen);
            assert_int_equal(things_compare_and_swap(&bed.cell, seen, thing(5)), CM_EXISTS);
        }
        if (i % 2 == 0)
            things_unload(&pin);
        things_release(full);
    }
    bed_end(&bed, 1 + 1000 * 6);
}

static void a_cell_is_shared_by_files(void **state)
{
    (void)state;
    shared_cell cell;
    shared_cell_pin pin;
    assert_int_equal(shared_cell_init(&cell, 5, NULL), CM_OK);
    assert_int_equal(*shared_cell_load(&cell, &pin), 5);
    shared_cell_unload(&pin);
    assert_int_equal(shared_cell_store(&cell, 6), CM_OK);
    CM_WITH_LOAD(shared_cell, &cell, value)
    assert_int_equal(*value, 6);
    shared_cell_destroy(&cell);
}

/* M1, L9. */
static void M1_L9_without_memory_the_cell_is_as_before_and_nothing_is_lost(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    struct tally tally = {0};
    static cm_domain domain;
    things cell;
    const struct thing *old;
    struct change change = {.cell = &cell};
    assert_int_equal(cm_domain_init(&domain, &memory.allocator), CM_OK);
    cm_swap_config config = {.domain = &domain, .allocator = &memory.allocator, .context = &tally};
    memory.fail_all = true;
    assert_int_equal(things_init(&cell, thing(0), &config), CM_NOMEM);
    memory.fail_all = false;
    memory.misaligned = true; /* L10 */
    assert_int_equal(things_init(&cell, thing(0), &config), CM_OK);
    assert_int_equal(cm_domain_pin(&domain), CM_OK); /* what is stored meanwhile waits */
    for (uint64_t i = 0; i < 200; i++)
        assert_int_equal(things_store(&cell, thing(i)), CM_OK);
    memory.fail_all = true;
    assert_int_equal(things_store(&cell, thing(1000)), CM_NOMEM);
    assert_int_equal(things_swap(&cell, thing(1000), &old), CM_NOMEM);
    assert_int_equal(things_compare_and_swap(&cell, cell.core.value, thing(1000)), CM_NOMEM);
    assert_int_equal(things_update(&cell, add_one, &change), CM_NOMEM);
    assert_int_equal(change.calls, 0);
    CM_WITH_LOAD(things, &cell, value)
    {
        assert_int_equal(value->number, 199);
        assert_int_equal((uintptr_t)value % 16, 0);
    }
    cm_domain_unpin(&domain);
    things_destroy(&cell);
    assert_int_equal(cm_domain_destroy(&domain), CM_OK);
    assert_int_equal(tally.destroyed, 201);
    assert_int_equal(memory.live_blocks, 0);
    assert_int_equal(memory.mistakes, 0);
}

static void *load_without_memory(void *context)
{
    struct bed *bed = context;
    things_pin a, b;
    const struct thing *first = things_load(&bed->cell, &a), *second = things_load(&bed->cell, &b);
    size_t wrong = is_wrong(first) + is_wrong(second);
    things_unload(&a);
    things_unload(&b);
    return wrong ? NULL : bed;
}

static void without_a_slot_loads_are_safe(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    static struct bed bed;
    assert_int_equal(cm_domain_init(&bed.domain, &memory.allocator), CM_OK);
    cm_swap_config config = {.domain = &bed.domain, .context = &bed.tally};
    assert_int_equal(things_init(&bed.cell, thing(0), &config), CM_OK);
    memory.fail_all = true;
    assert_ptr_equal(load_without_memory(&bed), &bed);
    memory.fail_all = false;
    assert_int_equal(things_store(&bed.cell, thing(1)), CM_OK);
    assert_int_equal(cm_domain_try_barrier(&bed.domain), CM_BUSY);
    assert_int_equal(bed.tally.destroyed, 0);
    bed_end(&bed, 2);
}

/* ---- many threads ---- */

struct crowd {
    struct bed bed;
    size_t rounds;
    size_t made; /* atomically */
};

static size_t read_often(struct crowd *crowd)
{
    things_cache cache = {0};
    size_t wrong = 0;
    for (size_t i = 0; i < crowd->rounds; i++) {
        things_pin pin;
        const struct thing *seen = things_load(&crowd->bed.cell, &pin);
        wrong += is_wrong(seen);
        things_unload(&pin);
        if (i % 4 == 0) {
            const struct thing *full = things_load_full(&crowd->bed.cell);
            wrong += is_wrong(full);
            things_release(full);
        }
        wrong += is_wrong(things_cached(&crowd->bed.cell, &cache));
    }
    things_cache_end(&cache);
    return wrong;
}

static size_t store_often(struct crowd *crowd)
{
    size_t wrong = 0;
    for (size_t i = 0; i < crowd->rounds; i++) {
        const struct thing *old = NULL;
        if (i % 2) {
            wrong += things_swap(&crowd->bed.cell, thing(i), &old) != CM_OK || is_wrong(old);
            things_release(old);
        } else {
            wrong += things_store(&crowd->bed.cell, thing(i)) != CM_OK;
        }
    }
    return wrong;
}

static size_t L5_work(void *context, unsigned i)
{
    struct crowd *crowd = context;
    return i < 2 ? read_often(crowd) : store_often(crowd);
}

static void L5_two_look_while_one_stores(void **state)
{
    (void)state;
    static struct crowd crowd;
    crowd.rounds = crew_scale(100000);
    bed_begin(&crowd.bed);
    assert_int_equal(crew_run(3, L5_work, &crowd), 0);
    bed_end(&crowd.bed, crowd.rounds + 1);
}

static cm_status count_up(const struct thing *now, struct thing *next, void *context)
{
    __atomic_fetch_add((size_t *)context, 1, __ATOMIC_RELAXED);
    *next = thing(now->number + 1);
    return CM_OK;
}

static size_t update_often(void *context, unsigned i)
{
    struct crowd *crowd = context;
    size_t wrong = 0;
    for (size_t k = 0; k < crowd->rounds; k++) {
        if (i == 0) {
            bool done = false;
            while (!done) {
                things_pin pin;
                const struct thing *seen = things_load(&crowd->bed.cell, &pin);
                done = things_compare_and_swap(&crowd->bed.cell, seen, thing(seen->number + 1)) == CM_REPLACED;
                __atomic_fetch_add(&crowd->made, 1, __ATOMIC_RELAXED);
                things_unload(&pin);
            }
        } else {
            wrong += things_update(&crowd->bed.cell, count_up, &crowd->made) != CM_OK;
        }
    }
    return wrong;
}

static void no_update_is_lost(void **state)
{
    (void)state;
    static struct crowd crowd;
    crowd.rounds = crew_scale(20000);
    bed_begin(&crowd.bed);
    assert_int_equal(crew_run(3, update_often, &crowd), 0);
    CM_WITH_LOAD(things, &crowd.bed.cell, value)
    assert_int_equal(value->number, 3 * crowd.rounds);
    bed_end(&crowd.bed, crowd.made + 1);
}

/* A stalled loader keeps what it may see, and holds nobody up. */
struct stall {
    struct bed bed;
    uint32_t step; /* atomically: 1: it has loaded, 2: it may go on */
};

static size_t stall_work(void *context, unsigned i)
{
    struct stall *stall = context;
    size_t wrong = 0;
    if (i == 0) {
        things_pin pin;
        const struct thing *seen = things_load(&stall->bed.cell, &pin);
        __atomic_store_n(&stall->step, 1, __ATOMIC_RELEASE);
        while (__atomic_load_n(&stall->step, __ATOMIC_ACQUIRE) != 2)
            sched_yield();
        wrong += is_wrong(seen) + (seen->number != 0);
        things_unload(&pin);
        return wrong;
    }
    while (__atomic_load_n(&stall->step, __ATOMIC_ACQUIRE) != 1)
        sched_yield();
    for (uint64_t k = 1; k <= 1000; k++)
        wrong += things_store(&stall->bed.cell, thing(k)) != CM_OK;
    wrong += cm_domain_try_barrier(&stall->bed.domain) != CM_BUSY;
    __atomic_store_n(&stall->step, 2, __ATOMIC_RELEASE);
    return wrong;
}

static void a_store_does_not_wait_for_who_looks(void **state)
{
    (void)state;
    static struct stall stall;
    bed_begin(&stall.bed);
    assert_int_equal(crew_run(2, stall_work, &stall), 0);
    bed_end(&stall.bed, 1001);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_user_destroys_and_the_last_weak_one_frees),
        cmocka_unit_test(a_count_that_overflows_never_comes_back),
        cmocka_unit_test(what_is_stored_is_loaded),
        cmocka_unit_test(a_cell_may_begin_empty),
        cmocka_unit_test(L6_any_number_of_loads_is_undone_in_any_order),
        cmocka_unit_test(references_outlive_the_cell),
        cmocka_unit_test(weak_references_do_not_keep_the_value),
        cmocka_unit_test(a_cache_asks_again_when_something_has_changed),
        cmocka_unit_test(an_update_begins_again_where_somebody_was_faster),
        cmocka_unit_test(L4_a_value_at_an_old_address_is_not_taken_for_the_old_one),
        cmocka_unit_test(a_cell_is_shared_by_files),
        cmocka_unit_test(M1_L9_without_memory_the_cell_is_as_before_and_nothing_is_lost),
        cmocka_unit_test(without_a_slot_loads_are_safe),
        cmocka_unit_test(L5_two_look_while_one_stores),
        cmocka_unit_test(no_update_is_lost),
        cmocka_unit_test(a_store_does_not_wait_for_who_looks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
