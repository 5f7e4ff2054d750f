/* The rules of the protocols that no case covers, each by a test that fails where the rule is broken. tests/mutations
 * breaks them one by one and looks whether a test notices. */
#include <concmap/sharded.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "crew.h"
#include "unit.h"

#define PATIENCE_US 20000000 /* what takes longer hangs */

static uint64_t plain_hash(const uint64_t *key, uint64_t seed)
{
    (void)seed;
    return *key;
}

/* A key whose parts agree, as large as lies in a bucket; equality is the user's own, and counts the keys that it should
 * never see. */
struct manifold {
    uint64_t parts[5];
};

struct page {
    uint64_t words[16];
};

static size_t torn_keys;

static uint64_t manifold_hash(const struct manifold *key, uint64_t seed)
{
    (void)key, (void)seed;
    return 0; /* all in one bucket */
}

static bool manifold_equal(const struct manifold *x, const struct manifold *y)
{
    if (memcmp(&y->parts[0], &y->parts[1], sizeof y->parts - sizeof *y->parts) != 0)
        __atomic_add_fetch(&torn_keys, 1, __ATOMIC_RELAXED);
    return x->parts[0] == y->parts[0];
}

CM_SHARDED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_SHARDED_MAP(plain, uint64_t, uint64_t, plain_hash, cm_equal_u64)
CM_SHARDED_MAP(pages, uint64_t, struct page, cm_hash_u64, cm_equal_u64)
CM_SHARDED_MAP(manifolds, struct manifold, uint64_t, manifold_hash, manifold_equal)

static bool comes_true(const uint32_t *flag)
{
    for (int i = 0; i < PATIENCE_US / 1000; i++) {
        if (__atomic_load_n(flag, __ATOMIC_ACQUIRE))
            return true;
        usleep(1000);
    }
    return false;
}

/* ---- rule 6: user functions see whole values only ---- */

static size_t replace_and_look(void *context, unsigned i)
{
    manifolds *map = context;
    uint64_t random = 88172645463325252u + i;
    for (size_t n = 0; n < crew_scale(200000); n++) {
        uint64_t k = crew_random(&random) % 6, value;
        struct manifold key = {{k, k, k, k, k}};
        if (i % 2)
            manifolds_get(map, key, &value);
        else if (n % 2)
            manifolds_remove(map, key, NULL);
        else
            manifolds_put(map, key, k, NULL);
    }
    return 0;
}

static void R6_equality_sees_whole_keys_only(void **state)
{
    (void)state;
    manifolds map;
    assert_int_equal(manifolds_init(&map, NULL), CM_OK);
    crew_run(4, replace_and_look, &map);
    assert_int_equal(torn_keys, 0);
    manifolds_destroy(&map);
}

/* ---- rule 7: moving only tries locks ---- */

struct hold {
    plain map;
    uint32_t held, grown;
    size_t late;
};

static cm_status hold_until_grown(uint64_t *value, void *context)
{
    (void)value;
    struct hold *hold = context;
    __atomic_store_n(&hold->held, 1, __ATOMIC_RELEASE);
    hold->late += !comes_true(&hold->grown);
    return CM_OK;
}

static size_t hold_or_grow(void *context, unsigned i)
{
    struct hold *hold = context;
    if (i == 0)
        return plain_update(&hold->map, 0, hold_until_grown, hold) < 0;
    if (!comes_true(&hold->held))
        return 1;
    size_t wrong = 0;
    for (uint64_t key = 1; key < 20000; key++) /* not one of them in the bucket of key 0, however large the table */
        wrong += key % 4 != 0 && plain_put(&hold->map, key, key, NULL) < 0;
    __atomic_store_n(&hold->grown, 1, __ATOMIC_RELEASE);
    return wrong;
}

static void R7_a_bucket_held_for_long_delays_only_itself(void **state)
{
    (void)state;
    struct hold hold = {0};
    assert_int_equal(plain_init(&hold.map, &(cm_config){.capacity = 16}), CM_OK);
    assert_int_equal(plain_put(&hold.map, 0, 0, NULL), CM_OK);
    size_t before = plain_memory(&hold.map).table;
    assert_int_equal(crew_run(2, hold_or_grow, &hold), 0);
    assert_int_equal(hold.late, 0);
    assert_true(plain_memory(&hold.map).total > 100 * before); /* it did grow */
    assert_int_equal(plain_settle(&hold.map), CM_OK);
    const char *reason = NULL;
    assert_int_equal(plain_check(&hold.map, &reason), CM_OK);
    assert_int_equal(plain_len(&hold.map), 15001);
    plain_destroy(&hold.map);
}

/* ---- rule 17: what was unlinked waits for those who were inside ---- */

static size_t remove_all(void *context, unsigned i)
{
    (void)i;
    size_t wrong = 0;
    for (uint64_t key = 0; key < 3000; key++)
        wrong += pages_remove(context, key, NULL) != CM_OK;
    return wrong;
}

static void R17_removed_nodes_wait_for_those_inside(void **state)
{
    (void)state;
    pages map;
    assert_int_equal(pages_init(&map, NULL), CM_OK);
    for (uint64_t key = 0; key < 3000; key++)
        assert_int_equal(pages_put(&map, key, (struct page){{key}}, NULL), CM_OK);
    struct cm_pin_ pin = cm_pin_enter_();
    assert_int_equal(crew_run(1, remove_all, &map), 0);
    assert_true(pages_memory(&map).waiting >= 3000 * sizeof(struct page));
    cm_pin_leave_(pin);
    pages_destroy(&map);
}

