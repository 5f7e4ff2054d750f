/* Taking snapshots, and what writers do that come upon a marked bucket. */
#include <concmap/detail/snapshot.h>

#include <concmap/detail/guard.h>
#include <concmap/detail/iter.h>
#include <concmap/detail/move.h>

#include "platform.h"
#include "table.h"

#define LEAST_CHUNK 4096
#define LARGEST_CHUNK ((size_t)1 << 20)

static uint64_t cell_word(const uint64_t *cell)
{
    return cm_load_relaxed_(cell);
}

/* ---- images ---- */

/* Where the entries of an image begin. */
static size_t image_header(const struct cm_type *type)
{
    return cm_align_up_(sizeof(struct cm_image_), cm_copies_alignment_(type));
}

/* Memory for copies of some bytes; NULL: none. */
static struct cm_image_ *image_make(struct cm_map_ *map, const struct cm_type *type, size_t bytes)
{
    const cm_allocator *allocator = &map->allocator;
    size_t size, header = image_header(type);
    if (__builtin_add_overflow(header, bytes, &size))
        return NULL;
    struct cm_image_ *image = allocator->allocate(allocator->context, size, cm_copies_alignment_(type));
    if (image)
        *image = (struct cm_image_){.type = type, .copies = {.entries = (char *)image + header, .bytes = bytes}};
    return image;
}

/* Gives images back, a list; `context` is that of the map's functions. */
static void images_give_back(const cm_allocator *allocator, void *context, struct cm_image_ *image)
{
    while (image) {
        struct cm_image_ *next = image->next;
        size_t size = image_header(image->type) + image->copies.bytes;
        cm_copies_drop_(&image->copies, image->type, context);
        allocator->deallocate(allocator->context, image, size, cm_copies_alignment_(image->type));
        image = next;
    }
}

static void images_free(struct cm_map_ *map, struct cm_image_ *image)
{
    images_give_back(&map->allocator, map->context, image);
}

/* ---- marks ---- */

static void marks_lock(struct cm_map_ *map)
{
    cm_cell_lock_(&map->marks.lock, &map->waiters);
    cm_platform_tsan_acquire_(&map->marks.lock);
}

static void marks_unlock(struct cm_map_ *map)
{
    cm_platform_tsan_release_(&map->marks.lock);
    cm_cell_unlock_(&map->marks.lock, cell_word(&map->marks.lock), &map->waiters);
}

/* Under the lock. Relaxed: looked at elsewhere as a hint. */
static void marks_set_phase(struct cm_marks_ *marks, enum cm_marks_phase_ phase)
{
    cm_store_relaxed_(&marks->phase, phase);
}

/* Ends the snapshot that is being taken: it lacks what could not be copied. Under the lock. */
static void marks_fail(struct cm_marks_ *marks, cm_status status)
{
    if (marks->phase != CM_MARKS_NONE_)
        marks->failure = status;
    marks_set_phase(marks, CM_MARKS_NONE_);
}

/* Takes the mark of a cell that the caller has exclusively. */
static void cell_unmark(uint64_t *cell)
{
    cm_store_relaxed_(cell, cell_word(cell) & ~CM_MARKED_);
}

static void image_push(struct cm_image_ **list, struct cm_image_ *image)
{
    image->next = *list;
    *list = image;
}

/* Takes the image of a cell out of those that are pending; NULL: it has none. */
static struct cm_image_ *image_of(struct cm_image_ **list, const uint64_t *cell)
{
    for (; *list; list = &(*list)->next) {
        struct cm_image_ *image = *list;
        if (image->cell == cell) {
            *list = image->next;
            return image;
        }
    }
    return NULL;
}

/* Keeps the image of a marked bucket that the caller has exclusively. `status`: what making it came to. */
static void image_keep(struct cm_map_ *map, uint64_t *cell, struct cm_image_ *image, cm_status status)
{
    struct cm_marks_ *marks = &map->marks;
    marks_lock(map);
    if (status < 0)
        marks_fail(marks, status);
    image->cell = cell;
    image->type = marks->type;
    if (marks->phase == CM_MARKS_SETTING_) {
        image_push(&marks->pending, image);
        cm_add_relaxed_(&map->waiters.count, 1); /* (S2); relaxed: for who unlocks it, who has it from this thread */
    } else {
        cell_unmark(cell);
        image_push(marks->phase == CM_MARKS_TAKEN_ ? &marks->images : &marks->dropped, image);
    }
    marks_unlock(map);
}

