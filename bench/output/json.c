/* Results, lists and limits as JSON. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "bench_peers_config.h"
#include "files.h"

static void processor_name(char *name, size_t room)
{
    char line[512];
    FILE *file = fopen("/proc/cpuinfo", "r");
    snprintf(name, room, "unknown");
    while (file && fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (!colon || (strncmp(line, "model name", 10) != 0 && strncmp(line, "CPU part", 8) != 0))
            continue;
        colon[strcspn(colon, "\n")] = 0;
        snprintf(name, room, "%s", colon + 2);
        break;
    }
    if (file)
        fclose(file);
}

static json_t *machine_json(void)
{
    struct utsname system;
    char processor[256], date[32], kernel[256];
    time_t now = time(NULL);
    processor_name(processor, sizeof processor);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
    uname(&system);
    snprintf(kernel, sizeof kernel, "%s %s %s", system.sysname, system.release, system.machine);
    return json_pack("{s:s, s:s, s:I, s:I, s:s, s:s, s:s, s:s}", "date", date, "processor", processor, "processors",
                     (json_int_t)sysconf(_SC_NPROCESSORS_ONLN), "memory_bytes",
                     (json_int_t)sysconf(_SC_PHYS_PAGES) * (json_int_t)sysconf(_SC_PAGESIZE), "kernel", kernel,
                     "compiler", BENCH_COMPILER, "rustc", BENCH_VERSION_RUSTC, "flags", BENCH_FLAGS);
}

static json_t *latency_json(const struct bench_latency *latency)
{
    json_t *ns = json_array();
    for (unsigned q = 0; q < BENCH_CURVE; q++)
        json_array_append_new(ns, json_pack("[f, I]", bench_curve[q], (json_int_t)latency->ns[q]));
    return json_pack("{s:I, s:o}", "samples", (json_int_t)latency->samples, "ns", ns);
}

static json_t *latencies_json(const struct bench_result *result)
{
    json_t *all = json_object();
    for (unsigned kind = 0; kind < BENCH_LATENCIES; kind++)
        if (result->latency[kind].samples > 0)
            json_object_set_new(all, bench_latency_name(kind), latency_json(&result->latency[kind]));
    return all;
}

/* The map's name without "+batch": that is its variant. */
static void plain_name(const struct bench_map *map, char *name, size_t room)
{
    snprintf(name, room, "%s", map->name);
    name[strcspn(name, "+")] = 0;
}

static json_t *row_json(const struct bench_row *row)
{
    char name[64], checksum[32];
    const struct bench_result *r = &row->result;
    plain_name(row->map, name, sizeof name);
    snprintf(checksum, sizeof checksum, "%016" PRIx64, r->contents.checksum);
    json_t *json = json_pack("{s:s, s:s, s:s, s:i, s:i, s:s, s:i, s:i, s:I, s:f, s:f, s:I, s:I, s:s}", "map", name,
                             "variant", row->map->batch ? "batch" : "single", "workload", row->which.workload->name,
                             "threads", (int)row->which.threads, "capacity_log2", (int)row->which.capacity_log2, "key",
                             bench_case_key(&row->which), "value", (int)bench_case_value(&row->which), "rep",
                             (int)row->rep, "ops", (json_int_t)r->ops, "seconds", r->seconds, "mops",
                             (double)r->ops / r->seconds * 1e-6, "resident_bytes", (json_int_t)r->resident_bytes,
                             "entries", (json_int_t)row->entries, "checksum", checksum);
    json_t *latencies = latencies_json(r);
    if (json_object_size(latencies) > 0)
        json_object_set_new(json, "latency", latencies);
    else
        json_decref(latencies);
    return json;
}

static bool json_save(const char *path, json_t *json)
{
    bool ok = json && json_dump_file(json, path, JSON_INDENT(1) | JSON_PRESERVE_ORDER) == 0;
    if (!ok)
        fprintf(stderr, "concmap-bench: cannot write %s\n", path);
    json_decref(json);
    return ok;
}

bool bench_json_write(const char *path, const struct bench_rows *rows)
{
    json_t *results = json_array();
    for (size_t i = 0; i < rows->n; i++)
        json_array_append_new(results, row_json(&rows->row[i]));
    return json_save(path, json_pack("{s:o, s:o}", "machine", machine_json(), "results", results));
}

static json_t *map_json(const struct bench_map *map)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:s?}", "name", map->name, "package", map->package, "version",
                     map->version, "language", map->language, "summary", map->summary, "ours", map->ours, "built",
                     bench_map_known(map), "missing", map->missing);
}

void bench_json_list(void)
{
    json_t *maps = json_array(), *workloads = json_array();
    for (size_t i = 0; i < bench_maps_n; i++)
        json_array_append_new(maps, map_json(&bench_maps[i]));
    for (size_t i = 0; i < bench_workloads_n; i++)
        json_array_append_new(
            workloads, json_pack("{s:s, s:s}", "name", bench_workloads[i].name, "summary", bench_workloads[i].summary));
    json_t *list = json_pack("{s:o, s:o}", "maps", maps, "workloads", workloads);
    json_dumpf(list, stdout, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
    putchar('\n');
    json_decref(list);
}

bool bench_json_limits(const char *path, const struct bench_limit *limits, size_t n)
{
    json_t *all = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(all, json_pack("{s:s, s:f, s:s, s:s}", "name", limits[i].name, "value", limits[i].value,
                                             "unit", limits[i].unit, "summary", limits[i].summary));
    return json_save(path, json_pack("{s:o, s:o}", "machine", machine_json(), "limits", all));
}