/* ---- rule 20: a miss is confirmed ---- */

/* Keys of one bucket that stay, among as many again that come and go: they are moved into the gaps. */
struct disturbed {
    plain map;
    uint64_t stay;
};

static size_t disturb_or_look(void *context, unsigned i)
{
    struct disturbed *disturbed = context;
    plain *map = &disturbed->map;
    uint64_t random = 88172645463325252u + i, value;
    size_t wrong = 0;
    for (size_t n = 0; n < crew_scale(1000000); n++) {
        uint64_t key = crew_random(&random) % disturbed->stay * 64;
        if (i > 0)
            wrong += !plain_get(map, key, &value);
        else if (random >> 32 & 1)
            plain_remove(map, disturbed->stay * 64 + key, NULL);
        else
            plain_put(map, disturbed->stay * 64 + key, n, NULL);
    }
    return wrong;
}

static void R20_a_key_that_stays_is_found_wherever_it_moves(void **state)
{
    (void)state;
    for (uint64_t stay = 3; stay <= 8; stay += 5) { /* within one bucket, and in a chain */
        struct disturbed disturbed = {.stay = stay};
        assert_int_equal(plain_init(&disturbed.map, NULL), CM_OK);
        for (uint64_t key = 0; key < stay; key++)
            assert_int_equal(plain_put(&disturbed.map, key * 64, key, NULL), CM_OK);
        assert_int_equal(crew_run(2, disturb_or_look, &disturbed), 0);
        plain_destroy(&disturbed.map);
    }
}

/* A try that meets a writer has read something; where the key then turns out to be gone, the caller must not see it. */
static size_t come_or_miss(void *context, unsigned i)
{
    pages *map = context;
    size_t wrong = 0;
    for (uint64_t n = 0; n < crew_scale(1000000); n++) {
        if (i > 0) {
            struct page page = {{1}};
            wrong += !pages_get(map, 1, &page) && page.words[0] != 1;
        } else if (n % 2) {
            pages_remove(map, 1, NULL);
        } else {
            pages_put(map, 1, (struct page){{2}}, NULL);
        }
    }
    return wrong;
}

static void R20_a_miss_leaves_the_value_as_it_was(void **state)
{
    (void)state;
    pages map;
    assert_int_equal(pages_init(&map, NULL), CM_OK);
    assert_int_equal(crew_run(2, come_or_miss, &map), 0);
    pages_destroy(&map);
}

/* ---- rule 25: nothing is allocated under a lock; the length is a sum of owned counts ---- */

struct looked_at {
    plain map;
    bool ready;
    uint32_t filled;
};

/* An allocator that looks at every bucket of the map: it hangs if the caller holds one. */
static void *looking_allocate(void *context, size_t size, size_t alignment)
{
    struct looked_at *at = context;
    const char *reason;
    static CM_THREAD_LOCAL bool inside;
    if (at->ready && !inside) {
        inside = true;
        plain_check(&at->map, &reason);
        inside = false;
    }
    return cm_allocator_default()->allocate(NULL, size, alignment);
}

static void looking_deallocate(void *context, void *block, size_t size, size_t alignment)
{
    (void)context;
    cm_allocator_default()->deallocate(NULL, block, size, alignment);
}

static void *fill(void *context)
{
    struct looked_at *at = context;
    for (uint64_t key = 0; key < 3000; key++)
        plain_put(&at->map, key * 8, key, NULL); /* long chains, so that overflow buckets are asked for, too */
    __atomic_store_n(&at->filled, 1, __ATOMIC_RELEASE);
    return NULL;
}

static void R25_the_allocator_is_called_without_locks(void **state)
{
    (void)state;
    static struct looked_at at;
    cm_allocator allocator = {looking_allocate, looking_deallocate, &at};
    assert_int_equal(plain_init(&at.map, &(cm_config){.allocator = &allocator}), CM_OK);
    at.ready = true;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, fill, &at), 0);
    assert_true(comes_true(&at.filled));
    pthread_join(thread, NULL);
    assert_int_equal(plain_len(&at.map), 3000);
    plain_destroy(&at.map);
}

/* A sum that is taken while one thread adds and another removes may see the second only. */
static void R25_the_length_never_wraps_below_zero(void **state)
{
    (void)state;
    nums map;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    map.core.other_count = -3;
    assert_int_equal(nums_len(&map), 0);
    nums_destroy(&map);
}

static void *put_one(void *context)
{
    static uint64_t key;
    nums_put(context, key++, 0, NULL);
    return NULL;
}

static void R25_what_a_thread_counted_outlives_it(void **state)
{
    (void)state;
    nums map;
    assert_int_equal(nums_init(&map, NULL), CM_OK);
    for (int i = 0; i < 40; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, put_one, &map), 0);
        pthread_join(thread, NULL);
        assert_int_equal(nums_len(&map), i + 1);
    }
    nums_destroy(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(R6_equality_sees_whole_keys_only),
        cmocka_unit_test(R7_a_bucket_held_for_long_delays_only_itself),
        cmocka_unit_test(R17_removed_nodes_wait_for_those_inside),
        cmocka_unit_test(R20_a_key_that_stays_is_found_wherever_it_moves),
        cmocka_unit_test(R20_a_miss_leaves_the_value_as_it_was),
        cmocka_unit_test(R25_the_allocator_is_called_without_locks),
        cmocka_unit_test(R25_the_length_never_wraps_below_zero),
        cmocka_unit_test(R25_what_a_thread_counted_outlives_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
