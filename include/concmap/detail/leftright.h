/* The left-right map: two tables, of which readers look at one while the writer changes the other.
 *
 * Shape
 *     word     {publications, modes, who waits, active side}, alone on its lines
 *     sides    [ table | meta ] [ table | meta ]
 *     log      what the writer did to one side and has still to do to the other (leftright_log.h)
 *     slots    one pair of lines for each reader: {thread, side}, in blocks that are never freed while the map lives
 *
 * Readers. A reader expects the side that was active when it looked last. Entering stores "inside, on that side" into
 * the slot and loads the word: if it names that side, that is all, and else the reader stores "inside, side unknown",
 * loads the word again, and stores the side that it names. All are plain stores to the reader's own line. Leaving
 * stores 0. Inside, a reader looks at a table that nobody changes. A single look-up need not enter: see
 * leftright_peeks.h.
 *
 * The writer. Changes go to the stale side, the one that is not active, and into the log. Publishing swaps the sides by
 * one change of the word and waits for nobody. The next batch begins (with its first change, or by `begin`) when no
 * reader is left on the side that is stale now: then the log is replayed there, and what it removed or replaced is
 * destroyed.
 *
 * Invariants. (W1) Nobody but the writer looks at the stale side while a batch is under way, or uses what it finds
 * there. (W2) The stale side, at the beginning of a replay, is what the other one was before the first change of the
 * log; so each step of the replay finds what that change found. Where the log tells places, the tables have as many
 * slots, and differ in those places alone; or the whole is copied. (W3) Before a change is applied there is room for it
 * in the log (or the whole is copied) and in the other side's table, and of a multimap in its bag; so the replay cannot
 * fail. (W4) Keys and values lie in both sides, bit by bit the same: what they own is shared, and destroyed by the
 * replay alone, once the last side has let go of it. Rooms of bags (bag.h) are each side's own: values move in them,
 * and are destroyed as above.
 *
 * Why (W1) holds. The writer swaps, runs a barrier in every thread (but see Modes), and only then looks at the slots. A
 * reader whose "inside" that look misses had not stored it by the barrier, so it loads the word after the swap and
 * enters the side that is active. A slot that says 0, or the active side, is done with: whoever enters by it later
 * loads a word that is no older. A slot that says "unknown" counts as one on the stale side, and so does one whose
 * reader expects that side, until it has found that it is wrong: it has not looked at anything. (It must not use the
 * word that told it so: its slot names a side that may be active by now, and counts as done with.) No slot is compared
 * with what it said before, so it may be recycled, and nothing in it is counted.
 *
 * Modes. FENCES: readers run a fence after their first store, and load the word again; then the swap itself is barrier
 * enough. The writer sets it while publications come thick, because membarrier disturbs readers, followed by
 * one membarrier, which makes readers that have not seen the mode visible. Whoever sees that publications have
 * ceased takes it back: a reader that does not see FENCES then sees a word that is newer than every swap before.
 * NO_BARRIER: the system offers no membarrier, or has ceased to; FENCES is set for good, and a slot is trusted once its
 * reader has `sworn`, that is, seen the mode.
 *
 * Waiting. The writer sets WAITING and parks at the address of the slot that it waits for; a reader that leaves, or
 * does not find what it expected, and then sees WAITING, looks whether anybody is parked there (parking.h says why no
 * wake is lost). A watch, which calls a function when the stale side is free, names the slot that it waits for in
 * `watched`, in the same way; WAITING is set for it by the very swap.
 * Nobody waits for readers while it has a lock. */
#ifndef CONCMAP_DETAIL_LEFTRIGHT_H
#define CONCMAP_DETAIL_LEFTRIGHT_H

#include <concmap/detail/bag.h>
#include <concmap/detail/domain.h>
#include <concmap/detail/map_lock.h>
#include <concmap/detail/plain_map.h>

CM_BEGIN_DECLS

