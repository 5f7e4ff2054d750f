/* Types that several files use, defined in one of them. */
#ifndef CONCMAP_TESTS_SHARED_TYPE_H
#define CONCMAP_TESTS_SHARED_TYPE_H

#include <concmap/anchored_set.h>
#include <concmap/leftright_multimap.h>
#include <concmap/leftright_saved.h>
#include <concmap/locked_saved.h>
#include <concmap/mutex.h>
#include <concmap/partitioned_saved.h>
#include <concmap/plain_set.h>
#include <concmap/saved.h>
#include <concmap/sharded_set.h>
#include <concmap/swap.h>

CM_SHARDED_MAP_DECLARE(tallies, cm_str, uint64_t)
CM_SHARDED_SET_DECLARE(marks, uint64_t)
CM_PLAIN_MAP_DECLARE(ledger, cm_str, uint64_t)
CM_PLAIN_SET_DECLARE(stamps, uint64_t)
CM_MUTEX_MAP_DECLARE(vault, cm_str, uint64_t)
CM_ANCHORED_MAP_DECLARE(symbols, cm_str, uint64_t)
CM_ANCHORED_SET_DECLARE(atoms, cm_str)
CM_LEFTRIGHT_MAP_DECLARE(roster, cm_str, uint64_t)
CM_LEFTRIGHT_MULTIMAP_DECLARE(crowds, cm_str, uint64_t)
CM_PARTITIONED_MAP_DECLARE(depots, cm_str, uint64_t)
CM_LOCKED_MAP_DECLARE(vaults, cm_str, uint64_t)
CM_SAVED_DECLARE(tallies)
CM_SAVED_SNAPSHOTS_DECLARE(tallies)
CM_SAVED_SET_DECLARE(marks)
CM_SWAP_DECLARE(shared_cell, uint64_t)
CM_SAVED_DECLARE(symbols)
CM_LOCKED_SAVED_DECLARE(vaults)
CM_PARTITIONED_SAVED_DECLARE(depots)
CM_SAVED_SET_DECLARE(atoms)
CM_LEFTRIGHT_SAVED_DECLARE(roster)
CM_LEFTRIGHT_SAVED_DECLARE(crowds)

#endif
