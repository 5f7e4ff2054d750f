/* A registry of counted objects: id -> connection. A thread that has got a connection keeps it for as long as it likes,
 * while another one removes it from the registry; the last one who lets go frees it. */
#include <concmap/sharded.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define WORKERS 3
#define IDS 64
#define ROUNDS 100000

struct connection {
    atomic_uint users;
    uint64_t id;
    atomic_ulong requests;
};

static atomic_long living;

static struct connection *connection_open(uint64_t id)
{
    struct connection *made = malloc(sizeof *made);
    if (!made)
        exit(1);
    atomic_init(&made->users, 1);
    atomic_init(&made->requests, 0);
    made->id = id;
    atomic_fetch_add(&living, 1);
    return made;
}

/* What the map calls for each copy that it hands out: here it counts one more user. */
static cm_status connection_retain(struct connection **to, struct connection *const *from, void *context)
{
    (void)context;
    atomic_fetch_add_explicit(&(*from)->users, 1, memory_order_relaxed);
    *to = *from;
    return CM_OK;
}

/* And for each that goes: removed, replaced, or left when the map is destroyed. */
static void connection_release(struct connection **connection, void *context)
{
    (void)context;
    if (atomic_fetch_sub_explicit(&(*connection)->users, 1, memory_order_acq_rel) > 1)
        return;
    atomic_fetch_sub(&living, 1);
    free(*connection);
}

CM_SHARDED_MAP_OWNED(registry, uint64_t, struct connection *, cm_hash_u64, cm_equal_u64, CM_PLAIN,
                     CM_OWNED(connection_retain, connection_release))

static registry connections = CM_MAP_INITIALIZER;
static atomic_ulong served;

static void *work(void *argument)
{
    uint64_t random = (uint64_t)(uintptr_t)argument + 1;
    for (size_t n = 0; n < ROUNDS; n++) {
        random = random * UINT64_C(6364136223846793005) + 1;
        struct connection *connection;
        if (!registry_get(&connections, random >> 32 & (IDS - 1), &connection))
            continue;
        atomic_fetch_add(&connection->requests, 1); /* it stays ours, whoever removes it now */
        atomic_fetch_add(&served, 1);
        connection_release(&connection, NULL);
    }
    return NULL;
}

/* Closes connections, and opens others with their ids. */
static void *come_and_go(void *argument)
{
    (void)argument;
    for (uint64_t n = 0; n < ROUNDS; n++) {
        registry_remove(&connections, n % IDS, NULL);
        struct connection *fresh = connection_open(n % IDS);
        if (registry_put(&connections, n % IDS, fresh, NULL) < 0) /* after a failure it is still ours */
            connection_release(&fresh, NULL);
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[WORKERS + 1];
    for (uintptr_t i = 0; i < WORKERS; i++)
        if (pthread_create(&threads[i], NULL, work, (void *)i))
            return 1;
    if (pthread_create(&threads[WORKERS], NULL, come_and_go, NULL))
        return 1;
    for (size_t i = 0; i <= WORKERS; i++)
        pthread_join(threads[i], NULL);
    size_t open = registry_len(&connections);
    registry_destroy(&connections);
    printf("%lu requests, %zu connections open at the end, %ld never freed\n", atomic_load(&served), open,
           atomic_load(&living));
    return atomic_load(&living) != 0;
}
