/* Frozen maps: every bucket shared at once, so that plain pointers serve until it thaws.
 *
 * A freeze takes one share of each bucket that holds entries of the map, or will: the first one not MOVED on the way of
 * each hash. Such a bucket moves no more, so the walk that thaws meets the same ones. The tables from the first that
 * has one of them on stay, too: readers need no pin. */
#ifndef CONCMAP_DETAIL_FROZEN_H
#define CONCMAP_DETAIL_FROZEN_H

#include <concmap/detail/iter.h>
#include <concmap/detail/typed.h>

CM_BEGIN_DECLS

struct cm_frozen_ {
    struct cm_map_ *map;
    const struct cm_table_ *table; /* the first one with a bucket that is shared */
    struct cm_thread_ *thread;     /* who has frozen it; NULL: nobody */
    struct cm_hold_ *hold;
};

struct cm_frozen_iter_ {
    const struct cm_frozen_ *frozen;
    uint64_t cursor;
    char *bucket;  /* NULL: that of the cursor is next */
    unsigned left; /* slots of the bucket that were not visited */
    bool ended;
};

CM_API cm_status cm_map_freeze_(struct cm_map_ *map, const struct cm_type *type, struct cm_frozen_ *frozen,
                                cm_deadline deadline);
CM_API cm_status cm_map_thaw_(struct cm_frozen_ *frozen);
/* The next entry; {NULL}: there is none. */
CM_API struct cm_place_ cm_frozen_next_(struct cm_frozen_iter_ *iter, const struct cm_type *type);

/* The bucket of a hash. */
CM_INLINE char *cm_frozen_bucket_(const struct cm_layout_ layout, const struct cm_frozen_ *frozen, uint64_t hash,
                                  const struct cm_table_ **table)
{
    for (*table = frozen->table;; *table = cm_load_acquire_(&(*table)->next)) {
        char *head = cm_table_bucket_(*table, layout, hash);
        if (CM_LIKELY(!(cm_load_acquire_(cm_bucket_state_(head)) & CM_MOVED_)))
            return head;
    }
}

/* Where a key lies. */
CM_INLINE struct cm_place_ cm_frozen_find_(const struct cm_type *type, const struct cm_frozen_ *frozen, const void *key,
                                           uint64_t hash)
{
    const struct cm_layout_ layout = cm_layout_of_(type);
    const struct cm_table_ *table;
    char *tail;
    return cm_chain_find_(type, layout, cm_frozen_bucket_(layout, frozen, hash, &table), key, hash, &tail);
}

CM_INLINE const char *cm_place_value_(const struct cm_type *type, struct cm_place_ place)
{
    return place.bucket ? cm_bucket_value_(type, cm_layout_of_(type), place.bucket, place.slot) : NULL;
}

CM_END_DECLS

#define CM_FREEZE_(how, name, Key, Value)                                                                              \
    /* A view of a map that does not change. */                                                                        \
    CM_SHOWN_(                                                                                                         \
        how, typedef struct name##_frozen { struct cm_frozen_ core; } name##_frozen;                                   \
        typedef struct name##_frozen_iter {                                                                            \
            const Key *key;                                                                                            \
            const Value *value;                                                                                        \
            struct cm_frozen_iter_ core;                                                                               \
        } name##_frozen_iter;)                                                                                         \
    CM_INNER_(how, cm_status, name##_freeze_in_, (const name *map, name##_frozen *view, cm_deadline deadline), {       \
        return cm_map_freeze_((struct cm_map_ *)(uintptr_t)&map->core, &name##_type_, &view->core, deadline);          \
    })                                                                                                                 \
    /* Stops all changes until thaw; whoever changes something waits for it, or is told CM_BUSY or CM_TIMEOUT. The     \
     * view may be read by any thread, without a lock, and only the calling one may thaw it; who ends without, thaws.  \
     * Several may freeze at a time. CM_NOMEM; CM_DEADLOCK: the thread has a write guard, or waits in a circle. After  \
     * a failure nothing is frozen. Once a writer waits, those who would take a lock to read wait, too. O(buckets). */ \
    CM_TWINS_(how, name, freeze, (const name *map, name##_frozen *view), (map, view))                                  \
    /* Lets changes go on; pointers that the view gave are not to be used any more. CM_INVALID: it is not frozen, or   \
     * by another thread. O(buckets). */                                                                               \
    CM_FUNCTION_(how, cm_status, name##_thaw, (name##_frozen * view), { return cm_map_thaw_(&view->core); })           \
    /* Where the key's value lies, until thaw; NULL: the map has none. Wait-free. */                                   \
    CM_FUNCTION_(how, const Value *, name##_frozen_get, (const name##_frozen *view, Key key), {                        \
        uint64_t hash = name##_type_.hash(&key, view->core.map->seed);                                                 \
        struct cm_place_ place = cm_frozen_find_(&name##_type_, &view->core, &key, hash);                              \
        const char *value = cm_place_value_(&name##_type_, place);                                                     \
        bool gone = !value || cm_value_expired_(&name##_type_, view->core.map, value);                                 \
        return gone ? NULL : (const Value *)(const void *)value;                                                       \
    })                                                                                                                 \
    /* Begins a walk over all entries in place: CM_FOREACH(name_frozen, &view, it) gives it.key and it.value, pointers \
     * that are valid until thaw. */                                                                                   \
    CM_FUNCTION_(how, name##_frozen_iter, name##_frozen_iter_begin, (const name##_frozen *view), {                     \
        name##_frozen_iter iter;                                                                                       \
        memset((void *)&iter, 0, sizeof iter);                                                                         \
        iter.core.frozen = &view->core;                                                                                \
        return iter;                                                                                                   \
    })                                                                                                                 \
    CM_FUNCTION_(how, bool, name##_frozen_iter_next, (name##_frozen_iter * iter), {                                    \
        struct cm_place_ place = cm_frozen_next_(&iter->core, &name##_type_);                                          \
        if (!place.bucket)                                                                                             \
            return false;                                                                                              \
        iter->key = (const Key *)(const void *)cm_place_key_(&name##_type_, place);                                    \
        iter->value = (const Value *)(const void *)cm_place_value_(&name##_type_, place);                              \
        return true;                                                                                                   \
    })                                                                                                                 \
    CM_FUNCTION_(how, void, name##_frozen_iter_end, (name##_frozen_iter * iter), { (void)iter; })

#endif
