/* The typed functions of the locked map that take a key. */
#ifndef CONCMAP_DETAIL_LOCKED_KEYS_H
#define CONCMAP_DETAIL_LOCKED_KEYS_H

#include <concmap/detail/batches.h>
#include <concmap/detail/locked.h>
#include <concmap/detail/typed.h>

#define CM_LOCKED_KEYS_(how, name, Key, Value)                                                                         \
    CM_LOCKED_LOOKS_(how, name, name, Key, Value)                                                                      \
    CM_LOCKED_ADDITIONS_(how, name, Key, Value)                                                                        \
    CM_LOCKED_CHANGES_(how, name, Key, Value)                                                                          \
    CM_LOCKED_MANY_(how, name, Key, Value)

/* What needs the key to be there: of a map, or of a view of it (lookup.h), by which keys are looked up otherwise. Map
 * is the map's name. */
#define CM_LOCKED_LOOKS_(how, name, Map, Key, Value)                                                                   \
    CM_HASHES_(how, name, Map, Key)                                                                                    \
    CM_LOCKED_GETS_(how, name, Map, Key, Value)                                                                        \
    CM_LOCKED_FINDS_(how, name, Map, Key, Value)                                                                       \
    CM_LOCKED_UPDATES_(how, name, Map, Key, Value)                                                                     \
    CM_LOCKED_REMOVALS_(how, name, Map, Key, Value)

