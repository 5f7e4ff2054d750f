/* Single look-ups in left-right maps that enter nothing: peeks.
 *
 * A reader that peeks says so in its slot, which no writer waits for; then it loads the word. If that is the one with
 * which the table was published that the reader remembers, it looks the key up in that table, copies the value, and
 * loads the word again. If it is the same still, the copy is of that publication; otherwise it is thrown away. Then the
 * reader sees which table is the active side's, and peeks once more; or the look-up is done inside, as is one that
 * takes a look at more than one group. So publications that come thick cost a peek no fence, and peeks bar no batch;
 * two plain stores and two loads of the word are all.
 *
 * Only maps whose keys are words that are compared by their bits, and whose values are small and copied as they are,
 * peek: nothing that is torn is followed, or shown to a function of the user.
 *
 * Why it holds. (P1) What is found is of one publication: the writer changes a table only after the swap that made its
 * side stale, and a fence. A reader that has seen anything of that change sees the swap in its second load, by its
 * acquire fence; and words never come back, for they count publications. (P2) The memory is there: a table that readers
 * may have seen is freed only after a barrier in every thread, run since it was replaced, and a look at each slot,
 * after that, that found it not peeking. A reader whose "peeking" that look misses had not stored it by the barrier, so
 * it loads a word that is newer than what it remembers. As long as a reader has lost its processor amid a peek, tables
 * that are replaced wait; nobody else does. Entries of such a table are overwritten (src/outdated.c), but not its tags,
 * so searches stay within it. (P3) With NO_BARRIER nobody peeks. */
#ifndef CONCMAP_DETAIL_LEFTRIGHT_PEEKS_H
#define CONCMAP_DETAIL_LEFTRIGHT_PEEKS_H

#include <concmap/detail/leftright.h>
#include <concmap/detail/racing.h>

CM_BEGIN_DECLS

#define CM_PEEK_COPY_ 64 /* bytes of a value at most */

CM_INLINE bool cm_type_peeks_(const struct cm_type *type)
{
    return type->key_bitwise && !type->foreign && (type->key_size == 8 || type->key_size == 4) && !type->value_clone &&
           !type->several_ && type->value_size <= CM_PEEK_COPY_;
}

/* The tags of a group as they are now. */
#if CM_TSAN
#define CM_TAGS_NOW_(name, group)                                                                                      \
    uint8_t name[CM_TAGS_GROUP_] __attribute__((aligned(CM_TAGS_GROUP_)));                                             \
    cm_copy_racing_(name, group, sizeof name)
#else /* where they lie: a copy would pass through memory */
#define CM_TAGS_NOW_(name, group)                                                                                      \
    const uint8_t *const name = group;                                                                                 \
    CM_COMPILER_BARRIER()
#endif

/* Looks at one group of a table that may be changing. CM_READ_AGAIN_: the key may lie in another one. */
CM_INLINE enum cm_read_ cm_flat_peek_(const struct cm_type *type, const struct cm_flat_ *flat, const void *key,
                                      uint64_t hash, void *copy)
{
    const uint64_t home = cm_flat_home_(flat, hash);
    const char *entries = cm_flat_entry_(type, flat, home, 0);
    const size_t size = type->key_size == 4 ? 4 : 8; /* cm_type_peeks_() */
    uint64_t other = 0;
    CM_TAGS_NOW_(group, cm_flat_group_(flat, home));
    for (unsigned match = cm_tags_match_(group, cm_tags_sought_(hash)); match; match &= match - 1) {
        const char *entry = entries + cm_flat_offset_(type, (unsigned)__builtin_ctz(match));
        cm_copy_racing_(&other, entry, size);
        if (CM_LIKELY(memcmp(key, &other, size) == 0)) {
            cm_copy_racing_(copy, entry + cm_flat_layout_of_(type).value, type->value_size);
            return CM_READ_HIT_;
        }
    }
    return group[CM_PASSED_] ? CM_READ_AGAIN_ : CM_READ_MISS_;
}

/* Looks a key up and copies its value. CM_READ_AGAIN_: not so; `copy` is spoilt. Nothing is called, so that no register
 * is saved for what seldom happens: cm_reader_look_anew_() follows, and then another peek, or a look inside. */
CM_INLINE enum cm_read_ cm_reader_peek_(const struct cm_type *type, struct cm_reader_ *reader, const void *key,
                                        uint64_t hash, void *copy)
{
    if (CM_UNLIKELY(reader->depth != 0))
        return CM_READ_AGAIN_;
    struct cm_leftright_ *core = reader->core;
    struct cm_seat_ *slot = reader->slot;
    /* Release: a slot that says this bars nothing, as one that says 0. It is ordered before the load of the word by the
     * barrier of who frees tables. */
    cm_store_release_(&slot->state, CM_PEEKING_);
    CM_COMPILER_BARRIER();
    /* Acquire: the table is as it was published. Pairs with the release of sides_swap(). */
    const uint64_t word = cm_load_acquire_(&core->word);
    if (CM_UNLIKELY(word != reader->peeked))
        return CM_READ_AGAIN_;
    cm_flat_fetch_far_(type, &reader->flat, hash);
    enum cm_read_ found = cm_flat_peek_(type, &reader->flat, key, hash, copy);
    cm_fence_acquire_(); /* (P1); pairs with cm_swap_barrier_() */
    if (CM_UNLIKELY(cm_load_relaxed_(&core->word) != word))
        found = CM_READ_AGAIN_;
    /* Release: the reads are done. Pairs with the acquire of who frees tables. */
    cm_store_release_(&slot->state, UINT64_C(0));
    return found;
}

CM_END_DECLS

#endif
