/* The messages of a batch. */
#include <concmap/detail/bundle.h>

#define TEXT_LEAST 32 /* bytes for each request */

/* ---- memory ---- */

struct cm_bundle_ *cm_bundle_begin_(struct cm_partitions_ *map)
{
    struct cm_thread_ *thread = cm_thread_get_();
    struct cm_spare_ *spare = cm_per_thread_get_(&map->spares, &map->allocator, thread->index, sizeof *spare);
    if (spare && spare->bundle) {
        struct cm_bundle_ *bundle = spare->bundle;
        spare->bundle = NULL;
        return bundle;
    }
    size_t size = sizeof(struct cm_bundle_) + map->count * sizeof(struct cm_bundle_part_);
    struct cm_bundle_ *bundle = map->allocator.allocate(map->allocator.context, size, sizeof(void *));
    if (!bundle)
        return NULL;
    memset(bundle, 0, size);
    bundle->map = map;
    bundle->size = size;
    bundle->parts = (struct cm_bundle_part_ *)(bundle + 1);
    return bundle;
}

static void group_free(struct cm_partitions_ *map, struct cm_group_ *group)
{
    if (group->text)
        map->allocator.deallocate(map->allocator.context, group->text, group->text_room, 1);
    cm_block_release_(&map->allocator, &group->block);
}

static void groups_free(struct cm_partitions_ *map, struct cm_group_ *group)
{
    for (struct cm_group_ *next; group; group = next) {
        next = group->next;
        group_free(map, group);
    }
}

void cm_bundle_free_(struct cm_partitions_ *map, struct cm_bundle_ *bundle)
{
    if (!bundle)
        return;
    for (uint32_t i = 0; i < map->count; i++) {
        groups_free(map, bundle->parts[i].filling);
        groups_free(map, bundle->parts[i].idle);
    }
    map->allocator.deallocate(map->allocator.context, bundle, bundle->size, sizeof(void *));
}

void cm_bundle_end_(struct cm_bundle_ *bundle)
{
    struct cm_partitions_ *map = bundle->map;
    struct cm_thread_ *thread = cm_thread_get_();
    struct cm_spare_ *spare = cm_per_thread_get_(&map->spares, &map->allocator, thread->index, sizeof *spare);
    bundle->failed = CM_OK;
    if (!spare || spare->bundle) {
        cm_bundle_free_(map, bundle);
        return;
    }
    for (uint32_t i = 0; i < map->count; i++) { /* one group of each partition is kept */
        struct cm_bundle_part_ *part = &bundle->parts[i];
        struct cm_group_ **rest = part->filling || !part->idle ? &part->idle : &part->idle->next;
        groups_free(map, *rest);
        *rest = NULL;
    }
    spare->bundle = bundle;
}

static struct cm_group_ *group_make(struct cm_bundle_ *bundle, const struct cm_bundle_type_ *type)
{
    struct cm_partitions_ *map = bundle->map;
    struct cm_block_ block;
    size_t alignment = type->alignment > CM_LINE ? type->alignment : CM_LINE;
    size_t offset = cm_align_up_(sizeof(struct cm_group_), alignment);
    if (!cm_block_allocate_(&map->allocator, offset + map->batch * type->size, alignment, false, &block))
        return NULL;
    struct cm_group_ *group = block.address;
    *group = (struct cm_group_){.message = {.run = type->run}, .block = block, .requests = (char *)group + offset};
    return group;
}

/* ---- sending ---- */

static cm_status group_send(struct cm_bundle_ *bundle, struct cm_partition_ *partition, cm_deadline deadline)
{
    struct cm_bundle_part_ *part = &bundle->parts[partition->index];
    struct cm_group_ *group = part->filling;
    group->message.requests = group->n;
    cm_status status = cm_partition_send_(partition, &group->message, &bundle->latch, deadline);
    if (status < 0 && status != CM_CLOSED)
        return status;
    part->filling = NULL;
    group->next = NULL;
    *(part->sent ? &part->last->next : &part->sent) = group;
    part->last = group;
    if (status == CM_CLOSED) { /* told here instead: nobody else will */
        group->message.run(&group->message, partition, CM_CLOSED);
        cm_store_relaxed_(&group->message.done, 1);
    }
    return CM_OK;
}

/* Takes a group that has come back. */
static void group_collect(struct cm_bundle_ *bundle, struct cm_group_ *group)
{
    if (bundle->failed == CM_OK)
        bundle->failed = group->failed;
    group->failed = CM_OK;
    group->n = group->at = 0;
    group->text_used = 0;
}

