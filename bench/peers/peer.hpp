/* What a C++ adapter provides, and the loops over streams that every adapter shares.
 *
 * An adapter is a template `template <class Key, size_t W> class Map` with
 *     Map(size_t capacity, unsigned threads); Local enter(unsigned thread);
 *     bool get(Local &, Ref key, uint64_t &sum), insert(Local &, Ref, const Value<W> &), remove(Local &, Ref),
 *          update(Local &, Ref), upsert(Local &, Ref, const Value<W> &);
 *     void for_each(F visit);                                            visit(Ref, const Value<W> &)
 * where Ref is `typename Key::ref`. */
#ifndef BENCH_PEER_HPP
#define BENCH_PEER_HPP

#include <cstring>
#include <string>
#include <string_view>
#include <time.h>

#include "../core/key.h"
#include "../core/map.h"

namespace bench {

template <size_t W> struct Value {
    uint64_t word[W];

    static Value of(uint64_t number)
    {
        Value value;
        for (size_t j = 0; j < W; j++)
            value.word[j] = bench_value_word(number, j);
        return value;
    }

    /* All words added up: who asked for the value has looked at all of it. */
    uint64_t sum() const
    {
        uint64_t all = 0;
        for (size_t j = 0; j < W; j++)
            all += word[j];
        return all;
    }

    void bump() { word[0]++; }
};

/* How keys are stored, looked up by, hashed and compared. */
struct NumberKey {
    using stored = uint64_t;
    using ref = uint64_t;
    static ref at(const bench_stream *stream, size_t i) { return stream->key[i]; }
    static uint64_t digest(ref key, const uint64_t *words, size_t n) { return bench_digest_u64(key, words, n); }
};

struct TextKey {
    using stored = std::string;
    using ref = std::string_view;
    static ref at(const bench_stream *stream, size_t i) { return {stream->text + i * stream->text_len, stream->text_len}; }
    static uint64_t digest(ref key, const uint64_t *words, size_t n)
    {
        return bench_digest_text(key.data(), key.size(), words, n);
    }
};

struct Hash {
    using is_transparent = void;
    using is_avalanching = void; /* Boost: no second mixing, please */
    size_t operator()(uint64_t key) const { return bench_hash_u64(key); }
    size_t operator()(std::string_view key) const { return bench_hash_text(key.data(), key.size()); }
};

template <class Map, class Key, size_t W> struct Adapter {
    using Local = decltype(std::declval<Map &>().enter(0u));

    /* Out of line, so that the loop around the look-ups keeps its sums in registers: see core/loop.h. */
    [[gnu::noinline]] static void change(Map &map, Local &local, const bench_stream *stream, size_t i,
                                         bench_tally &tally)
    {
        typename Key::ref key = Key::at(stream, i);

        switch (stream->kind[i]) {
        case BENCH_INSERT: tally.inserted += map.insert(local, key, Value<W>::of(stream->key[i])); break;
        case BENCH_REMOVE: tally.removed += map.remove(local, key); break;
        case BENCH_UPDATE: tally.updated += map.update(local, key); break;
        default: tally.upserted += map.upsert(local, key, Value<W>::of(stream->key[i])); break;
        }
    }

    /* What look-ups found. */
    struct Found {
        uint64_t hits = 0, sum = 0;
    };

    static Found step(Map &map, Local &local, const bench_stream *stream, size_t i, Found found, bench_tally &tally)
    {
        uint64_t sum = 0;

        if (stream->kind[i] != BENCH_GET) {
            change(map, local, stream, i, tally);
        } else if (map.get(local, Key::at(stream, i), sum)) {
            found.hits++;
            found.sum += sum;
        }
        return found;
    }

    static uint64_t now()
    {
        timespec time;
        clock_gettime(CLOCK_MONOTONIC, &time);
        return uint64_t(time.tv_sec) * 1000000000u + uint64_t(time.tv_nsec);
    }

    static void *create(size_t capacity, unsigned threads) { return new Map(capacity, threads); }
    static void destroy(void *map) { delete static_cast<Map *>(map); }

    static void run(void *opaque, unsigned thread, const bench_stream *stream, bench_tally *out)
    {
        Map &map = *static_cast<Map *>(opaque);
        Local local = map.enter(thread);
        const bench_stream copy = *stream; /* so that stores to the map do not force loads of it */
        bench_tally tally = {};
        Found found;

        for (size_t i = 0; i < copy.n; i++)
            found = step(map, local, &copy, i, found, tally);
        *out = tally;
        out->hits = found.hits;
        out->sum = found.sum;
    }

    static void run_timed(void *opaque, unsigned thread, const bench_stream *stream, bench_tally *out,
                          uint32_t *nanoseconds)
    {
        Map &map = *static_cast<Map *>(opaque);
        Local local = map.enter(thread);
        bench_tally tally = {};
        Found found;

        for (size_t i = 0; i < stream->n; i++) {
            uint64_t before = now();
            found = step(map, local, stream, i, found, tally);
            nanoseconds[i] = uint32_t(now() - before);
        }
        *out = tally;
        out->hits = found.hits;
        out->sum = found.sum;
    }

    static void fill(void *map, const bench_stream *stream)
    {
        bench_tally tally;
        run(map, 0, stream, &tally);
    }

    static void contents(void *opaque, bench_contents *out)
    {
        bench_contents sum = {};
        static_cast<Map *>(opaque)->for_each([&](typename Key::ref key, const Value<W> &value) {
            sum.entries++;
            sum.checksum += Key::digest(key, value.word, W);
        });
        *out = sum;
    }

    static constexpr bench_ops ops = {create, fill, run, run_timed, contents, destroy};
};

/* The table for these keys and values, of the adapter template `Map`. */
template <template <class, size_t> class Map> const bench_ops *find(bool text, size_t words)
{
    switch (words) {
    case 1: return text ? &Adapter<Map<TextKey, 1>, TextKey, 1>::ops : &Adapter<Map<NumberKey, 1>, NumberKey, 1>::ops;
    case 3: return text ? &Adapter<Map<TextKey, 3>, TextKey, 3>::ops : &Adapter<Map<NumberKey, 3>, NumberKey, 3>::ops;
    case 8: return text ? &Adapter<Map<TextKey, 8>, TextKey, 8>::ops : &Adapter<Map<NumberKey, 8>, NumberKey, 8>::ops;
    case 32:
        return text ? &Adapter<Map<TextKey, 32>, TextKey, 32>::ops : &Adapter<Map<NumberKey, 32>, NumberKey, 32>::ops;
    default: return nullptr;
    }
}

} // namespace bench

#endif
