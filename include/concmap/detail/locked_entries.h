/* The typed functions of entries of the locked map: uses, locks, and walks that give entries out. */
#ifndef CONCMAP_DETAIL_LOCKED_ENTRIES_H
#define CONCMAP_DETAIL_LOCKED_ENTRIES_H

#include <concmap/detail/locked.h>
#include <concmap/detail/typed.h>
#include <concmap/detail/walks.h>

/* Runs the statement that follows with the entry's value in `g.value`, locked; otherwise the statement after `else`,
 * and g.status says why: CM_DEADLOCK, CM_OWNER_DIED, CM_NOMEM. The lock is given back however the statement is left, as
 * by CM_WITH_WRITE (detail/guarded.h); the use of the entry is not. */
#define CM_WITH_ENTRY(name, entry, g) CM_WITH_ENTRY_(name, entry, g)
#define CM_WITH_ENTRY_(name, over, g)                                                                                  \
    for (name##_entry_guard g __attribute__((cleanup(name##_entry_end_))),                                             \
         *g##_once_ = CM_AT(name##_entry_begin_(over, &g));                                                            \
         g##_once_; g##_once_ = NULL)                                                                                  \
        if (g.status == CM_OK)

#define CM_LOCKED_ENTRIES_(how, name, Key, Value)                                                                      \
    CM_LOCKED_USES_(how, name, Key, Value)                                                                             \
    CM_LOCKED_LOCKS_(how, name, Key, Value)                                                                            \
    CM_LOCKED_WALKS_(how, name, Key, Value)

#define CM_LOCKED_USES_(how, name, Key, Value)                                                                         \
    /* A copy of a value, for somebody else to own. */                                                                 \
    CM_INNER_(how, cm_status, name##_copy_, (const name *map, Value *to, const Value *from), {                         \
        if (name##_type_.value_clone)                                                                                  \
            return name##_value_dup_(to, from, map->core.context);                                                     \
        memcpy((void *)to, from, sizeof(Value));                                                                       \
        return CM_OK;                                                                                                  \
    })                                                                                                                 \
    CM_INNER_(how, void, name##_drop_, (const name *map, Value *value), {                                              \
        if (name##_type_.value_destroy)                                                                                \
            name##_value_end_(value, map->core.context);                                                               \
    })                                                                                                                 \
    /* Counts one more use of an entry that the caller uses; returns it. Wait-free. */                                 \
    CM_FUNCTION_(how, name##_entry *, name##_entry_share, (name##_entry * entry), {                                    \
        cm_add_relaxed_(&entry->core.uses, CM_USE_); /* relaxed: who adds has one (E2) */                              \
        return entry;                                                                                                  \
    })                                                                                                                 \
    /* Gives a use up; NULL does nothing. The last one of an entry that is out of the map destroys the value. The      \
     * entry is not to be locked by the caller, unless it has another use of it. Waits for nobody, but locks one       \
     * bucket where the entry is to go once it is unused (remove_when_unused). */                                      \
    CM_FUNCTION_(how, void, name##_entry_release, (name##_entry * entry), {                                            \
        if (entry)                                                                                                     \
            cm_locked_release_(&name##_type_, &entry->core);                                                           \
    })                                                                                                                 \
    /* The map's key of an entry, for as long as it is used. */                                                        \
    CM_FUNCTION_(how, const Key *, name##_entry_key, (const name##_entry *entry),                                      \
                 { return (const Key *)(const void *)cm_locked_key_(&name##_type_, &entry->core); })                   \
    /* Whether the entry is in the map. Once it is not, it never will be. To be asked under the entry's lock: what is  \
     * done to a value whose entry was in the map when it was locked comes before a removal. Wait-free. */             \
    CM_FUNCTION_(how, bool, name##_entry_is_linked, (const name##_entry *entry),                                       \
                 { return cm_locked_is_linked_(&entry->core); })                                                       \
    CM_INNER_(how, cm_status, name##_entry_discard_in_, (name##_entry * entry, cm_deadline deadline),                  \
              { return cm_locked_unlink_entry_(&name##_type_, &entry->core, deadline); })                              \
    /* Takes the entry out of the map, whoever has its lock, and also one whose owner died: CM_OK; CM_ABSENT: it was   \
     * out. The caller still uses it. Locks one bucket. */                                                             \
    CM_TWINS_(how, name##_entry, discard, (name##_entry * entry), (entry))

#define CM_LOCKED_LOCKS_(how, name, Key, Value)                                                                        \
    CM_INNER_(how, Value *, name##_entry_lock_in_, (name##_entry * entry, cm_deadline deadline),                       \
              { return cm_locked_lock_(&entry->core, NULL, 0, deadline) == CM_GOT_ ? &entry->value : NULL; })          \
    /* Locks the entry: where its value is, for the calling thread alone until it unlocks. NULL: it is not locked,     \
     * because the thread has it already or waits in a circle with others (CM_DEADLOCK), or its owner died. The try_   \
     * twin does not wait, the _until twin not for longer than its deadline. Parks. */                                 \
    CM_TWINS_OF_(how, Value *, name##_entry, lock, (name##_entry * entry), (entry))                                    \
    /* The same by the deadline (CM_FOREVER, CM_TRY), and the reason: CM_OK, and *value; CM_BUSY, CM_TIMEOUT,          \
     * CM_DEADLOCK, CM_NOMEM (no record of what the thread holds); CM_OWNER_DIED: a thread ended while it had the      \
     * lock, and the value may be half done: entry_recover, entry_discard, put and remove get past that. */            \
    CM_FUNCTION_(how, cm_status, name##_entry_lock_status,                                                             \
                 (name##_entry * entry, cm_deadline deadline, Value * *value), {                                       \
                     CM_CALLED_();                                                                                     \
                     int got = cm_locked_lock_(&entry->core, NULL, 0, deadline);                                       \
                     if (got == CM_GOT_)                                                                               \
                         *value = &entry->value;                                                                       \
                     return (cm_status)got;                                                                            \
                 })                                                                                                    \
    CM_INNER_(how, Value *, name##_entry_recover_in_, (name##_entry * entry, cm_deadline deadline), {                  \
        if (cm_locked_lock_(&entry->core, NULL, CM_LOCK_ANYWAY_, deadline) != CM_GOT_)                                 \
            return NULL;                                                                                               \
        cm_locked_tidy_(&entry->core);                                                                                 \
        return &entry->value;                                                                                          \
    })                                                                                                                 \
    /* As entry_lock, also where the owner died: the caller puts the value right, and others lock it as ever. */       \
    CM_TWINS_OF_(how, Value *, name##_entry, recover, (name##_entry * entry), (entry))                                 \
    /* Unlocks. CM_INVALID: the calling thread does not have the lock. */                                              \
    CM_FUNCTION_(how, cm_status, name##_entry_unlock, (name##_entry * entry),                                          \
                 { return cm_locked_unlock_(&entry->core, false); })                                                   \
    CM_INNER_(how, const Value *, name##_entry_read_lock_in_, (name##_entry * entry, cm_deadline deadline), {          \
        return cm_locked_lock_(&entry->core, NULL, CM_LOCK_SHARED_, deadline) == CM_GOT_ ? &entry->value : NULL;       \
    })                                                                                                                 \
    /* Locks it shared, to read: any number of threads at a time. A waiting writer keeps new readers out. As           \
     * entry_lock.                                                                                                     \
     */                                                                                                                \
    CM_TWINS_OF_(how, const Value *, name##_entry, read_lock, (name##_entry * entry), (entry))                         \
    CM_FUNCTION_(how, cm_status, name##_entry_read_unlock, (name##_entry * entry),                                     \
                 { return cm_locked_unlock_(&entry->core, true); })                                                    \
    CM_SHOWN_(                                                                                                         \
        how, typedef struct name##_entry_guard {                                                                       \
            name##_entry *entry;                                                                                       \
            Value *value; /* NULL: it is not locked */                                                                 \
            cm_status status;                                                                                          \
        } name##_entry_guard;)                                                                                         \
    CM_FUNCTION_(how, name##_entry_guard *, name##_entry_begin_, (name##_entry * entry, name##_entry_guard * guard), { \
        guard->entry = entry;                                                                                          \
        guard->value = NULL;                                                                                           \
        guard->status = name##_entry_lock_status(entry, CM_FOREVER, &guard->value);                                    \
        return guard;                                                                                                  \
    })                                                                                                                 \
    CM_FUNCTION_(how, void, name##_entry_end_, (name##_entry_guard * guard), {                                         \
        if (guard->value)                                                                                              \
            name##_entry_unlock(guard->entry);                                                                         \
    })

#define CM_LOCKED_WALKS_(how, name, Key, Value)                                                                        \
    CM_SHOWN_(                                                                                                         \
        how, typedef struct name##_iter {                                                                              \
            struct cm_locked_iter_ core;                                                                               \
            Key key; /* a text is the entry's */                                                                       \
            name##_entry *entry;                                                                                       \
            Value copy; /* of the value, after iter_next_until */                                                      \
            bool copied;                                                                                               \
            bool again;       /* `copy` is wanting: the next copy is of this entry */                                  \
            cm_status status; /* why it ended early */                                                                 \
        } name##_iter;)                                                                                                \
    /* Begins a walk over the entries; see CM_FOREACH (typed.h). `it.entry` is used by the walk until its next step or \
     * end; share it to keep it. No lock is held nor waited for, and any call is allowed. Each key that is in the map  \
     * throughout is visited once; keys that come or go meanwhile may be. */                                           \
    CM_FUNCTION_(how, name##_iter, name##_iter_begin, (const name *map), {                                             \
        name##_iter iter;                                                                                              \
        memset((void *)&iter, 0, offsetof(name##_iter, core) + sizeof(struct cm_locked_iter_));                        \
        memset((void *)&iter.key, 0, sizeof iter.key);                                                                 \
        cm_nodes_begin_(&iter.core.nodes, &map->core, 0, 1);                                                           \
        iter.entry = NULL;                                                                                             \
        iter.copied = false;                                                                                           \
        iter.again = false;                                                                                            \
        iter.status = iter.core.nodes.status;                                                                          \
        return iter;                                                                                                   \
    })                                                                                                                 \
    CM_LOCAL_(how, void, name##_iter_drop_, (name##_iter * iter), {                                                    \
        if (iter->copied)                                                                                              \
            name##_drop_((const struct name *)(const void *)iter->core.nodes.map, &iter->copy);                        \
        iter->copied = false;                                                                                          \
    })                                                                                                                 \
    /* Goes to the next entry; false at the end, or where `status` is CM_NOMEM. */                                     \
    CM_FUNCTION_(how, bool, name##_iter_next, (name##_iter * iter), {                                                  \
        name##_iter_drop_(iter);                                                                                       \
        iter->again = false;                                                                                           \
        bool more = cm_locked_next_(&iter->core, &name##_type_);                                                       \
        iter->status = iter->core.nodes.status;                                                                        \
        iter->entry = (name##_entry *)(void *)iter->core.entry;                                                        \
        if (more)                                                                                                      \
            memcpy((void *)&iter->key, cm_locked_key_(&name##_type_, iter->core.entry), sizeof(Key));                  \
        return more;                                                                                                   \
    })                                                                                                                 \
    CM_INNER_(how, bool, name##_iter_next_in_, (name##_iter * iter, cm_deadline deadline), {                           \
        struct cm_locked_ *entry;                                                                                      \
        int got;                                                                                                       \
        do {                                                                                                           \
            if (!iter->again && !name##_iter_next(iter))                                                               \
                return false;                                                                                          \
            iter->again = false;                                                                                       \
            entry = &iter->entry->core;                                                                                \
            got = cm_locked_read_(entry, deadline);                                                                    \
        } while (cm_locked_is_done_with_(entry, got));                                                                 \
        iter->status = got < 0 ? (cm_status)got                                                                        \
                               : name##_copy_((const struct name *)(const void *)iter->core.nodes.map, &iter->copy,    \
                                              &iter->entry->value);                                                    \
        cm_locked_read_end_(entry, got);                                                                               \
        iter->copied = iter->status >= 0;                                                                              \
        iter->again = !iter->copied;                                                                                   \
        return iter->copied;                                                                                           \
    })                                                                                                                 \
    /* The same, and copies the value under the entry's lock, for which it waits: `it.copy`, which is the walk's until \
     * the next step. False also where that fails, as `status` says: CM_OWNER_DIED, what a clone returned, CM_BUSY,    \
     * CM_TIMEOUT, CM_DEADLOCK. Then `it.entry` is the one that failed: the next call tries it again, iter_next goes   \
     * past it. For what is made for maps of any sort, as CM_PRINTED is. */                                            \
    CM_FUNCTION_(how, bool, name##_iter_next_until, (name##_iter * iter, cm_deadline deadline), {                      \
        CM_CALLED_();                                                                                                  \
        return name##_iter_next_in_(iter, deadline);                                                                   \
    })                                                                                                                 \
    /* Gives back what the walk holds. */                                                                              \
    CM_FUNCTION_(how, void, name##_iter_end, (name##_iter * iter), {                                                   \
        name##_iter_drop_(iter);                                                                                       \
        cm_locked_iter_end_(&iter->core, &name##_type_);                                                               \
    })                                                                                                                 \
    CM_SHOWN_(                                                                                                         \
        how, CM_TYPED const Value *name##_iter_value_(const name##_iter *iter) { return &iter->copy; })                \
    CM_LOCAL_(how, Value *, name##_iter_copy_, (name##_iter * iter, Value * room), {                                   \
        (void)room;                                                                                                    \
        return &iter->copy;                                                                                            \
    })                                                                                                                 \
    /* The walk's copy; another one for a map of another context. */                                                   \
    CM_INNER_(how, cm_status, name##_iter_give_, (name##_iter * iter, const name *into, Value *copy), {                \
        if (name##_type_.value_clone && iter->core.nodes.map->context != into->core.context)                           \
            return name##_copy_(into, copy, &iter->copy);                                                              \
        memcpy((void *)copy, &iter->copy, sizeof(Value));                                                              \
        iter->copied = false;                                                                                          \
        return CM_OK;                                                                                                  \
    })                                                                                                                 \
    CM_INNER_(how, struct cm_course_ *, name##_iter_course_, (name##_iter * iter),                                     \
              { return &iter->core.nodes.course; })                                                                    \
    CM_INNER_(how, bool, name##_iter_is_amid_, (const name##_iter *iter),                                              \
              { return iter->core.nodes.index < iter->core.nodes.count; })                                             \
    CM_LOCAL_(                                                                                                         \
        how, cm_status, name##_visit_all_,                                                                             \
        (const name *map, bool reports, cm_status (*function)(const Key *, const Value *, void *), void *context), {   \
            name##_iter iter = name##_iter_begin(map);                                                                 \
            cm_status status = CM_OK;                                                                                  \
            while (status >= 0 && name##_iter_next(&iter)) {                                                           \
                struct cm_locked_ *entry = &iter.entry->core;                                                          \
                int got = cm_locked_read_(entry, CM_TRY);                                                              \
                if (got == CM_NOMEM)                                                                                   \
                    status = CM_NOMEM;                                                                                 \
                else if (got >= 0 || reports)                                                                          \
                    status = function(&iter.key, got >= 0 ? &iter.entry->value : NULL, context);                       \
                cm_locked_read_end_(entry, got);                                                                       \
            }                                                                                                          \
            name##_iter_end(&iter);                                                                                    \
            return status < 0 ? status : iter.status;                                                                  \
        })                                                                                                             \
    /* Calls the function for each entry, locked shared, until it returns less than 0; returns that, CM_OK or          \
     * CM_NOMEM. Waits for nobody: entries that others have locked, or whose owners died, are left out. As iter_begin. \
     */                                                                                                                \
    CM_FUNCTION_(how, cm_status, name##_for_each,                                                                      \
                 (const name *map, cm_status (*function)(const Key *, const Value *, void *), void *context),          \
                 { return name##_visit_all_(map, false, function, context); })                                         \
    /* The same, but the function is called for those, too, with NULL for the value. */                                \
    CM_FUNCTION_(how, cm_status, name##_for_each_reporting,                                                            \
                 (const name *map, cm_status (*function)(const Key *, const Value *, void *), void *context),          \
                 { return name##_visit_all_(map, true, function, context); })                                          \
    CM_INNER_(how, cm_status, name##_retain_in_,                                                                       \
              (name * map, cm_status(*keep)(const Key *, const Value *, void *), void *context, cm_deadline deadline), \
              {                                                                                                        \
                  name##_iter iter = name##_iter_begin(map);                                                           \
                  cm_status status = CM_OK;                                                                            \
                  while (status >= 0 && name##_iter_next(&iter)) {                                                     \
                      struct cm_locked_ *entry = &iter.entry->core;                                                    \
                      int got = cm_locked_read_(entry, deadline);                                                      \
                      status = got < 0 && !cm_locked_is_done_with_(entry, got) ? (cm_status)got : CM_OK;               \
                      if (got >= 0 && cm_locked_is_linked_(entry))                                                     \
                          status = keep(&iter.key, &iter.entry->value, context);                                       \
                      if (status == CM_ABSENT)                                                                         \
                          status = cm_locked_unlink_entry_(&name##_type_, entry, deadline);                            \
                      cm_locked_read_end_(entry, got);                                                                 \
                  }                                                                                                    \
                  name##_iter_end(&iter);                                                                              \
                  return status < 0 ? status : iter.status;                                                            \
              })                                                                                                       \
    /* Removes the entries for which `keep`, run under the entry's lock, returns CM_ABSENT, and keeps those for which  \
     * it returns CM_OK; less than 0 ends it, and that entry stays. Waits for each entry's lock; who uses what was     \
     * removed keeps it. CM_OK, or why it ended: CM_OWNER_DIED, CM_DEADLOCK, CM_NOMEM. O(buckets). */                  \
    CM_TWINS_(how, name, retain, (name * map, cm_status(*keep)(const Key *, const Value *, void *), void *context),    \
              (map, keep, context))                                                                                    \
    /* Each value is copied under its entry's lock, for which it waits as iter_next_until; the function runs without a \
     * lock. */                                                                                                        \
    CM_SCANS_(how, name, Key, Value)

#endif
