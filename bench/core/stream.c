/* Making streams: see stream.h for what they hold. */
#include "stream.h"

#include <math.h>
#include <stdlib.h>

#include "key.h"
#include "memory.h"

enum { SHORTEST_RUN = 1 << 20, LONGEST_STEADY = 1 << 22 };

/* splitmix64: fast, and good enough to choose operations. */
struct random {
    uint64_t state;
};

static uint64_t random_next(struct random *random)
{
    random->state += UINT64_C(0x9e3779b97f4a7c15);
    return bench_mix(random->state);
}

/* A number below n. */
static uint64_t random_below(struct random *random, uint64_t n)
{
    __extension__ typedef unsigned __int128 wide;
    return (uint64_t)((wide)random_next(random) * n >> 64);
}

static double random_unit(struct random *random)
{
    return (double)(random_next(random) >> 11) * 0x1p-53;
}

/* Zipf ranks by the method of Gray et al., "Quickly generating billion-record synthetic databases". */
struct zipf {
    double theta, alpha, zeta, eta;
    uint64_t n;
};

static struct zipf zipf_make(double theta, uint64_t n)
{
    struct zipf zipf = {.theta = theta, .n = n};
    double zeta2 = 1 + pow(0.5, theta);

    if (theta <= 0 || n < 2)
        return (struct zipf){.n = n};
    for (uint64_t i = 1; i <= n; i++)
        zipf.zeta += pow((double)i, -theta);
    zipf.alpha = 1 / (1 - theta);
    zipf.eta = (1 - pow(2.0 / (double)n, 1 - theta)) / (1 - zeta2 / zipf.zeta);
    return zipf;
}

/* A rank below n, which may have moved a little from the n that `zipf` was made for. */
static uint64_t zipf_rank(const struct zipf *zipf, struct random *random, uint64_t n)
{
    double unit, scaled;
    uint64_t rank;

    if (zipf->theta <= 0)
        return random_below(random, n);
    unit = random_unit(random);
    scaled = unit * zipf->zeta;
    if (scaled < 1)
        return 0;
    if (scaled < 1 + pow(0.5, zipf->theta))
        return n > 1;
    rank = (uint64_t)((double)zipf->n * pow(zipf->eta * unit - zipf->eta + 1, zipf->alpha));
    return rank < n ? rank : n - 1;
}

/* One thread's keys: present are the indexes [head, tail). */
struct window {
    uint64_t owner, head, tail, misses;
};

enum { OWNER_SHIFT = 44, MISS_BIT = 43 };

struct maker {
    const struct bench_plan *plan;
    const struct bench_workload *workload;
    struct zipf zipf;
    struct random random;
    struct window window;
    double hit;
    struct bench_tally expected;
};

static uint64_t key_number(const struct bench_plan *plan, uint64_t owner, uint64_t index)
{
    return bench_mix((owner << OWNER_SHIFT | index) + bench_mix(plan->seed));
}

static size_t fill_per_thread(const struct bench_plan *plan)
{
    double entries = ldexp(plan->workload->fill, (int)plan->capacity_log2);
    return (size_t)(entries / plan->threads);
}

/* A key that is in the map, or one that never was if there is none. */
static uint64_t present_key(struct maker *maker, bool *present)
{
    const struct window *own = &maker->window;
    uint64_t per_thread = own->tail - own->head, rank;

    *present = per_thread > 0;
    if (!per_thread)
        return key_number(maker->plan, own->owner, UINT64_C(1) << MISS_BIT | maker->window.misses++);
    if (!maker->workload->shared)
        return key_number(maker->plan, own->owner, own->head + zipf_rank(&maker->zipf, &maker->random, per_thread));
    rank = zipf_rank(&maker->zipf, &maker->random, per_thread * maker->plan->threads);
    return key_number(maker->plan, rank % maker->plan->threads, rank / maker->plan->threads);
}

static uint64_t missing_key(struct maker *maker)
{
    return key_number(maker->plan, maker->window.owner, UINT64_C(1) << MISS_BIT | maker->window.misses++);
}

static uint64_t fresh_key(struct maker *maker)
{
    return key_number(maker->plan, maker->window.owner, maker->window.tail++);
}

static enum bench_kind kind_choose(const struct bench_workload *w, struct random *random)
{
    uint64_t pick = random_below(random, w->get + w->insert + w->remove + w->update + w->upsert);

    if (pick < w->get)
        return BENCH_GET;
    if ((pick -= w->get) < w->insert)
        return BENCH_INSERT;
    if ((pick -= w->insert) < w->remove)
        return BENCH_REMOVE;
    return pick - w->remove < w->update ? BENCH_UPDATE : BENCH_UPSERT;
}

static uint64_t key_choose(struct maker *maker, enum bench_kind kind)
{
    bool hit = random_unit(&maker->random) < maker->hit, present = false;
    uint64_t key;

    if (maker->workload->counter)
        return key_number(maker->plan, 0, 0);
    switch (kind) {
    case BENCH_GET:
        key = hit ? present_key(maker, &present) : missing_key(maker);
        maker->expected.hits += present;
        return key;
    case BENCH_INSERT:
        maker->expected.inserted++;
        return fresh_key(maker);
    case BENCH_REMOVE:
        if (maker->window.head == maker->window.tail)
            return missing_key(maker);
        maker->expected.removed++;
        return key_number(maker->plan, maker->window.owner, maker->window.head++);
    case BENCH_UPDATE:
        key = present_key(maker, &present);
        maker->expected.updated += present;
        return key;
    default:
        if (hit && maker->window.head < maker->window.tail)
            return present_key(maker, &present);
        maker->expected.upserted++;
        return fresh_key(maker);
    }
}

