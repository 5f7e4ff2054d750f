/* The functions of a typed map that copies values out, made of those of an anchored one that gives out their addresses:
 * so the suite of all maps runs on it. */
#ifndef CONCMAP_TESTS_ANCHORED_ADAPTER_H
#define CONCMAP_TESTS_ANCHORED_ADAPTER_H

#include <concmap/anchored.h>
#include <concmap/saved.h>
#include <stdlib.h>

/* A function that is the same. */
#define ANCHORED_SAME(Result, name, verb, parameters, arguments)                                                       \
    static Result name##_##verb parameters                                                                             \
    {                                                                                                                  \
        return name##_real_##verb arguments;                                                                           \
    }

/* One whose last parameter takes a value. */
#define ANCHORED_COPIED(name, verb, parameters, arguments)                                                             \
    static cm_status name##_##verb parameters                                                                          \
    {                                                                                                                  \
        name##_real_out_ at = NULL;                                                                                    \
        cm_status status = name##_real_##verb arguments;                                                               \
        if (value && at)                                                                                               \
            *value = *at;                                                                                              \
        return status;                                                                                                 \
    }

/* `name`, of the anchored map `name_real`, which can be saved. */
#define ANCHORED_AS(name, Key, Value, ...)                                                                             \
    typedef name##_real name;                                                                                          \
    ANCHORED_SAME(cm_status, name, init, (name * map, const cm_config *config), (map, config))                         \
    ANCHORED_SAME(void, name, destroy, (name * map), (map))                                                            \
    ANCHORED_SAME(size_t, name, len, (const name *map), (map))                                                         \
    ANCHORED_SAME(cm_status, name, check, (const name *map, const char **reason), (map, reason))                       \
    ANCHORED_SAME(cm_status, name, clear, (name * map), (map))                                                         \
    ANCHORED_SAME(cm_status, name, reserve, (name * map, size_t entries), (map, entries))                              \
    ANCHORED_SAME(cm_status, name, settle, (name * map), (map))                                                        \
    ANCHORED_SAME(bool, name, step, (name * map, size_t buckets), (map, buckets))                                      \
    ANCHORED_SAME(cm_memory, name, memory, (const name *map), (map))                                                   \
    ANCHORED_SAME(bool, name, contains, (const name *map, Key key), (map, key))                                        \
    ANCHORED_SAME(cm_status, name, insert, (name * map, Key key, Value value), (map, key, value))                      \
    ANCHORED_SAME(cm_status, name, update,                                                                             \
                  (name * map, Key key, cm_status(*function)(Value *, void *), void *context),                         \
                  (map, key, function, context))                                                                       \
    ANCHORED_SAME(cm_status, name, upsert,                                                                             \
                  (name * map, Key key, Value initial, cm_status(*function)(Value *, void *), void *context),          \
                  (map, key, initial, function, context))                                                              \
    ANCHORED_SAME(cm_status, name, for_each,                                                                           \
                  (const name *map, cm_status (*function)(const Key *, const Value *, void *), void *context),         \
                  (map, function, context))                                                                            \
    ANCHORED_SAME(size_t, name, put_many,                                                                              \
                  (name * map, const Key *keys, const Value *values, size_t n, cm_status *results),                    \
                  (map, keys, values, n, results))                                                                     \
    ANCHORED_SAME(size_t, name, update_many,                                                                           \
                  (name * map, const Key *keys, size_t n, cm_status (*function)(Value *, void *), void *context,       \
                   cm_status *results),                                                                                \
                  (map, keys, n, function, context, results))                                                          \
    ANCHORED_SAME(cm_status, name, save,                                                                               \
                  (const name *map, const cm_sink *sink, const cm_progress *progress, const char **reason),            \
                  (map, sink, progress, reason))                                                                       \
    ANCHORED_SAME(cm_status, name, load,                                                                               \
                  (name * map, const cm_config *config, const cm_source *source, const cm_progress *progress,          \
                   const char **reason),                                                                               \
                  (map, config, source, progress, reason))                                                             \
    static bool name##_get(const name *map, Key key, Value *value)                                                     \
    {                                                                                                                  \
        name##_real_out_ at = name##_real_get(map, key);                                                               \
        if (at && value)                                                                                               \
            *value = *at;                                                                                              \
        return at != NULL;                                                                                             \
    }                                                                                                                  \
    ANCHORED_COPIED(name, put, (name * map, Key key, Value given, Value * value), (map, key, given, &at))              \
    ANCHORED_COPIED(name, remove, (name * map, Key key, Value * value), (map, key, &at))                               \
    ANCHORED_COPIED(name, get_or_insert, (name * map, Key key, Value given, Value * value), (map, key, given, &at))    \
    ANCHORED_COPIED(name, get_or_insert_with,                                                                          \
                    (name * map, Key key, cm_status(*make)(Value *, void *), void *context, Value *value),             \
                    (map, key, make, context, &at))                                                                    \
    ANCHORED_AS_WALK(name, Key, Value)                                                                                 \
    ANCHORED_AS_BATCHES(name, Key, Value)

