/* Reclamation domains: who may still look at memory that was unlinked, and giving it back when nobody can.
 *
 *     static struct route *current;
 *
 *     cm_domain_pin(domain);                       // a reader
 *     use(cm_load(&current));
 *     cm_domain_unpin(domain);
 *
 *     struct route *old = exchange(&current, made); // a writer
 *     cm_domain_retire(domain, old, sizeof *old, route_free, NULL);
 *
 * Readers. What a thread finds while it is protected stays until it is not any more. There are three ways: a pin, for a
 * few lines of code; being online, for threads with a loop: such a thread has joined, keeps whatever it has found, and
 * reports once a turn that it has nothing left (cm_domain_quiescent); and a pin object, for what passes from thread to
 * thread: a request, a connection, a coroutine. All of them cost plain stores but the pin object, which takes a lock.
 * None ever waits for a writer, and no writer for them: what is protected too long holds memory back, nothing else, and
 * cm_domain_stats tells who does it.
 *
 * Who runs the functions of what was retired: the threads that retire, report, leave their outermost pin after they
 * retired something inside it, or call a barrier; whoever destroys the domain runs the rest. One thread at a time, in
 * the order of retirement, outside all locks, guards and pins, and with cancellation disabled. Such a function may use
 * everything, and retire more, which comes later, from the queue. It must not be waited for by who called it.
 *
 * A thread that ends is taken out of its pins and parted from all domains; what it had retired is given back by others.
 * A pin object stays open. A thread that stalls inside a pin, or that is online and never reports, holds back what is
 * retired from then on, and stops nobody.
 *
 * A forked child has only the forking thread, as it was: pinned, or online. The others are outside. What had been
 * retired waits in both processes, and its functions run in both; one that was running when another thread forked is
 * not run in the child. */
#ifndef CONCMAP_DOMAIN_H
#define CONCMAP_DOMAIN_H

#include <concmap/deadline.h>
#include <concmap/detail/domain.h>
#include <concmap/status.h>

CM_BEGIN_DECLS

/* One domain may serve many maps, and structures of the user's own. Its memory is the user's; it must not move. Where
 * it lies at a multiple of 128 bytes its neighbours do not slow readers down. */
typedef struct cm_domain cm_domain;

CM_API cm_status cm_domain_init_(cm_domain *domain, const cm_allocator *allocator, size_t domain_size);

/* Makes a domain. `allocator` (NULL: malloc) serves for slots of threads and for retirements, and is copied.
 * CM_INVALID: the library is of another version than this header. Allocates nothing. */
CM_INLINE cm_status cm_domain_init(cm_domain *domain, const cm_allocator *allocator)
{
    return cm_domain_init_(domain, allocator, sizeof *domain);
}

/* Gives back everything that waits, at once, and ends the domain. Nobody may use it, or what it protects, any more: who
 * is online is parted. CM_BUSY, and it is as before: a thread is inside a pin, a pin object is open, or a map uses it.
 * CM_DEADLOCK: from a function that gives back in this domain. CM_INVALID: it is the process's own. */
CM_API cm_status cm_domain_destroy(cm_domain *domain);

/* The process's own domain, that of all maps that were given none. Never NULL; lives for ever. */
CM_API cm_domain *cm_domain_default(void);

/* ---- readers ---- */

/* Takes the calling thread online: from now on, what it finds stays until it reports. CM_EXISTS: it is already.
 * CM_NOMEM: there is no memory for its slot. Allocates in a thread's first call only; so with the others below. */
CM_API cm_status cm_domain_join(cm_domain *domain);

/* Ends that. What the thread has found it must not use any more, but for what a pin around this call protects. Of a
 * thread that is not online: nothing. Wait-free. */
CM_API void cm_domain_part(cm_domain *domain);

/* Reports that the calling thread has nothing left of what it found in the domain; it stays online. Gives back some of
 * what waits, if something does. CM_BUSY, and nothing is reported: it is inside a pin, or in a function that a map of
 * the domain calls under a lock, or to make a value. CM_OK also if it is not online. Costs two loads and a store, and
 * where something waits a membarrier now and then. Never waits for other threads. */
CM_API cm_status cm_domain_quiescent(cm_domain *domain);

/* Gives back what is due after pins were left: of cm_domain_unpin. */
CM_API CM_COLD void cm_domain_settle_(cm_domain *domain);

/* A pin of the user in a slot of the calling thread. */
CM_INLINE void cm_slot_pin_(cm_domain *domain, struct cm_slot_ *slot)
{
    /* Relaxed, here and below: the thread's own. */
    cm_store_relaxed_(&slot->depth, cm_load_relaxed_(&slot->depth) + 1);
    if (cm_load_relaxed_(&slot->held) == 0)
        cm_slot_enter_(domain, slot, &slot->held);
}

/* The end of one. */
CM_INLINE void cm_slot_unpin_(cm_domain *domain, struct cm_slot_ *slot)
{
    uint32_t depth = cm_load_relaxed_(&slot->depth) - 1;
    cm_store_relaxed_(&slot->depth, depth);
    if (depth > 0)
        return;
    CM_COMPILER_BARRIER();
    if (!cm_load_relaxed_(&slot->online))
        cm_store_release_(&slot->held, 0); /* as in cm_pin_leave_() */
    if (CM_UNLIKELY(cm_load_relaxed_(&slot->owes)))
        cm_domain_settle_(domain);
}

