/* Maps saved to files: a file is there as a whole, or as it was before, and nothing is left beside it. */
#include <concmap/saved.h>
#include <concmap/sharded.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crew.h"
#include "failing_allocator.h"
#include "unit.h"

CM_SHARDED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_SHARDED_MAP(words, cm_str, uint64_t, cm_hash_str, cm_equal_str)
CM_SAVED(nums, 1)
CM_SAVED_SNAPSHOTS(nums)
CM_SAVED(words, 1)

static char directory[64];

static const char *path_of(const char *name)
{
    static char paths[4][400];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

static size_t files_there(void)
{
    size_t count = 0;
    DIR *entries = opendir(directory);
    assert_non_null(entries);
    for (const struct dirent *entry; (entry = readdir(entries)) != NULL;)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(entries);
    return count;
}

static int setup(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/concmap-test-XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    DIR *entries = opendir(directory);
    for (const struct dirent *entry; entries && (entry = readdir(entries)) != NULL;)
        if (entry->d_name[0] != '.' || entry->d_name[1] == 'c')
            unlinkat(dirfd(entries), entry->d_name, 0);
    closedir(entries);
    return rmdir(directory);
}

/* Keys 0 .. count - 1, all with one value. */
static void make(nums *map, uint64_t count, uint64_t value)
{
    assert_int_equal(nums_init(map, NULL), CM_OK);
    for (uint64_t key = 0; key < count; key++)
        assert_int_equal(nums_put(map, key, value, NULL), CM_OK);
}

static cm_status save(const char *path, uint64_t count, uint64_t value, const char **reason)
{
    nums map;
    make(&map, count, value);
    cm_status status = nums_save_file(&map, path, NULL, reason);
    nums_destroy(&map);
    return status;
}

static void assert_holds(const char *path, uint64_t count, uint64_t value)
{
    nums map;
    const char *reason = NULL;
    if (nums_load_file(&map, NULL, path, NULL, &reason) != CM_OK)
        fail_msg("%s", reason);
    assert_null(reason);
    assert_int_equal(nums_len(&map), count);
    CM_FOREACH (nums, &map, it)
        assert_true(it.key < count && it.value == value);
    assert_int_equal(nums_check(&map, NULL), CM_OK);
    nums_destroy(&map);
}

static void assert_reason(const char *reason, const char *part)
{
    if (!reason || !strstr(reason, part))
        fail_msg("the reason is \"%s\", not \"...%s...\"", reason ? reason : "", part);
}

static mode_t mode_of(const char *path)
{
    struct stat found;
    assert_int_equal(stat(path, &found), 0);
    return found.st_mode & 07777;
}

static void a_file_takes_the_place_of_the_one_before(void **state)
{
    (void)state;
    static const uint64_t counts[] = {0, 1, 100, 8191, 8192, 8193, 100000};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        const char *reason = "none";
        assert_int_equal(save(path_of("map"), counts[i], i, &reason), CM_OK);
        assert_null(reason);
        assert_holds(path_of("map"), counts[i], i);
        assert_int_equal(files_there(), 1);
    }
}

static void a_file_has_the_permissions_of_the_one_before(void **state)
{
    (void)state;
    mode_t before = umask(027);
    assert_int_equal(save(path_of("map"), 10, 1, NULL), CM_OK);
    assert_int_equal(mode_of(path_of("map")), 0640);
    assert_int_equal(chmod(path_of("map"), 0604), 0);
    assert_int_equal(save(path_of("map"), 10, 2, NULL), CM_OK);
    assert_int_equal(mode_of(path_of("map")), 0604);
    umask(before);
}

