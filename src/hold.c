/* Holds beyond the first block, and the search for circles of waits. */
#include <concmap/detail/hold.h>

#include <concmap/detail/cell.h>
#include <concmap/detail/pool.h>
#include <pthread.h>

#include "checked.h"
#include "parking.h"
#include "platform.h"
#include "thread_registry.h"

#define BLOCK_BYTES 4096
#define CONFIRM_NS 1000000 /* a circle that still stands after so long is one: a thread just woken has run */

/* ---- further blocks ---- */

static struct cm_hold_block_ *block_make(void)
{
    struct cm_hold_block_ *blocks = cm_platform_map_(BLOCK_BYTES, BLOCK_BYTES, false);
    if (!blocks)
        return NULL;
    cm_platform_lockfree_memory_(blocks, BLOCK_BYTES);
    size_t count = BLOCK_BYTES / sizeof *blocks;
    for (size_t i = 0; i + 1 < count; i++)
        blocks[i].more = &blocks[i + 1];
    return blocks;
}

/* The next hold, in any state. */
static struct cm_hold_ *holds_next(struct cm_hold_walk_ *walk)
{
    if (walk->i == CM_HOLDS_) {
        walk->block = cm_load_acquire_(&walk->block->more);
        walk->i = 0;
    }
    return walk->block ? &walk->block->holds[walk->i++] : NULL;
}

struct cm_hold_ *cm_hold_take_more_(struct cm_thread_ *thread)
{
    struct cm_hold_walk_ walk = cm_holds_of_(thread);
    struct cm_hold_block_ *last = walk.block;
    for (struct cm_hold_ *hold; (hold = holds_next(&walk)) != NULL; last = walk.block)
        if (!hold->cell)
            return hold;
    struct cm_hold_block_ *more = thread->index == CM_STRANGER_ ? NULL : block_make();
    if (!more)
        return NULL;
    cm_store_release_(&last->more, more); /* pairs with holds_next() */
    return more->holds;
}

struct cm_hold_ *cm_hold_next_(struct cm_hold_walk_ *walk, const uint64_t *cell)
{
    struct cm_hold_ *hold;
    do
        hold = holds_next(walk);
    while (hold && cm_load_relaxed_(&hold->cell) != cell);
    return hold;
}

struct cm_hold_ *cm_hold_find_(struct cm_thread_ *thread, const uint64_t *cell)
{
    struct cm_hold_walk_ walk = cm_holds_of_(thread);
    return cm_hold_next_(&walk, cell);
}

struct cm_hold_ *cm_hold_find_exclusive_(struct cm_thread_ *thread, const struct cm_waiters_ *waiters)
{
    struct cm_hold_walk_ walk = cm_holds_of_(thread);
    struct cm_hold_ *hold;
    do
        hold = holds_next(&walk);
    while (hold && !(hold->cell && hold->exclusive && hold->waiters == waiters));
    return hold;
}

static pthread_mutex_t waits =
    PTHREAD_MUTEX_INITIALIZER; /* the waits that are published, and the dead; behind it, lots only */

/* ---- the dead ---- */

static struct cm_thread_ *dead; /* records of ended threads with holds that nobody has dealt with, by next_free */

static struct cm_hold_ *dead_next(struct cm_hold_ *hold, bool (*wanted)(const struct cm_hold_ *, const void *),
                                  const void *what)
{
    bool past = hold == NULL;
    for (struct cm_thread_ *thread = dead; thread; thread = thread->next_free) {
        struct cm_hold_walk_ walk = cm_holds_of_(thread);
        for (struct cm_hold_ *at; (at = holds_next(&walk)) != NULL; past |= at == hold)
            if (past && at->died && wanted(at, what))
                return at;
    }
    return NULL;
}

static bool is_of_cell(const struct cm_hold_ *hold, const void *cell)
{
    return cm_load_relaxed_(&hold->cell) == cell;
}

static bool is_of_map(const struct cm_hold_ *hold, const void *waiters)
{
    return hold->waiters == waiters;
}

struct cm_hold_ *cm_hold_next_died_(const uint64_t *cell, struct cm_hold_ *hold)
{
    pthread_mutex_lock(&waits);
    hold = dead_next(hold, is_of_cell, cell);
    pthread_mutex_unlock(&waits);
    return hold;
}

static bool thread_has_died_holds(struct cm_thread_ *thread)
{
    struct cm_hold_walk_ walk = cm_holds_of_(thread);
    for (struct cm_hold_ *at; (at = holds_next(&walk)) != NULL;)
        if (at->died)
            return true;
    return false;
}

static void hold_clear(struct cm_hold_ *hold)
{
    hold->died = hold->intact = false;
    cm_store_relaxed_(&hold->cell, (const uint64_t *)NULL);
}

