/* concmap's left-right multimap, as leftright.c has the map. */
#include <concmap/leftright_multimap.h>
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

#define OUR_MAP(name, Key, Value, hash, equal)                                                                         \
    CM_LEFTRIGHT_MULTIMAP(name, Key, Value, hash, equal, NAME(value_hash), NAME(value_equal))
#define MULTIMAP 1
#define GET map_get_one
#define VIEW_GET map_view_get_one
#define VALUES values
#define ADAPTER "../maps/leftright_instance.h"
#include "../core/instances.h"

const struct bench_ops *bench_multimap_find(const char *name, bool text, size_t words)
{
    if (strcmp(name, "multimap") == 0)
        return INSTANCE_FIND(each, text, words);
    if (strcmp(name, "multimap+view") == 0)
        return INSTANCE_FIND(view, text, words);
    return INSTANCE_FIND(late, text, words);
}
