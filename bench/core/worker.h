/* A map in a process of its own, with its threads waiting: so that its memory is its own, and rounds can take turns. */
#ifndef BENCH_WORKER_H
#define BENCH_WORKER_H

#include <sys/types.h>

#include "case.h"

struct bench_worker {
    const struct bench_map *map;
    pid_t pid;
    int commands, results; /* pipes */
};

struct bench_worker_setup {
    const struct bench_streams *streams; /* shared with the child by fork */
    size_t words;
    bool text;
    bool timed; /* measure each operation's latency */
    bool pin;   /* thread i on processor i, if there are enough */
};

/* Starts the process; ends the program with a message if the system has none to give. */
void bench_worker_start(struct bench_worker *worker, const struct bench_map *map,
                        const struct bench_worker_setup *setup);

/* Asks for a round. Its result comes when `results` is readable. */
void bench_worker_ask(struct bench_worker *worker);

/* Reads the result; false if the process has ended instead, with the reason in `why`. */
bool bench_worker_result(struct bench_worker *worker, struct bench_result *result, char *why, size_t room);

/* Ends the process, whatever it is doing. */
void bench_worker_stop(struct bench_worker *worker);

#endif
