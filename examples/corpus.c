/* Reading text files. */
#include "corpus.h"

#include <ctype.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "progress.h"

static struct corpus *adding; /* nftw passes no context */

static void *must(void *memory)
{
    if (!memory) {
        fprintf(stderr, "wordcount: out of memory\n");
        exit(1);
    }
    return memory;
}

static bool file_read(const char *path, size_t size, struct text *text)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    text->data = must(malloc(size + 1));
    text->size = fread(text->data, 1, size, file);
    bool read = !ferror(file);
    fclose(file);
    if (!read)
        free(text->data);
    return read;
}

static void text_lower(struct text *text)
{
    for (size_t i = 0; i < text->size; i++)
        text->data[i] = (char)tolower((unsigned char)text->data[i]); /* the C locale: ASCII only */
}

static void corpus_append(struct corpus *corpus, struct text text)
{
    if ((corpus->count & (corpus->count + 1)) == 0) /* full at 0, 1, 3, 7, ... */
        corpus->texts = must(realloc(corpus->texts, (corpus->count * 2 + 1) * sizeof text));
    text_lower(&text);
    corpus->texts[corpus->count++] = text;
    corpus->bytes += text.size;
}

static int visit(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)where;
    struct text text;
    if (kind == FTW_DNR || kind == FTW_NS) {
        adding->unreadable++;
    } else if (kind == FTW_F && S_ISREG(status->st_mode)) {
        if (!file_read(path, (size_t)status->st_size, &text)) {
            adding->unreadable++;
        } else if (memchr(text.data, 0, text.size)) {
            adding->binary++;
            free(text.data);
        } else {
            corpus_append(adding, text);
        }
    }
    return 0;
}

bool corpus_add(struct corpus *corpus, const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return false;
    adding = corpus;
    return nftw(path, visit, 64, FTW_PHYS) == 0;
}

void corpus_free(struct corpus *corpus)
{
    for (size_t i = 0; i < corpus->count; i++)
        free(corpus->texts[i].data);
    free(corpus->texts);
    *corpus = (struct corpus){0};
}

static bool is_word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || ((unsigned char)c & 0x80);
}

const char *text_word(const char **at, const char *end, size_t *length)
{
    const char *begin = *at;
    while (begin < end && !is_word_byte(*begin))
        begin++;
    const char *stop = begin;
    while (stop < end && is_word_byte(*stop))
        stop++;
    *at = stop;
    *length = (size_t)(stop - begin);
    return *length ? begin : NULL;
}
