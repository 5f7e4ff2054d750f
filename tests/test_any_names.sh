#!/usr/bin/env bash
# No function of a typed map is missing from the dynamic one, but those of CM_SAVED: what an instance defines the shared
# library exports as cm_any_*.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

nm -g --defined-only "$CONCMAP_BUILD/tests/libtest_support.a" | sed -n 's/.* T tallies_/cm_any_/p' |
    grep -v '_\(save\|load\)\(_file\)\?\(_until\)\?$' | sort >"$work/wanted"
nm -D --defined-only "$CONCMAP_BUILD/libconcmap.so" | sed -n 's/.* T \(cm_any_.*\)/\1/p' | sort >"$work/exported"
missing=$(comm -23 "$work/wanted" "$work/exported")
[[ -z $missing ]] || { echo "missing: $missing"; exit 1; }
count=$(wc -l <"$work/wanted")
echo "$count functions"
((count > 150)) # or nm has told of something else
