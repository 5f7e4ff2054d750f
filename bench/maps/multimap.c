/* concmap's left-right multimap, as leftright.c has the map. */
#include <concmap/leftright_multimap.h>

#define OUR_MAP(name, Key, Value, hash, equal)                                                                         \
    CM_LEFTRIGHT_MULTIMAP(name, Key, Value, hash, equal, NAME(value_hash), NAME(value_equal))
#define MULTIMAP 1
#define GET map_get_one
#define VIEW_GET map_view_get_one
#define VALUES values
#include "leftright_family.h"

CANDIDATES(bench_multimap_find, "multimap")
