/* Partitioned maps: making them, their threads, and their end. */
#include <concmap/partitioned.h>

#include <concmap/detail/per_thread.h>
#include <concmap/hash.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "partition.h"
#include "platform.h"

#define ENDING_NAP_NS 1000000
#define PARTITIONS_MOST 4096
#define QUEUE_DEFAULT 256
#define BATCH_DEFAULT 64
#define BATCH_MOST 4096

/* What a thread of the map is told, and tells. */
struct worker {
    struct cm_partition_ *partition;
    struct cm_workers_ *all;
    pthread_t thread;
    int cpu; /* less than 0: any */
    cm_status status;
};

struct cm_workers_ {
    struct cm_latch_ starting;
    struct cm_latch_ working;
    uint32_t started; /* threads, that have not been joined */
    struct cm_block_ block;
    struct worker workers[];
};

/* ---- threads ---- */

static void work(struct cm_partition_ *partition)
{
    while (!cm_partition_serve_closed_(partition))
        if (partition->all->lent) {
            cm_partition_lend_(partition);
            while (!cm_partition_is_own_(partition))
                cm_partition_own_(partition, CM_FOREVER);
        } else {
            cm_owner_sleep_(CM_FOREVER);
        }
}

static void worker_end(struct worker *worker)
{
    cm_partition_disown_(worker->partition);
    cm_latch_down_(&worker->all->working);
}

/* A function of the user has called pthread_exit: the partition must not be without an owner, so this goes on here. */
static void worker_go_on(void *context)
{
    struct worker *worker = context;
    cm_partition_revive_(worker->partition);
    work(worker->partition);
    worker_end(worker);
}

static void *worker_run(void *context)
{
    struct worker *worker = context;
    if (worker->cpu >= 0 && !cm_platform_pin_((unsigned)worker->cpu))
        worker->status = CM_INVALID;
    else
        worker->status = cm_partition_own_(worker->partition, CM_FOREVER);
    bool works = worker->status == CM_OK;
    if (!works)
        cm_latch_down_(&worker->all->working);
    cm_latch_down_(&worker->all->starting);
    if (!works)
        return NULL;
    pthread_cleanup_push(worker_go_on, worker);
    work(worker->partition);
    pthread_cleanup_pop(0);
    worker_end(worker);
    return NULL;
}

/* The user's signals are for the user's threads. */
static bool worker_start(struct worker *worker)
{
    sigset_t all, before;
    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
        return false;
    cm_latch_up_(&worker->all->starting);
    cm_latch_up_(&worker->all->working);
    bool started = pthread_create(&worker->thread, NULL, worker_run, worker) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!started) {
        cm_latch_down_(&worker->all->starting);
        cm_latch_down_(&worker->all->working);
    }
    return started;
}

static cm_status workers_start(struct cm_partitions_ *map, const struct cm_partition_config *config)
{
    struct cm_block_ block;
    size_t size = sizeof(struct cm_workers_) + map->count * sizeof(struct worker);
    if (!cm_block_allocate_(&map->allocator, size, CM_APART, true, &block))
        return CM_NOMEM;
    struct cm_workers_ *workers = map->workers = block.address;
    workers->block = block;
    cm_status status = CM_OK;
    for (uint32_t i = 0; i < map->count && status == CM_OK; i++) {
        struct worker *worker = &workers->workers[i];
        worker->partition = &map->parts[i];
        worker->all = workers;
        worker->cpu = config->cpu_count ? config->cpus[i % config->cpu_count] : -1;
        if (worker_start(worker))
            workers->started++;
        else
            status = CM_NOMEM;
    }
    cm_latch_wait_(&workers->starting, NULL, false, CM_FOREVER);
    for (uint32_t i = 0; i < workers->started && status == CM_OK; i++)
        status = workers->workers[i].status;
    return status;
}

static void workers_join(struct cm_partitions_ *map)
{
    struct cm_workers_ *workers = map->workers;
    for (uint32_t i = 0; i < workers->started; i++)
        pthread_join(workers->workers[i].thread, NULL);
    workers->started = 0;
}

/* ---- beginning and end ---- */

static void spares_free(struct cm_partitions_ *map)
{
    size_t k = 0;
    for (struct cm_spare_ *spare; (spare = cm_per_thread_next_(&map->spares, sizeof *spare, &k)) != NULL;)
        cm_bundle_free_(map, spare->bundle);
    cm_per_thread_destroy_(&map->spares, &map->allocator, sizeof(struct cm_spare_));
}

