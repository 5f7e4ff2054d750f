/* Readers of left-right maps: their places, the barriers that their entering needs, and who is called when they have
 * left. See detail/leftright.h for the proof. */
#include "seats.h"

#include <concmap/detail/racing.h>

#include "parking.h"
#include "platform.h"

/* Publications come thick where some of them take less than THICK_NS each, and not any more where PACE of them take
 * more than CALM_NS. The former is found out soon, for until then each costs a membarrier. A membarrier costs the
 * writer 10 us where readers run, and a reader on the other processor half of its speed while they follow each other; a
 * fence costs a reader 3 ns, and that its look-ups do not overlap. */
#define PACE 32
#define PACE_UNFENCED 4
#define THICK_NS 50000
#define CALM_NS 200000
#define FENCES_LOOKED_AT 16384 /* of a reader, some 100 us: publications have ceased if it saw none meanwhile */

/* ---- slots ---- */

void cm_seats_lock_(struct cm_leftright_ *core)
{
    cm_cell_lock_(&core->slots_lock, &core->slots_waiters);
}

void cm_seats_unlock_(struct cm_leftright_ *core)
{
    cm_cell_unlock_(&core->slots_lock, cm_load_relaxed_(&core->slots_lock), &core->slots_waiters);
}

/* Under the lock of slots. NULL: all are taken. */
static struct cm_seat_ *slot_take(struct cm_leftright_ *core)
{
    struct cm_seat_ *slot = core->free_slots;
    if (slot) {
        core->free_slots = slot->next_free;
        core->readers++;
        return slot;
    }
    if (!core->last_block || (core->slots_made % CM_SEATS_ == 0 && !core->last_block->fresh))
        return NULL;
    slot = &core->last_block->slots[core->slots_made % CM_SEATS_];
    core->last_block->fresh = false;
    core->readers++;
    /* Release: whoever walks this far finds the block. Pairs with cm_seats_walk_(). */
    cm_store_release_(&core->slots_made, core->slots_made + 1);
    return slot;
}

/* Under the lock of slots, of which the last one is taken. */
static void block_append(struct cm_leftright_ *core, struct cm_seat_block_ *block)
{
    block->fresh = true;
    if (core->last_block)
        cm_store_relaxed_(&core->last_block->next, block); /* relaxed: published by slots_made */
    else
        cm_store_relaxed_(&core->blocks, block);
    core->last_block = block;
}

static struct cm_seat_block_ *block_make(struct cm_leftright_ *core)
{
    struct cm_block_ block;
    if (!cm_block_allocate_(&core->sides[0].plain.allocator, sizeof(struct cm_seat_block_), CM_APART, true, &block))
        return NULL;
    struct cm_seat_block_ *made = block.address;
    made->block = block;
    return made;
}

/* A slot, made if there is none. NULL: no memory. The allocator is called without the lock. */
static struct cm_seat_ *slot_get(struct cm_leftright_ *core)
{
    struct cm_seat_block_ *made = NULL;
    for (;;) {
        cm_seats_lock_(core);
        struct cm_seat_ *slot = slot_take(core);
        if (!slot && made) {
            block_append(core, made);
            made = NULL;
            slot = slot_take(core);
        }
        cm_seats_unlock_(core);
        if (made)
            cm_block_release_(&core->sides[0].plain.allocator, &made->block);
        if (slot)
            return slot;
        made = block_make(core);
        if (!made)
            return NULL;
    }
}

/* What the reader expects from now on. */
static void reader_expect(struct cm_reader_ *reader, uint64_t word)
{
    reader->word = word & ~CM_MODES_;
    reader->inside = cm_inside_(0, word);
    reader->view = &reader->core->sides[word & CM_ACTIVE_];
}

cm_status cm_reader_open_(struct cm_leftright_ *core, struct cm_reader_ *reader)
{
    struct cm_seat_ *slot = slot_get(core);
    if (!slot)
        return CM_NOMEM;
    /* Either this reader sees NO_BARRIER, or who has just set it sees that the slot has not sworn. */
    cm_store_relaxed_(&slot->sworn, 0);
    cm_fence_full_();
    if (cm_load_relaxed_(&core->word) & CM_NO_BARRIER_)
        cm_store_relaxed_(&slot->sworn, 1);
    *reader = (struct cm_reader_){
        .core = core, .slot = slot, .peeked = UINT64_MAX /* no word */, .seed = core->sides[0].plain.seed};
    reader_expect(reader, cm_load_relaxed_(&core->word)); /* relaxed: as good a guess as any */
    return CM_OK;
}

struct cm_seats_walk_ cm_seats_walk_(const struct cm_leftright_ *core)
{
    size_t left = cm_load_full_(&core->slots_made); /* full: as a look at a slot */
    return (struct cm_seats_walk_){cm_load_relaxed_(&core->blocks), 0, left};
}

void cm_seats_walk_on_(struct cm_seats_walk_ *walk)
{
    walk->left--;
    if (++walk->i == CM_SEATS_) {
        walk->i = 0;
        walk->block = cm_load_relaxed_(&walk->block->next);
    }
}

