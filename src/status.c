/* The texts of outcomes. */
#include <concmap/status.h>

const char *cm_status_text(cm_status status)
{
    switch (status) {
    case CM_OK:
        return "ok";
    case CM_EXISTS:
        return "the key exists";
    case CM_REPLACED:
        return "the value was replaced";
    case CM_ABSENT:
        return "the key is absent";
    case CM_NOMEM:
        return "out of memory";
    case CM_FULL:
        return "the map is full";
    case CM_BUSY:
        return "busy: the call would have to wait";
    case CM_TIMEOUT:
        return "the deadline passed";
    case CM_DEADLOCK:
        return "the call would wait for its own thread";
    case CM_OWNER_DIED:
        return "the thread that held the lock ended";
    case CM_INVALID:
        return "invalid argument, or a library of another version";
    case CM_CORRUPT:
        return "corrupt data";
    case CM_IO:
        return "input or output failed";
    case CM_CLOSED:
        return "the map is shut down";
    }
    return "unknown status";
}
