/* The typed functions of the partitioned map on one key: what a request is, what its owner does, and the calls that
 * wait for the answer. */
#ifndef CONCMAP_DETAIL_PARTITIONED_VERBS_H
#define CONCMAP_DETAIL_PARTITIONED_VERBS_H

#include <concmap/detail/op_kind.h>
#include <concmap/detail/partition.h>
#include <concmap/detail/plain_verbs.h>
#include <concmap/detail/typed.h>

/* What is asked, besides the kinds of mixed batches (op_kind.h). */
enum {
    CM_ASK_REPLACE_ = CM_OP_REMOVE + 1,
    CM_ASK_REMOVE_IF_,
    CM_ASK_UPDATE_IF_,
    CM_ASK_COMPARE_EXCHANGE_,
    CM_ASK_TAKE_OR_,
    CM_ASK_GET_OR_INSERT_,
    CM_ASK_GET_OR_INSERT_WITH_,
    CM_ASK_SHIP_
};

#define CM_REQUESTS_TYPE_(how, name, Key, Value)                                                                       \
    /* One request; where it lies is the sender's, until the owner has run it. */                                      \
    CM_SHOWN_(                                                                                                         \
        how, typedef struct name##_request_ {                                                                          \
            uint64_t hash;                                                                                             \
            Key key;                                                                                                   \
            Value value; /* given */                                                                                   \
            Value *out;  /* where a value goes to, or NULL */                                                          \
            union {                                                                                                    \
                cm_status (*function)(Value *, void *);                                                                \
                cm_status (*ship)(name##_plain *, const Key *, void *);                                                \
                bool (*equal)(const Value *, const Value *);                                                           \
            } call;                                                                                                    \
            void *context;                                                                                             \
            cm_status *result; /* of batches; NULL: nobody wants to know */                                            \
            int kind;                                                                                                  \
        } name##_request_;)                                                                                            \
    CM_HIDDEN_(                                                                                                        \
        how, struct name##_update_if_ {                                                                                \
            bool (*condition)(const Value *, void *);                                                                  \
            cm_status (*function)(Value *, void *);                                                                    \
            void *context;                                                                                             \
        };)

#define CM_REQUESTS_(how, name, Key, Value)                                                                            \
    /* As the owner: does what is asked, on its plain map. */                                                          \
    CM_LOCAL_(how, cm_status, name##_perform_, (name##_plain * own, name##_request_ * ask), {                          \
        const uint64_t hash = ask->hash;                                                                               \
        switch (ask->kind) {                                                                                           \
        case CM_OP_GET:                                                                                                \
            return name##_plain_look_(own, &ask->key, hash, ask->out);                                                 \
        case CM_OP_INSERT:                                                                                             \
            return name##_plain_insert_in_(own, hash, ask->key, ask->value);                                           \
        case CM_OP_PUT:                                                                                                \
            return name##_plain_put_in_(own, hash, ask->key, ask->value, ask->out);                                    \
        case CM_OP_UPDATE:                                                                                             \
            return name##_plain_update_in_(own, hash, ask->key, ask->call.function, ask->context);                     \
        case CM_OP_UPSERT:                                                                                             \
            return name##_plain_upsert_in_(own, hash, ask->key, ask->value, ask->call.function, ask->context);         \
        case CM_OP_REMOVE:                                                                                             \
            return name##_plain_remove_in_(own, hash, ask->key, ask->out);                                             \
        case CM_ASK_SHIP_:                                                                                             \
            return ask->call.ship(own, &ask->key, ask->context);                                                       \
        default:                                                                                                       \
            return name##_perform_rarely_(own, ask);                                                                   \
        }                                                                                                              \
    })

