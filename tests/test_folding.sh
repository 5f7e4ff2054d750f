#!/usr/bin/env bash
# The generics fold: a typed function calls hash, equality and callback directly, and a lookup runs no locked instruction.
#
# One instance of the sharded map, one of the anchored map, whose get stores nothing but on its own stack, and one of the plain
# map, which has no locked instruction anywhere, are compiled at -O2 and disassembled. Cold parts (calls into the library, and what the compiler moves out of
# sight as .cold) are not looked at; that a lookup stores nothing in the table there either is test_protected_pages.
set -euo pipefail
[[ -z $CONCMAP_SANITIZE && $(uname -m) == x86_64 ]] || exit 77
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/instance.c" <<'END'
#include <concmap/sharded.h>
CM_SHARDED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
static cm_status add(uint64_t *value, void *context)
{
    *value += *(uint64_t *)context;
    return CM_OK;
}
bool hot_get(nums *map, uint64_t key, uint64_t *value) { return nums_get(map, key, value); }
bool hot_contains(nums *map, uint64_t key) { return nums_contains(map, key); }
size_t hot_get_many(nums *map, uint64_t *keys, size_t n, bool *found, uint64_t *values)
{
    return nums_get_many(map, keys, n, found, values);
}
cm_status hot_insert(nums *map, uint64_t key, uint64_t value) { return nums_insert(map, key, value); }
cm_status hot_put(nums *map, uint64_t key, uint64_t value) { return nums_put(map, key, value, NULL); }
cm_status hot_update(nums *map, uint64_t key, uint64_t by) { return nums_update(map, key, add, &by); }
cm_status hot_upsert(nums *map, uint64_t key, uint64_t by) { return nums_upsert(map, key, 1, add, &by); }
cm_status hot_remove(nums *map, uint64_t key) { return nums_remove(map, key, NULL); }
END
sed 's/nums/plain_nums/g; s/hot_/hot_plain_/g; s/sharded\.h/plain.h/; s/CM_SHARDED/CM_PLAIN/; s/ add\b/ plain_add/g' \
    "$work/instance.c" >"$work/plain.c"
sed 's/nums/anchored_nums/g; s/hot_/hot_anchored_/g; s/sharded\.h/anchored.h/; s/CM_SHARDED/CM_ANCHORED/; s/ add\b/ anchored_add/g
    s/^bool \(hot_anchored_get\).*/const uint64_t *\1(anchored_nums *map, uint64_t key) { return anchored_nums_get(map, key); }/
    s/bool \*found, uint64_t \*values/const uint64_t **seen/; s/found, values/seen/' "$work/instance.c" >"$work/anchored.c"
cat "$work/plain.c" "$work/anchored.c" >>"$work/instance.c"

# body FUNCTION: its instructions.
body() {
    objdump --disassemble="$1" --no-show-raw-insn "$work/instance.o" | sed -n '/^[0-9a-f]* </,$p'
}

status=0
for compiler in gcc clang; do
    command -v $compiler >/dev/null || continue
    $compiler -std=c11 -O2 -fno-pie -I"$CONCMAP_SOURCE/include" -c "$work/instance.c" -o "$work/instance.o"
    for function in {,plain_,anchored_}{get,contains,get_many,insert,put,update,upsert,remove}; do
        code=$(body hot_$function)
        [[ -n $code ]] || { echo "$compiler: hot_$function is missing" && status=1; }
        if grep -E '\b(call|jmp)q? +\*' <<<"$code"; then
            echo "$compiler: an indirect call in $function" && status=1
        fi
    done
    for function in {,anchored_}{get,contains,get_many} plain_{get,contains,get_many,insert,put,update,upsert,remove}; do
        if body hot_$function | grep -E '\block\b|\bxchg +.*\(|\b[ml]fence\b'; then
            echo "$compiler: a locked instruction in $function" && status=1
        fi
    done
    for function in anchored_{get,contains}; do
        if body hot_$function | grep -E '\b(mov|add|sub|or|and|inc|dec)[a-z]* .*,(-?0x[0-9a-f]+)?\(%|\b(inc|dec)[a-z]* .*\(%' |
            grep -vE ',(-?0x[0-9a-f]+)?\(%rsp\)|,%[a-z0-9]+$'; then
            echo "$compiler: a store in $function" && status=1
        fi
    done
done
exit $status
