/* The kinds of operations in a mixed batch (name_apply_many). */
#ifndef CONCMAP_DETAIL_OP_KIND_H
#define CONCMAP_DETAIL_OP_KIND_H

typedef enum cm_op_kind { CM_OP_GET, CM_OP_INSERT, CM_OP_PUT, CM_OP_UPDATE, CM_OP_UPSERT, CM_OP_REMOVE } cm_op_kind;

#endif
