/* The table of all maps, in the order in which they are listed and run. CMake says which were not built and why, by
 * BENCH_NO_<PEER>, and what version each package has, by BENCH_VERSION_<PEER>. */
#include <string.h>

#include "../peers/peers.h"
#include "bench_peers_config.h"
#include "map.h"

#define OURS(NAME, FIND, WHY, IS_BATCH, SUMMARY, ...)                                                                  \
    {                                                                                                                  \
        .name = NAME, .package = "concmap", .version = BENCH_VERSION_CONCMAP, .language = "C", .summary = SUMMARY,     \
        .missing = WHY, .ours = true, .batch = IS_BATCH, .find = FIND, __VA_ARGS__                                     \
    }
#define RUST(NAME, PACKAGE, VERSION, SUMMARY, ...)                                                                     \
    {                                                                                                                  \
        .name = NAME, .package = PACKAGE, .version = VERSION, .language = "Rust", .summary = SUMMARY,                  \
        .missing = BENCH_NO_RUST, .find = BENCH_FIND_RUST, __VA_ARGS__                                                 \
    }
#define PEER(NAME, PACKAGE, LIBRARY, LANGUAGE, SUMMARY, ...)                                                           \
    {                                                                                                                  \
        .name = NAME, .package = PACKAGE, .version = BENCH_VERSION_##LIBRARY, .language = LANGUAGE,                    \
        .summary = SUMMARY, .missing = BENCH_NO_##LIBRARY, .find = BENCH_FIND_##LIBRARY, __VA_ARGS__                   \
    }

