/* How many operations go into one batch (--batch). */
#ifndef BENCH_BATCH_H
#define BENCH_BATCH_H

#include <stddef.h>

enum { BENCH_BATCH_MAX = 1024 };
extern size_t bench_batch;

#endif
