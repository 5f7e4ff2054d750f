/* concmap's partitioned map: by single operations and by batches, asked of threads of its own, and by batches among
 * threads that own the partitions themselves. */
#include <concmap/partitioned.h>
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
#define OUR_MAP(...) CM_PARTITIONED_MAP(__VA_ARGS__) /* expands the instance's name first */

#define FLOW_DEPTH 4 /* batches that a thread has under way */

#define GUARDS 0
#define ADAPTER "../maps/partitioned_instance.h"
#include "../core/instances.h"

const struct bench_ops *bench_partitioned_find(const char *name, bool text, size_t words)
{
    if (strcmp(name, "partitioned+lent") == 0)
        return INSTANCE_FIND(lent, text, words);
    if (strcmp(name, "partitioned+own") == 0)
        return INSTANCE_FIND(flows, text, words);
    return strcmp(name, "partitioned") == 0 ? INSTANCE_FIND(single, text, words) : INSTANCE_FIND(threads, text, words);
}
