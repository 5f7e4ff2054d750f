/* Rooms of bags, and what they do with an index: see detail/bag.h. */
#include <concmap/detail/bag.h>

/* What is looked for in an index, and where positions lead. */
struct sought {
    const struct cm_type *values;
    const char *begin;
    const void *value;
};

static bool position_is_equal(const void *sought, const void *position)
{
    const struct sought *what = sought;
    return what->values->equal(what->value, what->begin + *(const uint32_t *)position * what->values->key_size);
}

/* The entries of an index: keys without values. They are never hashed: hashes are those of what they stand for. */
static const struct cm_type positions = {
    .key_size = sizeof(uint32_t), .key_alignment = _Alignof(uint32_t), .equal = position_is_equal};

/* ---- rooms ---- */

/* Where the index lies in a room. */
static size_t index_offset(const struct cm_type *values, size_t capacity)
{
    return cm_align_up_(cm_bag_room_values_(values) + capacity * values->key_size, _Alignof(struct cm_bag_index_));
}

static bool room_allocate(struct cm_bags_ *bags, uint32_t capacity, struct cm_block_ *block)
{
    const struct cm_type *values = bags->values;
    size_t size = cm_bag_room_values_(values) + capacity * values->key_size;
    size_t alignment = values->key_alignment > 16 ? values->key_alignment : 16;
    if (capacity >= CM_BAG_INDEXED_)
        size = index_offset(values, capacity) + sizeof(struct cm_bag_index_) + capacity * sizeof(struct cm_bag_link_);
    return capacity <= (SIZE_MAX >> 2) / (values->key_size + sizeof(struct cm_bag_link_)) &&
           cm_block_allocate_(bags->allocator, size, alignment, false, block);
}

struct cm_bag_room_ *cm_bag_room_make_(struct cm_bags_ *bags, uint32_t capacity)
{
    struct cm_block_ block;
    if (!room_allocate(bags, capacity, &block))
        return NULL;
    struct cm_bag_room_ *room = block.address;
    *room = (struct cm_bag_room_){block, bags, NULL, capacity};
    bags->bytes += block.size;
    if (capacity < CM_BAG_INDEXED_)
        return room;
    struct cm_bag_index_ *index = (void *)((char *)room + index_offset(bags->values, capacity));
    index->links = (struct cm_bag_link_ *)(index + 1);
    if (!cm_flat_make_(&index->heads, &positions, bags->allocator, capacity)) {
        cm_bag_room_free_(room);
        return NULL;
    }
    bags->bytes += index->heads.block.size;
    room->index = index;
    return room;
}

void cm_bag_room_free_(struct cm_bag_room_ *room)
{
    if (!room)
        return;
    struct cm_bags_ *bags = room->bags;
    struct cm_block_ block = room->block;
    bags->bytes -= block.size;
    if (room->index) {
        bags->bytes -= room->index->heads.block.size;
        cm_flat_free_(&room->index->heads, bags->allocator);
    }
    cm_block_release_(bags->allocator, &block);
}

bool cm_bag_rooms_make_(struct cm_bags_ *bags, size_t capacity, struct cm_bag_room_ *rooms[2])
{
    rooms[0] = rooms[1] = NULL;
    if (capacity <= 1)
        return true;
    if (capacity > CM_BAG_MOST_ || !(rooms[0] = cm_bag_room_make_(bags, (uint32_t)capacity)))
        return false;
    rooms[1] = cm_bag_room_make_(bags, (uint32_t)capacity);
    if (!rooms[1])
        cm_bag_room_free_(rooms[0]);
    return rooms[1] != NULL;
}

/* ---- the index ---- */

static char *value_at(const struct cm_bag_room_ *room, uint32_t position)
{
    const struct cm_type *values = room->bags->values;
    return (char *)(uintptr_t)room + cm_bag_room_values_(values) + position * values->key_size;
}

static uint64_t hash_at(const struct cm_bag_room_ *room, uint32_t position)
{
    return room->bags->values->hash(value_at(room, position), room->bags->seed);
}

