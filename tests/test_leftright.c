/* The left-right map: its promises, one by one, and the cases R1 to R7. */
#include <concmap/leftright.h>
#include <concmap/sharded.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "crew.h"
#include "failing_allocator.h"
#include "items.h"
#include "shared_type.h"
#include "texts.h"
#include "unit.h"

#define MS 1000000

static uint64_t one_hash(const uint64_t *key, uint64_t seed)
{
    (void)key, (void)seed;
    return 7;
}

static uint64_t same_hash(const uint64_t *key, uint64_t seed)
{
    (void)seed;
    return *key;
}

CM_LEFTRIGHT_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_LEFTRIGHT_MAP(ones, uint64_t, uint64_t, one_hash, cm_equal_u64)
CM_LEFTRIGHT_MAP(sames, uint64_t, uint64_t, same_hash, cm_equal_u64)
CM_LEFTRIGHT_MAP(texts, cm_str, uint64_t, cm_hash_str, cm_equal_str)
CM_LEFTRIGHT_MAP_OWNED(items, uint64_t, struct item, cm_hash_u64, cm_equal_u64, CM_PLAIN,
                       CM_OWNED(item_clone, item_destroy))
CM_SHARDED_MAP(shards, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)

static nums map;
static nums_writer writer;
static nums_reader reader;

static void begin(void)
{
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    assert_int_equal(nums_writer_open(&map, &writer), CM_OK);
    assert_int_equal(nums_reader_open(&map, &reader), CM_OK);
}

static void end(void)
{
    const char *reason = NULL;
    assert_int_equal(nums_check(&map, &reason), CM_OK);
    nums_destroy(&map);
}

static uint64_t got(nums_reader *from, uint64_t key)
{
    uint64_t value = 0;
    return nums_get(from, key, &value) ? value : UINT64_MAX;
}

static void in_thread(void *(*work)(void *), void *context)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, work, context), 0);
    pthread_join(thread, NULL);
}

static void nap(long milliseconds)
{
    nanosleep(&(struct timespec){0, milliseconds * MS}, NULL);
}

/* Another thread, which sits in a view until it is told to leave. */
static struct sitter {
    pthread_t thread;
    pthread_barrier_t inside, leave;
    nums_reader *reader;
    long after; /* milliseconds to sit on; then it leaves untold */
    uint64_t seen;
} sitter;

static void *sit(void *context)
{
    struct sitter *self = context;
    const nums_view *view = nums_enter(self->reader);
    pthread_barrier_wait(&self->inside);
    if (self->after)
        nap(self->after);
    else
        pthread_barrier_wait(&self->leave);
    const uint64_t *value = nums_view_get(view, 1);
    self->seen = value ? *value : UINT64_MAX;
    nums_leave(self->reader);
    return NULL;
}

static void sitter_begin(nums_reader *with, long after)
{
    sitter.reader = with;
    sitter.after = after;
    pthread_barrier_init(&sitter.inside, NULL, 2);
    pthread_barrier_init(&sitter.leave, NULL, 2);
    assert_int_equal(pthread_create(&sitter.thread, NULL, sit, &sitter), 0);
    pthread_barrier_wait(&sitter.inside);
}

static uint64_t sitter_end(void)
{
    if (!sitter.after)
        pthread_barrier_wait(&sitter.leave);
    pthread_join(sitter.thread, NULL);
    pthread_barrier_destroy(&sitter.inside);
    pthread_barrier_destroy(&sitter.leave);
    return sitter.seen;
}

/* ---- publishing ---- */

static void before_the_first_publish_readers_see_nothing(void **state)
{
    (void)state;
    begin();
    assert_true(got(&reader, 1) == UINT64_MAX);
    assert_int_equal(nums_put(&writer, 1, 10, NULL), CM_OK);
    assert_true(got(&reader, 1) == UINT64_MAX);
    CM_WITH_VIEW (nums, &reader, view) {
        assert_int_equal(nums_view_len(view), 0);
        assert_int_equal(nums_view_meta(view), 0);
    }
    end();
}

static void a_batch_is_seen_at_once_and_by_its_writer_before(void **state)
{
    (void)state;
    uint64_t value = 0;
    begin();
    assert_false(nums_has_pending(&writer));
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(nums_put(&writer, i, i, NULL), CM_OK);
    assert_int_equal(nums_writer_get(&writer, 99, &value), CM_OK);
    assert_int_equal(value, 99);
    assert_int_equal(nums_writer_len(&writer), 100);
    assert_true(nums_has_pending(&writer));
    assert_false(got(&reader, 99) == 99);
    assert_int_equal(nums_publish(&writer), CM_OK);
    assert_false(nums_has_pending(&writer));
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(got(&reader, i), i);
    assert_true(nums_writer_contains(&writer, 5)); /* also between batches */
    assert_int_equal(nums_remove(&writer, 5, &value), CM_OK);
    assert_int_equal(value, 5);
    assert_int_equal(nums_remove(&writer, 5, NULL), CM_ABSENT);
    assert_false(nums_writer_contains(&writer, 5));
    assert_int_equal(got(&reader, 5), 5);
    assert_int_equal(nums_flush(&writer), CM_OK);
    assert_true(got(&reader, 5) == UINT64_MAX);
    assert_int_equal(nums_begin(&writer), CM_OK);
    assert_int_equal(nums_flush(&writer), CM_OK); /* nothing */
    end();
}

static cm_status add(uint64_t *value, void *context)
{
    *value += *(uint64_t *)context;
    return *value > 1000 ? CM_FULL : CM_OK;
}

