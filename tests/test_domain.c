/* Public domains: who is protected, what waits for them, and who gives it back. */
#include <concmap/domain.h>
#include <concmap/sharded.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "crew.h"
#include "failing_allocator.h"
#include "obeying.h"
#include "unit.h"

CM_SHARDED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)

/* ---- protection ---- */

static void what_nobody_looks_at_is_given_back(void **state)
{
    (void)state;
    static cm_domain domain;
    size_t done = 0;
    begin(&domain);
    assert_int_equal(cm_domain_pin(&domain), CM_OK);
    assert_int_equal(cm_domain_retire(&domain, &done, 8, count, NULL), CM_OK);
    assert_int_equal(done, 0);
    cm_domain_unpin(&domain);
    assert_int_equal(cm_domain_barrier(&domain), CM_OK);
    assert_int_equal(done, 1);
    assert_int_equal(waiting(&domain), 0);
    end(&domain);
}

static void a_pin_keeps_what_is_retired_until_the_outermost_ends(void **state)
{
    (void)state;
    static cm_domain domain;
    static struct other other;
    size_t done = 0;
    begin(&domain);
    other_begin(&other, &domain);
    assert_int_equal(tell(&other, PIN), CM_OK);
    assert_int_equal(tell(&other, PIN), CM_OK);
    assert_int_equal(cm_domain_retire(&domain, &done, 8, count, NULL), CM_OK);
    for (int i = 0; i < 5; i++)
        assert_int_equal(cm_domain_try_barrier(&domain), CM_BUSY);
    tell(&other, UNPIN);
    for (int i = 0; i < 5; i++)
        assert_int_equal(cm_domain_try_barrier(&domain), CM_BUSY);
    assert_int_equal(done, 0);
    tell(&other, UNPIN);
    assert_int_equal(cm_domain_try_barrier(&domain), CM_OK);
    assert_int_equal(done, 1);
    other_end(&other);
    end(&domain);
}

static void what_is_retired_before_a_pin_does_not_wait_for_it(void **state)
{
    (void)state;
    static cm_domain domain;
    static struct other other;
    size_t done = 0;
    begin(&domain);
    other_begin(&other, &domain);
    assert_int_equal(cm_domain_retire(&domain, &done, 8, count, NULL), CM_OK);
    cm_domain_advance_(&domain);
    assert_int_equal(tell(&other, PIN), CM_OK);
    assert_int_equal(cm_domain_try_barrier(&domain), CM_OK);
    assert_int_equal(done, 1);
    tell(&other, UNPIN);
    other_end(&other);
    end(&domain);
}

/* Rule 16: the pin merely nests, and does not say "outside" when it ends. */
static void R16_an_online_thread_keeps_until_it_reports_and_pins_nest_in_that(void **state)
{
    (void)state;
    static cm_domain domain;
    static struct other other;
    size_t done = 0;
    begin(&domain);
    other_begin(&other, &domain);
    assert_int_equal(tell(&other, JOIN), CM_OK);
    assert_int_equal(tell(&other, JOIN), CM_EXISTS);
    assert_int_equal(cm_domain_retire(&domain, &done, 8, count, NULL), CM_OK);
    tell(&other, PIN);
    assert_int_equal(tell(&other, REPORT), CM_BUSY);
    tell(&other, UNPIN);
    for (int i = 0; i < 5; i++)
        assert_int_equal(cm_domain_try_barrier(&domain), CM_BUSY);
    assert_int_equal(tell(&other, REPORT), CM_OK);
    cm_domain_try_barrier(&domain);
    assert_int_equal(tell(&other, REPORT), CM_OK);
    assert_int_equal(cm_domain_try_barrier(&domain), CM_OK);
    assert_int_equal(done, 1);
    assert_int_equal(cm_domain_retire(&domain, &done, 8, count, NULL), CM_OK);
    assert_int_equal(cm_domain_try_barrier(&domain), CM_BUSY);
    tell(&other, PART);
    assert_int_equal(cm_domain_try_barrier(&domain), CM_OK);
    other_end(&other);
    end(&domain);
}

