/* The flat table: open addressing by groups of fifteen slots, for one thread at a time.
 *
 * Shape. One block of memory: 2^k groups of tags, densely, and behind them the entries of all groups.
 *
 *     [ tag x 15 | passed ] [ tag x 15 | passed ] ...     16 bytes each
 *     [ (key, value) x 15 ] [ (key, value) x 15 ] ...
 *
 * A tag is eight bits of the hash; the home group comes from its lower end. Where the home is full an entry lies in the
 * first group on its way from there with a free slot, and `passed` of each group before that one counts it. So a search
 * ends at the first group that nobody passed, and a removal leaves nothing behind: it takes the tag away, and counts
 * back. The lowest free slot is taken, so a table of one group needs no more entries than it may hold: there are such
 * of 3 and 7.
 *
 * Readers. A search loads and stores nothing: any number of threads may look while none changes the table.
 *
 * Writers. Nothing moves but in cm_flat_move_(), which fills another table. Removing while one walks is harmless.
 *
 * Invariants. (F1) A slot is taken if its tag is not 0, and then the tag is that of its key's hash. (F2) No two slots
 * have equal keys. (F3) `passed` is the number of entries whose way from their home leads past the group, or
 * CM_PASSED_MANY_, from which it does not come back. (F4) `len` is the number of slots taken.
 *
 * After F14 of Folly (Bronson and Shi, "Open-sourcing F14", 2019), whose count of passing entries this is, and
 * boost::unordered_flat_map, whose tags lie apart; the code is our own. */
#ifndef CONCMAP_DETAIL_FLAT_TABLE_H
#define CONCMAP_DETAIL_FLAT_TABLE_H

#include <concmap/detail/atomic.h>
#include <concmap/detail/memory.h>
#include <concmap/detail/tags.h>
#include <concmap/figures.h>
#include <concmap/type.h>

CM_BEGIN_DECLS

#define CM_PASSED_ CM_TAGS_ /* the byte behind the tags */
#define CM_PASSED_MANY_ 255

struct cm_flat_layout_ {
    size_t value; /* where it lies in an entry, behind the key */
    size_t entry; /* bytes of one */
    size_t alignment;
};

CM_INLINE struct cm_flat_layout_ cm_flat_layout_of_(const struct cm_type *type)
{
    struct cm_flat_layout_ layout;
    bool has_value = type->value_size != 0;
    layout.alignment =
        has_value && type->value_alignment > type->key_alignment ? type->value_alignment : type->key_alignment;
    layout.value = has_value ? cm_align_up_(type->key_size, type->value_alignment) : type->key_size;
    layout.entry = cm_align_up_(layout.value + type->value_size, layout.alignment);
    return layout;
}

struct cm_flat_ {
    uint8_t *tags; /* cm_flat_none_ where there is no memory */
    char *entries;
    uint64_t mask; /* groups - 1 */
    size_t len;
    size_t grow_at; /* entries; whoever would add one more grows the table first, or learns that it cannot */
    struct cm_block_ block;
    size_t slots;
};

#define CM_FLAT_ENTRIES_LEAST_ 48 /* bytes behind the tags, also of the smallest table: see outdated.c */

/* One group without slots to take, for tables without memory. Never written. */
extern CM_API const uint8_t cm_flat_none_[CM_TAGS_GROUP_];

/* Where an entry lies. */
struct cm_flat_place_ {
    char *entry; /* NULL: nowhere */
    uint8_t *tag;
};

/* ---- cold parts (src/flat_table.c) ---- */

/* The slots of a table that is meant for so many entries; 0: there is none. */
CM_API size_t cm_flat_slots_for_(const struct cm_type *type, size_t entries);
/* Makes an empty table for so many entries; 0: one without memory. False: no memory, and *flat is as it was. */
CM_API bool cm_flat_make_(struct cm_flat_ *flat, const struct cm_type *type, const cm_allocator *allocator,
                          size_t entries);
/* The entries for which the next larger table is meant. */
CM_API size_t cm_flat_next_size_(const struct cm_flat_ *flat);
/* Makes a table that is the same, bit by bit. False: no memory, and *flat is as it was. */
CM_API bool cm_flat_copy_(struct cm_flat_ *flat, const struct cm_flat_ *from, const struct cm_type *type,
                          const cm_allocator *allocator);
