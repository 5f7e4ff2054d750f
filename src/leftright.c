/* Batches of left-right maps, and the whole: see detail/leftright.h for the proof. */
#include <concmap/leftright.h>

#include <unistd.h>

#include "parking.h"
#include "platform.h"
#include "seats.h"

#define LOOKS 4 /* at a reader that bars, before sleeping: views are short, or long */
#define PAUSES 32u
#define NAP_UNKNOWN_NS 200000  /* a reader that is about to enter says nothing when it has */
#define NAP_SHARED_NS 10000000 /* another writer may go on meanwhile, and take WAITING back */

static uint64_t maps_made;

/* ---- batches ---- */

/* Who keeps a batch from beginning. */
struct obstacle {
    struct cm_leftright_ *core;
    const struct cm_seat_ *slot;
    uint64_t state; /* of the slot */
    uint64_t published;
};

static bool state_is_own(uint64_t state)
{
    const struct cm_thread_ *self = cm_thread_get_(); /* strangers share a record, and are not told apart */
    return self->index != CM_STRANGER_ && (state & CM_INSIDE_THREAD_) == (uint64_t)(uintptr_t)self;
}

/* Whether a reader of the calling thread bars the stale side: the first one that does, or one behind it. */
static bool own_bars(const struct cm_leftright_ *core)
{
    struct cm_seats_walk_ walk = core->passed;
    uint64_t state;
    while (cm_seats_pass_(core, &walk, &state)) {
        if (state_is_own(state))
            return true;
        cm_seats_walk_on_(&walk);
    }
    return false;
}

static bool obstacle_stands(void *context)
{
    const struct obstacle *obstacle = context;
    uint64_t state;
    /* Another writer may have gone on meanwhile; relaxed: then waiting in vain ends with the next nap. */
    return cm_load_relaxed_(&obstacle->core->published) == obstacle->published &&
           cm_seat_bars_(obstacle->core, obstacle->slot, &state) && state == obstacle->state;
}

static void obstacle_park(struct obstacle *obstacle, cm_deadline deadline)
{
    struct cm_leftright_ *core = obstacle->core;
    struct cm_parking_ parking = {obstacle_stands, obstacle, &core->waiters.count, deadline, 0};
    if (core->shared || (obstacle->state & CM_INSIDE_UNKNOWN_)) {
        cm_deadline nap = cm_deadline_after(obstacle->state & CM_INSIDE_UNKNOWN_ ? NAP_UNKNOWN_NS : NAP_SHARED_NS);
        parking.deadline = nap < deadline ? nap : deadline;
    }
    cm_or_relaxed_(&core->word, CM_WAITING_); /* relaxed: ordered by the barrier of parking */
    cm_platform_lockfree_memory_(obstacle, sizeof *obstacle);
    cm_platform_lockfree_memory_(&parking, sizeof parking);
    cm_park_(obstacle->slot, &parking);
}

/* Waits for a reader, without any lock. CM_OK: look again. */
static cm_status obstacle_wait(struct obstacle *obstacle, cm_deadline deadline)
{
    for (unsigned turn = 0; obstacle_stands(obstacle); turn++) {
        if (deadline != CM_FOREVER && cm_deadline_after(0) >= deadline)
            return CM_TIMEOUT;
        if (turn >= LOOKS)
            obstacle_park(obstacle, deadline);
        else
            for (unsigned pauses = PAUSES << turn; pauses > 0; pauses--)
                cm_spin_hint_();
    }
    return CM_OK;
}

/* Begins a batch where no reader bars that: CM_BUSY. */
static cm_status batch_begin(struct cm_leftright_ *core, cm_replay_ *replay, struct obstacle *obstacle)
{
    if (core->busy)
        return CM_DEADLOCK;
    if (core->begun)
        return CM_OK;
    if (!core->seen_swap)
        cm_swap_barrier_(core);
    *obstacle = (struct obstacle){.core = core, .published = core->published};
    /* What has told the user so holds: a reader that guesses wrong since then would bar it again, and tell nobody. */
    if (core->free_function && cm_watch_found_free_(core))
        core->passed.left = 0;
    obstacle->slot = cm_seats_pass_(core, &core->passed, &obstacle->state);
    if (obstacle->slot)
        return own_bars(core) ? CM_DEADLOCK : CM_BUSY;
    if (core->free_function)
        cm_watch_end_(core);
    if (cm_load_relaxed_(&core->word) & CM_WAITING_)
        cm_and_relaxed_(&core->word, ~CM_WAITING_);
    cm_outdated_look_(core);
    core->was_seen = core->sides[!cm_active_(core)].plain.flat.tags;
    core->busy = true;
    replay(core);
    core->busy = false;
    core->begun = true;
    return CM_OK;
}

