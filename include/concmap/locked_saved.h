/* Saving locked maps, and loading them again: saved.h, whose streams and codecs these are.
 *
 *     CM_LOCKED_MAP(accounts, uint64_t, struct account, cm_hash_u64, cm_equal_u64)
 *     CM_LOCKED_SAVED(accounts, 1)
 *
 * Each value is copied under its entry's lock, for which the saving waits (try_save, save_until), and encoded and
 * written with no lock held. An entry whose owner died ends it: CM_OWNER_DIED. Values that own something are cloned for
 * that. What is loaded can be another kind of map's that was saved with the same number and codecs. */
#ifndef CONCMAP_LOCKED_SAVED_H
#define CONCMAP_LOCKED_SAVED_H

#include <concmap/locked.h>
#include <concmap/saved.h>

#define CM_LOCKED_SAVED(name, version) CM_LOCKED_SAVED_CODED(name, version, CM_UNCODED, CM_UNCODED)
#define CM_LOCKED_SAVED_CODED(name, version, key_codec, value_codec)                                                   \
    CM_LOCKED_SAVED_(cm_inline, name, version, key_codec, value_codec)

/* The same for a type that many files use. */
#define CM_LOCKED_SAVED_DECLARE(name) CM_SAVED_FUNCTIONS_(cm_declare, name, name, cm_config)
#define CM_LOCKED_SAVED_DEFINE(name, version, key_codec, value_codec)                                                  \
    CM_LOCKED_SAVED_(cm_define, name, version, key_codec, value_codec)

#define CM_LOCKED_SAVED_(how, name, version, key_codec, value_codec)                                                   \
    CM_SAVED_TYPE_(how, name, name##_content, name##_key_, name##_value_, version, key_codec, value_codec)             \
    CM_SAVED_BUCKETED_(how, name, name)                                                                                \
    CM_LOCAL_(how, cm_status, name##_load_batch_,                                                                      \
              (name * map, struct name##_batch_ * batch, size_t n, size_t * taken), {                                  \
                  cm_status status = CM_OK;                                                                            \
                  for (size_t i = 0; i < n && status == CM_OK; i++) {                                                  \
                      status = name##_insert(map, batch->keys[i], batch->values[i]);                                   \
                      *taken = i + (status >= 0);                                                                      \
                  }                                                                                                    \
                  return status == CM_EXISTS ? CM_CORRUPT : status;                                                    \
              })                                                                                                       \
    CM_SAVED_FILL_(how, name, name, map->core.context)                                                                 \
    CM_SAVED_LOAD_(how, name, name)                                                                                    \
    CM_SAVED_FUNCTIONS_(how, name, name, cm_config)

#endif
