/* The typed functions of the plain map that work on one key. */
#ifndef CONCMAP_DETAIL_PLAIN_VERBS_H
#define CONCMAP_DETAIL_PLAIN_VERBS_H

#include <concmap/detail/plain_map.h>
#include <concmap/detail/typed.h>

/* A call on one key, and VERB_hashed for callers that have the key's hash already, from name_hash_of() of this map or
 * of one with the same seed; a wrong one is undefined, in a checked build CM_INVALID. They are made of
 * name_VERB_in_(map, hash, key, ...). */
#define CM_PLAIN_KEYED_(how, name, Map, Key, verb, more, arguments)                                                    \
    /* Explained where the verb is. */                                                                                 \
    CM_FUNCTION_(how, cm_status, name##_##verb, (Map * map, Key key CM_LIST_ more),                                    \
                 { return name##_##verb##_in_(map, name##_hash_of_(map, &key), key CM_LIST_ arguments); })             \
    CM_FUNCTION_(how, cm_status, name##_##verb##_hashed, (Map * map, uint64_t hash, Key key CM_LIST_ more), {          \
        return CM_CHECKED && hash != name##_hash_of_(map, &key)                                                        \
                   ? CM_INVALID                                                                                        \
                   : name##_##verb##_in_(map, hash, key CM_LIST_ arguments);                                           \
    })

/* Those that look. `name` is the map's, or that of a view of it; Map is the map's type. */
#define CM_PLAIN_READS_(how, name, Map, Key, Value)                                                                    \
    CM_LOCAL_(how, uint64_t, name##_hash_of_, (const Map *map, const Key *key),                                        \
              { return name##_type_.hash(key, cm_plain_seed_(&map->core)); })                                          \
    CM_LOCAL_(how, cm_status, name##_look_, (const Map *map, const Key *key, uint64_t hash, Value *value), {           \
        const char *found = cm_plain_find_(&name##_type_, &map->core, key, hash);                                      \
        return found ? cm_plain_copy_out_(&name##_type_, &map->core, value, found) : CM_ABSENT;                        \
    })                                                                                                                 \
    /* The key's hash, for calls that take it (VERB_hashed); of use in all maps with the same config.seed. */          \
    CM_FUNCTION_(how, uint64_t, name##_hash_of, (const Map *map, Key key), { return name##_hash_of_(map, &key); })     \
    /* Copies the key's value; false: the map has none (or it could not be cloned), and *value is as it was. */        \
    CM_FUNCTION_(how, bool, name##_get, (const Map *map, Key key, Value *value),                                       \
                 { return name##_look_(map, &key, name##_type_.hash(&key, map->core.seed), value) == CM_OK; })         \
    CM_FUNCTION_(how, bool, name##_get_hashed, (const Map *map, uint64_t hash, Key key, Value *value),                 \
                 { return name##_look_(map, &key, hash, value) == CM_OK; })                                            \
    /* Where the key's value lies; NULL: the map has none. Valid until the next call that adds or removes something;   \
     * the value may be changed through it. */                                                                         \
    CM_FUNCTION_(how, Value *, name##_find, (Map * map, Key key), {                                                    \
        uint64_t hash = name##_type_.hash(&key, map->core.seed);                                                       \
        return (Value *)(void *)cm_plain_find_(&name##_type_, &map->core, &key, hash);                                 \
    })                                                                                                                 \
    CM_FUNCTION_(how, Value *, name##_find_hashed, (Map * map, uint64_t hash, Key key),                                \
                 { return (Value *)(void *)cm_plain_find_(&name##_type_, &map->core, &key, hash); })                   \
    /* Whether the map has the key. */                                                                                 \
    CM_FUNCTION_(how, bool, name##_contains, (const Map *map, Key key), {                                              \
        return cm_plain_find_(&name##_type_, &map->core, &key, name##_type_.hash(&key, map->core.seed)) != NULL;       \
    })                                                                                                                 \
    CM_FUNCTION_(how, bool, name##_contains_hashed, (const Map *map, uint64_t hash, Key key),                          \
                 { return cm_plain_find_(&name##_type_, &map->core, &key, hash) != NULL; })                            \
    /* Fetches the tags of the key's group into the cache, for callers with a pipeline of their own. */                \
    CM_FUNCTION_(how, void, name##_prefetch, (const Map *map, Key key),                                                \
                 { cm_flat_prefetch_(&map->core.flat, name##_type_.hash(&key, map->core.seed)); })

/* Those that change an entry that is there. */
#define CM_PLAIN_CHANGES_(how, name, Map, Key, Value)                                                                  \
    CM_HIDDEN_(                                                                                                        \
        how, struct name##_call_ {                                                                                     \
            cm_status (*function)(Value *, void *);                                                                    \
            void *context;                                                                                             \
        };)                                                                                                            \
    CM_INNER_(how, cm_status, name##_run_, (void *value, void *call), {                                                \
        return ((struct name##_call_ *)call)->function((Value *)value, ((struct name##_call_ *)call)->context);        \
    })                                                                                                                 \
    CM_INNER_(how, cm_status, name##_apply_,                                                                           \
              (Map * map, void *value, cm_status (*function)(Value *, void *), void *context), {                       \
                  Value scratch;                                                                                       \
                  struct name##_call_ made = {function, context};                                                      \
                  struct cm_plain_call_ call = {name##_run_, &made};                                                   \
                  return cm_plain_run_(&name##_type_, &map->core, value, call, &scratch);                              \
              })                                                                                                       \
    CM_INNER_(how, cm_status, name##_update_in_,                                                                       \
              (Map * map, uint64_t hash, Key key, cm_status(*function)(Value *, void *), void *context), {             \
                  char *value = cm_plain_find_ahead_(&name##_type_, &map->core, &key, hash);                           \
                  return value ? name##_apply_(map, value, function, context) : CM_ABSENT;                             \
              })                                                                                                       \
    /* Runs the function on the key's value; if it returns less than 0, the value is as it was, unless values are      \
     * owned. Returns what the function returned, or CM_ABSENT. CM_DEADLOCK: such a function runs already. */          \
    CM_PLAIN_KEYED_(how, name, Map, Key, update, (, cm_status(*function)(Value *, void *), void *context),             \
                    (, function, context))                                                                             \
    CM_INNER_(how, cm_status, name##_remove_where_,                                                                    \
              (Map * map, uint64_t hash, const Key *key, struct cm_plain_call_ condition, Value *old), {               \
                  CM_MAY_FILL_(old);                                                                                   \
                  Value scratch;                                                                                       \
                  cm_plain_blank_(&name##_type_, NULL, &scratch);                                                      \
                  return cm_plain_remove_(&name##_type_, &map->core, key, hash, condition, old, &scratch);             \
              })                                                                                                       \
    CM_INNER_(how, cm_status, name##_remove_in_, (Map * map, uint64_t hash, Key key, Value * old), {                   \
        struct cm_plain_call_ none = {NULL, NULL};                                                                     \
        return name##_remove_where_(map, hash, &key, none, old);                                                       \
    })                                                                                                                 \
    /* Removes the key: CM_OK, and `old` (may be NULL) takes its value; or CM_ABSENT. */                               \
    CM_PLAIN_KEYED_(how, name, Map, Key, remove, (, Value * old), (, old))                                             \
    CM_INNER_(how, cm_status, name##_remove_if_in_,                                                                    \
              (Map * map, uint64_t hash, Key key, cm_status(*condition)(Value *, void *), void *context, Value *old),  \
              {                                                                                                        \
                  struct name##_call_ made = {condition, context};                                                     \
                  struct cm_plain_call_ call = {name##_run_, &made};                                                   \
                  return name##_remove_where_(map, hash, &key, call, old);                                             \
              })                                                                                                       \
    /* Removes the key if the condition returns CM_OK; `old` (may be NULL) takes the value. Returns what the condition \
     * returned, or CM_ABSENT. */                                                                                      \
    CM_PLAIN_KEYED_(how, name, Map, Key, remove_if,                                                                    \
                    (, cm_status(*condition)(Value *, void *), void *context, Value *old),                             \
                    (, condition, context, old))                                                                       \
    CM_INNER_(how, cm_status, name##_replace_in_, (Map * map, uint64_t hash, Key key, Value value, Value * old), {     \
        CM_MAY_FILL_(old);                                                                                             \
        Value scratch;                                                                                                 \
        char *found = cm_plain_find_ahead_(&name##_type_, &map->core, &key, hash);                                     \
        cm_plain_blank_(&name##_type_, NULL, &scratch);                                                                \
        if (found)                                                                                                     \
            return cm_plain_replace_(&name##_type_, &map->core, found, &value, old, &scratch);                         \
        cm_plain_value_end_(&name##_type_, &map->core, &value);                                                        \
        return CM_ABSENT;                                                                                              \
    })                                                                                                                 \
    /* Sets the value of a key that is there: CM_REPLACED, and `old` (may be NULL) takes the old value; or CM_ABSENT.  \
     */                                                                                                                \
    CM_PLAIN_KEYED_(how, name, Map, Key, replace, (, Value value, Value * old), (, value, old))                        \
    CM_INNER_(how, cm_status, name##_update_if_in_,                                                                    \
              (Map * map, uint64_t hash, Key key, bool (*condition)(const Value *, void *),                            \
               cm_status (*function)(Value *, void *), void *context),                                                 \
              {                                                                                                        \
                  char *value = cm_plain_find_ahead_(&name##_type_, &map->core, &key, hash);                           \
                  if (!value)                                                                                          \
                      return CM_ABSENT;                                                                                \
                  if (map->core.busy)                                                                                  \
                      return CM_DEADLOCK;                                                                              \
                  map->core.busy = true;                                                                               \
                  bool holds = condition((const Value *)(const void *)value, context);                                 \
                  map->core.busy = false;                                                                              \
                  return holds ? name##_apply_(map, value, function, context) : CM_EXISTS;                             \
              })                                                                                                       \
    /* As update, but only where the condition holds; CM_EXISTS: it does not. */                                       \
    CM_PLAIN_KEYED_(                                                                                                   \
        how, name, Map, Key, update_if,                                                                                \
        (, bool (*condition)(const Value *, void *), cm_status (*function)(Value *, void *), void *context),           \
        (, condition, function, context))                                                                              \
    CM_INNER_(how, cm_status, name##_compare_exchange_in_,                                                             \
              (Map * map, uint64_t hash, Key key, Value * expected, Value desired,                                     \
               bool (*equal)(const Value *, const Value *)),                                                           \
              {                                                                                                        \
                  Value scratch;                                                                                       \
                  char *value = cm_plain_find_ahead_(&name##_type_, &map->core, &key, hash);                           \
                  cm_plain_blank_(&name##_type_, NULL, &scratch);                                                      \
                  if (value && map->core.busy)                                                                         \
                      return CM_DEADLOCK;                                                                              \
                  if (value && equal((const Value *)(const void *)value, expected))                                    \
                      return cm_plain_replace_(&name##_type_, &map->core, value, &desired, NULL, &scratch);            \
                  if (value && !name##_type_.value_destroy)                                                            \
                      memcpy((void *)expected, value, name##_type_.value_size);                                        \
                  cm_plain_value_end_(&name##_type_, &map->core, &desired);                                            \
                  return value ? CM_EXISTS : CM_ABSENT;                                                                \
              })                                                                                                       \
    /* Sets the value to `desired` if it equals *expected: CM_REPLACED; otherwise *expected takes it, where it is      \
     * plain: CM_EXISTS. Or CM_ABSENT. The equality must not use the map. */                                           \
    CM_PLAIN_KEYED_(how, name, Map, Key, compare_exchange,                                                             \
                    (, Value * expected, Value desired, bool (*equal)(const Value *, const Value *)),                  \
                    (, expected, desired, equal))                                                                      \
    CM_INNER_(how, cm_status, name##_take_or_in_, (Map * map, uint64_t hash, Key key, Value otherwise, Value * value), \
              {                                                                                                        \
                  cm_status status = name##_remove_in_(map, hash, key, value);                                         \
                  if (status == CM_ABSENT)                                                                             \
                      memcpy((void *)value, &otherwise, sizeof otherwise);                                             \
                  if (status == CM_OK)                                                                                 \
                      cm_plain_value_end_(&name##_type_, &map->core, &otherwise);                                      \
                  return status;                                                                                       \
              })                                                                                                       \
    /* Removes the key, and *value takes its value: CM_OK; or `otherwise`: CM_ABSENT. */                               \
    CM_PLAIN_KEYED_(how, name, Map, Key, take_or, (, Value otherwise, Value * value), (, otherwise, value))

/* Those that may add one. */
#define CM_PLAIN_ADDITIONS_(how, name, Key, Value)                                                                     \
    CM_HIDDEN_(                                                                                                        \
        how, static __attribute__((noinline, unused))                                                                  \
             cm_status name##_room_(struct cm_plain_ *map) { return cm_plain_grow_(&name##_type_, map); })             \
    CM_INNER_(how, cm_status, name##_add_,                                                                             \
              (name * map, uint64_t hash, const Key *key, const Value *value, Value *now), {                           \
                  Key own;                                                                                             \
                  cm_plain_blank_(&name##_type_, &own, NULL);                                                          \
                  return cm_plain_add_(&name##_type_, &map->core, name##_room_, key, hash, value, &own, now);          \
              })                                                                                                       \
    CM_INNER_(how, cm_status, name##_insert_in_, (name * map, uint64_t hash, Key key, Value value), {                  \
        if (!cm_plain_find_ahead_(&name##_type_, &map->core, &key, hash))                                              \
            return name##_add_(map, hash, &key, &value, NULL);                                                         \
        cm_plain_value_end_(&name##_type_, &map->core, &value);                                                        \
        return CM_EXISTS;                                                                                              \
    })                                                                                                                 \
    /* Adds the key if it is absent: CM_OK, or CM_EXISTS. CM_NOMEM, CM_FULL; CM_DEADLOCK: a function given to the map  \
     * runs. O(1), but for growing: O(entries), which is rare. So it is with all that may add. */                      \
    CM_PLAIN_KEYED_(how, name, name, Key, insert, (, Value value), (, value))                                          \
    CM_INNER_(how, cm_status, name##_put_in_, (name * map, uint64_t hash, Key key, Value value, Value * old), {        \
        CM_MAY_FILL_(old);                                                                                             \
        Value scratch;                                                                                                 \
        char *found = cm_plain_find_ahead_(&name##_type_, &map->core, &key, hash);                                     \
        if (!found)                                                                                                    \
            return name##_add_(map, hash, &key, &value, NULL);                                                         \
        cm_plain_blank_(&name##_type_, NULL, &scratch);                                                                \
        return cm_plain_replace_(&name##_type_, &map->core, found, &value, old, &scratch);                             \
    })                                                                                                                 \
    /* Sets the key's value: CM_OK (new) or CM_REPLACED; then `old` (may be NULL) takes the old value. As insert. */   \
    CM_PLAIN_KEYED_(how, name, name, Key, put, (, Value value, Value * old), (, value, old))                           \
    CM_INNER_(                                                                                                         \
        how, cm_status, name##_upsert_in_,                                                                             \
        (name * map, uint64_t hash, Key key, Value initial, cm_status(*function)(Value *, void *), void *context), {   \
            char *found = cm_plain_find_ahead_(&name##_type_, &map->core, &key, hash);                                 \
            if (!found)                                                                                                \
                return name##_add_(map, hash, &key, &initial, NULL);                                                   \
            cm_status status = name##_apply_(map, found, function, context);                                           \
            if (status < 0)                                                                                            \
                return status;                                                                                         \
            cm_plain_value_end_(&name##_type_, &map->core, &initial);                                                  \
            return CM_REPLACED;                                                                                        \
        })                                                                                                             \
    /* Adds the key with `initial`: CM_OK; or, where it is present, runs the function as update does: CM_REPLACED, or  \
     * the function's failure. As insert. */                                                                           \
    CM_PLAIN_KEYED_(how, name, name, Key, upsert,                                                                      \
                    (, Value initial, cm_status(*function)(Value *, void *), void *context),                           \
                    (, initial, function, context))                                                                    \
    CM_INNER_(how, cm_status, name##_get_or_insert_in_,                                                                \
              (name * map, uint64_t hash, Key key, Value initial, Value * value), {                                    \
                  const char *found = cm_plain_find_ahead_(&name##_type_, &map->core, &key, hash);                     \
                  if (!found)                                                                                          \
                      return name##_add_(map, hash, &key, &initial, value);                                            \
                  cm_status status = cm_plain_copy_out_(&name##_type_, &map->core, value, found);                      \
                  if (name##_type_.value_clone && status < 0)                                                          \
                      return status;                                                                                   \
                  cm_plain_value_end_(&name##_type_, &map->core, &initial);                                            \
                  return CM_EXISTS;                                                                                    \
              })                                                                                                       \
    /* Adds the key with `initial` if it is absent: CM_OK, or CM_EXISTS. `value` (may be NULL) takes what the map now  \
     * has. As insert. */                                                                                              \
    CM_PLAIN_KEYED_(how, name, name, Key, get_or_insert, (, Value initial, Value * value), (, initial, value))         \
    CM_INNER_(how, cm_status, name##_get_or_insert_with_in_,                                                           \
              (name * map, uint64_t hash, Key key, cm_status(*make)(Value *, void *), void *context, Value *value), {  \
                  cm_status status = name##_look_(map, &key, hash, value);                                             \
                  if (status != CM_ABSENT)                                                                             \
                      return status < 0 ? status : CM_EXISTS;                                                          \
                  status = cm_plain_admit_(&map->core, name##_room_);                                                  \
                  if (status < 0)                                                                                      \
                      return status;                                                                                   \
                  Value made;                                                                                          \
                  cm_plain_blank_(&name##_type_, NULL, &made);                                                         \
                  map->core.busy = true;                                                                               \
                  status = make(&made, context);                                                                       \
                  map->core.busy = false;                                                                              \
                  if (status < 0)                                                                                      \
                      return status;                                                                                   \
                  status = name##_add_(map, hash, &key, &made, value);                                                 \
                  if (status < 0)                                                                                      \
                      cm_plain_value_end_(&name##_type_, &map->core, &made);                                           \
                  return status;                                                                                       \
              })                                                                                                       \
    /* As get_or_insert, with a value that `make` fills in, only if the key is absent and has room. If it returns less \
     * than 0 nothing is added, and that is the result. */                                                             \
    CM_PLAIN_KEYED_(how, name, name, Key, get_or_insert_with,                                                          \
                    (, cm_status(*make)(Value *, void *), void *context, Value *value), (, make, context, value))

#endif
