/* Hands the files over to the plotting script, which knows matplotlib. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench_peers_config.h"
#include "options.h"
#include "verbs.h"

int verb_report(int argc, char **argv)
{
    char *arguments[128] = {BENCH_PYTHON, BENCH_REPORT_SCRIPT};
    if (argc > 120)
        bench_wrong("too many files for one report, from here", argv[120]);
    for (int i = 1; i < argc; i++)
        arguments[i + 1] = argv[i];
    execvp(BENCH_PYTHON, arguments);
    fprintf(stderr, "concmap-bench: reports need python3 and matplotlib (Debian: python3-matplotlib): %s\n",
            strerror(errno));
    return 1;
}
