/* How the typed functions of a map are made: all of them in each file that asks for the map, or declared in a header
 * and defined in one file.
 *
 * The macros of a map pass `how` on: cm_inline, cm_declare or cm_define; for functions of the library itself, whose
 * type is known at run time, cm_export in a header and cm_dynamic in the C file. Hidden functions take the hash that a
 * public one has got, as VERB_in_(map, hash, key, ..., deadline). */
#ifndef CONCMAP_DETAIL_TYPED_H
#define CONCMAP_DETAIL_TYPED_H

#include <concmap/checked.h>
#include <concmap/deadline.h>
#include <concmap/type.h>

/* A public function, with its body. */
#define CM_FUNCTION_(how, Result, name, parameters, ...) CM_FUNCTION_##how(Result, name, parameters, __VA_ARGS__)
#define CM_FUNCTION_cm_inline(Result, name, parameters, ...) CM_TYPED Result name parameters __VA_ARGS__
#define CM_FUNCTION_cm_declare(Result, name, parameters, ...) CM_EXTERN_C_ Result name parameters;
#define CM_FUNCTION_cm_define(Result, name, parameters, ...) Result name parameters __VA_ARGS__
/* A part of another type, which alone is declared, or defined. */
#define CM_FUNCTION_cm_types(Result, name, parameters, ...)
#define CM_FUNCTION_cm_local(Result, name, parameters, ...) CM_TYPED Result name parameters __VA_ARGS__
/* A function of the library itself. */
#define CM_FUNCTION_cm_export(Result, name, parameters, ...) CM_EXTERN_C_ CM_API Result name parameters;
#define CM_FUNCTION_cm_dynamic(Result, name, parameters, ...) Result name parameters __VA_ARGS__
#ifdef __cplusplus
#define CM_EXTERN_C_ extern "C"
#else
#define CM_EXTERN_C_
#endif

/* What stands where the functions are defined only. */
#define CM_HIDDEN_(how, ...) CM_HIDDEN_##how(__VA_ARGS__)
#define CM_HIDDEN_cm_inline(...) __VA_ARGS__
#define CM_HIDDEN_cm_declare(...)
#define CM_HIDDEN_cm_define(...) __VA_ARGS__
#define CM_HIDDEN_cm_types(...)
#define CM_HIDDEN_cm_local(...) __VA_ARGS__
#define CM_HIDDEN_cm_export(...)
#define CM_HIDDEN_cm_dynamic(...) __VA_ARGS__

/* Hidden functions: always inlined, or one copy in the file. */
#define CM_INNER_(how, Result, name, parameters, ...) CM_HIDDEN_##how(CM_INLINE Result name parameters __VA_ARGS__)
#define CM_LOCAL_(how, Result, name, parameters, ...) CM_HIDDEN_##how(CM_TYPED Result name parameters __VA_ARGS__)

/* Whether copies are blanked before they are looked for: compilers that optimise for size do not see that a hit fills
 * them, and warn. */
#ifdef __OPTIMIZE_SIZE__
#define CM_BLANKS_ true
#else
#define CM_BLANKS_ false
#endif

/* For compilers that warn, because they do not see that a status tells whether a caller's pointer was written to. */
#define CM_MAY_FILL_(pointer)                                                                                          \
    do {                                                                                                               \
        if (pointer)                                                                                                   \
            __asm__("" : "+m"(*(pointer)));                                                                            \
    } while (0)

/* What their users must know, too. */
#define CM_SHOWN_(how, ...) CM_SHOWN_##how(__VA_ARGS__)
#define CM_SHOWN_cm_inline(...) __VA_ARGS__
#define CM_SHOWN_cm_declare(...) __VA_ARGS__
#define CM_SHOWN_cm_define(...)
#define CM_SHOWN_cm_types(...) __VA_ARGS__
#define CM_SHOWN_cm_local(...)
#define CM_SHOWN_cm_export(...) __VA_ARGS__
#define CM_SHOWN_cm_dynamic(...)