static void outcomes_are_those_of_every_map(void **state)
{
    (void)state;
    uint64_t value = 0, by = 5;
    begin();
    for (int round = 0; round < 3; round++) {
        assert_int_equal(nums_insert(&writer, 1, 10), CM_OK);
        assert_int_equal(nums_insert(&writer, 1, 11), CM_EXISTS);
        assert_int_equal(nums_replace(&writer, 2, 1, NULL), CM_ABSENT);
        assert_int_equal(nums_replace(&writer, 1, 12, &value), CM_REPLACED);
        assert_int_equal(value, 10);
        assert_int_equal(nums_put(&writer, 1, 13, &value), CM_REPLACED);
        assert_int_equal(value, 12);
        assert_int_equal(nums_update(&writer, 1, add, &by), CM_OK);
        assert_int_equal(nums_update(&writer, 2, add, &by), CM_ABSENT);
        assert_int_equal(nums_upsert(&writer, 1, 0, add, &by), CM_REPLACED);
        assert_int_equal(nums_upsert(&writer, 3, 7, add, &by), CM_OK);
        assert_int_equal(nums_publish(&writer), CM_OK);
        assert_int_equal(got(&reader, 1), 23);
        assert_int_equal(got(&reader, 3), 7);
        by = 1000;
        assert_int_equal(nums_update(&writer, 1, add, &by), CM_FULL);
        assert_int_equal(nums_upsert(&writer, 1, 0, add, &by), CM_FULL);
        by = 5;
        assert_int_equal(nums_writer_get(&writer, 1, &value), CM_OK);
        assert_int_equal(value, 23);
        assert_int_equal(nums_clear(&writer), CM_OK);
        assert_int_equal(got(&reader, 1), 23);
        assert_int_equal(nums_publish(&writer), CM_OK);
        assert_true(got(&reader, 1) == UINT64_MAX);
        assert_int_equal(nums_check(&map, NULL), CM_OK);
    }
    assert_int_equal(nums_put_hashed(&writer, nums_hash_of(&map, 9), 9, 9, NULL), CM_OK);
    assert_true(nums_writer_contains(&writer, 9));
    end();
}

static void a_view_is_a_snapshot_with_its_meta(void **state)
{
    (void)state;
    begin();
    nums_put(&writer, 1, 1, NULL);
    nums_set_meta(&writer, 1);
    nums_publish(&writer);
    const nums_view *view = nums_enter(&reader);
    nums_put(&writer, 1, 2, NULL);
    nums_put(&writer, 2, 2, NULL);
    nums_set_meta(&writer, 2);
    nums_publish(&writer);
    assert_int_equal(*nums_view_get(view, 1), 1);
    assert_null(nums_view_get(view, 2));
    assert_int_equal(nums_view_meta(view), 1);
    assert_int_equal(nums_view_len(view), 1);
    assert_int_equal(got(&reader, 1), 1); /* a get inside is of the view */
    nums_leave(&reader);
    size_t entries = 0;
    CM_WITH_VIEW (nums, &reader, now) {
        const uint64_t *key = NULL, *value = NULL;
        assert_true(nums_view_get_key_value(now, 2, &key, &value));
        assert_int_equal(*key + *value, 4);
        assert_false(nums_view_get_key_value(now, 3, NULL, NULL));
        assert_true(nums_view_contains(now, 1));
        assert_int_equal(nums_view_meta(now), 2);
        CM_FOREACH (nums_view, now, it)
            entries += *it.value == 2;
    }
    assert_int_equal(entries, 2);
    end();
}

static void views_nest(void **state)
{
    (void)state;
    begin();
    nums_put(&writer, 1, 1, NULL);
    nums_publish(&writer);
    const nums_view *outer = nums_enter(&reader);
    nums_put(&writer, 1, 2, NULL);
    nums_publish(&writer);
    assert_ptr_equal(nums_enter(&reader), outer);
    nums_leave(&reader);
    assert_int_equal(nums_reader_close(&reader), CM_INVALID); /* inside */
    assert_int_equal(*nums_view_get(outer, 1), 1);
    nums_leave(&reader);
    assert_int_equal(got(&reader, 1), 2);
    assert_int_equal(nums_reader_close(&reader), CM_OK);
    assert_int_equal(nums_reader_close(&reader), CM_INVALID);
    end();
}

/* ---- who waits for whom ---- */

/* The example of flashmap's manual. */
static void a_thread_publishes_inside_its_view_and_reads_on(void **state)
{
    (void)state;
    begin();
    nums_put(&writer, 1, 1, NULL);
    nums_publish(&writer);
    const nums_view *view = nums_enter(&reader);
    assert_int_equal(nums_put(&writer, 1, 2, NULL), CM_REPLACED); /* the side before is free */
    assert_int_equal(nums_publish(&writer), CM_OK);
    assert_int_equal(*nums_view_get(view, 1), 1);
    assert_int_equal(nums_put(&writer, 1, 3, NULL), CM_DEADLOCK); /* now it would wait for itself */
    assert_int_equal(nums_begin(&writer), CM_DEADLOCK);
    assert_int_equal(nums_try_begin(&writer), CM_DEADLOCK);
    assert_int_equal(nums_begin_until(&writer, cm_deadline_after(MS)), CM_DEADLOCK);
    assert_int_equal(*nums_view_get(view, 1), 1);
    nums_leave(&reader);
    view = nums_enter(&reader); /* of the newest: nobody waits for that */
    assert_int_equal(nums_put(&writer, 1, 3, NULL), CM_REPLACED);
    assert_int_equal(*nums_view_get(view, 1), 2);
    nums_leave(&reader);
    end();
}

static void waiting_has_an_end_where_it_is_asked_for(void **state)
{
    (void)state;
    begin();
    nums_put(&writer, 1, 1, NULL);
    nums_publish(&writer);
    sitter_begin(&reader, 0);
    nums_put(&writer, 1, 2, NULL);
    nums_publish(&writer);
    assert_int_equal(nums_try_begin(&writer), CM_BUSY);
    assert_int_equal(nums_try_put(&writer, 1, 3, NULL), CM_BUSY);
    assert_int_equal(nums_begin_until(&writer, cm_deadline_after(5 * MS)), CM_TIMEOUT);
    assert_int_equal(nums_put_until(&writer, 1, 3, NULL, cm_deadline_after(5 * MS)), CM_TIMEOUT);
    assert_int_equal(nums_publish(&writer), CM_OK); /* nothing to publish: the sides stay */
    nums_reader other;
    assert_int_equal(nums_reader_open(&map, &other), CM_OK);
    assert_int_equal(got(&other, 1), 2);
    assert_int_equal(sitter_end(), 1);
    assert_int_equal(nums_try_put(&writer, 1, 3, NULL), CM_REPLACED);
    end();
}

static void a_reader_that_leaves_wakes_the_writer(void **state)
{
    (void)state;
    begin();
    for (uint64_t i = 0; i < 5; i++) {
        nums_put(&writer, 1, i, NULL);
        nums_publish(&writer);
        sitter_begin(&reader, 20);
        nums_put(&writer, 1, i + 100, NULL);
        nums_publish(&writer);
        assert_int_equal(nums_begin(&writer), CM_OK); /* sleeps meanwhile */
        assert_int_equal(sitter_end(), i);
    }
    end();
}

