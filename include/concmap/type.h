/* The descriptor of a map's key and value types: what the generic algorithms know of them. */
#ifndef CONCMAP_TYPE_H
#define CONCMAP_TYPE_H

#include <concmap/status.h>
#include <concmap/str.h>

/* Why an entry left a cache. */
typedef enum cm_eviction { CM_EVICTED_FULL, CM_EVICTED_EXPIRED } cm_eviction;

struct cm_map_;
struct cm_table_;
struct cm_layout_;
struct cm_encoder;
struct cm_decoder;

/* The generic algorithms are always inlined and take a descriptor as their first parameter. Where it is a visible
 * constant, as in the functions that the map macros make, sizes become immediates and the callbacks direct calls; where
 * it is not, the same algorithms run with indirect calls. */
struct cm_type {
    size_t key_size;
    size_t key_alignment;
    size_t value_size;
    size_t value_alignment;
    bool key_bitwise; /* `equal` says no more than equality of all bytes of the key */
    bool key_text;    /* the key is a cm_str, and the map owns a copy of its text */
    bool foreign;     /* what is looked up is of another type than the keys; nothing can be added */
    bool in_nodes;    /* entries lie in nodes, however small */
    bool anchored;    /* and nodes never change: a new value is a new node (anchored.h); readers are pinned in the map's
                       * domain, not in the process's */
    bool counted;     /* likewise, but values change where they are, and the last user retires the node (locked.h) */
    /* Maps equal keys to equal numbers, for one seed. All 64 bits should be well mixed: the low ones choose the bucket,
     * the high ones tag entries. Must not use a map. */
    uint64_t (*hash)(const void *key, uint64_t seed);
    /* Whether two keys are the same. Must not use a map. */
    bool (*equal)(const void *a, const void *b);
    /* Moves buckets to the next table (detail/move.h), compiled for this type; NULL: the library's own for any type. */
    uint64_t (*move_)(struct cm_map_ *map, struct cm_table_ *from, const struct cm_table_ *before, uint64_t begin,
                      uint64_t end);
    /* NULL: plain data. Each key and each value in a map is its own, made by `clone` (or given to it, if it is a
     * value), and destroyed once. `clone` may fail, with any status less than 0. */
    cm_status (*key_clone)(void *to, const void *from, void *context);
    void (*key_destroy)(void *key, void *context);
    cm_status (*value_clone)(void *to, const void *from, void *context);
    void (*value_destroy)(void *value, void *context);
    /* Of caches (cache.h). */
    bool cached;
    bool (*expired)(const void *value, void *context);
    size_t (*weigh)(const void *key, const void *value, void *context);
    void (*evicted)(const void *key, const void *value, cm_eviction why, void *context);
    /* Of dynamic maps that are saved: see saved.h. What the entries mean, as the user counts it; and how keys and
     * values are written that bytes do not say all about. NULL: texts and plain data. */
    uint64_t version;
    cm_status (*key_encode)(struct cm_encoder *to, const void *key, void *context);
    cm_status (*key_decode)(void *key, struct cm_decoder *from, void *context);
    cm_status (*value_encode)(struct cm_encoder *to, const void *value, void *context);
    cm_status (*value_decode)(void *value, struct cm_decoder *from, void *context);
    /* How entries lie (detail/layout.h), where that was computed before; NULL: from the sizes, as for all constants. */
    const struct cm_layout_ *layout_;
    /* Of dynamic multimaps: values are bags (detail/bag.h) of keys of this type. NULL: of all others. */
    const struct cm_type *several_;
};

/* How a map owns its keys, or its values: CM_PLAIN copies bytes; CM_OWNED(clone, destroy) calls
 *
 *     cm_status clone(Type *to, const Type *from, void *context);
 *     void destroy(Type *what, void *context);
 *
 * with the context of the map's cm_config. `clone` runs under a lock and must not use the map; nor must the `destroy`
 * of keys, which runs amid the giving back of memory. */