#define CM_RARE_REQUESTS_(how, name, Key, Value)                                                                       \
    CM_LOCAL_(how, cm_status, name##_perform_rarely_, (name##_plain * own, name##_request_ * ask), {                   \
        const uint64_t hash = ask->hash;                                                                               \
        switch (ask->kind) {                                                                                           \
        case CM_ASK_REPLACE_:                                                                                          \
            return name##_plain_replace_in_(own, hash, ask->key, ask->value, ask->out);                                \
        case CM_ASK_REMOVE_IF_:                                                                                        \
            return name##_plain_remove_if_in_(own, hash, ask->key, ask->call.function, ask->context, ask->out);        \
        case CM_ASK_UPDATE_IF_: {                                                                                      \
            const struct name##_update_if_ *update = (const struct name##_update_if_ *)ask->context;                   \
            return name##_plain_update_if_in_(own, hash, ask->key, update->condition, update->function,                \
                                              update->context);                                                        \
        }                                                                                                              \
        case CM_ASK_COMPARE_EXCHANGE_:                                                                                 \
            return name##_plain_compare_exchange_in_(own, hash, ask->key, ask->out, ask->value, ask->call.equal);      \
        case CM_ASK_TAKE_OR_:                                                                                          \
            return name##_plain_take_or_in_(own, hash, ask->key, ask->value, ask->out);                                \
        case CM_ASK_GET_OR_INSERT_:                                                                                    \
            return name##_plain_get_or_insert_in_(own, hash, ask->key, ask->value, ask->out);                          \
        default:                                                                                                       \
            return name##_plain_get_or_insert_with_in_(own, hash, ask->key, ask->call.function, ask->context,          \
                                                       ask->out);                                                      \
        }                                                                                                              \
    })

