/* Entries of a saved map, taken to be added together: see load_batch.h. */
#include "load_batch.h"

bool cm_load_batch_make_(struct cm_load_batch_ *batch, const struct cm_type *type, const cm_allocator *allocator)
{
    const size_t bytes = type->key_size + type->value_size, fits = CM_SAVED_BATCH_BYTES_ / bytes;
    const size_t alignment = type->key_alignment > type->value_alignment ? type->key_alignment : type->value_alignment;
    batch->room = fits > CM_SAVED_BATCH_ ? CM_SAVED_BATCH_ : fits > 0 ? fits : 1;
    size_t keys = cm_align_up_(batch->room * type->key_size, alignment > 8 ? alignment : 8);
    if (!cm_block_allocate_(allocator, keys + batch->room * type->value_size, alignment > 8 ? alignment : 8, false,
                            &batch->block))
        return false;
    batch->keys = batch->block.address;
    batch->values = batch->keys + keys;
    return true;
}

cm_status cm_load_batch_take_(struct cm_load_batch_ *batch, struct cm_loader_ *loader,
                              const struct cm_saved_type_ *saved, size_t n, void *context, size_t *made)
{
    cm_status status = CM_OK;
    for (*made = 0; *made < n; ++*made) {
        status = cm_loader_take_(loader, saved, batch->keys + *made * saved->type->key_size,
                                 batch->values + *made * saved->type->value_size, context);
        if (status < 0)
            break;
    }
    return status;
}

void cm_load_batch_end_(const struct cm_load_batch_ *batch, const struct cm_type *type, size_t made, size_t keys_taken,
                        size_t values_taken, void *context)
{
    for (size_t i = keys_taken; type->key_destroy && i < made; i++)
        type->key_destroy(batch->keys + i * type->key_size, context);
    for (size_t i = values_taken; type->value_destroy && i < made; i++)
        type->value_destroy(batch->values + i * type->value_size, context);
}
