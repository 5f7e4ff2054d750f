/* Waiting for cells. */
#include <concmap/detail/cell.h>

#include <concmap/detail/hold.h>
#include <concmap/status.h>

#include "parking.h"
#include "platform.h"
#include "probes.h"

#ifndef CM_WAIT_STATS /* a build option: waits are counted */
#define CM_WAIT_STATS 0
#endif

/* Looks at a taken word before sleeping, and the pauses before the second, each twice as long as the one before, up to
 * a bound. Every look takes the line from the holder, who works three times as much if it is left alone for a
 * microsecond, and more if for ten: then what the lock keeps stays in its cache. In all some 100 microseconds: to sleep
 * and to be woken costs both some ten, so that who finds the cell free one time of three should not sleep soon. */
#define LOOKS 12
#define PAUSES 32u
#define PAUSES_DOUBLED 4u
#define NAP_NS 200000
#define PATIENCE 8          /* sleeps in vain, after which a waiter is to be let in next */
#define PATIENCE_NS 4000000 /* and time since the first of them */

struct waiting {
    uint64_t *cell;
    struct cm_thread_ *thread;
    struct cm_want_ want;
    unsigned sleeps;
    cm_deadline patient_until;
    cm_deadline since; /* when it began to wait; 0: nobody wants to know */
    bool starving;     /* woken in vain too often: to be let in next */
    bool granted;      /* the cell was handed over */
    bool listed;       /* this thread holds something: see hold.h */
    bool waits;        /* it has found the cell taken */
};

/* ---- figures ---- */

static void waiters_count(cm_waiters_ *waiters, uint64_t nanoseconds)
{
    cm_add_relaxed_(&waiters->waits, 1); /* relaxed, as the other: only the numbers count */
    uint64_t longest = cm_load_relaxed_(&waiters->longest);
    while (longest < nanoseconds && !cm_swap_if_relaxed_(&waiters->longest, &longest, nanoseconds))
        ;
}

bool cm_waiters_figures_(const cm_waiters_ *waiters, uint64_t *waits, uint64_t *longest)
{
    *waits = cm_load_relaxed_(&waiters->waits);
    *longest = cm_load_relaxed_(&waiters->longest);
    return CM_WAIT_STATS;
}

/* The cell was found taken. The clock is read only for those who ask. */
static void wait_note_begin(struct waiting *waiting)
{
    if (waiting->waits)
        return;
    waiting->waits = true;
    CM_PROBE2(wait_begin, waiting->cell, waiting->want.exclusive);
    if (CM_WAIT_STATS || CM_PROBE_WATCHED(wait_end))
        waiting->since = cm_deadline_after(0);
}

static void wait_note_end(const struct waiting *waiting, cm_waiters_ *waiters, int result)
{
    if (!waiting->waits)
        return;
    uint64_t nanoseconds = waiting->since ? cm_deadline_after(0) - waiting->since : 0;
    CM_PROBE3(wait_end, waiting->cell, nanoseconds, result);
    if (CM_WAIT_STATS)
        waiters_count(waiters, nanoseconds);
}

/* ---- waiting ---- */

/* Whether PENDING is this waiter's: whoever took WRITER past it has cleared it, and bumped the version. */
static bool want_asked(const struct cm_want_ *want, uint64_t word)
{
    return want->asked && (word & CM_PENDING_) && word / CM_VERSION_ONE_ == want->asked_at;
}

static bool word_is_full(uint64_t word)
{
    return (word & CM_READERS_) == CM_READERS_;
}

bool cm_cell_bars_(const struct cm_want_ *want, uint64_t word)
{
    if (word & CM_MOVED_)
        return false;
    if (word & CM_WRITER_)
        return true;
    if ((word & CM_PENDING_) && !want->own_readers && !want->passes && !want_asked(want, word))
        return true;
    return want->exclusive ? (word & CM_READERS_) > want->own_readers : word_is_full(word);
}

