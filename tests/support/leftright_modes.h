/* The mode of left-right maps in which readers fence: for tests. */
#ifndef CONCMAP_TESTS_LEFTRIGHT_MODES_H
#define CONCMAP_TESTS_LEFTRIGHT_MODES_H

#include <concmap/leftright.h>

/* Takes back the mode in which a map begins: the next barrier is asked of the system. */
static inline void unfence(struct cm_leftright_ *core)
{
    if (!(cm_load_relaxed_(&core->word) & CM_NO_BARRIER_))
        cm_and_relaxed_(&core->word, ~CM_FENCING_);
}

#endif
