/* The typed functions of the partitioned map that send one request and do not wait: futures and callbacks. */
#ifndef CONCMAP_DETAIL_PARTITIONED_FUTURES_H
#define CONCMAP_DETAIL_PARTITIONED_FUTURES_H

#include <concmap/detail/partitioned_verbs.h>

CM_BEGIN_DECLS

/* A copy of a key's text on its way, in memory of the map's allocator; false: none. */
CM_API bool cm_text_send_(struct cm_partitions_ *map, cm_str *text);
CM_API void cm_text_end_(struct cm_partitions_ *map, cm_str text);

CM_END_DECLS

#define CM_PARTITIONED_FUTURE_(how, name, Key, Value)                                                                  \
    /* A request under way, in memory of the caller, which stays where it is until the request is done. All zero is a  \
     * future that can be sent; `then` and `context` may be set before. */                                             \
    CM_SHOWN_(                                                                                                         \
        how, typedef struct name##_future {                                                                            \
            /* Where set, it is called in the owner when the request is done, or dropped; then the future is the       \
             * function's, and nobody may wait for it. */                                                              \
            void (*then)(struct name##_future *, void *context);                                                       \
            void *context;                                                                                             \
            cm_status status; /* once it is done: what the call of the same name would have returned */                \
            Value value;      /* and what that would have left in `value` or `old` */                                  \
            struct cm_message_ message;                                                                                \
            struct cm_latch_ latch;                                                                                    \
            name##_request_ request;                                                                                   \
        } name##_future;)                                                                                              \
    CM_HIDDEN_(how, enum {name##_message_offset_ = offsetof(name##_future, message)};)                                 \
    CM_LOCAL_(how, name##_future *, name##_future_of_, (struct cm_message_ * message),                                 \
              { return (name##_future *)(void *)((char *)message - name##_message_offset_); })                         \
    CM_LOCAL_(how, void, name##_future_text_end_, (struct cm_partition_ * partition, name##_future * future), {        \
        cm_str text;                                                                                                   \
        if (!name##_plain_type_.key_text)                                                                              \
            return;                                                                                                    \
        memcpy(&text, &future->request.key, sizeof text);                                                              \
        cm_text_end_(partition->all, text);                                                                            \
    })                                                                                                                 \
    CM_LOCAL_(how, void, name##_future_run_,                                                                           \
              (struct cm_message_ * message, struct cm_partition_ * partition, cm_status dropped), {                   \
                  name##_future *future = name##_future_of_(message);                                                  \
                  cm_status status = dropped;                                                                          \
                  if (CM_LIKELY(dropped == CM_OK))                                                                     \
                      status = name##_perform_(name##_plain_of_(partition), &future->request);                         \
                  name##_future_text_end_(partition, future);                                                          \
                  future->status = status;                                                                             \
                  if (partition->running == message)                                                                   \
                      partition->running = NULL; /* done, even if `then` ends the thread */                            \
                  if (future->then)                                                                                    \
                      future->then(future, future->context);                                                           \
              })                                                                                                       \
    CM_INNER_(how, cm_status, name##_future_send_,                                                                     \
              (name * map, name##_future * future, int kind, const Key *key, const Value *value,                       \
               cm_status (*function)(Value *, void *), void *context, cm_deadline deadline),                           \
              {                                                                                                        \
                  const uint64_t hash = name##_hash_of_(map, key);                                                     \
                  struct cm_partition_ *partition = cm_partition_of_(&map->core, key, hash);                           \
                  name##_request_set_(&future->request, kind, hash, key);                                              \
                  if (name##_plain_type_.key_text) {                                                                   \
                      cm_str text;                                                                                     \
                      memcpy(&text, key, sizeof text);                                                                 \
                      if (!cm_text_send_(&map->core, &text))                                                           \
                          return CM_NOMEM;                                                                             \
                      memcpy((void *)&future->request.key, &text, sizeof text);                                        \
                  }                                                                                                    \
                  if (value)                                                                                           \
                      memcpy((void *)&future->request.value, value, sizeof *value);                                    \
                  if (kind != CM_ASK_SHIP_)                                                                            \
                      future->request.call.function = function;                                                        \
                  future->request.context = context;                                                                   \
                  future->request.out = &future->value;                                                                \
                  future->message.run = name##_future_run_;                                                            \
                  future->message.requests = 1;                                                                        \
                  future->message.next = NULL;                                                                         \
                  future->latch.word = 0;                                                                              \
                  cm_status status =                                                                                   \
                      cm_partition_send_(partition, &future->message, future->then ? NULL : &future->latch, deadline); \
                  if (status < 0)                                                                                      \
                      name##_future_text_end_(partition, future);                                                      \
                  return status;                                                                                       \
              })

#define CM_PARTITIONED_FUTURE_VERBS_(how, name, Key, Value)                                                            \
    CM_INNER_(how, cm_status, name##_get_async_in_,                                                                    \
              (name * map, name##_future * future, Key key, cm_deadline deadline),                                     \
              { return name##_future_send_(map, future, CM_OP_GET, &key, NULL, NULL, NULL, deadline); })               \
    CM_INNER_(how, cm_status, name##_insert_async_in_,                                                                 \
              (name * map, name##_future * future, Key key, Value value, cm_deadline deadline),                        \
              { return name##_future_send_(map, future, CM_OP_INSERT, &key, &value, NULL, NULL, deadline); })          \
    CM_INNER_(how, cm_status, name##_put_async_in_,                                                                    \
              (name * map, name##_future * future, Key key, Value value, cm_deadline deadline),                        \
              { return name##_future_send_(map, future, CM_OP_PUT, &key, &value, NULL, NULL, deadline); })             \
    CM_INNER_(how, cm_status, name##_update_async_in_,                                                                 \
              (name * map, name##_future * future, Key key, cm_status(*function)(Value *, void *), void *context,      \
               cm_deadline deadline),                                                                                  \
              { return name##_future_send_(map, future, CM_OP_UPDATE, &key, NULL, function, context, deadline); })     \
    CM_INNER_(how, cm_status, name##_upsert_async_in_,                                                                 \
              (name * map, name##_future * future, Key key, Value initial, cm_status(*function)(Value *, void *),      \
               void *context, cm_deadline deadline),                                                                   \
              { return name##_future_send_(map, future, CM_OP_UPSERT, &key, &initial, function, context, deadline); }) \
    CM_INNER_(how, cm_status, name##_remove_async_in_,                                                                 \
              (name * map, name##_future * future, Key key, cm_deadline deadline),                                     \
              { return name##_future_send_(map, future, CM_OP_REMOVE, &key, NULL, NULL, NULL, deadline); })            \
    CM_INNER_(how, cm_status, name##_apply_async_in_,                                                                  \
              (name * map, name##_future * future, Key key, cm_status(*function)(name##_plain *, const Key *, void *), \
               void *context, cm_deadline deadline),                                                                   \
              {                                                                                                        \
                  future->request.call.ship = function;                                                                \
                  return name##_future_send_(map, future, CM_ASK_SHIP_, &key, NULL, NULL, context, deadline);          \
              })                                                                                                       \
    /* Each of these sends a request and returns: CM_OK, it is under way; CM_CLOSED, CM_NOMEM, CM_DEADLOCK: it is not. \
     * Waits for room in the owner's queue alone: then try_VERB is CM_BUSY, and VERB_until CM_TIMEOUT. A text key is   \
     * copied; what an owned key refers to must stay until the request is done. A value that a failed request was      \
     * given is the caller's, in future->request.value. */                                                             \
    CM_TWINS_(how, name, get_async, (name * map, name##_future * future, Key key), (map, future, key))                 \
    CM_TWINS_(how, name, insert_async, (name * map, name##_future * future, Key key, Value value),                     \
              (map, future, key, value))                                                                               \
    CM_TWINS_(how, name, put_async, (name * map, name##_future * future, Key key, Value value),                        \
              (map, future, key, value))                                                                               \
    CM_TWINS_(how, name, update_async,                                                                                 \
              (name * map, name##_future * future, Key key, cm_status(*function)(Value *, void *), void *context),     \
              (map, future, key, function, context))                                                                   \
    CM_TWINS_(how, name, upsert_async,                                                                                 \
              (name * map, name##_future * future, Key key, Value initial, cm_status(*function)(Value *, void *),      \
               void *context),                                                                                         \
              (map, future, key, initial, function, context))                                                          \
    CM_TWINS_(how, name, remove_async, (name * map, name##_future * future, Key key), (map, future, key))              \
    CM_TWINS_(how, name, apply_async,                                                                                  \
              (name * map, name##_future * future, Key key, cm_status(*function)(name##_plain *, const Key *, void *), \
               void *context),                                                                                         \
              (map, future, key, function, context))                                                                   \
    /* Whether it is done. Wait-free. */                                                                               \
    CM_FUNCTION_(how, bool, name##_future_is_done, (const name##_future *future),                                      \
                 { return cm_latch_is_done_(&future->latch); })                                                        \
    CM_INNER_(how, cm_status, name##_future_wait_in_, (name##_future * future, cm_deadline deadline), {                \
        cm_status status = cm_latch_wait_(&future->latch, &future->message, true, deadline);                           \
        return status < 0 ? status : future->status;                                                                   \
    })                                                                                                                 \
    /* Waits until it is done, and returns its status. CM_BUSY, CM_TIMEOUT, CM_DEADLOCK may also say that it is still  \
     * under way: future_is_done tells. One thread at a time. */                                                       \
    CM_TWINS_(how, name, future_wait, (name##_future * future), (future))                                              \
    /* Takes it back: CM_OK, and nothing of it is ever done; CM_BUSY: the owner has begun, or it is done. For who      \
     * knows that the future is still there. */                                                                        \
    CM_FUNCTION_(how, cm_status, name##_future_cancel, (name##_future * future), {                                     \
        if (!cm_message_take_back_(&future->message))                                                                  \
            return CM_BUSY;                                                                                            \
        name##_future_text_end_(future->message.partition, future);                                                    \
        future->status = CM_ABSENT;                                                                                    \
        return CM_OK;                                                                                                  \
    })

#endif
