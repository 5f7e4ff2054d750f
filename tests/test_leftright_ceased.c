/* Left-right maps where membarrier ceases to serve amid everything, as it does when a process gives up system calls:
 * which readers are waited for until they know, and when a fence serves. Each in a child, for a filter stays. */
#include <concmap/deadline.h>
#include <signal.h>

#include "process.h"
#include "unit.h"

#include "leftright_nums.h"

/* In a child: it goes on, or ends with the line that is wrong. */
#define EXPECT(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: " #condition "\n", __FILE__, __LINE__);                                            \
            return 1;                                                                                                  \
        }                                                                                                              \
    } while (0)

/* The same, where this may be impossible here. */
#define TRY(condition)                                                                                                 \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            return PROCESS_SKIPPED;                                                                                    \
    } while (0)

static uint64_t word(void)
{
    return cm_load_relaxed_(&map.core->word);
}

static bool begin_with_membarrier(void)
{
    begin();
    return !(word() & CM_NO_BARRIER_);
}

static void publish(uint64_t value)
{
    nums_put(&writer, 1, value, NULL);
    nums_publish(&writer);
}

static cm_status publish_and_begin(void)
{
    publish(2);
    return nums_try_begin(&writer);
}

/* A map whose reader has looked something up, and a publication, after which there is no membarrier. False: that cannot
 * be tried here. */
static bool ceased(void)
{
    bool serves = begin_with_membarrier();
    publish(1);
    serves = serves && got(&reader, 1) == 1 && nums_try_begin(&writer) == CM_OK;
    publish(2);
    return serves && refuse_membarrier();
}

/* ---- readers ---- */

static int who_closes_is_not_waited_for(void)
{
    nums_reader other;
    TRY(ceased());
    EXPECT(nums_try_begin(&writer) == CM_BUSY); /* it may be about to enter, and does not know yet */
    EXPECT(word() & CM_NO_BARRIER_);
    EXPECT(nums_reader_close(&reader) == CM_OK);
    EXPECT(nums_try_begin(&writer) == CM_OK);
    EXPECT(nums_publish(&writer) == CM_OK);
    EXPECT(nums_reader_open(&map, &other) == CM_OK); /* in the same place; it is told */
    EXPECT(nums_try_begin(&writer) == CM_OK);
    EXPECT(got(&other, 1) == 2);
    end();
    return 0;
}

static int who_leaves_is_not_waited_for(void)
{
    nums_reader other;
    TRY(begin_with_membarrier());
    publish(1);
    sitter_begin(&reader, 0);
    nums_begin(&writer);
    publish(2);
    TRY(refuse_membarrier());
    EXPECT(nums_try_begin(&writer) == CM_BUSY);
    EXPECT(nums_reader_open(&map, &other) == CM_OK); /* one that was not there is not asked */
    EXPECT(nums_begin_until(&writer, cm_deadline_after(MS)) == CM_TIMEOUT);
    EXPECT(sitter_end() == 1); /* who leaves has seen it */
    EXPECT(nums_try_begin(&writer) == CM_OK);
    EXPECT(got(&reader, 1) == 2);
    end();
    return 0;
}

static void *begin_in_thread(void *status)
{
    *(cm_status *)status = nums_begin_until(&writer, cm_deadline_after(60000 * (uint64_t)MS));
    return NULL;
}

static int who_enters_the_other_side_is_not_waited_for(void)
{
    cm_status status = CM_BUSY;
    pthread_t thread;
    TRY(ceased());
    EXPECT(pthread_create(&thread, NULL, begin_in_thread, &status) == 0);
    while (!(word() & CM_WAITING_))
        nap(1);
    const nums_view *view = nums_enter(&reader);
    EXPECT(*nums_view_get(view, 1) == 2);
    pthread_join(thread, NULL);
    EXPECT(status == CM_OK); /* while the view is held */
    nums_leave(&reader);
    end();
    return 0;
}

static void count(void *calls)
{
    __atomic_add_fetch((int *)calls, 1, __ATOMIC_RELAXED);
}

static int a_watch_is_told_by_who_leaves(void)
{
    int calls = 0;
    TRY(begin_with_membarrier());
    publish(1);
    nums_when_free(&writer, count, &calls);
    sitter_begin(&reader, 0);
    nums_begin(&writer);
    TRY(refuse_membarrier());
    publish(2);
    EXPECT(calls == 0);
    EXPECT(sitter_end() == 1);
    EXPECT(calls == 1);
    EXPECT(nums_try_begin(&writer) == CM_OK);
    end();
    return 0;
}

