#!/usr/bin/env bash
# No function of a typed map is missing from its dynamic form: what an instance defines the shared library exports.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

exported() {
    nm -D --defined-only "$CONCMAP_BUILD/libconcmap.so" | sed -n "s/.* T \($1_.*\)/\1/p" | sort
}

# forms DYNAMIC LEAST <NAMES: at least so many functions, or what told the names has told of something else.
forms() {
    local dynamic=$1 least=$2 missing
    sort -u >"$work/wanted"
    missing=$(comm -23 "$work/wanted" <(exported "$dynamic"))
    [[ -z $missing ]] || { echo "missing: $missing"; exit 1; }
    echo "$dynamic: $(wc -l <"$work/wanted") functions"
    (($(wc -l <"$work/wanted") > least))
}

# defined INSTANCE DYNAMIC: the functions of a type that is defined in a file, by the names of its dynamic form.
defined() {
    nm -g --defined-only "$CONCMAP_BUILD/tests/libtest_support.a" | sed -n "s/.* T $1_/$2_/p"
}

# views MACRO MAP DYNAMIC: those of a look-up by another type, which are inline.
views() {
    printf '#include <concmap/anchored.h>\n#include <concmap/leftright.h>\n#include <concmap/lookup.h>\n%s\n' "$1(view, $2, int, hash, equal)" |
        "$CC" -E -P -I "$CONCMAP_SOURCE/include" - | tr ';}' '\n\n' |
        sed -n "s/.*static inline.*[ *]view_\([a-z_]*[a-z]\) *(.*{.*/$3_\1/p"
}

defined tallies cm_any | forms cm_any 150
defined symbols cm_any_anchored | forms cm_any_anchored 100
defined roster cm_any_leftright | forms cm_any_leftright 75
defined crowds cm_any_multimap | forms cm_any_multimap 75
views CM_LOOKUP_BY tallies cm_any_lookup | forms cm_any_lookup 30
views CM_ANCHORED_LOOKUP_BY symbols cm_any_anchored_lookup | forms cm_any_anchored_lookup 20
views CM_LEFTRIGHT_LOOKUP_BY roster cm_any_leftright_lookup | forms cm_any_leftright_lookup 20
