/* Changes of left-right multimaps, and their replay: see detail/multimap.h. */
#include <concmap/detail/multimap.h>

#define BAG_LEAST 3     /* values in the smallest room */
#define RANDOM_LOOKS 64 /* at slots that may be free, for each key that is removed at random */

cm_status cm_multimap_init_(struct cm_leftright_ **made, const struct cm_type *type, const struct cm_type *values,
                            const cm_config *config, unsigned version, size_t size)
{
    cm_status status = cm_leftright_init_(made, type, config, version, size);
    if (status < 0)
        return status;
    const struct cm_plain_ *plain = &(*made)->sides[0].plain;
    (*made)->bags = (struct cm_bags_){values, &plain->allocator, plain->context, plain->seed, 0};
    return CM_OK;
}

/* ---- parts of a change ---- */

/* A key of the side that is written. */
struct own {
    struct cm_flat_place_ place;
    struct cm_bag_ *bag; /* NULL: it is absent */
    uint64_t hash;
};

static struct own own_at(const struct cm_type *type, struct cm_flat_place_ place, uint64_t hash)
{
    return (struct own){place, place.entry ? (void *)cm_flat_value_(type, place) : NULL, hash};
}

static struct own own_find(struct cm_leftright_ *core, const struct cm_type *type, const void *key, uint64_t hash)
{
    return own_at(type, cm_flat_find_ahead_(type, &cm_newest_(core)->plain.flat, key, hash), hash);
}

/* Notes a change, for which there is room; `head` and `value` (may be NULL) are of the record's bag. */
static void change_note(struct cm_leftright_ *core, const struct cm_type *type, enum cm_log_kind_ kind,
                        const struct own *own, struct cm_bag_ head, const void *value)
{
    struct cm_log_record_ *record = cm_log_note_(type, core, kind, own->hash, own->place.entry, NULL);
    struct cm_bag_ *bag = (void *)cm_log_value_(type, record);
    *bag = head;
    if (value)
        memcpy((char *)bag + cm_bag_one_(core->bags.values), value, core->bags.values->key_size);
}

/* Makes a bag one of this value alone. */
static void bag_begin(const struct cm_leftright_ *core, struct cm_bag_ *bag, const void *value)
{
    *bag = (struct cm_bag_){NULL, 0};
    cm_bag_add_(&core->bags, bag, value);
}

/* Adds an absent key; there is room in the log, where what it owns is made. */
static cm_status key_add(struct cm_leftright_ *core, const struct cm_type *type, const void *key, uint64_t hash,
                         const void *value)
{
    struct cm_plain_ *plain = &cm_newest_(core)->plain;
    char *own_key = cm_log_key_(type, (void *)core->log.at);
    cm_status status = plain->flat.len < plain->flat.grow_at ? CM_OK : cm_leftright_grow_(type, core);
    if (status >= 0)
        status = cm_plain_key_begin_(type, plain, key, own_key);
    if (status < 0)
        return status;
    struct own own = own_at(type, cm_flat_take_(type, &plain->flat, hash), hash);
    memcpy(own.place.entry, own_key, type->key_size);
    bag_begin(core, own.bag, value);
    change_note(core, type, CM_LOG_SET_, &own, (struct cm_bag_){NULL, 1}, value);
    return CM_OK;
}

/* Moves a bag to a room for so many values, and the other side's by and by. There is room in the log. */
static cm_status bag_resize(struct cm_leftright_ *core, const struct cm_type *type, const struct own *own,
                            size_t capacity)
{
    struct cm_bag_room_ *rooms[2];
    if (capacity > CM_BAG_MOST_)
        return CM_FULL;
    if (!cm_bag_rooms_make_(&core->bags, capacity, rooms))
        return CM_NOMEM;
    cm_bag_move_(&core->bags, own->bag, rooms[0]);
    change_note(core, type, CM_LOG_ROOM_, own, (struct cm_bag_){rooms[1], 0}, NULL);
    return CM_OK;
}

/* The capacity that follows; 0: there is none. */
static size_t capacity_after(uint32_t capacity)
{
    if (capacity < BAG_LEAST)
        return BAG_LEAST;
    return capacity < CM_BAG_MOST_ / 2 ? 2 * (size_t)capacity + 1 : capacity < CM_BAG_MOST_ ? CM_BAG_MOST_ : 0;
}

