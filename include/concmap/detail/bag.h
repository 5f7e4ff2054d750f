/* Bags: the values of one key of a multimap. For one thread at a time; any number may look while none changes it.
 *
 * Shape. A bag is part of an entry: [ room | len | one value ]. Without a room the one value is all that it holds; else
 * the values lie in the room, which is a block of memory, densely:
 *
 *     [ header | value x capacity ]                                       up to 31
 *     [ header | value x capacity | index | link x capacity ]  [ heads ]  from 32 on
 *
 * Heads are a flat table of positions, hashed by their values: of those that are equal it has one, and the others hang
 * on that one by links, so that a thousand equal values are no worse than a thousand different ones.
 *
 * Order. A value is added behind the others; the last one moves to the place of one that is removed. So what is done to
 * two bags that are alike, by position, leaves them alike: left-right maps rely on it.
 *
 * Invariants. (B1) There are no more values than the capacity; 1 without a room. (B2) In a room with an index each
 * value is in one list of those equal to it, and `heads` has the first one of each list, and nothing else. */
#ifndef CONCMAP_DETAIL_BAG_H
#define CONCMAP_DETAIL_BAG_H

#include <concmap/detail/flat_table.h>

CM_BEGIN_DECLS

#define CM_BAG_INDEXED_ 32 /* the least capacity with an index */
#define CM_BAG_NONE_ UINT32_MAX
#define CM_BAG_MOST_ (UINT32_MAX - 1)

/* What the bags of one map have in common. */
struct cm_bags_ {
    const struct cm_type *values; /* what they hold, as the keys of a set; NULL: there are no bags */
    const cm_allocator *allocator;
    void *context;
    uint64_t seed;
    size_t bytes; /* of all rooms */
};

struct cm_bag_link_ {
    uint32_t before, after; /* positions of equal values, or CM_BAG_NONE_ */
};

struct cm_bag_index_ {
    struct cm_flat_ heads;
    struct cm_bag_link_ *links;
};

struct cm_bag_room_ {
    struct cm_block_ block;
    struct cm_bags_ *bags;
    struct cm_bag_index_ *index; /* NULL: there is none */
    uint32_t capacity;
};

/* In an entry the value `one` follows, at cm_bag_one_(). */
struct cm_bag_ {
    struct cm_bag_room_ *room; /* NULL: none */
    uint32_t len;
};

/* Where the value of a bag lies that has no room, and those of a room. */
CM_INLINE size_t cm_bag_one_(const struct cm_type *values)
{
    return cm_align_up_(offsetof(struct cm_bag_, len) + sizeof(uint32_t), values->key_alignment);
}

CM_INLINE size_t cm_bag_room_values_(const struct cm_type *values)
{
    return cm_align_up_(sizeof(struct cm_bag_room_), values->key_alignment);
}

/* The values, one behind the other. */
CM_INLINE char *cm_bag_values_(const struct cm_type *values, const struct cm_bag_ *bag)
{
    return bag->room ? (char *)bag->room + cm_bag_room_values_(values) : (char *)(uintptr_t)bag + cm_bag_one_(values);
}

CM_INLINE uint32_t cm_bag_capacity_(const struct cm_bag_ *bag)
{
    return bag->room ? bag->room->capacity : 1;
}

/* Makes two rooms, for two bags that are alike; for up to one value none: NULL. False: no memory, and there are none.
 */
CM_API bool cm_bag_rooms_make_(struct cm_bags_ *bags, size_t capacity, struct cm_bag_room_ *rooms[2]);
/* Makes one. NULL: no memory. */
CM_API struct cm_bag_room_ *cm_bag_room_make_(struct cm_bags_ *bags, uint32_t capacity);
/* Makes a bag that is alike. False: no memory, and it is empty. */
CM_API bool cm_bag_copy_(struct cm_bags_ *bags, struct cm_bag_ *bag, const struct cm_bag_ *from);
/* `room` may be NULL. */
CM_API void cm_bag_room_free_(struct cm_bag_room_ *room);
/* Moves a bag to a room that is large enough; NULL: to none. */
CM_API void cm_bag_move_(const struct cm_bags_ *bags, struct cm_bag_ *bag, struct cm_bag_room_ *room);
/* Adds a value, for which there is room. */
CM_API void cm_bag_add_(const struct cm_bags_ *bags, struct cm_bag_ *bag, const void *value);
/* Removes a value, which is not destroyed. */
CM_API void cm_bag_drop_(const struct cm_bags_ *bags, struct cm_bag_ *bag, uint32_t position);
/* Destroys the values, and gives the room back. */
CM_API void cm_bag_end_(const struct cm_type *values, struct cm_bag_ *bag, void *context);
/* Gives back the rooms of all bags of a table: their values are somebody else's. */
CM_API void cm_bags_forget_(const struct cm_type *type, const struct cm_flat_ *flat);
/* Whether two bags are alike, position by position and bit by bit. */
CM_API bool cm_bag_same_(const struct cm_bags_ *bags, const struct cm_bag_ *a, const struct cm_bag_ *b);
/* Validates B1 and B2 of all bags of a table; NULL, or what is wrong. */
CM_API const char *cm_bags_check_(const struct cm_bags_ *bags, const struct cm_type *type, const struct cm_flat_ *flat);
/* As cm_bag_find_(), in a room with an index. */
CM_API uint32_t cm_bag_find_indexed_(const struct cm_type *values, const struct cm_bag_room_ *room, uint64_t hash,
                                     const void *value);

/* The position of a value that is equal to this one, or CM_BAG_NONE_. */
CM_INLINE uint32_t cm_bag_find_(const struct cm_type *values, const struct cm_bag_ *bag, uint64_t seed,
                                const void *value)
{
    if (bag->room && bag->room->index)
        return cm_bag_find_indexed_(values, bag->room, values->hash(value, seed), value);
    const char *at = cm_bag_values_(values, bag);
    for (uint32_t i = 0; i < bag->len; i++, at += values->key_size)
        if (values->equal(value, at))
            return i;
    return CM_BAG_NONE_;
}

CM_END_DECLS

#endif
