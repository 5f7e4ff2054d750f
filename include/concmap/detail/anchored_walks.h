/* The typed functions of the anchored map that work on many entries. */
#ifndef CONCMAP_DETAIL_ANCHORED_WALKS_H
#define CONCMAP_DETAIL_ANCHORED_WALKS_H

#include <concmap/detail/anchored_verbs.h>
#include <concmap/detail/bulk.h>

#define CM_ANCHORED_WALKS_(how, name, Key, Value)                                                                      \
    CM_SHOWN_(                                                                                                         \
        how, typedef struct name##_iter {                                                                              \
            struct cm_nodes_iter_ core;                                                                                \
            Key key;                                                                                                   \
            name##_out_ value; /* where the map has it */                                                              \
            cm_status status;  /* CM_NOMEM after an iteration that ended early */                                      \
        } name##_iter;)                                                                                                \
    /* Begins an iteration over one of `parts` disjoint parts of about the same size, for as many threads: 0 to parts  \
     * - 1. Together they visit what one iteration would. iter_next says CM_INVALID of a part that there is not. */    \
    CM_FUNCTION_(how, name##_iter, name##_part_begin, (const name *map, unsigned part, unsigned parts), {              \
        name##_iter iter;                                                                                              \
        memset((void *)&iter.key, 0, sizeof iter.key);                                                                 \
        iter.value = NULL;                                                                                             \
        cm_nodes_begin_(&iter.core, &map->core, part, parts);                                                          \
        iter.status = iter.core.status;                                                                                \
        return iter;                                                                                                   \
    })                                                                                                                 \
    /* Begins an iteration; see CM_FOREACH (typed.h): no lock is held, nor waited for, and any call is allowed. Each   \
     * key that is in the map throughout is visited once; keys that come or go meanwhile may be visited. `value` stays \
     * as what get gives does, and what text keys point to. With CM_DOMAIN the iteration is a pin in the map's domain, \
     * to be ended by the thread that began it. */                                                                     \
    CM_FUNCTION_(how, name##_iter, name##_iter_begin, (const name *map), { return name##_part_begin(map, 0, 1); })     \
    /* Goes to the next entry; false at the end, or where `status` is CM_NOMEM. Lock-free. */                          \
    CM_FUNCTION_(how, bool, name##_iter_next, (name##_iter * iter), {                                                  \
        char *node = cm_nodes_next_(&iter->core, &name##_type_);                                                       \
        iter->status = iter->core.status;                                                                              \
        if (!node)                                                                                                     \
            return false;                                                                                              \
        memcpy((void *)&iter->key, node + cm_layout_of_(&name##_type_).node_key, sizeof(Key));                         \
        iter->value = (name##_out_)cm_node_value_(&name##_type_, node);                                                \
        return true;                                                                                                   \
    })                                                                                                                 \
    /* The same: there is nothing to wait for. For what is made for maps of any sort, as CM_PRINTED is. */             \
    CM_FUNCTION_(how, bool, name##_iter_next_until, (name##_iter * iter, cm_deadline deadline), {                      \
        (void)deadline;                                                                                                \
        return name##_iter_next(iter);                                                                                 \
    })                                                                                                                 \
    /* Gives back what the iteration holds. */                                                                         \
    CM_FUNCTION_(how, void, name##_iter_end, (name##_iter * iter), { cm_nodes_end_(&iter->core); })                    \
    CM_INNER_(how, bool, name##_iter_next_in_, (name##_iter * iter, cm_deadline deadline), {                           \
        (void)deadline;                                                                                                \
        return name##_iter_next(iter);                                                                                 \
    })                                                                                                                 \
    CM_INNER_(how, struct cm_course_ *, name##_iter_course_, (name##_iter * iter), { return &iter->core.course; })     \
    CM_INNER_(how, bool, name##_iter_is_amid_, (const name##_iter *iter),                                              \
              { return iter->core.index < iter->core.count; })                                                         \
    CM_SHOWN_(                                                                                                         \
        how, CM_TYPED const Value *name##_iter_value_(const name##_iter *iter) { return iter->value; })                \
    /* A copy of the value, which may be written to. */                                                                \
    CM_LOCAL_(how, Value *, name##_iter_copy_, (name##_iter * iter, Value * room), {                                   \
        cm_copy_racing_(room, iter->value, name##_type_.value_size);                                                   \
        return room;                                                                                                   \
    })                                                                                                                 \
    CM_INNER_(how, Value *, name##_taken_, (name##_out_ * out), { return (Value *)(uintptr_t)*out; })                  \
    CM_LOCAL_(how, cm_status, name##_has_like_,                                                                        \
              (const name *map, const Key *key, const Value *value, bool (*equal)(const Value *, const Value *)), {    \
                  const Value *other = name##_get(map, *key);                                                          \
                  return other && equal(value, other) ? CM_OK : CM_ABSENT;                                             \
              })                                                                                                       \
    CM_WALKED_(how, name, Key, Value)                                                                                  \
    /* CM_FOREACH(NAME_mut, map, it): the same with values that may be changed, for when nobody else is in the map. */ \
    CM_SHOWN_(                                                                                                         \
        how, typedef struct name##_mut_iter {                                                                          \
            name##_iter core;                                                                                          \
            Key key;                                                                                                   \
            Value *value;                                                                                              \
        } name##_mut_iter;)                                                                                            \
    CM_FUNCTION_(how, name##_mut_iter, name##_mut_iter_begin, (name * map), {                                          \
        name##_mut_iter iter;                                                                                          \
        iter.core = name##_iter_begin(map);                                                                            \
        iter.key = iter.core.key;                                                                                      \
        iter.value = NULL;                                                                                             \
        return iter;                                                                                                   \
    })                                                                                                                 \
    CM_FUNCTION_(how, bool, name##_mut_iter_next, (name##_mut_iter * iter), {                                          \
        bool more = name##_iter_next(&iter->core);                                                                     \
        iter->key = iter->core.key;                                                                                    \
        iter->value = (Value *)(uintptr_t)iter->core.value;                                                            \
        return more;                                                                                                   \
    })                                                                                                                 \
    CM_FUNCTION_(how, void, name##_mut_iter_end, (name##_mut_iter * iter), { name##_iter_end(&iter->core); })          \
    /* Calls the function for each value, which it may change, for when nobody else is in the map; ends where that     \
     * returns less than 0. */                                                                                         \
    CM_FUNCTION_(how, cm_status, name##_values_mut,                                                                    \
                 (name * map, cm_status(*function)(Value *, void *), void *context), {                                 \
                     name##_mut_iter iter = name##_mut_iter_begin(map);                                                \
                     cm_status status = CM_OK;                                                                         \
                     while (status >= 0 && name##_mut_iter_next(&iter))                                                \
                         status = function(iter.value, context);                                                       \
                     cm_status ended = iter.core.status;                                                               \
                     name##_mut_iter_end(&iter);                                                                       \
                     return status < 0 ? status : ended < 0 ? ended : CM_OK;                                           \
                 })

#define CM_ANCHORED_BATCHES_(how, name, Key, Value)                                                                    \
    CM_BATCHED_CHANGES_(how, name, Key, Value)                                                                         \
    /* One operation of a mixed batch. INSERT, PUT and UPSERT take `value`, UPDATE and UPSERT run the function; `seen` \
     * takes where the value is that GET has found, that INSERT has found or added, or that the others have taken out  \
     * of use; NULL: none. */                                                                                          \
    CM_SHOWN_(                                                                                                         \
        how, typedef struct name##_op {                                                                                \
            cm_op_kind kind;                                                                                           \
            cm_status status;                                                                                          \
            Key key;                                                                                                   \
            Value value;                                                                                               \
            name##_out_ seen;                                                                                          \
            cm_status (*function)(Value *, void *);                                                                    \
            void *context;                                                                                             \
        } name##_op;)                                                                                                  \
    CM_LOCAL_(how, void, name##_apply_, (name * map, name##_op * op, uint64_t hash, cm_deadline deadline), {           \
        op->seen = NULL;                                                                                               \
        switch (op->kind) {                                                                                            \
        case CM_OP_GET:                                                                                                \
            op->status = name##_find_(map, &op->key, hash, &op->seen, deadline);                                       \
            break;                                                                                                     \
        case CM_OP_INSERT: /* looks first: no lock where the key is present */                                         \
            op->status = name##_get_or_insert_in_(map, hash, op->key, op->value, &op->seen, deadline);                 \
            break;                                                                                                     \
        case CM_OP_REMOVE:                                                                                             \
            op->status = name##_remove_in_(map, hash, op->key, &op->seen, deadline);                                   \
            break;                                                                                                     \
        case CM_OP_UPDATE:                                                                                             \
            op->status = name##_write_(map, &op->key, hash, CM_ABSENT_FAIL_, CM_PRESENT_APPLY_, NULL, op->function,    \
                                       op->context, &op->seen, NULL, deadline);                                        \
            break;                                                                                                     \
        case CM_OP_UPSERT:                                                                                             \
            op->status =                                                                                               \
                name##_upsert_telling_(map, hash, op->key, op->value, op->function, op->context, &op->seen, deadline); \
            break;                                                                                                     \
        default:                                                                                                       \
            op->status = name##_put_in_(map, hash, op->key, op->value, &op->seen, deadline);                           \
        }                                                                                                              \
    })                                                                                                                 \
    CM_APPLIED_MANY_(how, name)

#endif
