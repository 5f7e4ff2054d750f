/* The promises of every map, for kinds of keys and values in locked maps. */
#include <concmap/locked_saved.h>

#include "buffer.h"
#include "crew.h"
#include "kinds.h"
#include "texts.h"
#include "unit.h"

#define BY_MESSAGES /* a walk gives entries out, and values to functions */

#define KIND(name, Key, Value, hash, equal)                                                                            \
    CM_LOCKED_MAP(name, Key, Value, hash, equal)                                                                       \
    CM_LOCKED_SAVED(name, 1)
KINDS_PLAIN(KIND)
#define ADDRESSES(name, Key, Value, hash, equal)                                                                       \
    CM_LOCKED_MAP(name, Key, Value, hash, equal)                                                                       \
    CM_LOCKED_SAVED_CODED(name, 1, ADDRESS_CODED, ADDRESS_CODED)
KIND_ADDRESSES(ADDRESSES)
#define OWNED(name, Key, Value, hash, equal)                                                                           \
    CM_LOCKED_MAP_OWNED(name, Key, Value, hash, equal, NAME_OWNED, NAME_OWNED)                                         \
    CM_LOCKED_SAVED_CODED(name, 1, NAME_CODED, NAME_CODED)
KIND_OWNED(OWNED)

#include "kinds_suite.h"

int main(void)
{
    return kinds_run() != 0;
}
