/* The swap cell: one hot object, read by many and replaced as a whole.
 *
 *     CM_SWAP(config_cell, struct config)
 *
 *     config_cell_pin pin;
 *     const struct config *c = config_cell_load(&cell, &pin);   // no shared counter is touched
 *     route(request, c);
 *     config_cell_unload(&pin);
 *     config_cell_store(&cell, reloaded);                       // never waits for those who look
 *
 * makes a type `config_cell` and its functions. Values do not change once they are in a cell, which may also be empty;
 * a cell is all of them at different times. Any thread may call any function at any time, but init and destroy, which
 * nobody may overlap.
 *
 * Ways to look. `load` pins the cell's domain (domain.h): for a few lines of code, any number at a time, in any order,
 * each undone on its own thread. `load_full` counts a reference, for as long as is wanted, on any thread. `cached` is
 * for a thread that looks again and again: one load while nothing has changed. Weak references keep a value's memory,
 * not the value.
 *
 * A value is destroyed when it is in the cell no more, nobody has it pinned, and the last reference was released: by
 * who releases that, or by the cell's domain (domain.h says on which thread, and when: after a store some 10 ms after
 * the last one, or with 64 others, by a report, or by cm_domain_barrier).
 *
 * Failure. Where memory is lacking a call returns CM_NOMEM, the cell is as before, and the value stays the caller's; on
 * any other outcome it is the cell's. */
#ifndef CONCMAP_SWAP_H
#define CONCMAP_SWAP_H

#include <concmap/detail/swap_cell.h>
#include <concmap/detail/typed.h>

/* Makes the type of a cell for plain data, with all its functions in this file. */
#define CM_SWAP(name, Type) CM_SWAP_OF_(cm_inline, name, Type, cm_plain_destroy_, 0)

/* The same for values that own something, which void destroy(Type *value, void *context) gives back; the context is
 * that of the cell's cm_swap_config. Called once for each value that was put in. */
#define CM_SWAP_OWNED(name, Type, destroy) CM_SWAP_OF_(cm_inline, name, Type, destroy, 1)

/* The same for a type that many files use: DECLARE in a header, and DEFINE in one C file that includes it. */
#define CM_SWAP_DECLARE(name, Type) CM_SWAP_OF_(cm_declare, name, Type, unused_, 0)
#define CM_SWAP_DEFINE(name, Type) CM_SWAP_OF_(cm_define, name, Type, cm_plain_destroy_, 0)
#define CM_SWAP_DEFINE_OWNED(name, Type, destroy) CM_SWAP_OF_(cm_define, name, Type, destroy, 1)

/* Runs the statement that follows with `value`, a const Type *, loaded; it is unloaded however the statement is left,
 * but by longjmp. If the cell is empty the statement after `else` runs. */
