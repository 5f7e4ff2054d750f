/* The frames of saved maps: headers, checks, and what is wrong with them. The format is described in saved.h. */
#include <concmap/saved.h>

#define XXH_INLINE_ALL /* as in hash.c */
#include <xxhash.h>

#define FORMAT 1
#define PREPARED_FIRST ((uint64_t)1 << 16) /* entries that a stream of unknown size is believed to have */
#define PREPARED_AHEAD 8                   /* and how many times as many as have come */
#define READ_FIRST (2 * CM_SAVED_BLOCK_)   /* bytes that a block is believed to have */
#define GATHERED_MOST ((size_t)32 << 20)   /* bytes of entries that are gathered before the first are added */

static const char magic[8] = {'\x89', 'c', 'm', 'a', 'p', '\r', '\n', '\x1a'};

#define SEVERAL 8 /* more than the kind of values, where each key has any number of them */

enum byte_order { LOW_FIRST = 1, HIGH_FIRST = 2 };
static const uint8_t native_order = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? HIGH_FIRST : LOW_FIRST;

/* ---- frames ---- */

static void put_u64(char *frame, size_t at, uint64_t number)
{
    number = cm_saved_u64_(number);
    memcpy(frame + at, &number, 8);
}

static uint64_t get_u64(const char *frame, size_t at)
{
    uint64_t number;
    memcpy(&number, frame + at, 8);
    return cm_saved_u64_(number);
}

static void put_u32(char *frame, size_t at, uint32_t number)
{
    number = cm_saved_u32_(number);
    memcpy(frame + at, &number, 4);
}

static uint32_t get_u32(const char *frame, size_t at)
{
    uint32_t number;
    memcpy(&number, frame + at, 4);
    return cm_saved_u32_(number);
}

/* Writes the check behind a frame of `size` bytes, which holds for all frames before it, too. */
static void frame_seal(char *frame, size_t size, uint64_t *chain)
{
    *chain = XXH3_64bits_withSeed(frame, size - 8, *chain);
    put_u64(frame, size - 8, *chain);
}

static bool frame_is_sealed(const char *frame, size_t size, uint64_t *chain)
{
    *chain = XXH3_64bits_withSeed(frame, size - 8, *chain);
    return get_u64(frame, size - 8) == *chain;
}

static uint64_t part_size(const struct cm_part_ *part)
{
    return part->kind == CM_PART_PLAIN_ ? part->size : 0;
}

/* Bytes that one of them takes at least. */
static uint64_t part_least(const struct cm_part_ *part)
{
    return part->kind == CM_PART_PLAIN_ ? part->size : 4;
}

static uint64_t entry_least(const struct cm_saved_type_ *type)
{
    return part_least(&type->key) + (type->several ? 4 : part_least(&type->value));
}

/* What the header says of how values are saved. */
static char value_kind(const struct cm_saved_type_ *type)
{
    return (char)(type->value.kind + (type->several ? SEVERAL : 0));
}

static cm_status progress_tell(const cm_progress *progress, uint64_t done, uint64_t total, const char **reason)
{
    cm_status status = progress ? progress->tell(progress->context, done, total) : CM_OK;
    if (status < 0)
        *reason = "the progress function ended it";
    return status;
}

static cm_status end_tell(cm_status status, const char *why, const char **reason)
{
    if (status > 0)
        status = CM_OK;
    if (reason)
        *reason = status == CM_OK ? NULL : why ? why : cm_status_text(status);
    return status;
}

/* ---- saving ---- */

cm_status cm_saver_begin_(struct cm_saver_ *saver, const struct cm_saved_type_ *type, const cm_sink *sink,
                          const cm_progress *progress, const cm_allocator *allocator, uint64_t expected)
{
    return cm_saver_begin_with_(saver, type, sink, progress, allocator, expected, 0);
}

