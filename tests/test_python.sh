#!/usr/bin/env bash
# The Python binding behaves like a dictionary, and its example counts right with several threads.
set -euo pipefail
[[ -z ${CONCMAP_SANITIZE:-} ]] || exit 77 # the interpreter is not built for them
command -v python3 >/dev/null || exit 77
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
examples=$CONCMAP_SOURCE/examples/python
export CONCMAP_LIBRARY=$CONCMAP_BUILD/libconcmap.so PYTHONDONTWRITEBYTECODE=1

fails() {
    echo "$*"
    exit 1
}

cat >"$work/binding.py" <<'END'
import sys, threading

sys.path.insert(0, sys.argv[1])
from concmap import Error, Map


def raises(kind, function, *arguments):
    try:
        function(*arguments)
    except kind:
        return True
    return False


SAMPLES = {int: lambda i: i * 2**50, str: lambda i: "key ä\0" + str(i), bytes: lambda i: b"\0value" + bytes(i % 600)}
for key in int, str:
    for value in int, bytes:
        key_of, value_of = SAMPLES[key], SAMPLES[value]
        expected = {key_of(i): value_of(i) for i in range(3000)}
        with Map(key, value, capacity=100) as map:
            for k, v in expected.items():
                map[k] = v
            assert len(map) == 3000 and dict(map.items()) == expected and set(map) == set(expected)
            assert len(list(map.items())) == 3000
            assert all(map[k] == v and k in map for k, v in expected.items())
            assert map.get(key_of(5000)) is None and map.get(key_of(5000), 5) == 5 and key_of(5000) not in map
            assert raises(KeyError, map.__getitem__, key_of(5000)) and raises(KeyError, map.__delitem__, key_of(5000))
            assert not map.insert(key_of(1), value_of(9)) and map[key_of(1)] == value_of(1)
            map[key_of(1)] = value_of(9)
            map.upsert(key_of(1), value_of(0), lambda v: v + v)
            assert map[key_of(1)] == value_of(9) + value_of(9)
            assert raises(ZeroDivisionError, map.upsert, key_of(1), value_of(0), lambda v: 1 // 0)
            assert raises(TypeError, map.upsert, key_of(1), value_of(0), lambda v: None)
            assert raises(Error, map.upsert, key_of(1), value_of(0), lambda v: map.pop(key_of(1)))  # its very key
            assert map[key_of(1)] == value_of(9) + value_of(9)
            assert map.pop(key_of(1)) and key_of(1) not in map and map.pop(key_of(1), 7) == 7
            del map[key_of(2)]
            assert len(map) == 2998
            map.save(sys.argv[2])
            with Map(key, value) as other:
                other.load(sys.argv[2])
                assert dict(other.items()) == dict(map.items())
            with Map(key, int if value is bytes else bytes) as other:
                assert raises(Error, other.load, sys.argv[2]) and len(other) == 0
            assert raises(TypeError, map.__setitem__, 1.5, value_of(1)) and raises(TypeError, map.__setitem__, key_of(1), 1.5)
            map.clear()
            assert len(map) == 0
with Map(int, int, limit=2) as map:
    map[1] = map[2] = 1
    assert raises(Error, map.__setitem__, 3, 1) and len(map) == 2


def add(map):
    for i in range(2000):
        map.upsert(i % 7, 1, lambda n: n + 1)


with Map(int, int) as map:
    threads = [threading.Thread(target=add, args=(map,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(n for _, n in map.items()) == 12000
print("binding: ok")
END
timeout 120 python3 "$work/binding.py" "$examples" "$work/saved" || fails "the binding: status $?"

for file in one two three; do
    for ((i = 0; i < 300; i++)); do echo "The cat and THE dog, $file"; done >"$work/$file"
done
cd "$work"
counted=$(timeout 120 python3 "$examples/counts.py" --threads 3 one two three) || fails "counts.py: status $?: $counted"
grep -q '^5400 words, 7 of them different, of 2 lengths$' <<<"$counted" || fails "counts.py: $counted"
grep -Eq '^ +1800 the \(one of them in (one|two|three)\)$' <<<"$counted" || fails "counts.py: $counted"
grep -Eq '^ +300 two \(one of them in two\)$' <<<"$counted" || fails "counts.py: $counted"
echo "counts: ok"
