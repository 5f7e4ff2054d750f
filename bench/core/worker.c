/* The process of one map: a command byte comes in, a result goes out. */
#include "worker.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "latency.h"
#include "memory.h"

enum job { JOB_FILL, JOB_RUN };

/* The child's own state. Threads wait at `gate` for a job, and again when it is done. */
struct crew {
    struct bench_worker_setup setup;
    const struct bench_ops *ops;
    unsigned n, processors;
    pthread_barrier_t gate;
    unsigned arrived; /* threads that are ready to run; the last one starts them all */
    enum job job;
    void *map;
    size_t resident_bytes; /* of the map, at the end of the first round */
    bool measured;
    struct hand {
        struct crew *crew;
        unsigned index;
        uint64_t start, end;
        struct bench_tally tally;
        uint32_t *nanoseconds;
    } * hands;
};

static void hand_pin(const struct hand *hand)
{
    cpu_set_t allowed, one;
    unsigned skip = hand->index;

    if (!hand->crew->setup.pin || hand->crew->n > hand->crew->processors ||
        sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &allowed) || skip-- > 0)
            continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        sched_setaffinity(0, sizeof one, &one);
        return;
    }
}

/* Holds all threads until the last one is on its processor. */
static void hand_line_up(struct crew *crew)
{
    __atomic_add_fetch(&crew->arrived, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(&crew->arrived, __ATOMIC_ACQUIRE) < crew->n)
        if (crew->n > crew->processors)
            sched_yield();
}

static void hand_run(struct hand *hand)
{
    const struct crew *crew = hand->crew;
    const struct bench_stream *stream = &crew->setup.streams->threads[hand->index];

    hand_line_up(hand->crew);
    hand->start = bench_now();
    if (crew->setup.timed)
        crew->ops->run_timed(crew->map, hand->index, stream, &hand->tally, hand->nanoseconds);
    else
        crew->ops->run(crew->map, hand->index, stream, &hand->tally);
    hand->end = bench_now();
}

static void *hand_main(void *argument)
{
    struct hand *hand = argument;
    struct crew *crew = hand->crew;

    hand_pin(hand);
    for (;;) {
        pthread_barrier_wait(&crew->gate);
        if (crew->job == JOB_RUN)
            hand_run(hand);
        else if (hand->index == 0)
            crew->ops->fill(crew->map, &crew->setup.streams->fill);
        pthread_barrier_wait(&crew->gate);
    }
    return NULL;
}

static void crew_start(struct crew *crew)
{
    size_t samples = 0;

    pthread_barrier_init(&crew->gate, NULL, crew->n + 1);
    crew->hands = bench_allocate(crew->n * sizeof *crew->hands);
    for (unsigned t = 0; t < crew->n; t++) {
        pthread_t thread;
        samples = crew->setup.streams->threads[t].n;
        crew->hands[t] = (struct hand){.crew = crew, .index = t};
        if (crew->setup.timed) {
            crew->hands[t].nanoseconds = bench_allocate(samples * sizeof(uint32_t));
            memset(crew->hands[t].nanoseconds, 1, samples * sizeof(uint32_t)); /* first touched before any clock runs */
        }
        if (pthread_create(&thread, NULL, hand_main, &crew->hands[t]) != 0)
            _exit(3);
    }
}

static void crew_do(struct crew *crew, enum job job)
{
    crew->job = job;
    crew->arrived = 0;
    pthread_barrier_wait(&crew->gate);
    pthread_barrier_wait(&crew->gate);
}

/* From the first thread's start to the last one's end. */
static double crew_seconds(const struct crew *crew)
{
    uint64_t start = crew->hands[0].start, end = crew->hands[0].end;

    for (unsigned t = 1; t < crew->n; t++) {
        start = crew->hands[t].start < start ? crew->hands[t].start : start;
        end = crew->hands[t].end > end ? crew->hands[t].end : end;
    }
    return (double)(end - start) * 1e-9;
}

static struct bench_tally crew_tally(const struct crew *crew)
{
    struct bench_tally sum = {0};

    for (unsigned t = 0; t < crew->n; t++) {
        const struct bench_tally *one = &crew->hands[t].tally;
        sum.hits += one->hits;
        sum.sum += one->sum;
        sum.inserted += one->inserted;
        sum.removed += one->removed;
        sum.updated += one->updated;
        sum.upserted += one->upserted;
    }
    return sum;
}