/* Takes the lock of a shared writer. */
static int turn_take(struct cm_leftright_ *core, struct cm_turn_ *turn, unsigned how, cm_deadline deadline)
{
    bool takes = core->shared && !cm_turn_is_own_(core);
    bool listed = !(how & CM_TURN_BARE_); /* (L1) */
    turn->got = takes ? cm_map_enter_(&core->lock, &turn->held, listed, deadline) : CM_GOT_NESTED_;
    if (turn->got == CM_GOT_ && core->lock.died) { /* in a function of the user, which changes nothing by itself */
        core->lock.died = false;
        core->busy = false;
    }
    return turn->got;
}

/* Counts a wait for readers; 0: there was none. */
static void wait_count(struct cm_leftright_ *core, uint64_t took)
{
    if (!took)
        return;
    uint64_t longest = cm_load_relaxed_(&core->longest_wait); /* relaxed, all: figures */
    while (took > longest && !cm_swap_if_relaxed_(&core->longest_wait, &longest, took))
        ;
    cm_add_relaxed_(&core->waits, 1);
}

/* Adds to `took` how long it was. */
static cm_status obstacle_wait_timed(struct obstacle *obstacle, cm_deadline deadline, uint64_t *took)
{
    cm_deadline since = cm_deadline_after(0);
    cm_status status = obstacle_wait(obstacle, deadline);
    *took += cm_deadline_after(0) - since;
    return status;
}

int cm_turn_begin_slow_(struct cm_leftright_ *core, struct cm_turn_ *turn, unsigned how, cm_deadline deadline,
                        cm_replay_ *replay)
{
    for (uint64_t waited = 0;;) {
        struct obstacle obstacle;
        cm_status status = CM_OK;
        if (turn_take(core, turn, how, deadline) >= 0 && (how & CM_TURN_CHANGES_))
            status = batch_begin(core, replay, &obstacle);
        if (turn->got < 0 || status == CM_OK) {
            wait_count(core, waited);
            return turn->got;
        }
        bool locked = core->shared && turn->got == CM_GOT_NESTED_; /* by this thread, which must not wait, then */
        cm_turn_end_(core, turn);
        if (status == CM_BUSY && deadline != CM_TRY && !locked)
            status = obstacle_wait_timed(&obstacle, deadline, &waited);
        if (status < 0) {
            wait_count(core, waited);
            return status;
        }
    }
}

cm_status cm_writer_lock_(struct cm_leftright_ *core, cm_deadline deadline, cm_replay_ *replay)
{
    struct cm_turn_ turn;
    if (!core->shared)
        return CM_INVALID;
    int got = cm_turn_begin_(core, &turn, CM_TURN_CHANGES_, deadline, replay);
    if (got != CM_GOT_)
        return got < 0 ? (cm_status)got : CM_DEADLOCK;
    core->turn.got = turn.got;
    core->turn.held.lock = turn.held.lock;
    cm_store_relaxed_(&core->turn.held.hold, turn.held.hold); /* relaxed, both: for this thread's own calls */
    cm_store_relaxed_(&core->turn.held.thread, turn.held.thread);
    return CM_OK;
}

void cm_writer_unlock_(struct cm_leftright_ *core)
{
    struct cm_turn_ turn = core->turn;
    cm_store_relaxed_(&core->turn.held.thread, (struct cm_thread_ *)NULL); /* relaxed, as above */
    cm_turn_end_(core, &turn);
}

/* The stale side becomes the active one; with `more` in the word. */
static void sides_swap(struct cm_leftright_ *core, uint64_t more)
{
    uint64_t word = cm_load_relaxed_(&core->word);
    /* Publishes the side. Pairs with the acquire of readers that enter; full: and with their fences, see
     * cm_swap_barrier_(). */
    while (!cm_swap_if_full_(&core->word, &word, (((word ^ CM_ACTIVE_) & ~CM_WAITING_) | more) + CM_PUBLICATION_))
        ;
    core->swap_fenced = (word & CM_FENCING_) != 0;
    core->begun = core->seen_swap = false;
    /* Whoever sees it sees the swap: pairs with cm_leftright_publish_(). */
    cm_store_release_(&core->pending, UINT64_C(0));
    cm_store_relaxed_(&core->published, core->published + 1); /* relaxed: see obstacle_stands() */
}

