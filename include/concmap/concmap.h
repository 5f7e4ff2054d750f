/* Everything of concmap. */
#ifndef CONCMAP_CONCMAP_H
#define CONCMAP_CONCMAP_H

#include <concmap/anchored_set.h>
#include <concmap/any_anchored.h>
#include <concmap/any_leftright.h>
#include <concmap/any_lookup.h>
#include <concmap/any_multimap.h>
#include <concmap/cache.h>
#include <concmap/counted.h>
#include <concmap/domain.h>
#include <concmap/leftright.h>
#include <concmap/leftright_multimap.h>
#include <concmap/leftright_saved.h>
#include <concmap/leftright_set.h>
#include <concmap/locked.h>
#include <concmap/locked_saved.h>
#include <concmap/lookup.h>
#include <concmap/mutex.h>
#include <concmap/partitioned.h>
#include <concmap/partitioned_saved.h>
#include <concmap/plain_set.h>
#include <concmap/printed.h>
#include <concmap/saved.h>
#include <concmap/sharded_set.h>
#include <concmap/swap.h>

#endif
