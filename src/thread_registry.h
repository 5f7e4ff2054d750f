/* The list of thread records, for those who look at all of them. Internal. */
#ifndef CONCMAP_THREAD_REGISTRY_H
#define CONCMAP_THREAD_REGISTRY_H

#include <concmap/detail/thread.h>

/* How often the calling thread has given back its record: 0, or more in the destructors of its data. */
extern CM_THREAD_LOCAL uint32_t cm_thread_life_;

/* The newest of all records ever made; the others follow by `next`. */
struct cm_thread_ *cm_thread_records_(void);
/* Calls `visit` for each record that no thread has, as its owner: a thread that begins meanwhile gets another. Nothing
 * is locked during the call. */
void cm_thread_visit_free_(void (*visit)(uint32_t index, void *context), void *context);
/* Lets other threads have these records, a list by next_free. */
void cm_thread_release_(struct cm_thread_ *records);

/* Gives back the uses that calls had which their thread ends within, which may run code of the user; and before them
 * all locks but those of entries that are half done. The thread is still itself. */
void cm_uses_end_(struct cm_thread_ *thread);
/* Gives back what a thread held that has ended. True: its record must be kept, on the list of the dead. */
bool cm_holds_end_(struct cm_thread_ *thread);
/* In a forked child: forgets what a thread of the parent held. False: it had ended before, and its record stays on the
 * list of the dead. */
bool cm_holds_forget_(struct cm_thread_ *thread);
/* Around a fork: the list of the dead is whole. */
void cm_waits_lock_(void);
void cm_waits_unlock_(void);

/* Whether a thread without a record has ever been inside a pin (of this process). */
bool cm_thread_stranger_pinned_(void);
/* Probes membarrier and sets the mode of the domain. Called before the first record is handed out, and in a forked
 * child. */
void cm_domain_start_(void);
/* A thread has ended: it is in no domain any more. */
void cm_domains_part_(struct cm_thread_ *thread);
/* Around a fork: the domains are whole. */
void cm_domains_lock_(void);
void cm_domains_unlock_(void);
/* In a forked child: only this thread is in them; NULL: perhaps the stranger is. */
void cm_domains_forget_(const struct cm_thread_ *self);
/* Makes readers fence for themselves from now on, as if membarrier had failed. For tests. */
void cm_domain_force_fences_(void);
/* Of a record that has come into use: its thread fences from the first pin on, if that is the mode. */
void cm_domain_begin_(struct cm_thread_ *record);

#endif
