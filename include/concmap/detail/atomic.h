/* Atomic operations on plain fields, with the order in the name. The only file that names memory orders.
 *
 * The compiler's __atomic builtins are used instead of <stdatomic.h>, so that the headers are C11 and C++17 alike. The
 * macros take a pointer to any naturally aligned integer or pointer field. */
#ifndef CONCMAP_DETAIL_ATOMIC_H
#define CONCMAP_DETAIL_ATOMIC_H

#include <concmap/detail/platform.h>

#define cm_load_relaxed_(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define cm_load_acquire_(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define cm_load_full_(p) __atomic_load_n((p), __ATOMIC_SEQ_CST)
#define cm_store_relaxed_(p, x) __atomic_store_n((p), (x), __ATOMIC_RELAXED)
#define cm_store_release_(p, x) __atomic_store_n((p), (x), __ATOMIC_RELEASE)
#define cm_add_relaxed_(p, x) __atomic_fetch_add((p), (x), __ATOMIC_RELAXED)
#define cm_add_acq_rel_(p, x) __atomic_fetch_add((p), (x), __ATOMIC_ACQ_REL)
#define cm_sub_relaxed_(p, x) __atomic_fetch_sub((p), (x), __ATOMIC_RELAXED)
#define cm_sub_release_(p, x) __atomic_fetch_sub((p), (x), __ATOMIC_RELEASE)
#define cm_sub_acq_rel_(p, x) __atomic_fetch_sub((p), (x), __ATOMIC_ACQ_REL)
#define cm_and_relaxed_(p, x) __atomic_fetch_and((p), (x), __ATOMIC_RELAXED)
#define cm_or_relaxed_(p, x) __atomic_fetch_or((p), (x), __ATOMIC_RELAXED)
#define cm_exchange_acquire_(p, x) __atomic_exchange_n((p), (x), __ATOMIC_ACQUIRE)
#define cm_exchange_acq_rel_(p, x) __atomic_exchange_n((p), (x), __ATOMIC_ACQ_REL)

/* Compare-and-swap; on failure *expected takes the value found, read relaxed. */
#define cm_swap_if_relaxed_(p, expected, x)                                                                            \
    __atomic_compare_exchange_n((p), (expected), (x), false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)
#define cm_swap_if_acquire_(p, expected, x)                                                                            \
    __atomic_compare_exchange_n((p), (expected), (x), false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)
#define cm_swap_if_release_(p, expected, x)                                                                            \
    __atomic_compare_exchange_n((p), (expected), (x), false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)
#define cm_swap_if_acq_rel_(p, expected, x)                                                                            \
    __atomic_compare_exchange_n((p), (expected), (x), false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)
#define cm_swap_if_full_(p, expected, x)                                                                               \
    __atomic_compare_exchange_n((p), (expected), (x), false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)

/* Fences. The thread sanitizer knows no fences (it pairs the atomics beside them), and warns of them; its builds use
 * the machine's own instruction, so that the code under test is ordered as the released code is. */
#if CM_TSAN && defined(__x86_64__)
#define cm_fence_acquire_() CM_COMPILER_BARRIER()
#define cm_fence_release_() CM_COMPILER_BARRIER()
#elif CM_TSAN && defined(__aarch64__)
#define cm_fence_acquire_() __asm__ volatile("dmb ishld" ::: "memory")
#define cm_fence_release_() __asm__ volatile("dmb ish" ::: "memory")
#define cm_fence_full_() __asm__ volatile("dmb ish" ::: "memory")
#else
#define cm_fence_acquire_() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define cm_fence_release_() __atomic_thread_fence(__ATOMIC_RELEASE)
#endif
#if defined(__x86_64__)
/* Any locked instruction is one. clang, and gcc in functions that are cold, take mfence, which lasts eight times as
 * long. */
#define cm_fence_full_() __asm__ volatile("lock {orq $0, (%%rsp)|or qword ptr [rsp], 0}" ::: "memory", "cc")
#elif !CM_TSAN || !defined(__aarch64__)
#define cm_fence_full_() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#endif

#endif
