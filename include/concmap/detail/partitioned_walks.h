/* The typed functions of the partitioned map that work on all entries: a message to each owner, one after the other. */
#ifndef CONCMAP_DETAIL_PARTITIONED_WALKS_H
#define CONCMAP_DETAIL_PARTITIONED_WALKS_H

#include <concmap/detail/partitioned_batches.h>
#include <concmap/detail/partitioned_verbs.h>

enum {
    CM_ALL_CLEAR_,
    CM_ALL_RESERVE_,
    CM_ALL_SHRINK_,
    CM_ALL_FOR_EACH_,
    CM_ALL_SCAN_,
    CM_ALL_ALTER_,
    CM_ALL_RETAIN_,
    CM_ALL_EXTRACT_,
    CM_ALL_DRAIN_,
    /* Those below only look: once the map is shut down they need no owner. */
    CM_ALL_LOOKS_,
    CM_ALL_CHECK_ = CM_ALL_LOOKS_,
    CM_ALL_STATS_,
    CM_ALL_CLONE_,
    CM_ALL_COPY_
};

/* The number that resumes a scan: the partition, and the point in it (flat_table.h), of which the upper bits are enough
 * for any table. */
#define CM_SCAN_POINT_BITS_ 52

CM_INLINE uint64_t cm_scan_cursor_(uint32_t partition, uint64_t point)
{
    return (uint64_t)partition << CM_SCAN_POINT_BITS_ | point >> (64 - CM_SCAN_POINT_BITS_);
}

CM_INLINE uint32_t cm_scan_partition_(uint64_t cursor)
{
    return (uint32_t)(cursor >> CM_SCAN_POINT_BITS_);
}

CM_INLINE uint64_t cm_scan_point_(uint64_t cursor)
{
    return cursor << (64 - CM_SCAN_POINT_BITS_);
}

