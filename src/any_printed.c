/* Printing of dynamic maps: what CM_PRINTED (printed.h) makes for typed ones, with printers that are arguments. */
#include <concmap/any_leftright.h>
#include <concmap/any_multimap.h>

#include "any_core.h"

cm_status cm_any_print_u32(const void *what, cm_write_text *write, void *context)
{
    return cm_print_u32(what, write, context);
}

cm_status cm_any_print_u64(const void *what, cm_write_text *write, void *context)
{
    return cm_print_u64(what, write, context);
}

cm_status cm_any_print_text(const void *what, cm_write_text *write, void *context)
{
    return cm_print_str(what, write, context);
}

/* By its printer, or, where there is none, as bytes. */
static cm_status part_print(const void *part, size_t size, cm_any_printer *print, cm_write_text *write, void *context)
{
    return print ? print(part, write, context) : cm_print_bytes(part, size, write, context);
}

/* By its printer, or, where there is none, as what it is. */
static cm_status key_print(const void *key, const struct cm_type *type, cm_any_printer *print, cm_write_text *write,
                           void *context)
{
    return part_print(key, type->key_size, !print && type->key_text ? cm_any_print_text : print, write, context);
}

/* `count` values, each of `size` bytes, behind their key, and the end of the line. */
static cm_status values_print(const char *values, size_t size, size_t count, cm_any_printer *print,
                              cm_write_text *write, void *context)
{
    cm_status status = CM_OK;
    for (size_t i = 0; i < count && status >= 0; i++) {
        status = cm_print_plain(i ? ", " : ": ", write, context);
        if (status >= 0)
            status = part_print(values + i * size, size, print, write, context);
    }
    return status < 0 ? status : cm_print_plain("\n", write, context);
}

/* A line. */
static cm_status entry_print(const void *key, const void *value, const struct cm_type *type, cm_any_printer *print_key,
                             cm_any_printer *print_value, cm_write_text *write, void *context)
{
    cm_status status = key_print(key, type, print_key, write, context);
    return status < 0 ? status
                      : values_print(value, type->value_size, type->value_size != 0, print_value, write, context);
}

static cm_status cm_any_print_in_(const cm_any *map, cm_any_printer *print_key, cm_any_printer *print_value,
                                  cm_write_text *write, void *context, cm_deadline deadline)
{
    struct cm_any_walk_ walk;
    cm_stats stats;
    cm_any_stats(map, &stats);
    cm_status status = cm_print_stats(&stats, write, context);
    cm_any_walk_begin_(&walk, map);
    while (status >= 0 && cm_any_walk_next_(&walk, deadline))
        status = entry_print(walk.key, walk.value, &map->type, print_key, print_value, write, context);
    cm_any_walk_end_(&walk);
    return status < 0 ? status : walk.status < 0 ? walk.status : CM_OK;
}
CM_TWINS_(cm_define, cm_any, print,
          (const cm_any *map, cm_any_printer *print_key, cm_any_printer *print_value, cm_write_text *write,
           void *context),
          (map, print_key, print_value, write, context))

static cm_status cm_any_anchored_print_in_(const cm_any_anchored *map, cm_any_printer *print_key,
                                           cm_any_printer *print_value, cm_write_text *write, void *context,
                                           cm_deadline deadline)
{
    return cm_any_print_in_(&map->any, print_key, print_value, write, context, deadline);
}
CM_TWINS_(cm_define, cm_any_anchored, print,
          (const cm_any_anchored *map, cm_any_printer *print_key, cm_any_printer *print_value, cm_write_text *write,
           void *context),
          (map, print_key, print_value, write, context))

/* ---- views of left-right maps ---- */

cm_status cm_any_leftright_view_print(const cm_any_leftright_view *view, cm_any_printer *print_key,
                                      cm_any_printer *print_value, cm_write_text *write, void *context)
{
    const struct cm_type *type = view->core.type;
    cm_any_leftright_view_iter it = cm_any_leftright_view_iter_begin(view);
    cm_status status =
        cm_print_view_(cm_any_leftright_view_len(view), cm_any_leftright_view_meta(view), write, context);
    while (status >= 0 && cm_any_leftright_view_iter_next(&it))
        status = entry_print(it.key, it.value, type, print_key, print_value, write, context);
    return status < 0 ? status : CM_OK;
}

cm_status cm_any_multimap_view_print(const cm_any_multimap_view *view, cm_any_printer *print_key,
                                     cm_any_printer *print_value, cm_write_text *write, void *context)
{
    const struct cm_type *type = view->core.type, *values = type->several_;
    cm_any_multimap_view_iter it = cm_any_multimap_view_iter_begin(view);
    cm_status status = cm_print_view_(cm_any_multimap_view_len(view), cm_any_multimap_view_meta(view), write, context);
    if (!print_value && values->key_text)
        print_value = cm_any_print_text;
    while (status >= 0 && cm_any_multimap_view_iter_next(&it)) {
        status = key_print(it.key, type, print_key, write, context);
        if (status >= 0)
            status = values_print(it.values, values->key_size, it.count, print_value, write, context);
    }
    return status < 0 ? status : CM_OK;
}