#define CM_LOCKED_GETS_(how, name, Map, Key, Value)                                                                    \
    /* As cm_locked_visit_used_(); adds where there is `initial`. */                                                   \
    CM_LOCAL_(how, cm_status, name##_visit_used_,                                                                      \
              (const Map *map, const Key *key, uint64_t hash, const Value *initial, unsigned way,                      \
               cm_deadline deadline, struct cm_locked_visit_ *visit),                                                  \
              {                                                                                                        \
                  struct cm_map_ *core = (struct cm_map_ *)(uintptr_t)&map->core;                                      \
                  Map##_entry fresh;                                                                                   \
                  cm_locked_begin_(&fresh.core, core);                                                                 \
                  if (initial)                                                                                         \
                      memcpy((void *)&fresh.value, initial, sizeof(Value));                                            \
                  return cm_locked_visit_used_(&name##_type_, &Map##_type_, core, key, hash,                           \
                                               initial ? &fresh.core : NULL, way, deadline, visit);                    \
              })                                                                                                       \
    /* The same, without a use where that will do. */                                                                  \
    CM_INNER_(how, cm_status, name##_visit_,                                                                           \
              (Map * map, const Key *key, uint64_t hash, const Value *initial, unsigned way, cm_deadline deadline,     \
               struct cm_locked_visit_ *visit),                                                                        \
              {                                                                                                        \
                  bool unused = !name##_type_.value_destroy && !(way & CM_LOCK_SHARED_);                               \
                  return unused && cm_locked_visit_unused_(&name##_type_, &map->core, key, hash, visit)                \
                             ? CM_EXISTS                                                                               \
                             : name##_visit_used_(map, key, hash, initial, way, deadline, visit);                      \
              })                                                                                                       \
    CM_INNER_(how, Value *, name##_visited_, (const struct cm_locked_visit_ *visit),                                   \
              { return &((Map##_entry *)(void *)visit->entry)->value; })                                               \
    CM_HIDDEN_(                                                                                                        \
        how, static __attribute__((noinline, unused)) cm_status name##_look_again_(                                    \
                 const Map *map, const Key *key, uint64_t hash, Value *value, cm_deadline deadline) {                  \
            struct cm_locked_visit_ visit;                                                                             \
            cm_status status =                                                                                         \
                name##_visit_used_(map, key, hash, NULL, CM_LOCK_SHARED_ | CM_LOCK_THROUGH_, deadline, &visit);        \
            if (status != CM_EXISTS)                                                                                   \
                return status;                                                                                         \
            status = value ? Map##_copy_(map, value, name##_visited_(&visit)) : CM_OK;                                 \
            cm_locked_leave_(&Map##_type_, &visit);                                                                    \
            return status < 0 ? status : CM_OK;                                                                        \
        })                                                                                                             \
    CM_HIDDEN_(                                                                                                        \
        how,                                                                                                           \
        static __attribute__((noinline, unused)) char *name##_search_(const Map *map, const Key *key, uint64_t hash) { \
            return cm_node_search_(&name##_type_, &map->core, key, hash);                                              \
        })                                                                                                             \
    CM_INNER_(how, cm_status, name##_look_,                                                                            \
              (const Map *map, const Key *key, uint64_t hash, Value *value, cm_deadline deadline), {                   \
                  if (name##_type_.value_clone && value)                                                               \
                      return name##_look_again_(map, key, hash, value, deadline);                                      \
                  Value copy;                                                                                          \
                  enum cm_read_ result = CM_READ_MISS_;                                                                \
                  struct cm_thread_ *self = cm_leaf_enter_();                                                          \
                  struct cm_glance_ glance = cm_node_glance_(&name##_type_, &map->core, key, hash);                    \
                  char *node = CM_UNLIKELY(glance.again) ? name##_search_(map, key, hash) : glance.node;               \
                  const Map##_entry *entry = (Map##_entry *)(void *)cm_locked_of_node_(&name##_type_, node);           \
                  if (CM_LIKELY(entry != NULL))                                                                        \
                      result = value ? cm_locked_peek_(&entry->core, &entry->value, sizeof(Value), &copy, value)       \
                                     : cm_locked_glimpse_(&entry->core);                                               \
                  cm_leaf_leave_(self);                                                                                \
                  if (CM_UNLIKELY(result == CM_READ_AGAIN_))                                                           \
                      return name##_look_again_(map, key, hash, value, deadline);                                      \
                  return result == CM_READ_HIT_ ? CM_OK : CM_ABSENT;                                                   \
              })                                                                                                       \
    /* Copies the key's value; false: the map has none, and *value is as it was. Waits while somebody has the entry    \
     * locked; of a value that the calling thread has locked itself it copies what is there. False also where waiting  \
     * would never end, or a clone failed: get_until tells. Otherwise plain values are copied without the lock, and no \
     * shared memory is written. */                                                                                    \
    CM_FUNCTION_(how, bool, name##_get, (const Map *map, Key key, Value *value),                                       \
                 { return name##_look_(map, &key, name##_hash_to_read_(map, &key), value, CM_FOREVER) == CM_OK; })     \
    CM_FUNCTION_(how, bool, name##_get_hashed, (const Map *map, uint64_t hash, Key key, Value *value),                 \
                 { return name##_look_(map, &key, hash, value, CM_FOREVER) == CM_OK; })                                \
    /* As get: CM_OK, CM_ABSENT, CM_OWNER_DIED, what a clone returned, or CM_BUSY: somebody has the entry locked. */   \
    CM_FUNCTION_(how, cm_status, name##_try_get, (const Map *map, Key key, Value *value), {                            \
        CM_CALLED_();                                                                                                  \
        return name##_look_(map, &key, name##_hash_to_read_(map, &key), value, CM_TRY);                                \
    })                                                                                                                 \
    /* The same, or CM_TIMEOUT or CM_DEADLOCK. */                                                                      \
    CM_FUNCTION_(how, cm_status, name##_get_until, (const Map *map, Key key, Value *value, cm_deadline deadline), {    \
        CM_CALLED_();                                                                                                  \
        return name##_look_(map, &key, name##_hash_to_read_(map, &key), value, deadline);                              \
    })                                                                                                                 \
    /* Whether the map has the key. Lock-free; waits for nobody. */                                                    \
    CM_FUNCTION_(how, bool, name##_contains, (const Map *map, Key key),                                                \
                 { return name##_look_(map, &key, name##_hash_to_read_(map, &key), NULL, CM_TRY) == CM_OK; })          \
    CM_FUNCTION_(how, bool, name##_contains_hashed, (const Map *map, uint64_t hash, Key key),                          \
                 { return name##_look_(map, &key, hash, NULL, CM_TRY) == CM_OK; })

#define CM_LOCKED_FINDS_(how, name, Map, Key, Value)                                                                   \
    /* The key's entry, in use by the caller until it gives it back by entry_release; NULL: there is none. It stays    \
     * what it is, whatever becomes of the key, and may be locked and used when nothing else of the map is. Lock-free; \
     * writes nothing that is shared but the count of the entry. */                                                    \
    CM_FUNCTION_(how, Map##_entry *, name##_find, (const Map *map, Key key), {                                         \
        return (Map##_entry *)(void *)cm_locked_find_(&name##_type_, &map->core, &key,                                 \
                                                      name##_hash_to_read_(map, &key));                                \
    })

#define CM_LOCKED_UPDATES_(how, name, Map, Key, Value)                                                                 \
    /* Runs the function on the value of a visited entry, and ends the visit. */                                       \
    CM_INNER_(how, cm_status, name##_apply_to_,                                                                        \
              (const struct cm_locked_visit_ *visit, cm_status (*function)(Value *, void *), void *context), {         \
                  Value *value = name##_visited_(visit);                                                               \
                  Value before;                                                                                        \
                  if (!name##_type_.value_destroy)                                                                     \
                      memcpy((void *)&before, value, sizeof before);                                                   \
                  cm_status status = function(value, context);                                                         \
                  if (!name##_type_.value_destroy && CM_UNLIKELY(status < 0))                                          \
                      memcpy((void *)value, &before, sizeof before);                                                   \
                  cm_locked_leave_(&Map##_type_, visit);                                                               \
                  return status;                                                                                       \
              })                                                                                                       \
    CM_INNER_(how, cm_status, name##_update_in_,                                                                       \
              (Map * map, uint64_t hash, Key key, cm_status(*function)(Value *, void *), void *context,                \
               cm_deadline deadline),                                                                                  \
              {                                                                                                        \
                  struct cm_locked_visit_ visit;                                                                       \
                  cm_status status = name##_visit_(map, &key, hash, NULL, 0, deadline, &visit);                        \
                  return status == CM_EXISTS ? name##_apply_to_(&visit, function, context) : status;                   \
              })                                                                                                       \
    /* Runs the function on the key's value, under the entry's lock, for as long as it takes: all other keys, the      \
     * map's growth and removals of this very key go on. If it returns less than 0, the value is as it was, unless it  \
     * is owned. It may use the map, but for the value of this key. Returns what the function returned, or CM_ABSENT;  \
     * CM_OWNER_DIED: see entry_lock_status. */                                                                        \
    CM_KEYED_(how, name, Map, Key, update, (, cm_status(*function)(Value *, void *), void *context),                   \
              (, function, context))                                                                                   \
    CM_UPDATES_IF_(how, name, Map, Key, Value)

#define CM_LOCKED_REMOVALS_(how, name, Map, Key, Value)                                                                \
    /* Removes a visited entry and ends the visit; `old` (may be NULL) takes a copy of the value. */                   \
    CM_INNER_(how, cm_status, name##_remove_visited_,                                                                  \
              (Map * map, const Key *key, uint64_t hash, const struct cm_locked_visit_ *visit, Value *old,             \
               cm_deadline deadline),                                                                                  \
              {                                                                                                        \
                  struct cm_locked_ *taken;                                                                            \
                  Value copy;                                                                                          \
                  bool copies = old || !name##_type_.value_clone;                                                      \
                  if (name##_type_.value_clone) /* compilers do not see that it is filled before it is used */         \
                      memset((void *)&copy, 0, sizeof copy);                                                           \
                  cm_status status = copies ? Map##_copy_(map, &copy, name##_visited_(visit)) : CM_OK;                 \
                  bool copied = old && status >= 0;                                                                    \
                  if (status >= 0)                                                                                     \
                      status = cm_locked_unlink_(&name##_type_, &map->core, key, hash, visit->entry, false, deadline,  \
                                                 &taken);                                                              \
                  if (status == CM_OK)                                                                                 \
                      cm_locked_release_(&Map##_type_, taken);                                                         \
                  cm_locked_leave_(&Map##_type_, visit);                                                               \
                  if (copied && status == CM_OK)                                                                       \
                      memcpy((void *)old, &copy, sizeof copy);                                                         \
                  else if (copied)                                                                                     \
                      Map##_drop_(map, &copy);                                                                         \
                  return status;                                                                                       \
              })                                                                                                       \
    CM_INNER_(                                                                                                         \
        how, cm_status, name##_remove_in_, (Map * map, uint64_t hash, Key key, Value * old, cm_deadline deadline), {   \
            CM_MAY_FILL_(old);                                                                                         \
            struct cm_locked_visit_ visit;                                                                             \
            cm_status status;                                                                                          \
            if (old) {                                                                                                 \
                status = name##_visit_(map, &key, hash, NULL, CM_LOCK_ANYWAY_, deadline, &visit);                      \
                return status == CM_EXISTS ? name##_remove_visited_(map, &key, hash, &visit, old, deadline) : status;  \
            }                                                                                                          \
            status = cm_locked_unlink_(&name##_type_, &map->core, &key, hash, NULL, false, deadline, &visit.entry);    \
            if (status == CM_OK)                                                                                       \
                cm_locked_release_(&Map##_type_, visit.entry);                                                         \
            return status;                                                                                             \
        })                                                                                                             \
    /* Removes the key: CM_OK, or CM_ABSENT. Those who use its entry keep it; the last of them destroys the value.     \
     * Waits for nobody who has it locked, unless `old` (may be NULL) is to take a copy of the value, which is made    \
     * under the lock. Locks one bucket. */                                                                            \
    CM_KEYED_(how, name, Map, Key, remove, (, Value * old), (, old))                                                   \
    CM_INNER_(how, cm_status, name##_remove_if_in_,                                                                    \
              (Map * map, uint64_t hash, Key key, cm_status(*condition)(Value *, void *), void *context, Value *old,   \
               cm_deadline deadline),                                                                                  \
              {                                                                                                        \
                  CM_MAY_FILL_(old);                                                                                   \
                  struct cm_locked_visit_ visit;                                                                       \
                  cm_status status = name##_visit_(map, &key, hash, NULL, 0, deadline, &visit);                        \
                  if (status != CM_EXISTS)                                                                             \
                      return status;                                                                                   \
                  status = condition(name##_visited_(&visit), context);                                                \
                  if (status == CM_OK)                                                                                 \
                      return name##_remove_visited_(map, &key, hash, &visit, old, deadline);                           \
                  cm_locked_leave_(&Map##_type_, &visit);                                                              \
                  return status;                                                                                       \
              })                                                                                                       \
    /* Removes the key if the condition, run under the entry's lock, returns CM_OK; `old` as of remove. Returns what   \
     * the condition returned, or CM_ABSENT. */                                                                        \
    CM_KEYED_(how, name, Map, Key, remove_if, (, cm_status(*condition)(Value *, void *), void *context, Value *old),   \
              (, condition, context, old))                                                                             \
    /* Removes the key as soon as nobody uses its entry: CM_OK: now; CM_EXISTS: whoever gives up the last use does it, \
     * and until then the key is there for all; CM_ABSENT. (Calls on plain values that find the lock free use no       \
     * entry: it is removed beneath them.) Locks one bucket. */                                                        \
    CM_FUNCTION_(how, cm_status, name##_remove_when_unused, (Map * map, Key key), {                                    \
        struct cm_locked_ *entry = cm_locked_find_(&name##_type_, &map->core, &key, name##_hash_to_read_(map, &key));  \
        if (!entry)                                                                                                    \
            return CM_ABSENT;                                                                                          \
        cm_or_relaxed_(&entry->uses, CM_SPENT_); /* relaxed: seen with the count, in one word */                       \
        return cm_locked_release_slow_(&Map##_type_, entry);                                                           \
    })

#define CM_LOCKED_ADDITIONS_(how, name, Key, Value)                                                                    \
    CM_INNER_(how, cm_status, name##_add_,                                                                             \
              (name * map, const Key *key, uint64_t hash, Value *initial, cm_deadline deadline, name##_entry **entry), \
              {                                                                                                        \
                  name##_entry fresh;                                                                                  \
                  struct cm_locked_ *at = cm_locked_find_(&name##_type_, &map->core, key, hash);                       \
                  cm_status status = CM_EXISTS;                                                                        \
                  if (!at) {                                                                                           \
                      cm_locked_begin_(&fresh.core, &map->core);                                                       \
                      memcpy((void *)&fresh.value, initial, sizeof(Value));                                            \
                      status = cm_locked_add_(&name##_type_, &map->core, key, hash, &fresh.core, deadline, &at);       \
                  }                                                                                                    \
                  if (status == CM_EXISTS)                                                                             \
                      name##_drop_(map, initial);                                                                      \
                  *entry = (name##_entry *)(void *)at;                                                                 \
                  return status;                                                                                       \
              })                                                                                                       \
    CM_INNER_(how, cm_status, name##_acquire_in_,                                                                      \
              (name * map, uint64_t hash, Key key, Value initial, name##_entry * *entry, cm_deadline deadline), {      \
                  cm_status status = name##_add_(map, &key, hash, &initial, deadline, entry);                          \
                  return status < 0 ? status : CM_OK;                                                                  \
              })                                                                                                       \
    /* The key's entry, as find gives it, added with `initial` if the key is absent: CM_OK. Does not wait for the      \
     * entry's lock; locks one bucket to add. CM_NOMEM, CM_FULL. */                                                    \
    CM_KEYED_(how, name, name, Key, acquire, (, Value initial, name##_entry * *entry), (, initial, entry))             \
    CM_INNER_(how, cm_status, name##_insert_in_,                                                                       \
              (name * map, uint64_t hash, Key key, Value value, cm_deadline deadline), {                               \
                  name##_entry *entry;                                                                                 \
                  cm_status status = name##_add_(map, &key, hash, &value, deadline, &entry);                           \
                  if (status >= 0)                                                                                     \
                      cm_locked_release_(&name##_type_, &entry->core);                                                 \
                  return status;                                                                                       \
              })                                                                                                       \
    /* Adds the key if it is absent: CM_OK, or CM_EXISTS, however its entry is locked. CM_NOMEM, CM_FULL. */           \
    CM_KEYED_(how, name, name, Key, insert, (, Value value), (, value))

#define CM_LOCKED_CHANGES_(how, name, Key, Value)                                                                      \
    CM_INNER_(how, cm_status, name##_put_in_,                                                                          \
              (name * map, uint64_t hash, Key key, Value value, Value * old, cm_deadline deadline), {                  \
                  CM_MAY_FILL_(old);                                                                                   \
                  struct cm_locked_visit_ visit;                                                                       \
                  Value was;                                                                                           \
                  cm_status status = name##_visit_(map, &key, hash, &value, CM_LOCK_ANYWAY_, deadline, &visit);        \
                  if (status == CM_OK)                                                                                 \
                      cm_locked_release_(&name##_type_, visit.entry);                                                  \
                  if (status != CM_EXISTS)                                                                             \
                      return status;                                                                                   \
                  Value *now = name##_visited_(&visit);                                                                \
                  memcpy((void *)&was, now, sizeof was);                                                               \
                  memcpy((void *)now, &value, sizeof value);                                                           \
                  cm_locked_tidy_(visit.entry);                                                                        \
                  cm_locked_leave_(&name##_type_, &visit);                                                             \
                  if (old)                                                                                             \
                      memcpy((void *)old, &was, sizeof was);                                                           \
                  else                                                                                                 \
                      name##_drop_(map, &was);                                                                         \
                  return CM_REPLACED;                                                                                  \
              })                                                                                                       \
    /* Sets the key's value: CM_OK (new) or CM_REPLACED; then `old` (may be NULL) takes the old value. Waits for the   \
     * entry's lock. Also where its owner died. CM_NOMEM, CM_FULL. */                                                  \
    CM_KEYED_(how, name, name, Key, put, (, Value value, Value * old), (, value, old))                                 \
    CM_INNER_(how, cm_status, name##_upsert_in_,                                                                       \
              (name * map, uint64_t hash, Key key, Value initial, cm_status(*function)(Value *, void *),               \
               void *context, cm_deadline deadline),                                                                   \
              {                                                                                                        \
                  struct cm_locked_visit_ visit;                                                                       \
                  cm_status status = name##_visit_(map, &key, hash, &initial, 0, deadline, &visit);                    \
                  if (status == CM_OK)                                                                                 \
                      cm_locked_release_(&name##_type_, visit.entry);                                                  \
                  if (status != CM_EXISTS)                                                                             \
                      return status;                                                                                   \
                  status = name##_apply_to_(&visit, function, context);                                                \
                  if (status >= 0)                                                                                     \
                      name##_drop_(map, &initial);                                                                     \
                  return status < 0 ? status : CM_REPLACED;                                                            \
              })                                                                                                       \
    /* Adds the key with `initial`: CM_OK; or, where it is present, runs the function as update does: CM_REPLACED, or  \
     * the function's failure. CM_NOMEM, CM_FULL. */                                                                   \
    CM_KEYED_(how, name, name, Key, upsert, (, Value initial, cm_status(*function)(Value *, void *), void *context),   \
              (, initial, function, context))                                                                          \
    CM_INNER_(how, cm_status, name##_get_or_insert_in_,                                                                \
              (name * map, uint64_t hash, Key key, Value initial, Value * value, cm_deadline deadline), {              \
                  if (!value)                                                                                          \
                      return name##_insert_in_(map, hash, key, initial, deadline);                                     \
                  struct cm_locked_visit_ visit;                                                                       \
                  Value copy;                                                                                          \
                  cm_status status = name##_copy_(map, &copy, &initial); /* while nobody else has it */                \
                  if (status < 0)                                                                                      \
                      return status;                                                                                   \
                  status =                                                                                             \
                      name##_visit_(map, &key, hash, &initial, CM_LOCK_SHARED_ | CM_LOCK_THROUGH_, deadline, &visit);  \
                  if (status == CM_OK)                                                                                 \
                      cm_locked_release_(&name##_type_, visit.entry);                                                  \
                  if (status == CM_OK)                                                                                 \
                      memcpy((void *)value, &copy, sizeof copy);                                                       \
                  else                                                                                                 \
                      name##_drop_(map, &copy);                                                                        \
                  if (status != CM_EXISTS)                                                                             \
                      return status;                                                                                   \
                  status = name##_copy_(map, value, name##_visited_(&visit));                                          \
                  cm_locked_leave_(&name##_type_, &visit);                                                             \
                  if (status < 0)                                                                                      \
                      return status;                                                                                   \
                  name##_drop_(map, &initial);                                                                         \
                  return CM_EXISTS;                                                                                    \
              })                                                                                                       \
    /* Adds the key with `initial` if it is absent: CM_OK, or CM_EXISTS. `value` (may be NULL) takes what the map now  \
     * has, for which it waits as get does. CM_NOMEM, CM_FULL. */                                                      \
    CM_KEYED_(how, name, name, Key, get_or_insert, (, Value initial, Value * value), (, initial, value))               \
    CM_INNER_(how, cm_status, name##_get_or_insert_with_in_,                                                           \
              (name * map, uint64_t hash, Key key, cm_status(*make)(Value *, void *), void *context, Value *value,     \
               cm_deadline deadline),                                                                                  \
              {                                                                                                        \
                  Value made;                                                                                          \
                  cm_status status = name##_look_(map, &key, hash, value, deadline);                                   \
                  if (status != CM_ABSENT)                                                                             \
                      return status < 0 ? status : CM_EXISTS;                                                          \
                  status = make(&made, context);                                                                       \
                  if (status < 0)                                                                                      \
                      return status;                                                                                   \
                  status = name##_get_or_insert_in_(map, hash, key, made, value, deadline);                            \
                  if (status < 0)                                                                                      \
                      name##_drop_(map, &made);                                                                        \
                  return status;                                                                                       \
              })                                                                                                       \
    /* As get_or_insert, with a value that `make` fills in if the key is absent; if it returns less than 0 nothing is  \
     * added, and that is the result. No lock is held meanwhile, so several threads may make one: the first is kept,   \
     * the others are destroyed. (For a value that takes long to make, acquire an empty one and fill it in under its   \
     * lock.) */                                                                                                       \
    CM_KEYED_(how, name, name, Key, get_or_insert_with,                                                                \
              (, cm_status(*make)(Value *, void *), void *context, Value *value), (, make, context, value))

#define CM_LOCKED_MANY_(how, name, Key, Value)                                                                         \
    CM_GET_MANY_(how, name, Key, Value, hit = name##_look_(map, &keys[i], hash, value, deadline) == CM_OK;)            \
    CM_BATCHED_CHANGES_(how, name, Key, Value)                                                                         \
    CM_APPLIES_(how, name, Key, Value)

#endif
