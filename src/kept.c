/* Chains in which places are kept: by the calling thread's own guards and calls, or by threads that ended. */
#include <concmap/detail/write.h>

#include "platform.h"
#include "thread_registry.h"

/* ---- tidying ---- */

static unsigned chain_gaps(char *bucket, size_t slots)
{
    unsigned occupied = cm_state_occupied_(cm_load_relaxed_(cm_bucket_state_(bucket)));
    return ~occupied & ((1u << slots) - 1);
}

/* The last bucket of the chain; `*before` takes the one before it, or NULL. */
static char *chain_last(struct cm_layout_ layout, char *head, char **before)
{
    *before = NULL;
    char *bucket = head;
    while (cm_load_relaxed_(cm_bucket_state_(bucket)) & CM_CHAINED_) {
        *before = bucket;
        bucket = *cm_bucket_link_(bucket, layout);
    }
    return bucket;
}

static void entry_move(const struct cm_type *type, struct cm_layout_ layout, struct cm_place_ to, struct cm_place_ from)
{
    if (layout.nodes) {
        cm_bucket_set_slot_(to.bucket, to.slot, *cm_bucket_slot_(from.bucket, from.slot));
    } else {
        cm_bucket_set_key_(type, layout, to.bucket, to.slot, cm_bucket_key_(type, layout, from.bucket, from.slot));
        memcpy(cm_bucket_value_(type, layout, to.bucket, to.slot),
               cm_bucket_value_(type, layout, from.bucket, from.slot), type->value_size);
    }
    cm_bucket_flip_(to.bucket, CM_SLOT_BIT_(to.slot));
    cm_bucket_flip_(from.bucket, CM_SLOT_BIT_(from.slot));
}

void cm_chain_trim_(struct cm_table_ *table, struct cm_layout_ layout, char *head)
{
    for (;;) {
        char *before;
        char *last = chain_last(layout, head, &before);
        if (!before || cm_state_occupied_(cm_load_relaxed_(cm_bucket_state_(last))))
            return;
        cm_bucket_flip_(before, CM_CHAINED_);
        cm_overflow_give_(table, layout.bucket, last);
    }
}

/* Fills the gaps of one bucket from the end of the chain, which may be the bucket itself. */
static void bucket_fill(const struct cm_type *type, struct cm_table_ *table, char *head, char *bucket)
{
    struct cm_layout_ layout = cm_layout_of_(type);
    for (;;) {
        cm_chain_trim_(table, layout, head);
        char *before;
        char *last = chain_last(layout, head, &before);
        unsigned gaps = chain_gaps(bucket, layout.slots);
        unsigned occupied = cm_state_occupied_(cm_load_relaxed_(cm_bucket_state_(last)));
        if (!gaps || !occupied)
            return;
        struct cm_place_ to = {bucket, (unsigned)__builtin_ctz(gaps)};
        struct cm_place_ from = {last, 31u - (unsigned)__builtin_clz(occupied)};
        if (last == bucket && from.slot < to.slot)
            return;
        entry_move(type, layout, to, from);
    }
}

void cm_chain_tidy_(const struct cm_type *type, struct cm_table_ *table, char *head)
{
    struct cm_layout_ layout = cm_layout_of_(type);
    if (type->anchored)
        cm_chain_trim_(table, layout, head);
    for (char *bucket = head; !type->anchored;) {
        bucket_fill(type, table, head, bucket);
        if (!(cm_load_relaxed_(cm_bucket_state_(bucket)) & CM_CHAINED_))
            break;
        bucket = *cm_bucket_link_(bucket, layout);
    }
    cm_bucket_flip_(head, cm_load_relaxed_(cm_bucket_state_(head)) & CM_UNTIDY_);
}

/* Gaps were left in the chain. In an anchored map they always may be. */
static void chain_untidy(const struct cm_type *type, char *head)
{
    if (type->anchored)
        return;
    cm_bucket_flip_(head, ~cm_load_relaxed_(cm_bucket_state_(head)) & CM_UNTIDY_);
}

/* ---- places that are kept ---- */

static bool hold_is_at(const struct cm_hold_ *hold, struct cm_place_ place)
{
    return hold->bucket == place.bucket && hold->slot == place.slot;
}

