/* The thin interface between the runner and a map: every adapter gives one such table for each pair of key and value.
 */
#ifndef BENCH_MAP_H
#define BENCH_MAP_H

#include "stream.h"

#ifdef __cplusplus
extern "C" {
#endif

struct bench_contents {
    uint64_t entries;
    uint64_t checksum; /* the digests of all entries, added up */
};

/* Rust has a copy of this declaration in peers/rust/src/interface.rs. */
struct bench_ops {
    void *(*create)(size_t capacity, unsigned threads); /* capacity 0: the map's own default */
    void (*fill)(void *map, const struct bench_stream *stream);
    void (*run)(void *map, unsigned thread, const struct bench_stream *stream, struct bench_tally *tally);
    /* The same, with the nanoseconds of each operation; a batch leaves its time in its first operation's place, and 0
     * in the others'. */
    void (*run_timed)(void *map, unsigned thread, const struct bench_stream *stream, struct bench_tally *tally,
                      uint32_t *nanoseconds);
    void (*contents)(void *map, struct bench_contents *contents);
    void (*destroy)(void *map);
};

struct bench_map {
    const char *name;
    const char *package;
    const char *version;
    const char *language;
    const char *summary;
    const char *missing; /* why it was not built; NULL: it was */
    bool ours;
    bool batch;           /* the same map by batches: "name+batch" */
    bool late;            /* what is written is seen by gets only after a later publication */
    bool copies;          /* a write copies the whole map: run where there are few writes */
    bool tombstones;      /* what was removed slows it down for good: run where less is removed than it holds */
    unsigned max_threads; /* 0: any number */
    /* The adapter for these keys (text or u64) and values (that many words), or NULL. */
    const struct bench_ops *(*find)(const char *name, bool text, size_t words);
};

extern const struct bench_map bench_maps[];
extern const size_t bench_maps_n;
const struct bench_map *bench_map_find(const char *name);

static inline bool bench_map_known(const struct bench_map *map)
{
    return map->find != NULL && map->missing == NULL;
}

#ifdef __cplusplus
}
#endif
#endif
