/* The progress bar: see progress.h. */
#include "progress.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

enum { WIDTH = 24 };

static struct {
    bool terminal, shown;
    double steps, done;
    uint64_t start;
} bar;

void bench_progress_begin(double expected_steps)
{
    const char *term = getenv("TERM");

    bar.terminal = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
    bar.steps = expected_steps;
    bar.done = 0;
    bar.start = bench_now();
}

void bench_progress_step(void)
{
    bar.done++;
}

void bench_progress_show(const char *what)
{
    double spent = (double)(bench_now() - bar.start) * 1e-9, share = bar.steps > 0 ? bar.done / bar.steps : 0;
    int full;
    char left[32] = "";

    if (!bar.terminal)
        return;
    if (share > 1)
        share = 1;
    full = (int)(share * WIDTH);
    if (bar.done > 0) {
        double seconds = spent / bar.done * (bar.steps - bar.done);
        snprintf(left, sizeof left, "%d:%02d left", (int)seconds / 60, (int)seconds % 60);
    }
    fprintf(stderr, "\r\033[K[%.*s%*s] %3.0f%%  %s  %s", full, "########################", WIDTH - full, "",
            share * 100, left, what);
    fflush(stderr);
    bar.shown = true;
}

void bench_progress_clear(void)
{
    if (bar.shown)
        fputs("\r\033[K", stderr);
    bar.shown = false;
}
