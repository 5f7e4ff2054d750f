/* The typed functions of guards, entries and conditional changes: a part of the maps whose header includes this. */
#ifndef CONCMAP_DETAIL_GUARDED_H
#define CONCMAP_DETAIL_GUARDED_H

#include <concmap/detail/guard.h>
#include <concmap/detail/typed.h>

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

#define CM_GUARDED_(how, name, Key, Value)                                                                             \
    CM_READ_GUARD_(how, name, Key, Value)                                                                              \
    CM_READ_LOCKS_(how, name, name, Key, Value)                                                                        \
    CM_WRITE_GUARD_(how, name, Key, Value)                                                                             \
    CM_WRITE_LOCKS_(how, name, name, Key, Value)                                                                       \
    CM_ENTRY_(how, name, Key, Value)                                                                                   \
    CM_SEVERAL_(how, name, Key, Value)

/* The calls that lock. `name` is the map's, or that of a view of it; Map is the map's type. */
#define CM_READ_LOCKS_(how, name, Map, Key, Value)                                                                     \
    CM_HIDDEN_(                                                                                                        \
        how, static __attribute__((noinline, unused)) cm_status name##_share_again_(                                   \
                 const Map *map, Key key, uint64_t hash, struct cm_guard_ *guard, cm_deadline deadline) {              \
            return cm_guard_read_(&name##_type_, (struct cm_map_ *)(uintptr_t)&map->core, guard, &key, hash,           \
                                  deadline);                                                                           \
        })                                                                                                             \
    CM_LOCAL_(how, void, name##_guard_expire_,                                                                         \
              (const Map *map, const Key *key, uint64_t hash, name##_read_guard *guard), {                             \
                  cm_value_hide_(guard->value);                                                                        \
                  cm_guard_unshare_(&guard->core);                                                                     \
                  cm_map_expire_((struct cm_map_ *)(uintptr_t)&map->core, &name##_type_, key, hash);                   \
                  guard->value = NULL;                                                                                 \
                  guard->status = CM_ABSENT;                                                                           \
              })                                                                                                       \
    CM_INNER_(how, cm_status, name##_read_in_,                                                                         \
              (const Map *map, uint64_t hash, Key key, name##_read_guard *guard, cm_deadline deadline), {              \
                  char *value = NULL;                                                                                  \
                  enum cm_read_ result = cm_guard_glance_(&name##_type_, (struct cm_map_ *)(uintptr_t)&map->core,      \
                                                          &guard->core, &key, hash, &value);                           \
                  guard->status = result == CM_READ_HIT_ ? CM_OK : CM_ABSENT;                                          \
                  if (CM_UNLIKELY(result == CM_READ_AGAIN_)) {                                                         \
                      guard->status = name##_share_again_(map, key, hash, &guard->core, deadline);                     \
                      value = guard->core.thread ? cm_guard_value_(&name##_type_, &guard->core) : NULL;                \
                  }                                                                                                    \
                  guard->value = result == CM_READ_MISS_ || !value                                                     \
                                     ? NULL                                                                            \
                                     : (const Value *)(void *)cm_value_show_(&name##_type_, &guard->core, value);      \
                  if (CM_CHECKED && guard->core.thread && !guard->value) {                                             \
                      cm_guard_unshare_(&guard->core);                                                                 \
                      guard->status = CM_NOMEM;                                                                        \
                  }                                                                                                    \
                  if (guard->status == CM_OK && cm_value_expired_(&name##_type_, &map->core, guard->value)) {          \
                      name##_guard_expire_(map, &key, hash, guard);                                                    \
                  } else if (guard->status == CM_OK) {                                                                 \
                      cm_cached_touch_(&name##_type_, cm_layout_of_(&name##_type_),                                    \
                                       cm_guard_value_(&name##_type_, &guard->core));                                  \
                  }                                                                                                    \
                  return guard->status;                                                                                \
              })                                                                                                       \
    /* Locks the key's value shared: CM_OK, or CM_ABSENT. CM_OWNER_DIED: it is locked, too, but a thread ended while   \
     * it changed the value. CM_DEADLOCK also where the calling thread has it for writing. */                          \
    CM_KEYED_(how, name, const Map, Key, read, (, name##_read_guard * guard), (, guard))                               \
    CM_FUNCTION_(how, name##_read_guard *, name##_read_begin_, (const Map *map, Key key, name##_read_guard *guard), {  \
        name##_read(map, key, guard);                                                                                  \
        return guard;                                                                                                  \
    })

#define CM_WRITE_LOCKS_(how, name, Map, Key, Value)                                                                    \
    CM_INNER_(how, cm_status, name##_write_in_,                                                                        \
              (Map * map, uint64_t hash, Key key, name##_write_guard * guard, cm_deadline deadline),                   \
              { return name##_lock_(map, hash, key, guard, CM_FOR_VALUE_, deadline); })                                \
    /* Locks the key's value exclusively: CM_OK, or CM_ABSENT. CM_OWNER_DIED: it is locked, too, but a thread ended    \
     * while it changed the value: unlock to keep it, or remove it. CM_NOMEM: the thread holds too much. */            \
    CM_KEYED_(how, name, Map, Key, write, (, name##_write_guard * guard), (, guard))                                   \
    CM_FUNCTION_(how, name##_write_guard *, name##_write_begin_, (Map * map, Key key, name##_write_guard * guard), {   \
        name##_write(map, key, guard);                                                                                 \
        return guard;                                                                                                  \
    })

/* What a guard of either kind is told apart by. */
#define CM_GUARD_ATTACH_(how, name, kind, part, exclusive)                                                             \
    /* Takes the guard from the calling thread, so that it can be handed to another one, as it is or by copy; nobody   \
     * holds it then, and no deadlock by it is seen. CM_BUSY: the thread has another guard in the same bucket;         \
     * CM_INVALID: it is not the thread's. */                                                                          \
    CM_FUNCTION_(how, cm_status, name##_##kind##_detach, (name##_##kind##_guard * guard),                              \
                 { return cm_guard_is_own_(&guard->part) ? cm_guard_detach_(&guard->part) : CM_INVALID; })             \
    /* Makes a detached guard the calling thread's own. CM_NOMEM; CM_INVALID: it is not detached. */                   \
    CM_FUNCTION_(how, cm_status, name##_##kind##_attach, (name##_##kind##_guard * guard), {                            \
        return guard->part.thread == CM_DETACHED_ ? cm_guard_attach_(&guard->part, exclusive) : CM_INVALID;            \
    })

#define CM_READ_GUARD_(how, name, Key, Value)                                                                          \
    /* A value that is there to be read until the guard is unlocked. Other readers are let in, writers are not. */     \
    CM_SHOWN_(                                                                                                         \
        how, typedef struct name##_read_guard {                                                                        \
            const Value *value;                                                                                        \
            cm_status status;                                                                                          \
            struct cm_guard_ core;                                                                                     \
        } name##_read_guard;)                                                                                          \
    /* Unlocks. CM_INVALID: the guard is not locked, or another thread's. */                                           \
    CM_FUNCTION_(how, cm_status, name##_read_unlock, (name##_read_guard * guard), {                                    \
        if (!cm_guard_is_own_(&guard->core))                                                                           \
            return CM_INVALID;                                                                                         \
        cm_value_hide_(guard->value);                                                                                  \
        cm_guard_unshare_(&guard->core);                                                                               \
        guard->value = NULL;                                                                                           \
        return CM_OK;                                                                                                  \
    })                                                                                                                 \
    /* A second guard of the same value, in the same thread; the lock lasts until both are unlocked. CM_NOMEM, CM_BUSY \
     * (more than 4,095 readers), CM_INVALID. */                                                                       \
    CM_FUNCTION_(how, cm_status, name##_read_clone, (const name##_read_guard *guard, name##_read_guard *clone), {      \
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
    })                                                                                                                 \
    CM_GUARD_ATTACH_(how, name, read, core, false)                                                                     \
    CM_FUNCTION_(how, void, name##_read_end_, (name##_read_guard * guard), { name##_read_unlock(guard); })

#define CM_WRITE_GUARD_(how, name, Key, Value)                                                                         \
    /* A value that nobody else looks at until the guard is unlocked. An entry is one that may be vacant: then `value` \
     * is NULL. */                                                                                                     \
    CM_SHOWN_(                                                                                                         \
        how, typedef struct name##_write_guard {                                                                       \
            Value *value;                                                                                              \
            cm_status status;                                                                                          \
            Key key;                                                                                                   \
            struct cm_entry_ core;                                                                                     \
        } name##_write_guard;)                                                                                         \
    CM_INNER_(how, cm_status, name##_lock_,                                                                            \
              (name * map, uint64_t hash, Key key, name##_write_guard * guard, enum cm_purpose_ purpose,               \
               cm_deadline deadline),                                                                                  \
              {                                                                                                        \
                  guard->key = key;                                                                                    \
                  guard->status =                                                                                      \
                      cm_entry_write_(&name##_type_, &map->core, &guard->core, &guard->key, hash, purpose, deadline);  \
                  guard->value = guard->core.guard.thread && guard->core.present                                       \
                                     ? (Value *)(void *)cm_guard_value_(&name##_type_, &guard->core.guard)             \
                                     : NULL;                                                                           \
                  return guard->status;                                                                                \
              })                                                                                                       \
    /* Unlocks. CM_INVALID: the guard is not locked, or another thread's. */                                           \
    CM_FUNCTION_(how, cm_status, name##_write_unlock, (name##_write_guard * guard), {                                  \
        if (!cm_guard_is_own_(&guard->core.guard))                                                                     \
            return CM_INVALID;                                                                                         \
        cm_entry_leave_(&name##_type_, &guard->core);                                                                  \
        guard->value = NULL;                                                                                           \
        return CM_OK;                                                                                                  \
    })                                                                                                                 \
    /* Lets readers in: `guard` becomes the read guard `reader`, without a moment between them. CM_ABSENT: it is       \
     * vacant; CM_BUSY: the thread has another write guard in the same bucket; CM_INVALID; in a checked build          \
     * CM_NOMEM. */                                                                                                    \
    CM_FUNCTION_(how, cm_status, name##_write_downgrade, (name##_write_guard * guard, name##_read_guard * reader), {   \
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
    })                                                                                                                 \
    /* Keeps other readers out: `guard` becomes the write guard `writer`. CM_BUSY: there are other readers; `guard` is \
     * as it was. CM_OWNER_DIED: as of write. CM_INVALID. */                                                           \
    CM_FUNCTION_(                                                                                                      \
        how, cm_status, name##_read_upgrade, (name##_read_guard * guard, Key key, name##_write_guard * writer), {      \
            writer->core.guard.thread = NULL;                                                                          \
            writer->value = NULL;                                                                                      \
            cm_status status = cm_guard_is_own_(&guard->core)                                                          \
                                   ? cm_guard_upgrade_(&name##_type_, &guard->core, &writer->core,                     \
                                                       name##_type_.hash(&key, cm_guard_map_(&guard->core)->seed))     \
                                   : CM_INVALID;                                                                       \
            if (status != CM_OK && status != CM_OWNER_DIED)                                                            \
                return status;                                                                                         \
            writer->key = key;                                                                                         \
            writer->value = (Value *)(void *)cm_guard_value_(&name##_type_, &writer->core.guard);                      \
            cm_value_hide_(guard->value);                                                                              \
            writer->status = status;                                                                                   \
            guard->core.thread = NULL;                                                                                 \
            guard->value = NULL;                                                                                       \
            return status;                                                                                             \
        })                                                                                                             \
    CM_GUARD_ATTACH_(how, name, write, core.guard, true)                                                               \
    CM_FUNCTION_(how, void, name##_write_end_, (name##_write_guard * guard), { name##_write_unlock(guard); })

#define CM_ENTRY_(how, name, Key, Value)                                                                               \
    CM_INNER_(how, cm_status, name##_entry_in_,                                                                        \
              (name * map, uint64_t hash, Key key, name##_write_guard * entry, cm_deadline deadline),                  \
              { return name##_lock_(map, hash, key, entry, CM_FOR_ENTRY_, deadline); })                                \
    /* Locks the key's place, whether it is in the map or not: CM_OK; or as write. The memory for inserting is got     \
     * here: CM_NOMEM. A text key must stay as it is until the entry is unlocked. */                                   \
    CM_KEYED_(how, name, name, Key, entry, (, name##_write_guard * entry), (, entry))                                  \
    /* Sets the value, of a vacant entry too. Where it now lies; NULL: it was removed through this very entry, and     \
     * there is no memory for putting it back, or the entry is not the thread's. */                                    \
    CM_FUNCTION_(how, Value *, name##_entry_insert, (name##_write_guard * entry, Value value), {                       \
        if (!cm_guard_is_own_(&entry->core.guard) ||                                                                   \
            !cm_entry_insert_(&name##_type_, &entry->core, &entry->key, &value))                                       \
            return NULL;                                                                                               \
        return entry->value = (Value *)(void *)cm_guard_value_(&name##_type_, &entry->core.guard);                     \
    })                                                                                                                 \
    /* The value; of a vacant entry it is set first. NULL as above. */                                                 \
    CM_FUNCTION_(how, Value *, name##_entry_or_insert, (name##_write_guard * entry, Value value), {                    \
        if (!entry->value || !cm_guard_is_own_(&entry->core.guard))                                                    \
            return name##_entry_insert(entry, value);                                                                  \
        cm_value_destroy_(&name##_type_, cm_guard_map_(&entry->core.guard), &value);                                   \
        return entry->value;                                                                                           \
    })                                                                                                                 \
    /* As entry_or_insert, with a value that `make` fills in. If it returns less than 0 nothing is added, and that is  \
     * the result. CM_OK, CM_EXISTS, CM_NOMEM, CM_INVALID. */                                                          \
    CM_FUNCTION_(how, cm_status, name##_entry_or_insert_with,                                                          \
                 (name##_write_guard * entry, cm_status(*make)(Value *, void *), void *context), {                     \
                     Value value;                                                                                      \
                     if (!cm_guard_is_own_(&entry->core.guard))                                                        \
                         return CM_INVALID;                                                                            \
                     if (entry->value)                                                                                 \
                         return CM_EXISTS;                                                                             \
                     cm_status status = make(&value, context);                                                         \
                     if (status < 0)                                                                                   \
                         return status;                                                                                \
                     if (name##_entry_insert(entry, value))                                                            \
                         return CM_OK;                                                                                 \
                     cm_value_destroy_(&name##_type_, cm_guard_map_(&entry->core.guard), &value);                      \
                     return CM_NOMEM;                                                                                  \
                 })                                                                                                    \
    /* Runs the function on the value, if there is one; if it returns less than 0, the value is as it was. Returns     \
     * what the function returned, or CM_ABSENT. */                                                                    \
    CM_FUNCTION_(how, cm_status, name##_entry_and_modify,                                                              \
                 (name##_write_guard * entry, cm_status(*function)(Value *, void *), void *context), {                 \
                     if (!cm_guard_is_own_(&entry->core.guard))                                                        \
                         return CM_INVALID;                                                                            \
                     if (!entry->value)                                                                                \
                         return CM_ABSENT;                                                                             \
                     Value before;                                                                                     \
                     memcpy((void *)&before, entry->value, sizeof before);                                             \
                     cm_status status = function(entry->value, context);                                               \
                     if (status < 0 && !name##_type_.value_destroy)                                                    \
                         memcpy((void *)entry->value, &before, sizeof before);                                         \
                     return status;                                                                                    \
                 })                                                                                                    \
    /* Sets the value of an entry that has one; `old` (may be NULL) takes the old value. CM_REPLACED; or CM_ABSENT,    \
     * and an owned value is destroyed. */                                                                             \
    CM_FUNCTION_(how, cm_status, name##_entry_replace, (name##_write_guard * entry, Value value, Value * old), {       \
        if (!cm_guard_is_own_(&entry->core.guard))                                                                     \
            return CM_INVALID;                                                                                         \
        if (!entry->value) {                                                                                           \
            cm_value_destroy_(&name##_type_, cm_guard_map_(&entry->core.guard), &value);                               \
            return CM_ABSENT;                                                                                          \
        }                                                                                                              \
        if (old)                                                                                                       \
            memcpy((void *)old, entry->value, sizeof value);                                                           \
        else                                                                                                           \
            cm_value_destroy_(&name##_type_, cm_guard_map_(&entry->core.guard), entry->value);                         \
        memcpy((void *)entry->value, &value, sizeof value);                                                            \
        return CM_REPLACED;                                                                                            \
    })                                                                                                                 \
    /* Removes the entry; `old` (may be NULL) takes its value. It is vacant then, and locked still. CM_OK, CM_ABSENT,  \
     * CM_INVALID. */                                                                                                  \
    CM_FUNCTION_(how, cm_status, name##_entry_remove, (name##_write_guard * entry, Value * old), {                     \
        if (!cm_guard_is_own_(&entry->core.guard))                                                                     \
            return CM_INVALID;                                                                                         \
        if (!entry->value)                                                                                             \
            return CM_ABSENT;                                                                                          \
        cm_entry_remove_(&name##_type_, &entry->core, old);                                                            \
        entry->value = NULL;                                                                                           \
        return CM_OK;                                                                                                  \
    })                                                                                                                 \
    /* Unlocks; as write_unlock. */                                                                                    \
    CM_FUNCTION_(how, cm_status, name##_entry_unlock, (name##_write_guard * entry),                                    \
                 { return name##_write_unlock(entry); })

/* Several keys at once. */
#define CM_SEVERAL_(how, name, Key, Value)                                                                             \
    CM_INNER_(how, cm_status, name##_with_keys_in_,                                                                    \
              (name * map, const Key *keys, size_t n, cm_status (*function)(Value **, size_t, void *), void *context,  \
               cm_deadline deadline),                                                                                  \
              {                                                                                                        \
                  struct cm_keys_ held;                                                                                \
                  Value *values[CM_KEYS_MOST_];                                                                        \
                  if (n == 0 || n > CM_KEYS_MOST_)                                                                     \
                      return CM_INVALID;                                                                               \
                  for (size_t i = 0; i < n; i++) {                                                                     \
                      held.keys[i] = &keys[i];                                                                         \
                      held.hashes[i] = name##_hash_of_(map, &keys[i]);                                                 \
                  }                                                                                                    \
                  cm_status status = cm_keys_lock_(&name##_type_, &map->core, &held, n, deadline);                     \
                  if (status != CM_OK)                                                                                 \
                      return status;                                                                                   \
                  for (size_t i = 0; i < n; i++)                                                                       \
                      values[i] = (Value *)(void *)cm_keys_value_(&name##_type_, &held, i);                            \
                  status = function(values, n, context);                                                               \
                  cm_keys_leave_(&name##_type_, &map->core, &held, n);                                                 \
                  return status;                                                                                       \
              })                                                                                                       \
    /* Runs the function once on the values of n keys (1 to 8), all of them locked: values[i] belongs to keys[i], NULL \
     * where it is absent. Returns what the function returned; what it has changed stays. No order of keys leads to    \
     * a deadlock. CM_INVALID: too many keys, or one twice. CM_OWNER_DIED: a thread ended while it changed one of the  \
     * values, which write, put or remove has to deal with first. CM_NOMEM. */                                         \
    CM_TWINS_(how, name, with_keys,                                                                                    \
              (name * map, const Key *keys, size_t n, cm_status (*function)(Value **, size_t, void *), void *context), \
              (map, keys, n, function, context))

#endif
