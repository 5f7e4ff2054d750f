/* A progress bar. */
#include "progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define WIDTH 40

int64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void progress_show(const char *job, size_t done, size_t total)
{
    static int64_t shown;
    int64_t now = clock_ns();
    if (!isatty(STDERR_FILENO) || (done < total && now - shown < 100000000))
        return;
    shown = now;
    int filled = total ? (int)(done * WIDTH / total) : WIDTH;
    fprintf(stderr, "\r%-16s [%.*s%*s] %zu of %zu%s", job, filled, "########################################",
            WIDTH - filled, "", done, total, done == total ? "\n" : "");
}
