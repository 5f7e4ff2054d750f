/* Hashes: the published values of the algorithms, and how well the integer hashes spread the keys that programs
 * have. */
#include <concmap/hash.h>

#include <stdlib.h>

#include "../src/siphash.h"
#include "unit.h"

/* ---- bytes ---- */

struct vector {
    size_t size;
    uint64_t hash;
};

/* Of the bytes 0, 1, ..., size - 1 under the key 00 01 ... 0f: the values published with SipHash-2-4. */
static const struct vector siphash24[] = {
    {0, UINT64_C(0x726fdb47dd0e0e31)},  {1, UINT64_C(0x74f839c593dc67fd)},  {2, UINT64_C(0x0d6c8009d9a94f5a)},
    {7, UINT64_C(0xab0200f58b01d137)},  {8, UINT64_C(0x93f5f5799a932462)},  {9, UINT64_C(0x9e0082df0ba9e4b0)},
    {15, UINT64_C(0xa129ca6149be45e5)}, {16, UINT64_C(0x3f2acc7f57c29bdb)}, {31, UINT64_C(0x32d892fad841c342)},
    {63, UINT64_C(0x958a324ceb064572)},
};

/* Of the same bytes under the key 0: what Rust's DefaultHasher gives, which is SipHash-1-3. */
static const struct vector siphash13[] = {
    {0, UINT64_C(0xd1fba762150c532c)},  {1, UINT64_C(0x68a914128e01e473)},  {2, UINT64_C(0x010bac45c41e3669)},
    {7, UINT64_C(0x2f098ab0c751325a)},  {8, UINT64_C(0xead411e67ebe2eea)},  {9, UINT64_C(0x75927f9d95124362)},
    {15, UINT64_C(0xf30eb725bb91c9ea)}, {16, UINT64_C(0x8972188433a5c5b7)}, {31, UINT64_C(0x169739443111d49b)},
    {63, UINT64_C(0x385d3e39e5f37359)},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void count_up(unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)i;
}

static void siphash_gives_the_published_values(void **state)
{
    (void)state;
    unsigned char bytes[64];
    count_up(bytes, sizeof bytes);
    for (size_t i = 0; i < COUNT(siphash24); i++) {
        uint64_t hash =
            cm_siphash_(2, 4, UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908), bytes, siphash24[i].size);
        assert_true(hash == siphash24[i].hash);
    }
    for (size_t i = 0; i < COUNT(siphash13); i++) {
        assert_true(cm_siphash_(1, 3, 0, 0, bytes, siphash13[i].size) == siphash13[i].hash);
        assert_true(cm_hash_bytes(bytes, siphash13[i].size, 0) == siphash13[i].hash);
    }
}

static void the_fast_hash_gives_the_published_values(void **state)
{
    (void)state;
    assert_true(cm_hash_bytes_fast("", 0, 0) == UINT64_C(0x2d06800538d394c2));
    assert_true(cm_hash_bytes_fast(NULL, 0, 0) == UINT64_C(0x2d06800538d394c2));
    assert_true(cm_hash_bytes_fast("", 0, 1) != UINT64_C(0x2d06800538d394c2));
}

typedef uint64_t (*hash_bytes)(const void *bytes, size_t size, uint64_t seed);

static const hash_bytes byte_hashes[] = {cm_hash_bytes, cm_hash_bytes_fast};

static void bytes_hash_the_same_wherever_they_lie(void **state)
{
    (void)state;
    for (size_t h = 0; h < COUNT(byte_hashes); h++) {
        for (size_t size = 0; size < 300; size++) {
            unsigned char here[320], there[320];
            memset(here, 0x11, sizeof here);
            memset(there, 0xee, sizeof there);
            count_up(here, size);
            size_t shift = 1 + size % 8;
            memcpy(there + shift, here, size);
            assert_true(byte_hashes[h](here, size, 9) == byte_hashes[h](there + shift, size, 9));
        }
        assert_true(byte_hashes[h](NULL, 0, 9) == byte_hashes[h]("", 0, 9));
    }
}

static int numbers_compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static size_t numbers_doubled(uint64_t *numbers, size_t count)
{
    size_t doubled = 0;
    qsort(numbers, count, sizeof *numbers, numbers_compare);
    for (size_t i = 1; i < count; i++)
        doubled += numbers[i] == numbers[i - 1];
    return doubled;
}