/* Publishes what is pending, for somebody who has the turn; the call is to be made without. */
static struct cm_call_ publish(struct cm_leftright_ *core)
{
    sides_swap(core, core->free_function ? CM_WAITING_ : 0);
    return core->free_function ? cm_watch_begin_(core) : (struct cm_call_){NULL, NULL};
}

/* Whether the call that ends is to publish: not one inside another one, or before writer_unlock. */
static bool is_due(const struct cm_leftright_ *core, const struct cm_turn_ *turn)
{
    return core->pending >= core->publish_at && !core->busy && (turn->got == CM_GOT_ || !core->shared);
}

void cm_turn_end_slow_(struct cm_leftright_ *core, struct cm_turn_ *turn)
{
    struct cm_call_ call = {NULL, NULL};
    if (is_due(core, turn)) {
        cm_outdated_look_(core); /* there may be no batch after this one */
        call = publish(core);
    }
    cm_map_leave_(&turn->held, turn->got);
    cm_call_make_(call);
}

cm_status cm_leftright_publish_(struct cm_leftright_ *core, bool flush)
{
    struct cm_turn_ turn;
    /* Where others have published what this thread did, its readers see that. Acquire: pairs with sides_swap().
     * Relaxed: whether a table waits to be freed is as well seen by the next call. */
    if (flush && core->shared && !cm_load_acquire_(&core->pending) && !cm_load_relaxed_(&core->outdated_count) &&
        !cm_turn_is_own_(core))
        return CM_OK;
    int got = cm_turn_begin_(core, &turn, CM_TURN_LOOKS_ | CM_TURN_BARE_, CM_FOREVER, NULL);
    if (got < 0)
        return (cm_status)got;
    cm_status status = core->busy ? CM_DEADLOCK : CM_OK;
    bool swaps = status == CM_OK && core->begun && (core->pending || !flush);
    if (status == CM_OK)
        cm_outdated_look_(core); /* as above */
    struct cm_call_ call = swaps ? publish(core) : (struct cm_call_){NULL, NULL};
    cm_turn_end_(core, &turn);
    cm_call_make_(call);
    return status;
}

cm_status cm_leftright_publish_every_(struct cm_leftright_ *core, uint64_t changes)
{
    struct cm_turn_ turn;
    int got = cm_turn_begin_(core, &turn, CM_TURN_LOOKS_ | CM_TURN_BARE_, CM_FOREVER, NULL);
    if (got < 0)
        return (cm_status)got;
    cm_status status = core->busy ? CM_DEADLOCK : CM_OK;
    if (status == CM_OK)
        core->publish_at = changes ? changes : UINT64_MAX;
    cm_turn_end_(core, &turn);
    return status;
}

bool cm_leftright_pending_(struct cm_leftright_ *core)
{
    struct cm_turn_ turn;
    if (cm_turn_begin_(core, &turn, CM_TURN_LOOKS_ | CM_TURN_BARE_, CM_FOREVER, NULL) < 0)
        return false;
    bool pending = core->pending != 0;
    cm_turn_end_(core, &turn);
    return pending;
}

cm_status cm_leftright_when_free_(struct cm_leftright_ *core, void (*function)(void *context), void *context)
{
    struct cm_turn_ turn;
    int got = cm_turn_begin_(core, &turn, CM_TURN_LOOKS_ | CM_TURN_BARE_, CM_FOREVER, NULL);
    if (got < 0)
        return (cm_status)got;
    cm_seats_lock_(core);
    cm_store_relaxed_(&core->watched, (const struct cm_seat_ *)NULL);
    core->found_free = false;
    core->free_function = function;
    core->free_context = context;
    cm_seats_unlock_(core);
    cm_turn_end_(core, &turn);
    return CM_OK;
}

/* ---- figures ---- */

