/* Fresh seeds: a counter, hashed under a secret of the process. */
#include <concmap/detail/atomic.h>
#include <concmap/hash.h>
#include <fcntl.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "platform.h"
#include "siphash.h"

static uint64_t secret[2];
static uint64_t counter;

/* Without stdio: a forked child comes here before anything else. */
static bool urandom_read(void *bytes, size_t size)
{
    int cancel;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    int file = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    ssize_t got = file < 0 ? -1 : read(file, bytes, size);
    if (file >= 0)
        close(file);
    pthread_setcancelstate(cancel, &cancel);
    return got == (ssize_t)size;
}

static void secret_make(void)
{
    uint64_t fresh[2];
    if (cm_platform_random_(fresh, sizeof fresh) || urandom_read(fresh, sizeof fresh)) {
        memcpy(secret, fresh, sizeof secret);
        return;
    }
    /* No entropy: better a weak secret than a failing init. It stirs the old one, which a forked child inherits. */
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    secret[0] ^= (uint64_t)now.tv_nsec << 32 ^ (uint64_t)getpid() ^ (uint64_t)(uintptr_t)&now;
    secret[1] ^= (uint64_t)now.tv_sec ^ (uint64_t)(uintptr_t)secret << 16;
}

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
