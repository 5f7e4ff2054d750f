/* Maps must agree: with what the streams' maker knows beforehand, and with one another. */
#ifndef BENCH_AGREE_H
#define BENCH_AGREE_H

#include "case.h"

/* Whether the answers are those that `streams` expects; prints an error otherwise. */
bool bench_row_agrees(const struct bench_row *row, const struct bench_streams *streams);

/* Whether the rows of one case have the same contents, and gets found the same values where that is determined. */
bool bench_rows_agree(const struct bench_row *row, size_t n);

#endif
