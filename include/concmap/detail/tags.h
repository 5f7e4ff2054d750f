/* Searching a group of the flat table: fifteen tags, compared at once.
 *
 * A group is sixteen bytes, aligned: the tags of its slots (0: the slot is free), and a count. What is sought is spread
 * over a register once (cm_tags_sought_), whatever groups it is sought in. Masks have bit i for slot i. */
#ifndef CONCMAP_DETAIL_TAGS_H
#define CONCMAP_DETAIL_TAGS_H

#include <concmap/detail/platform.h>

#ifndef CM_TAGS_PORTABLE_
#define CM_TAGS_PORTABLE_ 0 /* 1: a test compiles what other machines take */
#endif
#if !CM_TAGS_PORTABLE_ && defined(__SSE2__)
#define CM_TAGS_SSE2_ 1
#include <emmintrin.h>
#elif !CM_TAGS_PORTABLE_ && defined(__ARM_NEON) && defined(__aarch64__)
#define CM_TAGS_NEON_ 1
#include <arm_neon.h>
#endif

#define CM_TAGS_ 15
#define CM_TAGS_ALL_ 0x7fffu
#define CM_TAGS_GROUP_ 16 /* bytes */

/* The tag of a hash: its upper end, because the lower one chooses the group. Never 0. */
CM_INLINE uint8_t cm_tag_of_(uint64_t hash)
{
    uint8_t tag = (uint8_t)(hash >> 56);
    return (uint8_t)(tag + (tag < 1));
}

#if defined(CM_TAGS_SSE2_)

typedef __m128i cm_tags_;

/* Spread by a multiplication: with nothing beyond SSE2 fewer instructions than by _mm_set1_epi8(). */
CM_INLINE cm_tags_ cm_tags_of_(uint8_t tag)
{
    return _mm_set1_epi32((int)(tag * UINT32_C(0x01010101)));
}

/* A tag four times, by the upper end of the hash: a load from the first-level cache instead of three steps, which a
 * look-up of a present key notices by a fifteenth. */
#define CM_TAG_WORD_(upper) (((upper) ? (upper) : 1) * UINT32_C(0x01010101))
#define CM_TAG_WORDS_4_(n) CM_TAG_WORD_(n), CM_TAG_WORD_((n) + 1), CM_TAG_WORD_((n) + 2), CM_TAG_WORD_((n) + 3)
#define CM_TAG_WORDS_16_(n)                                                                                            \
    CM_TAG_WORDS_4_(n), CM_TAG_WORDS_4_((n) + 4), CM_TAG_WORDS_4_((n) + 8), CM_TAG_WORDS_4_((n) + 12)
#define CM_TAG_WORDS_64_(n)                                                                                            \
    CM_TAG_WORDS_16_(n), CM_TAG_WORDS_16_((n) + 16), CM_TAG_WORDS_16_((n) + 32), CM_TAG_WORDS_16_((n) + 48)
static const uint32_t cm_tag_words_[256] = {CM_TAG_WORDS_64_(0), CM_TAG_WORDS_64_(64), CM_TAG_WORDS_64_(128),
                                            CM_TAG_WORDS_64_(192)};

CM_INLINE cm_tags_ cm_tags_sought_(uint64_t hash)
{
    return _mm_set1_epi32((int)cm_tag_words_[hash >> 56]);
}

CM_INLINE unsigned cm_tags_match_(const uint8_t *group, cm_tags_ sought)
{
    __m128i equal = _mm_cmpeq_epi8(_mm_load_si128((const __m128i *)(const void *)group), sought);
    return (unsigned)_mm_movemask_epi8(equal) & CM_TAGS_ALL_;
}

#elif defined(CM_TAGS_NEON_)

typedef uint8x16_t cm_tags_;

CM_INLINE cm_tags_ cm_tags_of_(uint8_t tag)
{
    return vdupq_n_u8(tag);
}

CM_INLINE cm_tags_ cm_tags_sought_(uint64_t hash)
{
    return cm_tags_of_(cm_tag_of_(hash));
}

CM_INLINE unsigned cm_tags_match_(const uint8_t *group, cm_tags_ sought)
{
    static const uint8_t bits[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 0};
    uint8x16_t equal = vandq_u8(vceqq_u8(vld1q_u8(group), sought), vld1q_u8(bits));
    return (unsigned)vaddv_u8(vget_low_u8(equal)) | (unsigned)vaddv_u8(vget_high_u8(equal)) << 8;
}

#else

typedef uint64_t cm_tags_;

CM_INLINE cm_tags_ cm_tags_of_(uint8_t tag)
{
    return tag * UINT64_C(0x0101010101010101);
}

CM_INLINE cm_tags_ cm_tags_sought_(uint64_t hash)
{
    return cm_tags_of_(cm_tag_of_(hash));
}

/* Eight bytes in a register: the first one lowest, on any machine. */
CM_INLINE uint64_t cm_tags_word_(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* Bit i for byte i of the word, where it is 0. Exact: the sum does not carry from byte to byte. */
CM_INLINE unsigned cm_tags_zeros_(uint64_t word)
{
    const uint64_t low = UINT64_C(0x7f7f7f7f7f7f7f7f);
    uint64_t zeros = ~(((word & low) + low) | word | low);
    return (unsigned)((zeros >> 7) * UINT64_C(0x0102040810204080) >> 56);
}

CM_INLINE unsigned cm_tags_match_(const uint8_t *group, cm_tags_ sought)
{
    unsigned first = cm_tags_zeros_(cm_tags_word_(group) ^ sought);
    unsigned second = cm_tags_zeros_(cm_tags_word_(group + 8) ^ sought);
    return (first | second << 8) & CM_TAGS_ALL_;
}

#endif

/* The slots that are free, and those that are not. */
CM_INLINE unsigned cm_tags_free_(const uint8_t *group)
{
    return cm_tags_match_(group, cm_tags_of_(0));
}

CM_INLINE unsigned cm_tags_taken_(const uint8_t *group)
{
    return cm_tags_free_(group) ^ CM_TAGS_ALL_;
}

#endif
