/* concmap's sharded map with XXH3 as the hash of texts, as for keys that no enemy chooses. */
#include <concmap/sharded.h>
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
#define OUR_MAP(...) CM_SHARDED_MAP(__VA_ARGS__) /* expands the instance's name first */

#define TEXT_HASH cm_hash_str_fast
#define GUARDS 0
#define ANCHORED 0
#define ADAPTER "../maps/our_instance.h"
#include "../core/instances.h"

const struct bench_ops *bench_sharded_xxh3_find(const char *name, bool text, size_t words)
{
    return strcmp(name, "sharded-xxh3") == 0 ? INSTANCE_FIND(single, text, words) : INSTANCE_FIND(batch, text, words);
}
