/* The partitioned map: each key has one owner, a thread with a plain map of its own (plain.h); others ask it by
 * messages.
 *
 *     CM_PARTITIONED_MAP(meters, uint64_t, struct meter, cm_hash_u64, cm_equal_u64)
 *
 * makes a type `meters` and functions `meters_get`, `meters_put`, ..., of the same names and outcomes as those of the
 * other maps, and the plain map `meters_plain` that each owner has. Nothing is shared, and no lock is taken: take it
 * where requests come in batches, or where functions should go to the data, rather than the data to the functions.
 *
 * Keys are divided by their hashes, or by a function of yours (owner_of). Each call on a key sends a message to its
 * owner and waits for the answer: some microseconds, if the owner sleeps. So send many at a time:
 *
 *     meters_batch batch = meters_batch_begin(&map);
 *     for (size_t i = 0; i < n; i++)
 *         meters_batch_put(&batch, keys[i], values[i], NULL);
 *     cm_status status = meters_batch_wait(&batch);
 *
 * or do not wait at all: futures, and functions that are called in the owner when a request is done
 * (detail/partitioned_futures.h).
 *
 * Owners are threads of the map, or, in a polled map, threads of yours: each takes a partition (partition_own), and
 * serves it from its own loop (partition_poll), told by a function of yours when something comes (partition_arm), or
 * asleep until then (owner_sleep).
 *
 * Order. What one thread sends to one key's owner is done in the order of sending: a call sends at once, a batch when a
 * message is full and when it is sent or waited for. Functions that an owner runs itself call at once.
 *
 * Threads. Any thread may call any function at any time, but init and destroy, which nobody may overlap; a batch and a
 * future are one thread's at a time.
 *
 * Blocking. A queue holds so many messages (config.queue), and then senders wait for room; calls wait for the answer.
 * try_VERB gives up (CM_BUSY) where the queue is full, or the owner has not come to it within some microseconds;
 * VERB_until (CM_TIMEOUT) past its deadline. What was given up is never done; what the owner has begun is waited for.
 * Whoever waits looks for some microseconds, and then sleeps. CM_DEADLOCK: the wait closes a circle of owners that wait
 * for one another in functions of yours, or of any other locks of the library; `get` and `contains` say false then.
 *
 * Lending. In a map with config.lent the thread of a partition that has nothing to do lends it: who sends then becomes
 * the owner for a moment, if it holds no lock of the library and runs no function of yours, and does what is in the
 * queue, its own request among it. So few hand-overs wait for the scheduler; but functions run in any thread that calls
 * the map, one at a time for each partition still, and a call, also one that only sends, may do up to 16 requests of
 * others first: one that has a deadline none that begins behind it, and try_VERB none but its own. What one sender
 * sends stays in order. A function must not end its thread, and is not cancelled; must leave the thread as it found it
 * (no quiescent, join or part in a domain, for the thread may use what it has found there); and must not take a lock of
 * yours that a thread may hold while it calls the map.
 *
 * Functions given to the map run in the owner. They may call this map, and any other: for keys of the same owner at
 * once (changes of the owner's entries are CM_DEADLOCK but in a function given to `apply`, as in a plain map), for
 * others by messages. They must not leave by longjmp or by an exception. One that ends the thread: its request, and
 * those behind it in the same message, are CM_OWNER_DIED, and the map's own threads go on. (It must not end a thread
 * that serves a polled map while it waits for another owner: what it waits for is on its stack.)
 *
 * Who owns what on the way. A request stays in memory of its sender, who keeps it until the request is done; nothing is
 * allocated for it but batches' messages. The bytes of a text key are the caller's, as is what an owned key refers
 * to: a call needs them until it returns; batches and futures copy texts, and the copy is theirs until the request is
 * done. A value is the map's once its request has succeeded.
 *
 * shutdown closes the queues; what is in them is done, or dropped, and every request that is not done is CM_CLOSED.
 *
 * Failure. As of the plain map. config.map's limit, fixed and budget are not for this map: CM_INVALID. */
#ifndef CONCMAP_PARTITIONED_H
#define CONCMAP_PARTITIONED_H

#include <concmap/detail/partitioned_batches.h>
#include <concmap/detail/partitioned_futures.h>
#include <concmap/detail/partitioned_walks.h>
#include <concmap/plain.h>