/* A group for requests to come: one that is idle, or the oldest if it has come back, or a new one. */
static struct cm_group_ *group_take(struct cm_bundle_ *bundle, struct cm_bundle_part_ *part,
                                    const struct cm_bundle_type_ *type)
{
    struct cm_group_ *group = part->idle;
    if (group) {
        part->idle = group->next;
    } else if (part->sent && cm_load_acquire_(&part->sent->message.done)) { /* pairs with the owner's release */
        group = part->sent;
        part->sent = group->next;
        group_collect(bundle, group);
    } else {
        group = group_make(bundle, type);
    }
    if (group)
        group->next = NULL;
    return group;
}

static bool text_make_room(struct cm_bundle_ *bundle, struct cm_group_ *group, size_t text)
{
    const cm_allocator *allocator = &bundle->map->allocator;
    if (text <= group->text_room)
        return true;
    size_t room = bundle->map->batch * (size_t)TEXT_LEAST;
    room = text > room ? text : room;
    char *made = allocator->allocate(allocator->context, room, 1);
    if (!made)
        return false;
    if (group->text)
        allocator->deallocate(allocator->context, group->text, group->text_room, 1);
    group->text = made;
    group->text_room = room;
    return true;
}

cm_status cm_bundle_make_room_(struct cm_bundle_ *bundle, struct cm_partition_ *partition,
                               const struct cm_bundle_type_ *type, size_t text, cm_deadline deadline)
{
    struct cm_bundle_part_ *part = &bundle->parts[partition->index];
    if (part->filling && part->filling->n > 0) {
        cm_status status = group_send(bundle, partition, deadline);
        if (status < 0)
            return status;
    }
    if (!part->filling)
        part->filling = group_take(bundle, part, type);
    if (!part->filling || !text_make_room(bundle, part->filling, text))
        return CM_NOMEM;
    return CM_OK;
}

cm_status cm_bundle_send_(struct cm_bundle_ *bundle, cm_deadline deadline)
{
    cm_status worst = CM_OK;
    for (uint32_t i = 0; i < bundle->map->count; i++) {
        const struct cm_group_ *group = bundle->parts[i].filling;
        if (group && group->n)
            worst = cm_status_worse_(worst, group_send(bundle, &bundle->map->parts[i], deadline));
    }
    return worst;
}

/* ---- waiting ---- */

/* Those that were sent and have not come back, as a list. */
static struct cm_message_ *messages_under_way(struct cm_bundle_ *bundle)
{
    struct cm_message_ *list = NULL;
    for (uint32_t i = 0; i < bundle->map->count; i++)
        for (struct cm_group_ *group = bundle->parts[i].sent; group; group = group->next) {
            if (cm_load_acquire_(&group->message.done))
                continue;
            group->message.next = list;
            list = &group->message;
        }
    return list;
}

/* Tells why to what was not begun, and to what was not sent. */
void cm_bundle_give_up_(struct cm_bundle_ *bundle, cm_status why)
{
    for (uint32_t i = 0; i < bundle->map->count; i++) {
        struct cm_partition_ *partition = &bundle->map->parts[i];
        struct cm_group_ *filling = bundle->parts[i].filling;
        for (struct cm_group_ *group = bundle->parts[i].sent; group; group = group->next) {
            if (!cm_message_take_back_(&group->message))
                continue;
            group->message.run(&group->message, partition, why);
            cm_store_relaxed_(&group->message.done, 1);
        }
        if (filling && filling->n) {
            filling->message.run(&filling->message, partition, why);
            group_collect(bundle, filling);
        }
    }
}

static void bundle_collect(struct cm_bundle_ *bundle)
{
    for (uint32_t i = 0; i < bundle->map->count; i++) {
        struct cm_bundle_part_ *part = &bundle->parts[i];
        for (struct cm_group_ *group; (group = part->sent) != NULL;) {
            part->sent = group->next;
            group_collect(bundle, group);
            group->next = part->idle;
            part->idle = group;
        }
    }
    cm_store_relaxed_(&bundle->latch.word, 0); /* nobody waits, and nobody counts it down */
}

cm_status cm_bundle_wait_(struct cm_bundle_ *bundle, bool gives_up, cm_deadline deadline)
{
    cm_status status = cm_bundle_send_(bundle, deadline);
    if (status == CM_OK)
        status = cm_latch_wait_(&bundle->latch, messages_under_way(bundle), true, deadline);
    if (status < 0 && !gives_up)
        return status;
    if (status < 0) {
        cm_bundle_give_up_(bundle, status);
        cm_latch_wait_(&bundle->latch, messages_under_way(bundle), false, CM_FOREVER);
    }
    bundle_collect(bundle);
    return status;
}
