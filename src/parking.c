/* The parking lot: see parking.h for why no wake is lost. */
#include "parking.h"

#include <concmap/detail/atomic.h>
#include <pthread.h>

#include "platform.h"

#define LOTS 256
#define NAP_NS 1000000 /* how long to sleep where the barrier does not serve */

struct sleeper {
    const void *address;
    struct sleeper *next;
    uint32_t awake;
};

struct lot {
    pthread_mutex_t mutex;
    uint32_t waiters; /* announced, asleep or not; read without the mutex */
    struct sleeper *head;
} __attribute__((aligned(CM_APART)));

static struct lot lots[LOTS] = {[0 ... LOTS - 1] = {.mutex = PTHREAD_MUTEX_INITIALIZER}};

static struct lot *lot_of(const void *address)
{
    uint64_t mixed = ((uint64_t)(uintptr_t)address >> 6) * UINT64_C(0x9e3779b97f4a7c15);
    return &lots[mixed >> 56];
}

static void lot_append(struct lot *lot, struct sleeper *sleeper)
{
    struct sleeper **link = &lot->head;
    while (*link)
        link = &(*link)->next;
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

/* Sleeps until woken; where barriers do not serve, for one nap at most. */
static void sleeper_wait(struct lot *lot, struct sleeper *sleeper, bool barrier)
{
    /* Acquire: pairs with the release of the waker, who does not touch the sleeper afterwards but to wake its word. */
    while (!cm_load_acquire_(&sleeper->awake)) {
        cm_platform_sleep_(&sleeper->awake, 0, barrier ? -1 : NAP_NS);
        if (barrier || cm_load_acquire_(&sleeper->awake))
            continue;
        pthread_mutex_lock(&lot->mutex);
        bool removed = lot_remove(lot, sleeper);
        pthread_mutex_unlock(&lot->mutex);
        if (removed)
            return;
    }
}

void cm_park_(const void *address, bool (*blocked)(void *), void *context, uint32_t *waiters)
{
    struct lot *lot = lot_of(address);
    struct sleeper sleeper = {.address = address};
    cm_platform_lockfree_memory_(&sleeper, sizeof sleeper);
    cm_platform_lockfree_memory_(&lot->waiters, sizeof lot->waiters);
    cm_add_relaxed_(waiters, 1); /* relaxed: the barrier orders both counts before the look below */
    cm_add_relaxed_(&lot->waiters, 1);
    bool barrier = cm_platform_barrier_();
    pthread_mutex_lock(&lot->mutex);
    bool asleep = blocked(context);
    if (asleep)
        lot_append(lot, &sleeper);
    pthread_mutex_unlock(&lot->mutex);
    if (asleep)
        sleeper_wait(lot, &sleeper, barrier);
    cm_sub_relaxed_(&lot->waiters, 1);
    cm_sub_relaxed_(waiters, 1);
}

void cm_unpark_(const void *address, bool all)
{
    struct lot *lot = lot_of(address);
    if (cm_load_relaxed_(&lot->waiters) == 0)
        return;
    pthread_mutex_lock(&lot->mutex);
    for (struct sleeper **link = &lot->head; *link;) {
        struct sleeper *sleeper = *link;
        if (sleeper->address != address) {
            link = &sleeper->next;
            continue;
        }
        *link = sleeper->next;
        /* The sleeper may return, and its frame be gone, as soon as this is stored: only its address is used below. */
        cm_store_release_(&sleeper->awake, 1);
        cm_platform_wake_(&sleeper->awake);
        if (!all)
            break;
    }
    pthread_mutex_unlock(&lot->mutex);
}

void cm_parking_forget_(void)
{
    for (size_t i = 0; i < LOTS; i++)
        lots[i] = (struct lot){.mutex = PTHREAD_MUTEX_INITIALIZER};
}