#define ANCHORED_AS_WALK(name, Key, Value)                                                                             \
    typedef struct name##_iter {                                                                                       \
        name##_real_iter real;                                                                                         \
        Key key;                                                                                                       \
        Value value;                                                                                                   \
    } name##_iter;                                                                                                     \
    static name##_iter name##_iter_begin(const name *map)                                                              \
    {                                                                                                                  \
        name##_iter iter;                                                                                              \
        memset((void *)&iter, 0, sizeof iter);                                                                         \
        iter.real = name##_real_iter_begin(map);                                                                       \
        return iter;                                                                                                   \
    }                                                                                                                  \
    static bool name##_iter_next(name##_iter *iter)                                                                    \
    {                                                                                                                  \
        if (!name##_real_iter_next(&iter->real))                                                                       \
            return false;                                                                                              \
        iter->key = iter->real.key;                                                                                    \
        iter->value = *iter->real.value;                                                                               \
        return true;                                                                                                   \
    }                                                                                                                  \
    static void name##_iter_end(name##_iter *iter)                                                                     \
    {                                                                                                                  \
        name##_real_iter_end(&iter->real);                                                                             \
    }

#define ANCHORED_AS_BATCHES(name, Key, Value)                                                                          \
    static size_t name##_get_many(const name *map, const Key *keys, size_t n, bool *found, Value *values)              \
    {                                                                                                                  \
        name##_real_out_ *seen = calloc(n, sizeof *seen);                                                              \
        size_t hits = name##_real_get_many(map, keys, n, seen);                                                        \
        for (size_t i = 0; i < n; i++) {                                                                               \
            found[i] = seen[i] != NULL;                                                                                \
            if (seen[i])                                                                                               \
                values[i] = *seen[i];                                                                                  \
        }                                                                                                              \
        free(seen);                                                                                                    \
        return hits;                                                                                                   \
    }                                                                                                                  \
    static size_t name##_remove_many(name *map, const Key *keys, size_t n, Value *values, cm_status *results)          \
    {                                                                                                                  \
        name##_real_out_ *old = calloc(n, sizeof *old);                                                                \
        size_t done = name##_real_remove_many(map, keys, n, old, results);                                             \
        for (size_t i = 0; i < n; i++) {                                                                               \
            if (old[i])                                                                                                \
                values[i] = *old[i];                                                                                   \
        }                                                                                                              \
        free(old);                                                                                                     \
        return done;                                                                                                   \
    }                                                                                                                  \
    typedef struct name##_op {                                                                                         \
        cm_op_kind kind;                                                                                               \
        cm_status status;                                                                                              \
        Key key;                                                                                                       \
        Value value;                                                                                                   \
        cm_status (*function)(Value *, void *);                                                                        \
        void *context;                                                                                                 \
    } name##_op;                                                                                                       \
    static size_t name##_apply_many(name *map, name##_op *ops, size_t n)                                               \
    {                                                                                                                  \
        name##_real_op *all = calloc(n, sizeof *all);                                                                  \
        for (size_t i = 0; i < n; i++)                                                                                 \
            all[i] =                                                                                                   \
                (name##_real_op){ops[i].kind, CM_OK, ops[i].key, ops[i].value, NULL, ops[i].function, ops[i].context}; \
        size_t done = name##_real_apply_many(map, all, n);                                                             \
        for (size_t i = 0; i < n; i++) {                                                                               \
            ops[i].status = all[i].status;                                                                             \
            if (all[i].seen)                                                                                           \
                ops[i].value = *all[i].seen;                                                                           \
        }                                                                                                              \
        free(all);                                                                                                     \
        return done;                                                                                                   \
    }

#endif