static void parts_free(struct cm_partitions_ *map, const struct cm_type *type)
{
    for (uint32_t i = 0; map->parts && i < map->count; i++) {
        if (map->parts[i].plain.seed)
            cm_plain_end_(&map->parts[i].plain, type);
        cm_queue_free_(&map->parts[i].queue, &map->allocator);
        cm_holds_bury_all_(&map->parts[i].lock.waiters);
    }
    spares_free(map);
    if (map->workers)
        cm_block_release_(&map->allocator, &map->workers->block);
    cm_block_release_(&map->allocator, &map->block);
    map->parts = NULL;
    map->workers = NULL;
    map->count = 0;
}

static cm_status parts_make(struct cm_partitions_ *map, const struct cm_type *type,
                            const struct cm_partition_config *config)
{
    cm_config plain = config->map;
    plain.seed = map->seed;
    plain.capacity = plain.capacity / map->count + (plain.capacity % map->count != 0);
    if (!cm_block_allocate_(&map->allocator, map->count * sizeof *map->parts, CM_APART, true, &map->block))
        return CM_NOMEM;
    map->parts = map->block.address;
    for (uint32_t i = 0; i < map->count; i++) {
        struct cm_partition_ *partition = &map->parts[i];
        partition->all = map;
        partition->index = i;
        cm_status status = cm_plain_init_(&partition->plain, type, &plain, CM_PLAIN_VERSION_, sizeof partition->plain);
        if (status != CM_OK)
            return status;
        if (!cm_queue_make_(&partition->queue, &map->allocator, config->queue ? config->queue : QUEUE_DEFAULT))
            return CM_NOMEM;
        partition->figures.table = partition->plain.flat.block.size;
    }
    return CM_OK;
}

static uint32_t partitions_wanted(const struct cm_partition_config *config)
{
    long processors = config->partitions ? (long)config->partitions : sysconf(_SC_NPROCESSORS_ONLN);
    return processors < 1 ? 1 : processors > PARTITIONS_MOST ? PARTITIONS_MOST : (uint32_t)processors;
}

static bool config_is_valid(const struct cm_partition_config *config)
{
    return config->partitions <= PARTITIONS_MOST && config->batch <= BATCH_MOST && !config->map.limit &&
           !config->map.budget && !config->map.fixed && (config->polled || !config->wake) &&
           !(config->polled && config->lent) && (!config->cpu_count || (config->cpus && !config->polled));
}

cm_status cm_partitions_init_(struct cm_partitions_ *map, const struct cm_type *type,
                              const struct cm_partition_config *config, unsigned version, size_t size)
{
    static const struct cm_partition_config defaults;
    if (!map || version != CM_PARTITIONS_VERSION_ || size != sizeof *map)
        return CM_INVALID;
    if (!config)
        config = &defaults;
    if (!config_is_valid(config))
        return CM_INVALID;
    *map = (struct cm_partitions_){
        .seed = config->map.seed ? config->map.seed : cm_seed_random(),
        .count = partitions_wanted(config),
        .batch = config->batch ? (uint32_t)config->batch : BATCH_DEFAULT,
        .owner_of = config->owner_of,
        .wake = config->wake,
        .context = config->context,
        .lent = config->lent,
        .allocator = config->map.allocator ? *config->map.allocator : *cm_allocator_default(),
        .process = (uint64_t)getpid(),
    };
    cm_status status = parts_make(map, type, config);
    if (status == CM_OK && !config->polled)
        status = workers_start(map, config);
    if (status != CM_OK && map->workers)
        cm_partitions_shutdown_(map, true, NULL, CM_FOREVER);
    if (status != CM_OK)
        parts_free(map, type);
    return status;
}

/* Of `shut`. */
enum { ENDING_NOBODY, ENDING_SOMEBODY, ENDING_DONE };

/* Does the rest of what a partition without a thread has in its queue. */
static cm_status polled_end(struct cm_partition_ *partition, cm_deadline deadline)
{
    cm_status status = cm_partition_own_(partition, deadline);
    if (status < 0 && status != CM_OWNER_DIED)
        return status;
    while (!cm_partition_serve_closed_(partition)) /* a sender is about to send: it rings */
        cm_owner_sleep_(CM_FOREVER);
    cm_partition_disown_(partition);
    return CM_OK;
}