static void stream_allocate(struct bench_stream *stream, size_t n, size_t text_len)
{
    stream->n = n;
    stream->kind = (const uint8_t *)bench_allocate(n);
    stream->key = (const uint64_t *)bench_allocate(n * sizeof(uint64_t));
    stream->text = text_len ? (const char *)bench_allocate(n * text_len) : NULL;
    stream->text_len = text_len;
}

static void stream_free(struct bench_stream *stream)
{
    bench_release((void *)(uintptr_t)stream->kind, stream->n);
    bench_release((void *)(uintptr_t)stream->key, stream->n * sizeof(uint64_t));
    bench_release((void *)(uintptr_t)stream->text, stream->n * stream->text_len);
}

/* Streams are read-only for all but their maker. */
static void stream_set(struct bench_stream *stream, size_t i, enum bench_kind kind, uint64_t key)
{
    ((uint8_t *)(uintptr_t)stream->kind)[i] = (uint8_t)kind;
    ((uint64_t *)(uintptr_t)stream->key)[i] = key;
    if (stream->text)
        bench_key_text((char *)(uintptr_t)stream->text + i * stream->text_len, stream->text_len, key);
}

static void fill_make(struct bench_stream *stream, const struct bench_plan *plan)
{
    size_t per_thread = fill_per_thread(plan);

    stream_allocate(stream, per_thread * plan->threads, plan->text_len);
    for (size_t i = 0; i < stream->n; i++)
        stream_set(stream, i, BENCH_INSERT, key_number(plan, i % plan->threads, i / plan->threads));
}

static void thread_make(struct bench_stream *stream, struct maker *maker, size_t n)
{
    stream_allocate(stream, n, maker->plan->text_len);
    for (size_t i = 0; i < n; i++) {
        enum bench_kind kind = kind_choose(maker->workload, &maker->random);
        stream_set(stream, i, kind, key_choose(maker, kind));
    }
    stream->only_gets =
        maker->workload->insert + maker->workload->remove + maker->workload->update + maker->workload->upsert == 0;
}

static void tally_add(struct bench_tally *sum, const struct bench_tally *more)
{
    sum->hits += more->hits;
    sum->inserted += more->inserted;
    sum->removed += more->removed;
    sum->updated += more->updated;
    sum->upserted += more->upserted;
}

/* Short runs are lengthened where the mix keeps the map as it is, and repeated where it does not; unless the user has
 * said how long they shall be. */
static size_t ops_choose(const struct bench_plan *plan, unsigned *cycles)
{
    double factor = plan->ops_factor > 0 ? plan->ops_factor : plan->workload->ops;
    size_t ops = (size_t)ldexp(factor, (int)plan->capacity_log2);

    *cycles = 1;
    if (ops < plan->threads)
        ops = plan->threads;
    if (plan->workload->steady && plan->ops_factor <= 0 && ops < LONGEST_STEADY)
        return LONGEST_STEADY;
    if (ops < SHORTEST_RUN && plan->ops_factor <= 0)
        *cycles = (unsigned)((SHORTEST_RUN + ops - 1) / ops);
    return ops;
}

double bench_plan_writes(const struct bench_plan *plan)
{
    const struct bench_workload *w = plan->workload;
    unsigned cycles, writes = w->insert + w->remove + w->update + w->upsert;
    return (double)ops_choose(plan, &cycles) * writes / (w->get + writes);
}

struct bench_streams bench_streams_make(const struct bench_plan *plan)
{
    const struct bench_workload *workload = plan->workload;
    struct bench_streams streams = {.n_threads = plan->threads};
    size_t per_thread = ops_choose(plan, &streams.cycles) / plan->threads, filled = fill_per_thread(plan);
    struct zipf zipf =
        zipf_make(plan->skew >= 0 ? plan->skew : workload->skew, workload->shared ? filled * plan->threads : filled);

    streams.threads = (struct bench_stream *)bench_allocate(plan->threads * sizeof *streams.threads);
    streams.ops = per_thread * plan->threads;
    streams.capacity = workload->cold ? 0 : (size_t)1 << plan->capacity_log2;
    if (workload->counter)
        streams.capacity = 1;
    fill_make(&streams.fill, plan);
    for (unsigned t = 0; t < plan->threads; t++) {
        struct maker maker = {.plan = plan,
                              .workload = workload,
                              .zipf = zipf,
                              .random = {bench_mix(plan->seed + 1 + t)},
                              .window = {.owner = t, .tail = filled},
                              .hit = plan->hit >= 0 ? plan->hit : workload->hit};
        thread_make(&streams.threads[t], &maker, per_thread);
        tally_add(&streams.expected, &maker.expected);
    }
    if (workload->counter)
        streams.expected.upserted = 1;
    streams.entries = streams.fill.n + streams.expected.inserted + streams.expected.upserted - streams.expected.removed;
    return streams;
}

void bench_streams_free(struct bench_streams *streams)
{
    for (unsigned t = 0; t < streams->n_threads; t++)
        stream_free(&streams->threads[t]);
    bench_release(streams->threads, streams->n_threads * sizeof *streams->threads);
    stream_free(&streams->fill);
    *streams = (struct bench_streams){0};
}
