/* Results as CSV. */
#include <inttypes.h>
#include <stdio.h>

#include "files.h"

/* No field needs quotes: names and numbers only. */
bool bench_csv_write(const char *path, const struct bench_rows *rows)
{
    FILE *file = fopen(path, "w");
    if (file) {
        fputs("map,workload,threads,capacity_log2,key,value,rep,ops,seconds,mops,resident_bytes,entries,checksum\n",
              file);
        for (size_t i = 0; i < rows->n; i++) {
            const struct bench_row *row = &rows->row[i];
            fprintf(file, "%s,%s,%u,%u,%s,%u,%u,%" PRIu64 ",%.9f,%.4f,%" PRIu64 ",%" PRIu64 ",%016" PRIx64 "\n",
                    row->map->name, row->which.workload->name, row->which.threads, row->which.capacity_log2,
                    bench_case_key(&row->which), bench_case_value(&row->which), row->rep, row->result.ops,
                    row->result.seconds, (double)row->result.ops / row->result.seconds * 1e-6,
                    row->result.resident_bytes, row->entries, row->result.contents.checksum);
        }
    }
    bool written = file && !ferror(file);
    if (!(file && fclose(file) == 0 && written)) {
        fprintf(stderr, "concmap-bench: cannot write %s\n", path);
        return false;
    }
    return true;
}
