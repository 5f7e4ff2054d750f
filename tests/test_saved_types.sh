#!/usr/bin/env bash
# What bytes do not say all about is not saved without a codec: such a program does not compile, in C nor in C++; and one
# that has a codec does.
set -euo pipefail
[[ -z $CONCMAP_SANITIZE ]] || exit 77
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What all programs begin with, which is compiled once, as C and as C++.
mkdir "$work/c" "$work/cxx"
tee "$work/c/maps.h" >"$work/cxx/maps.h" <<'END'
#include <concmap/concmap.h>
struct box { int *number; };
static inline cm_status box_clone(struct box *to, const struct box *from, void *context) { (void)context; *to = *from; return CM_OK; }
static inline void box_destroy(struct box *box, void *context) { (void)box, (void)context; }
static inline cm_status encode(cm_encoder *to, const void *box, void *context) { (void)box, (void)context; return cm_encode_u64(to, 1); }
static inline cm_status decode(void *box, cm_decoder *from, void *context) { uint64_t n; (void)box, (void)context; return cm_decode_u64(from, &n); }
static inline uint64_t box_hash(const struct box *box, uint64_t seed) { return cm_hash_ptr(box, seed); }
static inline bool box_equal(const struct box *a, const struct box *b) { return a->number == b->number; }
CM_SHARDED_MAP(plain, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_SHARDED_MAP(texts, cm_str, uint64_t, cm_hash_str, cm_equal_str)
CM_SHARDED_MAP(by_pointer, void *, int, cm_hash_ptr, cm_equal_ptr)
CM_SHARDED_MAP(to_pointer, uint64_t, const char *, cm_hash_u64, cm_equal_u64)
CM_SHARDED_MAP(to_text, uint64_t, cm_str, cm_hash_u64, cm_equal_u64)
CM_SHARDED_MAP_OWNED(by_owned, struct box, int, box_hash, box_equal, CM_OWNED(box_clone, box_destroy), CM_PLAIN)
CM_LEFTRIGHT_MAP(views, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_LEFTRIGHT_MAP(views_to_pointer, uint64_t, const char *, cm_hash_u64, cm_equal_u64)
CM_LEFTRIGHT_MULTIMAP(bags, cm_str, uint64_t, cm_hash_str, cm_equal_str, cm_hash_u64, cm_equal_u64)
CM_LEFTRIGHT_MULTIMAP(bags_of_texts, uint64_t, cm_str, cm_hash_u64, cm_equal_u64, cm_hash_str, cm_equal_str)
CM_LEFTRIGHT_MULTIMAP_OWNED(bags_of_owned, uint64_t, struct box, cm_hash_u64, cm_equal_u64, box_hash, box_equal, CM_PLAIN, CM_OWNED(box_clone, box_destroy))
CM_SHARDED_MAP_OWNED(to_owned, uint64_t, struct box, cm_hash_u64, cm_equal_u64, CM_PLAIN, CM_OWNED(box_clone, box_destroy))
CM_LOCKED_MAP(locked, uint64_t, const char *, cm_hash_u64, cm_equal_u64)
CM_LOCKED_MAP_OWNED(locked_owned, uint64_t, struct box, cm_hash_u64, cm_equal_u64, CM_PLAIN, CM_OWNED(box_clone, box_destroy))
CM_PARTITIONED_MAP(parted, void *, uint64_t, cm_hash_ptr, cm_equal_ptr)
CM_PARTITIONED_MAP_OWNED(parted_owned, uint64_t, struct box, cm_hash_u64, cm_equal_u64, CM_PLAIN, CM_OWNED(box_clone, box_destroy))
END
# shellcheck disable=SC2206
c=("$CC" -std=c11 -Wall -Wextra -Wno-unused-function -Werror ${CFLAGS-} -I"$CONCMAP_SOURCE/include")
# shellcheck disable=SC2206
cxx=("$CXX" -std=c++17 -Wall -Wextra -Wno-unused-function -Werror ${CXXFLAGS-} -I"$CONCMAP_SOURCE/include")
"${c[@]}" -x c-header "$work/c/maps.h" -o "$work/c/maps.h.gch"
"${cxx[@]}" -x c++-header "$work/cxx/maps.h" -o "$work/cxx/maps.h.gch"

# compiles SAVED...: a program with lines that save the maps.
compiles() {
    printf '%s\n' "$@" 'int main(void) { return 0; }' >"$work/program.c"
    "${c[@]}" -fsyntax-only -include "$work/c/maps.h" "$work/program.c" 2>"$work/c/said" &&
        "${cxx[@]}" -fsyntax-only -include "$work/cxx/maps.h" -x c++ "$work/program.c" 2>"$work/cxx/said"
}

status=0
for saved in 'CM_SAVED(plain, 1)' 'CM_SAVED(texts, 1)' 'CM_SAVED_CODED(by_pointer, 1, CM_CODED(encode, decode), CM_UNCODED)' \
    'CM_SAVED_CODED(to_pointer, 1, CM_UNCODED, CM_CODED(encode, decode))' \
    'CM_SAVED_CODED(to_text, 1, CM_UNCODED, CM_CODED(encode, decode))' \
    'CM_SAVED_CODED(by_owned, 1, CM_CODED(encode, decode), CM_UNCODED)' \
    'CM_SAVED_CODED(to_owned, 1, CM_UNCODED, CM_CODED(encode, decode))' \
    'CM_LEFTRIGHT_SAVED(views, 1)' 'CM_LEFTRIGHT_SAVED_MULTIMAP(bags, 1)' \
    'CM_LEFTRIGHT_SAVED_CODED(views_to_pointer, 1, CM_UNCODED, CM_CODED(encode, decode))' \
    'CM_LEFTRIGHT_SAVED_MULTIMAP_CODED(bags_of_texts, 1, CM_UNCODED, CM_CODED(encode, decode))' \
    'CM_LEFTRIGHT_SAVED_MULTIMAP_CODED(bags_of_owned, 1, CM_UNCODED, CM_CODED(encode, decode))' \
    'CM_LOCKED_SAVED_CODED(locked, 1, CM_UNCODED, CM_CODED(encode, decode))' \
    'CM_LOCKED_SAVED_CODED(locked_owned, 1, CM_UNCODED, CM_CODED(encode, decode))' \
    'CM_PARTITIONED_SAVED_CODED(parted, 1, CM_CODED(encode, decode), CM_UNCODED)' \
    'CM_PARTITIONED_SAVED_CODED(parted_owned, 1, CM_UNCODED, CM_CODED(encode, decode))'; do
    compiles "$saved" || { echo "does not compile: $saved" && cat "$work"/c*/said && status=1; }
done
for saved in 'CM_SAVED(by_pointer, 1)' 'CM_SAVED(to_pointer, 1)' 'CM_SAVED(to_text, 1)' 'CM_SAVED(by_owned, 1)' \
    'CM_LEFTRIGHT_SAVED(views_to_pointer, 1)' 'CM_LEFTRIGHT_SAVED_MULTIMAP(bags_of_texts, 1)' \
    'CM_LEFTRIGHT_SAVED_MULTIMAP(bags_of_owned, 1)' 'CM_SAVED(to_owned, 1)' 'CM_LOCKED_SAVED(locked, 1)' 'CM_LOCKED_SAVED(locked_owned, 1)' 'CM_PARTITIONED_SAVED(parted, 1)' \
    'CM_PARTITIONED_SAVED(parted_owned, 1)' 'CM_SAVED_CODED(texts, 1, CM_CODED(encode, decode), CM_UNCODED)'; do
    ! compiles "$saved" || { echo "compiles: $saved" && status=1; }
    grep -q 'codec' "$work/c/said" || { echo "not for that reason: $saved" && cat "$work/c/said" && status=1; }
done
exit $status
