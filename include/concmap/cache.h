/* The cache: a sharded map (sharded.h) that removes entries by itself.
 *
 *     CM_CACHE_MAP(pages, uint64_t, struct page, cm_hash_u64, cm_equal_u64, page_expired, cm_no_weight, cm_no_eviction)
 *
 * makes a type `pages` with all functions of the sharded map, and three of yours in it:
 *
 *     bool expired(const Value *value, void *context);
 *         An entry that has expired counts as absent, and is removed by whoever meets it; `len` counts it until then.
 *         Runs often, also under locks: it must be quick, and must not use the map.
 *     size_t weigh(const Key *key, const Value *value, void *context);
 *         What an entry weighs against config.budget, asked whenever it was added or may have changed, under its lock.
 *     void evicted(const Key *key, const Value *value, cm_eviction why, void *context);
 *         Told of each entry that expired or had to make room; not of those that are removed. No lock is held but for
 *         the other keys of with_keys, and guards.
 *
 * cm_no_expiry, cm_no_weight and cm_no_eviction stand for none. The context is config.context.
 *
 * Room. Where config.limit entries are there, adding one first removes one, so there are never more; CM_FULL only where
 * nobody may go, because all buckets are held, or being changed by others. Where the entries weigh more than
 * config.budget after a call, it removes some until they do not: they may weigh more by what the calls under way add,
 * and by what is held: that goes with a later call. A value that alone weighs more is CM_FULL; one that an update or a
 * guard has made so heavy goes at once, after some others maybe. Without limit and budget nothing is removed but what
 * expired.
 *
 * Who goes: what was not looked at or changed since the clock's hand came by; new entries count as unused until they
 * are looked at, so a scan of things never seen again does not drive out what is in use.
 *
 * Cost. Entries lie in nodes, each 16 bytes larger. A hit writes a mark if there is none. With a limit or a budget all
 * threads share a counter, which adding and removing changes. */
#ifndef CONCMAP_CACHE_H
#define CONCMAP_CACHE_H

#include <concmap/sharded.h>

#define CM_CACHE_MAP(name, Key, Value, hash_function, equal_function, expired, weigh, evicted)                         \
    CM_CACHE_MAP_OWNED(name, Key, Value, hash_function, equal_function, CM_PLAIN, CM_PLAIN, expired, weigh, evicted)

/* The same with keys or values that own memory: see sharded.h. */
#define CM_CACHE_MAP_OWNED(name, Key, Value, hash_function, equal_function, key_owner, value_owner, expired, weigh,    \
                           evicted)                                                                                    \
    CM_SHARDED_TYPE_(cm_inline, name, Key, Value, hash_function, equal_function, key_owner, value_owner,               \
                     CM_CACHE_OF_(expired, weigh, evicted))                                                            \
    CM_SHARDED_FUNCTIONS_(cm_inline, name, name##_key_, name##_value_)

/* The same for a type that CM_SHARDED_MAP_DECLARE declares. */
#define CM_CACHE_MAP_DEFINE(name, Key, Value, hash_function, equal_function, key_owner, value_owner, expired, weigh,   \
                            evicted)                                                                                   \
    CM_SHARDED_TYPE_(cm_define, name, Key, Value, hash_function, equal_function, key_owner, value_owner,               \
                     CM_CACHE_OF_(expired, weigh, evicted))                                                            \
    CM_SHARDED_FUNCTIONS_(cm_define, name, name##_key_, name##_value_)

#endif
