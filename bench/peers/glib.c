/* GHashTable behind a GRWLock: readers share, writers are alone. Keys are copied; an entry is one block {key, value}.
 */
#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "../core/clock.h"
#include "../core/fatal.h"
#include "../core/map.h"
#include "../core/value.h"
#include "peers.h"
#include "text_key.h"

#define ADAPTER "../peers/glib_instance.h"
#include "../core/instances.h"

const struct bench_ops *bench_glib_find(const char *name, bool text, size_t words)
{
    (void)name;
    return INSTANCE_FIND(ops, text, words);
}
