/* The typed functions that look a key up and copy its value. */
#ifndef CONCMAP_DETAIL_READS_H
#define CONCMAP_DETAIL_READS_H

#include <concmap/detail/batch.h>
#include <concmap/detail/typed.h>

/* The hash of a key. `name` is the map's, or that of a view of it; Map is the map's type. */
#define CM_HASHES_(how, name, Map, Key)                                                                                \
    CM_LOCAL_(how, uint64_t, name##_hash_of_, (const Map *map, const Key *key),                                        \
              { return name##_type_.hash(key, cm_map_seed_(&name##_type_, &map->core)); })                             \
    /* Of a map that is not made yet any number will do: it is empty. */                                               \
    CM_LOCAL_(how, uint64_t, name##_hash_to_read_, (const Map *map, const Key *key),                                   \
              { return name##_type_.hash(key, cm_load_relaxed_(&map->core.seed)); })                                   \
    /* The key's hash, for calls that take it (VERB_hashed); of use in all maps with the same config.seed. */          \
    CM_FUNCTION_(how, uint64_t, name##_hash_of, (const Map *map, Key key), { return name##_hash_of_(map, &key); })     \
    /* Fetches the key's bucket into the cache, for callers with a pipeline of their own. */                           \
    CM_FUNCTION_(how, void, name##_prefetch, (const Map *map, Key key), {                                              \
        struct cm_pin_ pin = cm_map_pin_(&name##_type_, &map->core);                                                   \
        cm_bucket_prefetch_(&name##_type_, &map->core, name##_hash_to_read_(map, &key));                               \
        cm_pin_leave_(pin);                                                                                            \
    })

#define CM_READS_(how, name, Map, Key, Value)                                                                          \
    CM_HASHES_(how, name, Map, Key)                                                                                    \
    CM_HIDDEN_(                                                                                                        \
        how, static __attribute__((noinline, unused)) cm_status name##_look_again_(                                    \
                 const Map *map, Key key, uint64_t hash, Value *value, cm_deadline deadline) {                         \
            return cm_map_look_(&name##_type_, &map->core, &key, hash, value, deadline);                               \
        })                                                                                                             \
    /* Pinned by the caller. What a try leaves that a writer disturbed is not the caller's to see. */                  \
    CM_INNER_(how, cm_status, name##_look_at_,                                                                         \
              (const Map *map, const Key *key, uint64_t hash, Value *value, cm_deadline deadline), {                   \
                  if (name##_type_.value_clone && (value || name##_type_.cached))                                      \
                      return cm_map_clone_out_(&name##_type_, &map->core, key, hash, value, deadline);                 \
                  bool copies = value || name##_type_.cached;                                                          \
                  Value copy;                                                                                          \
                  /* Others do not see it, either; but for a word they leave this out. */                              \
                  if ((copies && !value) || CM_BLANKS_ || sizeof copy <= sizeof(uint64_t))                             \
                      memset((void *)&copy, 0, sizeof copy);                                                           \
                  enum cm_read_ result = cm_map_glance_(&name##_type_, &map->core, key, hash, copies ? &copy : NULL);  \
                  if (CM_UNLIKELY(result == CM_READ_AGAIN_)) {                                                         \
                      Value late;                                                                                      \
                      cm_status status = name##_look_again_(map, *key, hash, copies ? &late : NULL, deadline);         \
                      if (status == CM_OK && cm_value_expired_(&name##_type_, &map->core, &late))                      \
                          return (cm_status)CM_EXPIRED_;                                                               \
                      if (status == CM_OK && value)                                                                    \
                          memcpy((void *)value, &late, sizeof(Value));                                                 \
                      return status;                                                                                   \
                  }                                                                                                    \
                  if (result == CM_READ_HIT_ && cm_value_expired_(&name##_type_, &map->core, &copy))                   \
                      return (cm_status)CM_EXPIRED_;                                                                   \
                  if (result == CM_READ_HIT_ && value)                                                                 \
                      memcpy((void *)value, &copy, sizeof(Value));                                                     \
                  return result == CM_READ_HIT_ ? CM_OK : CM_ABSENT;                                                   \
              })                                                                                                       \
    CM_INNER_(how, cm_status, name##_look_,                                                                            \
              (const Map *map, const Key *key, uint64_t hash, Value *value, cm_deadline deadline), {                   \
                  cm_status status = name##_look_at_(map, key, hash, value, deadline);                                 \
                  if (name##_type_.cached && (int)status == CM_EXPIRED_) {                                             \
                      cm_map_expire_((struct cm_map_ *)(uintptr_t)&map->core, &name##_type_, key, hash);               \
                      status = CM_ABSENT;                                                                              \
                  }                                                                                                    \
                  return status;                                                                                       \
              })                                                                                                       \
    CM_INNER_(how, cm_status, name##_find_,                                                                            \
              (const Map *map, const Key *key, uint64_t hash, Value *value, cm_deadline deadline), {                   \
                  struct cm_thread_ *self = cm_leaf_enter_();                                                          \
                  cm_status status = name##_look_(map, key, hash, value, deadline);                                    \
                  cm_leaf_leave_(self);                                                                                \
                  return status;                                                                                       \
              })                                                                                                       \
    /* Copies the key's value; false: the map has none, and *value is as it was. No lock; never allocates. False also  \
     * where waiting for a writer would never end, because it waits for a guard of the calling thread: who holds       \
     * guards asks by get_until. */                                                                                    \
    CM_FUNCTION_(how, bool, name##_get, (const Map *map, Key key, Value *value),                                       \
                 { return name##_find_(map, &key, name##_hash_to_read_(map, &key), value, CM_FOREVER) == CM_OK; })     \
    CM_FUNCTION_(how, bool, name##_get_hashed, (const Map *map, uint64_t hash, Key key, Value *value),                 \
                 { return name##_find_(map, &key, hash, value, CM_FOREVER) == CM_OK; })                                \
    /* As get: CM_OK, CM_ABSENT, or CM_BUSY: a writer has the bucket. */                                               \
    CM_FUNCTION_(how, cm_status, name##_try_get, (const Map *map, Key key, Value *value), {                            \
        CM_CALLED_();                                                                                                  \
        return name##_find_(map, &key, name##_hash_to_read_(map, &key), value, CM_TRY);                                \
    })                                                                                                                 \
    /* As get: CM_OK, CM_ABSENT, CM_TIMEOUT or CM_DEADLOCK. */                                                         \
    CM_FUNCTION_(how, cm_status, name##_get_until, (const Map *map, Key key, Value *value, cm_deadline deadline), {    \
        CM_CALLED_();                                                                                                  \
        return name##_find_(map, &key, name##_hash_to_read_(map, &key), value, deadline);                              \
    })                                                                                                                 \
    /* Whether the map has the key. As get. */                                                                         \
    CM_FUNCTION_(how, bool, name##_contains, (const Map *map, Key key),                                                \
                 { return name##_find_(map, &key, name##_hash_to_read_(map, &key), NULL, CM_FOREVER) == CM_OK; })      \
    CM_FUNCTION_(how, bool, name##_contains_hashed, (const Map *map, uint64_t hash, Key key),                          \
                 { return name##_find_(map, &key, hash, NULL, CM_FOREVER) == CM_OK; })

#endif