/* Takes the records without holds off the list, for other threads to use. Returns them. */
static struct cm_thread_ *dead_release(void)
{
    struct cm_thread_ *free = NULL;
    for (struct cm_thread_ **link = &dead; *link;) {
        struct cm_thread_ *thread = *link;
        if (thread_has_died_holds(thread)) {
            link = &thread->next_free;
            continue;
        }
        *link = thread->next_free;
        thread->next_free = free;
        free = thread;
    }
    return free;
}

void cm_hold_bury_(struct cm_hold_ *hold)
{
    pthread_mutex_lock(&waits);
    hold_clear(hold);
    struct cm_thread_ *free = dead_release();
    pthread_mutex_unlock(&waits);
    cm_thread_release_(free);
}

void cm_holds_bury_all_(const struct cm_waiters_ *waiters)
{
    pthread_mutex_lock(&waits);
    for (struct cm_hold_ *hold; (hold = dead_next(NULL, is_of_map, waiters)) != NULL;)
        hold_clear(hold);
    struct cm_thread_ *free = dead_release();
    pthread_mutex_unlock(&waits);
    cm_thread_release_(free);
}

void cm_holds_swap_(struct cm_waiters_ *a, struct cm_waiters_ *b)
{
    pthread_mutex_lock(&waits);
    for (struct cm_thread_ *thread = dead; thread; thread = thread->next_free) {
        struct cm_hold_walk_ walk = cm_holds_of_(thread);
        for (struct cm_hold_ *hold; (hold = holds_next(&walk)) != NULL;)
            hold->waiters = hold->waiters == a ? b : hold->waiters == b ? a : hold->waiters;
    }
    pthread_mutex_unlock(&waits);
}

static const struct cm_freezing_ *freezing_by;

void cm_holds_freeze_by_(const struct cm_freezing_ *freezing)
{
    cm_store_relaxed_(&freezing_by, freezing); /* relaxed: published with the holds */
}

static bool is_of_frozen_map(const struct cm_hold_ *hold)
{
    return hold->cell == (const uint64_t *)(const void *)hold->waiters;
}

/* What only the guard knew of waits until the map is destroyed. */
static void nodes_orphan(const struct cm_hold_ *hold)
{
    if (!hold->orphans)
        return;
    if (hold->spare)
        cm_node_orphan_(hold->orphans, hold->spare);
    for (struct cm_node_ *node = hold->removed, *next; node; node = next) {
        next = cm_node_next_(node);
        cm_node_orphan_(hold->orphans, node);
    }
}

static bool is_counted(const struct cm_hold_ *hold)
{
    return hold->exclusive && hold->counted;
}

/* Whether the thread ends amid an entry, which is there, and may have been changed in part. */
static bool leaves_half_done(const struct cm_hold_ *hold)
{
    if (is_of_frozen_map(hold) || !hold->exclusive || hold->intact)
        return false;
    return (cm_load_relaxed_((uint64_t *)(void *)hold->bucket) & CM_SLOT_BIT_(hold->slot)) != 0;
}

/* Gives back one lock of a thread that ends. What it may have left half done is marked. */
static void hold_end(struct cm_thread_ *thread, struct cm_hold_ *hold)
{
    uint64_t *cell = (uint64_t *)(uintptr_t)hold->cell;
    if (is_of_frozen_map(hold)) {
        hold_clear(hold);
        cm_load_relaxed_(&freezing_by)->thaw(hold->waiters, hold->slot);
        return;
    }
    if (!hold->exclusive) {
        if (hold->traced)
            cm_value_return_(hold->lent);
        hold_clear(hold);
        cm_cell_unshare_hidden_(cell, hold->waiters);
        return;
    }
    nodes_orphan(hold);
    hold->died = leaves_half_done(hold);
    /* UNTIDY: an insert may have linked a bucket that is empty. */
    cm_store_relaxed_(cell, cm_load_relaxed_(cell) | CM_UNTIDY_ | (hold->died ? CM_DIED_ : 0));
    if (!hold->died) {
        if (hold->admitted)
            cm_sub_relaxed_(hold->admitted, 1);
        hold_clear(hold);
    }
    struct cm_hold_walk_ walk = cm_holds_of_(thread);
    for (struct cm_hold_ *other; (other = cm_hold_next_(&walk, cell)) != NULL;)
        if (other->exclusive && !other->died)
            return; /* the cell is given back with that one */
    cm_platform_tsan_release_(cell);
    cm_cell_unlock_(cell, cm_load_relaxed_(cell), hold->waiters);
}

static cm_use_end_ *use_end;

/* A use of an entry whose thread has ended. */
struct use {
    const struct cm_type *type;
    uint64_t *cell;
};
#define USES_AT_ONCE 64 /* of more, some stay locked while code of the user runs for others */

