/* Saving partitioned maps, and loading them again: saved.h, whose streams and codecs these are.
 *
 *     CM_PARTITIONED_MAP(meters, uint64_t, struct meter, cm_hash_u64, cm_equal_u64)
 *     CM_PARTITIONED_SAVED(meters, 1)
 *
 * What is saved. One partition after the other, each as it is at one instant: its owner makes a copy, as for a walk,
 * which then is encoded and written while the owner goes on. All of it is of one instant where the map was shut
 * down (what was drained at a program's end can be saved then), or where nobody sends anything meanwhile: a thread that
 * owns partitions serves them in each call.
 *
 * What is loaded. name_load makes a map as name_open does, by a cm_partition_config, with any number of partitions. Of
 * a polled map the calling thread owns the partitions meanwhile, and leaves them. It can be another kind of map's that
 * was saved with the same number and codecs. */
#ifndef CONCMAP_PARTITIONED_SAVED_H
#define CONCMAP_PARTITIONED_SAVED_H

#include <concmap/partitioned.h>
#include <concmap/saved.h>

#define CM_PARTITIONED_SAVED(name, version) CM_PARTITIONED_SAVED_CODED(name, version, CM_UNCODED, CM_UNCODED)
#define CM_PARTITIONED_SAVED_CODED(name, version, key_codec, value_codec)                                              \
    CM_PARTITIONED_SAVED_(cm_inline, name, version, key_codec, value_codec)

/* The same for a type that many files use. */
#define CM_PARTITIONED_SAVED_DECLARE(name) CM_SAVED_FUNCTIONS_(cm_declare, name, name, cm_partition_config)
#define CM_PARTITIONED_SAVED_DEFINE(name, version, key_codec, value_codec)                                             \
    CM_PARTITIONED_SAVED_(cm_define, name, version, key_codec, value_codec)

#define CM_PARTITIONED_SAVED_(how, name, version, key_codec, value_codec)                                              \
    CM_SAVED_TYPE_(how, name, name##_plain, name##_key_, name##_value_, version, key_codec, value_codec)               \
    CM_SAVED_WALK_(how, name, name, (void)0, map->core.parts->plain.context)                                           \
    CM_SAVED_ROOM_(how, name, name##_key_, name##_value_)                                                              \
    CM_PARTITIONED_LOADS_(how, name)                                                                                   \
    CM_SAVED_FILL_(how, name, name, map->core.parts->plain.context)                                                    \
    CM_PARTITIONED_LOAD_(how, name)                                                                                    \
    CM_SAVED_FUNCTIONS_(how, name, name, cm_partition_config)

#define CM_PARTITIONED_LOADS_(how, name)                                                                               \
    CM_LOCAL_(how, void, name##_load_expect_, (name * map, size_t entries), { (void)name##_reserve(map, entries); })   \
    /* Each takes what it can: the values of those that failed end here. */                                            \
    CM_LOCAL_(                                                                                                         \
        how, cm_status, name##_load_batch_, (name * map, struct name##_batch_ * batch, size_t n, size_t * taken), {    \
            cm_status results[name##_saved_batch_];                                                                    \
            cm_status status = CM_OK;                                                                                  \
            name##_put_many(map, batch->keys, batch->values, n, results);                                              \
            for (*taken = 0; *taken < n; ++*taken) {                                                                   \
                cm_status got = results[*taken];                                                                       \
                if (got < 0)                                                                                           \
                    cm_plain_value_end_(&name##_plain_type_, &map->core.parts->plain, &batch->values[*taken]);         \
                status = cm_status_worse_(status, got == CM_REPLACED ? CM_CORRUPT : got); /* it is there twice */      \
            }                                                                                                          \
            return status;                                                                                             \
        })

#define CM_PARTITIONED_LOAD_(how, name)                                                                                \
    /* Those of a map with threads are not asked for. */                                                               \
    CM_LOCAL_(how, cm_status, name##_load_own_, (name * map, struct cm_loader_ * loader, bool polled), {               \
        cm_status status = CM_OK;                                                                                      \
        size_t owned = 0;                                                                                              \
        while (polled && owned < name##_partitions(map) && status >= 0)                                                \
            status = name##_partition_own(map, owned++);                                                               \
        if (status >= 0)                                                                                               \
            status = name##_load_all_(map, loader);                                                                    \
        while (owned > 0)                                                                                              \
            name##_partition_leave(map, --owned);                                                                      \
        return status;                                                                                                 \
    })                                                                                                                 \
    CM_SAVED_LOAD_BY_(how, name, name, cm_partition_config, map.allocator, name##_open(map, config),                   \
                      name##_load_own_(map, &loader, config && config->polled))

#endif