static void a_name_may_be_relative_long_or_a_link(void **state)
{
    (void)state;
    char longest[256] = {0}, too_long[257] = {0}, before[4096];
    memset(longest, 'x', 255);
    memset(too_long, 'x', 256);
    assert_int_equal(save(path_of(longest), 10, 1, NULL), CM_OK);
    assert_holds(path_of(longest), 10, 1);
    assert_int_equal(save(path_of(too_long), 10, 1, NULL), CM_IO);
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(directory), 0);
    assert_int_equal(save("map", 10, 2, NULL), CM_OK);
    assert_int_equal(symlink("map", "link"), 0);
    assert_int_equal(save("link", 10, 3, NULL), CM_OK);
    assert_int_equal(save("", 10, 3, NULL), CM_IO);
    assert_int_equal(chdir(before), 0);
    assert_holds(path_of("map"), 10, 3);
    struct stat link;
    assert_true(lstat(path_of("link"), &link) == 0 && S_ISLNK(link.st_mode));
    assert_int_equal(files_there(), 3);
}

static cm_status cancel(void *context, uint64_t done, uint64_t total)
{
    (void)context, (void)done, (void)total;
    return CM_TIMEOUT;
}

static void a_save_that_fails_leaves_the_file_before(void **state)
{
    (void)state;
    const char *reason;
    nums map;
    assert_int_equal(save(path_of("map"), 10, 1, NULL), CM_OK);
    make(&map, 100000, 2);
    cm_progress progress = {cancel, NULL};
    assert_int_equal(nums_save_file(&map, path_of("map"), &progress, &reason), CM_TIMEOUT);
    assert_reason(reason, "progress");
    nums_destroy(&map);
    assert_holds(path_of("map"), 10, 1);
    assert_int_equal(files_there(), 1);
}

