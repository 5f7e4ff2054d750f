/* What the left-right map and the multimap have in common as candidates: each file says before it includes this which
 * map it makes (OUR_MAP, MULTIMAP) and how its calls are named (GET, VIEW_GET, VALUES), and behind it CANDIDATES. */
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
#define VIEW_GETS 64 /* gets inside one view */

#define ADAPTER "../maps/leftright_instance.h"
#include "../core/instances.h"

/* Single gets, gets inside a view, and what is published seldom. */
#define CANDIDATES(find, each_name)                                                                                    \
    const struct bench_ops *find(const char *name, bool text, size_t words)                                            \
    {                                                                                                                  \
        if (strcmp(name, each_name) == 0)                                                                              \
            return INSTANCE_FIND(each, text, words);                                                                   \
        if (strcmp(name, each_name "+view") == 0)                                                                      \
            return INSTANCE_FIND(view, text, words);                                                                   \
        return INSTANCE_FIND(late, text, words);                                                                       \
    }
