/* libcuckoo: two buckets a key, four slots each, and striped spin locks. */
#include <libcuckoo/cuckoohash_map.hh>

#include "peer.hpp"
#include "peers.h"

namespace {

struct None {};

template <class Key, size_t W> class Cuckoo {
    using Ref = typename Key::ref;
    using Stored = typename Key::stored;

public:
    Cuckoo(size_t capacity, unsigned) : map(capacity ? capacity : libcuckoo::DEFAULT_SIZE) {}
    None enter(unsigned) { return {}; }

    bool get(None, Ref key, uint64_t &sum)
    {
        return map.find_fn(key, [&](const bench::Value<W> &value) { sum = value.sum(); });
    }

    bool insert(None, Ref key, const bench::Value<W> &value) { return map.insert(key, value); }
    bool remove(None, Ref key) { return map.erase(key); }

    bool update(None, Ref key)
    {
        return map.update_fn(key, [](bench::Value<W> &value) { value.bump(); });
    }

    bool upsert(None, Ref key, const bench::Value<W> &value)
    {
        return map.upsert(key, [](bench::Value<W> &present) { present.bump(); }, value);
    }

    template <class F> void for_each(F visit)
    {
        for (auto &[key, value] : map.lock_table())
            visit(key, value);
    }

private:
    libcuckoo::cuckoohash_map<Stored, bench::Value<W>, bench::Hash, std::equal_to<>> map;
};

} // namespace

const bench_ops *bench_libcuckoo_find(const char *, bool text, size_t words)
{
    return bench::find<Cuckoo>(text, words);
}
