#!/usr/bin/env bash
# Makes bench/RESULTS.md: ./bench/results.sh PATH-TO-CONCMAP-SPEED >bench/RESULTS.md, on a quiet machine.
set -euo pipefail
speed=$1

cat <<END
# Results

Made by \`bench/results.sh\` on $(date -I), $(nproc) processors ($(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)),
Linux $(uname -r), $(gcc --version | head -n 1), $(rustc --version), -O3 for plain x86-64. To repeat it: \`./dev bench\`, then
\`bench/results.sh build/release/bench/concmap-speed\`.

Each table is one interleaved run. A figure is the median of its rounds; a ratio is the median of the rounds' ratios to the better of
the two DashMaps in that round. Keys are u64, hashed alike by all; 2^c entries of capacity, 75% filled. Take differences under
30% as ties: the machine is shared.

\`\`\`
END
"$speed" -w read-only -t 1 -r 11
"$speed" -w read-only -t 2 -r 11
"$speed" -w read-only -c 14 -t 1 -r 11
"$speed" -w read-only -c 14 -t 2 -r 11
"$speed" -w exchange -t 1 -r 11
"$speed" -w exchange -t 2 -r 11
"$speed" -w write-heavy -t 2 -r 5
"$speed" -w grow-cold -t 1 -r 11
"$speed" -w grow-cold -t 2 -r 11
"$speed" -w slowest-put -t 1 -r 5
for value in 24 64 256; do
    "$speed" -w read-only -c 20 -v "$value" -n 1000000 -r 11
    "$speed" -w write-heavy -c 20 -v "$value" -n 1000000 -r 11
done
echo '```'
