/* The semaphores of the probes: they lie where tracers look for them. */
#include "probes.h"

#if CM_PROBES
#define SEMAPHORE(name) unsigned short concmap_##name##_semaphore __attribute__((section(".probes")))
SEMAPHORE(grow_begin);
SEMAPHORE(grow_end);
SEMAPHORE(wait_begin);
SEMAPHORE(wait_end);
SEMAPHORE(reclaim_stall);
#endif