/* Rule 22. */
static void an_unknown_side_counts_as_stale(void **state)
{
    (void)state;
    begin();
    nums_put(&writer, 1, 1, NULL);
    nums_publish(&writer);
    struct cm_seat_ *slot = reader.core.slot;
    cm_store_release_(&slot->state, CM_INSIDE_UNKNOWN_); /* of no thread: a reader that has stalled amid entering */
    assert_int_equal(nums_try_begin(&writer), CM_BUSY);
    assert_int_equal(nums_begin_until(&writer, cm_deadline_after(MS)), CM_TIMEOUT);
    cm_store_release_(&slot->state, cm_inside_(0, map.core->word)); /* it has entered the active side */
    assert_int_equal(nums_try_begin(&writer), CM_OK);
    cm_store_release_(&slot->state, 0);
    end();
}

static void *enter_from_another_thread(void *context)
{
    *(const nums_view **)context = nums_enter(&reader);
    return NULL;
}

static void a_view_of_another_thread_is_no_deadlock(void **state)
{
    (void)state;
    const nums_view *view = NULL;
    begin();
    nums_put(&writer, 1, 1, NULL);
    nums_publish(&writer);
    in_thread(enter_from_another_thread, &view);
    nums_put(&writer, 1, 2, NULL);
    nums_publish(&writer);
    assert_int_equal(nums_try_begin(&writer), CM_BUSY);
    assert_int_equal(*nums_view_get(view, 1), 1);
    nums_leave(&reader); /* by another thread than the one that entered */
    assert_int_equal(nums_begin(&writer), CM_OK);
    end();
}

/* ---- handles ---- */

static void there_is_one_writer(void **state)
{
    (void)state;
    nums_writer second;
    begin();
    assert_int_equal(nums_writer_open(&map, &second), CM_BUSY);
    assert_int_equal(nums_writer_open_shared(&map, &second), CM_BUSY);
    assert_int_equal(nums_writer_lock(&writer), CM_INVALID); /* it is not shared */
    nums_put(&writer, 1, 1, NULL);
    assert_int_equal(nums_writer_close(&writer), CM_OK); /* publishes */
    assert_int_equal(got(&reader, 1), 1);
    assert_int_equal(nums_writer_open(&map, &second), CM_OK);
    assert_int_equal(nums_put(&second, 1, 2, NULL), CM_REPLACED);
    end();
}

static void readers_see_the_end_where_it_is_told(void **state)
{
    (void)state;
    begin();
    nums_put(&writer, 1, 1, NULL);
    nums_publish(&writer);
    const nums_view *view = nums_enter(&reader);
    nums_reader other;
    assert_int_equal(nums_reader_clone(&reader, &other), CM_OK);
    assert_int_equal(nums_writer_end(&writer), CM_OK);
    assert_int_equal(*nums_view_get(view, 1), 1);
    assert_null(nums_enter(&other));
    assert_true(got(&other, 1) == UINT64_MAX);
    bool ran = false;
    CM_WITH_VIEW (nums, &other, none)
        ran = none != NULL;
    assert_false(ran);
    nums_leave(&reader);
    assert_int_equal(nums_writer_open(&map, &writer), CM_OK);
    assert_int_equal(got(&other, 1), 1);
    end();
}

static void readers_are_made_by_maps_readers_and_factories(void **state)
{
    (void)state;
    nums_reader second, third;
    begin();
    nums_put(&writer, 1, 1, NULL);
    nums_publish(&writer);
    nums_factory factory = nums_factory_of(&map);
    assert_int_equal(nums_reader_clone(&reader, &second), CM_OK);
    assert_int_equal(nums_factory_open(&factory, &third), CM_OK);
    assert_int_equal(got(&second, 1) + got(&third, 1), 2);
    struct cm_seat_ *slot = third.core.slot;
    assert_int_equal(nums_reader_close(&third), CM_OK);
    assert_int_equal(nums_factory_open(&factory, &third), CM_OK);
    assert_ptr_equal(third.core.slot, slot); /* recycled */
    end();
}

static nums_writer shared;

static cm_status count_one(uint64_t *value, void *context)
{
    (void)context;
    ++*value;
    return CM_OK;
}

static size_t count_up(void *context, unsigned thread)
{
    size_t wrong = 0;
    uint64_t before = 0, value = 0;
    nums_reader own;
    wrong += nums_factory_open(context, &own) != CM_OK;
    for (size_t i = crew_scale(5000); i > 0; i--) {
        wrong += nums_upsert(&shared, 7, 1, count_one, NULL) < 0;
        wrong += (i + thread) % 3 == 0 && nums_publish(&shared) != CM_OK;
        if (nums_get(&own, 7, &value)) {
            wrong += value < before;
            before = value;
        }
    }
    wrong += nums_reader_close(&own) != CM_OK;
    return wrong;
}

static cm_status change_amid(uint64_t *value, void *context)
{
    *(cm_status *)context = nums_put(&shared, 2, *value, NULL);
    return CM_OK;
}

static void a_shared_writer_is_for_many_threads(void **state)
{
    (void)state;
    cm_status status = CM_OK;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    assert_int_equal(nums_reader_open(&map, &reader), CM_OK);
    assert_int_equal(nums_writer_open_shared(&map, &shared), CM_OK);
    nums_factory factory = nums_factory_of(&map);
    assert_int_equal(crew_run(3, count_up, &factory), 0);
    assert_int_equal(nums_publish(&shared), CM_OK);
    assert_int_equal(got(&reader, 7), 3 * crew_scale(5000));
    assert_int_equal(nums_put(&shared, 1, 1, NULL), CM_OK);
    assert_int_equal(nums_update(&shared, 1, change_amid, &status), CM_OK);
    assert_int_equal(status, CM_DEADLOCK);
    assert_int_equal(nums_put(&shared, 2, 1, NULL), CM_OK);
    end();
}

static void *put_two(void *context)
{
    *(cm_status *)context = nums_try_put(&shared, 1, 2, NULL);
    return NULL;
}

