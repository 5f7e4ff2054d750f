/* The left-right multimap: several values for each key, in views as those of the left-right map (leftright.h).
 *
 *     CM_LEFTRIGHT_MULTIMAP(followers, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64, cm_hash_u64, cm_equal_u64)
 *
 * makes types `followers`, `followers_writer`, `followers_reader` and `followers_view`:
 *
 *     followers_insert(&writer, user, other);
 *     followers_publish(&writer);
 *
 *     size_t count;
 *     const followers_view *view = followers_enter(&reader);
 *     const uint64_t *others = followers_view_get(view, user, &count);
 *
 * Readers, writers, publications, waiting and failure are those of the map: see there. `len` counts keys.
 *
 * Values. Those of a key are a bag. They lie one behind the other, so that a reader gets a pointer and a number; in the
 * order in which they were inserted, but that the last one takes the place of one that is removed. Equal ones are
 * several: each insertion adds one, each removal takes one away. One value lies beside its key; more take a room of
 * their own, of 3, 7, 15, 31 values, and from there on with an index of hashes, so that to find or to remove a value
 * takes a step, whatever their number. A key whose last value was removed stays, until remove_entry. Rooms become
 * smaller by fit and fit_all alone. A key has up to 2^32 - 2 values: CM_FULL.
 *
 * Owned values (CM_LEFTRIGHT_MULTIMAP_OWNED) are given to the map by insert and update, and each is destroyed once:
 * when the batch after the one that removed it begins. Values that are cm_str are plain: pointers to text of the
 * caller's. */
#ifndef CONCMAP_LEFTRIGHT_MULTIMAP_H
#define CONCMAP_LEFTRIGHT_MULTIMAP_H

#include <concmap/detail/multimap_verbs.h>
#include <concmap/hash.h>
#include <concmap/leftright.h>

/* Makes a multimap type, with all its functions in this file. */
#define CM_LEFTRIGHT_MULTIMAP(name, Key, Value, hash_function, equal_function, value_hash, value_equal)                \
    CM_LEFTRIGHT_MULTIMAP_OWNED(name, Key, Value, hash_function, equal_function, value_hash, value_equal, CM_PLAIN,    \
                                CM_PLAIN)

/* The same with keys or values that own memory, or count references: each owner is CM_PLAIN or CM_OWNED(clone,
 * destroy), see type.h. Values are cloned only by get_one. */
