/* A count of those who use an object, in the object: for what many own, and the last one destroys.
 *
 *     struct route { cm_counted count; ... };
 *
 *     cm_counted_init(&route->count);                // its maker's
 *     cm_counted_share(&route->count);               // one more
 *     if (cm_counted_release(&route->count)) {       // one less; the last one destroys what it has,
 *         route_close(route);
 *         if (cm_counted_weak_release(&route->count)) // and frees it, unless somebody weak is left to do so
 *             free(route);
 *     }
 *
 * Weak users keep the memory, but not what is in it: they may ask whether the object is still there, and become users
 * of it (cm_counted_try_share). All users together count as one weak one.
 *
 * Overflow. A count that passes 2^31 stays there for ever: the object is never destroyed, which is safe, where a count
 * that wraps would not be.
 *
 * Who shares has the object already, by a count of its own or in a domain that keeps it. Any thread may call anything;
 * all of it is wait-free but try_share, which is lock-free. */
#ifndef CONCMAP_COUNTED_H
#define CONCMAP_COUNTED_H

#include <concmap/detail/atomic.h>

CM_BEGIN_DECLS

typedef struct cm_counted {
    uint32_t users;
    uint32_t weak; /* and one more while there are users */
} cm_counted;

#define CM_COUNT_MOST_ (UINT32_C(1) << 31)
/* Where a count is that overflowed: so far from both ends that no number of threads gets it there. */
#define CM_COUNT_STUCK_ (UINT32_C(3) << 30)

/* One more; who adds has the object, so nothing is ordered. */
CM_INLINE void cm_count_up_(uint32_t *count)
{
    if (CM_UNLIKELY(cm_add_relaxed_(count, 1) >= CM_COUNT_MOST_))
        cm_store_relaxed_(count, CM_COUNT_STUCK_);
}

/* One less; true: none is left. */
CM_INLINE bool cm_count_down_(uint32_t *count)
{
    /* Release: what this user did comes before; acquire: for the last one, what all did. */
    uint32_t before = cm_sub_acq_rel_(count, 1);
    if (CM_UNLIKELY(before >= CM_COUNT_MOST_))
        cm_store_relaxed_(count, CM_COUNT_STUCK_);
    return before == 1;
}

/* Begins with one user, the caller. Before the object is shown to others. */
CM_INLINE void cm_counted_init(cm_counted *counted)
{
    counted->users = counted->weak = 1;
}

/* Counts one more user. */
CM_INLINE void cm_counted_share(cm_counted *counted)
{
    cm_count_up_(&counted->users);
}

/* Counts one user less. True: it was the last one, who now destroys what is in the object, and then calls
 * cm_counted_weak_release. */
CM_INLINE bool cm_counted_release(cm_counted *counted)
{
    return cm_count_down_(&counted->users);
}

/* Makes a weak user one more user, and leaves it a weak one. False: there are no users any more. */
CM_INLINE bool cm_counted_try_share(cm_counted *counted)
{
    uint32_t users = cm_load_relaxed_(&counted->users); /* relaxed: the compare-and-swap decides */
    while (users != 0 && users < CM_COUNT_MOST_)
        if (cm_swap_if_acquire_(&counted->users, &users, users + 1)) /* pairs with the release of who made it */
            return true;
    return users != 0;
}

/* Counts one more weak user. */
CM_INLINE void cm_counted_weak_share(cm_counted *counted)
{
    cm_count_up_(&counted->weak);
}

/* Counts one weak user less. True: nobody is left, and the caller frees the memory. */
CM_INLINE bool cm_counted_weak_release(cm_counted *counted)
{
    return cm_count_down_(&counted->weak);
}

/* How many users there are, or were a moment ago. */
CM_INLINE size_t cm_counted_users(const cm_counted *counted)
{
    return cm_load_relaxed_(&counted->users); /* relaxed: a figure */
}

CM_END_DECLS

#endif
