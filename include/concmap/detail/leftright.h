/* The left-right map: two tables, of which readers look at one while the writer changes the other.
 *
 * Shape
 *     word     {active side, modes, who waits}, alone on its lines
 *     sides    [ table | meta ] [ table | meta ]
 *     log      what the writer did to one side and has still to do to the other
 *     slots    one pair of lines for each reader: {thread, side}, in blocks that are never freed while the map lives
 *
 * Readers. Entering stores "inside, side unknown" into the slot, loads the word, and stores the side that it names; all
 * are plain stores to the reader's own line. Leaving stores 0. Inside, a reader looks at a table that nobody changes.
 *
 * The writer. Changes go to the stale side, the one that is not active, and into the log. Publishing swaps the sides by
 * one change of the word and waits for nobody. The next batch begins (with its first change, or by `begin`) when no
 * reader is left on the side that is stale now: then the log is replayed there, and what it removed or replaced is
 * destroyed.
 *
 * Invariants. (W1) Nobody but the writer looks at the stale side while a batch is under way. (W2) The stale side, at
 * the beginning of a replay, is what the other one was before the first change of the log; so each step of the replay
 * finds what that change found. (W3) Before a change is applied there is room for it in the log and in the other side's
 * table, so the replay cannot fail. (W4) Keys and values lie in both sides, bit by bit the same: what they own is
 * shared, and destroyed by the replay alone, once the last side has let go of it.
 *
 * Why (W1) holds. The writer swaps, runs a barrier in every thread of the process, and only then looks at the slots. A
 * reader whose "inside" that look misses had not stored it by the barrier, so it loads the word after the swap and
 * enters the side that is active. A slot that says 0, or the active side, is done with: whoever enters by it later
 * loads a word that is no older. A slot that says "unknown" counts as one on the stale side. No slot is compared with
 * what it said before, so it may be recycled, and nothing in it is counted.
 *
 * Modes. FENCES: readers run a fence after their first store, and load the word again; then a fence of the writer's own
 * is barrier enough. The writer sets it while publications come thick, because membarrier disturbs readers, followed by
 * one membarrier, which makes readers that have not seen the mode visible. Whoever sees that publications have
 * ceased takes it back: a reader that does not see FENCES then sees a word that is newer than every swap before.
 * NO_BARRIER: the system offers no membarrier, or has ceased to; FENCES is set for good, and a slot is trusted once its
 * reader has `sworn`, that is, seen the mode.
 *
 * Waiting. The writer sets WAITING and parks at the address of the slot that it waits for; a reader that leaves, or
 * enters, and sees WAITING, looks whether anybody is parked there (parking.h says why no wake is lost). A watch, which
 * calls a function when the stale side is free, names the slot that it waits for in `watched`, in the same way; WAITING
 * is set for it by the very swap, so that who enters the active side by a slot that was seen unknown says so.
 * Nobody waits for readers while it has a lock. */
#ifndef CONCMAP_DETAIL_LEFTRIGHT_H
#define CONCMAP_DETAIL_LEFTRIGHT_H

#include <concmap/detail/domain.h>
#include <concmap/detail/map_lock.h>
#include <concmap/detail/plain_map.h>

CM_BEGIN_DECLS

/* The word. */
#define CM_ACTIVE_ UINT64_C(1) /* which side readers enter */
#define CM_WAITING_ UINT64_C(2)
#define CM_FENCING_ UINT64_C(4)
#define CM_NO_BARRIER_ UINT64_C(8)
#define CM_ENDED_ UINT64_C(16) /* the writer has gone and said so: readers enter nothing */

/* A slot's state: the thread record's address, and in its low bits: */
#define CM_INSIDE_UNKNOWN_ UINT64_C(1)
#define CM_INSIDE_ UINT64_C(2) /* and the side in the bit above */
#define CM_INSIDE_SIDE_ UINT64_C(4)
#define CM_INSIDE_THREAD_ (~(uint64_t)(CM_APART - 1))

