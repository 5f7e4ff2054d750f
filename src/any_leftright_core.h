/* What the calls of dynamic left-right maps and look-ups in them share. Those that take a type take the map's, or what
 * a look-up by something else has made of it (src/any_leftright_lookup.c). */
#ifndef CONCMAP_ANY_LEFTRIGHT_CORE_H
#define CONCMAP_ANY_LEFTRIGHT_CORE_H

#include <concmap/any_leftright.h>

#include "any_sides.h"

/* Tells where the key and the value of what was found are. False: nothing was. */
static inline bool place_tell(const struct cm_type *type, struct cm_flat_place_ place, const void **own,
                              const void **value)
{
    if (place.entry && own)
        *own = place.entry;
    if (place.entry && value)
        *value = cm_flat_value_(type, place);
    return place.entry != NULL;
}

struct cm_flat_place_ cm_any_leftright_view_find_(const struct cm_type *type, const cm_any_leftright_view *view,
                                                  const void *key);
bool cm_any_leftright_get_by_(const struct cm_type *type, cm_any_leftright_reader *reader, const void *key,
                              void *value);

/* Keys of `size` bytes. */
size_t cm_any_leftright_view_get_many_by_(const struct cm_type *type, const cm_any_leftright_view *view,
                                          const void *keys, size_t size, size_t n, const void **values);
size_t cm_any_leftright_get_many_by_(const struct cm_type *type, cm_any_leftright_reader *reader, const void *keys,
                                     size_t size, size_t n, bool *found, void *values);

cm_status cm_any_leftright_writer_get_by_(const struct cm_type *type, cm_any_leftright_writer *writer, const void *key,
                                          void *value);
cm_status cm_any_leftright_update_by_(const struct cm_type *type, cm_any_leftright_writer *writer, uint64_t hash,
                                      const void *key, cm_status (*function)(void *, void *), void *context,
                                      cm_deadline deadline);
cm_status cm_any_leftright_remove_by_(const struct cm_type *type, cm_any_leftright_writer *writer, uint64_t hash,
                                      const void *key, void *old, cm_deadline deadline);
cm_status cm_any_leftright_take_by_(const struct cm_type *type, cm_any_leftright_writer *writer, uint64_t hash,
                                    const void *key, cm_any_leftright_taken *taken, cm_deadline deadline);

#endif