CM_BEGIN_DECLS

/* All zero is the default. */
typedef struct cm_partition_config {
    cm_config map;     /* of all partitions together */
    size_t partitions; /* 0: as many as there are processors */
    size_t queue;      /* messages that the queue of a partition holds, rounded up to a power of two; 0: 256 */
    size_t batch;      /* requests that one message of a batch holds, at most 4096; 0: 64 */
    bool polled;       /* true: no threads; partitions are served by partition_poll */
    bool lent;         /* true: senders serve partitions whose threads sleep; see Lending above. Not if polled */
    /* Which partition owns a key; NULL: its hash decides. Must always say the same of equal keys, from any thread, and
     * not use the map. What is not less than `partitions` counts modulo that. */
    size_t (*owner_of)(const void *key, size_t partitions, void *context);
    /* Of polled maps: called by a sender, in its thread, when something comes to a partition that is armed. Must not
     * use the map; writing to an eventfd or a pipe is what it is for. */
    void (*wake)(size_t partition, void *context);
    void *context;   /* of these two; config.map.context is that of what clones and destroys */
    const int *cpus; /* processors that the map's threads run on, the i-th on cpus[i % cpu_count]; NULL: on any */
    size_t cpu_count;
} cm_partition_config;

/* What shutdown does with what is in the queues. */
typedef enum cm_shutdown { CM_SHUTDOWN_DRAIN, CM_SHUTDOWN_DROP } cm_shutdown;

/* A partition as it was a moment ago. */
typedef struct cm_partition_stats {
    size_t entries;
    size_t queued;     /* messages in its queue */
    uint64_t messages; /* that its owner has served */
    uint64_t requests; /* in those */
    uint64_t sleeps;   /* of its owner, for want of messages */
} cm_partition_stats;

CM_API cm_partition_stats cm_partition_stats_of_(const struct cm_partition_ *partition);

CM_END_DECLS

/* Makes a map type, with all its functions in this file. */
#define CM_PARTITIONED_MAP(name, Key, Value, hash_function, equal_function)                                            \
    CM_PARTITIONED_MAP_OWNED(name, Key, Value, hash_function, equal_function, CM_PLAIN, CM_PLAIN)

/* The same with keys or values that own memory, or count references: each owner is CM_PLAIN or CM_OWNED(clone,
 * destroy), see type.h. They are cloned and destroyed in the key's owner (in a lent map, by whoever serves it); but
 * copies that a walk, a printer or a save shows are destroyed by the thread that walks, loading destroys there what it
 * could not add, and merge clones and destroys in its caller, too. */
