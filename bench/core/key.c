/* Texts of keys, digests, and the hash of texts. */
#include "key.h"

#include <string.h>

void bench_key_text(char *text, size_t len, uint64_t key)
{
    static const char prefix[] = "/service/shop/tenant/0042/session/region-eu-1/v2/cart/item/0x00/";
    static const char digits[] = "0123456789abcdef";
    size_t common = len - 16;

    memcpy(text, prefix, common);
    for (size_t i = 0; i < 16; i++)
        text[common + i] = digits[key >> (60 - 4 * i) & 15];
}

static uint64_t words_digest(const uint64_t *words, size_t n)
{
    uint64_t sum = 0;

    for (size_t j = 0; j < n; j++)
        sum = sum * 31 + words[j];
    return bench_mix(sum);
}

uint64_t bench_digest_u64(uint64_t key, const uint64_t *words, size_t n)
{
    return bench_mix(bench_mix(key + 1) + words_digest(words, n));
}

uint64_t bench_digest_text(const char *text, size_t len, const uint64_t *words, size_t n)
{
    uint64_t fingerprint = len;

    for (size_t i = 0; i < len; i++)
        fingerprint = (fingerprint ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    return bench_mix(fingerprint + words_digest(words, n));
}

/* SipHash-1-3 (Aumasson, Bernstein) with a fixed key. */

static inline uint64_t rotate(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1], v[1] = rotate(v[1], 13) ^ v[0], v[0] = rotate(v[0], 32);
    v[2] += v[3], v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3], v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1], v[1] = rotate(v[1], 17) ^ v[2], v[2] = rotate(v[2], 32);
}

static inline void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
}

uint64_t bench_hash_text(const char *text, size_t len)
{
    const uint64_t k0 = UINT64_C(0x0706050403020100), k1 = UINT64_C(0x0f0e0d0c0b0a0908);
    uint64_t v[4] = {k0 ^ UINT64_C(0x736f6d6570736575), k1 ^ UINT64_C(0x646f72616e646f6d),
                     k0 ^ UINT64_C(0x6c7967656e657261), k1 ^ UINT64_C(0x7465646279746573)};
    uint64_t word, last = (uint64_t)len << 56;
    size_t i = 0;

    for (; i + 8 <= len; i += 8) {
        memcpy(&word, text + i, 8);
        sip_word(v, word);
    }
    for (unsigned shift = 0; i < len; i++, shift += 8)
        last |= (uint64_t)(unsigned char)text[i] << shift;
    sip_word(v, last);
    v[2] ^= 0xff;
    for (int i_final = 0; i_final < 3; i_final++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
