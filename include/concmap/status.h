/* The outcome of a call. */
#ifndef CONCMAP_STATUS_H
#define CONCMAP_STATUS_H

#include <concmap/detail/platform.h>

CM_BEGIN_DECLS

#ifdef __cplusplus
#define CM_STATUS_BASE_ : int /* in C++ an enum holds what its names span, unless told otherwise; in C these are ints */
#else
#define CM_STATUS_BASE_
#endif

/* At least 0: an outcome. Less than 0: a failure, and the map is as it was. Functions given to a map may return
 * any other int: it is handed through, and its sign counts. */
typedef enum cm_status CM_STATUS_BASE_ {
    CM_OK = 0,
    CM_EXISTS = 1,   /* the key was there, and its value was left alone */
    CM_REPLACED = 2, /* the key was there, and has a new value */
    CM_ABSENT = 3,   /* the key was not there */
    CM_NOMEM = -1,
    CM_FULL = -2,
    CM_BUSY = -3,
    CM_TIMEOUT = -4,
    CM_DEADLOCK = -5,
    CM_OWNER_DIED = -6,
    CM_INVALID = -7,
    CM_CORRUPT = -8,
    CM_IO = -9,
    CM_CLOSED = -10 /* the map was shut down before it came to this */
} cm_status;

/* What a status means, in a few words; static text, never NULL, for unknown numbers too. Wait-free. */
CM_API const char *cm_status_text(cm_status status);

CM_END_DECLS

#endif
