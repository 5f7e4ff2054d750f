#!/usr/bin/env bash
# The library has the probes that src/probes.h names, where the system has <sys/sdt.h>, and none elsewhere; and they tell what
# they promise: gdb stops at them in a program whose map grows while it holds a bucket, and waits.
set -euo pipefail
[[ -z $CONCMAP_SANITIZE ]] || exit 77
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

shown=$(readelf -n "$CONCMAP_BUILD/libconcmap.so" | awk '/Provider: concmap/ { getline; print $2 }' | sort -u | tr '\n' ' ')
if ! echo '#include <sys/sdt.h>' | "$CC" -x c -fsyntax-only - 2>/dev/null; then
    [[ -z $shown ]] || { echo "probes without <sys/sdt.h>: $shown" && exit 1; }
    echo "no <sys/sdt.h> here, and no probes; nothing more to try" && exit 77
fi
[[ $shown == "grow_begin grow_end reclaim_stall wait_begin wait_end " ]] || { echo "the probes are: $shown" && exit 1; }

command -v gdb >/dev/null || { echo "gdb is not installed: whether they fire was not tried" && exit 77; }
gdb -nx -batch -ex run "$(command -v true)" 2>&1 | grep -q 'exited normally' ||
    { echo "gdb may not run programs here (ptrace is forbidden): whether they fire was not tried" && exit 77; }

cat >"$work/program.c" <<'END'
#include <concmap/sharded.h>
CM_SHARDED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
static nums watched; /* by no name that a function of the library has, too */
int main(void)
{
    nums_write_guard guard;
    nums_init(&watched, &(cm_config){.capacity = 4});
    for (uint64_t i = 0; i < 50; i++)
        nums_put(&watched, i, i, NULL);
    nums_settle(&watched);
    nums_write(&watched, 0, &guard);
    nums_write_detach(&guard);
    int timed_out = nums_put_until(&watched, 0, 1, NULL, cm_deadline_after(20000000)) == CM_TIMEOUT;
    nums_write_attach(&guard);
    nums_write_unlock(&guard);
    return timed_out ? 0 : 1;
}
END
"$CC" -std=c11 -g -O1 -I"$CONCMAP_SOURCE/include" "$work/program.c" "$CONCMAP_BUILD/libconcmap.a" -lpthread -o "$work/program"

# stops PROBE CONDITION: the program stops at the probe, and the condition holds of its arguments. One stop a run: not every
# sandbox lets gdb go on from one.
failed=0
stops() {
    gdb -nx -batch -ex 'set confirm off' -ex "break -probe-stap concmap:$1" -ex run -ex "print \"$1\", $2" -ex kill \
        "$work/program" >"$work/output" 2>&1 || true
    grep -q '^\$1 = 1$' "$work/output" || { echo "$1 does not stop with $2:" && cat "$work/output" && failed=1; }
}
# The first growth is from one bucket to four. The wait is for writing, takes 20 ms or more, and ends with CM_TIMEOUT (-4).
stops grow_begin '$_probe_arg0 == (long)&watched && $_probe_arg1 == 1 && $_probe_arg2 == 4'
stops grow_end '$_probe_arg0 == (long)&watched && $_probe_arg1 == 1 && $_probe_arg2 == 4'
stops wait_begin '$_probe_arg0 != 0 && $_probe_arg1 == 1'
stops wait_end '$_probe_arg0 != 0 && $_probe_arg1 >= 20000000 && $_probe_arg1 < 20000000000 && (int)$_probe_arg2 == -4'
exit $failed