static void who_parts_inside_a_pin_stays_pinned(void **state)
{
    (void)state;
    static cm_domain domain;
    static struct other other;
    size_t done = 0;
    begin(&domain);
    other_begin(&other, &domain);
    tell(&other, JOIN);
    tell(&other, PIN);
    tell(&other, PART);
    assert_int_equal(cm_domain_retire(&domain, &done, 8, count, NULL), CM_OK);
    for (int i = 0; i < 5; i++)
        assert_int_equal(cm_domain_try_barrier(&domain), CM_BUSY);
    tell(&other, UNPIN);
    assert_int_equal(cm_domain_try_barrier(&domain), CM_OK);
    other_end(&other);
    end(&domain);
}

/* What maps ask before they hand out references: who never joined does so by looking. */
static void who_looks_without_a_pin_joins(void **state)
{
    (void)state;
    static cm_domain domain;
    size_t done = 0;
    begin(&domain);
    assert_false(cm_domain_online_(&domain));
    assert_true(cm_domain_online_(&domain));
    assert_int_equal(cm_domain_join(&domain), CM_EXISTS);
    assert_int_equal(cm_domain_retire(&domain, &done, 8, count, NULL), CM_OK);
    assert_int_equal(cm_domain_barrier(&domain), CM_DEADLOCK);
    assert_int_equal(cm_domain_quiescent(&domain), CM_OK);
    assert_int_equal(cm_domain_barrier(&domain), CM_OK);
    assert_int_equal(done, 1);
    cm_domain_part(&domain);
    assert_int_equal(cm_domain_pin(&domain), CM_OK);
    assert_true(cm_domain_online_(&domain)); /* for as long as the pin lasts */
    cm_domain_unpin(&domain);
    assert_false(cm_domain_online_(&domain));
    cm_domain_part(&domain);
    end(&domain);
}

static void the_pins_of_maps_count_in_their_domain(void **state)
{
    (void)state;
    static cm_domain domain;
    begin(&domain);
    struct cm_pin_ outer = cm_pin_enter_of_(&domain);
    uint64_t tag = cm_domain_tag_(&domain);
    cm_domain_advance_(&domain);
    struct cm_pin_ inner = cm_pin_enter_of_(&domain);
    assert_int_equal(cm_domain_quiescent(&domain), CM_BUSY);
    assert_int_equal(cm_domain_destroy(&domain), CM_BUSY);
    cm_pin_leave_(inner);
    for (int i = 0; i < 5; i++)
        cm_domain_advance_(&domain);
    assert_false(cm_domain_passed_(&domain, tag));
    cm_pin_leave_(outer);
    cm_domain_advance_(&domain);
    cm_domain_advance_(&domain);
    assert_true(cm_domain_passed_(&domain, tag));
    end(&domain);
}

static void domains_do_not_wait_for_each_other(void **state)
{
    (void)state;
    static cm_domain a, b;
    static struct other other;
    size_t done = 0;
    begin(&a);
    begin(&b);
    other_begin(&other, &b);
    tell(&other, PIN);
    assert_int_equal(cm_domain_retire(&a, &done, 8, count, NULL), CM_OK);
    assert_int_equal(cm_domain_try_barrier(&a), CM_OK);
    assert_int_equal(done, 1);
    assert_int_equal(cm_domain_destroy(&b), CM_BUSY);
    tell(&other, UNPIN);
    other_end(&other);
    end(&b);
    end(&a);
}

/* ---- pin objects ---- */

struct passed_on {
    cm_domain *domain;
    cm_pin pin;
};

static void *close_it(void *context)
{
    cm_pin_close(&((struct passed_on *)context)->pin);
    return NULL;
}

static void *open_it(void *context)
{
    struct passed_on *passed = context;
    cm_pin_open(passed->domain, &passed->pin);
    return NULL;
}

static void a_pin_object_outlives_its_thread_and_any_thread_closes_it(void **state)
{
    (void)state;
    static cm_domain domain;
    size_t done = 0;
    begin(&domain);
    struct passed_on passed = {.domain = &domain};
    in_thread(open_it, &passed);
    assert_int_equal(cm_domain_retire(&domain, &done, 8, count, NULL), CM_OK);
    for (int i = 0; i < 5; i++)
        assert_int_equal(cm_domain_try_barrier(&domain), CM_BUSY);
    cm_domain_figures figures;
    cm_domain_stats(&domain, &figures);
    assert_int_equal(figures.holder, CM_HOLDER_PIN);
    assert_int_equal(figures.open_pins, 1);
    assert_int_equal(cm_domain_destroy(&domain), CM_BUSY);
    in_thread(close_it, &passed);
    assert_int_equal(cm_domain_try_barrier(&domain), CM_OK);
    cm_pin_close(&passed.pin); /* it is closed */
    end(&domain);
}

