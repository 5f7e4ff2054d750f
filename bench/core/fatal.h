/* The end of a map's process. */
#ifndef BENCH_FATAL_H
#define BENCH_FATAL_H

#include <stdio.h>
#include <stdlib.h>

/* A map that fails an operation it should carry out ends its process; the runner reports it. */
static inline _Noreturn void bench_fatal(const char *what, int status)
{
    fprintf(stderr, "\nconcmap-bench: %s failed with status %d\n", what, status);
    abort();
}

#endif