/* A reader that leaves, and looks whether it is watched, when the writer has seen it and not named it yet. */
static void leave_unseen(int signal)
{
    (void)signal;
    if (cm_load_relaxed_(&map.core->watched) == reader.core.slot)
        cm_store_release_(&reader.core.slot->state, 0);
}

/* It leaves at the barrier that stands between naming it and the second look: which is a trap, and fails. */
static int a_watch_looks_again(void)
{
    int calls = 0;
    TRY(begin_with_membarrier() && !CM_TSAN); /* the thread sanitizer calls handlers late */
    nums_put(&writer, 1, 1, NULL);
    nums_when_free(&writer, count, &calls);
    cm_store_release_(&reader.core.slot->state, cm_inside_(0, word()));
    cm_store_relaxed_(&reader.core.slot->sworn, 1);
    signal(SIGSYS, leave_unseen);
    TRY(filter_membarrier(SECCOMP_RET_TRAP));
    nums_publish(&writer);
    EXPECT(reader.core.slot->state == 0);
    EXPECT(calls == 1);
    end();
    return 0;
}

/* ---- the mode in which readers fence ---- */

/* Makes publications thick: the mode is FENCES, a barrier has run since, and the next publications choose no other. */
static bool fence(void)
{
    if (!begin_with_membarrier())
        return false;
    while (!(word() & CM_FENCING_)) {
        map.core->paced = 1000;
        map.core->paced_at = cm_deadline_after(0);
        publish(1);
        nums_begin(&writer);
    }
    map.core->paced = 0;
    return map.core->fenced && got(&reader, 1) == 1;
}

/* No barrier is needed: so nobody notices that there is none. */
static int a_fence_serves_where_readers_fence(void)
{
    TRY(fence() && refuse_membarrier());
    EXPECT(publish_and_begin() == CM_OK);
    EXPECT(got(&reader, 1) == 2);
    EXPECT(publish_and_begin() == CM_OK);
    EXPECT(!(word() & CM_NO_BARRIER_));
    end();
    return 0;
}

/* So it is from the start: a map that is published before it was ever read needs no barrier. */
static int a_map_begins_where_readers_fence(void)
{
    TRY(begin_with_membarrier());
    cm_or_relaxed_(&map.core->word, CM_FENCING_); /* which begin() has taken back */
    TRY(refuse_membarrier());
    EXPECT(publish_and_begin() == CM_OK && publish_and_begin() == CM_OK);
    EXPECT(got(&reader, 1) == 2);
    EXPECT(!(word() & CM_NO_BARRIER_));
    end();
    return 0;
}

/* A reader has taken the mode back before the swap: since then none fences. */
static int a_fence_does_not_serve_where_the_mode_has_ended(void)
{
    TRY(fence() && refuse_membarrier());
    cm_and_relaxed_(&map.core->word, ~CM_FENCING_);
    EXPECT(publish_and_begin() == CM_BUSY);
    EXPECT(word() & CM_NO_BARRIER_); /* the barrier was asked for */
    end();
    return 0;
}

/* The mode was set, but readers may be under way that have not seen it. */
static int a_fence_does_not_serve_before_all_know(void)
{
    TRY(fence() && refuse_membarrier());
    map.core->fenced = false;
    EXPECT(publish_and_begin() == CM_BUSY);
    EXPECT(word() & CM_NO_BARRIER_);
    end();
    return 0;
}

/* Readers do not fence when they leave, which is what the watch waits for. */
static int a_fence_does_not_serve_a_watch(void)
{
    int calls = 0;
    TRY(fence() && refuse_membarrier());
    nums_when_free(&writer, count, &calls);
    EXPECT(publish_and_begin() == CM_BUSY);
    EXPECT(word() & CM_NO_BARRIER_);
    EXPECT(calls == 0);
    EXPECT(got(&reader, 1) == 2); /* it knows now, and was waited for */
    EXPECT(calls == 1);
    end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test_in_child(who_closes_is_not_waited_for),
        unit_test_in_child(who_leaves_is_not_waited_for),
        unit_test_in_child(who_enters_the_other_side_is_not_waited_for),
        unit_test_in_child(a_watch_is_told_by_who_leaves),
        unit_test_in_child(a_watch_looks_again),
        unit_test_in_child(a_map_begins_where_readers_fence),
        unit_test_in_child(a_fence_serves_where_readers_fence),
        unit_test_in_child(a_fence_does_not_serve_where_the_mode_has_ended),
        unit_test_in_child(a_fence_does_not_serve_before_all_know),
        unit_test_in_child(a_fence_does_not_serve_a_watch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
