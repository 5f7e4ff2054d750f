/* Memory of the benchmarks: see memory.h. */
#include "memory.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

void *bench_allocate(size_t size)
{
    void *block = mmap(NULL, size ? size : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (block == MAP_FAILED) {
        fprintf(stderr, "concmap-bench: no memory for %zu bytes of operations\n", size);
        exit(1);
    }
    madvise(block, size, MADV_HUGEPAGE); /* fewer pages to copy when workers are forked; no matter if refused */
    return block;
}

void bench_release(void *block, size_t size)
{
    if (block)
        munmap(block, size ? size : 1);
}

void bench_keep_memory(void)
{
#ifdef __GLIBC__
    mallopt(M_TRIM_THRESHOLD, INT_MAX);
    mallopt(M_MMAP_THRESHOLD, 32 << 20); /* more it does not take */
#endif
}

size_t bench_resident_bytes(void)
{
    unsigned long total, resident = 0, shared = 0;
    FILE *statm = fopen("/proc/self/statm", "r");

    if (!statm)
        return 0;
    if (fscanf(statm, "%lu %lu %lu", &total, &resident, &shared) != 3)
        resident = shared = 0;
    fclose(statm);
    return (resident - shared) * (size_t)sysconf(_SC_PAGESIZE);
}
