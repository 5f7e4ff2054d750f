/* Growth, shrinking and reclamation, a bounded part at a time.
 *
 * Any writer that sees map.work lends a hand: it hangs the next table on, or moves the buckets of one claim, or gives
 * back one piece of a dead table. Claims are taken from a table's cursor. A bucket that was held when its claim was
 * worked off, or waits for one that was (T3), is a straggler: it is listed and tried again by later calls. Where the
 * list is full the cursor starts again, once the tables before have moved and there is hope: something moved since it
 * last did, or the list is empty. Meanwhile the tables behind go on. */
#include <concmap/detail/move.h>

#include "platform.h"
#include "probes.h"
#include "table.h"
#include "thread_registry.h"

#define CLAIM_BYTES 4096  /* of buckets that one call moves: 64 buckets of a line */
#define FAST_UNTIL 1024   /* buckets; smaller tables grow by four, for the first steps are the dearest */
#define LEAST_SHRUNK 64   /* buckets; smaller tables do not shrink by themselves */
#define REST 64           /* calls between two tries of reclamation while readers hold it up */
#define SETTLE_TRIES 1000 /* of reclamation, before settle says that readers hold it up */

void cm_map_want_work_(struct cm_map_ *map)
{
    cm_store_relaxed_(&map->work, 1); /* relaxed: a hint */
}

/* Buckets of one claim. */
static uint64_t claim_of(const struct cm_type *type)
{
    return CLAIM_BYTES / cm_layout_of_(type).bucket;
}

/* ---- moving ---- */

static uint64_t generic_move(struct cm_map_ *map, const struct cm_type *type, struct cm_table_ *from,
                             const struct cm_table_ *before, uint64_t begin, uint64_t end)
{
    return type->move_ ? type->move_(map, from, before, begin, end)
                       : cm_buckets_move_(type, map, from, before, begin, end);
}

void cm_table_straggler_(struct cm_table_ *table, uint64_t index, uint64_t lacking)
{
    struct cm_table_ *next = cm_load_acquire_(&table->next);
    if (lacking > cm_load_relaxed_(&next->overflow_wanted)) /* relaxed: a hint, and the smaller of two comes again */
        cm_store_relaxed_(&next->overflow_wanted, lacking);
    for (size_t i = 0; i < CM_STRAGGLERS_; i++) {
        uint64_t none = 0;
        if (cm_load_relaxed_(&table->stragglers[i]) == 0 &&
            cm_swap_if_relaxed_(&table->stragglers[i], &none, index + 1))
            return;
    }
    cm_store_relaxed_(&table->rescan, 1);
}

static void table_retire(struct cm_map_ *map, struct cm_table_ *table)
{
    table->tag = cm_domain_tag_(map->domain);
    table->retired_next = cm_load_relaxed_(&map->retired);
    while (!cm_swap_if_release_(&map->retired, &table->retired_next, table)) /* pairs with cm_map_reclaim_() */
        ;
    cm_map_want_work_(map);
}

/* Swings the root past tables whose buckets have all MOVED (T4). */
static void root_swing(struct cm_map_ *map)
{
    /* Of two threads that complete two tables at once, one sees the other's count. */
    cm_fence_full_();
    struct cm_table_ *root = cm_load_acquire_(&map->root);
    while (cm_load_acquire_(&root->moved) == cm_table_buckets_(root)) {
        struct cm_table_ *next = cm_load_acquire_(&root->next);
        cm_platform_tsan_acquire_(&root->moved);
        cm_platform_tsan_release_(&map->root);
        struct cm_table_ *old = root;
        cm_add_relaxed_(&map->waiting_bytes, old->block.size); /* before: settle must not miss it */
        /* Publishes the next table's buckets to those who start at the root. */
        if (cm_swap_if_acq_rel_(&map->root, &root, next)) {
            CM_PROBE3(grow_end, map, cm_table_buckets_(old), cm_table_buckets_(next));
            table_retire(map, old);
            root = next;
        } else {
            cm_sub_relaxed_(&map->waiting_bytes, old->block.size);
        }
    }
}

