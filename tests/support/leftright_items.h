/* A left-right map of values that own memory, its writer and a reader: for tests. */
#ifndef CONCMAP_TESTS_LEFTRIGHT_ITEMS_H
#define CONCMAP_TESTS_LEFTRIGHT_ITEMS_H

#include <concmap/leftright.h>

#include "items.h"
#include "unit.h"

CM_LEFTRIGHT_MAP_OWNED(items, uint64_t, struct item, cm_hash_u64, cm_equal_u64, CM_PLAIN,
                       CM_OWNED(item_clone, item_destroy))

static items things;
static items_writer thing_writer;
static items_reader thing_reader;

static inline void begin_items(void)
{
    alive = 0;
    assert_int_equal(items_init(&things, NULL), CM_OK);
    assert_int_equal(items_writer_open(&things, &thing_writer), CM_OK);
    assert_int_equal(items_reader_open(&things, &thing_reader), CM_OK);
}

#endif