/* The same, into a table with as many slots. */
CM_API void cm_flat_fill_(struct cm_flat_ *flat, const struct cm_flat_ *from, const struct cm_type *type);
/* Gives the memory back; entries are not looked at. */
CM_API void cm_flat_free_(struct cm_flat_ *flat, const cm_allocator *allocator);
/* Forgets all entries. */
CM_API void cm_flat_wipe_(struct cm_flat_ *flat);
/* Validates F1 to F4. CM_OK, CM_CORRUPT and *reason (may be NULL), or CM_NOMEM. */
CM_API cm_status cm_flat_check_(const struct cm_flat_ *flat, const struct cm_type *type, const cm_allocator *allocator,
                                uint64_t seed, const char **reason);

/* Adds what a table looks like, but for memory, to figures of other tables of the type, or to zeros. */
CM_API CM_COLD void cm_flat_stats_(const struct cm_flat_ *flat, const struct cm_type *type, uint64_t seed,
                                   cm_stats *stats);

/* ---- places ---- */

/* The home of a hash, and the next group on its way: 1, 3, 5 or 7 further, so that the way leads to all, and those that
 * meet part again. With 13 of 15 slots taken a miss looks at 1.7 groups, instead of 2.4 if all go to the next one; ways
 * that part at once would make it 1.5, but are not as near, and growing is slower by a sixth. */
CM_INLINE uint64_t cm_flat_home_(const struct cm_flat_ *flat, uint64_t hash)
{
    return hash & flat->mask;
}

CM_INLINE uint64_t cm_flat_after_(const struct cm_flat_ *flat, uint64_t index, uint64_t hash)
{
    return (index + 2 * (hash >> 62) + 1) & flat->mask;
}

CM_INLINE uint8_t *cm_flat_group_(const struct cm_flat_ *flat, uint64_t index)
{
    return flat->tags + index * CM_TAGS_GROUP_;
}

CM_INLINE char *cm_flat_entry_(const struct cm_type *type, const struct cm_flat_ *flat, uint64_t index, unsigned slot)
{
    return flat->entries + (index * CM_TAGS_ + slot) * cm_flat_layout_of_(type).entry;
}

/* How far behind a group's first entry one lies. In 32 bits, where they will do: else gcc extends the sign of what has
 * none, on the way from the tags to the entry. */
CM_INLINE size_t cm_flat_offset_(const struct cm_type *type, unsigned slot)
{
    const size_t entry = cm_flat_layout_of_(type).entry;
    return entry <= UINT32_MAX / CM_TAGS_ ? slot * (unsigned)entry : slot * entry;
}

CM_INLINE char *cm_flat_value_(const struct cm_type *type, struct cm_flat_place_ place)
{
    return place.entry + cm_flat_layout_of_(type).value;
}

/* ---- one key ---- */

/* Who is about to change an entry, or finds what he looks for more often than not, fetches the first two lines of its
 * home's entries before the tags have come: entries lie in the lowest slots, so that is where most are. Only beyond the
 * caches. With 4 million entries hits take 28 instead of 41 ns in a table that is 40% full, 28 instead of 31 in one of
 * 80%; misses, which fetch in vain, 19 instead of 10, and 15 instead of 13; so look-ups in plain maps do without. */
#define CM_FLAT_SMALL_ENTRY_ 24  /* bytes; of larger ones too few are in a line */
#define CM_FLAT_FAR_GROUPS_ 4096 /* of larger tables: some MiB with their entries */

/* Relaxed: some ask before they have the table's lock. */
CM_INLINE bool cm_flat_is_far_(const struct cm_flat_ *flat)
{
    return cm_load_relaxed_(&flat->mask) >= CM_FLAT_FAR_GROUPS_;
}

CM_INLINE void cm_flat_fetch_entries_(const struct cm_type *type, const char *entries)
{
    if (cm_flat_layout_of_(type).entry > CM_FLAT_SMALL_ENTRY_)
        return;
    __builtin_prefetch(entries);
    __builtin_prefetch(entries + CM_LINE);
}