#define CM_PARTITIONED_WHOLE_(how, name, Key, Value)                                                                   \
    CM_HIDDEN_(                                                                                                        \
        how, struct name##_call_all_ {                                                                                 \
            struct cm_message_ message;                                                                                \
            int kind;                                                                                                  \
            cm_status status;                                                                                          \
            cm_status (*look)(const Key *, const Value *, void *);                                                     \
            cm_status (*change)(const Key *, Value *, void *);                                                         \
            void *context;                                                                                             \
            Key *keys;                                                                                                 \
            Value *values;                                                                                             \
            size_t n; /* room, or entries */                                                                           \
            size_t count;                                                                                              \
            const char *reason;                                                                                        \
            cm_stats *stats;                                                                                           \
            name##_plain *clone;                                                                                       \
            uint64_t point; /* of a scan, in its partition */                                                          \
        };)                                                                                                            \
    /* (P3) of one partition. */                                                                                       \
    CM_LOCAL_(how, cm_status, name##_check_own_, (struct cm_partition_ * partition, const char **reason), {            \
        name##_plain *own = name##_plain_of_(partition);                                                               \
        cm_status status = name##_plain_check(own, reason);                                                            \
        CM_FOREACH (name##_plain_place, own, it) {                                                                     \
            const uint64_t hash = name##_plain_type_.hash(it.key, partition->all->seed);                               \
            if (status == CM_OK && cm_partition_of_(partition->all, it.key, hash) != partition) {                      \
                *reason = "a key lies in a partition that does not own it";                                            \
                status = CM_CORRUPT;                                                                                   \
            }                                                                                                          \
        }                                                                                                              \
        return status;                                                                                                 \
    })                                                                                                                 \
    /* From the point on, until there are enough of them. */                                                           \
    CM_LOCAL_(how, cm_status, name##_scan_own_, (name##_plain * own, struct name##_call_all_ * call), {                \
        const struct cm_flat_ *flat = &own->core.flat;                                                                 \
        cm_status status = CM_OK;                                                                                      \
        do {                                                                                                           \
            struct cm_flat_kin_ kin = cm_flat_kin_begin_(flat, call->point);                                           \
            struct cm_flat_place_ place;                                                                               \
            while (status >= 0 &&                                                                                      \
                   (place = cm_flat_kin_next_(&name##_plain_type_, flat, own->core.seed, &kin)).entry) {               \
                const void *value = cm_flat_value_(&name##_plain_type_, place);                                        \
                status = call->look((const Key *)(const void *)place.entry, (const Value *)value, call->context);      \
                call->count++;                                                                                         \
            }                                                                                                          \
            if (status >= 0)                                                                                           \
                call->point = cm_flat_point_after_(flat, call->point);                                                 \
        } while (status >= 0 && call->point && call->count < call->n);                                                 \
        return status;                                                                                                 \
    })                                                                                                                 \
    CM_LOCAL_(                                                                                                         \
        how, cm_status, name##_all_perform_, (struct cm_partition_ * partition, struct name##_call_all_ * call), {     \
            name##_plain *own = name##_plain_of_(partition);                                                           \
            switch (call->kind) {                                                                                      \
            case CM_ALL_CLEAR_:                                                                                        \
                return name##_plain_clear(own);                                                                        \
            case CM_ALL_RESERVE_:                                                                                      \
                return name##_plain_reserve(own, call->n);                                                             \
            case CM_ALL_SHRINK_:                                                                                       \
                return name##_plain_shrink_to_fit(own);                                                                \
            case CM_ALL_CHECK_:                                                                                        \
                return name##_check_own_(partition, &call->reason);                                                    \
            case CM_ALL_STATS_:                                                                                        \
                cm_plain_stats_(&own->core, &name##_plain_type_, call->stats);                                         \
                return CM_OK;                                                                                          \
            case CM_ALL_CLONE_:                                                                                        \
                return name##_plain_clone(call->clone, own);                                                           \
            case CM_ALL_FOR_EACH_:                                                                                     \
            case CM_ALL_SCAN_: { /* what it looks at must not move */                                                  \
                bool busy = partition->plain.busy;                                                                     \
                partition->plain.busy = true;                                                                          \
                cm_status status = call->kind == CM_ALL_SCAN_ ? name##_scan_own_(own, call)                            \
                                                              : name##_plain_for_each(own, call->look, call->context); \
                partition->plain.busy = busy;                                                                          \
                return status;                                                                                         \
            }                                                                                                          \
            case CM_ALL_ALTER_:                                                                                        \
                return name##_plain_alter_all(own, call->change, call->context);                                       \
            case CM_ALL_RETAIN_:                                                                                       \
                return name##_plain_retain(own, call->look, call->context);                                            \
            case CM_ALL_EXTRACT_:                                                                                      \
                return name##_plain_extract_if(own, call->look, call->change, call->context);                          \
            case CM_ALL_DRAIN_:                                                                                        \
                return name##_plain_drain(own, call->change, call->context);                                           \
            default:                                                                                                   \
                return name##_plain_to_arrays(own, call->keys, call->values, call->n, &call->count);                   \
            }                                                                                                          \
        })                                                                                                             \
    CM_LOCAL_(how, void, name##_all_run_,                                                                              \
              (struct cm_message_ * message, struct cm_partition_ * partition, cm_status dropped), {                   \
                  struct name##_call_all_ *call = (struct name##_call_all_ *)(void *)message;                          \
                  call->status = dropped < 0 ? dropped : name##_all_perform_(partition, call);                         \
              })                                                                                                       \
    CM_LOCAL_(how, cm_status, name##_all_ask_,                                                                         \
              (const name *map, uint32_t partition, struct name##_call_all_ *call, cm_deadline deadline), {            \
                  call->message.run = name##_all_run_;                                                                 \
                  call->message.requests = 1;                                                                          \
                  cm_status status = cm_partition_call_(&map->core.parts[partition], &call->message, deadline);        \
                  if (status == CM_CLOSED && call->kind >= CM_ALL_LOOKS_ && cm_partitions_are_shut_(&map->core))       \
                      return name##_all_perform_(&map->core.parts[partition], call);                                   \
                  return status < 0 ? status : call->status;                                                           \
              })                                                                                                       \
    CM_LOCAL_(how, cm_status, name##_all_,                                                                             \
              (const name *map, int kind, cm_status (*look)(const Key *, const Value *, void *),                       \
               cm_status (*change)(const Key *, Value *, void *), void *context, size_t n, cm_deadline deadline),      \
              {                                                                                                        \
                  struct name##_call_all_ call;                                                                        \
                  cm_status status = CM_OK;                                                                            \
                  memset((void *)&call, 0, sizeof call);                                                               \
                  call.kind = kind;                                                                                    \
                  call.look = look;                                                                                    \
                  call.change = change;                                                                                \
                  call.context = context;                                                                              \
                  call.n = n;                                                                                          \
                  for (uint32_t i = 0; i < map->core.count && status >= 0; i++)                                        \
                      status = name##_all_ask_(map, i, &call, deadline);                                               \
                  return status < 0 ? status : CM_OK;                                                                  \
              })

#define CM_PARTITIONED_BULK_(how, name, Key, Value)                                                                    \
    CM_INNER_(how, cm_status, name##_clear_in_, (name * map, cm_deadline deadline),                                    \
              { return name##_all_(map, CM_ALL_CLEAR_, NULL, NULL, NULL, 0, deadline); })                              \
    CM_INNER_(how, cm_status, name##_reserve_in_, (name * map, size_t entries, cm_deadline deadline), {                \
        size_t each = entries / map->core.count + (entries % map->core.count != 0);                                    \
        return name##_all_(map, CM_ALL_RESERVE_, NULL, NULL, NULL, each, deadline);                                    \
    })                                                                                                                 \
    CM_INNER_(how, cm_status, name##_shrink_to_fit_in_, (name * map, cm_deadline deadline),                            \
              { return name##_all_(map, CM_ALL_SHRINK_, NULL, NULL, NULL, 0, deadline); })                             \
    /* As of the plain map, one owner after the other: each is one step, the whole is not. Ends at the first failure;  \
     * what was done before stays. reserve: as if the keys were spread evenly. */                                      \
    CM_TWINS_(how, name, clear, (name * map), (map))                                                                   \
    CM_TWINS_(how, name, reserve, (name * map, size_t entries), (map, entries))                                        \
    CM_TWINS_(how, name, shrink_to_fit, (name * map), (map))                                                           \
    CM_INNER_(how, cm_status, name##_for_each_in_,                                                                     \
              (const name *map, cm_status (*function)(const Key *, const Value *, void *), void *context,              \
               cm_deadline deadline),                                                                                  \
              { return name##_all_(map, CM_ALL_FOR_EACH_, function, NULL, context, 0, deadline); })                    \
    CM_INNER_(how, cm_status, name##_alter_all_in_,                                                                    \
              (name * map, cm_status(*function)(const Key *, Value *, void *), void *context, cm_deadline deadline),   \
              { return name##_all_(map, CM_ALL_ALTER_, NULL, function, context, 0, deadline); })                       \
    CM_INNER_(how, cm_status, name##_retain_in_,                                                                       \
              (name * map, cm_status(*keep)(const Key *, const Value *, void *), void *context, cm_deadline deadline), \
              { return name##_all_(map, CM_ALL_RETAIN_, keep, NULL, context, 0, deadline); })                          \
    CM_INNER_(how, cm_status, name##_extract_if_in_,                                                                   \
              (name * map, cm_status(*wanted)(const Key *, const Value *, void *),                                     \
               cm_status(*take)(const Key *, Value *, void *), void *context, cm_deadline deadline),                   \
              { return name##_all_(map, CM_ALL_EXTRACT_, wanted, take, context, 0, deadline); })                       \
    CM_INNER_(how, cm_status, name##_drain_in_,                                                                        \
              (name * map, cm_status(*take)(const Key *, Value *, void *), void *context, cm_deadline deadline),       \
              { return name##_all_(map, CM_ALL_DRAIN_, NULL, take, context, 0, deadline); })                           \
    /* As of the plain map, as clear. The functions run in the owners, never two at a time. */                         \
    CM_TWINS_(how, name, for_each,                                                                                     \
              (const name *map, cm_status (*function)(const Key *, const Value *, void *), void *context),             \
              (map, function, context))                                                                                \
    CM_INNER_(how, cm_status, name##_scan_in_,                                                                         \
              (const name *map, uint64_t *cursor, size_t count,                                                        \
               cm_status (*function)(const Key *, const Value *, void *), void *context, cm_deadline deadline),        \
              {                                                                                                        \
                  struct name##_call_all_ call;                                                                        \
                  cm_status status = CM_OK;                                                                            \
                  memset((void *)&call, 0, sizeof call);                                                               \
                  call.kind = CM_ALL_SCAN_;                                                                            \
                  call.look = function;                                                                                \
                  call.context = context;                                                                              \
                  call.n = count;                                                                                      \
                  call.point = cm_scan_point_(*cursor);                                                                \
                  uint32_t i = cm_scan_partition_(*cursor);                                                            \
                  while (i < map->core.count && call.count < count && status >= 0) {                                   \
                      status = name##_all_ask_(map, i, &call, deadline);                                               \
                      i += status >= 0 && call.point == 0;                                                             \
                  }                                                                                                    \
                  *cursor = i < map->core.count ? cm_scan_cursor_(i, call.point) : 0;                                  \
                  return status < 0 ? status : CM_OK;                                                                  \
              })                                                                                                       \
    /* Calls the function for some `count` entries from *cursor on, those of a last group of a table more, and moves   \
     * it behind them; 0 is the beginning, and the end. The cursor is only a number: it may be kept as long as the map \
     * lives, however its tables change. Each key present from a walk's beginning to its end is visited once; those of \
     * one group again, where the function returned less than 0, which ends the call. As for_each: but an owner is     \
     * held up for these alone. */                                                                                     \
    CM_TWINS_(how, name, scan,                                                                                         \
              (const name *map, uint64_t *cursor, size_t count,                                                        \
               cm_status (*function)(const Key *, const Value *, void *), void *context),                              \
              (map, cursor, count, function, context))                                                                 \
    CM_TWINS_(how, name, alter_all, (name * map, cm_status(*function)(const Key *, Value *, void *), void *context),   \
              (map, function, context))                                                                                \
    CM_TWINS_(how, name, retain, (name * map, cm_status(*keep)(const Key *, const Value *, void *), void *context),    \
              (map, keep, context))                                                                                    \
    CM_TWINS_(how, name, extract_if,                                                                                   \
              (name * map, cm_status(*wanted)(const Key *, const Value *, void *),                                     \
               cm_status(*take)(const Key *, Value *, void *), void *context),                                         \
              (map, wanted, take, context))                                                                            \
    CM_TWINS_(how, name, drain, (name * map, cm_status(*take)(const Key *, Value *, void *), void *context),           \
              (map, take, context))                                                                                    \
    CM_INNER_(how, cm_status, name##_to_arrays_in_,                                                                    \
              (const name *map, Key *keys, Value *values, size_t n, size_t *count, cm_deadline deadline), {            \
                  struct name##_call_all_ call;                                                                        \
                  cm_status status = CM_OK;                                                                            \
                  memset((void *)&call, 0, sizeof call);                                                               \
                  call.kind = CM_ALL_COPY_;                                                                            \
                  *count = 0;                                                                                          \
                  for (uint32_t i = 0; i < map->core.count && (status >= 0 || status == CM_FULL); i++) {               \
                      call.n = *count < n ? n - *count : 0;                                                            \
                      call.keys = keys && call.n ? keys + *count : NULL;                                               \
                      call.values = values && call.n ? values + *count : NULL;                                         \
                      status = name##_all_ask_(map, i, &call, deadline);                                               \
                      *count += status >= 0 || status == CM_FULL ? call.count : 0;                                     \
                  }                                                                                                    \
                  if (status < 0 && status != CM_FULL)                                                                 \
                      return status;                                                                                   \
                  return *count > n ? CM_FULL : CM_OK;                                                                 \
              })                                                                                                       \
    /* As of the plain map, as clear. */                                                                               \
    CM_TWINS_(how, name, to_arrays, (const name *map, Key *keys, Value *values, size_t n, size_t *count),              \
              (map, keys, values, n, count))                                                                           \
    CM_INNER_(how, cm_status, name##_stats_in_, (const name *map, cm_stats *stats, cm_deadline deadline), {            \
        struct name##_call_all_ call;                                                                                  \
        cm_status status = CM_OK;                                                                                      \
        memset((void *)&call, 0, sizeof call);                                                                         \
        memset((void *)stats, 0, sizeof *stats);                                                                       \
        call.kind = CM_ALL_STATS_;                                                                                     \
        call.stats = stats;                                                                                            \
        for (uint32_t i = 0; i < map->core.count && status >= 0; i++)                                                  \
            status = name##_all_ask_(map, i, &call, deadline);                                                         \
        stats->memory = cm_partitions_memory_(&map->core);                                                             \
        return status < 0 ? status : CM_OK;                                                                            \
    })                                                                                                                 \
    /* What all partitions look like inside, added up: see figures.h, and of a plain map. Of queues partition_stats    \
     * tells. As clear; also once the map is shut down. */                                                             \
    CM_TWINS_(how, name, stats, (const name *map, cm_stats *stats), (map, stats))                                      \
    /* Validates each owner's map, and that each key is with its owner; `reason` (may be NULL) takes what is wrong.    \
     * CM_OK or CM_CORRUPT, or why an owner did not answer. */                                                         \
    CM_FUNCTION_(how, cm_status, name##_check, (const name *map, const char **reason), {                               \
        struct name##_call_all_ call;                                                                                  \
        cm_status status = CM_OK;                                                                                      \
        CM_CALLED_();                                                                                                  \
        memset((void *)&call, 0, sizeof call);                                                                         \
        call.kind = CM_ALL_CHECK_;                                                                                     \
        for (uint32_t i = 0; i < map->core.count && status == CM_OK; i++)                                              \
            status = name##_all_ask_(map, i, &call, CM_FOREVER);                                                       \
        if (reason)                                                                                                    \
            *reason = call.reason;                                                                                     \
        return status;                                                                                                 \
    })

/* A walk has a copy of one partition at a time. */
#define CM_PARTITIONED_ITER_(how, name, Key, Value)                                                                    \
    CM_SHOWN_(                                                                                                         \
        how, typedef struct name##_iter {                                                                              \
            const name *map;                                                                                           \
            name##_plain copy;                                                                                         \
            struct cm_flat_walk_ walk; /* over it */                                                                   \
            uint32_t next;             /* the partition after it */                                                    \
            bool copied;               /* there is one */                                                              \
            Key key;                                                                                                   \
            Value value;                                                                                               \
            cm_status status; /* why it ended early */                                                                 \
        } name##_iter;)                                                                                                \
    /* Begins a walk; see CM_FOREACH (typed.h). Each owner in turn makes a copy of all its entries, which the walk     \
     * then visits: those of one partition are of one instant, those of two are not (unless nobody sends anything      \
     * meanwhile, or the map is shut down). Owners are held up for as long as that takes, not by what is done          \
     * with the entries, and any call is allowed meanwhile. Takes the memory of the largest partition once more. */    \
    CM_FUNCTION_(how, name##_iter, name##_iter_begin, (const name *map), {                                             \
        name##_iter iter;                                                                                              \
        memset((void *)&iter, 0, sizeof iter);                                                                         \
        iter.map = map;                                                                                                \
        return iter;                                                                                                   \
    })                                                                                                                 \
    CM_LOCAL_(how, bool, name##_iter_fetch_, (name##_iter * iter, cm_deadline deadline), {                             \
        struct name##_call_all_ call;                                                                                  \
        if (iter->copied)                                                                                              \
            name##_plain_destroy(&iter->copy);                                                                         \
        iter->copied = false;                                                                                          \
        if (iter->next == iter->map->core.count)                                                                       \
            return false;                                                                                              \
        memset((void *)&call, 0, sizeof call);                                                                         \
        call.kind = CM_ALL_CLONE_;                                                                                     \
        call.clone = &iter->copy;                                                                                      \
        memset((void *)&iter->copy, 0, sizeof iter->copy);                                                             \
        iter->status = name##_all_ask_(iter->map, iter->next, &call, deadline);                                        \
        iter->copied = iter->status >= 0;                                                                              \
        if (iter->status == CM_OWNER_DIED && iter->copy.core.seed) /* amid the copy: what there is of it is whole */   \
            name##_plain_destroy(&iter->copy);                                                                         \
        iter->next += iter->copied;                                                                                    \
        iter->walk = cm_flat_walk_begin_();                                                                            \
        return iter->copied;                                                                                           \
    })                                                                                                                 \
    CM_INNER_(how, bool, name##_iter_next_in_, (name##_iter * iter, cm_deadline deadline), {                           \
        struct cm_flat_place_ place = {NULL, NULL};                                                                    \
        do                                                                                                             \
            if (iter->copied)                                                                                          \
                place = cm_flat_walk_next_(&name##_plain_type_, &iter->copy.core.flat, &iter->walk);                   \
        while (!place.entry && name##_iter_fetch_(iter, deadline));                                                    \
        if (!place.entry)                                                                                              \
            return false;                                                                                              \
        memcpy((void *)&iter->key, place.entry, sizeof(Key));                                                          \
        memcpy((void *)&iter->value, cm_flat_value_(&name##_plain_type_, place), name##_plain_type_.value_size);       \
        return true;                                                                                                   \
    })                                                                                                                 \
    /* Goes to the next entry; false at the end, or where `status` is a failure: CM_NOMEM, what a clone returned, or   \
     * why an owner was not waited for; after CM_BUSY and CM_TIMEOUT it can go on. What key and value own is the       \
     * walk's, until the next step. */                                                                                 \
    CM_TWINS_OF_(how, bool, name, iter_next, (name##_iter * iter), (iter))                                             \
    /* Gives the copy back. */                                                                                         \
    CM_FUNCTION_(how, void, name##_iter_end, (name##_iter * iter), {                                                   \
        if (iter->copied)                                                                                              \
            name##_plain_destroy(&iter->copy);                                                                         \
        iter->copied = false;                                                                                          \
    })                                                                                                                 \
    CM_SHOWN_(                                                                                                         \
        how, CM_TYPED const Value *name##_iter_value_(const name##_iter *iter) { return &iter->value; })               \
    CM_LOCAL_(how, Value *, name##_iter_copy_, (name##_iter * iter, Value * room), {                                   \
        (void)room;                                                                                                    \
        return &iter->value;                                                                                           \
    })

/* Copies of a partition of another map, sent to their owners some at a time. */
#define CM_PARTITIONED_MERGE_(how, name, Key, Value)                                                                   \
    CM_HIDDEN_(                                                                                                        \
        how, enum {name##_merged_ = sizeof(Value) <= 256 ? 64 : 8}; struct name##_merge_ {                             \
            cm_status (*resolve)(Value *, const Value *, void *);                                                      \
            const Value *theirs;                                                                                       \
            void *context;                                                                                             \
        };                                                                                                             \
        struct name##_merging_ {                                                                                       \
            size_t n;                                                                                                  \
            name##_op ops[name##_merged_];                                                                             \
            struct name##_merge_ each[name##_merged_];                                                                 \
        };)                                                                                                            \
    CM_LOCAL_(how, cm_status, name##_resolve_, (Value * mine, void *context), {                                        \
        struct name##_merge_ *merge = (struct name##_merge_ *)context;                                                 \
        return merge->resolve(mine, merge->theirs, merge->context);                                                    \
    })                                                                                                                 \
    /* Adds what lies there to those that are sent together. */                                                        \
    CM_LOCAL_(                                                                                                         \
        how, cm_status, name##_merge_add_,                                                                             \
        (name * into, struct name##_merging_ * some, struct cm_flat_place_ place, const struct name##_merge_ *merge),  \
        {                                                                                                              \
            name##_op *op = &some->ops[some->n];                                                                       \
            struct name##_merge_ *each = &some->each[some->n];                                                         \
            *each = *merge;                                                                                            \
            each->theirs = (const Value *)(const void *)cm_flat_value_(&name##_plain_type_, place);                    \
            op->kind = merge->resolve ? CM_OP_UPSERT : CM_OP_PUT;                                                      \
            op->function = name##_resolve_;                                                                            \
            op->context = each;                                                                                        \
            memcpy((void *)&op->key, place.entry, sizeof(Key));                                                        \
            cm_status status =                                                                                         \
                cm_plain_copy_out_(&name##_plain_type_, &into->core.parts->plain, &op->value, each->theirs);           \
            if (name##_plain_type_.value_clone && status < 0)                                                          \
                return status;                                                                                         \
            some->n++;                                                                                                 \
            return CM_OK;                                                                                              \
        })                                                                                                             \
    /* Sends them. What was not taken, and what was replaced, ends here. */                                            \
    CM_LOCAL_(how, cm_status, name##_merge_some_, (name * into, struct name##_merging_ * some, cm_deadline deadline),  \
              {                                                                                                        \
                  cm_status status = CM_OK;                                                                            \
                  name##_apply_many_in_(into, some->ops, some->n, deadline);                                           \
                  for (; some->n; some->n--) {                                                                         \
                      name##_op *op = &some->ops[some->n - 1];                                                         \
                      if (op->status < 0 || (op->kind == CM_OP_PUT && op->status == CM_REPLACED))                      \
                          cm_plain_value_end_(&name##_plain_type_, &into->core.parts->plain, &op->value);              \
                      status = cm_status_worse_(op->status, status);                                                   \
                  }                                                                                                    \
                  return status;                                                                                       \
              })                                                                                                       \
    /* The whole of the copy that the walk has. */                                                                     \
    CM_LOCAL_(how, cm_status, name##_merge_copy_,                                                                      \
              (name * into, name##_iter * iter, const struct name##_merge_ *merge, cm_deadline deadline), {            \
                  struct name##_merging_ some;                                                                         \
                  struct cm_flat_place_ place;                                                                         \
                  cm_status status = CM_OK;                                                                            \
                  some.n = 0;                                                                                          \
                  do {                                                                                                 \
                      place = cm_flat_walk_next_(&name##_plain_type_, &iter->copy.core.flat, &iter->walk);             \
                      if (place.entry)                                                                                 \
                          status = name##_merge_add_(into, &some, place, merge);                                       \
                      if (!place.entry || status < 0 || some.n == name##_merged_)                                      \
                          status = cm_status_worse_(status, name##_merge_some_(into, &some, deadline));                \
                  } while (place.entry && status >= 0);                                                                \
                  return status;                                                                                       \
              })                                                                                                       \
    CM_INNER_(how, cm_status, name##_merge_in_,                                                                        \
              (name * into, const struct name *from, cm_status (*resolve)(Value *, const Value *, void *),             \
               void *context, cm_deadline deadline),                                                                   \
              {                                                                                                        \
                  struct name##_merge_ merge = {resolve, NULL, context};                                               \
                  cm_status status = CM_OK;                                                                            \
                  if (into == from)                                                                                    \
                      return CM_INVALID;                                                                               \
                  name##_iter iter = name##_iter_begin(from);                                                          \
                  while (status >= 0 && name##_iter_fetch_(&iter, deadline))                                           \
                      status = name##_merge_copy_(into, &iter, &merge, deadline);                                      \
                  status = status < 0 ? status : iter.status;                                                          \
                  name##_iter_end(&iter);                                                                              \
                  return status < 0 ? status : CM_OK;                                                                  \
              })                                                                                                       \
    /* Adds copies of the entries of `from`, of which each owner in turn makes one of all it has, as for a walk. Where \
     * both have a key, resolve(&mine, &theirs, context) changes the value of `into`, in its owner; NULL: theirs is    \
     * taken. Ends at the first failure, with what was added until then. CM_INVALID: a map into itself. The maps may   \
     * be divided otherwise. */                                                                                        \
    CM_TWINS_(                                                                                                         \
        how, name, merge,                                                                                              \
        (name * into, const struct name *from, cm_status (*resolve)(Value *, const Value *, void *), void *context),   \
        (into, from, resolve, context))

#endif