/* In a child of its own, where files may have so many bytes only. */
static void a_disk_without_room_leaves_the_file_before(void **state)
{
    (void)state;
    assert_int_equal(save(path_of("map"), 10, 1, NULL), CM_OK);
    pid_t child = fork();
    if (child == 0) {
        const char *reason = NULL;
        int wrong = 0;
        signal(SIGXFSZ, SIG_IGN);
        for (rlim_t most = 0; most < 170000; most += 16001) {
            setrlimit(RLIMIT_FSIZE, &(struct rlimit){most, RLIM_INFINITY});
            wrong += save(path_of("map"), 10000, 2, &reason) != CM_IO || !strstr(reason, "no more room");
        }
        _exit(wrong ? 1 : 0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    assert_holds(path_of("map"), 10, 1);
    assert_int_equal(files_there(), 1);
}

static cm_status full_write(void *context, const void *bytes, size_t size)
{
    return write(*(int *)context, bytes, size) == (ssize_t)size ? CM_OK : CM_IO;
}

static void a_full_device_is_a_failure(void **state)
{
    (void)state;
    int full = open("/dev/full", O_WRONLY);
    if (full < 0)
        skip();
    nums map;
    const char *reason;
    make(&map, 10, 1);
    cm_sink sink = {full_write, &full};
    assert_int_equal(nums_save(&map, &sink, NULL, &reason), CM_IO);
    assert_non_null(reason);
    close(full);
    nums_destroy(&map);
}

static void places_where_no_file_can_be_are_a_failure(void **state)
{
    (void)state;
    const char *reason;
    assert_int_equal(save(path_of("no/such/map"), 10, 1, &reason), CM_IO);
    assert_reason(reason, "directory cannot be opened");
    assert_int_equal(save(directory, 10, 1, &reason), CM_INVALID);
    assert_reason(reason, "something else");
    struct stat pipe;
    assert_int_equal(mkfifo(path_of("pipe"), 0600), 0);
    assert_int_equal(save(path_of("pipe"), 10, 1, &reason), CM_INVALID); /* it stays what it is */
    assert_true(stat(path_of("pipe"), &pipe) == 0 && S_ISFIFO(pipe.st_mode));
    assert_int_equal(unlink(path_of("pipe")), 0);
    assert_int_equal(symlink("/no/such/file", path_of("dangling")), 0);
    assert_int_equal(save(path_of("dangling"), 10, 1, &reason), CM_IO);
    assert_int_equal(files_there(), 1);
    assert_int_equal(chmod(directory, 0500), 0);
    if (access(directory, W_OK) != 0) { /* for root it is */
        assert_int_equal(save(path_of("map"), 10, 1, &reason), CM_IO);
        assert_reason(reason, "no file can be made");
    }
    assert_int_equal(chmod(directory, 0700), 0);
}

static void files_that_cannot_be_read_are_a_failure(void **state)
{
    (void)state;
    nums map;
    const char *reason;
    assert_int_equal(nums_load_file(&map, NULL, path_of("map"), NULL, &reason), CM_IO);
    assert_reason(reason, "no such file");
    assert_int_equal(nums_load_file(&map, NULL, directory, NULL, &reason), CM_IO);
    assert_reason(reason, "reading failed");
}

static void append(const char *path, const char *bytes, size_t size)
{
    FILE *file = fopen(path, "ab");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

static void a_file_with_more_or_less_than_a_map_loads_nothing(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    cm_config config = {.allocator = &memory.allocator};
    nums map;
    const char *reason;
    struct stat found;
    assert_int_equal(save(path_of("map"), 20000, 1, NULL), CM_OK);
    assert_int_equal(stat(path_of("map"), &found), 0);
    append(path_of("map"), "x", 1);
    assert_int_equal(nums_load_file(&map, &config, path_of("map"), NULL, &reason), CM_CORRUPT);
    assert_reason(reason, "follows");
    for (off_t size = found.st_size - 1; size > 0; size = size * 9 / 10) {
        assert_int_equal(truncate(path_of("map"), size), 0);
        assert_int_equal(nums_load_file(&map, &config, path_of("map"), NULL, &reason), CM_CORRUPT);
        assert_reason(reason, "too early");
    }
    assert_int_equal(memory.live_blocks, 0);
    assert_int_equal(memory.mistakes, 0);
}

struct pipe_end {
    const char *path;
    nums map;
};

static cm_status pipe_write(void *context, const void *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        size_t some = size - done < 1000 ? size - done : 1000;
        ssize_t wrote = write(*(int *)context, (const char *)bytes + done, some);
        if (wrote < 0)
            return CM_IO;
        done += (size_t)wrote;
    }
    return CM_OK;
}

static void *pipe_feed(void *context)
{
    struct pipe_end *end = context;
    int fd = open(end->path, O_WRONLY);
    cm_sink sink = {pipe_write, &fd};
    nums_save(&end->map, &sink, NULL, NULL);
    close(fd);
    return NULL;
}

static void a_pipe_is_read_in_pieces(void **state)
{
    (void)state;
    pthread_t thread;
    struct pipe_end end = {.path = path_of("pipe")};
    assert_int_equal(mkfifo(end.path, 0600), 0);
    make(&end.map, 50000, 7);
    assert_int_equal(pthread_create(&thread, NULL, pipe_feed, &end), 0);
    assert_holds(end.path, 50000, 7);
    pthread_join(thread, NULL);
    nums_destroy(&end.map);
}

/* Several save to one path at once: the file is always one of theirs. */
static size_t save_or_load(void *context, unsigned i)
{
    const char *path = context;
    size_t wrong = 0;
    nums map;
    for (size_t round = crew_scale(400) + 1; round > 0; round--) {
        if (i < 2) {
            wrong += nums_init(&map, NULL) != CM_OK;
            for (uint64_t key = 0; key < 100 + i; key++)
                nums_put(&map, key, i, NULL);
            wrong += nums_save_file(&map, path, NULL, NULL) != CM_OK;
            nums_destroy(&map);
        } else {
            if (nums_load_file(&map, NULL, path, NULL, NULL) != CM_OK)
                return wrong + 1;
            uint64_t who = nums_len(&map) - 100;
            CM_FOREACH (nums, &map, it)
                wrong += it.value != who;
            nums_destroy(&map);
        }
    }
    return wrong;
}

static void who_loads_while_others_save_gets_a_whole_file(void **state)
{
    (void)state;
    char path[400];
    strcpy(path, path_of("map"));
    assert_int_equal(save(path, 100, 0, NULL), CM_OK);
    assert_int_equal(crew_run(3, save_or_load, path), 0);
    assert_int_equal(files_there(), 1);
}

static void texts_are_saved_to_files(void **state)
{
    (void)state;
    words map;
    char text[64];
    assert_int_equal(words_init(&map, NULL), CM_OK);
    for (uint64_t i = 0; i < 50000; i++)
        words_put(&map, cm_str_from(text, (size_t)snprintf(text, sizeof text, "%llu", (unsigned long long)i)), i, NULL);
    assert_int_equal(words_save_file(&map, path_of("map"), NULL, NULL), CM_OK);
    words_destroy(&map);
    assert_int_equal(words_load_file(&map, NULL, path_of("map"), NULL, NULL), CM_OK);
    assert_int_equal(words_len(&map), 50000);
    uint64_t value = 0;
    assert_true(words_get(&map, cm_str_of("31415"), &value) && value == 31415);
    words_destroy(&map);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void a_snapshot_becomes_a_file(void **state)
{
    (void)state;
    nums map;
    nums_snapshot snapshot;
    const char *reason = "none";
    make(&map, 5000, 3);
    assert_int_equal(nums_snapshot_take(&map, &snapshot), CM_OK);
    assert_int_equal(nums_put(&map, 0, 4, NULL), CM_REPLACED);
    assert_int_equal(nums_snapshot_save_file(&snapshot, path_of("map"), NULL, &reason), CM_OK);
    assert_null(reason);
    assert_holds(path_of("map"), 5000, 3);
    assert_int_equal(nums_snapshot_save_file(&snapshot, path_of("no/map"), NULL, &reason), CM_IO);
    assert_non_null(reason);
    nums_snapshot_drop(&snapshot);
    assert_int_equal(nums_try_save_file(&map, path_of("map"), NULL, &reason), CM_OK);
    assert_int_equal(nums_save_file_until(&map, path_of("map"), NULL, &reason, CM_FOREVER), CM_OK);
    assert_int_equal(files_there(), 1);
    nums_destroy(&map);
    unlink(path_of("map"));
}

/* Saves and loads with a cancellation pending; the number of the map that was loaded. */
static void *save_and_load_cancelled(void *loaded)
{
    nums map;
    const char *reason;
    pthread_cancel(pthread_self());
    if (save(path_of("map"), 100, 7, &reason) == CM_OK &&
        nums_load_file(&map, NULL, path_of("map"), NULL, &reason) == CM_OK) {
        *(size_t *)loaded = nums_len(&map);
        nums_destroy(&map);
    }
    pthread_testcancel();
    *(size_t *)loaded = 0;
    return NULL;
}

static void no_call_is_a_point_of_cancellation(void **state)
{
    (void)state;
    pthread_t thread;
    size_t loaded = 0;
    void *result;
    if (CM_ASAN) /* which takes a stack that was unwound by cancellation for one in use */
        skip();
    assert_int_equal(pthread_create(&thread, NULL, save_and_load_cancelled, &loaded), 0);
    pthread_join(thread, &result);
    assert_ptr_equal(result, PTHREAD_CANCELED);
    assert_int_equal(loaded, 100);
    assert_int_equal(files_there(), 1);
    unlink(path_of("map"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_snapshot_becomes_a_file),
        TEST(a_file_takes_the_place_of_the_one_before),
        TEST(a_file_has_the_permissions_of_the_one_before),
        TEST(a_name_may_be_relative_long_or_a_link),
        TEST(a_save_that_fails_leaves_the_file_before),
        TEST(a_disk_without_room_leaves_the_file_before),
        TEST(a_full_device_is_a_failure),
        TEST(places_where_no_file_can_be_are_a_failure),
        TEST(files_that_cannot_be_read_are_a_failure),
        TEST(a_file_with_more_or_less_than_a_map_loads_nothing),
        TEST(a_pipe_is_read_in_pieces),
        TEST(who_loads_while_others_save_gets_a_whole_file),
        TEST(texts_are_saved_to_files),
        TEST(no_call_is_a_point_of_cancellation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