/* Where the index has the list of values that are equal to this one. */
static struct cm_flat_place_ head_find(const struct cm_type *values, const struct cm_bag_room_ *room, uint64_t hash,
                                       const void *value)
{
    struct sought sought = {values, (const char *)room + cm_bag_room_values_(values), value};
    return cm_flat_find_(&positions, &room->index->heads, &sought, hash);
}

uint32_t cm_bag_find_indexed_(const struct cm_type *values, const struct cm_bag_room_ *room, uint64_t hash,
                              const void *value)
{
    struct cm_flat_place_ head = head_find(values, room, hash, value);
    return head.entry ? *(const uint32_t *)(const void *)head.entry : CM_BAG_NONE_;
}

/* Puts the value at a position into the index: behind the head of its equals, or as one (B2). */
static void index_add(struct cm_bag_room_ *room, uint32_t position)
{
    uint64_t hash = hash_at(room, position);
    uint32_t head = cm_bag_find_indexed_(room->bags->values, room, hash, value_at(room, position));
    room->index->links[position] = (struct cm_bag_link_){head, CM_BAG_NONE_};
    if (head == CM_BAG_NONE_) {
        struct cm_flat_place_ place = cm_flat_take_(&positions, &room->index->heads, hash);
        memcpy(place.entry, &position, sizeof position);
        return;
    }
    uint32_t after = room->index->links[position].after = room->index->links[head].after;
    room->index->links[head].after = position;
    if (after != CM_BAG_NONE_)
        room->index->links[after].before = position;
}

/* Whoever names `position`, its neighbours or the index, names `instead` from now on. */
static void index_rename(struct cm_bag_room_ *room, uint32_t position, uint32_t before, uint32_t after)
{
    struct cm_bag_link_ link = room->index->links[position];
    if (link.after != CM_BAG_NONE_)
        room->index->links[link.after].before = after;
    if (link.before != CM_BAG_NONE_) {
        room->index->links[link.before].after = before;
        return;
    }
    uint64_t hash = hash_at(room, position);
    struct cm_flat_place_ place = head_find(room->bags->values, room, hash, value_at(room, position));
    if (!place.entry)
        return; /* never (B2) */
    if (before != CM_BAG_NONE_)
        memcpy(place.entry, &before, sizeof before);
    else
        cm_flat_drop_(&room->index->heads, place, hash);
}

/* Takes a value out of the index. */
static void index_drop(struct cm_bag_room_ *room, uint32_t position)
{
    index_rename(room, position, room->index->links[position].after, room->index->links[position].before);
}

/* Readies the index for the value that is about to move; its own links move, too. */
static void index_move(struct cm_bag_room_ *room, uint32_t from, uint32_t to)
{
    index_rename(room, from, to, to);
    room->index->links[to] = room->index->links[from];
}

/* ---- bags ---- */

/* Fills the index of its room, if that has one, which is empty. */
static void bag_index(const struct cm_bag_ *bag)
{
    for (uint32_t i = 0; bag->room && bag->room->index && i < bag->len; i++)
        index_add(bag->room, i);
}

void cm_bag_move_(const struct cm_bags_ *bags, struct cm_bag_ *bag, struct cm_bag_room_ *room)
{
    const struct cm_type *values = bags->values;
    struct cm_bag_room_ *old = bag->room;
    const char *from = cm_bag_values_(values, bag);
    bag->room = room;
    memmove(cm_bag_values_(values, bag), from, bag->len * values->key_size);
    bag_index(bag);
    cm_bag_room_free_(old);
}

bool cm_bag_copy_(struct cm_bags_ *bags, struct cm_bag_ *bag, const struct cm_bag_ *from)
{
    const struct cm_type *values = bags->values;
    *bag = (struct cm_bag_){NULL, 0};
    if (from->room && !(bag->room = cm_bag_room_make_(bags, from->room->capacity)))
        return false;
    bag->len = from->len;
    memcpy(cm_bag_values_(values, bag), cm_bag_values_(values, from), from->len * values->key_size);
    bag_index(bag);
    return true;
}

