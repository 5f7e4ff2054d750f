/* The parking lot: see parking.h for why no wake is lost. */
#include "parking.h"

#include <concmap/detail/atomic.h>
#include <pthread.h>

#include "platform.h"

#define LOTS 256
/* Unlocks, about a millisecond of them, that wait for one who was woken: its processor may be busy. */
#define WAKING_PASSED 30000
#define NAP_NS 1000000 /* how long to sleep where the barrier does not serve */

struct sleeper {
    const void *address;
    struct sleeper *next;
    const struct cm_parking_ *parking;
    uint32_t awake;
};

struct lot {
    pthread_mutex_t mutex;
    uint32_t waiters;   /* announced, asleep or not; read without the mutex */
    const void *waking; /* somebody who slept here was woken and has not run yet; read without the mutex */
    uint32_t passed;    /* unlocks since, which woke nobody */
    struct sleeper *head;
} __attribute__((aligned(CM_APART)));

static struct lot lots[LOTS] = {[0 ... LOTS - 1] = {.mutex = PTHREAD_MUTEX_INITIALIZER}};

static uint64_t tickets; /* of those who park */

static struct lot *lot_of(const void *address)
{
    uint64_t mixed = ((uint64_t)(uintptr_t)address >> 6) * UINT64_C(0x9e3779b97f4a7c15);
    return &lots[mixed >> 56];
}

/* By age: who sleeps again after a wake in vain keeps its place. */
static void lot_insert(struct lot *lot, struct sleeper *sleeper)
{
    struct sleeper **link = &lot->head;
    while (*link && (*link)->parking->since <= sleeper->parking->since)
        link = &(*link)->next;
    sleeper->next = *link;
    *link = sleeper;
}

/* False if a waker has taken it out already. */
static bool lot_remove(struct lot *lot, struct sleeper *sleeper)
{
    struct sleeper **link = &lot->head;
    while (*link && *link != sleeper)
        link = &(*link)->next;
    if (!*link)
        return false;
    *link = sleeper->next;
    return true;
}

/* How long to sleep now, in nanoseconds; negative: without limit. */
static int64_t nap_of(cm_deadline deadline, bool barrier)
{
    int64_t nap = barrier ? INT64_MAX : NAP_NS;
    if (deadline != CM_FOREVER) {
        cm_deadline now = cm_deadline_after(0);
        int64_t left = now >= deadline ? 0 : deadline - now > INT64_MAX ? INT64_MAX : (int64_t)(deadline - now);
        nap = left < nap ? left : nap;
    }
    return nap == INT64_MAX ? -1 : nap;
}

/* Sleeps until woken; past the deadline, or where barriers do not serve, for one nap at most. */
static void sleeper_wait(struct lot *lot, struct sleeper *sleeper, bool barrier)
{
    /* Acquire: pairs with the release of the waker, who does not touch the sleeper afterwards but to wake its word. */
    while (!cm_load_acquire_(&sleeper->awake)) {
        int64_t nap = nap_of(sleeper->parking->deadline, barrier);
        if (nap != 0)
            cm_platform_sleep_(&sleeper->awake, 0, nap);
        if (nap < 0 || cm_load_acquire_(&sleeper->awake))
            continue;
        pthread_mutex_lock(&lot->mutex);
        bool removed = lot_remove(lot, sleeper);
        pthread_mutex_unlock(&lot->mutex);
        if (removed)
            return;
    }
}

void cm_park_(const void *address, struct cm_parking_ *parking)
{
    struct lot *lot = lot_of(address);
    struct sleeper sleeper = {.address = address, .parking = parking};
    cm_platform_lockfree_memory_(&sleeper, sizeof sleeper);
    cm_platform_lockfree_memory_(&lot->waiters, sizeof lot->waiters);
    cm_platform_lockfree_memory_(&lot->waking, sizeof lot->waking);
    cm_platform_lockfree_memory_(&lot->passed, sizeof lot->passed);
    cm_platform_lockfree_memory_(&tickets, sizeof tickets);
    if (parking->since == 0)
        parking->since = cm_add_relaxed_(&tickets, 1) + 1; /* relaxed: only its order counts */
    cm_add_relaxed_(parking->waiters, 1); /* relaxed: the barrier orders both counts before the look below */
    cm_add_relaxed_(&lot->waiters, 1);
    bool barrier = cm_platform_barrier_();
    pthread_mutex_lock(&lot->mutex);
    bool asleep = parking->blocked(parking->context);
    if (asleep)
        lot_insert(lot, &sleeper);
    pthread_mutex_unlock(&lot->mutex);
    if (asleep)
        sleeper_wait(lot, &sleeper, barrier);
    if (cm_load_relaxed_(&lot->waking) == address) /* before the caller looks at the word: see cm_waking_() */
        cm_store_relaxed_(&lot->waking, (const void *)NULL);
    cm_sub_relaxed_(&lot->waiters, 1);
    cm_sub_relaxed_(parking->waiters, 1);
}

/* The first sleeper at `address` from `link` on. */
static struct sleeper **sleeper_find(const void *address, struct sleeper **link)
{
    while (*link && (*link)->address != address)
        link = &(*link)->next;
    return link;
}

void cm_unpark_with_(const void *address, bool all, void (*release)(void *waker, void *context), void *waker)
{
    struct lot *lot = lot_of(address);
    pthread_mutex_lock(&lot->mutex);
    struct sleeper **link = sleeper_find(address, &lot->head);
    if (release)
        release(waker, *link ? (*link)->parking->context : NULL);
    while (*link) {
        struct sleeper *sleeper = *link;
        *link = sleeper->next;
        cm_store_relaxed_(&lot->passed, 0);
        cm_store_relaxed_(&lot->waking, all ? NULL : address);
        /* The sleeper may return, and its frame be gone, as soon as this is stored: only its address is used below. */
        cm_store_release_(&sleeper->awake, 1);
        cm_platform_wake_(&sleeper->awake);
        if (!all)
            break;
        link = sleeper_find(address, link);
    }
    pthread_mutex_unlock(&lot->mutex);
}

bool cm_parked_near_(const void *address)
{
    return cm_load_relaxed_(&lot_of(address)->waiters) != 0;
}

bool cm_waking_(const void *address)
{
    struct lot *lot = lot_of(address);
    if (cm_load_relaxed_(&lot->waking) != address)
        return false;
    uint32_t passed = cm_load_relaxed_(&lot->passed) + 1; /* relaxed, and not added: about so many */
    cm_store_relaxed_(&lot->passed, passed);
    return passed < WAKING_PASSED;
}

void cm_unpark_(const void *address, bool all)
{
    if (cm_parked_near_(address))
        cm_unpark_with_(address, all, NULL, NULL);
}

void cm_parking_forget_(void)
{
    for (size_t i = 0; i < LOTS; i++)
        lots[i] = (struct lot){.mutex = PTHREAD_MUTEX_INITIALIZER};
    cm_platform_forget_sleepers_();
}
