/* Waiting for cells. */
#include <concmap/detail/cell.h>

#include "parking.h"
#include "platform.h"

/* Long enough for a holder that is running to finish (some microseconds), too short to matter if it lost its core. */
#define SPINS 40

#define BARS_WRITERS (CM_WRITER_ | CM_READERS_)
#define BARS_READERS (CM_WRITER_ | CM_PENDING_)

struct wait {
    const uint64_t *cell;
    uint64_t bars; /* what in the word keeps the caller out */
};

static bool wait_blocked(void *context)
{
    const struct wait *wait = context;
    /* Relaxed: ordered by the barrier before it, see parking.h. */
    uint64_t word = cm_load_relaxed_(wait->cell);
    return (word & wait->bars) && !(word & CM_MOVED_);
}

/* One turn of waiting: a spin at first, then a sleep. */
static void wait_turn(struct wait *wait, unsigned turn, cm_waiters_ *waiters)
{
    if (turn < SPINS)
        cm_spin_hint_();
    else
        cm_park_(wait->cell, wait_blocked, wait, waiters);
}

/* A writer that waits for shared holders asks for no new ones to come in. */
static void cell_ask(uint64_t *cell, uint64_t word)
{
    if ((word & CM_READERS_) && !(word & (CM_WRITER_ | CM_PENDING_)))
        cm_swap_if_relaxed_(cell, &word, word | CM_PENDING_);
}

uint64_t cm_cell_lock_slow_(uint64_t *cell, cm_waiters_ *waiters)
{
    struct wait wait = {.cell = cell, .bars = BARS_WRITERS};
    for (unsigned turn = 0;; turn++) {
        /* Acquire: who follows MOVED sees the table it leads to. Pairs with cm_cell_unlock_(). */
        uint64_t word = cm_load_acquire_(cell);
        if (word & CM_MOVED_) {
            cm_platform_tsan_acquire_(cell);
            return word;
        }
        if (!(word & BARS_WRITERS)) {
            if (cm_swap_if_acquire_(cell, &word, (word | CM_WRITER_) & ~CM_PENDING_)) {
                cm_fence_release_(); /* as in cm_cell_try_lock_() */
                cm_platform_tsan_acquire_(cell);
                return word;
            }
            continue;
        }
        cell_ask(cell, word);
        wait_turn(&wait, turn, waiters);
    }
}

uint64_t cm_cell_share_(uint64_t *cell, cm_waiters_ *waiters)
{
    struct wait wait = {.cell = cell, .bars = BARS_READERS};
    for (unsigned turn = 0;; turn++) {
        uint64_t word = cm_load_acquire_(cell);
        if (word & CM_MOVED_) {
            cm_platform_tsan_acquire_(cell);
            return word;
        }
        bool full = (word & CM_READERS_) == CM_READERS_;
        /* Acquire: pairs with the release of the last writer. */
        if (!(word & BARS_READERS) && !full && cm_swap_if_acquire_(cell, &word, word + CM_READER_ONE_)) {
            cm_platform_tsan_acquire_(cell);
            return word;
        }
        if (word & BARS_READERS)
            wait_turn(&wait, turn, waiters);
        else
            cm_spin_hint_();
    }
}

void cm_cell_unshare_(uint64_t *cell, cm_waiters_ *waiters)
{
    uint64_t word = cm_load_relaxed_(cell);
    cm_platform_tsan_release_(cell);
    /* Release: the holder's reads are done before a writer comes in. */
    while (!cm_swap_if_release_(cell, &word, word - CM_READER_ONE_))
        ;
    /* All: a reader that is woken while a writer is PENDING would not pass the wake on. */
    if ((word & CM_READERS_) == CM_READER_ONE_ && cm_load_relaxed_(waiters) != 0)
        cm_unpark_(cell, true);
}

void cm_cell_wake_(const uint64_t *cell, bool all)
{
    cm_unpark_(cell, all);
}
