/* Entries as a stream of bytes, for any map: what the functions of saved.h are made of.
 *
 * Who saves gives one entry after the other (cm_saver_add_), who loads takes them (cm_loader_take_), a block at a time;
 * src/saved.c makes the frames about the blocks, and knows nothing of maps. The format is described in saved.h. (None
 * of its functions is called cold but for cm_saver_grow_: compilers would take the loops about them for cold, too.) */
#ifndef CONCMAP_DETAIL_SAVED_H
#define CONCMAP_DETAIL_SAVED_H

#include <concmap/detail/memory.h>
#include <concmap/type.h>

CM_BEGIN_DECLS

#define CM_SAVED_BLOCK_ ((size_t)128 << 10) /* bytes of entries after which a block ends */
#define CM_SAVED_HEADER_ 64                 /* bytes of the stream's header */
#define CM_SAVED_FRAME_ 32                  /* and of a block's */
#define CM_SAVED_BATCH_ 1024                /* entries that are added at a time, if they are small */
#define CM_SAVED_BATCH_BYTES_ ((size_t)64 << 10)

struct cm_sink;
struct cm_source;
struct cm_progress;
struct cm_encoder;
struct cm_decoder;
struct cm_file_;

/* How keys, or values, are written: the number is in the stream. */
enum cm_part_kind_ { CM_PART_PLAIN_, CM_PART_TEXT_, CM_PART_CODED_ };

struct cm_part_ {
    enum cm_part_kind_ kind;
    size_t size;               /* of plain ones */
    void (*clear)(void *part); /* sets what is padding to zero */
    cm_status (*encode)(struct cm_encoder *to, const void *part, void *context);
    cm_status (*decode)(void *part, struct cm_decoder *from, void *context);
};

struct cm_saved_type_ {
    const struct cm_type *type;
    uint64_t version; /* of what the entries mean, as the user counts it */
    struct cm_part_ key;
    struct cm_part_ value;
    const struct cm_type *several; /* each key has any number of values, which are keys of this type; NULL: one */
};

/* Numbers of the stream have their low byte first. */
CM_INLINE uint64_t cm_saved_u64_(uint64_t number)
{
    return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap64(number) : number;
}

CM_INLINE uint32_t cm_saved_u32_(uint32_t number)
{
    return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap32(number) : number;
}

/* ---- saving ---- */

struct cm_saver_ {
    const struct cm_sink *sink;
    const struct cm_progress *progress; /* may be NULL */
    const cm_allocator *allocator;
    struct cm_block_ block; /* a frame's header, and the entries that wait to be written */
    size_t used;            /* bytes of it */
    uint64_t entries;       /* in it */
    uint64_t saved;         /* entries before it */
    uint64_t expected;      /* entries, about */
    uint64_t chain;         /* the check of the last header */
    const char *reason;     /* of a failure, where it is not the status' own */
};

struct cm_encoder {
    struct cm_saver_ *saver;
};

/* Writes the stream's header. */
CM_API cm_status cm_saver_begin_(struct cm_saver_ *saver, const struct cm_saved_type_ *type, const struct cm_sink *sink,
                                 const struct cm_progress *progress, const cm_allocator *allocator, uint64_t expected);
/* The same with the number that belongs to the whole. */
CM_API cm_status cm_saver_begin_with_(struct cm_saver_ *saver, const struct cm_saved_type_ *type,
                                      const struct cm_sink *sink, const struct cm_progress *progress,
                                      const cm_allocator *allocator, uint64_t expected, uint64_t meta);
/* Makes room for so many bytes more; false: no memory. */
CM_API CM_COLD bool cm_saver_grow_(struct cm_saver_ *saver, size_t bytes);
/* Writes the block, and tells how far it is. */
CM_API cm_status cm_saver_flush_(struct cm_saver_ *saver);
/* Writes what remains, and the end, unless `status` is a failure; gives the memory back. `reason` may be NULL. */
CM_API cm_status cm_saver_end_(struct cm_saver_ *saver, cm_status status, const char **reason);

