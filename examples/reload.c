/* Configuration reload: a map of settings that is replaced as a whole, while requests go on with the one they began
 * with.
 *
 * Workers load the configuration once for each request: no lock, no shared counter. An operator changes single settings
 * (a copy is changed and put in place), and a reloader reads a whole new text now and then. No request ever sees half
 * of a change: each configuration says of itself how many settings it has, and what their sum is. */
#include <concmap/plain.h>
#include <concmap/swap.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define WORKERS 3
#define REQUESTS 200000
#define RELOADS 200
#define CHANGES 200

CM_PLAIN_MAP(settings, cm_str, long, cm_hash_str, cm_equal_str)

struct config {
    settings all;
    long sum;
    unsigned version;
};

static atomic_long living;

static void config_close(struct config *config, void *context)
{
    (void)context;
    settings_destroy(&config->all);
    atomic_fetch_sub(&living, 1);
}

CM_SWAP_OWNED(config_cell, struct config, config_close)

static cm_status config_set(struct config *config, cm_str name, long value)
{
    long old = 0;
    cm_status status = settings_put(&config->all, name, value, &old);
    config->sum += status < 0 ? 0 : status == CM_REPLACED ? value - old : value;
    return status;
}

static cm_status config_begin(struct config *config, unsigned version)
{
    *config = (struct config){.version = version};
    cm_status status = settings_init(&config->all, NULL);
    if (status == CM_OK)
        atomic_fetch_add(&living, 1);
    return status;
}

/* Reads "name=number" lines. */
static cm_status config_read(struct config *config, const char *text, unsigned version)
{
    cm_status status = config_begin(config, version);
    while (status >= 0 && *text) {
        const char *equals = strchr(text, '=');
        if (!equals)
            break;
        char *end;
        long value = strtol(equals + 1, &end, 10);
        status = config_set(config, (cm_str){text, (size_t)(equals - text)}, value);
        text = end + (*end == '\n');
    }
    if (status < 0)
        config_close(config, NULL);
    return status < 0 ? status : CM_OK;
}

struct server {
    config_cell cell;
    atomic_long wrong;
};

/* What every configuration promises of itself. */
static bool config_is_whole(const struct config *config)
{
    long sum = 0;
    CM_FOREACH (settings, &config->all, it)
        sum += it.value;
    return sum == config->sum;
}

static void *serve(void *context)
{
    struct server *server = context;
    for (int i = 0; i < REQUESTS; i++) {
        CM_WITH_LOAD(config_cell, &server->cell, config)
        {
            long limit = 0;
            bool found = settings_get(&config->all, cm_str_of("limit"), &limit);
            if (!found || limit < 1 || (i % 64 == 0 && !config_is_whole(config)))
                atomic_fetch_add(&server->wrong, 1);
        }
    }
    return NULL;
}

static void *reload(void *context)
{
    struct server *server = context;
    for (unsigned i = 1; i <= RELOADS; i++) {
        char text[128];
        struct config config;
        snprintf(text, sizeof text, "limit=%u\nport=8080\nthreads=%u\n", i, i % 16);
        if (config_read(&config, text, i) != CM_OK || config_cell_store(&server->cell, config) != CM_OK)
            atomic_fetch_add(&server->wrong, 1);
    }
    return NULL;
}

/* A copy of what is there now, with one setting changed. */
static cm_status raise_limit(const struct config *now, struct config *next, void *context)
{
    (void)context;
    cm_status status = config_begin(next, now->version);
    if (status < 0)
        return status;
    CM_FOREACH (settings, &now->all, it)
        status = status < 0 ? status : config_set(next, it.key, it.value);
    if (status >= 0)
        status = config_set(next, cm_str_of("limit"), 1000);
    if (status < 0)
        config_close(next, NULL);
    return status < 0 ? status : CM_OK;
}

static void *operate(void *context)
{
    struct server *server = context;
    for (int i = 0; i < CHANGES; i++)
        if (config_cell_update(&server->cell, raise_limit, NULL) != CM_OK)
            atomic_fetch_add(&server->wrong, 1);
    return NULL;
}

int main(void)
{
    static struct server server;
    struct config first;
    pthread_t threads[WORKERS + 2];
    if (config_read(&first, "limit=1\nport=8080\n", 0) != CM_OK || config_cell_init(&server.cell, first, NULL) != CM_OK)
        return 1;
    for (int i = 0; i < WORKERS + 2; i++)
        if (pthread_create(&threads[i], NULL, i < WORKERS ? serve : i == WORKERS ? reload : operate, &server) != 0)
            return 1;
    for (int i = 0; i < WORKERS + 2; i++)
        pthread_join(threads[i], NULL);
    config_cell_destroy(&server.cell);
    cm_domain_barrier(cm_domain_default()); /* old ones wait in the domain for those who looked at them */
    printf("%d requests, %d reloads, %d changes: %ld wrong, %ld configurations left\n", WORKERS * REQUESTS, RELOADS,
           CHANGES, atomic_load(&server.wrong), atomic_load(&living));
    return atomic_load(&server.wrong) || atomic_load(&living);
}
