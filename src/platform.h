/* What the library needs of the operating system. One file implements it for each system: platform_linux.c or
 * platform_posix.c; but memory lies in pages.c, and what is said to tools in tools.c, which serve all of them. */
#ifndef CONCMAP_PLATFORM_H
#define CONCMAP_PLATFORM_H

#include <concmap/detail/platform.h>
#include <pthread.h>

/* Zeroed memory at a multiple of `alignment` (a power of two), with a hint to use huge pages if `huge`; NULL: none. */
void *cm_platform_map_(size_t size, size_t alignment, bool huge);
/* Gives back mapped memory, or whole pages of its end. */
void cm_platform_unmap_(void *address, size_t size);
/* Replaces the whole pages of a range that was mapped by pages of zeros; returns their bytes. 0: not here. */
size_t cm_platform_empty_(void *address, size_t size);

/* Sleeps while *word is `expected`, until woken, for at most `timeout_ns` (negative: no limit). May return early. */
void cm_platform_sleep_(uint32_t *word, uint32_t expected, int64_t timeout_ns);
void cm_platform_wake_(uint32_t *word);
/* In a forked child: forgets who slept in the parent. */
void cm_platform_forget_sleepers_(void);

/* Runs a full fence in every thread of the process; false: the system does not offer that. */
bool cm_platform_barrier_(void);
/* Prepares and probes it. */
bool cm_platform_barrier_start_(void);

/* Lets the calling thread run on one processor only; false: there is no such one, or no way to say so. */
bool cm_platform_pin_(unsigned processor);

/* Fills bytes from the system's entropy; false: it offers no call for it. */
bool cm_platform_random_(void *bytes, size_t size);

/* To the end of the block this thread is not cancelled: no function of the library is a point of cancellation. */
#define CM_UNCANCELLED_()                                                                                              \
    int uncancelled_ __attribute__((cleanup(cm_cancelled_again_)));                                                    \
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &uncancelled_)
static inline void cm_cancelled_again_(const int *state)
{
    pthread_setcancelstate(*state, NULL);
}

/* For tools that watch the program (src/tools.c). Tells leak checkers that memory from the system holds pointers;
 * race checkers without atomics (helgrind) to leave a range alone; and the thread sanitizer, whose eyes this
 * library's own code may be hidden from, what an atomic has ordered. Nothing where no such tool runs. */
void cm_platform_root_region_(const void *address, size_t size, bool add);
void cm_platform_lockfree_memory_(const void *address, size_t size);
void cm_platform_tsan_acquire_(const void *address);
void cm_platform_tsan_release_(const void *address);

#endif
