/* Keys, values and their checksums, the same in every language: Rust calls the functions of key.c. */
#ifndef BENCH_KEY_H
#define BENCH_KEY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A bijection, so that different numbers stay different keys (the finaliser of splitmix64). */
static inline uint64_t bench_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* The hash of u64 keys for each map that lets us choose: one multiplication to 128 bits, folded. */
static inline uint64_t bench_hash_u64(uint64_t key)
{
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)(key ^ UINT64_C(0x2d358dccaa6c78a5)) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* The hash of text keys for each map that lets us choose: SipHash-1-3, what both Rust and concmap take by default. */
uint64_t bench_hash_text(const char *text, size_t len);

/* Word j of the value that key number `key` is inserted with. Updates and upserts add one to word 0. */
static inline uint64_t bench_value_word(uint64_t key, size_t j)
{
    return (key >> 8) + j;
}

/* Writes `len` bytes: the number in 16 hexadecimal digits, after a common prefix. */
void bench_key_text(char *text, size_t len, uint64_t key);

/* What an entry adds to the checksum of a map's contents. */
uint64_t bench_digest_u64(uint64_t key, const uint64_t *words, size_t n);
uint64_t bench_digest_text(const char *text, size_t len, const uint64_t *words, size_t n);

#ifdef __cplusplus
}
#endif
#endif