/* A reader's place. */
struct cm_seat_ {
    uint64_t state; /* written by the reader's thread alone */
    uint32_t sworn; /* 1: its reader knows NO_BARRIER */
    uint32_t fences;
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
} __attribute__((aligned(CM_APART)));

/* What the log has of a change; the entry's key and value follow at cm_log_layout_.entry. */
enum cm_log_kind_ {
    CM_LOG_SET_,    /* the key has the value, new or not */
    CM_LOG_REMOVE_, /* the key, with what it and its value own */
    CM_LOG_TAKE_,   /* the same, but the value is somebody else's */
    CM_LOG_CLEAR_,
    CM_LOG_GIVE_BACK_ /* a value that had been taken */
};
struct cm_log_record_ {
    uint64_t hash;
    uint32_t kind;
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
    bool begun;           /* a batch is under way: the stale side is the writer's, and holds all changes */
    bool pending;         /* something in it is to be published */
    bool busy;            /* a function of the user runs, which must not change the map */
    bool seen_swap;       /* a barrier has run since the last publication */
    bool fenced;          /* the writer has set FENCES, and run a barrier after that */
    bool swap_fenced;     /* the mode was FENCES until the last publication */
    struct cm_log_ log;
    /* Tables for the other side: the largest that this batch needs, and the one that it has in the end, where that is
     * smaller. Without slots: none. */
    struct cm_flat_ larger, last;
    struct cm_seats_walk_ passed; /* the slots that were found done with since the last publication */
    uint64_t published;           /* how often */
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
    const struct cm_seat_ *watched; /* the one that keeps `free_function` from being called; NULL: none */
    struct cm_seats_walk_ watch;    /* those before it are done with */
    uint32_t has_writer;
    uint64_t number; /* of the map, among all there ever were */
    struct cm_block_ block;
};

/* A reader; outside of the library only its own thread's. */
struct cm_reader_ {
    struct cm_leftright_ *core;
    struct cm_seat_ *slot;
    const struct cm_side_ *view; /* what it has entered */
    size_t depth;
};

#define CM_LEFTRIGHT_VERSION_ 1u

/* ---- cold parts (src/leftright.c) ---- */

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
/* Enters where the word says more than the side. */
CM_API CM_COLD const struct cm_side_ *cm_reader_enter_slow_(struct cm_reader_ *reader, uint64_t self);
/* Leaves have been stored, and the word said that somebody may wait. */
CM_API CM_COLD void cm_reader_left_(struct cm_leftright_ *core, const struct cm_seat_ *slot);

CM_API int cm_turn_begin_slow_(struct cm_leftright_ *core, struct cm_turn_ *turn, bool changes, cm_deadline deadline,
                               cm_replay_ *replay);
CM_API void cm_turn_end_slow_(struct cm_leftright_ *core, struct cm_turn_ *turn);

/* Keeps the lock of a shared writer beyond the call. */
CM_API cm_status cm_writer_lock_(struct cm_leftright_ *core, cm_deadline deadline, cm_replay_ *replay);
CM_API void cm_writer_unlock_(struct cm_leftright_ *core);

/* Swaps the sides, if a batch is under way; `flush`: and has changes. */
CM_API cm_status cm_leftright_publish_(struct cm_leftright_ *core, bool flush);
CM_API bool cm_leftright_pending_(struct cm_leftright_ *core);
CM_API cm_status cm_leftright_when_free_(struct cm_leftright_ *core, void (*function)(void *context), void *context);

/* Makes room in the log, for a record of so many bytes. */
CM_API CM_COLD bool cm_log_grow_(struct cm_leftright_ *core, size_t record, size_t alignment);
/* Empties it, after a replay. */
CM_API CM_COLD void cm_log_reset_(struct cm_leftright_ *core);
/* Sees to a table for the other side, when the one that is written is about to get one for `entries`. */
CM_API CM_COLD bool cm_leftright_other_table_(struct cm_leftright_ *core, const struct cm_type *type, size_t entries);
CM_API cm_memory cm_leftright_memory_(struct cm_leftright_ *core);
/* Validates both tables, and, where nothing is to be replayed, that they are the same. */
CM_API cm_status cm_leftright_check_(struct cm_leftright_ *core, const struct cm_type *type, const char **reason);