const struct bench_map bench_maps[] = {
    OURS("sharded", BENCH_FIND_SHARDED, BENCH_NO_SHARDED, false,
         "bucket locks, reads without a lock; single operations"),
    OURS("sharded+batch", BENCH_FIND_SHARDED, BENCH_NO_SHARDED, true, "the same by get_many and apply_many"),
    OURS("sharded+guards", bench_guards_find, BENCH_NO_SHARDED, false, "the same by guards and entries"),
    OURS("sharded-xxh3", bench_sharded_xxh3_find, NULL, false, "the sharded map; texts hashed by XXH3"),
    OURS("sharded-xxh3+batch", bench_sharded_xxh3_find, NULL, true, "the same by get_many and apply_many"),
    OURS("anchored", bench_anchored_find, NULL, false, "addresses that stay; what is removed is kept"),
    OURS("anchored+batch", bench_anchored_find, NULL, true, "the same by get_many and apply_many"),
    OURS("anchored-domain", bench_anchored_domain_find, NULL, false, "the same, reporting every 64 changes"),
    OURS("anchored-domain+batch", bench_anchored_domain_find, NULL, true, "the same, reporting after each batch"),
    OURS("anchored-in-place", bench_anchored_in_place_find, NULL, false,
         "in a domain, too; values are changed where they are, by atomics"),
    OURS("anchored-in-place+batch", bench_anchored_in_place_find, NULL, true, "the same by get_many and apply_many"),
    OURS("plain", bench_plain_find, NULL, false, "one table, for one thread", .max_threads = 1),
    OURS("plain+batch", bench_plain_find, NULL, true, "the same by get_many and apply_many", .max_threads = 1),
    OURS("mutex", bench_mutex_find, NULL, false, "the same behind one lock"),
    OURS("mutex+batch", bench_mutex_find, NULL, true, "the same by get_many and apply_many"),
    OURS("locked", bench_locked_find, NULL, false, "counted entries, each with a lock of its own"),
    OURS("locked+batch", bench_locked_find, NULL, true, "the same by get_many and apply_many"),
    OURS("leftright", bench_leftright_find, NULL, false, "left-right; a shared writer, every write published"),
    OURS("leftright+view", bench_leftright_find, NULL, false, "the same with a view for 64 gets"),
    OURS("leftright-1024", bench_leftright_find, NULL, false, "the same, published every 1024 writes", .late = true),
    OURS("leftright+batch", bench_leftright_find, NULL, true, "by get_many and apply_many, each of which publishes"),
    OURS("multimap", bench_multimap_find, NULL, false, "left-right with several values per key, of which we keep one"),
    OURS("multimap+view", bench_multimap_find, NULL, false, "the same with a view for 64 gets"),
    OURS("multimap-1024", bench_multimap_find, NULL, false, "the same, published every 1024 writes", .late = true),
    OURS("partitioned", bench_partitioned_find, NULL, false,
         "an owner with a plain map for each processor, asked one by one"),
    OURS("partitioned+batch", bench_partitioned_find, NULL, true, "the same by batches, four under way"),
    OURS("partitioned+lent", bench_partitioned_find, NULL, true, "the same, by owners that lend their partitions"),
    OURS("partitioned+own", bench_partitioned_find, NULL, true,
         "the same without owners of its own: each thread of the benchmark owns a part"),
    RUST("dashmap", "dashmap", BENCH_VERSION_DASHMAP, "a locked table per shard, four shards a core"),
    RUST("dashmap-128", "dashmap", BENCH_VERSION_DASHMAP, "the same with 128 shards"),
    RUST("dashmap-xxh3", "dashmap", BENCH_VERSION_DASHMAP, "dashmap; texts hashed by XXH3"),
    RUST("dashmap-128-xxh3", "dashmap", BENCH_VERSION_DASHMAP, "the same with 128 shards"),
    RUST("papaya", "papaya", BENCH_VERSION_PAPAYA, "lock-free open addressing; a pin for each operation"),
    RUST("papaya-pinned", "papaya", BENCH_VERSION_PAPAYA, "the same with a pin for 64 operations"),
    RUST("flashmap", "flashmap", BENCH_VERSION_FLASHMAP,
         "left-right; one writer behind a mutex, every write published"),
    RUST("flashmap-1024", "flashmap", BENCH_VERSION_FLASHMAP, "the same, published every 1024 writes", .late = true),
    RUST("evmap", "evmap", BENCH_VERSION_EVMAP, "left-right; one writer behind a mutex, every write published"),
    RUST("evmap-1024", "evmap", BENCH_VERSION_EVMAP, "the same, published every 1024 writes", .late = true),
    RUST("anchormap", "anchormap", BENCH_VERSION_ANCHORMAP, "entries that never move"),
    RUST("scc", "scc", BENCH_VERSION_SCC, "bucket locks, grows bit by bit"),
    RUST("std-mutex", "std", BENCH_VERSION_RUSTC, "Mutex<HashMap<K, V>>"),
    RUST("std-rwlock", "std", BENCH_VERSION_RUSTC, "RwLock<HashMap<K, Mutex<V>>>"),
    RUST("arc-rwlock", "std", BENCH_VERSION_RUSTC, "RwLock<Arc<HashMap<K, V>>>, copied by each write", .copies = true),
    PEER("tbb", "libtbb-dev", TBB, "C++", "tbb::concurrent_hash_map: a chain and a lock per bucket"),
    PEER("libcuckoo", "libcuckoo-dev", LIBCUCKOO, "C++", "cuckoo hashing, striped locks"),
    PEER("urcu-lfht", "liburcu-dev", URCU, "C", "cds_lfht: split-ordered lists under RCU"),
    PEER("ck-ht", "libck-dev", CK, "C", "one writer behind a mutex, readers without a lock", .tombstones = true),
    PEER("glib-rwlock", "libglib2.0-dev", GLIB, "C", "GHashTable behind a GRWLock"),
    PEER("flat-mutex", "libboost1.81-dev", FLAT, "C++", "boost::unordered_flat_map behind a std::mutex"),
    PEER("flat-unlocked", "libboost1.81-dev", FLAT, "C++", "the same without a lock: the bound for one thread",
         .max_threads = 1),
    PEER("flat-keyed", "libboost1.81-dev", FLAT, "C++", "the same by concmap's hash of numbers", .max_threads = 1),
};

const size_t bench_maps_n = sizeof bench_maps / sizeof *bench_maps;

const struct bench_map *bench_map_find(const char *name)
{
    for (size_t i = 0; i < bench_maps_n; i++)
        if (strcmp(bench_maps[i].name, name) == 0)
            return &bench_maps[i];
    return NULL;
}
