/* The typed functions of the plain map that work on all entries. */
#ifndef CONCMAP_DETAIL_PLAIN_WALKS_H
#define CONCMAP_DETAIL_PLAIN_WALKS_H

#include <concmap/detail/plain_verbs.h>

#define CM_PLAIN_WALKS_(how, name, Key, Value)                                                                         \
    CM_SHOWN_(                                                                                                         \
        how,                                                                                                           \
        typedef struct name##_iter {                                                                                   \
            struct cm_plain_walk_ core;                                                                                \
            Key key;                                                                                                   \
            Value value;                                                                                               \
            cm_status status; /* CM_INVALID after an iteration that ended early, because the table has grown */        \
        } name##_iter;                                                                                                 \
        typedef struct name##_place_iter {                                                                             \
            struct cm_plain_walk_ core;                                                                                \
            const Key *key;                                                                                            \
            Value *value;                                                                                              \
            cm_status status;                                                                                          \
        } name##_place_iter;)                                                                                          \
    /* Begins an iteration in place: CM_FOREACH(name_place, &map, it) gives pointers it.key and it.value, which are    \
     * valid as those of find are. For the rest as iter_begin. */                                                      \
    CM_FUNCTION_(how, name##_place_iter, name##_place_iter_begin, (name * map), {                                      \
        name##_place_iter iter = {cm_plain_walk_begin_(&map->core), NULL, NULL, CM_OK};                                \
        return iter;                                                                                                   \
    })                                                                                                                 \
    CM_FUNCTION_(how, bool, name##_place_iter_next, (name##_place_iter * iter), {                                      \
        struct cm_flat_place_ place = cm_plain_walk_next_(&name##_type_, &iter->core, &iter->status);                  \
        if (!place.entry)                                                                                              \
            return false;                                                                                              \
        iter->key = (const Key *)(const void *)place.entry;                                                            \
        iter->value = (Value *)(void *)cm_flat_value_(&name##_type_, place);                                           \
        return true;                                                                                                   \
    })                                                                                                                 \
    CM_FUNCTION_(how, void, name##_place_iter_end, (name##_place_iter * iter), { (void)iter; })                        \
    /* Begins an iteration; see CM_FOREACH (typed.h). it.key and it.value are copies; what they own is the map's.      \
     * Meanwhile any entry may be removed, the present one, too: those that were removed are not visited any more,     \
     * and all others once. Entries that are added may be visited or not; if that makes the table grow (or it is       \
     * changed as a whole) the iteration ends there, and `status` is CM_INVALID: reserve first. */                     \
    CM_FUNCTION_(how, name##_iter, name##_iter_begin, (const name *map), {                                             \
        name##_iter iter;                                                                                              \
        memset((void *)&iter.key, 0, sizeof iter.key);                                                                 \
        memset((void *)&iter.value, 0, sizeof iter.value);                                                             \
        iter.core = cm_plain_walk_begin_(&map->core);                                                                  \
        iter.status = CM_OK;                                                                                           \
        return iter;                                                                                                   \
    })                                                                                                                 \
    /* Goes to the next entry; false: there is none, or `status` is a failure. Text keys are the map's. */             \
    CM_FUNCTION_(how, bool, name##_iter_next, (name##_iter * iter), {                                                  \
        struct cm_flat_place_ place = cm_plain_walk_next_(&name##_type_, &iter->core, &iter->status);                  \
        if (!place.entry)                                                                                              \
            return false;                                                                                              \
        memcpy((void *)&iter->key, place.entry, sizeof(Key));                                                          \
        memcpy((void *)&iter->value, cm_flat_value_(&name##_type_, place), name##_type_.value_size);                   \
        return true;                                                                                                   \
    })                                                                                                                 \
    /* The same: there is nothing to wait for. For what is made for maps of any sort, as CM_PRINTED is. */             \
    CM_FUNCTION_(how, bool, name##_iter_next_until, (name##_iter * iter, cm_deadline deadline), {                      \
        (void)deadline;                                                                                                \
        return name##_iter_next(iter);                                                                                 \
    })                                                                                                                 \
    CM_SHOWN_(                                                                                                         \
        how, CM_TYPED const Value *name##_iter_value_(const name##_iter *iter) { return &iter->value; })               \
    /* Nothing: an iteration holds nothing. */                                                                         \
    CM_FUNCTION_(how, void, name##_iter_end, (name##_iter * iter), { (void)iter; })                                    \
    /* Calls the function for each entry until it returns less than 0; returns that, CM_OK, or CM_INVALID as           \
     * iter_begin has it. */                                                                                           \
    CM_FUNCTION_(how, cm_status, name##_for_each,                                                                      \
                 (const name *map, cm_status (*function)(const Key *, const Value *, void *), void *context), {        \
                     struct cm_plain_walk_ walk = cm_plain_walk_begin_(&map->core);                                    \
                     cm_status status = CM_OK;                                                                         \
                     for (struct cm_flat_place_ at;                                                                    \
                          status >= 0 && (at = cm_plain_walk_next_(&name##_type_, &walk, &status)).entry;)             \
                         status = function((const Key *)(const void *)at.entry,                                        \
                                           (const Value *)(const void *)cm_flat_value_(&name##_type_, at), context);   \
                     return status < 0 ? status : CM_OK;                                                               \
                 })

/* Those that change or remove many. */
#define CM_PLAIN_SIFTS_(how, name, Key, Value)                                                                         \
    CM_HIDDEN_(                                                                                                        \
        how, struct name##_sift_ {                                                                                     \
            cm_status (*judge)(const Key *, const Value *, void *); /* NULL: all are removed */                        \
            cm_status verdict;                                      /* of those that are removed */                    \
            cm_status (*take)(const Key *, Value *, void *);        /* whom they are given to; NULL: nobody */         \
            void *context;                                                                                             \
        };)                                                                                                            \
    CM_LOCAL_(how, cm_status, name##_judge_,                                                                           \
              (name * map, const struct name##_sift_ *sift, struct cm_flat_place_ place), {                            \
                  if (!sift->judge)                                                                                    \
                      return sift->verdict;                                                                            \
                  map->core.busy = true;                                                                               \
                  cm_status status =                                                                                   \
                      sift->judge((const Key *)(const void *)place.entry,                                              \
                                  (const Value *)(const void *)cm_flat_value_(&name##_type_, place), sift->context);   \
                  map->core.busy = false;                                                                              \
                  return status;                                                                                       \
              })                                                                                                       \
    CM_LOCAL_(how, cm_status, name##_sift_out_,                                                                        \
              (name * map, const struct name##_sift_ *sift, struct cm_flat_place_ place), {                            \
                  Key key;                                                                                             \
                  Value value;                                                                                         \
                  cm_plain_blank_(&name##_type_, NULL, &value);                                                        \
                  uint64_t hash = name##_type_.hash(place.entry, map->core.seed);                                      \
                  if (!sift->take) {                                                                                   \
                      cm_plain_drop_(&name##_type_, &map->core, place, hash, NULL, &value);                            \
                      return CM_OK;                                                                                    \
                  }                                                                                                    \
                  memcpy((void *)&key, place.entry, sizeof key);                                                       \
                  memcpy((void *)&value, cm_flat_value_(&name##_type_, place), name##_type_.value_size);               \
                  cm_flat_drop_(&map->core.flat, place, hash);                                                         \
                  cm_status status = sift->take(&key, &value, sift->context);                                          \
                  cm_plain_key_end_(&name##_type_, &map->core, &key);                                                  \
                  return status;                                                                                       \
              })                                                                                                       \
    CM_LOCAL_(how, cm_status, name##_sift_all_, (name * map, const struct name##_sift_ *sift), {                       \
        struct cm_plain_walk_ walk = cm_plain_walk_begin_(&map->core);                                                 \
        cm_status status = map->core.busy ? CM_DEADLOCK : CM_OK;                                                       \
        for (struct cm_flat_place_ place;                                                                              \
             status >= 0 && (place = cm_plain_walk_next_(&name##_type_, &walk, &status)).entry;) {                     \
            status = name##_judge_(map, sift, place);                                                                  \
            if (status >= 0 && status == sift->verdict)                                                                \
                status = name##_sift_out_(map, sift, place);                                                           \
        }                                                                                                              \
        return status < 0 ? status : CM_OK;                                                                            \
    })                                                                                                                 \
    /* Changes each value as update does; ends where the function returns less than 0. CM_OK, or what the function     \
     * returned; CM_DEADLOCK: a function given to the map runs already. O(groups). */                                  \
    CM_FUNCTION_(how, cm_status, name##_alter_all,                                                                     \
                 (name * map, cm_status(*function)(const Key *, Value *, void *), void *context), {                    \
                     struct cm_plain_walk_ walk = cm_plain_walk_begin_(&map->core);                                    \
                     cm_status status = map->core.busy ? CM_DEADLOCK : CM_OK;                                          \
                     for (struct cm_flat_place_ place;                                                                 \
                          status >= 0 && (place = cm_plain_walk_next_(&name##_type_, &walk, &status)).entry;) {        \
                         struct name##_alter_ alter = {function, (const Key *)(const void *)place.entry, context};     \
                         status = name##_apply_(map, cm_flat_value_(&name##_type_, place), name##_alter_one_, &alter); \
                     }                                                                                                 \
                     return status < 0 ? status : CM_OK;                                                               \
                 })                                                                                                    \
    /* Removes the entries for which `keep` returns CM_ABSENT, and keeps those for which it returns CM_OK; less than 0 \
     * ends it, and that entry stays. As alter_all. */                                                                 \
    CM_FUNCTION_(how, cm_status, name##_retain,                                                                        \
                 (name * map, cm_status(*keep)(const Key *, const Value *, void *), void *context), {                  \
                     struct name##_sift_ sift = {keep, CM_ABSENT, NULL, context};                                      \
                     return name##_sift_all_(map, &sift);                                                              \
                 })                                                                                                    \
    /* Removes the entries for which `wanted` returns CM_OK (CM_ABSENT: it stays), and gives each to `take`, which may \
     * use the map: if that makes it grow, CM_INVALID ends it. What one of them returns that is less than 0 ends it.   \
     * As alter_all. */                                                                                                \
    CM_FUNCTION_(how, cm_status, name##_extract_if,                                                                    \
                 (name * map, cm_status(*wanted)(const Key *, const Value *, void *),                                  \
                  cm_status(*take)(const Key *, Value *, void *), void *context),                                      \
                 {                                                                                                     \
                     struct name##_sift_ sift = {wanted, CM_OK, take, context};                                        \
                     return name##_sift_all_(map, &sift);                                                              \
                 })                                                                                                    \
    /* Removes every entry, and gives each to `take`. As extract_if. */                                                \
    CM_FUNCTION_(how, cm_status, name##_drain,                                                                         \
                 (name * map, cm_status(*take)(const Key *, Value *, void *), void *context), {                        \
                     struct name##_sift_ sift = {NULL, CM_OK, take, context};                                          \
                     return name##_sift_all_(map, &sift);                                                              \
                 })

#define CM_PLAIN_ALTER_(how, name, Key, Value)                                                                         \
    CM_HIDDEN_(                                                                                                        \
        how, struct name##_alter_ {                                                                                    \
            cm_status (*change)(const Key *, Value *, void *);                                                         \
            const Key *key;                                                                                            \
            void *context;                                                                                             \
        };)                                                                                                            \
    CM_LOCAL_(how, cm_status, name##_alter_one_, (Value * value, void *context), {                                     \
        struct name##_alter_ *alter = (struct name##_alter_ *)context;                                                 \
        return alter->change(alter->key, value, alter->context);                                                       \
    })

/* Those on two maps. */
#define CM_PLAIN_PAIRS_(how, name, Key, Value)                                                                         \
    CM_HIDDEN_(                                                                                                        \
        how, struct name##_merge_ {                                                                                    \
            cm_status (*resolve)(Value *, const Value *, void *);                                                      \
            const Value *theirs;                                                                                       \
            void *context;                                                                                             \
        };)                                                                                                            \
    CM_LOCAL_(how, cm_status, name##_resolve_, (Value * mine, void *context), {                                        \
        struct name##_merge_ *merge = (struct name##_merge_ *)context;                                                 \
        return merge->resolve(mine, merge->theirs, merge->context);                                                    \
    })                                                                                                                 \
    CM_LOCAL_(how, cm_status, name##_merge_one_, (name * into, const Key *key, struct name##_merge_ *merge), {         \
        Value copy;                                                                                                    \
        uint64_t hash = name##_hash_of_(into, key);                                                                    \
        cm_plain_blank_(&name##_type_, NULL, &copy);                                                                   \
        cm_status status = cm_plain_copy_out_(&name##_type_, &into->core, &copy, merge->theirs);                       \
        if (name##_type_.value_clone && status < 0)                                                                    \
            return status;                                                                                             \
        status = merge->resolve ? name##_upsert_in_(into, hash, *key, copy, name##_resolve_, merge)                    \
                                : name##_put_in_(into, hash, *key, copy, NULL);                                        \
        if (status < 0)                                                                                                \
            cm_plain_value_end_(&name##_type_, &into->core, &copy);                                                    \
        return status;                                                                                                 \
    })                                                                                                                 \
    /* Adds copies of the entries of `from`. Where both have a key, resolve(&mine, &theirs, context) changes the value \
     * of `into`; NULL: theirs is taken. Ends at the first failure, with what was added until then. CM_INVALID: a map  \
     * into itself. O(groups of `from`). */                                                                            \
    CM_FUNCTION_(                                                                                                      \
        how, cm_status, name##_merge,                                                                                  \
        (name * into, const struct name *from, cm_status (*resolve)(Value *, const Value *, void *), void *context), { \
            if (into == from)                                                                                          \
                return CM_INVALID;                                                                                     \
            struct cm_plain_walk_ walk = cm_plain_walk_begin_(&from->core);                                            \
            cm_status status = CM_OK;                                                                                  \
            for (struct cm_flat_place_ place;                                                                          \
                 status >= 0 && (place = cm_plain_walk_next_(&name##_type_, &walk, &status)).entry;) {                 \
                struct name##_merge_ merge = {                                                                         \
                    resolve, (const Value *)(const void *)cm_flat_value_(&name##_type_, place), context};              \
                status = name##_merge_one_(into, (const Key *)(const void *)place.entry, &merge);                      \
            }                                                                                                          \
            return status < 0 ? status : CM_OK;                                                                        \
        })                                                                                                             \
    /* Makes `to`, which is not initialised, a copy of `from`, with its options. On a failure (CM_NOMEM) there is no   \
     * `to`. O(groups). */                                                                                             \
    CM_FUNCTION_(how, cm_status, name##_clone, (name * to, const struct name *from), {                                 \
        cm_status status = cm_plain_init_like_(&to->core, &name##_type_, &from->core, from->core.flat.len);            \
        if (status == CM_OK)                                                                                           \
            status = name##_merge(to, from, NULL, NULL);                                                               \
        if (status < 0)                                                                                                \
            cm_plain_end_(&to->core, &name##_type_);                                                                   \
        return status;                                                                                                 \
    })                                                                                                                 \
    /* Whether both maps have the same keys, with values that are equal: CM_OK; CM_ABSENT: they have not. O(groups).   \
     */                                                                                                                \
    CM_FUNCTION_(how, cm_status, name##_equals,                                                                        \
                 (const name *a, const struct name *b, bool (*equal)(const Value *, const Value *)), {                 \
                     struct cm_plain_walk_ walk = cm_plain_walk_begin_(&a->core);                                      \
                     cm_status status = CM_OK;                                                                         \
                     if (a->core.flat.len != b->core.flat.len)                                                         \
                         return CM_ABSENT;                                                                             \
                     for (struct cm_flat_place_ at;                                                                    \
                          (at = cm_plain_walk_next_(&name##_type_, &walk, &status)).entry;) {                          \
                         const void *key = at.entry;                                                                   \
                         const char *other =                                                                           \
                             cm_plain_find_(&name##_type_, &b->core, key, name##_type_.hash(key, b->core.seed));       \
                         if (!other || !equal((const Value *)(const void *)cm_flat_value_(&name##_type_, at),          \
                                              (const Value *)(const void *)other))                                     \
                             return CM_ABSENT;                                                                         \
                     }                                                                                                 \
                     return status;                                                                                    \
                 })                                                                                                    \
    /* Copies keys and values (either may be NULL) of up to n entries; *count takes how many there were. CM_FULL: more \
     * than n. CM_INVALID: keys of text, and what is owned, belong to the map. O(groups). */                           \
    CM_FUNCTION_(                                                                                                      \
        how, cm_status, name##_to_arrays, (const name *map, Key *keys, Value *values, size_t n, size_t *count), {      \
            struct cm_plain_walk_ walk = cm_plain_walk_begin_(&map->core);                                             \
            cm_status status = CM_OK;                                                                                  \
            *count = 0;                                                                                                \
            if (((name##_type_.key_text || name##_type_.key_clone) && keys) || (name##_type_.value_clone && values))   \
                return CM_INVALID;                                                                                     \
            for (struct cm_flat_place_ at; (at = cm_plain_walk_next_(&name##_type_, &walk, &status)).entry;            \
                 ++*count) {                                                                                           \
                if (keys && *count < n)                                                                                \
                    memcpy((void *)&keys[*count], at.entry, sizeof(Key));                                              \
                if (values && *count < n)                                                                              \
                    memcpy((void *)&values[*count], cm_flat_value_(&name##_type_, at), name##_type_.value_size);       \
            }                                                                                                          \
            return *count > n ? CM_FULL : status;                                                                      \
        })                                                                                                             \
    /* Exchanges what two maps have, options included. O(1). */                                                        \
    CM_FUNCTION_(how, void, name##_swap, (name * a, struct name * b), { cm_plain_swap_(&a->core, &b->core); })         \
    /* Makes `to`, which is not initialised, what `from` is; `from` is empty then. CM_NOMEM (of a fixed map): nothing  \
     * has changed. O(1). */                                                                                           \
    CM_FUNCTION_(how, cm_status, name##_move, (name * to, struct name * from), {                                       \
        cm_status status = cm_plain_init_like_(&to->core, &name##_type_, &from->core, 0);                              \
        if (status == CM_OK)                                                                                           \
            cm_plain_swap_(&to->core, &from->core);                                                                    \
        return status;                                                                                                 \
    })

#define CM_PLAIN_BULK_(how, name, Key, Value)                                                                          \
    CM_PLAIN_ALTER_(how, name, Key, Value)                                                                             \
    CM_PLAIN_SIFTS_(how, name, Key, Value)                                                                             \
    CM_PLAIN_PAIRS_(how, name, Key, Value)

#endif