/* The word. */
#define CM_ACTIVE_ UINT64_C(1) /* which side readers enter */
#define CM_WAITING_ UINT64_C(2)
#define CM_FENCING_ UINT64_C(4)
#define CM_NO_BARRIER_ UINT64_C(8)
#define CM_ENDED_ UINT64_C(16)       /* the writer has gone and said so: readers enter nothing */
#define CM_PUBLICATION_ UINT64_C(32) /* and above: how often it was published, so that no word of before comes back */
#define CM_MODES_ (CM_WAITING_ | CM_FENCING_ | CM_NO_BARRIER_ | CM_ENDED_)

/* A slot's state: the thread record's address, and in its low bits: */
#define CM_INSIDE_UNKNOWN_ UINT64_C(1)
#define CM_INSIDE_ UINT64_C(2) /* and the side in the bit above */
#define CM_INSIDE_SIDE_ UINT64_C(4)
#define CM_PEEKING_ UINT64_C(8) /* outside, but looks at tables */
#define CM_INSIDE_THREAD_ (~(uint64_t)(CM_APART - 1))

/* A reader's place. */
struct cm_seat_ {
    uint64_t state;             /* written by the reader's thread alone */
    uint32_t sworn;             /* 1: its reader knows NO_BARRIER */
    uint32_t fences;            /* of its readers */
    uint64_t publications;      /* that there had been when some of them were looked at */
    struct cm_seat_ *next_free; /* under the map's lock of slots */
} __attribute__((aligned(CM_APART)));

#define CM_SEATS_ 31

struct cm_seat_block_ {
    struct cm_seat_block_ *next; /* published once */
    struct cm_block_ block;
    bool fresh; /* none of its slots has been taken yet */
    struct cm_seat_ slots[CM_SEATS_];
};

/* A walk over the slots. */
struct cm_seats_walk_ {
    struct cm_seat_block_ *block;
    size_t i; /* in the block */
    size_t left;
};

struct cm_side_ {
    struct cm_plain_ plain;
    uint64_t meta;
    const struct cm_type *type; /* for those who do not know it where they are compiled */
} __attribute__((aligned(CM_APART)));

/* A table that the writer has replaced, and at which readers may still peek: lies where its entries were. */
struct cm_outdated_ {
    struct cm_outdated_ *next;
    struct cm_block_ block;
};

struct cm_log_ {
    char *at; /* where the next record goes */
    char *end;
    struct cm_block_ block;
};

/* A turn of the writer: the lock of a shared one. */
struct cm_turn_ {
    struct cm_map_held_ held;
    int got; /* CM_GOT_NESTED_ also where the writer is not shared */
};

struct cm_leftright_ {
    uint64_t word;
    char before_sides_[CM_APART - sizeof(uint64_t)]; /* readers load the word with each look-up */
    struct cm_side_ sides[2];
    /* The writer's; where it is shared, behind `lock`. */
    struct cm_map_lock_ lock __attribute__((aligned(CM_APART)));
    struct cm_turn_ turn; /* of who keeps the lock beyond a call */
    bool shared;          /* the writer is for many threads */
    bool owns;            /* entries own something: the log has records */
    bool whole;           /* it does not say what has changed: the whole table is to be copied */
    bool begun;           /* a batch is under way: the stale side is the writer's, and holds all changes */
    bool busy;            /* a function of the user runs, which must not change the map */
    bool seen_swap;       /* a barrier has run since the last publication */
    bool peeks;           /* readers may peek */
    bool fenced;          /* the writer has set FENCES, and run a barrier after that */
    bool swap_fenced;     /* the mode was FENCES until the last publication */
    uint64_t pending;     /* changes in it that are to be published */
    uint64_t publish_at;  /* so many of them are published by the call that makes them so many */
    struct cm_log_ log;
    /* Tables for the other side: the largest that this batch needs, and the one that it has in the end, where that is
     * smaller. Without slots: none. */
    struct cm_flat_ larger, last;
    struct cm_seats_walk_ passed; /* the slots that were found done with since the last publication */
    const uint8_t *was_seen;      /* the tags of the table that readers saw of the stale side before this batch */
    struct cm_outdated_ *outdated, *leaving; /* `leaving`: a barrier has run since they were replaced */
    struct cm_seats_walk_ left_by;           /* the slots that were found not to peek since then */
    size_t outdated_count, outdated_bytes;
    uint64_t published;           /* how often */
    uint64_t grows, shrinks;      /* larger and smaller tables */
    uint64_t waits, longest_wait; /* for readers; of any thread that has the writer */
    uint64_t paced;               /* publications since `paced_at` */
    cm_deadline paced_at;
    void (*free_function)(void *context);
    void *free_context;
    /* Of readers. */
    uint64_t slots_lock __attribute__((aligned(CM_APART))); /* a cell; behind it, nothing is waited for */
    cm_waiters_ slots_waiters;
    cm_waiters_ waiters; /* those who wait for readers */
    struct cm_seat_block_ *blocks, *last_block;
    struct cm_seat_ *free_slots;
    size_t slots_made;
    size_t readers;                 /* that are open */
    const struct cm_seat_ *watched; /* the one that keeps `free_function` from being called; NULL: none */
    struct cm_seats_walk_ watch;    /* those before it are done with */
    bool found_free;                /* all of them were, since the last publication, and the function was told */
    uint32_t has_writer;
    uint64_t number;      /* of the map, among all there ever were */
    struct cm_bags_ bags; /* of a multimap */
    struct cm_block_ block;
};

