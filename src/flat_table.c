/* Making, freeing and checking flat tables. */
#include <concmap/detail/flat_table.h>

/* Entries for each group, at which a table grows: see DESIGN.md. */
#define LOAD 13

const uint8_t cm_flat_none_[CM_TAGS_GROUP_] __attribute__((aligned(CM_LINE)));

struct size {
    uint64_t groups; /* 0: there is no such table */
    size_t slots;
    size_t capacity; /* entries that it is meant for */
};

static struct size size_for(const struct cm_type *type, size_t entries)
{
    if (entries <= CM_TAGS_) {
        size_t slots = entries == 0 ? 0 : entries <= 3 ? 3 : entries <= 7 ? 7 : CM_TAGS_;
        return (struct size){1, slots, slots};
    }
    uint64_t most = (SIZE_MAX >> 1) / CM_TAGS_ / (cm_flat_layout_of_(type).entry + 2); /* products stay in range */
    uint64_t groups = 2;
    while (groups <= most && groups * LOAD < entries)
        groups *= 2;
    return groups <= most ? (struct size){groups, groups * CM_TAGS_, groups * LOAD} : (struct size){0};
}

size_t cm_flat_slots_for_(const struct cm_type *type, size_t entries)
{
    return size_for(type, entries).slots;
}

size_t cm_flat_next_size_(const struct cm_flat_ *flat)
{
    return flat->slots < CM_TAGS_ ? flat->slots + 1 : 2 * (flat->mask + 1) * LOAD;
}

static void flat_clear(struct cm_flat_ *flat)
{
    cm_flat_set_(flat, &(struct cm_flat_){.tags = (uint8_t *)(uintptr_t)cm_flat_none_,
                                          .entries = (char *)(uintptr_t)cm_flat_none_});
}

/* Bytes behind the tags. */
static size_t room_for(size_t entries)
{
    return entries < CM_FLAT_ENTRIES_LEAST_ ? CM_FLAT_ENTRIES_LEAST_ : entries;
}

bool cm_flat_make_(struct cm_flat_ *flat, const struct cm_type *type, const cm_allocator *allocator, size_t entries)
{
    struct cm_flat_layout_ layout = cm_flat_layout_of_(type);
    struct size size = size_for(type, entries);
    struct cm_block_ block;
    if (entries == 0) {
        flat_clear(flat);
        return true;
    }
    size_t before = cm_align_up_(size.groups * CM_TAGS_GROUP_, layout.alignment);
    if (size.groups == 0 || !cm_block_allocate_(allocator, before + room_for(size.slots * layout.entry),
                                                layout.alignment > CM_LINE ? layout.alignment : CM_LINE, false, &block))
        return false;
    *flat = (struct cm_flat_){.tags = block.address,
                              .entries = (char *)block.address + before,
                              .mask = size.groups - 1,
                              .grow_at = size.capacity,
                              .slots = size.slots,
                              .block = block};
    if (!block.mapped) /* what is mapped is clear */
        cm_flat_wipe_(flat);
    return true;
}

void cm_flat_fill_(struct cm_flat_ *flat, const struct cm_flat_ *from, const struct cm_type *type)
{
    const size_t group = from->slots / (from->mask + 1) * cm_flat_layout_of_(type).entry;
    flat->len = from->len;
    flat->grow_at = from->grow_at;
    if (!from->slots)
        return;
    memcpy(flat->tags, from->tags, (from->mask + 1) * CM_TAGS_GROUP_);
    for (size_t i = 0; i <= from->mask; i++) /* pages that nothing lies in stay untouched */
        if (cm_tags_taken_(from->tags + i * CM_TAGS_GROUP_))
            memcpy(flat->entries + i * group, from->entries + i * group, group);
}

bool cm_flat_copy_(struct cm_flat_ *flat, const struct cm_flat_ *from, const struct cm_type *type,
                   const cm_allocator *allocator)
{
    struct cm_block_ block;
    if (!from->slots) {
        flat_clear(flat);
        return true;
    }
    const size_t before = (size_t)(from->entries - (char *)from->tags);
    const size_t entries = from->slots * cm_flat_layout_of_(type).entry;
    if (!cm_block_allocate_(allocator, before + room_for(entries), from->block.alignment, false, &block))
        return false;
    *flat = *from;
    flat->block = block;
    flat->tags = block.address;
    flat->entries = (char *)block.address + before;
    cm_flat_fill_(flat, from, type);
    return true;
}

void cm_flat_free_(struct cm_flat_ *flat, const cm_allocator *allocator)
{
    cm_block_release_(allocator, &flat->block);
    flat_clear(flat);
}

void cm_flat_wipe_(struct cm_flat_ *flat)
{
    if (flat->slots)
        memset(flat->tags, 0, (flat->mask + 1) * CM_TAGS_GROUP_);
    flat->len = 0;
}