static void the_oldest_of_many_pin_objects_counts(void **state)
{
    (void)state;
    enum { PINS = 6 };
    static cm_domain domain;
    cm_pin pins[PINS];
    size_t done[PINS] = {0};
    begin(&domain);
    for (size_t i = 0; i < PINS; i++) {
        cm_pin_open(&domain, &pins[i]);
        assert_int_equal(cm_domain_retire(&domain, &done[i], 8, count, NULL), CM_OK);
        cm_domain_try_barrier(&domain);
    }
    static const size_t order[PINS] = {2, 0, 5, 1, 3, 4};
    for (size_t i = 0; i < PINS; i++) {
        for (int k = 0; k < 3; k++)
            cm_domain_try_barrier(&domain);
        for (size_t k = i; k < PINS; k++)
            assert_int_equal(done[order[k]], 0);
        cm_pin_close(&pins[order[i]]);
    }
    assert_int_equal(cm_domain_try_barrier(&domain), CM_OK);
    for (size_t i = 0; i < PINS; i++)
        assert_int_equal(done[i], 1);
    end(&domain);
}

/* ---- giving back ---- */

static void retiring_gives_back_by_itself(void **state)
{
    (void)state;
    static cm_domain domain;
    size_t done = 0;
    begin(&domain);
    for (int i = 0; i < 10000; i++)
        assert_int_equal(cm_domain_retire(&domain, &done, 8, count, NULL), CM_OK);
    assert_true(done > 9000);
    end(&domain);
    assert_int_equal(done, 10000);
}

/* Rule 21. */
struct destroyed {
    cm_domain *domain;
    cm_retired link;
    size_t left; /* that each one retires in turn */
    size_t depth, deepest, outside;
    cm_status barrier, destroy;
};

static void destroy_and_retire(void *object, void *context)
{
    struct destroyed *destroyed = object;
    (void)context;
    destroyed->deepest = ++destroyed->depth > destroyed->deepest ? destroyed->depth : destroyed->deepest;
    destroyed->outside += cm_domain_quiescent(destroyed->domain) == CM_OK;
    destroyed->barrier = cm_domain_barrier(destroyed->domain);
    destroyed->destroy = cm_domain_destroy(destroyed->domain);
    if (destroyed->left-- > 1)
        cm_domain_retire_by(destroyed->domain, &destroyed->link, destroyed, 8, destroy_and_retire, NULL);
    destroyed->depth--;
}

static void R21_functions_run_outside_all_pins_and_not_inside_each_other(void **state)
{
    (void)state;
    static cm_domain domain;
    begin(&domain);
    struct destroyed destroyed = {.domain = &domain, .left = 200};
    size_t done = 0;
    assert_int_equal(cm_domain_pin(&domain), CM_OK);
    cm_domain_retire_by(&domain, &destroyed.link, &destroyed, 8, destroy_and_retire, NULL);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(cm_domain_retire(&domain, &done, 8, count, NULL), CM_OK);
    assert_int_equal(done, 0); /* nothing is run inside */
    assert_int_equal(cm_domain_barrier(&domain), CM_DEADLOCK);
    cm_domain_unpin(&domain);
    assert_true(done > 0); /* by leaving */
    while (destroyed.left)
        assert_true(cm_domain_try_barrier(&domain) != CM_DEADLOCK);
    assert_int_equal(destroyed.deepest, 1);
    assert_int_equal(destroyed.outside, 200);
    assert_int_equal(destroyed.barrier, CM_DEADLOCK);
    assert_int_equal(destroyed.destroy, CM_DEADLOCK);
    end(&domain);
}

static cm_status retire_much(uint64_t *value, void *context)
{
    static size_t done; /* until the domain goes */
    for (int i = 0; i < 1000; i++)
        cm_domain_retire(context, &done, 0, count, NULL);
    return done == 0 && *value == 7 && cm_domain_barrier(context) == CM_DEADLOCK ? CM_OK : CM_INVALID;
}