#define CM_PARTITIONED_MAP_OWNED(name, Key, Value, hash_function, equal_function, key_owner, value_owner)              \
    CM_PLAIN_MAP_OWNED(name##_plain, Key, Value, hash_function, equal_function, key_owner, value_owner)                \
    CM_PARTITIONED_FUNCTIONS_(cm_inline, name, name##_plain_key_, name##_plain_value_)

/* The same for a type that many files use: DECLARE in a header, and DEFINE in one C file that includes it. */
#define CM_PARTITIONED_MAP_DECLARE(name, Key, Value)                                                                   \
    CM_PLAIN_MAP_DECLARE(name##_plain, Key, Value)                                                                     \
    CM_PARTITIONED_FUNCTIONS_(cm_declare, name, name##_plain_key_, name##_plain_value_)
#define CM_PARTITIONED_MAP_DEFINE(name, Key, Value, hash_function, equal_function)                                     \
    CM_PARTITIONED_MAP_DEFINE_OWNED(name, Key, Value, hash_function, equal_function, CM_PLAIN, CM_PLAIN)
#define CM_PARTITIONED_MAP_DEFINE_OWNED(name, Key, Value, hash_function, equal_function, key_owner, value_owner)       \
    CM_PLAIN_MAP_DEFINE_OWNED(name##_plain, Key, Value, hash_function, equal_function, key_owner, value_owner)         \
    CM_PARTITIONED_FUNCTIONS_(cm_define, name, name##_plain_key_, name##_plain_value_)

#define CM_PARTITIONED_FUNCTIONS_(how, name, Key, Value)                                                               \
    CM_SHOWN_(                                                                                                         \
        how, typedef struct name { struct cm_partitions_ core; } name; typedef Key name##_key_;                        \
        typedef Value name##_value_;)                                                                                  \
    CM_REQUESTS_TYPE_(how, name, Key, Value)                                                                           \
    CM_RARE_REQUESTS_(how, name, Key, Value)                                                                           \
    CM_REQUESTS_(how, name, Key, Value)                                                                                \
    CM_ASKING_(how, name, Key, Value)                                                                                  \
    CM_PARTITIONED_WRITES_(how, name, Key, Value)                                                                      \
    CM_PARTITIONED_READS_(how, name, Key, Value)                                                                       \
    CM_PARTITIONED_CALLS_(how, name, Key, Value)                                                                       \
    CM_GROUPS_(how, name, Key, Value)                                                                                  \
    CM_PARTITIONED_BATCH_(how, name, Key, Value)                                                                       \
    CM_PARTITIONED_BATCH_VERBS_(how, name, Key, Value)                                                                 \
    CM_PARTITIONED_MANY_(how, name, Key, Value)                                                                        \
    CM_PARTITIONED_FUTURE_(how, name, Key, Value)                                                                      \
    CM_PARTITIONED_FUTURE_VERBS_(how, name, Key, Value)                                                                \
    CM_PARTITIONED_WHOLE_(how, name, Key, Value)                                                                       \
    CM_PARTITIONED_BULK_(how, name, Key, Value)                                                                        \
    CM_PARTITIONED_ITER_(how, name, Key, Value)                                                                        \
    CM_PARTITIONED_MERGE_(how, name, Key, Value)                                                                       \
    CM_PARTITIONED_LIFE_(how, name)                                                                                    \
    CM_PARTITIONED_OWNERS_(how, name)

#define CM_PARTITIONED_LIFE_(how, name)                                                                                \
    /* Makes an empty map, with a thread for each processor, or as the config says. CM_NOMEM: no memory, or no thread; \
     * CM_INVALID: options that it has not, a processor that is not there, or the library is of another version. */    \
    CM_FUNCTION_(how, cm_status, name##_open, (name * map, const cm_partition_config *config), {                       \
        return cm_partitions_init_((struct cm_partitions_ *)(void *)map, &name##_plain_type_, config,                  \
                                   CM_PARTITIONS_VERSION_, sizeof(struct cm_partitions_));                             \
    })                                                                                                                 \
    /* The same with the options of any map, and the default for the rest. */                                          \
    CM_FUNCTION_(how, cm_status, name##_init, (name * map, const cm_config *config), {                                 \
        cm_partition_config full;                                                                                      \
        memset((void *)&full, 0, sizeof full);                                                                         \
        if (config)                                                                                                    \
            full.map = *config;                                                                                        \
        return name##_open(map, &full);                                                                                \
    })                                                                                                                 \
    CM_INNER_(how, cm_status, name##_shutdown_in_,                                                                     \
              (name * map, cm_shutdown what, size_t * dropped, cm_deadline deadline),                                  \
              { return cm_partitions_shutdown_(&map->core, what == CM_SHUTDOWN_DROP, dropped, deadline); })            \
    /* Closes the map: calls are CM_CLOSED from now on, and owners end. What the queues hold is done, or dropped: then \
     * each request's status is CM_CLOSED, and `dropped` (may be NULL) takes how many there were. Of a polled map it   \
     * takes each partition from its owner, waiting until that leaves it, and does this itself. The entries stay, for  \
     * name_partition and destroy. CM_BUSY, CM_TIMEOUT: it is closed, and not done yet; call it again. CM_DEADLOCK:    \
     * called by an owner in a function. */                                                                            \
    CM_TWINS_(how, name, shutdown, (name * map, cm_shutdown what, size_t * dropped), (map, what, dropped))             \
    /* Gives everything back, after a shutdown that drains if there was none. Nobody may be in the map, nor come       \
     * later. In a forked child it gives memory back, and nothing else. */                                             \
    CM_FUNCTION_(how, void, name##_destroy, (name * map), { cm_partitions_end_(&map->core, &name##_plain_type_); })    \
    /* The number of entries, as each owner told it after its last message: exact of what one has waited for, while    \
     * others do not change the map. Wait-free, O(partitions). */                                                      \
    CM_FUNCTION_(how, size_t, name##_len, (const name *map), { return cm_partitions_len_(&map->core); })               \
    /* What the map takes: tables, as nodes the texts of keys, and as of threads the queues. As len. */                \
    CM_FUNCTION_(how, cm_memory, name##_memory, (const name *map), { return cm_partitions_memory_(&map->core); })

#define CM_PARTITIONED_OWNERS_(how, name)                                                                              \
    /* How many partitions there are. */                                                                               \
    CM_FUNCTION_(how, size_t, name##_partitions, (const name *map), { return map->core.count; })                       \
    /* The partition that owns the key: a number less than name_partitions. */                                         \
    CM_FUNCTION_(how, size_t, name##_partition_of, (const name *map, name##_plain_key_ key),                           \
                 { return cm_partition_of_(&map->core, &key, name##_hash_of_(map, &key))->index; })                    \
    /* The plain map of a partition, for its owner, and for anybody once the map is shut down. */                      \
    CM_FUNCTION_(how, name##_plain *, name##_partition, (name * map, size_t partition),                                \
                 { return name##_plain_of_(&map->core.parts[partition]); })                                            \
    /* Figures of a partition. Wait-free. */                                                                           \
    CM_FUNCTION_(how, cm_partition_stats, name##_partition_stats, (const name *map, size_t partition),                 \
                 { return cm_partition_stats_of_(&map->core.parts[partition]); })                                      \
    CM_INNER_(how, cm_status, name##_partition_own_in_, (name * map, size_t partition, cm_deadline deadline), {        \
        bool polled = !map->core.workers && partition < map->core.count;                                               \
        return polled ? cm_partition_own_(&map->core.parts[partition], deadline) : CM_INVALID;                         \
    })                                                                                                                 \
    /* Makes the calling thread the owner of a partition of a polled map (of others CM_INVALID); waits while another   \
     * one is. CM_EXISTS: it is already. CM_OWNER_DIED: it is now, and the last owner's thread ended. A thread may own \
     * several; it gives them back when it ends. While it owns some it should hold no guards of other maps when it     \
     * calls this one: a circle of waits through them is not seen. */                                                  \
    CM_TWINS_(how, name, partition_own, (name * map, size_t partition), (map, partition))                              \
    /* Gives it up. CM_INVALID: the thread is not its owner, or runs a function on it. */                              \
    CM_FUNCTION_(how, cm_status, name##_partition_leave, (name * map, size_t partition), {                             \
        return partition < map->core.count ? cm_partition_disown_(&map->core.parts[partition]) : CM_INVALID;           \
    })                                                                                                                 \
    /* As the owner: serves up to `most` messages that have come; `served` (may be NULL) takes how many. CM_CLOSED:    \
     * the map is shut down, and nothing more will come. CM_INVALID: as partition_leave. Does not wait. */             \
    CM_FUNCTION_(                                                                                                      \
        how, cm_status, name##_partition_poll, (name * map, size_t partition, size_t most, size_t * served), {         \
            return partition < map->core.count ? cm_partition_poll_(&map->core.parts[partition], most, served)         \
                                               : CM_INVALID;                                                           \
        })                                                                                                             \
    /* As the owner, before it waits in its own way: CM_OK, and config.wake is called once when something comes.       \
     * CM_BUSY: something is there already. */                                                                         \
    CM_FUNCTION_(how, cm_status, name##_partition_arm, (name * map, size_t partition), {                               \
        return partition < map->core.count ? cm_partition_arm_(&map->core.parts[partition]) : CM_INVALID;              \
    })                                                                                                                 \
    CM_INNER_(how, cm_status, name##_owner_sleep_in_, (name * map, cm_deadline deadline), {                            \
        (void)map;                                                                                                     \
        return cm_owner_sleep_(deadline);                                                                              \
    })                                                                                                                 \
    /* Sleeps until something comes to one of the partitions that the thread owns, of any map. CM_INVALID: it owns     \
     * none. */                                                                                                        \
    CM_TWINS_(how, name, owner_sleep, (name * map), (map))

#endif
