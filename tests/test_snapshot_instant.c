/* A snapshot has what was there at one instant, whatever goes on meanwhile. */
#include <concmap/sharded.h>
#include <sched.h>

#include "crew.h"
#include "unit.h"

CM_SHARDED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)

static cm_status add_one(uint64_t *value, void *context)
{
    (void)context;
    ++*value;
    return CM_OK;
}

enum { ROUND_KEYS = 600, CAUSES = 64, ACCOUNTS = 200, BALANCE = 1000 };

struct world {
    nums map;
    nums accounts;
    cm_config config;
    uint64_t stop;
    uint64_t snapshots;
};

/* Threads change places often: else who takes a snapshot, and finds a bucket held, waits until each of the others has
 * had its time. */
static bool world_goes_on(struct world *world)
{
    static _Thread_local unsigned looks;
    if (++looks % 8 == 0)
        sched_yield();
    return !__atomic_load_n(&world->stop, __ATOMIC_RELAXED);
}

/* Writes its keys in turn, round by round. */
static size_t write_in_turn(struct world *world, uint64_t base)
{
    size_t wrong = 0;
    for (uint64_t round = 1; world_goes_on(world); round++)
        for (uint64_t i = 0; i < ROUND_KEYS; i++)
            wrong += nums_put(&world->map, base + i, round, NULL) < 0;
    return wrong;
}

/* Adds keys in turn, and removes them in turn: some from `removed` to `added` are there. */
static size_t add_and_remove_in_turn(struct world *world, uint64_t base)
{
    enum { LAG = 300, MOST = 20000 };
    size_t wrong = 0;
    while (world_goes_on(world)) {
        for (uint64_t i = 0; i < MOST && world_goes_on(world); i++) {
            wrong += nums_insert(&world->map, base + i, i) != CM_OK;
            if (i >= LAG)
                wrong += nums_remove(&world->map, base + i - LAG, NULL) != CM_OK;
        }
        uint64_t left = 0;
        for (uint64_t i = 0; i < MOST; i++)
            left += nums_remove(&world->map, base + i, NULL) == CM_OK;
        wrong += left > LAG + 1;
    }
    return wrong;
}

static cm_status pass_on(uint64_t *value, void *cause)
{
    *value = *(uint64_t *)cause;
    return CM_OK;
}

static bool upgrade_and(nums *map, uint64_t key, cm_status (*change)(uint64_t *, void *), void *context)
{
    nums_read_guard reader;
    nums_write_guard writer;
    if (nums_read(map, key, &reader) != CM_OK)
        return false;
    if (nums_read_upgrade(&reader, key, &writer) != CM_OK) {
        nums_read_unlock(&reader);
        return true;
    }
    change(writer.value, context);
    nums_write_unlock(&writer);
    return true;
}

/* Key 2 i is counted up; key 2 i + 1 follows what was seen of it, from another thread. */
static size_t cause(struct world *world, uint64_t base)
{
    size_t wrong = 0;
    for (uint64_t i = 0; world_goes_on(world); i++) {
        uint64_t key = base + i % CAUSES * 2;
        if (i % 3 == 0)
            wrong += nums_update(&world->map, key, add_one, NULL) != CM_OK;
        else
            wrong += !upgrade_and(&world->map, key, add_one, NULL);
    }
    return wrong;
}

static size_t follow(struct world *world, uint64_t base)
{
    size_t wrong = 0;
    for (uint64_t i = 0; world_goes_on(world); i++) {
        uint64_t seen = 0, key = base + i % CAUSES * 2 + 1;
        wrong += !nums_get(&world->map, key - 1, &seen);
        if (i % 3 == 0)
            wrong += nums_update(&world->map, key, pass_on, &seen) != CM_OK;
        else
            wrong += !upgrade_and(&world->map, key, pass_on, &seen);
    }
    return wrong;
}

/* Makes the table larger and smaller, and takes snapshots of its own. */
static size_t resize(struct world *world)
{
    size_t wrong = 0;
    for (uint64_t i = 0; world_goes_on(world); i++) {
        nums_snapshot snapshot;
        wrong += nums_reserve(&world->map, 30000) != CM_OK;
        nums_shrink_to_fit(&world->map); /* CM_BUSY is as good */
        if (i % 4 == 0) {
            wrong += nums_snapshot_take(&world->map, &snapshot) != CM_OK;
            nums_snapshot_drop(&snapshot);
        }
    }
    return wrong;
}

static cm_status transfer(uint64_t **accounts, size_t n, void *context)
{
    (void)context;
    for (size_t i = 1; i < n; i++) {
        if (accounts[0] && accounts[i] && *accounts[0] > 0) {
            --*accounts[0];
            ++*accounts[i];
        }
    }
    return CM_OK;
}

static size_t move_money(struct world *world, uint64_t seed)
{
    size_t wrong = 0;
    while (world_goes_on(world)) {
        uint64_t keys[4], n = 2 + crew_random(&seed) % 3, first = crew_random(&seed) % ACCOUNTS;
        for (size_t i = 0; i < n; i++)
            keys[i] = (first + i * 37) % ACCOUNTS;
        wrong += nums_with_keys(&world->accounts, keys, n, transfer, NULL) != CM_OK;
    }
    return wrong;
}