/* Adds a value to a bag; there is room in the log. */
static cm_status bag_extend(struct cm_leftright_ *core, const struct cm_type *type, const struct own *own,
                            const void *value)
{
    struct cm_bag_room_ *rooms[2] = {NULL, NULL};
    if (own->bag->len == cm_bag_capacity_(own->bag)) {
        size_t capacity = capacity_after(own->bag->len);
        if (capacity == 0)
            return CM_FULL;
        if (!cm_bag_rooms_make_(&core->bags, capacity, rooms))
            return CM_NOMEM;
        cm_bag_move_(&core->bags, own->bag, rooms[0]);
    }
    cm_bag_add_(&core->bags, own->bag, value);
    change_note(core, type, CM_LOG_ADD_, own, (struct cm_bag_){rooms[1], 1}, value);
    return CM_OK;
}

/* Sets a bag to one value, or to none; there is room in the log. What it had, the replay destroys. */
static void bag_set(struct cm_leftright_ *core, const struct cm_type *type, const struct own *own, const void *value)
{
    struct cm_bag_ bag = {NULL, value != NULL};
    cm_bag_room_free_(own->bag->room);
    *own->bag = (struct cm_bag_){NULL, 0};
    if (value)
        bag_begin(core, own->bag, value);
    change_note(core, type, CM_LOG_SET_, own, bag, value);
}

/* Removes a value; there is room in the log. */
static void value_drop(struct cm_leftright_ *core, const struct cm_type *type, enum cm_log_kind_ kind,
                       const struct own *own, uint32_t position)
{
    cm_bag_drop_(&core->bags, own->bag, position);
    change_note(core, type, kind, own, (struct cm_bag_){NULL, position}, NULL);
}

/* Removes a key with its values; there is room in the log. */
static void entry_drop(struct cm_leftright_ *core, const struct cm_type *type, const struct own *own)
{
    cm_bag_room_free_(own->bag->room);
    cm_leftright_drop_(type, core, CM_LOG_REMOVE_, own->place, own->hash);
}

/* ---- one key ---- */

cm_status cm_multimap_insert_(struct cm_leftright_ *core, const struct cm_type *type, const void *key, uint64_t hash,
                              const void *value)
{
    struct own own = own_find(core, type, key, hash);
    if (!cm_log_room_(type, core))
        return CM_NOMEM;
    return own.bag ? bag_extend(core, type, &own, value) : key_add(core, type, key, hash, value);
}

cm_status cm_multimap_update_(struct cm_leftright_ *core, const struct cm_type *type, const void *key, uint64_t hash,
                              const void *value)
{
    struct own own = own_find(core, type, key, hash);
    if (!cm_log_room_(type, core))
        return CM_NOMEM;
    if (!own.bag)
        return key_add(core, type, key, hash, value);
    bag_set(core, type, &own, value);
    return CM_REPLACED;
}

cm_status cm_multimap_remove_value_(struct cm_leftright_ *core, const struct cm_type *type, const void *key,
                                    uint64_t hash, const void *value, void *taken)
{
    const struct cm_type *values = core->bags.values;
    struct own own = own_find(core, type, key, hash);
    uint32_t position = own.bag ? cm_bag_find_(values, own.bag, core->bags.seed, value) : CM_BAG_NONE_;
    if (position == CM_BAG_NONE_)
        return CM_ABSENT;
    if (!cm_log_room_(type, core))
        return CM_NOMEM;
    if (taken)
        memcpy(taken, cm_bag_values_(values, own.bag) + position * values->key_size, values->key_size);
    value_drop(core, type, taken ? CM_LOG_DROP_TAKEN_ : CM_LOG_DROP_, &own, position);
    return CM_OK;
}

cm_status cm_multimap_remove_entry_(struct cm_leftright_ *core, const struct cm_type *type, const void *key,
                                    uint64_t hash)
{
    struct own own = own_find(core, type, key, hash);
    if (!own.bag)
        return CM_ABSENT;
    if (!cm_log_room_(type, core))
        return CM_NOMEM;
    entry_drop(core, type, &own);
    return CM_OK;
}

cm_status cm_multimap_clear_entry_(struct cm_leftright_ *core, const struct cm_type *type, const void *key,
                                   uint64_t hash)
{
    struct own own = own_find(core, type, key, hash);
    if (!own.bag)
        return CM_ABSENT;
    if (!cm_log_room_(type, core))
        return CM_NOMEM;
    bag_set(core, type, &own, NULL);
    return CM_OK;
}

