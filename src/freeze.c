/* Freezing a map, and letting it thaw. */
#include <concmap/detail/frozen.h>

#include "platform.h"
#include "table.h"

/* The hold of a frozen map names no bucket, but the map itself, by its count of waiters. */
static const uint64_t *whole_map(struct cm_map_ *map)
{
    return (const uint64_t *)(const void *)&map->waiters;
}

/* The bucket of the cursor, which the caller has shared. */
static char *cursor_bucket(const struct cm_table_ *first, struct cm_layout_ layout, uint64_t cursor,
                           const struct cm_table_ **table)
{
    struct cm_frozen_ frozen = {.table = first};
    return cm_frozen_bucket_(layout, &frozen, cm_reverse_bits_(cursor), table);
}

/* Gives back the shares from the first bucket to the one before `end`; 0: to the last. Knows buckets by their size. */
static void buckets_unshare(struct cm_map_ *map, size_t bucket_size, uint64_t end)
{
    struct cm_layout_ layout = {.bucket = bucket_size};
    struct cm_pin_ pin = cm_pin_enter_of_(map->domain);
    const struct cm_table_ *first = cm_load_acquire_(&map->root);
    uint64_t cursor = 0;
    do {
        const struct cm_table_ *table;
        char *head = cursor_bucket(first, layout, cursor, &table);
        cursor = cm_cursor_end_(table, cursor) + 1; /* before the share: with the last one the table may go */
        cm_cell_unshare_hidden_(cm_bucket_state_(head), &map->waiters);
    } while (cursor != end);
    cm_pin_leave_(pin);
}

static void thaw_at_exit(struct cm_waiters_ *waiters, size_t bucket_size)
{
    buckets_unshare((struct cm_map_ *)(void *)((char *)waiters - offsetof(struct cm_map_, waiters)), bucket_size, 0);
}

static bool is_reached(cm_waiters_ *waiters, size_t bucket_size, const uint64_t *cell, uint64_t reached)
{
    const struct cm_map_ *map = (const struct cm_map_ *)(void *)((char *)waiters - offsetof(struct cm_map_, waiters));
    struct cm_pin_ pin = cm_pin_enter_of_(map->domain);
    bool is = false;
    for (const struct cm_table_ *table = cm_load_acquire_(&map->root); table; table = cm_load_acquire_(&table->next)) {
        size_t offset = (size_t)((const char *)cell - (const char *)table) - CM_TABLE_HEADER_; /* wraps before it */
        if (offset < (table->mask + 1) * bucket_size)
            is = cm_reverse_bits_(offset / bucket_size) < reached;
    }
    cm_pin_leave_(pin);
    return is;
}

static const struct cm_freezing_ freezing = {thaw_at_exit, is_reached};

/* Shares the bucket of the cursor, and moves the cursor past it. */
static cm_status cursor_share(struct cm_map_ *map, struct cm_layout_ layout, uint64_t *cursor, cm_deadline deadline)
{
    struct cm_pin_ pin = cm_pin_enter_of_(map->domain);
    char *head;
    int got;
    struct cm_wait_ wait = {&map->waiters, deadline, CM_WAIT_REPORTS_};
    const struct cm_table_ *table = cm_cursor_share_(map, layout, *cursor, &wait, &head, &got);
    if (got == CM_GOT_NESTED_)
        cm_hold_tell_(cm_thread_get_(), cm_hold_find_(cm_thread_get_(), cm_bucket_state_(head)));
    if (got == CM_GOT_)
        *cursor = cm_cursor_end_(table, *cursor) + 1;
    cm_pin_leave_(pin);
    return got == CM_GOT_NESTED_ ? CM_DEADLOCK : (cm_status)got;
}

/* The first table that has a bucket which has not MOVED: it stays. */
static const struct cm_table_ *first_table(struct cm_map_ *map, struct cm_layout_ layout)
{
    struct cm_pin_ pin = cm_pin_enter_of_(map->domain);
    const struct cm_table_ *table = cm_load_acquire_(&map->root);
    for (uint64_t index = 0; cm_load_acquire_(cm_bucket_state_(cm_table_bucket_(table, layout, index))) & CM_MOVED_;) {
        if (index++ < table->mask)
            continue;
        table = cm_load_acquire_(&table->next);
        index = 0;
    }
    cm_pin_leave_(pin);
    return table;
}