/* A reader; outside of the library only its own thread's. */
struct cm_reader_ {
    struct cm_leftright_ *core;
    struct cm_seat_ *slot;
    uint64_t word;               /* what the word says if all is as this reader expects: no modes */
    uint64_t inside;             /* what its slot says, then */
    const struct cm_side_ *view; /* and that side; it has entered it if `depth` is not 0 */
    size_t depth;
    /* For peeks: */
    uint64_t peeked; /* the word, modes and all, with which the table below was published */
    struct cm_flat_ flat;
    uint64_t seed;
};

#define CM_LEFTRIGHT_VERSION_ 7u

/* ---- cold parts (src/leftright.c, src/leftright_log.c) ---- */

/* How a typed map replays its log: cm_leftright_replay_() for its type. */
typedef void cm_replay_(struct cm_leftright_ *core);

CM_API cm_status cm_leftright_init_(struct cm_leftright_ **core, const struct cm_type *type, const cm_config *config,
                                    unsigned version, size_t size);
CM_API void cm_leftright_end_(struct cm_leftright_ *core, const struct cm_type *type, cm_replay_ *replay);
CM_API cm_status cm_writer_open_(struct cm_leftright_ *core, bool shared);
/* Publishes, and lets another writer be opened; `ended`: readers see that there is none. CM_DEADLOCK: a function given
 * to the map runs. */
CM_API cm_status cm_writer_close_(struct cm_leftright_ *core, bool ended);

CM_API cm_status cm_reader_open_(struct cm_leftright_ *core, struct cm_reader_ *reader);
/* CM_INVALID: it is inside. */
CM_API cm_status cm_reader_close_(struct cm_reader_ *reader);
/* Goes on where the word is not what was expected. NULL: the writer has gone and said so. Not cold: where publications
 * come thick each look-up comes here. */
CM_API const struct cm_side_ *cm_reader_enter_slow_(struct cm_reader_ *reader, uint64_t self, uint64_t word);
/* Of a reader whose peek was in vain: sees which table is the active side's now. True: another one than it remembered,
 * so that a peek has a chance. Its slot stays as it is: that peek follows, or a look inside. */
CM_API bool cm_reader_look_anew_(struct cm_reader_ *reader);
/* A slot has changed, and the word said that somebody may wait for that. */
CM_API CM_COLD void cm_reader_left_(struct cm_leftright_ *core, struct cm_seat_ *slot);

/* What a call of the writer does in its turn. */
enum {
    CM_TURN_LOOKS_ = 0,
    CM_TURN_CHANGES_ = 1, /* it begins a batch, if none is under way */
    CM_TURN_BARE_ = 2     /* its lock is not listed (L1) */
};

CM_API int cm_turn_begin_slow_(struct cm_leftright_ *core, struct cm_turn_ *turn, unsigned how, cm_deadline deadline,
                               cm_replay_ *replay);
CM_API void cm_turn_end_slow_(struct cm_leftright_ *core, struct cm_turn_ *turn);

