/* Printing of dynamic maps: what CM_PRINTED (printed.h) makes for typed ones, with printers that are arguments. */
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

/* A line. */
static cm_status entry_print(const struct cm_any_walk_ *walk, cm_any_printer *print_key, cm_any_printer *print_value,
                             cm_write_text *write, void *context)
{
    const struct cm_type *type = &walk->map->type;
    cm_status status = part_print(walk->key, type->key_size, print_key, write, context);
    if (status >= 0 && type->value_size) {
        status = cm_print_plain(": ", write, context);
        if (status >= 0)
            status = part_print(walk->value, type->value_size, print_value, write, context);
    }
    return status < 0 ? status : cm_print_plain("\n", write, context);
}

static cm_status cm_any_print_in_(const cm_any *map, cm_any_printer *print_key, cm_any_printer *print_value,
                                  cm_write_text *write, void *context, cm_deadline deadline)
{
    struct cm_any_walk_ walk;
    cm_stats stats;
    if (!print_key && map->type.key_text)
        print_key = cm_any_print_text;
    cm_any_stats(map, &stats);
    cm_status status = cm_print_stats(&stats, write, context);
    cm_any_walk_begin_(&walk, map);
    while (status >= 0 && cm_any_walk_next_(&walk, deadline))
        status = entry_print(&walk, print_key, print_value, write, context);
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