/* Room for bytes of the entry; NULL: no memory. */
CM_INLINE char *cm_saver_room_(struct cm_saver_ *saver, size_t bytes)
{
    if (CM_UNLIKELY(saver->block.size - saver->used < bytes) && !cm_saver_grow_(saver, bytes))
        return NULL;
    char *room = (char *)saver->block.address + saver->used;
    saver->used += bytes;
    return room;
}

CM_INLINE cm_status cm_text_save_(struct cm_saver_ *saver, const cm_str *text)
{
    if (text->len > UINT32_MAX)
        return CM_INVALID;
    char *room = cm_saver_room_(saver, 4 + text->len);
    if (CM_UNLIKELY(!room))
        return CM_NOMEM;
    uint32_t size = cm_saved_u32_((uint32_t)text->len);
    memcpy(room, &size, 4);
    if (text->len)
        memcpy(room + 4, text->data, text->len);
    return CM_OK;
}

CM_INLINE cm_status cm_coded_save_(struct cm_saver_ *saver, const struct cm_part_ *how, const void *part, void *context)
{
    struct cm_encoder encoder = {saver};
    size_t at = saver->used;
    if (CM_UNLIKELY(!cm_saver_room_(saver, 4)))
        return CM_NOMEM;
    cm_status status = how->encode(&encoder, part, context);
    size_t bytes = saver->used - at - 4;
    if (status >= 0 && bytes > UINT32_MAX)
        status = CM_INVALID;
    uint32_t size = cm_saved_u32_((uint32_t)bytes);
    memcpy((char *)saver->block.address + at, &size, 4); /* the block may have moved */
    return status;
}

CM_INLINE cm_status cm_part_save_(struct cm_saver_ *saver, const struct cm_part_ *how, void *part, void *context)
{
    if (how->kind == CM_PART_TEXT_)
        return cm_text_save_(saver, (const cm_str *)part);
    if (how->kind == CM_PART_CODED_)
        return cm_coded_save_(saver, how, part, context);
    char *room = cm_saver_room_(saver, how->size);
    if (CM_UNLIKELY(!room))
        return CM_NOMEM;
    how->clear(part);
    memcpy(room, part, how->size);
    return CM_OK;
}

/* An entry is complete, unless `status` is a failure. */
CM_INLINE cm_status cm_saver_added_(struct cm_saver_ *saver, cm_status status)
{
    saver->entries++;
    if (status >= 0 && CM_UNLIKELY(saver->used >= CM_SAVED_FRAME_ + CM_SAVED_BLOCK_))
        status = cm_saver_flush_(saver);
    return status;
}

/* Adds an entry, of which the caller has copies. */
CM_INLINE cm_status cm_saver_add_(struct cm_saver_ *saver, const struct cm_saved_type_ *type, void *key, void *value,
                                  void *context)
{
    cm_status status = cm_part_save_(saver, &type->key, key, context);
    if (status >= 0)
        status = cm_part_save_(saver, &type->value, value, context);
    return cm_saver_added_(saver, status);
}

/* ---- loading ---- */

struct cm_decoder {
    const char *at;
    const char *end;
};

struct cm_loader_ {
    const struct cm_source *source;
    const struct cm_progress *progress; /* may be NULL */
    const cm_allocator *allocator;
    const struct cm_file_ *file; /* NULL: something may follow the stream */
    struct cm_block_ block;      /* the entries of a block, or of several that were gathered */
    struct cm_decoder decoder;   /* of them */
    uint64_t least;              /* bytes of an entry, at least */
    uint64_t entries;            /* in the block */
    bool ended;                  /* no block is left */
    uint64_t loaded;             /* entries before it */
    uint64_t expected;           /* entries, as the header says: nothing to rely on */
    uint64_t meta;               /* the number that belongs to the whole */
    uint64_t prepared;           /* entries that there was asked room for */
    uint64_t chain;              /* the check of the last header */
    const char *reason;          /* of a failure, where it is not the status' own */
};

