/* Public domains: who is protected, what waits for them, and who gives it back. */
#include <concmap/domain.h>
#include <concmap/sharded.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../src/thread_registry.h"
#include "crew.h"
#include "failing_allocator.h"
#include "unit.h"

CM_SHARDED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)

static void count(void *object, void *context)
{
    (void)context;
    __atomic_fetch_add((size_t *)object, 1, __ATOMIC_RELAXED);
}

static void begin(cm_domain *domain)
{
    assert_int_equal(cm_domain_init(domain, NULL), CM_OK);
}

static void end(cm_domain *domain)
{
    assert_int_equal(cm_domain_destroy(domain), CM_OK);
}

static size_t waiting(cm_domain *domain)
{
    cm_domain_figures figures;
    cm_domain_stats(domain, &figures);
    return figures.objects;
}

/* ---- another thread, told what to do ---- */

enum order { NOTHING, PIN, UNPIN, JOIN, REPORT, PART, END };

struct other {
    cm_domain *domain;
    enum order order; /* NOTHING: it was carried out */
    cm_status status;
    pthread_t thread;
};

static void *obey(void *context)
{
    struct other *other = context;
    for (enum order order = NOTHING; order != END;) {
        while ((order = __atomic_load_n(&other->order, __ATOMIC_ACQUIRE)) == NOTHING)
            sched_yield();
        switch (order) {
        case PIN:
            other->status = cm_domain_pin(other->domain);
            break;
        case UNPIN:
            cm_domain_unpin(other->domain);
            break;
        case JOIN:
            other->status = cm_domain_join(other->domain);
            break;
        case REPORT:
            other->status = cm_domain_quiescent(other->domain);
            break;
        case PART:
            cm_domain_part(other->domain);
            break;
        default:
            break;
        }
        __atomic_store_n(&other->order, NOTHING, __ATOMIC_RELEASE);
    }
    return NULL;
}

static cm_status tell(struct other *other, enum order order)
{
    other->status = CM_OK;
    __atomic_store_n(&other->order, order, __ATOMIC_RELEASE);
    while (__atomic_load_n(&other->order, __ATOMIC_ACQUIRE) != NOTHING)
        sched_yield();
    return other->status;
}

static void other_begin(struct other *other, cm_domain *domain)
{
    *other = (struct other){.domain = domain};
    assert_int_equal(pthread_create(&other->thread, NULL, obey, other), 0);
}

static void other_end(struct other *other)
{
    __atomic_store_n(&other->order, END, __ATOMIC_RELEASE);
    pthread_join(other->thread, NULL);
}

/* Domains and what is told to threads are static: a test that fails leaves them behind. */

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

static void in_thread(void *(*work)(void *), void *context)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, work, context), 0);
    pthread_join(thread, NULL);
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

/* ---- the life of threads and processes ---- */

static void *end_pinned_and_online(void *context)
{
    cm_domain *domain = context;
    cm_domain_join(domain);
    cm_domain_pin(domain);
    cm_pin_enter_of_(domain);
    cm_pin_enter_of_(NULL);
    return NULL;
}

static void free_it(void *object, void *context)
{
    (void)context;
    free(object);
}

static void *retire_and_end(void *context)
{
    for (int i = 0; i < 10; i++)
        cm_domain_retire(context, malloc(8), 8, free_it, NULL);
    return NULL;
}

static void L8_a_thread_that_ends_is_parted_and_what_it_retired_is_given_back(void **state)
{
    (void)state;
    static cm_domain domain;
    size_t done = 0;
    begin(&domain);
    in_thread(retire_and_end, &domain);
    in_thread(end_pinned_and_online, &domain);
    cm_domain_figures figures;
    cm_domain_stats(&domain, &figures);
    assert_int_equal(figures.online, 0);
    assert_int_equal(figures.holder, CM_HOLDER_NONE);
    assert_int_equal(figures.objects + figures.given_back, 10);
    assert_int_equal(cm_domain_retire(&domain, &done, 8, count, NULL), CM_OK);
    assert_int_equal(cm_domain_try_barrier(&domain), CM_OK);
    assert_int_equal(done, 1);
    assert_int_equal(waiting(&domain), 0);
    end(&domain);
}

