/* How long a call may wait. */
#ifndef CONCMAP_DEADLINE_H
#define CONCMAP_DEADLINE_H

#include <concmap/detail/platform.h>

CM_BEGIN_DECLS

/* A time of CLOCK_MONOTONIC in nanoseconds. A call that would wait beyond it returns CM_TIMEOUT. */
typedef uint64_t cm_deadline;

#define CM_FOREVER UINT64_MAX
#define CM_TRY UINT64_C(0) /* not at all: CM_BUSY instead of CM_TIMEOUT */

/* The deadline so many nanoseconds from now; CM_FOREVER if that is beyond all times. */
CM_API cm_deadline cm_deadline_after(uint64_t nanoseconds);

CM_END_DECLS

#endif