/* ---- readers ---- */

/* Whether the word says no more than the side. */
CM_INLINE bool cm_word_is_plain_(uint64_t word)
{
    return CM_LIKELY((word & ~CM_ACTIVE_) == 0);
}

CM_INLINE uint64_t cm_inside_(uint64_t self, uint64_t word)
{
    return self | CM_INSIDE_ | (word & CM_ACTIVE_) * CM_INSIDE_SIDE_;
}

/* The side that the reader looks at until it leaves; the outer one's if it is inside already. NULL: the writer has gone
 * and said so, and the reader is not inside. Wait-free. */
CM_INLINE const struct cm_side_ *cm_reader_enter_(struct cm_reader_ *reader)
{
    struct cm_leftright_ *core = reader->core;
    if (CM_UNLIKELY(reader->depth != 0)) {
        reader->depth++;
        return reader->view;
    }
    const uint64_t self = (uint64_t)(uintptr_t)cm_thread_get_();
    /* Relaxed: ordered before the load of the word by the barrier of the writer. */
    cm_store_relaxed_(&reader->slot->state, self | CM_INSIDE_UNKNOWN_);
    CM_COMPILER_BARRIER();
    /* Acquire: the side is as it was published. Pairs with the release of cm_leftright_publish_(). */
    const uint64_t word = cm_load_acquire_(&core->word);
    if (!cm_word_is_plain_(word))
        return cm_reader_enter_slow_(reader, self);
    /* Release: who reads this, and finds it done with, may change what this reader looked at before. */
    cm_store_release_(&reader->slot->state, cm_inside_(self, word));
    reader->depth = 1;
    return reader->view = &core->sides[word & CM_ACTIVE_];
}

/* Says that the reader is outside. */
CM_INLINE void cm_seat_leave_(struct cm_leftright_ *core, struct cm_seat_ *slot)
{
    CM_COMPILER_BARRIER();
    /* The reads above are done. Pairs with the acquire of the writer's look at the slots. */
    cm_store_release_(&slot->state, UINT64_C(0));
    CM_COMPILER_BARRIER();
    /* Relaxed: a waiter whose WAITING this misses runs its barrier later, and sees the store above. */
    if (CM_UNLIKELY(cm_load_relaxed_(&core->word) & (CM_WAITING_ | CM_NO_BARRIER_)))
        cm_reader_left_(core, slot);
}

CM_INLINE void cm_reader_leave_(struct cm_reader_ *reader)
{
    if (CM_LIKELY(--reader->depth == 0))
        cm_seat_leave_(reader->core, reader->slot);
}

/* Enters for a single look-up, which ends with cm_seat_leave_() and does not nest: no thread is noted, for it cannot
 * wait for itself, and beyond the caches each instruction less is one more of the next look-up under way. NULL: the
 * reader is inside, or the word says more than the side; then cm_reader_enter_() serves. */
CM_INLINE const struct cm_side_ *cm_reader_glance_(struct cm_reader_ *reader)
{
    struct cm_leftright_ *core = reader->core;
    struct cm_seat_ *slot = reader->slot;
    if (CM_UNLIKELY(reader->depth != 0))
        return NULL;
    cm_store_relaxed_(&slot->state, CM_INSIDE_UNKNOWN_); /* as in cm_reader_enter_(), all three */
    CM_COMPILER_BARRIER();
    const uint64_t word = cm_load_acquire_(&core->word);
    if (!cm_word_is_plain_(word))
        return NULL;
    cm_store_release_(&slot->state, cm_inside_(0, word));
    return &core->sides[word & CM_ACTIVE_];
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
    return cm_plain_find_to_change_(type, &cm_newest_(core)->plain, key, hash) != NULL;
}

/* Whether this thread keeps the lock beyond a call; relaxed: nobody else stores its record there, but a thread that has
 * ended, whose hold is gone. */
