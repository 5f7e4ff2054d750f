/* The lock word of a bucket: version, readers, occupancy and flags in 64 bits, and the waiting for it.
 *
 * Shape   63 ..... 27 |   26   |  25  |   24   | 23 .... 12 | 11 ...... 4 |    3    |    2    |   1   |   0
 *           version   | MARKED | DIED | UNTIDY |  readers   |  occupancy  | CHAINED | PENDING | MOVED | WRITER
 *
 * Writers take WRITER by compare-and-swap while no reader is in, and leave by one release store that bumps the version.
 * Shared holders count themselves in by compare-and-swap, never while WRITER, MOVED or PENDING is set. PENDING is set
 * by one who has waited long enough: by a writer that finds shared holders, and by anyone who was woken in vain too
 * often; then nobody else comes in, but those who are in already.
 *
 * Optimistic readers store nothing: they load the word, read the bucket, and load it again (cell_unchanged). Shared
 * holders, PENDING and MARKED make no difference to them.
 *
 * A thread's own locks (hold.h) let it pass: its shared ones do not keep it from taking WRITER, which then lies above
 * them in the word, and whoever has WRITER already need not take it again.
 *
 * Waiting. Who finds the word taken spins briefly and then parks (src/cell.c). Unlocking is a plain store followed by a
 * look at the owner's count of waiters: a waiter counts itself, runs membarrier, looks again and only then sleeps. Who
 * was woken in vain too often is handed the lock by the next unlock.
 *
 * UNTIDY and DIED concern the chain behind the word, see guard.h, and MARKED a snapshot, see snapshot.h. They keep
 * lockers from the fast path. MARKED is set and taken by compare-and-swap while WRITER is not set, or by who has it.
 *
 * Invariants. (C1) While WRITER is set no other thread writes the word. (C2) MOVED is never cleared. (C3) Every unlock
 * after a possible change has another version than every word seen before. */
#ifndef CONCMAP_DETAIL_CELL_H
#define CONCMAP_DETAIL_CELL_H

#include <concmap/deadline.h>
#include <concmap/detail/atomic.h>

CM_BEGIN_DECLS

#define CM_WRITER_ UINT64_C(1)
#define CM_MOVED_ UINT64_C(2)
#define CM_PENDING_ UINT64_C(4)
#define CM_CHAINED_ UINT64_C(8)
#define CM_OCCUPIED_SHIFT_ 4
#define CM_OCCUPIED_ (UINT64_C(0xff) << CM_OCCUPIED_SHIFT_)
#define CM_READER_ONE_ (UINT64_C(1) << 12)
#define CM_READERS_ (UINT64_C(0xfff) << 12)
#define CM_UNTIDY_ (UINT64_C(1) << 24)
#define CM_DIED_ (UINT64_C(1) << 25)
#define CM_MARKED_ (UINT64_C(1) << 26)
#define CM_VERSION_ONE_ (UINT64_C(1) << 27)

#define CM_BARRED_ (CM_WRITER_ | CM_MOVED_ | CM_PENDING_ | CM_READERS_) /* for who would take WRITER */
#define CM_UNUSUAL_ (CM_UNTIDY_ | CM_DIED_)
#define CM_LOCK_BARS_ (CM_BARRED_ | CM_UNUSUAL_ | CM_MARKED_) /* for who would do so without a further look */
#define CM_MOVE_BARS_ (CM_BARRED_ | CM_DIED_)                 /* for who would move the entries, or evict one */

#define CM_SLOT_BIT_(slot) (UINT64_C(1) << (CM_OCCUPIED_SHIFT_ + (slot)))

/* Who waits for cells of one owner (a map): its count is looked at after each unlock. */
typedef struct cm_waiters_ {
    uint32_t count; /* those who wait now */
    /* Where the library counts them (CONCMAP_WAIT_STATS): */
    uint64_t waits;
    uint64_t longest; /* in nanoseconds */
} cm_waiters_;

/* How a caller waits. */
enum {
    CM_WAIT_REPORTS_ = 1, /* it can say CM_DEADLOCK; otherwise another one of a circle is preferred */
    CM_WAIT_PASSES_ = 2,  /* past PENDING: whoever asks for the cell does not lose by it */
    CM_WAIT_LEAF_ = 4     /* for a cell behind which nothing is waited for: it is in no circle */
};
struct cm_wait_ {
    cm_waiters_ *waiters;
    cm_deadline deadline;
    unsigned how;
};

/* What waiting came to, besides the failures CM_BUSY, CM_TIMEOUT and CM_DEADLOCK. */
enum {
    CM_GOT_ = 0,       /* held */
    CM_GOT_MOVED_ = 1, /* the cell has MOVED, and is not held */
    CM_GOT_NESTED_ = 2 /* the calling thread has it exclusively already; not to be given back for this */
};

/* Whether a word bars a waiter. */
struct cm_want_;
CM_API CM_COLD bool cm_cell_bars_(const struct cm_want_ *want, uint64_t word);
/* Waits until the cell is held exclusively, or shared. Spins, parks. CM_BUSY also where the thread has all shares that
 * there can be. */
