#!/usr/bin/env bash
# No function of a typed map is missing from its dynamic form: what an instance defines the shared library exports.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# forms INSTANCE DYNAMIC LEAST: at least so many functions, or nm has told of something else.
forms() {
    local instance=$1 dynamic=$2 least=$3 missing
    nm -g --defined-only "$CONCMAP_BUILD/tests/libtest_support.a" | sed -n "s/.* T ${instance}_/${dynamic}_/p" |
        sort >"$work/wanted"
    nm -D --defined-only "$CONCMAP_BUILD/libconcmap.so" | sed -n "s/.* T \(${dynamic}_.*\)/\1/p" | sort >"$work/exported"
    missing=$(comm -23 "$work/wanted" "$work/exported")
    [[ -z $missing ]] || { echo "missing: $missing"; exit 1; }
    echo "$dynamic: $(wc -l <"$work/wanted") functions"
    (($(wc -l <"$work/wanted") > least))
}

forms tallies cm_any 150
forms symbols cm_any_anchored 100
forms roster cm_any_leftright 75
forms crowds cm_any_multimap 75
