/* Agreement of maps: see agree.h. */
#include "agree.h"

#include <inttypes.h>
#include <stdio.h>

#include "progress.h"

static bool same(const struct bench_row *row, const char *what, uint64_t got, uint64_t expected)
{
    if (got == expected)
        return true;
    bench_progress_clear();
    fprintf(stderr, "error: %s, %s x%u, round %u: %s is %" PRIu64 ", should be %" PRIu64 "\n", row->map->name,
            row->which.workload->name, row->which.threads, row->rep + 1, what, got, expected);
    return false;
}

bool bench_row_agrees(const struct bench_row *row, const struct bench_streams *streams)
{
    const struct bench_tally *got = &row->result.tally, *expected = &streams->expected;
    bool ok = true;

    if (!row->map->late)
        ok &= same(row, "the number of gets that hit", got->hits, expected->hits);
    ok &= same(row, "the number of inserts", got->inserted, expected->inserted);
    ok &= same(row, "the number of removes", got->removed, expected->removed);
    ok &= same(row, "the number of updates", got->updated, expected->updated);
    ok &= same(row, "the number of inserting upserts", got->upserted, expected->upserted);
    ok &= same(row, "the number of entries", row->result.contents.entries, streams->entries);
    return ok;
}

/* Threads that share keys see one another's updates sooner or later. */
static bool sums_determined(const struct bench_row *row)
{
    return !row->map->late && (row->which.threads == 1 || !row->which.workload->shared);
}

bool bench_rows_agree(const struct bench_row *row, size_t n)
{
    const struct bench_row *reader = NULL;
    bool ok = true;

    for (size_t i = 0; i < n; i++) {
        ok &= same(&row[i], "the checksum of the contents", row[i].result.contents.checksum,
                   row[0].result.contents.checksum);
        if (!sums_determined(&row[i]))
            continue;
        if (!reader)
            reader = &row[i];
        ok &= same(&row[i], "the sum of the values read", row[i].result.tally.sum, reader->result.tally.sum);
    }
    return ok;
}