CM_INLINE void cm_flat_fetch_far_(const struct cm_type *type, const struct cm_flat_ *flat, uint64_t hash)
{
    if (CM_UNLIKELY(flat->mask >= CM_FLAT_FAR_GROUPS_))
        cm_flat_fetch_entries_(type, cm_flat_entry_(type, flat, cm_flat_home_(flat, hash), 0));
}

/* The key's place among those of one group. */
CM_INLINE struct cm_flat_place_ cm_flat_find_in_(const struct cm_type *type, const struct cm_flat_ *flat,
                                                 uint64_t index, const void *key, cm_tags_ sought)
{
    uint8_t *group = cm_flat_group_(flat, index);
    char *entries = cm_flat_entry_(type, flat, index, 0);
    struct cm_flat_place_ place = {NULL, NULL};
    for (unsigned match = cm_tags_match_(group, sought); match; match &= match - 1) {
        const unsigned slot = (unsigned)__builtin_ctz(match);
        char *entry = entries + cm_flat_offset_(type, slot);
        if (CM_LIKELY(type->equal(key, entry))) {
            place.entry = entry;
            place.tag = group + slot;
            break;
        }
    }
    return place;
}

/* Whether a search for what is not in the group goes on behind it. */
CM_INLINE bool cm_flat_leads_on_(const struct cm_flat_ *flat, uint64_t index)
{
    return cm_flat_group_(flat, index)[CM_PASSED_] != 0;
}

/* The key's place behind its home. Ends even where every group was passed by too many to count. */
CM_INLINE struct cm_flat_place_ cm_flat_find_on_(const struct cm_type *type, const struct cm_flat_ *flat,
                                                 const void *key, uint64_t hash)
{
    const uint64_t home = cm_flat_home_(flat, hash);
    const cm_tags_ sought = cm_tags_sought_(hash);
    struct cm_flat_place_ place = {NULL, NULL};
    uint64_t index = home;
    do {
        index = cm_flat_after_(flat, index, hash);
        place = cm_flat_find_in_(type, flat, index, key, sought);
    } while (!place.entry && cm_flat_leads_on_(flat, index) && index != home);
    return place;
}

/* Where the key lies. */
CM_INLINE struct cm_flat_place_ cm_flat_find_(const struct cm_type *type, const struct cm_flat_ *flat, const void *key,
                                              uint64_t hash)
{
    const uint64_t home = cm_flat_home_(flat, hash);
    struct cm_flat_place_ place = cm_flat_find_in_(type, flat, home, key, cm_tags_sought_(hash));
    if (CM_LIKELY(place.entry != NULL) || CM_LIKELY(!cm_flat_leads_on_(flat, home)))
        return place;
    __asm__ volatile("" : : : "memory"); /* so that no register is kept for what few searches come to */
    return cm_flat_find_on_(type, flat, key, hash);
}

/* The same, with the entries fetched ahead. */
CM_INLINE struct cm_flat_place_ cm_flat_find_ahead_(const struct cm_type *type, const struct cm_flat_ *flat,
                                                    const void *key, uint64_t hash)
{
    cm_flat_fetch_far_(type, flat, hash);
    return cm_flat_find_(type, flat, key, hash);
}

/* Takes a slot for a key that is absent; there is a free one. The caller fills in key and value. */
CM_INLINE struct cm_flat_place_ cm_flat_take_(const struct cm_type *type, struct cm_flat_ *flat, uint64_t hash)
{
    for (uint64_t index = cm_flat_home_(flat, hash);; index = cm_flat_after_(flat, index, hash)) {
        uint8_t *group = cm_flat_group_(flat, index);
        unsigned free = cm_tags_free_(group);
        if (CM_LIKELY(free != 0)) {
            unsigned slot = (unsigned)__builtin_ctz(free);
            struct cm_flat_place_ place = {cm_flat_entry_(type, flat, index, slot), group + slot};
            flat->len++;
            *place.tag = cm_tag_of_(hash);
            return place;
        }
        if (CM_LIKELY(group[CM_PASSED_] != CM_PASSED_MANY_))
            group[CM_PASSED_]++; /* (F3) */
    }
}

/* The group in which an entry lies. */
CM_INLINE uint64_t cm_flat_index_(const struct cm_flat_ *flat, struct cm_flat_place_ place)
{
    return (uint64_t)(place.tag - flat->tags) / CM_TAGS_GROUP_;
}

