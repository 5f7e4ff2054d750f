/* What the compiler and the machine are: attributes, the line size, the spin hint. Layer 0; includes nothing of
 * concmap. */
#ifndef CONCMAP_DETAIL_PLATFORM_H
#define CONCMAP_DETAIL_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if !defined(__GNUC__)
#error "concmap needs a compiler with GNU attributes and __atomic builtins (gcc >= 10 or clang >= 12)"
#endif
#if UINTPTR_MAX != UINT64_MAX || SIZE_MAX != UINT64_MAX
#error "concmap needs a 64-bit machine"
#endif

#ifdef __cplusplus
#define CM_BEGIN_DECLS extern "C" {
#define CM_END_DECLS }
#define CM_RESTRICT __restrict__
#define CM_ALIGNOF(T) alignof(T)
#define CM_STATIC_ASSERT static_assert
#else
#define CM_BEGIN_DECLS
#define CM_END_DECLS
#define CM_RESTRICT restrict
#define CM_ALIGNOF(T) _Alignof(T)
#define CM_STATIC_ASSERT _Static_assert
#endif

#define CM_API __attribute__((visibility("default")))
/* What the compiler instruments. */
#if defined(__SANITIZE_ADDRESS__)
#define CM_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CM_ASAN 1
#endif
#endif
#ifndef CM_ASAN
#define CM_ASAN 0
#endif
#if defined(__SANITIZE_THREAD__)
#define CM_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CM_TSAN 1
#endif
#endif
#ifndef CM_TSAN
#define CM_TSAN 0
#endif

/* The generic algorithms: always inlined, so that sizes become immediates and hash and equality are called directly.
 * Builds for debugging leave it to the compiler: a file with one whole instance took 18 s there, now half a second. */
#if defined(__OPTIMIZE__) && !CM_ASAN && !CM_TSAN
#define CM_INLINE static inline __attribute__((always_inline))
#else
#define CM_INLINE static inline __attribute__((unused))
#endif
/* A typed function: one copy per type and file, silent when unused. In a checked build (checked.h) it is called, so
 * that it knows from where. */
#ifndef CM_CHECKED
#define CM_CHECKED 0
#endif
#if CM_CHECKED
#define CM_TYPED static __attribute__((noinline, unused))
#else
#define CM_TYPED static inline __attribute__((unused))
#endif
#define CM_COLD __attribute__((cold, noinline))
#define CM_LIKELY(x) __builtin_expect(!!(x), 1)
#define CM_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* What two threads write apart stands this far apart: two lines, because processors fetch lines in pairs. */
#define CM_LINE 64
#define CM_APART 128

#define CM_FAR_BYTES_ ((size_t)16 << 20) /* a table from here on lies beyond all caches */

/* Fetches a line that is looked at some keys later. What is `far` is fetched into the second-level cache only: on its
 * way to the first one it would keep one of the few places that misses wait in, and so much less of it would be under
 * way (batches of look-ups took 1.5 to 2 times as long). Of what is nearer, the first one spares a wait. */
CM_INLINE void cm_fetch_(const void *address, bool far)
{
    if (far)
        __builtin_prefetch(address, 0, 2);
    else
        __builtin_prefetch(address);
}

/* Exempt from the thread sanitizer. Never inlined, because an inlined function takes the caller's instrumentation. */
#if defined(__clang__)
#define CM_NO_TSAN __attribute__((no_sanitize("thread"), noinline))
#else
#define CM_NO_TSAN __attribute__((no_sanitize_thread, noinline))
#endif

/* A thread-local variable of the library that headers read: initial-exec costs one load, even from a shared library. */
#define CM_THREAD_LOCAL __thread __attribute__((tls_model("initial-exec")))

/* Keeps the compiler, not the processor, from moving memory accesses across. */
#define CM_COMPILER_BARRIER() __asm__ volatile("" ::: "memory")

/* Tells the processor that this thread spins. */
CM_INLINE void cm_spin_hint_(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#else
    CM_COMPILER_BARRIER();
#endif
}

CM_INLINE size_t cm_align_up_(size_t size, size_t alignment)
{
    return (size + alignment - 1) & ~(alignment - 1);
}

CM_INLINE uint64_t cm_reverse_bits_(uint64_t x)
{
    x = __builtin_bswap64(x);
    x = ((x >> 4) & 0x0f0f0f0f0f0f0f0fULL) | ((x & 0x0f0f0f0f0f0f0f0fULL) << 4);
    x = ((x >> 2) & 0x3333333333333333ULL) | ((x & 0x3333333333333333ULL) << 2);
    return ((x >> 1) & 0x5555555555555555ULL) | ((x & 0x5555555555555555ULL) << 1);
}

#endif