#define CM_LEFTRIGHT_MULTIMAP_OWNED(name, Key, Value, hash_function, equal_function, value_hash, value_equal,          \
                                    key_owner, value_owner)                                                            \
    CM_MULTIMAP_TYPE_(cm_inline, name, Key, Value, hash_function, equal_function, value_hash, value_equal, key_owner,  \
                      value_owner)                                                                                     \
    CM_MULTIMAP_FUNCTIONS_(cm_inline, name, name##_key_, name##_one_)

/* The same for a type that many files use: DECLARE in a header, and DEFINE in one C file that includes it. The calls
 * are functions of that file then, and not inlined in others. */
#define CM_LEFTRIGHT_MULTIMAP_DECLARE(name, Key, Value)                                                                \
    CM_MULTIMAP_TYPE_(cm_declare, name, Key, Value, unused_, unused_, unused_, unused_, CM_PLAIN, CM_PLAIN)            \
    CM_MULTIMAP_FUNCTIONS_(cm_declare, name, name##_key_, name##_one_)
#define CM_LEFTRIGHT_MULTIMAP_DEFINE(name, Key, Value, hash_function, equal_function, value_hash, value_equal)         \
    CM_LEFTRIGHT_MULTIMAP_DEFINE_OWNED(name, Key, Value, hash_function, equal_function, value_hash, value_equal,       \
                                       CM_PLAIN, CM_PLAIN)
#define CM_LEFTRIGHT_MULTIMAP_DEFINE_OWNED(name, Key, Value, hash_function, equal_function, value_hash, value_equal,   \
                                           key_owner, value_owner)                                                     \
    CM_MULTIMAP_TYPE_(cm_define, name, Key, Value, hash_function, equal_function, value_hash, value_equal, key_owner,  \
                      value_owner)                                                                                     \
    CM_MULTIMAP_FUNCTIONS_(cm_define, name, name##_key_, name##_one_)

/* The map's values are bags, as struct cm_bag_ and cm_bag_one_() have them; what they hold are keys of a set. */
#define CM_MULTIMAP_TYPE_(how, name, Key, Value, hash_function, equal_function, value_hash, value_equal, key_owner,    \
                          value_owner)                                                                                 \
    CM_LEFTRIGHT_HANDLES_(how, name)                                                                                   \
    CM_SHOWN_(                                                                                                         \
        how, typedef Key name##_key_; typedef Value name##_one_; typedef struct name##_bag_ {                          \
            struct cm_bag_room_ *room;                                                                                 \
            uint32_t len;                                                                                              \
            name##_one_ one;                                                                                           \
        } name##_bag_;)                                                                                                \
    CM_LEFTRIGHT_TAKEN_TYPE_(how, name, name##_one_)                                                                   \
    CM_ADAPTORS_(how, name##_bag, name##_one_, cm_nothing, value_hash, value_equal, value_owner, CM_PLAIN,             \
                 CM_NO_CACHE_)                                                                                         \
    CM_HIDDEN_(how, CM_DESCRIPTOR_(name##_bag, name##_bag, name##_one_, cm_nothing, name##_bag_key_bitwise_, false,    \
                                   false, NULL))                                                                       \
    CM_LOCAL_(how, void, name##_bag_end_, (name##_bag_ * bag, void *context),                                          \
              { cm_bag_end_(&name##_bag_type_, (struct cm_bag_ *)(void *)bag, context); })                             \
    CM_ADAPTORS_(how, name, name##_key_, name##_bag_, hash_function, equal_function, key_owner,                        \
                 CM_OWNED(cm_plain_clone_, name##_bag_end_), CM_NO_CACHE_)                                             \
    CM_HIDDEN_(how, CM_DESCRIPTOR_(name, name, name##_key_, name##_bag_, name##_key_bitwise_, false, false, NULL))

#define CM_MULTIMAP_FUNCTIONS_(how, name, Key, Value)                                                                  \
    CM_LEFTRIGHT_LOG_(how, name, name##_bag_)                                                                          \
    CM_LEFTRIGHT_INIT_(how, name,                                                                                      \
                       cm_multimap_init_(&map->core, &name##_type_, &name##_bag_type_, config, CM_LEFTRIGHT_VERSION_,  \
                                         sizeof(struct cm_leftright_)))                                                \
    CM_LEFTRIGHT_LIFE_(how, name)                                                                                      \
    CM_LEFTRIGHT_READERS_(how, name)                                                                                   \
    CM_LEFTRIGHT_FINDS_(how, name, name, Key)                                                                          \
    CM_LEFTRIGHT_VIEWS_(how, name)                                                                                     \
    CM_MULTIMAP_VIEWS_(how, name, Key, Value)                                                                          \
    CM_MULTIMAP_WALKS_(how, name, Key, Value)                                                                          \
    CM_LEFTRIGHT_WRITER_(how, name)                                                                                    \
    CM_LEFTRIGHT_OWN_KEYS_(how, name, Key)                                                                             \
    CM_MULTIMAP_GETS_(how, name, Key, Value)                                                                           \
    CM_LEFTRIGHT_TAKEN_(how, name,                                                                                     \
                        cm_multimap_give_back_(writer->core, &name##_type_, taken->published, (void *)&taken->value),  \
                        name##_bag_type_.key_destroy, &taken->value)                                                   \
    CM_MULTIMAP_CHANGES_(how, name, Key, Value)                                                                        \
    CM_MULTIMAP_MANY_(how, name, Key, Value)                                                                           \
    CM_MULTIMAP_CALLS_(how, name, Key, Value)                                                                          \
    CM_MULTIMAP_SIFT_KEY_(how, name, Key, Value)                                                                       \
    CM_MULTIMAP_SIFTS_(how, name, Key, Value)                                                                          \
    CM_MULTIMAP_WHOLE_(how, name)                                                                                      \
    CM_LEFTRIGHT_SIZES_(how, name)

#endif
