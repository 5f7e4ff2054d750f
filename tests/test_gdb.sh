#!/usr/bin/env bash
# gdb shows the keys and values of maps, each once: entries in buckets and in nodes, texts, sets, caches, chains, and tables
# that grow or shrink while a bucket is held. A program is compiled as C and C++, with and without optimisation, and stopped.
set -euo pipefail
[[ -z $CONCMAP_SANITIZE ]] || exit 77
command -v gdb >/dev/null || { echo "gdb is not installed: not tried" && exit 77; }
gdb -nx -batch -ex 'python print("python")' 2>&1 | grep -q '^python$' || { echo "this gdb has no python: not tried" && exit 77; }
gdb -nx -batch -ex run "$(command -v true)" 2>&1 | grep -q 'exited normally' ||
    { echo "gdb may not run programs here (ptrace is forbidden): not tried" && exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/program.c" <<'END'
#include <concmap/anchored_set.h>
#include <concmap/any_anchored.h>
#include <concmap/cache.h>
#include <concmap/locked.h>
#include <concmap/sharded_set.h>
#include <stdio.h>
struct wide {
    uint64_t number;
    uint64_t rest[4];
};
struct page {
    uint64_t number;
    uint64_t rest[30];
};
static uint64_t direct_hash(const uint64_t *key, uint64_t seed)
{
    (void)seed;
    return *key;
}
static uint64_t byte_hash(const uint8_t *key, uint64_t seed)
{
    return *key * seed;
}
static bool byte_equal(const uint8_t *a, const uint8_t *b)
{
    return *a == *b;
}
static cm_status wide_clone(struct wide *to, const struct wide *from, void *context)
{
    (void)context;
    *to = *from;
    return CM_OK;
}
static void wide_destroy(struct wide *value, void *context)
{
    (void)value, (void)context;
}
CM_SHARDED_MAP(direct, uint64_t, uint64_t, direct_hash, cm_equal_u64)
CM_SHARDED_MAP(narrow, uint32_t, uint32_t, cm_hash_u32, cm_equal_u32)
CM_SHARDED_MAP(tiny, uint8_t, uint8_t, byte_hash, byte_equal)
CM_SHARDED_MAP(wides, uint32_t, struct wide, cm_hash_u32, cm_equal_u32)
CM_SHARDED_MAP(pages, uint32_t, struct page, cm_hash_u32, cm_equal_u32)
CM_SHARDED_MAP(words, cm_str, uint64_t, cm_hash_str, cm_equal_str)
CM_SHARDED_MAP_OWNED(owned, uint64_t, struct wide, cm_hash_u64, cm_equal_u64, CM_PLAIN,
                     CM_OWNED(wide_clone, wide_destroy))
CM_SHARDED_SET(seen, uint64_t, cm_hash_u64, cm_equal_u64)
CM_ANCHORED_MAP(anchored, uint64_t, struct wide, direct_hash, cm_equal_u64)
CM_LOCKED_MAP(locked, uint64_t, struct wide, cm_hash_u64, cm_equal_u64)
CM_ANCHORED_SET(atoms, uint64_t, cm_hash_u64, cm_equal_u64)
CM_CACHE_MAP(cached, uint8_t, uint64_t, byte_hash, byte_equal, cm_no_expiry, cm_no_weight, cm_no_eviction)
CM_SHARDED_MAP_DECLARE(declared, uint64_t, uint64_t)
CM_SHARDED_MAP_DEFINE(declared, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)

#define COUNT 300
direct none = CM_MAP_INITIALIZER; /* visible, so that it stays though nobody uses it */
static direct plain, chained, growing, shrinking;
static narrow narrows;
static tiny tinies;
static wides wide_map;
static pages page_map;
static words word_map;
static owned owned_map;
static seen set;
static cached cache;
static declared declared_map;
static anchored anchored_map;
static atoms atom_set;
static locked locked_map;
static cm_any any_map, any_words, any_set;
static cm_any_anchored any_anchored;

static __attribute__((noinline)) void stop(void)
{
    __asm__ volatile("" ::: "memory");
}

static uint64_t dynamic_made(uint64_t failed)
{
    struct cm_type type;
    cm_any_type_u64(&type, 4), cm_any_init(&any_map, &type, NULL);
    cm_any_type_u32(&type, 0), cm_any_init(&any_set, &type, NULL);
    cm_any_type_text(&type, 3), cm_any_init(&any_words, &type, NULL);
    cm_any_type_u64(&type, 8), cm_any_anchored_init(&any_anchored, &type, NULL);
    for (uint64_t i = 0; i < COUNT; i++) {
        uint32_t number = (uint32_t)i;
        failed += cm_any_put(&any_map, &i, &number, NULL) < 0;
        failed += cm_any_put(&any_set, &number, NULL, NULL) < 0;
        failed += cm_any_anchored_put(&any_anchored, &i, &i, NULL) < 0;
    }
    cm_str apples = cm_str_of("apples");
    return failed + (cm_any_put(&any_words, &apples, "abc", NULL) < 0);
}

static uint64_t made(uint64_t failed)
{
    direct_init(&plain, NULL), direct_init(&chained, NULL), direct_init(&growing, NULL), direct_init(&shrinking, NULL);
    narrow_init(&narrows, NULL), tiny_init(&tinies, NULL), wides_init(&wide_map, NULL), pages_init(&page_map, NULL);
    words_init(&word_map, NULL), owned_init(&owned_map, NULL), seen_init(&set, NULL), cached_init(&cache, NULL);
    declared_init(&declared_map, NULL), anchored_init(&anchored_map, NULL), atoms_init(&atom_set, NULL);
    locked_init(&locked_map, NULL);
    for (uint64_t i = 0; i < COUNT; i++) {
        struct wide wide = {i, {0}};
        struct page page = {i, {0}};
        failed += direct_put(&plain, i, i, NULL) < 0;
        failed += direct_put(&chained, i << 40, i, NULL) < 0;
        failed += narrow_put(&narrows, (uint32_t)i, (uint32_t)i, NULL) < 0;
        failed += i < 200 && tiny_put(&tinies, (uint8_t)i, 7, NULL) < 0;
        failed += wides_put(&wide_map, (uint32_t)i, wide, NULL) < 0;
        failed += pages_put(&page_map, (uint32_t)i, page, NULL) < 0;
        failed += owned_put(&owned_map, i, wide, NULL) < 0;
        failed += seen_add(&set, i) < 0;
        failed += i < 200 && cached_put(&cache, (uint8_t)i, i, NULL) < 0;
        failed += declared_put(&declared_map, i, i, NULL) < 0;
        failed += anchored_put(&anchored_map, i, wide, NULL) < 0;
        failed += anchored_put(&anchored_map, i + COUNT, wide, NULL) < 0;
        failed += anchored_put(&anchored_map, i, wide, NULL) < 0 || anchored_remove(&anchored_map, i + COUNT, NULL) < 0;
        failed += atoms_add(&atom_set, i) < 0;
        failed += locked_insert(&locked_map, i, wide) < 0;
    }
    failed += words_put(&word_map, cm_str_of("apples \"red\""), 3, NULL) < 0;
    failed += words_put(&word_map, cm_str_of(""), 4, NULL) < 0;
    failed += words_put(&word_map, cm_str_of("a text that is far longer than any short one could ever be, and then some,"
                                             " so that it lies in a block of its own: of more than 256 bytes, that is, "
                                             "as nodes end there; this should be long enough by now for every class of "
                                             "nodes that there is or was, so this is the end of it"), 5, NULL) < 0;
    return failed;
}

int main(void)
{
    direct_write_guard guard, other;
    uint64_t failed = dynamic_made(made(0));
    /* A bucket that is held stays where it is. */
    direct_put(&growing, 0, 0, NULL);
    failed += direct_write(&growing, 0, &guard) != CM_OK;
    for (uint64_t i = 1; i < COUNT; i++)
        failed += direct_put(&growing, i, i, NULL) < 0;
    for (uint64_t i = 0; i < 100 * COUNT; i++)
        failed += direct_put(&shrinking, i, i, NULL) < 0;
    direct_settle(&shrinking);
    for (uint64_t i = COUNT; i < 100 * COUNT; i++)
        failed += direct_remove(&shrinking, i, NULL) < 0;
    failed += direct_write(&shrinking, 3, &other) != CM_OK;
    failed += direct_shrink_to_fit(&shrinking) != CM_BUSY;
    stop();
    direct_write_unlock(&guard);
    direct_write_unlock(&other);
    return failed != 0;
}
END

cat >"$work/commands" <<END
set confirm off
set width 0
set print elements 0
set print repeats 3
source $CONCMAP_SOURCE/tools/gdb/concmap.py
break stop
run
up
print none
print plain
print chained
print growing
print shrinking
print narrows
print/u tinies
print wide_map
print page_map
print word_map
print owned_map
print set
print/u cache
print declared_map
print *&plain
set print elements 6
print plain
set print elements 0
print anchored_map
print atom_set
print any_map
print any_set
print any_anchored
print/x any_words
print locked_map
kill
END

failed=0
# shown NUMBER TEXT: gdb's answer of this number is the text.
shown() {
    local answer
    answer=$(sed -n "s/^\\\$$1 = //p" "$work/output")
    [[ $answer == "$2" ]] || { echo "$how: print $1: expected $2, got ${answer:0:300}" && failed=1; }
}

# holds NUMBER HEAD COUNT PATTERN: it begins with the head (any map may be growing, too), and PATTERN finds the numbers from 0
# on, each once.
holds() {
    local answer numbers
    answer=$(sed -n "s/^\\\$$1 = //p" "$work/output")
    [[ $answer == "$2"*" = {"* ]] || { echo "$how: print $1: expected $2, got ${answer:0:300}" && failed=1; }
    numbers=$(grep -oP "$4" <<<"$answer" | sort -n | tr '\n' ' ')
    [[ $numbers == "$(seq 0 $(($3 - 1)) | tr '\n' ' ')" ]] || { echo "$how: print $1: $2: not each once: ${numbers:0:300}" && failed=1; }
}

# examine COMPILER OPTION...
examine() {
    how="$*"
    "$@" -g -w -I"$CONCMAP_SOURCE/include" "$work/program.c" -x none "$CONCMAP_BUILD/libconcmap.a" -lpthread -o "$work/program"
    gdb -nx -batch -x "$work/commands" "$work/program" >"$work/output" 2>&1 || true
    local pairs='\[\K[0-9]+(?=\] = )' same='\[([0-9]+)\] = \K\1(?=[,}])' structs='\[([0-9]+)\] = \{number = \K\1(?=,)'
    shown 1 'direct of 0 entries'
    holds 2 'direct of 300 entries' 300 "$same"
    holds 3 'direct of 300 entries' 300 '\[[0-9]+\] = \K[0-9]+'
    holds 4 'direct of 300 entries, growing' 300 "$same"
    holds 5 'direct of 300 entries, shrinking' 300 "$same"
    holds 6 'narrow of 300 entries' 300 "$same"
    holds 7 'tiny of 200 entries' 200 "$pairs"
    holds 8 'wides of 300 entries' 300 "$structs"
    holds 9 'pages of 300 entries' 300 "$structs"
    holds 11 'owned of 300 entries' 300 "$structs"
    holds 12 'seen of 300 entries' 300 '[ {]\K[0-9]+(?=[,}])'
    holds 13 'cached of 200 entries' 200 "$same"
    holds 14 'declared of 300 entries' 300 "$same"
    holds 17 'anchored of 300 entries' 300 "$structs"
    holds 18 'atoms of 300 entries' 300 '[ {]\K[0-9]+(?=[,}])'
    holds 15 'direct of 300 entries' 300 "$same"
    holds 19 'cm_any of 300 entries' 300 "$same"
    holds 20 'cm_any of 300 entries' 300 '[ {]\K[0-9]+(?=[,}])'
    holds 21 'cm_any_anchored of 300 entries' 300 "$same"
    shown 22 'cm_any of 1 entry = {["apples"] = {0x61, 0x62, 0x63}}'
    holds 23 'locked of 300 entries' 300 "$structs"
    local text
    for text in '["apples \"red\""] = 3' '[""] = 4' '["a text that is far' 'is the end of it"] = 5'; do
        grep '^\$10 = words of 3 entries' "$work/output" | grep -qF "$text" || { echo "$how: no $text" && failed=1; }
    done
    grep -qE '^\$16 = direct of 300 entries = \{(\[[0-9]+\] = [0-9]+(, |\.\.\.)){3}\}$' "$work/output" ||
        { echo "$how: print elements is not heeded" && failed=1; }
    ((failed == 0)) || cut -c1-300 "$work/output"
}

examine "$CC" -std=c11 -O2
examine "$CXX" -std=c++17 -O0 -x c++
exit $failed
