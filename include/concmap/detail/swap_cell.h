/* The generic swap cell: what the typed functions of swap.h are made of.
 *
 * Shape. The cell has one pointer, to the value of an object: {header, value}. The header counts who has the object:
 * the cell does, as one user, and each reference that was given out.
 *
 * Readers pin the domain, load the pointer, and look; or count themselves while they are pinned. Writers exchange the
 * pointer, and retire what they took out: the cell's own count goes down when no reader can be about to count itself.
 *
 * Why it holds. (W1) Each object is put into one cell once: a pointer that comes back is of an object that nobody has,
 * so who has one, pinned or counted, may compare pointers. (W2) What a pinned reader has loaded is counted by the cell
 * until the pin ends (I2 in domain.h): its count never goes up from 0. (W3) Values do not change once they are in a
 * cell. Tests: test_swap.c. */
#ifndef CONCMAP_DETAIL_SWAP_CELL_H
#define CONCMAP_DETAIL_SWAP_CELL_H

#include <concmap/allocator.h>
#include <concmap/counted.h>
#include <concmap/detail/memory.h>
#include <concmap/domain.h>

CM_BEGIN_DECLS

/* What can be chosen when a cell is made; all zero is the default. */
typedef struct cm_swap_config {
    cm_domain *domain;             /* where readers are pinned, and old values wait; NULL: the process's own */
    const cm_allocator *allocator; /* NULL: malloc. Copied; its context must outlive all values of the cell */
    void *context;                 /* of the function that destroys values; as that */
} cm_swap_config;

/* A load that is to be undone. */
typedef struct cm_swap_pin {
    cm_domain *domain;
    struct cm_slot_ *slot;
} cm_swap_pin;

/* What the generic functions know of a value's type. */
struct cm_swap_type_ {
    size_t size;
    size_t alignment;
    void (*destroy)(void *value, void *context); /* NULL: plain data */
};

/* Before each value. */
struct cm_swap_object_ {
    cm_counted count;
    const struct cm_swap_type_ *type;
    cm_allocator allocator;
    void *context;
    struct cm_block_ block; /* its memory */
    cm_retired link;
};

struct cm_swap_ {
    void *value; /* what is in it now; NULL: nothing */
    cm_domain *domain;
    cm_allocator allocator;
    void *context;
};

CM_API void cm_swap_init_(struct cm_swap_ *cell, const cm_swap_config *config);
/* Makes an object, with one user and an unset value; NULL: no memory. */
CM_API void *cm_swap_make_(const struct cm_swap_ *cell, const struct cm_swap_type_ *type);
/* Frees one whose value was never set, or was destroyed. */
CM_API void cm_swap_unmake_(void *value);
/* Destroys the value of one that was never in a cell; another may be set. */
CM_API void cm_swap_discard_(void *value);
/* Puts a value, or nothing, into the cell, and retires what was there; *old, if given, becomes a reference to that. */
CM_API void cm_swap_put_(struct cm_swap_ *cell, void *value, const void **old);
/* The same if `expected` is in it; false: it is not. */
CM_API bool cm_swap_put_if_(struct cm_swap_ *cell, const void *expected, void *value);
/* A reference to what is in it, NULL: nothing. */
CM_API const void *cm_swap_load_full_(const struct cm_swap_ *cell);
/* One user less, the last one destroys the value. NULL does nothing. */
CM_API void cm_swap_release_(const void *value);
/* The memory of a reference that is weak. */
CM_API void cm_swap_weak_release_(const void *value);
/* Lets a cache follow the cell. */
CM_API CM_COLD const void *cm_swap_follow_(const struct cm_swap_ *cell, const void **cached);
/* Ends a cell that nobody uses. */
CM_API void cm_swap_destroy_(struct cm_swap_ *cell);

CM_INLINE struct cm_swap_object_ *cm_swap_object_of_(const void *value)
{
    return (struct cm_swap_object_ *)((uintptr_t)value - sizeof(struct cm_swap_object_));
}

CM_INLINE const void *cm_swap_load_(const struct cm_swap_ *cell, cm_swap_pin *pin)
{
    struct cm_thread_ *thread = cm_thread_get_();
    struct cm_slot_ *slot = cm_slot_near_(cell->domain, thread);
    if (CM_UNLIKELY(!slot))
        slot = cm_slot_make_or_share_(cell->domain, thread);
    pin->domain = cell->domain;
    pin->slot = slot;
    if (CM_LIKELY(slot != &cell->domain->stranger)) /* it is pinned for ever, and of many threads */
        cm_slot_pin_(cell->domain, slot);
    return cm_load_acquire_(&cell->value); /* pairs with the exchange of cm_swap_put_() */
}

CM_INLINE void cm_swap_unload_(const cm_swap_pin *pin)
{
    if (CM_LIKELY(pin->slot != &pin->domain->stranger))
        cm_slot_unpin_(pin->domain, pin->slot);
}

CM_INLINE const void *cm_swap_cached_(const struct cm_swap_ *cell, const void **cached)
{
    /* Relaxed: what is the same was acquired before; the cache counts it, so that no other can be at its place. */
    const void *value = cm_load_relaxed_(&cell->value);
    return CM_LIKELY(value == *cached) ? value : cm_swap_follow_(cell, cached);
}

CM_END_DECLS

#endif