/* Gives a slot back, whose key has this hash. */
CM_INLINE void cm_flat_drop_(struct cm_flat_ *flat, struct cm_flat_place_ place, uint64_t hash)
{
    const uint64_t last = cm_flat_index_(flat, place);
    flat->len--;
    for (uint64_t index = cm_flat_home_(flat, hash); CM_UNLIKELY(index != last);
         index = cm_flat_after_(flat, index, hash)) {
        uint8_t *group = cm_flat_group_(flat, index);
        if (CM_LIKELY(group[CM_PASSED_] != CM_PASSED_MANY_))
            group[CM_PASSED_]--; /* (F3) */
    }
    *place.tag = 0;
}

/* Fetches the tags of the key's home. */
CM_INLINE void cm_flat_prefetch_(const struct cm_flat_ *flat, uint64_t hash)
{
    cm_fetch_(cm_flat_group_(flat, cm_flat_home_(flat, hash)), flat->block.size >= CM_FAR_BYTES_);
}

/* Fetches the entry that has the key's tag, in a home whose tags have come; `write`: or the slot that it would take. */
CM_INLINE void cm_flat_prefetch_entry_(const struct cm_type *type, const struct cm_flat_ *flat, uint64_t hash,
                                       bool write)
{
    const struct cm_flat_layout_ layout = cm_flat_layout_of_(type);
    const uint64_t home = cm_flat_home_(flat, hash);
    const uint8_t *group = cm_flat_group_(flat, home);
    unsigned match = cm_tags_match_(group, cm_tags_sought_(hash));
    if (write && !match)
        match = cm_tags_free_(group);
    if (!match)
        return;
    const char *entry = cm_flat_entry_(type, flat, home, (unsigned)__builtin_ctz(match));
    for (size_t line = 0; line < layout.entry && line < 4 * (size_t)CM_LINE; line += CM_LINE)
        cm_fetch_(entry + line, flat->block.size >= CM_FAR_BYTES_);
}

/* Fetches what a search is about to look at, for somebody who may not look yet because others change the table: the
 * home's tags, and its first entries, where most are. The addresses are a hint, and need not belong to one table. */
CM_INLINE void cm_flat_prefetch_hint_(const struct cm_type *type, const struct cm_flat_ *flat, uint64_t hash)
{
    /* Relaxed: as good a hint as any. They are stored by cm_flat_set_(). */
    uint64_t home = hash & cm_load_relaxed_(&flat->mask);
    const char *tags = (const char *)cm_load_relaxed_(&flat->tags) + home * CM_TAGS_GROUP_;
    const char *entries = cm_load_relaxed_(&flat->entries) + home * CM_TAGS_ * cm_flat_layout_of_(type).entry;
    __builtin_prefetch(tags);
    cm_flat_fetch_entries_(type, entries);
}

/* Makes a table what another one is, with stores that do not tear for cm_flat_prefetch_hint_(). */
CM_INLINE void cm_flat_set_(struct cm_flat_ *flat, const struct cm_flat_ *by)
{
    cm_store_relaxed_(&flat->tags, by->tags);
    cm_store_relaxed_(&flat->entries, by->entries);
    cm_store_relaxed_(&flat->mask, by->mask);
    flat->len = by->len;
    flat->grow_at = by->grow_at;
    flat->slots = by->slots;
    flat->block = by->block;
}

/* ---- all keys ---- */

/* A walk over the slots that are taken, in the order of memory. */
struct cm_flat_walk_ {
    uint64_t next; /* the group after the present one */
    unsigned left; /* slots of the present group yet to be visited */
};

CM_INLINE struct cm_flat_walk_ cm_flat_walk_begin_(void)
{
    struct cm_flat_walk_ walk = {0, 0};
    return walk;
}

/* The next entry; {NULL}: there is none. One that was removed meanwhile is not visited. */
CM_INLINE struct cm_flat_place_ cm_flat_walk_next_(const struct cm_type *type, const struct cm_flat_ *flat,
                                                   struct cm_flat_walk_ *walk)
{
    struct cm_flat_place_ place = {NULL, NULL};
    for (;;) {
        while (!walk->left) {
            if (walk->next > flat->mask)
                return place;
            walk->left = cm_tags_taken_(cm_flat_group_(flat, walk->next++));
        }
        unsigned slot = (unsigned)__builtin_ctz(walk->left);
        walk->left &= walk->left - 1;
        place.tag = cm_flat_group_(flat, walk->next - 1) + slot;
        if (CM_LIKELY(*place.tag != 0)) {
            place.entry = cm_flat_entry_(type, flat, walk->next - 1, slot);
            return place;
        }
    }
}

