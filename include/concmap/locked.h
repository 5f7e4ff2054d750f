/* The locked map: hold one value for as long as it takes, and hold up nobody else.
 *
 *     CM_LOCKED_MAP(accounts, uint64_t, struct account, cm_hash_u64, cm_equal_u64)
 *
 *     accounts_entry *entry;
 *     if (accounts_acquire(&bank, id, (struct account){0}, &entry) == CM_OK) { // find or create
 *         struct account *account = accounts_entry_lock(entry);
 *         settle(account);                                                     // seconds, if need be
 *         accounts_entry_unlock(entry);
 *         accounts_entry_release(entry);
 *     }
 *
 * Entries are counted: acquire and find give out a use, which entry_release gives back. An entry outlives its removal,
 * and any growth, for as long as somebody uses it; its value is destroyed when the last one gives it back. Each has a
 * lock of its own, a mutex and a reader-writer lock in one word (entry_lock, entry_read_lock): so there is no choice to
 * be made for the map. Waiting parks; a thread that asks for an entry that it has locked itself, and a circle of waits,
 * also one through other maps of the library, is CM_DEADLOCK; a thread that ends with a lock leaves CM_OWNER_DIED.
 *
 * There is no lock of the map. A look-up of an entry that exists writes to nothing that is shared but the entry's own
 * count, and get of a plain value not even there. What adds or removes a key locks one bucket for a moment, behind
 * which no code of the user runs. So work on a value keeps nobody waiting but who wants that value: not who adds and
 * removes other keys, nor who removes this one, nor growth.
 *
 * Any thread may call any function at any time, but init and destroy: destroy also wants that no entry is in use. The
 * map's address must not change. Batches stay in the process's pin for up to 1024 keys: they hold memory up while they
 * wait for entries. Keys, owned values, hashes, twins, failures and growth are as of the sharded map (sharded.h). */
#ifndef CONCMAP_LOCKED_H
#define CONCMAP_LOCKED_H

#include <concmap/detail/bulk.h>
#include <concmap/detail/life.h>
#include <concmap/detail/locked_entries.h>
#include <concmap/detail/locked_keys.h>
#include <concmap/hash.h>

/* Makes a map type, with all its functions in this file. */
#define CM_LOCKED_MAP(name, Key, Value, hash_function, equal_function)                                                 \
    CM_LOCKED_MAP_OWNED(name, Key, Value, hash_function, equal_function, CM_PLAIN, CM_PLAIN)