static void several_calls_of_a_shared_writer_stay_together(void **state)
{
    (void)state;
    cm_status status = CM_OK;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    assert_int_equal(nums_reader_open(&map, &reader), CM_OK);
    assert_int_equal(nums_writer_open_shared(&map, &shared), CM_OK);
    assert_int_equal(nums_writer_lock(&shared), CM_OK);
    assert_int_equal(nums_writer_lock(&shared), CM_DEADLOCK);
    assert_int_equal(nums_put(&shared, 1, 1, NULL), CM_OK);
    in_thread(put_two, &status);
    assert_int_equal(status, CM_BUSY);
    assert_int_equal(nums_publish(&shared), CM_OK);
    sitter_begin(&reader, 0);
    assert_int_equal(nums_put(&shared, 1, 3, NULL), CM_REPLACED);
    assert_int_equal(nums_publish(&shared), CM_OK);
    assert_int_equal(nums_put(&shared, 1, 4, NULL), CM_BUSY); /* it has the lock, and does not wait */
    nums_writer_unlock(&shared);
    assert_int_equal(sitter_end(), 1);
    in_thread(put_two, &status);
    assert_int_equal(status, CM_REPLACED);
    end();
}

static void *end_with_the_lock(void *context)
{
    *(cm_status *)context = nums_writer_lock(&shared);
    return NULL;
}

static void *use_the_record_of_the_dead(void *context)
{
    nums_get(&reader, 1, &(uint64_t){0}); /* has a thread record now */
    *(cm_status *)context = nums_put(&shared, 1, 1, NULL);
    return NULL;
}

static void a_thread_that_ends_gives_the_lock_back(void **state)
{
    (void)state;
    cm_status status = CM_INVALID;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    assert_int_equal(nums_reader_open(&map, &reader), CM_OK);
    assert_int_equal(nums_writer_open_shared(&map, &shared), CM_OK);
    in_thread(end_with_the_lock, &status);
    assert_int_equal(status, CM_OK);
    in_thread(use_the_record_of_the_dead, &status);
    assert_int_equal(status, CM_OK);
    assert_false(map.core->lock.cell & CM_WRITER_);
    assert_int_equal(nums_put(&shared, 1, 1, NULL), CM_REPLACED);
    end();
}

static cm_status end_the_thread(uint64_t *value, void *context)
{
    (void)value, (void)context;
    pthread_exit(NULL);
}

static void *end_within_a_function(void *context)
{
    *(cm_status *)context = nums_update(&shared, 1, end_the_thread, NULL);
    return NULL;
}

/* The function changed nothing, and is not taken to run for ever. */
static void a_function_that_ends_its_thread_leaves_a_shared_writer_as_it_was(void **state)
{
    (void)state;
    cm_status status = CM_INVALID;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    assert_int_equal(nums_reader_open(&map, &reader), CM_OK);
    assert_int_equal(nums_writer_open_shared(&map, &shared), CM_OK);
    assert_int_equal(nums_put(&shared, 1, 1, NULL), CM_OK);
    in_thread(end_within_a_function, &status);
    assert_int_equal(status, CM_INVALID); /* it did not return */
    assert_int_equal(nums_put(&shared, 2, 2, NULL), CM_OK);
    assert_int_equal(nums_publish(&shared), CM_OK);
    assert_int_equal(got(&reader, 1), 1);
    assert_int_equal(got(&reader, 2), 2);
    in_thread(end_within_a_function, &status);
    assert_int_equal(nums_publish(&shared), CM_OK); /* the first call after it is one that changes nothing */
    end();
}

static void *put_three(void *context)
{
    *(cm_status *)context = nums_put(&shared, 1, 3, NULL);
    return NULL;
}

/* Rule 22: while one thread waits for a reader, that reader gets the writer's lock. */
static void a_shared_writer_waits_without_its_lock(void **state)
{
    (void)state;
    cm_status status = CM_OK;
    pthread_t thread;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    assert_int_equal(nums_reader_open(&map, &reader), CM_OK);
    assert_int_equal(nums_writer_open_shared(&map, &shared), CM_OK);
    nums_put(&shared, 1, 1, NULL);
    nums_publish(&shared);
    nums_enter(&reader);
    nums_put(&shared, 1, 2, NULL);
    nums_publish(&shared);
    assert_int_equal(pthread_create(&thread, NULL, put_three, &status), 0);
    nap(30); /* it waits for this thread by now */
    assert_int_equal(nums_put_until(&shared, 1, 4, NULL, cm_deadline_after(2000 * (uint64_t)MS)), CM_DEADLOCK);
    nums_leave(&reader);
    pthread_join(thread, NULL);
    assert_int_equal(status, CM_REPLACED);
    end();
}

/* ---- the stale side is free ---- */

static void add_one(void *count)
{
    __atomic_add_fetch((int *)count, 1, __ATOMIC_RELAXED);
}

static void a_function_is_told_when_the_stale_side_is_free(void **state)
{
    (void)state;
    int calls = 0, fd = eventfd(0, EFD_NONBLOCK);
    nums_reader other;
    uint64_t count = 0;
    begin();
    assert_int_equal(nums_reader_clone(&reader, &other), CM_OK);
    assert_int_equal(nums_when_free(&writer, add_one, &calls), CM_OK);
    nums_put(&writer, 1, 1, NULL);
    nums_publish(&writer);
    assert_int_equal(calls, 1); /* nobody is there */
    nums_enter(&reader);
    nums_put(&writer, 1, 2, NULL);
    nums_enter(&other);
    nums_publish(&writer);
    assert_int_equal(calls, 1);
    nums_leave(&reader);
    nums_enter(&reader); /* the active side is no matter */
    assert_int_equal(calls, 1);
    nums_leave(&other);
    assert_int_equal(calls, 2);
    assert_int_equal(nums_try_begin(&writer), CM_OK);
    nums_leave(&reader);
    assert_int_equal(nums_when_free(&writer, cm_notify_fd, &fd), CM_OK);
    nums_publish(&writer);
    assert_int_equal(read(fd, &count, sizeof count), sizeof count);
    assert_int_equal(count, 1);
    assert_int_equal(nums_when_free(&writer, NULL, NULL), CM_OK);
    nums_begin(&writer);
    nums_publish(&writer);
    assert_int_equal(read(fd, &count, sizeof count), -1);
    assert_int_equal(calls, 2);
    close(fd);
    end();
}

static int told;

