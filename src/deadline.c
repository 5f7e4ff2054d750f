/* Deadlines, by the monotonic clock. */
#include <concmap/deadline.h>

#include <time.h>

cm_deadline cm_deadline_after(uint64_t nanoseconds)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t time = (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
    return nanoseconds < CM_FOREVER - time ? time + nanoseconds : CM_FOREVER;
}
