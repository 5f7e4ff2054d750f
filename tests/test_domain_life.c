/* Domains as threads and processes come and go, on a system without membarrier, and without memory. The names with a
 * letter and a number are rules of the protocol and cases of the project's list of bugs that other maps had. */
#include <concmap/domain.h>
#include <concmap/sharded.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../src/thread_registry.h"
#include "failing_allocator.h"
#include "obeying.h"
#include "unit.h"

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

int main(void)
{
    static const struct CMUnitTest tests[] = {
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
