/* A map under test: what the driver calls. Each map runs the streams in a loop compiled in its own language. */
#ifndef CONCMAP_BENCH_MAP_H
#define CONCMAP_BENCH_MAP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum op { OP_GET, OP_PUT, OP_REMOVE, OP_UPDATE, OP_UPSERT };

/* Operations made ahead of time. Values begin with a word that is set to the key, and that updates count up. */
struct stream {
    const uint8_t *ops;
    const uint64_t *keys;
    size_t count;
};

/* Runs a stream and returns a checksum of its results; where `slowest` is not NULL it takes the longest put, in ns. */
typedef uint64_t run_stream(void *map, const struct stream *stream, uint64_t *slowest);

struct map_kind {
    const char *name;
    void *(*make)(size_t capacity, size_t option);
    size_t option;
    run_stream *run;
    void (*destroy)(void *map);
};

/* The value sizes, in words, that every map is compiled for. */
#define VALUE_SIZES(X) X(1) X(3) X(8) X(32)

/* The seed of cm_hash_u64, which every map hashes by, so that none wins by its hash. */
#define BENCH_SEED UINT64_C(0x1234567890abcdef)

#define DECLARE_MAPS(words)                                                                                            \
    void *sharded_make_##words(size_t capacity, size_t option);                                                        \
    run_stream sharded_run_##words;                                                                                    \
    run_stream sharded_batch_##words;                                                                                  \
    void sharded_destroy_##words(void *map);                                                                           \
    void *dashmap_make_##words(size_t capacity, size_t option);                                                        \
    run_stream dashmap_run_##words;                                                                                    \
    void dashmap_destroy_##words(void *map);                                                                           \
    void *flat_make_##words(size_t capacity, size_t option);                                                           \
    run_stream flat_run_##words;                                                                                       \
    void flat_destroy_##words(void *map);
VALUE_SIZES(DECLARE_MAPS)

#ifdef __cplusplus
}
#endif

#endif
