#!/usr/bin/env bash
# Makes bench/RESULTS.md but for its last part, on a quiet machine, in some 30 minutes:
#     ./dev bench list && bench/results.sh build/release/bench/concmap-bench >results.txt
set -euo pipefail
bench=$1
few=sharded,sharded+batch,sharded+guards,dashmap,dashmap-128,flat-mutex,flat-unlocked

# part HEADLINE ARGUMENT...: the command and what it printed.
part() {
    printf '\n## %s\n\n    concmap-bench %s\n\n```\n' "$1" "${*:2}"
    "$bench" "${@:2}"
    printf '```\n'
}

cat <<END
# Results

Made by \`bench/results.sh\` on $(date -I), $(nproc) processors ($(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)),
Linux $(uname -r), $(gcc --version | head -n 1), $(rustc --version), -O3 for plain x86-64${CONCMAP_BENCH_MARCH:+ ($CONCMAP_BENCH_MARCH)}.
To repeat it: \`./dev bench list\`, then \`bench/results.sh build/release/bench/concmap-bench\`.

Each table is one interleaved run. A figure is the median of its rounds, the spread that of the middle half of them, a ratio the
median of the rounds' ratios. 2^c entries of capacity, 75% filled where a workload does not say otherwise. Take differences under 30% as
ties: the machine is shared.
END
part "The peers" list
part "What the machine allows" limits
part "All maps, beyond the caches" run -c 22 -r 3 -w read-only,read-heavy,write-heavy,exchange,rapid-grow-cold
part "Growing from empty, by inserts alone" run -c 22 -r 7 -w insert-cold -m $few
part "All maps, in cache" run -c 14 -r 3 -w read-only,exchange,rapid-grow-cold
part "One hot counter, and skewed keys" run -c 16 -r 3 -t 2 -w one-counter,hot-key
part "More threads than processors" run -c 14 -r 5 -t 2,16 -w read-heavy,write-heavy,exchange,rapid-grow-cold,hot-key,one-counter -m sharded,sharded+batch,sharded+guards
for value in 24 64 256; do
    part "Values of $value bytes" run -c 20 -r 3 -w read-only,write-heavy --value $value -m $few
done
part "Text keys" run -c 20 -r 3 -w read-only,write-heavy --key str16 -m $few
part "Latency" latency -c 20 -r 3 -t 1 -m sharded,dashmap,dashmap-128