static size_t publish_and_be_told(void *context, unsigned thread)
{
    size_t wrong = 0;
    nums_reader own;
    if (thread != 0) { /* readers that come and go */
        wrong += nums_factory_open(context, &own) != CM_OK;
        for (size_t i = crew_scale(100000); i > 0; i--)
            CM_WITH_VIEW (nums, &own, view)
                wrong += nums_view_len(view) > 1;
        return wrong + (nums_reader_close(&own) != CM_OK);
    }
    for (int i = 0; i < (int)crew_scale(1000); i++) {
        wrong += nums_put(&writer, 1, 1, NULL) < 0;
        wrong += nums_publish(&writer) != CM_OK;
        for (int naps = 0; __atomic_load_n(&told, __ATOMIC_RELAXED) <= i; naps++) {
            sched_yield();
            if (naps > 10000000)
                return wrong + 1;
        }
    }
    return wrong;
}

static void no_tale_of_a_free_side_is_lost(void **state)
{
    (void)state;
    begin();
    told = 0;
    nums_factory factory = nums_factory_of(&map);
    assert_int_equal(nums_when_free(&writer, add_one, &told), CM_OK);
    assert_int_equal(crew_run(3, publish_and_be_told, &factory), 0);
    assert_int_equal(told, (int)crew_scale(1000)); /* once for each */
    end();
}

/* ---- values that own something ---- */

static items things;
static items_writer thing_writer;
static items_reader thing_reader;

static void begin_items(void)
{
    alive = 0;
    assert_int_equal(items_init(&things, NULL), CM_OK);
    assert_int_equal(items_writer_open(&things, &thing_writer), CM_OK);
    assert_int_equal(items_reader_open(&things, &thing_reader), CM_OK);
}

static cm_status grow_item(struct item *item, void *context)
{
    (void)context;
    ++*item->own;
    return CM_OK;
}

/* Rule 21. */
static void what_is_removed_is_destroyed_once_both_sides_let_go(void **state)
{
    (void)state;
    struct item copy;
    begin_items();
    for (uint64_t i = 0; i < 10; i++)
        assert_int_equal(items_put(&thing_writer, i, item_of(i), NULL), CM_OK);
    assert_int_equal(items_insert(&thing_writer, 1, item_of(5)), CM_EXISTS); /* that one is destroyed */
    assert_int_equal(alive, 10);
    items_publish(&thing_writer);
    const items_view *view = items_enter(&thing_reader);
    assert_int_equal(items_remove(&thing_writer, 1, NULL), CM_OK);
    assert_int_equal(items_put(&thing_writer, 2, item_of(22), &copy), CM_REPLACED);
    assert_int_equal(*copy.own, 2); /* a clone */
    item_destroy(&copy, NULL);
    assert_int_equal(items_update(&thing_writer, 3, grow_item, NULL), CM_OK);
    assert_int_equal(alive, 12);
    items_publish(&thing_writer);
    assert_int_equal(*items_view_get(view, 1)->own, 1);
    assert_int_equal(*items_view_get(view, 2)->own, 2);
    assert_int_equal(*items_view_get(view, 3)->own, 3);
    items_leave(&thing_reader);
    assert_int_equal(alive, 12);
    assert_int_equal(items_begin(&thing_writer), CM_OK);
    assert_int_equal(alive, 9);
    assert_true(items_get(&thing_reader, 2, &copy));
    assert_int_equal(*copy.own, 22);
    item_destroy(&copy, NULL);
    assert_int_equal(items_put(&thing_writer, 50, item_of(50), NULL), CM_OK); /* comes and goes unpublished */
    assert_int_equal(items_put(&thing_writer, 50, item_of(51), NULL), CM_REPLACED);
    assert_int_equal(items_remove(&thing_writer, 50, NULL), CM_OK);
    assert_int_equal(items_clear(&thing_writer), CM_OK);
    assert_int_equal(items_put(&thing_writer, 1, item_of(1), NULL), CM_OK);
    items_publish(&thing_writer);
    assert_int_equal(items_begin(&thing_writer), CM_OK);
    assert_int_equal(alive, 1);
    items_destroy(&things);
    assert_int_equal(alive, 0);
}

static cm_status keep_by_turns(const uint64_t *key, const struct item *item, void *context)
{
    assert_int_equal(*key, *item->own);
    return ++*(uint64_t *)context % 2 ? CM_OK : CM_ABSENT; /* another answer each time it is asked */
}

static void r4_what_is_decided_once_is_done_to_both_sides(void **state)
{
    (void)state;
    uint64_t calls = 0;
    begin_items();
    for (uint64_t i = 0; i < 101; i++)
        items_put(&thing_writer, i, item_of(i), NULL);
    items_publish(&thing_writer);
    assert_int_equal(items_retain(&thing_writer, keep_by_turns, &calls), CM_OK);
    assert_int_equal(calls, 101);
    items_publish(&thing_writer);
    assert_int_equal(items_begin(&thing_writer), CM_OK);
    assert_int_equal(calls, 101);
    assert_int_equal(items_check(&things, NULL), CM_OK); /* the sides agree */
    assert_int_equal(items_writer_len(&thing_writer), 51);
    assert_int_equal(alive, 51);
    items_destroy(&things);
    assert_int_equal(alive, 0);
}

static void r7_what_was_taken_outlives_even_the_map(void **state)
{
    (void)state;
    items_taken first, second, third;
    items other;
    items_writer other_writer;
    begin_items();
    assert_int_equal(items_init(&other, NULL), CM_OK);
    assert_int_equal(items_writer_open(&other, &other_writer), CM_OK);
    for (uint64_t i = 0; i < 4; i++)
        items_put(&thing_writer, i, item_of(i), NULL);
    items_publish(&thing_writer);
    const items_view *view = items_enter(&thing_reader);
    assert_int_equal(items_take(&thing_writer, 9, &first), CM_ABSENT);
    assert_int_equal(items_take(&thing_writer, 0, &first), CM_OK);
    assert_int_equal(items_take(&thing_writer, 1, &second), CM_OK);
    assert_int_equal(items_take(&thing_writer, 2, &third), CM_OK);
    assert_int_equal(items_give_back(&thing_writer, &first), CM_OK); /* readers see it still */
    items_publish(&thing_writer);
    assert_int_equal(*items_view_get(view, 0)->own, 0);
    items_leave(&thing_reader);
    assert_int_equal(alive, 4);
    assert_int_equal(items_give_back(&other_writer, &second), CM_INVALID);
    assert_int_equal(items_give_back(&thing_writer, &first), CM_INVALID); /* twice */
    assert_int_equal(items_begin(&thing_writer), CM_OK);
    assert_int_equal(alive, 3);
    assert_int_equal(items_give_back(&thing_writer, &second), CM_OK); /* nobody sees it any more */
    assert_int_equal(alive, 2);
    items_destroy(&things);
    items_destroy(&other);
    assert_int_equal(alive, 1);
    assert_int_equal(*third.value.own, 2);
    assert_int_equal(items_give_back(NULL, &third), CM_OK);
    assert_int_equal(items_give_back(NULL, &third), CM_INVALID);
    assert_int_equal(alive, 0);
}

