/* Recorded histories of one key, and whether they are linearizable. */
#ifndef CONCMAP_TESTS_HISTORY_H
#define CONCMAP_TESTS_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum call_kind { CALL_GET, CALL_PUT, CALL_INSERT, CALL_REMOVE, CALL_UPSERT };

/* One call on the key: what was asked, what came back, and when. Values are not 0; 0 stands for absence. */
struct call {
    enum call_kind kind;
    uint64_t value;   /* given: to put, insert, or begin with; upsert adds 1 to a value that is there */
    uint64_t seen;    /* got: by get; by put and remove the old value; by insert and upsert 1 if the key was there */
    uint64_t invoked; /* numbers of a clock that all threads share */
    uint64_t returned;
};

#define HISTORY_MOST 32

/* Whether the calls (at most HISTORY_MOST) can be put in one order that keeps the order of calls that did not overlap,
 * and in which each returned what it would have returned alone, from `initial` on. After Wing and Gong, with the states
 * that were tried already remembered, as Lowe has it. */
bool history_is_linearizable(const struct call *calls, size_t count, uint64_t initial);

#endif
