/* A session store as a web server would have it: threads check, touch, create and expire sessions for some seconds. At
 * the end the account must add up: created = expired + live, the last counted by iteration. */
#include <concmap/sharded.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "progress.h"

#define MAX_THREADS 256
#define SESSIONS 1000000    /* users that come and go */
#define LIFE_NS 500000000   /* a session dies half a second after it was last touched */
#define EXPIRE_EVERY 4096   /* operations of a thread between two sweeps of its share */
#define LATENCY_SAMPLE 64   /* one operation in so many is timed */
#define LATENCY_BUCKETS 256 /* a quarter of a power of two each */

struct session {
    uint64_t user;
    int64_t last_seen;
    uint32_t hits;
};

CM_SHARDED_MAP(sessions, uint64_t, struct session, cm_hash_u64, cm_equal_u64)

struct worker {
    sessions *store;
    const int *stop;
    uint64_t random;
    uint64_t checked, touched, created, expired; /* written by this thread, read by the live line */
    uint64_t latency[LATENCY_BUCKETS];
    cm_status failure;
    char apart[128];
};

#define COUNT(field) __atomic_store_n(&(field), (field) + 1, __ATOMIC_RELAXED)
#define READ(field) __atomic_load_n(&(field), __ATOMIC_RELAXED)

static uint64_t random_next(struct worker *w)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    return w->random ^= w->random << 17;
}

static cm_status touch(struct session *session, void *now)
{
    session->hits++;
    session->last_seen = *(const int64_t *)now;
    return CM_OK;
}

/* Most requests only look; one in five touches the session, and a user without one logs in. */
static void request(struct worker *w)
{
    uint64_t id = random_next(w) % SESSIONS;
    int64_t now = clock_ns();
    struct session session;
    if (random_next(w) % 5 != 0) {
        sessions_get(w->store, id, &session);
        COUNT(w->checked);
        return;
    }
    cm_status status = sessions_upsert(w->store, id, (struct session){.user = id, .last_seen = now}, touch, &now);
    if (status == CM_OK)
        COUNT(w->created);
    else if (status == CM_REPLACED)
        COUNT(w->touched);
    else
        w->failure = status;
}

/* Removes sessions that were not touched for long. One that is touched between the look and the removal goes all the
 * same: its user logs in again. */
static void expire_some(struct worker *w)
{
    for (int i = 0; i < 256; i++) {
        uint64_t id = random_next(w) % SESSIONS;
        struct session session;
        if (!sessions_get(w->store, id, &session) || clock_ns() - session.last_seen < LIFE_NS)
            continue;
        if (sessions_remove(w->store, id, NULL) == CM_OK)
            COUNT(w->expired);
    }
}

static unsigned latency_bucket(uint64_t ns)
{
    if (ns < 8)
        return (unsigned)ns;
    unsigned power = 63 - (unsigned)__builtin_clzll(ns);
    return power * 4 + (unsigned)(ns >> (power - 2) & 3);
}

static uint64_t latency_value(unsigned bucket)
{
    return bucket < 12 ? bucket : (uint64_t)(4 + bucket % 4) << (bucket / 4 - 2);
}

static void *work(void *context)
{
    struct worker *w = context;
    for (uint64_t i = 0; !READ(*w->stop); i++) {
        int64_t start = i % LATENCY_SAMPLE == 0 ? clock_ns() : 0;
        request(w);
        if (start) {
            unsigned bucket = latency_bucket((uint64_t)(clock_ns() - start));
            COUNT(w->latency[bucket]);
        }
        if (i % EXPIRE_EVERY == 0)
            expire_some(w);
    }
    return NULL;
}

struct totals {
    uint64_t checked, touched, created, expired, operations;
    uint64_t p50, p99, p999; /* ns, of all threads */
};

static uint64_t percentile(const uint64_t *histogram, double part)
{
    uint64_t all = 0, seen = 0;
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++)
        all += histogram[i];
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++)
        if ((double)(seen += histogram[i]) >= part * (double)all)
            return latency_value(i);
    return 0;
}

static struct totals add_up(const struct worker *workers, long threads)
{
    struct totals t = {0};
    uint64_t histogram[LATENCY_BUCKETS] = {0};
    for (long i = 0; i < threads; i++) {
        t.checked += READ(workers[i].checked);
        t.touched += READ(workers[i].touched);
        t.created += READ(workers[i].created);
        t.expired += READ(workers[i].expired);
        for (unsigned b = 0; b < LATENCY_BUCKETS; b++)
            histogram[b] += READ(workers[i].latency[b]);
    }
    t.operations = t.checked + t.touched + t.created + t.expired;
    t.p50 = percentile(histogram, 0.5);
    t.p99 = percentile(histogram, 0.99);
    t.p999 = percentile(histogram, 0.999);
    return t;
}

