/* Any POSIX system: what Linux has calls of its own for, by the portable means. */
#include "platform.h"

#include <concmap/detail/atomic.h>
#include <pthread.h>
#include <time.h>

/* One lock and one condition for all sleepers: each looks at its own word again, which its waker has changed. */
static pthread_mutex_t sleep_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t sleep_wake = PTHREAD_COND_INITIALIZER;

void cm_platform_sleep_(uint32_t *word, uint32_t expected, int64_t timeout_ns)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    int64_t nanoseconds = until.tv_nsec + (timeout_ns < 0 ? 0 : timeout_ns);
    until.tv_sec += nanoseconds / 1000000000;
    until.tv_nsec = nanoseconds % 1000000000;
    int cancel;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel); /* waiting for a condition is a cancellation point */
    pthread_mutex_lock(&sleep_mutex);
    int ended = 0;
    while (!ended && cm_load_acquire_(word) == expected) /* most wakes are others' */
        ended = timeout_ns < 0 ? pthread_cond_wait(&sleep_wake, &sleep_mutex)
                               : pthread_cond_timedwait(&sleep_wake, &sleep_mutex, &until);
    pthread_mutex_unlock(&sleep_mutex);
    pthread_setcancelstate(cancel, &cancel);
}

void cm_platform_wake_(uint32_t *word)
{
    (void)word;
    pthread_mutex_lock(&sleep_mutex);
    pthread_cond_broadcast(&sleep_wake);
    pthread_mutex_unlock(&sleep_mutex);
}

void cm_platform_forget_sleepers_(void)
{
    sleep_mutex = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    sleep_wake = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
}

bool cm_platform_barrier_start_(void)
{
    return false;
}

bool cm_platform_barrier_(void)
{
    return false;
}

bool cm_platform_pin_(unsigned processor)
{
    (void)processor;
    return false;
}

bool cm_platform_random_(void *bytes, size_t size)
{
    (void)bytes, (void)size;
    return false; /* no call for it on every system: the caller then reads /dev/urandom */
}
