/* The functions of typed maps, made of those of the dynamic ones: so the suite of all maps runs on them. */
#ifndef CONCMAP_TESTS_ANY_ADAPTER_H
#define CONCMAP_TESTS_ANY_ADAPTER_H

#include <concmap/any_anchored.h>
#include <stdlib.h>

#include "anchored_adapter.h"

/* What the functions of either map have in common, but for what they give values out to. `fill(struct cm_type *)` makes
 * the type. */
#define ANY_VERBS(any, name, Key, Value, Out, fill)                                                                    \
    typedef any name;                                                                                                  \
    struct name##_call {                                                                                               \
        cm_status (*function)(Value *, void *);                                                                        \
        cm_status (*visit)(const Key *, const Value *, void *);                                                        \
        void *context;                                                                                                 \
    };                                                                                                                 \
    static cm_status name##_call(void *value, void *context)                                                           \
    {                                                                                                                  \
        const struct name##_call *call = context;                                                                      \
        return call->function(value, call->context);                                                                   \
    }                                                                                                                  \
    static cm_status name##_visit(const void *key, const void *value, void *context)                                   \
    {                                                                                                                  \
        const struct name##_call *call = context;                                                                      \
        return call->visit(key, value, call->context);                                                                 \
    }                                                                                                                  \
    static cm_status name##_init(name *map, const cm_config *config)                                                   \
    {                                                                                                                  \
        struct cm_type type;                                                                                           \
        fill(&type);                                                                                                   \
        cm_status status = any##_init(map, &type, config);                                                             \
        memset(&type, 0xa5, sizeof type); /* the map has its own */                                                    \
        return status;                                                                                                 \
    }                                                                                                                  \
    static void name##_destroy(name *map)                                                                              \
    {                                                                                                                  \
        any##_destroy(map);                                                                                            \
    }                                                                                                                  \
    static size_t name##_len(const name *map)                                                                          \
    {                                                                                                                  \
        return any##_len(map);                                                                                         \
    }                                                                                                                  \
    static cm_status name##_check(const name *map, const char **reason)                                                \
    {                                                                                                                  \
        return any##_check(map, reason);                                                                               \
    }                                                                                                                  \
    static cm_status name##_clear(name *map)                                                                           \
    {                                                                                                                  \
        return any##_clear(map);                                                                                       \
    }                                                                                                                  \
    static cm_status name##_reserve(name *map, size_t entries)                                                         \
    {                                                                                                                  \
        return any##_reserve(map, entries);                                                                            \
    }                                                                                                                  \
    static cm_status name##_settle(name *map)                                                                          \
    {                                                                                                                  \
        return any##_settle(map);                                                                                      \
    }                                                                                                                  \
    static bool name##_step(name *map, size_t buckets)                                                                 \
    {                                                                                                                  \
        return any##_step(map, buckets);                                                                               \
    }                                                                                                                  \
    static cm_memory name##_memory(const name *map)                                                                    \
    {                                                                                                                  \
        return any##_memory(map);                                                                                      \
    }                                                                                                                  \
    static bool name##_contains(const name *map, Key key)                                                              \
    {                                                                                                                  \
        return any##_contains(map, &key);                                                                              \
    }                                                                                                                  \
    static cm_status name##_insert(name *map, Key key, Value value)                                                    \
    {                                                                                                                  \
        return any##_insert(map, &key, &value);                                                                        \
    }                                                                                                                  \
    static cm_status name##_put(name *map, Key key, Value value, Out *old)                                             \
    {                                                                                                                  \
        return any##_put(map, &key, &value, (void *)old);                                                              \
    }                                                                                                                  \
    static cm_status name##_remove(name *map, Key key, Out *old)                                                       \
    {                                                                                                                  \
        return any##_remove(map, &key, (void *)old);                                                                   \
    }                                                                                                                  \
    static cm_status name##_update(name *map, Key key, cm_status (*function)(Value *, void *), void *context)          \
    {                                                                                                                  \
        struct name##_call call = {function, NULL, context};                                                           \
        return any##_update(map, &key, name##_call, &call);                                                            \
    }                                                                                                                  \
    static cm_status name##_upsert(name *map, Key key, Value initial, cm_status (*function)(Value *, void *),          \
                                   void *context)                                                                      \
    {                                                                                                                  \
        struct name##_call call = {function, NULL, context};                                                           \
        return any##_upsert(map, &key, &initial, name##_call, &call);                                                  \
    }                                                                                                                  \
    static cm_status name##_get_or_insert(name *map, Key key, Value initial, Out *value)                               \
    {                                                                                                                  \
        return any##_get_or_insert(map, &key, &initial, (void *)value);                                                \
    }                                                                                                                  \
    static cm_status name##_get_or_insert_with(name *map, Key key, cm_status (*make)(Value *, void *), void *context,  \
                                               Out *value)                                                             \
    {                                                                                                                  \
        struct name##_call call = {make, NULL, context};                                                               \
        return any##_get_or_insert_with(map, &key, name##_call, &call, (void *)value);                                 \
    }                                                                                                                  \
    static cm_status name##_for_each(const name *map, cm_status (*visit)(const Key *, const Value *, void *),          \
                                     void *context)                                                                    \
    {                                                                                                                  \
        struct name##_call call = {NULL, visit, context};                                                              \
        return any##_for_each(map, name##_visit, &call);                                                               \
    }                                                                                                                  \
    static size_t name##_put_many(name *map, const Key *keys, const Value *values, size_t n, cm_status *results)       \
    {                                                                                                                  \
        return any##_put_many(map, keys, values, n, results);                                                          \
    }                                                                                                                  \
    static size_t name##_update_many(name *map, const Key *keys, size_t n, cm_status (*function)(Value *, void *),     \
                                     void *context, cm_status *results)                                                \
    {                                                                                                                  \
        struct name##_call call = {function, NULL, context};                                                           \
        return any##_update_many(map, keys, n, name##_call, &call, results);                                           \
    }                                                                                                                  \
    static size_t name##_remove_many(name *map, const Key *keys, size_t n, Out *old, cm_status *results)               \
    {                                                                                                                  \
        return any##_remove_many(map, keys, n, (void *)old, results);                                                  \
    }                                                                                                                  \
    static cm_status name##_save(const name *map, const cm_sink *sink, const cm_progress *progress,                    \
                                 const char **reason)                                                                  \
    {                                                                                                                  \
        return any##_save(map, sink, progress, reason);                                                                \
    }                                                                                                                  \
    static cm_status name##_load(name *map, const cm_config *config, const cm_source *source,                          \
                                 const cm_progress *progress, const char **reason)                                     \
    {                                                                                                                  \
        struct cm_type type;                                                                                           \
        fill(&type);                                                                                                   \
        return any##_load(map, &type, config, source, progress, reason);                                               \
    }