#define CM_WITH_LOAD(name, cell, value) CM_WITH_LOAD_(name, cell, value)
#define CM_WITH_LOAD_(name, cell, value)                                                                               \
    for (name##_pin value##_pin __attribute__((cleanup(name##_unload))), *value##_once_ = &value##_pin; value##_once_; \
         value##_once_ = NULL)                                                                                         \
        for (const name##_value_ *value = name##_load(cell, &value##_pin); value##_once_; value##_once_ = NULL)        \
            if (value)

/* For those who are to know one member of the values, by its path: functions name_load_AS(cell, pin) and
 * name_cached_AS(cell, cache) that return a const Member *, NULL where the cell is empty. */
#define CM_SWAP_MEMBER(name, as, Member, path)                                                                         \
    /* As name_load. */                                                                                                \
    CM_TYPED const Member *name##_load_##as(const name *cell, name##_pin *pin)                                         \
    {                                                                                                                  \
        const name##_value_ *value = name##_load(cell, pin);                                                           \
        return value ? &value->path : NULL;                                                                            \
    }                                                                                                                  \
    /* As name_cached. */                                                                                              \
    CM_TYPED const Member *name##_cached_##as(const name *cell, name##_cache *cache)                                   \
    {                                                                                                                  \
        const name##_value_ *value = name##_cached(cell, cache);                                                       \
        return value ? &value->path : NULL;                                                                            \
    }

#define CM_SWAP_OF_(how, name, Type, destroy, owned)                                                                   \
    CM_SHOWN_(                                                                                                         \
        how, typedef struct name { struct cm_swap_ core; } name; typedef Type name##_value_;                           \
        typedef cm_swap_pin name##_pin; typedef struct name##_cache { const void *value; } name##_cache;)              \
    CM_LOCAL_(how, void, name##_destroy_value_, (void *value, void *context),                                          \
              { destroy((name##_value_ *)value, context); })                                                           \
    CM_HIDDEN_(how, static const struct cm_swap_type_ name##_type_ = {                                                 \
                        sizeof(name##_value_), CM_ALIGNOF(name##_value_), (owned) ? name##_destroy_value_ : NULL};)    \
    CM_INNER_(how, name##_value_ *, name##_make_, (const name *cell, const name##_value_ *value), {                    \
        name##_value_ *made = (name##_value_ *)cm_swap_make_(&cell->core, &name##_type_);                              \
        if (made)                                                                                                      \
            memcpy((void *)made, (const void *)value, sizeof *made);                                                   \
        return made;                                                                                                   \
    })                                                                                                                 \
    CM_SWAP_LIFE_(how, name)                                                                                           \
    CM_SWAP_READS_(how, name)                                                                                          \
    CM_SWAP_REFERENCES_(how, name)                                                                                     \
    CM_SWAP_WRITES_(how, name)                                                                                         \
    CM_SWAP_UPDATE_(how, name)

#define CM_SWAP_LIFE_(how, name)                                                                                       \
    /* Makes an empty cell. `config`: NULL for the defaults. Allocates nothing. */                                     \
    CM_FUNCTION_(how, void, name##_init_empty, (name * cell, const cm_swap_config *config),                            \
                 { cm_swap_init_(&cell->core, config); })                                                              \
    /* Makes a cell with a value. CM_NOMEM: there is no cell. */                                                       \
    CM_FUNCTION_(how, cm_status, name##_init, (name * cell, name##_value_ value, const cm_swap_config *config), {      \
        cm_swap_init_(&cell->core, config);                                                                            \
        cell->core.value = name##_make_(cell, &value);                                                                 \
        if (cell->core.value)                                                                                          \
            return CM_OK;                                                                                              \
        cm_swap_destroy_(&cell->core);                                                                                 \
        return CM_NOMEM;                                                                                               \
    })                                                                                                                 \
    /* Ends a cell in which nothing is loaded any more. References stay what they are; what was replaced is destroyed  \
     * once the domain has given it back. */                                                                           \
    CM_FUNCTION_(how, void, name##_destroy, (name * cell), { cm_swap_destroy_(&cell->core); })

#define CM_SWAP_READS_(how, name)                                                                                      \
    /* What is in the cell, NULL: nothing. Stays what it is until the unload with this pin, on this thread; pins may   \
     * be undone in any order. Wait-free; allocates in a thread's first call only (without memory, what is replaced    \
     * from then on waits until the domain is destroyed). */                                                           \
    CM_FUNCTION_(how, const name##_value_ *, name##_load, (const name *cell, name##_pin *pin),                         \
                 { return (const name##_value_ *)cm_swap_load_(&cell->core, pin); })                                   \
    /* Ends a load. */                                                                                                 \
    CM_FUNCTION_(how, void, name##_unload, (name##_pin * pin), { cm_swap_unload_(pin); })                              \
    /* What is in the cell, as long as the thread that has the cache (all zero at first) does not ask again, or ends   \
     * it. One relaxed load while nothing has changed; otherwise as load_full, and what was there before is released.  \
     */                                                                                                                \
    CM_FUNCTION_(how, const name##_value_ *, name##_cached, (const name *cell, name##_cache *cache),                   \
                 { return (const name##_value_ *)cm_swap_cached_(&cell->core, &cache->value); })                       \
    /* Ends a cache; it may be used again. */                                                                          \
    CM_FUNCTION_(how, void, name##_cache_end, (name##_cache * cache), {                                                \
        cm_swap_release_(cache->value);                                                                                \
        cache->value = NULL;                                                                                           \
    })

#define CM_SWAP_REFERENCES_(how, name)                                                                                 \
    /* A reference to what is in the cell, to be released by any thread; NULL: the cell is empty. Lock-free; touches   \
     * the value's count. */                                                                                           \
    CM_FUNCTION_(how, const name##_value_ *, name##_load_full, (const name *cell),                                     \
                 { return (const name##_value_ *)cm_swap_load_full_(&cell->core); })                                   \
    /* One reference more to what the caller has loaded, or has a reference to; returns it. NULL does nothing. */      \
    CM_FUNCTION_(how, const name##_value_ *, name##_share, (const name##_value_ *value), {                             \
        if (value)                                                                                                     \
            cm_counted_share(&cm_swap_object_of_(value)->count);                                                       \
        return value;                                                                                                  \
    })                                                                                                                 \
    /* One less; the last one destroys a value that is in no cell, in this call. NULL does nothing. */                 \
    CM_FUNCTION_(how, void, name##_release, (const name##_value_ *value), { cm_swap_release_(value); })                \
    /* One weak reference more to what the caller has loaded, or has a reference to; not to be looked at. */           \
    CM_FUNCTION_(how, const name##_value_ *, name##_weak, (const name##_value_ *value), {                              \
        if (value)                                                                                                     \
            cm_counted_weak_share(&cm_swap_object_of_(value)->count);                                                  \
        return value;                                                                                                  \
    })                                                                                                                 \
    /* A reference from a weak one, which stays; NULL: the value was destroyed. */                                     \
    CM_FUNCTION_(how, const name##_value_ *, name##_upgrade, (const name##_value_ *weak),                              \
                 { return weak && cm_counted_try_share(&cm_swap_object_of_(weak)->count) ? weak : NULL; })             \
    /* One weak reference less. NULL does nothing. */                                                                  \
    CM_FUNCTION_(how, void, name##_weak_release, (const name##_value_ *weak), { cm_swap_weak_release_(weak); })

#define CM_SWAP_WRITES_(how, name)                                                                                     \
    /* Puts a value into the cell: CM_OK or CM_NOMEM. Never waits for those who look; takes the lock of the domain's   \
     * queue for some instructions, and may give back what others have replaced. */                                    \
    CM_FUNCTION_(how, cm_status, name##_store, (name * cell, name##_value_ value), {                                   \
        name##_value_ *made = name##_make_(cell, &value);                                                              \
        if (!made)                                                                                                     \
            return CM_NOMEM;                                                                                           \
        cm_swap_put_(&cell->core, made, NULL);                                                                         \
        return CM_OK;                                                                                                  \
    })                                                                                                                 \
    /* Empties the cell. */                                                                                            \
    CM_FUNCTION_(how, void, name##_clear, (name * cell), { cm_swap_put_(&cell->core, NULL, NULL); })                   \
    /* As store; *old becomes a reference to what was there (NULL: nothing), to be released. */                        \
    CM_FUNCTION_(how, cm_status, name##_swap, (name * cell, name##_value_ value, const name##_value_ **old), {         \
        name##_value_ *made = name##_make_(cell, &value);                                                              \
        const void *before = NULL;                                                                                     \
        if (!made)                                                                                                     \
            return CM_NOMEM;                                                                                           \
        cm_swap_put_(&cell->core, made, &before);                                                                      \
        *old = (const name##_value_ *)before;                                                                          \
        return CM_OK;                                                                                                  \
    })                                                                                                                 \
    /* Puts the value in if `expected` is there, the very object, which the caller has loaded or a reference to (NULL: \
     * if nothing is there): CM_REPLACED. CM_EXISTS: something else is, and the value was destroyed. Or CM_NOMEM. */   \
    CM_FUNCTION_(how, cm_status, name##_compare_and_swap,                                                              \
                 (name * cell, const name##_value_ *expected, name##_value_ value), {                                  \
                     name##_value_ *made = name##_make_(cell, &value);                                                 \
                     if (!made)                                                                                        \
                         return CM_NOMEM;                                                                              \
                     if (cm_swap_put_if_(&cell->core, expected, made))                                                 \
                         return CM_REPLACED;                                                                           \
                     cm_swap_release_(made);                                                                           \
                     return CM_EXISTS;                                                                                 \
                 })

#define CM_SWAP_UPDATE_(how, name)                                                                                     \
    /* Makes *next, all of it, from what is in the cell now (NULL: nothing), and puts it in unless somebody was        \
     * faster: then again from that, and what was made is destroyed. A status less than 0 gives up: nothing was made,  \
     * and nothing changes. Returns what `change` returned last, or CM_NOMEM. `change` runs outside all locks and      \
     * pins.                                                                                                           \
     */                                                                                                                \
    CM_FUNCTION_(how, cm_status, name##_update,                                                                        \
                 (name * cell, cm_status(*change)(const name##_value_ *now, name##_value_ *next, void *context),       \
                  void *context),                                                                                      \
                 {                                                                                                     \
                     cm_status status = CM_NOMEM;                                                                      \
                     name##_value_ *next = (name##_value_ *)cm_swap_make_(&cell->core, &name##_type_);                 \
                     for (bool done = !next; !done;) {                                                                 \
                         const name##_value_ *now = (const name##_value_ *)cm_swap_load_full_(&cell->core);            \
                         status = change(now, next, context);                                                          \
                         done = status < 0 || cm_swap_put_if_(&cell->core, now, next);                                 \
                         if (!done)                                                                                    \
                             cm_swap_discard_(next);                                                                   \
                         cm_swap_release_(now);                                                                        \
                     }                                                                                                 \
                     if (next && status < 0)                                                                           \
                         cm_swap_unmake_(next);                                                                        \
                     return status;                                                                                    \
                 })

#endif
