/* The functions of a typed map, made of those of the dynamic one: so the suite of all maps runs on it. */
#ifndef CONCMAP_TESTS_ANY_ADAPTER_H
#define CONCMAP_TESTS_ANY_ADAPTER_H

#include <concmap/any.h>
#include <stdlib.h>

/* `fill(struct cm_type *)` makes the type. */
#define ANY_AS(name, Key, Value, fill)                                                                                 \
    typedef cm_any name;                                                                                               \
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
        cm_status status = cm_any_init(map, &type, config);                                                            \
        memset(&type, 0xa5, sizeof type); /* the map has its own */                                                    \
        return status;                                                                                                 \
    }                                                                                                                  \
    static void name##_destroy(name *map)                                                                              \
    {                                                                                                                  \
        cm_any_destroy(map);                                                                                           \
    }                                                                                                                  \
    static size_t name##_len(const name *map)                                                                          \
    {                                                                                                                  \
        return cm_any_len(map);                                                                                        \
    }                                                                                                                  \
    static cm_status name##_check(const name *map, const char **reason)                                                \
    {                                                                                                                  \
        return cm_any_check(map, reason);                                                                              \
    }                                                                                                                  \
    static cm_status name##_clear(name *map)                                                                           \
    {                                                                                                                  \
        return cm_any_clear(map);                                                                                      \
    }                                                                                                                  \
    static cm_status name##_reserve(name *map, size_t entries)                                                         \
    {                                                                                                                  \
        return cm_any_reserve(map, entries);                                                                           \
    }                                                                                                                  \
    static cm_status name##_settle(name *map)                                                                          \
    {                                                                                                                  \
        return cm_any_settle(map);                                                                                     \
    }                                                                                                                  \
    static bool name##_step(name *map, size_t buckets)                                                                 \
    {                                                                                                                  \
        return cm_any_step(map, buckets);                                                                              \
    }                                                                                                                  \
    static cm_memory name##_memory(const name *map)                                                                    \
    {                                                                                                                  \
        return cm_any_memory(map);                                                                                     \
    }                                                                                                                  \
    static bool name##_get(const name *map, Key key, Value *value)                                                     \
    {                                                                                                                  \
        return cm_any_get(map, &key, value);                                                                           \
    }                                                                                                                  \
    static bool name##_contains(const name *map, Key key)                                                              \
    {                                                                                                                  \
        return cm_any_contains(map, &key);                                                                             \
    }                                                                                                                  \
    static cm_status name##_insert(name *map, Key key, Value value)                                                    \
    {                                                                                                                  \
        return cm_any_insert(map, &key, &value);                                                                       \
    }                                                                                                                  \
    static cm_status name##_put(name *map, Key key, Value value, Value *old)                                           \
    {                                                                                                                  \
        return cm_any_put(map, &key, &value, old);                                                                     \
    }                                                                                                                  \
    static cm_status name##_remove(name *map, Key key, Value *old)                                                     \
    {                                                                                                                  \
        return cm_any_remove(map, &key, old);                                                                          \
    }                                                                                                                  \
    static cm_status name##_update(name *map, Key key, cm_status (*function)(Value *, void *), void *context)          \
    {                                                                                                                  \
        struct name##_call call = {function, NULL, context};                                                           \
        return cm_any_update(map, &key, name##_call, &call);                                                           \
    }                                                                                                                  \
    static cm_status name##_upsert(name *map, Key key, Value initial, cm_status (*function)(Value *, void *),          \
                                   void *context)                                                                      \
    {                                                                                                                  \
        struct name##_call call = {function, NULL, context};                                                           \
        return cm_any_upsert(map, &key, &initial, name##_call, &call);                                                 \
    }                                                                                                                  \
    static cm_status name##_get_or_insert(name *map, Key key, Value initial, Value *value)                             \
    {                                                                                                                  \
        return cm_any_get_or_insert(map, &key, &initial, value);                                                       \
    }                                                                                                                  \
    static cm_status name##_get_or_insert_with(name *map, Key key, cm_status (*make)(Value *, void *), void *context,  \
                                               Value *value)                                                           \
    {                                                                                                                  \
        struct name##_call call = {make, NULL, context};                                                               \
        return cm_any_get_or_insert_with(map, &key, name##_call, &call, value);                                        \
    }                                                                                                                  \
    static cm_status name##_for_each(const name *map, cm_status (*visit)(const Key *, const Value *, void *),          \
                                     void *context)                                                                    \
    {                                                                                                                  \
        struct name##_call call = {NULL, visit, context};                                                              \
        return cm_any_for_each(map, name##_visit, &call);                                                              \
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
    static size_t name##_put_many(name *map, const Key *keys, const Value *values, size_t n, cm_status *results)       \
    {                                                                                                                  \
        return cm_any_put_many(map, keys, values, n, results);                                                         \
    }                                                                                                                  \
    static size_t name##_update_many(name *map, const Key *keys, size_t n, cm_status (*function)(Value *, void *),     \
                                     void *context, cm_status *results)                                                \
    {                                                                                                                  \
        struct name##_call call = {function, NULL, context};                                                           \
        return cm_any_update_many(map, keys, n, name##_call, &call, results);                                          \
    }                                                                                                                  \
    static size_t name##_remove_many(name *map, const Key *keys, size_t n, Value *old, cm_status *results)             \
    {                                                                                                                  \
        return cm_any_remove_many(map, keys, n, old, results);                                                         \
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

#endif