/* Sees to the mark of a bucket that is held exclusively, with an empty image. False: the image lacks so many bytes. */
static bool mark_meet(struct cm_map_ *map, const struct cm_type *type, char *head, struct cm_image_ **image,
                      size_t *lacking)
{
    uint64_t *cell = cm_bucket_state_(head);
    struct cm_copies_ nothing = {NULL, 0, 0, 0};
    *lacking = 0;
    if (cm_load_relaxed_(&map->marks.phase) == CM_MARKS_NONE_) {
        cell_unmark(cell);
        return true;
    }
    cm_status status = cm_copies_add_(*image ? &(*image)->copies : &nothing, type, map, head, NULL, lacking);
    if (*lacking || !*image)
        return false;
    image_keep(map, cell, *image, status);
    *image = NULL;
    return true;
}

/* Whoever makes an image does so first, that they do not pile up: who drops one holds locks, under which nothing of
 * the user's is to run. */
void cm_marks_tidy_(struct cm_map_ *map)
{
    marks_lock(map);
    struct cm_image_ *dropped = map->marks.dropped;
    map->marks.dropped = NULL;
    marks_unlock(map);
    images_free(map, dropped);
}

/* Another image, with so much room; NULL: the snapshot has failed. */
static struct cm_image_ *image_remake(struct cm_map_ *map, const struct cm_type *type, struct cm_image_ *image,
                                      size_t bytes)
{
    images_free(map, image);
    cm_marks_tidy_(map);
    image = image_make(map, type, bytes);
    if (!image) {
        marks_lock(map);
        marks_fail(&map->marks, CM_NOMEM);
        marks_unlock(map);
    }
    return image;
}

int cm_bucket_lock_(const struct cm_type *type, struct cm_map_ *map, char *head, const struct cm_wait_ *wait)
{
    uint64_t *cell = cm_bucket_state_(head);
    struct cm_image_ *image = NULL;
    int got;
    size_t lacking;
    while ((got = cm_cell_wait_(cell, true, wait)) == CM_GOT_ && CM_UNLIKELY(cell_word(cell) & CM_MARKED_) &&
           !mark_meet(map, type, head, &image, &lacking)) {
        cm_platform_tsan_release_(cell);
        cm_cell_unlock_slow_(cell, cell_word(cell), &map->waiters); /* looks at the phase again: (S3) */
        image = image_remake(map, type, image, lacking);
    }
    images_free(map, image);
    return got;
}

void cm_bucket_meet_(const struct cm_type *type, struct cm_map_ *map, char *head)
{
    struct cm_image_ *image = NULL;
    size_t lacking;
    while (!mark_meet(map, type, head, &image, &lacking))
        image = image_remake(map, type, image, lacking);
    images_free(map, image);
}

/* The unlock of a marked cell. */
static void cell_leave(uint64_t *cell, uint64_t word, cm_waiters_ *waiters, void (*leave)(uint64_t *, uint64_t))
{
    struct cm_map_ *map = (struct cm_map_ *)(void *)((char *)waiters - offsetof(struct cm_map_, waiters));
    struct cm_marks_ *marks = &map->marks;
    marks_lock(map);
    struct cm_image_ *image = image_of(&marks->pending, cell);
    bool after = image && marks->phase == CM_MARKS_TAKEN_ && !image->before;
    if (image)
        image_push(after ? &marks->images : &marks->dropped, image);
    if (after || marks->phase == CM_MARKS_NONE_)
        word &= ~CM_MARKED_;
    leave(cell, word); /* one step with the look at the phase */
    if (image)
        cm_sub_relaxed_(&map->waiters.count, 1);
    marks_unlock(map);
}

/* Whether the calling thread holds a bucket for no more than the given keys. */
static bool holds_no_more(const uint64_t *cell, char *const *heads, size_t n)
{
    struct cm_hold_walk_ walk = cm_holds_of_(cm_thread_get_());
    size_t holds = 0, keys = 0;
    while (cm_hold_next_(&walk, cell))
        holds++;
    for (size_t i = 0; i < n; i++)
        keys += cm_bucket_state_(heads[i]) == cell;
    return keys > 0 && holds == keys;
}

void cm_marks_decide_(struct cm_map_ *map, char *const *heads, size_t n)
{
    marks_lock(map);
    bool before = map->marks.phase == CM_MARKS_SETTING_;
    for (struct cm_image_ *image = map->marks.pending; before && image; image = image->next)
        image->before |= holds_no_more(image->cell, heads, n);
    marks_unlock(map);
}