cm_status cm_multimap_reserve_values_(struct cm_leftright_ *core, const struct cm_type *type, const void *key,
                                      uint64_t hash, size_t more)
{
    struct own own = own_find(core, type, key, hash);
    if (!own.bag)
        return CM_ABSENT;
    if (more <= cm_bag_capacity_(own.bag) - own.bag->len)
        return CM_OK;
    if (!cm_log_room_(type, core))
        return CM_NOMEM;
    return more > CM_BAG_MOST_ ? CM_FULL : bag_resize(core, type, &own, own.bag->len + more);
}

static cm_status bag_fit(struct cm_leftright_ *core, const struct cm_type *type, const struct own *own)
{
    if (!own->bag->room || own->bag->len == own->bag->room->capacity)
        return CM_OK;
    return cm_log_room_(type, core) ? bag_resize(core, type, own, own->bag->len) : CM_NOMEM;
}

cm_status cm_multimap_fit_(struct cm_leftright_ *core, const struct cm_type *type, const void *key, uint64_t hash)
{
    struct own own = own_find(core, type, key, hash);
    return own.bag ? bag_fit(core, type, &own) : CM_ABSENT;
}

/* ---- functions of the user ---- */

static cm_status call_run(struct cm_leftright_ *core, const struct cm_values_call_ *call, const void *key,
                          const void *values, size_t count)
{
    core->busy = true;
    cm_status status = call->run(key, values, count, call->call);
    core->busy = false;
    return status;
}

/* Asks about each value, the last one first: then the one that fills a gap has been asked about. */
static cm_status bag_sift(struct cm_leftright_ *core, const struct cm_type *type, const struct own *own,
                          const struct cm_values_call_ *keep)
{
    const size_t size = core->bags.values->key_size;
    cm_status status = CM_OK;
    for (uint32_t i = own->bag->len; status >= 0 && i-- > 0;) {
        if (!cm_log_room_(type, core))
            return CM_NOMEM;
        status = call_run(core, keep, own->place.entry, cm_bag_values_(core->bags.values, own->bag) + i * size, 1);
        if (status == CM_ABSENT)
            value_drop(core, type, CM_LOG_DROP_, own, i);
    }
    return status < 0 ? status : CM_OK;
}

cm_status cm_multimap_retain_values_(struct cm_leftright_ *core, const struct cm_type *type, const void *key,
                                     uint64_t hash, const struct cm_values_call_ *keep)
{
    struct own own = own_find(core, type, key, hash);
    return own.bag ? bag_sift(core, type, &own, keep) : CM_ABSENT;
}

/* ---- values that were taken ---- */

static void value_end(struct cm_leftright_ *core, void *value)
{
    if (core->bags.values->key_destroy)
        core->bags.values->key_destroy(value, core->bags.context);
}

cm_status cm_multimap_give_back_(struct cm_leftright_ *core, const struct cm_type *type, uint64_t taken_at, void *value)
{
    const struct own none = {.bag = NULL};
    if (!core->bags.values->key_destroy)
        return CM_OK;
    if (cm_leftright_let_go_(core, taken_at)) {
        core->busy = true; /* as in cm_leftright_value_end_() */
        value_end(core, value);
        core->busy = false;
        return CM_OK;
    }
    if (!cm_log_room_(type, core))
        return CM_NOMEM;
    change_note(core, type, CM_LOG_GIVE_BACK_VALUE_, &none, (struct cm_bag_){NULL, 0}, value);
    return CM_OK;
}

/* ---- all keys ---- */

/* The next key of the side that is written; its bag is NULL at the end. */
static struct own own_next(struct cm_leftright_ *core, const struct cm_type *type, struct cm_flat_walk_ *walk)
{
    const struct cm_plain_ *plain = &cm_newest_(core)->plain;
    struct cm_flat_place_ place = cm_flat_walk_next_(type, &plain->flat, walk);
    return own_at(type, place, place.entry ? type->hash(place.entry, plain->seed) : 0);
}

cm_status cm_multimap_retain_(struct cm_leftright_ *core, const struct cm_type *type,
                              const struct cm_values_call_ *keep)
{
    struct cm_flat_walk_ walk = cm_flat_walk_begin_();
    cm_status status = CM_OK;
    for (struct own own; status >= 0 && (own = own_next(core, type, &walk)).bag;)
        status = bag_sift(core, type, &own, keep);
    return status;
}

cm_status cm_multimap_fit_all_(struct cm_leftright_ *core, const struct cm_type *type)
{
    struct cm_flat_walk_ walk = cm_flat_walk_begin_();
    cm_status status = CM_OK;
    for (struct own own; status >= 0 && (own = own_next(core, type, &walk)).bag;)
        status = bag_fit(core, type, &own);
    return status < 0 ? status : cm_leftright_shrink_(type, core);
}