/* Runs the statement that follows for each entry, in `it.key` and `it.value`: copies, or pointers where the walk is one
 * in place. What may be called meanwhile is said at the iter_begin of each map. */
#define CM_FOREACH(name, map, it) CM_FOREACH_(name, map, it)
#define CM_FOREACH_(name, map, it)                                                                                     \
    for (name##_iter it __attribute__((cleanup(name##_iter_end))) = name##_iter_begin(map); name##_iter_next(&it);)

/* The adaptors that give functions of the type the shape that the generic algorithms call. */
#define CM_ADAPTORS_(how, name, Key, Value, hash_function, equal_function, key_owner, value_owner, cache)              \
    CM_LOCAL_(how, uint64_t, name##_hash_, (const void *key, uint64_t seed),                                           \
              { return hash_function((const Key *)key, seed); })                                                       \
    CM_LOCAL_(how, bool, name##_equal_, (const void *a, const void *b),                                                \
              { return equal_function((const Key *)a, (const Key *)b); })                                              \
    CM_LOCAL_(how, cm_status, name##_key_clone_, (void *to, const void *from, void *context),                          \
              { return CM_OWNER_CLONE_ key_owner((Key *)to, (const Key *)from, context); })                            \
    CM_LOCAL_(how, void, name##_key_destroy_, (void *key, void *context),                                              \
              { CM_OWNER_DESTROY_ key_owner((Key *)key, context); })                                                   \
    CM_LOCAL_(how, cm_status, name##_value_clone_, (void *to, const void *from, void *context),                        \
              { return CM_OWNER_CLONE_ value_owner((Value *)to, (const Value *)from, context); })                      \
    CM_LOCAL_(how, void, name##_value_destroy_, (void *value, void *context),                                          \
              { CM_OWNER_DESTROY_ value_owner((Value *)value, context); })                                             \
    CM_LOCAL_(how, bool, name##_expired_, (const void *value, void *context),                                          \
              { return CM_CACHE_EXPIRED_ cache((const Value *)value, context); })                                      \
    CM_LOCAL_(how, size_t, name##_weigh_, (const void *key, const void *value, void *context),                         \
              { return CM_CACHE_WEIGH_ cache((const Key *)key, (const Value *)value, context); })                      \
    CM_LOCAL_(how, void, name##_evicted_, (const void *key, const void *value, cm_eviction why, void *context),        \
              { CM_CACHE_EVICTED_ cache((const Key *)key, (const Value *)value, why, context); })                      \
    CM_HIDDEN_(how,                                                                                                    \
               enum {name##_key_bitwise_ = CM_IS_BITWISE_(equal_function), name##_key_owned_ = CM_OWNER_IS_ key_owner, \
                     name##_value_owned_ = CM_OWNER_IS_ value_owner, name##_cached_ = CM_CACHE_IS_ cache};)

#define CM_COUNTED_ 2 /* for `anchored`: it is, and counted */

/* The descriptor of a map's type, or of a view of it that looks keys up otherwise. */
#define CM_DESCRIPTOR_(name, Map, Key, Value, bitwise, foreign, anchored, move)                                        \
    static const struct cm_type name##_type_ = {sizeof(Key),                                                           \
                                                CM_ALIGNOF(Key),                                                       \
                                                CM_VALUE_SIZE_(Value),                                                 \
                                                CM_ALIGNOF(Value),                                                     \
                                                bitwise,                                                               \
                                                CM_IS_TEXT_(Key),                                                      \
                                                foreign,                                                               \
                                                Map##_key_owned_ || Map##_value_owned_ || Map##_cached_ || (anchored), \
                                                (anchored) != 0,                                                       \
                                                (anchored) + 0 == CM_COUNTED_,                                         \
                                                name##_hash_,                                                          \
                                                name##_equal_,                                                         \
                                                move,                                                                  \
                                                Map##_key_owned_ ? Map##_key_clone_ : NULL,                            \
                                                Map##_key_owned_ ? Map##_key_destroy_ : NULL,                          \
                                                Map##_value_owned_ ? Map##_value_clone_ : NULL,                        \
                                                Map##_value_owned_ ? Map##_value_destroy_ : NULL,                      \
                                                Map##_cached_,                                                         \
                                                Map##_cached_ ? Map##_expired_ : NULL,                                 \
                                                Map##_cached_ ? Map##_weigh_ : NULL,                                   \
                                                Map##_cached_ ? Map##_evicted_ : NULL,                                 \
                                                0,                                                                     \
                                                NULL,                                                                  \
                                                NULL,                                                                  \
                                                NULL,                                                                  \
                                                NULL,                                                                  \
                                                NULL,                                                                  \
                                                NULL};

/* A call that may wait, and its twins: try_VERB returns CM_BUSY instead of waiting, VERB_until CM_TIMEOUT past its
 * deadline. Any of them returns CM_DEADLOCK where waiting would never end. They are made of name_VERB_in_(...,
 * deadline). */
#define CM_LIST_(...) __VA_ARGS__
#define CM_TWINS_(how, name, verb, parameters, arguments)                                                              \
    CM_TWINS_OF_(how, cm_status, name, verb, parameters, arguments)
#define CM_TWINS_OF_(how, Result, name, verb, parameters, arguments)                                                   \
    CM_FUNCTION_(how, Result, name##_##verb, (CM_LIST_ parameters), {                                                  \
        CM_CALLED_();                                                                                                  \
        return name##_##verb##_in_(CM_LIST_ arguments, CM_FOREVER);                                                    \
    })                                                                                                                 \
    CM_FUNCTION_(how, Result, name##_try_##verb, (CM_LIST_ parameters), {                                              \
        CM_CALLED_();                                                                                                  \
        return name##_##verb##_in_(CM_LIST_ arguments, CM_TRY);                                                        \
    })                                                                                                                 \
    CM_FUNCTION_(how, Result, name##_##verb##_until, (CM_LIST_ parameters, cm_deadline deadline), {                    \
        CM_CALLED_();                                                                                                  \
        return name##_##verb##_in_(CM_LIST_ arguments, deadline);                                                      \
    })

