/* concmap's left-right map: by single gets, or by gets inside a view; every write published, or every 1024th. */
#include <concmap/leftright.h>
#include <stdlib.h>
#include <string.h>

#include "../core/clock.h"
#include "../core/fatal.h"
#include "../core/map.h"
#include "../core/value.h"
#include "../peers/peers.h"

#define TEXT_KEY cm_str
#define TEXT_KEY_MAKE(text, n) ((cm_str){(text), (n)})
#define VIEW_GETS 64 /* gets inside one view */

#define OUR_MAP(...) CM_LEFTRIGHT_MAP(__VA_ARGS__) /* expands the instance's name first */
#define MULTIMAP 0
#define GET map_get
#define VIEW_GET map_view_get
#define VALUES value
#define ADAPTER "../maps/leftright_instance.h"
#include "../core/instances.h"

const struct bench_ops *bench_leftright_find(const char *name, bool text, size_t words)
{
    if (strcmp(name, "leftright") == 0)
        return INSTANCE_FIND(each, text, words);
    if (strcmp(name, "leftright+view") == 0)
        return INSTANCE_FIND(view, text, words);
    return INSTANCE_FIND(late, text, words);
}
