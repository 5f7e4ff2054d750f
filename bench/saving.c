/* saving-bench: saves 10 million u64 entries, or as many as the first argument says, and loads them again, beside what
 * there is to compare with: the same bytes written to a file and synced, read from it, and single puts. All in turns of
 * one run: the median of the rounds of MB a second (of the saved stream), and of the ratio to the disk, or to puts, in
 * the same round. The second argument is the directory that the files are made in. */
#include <concmap/saved.h>
#include <concmap/sharded.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 7
#define PIECE ((size_t)1 << 20) /* bytes that the plain file is written and read by */

CM_SHARDED_MAP(words, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_SAVED(words, 1)

static size_t entries = 10 * 1000 * 1000;
static char path[4096], plain_path[4096];
static words map;
static char *stream; /* of the saved map */
static size_t stream_size, stream_at;

static void expect(bool right, const char *what)
{
    if (right)
        return;
    fprintf(stderr, "saving-bench: %s failed\n", what);
    exit(1);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static uint64_t key_of(uint64_t i)
{
    return i * UINT64_C(0x9e3779b97f4a7c15);
}

/* ---- what is measured ---- */

static cm_status memory_write(void *context, const void *bytes, size_t size)
{
    (void)context;
    if (stream_at + size > stream_size)
        return CM_FULL;
    memcpy(stream + stream_at, bytes, size);
    stream_at += size;
    return CM_OK;
}

static cm_status memory_read(void *context, void *bytes, size_t size, size_t *got)
{
    (void)context;
    *got = size < stream_size - stream_at ? size : stream_size - stream_at;
    memcpy(bytes, stream + stream_at, *got);
    stream_at += *got;
    return CM_OK;
}

static void save_memory(void)
{
    stream_at = 0;
    expect(words_save(&map, &(cm_sink){memory_write, NULL}, NULL, NULL) == CM_OK, "saving to memory");
}

static void save_file(void)
{
    expect(words_save_file(&map, path, NULL, NULL) == CM_OK, "saving to a file");
}

static void plain_write(void)
{
    int fd = open(plain_path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    for (size_t at = 0; at < stream_size; at += PIECE) {
        size_t piece = PIECE < stream_size - at ? PIECE : stream_size - at;
        expect(write(fd, stream + at, piece) == (ssize_t)piece, "writing");
    }
    expect(fsync(fd) == 0 && close(fd) == 0, "syncing");
}

static void plain_read(void)
{
    static char piece[PIECE];
    int fd = open(plain_path, O_RDONLY);
    ssize_t got;
    while ((got = read(fd, piece, sizeof piece)) > 0)
        ;
    expect(got == 0 && close(fd) == 0, "reading");
}

static void loaded_end(words *loaded, const char *how)
{
    expect(words_len(loaded) == entries, how);
    words_destroy(loaded);
}

static words made; /* by the last of these, and ended outside of the time */

static void load_memory(void)
{
    stream_at = 0;
    expect(words_load(&made, NULL, &(cm_source){memory_read, NULL}, NULL, NULL) == CM_OK, "loading from memory");
}

static void load_file(void)
{
    expect(words_load_file(&made, NULL, path, NULL, NULL) == CM_OK, "loading from a file");
}

static void put_each(void)
{
    expect(words_init(&made, NULL) == CM_OK, "init");
    for (uint64_t i = 0; i < entries; i++)
        words_put(&made, key_of(i), i, NULL);
}

struct way {
    const char *name;
    void (*run)(void);
    bool makes;
    int beside; /* the way that its ratio is to */
};
enum { DISK, READ, PUTS, SAVE_MEMORY, SAVE_FILE, LOAD_MEMORY, LOAD_FILE, WAYS };
static const struct way ways[WAYS] = {
    [DISK] = {"the same bytes written and synced", plain_write, false, DISK},
    [READ] = {"and read again, from the system's cache", plain_read, false, DISK},
    [PUTS] = {"single puts into an empty map", put_each, true, PUTS},
    [SAVE_MEMORY] = {"saving to memory", save_memory, false, DISK},
    [SAVE_FILE] = {"saving to a file, synced", save_file, false, DISK},
    [LOAD_MEMORY] = {"loading from memory", load_memory, true, PUTS},
    [LOAD_FILE] = {"loading from a file in the system's cache", load_file, true, PUTS},
};

/* ---- the table ---- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *numbers)
{
    qsort(numbers, ROUNDS, sizeof *numbers, compare);
    return numbers[ROUNDS / 2];
}

/* MB a second. */
static double way_time(const struct way *way)
{
    double begin = now();
    way->run();
    double rate = (double)stream_size / (now() - begin) / 1e6;
    if (way->makes)
        loaded_end(&made, way->name);
    return rate;
}

static void map_make(void)
{
    expect(words_init(&map, NULL) == CM_OK, "init");
    for (uint64_t i = 0; i < entries; i++)
        expect(words_insert(&map, key_of(i), i) == CM_OK, "insert");
    stream_size = 32 * entries + 4096; /* more than enough: the first save tells */
    stream = malloc(stream_size);
    expect(stream, "malloc");
    save_memory();
    stream_size = stream_at;
}

int main(int argc, char **argv)
{
    static double rates[WAYS][ROUNDS], ratios[WAYS][ROUNDS];
    const char *directory = argc > 2 ? argv[2] : ".";
    if (argc > 1)
        entries = strtoull(argv[1], NULL, 10);
    snprintf(path, sizeof path, "%s/saving-bench-map", directory);
    snprintf(plain_path, sizeof plain_path, "%s/saving-bench-plain", directory);
    map_make();
    for (int r = 0; r < ROUNDS; r++) {
        for (int w = 0; w < WAYS; w++)
            rates[w][r] = way_time(&ways[w]);
        for (int w = 0; w < WAYS; w++)
            ratios[w][r] = rates[w][r] / rates[ways[w].beside][r];
    }
    printf("%zu u64 entries, %.1f MB saved\n  %-43s %8s %6s\n", entries, (double)stream_size / 1e6, "", "MB/s",
           "ratio");
    for (int w = 0; w < WAYS; w++)
        printf("  %-43s %8.0f %6.2f to %s\n", ways[w].name, median(rates[w]), median(ratios[w]),
               ways[w].beside == DISK ? "writing" : "puts");
    unlink(path);
    unlink(plain_path);
    words_destroy(&map);
    free(stream);
    return 0;
}
