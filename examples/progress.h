/* A progress bar on the terminal, and what both examples need of the clock. */
#ifndef EXAMPLES_PROGRESS_H
#define EXAMPLES_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

/* Shows how far a job is, on stderr if that is a terminal, at most ten times a second; ends the line when done ==
 * total. */
void progress_show(const char *job, size_t done, size_t total);

/* Nanoseconds of the monotonic clock. */
int64_t clock_ns(void);

#endif
