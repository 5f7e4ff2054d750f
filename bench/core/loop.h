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

/* Out of line, so that the loop around the look-ups keeps its sums in registers: sums of what was read that lie in
 * memory hold up the reads behind them, in some loops and not in others, by as much as a third. */
static __attribute__((noinline)) void NAME(write_step)(MAP *map, LOCAL *local, const struct bench_stream *stream,
                                                       size_t i, struct bench_tally *tally)
{
    KEY key = NAME(key_at)(stream, i);

    switch (stream->kind[i]) {
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

/* What look-ups found. */
struct NAME(found_) {
    uint64_t hits, sum;
};

static inline struct NAME(found_) NAME(step)(MAP *map, LOCAL *local, const struct bench_stream *stream, size_t i,
                                             struct NAME(found_) found, struct bench_tally *tally)
{
    VALUE value;

    if (stream->kind[i] != BENCH_GET) {
        NAME(write_step)(map, local, stream, i, tally);
    } else if (NAME(get)(map, local, NAME(key_at)(stream, i), &value)) {
        found.hits++;
        found.sum += bench_value_sum(value.word, WORDS);
    }
    return found;
}

static void NAME(run)(void *opaque, unsigned thread, const struct bench_stream *stream, struct bench_tally *out)
{
    MAP *map = opaque;
    LOCAL local = NAME(enter)(map, thread);
    const struct bench_stream copy = *stream; /* so that stores to the map do not force loads of it */
    struct bench_tally tally = {0};
    struct NAME(found_) found = {0, 0};

    for (size_t i = 0; i < copy.n; i++)
        found = NAME(step)(map, &local, &copy, i, found, &tally);
    NAME(leave)(map, &local);
    *out = tally;
    out->hits = found.hits;
    out->sum = found.sum;
}

static void NAME(run_timed)(void *opaque, unsigned thread, const struct bench_stream *stream, struct bench_tally *out,
                            uint32_t *nanoseconds)
{
    MAP *map = opaque;
    LOCAL local = NAME(enter)(map, thread);
    struct bench_tally tally = {0};
    struct NAME(found_) found = {0, 0};

    for (size_t i = 0; i < stream->n; i++) {
        uint64_t before = bench_now();
        found = NAME(step)(map, &local, stream, i, found, &tally);
        nanoseconds[i] = (uint32_t)(bench_now() - before);
    }
    NAME(leave)(map, &local);
    *out = tally;
    out->hits = found.hits;
    out->sum = found.sum;
}

static void NAME(fill)(void *map, const struct bench_stream *stream)
{
    struct bench_tally tally;

    NAME(run)(map, 0, stream, &tally);
}
