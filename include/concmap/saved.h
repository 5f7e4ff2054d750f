/* Saving maps, and loading them again: to files, or through functions of yours.
 *
 *     CM_SHARDED_MAP(sessions, uint64_t, struct session, cm_hash_u64, cm_equal_u64)
 *     CM_SAVED(sessions, 1)
 *
 * makes sessions_save, sessions_save_file, sessions_load and sessions_load_file for a map that was made before, the
 * try_ and _until twins of the first two, and sessions_snapshot_save and sessions_snapshot_save_file; maps without it
 * cost nothing. The number is yours: change it when keys or values begin to mean something else, and what was saved
 * with another one is refused.
 *
 * Others may read and write while a map is saved: each key that is there throughout is saved, with a value that it had
 * meanwhile. No lock is held while a sink, a codec or a progress function runs, and they may use the map. What is to be
 * of one instant is a snapshot, and saved as one.
 *
 * What is saved. Texts as their bytes; plain keys and values as they lie in memory, in the byte order of the machine,
 * with padding set to zero where the compiler has __builtin_clear_padding (gcc has it from 11 on; elsewhere padding is
 * saved as it lies: zero it yourself, or use a codec). Keys and values that own something, or are pointers, need a
 * codec: CM_SAVED_CODED(notes, 1, CM_UNCODED, CM_CODED(note_encode, note_decode)), of
 *
 *     cm_status encode(cm_encoder *to, const Type *what, void *context);
 *     cm_status decode(Type *what, cm_decoder *from, void *context);
 *
 * with the context of the map's cm_config. `encode` appends what `decode` needs, by cm_encode_bytes and the like;
 * `decode` makes the same again, which the map owns then, and must take all bytes. Either may fail, with any status
 * less than 0, which is handed on; `decode` leaves nothing behind then.
 *
 * What is loaded. All, or nothing: a stream that ends too early, is damaged, of other types or of a newer format is a
 * failure with a reason, and there is no map. Checksums find accidents, not enemies: who can write the stream chooses
 * what is loaded, but not how much memory that takes beyond what the stream's size justifies.
 *
 * The format, version 1. Numbers have their low byte first. CHECK is XXH3, 64 bits.
 *
 *     header   0 magic: 89 'c' 'm' 'a' 'p' 0d 0a 1a
 *              8 u32 format's version (a newer one keeps these 64 bytes' shape)
 *             12 u8 how keys are saved (0 plain, 1 text, 2 coded)
 *             13 u8 how values are, 8 more: each key has several
 *             14 u8 byte order of what is plain (1 low byte first, 2 high)
 *             15 u8 0
 *             16 u64 size of a plain key, or 0
 *             24 u64 of a value
 *             32 u64 the user's number
 *             40 u64 entries, about
 *             48 u64 a number of the whole (a left-right map's meta), or 0
 *             56 u64 CHECK of these 56 bytes
 *     block    0 u64 bytes of its entries, not 0
 *              8 u64 their number
 *             16 u64 CHECK of their bytes
 *             24 u64 CHECK of these 24 bytes, with the one before (the header's, or the last block's) as its seed
 *             32 entries: key, value, key, value ...; no entry is in two blocks
 *     end      a block of 0 bytes, whose number of entries is that of all
 *
 * Plain keys and values lie in an entry as they are; texts and coded ones after a u32 of their size, several values
 * after a u32 of their number. Who has no number of the whole passes over it. */
#ifndef CONCMAP_SAVED_H
#define CONCMAP_SAVED_H

#include <concmap/detail/files.h>
#include <concmap/detail/fill.h>
#include <concmap/detail/saved.h>
#include <concmap/detail/typed.h>

CM_BEGIN_DECLS

/* Where bytes go. `write` takes all of them, or fails with a status less than 0, which ends the saving. */
typedef struct cm_sink {
    cm_status (*write)(void *context, const void *bytes, size_t size);
    void *context;
} cm_sink;

