/* The typed functions of the plain map that work on many keys at a time: their groups are fetched ahead, so that memory
 * works on several of them at once. */
#ifndef CONCMAP_DETAIL_PLAIN_BATCHES_H
#define CONCMAP_DETAIL_PLAIN_BATCHES_H

#include <concmap/detail/op_kind.h>
#include <concmap/detail/plain_verbs.h>

#define CM_FLAT_BLOCK_ 32              /* keys at a time: measured */
#define CM_FLAT_FAR_ ((size_t)1 << 20) /* bytes of a table from which on fetching ahead is worth its while */

/* Runs `body` for i = 0 .. n - 1 with `hash` set; `key_of` is an expression for the address of the i-th key. By blocks:
 * while the body runs on one, the tags of the next come, and its entries are asked for when they are here. */
#define CM_FLAT_BATCH_(type, map, i, n, hash, key_of, write, body)                                                     \
    do {                                                                                                               \
        uint64_t hashes_[2 * CM_FLAT_BLOCK_];                                                                          \
        const uint64_t seed_ = (write) ? cm_plain_seed_(map) : (map)->seed; /* who reads makes no map */               \
        for (size_t begin_ = 0, fed_ = 0, end_; begin_ < (n); begin_ = end_) {                                         \
            const bool far_ = (map)->flat.block.size >= CM_FLAT_FAR_; /* it may have grown */                          \
            const size_t left_ = (n)-begin_, ahead_ = far_ ? 2 * CM_FLAT_BLOCK_ : CM_FLAT_BLOCK_;                      \
            const size_t feed_ = begin_ + (left_ < ahead_ ? left_ : ahead_);                                           \
            end_ = begin_ + (left_ < CM_FLAT_BLOCK_ ? left_ : CM_FLAT_BLOCK_);                                         \
            for (; fed_ < feed_; fed_++) {                                                                             \
                const size_t i = fed_;                                                                                 \
                const uint64_t made_ = (type)->hash((key_of), seed_);                                                  \
                hashes_[fed_ % (2 * CM_FLAT_BLOCK_)] = made_;                                                          \
                if (far_)                                                                                              \
                    cm_flat_prefetch_(&(map)->flat, made_);                                                            \
            }                                                                                                          \
            for (size_t index_ = begin_; far_ && index_ < end_; index_++)                                              \
                cm_flat_prefetch_entry_((type), &(map)->flat, hashes_[index_ % (2 * CM_FLAT_BLOCK_)], write);          \
            for (size_t index_ = begin_; index_ < end_; index_++) {                                                    \
                const uint64_t hash = hashes_[index_ % (2 * CM_FLAT_BLOCK_)];                                          \
                const size_t i = index_;                                                                               \
                body;                                                                                                  \
            }                                                                                                          \
        }                                                                                                              \
    } while (0)