/* Keeps the lock of a shared writer beyond the call. */
CM_API cm_status cm_writer_lock_(struct cm_leftright_ *core, cm_deadline deadline, cm_replay_ *replay);
CM_API void cm_writer_unlock_(struct cm_leftright_ *core);

/* Swaps the sides, if a batch is under way; `flush`: and has changes. */
CM_API cm_status cm_leftright_publish_(struct cm_leftright_ *core, bool flush);
CM_API bool cm_leftright_pending_(struct cm_leftright_ *core);
CM_API cm_status cm_leftright_publish_every_(struct cm_leftright_ *core, uint64_t changes);
CM_API cm_status cm_leftright_when_free_(struct cm_leftright_ *core, void (*function)(void *context), void *context);

/* Makes room in the log, for a record of so many bytes. */
CM_API CM_COLD bool cm_log_grow_(struct cm_leftright_ *core, size_t record, size_t alignment);
/* Makes room in a log of places. False: it does not tell places any more. */
CM_API CM_COLD bool cm_log_lengthen_(struct cm_leftright_ *core);
/* Says that the whole table is to be copied. */
CM_API CM_COLD void cm_log_whole_(struct cm_leftright_ *core);
/* Copies it, to the stale side. */
CM_API CM_COLD void cm_side_copy_(struct cm_leftright_ *core, struct cm_side_ *side, const struct cm_type *type);
/* Empties it, after a replay. */
CM_API CM_COLD void cm_log_reset_(struct cm_leftright_ *core);
/* The side that is written gets another table. */
CM_API CM_COLD void cm_leftright_adopt_(struct cm_leftright_ *core, struct cm_plain_ *plain,
                                        const struct cm_flat_ *next);
/* Sees to a table for the other side, when the one that is written is about to get one for `entries`. */
CM_API CM_COLD bool cm_leftright_other_table_(struct cm_leftright_ *core, const struct cm_type *type, size_t entries);
CM_API cm_memory cm_leftright_memory_(struct cm_leftright_ *core);
CM_API void cm_leftright_stats_(struct cm_leftright_ *core, const struct cm_type *type, cm_stats *stats);
CM_API cm_publications cm_leftright_publications_(struct cm_leftright_ *core);
/* Validates both tables, and, where nothing is to be replayed, that they are the same. */
CM_API cm_status cm_leftright_check_(struct cm_leftright_ *core, const struct cm_type *type, const char **reason);

/* ---- readers ---- */

CM_INLINE uint64_t cm_inside_(uint64_t self, uint64_t word)
{
    return self | CM_INSIDE_ | (word & CM_ACTIVE_) * CM_INSIDE_SIDE_;
}

/* Enters; `self` is the thread's record, or 0. As cm_reader_enter_(), of a reader that is outside. */
CM_INLINE const struct cm_side_ *cm_reader_go_in_(struct cm_reader_ *reader, struct cm_leftright_ *core,
                                                  struct cm_seat_ *slot, uint64_t self)
{
    /* Release: who reads this, and finds it done with, may change what this reader looked at before. It is ordered
     * before the load of the word by the barrier of the writer. */
    cm_store_release_(&slot->state, reader->inside | self);
    CM_COMPILER_BARRIER();
    /* Acquire: the side is as it was published. Pairs with the release of sides_swap(). */
    const uint64_t word = cm_load_acquire_(&core->word);
    if (CM_UNLIKELY(word != reader->word))
        return cm_reader_enter_slow_(reader, self, word);
    if (!reader->view)
        __builtin_unreachable();
    return reader->view;
}

/* The side that the reader looks at until it leaves; the outer one's if it is inside already. NULL: the writer has gone
 * and said so, and the reader is not inside. Wait-free. */
CM_INLINE const struct cm_side_ *cm_reader_enter_(struct cm_reader_ *reader)
{
    if (CM_UNLIKELY(reader->depth != 0)) {
        reader->depth++;
        return reader->view;
    }
    const struct cm_side_ *side =
        cm_reader_go_in_(reader, reader->core, reader->slot, (uint64_t)(uintptr_t)cm_thread_get_());
    reader->depth = side != NULL;
    return side;
}

