/* Memory of the log of a left-right map, and the tables that the other side gets: see detail/leftright_log.h. */
#include <concmap/detail/leftright_log.h>

#define LOG_LEAST 4096 /* bytes */
#define PLACES_MOST 2  /* for each group: to copy one is about as much as to copy two of its places */
#define LOG_KEPT 65536 /* bytes; what is larger is given back if not used */

/* ---- the log ---- */

bool cm_log_grow_(struct cm_leftright_ *core, size_t record, size_t alignment)
{
    struct cm_log_ *log = &core->log;
    const cm_allocator *allocator = &core->sides[0].plain.allocator;
    struct cm_block_ block;
    size_t used = log->block.address ? (size_t)(log->at - (char *)log->block.address) : 0;
    size_t size = 2 * log->block.size > LOG_LEAST ? 2 * log->block.size : LOG_LEAST;
    while (size < used + record)
        size *= 2;
    if (!cm_block_allocate_(allocator, size, alignment, false, &block))
        return false;
    if (used)
        memcpy(block.address, log->block.address, used);
    if (log->block.address)
        cm_block_release_(allocator, &log->block);
    *log = (struct cm_log_){(char *)block.address + used, (char *)block.address + size, block};
    return true;
}

void cm_log_whole_(struct cm_leftright_ *core)
{
    core->whole = true;
    core->log.at = core->log.end; /* whoever notes more comes to cm_log_lengthen_() */
}

/* Bytes of places, beyond which copying the whole table would be less. */
static size_t places_most(const struct cm_leftright_ *core)
{
    return PLACES_MOST * sizeof(size_t) * (size_t)(core->sides[0].plain.flat.mask + 1);
}

static void places_bound(struct cm_leftright_ *core)
{
    struct cm_log_ *log = &core->log;
    size_t most = places_most(core);
    log->end = (char *)log->block.address + (log->block.size < most ? log->block.size : most);
}

bool cm_log_lengthen_(struct cm_leftright_ *core)
{
    const struct cm_log_ *log = &core->log;
    if (core->whole)
        return false;
    size_t used = log->block.address ? (size_t)(log->at - (char *)log->block.address) : 0;
    if (used >= places_most(core) || !cm_log_grow_(core, sizeof(size_t), sizeof(size_t))) {
        cm_log_whole_(core);
        return false;
    }
    places_bound(core);
    return true;
}

void cm_log_reset_(struct cm_leftright_ *core)
{
    struct cm_log_ *log = &core->log;
    if (!log->block.address) {
        core->whole = false;
        return;
    }
    size_t used = core->whole ? 0 : (size_t)(log->at - (char *)log->block.address);
    core->whole = false;
    log->at = log->block.address;
    if (!core->owns)
        places_bound(core);
    if (log->block.size <= LOG_KEPT || used >= log->block.size / 4)
        return;
    cm_block_release_(&core->sides[0].plain.allocator, &log->block);
    log->at = log->end = NULL;
}

/* ---- the other side's tables ---- */

bool cm_leftright_other_table_(struct cm_leftright_ *core, const struct cm_type *type, size_t entries)
{
    const cm_allocator *allocator = &core->sides[0].plain.allocator;
    const struct cm_flat_ *other = &core->sides[cm_active_(core)].plain.flat;
    size_t largest = core->larger.slots ? core->larger.slots : other->slots;
    size_t slots = cm_flat_slots_for_(type, entries);
    struct cm_flat_ made;
    if (slots != largest && !cm_flat_make_(&made, type, allocator, entries))
        return false;
    if (core->last.slots)
        cm_flat_free_(&core->last, allocator);
    core->last = (struct cm_flat_){.slots = 0};
    if (slots > largest && core->larger.slots)
        cm_flat_free_(&core->larger, allocator);
    if (slots != largest)
        *(slots > largest ? &core->larger : &core->last) = made;
    if (!core->owns)
        cm_log_whole_(core);
    size_t before = cm_newest_(core)->plain.flat.slots;
    core->grows += slots > before;
    core->shrinks += slots < before;
    return true;
}

void cm_side_copy_(struct cm_leftright_ *core, struct cm_side_ *side, const struct cm_type *type)
{
    const struct cm_flat_ *from = &core->sides[cm_active_(core)].plain.flat;
    struct cm_flat_ *made[] = {&core->larger, &core->last};
    for (unsigned i = 0; i < 2; i++) {
        if (made[i]->slots && made[i]->slots == from->slots && side->plain.flat.slots != from->slots)
            cm_leftright_adopt_(core, &side->plain, made[i]);
        else
            cm_flat_free_(made[i], &side->plain.allocator);
        *made[i] = (struct cm_flat_){.slots = 0};
    }
    cm_flat_fill_(&side->plain.flat, from, type);
}
