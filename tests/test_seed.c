/* Fresh seeds: none twice, in no thread and no forked child. */
#include <concmap/hash.h>

#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

enum { THREADS = 8, EACH = 12500, ALL = THREADS * EACH };

static uint64_t seeds[ALL];

static void seeds_take(uint64_t *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = cm_seed_random();
}

static void *thread_run(void *out)
{
    seeds_take(out, EACH);
    return NULL;
}

static int seeds_compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void assert_all_differ(uint64_t *numbers, size_t count)
{
    qsort(numbers, count, sizeof *numbers, seeds_compare);
    assert_true(numbers[0] != 0);
    for (size_t i = 1; i < count; i++)
        assert_true(numbers[i] != numbers[i - 1]);
}

static void threads_never_get_the_same_seed(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, thread_run, seeds + i * EACH), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_all_differ(seeds, ALL);
}

/* Forks a child that sends `count` seeds. */
static void child_seeds(uint64_t *out, size_t count)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        seeds_take(out, count);
        ssize_t sent = write(ends[1], out, count * sizeof *out);
        _exit(sent == (ssize_t)(count * sizeof *out) ? 0 : 1);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], out, count * sizeof *out), count * sizeof *out);
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void a_forked_child_gets_other_seeds_than_its_parent(void **state)
{
    (void)state;
    enum { COUNT = 100 };
    uint64_t family[3 * COUNT];
    cm_seed_random(); /* the secret is made before the fork */
    child_seeds(family, COUNT);
    child_seeds(family + COUNT, COUNT);
    seeds_take(family + 2 * COUNT, COUNT);
    assert_all_differ(family, 3 * COUNT);
}

/* About half of all bits are set, at each place. */
static void all_bits_of_a_seed_vary(void **state)
{
    (void)state;
    enum { COUNT = 4096 };
    seeds_take(seeds, COUNT);
    for (unsigned bit = 0; bit < 64; bit++) {
        size_t set = 0;
        for (size_t i = 0; i < COUNT; i++)
            set += seeds[i] >> bit & 1;
        assert_in_range(set, COUNT / 2 - 320, COUNT / 2 + 320); /* ten standard deviations */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_never_get_the_same_seed),
        cmocka_unit_test(a_forked_child_gets_other_seeds_than_its_parent),
        cmocka_unit_test(all_bits_of_a_seed_vary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