#define CM_PLAIN_BATCHES_(how, name, Key, Value)                                                                       \
    /* Looks n keys up, fetching ahead: found[i] and values[i] belong to keys[i]; both may be NULL, and the value of a \
     * key that was not found is undefined. Returns the hits. */                                                       \
    CM_FUNCTION_(how, size_t, name##_get_many,                                                                         \
                 (const name *map, const Key *keys, size_t n, bool *found, Value *values), {                           \
                     size_t hits = 0;                                                                                  \
                     CM_FLAT_BATCH_(&name##_type_, &map->core, i, n, hash, &keys[i], false, {                          \
                         bool hit = name##_look_(map, &keys[i], hash, values ? &values[i] : NULL) == CM_OK;            \
                         if (found)                                                                                    \
                             found[i] = hit;                                                                           \
                         hits += hit;                                                                                  \
                     });                                                                                               \
                     return hits;                                                                                      \
                 })                                                                                                    \
    /* Puts n keys, in order, fetching ahead. `results` (may be NULL) takes what put would return. Returns how many    \
     * succeeded. */                                                                                                   \
    CM_FUNCTION_(how, size_t, name##_put_many,                                                                         \
                 (name * map, const Key *keys, const Value *values, size_t n, cm_status *results), {                   \
                     size_t done = 0;                                                                                  \
                     CM_FLAT_BATCH_(&name##_type_, &map->core, i, n, hash, &keys[i], true, {                           \
                         cm_status status = name##_put_in_(map, hash, keys[i], values[i], NULL);                       \
                         if (results)                                                                                  \
                             results[i] = status;                                                                      \
                         done += status >= 0;                                                                          \
                     });                                                                                               \
                     return done;                                                                                      \
                 })                                                                                                    \
    /* Updates n keys, in order, fetching ahead. Returns how many were present and succeeded. */                       \
    CM_FUNCTION_(how, size_t, name##_update_many,                                                                      \
                 (name * map, const Key *keys, size_t n, cm_status (*function)(Value *, void *), void *context,        \
                  cm_status *results),                                                                                 \
                 {                                                                                                     \
                     size_t done = 0;                                                                                  \
                     CM_FLAT_BATCH_(&name##_type_, &map->core, i, n, hash, &keys[i], true, {                           \
                         cm_status status = name##_update_in_(map, hash, keys[i], function, context);                  \
                         if (results)                                                                                  \
                             results[i] = status;                                                                      \
                         done += status >= 0 && status != CM_ABSENT;                                                   \
                     });                                                                                               \
                     return done;                                                                                      \
                 })                                                                                                    \
    /* Removes n keys, in order, fetching ahead; old[i] (old may be NULL) takes the value. Returns how many there      \
     * were. */                                                                                                        \
    CM_FUNCTION_(how, size_t, name##_remove_many,                                                                      \
                 (name * map, const Key *keys, size_t n, Value *old, cm_status *results), {                            \
                     size_t done = 0;                                                                                  \
                     CM_FLAT_BATCH_(&name##_type_, &map->core, i, n, hash, &keys[i], true, {                           \
                         cm_status status = name##_remove_in_(map, hash, keys[i], old ? &old[i] : NULL);               \
                         if (results)                                                                                  \
                             results[i] = status;                                                                      \
                         done += status == CM_OK;                                                                      \
                     });                                                                                               \
                     return done;                                                                                      \
                 })                                                                                                    \
    CM_OP_(how, name, Key, Value)                                                                                      \
    CM_LOCAL_(how, cm_status, name##_op_run_, (name * map, name##_op * op, uint64_t hash), {                           \
        switch (op->kind) {                                                                                            \
        case CM_OP_GET:                                                                                                \
            return name##_look_(map, &op->key, hash, &op->value);                                                      \
        case CM_OP_INSERT:                                                                                             \
            return name##_insert_in_(map, hash, op->key, op->value);                                                   \
        case CM_OP_PUT:                                                                                                \
            return name##_put_in_(map, hash, op->key, op->value, &op->value);                                          \
        case CM_OP_UPDATE:                                                                                             \
            return name##_update_in_(map, hash, op->key, op->function, op->context);                                   \
        case CM_OP_UPSERT:                                                                                             \
            return name##_upsert_in_(map, hash, op->key, op->value, op->function, op->context);                        \
        default:                                                                                                       \
            return name##_remove_in_(map, hash, op->key, &op->value);                                                  \
        }                                                                                                              \
    })                                                                                                                 \
    /* Runs n operations of any kinds, in array order, fetching ahead; each gets its status. Returns how many did not  \
     * fail. */                                                                                                        \
    CM_FUNCTION_(how, size_t, name##_apply_many, (name * map, name##_op * ops, size_t n), {                            \
        size_t done = 0;                                                                                               \
        CM_FLAT_BATCH_(&name##_type_, &map->core, i, n, hash, &ops[i].key, true, {                                     \
            ops[i].status = name##_op_run_(map, &ops[i], hash);                                                        \
            done += ops[i].status >= 0;                                                                                \
        });                                                                                                            \
        return done;                                                                                                   \
    })

#endif
