/* The sharded map with values of WORDS words, singly and in batches. */
#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define OF(name) PASTE(name, WORDS)
#define VERB(verb) PASTE(OF(map_), verb)
#define BATCH 256

typedef struct {
    uint64_t words[WORDS];
} OF(value_);

CM_SHARDED_MAP(OF(map_), uint64_t, OF(value_), cm_hash_u64, cm_equal_u64)

void *OF(sharded_make_)(size_t capacity, size_t option)
{
    (void)option;
    OF(map_) *map = malloc(sizeof *map);
    const cm_config config = {capacity, BENCH_SEED, NULL};
    if (!map || VERB(_init)(map, &config) != CM_OK)
        abort();
    return map;
}

void OF(sharded_destroy_)(void *map)
{
    VERB(_destroy)(map);
    free(map);
}

static OF(value_) OF(value_of_)(uint64_t key)
{
    OF(value_) value;
    for (size_t i = 0; i < WORDS; i++)
        value.words[i] = key;
    return value;
}

static cm_status OF(count_)(OF(value_) * value, void *context)
{
    (void)context;
    value->words[0]++;
    return CM_OK;
}

static uint64_t OF(timed_put_)(OF(map_) * map, uint64_t key, uint64_t slowest)
{
    uint64_t start = now_ns();
    VERB(_put)(map, key, OF(value_of_)(key), NULL);
    uint64_t time = now_ns() - start;
    return time > slowest ? time : slowest;
}

uint64_t OF(sharded_run_)(void *context, const struct stream *stream, uint64_t *slowest)
{
    OF(map_) *map = context;
    uint64_t sum = 0;
    for (size_t i = 0; i < stream->count; i++) {
        uint64_t key = stream->keys[i];
        OF(value_) value;
        switch (stream->ops[i]) {
        case OP_GET:
            sum += VERB(_get)(map, key, &value) ? value.words[0] : 0;
            break;
        case OP_PUT:
            if (slowest)
                *slowest = OF(timed_put_)(map, key, *slowest);
            else
                sum += VERB(_put)(map, key, OF(value_of_)(key), NULL) == CM_OK;
            break;
        case OP_REMOVE:
            sum += VERB(_remove)(map, key, NULL) == CM_OK;
            break;
        case OP_UPDATE:
            sum += VERB(_update)(map, key, OF(count_), NULL) == CM_OK;
            break;
        default:
            VERB(_upsert)(map, key, OF(value_of_)(key), OF(count_), NULL);
            sum++;
        }
    }
    return sum;
}

static uint64_t OF(batch_get_)(OF(map_) * map, const uint64_t *keys, size_t count)
{
    bool found[BATCH];
    OF(value_) values[BATCH];
    uint64_t sum = 0;
    VERB(_get_many)(map, keys, count, found, values);
    for (size_t i = 0; i < count; i++)
        sum += found[i] ? values[i].words[0] : 0;
    return sum;
}

static uint64_t OF(batch_apply_)(OF(map_) * map, const uint8_t *kinds, const uint64_t *keys, size_t count)
{
    static const cm_op_kind kind_of[] = {CM_OP_GET, CM_OP_PUT, CM_OP_REMOVE, CM_OP_UPDATE, CM_OP_UPSERT};
    PASTE(OF(map_), _op) ops[BATCH];
    for (size_t i = 0; i < count; i++) {
        ops[i].kind = kind_of[kinds[i]];
        ops[i].key = keys[i];
        if (kinds[i] == OP_PUT || kinds[i] == OP_UPSERT)
            ops[i].value = OF(value_of_)(keys[i]);
        ops[i].function = OF(count_);
        ops[i].context = NULL;
    }
    VERB(_apply_many)(map, ops, count);
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += kinds[i] == OP_UPSERT ? 1
               : kinds[i] == OP_GET  ? (ops[i].status == CM_OK ? ops[i].value.words[0] : 0)
                                     : ops[i].status == CM_OK;
    return sum;
}

/* Streams of gets alone by get_many, others by apply_many. */
uint64_t OF(sharded_batch_)(void *map, const struct stream *stream, uint64_t *slowest)
{
    (void)slowest;
    bool gets = true;
    for (size_t i = 0; i < stream->count && i < 1024; i++)
        gets &= stream->ops[i] == OP_GET;
    uint64_t sum = 0;
    for (size_t i = 0; i < stream->count; i += BATCH) {
        size_t count = stream->count - i < BATCH ? stream->count - i : BATCH;
        sum += gets ? OF(batch_get_)(map, stream->keys + i, count)
                    : OF(batch_apply_)(map, stream->ops + i, stream->keys + i, count);
    }
    return sum;
}

#undef BATCH
#undef VERB
#undef OF
#undef PASTE
#undef PASTE_
#undef WORDS