/* Reads the header. `file`: where the stream is all that there is; NULL: nowhere. */
CM_API cm_status cm_loader_begin_(struct cm_loader_ *loader, const struct cm_saved_type_ *type,
                                  const struct cm_source *source, const struct cm_progress *progress,
                                  const cm_allocator *allocator, const struct cm_file_ *file);
/* Reads the next block, or several, and tells how far it is: CM_OK; CM_ABSENT: that was the last one; or a failure. */
CM_API cm_status cm_loader_fetch_(struct cm_loader_ *loader);
/* How many entries there should be room for by now; 0: no more than before. What the header says is believed only as
 * far as the stream bears it out. */
CM_API size_t cm_loader_expects_(struct cm_loader_ *loader);
/* All entries of the block were taken: CM_CORRUPT, if bytes remain. */
CM_API cm_status cm_loader_check_(const struct cm_loader_ *loader);
/* Gives the memory back; `reason` (may be NULL) takes why it failed. Returns `status`. */
CM_API cm_status cm_loader_end_(struct cm_loader_ *loader, cm_status status, const char **reason);

CM_INLINE const char *cm_decoder_take_(struct cm_decoder *decoder, size_t bytes)
{
    const char *at = decoder->at;
    if (CM_UNLIKELY((size_t)(decoder->end - at) < bytes))
        return NULL;
    decoder->at += bytes;
    return at;
}

/* The next text, or the bytes of what was coded. */
CM_INLINE bool cm_text_load_(struct cm_decoder *decoder, cm_str *text)
{
    uint32_t size;
    const char *bytes = cm_decoder_take_(decoder, 4);
    if (CM_UNLIKELY(!bytes))
        return false;
    memcpy(&size, bytes, 4);
    text->len = cm_saved_u32_(size);
    text->data = cm_decoder_take_(decoder, text->len);
    return text->data != NULL;
}

/* What a coded part owns is the caller's, unless it fails. */
CM_INLINE cm_status cm_coded_load_(struct cm_decoder *decoder, const struct cm_part_ *how, void *part,
                                   void (*destroy)(void *part, void *context), void *context)
{
    cm_str text;
    if (!cm_text_load_(decoder, &text))
        return CM_CORRUPT;
    struct cm_decoder inner = {text.data, text.data + text.len};
    cm_status status = how->decode(part, &inner, context);
    if (status < 0 || inner.at == inner.end)
        return status;
    if (destroy)
        destroy(part, context);
    return CM_CORRUPT;
}

CM_INLINE cm_status cm_part_load_(struct cm_decoder *decoder, const struct cm_part_ *how, void *part,
                                  void (*destroy)(void *part, void *context), void *context)
{
    if (how->kind == CM_PART_TEXT_)
        return cm_text_load_(decoder, (cm_str *)part) ? CM_OK : CM_CORRUPT;
    if (how->kind == CM_PART_CODED_)
        return cm_coded_load_(decoder, how, part, destroy, context);
    const char *bytes = cm_decoder_take_(decoder, how->size);
    if (CM_UNLIKELY(!bytes))
        return CM_CORRUPT;
    memcpy(part, bytes, how->size);
    return CM_OK;
}

/* Takes the next entry of the block. A text lies in the block; what is owned is the caller's. */
CM_INLINE cm_status cm_loader_take_(struct cm_loader_ *loader, const struct cm_saved_type_ *type, void *key,
                                    void *value, void *context)
{
    struct cm_decoder *decoder = &loader->decoder;
    cm_status status = cm_part_load_(decoder, &type->key, key, type->type->key_destroy, context);
    if (CM_UNLIKELY(status < 0))
        return status;
    status = cm_part_load_(decoder, &type->value, value, type->type->value_destroy, context);
    if (CM_UNLIKELY(status < 0) && type->type->key_destroy)
        type->type->key_destroy(key, context);
    return status;
}

CM_END_DECLS

#endif