struct cm_hold_ *cm_kept_died_at_(const uint64_t *cell, struct cm_place_ place)
{
    struct cm_hold_ *hold = NULL;
    while ((hold = cm_hold_next_died_(cell, hold)) != NULL)
        if (hold_is_at(hold, place))
            return hold;
    return NULL;
}

/* Whether a hold of the cell, of the thread or of a dead one, keeps this place. */
static bool is_kept(struct cm_thread_ *thread, const uint64_t *cell, struct cm_place_ place)
{
    struct cm_hold_walk_ walk = cm_holds_of_(thread);
    for (struct cm_hold_ *hold; (hold = cm_hold_next_(&walk, cell)) != NULL;)
        if (hold_is_at(hold, place))
            return true;
    return cm_kept_died_at_(cell, place) != NULL;
}

bool cm_kept_any_(char *head)
{
    const uint64_t *cell = cm_bucket_state_(head);
    return (cm_load_relaxed_(cell) & CM_UNUSUAL_) || cm_hold_find_(cm_thread_get_(), cell);
}

void cm_kept_unlock_(const struct cm_type *type, struct cm_map_ *map, const struct cm_held_ *held)
{
    uint64_t *cell = cm_bucket_state_(held->head);
    struct cm_hold_walk_ walk = cm_holds_of_(cm_thread_get_());
    for (struct cm_hold_ *hold; (hold = cm_hold_next_(&walk, cell)) != NULL;)
        if (hold->exclusive)
            return; /* it is given back with that one */
    uint64_t word = cm_load_relaxed_(cell);
    if ((word & CM_UNTIDY_) && !(word & (CM_DIED_ | CM_READERS_)))
        cm_chain_tidy_(type, held->table, held->head);
    cm_platform_tsan_release_(cell);
    cm_cell_unlock_(cell, cm_load_relaxed_(cell), &map->waiters);
}

static bool hold_is_vacant(const struct cm_hold_ *hold)
{
    return !(cm_load_relaxed_(cm_bucket_state_(hold->bucket)) & CM_SLOT_BIT_(hold->slot));
}

/* Whether a place that is not occupied was kept for the key. */
static bool place_is_for(const struct cm_type *type, const struct cm_hold_ *hold, const void *key)
{
    const char *kept = cm_place_key_(type, (struct cm_place_){hold->bucket, hold->slot});
    return type->equal(key, kept);
}

/* The thread's hold of the key, present (at `place`) or vacant. */
static struct cm_hold_ *own_hold(const struct cm_type *type, struct cm_thread_ *thread, const uint64_t *cell,
                                 struct cm_place_ place, const void *key)
{
    struct cm_hold_walk_ walk = cm_holds_of_(thread);
    for (struct cm_hold_ *hold; (hold = cm_hold_next_(&walk, cell)) != NULL;)
        if (place.bucket ? hold_is_at(hold, place) : hold_is_vacant(hold) && place_is_for(type, hold, key))
            return hold;
    return NULL;
}

/* The bucket is held now: what is to be known of it. */
static int held_begin(const struct cm_type *type, struct cm_map_ *map, struct cm_held_ *held, const void *key,
                      uint64_t hash, bool exclusive)
{
    struct cm_layout_ layout = cm_layout_of_(type);
    struct cm_thread_ *thread = cm_thread_get_();
    uint64_t *cell = cm_bucket_state_(held->head);
    uint64_t word = cm_load_relaxed_(cell);
    bool own = cm_hold_any_(thread) && cm_hold_find_(thread, cell);
    held->unusual = own || (word & CM_DIED_);
    if (exclusive && (word & CM_UNTIDY_) && !held->unusual)
        cm_chain_tidy_(type, held->table, held->head);
    held->place = cm_chain_find_(type, layout, held->head, key, hash, &held->tail);
    struct cm_hold_ *hold = own ? own_hold(type, thread, cell, held->place, key) : NULL;
    if (hold && (exclusive || hold->exclusive)) {
        if (exclusive)
            cm_kept_unlock_(type, map, held);
        else if (!held->nested)
            cm_cell_unshare_hidden_(cell, &map->waiters);
        cm_hold_tell_(thread, hold);
        return CM_DEADLOCK;
    }
    held->died = held->place.bucket && (word & CM_DIED_) ? cm_kept_died_at_(cell, held->place) : NULL;
    return CM_OK;
}