static items_taken taken_before;

static cm_status give_it_back(struct item *item, void *context)
{
    (void)item;
    *(cm_status *)context = items_give_back(&thing_writer, &taken_before);
    return CM_OK;
}

static void a_function_gives_nothing_back(void **state)
{
    (void)state;
    cm_status said = CM_OK;
    begin_items();
    items_put(&thing_writer, 1, item_of(1), NULL);
    items_put(&thing_writer, 2, item_of(2), NULL);
    assert_int_equal(items_take(&thing_writer, 1, &taken_before), CM_OK);
    assert_int_equal(items_update(&thing_writer, 2, give_it_back, &said), CM_OK);
    assert_int_equal(said, CM_DEADLOCK);
    assert_int_equal(items_give_back(&thing_writer, &taken_before), CM_OK);
    items_destroy(&things);
    assert_int_equal(alive, 0);
}

static void what_comes_back_between_batches_waits_for_readers(void **state)
{
    (void)state;
    items_taken taken;
    begin_items();
    items_put(&thing_writer, 1, item_of(1), NULL);
    items_publish(&thing_writer);
    const items_view *view = items_enter(&thing_reader);
    items_take(&thing_writer, 1, &taken);
    items_publish(&thing_writer);
    assert_int_equal(items_give_back(&thing_writer, &taken), CM_OK);
    assert_false(items_has_pending(&thing_writer));
    assert_int_equal(*items_view_get(view, 1)->own, 1);
    items_leave(&thing_reader);
    items_destroy(&things);
    assert_int_equal(alive, 0);
}

/* ---- cases ---- */

static void r1_a_writer_is_closed_while_a_reader_is_inside(void **state)
{
    (void)state;
    begin_items();
    items_put(&thing_writer, 1, item_of(1), NULL);
    items_publish(&thing_writer);
    const items_view *view = items_enter(&thing_reader);
    items_put(&thing_writer, 1, item_of(2), NULL);
    items_publish(&thing_writer);
    assert_int_equal(items_writer_close(&thing_writer), CM_OK);
    assert_int_equal(*items_view_get(view, 1)->own, 1);
    /* R2 */
    assert_ptr_equal(items_enter(&thing_reader), view);
    assert_int_equal(*items_view_get(view, 1)->own, 1);
    items_leave(&thing_reader);
    assert_int_equal(alive, 2);
    items_leave(&thing_reader);
    items_destroy(&things);
    assert_int_equal(alive, 0);
}

static size_t r3_work(void *context, unsigned thread)
{
    size_t wrong = 0;
    nums_reader own, more;
    if (thread == 0) {
        for (size_t i = 0; i < crew_scale(3000); i++) {
            wrong += nums_put(&writer, i % 10, i, NULL) < 0;
            wrong += nums_publish(&writer) != CM_OK;
        }
        return wrong;
    }
    wrong += nums_factory_open(context, &own) != CM_OK;
    for (size_t i = 0; i < crew_scale(10000); i++) {
        nums_enter(&own);
        wrong += nums_reader_clone(&own, &more) != CM_OK;
        nums_enter(&more);
        nums_leave(&more);
        wrong += nums_reader_close(&more) != CM_OK;
        nums_leave(&own);
    }
    return wrong + (nums_reader_close(&own) != CM_OK);
}

static void r3_readers_are_made_and_dropped_inside_views_while_another_publishes(void **state)
{
    (void)state;
    begin();
    nums_factory factory = nums_factory_of(&map);
    assert_int_equal(crew_run(3, r3_work, &factory), 0);
    end();
}

static void r5_ten_thousand_readers(void **state)
{
    (void)state;
    enum { READERS = 10000 };
    nums_reader *readers = malloc(READERS * sizeof *readers);
    begin();
    nums_put(&writer, 1, 1, NULL);
    nums_publish(&writer);
    for (size_t i = 0; i < READERS; i++) {
        assert_int_equal(nums_reader_open(&map, &readers[i]), CM_OK);
        assert_non_null(nums_enter(&readers[i]));
    }
    assert_true(nums_memory(&writer).threads >= READERS * (size_t)CM_APART);
    nums_put(&writer, 1, 2, NULL);
    nums_publish(&writer);
    for (size_t i = 0; i < READERS; i++) {
        assert_int_equal(nums_try_begin(&writer), CM_DEADLOCK); /* this thread's own */
        nums_leave(&readers[i]);
        assert_int_equal(got(&readers[i], 1), 2);
        if (i % 2)
            assert_int_equal(nums_reader_close(&readers[i]), CM_OK);
    }
    assert_int_equal(nums_begin(&writer), CM_OK);
    assert_int_equal(nums_writer_close(&writer), CM_OK);
    assert_int_equal(got(&readers[0], 1), 2); /* it outlives the writer */
    end();
    free(readers);
}

static void r6_batches_that_are_not_published_are_not_lost(void **state)
{
    (void)state;
    begin_items();
    assert_int_equal(items_begin(&thing_writer), CM_OK);
    items_put(&thing_writer, 1, item_of(1), NULL);
    assert_int_equal(items_begin(&thing_writer), CM_OK);
    items_put(&thing_writer, 2, item_of(2), NULL);
    CM_WITH_VIEW (items, &thing_reader, view)
        assert_int_equal(items_view_len(view), 0);
    assert_int_equal(items_writer_close(&thing_writer), CM_OK);
    CM_WITH_VIEW (items, &thing_reader, view)
        assert_int_equal(items_view_len(view), 2);
    assert_int_equal(items_writer_open(&things, &thing_writer), CM_OK);
    items_put(&thing_writer, 3, item_of(3), NULL);
    assert_int_equal(alive, 3);
    items_destroy(&things); /* amid a batch */
    assert_int_equal(alive, 0);
}

