/* Copies of entries, made a chain at a time: for iterators and snapshots.
 *
 *     [ key, value | key, value | ... free ... | text | text ]      keys and values as in a node; texts from the end */
#ifndef CONCMAP_DETAIL_COPIES_H
#define CONCMAP_DETAIL_COPIES_H

#include <concmap/detail/map.h>

CM_BEGIN_DECLS

struct cm_copies_ {
    char *entries;
    size_t bytes; /* of the memory */
    size_t count;
    size_t text; /* bytes in use at the end */
};

/* The points of the space of reversed hashes from `first` to `last`. */
struct cm_range_ {
    uint64_t first;
    uint64_t last;
};

/* Of their memory. */
CM_INLINE size_t cm_copies_alignment_(const struct cm_type *type)
{
    size_t most = type->key_alignment > type->value_alignment ? type->key_alignment : type->value_alignment;
    return most > 16 ? most : 16;
}

CM_INLINE size_t cm_copy_value_offset_(const struct cm_type *type)
{
    return cm_align_up_(type->key_size, type->value_alignment);
}

CM_INLINE size_t cm_copy_stride_(const struct cm_type *type)
{
    return cm_align_up_(cm_copy_value_offset_(type) + type->value_size, cm_copies_alignment_(type));
}

/* An entry's place in a copy. */
struct cm_copied_ {
    const char *key; /* NULL: there is none */
    const char *value;
};

CM_INLINE struct cm_copied_ cm_copy_at_(const struct cm_type *type, const struct cm_copies_ *copies, size_t i)
{
    struct cm_copied_ copied;
    copied.key = copies->entries + i * cm_copy_stride_(type);
    copied.value = copied.key + cm_copy_value_offset_(type);
    return copied;
}

/* Adds the entries of a chain that the caller holds, those in `range` (NULL: all). CM_FULL: they do not fit, and
 * `*lacking` takes the bytes that they need for themselves; or why a clone failed, with what came before it added. */
CM_API CM_COLD cm_status cm_copies_add_(struct cm_copies_ *copies, const struct cm_type *type,
                                        const struct cm_map_ *map, char *head, const struct cm_range_ *range,
                                        size_t *lacking);
/* Destroys the copies; `context` is the map's. */
CM_API CM_COLD void cm_copies_drop_(struct cm_copies_ *copies, const struct cm_type *type, void *context);

CM_END_DECLS

#endif
