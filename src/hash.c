/* Hashes of bytes. */
#include <concmap/hash.h>

#include "siphash.h"

#define XXH_INLINE_ALL /* compiled into this file: no symbol of it leaves, none of the program's is taken */
#include <xxhash.h>

uint64_t cm_hash_bytes(const void *bytes, size_t size, uint64_t seed)
{
    /* Multiplied, because halves of a key that differ by a known xor would show through the first state. */
    return cm_siphash_(1, 3, seed, seed * CM_HASH_MULTIPLIER_, bytes, size);
}

uint64_t cm_hash_bytes_fast(const void *bytes, size_t size, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes, size, seed);
}