/* L2: other maps come and go meanwhile. L9: the map is dropped with much to be destroyed. */
static void l2_l9_a_view_keeps_what_was_removed(void **state)
{
    (void)state;
    begin_items();
    for (uint64_t i = 0; i < 1000; i++)
        items_put(&thing_writer, i, item_of(i), NULL);
    items_publish(&thing_writer);
    const items_view *view = items_enter(&thing_reader);
    items_clear(&thing_writer);
    items_publish(&thing_writer);
    for (int i = 0; i < 3; i++) {
        shards b;
        texts c;
        assert_int_equal(shards_init(&b, NULL), CM_OK);
        assert_int_equal(texts_init(&c, NULL), CM_OK);
        for (uint64_t k = 0; k < 3000; k++)
            shards_put(&b, k, k, NULL);
        shards_destroy(&b);
        texts_destroy(&c);
    }
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(*items_view_get(view, i)->own, i);
    items_leave(&thing_reader);
    assert_int_equal(alive, 1000);
    items_destroy(&things);
    assert_int_equal(alive, 0);
}

static void l10_memory_may_be_aligned_to_eight_bytes(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    memory.misaligned = true;
    assert_int_equal(nums_init(&map, &(cm_config){.allocator = &memory.allocator}), CM_OK);
    assert_int_equal(nums_writer_open(&map, &writer), CM_OK);
    assert_int_equal(nums_reader_open(&map, &reader), CM_OK);
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(nums_put(&writer, i, i, NULL), CM_OK);
    nums_publish(&writer);
    assert_int_equal(got(&reader, 999), 999);
    end();
    assert_int_equal(memory.live_blocks, 0);
    assert_int_equal(memory.mistakes, 0);
}

static void e9_colliding_keys_are_there_once(void **state)
{
    (void)state;
    ones crowd;
    ones_writer write;
    ones_reader read;
    uint64_t value = 0;
    assert_int_equal(ones_init(&crowd, NULL), CM_OK);
    assert_int_equal(ones_writer_open(&crowd, &write), CM_OK);
    assert_int_equal(ones_reader_open(&crowd, &read), CM_OK);
    for (int round = 0; round < 4; round++) {
        for (uint64_t i = 0; i < 400; i++)
            assert_int_equal(ones_put(&write, i, i, NULL), CM_OK);
        ones_publish(&write);
        for (uint64_t i = 0; i < 400; i++)
            assert_true(ones_get(&read, i, &value) && value == i);
        for (uint64_t i = 0; i < 400; i++)
            assert_int_equal(ones_remove(&write, i, NULL), CM_OK);
        assert_int_equal(ones_check(&crowd, NULL), CM_OK);
        ones_publish(&write);
    }
    ones_destroy(&crowd);
}

static void g4_keys_of_one_stride_are_found(void **state)
{
    (void)state;
    sames strides;
    sames_writer write;
    assert_int_equal(sames_init(&strides, NULL), CM_OK);
    assert_int_equal(sames_writer_open(&strides, &write), CM_OK);
    for (uint64_t i = 0; i < 2000; i++)
        assert_int_equal(sames_put(&write, i << 20, i, NULL), CM_OK);
    sames_publish(&write);
    assert_int_equal(sames_begin(&write), CM_OK);
    assert_int_equal(sames_check(&strides, NULL), CM_OK);
    sames_destroy(&strides);
}

static void g3_shrinking_gives_memory_back_with_readers_inside(void **state)
{
    (void)state;
    begin();
    assert_int_equal(nums_shrink_to_fit(&writer), CM_OK); /* nothing yet */
    for (uint64_t i = 0; i < 10000; i++)
        nums_put(&writer, i, i, NULL);
    nums_publish(&writer);
    nums_begin(&writer);
    size_t before = nums_memory(&writer).table;
    nums_enter(&reader);
    for (uint64_t i = 10; i < 10000; i++)
        assert_int_equal(nums_remove(&writer, i, NULL), CM_OK);
    for (int times = 0; times < 3; times++) { /* smaller, larger, smaller */
        assert_int_equal(nums_shrink_to_fit(&writer), CM_OK);
        for (uint64_t i = 100; i < 600; i++)
            assert_int_equal(nums_put(&writer, i, i, NULL), CM_OK);
        for (uint64_t i = 100; i < 600; i++)
            assert_int_equal(nums_remove(&writer, i, NULL), CM_OK);
    }
    assert_int_equal(nums_shrink_to_fit(&writer), CM_OK);
    assert_int_equal(got(&reader, 9999), 9999);
    nums_publish(&writer);
    nums_leave(&reader);
    assert_int_equal(nums_begin(&writer), CM_OK);
    assert_int_equal(nums_check(&map, NULL), CM_OK);
    assert_int_equal(nums_writer_len(&writer), 10);
    assert_true(nums_memory(&writer).table < before / 50);
    assert_int_equal(nums_memory(&writer).waiting_tables, 0);
    nums_clear(&writer);
    assert_int_equal(nums_shrink_to_fit(&writer), CM_OK);
    nums_publish(&writer);
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(nums_put(&writer, i, i, NULL), CM_OK);
    nums_publish(&writer);
    assert_int_equal(got(&reader, 99), 99);
    end();
}

/* An allocator in which two threads that want places of readers meet. */
static pthread_barrier_t both;

static void *meet_and_allocate(void *context, size_t size, size_t alignment)
{
    if (size == sizeof(struct cm_seat_block_))
        pthread_barrier_wait(&both);
    return cm_allocator_default()->allocate(context, size, alignment);
}

static size_t open_and_close(void *context, unsigned i)
{
    nums_reader own;
    (void)context, (void)i;
    return nums_reader_open(&map, &own) != CM_OK || nums_reader_close(&own) != CM_OK;
}

/* Under the address sanitizer: the block of the one who comes too late is given back, and not touched any more. */
static void two_threads_open_the_first_reader_at_once(void **state)
{
    (void)state;
    cm_allocator meeting = *cm_allocator_default();
    meeting.allocate = meet_and_allocate;
    pthread_barrier_init(&both, NULL, 2);
    assert_int_equal(nums_init(&map, &(cm_config){.allocator = &meeting}), CM_OK);
    assert_int_equal(crew_run(2, open_and_close, NULL), 0);
    nums_destroy(&map);
    pthread_barrier_destroy(&both);
}

