/* Words to the tools that watch a program: sanitizers and valgrind. */
#include "platform.h"

#if defined(__has_include)
#if __has_include(<valgrind/helgrind.h>)
#include <valgrind/helgrind.h>
#endif
#endif

/* Defined by the sanitizers' runtimes where a program has them, whether or not this library is instrumented. */
void __lsan_register_root_region(const void *address, size_t size) __attribute__((weak));
void __lsan_unregister_root_region(const void *address, size_t size) __attribute__((weak));
void __tsan_acquire(void *address) __attribute__((weak));
void __tsan_release(void *address) __attribute__((weak));

void cm_platform_root_region_(const void *address, size_t size, bool add)
{
    if (add && __lsan_register_root_region)
        __lsan_register_root_region(address, size);
    if (!add && __lsan_unregister_root_region)
        __lsan_unregister_root_region(address, size);
}

void cm_platform_lockfree_memory_(const void *address, size_t size)
{
    (void)address, (void)size;
#if defined(VALGRIND_HG_DISABLE_CHECKING)
    VALGRIND_HG_DISABLE_CHECKING(address, size);
#endif
}

/* Where the library is instrumented itself, the sanitizer sees the atomics; to tell it more would only hide mistakes.
 */
void cm_platform_tsan_acquire_(const void *address)
{
    if (!CM_TSAN && __tsan_acquire)
        __tsan_acquire((void *)(uintptr_t)address);
}

void cm_platform_tsan_release_(const void *address)
{
    if (!CM_TSAN && __tsan_release)
        __tsan_release((void *)(uintptr_t)address);
}