cm_status cm_saver_begin_with_(struct cm_saver_ *saver, const struct cm_saved_type_ *type, const cm_sink *sink,
                               const cm_progress *progress, const cm_allocator *allocator, uint64_t expected,
                               uint64_t meta)
{
    char header[CM_SAVED_HEADER_] = {0};
    *saver = (struct cm_saver_){
        .sink = sink, .progress = progress, .allocator = allocator, .used = CM_SAVED_FRAME_, .expected = expected};
    if (!cm_block_allocate_(allocator, CM_SAVED_BLOCK_ + CM_SAVED_BLOCK_ / 8, 8, false, &saver->block))
        return CM_NOMEM;
    memcpy(header, magic, sizeof magic);
    put_u32(header, 8, FORMAT);
    header[12] = (char)type->key.kind;
    header[13] = value_kind(type);
    header[14] = (char)native_order;
    put_u64(header, 16, part_size(&type->key));
    put_u64(header, 24, part_size(&type->value));
    put_u64(header, 32, type->version);
    put_u64(header, 40, expected);
    put_u64(header, 48, meta);
    frame_seal(header, sizeof header, &saver->chain);
    return sink->write(sink->context, header, sizeof header);
}

bool cm_saver_grow_(struct cm_saver_ *saver, size_t bytes)
{
    struct cm_block_ larger;
    if (bytes > SIZE_MAX / 4 || !cm_block_allocate_(saver->allocator, 2 * (saver->used + bytes), 8, false, &larger))
        return false;
    memcpy(larger.address, saver->block.address, saver->used);
    cm_block_release_(saver->allocator, &saver->block);
    saver->block = larger;
    return true;
}

cm_status cm_saver_flush_(struct cm_saver_ *saver)
{
    char *frame = saver->block.address;
    size_t bytes = saver->used - CM_SAVED_FRAME_;
    if (bytes == 0)
        return CM_OK;
    put_u64(frame, 0, bytes);
    put_u64(frame, 8, saver->entries);
    put_u64(frame, 16, XXH3_64bits(frame + CM_SAVED_FRAME_, bytes));
    frame_seal(frame, CM_SAVED_FRAME_, &saver->chain);
    cm_status status = saver->sink->write(saver->sink->context, frame, saver->used);
    if (status < 0)
        return status;
    saver->saved += saver->entries;
    saver->entries = 0;
    saver->used = CM_SAVED_FRAME_;
    return progress_tell(saver->progress, saver->saved, saver->expected, &saver->reason);
}

static cm_status saver_finish(struct cm_saver_ *saver)
{
    char frame[CM_SAVED_FRAME_] = {0};
    cm_status status = cm_saver_flush_(saver);
    if (status < 0)
        return status;
    put_u64(frame, 8, saver->saved);
    frame_seal(frame, sizeof frame, &saver->chain);
    return saver->sink->write(saver->sink->context, frame, sizeof frame);
}

cm_status cm_saver_end_(struct cm_saver_ *saver, cm_status status, const char **reason)
{
    if (status >= 0)
        status = saver_finish(saver);
    cm_block_release_(saver->allocator, &saver->block);
    return end_tell(status, saver->reason, reason);
}

cm_status cm_encode_bytes(cm_encoder *to, const void *bytes, size_t size)
{
    if (size == 0)
        return CM_OK;
    char *room = cm_saver_room_(to->saver, size);
    if (!room)
        return CM_NOMEM;
    memcpy(room, bytes, size);
    return CM_OK;
}

cm_status cm_encode_u64(cm_encoder *to, uint64_t number)
{
    number = cm_saved_u64_(number);
    return cm_encode_bytes(to, &number, sizeof number);
}

/* ---- loading ---- */

static cm_status refuse(struct cm_loader_ *loader, cm_status status, const char *reason)
{
    loader->reason = reason;
    return status;
}

static cm_status loader_read(struct cm_loader_ *loader, char *bytes, size_t size, size_t *got)
{
    *got = 0;
    cm_status status = loader->source->read(loader->source->context, bytes, size, got);
    if (status < 0)
        return refuse(loader, status, "reading failed");
    return *got == size ? CM_OK : refuse(loader, CM_CORRUPT, "it ends too early");
}

