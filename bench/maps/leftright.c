/* concmap's left-right map: by single gets, or by gets inside a view; every write published, or
 * every 1024th; or by batches. */
#include <concmap/leftright.h>

#define OUR_MAP(...) CM_LEFTRIGHT_MAP(__VA_ARGS__) /* expands the instance's name first */
#define MULTIMAP 0
#define GET map_get
#define VIEW_GET map_view_get
#define VALUES value
#include "leftright_family.h"

static CANDIDATES(leftright_single_find, "leftright")

    const struct bench_ops *bench_leftright_find(const char *name, bool text, size_t words)
{
    return strcmp(name, "leftright+batch") == 0 ? INSTANCE_FIND(batch, text, words)
                                                : leftright_single_find(name, text, words);
}
