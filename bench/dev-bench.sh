# Builds the benchmark driver with its peers and runs it. Sourced by ./dev bench, with its functions at hand.
#
# Without arguments: a comparison of some minutes. With arguments: they go to concmap-speed.

need libboost1.81-dev g++
command -v cargo >/dev/null || need cargo-web # Debian 12's newer Rust; its own is too old for the peers
CONCMAP_BENCH_MARCH=${CONCMAP_BENCH_MARCH-}
build "release${CONCMAP_BENCH_MARCH:+-$CONCMAP_BENCH_MARCH}" release gcc BENCH "-DCONCMAP_BENCH_MARCH=$CONCMAP_BENCH_MARCH"
speed=build/release${CONCMAP_BENCH_MARCH:+-$CONCMAP_BENCH_MARCH}/bench/concmap-speed

if (($#)); then
    "$speed" "$@"
else
    for threads in 1 2; do
        for workload in read-only write-heavy exchange grow-cold; do
            "$speed" -w "$workload" -t "$threads" -r 5
        done
        "$speed" -w read-only -c 14 -t "$threads" -r 5
    done
    "$speed" -w slowest-put -r 5
fi