#define CM_PLAIN (cm_plain_clone_, cm_plain_destroy_, 0)
#define CM_OWNED(clone, destroy) (clone, destroy, 1)
#define CM_OWNER_CLONE_(clone, destroy, owned) clone
#define CM_OWNER_DESTROY_(clone, destroy, owned) destroy
#define CM_OWNER_IS_(clone, destroy, owned) owned

/* The functions of a cache; none: the map is not one. */
#define CM_CACHE_OF_(expired, weigh, evicted) (expired, weigh, evicted, 1)
#define CM_NO_CACHE_ (cm_no_expiry, cm_no_weight, cm_no_eviction, 0)
#define CM_CACHE_EXPIRED_(expired, weigh, evicted, is) expired
#define CM_CACHE_WEIGH_(expired, weigh, evicted, is) weigh
#define CM_CACHE_EVICTED_(expired, weigh, evicted, is) evicted
#define CM_CACHE_IS_(expired, weigh, evicted, is) is

/* For caches in which nothing expires, weighs anything, or is to be told. */
CM_INLINE bool cm_no_expiry(const void *value, void *context)
{
    (void)value, (void)context;
    return false;
}

/* As cm_no_expiry. */
CM_INLINE size_t cm_no_weight(const void *key, const void *value, void *context)
{
    (void)key, (void)value, (void)context;
    return 0;
}

/* As cm_no_expiry. */
CM_INLINE void cm_no_eviction(const void *key, const void *value, cm_eviction why, void *context)
{
    (void)key, (void)value, (void)why, (void)context;
}

/* Never called. */
CM_INLINE cm_status cm_plain_clone_(void *to, const void *from, void *context)
{
    (void)to, (void)from, (void)context;
    return CM_OK;
}

CM_INLINE void cm_plain_destroy_(void *what, void *context)
{
    (void)what, (void)context;
}

/* What the macros learn from the name of an equality: a macro CM_BITWISE_<equal> that expands to `~, 1` says that
 * <equal> compares all bytes of a key of 4 or 8 bytes. Absent names give 0. */
#define CM_SECOND_(a, b, ...) b
#define CM_PROBE_(...) CM_SECOND_(__VA_ARGS__)
#define CM_IS_BITWISE_(equal) CM_PROBE_(CM_BITWISE_##equal, 0, 0)

#define CM_BITWISE_cm_equal_u64 ~, 1
#define CM_BITWISE_cm_equal_i64 ~, 1
#define CM_BITWISE_cm_equal_u32 ~, 1
#define CM_BITWISE_cm_equal_i32 ~, 1
#define CM_BITWISE_cm_equal_ptr ~, 1

/* The value of a set: it takes no room in the table. */
typedef struct cm_nothing {
    char none;
} cm_nothing;

/* Whether a key type is cm_str, by whatever name, and the size of a value in the table. */
#ifdef __cplusplus
template <class Key> struct cm_text_ {
    enum { is = 0 };
};
template <> struct cm_text_<cm_str> {
    enum { is = 1 };
};
#define CM_IS_TEXT_(Key) (cm_text_<Key>::is != 0)
template <class Value> struct cm_value_ {
    enum { size = sizeof(Value) };
};
template <> struct cm_value_<cm_nothing> {
    enum { size = 0 };
};
#define CM_VALUE_SIZE_(Value) ((size_t)cm_value_<Value>::size)
#else
#define CM_IS_TEXT_(Key) __builtin_types_compatible_p(Key, cm_str)
#define CM_VALUE_SIZE_(Value) (__builtin_types_compatible_p(Value, cm_nothing) ? 0 : sizeof(Value))
#endif

/* Bytes of a key that is a text; the others have none. */
CM_INLINE size_t cm_key_text_size_(const struct cm_type *type, const void *key)
{
    return type->key_text ? ((const cm_str *)key)->len : 0;
}

#endif
