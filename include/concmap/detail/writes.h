/* The typed functions that change one entry. Where they give a value out, it is as an OUT: a copy of it, or, of an
 * anchored map, its address. */
#ifndef CONCMAP_DETAIL_WRITES_H
#define CONCMAP_DETAIL_WRITES_H

#include <concmap/detail/typed.h>
#include <concmap/detail/write.h>

/* Made of update_in_. */
#define CM_UPDATES_IF_(how, name, Map, Key, Value)                                                                     \
    CM_HIDDEN_(                                                                                                        \
        how, struct name##_if_ {                                                                                       \
            bool (*condition)(const Value *, void *);                                                                  \
            cm_status (*function)(Value *, void *);                                                                    \
            void *context;                                                                                             \
        };)                                                                                                            \
    CM_INNER_(how, cm_status, name##_update_checked_, (Value * value, void *context), {                                \
        struct name##_if_ *checked = (struct name##_if_ *)context;                                                     \
        return checked->condition(value, checked->context) ? checked->function(value, checked->context) : CM_EXISTS;   \
    })                                                                                                                 \
    CM_INNER_(how, cm_status, name##_update_if_in_,                                                                    \
              (Map * map, uint64_t hash, Key key, bool (*condition)(const Value *, void *),                            \
               cm_status (*function)(Value *, void *), void *context, cm_deadline deadline),                           \
              {                                                                                                        \
                  struct name##_if_ checked = {condition, function, context};                                          \
                  return name##_update_in_(map, hash, key, name##_update_checked_, &checked, deadline);                \
              })                                                                                                       \
    /* As update, but only where the condition holds; CM_EXISTS: it does not. */                                       \
    CM_KEYED_(how, name, Map, Key, update_if,                                                                          \
              (, bool (*condition)(const Value *, void *), cm_status (*function)(Value *, void *), void *context),     \
              (, condition, function, context))

