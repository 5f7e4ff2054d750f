#!/usr/bin/env bash
# CM_PRINTED is not for a map whose figures have to be waited for: that would wait whatever the deadline. CM_PRINTED_PARTITIONED is.
set -euo pipefail
[[ -z $CONCMAP_SANITIZE ]] || exit 77
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# compiles MACRO: whether both languages take it for a partitioned map.
compiles() {
    cat >"$work/program.c" <<END
#include <concmap/concmap.h>
CM_PARTITIONED_MAP(parted, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
$1(parted, cm_print_u64, cm_print_u64)
int main(void) { return 0; }
END
    # shellcheck disable=SC2086
    "$CC" -std=c11 -Werror -fsyntax-only ${CFLAGS-} -I"$CONCMAP_SOURCE/include" "$work/program.c" 2>"$work/errors" &&
        "$CXX" -x c++ -std=c++17 -fsyntax-only ${CXXFLAGS-} -I"$CONCMAP_SOURCE/include" "$work/program.c" 2>"$work/errors"
}

compiles CM_PRINTED_PARTITIONED || { cat "$work/errors"; exit 1; }
! compiles CM_PRINTED || { echo "CM_PRINTED took a partitioned map"; exit 1; }
grep -q 'stats' "$work/errors" || { cat "$work/errors"; exit 1; }