static void R21_functions_run_outside_the_locks_of_maps(void **state)
{
    (void)state;
    static cm_domain domain;
    nums map;
    begin(&domain);
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    assert_int_equal(nums_put(&map, 1, 7, NULL), CM_OK);
    assert_int_equal(nums_update(&map, 1, retire_much, &domain), CM_OK);
    nums_write_guard guard;
    assert_int_equal(nums_write(&map, 1, &guard), CM_OK);
    uint64_t now = *guard.value;
    assert_int_equal(retire_much(&now, &domain), CM_OK);
    assert_int_equal(nums_write_unlock(&guard), CM_OK);
    end(&domain);
    nums_destroy(&map);
}

static void L9_what_waits_is_given_back_once_when_the_domain_goes(void **state)
{
    (void)state;
    static cm_domain domain;
    size_t done = 0;
    begin(&domain);
    assert_int_equal(cm_domain_join(&domain), CM_OK); /* is parted by the end */
    struct destroyed destroyed = {.domain = &domain, .left = 5};
    cm_domain_retire_by(&domain, &destroyed.link, &destroyed, 8, destroy_and_retire, NULL);
    for (int i = 0; i < 5000; i++)
        assert_int_equal(cm_domain_retire(&domain, &done, 8, count, NULL), CM_OK);
    assert_int_equal(done, 0);
    end(&domain);
    assert_int_equal(done, 5000);
    assert_int_equal(destroyed.left, 0);
}

static void L7_what_a_stalled_thread_holds_is_told_and_what_it_does_not_is_freed(void **state)
{
    (void)state;
    enum { OBJECTS = 100000 };
    static cm_domain domain;
    static struct other other;
    size_t before = 0, after = 0;
    begin(&domain);
    other_begin(&other, &domain);
    for (int i = 0; i < 100; i++)
        assert_int_equal(cm_domain_retire(&domain, &before, 8, count, NULL), CM_OK);
    cm_domain_advance_(&domain);
    tell(&other, PIN);
    for (int i = 0; i < OBJECTS; i++)
        assert_int_equal(cm_domain_retire(&domain, &after, 8, count, NULL), CM_OK);
    assert_int_equal(cm_domain_try_barrier(&domain), CM_BUSY);
    cm_domain_figures figures;
    cm_domain_stats(&domain, &figures);
    assert_int_equal(before, 100);
    assert_int_equal(after, 0);
    assert_int_equal(figures.objects, OBJECTS);
    assert_int_equal(figures.bytes, OBJECTS * 8);
    assert_int_equal(figures.given_back, 100);
    assert_int_equal(figures.holder, CM_HOLDER_THREAD);
    assert_true(pthread_equal(figures.thread, other.thread));
    assert_true(figures.since > 0 && figures.since <= cm_deadline_after(0));
    assert_int_equal(cm_domain_barrier_until(&domain, cm_deadline_after(20000000)), CM_TIMEOUT);
    tell(&other, UNPIN);
    assert_int_equal(cm_domain_barrier(&domain), CM_OK);
    assert_int_equal(after, OBJECTS);
    cm_domain_stats(&domain, &figures);
    assert_int_equal(figures.objects + figures.bytes, 0);
    other_end(&other);
    end(&domain);
}

static void warn(void *context)
{
    ++*(size_t *)context;
}

static void high_water_is_told_once_each_time(void **state)
{
    (void)state;
    static cm_domain domain;
    static struct other other;
    size_t done = 0, warned = 0;
    begin(&domain);
    other_begin(&other, &domain);
    cm_domain_high_water(&domain, 500, 0, warn, &warned);
    for (size_t round = 1; round <= 3; round++) {
        tell(&other, PIN);
        for (int i = 0; i < 500; i++)
            assert_int_equal(cm_domain_retire(&domain, &done, 8, count, NULL), CM_OK);
        assert_int_equal(warned, round - 1);
        for (int i = 0; i < 500; i++)
            assert_int_equal(cm_domain_retire(&domain, &done, 8, count, NULL), CM_OK);
        assert_int_equal(warned, round);
        tell(&other, UNPIN);
        assert_int_equal(cm_domain_barrier(&domain), CM_OK);
    }
    other_end(&other);
    end(&domain);
}

