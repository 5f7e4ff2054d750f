/* The messages of a batch: for each partition one that is being filled, and those that were sent.
 *
 * A group is a message of up to `batch` requests, and room for the texts of their keys. It belongs to its batch: to the
 * sender while it is filled, and again once `done` of the message is set; to the owner in between. Groups are used
 * again as they come back, and what a batch leaves is kept for the thread's next one (struct cm_spare_). */
#ifndef CONCMAP_DETAIL_BUNDLE_H
#define CONCMAP_DETAIL_BUNDLE_H

#include <concmap/detail/partition.h>
#include <concmap/detail/per_thread.h>
#include <concmap/status.h>

CM_BEGIN_DECLS

struct cm_group_ {
    struct cm_message_ message;
    struct cm_group_ *next;
    char *requests;
    char *text; /* of the requests' keys, one after the other */
    size_t text_used, text_room;
    uint32_t n;
    uint32_t at;      /* those before this one are done */
    cm_status failed; /* the first failure */
    struct cm_block_ block;
};

struct cm_bundle_part_ {
    struct cm_group_ *filling;     /* or NULL */
    struct cm_group_ *sent, *last; /* in the order of sending */
    struct cm_group_ *idle;
};

struct cm_bundle_ {
    struct cm_partitions_ *map;
    struct cm_bundle_part_ *parts;
    struct cm_latch_ latch;
    cm_status failed; /* the first failure of those that came back */
    size_t size;      /* of the block */
};

/* Of each thread. */
struct cm_spare_ {
    struct cm_bundle_ *bundle;
};

/* How the requests of a type lie, and who runs them. */
struct cm_bundle_type_ {
    size_t size, alignment;
    void (*run)(struct cm_message_ *message, struct cm_partition_ *partition, cm_status dropped);
};

/* NULL: no memory. */
CM_API struct cm_bundle_ *cm_bundle_begin_(struct cm_partitions_ *map);
/* Gives the memory back, or keeps it for the calling thread. Nothing is under way. */
CM_API void cm_bundle_end_(struct cm_bundle_ *bundle);
CM_API void cm_bundle_free_(struct cm_partitions_ *map, struct cm_bundle_ *bundle);
/* Makes room for one more request, with so much text, in the group that is being filled. Waits for room in the queue.
 * A failure: nothing has changed but what was sent. */
CM_API CM_COLD cm_status cm_bundle_make_room_(struct cm_bundle_ *bundle, struct cm_partition_ *partition,
                                              const struct cm_bundle_type_ *type, size_t text, cm_deadline deadline);
/* Sends what is there. */
CM_API cm_status cm_bundle_send_(struct cm_bundle_ *bundle, cm_deadline deadline);
/* Sends, and waits until all is done. If that fails and it `gives_up`, what was not begun is told why, and the rest is
 * waited for. */
CM_API cm_status cm_bundle_wait_(struct cm_bundle_ *bundle, bool gives_up, cm_deadline deadline);

/* Takes back what was not begun, and tells it why; and what was not sent. */
CM_API void cm_bundle_give_up_(struct cm_bundle_ *bundle, cm_status why);

/* The group that takes the next request for a partition; NULL: room must be made. */
CM_INLINE struct cm_group_ *cm_bundle_group_(const struct cm_bundle_ *bundle, const struct cm_partition_ *partition,
                                             size_t text)
{
    struct cm_group_ *group = bundle->parts[partition->index].filling;
    bool fits = group && group->n < bundle->map->batch && text <= group->text_room - group->text_used;
    return CM_LIKELY(fits) ? group : NULL;
}

/* A copy of a key's text that the group has. There is room. */
CM_INLINE cm_str cm_group_text_(struct cm_group_ *group, cm_str text)
{
    cm_str own = cm_str_from(group->text + group->text_used, text.len);
    if (text.len)
        memcpy(group->text + group->text_used, text.data, text.len);
    else
        own.data = "";
    group->text_used += text.len;
    return own;
}

CM_END_DECLS

#endif
