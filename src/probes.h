/* Static probes (USDT), for tracers: perf, bpftrace, SystemTap, gdb. Internal.
 *
 *     concmap:grow_begin(map, buckets, next_buckets)   a next table was hung on, a smaller one where the map shrinks
 *     concmap:grow_end(map, buckets, next_buckets)     its buckets have moved, and the old table is unlinked
 *     concmap:wait_begin(cell, exclusive)              a thread found a lock taken and begins to wait
 *     concmap:wait_end(cell, nanoseconds, result)      it waits no more: 0 it has the lock, 1 the bucket has moved,
 * less than 0 a cm_status concmap:reclaim_stall(epoch, thread)             memory waits on, because the thread of this
 * index is inside
 *
 * Where the system has <sys/sdt.h> each is one instruction that does nothing, in code that is cold in any case;
 * elsewhere they are nothing. A probe that is watched raises its semaphore (src/probes.c): what only a tracer wants to
 * know is asked for behind it. */
#ifndef CONCMAP_SRC_PROBES_H
#define CONCMAP_SRC_PROBES_H

#if defined(__has_include)
#if __has_include(<sys/sdt.h>)
#define CM_PROBES 1
#endif
#endif
#ifndef CM_PROBES
#define CM_PROBES 0
#endif

#if CM_PROBES
#define _SDT_HAS_SEMAPHORES 1 /* NOLINT: sys/sdt.h asks for this name */
#include <sys/sdt.h>
#define CM_PROBE2(name, a, b) STAP_PROBE2(concmap, name, a, b)
#define CM_PROBE3(name, a, b, c) STAP_PROBE3(concmap, name, a, b, c)
/* Whether a tracer watches the probe. */
#define CM_PROBE_WATCHED(name) (*(volatile unsigned short *)&concmap_##name##_semaphore != 0)

/* Tracers find them by these names, and count themselves in. */
extern unsigned short concmap_grow_begin_semaphore;
extern unsigned short concmap_grow_end_semaphore;
extern unsigned short concmap_wait_begin_semaphore;
extern unsigned short concmap_wait_end_semaphore;
extern unsigned short concmap_reclaim_stall_semaphore;
#else
#define CM_PROBE2(name, a, b) ((void)(a), (void)(b))
#define CM_PROBE3(name, a, b, c) ((void)(a), (void)(b), (void)(c))
#define CM_PROBE_WATCHED(name) 0
#endif

#endif
