/* The text files under some paths, read into memory. */
#ifndef EXAMPLES_CORPUS_H
#define EXAMPLES_CORPUS_H

#include <stdbool.h>
#include <stddef.h>

struct text {
    char *data;
    size_t size;
};

struct corpus {
    struct text *texts;
    size_t count;
    size_t bytes;
    size_t binary;     /* skipped: they hold a zero byte */
    size_t unreadable; /* skipped: they could not be opened or read */
};

/* Adds the files under a path; letters are made lower case. False: there is no such path; errno tells why. Exits where
 * memory ends. */
bool corpus_add(struct corpus *corpus, const char *path);
void corpus_free(struct corpus *corpus);

/* The next word from *at on, a run of letters, digits and bytes above 127; moves *at past it. NULL: there is none. */
const char *text_word(const char **at, const char *end, size_t *length);

#endif