/* What is wrong with a header that is whole. */
static cm_status header_judge(struct cm_loader_ *loader, const struct cm_saved_type_ *type, const char *header)
{
    bool plain = part_size(&type->key) > 1 || part_size(&type->value) > 1;
    if (get_u32(header, 8) != FORMAT)
        return refuse(loader, CM_INVALID, "it is of a newer format than this library knows");
    if (header[12] != (char)type->key.kind || header[13] != value_kind(type))
        return refuse(loader, CM_INVALID, "its keys or values are of another kind: plain, text, coded, or several");
    if (get_u64(header, 16) != part_size(&type->key))
        return refuse(loader, CM_INVALID, "its keys are of another size");
    if (get_u64(header, 24) != part_size(&type->value))
        return refuse(loader, CM_INVALID, "its values are of another size");
    if (get_u64(header, 32) != type->version)
        return refuse(loader, CM_INVALID, "it was saved with another number: its entries mean something else");
    if (plain && header[14] != (char)native_order)
        return refuse(loader, CM_INVALID, "it was saved on a machine of the other byte order");
    return CM_OK;
}

static cm_status header_read(struct cm_loader_ *loader, const struct cm_saved_type_ *type)
{
    char header[CM_SAVED_HEADER_];
    size_t got;
    cm_status status = loader_read(loader, header, sizeof header, &got);
    size_t known = got < sizeof magic ? got : sizeof magic;
    if (status != CM_OK && status != CM_CORRUPT)
        return status;
    if (memcmp(header, magic, known) != 0)
        return refuse(loader, CM_INVALID, "it is no saved map");
    if (status < 0)
        return status;
    if (!frame_is_sealed(header, sizeof header, &loader->chain))
        return refuse(loader, CM_CORRUPT, "its header is damaged");
    loader->expected = get_u64(header, 40);
    loader->meta = get_u64(header, 48);
    return header_judge(loader, type, header);
}

cm_status cm_loader_begin_(struct cm_loader_ *loader, const struct cm_saved_type_ *type, const cm_source *source,
                           const cm_progress *progress, const cm_allocator *allocator, const struct cm_file_ *file)
{
    *loader = (struct cm_loader_){.source = source, .progress = progress, .allocator = allocator, .file = file};
    loader->least = entry_least(type);
    cm_status status = header_read(loader, type);
    uint64_t most = file ? file->size / loader->least : 0;
    if (most && loader->expected > most)
        loader->expected = most;
    return status;
}

/* Room for so many bytes, the first `have` of which are there. More than asked for, so that blocks which are gathered
 * are copied once or twice, all in all. */
static bool block_grow(struct cm_loader_ *loader, size_t have, size_t bytes)
{
    struct cm_block_ larger;
    if (bytes <= loader->block.size)
        return true;
    if (have && bytes < 2 * loader->block.size)
        bytes = 2 * loader->block.size;
    if (!cm_block_allocate_(loader->allocator, bytes, 8, false, &larger))
        return false;
    if (have)
        memcpy(larger.address, loader->block.address, have);
    cm_block_release_(loader->allocator, &loader->block);
    loader->block = larger;
    return true;
}

/* Reads the bytes of a block, behind those of others that are gathered. Its size is believed only as far as bytes come:
 * never more memory than twice of those. */
static cm_status block_read(struct cm_loader_ *loader, size_t gathered, uint64_t bytes)
{
    for (size_t have = 0, got; have < bytes; have += got) {
        size_t more = have > READ_FIRST ? have : READ_FIRST;
        size_t at = gathered + have;
        if (more > bytes - have)
            more = (size_t)(bytes - have);
        if (!block_grow(loader, at, at + more))
            return CM_NOMEM;
        cm_status status = loader_read(loader, (char *)loader->block.address + at, more, &got);
        if (status < 0)
            return status;
    }
    return CM_OK;
}

/* The last frame was read. */
static cm_status end_check(struct cm_loader_ *loader, uint64_t entries)
{
    char more;
    size_t got = 0;
    loader->ended = true;
    if (entries != loader->loaded + loader->entries)
        return refuse(loader, CM_CORRUPT, "it has fewer or more entries than it says");
    if (!loader->file)
        return CM_ABSENT;
    cm_status status = loader->source->read(loader->source->context, &more, 1, &got);
    if (status < 0)
        return refuse(loader, status, "reading failed");
    return got ? refuse(loader, CM_CORRUPT, "something follows its end") : CM_ABSENT;
}

/* Reads the next block behind those that are gathered, and counts its bytes and entries to theirs. CM_ABSENT: there is
 * none. */
