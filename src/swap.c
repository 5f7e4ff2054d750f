/* The cold half of the swap cell: see detail/swap_cell.h. */
#include <concmap/swap.h>

#include <concmap/detail/memory.h>

/* The header ends where the value begins. */
static size_t value_offset(const struct cm_swap_type_ *type)
{
    return cm_align_up_(sizeof(struct cm_swap_object_), type->alignment);
}

static size_t block_alignment(const struct cm_swap_type_ *type)
{
    size_t least = CM_ALIGNOF(struct cm_swap_object_);
    return type->alignment > least ? type->alignment : least;
}

void cm_swap_init_(struct cm_swap_ *cell, const cm_swap_config *config)
{
    static const cm_swap_config defaults;
    config = config ? config : &defaults;
    *cell = (struct cm_swap_){.domain = config->domain ? config->domain : cm_domain_default(),
                              .allocator = config->allocator ? *config->allocator : *cm_allocator_default(),
                              .context = config->context};
    cm_domain_use_(cell->domain);
}

void *cm_swap_make_(const struct cm_swap_ *cell, const struct cm_swap_type_ *type)
{
    struct cm_block_ block;
    if (!cm_block_allocate_(&cell->allocator, value_offset(type) + type->size, block_alignment(type), false, &block))
        return NULL;
    void *value = (char *)block.address + value_offset(type);
    struct cm_swap_object_ *object = cm_swap_object_of_(value);
    *object =
        (struct cm_swap_object_){.type = type, .allocator = cell->allocator, .context = cell->context, .block = block};
    cm_counted_init(&object->count);
    return value;
}

void cm_swap_unmake_(void *value)
{
    struct cm_swap_object_ *object = cm_swap_object_of_(value);
    cm_allocator allocator = object->allocator;
    cm_block_release_(&allocator, &object->block);
}

void cm_swap_weak_release_(const void *value)
{
    if (value && cm_counted_weak_release(&cm_swap_object_of_(value)->count))
        cm_swap_unmake_((void *)(uintptr_t)value);
}

void cm_swap_discard_(void *value)
{
    const struct cm_swap_object_ *object = cm_swap_object_of_(value);
    if (object->type->destroy)
        object->type->destroy(value, object->context);
}

void cm_swap_release_(const void *value)
{
    if (!value || !cm_counted_release(&cm_swap_object_of_(value)->count))
        return;
    cm_swap_discard_((void *)(uintptr_t)value);
    cm_swap_weak_release_(value);
}

/* The cell's own use of a value ends; run by the domain. */
static void value_retired(void *value, void *context)
{
    (void)context;
    cm_swap_release_(value);
}

/* What was taken out of a cell waits for its readers. */
static void value_retire(struct cm_swap_ *cell, void *value)
{
    struct cm_swap_object_ *object = cm_swap_object_of_(value);
    cm_domain_retire_by(cell->domain, &object->link, value, object->block.size, value_retired, NULL);
}

void cm_swap_put_(struct cm_swap_ *cell, void *value, const void **old)
{
    /* Publishes the value. Pairs with the acquire of loads; acquire: of whoever made the old one. */
    void *before = cm_exchange_acq_rel_(&cell->value, value);
    if (before && old)
        cm_counted_share(&cm_swap_object_of_(before)->count);
    if (old)
        *old = before;
    if (before)
        value_retire(cell, before);
}

bool cm_swap_put_if_(struct cm_swap_ *cell, const void *expected, void *value)
{
    void *before = (void *)(uintptr_t)expected;
    if (!cm_swap_if_acq_rel_(&cell->value, &before, value)) /* as in cm_swap_put_() */
        return false;
    if (before)
        value_retire(cell, before);
    return true;
}

const void *cm_swap_load_full_(const struct cm_swap_ *cell)
{
    cm_swap_pin pin;
    const void *value = cm_swap_load_(cell, &pin);
    if (value)
        cm_counted_share(&cm_swap_object_of_(value)->count); /* (W2) */
    cm_swap_unload_(&pin);
    return value;
}

const void *cm_swap_follow_(const struct cm_swap_ *cell, const void **cached)
{
    const void *old = *cached;
    *cached = cm_swap_load_full_(cell);
    cm_swap_release_(old);
    return *cached;
}

void cm_swap_destroy_(struct cm_swap_ *cell)
{
    if (!cell->domain)
        return;
    cm_swap_release_(cell->value);
    cm_domain_unuse_(cell->domain);
    *cell = (struct cm_swap_){0};
}