CM_INLINE bool cm_turn_is_own_(const struct cm_leftright_ *core)
{
    const struct cm_thread_ *keeper = cm_load_relaxed_(&core->turn.held.thread);
    return keeper && keeper == cm_thread_self_ && cm_hold_find_(cm_thread_self_, &core->lock.cell);
}

/* Begins a call of the writer; `changes`: and a batch, if none is under way. CM_GOT_ or CM_GOT_NESTED_; or a failure,
 * after which there is no turn. */
CM_INLINE int cm_turn_begin_(struct cm_leftright_ *core, struct cm_turn_ *turn, bool changes, cm_deadline deadline,
                             cm_replay_ *replay)
{
    turn->got = CM_GOT_NESTED_;
    if (CM_LIKELY((!core->shared || cm_turn_is_own_(core)) && (!changes || (core->begun && !core->busy))))
        return turn->got;
    return cm_turn_begin_slow_(core, turn, changes, deadline, replay);
}

CM_INLINE void cm_turn_end_(struct cm_leftright_ *core, struct cm_turn_ *turn)
{
    if (CM_UNLIKELY(turn->got == CM_GOT_))
        cm_turn_end_slow_(core, turn);
}

/* ---- the log ---- */

struct cm_log_layout_ {
    size_t entry; /* where it lies in a record */
    size_t record;
    size_t alignment;
};

CM_INLINE struct cm_log_layout_ cm_log_layout_of_(const struct cm_type *type)
{
    struct cm_flat_layout_ flat = cm_flat_layout_of_(type);
    struct cm_log_layout_ layout;
    layout.alignment = flat.alignment > sizeof(uint64_t) ? flat.alignment : sizeof(uint64_t);
    layout.entry = cm_align_up_(sizeof(struct cm_log_record_), layout.alignment);
    layout.record = cm_align_up_(layout.entry + flat.entry, layout.alignment);
    return layout;
}

/* Whether there is room for one more record (W3). */
CM_INLINE bool cm_log_room_(const struct cm_type *type, struct cm_leftright_ *core)
{
    const struct cm_log_layout_ layout = cm_log_layout_of_(type);
    return CM_LIKELY((size_t)(core->log.end - core->log.at) >= layout.record) ||
           cm_log_grow_(core, layout.record, layout.alignment);
}

/* Notes a change; there is room. `key` and `value` may be NULL. */
CM_INLINE void cm_log_note_(const struct cm_type *type, struct cm_leftright_ *core, enum cm_log_kind_ kind,
                            uint64_t hash, const void *key, const void *value)
{
    const struct cm_log_layout_ layout = cm_log_layout_of_(type);
    struct cm_log_record_ *record = (struct cm_log_record_ *)(void *)core->log.at;
    record->hash = hash;
    record->kind = kind;
    if (key)
        memcpy(core->log.at + layout.entry, key, type->key_size);
    if (value)
        memcpy(core->log.at + layout.entry + cm_flat_layout_of_(type).value, value, type->value_size);
    core->log.at += layout.record;
    core->pending = true;
}

/* ---- replay ---- */

#define CM_REPLAY_AHEAD_ 24       /* records whose tags are fetched ahead: as in batches (plain_batches.h) */
#define CM_REPLAY_AHEAD_ENTRY_ 12 /* and entries */

/* Does one record again. What it finds is what the change found (W2), and is destroyed here alone (W4). */
CM_INLINE void cm_replay_one_(const struct cm_type *type, struct cm_plain_ *plain, struct cm_log_record_ *record,
                              void *scratch)
{
    char *key = (char *)record + cm_log_layout_of_(type).entry;
    char *value = key + cm_flat_layout_of_(type).value;
    struct cm_flat_place_ place = cm_flat_find_to_change_(type, &plain->flat, key, record->hash);
    if (CM_LIKELY(record->kind == CM_LOG_SET_)) {
        if (!place.entry) {
            cm_plain_place_(type, plain, key, record->hash, value);
            return;
        }
        char *at = cm_flat_value_(type, place);
        if (type->value_destroy)
            memcpy(scratch, at, type->value_size);
        memcpy(at, value, type->value_size);
        if (type->value_destroy)
            cm_plain_value_end_(type, plain, scratch);
        return;
    }
    if (type->value_destroy)
        memcpy(scratch, cm_flat_value_(type, place), type->value_size);
    cm_flat_drop_(&plain->flat, place, record->hash);
    if (type->value_destroy && record->kind == CM_LOG_REMOVE_)
        cm_plain_value_end_(type, plain, scratch);
    cm_plain_key_end_(type, plain, key);
}

