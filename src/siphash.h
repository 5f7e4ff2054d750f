/* SipHash-c-d of Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012. Internal. The numbers of rounds are
 * parameters, so that the tests can hold the core against the published values of SipHash-2-4. */
#ifndef CONCMAP_SIPHASH_H
#define CONCMAP_SIPHASH_H

#include <concmap/detail/platform.h>

struct cm_sip_state_ {
    uint64_t a, b, c, d;
};

CM_INLINE uint64_t cm_rotate_left_(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

CM_INLINE void cm_sip_rounds_(struct cm_sip_state_ *s, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        s->a += s->b;
        s->c += s->d;
        s->b = cm_rotate_left_(s->b, 13) ^ s->a;
        s->d = cm_rotate_left_(s->d, 16) ^ s->c;
        s->a = cm_rotate_left_(s->a, 32) + s->d;
        s->c += s->b;
        s->d = cm_rotate_left_(s->d, 21) ^ s->a;
        s->b = cm_rotate_left_(s->b, 17) ^ s->c;
        s->c = cm_rotate_left_(s->c, 32);
    }
}

CM_INLINE void cm_sip_word_(struct cm_sip_state_ *s, int rounds, uint64_t word)
{
    s->d ^= word;
    cm_sip_rounds_(s, rounds);
    s->a ^= word;
}

/* Bytes as a number, the first one lowest, on any machine. */
CM_INLINE uint64_t cm_sip_load8_(const unsigned char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? word : __builtin_bswap64(word);
}

CM_INLINE uint64_t cm_sip_load4_(const unsigned char *bytes)
{
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? word : __builtin_bswap32(word);
}

/* The last 0 to 7 bytes; loads overlap, because a loop over bytes would take longer than the hash of a short word. */
CM_INLINE uint64_t cm_sip_tail_(const unsigned char *bytes, size_t size)
{
    if (size >= 4)
        return cm_sip_load4_(bytes) | cm_sip_load4_(bytes + size - 4) << (8 * (size - 4));
    if (size == 0)
        return 0;
    return bytes[0] | (uint64_t)bytes[size / 2] << (8 * (size / 2)) | (uint64_t)bytes[size - 1] << (8 * (size - 1));
}

CM_INLINE uint64_t cm_siphash_(int compress, int finish, uint64_t key0, uint64_t key1, const void *data, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)data;
    struct cm_sip_state_ s = {key0 ^ UINT64_C(0x736f6d6570736575), key1 ^ UINT64_C(0x646f72616e646f6d),
                              key0 ^ UINT64_C(0x6c7967656e657261), key1 ^ UINT64_C(0x7465646279746573)};
    size_t rest = size;
    for (; rest >= 8; rest -= 8, bytes += 8)
        cm_sip_word_(&s, compress, cm_sip_load8_(bytes));
    cm_sip_word_(&s, compress, cm_sip_tail_(bytes, rest) | (uint64_t)size << 56);
    s.c ^= 0xff;
    cm_sip_rounds_(&s, finish);
    return s.a ^ s.b ^ s.c ^ s.d;
}

#endif
