# Builds concmap-bench with its peers and runs it. Sourced by ./dev bench, with its functions at hand.
#
# Without arguments: a comparison of some three minutes, and the path of its report. With arguments: they go to
# concmap-bench; --test checks it. --allow-missing, first: go on without the peers that cannot be installed.

case ${1-} in
--allow-missing) bench_verb=${2-} ;;
*) bench_verb=${1-} ;;
esac
case $bench_verb in # before minutes of building
'' | --test | list | run | latency | limits | report | advise) ;;
*) wrong "bench takes list, run, latency, limits, report or advise, or --test, not $bench_verb" ;;
esac

bench_packages=(g++ pkgconf libjansson-dev python3-matplotlib)
peer_packages=(libboost1.81-dev libtbb-dev libcuckoo-dev liburcu-dev libck-dev libglib2.0-dev)

bench_missing=OFF
[[ ${1-} != --allow-missing ]] || { bench_missing=ON && shift; }
need "${bench_packages[@]}"
if ! need "${peer_packages[@]}"; then
    [[ $bench_missing == ON ]] || exit 1
fi
if ! command -v cargo >/dev/null; then
    need cargo-web || [[ $bench_missing == ON ]] || exit 1 # Debian 12's newer Rust; its own is too old for the peers
fi
CONCMAP_BENCH_MARCH=${CONCMAP_BENCH_MARCH-}
bench_tree=release${CONCMAP_BENCH_MARCH:+-$CONCMAP_BENCH_MARCH}
build "$bench_tree" release gcc BENCH "-DCONCMAP_BENCH_MARCH=$CONCMAP_BENCH_MARCH" "-DCONCMAP_BENCH_ALLOW_MISSING=$bench_missing"
bench_program=build/$bench_tree/bench/concmap-bench

if [[ ${1-} == --test ]]; then
    bench/test.sh "$bench_program"
elif (($#)); then
    "$bench_program" "$@"
else
    out=build/$bench_tree/bench
    "$bench_program" limits --json "$out/limits.json"
    "$bench_program" run -c 18 -r 3 --ops 4 -w read-only,read-heavy,write-heavy,exchange --json "$out/run.json"
    "$bench_program" run -c 18 -r 3 -w rapid-grow-cold --json "$out/grow.json"
    "$bench_program" latency -c 16 -r 3 -t 2 -m sharded,dashmap,flat-mutex --json "$out/latency.json"
    "$bench_program" report "$out/"{run,grow,latency,limits}.json -o "$out/report.html"
    echo "report: $PWD/$out/report.html"
fi
