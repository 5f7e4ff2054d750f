/* The loops over streams for one instance of an adapter written in C, which defines before it includes this file:
 *     MAP, LOCAL                                       its types
 *     LOCAL NAME(enter)(MAP *, unsigned thread); void NAME(leave)(MAP *, LOCAL *);
 *     bool NAME(get)(MAP *, LOCAL *, KEY, VALUE *), NAME(insert)(MAP *, LOCAL *, KEY, VALUE), NAME(remove)(MAP *, LOCAL
 * *, KEY), NAME(update)(MAP *, LOCAL *, KEY), NAME(upsert)(MAP *, LOCAL *, KEY, VALUE); No include guard: once for each
 * instance. */

static inline KEY NAME(key_at)(const struct bench_stream *stream, size_t i)
{
#if TEXT
    return TEXT_KEY_MAKE(stream->text + i * stream->text_len, stream->text_len);
#else
    return stream->key[i];
#endif
}

static inline VALUE NAME(value_of)(uint64_t number)
{
    VALUE value;

    bench_value_set(value.word, WORDS, number);
    return value;
}

static inline void NAME(step)(MAP *map, LOCAL *local, const struct bench_stream *stream, size_t i,
                              struct bench_tally *tally)
{
    KEY key = NAME(key_at)(stream, i);
    VALUE value;

    switch (stream->kind[i]) {
    case BENCH_GET:
        if (NAME(get)(map, local, key, &value)) {
            tally->hits++;
            tally->sum += bench_value_sum(value.word, WORDS);
        }
        break;
    case BENCH_INSERT:
        tally->inserted += NAME(insert)(map, local, key, NAME(value_of)(stream->key[i]));
        break;
    case BENCH_REMOVE:
        tally->removed += NAME(remove)(map, local, key);
        break;
    case BENCH_UPDATE:
        tally->updated += NAME(update)(map, local, key);
        break;
    default:
        tally->upserted += NAME(upsert)(map, local, key, NAME(value_of)(stream->key[i]));
    }
}

static void NAME(run)(void *opaque, unsigned thread, const struct bench_stream *stream, struct bench_tally *out)
{
    MAP *map = opaque;
    LOCAL local = NAME(enter)(map, thread);
    const struct bench_stream copy = *stream; /* so that stores to the map do not force loads of it */
    struct bench_tally tally = {0};

    for (size_t i = 0; i < copy.n; i++)
        NAME(step)(map, &local, &copy, i, &tally);
    NAME(leave)(map, &local);
    *out = tally;
}

static void NAME(run_timed)(void *opaque, unsigned thread, const struct bench_stream *stream, struct bench_tally *out,
                            uint32_t *nanoseconds)
{
    MAP *map = opaque;
    LOCAL local = NAME(enter)(map, thread);
    struct bench_tally tally = {0};

    for (size_t i = 0; i < stream->n; i++) {
        uint64_t before = bench_now();
        NAME(step)(map, &local, stream, i, &tally);
        nanoseconds[i] = (uint32_t)(bench_now() - before);
    }
    NAME(leave)(map, &local);
    *out = tally;
}

static void NAME(fill)(void *map, const struct bench_stream *stream)
{
    struct bench_tally tally;

    NAME(run)(map, 0, stream, &tally);
}
