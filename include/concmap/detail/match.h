/* Searching the first line of a bucket: all keys, or all tags, compared at once.
 *
 * A line begins with the 8-byte state, then keys (8 or 4 bytes each) or slots (8 bytes: a 16-bit tag above a 48-bit
 * address). Vector loads read lanes that a writer may be changing: each aligned lane is whole, and the check of the
 * state that follows throws a torn view away. The portable forms load lane by lane; the thread sanitizer and unknown
 * machines take those. Each function returns a mask with bit i for slot i; the caller masks it by the occupancy, or, of
 * anchored maps, believes each slot for itself. */
#ifndef CONCMAP_DETAIL_MATCH_H
#define CONCMAP_DETAIL_MATCH_H

#include <concmap/detail/atomic.h>

#if !CM_TSAN && defined(__SSE2__)
#define CM_MATCH_SSE2_ 1
#if defined(__AVX2__)
#include <immintrin.h>
#else
#include <emmintrin.h> /* which is read in a tenth of the time that all intrinsics take */
#endif
#elif !CM_TSAN && defined(__ARM_NEON) && defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define CM_MATCH_NEON_ 1
#include <arm_neon.h>
#endif

#define CM_TAG_SHIFT_ 48
#define CM_ADDRESS_MASK_ ((UINT64_C(1) << CM_TAG_SHIFT_) - 1)

#if defined(CM_MATCH_SSE2_)

#if defined(__AVX2__)

/* Four 8-byte lanes at `line`, compared with `key`: bit i for lane i. */
CM_INLINE unsigned cm_match_lanes_(const void *line, uint64_t key)
{
    __m256i lanes = _mm256_load_si256((const __m256i *)line);
    __m256i equal = _mm256_cmpeq_epi64(lanes, _mm256_set1_epi64x((long long)key));
    return (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(equal));
}

CM_INLINE unsigned cm_match_u64_(const void *bucket, uint64_t key, size_t slots)
{
    unsigned mask = cm_match_lanes_(bucket, key) >> 1; /* lane 0 is the state */
    if (slots > 3)
        mask |= cm_match_lanes_((const char *)bucket + 32, key) << 3;
    if (slots > 7)
        mask |= cm_match_lanes_((const char *)bucket + 64, key) << 7;
    return mask;
}

#else
#define CM_MATCH_U64_BY_HALF_ 1

/* The lower halves of four 8-byte lanes, compared with that of the key: all ones where equal. */
CM_INLINE __m128i cm_match_halves_(const __m128i *lanes, __m128i half)
{
    __m128 first = _mm_castsi128_ps(_mm_load_si128(lanes));
    __m128 second = _mm_castsi128_ps(_mm_load_si128(lanes + 1));
    return _mm_cmpeq_epi32(_mm_castps_si128(_mm_shuffle_ps(first, second, _MM_SHUFFLE(2, 0, 2, 0))), half);
}

/* SSE2 compares no 8-byte lanes: what it finds are candidates, equal in the lower half. */
CM_INLINE unsigned cm_match_u64_(const void *bucket, uint64_t key, size_t slots)
{
    const __m128i *lanes = (const __m128i *)bucket;
    __m128i half = _mm_set1_epi32((int)(uint32_t)key);
    __m128i first = cm_match_halves_(lanes, half);
    if (slots <= 3)
        return (unsigned)_mm_movemask_ps(_mm_castsi128_ps(first)) >> 1; /* lane 0 is the state */
    __m128i words = _mm_packs_epi32(first, cm_match_halves_(lanes + 2, half));
    unsigned mask = (unsigned)_mm_movemask_epi8(_mm_packs_epi16(words, _mm_setzero_si128())) >> 1;
    return slots > 7 ? mask | 1u << 7 : mask;
}

#endif

CM_INLINE unsigned cm_match_quads_(const void *line, uint32_t key)
{
    __m128i equal = _mm_cmpeq_epi32(_mm_load_si128((const __m128i *)line), _mm_set1_epi32((int)key));
    return (unsigned)_mm_movemask_ps(_mm_castsi128_ps(equal));
}

CM_INLINE unsigned cm_match_u32_(const void *bucket, uint32_t key, size_t slots)
{
    const char *line = (const char *)bucket;
    unsigned mask = (cm_match_quads_(line, key) | cm_match_quads_(line + 16, key) << 4) >> 2;
    if (slots > 6)
        mask |= cm_match_quads_(line + 32, key) << 6;
    return mask;
}

/* The tags of four 8-byte lanes: the upper half of each, shifted down to the tag. */
CM_INLINE __m128i cm_match_tags_of_(const __m128i *lanes)
{
    __m128 first = _mm_castsi128_ps(_mm_load_si128(lanes));
    __m128 second = _mm_castsi128_ps(_mm_load_si128(lanes + 1));
    return _mm_srai_epi32(_mm_castps_si128(_mm_shuffle_ps(first, second, _MM_SHUFFLE(3, 1, 3, 1))), 16);
}

