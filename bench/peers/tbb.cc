/* tbb::concurrent_hash_map: a chain and a reader-writer lock per bucket, and an accessor that holds the entry's own
 * lock. It has no reserve, but can be made with buckets. */
#include <tbb/concurrent_hash_map.h>

#include "peer.hpp"
#include "peers.h"

namespace {

struct None {};

/* What TBB calls a hash-compare; by any form of the key. */
struct HashCompare {
    using is_transparent = void;
    template <class A> size_t hash(const A &key) const { return bench::Hash()(key); }
    template <class A, class B> bool equal(const A &a, const B &b) const { return a == b; }
};

template <class Key, size_t W> class Tbb {
    using Ref = typename Key::ref;
    using Stored = typename Key::stored;
    using Map = tbb::concurrent_hash_map<Stored, bench::Value<W>, HashCompare>;

public:
    Tbb(size_t capacity, unsigned) : map(capacity) {}
    None enter(unsigned) { return {}; }

    bool get(None, Ref key, uint64_t &sum)
    {
        typename Map::const_accessor entry;
        if (!map.find(entry, key))
            return false;
        sum = entry->second.sum();
        return true;
    }

    bool insert(None, Ref key, const bench::Value<W> &value) { return map.insert({Stored(key), value}); }
    bool remove(None, Ref key) { return map.erase(key); }

    bool update(None, Ref key)
    {
        typename Map::accessor entry;
        if (!map.find(entry, key))
            return false;
        entry->second.bump();
        return true;
    }

    bool upsert(None, Ref key, const bench::Value<W> &value)
    {
        typename Map::accessor entry;
        bool fresh = map.insert(entry, key);
        if (fresh)
            entry->second = value;
        else
            entry->second.bump();
        return fresh;
    }

    template <class F> void for_each(F visit)
    {
        for (auto &[key, value] : map)
            visit(key, value);
    }

private:
    Map map;
};

} // namespace

const bench_ops *bench_tbb_find(const char *, bool text, size_t words)
{
    return bench::find<Tbb>(text, words);
}
