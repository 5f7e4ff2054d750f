/* The functions of the types that several files use. */
#include "shared_type.h"

CM_SHARDED_MAP_DEFINE(tallies, cm_str, uint64_t, cm_hash_str, cm_equal_str)
CM_SHARDED_SET_DEFINE(marks, uint64_t, cm_hash_u64, cm_equal_u64)
CM_PLAIN_MAP_DEFINE(ledger, cm_str, uint64_t, cm_hash_str, cm_equal_str)
CM_PLAIN_SET_DEFINE(stamps, uint64_t, cm_hash_u64, cm_equal_u64)
CM_MUTEX_MAP_DEFINE(vault, cm_str, uint64_t, cm_hash_str, cm_equal_str)
CM_ANCHORED_MAP_DEFINE(symbols, cm_str, uint64_t, cm_hash_str, cm_equal_str)
CM_ANCHORED_SET_DEFINE(atoms, cm_str, cm_hash_str, cm_equal_str)
CM_LEFTRIGHT_MAP_DEFINE(roster, cm_str, uint64_t, cm_hash_str, cm_equal_str)
CM_SAVED_DEFINE(tallies, 1, CM_UNCODED, CM_UNCODED)
CM_SAVED_SNAPSHOTS_DEFINE(tallies)
CM_SAVED_SET_DEFINE(marks, 1, CM_UNCODED)
CM_SWAP_DEFINE(shared_cell, uint64_t)
CM_PARTITIONED_MAP_DEFINE(depots, cm_str, uint64_t, cm_hash_str, cm_equal_str)
CM_LOCKED_MAP_DEFINE(vaults, cm_str, uint64_t, cm_hash_str, cm_equal_str)
CM_SAVED_DEFINE(symbols, 1, CM_UNCODED, CM_UNCODED)
CM_SAVED_SET_DEFINE(atoms, 1, CM_UNCODED)