cm_memory cm_leftright_memory_(struct cm_leftright_ *core)
{
    cm_memory memory = {0};
    struct cm_turn_ turn;
    if (cm_turn_begin_(core, &turn, CM_TURN_LOOKS_ | CM_TURN_BARE_, CM_FOREVER, NULL) < 0)
        return memory;
    memory.table = core->sides[0].plain.flat.block.size + core->sides[1].plain.flat.block.size;
    memory.nodes = cm_newest_(core)->plain.texts + core->bags.bytes;
    memory.waiting_tables = core->larger.block.size + core->last.block.size + core->outdated_bytes;
    memory.waiting = memory.waiting_tables + core->log.block.size;
    size_t made = cm_load_acquire_(&core->slots_made);
    memory.threads = (made + CM_SEATS_ - 1) / CM_SEATS_ * sizeof(struct cm_seat_block_);
    memory.total = memory.table + memory.nodes + memory.waiting + memory.threads;
    cm_turn_end_(core, &turn);
    return memory;
}

void cm_leftright_stats_(struct cm_leftright_ *core, const struct cm_type *type, cm_stats *stats)
{
    struct cm_turn_ turn;
    memset(stats, 0, sizeof *stats);
    cm_memory memory = cm_leftright_memory_(core);
    if (cm_turn_begin_(core, &turn, CM_TURN_LOOKS_ | CM_TURN_BARE_, CM_FOREVER, NULL) < 0)
        return;
    const struct cm_side_ *newest = cm_newest_(core);
    cm_plain_stats_(&newest->plain, type, stats);
    stats->tables += core->sides[newest == core->sides].plain.flat.slots != 0;
    stats->tables += core->larger.slots != 0;
    stats->tables += core->last.slots != 0;
    stats->tables += core->outdated_count;
    stats->grows = core->grows;
    stats->shrinks = core->shrinks;
    stats->memory = memory;
    stats->waits_counted = cm_waiters_figures_(&core->lock.waiters, &stats->waits, &stats->longest_wait);
    cm_turn_end_(core, &turn);
}

cm_publications cm_leftright_publications_(struct cm_leftright_ *core)
{
    cm_publications figures = {0};
    struct cm_turn_ turn;
    if (cm_turn_begin_(core, &turn, CM_TURN_LOOKS_ | CM_TURN_BARE_, CM_FOREVER, NULL) < 0)
        return figures;
    figures.published = core->published;
    figures.pending = (size_t)core->pending;
    figures.waits = cm_load_relaxed_(&core->waits);
    figures.longest_wait = cm_load_relaxed_(&core->longest_wait);
    cm_turn_end_(core, &turn);
    cm_seats_lock_(core);
    figures.readers = core->readers;
    cm_seats_unlock_(core);
    return figures;
}

/* ---- the whole ---- */

static void core_free(struct cm_leftright_ *core)
{
    cm_allocator allocator = core->sides[0].plain.allocator;
    struct cm_block_ block = core->block;
    for (struct cm_seat_block_ *slots = core->blocks; slots;) {
        struct cm_block_ gone = slots->block;
        slots = slots->next;
        cm_block_release_(&allocator, &gone);
    }
    if (core->log.block.address)
        cm_block_release_(&allocator, &core->log.block);
    cm_flat_free_(&core->larger, &allocator);
    cm_flat_free_(&core->last, &allocator);
    cm_outdated_end_(core);
    cm_block_release_(&allocator, &block);
}

cm_status cm_leftright_init_(struct cm_leftright_ **made, const struct cm_type *type, const cm_config *config,
                             unsigned version, size_t size)
{
    struct cm_plain_ plain;
    struct cm_block_ block;
    if (!made || version != CM_LEFTRIGHT_VERSION_ || size != sizeof(struct cm_leftright_) || (config && config->fixed))
        return CM_INVALID;
    cm_thread_get_(); /* membarrier has been probed */
    cm_status status = cm_plain_init_(&plain, type, config, CM_PLAIN_VERSION_, sizeof plain);
    if (status < 0)
        return status;
    if (!cm_block_allocate_(&plain.allocator, sizeof(struct cm_leftright_), CM_APART, true, &block)) {
        cm_plain_end_(&plain, type);
        return CM_NOMEM;
    }
    struct cm_leftright_ *core = block.address;
    core->block = block;
    core->sides[0].plain = plain;
    core->sides[0].type = core->sides[1].type = type;
    core->seen_swap = true;
    core->peeks = cm_type_peeks_(type);
    core->owns = cm_type_owns_(type);
    core->number = cm_add_relaxed_(&maps_made, 1) + 1; /* relaxed: only a name */
    core->word = CM_FENCING_;
    core->fenced = true; /* each reader sees the word as it is at least now */
    core->paced_at = cm_deadline_after(0);
    if (cm_load_relaxed_(&cm_domain_.epoch) & CM_EPOCH_FENCES_)
        core->word |= CM_NO_BARRIER_;
    cm_platform_lockfree_memory_(core, sizeof *core);
    size_t capacity = config ? config->capacity : 0;
    if (plain.limit && capacity > plain.limit)
        capacity = plain.limit;
    if (cm_plain_init_like_(&core->sides[1].plain, type, &plain, capacity) < 0) {
        cm_plain_end_(&core->sides[0].plain, type);
        core_free(core);
        return CM_NOMEM;
    }
    *made = core;
    return CM_OK;
}