/* A sharded map. */
#define ANY_AS(name, Key, Value, fill)                                                                                 \
    ANY_VERBS(cm_any, name, Key, Value, Value, fill)                                                                   \
    static bool name##_get(const name *map, Key key, Value *value)                                                     \
    {                                                                                                                  \
        return cm_any_get(map, &key, value);                                                                           \
    }                                                                                                                  \
    typedef struct name##_iter {                                                                                       \
        cm_any_iter any;                                                                                               \
        Key key;                                                                                                       \
        Value value;                                                                                                   \
    } name##_iter;                                                                                                     \
    static name##_iter name##_iter_begin(const name *map)                                                              \
    {                                                                                                                  \
        name##_iter iter;                                                                                              \
        memset((void *)&iter, 0, sizeof iter);                                                                         \
        iter.any = cm_any_iter_begin(map);                                                                             \
        return iter;                                                                                                   \
    }                                                                                                                  \
    static bool name##_iter_next(name##_iter *iter)                                                                    \
    {                                                                                                                  \
        if (!cm_any_iter_next(&iter->any))                                                                             \
            return false;                                                                                              \
        iter->key = *(const Key *)iter->any.key;                                                                       \
        iter->value = *(const Value *)iter->any.value;                                                                 \
        return true;                                                                                                   \
    }                                                                                                                  \
    static void name##_iter_end(name##_iter *iter)                                                                     \
    {                                                                                                                  \
        cm_any_iter_end(&iter->any);                                                                                   \
    }                                                                                                                  \
    static size_t name##_get_many(const name *map, const Key *keys, size_t n, bool *found, Value *values)              \
    {                                                                                                                  \
        return cm_any_get_many(map, keys, n, found, values);                                                           \
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
        cm_any_op *all = calloc(n, sizeof *all);                                                                       \
        struct name##_call *calls = calloc(n, sizeof *calls);                                                          \
        for (size_t i = 0; i < n; i++) {                                                                               \
            calls[i] = (struct name##_call){ops[i].function, NULL, ops[i].context};                                    \
            all[i] = (cm_any_op){ops[i].kind, CM_OK, &ops[i].key, &ops[i].value, name##_call, &calls[i]};              \
        }                                                                                                              \
        size_t done = cm_any_apply_many(map, all, n);                                                                  \
        for (size_t i = 0; i < n; i++)                                                                                 \
            ops[i].status = all[i].status;                                                                             \
        free(calls);                                                                                                   \
        free(all);                                                                                                     \
        return done;                                                                                                   \
    }

/* An anchored one, by the adapter of typed ones. */
#define ANY_ANCHORED_AS(name, Key, Value, fill)                                                                        \
    typedef const Value *name##_real_out_;                                                                             \
    ANY_VERBS(cm_any_anchored, name##_real, Key, Value, name##_real_out_, fill)                                        \
    static const Value *name##_real_get(const name##_real *map, Key key)                                               \
    {                                                                                                                  \
        return cm_any_anchored_get(map, &key);                                                                         \
    }                                                                                                                  \
    typedef struct name##_real_iter {                                                                                  \
        cm_any_anchored_iter any;                                                                                      \
        Key key;                                                                                                       \
        const Value *value;                                                                                            \
    } name##_real_iter;                                                                                                \
    static name##_real_iter name##_real_iter_begin(const name##_real *map)                                             \
    {                                                                                                                  \
        name##_real_iter iter;                                                                                         \
        memset((void *)&iter, 0, sizeof iter);                                                                         \
        iter.any = cm_any_anchored_iter_begin(map);                                                                    \
        return iter;                                                                                                   \
    }                                                                                                                  \
    static bool name##_real_iter_next(name##_real_iter *iter)                                                          \
    {                                                                                                                  \
        if (!cm_any_anchored_iter_next(&iter->any))                                                                    \
            return false;                                                                                              \
        iter->key = *(const Key *)iter->any.key;                                                                       \
        iter->value = iter->any.value;                                                                                 \
        return true;                                                                                                   \
    }                                                                                                                  \
    static void name##_real_iter_end(name##_real_iter *iter)                                                           \
    {                                                                                                                  \
        cm_any_anchored_iter_end(&iter->any);                                                                          \
    }                                                                                                                  \
    static size_t name##_real_get_many(const name##_real *map, const Key *keys, size_t n, const Value **seen)          \
    {                                                                                                                  \
        return cm_any_anchored_get_many(map, keys, n, (void *)seen);                                                   \
    }                                                                                                                  \
    typedef struct name##_real_op {                                                                                    \
        cm_op_kind kind;                                                                                               \
        cm_status status;                                                                                              \
        Key key;                                                                                                       \
        Value value;                                                                                                   \
        const Value *seen;                                                                                             \
        cm_status (*function)(Value *, void *);                                                                        \
        void *context;                                                                                                 \
    } name##_real_op;                                                                                                  \
    static size_t name##_real_apply_many(name##_real *map, name##_real_op *ops, size_t n)                              \
    {                                                                                                                  \
        cm_any_anchored_op *all = calloc(n, sizeof *all);                                                              \
        struct name##_real_call *calls = calloc(n, sizeof *calls);                                                     \
        for (size_t i = 0; i < n; i++) {                                                                               \
            calls[i] = (struct name##_real_call){ops[i].function, NULL, ops[i].context};                               \
            all[i] = (cm_any_anchored_op){ops[i].kind,      CM_OK,    &ops[i].key, &ops[i].value, NULL,                \
                                          name##_real_call, &calls[i]};                                                \
        }                                                                                                              \
        size_t done = cm_any_anchored_apply_many(map, all, n);                                                         \
        for (size_t i = 0; i < n; i++) {                                                                               \
            ops[i].status = all[i].status;                                                                             \
            ops[i].seen = all[i].seen;                                                                                 \
        }                                                                                                              \
        free(calls);                                                                                                   \
        free(all);                                                                                                     \
        return done;                                                                                                   \
    }                                                                                                                  \
    ANCHORED_AS(name, Key, Value)

#endif
