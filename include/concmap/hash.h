/* Hash functions and equalities for keys. Every hash takes the map's seed.
 *
 * Integers take a keyed multiply-fold: key ^ seed times an odd constant, high half xor low half of the 128-bit product. It is
 * one multiplication; who does not know the seed cannot choose colliding keys by accident, but it is no cryptography. Bytes
 * take SipHash-1-3, which resists an attacker who chooses keys; cm_hash_str_fast (XXH3) resists none. */
#ifndef CONCMAP_HASH_H
#define CONCMAP_HASH_H

#include <concmap/str.h>

CM_BEGIN_DECLS

#define CM_HASH_MULTIPLIER_ UINT64_C(0x9e3779b97f4a7c15)

/* Mixes 64 bits with a seed: all bits of the result depend on all bits of both. */
CM_INLINE uint64_t cm_hash_mix(uint64_t x, uint64_t seed)
{
    __extension__ unsigned __int128 product = (unsigned __int128)(x ^ seed) * CM_HASH_MULTIPLIER_;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Adds a hash to another, for keys of several members; the order counts. A struct key {uint64_t a; uint32_t b;} is hashed by
 * cm_hash_combine(cm_hash_u64(&key->a, seed), cm_hash_u32(&key->b, seed)). */
CM_INLINE uint64_t cm_hash_combine(uint64_t a, uint64_t b)
{
    return cm_hash_mix(a, b * 2 + 1);
}

/* The integer hashes, and the equality of each type. */
CM_TYPED uint64_t cm_hash_u64(const uint64_t *key, uint64_t seed)
{
    return cm_hash_mix(*key, seed);
}

CM_TYPED uint64_t cm_hash_i64(const int64_t *key, uint64_t seed)
{
    return cm_hash_mix((uint64_t)*key, seed);
}

CM_TYPED uint64_t cm_hash_u32(const uint32_t *key, uint64_t seed)
{
    return cm_hash_mix(*key, seed);
}

CM_TYPED uint64_t cm_hash_i32(const int32_t *key, uint64_t seed)
{
    return cm_hash_mix((uint32_t)*key, seed);
}

CM_TYPED bool cm_equal_u64(const uint64_t *a, const uint64_t *b)
{
    return *a == *b;
}

CM_TYPED bool cm_equal_i64(const int64_t *a, const int64_t *b)
{
    return *a == *b;
}

CM_TYPED bool cm_equal_u32(const uint32_t *a, const uint32_t *b)
{
    return *a == *b;
}

CM_TYPED bool cm_equal_i32(const int32_t *a, const int32_t *b)
{
    return *a == *b;
}

/* SipHash-1-3 of bytes, its 128-bit key derived from the seed. After Aumasson and Bernstein. O(size). */
CM_API uint64_t cm_hash_bytes(const void *bytes, size_t size, uint64_t seed);
/* XXH3 of bytes: faster, and no protection from crafted keys. O(size). */
CM_API uint64_t cm_hash_bytes_fast(const void *bytes, size_t size, uint64_t seed);

/* Text by SipHash-1-3: the default for keys that come from outside. */
CM_TYPED uint64_t cm_hash_str(const cm_str *key, uint64_t seed)
{
    return cm_hash_bytes(key->data, key->len, seed);
}

/* Text by XXH3: for keys that no attacker chooses. */
CM_TYPED uint64_t cm_hash_str_fast(const cm_str *key, uint64_t seed)
{
    return cm_hash_bytes_fast(key->data, key->len, seed);
}

/* A fresh seed that nobody can guess, from the system's entropy. Cheap after the first call; a forked child has others. */
CM_API uint64_t cm_seed_random(void);

CM_END_DECLS

#endif