/* Whether to ask that nobody else come in, which is for a writer that finds shared holders, and for who was woken in
 * vain too often. */
static bool wait_may_ask(const struct waiting *waiting, uint64_t word)
{
    const struct cm_want_ *want = &waiting->want;
    bool patient = !waiting->starving && !(want->exclusive && (word & CM_READERS_) > want->own_readers);
    return !patient && !(word & (CM_WRITER_ | CM_PENDING_ | CM_MOVED_));
}

/* Nobody sleeps who has yet to ask: shared holders that overlap would never let it in, nor wake it. */
static bool wait_blocked(void *context)
{
    const struct waiting *waiting = context;
    /* Relaxed: ordered by the barrier before it, see parking.h. */
    uint64_t word = cm_load_relaxed_(waiting->cell);
    return cm_cell_bars_(&waiting->want, word) && !wait_may_ask(waiting, word) &&
           !cm_load_relaxed_(&waiting->thread->victim);
}

/* Takes a cell that does not bar the waiter. */
static bool wait_take(const struct waiting *waiting, uint64_t word)
{
    uint64_t taken = waiting->want.exclusive ? word | CM_WRITER_ : word + CM_READER_ONE_;
    if (want_asked(&waiting->want, word) || waiting->want.exclusive)
        taken &= ~CM_PENDING_;
    /* Acquire: pairs with cm_cell_unlock_() and with the release of shared holders. */
    if (!cm_swap_if_acquire_(waiting->cell, &word, taken))
        return false;
    cm_fence_release_(); /* as in cm_cell_try_lock_() */
    return true;
}

/* Asks, however often shared holders come and go meanwhile. */
static void wait_ask(struct waiting *waiting, uint64_t word)
{
    while (wait_may_ask(waiting, word))
        if (cm_swap_if_relaxed_(waiting->cell, &word, word | CM_PENDING_)) {
            waiting->want.asked = true;
            waiting->want.asked_at = word / CM_VERSION_ONE_;
            return;
        }
}

/* Gives the wait up, and with it PENDING: others may come in again. A wake that this waiter got is passed on; after a
 * barrier, for who has left the cell to it (cm_waking_()) may not have seen that it is awake, and somebody who is about
 * to sleep not have seen the cell free. */
static int wait_give_up(struct waiting *waiting, int status)
{
    uint64_t word = cm_load_relaxed_(waiting->cell);
    bool cleared = false;
    while (!cleared && want_asked(&waiting->want, word) && !(word & CM_WRITER_))
        cleared = cm_swap_if_relaxed_(waiting->cell, &word, word & ~CM_PENDING_);
    if (waiting->sleeps > 0)
        cm_platform_barrier_();
    if (cleared || waiting->sleeps > 0)
        cm_unpark_(waiting->cell, cleared);
    if (status == CM_DEADLOCK)
        cm_wait_tell_(waiting->thread);
    return status;
}

/* The cell is the waiter's now. */
static int wait_end(const struct waiting *waiting)
{
    cm_platform_tsan_acquire_(waiting->cell);
    if (!waiting->want.exclusive && waiting->sleeps > 0)
        cm_unpark_(waiting->cell, true); /* other readers may follow; only one was woken */
    return CM_GOT_;
}