static cm_status block_next(struct cm_loader_ *loader, size_t *gathered)
{
    char frame[CM_SAVED_FRAME_];
    size_t got;
    cm_status status = loader_read(loader, frame, sizeof frame, &got);
    if (status < 0)
        return status;
    if (!frame_is_sealed(frame, sizeof frame, &loader->chain))
        return refuse(loader, CM_CORRUPT, "a block's header is damaged");
    uint64_t bytes = get_u64(frame, 0), entries = get_u64(frame, 8);
    if (bytes == 0)
        return end_check(loader, entries);
    if (entries > bytes / loader->least)
        return refuse(loader, CM_CORRUPT, "a block has more entries than bytes for them");
    status = block_read(loader, *gathered, bytes);
    if (status < 0)
        return status;
    if (XXH3_64bits((char *)loader->block.address + *gathered, bytes) != get_u64(frame, 16))
        return refuse(loader, CM_CORRUPT, "a block is damaged");
    *gathered += bytes;
    loader->entries += entries;
    return CM_OK;
}

static bool size_is_known(const struct cm_loader_ *loader)
{
    return loader->file && loader->file->size > 0;
}

/* Whether more is to be read before the first entries are added. What has come bears out a table of a certain size
 * (cm_loader_expects_()), and one that is too small has to be made, filled and moved: where that could be spared, as
 * many entries are gathered as bear out all of them. */
static bool loader_gathers(const struct cm_loader_ *loader, size_t gathered)
{
    return loader->loaded == 0 && !size_is_known(loader) && gathered < GATHERED_MOST &&
           loader->expected > PREPARED_FIRST && loader->entries < loader->expected / PREPARED_AHEAD + 1;
}

cm_status cm_loader_fetch_(struct cm_loader_ *loader)
{
    cm_status status = CM_OK;
    size_t gathered = 0;
    loader->loaded += loader->entries;
    if (loader->entries)
        status = progress_tell(loader->progress, loader->loaded, loader->expected, &loader->reason);
    loader->entries = 0;
    if (status < 0 || loader->ended)
        return status < 0 ? status : CM_ABSENT;
    do
        status = block_next(loader, &gathered);
    while (status == CM_OK && loader_gathers(loader, gathered));
    loader->decoder.at = loader->block.address;
    loader->decoder.end = loader->decoder.at + gathered;
    return status == CM_ABSENT && gathered ? CM_OK : status;
}

size_t cm_loader_expects_(struct cm_loader_ *loader)
{
    uint64_t seen = loader->loaded + loader->entries, likely = loader->expected;
    if (seen <= loader->prepared || likely <= loader->prepared)
        return 0;
    if (!size_is_known(loader)) {
        uint64_t most = seen * PREPARED_AHEAD > PREPARED_FIRST ? seen * PREPARED_AHEAD : PREPARED_FIRST;
        likely = likely < most ? likely : most;
    }
    loader->prepared = likely;
    return (size_t)likely;
}

cm_status cm_loader_check_(const struct cm_loader_ *loader)
{
    return loader->decoder.at == loader->decoder.end ? CM_OK : CM_CORRUPT;
}

cm_status cm_loader_end_(struct cm_loader_ *loader, cm_status status, const char **reason)
{
    cm_block_release_(loader->allocator, &loader->block);
    if (status == CM_CORRUPT && !loader->reason)
        loader->reason = "an entry is damaged, or a key is there twice";
    return end_tell(status, loader->reason, reason);
}

cm_status cm_decode_bytes(cm_decoder *from, void *bytes, size_t size)
{
    const char *at = cm_decoder_take_(from, size);
    if (!at)
        return CM_CORRUPT;
    if (size)
        memcpy(bytes, at, size);
    return CM_OK;
}

cm_status cm_decode_u64(cm_decoder *from, uint64_t *number)
{
    uint64_t bytes;
    cm_status status = cm_decode_bytes(from, &bytes, sizeof bytes);
    if (status == CM_OK)
        *number = cm_saved_u64_(bytes);
    return status;
}

size_t cm_decode_left(const cm_decoder *from)
{
    return (size_t)(from->end - from->at);
}
