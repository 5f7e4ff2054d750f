/* A bar with the time left, on a terminal's standard error; nothing elsewhere. */
#ifndef BENCH_PROGRESS_H
#define BENCH_PROGRESS_H

void bench_progress_begin(double expected_steps);
void bench_progress_step(void);             /* one more step is done */
void bench_progress_show(const char *what); /* redraws; call it as often as you like */
void bench_progress_clear(void);            /* before other output */

#endif
