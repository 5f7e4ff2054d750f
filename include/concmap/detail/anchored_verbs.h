/* The typed functions of the anchored map that have no like in the sharded one: those that give out addresses, and
 * those of which one thread at a time may be in the map. */
#ifndef CONCMAP_DETAIL_ANCHORED_VERBS_H
#define CONCMAP_DETAIL_ANCHORED_VERBS_H

#include <concmap/detail/anchored.h>
#include <concmap/detail/batches.h>
#include <concmap/detail/reads.h>
#include <concmap/detail/writes.h>

/* `name` is the map's, or that of a view of it; Map is the map's type. */
#define CM_ANCHORED_READS_(how, name, Map, Key, Value)                                                                 \
    CM_HASHES_(how, name, Map, Key)                                                                                    \
    CM_HIDDEN_(                                                                                                        \
        how, static __attribute__((noinline, unused)) char *name##_search_(const Map *map, Key key, uint64_t hash) {   \
            return cm_node_search_(&name##_type_, &map->core, &key, hash);                                             \
        })                                                                                                             \
    CM_INNER_(how, char *, name##_node_, (const Map *map, const Key *key, uint64_t hash), {                            \
        struct cm_glance_ glance = cm_node_glance_(&name##_type_, &map->core, key, hash);                              \
        return CM_UNLIKELY(glance.again) ? name##_search_(map, *key, hash) : glance.node;                              \
    })                                                                                                                 \
    CM_INNER_(how, Map##_out_, name##_seek_, (const Map *map, const Key *key, uint64_t hash), {                        \
        cm_map_give_out_(&map->core);                                                                                  \
        char *node = name##_node_(map, key, hash);                                                                     \
        return node ? (Map##_out_)cm_node_value_(&name##_type_, node) : NULL;                                          \
    })                                                                                                                 \
    CM_LOCAL_(how, cm_status, name##_find_,                                                                            \
              (const Map *map, const Key *key, uint64_t hash, Map##_out_ *value, cm_deadline deadline), {              \
                  (void)deadline;                                                                                      \
                  Map##_out_ seen = name##_seek_(map, key, hash);                                                      \
                  if (seen && value)                                                                                   \
                      *value = seen;                                                                                   \
                  return seen ? CM_OK : CM_ABSENT;                                                                     \
              })                                                                                                       \
    /* Where the key's value is, or NULL: the map has none. It stays there, and as it is, for as long as the map       \
     * promises (cm_references), whatever is done with the key. Lock-free, wait-free while no growth is under way;     \
     * stores nothing, never allocates. With CM_DOMAIN it joins a thread to the map's domain that is not in it. */     \
    CM_FUNCTION_(how, Map##_out_, name##_get, (const Map *map, Key key),                                               \
                 { return name##_seek_(map, &key, name##_hash_to_read_(map, &key)); })                                 \
    CM_FUNCTION_(how, Map##_out_, name##_get_hashed, (const Map *map, uint64_t hash, Key key),                         \
                 { return name##_seek_(map, &key, hash); })                                                            \
    /* As get; *stored takes where the map's own key is, which stays as long. */                                       \
    CM_FUNCTION_(how, Map##_out_, name##_get_key_value, (const Map *map, Key key, const Map##_key_ **stored), {        \
        cm_map_give_out_(&map->core);                                                                                  \
        char *node = name##_node_(map, &key, name##_hash_to_read_(map, &key));                                         \
        if (!node)                                                                                                     \
            return NULL;                                                                                               \
        *stored = (const Map##_key_ *)(const void *)(node + cm_layout_of_(&name##_type_).node_key);                    \
        return (Map##_out_)cm_node_value_(&name##_type_, node);                                                        \
    })                                                                                                                 \
    /* Whether the map has the key. As get. */                                                                         \
    CM_FUNCTION_(how, bool, name##_contains, (const Map *map, Key key),                                                \
                 { return name##_seek_(map, &key, name##_hash_to_read_(map, &key)) != NULL; })                         \
    CM_FUNCTION_(how, bool, name##_contains_hashed, (const Map *map, uint64_t hash, Key key),                          \
                 { return name##_seek_(map, &key, hash) != NULL; })                                                    \
    CM_INNER_(how, bool, name##_see_, (const Map *map, const Key *key, uint64_t hash, Map##_out_ *seen), {             \
        char *node = name##_node_(map, key, hash);                                                                     \
        *seen = node ? (Map##_out_)cm_node_value_(&name##_type_, node) : NULL;                                         \
        return node != NULL;                                                                                           \
    })                                                                                                                 \
    /* Looks n keys up, fetching ahead where the table is large: seen[i] is what get would give for keys[i]. Returns   \
     * the hits. */                                                                                                    \
    CM_FUNCTION_(how, size_t, name##_get_many, (const Map *map, const Key *keys, size_t n, Map##_out_ *seen), {        \
        size_t hits = 0;                                                                                               \
        cm_map_give_out_(&map->core);                                                                                  \
        CM_BATCH_(&name##_type_, &map->core, i, n, hash, &keys[i], false,                                              \
                  { hits += name##_see_(map, &keys[i], hash, &seen[i]); });                                            \
        return hits;                                                                                                   \
    })

#define CM_ANCHORED_MAKES_(how, name, Key, Value)                                                                      \
    CM_INNER_(how, cm_status, name##_get_or_insert_with_in_,                                                           \
              (name * map, uint64_t hash, Key key, cm_status(*make)(Value *, void *), void *context,                   \
               name##_out_ *value, cm_deadline deadline),                                                              \
              {                                                                                                        \
                  if (name##_find_(map, &key, hash, value, deadline) == CM_OK)                                         \
                      return CM_EXISTS;                                                                                \
                  struct name##_call_ call = {make, context};                                                          \
                  Value made;                                                                                          \
                  void *at = NULL;                                                                                     \
                  cm_status status =                                                                                   \
                      cm_map_make_(&map->core, &name##_type_, &key, hash, name##_run_, &call, &made, &at, deadline);   \
                  if (value && status >= 0)                                                                            \
                      *value = (name##_out_)at;                                                                        \
                  return status;                                                                                       \
              })                                                                                                       \
    /* As get_or_insert, with a value that `make` fills in, only if the key is absent; if it returns less than 0       \
     * nothing is added, and that is the result. No lock is held meanwhile: others who come for the key with           \
     * get_or_insert_with wait, and if `make` fails, one of them makes it; whoever puts or inserts it does not, and    \
     * wins. `make` may use the map; for the same key that is CM_DEADLOCK. */                                          \
    CM_KEYED_(how, name, name, Key, get_or_insert_with,                                                                \
              (, cm_status(*make)(Value *, void *), void *context, name##_out_ *value), (, make, context, value))      \
    CM_INNER_(how, cm_status, name##_replace_in_,                                                                      \
              (name * map, uint64_t hash, Key key, Value value, name##_out_ * old, cm_deadline deadline), {            \
                  return name##_write_(map, &key, hash, CM_ABSENT_FAIL_, CM_PRESENT_REPLACE_, &value, NULL, NULL, old, \
                                       NULL, deadline);                                                                \
              })                                                                                                       \
    /* Sets the key's value if it is present: CM_REPLACED, and `old` (may be NULL) takes where the old value is, which \
     * stays as references do; or CM_ABSENT, and the value is destroyed. CM_NOMEM. */                                  \
    CM_KEYED_(how, name, name, Key, replace, (, Value value, name##_out_ * old), (, value, old))

/* Calls that nobody else may be in the map for, and no other reference be in use, unless it is said. */
#define CM_ANCHORED_ALONE_(how, name, Key, Value)                                                                      \
    /* The key's value, to be changed; NULL: it is absent. */                                                          \
    CM_FUNCTION_(how, Value *, name##_get_mut, (name * map, Key key),                                                  \
                 { return (Value *)(uintptr_t)name##_seek_(map, &key, name##_hash_to_read_(map, &key)); })             \
    /* Runs the function on the key's value, in place. Returns what it returned, or CM_ABSENT. */                      \
    CM_FUNCTION_(how, cm_status, name##_modify,                                                                        \
                 (name * map, Key key, cm_status(*function)(Value *, void *), void *context), {                        \
                     Value *value = name##_get_mut(map, key);                                                          \
                     return value ? function(value, context) : CM_ABSENT;                                              \
                 })                                                                                                    \
    /* Removes the key; *value takes its value, which is the caller's then. CM_OK, CM_ABSENT, CM_NOMEM. */             \
    CM_FUNCTION_(how, cm_status, name##_remove_entry, (name * map, Key key, Value * value),                            \
                 { return cm_map_take_(&map->core, &name##_type_, &key, name##_hash_of_(map, &key), value); })         \
    /* What may be in the map for a key, or may be put there. */                                                       \
    CM_SHOWN_(                                                                                                         \
        how, typedef struct name##_entry_ref {                                                                         \
            name *map;                                                                                                 \
            Key key;                                                                                                   \
            Value *value; /* NULL: it is vacant */                                                                     \
        } name##_entry_ref;)                                                                                           \
    /* Looks the key up; valid until anything else is done with it. */                                                 \
    CM_FUNCTION_(how, name##_entry_ref, name##_entry, (name * map, Key key), {                                         \
        name##_entry_ref entry;                                                                                        \
        entry.map = map;                                                                                               \
        memcpy((void *)&entry.key, &key, sizeof key);                                                                  \
        entry.value = name##_get_mut(map, key);                                                                        \
        return entry;                                                                                                  \
    })                                                                                                                 \
    /* Sets the value of an entry: where it is then, or NULL: no memory. */                                            \
    CM_FUNCTION_(how, Value *, name##_entry_insert, (name##_entry_ref * entry, Value value), {                         \
        if (name##_put(entry->map, entry->key, value, NULL) >= 0)                                                      \
            entry->value = name##_get_mut(entry->map, entry->key);                                                     \
        else                                                                                                           \
            return NULL;                                                                                               \
        return entry->value;                                                                                           \
    })                                                                                                                 \
    /* Removes the entry's key, as remove_entry. */                                                                    \
    CM_FUNCTION_(how, cm_status, name##_entry_remove, (name##_entry_ref * entry, Value * value), {                     \
        entry->value = NULL;                                                                                           \
        return name##_remove_entry(entry->map, entry->key, value);                                                     \
    })                                                                                                                 \
    /* Removes everything, and gives back what was kept: the values are destroyed. CM_DEADLOCK: the calling thread is  \
     * in a call on the map. O(buckets). */                                                                            \
    CM_FUNCTION_(how, cm_status, name##_clear, (name * map), {                                                         \
        CM_CALLED_();                                                                                                  \
        return cm_map_clear_all_(&map->core, &name##_type_);                                                           \
    })                                                                                                                 \
    /* Makes the table as small as its entries allow, and gives back what was kept. CM_NOMEM, CM_BUSY. O(buckets). */  \
    CM_FUNCTION_(how, cm_status, name##_shrink_to_fit, (name * map), {                                                 \
        cm_status status = cm_map_shrink_to_fit_(&map->core, &name##_type_);                                           \
        if (status >= 0)                                                                                               \
            cm_map_release_kept_(&map->core);                                                                          \
        return status;                                                                                                 \
    })

#endif
