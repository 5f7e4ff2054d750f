/* The typed functions of guards, entries and conditional changes: a part of the maps whose header includes this. */
#ifndef CONCMAP_DETAIL_GUARDED_H
#define CONCMAP_DETAIL_GUARDED_H

#include <concmap/detail/guard.h>

/* A call that may wait, and its twins: try_VERB returns CM_BUSY instead of waiting, VERB_until CM_TIMEOUT past its
 * deadline. Any of them returns CM_DEADLOCK where waiting would never end. They are made of name_VERB_in_(...,
 * deadline).
 */
#define CM_LIST_(...) __VA_ARGS__
#define CM_TWINS_(name, verb, parameters, arguments) CM_TWINS_OF_(cm_status, name, verb, parameters, arguments)
#define CM_TWINS_OF_(Result, name, verb, parameters, arguments)                                                        \
    CM_TYPED Result name##_##verb(CM_LIST_ parameters)                                                                 \
    {                                                                                                                  \
        CM_CALLED_();                                                                                                  \
        return name##_##verb##_in_(CM_LIST_ arguments, CM_FOREVER);                                                    \
    }                                                                                                                  \
    CM_TYPED Result name##_try_##verb(CM_LIST_ parameters)                                                             \
    {                                                                                                                  \
        CM_CALLED_();                                                                                                  \
        return name##_##verb##_in_(CM_LIST_ arguments, CM_TRY);                                                        \
    }                                                                                                                  \
    CM_TYPED Result name##_##verb##_until(CM_LIST_ parameters, cm_deadline deadline)                                   \
    {                                                                                                                  \
        CM_CALLED_();                                                                                                  \
        return name##_##verb##_in_(CM_LIST_ arguments, deadline);                                                      \
    }

/* Runs the statement that follows with the key's value in `g.value`, locked shared (const) or exclusively, if it is
 * present; otherwise the statement after `else`, and g.status says why. The lock is given back however the statement is
 * left: at its end, by break, continue, return and goto, by C++ exceptions, and by pthread_exit and cancellation where
 * the program is compiled with -fexceptions; not by longjmp. */
