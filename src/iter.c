/* Copying buckets for iterators. */
#include <concmap/detail/iter.h>

#define LEAST_BYTES 512

struct cm_table_ *cm_cursor_share_(struct cm_map_ *map, struct cm_layout_ layout, uint64_t cursor,
                                   const struct cm_wait_ *wait, char **head, int *got)
{
    uint64_t hash = cm_reverse_bits_(cursor);
    struct cm_table_ *table = cm_load_acquire_(&map->root);
    *got = CM_GOT_MOVED_;
    for (; table; table = cm_load_acquire_(&table->next)) {
        *head = cm_table_bucket_(table, layout, hash);
        *got = cm_cell_wait_(cm_bucket_state_(*head), false, wait);
        if (*got != CM_GOT_MOVED_)
            break;
    }
    return table;
}

static void iter_free(struct cm_iter_ *iter, const struct cm_type *type)
{
    const cm_allocator *allocator = &iter->map->allocator;
    if (iter->copies.entries)
        allocator->deallocate(allocator->context, iter->copies.entries, iter->copies.bytes, cm_copies_alignment_(type));
    iter->copies.entries = NULL;
    iter->copies.bytes = 0;
}

static bool iter_make_room(struct cm_iter_ *iter, const struct cm_type *type, size_t bytes)
{
    const cm_allocator *allocator = &iter->map->allocator;
    size_t wanted = bytes < LEAST_BYTES ? LEAST_BYTES : bytes * 2;
    char *made = allocator->allocate(allocator->context, wanted, cm_copies_alignment_(type));
    if (!made)
        return false;
    iter_free(iter, type);
    iter->copies.entries = made;
    iter->copies.bytes = wanted;
    return true;
}

static void copies_drop(struct cm_iter_ *iter, const struct cm_type *type)
{
    cm_copies_drop_(&iter->copies, type, iter->map->context);
    iter->index = 0;
}

/* Copies the entries of a held bucket from the cursor to the last one wanted, and steps past it. Others are in the
 * bucket where the table has shrunk since, or has fewer buckets than the iteration has parts. */
static cm_status chain_copy(struct cm_iter_ *iter, const struct cm_type *type, const struct cm_table_ *table,
                            char *head, size_t *lacking)
{
    struct cm_range_ range = {iter->course.cursor, iter->course.last};
    uint64_t end = cm_cursor_end_(table, range.first), rest = cm_cursor_end_(table, 0);
    bool amid = (range.first & rest) != 0 || end > range.last;
    cm_status status = cm_copies_add_(&iter->copies, type, iter->map, head, amid ? &range : NULL, lacking);
    if (status >= 0)
        cm_course_pass_(&iter->course, table, end);
    return status;
}

/* Copies the cursor's bucket and steps past it. CM_FULL: bytes are lacking for it. */
static cm_status iter_copy_bucket(struct cm_iter_ *iter, const struct cm_type *type, cm_deadline deadline,
                                  size_t *lacking)
{
    struct cm_pin_ pin = cm_pin_enter_of_(iter->map->domain);
    char *head;
    int got;
    cm_status status = CM_OK;
    struct cm_wait_ wait = {&iter->map->waiters, deadline, CM_WAIT_REPORTS_};
    struct cm_table_ *table = cm_cursor_share_(iter->map, cm_layout_of_(type), iter->course.cursor, &wait, &head, &got);
    if (!table) {
        iter->course.ended = true;
        iter->course.cursor = 0;
    } else if (got < 0) {
        status = (cm_status)got;
    } else {
        status = chain_copy(iter, type, table, head, lacking);
        if (got != CM_GOT_NESTED_)
            cm_cell_unshare_hidden_(cm_bucket_state_(head), &iter->map->waiters);
    }
    cm_pin_leave_(pin);
    return status;
}

bool cm_course_begin_(struct cm_course_ *course, const struct cm_map_ *map, unsigned part, unsigned parts)
{
    *course = (struct cm_course_){.last = UINT64_MAX, .lanes = 1, .ended = part >= parts};
    if (course->ended)
        return false;
    uint64_t size = UINT64_MAX / parts; /* the last part has what remains */
    course->cursor = part * size;
    if (part + 1 < parts)
        course->last = course->cursor + size - 1;
    struct cm_pin_ pin = cm_pin_enter_of_(map->domain);
    const struct cm_table_ *table = cm_load_acquire_(&map->root); /* as in cm_map_glance_() */
    if (parts == 1 && table->mask + 1 >= CM_LANES_) {
        course->lanes = CM_LANES_;
        cm_course_row_(course, table, 0);
    }
    cm_pin_leave_(pin);
    return true;
}

void cm_iter_begin_(struct cm_iter_ *iter, const struct cm_map_ *map, unsigned part, unsigned parts)
{
    memset(iter, 0, offsetof(struct cm_iter_, buckets));
    iter->map = (struct cm_map_ *)(uintptr_t)map;
    iter->status = cm_course_begin_(&iter->course, map, part, parts) ? CM_OK : CM_INVALID;
}

bool cm_iter_fetch_(struct cm_iter_ *iter, const struct cm_type *type, cm_deadline deadline)
{
    copies_drop(iter, type);
    if (!iter->course.ended)
        iter->status = CM_OK;
    while (!iter->course.ended && iter->status == CM_OK && iter->copies.count == 0) {
        size_t lacking = 0;
        iter->status = iter_copy_bucket(iter, type, deadline, &lacking);
        if (lacking) {
            iter->course.ended = !iter_make_room(iter, type, lacking);
            iter->status = iter->course.ended ? CM_NOMEM : CM_OK;
        }
    }
    if (iter->status < 0) /* a copy failed: the bucket comes again */
        copies_drop(iter, type);
    return iter->copies.count > 0;
}

void cm_iter_end_(struct cm_iter_ *iter, const struct cm_type *type)
{
    copies_drop(iter, type);
    iter_free(iter, type);
    iter->left = 0;
    iter->course.ended = true;
}
