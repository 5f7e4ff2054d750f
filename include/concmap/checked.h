/* Checked builds: a program that is compiled, as a whole, with CM_CHECKED learns where its deadlocks come from, and
 * uses after unlocking are seen by memory checkers. The library itself is the same.
 *
 * Deadlocks. A call that returns CM_DEADLOCK tells the hook first: where it was made, and where the lock was taken that
 * it would have waited for. Scope macros give file and line; so does CM_AT(call) around any other call. Without it
 * there is the call's address, which debuggers and addr2line turn into a line.
 *
 * Values. A read guard's `value` points to a copy that is freed when the guard is unlocked: the address sanitizer and
 * valgrind see who uses it later. That is an allocation for each read guard, which may fail: CM_NOMEM. */
#ifndef CONCMAP_CHECKED_H
#define CONCMAP_CHECKED_H

#include <concmap/detail/platform.h>

CM_BEGIN_DECLS

/* Where a call was made; all of it is NULL and 0 where that is not known. */
typedef struct cm_call_site {
    const char *file;
    unsigned line;
    const void *code; /* the address behind the call */
} cm_call_site;

typedef struct cm_deadlock {
    cm_call_site wanted; /* the call that returns CM_DEADLOCK */
    cm_call_site held;   /* the one that took the lock which it would have waited for */
    unsigned threads;    /* in the circle; 1: the calling thread has that lock itself */
} cm_deadlock;

typedef void (*cm_deadlock_hook)(const cm_deadlock *deadlock, void *context);

/* Sets what is called, by the thread in question and just before its call returns, for each CM_DEADLOCK of the process;
 * NULL: nothing. It may not use maps. */
CM_API void cm_set_deadlock_hook(cm_deadlock_hook hook, void *context);

/* The call, and in a checked build a note of where it is made. */
#if CM_CHECKED
#define CM_AT(call) (cm_call_at_(__FILE__, __LINE__), (call))
#define CM_CALLED_() cm_called_(__builtin_return_address(0))
#else
#define CM_AT(call) (call)
#define CM_CALLED_() ((void)0)
#endif

/* Notes where the calling thread's next call is made. */
CM_API void cm_call_at_(const char *file, unsigned line);
/* A call begins. */
CM_API void cm_called_(const void *code);

/* A copy of a value, to be lent to the user; NULL: no memory. */
CM_API const char *cm_value_lend_(const char *value, size_t size, size_t alignment);
CM_API void cm_value_return_(const void *lent);

CM_END_DECLS

#endif
