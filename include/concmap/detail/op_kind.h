/* The operations of mixed batches (name_apply_many). */
#ifndef CONCMAP_DETAIL_OP_KIND_H
#define CONCMAP_DETAIL_OP_KIND_H

typedef enum cm_op_kind { CM_OP_GET, CM_OP_INSERT, CM_OP_PUT, CM_OP_UPDATE, CM_OP_UPSERT, CM_OP_REMOVE } cm_op_kind;

#define CM_OP_(how, name, Key, Value)                                                                                  \
    /* One operation of a mixed batch. GET, PUT and REMOVE leave the (old) value in `value`; INSERT and UPSERT take it \
     * as the initial one; UPDATE and UPSERT run the function. */                                                      \
    CM_SHOWN_(                                                                                                         \
        how, typedef struct name##_op {                                                                                \
            cm_op_kind kind;                                                                                           \
            cm_status status;                                                                                          \
            Key key;                                                                                                   \
            Value value;                                                                                               \
            cm_status (*function)(Value *, void *);                                                                    \
            void *context;                                                                                             \
        } name##_op;)

#endif