/* Protects what the calling thread finds, until the unpin that belongs to it; pins nest. CM_NOMEM: there is no memory
 * for the thread's slot (its first call only), and it is not pinned. Wait-free: plain stores to a line of its own. */
CM_INLINE cm_status cm_domain_pin(cm_domain *domain)
{
    struct cm_thread_ *thread = cm_thread_get_();
    struct cm_slot_ *slot = cm_slot_near_(domain, thread);
    if (CM_UNLIKELY(!slot) && !(slot = cm_slot_make_(domain, thread)))
        return CM_NOMEM;
    cm_slot_pin_(domain, slot);
    return CM_OK;
}

/* Undoes a pin, on the thread that made it. The outermost one ends the protection, unless the thread is online. May
 * then give back what the thread retired inside. Without a pin: nothing. */
CM_INLINE void cm_domain_unpin(cm_domain *domain)
{
    struct cm_thread_ *thread = cm_thread_get_();
    struct cm_slot_ *slot = cm_slot_near_(domain, thread);
    if (CM_UNLIKELY(!slot) && !(slot = cm_slot_make_(domain, thread)))
        return;
    if (CM_LIKELY(cm_load_relaxed_(&slot->depth) != 0))
        cm_slot_unpin_(domain, slot);
}

/* A pin that belongs to no thread. Its memory is the user's, and must not move while it is open. */
typedef struct cm_pin {
    struct cm_domain *domain; /* NULL: it is not open */
    struct cm_pin *older, *newer;
    uint64_t epoch;
} cm_pin;

/* Opens a pin object: what any thread finds between open and close stays until close, provided that the two calls
 * happen before and after it. Any number may be open. Never fails; takes a lock for some instructions. */
CM_API void cm_pin_open(cm_domain *domain, cm_pin *pin);

/* Closes it, from whatever thread; one that is all zero, or closed, is left alone. */
CM_API void cm_pin_close(cm_pin *pin);

/* ---- writers ---- */

/* What waits to be given back, in memory of the user's own; see cm_domain_retire_by. Its fields are the domain's. */
typedef struct cm_retired {
    struct cm_retired *next;
    uint64_t tag;
    void *object;
    size_t bytes;
    void (*destroy)(void *object, void *context);
    void *context;
    bool owned; /* it is the domain's own memory */
} cm_retired;

/* Has `destroy(object, context)` called when nobody can look at the object any more, which the caller has unlinked: who
 * becomes protected from now on cannot find it. `bytes` is what the figures count. CM_NOMEM: it was not retired. Takes
 * a lock for some instructions; each 64th call gives back what can be, if the thread is outside all pins and guards. */
CM_API cm_status cm_domain_retire(cm_domain *domain, void *object, size_t bytes,
                                  void (*destroy)(void *object, void *context), void *context);

/* The same, without allocating: it never fails. `link` is the domain's until `destroy` is called; it may lie in the
 * object. */
CM_API void cm_domain_retire_by(cm_domain *domain, cm_retired *link, void *object, size_t bytes,
                                void (*destroy)(void *object, void *context), void *context);

/* Waits until everything that had been retired (by cm_domain_retire and retire_by, whoever called them) is given back,
 * and gives back itself. CM_DEADLOCK: it would wait for the calling thread, which is inside a pin or has a guard of
 * a map, is online and has not reported since (one report may be too few, where others held the domain up when it was
 * made), or gives back just now. A pin object that stays open is waited for, whoever opened it. What maps have removed
 * is theirs: see their settle. */
CM_API cm_status cm_domain_barrier(cm_domain *domain);
/* The same; CM_BUSY instead of waiting. */
CM_API cm_status cm_domain_try_barrier(cm_domain *domain);
/* The same; CM_TIMEOUT past the deadline. */
CM_API cm_status cm_domain_barrier_until(cm_domain *domain, cm_deadline deadline);

/* Has `warn(context)` called, by the thread that retires, outside all locks of the library but perhaps inside its pins,
 * whenever more waits than so many objects, or bytes (0: any number); then not again before half of each has been given
 * back. NULL: no function. */
CM_API void cm_domain_high_water(cm_domain *domain, size_t objects, size_t bytes, void (*warn)(void *context),
                                 void *context);

/* Who holds memory back. */
typedef enum cm_holder {
    CM_HOLDER_NONE,
    CM_HOLDER_THREAD,  /* inside a pin, or online and not reporting */
    CM_HOLDER_PIN,     /* a pin object */
    CM_HOLDER_STRANGER /* a thread for which there was no memory: for ever */
} cm_holder;

typedef struct cm_domain_figures {
    size_t objects, bytes; /* that wait */
    uint64_t given_back;   /* objects, ever */
    size_t open_pins;
    size_t online; /* threads */
    /* Who holds back what waits, one of them if there are several: */
    cm_holder holder;
    uint32_t index;   /* of a thread: among the living ones of the library */
    pthread_t thread; /* the same */
    uint64_t since;   /* it has been in the way since then, by CLOCK_MONOTONIC in nanoseconds */
} cm_domain_figures;

/* What waits, and for whom. Exact for what the calling thread did itself. */
CM_API void cm_domain_stats(cm_domain *domain, cm_domain_figures *figures);

CM_END_DECLS

#endif