/* ---- all together ---- */

#define ALIVE UINT64_C(0x616c697665)

struct object {
    uint64_t alive, same;
    cm_retired link;
};

struct stress {
    cm_domain domain;
    struct object *current;
    size_t rounds, freed;
};

static struct object *object_make(uint64_t same)
{
    struct object *object = malloc(sizeof *object);
    object->alive = ALIVE;
    object->same = same;
    return object;
}

static void object_free(void *object, void *context)
{
    struct stress *stress = context;
    ((struct object *)object)->alive = 0;
    free(object);
    stress->freed++; /* one thread at a time runs functions, and they come after each other */
}

static size_t look(const struct object *object)
{
    uint64_t same = object->same;
    size_t wrong = object->alive != ALIVE;
    return wrong + (object->same != same);
}

static size_t replace(struct stress *stress, uint64_t same)
{
    struct object *old = cm_exchange_acq_rel_(&stress->current, object_make(same));
    cm_domain_retire_by(&stress->domain, &old->link, old, sizeof *old, object_free, stress);
    return 0;
}

static size_t look_pinned(struct stress *stress)
{
    size_t wrong = cm_domain_pin(&stress->domain) != CM_OK;
    wrong += look(cm_load_acquire_(&stress->current));
    cm_domain_unpin(&stress->domain);
    return wrong;
}

static size_t look_with_object(struct stress *stress)
{
    cm_pin pin;
    cm_pin_open(&stress->domain, &pin);
    size_t wrong = look(cm_load_acquire_(&stress->current));
    cm_pin_close(&pin);
    return wrong;
}

/* Some look for a moment, some stay online and keep what they found for a while, some replace. */
static size_t stress_work(void *context, unsigned i)
{
    struct stress *stress = context;
    size_t wrong = i == 1 ? cm_domain_join(&stress->domain) != CM_OK : 0;
    for (size_t k = 0; k < stress->rounds; k++) {
        if (i == 0)
            wrong += look_pinned(stress);
        else if (i == 1 && k % 16 == 0)
            wrong += cm_domain_quiescent(&stress->domain) != CM_OK;
        else if (i == 1)
            wrong += look(cm_load_acquire_(&stress->current));
        else if (i == 2)
            wrong += look_with_object(stress);
        else
            wrong += replace(stress, k);
    }
    return wrong;
}

static void nothing_is_freed_under_a_reader(void **state)
{
    (void)state;
    static struct stress stress;
    stress = (struct stress){.rounds = crew_scale(100000), .current = object_make(0)};
    begin(&stress.domain);
    assert_int_equal(crew_run(5, stress_work, &stress), 0);
    object_free(stress.current, &stress);
    end(&stress.domain);
    assert_int_equal(stress.freed, 2 * stress.rounds + 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_nobody_looks_at_is_given_back),
        cmocka_unit_test(a_pin_keeps_what_is_retired_until_the_outermost_ends),
        cmocka_unit_test(what_is_retired_before_a_pin_does_not_wait_for_it),
        cmocka_unit_test(R16_an_online_thread_keeps_until_it_reports_and_pins_nest_in_that),
        cmocka_unit_test(who_parts_inside_a_pin_stays_pinned),
        cmocka_unit_test(who_looks_without_a_pin_joins),
        cmocka_unit_test(the_pins_of_maps_count_in_their_domain),
        cmocka_unit_test(domains_do_not_wait_for_each_other),
        cmocka_unit_test(a_pin_object_outlives_its_thread_and_any_thread_closes_it),
        cmocka_unit_test(the_oldest_of_many_pin_objects_counts),
        cmocka_unit_test(retiring_gives_back_by_itself),
        cmocka_unit_test(R21_functions_run_outside_all_pins_and_not_inside_each_other),
        cmocka_unit_test(R21_functions_run_outside_the_locks_of_maps),
        cmocka_unit_test(L9_what_waits_is_given_back_once_when_the_domain_goes),
        cmocka_unit_test(L7_what_a_stalled_thread_holds_is_told_and_what_it_does_not_is_freed),
        cmocka_unit_test(high_water_is_told_once_each_time),
        cmocka_unit_test(nothing_is_freed_under_a_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
