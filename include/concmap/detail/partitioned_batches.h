/* The typed functions of the partitioned map that send many requests at a time, and those that send without waiting. */
#ifndef CONCMAP_DETAIL_PARTITIONED_BATCHES_H
#define CONCMAP_DETAIL_PARTITIONED_BATCHES_H

#include <concmap/detail/bundle.h>
#include <concmap/detail/partitioned_verbs.h>
#include <concmap/detail/plain_batches.h>

/* What the owner does with a group: its requests in order, fetching ahead. */
#define CM_GROUPS_(how, name, Key, Value)                                                                              \
    /* The plain map's type, for keys that are requests: these carry their hashes. */                                  \
    CM_LOCAL_(how, uint64_t, name##_carried_hash_, (const void *request, uint64_t seed), {                             \
        (void)seed;                                                                                                    \
        return ((const name##_request_ *)request)->hash;                                                               \
    })                                                                                                                 \
    CM_LOCAL_(how, bool, name##_carried_equal_, (const void *a, const void *b), { return a == b; })                    \
    CM_HIDDEN_(how, CM_DESCRIPTOR_(name##_carried, name##_plain, Key, Value, false, true, false, NULL))                \
    /* What a failed request leaves is the caller's, if it is told; else it is destroyed. */                           \
    CM_LOCAL_(                                                                                                         \
        how, void, name##_answer_,                                                                                     \
        (struct cm_partition_ * partition, struct cm_group_ * group, name##_request_ * request, cm_status status), {   \
            bool has_value =                                                                                           \
                request->kind == CM_OP_INSERT || request->kind == CM_OP_PUT || request->kind == CM_OP_UPSERT;          \
            if (request->result)                                                                                       \
                *request->result = status;                                                                             \
            if (CM_LIKELY(status >= 0))                                                                                \
                return;                                                                                                \
            if (group->failed == CM_OK)                                                                                \
                group->failed = status;                                                                                \
            if (has_value && !request->result)                                                                         \
                cm_plain_value_end_(&name##_plain_type_, &partition->plain, &request->value);                          \
        })                                                                                                             \
    CM_LOCAL_(how, void, name##_group_run_,                                                                            \
              (struct cm_message_ * message, struct cm_partition_ * partition, cm_status dropped), {                   \
                  struct cm_group_ *group = (struct cm_group_ *)(void *)message;                                       \
                  name##_request_ *requests = (name##_request_ *)(void *)group->requests;                              \
                  name##_plain *own = name##_plain_of_(partition);                                                     \
                  const uint32_t count = group->n;                                                                     \
                  if (dropped < 0) {                                                                                   \
                      for (uint32_t k = group->at; k < count; k++)                                                     \
                          name##_answer_(partition, group, &requests[k], dropped);                                     \
                      return;                                                                                          \
                  }                                                                                                    \
                  CM_FLAT_BATCH_(&name##_carried_type_, &own->core, i, count, hash, &requests[i], true, {              \
                      (void)hash;                                                                                      \
                      group->at = (uint32_t)i; /* for who takes over where a function ends the thread */               \
                      name##_answer_(partition, group, &requests[i], name##_perform_(own, &requests[i]));              \
                  });                                                                                                  \
              })

/* A batch: requests that are sent together. The functions add one each. */
#define CM_PARTITIONED_BATCH_(how, name, Key, Value)                                                                   \
    CM_SHOWN_(                                                                                                         \
        how, typedef struct name##_batch {                                                                             \
            name *map;                                                                                                 \
            struct cm_bundle_ *core;                                                                                   \
        } name##_batch;)                                                                                               \
    /* Begins a batch: an empty one, which holds nothing yet. It is one thread's at a time. */                         \
    CM_FUNCTION_(how, name##_batch, name##_batch_begin, (name * map), {                                                \
        name##_batch batch = {map, NULL};                                                                              \
        return batch;                                                                                                  \
    })                                                                                                                 \
    CM_LOCAL_(how, cm_status, name##_batch_room_,                                                                      \
              (name##_batch * batch, struct cm_partition_ * partition, size_t text, cm_deadline deadline), {           \
                  static const struct cm_bundle_type_ type = {sizeof(name##_request_), CM_ALIGNOF(name##_request_),    \
                                                              name##_group_run_};                                      \
                  if (!batch->core)                                                                                    \
                      batch->core = cm_bundle_begin_(&batch->map->core);                                               \
                  if (!batch->core)                                                                                    \
                      return CM_NOMEM;                                                                                 \
                  if (cm_bundle_group_(batch->core, partition, text))                                                  \
                      return CM_OK;                                                                                    \
                  return cm_bundle_make_room_(batch->core, partition, &type, text, deadline);                          \
              })                                                                                                       \
    /* The next request, but for what its kind has more. NULL, and *status says why. */                                \
    CM_INNER_(                                                                                                         \
        how, name##_request_ *, name##_batch_add_,                                                                     \
        (name##_batch * batch, int kind, const Key *key, cm_status *result, cm_status *status, cm_deadline deadline),  \
        {                                                                                                              \
            const uint64_t hash = name##_hash_of_(batch->map, key);                                                    \
            const size_t text = cm_key_text_size_(&name##_plain_type_, key);                                           \
            struct cm_partition_ *partition = cm_partition_of_(&batch->map->core, key, hash);                          \
            struct cm_group_ *group = batch->core ? cm_bundle_group_(batch->core, partition, text) : NULL;             \
            *status = CM_OK;                                                                                           \
            if (CM_UNLIKELY(!group)) {                                                                                 \
                *status = name##_batch_room_(batch, partition, text, deadline);                                        \
                if (*status < 0)                                                                                       \
                    return NULL;                                                                                       \
                group = batch->core->parts[partition->index].filling;                                                  \
            }                                                                                                          \
            name##_request_ *request = (name##_request_ *)(void *)group->requests + group->n++;                        \
            name##_request_set_(request, kind, hash, key);                                                             \
            request->result = result;                                                                                  \
            if (name##_plain_type_.key_text) {                                                                         \
                cm_str own = cm_group_text_(group, *(const cm_str *)(const void *)key);                                \
                memcpy((void *)&request->key, &own, sizeof own);                                                       \
            }                                                                                                          \
            return request;                                                                                            \
        })

#define CM_PARTITIONED_BATCH_VERBS_(how, name, Key, Value)                                                             \
    CM_INNER_(how, cm_status, name##_batch_get_in_,                                                                    \
              (name##_batch * batch, Key key, Value * value, cm_status * result, cm_deadline deadline), {              \
                  cm_status status;                                                                                    \
                  name##_request_ *ask = name##_batch_add_(batch, CM_OP_GET, &key, result, &status, deadline);         \
                  if (ask)                                                                                             \
                      ask->out = value;                                                                                \
                  return status;                                                                                       \
              })                                                                                                       \
    /* Each of these adds a request to the batch, and sends what goes to that owner when it fills a message. CM_OK: it \
     * is added. CM_NOMEM, CM_DEADLOCK: it is not. try_VERB is CM_BUSY, VERB_until CM_TIMEOUT, where the owner's queue \
     * is full: then it is not added either. `value` and `result` may be NULL; where they are not, they must stay      \
     * where they are until the batch was waited for, and take what the call of the same name would have returned:     \
     * CM_CLOSED, if the map was shut down. A failed request leaves its value to the caller if there is a `result`;    \
     * else the value is destroyed. */                                                                                 \
    CM_TWINS_(how, name, batch_get, (name##_batch * batch, Key key, Value * value, cm_status * result),                \
              (batch, key, value, result))                                                                             \
    CM_INNER_(                                                                                                         \
        how, cm_status, name##_batch_value_in_,                                                                        \
        (name##_batch * batch, int kind, const Key *key, const Value *value, cm_status *result, cm_deadline deadline), \
        {                                                                                                              \
            cm_status status;                                                                                          \
            name##_request_ *ask = name##_batch_add_(batch, kind, key, result, &status, deadline);                     \
            if (ask)                                                                                                   \
                memcpy((void *)&ask->value, value, sizeof *value);                                                     \
            return status;                                                                                             \
        })                                                                                                             \
    CM_INNER_(how, cm_status, name##_batch_insert_in_,                                                                 \
              (name##_batch * batch, Key key, Value value, cm_status * result, cm_deadline deadline),                  \
              { return name##_batch_value_in_(batch, CM_OP_INSERT, &key, &value, result, deadline); })                 \
    CM_INNER_(how, cm_status, name##_batch_put_in_,                                                                    \
              (name##_batch * batch, Key key, Value value, cm_status * result, cm_deadline deadline),                  \
              { return name##_batch_value_in_(batch, CM_OP_PUT, &key, &value, result, deadline); })                    \
    /* As batch_get. */                                                                                                \
    CM_TWINS_(how, name, batch_insert, (name##_batch * batch, Key key, Value value, cm_status * result),               \
              (batch, key, value, result))                                                                             \
    CM_TWINS_(how, name, batch_put, (name##_batch * batch, Key key, Value value, cm_status * result),                  \
              (batch, key, value, result))                                                                             \
    CM_INNER_(how, cm_status, name##_batch_update_in_,                                                                 \
              (name##_batch * batch, Key key, cm_status(*function)(Value *, void *), void *context, cm_status *result, \
               cm_deadline deadline),                                                                                  \
              {                                                                                                        \
                  cm_status status;                                                                                    \
                  name##_request_ *ask = name##_batch_add_(batch, CM_OP_UPDATE, &key, result, &status, deadline);      \
                  if (ask) {                                                                                           \
                      ask->call.function = function;                                                                   \
                      ask->context = context;                                                                          \
                  }                                                                                                    \
                  return status;                                                                                       \
              })                                                                                                       \
    CM_INNER_(how, cm_status, name##_batch_upsert_in_,                                                                 \
              (name##_batch * batch, Key key, Value initial, cm_status(*function)(Value *, void *), void *context,     \
               cm_status *result, cm_deadline deadline),                                                               \
              {                                                                                                        \
                  cm_status status;                                                                                    \
                  name##_request_ *ask = name##_batch_add_(batch, CM_OP_UPSERT, &key, result, &status, deadline);      \
                  if (ask) {                                                                                           \
                      memcpy((void *)&ask->value, &initial, sizeof initial);                                           \
                      ask->call.function = function;                                                                   \
                      ask->context = context;                                                                          \
                  }                                                                                                    \
                  return status;                                                                                       \
              })                                                                                                       \
    /* As batch_get. */                                                                                                \
    CM_TWINS_(                                                                                                         \
        how, name, batch_update,                                                                                       \
        (name##_batch * batch, Key key, cm_status(*function)(Value *, void *), void *context, cm_status *result),      \
        (batch, key, function, context, result))                                                                       \
    CM_TWINS_(how, name, batch_upsert,                                                                                 \
              (name##_batch * batch, Key key, Value initial, cm_status(*function)(Value *, void *), void *context,     \
               cm_status *result),                                                                                     \
              (batch, key, initial, function, context, result))                                                        \
    CM_INNER_(how, cm_status, name##_batch_remove_in_,                                                                 \
              (name##_batch * batch, Key key, Value * old, cm_status * result, cm_deadline deadline), {                \
                  cm_status status;                                                                                    \
                  name##_request_ *ask = name##_batch_add_(batch, CM_OP_REMOVE, &key, result, &status, deadline);      \
                  if (ask)                                                                                             \
                      ask->out = old;                                                                                  \
                  return status;                                                                                       \
              })                                                                                                       \
    CM_INNER_(how, cm_status, name##_batch_apply_in_,                                                                  \
              (name##_batch * batch, Key key, cm_status(*function)(name##_plain *, const Key *, void *),               \
               void *context, cm_status *result, cm_deadline deadline),                                                \
              {                                                                                                        \
                  cm_status status;                                                                                    \
                  name##_request_ *ask = name##_batch_add_(batch, CM_ASK_SHIP_, &key, result, &status, deadline);      \
                  if (ask) {                                                                                           \
                      ask->call.ship = function;                                                                       \
                      ask->context = context;                                                                          \
                  }                                                                                                    \
                  return status;                                                                                       \
              })                                                                                                       \
    /* As batch_get. */                                                                                                \
    CM_TWINS_(how, name, batch_remove, (name##_batch * batch, Key key, Value * old, cm_status * result),               \
              (batch, key, old, result))                                                                               \
    CM_TWINS_(how, name, batch_apply,                                                                                  \
              (name##_batch * batch, Key key, cm_status(*function)(name##_plain *, const Key *, void *),               \
               void *context, cm_status *result),                                                                      \
              (batch, key, function, context, result))                                                                 \
    CM_INNER_(how, cm_status, name##_batch_send_in_, (name##_batch * batch, cm_deadline deadline),                     \
              { return batch->core ? cm_bundle_send_(batch->core, deadline) : CM_OK; })                                \
    /* Sends what was added so far, without waiting for answers. CM_BUSY, CM_TIMEOUT, CM_DEADLOCK: a queue was full,   \
     * and what goes there is kept. */                                                                                 \
    CM_TWINS_(how, name, batch_send, (name##_batch * batch), (batch))                                                  \
    CM_INNER_(how, cm_status, name##_batch_end_in_, (name##_batch * batch, bool gives_up, cm_deadline deadline), {     \
        if (!batch->core)                                                                                              \
            return CM_OK;                                                                                              \
        cm_status status = cm_bundle_wait_(batch->core, gives_up, deadline);                                           \
        if (status < 0 && !gives_up)                                                                                   \
            return status;                                                                                             \
        if (status == CM_OK)                                                                                           \
            status = batch->core->failed;                                                                              \
        cm_bundle_end_(batch->core);                                                                                   \
        batch->core = NULL;                                                                                            \
        return status;                                                                                                 \
    })                                                                                                                 \
    CM_INNER_(how, cm_status, name##_batch_wait_in_, (name##_batch * batch, cm_deadline deadline),                     \
              { return name##_batch_end_in_(batch, false, deadline); })                                                \
    /* Ends the batch: sends what was not sent, and waits until all of it is done. CM_OK, or the first failure of a    \
     * request. The batch may be used again. CM_BUSY, CM_TIMEOUT: it is not done yet, and goes on; CM_DEADLOCK: it     \
     * would never be; give it up, or wait again later. */                                                             \
    CM_TWINS_(how, name, batch_wait, (name##_batch * batch), (batch))                                                  \
    /* Ends the batch without the requests that no owner has begun: their results are CM_CLOSED, and so is what this   \
     * returns if there are any. Waits for those that were begun. */                                                   \
    CM_FUNCTION_(how, cm_status, name##_batch_give_up, (name##_batch * batch), {                                       \
        CM_CALLED_();                                                                                                  \
        if (batch->core)                                                                                               \
            cm_bundle_give_up_(batch->core, CM_CLOSED);                                                                \
        return name##_batch_end_in_(batch, true, CM_FOREVER);                                                          \
    })

/* As those of the plain map, by a batch that is waited for. */
#define CM_PARTITIONED_MANY_(how, name, Key, Value)                                                                    \
    CM_SHOWN_(how, typedef name##_plain_op name##_op;)                                                                 \
    CM_INNER_(how, cm_status, name##_batch_op_in_, (name##_batch * batch, name##_op * op, cm_deadline deadline), {     \
        name##_request_ *ask = name##_batch_add_(batch, (int)op->kind, &op->key, &op->status, &op->status, deadline);  \
        if (!ask)                                                                                                      \
            return op->status;                                                                                         \
        ask->call.function = op->function;                                                                             \
        ask->context = op->context;                                                                                    \
        if (op->kind == CM_OP_GET || op->kind == CM_OP_PUT || op->kind == CM_OP_REMOVE)                                \
            ask->out = &op->value;                                                                                     \
        if (op->kind == CM_OP_PUT || op->kind == CM_OP_INSERT || op->kind == CM_OP_UPSERT)                             \
            memcpy((void *)&ask->value, &op->value, sizeof op->value);                                                 \
        return CM_OK;                                                                                                  \
    })                                                                                                                 \
    /* As batch_get, for an operation of any kind, which takes the results. */                                         \
    CM_TWINS_(how, name, batch_op, (name##_batch * batch, name##_op * op), (batch, op))                                \
    CM_INNER_(how, size_t, name##_apply_many_in_, (name * map, name##_op * ops, size_t n, cm_deadline deadline), {     \
        name##_batch batch = name##_batch_begin(map);                                                                  \
        size_t done = 0;                                                                                               \
        for (size_t i = 0; i < n; i++)                                                                                 \
            name##_batch_op_in_(&batch, &ops[i], deadline);                                                            \
        name##_batch_end_in_(&batch, true, deadline);                                                                  \
        for (size_t i = 0; i < n; i++)                                                                                 \
            done += ops[i].status >= 0;                                                                                \
        return done;                                                                                                   \
    })                                                                                                                 \
    /* Runs n operations of any kinds, those on one key in array order; each gets its status. Returns how many did not \
     * fail. Where the wait is given up, those that no owner has begun say why. */                                     \
    CM_TWINS_OF_(how, size_t, name, apply_many, (name * map, name##_op * ops, size_t n), (map, ops, n))                \
    /* Runs `add` for each of n keys, by chunks whose statuses it has room for. */                                     \
    CM_HIDDEN_(                                                                                                        \
        how, struct name##_many_keys_ {                                                                                \
            const Key *keys;                                                                                           \
            const Value *given;                                                                                        \
            Value *taken;                                                                                              \
            cm_status (*function)(Value *, void *);                                                                    \
            void *context;                                                                                             \
            int kind;                                                                                                  \
        };)                                                                                                            \
    CM_LOCAL_(how, cm_status, name##_many_add_,                                                                        \
              (name##_batch * batch, const struct name##_many_keys_ *many, size_t i, cm_status *result,                \
               cm_deadline deadline),                                                                                  \
              {                                                                                                        \
                  cm_status status;                                                                                    \
                  name##_request_ *ask =                                                                               \
                      name##_batch_add_(batch, many->kind, &many->keys[i], result, &status, deadline);                 \
                  if (!ask)                                                                                            \
                      return status;                                                                                   \
                  ask->call.function = many->function;                                                                 \
                  ask->context = many->context;                                                                        \
                  if (many->given)                                                                                     \
                      memcpy((void *)&ask->value, &many->given[i], sizeof(Value));                                     \
                  if (many->taken)                                                                                     \
                      ask->out = &many->taken[i];                                                                      \
                  return status;                                                                                       \
              })                                                                                                       \
    CM_LOCAL_(how, size_t, name##_many_,                                                                               \
              (name * map, const struct name##_many_keys_ *many, size_t n, bool *found, cm_status *results,            \
               cm_deadline deadline),                                                                                  \
              {                                                                                                        \
                  cm_status statuses[CM_MANY_];                                                                        \
                  size_t done = 0;                                                                                     \
                  for (size_t from = 0; from < n; from += CM_MANY_) {                                                  \
                      name##_batch batch = name##_batch_begin(map);                                                    \
                      const size_t count = n - from < CM_MANY_ ? n - from : CM_MANY_;                                  \
                      for (size_t i = 0; i < count; i++) {                                                             \
                          cm_status added = name##_many_add_(&batch, many, from + i, &statuses[i], deadline);          \
                          if (added < 0)                                                                               \
                              statuses[i] = added;                                                                     \
                      }                                                                                                \
                      name##_batch_end_in_(&batch, true, deadline);                                                    \
                      for (size_t i = 0; i < count; i++) {                                                             \
                          if (found)                                                                                   \
                              found[from + i] = statuses[i] == CM_OK;                                                  \
                          if (results)                                                                                 \
                              results[from + i] = statuses[i];                                                         \
                          done += statuses[i] >= 0 && statuses[i] != CM_ABSENT;                                        \
                      }                                                                                                \
                  }                                                                                                    \
                  return done;                                                                                         \
              })                                                                                                       \
    CM_INNER_(how, size_t, name##_get_many_in_,                                                                        \
              (const name *map, const Key *keys, size_t n, bool *found, Value *values, cm_deadline deadline), {        \
                  struct name##_many_keys_ many = {keys, NULL, values, NULL, NULL, CM_OP_GET};                         \
                  return name##_many_((struct name *)(uintptr_t)map, &many, n, found, NULL, deadline);                 \
              })                                                                                                       \
    CM_INNER_(how, size_t, name##_put_many_in_,                                                                        \
              (name * map, const Key *keys, const Value *values, size_t n, cm_status *results, cm_deadline deadline),  \
              {                                                                                                        \
                  struct name##_many_keys_ many = {keys, values, NULL, NULL, NULL, CM_OP_PUT};                         \
                  return name##_many_(map, &many, n, NULL, results, deadline);                                         \
              })                                                                                                       \
    CM_INNER_(how, size_t, name##_update_many_in_,                                                                     \
              (name * map, const Key *keys, size_t n, cm_status (*function)(Value *, void *), void *context,           \
               cm_status *results, cm_deadline deadline),                                                              \
              {                                                                                                        \
                  struct name##_many_keys_ many = {keys, NULL, NULL, function, context, CM_OP_UPDATE};                 \
                  return name##_many_(map, &many, n, NULL, results, deadline);                                         \
              })                                                                                                       \
    CM_INNER_(how, size_t, name##_remove_many_in_,                                                                     \
              (name * map, const Key *keys, size_t n, Value *old, cm_status *results, cm_deadline deadline), {         \
                  struct name##_many_keys_ many = {keys, NULL, old, NULL, NULL, CM_OP_REMOVE};                         \
                  return name##_many_(map, &many, n, NULL, results, deadline);                                         \
              })                                                                                                       \
    /* As of the plain map. Where the wait is given up, those that no owner has begun were not done. */                \
    CM_TWINS_OF_(how, size_t, name, get_many,                                                                          \
                 (const name *map, const Key *keys, size_t n, bool *found, Value *values),                             \
                 (map, keys, n, found, values))                                                                        \
    CM_TWINS_OF_(how, size_t, name, put_many,                                                                          \
                 (name * map, const Key *keys, const Value *values, size_t n, cm_status *results),                     \
                 (map, keys, values, n, results))                                                                      \
    CM_TWINS_OF_(how, size_t, name, update_many,                                                                       \
                 (name * map, const Key *keys, size_t n, cm_status (*function)(Value *, void *), void *context,        \
                  cm_status *results),                                                                                 \
                 (map, keys, n, function, context, results))                                                           \
    CM_TWINS_OF_(how, size_t, name, remove_many,                                                                       \
                 (name * map, const Key *keys, size_t n, Value *old, cm_status *results),                              \
                 (map, keys, n, old, results))

#define CM_MANY_ 512

#endif