static void table_count_moved(struct cm_map_ *map, struct cm_table_ *table, uint64_t moved)
{
    cm_platform_tsan_release_(&table->moved);
    /* Release: this thread's moves; acquire: those of the others, for the one who completes the count. */
    if (moved && cm_add_acq_rel_(&table->moved, moved) + moved == cm_table_buckets_(table))
        root_swing(map);
}

/* Tries the listed stragglers once more; returns how many were moved, and whether there were any in *listed. */
static uint64_t stragglers_move(struct cm_map_ *map, const struct cm_type *type, struct cm_table_ *table,
                                const struct cm_table_ *before, bool *listed)
{
    uint64_t moved = 0;
    *listed = false;
    for (size_t i = 0; i < CM_STRAGGLERS_; i++) {
        uint64_t index = cm_load_relaxed_(&table->stragglers[i]);
        *listed |= index != 0;
        if (index && cm_swap_if_relaxed_(&table->stragglers[i], &index, 0))
            moved += generic_move(map, type, table, before, index - 1, index);
    }
    table_count_moved(map, table, moved);
    return moved;
}

/* Lets the cursor start again where that is called for and there is hope. */
static void table_rescan(struct cm_table_ *table, bool hope)
{
    uint64_t moved = cm_load_relaxed_(&table->moved); /* before the flag: what is flagged later moves later */
    if (!cm_load_relaxed_(&table->rescan) || (!hope && cm_load_relaxed_(&table->rescanned_at) == moved))
        return;
    if (cm_exchange_acq_rel_(&table->rescan, 0)) {
        cm_store_relaxed_(&table->rescanned_at, moved);
        cm_store_relaxed_(&table->cursor, 0);
    }
}

/* The two halves that buckets move to enter a fresh huge page at the same time. So that no call touches two, the upper
 * half's next page is touched when the lower half is in the middle of one. */
static void page_ahead_touch(const struct cm_table_ *next, struct cm_layout_ layout, uint64_t half, uint64_t begin,
                             uint64_t end)
{
    if (next->mask < half)
        return; /* it shrinks */
    uint64_t page = CM_HUGE_PAGE_ / layout.bucket;
    uint64_t middle = begin / page * page + page / 2;
    if (begin <= middle && middle < end && middle + page / 2 < half) /* relaxed: nothing changes */
        cm_or_relaxed_(cm_bucket_state_(cm_table_bucket_(next, layout, half + middle + page / 2)), 0);
}

/* Moves one claim of a growing table. False if nothing could be moved now. */
static bool table_move_some(struct cm_map_ *map, const struct cm_type *type, struct cm_table_ *table,
                            const struct cm_table_ *before, uint64_t claim)
{
    uint64_t buckets = cm_table_buckets_(table);
    if (cm_load_relaxed_(&table->moved) == buckets)
        return false;
    struct cm_table_ *next = cm_load_acquire_(&table->next);
    uint64_t wanted = cm_load_relaxed_(&next->overflow_wanted);
    if (!cm_overflow_has_(next, wanted) && !cm_overflow_supply_(map, next, cm_layout_of_(type), wanted))
        return false; /* without memory a move may still succeed, but would as likely be undone */
    uint64_t units = cm_table_units_(table, next);
    claim = claim * units / buckets; /* of units */
    claim = claim ? claim : 1;
    if (cm_load_relaxed_(&table->cursor) < units) {
        uint64_t begin = cm_add_relaxed_(&table->cursor, claim); /* relaxed: only its uniqueness counts */
        if (begin < units) {
            uint64_t end = begin + claim < units ? begin + claim : units;
            page_ahead_touch(next, cm_layout_of_(type), buckets, begin, end);
            table_count_moved(map, table, generic_move(map, type, table, before, begin, end));
            return true;
        }
    }
    bool listed;
    if (stragglers_move(map, type, table, before, &listed))
        return true;
    if (!before)
        table_rescan(table, !listed);
    return false;
}

bool cm_map_move_some_(struct cm_map_ *map, const struct cm_type *type, uint64_t claim)
{
    const struct cm_table_ *before = NULL;
    struct cm_table_ *table = cm_load_acquire_(&map->root);
    for (; cm_load_acquire_(&table->next); before = table, table = cm_load_acquire_(&table->next))
        if (table_move_some(map, type, table, before, claim))
            return true;
    return false;
}