static void every_bit_the_length_and_the_seed_count(void **state)
{
    (void)state;
    enum { SIZE = 48, VARIANTS = SIZE * 8 + SIZE + 1 + 64 };
    for (size_t h = 0; h < COUNT(byte_hashes); h++) {
        uint64_t hashes[VARIANTS];
        unsigned char bytes[SIZE] = {0};
        size_t n = 0;
        for (size_t bit = 0; bit < SIZE * 8; bit++) {
            bytes[bit / 8] = (unsigned char)(1u << bit % 8);
            hashes[n++] = byte_hashes[h](bytes, SIZE, 0);
            bytes[bit / 8] = 0;
        }
        for (size_t size = 0; size <= SIZE; size++)
            hashes[n++] = byte_hashes[h](bytes, size, 0);
        for (size_t bit = 0; bit < 64; bit++)
            hashes[n++] = byte_hashes[h](bytes, SIZE, UINT64_C(1) << bit);
        assert_int_equal(n, VARIANTS);
        assert_int_equal(numbers_doubled(hashes, n), 0);
    }
}

static void text_is_hashed_by_its_bytes(void **state)
{
    (void)state;
    cm_str text = cm_str_of("text"), other = cm_str_from("texts", 4), empty = cm_str_of(NULL);
    assert_true(cm_hash_str(&text, 5) == cm_hash_bytes("text", 4, 5));
    assert_true(cm_hash_str(&text, 5) == cm_hash_str(&other, 5));
    assert_true(cm_hash_str_fast(&text, 5) == cm_hash_bytes_fast("text", 4, 5));
    assert_true(cm_hash_str(&empty, 5) == cm_hash_bytes("", 0, 5));
    assert_true(cm_hash_str_fast(&empty, 5) == cm_hash_bytes_fast("", 0, 5));
}

/* ---- integers ---- */

static void integers_hash_and_compare_by_value(void **state)
{
    (void)state;
    uint64_t a = 7, b = 7, c = UINT64_C(7) << 32;
    assert_true(cm_equal_u64(&a, &b) && !cm_equal_u64(&a, &c));
    assert_true(cm_hash_u64(&a, 3) == cm_hash_u64(&b, 3) && cm_hash_u64(&a, 3) != cm_hash_u64(&c, 3));
    assert_true(cm_hash_u64(&a, 3) != cm_hash_u64(&a, 4));
    int64_t d = -7, e = -7, f = 7;
    assert_true(cm_equal_i64(&d, &e) && !cm_equal_i64(&d, &f));
    assert_true(cm_hash_i64(&d, 3) == cm_hash_i64(&e, 3) && cm_hash_i64(&d, 3) != cm_hash_i64(&f, 3));
    uint32_t g = 7, h = 7, i = 8;
    assert_true(cm_equal_u32(&g, &h) && !cm_equal_u32(&g, &i));
    assert_true(cm_hash_u32(&g, 3) == cm_hash_u32(&h, 3) && cm_hash_u32(&g, 3) != cm_hash_u32(&i, 3));
    int32_t j = -7, k = -7, l = 7;
    assert_true(cm_equal_i32(&j, &k) && !cm_equal_i32(&j, &l));
    assert_true(cm_hash_i32(&j, 3) == cm_hash_i32(&k, 3) && cm_hash_i32(&j, 3) != cm_hash_i32(&l, 3));
}

static void pointers_hash_and_compare_by_address(void **state)
{
    (void)state;
    int x = 0, y = 0;
    const int *p = &x, *q = &x, *r = &y;
    assert_true(cm_equal_ptr(&p, &q) && !cm_equal_ptr(&p, &r));
    assert_true(cm_hash_ptr(&p, 3) == cm_hash_ptr(&q, 3) && cm_hash_ptr(&p, 3) != cm_hash_ptr(&r, 3));
}

#define KEYS ((size_t)1 << 15)
#define BUCKET_BITS 14
#define BUCKETS ((size_t)1 << BUCKET_BITS)
#define SLOTS 3
#define CROWDED 1.75 /* cm_hash_mix() comes to 1.54 at worst; a plain multiply-fold to 6 */

/* Keys as programs have them. */
static uint64_t key_of(size_t pattern, uint64_t i)
{
    double real = (double)i * 0.1;
    uint64_t bits;
    static const uint64_t steps[] = {3, 10, 48, 56, 100, 1000, 4160, 10007, 1000000, 65537, UINT64_C(0x100000001)};
    if (pattern < 49)
        return i << pattern;
    if (pattern < 49 + COUNT(steps))
        return i * steps[pattern - 49];
    switch (pattern - 49 - COUNT(steps)) {
    case 0: /* pairs */
        return (i & 127) << 32 | i >> 7;
    case 1:
        return (i & 127) << 56 | i >> 7;
    case 2:
        return (i >> 7) << 40 | (i & 127) << 8;
    case 3: /* numbers of the other byte order */
        return __builtin_bswap64(i);
    case 4:
        return cm_reverse_bits_(i);
    case 5: /* negative */
        return 0 - i;
    case 6: /* pointers */
        return UINT64_C(0x7f0000000000) + i * 64;
    case 7: /* the same number twice */
        return i << 32 | i;
    case 8: /* squares */
        return i * i;
    case 9: /* doubles */
        memcpy(&bits, &real, sizeof bits);
        return bits;
    default:
        return UINT64_MAX;
    }
}

