/* Counts the words of all text files under some paths, with several threads in one map; then the same with one mutex
 * around one table, and with one thread; and proves that the three agree. */
#include <concmap/sharded.h>
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "corpus.h"
#include "locked_table.h"
#include "progress.h"

#define TOP 20
#define MAX_THREADS 256

CM_SHARDED_MAP(counts, cm_str, uint64_t, cm_hash_str, cm_equal_str)

static cm_status add_one(uint64_t *count, void *context)
{
    (void)context;
    ++*count;
    return CM_OK;
}

/* Where a run counts: in the map, or in the table behind a mutex. */
struct run {
    const struct corpus *corpus;
    counts *map;
    struct locked_table *table;
    size_t next;  /* the next text to be taken by a thread */
    size_t words; /* counted so far */
    int failed;   /* a word could not be counted: no memory */
    bool quiet;
};

static bool word_count(struct run *run, cm_str word)
{
    return run->map ? counts_upsert(run->map, word, 1, add_one, NULL) >= 0 : locked_table_count(run->table, word);
}

static void *count_texts(void *context)
{
    struct run *run = context;
    size_t words = 0;
    for (size_t i; (i = __atomic_fetch_add(&run->next, 1, __ATOMIC_RELAXED)) < run->corpus->count;) {
        const char *at = run->corpus->texts[i].data;
        const char *end = at + run->corpus->texts[i].size;
        size_t length;
        for (const char *word; (word = text_word(&at, end, &length)) != NULL; words++)
            if (!word_count(run, cm_str_from(word, length)))
                __atomic_store_n(&run->failed, 1, __ATOMIC_RELAXED);
    }
    __atomic_fetch_add(&run->words, words, __ATOMIC_RELAXED);
    return NULL;
}

