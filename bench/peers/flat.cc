// boost::unordered_flat_map, behind one mutex or, as the bound for one thread, without a lock.
#include <concmap/hash.h>
#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <mutex>

#include "../map.h"

namespace
{

struct hash {
    using is_avalanching = void;
    std::size_t operator()(std::uint64_t key) const
    {
        return cm_hash_u64(&key, BENCH_SEED);
    }
};

template <std::size_t Words> struct flat {
    using value = std::array<std::uint64_t, Words>;
    std::mutex mutex;
    boost::unordered_flat_map<std::uint64_t, value, hash> table;
    bool locked;

    static value value_of(std::uint64_t key)
    {
        value v;
        v.fill(key);
        return v;
    }

    std::uint64_t one(std::uint8_t op, std::uint64_t key)
    {
        switch (op) {
        case OP_GET: {
            auto it = table.find(key);
            return it == table.end() ? 0 : it->second[0];
        }
        case OP_PUT:
            return table.insert_or_assign(key, value_of(key)).second;
        case OP_REMOVE:
            return table.erase(key);
        case OP_UPDATE: {
            auto it = table.find(key);
            if (it == table.end())
                return 0;
            it->second[0]++;
            return 1;
        }
        default: {
            auto result = table.try_emplace(key, value_of(key));
            if (!result.second)
                result.first->second[0]++;
            return 1;
        }
        }
    }

    template <bool Locked> std::uint64_t run(const stream *s)
    {
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i < s->count; i++) {
            if (Locked)
                mutex.lock();
            sum += one(s->ops[i], s->keys[i]);
            if (Locked)
                mutex.unlock();
        }
        return sum;
    }
};

} // namespace

#define DEFINE_FLAT(words)                                                                                             \
    void *flat_make_##words(std::size_t capacity, std::size_t locked)                                                  \
    {                                                                                                                  \
        auto *map = new flat<words>;                                                                                   \
        map->table.reserve(capacity);                                                                                  \
        map->locked = locked != 0;                                                                                     \
        return map;                                                                                                    \
    }                                                                                                                  \
    std::uint64_t flat_run_##words(void *map, const stream *s, std::uint64_t *)                                        \
    {                                                                                                                  \
        auto *f = static_cast<flat<words> *>(map);                                                                     \
        return f->locked ? f->run<true>(s) : f->run<false>(s);                                                         \
    }                                                                                                                  \
    void flat_destroy_##words(void *map)                                                                               \
    {                                                                                                                  \
        delete static_cast<flat<words> *>(map);                                                                        \
    }

extern "C" {
VALUE_SIZES(DEFINE_FLAT)
}