/* ---- growing and shrinking ---- */

static struct cm_table_ *newest_table(struct cm_map_ *map)
{
    struct cm_table_ *table = cm_load_acquire_(&map->root);
    for (struct cm_table_ *next; (next = cm_load_acquire_(&table->next)) != NULL;)
        table = next;
    return table;
}

/* Too many buckets have overflowed, and not because the hash is bad: then a larger table would not help. */
static bool table_is_full(struct cm_map_ *map, const struct cm_type *type, const struct cm_table_ *table)
{
    uint64_t overflowed = cm_load_relaxed_(&table->overflowed);
    return overflowed > table->overflow_limit && overflowed >= cm_load_relaxed_(&map->overflow_retry) &&
           cm_map_len_(map) >= cm_table_capacity_(cm_layout_of_(type), cm_table_buckets_(table)) / 2;
}

static uint64_t larger_than(const struct cm_table_ *table, uint64_t least)
{
    uint64_t buckets = cm_table_buckets_(table) * (cm_table_buckets_(table) < FAST_UNTIL ? 4 : 2);
    return least > buckets ? least : buckets;
}

/* A next table was hung on, by who alone may do that now. */
static void resize_note(struct cm_map_ *map, uint64_t buckets, uint64_t next)
{
    uint64_t *count = next > buckets ? &map->grows : &map->shrinkages;
    cm_store_relaxed_(count, *count + 1); /* relaxed: a figure */
    CM_PROBE3(grow_begin, map, buckets, next);
}

static cm_status next_make(struct cm_map_ *map, const struct cm_type *type, struct cm_table_ *table, uint64_t buckets)
{
    struct cm_table_ *next = cm_table_make_(map, cm_layout_of_(type), buckets);
    if (!next)
        return CM_NOMEM;
    next->generation = table->generation + 1;
    next->overflow_wanted = claim_of(type) / 8 + 1;
    cm_platform_tsan_release_(&table->next);
    /* Publishes the header. Pairs with the acquires of those who follow MOVED, and of movers. */
    cm_store_release_(&table->next, next);
    resize_note(map, cm_table_buckets_(table), buckets);
    cm_map_want_work_(map);
    return CM_OK;
}

/* The largest step of shrinking: so many buckets are locked at a time. */
#define SHRINK_STEP 16

/* Only one thread makes a table at a time. False: somebody else is at it. */
static bool tables_lock(struct cm_map_ *map)
{
    /* The load, because this is asked by every writer while a map grows. Acquire: pairs with tables_unlock(). */
    return !cm_load_relaxed_(&map->growing) && !cm_exchange_acquire_(&map->growing, 1);
}

