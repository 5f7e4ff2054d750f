/* The adapters' entrances, one for each library: the table for these keys and values, or NULL. */
#ifndef BENCH_PEERS_H
#define BENCH_PEERS_H

#include "../core/map.h"

#ifdef __cplusplus
extern "C" {
#endif

const struct bench_ops *bench_rust_find(const char *name, bool text, size_t words);
const struct bench_ops *bench_flat_find(const char *name, bool text, size_t words);
const struct bench_ops *bench_tbb_find(const char *name, bool text, size_t words);
const struct bench_ops *bench_libcuckoo_find(const char *name, bool text, size_t words);
const struct bench_ops *bench_urcu_find(const char *name, bool text, size_t words);
const struct bench_ops *bench_ck_find(const char *name, bool text, size_t words);
const struct bench_ops *bench_glib_find(const char *name, bool text, size_t words);

/* concmap's own maps. */
const struct bench_ops *bench_sharded_find(const char *name, bool text, size_t words);
const struct bench_ops *bench_sharded_xxh3_find(const char *name, bool text, size_t words);
const struct bench_ops *bench_guards_find(const char *name, bool text, size_t words);
const struct bench_ops *bench_anchored_find(const char *name, bool text, size_t words);
const struct bench_ops *bench_anchored_domain_find(const char *name, bool text, size_t words);
const struct bench_ops *bench_anchored_in_place_find(const char *name, bool text, size_t words);
const struct bench_ops *bench_plain_find(const char *name, bool text, size_t words);
const struct bench_ops *bench_partitioned_find(const char *name, bool text, size_t words);
const struct bench_ops *bench_locked_find(const char *name, bool text, size_t words);
const struct bench_ops *bench_mutex_find(const char *name, bool text, size_t words);
const struct bench_ops *bench_leftright_find(const char *name, bool text, size_t words);
const struct bench_ops *bench_multimap_find(const char *name, bool text, size_t words);

#ifdef __cplusplus
}
#endif
#endif
