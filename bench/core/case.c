/* Names of what a case is made of, and the list of rows. */
#include "case.h"

#include <stdio.h>
#include <stdlib.h>

const double bench_curve[BENCH_CURVE] = {0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 0.99999, 0.999999, 1};

const char *bench_case_key(const struct bench_case *which)
{
    return which->text_len == 0 ? "u64" : which->text_len == 16 ? "str16" : "str64";
}

unsigned bench_case_value(const struct bench_case *which)
{
    return (unsigned)(which->words * sizeof(uint64_t));
}

const char *bench_latency_name(unsigned kind)
{
    static const char *const names[BENCH_LATENCIES] = {"get", "insert", "remove", "update", "upsert", "batch"};

    return names[kind];
}

void bench_rows_add(struct bench_rows *rows, const struct bench_row *row)
{
    if (rows->n == rows->room) {
        rows->room = rows->room ? 2 * rows->room : 64;
        rows->row = realloc(rows->row, rows->room * sizeof *rows->row);
        if (!rows->row) {
            fprintf(stderr, "concmap-bench: no memory for results\n");
            exit(1);
        }
    }
    rows->row[rows->n++] = *row;
}
