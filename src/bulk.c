/* Exchanging maps. */
#include <concmap/detail/bulk.h>

cm_status cm_map_init_like_(struct cm_map_ *map, const struct cm_type *type, const struct cm_map_ *like,
                            size_t capacity)
{
    cm_config config = {.capacity = like->fixed ? like->fixed : capacity,
                        .fixed = like->fixed != 0,
                        .seed = like->seed,
                        .allocator = like->allocator.allocate ? &like->allocator : NULL,
                        .shrink = like->shrinks,
                        .budget = like->budget,
                        .references = like->domain ? CM_DOMAIN : CM_KEEP,
                        .domain = like->domain,
                        .context = like->context};
    return cm_map_init_(map, type, &config, CM_LAYOUT_VERSION_, sizeof *map);
}

void cm_map_limit_like_(struct cm_map_ *map, const struct cm_map_ *like)
{
    map->limit = like->limit;
    map->admitted = map->limit ? cm_map_len_(map) : 0;
}

/* The map has moved in memory: tables know where its count of waiters is. */
static void tables_follow(struct cm_map_ *map)
{
    for (struct cm_table_ *table = map->root; table && table->waiters; table = table->next)
        table->waiters = &map->waiters;
    for (struct cm_table_ *table = map->retired; table; table = table->retired_next)
        table->waiters = &map->waiters;
}

void cm_map_swap_(struct cm_map_ *a, struct cm_map_ *b)
{
    struct cm_map_ first = *a, second = *b;
    *a = second;
    *b = first;
    a->shares = first.shares, a->home = first.home;
    b->shares = second.shares, b->home = second.home;
    tables_follow(a);
    tables_follow(b);
    cm_holds_swap_(&a->waiters, &b->waiters);
}