/* ---- checking ---- */

/* Counts for one entry the groups on its way, in `passed`. False: its group is not on the way. */
static bool way_count(const struct cm_flat_ *flat, uint64_t hash, struct cm_flat_place_ place, uint32_t *passed)
{
    uint64_t last = cm_flat_index_(flat, place);
    uint64_t index = cm_flat_home_(flat, hash);
    for (uint64_t looks = 0; index != last; looks++, index = cm_flat_after_(flat, index, hash)) {
        if (looks > flat->mask)
            return false;
        passed[index]++;
    }
    return true;
}

static const char *entries_check(const struct cm_flat_ *flat, const struct cm_type *type, uint64_t seed,
                                 uint32_t *passed)
{
    struct cm_flat_walk_ walk = cm_flat_walk_begin_();
    size_t len = 0;
    for (struct cm_flat_place_ place; (place = cm_flat_walk_next_(type, flat, &walk)).entry; len++) {
        uint64_t hash = type->hash(place.entry, seed);
        if (*place.tag != cm_tag_of_(hash))
            return "F1: a tag is not that of its key";
        if (!way_count(flat, hash, place, passed))
            return "F3: an entry is not on the way from its home";
        struct cm_flat_place_ found = cm_flat_find_(type, flat, place.entry, hash);
        if (!found.entry)
            return "F3: an entry is not found";
        if (found.entry != place.entry)
            return "F2: a key is there twice";
    }
    return len == flat->len ? NULL : "F4: the length is wrong";
}

static const char *counts_check(const struct cm_flat_ *flat, const uint32_t *passed)
{
    for (uint64_t index = 0; index <= flat->mask; index++) {
        uint8_t count = cm_flat_group_(flat, index)[CM_PASSED_];
        if (count != passed[index] && count != CM_PASSED_MANY_)
            return "F3: a group counts others than those who passed it";
    }
    return NULL;
}

cm_status cm_flat_check_(const struct cm_flat_ *flat, const struct cm_type *type, const cm_allocator *allocator,
                         uint64_t seed, const char **reason)
{
    const char *wrong = NULL;
    if (flat->len > flat->slots) {
        wrong = "F4: more entries than slots";
    } else if (flat->slots) {
        struct cm_block_ counts;
        if (!cm_block_allocate_(allocator, (flat->mask + 1) * sizeof(uint32_t), CM_LINE, true, &counts))
            return CM_NOMEM;
        wrong = entries_check(flat, type, seed, counts.address);
        if (!wrong)
            wrong = counts_check(flat, counts.address);
        cm_block_release_(allocator, &counts);
    }
    if (reason)
        *reason = wrong;
    return wrong ? CM_CORRUPT : CM_OK;
}

/* ---- figures ---- */

static size_t depth_of(size_t groups_before)
{
    return groups_before < CM_STATS_DEPTH ? groups_before : CM_STATS_DEPTH - 1;
}

/* How many groups a look-up that misses goes on to from the group, by the shortest steps. */
static size_t way_length(const struct cm_flat_ *flat, uint64_t index)
{
    size_t groups = 0;
    while (groups < CM_STATS_DEPTH && groups <= flat->mask && cm_flat_group_(flat, index)[CM_PASSED_]) {
        groups++;
        index = cm_flat_after_(flat, index, 0);
    }
    return groups;
}

/* How many groups a look-up goes through before the one that the entry is in. */
static size_t way_to(const struct cm_flat_ *flat, uint64_t hash, struct cm_flat_place_ place)
{
    size_t groups = 0;
    for (uint64_t index = cm_flat_home_(flat, hash); groups < CM_STATS_DEPTH && index != cm_flat_index_(flat, place);
         index = cm_flat_after_(flat, index, hash))
        groups++;
    return groups;
}

void cm_flat_stats_(const struct cm_flat_ *flat, const struct cm_type *type, uint64_t seed, cm_stats *stats)
{
    size_t slots = flat->slots ? flat->slots / (flat->mask + 1) : 0;
    stats->entries += flat->len;
    stats->capacity += flat->grow_at;
    stats->tables += flat->slots != 0;
    stats->slots = slots > stats->slots ? slots : stats->slots;
    for (uint64_t index = 0; flat->slots && index <= flat->mask; index++) {
        stats->buckets++;
        stats->empty_buckets += cm_tags_taken_(cm_flat_group_(flat, index)) == 0;
        stats->chains[depth_of(way_length(flat, index))]++;
    }
    struct cm_flat_walk_ walk = cm_flat_walk_begin_();
    for (struct cm_flat_place_ place; (place = cm_flat_walk_next_(type, flat, &walk)).entry;)
        stats->probes[depth_of(way_to(flat, type->hash(place.entry, seed), place))]++;
    if (stats->buckets)
        stats->load = (double)stats->entries / (double)(stats->buckets * stats->slots);
}
