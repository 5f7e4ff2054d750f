/* concmap's plain map, by single operations and by batches. */
#include <concmap/plain.h>
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
#define OUR_MAP(...) CM_PLAIN_MAP(__VA_ARGS__) /* expands the instance's name first */

static inline uint64_t their_hash(const uint64_t *key, uint64_t seed) { __extension__ typedef unsigned __int128 wide; wide product = (wide)(*key ^ seed) * UINT64_C(0x9e3779b97f4a7c15); return (uint64_t)product ^ (uint64_t)(product >> 64); }
#define HASH_U64 their_hash
#define GUARDS 0
#define ADAPTER "../maps/our_instance.h"
#include "../core/instances.h"

const struct bench_ops *bench_plain_find(const char *name, bool text, size_t words)
{
    return strcmp(name, "plain") == 0 ? INSTANCE_FIND(single, text, words) : INSTANCE_FIND(batch, text, words);
}