enum { PATTERNS = 49 + 11 + 10 };

/* How many of KEYS random numbers find their bucket full: the distribution is Poisson's, of mean 2. */
static double crowded_expected(void)
{
    double chance = 0.1353352832366127, expected = 0; /* exp(-2) */
    for (int n = 1; n < 100; n++) {
        chance *= 2.0 / n;
        expected += n > SLOTS ? chance * (n - SLOTS) : 0;
    }
    return expected * (double)BUCKETS;
}

/* How many keys find their bucket of three full, against what random numbers would have. */
static double crowding(const uint64_t *hashes, unsigned shift)
{
    static uint16_t in_bucket[BUCKETS];
    memset(in_bucket, 0, sizeof in_bucket);
    size_t crowded = 0;
    for (size_t i = 0; i < KEYS; i++)
        crowded += ++in_bucket[hashes[i] >> shift & (BUCKETS - 1)] > SLOTS;
    return (double)crowded / crowded_expected();
}

/* Pairs of keys that neither bucket nor 16-bit tag tells apart. */
static size_t confusions(uint64_t *hashes)
{
    for (size_t i = 0; i < KEYS; i++)
        hashes[i] = (hashes[i] & (BUCKETS - 1)) << 16 | hashes[i] >> 48;
    return numbers_doubled(hashes, KEYS);
}

static const uint64_t seeds[] = {
    0, 1, 42, UINT64_MAX, CM_HASH_MULTIPLIER_, UINT64_C(0x3243f6a8885a308d), UINT64_C(0x80000000deadbeef)};

static void patterns_of_keys_spread_like_random_numbers(void **state)
{
    (void)state;
    static uint64_t hashes[KEYS];
    for (size_t pattern = 0; pattern < PATTERNS; pattern++) {
        for (size_t s = 0; s < COUNT(seeds); s++) {
            for (size_t i = 0; i < KEYS; i++) {
                uint64_t key = key_of(pattern, i);
                hashes[i] = cm_hash_u64(&key, seeds[s]);
            }
            double low = crowding(hashes, 0), high = crowding(hashes, 64 - BUCKET_BITS);
            size_t confused = confusions(hashes); /* 0.5 are to be expected */
            if (low > CROWDED || high > CROWDED || confused > 8)
                fail_msg("pattern %zu, seed %zu: low bits %.2f, high bits %.2f, %zu confusions", pattern, s, low, high,
                         confused);
        }
    }
}

struct pair {
    uint64_t a;
    uint32_t b;
};

static uint64_t pair_hash(const struct pair *key, uint64_t seed)
{
    return cm_hash_combine(cm_hash_u64(&key->a, seed), cm_hash_u32(&key->b, seed));
}

static void combined_hashes_tell_members_and_their_order_apart(void **state)
{
    (void)state;
    static uint64_t hashes[KEYS];
    for (size_t s = 0; s < COUNT(seeds); s++) {
        size_t n = 0;
        for (uint32_t a = 0; a < 128; a++) {
            for (uint32_t b = 0; b < 256; b++)
                hashes[n++] = pair_hash(&(struct pair){a, b}, seeds[s]);
        }
        assert_int_equal(n, KEYS);
        assert_true(crowding(hashes, 0) < CROWDED && crowding(hashes, 64 - BUCKET_BITS) < CROWDED);
        assert_int_equal(numbers_doubled(hashes, n), 0);
        /* Equal members do not cancel out. */
        for (uint32_t a = 0; a < KEYS; a++)
            hashes[a] = pair_hash(&(struct pair){a, a}, seeds[s]);
        assert_true(crowding(hashes, 0) < CROWDED && crowding(hashes, 64 - BUCKET_BITS) < CROWDED);
        assert_int_equal(numbers_doubled(hashes, KEYS), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siphash_gives_the_published_values),
        cmocka_unit_test(the_fast_hash_gives_the_published_values),
        cmocka_unit_test(bytes_hash_the_same_wherever_they_lie),
        cmocka_unit_test(every_bit_the_length_and_the_seed_count),
        cmocka_unit_test(text_is_hashed_by_its_bytes),
        cmocka_unit_test(integers_hash_and_compare_by_value),
        cmocka_unit_test(pointers_hash_and_compare_by_address),
        cmocka_unit_test(patterns_of_keys_spread_like_random_numbers),
        cmocka_unit_test(combined_hashes_tell_members_and_their_order_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
