/* How boxes are saved. */
#ifndef CONCMAP_TESTS_CODED_BOXES_H
#define CONCMAP_TESTS_CODED_BOXES_H

#include <concmap/saved.h>

#include "boxes.h"

static inline cm_status coded_box_encode(cm_encoder *to, const struct box *box, void *context)
{
    (void)context;
    return cm_encode_u64(to, *box->number);
}

static inline cm_status coded_box_decode(struct box *box, cm_decoder *from, void *context)
{
    uint64_t number;
    (void)context;
    cm_status status = cm_decode_u64(from, &number);
    if (status >= 0)
        *box = box_of(number);
    return status;
}

#define CODED_BOX CM_CODED(coded_box_encode, coded_box_decode)

#endif
