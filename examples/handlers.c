/* A registry of handlers in a server: loops look handlers up and call them while others are added, replaced and
 * removed.
 *
 *     handlers [--turns N]
 *
 * Each loop keeps what it has found until the end of its turn, without a lock or a pin, and then tells the map's domain
 * that it has nothing left. What was removed is destroyed when all loops have said so: a handler that is called when it
 * has been destroyed would be counted as dead. */
#include <concmap/anchored.h>
#include <concmap/domain.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOPS 3
#define EVENTS 64 /* of a turn */
#define NAMES 40

struct handler {
    uint64_t *calls; /* owned; gone when it has been destroyed */
    uint64_t factor;
};

static uint64_t handlers_made, handlers_destroyed;

static cm_status handler_clone(struct handler *to, const struct handler *from, void *context)
{
    (void)context;
    to->calls = malloc(sizeof *to->calls);
    if (!to->calls)
        return CM_NOMEM;
    *to->calls = __atomic_load_n(from->calls, __ATOMIC_RELAXED);
    to->factor = from->factor;
    __atomic_add_fetch(&handlers_made, 1, __ATOMIC_RELAXED);
    return CM_OK;
}

static void handler_destroy(struct handler *handler, void *context)
{
    (void)context;
    __atomic_store_n(handler->calls, UINT64_MAX, __ATOMIC_RELAXED);
    free(handler->calls);
    __atomic_add_fetch(&handlers_destroyed, 1, __ATOMIC_RELAXED);
}

CM_ANCHORED_MAP_OWNED(registry, uint32_t, struct handler, cm_hash_u32, cm_equal_u32, CM_PLAIN,
                      CM_OWNED(handler_clone, handler_destroy))

struct server {
    registry handlers;
    cm_domain domain;
    uint64_t turns;
    int stop;
};

struct loop {
    struct server *server;
    uint64_t handled, unknown, dead;
};

static uint32_t next_event(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33) % NAMES;
}

static void handle(struct loop *loop, const struct handler *handler)
{
    uint64_t calls = __atomic_fetch_add(handler->calls, 1, __ATOMIC_RELAXED);
    loop->dead += calls > UINT64_MAX / 2;
    loop->handled++;
}

static void *loop_run(void *context)
{
    struct loop *loop = context;
    struct server *server = loop->server;
    uint64_t random = (uint64_t)(uintptr_t)loop;
    if (cm_domain_join(&server->domain) < 0)
        return NULL;
    while (!__atomic_load_n(&server->stop, __ATOMIC_RELAXED)) {
        const struct handler *found[EVENTS];
        for (size_t i = 0; i < EVENTS; i++)
            found[i] = registry_get(&server->handlers, next_event(&random));
        for (size_t i = 0; i < EVENTS; i++) { /* some of them have been removed by now */
            if (found[i])
                handle(loop, found[i]);
            else
                loop->unknown++;
        }
        cm_domain_quiescent(&server->domain); /* once a turn */
    }
    cm_domain_part(&server->domain);
    return NULL;
}

static cm_status handler_add(struct server *server, uint32_t name, uint64_t factor)
{
    struct handler handler = {malloc(sizeof *handler.calls), factor};
    if (!handler.calls)
        return CM_NOMEM;
    *handler.calls = 0;
    __atomic_add_fetch(&handlers_made, 1, __ATOMIC_RELAXED);
    cm_status status = registry_put(&server->handlers, name, handler, NULL);
    if (status < 0)
        handler_destroy(&handler, NULL);
    return status;
}

/* What an operator does, meanwhile. */
static cm_status reconfigure(struct server *server)
{
    uint64_t random = 42;
    cm_status status = CM_OK;
    for (uint64_t turn = 0; turn < server->turns && status >= 0; turn++) {
        uint32_t name = next_event(&random);
        status = turn % 3 ? handler_add(server, name, turn) : registry_remove(&server->handlers, name, NULL);
    }
    return status;
}

static int serve(struct server *server)
{
    struct loop loops[LOOPS];
    pthread_t threads[LOOPS];
    uint64_t handled = 0, dead = 0;
    for (size_t i = 0; i < LOOPS; i++) {
        loops[i] = (struct loop){.server = server};
        if (pthread_create(&threads[i], NULL, loop_run, &loops[i]) != 0)
            return 1;
    }
    cm_status status = reconfigure(server);
    __atomic_store_n(&server->stop, 1, __ATOMIC_RELAXED);
    for (size_t i = 0; i < LOOPS; i++) {
        pthread_join(threads[i], NULL);
        handled += loops[i].handled;
        dead += loops[i].dead;
    }
    registry_destroy(&server->handlers);
    if (status < 0 || cm_domain_destroy(&server->domain) != CM_OK) {
        fprintf(stderr, "handlers: %s\n", cm_status_text(status));
        return 1;
    }
    printf("%" PRIu64 " events handled while %" PRIu64 " handlers came and went; %" PRIu64
           " calls of dead ones, %" PRIu64 " not destroyed\n",
           handled, handlers_made, dead, handlers_made - handlers_destroyed);
    return dead != 0 || handlers_made != handlers_destroyed;
}

int main(int argc, char **argv)
{
    static struct server server = {.turns = 200000};
    if (argc == 3 && strcmp(argv[1], "--turns") == 0) {
        server.turns = strtoull(argv[2], NULL, 10);
    } else if (argc != 1) {
        fprintf(stderr, "usage: handlers [--turns N]\n");
        return 2;
    }
    if (cm_domain_init(&server.domain, NULL) != CM_OK ||
        registry_init(&server.handlers, &(cm_config){.references = CM_DOMAIN, .domain = &server.domain}) != CM_OK) {
        fprintf(stderr, "handlers: out of memory\n");
        return 1;
    }
    return serve(&server);
}