void cm_leftright_end_(struct cm_leftright_ *core, const struct cm_type *type, cm_replay_ *replay)
{
    core->free_function = NULL;
    if (core->begun)
        sides_swap(core, 0);
    core->busy = true;
    if (core->owns)
        replay(core);
    unsigned active = cm_active_(core);
    cm_plain_end_(&core->sides[active].plain, type); /* (W4): what both have is destroyed once */
    if (core->bags.values)
        cm_bags_forget_(type, &core->sides[!active].plain.flat);
    cm_flat_free_(&core->sides[!active].plain.flat, &core->sides[!active].plain.allocator);
    core_free(core);
}

cm_status cm_writer_open_(struct cm_leftright_ *core, bool shared)
{
    uint32_t none = 0;
    /* Acquire: pairs with the release of closing. */
    if (!cm_swap_if_acquire_(&core->has_writer, &none, 1))
        return CM_BUSY;
    core->shared = shared;
    core->publish_at = UINT64_MAX;
    if (cm_load_relaxed_(&core->word) & CM_ENDED_)
        cm_and_relaxed_(&core->word, ~CM_ENDED_);
    return CM_OK;
}

cm_status cm_writer_close_(struct cm_leftright_ *core, bool ended)
{
    cm_status status = cm_leftright_publish_(core, false);
    if (status < 0)
        return status;
    if (ended)
        cm_or_relaxed_(&core->word, CM_ENDED_); /* relaxed: nothing else is published by it */
    cm_store_release_(&core->has_writer, 0);
    return CM_OK;
}

static bool values_agree(const struct cm_leftright_ *core, const struct cm_type *type, const char *a, const char *b)
{
    return core->bags.values ? cm_bag_same_(&core->bags, (const void *)a, (const void *)b)
                             : memcmp(a, b, type->value_size) == 0;
}

/* Whether one side has each entry of the other, with the same value. */
static bool sides_agree(const struct cm_leftright_ *core, const struct cm_type *type)
{
    const struct cm_plain_ *a = &core->sides[0].plain, *b = &core->sides[1].plain;
    struct cm_flat_walk_ walk = cm_flat_walk_begin_();
    if (a->flat.len != b->flat.len || core->sides[0].meta != core->sides[1].meta)
        return false;
    for (struct cm_flat_place_ at; (at = cm_flat_walk_next_(type, &a->flat, &walk)).entry;) {
        struct cm_flat_place_ twin = cm_flat_find_(type, &b->flat, at.entry, type->hash(at.entry, b->seed));
        if (!twin.entry || (!core->owns && twin.tag - b->flat.tags != at.tag - a->flat.tags) ||
            !values_agree(core, type, cm_flat_value_(type, at), cm_flat_value_(type, twin)))
            return false;
    }
    return true;
}

cm_status cm_leftright_check_(struct cm_leftright_ *core, const struct cm_type *type, const char **reason)
{
    bool agree = core->begun && !core->pending && !core->whole && core->log.at == (char *)core->log.block.address;
    const char *wrong = NULL;
    for (unsigned side = 0; side < 2 && !wrong; side++) {
        cm_status status = cm_plain_check_(&core->sides[side].plain, type, reason);
        if (status < 0)
            return status;
        wrong = cm_bags_check_(&core->bags, type, &core->sides[side].plain.flat);
    }
    if (!wrong && agree && !sides_agree(core, type))
        wrong = "W2: the sides differ, and there is nothing to replay";
    if (reason)
        *reason = wrong;
    return wrong ? CM_CORRUPT : CM_OK;
}

void cm_notify_fd(void *fd)
{
    CM_UNCANCELLED_();
    uint64_t one = 1;
    ssize_t written = write(*(const int *)fd, &one, sizeof one); /* a full eventfd tells already */
    (void)written;
}
