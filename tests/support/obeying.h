/* A domain's user in another thread, which is told what to do. Domains and what is told to threads are static: a test
 * that fails leaves them behind. */
#ifndef CONCMAP_TESTS_OBEYING_H
#define CONCMAP_TESTS_OBEYING_H

#include <concmap/domain.h>
#include <pthread.h>
#include <sched.h>

#include "unit.h"

static inline void count(void *object, void *context)
{
    (void)context;
    __atomic_fetch_add((size_t *)object, 1, __ATOMIC_RELAXED);
}

static inline void begin(cm_domain *domain)
{
    assert_int_equal(cm_domain_init(domain, NULL), CM_OK);
}

static inline void end(cm_domain *domain)
{
    assert_int_equal(cm_domain_destroy(domain), CM_OK);
}

static inline size_t waiting(cm_domain *domain)
{
    cm_domain_figures figures;
    cm_domain_stats(domain, &figures);
    return figures.objects;
}

enum order { NOTHING, PIN, UNPIN, JOIN, REPORT, PART, END };

struct other {
    cm_domain *domain;
    enum order order; /* NOTHING: it was carried out */
    cm_status status;
    pthread_t thread;
};

static inline void *obey(void *context)
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

static inline cm_status tell(struct other *other, enum order order)
{
    other->status = CM_OK;
    __atomic_store_n(&other->order, order, __ATOMIC_RELEASE);
    while (__atomic_load_n(&other->order, __ATOMIC_ACQUIRE) != NOTHING)
        sched_yield();
    return other->status;
}

static inline void other_begin(struct other *other, cm_domain *domain)
{
    *other = (struct other){.domain = domain};
    assert_int_equal(pthread_create(&other->thread, NULL, obey, other), 0);
}

static inline void other_end(struct other *other)
{
    __atomic_store_n(&other->order, END, __ATOMIC_RELEASE);
    pthread_join(other->thread, NULL);
}

static inline void in_thread(void *(*work)(void *), void *context)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, work, context), 0);
    pthread_join(thread, NULL);
}

#endif
