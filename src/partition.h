/* What the making and ending of partitioned maps needs of partitions. Internal. */
#ifndef CONCMAP_PARTITION_H
#define CONCMAP_PARTITION_H

#include <concmap/detail/partition.h>

/* Tells the owner that there is something to do. */
void cm_partition_ring_(struct cm_partition_ *partition);
/* For the owner: serves all there is; true: the queue is closed, and done. */
bool cm_partition_serve_closed_(struct cm_partition_ *partition);
/* For the owner: leaves the partition to its senders, and sleeps until it is rung for, or there is something. */
void cm_partition_lend_(struct cm_partition_ *partition);
/* The queue was closed: whoever waits looks again. */
void cm_partition_closed_(struct cm_partition_ *partition);
/* Whether a function of the user runs in the calling thread, as the owner of a partition. */
bool cm_owner_runs_(void);
/* For an owner whose function has begun to end its thread, but that goes on. */
void cm_partition_revive_(struct cm_partition_ *partition);

#endif