cm_status cm_multimap_purge_(struct cm_leftright_ *core, const struct cm_type *type)
{
    if (!cm_log_room_(type, core))
        return CM_NOMEM;
    cm_bags_forget_(type, &cm_newest_(core)->plain.flat);
    return cm_leftright_clear_(type, core);
}

/* ---- random keys ---- */

/* Steele, Lea and Flood's splitmix64. */
static uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* A number below `end`, which is so much smaller than 2^64 that the remainder is as good as random. */
static size_t random_below(uint64_t *state, size_t end)
{
    return (size_t)(random_next(state) % end);
}

/* Looks at slots until one is taken, but not for ever: the table may be all but empty. */
static struct own own_random(struct cm_leftright_ *core, const struct cm_type *type, uint64_t *random)
{
    const struct cm_plain_ *plain = &cm_newest_(core)->plain;
    for (unsigned looks = 0; looks < RANDOM_LOOKS; looks++) {
        size_t at = random_below(random, plain->flat.slots);
        uint64_t index = at / CM_TAGS_;
        unsigned slot = (unsigned)(at % CM_TAGS_);
        uint8_t *tag = cm_flat_group_(&plain->flat, index) + slot;
        if (*tag) {
            struct cm_flat_place_ place = {cm_flat_entry_(type, &plain->flat, index, slot), tag};
            return own_at(type, place, type->hash(place.entry, plain->seed));
        }
    }
    return (struct own){.bag = NULL};
}

/* Tells of a key, and removes it. */
static cm_status entry_tell(struct cm_leftright_ *core, const struct cm_type *type, const struct own *own,
                            const struct cm_values_call_ *tell)
{
    if (!cm_log_room_(type, core))
        return CM_NOMEM;
    cm_status status =
        call_run(core, tell, own->place.entry, cm_bag_values_(core->bags.values, own->bag), own->bag->len);
    if (status >= 0)
        entry_drop(core, type, own);
    return status;
}

cm_status cm_multimap_remove_random_(struct cm_leftright_ *core, const struct cm_type *type, size_t n, uint64_t seed,
                                     const struct cm_values_call_ *tell)
{
    const struct cm_flat_ *flat = &cm_newest_(core)->plain.flat;
    struct cm_flat_walk_ walk = cm_flat_walk_begin_();
    cm_status status = CM_OK;
    n = n < flat->len ? n : flat->len;
    for (struct own own; status >= 0 && n > 0 && (own = own_random(core, type, &seed)).bag; n--)
        status = entry_tell(core, type, &own, tell);
    /* What is left of a sparse table, by Knuth's algorithm S: each with the odds of those wanted to those to come. */
    size_t left = flat->len;
    for (struct own own; status >= 0 && n > 0 && (own = own_next(core, type, &walk)).bag; left--) {
        if (random_below(&seed, left) >= n)
            continue;
        status = entry_tell(core, type, &own, tell);
        n--;
    }
    return status < 0 ? status : CM_OK;
}

/* ---- replay ---- */

void cm_multimap_replay_one_(const struct cm_type *type, struct cm_leftright_ *core, struct cm_plain_ *plain,
                             struct cm_log_record_ *record)
{
    struct cm_bag_ *noted = (void *)cm_log_value_(type, record);
    char *value = (char *)noted + cm_bag_one_(core->bags.values);
    if (record->kind == CM_LOG_GIVE_BACK_VALUE_) {
        value_end(core, value);
        return;
    }
    struct cm_bag_ *bag = (void *)cm_plain_find_ahead_(type, plain, cm_log_key_(type, record), record->hash);
    if (!bag)
        return; /* never (W2) */
    if (record->kind == CM_LOG_ROOM_ || noted->room)
        cm_bag_move_(&core->bags, bag, noted->room);
    if (record->kind == CM_LOG_ADD_)
        cm_bag_add_(&core->bags, bag, value);
    if (record->kind != CM_LOG_DROP_ && record->kind != CM_LOG_DROP_TAKEN_)
        return;
    memcpy(value, cm_bag_values_(core->bags.values, bag) + noted->len * core->bags.values->key_size,
           core->bags.values->key_size);
    cm_bag_drop_(&core->bags, bag, noted->len);
    if (record->kind == CM_LOG_DROP_) /* now that nothing in the bag compares itself with it */
        value_end(core, value);
}
