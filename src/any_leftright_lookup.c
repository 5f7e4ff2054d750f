/* Looking up in dynamic left-right maps by something else than a key: as in the other dynamic maps (src/any_lookup.c),
 * each call is one of the map's own, with another type. */
#include <concmap/any_lookup.h>

#include "any_leftright_core.h"

#define TYPE_BY(by, type) ((struct cm_type[]){cm_any_type_by_(type, (by)->hash, (by)->equal)})

uint64_t cm_any_leftright_lookup_hash_of(const cm_any_leftright_lookup *by, const cm_any_leftright *map,
                                         const void *sought)
{
    return by->hash(sought, map->core->sides[0].plain.seed);
}

/* As CM_SOUGHT_ calls it. */
static uint64_t cm_any_leftright_lookup_hash_of_(const cm_any_leftright_lookup *by,
                                                 const cm_any_leftright_writer *writer, const void *sought)
{
    return by->hash(sought, writer->core->sides[0].plain.seed);
}

/* ---- readers and views ---- */

bool cm_any_leftright_lookup_get(const cm_any_leftright_lookup *by, cm_any_leftright_reader *reader, const void *sought,
                                 void *value)
{
    return cm_any_leftright_get_by_(TYPE_BY(by, type_in(reader->core.core)), reader, sought, value);
}

size_t cm_any_leftright_lookup_get_many(const cm_any_leftright_lookup *by, cm_any_leftright_reader *reader,
                                        const void *sought, size_t size, size_t n, bool *found, void *values)
{
    return cm_any_leftright_get_many_by_(TYPE_BY(by, type_in(reader->core.core)), reader, sought, size, n, found,
                                         values);
}

static struct cm_flat_place_ view_find(const cm_any_leftright_lookup *by, const cm_any_leftright_view *view,
                                       const void *sought)
{
    return cm_any_leftright_view_find_(TYPE_BY(by, view->core.type), view, sought);
}

bool cm_any_leftright_lookup_view_contains(const cm_any_leftright_lookup *by, const cm_any_leftright_view *view,
                                           const void *sought)
{
    return view_find(by, view, sought).entry != NULL;
}

const void *cm_any_leftright_lookup_view_get(const cm_any_leftright_lookup *by, const cm_any_leftright_view *view,
                                             const void *sought)
{
    struct cm_flat_place_ place = view_find(by, view, sought);
    return place.entry ? cm_flat_value_(view->core.type, place) : NULL;
}

bool cm_any_leftright_lookup_view_get_key_value(const cm_any_leftright_lookup *by, const cm_any_leftright_view *view,
                                                const void *sought, const void **own, const void **value)
{
    return place_tell(view->core.type, view_find(by, view, sought), own, value);
}

size_t cm_any_leftright_lookup_view_get_many(const cm_any_leftright_lookup *by, const cm_any_leftright_view *view,
                                             const void *sought, size_t size, size_t n, const void **values)
{
    return cm_any_leftright_view_get_many_by_(TYPE_BY(by, view->core.type), view, sought, size, n, values);
}

/* ---- the writer ---- */

cm_status cm_any_leftright_lookup_writer_get(const cm_any_leftright_lookup *by, cm_any_leftright_writer *writer,
                                             const void *sought, void *value)
{
    return cm_any_leftright_writer_get_by_(TYPE_BY(by, type_in(writer->core)), writer, sought, value);
}

bool cm_any_leftright_lookup_writer_contains(const cm_any_leftright_lookup *by, cm_any_leftright_writer *writer,
                                             const void *sought)
{
    return cm_any_leftright_lookup_writer_get(by, writer, sought, NULL) == CM_OK;
}

#define BY(...) BY_(__VA_ARGS__)
#define BY_(function, by, writer, ...) function(TYPE_BY(by, type_in((writer)->core)), writer, __VA_ARGS__)

#define cm_any_leftright_lookup_update_in_(...) BY(cm_any_leftright_update_by_, __VA_ARGS__)
CM_SOUGHT_(cm_define, update, (, cm_status (*function)(void *, void *), void *context), (, function, context))

#define cm_any_leftright_lookup_remove_in_(...) BY(cm_any_leftright_remove_by_, __VA_ARGS__)
CM_SOUGHT_(cm_define, remove, (, void *old), (, old))

#define cm_any_leftright_lookup_take_in_(...) BY(cm_any_leftright_take_by_, __VA_ARGS__)
CM_SOUGHT_(cm_define, take, (, cm_any_leftright_taken *taken), (, taken))