static void show_live(const struct worker *workers, long threads, long seconds, bool quiet)
{
    uint64_t before = 0;
    for (long tenth = 0; tenth < seconds * 5; tenth++) {
        usleep(200000);
        struct totals t = add_up(workers, threads);
        if (!quiet && isatty(STDERR_FILENO))
            fprintf(stderr, "\r%6.1f M operations/s   p50 %lu ns   p99 %lu ns   p99.9 %lu ns   ",
                    (double)(t.operations - before) / 0.2 / 1e6, t.p50, t.p99, t.p999);
        before = t.operations;
    }
    if (!quiet && isatty(STDERR_FILENO))
        fputc('\n', stderr);
}

static void report(const struct totals *t, uint64_t live, long seconds, bool json)
{
    bool adds_up = t->created == t->expired + live;
    if (json)
        printf("{\"seconds\": %ld, \"operations\": %lu, \"checked\": %lu, \"touched\": %lu, \"created\": %lu, "
               "\"expired\": %lu, "
               "\"live\": %lu, \"p50_ns\": %lu, \"p99_ns\": %lu, \"p999_ns\": %lu, \"adds_up\": %s}\n",
               seconds, t->operations, t->checked, t->touched, t->created, t->expired, live, t->p50, t->p99, t->p999,
               adds_up ? "true" : "false");
    else
        printf("%lu checked, %lu touched; %.1f M operations/s; p50 %lu ns, p99 %lu ns, p99.9 %lu ns\n"
               "%lu created = %lu expired + %lu live: the account %s\n",
               t->checked, t->touched, (double)t->operations / (double)seconds / 1e6, t->p50, t->p99, t->p999,
               t->created, t->expired, live, adds_up ? "adds up" : "DOES NOT ADD UP");
}

static void usage_error(const char *what)
{
    fprintf(stderr, "sessions: bad argument: %s (usage: sessions [--seconds N] [--threads N] [--json])\n", what);
    exit(2);
}

static long number(const char *text, long most)
{
    char *end;
    long n = strtol(text, &end, 10);
    if (*end || end == text || n < 1 || n > most)
        usage_error(text);
    return n;
}

/* Runs the threads for some seconds and returns the account. */
static struct totals run(sessions *store, long threads, long seconds, bool json)
{
    static struct worker workers[MAX_THREADS];
    pthread_t ids[MAX_THREADS];
    int stop = 0;
    for (long i = 0; i < threads; i++) {
        workers[i].store = store;
        workers[i].stop = &stop;
        workers[i].random = cm_seed_random();
        if (pthread_create(&ids[i], NULL, work, &workers[i]) != 0) {
            fprintf(stderr, "sessions: cannot start %ld threads\n", threads);
            exit(1);
        }
    }
    show_live(workers, threads, seconds, json);
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (long i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
        if (workers[i].failure < 0)
            fprintf(stderr, "sessions: a request failed: %s\n", cm_status_text(workers[i].failure));
    }
    return add_up(workers, threads);
}

int main(int argc, char **argv)
{
    static const struct option known[] = {{"seconds", required_argument, NULL, 's'},
                                          {"threads", required_argument, NULL, 't'},
                                          {"json", no_argument, NULL, 'j'},
                                          {0}};
    long seconds = 5, threads = sysconf(_SC_NPROCESSORS_ONLN);
    bool json = false;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (option == 's')
            seconds = number(optarg, 3600);
        else if (option == 't')
            threads = number(optarg, MAX_THREADS);
        else if (option == 'j')
            json = true;
        else
            usage_error(argv[optind - 1]);
    }
    if (optind < argc)
        usage_error(argv[optind]);
    sessions store;
    cm_status status = sessions_init(&store, NULL);
    if (status != CM_OK) {
        fprintf(stderr, "sessions: %s\n", cm_status_text(status));
        return 1;
    }
    struct totals totals = run(&store, threads, seconds, json);
    uint64_t live = 0;
    CM_FOREACH (sessions, &store, it)
        live++;
    report(&totals, live, seconds, json);
    sessions_destroy(&store);
    return totals.created == totals.expired + live ? 0 : 1;
}