/* Where bytes come from. `read` fills `size` bytes, fewer only at the end; *got takes how many. A status less than 0
 * ends the loading. */
typedef struct cm_source {
    cm_status (*read)(void *context, void *bytes, size_t size, size_t *got);
    void *context;
} cm_source;

/* Whom to tell how far it is, in entries, after each block of some 128 KiB; `total` is about right, and 0 where nobody
 * knows. A status less than 0 ends the saving or loading, as a failure with that status. */
typedef struct cm_progress {
    cm_status (*tell)(void *context, uint64_t done, uint64_t total);
    void *context;
} cm_progress;

/* What codecs write to, and read from: only within the call that gets them. */
typedef struct cm_encoder cm_encoder;
typedef struct cm_decoder cm_decoder;

/* Appends bytes. CM_NOMEM. */
CM_API cm_status cm_encode_bytes(cm_encoder *to, const void *bytes, size_t size);
/* Appends a number, in 8 bytes, the same on every machine. CM_NOMEM. */
CM_API cm_status cm_encode_u64(cm_encoder *to, uint64_t number);
/* Takes bytes. CM_CORRUPT: there are fewer. */
CM_API cm_status cm_decode_bytes(cm_decoder *from, void *bytes, size_t size);
/* Takes a number that cm_encode_u64 wrote. CM_CORRUPT. */
CM_API cm_status cm_decode_u64(cm_decoder *from, uint64_t *number);
/* How many bytes there still are. */
CM_API size_t cm_decode_left(const cm_decoder *from);

/* Never called. */
CM_INLINE cm_status cm_uncoded_(void *to, const void *from, void *context)
{
    (void)to, (void)from, (void)context;
    return CM_OK;
}

CM_END_DECLS

/* How keys, or values, are written: as texts and plain data, or by two functions. */
#define CM_UNCODED (cm_uncoded_, cm_uncoded_, 0)
#define CM_CODED(encode, decode) (encode, decode, 1)
#define CM_CODEC_ENCODE_(encode, decode, coded) encode
#define CM_CODEC_DECODE_(encode, decode, coded) decode
#define CM_CODEC_IS_(encode, decode, coded) coded

/* Makes the functions, in this file. */
#define CM_SAVED(name, version) CM_SAVED_CODED(name, version, CM_UNCODED, CM_UNCODED)
#define CM_SAVED_CODED(name, version, key_codec, value_codec)                                                          \
    CM_SAVED_(cm_inline, name, name, version, key_codec, value_codec)
/* The same for a set. */
#define CM_SAVED_SET(name, version) CM_SAVED_(cm_inline, name, name##_as, version, CM_UNCODED, CM_UNCODED)

/* The same for types that many files use: DECLARE in the header, and DEFINE in the C file that defines the map, or set.
 */
#define CM_SAVED_DECLARE(name) CM_SAVED_FUNCTIONS_(cm_declare, name, name, cm_config)
#define CM_SAVED_DEFINE(name, version, key_codec, value_codec)                                                         \
    CM_SAVED_(cm_define, name, name, version, key_codec, value_codec)