static void m2_sizes_and_limits(void **state)
{
    (void)state;
    size_t sizes[] = {0, 1, 2, 3, 100, 1000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(nums_init(&map, &(cm_config){.capacity = sizes[i]}), CM_OK);
        assert_int_equal(nums_writer_open(&map, &writer), CM_OK);
        for (uint64_t k = 0; k < 50; k++)
            assert_int_equal(nums_put(&writer, k, k, NULL), CM_OK);
        nums_publish(&writer);
        end();
    }
    assert_int_equal(nums_init(&map, &(cm_config){.capacity = SIZE_MAX}), CM_NOMEM);
    assert_int_equal(nums_init(&map, &(cm_config){.fixed = true, .capacity = 10}), CM_INVALID);
    assert_int_equal(nums_init(&map, &(cm_config){.budget = 1}), CM_INVALID);
    assert_int_equal(nums_init(&map, &(cm_config){.limit = 5}), CM_OK);
    assert_int_equal(nums_writer_open(&map, &writer), CM_OK);
    assert_int_equal(nums_reserve(&writer, SIZE_MAX), CM_FULL);
    for (int round = 0; round < 3; round++) {
        for (uint64_t k = 0; k < 5; k++)
            assert_int_equal(nums_put(&writer, k, k, NULL), CM_OK);
        assert_int_equal(nums_put(&writer, 5, 5, NULL), CM_FULL);
        nums_publish(&writer);
        for (uint64_t k = 0; k < 5; k++)
            assert_int_equal(nums_remove(&writer, k, NULL), CM_OK);
        nums_publish(&writer);
    }
    end();
}

static void text_keys_are_the_maps_own(void **state)
{
    (void)state;
    texts words;
    texts_writer write;
    texts_reader read;
    uint64_t value = 0;
    char word[] = "word";
    assert_int_equal(texts_init(&words, NULL), CM_OK);
    assert_int_equal(texts_writer_open(&words, &write), CM_OK);
    assert_int_equal(texts_reader_open(&words, &read), CM_OK);
    for (int round = 0; round < 5; round++) {
        assert_int_equal(texts_put(&write, cm_str_of(word), 1, NULL), CM_OK);
        assert_int_equal(texts_put(&write, cm_str_of("other"), 2, NULL), round ? CM_REPLACED : CM_OK);
        word[0] = 'W';
        texts_publish(&write);
        word[0] = 'w';
        assert_true(texts_get(&read, cm_str_of("word"), &value) && value == 1);
        assert_int_equal(texts_remove(&write, cm_str_of("word"), NULL), CM_OK);
        assert_int_equal(texts_put(&write, cm_str_of("word"), 3, NULL), CM_OK);
        assert_int_equal(texts_remove(&write, cm_str_of("word"), NULL), CM_OK);
        texts_publish(&write);
        assert_int_equal(texts_begin(&write), CM_OK);
        assert_int_equal(texts_check(&words, NULL), CM_OK);
        assert_int_equal(texts_memory(&write).nodes, 5); /* "other" */
    }
    texts_destroy(&words);
}

static void a_type_may_be_of_many_files(void **state)
{
    (void)state;
    roster map_;
    roster_writer write;
    roster_reader read;
    uint64_t value = 0;
    assert_int_equal(roster_init(&map_, NULL), CM_OK);
    assert_int_equal(roster_writer_open(&map_, &write), CM_OK);
    assert_int_equal(roster_reader_open(&map_, &read), CM_OK);
    assert_int_equal(roster_put(&write, cm_str_of("a"), 1, NULL), CM_OK);
    assert_int_equal(roster_publish(&write), CM_OK);
    CM_WITH_VIEW (roster, &read, view)
        value = *roster_view_get(view, cm_str_of("a"));
    assert_int_equal(value, 1);
    roster_destroy(&map_);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_the_first_publish_readers_see_nothing),
        cmocka_unit_test(a_batch_is_seen_at_once_and_by_its_writer_before),
        cmocka_unit_test(outcomes_are_those_of_every_map),
        cmocka_unit_test(a_view_is_a_snapshot_with_its_meta),
        cmocka_unit_test(views_nest),
        cmocka_unit_test(a_thread_publishes_inside_its_view_and_reads_on),
        cmocka_unit_test(waiting_has_an_end_where_it_is_asked_for),
        cmocka_unit_test(a_reader_that_leaves_wakes_the_writer),
        cmocka_unit_test(an_unknown_side_counts_as_stale),
        cmocka_unit_test(a_view_of_another_thread_is_no_deadlock),
        cmocka_unit_test(there_is_one_writer),
        cmocka_unit_test(readers_see_the_end_where_it_is_told),
        cmocka_unit_test(readers_are_made_by_maps_readers_and_factories),
        cmocka_unit_test(a_shared_writer_is_for_many_threads),
        cmocka_unit_test(several_calls_of_a_shared_writer_stay_together),
        cmocka_unit_test(a_thread_that_ends_gives_the_lock_back),
        cmocka_unit_test(a_function_that_ends_its_thread_leaves_a_shared_writer_as_it_was),
        cmocka_unit_test(a_shared_writer_waits_without_its_lock),
        cmocka_unit_test(a_function_is_told_when_the_stale_side_is_free),
        cmocka_unit_test(no_tale_of_a_free_side_is_lost),
        cmocka_unit_test(what_is_removed_is_destroyed_once_both_sides_let_go),
        cmocka_unit_test(r4_what_is_decided_once_is_done_to_both_sides),
        cmocka_unit_test(r7_what_was_taken_outlives_even_the_map),
        cmocka_unit_test(a_function_gives_nothing_back),
        cmocka_unit_test(what_comes_back_between_batches_waits_for_readers),
        cmocka_unit_test(r1_a_writer_is_closed_while_a_reader_is_inside),
        cmocka_unit_test(r3_readers_are_made_and_dropped_inside_views_while_another_publishes),
        cmocka_unit_test(r5_ten_thousand_readers),
        cmocka_unit_test(r6_batches_that_are_not_published_are_not_lost),
        cmocka_unit_test(l2_l9_a_view_keeps_what_was_removed),
        cmocka_unit_test(l10_memory_may_be_aligned_to_eight_bytes),
        cmocka_unit_test(e9_colliding_keys_are_there_once),
        cmocka_unit_test(g4_keys_of_one_stride_are_found),
        cmocka_unit_test(g3_shrinking_gives_memory_back_with_readers_inside),
        cmocka_unit_test(two_threads_open_the_first_reader_at_once),
        cmocka_unit_test(m2_sizes_and_limits),
        cmocka_unit_test(text_keys_are_the_maps_own),
        cmocka_unit_test(a_type_may_be_of_many_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
