/* What there is to be run. */
#include <stdio.h>
#include <string.h>

#include "../output/files.h"
#include "options.h"
#include "verbs.h"

static void maps_print(void)
{
    printf("Maps\n");
    for (size_t i = 0; i < bench_maps_n; i++) {
        const struct bench_map *map = &bench_maps[i];
        if (bench_map_known(map))
            printf("  %-16s %-22s %s\n", map->name, map->version, map->summary);
        else
            printf("  %-16s NOT BUILT: %s\n", map->name, map->missing);
    }
}

int verb_list(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--json") == 0) {
        bench_json_list();
        return 0;
    }
    if (argc > 1)
        bench_wrong("list takes --json or nothing, not", argv[1]);
    maps_print();
    printf("\nWorkloads\n");
    for (size_t i = 0; i < bench_workloads_n; i++)
        printf("  %-16s %s\n", bench_workloads[i].name, bench_workloads[i].summary);
    return 0;
}
