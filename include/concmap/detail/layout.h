/* How entries lie in buckets and nodes, from the sizes of a type: constants where the type is one.
 *
 *     inline form   [ state | key | key | key ]       state and keys: the front of the first line, compared at once
 *                   [ value | value | value | link ]
 *     node form     [ state | slot x 6 | link ]         a slot is a 16-bit tag above the 48-bit address of a node
 *     node          [ header | (a cache's: weight, used) | key | value | text ]
 *
 * A bucket of the inline form has 64, 128 or 256 bytes, at least 3 slots, and a link at its end; one of the node form
 * has one line.
 *
 * The layout depends on nothing but the type: not on the compiler's options, sanitizers or checked builds. */
#ifndef CONCMAP_DETAIL_LAYOUT_H
#define CONCMAP_DETAIL_LAYOUT_H

#include <concmap/type.h>

#define CM_INLINE_ENTRY_ 48 /* larger entries live in nodes */
#define CM_NODE_SLOTS_ 6
#define CM_NODE_ALIGNMENT_ 16 /* of nodes at least; more where the key or the value asks for it */
#define CM_MAX_SLOTS_ 8
#define CM_BUCKET_MOST_ 256 /* bytes */

struct cm_layout_ {
    bool nodes;
    size_t bucket; /* bytes */
    size_t slots;
    size_t keys; /* offsets in a bucket */
    size_t values;
    size_t link;
    size_t node_key; /* offsets in a node */
    size_t node_value;
    size_t node_text; /* also the size of a node without text */
    size_t node_alignment;
};

/* Whether a bucket of `bytes` holds `slots` entries. */
CM_INLINE bool cm_layout_fits_(const struct cm_type *type, size_t bytes, size_t slots)
{
    size_t values = cm_align_up_(cm_align_up_(8, type->key_alignment) + slots * type->key_size, type->value_alignment);
    return values + slots * type->value_size + 8 <= bytes;
}

/* How many entries a bucket of `bytes` holds. Written without a loop, so that it folds at every optimisation level. */
CM_INLINE size_t cm_layout_slots_(const struct cm_type *type, size_t bytes)
{
    return cm_layout_fits_(type, bytes, 8)   ? 8
           : cm_layout_fits_(type, bytes, 7) ? 7
           : cm_layout_fits_(type, bytes, 6) ? 6
           : cm_layout_fits_(type, bytes, 5) ? 5
           : cm_layout_fits_(type, bytes, 4) ? 4
           : cm_layout_fits_(type, bytes, 3) ? 3
                                             : 0;
}

CM_INLINE bool cm_layout_has_nodes_(const struct cm_type *type)
{
    return type->in_nodes || type->key_text || type->key_size + type->value_size > CM_INLINE_ENTRY_ ||
           type->key_alignment > 8 || type->value_alignment > 8;
}

CM_INLINE struct cm_layout_ cm_layout_of_(const struct cm_type *type)
{
    if (type->layout_)
        return *type->layout_;
    struct cm_layout_ layout;
    layout.nodes = cm_layout_has_nodes_(type);
    layout.bucket = layout.nodes                      ? 64
                    : cm_layout_slots_(type, 64) > 4  ? 64
                    : cm_layout_slots_(type, 128) > 0 ? 128
                                                      : 256;
    layout.slots = layout.nodes ? CM_NODE_SLOTS_ : cm_layout_slots_(type, layout.bucket);
    layout.keys = cm_align_up_(8, type->key_alignment);
    layout.values = cm_align_up_(layout.keys + layout.slots * type->key_size, type->value_alignment);
    layout.link = layout.bucket - 8;
    layout.node_key = cm_align_up_(type->cached ? 24 : 8, type->key_alignment);
    layout.node_value = cm_align_up_(layout.node_key + type->key_size, type->value_alignment);
    layout.node_text = layout.node_value + type->value_size;
    layout.node_alignment = type->key_alignment > type->value_alignment ? type->key_alignment : type->value_alignment;
    if (layout.node_alignment < CM_NODE_ALIGNMENT_)
        layout.node_alignment = CM_NODE_ALIGNMENT_;
    return layout;
}

#endif