/* Sleeps until the cell changes. A failure: the wait is to be given up. */
static int wait_sleep(struct waiting *waiting, struct cm_parking_ *parking, const struct cm_wait_ *wait)
{
    const struct cm_want_ *want = &waiting->want;
    if (waiting->listed &&
        !cm_wait_publish_(waiting->thread, waiting->cell, *want, (wait->how & CM_WAIT_REPORTS_) != 0))
        return CM_DEADLOCK;
    parking->deadline = wait->deadline;
    /* Only the last of all shares wakes: it may be its own, or one of too many. */
    bool naps = want->own_readers || (!want->exclusive && word_is_full(cm_load_relaxed_(waiting->cell)));
    if (naps && cm_deadline_after(NAP_NS) < parking->deadline)
        parking->deadline = cm_deadline_after(NAP_NS);
    cm_platform_lockfree_memory_(waiting, sizeof *waiting); /* wakers look at both under the lot's mutex */
    cm_platform_lockfree_memory_(parking, sizeof *parking);
    cm_park_(waiting->cell, parking);
    if (waiting->sleeps++ == 0)
        waiting->patient_until = cm_deadline_after(PATIENCE_NS);
    waiting->starving = waiting->sleeps >= PATIENCE && cm_deadline_after(0) >= waiting->patient_until;
    if (waiting->listed && !cm_wait_withdraw_(waiting->thread) && !waiting->granted)
        return CM_DEADLOCK;
    return CM_OK;
}

/* Whether the deadline has passed, for somebody who has just looked in vain. */
static int wait_overdue(const struct cm_wait_ *wait)
{
    if (wait->deadline == CM_TRY)
        return CM_BUSY;
    return wait->deadline != CM_FOREVER && cm_deadline_after(0) >= wait->deadline ? CM_TIMEOUT : CM_OK;
}

static void wait_pause(unsigned turn)
{
    for (unsigned pauses = PAUSES << (turn < PAUSES_DOUBLED ? turn : PAUSES_DOUBLED); pauses > 0; pauses--)
        cm_spin_hint_();
}

static struct waiting wait_begin(uint64_t *cell, bool exclusive, const struct cm_wait_ *wait, bool *nested)
{
    struct waiting waiting = {
        .cell = cell,
        .want = {.exclusive = exclusive, .waiters = wait->waiters, .passes = (wait->how & CM_WAIT_PASSES_) != 0},
        .thread = cm_thread_get_()};
    bool leaf = (wait->how & CM_WAIT_LEAF_) != 0;
    *nested = false;
    waiting.listed = !leaf && waiting.thread->index != CM_STRANGER_ && cm_hold_any_(waiting.thread);
    if (!waiting.listed)
        return waiting;
    struct cm_hold_walk_ walk = cm_holds_of_(waiting.thread);
    for (struct cm_hold_ *hold; (hold = cm_hold_next_(&walk, cell)) != NULL;) {
        *nested |= hold->exclusive;
        waiting.want.own_readers += hold->exclusive ? 0 : CM_READER_ONE_;
    }
    walk = cm_holds_of_(waiting.thread);
    for (struct cm_hold_ *hold; (hold = cm_hold_next_(&walk, (const uint64_t *)(const void *)wait->waiters)) != NULL;)
        if (!exclusive &&
            hold->reached == CM_REACHED_ALL_) /* it has frozen the map; one that still freezes waits like anybody */
            waiting.want.own_readers += CM_READER_ONE_;
    return waiting;
}

/* The hold by which the thread has frozen the map itself that it would change; NULL: it has not. */
static const struct cm_hold_ *own_freeze(const struct waiting *waiting, const struct cm_wait_ *wait)
{
    bool bars = waiting->listed && waiting->want.exclusive && (wait->how & CM_WAIT_REPORTS_);
    return bars ? cm_hold_freeze_of_(waiting->thread, waiting->cell, wait->waiters) : NULL;
}

/* Looks, pauses and sleeps until the cell is held, or the wait given up. */
static int wait_until_held(struct waiting *waiting, const struct cm_wait_ *wait)
{
    struct cm_parking_ parking = {wait_blocked, waiting, &wait->waiters->count, wait->deadline, 0};
    for (unsigned turn = 0;; turn++) {
        /* Acquire: who follows MOVED sees the table it leads to. Pairs with cm_cell_unlock_(). */
        uint64_t word = cm_load_acquire_(waiting->cell);
        if (word & CM_MOVED_) {
            cm_platform_tsan_acquire_(waiting->cell);
            return CM_GOT_MOVED_;
        }
        if (!cm_cell_bars_(&waiting->want, word)) {
            if (wait_take(waiting, word))
                return wait_end(waiting);
            continue;
        }
        int failure = wait_overdue(wait);
        if (!failure) {
            wait_note_begin(waiting);
            wait_ask(waiting, word);
            if (turn < LOOKS)
                wait_pause(turn);
            else
                failure = wait_sleep(waiting, &parking, wait);
        }
        if (waiting->granted) {
            cm_fence_release_();
            return wait_end(waiting);
        }
        if (failure)
            return wait_give_up(waiting, failure);
    }
}

