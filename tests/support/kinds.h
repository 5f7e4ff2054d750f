/* Kinds of keys and values that every map has to do with. */
#ifndef CONCMAP_TESTS_KINDS_H
#define CONCMAP_TESTS_KINDS_H

#include <concmap/hash.h>
#include <concmap/saved.h>
#include <stdlib.h>

#include "names.h"

struct session {
    uint64_t user;
    int64_t last_seen;
    uint32_t hits;
};

struct page {
    uint64_t words[32];
};

/* A key with an equality of its own: only the first member counts. */
struct tagged {
    uint32_t id;
    uint32_t note;
    uint64_t other;
};

static inline uint64_t tagged_hash(const struct tagged *key, uint64_t seed)
{
    return cm_hash_u32(&key->id, seed);
}

static inline bool tagged_equal(const struct tagged *a, const struct tagged *b)
{
    return a->id == b->id;
}

/* A key and a value that ask for more alignment than allocators give; each use of them counts those who lack it. */
struct wide {
    uint64_t id;
} __attribute__((aligned(32)));

struct line {
    uint64_t words[8];
} __attribute__((aligned(64)));

static size_t misaligned;

static inline uint64_t wide_hash(const struct wide *key, uint64_t seed)
{
    misaligned += (uintptr_t)key % 32 != 0;
    return cm_hash_u64(&key->id, seed);
}

static inline bool wide_equal(const struct wide *a, const struct wide *b)
{
    misaligned += (uintptr_t)a % 32 != 0 || (uintptr_t)b % 32 != 0;
    return a->id == b->id;
}

static inline cm_status line_touch(struct line *line, void *context)
{
    (void)context;
    misaligned += (uintptr_t)line % 64 != 0;
    line->words[7]++;
    return CM_OK;
}

/* A hash that makes all keys collide but for a few. */
static inline uint64_t bad_hash(const uint64_t *key, uint64_t seed)
{
    (void)seed;
    return *key % 8;
}

/* An identity, over keys that are multiples of 2^20. */
static inline uint64_t identity_hash(const uint64_t *key, uint64_t seed)
{
    (void)seed;
    return *key;
}

/* Keys that agree in their lower halves, which a search by halves cannot tell apart. */
static inline uint64_t high_key(uint64_t i)
{
    return i << 32 | 7;
}

/* Addresses. */
typedef void *handle;
typedef const char *label;

static inline cm_status name_encode(cm_encoder *to, const struct name *name, void *context)
{
    (void)context;
    cm_status status = cm_encode_u64(to, name->number);
    return status < 0 ? status : cm_encode_bytes(to, name->text, strlen(name->text));
}

static inline cm_status name_decode(struct name *name, cm_decoder *from, void *context)
{
    char text[8];
    (void)context;
    cm_status status = cm_decode_u64(from, &name->number);
    size_t size = cm_decode_left(from);
    if (status < 0 || size >= sizeof text)
        return CM_CORRUPT;
    status = cm_decode_bytes(from, text, size);
    name->text = size == 3 && memcmp(text, "key", 3) == 0 ? "key" : "value";
    return status;
}

static inline cm_status address_encode(cm_encoder *to, const void *address, void *context)
{
    (void)context;
    return cm_encode_u64(to, (uint64_t)(uintptr_t) * (char *const *)address);
}

static inline cm_status address_decode(void *address, cm_decoder *from, void *context)
{
    uint64_t number = 0;
    (void)context;
    cm_status status = cm_decode_u64(from, &number);
    *(char **)address = (char *)(uintptr_t)number;
    return status;
}

/* Each kind: KIND(name, Key, Value, hash, equal). Of the last two, keys and values are owned, or addresses. */
#define KINDS_PLAIN(KIND)                                                                                              \
    KIND(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)                                                          \
    KIND(highs, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)                                                         \
    KIND(smalls, uint32_t, uint32_t, cm_hash_u32, cm_equal_u32)                                                        \
    KIND(bytes, uint32_t, uint16_t, cm_hash_u32, cm_equal_u32)                                                         \
    KIND(sessions, uint64_t, struct session, cm_hash_u64, cm_equal_u64)                                                \
    KIND(pages, uint64_t, struct page, cm_hash_u64, cm_equal_u64)                                                      \
    KIND(structs, struct tagged, uint64_t, tagged_hash, tagged_equal)                                                  \
    KIND(words, cm_str, uint64_t, cm_hash_str, cm_equal_str)                                                           \
    KIND(longs, cm_str, struct page, cm_hash_str_fast, cm_equal_str)                                                   \
    KIND(crowds, uint64_t, uint64_t, bad_hash, cm_equal_u64)                                                           \
    KIND(strides, uint64_t, uint64_t, identity_hash, cm_equal_u64)                                                     \
    KIND(aligned, struct wide, struct line, wide_hash, wide_equal)
#define KIND_OWNED(KIND) KIND(owners, struct name, struct name, name_hash, name_equal)
#define KIND_ADDRESSES(KIND) KIND(pointers, handle, label, cm_hash_ptr, cm_equal_ptr)
/* How those are owned, and saved. */
#define NAME_OWNED CM_OWNED(name_clone, name_destroy)
#define NAME_CODED CM_CODED(name_encode, name_decode)
#define ADDRESS_CODED CM_CODED(address_encode, address_decode)

#endif