/* Runs the threads and returns the seconds they took. */
static double run_threads(struct run *run, const char *job, long threads)
{
    pthread_t ids[MAX_THREADS];
    int64_t start = clock_ns();
    for (long i = 0; i < threads; i++)
        if (pthread_create(&ids[i], NULL, count_texts, run) != 0) {
            fprintf(stderr, "wordcount: cannot start %ld threads\n", threads);
            exit(1);
        }
    if (!run->quiet)
        for (size_t done; (done = __atomic_load_n(&run->next, __ATOMIC_RELAXED)) < run->corpus->count; usleep(1000))
            progress_show(job, done, run->corpus->count);
    for (long i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
    double seconds = (double)(clock_ns() - start) / 1e9;
    if (!run->quiet)
        progress_show(job, run->corpus->count, run->corpus->count);
    if (run->failed) {
        fprintf(stderr, "wordcount: out of memory\n");
        exit(1);
    }
    return seconds;
}

/* A number that depends on every word and its count, and on no order. */
static uint64_t digest_of(cm_str word, uint64_t count)
{
    return cm_hash_mix(cm_hash_bytes(word.data, word.len, 1), count);
}

static uint64_t map_digest(const counts *map)
{
    uint64_t digest = 0;
    CM_FOREACH (counts, map, it)
        digest += digest_of(it.key, it.value);
    return digest;
}

static uint64_t table_digest(const struct locked_table *table)
{
    uint64_t digest = 0;
    for (size_t i = 0; i < table->size; i++)
        if (table->entries[i].word.data)
            digest += digest_of(table->entries[i].word, table->entries[i].count);
    return digest;
}

struct frequent {
    uint64_t count;
    char word[64]; /* cut to fit */
};

static size_t map_top(const counts *map, struct frequent top[TOP])
{
    size_t used = 0;
    CM_FOREACH (counts, map, it) {
        size_t at = used;
        while (at > 0 && top[at - 1].count < it.value)
            at--;
        if (at == TOP)
            continue;
        used += used < TOP;
        memmove(&top[at + 1], &top[at], (used - at - 1) * sizeof *top);
        top[at].count = it.value;
        snprintf(top[at].word, sizeof top[at].word, "%.*s", (int)(it.key.len < 63 ? it.key.len : 63), it.key.data);
    }
    return used;
}

struct report {
    const struct corpus *corpus;
    long threads;
    size_t words, distinct;
    cm_memory memory;
    double map_seconds, mutex_seconds, single_seconds;
    bool agree;
    struct frequent top[TOP];
    size_t top_count;
};

static void report_text(const struct report *r)
{
    printf("%zu texts, %.1f MB (skipped: %zu binary, %zu unreadable), %zu words, %zu of them different\n\n",
           r->corpus->count, (double)r->corpus->bytes / 1e6, r->corpus->binary, r->corpus->unreadable, r->words,
           r->distinct);
    for (size_t i = 0; i < r->top_count; i++)
        printf("%12lu  %s\n", r->top[i].count, r->top[i].word);
    printf("\n%-34s %10s %12s %12s\n", "", "seconds", "M words/s", "texts/s");
    const struct {
        const char *name;
        double seconds;
    } rows[] = {{"concmap", r->map_seconds},
                {"one mutex around one table", r->mutex_seconds},
                {"concmap, one thread", r->single_seconds}};
    for (size_t i = 0; i < 3; i++)
        printf("%-34s %10.3f %12.1f %12.0f\n", rows[i].name, rows[i].seconds, (double)r->words / rows[i].seconds / 1e6,
               (double)r->corpus->count / rows[i].seconds);
    printf("\n%ld threads; the map takes %.1f MB (table %.1f, nodes %.1f)\n", r->threads, (double)r->memory.total / 1e6,
           (double)r->memory.table / 1e6, (double)r->memory.nodes / 1e6);
    printf("the three results %s\n", r->agree ? "agree" : "DIFFER");
}

static void json_string(const char *text)
{
    putchar('"');
    for (; *text; text++)
        printf(*text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    putchar('"');
}

static void report_json(const struct report *r)
{
    printf("{\"texts\": %zu, \"bytes\": %zu, \"binary\": %zu, \"unreadable\": %zu, \"words\": %zu, \"distinct\": %zu, "
           "\"threads\": %ld, \"memory\": %zu, \"seconds\": {\"concmap\": %.6f, \"mutex\": %.6f, \"single\": %.6f}, "
           "\"agree\": %s, \"top\": [",
           r->corpus->count, r->corpus->bytes, r->corpus->binary, r->corpus->unreadable, r->words, r->distinct,
           r->threads, r->memory.total, r->map_seconds, r->mutex_seconds, r->single_seconds,
           r->agree ? "true" : "false");
    for (size_t i = 0; i < r->top_count; i++) {
        printf("%s[", i ? ", " : "");
        json_string(r->top[i].word);
        printf(", %lu]", r->top[i].count);
    }
    printf("]}\n");
}

static void must_init(cm_status status)
{
    if (status != CM_OK) {
        fprintf(stderr, "wordcount: %s\n", cm_status_text(status));
        exit(1);
    }
}

static void compare(const struct corpus *corpus, bool quiet, struct report *r)
{
    counts map, single;
    struct locked_table table;
    must_init(counts_init(&map, NULL));
    must_init(counts_init(&single, NULL));
    must_init(locked_table_init(&table, cm_seed_random()) ? CM_OK : CM_NOMEM);
    struct run with_map = {.corpus = corpus, .map = &map, .quiet = quiet};
    struct run with_mutex = {.corpus = corpus, .table = &table, .quiet = quiet};
    struct run alone = {.corpus = corpus, .map = &single, .quiet = quiet};
    r->map_seconds = run_threads(&with_map, "concmap", r->threads);
    r->mutex_seconds = run_threads(&with_mutex, "one mutex", r->threads);
    r->single_seconds = run_threads(&alone, "one thread", 1);
    counts_settle(&map);
    r->words = with_map.words;
    r->distinct = counts_len(&map);
    r->memory = counts_memory(&map);
    r->top_count = map_top(&map, r->top);
    uint64_t digest = map_digest(&map);
    r->agree = digest == table_digest(&table) && digest == map_digest(&single) && r->distinct == table.used &&
               r->distinct == counts_len(&single) && r->words == with_mutex.words && r->words == alone.words;
    counts_destroy(&map);
    counts_destroy(&single);
    locked_table_destroy(&table);
}

static void usage_error(const char *message, const char *what)
{
    fprintf(stderr, "wordcount: %s: %s (usage: wordcount [--threads N] [--json] [PATH...])\n", message, what);
    exit(2);
}

int main(int argc, char **argv)
{
    static const struct option known[] = {
        {"threads", required_argument, NULL, 't'}, {"json", no_argument, NULL, 'j'}, {0}};
    static const char *const defaults[] = {"/usr/share/doc", "/usr/include"};
    struct report report = {.threads = sysconf(_SC_NPROCESSORS_ONLN)};
    bool json = false;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        char *end = NULL;
        if (option == 'j')
            json = true;
        else if (option != 't')
            usage_error("unknown or incomplete option", argv[optind - 1]);
        else if ((report.threads = strtol(optarg, &end, 10)) < 1 || report.threads > MAX_THREADS || *end)
            usage_error("threads are 1 to 256, not", optarg);
    }
    struct corpus corpus = {0};
    for (int i = optind; i < argc; i++)
        if (!corpus_add(&corpus, argv[i]))
            usage_error(strerror(errno), argv[i]);
    for (size_t i = 0; optind == argc && i < 2; i++)
        corpus_add(&corpus, defaults[i]); /* a machine may lack one of them */
    report.corpus = &corpus;
    compare(&corpus, json, &report);
    (json ? report_json : report_text)(&report);
    corpus_free(&corpus);
    return report.agree ? 0 : 1;
}