static void crew_latencies(const struct crew *crew, bool batch, struct bench_result *result)
{
    const uint32_t **samples = bench_allocate(crew->n * sizeof *samples);

    for (unsigned t = 0; t < crew->n; t++)
        samples[t] = crew->hands[t].nanoseconds;
    bench_latencies(crew->setup.streams, samples, batch, result->latency);
    bench_release(samples, crew->n * sizeof *samples);
}

/* Creates, fills, runs and drops the map, as often as makes a repetition. */
static void crew_round(struct crew *crew, bool batch, struct bench_result *result)
{
    const struct bench_streams *streams = crew->setup.streams;
    unsigned cycles = crew->setup.timed ? 1 : streams->cycles;

    *result = (struct bench_result){.ops = streams->ops * cycles};
    for (unsigned cycle = 0; cycle < cycles; cycle++) {
        size_t before = bench_resident_bytes();
        crew->map = crew->ops->create(streams->capacity, crew->n);
        if (streams->fill.n > 0)
            crew_do(crew, JOB_FILL);
        crew_do(crew, JOB_RUN);
        result->seconds += crew_seconds(crew);
        if (!crew->measured) { /* once: later the process holds on to what it was given back */
            crew->resident_bytes = bench_resident_bytes() - before;
            crew->measured = true;
            bench_keep_memory();
        }
        if (cycle + 1 == cycles) {
            result->resident_bytes = crew->resident_bytes;
            result->tally = crew_tally(crew);
            crew->ops->contents(crew->map, &result->contents);
        }
        crew->ops->destroy(crew->map);
    }
    if (crew->setup.timed)
        crew_latencies(crew, batch, result);
}

static bool transfer(ssize_t (*move)(int, void *, size_t), int fd, void *block, size_t size)
{
    char *at = block;

    while (size > 0) {
        ssize_t n = move(fd, at, size);
        if (n <= 0)
            return false;
        at += n;
        size -= (size_t)n;
    }
    return true;
}

static ssize_t write_some(int fd, void *block, size_t size)
{
    return write(fd, block, size);
}

static _Noreturn void child_main(const struct bench_map *map, const struct bench_worker_setup *setup, int commands,
                                 int results)
{
    struct crew crew = {.setup = *setup, .n = setup->streams->n_threads};
    struct bench_result *result = bench_allocate(sizeof *result);
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    char command;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGINT, SIG_IGN); /* the parent decides */
    crew.processors = processors > 0 ? (unsigned)processors : 1;
    crew.ops = map->find(map->name, setup->text, setup->words);
    crew_start(&crew);
    while (read(commands, &command, 1) == 1) {
        crew_round(&crew, map->batch, result);
        if (!transfer(write_some, results, result, sizeof *result))
            break;
    }
    _exit(0);
}

void bench_worker_start(struct bench_worker *worker, const struct bench_map *map,
                        const struct bench_worker_setup *setup)
{
    int down[2], up[2];

    if (pipe2(down, O_CLOEXEC) != 0 || pipe2(up, O_CLOEXEC) != 0) {
        perror("concmap-bench: pipe");
        exit(1);
    }
    fflush(NULL);
    *worker = (struct bench_worker){.map = map, .pid = fork(), .commands = down[1], .results = up[0]};
    if (worker->pid < 0) {
        perror("concmap-bench: fork");
        exit(1);
    }
    if (worker->pid == 0) {
        close(down[1]);
        close(up[0]);
        child_main(map, setup, down[0], up[1]);
    }
    close(down[0]);
    close(up[1]);
}

void bench_worker_ask(struct bench_worker *worker)
{
    if (write(worker->commands, "r", 1) != 1) {
        /* The process has ended; reading its result will say so. */
    }
}

bool bench_worker_result(struct bench_worker *worker, struct bench_result *result, char *why, size_t room)
{
    int status = 0;

    if (transfer(read, worker->results, result, sizeof *result))
        return true;
    waitpid(worker->pid, &status, 0);
    worker->pid = -1;
    if (WIFSIGNALED(status))
        snprintf(why, room, "ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(why, room, "ended with status %d", WEXITSTATUS(status));
    return false;
}

void bench_worker_stop(struct bench_worker *worker)
{
    if (worker->pid > 0) {
        kill(worker->pid, SIGKILL);
        waitpid(worker->pid, NULL, 0);
    }
    close(worker->commands);
    close(worker->results);
    worker->pid = -1;
}
