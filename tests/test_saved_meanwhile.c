/* Maps that are saved while others write, fork, end or hold guards. The names with a letter and a number are cases of
 * the project's list of bugs that other maps had. (Of that list L4, an old object's address with a new object, does not
 * apply: a save keeps copies, never a pointer into the map.) */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../src/thread_registry.h"
#include "crew.h"
#include "saved_maps.h"
#include "shared_type.h"

#define STABLE 3000

struct traffic {
    nums map;
    words texts;
    size_t rounds;
    bool done;
};

static size_t come_and_go(void *context, unsigned i)
{
    struct traffic *traffic = context;
    uint64_t random = 77 + i;
    char text[64];
    size_t wrong = 0;
    while (!__atomic_load_n(&traffic->done, __ATOMIC_ACQUIRE)) {
        uint64_t key = crew_random(&random), stable = key % STABLE;
        wrong += nums_put(&traffic->map, stable, stable << 32 | (uint32_t)key, NULL) != CM_REPLACED;
        wrong += words_put(&traffic->texts, word_at(text, stable), stable << 32, NULL) != CM_REPLACED;
        uint64_t other = STABLE + key % 20000;
        nums_put(&traffic->map, other, other << 32, NULL);
        words_put(&traffic->texts, word_at(text, other), other << 32, NULL);
        other = STABLE + (key >> 20) % 20000;
        nums_remove(&traffic->map, other, NULL);
        words_remove(&traffic->texts, word_at(text, other), NULL);
        if (key % 4096 == 0)
            nums_shrink_to_fit(&traffic->map);
    }
    return wrong;
}

/* Each key that stays is saved, with a value of its own. */
static size_t saved_is_right(struct traffic *traffic)
{
    struct buffer buffer = {.bytes = NULL}, text_buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer), text_sink = buffer_sink(&text_buffer);
    nums map;
    words texts;
    char text[64];
    size_t wrong = nums_save(&traffic->map, &sink, NULL, NULL) != CM_OK;
    wrong += words_save(&traffic->texts, &text_sink, NULL, NULL) != CM_OK;
    cm_source source = buffer_source(&buffer), text_source = buffer_source(&text_buffer);
    if (nums_load(&map, NULL, &source, NULL, NULL) != CM_OK)
        return wrong + 1;
    if (words_load(&texts, NULL, &text_source, NULL, NULL) != CM_OK)
        return wrong + 1;
    uint64_t value;
    for (uint64_t key = 0; key < STABLE; key++) {
        wrong += !nums_get(&map, key, &value) || value >> 32 != key;
        wrong += !words_get(&texts, word_at(text, key), &value) || value >> 32 != key;
    }
    CM_FOREACH (nums, &map, it)
        wrong += it.value >> 32 != it.key;
    wrong += nums_check(&map, NULL) != CM_OK || words_check(&texts, NULL) != CM_OK;
    nums_destroy(&map);
    words_destroy(&texts);
    buffer_free(&buffer);
    buffer_free(&text_buffer);
    return wrong;
}

static size_t save_or_write(void *context, unsigned i)
{
    struct traffic *traffic = context;
    if (i > 1)
        return come_and_go(context, i);
    size_t wrong = 0;
    for (size_t round = 0; i == 0 && round < traffic->rounds; round++)
        wrong += saved_is_right(traffic);
    if (i == 0)
        __atomic_store_n(&traffic->done, true, __ATOMIC_RELEASE);
    return wrong + (i == 1 ? come_and_go(context, i) : 0);
}

static void traffic_begin(struct traffic *traffic)
{
    char text[64];
    memset(traffic, 0, sizeof *traffic);
    traffic->rounds = crew_scale(40);
    assert_int_equal(nums_init(&traffic->map, NULL), CM_OK);
    assert_int_equal(words_init(&traffic->texts, NULL), CM_OK);
    for (uint64_t key = 0; key < STABLE; key++) {
        assert_int_equal(nums_put(&traffic->map, key, key << 32, NULL), CM_OK);
        assert_int_equal(words_put(&traffic->texts, word_at(text, key), key << 32, NULL), CM_OK);
    }
}

static void traffic_end(struct traffic *traffic)
{
    nums_destroy(&traffic->map);
    words_destroy(&traffic->texts);
}

static void each_key_that_stays_is_saved_while_others_come_and_go(void **state)
{
    (void)state;
    static struct traffic traffic;
    traffic_begin(&traffic);
    assert_int_equal(crew_run(3, save_or_write, &traffic), 0);
    traffic_end(&traffic);
}