static void end_thread(void *object, void *context)
{
    count(object, context);
    pthread_exit(NULL);
}

struct ending {
    cm_domain domain;
    size_t done;
};

static void *run_what_ends_the_thread(void *context)
{
    struct ending *ending = context;
    cm_domain_pin(&ending->domain);
    cm_domain_retire(&ending->domain, &ending->done, 8, end_thread, NULL);
    cm_domain_retire(&ending->domain, &ending->done, 8, count, NULL);
    cm_domain_unpin(&ending->domain);
    cm_domain_barrier(&ending->domain);
    return NULL;
}

static void who_ends_amid_giving_back_leaves_the_rest_to_others(void **state)
{
    (void)state;
    static struct ending ending;
    begin(&ending.domain);
    in_thread(run_what_ends_the_thread, &ending);
    assert_int_equal(ending.done, 1);
    assert_int_equal(cm_domain_barrier(&ending.domain), CM_OK);
    assert_int_equal(ending.done, 2);
    assert_int_equal(waiting(&ending.domain), 0);
    end(&ending.domain);
}

static void any_number_of_threads_is_served(void **state)
{
    (void)state;
    enum { THREADS = 20 };
    static cm_domain domain;
    static struct other others[THREADS];
    size_t done = 0;
    begin(&domain);
    for (int i = 0; i < THREADS; i++) {
        other_begin(&others[i], &domain);
        assert_int_equal(tell(&others[i], i % 2 ? PIN : JOIN), CM_OK);
    }
    assert_int_equal(cm_domain_retire(&domain, &done, 8, count, NULL), CM_OK);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(cm_domain_try_barrier(&domain), CM_BUSY);
        tell(&others[i], i % 2 ? UNPIN : PART);
    }
    assert_int_equal(cm_domain_try_barrier(&domain), CM_OK);
    for (int i = 0; i < THREADS; i++)
        other_end(&others[i]);
    end(&domain);
}

static bool child_is_well(bool (*work)(cm_domain *, size_t *), cm_domain *domain, size_t *done)
{
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        _exit(work(domain, done) ? 0 : 1);
    }
    return waitpid(child, &status, 0) == child && status == 0;
}

/* The other thread, which was pinned, does not exist here; the forking one is pinned as it was. */
static bool use_in_child(cm_domain *domain, size_t *done)
{
    bool well = cm_domain_try_barrier(domain) == CM_DEADLOCK && *done == 0;
    cm_domain_unpin(domain);
    well &= cm_domain_try_barrier(domain) == CM_OK && *done == 1;
    well &= cm_domain_retire(domain, done, 8, count, NULL) == CM_OK;
    return well && cm_domain_destroy(domain) == CM_OK && *done == 2;
}

static void R17_a_forked_child_drops_the_slots_of_others(void **state)
{
    (void)state;
    static cm_domain domain;
    static struct other other;
    size_t done = 0;
    begin(&domain);
    other_begin(&other, &domain);
    tell(&other, JOIN);
    tell(&other, PIN);
    assert_int_equal(cm_domain_pin(&domain), CM_OK);
    assert_int_equal(cm_domain_retire(&domain, &done, 8, count, NULL), CM_OK);
    assert_true(child_is_well(use_in_child, &domain, &done));
    assert_int_equal(done, 0);
    cm_domain_unpin(&domain);
    assert_int_equal(cm_domain_try_barrier(&domain), CM_BUSY); /* the parent's is as it was */
    other_end(&other);
    end(&domain);
    assert_int_equal(done, 1);
}

