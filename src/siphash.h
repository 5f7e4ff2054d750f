/* SipHash-c-d of Aumasson and Bernstein ("SipHash: a fast short-input PRF", 2012), the rounds as parameters. Internal. */
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

/* Up to eight bytes, the first one lowest. */
CM_INLINE uint64_t cm_sip_word_(const unsigned char *bytes, size_t size)
{
    uint64_t word = 0;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (size == 8) {
        memcpy(&word, bytes, 8);
        return word;
    }
#endif
    for (size_t i = 0; i < size; i++)
        word |= (uint64_t)bytes[i] << (8 * i);
    return word;
}

CM_INLINE uint64_t cm_siphash_(int compress, int finish, uint64_t key0, uint64_t key1, const void *data, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)data;
    struct cm_sip_state_ s = {key0 ^ UINT64_C(0x736f6d6570736575), key1 ^ UINT64_C(0x646f72616e646f6d),
                              key0 ^ UINT64_C(0x6c7967656e657261), key1 ^ UINT64_C(0x7465646279746573)};
    size_t rest = size;
    for (; rest >= 8; rest -= 8, bytes += 8) {
        uint64_t word = cm_sip_word_(bytes, 8);
        s.d ^= word;
        cm_sip_rounds_(&s, compress);
        s.a ^= word;
    }
    uint64_t last = cm_sip_word_(bytes, rest) | (uint64_t)size << 56;
    s.d ^= last;
    cm_sip_rounds_(&s, compress);
    s.a ^= last;
    s.c ^= 0xff;
    cm_sip_rounds_(&s, finish);
    return s.a ^ s.b ^ s.c ^ s.d;
}

#endif