#define CM_SAVED_SET_DECLARE(name) CM_SAVED_FUNCTIONS_(cm_declare, name, name##_as, cm_config)
#define CM_SAVED_SET_DEFINE(name, version, key_codec)                                                                  \
    CM_SAVED_(cm_define, name, name##_as, version, key_codec, CM_UNCODED)

/* And of maps that have snapshots (snapshot.h), after the above: makes snapshot_save and snapshot_save_file. */
#define CM_SAVED_SNAPSHOTS(name) CM_SAVED_SNAPSHOT_(cm_inline, name)
#define CM_SAVED_SNAPSHOTS_DECLARE(name) CM_SAVED_SNAPSHOT_(cm_declare, name)
#define CM_SAVED_SNAPSHOTS_DEFINE(name) CM_SAVED_SNAPSHOT_(cm_define, name)

/* `base` is the map's type, which has the walks and writes; of a set the map that it is made of. */
#define CM_SAVED_(how, name, base, version, key_codec, value_codec)                                                    \
    CM_SAVED_TYPE_(how, name, base, base##_key_, base##_value_, version, key_codec, value_codec)                       \
    CM_SAVED_BUCKETED_(how, name, base)                                                                                \
    CM_SAVED_ADD_(how, name, base)                                                                                     \
    CM_SAVED_FILL_(how, name, base, map->core.context)                                                                 \
    CM_SAVED_LOAD_(how, name, base)                                                                                    \
    CM_SAVED_FUNCTIONS_(how, name, base, cm_config)

/* What is the same for all maps on bucket tables. (A map that is not made yet is made when it is saved.) */
#define CM_SAVED_BUCKETED_(how, name, base)                                                                            \
    CM_SAVED_WALK_(how, name, base, (void)cm_map_seed_(&base##_type_, &map->core), map->core.context)                  \
    CM_SAVED_ROOM_(how, name, base##_key_, base##_value_)                                                              \
    CM_LOCAL_(how, void, name##_load_expect_, (base * map, size_t entries),                                            \
              { cm_map_expect_(&map->core, &base##_type_, entries); })

#if defined(__has_builtin)
#if __has_builtin(__builtin_clear_padding)
#define CM_CLEAR_PADDING_(what) __builtin_clear_padding(what)
#endif
#endif
#ifndef CM_CLEAR_PADDING_
#define CM_CLEAR_PADDING_(what) ((void)(what))
#endif

/* Whether bytes say all about a type: not of pointers, texts, and what is owned. */
#define CM_IS_POINTER_(Type) (__builtin_classify_type(*(Type *)0) == 5)
#define CM_IS_SAVABLE_(Type, owned) (!(owned) && !CM_IS_POINTER_(Type))

/* How the entries are written. */
#define CM_SAVED_TYPE_(how, name, base, Key, Value, version, key_codec, value_codec)                                   \
    CM_SAVED_PARTS_(how, name, base##_type_, base##_key_owned_, Key, base##_value_owned_, Value, NULL, version,        \
                    key_codec, value_codec)

/* `type` and `several` are as in struct cm_saved_type_. */
#define CM_SAVED_PARTS_(how, name, type, key_owned, Key, value_owned, Value, several, version, key_codec, value_codec) \
    CM_HIDDEN_(                                                                                                        \
        how, CM_STATIC_ASSERT(CM_CODEC_IS_ key_codec || CM_IS_SAVABLE_(Key, key_owned),                                \
                              "keys that own something, or are pointers, need a codec: CM_SAVED_CODED");               \
        CM_STATIC_ASSERT(!(CM_CODEC_IS_ key_codec) || !CM_IS_TEXT_(Key), "texts are saved without a codec");           \
        CM_STATIC_ASSERT(CM_CODEC_IS_ value_codec || (CM_IS_SAVABLE_(Value, value_owned) && !CM_IS_TEXT_(Value)),      \
                         "values that own something, or are pointers, need a codec: CM_SAVED_CODED");)                 \
    CM_LOCAL_(how, void, name##_key_clear_, (void *key), { CM_CLEAR_PADDING_((Key *)key); })                           \
    CM_LOCAL_(how, void, name##_value_clear_, (void *value), { CM_CLEAR_PADDING_((Value *)value); })                   \
    CM_LOCAL_(how, cm_status, name##_key_encode_, (cm_encoder * to, const void *key, void *context),                   \
              { return CM_CODEC_ENCODE_ key_codec(to, (const Key *)key, context); })                                   \
    CM_LOCAL_(how, cm_status, name##_key_decode_, (void *key, cm_decoder *from, void *context),                        \
              { return CM_CODEC_DECODE_ key_codec((Key *)key, from, context); })                                       \
    CM_LOCAL_(how, cm_status, name##_value_encode_, (cm_encoder * to, const void *value, void *context),               \
              { return CM_CODEC_ENCODE_ value_codec(to, (const Value *)value, context); })                             \
    CM_LOCAL_(how, cm_status, name##_value_decode_, (void *value, cm_decoder *from, void *context),                    \
              { return CM_CODEC_DECODE_ value_codec((Value *)value, from, context); })                                 \
    CM_HIDDEN_(how, static const struct cm_saved_type_ name##_saved_type_ = {                                          \
                        &type,                                                                                         \
                        version,                                                                                       \
                        {CM_CODEC_IS_ key_codec ? CM_PART_CODED_                                                       \
                         : CM_IS_TEXT_(Key)     ? CM_PART_TEXT_                                                        \
                                                : CM_PART_PLAIN_,                                                          \
                         sizeof(Key), name##_key_clear_, name##_key_encode_, name##_key_decode_},                      \
                        {CM_CODEC_IS_ value_codec ? CM_PART_CODED_ : CM_PART_PLAIN_, CM_VALUE_SIZE_(Value),            \
                         name##_value_clear_, name##_value_encode_, name##_value_decode_},                             \
                        several};)

/* From a map to a stream: the walk makes copies, so nothing is locked meanwhile. `make` is done first; `of_codecs` is
 * their context. */
#define CM_SAVED_WALK_(how, name, base, make, of_codecs)                                                               \
    CM_LOCAL_(how, cm_status, name##_save_all_, (const base *map, struct cm_saver_ *saver, cm_deadline deadline), {    \
        base##_iter iter = base##_iter_begin(map);                                                                     \
        base##_value_ room;                                                                                            \
        cm_status status = CM_OK;                                                                                      \
        while (status >= 0 && base##_iter_next_in_(&iter, deadline))                                                   \
            status = cm_saver_add_(saver, &name##_saved_type_, &iter.key, base##_iter_copy_(&iter, &room), of_codecs); \
        base##_iter_end(&iter);                                                                                        \
        return status < 0 ? status : iter.status;                                                                      \
    })                                                                                                                 \
    CM_LOCAL_(how, cm_status, name##_save_in_,                                                                         \
              (const base *map, const cm_sink *sink, const cm_progress *progress, const char **reason,                 \
               cm_deadline deadline),                                                                                  \
              {                                                                                                        \
                  struct cm_saver_ saver;                                                                              \
                  make;                                                                                                \
                  cm_status status = cm_saver_begin_(&saver, &name##_saved_type_, sink, progress,                      \
                                                     &map->core.allocator, base##_len(map));                           \
                  if (status >= 0)                                                                                     \
                      status = name##_save_all_(map, &saver, deadline);                                                \
                  return cm_saver_end_(&saver, status, reason);                                                        \
              })                                                                                                       \
    CM_LOCAL_(                                                                                                         \
        how, cm_status, name##_save_file_in_,                                                                          \
        (const base *map, const char *path, const cm_progress *progress, const char **reason, cm_deadline deadline),   \
        CM_SAVED_FILE_(path, reason, name##_save_in_(map, &sink, progress, &why, deadline)))

/* The body of a function that makes a file of what `saving` writes to `sink`; `why` takes the reason of a failure. */
#define CM_SAVED_FILE_(path, reason, saving)                                                                           \
    {                                                                                                                  \
        struct cm_file_ file;                                                                                          \
        const char *why = NULL;                                                                                        \
        cm_status status = cm_file_create_(&file, path, &why);                                                         \
        if (status >= 0) {                                                                                             \
            cm_sink sink = {cm_file_write_, &file};                                                                    \
            status = saving;                                                                                           \
            status = cm_file_end_(&file, status, &why);                                                                \
        }                                                                                                              \
        if (reason)                                                                                                    \
            *reason = why;                                                                                             \
        return status;                                                                                                 \
    }

/* The body of a function that makes what `loading` reads from `source`, a `file`; `why` takes the reason of a failure.
 */
#define CM_LOADED_FILE_(path, reason, loading)                                                                         \
    {                                                                                                                  \
        struct cm_file_ file;                                                                                          \
        const char *why = NULL;                                                                                        \
        cm_status status = cm_file_open_(&file, path, &why);                                                           \
        if (status >= 0) {                                                                                             \
            cm_source source = {cm_file_read_, &file};                                                                 \
            status = loading;                                                                                          \
            cm_file_close_(&file);                                                                                     \
        }                                                                                                              \
        if (reason)                                                                                                    \
            *reason = why;                                                                                             \
        return status;                                                                                                 \
    }

/* From a snapshot to a stream. */
#define CM_SAVED_SNAPSHOT_(how, name)                                                                                  \
    /* Writes the entries of a snapshot, as save does those of a map; the map may be gone. Never waits, but for the    \
     * sink. */                                                                                                        \
    CM_FUNCTION_(                                                                                                      \
        how, cm_status, name##_snapshot_save,                                                                          \
        (const name##_snapshot *snapshot, const cm_sink *sink, const cm_progress *progress, const char **reason), {    \
            struct cm_saver_ saver;                                                                                    \
            name##_snapshot_iter iter = name##_snapshot_iter_begin(snapshot);                                          \
            cm_status status = cm_saver_begin_(&saver, &name##_saved_type_, sink, progress, &snapshot->core.allocator, \
                                               snapshot->core.count);                                                  \
            while (status >= 0 && name##_snapshot_iter_next(&iter))                                                    \
                status = cm_saver_add_(&saver, &name##_saved_type_, &iter.key, &iter.value, snapshot->core.context);   \
            return cm_saver_end_(&saver, status, reason);                                                              \
        })                                                                                                             \
    /* The same to a file, as save_file. */                                                                            \
    CM_FUNCTION_(                                                                                                      \
        how, cm_status, name##_snapshot_save_file,                                                                     \
        (const name##_snapshot *snapshot, const char *path, const cm_progress *progress, const char **reason),         \
        CM_SAVED_FILE_(path, reason, name##_snapshot_save(snapshot, &sink, progress, &why)))

/* From a stream to a map that nobody else is in: some entries are taken, then added together. */
#define CM_SAVED_ROOM_(how, name, Key, Value)                                                                          \
    CM_HIDDEN_(                                                                                                        \
        how, enum {name##_saved_fits_ = CM_SAVED_BATCH_BYTES_ / (sizeof(Key) + sizeof(Value)),                         \
                   name##_saved_batch_ = name##_saved_fits_ > CM_SAVED_BATCH_ ? CM_SAVED_BATCH_                        \
                                         : name##_saved_fits_ > 0             ? name##_saved_fits_                     \
                                                                              : 1};                                                \
        struct name##_batch_ {                                                                                         \
            Key keys[name##_saved_batch_];                                                                             \
            Value values[name##_saved_batch_];                                                                         \
        };)

#define CM_SAVED_ADD_(how, name, base)                                                                                 \
    /* `*taken`: values that the map has now. A cache takes what it has room for. */                                   \
    CM_LOCAL_(                                                                                                         \
        how, cm_status, name##_load_batch_, (base * map, struct name##_batch_ * batch, size_t n, size_t * taken), {    \
            const bool fills = cm_map_may_fill_(&map->core);                                                           \
            cm_status status = CM_OK;                                                                                  \
            size_t filled = 0;                                                                                         \
            CM_BATCH_(&base##_type_, &map->core, i, n, hash, &batch->keys[i], true, {                                  \
                if (fills &&                                                                                           \
                    CM_LIKELY(cm_map_fill_(&base##_type_, &map->core, &batch->keys[i], hash, &batch->values[i]))) {    \
                    filled++;                                                                                          \
                } else {                                                                                               \
                    status = base##_write_(map, &batch->keys[i], hash, CM_ABSENT_INSERT_, CM_PRESENT_KEEP_,            \
                                           &batch->values[i], NULL, NULL, NULL, NULL, CM_FOREVER);                     \
                    if (base##_type_.cached && status == CM_FULL) {                                                    \
                        cm_value_destroy_(&base##_type_, &map->core, &batch->values[i]);                               \
                        status = CM_OK;                                                                                \
                    }                                                                                                  \
                }                                                                                                      \
                *taken = i + (status >= 0);                                                                            \
                if (CM_UNLIKELY(status != CM_OK))                                                                      \
                    break;                                                                                             \
            });                                                                                                        \
            cm_map_filled_(&map->core, filled);                                                                        \
            return status == CM_EXISTS ? CM_CORRUPT : status;                                                          \
        })

/* There are name_load_batch_ and name_load_expect_. */
#define CM_SAVED_FILL_(how, name, base, of_codecs)                                                                     \
    CM_LOCAL_(how, cm_status, name##_load_block_,                                                                      \
              (base * map, struct cm_loader_ * loader, struct name##_batch_ * batch), {                                \
                  const struct cm_type *type = name##_saved_type_.type;                                                \
                  void *context = of_codecs;                                                                           \
                  cm_status status = CM_OK;                                                                            \
                  for (uint64_t left = loader->entries; left && status >= 0;) {                                        \
                      size_t made = 0;                                                                                 \
                      size_t taken = 0;                                                                                \
                      while (status >= 0 && made < name##_saved_batch_ && made < left) {                               \
                          status = cm_loader_take_(loader, &name##_saved_type_, &batch->keys[made],                    \
                                                   &batch->values[made], context);                                     \
                          made += status >= 0;                                                                         \
                      }                                                                                                \
                      if (status >= 0)                                                                                 \
                          status = name##_load_batch_(map, batch, made, &taken);                                       \
                      for (size_t i = 0; type->key_destroy && i < made; i++)                                           \
                          type->key_destroy(&batch->keys[i], context);                                                 \
                      for (size_t i = taken; type->value_destroy && i < made; i++)                                     \
                          type->value_destroy(&batch->values[i], context);                                             \
                      left -= made;                                                                                    \
                  }                                                                                                    \
                  return status < 0 ? status : cm_loader_check_(loader);                                               \
              })                                                                                                       \
    CM_LOCAL_(how, cm_status, name##_load_all_, (base * map, struct cm_loader_ * loader), {                            \
        struct cm_block_ block;                                                                                        \
        if (!cm_block_allocate_(loader->allocator, sizeof(struct name##_batch_), CM_ALIGNOF(struct name##_batch_),     \
                                false, &block))                                                                        \
            return CM_NOMEM;                                                                                           \
        cm_status status;                                                                                              \
        while ((status = cm_loader_fetch_(loader)) == CM_OK) {                                                         \
            size_t expected = cm_loader_expects_(loader);                                                              \
            if (expected)                                                                                              \
                name##_load_expect_(map, expected);                                                                    \
            status = name##_load_block_(map, loader, (struct name##_batch_ *)block.address);                           \
            if (status < 0)                                                                                            \
                break;                                                                                                 \
        }                                                                                                              \
        cm_block_release_(loader->allocator, &block);                                                                  \
        return status;                                                                                                 \
    })

#define CM_SAVED_LOAD_(how, name, base)                                                                                \
    CM_SAVED_LOAD_BY_(how, name, base, cm_config, allocator, base##_init(map, config), name##_load_all_(map, &loader))

/* `Config` is what the map is made by, by `open`; `member` its allocator; `load` fills it. */
#define CM_SAVED_LOAD_BY_(how, name, base, Config, member, open, load)                                                 \
    CM_LOCAL_(how, cm_status, name##_load_from_,                                                                       \
              (base * map, const Config *config, const cm_source *source, const struct cm_file_ *file,                 \
               const cm_progress *progress, const char **reason),                                                      \
              {                                                                                                        \
                  struct cm_loader_ loader;                                                                            \
                  const cm_allocator *allocator = config && config->member ? config->member : cm_allocator_default();  \
                  cm_status status =                                                                                   \
                      cm_loader_begin_(&loader, &name##_saved_type_, source, progress, allocator, file);               \
                  if (status >= 0)                                                                                     \
                      status = open;                                                                                   \
                  if (status >= 0) {                                                                                   \
                      status = load;                                                                                   \
                      if (status < 0)                                                                                  \
                          base##_destroy(map);                                                                         \
                  }                                                                                                    \
                  return cm_loader_end_(&loader, status, reason);                                                      \
              })

/* `Config` is what the map is made by. */
#define CM_SAVED_FUNCTIONS_(how, name, base, Config)                                                                   \
    /* Writes the map to a sink. `progress` and `reason` may be NULL; `reason` takes why it failed, a static text, or  \
     * NULL. CM_OK; what the sink, a codec or the progress function returned; CM_NOMEM; CM_INVALID: a text or coded    \
     * part of 4 GiB or more; CM_DEADLOCK: the thread holds guards. What a sink has by then is not worth anything.     \
     * Takes 128 KiB, or twice the largest entry. try_save is CM_BUSY, and save_until CM_TIMEOUT, where a walk over    \
     * the map is: the sink may take its time. O(buckets). */                                                          \
    CM_TWINS_(how, name, save,                                                                                         \
              (const base *map, const cm_sink *sink, const cm_progress *progress, const char **reason),                \
              (map, sink, progress, reason))                                                                           \
    /* The same to a file. It is written beside `path`, and takes that place when it is complete and on the disk, with \
     * the permissions of the file that it replaces. After a failure there is what was there before (but for the one   \
     * reason that says otherwise). A process that is killed meanwhile, or a machine that fails, leaves a file         \
     * `.concmap-` with 16 hexadecimal digits in the directory, which nobody uses again: delete those that no process  \
     * is writing. A symbolic link stays one. CM_IO; CM_INVALID: at `path` there is something else than a plain file.  \
     * Waits for the disk. */                                                                                          \
    CM_TWINS_(how, name, save_file,                                                                                    \
              (const base *map, const char *path, const cm_progress *progress, const char **reason),                   \
              (map, path, progress, reason))                                                                           \
    /* Makes a map as init does, and fills it from a source, which is read to the end of what was saved, no further.   \
     * CM_OK. After a failure there is no map, and `reason` (may be NULL) takes why: CM_CORRUPT: the stream ends too   \
     * early, or is damaged; CM_INVALID: it is none, of a newer format, of other types, of another number or byte      \
     * order; CM_FULL: more than the config's limit, but a cache takes what it has room for; CM_NOMEM; what the        \
     * source, a codec or the progress function returned. O(entries). */                                               \
    CM_FUNCTION_(                                                                                                      \
        how, cm_status, name##_load,                                                                                   \
        (base * map, const Config *config, const cm_source *source, const cm_progress *progress, const char **reason), \
        {                                                                                                              \
            CM_CALLED_();                                                                                              \
            return name##_load_from_(map, config, source, NULL, progress, reason);                                     \
        })                                                                                                             \
    /* The same from a file, in which nothing may follow. CM_IO. */                                                    \
    CM_FUNCTION_(                                                                                                      \
        how, cm_status, name##_load_file,                                                                              \
        (base * map, const Config *config, const char *path, const cm_progress *progress, const char **reason), {      \
            CM_CALLED_();                                                                                              \
            CM_LOADED_FILE_(path, reason, name##_load_from_(map, config, &source, &file, progress, &why))              \
        })

#endif
