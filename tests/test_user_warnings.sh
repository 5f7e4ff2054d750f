#!/usr/bin/env bash
# Who asks the status before using what a call gives out is not warned, however his program is optimised: compilers follow
# the inlined call, and must not lose the way between the status and the value. Each in a file of its own: in larger ones
# less is inlined.
set -euo pipefail
[[ -z $CONCMAP_SANITIZE ]] || exit 77 # nothing runs
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# compiles KIND VALUE HANDLE CALL: a function that uses `value` where the call succeeded.
compiles() {
    cat >"$work/use.c" <<END
#include <concmap/$1.h>
struct pair { uint64_t a, b; };
CM_${1^^}_MAP(map, uint64_t, $2, cm_hash_u64, cm_equal_u64)
bool used($3 *at, uint64_t key, $2 *to);
bool used($3 *at, uint64_t key, $2 *to)
{
    $2 value;
    if (!($4))
        return false;
    *to = value;
    return true;
}
END
    for level in -O1 -Os -O2; do
        "$CC" -std=c11 $level -Wall -Wextra -Werror -c -o "$work/use.o" -I "$CONCMAP_SOURCE/include" "$work/use.c" 2>"$work/said" ||
            { head -20 "$work/said"; echo "$1, $level: $4"; exit 1; }
    done
}

for kind in sharded mutex plain locked; do
    for value in uint64_t 'struct pair'; do
        compiles $kind "$value" map 'map_get(at, key, &value)'
        compiles $kind "$value" map 'map_put(at, key, *to, &value) == CM_REPLACED'
        compiles $kind "$value" map 'map_remove(at, key, &value) == CM_OK'
    done
done
compiles sharded uint64_t map 'map_take_or(at, key, *to, &value) >= 0'
compiles sharded uint64_t map 'map_try_get(at, key, &value) == CM_OK'
compiles leftright uint64_t map_reader 'map_get(at, key, &value)'
compiles leftright uint64_t map_writer 'map_put(at, key, *to, &value) == CM_REPLACED'
compiles leftright uint64_t map_writer 'map_replace(at, key, *to, &value) == CM_REPLACED'
compiles leftright uint64_t map_writer 'map_remove(at, key, &value) == CM_OK'
compiles partitioned uint64_t map 'map_get(at, key, &value) == CM_OK'
compiles partitioned uint64_t map 'map_remove(at, key, &value) == CM_OK'