bool cm_marks_carry_(struct cm_layout_ layout, struct cm_map_ *map, struct cm_table_ *from, struct cm_table_ *to,
                     uint64_t unit)
{
    const uint64_t units = cm_table_units_(from, to);
    enum cm_marks_phase_ phase = cm_load_relaxed_(&map->marks.phase);
    uint64_t any = 0, all = CM_MARKED_;
    for (uint64_t index = unit; index <= from->mask; index += units) {
        uint64_t word = cell_word(cm_bucket_state_(cm_table_bucket_(from, layout, index)));
        any |= word & CM_MARKED_;
        all &= word;
    }
    if (phase == CM_MARKS_NONE_)
        return true;
    /* Before the instant what is not marked yet is no hindrance: who marks waits for these locks. */
    if (phase == CM_MARKS_TAKEN_ && any != all)
        return false;
    for (uint64_t target = unit; target <= to->mask; target += units)
        cm_bucket_flip_(cm_table_bucket_(to, layout, target), any);
    return true;
}

/* ---- the two walks ---- */

static void fetch_ahead(const struct cm_table_ *table, struct cm_layout_ layout, uint64_t cursor)
{
    uint64_t ahead = cursor + (cm_cursor_end_(table, 0) + 1) * CM_GLANCE_AHEAD_;
    for (size_t line = 0; line < layout.bucket; line += CM_LINE)
        __builtin_prefetch(cm_table_bucket_(table, layout, cm_reverse_bits_(ahead)) + line, 1);
}

/* Marks a bucket that is not being changed; false: it is. */
static bool cell_mark(uint64_t *cell)
{
    uint64_t word = cm_load_relaxed_(cell); /* relaxed: the compare-and-swap decides */
    do {
        if (word & (CM_WRITER_ | CM_MOVED_))
            return false;
        /* Release: who locks it then sees the phase and the raised count of waiters. */
    } while (!cm_swap_if_release_(cell, &word, word | CM_MARKED_));
    return true;
}

/* Takes the mark of a cell that the caller shares. */
static void cell_unmark_shared(uint64_t *cell)
{
    uint64_t word = cm_load_relaxed_(cell);
    while ((word & CM_MARKED_) && !cm_swap_if_release_(cell, &word, word & ~CM_MARKED_))
        ;
}

/* The bucket of the cursor that has not MOVED, and its table. */
static struct cm_table_ *cursor_table(struct cm_map_ *map, struct cm_layout_ layout, uint64_t cursor, uint64_t **cell)
{
    struct cm_table_ *table = cm_load_acquire_(&map->root);
    for (;; table = cm_load_acquire_(&table->next)) {
        *cell = cm_bucket_state_(cm_table_bucket_(table, layout, cm_reverse_bits_(cursor)));
        if (!(cm_load_acquire_(*cell) & CM_MOVED_))
            return table;
    }
}

/* Marks the bucket of the cursor, and moves the cursor past it. */
static cm_status cursor_mark(struct cm_map_ *map, struct cm_layout_ layout, uint64_t *cursor, cm_deadline deadline)
{
    struct cm_pin_ pin = cm_pin_enter_of_(map->domain);
    int got = CM_GOT_;
    uint64_t *cell;
    struct cm_table_ *table = cursor_table(map, layout, *cursor, &cell);
    fetch_ahead(table, layout, *cursor);
    if (!cell_mark(cell)) {
        char *head;
        struct cm_wait_ wait = {&map->waiters, deadline, CM_WAIT_REPORTS_ | CM_WAIT_PASSES_};
        table = cm_cursor_share_(map, layout, *cursor, &wait, &head, &got);
        cell = cm_bucket_state_(head);
        if (got == CM_GOT_) {
            cell_mark(cell);
            cm_cell_unshare_hidden_(cell, &map->waiters);
        }
    }
    if (got == CM_GOT_)
        *cursor = cm_cursor_end_(table, *cursor) + 1;
    cm_pin_leave_(pin);
    return (cm_status)got;
}

/* Copies a marked bucket without a lock, if it is one of inline entries with no chain. The compare-and-swap that takes
 * the mark confirms the copy: every change has a version. */
