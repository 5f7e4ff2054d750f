/* Entries {key, value} for adapters in C whose libraries keep pointers. Included by their instances; no include guard.
 */

struct NAME(entry) {
    KEY key;
    VALUE value;
};

#if TEXT
static inline uint64_t NAME(hash)(KEY key)
{
    return bench_text_hash(key);
}

static inline bool NAME(equal)(KEY a, KEY b)
{
    return bench_text_equal(a, b);
}

static inline KEY NAME(key_copy)(KEY key)
{
    return bench_text_copy(key);
}

static inline void NAME(key_free)(KEY key)
{
    free((char *)(uintptr_t)key.data);
}

static inline uint64_t NAME(digest)(KEY key, const VALUE *value)
{
    return bench_digest_text(key.data, key.len, value->word, WORDS);
}
#else
static inline uint64_t NAME(hash)(KEY key)
{
    return bench_hash_u64(key);
}

static inline bool NAME(equal)(KEY a, KEY b)
{
    return a == b;
}

static inline KEY NAME(key_copy)(KEY key)
{
    return key;
}

static inline void NAME(key_free)(KEY key)
{
    (void)key;
}

static inline uint64_t NAME(digest)(KEY key, const VALUE *value)
{
    return bench_digest_u64(key, value->word, WORDS);
}
#endif
