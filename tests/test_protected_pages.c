/* Lookups store nothing in the table: a million of them, hits and misses, run with all of the map's memory read-only.
 */
#include <concmap/anchored.h>
#include <concmap/sharded.h>
#include <sys/mman.h>

#include "crew.h"
#include "unit.h"

#define PAGE 4096
#define BLOCKS 256

struct page {
    uint64_t words[32];
};

CM_SHARDED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_SHARDED_MAP(pages, uint64_t, struct page, cm_hash_u64, cm_equal_u64)
CM_ANCHORED_MAP(anchors, uint64_t, struct page, cm_hash_u64, cm_equal_u64)

/* Whole pages for each block, so that all of them can be protected. */
static struct {
    void *address;
    size_t size;
} blocks[BLOCKS];

static void *pages_allocate(void *context, size_t size, size_t alignment)
{
    (void)context, (void)alignment;
    size_t whole = (size + PAGE - 1) / PAGE * PAGE;
    for (size_t i = 0; i < BLOCKS; i++)
        if (!blocks[i].address) {
            void *address = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (address == MAP_FAILED)
                return NULL;
            blocks[i].address = address;
            blocks[i].size = whole;
            return address;
        }
    return NULL;
}

static void pages_deallocate(void *context, void *block, size_t size, size_t alignment)
{
    (void)context, (void)size, (void)alignment;
    for (size_t i = 0; i < BLOCKS; i++)
        if (blocks[i].address == block) {
            munmap(block, blocks[i].size);
            blocks[i].address = NULL;
        }
}

static void blocks_protect(int protection)
{
    for (size_t i = 0; i < BLOCKS; i++)
        if (blocks[i].address)
            assert_int_equal(mprotect(blocks[i].address, blocks[i].size, protection), 0);
}

static const cm_allocator allocator = {pages_allocate, pages_deallocate, NULL};

static void lookups_store_nothing_in_the_table(void **state)
{
    (void)state;
    nums map;
    size_t lookups = crew_scale(1000000);
    assert_int_equal(nums_init(&map, &(cm_config){.allocator = &allocator}), CM_OK);
    for (uint64_t key = 0; key < 20000; key++)
        assert_int_equal(nums_put(&map, key, key, NULL), CM_OK);
    blocks_protect(PROT_READ);
    size_t hits = 0;
    for (uint64_t i = 0; i < lookups; i++) {
        uint64_t key = i * 7919 % 40000, value;
        hits += i % 2 ? nums_get(&map, key, &value) : nums_contains(&map, key);
    }
    uint64_t keys[1000], values[1000];
    for (uint64_t i = 0; i < 1000; i++)
        keys[i] = i * 40;
    hits += nums_get_many(&map, keys, 1000, NULL, values);
    assert_int_equal(nums_len(&map), 20000);
    blocks_protect(PROT_READ | PROT_WRITE);
    assert_in_range(hits, lookups / 2 - lookups / 50, lookups / 2 + lookups / 50 + 1000);
    nums_destroy(&map);
}

static void lookups_store_nothing_in_nodes(void **state)
{
    (void)state;
    pages map;
    assert_int_equal(pages_init(&map, &(cm_config){.allocator = &allocator}), CM_OK);
    for (uint64_t key = 0; key < 2000; key++)
        assert_int_equal(pages_put(&map, key, (struct page){{key}}, NULL), CM_OK);
    blocks_protect(PROT_READ);
    size_t hits = 0;
    struct page page;
    for (uint64_t key = 0; key < 4000; key++)
        hits += pages_get(&map, key, &page) && page.words[0] == key;
    blocks_protect(PROT_READ | PROT_WRITE);
    assert_int_equal(hits, 2000);
    pages_destroy(&map);
}

static void lookups_and_walks_of_anchored_maps_store_nothing(void **state)
{
    (void)state;
    anchors map;
    assert_int_equal(anchors_init(&map, &(cm_config){.allocator = &allocator}), CM_OK);
    for (uint64_t key = 0; key < 2000; key++)
        assert_int_equal(anchors_put(&map, key, (struct page){{key}}, NULL), CM_OK);
    blocks_protect(PROT_READ);
    size_t hits = 0;
    for (uint64_t key = 0; key < 4000; key++) {
        const struct page *page = anchors_get(&map, key);
        hits += page && page->words[0] == key;
    }
    CM_FOREACH (anchors, &map, it)
        hits += it.value->words[0] == it.key;
    blocks_protect(PROT_READ | PROT_WRITE);
    assert_int_equal(hits, 4000);
    anchors_destroy(&map);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(lookups_store_nothing_in_the_table),
        cmocka_unit_test(lookups_store_nothing_in_nodes),
        cmocka_unit_test(lookups_and_walks_of_anchored_maps_store_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
