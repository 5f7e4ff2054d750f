/* Files that are read from their beginning to their end, and files that are there as a whole or not at all. */
#ifndef CONCMAP_DETAIL_FILES_H
#define CONCMAP_DETAIL_FILES_H

#include <concmap/status.h>

CM_BEGIN_DECLS

#define CM_FILE_NAME_ 256 /* bytes of a file's name without its directory */

struct cm_file_ {
    int fd;
    int directory;            /* of a file that is written; less than 0: none */
    uint64_t size;            /* of a file that is read; 0: unknown */
    uint64_t written;         /* bytes */
    uint64_t sent;            /* bytes that the system was asked to write to the disk by now */
    const char *reason;       /* why a call failed; NULL: none did */
    char beside[32];          /* the name under which it is written */
    char name[CM_FILE_NAME_]; /* and the one that it takes in the end */
};

/* Begins a file that takes the place of `path` once it is complete. CM_INVALID: there is something else than a file;
 * CM_IO. `reason` takes why. */
CM_API cm_status cm_file_create_(struct cm_file_ *file, const char *path, const char **reason);
/* Appends bytes; the context is the file. */
CM_API cm_status cm_file_write_(void *file, const void *bytes, size_t size);
/* Puts the file in its place, on the disk, if `status` is no failure; else, or if that fails, nothing remains of it. */
CM_API cm_status cm_file_end_(struct cm_file_ *file, cm_status status, const char **reason);

CM_API cm_status cm_file_open_(struct cm_file_ *file, const char *path, const char **reason);
/* Reads bytes, as cm_source does; the context is the file. */
CM_API cm_status cm_file_read_(void *file, void *bytes, size_t size, size_t *got);
CM_API void cm_file_close_(struct cm_file_ *file);

CM_END_DECLS

#endif
