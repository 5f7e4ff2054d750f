/* A map and a set that several files use, defined in one of them. */
#ifndef CONCMAP_TESTS_SHARED_TYPE_H
#define CONCMAP_TESTS_SHARED_TYPE_H

#include <concmap/anchored_set.h>
#include <concmap/mutex.h>
#include <concmap/saved.h>
#include <concmap/sharded_set.h>

CM_SHARDED_MAP_DECLARE(tallies, cm_str, uint64_t)
CM_SHARDED_SET_DECLARE(marks, uint64_t)
CM_PLAIN_MAP_DECLARE(ledger, cm_str, uint64_t)
CM_MUTEX_MAP_DECLARE(vault, cm_str, uint64_t)
CM_ANCHORED_MAP_DECLARE(symbols, cm_str, uint64_t)
CM_ANCHORED_SET_DECLARE(atoms, cm_str)
CM_SAVED_DECLARE(tallies)
CM_SAVED_SET_DECLARE(marks)
CM_SAVED_DECLARE(symbols)
CM_SAVED_SET_DECLARE(atoms)

#endif