cm_status cm_map_freeze_(struct cm_map_ *map, const struct cm_type *type, struct cm_frozen_ *frozen,
                         cm_deadline deadline)
{
    struct cm_layout_ layout = cm_layout_of_(type);
    struct cm_thread_ *thread = cm_thread_get_();
    struct cm_hold_ *hold = cm_hold_take_(thread);
    *frozen = (struct cm_frozen_){.map = map};
    struct cm_pin_ pin = cm_pin_enter_of_(map->domain);
    bool empty = cm_table_is_empty_(cm_load_acquire_(&map->root));
    bool lacking = !hold || (empty && !cm_map_first_table_(map, type, 0));
    cm_pin_leave_(pin);
    if (lacking)
        return CM_NOMEM;
    cm_holds_freeze_by_(&freezing);
    hold->reached = 0;
    /* Listed before anything is shared: whoever waits for a share then finds out by whom. */
    cm_hold_set_(thread, hold, &map->waiters, whole_map(map), NULL, (unsigned)layout.bucket, false);
    cm_status status = CM_OK;
    uint64_t cursor = 0;
    do {
        status = cursor_share(map, layout, &cursor, deadline);
        cm_store_relaxed_(&hold->reached, cursor); /* relaxed: whoever asks does so while this thread sleeps */
    } while (status == CM_OK && cursor != 0);
    if (status != CM_OK) {
        cm_hold_drop_(thread, hold); /* (H1) */
        if (cursor)
            buckets_unshare(map, layout.bucket, cursor);
        return status;
    }
    cm_store_relaxed_(&hold->reached, CM_REACHED_ALL_);
    frozen->table = first_table(map, layout);
    frozen->thread = thread;
    frozen->hold = hold;
    return CM_OK;
}

cm_status cm_map_thaw_(struct cm_frozen_ *frozen)
{
    if (!frozen->thread || frozen->thread != cm_thread_self_ || frozen->hold->cell != whole_map(frozen->map))
        return CM_INVALID;
    size_t bucket_size = frozen->hold->slot;
    cm_hold_drop_(frozen->thread, frozen->hold); /* (H1) */
    frozen->thread = NULL;
    buckets_unshare(frozen->map, bucket_size, 0);
    return CM_OK;
}

/* Goes to the next bucket: along the chain, or that of the cursor. False: there is none. */
static bool iter_next_bucket(struct cm_frozen_iter_ *iter, struct cm_layout_ layout)
{
    if (iter->bucket && (cm_load_acquire_(cm_bucket_state_(iter->bucket)) & CM_CHAINED_)) {
        iter->bucket = cm_load_acquire_(cm_bucket_link_(iter->bucket, layout));
    } else if (!iter->ended) {
        const struct cm_table_ *table;
        iter->bucket = cursor_bucket(iter->frozen->table, layout, iter->cursor, &table);
        iter->cursor = cm_cursor_end_(table, iter->cursor) + 1;
        uint64_t ahead = iter->cursor + (cm_cursor_end_(table, 0) + 1) * CM_GLANCE_AHEAD_;
        for (size_t line = 0; line < layout.bucket; line += CM_LINE)
            __builtin_prefetch(cm_table_bucket_(table, layout, cm_reverse_bits_(ahead)) + line);
        iter->ended = iter->cursor == 0;
    } else {
        return false;
    }
    iter->left = cm_state_occupied_(cm_load_acquire_(cm_bucket_state_(iter->bucket)));
    return true;
}

struct cm_place_ cm_frozen_next_(struct cm_frozen_iter_ *iter, const struct cm_type *type)
{
    for (;;) {
        while (!iter->left)
            if (!iter_next_bucket(iter, cm_layout_of_(type)))
                return (struct cm_place_){NULL, 0};
        struct cm_place_ place = {iter->bucket, (unsigned)__builtin_ctz(iter->left)};
        iter->left &= iter->left - 1;
        if (!cm_value_expired_(type, iter->frozen->map, cm_place_value_(type, place)))
            return place;
    }
}
