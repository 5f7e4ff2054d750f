/* What dynamic left-right maps and multimaps share: where their types lie. */
#ifndef CONCMAP_ANY_SIDES_H
#define CONCMAP_ANY_SIDES_H

#include <concmap/detail/leftright_many.h>
#include <concmap/detail/multimap.h>

#include "any_core.h"

/* What a map has of its own besides its tables: its types; and for its writer, whose turn it is, room for a key and a
 * value (of a multimap a bag), so that no call, and no replay, takes memory for that. */
struct cm_any_own_ {
    struct cm_type type;
    struct cm_type several; /* of a multimap: what its values are */
    cm_allocator allocator;
    struct cm_block_ block;
    char *key;
    char *value;
};

static inline struct cm_any_own_ *own_of(const struct cm_leftright_ *core)
{
    return (struct cm_any_own_ *)(uintptr_t)core->sides[0].type;
}

static inline const struct cm_type *type_in(const struct cm_leftright_ *core)
{
    return &own_of(core)->type;
}

/* Of a type that is taken already. NULL: no memory. */
static inline struct cm_any_own_ *own_make(const struct cm_type *type, const cm_config *config)
{
    const cm_allocator *allocator = config && config->allocator ? config->allocator : cm_allocator_default();
    const size_t alignment = type->value_alignment > 16 ? type->value_alignment : 16;
    const size_t key_at = cm_align_up_(sizeof(struct cm_any_own_), 16);
    const size_t value_at = cm_align_up_(key_at + type->key_size, alignment);
    struct cm_block_ block;
    if (!cm_block_allocate_(allocator, value_at + type->value_size, alignment, true, &block))
        return NULL;
    struct cm_any_own_ *own = block.address;
    *own = (struct cm_any_own_){.type = *type,
                                .allocator = *allocator,
                                .block = block,
                                .key = (char *)own + key_at,
                                .value = (char *)own + value_at};
    return own;
}

static inline void own_end(struct cm_any_own_ *own)
{
    cm_allocator allocator = own->allocator;
    struct cm_block_ block = own->block;
    cm_block_release_(&allocator, &block);
}

/* ---- calls on many keys ---- */

static inline const char *key_at(const struct cm_leftright_ *core, const void *keys, size_t i)
{
    return (const char *)keys + i * type_in(core)->key_size;
}

/* A function and its twins: `one` for each key, counted where its status is `good`. */
#define SIDES_MANY(name, verb, parameters, arguments, key_of, one, note, good)                                         \
    static size_t name##_##verb##_in_(CM_LIST_ parameters, cm_deadline deadline)                                       \
        CM_IN_TURN_OF_MANY_(name, type_in(writer->core), writer, true, deadline, i, n, hash, key_of, one, note, good)  \
            CM_TWINS_OF_(cm_define, size_t, name, verb, parameters, arguments)

#endif
