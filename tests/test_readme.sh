#!/usr/bin/env bash
# Every C program in the README and in docs/ compiles without a warning and runs.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
awk -v dir="$work" '/^```c$/ { file = dir "/" ++n ".c"; next } /^```$/ { file = "" } file { print > file }' \
    "$CONCMAP_SOURCE/README.md" "$CONCMAP_SOURCE"/docs/*.md
count=0
for program in "$work"/*.c; do
    # shellcheck disable=SC2086
    "$CC" -std=c11 -Wall -Wextra -Werror -O1 ${CFLAGS-} -I"$CONCMAP_SOURCE/include" "$program" \
        "$CONCMAP_BUILD/libconcmap.a" -lpthread -o "$work/program"
    "$work/program" >"$work/output" || { echo "the program fails:" && cat "$program" && exit 1; }
    [[ -s $work/output ]] || { echo "the program prints nothing" && exit 1; }
    count=$((count + 1))
done
echo "$count programs"
((count > 0))
