/* The size of batches. */
#include "batch.h"

size_t bench_batch = 128;