void cm_bag_add_(const struct cm_bags_ *bags, struct cm_bag_ *bag, const void *value)
{
    memcpy(cm_bag_values_(bags->values, bag) + bag->len * bags->values->key_size, value, bags->values->key_size);
    if (bag->room && bag->room->index)
        index_add(bag->room, bag->len);
    bag->len++;
}

void cm_bag_drop_(const struct cm_bags_ *bags, struct cm_bag_ *bag, uint32_t position)
{
    const size_t size = bags->values->key_size;
    char *values = cm_bag_values_(bags->values, bag);
    struct cm_bag_room_ *indexed = bag->room && bag->room->index ? bag->room : NULL;
    uint32_t last = bag->len - 1;
    if (indexed)
        index_drop(indexed, position);
    if (indexed && position != last)
        index_move(indexed, last, position);
    if (position != last)
        memcpy(values + position * size, values + last * size, size);
    bag->len = last;
}

void cm_bag_end_(const struct cm_type *values, struct cm_bag_ *bag, void *context)
{
    char *at = cm_bag_values_(values, bag);
    for (uint32_t i = 0; values->key_destroy && i < bag->len; i++)
        values->key_destroy(at + i * values->key_size, context);
    cm_bag_room_free_(bag->room);
}

bool cm_bag_same_(const struct cm_bags_ *bags, const struct cm_bag_ *a, const struct cm_bag_ *b)
{
    return a->len == b->len && cm_bag_capacity_(a) == cm_bag_capacity_(b) &&
           memcmp(cm_bag_values_(bags->values, a), cm_bag_values_(bags->values, b), a->len * bags->values->key_size) ==
               0;
}

/* ---- all bags of a table ---- */

void cm_bags_forget_(const struct cm_type *type, const struct cm_flat_ *flat)
{
    struct cm_flat_walk_ walk = cm_flat_walk_begin_();
    for (struct cm_flat_place_ at; (at = cm_flat_walk_next_(type, flat, &walk)).entry;)
        cm_bag_room_free_(((struct cm_bag_ *)(void *)cm_flat_value_(type, at))->room);
}

/* Whether the index has the value, in a list that is whole. Counts the heads. */
static bool link_is_right(const struct cm_bag_room_ *room, uint32_t len, uint32_t position, size_t *heads)
{
    struct cm_bag_link_ link = room->index->links[position];
    *heads += link.before == CM_BAG_NONE_;
    if (link.after != CM_BAG_NONE_ && (link.after >= len || room->index->links[link.after].before != position))
        return false;
    if (link.before != CM_BAG_NONE_)
        return link.before < len && room->index->links[link.before].after == position &&
               room->bags->values->equal(value_at(room, link.before), value_at(room, position));
    return cm_bag_find_indexed_(room->bags->values, room, hash_at(room, position), value_at(room, position)) ==
           position;
}

static const char *bag_check(const struct cm_bag_ *bag)
{
    size_t heads = 0;
    if (bag->len > cm_bag_capacity_(bag))
        return "B1: more values than there is room for";
    if (!bag->room || !bag->room->index)
        return NULL;
    for (uint32_t i = 0; i < bag->len; i++)
        if (!link_is_right(bag->room, bag->len, i, &heads))
            return "B2: a value is not in its list";
    return heads == bag->room->index->heads.len ? NULL : "B2: the index has more than the heads of lists";
}

const char *cm_bags_check_(const struct cm_bags_ *bags, const struct cm_type *type, const struct cm_flat_ *flat)
{
    struct cm_flat_walk_ walk = cm_flat_walk_begin_();
    const char *wrong = NULL;
    for (struct cm_flat_place_ at; bags->values && !wrong && (at = cm_flat_walk_next_(type, flat, &walk)).entry;)
        wrong = bag_check((const struct cm_bag_ *)(const void *)cm_flat_value_(type, at));
    return wrong;
}
