/* Entries that are taken from a block of a saved map (detail/saved.h), to be added together: for maps whose type is
 * known at run time. Internal. */
#ifndef CONCMAP_LOAD_BATCH_H
#define CONCMAP_LOAD_BATCH_H

#include <concmap/detail/saved.h>

struct cm_load_batch_ {
    struct cm_block_ block;
    char *keys;
    char *values;
    size_t room; /* entries */
};

/* False: no memory. */
bool cm_load_batch_make_(struct cm_load_batch_ *batch, const struct cm_type *type, const cm_allocator *allocator);
/* Takes up to so many entries out of the loader's block; *made: that is how many. */
cm_status cm_load_batch_take_(struct cm_load_batch_ *batch, struct cm_loader_ *loader,
                              const struct cm_saved_type_ *saved, size_t n, void *context, size_t *made);
/* Ends the keys and the values of all but so many entries that the map has taken. */
void cm_load_batch_end_(const struct cm_load_batch_ *batch, const struct cm_type *type, size_t made, size_t keys_taken,
                        size_t values_taken, void *context);

#endif