/* Moves a side to another table, if there is one. */
CM_INLINE void cm_side_move_(const struct cm_type *type, struct cm_side_ *side, struct cm_flat_ *to)
{
    static const struct cm_flat_ none = {NULL, NULL, 0, 0, 0, {NULL, NULL, 0, 0, false}, 0};
    if (!to->slots)
        return;
    cm_flat_move_(type, &side->plain.flat, to, side->plain.seed);
    cm_plain_adopt_(&side->plain, to);
    *to = none;
}

/* Makes the stale side what the active one is, by the log. It cannot fail (W3). `scratch` is room for a value. */
CM_INLINE void cm_leftright_replay_(const struct cm_type *type, struct cm_leftright_ *core, void *scratch)
{
    const size_t size = cm_log_layout_of_(type).record;
    const unsigned active = cm_active_(core);
    struct cm_side_ *stale = &core->sides[!active];
    const struct cm_plain_ *newest = &core->sides[active].plain;
    char *const begin = (char *)core->log.block.address;
    const size_t n = begin ? (size_t)(core->log.at - begin) / size : 0;
    size_t texts = stale->plain.texts;
    cm_side_move_(type, stale, &core->larger);
    for (size_t i = 0; i < n; i++) {
        struct cm_log_record_ *record = (struct cm_log_record_ *)(void *)(begin + i * size);
        if (i + CM_REPLAY_AHEAD_ < n)
            cm_flat_prefetch_(&stale->plain.flat,
                              ((const struct cm_log_record_ *)(void *)(begin + (i + CM_REPLAY_AHEAD_) * size))->hash);
        if (i + CM_REPLAY_AHEAD_ENTRY_ < n)
            cm_flat_prefetch_entry_(
                type, &stale->plain.flat,
                ((const struct cm_log_record_ *)(void *)(begin + (i + CM_REPLAY_AHEAD_ENTRY_) * size))->hash, true);
        if (CM_LIKELY(record->kind <= CM_LOG_TAKE_))
            cm_replay_one_(type, &stale->plain, record, scratch);
        else if (record->kind == CM_LOG_CLEAR_)
            cm_plain_clear_(&stale->plain, type);
        else
            cm_plain_value_end_(type, &stale->plain,
                                (char *)record + cm_log_layout_of_(type).entry + cm_flat_layout_of_(type).value);
    }
    cm_side_move_(type, stale, &core->last);
    stale->plain.flat.grow_at = newest->flat.grow_at;
    stale->plain.texts = newest->texts - (texts - stale->plain.texts); /* those that the log's keys had are gone */
    stale->meta = core->sides[active].meta;
    cm_log_reset_(core);
}

/* Makes room for one more entry in the side that is written, and as much in the other (W3); compiled once for each
 * type. */
CM_INLINE cm_status cm_leftright_grow_(const struct cm_type *type, struct cm_leftright_ *core)
{
    struct cm_plain_ *plain = &cm_newest_(core)->plain;
    struct cm_flat_ next;
    cm_status status = CM_OK;
    size_t entries = cm_plain_wants_(plain, &status);
    if (entries == 0)
        return status;
    if (!cm_flat_make_(&next, type, &plain->allocator, entries))
        return cm_plain_put_off_(plain);
    if (!cm_leftright_other_table_(core, type, entries)) {
        cm_flat_free_(&next, &plain->allocator);
        return cm_plain_put_off_(plain);
    }
    cm_flat_move_(type, &plain->flat, &next, plain->seed);
    cm_plain_adopt_(plain, &next);
    return CM_OK;
}

