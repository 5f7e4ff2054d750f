/* The promises of every map, for kinds of keys and values in mutex maps. */
#include <concmap/mutex.h>

#include "buffer.h"
#include "crew.h"
#include "kinds.h"
#include "texts.h"
#include "unit.h"

#define SEQUENTIAL
#define BEHIND_A_MUTEX
#define NOT_SAVED

#define KIND(name, Key, Value, hash, equal) CM_MUTEX_MAP(name, Key, Value, hash, equal)
KINDS_PLAIN(KIND)
KIND_ADDRESSES(KIND)
#define OWNED(name, Key, Value, hash, equal) CM_MUTEX_MAP_OWNED(name, Key, Value, hash, equal, NAME_OWNED, NAME_OWNED)
KIND_OWNED(OWNED)
#include "kinds_suite.h"

int main(void)
{
    return kinds_run() != 0;
}