int cm_map_wait_(const struct cm_type *type, struct cm_map_ *map, struct cm_held_ *held, const void *key, uint64_t hash,
                 bool exclusive, cm_deadline deadline)
{
    struct cm_wait_ wait = {&map->waiters, deadline, CM_WAIT_REPORTS_};
    int got = exclusive ? cm_bucket_lock_(type, map, held->head, &wait)
                        : cm_cell_wait_(cm_bucket_state_(held->head), false, &wait);
    held->nested = got == CM_GOT_NESTED_;
    if (got != CM_GOT_ && !held->nested)
        return got;
    return held_begin(type, map, held, key, hash, exclusive);
}

struct cm_place_ cm_kept_extend_(const struct cm_type *type, const struct cm_held_ *held)
{
    struct cm_layout_ layout = cm_layout_of_(type);
    struct cm_thread_ *thread = cm_thread_get_();
    const uint64_t *cell = cm_bucket_state_(held->head);
    struct cm_place_ place = {held->head, 0};
    chain_untidy(type, held->head); /* a place before it may be kept, and never be taken */
    for (;; place.bucket = *cm_bucket_link_(place.bucket, layout)) {
        for (unsigned gaps = chain_gaps(place.bucket, layout.slots); gaps; gaps &= gaps - 1) {
            place.slot = (unsigned)__builtin_ctz(gaps);
            if (!is_kept(thread, cell, place))
                return place;
        }
        if (place.bucket == held->tail)
            break;
    }
    place.bucket = cm_overflow_take_(held->table, layout.bucket);
    place.slot = 0;
    if (place.bucket) {
        cm_store_release_(cm_bucket_link_(held->tail, layout), place.bucket); /* as in cm_chain_extend_() */
        cm_bucket_flip_(held->tail, CM_CHAINED_);
    }
    return place;
}

void cm_kept_remove_(const struct cm_type *type, const struct cm_held_ *held)
{
    cm_bucket_flip_(held->place.bucket, CM_SLOT_BIT_(held->place.slot));
    chain_untidy(type, held->head);
    if (held->unusual && held->died)
        cm_kept_bury_(held);
}

void cm_kept_bury_(const struct cm_held_ *held)
{
    uint64_t *cell = cm_bucket_state_(held->head);
    cm_hold_bury_(held->died);
    if (!cm_hold_next_died_(cell, NULL))
        cm_bucket_flip_(held->head, cm_load_relaxed_(cell) & CM_DIED_);
}

/* Whether nothing is in an overflow bucket, and nobody keeps a place in it. */
static bool bucket_is_free(const uint64_t *cell, char *bucket)
{
    if (cm_load_relaxed_(cm_bucket_state_(bucket)) & (CM_OCCUPIED_ | CM_CHAINED_))
        return false;
    struct cm_hold_walk_ walk = cm_holds_of_(cm_thread_get_());
    for (struct cm_hold_ *hold; (hold = cm_hold_next_(&walk, cell)) != NULL;)
        if (hold->bucket == bucket)
            return false;
    return true;
}

void cm_held_insert_undo_(const struct cm_type *type, struct cm_map_ *map, const struct cm_held_ *held, char *node,
                          struct cm_place_ place, struct cm_supply_ *supply)
{
    struct cm_layout_ layout = cm_layout_of_(type);
    uint64_t *cell = cm_bucket_state_(held->head);
    bool linked = place.bucket && *cm_bucket_link_(held->tail, layout) == place.bucket &&
                  (cm_load_relaxed_(cm_bucket_state_(held->tail)) & CM_CHAINED_);
    if (linked && bucket_is_free(cell, place.bucket)) {
        cm_bucket_flip_(held->tail, CM_CHAINED_);
        cm_overflow_give_(held->table, layout.bucket, place.bucket);
    } else if (place.bucket) {
        chain_untidy(type, held->head); /* what the user's function has put behind it stays */
    }
    struct cm_node_ *own = (struct cm_node_ *)(void *)node;
    if (own && place.bucket) /* a reader with an older state may have followed the slot */
        supply->discarded = own;
    else if (own && (own->header & CM_NODE_LONG_)) /* it is tried again */
        supply->prepared = own;
    else if (own)
        cm_pool_give_back_(&map->pool, supply->cache, own);
}