void cm_holds_count_by_(cm_use_end_ *end)
{
    if (cm_load_relaxed_(&use_end) != end) /* relaxed: there is one, published with the first entry that is counted */
        cm_store_relaxed_(&use_end, end);
}

/* Gives back what leaves nothing to be looked for among the dead: code of the user runs next, and may wait for those
 * who wait for it. */
static void holds_end_early(struct cm_thread_ *thread)
{
    struct cm_hold_walk_ walk = cm_holds_of_(thread);
    pthread_mutex_lock(&waits);
    for (struct cm_hold_ *hold; (hold = holds_next(&walk)) != NULL;)
        if (hold->cell && !is_counted(hold) && !leaves_half_done(hold)) {
            hold_end(thread, hold);
            thread->holding--;
        }
    pthread_mutex_unlock(&waits);
}

/* Unlocks the next entries that are counted; their uses are still to be given back. How many. */
static size_t uses_unlock(struct cm_thread_ *thread, struct cm_hold_walk_ *walk, struct use uses[USES_AT_ONCE])
{
    size_t n = 0;
    pthread_mutex_lock(&waits);
    for (struct cm_hold_ *hold; n < USES_AT_ONCE && (hold = holds_next(walk)) != NULL;) {
        if (!hold->cell || !is_counted(hold))
            continue;
        uses[n++] = (struct use){hold->counted, (uint64_t *)(uintptr_t)hold->cell};
        hold_end(thread, hold);
        thread->holding--;
    }
    pthread_mutex_unlock(&waits);
    return n;
}

void cm_uses_end_(struct cm_thread_ *thread)
{
    struct use uses[USES_AT_ONCE];
    struct cm_hold_walk_ walk = cm_holds_of_(thread);
    holds_end_early(thread);
    for (size_t n; (n = uses_unlock(thread, &walk, uses)) != 0;)
        for (size_t i = 0; i < n; i++)
            cm_load_relaxed_ (&use_end)(uses[i].type, uses[i].cell); /* which may run code of the user */
}

bool cm_holds_end_(struct cm_thread_ *thread)
{
    struct cm_hold_walk_ walk = cm_holds_of_(thread);
    pthread_mutex_lock(&waits); /* until the record is listed: who finds DIED looks for it there */
    for (struct cm_hold_ *hold; (hold = holds_next(&walk)) != NULL;)
        if (hold->cell)
            hold_end(thread, hold);
    thread->holding = 0;
    bool died = thread_has_died_holds(thread);
    if (died) {
        thread->next_free = dead;
        dead = thread;
    }
    pthread_mutex_unlock(&waits);
    return died;
}

bool cm_holds_forget_(struct cm_thread_ *thread)
{
    if (thread_has_died_holds(thread))
        return false;
    struct cm_hold_walk_ walk = cm_holds_of_(thread);
    for (struct cm_hold_ *hold; (hold = holds_next(&walk)) != NULL;)
        hold_clear(hold);
    thread->holding = 0;
    thread->waits_for = NULL;
    thread->victim = 0;
    return true;
}

void cm_waits_lock_(void)
{
    pthread_mutex_lock(&waits);
}

void cm_waits_unlock_(void)
{
    pthread_mutex_unlock(&waits);
}

/* ---- circles ---- */

static uint64_t searches;

struct cm_hold_ *cm_hold_freeze_of_(struct cm_thread_ *thread, const uint64_t *cell, struct cm_waiters_ *waiters)
{
    struct cm_hold_ *hold = cm_hold_find_(thread, (const uint64_t *)(const void *)waiters);
    if (!hold)
        return NULL;
    const struct cm_freezing_ *by = cm_load_relaxed_(&freezing_by);
    return by->is_reached(waiters, hold->slot, cell, cm_load_relaxed_(&hold->reached)) ? hold : NULL;
}

/* What the thread holds that the waiter waits for: the cell, or the whole map, frozen. */
static struct cm_hold_ *hold_of(struct cm_thread_ *thread, const uint64_t *cell, const struct cm_want_ *want)
{
    struct cm_hold_ *hold = cm_hold_find_(thread, cell);
    /* Its shares bar readers, too, if a writer waits for them. */
    bool bars = want->exclusive || !(cm_load_relaxed_(cell) & CM_WRITER_);
    return hold || !bars ? hold : cm_hold_freeze_of_(thread, cell, want->waiters);
}

/* The holders of a cell that wait themselves join the search. True: the searcher is one of the holders. A waiter that
 * its cell no longer bars, and that only has not run yet, waits for nobody; until it has withdrawn, its cell is there.
 */
