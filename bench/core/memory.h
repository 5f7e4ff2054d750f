/* Memory for streams, and what a process has resident. */
#ifndef BENCH_MEMORY_H
#define BENCH_MEMORY_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Zeroed memory of `size` bytes; ends the program with a message if there is none. */
void *bench_allocate(size_t size);
void bench_release(void *block, size_t size);

/* From now on the heap keeps what it is given back, for all maps alike: else whether a map's memory has to be touched
 * anew depends on what happens to lie behind it. */
void bench_keep_memory(void);

/* Private bytes resident in this process, without files and shared memory. */
size_t bench_resident_bytes(void);

#ifdef __cplusplus
}
#endif
#endif
