/* Ready-made printers, and the text of stats. */
#include <concmap/printed.h>

#include <inttypes.h>
#include <stdarg.h>

#define LINE 160 /* no line of stats, and no number, is longer */

cm_status cm_write_file(void *file, const char *text, size_t size)
{
    return fwrite(text, 1, size, file) == size ? CM_OK : CM_IO;
}

cm_status cm_print_plain(const char *text, cm_write_text *write, void *context)
{
    return write(context, text, strlen(text));
}

static __attribute__((format(printf, 3, 4))) cm_status print_format(cm_write_text *write, void *context,
                                                                    const char *format, ...)
{
    char line[LINE];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    return write(context, line, size < 0 ? 0 : size < LINE ? (size_t)size : LINE - 1);
}

cm_status cm_print_u64(const uint64_t *number, cm_write_text *write, void *context)
{
    return print_format(write, context, "%" PRIu64, *number);
}

cm_status cm_print_i64(const int64_t *number, cm_write_text *write, void *context)
{
    return print_format(write, context, "%" PRId64, *number);
}

cm_status cm_print_u32(const uint32_t *number, cm_write_text *write, void *context)
{
    return print_format(write, context, "%" PRIu32, *number);
}

cm_status cm_print_i32(const int32_t *number, cm_write_text *write, void *context)
{
    return print_format(write, context, "%" PRId32, *number);
}

/* Text collected to pieces of some length, so that `write` is not called for each byte. */
struct piece {
    cm_write_text *write;
    void *context;
    size_t size;
    char text[LINE];
};

static cm_status piece_flush(struct piece *piece)
{
    cm_status status = piece->size ? piece->write(piece->context, piece->text, piece->size) : CM_OK;
    piece->size = 0;
    return status;
}

static cm_status piece_add(struct piece *piece, const char *text, size_t size)
{
    cm_status status = piece->size + size > sizeof piece->text ? piece_flush(piece) : CM_OK;
    memcpy(piece->text + piece->size, text, size);
    piece->size += size;
    return status;
}

/* A byte as it stands in a C string; returns how many there are of it. */
static size_t byte_escape(unsigned char byte, char escaped[4])
{
    static const char special[] = "\"\\\n\t\r", letters[] = "\"\\ntr";
    const char *found = byte ? strchr(special, byte) : NULL;
    if (!found && byte >= ' ' && byte <= '~') {
        escaped[0] = (char)byte;
        return 1;
    }
    escaped[0] = '\\';
    if (found) {
        escaped[1] = letters[found - special];
        return 2;
    }
    for (unsigned i = 0; i < 3; i++)
        escaped[1 + i] = (char)('0' + (byte >> (6 - 3 * i) & 7));
    return 4;
}

cm_status cm_print_str(const cm_str *text, cm_write_text *write, void *context)
{
    struct piece piece = {.write = write, .context = context};
    cm_status status = piece_add(&piece, "\"", 1);
    for (size_t i = 0; status >= 0 && i < text->len; i++) {
        char escaped[4];
        size_t size = byte_escape((unsigned char)text->data[i], escaped);
        status = piece_add(&piece, escaped, size);
    }
    if (status >= 0)
        status = piece_add(&piece, "\"", 1);
    return status < 0 ? status : piece_flush(&piece);
}

cm_status cm_print_bytes(const void *bytes, size_t size, cm_write_text *write, void *context)
{
    static const char digits[] = "0123456789abcdef";
    struct piece piece = {.write = write, .context = context};
    cm_status status = CM_OK;
    for (size_t i = 0; status >= 0 && i < size; i++) {
        unsigned char byte = ((const unsigned char *)bytes)[i];
        char pair[2] = {digits[byte >> 4], digits[byte & 15]};
        status = piece_add(&piece, pair, 2);
    }
    return status < 0 ? status : piece_flush(&piece);
}

cm_status cm_print_view_(size_t entries, uint64_t meta, cm_write_text *write, void *context)
{
    return print_format(write, context, "entries: %zu, meta: %" PRIu64 "\n", entries, meta);
}

/* ---- stats ---- */

static cm_status print_depths(const char *what, const size_t depths[CM_STATS_DEPTH], cm_write_text *write,
                              void *context)
{
    return print_format(write, context, "%s: %zu, %zu, %zu, more %zu\n", what, depths[0], depths[1], depths[2],
                        depths[3]);
}

static cm_status print_table(const cm_stats *stats, cm_write_text *write, void *context)
{
    cm_status status = print_format(write, context, "entries: %zu, grows at about %zu, load %.3f\n", stats->entries,
                                    stats->capacity, stats->load);
    if (status >= 0)
        status = print_format(write, context, "buckets: %zu of %zu slots, %zu empty, %zu overflow\n", stats->buckets,
                              stats->slots, stats->empty_buckets, stats->overflow_buckets);
    if (status >= 0)
        status = print_depths("chains of 1, 2, 3", stats->chains, write, context);
    if (status >= 0)
        status = print_depths("entries in the 1st, 2nd, 3rd bucket", stats->probes, write, context);
    return status < 0 ? status
                      : print_format(write, context,
                                     "tables: %zu, %zu buckets to move; grown %" PRIu64 ", shrunk %" PRIu64 " times\n",
                                     stats->tables, stats->moves_pending, stats->grows, stats->shrinks);
}

static cm_status print_memory(const cm_memory *memory, cm_write_text *write, void *context)
{
    return print_format(write, context, "bytes: %zu table, %zu nodes, %zu threads, %zu waiting, %zu in all\n",
                        memory->table, memory->nodes, memory->threads, memory->waiting, memory->total);
}

cm_status cm_print_stats(const cm_stats *stats, cm_write_text *write, void *context)
{
    cm_status status = print_table(stats, write, context);
    if (status >= 0)
        status = print_memory(&stats->memory, write, context);
    if (status >= 0)
        status = stats->waits_counted ? print_format(write, context, "waits: %" PRIu64 ", the longest %" PRIu64 " ns\n",
                                                     stats->waits, stats->longest_wait)
                                      : cm_print_plain("waits: not counted\n", write, context);
    return status;
}