/* Whether a reader may be on the stale side; *state is what its slot says. */
bool cm_seat_bars_(const struct cm_leftright_ *core, const struct cm_seat_ *slot, uint64_t *state)
{
    uint64_t word = cm_load_relaxed_(&core->word);  /* relaxed: neither bit changes while anybody looks */
    bool trusted = cm_seat_is_trusted_(slot, word); /* looked at first */
    /* Acquire: what the reader looked at is read. Pairs with its leaving, or entering the other side. Full: ordered
     * behind the swap, see cm_swap_barrier_(). */
    *state = cm_load_full_(&slot->state);
    if (!trusted)
        *state |= CM_INSIDE_UNKNOWN_;
    if (*state & CM_INSIDE_UNKNOWN_)
        return true;
    return (*state & CM_INSIDE_) && !(*state & CM_INSIDE_SIDE_) != !(word & CM_ACTIVE_);
}

/* Goes past the slots that are done with. The one that bars, or NULL. */
const struct cm_seat_ *cm_seats_pass_(const struct cm_leftright_ *core, struct cm_seats_walk_ *walk, uint64_t *state)
{
    for (; walk->left; cm_seats_walk_on_(walk))
        if (cm_seat_bars_(core, &walk->block->slots[walk->i], state))
            return &walk->block->slots[walk->i];
    return NULL;
}

/* ---- barriers ---- */

/* Chooses who runs the barriers, by how thick publications come. */
static void mode_choose(struct cm_leftright_ *core)
{
    uint64_t word = cm_load_relaxed_(&core->word), pace = word & CM_FENCING_ ? PACE : PACE_UNFENCED;
    if (++core->paced < pace || (word & CM_NO_BARRIER_))
        return;
    cm_deadline now = cm_deadline_after(0);
    uint64_t took = now - core->paced_at;
    core->paced = 0;
    core->paced_at = now;
    if (!(word & CM_FENCING_) && took < pace * THICK_NS) {
        core->fenced = false; /* until the barrier that follows */
        cm_or_relaxed_(&core->word, CM_FENCING_);
    } else if ((word & CM_FENCING_) && took > pace * CALM_NS) {
        cm_and_relaxed_(&core->word, ~CM_FENCING_);
    }
}

bool cm_seats_barrier_(struct cm_leftright_ *core)
{
    if (cm_platform_barrier_())
        return true;
    cm_or_relaxed_(&core->word, CM_FENCING_ | CM_NO_BARRIER_);
    cm_fence_full_();
    return false;
}

/* Stands between the swap and the look at the slots, and between the swap and changes of the stale side.
 *
 * Where readers fence, the swap and the look at the slots are ordered by being full, both: in the one order of all that
 * is full, a reader's fence stands either before the swap, and the look sees its "inside", or behind it, and the reader
 * loads the new word. */
void cm_swap_barrier_(struct cm_leftright_ *core)
{
    mode_choose(core);
    /* Where there is a watch, what readers store when they leave has to be seen as well, which they do not fence. */
    bool swap_serves = core->fenced && core->swap_fenced && !core->free_function;
    if (cm_load_relaxed_(&core->word) & CM_NO_BARRIER_)
        cm_fence_full_(); /* also for what readers have sworn */
    else if (swap_serves)
        cm_fence_release_(); /* (P1): pairs with cm_reader_peek_() */
    else if (cm_seats_barrier_(core))
        core->fenced = (cm_load_relaxed_(&core->word) & CM_FENCING_) != 0;
    core->seen_swap = true;
    core->passed = cm_seats_walk_(core);
}

/* Whoever fences for nothing takes the mode back. */
static void reader_fenced(struct cm_leftright_ *core, struct cm_seat_ *slot, uint64_t word)
{
    if (++slot->fences % FENCES_LOOKED_AT != 0)
        return;
    uint64_t publications = word / CM_PUBLICATION_;
    /* Relaxed, as the change of the word: see Modes. */
    if (publications == slot->publications && (word & (CM_FENCING_ | CM_NO_BARRIER_)) == CM_FENCING_)
        cm_swap_if_relaxed_(&core->word, &word, word & ~CM_FENCING_);
    slot->publications = publications;
}

/* Of a reader that has said "inside", and found this word: the word that counts. */
static inline uint64_t reader_fence(struct cm_leftright_ *core, struct cm_seat_ *slot, uint64_t word)
{
    if (!(word & CM_FENCING_))
        return word;
    if (word & CM_NO_BARRIER_)
        cm_store_release_(&slot->sworn, 1); /* pairs with cm_seat_bars_() */
    cm_fence_full_(); /* between "inside" and the word: pairs with the swap, or the writer's fence */
    word = cm_load_acquire_(&core->word); /* as in cm_reader_go_in_() */
    reader_fenced(core, slot, word);
    return word;
}