/* The same for a call on one key, and VERB_hashed for callers that have the key's hash already, from name_hash_of() of
 * this map or of one with the same seed; a wrong one is undefined, in a checked build CM_INVALID. `more` and
 * `arguments` begin with a comma, if there are any. */
#define CM_KEYED_(how, name, Map, Key, verb, more, arguments)                                                          \
    CM_FUNCTION_(how, cm_status, name##_##verb, (Map * map, Key key CM_LIST_ more), {                                  \
        CM_CALLED_();                                                                                                  \
        return name##_##verb##_in_(map, name##_hash_of_(map, &key), key CM_LIST_ arguments, CM_FOREVER);               \
    })                                                                                                                 \
    CM_FUNCTION_(how, cm_status, name##_try_##verb, (Map * map, Key key CM_LIST_ more), {                              \
        CM_CALLED_();                                                                                                  \
        return name##_##verb##_in_(map, name##_hash_of_(map, &key), key CM_LIST_ arguments, CM_TRY);                   \
    })                                                                                                                 \
    CM_FUNCTION_(how, cm_status, name##_##verb##_until, (Map * map, Key key CM_LIST_ more, cm_deadline deadline), {    \
        CM_CALLED_();                                                                                                  \
        return name##_##verb##_in_(map, name##_hash_of_(map, &key), key CM_LIST_ arguments, deadline);                 \
    })                                                                                                                 \
    CM_FUNCTION_(how, cm_status, name##_##verb##_hashed, (Map * map, uint64_t hash, Key key CM_LIST_ more), {          \
        CM_CALLED_();                                                                                                  \
        return CM_CHECKED && hash != name##_hash_of_(map, &key)                                                        \
                   ? CM_INVALID                                                                                        \
                   : name##_##verb##_in_(map, hash, key CM_LIST_ arguments, CM_FOREVER);                               \
    })

#endif