/* Of entries that are there. `name` is the map's, or that of a view of it; Map is the map's type. */
#define CM_CHANGES_(how, name, Map, Key, Value)                                                                        \
    CM_HIDDEN_(                                                                                                        \
        how, struct name##_call_ {                                                                                     \
            cm_status (*function)(Value *, void *);                                                                    \
            void *context;                                                                                             \
        };)                                                                                                            \
    CM_INNER_(how, cm_status, name##_run_, (void *value, void *call), {                                                \
        return ((struct name##_call_ *)call)->function((Value *)value, ((struct name##_call_ *)call)->context);        \
    })                                                                                                                 \
    CM_INNER_(how, cm_status, name##_write_,                                                                           \
              (Map * map, const Key *key, uint64_t hash, enum cm_absent_ absent, enum cm_present_ present,             \
               const Value *value, cm_status (*function)(Value *, void *), void *context, Map##_out_ *old,             \
               Map##_out_ *now, cm_deadline deadline),                                                                 \
              {                                                                                                        \
                  Value scratch;                                                                                       \
                  cm_value_clear_(&name##_type_, &scratch);                                                            \
                  struct name##_call_ call = {function, context};                                                      \
                  struct cm_write_ write = {absent, present, value, name##_run_, &call, &scratch, old, now, deadline}; \
                  struct cm_written_ written = cm_map_write_(&name##_type_, &map->core, key, hash, &write);            \
                  return written.status;                                                                               \
              })                                                                                                       \
    CM_INNER_(how, cm_status, name##_update_in_,                                                                       \
              (Map * map, uint64_t hash, Key key, cm_status(*function)(Value *, void *), void *context,                \
               cm_deadline deadline),                                                                                  \
              {                                                                                                        \
                  return name##_write_(map, &key, hash, CM_ABSENT_FAIL_, CM_PRESENT_APPLY_, NULL, function, context,   \
                                       NULL, NULL, deadline);                                                          \
              })                                                                                                       \
    /* Runs the function on the key's value, under the bucket's lock; if it returns less than 0, the value is as it    \
     * was. Returns what the function returned, or CM_ABSENT. CM_OWNER_DIED: see the guards. */                        \
    CM_KEYED_(how, name, Map, Key, update, (, cm_status(*function)(Value *, void *), void *context),                   \
              (, function, context))                                                                                   \
    CM_INNER_(how, cm_status, name##_remove_in_,                                                                       \
              (Map * map, uint64_t hash, Key key, Map##_out_ * old, cm_deadline deadline), {                           \
                  CM_MAY_FILL_(old);                                                                                   \
                  return cm_map_remove_(&name##_type_, &map->core, &key, hash, NULL, NULL, old, deadline);             \
              })                                                                                                       \
    /* Removes the key: CM_OK, and `old` (may be NULL) takes its value; or CM_ABSENT. */                               \
    CM_KEYED_(how, name, Map, Key, remove, (, Map##_out_ * old), (, old))                                              \
    CM_INNER_(how, cm_status, name##_remove_if_in_,                                                                    \
              (Map * map, uint64_t hash, Key key, cm_status(*condition)(Value *, void *), void *context,               \
               Map##_out_ *old, cm_deadline deadline),                                                                 \
              {                                                                                                        \
                  CM_MAY_FILL_(old);                                                                                   \
                  struct name##_call_ call = {condition, context};                                                     \
                  return cm_map_remove_(&name##_type_, &map->core, &key, hash, name##_run_, &call, old, deadline);     \
              })                                                                                                       \
    /* Removes the key if the condition, run under the bucket's lock, returns CM_OK; `old` (may be NULL) takes the     \
     * value. Returns what the condition returned, or CM_ABSENT. */                                                    \
    CM_KEYED_(how, name, Map, Key, remove_if,                                                                          \
              (, cm_status(*condition)(Value *, void *), void *context, Map##_out_ *old), (, condition, context, old)) \
    CM_UPDATES_IF_(how, name, Map, Key, Value)                                                                         \
    CM_HIDDEN_(                                                                                                        \
        how, struct name##_exchange_ {                                                                                 \
            bool (*equal)(const Value *, const Value *);                                                               \
            Value *expected;                                                                                           \
            const Value *desired;                                                                                      \
            Value old;                                                                                                 \
        };)                                                                                                            \
    CM_INNER_(how, cm_status, name##_exchange_equal_, (Value * value, void *context), {                                \
        struct name##_exchange_ *exchange = (struct name##_exchange_ *)context;                                        \
        return cm_value_exchange_(&name##_type_, exchange->equal(value, exchange->expected), value,                    \
                                  exchange->expected, exchange->desired, &exchange->old);                              \
    })                                                                                                                 \
    CM_INNER_(how, cm_status, name##_compare_exchange_in_,                                                             \
              (Map * map, uint64_t hash, Key key, Value * expected, Value desired,                                     \
               bool (*equal)(const Value *, const Value *), cm_deadline deadline),                                     \
              {                                                                                                        \
                  struct name##_exchange_ exchange;                                                                    \
                  exchange.equal = equal;                                                                              \
                  exchange.expected = expected;                                                                        \
                  exchange.desired = &desired;                                                                         \
                  cm_value_clear_(&name##_type_, &exchange.old);                                                       \
                  cm_status status = name##_update_in_(map, hash, key, name##_exchange_equal_, &exchange, deadline);   \
                  if (status >= 0)                                                                                     \
                      cm_value_destroy_(&name##_type_, &map->core, status == CM_REPLACED ? &exchange.old : &desired);  \
                  return status;                                                                                       \
              })                                                                                                       \
    /* Sets the value to `desired` if it equals *expected: CM_REPLACED; otherwise *expected takes it, where it is      \
     * plain: CM_EXISTS. Or CM_ABSENT. */                                                                              \
    CM_KEYED_(how, name, Map, Key, compare_exchange,                                                                   \
              (, Value * expected, Value desired, bool (*equal)(const Value *, const Value *)),                        \
              (, expected, desired, equal))

/* Those that move a value out of the map. */
#define CM_TAKES_(how, name, Map, Key, Value)                                                                          \
    CM_INNER_(how, cm_status, name##_take_or_in_,                                                                      \
              (Map * map, uint64_t hash, Key key, Value otherwise, Value * value, cm_deadline deadline), {             \
                  cm_status status = name##_remove_in_(map, hash, key, value, deadline);                               \
                  if (status == CM_ABSENT)                                                                             \
                      memcpy((void *)value, &otherwise, sizeof otherwise);                                             \
                  if (status == CM_OK)                                                                                 \
                      cm_value_destroy_(&name##_type_, &map->core, &otherwise);                                        \
                  return status;                                                                                       \
              })                                                                                                       \
    /* Removes the key, and *value takes its value: CM_OK; or `otherwise`: CM_ABSENT. */                               \
    CM_KEYED_(how, name, Map, Key, take_or, (, Value otherwise, Value * value), (, otherwise, value))

/* Those that may add one. */
#define CM_ADDITIONS_(how, name, Key, Value)                                                                           \
    CM_INNER_(how, cm_status, name##_insert_in_,                                                                       \
              (name * map, uint64_t hash, Key key, Value value, cm_deadline deadline), {                               \
                  return name##_write_(map, &key, hash, CM_ABSENT_INSERT_, CM_PRESENT_KEEP_, &value, NULL, NULL, NULL, \
                                       NULL, deadline);                                                                \
              })                                                                                                       \
    /* Adds the key if it is absent: CM_OK, or CM_EXISTS. CM_NOMEM. */                                                 \
    CM_KEYED_(how, name, name, Key, insert, (, Value value), (, value))                                                \
    CM_INNER_(how, cm_status, name##_put_in_,                                                                          \
              (name * map, uint64_t hash, Key key, Value value, name##_out_ * old, cm_deadline deadline), {            \
                  CM_MAY_FILL_(old);                                                                                   \
                  return name##_write_(map, &key, hash, CM_ABSENT_INSERT_, CM_PRESENT_REPLACE_, &value, NULL, NULL,    \
                                       old, NULL, deadline);                                                           \
              })                                                                                                       \
    /* Sets the key's value: CM_OK (new) or CM_REPLACED; then `old` (may be NULL) takes the old value. CM_NOMEM. */    \
    CM_KEYED_(how, name, name, Key, put, (, Value value, name##_out_ * old), (, value, old))                           \
    CM_INNER_(how, cm_status, name##_upsert_telling_,                                                                  \
              (name * map, uint64_t hash, Key key, Value initial, cm_status(*function)(Value *, void *),               \
               void *context, name##_out_ *old, cm_deadline deadline),                                                 \
              {                                                                                                        \
                  struct name##_call_ call = {function, context};                                                      \
                  Value scratch;                                                                                       \
                  cm_value_clear_(&name##_type_, &scratch);                                                            \
                  struct cm_write_ write = {                                                                           \
                      CM_ABSENT_INSERT_, CM_PRESENT_APPLY_, &initial, name##_run_, &call, &scratch, old, NULL,         \
                      deadline};                                                                                       \
                  struct cm_written_ written = cm_map_write_(&name##_type_, &map->core, &key, hash, &write);           \
                  return cm_written_upserted_(written);                                                                \
              })                                                                                                       \
    CM_INNER_(how, cm_status, name##_upsert_in_,                                                                       \
              (name * map, uint64_t hash, Key key, Value initial, cm_status(*function)(Value *, void *),               \
               void *context, cm_deadline deadline),                                                                   \
              { return name##_upsert_telling_(map, hash, key, initial, function, context, NULL, deadline); })          \
    /* Adds the key with `initial`: CM_OK; or, where it is present, runs the function as update does: CM_REPLACED, or  \
     * the function's failure. CM_NOMEM. */                                                                            \
    CM_KEYED_(how, name, name, Key, upsert, (, Value initial, cm_status(*function)(Value *, void *), void *context),   \
              (, initial, function, context))                                                                          \
    CM_INNER_(how, cm_status, name##_get_or_insert_in_,                                                                \
              (name * map, uint64_t hash, Key key, Value initial, name##_out_ * value, cm_deadline deadline), {        \
                  if (name##_find_(map, &key, hash, value, deadline) == CM_OK) {                                       \
                      cm_value_destroy_(&name##_type_, &map->core, &initial);                                          \
                      return CM_EXISTS;                                                                                \
                  }                                                                                                    \
                  return name##_write_(map, &key, hash, CM_ABSENT_INSERT_, CM_PRESENT_KEEP_, &initial, NULL, NULL,     \
                                       NULL, value, deadline);                                                         \
              })                                                                                                       \
    /* Adds the key with `initial` if it is absent: CM_OK, or CM_EXISTS. `value` (may be NULL) takes what the map now  \
     * has. No lock is taken where the key is present. CM_NOMEM. */                                                    \
    CM_KEYED_(how, name, name, Key, get_or_insert, (, Value initial, name##_out_ * value), (, initial, value))

/* One that runs a function of the user under the bucket's lock to make a value. */
#define CM_MAKES_(how, name, Key, Value)                                                                               \
    CM_INNER_(how, cm_status, name##_get_or_insert_with_in_,                                                           \
              (name * map, uint64_t hash, Key key, cm_status(*make)(Value *, void *), void *context, Value *value,     \
               cm_deadline deadline),                                                                                  \
              {                                                                                                        \
                  if (name##_find_(map, &key, hash, value, deadline) == CM_OK)                                         \
                      return CM_EXISTS;                                                                                \
                  return name##_write_(map, &key, hash, CM_ABSENT_MAKE_, CM_PRESENT_KEEP_, NULL, make, context, NULL,  \
                                       value, deadline);                                                               \
              })                                                                                                       \
    /* As get_or_insert, with a value that `make` fills in, once, under the bucket's lock, only if the key is absent.  \
     * If it returns less than 0 nothing is added, and that is the result. */                                          \
    CM_KEYED_(how, name, name, Key, get_or_insert_with,                                                                \
              (, cm_status(*make)(Value *, void *), void *context, Value *value), (, make, context, value))

#endif
