/* The left-right multimap: a left-right map whose values are bags (bag.h), with records of its own in the log.
 *
 * What is done to a bag is decided on the side that is written, and logged as what it came to: a value that is added, a
 * position from which one is removed, a room to which the bag moves. The rooms of both sides are made together, before
 * anything is changed, and the other side's travels in the record (W3); one that is left is given back at once where
 * it is the writer's own, and by the replay on the other side. Values are destroyed by the replay alone (W4).
 *
 * All of it is compiled once, in src/multimap.c, with descriptors that are read at run time: what writers pay for that
 * is small beside the log and the second side. What readers call is inlined. */
#ifndef CONCMAP_DETAIL_MULTIMAP_H
#define CONCMAP_DETAIL_MULTIMAP_H

#include <concmap/detail/leftright_changes.h>

CM_BEGIN_DECLS

/* A function of the caller about one value (or all of a key), and what it gets besides them. */
struct cm_values_call_ {
    cm_status (*run)(const void *key, const void *values, size_t count, void *call);
    void *call;
};

/* `type` is that of the map, whose values are bags; `values` that of what they hold. */
CM_API cm_status cm_multimap_init_(struct cm_leftright_ **core, const struct cm_type *type,
                                   const struct cm_type *values, const cm_config *config, unsigned version,
                                   size_t size);

/* Adds a value to the key's bag; an absent key is added with it. */
CM_API cm_status cm_multimap_insert_(struct cm_leftright_ *core, const struct cm_type *type, const void *key,
                                     uint64_t hash, const void *value);
/* The key has this value alone. */
CM_API cm_status cm_multimap_update_(struct cm_leftright_ *core, const struct cm_type *type, const void *key,
                                     uint64_t hash, const void *value);
/* Removes one value that is equal. `taken` (may be NULL) takes it, and it is not destroyed. */
CM_API cm_status cm_multimap_remove_value_(struct cm_leftright_ *core, const struct cm_type *type, const void *key,
                                           uint64_t hash, const void *value, void *taken);
CM_API cm_status cm_multimap_remove_entry_(struct cm_leftright_ *core, const struct cm_type *type, const void *key,
                                           uint64_t hash);
CM_API cm_status cm_multimap_clear_entry_(struct cm_leftright_ *core, const struct cm_type *type, const void *key,
                                          uint64_t hash);
CM_API cm_status cm_multimap_purge_(struct cm_leftright_ *core, const struct cm_type *type);

/* Removes values for which the function says CM_ABSENT: of one key, or of all. */
CM_API cm_status cm_multimap_retain_values_(struct cm_leftright_ *core, const struct cm_type *type, const void *key,
                                            uint64_t hash, const struct cm_values_call_ *keep);
CM_API cm_status cm_multimap_retain_(struct cm_leftright_ *core, const struct cm_type *type,
                                     const struct cm_values_call_ *keep);
/* Removes n keys at random, after telling of each. */
CM_API cm_status cm_multimap_remove_random_(struct cm_leftright_ *core, const struct cm_type *type, size_t n,
                                            uint64_t seed, const struct cm_values_call_ *tell);

CM_API cm_status cm_multimap_reserve_values_(struct cm_leftright_ *core, const struct cm_type *type, const void *key,
                                             uint64_t hash, size_t more);
CM_API cm_status cm_multimap_fit_(struct cm_leftright_ *core, const struct cm_type *type, const void *key,
                                  uint64_t hash);
CM_API cm_status cm_multimap_fit_all_(struct cm_leftright_ *core, const struct cm_type *type);
CM_API cm_status cm_multimap_give_back_(struct cm_leftright_ *core, const struct cm_type *type, uint64_t taken_at,
                                        void *value);

/* The key's bag, as a side has it; NULL: there is no such key. */
CM_INLINE const struct cm_bag_ *cm_multimap_find_(const struct cm_type *type, const struct cm_plain_ *plain,
                                                  const void *key)
{
    return (const struct cm_bag_ *)(const void *)cm_plain_find_ahead_(type, plain, key, type->hash(key, plain->seed));
}

CM_END_DECLS

#endif
