/* What the writer of a left-right map asks of readers' places: see detail/leftright.h. Internal. */
#ifndef CONCMAP_SEATS_H
#define CONCMAP_SEATS_H

#include <concmap/detail/leftright.h>

/* A function of the user, to be called outside of all locks; NULL: none. */
struct cm_call_ {
    void (*function)(void *context);
    void *context;
};

void cm_call_make_(struct cm_call_ call);

void cm_seats_lock_(struct cm_leftright_ *core);
void cm_seats_unlock_(struct cm_leftright_ *core);

/* Whether a reader may be on the stale side; *state is what its slot says. */
bool cm_seat_bars_(const struct cm_leftright_ *core, const struct cm_seat_ *slot, uint64_t *state);
/* Goes past the slots that are done with. The one that bars, or NULL. */
const struct cm_seat_ *cm_seats_pass_(const struct cm_leftright_ *core, struct cm_seats_walk_ *walk, uint64_t *state);
void cm_seats_walk_on_(struct cm_seats_walk_ *walk);
/* A walk over all that were made by now. */
struct cm_seats_walk_ cm_seats_walk_(const struct cm_leftright_ *core);

/* A barrier in every thread; where it does not serve, NO_BARRIER is set, and false returned. */
bool cm_seats_barrier_(struct cm_leftright_ *core);
/* Whether what the slot says counts, by the word; acquire: then what its reader said before it swore is seen. */
static inline bool cm_seat_is_trusted_(const struct cm_seat_ *slot, uint64_t word)
{
    return !(word & CM_NO_BARRIER_) || cm_load_acquire_(&slot->sworn);
}
/* Stands between the swap and the look at the slots. */
void cm_swap_barrier_(struct cm_leftright_ *core);

/* Frees replaced tables that no reader peeks at any more; the writer's. And all of them. */
void cm_outdated_free_(struct cm_leftright_ *core);
void cm_outdated_end_(struct cm_leftright_ *core);
static inline void cm_outdated_look_(struct cm_leftright_ *core)
{
    if (core->outdated_count)
        cm_outdated_free_(core);
}

/* After a swap that has set WAITING: the call to be made if nobody bars the stale side. */
struct cm_call_ cm_watch_begin_(struct cm_leftright_ *core);
void cm_watch_end_(struct cm_leftright_ *core);
/* Whether the watch has found that nobody bars the stale side since the last publication. */
bool cm_watch_found_free_(struct cm_leftright_ *core);

#endif
