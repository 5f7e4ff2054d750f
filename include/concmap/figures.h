/* Figures that a map tells of itself. */
#ifndef CONCMAP_FIGURES_H
#define CONCMAP_FIGURES_H

#include <stddef.h>

/* Bytes that a map takes from the system. */
typedef struct cm_memory {
    size_t table;   /* tables and their overflow buckets, without those that wait */
    size_t nodes;   /* nodes and long texts, free ones included, without those that wait */
    size_t waiting; /* for readers to leave, to be given back or used again */
    size_t total;
} cm_memory;

#endif