static void tables_unlock(struct cm_map_ *map)
{
    cm_store_release_(&map->growing, 0);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

cm_status cm_map_grow_(struct cm_map_ *map, const struct cm_type *type, uint64_t least)
{
    if (map->fixed)
        return CM_OK;
    if (!tables_lock(map))
        return CM_BUSY;
    struct cm_table_ *table = newest_table(map);
    cm_status status = CM_OK;
    if (!cm_table_is_empty_(table) &&
        (cm_table_buckets_(table) < least || (!least && table_is_full(map, type, table)))) {
        status = next_make(map, type, table, larger_than(table, least));
        /* Where it fails the full table serves on; it is tried again when a sixteenth more has overflowed. */
        uint64_t more = cm_load_relaxed_(&table->overflowed) + cm_table_buckets_(table) / 16 + 1;
        cm_store_relaxed_(&map->overflow_retry, status == CM_OK ? 0 : more);
    }
    tables_unlock(map);
    return status;
}

/* Hangs a smaller table on, for so many entries; but in steps. */
static cm_status table_shrink(struct cm_map_ *map, const struct cm_type *type, struct cm_table_ *table,
                              uint64_t buckets)
{
    if (cm_table_is_empty_(table) || cm_table_buckets_(table) <= buckets)
        return CM_OK;
    return next_make(map, type, table, larger(buckets, cm_table_buckets_(table) / SHRINK_STEP));
}

cm_status cm_map_shrink_(struct cm_map_ *map, const struct cm_type *type, uint64_t buckets)
{
    if (!tables_lock(map))
        return CM_BUSY;
    cm_status status = table_shrink(map, type, newest_table(map), buckets);
    tables_unlock(map);
    return status;
}

/* The least buckets that a map shrinks to by itself. */
static uint64_t least_shrunk(const struct cm_map_ *map)
{
    return larger(cm_load_relaxed_(&map->least_buckets), LEAST_SHRUNK);
}

static bool table_is_sparse(struct cm_map_ *map, const struct cm_type *type, const struct cm_table_ *table)
{
    uint64_t buckets = cm_table_buckets_(table);
    return !cm_load_acquire_(&table->next) && buckets > least_shrunk(map) &&
           cm_map_len_(map) < cm_table_capacity_(cm_layout_of_(type), buckets) / 8;
}

/* Shrinks where that was asked for at init and the table is less than an eighth full; then it is a quarter full, or
 * more. */
static void shrink_if_sparse(struct cm_map_ *map, const struct cm_type *type)
{
    struct cm_table_ *table = cm_load_acquire_(&map->root);
    if (!map->shrinks || map->fixed || !table_is_sparse(map, type, table) || !tables_lock(map))
        return;
    uint64_t wanted = cm_table_buckets_for_(cm_layout_of_(type), cm_map_len_(map) * 2);
    if (table_is_sparse(map, type, table)) /* still */
        table_shrink(map, type, table, larger(wanted, least_shrunk(map)));
    tables_unlock(map);
}

/* ---- reclamation ---- */

static void retired_push_back(struct cm_map_ *map, struct cm_table_ *list)
{
    while (list) {
        struct cm_table_ *next = list->retired_next;
        list->retired_next = cm_load_relaxed_(&map->retired);
        while (!cm_swap_if_release_(&map->retired, &list->retired_next, list))
            ;
        list = next;
    }
}

/* Gives back a piece of a table that readers have left, or of its pages, where look-ups pin nothing; returns whether
 * the list is done with it. */
static bool table_give_part(struct cm_map_ *map, struct cm_table_ *table)
{
    size_t before = table->block.size - table->emptied;
    if (!map->keeps) {
        bool gone = cm_table_free_part_(map, table);
        cm_sub_relaxed_(&map->waiting_bytes, gone ? before : before - table->block.size);
        return gone;
    }
    bool done = cm_table_empty_part_(map, table);
    cm_sub_relaxed_(&map->waiting_bytes, done ? before : before - (table->block.size - table->emptied));
    return done;
}

/* Gives back one piece of one table; returns the list less what is gone. */
static struct cm_table_ *retired_free_some(struct cm_map_ *map, struct cm_table_ *list)
{
    for (struct cm_table_ **link = &list; *link; link = &(*link)->retired_next) {
        struct cm_table_ *table = *link;
        if (!cm_domain_passed_(map->domain, table->tag))
            continue;
        struct cm_table_ *next = table->retired_next;
        if (table_give_part(map, table)) {
            *link = next;
            if (map->keeps) {
                table->retired_next = map->dead;
                map->dead = table;
            }
        }
        break;
    }
    return list;
}

bool cm_map_reclaim_(struct cm_map_ *map, bool patient)
{
    if (cm_load_relaxed_(&map->waiting_bytes) == 0)
        return true;
    if (cm_exchange_acquire_(&map->reclaiming, 1))
        return false;
    if (!patient || map->rest == 0) {
        struct cm_table_ *list = cm_exchange_acq_rel_(&map->retired, (struct cm_table_ *)NULL);
        bool waits = list && !cm_domain_passed_(map->domain, list->tag);
        if (waits) {
            cm_domain_advance_(map->domain);
            map->rest = REST;
        }
        retired_push_back(map, retired_free_some(map, list));
    } else {
        map->rest--;
    }
    cm_store_release_(&map->reclaiming, 0); /* pairs with the exchange above */
    return cm_load_relaxed_(&map->waiting_bytes) == 0;
}

/* Nodes that threads have retired. */
struct nodes_wait {
    struct cm_map_ *map;
    bool wait;
};

static void nodes_collect(uint32_t index, void *context)
{
    struct nodes_wait *nodes = context;
    struct cm_map_ *map = nodes->map;
    nodes->wait |= !cm_pool_collect_(&map->pool, &map->allocator, &map->waiters, index);
}

/* Gives back what the calling thread has retired, and threads that have ended; true when nothing of it waits. */
static bool nodes_reclaim(struct cm_map_ *map)
{
    struct nodes_wait nodes = {map, false};
    nodes_collect(cm_thread_get_()->index, &nodes);
    cm_thread_visit_free_(nodes_collect, &nodes);
    return !nodes.wait;
}

/* ---- together ---- */

static bool map_is_growing(struct cm_map_ *map)
{
    return cm_load_acquire_(&cm_load_acquire_(&map->root)->next) != NULL;
}

void cm_map_help_(struct cm_map_ *map, const struct cm_type *type)
{
    struct cm_pin_ pin = cm_pin_enter_of_(map->domain);
    cm_store_relaxed_(&map->work, 0); /* before looking: who wants work later sets it again */
    /* Whoever makes a table moves nothing: each of the two may touch a fresh huge page. */
    bool growing = map_is_growing(map);
    cm_map_grow_(map, type, 0);
    shrink_if_sparse(map, type);
    bool moving = growing && cm_map_move_some_(map, type, claim_of(type));
    bool more = map_is_growing(map);
    cm_pin_leave_(pin);
    if (more || (!moving && !cm_map_reclaim_(map, true)) || cm_load_relaxed_(&map->waiting_bytes))
        cm_map_want_work_(map);
}

bool cm_map_step_(struct cm_map_ *map, const struct cm_type *type, size_t buckets)
{
    uint64_t claim = claim_of(type);
    struct cm_pin_ pin = cm_pin_enter_of_(map->domain);
    bool moving = true;
    for (size_t moved = 0; moving && moved < buckets; moved += claim)
        moving = cm_map_move_some_(map, type, buckets - moved < claim ? buckets - moved : claim);
    bool more = map_is_growing(map);
    cm_pin_leave_(pin);
    more |= !cm_map_reclaim_(map, false);
    return !nodes_reclaim(map) || more;
}

/* Moves what can be moved; false if buckets remain that others hold. */
static bool map_finish_moving(struct cm_map_ *map, const struct cm_type *type)
{
    bool more;
    for (unsigned tries = 0; tries < SETTLE_TRIES; tries++) {
        struct cm_pin_ pin = cm_pin_enter_of_(map->domain);
        while (cm_map_move_some_(map, type, claim_of(type)))
            ;
        more = map_is_growing(map);
        cm_pin_leave_(pin);
        if (!more)
            return true;
        cm_spin_hint_();
    }
    return false;
}

cm_status cm_map_shrink_to_fit_(struct cm_map_ *map, const struct cm_type *type)
{
    if (map->fixed)
        return CM_OK;
    cm_store_relaxed_(&map->least_buckets, 0);
    for (unsigned tries = 0; tries < SETTLE_TRIES; tries++) {
        if (!map_finish_moving(map, type))
            return CM_BUSY;
        uint64_t wanted = cm_table_buckets_for_(cm_layout_of_(type), cm_map_len_(map));
        struct cm_pin_ pin = cm_pin_enter_of_(map->domain);
        bool fits = cm_table_buckets_(newest_table(map)) <= wanted;
        cm_status status = fits ? CM_OK : cm_map_shrink_(map, type, wanted);
        cm_pin_leave_(pin);
        if (fits)
            break;
        if (status == CM_NOMEM)
            return status;
    }
    return cm_map_settle_(map, type);
}

cm_status cm_map_settle_(struct cm_map_ *map, const struct cm_type *type)
{
    cm_marks_tidy_(map);
    if (!map_finish_moving(map, type))
        return CM_BUSY;
    for (unsigned tries = 0; tries < SETTLE_TRIES; tries++) {
        size_t waiting = cm_load_relaxed_(&map->waiting_bytes);
        bool nodes_gone = nodes_reclaim(map);
        if (cm_map_reclaim_(map, false) && nodes_gone)
            return CM_OK;
        if (cm_load_relaxed_(&map->waiting_bytes) != waiting)
            tries = 0; /* it goes on, a piece at a time */
    }
    return CM_BUSY;
}