/* Guards, of all kinds; a value is odd while it is being changed. */
static size_t hold_guards(struct world *world, uint64_t base, uint64_t seed)
{
    size_t wrong = 0;
    while (world_goes_on(world)) {
        uint64_t key = base + crew_random(&seed) % 16;
        nums_read_guard reader;
        nums_write_guard writer;
        switch (crew_random(&seed) % 3) {
        case 0:
            CM_WITH_WRITE (nums, &world->map, key, guard) {
                ++*guard.value;
                nums_put(&world->map, base + 16 + key % 5, 2, NULL); /* below it */
                sched_yield();
                ++*guard.value;
            }
            break;
        case 1:
            if (nums_read(&world->map, key, &reader) != CM_OK)
                break;
            if (nums_read_upgrade(&reader, key, &writer) != CM_OK) {
                nums_read_unlock(&reader);
                break;
            }
            ++*writer.value;
            sched_yield();
            ++*writer.value;
            if (nums_write_downgrade(&writer, &reader) == CM_OK)
                nums_read_unlock(&reader);
            else
                nums_write_unlock(&writer);
            break;
        default:
            if (nums_entry(&world->map, base + 32 + key % 16, &writer) != CM_OK)
                break;
            if (writer.value)
                nums_entry_remove(&writer, NULL);
            else
                wrong += !nums_entry_insert(&writer, 4);
            nums_entry_unlock(&writer);
        }
    }
    return wrong;
}

enum { TURNS = 1000, LINE = 1000000, CAUSED = 10000000, GUARDED = 20000000 };

static size_t check_snapshot(struct world *world, const nums_snapshot *snapshot, uint64_t *values)
{
    uint64_t least = UINT64_MAX, most = 0, in_line = 0;
    size_t wrong = 0;
    memset(values, 0, sizeof *values * (ROUND_KEYS + 2 * CAUSES));
    CM_FOREACH (nums_snapshot, snapshot, it) {
        if (it.key >= TURNS && it.key < TURNS + ROUND_KEYS)
            values[it.key - TURNS] = it.value;
        else if (it.key >= CAUSED && it.key < CAUSED + 2 * CAUSES)
            values[ROUND_KEYS + it.key - CAUSED] = it.value;
        else if (it.key >= GUARDED && it.key < GUARDED + 64)
            wrong += it.value % 2;
        if (it.key >= LINE && it.key < CAUSED) {
            in_line++;
            least = it.key < least ? it.key : least;
            most = it.key > most ? it.key : most;
        }
    }
    for (uint64_t i = 0; i + 1 < ROUND_KEYS; i++)
        wrong += values[i] < values[i + 1] || values[i] > values[ROUND_KEYS - 1] + 1;
    for (uint64_t i = 0; i < CAUSES; i++)
        wrong += values[ROUND_KEYS + 2 * i] < values[ROUND_KEYS + 2 * i + 1];
    wrong += in_line > 0 && in_line != most - least + 1;
    (void)world;
    return wrong;
}

static size_t take_snapshots(struct world *world)
{
    size_t wrong = 0;
    uint64_t values[ROUND_KEYS + 2 * CAUSES], count = world->snapshots;
    for (uint64_t i = 0; i < count; i++) {
        nums_snapshot snapshot;
        if (nums_snapshot_take(&world->map, &snapshot) != CM_OK) {
            wrong++;
            continue;
        }
        wrong += check_snapshot(world, &snapshot, values);
        nums_snapshot_drop(&snapshot);
        wrong += nums_snapshot_take(&world->accounts, &snapshot) != CM_OK;
        uint64_t sum = 0;
        CM_FOREACH (nums_snapshot, &snapshot, it)
            sum += it.value;
        wrong += sum != (uint64_t)ACCOUNTS * BALANCE;
        nums_snapshot_drop(&snapshot);
    }
    return wrong;
}

static size_t live(void *context, unsigned i)
{
    struct world *world = context;
    size_t wrong = 0;
    switch (i) {
    case 0:
        wrong = take_snapshots(world);
        __atomic_store_n(&world->stop, 1, __ATOMIC_RELAXED);
        return wrong;
    case 1:
        return resize(world);
    case 2:
        return write_in_turn(world, TURNS);
    case 3:
        return add_and_remove_in_turn(world, LINE);
    case 4:
        return cause(world, CAUSED);
    case 5:
        return follow(world, CAUSED);
    case 6:
    case 7:
        return move_money(world, 88172645463325252u + i);
    default:
        return hold_guards(world, GUARDED, 7 + i);
    }
}

static void a_snapshot_is_of_one_instant(void **state)
{
    (void)state;
    struct world world = {.snapshots = crew_scale(2000), .config = {.shrink = true}};
    assert_int_equal(nums_init(&world.map, &world.config), CM_OK);
    assert_int_equal(nums_init(&world.accounts, NULL), CM_OK);
    for (uint64_t i = 0; i < ACCOUNTS; i++)
        nums_put(&world.accounts, i, BALANCE, NULL);
    for (uint64_t i = 0; i < CAUSES * 2; i++)
        nums_put(&world.map, CAUSED + i, 0, NULL);
    for (uint64_t i = 0; i < 32; i++)
        nums_put(&world.map, GUARDED + i, 2, NULL);
    assert_int_equal(crew_run(10, live, &world), 0);
    assert_int_equal(nums_settle(&world.map), CM_OK);
    assert_int_equal(nums_check(&world.map, NULL), CM_OK);
    assert_int_equal(nums_check(&world.accounts, NULL), CM_OK);
    nums_destroy(&world.map);
    nums_destroy(&world.accounts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_snapshot_is_of_one_instant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