/* A request that its sender waits for, on the sender's stack. */
#define CM_ASKING_(how, name, Key, Value)                                                                              \
    CM_HIDDEN_(                                                                                                        \
        how, struct name##_asked_ {                                                                                    \
            struct cm_message_ message;                                                                                \
            name##_request_ request;                                                                                   \
            cm_status status;                                                                                          \
        };)                                                                                                            \
    CM_LOCAL_(how, name##_plain *, name##_plain_of_, (struct cm_partition_ * partition),                               \
              { return (name##_plain *)(void *)&partition->plain; })                                                   \
    CM_LOCAL_(how, uint64_t, name##_hash_of_, (const name *map, const Key *key),                                       \
              { return name##_plain_type_.hash(key, map->core.seed); })                                                \
    CM_LOCAL_(how, void, name##_ask_run_,                                                                              \
              (struct cm_message_ * message, struct cm_partition_ * partition, cm_status dropped), {                   \
                  struct name##_asked_ *ask = (struct name##_asked_ *)(void *)message;                                 \
                  ask->status = dropped;                                                                               \
                  if (CM_LIKELY(dropped == CM_OK))                                                                     \
                      ask->status = name##_perform_(name##_plain_of_(partition), &ask->request);                       \
              })                                                                                                       \
    /* Fills in what every request has. */                                                                             \
    CM_INNER_(how, void, name##_request_set_, (name##_request_ * request, int kind, uint64_t hash, const Key *key), {  \
        memcpy((void *)&request->key, key, sizeof *key);                                                               \
        request->hash = hash;                                                                                          \
        request->kind = kind;                                                                                          \
        request->result = NULL;                                                                                        \
        request->out = NULL;                                                                                           \
    })                                                                                                                 \
    CM_INNER_(how, cm_status, name##_ask_send_, (const name *map, struct name##_asked_ *ask, cm_deadline deadline), {  \
        struct cm_partition_ *partition = cm_partition_of_(&map->core, &ask->request.key, ask->request.hash);          \
        ask->message.run = name##_ask_run_;                                                                            \
        ask->message.requests = 1;                                                                                     \
        cm_status status = cm_partition_call_(partition, &ask->message, deadline);                                     \
        return status < 0 ? status : ask->status;                                                                      \
    })                                                                                                                 \
    CM_INNER_(how, cm_status, name##_ask_,                                                                             \
              (const name *map, int kind, uint64_t hash, const Key *key, const Value *value,                           \
               cm_status (*function)(Value *, void *), void *context, Value *out, cm_deadline deadline),               \
              {                                                                                                        \
                  struct name##_asked_ ask;                                                                            \
                  name##_request_set_(&ask.request, kind, hash, key);                                                  \
                  if (value)                                                                                           \
                      memcpy((void *)&ask.request.value, value, sizeof *value);                                        \
                  ask.request.call.function = function;                                                                \
                  ask.request.context = context;                                                                       \
                  ask.request.out = out;                                                                               \
                  return name##_ask_send_(map, &ask, deadline);                                                        \
              })

#define CM_PARTITIONED_READS_(how, name, Key, Value)                                                                   \
    /* The key's hash, for calls that take it (VERB_hashed); of use in all maps with the same config.seed. */          \
    CM_FUNCTION_(how, uint64_t, name##_hash_of, (const name *map, Key key), { return name##_hash_of_(map, &key); })    \
    /* Copies the key's value; false: the map has none, and *value is as it was. False also where the map is shut      \
     * down, or waiting would never end: get_until says so. */                                                         \
    CM_FUNCTION_(how, bool, name##_get, (const name *map, Key key, Value *value), {                                    \
        CM_CALLED_();                                                                                                  \
        return name##_get_in_(map, name##_hash_of_(map, &key), &key, value, CM_FOREVER) == CM_OK;                      \
    })                                                                                                                 \
    CM_FUNCTION_(how, bool, name##_get_hashed, (const name *map, uint64_t hash, Key key, Value *value), {              \
        CM_CALLED_();                                                                                                  \
        return name##_get_in_(map, hash, &key, value, CM_FOREVER) == CM_OK;                                            \
    })                                                                                                                 \
    /* As get: CM_OK, CM_ABSENT, or why there is no answer. */                                                         \
    CM_FUNCTION_(how, cm_status, name##_try_get, (const name *map, Key key, Value *value), {                           \
        CM_CALLED_();                                                                                                  \
        return name##_get_in_(map, name##_hash_of_(map, &key), &key, value, CM_TRY);                                   \
    })                                                                                                                 \
    CM_FUNCTION_(how, cm_status, name##_get_until, (const name *map, Key key, Value *value, cm_deadline deadline), {   \
        CM_CALLED_();                                                                                                  \
        return name##_get_in_(map, name##_hash_of_(map, &key), &key, value, deadline);                                 \
    })                                                                                                                 \
    /* Whether the map has the key. As get. */                                                                         \
    CM_FUNCTION_(how, bool, name##_contains, (const name *map, Key key), {                                             \
        CM_CALLED_();                                                                                                  \
        return name##_get_in_(map, name##_hash_of_(map, &key), &key, NULL, CM_FOREVER) == CM_OK;                       \
    })                                                                                                                 \
    CM_FUNCTION_(how, bool, name##_contains_hashed, (const name *map, uint64_t hash, Key key), {                       \
        CM_CALLED_();                                                                                                  \
        return name##_get_in_(map, hash, &key, NULL, CM_FOREVER) == CM_OK;                                             \
    })