/* Nothing passes while a thread that used the domain may still rely on barriers. */
static bool use_fences(cm_domain *domain, size_t *done)
{
    static struct other other, late;
    bool relied = !(cm_load_relaxed_(&domain->epoch) & CM_EPOCH_FENCES_);
    other = (struct other){.domain = domain};
    late = (struct other){.domain = domain};
    pthread_create(&other.thread, NULL, obey, &other);
    pthread_create(&late.thread, NULL, obey, &late);
    tell(&other, PIN);
    tell(&other, UNPIN);
    cm_domain_force_fences_();
    cm_domain_retire(domain, done, 8, count, NULL);
    bool well = cm_domain_try_barrier(domain) == (relied ? CM_BUSY : CM_OK) && *done == !relied;
    tell(&other, PIN);
    tell(&other, UNPIN);
    well &= cm_domain_try_barrier(domain) == CM_OK && *done == 1;
    tell(&late, JOIN);
    cm_domain_retire(domain, done, 8, count, NULL);
    well &= cm_domain_try_barrier(domain) == CM_BUSY;
    tell(&late, REPORT);
    cm_domain_try_barrier(domain);
    tell(&late, REPORT);
    well &= cm_domain_try_barrier(domain) == CM_OK && *done == 2;
    cm_pin pin;
    cm_pin_open(domain, &pin);
    cm_domain_retire(domain, done, 8, count, NULL);
    tell(&late, PART);
    well &= cm_domain_try_barrier(domain) == CM_BUSY;
    cm_pin_close(&pin);
    other_end(&other);
    other_end(&late);
    return well && cm_domain_destroy(domain) == CM_OK && *done == 3;
}

/* In a child of its own, because the mode stays. */
static void R17_without_membarrier_each_slot_acknowledges_fences(void **state)
{
    (void)state;
    static cm_domain domain;
    size_t done = 0;
    begin(&domain);
    assert_true(child_is_well(use_fences, &domain, &done));
    end(&domain);
}

static void *be_known(void *context)
{
    uint32_t *told = context;
    cm_thread_get_();
    __atomic_store_n(told, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(told, __ATOMIC_ACQUIRE) != 2)
        usleep(100);
    return NULL;
}

