/* Typed functions on whole maps, made of walks and of calls on one key: a part of the maps whose header includes this.
 */
#ifndef CONCMAP_DETAIL_BULK_H
#define CONCMAP_DETAIL_BULK_H

#include <concmap/detail/walks.h>
#include <concmap/detail/writes.h>

CM_BEGIN_DECLS

/* An empty map with the options of another, but for the limit. */
CM_API cm_status cm_map_init_like_(struct cm_map_ *map, const struct cm_type *type, const struct cm_map_ *like,
                                   size_t capacity);
/* Limits a map that has none, and that nobody else is in, as another one. */
CM_API void cm_map_limit_like_(struct cm_map_ *map, const struct cm_map_ *like);
CM_API void cm_map_swap_(struct cm_map_ *a, struct cm_map_ *b);

/* Whether the entry of which a function of the user said `said` is to be removed: CM_OK, CM_EXISTS, or its failure. */
CM_INLINE cm_status cm_verdict_(cm_status said, cm_status remove)
{
    return said < 0 ? said : said == remove ? CM_OK : CM_EXISTS;
}

CM_END_DECLS

#define CM_BULK_(how, name, Key, Value)                                                                                \
    CM_HIDDEN_(                                                                                                        \
        how, struct name##_each_ {                                                                                     \
            const Key *key;                                                                                            \
            cm_status (*change)(const Key *, Value *, void *);                                                         \
            cm_status (*judge)(const Key *, const Value *, void *);                                                    \
            cm_status verdict; /* of those that are removed */                                                         \
            void *context;                                                                                             \
        };)                                                                                                            \
    CM_INNER_(how, cm_status, name##_each_change_, (Value * value, void *context), {                                   \
        struct name##_each_ *each = (struct name##_each_ *)context;                                                    \
        return each->change(each->key, value, each->context);                                                          \
    })                                                                                                                 \
    CM_INNER_(how, cm_status, name##_each_judge_, (Value * value, void *context), {                                    \
        struct name##_each_ *each = (struct name##_each_ *)context;                                                    \
        return cm_verdict_(each->judge(each->key, value, each->context), each->verdict);                               \
    })                                                                                                                 \
    CM_INNER_(how, cm_status, name##_alter_all_in_,                                                                    \
              (name * map, cm_status(*function)(const Key *, Value *, void *), void *context, cm_deadline deadline), { \
                  struct name##_each_ each = {NULL, function, NULL, CM_OK, context};                                   \
                  name##_iter iter = name##_iter_begin(map);                                                           \
                  cm_status status = CM_OK;                                                                            \
                  each.key = &iter.key;                                                                                \
                  while (status >= 0 && name##_iter_next_in_(&iter, deadline))                                         \
                      status = name##_update_in_(map, name##_hash_of_(map, &iter.key), iter.key, name##_each_change_,  \
                                                 &each, deadline);                                                     \
                  name##_iter_end(&iter);                                                                              \
                  return status < 0 ? status : iter.status;                                                            \
              })                                                                                                       \
    /* Changes each value, under its lock, as update does; ends where the function returns less than 0. A key present  \
     * throughout is visited once. CM_OK, what the function returned, CM_NOMEM, CM_OWNER_DIED. O(buckets). */          \
    CM_TWINS_(how, name, alter_all, (name * map, cm_status(*function)(const Key *, Value *, void *), void *context),   \
              (map, function, context))                                                                                \
    CM_INNER_(how, cm_status, name##_sift_,                                                                            \
              (name * map, struct name##_each_ * each, cm_status(*take)(const Key *, Value *, void *),                 \
               cm_deadline deadline),                                                                                  \
              {                                                                                                        \
                  name##_iter iter = name##_iter_begin(map);                                                           \
                  cm_status status = CM_OK;                                                                            \
                  each->key = &iter.key;                                                                               \
                  while (status >= 0 && name##_iter_next_in_(&iter, deadline)) {                                       \
                      name##_out_ old;                                                                                 \
                      memset((void *)&old, 0, sizeof old); /* compilers do not see that a removal fills it */          \
                      uint64_t hash = name##_hash_of_(map, &iter.key);                                                 \
                      name##_out_ *taken = take ? &old : NULL;                                                         \
                      status = each->judge ? name##_remove_if_in_(map, hash, iter.key, name##_each_judge_, each,       \
                                                                  taken, deadline)                                     \
                                           : name##_remove_in_(map, hash, iter.key, taken, deadline);                  \
                      if (status == CM_OK && take)                                                                     \
                          status = take(&iter.key, name##_taken_(&old), each->context);                                \
                  }                                                                                                    \
                  name##_iter_end(&iter);                                                                              \
                  return status < 0 ? status : iter.status;                                                            \
              })                                                                                                       \
    CM_INNER_(how, cm_status, name##_retain_in_,                                                                       \
              (name * map, cm_status(*keep)(const Key *, const Value *, void *), void *context, cm_deadline deadline), \
              {                                                                                                        \
                  struct name##_each_ each = {NULL, NULL, keep, CM_ABSENT, context};                                   \
                  return name##_sift_(map, &each, NULL, deadline);                                                     \
              })                                                                                                       \
    /* Removes the entries for which `keep`, run under the lock, returns CM_ABSENT, and keeps those for which it       \
     * returns CM_OK; less than 0 ends it, and that entry stays. As alter_all. */                                      \
    CM_TWINS_(how, name, retain, (name * map, cm_status(*keep)(const Key *, const Value *, void *), void *context),    \
              (map, keep, context))                                                                                    \
    CM_INNER_(how, cm_status, name##_extract_if_in_,                                                                   \
              (name * map, cm_status(*wanted)(const Key *, const Value *, void *),                                     \
               cm_status(*take)(const Key *, Value *, void *), void *context, cm_deadline deadline),                   \
              {                                                                                                        \
                  struct name##_each_ each = {NULL, NULL, wanted, CM_OK, context};                                     \
                  return name##_sift_(map, &each, take, deadline);                                                     \
              })                                                                                                       \
    /* Removes the entries for which `wanted`, run under the lock, returns CM_OK (CM_ABSENT: it stays), and gives each \
     * to `take`, with no lock held; an anchored map only shows it, and keeps it for those who have its address. What  \
     * one of them returns that is less than 0 ends it. As alter_all. */                                               \
    CM_TWINS_(how, name, extract_if,                                                                                   \
              (name * map, cm_status(*wanted)(const Key *, const Value *, void *),                                     \
               cm_status(*take)(const Key *, Value *, void *), void *context),                                         \
              (map, wanted, take, context))                                                                            \
    CM_INNER_(how, cm_status, name##_drain_in_,                                                                        \
              (name * map, cm_status(*take)(const Key *, Value *, void *), void *context, cm_deadline deadline), {     \
                  struct name##_each_ each = {NULL, NULL, NULL, CM_OK, context};                                       \
                  return name##_sift_(map, &each, take, deadline);                                                     \
              })                                                                                                       \
    /* Removes every entry that is there from beginning to end, and gives each to `take`. As extract_if. */            \
    CM_TWINS_(how, name, drain, (name * map, cm_status(*take)(const Key *, Value *, void *), void *context),           \
              (map, take, context))                                                                                    \
    /* A copy of what the walk is at, for `into` to own. */                                                            \
    CM_INNER_(how, cm_status, name##_iter_give_, (name##_iter * iter, const name *into, Value *copy), {                \
        cm_status status = cm_value_copy_(&name##_type_, &into->core, copy, name##_iter_value_(iter));                 \
        return name##_type_.value_clone ? status : CM_OK;                                                              \
    })                                                                                                                 \
    CM_INNER_(how, void, name##_drop_, (const name *map, Value *value),                                                \
              { cm_value_destroy_(&name##_type_, &map->core, value); })                                                \
    CM_MERGES_(how, name, Key, Value)                                                                                  \
    /* Makes `to`, which is not initialised, a copy of `from`, with its options. Others may use `from`: keys present   \
     * throughout are copied, and there may be more than the limit if others write. On a failure (CM_NOMEM) there is   \
     * no `to`. O(buckets). */                                                                                         \
    CM_FUNCTION_(how, cm_status, name##_clone, (name * to, const struct name *from), {                                 \
        CM_CALLED_();                                                                                                  \
        return name##_clone_in_(to, from, CM_FOREVER);                                                                 \
    })                                                                                                                 \
    /* Whether both maps have the same keys, with values that are equal: CM_OK; CM_ABSENT: they have not. Exact while  \
     * nobody writes. CM_NOMEM. O(buckets). */                                                                         \
    CM_FUNCTION_(how, cm_status, name##_equals,                                                                        \
                 (const name *a, const struct name *b, bool (*equal)(const Value *, const Value *)), {                 \
                     CM_CALLED_();                                                                                     \
                     if (name##_len(a) != name##_len(b))                                                               \
                         return CM_ABSENT;                                                                             \
                     name##_iter iter = name##_iter_begin(a);                                                          \
                     bool same = true;                                                                                 \
                     cm_status status = CM_OK;                                                                         \
                     while (same && name##_iter_next(&iter)) {                                                         \
                         status = name##_has_like_(b, &iter.key, name##_iter_value_(&iter), equal);                    \
                         same = status == CM_OK;                                                                       \
                     }                                                                                                 \
                     name##_iter_end(&iter);                                                                           \
                     if (status < 0)                                                                                   \
                         return status;                                                                                \
                     return iter.status < 0 ? iter.status : same ? CM_OK : CM_ABSENT;                                  \
                 })                                                                                                    \
    /* Copies keys and values (either may be NULL) of up to n entries; *count takes how many there were. CM_FULL: more \
     * than n. CM_INVALID: keys of text, and what is owned, belong to the map. CM_NOMEM. O(buckets). */                \
    CM_FUNCTION_(                                                                                                      \
        how, cm_status, name##_to_arrays, (const name *map, Key *keys, Value *values, size_t n, size_t *count), {      \
            CM_CALLED_();                                                                                              \
            *count = 0;                                                                                                \
            if (((name##_type_.key_text || name##_type_.key_clone) && keys) || (name##_type_.value_clone && values))   \
                return CM_INVALID;                                                                                     \
            name##_iter iter = name##_iter_begin(map);                                                                 \
            for (; name##_iter_next(&iter); ++*count) {                                                                \
                if (*count >= n)                                                                                       \
                    continue;                                                                                          \
                if (keys)                                                                                              \
                    memcpy((void *)&keys[*count], &iter.key, sizeof(Key));                                             \
                if (values)                                                                                            \
                    memcpy((void *)&values[*count], name##_iter_value_(&iter), sizeof(Value));                         \
            }                                                                                                          \
            name##_iter_end(&iter);                                                                                    \
            return iter.status < 0 ? iter.status : *count > n ? CM_FULL : CM_OK;                                       \
        })                                                                                                             \
    /* Exchanges what two maps have, options included, also while they grow. Nobody may be in either. O(tables). */    \
    CM_FUNCTION_(how, void, name##_swap, (name * a, struct name * b), { cm_map_swap_(&a->core, &b->core); })           \
    /* Makes `to`, which is not initialised, what `from` is; `from` is empty then. Nobody may be in `from`. CM_NOMEM:  \
     * nothing has changed. O(tables). */                                                                              \
    CM_FUNCTION_(how, cm_status, name##_move, (name * to, struct name * from), {                                       \
        cm_status status = cm_map_init_like_(&to->core, &name##_type_, &from->core, 0);                                \
        if (status == CM_OK) {                                                                                         \
            cm_map_limit_like_(&to->core, &from->core);                                                                \
            cm_map_swap_(&to->core, &from->core);                                                                      \
        }                                                                                                              \
        return status;                                                                                                 \
    })

/* Copies of whole maps, made of walks and of put and upsert. NAME_iter_give_() gives a value to a map that is to own
 * it; NAME_drop_() ends it. */
#define CM_MERGES_(how, name, Key, Value)                                                                              \
    CM_HIDDEN_(                                                                                                        \
        how, struct name##_merge_ {                                                                                    \
            cm_status (*resolve)(Value *, const Value *, void *);                                                      \
            const Value *theirs;                                                                                       \
            void *context;                                                                                             \
        };)                                                                                                            \
    CM_INNER_(how, cm_status, name##_resolve_, (Value * mine, void *context), {                                        \
        struct name##_merge_ *merge = (struct name##_merge_ *)context;                                                 \
        return merge->resolve(mine, merge->theirs, merge->context);                                                    \
    })                                                                                                                 \
    CM_INNER_(how, cm_status, name##_merge_in_,                                                                        \
              (name * into, const struct name *from, cm_status (*resolve)(Value *, const Value *, void *),             \
               void *context, cm_deadline deadline),                                                                   \
              {                                                                                                        \
                  if (into == from)                                                                                    \
                      return CM_INVALID;                                                                               \
                  name##_iter iter = name##_iter_begin(from);                                                          \
                  struct name##_merge_ merge = {resolve, NULL, context};                                               \
                  cm_status status = CM_OK;                                                                            \
                  while (status >= 0 && name##_iter_next_in_(&iter, deadline)) {                                       \
                      uint64_t hash = name##_hash_of_(into, &iter.key);                                                \
                      Value copy;                                                                                      \
                      merge.theirs = name##_iter_value_(&iter);                                                        \
                      status = name##_iter_give_(&iter, into, &copy);                                                  \
                      if (status < 0)                                                                                  \
                          break;                                                                                       \
                      status = resolve                                                                                 \
                                   ? name##_upsert_in_(into, hash, iter.key, copy, name##_resolve_, &merge, deadline)  \
                                   : name##_put_in_(into, hash, iter.key, copy, NULL, deadline);                       \
                      if (status < 0)                                                                                  \
                          name##_drop_(into, &copy);                                                                   \
                  }                                                                                                    \
                  name##_iter_end(&iter);                                                                              \
                  return status < 0 ? status : iter.status;                                                            \
              })                                                                                                       \
    /* Adds copies of the entries of `from`. Where both have a key, resolve(&mine, &theirs, context) changes the value \
     * of `into`, under its lock; NULL: theirs is taken. Ends at the first failure, with what was added until then.    \
     * CM_INVALID: a map into itself. O(buckets of `from`). */                                                         \
    CM_TWINS_(                                                                                                         \
        how, name, merge,                                                                                              \
        (name * into, const struct name *from, cm_status (*resolve)(Value *, const Value *, void *), void *context),   \
        (into, from, resolve, context))                                                                                \
    CM_INNER_(how, cm_status, name##_clone_in_, (name * to, const struct name *from, cm_deadline deadline), {          \
        cm_status status = cm_map_init_like_(&to->core, &name##_type_, &from->core, name##_len(from));                 \
        if (status != CM_OK)                                                                                           \
            return status;                                                                                             \
        status = name##_merge_in_(to, from, NULL, NULL, deadline);                                                     \
        if (status < 0)                                                                                                \
            name##_destroy(to);                                                                                        \
        else                                                                                                           \
            cm_map_limit_like_(&to->core, &from->core);                                                                \
        return status < 0 ? status : CM_OK;                                                                            \
    })

#endif