/* How a typed map makes room: cm_leftright_grow_() for its type. */
typedef cm_status cm_leftright_room_(struct cm_leftright_ *core);

/* ---- one key ---- */

/* What a call does with a key that is there, and with one that is not. */
enum cm_setting_ { CM_SET_ABSENT_ = 1, CM_SET_PRESENT_ = 2, CM_SET_ANY_ = 3 };

/* Adds an absent key with a value, to both sides by and by. */
CM_INLINE cm_status cm_leftright_add_(const struct cm_type *type, struct cm_leftright_ *core, cm_leftright_room_ *room,
                                      const void *key, uint64_t hash, const void *value, void *own)
{
    struct cm_plain_ *plain = &cm_newest_(core)->plain;
    cm_status status = CM_LIKELY(plain->flat.len < plain->flat.grow_at) ? CM_OK : room(core);
    if (CM_UNLIKELY(status < 0))
        return status;
    if (type->key_text || type->key_clone) {
        status = cm_plain_key_begin_(type, plain, key, own);
        if (status < 0)
            return status;
        key = own;
    }
    cm_plain_place_(type, plain, key, hash, value);
    cm_log_note_(type, core, CM_LOG_SET_, hash, key, value);
    return CM_OK;
}

/* Sets a key's value. A value that is not stored is destroyed, unless the call fails. `own` is room for a key. */
CM_INLINE cm_status cm_leftright_set_(const struct cm_type *type, struct cm_leftright_ *core, cm_leftright_room_ *room,
                                      enum cm_setting_ which, const void *key, uint64_t hash, void *value, void *own,
                                      void *old)
{
    struct cm_plain_ *plain = &cm_newest_(core)->plain;
    struct cm_flat_place_ place = cm_flat_find_to_change_(type, &plain->flat, key, hash);
    if (!(which & (place.entry ? CM_SET_PRESENT_ : CM_SET_ABSENT_))) {
        cm_plain_value_end_(type, plain, value);
        return place.entry ? CM_EXISTS : CM_ABSENT;
    }
    if (!cm_log_room_(type, core))
        return CM_NOMEM;
    if (!place.entry)
        return cm_leftright_add_(type, core, room, key, hash, value, own);
    cm_status status = cm_plain_copy_out_(type, plain, old, cm_flat_value_(type, place));
    if (type->value_clone && status < 0)
        return status;
    memcpy(cm_flat_value_(type, place), value, type->value_size);
    cm_log_note_(type, core, CM_LOG_SET_, hash, place.entry, value);
    return CM_REPLACED;
}

/* Runs the function on a copy of a key's value, which becomes the value unless the function fails. */
CM_INLINE cm_status cm_leftright_update_(const struct cm_type *type, struct cm_leftright_ *core, const void *key,
                                         uint64_t hash, struct cm_plain_call_ call, void *scratch)
{
    struct cm_plain_ *plain = &cm_newest_(core)->plain;
    struct cm_flat_place_ place = cm_flat_find_to_change_(type, &plain->flat, key, hash);
    if (!place.entry)
        return CM_ABSENT;
    if (!cm_log_room_(type, core))
        return CM_NOMEM;
    cm_status status = cm_plain_copy_out_(type, plain, scratch, cm_flat_value_(type, place));
    if (type->value_clone && status < 0)
        return status;
    core->busy = true;
    status = call.run(scratch, call.call);
    core->busy = false;
    if (CM_UNLIKELY(status < 0)) {
        cm_plain_value_end_(type, plain, scratch);
        return status;
    }
    memcpy(cm_flat_value_(type, place), scratch, type->value_size);
    cm_log_note_(type, core, CM_LOG_SET_, hash, place.entry, scratch);
    return status;
}

/* Removes an entry of the side that is written; there is room in the log. */
CM_INLINE void cm_leftright_drop_(const struct cm_type *type, struct cm_leftright_ *core, enum cm_log_kind_ kind,
                                  struct cm_flat_place_ place, uint64_t hash)
{
    cm_log_note_(type, core, kind, hash, place.entry, NULL);
    cm_flat_drop_(&cm_newest_(core)->plain.flat, place, hash);
}

