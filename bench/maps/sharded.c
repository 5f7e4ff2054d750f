/* The sharded map for every value size: sharded_instance.h once for each. */
#include <concmap/sharded.h>
#include <stdlib.h>
#include <time.h>

#include "../map.h"

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#define WORDS 1
#include "sharded_instance.h"
#define WORDS 3
#include "sharded_instance.h"
#define WORDS 8
#include "sharded_instance.h"
#define WORDS 32
#include "sharded_instance.h"
