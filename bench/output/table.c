/* Results as tables: see table.h. */
#include "table.h"

#include <stdio.h>
#include <stdlib.h>

#include "../core/stats.h"

enum { MAX_ROUNDS = 1000 };

static double row_mops(const struct bench_row *row)
{
    return (double)row->result.ops / row->result.seconds * 1e-6;
}

static const struct bench_row *row_of(const struct bench_row *rows, size_t n, const struct bench_map *map, unsigned rep)
{
    for (size_t i = 0; i < n; i++)
        if (rows[i].map == map && rows[i].rep == rep)
            return &rows[i];
    return NULL;
}

struct bench_summary bench_summarize(const struct bench_row *rows, size_t n, const struct bench_map *map,
                                     const struct bench_map *baseline)
{
    static double mops[MAX_ROUNDS], ratios[MAX_ROUNDS], bytes[MAX_ROUNDS];
    struct bench_summary summary = {0};
    size_t with_ratio = 0;
    for (size_t i = 0; i < n && summary.rounds < MAX_ROUNDS; i++) {
        if (rows[i].map != map)
            continue;
        const struct bench_row *base = row_of(rows, n, baseline, rows[i].rep);
        mops[summary.rounds] = row_mops(&rows[i]);
        bytes[summary.rounds++] = rows[i].entries ? (double)rows[i].result.resident_bytes / (double)rows[i].entries : 0;
        if (base)
            ratios[with_ratio++] = row_mops(&rows[i]) / row_mops(base);
    }
    summary.mops = bench_median(mops, summary.rounds); /* sorts */
    if (summary.rounds > 1)
        summary.spread = (mops[summary.rounds * 3 / 4] - mops[summary.rounds / 4]) / summary.mops;
    summary.ratio = bench_median(ratios, with_ratio);
    summary.bytes = bench_median(bytes, summary.rounds);
    return summary;
}

static void case_print(const struct bench_case *which)
{
    printf("\n%s, 2^%u entries of capacity, %u thread%s, %s -> %u bytes", which->workload->name, which->capacity_log2,
           which->threads, which->threads == 1 ? "" : "s", bench_case_key(which), bench_case_value(which));
}

void bench_table_print(const struct bench_row *rows, size_t n, const struct bench_map *const *maps, size_t n_maps,
                       const struct bench_map *baseline)
{
    bool any_late = false;
    if (n == 0)
        return;
    case_print(&rows[0].which);
    printf("\n  %-16s %10s %8s %10s %12s %7s\n", "map", "M ops/s", "spread", "ratio", "bytes/entry", "rounds");
    for (size_t i = 0; i < n_maps; i++) {
        struct bench_summary s = bench_summarize(rows, n, maps[i], baseline);
        if (s.rounds == 0)
            continue;
        any_late |= maps[i]->late;
        printf("  %-16s %10.2f %7.0f%% %10.2f %12.1f %7zu%s\n", maps[i]->name, s.mops, s.spread * 100, s.ratio, s.bytes,
               s.rounds, maps[i]->late ? " *" : "");
    }
    printf("  ratio: to %s, round by round%s\n", baseline->name,
           any_late ? "; *: gets may miss what is not published yet" : "");
    fflush(stdout);
}

/* The quantiles that the table shows, by their place in bench_curve. */
static const unsigned shown[] = {2, 6, 7, 8, BENCH_CURVE - 1};
enum { SHOWN = sizeof shown / sizeof *shown };

static bool latency_line(const struct bench_row *rows, size_t n, const struct bench_map *map, unsigned kind,
                         double line[SHOWN])
{
    static double values[MAX_ROUNDS];
    size_t rounds = 0;
    for (unsigned q = 0; q < SHOWN; q++) {
        double most = 0;
        rounds = 0;
        for (size_t i = 0; i < n && rounds < MAX_ROUNDS; i++)
            if (rows[i].map == map && rows[i].result.latency[kind].samples > 0) {
                double ns = rows[i].result.latency[kind].ns[shown[q]];
                values[rounds++] = ns;
                most = ns > most ? ns : most;
            }
        line[q] = q == SHOWN - 1 ? most : bench_median(values, rounds);
    }
    return rounds > 0;
}

void bench_latency_print(const struct bench_row *rows, size_t n, const struct bench_map *const *maps, size_t n_maps,
                         const char *phase)
{
    if (n == 0)
        return;
    case_print(&rows[0].which);
    printf(", %s; nanoseconds\n", phase);
    for (unsigned kind = 0; kind < BENCH_LATENCIES; kind++) {
        bool headed = false;
        for (size_t i = 0; i < n_maps; i++) {
            double line[SHOWN];
            if (!latency_line(rows, n, maps[i], kind, line))
                continue;
            if (!headed)
                printf("  %-7s %-16s %9s %9s %9s %9s %11s\n", bench_latency_name(kind), "map", "p50", "p99", "p99.9",
                       "p99.99", "max");
            headed = true;
            printf("  %-7s %-16s %9.0f %9.0f %9.0f %9.0f %11.0f\n", "", maps[i]->name, line[0], line[1], line[2],
                   line[3], line[4]);
        }
    }
    fflush(stdout);
}
