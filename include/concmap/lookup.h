/* Looking keys up by something of another type that hashes and compares alike.
 *
 *     CM_SHARDED_MAP(users, cm_str, struct user, cm_hash_str, cm_equal_str)
 *     CM_LOOKUP_BY(users_by_path, users, struct path, path_hash, path_is_name)
 *
 * makes functions users_by_path_get(&map, path, &value), ..._contains, ..._update, ..._remove, ..._read, ..._write and
 * so on: all that need a key to be there. The hash takes the map's seed and must give what the map's own gives for the
 * key that it means; the equality is called as equal(const Other *, const Key *), with what is looked up first. */
#ifndef CONCMAP_LOOKUP_H
#define CONCMAP_LOOKUP_H

#include <concmap/detail/anchored_verbs.h>
#include <concmap/detail/guarded.h>
#include <concmap/detail/leftright_reads.h>
#include <concmap/detail/leftright_writes.h>
#include <concmap/detail/locked_keys.h>
#include <concmap/detail/reads.h>
#include <concmap/detail/writes.h>

/* Makes functions whose names begin with `view`, for maps of the type `name`, in this file. */
#define CM_LOOKUP_BY(view, name, Other, hash_function, equal_function)                                                 \
    CM_LOOKUP_TYPE_(view, name, Other, hash_function, equal_function, false)                                           \
    typedef name##_read_guard view##_read_guard;                                                                       \
    typedef name##_write_guard view##_write_guard;                                                                     \
    CM_READS_(cm_inline, view, name, view##_key_, name##_value_)                                                       \
    CM_CHANGES_(cm_inline, view, name, view##_key_, name##_value_)                                                     \
    CM_TAKES_(cm_inline, view, name, view##_key_, name##_value_)                                                       \
    CM_READ_LOCKS_(cm_inline, view, name, view##_key_, name##_value_)                                                  \
    CM_LOCAL_(cm_inline, void, view##_read_end_, (name##_read_guard * guard), { name##_read_unlock(guard); })          \
    CM_INNER_(                                                                                                         \
        cm_inline, cm_status, view##_lock_,                                                                            \
        (name * map, uint64_t hash, view##_key_ key, name##_write_guard * guard, enum cm_purpose_ purpose,             \
         cm_deadline deadline),                                                                                        \
        {                                                                                                              \
            guard->status = cm_entry_write_(&view##_type_, &map->core, &guard->core, &key, hash, purpose, deadline);   \
            guard->value = NULL;                                                                                       \
            if (guard->core.guard.thread) {                                                                            \
                memcpy((void *)&guard->key, cm_guard_key_(&view##_type_, &guard->core.guard), sizeof guard->key);      \
                guard->value = (name##_value_ *)(void *)cm_guard_value_(&view##_type_, &guard->core.guard);            \
            }                                                                                                          \
            return guard->status;                                                                                      \
        })                                                                                                             \
    CM_WRITE_LOCKS_(cm_inline, view, name, view##_key_, name##_value_)                                                 \
    CM_LOCAL_(cm_inline, void, view##_write_end_, (name##_write_guard * guard), { name##_write_unlock(guard); })

/* The same for an anchored map: view_get, ..._contains, ..._get_many, ..._update, ..._remove and so on, which give out
 * addresses as the map does. */
#define CM_ANCHORED_LOOKUP_BY(view, name, Other, hash_function, equal_function)                                        \
    CM_LOOKUP_TYPE_(view, name, Other, hash_function, equal_function, true)                                            \
    CM_ANCHORED_READS_(cm_inline, view, name, view##_key_, name##_value_)                                              \
    CM_CHANGES_(cm_inline, view, name, view##_key_, name##_value_)

/* The same for a locked map: view_find, which gives out entries, view_get, ..._contains, ..._update, ..._update_if,
 * ..._remove, ..._remove_if and ..._remove_when_unused. */
#define CM_LOCKED_LOOKUP_BY(view, name, Other, hash_function, equal_function)                                          \
    CM_LOOKUP_ENTRY_(view, name, Other, name##_entry, hash_function, equal_function, CM_COUNTED_)                      \
    CM_LOCKED_LOOKS_(cm_inline, view, name, view##_key_, name##_value_)

/* The same for a left-right map or set. Of readers: view_get, and of their views view_view_get, ..._view_get_key_value
 * ..._view_contains and ..._get_many, and view_get_many. Of the writer: view_writer_get, ..._writer_contains,
 * ..._update, ..._remove and, of use in maps, ..._take: what it takes is given back to the map. */
#define CM_LEFTRIGHT_LOOKUP_BY(view, name, Other, hash_function, equal_function)                                       \
    CM_LOOKUP_TYPE_(view, name, Other, hash_function, equal_function, false)                                           \
    CM_LEFTRIGHT_LOOKS_(cm_inline, view, name, view##_key_, name##_value_)                                             \
    CM_LEFTRIGHT_FINDS_(cm_inline, view, name, view##_key_)                                                            \
    CM_LEFTRIGHT_GETS_(cm_inline, view, name, view##_key_, name##_key_, name##_value_)                                 \
    CM_LEFTRIGHT_HASHES_(cm_inline, view, name, view##_key_)                                                           \
    CM_LEFTRIGHT_OWN_(cm_inline, view, name, view##_key_, name##_value_)                                               \
    CM_LEFTRIGHT_UPDATES_(cm_inline, view, name, view##_key_, name##_value_)                                           \
    CM_LEFTRIGHT_REMOVES_(cm_inline, view, name, view##_key_, name##_value_)                                           \
    CM_LEFTRIGHT_TAKES_(cm_inline, view, name, view##_key_)

#define CM_LOOKUP_TYPE_(view, name, Other, hash_function, equal_function, anchored)                                    \
    CM_LOOKUP_ENTRY_(view, name, Other, name##_value_, hash_function, equal_function, anchored)

/* Value is what the table has for one. */
#define CM_LOOKUP_ENTRY_(view, name, Other, Value, hash_function, equal_function, anchored)                            \
    typedef Other view##_key_;                                                                                         \
    CM_LOCAL_(cm_inline, uint64_t, view##_hash_, (const void *key, uint64_t seed),                                     \
              { return hash_function((const view##_key_ *)key, seed); })                                               \
    CM_LOCAL_(cm_inline, bool, view##_equal_, (const void *sought, const void *key),                                   \
              { return equal_function((const view##_key_ *)sought, (const name##_key_ *)key); })                       \
    CM_DESCRIPTOR_(view, name, name##_key_, Value, true, true, anchored, NULL)

#endif
