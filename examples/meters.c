/* Readings of electricity meters, by the partitioned map: first collected in batches by the map's own threads, each of
 * which owns a part of the meters; then, without threads of the map, by an event loop that this program has anyway: the
 * map writes to an eventfd when something comes, and the loop serves it beside its other events. */
#include <concmap/partitioned.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { METERS = 1000, READINGS = 20000, SENDERS = 3 };

struct meter {
    uint64_t readings;
    uint64_t total;
};

CM_PARTITIONED_MAP(meters, uint64_t, struct meter, cm_hash_u64, cm_equal_u64)

static cm_status add_reading(struct meter *meter, void *watts)
{
    meter->readings++;
    meter->total += (uint64_t)(uintptr_t)watts;
    return CM_OK;
}

/* Sends its readings in batches, and looks at the outcome of each batch once. */
static void *send_readings(void *map)
{
    meters_batch batch = meters_batch_begin(map);
    cm_status status = CM_OK;
    for (uint64_t i = 0; i < READINGS && status >= 0; i++) {
        uint64_t watts = i % 100;
        status = meters_batch_upsert(&batch, i * 7 % METERS, (struct meter){1, watts}, add_reading,
                                     (void *)(uintptr_t)watts, NULL);
        if (i % 1000 == 999 && status >= 0)
            status = meters_batch_wait(&batch);
    }
    cm_status last = meters_batch_wait(&batch);
    return status < 0 || last < 0 ? (void *)"failed" : NULL;
}

static bool start_senders(pthread_t *senders, meters *map)
{
    for (size_t i = 0; i < SENDERS; i++)
        if (pthread_create(&senders[i], NULL, send_readings, map) != 0)
            return false;
    return true;
}

static bool join_senders(const pthread_t *senders)
{
    bool ok = true;
    for (size_t i = 0; i < SENDERS; i++) {
        void *failure;
        ok &= pthread_join(senders[i], &failure) == 0 && !failure;
    }
    return ok;
}

static cm_status add_up(const uint64_t *key, const struct meter *meter, void *sum)
{
    (void)key;
    ((struct meter *)sum)->readings += meter->readings;
    ((struct meter *)sum)->total += meter->total;
    return CM_OK;
}

/* Runs in the owner of the key, which may look at all that it owns. */
static cm_status count_neighbours(meters_plain *own, const uint64_t *key, void *count)
{
    (void)key;
    *(size_t *)count = meters_plain_len(own);
    return CM_OK;
}

static bool by_threads(struct meter *sum, size_t *neighbours)
{
    meters map;
    pthread_t senders[SENDERS];
    if (meters_open(&map, &(cm_partition_config){.partitions = 2}) != CM_OK)
        return false;
    bool ok = start_senders(senders, &map) && join_senders(senders);
    ok &= meters_apply(&map, 1, count_neighbours, neighbours) == CM_OK;
    ok &= meters_for_each(&map, add_up, sum) == CM_OK;
    meters_destroy(&map);
    return ok;
}

static void wake_loop(size_t partition, void *event)
{
    uint64_t one = 1;
    (void)partition;
    if (write(*(int *)event, &one, sizeof one) != sizeof one)
        perror("eventfd");
}

/* Owns the map's one partition until the senders are done; `timer` stands for the loop's other events. */
static bool run_loop(meters *map, int event, int timer)
{
    struct pollfd events[2] = {{event, POLLIN, 0}, {timer, POLLIN, 0}};
    for (;;) {
        uint64_t count;
        if (meters_partition_poll(map, 0, 64, NULL) != CM_OK)
            return false;
        if (meters_partition_arm(map, 0) == CM_BUSY)
            continue; /* something has come meanwhile */
        if (poll(events, 2, -1) < 0)
            return false;
        if (events[1].revents)
            return true;
        if (events[0].revents && read(event, &count, sizeof count) != sizeof count)
            return false;
    }
}

struct end {
    const pthread_t *senders;
    int timer;
    bool ok;
};

static void *tell_the_end(void *context)
{
    struct end *end = context;
    uint64_t one = 1;
    end->ok = join_senders(end->senders) && write(end->timer, &one, sizeof one) == sizeof one;
    return NULL;
}

static bool by_event_loop(struct meter *sum)
{
    meters map;
    int event = eventfd(0, 0), timer = eventfd(0, 0);
    cm_partition_config config = {.partitions = 1, .polled = true, .wake = wake_loop, .context = &event};
    pthread_t senders[SENDERS], ending;
    struct end end = {senders, timer, false};
    if (event < 0 || timer < 0 || meters_open(&map, &config) != CM_OK)
        return false;
    bool ok = meters_partition_own(&map, 0) == CM_OK && start_senders(senders, &map) &&
              pthread_create(&ending, NULL, tell_the_end, &end) == 0 && run_loop(&map, event, timer) &&
              pthread_join(ending, NULL) == 0 && end.ok;
    ok = ok && meters_for_each(&map, add_up, sum) == CM_OK; /* its own partition: done at once */
    meters_destroy(&map);
    close(event);
    close(timer);
    return ok;
}

int main(void)
{
    struct meter threads = {0, 0}, loop = {0, 0};
    size_t neighbours = 0;
    if (!by_threads(&threads, &neighbours) || !by_event_loop(&loop)) {
        fputs("meters: failed\n", stderr);
        return 1;
    }
    printf("%lu readings by threads of the map, %lu by an event loop; the totals %s\n", (unsigned long)threads.readings,
           (unsigned long)loop.readings, threads.total == loop.total ? "agree" : "differ");
    printf("the owner of meter 1 has %s of the %d meters\n", neighbours && neighbours < METERS ? "a part" : "all",
           METERS);
    return threads.total == loop.total ? 0 : 1;
}
