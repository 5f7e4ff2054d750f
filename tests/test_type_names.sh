#!/usr/bin/env bash
# A type may have any short name: what the functions of its macro call their parameters does not get into its way.
set -euo pipefail
[[ -z $CONCMAP_SANITIZE ]] || exit 77 # nothing runs
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
names="a b to from into map set key value n i entry keys values status config writer reader view it"
word="uint64_t, uint64_t, cm_hash_u64, cm_equal_u64" number="uint64_t, cm_hash_u64, cm_equal_u64"

# compiles HEADER MACRO REST: types of all these names, in one file.
compiles() {
    echo "#include <concmap/$1.h>" >"$work/names.c"
    for name in $names; do echo "$2($name, $3)" >>"$work/names.c"; done
    "$CC" -std=c11 -Wall -Wextra -Werror -fsyntax-only -I "$CONCMAP_SOURCE/include" "$work/names.c" 2>"$work/said" ||
        { head -5 "$work/said"; echo "$2: one of these names does not compile"; exit 1; }
}

for kind in sharded plain anchored leftright mutex locked partitioned; do
    compiles $kind "CM_${kind^^}_MAP" "$word"
done
for kind in sharded plain anchored leftright; do compiles ${kind}_set "CM_${kind^^}_SET" "$number"; done
compiles leftright_multimap CM_LEFTRIGHT_MULTIMAP "$word, cm_hash_u64, cm_equal_u64"
compiles cache CM_CACHE_MAP "$word, cm_no_expiry, cm_no_weight, cm_no_eviction"
