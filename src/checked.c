/* What checked builds tell. */
#include <concmap/checked.h>

#include <concmap/detail/hold.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "checked.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the two below; a leaf */
static cm_deadlock_hook hook;
static void *hook_context;

void cm_set_deadlock_hook(cm_deadlock_hook function, void *context)
{
    pthread_mutex_lock(&lock);
    hook = function;
    hook_context = context;
    pthread_mutex_unlock(&lock);
}

void cm_deadlock_tell_(const cm_deadlock *deadlock)
{
    pthread_mutex_lock(&lock);
    cm_deadlock_hook function = hook;
    void *context = hook_context;
    pthread_mutex_unlock(&lock);
    if (function)
        function(deadlock, context);
}

void cm_checked_forget_(void)
{
    lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
}

/* The stranger's record is nobody's own. */
static struct cm_thread_ *thread_get(void)
{
    struct cm_thread_ *thread = cm_thread_get_();
    return thread->index == CM_STRANGER_ ? NULL : thread;
}

void cm_call_at_(const char *file, unsigned line)
{
    struct cm_thread_ *thread = thread_get();
    if (!thread)
        return;
    thread->at.file = file;
    thread->at.line = line;
    thread->at_marked = true;
}

void cm_called_(const void *code)
{
    struct cm_thread_ *thread = thread_get();
    if (!thread)
        return;
    if (!thread->at_marked) {
        thread->at.file = NULL;
        thread->at.line = 0;
    }
    thread->at_marked = false;
    thread->at.code = code;
}

const char *cm_value_lend_(const char *value, size_t size, size_t alignment)
{
    void *lent;
    if (posix_memalign(&lent, alignment < sizeof(void *) ? sizeof(void *) : alignment, size ? size : 1) != 0)
        return NULL;
    memcpy(lent, value, size);
    return lent;
}

void cm_value_return_(const void *lent)
{
    free((void *)(uintptr_t)lent);
}
