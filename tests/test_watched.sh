#!/usr/bin/env bash
# A user's own program that uses the library rightly is silent under the thread sanitizer and under helgrind, although the
# library itself is not built for either.
set -euo pipefail
[[ -z $CONCMAP_SANITIZE ]] || exit 77
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/program.c" <<'END'
#include <concmap/sharded.h>
#include <pthread.h>
struct page {
    uint64_t words[20];
};
CM_SHARDED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_SHARDED_MAP(pages, uint64_t, struct page, cm_hash_u64, cm_equal_u64)
CM_SHARDED_MAP(words, cm_str, uint64_t, cm_hash_str, cm_equal_str)
static nums map;
static pages nodes;
static words texts;
static cm_status add(uint64_t *value, void *context)
{
    (void)context;
    ++*value;
    return CM_OK;
}
static void *work(void *context)
{
    (void)context;
    for (uint64_t i = 0; i < 4000; i++) {
        uint64_t value;
        struct page page = {{i}};
        char name[2] = {(char)('a' + i % 20), 0};
        nums_upsert(&map, i % 500, 1, add, NULL);
        nums_get(&map, i % 700, &value);
        pages_put(&nodes, i % 50, page, NULL);
        pages_get(&nodes, i % 60, &page);
        words_upsert(&texts, cm_str_of(name), 1, add, NULL);
        words_get(&texts, cm_str_of(name), &value);
        if (i % 7 == 0) {
            nums_remove(&map, i % 500, NULL);
            pages_remove(&nodes, i % 50, NULL);
            words_remove(&texts, cm_str_of(name), NULL);
        }
    }
    return NULL;
}
int main(void)
{
    pthread_t threads[4];
    nums_init(&map, NULL);
    pages_init(&nodes, NULL);
    words_init(&texts, NULL);
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, work, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    nums_destroy(&map);
    pages_destroy(&nodes);
    words_destroy(&texts);
    return 0;
}
END

compile() {
    "$CC" -std=c11 -g -O1 "$@" -I"$CONCMAP_SOURCE/include" "$work/program.c" "$CONCMAP_BUILD/libconcmap.a" -lpthread \
        -o "$work/program"
}

if compile -fsanitize=thread 2>/dev/null; then
    TSAN_OPTIONS=exitcode=66 setarch -R "$work/program"
else
    echo "no thread sanitizer for $CC: not tried"
fi
compile -Wl,--strip-debug # valgrind does not read every compiler's debug information
# glibc's timed wait signals its own condition, which helgrind takes for the caller's doing.
cat >"$work/suppressions" <<'END'
{
   glibc
   Helgrind:Misc
   ...
   fun:pthread_cond_timedwait*
}
END
valgrind --quiet --tool=helgrind --suppressions="$work/suppressions" --error-exitcode=67 "$work/program"
