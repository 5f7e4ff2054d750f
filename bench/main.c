/* concmap-bench: concmap's maps beside their peers. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "verbs/verbs.h"

static const char usage[] =
    "usage: concmap-bench VERB [ARGUMENT...]\n"
    "  list [--json]           maps and workloads, and which peers were not built and why\n"
    "  run [CHOICE...]         throughput, maps side by side\n"
    "       -w WORKLOAD,..     default: read-only,read-heavy,write-heavy,exchange,rapid-grow-cold\n"
    "       -m MAP,..          default: all that were built\n"
    "       -t THREADS,..      default: 1 and one a processor\n"
    "       -c LOG2            entries of capacity: 2^LOG2; default 20\n"
    "       -r ROUNDS          default 5; the maps take turns in each\n"
    "       --ops FACTOR       operations for each entry of capacity\n"
    "       --key u64|str16|str64   --value 8|24|64|256   --hit 0..100   --skew THETA   --seed N   --batch N\n"
    "       --json FILE   --csv FILE   --baseline MAP (default: dashmap)\n"
    "  latency [CHOICE...]     each operation's nanoseconds, while growing and at rest; the same choices but -w\n"
    "  limits [--json FILE]    what the machine itself allows\n"
    "  report FILE.json... -o REPORT.html   charts of what --json has written: one page, and SVG files beside it\n"
    "  advise --reads PERCENT [--threads N] [--entries N] [--key KIND] [--value BYTES] [--hit 0..100]\n"
    "                          which of concmap's maps to take for such a job, by trying\n";

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } verbs[] = {{"list", verb_list},     {"run", verb_run},       {"latency", verb_latency},
                 {"limits", verb_limits}, {"report", verb_report}, {"advise", verb_advise}};
    for (size_t i = 0; argc > 1 && i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].run(argc - 1, argv + 1);
    bool help = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0);
    if (argc > 1 && !help)
        fprintf(stderr, "concmap-bench: no such verb: %s\n", argv[1]);
    fputs(usage, help ? stdout : stderr);
    return help ? 0 : 2;
}
