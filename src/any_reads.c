/* Reads of dynamic maps.
 *
 * What is copied without a lock may be torn, and a miss must leave the caller's room as it is: so a try has room of its
 * own. For large values there is none, and they are copied under the bucket's shared lock, as owned ones are. */
#include "any_core.h"

static CM_COLD cm_status look_again(const struct cm_type *type, const cm_any *map, const void *key, uint64_t hash,
                                    void *value, cm_deadline deadline)
{
    return cm_map_look_(type, &map->core, key, hash, value, deadline);
}

/* Pinned by the caller; of a cache maybe CM_EXPIRED_. */
CM_INLINE cm_status look_as(const struct cm_type *type, const cm_any *map, const void *key, uint64_t hash, void *value,
                            cm_deadline deadline)
{
    bool copies = value || type->cached;
    if (copies && (type->value_clone || type->value_size > ROOM_NEAR))
        return cm_map_clone_out_(type, &map->core, key, hash, value, deadline);
    struct room copy;
    enum cm_read_ result = cm_map_glance_(type, &map->core, key, hash, copies ? copy.near : NULL);
    cm_status status = result == CM_READ_HIT_ ? CM_OK : CM_ABSENT;
    if (CM_UNLIKELY(result == CM_READ_AGAIN_))
        status = look_again(type, map, key, hash, copies ? copy.near : NULL, deadline);
    if (status == CM_OK && cm_value_expired_(type, &map->core, copy.near))
        return (cm_status)CM_EXPIRED_;
    if (status == CM_OK && value)
        memcpy(value, copy.near, type->value_size);
    return status;
}

/* What a look-up in the first bucket alone does not tell. */
static CM_COLD char *node_search(const struct cm_type *type, const cm_any *map, const void *key, uint64_t hash)
{
    return cm_node_search_(type, &map->core, key, hash);
}

char *cm_any_node_(const struct cm_type *type, const cm_any *map, const void *key, uint64_t hash)
{
    cm_map_give_out_(&map->core);
    struct cm_glance_ glance = cm_node_glance_(type, &map->core, key, hash);
    return CM_UNLIKELY(glance.again) ? node_search(type, map, key, hash) : glance.node;
}

static cm_status look_where(const struct cm_type *type, const cm_any *map, const void *key, uint64_t hash,
                            const void **value)
{
    char *node = cm_any_node_(type, map, key, hash);
    if (node && value)
        *value = cm_node_value_(type, node);
    return node ? CM_OK : CM_ABSENT;
}

cm_status cm_any_look_by_(const struct cm_type *type, const cm_any *map, const void *key, uint64_t hash, void *value,
                          cm_deadline deadline)
{
    if (type->anchored)
        return look_where(type, map, key, hash, value);
    cm_status status = look_as(type, map, key, hash, value, deadline);
    if (type->cached && (int)status == CM_EXPIRED_) {
        cm_map_expire_(core_of(map), type, key, hash);
        status = CM_ABSENT;
    }
    return status;
}

cm_status cm_any_look_(const cm_any *map, const void *key, uint64_t hash, void *value, cm_deadline deadline)
{
    return map->words ? look_as(&words_type, map, key, hash, value, deadline)
                      : cm_any_look_by_(&map->type, map, key, hash, value, deadline);
}

cm_status cm_any_find_(const cm_any *map, const void *key, uint64_t hash, void *value, cm_deadline deadline)
{
    struct cm_thread_ *self = cm_leaf_enter_();
    cm_status status = cm_any_look_(map, key, hash, value, deadline);
    cm_leaf_leave_(self);
    return status;
}

uint64_t cm_any_hash_of(const cm_any *map, const void *key)
{
    return cm_any_hash_of_(map, &key);
}

bool cm_any_get(const cm_any *map, const void *key, void *value)
{
    return cm_any_find_(map, key, cm_any_hash_of_(map, &key), value, CM_FOREVER) == CM_OK;
}

bool cm_any_get_hashed(const cm_any *map, uint64_t hash, const void *key, void *value)
{
    return cm_any_find_(map, key, hash, value, CM_FOREVER) == CM_OK;
}

cm_status cm_any_try_get(const cm_any *map, const void *key, void *value)
{
    return cm_any_find_(map, key, cm_any_hash_of_(map, &key), value, CM_TRY);
}

cm_status cm_any_get_until(const cm_any *map, const void *key, void *value, cm_deadline deadline)
{
    return cm_any_find_(map, key, cm_any_hash_of_(map, &key), value, deadline);
}

bool cm_any_contains(const cm_any *map, const void *key)
{
    return cm_any_get(map, key, NULL);
}

bool cm_any_contains_hashed(const cm_any *map, uint64_t hash, const void *key)
{
    return cm_any_get_hashed(map, hash, key, NULL);
}

void cm_any_prefetch(const cm_any *map, const void *key)
{
    struct cm_pin_ pin = cm_map_pin_(&map->type, &map->core);
    cm_bucket_prefetch_(&map->type, &map->core, cm_any_hash_of_(map, &key));
    cm_pin_leave_(pin);
}
