/* The partitioned map without threads of its own, for one pair of key and value: each thread owns a partition, sends
 * the operations of its stream in batches, several of them under way at a time, and serves what the others ask. */
#include "our_instance.h"

#define MAP NAME(map)

struct NAME(flow) {
    MAP map;
    bool polled;
    unsigned arrived, done; /* threads that have begun their streams, and ended them, in all rounds */
};

/* Batches under way, the oldest first. */
struct NAME(pipe) {
    struct NAME(flow) * flow;
    unsigned thread;
    struct NAME(under_way) {
        NAME(map_batch) batch;
        size_t n;
        const uint8_t *kind; /* of each operation */
        NAME(map_op) ops[BENCH_BATCH_MAX];
    } under_way[FLOW_DEPTH];
    size_t first, last;
};

static void *NAME(flow_open)(size_t capacity, unsigned threads, bool polled, bool lent)
{
    struct NAME(flow) *flow = malloc(sizeof *flow);
    cm_partition_config config = {.partitions = threads, .polled = polled, .lent = lent, .batch = bench_batch};
    config.map.capacity = capacity;
    cm_status status = flow ? NAME(map_open)(&flow->map, &config) : CM_NOMEM;
    if (status != CM_OK)
        bench_fatal("open", (int)status);
    flow->arrived = flow->done = 0;
    flow->polled = polled;
    return flow;
}

static void *NAME(flow_create)(size_t capacity, unsigned threads)
{
    return NAME(flow_open)(capacity, threads, true, false);
}

static void *NAME(threads_create)(size_t capacity, unsigned threads)
{
    return NAME(flow_open)(capacity, threads, false, false);
}

static void *NAME(lent_create)(size_t capacity, unsigned threads)
{
    return NAME(flow_open)(capacity, threads, false, true);
}

static void NAME(flow_destroy)(void *map)
{
    struct NAME(flow) *flow = map;
    NAME(map_destroy)(&flow->map);
    free(flow);
}

static void NAME(flow_own)(struct NAME(flow) * flow, unsigned from, unsigned to, bool take)
{
    for (unsigned i = from; i < to && flow->polled; i++)
        if ((take ? NAME(map_partition_own)(&flow->map, i) : NAME(map_partition_leave)(&flow->map, i)) != CM_OK)
            bench_fatal("own", (int)i);
}

static void NAME(flow_fill)(void *map, const struct bench_stream *stream)
{
    struct NAME(flow) *flow = map;
    struct bench_tally tally;
    unsigned count = (unsigned)NAME(map_partitions)(&flow->map);
    NAME(flow_own)(flow, 0, count, true);
    NAME(batch_run)(&flow->map, 0, stream, &tally);
    NAME(flow_own)(flow, 0, count, false);
}

static void NAME(flow_contents)(void *map, struct bench_contents *contents)
{
    struct NAME(flow) *flow = map;
    unsigned count = (unsigned)NAME(map_partitions)(&flow->map);
    NAME(flow_own)(flow, 0, count, true);
    NAME(contents)(&flow->map, contents);
    NAME(flow_own)(flow, 0, count, false);
}

static void NAME(flow_serve)(struct NAME(pipe) * pipe)
{
    if (pipe->flow->polled)
        NAME(map_partition_poll)(&pipe->flow->map, pipe->thread, 8, NULL);
}

static void NAME(flow_finish)(struct NAME(pipe) * pipe, struct bench_tally *tally)
{
    struct NAME(under_way) *oldest = &pipe->under_way[pipe->first++ % FLOW_DEPTH];
    NAME(map_batch_wait)(&oldest->batch);
    for (size_t i = 0; i < oldest->n; i++)
        if (oldest->ops[i].status < 0)
            bench_fatal("batch", (int)oldest->ops[i].status);
    NAME(batch_account)(oldest->ops, oldest->kind, oldest->n, tally);
}

static void NAME(flow_send)(struct NAME(pipe) * pipe, const struct bench_stream *stream, size_t from, size_t n)
{
    struct NAME(under_way) *next = &pipe->under_way[pipe->last++ % FLOW_DEPTH];
    next->batch = NAME(map_batch_begin)(&pipe->flow->map);
    next->n = n;
    next->kind = stream->kind + from;
    for (size_t i = 0; i < n; i++) {
        NAME(map_op) *op = &next->ops[i];
        NAME(batch_prepare)(op, stream, from + i);
        if (NAME(map_batch_op)(&next->batch, op) < 0)
            bench_fatal("batch_op", (int)op->status);
    }
    if (NAME(map_batch_send)(&next->batch) != CM_OK)
        bench_fatal("batch_send", 0);
}

static void NAME(flow_run_timed)(void *map, unsigned thread, const struct bench_stream *stream, struct bench_tally *out,
                                 uint32_t *nanoseconds)
{
    struct NAME(flow) *flow = map;
    struct bench_tally tally = {0};
    struct NAME(pipe) *pipe = malloc(sizeof *pipe);
    if (!pipe)
        bench_fatal("memory", 0);
    pipe->flow = flow;
    pipe->thread = thread;
    pipe->first = pipe->last = 0;
    unsigned threads = (unsigned)NAME(map_partitions)(&flow->map);
    unsigned all = (__atomic_fetch_add(&flow->arrived, 1, __ATOMIC_RELAXED) / threads + 1) * threads;
    NAME(flow_own)(flow, thread, thread + 1, true);
    for (size_t i = 0; i < stream->n; i += bench_batch) {
        size_t n = stream->n - i < bench_batch ? stream->n - i : bench_batch;
        uint64_t before = nanoseconds ? bench_now() : 0;
        if (pipe->last - pipe->first == FLOW_DEPTH)
            NAME(flow_finish)(pipe, &tally);
        NAME(flow_send)(pipe, stream, i, n);
        NAME(flow_serve)(pipe);
        if (nanoseconds) {
            memset(nanoseconds + i, 0, n * sizeof *nanoseconds);
            nanoseconds[i] = (uint32_t)(bench_now() - before);
        }
    }
    while (pipe->first < pipe->last)
        NAME(flow_finish)(pipe, &tally);
    free(pipe);
    *out = tally;
    /* The others still ask, or have not begun yet. */
    __atomic_add_fetch(&flow->done, 1, __ATOMIC_ACQ_REL);
    while (flow->polled && __atomic_load_n(&flow->done, __ATOMIC_ACQUIRE) < all)
        if (NAME(map_owner_sleep_until)(&flow->map, cm_deadline_after(50000)) == CM_OK)
            NAME(map_partition_poll)(&flow->map, thread, 8, NULL);
    NAME(flow_own)(flow, thread, thread + 1, false);
}

static void NAME(flow_run)(void *map, unsigned thread, const struct bench_stream *stream, struct bench_tally *out)
{
    NAME(flow_run_timed)(map, thread, stream, out, NULL);
}

static const struct bench_ops NAME(flows) = {NAME(flow_create),    NAME(flow_fill),     NAME(flow_run),
                                             NAME(flow_run_timed), NAME(flow_contents), NAME(flow_destroy)};
static const struct bench_ops NAME(threads) = {NAME(threads_create), NAME(flow_fill),     NAME(flow_run),
                                               NAME(flow_run_timed), NAME(flow_contents), NAME(flow_destroy)};

static const struct bench_ops NAME(lent) = {NAME(lent_create),    NAME(flow_fill),     NAME(flow_run),
                                            NAME(flow_run_timed), NAME(flow_contents), NAME(flow_destroy)};

#undef MAP