/* One thread at a time waits for the workers, and joins them. CM_EXISTS: that was done. */
static cm_status ending_begin(struct cm_partitions_ *map, cm_deadline deadline)
{
    struct cm_thread_ *self = cm_thread_get_();
    for (;;) {
        uint32_t state = ENDING_NOBODY;
        if (cm_swap_if_acquire_(&map->shut, &state, ENDING_SOMEBODY)) /* pairs with ending_end() */
            return CM_OK;
        if (state == ENDING_DONE)
            return CM_EXISTS;
        if (deadline != CM_FOREVER && cm_deadline_after(0) >= deadline)
            return deadline == CM_TRY ? CM_BUSY : CM_TIMEOUT;
        cm_bell_set_(self);
        cm_bell_sleep_(self, cm_deadline_after(ENDING_NAP_NS));
    }
}

static cm_status workers_end(struct cm_partitions_ *map, cm_deadline deadline)
{
    cm_status status = ending_begin(map, deadline);
    if (status != CM_OK)
        return status == CM_EXISTS ? CM_OK : status;
    status = cm_latch_wait_(&map->workers->working, NULL, false, deadline);
    if (status == CM_OK)
        workers_join(map);
    cm_store_release_(&map->shut, (uint32_t)(status == CM_OK ? ENDING_DONE : ENDING_NOBODY));
    return status;
}

cm_status cm_partitions_shutdown_(struct cm_partitions_ *map, bool drop, size_t *dropped, cm_deadline deadline)
{
    cm_status status = CM_OK;
    for (uint32_t i = 0; i < map->count; i++)
        if (cm_partition_is_own_(&map->parts[i]) && cm_owner_runs_())
            return CM_DEADLOCK;
    if (drop)
        cm_store_relaxed_(&map->drops, 1); /* relaxed: what is run meanwhile is run */
    for (uint32_t i = 0; i < map->count; i++) {
        cm_queue_close_(&map->parts[i].queue);
        cm_partition_closed_(&map->parts[i]);
    }
    if (map->workers)
        status = workers_end(map, deadline);
    for (uint32_t i = 0; !map->workers && i < map->count && status == CM_OK; i++)
        status = polled_end(&map->parts[i], deadline);
    if (!map->workers && status == CM_OK)
        cm_store_release_(&map->shut, ENDING_DONE); /* pairs with cm_partitions_are_shut_() */
    if (dropped)
        *dropped = (size_t)cm_load_relaxed_(&map->dropped);
    return status;
}

bool cm_partitions_are_shut_(const struct cm_partitions_ *map)
{
    return cm_load_acquire_(&map->shut) == ENDING_DONE; /* pairs with workers_end(), too: what owners did is seen */
}

void cm_partitions_end_(struct cm_partitions_ *map, const struct cm_type *type)
{
    /* A forked child has none of the threads, and nobody asks. */
    if (map->process == (uint64_t)getpid())
        cm_partitions_shutdown_(map, false, NULL, CM_FOREVER);
    for (uint32_t i = 0; i < map->count; i++)
        cm_partition_disown_(&map->parts[i]); /* the child may have some */
    parts_free(map, type);
}

/* ---- figures ---- */

size_t cm_partitions_len_(const struct cm_partitions_ *map)
{
    size_t len = 0;
    for (uint32_t i = 0; i < map->count; i++)
        len += cm_load_relaxed_(&map->parts[i].figures.len); /* relaxed: a sum of what was told at some time */
    return len;
}

cm_memory cm_partitions_memory_(const struct cm_partitions_ *map)
{
    cm_memory memory = {.threads = cm_per_thread_bytes_(&map->spares, sizeof(struct cm_spare_))};
    for (uint32_t i = 0; i < map->count; i++) {
        const struct cm_partition_ *partition = &map->parts[i];
        memory.table += cm_load_relaxed_(&partition->figures.table); /* relaxed, as the other */
        memory.nodes += cm_load_relaxed_(&partition->figures.texts);
        memory.threads += partition->queue.block.size;
    }
    memory.total = memory.table + memory.nodes + memory.waiting + memory.threads;
    return memory;
}

cm_partition_stats cm_partition_stats_of_(const struct cm_partition_ *partition)
{
    const struct cm_partition_figures_ *figures = &partition->figures;
    cm_partition_stats stats = {
        .entries = cm_load_relaxed_(&figures->len), /* relaxed, as all */
        .queued = cm_queue_len_(&partition->queue),
        .messages = cm_load_relaxed_(&figures->messages),
        .requests = cm_load_relaxed_(&figures->requests),
        .sleeps = cm_load_relaxed_(&figures->sleeps),
    };
    return stats;
}