#define CM_WITH_READ(name, map, key, g) CM_WITH_(name, read, map, key, g)
#define CM_WITH_WRITE(name, map, key, g) CM_WITH_(name, write, map, key, g)
#define CM_WITH_(name, kind, map, key, g)                                                                              \
    for (name##_##kind##_guard g __attribute__((cleanup(name##_##kind##_end_))),                                       \
         *g##_once_ = CM_AT(name##_##kind##_begin_(map, key, &g));                                                     \
         g##_once_; g##_once_ = NULL)                                                                                  \
        if (g.status == CM_OK)

#define CM_GUARDED_(name, Key, Value)                                                                                  \
    CM_READ_GUARD_(name, Key, Value)                                                                                   \
    CM_WRITE_GUARD_(name, Key, Value)                                                                                  \
    CM_ENTRY_(name, Key, Value)                                                                                        \
    CM_CONDITIONAL_(name, Key, Value)

/* What a guard of either kind is told apart by. */
#define CM_GUARD_ATTACH_(name, kind, part, exclusive)                                                                  \
    /* Takes the guard from the calling thread, so that it can be handed to another one, as it is or by copy; nobody   \
     * holds it then, and no deadlock by it is seen. CM_BUSY: the thread has another guard in the same bucket;         \
     * CM_INVALID: it is not the thread's. */                                                                          \
    CM_TYPED cm_status name##_##kind##_detach(name##_##kind##_guard *guard)                                            \
    {                                                                                                                  \
        return cm_guard_is_own_(&guard->part) ? cm_guard_detach_(&guard->part) : CM_INVALID;                           \
    }                                                                                                                  \
    /* Makes a detached guard the calling thread's own. CM_NOMEM; CM_INVALID: it is not detached. */                   \
    CM_TYPED cm_status name##_##kind##_attach(name##_##kind##_guard *guard)                                            \
    {                                                                                                                  \
        return guard->part.thread == CM_DETACHED_ ? cm_guard_attach_(&guard->part, exclusive) : CM_INVALID;            \
    }

#define CM_READ_GUARD_(name, Key, Value)                                                                               \
    /* A value that is there to be read until the guard is unlocked. Other readers are let in, writers are not. */     \
    typedef struct name##_read_guard {                                                                                 \
        const Value *value;                                                                                            \
        cm_status status;                                                                                              \
        struct cm_guard_ core;                                                                                         \
    } name##_read_guard;                                                                                               \
    static __attribute__((noinline, unused)) cm_status name##_share_again_(                                            \
        const name *map, Key key, uint64_t hash, struct cm_guard_ *guard, cm_deadline deadline)                        \
    {                                                                                                                  \
        return cm_guard_read_(&name##_type_, (struct cm_map_ *)(uintptr_t)&map->core, guard, &key, hash, deadline);    \
    }                                                                                                                  \
    CM_INLINE cm_status name##_read_in_(const name *map, Key key, name##_read_guard *guard, cm_deadline deadline)      \
    {                                                                                                                  \
        uint64_t hash = name##_hash_of_(map, &key);                                                                    \
        char *value = NULL;                                                                                            \
        enum cm_read_ result = cm_guard_glance_(&name##_type_, (struct cm_map_ *)(uintptr_t)&map->core, &guard->core,  \
                                                &key, hash, &value);                                                   \
        guard->status = result == CM_READ_HIT_ ? CM_OK : CM_ABSENT;                                                    \
        if (CM_UNLIKELY(result == CM_READ_AGAIN_)) {                                                                   \
            guard->status = name##_share_again_(map, key, hash, &guard->core, deadline);                               \
            value = guard->core.thread ? cm_guard_value_(&name##_type_, &guard->core) : NULL;                          \
        }                                                                                                              \
        guard->value = result == CM_READ_MISS_ || !value                                                               \
                           ? NULL                                                                                      \
                           : (const Value *)(void *)cm_value_show_(&name##_type_, &guard->core, value);                \
        if (CM_CHECKED && guard->core.thread && !guard->value) {                                                       \
            cm_guard_unshare_(&guard->core);                                                                           \
            guard->status = CM_NOMEM;                                                                                  \
        }                                                                                                              \
        return guard->status;                                                                                          \
    }                                                                                                                  \
    /* Locks the key's value shared: CM_OK, or CM_ABSENT. CM_OWNER_DIED: it is locked, too, but a thread ended while   \
     * it changed the value. CM_DEADLOCK also where the calling thread has it for writing. */                          \
    CM_TWINS_(name, read, (const name *map, Key key, name##_read_guard *guard), (map, key, guard))                     \
    /* Unlocks. CM_INVALID: the guard is not locked, or another thread's. */                                           \
    CM_TYPED cm_status name##_read_unlock(name##_read_guard *guard)                                                    \
    {                                                                                                                  \
        if (!cm_guard_is_own_(&guard->core))                                                                           \
            return CM_INVALID;                                                                                         \
        cm_value_hide_(guard->value);                                                                                  \
        cm_guard_unshare_(&guard->core);                                                                               \
        guard->value = NULL;                                                                                           \
        return CM_OK;                                                                                                  \
    }                                                                                                                  \
    /* A second guard of the same value, in the same thread; the lock lasts until both are unlocked. CM_NOMEM, CM_BUSY \
     * (more than 4,095 readers), CM_INVALID. */                                                                       \
    CM_TYPED cm_status name##_read_clone(const name##_read_guard *guard, name##_read_guard *clone)                     \
    {                                                                                                                  \
        clone->core.thread = NULL;                                                                                     \
        clone->value = NULL;                                                                                           \
        if (!cm_guard_is_own_(&guard->core))                                                                           \
            return clone->status = CM_INVALID;                                                                         \
        cm_status status = cm_guard_clone_(&guard->core, &clone->core);                                                \
        clone->value = status == CM_OK                                                                                 \
                           ? (const Value *)(void *)cm_value_show_(&name##_type_, &clone->core,                        \
                                                                   cm_guard_value_(&name##_type_, &clone->core))       \
                           : NULL;                                                                                     \
        if (CM_CHECKED && status == CM_OK && !clone->value) {                                                          \
            cm_guard_unshare_(&clone->core);                                                                           \
            status = CM_NOMEM;                                                                                         \
        }                                                                                                              \
        return clone->status = status;                                                                                 \
    }                                                                                                                  \
    CM_GUARD_ATTACH_(name, read, core, false)                                                                          \
    CM_TYPED name##_read_guard *name##_read_begin_(const name *map, Key key, name##_read_guard *guard)                 \
    {                                                                                                                  \
        name##_read(map, key, guard);                                                                                  \
        return guard;                                                                                                  \
    }                                                                                                                  \
    CM_TYPED void name##_read_end_(name##_read_guard *guard)                                                           \
    {                                                                                                                  \
        name##_read_unlock(guard);                                                                                     \
    }

#define CM_WRITE_GUARD_(name, Key, Value)                                                                              \
    /* A value that nobody else looks at until the guard is unlocked. An entry is one that may be vacant: then `value` \
     * is NULL. */                                                                                                     \
    typedef struct name##_write_guard {                                                                                \
        Value *value;                                                                                                  \
        cm_status status;                                                                                              \
        Key key;                                                                                                       \
        struct cm_entry_ core;                                                                                         \
    } name##_write_guard;                                                                                              \
    CM_INLINE cm_status name##_lock_(name *map, Key key, name##_write_guard *guard, enum cm_purpose_ purpose,          \
                                     cm_deadline deadline)                                                             \
    {                                                                                                                  \
        guard->key = key;                                                                                              \
        guard->status = cm_entry_write_(&name##_type_, &map->core, &guard->core, &guard->key,                          \
                                        name##_hash_of_(map, &key), purpose, deadline);                                \
        guard->value = guard->core.guard.thread && guard->core.present                                                 \
                           ? (Value *)(void *)cm_guard_value_(&name##_type_, &guard->core.guard)                       \
                           : NULL;                                                                                     \
        return guard->status;                                                                                          \
    }                                                                                                                  \
    CM_INLINE cm_status name##_write_in_(name *map, Key key, name##_write_guard *guard, cm_deadline deadline)          \
    {                                                                                                                  \
        return name##_lock_(map, key, guard, CM_FOR_VALUE_, deadline);                                                 \
    }                                                                                                                  \
    /* Locks the key's value exclusively: CM_OK, or CM_ABSENT. CM_OWNER_DIED: it is locked, too, but a thread ended    \
     * while it changed the value: unlock to keep it, or remove it. CM_NOMEM: the thread holds too much. */            \
    CM_TWINS_(name, write, (name * map, Key key, name##_write_guard * guard), (map, key, guard))                       \
    /* Unlocks. CM_INVALID: the guard is not locked, or another thread's. */                                           \
    CM_TYPED cm_status name##_write_unlock(name##_write_guard *guard)                                                  \
    {                                                                                                                  \
        if (!cm_guard_is_own_(&guard->core.guard))                                                                     \
            return CM_INVALID;                                                                                         \
        cm_entry_leave_(&name##_type_, &guard->core);                                                                  \
        guard->value = NULL;                                                                                           \
        return CM_OK;                                                                                                  \
    }                                                                                                                  \
    /* Lets readers in: `guard` becomes the read guard `reader`, without a moment between them. CM_ABSENT: it is       \
     * vacant; CM_BUSY: the thread has another write guard in the same bucket; CM_INVALID; in a checked build          \
     * CM_NOMEM. */                                                                                                    \
    CM_TYPED cm_status name##_write_downgrade(name##_write_guard *guard, name##_read_guard *reader)                    \
    {                                                                                                                  \
        reader->core.thread = NULL;                                                                                    \
        reader->value = NULL;                                                                                          \
        bool own = cm_guard_is_own_(&guard->core.guard);                                                               \
        const char *shown =                                                                                            \
            own && guard->value ? cm_value_show_(&name##_type_, &guard->core.guard, (char *)guard->value) : NULL;      \
        if (own && guard->value && !shown)                                                                             \
            return CM_NOMEM;                                                                                           \
        cm_status status = own ? cm_guard_downgrade_(&name##_type_, &guard->core) : CM_INVALID;                        \
        if (status != CM_OK) {                                                                                         \
            cm_value_hide_(shown);                                                                                     \
            return status;                                                                                             \
        }                                                                                                              \
        reader->core = guard->core.guard;                                                                              \
        reader->value = (const Value *)(const void *)shown;                                                            \
        reader->status = CM_OK;                                                                                        \
        guard->core.guard.thread = NULL;                                                                               \
        guard->value = NULL;                                                                                           \
        return CM_OK;                                                                                                  \
    }                                                                                                                  \
    /* Keeps other readers out: `guard` becomes the write guard `writer`. CM_BUSY: there are other readers; `guard` is \
     * as it was. CM_OWNER_DIED: as of write. CM_INVALID. */                                                           \
    CM_TYPED cm_status name##_read_upgrade(name##_read_guard *guard, Key key, name##_write_guard *writer)              \
    {                                                                                                                  \
        writer->core.guard.thread = NULL;                                                                              \
        writer->value = NULL;                                                                                          \
        cm_status status = cm_guard_is_own_(&guard->core)                                                              \
                               ? cm_guard_upgrade_(&guard->core, &writer->core,                                        \
                                                   name##_type_.hash(&key, cm_guard_map_(&guard->core)->seed))         \
                               : CM_INVALID;                                                                           \
        if (status != CM_OK && status != CM_OWNER_DIED)                                                                \
            return status;                                                                                             \
        writer->key = key;                                                                                             \
        writer->value = (Value *)(void *)cm_guard_value_(&name##_type_, &writer->core.guard);                          \
        cm_value_hide_(guard->value);                                                                                  \
        writer->status = status;                                                                                       \
        guard->core.thread = NULL;                                                                                     \
        guard->value = NULL;                                                                                           \
        return status;                                                                                                 \
    }                                                                                                                  \
    CM_GUARD_ATTACH_(name, write, core.guard, true)                                                                    \
    CM_TYPED name##_write_guard *name##_write_begin_(name *map, Key key, name##_write_guard *guard)                    \
    {                                                                                                                  \
        name##_write(map, key, guard);                                                                                 \
        return guard;                                                                                                  \
    }                                                                                                                  \
    CM_TYPED void name##_write_end_(name##_write_guard *guard)                                                         \
    {                                                                                                                  \
        name##_write_unlock(guard);                                                                                    \
    }

#define CM_ENTRY_(name, Key, Value)                                                                                    \
    CM_INLINE cm_status name##_entry_in_(name *map, Key key, name##_write_guard *entry, cm_deadline deadline)          \
    {                                                                                                                  \
        return name##_lock_(map, key, entry, CM_FOR_ENTRY_, deadline);                                                 \
    }                                                                                                                  \
    /* Locks the key's place, whether it is in the map or not: CM_OK; or as write. The memory for inserting is got     \
     * here: CM_NOMEM. A text key must stay as it is until the entry is unlocked. */                                   \
    CM_TWINS_(name, entry, (name * map, Key key, name##_write_guard * entry), (map, key, entry))                       \
    /* Sets the value, of a vacant entry too. Where it now lies; NULL: it was removed through this very entry, and     \
     * there is no memory for putting it back, or the entry is not the thread's. */                                    \
    CM_TYPED Value *name##_entry_insert(name##_write_guard *entry, Value value)                                        \
    {                                                                                                                  \
        if (!cm_guard_is_own_(&entry->core.guard) ||                                                                   \
            !cm_entry_insert_(&name##_type_, &entry->core, &entry->key, &value))                                       \
            return NULL;                                                                                               \
        return entry->value = (Value *)(void *)cm_guard_value_(&name##_type_, &entry->core.guard);                     \
    }                                                                                                                  \
    /* The value; of a vacant entry it is set first. NULL as above. */                                                 \
    CM_TYPED Value *name##_entry_or_insert(name##_write_guard *entry, Value value)                                     \
    {                                                                                                                  \
        return entry->value && cm_guard_is_own_(&entry->core.guard) ? entry->value                                     \
                                                                    : name##_entry_insert(entry, value);               \
    }                                                                                                                  \
    /* As entry_or_insert, with a value that `make` fills in. If it returns less than 0 nothing is added, and that is  \
     * the result. CM_OK, CM_EXISTS, CM_NOMEM, CM_INVALID. */                                                          \
    CM_TYPED cm_status name##_entry_or_insert_with(name##_write_guard *entry, cm_status (*make)(Value *, void *),      \
                                                   void *context)                                                      \
    {                                                                                                                  \
        Value value;                                                                                                   \
        if (!cm_guard_is_own_(&entry->core.guard))                                                                     \
            return CM_INVALID;                                                                                         \
        if (entry->value)                                                                                              \
            return CM_EXISTS;                                                                                          \
        cm_status status = make(&value, context);                                                                      \
        if (status < 0)                                                                                                \
            return status;                                                                                             \
        return name##_entry_insert(entry, value) ? CM_OK : CM_NOMEM;                                                   \
    }                                                                                                                  \
    /* Runs the function on the value, if there is one; if it returns less than 0, the value is as it was. Returns     \
     * what the function returned, or CM_ABSENT. */                                                                    \
    CM_TYPED cm_status name##_entry_and_modify(name##_write_guard *entry, cm_status (*function)(Value *, void *),      \
                                               void *context)                                                          \
    {                                                                                                                  \
        if (!cm_guard_is_own_(&entry->core.guard))                                                                     \
            return CM_INVALID;                                                                                         \
        if (!entry->value)                                                                                             \
            return CM_ABSENT;                                                                                          \
        Value before;                                                                                                  \
        memcpy((void *)&before, entry->value, sizeof before);                                                          \
        cm_status status = function(entry->value, context);                                                            \
        if (status < 0)                                                                                                \
            memcpy((void *)entry->value, &before, sizeof before);                                                      \
        return status;                                                                                                 \
    }                                                                                                                  \
    /* Sets the value of an entry that has one; `old` (may be NULL) takes the old value. CM_REPLACED, or CM_ABSENT. */ \
    CM_TYPED cm_status name##_entry_replace(name##_write_guard *entry, Value value, Value *old)                        \
    {                                                                                                                  \
        if (!cm_guard_is_own_(&entry->core.guard))                                                                     \
            return CM_INVALID;                                                                                         \
        if (!entry->value)                                                                                             \
            return CM_ABSENT;                                                                                          \
        if (old)                                                                                                       \
            memcpy((void *)old, entry->value, sizeof value);                                                           \
        memcpy((void *)entry->value, &value, sizeof value);                                                            \
        return CM_REPLACED;                                                                                            \
    }                                                                                                                  \
    /* Removes the entry; `old` (may be NULL) takes its value. It is vacant then, and locked still. CM_OK, CM_ABSENT,  \
     * CM_INVALID. */                                                                                                  \
    CM_TYPED cm_status name##_entry_remove(name##_write_guard *entry, Value *old)                                      \
    {                                                                                                                  \
        if (!cm_guard_is_own_(&entry->core.guard))                                                                     \
            return CM_INVALID;                                                                                         \
        if (!entry->value)                                                                                             \
            return CM_ABSENT;                                                                                          \
        cm_entry_remove_(&name##_type_, &entry->core, old);                                                            \
        entry->value = NULL;                                                                                           \
        return CM_OK;                                                                                                  \
    }                                                                                                                  \
    /* Unlocks; as write_unlock. */                                                                                    \
    CM_TYPED cm_status name##_entry_unlock(name##_write_guard *entry)                                                  \
    {                                                                                                                  \
        return name##_write_unlock(entry);                                                                             \
    }

#define CM_KEYS_MOST_ 8

#define CM_CONDITIONAL_(name, Key, Value)                                                                              \
    CM_INLINE cm_status name##_remove_if_in_(name *map, Key key, cm_status (*condition)(Value *, void *),              \
                                             void *context, Value *old, cm_deadline deadline)                          \
    {                                                                                                                  \
        struct name##_call_ call = {condition, context};                                                               \
        return cm_map_remove_(&name##_type_, &map->core, &key, name##_hash_of_(map, &key), name##_run_, &call, old,    \
                              deadline);                                                                               \
    }                                                                                                                  \
    /* Removes the key if the condition, run under the bucket's lock, returns CM_OK; `old` (may be NULL) takes the     \
     * value. Returns what the condition returned, or CM_ABSENT. */                                                    \
    CM_TWINS_(name, remove_if,                                                                                         \
              (name * map, Key key, cm_status(*condition)(Value *, void *), void *context, Value *old),                \
              (map, key, condition, context, old))                                                                     \
    struct name##_if_ {                                                                                                \
        bool (*condition)(const Value *, void *);                                                                      \
        cm_status (*function)(Value *, void *);                                                                        \
        void *context;                                                                                                 \
    };                                                                                                                 \
    CM_INLINE cm_status name##_update_checked_(Value *value, void *context)                                            \
    {                                                                                                                  \
        struct name##_if_ *checked = (struct name##_if_ *)context;                                                     \
        return checked->condition(value, checked->context) ? checked->function(value, checked->context) : CM_EXISTS;   \
    }                                                                                                                  \
    CM_INLINE cm_status name##_update_if_in_(name *map, Key key, bool (*condition)(const Value *, void *),             \
                                             cm_status (*function)(Value *, void *), void *context,                    \
                                             cm_deadline deadline)                                                     \
    {                                                                                                                  \
        struct name##_if_ checked = {condition, function, context};                                                    \
        return name##_update_in_(map, key, name##_update_checked_, &checked, deadline);                                \
    }                                                                                                                  \
    /* As update, but only where the condition holds; CM_EXISTS: it does not. */                                       \
    CM_TWINS_(name, update_if,                                                                                         \
              (name * map, Key key, bool (*condition)(const Value *, void *), cm_status (*function)(Value *, void *),  \
               void *context),                                                                                         \
              (map, key, condition, function, context))                                                                \
    struct name##_exchange_ {                                                                                          \
        bool (*equal)(const Value *, const Value *);                                                                   \
        Value *expected;                                                                                               \
        const Value *desired;                                                                                          \
    };                                                                                                                 \
    CM_INLINE cm_status name##_exchange_equal_(Value *value, void *context)                                            \
    {                                                                                                                  \
        struct name##_exchange_ *exchange = (struct name##_exchange_ *)context;                                        \
        bool same = exchange->equal(value, exchange->expected);                                                        \
        if (same)                                                                                                      \
            memcpy((void *)value, exchange->desired, sizeof *value);                                                   \
        else                                                                                                           \
            memcpy((void *)exchange->expected, value, sizeof *value);                                                  \
        return same ? CM_REPLACED : CM_EXISTS;                                                                         \
    }                                                                                                                  \
    CM_INLINE cm_status name##_compare_exchange_in_(name *map, Key key, Value *expected, Value desired,                \
                                                    bool (*equal)(const Value *, const Value *), cm_deadline deadline) \
    {                                                                                                                  \
        struct name##_exchange_ exchange = {equal, expected, &desired};                                                \
        return name##_update_in_(map, key, name##_exchange_equal_, &exchange, deadline);                               \
    }                                                                                                                  \
    /* Sets the value to `desired` if it equals *expected: CM_REPLACED; otherwise *expected takes it: CM_EXISTS. Or    \
     * CM_ABSENT. */                                                                                                   \
    CM_TWINS_(name, compare_exchange,                                                                                  \
              (name * map, Key key, Value * expected, Value desired, bool (*equal)(const Value *, const Value *)),     \
              (map, key, expected, desired, equal))                                                                    \
    CM_INLINE cm_status name##_take_or_in_(name *map, Key key, Value otherwise, Value *value, cm_deadline deadline)    \
    {                                                                                                                  \
        memcpy((void *)value, &otherwise, sizeof otherwise);                                                           \
        return name##_remove_in_(map, key, value, deadline);                                                           \
    }                                                                                                                  \
    /* Removes the key, and *value takes its value: CM_OK; or `otherwise`: CM_ABSENT. */                               \
    CM_TWINS_(name, take_or, (name * map, Key key, Value otherwise, Value * value), (map, key, otherwise, value))      \
    CM_TYPED cm_status name##_keys_lock_(name *map, const Key *keys, const unsigned *order, size_t n,                  \
                                         name##_write_guard *guards, cm_deadline deadline)                             \
    {                                                                                                                  \
        cm_status status = CM_OK;                                                                                      \
        size_t locked = 0;                                                                                             \
        for (; locked < n && status == CM_OK; locked++)                                                                \
            status = name##_lock_(map, keys[order[locked]], &guards[order[locked]], CM_FOR_KEYS_, deadline);           \
        if (status != CM_OK)                                                                                           \
            while (locked-- > 0)                                                                                       \
                name##_entry_unlock(&guards[order[locked]]);                                                           \
        return status;                                                                                                 \
    }                                                                                                                  \
    CM_INLINE cm_status name##_with_keys_in_(name *map, const Key *keys, size_t n,                                     \
                                             cm_status (*function)(Value **, size_t, void *), void *context,           \
                                             cm_deadline deadline)                                                     \
    {                                                                                                                  \
        name##_write_guard guards[CM_KEYS_MOST_];                                                                      \
        Value *values[CM_KEYS_MOST_];                                                                                  \
        uint64_t hashes[CM_KEYS_MOST_];                                                                                \
        unsigned order[CM_KEYS_MOST_];                                                                                 \
        if (n == 0 || n > CM_KEYS_MOST_)                                                                               \
            return CM_INVALID;                                                                                         \
        for (size_t i = 0; i < n; i++)                                                                                 \
            hashes[i] = name##_hash_of_(map, &keys[i]);                                                                \
        for (size_t i = 0; i < n; i++)                                                                                 \
            for (size_t k = 0; k < i; k++)                                                                             \
                if (hashes[i] == hashes[k] && name##_equal_(&keys[i], &keys[k]))                                       \
                    return CM_INVALID;                                                                                 \
        cm_keys_order_(hashes, n, order);                                                                              \
        bool alone = cm_keys_begin_();                                                                                 \
        cm_status status = name##_keys_lock_(map, keys, order, n, guards, deadline);                                   \
        for (unsigned tries = 0; status == CM_DEADLOCK && alone; tries++) {                                            \
            cm_keys_pause_(tries);                                                                                     \
            status = name##_keys_lock_(map, keys, order, n, guards, deadline);                                         \
        }                                                                                                              \
        cm_keys_end_();                                                                                                \
        if (status != CM_OK)                                                                                           \
            return status;                                                                                             \
        for (size_t i = 0; i < n; i++)                                                                                 \
            values[i] = guards[i].value;                                                                               \
        status = function(values, n, context);                                                                         \
        for (size_t i = n; i-- > 0;)                                                                                   \
            name##_entry_unlock(&guards[order[i]]);                                                                    \
        return status;                                                                                                 \
    }                                                                                                                  \
    /* Runs the function once on the values of n keys (1 to 8), all of them locked: values[i] belongs to keys[i], NULL \
     * where it is absent. Returns what the function returned; what it has changed stays. No order of keys leads to    \
     * a deadlock. CM_INVALID: too many keys, or one twice. CM_OWNER_DIED: a thread ended while it changed one of the  \
     * values, which write, put or remove has to deal with first. CM_NOMEM. */                                         \
    CM_TWINS_(name, with_keys,                                                                                         \
              (name * map, const Key *keys, size_t n, cm_status (*function)(Value **, size_t, void *), void *context), \
              (map, keys, n, function, context))

#endif