/* In a child of its own, because the mode stays. */
static void M3_without_membarrier_saving_is_as_right(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        static struct traffic traffic;
        cm_domain_force_fences_();
        traffic_begin(&traffic);
        traffic.rounds = traffic.rounds / 4 + 1;
        _exit(crew_run(3, save_or_write, &traffic) == 0 ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
}

static void M4_a_forked_child_saves_and_loads(void **state)
{
    (void)state;
    static struct traffic traffic;
    traffic_begin(&traffic);
    pid_t child = fork();
    if (child == 0) {
        size_t wrong = saved_is_right(&traffic);
        traffic_end(&traffic);
        _exit(wrong == 0 ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    assert_int_equal(saved_is_right(&traffic), 0);
    traffic_end(&traffic);
}

/* A sink that is stuck for long, while 100,000 entries are removed. */
struct stuck {
    words *map;
    struct buffer buffer;
    size_t most_waiting;
};

static cm_status churn_write(void *context, const void *bytes, size_t size)
{
    struct stuck *stuck = context;
    char text[64];
    for (uint64_t i = 0; stuck->buffer.calls == 1 && i < 100000; i++) {
        words_put(stuck->map, word_at(text, 1000000 + i), i, NULL);
        words_remove(stuck->map, word_at(text, 1000000 + i), NULL);
        size_t waiting = words_memory(stuck->map).waiting;
        stuck->most_waiting = waiting > stuck->most_waiting ? waiting : stuck->most_waiting;
    }
    return buffer_write(&stuck->buffer, bytes, size);
}

static void L7_a_save_that_is_stuck_keeps_no_memory_from_reuse(void **state)
{
    (void)state;
    words map;
    char text[64];
    assert_int_equal(words_init(&map, NULL), CM_OK);
    for (uint64_t i = 0; i < 20000; i++)
        words_put(&map, word_at(text, i), i, NULL);
    struct stuck stuck = {.map = &map};
    cm_sink sink = {churn_write, &stuck};
    assert_int_equal(words_save(&map, &sink, NULL, NULL), CM_OK);
    assert_true(stuck.buffer.calls > 2);
    assert_true(stuck.most_waiting > 0 && stuck.most_waiting < 2 << 20);
    words_destroy(&map);
    cm_source source = buffer_source(&stuck.buffer);
    assert_int_equal(words_load(&map, NULL, &source, NULL, NULL), CM_OK);
    for (uint64_t i = 0; i < 20000; i++)
        assert_true(words_contains(&map, word_at(text, i)));
    words_destroy(&map);
    buffer_free(&stuck.buffer);
}

static void *save_and_end(void *context)
{
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    cm_status status = boxes_save(context, &sink, NULL, NULL);
    boxes loaded;
    cm_source source = buffer_source(&buffer);
    if (status == CM_OK)
        status = boxes_load(&loaded, NULL, &source, NULL, NULL);
    if (status == CM_OK)
        boxes_destroy(&loaded);
    buffer_free(&buffer);
    return (void *)(intptr_t)status;
}

static void L8_threads_that_saved_and_ended_leave_nothing(void **state)
{
    (void)state;
    boxes map;
    make_boxes(&map, &(cm_config){.allocator = &memory.allocator}, 300);
    size_t live = boxes_live, blocks = memory.live_blocks;
    for (int round = 0; round < 50; round++) {
        pthread_t thread;
        void *result = NULL;
        assert_int_equal(pthread_create(&thread, NULL, save_and_end, &map), 0);
        pthread_join(thread, &result);
        assert_null(result);
    }
    assert_int_equal(boxes_live, live);
    assert_int_equal(memory.live_blocks, blocks);
    boxes_destroy(&map);
    assert_int_equal(boxes_live, 0);
    assert_int_equal(memory.live_blocks, 0);
}

static void a_guard_of_the_saving_thread_holds_up_nothing(void **state)
{
    (void)state;
    nums map;
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    for (uint64_t key = 0; key < 100; key++)
        nums_put(&map, key, key, NULL);
    CM_WITH_WRITE (nums, &map, 5, guard) {
        *guard.value = 55;
        assert_int_equal(nums_save(&map, &sink, NULL, NULL), CM_OK); /* it reads through its own lock */
    }
    nums_destroy(&map);
    cm_source source = buffer_source(&buffer);
    uint64_t value = 0;
    assert_int_equal(nums_load(&map, NULL, &source, NULL, NULL), CM_OK);
    assert_true(nums_get(&map, 5, &value) && value == 55);
    nums_destroy(&map);
    buffer_free(&buffer);
}

struct impatient {
    nums map;
    cm_status tried, limited;
    const char *reason;
};

static void *save_in_vain(void *context)
{
    struct impatient *impatient = context;
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    impatient->tried = nums_try_save(&impatient->map, &sink, NULL, &impatient->reason);
    impatient->limited = nums_save_until(&impatient->map, &sink, NULL, NULL, cm_deadline_after(1000000));
    buffer_free(&buffer);
    return NULL;
}

static void a_save_that_may_not_wait_says_so(void **state)
{
    (void)state;
    static struct impatient impatient;
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    assert_int_equal(nums_init(&impatient.map, NULL), CM_OK);
    for (uint64_t key = 0; key < 100; key++)
        nums_put(&impatient.map, key, key, NULL);
    CM_WITH_WRITE (nums, &impatient.map, 5, guard) {
        pthread_t thread;
        assert_int_equal(*guard.value, 5);
        assert_int_equal(pthread_create(&thread, NULL, save_in_vain, &impatient), 0);
        pthread_join(thread, NULL);
    }
    assert_int_equal(impatient.tried, CM_BUSY);
    assert_string_equal(impatient.reason, cm_status_text(CM_BUSY));
    assert_int_equal(impatient.limited, CM_TIMEOUT);
    assert_int_equal(nums_try_save(&impatient.map, &sink, NULL, NULL), CM_OK); /* nobody is in the way now */
    nums_destroy(&impatient.map);
    buffer_free(&buffer);
}

/* Plain entries, texts of a type that other files define, and what owns something. */
static void a_snapshot_is_saved_as_it_was_taken(void **state)
{
    (void)state;
    struct buffer buffer = {.bytes = NULL};
    cm_sink sink = buffer_sink(&buffer);
    cm_source source = buffer_source(&buffer);
    tallies tally;
    tallies_snapshot tallied;
    boxes map;
    boxes_snapshot boxed;
    char text[32];
    uint64_t value = 0;
    assert_int_equal(tallies_init(&tally, NULL), CM_OK);
    assert_int_equal(boxes_init(&map, NULL), CM_OK);
    for (uint64_t key = 0; key < 3000; key++) {
        snprintf(text, sizeof text, "%llu", (unsigned long long)key);
        assert_int_equal(tallies_put(&tally, cm_str_of(text), key, NULL), CM_OK);
    }
    for (uint64_t number = 0; number < 300; number++) {
        struct box key = box_of(number);
        assert_int_equal(boxes_put(&map, key, box_of(number + 1), NULL), CM_OK);
        box_destroy(&key, NULL);
    }
    assert_int_equal(tallies_snapshot_take(&tally, &tallied), CM_OK);
    assert_int_equal(boxes_snapshot_take(&map, &boxed), CM_OK);
    assert_int_equal(tallies_put(&tally, cm_str_of("7"), 77, NULL), CM_REPLACED);
    assert_int_equal(tallies_put(&tally, cm_str_of("late"), 1, NULL), CM_OK);
    tallies_destroy(&tally);
    boxes_destroy(&map);
    assert_int_equal(tallies_snapshot_save(&tallied, &sink, NULL, NULL), CM_OK);
    assert_int_equal(boxes_snapshot_save(&boxed, &sink, NULL, NULL), CM_OK);
    tallies_snapshot_drop(&tallied);
    boxes_snapshot_drop(&boxed);

    assert_int_equal(tallies_load(&tally, NULL, &source, NULL, NULL), CM_OK);
    assert_int_equal(tallies_len(&tally), 3000);
    assert_true(tallies_get(&tally, cm_str_of("7"), &value) && value == 7);
    assert_int_equal(boxes_load(&map, NULL, &source, NULL, NULL), CM_OK);
    assert_int_equal(boxes_len(&map), 300);
    CM_FOREACH (boxes, &map, it)
        assert_int_equal(*it.value.number, *it.key.number + 1);
    tallies_destroy(&tally);
    boxes_destroy(&map);
    assert_int_equal(boxes_live, 0);
    buffer_free(&buffer);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_key_that_stays_is_saved_while_others_come_and_go),
        cmocka_unit_test(M3_without_membarrier_saving_is_as_right),
        cmocka_unit_test(M4_a_forked_child_saves_and_loads),
        cmocka_unit_test(L7_a_save_that_is_stuck_keeps_no_memory_from_reuse),
        cmocka_unit_test(L8_threads_that_saved_and_ended_leave_nothing),
        cmocka_unit_test(a_guard_of_the_saving_thread_holds_up_nothing),
        cmocka_unit_test(a_save_that_may_not_wait_says_so),
        cmocka_unit_test(a_snapshot_is_saved_as_it_was_taken),
    };
    failing_allocator_init(&memory);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
