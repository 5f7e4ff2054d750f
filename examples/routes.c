/* A routing table that is reloaded from a file while packets are forwarded: prefix -> next hop.
 *
 * Forwarders look routes up in a left-right map, one view for a handful of packets: nothing they do waits for anybody.
 * A reload reads the file, changes what differs, drops what the file has no more, and publishes all that at once; so no
 * packet sees half of one file and half of the next.
 *
 * usage: routes [--seconds N] [FILE]     lines are: A.B.C.D/LENGTH HOP; the file is read again when it has changed.
 * Without a file, it writes one of its own, again and again, for a second. */
#include <concmap/leftright.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FORWARDERS 2
#define PACKETS 32  /* in one view */
#define RELOADS 100 /* of a file of our own */

struct route {
    uint32_t hop;
    uint64_t generation; /* of the file that had it last; for the one who reloads */
};

/* A prefix and its length. */
static uint64_t route_key(uint32_t address, unsigned length)
{
    uint32_t mask = length ? ~UINT32_C(0) << (32 - length) : 0;
    return (uint64_t)(address & mask) << 8 | length;
}

CM_LEFTRIGHT_MAP(routes, uint64_t, struct route, cm_hash_u64, cm_equal_u64)

static routes table;
static atomic_bool stop;
static atomic_ulong forwarded, unroutable, torn;

/* The hop of the longest prefix; 0: none. */
static uint32_t route_find(const routes_view *view, uint32_t address)
{
    for (unsigned length = 33; length-- > 0;) {
        const struct route *route = routes_view_get(view, route_key(address, length));
        if (route)
            return route->hop;
    }
    return 0;
}

static void *forward(void *argument)
{
    routes_reader reader;
    uint32_t address = (uint32_t)(uintptr_t)argument;
    if (routes_reader_open(&table, &reader) != CM_OK)
        return NULL;
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        unsigned long found = 0, checked = 0;
        CM_WITH_VIEW (routes, &reader, view) {
            for (unsigned i = 0; i < PACKETS; i++) {
                address = address * 1664525 + 1013904223;
                found += route_find(view, address) != 0;
            }
            /* The meta value says how many routes the file had from which this view is. */
            checked = routes_view_len(view) == routes_view_meta(view);
        }
        atomic_fetch_add_explicit(&forwarded, found, memory_order_relaxed);
        atomic_fetch_add_explicit(&unroutable, PACKETS - found, memory_order_relaxed);
        atomic_fetch_add_explicit(&torn, !checked, memory_order_relaxed);
    }
    routes_reader_close(&reader);
    return NULL;
}

static cm_status keep_newest(const uint64_t *key, const struct route *route, void *generation)
{
    (void)key;
    return route->generation == *(const uint64_t *)generation ? CM_OK : CM_ABSENT;
}

static bool route_parse(const char *line, uint64_t *key, uint32_t *hop)
{
    unsigned a, b, c, d, length;
    char more;
    if (sscanf(line, "%3u.%3u.%3u.%3u/%2u %u %c", &a, &b, &c, &d, &length, hop, &more) != 6 || (a | b | c | d) > 255 ||
        length > 32)
        return false;
    *key = route_key(a << 24 | b << 16 | c << 8 | d, length);
    return true;
}

/* Brings the table to what the file says. A failure leaves what readers see as it was: nothing is published, and the
 * next file puts right what this one has begun. */
static cm_status reload(routes_writer *writer, const char *path, uint64_t generation)
{
    FILE *file = fopen(path, "r");
    struct route route = {.generation = generation};
    uint64_t key;
    unsigned number = 0;
    cm_status status = file ? CM_OK : CM_IO;
    char line[256];
    while (status >= 0 && fgets(line, sizeof line, file)) {
        number++;
        if (route_parse(line, &key, &route.hop))
            status = routes_put(writer, key, route, NULL);
        else if (line[strspn(line, " \t\r\n")] != '\0') {
            fprintf(stderr, "%s:%u: no route, so the table stays as it is: %s", path, number, line);
            status = CM_INVALID;
        }
    }
    if (file)
        fclose(file);
    if (status >= 0)
        status = routes_retain(writer, keep_newest, &generation);
    if (status >= 0)
        status = routes_set_meta(writer, routes_writer_len(writer));
    return status < 0 ? status : routes_publish(writer);
}

/* A file with as many routes as the generation says. */
static bool file_write(const char *path, uint64_t generation)
{
    FILE *file = fopen(path, "w");
    if (!file)
        return false;
    fputs("0.0.0.0/0 1\n", file);
    for (uint64_t i = 0; i < 1000 + generation % 500; i++)
        fprintf(file, "%u.%u.0.0/16 %u\n", (unsigned)(i % 256), (unsigned)(i / 256),
                (unsigned)(2 + (i ^ generation) % 7));
    return fclose(file) == 0;
}

static bool file_changed(const char *path, struct timespec *since)
{
    struct stat stat_now;
    if (stat(path, &stat_now) != 0)
        return false;
    bool changed = stat_now.st_mtim.tv_sec != since->tv_sec || stat_now.st_mtim.tv_nsec != since->tv_nsec;
    *since = stat_now.st_mtim;
    return changed;
}

/* Reloads until the time is over. How often it did; a file that is wrong is not loaded. */
static uint64_t reload_often(routes_writer *writer, const char *path, bool own, long seconds)
{
    struct timespec since = {0}, pause = {0, 10000000};
    uint64_t generation = 0, reloads = 0;
    for (long ticks = 0; own ? generation < RELOADS : ticks < 100 * seconds; ticks++) {
        if (own && !file_write(path, generation))
            return 0;
        if (own || file_changed(path, &since))
            reloads += reload(writer, path, ++generation) >= 0;
        nanosleep(&pause, NULL);
    }
    return reloads;
}

static int usage(void)
{
    fputs("usage: routes [--seconds N] [FILE]\n", stderr);
    return 2;
}

int main(int argc, char **argv)
{
    pthread_t threads[FORWARDERS];
    routes_writer writer;
    char own[] = "/tmp/routes-XXXXXX";
    const char *path = NULL;
    long seconds = 10;
    for (int i = 1; i < argc; i++) {
        char *end = NULL;
        if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc && (seconds = strtol(argv[++i], &end, 10)) > 0 && !*end)
            continue;
        if (argv[i][0] == '-' || path || end)
            return usage();
        path = argv[i];
    }
    int file = path ? -1 : mkstemp(own);
    if (routes_init(&table, NULL) != CM_OK || routes_writer_open(&table, &writer) != CM_OK || (!path && file < 0))
        return 1;
    for (uintptr_t i = 0; i < FORWARDERS; i++)
        if (pthread_create(&threads[i], NULL, forward, (void *)(i + 1)) != 0)
            return 1;
    uint64_t reloads = reload_often(&writer, path ? path : own, !path, seconds);
    atomic_store(&stop, true);
    for (size_t i = 0; i < FORWARDERS; i++)
        pthread_join(threads[i], NULL);
    printf("%lu packets forwarded, %lu without a route, %llu reloads, %zu routes, %lu views torn\n",
           atomic_load(&forwarded), atomic_load(&unroutable), (unsigned long long)reloads, routes_writer_len(&writer),
           atomic_load(&torn));
    routes_destroy(&table);
    if (!path) {
        close(file);
        unlink(own);
    }
    return reloads == 0 || atomic_load(&torn) != 0;
}
