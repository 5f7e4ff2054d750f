/* Linux: futex, membarrier, getrandom. */
#include "platform.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

void cm_platform_sleep_(uint32_t *word, uint32_t expected, int64_t timeout_ns)
{
    struct timespec timeout = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, timeout_ns < 0 ? NULL : &timeout, NULL, 0);
}

void cm_platform_wake_(uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void cm_platform_forget_sleepers_(void)
{
    /* The kernel knows of none. */
}

bool cm_platform_barrier_start_(void)
{
    return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0 && cm_platform_barrier_();
}

bool cm_platform_barrier_(void)
{
    return syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
}

bool cm_platform_pin_(unsigned processor)
{
    enum { WORD = sizeof(unsigned long) * CHAR_BIT };
    unsigned long mask[1024 / WORD] = {0}; /* as glibc's cpu_set_t, which only _GNU_SOURCE shows */
    if (processor >= 1024)
        return false;
    mask[processor / WORD] = 1UL << processor % WORD;
    return syscall(SYS_sched_setaffinity, 0, sizeof mask, mask) == 0;
}

bool cm_platform_random_(void *bytes, size_t size)
{
    for (;;) {
        ssize_t got = syscall(SYS_getrandom, bytes, size, 0); /* as a function it would be a cancellation point */
        if (got == (ssize_t)size)
            return true;
        if (got >= 0 || errno != EINTR)
            return false;
    }
}