static bool cell_copy(const struct cm_type *type, char *head, struct cm_copies_ *copies)
{
    struct cm_layout_ layout = cm_layout_of_(type);
    uint64_t *cell = cm_bucket_state_(head);
    uint64_t word = cm_load_acquire_(cell); /* pairs with cm_cell_unlock_() */
    if (!copies->entries || layout.nodes ||
        (word & (CM_WRITER_ | CM_MOVED_ | CM_UNUSUAL_ | CM_CHAINED_ | CM_MARKED_)) != CM_MARKED_)
        return false;
    unsigned count = cm_occupied_count_(cm_state_occupied_(word)); /* (T2) */
    if (count * cm_copy_stride_(type) > copies->bytes - copies->count * cm_copy_stride_(type))
        return false;
    char *to = copies->entries + copies->count * cm_copy_stride_(type);
    for (unsigned slot = 0; slot < count; slot++, to += cm_copy_stride_(type)) {
        cm_copy_racing_(to, cm_bucket_key_(type, layout, head, slot), type->key_size);
        cm_copy_racing_(to + cm_copy_value_offset_(type), cm_bucket_value_(type, layout, head, slot), type->value_size);
    }
    cm_fence_acquire_(); /* as in cm_cell_unchanged_() */
    if (!cm_swap_if_release_(cell, &word, word & ~CM_MARKED_))
        return false;
    copies->count += count;
    return true;
}

/* Copies the bucket of the cursor if it is still marked, and moves the cursor past it. `*lacking`: it must have so many
 * bytes first. */
static cm_status cursor_copy(struct cm_map_ *map, const struct cm_type *type, uint64_t *cursor,
                             struct cm_copies_ *copies, cm_deadline deadline, size_t *lacking)
{
    struct cm_layout_ layout = cm_layout_of_(type);
    struct cm_pin_ pin = cm_pin_enter_of_(map->domain);
    int got = CM_GOT_;
    cm_status status = CM_OK;
    uint64_t *cell;
    *lacking = 0;
    struct cm_table_ *table = cursor_table(map, layout, *cursor, &cell);
    fetch_ahead(table, layout, *cursor);
    if (!cell_copy(type, (char *)cell, copies)) {
        char *head;
        struct cm_wait_ wait = {&map->waiters, deadline, CM_WAIT_REPORTS_ | CM_WAIT_PASSES_};
        table = cm_cursor_share_(map, layout, *cursor, &wait, &head, &got);
        cell = cm_bucket_state_(head);
        if (got == CM_GOT_ && (cell_word(cell) & CM_MARKED_))
            status = cm_copies_add_(copies, type, map, head, NULL, lacking);
        if (got == CM_GOT_ && status == CM_OK)
            cell_unmark_shared(cell);
        if (got == CM_GOT_)
            cm_cell_unshare_hidden_(cell, &map->waiters);
    }
    if (got == CM_GOT_ && status == CM_OK)
        *cursor = cm_cursor_end_(table, *cursor) + 1;
    cm_pin_leave_(pin);
    return got == CM_GOT_ ? status : (cm_status)got;
}

static cm_status buckets_mark(struct cm_map_ *map, struct cm_layout_ layout, cm_deadline deadline)
{
    uint64_t cursor = 0;
    cm_status status;
    do
        status = cursor_mark(map, layout, &cursor, deadline);
    while (status == CM_OK && cursor != 0 && cm_load_relaxed_(&map->marks.phase) != CM_MARKS_NONE_);
    return status;
}

static size_t chunk_size(const struct cm_image_ *last, size_t lacking)
{
    size_t wanted = last ? last->copies.bytes * 2 : LEAST_CHUNK;
    wanted = wanted > LARGEST_CHUNK ? LARGEST_CHUNK : wanted;
    return wanted < lacking ? lacking : wanted;
}

static cm_status buckets_copy(struct cm_map_ *map, const struct cm_type *type, struct cm_image_ **chunks,
                              cm_deadline deadline)
{
    struct cm_copies_ nothing = {NULL, 0, 0, 0};
    uint64_t cursor = 0;
    cm_status status;
    size_t lacking;
    do {
        status = cursor_copy(map, type, &cursor, *chunks ? &(*chunks)->copies : &nothing, deadline, &lacking);
        struct cm_image_ *chunk = lacking ? image_make(map, type, chunk_size(*chunks, lacking)) : NULL;
        if (chunk)
            image_push(chunks, chunk);
        else if (lacking)
            return CM_NOMEM;
    } while (lacking || (status == CM_OK && cursor != 0));
    return status;
}