/* Neither the thread that waits, which has not pinned since, nor one that came later. */
static bool never_pin(cm_domain *domain, size_t *done)
{
    uint32_t told = 0;
    pthread_t thread;
    cm_thread_get_();
    cm_domain_force_fences_();
    pthread_create(&thread, NULL, be_known, &told);
    while (__atomic_load_n(&told, __ATOMIC_ACQUIRE) != 1)
        usleep(100);
    cm_domain_retire(cm_domain_default(), done, 8, count, NULL);
    bool well = cm_domain_barrier_until(cm_domain_default(), cm_deadline_after(20000000000)) == CM_OK && *done == 1;
    __atomic_store_n(&told, 2, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    return well && cm_domain_destroy(domain) == CM_OK;
}

static void R17_without_membarrier_who_never_pins_holds_nothing_back(void **state)
{
    (void)state;
    static cm_domain domain;
    size_t done = 0;
    begin(&domain);
    assert_true(child_is_well(never_pin, &domain, &done));
    end(&domain);
}

/* ---- without memory ---- */

static void *use_without_memory(void *context)
{
    cm_domain *domain = context;
    bool well = cm_domain_pin(domain) == CM_NOMEM && cm_domain_join(domain) == CM_NOMEM;
    cm_domain_unpin(domain);
    cm_domain_part(domain);
    well &= cm_domain_quiescent(domain) == CM_OK;
    well &= cm_domain_retire(domain, domain, 0, count, NULL) == CM_NOMEM;
    return well ? domain : NULL;
}

static void M1_without_memory_nothing_changes_and_a_retry_succeeds(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    static cm_domain domain;
    size_t done = 0;
    assert_int_equal(cm_domain_init(&domain, &memory.allocator), CM_OK);
    assert_int_equal(memory.requests, 0);
    memory.fail_all = true;
    assert_ptr_equal(use_without_memory(&domain), &domain);
    cm_pin pin;
    cm_pin_open(&domain, &pin); /* needs none */
    cm_pin_close(&pin);
    cm_retired link;
    cm_domain_retire_by(&domain, &link, &done, 8, count, NULL); /* nor does this */
    assert_int_equal(cm_domain_barrier(&domain), CM_OK);
    assert_int_equal(done, 1);
    memory.fail_all = false;
    assert_int_equal(cm_domain_pin(&domain), CM_OK);
    assert_int_equal(cm_domain_retire(&domain, &done, 8, count, NULL), CM_OK);
    cm_domain_unpin(&domain);
    end(&domain);
    assert_int_equal(done, 2);
    assert_int_equal(memory.live_blocks, 0);
    assert_int_equal(memory.mistakes, 0);
}

static void without_a_slot_maps_are_pinned_for_ever(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    static cm_domain domain;
    size_t done = 0;
    assert_int_equal(cm_domain_init(&domain, &memory.allocator), CM_OK);
    cm_domain_advance_(&domain);
    memory.fail_all = true;
    cm_pin_leave_(cm_pin_enter_of_(&domain));
    assert_true(cm_domain_online_(&domain));
    memory.fail_all = false;
    assert_int_equal(cm_domain_retire(&domain, &done, 8, count, NULL), CM_OK);
    assert_int_equal(cm_domain_try_barrier(&domain), CM_BUSY);
    cm_domain_figures figures;
    cm_domain_stats(&domain, &figures);
    assert_int_equal(figures.holder, CM_HOLDER_STRANGER);
    end(&domain);
    assert_int_equal(done, 1);
    assert_int_equal(memory.live_blocks, 0);
}

static void the_default_domain_is_one_like_others_but_cannot_be_destroyed(void **state)
{
    (void)state;
    cm_domain *domain = cm_domain_default();
    size_t done = 0;
    assert_int_equal(cm_domain_destroy(domain), CM_INVALID);
    assert_int_equal(cm_domain_pin(domain), CM_OK);
    assert_int_equal(cm_domain_retire(domain, &done, 8, count, NULL), CM_OK);
    assert_int_equal(cm_domain_barrier(domain), CM_DEADLOCK);
    struct cm_pin_ pin = cm_pin_enter_(); /* of a map */
    cm_domain_unpin(domain);
    assert_int_equal(cm_domain_quiescent(domain), CM_BUSY);
    assert_int_equal(cm_domain_try_barrier(domain), CM_DEADLOCK);
    cm_pin_leave_(pin);
    assert_int_equal(cm_domain_join(domain), CM_OK);
    assert_int_equal(cm_domain_quiescent(domain), CM_OK);
    assert_int_equal(done, 1); /* by reporting */
    cm_domain_part(domain);
    assert_int_equal(cm_domain_init_(domain, NULL, 1), CM_INVALID);
}

static void a_domain_that_maps_use_is_not_destroyed(void **state)
{
    (void)state;
    static cm_domain domain;
    begin(&domain);
    cm_domain_use_(&domain);
    cm_domain_use_(&domain);
    cm_domain_unuse_(&domain);
    assert_int_equal(cm_domain_destroy(&domain), CM_BUSY);
    cm_domain_unuse_(&domain);
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
        cmocka_unit_test(L8_a_thread_that_ends_is_parted_and_what_it_retired_is_given_back),
        cmocka_unit_test(who_ends_amid_giving_back_leaves_the_rest_to_others),
        cmocka_unit_test(any_number_of_threads_is_served),
        cmocka_unit_test(R17_a_forked_child_drops_the_slots_of_others),
        cmocka_unit_test(R17_without_membarrier_each_slot_acknowledges_fences),
        cmocka_unit_test(R17_without_membarrier_who_never_pins_holds_nothing_back),
        cmocka_unit_test(M1_without_memory_nothing_changes_and_a_retry_succeeds),
        cmocka_unit_test(without_a_slot_maps_are_pinned_for_ever),
        cmocka_unit_test(the_default_domain_is_one_like_others_but_cannot_be_destroyed),
        cmocka_unit_test(a_domain_that_maps_use_is_not_destroyed),
        cmocka_unit_test(nothing_is_freed_under_a_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