/* Of these the answers are those of the plain map (detail/plain_verbs.h). */
#define CM_PARTITIONED_WRITES_(how, name, Key, Value)                                                                  \
    CM_INNER_(how, cm_status, name##_get_in_,                                                                          \
              (const name *map, uint64_t hash, const Key *key, Value *value, cm_deadline deadline),                    \
              { return name##_ask_(map, CM_OP_GET, hash, key, NULL, NULL, NULL, value, deadline); })                   \
    CM_INNER_(how, cm_status, name##_insert_in_,                                                                       \
              (name * map, uint64_t hash, Key key, Value value, cm_deadline deadline),                                 \
              { return name##_ask_(map, CM_OP_INSERT, hash, &key, &value, NULL, NULL, NULL, deadline); })              \
    /* As of the plain map. Those that take a value leave it to the caller where they fail. */                         \
    CM_KEYED_(how, name, name, Key, insert, (, Value value), (, value))                                                \
    CM_INNER_(how, cm_status, name##_put_in_,                                                                          \
              (name * map, uint64_t hash, Key key, Value value, Value * old, cm_deadline deadline),                    \
              { return name##_ask_(map, CM_OP_PUT, hash, &key, &value, NULL, NULL, old, deadline); })                  \
    /* As of the plain map. */                                                                                         \
    CM_KEYED_(how, name, name, Key, put, (, Value value, Value * old), (, value, old))                                 \
    CM_INNER_(how, cm_status, name##_replace_in_,                                                                      \
              (name * map, uint64_t hash, Key key, Value value, Value * old, cm_deadline deadline),                    \
              { return name##_ask_(map, CM_ASK_REPLACE_, hash, &key, &value, NULL, NULL, old, deadline); })            \
    CM_KEYED_(how, name, name, Key, replace, (, Value value, Value * old), (, value, old))                             \
    CM_INNER_(how, cm_status, name##_remove_in_,                                                                       \
              (name * map, uint64_t hash, Key key, Value * old, cm_deadline deadline),                                 \
              { return name##_ask_(map, CM_OP_REMOVE, hash, &key, NULL, NULL, NULL, old, deadline); })                 \
    CM_KEYED_(how, name, name, Key, remove, (, Value * old), (, old))                                                  \
    CM_INNER_(how, cm_status, name##_take_or_in_,                                                                      \
              (name * map, uint64_t hash, Key key, Value otherwise, Value * value, cm_deadline deadline),              \
              { return name##_ask_(map, CM_ASK_TAKE_OR_, hash, &key, &otherwise, NULL, NULL, value, deadline); })      \
    CM_KEYED_(how, name, name, Key, take_or, (, Value otherwise, Value * value), (, otherwise, value))                 \
    CM_INNER_(how, cm_status, name##_get_or_insert_in_,                                                                \
              (name * map, uint64_t hash, Key key, Value initial, Value * value, cm_deadline deadline),                \
              { return name##_ask_(map, CM_ASK_GET_OR_INSERT_, hash, &key, &initial, NULL, NULL, value, deadline); })  \
    CM_KEYED_(how, name, name, Key, get_or_insert, (, Value initial, Value * value), (, initial, value))

/* Those with a function, which the owner runs. While it runs, calls that change the entries of the same owner are
 * CM_DEADLOCK, but in a function given to apply. */
#define CM_PARTITIONED_CALLS_(how, name, Key, Value)                                                                   \
    CM_INNER_(how, cm_status, name##_update_in_,                                                                       \
              (name * map, uint64_t hash, Key key, cm_status(*function)(Value *, void *), void *context,               \
               cm_deadline deadline),                                                                                  \
              { return name##_ask_(map, CM_OP_UPDATE, hash, &key, NULL, function, context, NULL, deadline); })         \
    /* As of the plain map; the function runs in the owner. */                                                         \
    CM_KEYED_(how, name, name, Key, update, (, cm_status(*function)(Value *, void *), void *context),                  \
              (, function, context))                                                                                   \
    CM_INNER_(how, cm_status, name##_upsert_in_,                                                                       \
              (name * map, uint64_t hash, Key key, Value initial, cm_status(*function)(Value *, void *),               \
               void *context, cm_deadline deadline),                                                                   \
              { return name##_ask_(map, CM_OP_UPSERT, hash, &key, &initial, function, context, NULL, deadline); })     \
    CM_KEYED_(how, name, name, Key, upsert, (, Value initial, cm_status(*function)(Value *, void *), void *context),   \
              (, initial, function, context))                                                                          \
    CM_INNER_(how, cm_status, name##_remove_if_in_,                                                                    \
              (name * map, uint64_t hash, Key key, cm_status(*condition)(Value *, void *), void *context, Value *old,  \
               cm_deadline deadline),                                                                                  \
              { return name##_ask_(map, CM_ASK_REMOVE_IF_, hash, &key, NULL, condition, context, old, deadline); })    \
    CM_KEYED_(how, name, name, Key, remove_if, (, cm_status(*condition)(Value *, void *), void *context, Value *old),  \
              (, condition, context, old))                                                                             \
    CM_INNER_(                                                                                                         \
        how, cm_status, name##_get_or_insert_with_in_,                                                                 \
        (name * map, uint64_t hash, Key key, cm_status(*make)(Value *, void *), void *context, Value *value,           \
         cm_deadline deadline),                                                                                        \
        { return name##_ask_(map, CM_ASK_GET_OR_INSERT_WITH_, hash, &key, NULL, make, context, value, deadline); })    \
    CM_KEYED_(how, name, name, Key, get_or_insert_with,                                                                \
              (, cm_status(*make)(Value *, void *), void *context, Value *value), (, make, context, value))            \
    CM_INNER_(how, cm_status, name##_update_if_in_,                                                                    \
              (name * map, uint64_t hash, Key key, bool (*condition)(const Value *, void *),                           \
               cm_status (*function)(Value *, void *), void *context, cm_deadline deadline),                           \
              {                                                                                                        \
                  struct name##_update_if_ update = {condition, function, context};                                    \
                  return name##_ask_(map, CM_ASK_UPDATE_IF_, hash, &key, NULL, NULL, &update, NULL, deadline);         \
              })                                                                                                       \
    CM_KEYED_(how, name, name, Key, update_if,                                                                         \
              (, bool (*condition)(const Value *, void *), cm_status (*function)(Value *, void *), void *context),     \
              (, condition, function, context))                                                                        \
    CM_INNER_(how, cm_status, name##_compare_exchange_in_,                                                             \
              (name * map, uint64_t hash, Key key, Value * expected, Value desired,                                    \
               bool (*equal)(const Value *, const Value *), cm_deadline deadline),                                     \
              {                                                                                                        \
                  struct name##_asked_ ask;                                                                            \
                  name##_request_set_(&ask.request, CM_ASK_COMPARE_EXCHANGE_, hash, &key);                             \
                  memcpy((void *)&ask.request.value, &desired, sizeof desired);                                        \
                  ask.request.call.equal = equal;                                                                      \
                  ask.request.out = expected;                                                                          \
                  return name##_ask_send_(map, &ask, deadline);                                                        \
              })                                                                                                       \
    CM_KEYED_(how, name, name, Key, compare_exchange,                                                                  \
              (, Value * expected, Value desired, bool (*equal)(const Value *, const Value *)),                        \
              (, expected, desired, equal))                                                                            \
    CM_INNER_(how, cm_status, name##_apply_in_,                                                                        \
              (name * map, uint64_t hash, Key key, cm_status(*function)(name##_plain *, const Key *, void *),          \
               void *context, cm_deadline deadline),                                                                   \
              {                                                                                                        \
                  struct name##_asked_ ask;                                                                            \
                  name##_request_set_(&ask.request, CM_ASK_SHIP_, hash, &key);                                         \
                  ask.request.call.ship = function;                                                                    \
                  ask.request.context = context;                                                                       \
                  return name##_ask_send_(map, &ask, deadline);                                                        \
              })                                                                                                       \
    /* Runs function(own, &key, context) in the owner of the key, present or not, and returns what it returned. `own`  \
     * is the owner's plain map: the function may do anything with it by name_plain_VERB, for keys that have the same  \
     * owner. It may also call this map: keys of the same owner are served at once; of others they are waited for,     \
     * and CM_DEADLOCK where those wait for this owner. */                                                             \
    CM_KEYED_(how, name, name, Key, apply,                                                                             \
              (, cm_status(*function)(name##_plain *, const Key *, void *), void *context), (, function, context))

#endif