/* Removes a key. `old` takes a copy of its value; if it is taken, the value itself. */
CM_INLINE cm_status cm_leftright_remove_(const struct cm_type *type, struct cm_leftright_ *core, enum cm_log_kind_ kind,
                                         const void *key, uint64_t hash, void *old)
{
    struct cm_plain_ *plain = &cm_newest_(core)->plain;
    struct cm_flat_place_ place = cm_flat_find_to_change_(type, &plain->flat, key, hash);
    if (!place.entry)
        return CM_ABSENT;
    if (!cm_log_room_(type, core))
        return CM_NOMEM;
    if (kind == CM_LOG_TAKE_) {
        memcpy(old, cm_flat_value_(type, place), type->value_size);
    } else {
        cm_status status = cm_plain_copy_out_(type, plain, old, cm_flat_value_(type, place));
        if (type->value_clone && status < 0)
            return status;
    }
    cm_leftright_drop_(type, core, kind, place, hash);
    return CM_OK;
}

/* Empties the map. */
CM_INLINE cm_status cm_leftright_clear_(const struct cm_type *type, struct cm_leftright_ *core)
{
    if (!cm_log_room_(type, core))
        return CM_NOMEM;
    cm_log_note_(type, core, CM_LOG_CLEAR_, 0, NULL, NULL);
    cm_flat_wipe_(&cm_newest_(core)->plain.flat);
    return CM_OK;
}

/* Moves the side that is written to a table for so many entries, and the other one by and by. */
CM_INLINE cm_status cm_leftright_rehash_(const struct cm_type *type, struct cm_leftright_ *core, size_t entries)
{
    struct cm_plain_ *plain = &cm_newest_(core)->plain;
    struct cm_flat_ next;
    if (!cm_flat_make_(&next, type, &plain->allocator, entries))
        return CM_NOMEM;
    if (!cm_leftright_other_table_(core, type, entries)) {
        cm_flat_free_(&next, &plain->allocator);
        return CM_NOMEM;
    }
    cm_flat_move_(type, &plain->flat, &next, plain->seed);
    cm_plain_adopt_(plain, &next);
    return CM_OK;
}

CM_INLINE cm_status cm_leftright_reserve_(const struct cm_type *type, struct cm_leftright_ *core, size_t entries)
{
    const struct cm_plain_ *plain = &cm_newest_(core)->plain;
    if (entries > plain->limit)
        return CM_FULL;
    return entries <= plain->flat.grow_at ? CM_OK : cm_leftright_rehash_(type, core, entries);
}

CM_INLINE cm_status cm_leftright_shrink_(const struct cm_type *type, struct cm_leftright_ *core)
{
    const struct cm_plain_ *plain = &cm_newest_(core)->plain;
    bool smaller = cm_flat_slots_for_(type, plain->flat.len) < plain->flat.slots;
    return smaller && plain->flat.slots > 3 ? cm_leftright_rehash_(type, core, plain->flat.len ? plain->flat.len : 1)
                                            : CM_OK;
}

/* A value comes back that was taken when so many batches had been published: destroyed once no reader can see it. */
CM_INLINE cm_status cm_leftright_give_back_(const struct cm_type *type, struct cm_leftright_ *core, uint64_t taken_at,
                                            void *value)
{
    if (!type->value_destroy)
        return CM_OK;
    if (core->published + core->begun > taken_at + 1) { /* the batch after that one has begun: both sides let go */
        cm_plain_value_end_(type, &cm_newest_(core)->plain, value);
        return CM_OK;
    }
    if (!cm_log_room_(type, core))
        return CM_NOMEM;
    bool pending = core->pending;
    cm_log_note_(type, core, CM_LOG_GIVE_BACK_, 0, NULL, value);
    core->pending = pending; /* nothing that a reader could see */
    return CM_OK;
}

CM_END_DECLS

#endif
