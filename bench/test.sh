#!/usr/bin/env bash
# concmap-bench does what it says, on small input: every map that was built answers alike, files can be read back, bad
# arguments are refused in one line. Usage: bench/test.sh CONCMAP-BENCH
set -euo pipefail
bench=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fails() {
    echo "bench/test.sh: $*" >&2
    exit 1
}

all=read-only,read-heavy,write-heavy,exchange,rapid-grow,rapid-grow-cold,insert-cold,almost-read-only,read-heavy-50,hot-key,one-counter
for key in u64 str16 str64; do
    for value in 8 24 64 256; do
        "$bench" run -w $all -c 8 -r 1 -t 1,3 --ops 4 --key $key --value $value >/dev/null || fails "maps disagree: $key -> $value"
        echo "all maps agree: $key -> $value bytes"
    done
done

"$bench" list --json | python3 -c 'import json, sys; d = json.load(sys.stdin); assert d["maps"] and d["workloads"]' || fails list
"$bench" run -w exchange -m sharded,sharded+batch -c 8 -r 3 -t 2 --skew 0.5 --hit 50 --seed 7 --baseline sharded \
    --json "$work/run.json" --csv "$work/run.csv" | grep -q '^  sharded+batch ' || fails "the table"
python3 - "$work/run.json" "$work/run.csv" <<'END' || fails "the files of results"
import csv, json, sys
rows = json.load(open(sys.argv[1]))["results"]
keys = "map variant workload threads capacity_log2 key value rep ops seconds mops resident_bytes checksum".split()
assert len(rows) == 6 and all(key in row for row in rows for key in keys)
assert {row["variant"] for row in rows} == {"single", "batch"} and {row["map"] for row in rows} == {"sharded"}
assert len({row["checksum"] for row in rows}) == 1
assert len(list(csv.DictReader(open(sys.argv[2])))) == 6
END
"$bench" latency -m sharded,sharded+batch -c 8 -r 1 -t 1 --json "$work/latency.json" | grep -q 'p99.99' || fails "the latencies"
"$bench" report "$work/run.json" "$work/latency.json" -o "$work/report.html" >/dev/null || fails "the report"
grep -q '<svg' "$work/report.html" && ! grep -q 'src="http' "$work/report.html" || fails "the report's charts"
[[ -s $work/report-throughput-1.svg ]] || fails "the SVG files"
"$bench" advise --reads 90 --threads 2 --entries 1000 | grep -q '^Take `' || fails "the advice"

# What was measured before an interrupt is printed.
"$bench" run -w exchange -m sharded -c 16 -r 1000 -t 1 >"$work/interrupted" &
sleep 5
kill -INT $!
wait $! || fails "an interrupt"
grep -q '^  sharded ' "$work/interrupted" || fails "what an interrupt leaves"

refuses() {
    local status=0 message
    message=$("$bench" "$@" 2>&1 >/dev/null) || status=$?
    ((status == 2)) && [[ -n $message && $message != *$'\n'* ]] || fails "$*: status $status, message: $message"
}
refuses run -w nonsense
refuses run -m nonsense
refuses run -t 0
refuses run -c 99
refuses run --key str17
refuses run --value 9
refuses run --hit 101
refuses run --frequency
refuses run -m sharded --baseline dashmap
refuses run extra
refuses latency -w exchange
refuses list extra
refuses advise
refuses advise --reads 120
echo "concmap-bench: ok"