/* A slot has changed: tells whoever waits for that. */
CM_INLINE void cm_seat_tell_(struct cm_leftright_ *core, struct cm_seat_ *slot)
{
    CM_COMPILER_BARRIER();
    /* Relaxed: a waiter whose WAITING this misses runs its barrier later, and sees the slot's change. */
    if (CM_UNLIKELY(cm_load_relaxed_(&core->word) & (CM_WAITING_ | CM_NO_BARRIER_)))
        cm_reader_left_(core, slot);
}

/* Says that the reader is outside. */
CM_INLINE void cm_seat_leave_(struct cm_leftright_ *core, struct cm_seat_ *slot)
{
    CM_COMPILER_BARRIER();
    /* The reads above are done. Pairs with the acquire of the writer's look at the slots. */
    cm_store_release_(&slot->state, UINT64_C(0));
    cm_seat_tell_(core, slot);
}

CM_INLINE void cm_reader_leave_(struct cm_reader_ *reader)
{
    if (CM_LIKELY(--reader->depth == 0))
        cm_seat_leave_(reader->core, reader->slot);
}

/* Enters for a single look-up, which ends with cm_seat_leave_() and does not nest: no thread is noted, for it cannot
 * wait for itself, and beyond the caches each instruction less is one more of the next look-up under way. Core and slot
 * are the reader's, which the caller has loaded once: stores stand between. NULL: it is inside, or the writer has
 * ended; then cm_reader_enter_() serves. */
CM_INLINE const struct cm_side_ *cm_reader_glance_(struct cm_reader_ *reader, struct cm_leftright_ *core,
                                                   struct cm_seat_ *slot)
{
    return CM_UNLIKELY(reader->depth != 0) ? NULL : cm_reader_go_in_(reader, core, slot, 0);
}

/* ---- the writer ---- */

/* Relaxed: the writer's own bit. */
CM_INLINE unsigned cm_active_(const struct cm_leftright_ *core)
{
    return (unsigned)(cm_load_relaxed_(&core->word) & CM_ACTIVE_);
}

/* The side that has all changes: the stale one while a batch is under way. */
CM_INLINE struct cm_side_ *cm_newest_(struct cm_leftright_ *core)
{
    return &core->sides[cm_active_(core) ^ core->begun];
}

CM_INLINE bool cm_newest_has_(const struct cm_type *type, struct cm_leftright_ *core, const void *key, uint64_t hash)
{
    return cm_plain_find_ahead_(type, &cm_newest_(core)->plain, key, hash) != NULL;
}

/* Whether this thread keeps the lock beyond a call; relaxed: nobody else stores its record there, but a thread that has
 * ended, whose hold is gone. */
CM_INLINE bool cm_turn_is_own_(const struct cm_leftright_ *core)
{
    const struct cm_thread_ *keeper = cm_load_relaxed_(&core->turn.held.thread);
    return keeper && keeper == cm_thread_self_ && cm_holds_(cm_thread_self_, &core->lock.cell);
}

/* Begins a call of the writer. CM_GOT_ or CM_GOT_NESTED_; or a failure, after which there is no turn. */
CM_INLINE int cm_turn_begin_(struct cm_leftright_ *core, struct cm_turn_ *turn, unsigned how, cm_deadline deadline,
                             cm_replay_ *replay)
{
    turn->got = CM_GOT_NESTED_;
    if (CM_LIKELY((!core->shared || cm_turn_is_own_(core)) &&
                  (!(how & CM_TURN_CHANGES_) || (core->begun && !core->busy))))
        return turn->got;
    return cm_turn_begin_slow_(core, turn, how, deadline, replay);
}

/* Of calls that run no function that is given to them. */
CM_INLINE unsigned cm_turn_bare_(const struct cm_type *type)
{
    bool calls = type->key_clone || type->key_destroy || type->value_clone || type->value_destroy;
    return calls ? 0 : CM_TURN_BARE_;
}

CM_INLINE void cm_turn_end_(struct cm_leftright_ *core, struct cm_turn_ *turn)
{
    if (CM_UNLIKELY(turn->got == CM_GOT_ || core->pending >= core->publish_at))
        cm_turn_end_slow_(core, turn);
}

CM_END_DECLS

#endif
