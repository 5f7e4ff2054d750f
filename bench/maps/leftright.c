/* concmap's left-right map: by single gets, or by gets inside a view; every write published, or every 1024th. */
#include <concmap/leftright.h>

#define OUR_MAP(...) CM_LEFTRIGHT_MAP(__VA_ARGS__) /* expands the instance's name first */
#define MULTIMAP 0
#define GET map_get
#define VIEW_GET map_view_get
#define VALUES value
#include "leftright_family.h"

CANDIDATES(bench_leftright_find, "leftright")