/* ---- taking one ---- */

static void images_append(struct cm_image_ **images, struct cm_image_ *more)
{
    while (*images)
        images = &(*images)->next;
    *images = more;
}

static void marks_begin(struct cm_map_ *map, const struct cm_type *type)
{
    struct cm_marks_ *marks = &map->marks;
    cm_add_relaxed_(&map->waiters.count, 1); /* relaxed: published by the marks */
    marks_lock(map);
    marks->failure = CM_OK;
    marks->type = type;
    images_append(&marks->dropped, marks->images); /* of a snapshot that was left by force */
    marks->images = NULL;
    marks_set_phase(marks, CM_MARKS_SETTING_);
    marks_unlock(map);
}

/* Declares the instant; or why there is none. */
static cm_status marks_declare(struct cm_map_ *map)
{
    struct cm_marks_ *marks = &map->marks;
    marks_lock(map);
    cm_status status = marks->failure;
    if (status == CM_OK)
        marks_set_phase(marks, CM_MARKS_TAKEN_);
    marks_unlock(map);
    return status;
}

/* Ends marking or copying, which came to `status`. */
static cm_status marks_end(struct cm_map_ *map, cm_status status, struct cm_image_ **images)
{
    struct cm_marks_ *marks = &map->marks;
    marks_lock(map);
    if (marks->failure < 0)
        status = marks->failure;
    images_append(images, marks->images);
    struct cm_image_ *dropped = marks->dropped;
    marks->images = marks->dropped = NULL;
    marks_set_phase(marks, CM_MARKS_NONE_);
    marks_unlock(map);
    cm_sub_relaxed_(&map->waiters.count, 1);
    images_free(map, dropped);
    return status;
}

static cm_status images_take(struct cm_map_ *map, const struct cm_type *type, struct cm_image_ **images,
                             cm_deadline deadline)
{
    marks_begin(map, type);
    cm_status status = buckets_mark(map, cm_layout_of_(type), deadline);
    if (status == CM_OK)
        status = marks_declare(map);
    if (status == CM_OK)
        status = buckets_copy(map, type, images, deadline);
    return marks_end(map, status, images);
}

cm_status cm_map_snapshot_(struct cm_map_ *map, const struct cm_type *type, struct cm_snapshot_ *snapshot,
                           cm_deadline deadline)
{
    struct cm_thread_ *thread = cm_thread_get_();
    struct cm_hold_ *hold = cm_hold_take_(thread);
    const struct cm_hold_ *own = cm_hold_find_exclusive_(thread, &map->waiters);
    struct cm_wait_ wait = {&map->waiters, deadline, CM_WAIT_REPORTS_};
    uint64_t *turn = &map->marks.turn;
    *snapshot = (struct cm_snapshot_){.allocator = map->allocator, .context = map->context};
    if (own) {
        cm_hold_tell_(thread, own);
        return CM_DEADLOCK;
    }
    if (!hold)
        return CM_NOMEM;
    cm_cells_leave_by_(cell_leave);
    int got = cm_cell_wait_(turn, true, &wait);
    if (got != CM_GOT_)
        return (cm_status)got;
    cm_hold_set_(thread, hold, &map->waiters, turn, (char *)turn, 0, true);
    cm_status status = CM_OK;
    if (!cm_table_is_empty_(cm_load_acquire_(&map->root)))
        status = images_take(map, type, &snapshot->images, deadline);
    cm_hold_drop_(thread, hold); /* (H1) */
    cm_platform_tsan_release_(turn);
    cm_cell_unlock_(turn, cell_word(turn), &map->waiters);
    if (status != CM_OK) {
        images_free(map, snapshot->images);
        snapshot->images = NULL;
        return status;
    }
    for (const struct cm_image_ *image = snapshot->images; image; image = image->next)
        snapshot->count += image->copies.count;
    return CM_OK;
}

void cm_marks_destroy_(struct cm_map_ *map)
{
    images_append(&map->marks.dropped, map->marks.images);
    images_append(&map->marks.dropped, map->marks.pending);
    images_free(map, map->marks.dropped);
    map->marks.images = map->marks.pending = map->marks.dropped = NULL;
}

void cm_snapshot_drop_(struct cm_snapshot_ *snapshot)
{
    images_give_back(&snapshot->allocator, snapshot->context, snapshot->images);
    snapshot->images = NULL;
    snapshot->count = 0;
}
