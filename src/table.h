/* Making and freeing tables. Internal. */
#ifndef CONCMAP_SRC_TABLE_H
#define CONCMAP_SRC_TABLE_H

#include <concmap/detail/map.h>

/* The entries a table of so many buckets is meant for: two thirds of its slots. */
uint64_t cm_table_capacity_(struct cm_layout_ layout, uint64_t buckets);
/* A power of two of buckets that `entries` fit in; 0: there is none. */
uint64_t cm_table_buckets_for_(struct cm_layout_ layout, size_t entries);

/* A table of empty buckets, all zero. NULL: no memory. */
struct cm_table_ *cm_table_make_(struct cm_map_ *map, struct cm_layout_ layout, uint64_t buckets);
/* Frees a table at once. */
void cm_table_free_(struct cm_map_ *map, struct cm_table_ *table);
/* Frees a part of it; true when all is gone. */
bool cm_table_free_part_(struct cm_map_ *map, struct cm_table_ *table);
/* Gives back a part of its buckets, but keeps their addresses; true when nothing more of it can be given back. */
bool cm_table_empty_part_(struct cm_map_ *map, struct cm_table_ *table);
/* Adds a chunk of overflow buckets, of `least` or more. False: no memory. */
bool cm_overflow_supply_(struct cm_map_ *map, struct cm_table_ *table, struct cm_layout_ layout, uint64_t least);
/* Whether the next overflow bucket can be taken without supply. A hint while others take. */
bool cm_overflow_has_(const struct cm_table_ *table, uint64_t wanted);

static inline bool cm_table_is_empty_(const struct cm_table_ *table)
{
    return table == &cm_empty_table_.header;
}

static inline uint64_t cm_table_buckets_(const struct cm_table_ *table)
{
    return table->mask + 1;
}

/* Asks for growth, or for reclamation: writers look at this. */
void cm_map_want_work_(struct cm_map_ *map);
/* Gives back a part of what waits for readers; true when nothing waits. */
bool cm_map_reclaim_(struct cm_map_ *map, bool patient);
/* Hangs a next table on the newest one, if it is too full, or smaller than `least` buckets. CM_NOMEM: there is no
 * memory. */
cm_status cm_map_grow_(struct cm_map_ *map, const struct cm_type *type, uint64_t least);
/* Hangs a next table of so many buckets on, or of a sixteenth of the newest one's, if that is larger than `buckets`. */
cm_status cm_map_shrink_(struct cm_map_ *map, const struct cm_type *type, uint64_t buckets);
/* Moves up to `buckets` buckets; true while buckets remain that may be moved now. */
bool cm_map_move_some_(struct cm_map_ *map, const struct cm_type *type, uint64_t buckets);

#endif