CM_API CM_COLD int cm_cell_wait_(uint64_t *cell, bool exclusive, const struct cm_wait_ *wait);
/* What was counted of waits; false: this library counts none. */
CM_API bool cm_waiters_figures_(const cm_waiters_ *waiters, uint64_t *waits, uint64_t *longest);
/* Wakes one waiter for the cell, or all. */
CM_API CM_COLD void cm_cell_wake_(const uint64_t *cell, bool all);
/* Leaves a cell while somebody waits: one who waits too long is handed it. */
CM_API CM_COLD void cm_cell_unlock_slow_(uint64_t *cell, uint64_t word, cm_waiters_ *waiters);
/* Sets what leaves a cell that is MARKED: it calls `leave` with the word that is right. */
CM_API void cm_cells_leave_by_(void (*hook)(uint64_t *cell, uint64_t word, cm_waiters_ *waiters,
                                            void (*leave)(uint64_t *cell, uint64_t word)));

/* Takes the cell exclusively unless one of `bars` is in its word: CM_BARRED_, and more. */
CM_INLINE bool cm_cell_try_lock_(uint64_t *cell, uint64_t bars)
{
    uint64_t word = cm_load_relaxed_(cell); /* relaxed: the compare-and-swap decides */
    if (CM_UNLIKELY(word & bars))
        return false;
    /* Pairs with the release of cm_cell_unlock_(). */
    if (CM_UNLIKELY(!cm_swap_if_acquire_(cell, &word, word | CM_WRITER_)))
        return false;
    /* The holder's stores come after the word: pairs with the acquire fence of cm_cell_unchanged_(). */
    cm_fence_release_();
    return true;
}

/* Takes a cell of the library's own exclusively, one that never moves, and behind which nothing is waited for. */
CM_INLINE void cm_cell_lock_(uint64_t *cell, cm_waiters_ *waiters)
{
    struct cm_wait_ wait = {waiters, CM_FOREVER, CM_WAIT_LEAF_};
    if (CM_UNLIKELY(!cm_cell_try_lock_(cell, CM_BARRED_)))
        cm_cell_wait_(cell, true, &wait);
}

/* Leaves a cell held exclusively; `word` is the new word without version change, built from the word in memory. */
CM_INLINE void cm_cell_unlock_(uint64_t *cell, uint64_t word, cm_waiters_ *waiters)
{
    if (CM_UNLIKELY(cm_load_relaxed_(&waiters->count) != 0)) {
        cm_cell_unlock_slow_(cell, word, waiters);
        return;
    }
    /* Publishes the holder's stores. Pairs with the acquires of lockers and optimistic readers. */
    cm_store_release_(cell, (word & ~CM_WRITER_) + CM_VERSION_ONE_);
    CM_COMPILER_BARRIER();
    /* Relaxed: a waiter that this load misses runs its membarrier later, and then sees the store above. */
    if (CM_UNLIKELY(cm_load_relaxed_(&waiters->count) != 0))
        cm_cell_wake_(cell, (word & CM_MOVED_) != 0);
}

/* Shares a cell in which nothing but shared holders may have come or gone since `state` was loaded, which barred
 * nobody.
 */
CM_INLINE bool cm_cell_try_share_(uint64_t *cell, uint64_t state)
{
    uint64_t word = state;
    do {
        if (CM_UNLIKELY(((word ^ state) & ~CM_READERS_) || (word & CM_READERS_) == CM_READERS_))
            return false;
        /* Acquire: pairs with cm_cell_unlock_(). */
    } while (CM_UNLIKELY(!cm_swap_if_acquire_(cell, &word, word + CM_READER_ONE_)));
    return true;
}

/* Gives one share back. */
CM_INLINE void cm_cell_unshare_(uint64_t *cell, cm_waiters_ *waiters)
{
    /* Release: the holder's reads are done before a writer comes in. Not a compare-and-swap: while there are shares
     * only their own thread may have WRITER (C1). */
    uint64_t word = cm_sub_release_(cell, CM_READER_ONE_);
    CM_COMPILER_BARRIER();
    /* Relaxed: as in cm_cell_unlock_(). All: a reader that is woken while a writer is PENDING would not pass it on. */
    if (CM_UNLIKELY((word & CM_READERS_) == CM_READER_ONE_ && cm_load_relaxed_(&waiters->count) != 0))
        cm_cell_wake_(cell, true);
}
/* The same in code that the thread sanitizer may not see. */
CM_API CM_COLD void cm_cell_unshare_hidden_(uint64_t *cell, cm_waiters_ *waiters);

/* Whether what was read since `word` was loaded is consistent. The last step of every optimistic read. */
CM_INLINE bool cm_cell_unchanged_(const uint64_t *cell, uint64_t word)
{
    /* Orders the reads above before the load below. Pairs with the release fence of cm_cell_try_lock_(). */
    cm_fence_acquire_();
    return CM_LIKELY(((cm_load_relaxed_(cell) ^ word) & ~(CM_READERS_ | CM_PENDING_ | CM_MARKED_)) == 0);
}

CM_END_DECLS

#endif
