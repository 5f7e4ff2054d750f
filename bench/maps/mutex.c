/* concmap's mutex map, by single operations and by batches. */
#include <concmap/mutex.h>
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
#define OUR_MAP(...) CM_MUTEX_MAP(__VA_ARGS__) /* expands the instance's name first */

#define GUARDS 0
#define ANCHORED 0
#define ADAPTER "../maps/our_instance.h"
#include "../core/instances.h"

const struct bench_ops *bench_mutex_find(const char *name, bool text, size_t words)
{
    return strcmp(name, "mutex") == 0 ? INSTANCE_FIND(single, text, words) : INSTANCE_FIND(batch, text, words);
}