static bool search_holders(struct cm_thread_ *self, struct cm_thread_ *waiter, struct cm_thread_ ***tail)
{
    const uint64_t *cell = cm_load_relaxed_(&waiter->waits_for);
    if (cell && !cm_cell_bars_(&waiter->want, cm_load_relaxed_(cell)))
        return false;
    for (struct cm_thread_ *thread = cm_thread_records_(); cell && thread; thread = thread->next) {
        bool asleep = thread == self || cm_load_relaxed_(&thread->waits_for); /* first: then its holds stay (H2) */
        if (thread == waiter || !asleep || !hold_of(thread, cell, &waiter->want))
            continue;
        if (thread == self)
            return true;
        if (thread->search == searches)
            continue;
        thread->search = searches;
        thread->from = waiter;
        thread->search_next = NULL;
        **tail = thread;
        *tail = &thread->search_next;
    }
    return false;
}

/* The last thread of a circle of waits that leads back to `self`, the others by `from`; NULL: there is none. */
static struct cm_thread_ *circle_find(struct cm_thread_ *self)
{
    struct cm_thread_ **tail = &self->search_next;
    self->search = ++searches;
    self->search_next = self->from = NULL;
    for (struct cm_thread_ *waiter = self; waiter; waiter = waiter->search_next)
        if (search_holders(self, waiter, &tail))
            return waiter;
    return NULL;
}

/* One of the circle whose call can say so: `self`, if possible. */
static struct cm_thread_ *victim_of(struct cm_thread_ *self, struct cm_thread_ *circle)
{
    if (self->reports)
        return self;
    for (; circle; circle = circle->from)
        if (circle->reports)
            return circle;
    return self;
}

/* What the victim's hook is told: who has what it waits for. */
static void circle_describe(struct cm_thread_ *self, struct cm_thread_ *circle, struct cm_thread_ *victim)
{
    struct cm_thread_ *holder = self;
    victim->circle = (cm_deadlock){.wanted = victim->at};
    for (struct cm_thread_ *thread = circle; thread; thread = thread->from) {
        victim->circle.threads++;
        if (thread->from == victim)
            holder = thread;
    }
    const uint64_t *cell = cm_load_relaxed_(&victim->waits_for);
    const struct cm_hold_ *hold = cell ? hold_of(holder, cell, &victim->want) : NULL;
    if (hold)
        victim->circle.held = cm_hold_site_(hold);
}

/* A circle that has stood for a while; the lock is let go meanwhile. */
static struct cm_thread_ *circle_confirm(struct cm_thread_ *thread)
{
    if (!circle_find(thread))
        return NULL;
    pthread_mutex_unlock(&waits);
    cm_deadline end = cm_deadline_after(CONFIRM_NS);
    uint32_t nothing = 0;
    for (cm_deadline now; (now = cm_deadline_after(0)) < end;)
        cm_platform_sleep_(&nothing, 0, (int64_t)(end - now)); /* may return early */
    pthread_mutex_lock(&waits);
    return circle_find(thread);
}

bool cm_wait_publish_(struct cm_thread_ *thread, const uint64_t *cell, struct cm_want_ want, bool reports)
{
    if (thread->index == CM_STRANGER_)
        return true;
    pthread_mutex_lock(&waits);
    cm_store_relaxed_(&thread->victim, 0);
    thread->reports = reports;
    thread->want = want;
    cm_store_relaxed_(&thread->waits_for, cell);
    struct cm_thread_ *victim = NULL;
    /* Until none is left: one wait may close several. */
    for (struct cm_thread_ *circle; victim != thread && (circle = circle_confirm(thread)) != NULL;) {
        victim = victim_of(thread, circle);
        circle_describe(thread, circle, victim);
        const uint64_t *wake = cm_load_relaxed_(&victim->waits_for);
        cm_store_relaxed_(&victim->victim, victim != thread);
        cm_store_relaxed_(&victim->waits_for, (const uint64_t *)NULL);
        if (victim != thread)
            cm_unpark_(wake, true);
    }
    pthread_mutex_unlock(&waits);
    return victim != thread;
}

bool cm_wait_withdraw_(struct cm_thread_ *thread)
{
    if (thread->index == CM_STRANGER_)
        return true;
    pthread_mutex_lock(&waits);
    cm_store_relaxed_(&thread->waits_for, (const uint64_t *)NULL);
    bool victim = cm_load_relaxed_(&thread->victim);
    cm_store_relaxed_(&thread->victim, 0);
    pthread_mutex_unlock(&waits);
    return !victim;
}

static void tell(const struct cm_thread_ *thread, const cm_deadlock *deadlock)
{
    if (!thread->hushed)
        cm_deadlock_tell_(deadlock);
}

void cm_hold_tell_(struct cm_thread_ *thread, const struct cm_hold_ *hold)
{
    cm_deadlock deadlock = {.wanted = thread->at, .held = cm_hold_site_(hold), .threads = 1};
    tell(thread, &deadlock);
}

void cm_wait_tell_(struct cm_thread_ *thread)
{
    tell(thread, &thread->circle);
}
