/* Batches of one instance of a map of ours: gets alone by get_many, mixed kinds by apply_many. Included behind
 * core/loop.h by adapters that define before GET_MANY(map, local, ...), APPLY_MANY(map, ...) and ANCHORED. */

static void NAME(batch_gets)(MAP *map, LOCAL *local, const struct bench_stream *stream, size_t from, size_t n,
                             struct bench_tally *tally)
{
    KEY keys[BENCH_BATCH_MAX];
#if TEXT
    const KEY *wanted = keys;
    for (size_t i = 0; i < n; i++)
        keys[i] = NAME(key_at)(stream, from + i);
#else
    const KEY *wanted = stream->key + from;
    (void)keys;
#endif
    uint64_t sum = 0; /* in a register, as in core/loop.h */
    (void)local;
#if ANCHORED
    NAME(map_out_) seen[BENCH_BATCH_MAX];
    tally->hits += GET_MANY(map, local, wanted, n, seen);
    for (size_t i = 0; i < n; i++)
        NAME(sum)(seen[i], &sum);
#else
    VALUE values[BENCH_BATCH_MAX];
    bool found[BENCH_BATCH_MAX];
    tally->hits += GET_MANY(map, local, wanted, n, found, values);
    for (size_t i = 0; i < n; i++)
        if (found[i])
            sum += bench_value_sum(values[i].word, WORDS);
#endif
    tally->sum += sum;
}

static inline void NAME(batch_prepare)(NAME(map_op) * op, const struct bench_stream *stream, size_t i)
{
#if ANCHORED && IN_PLACE
    static const cm_op_kind kinds[BENCH_KINDS] = {CM_OP_GET, CM_OP_INSERT, CM_OP_REMOVE, CM_OP_GET, CM_OP_INSERT};
#else
    static const cm_op_kind kinds[BENCH_KINDS] = {CM_OP_GET, CM_OP_INSERT, CM_OP_REMOVE, CM_OP_UPDATE, CM_OP_UPSERT};
#endif
    enum bench_kind kind = (enum bench_kind)stream->kind[i];

    op->kind = kinds[kind];
    op->key = NAME(key_at)(stream, i);
    op->function = NAME(bump);
    op->context = NULL;
    if (WORDS == 1 || kind == BENCH_INSERT || kind == BENCH_UPSERT) /* one word costs less than a wrong guess */
        bench_value_set(op->value.word, WORDS, stream->key[i]);
}

/* What there is to do with an operation's result, besides counting it. */
static inline void NAME(batch_use)(const NAME(map_op) * op, enum bench_kind kind, bool ok, uint64_t *sum)
{
#if ANCHORED
    if (kind == BENCH_GET)
        NAME(sum)(op->seen, sum);
#else
    if (kind == BENCH_GET && ok)
        *sum += bench_value_sum(op->value.word, WORDS);
#endif
#if ANCHORED && IN_PLACE
    else if (kind == BENCH_UPDATE || (kind == BENCH_UPSERT && !ok))
        NAME(bump_there)(op->seen);
#endif
    (void)ok;
}

/* Counts what a batch has done; `kinds` are those of its operations. */
static inline void NAME(batch_account)(const NAME(map_op) * ops, const uint8_t *kinds, size_t n,
                                       struct bench_tally *tally)
{
    uint64_t done[BENCH_KINDS] = {0}, sum = 0; /* not in the tally: its stores would stand between */

    for (size_t i = 0; i < n; i++) {
        bool ok = ops[i].status == CM_OK;
        done[kinds[i]] += ok;
        NAME(batch_use)(&ops[i], (enum bench_kind)kinds[i], ok, &sum);
    }
    tally->hits += done[BENCH_GET];
    tally->inserted += done[BENCH_INSERT];
    tally->removed += done[BENCH_REMOVE];
    tally->updated += done[BENCH_UPDATE];
    tally->upserted += done[BENCH_UPSERT];
    tally->sum += sum;
}

static void NAME(batch_mixed)(MAP *map, const struct bench_stream *stream, size_t from, size_t n,
                              struct bench_tally *tally)
{
    NAME(map_op) ops[BENCH_BATCH_MAX];

    for (size_t i = 0; i < n; i++)
        NAME(batch_prepare)(&ops[i], stream, from + i);
    if (APPLY_MANY(map, ops, n) != n)
        bench_fatal("apply_many", 0);
    NAME(batch_account)(ops, stream->kind + from, n, tally);
}

static inline void NAME(batch_step)(MAP *map, LOCAL *local, const struct bench_stream *stream, size_t from, size_t n,
                                    struct bench_tally *tally)
{
    if (stream->only_gets)
        NAME(batch_gets)(map, local, stream, from, n, tally);
    else
        NAME(batch_mixed)(map, stream, from, n, tally);
#if ANCHORED && IN_DOMAIN
    cm_domain_quiescent(cm_domain_default());
#endif
}

static inline size_t NAME(batch_size)(const struct bench_stream *stream, size_t from)
{
    return stream->n - from < bench_batch ? stream->n - from : bench_batch;
}

static void NAME(batch_run)(void *map, unsigned thread, const struct bench_stream *stream, struct bench_tally *out)
{
    struct bench_tally tally = {0};
    LOCAL local = NAME(enter)(map, thread);

    for (size_t i = 0; i < stream->n; i += bench_batch)
        NAME(batch_step)(map, &local, stream, i, NAME(batch_size)(stream, i), &tally);
    NAME(leave)(map, &local);
    *out = tally;
}

static void NAME(batch_run_timed)(void *map, unsigned thread, const struct bench_stream *stream,
                                  struct bench_tally *out, uint32_t *nanoseconds)
{
    struct bench_tally tally = {0};
    LOCAL local = NAME(enter)(map, thread);

    for (size_t i = 0; i < stream->n; i += bench_batch) {
        size_t n = NAME(batch_size)(stream, i);
        uint64_t before = bench_now();
        NAME(batch_step)(map, &local, stream, i, n, &tally);
        memset(nanoseconds + i, 0, n * sizeof *nanoseconds);
        nanoseconds[i] = (uint32_t)(bench_now() - before);
    }
    NAME(leave)(map, &local);
    *out = tally;
}
