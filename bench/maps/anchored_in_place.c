/* concmap's anchored map, in the process's domain, with values that are changed where they are, by atomics. */
#include <concmap/anchored.h>
#include <concmap/domain.h>
#include <stdlib.h>
#include <string.h>

#include "../core/clock.h"
#include "../core/fatal.h"
#include "../core/map.h"
#include "../core/value.h"
#include "../peers/peers.h"
#include "batch.h"

#define TEXT_KEY cm_str
#define TEXT_KEY_MAKE(text, n) ((cm_str){(text), (n)})
#define OUR_MAP(...) CM_ANCHORED_MAP_MUTABLE(__VA_ARGS__) /* expands the instance's name first */

#define GUARDS 0
#define ANCHORED 1
#define IN_DOMAIN 1
#define IN_PLACE 1
#define ADAPTER "../maps/our_instance.h"
#include "../core/instances.h"

const struct bench_ops *bench_anchored_in_place_find(const char *name, bool text, size_t words)
{
    return strcmp(name, "anchored-in-place") == 0 ? INSTANCE_FIND(single, text, words)
                                                  : INSTANCE_FIND(batch, text, words);
}