/* The entries of one home, wherever on their four ways they lie: a table that grows or shrinks parts or joins homes,
 * and changes nothing else. So a walk that goes from home to home in the order of reversed hashes may go on in another
 * table, at the same point, which may lie amid those of a home that was joined: see course.h. */
struct cm_flat_kin_ {
    uint64_t point; /* those before it are passed by */
    uint64_t home;
    uint64_t index; /* the present group */
    unsigned way;   /* that leads to it: the upper end of the hash */
    unsigned left;  /* slots of it yet to be visited */
};

/* Those of the home that a point belongs to, from there on. */
CM_INLINE struct cm_flat_kin_ cm_flat_kin_begin_(const struct cm_flat_ *flat, uint64_t point)
{
    uint64_t home = cm_flat_home_(flat, cm_reverse_bits_(point));
    struct cm_flat_kin_ kin = {point, home, home, 0, cm_tags_taken_(cm_flat_group_(flat, home))};
    return kin;
}

/* Goes to the next group that may have some; false: there is none. */
CM_INLINE bool cm_flat_kin_go_on_(const struct cm_flat_ *flat, struct cm_flat_kin_ *kin)
{
    while (kin->way < 4) {
        if (cm_flat_leads_on_(flat, kin->index)) {
            kin->index = cm_flat_after_(flat, kin->index, (uint64_t)kin->way << 62);
            if (kin->index != kin->home) {
                kin->left = cm_tags_taken_(cm_flat_group_(flat, kin->index));
                return true;
            }
        }
        kin->way++;
        kin->index = kin->home;
    }
    return false;
}

/* The next one of them; {NULL}: there is none. Nothing may have changed since the first. */
CM_INLINE struct cm_flat_place_ cm_flat_kin_next_(const struct cm_type *type, const struct cm_flat_ *flat,
                                                  uint64_t seed, struct cm_flat_kin_ *kin)
{
    struct cm_flat_place_ place = {NULL, NULL};
    do {
        while (kin->left) {
            unsigned slot = (unsigned)__builtin_ctz(kin->left);
            char *entry = cm_flat_entry_(type, flat, kin->index, slot);
            uint64_t hash = type->hash(entry, seed);
            kin->left &= kin->left - 1;
            if (cm_flat_home_(flat, hash) != kin->home || (kin->index != kin->home && hash >> 62 != kin->way) ||
                cm_reverse_bits_(hash) < kin->point)
                continue;
            place.entry = entry;
            place.tag = cm_flat_group_(flat, kin->index) + slot;
            return place;
        }
    } while (cm_flat_kin_go_on_(flat, kin));
    return place;
}

/* The first point behind those of its home; 0: that was the last. */
CM_INLINE uint64_t cm_flat_point_after_(const struct cm_flat_ *flat, uint64_t point)
{
    unsigned bits = flat->mask ? 64 - (unsigned)__builtin_clzll(flat->mask) : 0;
    return (point | UINT64_MAX >> bits) + 1;
}

/* Moves all entries to another table, which is empty and has room for them: the old groups in order, so that there are
 * as many streams of memory as the new table is times as large, and one. The old table is left as it was. */
CM_INLINE void cm_flat_move_(const struct cm_type *type, const struct cm_flat_ *from, struct cm_flat_ *to,
                             uint64_t seed)
{
    const struct cm_flat_layout_ layout = cm_flat_layout_of_(type);
    struct cm_flat_walk_ walk = cm_flat_walk_begin_();
    for (struct cm_flat_place_ old; (old = cm_flat_walk_next_(type, from, &walk)).entry;) {
        struct cm_flat_place_ place = cm_flat_take_(type, to, type->hash(old.entry, seed));
        memcpy(place.entry, old.entry, layout.value + type->value_size);
    }
}

CM_END_DECLS

#endif