const struct cm_side_ *cm_reader_enter_slow_(struct cm_reader_ *reader, uint64_t self, uint64_t word)
{
    struct cm_leftright_ *core = reader->core;
    struct cm_seat_ *slot = reader->slot;
    const bool swears = (word & CM_NO_BARRIER_) && !cm_load_relaxed_(&slot->sworn); /* relaxed: its own */
    word = reader_fence(core, slot, word);
    if (((word ^ reader->word) & (CM_ACTIVE_ | CM_ENDED_)) == 0) {
        reader->word = word & ~CM_MODES_;
        if (swears) /* so the slot bars no more */
            cm_seat_tell_(core, slot);
        return reader->view;
    }
    cm_store_release_(&slot->state, self | CM_INSIDE_UNKNOWN_); /* as in cm_reader_go_in_(), all of this */
    CM_COMPILER_BARRIER();
    word = reader_fence(core, slot, cm_load_acquire_(&core->word));
    const bool ended = (word & CM_ENDED_) != 0;
    cm_store_release_(&slot->state, ended ? 0 : cm_inside_(self, word));
    reader_expect(reader, word);
    cm_seat_tell_(core, slot);
    return ended ? NULL : reader->view;
}

bool cm_reader_look_anew_(struct cm_reader_ *reader)
{
    struct cm_leftright_ *core = reader->core;
    uint64_t word = cm_load_acquire_(&core->word); /* as in cm_reader_peek_() */
    if (word == reader->peeked || (word & (CM_NO_BARRIER_ | CM_ENDED_)))
        return false;
    struct cm_flat_ flat;
    cm_copy_racing_(&flat, &core->sides[word & CM_ACTIVE_].plain.flat, sizeof flat);
    cm_fence_acquire_(); /* as there, too: validates the copy */
    if (cm_load_relaxed_(&core->word) != word)
        return false;
    reader->flat = flat;
    reader->peeked = word;
    return true;
}

/* ---- the watch ---- */

/* Under the lock of slots: goes on until a reader bars the stale side. The call to be made if none does. */
static struct cm_call_ watch_pass(struct cm_leftright_ *core)
{
    uint64_t state;
    const struct cm_seat_ *slot;
    while ((slot = cm_seats_pass_(core, &core->watch, &state)) != NULL) {
        cm_store_relaxed_(&core->watched, slot); /* relaxed: the barrier orders it before the look */
        if (!cm_platform_barrier_())
            cm_fence_full_(); /* with NO_BARRIER readers that leave fence, too */
        if (cm_seat_bars_(core, slot, &state))
            return (struct cm_call_){NULL, NULL};
    }
    cm_store_relaxed_(&core->watched, (const struct cm_seat_ *)NULL);
    core->found_free = true;
    /* WAITING stays: the writer may be parked by it. Whoever begins the next batch takes it back. */
    return (struct cm_call_){core->free_function, core->free_context};
}

void cm_call_make_(struct cm_call_ call)
{
    if (call.function)
        call.function(call.context);
}

/* After a swap that has set WAITING. */
struct cm_call_ cm_watch_begin_(struct cm_leftright_ *core)
{
    cm_swap_barrier_(core);
    cm_seats_lock_(core);
    core->watch = cm_seats_walk_(core);
    core->found_free = false;
    struct cm_call_ call = watch_pass(core);
    cm_seats_unlock_(core);
    return call;
}

void cm_watch_end_(struct cm_leftright_ *core)
{
    cm_seats_lock_(core);
    cm_store_relaxed_(&core->watched, (const struct cm_seat_ *)NULL);
    core->found_free = false;
    cm_seats_unlock_(core);
}

bool cm_watch_found_free_(struct cm_leftright_ *core)
{
    cm_seats_lock_(core); /* also for what those saw who have passed the slots */
    bool found = core->found_free;
    cm_seats_unlock_(core);
    return found;
}

static void slot_tell(struct cm_leftright_ *core, const struct cm_seat_ *slot)
{
    struct cm_call_ call = {NULL, NULL};
    cm_unpark_(slot, true);
    if (cm_load_relaxed_(&core->watched) != slot)
        return;
    cm_seats_lock_(core);
    if (core->watched == slot)
        call = watch_pass(core);
    cm_seats_unlock_(core);
    cm_call_make_(call);
}

void cm_reader_left_(struct cm_leftright_ *core, struct cm_seat_ *slot)
{
    if (cm_load_relaxed_(&core->word) & CM_NO_BARRIER_) {
        cm_store_release_(&slot->sworn, 1); /* it has seen the mode; pairs with cm_seat_bars_() */
        cm_fence_full_();
    }
    slot_tell(core, slot);
}

cm_status cm_reader_close_(struct cm_reader_ *reader)
{
    struct cm_leftright_ *core = reader->core;
    struct cm_seat_ *slot = reader->slot;
    if (!core || reader->depth)
        return CM_INVALID;
    cm_seats_lock_(core);
    cm_store_release_(&slot->sworn, 1); /* it is outside; pairs with cm_seat_bars_() */
    slot->next_free = core->free_slots;
    core->free_slots = slot;
    core->readers--;
    cm_seats_unlock_(core);
    cm_fence_full_();
    slot_tell(core, slot); /* it may be another reader's by now, who is told of for nothing */
    *reader = (struct cm_reader_){.core = NULL};
    return CM_OK;
}