/* The same with keys or values that own memory, or count references: see type.h. */
#define CM_LOCKED_MAP_OWNED(name, Key, Value, hash_function, equal_function, key_owner, value_owner)                   \
    CM_LOCKED_TYPE_(cm_inline, name, Key, Value, hash_function, equal_function, key_owner, value_owner)                \
    CM_LOCKED_FUNCTIONS_(cm_inline, name, name##_key_, name##_value_)

/* The same for a type that many files use: DECLARE in a header, and DEFINE in one C file that includes it. */
#define CM_LOCKED_MAP_DECLARE(name, Key, Value)                                                                        \
    CM_LOCKED_TYPE_(cm_declare, name, Key, Value, unused_, unused_, CM_PLAIN, CM_PLAIN)                                \
    CM_LOCKED_FUNCTIONS_(cm_declare, name, name##_key_, name##_value_)

#define CM_LOCKED_MAP_DEFINE(name, Key, Value, hash_function, equal_function)                                          \
    CM_LOCKED_MAP_DEFINE_OWNED(name, Key, Value, hash_function, equal_function, CM_PLAIN, CM_PLAIN)

#define CM_LOCKED_MAP_DEFINE_OWNED(name, Key, Value, hash_function, equal_function, key_owner, value_owner)            \
    CM_LOCKED_TYPE_(cm_define, name, Key, Value, hash_function, equal_function, key_owner, value_owner)                \
    CM_LOCKED_FUNCTIONS_(cm_define, name, name##_key_, name##_value_)

/* To the bucket table the value is the whole entry. */
#define CM_LOCKED_TYPE_(how, name, Key, Value, hash_function, equal_function, key_owner, value_owner)                  \
    CM_SHOWN_(                                                                                                         \
        how, typedef struct name { struct cm_map_ core; } name; typedef Key name##_key_; typedef Value name##_value_;  \
        typedef Value name##_out_; typedef struct name##_entry {                                                       \
            struct cm_locked_ core;                                                                                    \
            name##_value_ value; /* for who has the lock */                                                            \
        } name##_entry;)                                                                                               \
    CM_INNER_(how, cm_status, name##_value_dup_, (name##_value_ * to, const name##_value_ *from, void *context),       \
              { return CM_OWNER_CLONE_ value_owner(to, from, context); })                                              \
    CM_INNER_(how, void, name##_value_end_, (name##_value_ * value, void *context),                                    \
              { CM_OWNER_DESTROY_ value_owner(value, context); })                                                      \
    CM_INNER_(how, cm_status, name##_entry_dup_, (name##_entry * to, const name##_entry *from, void *context),         \
              { return name##_value_dup_(&to->value, &from->value, context); })                                        \
    CM_INNER_(how, void, name##_entry_drop_, (name##_entry * entry, void *context),                                    \
              { name##_value_end_(&entry->value, context); })                                                          \
    /* To whoever has copies only it is the value. */                                                                  \
    CM_ADAPTORS_(how, name##_content, name##_key_, name##_value_, hash_function, equal_function, key_owner,            \
                 value_owner, CM_NO_CACHE_)                                                                            \
    CM_HIDDEN_(how, __attribute__((unused)) CM_DESCRIPTOR_(name##_content, name##_content, name##_key_, name##_value_, \
                                                           false, false, false, NULL))                                 \
    CM_BUCKETED_TYPE_(how, name, name##_key_, name##_entry, hash_function, equal_function, key_owner,                  \
                      (name##_entry_dup_, name##_entry_drop_, CM_OWNER_IS_ value_owner), CM_NO_CACHE_, CM_COUNTED_)

#define CM_LOCKED_FUNCTIONS_(how, name, Key, Value)                                                                    \
    CM_LIFE_(how, name)                                                                                                \
    CM_INNER_(how, cm_status, name##_clear_in_, (name * map, cm_deadline deadline),                                    \
              { return cm_locked_clear_(&name##_type_, &map->core, deadline); })                                       \
    /* Removes every entry that is there from beginning to end, as remove does: it waits for none of them. What was    \
     * removed before a failure (CM_NOMEM) stays removed. O(buckets). */                                               \
    CM_TWINS_(how, name, clear, (name * map), (map))                                                                   \
    /* As of the sharded map. */                                                                                       \
    CM_FUNCTION_(how, cm_status, name##_shrink_to_fit, (name * map),                                                   \
                 { return cm_map_shrink_to_fit_(&map->core, &name##_type_); })                                         \
    CM_LOCKED_ENTRIES_(how, name, Key, Value)                                                                          \
    CM_LOCKED_KEYS_(how, name, Key, Value)                                                                             \
    CM_LOCKED_COPY_(how, name, Key, Value)

#define CM_LOCKED_COPY_(how, name, Key, Value)                                                                         \
    /* Values of `from` are copied under their entries' locks, those of `into` changed under theirs: both are waited   \
     * for, never one with the other. */                                                                               \
    CM_MERGES_(how, name, Key, Value)                                                                                  \
    /* Makes `to`, which is not initialised, a copy of `from`, with its options and with entries of its own. Each      \
     * value is copied under its entry's lock, for which it waits; others may use `from`: keys present throughout are  \
     * copied. On a failure there is no `to`: CM_NOMEM, CM_OWNER_DIED, CM_DEADLOCK. O(buckets). */                     \
    CM_TWINS_(how, name, clone, (name * to, const struct name *from), (to, from))

#endif
