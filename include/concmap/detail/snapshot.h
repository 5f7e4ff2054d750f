/* Snapshots: copies of all entries as they were at one instant.
 *
 * A first walk marks every bucket; a second one copies what is marked, and takes the marks away. The instant lies
 * between the two. From it on, a writer that comes upon a marked bucket copies it before it changes it: that copy is
 * called an image here. Writers that lock a marked bucket before the instant do not know yet on which side of it they
 * will end: they make the image, and what decides is when they unlock.
 *
 * Shape. A mark is a bit of the bucket's cell (cell.h), which keeps lockers from the fast path, and unlockers by the
 * map's count of waiters, which is raised meanwhile. struct cm_marks_, in the map, has the phase, the images of marked
 * buckets that are locked (`pending`), and those that belong to the snapshot (`images`).
 *
 * Linearization. While buckets are being marked, the unlock of a marked bucket is one step with the look at the phase,
 * under marks.lock, under which the instant is declared, too. So every change is published before the instant, or its
 * image is kept. Buckets that are not marked yet are waited for by the first walk: theirs are before.
 *
 * Invariants. (S1) A bucket is marked from the first walk until its entries of the instant are in an image; where it
 * moves, the mark moves with it, and what is copied does not become one with what is not. (S2) A marked cell that is
 * held by WRITER, of one who may change the bucket, has an image pending, or has made none yet, and has changed
 * nothing; each of those counts as a waiter. (S3) Marks that a failed snapshot has left mean nothing, and are taken by
 * the next one who locks the bucket. */
#ifndef CONCMAP_DETAIL_SNAPSHOT_H
#define CONCMAP_DETAIL_SNAPSHOT_H

#include <concmap/detail/copies.h>
#include <concmap/detail/typed.h>

CM_BEGIN_DECLS

/* Copies of some entries; its memory follows. */
struct cm_image_ {
    struct cm_image_ *next;
    const struct cm_type *type;
    const uint64_t *cell; /* of the bucket, while it is pending */
    bool before;          /* it is decided that the change comes before the instant */
    struct cm_copies_ copies;
};

struct cm_snapshot_ {
    struct cm_image_ *images;
    cm_allocator allocator; /* the map's, and its context: it may be gone when they are given back */
    void *context;
    size_t count; /* of entries */
};

struct cm_snapshot_iter_ {
    const struct cm_image_ *image;
    size_t index;
};

CM_API cm_status cm_map_snapshot_(struct cm_map_ *map, const struct cm_type *type, struct cm_snapshot_ *snapshot,
                                  cm_deadline deadline);
CM_API void cm_snapshot_drop_(struct cm_snapshot_ *snapshot);

/* The next entry; {NULL}: no more. */
CM_INLINE struct cm_copied_ cm_snapshot_next_(struct cm_snapshot_iter_ *iter, const struct cm_type *type)
{
    struct cm_copied_ none = {NULL, NULL};
    while (CM_UNLIKELY(iter->image && iter->index == iter->image->copies.count)) {
        iter->image = iter->image->next;
        iter->index = 0;
    }
    return iter->image ? cm_copy_at_(type, &iter->image->copies, iter->index++) : none;
}

CM_END_DECLS

#define CM_SNAPSHOT_(how, name, Key, Value)                                                                            \
    /* All entries of one instant. */                                                                                  \
    CM_SHOWN_(                                                                                                         \
        how, typedef struct name##_snapshot { struct cm_snapshot_ core; } name##_snapshot;                             \
        typedef struct name##_snapshot_iter {                                                                          \
            struct cm_snapshot_iter_ core;                                                                             \
            Key key;                                                                                                   \
            Value value;                                                                                               \
        } name##_snapshot_iter;)                                                                                       \
    CM_INNER_(how, cm_status, name##_snapshot_take_in_,                                                                \
              (const name *map, name##_snapshot *snapshot, cm_deadline deadline), {                                    \
                  return cm_map_snapshot_((struct cm_map_ *)(uintptr_t)&map->core, &name##_type_, &snapshot->core,     \
                                          deadline);                                                                   \
              })                                                                                                       \
    /* Copies all entries as they are at one instant during the call. Readers and writers go on; a writer waits at     \
     * most while the one bucket that it would change is copied. A change of several keys by with_keys is in it as a   \
     * whole or not at all (but keys in a bucket of which its thread has a guard go with that guard); changes under    \
     * several guards are several. What is copied is the snapshot's own, and owned keys and values are clones. Waits   \
     * for write guards of other threads, and for another snapshot of the map. CM_NOMEM, or why a clone failed;        \
     * CM_DEADLOCK: the thread has a write guard, or waits in a circle. O(buckets). */                                 \
    CM_TWINS_(how, name, snapshot_take, (const name *map, name##_snapshot *snapshot), (map, snapshot))                 \
    /* Gives the copies back, all at once; of a failed snapshot it does nothing. The map may be gone by then. */       \
    CM_FUNCTION_(how, void, name##_snapshot_drop, (name##_snapshot * snapshot),                                        \
                 { cm_snapshot_drop_(&snapshot->core); })                                                              \
    /* The number of its entries. */                                                                                   \
    CM_FUNCTION_(how, size_t, name##_snapshot_len, (const name##_snapshot *snapshot),                                  \
                 { return snapshot->core.count; })                                                                     \
    /* Begins a walk: CM_FOREACH(name_snapshot, &snapshot, it) gives it.key and it.value. What they own, or point to   \
     * as texts do, is valid until the snapshot is dropped. Any number of threads may walk. */                         \
    CM_FUNCTION_(how, name##_snapshot_iter, name##_snapshot_iter_begin, (const name##_snapshot *snapshot), {           \
        name##_snapshot_iter iter;                                                                                     \
        memset((void *)&iter, 0, sizeof iter);                                                                         \
        iter.core.image = snapshot->core.images;                                                                       \
        return iter;                                                                                                   \
    })                                                                                                                 \
    CM_FUNCTION_(how, bool, name##_snapshot_iter_next, (name##_snapshot_iter * iter), {                                \
        struct cm_copied_ copied = cm_snapshot_next_(&iter->core, &name##_type_);                                      \
        if (!copied.key)                                                                                               \
            return false;                                                                                              \
        memcpy((void *)&iter->key, copied.key, sizeof(Key));                                                           \
        memcpy((void *)&iter->value, copied.value, name##_type_.value_size);                                           \
        return true;                                                                                                   \
    })                                                                                                                 \
    CM_FUNCTION_(how, void, name##_snapshot_iter_end, (name##_snapshot_iter * iter), { (void)iter; })

#endif
