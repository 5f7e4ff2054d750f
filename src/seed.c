/* Fresh seeds: a secret of the process and a counter, hashed. */
#include <concmap/detail/atomic.h>
#include <concmap/hash.h>
#include <pthread.h>
#include <time.h>

#include "platform.h"
#include "siphash.h"

static uint64_t secret[2];
static uint64_t counter;

static void secret_make(void)
{
    if (cm_platform_random_(secret, sizeof secret))
        return;
    /* No entropy: better a weak secret than a failing init. */
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    secret[0] = (uint64_t)now.tv_nsec ^ (uint64_t)(uintptr_t)&now;
    secret[1] = (uint64_t)now.tv_sec ^ (uint64_t)(uintptr_t)secret;
}

/* A forked child gets a secret of its own. */
static void secret_start(void)
{
    secret_make();
    pthread_atfork(NULL, NULL, secret_make);
}

uint64_t cm_seed_random(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, secret_start);
    uint64_t number = cm_add_relaxed_(&counter, 1); /* relaxed: only its uniqueness counts */
    uint64_t seed = cm_siphash_(2, 4, secret[0], secret[1], &number, sizeof number);
    return seed ? seed : 1; /* 0 asks for a fresh seed */
}
