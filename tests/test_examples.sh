#!/usr/bin/env bash
# The examples do their job on small input, agree with themselves, and refuse bad arguments in one line.
set -euo pipefail
examples=$CONCMAP_BUILD/examples
[[ -x $examples/wordcount ]] || exit 77
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fails() {
    echo "$*"
    exit 1
}

mkdir "$work/texts"
printf 'The cat and THE dog.\nthe end' >"$work/texts/one"
printf 'cat, dog; dog\n' >"$work/texts/two"
printf 'a zero \0 byte' >"$work/texts/binary"
: >"$work/texts/empty"

text=$("$examples/wordcount" --threads 3 "$work/texts")
grep -q 'the three results agree' <<<"$text" || fails "no agreement: $text"
grep -Eq '^ +3  the$' <<<"$text" || fails "the: $text"
grep -q '10 words, 5 of them different' <<<"$text" || fails "words: $text"
grep -q 'skipped: 1 binary' <<<"$text" || fails "binary: $text"
json=$("$examples/wordcount" --json "$work/texts")
python3 -c 'import json, sys; r = json.loads(sys.argv[1]); assert r["agree"] and r["words"] == 10 and ["the", 3] in r["top"]' \
    "$json" 2>/dev/null || ! command -v python3 >/dev/null || fails "json: $json"
account=$("$examples/sessions" --seconds 1 2>&1) || fails "sessions: status $?: $account"
grep -q 'the account adds up' <<<"$account" || fails "the account of sessions: $account"
account=$("$examples/sessions" --seconds 1 --threads 5 --json 2>&1) || fails "sessions --json: status $?: $account"
grep -q '"adds_up": true' <<<"$account" || fails "the account of sessions, as JSON: $account"

sums=$("$examples/parallel") || fails "parallel: status $?: $sums"
grep -q '499999500000 by pthreads, 499999500000 by OpenMP' <<<"$sums" || fails "parallel: $sums"

counted=$("$examples/connections") || fails "connections: status $?: $counted"
grep -q ', 64 connections open at the end, 0 never freed' <<<"$counted" || fails "connections: $counted"

reloads=$("$examples/reload") || fails "reload: status $?: $reloads"
grep -q ': 0 wrong, 0 configurations left' <<<"$reloads" || fails "reload: $reloads"

account=$("$examples/routes") || fails "routes: status $?: $account"
grep -q '100 reloads, 1100 routes, 0 views torn' <<<"$account" || fails "routes: $account"
printf '10.0.0.0/8 3\n10.1.0.0/16 4\n' >"$work/routes"
account=$("$examples/routes" --seconds 1 "$work/routes") || fails "routes FILE: status $?: $account"
grep -q '1 reloads, 2 routes, 0 views torn' <<<"$account" || fails "routes FILE: $account"

readings=$("$examples/meters") || fails "meters: status $?: $readings"
grep -q '^60000 readings by threads of the map, 60000 by an event loop; the totals agree$' <<<"$readings" || fails "meters: $readings"

interned=$("$examples/intern") || fails "intern: status $?: $interned"
grep -q '5000 words used 800000 times' <<<"$interned" || fails "intern: $interned"
grep -q '^0 addresses changed while the table grew, 0 differ' <<<"$interned" || fails "intern: $interned"

events=$("$examples/handlers") || fails "handlers: status $?: $events"
grep -q '133333 handlers came and went; 0 calls of dead ones, 0 not destroyed' <<<"$events" || fails "handlers: $events"

moved=$("$examples/channels") || fails "channels: status $?: $moved"
grep -q '^20000 moves, .* rounds, 0 of them with somebody missing or twice; done$' <<<"$moved" || fails "channels: $moved"
worked=$("$examples/elements") || fails "elements: status $?: $worked"
grep -q '^10 threads worked 10.0 s in all on elements of their own, up to 10 at once' <<<"$worked" || fails "elements: $worked"
grep -q '^100010 elements in the map' <<<"$worked" || fails "elements: $worked"

refuses() {
    local status=0 message
    message=$("$@" 2>&1 >/dev/null) || status=$?
    ((status == 2)) && [[ -n $message && $message != *$'\n'* ]] || fails "$*: status $status, message: $message"
}
refuses "$examples/wordcount" "$work/nothing"
refuses "$examples/wordcount" --threads 0 "$work/texts"
refuses "$examples/wordcount" --frequent
refuses "$examples/sessions" --seconds x
refuses "$examples/sessions" extra
refuses "$examples/sessions" --threads
printf '10.0.0.0/8 3\n10.1.0.0/16\n' >"$work/routes"
if account=$("$examples/routes" --seconds 1 "$work/routes" 2>&1); then fails "routes took a wrong file: $account"; fi
grep -q 'routes:2: no route' <<<"$account" || fails "routes, a wrong file: $account"
refuses "$examples/routes" --seconds x
refuses "$examples/routes" --often
refuses "$examples/elements" 0
refuses "$examples/elements" often
