/* cds_lfht for one pair of key and value; included by core/instances.h. */
#include "entry.h"

#define MAP struct NAME(map)
#define LOCAL struct NAME(local)
#define NODE struct NAME(node)

MAP
{
    struct cds_lfht *table;
};

LOCAL
{
    char none;
};

NODE
{
    struct cds_lfht_node node;
    struct rcu_head rcu;
    struct NAME(entry) entry;
};

static inline NODE *NAME(node_of)(struct cds_lfht_node *node)
{
    return node ? caa_container_of(node, NODE, node) : NULL;
}

static NODE *NAME(node_make)(KEY key, VALUE value)
{
    NODE *node = malloc(sizeof *node);
    if (!node)
        bench_fatal("malloc", 0);
    cds_lfht_node_init(&node->node);
    node->entry = (struct NAME(entry)){NAME(key_copy)(key), value};
    return node;
}

static void NAME(node_free)(NODE *node)
{
    NAME(key_free)(node->entry.key);
    free(node);
}

static void NAME(node_reclaim)(struct rcu_head *rcu)
{
    NAME(node_free)(caa_container_of(rcu, NODE, rcu));
}

static int NAME(matches)(struct cds_lfht_node *node, const void *key)
{
    return NAME(equal)(NAME(node_of)(node)->entry.key, *(const KEY *)key);
}

static void *NAME(create)(size_t capacity, unsigned threads)
{
    (void)threads;
    MAP *map = malloc(sizeof *map);
    size_t buckets = 1;
    while (buckets < capacity)
        buckets *= 2;
    if (map)
        map->table =
            cds_lfht_new_flavor(buckets, 1, 0, CDS_LFHT_AUTO_RESIZE | CDS_LFHT_ACCOUNTING, &urcu_memb_flavor, NULL);
    if (!map || !map->table)
        bench_fatal("cds_lfht_new", 0);
    return map;
}

static inline LOCAL NAME(enter)(MAP *map, unsigned thread)
{
    (void)map, (void)thread;
    urcu_memb_register_thread();
    return (LOCAL){0};
}

static inline void NAME(leave)(MAP *map, LOCAL *local)
{
    (void)map, (void)local;
    urcu_memb_unregister_thread();
}

static inline NODE *NAME(find)(MAP *map, KEY key, struct cds_lfht_iter *iter)
{
    cds_lfht_lookup(map->table, NAME(hash)(key), NAME(matches), &key, iter);
    return NAME(node_of)(cds_lfht_iter_get_node(iter));
}

static inline bool NAME(get)(MAP *map, LOCAL *local, KEY key, VALUE *value)
{
    (void)local;
    struct cds_lfht_iter iter;
    urcu_memb_read_lock();
    const NODE *node = NAME(find)(map, key, &iter);
    if (node)
        *value = node->entry.value;
    urcu_memb_read_unlock();
    return node != NULL;
}

static inline bool NAME(insert)(MAP *map, LOCAL *local, KEY key, VALUE value)
{
    (void)local;
    NODE *node = NAME(node_make)(key, value);
    urcu_memb_read_lock();
    bool fresh = cds_lfht_add_unique(map->table, NAME(hash)(key), NAME(matches), &key, &node->node) == &node->node;
    urcu_memb_read_unlock();
    if (!fresh)
        NAME(node_free)(node);
    return fresh;
}

static inline bool NAME(remove)(MAP *map, LOCAL *local, KEY key)
{
    (void)local;
    struct cds_lfht_iter iter;
    urcu_memb_read_lock();
    NODE *node = NAME(find)(map, key, &iter);
    bool removed = node && cds_lfht_del(map->table, &node->node) == 0;
    urcu_memb_read_unlock();
    if (removed)
        urcu_memb_call_rcu(&node->rcu, NAME(node_reclaim));
    return removed;
}

/* Tried again while somebody else replaces the node first. */
static inline bool NAME(update)(MAP *map, LOCAL *local, KEY key)
{
    (void)local;
    struct cds_lfht_iter iter;
    for (;;) {
        urcu_memb_read_lock();
        NODE *old = NAME(find)(map, key, &iter), *changed = NULL;
        bool replaced = false;
        if (old) {
            changed = NAME(node_make)(key, old->entry.value);
            changed->entry.value.word[0]++;
            replaced = cds_lfht_replace(map->table, &iter, NAME(hash)(key), NAME(matches), &key, &changed->node) == 0;
        }
        urcu_memb_read_unlock();
        if (!old)
            return false;
        if (replaced) {
            urcu_memb_call_rcu(&old->rcu, NAME(node_reclaim));
            return true;
        }
        NAME(node_free)(changed);
    }
}

static inline bool NAME(upsert)(MAP *map, LOCAL *local, KEY key, VALUE value)
{
    for (;;) {
        if (NAME(update)(map, local, key))
            return false;
        if (NAME(insert)(map, local, key, value))
            return true;
    }
}

#include "../core/loop.h"

static void NAME(contents)(void *opaque, struct bench_contents *contents)
{
    MAP *map = opaque;
    struct cds_lfht_iter iter;
    NODE *node;
    *contents = (struct bench_contents){0};
    urcu_memb_register_thread();
    urcu_memb_read_lock();
    cds_lfht_for_each_entry(map->table, &iter, node, node)
    {
        contents->entries++;
        contents->checksum += NAME(digest)(node->entry.key, &node->entry.value);
    }
    urcu_memb_read_unlock();
    urcu_memb_unregister_thread();
}

static void NAME(destroy)(void *opaque)
{
    MAP *map = opaque;
    struct cds_lfht_iter iter;
    NODE *node;
    urcu_memb_register_thread();
    urcu_memb_read_lock();
    cds_lfht_for_each_entry(map->table, &iter, node, node) if (cds_lfht_del(map->table, &node->node) == 0)
        urcu_memb_call_rcu(&node->rcu, NAME(node_reclaim));
    urcu_memb_read_unlock();
    urcu_memb_unregister_thread();
    urcu_memb_barrier();
    cds_lfht_destroy(map->table, NULL);
    free(map);
}

static const struct bench_ops NAME(ops) = {NAME(create),    NAME(fill),     NAME(run),
                                           NAME(run_timed), NAME(contents), NAME(destroy)};

#undef MAP
#undef LOCAL
#undef NODE
