/* The bounded queue: order, taking back, closing. */
#include <concmap/detail/queue.h>
#include <sched.h>

#include "crew.h"
#include "failing_allocator.h"
#include "unit.h"

static struct cm_queue_ queue;
static int items[100];
static uint64_t places[100];

static void begin(size_t slots)
{
    memset(&queue, 0, sizeof queue);
    assert_true(cm_queue_make_(&queue, cm_allocator_default(), slots));
}

static void end(void)
{
    cm_queue_free_(&queue, cm_allocator_default());
}

static void items_come_out_in_order(void **state)
{
    (void)state;
    begin(4);
    for (int round = 0; round < 10; round++) {
        assert_false(cm_queue_has_(&queue));
        for (int i = 0; i < 4; i++)
            assert_int_equal(cm_queue_push_(&queue, &items[i], &places[i]), CM_QUEUE_SENT_);
        assert_int_equal(cm_queue_push_(&queue, &items[5], &places[5]), CM_QUEUE_IS_FULL_);
        assert_true(cm_queue_is_full_(&queue));
        for (int i = 0; i < 4; i++)
            assert_ptr_equal(cm_queue_pop_(&queue), &items[i]);
        assert_null(cm_queue_pop_(&queue));
    }
    end();
}

static void what_is_taken_back_is_not_received(void **state)
{
    (void)state;
    begin(4);
    for (int i = 0; i < 3; i++)
        assert_int_equal(cm_queue_push_(&queue, &items[i], &places[i]), CM_QUEUE_SENT_);
    assert_true(cm_queue_take_back_(&queue, places[1], &items[1]));
    assert_false(cm_queue_take_back_(&queue, places[1], &items[1]));
    assert_ptr_equal(cm_queue_pop_(&queue), &items[0]);
    assert_false(cm_queue_take_back_(&queue, places[0], &items[0]));
    assert_ptr_equal(cm_queue_pop_(&queue), &items[2]);
    assert_null(cm_queue_pop_(&queue));
    for (int i = 0; i < 4; i++) /* the slots serve others by now */
        assert_int_equal(cm_queue_push_(&queue, &items[10 + i], &places[10 + i]), CM_QUEUE_SENT_);
    assert_false(cm_queue_take_back_(&queue, places[0], &items[0]));
    end();
}

static void nothing_comes_after_closing(void **state)
{
    (void)state;
    begin(4);
    assert_int_equal(cm_queue_push_(&queue, &items[0], &places[0]), CM_QUEUE_SENT_);
    cm_queue_close_(&queue);
    assert_int_equal(cm_queue_push_(&queue, &items[1], &places[1]), CM_QUEUE_IS_CLOSED_);
    assert_false(cm_queue_is_done_(&queue));
    assert_ptr_equal(cm_queue_pop_(&queue), &items[0]);
    assert_true(cm_queue_is_done_(&queue));
    end();
}

static void sizes_are_rounded_up_or_refused(void **state)
{
    (void)state;
    struct failing_allocator memory;
    failing_allocator_init(&memory);
    begin(0);
    end();
    begin(5);
    assert_int_equal(queue.mask, 7);
    end();
    assert_false(cm_queue_make_(&queue, &memory.allocator, SIZE_MAX));
    memory.fail_all = true;
    assert_false(cm_queue_make_(&queue, &memory.allocator, 4));
}

struct parcel {
    unsigned sender;
    size_t number;
};

enum { SENDERS = 3, PARCELS = 8192 };
static struct parcel parcels[SENDERS][PARCELS];
static size_t sent, taken_back, received, sending;

/* The last thread receives; each sender takes back some, and the last one of them closes. */
static size_t send_and_receive(void *context, unsigned thread)
{
    size_t count = *(const size_t *)context, wrong = 0, next[SENDERS] = {0};
    if (thread < SENDERS) {
        for (size_t i = 0; i < count; i++) {
            uint64_t place;
            struct parcel *parcel = &parcels[thread][i];
            *parcel = (struct parcel){thread, i};
            while (cm_queue_push_(&queue, parcel, &place) == CM_QUEUE_IS_FULL_)
                sched_yield();
            cm_add_relaxed_(&sent, 1);
            if (i % 3 == 0 && cm_queue_take_back_(&queue, place, parcel))
                cm_add_relaxed_(&taken_back, 1);
        }
        if (cm_sub_acq_rel_(&sending, 1) == 1)
            cm_queue_close_(&queue);
        return 0;
    }
    while (!cm_queue_is_done_(&queue)) {
        const struct parcel *parcel = cm_queue_pop_(&queue);
        if (!parcel) {
            sched_yield();
            continue;
        }
        wrong += parcel->number < next[parcel->sender];
        next[parcel->sender] = parcel->number + 1;
        received++;
    }
    return wrong;
}

static void each_item_is_received_or_taken_back_in_order(void **state)
{
    (void)state;
    size_t count = crew_scale(PARCELS) < PARCELS ? crew_scale(PARCELS) : PARCELS;
    sent = taken_back = received = 0;
    sending = SENDERS;
    begin(8);
    assert_int_equal(crew_run(SENDERS + 1, send_and_receive, &count), 0);
    assert_int_equal(sent, SENDERS * count);
    assert_int_equal(received + taken_back, sent);
    end();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_out_in_order),
        cmocka_unit_test(what_is_taken_back_is_not_received),
        cmocka_unit_test(nothing_comes_after_closing),
        cmocka_unit_test(sizes_are_rounded_up_or_refused),
        cmocka_unit_test(each_item_is_received_or_taken_back_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