/* Bit i for lane i of a line of slots, which are in lanes 1 to 6 (the caller masks the rest); the tag is the hash's
 * upper 16 bits. */
CM_INLINE unsigned cm_match_tag_lanes_(const void *bucket, uint64_t hash)
{
    const __m128i *lanes = (const __m128i *)bucket;
    __m128i upper = _mm_shufflelo_epi16(_mm_cvtsi64_si128((long long)hash), _MM_SHUFFLE(3, 3, 3, 3));
    __m128i sought = _mm_unpacklo_epi64(upper, upper);
    __m128i equal = _mm_cmpeq_epi16(_mm_packs_epi32(cm_match_tags_of_(lanes), cm_match_tags_of_(lanes + 2)), sought);
    return (unsigned)_mm_movemask_epi8(_mm_packs_epi16(equal, equal));
}

#elif defined(CM_MATCH_NEON_)

CM_INLINE unsigned cm_match_pair_(const uint64_t *lanes, uint64x2_t wanted)
{
    uint64x2_t equal = vceqq_u64(vld1q_u64(lanes), wanted);
    return (unsigned)((vgetq_lane_u64(equal, 0) & 1) | (vgetq_lane_u64(equal, 1) & 2));
}

CM_INLINE unsigned cm_match_u64_(const void *bucket, uint64_t key, size_t slots)
{
    const uint64_t *lanes = (const uint64_t *)bucket;
    uint64x2_t wanted = vdupq_n_u64(key);
    unsigned mask = 0;
    for (size_t lane = 0; lane <= slots; lane += 2)
        mask |= cm_match_pair_(lanes + lane, wanted) << lane;
    return mask >> 1;
}

CM_INLINE unsigned cm_match_u32_(const void *bucket, uint32_t key, size_t slots)
{
    static const uint32_t bits[4] = {1, 2, 4, 8};
    const uint32_t *lanes = (const uint32_t *)bucket;
    unsigned mask = 0;
    for (size_t lane = 0; lane < slots + 2; lane += 4) {
        uint32x4_t equal = vceqq_u32(vld1q_u32(lanes + lane), vdupq_n_u32(key));
        mask |= (unsigned)vaddvq_u32(vandq_u32(equal, vld1q_u32(bits))) << lane;
    }
    return mask >> 2;
}

CM_INLINE unsigned cm_match_tag_lanes_(const void *bucket, uint64_t hash)
{
    const uint64_t *lanes = (const uint64_t *)bucket;
    uint64x2_t wanted = vdupq_n_u64(hash >> CM_TAG_SHIFT_);
    unsigned mask = 0;
    for (size_t lane = 0; lane < 8; lane += 2) {
        uint64x2_t equal = vceqq_u64(vshrq_n_u64(vld1q_u64(lanes + lane), CM_TAG_SHIFT_), wanted);
        mask |= (unsigned)((vgetq_lane_u64(equal, 0) & 1) | (vgetq_lane_u64(equal, 1) & 2)) << lane;
    }
    return mask;
}

#else

/* Relaxed: the check of the state that follows orders and validates what these loads saw. */
CM_INLINE unsigned cm_match_u64_(const void *bucket, uint64_t key, size_t slots)
{
    const uint64_t *keys = (const uint64_t *)bucket + 1;
    unsigned mask = 0;
    for (size_t i = 0; i < slots; i++)
        mask |= (unsigned)(cm_load_relaxed_(&keys[i]) == key) << i;
    return mask;
}

CM_INLINE unsigned cm_match_u32_(const void *bucket, uint32_t key, size_t slots)
{
    const uint32_t *keys = (const uint32_t *)bucket + 2;
    unsigned mask = 0;
    for (size_t i = 0; i < slots; i++)
        mask |= (unsigned)(cm_load_relaxed_(&keys[i]) == key) << i;
    return mask;
}

CM_INLINE unsigned cm_match_tag_lanes_(const void *bucket, uint64_t hash)
{
    const uint64_t *lanes = (const uint64_t *)bucket;
    unsigned mask = 0;
    for (size_t i = 1; i <= 6; i++)
        mask |= (unsigned)(cm_load_relaxed_(&lanes[i]) >> CM_TAG_SHIFT_ == hash >> CM_TAG_SHIFT_) << i;
    return mask;
}

#endif

CM_INLINE unsigned cm_match_tag_(const void *bucket, uint64_t hash)
{
    return cm_match_tag_lanes_(bucket, hash) >> 1;
}

#if !defined(CM_MATCH_U64_BY_HALF_)
#define CM_MATCH_U64_BY_HALF_ 0
#endif

#endif
