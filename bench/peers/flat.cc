/* boost::unordered_flat_map: behind a mutex as most programs would, and without a lock as the bound for one thread, by
 * the hash of all peers and by ours. */
#include <boost/unordered/unordered_flat_map.hpp>
#include <concmap/hash.h>
#include <functional>
#include <mutex>

#include "peer.hpp"
#include "peers.h"

namespace {

struct NoMutex {
    void lock() {}
    void unlock() {}
};

struct None {};

/* What the keys of our maps are hashed by. */
struct KeyedHash : bench::Hash {
    using bench::Hash::operator();
    size_t operator()(uint64_t key) const { return cm_hash_u64(&key, seed); }
    uint64_t seed = cm_seed_random();
};

template <class Key, size_t W, class Mutex, class Hash> class Flat {
    using Ref = typename Key::ref;
    using Lock = std::lock_guard<Mutex>;

public:
    Flat(size_t capacity, unsigned) { map.reserve(capacity); }
    None enter(unsigned) { return {}; }

    bool get(None, Ref key, uint64_t &sum)
    {
        Lock lock(mutex);
        auto it = map.find(key);
        if (it == map.end())
            return false;
        sum = it->second.sum();
        return true;
    }

    bool insert(None, Ref key, const bench::Value<W> &value)
    {
        Lock lock(mutex);
        return map.emplace(key, value).second;
    }

    bool remove(None, Ref key)
    {
        Lock lock(mutex);
        return map.erase(key) > 0;
    }

    bool update(None, Ref key)
    {
        Lock lock(mutex);
        auto it = map.find(key);
        if (it == map.end())
            return false;
        it->second.bump();
        return true;
    }

    bool upsert(None, Ref key, const bench::Value<W> &value)
    {
        Lock lock(mutex);
        auto [it, fresh] = map.try_emplace(typename Key::stored(key), value);
        if (!fresh)
            it->second.bump();
        return fresh;
    }

    template <class F> void for_each(F visit)
    {
        for (auto &[key, value] : map)
            visit(key, value);
    }

private:
    Mutex mutex;
    boost::unordered_flat_map<typename Key::stored, bench::Value<W>, Hash, std::equal_to<>> map;
};

template <class Key, size_t W> using Locked = Flat<Key, W, std::mutex, bench::Hash>;
template <class Key, size_t W> using Unlocked = Flat<Key, W, NoMutex, bench::Hash>;
template <class Key, size_t W> using Keyed = Flat<Key, W, NoMutex, KeyedHash>;

} // namespace

const bench_ops *bench_flat_find(const char *name, bool text, size_t words)
{
    if (std::strcmp(name, "flat-mutex") == 0)
        return bench::find<Locked>(text, words);
    return std::strcmp(name, "flat-keyed") == 0 ? bench::find<Keyed>(text, words) : bench::find<Unlocked>(text, words);
}
