/* liburcu's cds_lfht: split-ordered lists that grow and shrink by themselves, read under RCU (the membarrier flavour).
 * A value is changed as RCU wants it, by a changed copy that replaces the node; call_rcu frees what was unlinked. */
#include <urcu/rculfhash.h>
#include <urcu/urcu-memb.h>

#include "../core/clock.h"
#include "../core/map.h"
#include "../core/value.h"
#include "peers.h"
#include "text_key.h"

#define ADAPTER "../peers/urcu_instance.h"
#include "../core/instances.h"

const struct bench_ops *bench_urcu_find(const char *name, bool text, size_t words)
{
    (void)name;
    return INSTANCE_FIND(ops, text, words);
}
