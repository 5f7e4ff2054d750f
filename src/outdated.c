/* Tables of left-right maps that were replaced while readers may peek at them: see detail/leftright_peeks.h. */
#include <concmap/detail/leftright_peeks.h>

#include "platform.h"
#include "seats.h"

#define LOOKS 1000 /* at one slot: a peek lasts some ten nanoseconds, but that its thread loses its processor */

CM_STATIC_ASSERT(sizeof(struct cm_outdated_) <= CM_FLAT_ENTRIES_LEAST_, "it lies where entries were");

static bool seat_peeks(const struct cm_leftright_ *core, const struct cm_seat_ *slot)
{
    /* Relaxed: the writer's own bit. Who has sworn (P3) peeks no more. */
    bool trusted = cm_seat_is_trusted_(slot, cm_load_relaxed_(&core->word));
    /* Acquire: what the reader looked at is read. */
    return !trusted || (cm_load_acquire_(&slot->state) & CM_PEEKING_);
}

/* Whether each slot was seen not to peek since the barrier, by so many looks at one at most. Goes on where it stopped.
 */
static bool readers_left(struct cm_leftright_ *core, unsigned looks)
{
    for (; core->left_by.left; cm_seats_walk_on_(&core->left_by))
        for (unsigned left = looks; seat_peeks(core, &core->left_by.block->slots[core->left_by.i]);) {
            if (--left == 0)
                return false;
            cm_spin_hint_();
        }
    return true;
}

static void list_free(struct cm_leftright_ *core, struct cm_outdated_ **list)
{
    for (struct cm_outdated_ *outdated; (outdated = *list) != NULL;) {
        *list = outdated->next;
        cm_store_relaxed_(&core->outdated_count, core->outdated_count - 1); /* relaxed: see cm_leftright_publish_() */
        core->outdated_bytes -= outdated->block.size;
        cm_block_release_(&core->sides[0].plain.allocator, &outdated->block);
    }
}

void cm_outdated_free_(struct cm_leftright_ *core)
{
    if (core->leaving && readers_left(core, 1)) /* it was looked at for long before */
        list_free(core, &core->leaving);
    if (core->leaving || !core->outdated)
        return;
    core->leaving = core->outdated;
    core->outdated = NULL;
    cm_seats_barrier_(core);
    core->left_by = cm_seats_walk_(core);
    if (readers_left(core, LOOKS))
        list_free(core, &core->leaving);
}

void cm_leftright_adopt_(struct cm_leftright_ *core, struct cm_plain_ *plain, const struct cm_flat_ *next)
{
    struct cm_flat_ old = cm_plain_exchange_(plain, next);
    if (!core->peeks || !old.slots || old.tags != core->was_seen) { /* no reader has seen it */
        cm_flat_free_(&old, &plain->allocator);
        return;
    }
    struct cm_outdated_ *outdated = (struct cm_outdated_ *)(void *)old.entries;
    *outdated = (struct cm_outdated_){core->outdated, old.block};
    core->outdated = outdated;
    cm_store_relaxed_(&core->outdated_count, core->outdated_count + 1); /* relaxed, as above */
    core->outdated_bytes += old.block.size;
    core->was_seen = NULL;
    cm_outdated_free_(core);
}

void cm_outdated_end_(struct cm_leftright_ *core)
{
    list_free(core, &core->leaving);
    list_free(core, &core->outdated);
}
