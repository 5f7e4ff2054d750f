/* Files, by the calls of POSIX, and one of Linux where there is it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <concmap/detail/files.h>

#include <concmap/hash.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform.h"

#define SEND_AT ((uint64_t)8 << 20) /* bytes after which the disk is given something to do */
#define NAME_TRIES 16

static cm_status failed(const char **reason, const char *why)
{
    *reason = why;
    return CM_IO;
}

/* Where a file lies in the end: behind a symbolic link, if `path` is one. False: no such directory, or too long. */
static bool path_resolve(const char *path, char resolved[PATH_MAX])
{
    struct stat link;
    if (lstat(path, &link) == 0 && S_ISLNK(link.st_mode))
        return realpath(path, resolved) != NULL;
    size_t size = strlen(path);
    if (size >= PATH_MAX)
        return false;
    memcpy(resolved, path, size + 1);
    return true;
}

/* Opens the directory, and takes the name in it. */
static bool directory_open(struct cm_file_ *file, char path[PATH_MAX])
{
    char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    size_t size = strlen(name);
    if (size == 0 || size >= CM_FILE_NAME_)
        return false;
    memcpy(file->name, name, size + 1);
    if (slash)
        slash[slash == path ? 1 : 0] = 0;
    file->directory = open(slash ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return file->directory >= 0;
}

/* Makes a new file beside, with the permissions of the one that it will replace, or those that new files have. */
static bool beside_open(struct cm_file_ *file, const struct stat *replaced)
{
    for (int tries = 0; file->fd < 0 && tries < NAME_TRIES; tries++) {
        snprintf(file->beside, sizeof file->beside, ".concmap-%016llx", (unsigned long long)cm_seed_random());
        file->fd = openat(file->directory, file->beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file->fd < 0 && errno != EEXIST)
            return false;
    }
    if (file->fd < 0)
        return false;
    if (!replaced || fchmod(file->fd, replaced->st_mode & 0777) == 0)
        return true;
    unlinkat(file->directory, file->beside, 0);
    close(file->fd);
    file->fd = -1;
    return false;
}

cm_status cm_file_create_(struct cm_file_ *file, const char *path, const char **reason)
{
    CM_UNCANCELLED_();
    char resolved[PATH_MAX];
    struct stat old;
    memset(file, 0, sizeof *file);
    file->fd = file->directory = -1;
    if (!path_resolve(path, resolved) || !directory_open(file, resolved))
        return failed(reason, "the file's directory cannot be opened");
    bool replaces = fstatat(file->directory, file->name, &old, 0) == 0;
    bool other = replaces && !S_ISREG(old.st_mode);
    if (!other && beside_open(file, replaces ? &old : NULL))
        return CM_OK;
    close(file->directory);
    *reason = other ? "there is something else than a plain file of this name" : "no file can be made in the directory";
    return other ? CM_INVALID : CM_IO;
}

/* Lets the disk work while the rest is made, so that there is less to wait for in the end. */
static void file_send(struct cm_file_ *file)
{
#ifdef SYNC_FILE_RANGE_WRITE
    if (file->written - file->sent < SEND_AT)
        return;
    sync_file_range(file->fd, (off_t)file->sent, (off_t)(file->written - file->sent), SYNC_FILE_RANGE_WRITE);
    file->sent = file->written;
#else
    (void)file;
#endif
}

cm_status cm_file_write_(void *context, const void *bytes, size_t size)
{
    CM_UNCANCELLED_();
    struct cm_file_ *file = context;
    for (size_t done = 0; done < size;) {
        ssize_t wrote = write(file->fd, (const char *)bytes + done, size - done);
        if (wrote > 0)
            done += (size_t)wrote;
        else if (wrote == 0 || errno != EINTR)
            return failed(&file->reason, errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? "there is no more room"
                                                                                              : "the disk refused");
    }
    file->written += size;
    file_send(file);
    return CM_OK;
}

static int synced(int fd)
{
    int result;
    while ((result = fsync(fd)) != 0 && errno == EINTR)
        ;
    return result;
}

/* Some file systems offer no way to sync a directory. */
static bool directory_sync(int fd)
{
    return synced(fd) == 0 || errno == EINVAL || errno == ENOTSUP;
}

cm_status cm_file_end_(struct cm_file_ *file, cm_status status, const char **reason)
{
    CM_UNCANCELLED_();
    bool whole = status >= 0 && synced(file->fd) == 0;
    whole = close(file->fd) == 0 && whole;
    bool placed = whole && renameat(file->directory, file->beside, file->directory, file->name) == 0;
    if (!placed)
        unlinkat(file->directory, file->beside, 0);
    bool kept = placed && directory_sync(file->directory);
    close(file->directory);
    if (status < 0 && file->reason)
        *reason = file->reason;
    if (status < 0 || kept)
        return status;
    return failed(reason, placed  ? "the file is in its place, but the disk may not know it"
                          : whole ? "the file cannot be renamed"
                                  : "the disk refused");
}

cm_status cm_file_open_(struct cm_file_ *file, const char *path, const char **reason)
{
    CM_UNCANCELLED_();
    struct stat stat;
    memset(file, 0, sizeof *file);
    file->directory = -1;
    file->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0)
        return failed(reason, errno == ENOENT ? "there is no such file" : "the file cannot be opened");
    if (fstat(file->fd, &stat) == 0 && S_ISREG(stat.st_mode))
        file->size = (uint64_t)stat.st_size;
    return CM_OK;
}

cm_status cm_file_read_(void *context, void *bytes, size_t size, size_t *got)
{
    CM_UNCANCELLED_();
    struct cm_file_ *file = context;
    for (*got = 0; *got < size;) {
        ssize_t more = read(file->fd, (char *)bytes + *got, size - *got);
        if (more == 0)
            break;
        if (more > 0)
            *got += (size_t)more;
        else if (errno != EINTR)
            return CM_IO;
    }
    return CM_OK;
}

void cm_file_close_(struct cm_file_ *file)
{
    CM_UNCANCELLED_();
    close(file->fd);
    file->fd = -1;
}