int cm_cell_wait_(uint64_t *cell, bool exclusive, const struct cm_wait_ *wait)
{
    bool nested;
    struct waiting waiting = wait_begin(cell, exclusive, wait, &nested);
    if (nested)
        return CM_GOT_NESTED_;
    const struct cm_hold_ *frozen = own_freeze(&waiting, wait);
    if (frozen) {
        cm_hold_tell_(waiting.thread, frozen);
        return CM_DEADLOCK;
    }
    if (!exclusive && waiting.want.own_readers == CM_READERS_)
        return CM_BUSY;
    int result = wait_until_held(&waiting, wait);
    wait_note_end(&waiting, wait->waiters, result);
    return result;
}

void cm_cell_unshare_hidden_(uint64_t *cell, cm_waiters_ *waiters)
{
    cm_platform_tsan_release_(cell);
    cm_cell_unshare_(cell, waiters);
}

void cm_cell_wake_(const uint64_t *cell, bool all)
{
    cm_unpark_(cell, all);
}

struct leaving {
    uint64_t *cell;
    uint64_t word; /* without WRITER, with the next version */
};

/* Under the lot's mutex: leaves the cell, or hands it to the one who has waited longest, if that is too long. */
static void leave_or_hand(void *waker, void *context)
{
    struct leaving *leaving = waker;
    struct waiting *next = context;
    uint64_t word = leaving->word;
    if (next && next->starving && !(word & CM_MOVED_) && !cm_cell_bars_(&next->want, word)) {
        word = next->want.exclusive ? (word | CM_WRITER_) & ~CM_PENDING_ : word + CM_READER_ONE_;
        next->granted = true;
        cm_store_relaxed_(&next->thread->waits_for, (const uint64_t *)NULL);
    }
    cm_store_release_(leaving->cell, word); /* as in cm_cell_unlock_() */
}

static void cell_leave(uint64_t *cell, uint64_t word)
{
    struct leaving leaving = {cell, (word & ~CM_WRITER_) + CM_VERSION_ONE_};
    bool all = (word & (CM_MOVED_ | CM_READERS_)) != 0; /* readers may join those who are below this writer */
    cm_platform_tsan_release_(cell);
    if (cm_parked_near_(cell) && (all || !cm_waking_(cell))) {
        cm_unpark_with_(cell, all, leave_or_hand, &leaving);
        return;
    }
    leave_or_hand(&leaving, NULL);
    CM_COMPILER_BARRIER();
    if (all || !cm_waking_(cell)) /* a crowd that is woken at once only gets into each other's way */
        cm_unpark_(cell, all);    /* who came in between: as in cm_cell_unlock_() */
}

static void (*leave_marked)(uint64_t *, uint64_t, cm_waiters_ *, void (*)(uint64_t *, uint64_t));

void cm_cells_leave_by_(void (*hook)(uint64_t *, uint64_t, cm_waiters_ *, void (*)(uint64_t *, uint64_t)))
{
    cm_store_relaxed_(&leave_marked, hook); /* relaxed: published by the marks */
}

void cm_cell_unlock_slow_(uint64_t *cell, uint64_t word, cm_waiters_ *waiters)
{
    if (word & CM_MARKED_)
        cm_load_relaxed_ (&leave_marked)(cell, word, waiters, cell_leave);
    else
        cell_leave(cell, word);
}
