/* The verbs of concmap-bench: each gets the arguments from its own name on, and returns the program's status. */
#ifndef BENCH_VERBS_H
#define BENCH_VERBS_H

int verb_list(int argc, char **argv);
int verb_run(int argc, char **argv);
int verb_latency(int argc, char **argv);
int verb_limits(int argc, char **argv);
int verb_report(int argc, char **argv);
int verb_advise(int argc, char **argv);

#endif
